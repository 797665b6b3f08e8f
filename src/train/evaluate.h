/* evaluate.h -- a model over rows, without augmentation: loss and metric.  Floor 3, train. */
#ifndef TL_TRAIN_EVALUATE_H
#define TL_TRAIN_EVALUATE_H
#include "bundle/score.h"
#include "train/kept.h"
#include "train/metric.h"

typedef struct {
    const tl_run_spec *spec;
    tl_predictor *predictor;
    tl_scorer    *scorer;   /* of a language model instead                                  */
    float        *logits;   /* of a piece of the rows: memory does not grow with rows       */
    float        *mark;     /* [outputs] of a row                                           */
    tl_tally      tally;    /* of the last evaluation                                       */
    const tl_kept *kept;    /* of a cut network: its rows as they enter it; NULL: it is whole */
    float        *x;        /* [rows of the predictor, width] some of them; owned           */
    int64_t       rows;     /* of the predictor                                             */
} tl_evaluator;

/* What was asked, else the task's own: the one for rare classes where the rarest is under 10 %
 * of the rows.  TL_EUSAGE where the task has none of this name. */
tl_status tl_metric_choose(tl_ctx *ctx, const tl_dataset *d, const char *asked,
                           const char **out);
int64_t   tl_rarest_class(tl_ctx *ctx, const tl_dataset *d); /* its rows; -1: no memory */

/* A tally for the run's task, in the unit of its target. */
tl_status tl_tally_of(tl_ctx *ctx, const tl_run_spec *spec, tl_tally *out);
/* One row counted with its loss; `mark` has room for the classes. */
void      tl_tally_add(tl_tally *t, const tl_run_spec *spec, const float *y, int64_t row,
                       float *mark);
/* Mean entropy of the outputs' yes and no over these rows, natural log: the loss of who only
 * knows their shares, as of tasks with marks. */
tl_status tl_mark_entropy(tl_ctx *ctx, const tl_dataset *d, tl_rows rows, double *out);
/* The number a row is to be, as the network sees it; 0 where classes are learnt. */
double    tl_scaled_target(const tl_run_spec *spec, int64_t row);

tl_status tl_evaluator_new(tl_ctx *ctx, const tl_run_spec *spec, const tl_model *model,
                           int64_t rows, tl_evaluator *out);
/* `cut` > 0: only what lies above that cut runs, on what is kept of validation's rows, and of them
 * alone; borrowed. */
tl_status tl_evaluator_above(tl_ctx *ctx, const tl_run_spec *spec, const tl_model *model,
                             int64_t rows, int cut, const tl_kept *kept, tl_evaluator *out);
void      tl_evaluator_free(tl_ctx *ctx, tl_evaluator *e);
tl_status tl_evaluate(tl_ctx *ctx, tl_evaluator *e, tl_rows rows);

/* At most `most` of the rows, spread evenly over them; ended with tl_free(out->row). */
tl_status tl_rows_spread(tl_ctx *ctx, tl_rows rows, int64_t most, tl_rows *out);

/* How the fit is said.  Overfit by the metric's gap between training and validation rows:
 * up to 2 points or two standard errors "none", up to 10 points (or three) "mild", beyond
 * "severe".  "underfit": without a severe gap, the training loss is still above 3/4 of the
 * entropy of the labels: little of what could be learnt was learnt. */
/* Of numbers: by how much larger the error on validation is than on training rows, as a
 * share of it: up to 0.1 "none", up to 0.4 "mild"; underfit: 3/4 of the target's variance
 * is left on the training rows. */
const char *tl_fit_word_numbers(double train_loss, double valid_loss);
/* Of tokens: validation's loss above training's by up to 0.1 nats "none", up to 0.5 "mild". */
const char *tl_fit_word_tokens(double train_loss, double valid_loss);
/* Of tasks with marks, by the loss: validation's above the training rows' by up to a quarter
 * "none", up to 2.5 times "mild"; underfit against tl_mark_entropy as above. */
const char *tl_fit_word_marks(double train_loss, double valid_loss, double entropy);
const char *tl_fit_word(double train_metric, double valid_metric, double train_loss,
                        double entropy, int64_t rows);
double      tl_label_entropy(const int32_t *label, tl_rows rows, int64_t *count,
                             int64_t classes);
#endif
