/* features.h -- outputs of a frozen body, computed once, piece by piece, saved and gone on
 * with.  Floor 3, train. */
#ifndef TL_TRAIN_FEATURES_H
#define TL_TRAIN_FEATURES_H
#include "train/linear.h"
#include "train/trainer.h"

/* New tables of the run's training and validation rows: from spec->features, or from the
 * model's body, saving on the way.  TL_ECANCEL: interrupted (saved where there is a place). */
tl_status tl_features_fill(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *from,
                           tl_table *train, tl_table *valid);
/* The body, or what lies below block `cut`, ready to be asked for the run's rows; of one row its
 * FLOPs of products, and the values of what it puts out, of text for one token. */
tl_status tl_body_predictor(tl_ctx *ctx, const tl_run_spec *spec, const tl_model *model,
                            int cut, tl_predictor **out);
tl_status tl_body_of_row(tl_ctx *ctx, const tl_run_spec *spec, const tl_arch *arch, int cut,
                         double *flops, int64_t *width);
/* A progress line of a phase that has no epochs; steps 0: their number is not known. */
void tl_features_say(tl_trainer *t, const char *phase, int64_t step, int64_t steps,
                     double loss);
#endif
