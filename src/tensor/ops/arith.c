/* arith.c -- element by element: add (with activation), mul, scale, cast, fill; b may repeat over
 * the leading axes of a.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

/* b's shape is a's or a tail of it. */
static bool is_tail(const tl_shape *a, const tl_shape *b)
{
    if (b->ndim > a->ndim) return false;
    for (int i = 0; i < b->ndim; i++)
        if (b->dim[b->ndim - 1 - i] != a->dim[a->ndim - 1 - i]) return false;
    return true;
}

static tl_status pair_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_tensor_info *a = tl_in(g, n, 0), *b = tl_in(g, n, 1);
    char                  sa[96], sb[96];

    if (tl_need_float(g, n, 0) != TL_OK || tl_need_float(g, n, 1) != TL_OK) return TL_EUSAGE;
    if (!is_tail(&a->shape, &b->shape))
        return tl_graph_fail(g, "%s: %s and %s do not go together (the second must be the first's "
                             "shape or a tail of it)", n->op->name, tl_say_shape(&a->shape, sa),
                             tl_say_shape(&b->shape, sb));
    if (b->dtype != a->dtype && b->dtype != TL_F32)
        return tl_graph_fail(g, "%s: %s and %s do not go together", n->op->name,
                             tl_dtype_name(a->dtype), tl_dtype_name(b->dtype));
    return tl_shape_like_first(g, n, out);
}

/* d summed to the shape and dtype of input 1, times z where given. */
static tl_tensor to_second(tl_graph *g, const tl_node *n, tl_tensor d, tl_tensor z)
{
    const tl_tensor_info *b = tl_in(g, n, 1);
    const bool            same = tl_shape_equal(&b->shape, tl_in_shape(g, n, 0));

    if (!same) return TL_APPLY(g, sum_tail, (&(tl_sum_tail_attr){ b->shape, b->dtype }), d, z);
    if (z) d = TL_APPLY_BARE(g, mul, d, z);
    return tl_cast(g, d, b->dtype);
}

static void add_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_act_attr *a = n->attr;
    tl_tensor          d = dy[0];

    if (a->act != TL_ACT_NONE)
        d = TL_APPLY(g, act_grad, (&(tl_act_grad_attr){ a->act, true }), d, n->out[0]);
    dx[0] = d;
    if (tl_wants(g, n, 1)) dx[1] = to_second(g, n, d, 0);
}

static void mul_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    if (tl_wants(g, n, 1)) dx[1] = to_second(g, n, dy[0], n->in[0]);
    if (tl_wants(g, n, 0)) dx[0] = TL_APPLY_BARE(g, mul, dy[0], n->in[1]);
}

static void add_ref(const tl_call *c)
{
    const tl_act_attr *a = c->node->attr;
    const int64_t n = tl_shape_count(&c->in[0].shape), tail = tl_shape_count(&c->in[1].shape);

    for (int64_t i = 0; i < n; i++) {
        const double sum = tl_get(&c->in[0], i) + tl_get(&c->in[1], i % tail);
        tl_set(&c->out[0], i, tl_act_value(a->act, sum));
    }
}

static void mul_ref(const tl_call *c)
{
    const int64_t n = tl_shape_count(&c->in[0].shape), tail = tl_shape_count(&c->in[1].shape);

    for (int64_t i = 0; i < n; i++)
        tl_set(&c->out[0], i, tl_get(&c->in[0], i) * tl_get(&c->in[1], i % tail));
}

static tl_status sum_tail_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_sum_tail_attr *a = n->attr;

    tl_set_out(out, a->dtype, a->shape);
    return tl_need_like(g, n, 1, 0);
}

static void sum_tail_ref(const tl_call *c)
{
    const int64_t n = tl_shape_count(&c->in[0].shape), tail = tl_shape_count(&c->out[0].shape);

    for (int64_t t = 0; t < tail; t++) {
        double sum = 0.0;
        for (int64_t i = t; i < n; i += tail)
            sum += tl_get(&c->in[0], i) * (c->in[1].data ? tl_get(&c->in[1], i) : 1.0);
        tl_set(&c->out[0], t, sum);
    }
}

