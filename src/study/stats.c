/* stats.c -- distributions, intervals and metrics: the arithmetic under the verdict.
 * Sources: the continued fraction of the incomplete beta function, DLMF 8.17.22, by
 * Lentz's method; Acklam's rational approximation of the normal quantile, refined once
 * by Halley; Wilson 1927; scikit-learn's accuracy_score and f1_score(average="macro",
 * zero_division=0). Floor 4, study. */
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

static double normal_cdf(double z)
{
    return 0.5 * erfc(-z * 0.70710678118654752440);
}

double tl_student_cdf(double t, double df)
{
    if (isnan(t) || isnan(df) || df <= 0.0) return NAN;
    if (isinf(t)) return t > 0.0 ? 1.0 : 0.0;
    if (isinf(df) || df > 1e7) return normal_cdf(t);
    const double all  = df + t * t;
    const double tail = 0.5 * beta_incomplete(0.5 * df, 0.5, df / all, t * t / all);
    return t > 0.0 ? 1.0 - tail : tail;
}

/* Acklam's coefficients: relative error below 1.2e-9 before the refinement. */
static double normal_rough(double p)
{
    static const double a[] = { -3.969683028665376e+01, 2.209460984245205e+02,
                                -2.759285104469687e+02, 1.383577518672690e+02,
                                -3.066479806614716e+01, 2.506628277459239e+00 };
    static const double b[] = { -5.447609879822406e+01, 1.615858368580409e+02,
                                -1.556989798598866e+02, 6.680131188771972e+01,
                                -1.328068155288572e+01 };
    static const double c[] = { -7.784894002430293e-03, -3.223964580411365e-01,
                                -2.400758277161838e+00, -2.549732539343734e+00,
                                4.374664141464968e+00,  2.938163982698783e+00 };
    static const double d[] = { 7.784695709041462e-03, 3.224671290700398e-01,
                                2.445134137142996e+00, 3.754408661907416e+00 };

    if (p < 0.02425 || p > 1.0 - 0.02425) {
        const double q = sqrt(-2.0 * log(p < 0.5 ? p : 1.0 - p));
        const double z =
            (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
            ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1.0);
        return p < 0.5 ? z : -z;
    }
    const double q = p - 0.5, r = q * q;
    return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
           (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1.0);
}

double tl_normal_quantile(double p)
{
    if (!(p > 0.0 && p < 1.0)) return p == 0.0 ? -INFINITY : p == 1.0 ? INFINITY : NAN;
    if (p > 0.5) return -tl_normal_quantile(1.0 - p); /* 1 - p is exact up here */
    const double z = normal_rough(p), sqrt_tau = 2.50662827463100050242;
    const double u = (normal_cdf(z) - p) * sqrt_tau * exp(0.5 * z * z);
    return z - u / (1.0 + 0.5 * z * u);
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
