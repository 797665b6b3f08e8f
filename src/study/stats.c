/* stats.c -- distributions, intervals and metrics: the arithmetic under the verdict.
 * Sources: the continued fraction of the incomplete beta function, DLMF 8.17.22, by
 * Lentz's method; Wilson 1927; scikit-learn's accuracy_score and f1_score(average="macro",
 * zero_division=0), roc_auc_score. Floor 4, study. */
#include "study/stats.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Terms d_m of the fraction 1/(1+ d1/(1+ d2/(1+ ...: DLMF 8.17.23. */
static double beta_term(int m, double a, double b, double x)
{
    const double h = m / 2;

    if (m % 2 == 0) return h * (b - h) * x / ((a + 2 * h - 1) * (a + 2 * h));
    return -(a + h) * (a + b + h) * x / ((a + 2 * h) * (a + 2 * h + 1));
}

/* I_x(a, b) where the fraction converges fast: x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    const double front =
        exp(a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b));
    double f = 1.0, c = 1.0, d = 0.0;

    for (int m = 0; m < 500; m++) {
        const double term = m == 0 ? 1.0 : beta_term(m, a, b, x);

        d = 1.0 + term * d;
        if (fabs(d) < tiny) d = tiny;
        d = 1.0 / d;
        c = 1.0 + term / c;
        if (fabs(c) < tiny) c = tiny;
        f *= c * d;
        if (m > 0 && fabs(c * d - 1.0) < 1e-15) break;
    }
    return front * (f - 1.0) / a;
}

/* `rest` is 1 - x, given apart so that it keeps its digits near 0. */
static double beta_incomplete(double a, double b, double x, double rest)
{
    if (x <= 0.0) return 0.0;
    if (rest <= 0.0) return 1.0;
    if (x < (a + 1.0) / (a + b + 2.0)) return beta_fraction(a, b, x);
    return 1.0 - beta_fraction(b, a, rest);
}

double tl_student_cdf(double t, double df)
{
    if (isnan(t) || isnan(df) || df <= 0.0) return NAN;
    if (isinf(t)) return t > 0.0 ? 1.0 : 0.0;
    if (isinf(df) || df > 1e7) return tl_normal_cdf(t);
    const double all  = df + t * t;
    const double tail = 0.5 * beta_incomplete(0.5 * df, 0.5, df / all, t * t / all);
    return t > 0.0 ? 1.0 - tail : tail;
}

