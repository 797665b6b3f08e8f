/* linear.h -- multinomial logistic regression on a table of features, solved to convergence:
 *     (1 / sum q) sum_i q_i (-log softmax(W x_i + b)[label_i]) + l2 / 2 |W|^2
 * with q_i the class weight of row i; b is not penalised.  Of tasks with marks the loss is the mean
 * binary cross-entropy of the outputs, of numbers the squared error (ridge regression).
 * Sources: scikit-learn's LogisticRegression (l2 = 1 / (C n)), Ridge.  Floor 3, train. */
#ifndef TL_TRAIN_LINEAR_H
#define TL_TRAIN_LINEAR_H
#include "tensor/plan.h"
#include "train/lbfgs.h"
#include "train/metric.h"

/* Rows side by side.  `room` is rows rounded up to whole pieces, as the plans that take them
 * have rows; labels beyond `rows` are -1. */
typedef struct {
    int64_t  rows, room, width;
    float   *x;     /* [room width]; owned */
    int32_t *label; /* [room]; owned       */
    int64_t  targets;
    float   *target; /* [room targets] marks, or a number; NULL: label says it; owned */
    const tl_dataset *tagged; /* of words with tags: whose rows `row` [rows] are; else NULL; both
                                 borrowed                                              */
    const int64_t    *row;
} tl_table;
int64_t   tl_linear_piece(int64_t rows); /* a good piece for a table of so many rows */
tl_status tl_table_new(tl_ctx *ctx, int64_t rows, int64_t width, int64_t piece,
                       tl_table *out);
void      tl_table_free(tl_ctx *ctx, tl_table *t);
/* So many targets a row, all 0. */
tl_status tl_table_targets(tl_ctx *ctx, tl_table *t, int64_t targets);
/* Mean and 1 / sd of each column (0 for a constant one), sums in double and row order. */
void      tl_table_moments(const tl_table *t, double *mean, double *scale);
void      tl_table_standardise(tl_table *t, const double *mean, const double *scale,
                               int threads);

typedef struct tl_linear tl_linear;
/* Takes tables made in pieces of `piece` rows.  class_weight [classes] or NULL, borrowed.
 * task NULL: one of several classes; of others the tables have `classes` targets. */
tl_status tl_linear_new(tl_ctx *ctx, const tl_backend *backend, tl_slab *slab,
                        int64_t piece, int64_t width, int64_t classes, const tl_task *task,
                        const float *class_weight, tl_linear **out);
void      tl_linear_free(tl_ctx *ctx, tl_linear *l);
/* w: [classes width] then [classes] biases.  Mean loss without penalty; gradient and tally may
 * be NULL. */
tl_status tl_linear_loss(tl_ctx *ctx, tl_linear *l, const tl_table *t, const double *w,
                         double *loss, double *gradient, tl_tally *tally);
typedef struct {
    double  l2, tolerance; /* of the largest gradient component                             */
    int64_t most_iterations;
    tl_status (*after)(tl_ctx *ctx, void *user, int64_t iteration, double f); /* may be NULL */
    void   *user;
} tl_linear_settings;
tl_status tl_linear_fit(tl_ctx *ctx, tl_linear *l, const tl_table *t,
                        const tl_linear_settings *settings, double *w,
                        tl_lbfgs_result *out);
double    tl_linear_flops(const tl_linear *l, const tl_table *t); /* of one call of the loss */
size_t    tl_linear_bytes(const tl_linear *l);                    /* of its plan             */
#endif
