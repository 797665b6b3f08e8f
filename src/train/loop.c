/* loop.c -- a phase of optimiser steps.  Every turn looks at the place alone to decide what
 * comes next (evaluate, end the epoch, stop, step), so that a run resumed at any step decides
 * the same.  Nothing is allocated between evaluations.  Floor 3, train. */
#include "train/trainer.h"
#include "core/machine.h"
#include "train/optim_kernels.h"
#include "train/pretrain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_POINTS = 100 }; /* evaluations at epoch ends, however many epochs */

typedef struct {
    tl_trainer        *t;
    const tl_phase    *phase;
    const tl_schedule *schedule;
    tl_augment         augment;
    tl_loader         *loader;
    tl_stepper         stepper;
    tl_evaluator       evaluator;
    tl_kept            kept;     /* what frozen blocks make of training and validation rows */
    tl_length          length;
    int64_t            first_step; /* of this process, for the ETA */
    double             first_time;
} loop;

static int64_t batches(const tl_run_spec *spec, const tl_loader *loader, int64_t epoch)
{
    const int64_t batch = spec->candidate.hyper.batch;

    return loader ? tl_loader_batches(loader, epoch)
                  : (tl_run_units(spec, spec->train) + batch - 1) / batch;
}

tl_length tl_loop_length(const tl_run_spec *spec, const tl_phase *phase,
                         const tl_loader *loader)
{
    const tl_hyper *h      = &spec->candidate.hyper;
    const double    epochs = tl_run_epochs(spec) * phase->budget_share;
    const int64_t   whole  = (int64_t)epochs;
    tl_length       length = { .epochs = epochs };

    for (int64_t e = 0; e < whole; e++) length.steps += batches(spec, loader, e);
    length.steps +=
        llround((epochs - (double)whole) * (double)batches(spec, loader, whole));
    if (h->steps > 0) {
        length.epochs *= (double)h->steps / (double)length.steps;
        length.steps = h->steps;
    }
    length.steps          = TL_MAX(length.steps, (int64_t)1);
    length.warmup         = (int64_t)(h->warmup * (double)length.steps);
    length.evaluate_every = TL_MAX((int64_t)1, (whole + MOST_POINTS - 1) / MOST_POINTS);
    return length;
}

static double rate(const loop *l, int64_t step)
{
    return l->t->at.rate * l->t->spec.candidate.hyper.optim.lr * l->phase->lr_scale *
           tl_schedule_factor(l->schedule, step, l->length.steps, l->length.warmup, NULL);
}

static int64_t last_step(const loop *l)
{
    const int64_t budget = l->t->spec.most_steps;

    return budget > 0 ? TL_MIN(budget, l->length.steps) : l->length.steps;
}

/* Powers of two within the first epoch, once as many rows were trained as twice validation's. */
static bool early_step(const tl_run_spec *spec, int64_t step)
{
    return step > 0 && (step & (step - 1)) == 0 &&
           step * spec->candidate.hyper.batch >= 2 * tl_run_units(spec, spec->valid);
}

static bool early_look(const loop *l)
{
    return l->t->at.epoch == 0 && l->t->at.earlier_epochs == 0 &&
           early_step(&l->t->spec, l->t->at.step);
}

/* A language model sees its text once or twice: it is looked at on the way, so often that
 * looking, a third of a step's work a row, takes a tenth of the time. */
static int64_t looks_on_the_way(const tl_run_spec *spec, int64_t steps)
{
    enum { LEAST_LOOKS = 2, MOST_LOOKS = 20 };
    const int64_t rows = steps * spec->candidate.hyper.batch;

    return TL_MAX(TL_MIN(3 * rows / (10 * spec->valid.count), (int64_t)MOST_LOOKS),
                  (int64_t)LEAST_LOOKS);
}

static bool look_on_the_way(const loop *l)
{
    const int64_t looks = looks_on_the_way(&l->t->spec, last_step(l));

    return l->t->at.step % TL_MAX(last_step(l) / looks, (int64_t)1) == 0;
}

int64_t tl_loop_looks(const tl_run_spec *spec, const tl_length *length, int64_t steps, bool later)
{
    const double share = (double)steps / (double)length->steps;
    int64_t      looks;

    if (spec->dataset->task->words) return later + looks_on_the_way(spec, steps);
    looks = later + (int64_t)ceil(share * length->epochs / (double)length->evaluate_every - 1e-9);
    for (int64_t k = 1; !later && k < steps; k *= 2) {
        if ((double)k * length->epochs >= (double)length->steps) break; /* past the first epoch */
        looks += early_step(spec, k);
    }
    return looks;
}

