/* batch_norm.c -- batch normalisation over the last axis' channels with a fused residual and
 * activation, and its gradient.
 * Source: Ioffe and Szegedy 2015, arXiv:1502.03167.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

enum { X, GAMMA, BETA, MEAN, VAR, RESIDUAL };

static tl_status batch_norm_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const int64_t c = tl_last_dim(tl_in_shape(g, n, X));

    tl_shape_like_first(g, n, out);
    tl_set_out(&out[1], TL_F32, TL_SHAPE(c));
    tl_set_out(&out[2], TL_F32, TL_SHAPE(c));
    for (int k = GAMMA; k <= VAR; k++) tl_need_vector(g, n, k, c);
    if (n->n_in > RESIDUAL) tl_need_like(g, n, RESIDUAL, X);
    return tl_graph_status(g);
}

static void batch_norm_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_batch_norm_attr *a = n->attr;
    const bool act = a->act != TL_ACT_NONE, x = a->batch || tl_wants(g, n, GAMMA);

    dx[X] = TL_APPLY(g, batch_norm_grad, a, dy[0], x ? n->in[X] : 0, n->in[GAMMA],
                     act ? n->out[0] : 0, a->batch ? n->out[1] : n->in[MEAN],
                     a->batch ? n->out[2] : n->in[VAR]);
    dx[GAMMA]    = tl_graph_out(g, dx[X], 1);
    dx[BETA]     = tl_graph_out(g, dx[X], 2);
    dx[RESIDUAL] = act ? tl_graph_out(g, dx[X], 3) : dy[0];
}

/* Mean and biased variance of channel ch. */
static void moments(const tl_view *x, int64_t rows, int64_t c, int64_t ch, double *mean,
                    double *var)
{
    double sum = 0.0, squares = 0.0;

    for (int64_t r = 0; r < rows; r++) sum += tl_get(x, r * c + ch);
    *mean = sum / (double)rows;
    for (int64_t r = 0; r < rows; r++) {
        const double d = tl_get(x, r * c + ch) - *mean;
        squares += d * d;
    }
    *var = squares / (double)rows;
}

static void move_running(const tl_call *c, int64_t ch, int64_t rows, double mean, double var)
{
    const tl_batch_norm_attr *a = c->node->attr;
    const double m = (double)a->momentum, n = (double)rows;
    float       *run_mean = c->in[MEAN].data, *run_var = c->in[VAR].data;

    run_mean[ch] = (float)((1.0 - m) * (double)run_mean[ch] + m * mean);
    run_var[ch]  = (float)((1.0 - m) * (double)run_var[ch] + m * var * n / fmax(n - 1.0, 1.0));
}

static void batch_norm_ref(const tl_call *c)
{
    const tl_batch_norm_attr *a    = c->node->attr;
    const int64_t             chs  = tl_last_dim(&c->in[X].shape);
    const int64_t             rows = tl_shape_count(&c->in[X].shape) / chs;

    for (int64_t ch = 0; ch < chs; ch++) {
        double mean = tl_get(&c->in[MEAN], ch), var = tl_get(&c->in[VAR], ch);
        if (a->batch) {
            moments(&c->in[X], rows, chs, ch, &mean, &var);
            move_running(c, ch, rows, mean, var);
        }
        const double invstd = 1.0 / sqrt(var + (double)a->eps);
        if (c->out[1].data) tl_set(&c->out[1], ch, mean);
        if (c->out[2].data) tl_set(&c->out[2], ch, invstd);
        for (int64_t i = ch; i < rows * chs && c->out[0].data; i += chs) {
            const double y = (tl_get(&c->in[X], i) - mean) * invstd * tl_get(&c->in[GAMMA], ch) +
                             tl_get(&c->in[BETA], ch) +
                             (c->in[RESIDUAL].data ? tl_get(&c->in[RESIDUAL], i) : 0.0);
            tl_set(&c->out[0], i, tl_act_value(a->act, y));
        }
    }
}

enum { DY, XG, GAMMAG, Y, MEANG, SCALE };

static tl_status batch_norm_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const int64_t c = tl_last_dim(tl_in_shape(g, n, DY));

    tl_set_out(&out[1], TL_F32, TL_SHAPE(c));
    tl_set_out(&out[2], TL_F32, TL_SHAPE(c));
    tl_set_out(&out[3], tl_in(g, n, DY)->dtype, *tl_in_shape(g, n, DY));
    return tl_shape_like_first(g, n, out);
}

/* dy after the activation's slope. */
static double g_at(const tl_call *c, tl_activation act, int64_t i)
{
    const double dy = tl_get(&c->in[DY], i);

    return c->in[Y].data ? dy * tl_act_slope_from_output(act, tl_get(&c->in[Y], i)) : dy;
}

static void grad_channel(const tl_call *c, const tl_batch_norm_attr *a, int64_t ch, int64_t rows,
                         int64_t chs)
{
    const double mean = tl_get(&c->in[MEANG], ch), s = tl_get(&c->in[SCALE], ch);
    const double invstd = a->batch ? s : 1.0 / sqrt(s + (double)a->eps);
    const double gain = tl_get(&c->in[GAMMAG], ch) * invstd, n = (double)rows;
    double       sum = 0.0, dot = 0.0;

    for (int64_t i = ch; i < rows * chs; i += chs) {
        const double g = g_at(c, a->act, i);
        sum += g;
        if (c->in[XG].data) dot += g * (tl_get(&c->in[XG], i) - mean) * invstd;
    }
    if (c->out[1].data) tl_set(&c->out[1], ch, dot);
    if (c->out[2].data) tl_set(&c->out[2], ch, sum);
    for (int64_t i = ch; i < rows * chs; i += chs) {
        const double g = g_at(c, a->act, i);
        double       d = g;
        if (a->batch) d -= sum / n + (tl_get(&c->in[XG], i) - mean) * invstd * dot / n;
        if (c->out[3].data) tl_set(&c->out[3], i, g);
        if (c->out[0].data) tl_set(&c->out[0], i, d * gain);
    }
}

