/* store.h -- the run store: runs.db (SQLite, WAL) with every run, metric point, cost, seed and
 * setting, and events/ (TensorBoard).  Both may run ahead of a checkpoint; a resumed run cuts
 * their tail.  Floor 3, train.  Sources: sqlite.org/wal; TensorBoard's event file format. */
#ifndef TL_TRAIN_STORE_H
#define TL_TRAIN_STORE_H
#include "core/json.h"
#include "train/run.h"

tl_status tl_store_open(tl_ctx *ctx, const char *folder, tl_store **out); /* runs.db, events/ in it */
void      tl_store_close(tl_ctx *ctx, tl_store *s);
/* Settings of the study: command line, calibration, plan... one JSON value a key. */
tl_status tl_store_set(tl_ctx *ctx, tl_store *s, const char *key, const json_t *value);
tl_status tl_store_get(tl_ctx *ctx, tl_store *s, const char *key, json_t **out); /* *out NULL: none */
/* The run of (candidate key, seed, slice), made if new; `done`: it ended, result holds its JSON. */
tl_status tl_store_run(tl_ctx *ctx, tl_store *s, const char *key, uint64_t seed, const char *slice,
                       const json_t *settings, int64_t *id, bool *done, json_t **result);
tl_status tl_store_point(tl_ctx *ctx, tl_store *s, int64_t run, const tl_curve_point *p);
tl_status tl_store_cut(tl_ctx *ctx, tl_store *s, int64_t run, int64_t after_step); /* drop later points */
tl_status tl_store_points(tl_ctx *ctx, tl_store *s, int64_t run, tl_curve_point **out, int64_t *count);
tl_status tl_store_end(tl_ctx *ctx, tl_store *s, int64_t run, const char *status, const json_t *result);
/* Predictions of a run on the rows of a part: [rows classes] f32, kept for the verdict. */
tl_status tl_store_put_blob(tl_ctx *ctx, tl_store *s, int64_t run, const char *name, const void *data, size_t bytes);
tl_status tl_store_get_blob(tl_ctx *ctx, tl_store *s, int64_t run, const char *name, void **data, size_t *bytes); /* NULL: none */
/* All runs as a JSON array, for `tailor runs` and `show`. */
tl_status tl_store_list(tl_ctx *ctx, tl_store *s, json_t **out);
#endif
