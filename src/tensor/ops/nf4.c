/* nf4.c -- weights kept in four bits (tensor/nf4.h), unpacked for the product that reads them: all
 * of a weight, or rows of a table by number.  Frozen, without a gradient.  What they make is not
 * kept for backward: the gradient of a product unpacks anew (tl_nf4_again).
 * Source: Dettmers et al. 2023, arXiv:2305.14314.  Floor 1, tensor. */
#include "tensor/nf4.h"
#include "tensor/ops/inside.h"

static tl_status need_packed(tl_graph *g, const tl_node *n, const tl_shape *shape)
{
    const tl_tensor_info *in = tl_in(g, n, 0);

    if (in->dtype == TL_U8 && in->shape.ndim == 1 &&
        (size_t)in->shape.dim[0] == tl_nf4_bytes(tl_shape_count(shape)))
        return TL_OK;
    return tl_graph_fail(g, "%s: the packed bytes are not those of its shape", n->op->name);
}

static tl_status nf4_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_shape_attr *a = n->attr;

    tl_set_out(out, TL_F32, a->shape);
    return need_packed(g, n, &a->shape);
}

static void nf4_ref(const tl_call *c)
{
    const tl_shape_attr *a     = c->node->attr;
    const int64_t        count = tl_shape_count(&a->shape);

    for (int64_t i = 0; i < count; i++)
        tl_set(&c->out[0], i, (double)tl_nf4_get(c->in[0].data, count, i));
}

static tl_status rows_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_shape_attr *a = n->attr;
    tl_shape             y = *tl_in_shape(g, n, 1);

    if (tl_in(g, n, 1)->dtype != TL_I32 || y.ndim >= TL_DIMS || a->shape.ndim != 2)
        return tl_graph_fail(g, "nf4_rows: a table and i32 numbers are needed");
    y.dim[y.ndim++] = a->shape.dim[1];
    tl_set_out(out, TL_F32, y);
    return need_packed(g, n, &a->shape);
}

static void rows_ref(const tl_call *c)
{
    const tl_shape_attr *a    = c->node->attr;
    const int64_t        rows = a->shape.dim[0], d = a->shape.dim[1];
    const int64_t        n    = tl_shape_count(&c->in[1].shape);
    const int32_t       *id   = c->in[1].data;

    for (int64_t i = 0; i < n * d; i++) {
        const int64_t row = id[i / d];
        tl_set(&c->out[0], i,
               row >= 0 && row < rows
                   ? (double)tl_nf4_get(c->in[0].data, rows * d, row * d + i % d)
                   : 0.0);
    }
}

/* Bytes below 64: what they say as floats is small and finite. */
#define ATTR(...)                                                                      \
    .attr = &(const tl_shape_attr){ __VA_ARGS__ }, .attr_bytes = sizeof(tl_shape_attr)
static const tl_sample samples[] = {
    { .label = "three blocks, the last one short", .in = { { 1, { 80 } } },
      .dtype = { TL_U8 }, .low = 0.0, .high = 63.0, ATTR({ 2, { 11, 12 } }), .no_grad = 1 },
    { .label = "an odd count", .in = { { 1, { 16 } } },
      .dtype = { TL_U8 }, .low = 0.0, .high = 63.0, ATTR({ 2, { 3, 1 } }), .no_grad = 1 },
};
static const int32_t   some[] = { 0, 11, 7, -1, 3, 3, 12, 1 };
static const tl_sample row_samples[] = {
    { .label = "rows that begin within a block, some outside",
      .in = { { 1, { 68 } }, { 2, { 2, 4 } } }, .dtype = { TL_U8, TL_I32 }, .low = 0.0,
      .high = 63.0, .number = { NULL, some }, ATTR({ 2, { 12, 9 } }), .no_grad = 3 },
};

const tl_op tl_op_nf4 = {
    .name = "nf4", .doc = "a weight unpacked from four bits", .again = true,
    .source = "Dettmers et al. 2023, arXiv:2305.14314", .least_in = 1, .most_in = 1, .n_out = 1,
    .shape = nf4_shape, .ref = nf4_ref, .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_nf4_rows = {
    .name = "nf4_rows", .doc = "rows by number of a table in four bits", .again = true,
    .source = "Dettmers et al. 2023, arXiv:2305.14314", .least_in = 2, .most_in = 2, .n_out = 1,
    .shape = rows_shape, .ref = rows_ref,
    .samples = row_samples, .n_samples = TL_COUNT(row_samples),
};

tl_tensor tl_nf4(tl_graph *g, tl_tensor packed, tl_shape shape)
{
    return TL_APPLY(g, nf4, (&(tl_shape_attr){ shape }), packed);
}

tl_tensor tl_nf4_rows(tl_graph *g, tl_tensor packed, tl_shape shape, tl_tensor ids)
{
    return TL_APPLY(g, nf4_rows, (&(tl_shape_attr){ shape }), packed, ids);
}

tl_tensor tl_nf4_again(tl_graph *g, tl_tensor w)
{
    const tl_tensor_info *info = tl_graph_info(g, w);
    const tl_node        *n    = info && info->node >= 0 ? tl_graph_node(g, info->node) : NULL;

    return n && n->op == &tl_op_nf4 ? tl_nf4(g, n->in[0], info->shape) : w;
}
