/* nearest.h -- the baseline for texts with a base: k nearest neighbours among the base's vectors of
 * the training rows, by cosine, votes by nearness, k by validation.  Floor 3, train. */
#ifndef TL_TRAIN_NEAREST_H
#define TL_TRAIN_NEAREST_H
#include "train/trainer.h"

bool      tl_arch_is_nearest(const tl_arch *arch);
/* Can its rows be told by the base's vectors: of one class of several, by a transformer of text? */
bool      tl_nearest_fits(const tl_dataset *d, const tl_model *base);
/* Does the candidate end in neighbours?  From a base that has some another route goes on with the
 * network within. */
bool      tl_nearest_route(const tl_candidate *c);
/* A model with the training rows' vectors takes the place of the run's. */
tl_status tl_nearest_run(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *from);
/* Beside the run's model and its best weights; `width` of a vector, `floats` of the model. */
size_t    tl_nearest_bytes(const tl_run_spec *spec, int64_t width, int64_t floats);
double    tl_nearest_flops(const tl_run_spec *spec, int64_t width);
#endif