static void scale_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_scale_attr *a = n->attr;

    dx[0] = TL_APPLY(g, scale, a, dy[0]);
}

static void scale_ref(const tl_call *c)
{
    const tl_scale_attr *a = c->node->attr;
    const int64_t        n = tl_shape_count(&c->in[0].shape);

    for (int64_t i = 0; i < n; i++)
        tl_set(&c->out[0], i, tl_get(&c->in[0], i) * (double)a->factor);
}

static tl_status cast_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_cast_attr *a = n->attr;

    if (a->dtype != TL_F32 && a->dtype != TL_BF16)
        return tl_graph_fail(g, "cast: to %s (f32 or bf16 is needed)", tl_dtype_name(a->dtype));
    tl_set_out(out, a->dtype, *tl_in_shape(g, n, 0));
    return tl_need_float(g, n, 0);
}

static void cast_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    dx[0] = tl_cast(g, dy[0], tl_in(g, n, 0)->dtype);
}

static void cast_ref(const tl_call *c)
{
    const int64_t n = tl_shape_count(&c->in[0].shape);

    for (int64_t i = 0; i < n; i++) tl_set(&c->out[0], i, tl_get(&c->in[0], i));
}

static tl_status fill_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_fill_attr *a = n->attr;

    (void)g;
    tl_set_out(out, a->dtype, a->shape);
    return TL_OK;
}

static void fill_ref(const tl_call *c)
{
    const tl_fill_attr *a = c->node->attr;
    const int64_t       n = tl_shape_count(&c->out[0].shape);

    for (int64_t i = 0; i < n; i++) tl_set(&c->out[0], i, (double)a->value);
}

#define ATTR(a) .attr = &(const tl_act_attr){ a }, .attr_bytes = sizeof(tl_act_attr)
#define PAIR(text, a, b) .label = text, .in = { a, b }, .low = -2.0, .high = 2.0
#define SHAPE(...) { (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ } }
static const tl_sample add_samples[] = {
    { PAIR("same shape", SHAPE(3, 5), SHAPE(3, 5)), ATTR(TL_ACT_NONE) },
    { PAIR("same shape, relu", SHAPE(2, 3, 3, 4), SHAPE(2, 3, 3, 4)), ATTR(TL_ACT_RELU) },
    { PAIR("tail", SHAPE(2, 3, 5), SHAPE(5)), ATTR(TL_ACT_TANH) },
    { PAIR("bf16", SHAPE(3, 33), SHAPE(3, 33)), .dtype = { TL_BF16, TL_BF16 }, ATTR(TL_ACT_RELU) },
    { PAIR("bf16, tail of f32", SHAPE(3, 33), SHAPE(33)), .dtype = { TL_BF16 }, ATTR(TL_ACT_NONE) },
};
static const tl_sample mul_samples[] = {
    { PAIR("same shape", SHAPE(3, 5), SHAPE(3, 5)) },
    { PAIR("tail", SHAPE(2, 3, 5), SHAPE(3, 5)) },
    { PAIR("bf16", SHAPE(3, 33), SHAPE(33)), .dtype = { TL_BF16 } },
};
static const tl_sample scale_samples[] = {
    { .label = "half", .in = { SHAPE(3, 5) }, .low = -2.0, .high = 2.0,
      .attr = &(const tl_scale_attr){ -0.5f }, .attr_bytes = sizeof(tl_scale_attr) },
    { .label = "bf16", .in = { SHAPE(33) }, .dtype = { TL_BF16 }, .low = -2.0, .high = 2.0,
      .attr = &(const tl_scale_attr){ 3.0f }, .attr_bytes = sizeof(tl_scale_attr) },
};
static const tl_sample cast_samples[] = {
    { .label = "f32 to bf16", .in = { SHAPE(3, 7) }, .low = -2.0, .high = 2.0,
      .attr = &(const tl_cast_attr){ TL_BF16 }, .attr_bytes = sizeof(tl_cast_attr) },
    { .label = "bf16 to f32", .in = { SHAPE(33) }, .dtype = { TL_BF16 }, .low = -2.0, .high = 2.0,
      .attr = &(const tl_cast_attr){ TL_F32 }, .attr_bytes = sizeof(tl_cast_attr) },
};

