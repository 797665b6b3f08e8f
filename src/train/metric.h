/* metric.h -- what rows and a network's outputs for them add up to: loss, and the metrics as a
 * list of records.  Sources: scikit-learn's accuracy_score, f1_score(average="macro" or "micro",
 * zero_division=0), root_mean_squared_error, mean_absolute_error, r2_score,
 * cohen_kappa_score(weights="quadratic").  Floor 3, train. */
#ifndef TL_TRAIN_METRIC_H
#define TL_TRAIN_METRIC_H
#include "core/core.h"
#include "train/spans.h"

typedef struct {
    const tl_task *task; /* NULL: one of several classes                                     */
    int64_t  classes, rows;
    int64_t *right, *said,
        *there; /* [classes] of each class: predicted rightly, predicted,
                                      labelled; one allocation with `sum`                    */
    double  *sum;   /* [TL_TALLY_SUMS] over rows of numbers                                  */
    double   scale; /* one unit of the network's in the target's; of ranks 1                 */
    double   loss;  /* sum over rows                                                         */
    tl_spans spans; /* of words with tags: where their counting stands                       */
    int64_t  at;    /* ... the row that is counted next                                      */
} tl_tally;
enum { TL_SUM_SQUARE, TL_SUM_AWAY, TL_SUM_TARGET, TL_SUM_TARGET_SQUARE, TL_TALLY_SUMS,
       TL_SUM_RIGHT = 0, TL_SUM_SAID, TL_SUM_THERE /* spans of words with tags */ };

tl_status tl_tally_new(tl_ctx *ctx, int64_t classes, tl_tally *out);
void      tl_tally_free(tl_ctx *ctx, tl_tally *t);
void      tl_tally_clear(tl_tally *t);
size_t    tl_tally_bytes(const tl_tally *t); /* of the allocation that starts at `right` */
/* One row: the network's outputs, and its class (the first of equal outputs is the prediction)
 * or rank or, of numbers, its target in the network's unit. */
void      tl_tally_count(tl_tally *t, const float *y, int32_t label, double target);
/* ... and its loss: cross-entropy, that of the rank's marks, or the squared error. */
void      tl_tally_row(tl_tally *t, const float *y, int32_t label, double target);
/* One row of several labels, said where the logit is above 0: mark[classes]; and its loss. */
void      tl_tally_count_marks(tl_tally *t, const float *y, const float *mark);
void      tl_tally_row_marks(tl_tally *t, const float *y, const float *mark);

/* Of words with tags, before each is counted: which row it is; -1: the last was counted. */
void      tl_tally_at(tl_tally *t, const tl_dataset *d, int64_t row);
/* So many tokens of a language model, and the sum of their losses. */
void      tl_tally_words(tl_tally *t, double loss, int64_t tokens);

typedef struct {
    const char *name, *words; /* "macro-f1", "macro-F1"                                      */
    const char *doc;
    int         of_tasks;     /* TL_OF_...: what can be asked                                */
    bool        higher;       /* is better                                                   */
    bool        percent;      /* said as a percentage, its differences in points             */
    double (*of)(const tl_tally *t); /* rows are there */
} tl_metric;
enum { TL_OF_CLASSES = 1, TL_OF_NUMBERS = 2, TL_OF_SEVERAL = 4, TL_OF_RANKS = 8,
       TL_OF_WORDS = 16 /* of language models: the tally's rows are tokens */,
       TL_OF_TAGS = 32 };
const tl_metric *tl_metric_at(size_t i);            /* NULL past the end */
const tl_metric *tl_metric_find(const char *name);  /* NULL: none        */
/* The metric of this name for the task, else TL_EUSAGE with those it has. */
tl_status tl_metric_named(tl_ctx *ctx, const tl_task *task, const char *name,
                          const char **out);
/* What is better has more: the value, or its negative. */
double    tl_metric_merit(const char *name, double value);
double    tl_tally_metric(const tl_tally *t, const char *name); /* NaN without rows */
double    tl_tally_loss(const tl_tally *t);
#endif
