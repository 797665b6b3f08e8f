/* loss.c -- pointwise losses of regression: squared, absolute, Huber's.  Sum over rows, with
 * weights, of the mean over columns.  Source: Huber 1964.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

enum { X, TARGET, WEIGHT, DLOSS };

/* One error e = x - target: its loss, and the loss's slope. */
typedef struct {
    double (*value)(double e, double delta), (*slope)(double e, double delta);
} point;

static double mse_value(double e, double delta) { (void)delta; return e * e; }
static double mse_slope(double e, double delta) { (void)delta; return 2.0 * e; }
static double mae_value(double e, double delta) { (void)delta; return fabs(e); }
static double mae_slope(double e, double delta)
{
    (void)delta;
    return e > 0.0 ? 1.0 : e < 0.0 ? -1.0 : e;
}
static double huber_value(double e, double delta)
{
    const double a = fabs(e);

    return a <= delta ? 0.5 * e * e : delta * (a - 0.5 * delta);
}
static double huber_slope(double e, double delta)
{
    return e > delta ? delta : e < -delta ? -delta : e;
}

static const point mse = { mse_value, mse_slope };
static const point mae = { mae_value, mae_slope };
static const point huber = { huber_value, huber_slope };

static tl_status checked_shape(tl_graph *g, const tl_node *n)
{
    const tl_tensor_info *x = tl_in(g, n, X), *t = tl_in(g, n, TARGET);

    tl_need_float(g, n, X);
    if (x->shape.ndim < 1 || t->dtype != TL_F32 || !tl_shape_equal(&x->shape, &t->shape))
        return tl_graph_fail(g, "%s: outputs and targets differ in shape, or targets are not f32",
                             n->op->name);
    return tl_need_vector(g, n, WEIGHT, x->shape.dim[0]);
}

static tl_status loss_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_set_out(&out[0], TL_F32, TL_SCALAR);
    tl_set_out(&out[1], TL_F32, *tl_in_shape(g, n, WEIGHT));
    return checked_shape(g, n);
}

static tl_status loss_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_shape_like_first(g, n, out);
    return checked_shape(g, n);
}

static double delta_of(const tl_node *n)
{
    const tl_huber_attr *a = n->attr;

    return a ? (double)a->delta : 0.0;
}

static void loss_run(const tl_call *c, const point *p)
{
    const int64_t rows = c->in[X].shape.dim[0], cols = tl_shape_count(&c->in[X].shape) / rows;
    const double  delta = delta_of(c->node);
    double        loss  = 0.0;

    for (int64_t r = 0; r < rows; r++) {
        const double weight = tl_get(&c->in[WEIGHT], r);
        double       row    = 0.0;
        for (int64_t i = r * cols; i < (r + 1) * cols && weight != 0.0; i++)
            row += p->value(tl_get(&c->in[X], i) - tl_get(&c->in[TARGET], i), delta);
        row /= (double)cols;
        loss += weight * row;
        if (c->out[1].data) tl_set(&c->out[1], r, row);
    }
    if (c->out[0].data) tl_set(&c->out[0], 0, loss);
}

static void loss_grad_run(const tl_call *c, const point *p)
{
    const int64_t rows = c->in[X].shape.dim[0], cols = tl_shape_count(&c->in[X].shape) / rows;
    const double  delta = delta_of(c->node), dloss = tl_get(&c->in[DLOSS], 0);

    for (int64_t i = 0; i < rows * cols; i++) {
        const double scale = dloss * tl_get(&c->in[WEIGHT], i / cols) / (double)cols;
        const double e     = tl_get(&c->in[X], i) - tl_get(&c->in[TARGET], i);
        tl_set(&c->out[0], i, scale != 0.0 ? scale * p->slope(e, delta) : 0.0);
    }
}

#define SAMPLE(text, type, rows, cols, ...)                                                    \
    { .label = text, .in = { { 2, { rows, cols } }, { 2, { rows, cols } }, { 1, { rows } } },  \
      .dtype = { type }, .low = -2.0, .high = 2.0, .no_grad = 6, __VA_ARGS__ }
#define SAMPLES(...)                                                                           \
    {                                                                                          \
        SAMPLE("rows", TL_F32, 4, 3, __VA_ARGS__),                                             \
        SAMPLE("one column", TL_F32, 5, 1, __VA_ARGS__),                                       \
        SAMPLE("bf16", TL_BF16, 3, 20, __VA_ARGS__)                                            \
    }
static const tl_huber_attr sample_delta = { 0.7f };
static const tl_sample samples[]       = SAMPLES(.attr = NULL);
static const tl_sample huber_samples[] =
    SAMPLES(.attr = &sample_delta, .attr_bytes = sizeof sample_delta);

#define LOSS(loss, text, from, list)                                                          \
    static void loss##_ref(const tl_call *c) { loss_run(c, &loss); }                          \
    static void loss##_grad_ref(const tl_call *c) { loss_grad_run(c, &loss); }                \
    static void loss##_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy,           \
                                tl_tensor *dx)                                                \
    {                                                                                         \
        dx[X] = tl_graph_apply(g, &tl_op_##loss##_grad, 4,                                    \
                               (tl_tensor[]){ n->in[X], n->in[TARGET], n->in[WEIGHT], dy[0] },\
                               n->attr, n->attr ? sizeof(tl_huber_attr) : 0);                 \
    }                                                                                         \
    const tl_op tl_op_##loss = {                                                              \
        .name = #loss, .doc = text, .source = from, .least_in = 3, .most_in = 3, .n_out = 2,  \
        .shape = loss_shape, .grad = loss##_backward, .ref = loss##_ref,                      \
        .samples = list, .n_samples = TL_COUNT(list),                                         \
    };                                                                                        \
    const tl_op tl_op_##loss##_grad = {                                                       \
        .name = #loss "_grad", .doc = "gradient of " #loss, .source = "chain rule",           \
        .least_in = 4, .most_in = 4, .n_out = 1, .inplace = 1,                                \
        .shape = loss_grad_shape, .ref = loss##_grad_ref,                                     \
    };
LOSS(mse, "mean squared error", "Gauss 1809", samples)
LOSS(mae, "mean absolute error", "Laplace 1774", samples)
LOSS(huber, "squared near 0, absolute beyond delta", "Huber 1964", huber_samples)

tl_tensor tl_mse(tl_graph *g, tl_tensor x, tl_tensor target, tl_tensor weight)
{
    return TL_APPLY_BARE(g, mse, x, target, weight);
}

tl_tensor tl_mae(tl_graph *g, tl_tensor x, tl_tensor target, tl_tensor weight)
{
    return TL_APPLY_BARE(g, mae, x, target, weight);
}

tl_tensor tl_huber(tl_graph *g, tl_tensor x, tl_tensor target, tl_tensor weight, float delta)
{
    return TL_APPLY(g, huber, (&(tl_huber_attr){ delta }), x, target, weight);
}