/* Of the training that has gone by; phases that are solved count for nothing. */
static double share_gone(const loop *l)
{
    const tl_trainer *t   = l->t;
    double            sum = 0.0;

    for (int i = 0; i < t->at.phase; i++) {
        const tl_phase phase = tl_run_phase(&t->spec, t->model->params, i);
        if (!phase.solve) sum += phase.budget_share;
    }
    return sum + l->phase->budget_share * (double)t->at.step / (double)l->length.steps;
}

/* Only where the run looks anyway: one that was paused is the same as one that was not. */
static bool pause_due(const loop *l)
{
    const tl_run_spec *spec = &l->t->spec;
    const tl_place    *at   = &l->t->at;

    if (!(spec->pause_share > 0.0) || !spec->checkpoint) return false; /* asked at every step */
    if (!at->has_best || at->evaluated != at->step) return false;
    const double gone = share_gone(l);
    return gone >= spec->pause_share - 1e-9 && gone < 1.0 - 1e-9 &&
           (at->step < last_step(l) || last_step(l) == l->length.steps);
}

static bool epoch_over(const loop *l)
{
    return l->t->at.position >= tl_loader_batches(l->loader, l->t->at.epoch);
}

static bool look_due(const loop *l)
{
    const tl_place *at = &l->t->at;

    if (at->evaluated == at->step) return false;
    if (at->step == 0) return at->has_best; /* the phase before left a head worth judging */
    if (l->t->spec.dataset->task->words)
        return look_on_the_way(l) || at->step >= last_step(l);
    return early_look(l) || at->step >= last_step(l) ||
           (epoch_over(l) && (at->epoch + 1) % l->length.evaluate_every == 0);
}

static tl_progress where(const loop *l)
{
    const tl_trainer *t    = l->t;
    const int64_t     done = t->at.step - l->first_step;

    return (tl_progress){
        .phase  = "train",
        .epoch  = t->at.epoch + 1,
        .epochs = (int64_t)ceil(l->length.epochs),
        .step   = t->at.position,
        .steps  = tl_loader_batches(l->loader, t->at.epoch),
        .loss = t->at.loss_rows ? t->at.loss_sum / (double)t->at.loss_rows : (double)NAN,
        .metric =
            t->at.loss_rows ? tl_tally_metric(&t->tally, t->spec.metric) : (double)NAN,
        .lr          = rate(l, TL_MAX(t->at.step - 1, (int64_t)0)),
        .eta_seconds = done > 0 ? (tl_time_s() - l->first_time) / (double)done *
                                      (double)(last_step(l) - t->at.step)
                                : (double)NAN
    };
}

/* The mean that has seen few steps follows faster.
 * Source: tf.train.ExponentialMovingAverage with num_updates. */
static void follow(tl_trainer *t)
{
    const tl_params *params = t->model->params;
    const double     step   = (double)t->at.step;
    const double decay = fmin(t->spec.candidate.hyper.ema, (1.0 + step) / (10.0 + step));

    if (t->ema)
        tl_optim_chosen()->follow(t->ema, params->value, (float)(1.0 - decay),
                                  params->floats);
}

/* The weights and their mean change places. */
static void exchange(tl_trainer *t)
{
    float *w = t->model->params->value;

    for (int64_t i = 0; t->ema && i < t->model->params->floats; i++) {
        const float held = w[i];
        w[i]             = t->ema[i];
        t->ema[i]        = held;
    }
}

static tl_status look(tl_ctx *ctx, loop *l)
{
    tl_trainer   *t   = l->t;
    const bool    end = epoch_over(l);
    const int64_t epochs = t->at.earlier_epochs + t->at.epoch + end;
    tl_progress   p = where(l); /* before the sums of the epoch start anew */
    const double  start = tl_time_s();
    tl_status     rc;

    t->at.share = share_gone(l);
    exchange(t);
    rc = tl_evaluate(ctx, &l->evaluator, t->spec.valid);
    if (rc != TL_OK) exchange(t);
    TL_TRY(rc);
    t->at.flops +=
        l->stepper.flops / 3.0 / (double)l->stepper.rows *
        (double)tl_run_units(&t->spec, t->spec.valid);
    rc = tl_trainer_judge(ctx, t, epochs,
                          tl_tally_metric(&l->evaluator.tally, t->spec.metric),
                          tl_tally_loss(&l->evaluator.tally), p.lr);
    if (rc == TL_OK) rc = tl_trainer_tale(ctx, t);
    exchange(t);
    TL_TRY(rc);
    tl_times_add(&t->look, tl_time_s() - start);
    p.epoch_end = end;
    tl_trainer_say(t, &p, end);
done:
    return rc;
}

