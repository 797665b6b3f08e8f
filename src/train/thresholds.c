/* thresholds.c -- see thresholds.h.  Floor 3, train. */
#include "train/thresholds.h"

#include <stdlib.h>

static int by_probability(const void *a, const void *b)
{
    const tl_marked *x = a, *y = b;

    if (x->probability > y->probability || x->probability < y->probability)
        return x->probability > y->probability ? -1 : 1;
    return (int)y->has - (int)x->has;
}

float tl_best_threshold(tl_marked *row, int64_t rows)
{
    int64_t there = 0, right = 0;
    double  best = 0.0;
    float   threshold = 0.5f;

    for (int64_t i = 0; i < rows; i++) there += row[i].has;
    qsort(row, (size_t)rows, sizeof *row, by_probability);
    for (int64_t i = 0; i < rows && there > 0; i++) {
        const float next = i + 1 < rows ? row[i + 1].probability : 0.0f;
        right += row[i].has;
        if (i + 1 < rows && !(next < row[i].probability)) continue; /* they go together */
        const double f1 = 2.0 * (double)right / (double)(i + 1 + there);
        if (f1 <= best) continue;
        best      = f1;
        threshold = 0.5f * (row[i].probability + next);
    }
    return threshold;
}

tl_status tl_choose_thresholds(tl_ctx *ctx, const tl_run_spec *spec, tl_model *model)
{
    const tl_dataset *d       = spec->dataset;
    const int64_t     classes = d->classes, rows = spec->valid.count;
    tl_predictor     *p       = NULL;
    float            *y       = NULL;
    tl_marked        *row     = NULL;
    tl_status         rc      = TL_OK;

    if (!d->task->several) return TL_OK;
    if (!model->threshold)
        TL_TRY(tl_alloc_array(ctx, (size_t)classes, sizeof(float), &model->threshold));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, (size_t)classes * sizeof *y, &y));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *row, &row));
    TL_TRY(tl_predictor_new(ctx, model, TL_PART_WHOLE, TL_MIN(rows, (int64_t)32), spec->backend,
                            spec->slab, spec->dtype, &p));
    TL_TRY(tl_predictor_rows(ctx, p, spec->cache, spec->valid, y));
    tl_model_answer(model, y, rows);
    for (int64_t c = 0; c < classes; c++) {
        for (int64_t r = 0; r < rows; r++)
            row[r] = (tl_marked){ y[r * classes + c],
                                  d->mark[spec->valid.row[r] * classes + c] != 0 };
        model->threshold[c] = tl_best_threshold(row, rows);
    }
done:
    tl_predictor_free(ctx, p);
    tl_free(ctx, y);
    tl_free(ctx, row);
    return rc;
}
