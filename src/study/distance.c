/* distance.c -- see distance.h: two lots of features.  Sums in order, so the same bits on any
 * number of threads.  Floor 4, study. */
#include "study/distance.h"
#include "core/rand.h"
#include "study/eigen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double square_distance(const float *a, const float *b, int64_t width)
{
    double sum = 0.0;

    for (int64_t i = 0; i < width; i++) {
        const double d = (double)a[i] - (double)b[i];
        sum += d * d;
    }
    return sum;
}

/* k [all all]: exp(-d^2 / (2 s^2)), s^2 the median of d^2 between different rows. */
static tl_status fill_kernel(tl_ctx *ctx, const float *a, int64_t n, const float *b, int64_t m,
                             int64_t width, double *k)
{
    const int64_t all  = n + m;
    double       *pair = NULL;
    int64_t       pairs = 0;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)(all * (all - 1) / 2), sizeof *pair, &pair));
    for (int64_t i = 0; i < all; i++)
        for (int64_t j = 0; j < i; j++) {
            const double d = square_distance(i < n ? a + i * width : b + (i - n) * width,
                                             j < n ? a + j * width : b + (j - n) * width, width);
            k[i * all + j] = k[j * all + i] = pair[pairs++] = d;
        }
    qsort(pair, (size_t)pairs, sizeof *pair, by_value);
    const double middle = pairs % 2 ? pair[pairs / 2]
                                    : 0.5 * (pair[pairs / 2 - 1] + pair[pairs / 2]);
    for (int64_t i = 0; i < all * all; i++) k[i] = middle > 0.0 ? exp(-0.5 * k[i] / middle) : 1.0;
done:
    tl_free(ctx, pair);
    return rc;
}

/* The first n of `order` against the others. */
static double mmd2_of(const double *k, const int64_t *order, int64_t n, int64_t m)
{
    const int64_t all = n + m;
    double        within_a = 0.0, within_b = 0.0, between = 0.0;

    for (int64_t i = 0; i < all; i++)
        for (int64_t j = 0; j < i; j++) {
            const double v = k[order[i] * all + order[j]];
            if (i < n) within_a += v;
            else if (j >= n) within_b += v;
            else between += v;
        }
    const double x = (double)n, y = (double)m;
    return 2.0 * within_a / (x * (x - 1.0)) + 2.0 * within_b / (y * (y - 1.0)) -
           2.0 * between / (x * y);
}

tl_status tl_distance_mmd(tl_ctx *ctx, const float *a, int64_t n, const float *b, int64_t m,
                          int64_t width, int draws, uint64_t seed, tl_mmd *out)
{
    const int64_t all   = n + m;
    double       *k     = NULL;
    int64_t      *order = NULL;
    int           as_far = 1;
    tl_status     rc;

    *out = (tl_mmd){ 0 };
    TL_TRY(tl_alloc_array(ctx, (size_t)(all * all), sizeof *k, &k));
    TL_TRY(tl_alloc_array(ctx, (size_t)all, sizeof *order, &order));
    TL_TRY(fill_kernel(ctx, a, n, b, m, width, k));
    for (int64_t i = 0; i < all; i++) order[i] = i;
    out->mmd2 = mmd2_of(k, order, n, m);
    for (int d = 0; d < draws; d++) {
        tl_rand_shuffle(seed, TL_STREAM(TL_STREAM_BOOTSTRAP, 300 + d), order, all);
        as_far += mmd2_of(k, order, n, m) >= out->mmd2;
    }
    out->p = (double)as_far / (double)(draws + 1);
done:
    tl_free(ctx, k);
    tl_free(ctx, order);
    return rc;
}

/* x less its mean (mean[width] set), divided by sqrt(rows - 1): x'x is the covariance. */
static void centre(const float *x, int64_t rows, int64_t width, double *mean, double *out)
{
    const double scale = 1.0 / sqrt((double)rows - 1.0);

    memset(mean, 0, (size_t)width * sizeof *mean);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < width; c++)
            mean[c] += (double)x[i * width + c] / (double)rows;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < width; c++)
            out[i * width + c] = ((double)x[i * width + c] - mean[c]) * scale;
}

/* tr((A B)^1/2) of A = x'x, B = y'y is the sum of the singular values of x y' [n m], which are the
 * roots of the eigenvalues of (x y')(x y')'. */
static tl_status root_trace(tl_ctx *ctx, const double *x, int64_t n, const double *y, int64_t m,
                            int64_t width, double *out)
{
    double   *xy = NULL, *gram = NULL, *value = NULL;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)(n * m), sizeof *xy, &xy));
    TL_TRY(tl_alloc_array(ctx, (size_t)(n * n), sizeof *gram, &gram));
    TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *value, &value));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++)
            for (int64_t c = 0; c < width; c++)
                xy[i * m + j] += x[i * width + c] * y[j * width + c];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = 0.0;
            for (int64_t c = 0; c < m; c++) sum += xy[i * m + c] * xy[j * m + c];
            gram[i * n + j] = gram[j * n + i] = sum;
        }
    TL_TRY(tl_eigen(ctx, n, gram, value));
    *out = 0.0;
    for (int64_t i = 0; i < n; i++) *out += sqrt(fmax(value[i], 0.0));
done:
    tl_free(ctx, xy);
    tl_free(ctx, gram);
    tl_free(ctx, value);
    return rc;
}

tl_status tl_distance_frechet(tl_ctx *ctx, const float *a, int64_t n, const float *b, int64_t m,
                              int64_t width, double *out)
{
    double   *x = NULL, *y = NULL, *mean = NULL, sum = 0.0, root = 0.0;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)(n * width), sizeof *x, &x));
    TL_TRY(tl_alloc_array(ctx, (size_t)(m * width), sizeof *y, &y));
    TL_TRY(tl_alloc_array(ctx, (size_t)(2 * width), sizeof *mean, &mean));
    centre(a, n, width, mean, x);
    centre(b, m, width, mean + width, y);
    for (int64_t i = 0; i < n * width; i++) sum += x[i] * x[i];
    for (int64_t i = 0; i < m * width; i++) sum += y[i] * y[i];
    for (int64_t c = 0; c < width; c++)
        sum += (mean[c] - mean[width + c]) * (mean[c] - mean[width + c]);
    TL_TRY(root_trace(ctx, x, n, y, m, width, &root));
    *out = fmax(sum - 2.0 * root, 0.0);
done:
    tl_free(ctx, x);
    tl_free(ctx, y);
    tl_free(ctx, mean);
    return rc;
}
