/* metric.h -- what rows and their logits add up to: loss, accuracy, macro-F1.
 * Source: scikit-learn's f1_score(average="macro", zero_division=0).  Floor 3, train. */
#ifndef TL_TRAIN_METRIC_H
#define TL_TRAIN_METRIC_H
#include "core/core.h"

typedef struct {
    int64_t  classes, rows;
    int64_t *right, *said,
        *there; /* [classes] of each class: predicted rightly, predicted,
                                      labelled; one allocation                               */
    double   loss;                 /* sum over rows                                          */
} tl_tally;

tl_status tl_tally_new(tl_ctx *ctx, int64_t classes, tl_tally *out);
void      tl_tally_free(tl_ctx *ctx, tl_tally *t);
void      tl_tally_clear(tl_tally *t);
/* One labelled row; the first of equal logits is the prediction. */
void      tl_tally_class(tl_tally *t, const float *logits, int32_t label);
/* ... and its cross-entropy. */
void      tl_tally_row(tl_tally *t, const float *logits, int32_t label);

bool      tl_metric_known(const char *name);      /* "accuracy", "macro-f1" */
double    tl_tally_metric(const tl_tally *t, const char *name); /* NaN without rows */
double    tl_tally_loss(const tl_tally *t);
#endif