/* The epoch of this phase that patience counts from. */
static int64_t since_best(const tl_place *at)
{
    return TL_MAX(at->best_epoch - at->earlier_epochs, (int64_t)0);
}

static bool out_of_patience(const loop *l)
{
    const tl_place *at       = &l->t->at;
    const double    patience = l->t->spec.candidate.hyper.patience;

    return patience > 0.0 && at->has_best &&
           (double)(at->epoch - since_best(at)) >= patience;
}

/* The end marker comes between epochs. */
static tl_status end_epoch(tl_ctx *ctx, loop *l)
{
    const tl_batch *batch;
    tl_status       rc;

    TL_TRY(tl_loader_next(ctx, l->loader, &batch));
    if (batch->rows != 0) TL_FAIL(TL_EFAIL, "loader", "an epoch is longer than it said");
    l->t->at.epoch++;
    l->t->at.position = 0;
    tl_trainer_forget(l->t);
    if (out_of_patience(l)) {
        l->t->stopped = "patience";
        snprintf(l->t->detail, sizeof l->t->detail,
                 "no better %s on validation for %lld epochs", l->t->spec.metric,
                 (long long)(l->t->at.epoch - since_best(&l->t->at)));
    }
done:
    return rc;
}

static tl_status step_once(tl_ctx *ctx, loop *l)
{
    tl_trainer     *t  = l->t;
    tl_place       *at = &t->at;
    const tl_batch *batch;
    tl_step_result  r;
    tl_status       rc;
    const double    start = tl_time_s();

    TL_TRY(tl_loader_next(ctx, l->loader, &batch));
    if (batch->rows == 0) TL_FAIL(TL_EFAIL, "loader", "an epoch is shorter than it said");
    rc = tl_stepper_step(ctx, &l->stepper, batch, at->step, rate(l, at->step), &t->tally,
                         &r);
    if (rc == TL_ENAN) { /* the weights are those before this step: judge and keep them */
        t->stopped = "nan";
        snprintf(t->detail, sizeof t->detail, "epoch %lld, batch %lld: %.180s",
                 (long long)at->epoch + 1, (long long)at->position + 1, ctx->message);
        return TL_OK;
    }
    TL_TRY(rc);
    const double flops = l->stepper.flops / (double)l->stepper.rows * (double)r.rows;
    tl_times_add(&t->pace, (tl_time_s() - start) / fmax(1.0, flops));
    at->step++;
    at->position++;
    follow(t);
    at->loss_sum += r.loss * (double)r.counted;
    at->loss_rows += r.counted;
    at->flops += flops;
    tl_progress p = where(l);
    tl_trainer_say(t, &p, at->step == l->first_step + 1);
done:
    return rc;
}

/* Saved, if there is a place to save to; otherwise the run ends here with its best. */
static tl_status interrupted(tl_ctx *ctx, loop *l)
{
    tl_status rc = TL_OK;

    if (l->t->spec.checkpoint) {
        TL_TRY(tl_trainer_save(ctx, l->t, &l->stepper, NULL, 0));
        TL_FAIL(TL_ECANCEL, l->t->spec.checkpoint,
                "interrupted, saved (tailor resume goes on)");
    }
    l->t->stopped = "interrupted";
done:
    return rc;
}

static tl_status turn(tl_ctx *ctx, loop *l)
{
    tl_status rc = TL_OK;

    if (tl_cancelled(ctx)) return interrupted(ctx, l);
    if (pause_due(l)) {
        l->t->stopped = "paused";
        return tl_trainer_save(ctx, l->t, &l->stepper, NULL, 0);
    }
    if (look_due(l)) {
        rc = look(ctx, l);
        return rc == TL_ECANCEL ? interrupted(ctx, l) : rc;
    }
    if (l->t->at.step >= last_step(l)) {
        if (epoch_over(l)) l->t->at.epoch++;
        l->t->stopped = l->t->at.step < l->length.steps ? "budget" : "epochs";
        return TL_OK;
    }
    if (epoch_over(l)) TL_TRY(end_epoch(ctx, l));
    else TL_TRY(step_once(ctx, l));
    if (!l->t->stopped && tl_trainer_save_due(l->t))
        rc = tl_trainer_save(ctx, l->t, &l->stepper, NULL, 0);
done:
    return rc;
}

