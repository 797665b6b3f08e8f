/* transfer.h -- how well a base's features tell the classes apart, without training the base:
 * scores over arrays x [rows width], label [rows] in 0 .. classes-1.  They order bases for the
 * same rows; their values mean nothing across data sets.  Floor 4, study. */
#ifndef TL_STUDY_TRANSFER_H
#define TL_STUDY_TRANSFER_H
#include "tensor/plan.h"

typedef struct {
    const float   *x;
    const int32_t *label;
    int64_t        rows, width, classes;
} tl_features;

/* right[rows]: the majority of the nearest `neighbours` other rows, by cosine, has the row's
 * class; the nearer decides where it is even. */
tl_status tl_transfer_knn(tl_ctx *ctx, const tl_features *f, int neighbours, uint8_t *right);
/* tr(cov(F)^-1 cov(E[F | y])), the covariance shrunk as Ledoit and Wolf 2004 do.
 * Source: Bao et al. 2019; Ibrahim et al. 2021, arXiv:2110.06893. */
tl_status tl_transfer_hscore(tl_ctx *ctx, const tl_features *f, double *out);
/* Evidence of a Bayesian ridge regression a class, a row: the mean over classes.
 * Source: You et al. 2021, arXiv:2102.11005. */
tl_status tl_transfer_logme(tl_ctx *ctx, const tl_features *f, double *out);
/* p [rows sources]: the probabilities that a base's own head gives its own classes. */
typedef struct {
    const float   *p;
    const int32_t *label;
    int64_t        rows, sources, classes;
} tl_sourced;
/* leep: mean log-likelihood of the labels where each class of the base is read as the mix of labels
 * that come with it (Nguyen et al. 2020, arXiv:2002.12462); nce: minus the entropy of the labels
 * given the base's likeliest class (Tran et al. 2019, arXiv:1908.08142).  Both at most 0. */
tl_status tl_transfer_source(tl_ctx *ctx, const tl_sourced *f, double *leep, double *nce);
/* probability [rows classes]: out of fold by logistic regression, fold[rows] in 0 .. folds-1, each
 * row told by a head that has not seen it; rows marked in `skip` (NULL: none) are seen by none. */
tl_status tl_transfer_probabilities(tl_ctx *ctx, const tl_features *f, const int8_t *fold,
                                    int folds, const uint8_t *skip, const tl_backend *backend,
                                    tl_slab *slab, float *probability);
/* right[rows]: the likeliest of these is the row's class. */
tl_status tl_transfer_probe(tl_ctx *ctx, const tl_features *f, const int8_t *fold, int folds,
                            const tl_backend *backend, tl_slab *slab, uint8_t *right);
#endif
