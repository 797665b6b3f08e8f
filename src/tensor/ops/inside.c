/* inside.c -- checks and loops that several ops share.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>
#include <string.h>

void tl_set_out(tl_tensor_info *out, tl_dtype dtype, tl_shape shape)
{
    out->dtype = dtype;
    out->shape = shape;
}

tl_status tl_shape_like_first(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_set_out(out, tl_in(g, n, 0)->dtype, *tl_in_shape(g, n, 0));
    return tl_need_float(g, n, 0);
}

tl_status tl_shape_from_attr(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_shape_attr *a = n->attr;

    tl_set_out(out, tl_in(g, n, 0)->dtype, a->shape);
    return TL_OK;
}

tl_status tl_need_float(tl_graph *g, const tl_node *n, int k)
{
    const tl_dtype d = tl_in(g, n, k)->dtype;

    if (d == TL_F32 || d == TL_BF16) return TL_OK;
    return tl_graph_fail(g, "%s: input %d is %s (f32 or bf16 is needed)", n->op->name, k,
                         tl_dtype_name(d));
}

tl_status tl_need_vector(tl_graph *g, const tl_node *n, int k, int64_t count)
{
    const tl_tensor_info *t = tl_in(g, n, k);
    char                  said[96];

    if (!n->in[k]) return TL_OK;
    if (t->dtype == TL_F32 && t->shape.ndim == 1 && t->shape.dim[0] == count) return TL_OK;
    return tl_graph_fail(g, "%s: input %d is %s of %s (f32 of %" PRId64 " is needed)", n->op->name,
                         k, tl_say_shape(&t->shape, said), tl_dtype_name(t->dtype), count);
}

tl_status tl_need_like(tl_graph *g, const tl_node *n, int k, int as)
{
    const tl_tensor_info *a = tl_in(g, n, k), *b = tl_in(g, n, as);
    char                  sa[96], sb[96];

    if (!n->in[k] || !n->in[as]) return TL_OK;
    if (a->dtype == b->dtype && tl_shape_equal(&a->shape, &b->shape)) return TL_OK;
    return tl_graph_fail(g, "%s: input %d is %s of %s, input %d %s of %s (they must agree)",
                         n->op->name, k, tl_say_shape(&a->shape, sa), tl_dtype_name(a->dtype), as,
                         tl_say_shape(&b->shape, sb), tl_dtype_name(b->dtype));
}

tl_status tl_need_axes(tl_graph *g, const tl_node *n, int k, int ndim)
{
    char said[96];

    if (tl_in_shape(g, n, k)->ndim == ndim) return TL_OK;
    return tl_graph_fail(g, "%s: input %d is %s (%d axes are needed)", n->op->name, k,
                         tl_say_shape(tl_in_shape(g, n, k), said), ndim);
}

tl_around tl_around_axis(const tl_shape *s, int axis)
{
    tl_around a = { 1, s->dim[axis], 1 };

    for (int i = 0; i < axis; i++) a.before *= s->dim[i];
    for (int i = axis + 1; i < s->ndim; i++) a.after *= s->dim[i];
    return a;
}

double tl_dot(const tl_view *x, int64_t x_at, int64_t x_step, const float *w, int64_t w_step,
              int64_t n)
{
    double sum = 0.0;

    if (x->dtype == TL_F32) {
        const float *v = (const float *)x->data + x_at;
        for (int64_t i = 0; i < n; i++) sum += (double)v[i * x_step] * (double)w[i * w_step];
    } else {
        for (int64_t i = 0; i < n; i++)
            sum += tl_view_get(x, x_at + i * x_step) * (double)w[i * w_step];
    }
    return sum;
}

double tl_log_sum_exp(const tl_view *x, int64_t at, int64_t n)
{
    double top = -INFINITY, sum = 0.0;

    for (int64_t i = at; i < at + n; i++) top = fmax(top, tl_get(x, i));
    for (int64_t i = at; i < at + n; i++) sum += exp(tl_get(x, i) - top);
    return top + log(sum);
}

void tl_copy_element(const tl_view *to, int64_t i, const tl_view *from, int64_t j)
{
    const size_t size = tl_dtype_bytes(to->dtype);

    memcpy((char *)to->data + (size_t)i * size, (const char *)from->data + (size_t)j * size, size);
}
