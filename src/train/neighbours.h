/* neighbours.h -- k nearest neighbours as the solved baseline's rival.  Floor 3, train. */
#ifndef TL_TRAIN_NEIGHBOURS_H
#define TL_TRAIN_NEIGHBOURS_H
#include "train/trainer.h"

/* A route's `finish`: where kNN on the same small pictures, k by validation, scores better on
 * validation than what the phases left, it takes its place in t->model. */
tl_status tl_neighbours_finish(tl_ctx *ctx, tl_trainer *t);
/* What that takes beside the run: its bytes, and FLOPs. */
size_t tl_neighbours_bytes(const tl_run_spec *spec, int64_t width);
double tl_neighbours_flops(const tl_run_spec *spec, int64_t width);
#endif
