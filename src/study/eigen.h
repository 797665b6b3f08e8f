/* eigen.h -- eigenvalues and eigenvectors of a symmetric matrix.  Floor 4, study.
 * Source: EISPACK's tred2 and tql2 (Wilkinson and Reinsch 1971, "Linear Algebra"). */
#ifndef TL_STUDY_EIGEN_H
#define TL_STUDY_EIGEN_H
#include "core/core.h"

/* a [n n], symmetric, becomes its eigenvectors, one a column (a[i n + k]: entry i of the k-th);
 * value [n], in no order.  About 5 n^3 operations.  TL_ENAN where 60 iterations are not enough. */
tl_status tl_eigen(tl_ctx *ctx, int64_t n, double *a, double *value);
#endif
