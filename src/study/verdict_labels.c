/* verdict_labels.c -- are the test part's own labels right?  The winner's models have not seen
 * those rows: the mean of what they say of each, over seeds, is enough to look for labels that
 * are probably wrong (labels.h).  Their share is a ceiling: no comparison can claim less than the
 * labels' own noise. Floor 4, study. */
#include "study/compare_internal.h"

#include <math.h>
#include <string.h>

static tl_status mean_answers(tl_ctx *ctx, const tl_study *s, const tl_judged *j, float *mean)
{
    const int     entry = j->entry[j->decision.winner], seeds = j->seeds[j->decision.winner];
    const int64_t n = s->data->classes;
    void         *blob = NULL;
    size_t        bytes;
    tl_status     rc = TL_OK;

    for (int k = 0; k < seeds; k++) {
        float *at = mean;
        for (int fold = 0; fold < tl_study_slices(s); fold++) {
            const int64_t       cells = s->slice[fold].test.count * n;
            const tl_study_run *run =
                tl_study_find(s, entry, s->entry[entry].chosen, k, fold);
            TL_TRY(tl_store_get_blob(ctx, s->store, run->id, "test", &blob, &bytes));
            if (!blob || bytes != (size_t)cells * sizeof(float))
                TL_FAIL(TL_EDATA, "runs.db",
                        "the answers of run %" PRId64 " are not whole (start anew in another "
                        "--out)",
                        run->id);
            for (int64_t i = 0; i < cells; i++) at[i] += ((const float *)blob)[i] / (float)seeds;
            at += cells;
            tl_free(ctx, blob);
            blob = NULL;
        }
    }
done:
    tl_free(ctx, blob);
    return rc;
}

tl_status tl_study_judge_labels(tl_ctx *ctx, tl_study *s, tl_judged *j)
{
    float    *mean = NULL;
    tl_status rc;

    if (!tl_task_of_one_class(s->data->task)) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)(s->test.count * s->data->classes), sizeof *mean, &mean));
    TL_TRY(mean_answers(ctx, s, j, mean));
    if (tl_labels_agreement(mean, j->label, s->test.count, (int32_t)s->data->classes) <
        TL_LABELS_LEAST)
        goto done;
    TL_TRY(tl_labels_audit(ctx, mean, j->label, s->test.count, (int32_t)s->data->classes,
                           false, &j->labels));
done:
    tl_free(ctx, mean);
    return rc;
}

json_t *tl_study_labels_json(const tl_study *s, const tl_judged *j)
{
    if (!j->labels.joint) return json_null();
    return json_pack("{s:I, s:I, s:f, s:f}", "rows", (json_int_t)s->test.count, "suspects",
                     (json_int_t)j->labels.count, "noise", j->labels.noise, "ceiling",
                     1.0 - j->labels.noise);
}

void tl_study_labels_words(const tl_study *s, const tl_judged *j, json_t *reasons)
{
    const tl_decision *d   = &j->decision;
    const bool         few = d->runner_up >= 0 && fabs(d->difference.mean) < j->labels.noise;

    if (!j->labels.joint || j->labels.count == 0) return;
    tl_reason(reasons,
              "%" PRId64 " of the %" PRId64 " test labels are probably wrong (about %.1f %%)%s.",
              j->labels.count, s->test.count, 100.0 * j->labels.noise,
              few ? ": the difference between the first two is below the labels' own noise" : "");
    if (strcmp(s->metric, "accuracy") == 0 &&
        d->test[d->winner].high >= 1.0 - j->labels.noise)
        tl_reason(reasons,
                  "A model without any mistake would score about %.1f %% on such labels, and the "
                  "winner is within reach of that: what is left cannot be told from wrong labels.",
                  100.0 * (1.0 - j->labels.noise));
}

tl_status tl_study_labels_detail(tl_ctx *ctx, const tl_study *s, const tl_judged *j, json_t **out)
{
    enum { SHOWN = 12 };
    json_t   *list = json_array(), *one;
    tl_status rc   = TL_OK;

    *out = NULL;
    for (int64_t i = 0; i < j->labels.count && i < SHOWN; i++) {
        const tl_suspect *x = &j->labels.suspect[i];
        TL_TRY(tl_study_row_json(ctx, s, s->test.row[x->row], x->likely, x->other, &one));
        json_array_append_new(list, one);
    }
    *out = list;
    list = NULL;
done:
    json_decref(list);
    return rc;
}
