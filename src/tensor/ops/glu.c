/* glu.c -- gated units: act(gate) * up.  SwiGLU with silu, GeGLU with gelu.
 * Source: Shazeer 2020, arXiv:2002.05202.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

/* Rows, and where up lies: beside the gate in its own rows where it is absent. */
typedef struct { int64_t rows, n, step; const tl_view *gate, *up; int64_t up_at; } gated;

static gated gated_of(const tl_call *c, int at)
{
    const tl_view *gate  = &c->in[at], *up = &c->in[at + 1];
    const int64_t  width = tl_last_dim(&gate->shape), rows = tl_shape_count(&gate->shape) / width;

    if (up->data) return (gated){ rows, width, width, gate, up, 0 };
    return (gated){ rows, width / 2, width, gate, gate, width / 2 };
}

static tl_status glu_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const bool apart = n->n_in > 1 && n->in[1];

    tl_shape_like_first(g, n, out);
    if (apart) return tl_need_like(g, n, 1, 0);
    if (out->shape.ndim < 1 || tl_last_dim(&out->shape) % 2)
        return tl_graph_fail(g, "glu: %" PRId64 " values have no halves", tl_last_dim(&out->shape));
    out->shape.dim[out->shape.ndim - 1] /= 2;
    return TL_OK;
}

static tl_status glu_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_set_out(&out[0], tl_in(g, n, 1)->dtype, *tl_in_shape(g, n, 1));
    tl_set_out(&out[1], out[0].dtype, n->in[2] ? out[0].shape : TL_SHAPE(1));
    return TL_OK;
}

static void glu_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_act_attr *a  = n->attr;
    const tl_tensor    up = n->n_in > 1 ? n->in[1] : 0;

    dx[0] = TL_APPLY(g, glu_grad, a, dy[0], n->in[0], up);
    if (up) dx[1] = tl_graph_out(g, dx[0], 1);
}

static void glu_ref(const tl_call *c)
{
    const tl_act_attr *a = c->node->attr;
    const gated        k = gated_of(c, 0);

    for (int64_t i = 0; i < k.rows * k.n; i++) {
        const int64_t at = i / k.n * k.step + i % k.n;
        tl_set(&c->out[0], i,
               tl_act_value(a->act, tl_get(k.gate, at)) * tl_get(k.up, at + k.up_at));
    }
}

static void glu_grad_ref(const tl_call *c)
{
    const tl_act_attr *a   = c->node->attr;
    const gated        k   = gated_of(c, 1);
    const tl_view     *dup = k.up_at ? &c->out[0] : &c->out[1];

    for (int64_t i = 0; i < k.rows * k.n; i++) {
        const int64_t at = i / k.n * k.step + i % k.n;
        const double  dy = tl_get(&c->in[0], i), gate = tl_get(k.gate, at);
        const double  up = tl_get(k.up, at + k.up_at);
        if (c->out[0].data) tl_set(&c->out[0], at, dy * up * tl_act_slope(a->act, gate));
        if (dup->data) tl_set(dup, at + k.up_at, dy * tl_act_value(a->act, gate));
    }
}

#define ATTR(a) .attr = &(const tl_act_attr){ a }, .attr_bytes = sizeof(tl_act_attr)
static const tl_sample samples[] = {
    { .label = "silu", .in = { { 2, { 5, 7 } }, { 2, { 5, 7 } } }, .low = -3.0, .high = 3.0,
      ATTR(TL_ACT_SILU) },
    { .label = "gelu, side by side", .in = { { 2, { 4, 10 } } }, .low = -3.0, .high = 3.0,
      ATTR(TL_ACT_GELU) },
    { .label = "gelu_tanh, bf16", .in = { { 2, { 3, 35 } }, { 2, { 3, 35 } } },
      .dtype = { TL_BF16, TL_BF16 }, .low = -3.0, .high = 3.0, ATTR(TL_ACT_GELU_TANH) },
    { .label = "silu, bf16, side by side", .in = { { 2, { 3, 70 } } }, .dtype = { TL_BF16 },
      .low = -3.0, .high = 3.0, ATTR(TL_ACT_SILU) },
};

const tl_op tl_op_glu = {
    .name = "glu", .doc = "a gate's activation times what it lets through",
    .source = "Shazeer 2020, arXiv:2002.05202", .least_in = 1, .most_in = 2, .n_out = 1,
    .optional = 2, .shape = glu_shape, .grad = glu_backward, .ref = glu_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_glu_grad = {
    .name = "glu_grad", .doc = "gradients of glu", .source = "chain rule",
    .least_in = 3, .most_in = 3, .n_out = 2, .optional = 4,
    .shape = glu_grad_shape, .ref = glu_grad_ref,
};

tl_tensor tl_glu(tl_graph *g, tl_tensor gate, tl_tensor up, tl_activation act)
{
    return TL_APPLY(g, glu, (&(tl_act_attr){ act }), gate, up);
}
