/* run.c -- one run from its question to its result: settled, phase by phase, judged, told.
 * Floor 3, train. */
#include "train/run.h"
#include "core/machine.h"
#include "core/rand.h"
#include "model/pooled.h"
#include "train/nearest.h"
#include "train/pooled.h"
#include "train/thresholds.h"
#include "train/trainer.h"
#include "train/tfidf.h"
#include "train/trees/trees.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* w = shrink w + N(0, perturb^2) for all that the base brings and training moves; a head that
 * goes on is the base's, too. */
static void shrink_and_perturb(const tl_run_spec *spec, tl_params *params)
{
    const tl_hyper *h = &spec->candidate.hyper;

    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p = &params->param[i];
        float          *w = tl_params_value(params, p);
        if ((p->head && !spec->candidate.keep_head) || p->role == TL_ROLE_STATE) continue;
        for (int64_t k = 0; k < p->count; k++)
            w[k] = (float)(h->shrink * (double)w[k] +
                           h->perturb * tl_rand_normal(spec->seed, TL_STREAM_PERTURB,
                                                       (uint64_t)(p->at + k)));
    }
}

/* A network around that of its base, which is none of that kind; or with neighbours of its own. */
static bool makes_vectors(const tl_candidate *c)
{
    return c->base && tl_arch_is_pooled(&c->arch) &&
           (!c->route->needs_base || !tl_arch_is_pooled(&c->base->arch));
}

tl_status tl_trainer_model(tl_ctx *ctx, const tl_run_spec *spec, tl_model **out)
{
    const tl_candidate *c    = &spec->candidate;
    const tl_dataset   *d    = spec->dataset;
    tl_arch             arch = c->arch;
    tl_model            base;
    tl_status           rc;

    if (makes_vectors(c)) return tl_pooled_model(ctx, spec, out);
    if (!d->task->words) arch.outputs = d->classes;
    if (c->hyper.dropout >= 0.0) arch.dropout = c->hyper.dropout;
    if (c->route->start == TL_START_NEW)
        return tl_model_new(ctx, &arch, &c->prep, d->task->words ? NULL : d->class_name,
                            spec->seed, out);
    base          = *c->base; /* borrowed, but at the candidate's input size */
    base.arch.row = c->arch.row;
    base.arch.adapt = c->arch.adapt;
    base.prep     = c->prep;
    if (c->keep_head)
        rc = tl_model_with_classes(ctx, &base, d->classes, d->class_name, c->hyper.dropout,
                                   spec->seed, out);
    else if (d->task->words)
        rc = tl_model_with_words(ctx, &base, c->arch.ask, spec->seed, out);
    else
        rc = tl_model_with_head(ctx, &base, d->classes, d->class_name, c->hyper.dropout,
                                spec->seed, out);
    if (rc == TL_OK && c->route->start == TL_START_SHRUNK)
        shrink_and_perturb(spec, (*out)->params);
    return rc;
}

static double share_of(const tl_trainer *t)
{
    return t->spec.share > 0.0 ? t->spec.share : 1.0;
}

double tl_trainer_seconds(const tl_trainer *t)
{
    return t->at.seconds + share_of(t) * (tl_time_s() - t->started);
}

double tl_trainer_joules(tl_trainer *t)
{
    return t->at.joules + share_of(t) * tl_energy_joules(&t->energy);
}

void tl_trainer_say(tl_trainer *t, tl_progress *p, bool now)
{
    const double time = tl_time_s();

    if (!t->spec.progress || (!now && time - t->said < 0.5)) return;
    t->said         = time;
    p->route        = t->spec.candidate.route->name;
    p->metric_name  = t->spec.metric;
    p->seconds      = tl_trainer_seconds(t);
    p->valid_loss   = t->points ? t->curve[t->points - 1].valid_loss : (double)NAN;
    p->valid_metric = t->points ? t->curve[t->points - 1].valid_metric : (double)NAN;
    t->spec.progress(t->spec.user, p);
}

