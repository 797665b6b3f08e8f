/* measure_tags.c -- scores of words with tags: words and whole entities, with bootstrap intervals
 * over texts, whose words share their luck.  Floor 4.5, api.  Sources: Efron 1979; seqeval. */
#include "api/handles.h"
#include "core/rand.h"
#include "train/spans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLES = 1000, SCORES = 2 };

/* Words come text by text. */
tl_status tl_count_texts(tl_ctx *ctx, const tl_model *m, const tl_dataset *d, tl_rows rows,
                         tl_answers *a)
{
    tl_spans  spans = { 0 };
    int64_t   text  = -1;
    double   *at    = NULL;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)d->tags->texts, TL_OF_TEXT * sizeof *at, &a->of_text));
    for (int64_t i = 0; i <= rows.count; i++) {
        const int64_t row = i < rows.count ? rows.row[i] : -1;
        const char   *said =
            row < 0 ? NULL : m->class_name ? m->class_name[a->predicted[i]] : "O";
        const tl_span_count n = tl_spans_next(&spans, d, row, said);
        if (at) at[TL_TEXT_SPANS_RIGHT] += n.right;
        if (row < 0) break;
        if (d->tags->text[row] != text) at = a->of_text + a->texts++ * TL_OF_TEXT;
        text = d->tags->text[row];
        at[TL_TEXT_RIGHT] += a->label[i] == a->predicted[i];
        at[TL_TEXT_WORDS] += 1.0;
        at[TL_TEXT_SPANS_SAID] += n.said;
        at[TL_TEXT_SPANS_THERE] += n.there;
    }
done:
    return rc;
}

/* Of texts drawn with replacement; draw -1 takes all as they are. */
static void score(const tl_answers *a, int draw, double out[SCORES])
{
    double sum[TL_OF_TEXT] = { 0 };

    for (int64_t i = 0; i < a->texts; i++) {
        const int64_t k =
            draw < 0 ? i
                     : (int64_t)tl_rand_below(1, TL_STREAM(TL_STREAM_BOOTSTRAP, (uint64_t)draw),
                                              (uint64_t)i, (uint64_t)a->texts);
        for (int c = 0; c < TL_OF_TEXT; c++) sum[c] += a->of_text[k * TL_OF_TEXT + c];
    }
    const double spans = sum[TL_TEXT_SPANS_SAID] + sum[TL_TEXT_SPANS_THERE];
    out[0] = spans > 0.0 ? 2.0 * sum[TL_TEXT_SPANS_RIGHT] / spans : 0.0;
    out[1] = sum[TL_TEXT_WORDS] > 0.0 ? sum[TL_TEXT_RIGHT] / sum[TL_TEXT_WORDS] : (double)NAN;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

tl_status tl_measure_tags(tl_ctx *ctx, const tl_answers *a, tailor_metrics *out)
{
    const int low = RESAMPLES / 40, high = RESAMPLES - 1 - RESAMPLES / 40;
    double   *all = NULL, value[SCORES], one[SCORES];
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, SCORES * RESAMPLES, sizeof *all, &all));
    score(a, -1, value);
    for (int b = 0; b < RESAMPLES; b++) {
        score(a, b, one);
        for (int k = 0; k < SCORES; k++) all[k * RESAMPLES + b] = one[k];
    }
    for (int k = 0; k < SCORES; k++)
        qsort(all + k * RESAMPLES, RESAMPLES, sizeof *all, compare_doubles);
    out->entity_f1      = value[0];
    out->entity_f1_low  = all[low];
    out->entity_f1_high = all[high];
    out->accuracy       = value[1];
    out->accuracy_low   = all[RESAMPLES + low];
    out->accuracy_high  = all[RESAMPLES + high];
done:
    tl_free(ctx, all);
    return rc;
}
