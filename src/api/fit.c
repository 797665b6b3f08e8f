/* fit.c -- tailor_fit: one route from data to a trained model, with its files where asked.
 * Floor 4.5, api. */
#include "api/fit.h"
#include "api/words.h"
#include "core/io.h"
#include "core/text.h"
#include "data/chat/set.h"
#include "data/corpus/corpus.h"
#include "data/texts/pack.h"
#include "study/stats.h"
#include "train/evaluate.h"
#include "train/nearest.h"
#include "train/network.h"
#include "train/rates.h"
#include "train/store.h"
#include "train/texts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *route_name_at(size_t i)
{
    const tl_route *r = tl_route_at(i);

    return r ? r->name : NULL;
}

tl_status tl_fit_route(tl_ctx *ctx, const tailor_model *model, const char *name,
                       const tl_route **out)
{
    const char *meant;

    if (!name) name = model->fresh ? "scratch" : "full";
    *out = tl_route_find(name);
    if (*out && (*out)->needs_base && model->fresh)
        return tl_fail(ctx, TL_EUSAGE, "--route",
                       "%s needs a pretrained model (give --base MODEL)",
                       name);
    if (*out) return TL_OK;
    meant = tl_did_you_mean(name, route_name_at);
    return tl_fail(ctx, TL_EUSAGE, "--route", "\"%s\" is not known (%s%s%s)", name,
                   meant ? "did you mean " : "see `tailor help train`", meant ? meant : "",
                   meant ? "?" : "");
}

static tl_status set_number(tl_ctx *ctx, tl_hyper *h, const char *name, double value)
{
    char text[40];

    if (value == 0.0) return TL_OK;
    snprintf(text, sizeof text, "%.17g", value);
    return tl_hyper_set(ctx, h, name, text);
}

tl_status tl_fit_hyper(tl_ctx *ctx, tl_hyper *h, const tailor_fit_options *o)
{
    tl_status rc = TL_OK;

    if (o->optimizer) TL_TRY(tl_hyper_set(ctx, h, "optimizer", o->optimizer));
    TL_TRY(set_number(ctx, h, "epochs", o->epochs));
    TL_TRY(set_number(ctx, h, "optim.lr", o->lr));
    TL_TRY(set_number(ctx, h, "batch", (double)o->batch_size));
    for (size_t i = 0; o->settings && o->settings[i]; i++) {
        char        name[160];
        const char *equals = strchr(o->settings[i], '=');
        if (!equals || equals - o->settings[i] >= (ptrdiff_t)sizeof name)
            TL_FAIL(TL_EUSAGE, o->settings[i], "not NAME=VALUE (try optim.lr=0.01)");
        snprintf(name, sizeof name, "%.*s", (int)(equals - o->settings[i]), o->settings[i]);
        TL_TRY(tl_hyper_set(ctx, h, name, equals + 1));
    }
done:
    return rc;
}

/* --image-size: the crop's share of the picture stays as it was. */
static tl_status set_image_size(tl_ctx *ctx, tl_candidate *c)
{
    const int64_t size = c->hyper.image_size;
    tl_status     rc   = TL_OK;

    if (size == 0 || c->arch.row.ndim != 3) return rc;
    TL_TRY(tl_arch_resize(ctx, &c->arch, size, c->base != NULL));
    c->prep.resize_short = c->prep.resize_short * size / c->prep.height;
    c->prep.height       = size;
    c->prep.width        = size;
done:
    return rc;
}

static tl_status make_candidate(tl_ctx *ctx, const tailor_model *model, int64_t rows,
                                const tl_dataset *d, const tailor_fit_options *o,
                                tl_candidate *c, tl_fitting *f)
{
    const tl_model *base = model->model;
    bool            made;
    tl_status       rc;

    TL_TRY(tl_fit_route(ctx, model, o->route, &c->route));
    c->prep = base->prep;
    if (tl_route_is_baseline(c->route) && (model->fresh || !tl_nearest_fits(d, base))) base = NULL;
    TL_TRY(tl_route_network(ctx, d, base, c, &f->columns, &f->texter, &made));
    if (!made) TL_TRY(tl_baseline_arch(ctx, model->model->arch.row, d->classes, &c->arch));
    TL_TRY(tl_route_defaults(ctx, c->route, &c->arch, rows, &c->hyper));
    TL_TRY(tl_fit_hyper(ctx, &c->hyper, o));
    TL_TRY(set_image_size(ctx, c));
done:
    return rc;
}

