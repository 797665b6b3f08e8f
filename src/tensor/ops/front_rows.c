/* front_rows.c -- the same rows in front of each packed sequence: how learned keys and values
 * (a prefix) come before a text's own; and the whole numbers that go with them.
 * Source: Li and Liang 2021, arXiv:2101.00190.  Floor 1, tensor. */
#include "tensor/attend.h"
#include "tensor/ops/inside.h"

#include <string.h>

enum { X, FRONT, OFFSETS };

static tl_status need_offsets(tl_graph *g, const tl_node *n, int k)
{
    if (tl_in(g, n, k)->dtype == TL_I32 && tl_in_shape(g, n, k)->ndim == 1 &&
        tl_in_shape(g, n, k)->dim[0] >= 2)
        return TL_OK;
    return tl_graph_fail(g, "%s: offsets are i32, one more than there are sequences",
                         n->op->name);
}

static tl_status front_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    if (tl_need_float(g, n, X) != TL_OK || tl_need_axes(g, n, X, 2) != TL_OK ||
        tl_need_axes(g, n, FRONT, 2) != TL_OK || need_offsets(g, n, OFFSETS) != TL_OK)
        return TL_EUSAGE;
    const tl_shape *x = tl_in_shape(g, n, X), *front = tl_in_shape(g, n, FRONT);
    const int64_t   sequences = tl_in_shape(g, n, OFFSETS)->dim[0] - 1;
    if (front->dim[1] != x->dim[1] || tl_in(g, n, FRONT)->dtype != TL_F32)
        return tl_graph_fail(g, "front_rows: f32 rows as wide as the others are needed");
    tl_set_out(out, tl_in(g, n, X)->dtype,
               TL_SHAPE(x->dim[0] + sequences * front->dim[0], x->dim[1]));
    return TL_OK;
}

static void front_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    dx[X]     = TL_APPLY(g, front_rows_grad, (&(tl_shape_attr){ *tl_in_shape(g, n, FRONT) }),
                         dy[0], n->in[OFFSETS]);
    dx[FRONT] = tl_graph_out(g, dx[X], 1);
}

static tl_sequences walk_of(const tl_view *offsets, int64_t rows)
{
    return tl_sequences_of(offsets, &(tl_view){ 0 }, 0, rows, 0);
}

static void *row_at(const tl_view *v, int64_t row)
{
    return (char *)v->data + (size_t)(row * v->shape.dim[1]) * tl_dtype_bytes(v->dtype);
}

/* Sequence s begins at its offset and s times the front's rows; rows of none are zero. */
static void front_ref(const tl_call *c)
{
    const tl_view *x = &c->in[X], *front = &c->in[FRONT], *y = &c->out[0];
    const int64_t  w = x->shape.dim[1], v = front->shape.dim[0];
    const size_t   row  = (size_t)w * tl_dtype_bytes(x->dtype);
    tl_sequences   walk = walk_of(&c->in[OFFSETS], x->shape.dim[0]);
    tl_sequence    s;

    memset(y->data, 0, (size_t)y->shape.dim[0] * row);
    for (int64_t at = 0; tl_sequences_next(&walk, &s); at++) {
        const int64_t to = s.q + at * v;
        for (int64_t i = 0; i < v * w; i++) tl_set(y, to * w + i, tl_get(front, i));
        memcpy(row_at(y, to + v), row_at(x, s.q), (size_t)(s.q_end - s.q) * row);
    }
}

static tl_status front_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_shape_attr *front = n->attr;
    const tl_shape      *dy    = tl_in_shape(g, n, 0);
    const int64_t        sequences = tl_in_shape(g, n, 1)->dim[0] - 1;

    tl_set_out(out, tl_in(g, n, 0)->dtype,
               TL_SHAPE(dy->dim[0] - sequences * front->shape.dim[0], dy->dim[1]));
    tl_set_out(&out[1], TL_F32, front->shape);
    return TL_OK;
}

static void front_grad_ref(const tl_call *c)
{
    const tl_view *dy = &c->in[0], *dx = &c->out[0], *front = &c->out[1];
    const int64_t  w = dx->shape.dim[1], v = front->shape.dim[0];
    const size_t   row = (size_t)w * tl_dtype_bytes(dy->dtype);
    tl_sequence    s;

    if (dx->data) memset(dx->data, 0, (size_t)dx->shape.dim[0] * row);
    tl_sequences walk = walk_of(&c->in[1], dx->shape.dim[0]);
    for (int64_t at = 0; dx->data && tl_sequences_next(&walk, &s); at++)
        memcpy(row_at(dx, s.q), row_at(dy, s.q + (at + 1) * v),
               (size_t)(s.q_end - s.q) * row);
    for (int64_t i = 0; i < v * w && front->data; i++) {
        double sum = 0.0;
        walk       = walk_of(&c->in[1], dx->shape.dim[0]);
        for (int64_t at = 0; tl_sequences_next(&walk, &s); at++)
            sum += tl_get(dy, (s.q + at * v) * w + i);
        tl_set(front, i, sum);
    }
}

static tl_status count_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    if (tl_in(g, n, 0)->dtype != TL_I32 || tl_in_shape(g, n, 0)->ndim != 1)
        return tl_graph_fail(g, "count_on: one axis of i32 numbers is needed");
    tl_set_out(out, TL_I32, *tl_in_shape(g, n, 0));
    return TL_OK;
}

static void count_ref(const tl_call *c)
{
    const tl_count_on_attr *a = c->node->attr;
    const int32_t          *x = c->in[0].data;
    int32_t                *y = c->out[0].data;

    for (int64_t i = 0; i < c->in[0].shape.dim[0]; i++)
        y[i] = (int32_t)((int64_t)x[i] + a->start + i * a->step);
}

#define SAMPLE(text, type, t, v, d, n)                                                    \
    { .label = text, .in = { { 2, { t, d } }, { 2, { v, d } }, { 1, { n } } },             \
      .dtype = { type, TL_F32, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 4,           \
      .number = { [2] = (const int32_t[]){ 0, 2, 3, 3, t } } }
static const tl_sample samples[] = {
    SAMPLE("four sequences, one of them empty", TL_F32, 9, 2, 3, 5),
    SAMPLE("rows behind the last sequence", TL_F32, 7, 3, 2, 3),
    SAMPLE("bf16", TL_BF16, 9, 2, 8, 5),
};

const tl_op tl_op_front_rows = {
    .name = "front_rows", .doc = "the same rows in front of each sequence",
    .source = "Li and Liang 2021, arXiv:2101.00190", .least_in = 3, .most_in = 3, .n_out = 1,
    .shape = front_shape, .grad = front_backward, .ref = front_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_front_rows_grad = {
    .name = "front_rows_grad", .doc = "gradients of front_rows", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 2, .shape = front_grad_shape, .ref = front_grad_ref,
};
const tl_op tl_op_count_on = {
    .name = "count_on", .doc = "whole numbers, and what their place adds to them",
    .source = "arithmetic", .least_in = 1, .most_in = 1, .n_out = 1,
    .shape = count_shape, .ref = count_ref,
};

tl_tensor tl_front_rows(tl_graph *g, tl_tensor x, tl_tensor front, tl_tensor offsets)
{
    return TL_APPLY_BARE(g, front_rows, x, front, offsets);
}

tl_tensor tl_count_on(tl_graph *g, tl_tensor x, int64_t start, int64_t step)
{
    return TL_APPLY(g, count_on, (&(tl_count_on_attr){ start, step }), x);
}
