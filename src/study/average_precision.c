/* average_precision.c -- see stats.h.  Floor 4, study. */
#include "study/stats.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    float score;
    bool  has;
} ranked;

static int by_score(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    return (x->score < y->score) - (x->score > y->score);
}

tl_status tl_average_precision(tl_ctx *ctx, const float *score, const uint8_t *has,
                               int64_t step, int64_t rows, double *out)
{
    ranked   *row   = NULL;
    int64_t   there = 0, right = 0, before = 0;
    double    sum = 0.0;
    tl_status rc;

    *out = NAN;
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *row, &row));
    for (int64_t i = 0; i < rows; i++) {
        row[i] = (ranked){ score[i * step], has[i * step] != 0 };
        there += row[i].has;
    }
    if (there == 0) goto done;
    qsort(row, (size_t)rows, sizeof *row, by_score);
    for (int64_t i = 0; i < rows; i++) {
        right += row[i].has;
        if (i + 1 < rows && !(row[i + 1].score < row[i].score)) continue; /* they go together */
        sum += (double)(right - before) / (double)there * (double)right / (double)(i + 1);
        before = right;
    }
    *out = sum;
done:
    tl_free(ctx, row);
    return rc;
}
