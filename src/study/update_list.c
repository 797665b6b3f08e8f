/* update_list.c -- what may be done with a model in use, as candidates; and the one
 * that is not trained: the model as it is, asked like the others.  Floor 4, study. */
#include "study/update.h"
#include "core/io.h"
#include "core/machine.h"
#include "core/text.h"
#include "train/network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool tl_entry_is_kept(const tl_entry *e)
{
    return e->c.route->phases == 0;
}

int tl_update_kept(const tl_study *s)
{
    for (int i = 0; i < s->entries; i++)
        if (tl_entry_is_kept(&s->entry[i])) return i;
    return -1;
}

static const char *update_at(size_t i)
{
    return tl_update_at(i) ? tl_update_at(i)->name : NULL;
}

static tl_status check_routes(tl_ctx *ctx, const tl_study *s)
{
    for (size_t i = 0; s->q->routes && s->q->routes[i]; i++) {
        const char     *name  = s->q->routes[i];
        const tl_route *route = tl_update_find(name);
        const char     *meant = tl_did_you_mean(name, update_at);
        if (!route && meant)
            return tl_fail(ctx, TL_EUSAGE, "--routes",
                           "\"%.60s\" is not known (did you mean %s?)", name, meant);
        if (!route)
            return tl_fail(
                ctx, TL_EUSAGE, "--routes",
                "\"%.60s\" is nothing that is done with a model in use (see tailor "
                "help update)",
                name);
        if (route->learn == TL_LEARN_SAMPLE && !s->q->data.old)
            return tl_fail(ctx, TL_EUSAGE, "--routes", "%s needs old rows (give --old)",
                           name);
    }
    return TL_OK;
}

/* The model as it is stands beside whatever is asked. */
static bool is_asked(const tl_study *s, const tl_route *route)
{
    if (route->phases == 0) return true;
    if (!s->q->routes || !s->q->routes[0])
        return route->learn != TL_LEARN_SAMPLE || s->q->data.old;
    for (size_t i = 0; s->q->routes[i]; i++)
        if (strcmp(s->q->routes[i], route->name) == 0) return true;
    return false;
}

/* What starts far from the model's weights is trained as from scratch (so do Ash and
 * Adams). */
static tl_status settle_hyper(tl_ctx *ctx, const tl_study *s, tl_entry *e)
{
    const tl_route *route = e->c.route;
    const tl_route *rates =
        route->start == TL_START_BASE ? route : tl_route_find("scratch");
    const int64_t old = s->update.rest.count;
    const int64_t rows =
        s->train_rows + (e->learn == TL_LEARN_ALL      ? old
                         : e->learn == TL_LEARN_SAMPLE ? TL_MIN(old, s->train_rows)
                                                       : 0);
    tl_status rc;

    TL_TRY(tl_route_defaults(ctx, rates, &e->c.arch, rows, &e->trial[0]));
    if (e->c.keep_head && (s->data->classes == s->update.known || s->data->task->numbers))
        e->trial[0].head_rate = 1.0; /* no part of the head is new */
    TL_TRY(tl_study_override(ctx, s, route, &e->trial[0]));
    if (e->trial[0].image_size > 0)
        TL_FAIL(TL_EUSAGE, "image_size",
                "is the model's own in an update (leave it out, or give --base another "
                "network)");
    e->c.hyper = e->trial[0];
done:
    return rc;
}

/* The network goes on with its head; or, of another base, anew from all rows. */
static tl_status make_net(tl_ctx *ctx, const tl_study *s, tl_entry *e)
{
    const tl_model *base = s->base[e->base];
    tl_status       rc   = TL_OK;

    if (e->c.route->needs_base) e->c.base = base;
    if (e->base > 0) return tl_base_network(ctx, s->data, base, &e->c);
    e->c.prep = base->prep;
    TL_TRY(tl_arch_copy(ctx, &base->arch, &e->c.arch));
    e->c.arch.outputs = s->data->classes;
    e->c.keep_head    = e->c.route->needs_base;
done:
    return rc;
}

static tl_status add_entry(tl_ctx *ctx, tl_study *s, const tl_route *route, int base)
{
    tl_entry *e;
    tl_status rc;

    TL_TRY(tl_realloc(ctx, (size_t)(s->entries + 1) * sizeof *s->entry, &s->entry));
    e  = &s->entry[s->entries];
    *e = (tl_entry){ .c      = { .route = route },
                     .base   = base,
                     .learn  = base > 0 ? TL_LEARN_ALL : route->learn,
                     .active = true,
                     .trials = 1 };
    s->entries++;
    TL_TRY(make_net(ctx, s, e));
    TL_TRY(settle_hyper(ctx, s, e));
    TL_TRY(tl_study_view(ctx, s, &e->c.prep, &e->view));
    snprintf(e->label, sizeof e->label, "%s%s%.100s", route->name,
             base > 0 ? " from " : "",
             base > 0 ? tl_path_name(s->base[base]->path) : "");
done:
    return rc;
}

tl_status tl_update_list(tl_ctx *ctx, tl_study *s)
{
    tl_status rc;

    TL_TRY(check_routes(ctx, s));
    for (size_t i = 0; tl_update_at(i); i++)
        if (is_asked(s, tl_update_at(i))) TL_TRY(add_entry(ctx, s, tl_update_at(i), 0));
    for (int b = 1; b < s->bases; b++)
        TL_TRY(add_entry(ctx, s, tl_update_find("full"), b));
done:
    return rc;
}

static tl_status score(tl_ctx *ctx, tl_study *s, const tl_model *model, tl_cache *cache,
                       tl_rows rows, double *out)
{
    float    *answer = NULL;
    tl_status rc;

    TL_TRY(tl_study_ask(ctx, s, model, cache, rows, &answer));
    TL_TRY(tl_study_score_rows(ctx, s, rows, answer, model->threshold, out));
done:
    tl_free(ctx, answer);
    return rc;
}

/* Its score on the rows that others train on says what is new about them, not how it
 * fits: nothing is fitted. */
tl_status tl_update_keep(tl_ctx *ctx, tl_study *s, const tl_run_spec *spec,
                         tl_run_result *out)
{
    const double before = tl_time_s();
    tl_world    *world  = ctx->world;
    const size_t peak   = atomic_load(&world->peak_bytes);
    tl_rows      some   = { 0 };
    tl_status    rc;

    *out = (tl_run_result){ .valid_loss   = NAN,
                            .train_loss   = NAN,
                            .step_s_per_flop = NAN,
                            .look_s          = NAN,
                            .stopped      = "kept",
                            .fit          = "none" };
    atomic_store(&world->peak_bytes, atomic_load(&world->now_bytes));
    TL_TRY(tl_model_copy(ctx, spec->candidate.base, &out->model));
    TL_TRY(tl_rows_spread(ctx, spec->train, spec->valid.count, &some));
    TL_TRY(score(ctx, s, out->model, spec->cache, spec->valid, &out->valid_metric));
    TL_TRY(score(ctx, s, out->model, spec->cache, some, &out->train_metric));
    out->parameters      = tl_params_numel(out->model->params, false);
    out->accounted_bytes = atomic_load(&world->peak_bytes);
    out->seconds         = tl_time_s() - before;
done:
    if (atomic_load(&world->peak_bytes) < peak) atomic_store(&world->peak_bytes, peak);
    tl_free(ctx, some.row);
    return rc;
}
