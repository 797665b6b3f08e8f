/* rms_norm.c -- each row brought to a mean square of 1 and scaled.
 * Source: Zhang and Sennrich 2019, arXiv:1910.07467.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

static int64_t rows_of(const tl_shape *x)
{
    return tl_shape_count(x) / tl_last_dim(x);
}

static tl_status rms_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_shape *x = tl_in_shape(g, n, 0);

    tl_shape_like_first(g, n, out);
    tl_set_out(&out[1], TL_F32, TL_SHAPE(rows_of(x)));
    return tl_need_vector(g, n, 1, tl_last_dim(x));
}

static tl_status rms_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_shape_like_first(g, n, out);
    tl_set_out(&out[1], TL_F32, TL_SHAPE(tl_last_dim(tl_in_shape(g, n, 0))));
    return tl_need_like(g, n, 1, 0);
}

static void rms_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_rms_norm_attr *a = n->attr;

    dx[0] = TL_APPLY(g, rms_norm_grad, a, dy[0], n->in[0], n->in[1], n->out[1]);
    dx[1] = tl_graph_out(g, dx[0], 1);
}

static void rms_ref(const tl_call *c)
{
    const tl_rms_norm_attr *a = c->node->attr;
    const int64_t           n = tl_last_dim(&c->in[0].shape), rows = rows_of(&c->in[0].shape);

    for (int64_t r = 0; r < rows; r++) {
        double squares = 0.0;
        for (int64_t i = r * n; i < (r + 1) * n; i++)
            squares += tl_get(&c->in[0], i) * tl_get(&c->in[0], i);
        const double inv = 1.0 / sqrt(squares / (double)n + (double)a->eps);
        if (c->out[1].data) tl_set(&c->out[1], r, inv);
        for (int64_t i = 0; i < n && c->out[0].data; i++)
            tl_set(&c->out[0], r * n + i, tl_get(&c->in[0], r * n + i) * inv *
                                                  (tl_get(&c->in[1], i) + (double)a->plus));
    }
}

enum { DY, X, GAMMA, INV };

/* dx = inv (g - xhat mean(g xhat)) with g = dy (gamma + plus), xhat = x inv */
static void rms_grad_ref(const tl_call *c)
{
    const tl_rms_norm_attr *a = c->node->attr;
    const int64_t           n = tl_last_dim(&c->in[X].shape), rows = rows_of(&c->in[X].shape);

    for (int64_t i = 0; i < n && c->out[1].data; i++) { /* before dx takes a place */
        double sum = 0.0;
        for (int64_t r = 0; r < rows; r++)
            sum += tl_get(&c->in[DY], r * n + i) * tl_get(&c->in[X], r * n + i) *
                   tl_get(&c->in[INV], r);
        tl_set(&c->out[1], i, sum);
    }
    for (int64_t r = 0; r < rows && c->out[0].data; r++) {
        const double inv = tl_get(&c->in[INV], r);
        double       dot = 0.0;
        for (int64_t i = 0; i < n; i++)
            dot += tl_get(&c->in[DY], r * n + i) * (tl_get(&c->in[GAMMA], i) + (double)a->plus) *
                   tl_get(&c->in[X], r * n + i) * inv;
        for (int64_t i = 0; i < n; i++) {
            const double g = tl_get(&c->in[DY], r * n + i) *
                             (tl_get(&c->in[GAMMA], i) + (double)a->plus);
            tl_set(&c->out[0], r * n + i,
                   inv * (g - tl_get(&c->in[X], r * n + i) * inv * dot / (double)n));
        }
    }
}

#define SAMPLE(text, type, dims, c, plus, ...)                                                \
    { .label = text, .in = { { dims, { __VA_ARGS__ } }, { 1, { c } } }, .dtype = { type },     \
      .low = -1.0, .high = 1.0, .attr = &(const tl_rms_norm_attr){ 1e-5f, plus },              \
      .attr_bytes = sizeof(tl_rms_norm_attr) }
static const tl_sample samples[] = {
    SAMPLE("rows", TL_F32, 2, 7, 0.0f, 5, 7),
    SAMPLE("three axes, plus 1", TL_F32, 3, 4, 1.0f, 2, 3, 4),
    SAMPLE("bf16", TL_BF16, 2, 48, 0.0f, 5, 48),
};

const tl_op tl_op_rms_norm = {
    .name = "rms_norm", .doc = "each row brought to a mean square of 1, and scaled",
    .source = "Zhang and Sennrich 2019, arXiv:1910.07467",
    .least_in = 2, .most_in = 2, .n_out = 2, .inplace = 1,
    .shape = rms_shape, .grad = rms_backward, .ref = rms_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_rms_norm_grad = {
    .name = "rms_norm_grad", .doc = "gradient of rms_norm", .source = "chain rule",
    .least_in = 4, .most_in = 4, .n_out = 2, .inplace = 3,
    .shape = rms_grad_shape, .ref = rms_grad_ref,
};

tl_tensor tl_rms_norm(tl_graph *g, tl_tensor x, tl_tensor gamma, float eps, float plus)
{
    return TL_APPLY(g, rms_norm, (&(tl_rms_norm_attr){ eps, plus }), x, gamma);
}
