/* transfer.c -- nearest neighbours, H-score, LogME and a cross-validated head on the features of
 * a base.  Floor 4, study. */
#include "study/transfer.h"
#include "core/par.h"
#include "study/eigen.h"
#include "train/linear.h"

#include <math.h>
#include <string.h>

static const double PENALTY = 0.01; /* of a head on standardised features */
enum { NEIGHBOURS_MOST = 32, HEAD_ITERATIONS = 300, EVIDENCE_ITERATIONS = 1000 };

/* Nearest neighbours --------------------------------------------------------------------- */

typedef struct {
    const tl_features *f;
    double            *size; /* [rows] 1 / |x|; 0 of nothing */
    int                neighbours;
    uint8_t           *right;
} search;

static double closeness(const search *s, int64_t a, int64_t b)
{
    const float *x = s->f->x + a * s->f->width, *y = s->f->x + b * s->f->width;
    double       sum = 0.0;

    for (int64_t k = 0; k < s->f->width; k++) sum += (double)(x[k] * y[k]);
    return sum * s->size[a] * s->size[b];
}

/* Sorted from the nearest on; equally near ones by their row. */
static int find_near(const search *s, int64_t row, int32_t *label)
{
    double near[NEIGHBOURS_MOST];
    int    n = 0;

    for (int64_t other = 0; other < s->f->rows; other++) {
        if (other == row) continue;
        const double c = closeness(s, row, other);
        if (n == s->neighbours && c <= near[n - 1]) continue;
        int at = n < s->neighbours ? n++ : n - 1;
        for (; at > 0 && near[at - 1] < c; at--) {
            near[at]  = near[at - 1];
            label[at] = label[at - 1];
        }
        near[at]  = c;
        label[at] = s->f->label[other];
    }
    return n;
}

static void vote(void *arg, int64_t low, int64_t high)
{
    const search *s = arg;

    for (int64_t row = low; row < high; row++) {
        int32_t   label[NEIGHBOURS_MOST], best = -1;
        int       most = 0;
        const int n    = find_near(s, row, label);
        for (int i = 0; i < n; i++) {
            int votes = 0;
            for (int k = 0; k < n; k++) votes += label[k] == label[i];
            if (votes > most) most = votes, best = label[i];
        }
        s->right[row] = best == s->f->label[row];
    }
}

tl_status tl_transfer_knn(tl_ctx *ctx, const tl_features *f, int neighbours, uint8_t *right)
{
    search    s = { .f = f, .neighbours = TL_MIN(neighbours, (int)NEIGHBOURS_MOST),
                    .right = right };
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)f->rows, sizeof *s.size, &s.size));
    for (int64_t r = 0; r < f->rows; r++) {
        double sum = 0.0;
        for (int64_t k = 0; k < f->width; k++) {
            const double x = (double)f->x[r * f->width + k];
            sum += x * x;
        }
        s.size[r] = sum > 0.0 ? 1.0 / sqrt(sum) : 0.0;
    }
    tl_par_for(ctx->world->threads, f->rows, 8, vote, &s);
done:
    tl_free(ctx, s.size);
    return rc;
}

/* H-score -------------------------------------------------------------------------------- */

typedef struct {
    const tl_features *f;
    double            *centred; /* [rows width] */
    double            *cov;     /* [width width], its lower triangle */
} moments;

static tl_status centre(tl_ctx *ctx, const tl_features *f, double **out)
{
    const int64_t d = f->width;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)(f->rows * d), sizeof **out, out));
    for (int64_t k = 0; k < d; k++) {
        double mean = 0.0;
        for (int64_t r = 0; r < f->rows; r++) mean += (double)f->x[r * d + k];
        mean /= (double)f->rows;
        for (int64_t r = 0; r < f->rows; r++)
            (*out)[r * d + k] = (double)f->x[r * d + k] - mean;
    }
done:
    return rc;
}

