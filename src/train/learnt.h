/* learnt.h -- which of a network's weights a run may change: what any of its phases trains, and
 * running statistics.  The others are from the first step to the last what the run began with
 * (its base and its seed say so): neither the best weights so far nor a checkpoint has them.
 * Floor 3, train. */
#ifndef TL_TRAIN_LEARNT_H
#define TL_TRAIN_LEARNT_H
#include "train/checkpoint.h"
#include "train/run.h"

/* Pieces of the block of parameters, in order; a copy of them holds one behind the other. */
typedef struct {
    tl_piece *piece; /* owned */
    size_t    pieces, bytes;
} tl_learnt;

/* By the route's phases on these parameters (whose `trainable` says the last one's afterwards).
 * Owned by the caller. */
tl_status tl_learnt_of(tl_ctx *ctx, const tl_run_spec *spec, tl_params *params, tl_learnt *out);
tl_status tl_learnt_whole(tl_ctx *ctx, const tl_params *params, tl_learnt *out);
void      tl_learnt_free(tl_ctx *ctx, tl_learnt *l); /* safe to repeat */
/* Between a block of parameters and a copy of l->bytes. */
void      tl_learnt_keep(const tl_learnt *l, const float *block, void *copy);
void      tl_learnt_give(const tl_learnt *l, const void *copy, float *block);
#endif
