/* phases.c -- the phases of a route on one network: a route's record says "the top" or "one
 * after the other", here it becomes block numbers, shares and rates.  Floor 3, train. */
#include "core/text.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

enum { MOST_STAGES = 5, EPOCHS_A_STAGE = 2 };

/* Blocks of the body; the head is not one of them. */
static int body_blocks(const tl_params *params)
{
    int deepest = 0;

    for (int32_t i = 0; i < params->count; i++)
        if (!params->param[i].head) deepest = TL_MAX(deepest, params->param[i].block);
    return deepest + 1;
}

/* ULMFiT's networks have four groups of layers; deeper ones unfreeze several blocks a step. */
static int stages_of(const tl_run_spec *spec, const tl_params *params)
{
    const tl_hyper *h      = &spec->candidate.hyper;
    const int       blocks = body_blocks(params);
    const int64_t   fits   = (int64_t)(tl_run_epochs(spec) / EPOCHS_A_STAGE);
    const int64_t   most   = TL_MIN((int64_t)MOST_STAGES, fits);

    return (int)TL_MAX((int64_t)1, TL_MIN((int64_t)blocks, h->stages ? h->stages : most));
}

int64_t tl_run_units(const tl_run_spec *spec, tl_rows rows)
{
    if (!spec->dataset->tags || !spec->cache || !tl_cache_asks_words(spec->cache))
        return rows.count;
    return tl_cache_windows(spec->cache, rows);
}

double tl_run_epochs(const tl_run_spec *spec)
{
    const tl_hyper *h = &spec->candidate.hyper;

    return fmax(h->epochs,
                (double)h->least_steps * (double)h->batch /
                    (double)tl_run_units(spec, spec->train));
}

int tl_run_phases(const tl_run_spec *spec, const tl_params *params)
{
    const tl_route *route = spec->candidate.route;
    int             count = 0;

    for (int i = 0; i < route->phases; i++)
        count += route->phase[i].unfolds ? stages_of(spec, params) : 1;
    return count;
}

/* Lowest block of the top (stage + 1) of `stages` equal parts. */
static int lowest_of(int blocks, int stage, int stages)
{
    return blocks - ((stage + 1) * blocks + stages - 1) / stages;
}

/* All but the last stage share half of the epochs. */
static tl_phase unfolded(tl_phase phase, const tl_run_spec *spec, const tl_params *params,
                         int stage)
{
    const int    stages = stages_of(spec, params);
    const double share  = phase.budget_share * 0.5 / (double)stages;

    phase.from         = lowest_of(body_blocks(params), stage, stages);
    phase.stages       = stages;
    phase.budget_share = stage < stages - 1
                             ? share
                             : phase.budget_share - share * (double)(stages - 1);
    return phase;
}

bool tl_hyper_augments(const tl_hyper *h)
{
    return strcmp(h->augment, "none") != 0 || h->erase > 0.0 || tl_hyper_mixes(h);
}

bool tl_hyper_mixes(const tl_hyper *h)
{
    return h->mixup > 0.0 || h->cutmix > 0.0;
}

bool tl_hyper_keeps(const tl_hyper *h)
{
    return h->cached && (h->adapt.kind == TL_ADAPT_NONE || h->top_blocks > 0);
}

/* Of texts: rows of their own, each asked once for its class. */
static bool keeps_below(const tl_run_spec *spec)
{
    const tl_task *task = spec->dataset->task;

    return !spec->candidate.arch.family->text || (!task->words && !task->tags);
}

tl_status tl_run_adapters(tl_ctx *ctx, tl_run_spec *spec)
{
    const tl_hyper *h      = &spec->candidate.hyper;
    tl_adapt       *adapt  = &spec->candidate.arch.adapt;
    tl_params      *params = NULL;
    tl_status       rc;

    if (h->adapt.kind == TL_ADAPT_NONE) return TL_OK;
    *adapt = h->adapt;
    if (!h->top_blocks) return TL_OK;
    if (adapt->kind == TL_ADAPT_PREFIX)
        TL_FAIL(TL_EUSAGE, "top_blocks", "a prefix stands in every layer (leave it out)");
    TL_TRY(tl_arch_params(ctx, &spec->candidate.arch, &params));
    adapt->from = TL_MAX((int64_t)0, body_blocks(params) - h->top_blocks);
done:
    tl_params_free(ctx, params);
    return rc;
}

static tl_phase settled(tl_phase phase, const tl_run_spec *spec, const tl_params *params)
{
    const tl_hyper *h      = &spec->candidate.hyper;
    const int       blocks = body_blocks(params);
    const int64_t   top    = h->top_blocks ? h->top_blocks : (blocks + 2) / 3;

    if (phase.which == TL_TRAIN_ADAPTERS) phase.from = (int)spec->candidate.arch.adapt.from;
    else if (phase.which == TL_TRAIN_TOP) phase.from = (int)TL_MAX((int64_t)0, blocks - top);
    else return phase;
    phase.cached = h->cached && phase.from > 0 && !tl_hyper_augments(h) && keeps_below(spec);
    return phase;
}

tl_phase tl_run_phase(const tl_run_spec *spec, const tl_params *params, int i)
{
    const tl_route *route = spec->candidate.route;
    int             k     = 0;

    while (k < route->phases - 1) {
        const int here = route->phase[k].unfolds ? stages_of(spec, params) : 1;
        if (i < here) break;
        i -= here;
        k++;
    }
    return route->phase[k].unfolds ? unfolded(route->phase[k], spec, params, i)
                                   : settled(route->phase[k], spec, params);
}

/* How many steps down from the top a block is: parts of the network that unfolds, or blocks. */
static int steps_down(const tl_phase *phase, int block, int blocks)
{
    int step = 0;

    if (!phase->stages) return blocks - 1 - block;
    while (lowest_of(blocks, step, phase->stages) > block) step++;
    return step;
}

/* The shift of a norm is a bias as well (Ben Zaken et al. 2022). */
static bool is_bias(const tl_param *p)
{
    return p->role == TL_ROLE_BIAS ||
           (p->role == TL_ROLE_NORM && tl_ends_with(p->name, ".bias"));
}

static bool moves(const tl_param *p, const tl_phase *phase)
{
    if (p->role == TL_ROLE_STATE || p->packed) return false;
    if (p->head) return phase->which != TL_TRAIN_NOTHING;
    switch (phase->which) {
    case TL_TRAIN_BIASES: return is_bias(p);
    case TL_TRAIN_ADAPTERS: return p->adapter;
    default: return phase->which >= TL_TRAIN_TOP && p->block >= phase->from;
    }
}

void tl_train_select(tl_params *params, const tl_phase *phase, const tl_hyper *h)
{
    const int blocks = body_blocks(params);

    for (int32_t i = 0; i < params->count; i++) {
        tl_param *p  = &params->param[i];
        p->trainable = moves(p, phase);
        p->lr_scale  = 1.0f;
        if (p->head && phase->which > TL_TRAIN_HEAD) p->lr_scale = (float)h->head_rate;
        else if (phase->which >= TL_TRAIN_TOP && h->depth_rate != 1.0)
            p->lr_scale =
                (float)pow(h->depth_rate, -steps_down(phase, p->block, blocks));
    }
}

bool tl_run_groups(const tl_run_spec *spec, const tl_params *params)
{
    const tl_route *route = spec->candidate.route;
    bool            body  = false;

    for (int i = 0; i < route->phases; i++) body |= route->phase[i].which >= TL_TRAIN_TOP;
    return body && !spec->candidate.hyper.frozen_norm && tl_params_have_state(params);
}
