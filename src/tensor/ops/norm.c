/* norm.c -- layer and group normalisation: the same arithmetic over other sets of elements.  A
 * set is `pixels` rows of `width` neighbouring channels; layer norm's is one whole row.
 * Sources: Ba et al. 2016, arXiv:1607.06450; Wu and He 2018, arXiv:1803.08494.
 * Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

typedef struct {
    int64_t images, groups, pixels, width, chans; /* chans = groups * width */
} sets;

static bool is_group(const tl_node *n)
{
    const tl_norm_attr *a = n->attr;

    return a->groups != 0;
}

static sets sets_of(const tl_node *n, const tl_shape *x)
{
    const tl_norm_attr *a     = n->attr;
    const int64_t       chans = tl_last_dim(x), rows = tl_shape_count(x) / chans;

    if (!is_group(n)) return (sets){ rows, 1, 1, chans, chans };
    return (sets){ x->dim[0], a->groups, rows / x->dim[0], chans / a->groups, chans };
}

static tl_status norm_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_norm_attr *a = n->attr;
    const tl_shape     *x = tl_in_shape(g, n, 0);
    const int64_t       c = tl_last_dim(x);

    tl_shape_like_first(g, n, out);
    if (is_group(n) && (a->groups < 1 || c % a->groups || x->ndim < 2))
        return tl_graph_fail(g, "group_norm: %" PRId64 " channels do not split into %d groups", c,
                             a->groups);
    const sets s = sets_of(n, x);
    tl_set_out(&out[1], TL_F32, TL_SHAPE(s.images, s.groups));
    if (!is_group(n)) out[1].shape.ndim = 1;
    tl_set_out(&out[2], TL_F32, out[1].shape);
    tl_need_vector(g, n, 1, c);
    return tl_need_vector(g, n, 2, c);
}

static tl_status norm_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const int64_t c = tl_last_dim(tl_in_shape(g, n, 0));

    tl_shape_like_first(g, n, out);
    tl_set_out(&out[1], TL_F32, TL_SHAPE(c));
    tl_set_out(&out[2], TL_F32, TL_SHAPE(c));
    return tl_need_like(g, n, 1, 0);
}

static void norm_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_norm_attr *a  = n->attr;
    const tl_op        *op = is_group(n) ? &tl_op_group_norm_grad : &tl_op_layer_norm_grad;

    dx[0] = tl_graph_apply(g, op, 5,
                           (tl_tensor[]){ dy[0], n->in[0], n->in[1], n->out[1], n->out[2] }, a,
                           sizeof *a);
    dx[1] = tl_graph_out(g, dx[0], 1);
    dx[2] = tl_graph_out(g, dx[0], 2);
}

/* Place of element i of set (image, group). */
static int64_t place(const sets *s, int64_t set, int64_t i)
{
    const int64_t image = set / s->groups, group = set % s->groups;

    return (image * s->pixels + i / s->width) * s->chans + group * s->width + i % s->width;
}

static void norm_ref(const tl_call *c)
{
    const tl_norm_attr *a = c->node->attr;
    const sets          s = sets_of(c->node, &c->in[0].shape);
    const int64_t       n = s.pixels * s.width;

    for (int64_t set = 0; set < s.images * s.groups; set++) {
        double sum = 0.0, squares = 0.0;
        for (int64_t i = 0; i < n; i++) sum += tl_get(&c->in[0], place(&s, set, i));
        const double mean = sum / (double)n;
        for (int64_t i = 0; i < n; i++) {
            const double d = tl_get(&c->in[0], place(&s, set, i)) - mean;
            squares += d * d;
        }
        const double invstd = 1.0 / sqrt(squares / (double)n + (double)a->eps);
        if (c->out[1].data) tl_set(&c->out[1], set, mean);
        if (c->out[2].data) tl_set(&c->out[2], set, invstd);
        for (int64_t i = 0; i < n && c->out[0].data; i++) {
            const int64_t at = place(&s, set, i), ch = at % s.chans;
            tl_set(&c->out[0], at, (tl_get(&c->in[0], at) - mean) * invstd *
                                           tl_get(&c->in[1], ch) + tl_get(&c->in[2], ch));
        }
    }
}

enum { DY, X, GAMMA, MEAN, INVSTD };

static double xhat(const tl_call *c, int64_t set, int64_t at)
{
    return (tl_get(&c->in[X], at) - tl_get(&c->in[MEAN], set)) * tl_get(&c->in[INVSTD], set);
}

