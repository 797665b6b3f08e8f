/* verdict_marks.c -- of several labels and of ranks: what the stored answers say, and what each row
 * adds to the metric, so that the statistics of means hold.  A score's mean over the rows is the
 * metric itself; F1 and kappa are no means of rows, so a row's score is their value plus how far
 * the row moves it, to first order (the delta method).  Floor 4, study. */
#include "study/compare_internal.h"
#include "tensor/marks.h"
#include "train/spans.h"

#include <math.h>
#include <string.h>

bool tl_study_scores_marks(const tl_study *s)
{
    return tl_task_has_marks(s->data->task) || strcmp(s->metric, "entity-f1") == 0;
}

tl_status tl_study_keep_thresholds(tl_ctx *ctx, const tl_study *s, int64_t run,
                                   const tl_model *model)
{
    const size_t bytes = (size_t)s->data->classes * sizeof *model->threshold;

    if (!model->threshold) return TL_OK;
    return tl_store_put_blob(ctx, s->store, run, "thresholds", model->threshold, bytes);
}

/* said[rows classes]: of several labels 1 where one is said; of ranks in predicted. */
static void say_rows(const tl_study *s, const float *p, const float *threshold, int64_t rows,
                     uint8_t *said, int32_t *predicted)
{
    const int64_t n = s->data->classes;

    for (int64_t r = 0; r < rows; r++, p += n) {
        if (s->data->task->ordered) predicted[r] = tl_rank_said(p, n);
        if (s->data->task->tags) predicted[r] = tl_study_top(p, n);
        for (int64_t c = 0; said && c < n; c++)
            said[r * n + c] = p[c] >= (threshold ? threshold[c] : 0.5f);
    }
}

/* 2 right, and said + there, of one label of a row. */
static void parts_of(const tl_study *s, int64_t row, const uint8_t *said, int64_t c, double *hit,
                     double *both)
{
    const int there = s->data->mark[row * s->data->classes + c], mine = said[c];

    *hit  = 2.0 * (there && mine);
    *both = there + mine;
}

/* F1 of label c among the rows, or of all labels together (c < 0), as 2 right and all. */
static void sums_of(const tl_study *s, tl_rows rows, const uint8_t *said, int64_t c, double *hit,
                    double *both)
{
    const int64_t n = s->data->classes;

    *hit = *both = 0.0;
    for (int64_t r = 0; r < rows.count; r++)
        for (int64_t k = c < 0 ? 0 : c; k < (c < 0 ? n : c + 1); k++) {
            double a, b;
            parts_of(s, rows.row[r], said + r * n, k, &a, &b);
            *hit += a;
            *both += b;
        }
}

/* Adds share * (F + n (2 right_r - F both_r) / both) of label c, or of all, to each row. */
static void add_f1(const tl_study *s, tl_rows rows, const uint8_t *said, int64_t c, double share,
                   double *score)
{
    const int64_t n = s->data->classes;
    double        hit, both;

    sums_of(s, rows, said, c, &hit, &both);
    if (!(both > 0.0)) return;
    const double f = hit / both;
    for (int64_t r = 0; r < rows.count; r++) {
        double moved = 0.0;
        for (int64_t k = c < 0 ? 0 : c; k < (c < 0 ? n : c + 1); k++) {
            double a, b;
            parts_of(s, rows.row[r], said + r * n, k, &a, &b);
            moved += a - f * b;
        }
        score[r] += share * (f + (double)rows.count * moved / both);
    }
}

static void score_several(const tl_study *s, tl_rows rows, const uint8_t *said, double *score,
                          int32_t *whole)
{
    const int64_t n     = s->data->classes;
    const bool    macro = strcmp(s->metric, "macro-f1") == 0;

    for (int64_t c = 0; macro && c < n; c++) add_f1(s, rows, said, c, 1.0 / (double)n, score);
    if (!macro) add_f1(s, rows, said, -1, 1.0, score);
    for (int64_t r = 0; r < rows.count; r++)
        whole[r] = memcmp(said + r * n, s->data->mark + rows.row[r] * n, (size_t)n) == 0;
}

/* 1 - S / E, S the mean squared distance, E = mean p^2 + mean l^2 - 2 mean p mean l. */
static void score_kappa(const tl_study *s, tl_rows rows, const int32_t *said, double *score)
{
    const double n = (double)rows.count;
    double       p = 0.0, pp = 0.0, l = 0.0, ll = 0.0, square = 0.0;

    for (int64_t r = 0; r < rows.count; r++) {
        const double a = (double)said[r], b = (double)s->data->label[rows.row[r]];
        p += a / n;
        pp += a * a / n;
        l += b / n;
        ll += b * b / n;
        square += (a - b) * (a - b) / n;
    }
    const double apart = pp + ll - 2.0 * p * l;
    for (int64_t r = 0; r < rows.count; r++) {
        const double a = (double)said[r], b = (double)s->data->label[rows.row[r]];
        const double d = (a * a - pp) + (b * b - ll) - 2.0 * (l * (a - p) + p * (b - l));
        score[r] = !(apart > 0.0) ? 0.0
                                  : 1.0 - square / apart - ((a - b) * (a - b) - square) / apart +
                                        square / (apart * apart) * d;
    }
}

