/* compare_run.c -- one run of a candidate: its place in runs.db, what is kept of it when it ended
 * (the answers on test rows lie unread until the verdict), and what is known of those that
 * ended.  In which order and beside whom they are made: compare_jobs.c.  Floor 4, study. */
#include "core/io.h"
#include "core/machine.h"
#include "core/text.h"
#include "study/compare_jobs.h"
#include "study/update.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double CHECKPOINT_EVERY_S = 45.0;

tl_status tl_study_fresh_slab(tl_ctx *ctx, tl_study *s)
{
    tl_slab_free(ctx, s->slab);
    s->slab = NULL;
    return tl_slab_new(ctx, s->backend, &s->slab);
}

tl_status tl_study_spec(tl_ctx *ctx, tl_study *s, const tl_entry *e, tl_run_spec *out)
{
    const tl_status rc = tl_study_fresh_slab(ctx, s);

    *out    = (tl_run_spec){ .candidate          = e->c,
                             .cache              = s->view[e->view].cache,
                             .dataset            = s->data,
                             .seed               = s->q->seed,
                             .metric             = s->metric,
                             .backend            = s->backend,
                             .slab               = s->slab,
                             .dtype              = s->dtype,
                             .micro_batch        = e->micro_batch,
                             .recompute          = e->recompute,
                             .checkpoint_every_s = CHECKPOINT_EVERY_S,
                             .store              = s->store,
                             .progress           = s->q->progress,
                             .user               = s->q->user };
    if (e->c.base) out->features = tl_study_mapped(s, e);
    if (e->c.base && !tl_shape_equal(&e->c.base->arch.row, &e->c.arch.row))
        out->features = NULL;
    return rc;
}

/* The candidate in words, and a hash of everything that changes its numbers. */
static tl_status key_of(tl_ctx *ctx, const tl_entry *e, const json_t *settings, char *key,
                        size_t room)
{
    char *text =
        json_dumps(settings, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    char hex[65];

    if (!text)
        return tl_fail(ctx, TL_ENOMEM, "compare", "no memory for a run's settings");
    tl_hash_bytes(text, strlen(text), hex);
    snprintf(key, room, "%.100s %.8s", e->label, hex);
    free(text);
    return TL_OK;
}

/* The lowest validation loss of the looks.  Not that of the weights which scored best: a network
 * that grows ever surer of its mistakes may still score better.  Null: none is known. */
static json_t *least_loss(const tl_run_result *r)
{
    double least = NAN;

    for (int64_t i = 0; i < r->points; i++)
        least = fmin(least, r->curve[i].valid_loss); /* of a number and NaN the number */
    return tl_json_real(least);
}

static json_t *result_json(const tl_run_result *r, size_t peak)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:s, s:s, s:s, s:f, s:o, s:f, s:I, s:I, s:I}",
        "valid_metric", tl_json_real(r->valid_metric), "valid_loss",
        tl_json_real(r->valid_loss), "least_loss", least_loss(r), "train_metric",
        tl_json_real(r->train_metric), "train_loss", tl_json_real(r->train_loss), "best_epoch",
        (json_int_t)r->best_epoch, "epochs", (json_int_t)r->epochs_run, "steps",
        (json_int_t)r->steps_run, "stopped", r->stopped ? r->stopped : "", "detail",
        r->stop_detail, "fit", r->fit ? r->fit : "none", "seconds", r->seconds, "joules",
        tl_json_real(r->joules), "flops",
        r->flops, "peak_bytes", (json_int_t)peak, "trainable",
        (json_int_t)r->trainable, "parameters", (json_int_t)r->parameters);
}

