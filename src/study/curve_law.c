/* curve_law.c -- the power law of an error over the amount of data, by weighted least
 * squares: for each exponent the rest is linear, so only the exponent is searched.
 * Floor 4, study. */
#include "study/curve.h"

#include <math.h>

static const double LEAST_B = 0.02, MOST_B = 2.0;
enum { GRID = 32, REFINE = 24 };

typedef struct {
    const double *n, *error, *weight;
    int           count;
    bool          floor; /* c is fitted, too */
} points;

static double misfit(const points *p, const tl_power_law *law)
{
    double sum = 0.0;

    for (int i = 0; i < p->count; i++) {
        const double e = tl_power_at(law, p->n[i]) - p->error[i];
        sum += p->weight[i] * e * e;
    }
    return sum;
}

/* The best a and c, both at least 0, for this b. */
static double solve(const points *p, double b, tl_power_law *law)
{
    double w = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0;

    for (int i = 0; i < p->count; i++) {
        const double xi = pow(p->n[i], -b), wi = p->weight[i];
        w += wi;
        x += wi * xi;
        y += wi * p->error[i];
        xx += wi * xi * xi;
        xy += wi * xi * p->error[i];
    }
    const double det = w * xx - x * x;
    *law             = (tl_power_law){ xy / xx, b, 0.0 };
    if (p->floor && det > 1e-12 * w * xx) {
        const double a = (w * xy - x * y) / det, c = (xx * y - x * xy) / det;
        if (a >= 0.0 && c >= 0.0) *law = (tl_power_law){ a, b, c };
        else if (a < 0.0) *law = (tl_power_law){ 0.0, b, y / w };
    }
    law->a = fmax(0.0, law->a);
    return misfit(p, law);
}

tl_power_law tl_power_fit(const double *n, const double *error, const double *weight,
                          int count)
{
    static const double golden = 0.6180339887498949;
    const points        p      = { n, error, weight, count, count > 3 };
    const double        step   = log(MOST_B / LEAST_B) / (GRID - 1);
    double              best = INFINITY, at = 0.0;
    tl_power_law        law = { 0 }, made;

    for (int i = 0; i < GRID; i++) {
        const double x = log(LEAST_B) + step * i, e = solve(&p, exp(x), &made);
        if (e < best) best = e, at = x, law = made;
    }
    double low = fmax(log(LEAST_B), at - step), high = fmin(log(MOST_B), at + step);
    for (int i = 0; i < REFINE; i++) {
        const double left = high - golden * (high - low), right = low + golden * (high - low);
        tl_power_law one, two;
        const double a = solve(&p, exp(left), &one), b = solve(&p, exp(right), &two);
        if (a < b) high = right;
        else low = left;
        if (fmin(a, b) < best) best = fmin(a, b), law = a < b ? one : two;
    }
    return law;
}

double tl_power_at(const tl_power_law *law, double n)
{
    return law->c + law->a * pow(n, -law->b);
}

double tl_power_inverse(const tl_power_law *law, double error)
{
    if (!(error > law->c) || law->a <= 0.0) return INFINITY;
    return pow((error - law->c) / law->a, -1.0 / law->b);
}
