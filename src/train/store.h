/* store.h -- the run store: runs.db (SQLite, WAL) with every run, metric point, cost, seed and
 * setting, and events/ (TensorBoard).  Both may run ahead of a checkpoint; a resumed run cuts
 * their tail.  Floor 3, train.  Sources: sqlite.org/wal; TensorBoard's event file format. */
#ifndef TL_TRAIN_STORE_H
#define TL_TRAIN_STORE_H
#include "core/json.h"
#include "train/run.h"

/* runs.db and events/ in `folder`. */
tl_status tl_store_open(tl_ctx *ctx, const char *folder, tl_store **out);
void      tl_store_close(tl_ctx *ctx, tl_store *s);
/* Settings of the study: command line, calibration, plan... one JSON value a key. */
tl_status tl_store_set(tl_ctx *ctx, tl_store *s, const char *key, const json_t *value);
/* *out is the caller's; NULL: there is none. */
tl_status tl_store_get(tl_ctx *ctx, tl_store *s, const char *key, json_t **out);
/* The run of (candidate key, seed, slice), made if new; `done`: it ended, result holds its JSON
 * (the caller's, may be NULL). */
tl_status tl_store_run(tl_ctx *ctx, tl_store *s, const char *key, uint64_t seed,
                       const char *slice, const json_t *settings, int64_t *id, bool *done,
                       json_t **result);
/* Points come in order of their steps. */
tl_status tl_store_point(tl_ctx *ctx, tl_store *s, int64_t run, const tl_curve_point *p);
tl_status tl_store_cut(tl_ctx *ctx, tl_store *s, int64_t run, int64_t after_step);
tl_status tl_store_points(tl_ctx *ctx, tl_store *s, int64_t run, tl_curve_point **out,
                          int64_t *count);
tl_status tl_store_end(tl_ctx *ctx, tl_store *s, int64_t run, const char *status,
                       const json_t *result);
/* Predictions of a run on the rows of a part: [rows classes] f32, kept for the verdict. */
tl_status tl_store_put_blob(tl_ctx *ctx, tl_store *s, int64_t run, const char *name,
                            const void *data, size_t bytes);
/* *data is the caller's (tl_free); NULL: there is none. */
tl_status tl_store_get_blob(tl_ctx *ctx, tl_store *s, int64_t run, const char *name,
                            void **data, size_t *bytes);
/* All runs as a JSON array, for `tailor runs` and `show`. */
tl_status tl_store_list(tl_ctx *ctx, tl_store *s, json_t **out);
#endif
