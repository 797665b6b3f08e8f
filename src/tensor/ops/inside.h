/* inside.h -- what the files of ops share: checks for shape rules, short ways to append a node
 * and to read an element.  Floor 1, tensor. */
#ifndef TL_TENSOR_OPS_INSIDE_H
#define TL_TENSOR_OPS_INSIDE_H
#include "tensor/attrs.h"
#include "tensor/op.h"

#define X(op) extern const tl_op tl_op_##op;
#include "tensor/ops.def"
#undef X

/* Appends op(inputs) with attributes `attr_` (a pointer), or with none. */
#define TL_APPLY(g, op, attr_, ...)                                                    \
    tl_graph_apply(g, &tl_op_##op,                                                     \
                   (int)(sizeof((tl_tensor[]){ __VA_ARGS__ }) / sizeof(tl_tensor)),    \
                   (tl_tensor[]){ __VA_ARGS__ }, (attr_), sizeof *(attr_))
#define TL_APPLY_BARE(g, op, ...)                                                      \
    tl_graph_apply(g, &tl_op_##op,                                                     \
                   (int)(sizeof((tl_tensor[]){ __VA_ARGS__ }) / sizeof(tl_tensor)),    \
                   (tl_tensor[]){ __VA_ARGS__ }, NULL, 0)

static inline const tl_tensor_info *tl_in(const tl_graph *g, const tl_node *n, int k)
{
    return tl_graph_info(g, n->in[k]);
}
static inline const tl_shape *tl_in_shape(const tl_graph *g, const tl_node *n, int k)
{
    return tl_graph_shape(g, n->in[k]);
}
static inline bool tl_wants(const tl_graph *g, const tl_node *n, int k)
{
    return n->in[k] && tl_in(g, n, k)->needs_grad;
}
static inline int64_t tl_last_dim(const tl_shape *s)
{
    return s->ndim ? s->dim[s->ndim - 1] : 1;
}

/* Output k: this dtype and shape. */
void tl_set_out(tl_tensor_info *out, tl_dtype dtype, tl_shape shape);
/* Shape rule of ops whose output 0 is as input 0 (f32 or bf16). */
tl_status tl_shape_like_first(tl_graph *g, const tl_node *n, tl_tensor_info *out);
/* Shape rule of gradients that carry their output's shape (tl_shape_attr), dtype of input 0. */
tl_status tl_shape_from_attr(tl_graph *g, const tl_node *n, tl_tensor_info *out);
/* Each fails the graph with a message when it does not hold. */
tl_status tl_need_float(tl_graph *g, const tl_node *n, int k);
tl_status tl_need_vector(tl_graph *g, const tl_node *n, int k, int64_t count);
tl_status tl_need_like(tl_graph *g, const tl_node *n, int k, int as);
tl_status tl_need_axes(tl_graph *g, const tl_node *n, int k, int ndim);

/* Axes around one axis: (before, size, after), row-major. */
typedef struct { int64_t before, size, after; } tl_around;
tl_around tl_around_axis(const tl_shape *s, int axis);

static inline double tl_get(const tl_view *v, int64_t i)
{
    return v->dtype == TL_F32 ? (double)((const float *)v->data)[i] : tl_view_get(v, i);
}
static inline void tl_set(const tl_view *v, int64_t i, double x)
{
    if (v->dtype == TL_F32) ((float *)v->data)[i] = (float)x;
    else tl_view_set(v, i, x);
}
/* sum of x[x_at + i * x_step] * w[i * w_step] */
double tl_dot(const tl_view *x, int64_t x_at, int64_t x_step, const float *w, int64_t w_step,
              int64_t n);
/* log(sum(exp(x))) over n elements from `at`; the maximum is taken off first. */
double tl_log_sum_exp(const tl_view *x, int64_t at, int64_t n);
/* Copies an element of any dtype. */
void tl_copy_element(const tl_view *to, int64_t i, const tl_view *from, int64_t j);
#endif
