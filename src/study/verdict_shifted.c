/* verdict_shifted.c -- the same routes on a second test set from elsewhere (--shifted), by the
 * same statistics: does the order hold there?  It decides nothing. Floor 4, study. */
#include "study/compare_internal.h"

#include <math.h>
#include <string.h>

/* The answers on shifted rows that a run gave after its training; of folds the first's. */
static tl_status read_answers(tl_ctx *ctx, const tl_study *s, int entry, int repeat,
                              int32_t *predicted, float *said)
{
    const tl_study_run *run = tl_study_find(s, entry, s->entry[entry].chosen, repeat, 0);
    const int64_t       n = s->data->classes, rows = s->shifted.count;
    void               *blob = NULL;
    size_t              bytes;
    tl_status           rc;

    TL_TRY(tl_store_get_blob(ctx, s->store, run->id, "shifted", &blob, &bytes));
    if (!blob || bytes != (size_t)(rows * n) * sizeof(float))
        TL_FAIL(TL_EDATA, "runs.db",
                "the shifted answers of run %" PRId64 " are not whole (start anew in another "
                "--out)",
                run->id);
    if (said) memcpy(said, blob, bytes);
    for (int64_t r = 0; !said && r < rows; r++)
        predicted[r] = tl_study_top((const float *)blob + r * n, n);
done:
    tl_free(ctx, blob);
    return rc;
}

typedef struct {
    int32_t *label, *predicted;
    double  *truth;
    float   *said, *score;
} answers;

static tl_status collect(tl_ctx *ctx, const tl_study *s, const tl_judged *j, answers *a)
{
    const int64_t rows  = s->shifted.count;
    const size_t  cells = (size_t)(j->count * j->most) * (size_t)rows;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *a->label, &a->label));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *a->truth, &a->truth));
    TL_TRY(tl_alloc_array(ctx, cells, sizeof *a->predicted, &a->predicted));
    TL_TRY(tl_alloc_array(ctx, cells, sizeof *a->score, &a->score));
    if (s->data->target) TL_TRY(tl_alloc_array(ctx, cells, sizeof *a->said, &a->said));
    for (int64_t r = 0; r < rows; r++) {
        a->label[r] = s->data->label[s->shifted.row[r]];
        if (s->data->target) a->truth[r] = s->data->target[s->shifted.row[r]];
    }
    for (int i = 0; i < j->count; i++)
        for (int k = 0; k < j->seeds[i]; k++) {
            const int64_t at = (i * j->most + k) * rows;
            TL_TRY(read_answers(ctx, s, j->entry[i], k, a->predicted + at,
                                a->said ? a->said + at : NULL));
            if (a->said)
                tl_study_score_numbers(s, a->truth, a->said + at, rows, a->score + at);
            for (int64_t r = 0; !a->said && r < rows; r++)
                a->score[at + r] = a->predicted[at + r] == a->label[r] ? 1.0f : 0.0f;
        }
done:
    return rc;
}

tl_status tl_study_judge_shifted(tl_ctx *ctx, tl_study *s, tl_judged *j)
{
    tl_status rc;
    answers   a  = { 0 };
    const bool f1 = strcmp(s->metric, "macro-f1") == 0;

    if (s->shifted.count == 0) return TL_OK;
    TL_TRY(collect(ctx, s, j, &a));
    const tl_scores scores = { .candidates = j->count, .seeds = j->most, .seeds_of = j->seeds,
                               .rows = s->shifted.count, .score = a.score,
                               .label = f1 ? a.label : NULL,
                               .predicted = f1 ? a.predicted : NULL,
                               .classes = (int32_t)s->data->classes, .margin = s->margin,
                               .plain = !tl_study_metric_of(s)->percent,
                               .lower = !tl_study_metric_of(s)->higher, .seed = s->q->seed };
    TL_TRY(tl_decide(ctx, &scores, &j->shifted));
    if (!tl_study_metric_of(s)->higher) tl_decision_turn(&j->shifted, j->count);
done:
    tl_free(ctx, a.label);
    tl_free(ctx, a.predicted);
    tl_free(ctx, a.truth);
    tl_free(ctx, a.said);
    tl_free(ctx, a.score);
    return rc;
}

static int best_there(const tl_study *s, const tl_judged *j)
{
    int best = 0;

    for (int i = 1; i < j->count; i++)
        if (tl_study_merit(s, j->shifted.test[i].mean) >
            tl_study_merit(s, j->shifted.test[best].mean))
            best = i;
    return best;
}

json_t *tl_study_shifted_json(const tl_study *s, const tl_judged *j)
{
    json_t *list = json_array();

    if (!j->shifted.test) {
        json_decref(list);
        return json_null();
    }
    for (int i = 0; i < j->count; i++) {
        json_t *score = tl_interval_json(j->shifted.test[i]);
        json_object_set_new(score, "candidate", json_integer(j->entry[i]));
        json_array_append_new(list, score);
    }
    return json_pack("{s:s, s:I, s:i, s:s, s:o}", "path", s->q->data.shifted, "rows",
                     (json_int_t)s->shifted.count, "best", j->entry[best_there(s, j)], "outcome",
                     tl_outcome_name((int)j->shifted.outcome), "candidates", list);
}

void tl_study_shifted_words(const tl_study *s, const tl_judged *j, json_t *reasons)
{
    const int w = j->decision.winner;
    char      there[32], here[32], other[32];

    if (!j->shifted.test) return;
    const int b = best_there(s, j);
    tl_study_score(s, j->shifted.test[w].mean, there);
    tl_study_score(s, j->decision.test[w].mean, here);
    if (b == w)
        tl_reason(reasons, "On the shifted set (%" PRId64 " rows) it reaches %s, %s on test, and "
                  "is the best there, too%s.",
                  s->shifted.count, there, here,
                  j->shifted.outcome == TL_BETTER ? "" : ", if not by more than chance explains");
    else
        tl_reason(reasons, "On the shifted set (%" PRId64 " rows) it reaches %s, %s on test; %s is "
                  "ahead there with %s%s.",
                  s->shifted.count, there, here, s->entry[j->entry[b]].label,
                  tl_study_score(s, j->shifted.test[b].mean, other),
                  j->shifted.outcome == TL_BETTER
                      ? ": prefer it if new data will look like that"
                      : ", by no more than chance explains");
}
