/* marks.c -- see marks.h.  Floor 1, tensor. */
#include "tensor/marks.h"

#include <math.h>

double tl_rank_mark(int32_t rank, int64_t classes, int64_t output)
{
    if (output > rank || output == classes - 1) return -1.0;
    return output < rank ? 1.0 : 0.0;
}

static double loss_of(double x, double mark)
{
    return fmax(x, 0.0) - x * mark + log1p(exp(-fabs(x)));
}

double tl_marks_loss(const float *logit, const float *mark, int64_t n)
{
    double sum = 0.0;

    for (int64_t k = 0; k < n; k++)
        if (mark[k] >= 0.0f) sum += loss_of((double)logit[k], (double)mark[k]);
    return sum / (double)n;
}

double tl_rank_loss(const float *logit, int32_t rank, int64_t n)
{
    double sum = 0.0;

    for (int64_t k = 0; k <= rank && k < n - 1; k++)
        sum += loss_of((double)logit[k], k < rank ? 1.0 : 0.0);
    return sum / (double)n;
}

static double yes(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

void tl_marks_answer(float *y, int64_t n)
{
    for (int64_t k = 0; k < n; k++) y[k] = (float)yes((double)y[k]);
}

void tl_ranks_answer(float *y, int64_t n)
{
    double reached = 1.0; /* P(rank >= k) */

    for (int64_t k = 0; k < n; k++) {
        const double above = k + 1 < n ? reached * yes((double)y[k]) : 0.0;
        y[k]    = (float)(reached - above);
        reached = above;
    }
}

int32_t tl_rank_said(const float *probability, int64_t n)
{
    double  sum = 0.0;
    int32_t k   = 0;

    for (; k < n - 1; k++)
        if ((sum += (double)probability[k]) >= 0.5) break;
    return k;
}

int32_t tl_rank_of_logits(const float *logit, int64_t n)
{
    double  reached = 1.0;
    int32_t k       = 0;

    for (; k < n - 1; k++)
        if ((reached *= yes((double)logit[k])) <= 0.5) break;
    return k;
}
