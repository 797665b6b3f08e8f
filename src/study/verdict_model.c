/* verdict_model.c -- what is asked of the one model that is handed over: whether its
 * probabilities mean what they say, how it fares class by class, and how it stands beside the
 * runner-up's model on the same rows. Floor 4, study. */
#include "study/compare_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* On the rows that chose its weights, none of which it was trained on. */
static tl_status fit_temperature(tl_ctx *ctx, tl_study *s, const tl_judged *j,
                                 const tl_model *model, tl_cache *cache, double *out)
{
    tl_status rc;
    tl_rows   train = { 0 }, valid = { 0 };
    float    *p     = NULL;
    int32_t  *label = NULL;

    TL_TRY(tl_study_split(ctx, s, &s->entry[j->best_run->candidate], j->best_run->repeat,
                          j->best_run->fold, 0, &train, &valid));
    TL_TRY(tl_study_ask(ctx, s, model, cache, valid, &p));
    TL_TRY(tl_alloc_array(ctx, (size_t)valid.count, sizeof *label, &label));
    for (int64_t r = 0; r < valid.count; r++) label[r] = s->data->label[valid.row[r]];
    *out = tl_temperature(p, label, valid.count, (int32_t)s->data->classes);
done:
    tl_free(ctx, train.row);
    tl_free(ctx, valid.row);
    tl_free(ctx, p);
    tl_free(ctx, label);
    return rc;
}

tl_status tl_study_calibrate_best(tl_ctx *ctx, tl_study *s, tl_judged *j, const tl_model *model,
                                  tl_cache *cache)
{
    const int32_t classes = (int32_t)s->data->classes;
    int32_t      *label   = NULL;
    double        temperature;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)j->best_rows.count, sizeof *label, &label));
    for (int64_t r = 0; r < j->best_rows.count; r++)
        label[r] = s->data->label[j->best_rows.row[r]];
    TL_TRY(fit_temperature(ctx, s, j, model, cache, &temperature));
    j->calibration[0] =
        tl_calibrate(j->best_answer, label, j->best_rows.count, classes, 1.0);
    j->calibration[1] =
        tl_calibrate(j->best_answer, label, j->best_rows.count, classes, temperature);
done:
    tl_free(ctx, label);
    return rc;
}

static json_t *calibration_json(const tl_calibration *k)
{
    return json_pack("{s:o, s:o, s:o}", "ece", tl_json_real(k->ece), "brier",
                     tl_json_real(k->brier), "log_loss", tl_json_real(k->log_loss));
}

json_t *tl_study_calibration_json(const tl_study *s, const tl_judged *j)
{
    if (!tl_task_of_one_class(s->data->task)) return json_null();
    return json_pack("{s:o, s:o, s:o}", "temperature", tl_json_real(j->calibration[1].temperature),
                     "as_it_is", calibration_json(&j->calibration[0]), "at_temperature",
                     calibration_json(&j->calibration[1]));
}

void tl_study_calibration_words(const tl_study *s, const tl_judged *j, json_t *reasons)
{
    const double off = j->calibration[0].ece, then = j->calibration[1].ece;
    const double t   = j->calibration[1].temperature;
    char         mend[160];

    if (!tl_task_of_one_class(s->data->task)) return;
    if (then < off)
        snprintf(mend, sizeof mend,
                 "; at a temperature of %.2f, fitted on validation rows, by %.1f", t, 100.0 * then);
    else snprintf(mend, sizeof mend, "; a temperature fitted on validation rows does not mend it");
    tl_reason(reasons,
              "Its probabilities are %s: on average what it says it is sure of is off by %.1f "
              "points (expected calibration error)%s.",
              off < 0.03 ? "to be trusted" : t > 1.0 ? "too sure" : "not sure enough",
              100.0 * off, off < 0.03 ? "" : mend);
}

static json_t *interval_or_null(tl_interval i)
{
    return isfinite(i.low) ? json_pack("[f, f]", i.low, i.high) : json_null();
}

json_t *tl_study_per_class_json(const tl_study *s, const int64_t *count)
{
    const int64_t n    = s->data->classes;
    json_t       *list = json_array();

    for (int64_t c = 0; c < n; c++) {
        int64_t there = 0, named = 0;
        for (int64_t k = 0; k < n; k++) {
            there += count[c * n + k];
            named += count[k * n + c];
        }
        const double      hits      = (double)count[c * n + c];
        const tl_interval recall    = tl_wilson(hits, (double)there, 0.95);
        const tl_interval precision = tl_wilson(hits, (double)named, 0.95);
        const double f1 = there + named > 0 ? 2.0 * hits / (double)(there + named) : NAN;
        json_array_append_new(
            list, json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "class",
                            tl_study_class_json(s, c), "rows", (json_int_t)there, "precision",
                            tl_json_real(precision.mean), "precision_ci95",
                            interval_or_null(precision), "recall", tl_json_real(recall.mean),
                            "recall_ci95", interval_or_null(recall), "f1", tl_json_real(f1)));
    }
    return list;
}

/* The runner-up's model of the same rows: in folds that of the same fold. */
static const tl_study_run *beside(const tl_study *s, const tl_judged *j)
{
    const int entry = j->entry[j->decision.runner_up];

    if (s->folds)
        return tl_study_find(s, entry, s->entry[entry].chosen, j->best_run->repeat,
                             j->best_run->fold);
    return tl_study_best_run(s, entry);
}

tl_status tl_study_mcnemar(tl_ctx *ctx, tl_study *s, tl_judged *j)
{
    const int64_t       n = s->data->classes, rows = j->best_rows.count;
    const tl_study_run *run;
    void               *blob = NULL;
    size_t              bytes;
    tl_status           rc = TL_OK;

    j->only_winner = j->only_runner_up = -1;
    if (j->decision.runner_up < 0 || !tl_task_of_one_class(s->data->task)) return TL_OK;
    run = beside(s, j);
    if (!run) return TL_OK;
    TL_TRY(tl_store_get_blob(ctx, s->store, run->id, "test", &blob, &bytes));
    if (!blob || bytes != (size_t)(rows * n) * sizeof(float)) goto done;
    j->only_winner = j->only_runner_up = 0;
    for (int64_t r = 0; r < rows; r++) {
        const int32_t label = s->data->label[j->best_rows.row[r]];
        const bool    a = tl_study_top(j->best_answer + r * n, n) == label;
        const bool    b = tl_study_top((const float *)blob + r * n, n) == label;
        j->only_winner += a && !b;
        j->only_runner_up += b && !a;
    }
done:
    tl_free(ctx, blob);
    return rc;
}

json_t *tl_study_mcnemar_json(const tl_judged *j)
{
    if (j->only_winner < 0) return json_null();
    return json_pack("{s:I, s:I, s:f}", "only_winner_right", (json_int_t)j->only_winner,
                     "only_runner_up_right", (json_int_t)j->only_runner_up, "p",
                     tl_mcnemar(j->only_winner, j->only_runner_up));
}