/* Rows low .. high of the covariance, in the order of the data's rows on any thread count. */
static void covary(void *arg, int64_t low, int64_t high)
{
    const moments *m = arg;
    const int64_t  d = m->f->width;

    for (int64_t r = 0; r < m->f->rows; r++) {
        const double *x = m->centred + r * d;
        for (int64_t i = low; i < high; i++)
            for (int64_t j = 0; j <= i; j++) m->cov[i * d + j] += x[i] * x[j];
    }
    for (int64_t i = low; i < high; i++)
        for (int64_t j = 0; j <= i; j++) m->cov[i * d + j] /= (double)m->f->rows;
}

/* The share by which Ledoit and Wolf 2004 draw the covariance toward a multiple of one. */
static double shrinkage(const moments *m, double *mu)
{
    const int64_t d = m->f->width, n = m->f->rows;
    double        trace = 0.0, square = 0.0, fourth = 0.0;

    for (int64_t i = 0; i < d; i++) {
        trace += m->cov[i * d + i];
        square += m->cov[i * d + i] * m->cov[i * d + i];
        for (int64_t j = 0; j < i; j++) square += 2.0 * m->cov[i * d + j] * m->cov[i * d + j];
    }
    for (int64_t r = 0; r < n; r++) {
        double size = 0.0;
        for (int64_t k = 0; k < d; k++) size += m->centred[r * d + k] * m->centred[r * d + k];
        fourth += size * size;
    }
    *mu                = trace / (double)d;
    const double apart = square - trace * trace / (double)d;
    const double noise = (fourth / (double)n - square) / (double)n;
    return apart > 0.0 ? fmin(1.0, fmax(0.0, noise / apart)) : 1.0;
}

/* The lower triangle becomes its Cholesky factor; false where it has none. */
static bool factor(double *a, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = a[i * n + j];
            for (int64_t k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
            if (i != j) a[i * n + j] = sum / a[j * n + j];
            else if (sum > 0.0) a[i * n + i] = sqrt(sum);
            else return false;
        }
    return true;
}

/* x^T A^-1 x by the factor of A; x is spent. */
static double inverse_form(const double *l, int64_t n, double *x)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < i; k++) x[i] -= l[i * n + k] * x[k];
        x[i] /= l[i * n + i];
        sum += x[i] * x[i];
    }
    return sum;
}

static void class_mean(const moments *m, int32_t class, double *mean, int64_t *rows)
{
    const int64_t d = m->f->width;

    *rows = 0;
    memset(mean, 0, (size_t)d * sizeof *mean);
    for (int64_t r = 0; r < m->f->rows; r++) {
        if (m->f->label[r] != class) continue;
        for (int64_t k = 0; k < d; k++) mean[k] += m->centred[r * d + k];
        ++*rows;
    }
    for (int64_t k = 0; k < d && *rows > 0; k++) mean[k] /= (double)*rows;
}

tl_status tl_transfer_hscore(tl_ctx *ctx, const tl_features *f, double *out)
{
    const int64_t d = f->width;
    moments       m = { .f = f };
    double       *mean = NULL, mu;
    int64_t       rows;
    tl_status     rc;

    *out = 0.0;
    TL_TRY(centre(ctx, f, &m.centred));
    TL_TRY(tl_alloc_array(ctx, (size_t)(d * d), sizeof *m.cov, &m.cov));
    TL_TRY(tl_alloc_array(ctx, (size_t)d, sizeof *mean, &mean));
    tl_par_for(ctx->world->threads, d, 32, covary, &m);
    const double share = shrinkage(&m, &mu);
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j <= i; j++)
            m.cov[i * d + j] = (1.0 - share) * m.cov[i * d + j] +
                               (i == j ? share * mu + 1e-12 * mu : 0.0);
    if (!(mu > 0.0) || !factor(m.cov, d)) TL_FAIL(TL_ENAN, "H-score", "the features are all alike");
    for (int32_t c = 0; c < f->classes; c++) {
        class_mean(&m, c, mean, &rows);
        *out += (1.0 - share) * (double)rows / (double)f->rows *
                inverse_form(m.cov, d, mean);
    }
done:
    tl_free(ctx, m.centred);
    tl_free(ctx, m.cov);
    tl_free(ctx, mean);
    return rc;
}

/* LogME ---------------------------------------------------------------------------------- */

