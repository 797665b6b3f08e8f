/* move.c -- ops that only move values: reshape, concat, slice, transpose, pad, and their
 * gradients.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <string.h>

static tl_status reshape_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_shape_attr *a = n->attr;
    char                 from[96], to[96];

    tl_set_out(out, tl_in(g, n, 0)->dtype, a->shape);
    if (a->shape.ndim >= 0 && a->shape.ndim <= TL_DIMS &&
        tl_shape_count(&a->shape) == tl_shape_count(tl_in_shape(g, n, 0)))
        return TL_OK;
    return tl_graph_fail(g, "reshape: %s does not become %s",
                         tl_say_shape(tl_in_shape(g, n, 0), from), tl_say_shape(&a->shape, to));
}

static void reshape_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    dx[0] = tl_reshape(g, dy[0], *tl_in_shape(g, n, 0));
}

static void reshape_ref(const tl_call *c)
{
    memcpy(c->out[0].data, c->in[0].data,
           (size_t)tl_shape_count(&c->in[0].shape) * tl_dtype_bytes(c->in[0].dtype));
}

static bool sound_axis(tl_graph *g, const tl_node *n, int axis)
{
    if (axis >= 0 && axis < tl_in_shape(g, n, 0)->ndim) return true;
    tl_graph_fail(g, "%s: axis %d of %d", n->op->name, axis, tl_in_shape(g, n, 0)->ndim);
    return false;
}

static tl_status concat_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_axis_attr *a = n->attr;
    tl_shape            y = *tl_in_shape(g, n, 0);

    if (!sound_axis(g, n, a->axis)) return TL_EUSAGE;
    for (int k = 1; k < n->n_in; k++) {
        tl_shape like = *tl_in_shape(g, n, k);
        if (like.ndim == y.ndim) {
            const int64_t more = like.dim[a->axis];
            like.dim[a->axis]  = y.dim[a->axis];
            if (tl_shape_equal(&like, &y) && tl_in(g, n, k)->dtype == tl_in(g, n, 0)->dtype) {
                y.dim[a->axis] += more;
                continue;
            }
        }
        return tl_graph_fail(g, "concat: input %d does not fit the others", k);
    }
    tl_set_out(out, tl_in(g, n, 0)->dtype, y);
    return TL_OK;
}

static void concat_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_axis_attr *a  = n->attr;
    int64_t             at = 0;

    for (int k = 0; k < n->n_in; k++) {
        const int64_t count = tl_in_shape(g, n, k)->dim[a->axis];
        if (tl_wants(g, n, k)) dx[k] = tl_slice(g, dy[0], a->axis, at, count, 1);
        at += count;
    }
}

static void concat_ref(const tl_call *c)
{
    const tl_axis_attr *a  = c->node->attr;
    const tl_around     y  = tl_around_axis(&c->out[0].shape, a->axis);
    const size_t        el = tl_dtype_bytes(c->out[0].dtype);
    int64_t             at = 0;

    for (int k = 0; k < c->node->n_in; k++) {
        const int64_t run = c->in[k].shape.dim[a->axis] * y.after;
        for (int64_t b = 0; b < y.before; b++)
            memcpy((char *)c->out[0].data + (size_t)(b * y.size * y.after + at) * el,
                   (const char *)c->in[k].data + (size_t)(b * run) * el, (size_t)run * el);
        at += run;
    }
}

static tl_status slice_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_slice_attr *a = n->attr;
    tl_shape             y = *tl_in_shape(g, n, 0);

    if (!sound_axis(g, n, a->axis)) return TL_EUSAGE;
    const int64_t size = y.dim[a->axis];
    if (a->start < 0 || a->count < 1 || a->step < 1 || a->start >= size ||
        (size - 1 - a->start) / a->step < a->count - 1)
        return tl_graph_fail(g, "slice: %" PRId64 " from %" PRId64 " by %" PRId64 " of %" PRId64,
                             a->count, a->start, a->step, size);
    y.dim[a->axis] = a->count;
    tl_set_out(out, tl_in(g, n, 0)->dtype, y);
    return TL_OK;
}

static void slice_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_slice_grad_attr a = { *(const tl_slice_attr *)n->attr, *tl_in_shape(g, n, 0) };

    dx[0] = TL_APPLY(g, slice_grad, &a, dy[0]);
}

/* Elements of the whole's `axis` that the part has; either is the output. */
static void each_of_slice(const tl_slice_attr *a, const tl_view *whole, const tl_view *part,
                          bool into_whole)
{
    const tl_around w = tl_around_axis(&whole->shape, a->axis);

    for (int64_t b = 0; b < w.before; b++)
        for (int64_t k = 0; k < a->count; k++)
            for (int64_t i = 0; i < w.after; i++) {
                const int64_t at   = (b * w.size + a->start + k * a->step) * w.after + i;
                const int64_t from = (b * a->count + k) * w.after + i;
                if (into_whole) tl_copy_element(whole, at, part, from);
                else tl_copy_element(part, from, whole, at);
            }
}

static void slice_ref(const tl_call *c)
{
    each_of_slice(c->node->attr, &c->in[0], &c->out[0], false);
}

