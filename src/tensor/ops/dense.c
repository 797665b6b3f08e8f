/* dense.c -- y = act(x w^T + b) over the last axis, and its gradients.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

static tl_status dense_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_shape *x = tl_in_shape(g, n, 0), *w = tl_in_shape(g, n, 1);
    tl_shape        y = *x;

    if (tl_need_float(g, n, 0) != TL_OK || tl_need_axes(g, n, 1, 2) != TL_OK) return TL_EUSAGE;
    if (x->ndim < 1 || tl_last_dim(x) != w->dim[1])
        return tl_graph_fail(g, "dense: rows have %" PRId64 " values and the weight takes %" PRId64
                             " (do input size and weight belong together?)", tl_last_dim(x),
                             w->dim[1]);
    y.dim[y.ndim - 1] = w->dim[0];
    tl_set_out(out, tl_in(g, n, 0)->dtype, y);
    return tl_need_vector(g, n, 2, w->dim[0]);
}

static void dense_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_act_attr *a = n->attr;
    tl_tensor          d = dy[0];

    if (a->act != TL_ACT_NONE)
        d = TL_APPLY(g, act_grad, (&(tl_act_grad_attr){ a->act, true }), d, n->out[0]);
    /* the weight's first: afterwards x may give its place to dx */
    if (tl_wants(g, n, 1) || (n->in[2] && tl_wants(g, n, 2))) {
        dx[1] = TL_APPLY(g, dense_dw, (&(tl_shape_attr){ *tl_in_shape(g, n, 1) }), d,
                         tl_wants(g, n, 1) ? n->in[0] : 0);
        dx[2] = tl_graph_out(g, dx[1], 1);
    }
    if (tl_wants(g, n, 0)) dx[0] = TL_APPLY_BARE(g, dense_dx, d, tl_nf4_again(g, n->in[1]));
}

static double dense_flops(const tl_graph *g, const tl_node *n)
{
    const tl_shape *x = tl_in_shape(g, n, 0), *w = tl_in_shape(g, n, 1);

    return 2.0 * (double)tl_shape_count(x) * (double)w->dim[0];
}

static void dense_ref(const tl_call *c)
{
    const tl_act_attr *a    = c->node->attr;
    const int64_t      in   = c->in[1].shape.dim[1], out = c->in[1].shape.dim[0];
    const int64_t      rows = tl_shape_count(&c->in[0].shape) / in;
    const float       *w = c->in[1].data, *b = c->in[2].data;

    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < out; o++) {
            const double sum = tl_dot(&c->in[0], r * in, 1, w + o * in, 1, in);
            tl_set(&c->out[0], r * out + o, tl_act_value(a->act, b ? sum + (double)b[o] : sum));
        }
}

static tl_status dense_dx_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_shape x = *tl_in_shape(g, n, 0);

    x.dim[x.ndim - 1] = tl_in_shape(g, n, 1)->dim[1];
    tl_set_out(out, tl_in(g, n, 0)->dtype, x);
    return TL_OK;
}

static double dense_dx_flops(const tl_graph *g, const tl_node *n)
{
    const tl_shape *dy = tl_in_shape(g, n, 0), *w = tl_in_shape(g, n, 1);

    return 2.0 * (double)tl_shape_count(dy) * (double)w->dim[1];
}

static void dense_dx_ref(const tl_call *c)
{
    const int64_t in   = c->in[1].shape.dim[1], out = c->in[1].shape.dim[0];
    const int64_t rows = tl_shape_count(&c->in[0].shape) / out;
    const float  *w    = c->in[1].data;

    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < in; i++)
            tl_set(&c->out[0], r * in + i, tl_dot(&c->in[0], r * out, 1, w + i, in, out));
}

static tl_status dense_dw_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_shape_attr *a = n->attr;

    (void)g;
    tl_set_out(&out[0], TL_F32, a->shape);
    tl_set_out(&out[1], TL_F32, TL_SHAPE(a->shape.dim[0]));
    return TL_OK;
}

static double dense_dw_flops(const tl_graph *g, const tl_node *n)
{
    const tl_shape_attr *a = n->attr;

    if (!n->in[1]) return 0.0;
    return 2.0 * (double)tl_shape_count(tl_in_shape(g, n, 0)) * (double)a->shape.dim[1];
}

static void dense_dw_ref(const tl_call *c)
{
    const tl_shape_attr *a   = c->node->attr;
    const int64_t        out = a->shape.dim[0], in = a->shape.dim[1];
    const int64_t        rows = tl_shape_count(&c->in[0].shape) / out;
    const tl_view       *dy = &c->in[0], *x = &c->in[1];

    for (int64_t o = 0; o < out && c->out[0].data; o++)
        for (int64_t i = 0; i < in; i++) {
            double sum = 0.0;
            for (int64_t r = 0; r < rows; r++)
                sum += tl_get(dy, r * out + o) * tl_get(x, r * in + i);
            tl_set(&c->out[0], o * in + i, sum);
        }
    for (int64_t o = 0; o < out && c->out[1].data; o++) {
        double sum = 0.0;
        for (int64_t r = 0; r < rows; r++) sum += tl_get(dy, r * out + o);
        tl_set(&c->out[1], o, sum);
    }
}

#define ATTR(a) .attr = &(const tl_act_attr){ a }, .attr_bytes = sizeof(tl_act_attr)
static const tl_sample samples[] = {
    { .label = "bias and relu", .in = { { 2, { 5, 7 } }, { 2, { 3, 7 } }, { 1, { 3 } } },
      .low = -1.0, .high = 1.0, ATTR(TL_ACT_RELU) },
    { .label = "no bias, three axes", .in = { { 3, { 2, 3, 4 } }, { 2, { 5, 4 } }, { -1, { 0 } } },
      .low = -1.0, .high = 1.0, ATTR(TL_ACT_NONE) },
    { .label = "one row, one output, tanh",
      .in = { { 2, { 1, 9 } }, { 2, { 1, 9 } }, { 1, { 1 } } },
      .low = -1.0, .high = 1.0, ATTR(TL_ACT_TANH) },
    { .label = "bf16", .in = { { 2, { 5, 33 } }, { 2, { 17, 33 } }, { 1, { 17 } } },
      .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0, ATTR(TL_ACT_SIGMOID) },
};

const tl_op tl_op_dense = {
    .name = "dense", .doc = "a dense layer: rows times weights, plus bias, through an activation",
    .source = "Rosenblatt 1958",
    .least_in = 2, .most_in = 3, .n_out = 1, .optional = 4,
    .shape = dense_shape, .grad = dense_backward, .ref = dense_ref, .flops = dense_flops,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_dense_dx = {
    .name = "dense_dx", .doc = "gradient of dense in its input", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 1,
    .shape = dense_dx_shape, .ref = dense_dx_ref, .flops = dense_dx_flops,
};
const tl_op tl_op_dense_dw = {
    .name = "dense_dw", .doc = "gradient of dense in weight and bias", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 2, .optional = 2,
    .shape = dense_dw_shape, .ref = dense_dw_ref, .flops = dense_dw_flops,
};

tl_tensor tl_dense(tl_graph *g, tl_tensor x, tl_tensor w, tl_tensor b, tl_activation act)
{
    const bool fused = tl_act_from_output(act);
    tl_tensor  y = TL_APPLY(g, dense, (&(tl_act_attr){ fused ? act : TL_ACT_NONE }), x, w, b);

    return fused ? y : tl_act(g, y, act);
}