static tl_status add_point(tl_ctx *ctx, tl_trainer *t, const tl_curve_point *p)
{
    tl_status rc = TL_OK;

    if (t->points == t->room) {
        const int64_t room = TL_MAX((int64_t)32, 2 * t->room);
        TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *t->curve, &t->curve));
        t->room = room;
    }
    /* a phase's first look comes at the last step of the phase before */
    if (t->points && t->curve[t->points - 1].step == p->step) t->points--;
    t->curve[t->points++] = *p;
    if (t->spec.store) rc = tl_store_point(ctx, t->spec.store, t->spec.store_run, p);
done:
    return rc;
}

void tl_trainer_forget(tl_trainer *t)
{
    t->at.loss_sum  = 0.0;
    t->at.loss_rows = 0;
    tl_tally_clear(&t->tally);
}

/* NaN is never best; between equals the lower loss wins, then the earlier. */
static bool better(const tl_trainer *t, double metric, double loss)
{
    const tl_place *at   = &t->at;
    const double    mine = tl_metric_merit(t->spec.metric, metric),
                 best    = tl_metric_merit(t->spec.metric, at->best_metric);

    if (isnan(metric) || isnan(loss)) return false;
    if (!at->has_best || mine > best) return true;
    return mine == best && loss < at->best_loss;
}

tl_status tl_trainer_judge(tl_ctx *ctx, tl_trainer *t, int64_t epochs, double metric,
                           double loss, double lr)
{
    tl_place            *at    = &t->at;
    const bool           rows  = at->loss_rows > 0;
    const tl_curve_point point = {
        .epoch        = epochs,
        .step         = at->earlier_steps + at->step,
        .train_loss   = rows ? at->loss_sum / (double)at->loss_rows : (double)NAN,
        .train_metric = rows ? tl_tally_metric(&t->tally, t->spec.metric) : (double)NAN,
        .valid_loss   = loss,
        .valid_metric = metric,
        .lr           = lr,
        .seconds      = tl_trainer_seconds(t),
        .share        = at->share
    };

    tl_trainer_joules(t); /* counters begin anew: they are read in between */
    at->evaluated = at->step;
    if (better(t, metric, loss)) {
        tl_learnt_keep(&t->learnt, t->model->params->value, t->best);
        at->has_best    = true;
        at->best_metric = metric;
        at->best_loss   = loss;
        at->best_epoch  = epochs;
        at->best_step   = point.step;
    }
    return add_point(ctx, t, &point);
}

tl_status tl_trainer_take(tl_ctx *ctx, tl_trainer *t, tl_model *model)
{
    tl_learnt whole = { 0 };
    void     *best  = NULL;
    tl_status rc;

    TL_TRY(tl_learnt_whole(ctx, model->params, &whole));
    TL_TRY(tl_alloc(ctx, whole.bytes, &best));
    tl_free(ctx, t->best);
    tl_learnt_free(ctx, &t->learnt);
    tl_model_free(ctx, t->model);
    t->best   = best;
    t->learnt = whole;
    t->model  = model;
    return TL_OK;
done:
    tl_learnt_free(ctx, &whole);
    tl_model_free(ctx, model);
    return rc;
}

tl_status tl_trainer_score(tl_ctx *ctx, tl_trainer *t)
{
    tl_evaluator e = { 0 };
    tl_status    rc;

    TL_TRY(tl_evaluator_new(ctx, &t->spec, t->model, 32, &e));
    TL_TRY(tl_evaluate(ctx, &e, t->spec.train));
    t->train_known  = true;
    t->train_metric = tl_tally_metric(&e.tally, t->spec.metric);
    t->train_loss   = tl_tally_loss(&e.tally);
    TL_TRY(tl_evaluate(ctx, &e, t->spec.valid));
    TL_TRY(tl_trainer_judge(ctx, t, 0, tl_tally_metric(&e.tally, t->spec.metric),
                            tl_tally_loss(&e.tally), (double)NAN));
done:
    tl_evaluator_free(ctx, &e);
    return rc;
}

