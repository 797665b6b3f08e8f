/* measure_marks.c -- scores of several labels and of ranks, with bootstrap intervals over rows.
 * Floor 4.5, api.  Sources: Efron 1979; scikit-learn's f1_score, average_precision_score and
 * cohen_kappa_score(weights="quadratic"). */
#include "api/handles.h"
#include "core/rand.h"
#include "study/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLES = 1000, SCORES = 2 };

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Row i of draw b; draw -1 takes all rows as they are. */
static int64_t drawn(const tl_answers *a, int b, int64_t i)
{
    if (b < 0) return i;
    return (int64_t)tl_rand_below(1, TL_STREAM(TL_STREAM_BOOTSTRAP, (uint64_t)b), (uint64_t)i,
                                  (uint64_t)a->rows);
}

/* [0] micro-F1, [1] macro-F1 over all labels; count is room for two a label. */
static void f1_of_labels(const tl_answers *a, int b, double *count, double out[SCORES])
{
    double *hit = count, *both = count + a->classes, hits = 0.0, all = 0.0;

    memset(count, 0, 2 * (size_t)a->classes * sizeof *count);
    for (int64_t i = 0; i < a->rows; i++) {
        const int64_t at = drawn(a, b, i) * a->classes;
        for (int64_t c = 0; c < a->classes; c++) {
            hit[c] += 2.0 * (a->has[at + c] && a->says[at + c]);
            both[c] += a->has[at + c] + a->says[at + c];
        }
    }
    out[1] = 0.0;
    for (int64_t c = 0; c < a->classes; c++) {
        if (both[c] > 0.0) out[1] += hit[c] / both[c] / (double)a->classes;
        hits += hit[c];
        all += both[c];
    }
    out[0] = all > 0.0 ? hits / all : 0.0;
}

/* [0] quadratic kappa, [1] mean distance in ranks. */
static void distance_of_ranks(const tl_answers *a, int b, double *count, double out[SCORES])
{
    const double n = (double)a->rows;
    double       p = 0.0, pp = 0.0, l = 0.0, ll = 0.0, square = 0.0;

    (void)count;
    out[1] = 0.0;
    for (int64_t i = 0; i < a->rows; i++) {
        const int64_t k = drawn(a, b, i);
        const double  x = (double)a->predicted[k], y = (double)a->label[k];
        p += x / n;
        pp += x * x / n;
        l += y / n;
        ll += y * y / n;
        square += (x - y) * (x - y) / n;
        out[1] += fabs(x - y) / n;
    }
    const double apart = pp + ll - 2.0 * p * l;
    out[0] = apart > 0.0 ? 1.0 - square / apart : (double)NAN;
}

typedef void (*scoring)(const tl_answers *a, int b, double *count, double out[SCORES]);

/* Values on all rows, and the middle 95 % of resamples: low[k], high[k]. */
static tl_status resample(tl_ctx *ctx, const tl_answers *a, scoring score, double value[SCORES],
                          double low[SCORES], double high[SCORES])
{
    double   *count = NULL, *all = NULL, one[SCORES];
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, 2 * (size_t)a->classes, sizeof *count, &count));
    TL_TRY(tl_alloc_array(ctx, SCORES * RESAMPLES, sizeof *all, &all));
    score(a, -1, count, value);
    for (int b = 0; b < RESAMPLES; b++) {
        score(a, b, count, one);
        for (int k = 0; k < SCORES; k++)
            all[k * RESAMPLES + b] = isnan(one[k]) ? value[k] : one[k];
    }
    for (int k = 0; k < SCORES; k++) {
        qsort(all + k * RESAMPLES, RESAMPLES, sizeof *all, compare_doubles);
        low[k]  = all[k * RESAMPLES + RESAMPLES / 40];
        high[k] = all[k * RESAMPLES + RESAMPLES - 1 - RESAMPLES / 40];
    }
done:
    tl_free(ctx, count);
    tl_free(ctx, all);
    return rc;
}

/* Over the labels that some row has; its interval by the spread over labels. */
static tl_status measure_map(tl_ctx *ctx, const tl_answers *a, tailor_metrics *out)
{
    double     *ap = NULL;
    int         n  = 0;
    tl_interval mean;
    tl_status   rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)a->classes, sizeof *ap, &ap));
    for (int64_t c = 0; c < a->classes; c++) {
        double one;
        TL_TRY(tl_average_precision(ctx, a->probability + c, a->has + c, a->classes, a->rows,
                                    &one));
        if (isfinite(one)) ap[n++] = one;
    }
    mean          = tl_mean_t(ap, n, 0.95);
    out->map      = mean.mean;
    out->map_low  = fmax(0.0, mean.low);
    out->map_high = fmin(1.0, mean.high);
done:
    tl_free(ctx, ap);
    return rc;
}

tl_status tl_measure_labels(tl_ctx *ctx, const tl_answers *a, tailor_metrics *out)
{
    double    value[SCORES], low[SCORES], high[SCORES];
    tl_status rc;

    TL_TRY(resample(ctx, a, f1_of_labels, value, low, high));
    out->micro_f1      = value[0];
    out->micro_f1_low  = low[0];
    out->micro_f1_high = high[0];
    out->macro_f1      = value[1];
    out->macro_f1_low  = low[1];
    out->macro_f1_high = high[1];
    rc                 = measure_map(ctx, a, out);
done:
    return rc;
}

tl_status tl_measure_ranks(tl_ctx *ctx, const tl_answers *a, tailor_metrics *out)
{
    double    value[SCORES], low[SCORES], high[SCORES];
    tl_status rc;

    TL_TRY(resample(ctx, a, distance_of_ranks, value, low, high));
    out->qwk      = value[0];
    out->qwk_low  = low[0];
    out->qwk_high = high[0];
    out->mae      = value[1];
    out->mae_low  = low[1];
    out->mae_high = high[1];
done:
    return rc;
}
