/* embedding.c -- rows of a table by number, and the gradient that adds into them.
 * Source: Bengio et al. 2003.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

static tl_status embedding_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_shape y = *tl_in_shape(g, n, 1);

    if (tl_need_axes(g, n, 0, 2) != TL_OK) return TL_EUSAGE;
    if (tl_in(g, n, 1)->dtype != TL_I32 || y.ndim >= TL_DIMS)
        return tl_graph_fail(g, "embedding: i32 numbers are needed");
    y.dim[y.ndim++] = tl_in_shape(g, n, 0)->dim[1];
    tl_set_out(out, tl_in(g, n, 0)->dtype, y);
    return tl_need_float(g, n, 0);
}

static void embedding_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    dx[0] = TL_APPLY(g, embedding_grad, (&(tl_shape_attr){ *tl_in_shape(g, n, 0) }), dy[0],
                     n->in[1], 0);
}

static void embedding_ref(const tl_call *c)
{
    const int64_t  rows = c->in[0].shape.dim[0], d = c->in[0].shape.dim[1];
    const int64_t  n  = tl_shape_count(&c->in[1].shape);
    const int32_t *id = c->in[1].data;

    for (int64_t i = 0; i < n * d; i++) {
        const int64_t row = id[i / d];
        tl_set(&c->out[0], i, row >= 0 && row < rows ? tl_get(&c->in[0], row * d + i % d) : 0.0);
    }
}

static void embedding_grad_ref(const tl_call *c)
{
    const int64_t  rows = c->out[0].shape.dim[0], d = c->out[0].shape.dim[1];
    const int64_t  n  = tl_shape_count(&c->in[1].shape);
    const int32_t *id = c->in[1].data;

    for (int64_t at = 0; at < rows * d; at++) {
        double sum = c->in[2].data ? tl_get(&c->in[2], at) : 0.0;
        for (int64_t i = 0; i < n; i++)
            if (id[i] == at / d) sum += tl_get(&c->in[0], i * d + at % d);
        tl_set(&c->out[0], at, sum);
    }
}

static const tl_sample samples[] = {
    { .label = "some numbers outside", .in = { { 2, { 4, 3 } }, { 2, { 2, 5 } } },
      .dtype = { TL_F32, TL_I32 }, .low = -1.0, .high = 5.0, .no_grad = 2 },
    { .label = "bf16 rows, one more than once", .in = { { 2, { 6, 20 } }, { 1, { 9 } } },
      .dtype = { TL_BF16, TL_I32 }, .low = -1.0, .high = 6.0, .no_grad = 2 },
};

const tl_op tl_op_embedding = {
    .name = "embedding", .doc = "rows of a table by number", .source = "Bengio et al. 2003",
    .least_in = 2, .most_in = 2, .n_out = 1,
    .shape = embedding_shape, .grad = embedding_backward, .ref = embedding_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_embedding_grad = {
    .name = "embedding_grad", .doc = "gradient of embedding in the table", .source = "chain rule",
    .least_in = 3, .most_in = 3, .n_out = 1, .optional = 4, .inplace = 4, .adds_to = 2,
    .shape = tl_shape_from_attr, .ref = embedding_grad_ref,
};

tl_tensor tl_embedding(tl_graph *g, tl_tensor table, tl_tensor ids)
{
    return TL_APPLY_BARE(g, embedding, table, ids);
}