static tl_status slice_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_slice_grad_attr *a = n->attr;

    tl_set_out(out, tl_in(g, n, 0)->dtype, a->shape);
    return TL_OK;
}

static void zero(const tl_view *v)
{
    memset(v->data, 0, (size_t)tl_shape_count(&v->shape) * tl_dtype_bytes(v->dtype));
}

static void slice_grad_ref(const tl_call *c)
{
    const tl_slice_grad_attr *a = c->node->attr;

    zero(&c->out[0]);
    each_of_slice(&a->slice, &c->out[0], &c->in[0], true);
}

static tl_status transpose_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_transpose_attr *a = n->attr;
    const tl_shape          *x = tl_in_shape(g, n, 0);
    tl_shape                 y = *x;
    unsigned                 seen = 0;

    for (int i = 0; i < x->ndim; i++) {
        if (a->order[i] < 0 || a->order[i] >= x->ndim || seen >> a->order[i] & 1)
            return tl_graph_fail(g, "transpose: the order names an axis twice, or one too many");
        seen |= 1u << a->order[i];
        y.dim[i] = x->dim[a->order[i]];
    }
    tl_set_out(out, tl_in(g, n, 0)->dtype, y);
    return TL_OK;
}

static void transpose_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_transpose_attr *a = n->attr;
    int                      back[TL_DIMS] = { 0 };

    for (int i = 0; i < tl_in_shape(g, n, 0)->ndim; i++) back[a->order[i]] = i;
    dx[0] = tl_transpose(g, dy[0], back);
}

static void transpose_ref(const tl_call *c)
{
    const tl_transpose_attr *a = c->node->attr;
    const tl_shape          *x = &c->in[0].shape, *y = &c->out[0].shape;
    int64_t                  stride[TL_DIMS], count = tl_shape_count(y);

    for (int i = 0; i < y->ndim; i++) stride[i] = tl_around_axis(x, a->order[i]).after;
    for (int64_t i = 0; i < count; i++) {
        int64_t left = i, from = 0;
        for (int d = y->ndim - 1; d >= 0; d--) {
            from += left % y->dim[d] * stride[d];
            left /= y->dim[d];
        }
        tl_copy_element(&c->out[0], i, &c->in[0], from);
    }
}

static tl_status resized(tl_graph *g, const tl_node *n, tl_tensor_info *out, int64_t sign)
{
    const tl_pad_attr *a = n->attr;
    tl_shape           y = *tl_in_shape(g, n, 0);

    for (int i = 0; i < y.ndim; i++) {
        if (a->before[i] < 0 || a->after[i] < 0 || a->before[i] > 1 << 30 || a->after[i] > 1 << 30)
            return tl_graph_fail(g, "%s: padding is out of range", n->op->name);
        y.dim[i] += sign * (a->before[i] + a->after[i]);
    }
    tl_set_out(out, tl_in(g, n, 0)->dtype, y);
    return TL_OK;
}

static tl_status pad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    return resized(g, n, out, 1);
}

static tl_status crop_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    return resized(g, n, out, -1);
}

static void pad_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_pad_attr *a = n->attr;

    dx[0] = TL_APPLY(g, crop, a, dy[0]);
}

/* Place in the outer of element i of the inner. */
static int64_t outer_place(const tl_pad_attr *a, const tl_shape *inner, const tl_shape *outer,
                           int64_t i)
{
    int64_t at = 0, stride = 1;

    for (int d = inner->ndim - 1; d >= 0; d--) {
        at += (i % inner->dim[d] + a->before[d]) * stride;
        i /= inner->dim[d];
        stride *= outer->dim[d];
    }
    return at;
}

static void pad_ref(const tl_call *c)
{
    const int64_t n = tl_shape_count(&c->in[0].shape);

    zero(&c->out[0]);
    for (int64_t i = 0; i < n; i++)
        tl_copy_element(&c->out[0],
                        outer_place(c->node->attr, &c->in[0].shape, &c->out[0].shape, i),
                        &c->in[0], i);
}

static void crop_ref(const tl_call *c)
{
    const int64_t n = tl_shape_count(&c->out[0].shape);

    for (int64_t i = 0; i < n; i++)
        tl_copy_element(&c->out[0], i, &c->in[0],
                        outer_place(c->node->attr, &c->out[0].shape, &c->in[0].shape, i));
}