static tl_status open_loop(tl_ctx *ctx, tl_trainer *t, loop *l, const tl_checkpoint *from)
{
    const tl_run_spec   *spec = &t->spec;
    const tl_hyper      *h    = &spec->candidate.hyper;
    tl_loader_spec       ask  = {
        .cache = spec->cache, .rows = spec->train, .batch = h->batch, .shuffle = true,
        .drop_short = tl_run_groups(spec, t->model->params), .seed = spec->seed,
        .augment = strcmp(h->augment, "none") != 0 || h->erase > 0.0 ? &l->augment : NULL,
        .balanced = h->balanced,
        .first_epoch = t->at.earlier_epochs, .table = l->kept.x,
        .place = l->kept.at, .width = l->kept.width, .target = l->phase->taught ? t->taught : NULL,
        .outputs = spec->dataset->classes
    };
    tl_status rc;

    tl_prep_scale(&spec->candidate.prep, &ask.target_mean, &ask.target_scale);
    if (!tl_augment_named(h->augment, &l->augment))
        TL_FAIL(TL_EUSAGE, "augment", "\"%.40s\" is not known (see `tailor help train`)",
                h->augment);
    if (h->erase >= 0.0) l->augment.erase = h->erase;
    t->train_known = false;
    if (t->ema && !from)
        memcpy(t->ema, t->model->params->value,
               (size_t)t->model->params->floats * sizeof *t->ema);
    l->schedule    = tl_schedule_find(h->schedule);
    TL_TRY(tl_loader_new(ctx, &ask, &l->loader));
    l->length = tl_loop_length(spec, l->phase, l->loader);
    TL_TRY(tl_stepper_new(ctx, spec, t->model, l->phase, &l->stepper));
    l->stepper.origin  = t->origin;
    l->stepper.stream  = l->kept.stream.x ? &l->kept.stream : NULL;
    l->stepper.earlier = t->at.earlier_steps;
    TL_TRY(tl_evaluator_above(ctx, spec, t->model,
                              TL_MIN(spec->micro_batch, (int64_t)32),
                              l->phase->cached ? l->phase->from : 0, &l->kept, &l->evaluator));
    if (from) TL_TRY(tl_stepper_restore(ctx, &l->stepper, from));
    else if (t->at.phase > 0 || l->phase->pretrained)
        TL_TRY(tl_trainer_save(ctx, t, &l->stepper, NULL, 0));
    if (t->at.step > 0 || t->at.epoch > 0)
        TL_TRY(tl_loader_seek(ctx, l->loader, t->at.epoch, t->at.position));
    l->first_step = t->at.step;
    l->first_time = tl_time_s();
done:
    return rc;
}

/* After a stop in the middle: the weights as they are may still be the best. */
static tl_status last_look(tl_ctx *ctx, loop *l)
{
    const int cancel = atomic_load(&ctx->world->cancel);
    tl_status rc     = TL_OK;

    if (l->t->at.evaluated == l->t->at.step) return TL_OK;
    atomic_store(&ctx->world->cancel, 0); /* without a checkpoint this is all that is kept */
    rc = look(ctx, l);
    if (cancel) atomic_store(&ctx->world->cancel, cancel);
    return rc;
}

tl_status tl_loop_run(tl_ctx *ctx, tl_trainer *t, const tl_phase *phase,
                      const tl_checkpoint *from)
{
    loop      l = { .t = t, .phase = phase };
    tl_status rc;

    if (phase->taught && !t->taught) TL_TRY(tl_teach_run(ctx, t));
    if (phase->pretrained && !from)
        TL_TRY((t->model->arch.family->text ? tl_pretrain_words_run : tl_pretrain_run)(ctx, t));
    if (phase->cached) TL_TRY(tl_kept_open(ctx, t, phase->from, &l.kept));
    TL_TRY(open_loop(ctx, t, &l, from));
    while (!t->stopped) TL_TRY(turn(ctx, &l));
    TL_TRY(last_look(ctx, &l));
    if (strcmp(t->stopped, "epochs") == 0) t->stopped = NULL; /* the next phase's turn */
done:
    tl_loader_free(ctx, l.loader);
    tl_evaluator_free(ctx, &l.evaluator);
    tl_stepper_free(ctx, &l.stepper);
    tl_kept_free(ctx, &l.kept);
    return rc;
}
