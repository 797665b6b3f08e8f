/* attention.c -- softmax(q k^T) v over packed sequences, causal or not, in windows, with fewer
 * key and value heads than query heads.  The probabilities are not kept: of each row and head the
 * logarithm of their sum is, and the gradient makes them again.
 * So it is with dropout of them: each number is drawn again from its place.
 * Sources: Vaswani et al. 2017, arXiv:1706.03762; Dao et al. 2022, arXiv:2205.14135; Ainslie et
 * al. 2023, arXiv:2305.13245 (grouped heads).  Floor 1, tensor. */
#include "tensor/attend.h"
#include "tensor/ops/inside.h"

#include <math.h>

enum { Q, K, V, OFFSETS, KEY_OFFSETS };

static bool has(const tl_node *n, int k)
{
    return k < n->n_in && n->in[k];
}

/* One axis of n + 1 numbers. */
static tl_status need_offsets(tl_graph *g, const tl_node *n, int k)
{
    const tl_tensor_info *info = tl_in(g, n, k);

    if (info->dtype == TL_I32 && info->shape.ndim == 1 && info->shape.dim[0] >= 2) return TL_OK;
    return tl_graph_fail(g, "%s: offsets are i32, one more than there are sequences",
                         n->op->name);
}

static tl_status need_boundaries(tl_graph *g, const tl_node *n, const tl_attention_attr *a)
{
    const tl_shape *q = tl_in_shape(g, n, Q), *k = has(n, K) ? tl_in_shape(g, n, K) : q;

    if (has(n, OFFSETS)) {
        if (need_offsets(g, n, OFFSETS) != TL_OK) return TL_EUSAGE;
        if (!has(n, KEY_OFFSETS) && k->dim[0] != q->dim[0])
            return tl_graph_fail(g, "attention: keys of their own need their own offsets");
        if (!has(n, KEY_OFFSETS)) return TL_OK;
        if (has(n, K) && need_offsets(g, n, KEY_OFFSETS) == TL_OK &&
            tl_shape_equal(tl_in_shape(g, n, KEY_OFFSETS), tl_in_shape(g, n, OFFSETS)))
            return TL_OK;
        return tl_graph_fail(g, "attention: key offsets do not fit the offsets");
    }
    const int64_t length = a->length ? a->length : q->dim[0];
    if (length < 1 || q->dim[0] % length || k->dim[0] % (q->dim[0] / length) ||
        has(n, KEY_OFFSETS))
        return tl_graph_fail(g, "attention: sequences of %" PRId64 " rows do not fill %" PRId64,
                             length, q->dim[0]);
    return TL_OK;
}

static tl_status attention_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_attention_attr *a = n->attr;
    const bool               apart = has(n, K);

    if (tl_need_float(g, n, Q) != TL_OK || tl_need_axes(g, n, Q, 2) != TL_OK) return TL_EUSAGE;
    if (apart != has(n, V)) return tl_graph_fail(g, "attention: keys and values go together");
    if (apart && (tl_need_axes(g, n, K, 2) != TL_OK || tl_need_like(g, n, V, K) != TL_OK))
        return TL_EUSAGE;
    if (!(a->dropout >= 0.0f && a->dropout < 1.0f))
        return tl_graph_fail(g, "attention: dropout is %g (0 <= p < 1 is needed)",
                             (double)a->dropout);
    if (a->heads < 1 || a->kv_heads < 1 || a->heads % a->kv_heads)
        return tl_graph_fail(g, "attention: %d heads do not share %d", a->heads, a->kv_heads);
    const tl_shape *q = tl_in_shape(g, n, Q), *k = apart ? tl_in_shape(g, n, K) : q;
    const int       parts = apart ? a->heads : a->heads + 2 * a->kv_heads;
    const tl_heads  h     = tl_heads_of(a, q, apart ? k : NULL);
    if (q->dim[1] % parts || h.d > TL_MOST_HEAD || (apart && k->dim[1] != h.kv * h.d) ||
        (apart && tl_in(g, n, K)->dtype != tl_in(g, n, Q)->dtype))
        return tl_graph_fail(g, "attention: %" PRId64 " values do not split into %d heads",
                             q->dim[1], parts);
    tl_set_out(out, tl_in(g, n, Q)->dtype, TL_SHAPE(h.rows, h.heads * h.d));
    tl_set_out(&out[1], TL_F32, TL_SHAPE(h.rows, h.heads));
    return need_boundaries(g, n, a);
}