static tl_status cut_rows(tl_ctx *ctx, const tailor_data *data,
                          const tailor_fit_options *o, tl_fitting *f)
{
    double    share;
    tl_status rc;

    TL_TRY(tl_split_test(ctx, data->set, data->seed, tl_api_test_share, &f->rest, &f->test));
    share = o->valid_share > 0.0 ? o->valid_share : tl_api_valid_share(f->rest.count);
    TL_TRY(tl_split_repeat(ctx, data->set, &f->rest, data->seed, 0, share, o->train_rows,
                           &f->train,
                           &f->valid));
    if (!f->train.count || !f->valid.count)
        TL_FAIL(TL_EDATA, data->set->path,
                "too few rows to train and validate (%" PRId64 " and %"
                PRId64 "; give more data)", f->train.count, f->valid.count);
done:
    return rc;
}

/* Which columns the texts stand in, and what of them is cut. */
static void say_texts(tailor *t, const tl_dataset *d, const tl_cache *cache)
{
    const tl_text_columns *c = d->text;
    char                   line[400];
    int64_t                rows, tokens;

    if (!c) return;
    tl_cache_cut(cache, &rows, &tokens);
    snprintf(line, sizeof line, "text: %.80s%s%.80s; label: %.80s (%.60s); %" PRId64 " of %" PRId64
             " texts are cut while training (%" PRId64 " tokens)",
             c->name[0], c->name[1] ? " and " : "", c->name[1] ? c->name[1] : "",
             c->label ? c->label : "the file",
             c->why ? c->why : "as the model has it", rows, d->rows, tokens);
    tl_api_say(t, line);
}

static tl_status prepare_rows(tailor *t, const tailor_model *model, const tailor_data *data,
                              const tailor_fit_options *o, tl_fitting *f)
{
    tl_ctx      *ctx = &t->ctx;
    tl_run_spec *s   = &f->spec;
    tl_status    rc;

    TL_TRY(cut_rows(ctx, data, o, f));
    if (model->model->prep.text && data->set->text)
        TL_TRY(tl_texter_take_columns(ctx, model->model->prep.text, data->set->text));
    TL_TRY(make_candidate(ctx, model, f->train.count, data->set, o, &s->candidate, f));
    TL_TRY(tl_cache_new(ctx, data->set, &s->candidate.prep, tl_api_cache_bytes(t), &s->cache));
    if (s->candidate.prep.text) say_texts(t, data->set, s->cache);
done:
    return rc;
}

static tl_status keep_what_fits(tailor *t, tl_run_spec *s)
{
    const bool keeps = tl_hyper_keeps(&s->candidate.hyper);
    tl_status  rc;

    TL_TRY(tl_run_keep_what_fits(&t->ctx, s));
    if (keeps && !s->candidate.hyper.cached)
        tl_api_say(t, "note: what the frozen blocks make of these rows has no room in memory: they "
                      "run every step");
done:
    return rc;
}

static tl_status prepare(tailor *t, tailor_model *model, const tailor_data *data,
                         const tailor_fit_options *o, tl_fitting *f)
{
    tl_ctx      *ctx = &t->ctx;
    tl_run_spec *s   = &f->spec;
    char         said[200], note[220];
    tl_status    rc;

    if (data->set->task->words) TL_TRY(tl_fit_words(t, model, data, o, f));
    else TL_TRY(prepare_rows(t, model, data, o, f));
    if (s->candidate.hyper.adapt.nf4 && !o->dry_run) TL_TRY(tl_model_pack(ctx, model->model));
    TL_TRY(tl_slab_new(ctx, tl_api_backend(), &s->slab));
    s->dataset  = data->set;
    s->train    = f->train;
    s->valid    = f->valid;
    s->seed     = o->seed;
    TL_TRY(tl_metric_choose(ctx, data->set, o->metric, &s->metric));
    s->backend  = tl_api_backend();
    s->dtype    = tl_api_dtype(t, data->set->schema ? model->model : NULL);
    s->progress = tl_api_progress;
    s->user     = t;
    if (!t->world.limit_bytes) TL_TRY(keep_what_fits(t, s));
    if (t->world.limit_bytes) {
        TL_TRY(tl_run_fit_memory(ctx, s, t->world.limit_bytes, said));
        snprintf(note, sizeof note, "note: %s", said);
        if (*said) tl_api_say(t, note);
    }
done:
    return rc;
}

