/* bins.c -- columns cut into bins at quantiles of the training rows.  Floor 3, train. */
#include "core/par.h"
#include "train/trees/trees.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_EDGES = TL_GAP_BIN - 1 };

void tl_bins_free(tl_ctx *ctx, tl_bins *b)
{
    tl_free(ctx, b->bin);
    tl_free(ctx, b->edge);
    tl_free(ctx, b->edges);
    tl_free(ctx, b->category);
    tl_free(ctx, b->gaps);
    *b = (tl_bins){ 0 };
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Between a and b, which it does not reach. */
static float middle(float a, float b)
{
    const float m = (float)(((double)a + (double)b) / 2.0);

    return m >= b ? a : m;
}

/* sorted [n]: all midpoints where there are few values, else about equal shares of rows. */
static int32_t cut_edges(float *sorted, int64_t n, float *edge)
{
    int64_t distinct = n > 0;
    int32_t edges    = 0;

    for (int64_t i = 1; i < n; i++) distinct += sorted[i] > sorted[i - 1];
    if (distinct <= MOST_EDGES + 1) {
        for (int64_t i = 1; i < n; i++)
            if (sorted[i] > sorted[i - 1]) edge[edges++] = middle(sorted[i - 1], sorted[i]);
        return edges;
    }
    for (int64_t k = 1; k <= MOST_EDGES; k++) {
        const double  place = (double)k / (MOST_EDGES + 1) * (double)(n - 1);
        const int64_t low   = (int64_t)place;
        const float   cut   = middle(sorted[low], sorted[TL_MIN(low + 1, n - 1)]);
        if (edges == 0 || cut > edge[edges - 1]) edge[edges++] = cut;
    }
    return edges;
}

static uint8_t bin_of(const float *edge, int32_t edges, float x)
{
    int32_t low = 0, high = edges;

    while (low < high) {
        const int32_t at = low + (high - low) / 2;
        if (x <= edge[at]) high = at;
        else low = at + 1;
    }
    return (uint8_t)low;
}

typedef struct {
    tl_bins     *b;
    const float *x;
    float       *sorted; /* [columns rows] */
} cutting;

static void cut_columns(void *arg, int64_t low, int64_t high)
{
    cutting *k = arg;
    tl_bins *b = k->b;

    for (int64_t c = low; c < high; c++) {
        float   *sorted = k->sorted + c * b->rows, *edge = b->edge + c * TL_BINS;
        uint8_t *bin    = b->bin + c * b->rows;
        int64_t  n      = 0;
        for (int64_t r = 0; r < b->rows; r++) {
            const float v = k->x[r * b->columns + c];
            if (isnan(v)) b->gaps[c] = true;
            else sorted[n++] = v;
        }
        if (!b->category[c]) {
            qsort(sorted, (size_t)n, sizeof *sorted, by_value);
            b->edges[c] = cut_edges(sorted, n, edge);
        }
        for (int64_t r = 0; r < b->rows; r++) {
            const float v = k->x[r * b->columns + c];
            bin[r]        = isnan(v)         ? TL_GAP_BIN
                            : b->category[c] ? (uint8_t)v
                                             : bin_of(edge, b->edges[c], v);
        }
    }
}

tl_status tl_bins_new(tl_ctx *ctx, const float *x, int64_t rows, const tl_schema *schema,
                      tl_bins *out)
{
    tl_bins      b = { .rows = rows, .columns = schema->width };
    cutting      k = { &b, x, NULL };
    const size_t columns = (size_t)b.columns;
    tl_status    rc;

    *out = (tl_bins){ 0 };
    TL_TRY(tl_alloc_array(ctx, columns, (size_t)rows, &b.bin));
    TL_TRY(tl_alloc_array(ctx, columns, TL_BINS * sizeof *b.edge, &b.edge));
    TL_TRY(tl_alloc_array(ctx, columns, sizeof *b.edges, &b.edges));
    TL_TRY(tl_alloc_array(ctx, columns, sizeof *b.category, &b.category));
    TL_TRY(tl_alloc_array(ctx, columns, sizeof *b.gaps, &b.gaps));
    TL_TRY(tl_alloc_array(ctx, columns, (size_t)rows * sizeof *k.sorted, &k.sorted));
    for (int64_t i = 0; i < schema->columns; i++) {
        const tl_column *c = &schema->column[i];
        if (c->kind == TL_COLUMN_CATEGORY) b.category[c->at] = true;
    }
    tl_par_for(ctx->world->threads, b.columns, 1, cut_columns, &k);
    *out = b;
    b    = (tl_bins){ 0 };
done:
    tl_free(ctx, k.sorted);
    tl_bins_free(ctx, &b);
    return rc;
}
