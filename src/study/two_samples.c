/* two_samples.c -- see two_samples.h.  Floor 4, study. */
#include "study/two_samples.h"

#include <math.h>
#include <stdlib.h>

static const double LEAST_EXPECTED = 5.0, TINY = 1e-300;

double tl_kolmogorov_tail(double x)
{
    double sum = 0.0, term, sign = 1.0;

    if (!(x > 0.0)) return 1.0;
    if (x < 1.0) { /* the other of the two series: few terms here */
        const double u = M_PI * M_PI / (8.0 * x * x);
        for (int k = 1; k <= 21; k += 2) sum += exp(-u * k * k);
        return 1.0 - sqrt(2.0 * M_PI) / x * sum;
    }
    for (int k = 1; k <= 100; k++, sign = -sign) {
        term = exp(-2.0 * x * x * k * k);
        sum += sign * term;
        if (term < 1e-18 * sum) break;
    }
    return fmin(1.0, 2.0 * sum);
}

/* P(a, x) by its series, for x below a + 1. */
static double gamma_below(double a, double x)
{
    double term = 1.0 / a, sum = term;

    for (int k = 1; k < 10000 && term > 1e-17 * sum; k++) sum += term *= x / (a + k);
    return sum * exp(a * log(x) - x - lgamma(a));
}

/* Q(a, x) by its continued fraction, for x above. */
static double gamma_above(double a, double x)
{
    double b = x + 1.0 - a, c = 1.0 / TINY, d = 1.0 / b, h = d;

    for (int k = 1; k < 10000; k++) {
        const double an = -k * (k - a);
        b += 2.0;
        d = an * d + b;
        d = 1.0 / (fabs(d) < TINY ? TINY : d);
        c = b + an / c;
        if (fabs(c) < TINY) c = TINY;
        h *= d * c;
        if (fabs(d * c - 1.0) < 1e-16) break;
    }
    return h * exp(a * log(x) - x - lgamma(a));
}

double tl_chi_squared_tail(double x, double df)
{
    const double a = 0.5 * df, half = 0.5 * x;

    if (!(df > 0.0)) return NAN;
    if (!(x > 0.0)) return 1.0;
    return half < a + 1.0 ? 1.0 - gamma_below(a, half) : gamma_above(a, half);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Those that are numbers, sorted; returns how many. */
static int64_t sort_numbers(double *x, int64_t n)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < n; i++)
        if (!isnan(x[i])) x[kept++] = x[i];
    qsort(x, (size_t)kept, sizeof *x, by_value);
    return kept;
}

tl_two_samples tl_two_numbers(double *a, int64_t n, double *b, int64_t m)
{
    int64_t i = 0, k = 0;
    double  most = 0.0;

    n = sort_numbers(a, n);
    m = sort_numbers(b, m);
    if (n < 1 || m < 1) return (tl_two_samples){ 0.0, 0.0, 1.0 };
    while (i < n && k < m) {
        const double at = a[i] <= b[k] ? a[i] : b[k]; /* rows of one value go together */
        while (i < n && a[i] == at) i++;
        while (k < m && b[k] == at) k++;
        most = fmax(most, fabs((double)i / (double)n - (double)k / (double)m));
    }
    const double root = sqrt((double)n * (double)m / (double)(n + m));
    return (tl_two_samples){ most, most, tl_kolmogorov_tail((root + 0.12 + 0.11 / root) * most) };
}

/* What one level of two lots adds to chi squared. */
static double part_of(double a, double b, double share_a)
{
    const double first = (a + b) * share_a, second = (a + b) * (1.0 - share_a);

    return (a - first) * (a - first) / first + (b - second) * (b - second) / second;
}

tl_two_samples tl_two_counts(const int64_t *a, const int64_t *b, int64_t levels)
{
    double  n = 0.0, m = 0.0, sum = 0.0, few_a = 0.0, few_b = 0.0;
    int64_t cells = 0;

    for (int64_t c = 0; c < levels; c++) n += (double)a[c], m += (double)b[c];
    if (n < 1.0 || m < 1.0) return (tl_two_samples){ 0.0, 0.0, 1.0 };
    const double share = n / (n + m), least = fmin(share, 1.0 - share);
    for (int64_t c = 0; c < levels; c++) {
        const double both = (double)(a[c] + b[c]);
        if (both * least < LEAST_EXPECTED) few_a += (double)a[c], few_b += (double)b[c];
        else sum += part_of((double)a[c], (double)b[c], share), cells++;
    }
    if ((few_a + few_b) * least >= LEAST_EXPECTED) sum += part_of(few_a, few_b, share), cells++;
    if (cells < 2) return (tl_two_samples){ 0.0, 0.0, 1.0 };
    const double p = tl_chi_squared_tail(sum, (double)cells - 1.0);
    return (tl_two_samples){ sum, sqrt(sum / (n + m)), p };
}