#define ATTR(type, ...) .attr = &(const type){ __VA_ARGS__ }, .attr_bytes = sizeof(type)
#define RANGE .low = -2.0, .high = 2.0
static const tl_sample reshape_samples[] = {
    { .label = "flatten", .in = { { 4, { 2, 3, 2, 5 } } }, RANGE,
      ATTR(tl_shape_attr, { 2, { 2, 30 } }) },
};
static const tl_sample concat_samples[] = {
    { .label = "channels", .in = { { 4, { 2, 3, 2, 5 } }, { 4, { 2, 3, 2, 1 } } }, RANGE,
      ATTR(tl_axis_attr, 3) },
    { .label = "three, first axis", .in = { { 2, { 1, 4 } }, { 2, { 3, 4 } }, { 2, { 2, 4 } } },
      RANGE, ATTR(tl_axis_attr, 0) },
    { .label = "bf16", .in = { { 2, { 3, 4 } }, { 2, { 3, 5 } } }, .dtype = { TL_BF16, TL_BF16 },
      RANGE, ATTR(tl_axis_attr, 1) },
};
static const tl_sample slice_samples[] = {
    { .label = "every second", .in = { { 3, { 2, 7, 3 } } }, RANGE,
      ATTR(tl_slice_attr, .axis = 1, .start = 1, .count = 3, .step = 2) },
    { .label = "bf16", .in = { { 2, { 4, 5 } } }, .dtype = { TL_BF16 }, RANGE,
      ATTR(tl_slice_attr, .axis = 1, .start = 2, .count = 3, .step = 1) },
};
static const tl_sample transpose_samples[] = {
    { .label = "four axes", .in = { { 4, { 2, 3, 4, 5 } } }, RANGE,
      ATTR(tl_transpose_attr, { 2, 0, 3, 1 }) },
    { .label = "bf16", .in = { { 2, { 3, 5 } } }, .dtype = { TL_BF16 }, RANGE,
      ATTR(tl_transpose_attr, { 1, 0 }) },
};
static const tl_sample pad_samples[] = {
    { .label = "picture", .in = { { 4, { 2, 3, 2, 3 } } }, RANGE,
      ATTR(tl_pad_attr, .before = { 0, 1, 2, 0 }, .after = { 0, 2, 0, 1 }) },
    { .label = "bf16", .in = { { 1, { 5 } } }, .dtype = { TL_BF16 }, RANGE,
      ATTR(tl_pad_attr, .before = { 1 }, .after = { 2 }) },
};

#define MOVES(list) .source = "data movement", .samples = list, .n_samples = TL_COUNT(list)
const tl_op tl_op_reshape = {
    .name = "reshape", .doc = "the same values under another shape", .alias = true,
    .least_in = 1, .most_in = 1, .n_out = 1, MOVES(reshape_samples),
    .shape = reshape_shape, .grad = reshape_backward, .ref = reshape_ref,
};
const tl_op tl_op_concat = {
    .name = "concat", .doc = "tensors one behind the other along an axis",
    .least_in = 1, .most_in = TL_MOST_IN, .n_out = 1, MOVES(concat_samples),
    .shape = concat_shape, .grad = concat_backward, .ref = concat_ref,
};
const tl_op tl_op_slice = {
    .name = "slice", .doc = "some places of an axis",
    .least_in = 1, .most_in = 1, .n_out = 1, MOVES(slice_samples),
    .shape = slice_shape, .grad = slice_backward, .ref = slice_ref,
};
const tl_op tl_op_slice_grad = {
    .name = "slice_grad", .doc = "gradient of slice", .source = "chain rule",
    .least_in = 1, .most_in = 1, .n_out = 1, .shape = slice_grad_shape, .ref = slice_grad_ref,
};
const tl_op tl_op_transpose = {
    .name = "transpose", .doc = "axes in another order",
    .least_in = 1, .most_in = 1, .n_out = 1, MOVES(transpose_samples),
    .shape = transpose_shape, .grad = transpose_backward, .ref = transpose_ref,
};
const tl_op tl_op_pad = {
    .name = "pad", .doc = "zeros around",
    .least_in = 1, .most_in = 1, .n_out = 1, MOVES(pad_samples),
    .shape = pad_shape, .grad = pad_backward, .ref = pad_ref,
};
const tl_op tl_op_crop = {
    .name = "crop", .doc = "gradient of pad", .source = "chain rule",
    .least_in = 1, .most_in = 1, .n_out = 1, .shape = crop_shape, .ref = crop_ref,
};

tl_tensor tl_reshape(tl_graph *g, tl_tensor x, tl_shape shape)
{
    return TL_APPLY(g, reshape, (&(tl_shape_attr){ shape }), x);
}

tl_tensor tl_concat(tl_graph *g, const tl_tensor *x, int n, int axis)
{
    return tl_graph_apply(g, &tl_op_concat, n, x, &(tl_axis_attr){ axis }, sizeof(tl_axis_attr));
}

tl_tensor tl_slice(tl_graph *g, tl_tensor x, int axis, int64_t start, int64_t count, int64_t step)
{
    return TL_APPLY(g, slice, (&(tl_slice_attr){ axis, start, count, step }), x);
}

tl_tensor tl_transpose(tl_graph *g, tl_tensor x, const int *order)
{
    tl_transpose_attr a = { { 0 } };

    for (int i = 0; i < tl_graph_shape(g, x)->ndim; i++) a.order[i] = order[i];
    return TL_APPLY(g, transpose, &a, x);
}

tl_tensor tl_pad(tl_graph *g, tl_tensor x, const int64_t *before, const int64_t *after)
{
    tl_pad_attr a = { 0 };

    for (int i = 0; i < tl_graph_shape(g, x)->ndim; i++) {
        a.before[i] = before[i];
        a.after[i]  = after[i];
    }
    return TL_APPLY(g, pad, &a, x);
}
