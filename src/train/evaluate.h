/* evaluate.h -- a model over rows, without augmentation: loss and metric.  Floor 3, train. */
#ifndef TL_TRAIN_EVALUATE_H
#define TL_TRAIN_EVALUATE_H
#include "train/metric.h"
#include "train/run.h"

typedef struct {
    const tl_run_spec *spec;
    tl_predictor *predictor;
    float        *logits;   /* of a piece of the rows: memory does not grow with rows       */
    tl_tally      tally;    /* of the last evaluation                                       */
} tl_evaluator;

tl_status tl_evaluator_new(tl_ctx *ctx, const tl_run_spec *spec, const tl_model *model,
                           int64_t rows, tl_evaluator *out);
void      tl_evaluator_free(tl_ctx *ctx, tl_evaluator *e);
tl_status tl_evaluate(tl_ctx *ctx, tl_evaluator *e, tl_rows rows);

/* At most `most` of the rows, spread evenly over them; ended with tl_free(out->row). */
tl_status tl_rows_spread(tl_ctx *ctx, tl_rows rows, int64_t most, tl_rows *out);

/* How the fit is said.  Overfit by the metric's gap between training and validation rows:
 * up to 2 points or two standard errors "none", up to 10 points (or three) "mild", beyond
 * "severe".  "underfit": without a severe gap, the training loss is still above 3/4 of the
 * entropy of the labels: little of what could be learnt was learnt. */
const char *tl_fit_word(double train_metric, double valid_metric, double train_loss,
                        double entropy, int64_t rows);
double      tl_label_entropy(const int32_t *label, tl_rows rows, int64_t *count,
                             int64_t classes);
#endif
