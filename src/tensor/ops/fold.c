/* fold.c -- a convolution followed by a frozen batch norm is one convolution with other weights:
 *   w' = w * s,  b' = beta + (b - mean) * s,  with s = gamma / sqrt(var + eps) per output.
 * Source: Jacob et al. 2018, arXiv:1712.05877, section 3.2.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

enum { W, GAMMA_OF_W, VAR_OF_W };
enum { GAMMA, BETA, MEAN, VAR, B };

static tl_status fold_weight_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const int64_t outs = tl_in_shape(g, n, W)->dim[0];

    tl_set_out(out, TL_F32, *tl_in_shape(g, n, W));
    tl_need_vector(g, n, GAMMA_OF_W, outs);
    return tl_need_vector(g, n, VAR_OF_W, outs);
}

static double scale_of(const tl_call *c, const tl_view *gamma, const tl_view *var, int64_t o)
{
    const tl_norm_attr *a = c->node->attr;

    return tl_get(gamma, o) / sqrt(tl_get(var, o) + (double)a->eps);
}

static void fold_weight_ref(const tl_call *c)
{
    const int64_t outs = c->in[W].shape.dim[0], n = tl_shape_count(&c->in[W].shape) / outs;
    const float  *from = c->in[W].data;
    float        *to   = c->out[0].data;

    for (int64_t o = 0; o < outs; o++) {
        const double s = scale_of(c, &c->in[GAMMA_OF_W], &c->in[VAR_OF_W], o);
        for (int64_t i = o * n; i < (o + 1) * n; i++) to[i] = (float)(s * (double)from[i]);
    }
}

static tl_status fold_bias_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const int64_t outs = tl_last_dim(tl_in_shape(g, n, GAMMA));

    tl_set_out(out, TL_F32, TL_SHAPE(outs));
    for (int k = GAMMA; k <= B; k++) tl_need_vector(g, n, k, outs);
    return tl_graph_status(g);
}

static void fold_bias_ref(const tl_call *c)
{
    for (int64_t o = 0; o < tl_last_dim(&c->in[GAMMA].shape); o++) {
        const double b = c->in[B].data ? tl_get(&c->in[B], o) : 0.0;
        const double s = scale_of(c, &c->in[GAMMA], &c->in[VAR], o);
        tl_set(&c->out[0], o, tl_get(&c->in[BETA], o) + (b - tl_get(&c->in[MEAN], o)) * s);
    }
}

#define SOURCE .source = "Jacob et al. 2018, arXiv:1712.05877"
const tl_op tl_op_fold_weight = {
    .name = "fold_weight", .doc = "weights of a convolution with a frozen norm's scale in them",
    SOURCE, .least_in = 3, .most_in = 3, .n_out = 1, .shape = fold_weight_shape,
    .ref = fold_weight_ref,
};
const tl_op tl_op_fold_bias = {
    .name = "fold_bias", .doc = "bias of a convolution with a frozen norm's shift in it", SOURCE,
    .least_in = 5, .most_in = 5, .n_out = 1, .optional = 1 << B, .shape = fold_bias_shape,
    .ref = fold_bias_ref,
};
