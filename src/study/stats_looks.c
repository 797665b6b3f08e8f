/* stats_looks.c -- looking more than once without fooling oneself: alpha is spent over looks
 * that were fixed beforehand. Sources: Lan and DeMets 1983 (the spending function of O'Brien
 * and Fleming's kind); Armitage, McPherson and Rowe 1969 (the recursion over looks).
 * Between looks the sum of evidence is taken to move as a Brownian motion over the share of
 * seeds that have run. Looks of one study share their test rows as well and so go together
 * more closely than that, which makes the levels cautious. Floor 4, study. */
#include "study/stats.h"

#include <math.h>

enum { GRID = 400 }; /* intervals of Simpson's rule between the bounds: even */

/* Half of alpha on each side. */
static double spent(double time, double alpha)
{
    return 4.0 * tl_normal_cdf(tl_normal_quantile(0.25 * alpha) / sqrt(time));
}

static double density(double x, double sd)
{
    return exp(-0.5 * x * x / (sd * sd)) / (sd * 2.5066282746310002);
}

/* Where the motion may still be at a look: |x| <= edge, with the density of having crossed
 * nowhere before. */
typedef struct {
    double edge, at[GRID + 1], density[GRID + 1];
} still;

static double weight(const still *s, int i)
{
    const double h = 2.0 * s->edge / GRID;

    return h / 3.0 * (i == 0 || i == GRID ? 1.0 : i % 2 ? 4.0 : 2.0);
}

/* The share that is outside +-edge now and was inside before. */
static double crosses(const still *before, double sd, double edge)
{
    double sum = 0.0;

    if (before->edge <= 0.0) return 2.0 * tl_normal_cdf(-edge / sd);
    for (int i = 0; i <= GRID; i++)
        sum += weight(before, i) * before->density[i] *
               (tl_normal_cdf((before->at[i] - edge) / sd) +
                tl_normal_cdf((-edge - before->at[i]) / sd));
    return sum;
}

static void move_on(const still *before, double sd, double edge, still *now)
{
    now->edge = edge;
    for (int k = 0; k <= GRID; k++) {
        const double x = -edge + 2.0 * edge * k / GRID;
        double       sum = 0.0;
        if (before->edge <= 0.0) sum = density(x, sd);
        for (int i = 0; before->edge > 0.0 && i <= GRID; i++)
            sum += weight(before, i) * before->density[i] * density(x - before->at[i], sd);
        now->at[k]      = x;
        now->density[k] = sum;
    }
}

void tl_look_levels(const double *time, int count, int first, double alpha, double *level)
{
    still  a = { .edge = 0.0 }, b, *before = &a, *now = &b;
    double from = 0.0, already = 0.0;

    for (int i = 0; i < count; i++) {
        double low = 0.0, high = 10.0; /* of |z| at this look */
        level[i] = 0.0;
        if (i < first) continue;
        const double sd = sqrt(time[i] - from), root = sqrt(time[i]);
        const double all = i == count - 1 ? alpha : spent(time[i], alpha);
        for (int k = 0; k < 60; k++) {
            const double z = 0.5 * (low + high);
            if (crosses(before, sd, z * root) > all - already) low = z;
            else high = z;
        }
        level[i] = 2.0 * tl_normal_cdf(-high);
        if (i == count - 1) break;
        move_on(before, sd, high * root, now);
        still *other = before;
        before       = now;
        now          = other;
        from         = time[i];
        already      = all;
    }
}

double tl_mcnemar(int64_t a, int64_t b)
{
    const int64_t n = a + b, fewer = TL_MIN(a, b);
    double        sum = 0.0;

    if (n == 0) return 1.0;
    for (int64_t k = 0; k <= fewer; k++)
        sum += exp(lgamma((double)n + 1.0) - lgamma((double)k + 1.0) -
                   lgamma((double)(n - k) + 1.0) - (double)n * log(2.0));
    return fmin(1.0, 2.0 * sum);
}