tl_status tl_trainer_replace(tl_ctx *ctx, tl_trainer *t, tl_model **model, double metric,
                             double loss)
{
    const tl_phase nothing = { .which = TL_TRAIN_NOTHING };
    tl_model      *taken   = *model;
    tl_status      rc;

    *model = NULL;
    tl_train_select(taken->params, &nothing, &t->spec.candidate.hyper);
    TL_TRY(tl_trainer_take(ctx, t, taken));
    rc = tl_trainer_judge(ctx, t, 0, metric, loss, (double)NAN);
done:
    return rc;
}

/* On rows as many as validation has. */
static tl_status score_train(tl_ctx *ctx, tl_trainer *t)
{
    tl_evaluator e    = { 0 };
    tl_rows      rows = { 0 };
    tl_status    rc;

    TL_TRY(tl_rows_spread(ctx, t->spec.train, t->spec.valid.count, &rows));
    TL_TRY(tl_evaluator_new(ctx, &t->spec, t->model,
                            TL_MIN(t->spec.micro_batch, (int64_t)32), &e));
    TL_TRY(tl_evaluate(ctx, &e, rows));
    t->train_metric = tl_tally_metric(&e.tally, t->spec.metric);
    t->train_loss   = tl_tally_loss(&e.tally);
done:
    tl_evaluator_free(ctx, &e);
    tl_free(ctx, rows.row);
    return rc;
}

/* Train metrics of the weights that are kept, and what they say about the fit. */
static tl_status judge_train(tl_ctx *ctx, tl_trainer *t, tl_run_result *out)
{
    const int64_t classes = t->spec.dataset->classes;
    int64_t      *count   = NULL;
    double        entropy;
    tl_status     rc;

    if (!t->train_known) TL_TRY(score_train(ctx, t));
    if (t->spec.dataset->task->words) {
        out->train_metric = t->train_metric;
        out->train_loss   = t->train_loss;
        out->fit          = tl_fit_word_tokens(out->train_loss, out->valid_loss);
        goto done;
    }
    TL_TRY(tl_alloc_array(ctx, (size_t)classes, sizeof *count, &count));
    out->train_metric = t->train_metric;
    out->train_loss   = t->train_loss;
    if (tl_task_has_marks(t->spec.dataset->task))
        TL_TRY(tl_mark_entropy(ctx, t->spec.dataset, t->spec.train, &entropy));
    else entropy = tl_label_entropy(t->spec.dataset->label, t->spec.train, count, classes);
    if (t->spec.dataset->task->numbers)
        out->fit = tl_fit_word_numbers(out->train_loss, out->valid_loss);
    else if (tl_task_has_marks(t->spec.dataset->task))
        out->fit = tl_fit_word_marks(out->train_loss, out->valid_loss, entropy);
    else out->fit = tl_fit_word(out->train_metric, out->valid_metric, out->train_loss, entropy,
                           t->spec.valid.count);
done:
    tl_free(ctx, count);
    return rc;
}

static tl_status run_phases(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *from)
{
    const int phases = tl_run_phases(&t->spec, t->model->params);
    bool      solved = false;
    tl_status rc     = TL_OK;

    while (t->at.phase < phases && !t->stopped) {
        const tl_phase phase = tl_run_phase(&t->spec, t->model->params, t->at.phase);
        solved               = phase.solve;
        if (tl_arch_is_trees(&t->model->arch)) TL_TRY(tl_trees_run(ctx, t));
        else if (tl_arch_is_tfidf(&t->model->arch)) TL_TRY(tl_tfidf_run(ctx, t));
        else if (tl_nearest_route(&t->spec.candidate)) TL_TRY(tl_nearest_run(ctx, t, from));
        else if (phase.solve) TL_TRY(tl_solve_run(ctx, t, from));
        else TL_TRY(tl_loop_run(ctx, t, &phase, from));
        from = NULL;
        if (t->stopped || t->at.phase + 1 == phases) break;
        t->at.phase++;
        t->at.earlier_steps += t->at.step;
        t->at.earlier_epochs += t->at.epoch;
        t->at.step = t->at.epoch = t->at.position = 0;
        t->at.evaluated = -1;
        tl_trainer_forget(t);
    }
    if (!t->stopped) t->stopped = solved ? "solved" : "epochs";
done:
    return rc;
}

