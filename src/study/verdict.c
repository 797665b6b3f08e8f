/* verdict.c -- the test part, read once: every candidate's answers against the labels,
 * and what the statistics make of them. Floor 4, study. */
#include "study/update.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool can_be_judged(const tl_study *s, int i)
{
    const tl_entry *e = &s->entry[i];

    return !e->status && !e->barred && !e->aside && tl_study_repeats(s, i, e->chosen) > 0;
}

int tl_judged_place(const tl_judged *j, int entry)
{
    for (int i = 0; i < j->count; i++)
        if (j->entry[i] == entry) return i;
    return -1;
}

double tl_study_metric(const tl_study *s, const int32_t *label, const int32_t *predicted,
                       int64_t rows)
{
    if (strcmp(s->metric, "macro-f1") == 0)
        return tl_macro_f1(label, predicted, rows, (int32_t)s->data->classes);
    return tl_accuracy(label, predicted, rows);
}

double tl_study_metric_of_numbers(tl_ctx *ctx, const tl_study *s, const double *truth,
                                  const float *said, int64_t rows)
{
    tl_tally t;
    double   value;

    if (tl_tally_new(ctx, 1, &t) != TL_OK) return NAN;
    t.task  = s->data->task;
    t.scale = 1.0;
    for (int64_t r = 0; r < rows; r++) tl_tally_count(&t, &said[r], 0, truth[r]);
    value = tl_tally_metric(&t, s->metric);
    tl_tally_free(ctx, &t);
    return value;
}

/* What a row adds to the metric, signed so that more is better; their mean is the metric.  RMSE
 * is no mean over rows; its linear part is, sqrt(m) + (e^2 - m) / (2 sqrt(m)), as macro-F1's. */
void tl_study_score_numbers(const tl_study *s, const double *truth, const float *said,
                            int64_t rows, float *score)
{
    const bool   square = strcmp(s->metric, "mae") != 0, r2 = strcmp(s->metric, "r2") == 0;
    const double n = (double)rows;
    double       mean = 0.0, spread = 0.0, m = 0.0;

    for (int64_t r = 0; r < rows; r++) mean += truth[r] / n;
    for (int64_t r = 0; r < rows; r++) {
        const double e = (double)said[r] - truth[r];
        spread += (truth[r] - mean) * (truth[r] - mean) / n;
        m += (square ? e * e : fabs(e)) / n;
    }
    for (int64_t r = 0; r < rows; r++) {
        const double e = (double)said[r] - truth[r];
        if (r2) score[r] = (float)(1.0 - e * e / spread);
        else if (!square) score[r] = (float)-fabs(e);
        else score[r] = m > 0.0 ? (float)-(sqrt(m) + (e * e - m) / (2.0 * sqrt(m))) : 0.0f;
    }
}

int32_t tl_study_top(const float *probability, int64_t classes)
{
    int32_t top = 0;

    for (int32_t c = 1; c < classes; c++)
        if (probability[c] > probability[top]) top = c;
    return top;
}

static void to_classes(const float *probability, int64_t rows, int64_t classes,
                       int32_t *out)
{
    for (int64_t r = 0; r < rows; r++) out[r] = tl_study_top(probability + r * classes, classes);
}

const tl_study_run *tl_study_run_of(const tl_study *s, int entry, int repeat, int fold,
                                    int64_t trained)
{
    return trained ? tl_study_find_part(s, entry, repeat, fold, trained)
                   : tl_study_find(s, entry, s->entry[entry].chosen, repeat, fold);
}

tl_status tl_study_stored(tl_ctx *ctx, const tl_study *s, const tl_study_run *run,
                          const char *name, int64_t rows, float **out)
{
    void     *data = NULL;
    size_t    bytes;
    tl_status rc;

    *out = NULL;
    if (s->tape) return s->tape->answers(ctx, s->tape->user, run, out);
    TL_TRY(tl_store_get_blob(ctx, s->store, run->id, name, &data, &bytes));
    if (!data || bytes != (size_t)(rows * s->data->classes) * sizeof **out)
        TL_FAIL(TL_EDATA, "runs.db",
                "the answers of run %" PRId64 " are not whole (start "
                "anew in another --out)",
                run->id);
    *out = data;
    data = NULL;
done:
    tl_free(ctx, data);
    return rc;
}

