/* stats_pair.c -- one difference, with the variance of rows and of seeds.
 *
 * d[s][r] of seed s and row r is taken as mean + row effect + seed effect + rest. The
 * mean over all has the variance rows/n + (seeds + rest/n)/k : a two-way layout
 * without repeats. With k = 3 seeds, two degrees of freedom say little of the second
 * part, and a verdict on them alone would be either blind or careless. So it is
 * moderated as in Smyth 2004: before seeds are seen, their part is taken as `prior`
 * times what sampling the rows alone would make of it, worth PRIOR_DF degrees of
 * freedom; Jordan 2023 finds that seeds add close to nothing to it, we take a quarter.
 * The prior learns from all differences of the comparison; where this one's own seeds
 * disagree strongly with it, they alone count. tests/unit/verdict_promises.c holds the
 * numbers. Degrees of freedom by Satterthwaite 1946. Floor 4, study. */
#include "study/stats_internal.h"

#include <math.h>
#include <stdlib.h>

static const double PRIOR = 1.25, PRIOR_DF = 4.0, DISAGREES = 6.0;

int tl_study_seeds(const tl_scores *s, int candidate)
{
    return s->seeds_of ? s->seeds_of[candidate] : s->seeds;
}

static const float *values_at(const tl_study_values *v, int candidate, int seed)
{
    return v->value + ((int64_t)candidate * v->s->seeds + seed) * v->units;
}

double tl_study_mean(const tl_study_values *v, int candidate)
{
    const int k   = tl_study_seeds(v->s, candidate);
    double    sum = 0.0;

    for (int seed = 0; seed < k; seed++) {
        const float *x = values_at(v, candidate, seed);
        for (int64_t r = 0; r < v->units; r++) sum += (double)x[r];
    }
    return sum / ((double)k * (double)v->units);
}

static double difference(const tl_study_values *v, int a, int b, int seed, int64_t row)
{
    return (double)values_at(v, a, seed)[row] -
           (b < 0 ? 0.0 : (double)values_at(v, b, seed)[row]);
}

static tl_mean_squares squares_of(const tl_study_values *v, int a, int b)
{
    const int    k     = b < 0 ? tl_study_seeds(v->s, a)
                               : TL_MIN(tl_study_seeds(v->s, a), tl_study_seeds(v->s, b));
    const double n     = (double)v->units;
    tl_mean_squares q = { .k = k };
    double       total = 0.0, by_row = 0.0, by_seed = 0.0;

    for (int seed = 0; seed < k; seed++) {
        double sum = 0.0;
        for (int64_t r = 0; r < v->units; r++) sum += difference(v, a, b, seed, r);
        q.mean += sum / n / k;
    }
    for (int seed = 0; seed < k; seed++) {
        double sum = 0.0;
        for (int64_t r = 0; r < v->units; r++)
            sum += difference(v, a, b, seed, r) - q.mean;
        by_seed += sum * sum / n;
    }
    for (int64_t r = 0; r < v->units; r++) {
        double sum = 0.0;
        for (int seed = 0; seed < k; seed++) {
            const double d = difference(v, a, b, seed, r) - q.mean;
            sum += d;
            total += d * d;
        }
        by_row += sum * sum / k;
    }
    const double row_df = fmax(1.0, n - 1.0), seed_df = fmax(1.0, k - 1.0);
    q.rows  = by_row / row_df / n;
    q.seeds = by_seed / seed_df / n;
    q.rest  = fmax(0.0, total - by_row - by_seed) / (row_df * seed_df) / n;
    return q;
}

/* Of a pair, as it was found when the values were made. */
static tl_mean_squares squares_kept(const tl_study_values *v, int a, int b)
{
    tl_mean_squares q;

    if (b < 0) return squares_of(v, a, b);
    q = v->squares[TL_MIN(a, b) * v->s->candidates + TL_MAX(a, b)];
    if (a > b) q.mean = -q.mean;
    return q;
}

/* One seed: its part cannot be seen. The rows' variance holds the rest's as well, and
 * the prior's share is added on top. */
static tl_pair pair_of_one_seed(const tl_study_values *v, const tl_mean_squares *q)
{
    tl_pair pair = { .mean = q->mean, .seeds = 1, .rows_part = q->rows };

    pair.seeds_part = (v->prior - 1.0) * q->rows;
    pair.variance   = pair.rows_part + pair.seeds_part;
    pair.df         = PRIOR_DF;
    return pair;
}

tl_pair tl_study_pair(const tl_study_values *v, int a, int b)
{
    const tl_mean_squares q = squares_kept(v, a, b);
    const double     n = (double)v->units, k = q.k, own_df = k - 1.0;
    tl_pair          pair = { .mean = q.mean, .seeds = q.k };
    double           seeds, seeds_df = PRIOR_DF + own_df;

    if (q.k < 2) return pair_of_one_seed(v, &q);
    seeds = (PRIOR_DF * v->prior * q.rest + own_df * q.seeds) / seeds_df;
    if (q.seeds > DISAGREES * v->prior / PRIOR * q.rest) {
        seeds    = q.seeds;
        seeds_df = own_df;
    }
    pair.rows_part     = fmax(0.0, q.rows - q.rest) / k;
    pair.seeds_part    = seeds / k;
    pair.variance      = pair.rows_part + pair.seeds_part;
    const double doubt = q.rows * q.rows / k / k / fmax(1.0, n - 1.0) +
                         pair.seeds_part * pair.seeds_part / seeds_df;
    pair.df = doubt > 0.0 ? pair.variance * pair.variance / doubt : INFINITY;
    return pair;
}

double tl_pair_p(const tl_pair *pair)
{
    if (pair->mean == 0.0) return 1.0;
    if (pair->variance <= 0.0) return 0.0;
    return 2.0 * tl_student_cdf(-fabs(pair->mean) / sqrt(pair->variance), pair->df);
}

double tl_pair_half(const tl_pair *pair, double alpha)
{
    if (pair->variance <= 0.0) return 0.0;
    return tl_student_quantile(1.0 - 0.5 * alpha, pair->df) * sqrt(pair->variance);
}

/* The prior after looking at how much more than `rest` the seeds add over all
 * differences. */
static double prior_of_all(const tl_study_values *v)
{
    double seeds = 0.0, rest = 0.0;
    int    repeated = 0, most = 0;

    for (int a = 0; a < v->s->candidates; a++) {
        const int k = tl_study_seeds(v->s, a);
        repeated += k > 1;
        most = TL_MAX(most, k);
        for (int b = a + 1; b < v->s->candidates; b++) {
            const tl_mean_squares *q = &v->squares[a * v->s->candidates + b];
            if (q->k < 2) continue;
            seeds += q->seeds;
            rest += q->rest;
        }
    }
    if (repeated < 3 || rest <= 0.0) return PRIOR;
    const double df = (repeated - 1.0) * (most - 1.0);
    return (PRIOR_DF * PRIOR + df * seeds / rest) / (PRIOR_DF + df);
}

tl_status tl_study_pairs(tl_ctx *ctx, tl_study_values *v)
{
    const int       n  = v->s->candidates;
    const tl_status rc =
        tl_alloc_array(ctx, (size_t)n * (size_t)n, sizeof *v->squares, &v->squares);

    if (rc != TL_OK) return rc;
    for (int a = 0; a < n; a++)
        for (int b = a + 1; b < n; b++) v->squares[a * n + b] = squares_of(v, a, b);
    v->prior = prior_of_all(v);
    return TL_OK;
}
