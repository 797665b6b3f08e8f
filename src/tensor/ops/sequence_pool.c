/* sequence_pool.c -- one row for each packed sequence: its first, its last, or their mean.
 * Sources: Devlin et al. 2019 (first); Radford et al. 2018 (last); Reimers and Gurevych 2019,
 * arXiv:1908.10084 (mean).  Floor 1, tensor. */
#include "tensor/attend.h"
#include "tensor/ops/inside.h"

static tl_status need_offsets(tl_graph *g, const tl_node *n)
{
    if (tl_in(g, n, 1)->dtype == TL_I32 && tl_in_shape(g, n, 1)->ndim == 1 &&
        tl_in_shape(g, n, 1)->dim[0] >= 2)
        return TL_OK;
    return tl_graph_fail(g, "sequence_pool: offsets are i32, one more than there are sequences");
}

static tl_status pool_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    tl_shape_like_first(g, n, out);
    if (tl_need_axes(g, n, 0, 2) != TL_OK || need_offsets(g, n) != TL_OK) return TL_EUSAGE;
    out->shape.dim[0] = tl_in_shape(g, n, 1)->dim[0] - 1;
    return TL_OK;
}

static tl_status pool_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_pool_rows_grad_attr *a = n->attr;

    tl_set_out(out, tl_in(g, n, 0)->dtype, a->shape);
    return TL_OK;
}

static void pool_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_pool_rows_attr     *a    = n->attr;
    const tl_pool_rows_grad_attr back = { a->kind, *tl_in_shape(g, n, 0) };

    dx[0] = TL_APPLY(g, sequence_pool_grad, &back, dy[0], n->in[1]);
}

/* The rows of a sequence that count. */
static void counting(tl_pooling kind, const tl_sequence *s, int64_t *low, int64_t *high)
{
    *low  = kind == TL_POOL_LAST ? s->q_end - 1 : s->q;
    *high = kind == TL_POOL_FIRST ? s->q + 1 : s->q_end;
    if (s->q >= s->q_end) *low = *high = 0;
}

static void pool_ref(const tl_call *c)
{
    const tl_pool_rows_attr *a    = c->node->attr;
    const int64_t            d    = c->in[0].shape.dim[1];
    tl_sequences             walk = tl_sequences_of(&c->in[1], &(tl_view){ 0 }, 0,
                                                    c->in[0].shape.dim[0], 0);
    tl_sequence              s;

    for (int64_t at = 0, low, high; tl_sequences_next(&walk, &s); at++) {
        counting(a->kind, &s, &low, &high);
        for (int64_t i = 0; i < d; i++) {
            double sum = 0.0;
            for (int64_t r = low; r < high; r++) sum += tl_get(&c->in[0], r * d + i);
            tl_set(&c->out[0], at * d + i, high > low ? sum / (double)(high - low) : 0.0);
        }
    }
}

static void pool_grad_ref(const tl_call *c)
{
    const tl_pool_rows_grad_attr *a    = c->node->attr;
    const int64_t                 rows = c->out[0].shape.dim[0], d = c->out[0].shape.dim[1];
    tl_sequences                  walk = tl_sequences_of(&c->in[1], &(tl_view){ 0 }, 0, rows, 0);
    tl_sequence                   s;

    for (int64_t i = 0; i < rows * d; i++) tl_set(&c->out[0], i, 0.0);
    for (int64_t at = 0, low, high; tl_sequences_next(&walk, &s); at++) {
        counting(a->kind, &s, &low, &high);
        for (int64_t r = low; r < high; r++)
            for (int64_t i = 0; i < d; i++)
                tl_set(&c->out[0], r * d + i,
                       tl_get(&c->in[0], at * d + i) / (double)(high - low));
    }
}

#define SAMPLE(text, type, kind, t, d, n)                                           \
    { .label = text, .in = { { 2, { t, d } }, { 1, { n } } }, .dtype = { type, TL_I32 }, \
      .low = -1.0, .high = 1.0, .no_grad = 2,                                            \
      .number = { [1] = (const int32_t[]){ 0, 2, 3, 3, t } },                            \
      .attr = &(const tl_pool_rows_attr){ kind }, .attr_bytes = sizeof(tl_pool_rows_attr) }
static const tl_sample samples[] = {
    SAMPLE("first", TL_F32, TL_POOL_FIRST, 9, 3, 5),
    SAMPLE("last", TL_F32, TL_POOL_LAST, 9, 3, 5),
    SAMPLE("mean", TL_F32, TL_POOL_MEAN, 9, 3, 5),
    SAMPLE("bf16", TL_BF16, TL_POOL_MEAN, 12, 5, 5),
};

const tl_op tl_op_sequence_pool = {
    .name = "sequence_pool", .doc = "one row for each sequence", .source = "Devlin et al. 2019",
    .least_in = 2, .most_in = 2, .n_out = 1,
    .shape = pool_shape, .grad = pool_backward, .ref = pool_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_sequence_pool_grad = {
    .name = "sequence_pool_grad", .doc = "gradient of sequence_pool", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 1, .shape = pool_grad_shape, .ref = pool_grad_ref,
};

tl_tensor tl_sequence_pool(tl_graph *g, tl_tensor x, tl_tensor offsets, tl_pooling kind)
{
    return TL_APPLY(g, sequence_pool, (&(tl_pool_rows_attr){ kind }), x, offsets);
}
