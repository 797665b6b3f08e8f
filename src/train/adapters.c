/* adapters.c -- the end of a route that trained beside a frozen base: what it learned goes into
 * the base's weights, and must answer real rows as before.  Floor 3, train. */
#include "bundle/adapter.h"
#include "train/routes/adapters.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

enum { ROWS = 64, BATCH = 16 };

/* Merging rounds each weight once more in f32: some 1e-6 of the largest output. */
static const double most_apart = 1e-4;

static tl_status answers(tl_ctx *ctx, const tl_run_spec *spec, const tl_model *m,
                         tl_rows rows, float *y)
{
    tl_predictor *p = NULL;
    tl_status     rc;

    TL_TRY(tl_predictor_new(ctx, m, TL_PART_WHOLE, BATCH, spec->backend, spec->slab,
                            TL_F32, &p));
    rc = tl_predictor_rows(ctx, p, spec->cache, rows, y);
done:
    tl_predictor_free(ctx, p);
    return rc;
}

/* Of a language model each row's loss. */
static tl_status losses(tl_ctx *ctx, const tl_run_spec *spec, const tl_model *m, tl_rows rows,
                        float *y)
{
    const tl_asking how  = tl_run_asking(spec, 0);
    tl_scorer      *s    = NULL;
    double         *loss = NULL;
    tl_status       rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, sizeof *loss, &loss));
    TL_TRY(tl_scorer_new(ctx, m, spec->cache, &how, spec->backend, spec->slab, TL_F32, &s));
    TL_TRY(tl_scorer_rows(ctx, s, rows, NULL, NULL, loss, NULL));
    for (int64_t i = 0; i < rows.count; i++) y[i] = (float)loss[i];
done:
    tl_scorer_free(ctx, s);
    tl_free(ctx, loss);
    return rc;
}

/* What a model says to some of validation's rows, in f32, whatever the run's precision. */
typedef struct {
    tl_rows rows;
    size_t  count;
    float  *y; /* [count] */
} sayings;

static void sayings_end(tl_ctx *ctx, sayings *s)
{
    tl_free(ctx, s->rows.row);
    tl_free(ctx, s->y);
    *s = (sayings){ 0 };
}

static tl_status ask(tl_ctx *ctx, const tl_run_spec *spec, const tl_model *m, sayings *out)
{
    const bool words = spec->dataset->task->words;
    tl_status  rc;

    TL_TRY(tl_rows_spread(ctx, spec->valid, ROWS, &out->rows));
    out->count = (size_t)out->rows.count * (words ? 1 : (size_t)m->arch.outputs);
    TL_TRY(tl_alloc_array(ctx, out->count, sizeof *out->y, &out->y));
    TL_TRY((words ? losses : answers)(ctx, spec, m, out->rows, out->y));
done:
    return rc;
}

static tl_status hold_to(tl_ctx *ctx, const tl_run_spec *spec, const sayings *apart,
                         const sayings *merged)
{
    double    differ = 0.0, top = 0.0;
    bool      finite = true;
    tl_status rc     = TL_OK;

    for (size_t i = 0; i < apart->count; i++) {
        const double a = (double)apart->y[i], b = (double)merged->y[i];
        finite &= isfinite(a) && isfinite(b);
        differ = fmax(differ, fabs(a - b));
        top    = fmax(top, fabs(a));
    }
    if (!finite)
        TL_FAIL(TL_ENAN, spec->candidate.route->name,
                "the adapter's outputs are not finite (lower optim.lr)");
    if (!(differ <= most_apart * top))
        TL_FAIL(TL_EFAIL, spec->candidate.route->name,
                "merged and unmerged outputs differ by %.3g of the largest (report this)",
                differ / top);
done:
    return rc;
}

/* Scored anew: what is handed over is what was measured. */
static tl_status score(tl_ctx *ctx, tl_trainer *t)
{
    tl_evaluator e = { 0 };
    tl_status    rc;

    TL_TRY(tl_evaluator_new(ctx, &t->spec, t->model,
                            TL_MIN(t->spec.micro_batch, (int64_t)32), &e));
    TL_TRY(tl_evaluate(ctx, &e, t->spec.valid));
    t->at.best_metric = tl_tally_metric(&e.tally, t->spec.metric);
    t->at.best_loss   = tl_tally_loss(&e.tally);
done:
    tl_evaluator_free(ctx, &e);
    return rc;
}

tl_status tl_adapters_keep(tl_ctx *ctx, tl_trainer *t)
{
    tl_model *m = t->model;

    tl_learnt_give(&t->learnt, t->best, m->params->value);
    tl_adapter_free(ctx, m->adapter);
    return tl_adapter_of(ctx, m, &m->adapter);
}

/* Of positions the network has only so many, and the prefix takes the first ones. */
tl_status tl_trainer_leave_places(tl_ctx *ctx, tl_trainer *t)
{
    tl_candidate *c     = &t->spec.candidate;
    const int64_t taken = tl_adapt_places(&c->hyper.adapt);
    const int64_t left  = c->arch.row.dim[0] - taken;
    tl_status     rc    = TL_OK;

    if (!taken || !c->prep.text || tl_cache_most(t->spec.cache) <= left) return TL_OK;
    if (left < 1 || t->spec.dataset->task->words)
        TL_FAIL(TL_EUSAGE, c->route->name,
                "%" PRId64 " tokens in front leave no room in %" PRId64
                " places (lower lora.r, or of plain text block)",
                taken, c->arch.row.dim[0]);
    TL_TRY(tl_texter_shorter(ctx, c->prep.text, left, &t->texter));
    c->prep.text = t->texter;
    TL_TRY(tl_cache_new(ctx, t->spec.dataset, &c->prep, 0, &t->cache));
    t->spec.cache = t->cache;
done:
    return rc;
}

/* The merged model is the best as it stands: nothing of it changes any more, or is kept apart.
 * Each of the two is asked while the other is not there. */
tl_status tl_adapters_finish(tl_ctx *ctx, tl_trainer *t)
{
    tl_model *merged = NULL;
    sayings   before = { 0 }, after = { 0 };
    tl_status rc;

    tl_learnt_give(&t->learnt, t->best, t->model->params->value);
    tl_learnt_free(ctx, &t->learnt);
    tl_free(ctx, t->best);
    t->best = NULL;
    TL_TRY(ask(ctx, &t->spec, t->model, &before));
    TL_TRY(tl_model_merged(ctx, t->model, &merged));
    t->trained = tl_params_numel(t->model->params, true);
    tl_model_free(ctx, t->model);
    t->model = merged;
    TL_TRY(ask(ctx, &t->spec, t->model, &after));
    TL_TRY(hold_to(ctx, &t->spec, &before, &after));
    rc = score(ctx, t);
done:
    sayings_end(ctx, &before);
    sayings_end(ctx, &after);
    return rc;
}
