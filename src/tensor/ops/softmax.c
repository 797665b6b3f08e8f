/* softmax.c -- softmax and its logarithm over the last axis.  The row's maximum is taken off
 * first, so that exp cannot overflow.  Source: Bridle 1990.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

static tl_status grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_shape_like_first(g, n, out);
    return tl_need_like(g, n, 1, 0);
}

static void softmax_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    dx[0] = TL_APPLY_BARE(g, softmax_grad, dy[0], n->out[0]);
}

static void log_softmax_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    dx[0] = TL_APPLY_BARE(g, log_softmax_grad, dy[0], n->out[0]);
}

static void each_value(const tl_call *c, bool logarithm)
{
    const int64_t n = tl_last_dim(&c->in[0].shape), count = tl_shape_count(&c->in[0].shape);

    for (int64_t at = 0; at < count; at += n) {
        const double z = tl_log_sum_exp(&c->in[0], at, n);
        for (int64_t i = at; i < at + n; i++) {
            const double y = tl_get(&c->in[0], i) - z;
            tl_set(&c->out[0], i, logarithm ? y : exp(y));
        }
    }
}

static void softmax_ref(const tl_call *c)
{
    each_value(c, false);
}

static void log_softmax_ref(const tl_call *c)
{
    each_value(c, true);
}

static void softmax_grad_ref(const tl_call *c)
{
    const int64_t  n = tl_last_dim(&c->in[0].shape), count = tl_shape_count(&c->in[0].shape);
    const tl_view *dy = &c->in[0], *y = &c->in[1];

    for (int64_t at = 0; at < count; at += n) {
        double dot = 0.0;
        for (int64_t i = at; i < at + n; i++) dot += tl_get(dy, i) * tl_get(y, i);
        for (int64_t i = at; i < at + n; i++)
            tl_set(&c->out[0], i, tl_get(y, i) * (tl_get(dy, i) - dot));
    }
}

static void log_softmax_grad_ref(const tl_call *c)
{
    const int64_t  n = tl_last_dim(&c->in[0].shape), count = tl_shape_count(&c->in[0].shape);
    const tl_view *dy = &c->in[0], *y = &c->in[1];

    for (int64_t at = 0; at < count; at += n) {
        double sum = 0.0;
        for (int64_t i = at; i < at + n; i++) sum += tl_get(dy, i);
        for (int64_t i = at; i < at + n; i++)
            tl_set(&c->out[0], i, tl_get(dy, i) - exp(tl_get(y, i)) * sum);
    }
}

static const tl_sample samples[] = {
    { .label = "rows", .in = { { 2, { 4, 5 } } }, .low = -2.0, .high = 2.0 },
    { .label = "three axes", .in = { { 3, { 2, 3, 17 } } }, .low = -2.0, .high = 2.0 },
    { .label = "bf16", .in = { { 2, { 3, 20 } } }, .dtype = { TL_BF16 }, .low = -2.0, .high = 2.0 },
};

const tl_op tl_op_softmax = {
    .name = "softmax", .doc = "a row as probabilities", .source = "Bridle 1990",
    .least_in = 1, .most_in = 1, .n_out = 1, .inplace = 1,
    .shape = tl_shape_like_first, .grad = softmax_backward, .ref = softmax_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_softmax_grad = {
    .name = "softmax_grad", .doc = "gradient of softmax", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 1, .inplace = 3,
    .shape = grad_shape, .ref = softmax_grad_ref,
};
const tl_op tl_op_log_softmax = {
    .name = "log_softmax", .doc = "logarithm of a row's probabilities", .source = "Bridle 1990",
    .least_in = 1, .most_in = 1, .n_out = 1, .inplace = 1,
    .shape = tl_shape_like_first, .grad = log_softmax_backward, .ref = log_softmax_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_log_softmax_grad = {
    .name = "log_softmax_grad", .doc = "gradient of log_softmax", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 1, .inplace = 3,
    .shape = grad_shape, .ref = log_softmax_grad_ref,
};

tl_tensor tl_softmax(tl_graph *g, tl_tensor x)
{
    return TL_APPLY_BARE(g, softmax, x);
}

tl_tensor tl_log_softmax(tl_graph *g, tl_tensor x)
{
    return TL_APPLY_BARE(g, log_softmax, x);
}
