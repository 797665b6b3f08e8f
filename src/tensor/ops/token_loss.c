/* token_loss.c -- a language model's last layer and its cross-entropy in one: the scores of all
 * words are made a block at a time.  Of few rows their slopes are kept for the gradient; of many
 * nothing is, and the gradient makes the scores again.
 * Sources: Dao et al. 2022, arXiv:2205.14135, for the running sum; Wijmans et al. 2024,
 * arXiv:2411.09009, for doing so with a vocabulary.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

enum { X, W, B, TARGET, WEIGHT, DLOSS, LSE, SLOPES };

static tl_status loss_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    if (tl_need_float(g, n, X) != TL_OK || tl_need_axes(g, n, X, 2) != TL_OK ||
        tl_need_axes(g, n, W, 2) != TL_OK)
        return TL_EUSAGE;
    const int64_t rows = tl_in_shape(g, n, X)->dim[0], words = tl_in_shape(g, n, W)->dim[0];
    if (tl_in_shape(g, n, W)->dim[1] != tl_in_shape(g, n, X)->dim[1] ||
        tl_in(g, n, TARGET)->dtype != TL_I32)
        return tl_graph_fail(g, "token_loss: weights or targets do not fit the rows");
    tl_set_out(&out[0], TL_F32, TL_SCALAR);
    tl_set_out(&out[1], TL_F32, TL_SHAPE(rows));
    tl_set_out(&out[2], TL_F32, TL_SHAPE(rows));
    tl_set_out(&out[3], tl_in(g, n, X)->dtype, TL_SHAPE(rows, tl_slope_columns(words)));
    if (tl_shape_count(tl_in_shape(g, n, TARGET)) != rows)
        return tl_graph_fail(g, "token_loss: one target a row is needed");
    if (n->in[B] && tl_need_vector(g, n, B, words) != TL_OK) return TL_EUSAGE;
    return tl_need_vector(g, n, WEIGHT, rows);
}

static tl_status loss_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_shape_like_first(g, n, out);
    tl_set_out(&out[1], TL_F32, *tl_in_shape(g, n, W));
    tl_set_out(&out[2], TL_F32, TL_SHAPE(tl_in_shape(g, n, W)->dim[0]));
    return TL_OK;
}

/* They take no more room than the weights: of more rows, scores are made a second time. */
static bool keeps_slopes(const tl_graph *g, const tl_node *n)
{
    const tl_tensor_info *s = tl_graph_info(g, n->out[3]);

    return (size_t)tl_shape_count(&s->shape) * tl_dtype_bytes(s->dtype) <=
           (size_t)tl_shape_count(tl_in_shape(g, n, W)) * sizeof(float);
}

static void loss_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_token_loss_attr *a      = n->attr;
    const tl_tensor           slopes = keeps_slopes(g, n) ? n->out[3] : 0;

    dx[X] = TL_APPLY(g, token_loss_grad, a, n->in[X], n->in[W], n->in[B], n->in[TARGET],
                     n->in[WEIGHT], dy[0], n->out[2], slopes);
    dx[W] = tl_graph_out(g, dx[X], 1);
    dx[B] = tl_graph_out(g, dx[X], 2);
}

/* A word's score in a row, capped; *slope (may be NULL) is the cap's. */
static double score(const tl_call *c, int64_t row, int64_t word, double *slope)
{
    const tl_token_loss_attr *a   = c->node->attr;
    const int64_t             d   = c->in[X].shape.dim[1];
    double                    sum = c->in[B].data ? tl_get(&c->in[B], word) : 0.0;

    for (int64_t i = 0; i < d; i++)
        sum += tl_get(&c->in[X], row * d + i) * tl_get(&c->in[W], word * d + i);
    if (slope) *slope = 1.0;
    if (a->cap == 0.0f) return sum;
    const double share = tanh(sum / (double)a->cap);
    if (slope) *slope = 1.0 - share * share;
    return (double)a->cap * share;
}

static bool counts(const tl_call *c, int64_t row)
{
    const int32_t t = ((const int32_t *)c->in[TARGET].data)[row];

    return t >= 0 && t < c->in[W].shape.dim[0] && tl_get(&c->in[WEIGHT], row) != 0.0;
}

/* d loss_r / d score of a word. */
static double slope_of(const tl_call *c, int64_t row, int64_t word, double lse)
{
    const int32_t t = ((const int32_t *)c->in[TARGET].data)[row];
    double        slope;
    const double  p = exp(score(c, row, word, &slope) - lse);

    return (p - (t == word)) * slope;
}

static void slopes_ref(const tl_call *c, int64_t row, int64_t place, double lse)
{
    const int64_t words = c->in[W].shape.dim[0], columns = c->out[3].shape.dim[1];

    for (int64_t j = 0; j < words; j++)
        tl_set(&c->out[3], place * columns + j, slope_of(c, row, j, lse));
}

static void loss_ref(const tl_call *c)
{
    const int32_t *target = c->in[TARGET].data;
    const int64_t  rows = c->in[X].shape.dim[0], words = c->in[W].shape.dim[0];
    double         total = 0.0;
    int64_t        place = 0;

    for (int64_t i = 0; c->out[3].data && i < tl_shape_count(&c->out[3].shape); i++)
        tl_set(&c->out[3], i, 0.0);
    for (int64_t r = 0; r < rows; r++) {
        double top = -INFINITY, sum = 0.0, lse = 0.0, loss = 0.0;
        for (int64_t j = 0; counts(c, r) && j < words; j++) top = fmax(top, score(c, r, j, NULL));
        for (int64_t j = 0; counts(c, r) && j < words; j++) sum += exp(score(c, r, j, NULL) - top);
        if (counts(c, r)) {
            lse  = top + log(sum);
            loss = lse - score(c, r, target[r], NULL);
        }
        if (c->out[1].data) tl_set(&c->out[1], r, loss);
        if (c->out[2].data) tl_set(&c->out[2], r, lse);
        if (c->out[3].data && counts(c, r)) slopes_ref(c, r, place++, lse);
        total += loss * tl_get(&c->in[WEIGHT], r);
    }
    if (c->out[0].data) tl_set(&c->out[0], 0, total);
}