static void score_ranks(const tl_study *s, tl_rows rows, const int32_t *said, double *score)
{
    if (strcmp(s->metric, "qwk") == 0) {
        score_kappa(s, rows, said, score);
        return;
    }
    for (int64_t r = 0; r < rows.count; r++) {
        const int32_t away = said[r] - s->data->label[rows.row[r]];
        score[r] = strcmp(s->metric, "mae") == 0 ? -fabs((double)away) : away == 0 ? 1.0 : 0.0;
    }
}

/* 2 right / all spans; a span counts at the word it begins with, rightly found at its last. */
static tl_status score_spans(tl_ctx *ctx, const tl_study *s, tl_rows rows, const int32_t *said,
                             double *score)
{
    const tl_dataset *d     = s->data;
    double           *right = NULL, *both = NULL, hit = 0.0, all = 0.0;
    tl_spans          spans = { 0 };
    tl_status         rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count + 1, sizeof *right, &right));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count + 1, sizeof *both, &both));
    for (int64_t r = 0; r <= rows.count; r++) {
        const bool          last = r == rows.count;
        const tl_span_count n    = tl_spans_next(&spans, d, last ? -1 : rows.row[r],
                                                 last ? NULL : d->class_name[said[r]]);
        if (r > 0) right[r - 1] += 2.0 * n.right;
        both[r] = n.said + n.there;
        hit += 2.0 * n.right;
        all += both[r];
    }
    const double f = all > 0.0 ? hit / all : 0.0;
    for (int64_t r = 0; r < rows.count; r++)
        score[r] = all > 0.0 ? f + (double)rows.count * (right[r] - f * both[r]) / all : 0.0;
done:
    tl_free(ctx, right);
    tl_free(ctx, both);
    return rc;
}

static tl_status score_rows(tl_ctx *ctx, const tl_study *s, tl_rows rows, const uint8_t *said,
                            int32_t *predicted, float *score)
{
    double   *sum = NULL;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, sizeof *sum, &sum));
    if (s->data->task->tags) TL_TRY(score_spans(ctx, s, rows, predicted, sum));
    else if (s->data->task->several) score_several(s, rows, said, sum, predicted);
    else score_ranks(s, rows, predicted, sum);
    for (int64_t r = 0; r < rows.count; r++) score[r] = (float)sum[r];
done:
    tl_free(ctx, sum);
    return rc;
}

tl_status tl_study_score_marks(tl_ctx *ctx, const tl_study *s, int entry, int repeat,
                               int64_t trained, int32_t *predicted, float *score)
{
    const int64_t n         = s->data->classes;
    uint8_t      *said      = NULL;
    void         *threshold = NULL;
    float        *answer    = NULL;
    int64_t       at        = 0;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)s->test.count, (size_t)n, &said));
    for (int fold = 0; fold < tl_study_slices(s); fold++) {
        const tl_study_run *run = tl_study_run_of(s, entry, repeat, fold, trained);
        const int64_t       rows = s->slice[fold].test.count;
        size_t              bytes;
        TL_TRY(tl_study_stored(ctx, s, run, "test", rows, &answer));
        TL_TRY(tl_store_get_blob(ctx, s->store, run->id, "thresholds", &threshold, &bytes));
        if (threshold && bytes != (size_t)n * sizeof(float)) {
            tl_free(ctx, threshold);
            threshold = NULL;
        }
        say_rows(s, answer, threshold, rows, said + at * n, predicted + at);
        at += rows;
        tl_free(ctx, answer);
        tl_free(ctx, threshold);
        answer    = NULL;
        threshold = NULL;
    }
    rc = score_rows(ctx, s, s->test, said, predicted, score);
done:
    tl_free(ctx, said);
    tl_free(ctx, answer);
    tl_free(ctx, threshold);
    return rc;
}

tl_status tl_study_metric_of_marks(tl_ctx *ctx, const tl_study *s, const float *threshold,
                                   tl_rows rows, const float *answer, double *out)
{
    uint8_t  *said      = NULL;
    int32_t  *predicted = NULL;
    float    *score     = NULL;
    double    sum       = 0.0;
    tl_status rc;

    *out = NAN;
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, (size_t)s->data->classes, &said));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, sizeof *predicted, &predicted));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, sizeof *score, &score));
    say_rows(s, answer, threshold, rows.count, said, predicted);
    TL_TRY(score_rows(ctx, s, rows, said, predicted, score));
    for (int64_t r = 0; r < rows.count; r++) sum += (double)score[r] / (double)rows.count;
    *out = tl_study_merit(s, sum); /* the sign of errors turned back */
done:
    tl_free(ctx, said);
    tl_free(ctx, predicted);
    tl_free(ctx, score);
    return rc;
}