/* A vocabulary that is to be learnt is learnt from the training rows alone. */
static tl_status fit_text(tl_ctx *ctx, tl_trainer *t)
{
    tl_candidate *c = &t->spec.candidate;
    tl_status     rc;

    TL_TRY(tl_dataset_learn(ctx, t->spec.dataset, c->prep.text, t->spec.train, &t->texter));
    c->prep.text = t->texter;
    TL_TRY(tl_cache_new(ctx, t->spec.dataset, &c->prep, 0, &t->cache));
    t->spec.cache = t->cache;
done:
    return rc;
}

/* The same of how the rows of a table are coded. */
static tl_status fit_table(tl_ctx *ctx, tl_trainer *t)
{
    tl_candidate *c     = &t->spec.candidate;
    const size_t  limit = ctx->world->limit_bytes ? ctx->world->limit_bytes : (size_t)2 << 30;
    tl_status     rc;

    if (!c->prep.table)
        TL_FAIL(TL_EDATA, t->spec.dataset->path,
                "holds rows of a table, and the model takes pictures (give pictures)");
    TL_TRY(tl_dataset_fit(ctx, t->spec.dataset, c->prep.table,
                          strcmp(c->hyper.scaling, tl_scaling_name(TL_SCALING_QUANTILE))
                              ? TL_SCALING_STANDARD
                              : TL_SCALING_QUANTILE,
                          t->spec.train, &t->schema));
    if (c->keep_head) { /* a head that goes on answers in the unit it has learnt */
        t->schema->target_mean  = c->prep.table->target_mean;
        t->schema->target_scale = c->prep.table->target_scale;
    }
    c->prep.table = t->schema;
    TL_TRY(tl_cache_new(ctx, t->spec.dataset, &c->prep, limit / 4, &t->cache));
    t->spec.cache = t->cache;
done:
    return rc;
}

/* Numbers that texts tell are learnt in units of their spread among the training rows. */
static void fit_numbers(tl_trainer *t)
{
    const tl_dataset *d    = t->spec.dataset;
    const tl_rows     rows = t->spec.train;
    tl_prep          *prep = &t->spec.candidate.prep;
    double            mean = 0.0, square = 0.0;

    if (!d->target || d->schema) return;
    for (int64_t i = 0; i < rows.count; i++) mean += d->target[rows.row[i]] / (double)rows.count;
    for (int64_t i = 0; i < rows.count; i++) {
        const double e = d->target[rows.row[i]] - mean;
        square += e * e / (double)rows.count;
    }
    prep->target_mean  = mean;
    prep->target_scale = square > 0.0 ? sqrt(square) : 1.0;
}

static void take_schema(tl_ctx *ctx, tl_trainer *t)
{
    tl_schema_drop(ctx, t->model->prep.table);
    t->model->prep.table = tl_schema_hold(t->schema);
    t->model->task       = tl_prep_task(&t->model->prep);
}

static tl_status keep_origin(tl_ctx *ctx, tl_trainer *t)
{
    const tl_params *params = t->model->params;
    const tl_hyper  *h      = &t->spec.candidate.hyper;
    tl_status        rc;

    if (h->anchor <= 0.0 && h->anchor_head <= 0.0 && h->average <= 0.0) return TL_OK;
    rc = tl_alloc_array(ctx, (size_t)params->floats, sizeof(float), &t->origin);
    if (rc == TL_OK)
        memcpy(t->origin, params->value, (size_t)params->floats * sizeof(float));
    return rc;
}