/* Gradient in a word's score before the cap. */
static double pull(const tl_call *c, int64_t row, int64_t word)
{
    const double share = tl_get(&c->in[WEIGHT], row) * tl_get(&c->in[DLOSS], 0);
    int64_t      place = 0;

    if (!counts(c, row)) return 0.0;
    if (!c->in[SLOPES].data) return share * slope_of(c, row, word, tl_get(&c->in[LSE], row));
    for (int64_t r = 0; r < row; r++) place += counts(c, r);
    return share * tl_get(&c->in[SLOPES], place * c->in[SLOPES].shape.dim[1] + word);
}

static void loss_grad_ref(const tl_call *c)
{
    const int64_t rows = c->in[X].shape.dim[0], words = c->in[W].shape.dim[0];
    const int64_t d    = c->in[X].shape.dim[1];

    for (int64_t at = 0; at < words * d && c->out[1].data; at++) {
        double sum = 0.0;
        for (int64_t r = 0; r < rows; r++)
            sum += pull(c, r, at / d) * tl_get(&c->in[X], r * d + at % d);
        tl_set(&c->out[1], at, sum);
    }
    for (int64_t j = 0; j < words && c->out[2].data; j++) {
        double sum = 0.0;
        for (int64_t r = 0; r < rows; r++) sum += pull(c, r, j);
        tl_set(&c->out[2], j, sum);
    }
    for (int64_t at = 0; at < rows * d && c->out[0].data; at++) {
        double sum = 0.0;
        for (int64_t j = 0; j < words; j++)
            sum += pull(c, at / d, j) * tl_get(&c->in[W], j * d + at % d);
        tl_set(&c->out[0], at, sum);
    }
}

static double products(const tl_graph *g, const tl_node *n)
{
    return 2.0 * (double)tl_shape_count(tl_in_shape(g, n, X)) *
           (double)tl_in_shape(g, n, W)->dim[0];
}
/* In rows and in words; the scores once more where their slopes were not kept. */
static double grad_products(const tl_graph *g, const tl_node *n)
{
    return (n->in[SLOPES] ? 2.0 : 3.0) * products(g, n);
}

#define ATTR(cap) \
    .attr = &(const tl_token_loss_attr){ cap }, .attr_bytes = sizeof(tl_token_loss_attr)
static const tl_sample samples[] = {
    { .label = "some rows do not count",
      .in = { { 2, { 5, 4 } }, { 2, { 7, 4 } }, { 1, { 7 } }, { 1, { 5 } }, { 1, { 5 } } },
      .dtype = { 0, 0, 0, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 0x18,
      .number = { [3] = (const int32_t[]){ 3, 6, -1, 0, 9 } }, ATTR(0.0f) },
    { .label = "capped, no bias",
      .in = { { 2, { 4, 3 } }, { 2, { 6, 3 } }, { -1, { 0 } }, { 1, { 4 } }, { 1, { 4 } } },
      .dtype = { 0, 0, 0, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 0x18,
      .number = { [3] = (const int32_t[]){ 0, 1, 5, 5 } }, ATTR(1.5f) },
    { .label = "bf16",
      .in = { { 2, { 6, 20 } }, { 2, { 9, 20 } }, { 1, { 9 } }, { 1, { 6 } }, { 1, { 6 } } },
      .dtype = { TL_BF16, 0, 0, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 0x18,
      .number = { [3] = (const int32_t[]){ 8, 1, 2, 5, 3, 0 } }, ATTR(0.0f) },
    { .label = "slopes kept, capped, one row does not count",
      .in = { { 2, { 3, 20 } }, { 2, { 33, 20 } }, { 1, { 33 } }, { 1, { 3 } }, { 1, { 3 } } },
      .dtype = { 0, 0, 0, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 0x18,
      .number = { [3] = (const int32_t[]){ 32, -1, 7 } }, ATTR(2.0f) },
};

const tl_op tl_op_token_loss = {
    .name = "token_loss", .doc = "cross-entropy of a vocabulary's scores, which are not kept",
    .source = "Wijmans et al. 2024, arXiv:2411.09009",
    .least_in = 5, .most_in = 5, .n_out = 4, .optional = 1 << B,
    .shape = loss_shape, .grad = loss_backward, .ref = loss_ref, .flops = products,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_token_loss_grad = {
    .name = "token_loss_grad", .doc = "gradients of token_loss", .source = "chain rule",
    .least_in = 8, .most_in = 8, .n_out = 3, .optional = 1 << B | 1 << SLOPES,
    .shape = loss_grad_shape, .ref = loss_grad_ref, .flops = grad_products,
};

tl_tensor tl_token_loss(tl_graph *g, tl_tensor x, tl_tensor w, tl_tensor b, tl_tensor target,
                        tl_tensor weight, float cap)
{
    return TL_APPLY(g, token_loss, (&(tl_token_loss_attr){ cap }), x, w, b, target, weight);
}