/* runs.db, the lock and the place of checkpoints. */
static tl_status open_files(tl_ctx *ctx, const tailor_fit_options *o, tl_fitting *f)
{
    json_t   *settings = NULL;
    char      key[96];
    tl_status rc;

    TL_TRY(tl_make_folders(ctx, o->out));
    TL_TRY(tl_lock_take(ctx, o->out, &f->lock));
    if (o->command) TL_TRY(tl_api_keep_command(ctx, o->out, o->command));
    TL_TRY(tl_store_open(ctx, o->out, &f->spec.store));
    settings = tl_hyper_to_json(&f->spec.candidate.hyper);
    snprintf(key, sizeof key, "%s", f->spec.candidate.route->name);
    TL_TRY(tl_store_run(ctx, f->spec.store, key, o->seed, "all", settings, &f->spec.store_run,
                        &f->done, &f->before));
    TL_TRY(tl_path_join(ctx, o->out, "checkpoints", &f->checkpoint));
    TL_TRY(tl_make_folders(ctx, f->checkpoint));
    f->spec.checkpoint         = f->checkpoint;
    f->spec.checkpoint_every_s = 5.0; /* what a kill may cost */
done:
    if (settings) json_decref(settings);
    return rc;
}

static json_t *score(double mean, double low, double high, int64_t rows)
{
    return json_pack("{s:o, s:[o,o], s:I}", "mean", tl_json_real(mean), "ci95",
                     tl_json_real(low),
                     tl_json_real(high), "rows", (json_int_t)rows);
}

static json_t *metric_score(const tailor_metrics *m, const char *metric)
{
    const struct { const char *name; double mean, low, high; } all[] = {
        { "accuracy", m->accuracy, m->accuracy_low, m->accuracy_high },
        { "macro-f1", m->macro_f1, m->macro_f1_low, m->macro_f1_high },
        { "micro-f1", m->micro_f1, m->micro_f1_low, m->micro_f1_high },
        { "qwk", m->qwk, m->qwk_low, m->qwk_high },
        { "entity-f1", m->entity_f1, m->entity_f1_low, m->entity_f1_high },
        { "rmse", m->rmse, m->rmse_low, m->rmse_high },
        { "mae", m->mae, m->mae_low, m->mae_high },
        { "r2", m->r2, m->r2_low, m->r2_high },
    };
    size_t i = 0;

    while (i < TL_COUNT(all) - 1 && strcmp(all[i].name, metric) != 0) i++;
    return score(all[i].mean, all[i].low, all[i].high, m->rows);
}

static tl_status measure(tailor *t, const tl_fitting *f, tl_split part, json_t **out)
{
    const tl_rows  rows    = part == TL_SPLIT_TEST ? f->test : f->valid;
    tl_answers     answers = { 0 };
    tailor_metrics m;
    tl_status      rc;

    *out = NULL;
    if (f->spec.dataset->task->words) return tl_fit_words_measure(t, f, part, out);
    TL_TRY(tl_api_ask(t, f->result.model, f->spec.dataset, rows, &answers));
    TL_TRY(tl_api_measure(&t->ctx, &answers, &m));
    *out = metric_score(&m, f->spec.metric);
done:
    tl_answers_free(&t->ctx, &answers);
    return rc;
}

static json_t *curve(const tl_run_result *r)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < r->points; i++) {
        const tl_curve_point *p = &r->curve[i];
        json_array_append_new(list, json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "epoch",
                                              (json_int_t)p->epoch, "step", (json_int_t)p->step,
                                              "train_loss", tl_json_real(p->train_loss),
                                              "train_metric", tl_json_real(p->train_metric),
                                              "valid_loss", tl_json_real(p->valid_loss),
                                              "valid_metric",
                                              tl_json_real(p->valid_metric), "lr",
                                              tl_json_real(p->lr)));
    }
    return list;
}

