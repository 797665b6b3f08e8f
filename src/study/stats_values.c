/* stats_values.c -- what the statistics run on: a number for each unit, candidate and seed,
 * whose mean over units is the metric. A unit is a row, or a cluster of rows that stand or
 * fall together: then the rows' spread is that of clusters (Liang and Zeger 1986). Floor 4,
 * study. */
#include "study/stats_internal.h"

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

    TL_TRY(tl_alloc_array(ctx, columns * (size_t)s->rows, sizeof **v->owned, &v->owned[0]));
    TL_TRY(tl_alloc_array(ctx, 2 * (size_t)s->classes, sizeof *room, &room));
    for (int c = 0; c < s->candidates; c++) {
        for (int seed = 0; seed < tl_study_seeds(s, c); seed++) {
            const int64_t at = ((int64_t)c * s->seeds + seed) * s->rows;
            f1_values(s, s->predicted + at, room, room + s->classes, v->owned[0] + at);
        }
    }
    v->value = v->owned[0];
done:
    tl_free(ctx, room);
    return rc;
}

/* Units in order of their first row: unit[row] is below *units. */
static tl_status number_units(tl_ctx *ctx, const tl_scores *s, int32_t *unit, int64_t *units)
{
    int32_t  *seen = NULL, most = 0;
    tl_status rc;

    *units = 0;
    for (int64_t r = 0; r < s->rows; r++) most = TL_MAX(most, s->cluster[r] + 1);
    TL_TRY(tl_alloc_array(ctx, (size_t)most, sizeof *seen, &seen)); /* number + 1 */
    for (int64_t r = 0; r < s->rows; r++) {
        int32_t *k = &seen[s->cluster[r]];
        if (*k == 0) *k = (int32_t)++*units;
        unit[r] = *k - 1;
    }
done:
    tl_free(ctx, seen);
    return rc;
}

/* A cluster's value is the mean of all and what its own rows lie above it, so many times as
 * there are units in the rows: the mean over clusters is the mean over rows, whatever their
 * sizes (the ratio estimator, linearised). */
static void by_unit(const float *value, int64_t rows, const int32_t *unit, int64_t units,
                    double *sum, float *out)
{
    double mean = 0.0;

    for (int64_t r = 0; r < rows; r++) mean += (double)value[r];
    mean /= (double)rows;
    for (int64_t u = 0; u < units; u++) sum[u] = 0.0;
    for (int64_t r = 0; r < rows; r++) sum[unit[r]] += (double)value[r] - mean;
    for (int64_t u = 0; u < units; u++)
        out[u] = (float)(mean + sum[u] * (double)units / (double)rows);
}

static tl_status make_units(tl_ctx *ctx, const tl_scores *s, tl_study_values *v)
{
    tl_status    rc;
    int32_t     *unit    = NULL;
    double      *sum     = NULL;
    const size_t columns = (size_t)s->candidates * (size_t)s->seeds;
    int64_t      units;

    TL_TRY(tl_alloc_array(ctx, (size_t)s->rows, sizeof *unit, &unit));
    TL_TRY(number_units(ctx, s, unit, &units));
    TL_TRY(tl_alloc_array(ctx, (size_t)units, sizeof *sum, &sum));
    TL_TRY(tl_alloc_array(ctx, columns * (size_t)units, sizeof **v->owned, &v->owned[1]));
    for (int c = 0; c < s->candidates; c++)
        for (int seed = 0; seed < tl_study_seeds(s, c); seed++) {
            const int64_t at = (int64_t)c * s->seeds + seed;
            by_unit(v->value + at * s->rows, s->rows, unit, units, sum,
                    v->owned[1] + at * units);
        }
    v->value = v->owned[1];
    v->units = units;
done:
    tl_free(ctx, unit);
    tl_free(ctx, sum);
    return rc;
}

tl_status tl_study_values_make(tl_ctx *ctx, const tl_scores *s, tl_study_values *out)
{
    tl_status rc = TL_OK;

    *out = (tl_study_values){ .s = s, .units = s->rows, .value = s->score };
    if (s->predicted) TL_TRY(make_f1(ctx, s, out));
    if (s->cluster) TL_TRY(make_units(ctx, s, out));
    TL_TRY(tl_study_pairs(ctx, out));
done:
    if (rc != TL_OK) tl_study_values_free(ctx, out);
    return rc;
}

void tl_study_values_free(tl_ctx *ctx, tl_study_values *v)
{
    tl_free(ctx, v->owned[0]);
    tl_free(ctx, v->owned[1]);
    tl_free(ctx, v->squares);
    *v = (tl_study_values){ 0 };
}
