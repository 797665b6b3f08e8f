/* dropout.c -- zeroes at random; the mask is drawn again in the backward pass, not stored.
 * Source: Srivastava et al. 2014.  Floor 1, tensor. */
#include "core/rand.h"
#include "tensor/ops/inside.h"

static tl_status dropout_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_dropout_attr *a = n->attr;

    if (!(a->p >= 0.0f && a->p < 1.0f))
        return tl_graph_fail(g, "dropout: p is %g (0 <= p < 1 is needed)", (double)a->p);
    return tl_shape_like_first(g, n, out);
}

static void dropout_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_dropout_attr *a = n->attr;

    dx[0] = TL_APPLY(g, dropout, a, dy[0]);
}

static void dropout_ref(const tl_call *c)
{
    const tl_dropout_attr *a     = c->node->attr;
    const int64_t          n     = tl_shape_count(&c->in[0].shape);
    const uint32_t         bound = tl_dropout_bound(a->p);
    const double           scale = (double)(float)(1.0 / (1.0 - (double)a->p));
    uint32_t               lane[4] = { 0 };

    for (int64_t i = 0; i < n; i++) {
        if (i % 4 == 0)
            tl_rand_block(c->tick->seed, TL_STREAM(TL_STREAM_DROPOUT, a->stream),
                          tl_dropout_index(c->tick->step, i), lane);
        tl_set(&c->out[0], i, lane[i % 4] >= bound ? tl_get(&c->in[0], i) * scale : 0.0);
    }
}

#define ATTR(p) .attr = &(const tl_dropout_attr){ p, 3 }, .attr_bytes = sizeof(tl_dropout_attr)
static const tl_sample samples[] = {
    { .label = "a half", .in = { { 2, { 5, 7 } } }, .low = 0.5, .high = 2.0, ATTR(0.5f) },
    { .label = "nothing", .in = { { 1, { 3 } } }, .low = 0.5, .high = 2.0, ATTR(0.0f) },
    { .label = "bf16", .in = { { 3, { 3, 4, 5 } } }, .dtype = { TL_BF16 }, .low = 0.5, .high = 2.0,
      ATTR(0.2f) },
};

const tl_op tl_op_dropout = {
    .name = "dropout", .doc = "zeroes at random, the rest scaled up",
    .source = "Srivastava et al. 2014",
    .least_in = 1, .most_in = 1, .n_out = 1, .inplace = 1, .reads_tick = true,
    .shape = dropout_shape, .grad = dropout_backward, .ref = dropout_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};

tl_tensor tl_dropout(tl_graph *g, tl_tensor x, float p, uint64_t stream)
{
    if (p == 0.0f) return x;
    return TL_APPLY(g, dropout, (&(tl_dropout_attr){ p, stream }), x);
}