/* Bisection on the lower half, where the CDF keeps its relative accuracy. */
double tl_student_quantile(double p, double df)
{
    double low = -1.0, high = 0.0;

    if (!(p > 0.0 && p < 1.0) || !(df > 0.0)) return NAN;
    if (isinf(df) || df > 1e7) return tl_normal_quantile(p);
    if (p > 0.5) return -tl_student_quantile(1.0 - p, df);
    if (p == 0.5) return 0.0;
    while (tl_student_cdf(low, df) > p && low > -1e300) low *= 2.0;
    for (int i = 0; i < 200 && high - low > 4.0 * DBL_EPSILON * fabs(low); i++) {
        const double middle = 0.5 * (low + high);

        if (tl_student_cdf(middle, df) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

tl_interval tl_wilson(double successes, double n, double confidence)
{
    if (!(n > 0.0)) return (tl_interval){ NAN, NAN, NAN };
    const double z = tl_normal_quantile(0.5 + 0.5 * confidence), p = successes / n;
    const double middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    const double half =
        z / (1.0 + z * z / n) * sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n));
    return (tl_interval){ p, fmax(0.0, middle - half), fmin(1.0, middle + half) };
}

tl_interval tl_mean_t(const double *x, int n, double confidence)
{
    double sum = 0.0, squares = 0.0;

    if (n < 1) return (tl_interval){ NAN, NAN, NAN };
    for (int i = 0; i < n; i++) sum += x[i];
    const double mean = sum / n;
    if (n < 2) return (tl_interval){ mean, NAN, NAN };
    for (int i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    const double half =
        tl_student_quantile(0.5 + 0.5 * confidence, n - 1) * sqrt(squares / (n - 1) / n);
    return (tl_interval){ mean, mean - half, mean + half };
}

double tl_accuracy(const int32_t *label, const int32_t *predicted, int64_t rows)
{
    int64_t right = 0;

    for (int64_t i = 0; i < rows; i++) right += label[i] == predicted[i];
    return rows > 0 ? (double)right / (double)rows : NAN;
}

double tl_discordance(const int32_t *label, const int32_t *a, const int32_t *b,
                      int64_t rows)
{
    int64_t apart = 0;

    for (int64_t i = 0; i < rows; i++) apart += (a[i] == label[i]) != (b[i] == label[i]);
    return rows > 0 ? (double)apart / (double)rows : NAN;
}

/* Per class: hits, and how often it is the label or the prediction. O(rows * classes)
 * keeps this free of memory that could fail; classes are few. */
double tl_macro_f1(const int32_t *label, const int32_t *predicted, int64_t rows,
                   int32_t classes)
{
    double  sum     = 0.0;
    int32_t present = 0;

    for (int32_t c = 0; c < classes; c++) {
        int64_t hits = 0, named = 0;

        for (int64_t i = 0; i < rows; i++) {
            hits += label[i] == c && predicted[i] == c;
            named += (label[i] == c) + (predicted[i] == c);
        }
        if (named == 0) continue;
        sum += 2.0 * (double)hits / (double)named;
        present++;
    }
    return present > 0 ? sum / present : NAN;
}

typedef struct {
    float score;
    bool  yes;
} scored;

static int by_score(const void *a, const void *b)
{
    const scored *x = a, *y = b;

    return (x->score > y->score) - (x->score < y->score);
}

/* Pairs of a yes above a no, where equal scores count a half. */
static double pairs_won(const scored *s, int64_t rows)
{
    double won = 0.0, below = 0.0;

    for (int64_t i = 0, end; i < rows; i = end) {
        double yes = 0.0, no = 0.0;
        for (end = i; end < rows && s[end].score == s[i].score; end++) {
            yes += s[end].yes;
            no += !s[end].yes;
        }
        won += yes * (below + 0.5 * no);
        below += no;
    }
    return won;
}

/* Of an area `a` of so many pairs. */
static double auc_error(double a, double yes, double no)
{
    const double q1 = a / (2.0 - a), q2 = 2.0 * a * a / (1.0 + a);
    const double variance =
        (a * (1.0 - a) + (yes - 1.0) * (q1 - a * a) + (no - 1.0) * (q2 - a * a)) / (yes * no);

    return sqrt(fmax(0.0, variance));
}

/* Where, between `at` and `end`, an area would lie 1.96 of its own errors from `at`. */
static double auc_bound(double at, double end, double yes, double no)
{
    double near = at, far = end;

    for (int i = 0; i < 60; i++) {
        const double mid = 0.5 * (near + far);
        if (fabs(at - mid) <= 1.959963984540054 * auc_error(mid, yes, no)) near = mid;
        else far = mid;
    }
    return 0.5 * (near + far);
}

tl_status tl_roc_auc(tl_ctx *ctx, const float *score, const int32_t *label, int64_t rows,
                     tl_interval *out)
{
    scored   *s   = NULL;
    double    yes = 0.0;
    tl_status rc;

    *out = (tl_interval){ NAN, NAN, NAN };
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *s, &s));
    for (int64_t i = 0; i < rows; i++) {
        s[i] = (scored){ score[i], label[i] == 1 };
        yes += s[i].yes;
    }
    const double no = (double)rows - yes;
    if (yes < 1.0 || no < 1.0) goto done;
    qsort(s, (size_t)rows, sizeof *s, by_score);
    const double a = pairs_won(s, rows) / (yes * no);
    *out = (tl_interval){ a, auc_bound(a, 0.0, yes, no), auc_bound(a, 1.0, yes, no) };
done:
    tl_free(ctx, s);
    return rc;
}
