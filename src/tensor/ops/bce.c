/* bce.c -- binary cross-entropy of logits, each output a question of its own; a target below 0
 * leaves its output out.  Sum over rows, with weights, of the mean over all columns: PyTorch's
 * BCEWithLogitsLoss where no target is left out.  Source: Cox 1958.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

enum { LOGITS, TARGET, WEIGHT, DLOSS };

static tl_status checked_shape(tl_graph *g, const tl_node *n)
{
    const tl_tensor_info *x = tl_in(g, n, LOGITS), *t = tl_in(g, n, TARGET);

    tl_need_float(g, n, LOGITS);
    if (x->shape.ndim != 2 || t->dtype != TL_F32 || !tl_shape_equal(&x->shape, &t->shape))
        return tl_graph_fail(g, "%s: targets are not f32 of the logits' shape", n->op->name);
    return tl_need_vector(g, n, WEIGHT, x->shape.dim[0]);
}

static tl_status bce_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_set_out(&out[0], TL_F32, TL_SCALAR);
    tl_set_out(&out[1], TL_F32, *tl_in_shape(g, n, WEIGHT));
    return checked_shape(g, n);
}

static tl_status grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_shape_like_first(g, n, out);
    return checked_shape(g, n);
}

static void bce_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    dx[LOGITS] = TL_APPLY_BARE(g, bce_grad, n->in[LOGITS], n->in[TARGET], n->in[WEIGHT], dy[0]);
}

/* max(x, 0) - x t + log(1 + e^-|x|) */
static void bce_ref(const tl_call *c)
{
    const int64_t rows = c->in[LOGITS].shape.dim[0], cols = c->in[LOGITS].shape.dim[1];
    double        loss = 0.0;

    for (int64_t r = 0; r < rows; r++) {
        const double weight = tl_get(&c->in[WEIGHT], r);
        double       row    = 0.0;
        for (int64_t i = r * cols; i < (r + 1) * cols && weight != 0.0; i++) {
            const double x = tl_get(&c->in[LOGITS], i), t = tl_get(&c->in[TARGET], i);
            if (t >= 0.0) row += fmax(x, 0.0) - x * t + log1p(exp(-fabs(x)));
        }
        row /= (double)cols;
        loss += weight * row;
        if (c->out[1].data) tl_set(&c->out[1], r, row);
    }
    if (c->out[0].data) tl_set(&c->out[0], 0, loss);
}

static void bce_grad_ref(const tl_call *c)
{
    const int64_t rows = c->in[LOGITS].shape.dim[0], cols = c->in[LOGITS].shape.dim[1];
    const double  dloss = tl_get(&c->in[DLOSS], 0);

    for (int64_t i = 0; i < rows * cols; i++) {
        const double scale = dloss * tl_get(&c->in[WEIGHT], i / cols) / (double)cols;
        const double x = tl_get(&c->in[LOGITS], i), t = tl_get(&c->in[TARGET], i);
        tl_set(&c->out[0], i,
               t >= 0.0 && scale != 0.0 ? scale * (1.0 / (1.0 + exp(-x)) - t) : 0.0);
    }
}

#define SAMPLE(text, type, rows, cols, least, most)                                            \
    { .label = text, .in = { { 2, { rows, cols } }, { 2, { rows, cols } }, { 1, { rows } } },  \
      .dtype = { type }, .low = least, .high = most, .no_grad = 6 }
static const tl_sample samples[] = {
    SAMPLE("some left out", TL_F32, 6, 4, -2.0, 2.0),
    SAMPLE("all asked", TL_F32, 5, 3, 0.1, 1.0),
    SAMPLE("bf16, one column", TL_BF16, 7, 1, -1.0, 3.0),
};

const tl_op tl_op_bce = {
    .name = "bce", .doc = "binary cross-entropy of logits, each output a question of its own",
    .source = "Cox 1958", .least_in = 3, .most_in = 3, .n_out = 2,
    .shape = bce_shape, .grad = bce_backward, .ref = bce_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_bce_grad = {
    .name = "bce_grad", .doc = "gradient of bce", .source = "chain rule",
    .least_in = 4, .most_in = 4, .n_out = 1, .inplace = 1,
    .shape = grad_shape, .ref = bce_grad_ref,
};

tl_tensor tl_bce(tl_graph *g, tl_tensor logits, tl_tensor target, tl_tensor weight)
{
    return TL_APPLY_BARE(g, bce, logits, target, weight);
}
