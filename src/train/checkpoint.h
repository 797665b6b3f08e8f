/* checkpoint.h -- what an interrupted run goes on from: one file with named sections and a
 * SHA-256 over all of it, written beside and renamed, in two generations, so that a torn or
 * damaged file costs one interval and no more.
 * Layout, little-endian: "TLCKPT1\n", u64 bytes of the header, header (JSON: fingerprint,
 * generation, state, sections [{name, bytes}]), the sections, 64 hex digits of the SHA-256 of
 * everything before them.  Floor 3, train. */
#ifndef TL_TRAIN_CHECKPOINT_H
#define TL_TRAIN_CHECKPOINT_H
#include "core/json.h"

typedef struct { const char *name; void *data; size_t bytes; } tl_section;

/* Writes generation `generation` into folder (made if absent) over the one before the last. */
tl_status tl_checkpoint_save(tl_ctx *ctx, const char *folder, const char *fingerprint,
                             int64_t generation, const json_t *state, const tl_section *section,
                             size_t sections);
/* The newest whole one: sections filled, *state owned by the caller, *generation its number.
 * *state NULL: there is none.  A damaged file is said (log) and the other one taken.
 * TL_EUSAGE: it belongs to another run. */
tl_status tl_checkpoint_load(tl_ctx *ctx, const char *folder, const char *fingerprint,
                             const tl_section *section, size_t sections, json_t **state,
                             int64_t *generation);
#endif
