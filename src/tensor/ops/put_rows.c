/* put_rows.c -- some rows of a table replaced by others, from a place on: how a decoder keeps the
 * keys and values of what it has read.  The output may lie where the table lies: then only the
 * rows are written.  It has no gradient.  Source: Pope et al. 2022, arXiv:2211.05102 (KV caches).
 * Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <string.h>

static tl_status put_rows_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_shape *table = tl_in_shape(g, n, 0), *x = tl_in_shape(g, n, 1);

    if (tl_need_axes(g, n, 0, 2) != TL_OK || tl_need_axes(g, n, 1, 2) != TL_OK ||
        tl_need_float(g, n, 0) != TL_OK)
        return TL_EUSAGE;
    if (tl_in(g, n, 1)->dtype != tl_in(g, n, 0)->dtype || x->dim[1] != table->dim[1])
        return tl_graph_fail(g, "put_rows: rows are not as the table's");
    if (tl_in(g, n, 2)->dtype != TL_I32 || tl_shape_count(tl_in_shape(g, n, 2)) != 1)
        return tl_graph_fail(g, "put_rows: one i32 number says where");
    tl_set_out(out, tl_in(g, n, 0)->dtype, *table);
    return TL_OK;
}

static void put_rows_ref(const tl_call *c)
{
    const tl_view *table = &c->in[0], *x = &c->in[1];
    const int64_t  rows = table->shape.dim[0], at = *(const int32_t *)c->in[2].data;
    const size_t   row  = (size_t)table->shape.dim[1] * tl_dtype_bytes(table->dtype);
    const int64_t  low  = TL_MAX(at, 0), high = TL_MIN(at + x->shape.dim[0], rows);
    char          *y    = c->out[0].data;

    if (y != table->data) memcpy(y, table->data, (size_t)rows * row);
    if (low < high)
        memcpy(y + (size_t)low * row, (const char *)x->data + (size_t)(low - at) * row,
               (size_t)(high - low) * row);
}

static const tl_sample samples[] = {
    { .label = "two of five, one of them outside", .in = { { 2, { 5, 3 } }, { 2, { 2, 3 } },
                                                           { 1, { 1 } } },
      .dtype = { TL_F32, TL_F32, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 7,
      .number = { NULL, NULL, (const int32_t[]){ 4 } } },
    { .label = "bf16 rows in the middle", .in = { { 2, { 6, 16 } }, { 2, { 3, 16 } },
                                                  { 1, { 1 } } },
      .dtype = { TL_BF16, TL_BF16, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 7,
      .number = { NULL, NULL, (const int32_t[]){ 1 } } },
};

const tl_op tl_op_put_rows = {
    .name = "put_rows", .doc = "some rows of a table replaced by others",
    .source = "Pope et al. 2022, arXiv:2211.05102", .least_in = 3, .most_in = 3, .n_out = 1,
    .shape = put_rows_shape, .ref = put_rows_ref, .samples = samples,
    .n_samples = TL_COUNT(samples),
};

tl_tensor tl_put_rows(tl_graph *g, tl_tensor table, tl_tensor x, tl_tensor at)
{
    return TL_APPLY_BARE(g, put_rows, table, x, at);
}
