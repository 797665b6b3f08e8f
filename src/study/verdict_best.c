/* verdict_best.c -- the model that is handed over: best/ is written, opened again as
 * anyone would open it, and scored; what it scores is what the verdict says. Floor 4,
 * study. */
#include "core/io.h"
#include "core/machine.h"
#include "core/text.h"
#include "study/update.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TIMED_ROWS = 64, TIMED_ROUNDS = 3 };

/* Milliseconds a row, one batch of 32 after the other, the best of three rounds. */
static tl_status time_model(tl_ctx *ctx, tl_study *s, const tl_model *model,
                            tl_cache *cache, double *ms)
{
    tl_status     rc;
    tl_predictor *p    = NULL;
    float        *y    = NULL;
    const tl_rows rows = { s->test.row, TL_MIN(TIMED_ROWS, s->test.count) };

    *ms = NAN;
    TL_TRY(tl_predictor_new(ctx, model, TL_PART_WHOLE, 32, s->backend, s->slab, s->dtype,
                            &p));
    TL_TRY(
        tl_alloc_array(ctx, (size_t)(rows.count * tl_predictor_width(p)), sizeof *y, &y));
    for (int i = 0; i <= TIMED_ROUNDS; i++) {
        const double before = tl_time_s();
        TL_TRY(tl_predictor_rows(ctx, p, cache, rows, y));
        const double took = 1000.0 * (tl_time_s() - before) / (double)rows.count;
        if (i > 0) *ms = fmin(isnan(*ms) ? took : *ms, took);
    }
done:
    tl_predictor_free(ctx, p);
    tl_free(ctx, y);
    return rc;
}

static tl_status measure_entry(tl_ctx *ctx, tl_study *s, int entry, double *ms,
                               int64_t *bytes)
{
    tl_status           rc;
    const tl_study_run *run   = tl_study_best_run(s, entry);
    tl_model           *model = NULL;
    tl_cache           *coded = NULL;
    char               *path = NULL, *file = NULL;

    *ms    = NAN;
    *bytes = -1;
    if (!run) return TL_OK;
    TL_TRY(tl_study_model_path(ctx, s, run->id, &path));
    TL_TRY(tl_path_join(ctx, path, "model.safetensors", &file));
    *bytes = tl_file_bytes(file);
    TL_TRY(tl_model_open(ctx, path, NULL, &model));
    if (!tl_cache_fits(s->view[s->entry[entry].view].cache, &model->prep)) /* as it was fitted */
        TL_TRY(tl_cache_new(ctx, s->data, &model->prep, (size_t)64 << 20, &coded));
    TL_TRY(time_model(ctx, s, model, coded ? coded : s->view[s->entry[entry].view].cache,
                      ms));
done:
    tl_cache_free(ctx, coded);
    tl_model_free(ctx, model);
    tl_free(ctx, path);
    tl_free(ctx, file);
    return rc;
}

/* --max-latency and --max-size rule a candidate out of winning. */
static void hold_to_limits(tl_study *s, tl_entry *e, double ms, int64_t bytes)
{
    const double mb = (double)bytes / 1e6;
    const size_t told = strlen(e->why);
    char         why[200];

    if (s->q->max_latency_ms > 0.0 && ms > s->q->max_latency_ms)
        snprintf(why, sizeof why, "It takes %.2g ms a row, over --max-latency %.3g.",
                 ms, s->q->max_latency_ms);
    else if (s->q->max_size_mb > 0.0 && mb > s->q->max_size_mb)
        snprintf(why, sizeof why, "Its weights take %.3g MB, over --max-size %.3g.", mb,
                 s->q->max_size_mb);
    else
        return;
    e->barred = true;
    snprintf(e->why + told, sizeof e->why - told, "%s%s", told ? " " : "", why);
    tl_study_warn(s, "%s cannot win: %s", e->label, why);
}

/* Measured once, and read back by a resumed comparison: a limit must not flip by the
 * clock. */
tl_status tl_study_measure_inference(tl_ctx *ctx, tl_study *s, tl_judged *j)
{
    tl_status    rc;
    json_t      *kept = NULL;
    const size_t n    = (size_t)s->entries;

    TL_TRY(tl_alloc_array(ctx, n, sizeof *j->ms_per_row, &j->ms_per_row));
    TL_TRY(tl_alloc_array(ctx, n, sizeof *j->model_bytes, &j->model_bytes));
    TL_TRY(tl_store_get(ctx, s->store, "inference", &kept));
    const bool known = kept != NULL;
    if (!known) kept = json_array();
    for (int i = 0; i < s->entries; i++) {
        const json_t *one = json_array_get(kept, (size_t)i);
        if (known) {
            j->ms_per_row[i]  = tl_json_number(one, "ms_per_row", NAN);
            j->model_bytes[i] = tl_json_int(one, "bytes", -1);
        } else {
            TL_TRY(measure_entry(ctx, s, i, &j->ms_per_row[i], &j->model_bytes[i]));
            json_array_append_new(kept, json_pack("{s:o, s:I}", "ms_per_row",
                                                  tl_json_real(j->ms_per_row[i]), "bytes",
                                                  (json_int_t)j->model_bytes[i]));
        }
        if (!s->entry[i].status)
            hold_to_limits(s, &s->entry[i], j->ms_per_row[i], j->model_bytes[i]);
    }
    if (!known) TL_TRY(tl_store_set(ctx, s->store, "inference", kept));
done:
    json_decref(kept);
    return rc;
}