/* A run that waits at a rung: its curve and what it took so far. */
static json_t *rung_json(const tl_run_result *r)
{
    json_t *points = json_array();

    for (int64_t i = 0; i < r->points; i++)
        json_array_append_new(points, json_pack("[o, o]", tl_json_real(r->curve[i].share),
                                                tl_json_real(r->curve[i].valid_metric)));
    return json_pack("{s:o, s:o, s:o, s:o, s:f, s:I, s:I, s:I, s:f, s:o, s:f, s:I, s:I}", "points",
                     points, "valid_metric", tl_json_real(r->valid_metric), "valid_loss",
                     tl_json_real(r->valid_loss), "least_loss", least_loss(r), "share",
                     r->points ? r->curve[r->points - 1].share : 0.0, "best_epoch",
                     (json_int_t)r->best_epoch, "epochs", (json_int_t)r->epochs_run, "steps",
                     (json_int_t)r->steps_run, "seconds", r->seconds, "joules",
                     tl_json_real(r->joules), "flops", r->flops, "trainable",
                     (json_int_t)r->trainable, "parameters", (json_int_t)r->parameters);
}

/* It joins the others; its facts' text goes with it, its JSON does not. */
static tl_status keep_run(tl_ctx *ctx, tl_study *s, tl_study_run *run)
{
    tl_study_run **list  = run->rows ? &s->part : &s->run;
    int           *count = run->rows ? &s->parts : &s->runs;
    size_t        *room  = run->rows ? &s->part_room : &s->run_room;
    tl_status      rc;

    TL_TRY(tl_study_take_facts(ctx, run));
    TL_TRY(tl_grow(ctx, list, room, (size_t)*count + 1, sizeof **list));
    (*list)[*count]        = *run;
    (*list)[*count].result = NULL;
    (*count)++;
    run->facts.text = NULL;
done:
    return rc;
}

/* A model in use does not know the classes behind its own: for them it says 0.  From behind, so
 * that no row is written over before it is read. */
static void spread_classes(float *y, int64_t rows, int64_t known, int64_t classes)
{
    for (int64_t r = rows - 1; known < classes && r >= 0; r--)
        for (int64_t c = classes - 1; c >= 0; c--)
            y[r * classes + c] = c < known ? y[r * known + c] : 0.0f;
}

tl_status tl_study_ask(tl_ctx *ctx, tl_study *s, const tl_model *model, tl_cache *cache,
                       tl_rows rows, float **out)
{
    enum { ROWS = 32 };
    tl_status     rc;
    tl_predictor *p = NULL;
    float        *y = NULL;

    *out = NULL;
    TL_TRY(tl_predictor_new(ctx, model, TL_PART_WHOLE, ROWS, s->backend, s->slab,
                            s->dtype, &p));
    TL_TRY(tl_alloc_array(ctx, (size_t)(rows.count * s->data->classes), sizeof *y, &y));
    TL_TRY(tl_predictor_rows(ctx, p, cache, rows, y));
    tl_model_answer(model, y, rows.count);
    spread_classes(y, rows.count, model->arch.outputs, s->data->classes);
    *out = y;
    y    = NULL;
done:
    tl_predictor_free(ctx, p);
    tl_free(ctx, y);
    return rc;
}

static tl_status path_of(tl_ctx *ctx, const tl_study *s, const char *kind, int64_t run,
                         char **out)
{
    char name[64];

    snprintf(name, sizeof name, "%s-%" PRId64, kind, run);
    return tl_path_join(ctx, s->checkpoints, name, out);
}

tl_status tl_study_checkpoint_path(tl_ctx *ctx, const tl_study *s, int64_t run, char **out)
{
    return path_of(ctx, s, "run", run, out);
}

tl_status tl_study_model_path(tl_ctx *ctx, const tl_study *s, int64_t run, char **out)
{
    return path_of(ctx, s, "model", run, out);
}

static double valid_of(const tl_study_run *run)
{
    return run->facts.valid_metric;
}