static tl_status prepare(tl_ctx *ctx, const tl_run_spec *asked, tl_trainer *t,
                         tl_checkpoint *from)
{
    tl_status rc;

    t->started         = tl_time_s();
    t->saved           = t->started;
    tl_energy_open(&t->energy, NULL);
    t->at.evaluated    = -1;
    t->at.rate         = 1.0;
    TL_TRY(tl_run_settle(ctx, asked, &t->spec));
    if (t->spec.dataset->schema) TL_TRY(fit_table(ctx, t));
    if (t->spec.candidate.prep.text && t->spec.candidate.prep.text->learns)
        TL_TRY(fit_text(ctx, t));
    TL_TRY(tl_trainer_leave_places(ctx, t));
    fit_numbers(t);
    TL_TRY(tl_trainer_model(ctx, &t->spec, &t->model));
    if (t->schema) take_schema(ctx, t);
    if (tl_run_groups(&t->spec, t->model->params)) {
        if (t->spec.train.count < 2)
            TL_FAIL(TL_EDATA, "train", "batch statistics need two rows (give more data)");
        t->spec.micro_batch =
            t->spec.candidate.hyper.batch / t->spec.candidate.hyper.shards;
    }
    TL_TRY(tl_learnt_of(ctx, &t->spec, t->model->params, &t->learnt));
    TL_TRY(tl_alloc(ctx, t->learnt.bytes, &t->best));
    TL_TRY(tl_tally_of(ctx, &t->spec, &t->tally));
    TL_TRY(keep_origin(ctx, t));
    if (t->spec.candidate.hyper.ema > 0.0)
        TL_TRY(tl_alloc_array(ctx, (size_t)t->model->params->floats, sizeof(float),
                              &t->ema));
    TL_TRY(tl_trainer_fingerprint(ctx, t));
    if (t->spec.checkpoint)
        TL_TRY(tl_checkpoint_open(ctx, t->spec.checkpoint, t->fingerprint, from));
    if (from->generation >= 0) TL_TRY(tl_trainer_restore(ctx, t, from));
    if (t->spec.store)
        TL_TRY(tl_store_cut(ctx, t->spec.store, t->spec.store_run,
                            t->points ? t->curve[t->points - 1].step : -1));
done:
    return rc;
}

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

void tl_times_add(tl_times *times, double seconds)
{
    times->at[times->count++ % TL_TIMES] = (float)seconds;
}

/* NaN: nothing was timed. */
static double median(tl_times times)
{
    const size_t n = (size_t)TL_MIN(times.count, (int64_t)TL_TIMES);

    qsort(times.at, n, sizeof *times.at, by_size);
    return n > 0 ? (double)times.at[n / 2] : (double)NAN;
}

/* From the beginning, at a tenth of the rate; what the first attempt cost is counted. */
static tl_status try_again(tl_ctx *ctx, tl_trainer *t)
{
    const tl_place was   = t->at;
    tl_model      *model = NULL;
    tl_status      rc;

    tl_log(ctx, TL_LOG_WARN, "%s: not finite at %.160s; once more at a tenth of the rate",
           t->spec.candidate.route->name, t->detail);
    TL_TRY(tl_trainer_model(ctx, &t->spec, &model));
    tl_model_free(ctx, t->model);
    t->model  = model;
    if (t->schema) take_schema(ctx, t);
    t->at     = (tl_place){ .evaluated = -1,
                            .rate      = 0.1,
                            .flops     = was.flops,
                            .joules    = was.joules,
                            .seconds   = was.seconds };
    t->points = 0;
    json_decref(t->tales);
    t->tales = NULL;
    tl_trainer_forget(t);
    t->stopped         = NULL;
    t->detail[0]       = 0;
    if (t->spec.store)
        TL_TRY(tl_store_cut(ctx, t->spec.store, t->spec.store_run, -1));
    rc = run_phases(ctx, t, NULL);
done:
    return rc;
}

/* How far it is, and the best so far. */
static void tell(tl_trainer *t, tl_run_result *out)
{
    out->valid_metric = t->at.best_metric;
    out->valid_loss   = t->at.best_loss;
    out->best_epoch   = t->at.best_epoch;
    out->best_step    = t->at.best_step;
    out->epochs_run   = t->at.earlier_epochs + t->at.epoch;
    out->steps_run    = t->at.earlier_steps + t->at.step;
    out->stopped      = t->stopped;
    out->seconds      = tl_trainer_seconds(t);
    out->joules       = tl_trainer_joules(t);
    out->flops        = t->at.flops;
    out->step_s_per_flop = share_of(t) * median(t->pace);
    out->look_s          = share_of(t) * median(t->look);
    out->solve_s         = share_of(t) * t->solving;
    snprintf(out->stop_detail, sizeof out->stop_detail, "%s", t->detail);
}

