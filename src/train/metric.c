/* metric.c -- see metric.h.  Floor 3, train. */
#include "train/metric.h"
#include "tensor/marks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

tl_status tl_tally_new(tl_ctx *ctx, int64_t classes, tl_tally *out)
{
    tl_status rc;

    *out = (tl_tally){ .classes = classes };
    rc   = tl_alloc(ctx, tl_tally_bytes(out), &out->right);
    if (rc != TL_OK) return rc;
    out->said  = out->right + classes;
    out->there = out->said + classes;
    out->sum   = (double *)(void *)(out->there + classes);
    return TL_OK;
}

void tl_tally_free(tl_ctx *ctx, tl_tally *t)
{
    tl_free(ctx, t->right);
    *t = (tl_tally){ 0 };
}

size_t tl_tally_bytes(const tl_tally *t)
{
    return (size_t)t->classes * 3 * sizeof *t->right + TL_TALLY_SUMS * sizeof *t->sum;
}

void tl_tally_clear(tl_tally *t)
{
    memset(t->right, 0, tl_tally_bytes(t));
    t->rows  = 0;
    t->loss  = 0.0;
    t->spans = (tl_spans){ 0 };
}

static void count_number(tl_tally *t, double y, double target)
{
    const double e = y - target;

    t->sum[TL_SUM_SQUARE] += e * e;
    t->sum[TL_SUM_AWAY] += fabs(e);
    t->sum[TL_SUM_TARGET] += target;
    t->sum[TL_SUM_TARGET_SQUARE] += target * target;
    t->rows++;
}

static bool is_numbers(const tl_tally *t)
{
    return t->task && t->task->numbers;
}

static bool is_ranks(const tl_tally *t)
{
    return t->task && t->task->ordered;
}

static void count_class(tl_tally *t, const float *y, int32_t label)
{
    int64_t best = 0;

    for (int64_t c = 1; c < t->classes; c++)
        if (y[c] > y[best]) best = c;
    if (is_ranks(t)) {
        best = tl_rank_of_logits(y, t->classes);
        count_number(t, (double)best, (double)label);
        t->rows--; /* counted below */
    }
    if (t->spans.d) {
        const tl_span_count n = tl_spans_next(&t->spans, t->spans.d, t->at,
                                              t->spans.d->class_name[best]);
        t->sum[TL_SUM_RIGHT] += n.right;
        t->sum[TL_SUM_SAID] += n.said;
        t->sum[TL_SUM_THERE] += n.there;
    }
    t->said[best]++;
    t->there[label]++;
    t->right[label] += best == label;
    t->rows++;
}

void tl_tally_count(tl_tally *t, const float *y, int32_t label, double target)
{
    if (is_numbers(t)) count_number(t, (double)*y, target);
    else count_class(t, y, label);
}

void tl_tally_count_marks(tl_tally *t, const float *y, const float *mark)
{
    for (int64_t c = 0; c < t->classes; c++) {
        const bool said = y[c] > 0.0f, there = mark[c] > 0.5f;
        t->said[c] += said;
        t->there[c] += there;
        t->right[c] += said && there;
    }
    t->rows++;
}

void tl_tally_row_marks(tl_tally *t, const float *y, const float *mark)
{
    t->loss += tl_marks_loss(y, mark, t->classes);
    tl_tally_count_marks(t, y, mark);
}

static double cross_entropy(const float *y, int64_t classes, int32_t label)
{
    double top = (double)y[0], sum = 0.0;

    for (int64_t c = 1; c < classes; c++) top = fmax(top, (double)y[c]);
    for (int64_t c = 0; c < classes; c++) sum += exp((double)y[c] - top);
    return log(sum) + top - (double)y[label];
}

void tl_tally_row(tl_tally *t, const float *y, int32_t label, double target)
{
    const double e = (double)*y - target;

    t->loss += is_numbers(t) ? e * e
               : is_ranks(t) ? tl_rank_loss(y, label, t->classes)
                             : cross_entropy(y, t->classes, label);
    tl_tally_count(t, y, label, target);
}

static double accuracy(const tl_tally *t)
{
    int64_t right = 0;

    for (int64_t c = 0; c < t->classes; c++) right += t->right[c];
    return (double)right / (double)t->rows;
}

/* Over the classes that are labelled or predicted at all; of several labels over all of them,
 * as scikit-learn has it. */
static double macro_f1(const tl_tally *t)
{
    double  sum  = 0.0;
    int64_t seen = 0;

    for (int64_t c = 0; c < t->classes; c++) {
        const bool any = t->said[c] || t->there[c];
        if (!any) seen += t->task && t->task->several;
        if (!any) continue;
        sum += 2.0 * (double)t->right[c] / (double)(t->said[c] + t->there[c]);
        seen++;
    }
    return sum / (double)seen;
}

static double micro_f1(const tl_tally *t)
{
    int64_t right = 0, all = 0;

    for (int64_t c = 0; c < t->classes; c++) {
        right += t->right[c];
        all += t->said[c] + t->there[c];
    }
    return all ? 2.0 * (double)right / (double)all : 0.0;
}

