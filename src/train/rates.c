/* rates.c -- the learning-rate range test: the rate rises a little each step, the loss falls,
 * then explodes; a tenth of the rate at the bottom is a good one.
 * Sources: Smith 2017, arXiv:1506.01186; fastai's lr_find (its "minimum").  Floor 3, train. */
#include "train/rates.h"
#include "train/trainer.h"

#include <math.h>

static const double SMOOTH = 0.9, EXPLODED = 4.0, LOWEST = 1e-6, HIGHEST = 1.0;

typedef struct {
    tl_trainer t;
    tl_loader *loader;
    tl_stepper stepper;
    tl_augment augment;
} test;

/* The last phase that takes steps, on the network as it starts. */
static tl_status phase_of(tl_ctx *ctx, const test *x, tl_phase *out)
{
    for (int i = tl_run_phases(&x->t.spec, x->t.model->params) - 1; i >= 0; i--) {
        *out = tl_run_phase(&x->t.spec, x->t.model->params, i);
        out->cached = out->taught = out->pretrained = false;
        if (!out->solve) return TL_OK;
    }
    return tl_fail(ctx, TL_EUSAGE, x->t.spec.candidate.route->name,
                   "takes no steps, so there is no rate to find (take another route)");
}

static tl_status open_test(tl_ctx *ctx, const tl_run_spec *spec, test *x)
{
    tl_hyper *h;
    tl_phase  phase;
    tl_status rc;

    TL_TRY(tl_run_settle(ctx, spec, &x->t.spec));
    h = &x->t.spec.candidate.hyper;
    TL_TRY(tl_trainer_model(ctx, &x->t.spec, &x->t.model));
    TL_TRY(phase_of(ctx, x, &phase));
    if (tl_run_groups(&x->t.spec, x->t.model->params))
        x->t.spec.micro_batch = h->batch / h->shards;
    h->anchor = h->anchor_head = 0.0; /* nothing pulls yet where the run begins */
    tl_loader_spec ask = { .cache      = x->t.spec.cache,
                                 .rows       = x->t.spec.train,
                                 .batch      = h->batch,
                                 .shuffle    = true,
                                 .balanced   = h->balanced,
                                 .drop_short = tl_run_groups(&x->t.spec, x->t.model->params),
                                 .seed       = x->t.spec.seed,
                                 .augment    = tl_augment_named(h->augment, &x->augment)
                                                   ? &x->augment
                                                   : NULL };
    tl_prep_scale(&x->t.spec.candidate.prep, &ask.target_mean, &ask.target_scale);
    TL_TRY(tl_loader_new(ctx, &ask, &x->loader));
    TL_TRY(tl_tally_of(ctx, &x->t.spec, &x->t.tally));
    TL_TRY(tl_stepper_new(ctx, &x->t.spec, x->t.model, &phase, &x->stepper));
done:
    return rc;
}

static tl_status one_step(tl_ctx *ctx, test *x, int64_t step, double lr, double *loss)
{
    const tl_batch *batch;
    tl_step_result  r;
    tl_status       rc;

    if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "rates", "interrupted");
    TL_TRY(tl_loader_next(ctx, x->loader, &batch));
    if (batch->rows == 0) TL_TRY(tl_loader_next(ctx, x->loader, &batch));
    rc    = tl_stepper_step(ctx, &x->stepper, batch, step, lr, &x->t.tally, &r);
    *loss = rc == TL_ENAN ? INFINITY : r.loss;
    if (rc == TL_ENAN) rc = TL_OK;
done:
    return rc;
}

tl_status tl_run_rates(tl_ctx *ctx, const tl_run_spec *spec, tl_rate_test *out)
{
    test         x    = { 0 };
    double       mean = 0.0, best = INFINITY;
    tl_rate_test made = { 0 };
    tl_status    rc;

    TL_TRY(open_test(ctx, spec, &x));
    const double usual = x.stepper.optimizer->rate;
    for (int64_t i = 0; i < TL_RATES; i++) {
        const double share = (double)i / (TL_RATES - 1);
        const double lr    = usual * LOWEST * pow(HIGHEST / LOWEST, share);
        double       loss  = INFINITY;
        TL_TRY(one_step(ctx, &x, i, lr, &loss));
        mean                       = SMOOTH * mean + (1.0 - SMOOTH) * loss;
        const double smooth        = mean / (1.0 - pow(SMOOTH, (double)i + 1.0));
        made.point[made.points++]  = (tl_rate_point){ lr, smooth };
        if (!(smooth <= EXPLODED * best) && i > 0) break;
        if (smooth >= best) continue;
        best           = smooth;
        made.suggested = lr / 10.0;
    }
    *out = made;
done:
    tl_stepper_free(ctx, &x.stepper);
    tl_loader_free(ctx, x.loader);
    tl_tally_free(ctx, &x.t.tally);
    tl_model_free(ctx, x.t.model);
    return rc;
}