tl_status tl_study_read_answers(tl_ctx *ctx, const tl_study *s, const tl_study_run *run,
                                const char *name, int64_t rows, int32_t *predicted,
                                float *said)
{
    tl_status rc;
    float    *data = NULL;

    TL_TRY(tl_study_stored(ctx, s, run, name, rows, &data));
    if (said) memcpy(said, data, (size_t)(rows * s->data->classes) * sizeof *said);
    else to_classes(data, rows, s->data->classes, predicted);
done:
    tl_free(ctx, data);
    return rc;
}

tl_status tl_study_answers(tl_ctx *ctx, const tl_study *s, int entry, int repeat,
                           int64_t trained, int32_t *predicted, float *said)
{
    tl_status rc = TL_OK;

    for (int fold = 0; fold < tl_study_slices(s); fold++) {
        const int64_t rows = s->slice[fold].test.count;
        TL_TRY(tl_study_read_answers(ctx, s, tl_study_run_of(s, entry, repeat, fold, trained),
                                     "test", rows, predicted, said));
        if (said) said += rows;
        else predicted += rows;
    }
done:
    return rc;
}

static tl_status collect(tl_ctx *ctx, tl_study *s, tl_judged *j)
{
    tl_status    rc;
    const size_t entries = (size_t)s->entries, rows = (size_t)s->test.count;

    TL_TRY(tl_alloc_array(ctx, entries + 1, sizeof *j->entry, &j->entry));
    TL_TRY(tl_alloc_array(ctx, entries + 1, sizeof *j->seeds, &j->seeds));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *j->label, &j->label));
    if (s->data->target) TL_TRY(tl_alloc_array(ctx, rows, sizeof *j->truth, &j->truth));
    for (int64_t r = 0; r < s->test.count; r++) {
        j->label[r] = s->data->task->several ? 1 : s->data->label[s->test.row[r]];
        if (j->truth) j->truth[r] = s->data->target[s->test.row[r]];
    }
    for (int i = 0; i < s->entries; i++) {
        if (!can_be_judged(s, i)) continue;
        j->seeds[j->count]   = tl_study_repeats(s, i, s->entry[i].chosen);
        j->most              = TL_MAX(j->most, j->seeds[j->count]);
        j->entry[j->count++] = i;
    }
    if (j->count == 0)
        TL_FAIL(TL_EFAIL, "compare",
                "no candidate is left to choose from (see the notes above)");
    TL_TRY(tl_alloc_array(ctx, (size_t)(j->count * j->most) * rows, sizeof *j->predicted,
                          &j->predicted));
    if (j->truth)
        TL_TRY(tl_alloc_array(ctx, (size_t)(j->count * j->most) * rows, sizeof *j->said,
                              &j->said));
    if (tl_study_scores_marks(s))
        TL_TRY(tl_alloc_array(ctx, (size_t)(j->count * j->most) * rows, sizeof *j->score,
                              &j->score));
    for (int i = 0; i < j->count; i++)
        for (int k = 0; k < j->seeds[i]; k++) {
            const int64_t at = (i * j->most + k) * s->test.count;
            if (j->score)
                TL_TRY(tl_study_score_marks(ctx, s, j->entry[i], k, 0, j->predicted + at,
                                            j->score + at));
            else TL_TRY(tl_study_answers(ctx, s, j->entry[i], k, 0, j->predicted + at,
                                    j->said ? j->said + at : NULL));
        }
done:
    return rc;
}

typedef struct {
    float  *score;
    double *inference, *training, *valid;
} columns;

static tl_status fill_columns(tl_ctx *ctx, const tl_study *s, const tl_judged *j,
                              columns *c)
{
    tl_status     rc;
    const size_t  n     = (size_t)j->count;
    const int64_t cells = (int64_t)j->count * j->most * s->test.count;

    TL_TRY(tl_alloc_array(ctx, (size_t)cells, sizeof *c->score, &c->score));
    TL_TRY(tl_alloc_array(ctx, n, sizeof(double), &c->inference));
    TL_TRY(tl_alloc_array(ctx, n, sizeof(double), &c->training));
    TL_TRY(tl_alloc_array(ctx, n, sizeof(double), &c->valid));
    for (int64_t at = 0; j->said && at < cells; at += s->test.count)
        tl_study_score_numbers(s, j->truth, j->said + at, s->test.count, c->score + at);
    if (j->score) memcpy(c->score, j->score, (size_t)cells * sizeof *c->score);
    for (int64_t i = 0; !j->said && !j->score && i < cells; i++)
        c->score[i] = j->predicted[i] == j->label[i % s->test.count] ? 1.0f : 0.0f;
    for (int i = 0; i < j->count; i++) {
        const tl_entry *e = &s->entry[j->entry[i]];
        c->inference[i]   = e->row_flops;
        c->training[i]    = e->need.flops;
        c->valid[i]       = e->finalist
                                ? tl_study_merit(s, tl_study_valid_mean(s, j->entry[i]))
                                : NAN;
    }
done:
    return rc;
}