/* The best so far of a candidate's trial keeps its weights; the others' are let go. */
static tl_status keep_model(tl_ctx *ctx, tl_study *s, const tl_study_run *run,
                            const tl_model *model)
{
    tl_status rc   = TL_OK;
    char     *path = NULL;

    if (run->rows) return TL_OK; /* of a part: only its answers are wanted */
    for (int i = 0; i < s->runs; i++)
        if (s->run[i].candidate == run->candidate && s->run[i].trial == run->trial &&
            tl_study_merit(s, valid_of(&s->run[i])) >= tl_study_merit(s, valid_of(run)))
            return TL_OK;
    TL_TRY(tl_study_model_path(ctx, s, run->id, &path));
    TL_TRY(tl_model_save(ctx, model, NULL, path));
done:
    tl_free(ctx, path);
    return rc;
}

static tl_status drop_worse_models(tl_ctx *ctx, tl_study *s, const tl_study_run *run)
{
    tl_status rc = TL_OK;

    for (int i = 0; i < s->runs && !run->rows; i++) {
        char *path = NULL;
        if (s->run[i].candidate != run->candidate || s->run[i].trial != run->trial)
            continue;
        if (!(tl_study_merit(s, valid_of(&s->run[i])) < tl_study_merit(s, valid_of(run))))
            continue;
        rc = tl_study_model_path(ctx, s, s->run[i].id, &path);
        if (rc == TL_OK) rc = tl_remove_tree(ctx, path);
        tl_free(ctx, path);
        if (rc != TL_OK) return rc;
    }
    return rc;
}

static void say_run(tl_study *s, const tl_study_run *run, bool stored)
{
    char          score[32], seconds[32], rate[40] = "";
    const char   *stopped = run->facts.stopped;
    const int64_t best    = run->facts.best_epoch;

    if (run->rows > 0)
        snprintf(rate, sizeof rate, " on %s rows", tl_say_count(run->rows, seconds));
    else if (run->trial > 0)
        snprintf(rate, sizeof rate, " (rate %.2g, decay %.2g)",
                 s->entry[run->candidate].trial[run->trial].optim.lr,
                 s->entry[run->candidate].trial[run->trial].optim.weight_decay);
    if (s->folds)
        tl_study_say(s, "%s%s, seed %" PRIu64 ", fold %d of %d: %s on validation%s",
                     s->entry[run->candidate].label, run->rows > 0 ? rate : "", run->seed,
                     run->fold + 1, s->folds,
                     tl_study_score(s, valid_of(run), score),
                     stored ? " (kept from before)" : "");
    else if (best > 0 && tl_entry_trained(&s->entry[run->candidate]))
        tl_study_say(
            s,
            "%s%s, seed %" PRIu64 ": %s on validation, best after epoch %" PRId64
            " of %" PRId64 " (%s), %s",
            s->entry[run->candidate].label, rate, run->seed,
            tl_study_score(s, valid_of(run), score), best,
            run->facts.epochs, stored ? "kept from before" : stopped,
            tl_say_seconds(run->facts.seconds, seconds));
    else
        tl_study_say(
            s, "%s%s, seed %" PRIu64 ": %s on validation%s, %s",
            s->entry[run->candidate].label, run->rows > 0 ? rate : "", run->seed,
            tl_study_score(s, valid_of(run), score), stored ? " (kept from before)" : "",
            tl_say_seconds(run->facts.seconds, seconds));
}

/* What a failed run does to the study: these end it, the rest end only the candidate. */
static bool ends_the_study(tl_status rc)
{
    return rc == TL_ECANCEL || rc == TL_EIO || rc == TL_ENOSPC || rc == TL_EUSAGE ||
           rc == TL_EDATA;
}

/* Of folds the first's model answers for all; models of parts of the rows are not asked. */
static tl_status ask_shifted(tl_ctx *ctx, tl_study *s, const tl_study_run *run,
                             const tl_model *model, tl_cache *cache)
{
    float    *answers = NULL;
    tl_status rc;

    if (s->shifted.count == 0 || run->rows || run->fold) return TL_OK;
    TL_TRY(tl_study_ask(ctx, s, model, cache, s->shifted, &answers));
    TL_TRY(tl_store_put_blob(ctx, s->store, run->id, "shifted", answers,
                             (size_t)(s->shifted.count * s->data->classes) * sizeof *answers));
done:
    tl_free(ctx, answers);
    return rc;
}