const tl_op tl_op_add = {
    .name = "add", .doc = "sum, through an activation; the second may repeat",
    .source = "arithmetic", .least_in = 2, .most_in = 2, .n_out = 1, .inplace = 3,
    .shape = pair_shape, .grad = add_backward, .ref = add_ref,
    .samples = add_samples, .n_samples = TL_COUNT(add_samples),
};
const tl_op tl_op_mul = {
    .name = "mul", .doc = "product, element by element; the second may repeat",
    .source = "arithmetic", .least_in = 2, .most_in = 2, .n_out = 1, .inplace = 3,
    .shape = pair_shape, .grad = mul_backward, .ref = mul_ref,
    .samples = mul_samples, .n_samples = TL_COUNT(mul_samples),
};
const tl_op tl_op_scale = {
    .name = "scale", .doc = "times a fixed number", .source = "arithmetic",
    .least_in = 1, .most_in = 1, .n_out = 1, .inplace = 1,
    .shape = tl_shape_like_first, .grad = scale_backward, .ref = scale_ref,
    .samples = scale_samples, .n_samples = TL_COUNT(scale_samples),
};
const tl_op tl_op_cast = {
    .name = "cast", .doc = "the same values in another element type", .source = "arithmetic",
    .least_in = 1, .most_in = 1, .n_out = 1,
    .shape = cast_shape, .grad = cast_backward, .ref = cast_ref,
    .samples = cast_samples, .n_samples = TL_COUNT(cast_samples),
};
const tl_op tl_op_fill = {
    .name = "fill", .doc = "one number everywhere", .source = "arithmetic",
    .least_in = 0, .most_in = 0, .n_out = 1, .shape = fill_shape, .ref = fill_ref,
};
const tl_op tl_op_sum_tail = {
    .name = "sum_tail", .doc = "sum over leading axes: gradient of what repeats there",
    .source = "chain rule", .least_in = 1, .most_in = 2, .n_out = 1, .optional = 2,
    .shape = sum_tail_shape, .ref = sum_tail_ref,
};

tl_tensor tl_add(tl_graph *g, tl_tensor a, tl_tensor b, tl_activation act)
{
    const bool fused = tl_act_from_output(act);
    tl_tensor  y     = TL_APPLY(g, add, (&(tl_act_attr){ fused ? act : TL_ACT_NONE }), a, b);

    return fused ? y : tl_act(g, y, act);
}

tl_tensor tl_mul(tl_graph *g, tl_tensor a, tl_tensor b)
{
    return TL_APPLY_BARE(g, mul, a, b);
}

tl_tensor tl_scale(tl_graph *g, tl_tensor x, float factor)
{
    return TL_APPLY(g, scale, (&(tl_scale_attr){ factor }), x);
}

tl_tensor tl_cast(tl_graph *g, tl_tensor x, tl_dtype dtype)
{
    if (tl_graph_info(g, x)->dtype == dtype) return x;
    return TL_APPLY(g, cast, (&(tl_cast_attr){ dtype }), x);
}

tl_tensor tl_fill(tl_graph *g, tl_shape shape, tl_dtype dtype, float value)
{
    return tl_graph_apply(g, &tl_op_fill, 0, NULL, &(tl_fill_attr){ shape, dtype, value },
                          sizeof(tl_fill_attr));
}