static void give_curve(tl_trainer *t, tl_run_result *out)
{
    out->curve  = t->curve;
    out->points = t->points;
    t->curve    = NULL;
}

/* Of a paused run only its curve: its weights lie in the checkpoint. */
static void conclude_pause(tl_trainer *t, tl_run_result *out)
{
    tell(t, out);
    give_curve(t, out);
    out->parameters = tl_params_numel(t->model->params, false);
    out->trainable  = t->trained ? t->trained : tl_params_numel(t->model->params, true);
}

static tl_status conclude(tl_ctx *ctx, tl_trainer *t, tl_run_result *out)
{
    const tl_phase all    = { .which = TL_TRAIN_ALL };
    tl_params     *params = t->model->params;
    tl_status      rc;

    if (!t->at.has_best)
        TL_FAIL(TL_ENAN, "train", "no finite result: %s",
                *t->detail ? t->detail : "the loss on validation is not finite");
    tl_learnt_give(&t->learnt, t->best, params->value);
    tell(t, out);
    TL_TRY(judge_train(ctx, t, out));
    out->parameters = tl_params_numel(params, false);
    out->trainable  = t->trained ? t->trained /* in the last phase */
                                 : tl_params_numel(params, true);
    tl_train_select(params, &all, &t->spec.candidate.hyper);
    TL_TRY(tl_choose_thresholds(ctx, &t->spec, t->model));
    give_curve(t, out);
    out->model  = t->model;
    out->tales  = t->tales;
    t->tales    = NULL;
    t->model    = NULL;
done:
    return rc;
}

/* Of the process: code, libraries and what they hold. */
static size_t unaccounted_bytes(tl_world *world)
{
    const size_t resident = tl_machine_rss_bytes(), ours = atomic_load(&world->now_bytes);

    return resident > ours ? resident - ours : 0;
}

tl_status tl_run_train(tl_ctx *ctx, const tl_run_spec *spec, tl_run_result *out)
{
    tl_world     *world = ctx->world;
    const size_t  peak  = atomic_load(&world->peak_bytes);
    tl_trainer    t     = { 0 };
    tl_checkpoint from  = { .generation = -1 };
    tl_run_result made  = { 0 };
    tl_status     rc;

    *out = made;
    atomic_store(&world->peak_bytes, atomic_load(&world->now_bytes));
    TL_TRY(prepare(ctx, spec, &t, &from));
    TL_TRY(run_phases(ctx, &t, from.generation >= 0 ? &from : NULL));
    if (strcmp(t.stopped, "nan") == 0 && t.spec.candidate.hyper.retry && t.at.rate == 1.0)
        TL_TRY(try_again(ctx, &t));
    const bool paused = strcmp(t.stopped, "paused") == 0;
    if (spec->candidate.route->finish && t.at.has_best && !paused)
        TL_TRY(spec->candidate.route->finish(ctx, &t));
    if (paused) conclude_pause(&t, &made);
    else TL_TRY(conclude(ctx, &t, &made));
    made.accounted_bytes = atomic_load(&world->peak_bytes);
    made.peak_bytes      = made.accounted_bytes + unaccounted_bytes(world);
    *out            = made;
done:
    if (atomic_load(&world->peak_bytes) < peak) atomic_store(&world->peak_bytes, peak);
    tl_checkpoint_close(ctx, &from);
    tl_model_free(ctx, t.model);
    tl_cache_free(ctx, t.cache);
    tl_schema_drop(ctx, t.schema);
    tl_texter_drop(ctx, t.texter);
    tl_tally_free(ctx, &t.tally);
    tl_free(ctx, t.best);
    tl_learnt_free(ctx, &t.learnt);
    tl_free(ctx, t.origin);
    tl_free(ctx, t.ema);
    tl_free(ctx, t.taught);
    tl_free(ctx, t.curve);
    json_decref(t.tales);
    return rc;
}

void tl_run_result_free(tl_ctx *ctx, tl_run_result *r)
{
    tl_model_free(ctx, r->model);
    tl_free(ctx, r->curve);
    json_decref(r->tales);
    *r = (tl_run_result){ 0 };
}