static void attention_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_attention_attr *a = n->attr;
    tl_tensor                in[TL_MOST_IN] = { dy[0], n->in[Q], 0, 0, n->out[0], n->out[1] };

    for (int k = K; k < n->n_in; k++) in[k < OFFSETS ? k + 1 : k + 3] = n->in[k];
    dx[Q] = tl_graph_apply(g, &tl_op_attention_grad, TL_MOST_IN, in, a, sizeof *a);
    if (has(n, K)) {
        dx[K] = tl_graph_out(g, dx[Q], 1);
        dx[V] = tl_graph_out(g, dx[Q], 2);
    }
}

/* A call's views, of the op or of its gradient. */
typedef struct {
    const tl_attention_attr *a;
    const tl_view           *q, *k, *v;
    tl_heads                 h;
    tl_sequences             walk;
    tl_drop                  drop;
} attend;

static attend attend_of(const tl_call *c, int q, int offsets)
{
    const bool apart = c->in[q + 1].data != NULL;
    attend     t     = { .a = c->node->attr, .q = &c->in[q],
                         .k = &c->in[apart ? q + 1 : q], .v = &c->in[apart ? q + 2 : q] };

    t.h    = tl_heads_of(t.a, &t.q->shape, apart ? &t.k->shape : NULL);
    t.walk = tl_sequences_of(&c->in[offsets], &c->in[offsets + 1], t.a->length, t.h.rows,
                             t.h.keys);
    t.drop = tl_drop_of(t.a, c->tick);
    return t;
}

static int64_t at_q(const attend *t, int64_t row, int64_t head)
{
    return row * t->h.q_step + head * t->h.d;
}
static int64_t at_k(const attend *t, int64_t row, int64_t head)
{
    return row * t->h.k_step + t->h.k_at + head / (t->h.heads / t->h.kv) * t->h.d;
}
static int64_t at_v(const attend *t, int64_t row, int64_t head)
{
    return row * t->h.k_step + t->h.v_at + head / (t->h.heads / t->h.kv) * t->h.d;
}

/* scale q k^T, capped; *slope (may be NULL) is the cap's. */
static double score(const attend *t, int64_t i, int64_t j, int64_t head, double *slope)
{
    const int64_t q = at_q(t, i, head), k = at_k(t, j, head);
    const double  cap = (double)t->a->softcap;
    double        sum = 0.0;

    for (int64_t c = 0; c < t->h.d; c++) sum += tl_get(t->q, q + c) * tl_get(t->k, k + c);
    sum *= (double)t->a->scale;
    if (slope) *slope = 1.0;
    if (cap == 0.0) return sum;
    const double s = tanh(sum / cap);
    if (slope) *slope = 1.0 - s * s;
    return cap * s;
}

/* What dropout makes of the probability of query i and key j: 0, or times scale. */
static double kept(const attend *t, int64_t i, int64_t j, int64_t head)
{
    const tl_drop_row row = tl_drop_row_of(&t->drop, i * t->h.heads + head);

    if (tl_drop_number(row, tl_drop_key(&t->drop, j)) < t->drop.bound) return 0.0;
    return (double)t->drop.scale;
}

