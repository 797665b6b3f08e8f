/* batch.c -- room for one batch in host memory.  Floor 1, tensor. */
#include "tensor/batch.h"

#include <string.h>

tl_status tl_batch_new(tl_ctx *ctx, int64_t capacity, tl_shape row_shape, bool labels,
                       int64_t outputs, tl_batch *out)
{
    tl_status    rc;
    tl_batch     b    = { .capacity = capacity, .outputs = outputs };
    const size_t rows = (size_t)capacity;

    memset(out, 0, sizeof *out);
    if (row_shape.ndim + 1 > TL_DIMS)
        TL_FAIL(TL_EUSAGE, "batch", "a row has %d axes (at most %d)", row_shape.ndim, TL_DIMS - 1);
    b.x_shape = (tl_shape){ row_shape.ndim + 1, { capacity } };
    for (int i = 0; i < row_shape.ndim; i++) b.x_shape.dim[i + 1] = row_shape.dim[i];
    TL_TRY(tl_alloc_array(ctx, rows, (size_t)tl_shape_count(&row_shape) * sizeof *b.x, &b.x));
    if (labels) TL_TRY(tl_alloc_array(ctx, rows, sizeof *b.label, &b.label));
    if (outputs > 0)
        TL_TRY(tl_alloc_array(ctx, rows, (size_t)outputs * sizeof *b.target, &b.target));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *b.weight, &b.weight));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *b.index, &b.index));
    *out = b;
    memset(&b, 0, sizeof b);
done:
    tl_batch_free(ctx, &b);
    return rc;
}

void tl_batch_free(tl_ctx *ctx, tl_batch *batch)
{
    tl_free(ctx, batch->x);
    tl_free(ctx, batch->label);
    tl_free(ctx, batch->target);
    tl_free(ctx, batch->weight);
    tl_free(ctx, batch->index);
    memset(batch, 0, sizeof *batch);
}
