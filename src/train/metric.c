/* metric.c -- see metric.h.  Floor 3, train. */
#include "train/metric.h"

#include <math.h>
#include <string.h>

tl_status tl_tally_new(tl_ctx *ctx, int64_t classes, tl_tally *out)
{
    tl_status rc;

    *out = (tl_tally){ .classes = classes };
    rc   = tl_alloc_array(ctx, (size_t)classes, 3 * sizeof *out->right, &out->right);
    if (rc != TL_OK) return rc;
    out->said  = out->right + classes;
    out->there = out->said + classes;
    return TL_OK;
}

void tl_tally_free(tl_ctx *ctx, tl_tally *t)
{
    tl_free(ctx, t->right);
    *t = (tl_tally){ 0 };
}

void tl_tally_clear(tl_tally *t)
{
    memset(t->right, 0, (size_t)t->classes * 3 * sizeof *t->right);
    t->rows = 0;
    t->loss = 0.0;
}

void tl_tally_class(tl_tally *t, const float *logits, int32_t label)
{
    int64_t best = 0;

    for (int64_t c = 1; c < t->classes; c++)
        if (logits[c] > logits[best]) best = c;
    t->said[best]++;
    t->there[label]++;
    t->right[label] += best == label;
    t->rows++;
}

void tl_tally_row(tl_tally *t, const float *logits, int32_t label)
{
    double top = (double)logits[0], sum = 0.0;

    for (int64_t c = 1; c < t->classes; c++) top = fmax(top, (double)logits[c]);
    for (int64_t c = 0; c < t->classes; c++) sum += exp((double)logits[c] - top);
    t->loss += log(sum) + top - (double)logits[label];
    tl_tally_class(t, logits, label);
}

static double accuracy(const tl_tally *t)
{
    int64_t right = 0;

    for (int64_t c = 0; c < t->classes; c++) right += t->right[c];
    return (double)right / (double)t->rows;
}

/* Over the classes that are labelled or predicted at all. */
static double macro_f1(const tl_tally *t)
{
    double  sum  = 0.0;
    int64_t seen = 0;

    for (int64_t c = 0; c < t->classes; c++) {
        if (!t->said[c] && !t->there[c]) continue;
        sum += 2.0 * (double)t->right[c] / (double)(t->said[c] + t->there[c]);
        seen++;
    }
    return sum / (double)seen;
}

bool tl_metric_known(const char *name)
{
    return strcmp(name, "accuracy") == 0 || strcmp(name, "macro-f1") == 0;
}

double tl_tally_metric(const tl_tally *t, const char *name)
{
    if (!t->rows || isnan(t->loss)) return (double)NAN;
    return strcmp(name, "macro-f1") == 0 ? macro_f1(t) : accuracy(t);
}

double tl_tally_loss(const tl_tally *t)
{
    return t->rows ? t->loss / (double)t->rows : (double)NAN;
}
