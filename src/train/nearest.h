/* nearest.h -- the baseline for texts with a base: k nearest neighbours among the base's vectors of
 * the training rows, by cosine, votes by nearness, k by validation.  Floor 3, train. */
#ifndef TL_TRAIN_NEAREST_H
#define TL_TRAIN_NEAREST_H
#include "train/trainer.h"

bool      tl_arch_is_nearest(const tl_arch *arch);
/* Can its rows be told by the base's vectors: of one class of several, by a transformer of text? */
bool      tl_nearest_fits(const tl_dataset *d, const tl_model *base);
/* The candidate's network and texts: pooled and cut as the base's folder says.  *texter is the
 * caller's to drop (NULL: the base's own).  TL_EDATA: its folder asks for what Tailor has not. */
tl_status tl_nearest_text(tl_ctx *ctx, const tl_dataset *d, const tl_model *base, tl_arch *arch,
                          tl_prep *prep, tl_texter **texter);
/* The run's model with such a network from its base, as yet without neighbours. */
tl_status tl_nearest_model(tl_ctx *ctx, const tl_run_spec *spec, tl_model **out);
/* A model with the training rows' vectors takes the place of the run's. */
tl_status tl_nearest_run(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *from);
/* Beside the run's model and its best weights; `width` of a vector, `floats` of the model. */
size_t    tl_nearest_bytes(const tl_run_spec *spec, int64_t width, int64_t floats);
double    tl_nearest_flops(const tl_run_spec *spec, int64_t width);
#endif