/* The rows best/ is tested on, so that another process can ask for the same. */
static json_t *split_json(const tl_study *s, const tl_judged *j)
{
    json_t *split =
        json_pack("{s:s, s:I, s:I}", "kind",
                  s->folds ? "fold"
                  : s->cut ? "cut"
                           : "files",
                  "seed", (json_int_t)s->q->seed, "rows", (json_int_t)j->best_rows.count);
    json_t *rows = NULL;

    if (s->folds || s->cut) {
        rows = json_array();
        for (int64_t i = 0; i < j->best_rows.count; i++)
            json_array_append_new(rows, json_integer(tl_update_place(s, j->best_rows.row[i])));
        json_object_set_new(split, "test_rows", rows);
    }
    return split;
}

static json_t *extra_json(const tl_study *s, const tl_judged *j)
{
    const tl_entry *e = &s->entry[j->best_run->candidate];
    json_t         *extra;

    extra = json_pack(
        "{s:s, s:o, s:s, s:o, s:s, s:s, s:o, s:{s:s, s:s}}", "route", e->c.route->name,
        "base", e->c.base ? json_string(e->c.base->path) : json_null(), "precision",
        tl_dtype_name(s->dtype), "hyperparameters", tl_hyper_to_json(&e->c.hyper),
        "metric", s->metric, "version", TAILOR_VERSION, "split", split_json(s, j), "data",
        "path", s->data->path, "sha256", tl_update_sha256(s));
    if (s->update.model) json_object_set_new(extra, "update", tl_update_provenance(s));
    json_object_set_new(
        extra, "metrics",
        json_pack("{s:o, s:o}", "valid",
                  tl_json_real(j->best_run->facts.valid_metric),
                  "test", tl_json_real(j->best_test)));
    return extra;
}

static tl_status save_best(tl_ctx *ctx, const tl_study *s, const tl_judged *j,
                           const tl_model *model, const char *path)
{
    json_t         *extra = extra_json(s, j);
    const tl_status rc    = extra
                                ? tl_model_save(ctx, model, extra, path)
                                : tl_fail(ctx, TL_ENOMEM, path, "no memory for tailor.json");

    json_decref(extra);
    return rc;
}

tl_status tl_study_score_rows(tl_ctx *ctx, const tl_study *s, tl_rows rows,
                              const float *answer, const float *threshold, double *out)
{
    tl_status     rc;
    int32_t      *label = NULL, *said = NULL;
    double       *truth = NULL;
    const int64_t classes = s->data->classes, count = rows.count;

    if (s->data->target) {
        TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *truth, &truth));
        for (int64_t r = 0; r < count; r++) truth[r] = s->data->target[rows.row[r]];
        *out = tl_study_metric_of_numbers(ctx, s, truth, answer, count);
        goto done;
    }
    if (tl_study_scores_marks(s))
        return tl_study_metric_of_marks(ctx, s, threshold, rows, answer, out);
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *label, &label));
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *said, &said));
    for (int64_t r = 0; r < count; r++) {
        const float *p = answer + r * classes;
        label[r]       = s->data->label[rows.row[r]];
        for (int64_t c = 1; c < classes; c++)
            if (p[c] > p[said[r]]) said[r] = (int32_t)c;
    }
    *out = tl_study_metric(s, label, said, count);
done:
    tl_free(ctx, label);
    tl_free(ctx, truth);
    tl_free(ctx, said);
    return rc;
}

static tl_status score_best(tl_ctx *ctx, tl_study *s, tl_judged *j, const char *path)
{
    tl_status rc;
    tl_model *model = NULL;
    tl_cache *cache = NULL;

    TL_TRY(tl_model_open(ctx, path, NULL, &model));
    TL_TRY(tl_cache_new(ctx, s->data, &model->prep, (size_t)64 << 20, &cache));
    TL_TRY(tl_study_ask(ctx, s, model, cache, j->best_rows, &j->best_answer));
    if (model->threshold) {
        TL_TRY(tl_alloc_array(ctx, (size_t)s->data->classes, sizeof(float), &j->best_threshold));
        memcpy(j->best_threshold, model->threshold,
               (size_t)s->data->classes * sizeof(float));
    }
    TL_TRY(tl_study_score_rows(ctx, s, j->best_rows, j->best_answer, j->best_threshold,
                               &j->best_test));
    if (!tl_task_of_one_class(s->data->task)) goto done;
    TL_TRY(tl_study_calibrate_best(ctx, s, j, model, cache));
    TL_TRY(tl_study_mcnemar(ctx, s, j));
done:
    tl_model_free(ctx, model);
    tl_cache_free(ctx, cache);
    return rc;
}

tl_status tl_study_write_best(tl_ctx *ctx, tl_study *s, tl_judged *j)
{
    tl_status rc;
    tl_model *model = NULL;
    char     *from = NULL, *path = NULL;

    j->best_rows = s->slice[j->best_run->fold].test;
    j->best_test = NAN;
    TL_TRY(tl_study_model_path(ctx, s, j->best_run->id, &from));
    TL_TRY(tl_path_join(ctx, s->q->out, "best", &path));
    TL_TRY(tl_model_open(ctx, from, NULL, &model));
    TL_TRY(save_best(ctx, s, j, model, path));
    TL_TRY(score_best(ctx, s, j, path));
    TL_TRY(save_best(ctx, s, j, model, path)); /* now with what it scores */
done:
    tl_model_free(ctx, model);
    tl_free(ctx, from);
    tl_free(ctx, path);
    return rc;
}