/* 1 - squared distance / what it would be were answers and ranks drawn apart. */
static double weighted_kappa(const tl_tally *t)
{
    const double n = (double)t->rows;
    double       a = 0.0, aa = 0.0, b = 0.0, bb = 0.0;

    for (int64_t c = 0; c < t->classes; c++) {
        a += (double)(c * t->said[c]) / n;
        aa += (double)(c * c * t->said[c]) / n;
        b += (double)(c * t->there[c]) / n;
        bb += (double)(c * c * t->there[c]) / n;
    }
    const double apart = aa + bb - 2.0 * a * b;
    return apart > 0.0 ? 1.0 - t->sum[TL_SUM_SQUARE] / n / apart : (double)NAN;
}

static double rmse(const tl_tally *t)
{
    return t->scale * sqrt(t->sum[TL_SUM_SQUARE] / (double)t->rows);
}

static double mae(const tl_tally *t)
{
    return t->scale * t->sum[TL_SUM_AWAY] / (double)t->rows;
}

static double r2(const tl_tally *t)
{
    const double mean   = t->sum[TL_SUM_TARGET] / (double)t->rows;
    const double spread = t->sum[TL_SUM_TARGET_SQUARE] - (double)t->rows * mean * mean;

    return spread > 0.0 ? 1.0 - t->sum[TL_SUM_SQUARE] / spread : (double)NAN;
}

static double entity_f1(const tl_tally *t)
{
    const double all = t->sum[TL_SUM_SAID] + t->sum[TL_SUM_THERE];

    return all > 0.0 ? 2.0 * t->sum[TL_SUM_RIGHT] / all : 0.0;
}

static double perplexity(const tl_tally *t)
{
    return exp(t->loss / (double)t->rows);
}

static const tl_metric metrics[] = {
    { "accuracy", "right", "share of rows (of words with tags: of words) that are right",
      TL_OF_CLASSES | TL_OF_RANKS | TL_OF_TAGS, true, true, accuracy },
    { "entity-f1", "entity F1", "F1 of whole entities, as their B- and I- tags mark them",
      TL_OF_TAGS, true, true, entity_f1 },
    { "macro-f1", "macro-F1", "F1 of each class, the plain mean of them",
      TL_OF_CLASSES | TL_OF_SEVERAL | TL_OF_RANKS | TL_OF_TAGS, true, true, macro_f1 },
    { "micro-f1", "micro-F1", "F1 of all labels of all rows together", TL_OF_SEVERAL, true, true,
      micro_f1 },
    { "rmse", "RMSE", "root of the mean squared error, in the target's unit", TL_OF_NUMBERS,
      false, false, rmse },
    { "mae", "mean absolute error", "mean absolute error, in the target's unit or in ranks",
      TL_OF_NUMBERS | TL_OF_RANKS, false, false, mae },
    { "r2", "R2", "share of the target's variance that is explained", TL_OF_NUMBERS, true, false,
      r2 },
    { "qwk", "quadratic kappa", "Cohen's kappa of ranks, weighted by their squared distance",
      TL_OF_RANKS, true, false, weighted_kappa },
    { "perplexity", "perplexity", "e to the mean loss of a token", TL_OF_WORDS, false, false,
      perplexity },
};

const tl_metric *tl_metric_at(size_t i)
{
    return i < TL_COUNT(metrics) ? &metrics[i] : NULL;
}

const tl_metric *tl_metric_find(const char *name)
{
    for (size_t i = 0; i < TL_COUNT(metrics); i++)
        if (strcmp(metrics[i].name, name) == 0) return &metrics[i];
    return NULL;
}

static int kind_of(const tl_task *task)
{
    if (task->words) return TL_OF_WORDS;
    if (task->tags) return TL_OF_TAGS;
    if (task->numbers) return TL_OF_NUMBERS;
    return task->several ? TL_OF_SEVERAL : task->ordered ? TL_OF_RANKS : TL_OF_CLASSES;
}

tl_status tl_metric_named(tl_ctx *ctx, const tl_task *task, const char *name,
                          const char **out)
{
    const tl_metric *m         = tl_metric_find(name);
    const int        kind      = kind_of(task);
    char             known[80] = "";

    if (m && (m->of_tasks & kind)) {
        *out = m->name;
        return TL_OK;
    }
    for (size_t i = 0; i < TL_COUNT(metrics); i++)
        if (metrics[i].of_tasks & kind)
            snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s",
                     *known ? ", " : "", metrics[i].name);
    return tl_fail(ctx, TL_EUSAGE, "--metric", "\"%.40s\" is not one of %s (%s)", name,
                   task->name, known);
}

double tl_metric_merit(const char *name, double value)
{
    const tl_metric *m = tl_metric_find(name);

    return m && !m->higher ? -value : value;
}

double tl_tally_metric(const tl_tally *t, const char *name)
{
    const tl_metric *m = tl_metric_find(name);

    if (!t->rows || !m || isnan(t->loss)) return (double)NAN;
    return m->of(t);
}

void tl_tally_at(tl_tally *t, const tl_dataset *d, int64_t row)
{
    if (!d->tags) return;
    if (!t->spans.d) t->spans = (tl_spans){ .d = d, .text = -1 };
    t->at = row;
    if (row < 0) t->sum[TL_SUM_RIGHT] += tl_spans_next(&t->spans, d, -1, NULL).right;
}

void tl_tally_words(tl_tally *t, double loss, int64_t tokens)
{
    t->loss += loss;
    t->rows += tokens;
}

double tl_tally_loss(const tl_tally *t)
{
    return t->rows ? t->loss / (double)t->rows : (double)NAN;
}