static json_t *describe(const tl_fitting *f, const char *base)
{
    const tl_run_result *r = &f->result;
    json_t *cost = json_pack("{s:o, s:o, s:I}", "seconds", tl_json_real(r->seconds), "flops",
                             tl_json_real(r->flops), "peak_bytes", (json_int_t)r->peak_bytes);

    return json_pack(
        "{s:s, s:s, s:s, s:s?, s:s, s:s, s:I, s:o, s:I, s:I, s:I, s:s, s:s, s:s, s:o, s:I, s:I, "
        "s:o, s:o}",
        "version", tailor_version(), "task", f->spec.dataset->task->name,
        "route", f->spec.candidate.route->name, "base",
        f->spec.candidate.base ? base : NULL, "metric", f->spec.metric, "precision",
        tl_dtype_name(f->spec.dtype), "seed",
        (json_int_t)f->spec.seed, "hyperparameters",
        tl_hyper_to_json(&f->spec.candidate.hyper), "epochs",
        (json_int_t)r->epochs_run, "best_epoch", (json_int_t)r->best_epoch, "steps",
        (json_int_t)r->steps_run, "stopped", r->stopped ? r->stopped : "", "stop_detail",
        r->stop_detail, "fit", r->fit ? r->fit : "", "valid_metric",
        tl_json_real(r->valid_metric),
        "trainable_parameters", (json_int_t)r->trainable, "parameters",
        (json_int_t)r->parameters,
        "cost", cost, "curve", curve(r));
}

static tl_status hash_of(tl_ctx *ctx, const tl_dataset *d, char hex[65])
{
    if (tl_corpus_is(d)) return tl_corpus_hash(ctx, d, hex);
    return (tl_talks_is(d) ? tl_talks_hash : tl_dataset_hash)(ctx, d, hex);
}

/* The account in best/tailor.json: the result, and which rows the model was kept from, so that
 * another process can score the same. */
static tl_status account(tl_ctx *ctx, const tailor_data *data, const tl_fitting *f,
                         const json_t *result, json_t **out)
{
    const bool files = tl_api_names_test(data->set);
    json_t    *split, *rows = json_array();
    char       hex[65];
    tl_status  rc;

    *out = NULL;
    TL_TRY(hash_of(ctx, data->set, hex));
    for (int64_t i = 0; i < f->test.count && !files; i++)
        json_array_append_new(rows, json_integer(f->test.row[i]));
    split = json_pack("{s:s, s:I, s:I}", "kind", files ? "files" : "cut", "seed",
                      (json_int_t)data->seed, "rows", (json_int_t)f->test.count);
    if (!files) json_object_set(split, "test_rows", rows);
    *out = json_copy((json_t *)(uintptr_t)result);
    json_object_del(*out, "curve");
    json_object_del(*out, "samples");
    json_object_set_new(*out, "split", split);
    json_object_set_new(*out, "data", json_pack("{s:s, s:s}", "path", data->set->path,
                                                "sha256", hex));
done:
    json_decref(rows);
    return rc;
}

/* best/ with its scores, and the run's end in the store. */
static tl_status save(tl_ctx *ctx, const tailor_data *data, const tailor_fit_options *o,
                      tl_fitting *f, const json_t *result)
{
    char     *best  = NULL;
    json_t   *about = NULL;
    tl_status rc;

    TL_TRY(account(ctx, data, f, result, &about));
    TL_TRY(tl_path_join(ctx, o->out, "best", &best));
    TL_TRY(tl_model_save(ctx, f->result.model, about, best));
    if (f->spec.dataset->task->words)
        TL_TRY(tl_words_page(ctx, result, f->result.model->arch.name, o->out));
    TL_TRY(tl_store_end(ctx, f->spec.store, f->spec.store_run, "done", result));
    tl_store_close(ctx, f->spec.store);
    f->spec.store = NULL;
    TL_TRY(tl_api_keep_finished(ctx, o->out));
done:
    json_decref(about);
    tl_free(ctx, best);
    return rc;
}

/* The plan without running it. */
static tl_status plan(tl_ctx *ctx, const tl_fitting *f, char **out)
{
    tl_run_need need    = { 0 };
    char       *network = NULL;
    tl_status   rc;

    TL_TRY(tl_run_forecast(ctx, &f->spec, &need));
    TL_TRY(tl_arch_summary(ctx, &f->spec.candidate.arch, &network));
    TL_TRY(tl_api_text(ctx, json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:{s:I, s:o}}", "route",
                                      f->spec.candidate.route->name, "hyperparameters",
                                      tl_hyper_to_json(&f->spec.candidate.hyper),
                                      "network", network,
                                      "train", (json_int_t)f->train.count, "valid",
                                      (json_int_t)f->valid.count, "test",
                                      (json_int_t)f->test.count,
                                      "forecast", "peak_bytes",
                                      (json_int_t)need.peak_bytes, "flops",
                                      tl_json_real(need.flops)), out));
