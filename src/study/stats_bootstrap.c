/* stats_bootstrap.c -- how sure: rows and seeds are drawn again, as the same
 * candidates would meet other rows of this source and other seeds. Source: Owen 2007,
 * "The pigeonhole bootstrap" (two-way: rows and columns drawn apart). Floor 4, study. */
#include "core/par.h"
#include "core/rand.h"
#include "study/stats_internal.h"

#include <math.h>
#include <string.h>

enum { BATCH = 64, DRAWS = 1024 };

typedef struct {
    const tl_study_values *v;
    int                    winner;
    int64_t                first;  /* draw of this batch                               */
    float                 *weight; /* [BATCH units]: how often each unit was drawn     */
    uint8_t                hit[BATCH];
} drawing;

static double mean_drawn(const drawing *w, const float *weight, int64_t draw,
                         int candidate)
{
    const tl_scores *s   = w->v->s;
    const int        k   = tl_study_seeds(s, candidate);
    double           sum = 0.0;

    for (int i = 0; i < k; i++) {
        /* The place is drawn for all alike, so that seeds stay paired where counts
         * agree. */
        const int seed =
            (int)tl_rand_below(s->seed, TL_STREAM(TL_STREAM_BOOTSTRAP, 1),
                               (uint64_t)draw * 64u + (uint64_t)i, (uint64_t)k);
        const float *x = w->v->value + ((int64_t)candidate * s->seeds + seed) * w->v->units;
        for (int64_t r = 0; r < w->v->units; r++) sum += (double)(weight[r] * x[r]);
    }
    return sum / ((double)k * (double)w->v->units);
}

static void draw_some(void *arg, int64_t low, int64_t high)
{
    drawing         *w = arg;
    const tl_scores *s = w->v->s;
    const int64_t    n = w->v->units;

    for (int64_t i = low; i < high; i++) {
        const int64_t draw   = w->first + i;
        float        *weight = w->weight + i * n;
        double        best = -INFINITY, own = 0.0;

        memset(weight, 0, (size_t)n * sizeof *weight);
        for (int64_t r = 0; r < n; r++) {
            const uint64_t at = (uint64_t)draw * (uint64_t)n + (uint64_t)r;
            weight[tl_rand_below(s->seed, TL_STREAM(TL_STREAM_BOOTSTRAP, 0), at,
                                 (uint64_t)n)] += 1.0f;
        }
        for (int c = 0; c < s->candidates; c++) {
            const double mean = mean_drawn(w, weight, draw, c);
            if (c == w->winner) own = mean;
            best = fmax(best, mean);
        }
        w->hit[i] = best - own <= s->margin;
    }
}

tl_status tl_study_confidence(tl_ctx *ctx, const tl_study_values *v, int winner,
                              double *out)
{
    tl_status     rc;
    drawing       w     = { .v = v, .winner = winner };
    const int64_t draws = v->s->bootstraps > 0 ? v->s->bootstraps : DRAWS;
    int64_t       hits  = 0;

    *out = NAN;
    if (v->s->candidates > 1 && tl_study_seeds(v->s, winner) < 2) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)v->units, BATCH * sizeof *w.weight, &w.weight));
    for (w.first = 0; w.first < draws; w.first += BATCH) {
        const int64_t count = TL_MIN(BATCH, draws - w.first);
        tl_par_for(ctx->world->threads, count, 1, draw_some, &w);
        for (int64_t i = 0; i < count; i++) hits += w.hit[i];
    }
    *out = (double)hits / (double)draws;
done:
    tl_free(ctx, w.weight);
    return rc;
}
