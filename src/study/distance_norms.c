/* distance_norms.c -- what batch norms see of the data against what they kept of their training:
 * distance.h.  The net is run as in training; from nothing, what its norms keep after k batches is
 * the mean of those batches' statistics, the latest weighing most, times 1 - keep^k.
 * Floor 4, study. */
#include "study/distance.h"

#include <math.h>
#include <string.h>

enum { BATCH = 32 };

static const double DEAD = 1e-3; /* of the layer's mean variance */

typedef struct {
    const tl_param *mean, *var;
    double          keep; /* of what was kept before a batch */
} norm;

static bool is_called(const tl_param *p, const char *end)
{
    const size_t n = strlen(p->name), e = strlen(end);

    return p->role == TL_ROLE_STATE && n >= e && strcmp(p->name + n - e, end) == 0;
}

/* Pairs of running_mean and running_var of the body, in order; returns how many. */
static int64_t find_norms(const tl_params *params, norm *out)
{
    int64_t n = 0;

    for (int32_t i = 0; i + 1 < params->count; i++) {
        const tl_param *p = &params->param[i];
        if (p->head || !is_called(p, "running_mean") || !is_called(p + 1, "running_var")) continue;
        if (out) out[n] = (norm){ .mean = p, .var = p + 1 };
        n++;
    }
    return n;
}

static void set_all(const tl_params *params, const norm *list, int64_t layers, float to)
{
    for (int64_t l = 0; l < layers; l++)
        for (int64_t c = 0; c < list[l].mean->count; c++) {
            tl_params_value(params, list[l].mean)[c] = to;
            tl_params_value(params, list[l].var)[c]  = to;
        }
}

static double mean_of(const tl_params *params, const tl_param *p)
{
    double sum = 0.0;

    for (int64_t c = 0; c < p->count; c++) sum += (double)tl_params_value(params, p)[c];
    return sum / (double)p->count;
}

/* One layer: seen / told is the data's, `kept` the base's.  The mean over channels of how far their
 * means moved and of the divergence. */
static void hold_layer(const norm *l, const tl_params *seen, double told, const tl_params *kept,
                       double *shift, double *kl)
{
    const tl_param *m0   = tl_params_find(kept, l->mean->name);
    const tl_param *v0   = tl_params_find(kept, l->var->name);
    const float    *mean = tl_params_value(seen, l->mean), *var = tl_params_value(seen, l->var);
    const float    *mean0 = tl_params_value(kept, m0), *var0 = tl_params_value(kept, v0);
    const double    least = DEAD * mean_of(kept, v0) + 1e-12, n = (double)l->mean->count;

    for (int64_t c = 0; c < l->mean->count; c++) {
        const double d = (double)mean[c] / told - (double)mean0[c];
        const double s = (double)var0[c] + least, v = (double)var[c] / told + least;
        *shift += fabs(d) / sqrt(s) / n;
        *kl += 0.5 * (log(s / v) + (v + d * d) / s - 1.0) / n;
    }
}

/* What a layer keeps of before: two runs of one batch from 0 and from 1 differ by that alone. */
static tl_status find_keep(tl_ctx *ctx, tl_model *m, tl_predictor *p, tl_cache *cache,
                           const tl_rows *rows, float *y, norm *list, int64_t layers)
{
    const tl_rows one = { rows->row, BATCH };
    tl_status     rc;

    set_all(m->params, list, layers, 0.0f);
    TL_TRY(tl_predictor_rows(ctx, p, cache, one, y));
    for (int64_t l = 0; l < layers; l++) list[l].keep = -mean_of(m->params, list[l].mean);
    set_all(m->params, list, layers, 1.0f);
    TL_TRY(tl_predictor_rows(ctx, p, cache, one, y));
    for (int64_t l = 0; l < layers; l++) list[l].keep += mean_of(m->params, list[l].mean);
    set_all(m->params, list, layers, 0.0f);
done:
    return rc;
}

tl_status tl_distance_norms(tl_ctx *ctx, const tl_model *base, tl_cache *cache, tl_rows rows,
                            const tl_backend *backend, tl_slab *slab, tl_norm_distance *out)
{
    const int64_t layers  = find_norms(base->params, NULL);
    const int64_t batches = rows.count / BATCH;
    tl_model     *m       = NULL;
    tl_predictor *p       = NULL;
    norm         *list    = NULL;
    float        *y       = NULL;
    tl_status     rc      = TL_OK;

    *out = (tl_norm_distance){ 0 };
    if (layers == 0 || batches == 0 || !backend->host_memory) return TL_OK;
    TL_TRY(tl_model_copy(ctx, base, &m));
    TL_TRY(tl_alloc_array(ctx, (size_t)layers, sizeof *list, &list));
    find_norms(m->params, list);
    TL_TRY(tl_predictor_norms(ctx, m, BATCH, backend, slab, &p));
    TL_TRY(tl_alloc_array(ctx, (size_t)(batches * BATCH * tl_predictor_width(p)), sizeof *y, &y));
    TL_TRY(find_keep(ctx, m, p, cache, &rows, y, list, layers));
    rows.count = batches * BATCH;
    TL_TRY(tl_predictor_rows(ctx, p, cache, rows, y));
    *out = (tl_norm_distance){ .rows = rows.count, .layers = layers };
    for (int64_t l = 0; l < layers; l++) {
        double shift = 0.0, kl = 0.0;
        hold_layer(&list[l], m->params, 1.0 - pow(list[l].keep, (double)batches), base->params,
                   &shift, &kl);
        if (l == 0) out->first = kl;
        out->shift += shift / (double)layers;
        out->kl += kl / (double)layers;
    }
done:
    tl_predictor_free(ctx, p);
    tl_model_free(ctx, m);
    tl_free(ctx, list);
    tl_free(ctx, y);
    return rc;
}