/* F's squared singular values and its left singular vectors (a [rows rows], one a column). */
static tl_status decompose(tl_ctx *ctx, const tl_features *f, double **a, double **value)
{
    const int64_t n = f->rows, d = f->width;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)(n * n), sizeof **a, a));
    TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof **value, value));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = 0.0;
            for (int64_t k = 0; k < d; k++)
                sum += (double)f->x[i * d + k] * (double)f->x[j * d + k];
            (*a)[i * n + j] = (*a)[j * n + i] = sum;
        }
    TL_TRY(tl_eigen(ctx, n, *a, *value));
    for (int64_t i = 0; i < n; i++) (*value)[i] = fmax(0.0, (*value)[i]);
done:
    return rc;
}

/* The evidence of one class's 0 and 1, a row: alpha and beta by their fixed point.
 * z2 [rows]: squares of its projections on the singular vectors. */
static double evidence(const double *s2, const double *z2, int64_t n, int64_t width)
{
    double t = 1.0, alpha = 1.0, beta = 1.0, gamma, m2, rest;

    for (int i = 0; i < EVIDENCE_ITERATIONS; i++) {
        gamma = m2 = rest = 0.0;
        for (int64_t k = 0; k < n; k++) {
            gamma += s2[k] / (t + s2[k]);
            m2 += s2[k] * z2[k] / ((t + s2[k]) * (t + s2[k]));
            rest += z2[k] / ((1.0 + s2[k] / t) * (1.0 + s2[k] / t));
        }
        alpha            = gamma / fmax(m2, 1e-30);
        rest             = fmax(rest, 1e-10 * (double)n); /* classes fitted without rest */
        beta             = fmax((double)n - gamma, 1e-6) / rest;
        const double now = alpha / beta;
        if (fabs(now - t) <= 1e-10 * t) break;
        t = now;
    }
    double sum = 0.5 * (double)width * log(alpha) + 0.5 * (double)n * log(beta) -
                 0.5 * beta * rest - 0.5 * alpha * m2 - 0.5 * (double)n * log(2.0 * M_PI);
    /* Directions that the rows do not reach have alpha alone. */
    double  most = 0.0;
    int64_t rank = 0;
    for (int64_t k = 0; k < n; k++) most = fmax(most, s2[k]);
    for (int64_t k = 0; k < n; k++) {
        if (!(s2[k] > 1e-10 * most) || rank == width) continue;
        sum -= 0.5 * log(alpha + beta * s2[k]);
        rank++;
    }
    return (sum - 0.5 * (double)(width - rank) * log(alpha)) / (double)n;
}

tl_status tl_transfer_logme(tl_ctx *ctx, const tl_features *f, double *out)
{
    const int64_t n = f->rows;
    double       *a = NULL, *value = NULL, *z2 = NULL;
    tl_status     rc;

    *out = 0.0;
    TL_TRY(decompose(ctx, f, &a, &value));
    TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *z2, &z2));
    for (int32_t c = 0; c < f->classes; c++) {
        memset(z2, 0, (size_t)n * sizeof *z2);
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; f->label[i] == c && k < n; k++) z2[k] += a[i * n + k];
        for (int64_t k = 0; k < n; k++) z2[k] *= z2[k];
        *out += evidence(value, z2, n, f->width) / (double)f->classes;
    }
done:
    tl_free(ctx, a);
    tl_free(ctx, value);
    tl_free(ctx, z2);
    return rc;
}

/* A head out of fold ---------------------------------------------------------------------- */

/* Who is out, who learns, and what comes of it. */
typedef struct {
    const tl_features *f;
    const int8_t      *fold;
    const uint8_t     *skip;
    int                out;
    float             *probability;
} turn;

static bool is_told(const turn *t, int64_t r)
{
    return t->fold[r] == t->out;
}

static bool is_seen(const turn *t, int64_t r)
{
    return t->fold[r] != t->out && !(t->skip && t->skip[r]);
}

static void fill(const turn *t, bool (*which)(const turn *t, int64_t r), tl_table *out)
{
    int64_t at = 0;

    for (int64_t r = 0; r < t->f->rows; r++) {
        if (!which(t, r)) continue;
        memcpy(out->x + at * t->f->width, t->f->x + r * t->f->width,
               (size_t)t->f->width * sizeof *out->x);
        out->label[at++] = t->f->label[r];
    }
}