tl_status tl_study_conclude(tl_ctx *ctx, tl_study *s, int kept, const tl_run_spec *spec,
                            tl_study_run *run, const tl_run_result *r, json_t **rung)
{
    tl_status     rc;
    const size_t  mapped = kept >= 0 ? s->kept[kept].frozen.bytes : 0;
    float        *answers = NULL;
    tl_cache     *coded   = NULL;
    const tl_rows test    = s->slice[run->fold].test;

    if (r->stopped && strcmp(r->stopped, "interrupted") == 0)
        TL_FAIL(TL_ECANCEL, "compare",
                "interrupted; what was done is kept (tailor resume %s)", s->q->out);
    if (r->stopped && strcmp(r->stopped, "paused") == 0) {
        *rung = rung_json(r);
        if (!*rung) TL_FAIL(TL_ENOMEM, "compare", "no memory for a rung");
        return TL_OK;
    }
    run->result = result_json(
        r, mapped + tl_study_own_bytes(s, &s->entry[run->candidate], r->accounted_bytes));
    if (!run->result) TL_FAIL(TL_ENOMEM, "compare", "no memory for a result");
    TL_TRY(tl_study_take_facts(ctx, run));
    if (!isfinite(r->valid_metric)) {
        if (json_object_set_new(run->result, "failed", json_string(r->stop_detail)))
            json_object_set_new(run->result, "failed", json_string("it failed"));
        TL_TRY(tl_store_end(ctx, s->store, run->id, "failed", run->result));
        goto done;
    }
    if (!tl_cache_fits(spec->cache, &r->model->prep))
        TL_TRY(tl_cache_new(ctx, s->data, &r->model->prep, tl_study_memory(s) / 4, &coded));
    TL_TRY(tl_study_ask(ctx, s, r->model, coded ? coded : spec->cache, test, &answers));
    TL_TRY(tl_store_put_blob(ctx, s->store, run->id, "test", answers,
                             (size_t)(test.count * s->data->classes) * sizeof *answers));
    TL_TRY(tl_study_keep_thresholds(ctx, s, run->id, r->model));
    if (s->update.test.count && run->fold == 0)
        TL_TRY(tl_update_ask_old(ctx, s, run, r->model, coded ? coded : spec->cache));
    TL_TRY(ask_shifted(ctx, s, run, r->model, coded ? coded : spec->cache));
    TL_TRY(keep_model(ctx, s, run, r->model));
    TL_TRY(tl_store_end(ctx, s->store, run->id, "done", run->result));
    TL_TRY(drop_worse_models(ctx, s, run));
    TL_TRY(tl_remove_tree(ctx, spec->checkpoint));
done:
    tl_cache_free(ctx, coded);
    tl_free(ctx, answers);
    return rc;
}

tl_status tl_study_note_failure(tl_ctx *ctx, tl_study *s, tl_study_run *run, tl_status failed)
{
    char why[400];

    snprintf(why, sizeof why, "%.390s", ctx->message);
    if (ends_the_study(failed)) return failed;
    json_decref(run->result);
    run->result = json_pack("{s:s}", "failed", why);
    if (!run->result) /* a message may hold bytes that are no text: of a path, or cut short */
        run->result = json_pack("{s:s}", "failed", "it failed");
    if (failed == TL_ENOMEM) json_object_set_new(run->result, "lacked_memory", json_true());
    return tl_store_end(ctx, s->store, run->id, "failed", run->result);
}

