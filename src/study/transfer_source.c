/* transfer_source.c -- what a base's own head tells of other classes.  Floor 4, study. */
#include "study/transfer.h"

#include <math.h>

/* Of rows that a model says are z, by probability or by its likeliest: joint[y z] and its sums
 * over y. */
typedef struct {
    double *joint, *source;
} empirical;

static void count_soft(const tl_sourced *f, empirical *e)
{
    for (int64_t r = 0; r < f->rows; r++)
        for (int64_t z = 0; z < f->sources; z++) {
            const double share = (double)f->p[r * f->sources + z] / (double)f->rows;
            e->joint[f->label[r] * f->sources + z] += share;
            e->source[z] += share;
        }
}

static double leep_of(const tl_sourced *f, const empirical *e)
{
    double sum = 0.0;

    for (int64_t r = 0; r < f->rows; r++) {
        double expected = 0.0;
        for (int64_t z = 0; z < f->sources; z++)
            if (e->source[z] > 0.0)
                expected += (double)f->p[r * f->sources + z] *
                            e->joint[f->label[r] * f->sources + z] / e->source[z];
        sum += log(expected);
    }
    return sum / (double)f->rows;
}

static int64_t likeliest(const float *p, int64_t n)
{
    int64_t best = 0;

    for (int64_t z = 1; z < n; z++)
        if (p[z] > p[best]) best = z;
    return best;
}

static void count_hard(const tl_sourced *f, empirical *e)
{
    for (int64_t r = 0; r < f->rows; r++) {
        const int64_t z = likeliest(f->p + r * f->sources, f->sources);
        e->joint[f->label[r] * f->sources + z] += 1.0 / (double)f->rows;
        e->source[z] += 1.0 / (double)f->rows;
    }
}

static double nce_of(const tl_sourced *f, const empirical *e)
{
    double sum = 0.0;

    for (int64_t i = 0; i < f->classes * f->sources; i++)
        if (e->joint[i] > 0.0) sum += e->joint[i] * log(e->joint[i] / e->source[i % f->sources]);
    return sum;
}

static tl_status empirical_new(tl_ctx *ctx, const tl_sourced *f, empirical *e)
{
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)(f->classes * f->sources), sizeof *e->joint, &e->joint));
    TL_TRY(tl_alloc_array(ctx, (size_t)f->sources, sizeof *e->source, &e->source));
done:
    return rc;
}

static void empirical_free(tl_ctx *ctx, empirical *e)
{
    tl_free(ctx, e->joint);
    tl_free(ctx, e->source);
}

tl_status tl_transfer_source(tl_ctx *ctx, const tl_sourced *f, double *leep, double *nce)
{
    empirical soft = { 0 }, hard = { 0 };
    tl_status rc;

    TL_TRY(empirical_new(ctx, f, &soft));
    TL_TRY(empirical_new(ctx, f, &hard));
    count_soft(f, &soft);
    count_hard(f, &hard);
    *leep = leep_of(f, &soft);
    *nce  = nce_of(f, &hard);
done:
    empirical_free(ctx, &soft);
    empirical_free(ctx, &hard);
    return rc;
}
