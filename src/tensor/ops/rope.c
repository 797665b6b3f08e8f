/* rope.c -- rotary position embedding: pairs of a head's values turn by an angle that grows with
 * the row's position.  Source: Su et al. 2021, arXiv:2104.09864; the halves of a head are paired
 * as in GPT-NeoX and Transformers, neighbours as in the paper and llama2.c.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

static tl_status angles_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_rope_angles_attr *a = n->attr;

    if (tl_need_axes(g, n, 0, 1) != TL_OK) return TL_EUSAGE;
    if (tl_in(g, n, 0)->dtype != TL_I32 || a->half < 1 || a->half > TL_MOST_ROPE)
        return tl_graph_fail(g, "rope_angles: i32 positions and 1 to %d pairs are needed",
                             TL_MOST_ROPE);
    for (int k = 0; k < 2; k++)
        tl_set_out(&out[k], TL_F32, TL_SHAPE(tl_in_shape(g, n, 0)->dim[0], a->half));
    return TL_OK;
}

static void angles_ref(const tl_call *c)
{
    const tl_rope_angles_attr *a     = c->node->attr;
    const int64_t              n     = tl_shape_count(&c->out[0].shape);
    const int32_t             *place = c->in[0].data;

    for (int64_t i = 0; i < n; i++) {
        const float angle = (float)place[i / a->half] * a->inverse[i % a->half];
        if (c->out[0].data) tl_set(&c->out[0], i, cos((double)angle) * (double)a->factor);
        if (c->out[1].data) tl_set(&c->out[1], i, sin((double)angle) * (double)a->factor);
    }
}

enum { X, COS, SIN };

static tl_status rope_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_rope_spec *a = &((const tl_rope_attr *)n->attr)->spec;

    tl_shape_like_first(g, n, out);
    if (tl_need_axes(g, n, X, 2) != TL_OK || tl_need_axes(g, n, COS, 2) != TL_OK ||
        tl_need_like(g, n, SIN, COS) != TL_OK)
        return TL_EUSAGE;
    const tl_shape *x = tl_in_shape(g, n, X), *cosine = tl_in_shape(g, n, COS);
    if (x->dim[0] != cosine->dim[0] || a->heads < 1 || a->dim < 1 ||
        (int64_t)a->heads * a->dim > x->dim[1] || 2 * cosine->dim[1] > a->dim)
        return tl_graph_fail(g, "rope: %d heads of %d do not fit rows of %" PRId64, a->heads,
                             a->dim, x->dim[1]);
    return TL_OK;
}

static void rope_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    tl_rope_attr a = *(const tl_rope_attr *)n->attr;

    a.back = !a.back;
    dx[X]  = TL_APPLY(g, rope, &a, dy[0], n->in[COS], n->in[SIN]);
}

static void rope_ref(const tl_call *c)
{
    const tl_rope_attr *a    = c->node->attr;
    const int64_t       rows = c->in[X].shape.dim[0], width = c->in[X].shape.dim[1];
    const int64_t       half = c->in[COS].shape.dim[1];
    const int           next = a->spec.interleaved ? 1 : (int)half;

    for (int64_t i = 0; i < rows * width; i++)
        tl_set(&c->out[0], i, tl_get(&c->in[X], i));
    for (int64_t i = 0; i < rows * a->spec.heads * half; i++) {
        const int64_t row = i / half / a->spec.heads, head = i / half % a->spec.heads;
        const int64_t pair = i % half, at = row * width + head * a->spec.dim +
                                            pair * (a->spec.interleaved ? 2 : 1);
        const double  u = tl_get(&c->in[X], at), v = tl_get(&c->in[X], at + next);
        const double  cosine = tl_get(&c->in[COS], row * half + pair);
        const double  sine   = tl_get(&c->in[SIN], row * half + pair) * (a->back ? -1.0 : 1.0);
        tl_set(&c->out[0], at, u * cosine - v * sine);
        tl_set(&c->out[0], at + next, v * cosine + u * sine);
    }
}

static const tl_sample angle_samples[] = {
    { .label = "some places", .in = { { 1, { 9 } } }, .dtype = { TL_I32 }, .low = 0.0,
      .high = 40.0, .no_grad = 1,
      .attr = &(const tl_rope_angles_attr){ 3, { 1.0f, 0.1f, 0.01f }, 1.25f },
      .attr_bytes = sizeof(tl_rope_angles_attr) },
};
#define ATTR(...) \
    .attr = &(const tl_rope_attr){ false, { __VA_ARGS__ } }, .attr_bytes = sizeof(tl_rope_attr)
static const tl_sample samples[] = {
    { .label = "halves", .in = { { 2, { 4, 12 } }, { 2, { 4, 3 } }, { 2, { 4, 3 } } },
      .low = -1.0, .high = 1.0, .no_grad = 6, ATTR(2, 6, false) },
    { .label = "neighbours", .in = { { 2, { 4, 12 } }, { 2, { 4, 3 } }, { 2, { 4, 3 } } },
      .low = -1.0, .high = 1.0, .no_grad = 6, ATTR(2, 6, true) },
    { .label = "part of two heads in three",
      .in = { { 2, { 3, 15 } }, { 2, { 3, 2 } }, { 2, { 3, 2 } } },
      .low = -1.0, .high = 1.0, .no_grad = 6, ATTR(2, 5, false) },
    { .label = "bf16", .in = { { 2, { 3, 66 } }, { 2, { 3, 16 } }, { 2, { 3, 16 } } },
      .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0, .no_grad = 6, ATTR(2, 32, false) },
};

const tl_op tl_op_rope_angles = {
    .name = "rope_angles", .doc = "cosines and sines of a row's rotary angles",
    .source = "Su et al. 2021, arXiv:2104.09864", .least_in = 1, .most_in = 1, .n_out = 2,
    .shape = angles_shape, .ref = angles_ref,
    .samples = angle_samples, .n_samples = TL_COUNT(angle_samples),
};
const tl_op tl_op_rope = {
    .name = "rope", .doc = "pairs of a head's values turned by the row's angles",
    .source = "Su et al. 2021, arXiv:2104.09864", .least_in = 3, .most_in = 3, .n_out = 1,
    .inplace = 1, .shape = rope_shape, .grad = rope_backward, .ref = rope_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};

tl_tensor tl_rope_angles(tl_graph *g, tl_tensor positions, const tl_rope_angles_attr *attr)
{
    return TL_APPLY(g, rope_angles, attr, positions);
}

tl_tensor tl_rope(tl_graph *g, tl_tensor x, tl_tensor cosine, tl_tensor sine,
                  const tl_rope_spec *spec)
{
    return TL_APPLY(g, rope, (&(tl_rope_attr){ false, *spec }), x, cosine, sine);
}