tl_study_run tl_study_run_named(const tl_study *s, int candidate, int trial, int repeat, int fold,
                                int64_t rows)
{
    return (tl_study_run){ .candidate = candidate,
                           .trial     = trial,
                           .repeat    = repeat,
                           .fold      = fold,
                           .rows      = rows,
                           .seed      = s->q->seed + (uint64_t)repeat };
}

/* A process before this one had no memory for it; in this one it was not tried yet. */
static bool may_have_memory_now(const tl_study *s, const tl_study_run *run)
{
    if (!tl_json_bool(run->result, "lacked_memory", false)) return false;
    for (int i = 0; i < s->runs; i++)
        if (s->run[i].id == run->id) return false;
    for (int i = 0; i < s->parts; i++)
        if (s->part[i].id == run->id) return false;
    return true;
}

tl_status tl_study_open_run(tl_ctx *ctx, tl_study *s, tl_study_run *run, tl_run_spec *spec,
                            bool *stored)
{
    tl_status rc;
    tl_entry *e        = &s->entry[run->candidate];
    json_t   *settings = NULL;
    char      key[160], slice[80];

    *stored = s->tape != NULL;
    if (s->tape) return s->tape->run(ctx, s->tape->user, run);
    TL_TRY(tl_study_spec(ctx, s, e, spec));
    spec->candidate.hyper = e->trial[run->trial];
    if (run->rows) TL_TRY(tl_study_part_hyper(ctx, s, e, run->rows, &spec->candidate.hyper));
    spec->seed = run->seed;
    settings   = tl_candidate_to_json(&spec->candidate);
    TL_TRY(key_of(ctx, e, settings, key, sizeof key));
    snprintf(slice, sizeof slice, s->folds ? "repeat %d fold %d" : "repeat %d", run->repeat,
             run->fold);
    if (run->rows)
        snprintf(slice + strlen(slice), sizeof slice - strlen(slice), " rows %" PRId64, run->rows);
    TL_TRY(tl_store_run(ctx, s->store, key, run->seed, slice, settings, &run->id, stored,
                        &run->result));
    spec->store_run = run->id;
    if (*stored && may_have_memory_now(s, run)) {
        json_decref(run->result);
        run->result = NULL;
        *stored     = false;
    }
done:
    json_decref(settings);
    return rc;
}

tl_status tl_study_take_run(tl_ctx *ctx, tl_study *s, tl_study_run *run, bool stored)
{
    tl_status rc;

    s->used += tl_study_spent(s, &s->entry[run->candidate],
                              tl_json_number(run->result, "flops", 0.0));
    TL_TRY(keep_run(ctx, s, run));
    if (tl_run_whole(run)) say_run(s, run, stored);
    tl_study_show(ctx, s);
done:
    return rc;
}

void tl_study_fail(tl_study *s, int candidate, const tl_study_run *run)
{
    tl_entry *e = &s->entry[candidate];

    e->active = false;
    e->status = "failed";
    snprintf(e->why, sizeof e->why, "%.390s",
             run->facts.text ? run->facts.text : "it failed");
    tl_study_warn(s, "%s failed: %.300s", e->label, e->why);
}

tl_status tl_study_halt(tl_ctx *ctx, tl_study *s, int candidate, int trial, int repeat,
                        const json_t *rung)
{
    tl_status    rc;
    tl_run_spec  spec;
    tl_study_run run    = tl_study_run_named(s, candidate, trial, repeat, 0, 0);
    bool         stored = false;
    char        *folder = NULL;

    TL_TRY(tl_study_open_run(ctx, s, &run, &spec, &stored));
    if (!stored || s->tape) { /* a tape's run went on */
        json_decref(run.result);
        run.result = json_deep_copy(rung);
        if (!run.result) TL_FAIL(TL_ENOMEM, "compare", "no memory for a result");
        json_object_del(run.result, "points");
        json_object_set_new(run.result, "stopped", json_string("race"));
        if (!s->tape) TL_TRY(tl_store_end(ctx, s->store, run.id, "stopped", run.result));
    }
    TL_TRY(keep_run(ctx, s, &run));
    if (s->tape) goto done;
    TL_TRY(tl_study_checkpoint_path(ctx, s, run.id, &folder));
    TL_TRY(tl_remove_tree(ctx, folder));
done:
    tl_study_run_end(ctx, &run);
    tl_free(ctx, folder);
    return rc;
}

