/* features.h -- outputs of a frozen body, computed once, piece by piece, saved and gone on
 * with.  Floor 3, train. */
#ifndef TL_TRAIN_FEATURES_H
#define TL_TRAIN_FEATURES_H
#include "data/texts/stream.h"
#include "train/linear.h"
#include "train/trainer.h"

/* New tables of the run's training and validation rows: from spec->features, or from the
 * model's body, saving on the way.  TL_ECANCEL: interrupted (saved where there is a place). */
tl_status tl_features_fill(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *from,
                           tl_table *train, tl_table *valid);
/* The same of the stream that enters block `cut`, saved apart from the run's checkpoints and
 * kept there, so that these need not hold it. */
tl_status tl_features_below(tl_ctx *ctx, tl_trainer *t, int cut, tl_table *train,
                            tl_table *valid);
/* The same of texts, token by token; not saved. */
tl_status tl_features_stream(tl_ctx *ctx, tl_trainer *t, int cut, tl_stream *out);
/* A progress line of a phase that has no epochs; steps 0: their number is not known. */
void tl_features_say(tl_trainer *t, const char *phase, int64_t step, int64_t steps,
                     double loss);
#endif