static void batch_norm_grad_ref(const tl_call *c)
{
    const int64_t chs  = tl_last_dim(&c->in[DY].shape);
    const int64_t rows = tl_shape_count(&c->in[DY].shape) / chs;

    for (int64_t ch = 0; ch < chs; ch++) grad_channel(c, c->node->attr, ch, rows, chs);
}

#define SAMPLE(text, type, residual, ...)                                                      \
    { .label = text,                                                                           \
      .in = { { 4, { 3, 2, 3, 4 } }, { 1, { 4 } }, { 1, { 4 } }, { 1, { 4 } }, { 1, { 4 } },    \
              { residual, { 3, 2, 3, 4 } } },                                                  \
      .dtype = { type, [5] = type }, .low = 0.2, .high = 2.0,                                  \
      .attr = &(const tl_batch_norm_attr){ .eps = 1e-5f, .momentum = 0.1f, __VA_ARGS__ },      \
      .attr_bytes = sizeof(tl_batch_norm_attr) }
static const tl_sample samples[] = {
    SAMPLE("batch statistics", TL_F32, -1, .batch = true),
    SAMPLE("batch statistics, residual, relu", TL_F32, 4, .batch = true, .act = TL_ACT_RELU),
    SAMPLE("running statistics", TL_F32, -1, .batch = false),
    SAMPLE("running statistics, residual, relu6", TL_F32, 4, .batch = false, .act = TL_ACT_RELU6),
    SAMPLE("residual without activation", TL_F32, 4, .batch = true),
    SAMPLE("bf16", TL_BF16, 4, .batch = true, .act = TL_ACT_RELU),
};

const tl_op tl_op_batch_norm = {
    .name = "batch_norm", .doc = "channels brought to mean 0 and variance 1, scaled and shifted",
    .source = "Ioffe and Szegedy 2015, arXiv:1502.03167",
    .least_in = 5, .most_in = 6, .n_out = 3, .optional = 1 << RESIDUAL,
    .inplace = 1 << X | 1 << RESIDUAL, .writes = 1 << MEAN | 1 << VAR,
    .shape = batch_norm_shape, .grad = batch_norm_backward, .ref = batch_norm_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_batch_norm_grad = {
    .name = "batch_norm_grad", .doc = "gradient of batch_norm", .source = "chain rule",
    .least_in = 6, .most_in = 6, .n_out = 4, .optional = 1 << XG | 1 << Y,
    .inplace = 1 << DY | 1 << XG,
    .shape = batch_norm_grad_shape, .ref = batch_norm_grad_ref,
};

/* Whether x comes straight from a convolution, and nothing here or upstream trains. */
static const tl_node *foldable(const tl_graph *g, tl_tensor x, tl_tensor gamma, tl_tensor beta,
                               const tl_batch_norm_attr *a)
{
    const tl_node *n = tl_graph_node(g, tl_graph_info(g, x)->node);

    if (a->batch || !n || n->op != &tl_op_conv || tl_graph_info(g, x)->needs_grad ||
        tl_graph_info(g, gamma)->needs_grad || tl_graph_info(g, beta)->needs_grad)
        return NULL;
    return ((const tl_conv_attr *)n->attr)->act == TL_ACT_NONE ? n : NULL;
}

/* The norm goes into the weights of a second convolution; the first then has no reader and is
 * never run. */
static tl_tensor fold(tl_graph *g, const tl_node *n, tl_tensor gamma, tl_tensor beta,
                      tl_tensor mean, tl_tensor var, tl_tensor residual,
                      const tl_batch_norm_attr *a)
{
    const tl_norm_attr eps = { a->eps, 0 };
    const tl_tensor    w   = TL_APPLY(g, fold_weight, &eps, n->in[1], gamma, var);
    const tl_tensor    b   = TL_APPLY(g, fold_bias, &eps, gamma, beta, mean, var, n->in[2]);
    tl_conv_attr       c   = *(const tl_conv_attr *)n->attr;
    tl_tensor          y;

    c.act = residual ? TL_ACT_NONE : a->act;
    y     = TL_APPLY(g, conv, &c, n->in[0], w, b);
    return residual ? tl_add(g, y, residual, a->act) : y;
}

tl_tensor tl_batch_norm(tl_graph *g, tl_tensor x, tl_tensor gamma, tl_tensor beta, tl_tensor mean,
                        tl_tensor var, tl_tensor residual, const tl_batch_norm_attr *attr)
{
    tl_batch_norm_attr a     = *attr;
    const bool         fused = tl_act_from_output(a.act);
    tl_tensor          y;

    const tl_node *conv = foldable(g, x, gamma, beta, attr);
    if (!fused) a.act = TL_ACT_NONE;
    if (conv) y = fold(g, conv, gamma, beta, mean, var, residual, &a);
    else y = TL_APPLY(g, batch_norm, &a, x, gamma, beta, mean, var, residual);
    return fused ? y : tl_act(g, y, attr->act);
}