bool tl_run_halted(const tl_study_run *run)
{
    return strcmp(run->facts.stopped, "race") == 0;
}

bool tl_run_whole(const tl_study_run *run)
{
    return !run->facts.failed && !tl_run_halted(run);
}

const tl_study_run *tl_study_find(const tl_study *s, int candidate, int trial, int repeat,
                                  int fold)
{
    for (int i = 0; i < s->runs; i++) {
        const tl_study_run *r = &s->run[i];
        if (r->candidate == candidate && r->trial == trial && r->repeat == repeat &&
            r->fold == fold && tl_run_whole(r))
            return r;
    }
    return NULL;
}

const tl_study_run *tl_study_find_part(const tl_study *s, int candidate, int repeat, int fold,
                                       int64_t rows)
{
    for (int i = 0; i < s->parts; i++) {
        const tl_study_run *r = &s->part[i];
        if (r->candidate == candidate && r->trial == s->entry[candidate].chosen &&
            r->repeat == repeat && r->fold == fold && r->rows == rows &&
            !r->facts.failed)
            return r;
    }
    return NULL;
}

double tl_study_valid(const tl_study *s, int candidate, int trial, int repeat)
{
    double sum = 0.0;

    for (int fold = 0; fold < tl_study_slices(s); fold++) {
        const tl_study_run *r = tl_study_find(s, candidate, trial, repeat, fold);
        if (!r) return NAN;
        sum += valid_of(r);
    }
    return sum / tl_study_slices(s);
}

bool tl_study_by_loss(const tl_study *s)
{
    return !s->data->target;
}

double tl_study_loss(const tl_study *s, int candidate, int trial, int repeat)
{
    double sum = tl_study_by_loss(s) ? 0.0 : NAN;

    for (int fold = 0; fold < tl_study_slices(s); fold++) {
        const tl_study_run *r = tl_study_find(s, candidate, trial, repeat, fold);
        sum += r ? r->facts.least_loss : NAN;
    }
    return sum / tl_study_slices(s);
}

int tl_study_repeats(const tl_study *s, int candidate, int trial)
{
    int repeats = 0;

    while (repeats < TL_STUDY_SEEDS &&
           !isnan(tl_study_valid(s, candidate, trial, repeats)))
        repeats++;
    return repeats;
}

double tl_study_valid_first(const tl_study *s, int candidate, int trial)
{
    const int k   = TL_MIN(tl_study_draws(s), tl_study_repeats(s, candidate, trial));
    double    sum = 0.0;

    for (int i = 0; i < k; i++) sum += tl_study_valid(s, candidate, trial, i);
    return k > 0 ? sum / k : NAN;
}

double tl_study_valid_mean(const tl_study *s, int candidate)
{
    const int trial = s->entry[candidate].chosen;
    const int k     = tl_study_repeats(s, candidate, trial);
    double    sum   = 0.0;

    for (int i = 0; i < k; i++) sum += tl_study_valid(s, candidate, trial, i);
    return k > 0 ? sum / k : NAN;
}

const tl_study_run *tl_study_best_run(const tl_study *s, int candidate)
{
    const tl_study_run *best = NULL;

    for (int i = 0; i < s->runs; i++) {
        const tl_study_run *r = &s->run[i];
        if (r->candidate != candidate || r->trial != s->entry[candidate].chosen) continue;
        if (isnan(valid_of(r)) || !tl_run_whole(r)) continue;
        if (!best || tl_study_merit(s, valid_of(r)) > tl_study_merit(s, valid_of(best)))
            best = r;
    }
    return best;
}
