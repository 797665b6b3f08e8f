/* average.c -- a model in use goes on learning from the new rows, and its weights are
 * then averaged with what they were: half way, most of what is new is known and less
 * of the old forgotten. Source: Wortsman et al. 2022 (WiSE-FT, a share of 0.5),
 * arXiv:2109.01903.  Floor 3, train. */
#include "train/routes/fine.h"
#include "train/trainer.h"

#include <string.h>

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_fine(h, arch, train_rows);
    h->average = 0.5;
}

/* Running statistics are averaged like weights. */
static tl_status finish(tl_ctx *ctx, tl_trainer *t)
{
    tl_evaluator e     = { 0 };
    tl_params   *p     = t->model->params;
    const double share = t->spec.candidate.hyper.average;
    tl_status    rc;

    if (!t->origin) return TL_OK;
    tl_learnt_give(&t->learnt, t->best, p->value);
    for (int64_t i = 0; i < p->floats; i++)
        p->value[i] = (float)((1.0 - share) * (double)t->origin[i] + share * (double)p->value[i]);
    tl_learnt_keep(&t->learnt, p->value, t->best);
    TL_TRY(tl_evaluator_new(ctx, &t->spec, t->model, 32, &e));
    TL_TRY(tl_evaluate(ctx, &e, t->spec.valid));
    t->at.best_metric = tl_tally_metric(&e.tally, t->spec.metric);
    t->at.best_loss   = tl_tally_loss(&e.tally);
    t->train_known    = false;
done:
    tl_evaluator_free(ctx, &e);
    return rc;
}

const tl_route tl_route_average = {
    .name       = "average",
    .doc        = "trained further on new rows, then averaged with what it was",
    .source     = "Wortsman et al. 2022, arXiv:2109.01903",
    .decision   = "hybrid",
    .action     = "fine-tune @ and average it with what it was",
    .plain      = "the model goes on learning from the new data; then the mean of it and of the "
                  "model before is taken, weight by weight",
    .update     = "fine-tune the model on @, and take the mean of it and of what it was",
    .needs_base = true,
    .start      = TL_START_BASE,
    .learn      = TL_LEARN_NEW,
    .phase      = { { .which = TL_TRAIN_ALL, .lr_scale = 1.0, .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = defaults,
    .finish     = finish,
};