static void each_value(const tl_call *c, const attend *t, const tl_sequence *s, int64_t i,
                       int64_t head)
{
    const int64_t at = (s->q + i) * t->h.heads + head;
    int64_t       low, high;
    double        y[TL_MOST_HEAD] = { 0 }, top = -INFINITY, sum = 0.0;

    tl_keys_seen(t->a, s, i, &low, &high);
    for (int64_t j = low; j < high; j++)
        top = fmax(top, score(t, s->q + i, s->k + j, head, NULL));
    for (int64_t j = low; j < high; j++) {
        const double p = exp(score(t, s->q + i, s->k + j, head, NULL) - top);
        const double left = p * kept(t, s->q + i, s->k + j, head);
        sum += p;
        for (int64_t x = 0; x < t->h.d; x++)
            y[x] += left * tl_get(t->v, at_v(t, s->k + j, head) + x);
    }
    for (int64_t x = 0; x < t->h.d && low < high && c->out[0].data; x++)
        tl_set(&c->out[0], at * t->h.d + x, y[x] / sum);
    if (c->out[1].data && low < high) tl_set(&c->out[1], at, top + log(sum));
}

static void clear(const tl_view *v)
{
    const int64_t n = tl_shape_count(&v->shape);

    for (int64_t i = 0; v->data && i < n; i++) tl_set(v, i, 0.0);
}

static void attention_ref(const tl_call *c)
{
    attend      t = attend_of(c, Q, OFFSETS);
    tl_sequence s;

    clear(&c->out[0]);
    clear(&c->out[1]);
    while (tl_sequences_next(&t.walk, &s))
        for (int64_t i = 0; i < s.q_end - s.q; i++)
            for (int64_t head = 0; head < t.h.heads; head++) each_value(c, &t, &s, i, head);
}

enum { DY, GQ, GK, GV, Y, LSE, GOFFSETS };

static tl_status attention_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    for (int k = 0; k < 3; k++) {
        const tl_tensor_info *like = n->in[GQ + k] ? tl_in(g, n, GQ + k) : NULL;
        tl_set_out(&out[k], like ? like->dtype : TL_F32, like ? like->shape : TL_SHAPE(1));
    }
    return TL_OK;
}

/* What is left of p, and the gradient before the scale, of one score; false where query i does not
 * see key j. */
static bool back(const tl_call *c, const attend *t, const tl_sequence *s, int64_t i, int64_t j,
                 int64_t head, double *p, double *ds)
{
    const int64_t row = s->q + i, at = (row * t->h.heads + head);
    const double  share = kept(t, row, s->k + j, head);
    double        dp = 0.0, sum = 0.0, slope;
    int64_t       low, high;

    tl_keys_seen(t->a, s, i, &low, &high);
    if (j < low || j >= high) return false;
    *p = exp(score(t, row, s->k + j, head, &slope) - tl_get(&c->in[LSE], at));
    for (int64_t x = 0; x < t->h.d; x++) {
        const double dy = tl_get(&c->in[DY], at * t->h.d + x);
        dp  += dy * tl_get(t->v, at_v(t, s->k + j, head) + x);
        sum += dy * tl_get(&c->in[Y], at * t->h.d + x); /* of p dp over all keys */
    }
    *ds = *p * (share * dp - sum) * slope * (double)t->a->scale;
    *p *= share;
    return true;
}

static void query_grad(const tl_call *c, const attend *t, const tl_sequence *s, int64_t i,
                       int64_t head)
{
    double dq[TL_MOST_HEAD] = { 0 }, p, ds;

    for (int64_t j = 0; j < s->k_end - s->k; j++) {
        if (!back(c, t, s, i, j, head, &p, &ds)) continue;
        for (int64_t x = 0; x < t->h.d; x++)
            dq[x] += ds * tl_get(t->k, at_k(t, s->k + j, head) + x);
    }
    for (int64_t x = 0; x < t->h.d; x++) tl_set(&c->out[0], at_q(t, s->q + i, head) + x, dq[x]);
}

