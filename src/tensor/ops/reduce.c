/* reduce.c -- sum, mean and maximum over one axis, which goes away.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

static tl_status reduce_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_axis_attr *a = n->attr;
    tl_shape            y = *tl_in_shape(g, n, 0);

    if (a->axis < 0 || a->axis >= y.ndim)
        return tl_graph_fail(g, "%s: axis %d of %d", n->op->name, a->axis, y.ndim);
    y.ndim--;
    for (int i = a->axis; i < y.ndim; i++) y.dim[i] = y.dim[i + 1];
    tl_set_out(&out[0], tl_in(g, n, 0)->dtype, y);
    tl_set_out(&out[1], TL_I32, y);
    return tl_need_float(g, n, 0);
}

static tl_broadcast_attr back(const tl_graph *g, const tl_node *n, bool mean)
{
    const tl_axis_attr *a     = n->attr;
    const int64_t       count = tl_in_shape(g, n, 0)->dim[a->axis];

    return (tl_broadcast_attr){ a->axis, count, mean ? 1.0f / (float)count : 1.0f };
}

static void sum_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_broadcast_attr a = back(g, n, false);

    dx[0] = TL_APPLY(g, broadcast, &a, dy[0]);
}

static void mean_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_broadcast_attr a = back(g, n, true);

    dx[0] = TL_APPLY(g, broadcast, &a, dy[0]);
}

static void max_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_broadcast_attr a = back(g, n, false);

    dx[0] = TL_APPLY(g, reduce_max_grad, &a, dy[0], n->out[1]);
}

static void sum_all(const tl_call *c, bool mean)
{
    const tl_axis_attr *a = c->node->attr;
    const tl_around     x = tl_around_axis(&c->in[0].shape, a->axis);

    for (int64_t i = 0; i < x.before * x.after; i++) {
        const int64_t from = i / x.after * x.size * x.after + i % x.after;
        double        sum  = 0.0;
        for (int64_t k = 0; k < x.size; k++) sum += tl_get(&c->in[0], from + k * x.after);
        tl_set(&c->out[0], i, mean ? sum / (double)x.size : sum);
    }
}

static void sum_ref(const tl_call *c)
{
    sum_all(c, false);
}

static void mean_ref(const tl_call *c)
{
    sum_all(c, true);
}

static void max_ref(const tl_call *c)
{
    const tl_axis_attr *a = c->node->attr;
    const tl_around     x = tl_around_axis(&c->in[0].shape, a->axis);

    for (int64_t i = 0; i < x.before * x.after; i++) {
        const int64_t from = i / x.after * x.size * x.after + i % x.after;
        double        best = tl_get(&c->in[0], from);
        int64_t       at   = 0;
        for (int64_t k = 1; k < x.size; k++) {
            const double v = tl_get(&c->in[0], from + k * x.after);
            if (!(v > best) && !(isnan(v) && !isnan(best))) continue;
            best = v;
            at   = k;
        }
        if (c->out[0].data) tl_set(&c->out[0], i, best);
        if (c->out[1].data) ((int32_t *)c->out[1].data)[i] = (int32_t)at;
    }
}

static tl_status broadcast_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_broadcast_attr *a = n->attr;
    tl_shape                 y = *tl_in_shape(g, n, 0);

    if (a->axis < 0 || a->axis > y.ndim || y.ndim == TL_DIMS)
        return tl_graph_fail(g, "%s: axis %d of %d", n->op->name, a->axis, y.ndim);
    for (int i = y.ndim++; i > a->axis; i--) y.dim[i] = y.dim[i - 1];
    y.dim[a->axis] = a->count;
    tl_set_out(out, tl_in(g, n, 0)->dtype, y);
    return tl_need_float(g, n, 0);
}

static void broadcast_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_broadcast_attr *a = n->attr;

    dx[0] = tl_scale(g, tl_reduce_sum(g, dy[0], a->axis), a->scale);
}

static void broadcast_ref(const tl_call *c)
{
    const tl_broadcast_attr *a = c->node->attr;
    const tl_around          y = tl_around_axis(&c->out[0].shape, a->axis);

    for (int64_t i = 0; i < y.before * y.size * y.after; i++) {
        const int64_t from = i / (y.size * y.after) * y.after + i % y.after;
        tl_set(&c->out[0], i, (double)a->scale * tl_get(&c->in[0], from));
    }
}

static void max_grad_ref(const tl_call *c)
{
    const tl_broadcast_attr *a  = c->node->attr;
    const tl_around          y  = tl_around_axis(&c->out[0].shape, a->axis);
    const int32_t           *at = c->in[1].data;

    for (int64_t i = 0; i < y.before * y.size * y.after; i++) {
        const int64_t from = i / (y.size * y.after) * y.after + i % y.after;
        const int64_t k    = i / y.after % y.size;
        tl_set(&c->out[0], i, at[from] == k ? tl_get(&c->in[0], from) : 0.0);
    }
}

#define SAMPLE(text, type, on, n, ...)                                                       \
    { .label = text, .in = { { n, { __VA_ARGS__ } } }, .dtype = { type }, .low = -2.0,       \
      .high = 2.0, .attr = &(const tl_axis_attr){ on }, .attr_bytes = sizeof(tl_axis_attr) }
static const tl_sample samples[] = {
    SAMPLE("last axis", TL_F32, 2, 3, 2, 3, 5),
    SAMPLE("middle axis", TL_F32, 1, 3, 2, 3, 5),
    SAMPLE("to a number", TL_F32, 0, 1, 7),
    SAMPLE("bf16", TL_BF16, 0, 2, 5, 4),
};
static const tl_sample broadcast_samples[] = {
    { .label = "new middle axis", .in = { { 2, { 2, 3 } } }, .low = -2.0, .high = 2.0,
      .attr = &(const tl_broadcast_attr){ 1, 4, 0.5f }, .attr_bytes = sizeof(tl_broadcast_attr) },
};

#define REDUCES .least_in = 1, .most_in = 1, .source = "arithmetic", .shape = reduce_shape, \
    .samples = samples, .n_samples = TL_COUNT(samples)
const tl_op tl_op_reduce_sum = {
    .name = "reduce_sum", .doc = "sum over an axis", .n_out = 1, REDUCES, .grad = sum_backward,
    .ref = sum_ref,
};
const tl_op tl_op_reduce_mean = {
    .name = "reduce_mean", .doc = "mean over an axis", .n_out = 1, REDUCES, .grad = mean_backward,
    .ref = mean_ref,
};
const tl_op tl_op_reduce_max = {
    .name = "reduce_max", .doc = "maximum over an axis", .n_out = 2, REDUCES,
    .grad = max_backward, .ref = max_ref,
};
const tl_op tl_op_reduce_max_grad = {
    .name = "reduce_max_grad", .doc = "gradient of reduce_max", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 1, .shape = broadcast_shape, .ref = max_grad_ref,
};
const tl_op tl_op_broadcast = {
    .name = "broadcast", .doc = "values repeated along a new axis, times a number",
    .source = "arithmetic", .least_in = 1, .most_in = 1, .n_out = 1, .shape = broadcast_shape,
    .grad = broadcast_backward, .ref = broadcast_ref,
    .samples = broadcast_samples, .n_samples = TL_COUNT(broadcast_samples),
};

tl_tensor tl_reduce_sum(tl_graph *g, tl_tensor x, int axis)
{
    return TL_APPLY(g, reduce_sum, (&(tl_axis_attr){ axis }), x);
}

tl_tensor tl_reduce_mean(tl_graph *g, tl_tensor x, int axis)
{
    return TL_APPLY(g, reduce_mean, (&(tl_axis_attr){ axis }), x);
}

tl_tensor tl_reduce_max(tl_graph *g, tl_tensor x, int axis)
{
    return TL_APPLY(g, reduce_max, (&(tl_axis_attr){ axis }), x);
}