/* `bootstraps` as tl_scores has it: at a look confidence is not asked. */
static tl_status decide(tl_ctx *ctx, tl_study *s, int bootstraps, tl_judged *out)
{
    tl_status rc;
    columns   c = { 0 };

    TL_TRY(collect(ctx, s, out));
    TL_TRY(fill_columns(ctx, s, out, &c));
    const bool      f1     = strcmp(s->metric, "macro-f1") == 0 && !s->data->task->several;
    const tl_scores scores = { .candidates     = out->count,
                               .seeds          = out->most,
                               .seeds_of       = out->seeds,
                               .rows           = s->test.count,
                               .score          = c.score,
                               .label          = f1 ? out->label : NULL,
                               .predicted      = f1 ? out->predicted : NULL,
                               .classes        = (int32_t)s->data->classes,
                               .inference_cost = c.inference,
                               .training_cost  = c.training,
                               .valid          = c.valid,
                               .margin         = s->margin,
                               .cluster        = s->cluster,
                               .level          = s->level,
                               .bootstraps     = bootstraps,
                               .plain          = !tl_study_metric_of(s)->percent,
                               .lower          = !tl_study_metric_of(s)->higher,
                               .seed           = s->q->seed };
    TL_TRY(tl_decide(ctx, &scores, &out->decision));
    if (!tl_study_metric_of(s)->higher) /* people are told the metric itself */
        tl_decision_turn(&out->decision, out->count);
    if (s->update.model) tl_update_why(s, out);
done:
    tl_free(ctx, c.score);
    tl_free(ctx, c.inference);
    tl_free(ctx, c.training);
    tl_free(ctx, c.valid);
    return rc;
}

const char *tl_outcome_name(int outcome)
{
    static const char *const names[] = { "better", "tie", "undecided" };

    return names[outcome];
}

tl_status tl_study_weigh(tl_ctx *ctx, tl_study *s, tl_judged *out)
{
    tl_status rc;

    *out = (tl_judged){ 0 };
    rc   = decide(ctx, s, 1, out);
    if (rc != TL_OK) tl_judged_free(ctx, out);
    return rc;
}

tl_status tl_study_judge(tl_ctx *ctx, tl_study *s, tl_judged *out)
{
    tl_status rc;

    *out = (tl_judged){ 0 };
    TL_TRY(tl_study_measure_inference(ctx, s, out));
    if (s->update.model) TL_TRY(tl_update_judge(ctx, s));
    TL_TRY(decide(ctx, s, 0, out));
    out->best_run = tl_study_best_run(s, out->entry[out->decision.winner]);
    TL_TRY(tl_study_judge_shifted(ctx, s, out));
    TL_TRY(tl_study_judge_groups(ctx, s, out));
    TL_TRY(tl_study_judge_labels(ctx, s, out));
done:
    if (rc != TL_OK) tl_judged_free(ctx, out);
    return rc;
}

void tl_judged_free(tl_ctx *ctx, tl_judged *j)
{
    tl_decision_free(ctx, &j->decision);
    tl_decision_free(ctx, &j->shifted);
    json_decref(j->groups);
    tl_label_audit_free(ctx, &j->labels);
    tl_free(ctx, j->entry);
    tl_free(ctx, j->seeds);
    tl_free(ctx, j->label);
    tl_free(ctx, j->predicted);
    tl_free(ctx, j->truth);
    tl_free(ctx, j->said);
    tl_free(ctx, j->score);
    tl_free(ctx, j->ms_per_row);
    tl_free(ctx, j->model_bytes);
    tl_free(ctx, j->best_answer);
    tl_free(ctx, j->best_threshold);
    *j = (tl_judged){ 0 };
}