static void key_grad(const tl_call *c, const attend *t, const tl_sequence *s, int64_t j,
                     int64_t kv)
{
    const int64_t  group = t->h.heads / t->h.kv, to = at_k(t, s->k + j, kv * group);
    const int64_t  to_v  = at_v(t, s->k + j, kv * group);
    const tl_view *dk    = t->k == t->q ? &c->out[0] : &c->out[1];
    const tl_view *dv    = t->k == t->q ? &c->out[0] : &c->out[2];
    double         gk[TL_MOST_HEAD] = { 0 }, gv[TL_MOST_HEAD] = { 0 }, p, ds;

    for (int64_t head = kv * group; head < (kv + 1) * group; head++)
        for (int64_t i = 0; i < s->q_end - s->q; i++) {
            if (!back(c, t, s, i, j, head, &p, &ds)) continue;
            const int64_t dy = ((s->q + i) * t->h.heads + head) * t->h.d;
            for (int64_t x = 0; x < t->h.d; x++) {
                gk[x] += ds * tl_get(t->q, at_q(t, s->q + i, head) + x);
                gv[x] += p * tl_get(&c->in[DY], dy + x);
            }
        }
    for (int64_t x = 0; x < t->h.d && dk->data; x++) tl_set(dk, to + x, gk[x]);
    for (int64_t x = 0; x < t->h.d && dv->data; x++) tl_set(dv, to_v + x, gv[x]);
}

static void attention_grad_ref(const tl_call *c)
{
    attend      t = attend_of(c, GQ, GOFFSETS);
    tl_sequence s;

    for (int k = 0; k < 3; k++) clear(&c->out[k]);
    while (tl_sequences_next(&t.walk, &s)) {
        for (int64_t i = 0; i < s.q_end - s.q && c->out[0].data; i++)
            for (int64_t head = 0; head < t.h.heads; head++) query_grad(c, &t, &s, i, head);
        for (int64_t j = 0; j < s.k_end - s.k; j++)
            for (int64_t kv = 0; kv < t.h.kv; kv++) key_grad(c, &t, &s, j, kv);
    }
}

/* Two products; with offsets, as if all sequences were of one length. */
static double products(const tl_graph *g, const tl_node *n, int q, int offsets)
{
    const tl_attention_attr *a   = n->attr;
    const tl_shape          *x   = tl_in_shape(g, n, q);
    const tl_shape          *k   = n->in[q + 1] ? tl_in_shape(g, n, q + 1) : NULL;
    const tl_heads           h   = tl_heads_of(a, x, k);
    const bool               own = offsets < n->n_in && n->in[offsets];
    const double length = own ? (double)h.keys / (double)(tl_in_shape(g, n, offsets)->dim[0] - 1)
                              : (double)(a->length ? a->length : h.keys);

    return 4.0 * (double)h.rows * length * (double)(h.heads * h.d) * (a->after ? 1.0 : 0.5);
}
static double attention_flops(const tl_graph *g, const tl_node *n)
{
    return products(g, n, Q, OFFSETS);
}
static double attention_grad_flops(const tl_graph *g, const tl_node *n)
{
    return 2.5 * products(g, n, GQ, GOFFSETS);
}

#define NONE { -1, { 0 } }
#define ATTR(...) \
    .attr = &(const tl_attention_attr){ __VA_ARGS__ }, .attr_bytes = sizeof(tl_attention_attr)
