/* cross_entropy.c -- softmax and negative log-likelihood as one, with label smoothing, soft
 * targets and class weights.  Source: Szegedy et al. 2016, arXiv:1512.00567, for smoothing;
 * conventions as PyTorch's cross_entropy before its reduction.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

enum { LOGITS, TARGET, WEIGHT, CLASS_WEIGHT, DLOSS };

static tl_status target_shape(tl_graph *g, const tl_node *n)
{
    const tl_tensor_info *t = tl_in(g, n, TARGET);
    const tl_shape       *x = tl_in_shape(g, n, LOGITS);
    const int64_t         c = tl_last_dim(x), rows = tl_shape_count(x) / c;
    char                  said[96];

    if (t->dtype == TL_I32 && tl_shape_count(&t->shape) == rows) return TL_OK;
    if (t->dtype == TL_F32 && tl_shape_count(&t->shape) == rows * c) return TL_OK;
    return tl_graph_fail(g, "cross_entropy: targets are %s of %s (i32 of %" PRId64 " or f32 of %"
                         PRId64 " by %" PRId64 " is needed)", tl_say_shape(&t->shape, said),
                         tl_dtype_name(t->dtype), rows, rows, c);
}

static tl_status checked_shape(tl_graph *g, const tl_node *n)
{
    const tl_shape *x = tl_in_shape(g, n, LOGITS);
    const int64_t   c = tl_last_dim(x);

    tl_need_float(g, n, LOGITS);
    target_shape(g, n);
    tl_need_vector(g, n, WEIGHT, tl_shape_count(x) / c);
    return tl_need_vector(g, n, CLASS_WEIGHT, c);
}

static tl_status cross_entropy_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_set_out(&out[0], TL_F32, TL_SCALAR);
    tl_set_out(&out[1], TL_F32, *tl_in_shape(g, n, WEIGHT));
    return checked_shape(g, n);
}

static tl_status grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_shape_like_first(g, n, out);
    return checked_shape(g, n);
}

static void cross_entropy_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy,
                                   tl_tensor *dx)
{
    const tl_cross_entropy_attr *a = n->attr;

    dx[LOGITS] = TL_APPLY(g, cross_entropy_grad, a, n->in[LOGITS], n->in[TARGET], n->in[WEIGHT],
                          n->in[CLASS_WEIGHT], dy[0]);
}

/* Whether row r counts at all. */
static bool counts(const tl_call *c, int64_t r, int64_t classes)
{
    if (tl_get(&c->in[WEIGHT], r) == 0.0) return false;
    if (c->in[TARGET].dtype != TL_I32) return true;
    const int32_t t = ((const int32_t *)c->in[TARGET].data)[r];
    return t >= 0 && t < classes;
}

/* What class k of row r weighs: q_k. */
static double share(const tl_call *c, int64_t r, int64_t k, int64_t classes)
{
    const tl_cross_entropy_attr *a = c->node->attr;
    const tl_view               *t = &c->in[TARGET];
    const double                 s = (double)a->smoothing;
    double                       p;

    if (t->dtype == TL_I32) p = ((const int32_t *)t->data)[r] == k ? 1.0 : 0.0;
    else p = tl_get(t, r * classes + k);
    p = (1.0 - s) * p + s / (double)classes;
    return c->in[CLASS_WEIGHT].data ? p * tl_get(&c->in[CLASS_WEIGHT], k) : p;
}

static void cross_entropy_ref(const tl_call *c)
{
    const int64_t n    = tl_last_dim(&c->in[LOGITS].shape);
    const int64_t rows = tl_shape_count(&c->in[LOGITS].shape) / n;
    double        loss = 0.0;

    for (int64_t r = 0; r < rows; r++) {
        double row = 0.0;
        if (counts(c, r, n)) {
            const double z = tl_log_sum_exp(&c->in[LOGITS], r * n, n);
            for (int64_t k = 0; k < n; k++)
                row += share(c, r, k, n) * (z - tl_get(&c->in[LOGITS], r * n + k));
            loss += tl_get(&c->in[WEIGHT], r) * row;
        }
        if (c->out[1].data) tl_set(&c->out[1], r, row);
    }
    if (c->out[0].data) tl_set(&c->out[0], 0, loss);
}