/* Channel by channel, before dx may take the place of dy or x. */
static void norm_params_grad(const tl_call *c, const sets *s)
{
    for (int64_t ch = 0; ch < s->chans; ch++) {
        double dgamma = 0.0, dbeta = 0.0;
        for (int64_t row = 0; row < s->images * s->pixels; row++) {
            const int64_t at  = row * s->chans + ch;
            const int64_t set = row / s->pixels * s->groups + ch / s->width;
            dbeta += tl_get(&c->in[DY], at);
            dgamma += tl_get(&c->in[DY], at) * xhat(c, set, at);
        }
        if (c->out[1].data) tl_set(&c->out[1], ch, dgamma);
        if (c->out[2].data) tl_set(&c->out[2], ch, dbeta);
    }
}

/* dx = invstd (g - mean(g) - xhat mean(g xhat)) with g = dy gamma, over the set */
static void norm_grad_ref(const tl_call *c)
{
    const sets    s = sets_of(c->node, &c->in[DY].shape);
    const int64_t n = s.pixels * s.width;

    if (c->out[1].data || c->out[2].data) norm_params_grad(c, &s);
    for (int64_t set = 0; set < s.images * s.groups && c->out[0].data; set++) {
        double sum = 0.0, dot = 0.0;
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = place(&s, set, i);
            const double  g  = tl_get(&c->in[DY], at) * tl_get(&c->in[GAMMA], at % s.chans);
            sum += g;
            dot += g * xhat(c, set, at);
        }
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = place(&s, set, i);
            const double  g  = tl_get(&c->in[DY], at) * tl_get(&c->in[GAMMA], at % s.chans);
            const double  d  = g - sum / (double)n - xhat(c, set, at) * dot / (double)n;
            tl_set(&c->out[0], at, d * tl_get(&c->in[INVSTD], set));
        }
    }
}

#define SAMPLE(text, type, dims, c, g, ...)                                                    \
    { .label = text, .in = { { dims, { __VA_ARGS__ } }, { 1, { c } }, { 1, { c } } },          \
      .dtype = { type }, .low = -1.0, .high = 1.0,                                             \
      .attr = &(const tl_norm_attr){ 1e-5f, g }, .attr_bytes = sizeof(tl_norm_attr) }
static const tl_sample layer_samples[] = {
    SAMPLE("rows", TL_F32, 2, 7, 0, 5, 7),
    SAMPLE("three axes", TL_F32, 3, 4, 0, 2, 3, 4),
    SAMPLE("bf16", TL_BF16, 2, 48, 0, 5, 48),
};
static const tl_sample group_samples[] = {
    SAMPLE("two groups", TL_F32, 4, 6, 2, 2, 3, 3, 6),
    SAMPLE("one channel a group", TL_F32, 4, 3, 3, 2, 4, 3, 3),
    SAMPLE("one group of rows", TL_F32, 2, 6, 1, 4, 6),
    SAMPLE("bf16", TL_BF16, 4, 16, 4, 2, 3, 3, 16),
};

const tl_op tl_op_layer_norm = {
    .name = "layer_norm", .doc = "each row brought to mean 0 and variance 1, scaled and shifted",
    .source = "Ba et al. 2016, arXiv:1607.06450",
    .least_in = 3, .most_in = 3, .n_out = 3, .inplace = 1,
    .shape = norm_shape, .grad = norm_backward, .ref = norm_ref,
    .samples = layer_samples, .n_samples = TL_COUNT(layer_samples),
};
const tl_op tl_op_layer_norm_grad = {
    .name = "layer_norm_grad", .doc = "gradient of layer_norm", .source = "chain rule",
    .least_in = 5, .most_in = 5, .n_out = 3, .inplace = 3,
    .shape = norm_grad_shape, .ref = norm_grad_ref,
};
const tl_op tl_op_group_norm = {
    .name = "group_norm",
    .doc = "groups of channels of each picture brought to mean 0 and variance 1",
    .source = "Wu and He 2018, arXiv:1803.08494",
    .least_in = 3, .most_in = 3, .n_out = 3, .inplace = 1,
    .shape = norm_shape, .grad = norm_backward, .ref = norm_ref,
    .samples = group_samples, .n_samples = TL_COUNT(group_samples),
};
const tl_op tl_op_group_norm_grad = {
    .name = "group_norm_grad", .doc = "gradient of group_norm", .source = "chain rule",
    .least_in = 5, .most_in = 5, .n_out = 3, .inplace = 3,
    .shape = norm_grad_shape, .ref = norm_grad_ref,
};

tl_tensor tl_layer_norm(tl_graph *g, tl_tensor x, tl_tensor gamma, tl_tensor beta, float eps)
{
    return TL_APPLY(g, layer_norm, (&(tl_norm_attr){ eps, 0 }), x, gamma, beta);
}

tl_tensor tl_group_norm(tl_graph *g, tl_tensor x, tl_tensor gamma, tl_tensor beta, int groups,
                        float eps)
{
    /* 0 groups are refused like any other wrong number, not taken for a layer norm */
    return TL_APPLY(g, group_norm, (&(tl_norm_attr){ eps, groups ? groups : -1 }), x, gamma, beta);
}