static const tl_sample samples[] = {
    { .label = "one sequence", .in = { { 2, { 5, 6 } }, { 2, { 5, 6 } }, { 2, { 5, 6 } } },
      .low = -1.0, .high = 1.0, ATTR(2, 2, -1, -1, 0, 0.5f, 0.0f, 0.0f, 0) },
    { .label = "side by side, causal, two of three rows", .in = { { 2, { 6, 12 } } },
      .low = -1.0, .high = 1.0, ATTR(2, 1, -1, 0, 3, 0.7f, 0.0f, 0.0f, 0) },
    { .label = "offsets that go back and too far, shared heads",
      .in = { { 2, { 9, 8 } }, { 2, { 9, 4 } }, { 2, { 9, 4 } }, { 1, { 5 } } },
      .dtype = { 0, 0, 0, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 8,
      .number = { [3] = (const int32_t[]){ 1, 5, 3, 6, 90 } },
      ATTR(4, 2, -1, 0, 0, 0.8f, 0.0f, 0.0f, 0) },
    { .label = "windows, capped", .in = { { 2, { 7, 4 } }, { 2, { 7, 4 } }, { 2, { 7, 4 } } },
      .low = -1.0, .high = 1.0, ATTR(1, 1, 1, 2, 0, 0.8f, 0.6f, 0.0f, 0) },
    { .label = "more keys than queries, causal",
      .in = { { 2, { 4, 3 } }, { 2, { 10, 3 } }, { 2, { 10, 3 } } },
      .low = -1.0, .high = 1.0, ATTR(1, 1, 2, 0, 2, 1.0f, 0.0f, 0.0f, 0) },
    { .label = "offsets of both",
      .in = { { 2, { 6, 4 } }, { 2, { 9, 4 } }, { 2, { 9, 4 } }, { 1, { 4 } }, { 1, { 4 } } },
      .dtype = { 0, 0, 0, TL_I32, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 24,
      .number = { [3] = (const int32_t[]){ 0, 1, 4, 6 }, [4] = (const int32_t[]){ 0, 3, 7, 7 } },
      ATTR(2, 2, -1, 0, 0, 0.9f, 0.0f, 0.0f, 0) },
    { .label = "bf16", .in = { { 2, { 9, 20 } }, { 2, { 9, 10 } }, { 2, { 9, 10 } } },
      .dtype = { TL_BF16, TL_BF16, TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(4, 2, -1, 0, 0, 0.4f, 0.0f, 0.0f, 0) },
    { .label = "dropout, shared heads, offsets of both, capped",
      .in = { { 2, { 6, 8 } }, { 2, { 9, 4 } }, { 2, { 9, 4 } }, { 1, { 4 } }, { 1, { 4 } } },
      .dtype = { 0, 0, 0, TL_I32, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 24,
      .number = { [3] = (const int32_t[]){ 0, 1, 4, 6 }, [4] = (const int32_t[]){ 0, 3, 7, 9 } },
      ATTR(4, 2, -1, -1, 0, 0.9f, 0.8f, 0.4f, 3) },
    { .label = "dropout, causal, side by side, bf16", .in = { { 2, { 7, 12 } } },
      .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(2, 2, -1, 0, 0, 0.7f, 0.0f, 0.25f, 1) },
};

const tl_op tl_op_attention = {
    .name = "attention", .doc = "each row a mixture of the rows it attends to",
    .source = "Vaswani et al. 2017, arXiv:1706.03762; Dao et al. 2022, arXiv:2205.14135",
    .least_in = 1, .most_in = 5, .n_out = 2, .optional = 0x1e, .reads_tick = true,
    .shape = attention_shape, .grad = attention_backward, .ref = attention_ref,
    .flops = attention_flops, .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_attention_grad = {
    .name = "attention_grad", .doc = "gradients of attention", .source = "Dao et al. 2022",
    .least_in = TL_MOST_IN, .most_in = TL_MOST_IN, .n_out = 3, .optional = 0xcc,
    .reads_tick = true,
    .shape = attention_grad_shape, .ref = attention_grad_ref, .flops = attention_grad_flops,
};

tl_tensor tl_attention(tl_graph *g, tl_tensor q, tl_tensor k, tl_tensor v, tl_tensor offsets,
                       tl_tensor key_offsets, const tl_attention_attr *attr)
{
    return TL_APPLY(g, attention, attr, q, k, v, offsets, key_offsets);
}
