/* stats_many.c -- one candidate against all others at once.
 *
 * The differences to the others go together, as they share the candidate and the test rows. So
 * chance is asked not how large each t may be but how large the largest: the differences are
 * drawn as they would be were all routes equal (a multivariate t with their own correlations),
 * and each p is the share of draws whose largest |t| is larger; the intervals hold all at once.
 * Sources: Dunnett 1955; Hsu 1984 (comparisons with the best). Where draws are too few to tell,
 * Bonferroni's bound stands in. Floor 4, study. */
#include "core/rand.h"
#include "study/stats_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 4096, LEAST_HITS = 20 };
static const double ALPHA = 0.05, LEAST_DF = 3.0;

typedef struct {
    const tl_study_values *v;
    int                    count;
    int                   *at;     /* [count] candidates                 */
    double                *factor; /* [count count] Cholesky, lower      */
    float                 *top;    /* [DRAWS] the largest |t|, ascending */
    double                 df;
} many;

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Of the differences of reference to i and to j: their variances and that of i to j give it.
 * Below 0 it is taken as 0, which only widens. */
static double correlation(const many *m, const tl_rival *rival, int i, int j)
{
    const double vi = rival[i].pair.variance, vj = rival[j].pair.variance;

    if (!(vi > 0.0) || !(vj > 0.0)) return 0.0;
    const double between = tl_study_pair(m->v, i, j).variance;
    return fmin(0.999, fmax(0.0, (vi + vj - between) / (2.0 * sqrt(vi * vj))));
}

/* Estimated pair by pair they may fit no distribution: a row that comes out too long or too
 * short is brought back to length 1. */
static void factorise(many *m, const tl_rival *rival)
{
    for (int i = 0; i < m->count; i++) {
        double *row = m->factor + (int64_t)i * m->count, length = 0.0;
        for (int j = 0; j < i; j++) {
            const double *other = m->factor + (int64_t)j * m->count;
            double sum = correlation(m, rival, m->at[i], m->at[j]);
            for (int k = 0; k < j; k++) sum -= row[k] * other[k];
            row[j] = other[j] > 1e-6 ? sum / other[j] : 0.0;
            length += row[j] * row[j];
        }
        row[i] = sqrt(fmax(1e-6, 1.0 - length));
        length = sqrt(length + row[i] * row[i]);
        for (int j = 0; j <= i; j++) row[j] /= length;
    }
}

/* Root of chi-square over its degrees of freedom: Wilson and Hilferty 1931. */
static double scale_drawn(const many *m, int draw)
{
    const double z = tl_rand_normal(m->v->s->seed, TL_STREAM(TL_STREAM_BOOTSTRAP, 3),
                                    (uint64_t)draw);
    const double a = 2.0 / (9.0 * m->df), cube = 1.0 - a + z * sqrt(a);

    return isinf(m->df) ? 1.0 : sqrt(fmax(1e-3, cube * cube * cube));
}

static void draw_all(many *m, double *z)
{
    for (int d = 0; d < DRAWS; d++) {
        double largest = 0.0;

        for (int i = 0; i < m->count; i++)
            z[i] = tl_rand_normal(m->v->s->seed, TL_STREAM(TL_STREAM_BOOTSTRAP, 2),
                                  (uint64_t)d * (uint64_t)m->count + (uint64_t)i);
        for (int i = 0; i < m->count; i++) {
            const double *row = m->factor + (int64_t)i * m->count;
            double        sum = 0.0;
            for (int k = 0; k <= i; k++) sum += row[k] * z[k];
            largest = fmax(largest, fabs(sum));
        }
        m->top[d] = (float)(largest / scale_drawn(m, d));
    }
    qsort(m->top, DRAWS, sizeof *m->top, by_size);
}

/* p of the largest of all, where alone it is `raw`. */
static double corrected(const many *m, double raw)
{
    const double bound = fmin(1.0, raw * m->count);
    int          hits  = 0;

    if (m->count < 2 || raw <= 0.0) return raw;
    const double t = -tl_student_quantile(0.5 * raw, m->df);
    while (hits < DRAWS && (double)m->top[DRAWS - 1 - hits] >= t) hits++;
    return fmin(bound, fmax(raw, (hits + 1.0) / (DRAWS + 1.0)));
}

/* The p alone below which the largest of all counts at `level`. */
static double level_alone(const many *m, double level)
{
    if (m->count < 2) return level;
    if (level * DRAWS < LEAST_HITS) return level / m->count;
    const double edge = (double)m->top[DRAWS - 1 - (int)(level * DRAWS)];
    return fmin(level, fmax(level / m->count, 2.0 * tl_student_cdf(-edge, m->df)));
}

/* Draws and quantile may part by a hair: the interval and p speak as one. */
static void judge(const many *m, double level, tl_rival *rival)
{
    const double alone = level_alone(m, level);

    for (int i = 0; i < m->count; i++) {
        tl_rival    *r   = &rival[m->at[i]];
        const double raw = tl_pair_p(&r->pair);
        r->level         = alone;
        r->p             = fmin(1.0, corrected(m, raw) * ALPHA / level);
        if (raw >= alone) r->p = fmax(r->p, ALPHA);
        else r->p = fmin(r->p, nextafter(ALPHA, 0.0));
    }
}

tl_status tl_study_rivals(tl_ctx *ctx, const tl_study_values *v, int reference,
                          tl_rival *rival)
{
    tl_status    rc;
    many         m      = { .v = v, .df = INFINITY };
    double      *z      = NULL;
    const size_t others = (size_t)v->s->candidates - 1;
    const double level  = v->s->level > 0.0 ? v->s->level : ALPHA;

    rival[reference] = (tl_rival){ .p = 1.0, .level = level };
    TL_TRY(tl_alloc_array(ctx, others + 1, sizeof *m.at, &m.at));
    TL_TRY(tl_alloc_array(ctx, others * others + 1, sizeof *m.factor, &m.factor));
    TL_TRY(tl_alloc_array(ctx, DRAWS, sizeof *m.top, &m.top));
    TL_TRY(tl_alloc_array(ctx, others + 1, sizeof *z, &z));
    for (int c = 0; c < v->s->candidates; c++) {
        if (c == reference) continue;
        rival[c]       = (tl_rival){ .pair = tl_study_pair(v, reference, c) };
        m.at[m.count++] = c;
        m.df            = fmin(m.df, fmax(LEAST_DF, rival[c].pair.df));
    }
    if (m.count > 1) {
        factorise(&m, rival);
        draw_all(&m, z);
    }
    judge(&m, level, rival);
done:
    tl_free(ctx, m.at);
    tl_free(ctx, m.factor);
    tl_free(ctx, m.top);
    tl_free(ctx, z);
    return rc;
}