static void cross_entropy_grad_ref(const tl_call *c)
{
    const int64_t n    = tl_last_dim(&c->in[LOGITS].shape);
    const int64_t rows = tl_shape_count(&c->in[LOGITS].shape) / n;

    for (int64_t r = 0; r < rows; r++) {
        const bool   counted = counts(c, r, n);
        const double scale   = tl_get(&c->in[DLOSS], 0) * tl_get(&c->in[WEIGHT], r);
        const double z       = counted ? tl_log_sum_exp(&c->in[LOGITS], r * n, n) : 0.0;
        double       all     = 0.0;
        for (int64_t k = 0; k < n && counted; k++) all += share(c, r, k, n);
        for (int64_t k = 0; k < n; k++) {
            const double x = tl_get(&c->in[LOGITS], r * n + k);
            const double d = counted ? scale * (exp(x - z) * all - share(c, r, k, n)) : 0.0;
            tl_set(&c->out[0], r * n + k, d);
        }
    }
}

#define ATTR(s)                                                                          \
    .attr = &(const tl_cross_entropy_attr){ s }, .attr_bytes = sizeof(tl_cross_entropy_attr)
static const tl_sample samples[] = {
    { .label = "classes", .in = { { 2, { 5, 4 } }, { 1, { 5 } }, { 1, { 5 } }, { -1, { 0 } } },
      .dtype = { TL_F32, TL_I32 }, .low = -1.0, .high = 4.0, ATTR(0.0f), .no_grad = 0xe },
    { .label = "smoothed, class weights",
      .in = { { 2, { 6, 3 } }, { 1, { 6 } }, { 1, { 6 } }, { 1, { 3 } } },
      .dtype = { TL_F32, TL_I32 }, .low = 0.0, .high = 3.0, ATTR(0.1f), .no_grad = 0xe },
    { .label = "soft targets, class weights",
      .in = { { 2, { 3, 5 } }, { 2, { 3, 5 } }, { 1, { 3 } }, { 1, { 5 } } },
      .low = 0.1, .high = 1.0, ATTR(0.2f), .no_grad = 0xe },
    { .label = "bf16, three axes",
      .in = { { 3, { 2, 3, 33 } }, { 2, { 2, 3 } }, { 1, { 6 } }, { -1, { 0 } } },
      .dtype = { TL_BF16, TL_I32 }, .low = -1.0, .high = 5.0, ATTR(0.0f), .no_grad = 0xe },
};

const tl_op tl_op_cross_entropy = {
    .name = "cross_entropy", .doc = "how unlikely the target is under softmax of the logits",
    .source = "Szegedy et al. 2016, arXiv:1512.00567",
    .least_in = 3, .most_in = 4, .n_out = 2, .optional = 1 << CLASS_WEIGHT,
    .shape = cross_entropy_shape, .grad = cross_entropy_backward, .ref = cross_entropy_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_cross_entropy_grad = {
    .name = "cross_entropy_grad", .doc = "gradient of cross_entropy", .source = "chain rule",
    .least_in = 5, .most_in = 5, .n_out = 1, .optional = 1 << CLASS_WEIGHT, .inplace = 1,
    .shape = grad_shape, .ref = cross_entropy_grad_ref,
};

tl_tensor tl_cross_entropy(tl_graph *g, tl_tensor logits, tl_tensor target, tl_tensor weight,
                           tl_tensor class_weight, float smoothing)
{
    return TL_APPLY(g, cross_entropy, (&(tl_cross_entropy_attr){ smoothing }), logits, target,
                    weight, class_weight);
}
