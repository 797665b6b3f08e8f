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

static const double PRIOR = 1.25, PRIOR_DF = 8.0, DISAGREES = 6.0;

int tl_study_seeds(const tl_scores *s, int candidate)
{
    return s->seeds_of ? s->seeds_of[candidate] : s->seeds;
}

static const float *values_at(const tl_study_values *v, int candidate, int seed)
{
    return v->value + ((int64_t)candidate * v->s->seeds + seed) * v->s->rows;
}

double tl_study_mean(const tl_study_values *v, int candidate)
{
    const int k   = tl_study_seeds(v->s, candidate);
    double    sum = 0.0;

    for (int seed = 0; seed < k; seed++) {
        const float *x = values_at(v, candidate, seed);
        for (int64_t r = 0; r < v->s->rows; r++) sum += (double)x[r];
    }
    return sum / ((double)k * (double)v->s->rows);
}

/* Mean squares over rows, seeds and the rest, each divided by n, so that they are
 * variances of a mean over rows. */
typedef struct {
    double mean, rows, seeds, rest;
    int    k;
} squares;

static double difference(const tl_study_values *v, int a, int b, int seed, int64_t row)
{
    return (double)values_at(v, a, seed)[row] -
           (b < 0 ? 0.0 : (double)values_at(v, b, seed)[row]);
}

static squares squares_of(const tl_study_values *v, int a, int b)
{
    const int    k     = b < 0 ? tl_study_seeds(v->s, a)
                               : TL_MIN(tl_study_seeds(v->s, a), tl_study_seeds(v->s, b));
    const double n     = (double)v->s->rows;
    squares      q     = { .k = k };
    double       total = 0.0, by_row = 0.0, by_seed = 0.0;

    for (int seed = 0; seed < k; seed++) {
        double sum = 0.0;
        for (int64_t r = 0; r < v->s->rows; r++) sum += difference(v, a, b, seed, r);
        q.mean += sum / n / k;
    }
    for (int seed = 0; seed < k; seed++) {
        double sum = 0.0;
        for (int64_t r = 0; r < v->s->rows; r++)
            sum += difference(v, a, b, seed, r) - q.mean;
        by_seed += sum * sum / n;
    }
    for (int64_t r = 0; r < v->s->rows; r++) {
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

/* One seed: its part cannot be seen. The rows' variance holds the rest's as well, and
 * the prior's share is added on top. */
static tl_pair pair_of_one_seed(const tl_study_values *v, const squares *q)
{
    tl_pair pair = { .mean = q->mean, .seeds = 1, .rows_part = q->rows };

    pair.seeds_part = (v->prior - 1.0) * q->rows;
    pair.variance   = pair.rows_part + pair.seeds_part;
    pair.df         = PRIOR_DF;
    return pair;
}

tl_pair tl_study_pair(const tl_study_values *v, int a, int b)
{
    const squares q = squares_of(v, a, b);
    const double  n = (double)v->s->rows, k = q.k, own_df = k - 1.0;
    tl_pair       pair = { .mean = q.mean, .seeds = q.k };
    double        seeds, seeds_df = PRIOR_DF + own_df;

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
            const squares q = squares_of(v, a, b);
            if (q.k < 2) continue;
            seeds += q.seeds;
            rest += q.rest;
        }
    }
    if (repeated < 3 || rest <= 0.0) return PRIOR;
    const double df = (repeated - 1.0) * (most - 1.0);
    return (PRIOR_DF * PRIOR + df * seeds / rest) / (PRIOR_DF + df);
}

/* Macro-F1 is no mean over rows, but its linear part is: with F_c = 2 hits / named, a
 * row adds (2 [hit] - F_c ([label is c] + [predicted is c])) / named to F_c. These sum
 * to 0 over rows, so that F1 + n * (a row's share) has exactly F1 as its mean (the
 * infinitesimal jackknife). */
static void f1_values(const tl_scores *s, const int32_t *predicted, double *f1,
                      double *named, float *out)
{
    int32_t present = 0;
    double  mean    = 0.0;

    for (int32_t c = 0; c < s->classes; c++) f1[c] = named[c] = 0.0;
    for (int64_t r = 0; r < s->rows; r++) {
        named[s->label[r]]++;
        named[predicted[r]]++;
        if (s->label[r] == predicted[r]) f1[predicted[r]] += 2.0;
    }
    for (int32_t c = 0; c < s->classes; c++) {
        if (named[c] == 0.0) continue;
        f1[c] /= named[c];
        mean += f1[c];
        present++;
    }
    mean /= present;
    for (int64_t r = 0; r < s->rows; r++) {
        const int32_t y = s->label[r], p = predicted[r];
        double        share = -f1[y] / named[y] - f1[p] / named[p];

        if (y == p) share += 2.0 / named[y];
        out[r] = (float)(mean + (double)s->rows * share / present);
    }
}

static tl_status make_f1(tl_ctx *ctx, const tl_scores *s, tl_study_values *v)
{
    tl_status    rc;
    double      *room    = NULL;
    const size_t columns = (size_t)s->candidates * (size_t)s->seeds;

    TL_TRY(tl_alloc_array(ctx, columns * (size_t)s->rows, sizeof *v->owned, &v->owned));
    TL_TRY(tl_alloc_array(ctx, 2 * (size_t)s->classes, sizeof *room, &room));
    for (int c = 0; c < s->candidates; c++) {
        for (int seed = 0; seed < tl_study_seeds(s, c); seed++) {
            const int64_t at = ((int64_t)c * s->seeds + seed) * s->rows;
            f1_values(s, s->predicted + at, room, room + s->classes, v->owned + at);
        }
    }
    v->value = v->owned;
done:
    tl_free(ctx, room);
    return rc;
}

tl_status tl_study_values_make(tl_ctx *ctx, const tl_scores *s, tl_study_values *out)
{
    tl_status rc = TL_OK;

    *out = (tl_study_values){ .s = s, .value = s->score };
    if (s->predicted) TL_TRY(make_f1(ctx, s, out));
    out->prior = prior_of_all(out);
done:
    if (rc != TL_OK) tl_study_values_free(ctx, out);
    return rc;
}

void tl_study_values_free(tl_ctx *ctx, tl_study_values *v)
{
    tl_free(ctx, v->owned);
    *v = (tl_study_values){ 0 };
}
