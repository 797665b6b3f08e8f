/* lora_norm.c -- one over the length of each row of W + s B A, the sum of a weight and a product
 * of two thin ones.  Without a gradient: DoRA holds these lengths constant in backward.
 * Source: Liu et al. 2024, arXiv:2402.09353, section 4.3.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

enum { W, A, B };

static tl_status lora_norm_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_shape *w = tl_in_shape(g, n, W), *a = tl_in_shape(g, n, A),
                   *b = tl_in_shape(g, n, B);

    for (int i = W; i <= B; i++) {
        if (tl_need_axes(g, n, i, 2) != TL_OK) return TL_EUSAGE;
        if (tl_in(g, n, i)->dtype != TL_F32)
            return tl_graph_fail(g, "lora_norm: weights are f32");
    }
    if (a->dim[1] != w->dim[1] || b->dim[0] != w->dim[0] || b->dim[1] != a->dim[0])
        return tl_graph_fail(g, "lora_norm: the thin weights do not make up the wide one");
    tl_set_out(out, TL_F32, TL_SHAPE(w->dim[0]));
    return TL_OK;
}

static void lora_norm_ref(const tl_call *c)
{
    const tl_scale_attr *s  = c->node->attr;
    const int64_t        in = c->in[W].shape.dim[1], r = c->in[A].shape.dim[0];
    const float         *w = c->in[W].data, *a = c->in[A].data, *b = c->in[B].data;

    for (int64_t o = 0; o < c->in[W].shape.dim[0]; o++) {
        double square = 0.0;
        for (int64_t i = 0; i < in; i++) {
            double sum = 0.0;
            for (int64_t k = 0; k < r; k++)
                sum += (double)b[o * r + k] * (double)a[k * in + i];
            sum = (double)w[o * in + i] + (double)s->factor * sum;
            square += sum * sum;
        }
        tl_set(&c->out[0], o, square > 0.0 ? 1.0 / sqrt(square) : 0.0);
    }
}

#define ATTR(s) .attr = &(const tl_scale_attr){ s }, .attr_bytes = sizeof(tl_scale_attr)
static const tl_sample samples[] = {
    { .label = "rank 2", .in = { { 2, { 5, 7 } }, { 2, { 2, 7 } }, { 2, { 5, 2 } } },
      .low = -1.0, .high = 1.0, ATTR(0.5f), .no_grad = 7 },
    { .label = "wider than a block",
      .in = { { 2, { 3, 601 } }, { 2, { 1, 601 } }, { 2, { 3, 1 } } },
      .low = -1.0, .high = 1.0, ATTR(2.0f), .no_grad = 7 },
};

const tl_op tl_op_lora_norm = {
    .name = "lora_norm", .doc = "one over the length of each row of W + s B A",
    .source = "Liu et al. 2024, arXiv:2402.09353", .least_in = 3, .most_in = 3, .n_out = 1,
    .shape = lora_norm_shape, .ref = lora_norm_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};

tl_tensor tl_lora_norm(tl_graph *g, tl_tensor w, tl_tensor a, tl_tensor b, float scale)
{
    return TL_APPLY(g, lora_norm, (&(tl_scale_attr){ scale }), w, a, b);
}