done:
    tl_free(ctx, network);
    return rc;
}

/* Losses at rising rates, and which rate they suggest. */
static tl_status find_rate(tl_ctx *ctx, const tl_fitting *f, char **out)
{
    tl_rate_test test;
    json_t      *points = json_array();
    tl_status    rc;

    TL_TRY(tl_run_rates(ctx, &f->spec, &test));
    for (int64_t i = 0; i < test.points; i++)
        json_array_append_new(points, json_pack("{s:o, s:o}", "lr",
                                                tl_json_real(test.point[i].lr), "loss",
                                                tl_json_real(test.point[i].loss)));
    rc = tl_api_text(ctx,
                     json_pack("{s:s, s:s, s:o, s:o, s:O}", "route",
                               f->spec.candidate.route->name, "optimizer",
                               f->spec.candidate.hyper.optimizer, "lr",
                               tl_json_real(f->spec.candidate.hyper.optim.lr), "suggested",
                               tl_json_real(test.suggested), "rates", points),
                     out);
done:
    json_decref(points);
    return rc;
}

/* What only training used, so that scores are not made beside it. */
static void let_go_of_buffers(tl_ctx *ctx, tl_run_spec *spec)
{
    tl_slab_free(ctx, spec->slab);
    tl_cache_free(ctx, spec->cache);
    spec->slab  = NULL;
    spec->cache = NULL;
}

static void let_go(tl_ctx *ctx, tl_fitting *f)
{
    let_go_of_buffers(ctx, &f->spec);
    tl_store_close(ctx, f->spec.store);
    tl_run_result_free(ctx, &f->result);
    tl_texter_drop(ctx, f->texter);
    tl_arch_free(ctx, &f->spec.candidate.arch);
    tl_schema_drop(ctx, f->columns);
    tl_free(ctx, f->rest.row);
    tl_free(ctx, f->train.row);
    tl_free(ctx, f->valid.row);
    tl_free(ctx, f->test.row);
    tl_free(ctx, f->checkpoint);
    if (f->before) json_decref(f->before);
    tl_lock_drop(&f->lock);
}

static tl_status check_options(tl_ctx *ctx, const tailor_fit_options *o)
{
    if (!o->loss || strcmp(o->loss, "categorical_crossentropy") == 0) return TL_OK;
    return tl_fail(ctx, TL_EUSAGE, "loss",
                   "\"%s\" is not known (categorical_crossentropy)", o->loss);
}

tailor_status tailor_fit(tailor *t, tailor_model *model, const tailor_data *data,
                         const tailor_fit_options *options, char **json)
{
    tl_ctx                  *ctx    = tl_api_begin(t);
    const tailor_fit_options o      = options ? *options : (tailor_fit_options){ 0 };
    tl_fitting               f      = { .lock = { -1 } };
    json_t                  *result = NULL, *scored;
    tl_status                rc;

    if (json) *json = NULL;
    TL_TRY(check_options(ctx, &o));
    TL_TRY(prepare(t, model, data, &o, &f));
    if (o.dry_run) {
        if (json) TL_TRY(plan(ctx, &f, json));
        goto done;
    }
    if (o.find_rate) {
        if (json) TL_TRY(find_rate(ctx, &f, json));
        goto done;
    }
    if (o.out) TL_TRY(open_files(ctx, &o, &f));
    TL_TRY(tl_run_train(ctx, &f.spec, &f.result));
    if (!f.spec.dataset->task->words) let_go_of_buffers(ctx, &f.spec);
    result = describe(&f, model->model->path);
    if (f.result.tales) json_object_set(result, "samples", f.result.tales);
    TL_TRY(measure(t, &f, TL_SPLIT_VALID, &scored));
    json_object_set_new(result, "valid", scored);
    if (f.test.count) {
        TL_TRY(measure(t, &f, TL_SPLIT_TEST, &scored));
        json_object_set_new(result, "test", scored);
    }
    if (o.out) TL_TRY(save(ctx, data, &o, &f, result));
    tl_model_free(ctx, model->model);
    model->model   = f.result.model;
    model->fresh   = false;
    f.result.model = NULL;
    if (json) TL_TRY(tl_api_text(ctx, json_incref(result), json));
done:
    if (result) json_decref(result);
    let_go(ctx, &f);
    return tl_api_status(rc);
}