static void tell(const turn *t, const tl_table *table, const double *w)
{
    const tl_features *f  = t->f;
    int64_t            at = 0;

    for (int64_t r = 0; r < f->rows; r++) {
        if (!is_told(t, r)) continue;
        const float *x    = table->x + at++ * f->width;
        float       *p    = t->probability + r * f->classes;
        double       most = -INFINITY, all = 0.0;
        for (int32_t c = 0; c < f->classes; c++) {
            double sum = w[f->classes * f->width + c];
            for (int64_t k = 0; k < f->width; k++) sum += w[c * f->width + k] * (double)x[k];
            p[c] = (float)sum;
            most = fmax(most, sum);
        }
        for (int32_t c = 0; c < f->classes; c++) all += exp((double)p[c] - most);
        for (int32_t c = 0; c < f->classes; c++) p[c] = (float)(exp((double)p[c] - most) / all);
    }
}

static tl_status probe_fold(tl_ctx *ctx, const turn *t, const tl_backend *backend, tl_slab *slab)
{
    const tl_linear_settings settings = { .l2 = PENALTY, .tolerance = 1e-4,
                                          .most_iterations = HEAD_ITERATIONS };
    const tl_features *f = t->f;
    tl_table        train = { 0 }, test = { 0 };
    tl_linear      *linear = NULL;
    tl_lbfgs_result r;
    double         *mean = NULL, *scale = NULL, *w = NULL;
    int64_t         told = 0, seen = 0;
    tl_status       rc;

    for (int64_t i = 0; i < f->rows; i++) {
        told += is_told(t, i);
        seen += is_seen(t, i);
    }
    const int64_t piece = tl_linear_piece(seen);
    TL_TRY(tl_table_new(ctx, seen, f->width, piece, &train));
    TL_TRY(tl_table_new(ctx, told, f->width, piece, &test));
    TL_TRY(tl_alloc_array(ctx, (size_t)f->width, sizeof *mean, &mean));
    TL_TRY(tl_alloc_array(ctx, (size_t)f->width, sizeof *scale, &scale));
    TL_TRY(tl_alloc_array(ctx, (size_t)(f->classes * (f->width + 1)), sizeof *w, &w));
    fill(t, is_seen, &train);
    fill(t, is_told, &test);
    tl_table_moments(&train, mean, scale);
    tl_table_standardise(&train, mean, scale, ctx->world->threads);
    tl_table_standardise(&test, mean, scale, ctx->world->threads);
    TL_TRY(tl_linear_new(ctx, backend, slab, piece, f->width, f->classes, NULL, NULL,
                         &linear));
    TL_TRY(tl_linear_fit(ctx, linear, &train, &settings, w, &r));
    tell(t, &test, w);
done:
    tl_linear_free(ctx, linear);
    tl_table_free(ctx, &train);
    tl_table_free(ctx, &test);
    tl_free(ctx, mean);
    tl_free(ctx, scale);
    tl_free(ctx, w);
    return rc;
}

tl_status tl_transfer_probabilities(tl_ctx *ctx, const tl_features *f, const int8_t *fold,
                                    int folds, const uint8_t *skip, const tl_backend *backend,
                                    tl_slab *slab, float *probability)
{
    tl_status rc = TL_OK;

    for (int i = 0; i < folds; i++) {
        const turn t = { f, fold, skip, i, probability };
        TL_TRY(probe_fold(ctx, &t, backend, slab));
    }
done:
    return rc;
}

tl_status tl_transfer_probe(tl_ctx *ctx, const tl_features *f, const int8_t *fold, int folds,
                            const tl_backend *backend, tl_slab *slab, uint8_t *right)
{
    float    *p = NULL;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)(f->rows * f->classes), sizeof *p, &p));
    TL_TRY(tl_transfer_probabilities(ctx, f, fold, folds, NULL, backend, slab, p));
    for (int64_t r = 0; r < f->rows; r++) {
        const float *own = p + r * f->classes;
        int32_t      top = 0;
        for (int32_t c = 1; c < f->classes; c++)
            if (own[c] > own[top]) top = c;
        right[r] = top == f->label[r];
    }
done:
    tl_free(ctx, p);
    return rc;
}
