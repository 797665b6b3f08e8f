/* body_attend.h -- attention in blocks of queries and keys: a block's scores are made, turned into
 * probabilities under the maximum so far, and used, before the next; the gradient makes them again
 * from the kept logarithms.  What a mask hides from all of a few queries is not multiplied.  A
 * result's sums run over keys (or queries) in their order, block by block, whatever thread does it.
 * Bodies of simd.h's table.
 * Sources: Dao et al. 2022, arXiv:2205.14135; Milakov and Gimelshein 2018, arXiv:1805.02867.
 * Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_ATTEND_H
#define TL_BACKEND_CPU_BODY_ATTEND_H
#include "backend/cpu/body_gemm.h"
#include "tensor/attend.h"

enum { QROWS = TL_ATTEND_ROWS, KEYS = TL_ATTEND_KEYS };

/* c[m n] (rows of ldc) = a b, or += it. */
static void multiply(int64_t m, int64_t n, int64_t k, const float *a, int64_t ai,
                     int64_t ak, const float *b, int64_t ldb, float *c, int64_t ldc,
                     bool add)
{
    const tl_gemm g = { .m          = m,
                        .n          = n,
                        .k          = k,
                        .a          = a,
                        .b          = b,
                        .c          = c,
                        .ai         = ai,
                        .ak         = ak,
                        .ldb        = ldb,
                        .ldc        = ldc,
                        .accumulate = add };

    body_outer(&g, 0, body_outer_tiles(&g));
}

/* Of each query of a block the keys that it sees, [low, high): neither falls from one query to the
 * next. */
typedef struct { int64_t rows, keys, low[QROWS], high[QROWS]; } band;

VEC int64_t vector_down(int64_t i)
{
    return i / VL * VL;
}

VEC int64_t vector_up(int64_t i)
{
    return (i + VL - 1) / VL * VL;
}

/* p[rows keys] = q kt where keys are seen, in whole vectors. */
static void multiply_keys(const band *b, int64_t d, const float *q, int64_t q_step,
                          const float *kt, float *p)
{
    for (int64_t r = 0; r < b->rows; r += DEEP) {
        const int64_t tall = TL_MIN(DEEP, b->rows - r), from = vector_down(b->low[r]);
        const int64_t to   = TL_MIN(vector_up(b->high[r + tall - 1]), b->keys);
        if (from < to)
            multiply(tall, to - from, d, q + r * q_step, q_step, 1, kt + from, KEYS,
                     p + r * KEYS + from, KEYS, false);
    }
}

/* y[rows d] += p v over the keys that are seen; the rest of p is 0 or not asked for. */
static void add_values(const band *b, int64_t d, const float *p, const float *v, int64_t v_step,
                       float *y, int64_t y_step)
{
    for (int64_t r = 0; r < b->rows; r += DEEP) {
        const int64_t tall = TL_MIN(DEEP, b->rows - r), from = b->low[r];
        const int64_t to   = b->high[r + tall - 1];
        if (from < to)
            multiply(tall, d, to - from, p + r * KEYS + from, KEYS, 1, v + from * v_step, v_step,
                     y + r * y_step, y_step, true);
    }
}

/* dk[keys d] += p' q over the queries that see them. */
static void add_queries(const band *b, int64_t d, const float *p, const float *q, int64_t q_step,
                        float *dk)
{
    int64_t from = 0, to = 0;

    for (int64_t k = 0; k < b->keys; k += DEEP) {
        const int64_t tall = TL_MIN(DEEP, b->keys - k);
        while (from < b->rows && b->high[from] <= k) from++;
        while (to < b->rows && b->low[to] < k + tall) to++;
        if (from < to)
            multiply(tall, d, to - from, p + from * KEYS + k, 1, KEYS, q + from * q_step, q_step,
                     dk + k * d, d, true);
    }
}

/* Element i of an array of f32 or bf16. */
VEC const void *element(const void *p, int64_t i, bool bf)
{
    return bf ? (const void *)((const uint16_t *)p + i)
              : (const void *)((const float *)p + i);
}

/* Rows as f32: where they lie, or widened into `room` (then *step is d). */
static const float *rows_f32(const void *x, int64_t at, int64_t rows, int64_t d, bool bf,
                             float *room, int64_t *step)
{
    if (!bf) return (const float *)x + at;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < d; i += VL)
            give(room, r * d + i, take(x, at + r * *step + i, d - i, true), d - i, false);
    *step = d;
    return room;
}

/* to[d][KEYS] = x[rows][d] turned. */
static void turn_rows(const void *x, int64_t rows, int64_t d, int64_t step, bool bf,
                      float *to)
{
    for (int64_t p = 0; p < d; p += VL)
        for (int64_t j = 0; j < rows; j += VL) {
            if (bf)
                turn_square(rows, d, x, step, true, to, KEYS, j, p);
            else
                turn_square(rows, d, x, step, false, to, KEYS, j, p);
        }
}

/* Scores of the vectors that hold [low, high), scaled and capped; what is hidden in them -inf. */
VEC void finish_scores(const tl_attention_attr *a, float *p, int64_t low, int64_t high)
{
    for (int64_t j = vector_down(low); j < high; j += VL) {
        vf s = vf_load(p + j) * a->scale;
        if (a->softcap != 0.0f) s = a->softcap * vf_tanh(s / a->softcap);
        vf_store(p + j, s);
    }
    for (int64_t j = vector_down(low); j < low; j++) p[j] = -__builtin_inff();
    for (int64_t j = high; j < vector_up(high); j++) p[j] = -__builtin_inff();
}

/* 0 in the vectors of a row that hold nothing of [low, high). */
VEC void clear_hidden(float *p, int64_t keys, int64_t low, int64_t high)
{
    const int64_t from = low < high ? vector_down(low) : keys;

    for (int64_t j = 0; j < from; j += VL) vf_store(p + j, vf_all(0.0f));
    for (int64_t j = vector_up(high); j < keys; j += VL) vf_store(p + j, vf_all(0.0f));
}

/* A block of queries from `first` and keys from k0. */
static band band_of(const tl_attend *t, const tl_sequence *s, int64_t first, int64_t rows,
                    int64_t k0, int64_t keys)
{
    band b = { .rows = rows, .keys = keys };

    for (int64_t r = 0; r < rows; r++) {
        int64_t low, high;
        tl_keys_seen(t->a, s, first + r, &low, &high);
        b.low[r]  = TL_MIN(TL_MAX(low - k0, 0), keys);
        b.high[r] = TL_MIN(TL_MAX(high - k0, b.low[r]), keys);
    }
    return b;
}

/* Lanes of x that dropout keeps, times share; the others 0. */
VEC vf dropped(const tl_drop *d, tl_drop_row row, const uint32_t *key, vf x, float share)
{
    vu number;

    memcpy(&number, key, sizeof number);
    number = number * row.times + row.plus;
    return vf_if((vi)(number >= d->bound), x * share, vf_all(0.0f));
}

/* The keys' words, those of whole vectors. */
VEC void draw_keys(const tl_drop *d, int64_t first, int64_t keys, uint32_t *key)
{
    for (int64_t j = 0; j < vector_up(keys) && d->bound > 0; j++)
        key[j] = tl_drop_key(d, first + j);
}

/* One row of a block: probabilities under the new maximum, what was summed before scaled to it. */
VEC void soften_row(float *p, int64_t keys, float *top, float *sum, float *y, int64_t d)
{
    vf    most = vf_load(p), total = vf_all(0.0f);
    float above, before;

    for (int64_t j = VL; j < keys; j += VL) most = vf_max(most, vf_load(p + j));
    above  = vf_top(most) > *top ? vf_top(most) : *top;
    before = vf_exp(vf_all(*top - above))[0];
    for (int64_t j = 0; j < keys; j += VL) {
        const vf e = vf_exp(vf_load(p + j) - above);
        vf_store(p + j, e);
        total += e;
    }
    *sum = *sum * before + vf_sum(total);
    *top = above;
    if (before == 1.0f) return;
    for (int64_t i = 0; i < d; i += VL)
        give(y, i, take(y, i, d - i, false) * before, d - i, false);
}

VEC void give_rows(const tl_attend *t, int64_t row, int64_t head, int64_t rows,
                   const float *y, const float *top, const float *sum)
{
    const int64_t d = t->h.d;

    for (int64_t r = 0; r < rows; r++) {
        const int64_t at    = (row + r) * t->h.heads + head;
        const float   share = sum[r] > 0.0f ? t->drop.scale / sum[r] : 0.0f;
        for (int64_t i = 0; i < d && t->y; i += VL)
            give(t->y, at * d + i, take(y, r * d + i, d - i, false) * share, d - i,
                 t->bf);
        if (t->lse)
            t->lse[at] = sum[r] > 0.0f ? top[r] + vf_log(vf_all(sum[r]))[0] : 0.0f;
    }
}

/* One block of keys for one of queries. */
static void attend_block(const tl_attend *t, const band *b, float *p, float *top, float *sum,
                         float *y)
{
    for (int64_t r = 0; r < b->rows; r++, p += KEYS) {
        const int64_t low = b->low[r], high = b->high[r], from = vector_down(low);
        clear_hidden(p, b->keys, low, high);
        if (low >= high) continue;
        finish_scores(t->a, p, low, high);
        soften_row(p + from, high - from, &top[r], &sum[r], y + r * t->h.d, t->h.d);
    }
}

/* Dropout of a block: not scaled yet. */
static void drop_block(const tl_attend *t, const tl_sequence *s, int64_t first, int64_t head,
                       int64_t rows, int64_t k0, int64_t keys, float *p)
{
    uint32_t key[KEYS];

    draw_keys(&t->drop, s->k + k0, keys, key);
    for (int64_t r = 0; r < rows; r++, p += KEYS) {
        const tl_drop_row row =
            tl_drop_row_of(&t->drop, (s->q + first + r) * t->h.heads + head);
        for (int64_t j = 0; j < keys; j += VL)
            vf_store(p + j, dropped(&t->drop, row, key + j, vf_load(p + j), 1.0f));
    }
}

static void body_attend(const tl_attend *t, const tl_sequence *s, int64_t first,
                        int64_t head, float *room)
{
    const int64_t d = t->h.d, rows = TL_MIN(QROWS, s->q_end - s->q - first);
    const int64_t kv = head / (t->h.heads / t->h.kv) * d;
    float  *y = room, *kt = y + QROWS * d, *wide = kt + KEYS * d, *p = wide + KEYS * d;
    float  *q_room = p + QROWS * KEYS, *top = q_room + QROWS * d, *sum = top + QROWS;
    int64_t q_step = t->h.q_step, low, high, skip;
    const float *q = rows_f32(t->q, (s->q + first) * q_step + head * d, rows, d, t->bf,
                              q_room, &q_step);

    memset(y, 0, (size_t)(rows * d) * sizeof *y);
    for (int64_t r = 0; r < rows; r++) top[r] = -__builtin_inff(), sum[r] = 0.0f;
    tl_keys_seen(t->a, s, first, &low, &skip);
    tl_keys_seen(t->a, s, first + rows - 1, &skip, &high);
    for (int64_t k0 = low; k0 < high; k0 += KEYS) {
        const int64_t keys = TL_MIN(KEYS, high - k0), at = (s->k + k0) * t->h.k_step + kv;
        int64_t       v_step = t->h.k_step;
        const band    b      = band_of(t, s, first, rows, k0, keys);
        turn_rows(element(t->k, at + t->h.k_at, t->bf), keys, d, t->h.k_step, t->bf, kt);
        multiply_keys(&b, d, q, q_step, kt, p);
        attend_block(t, &b, p, top, sum, y);
        if (t->drop.bound > 0) drop_block(t, s, first, head, rows, k0, keys, p);
        const float *v = rows_f32(t->v, at + t->h.v_at, keys, d, t->bf, wide, &v_step);
        add_values(&b, d, p, v, v_step, y, d);
    }
    give_rows(t, s->q + first, head, rows, y, top, sum);
}

/* p from scores: exp(s - lse); ds = p (dp - sum(dy y)) slope scale, into dp.  Of dp and then of p
 * only what dropout kept counts. */
static void back_block(const tl_attend *t, const band *b, int64_t row_at, int64_t head,
                       const uint32_t *key, float *p, float *dp)
{
    const tl_attention_attr *a = t->a;
    const int64_t            d = t->h.d;

    for (int64_t r = 0; r < b->rows; r++, p += KEYS, dp += KEYS) {
        const int64_t at = (row_at + r) * t->h.heads + head, low = b->low[r], high = b->high[r];
        vf            dot = vf_all(0.0f);
        clear_hidden(p, b->keys, low, high);
        clear_hidden(dp, b->keys, low, high);
        if (low >= high) continue;
        finish_scores(a, p, low, high);
        for (int64_t i = 0; i < d; i += VL)
            dot = vf_fma(take(t->dy, at * d + i, d - i, t->bf),
                         take(t->y, at * d + i, d - i, t->bf), dot);
        const float       sum = vf_sum(dot);
        const tl_drop_row row = tl_drop_row_of(&t->drop, at);
        for (int64_t j = vector_down(low); j < high; j += VL) {
            const vf score = vf_load(p + j), e = vf_exp(score - t->lse[at]);
            vf       g = vf_load(dp + j), left = e;
            if (t->drop.bound > 0) {
                g    = dropped(&t->drop, row, key + j, g, t->drop.scale);
                left = dropped(&t->drop, row, key + j, e, t->drop.scale);
            }
            vf ds = e * (g - sum) * a->scale;
            if (a->softcap != 0.0f) {
                const vf share =
                    vf_max(vf_all(-1.0f), score / a->softcap); /* hidden: e is 0 */
                ds *= 1.0f - share * share;
            }
            vf_store(p + j, left);
            vf_store(dp + j, ds);
        }
    }
}

/* The parts of one thread's room. */
typedef struct {
    float    *kt, *vt, *k, *dk, *dv, *q, *dy, *p, *dp;
    uint32_t *key; /* the keys' words of dropout */
} back_room;

static back_room back_room_of(float *room, int64_t d)
{
    back_room b = { .kt = room };

    b.vt = b.kt + KEYS * d;
    b.k  = b.vt + KEYS * d;
    b.dk = b.k + KEYS * d;
    b.dv = b.dk + KEYS * d;
    b.q  = b.dv + KEYS * d;
    b.dy = b.q + QROWS * d;
    b.p  = b.dy + QROWS * d;
    b.dp = b.p + QROWS * KEYS;
    return b;
}

static void back_queries(const tl_attend *t, const tl_sequence *s, int64_t head,
                         int64_t first, int64_t k0, int64_t keys, const float *k,
                         int64_t k_step, const back_room *b)
{
    const int64_t d = t->h.d, rows = TL_MIN(QROWS, s->q_end - s->q - first);
    const int64_t row = s->q + first;
    int64_t       low, high, skip, q_step = t->h.q_step, dy_step = t->h.heads * d;

    tl_keys_seen(t->a, s, first, &low, &skip);
    tl_keys_seen(t->a, s, first + rows - 1, &skip, &high);
    if (low >= k0 + keys || high <= k0) return;
    const float *q =
        rows_f32(t->q, row * q_step + head * d, rows, d, t->bf, b->q, &q_step);
    const float *dy =
        rows_f32(t->dy, (row * t->h.heads + head) * d, rows, d, t->bf, b->dy, &dy_step);
    const band seen = band_of(t, s, first, rows, k0, keys);
    multiply_keys(&seen, d, q, q_step, b->kt, b->p);
    multiply_keys(&seen, d, dy, dy_step, b->vt, b->dp);
    back_block(t, &seen, row, head, b->key, b->p, b->dp);
    add_queries(&seen, d, b->p, dy, dy_step, b->dv);
    add_queries(&seen, d, b->dp, q, q_step, b->dk);
    if (t->dq)
        add_values(&seen, d, b->dp, k, k_step, t->dq + row * t->dq_step + head * d, t->dq_step);
}

VEC void give_keys(const tl_attend *t, const float *x, void *to, int64_t at, int64_t keys)
{
    const int64_t d = t->h.d;

    for (int64_t r = 0; r < keys && to; r++)
        for (int64_t i = 0; i < d; i += VL)
            give(to, at + r * t->h.k_step + i, take(x, r * d + i, d - i, false), d - i,
                 t->bf);
}

/* One sequence, one head of keys and all heads of queries that read it. */
static void body_attend_grad(const tl_attend *t, const tl_sequence *s, int64_t kv,
                             float *room)
{
    const int64_t   d = t->h.d, group = t->h.heads / t->h.kv, end = s->k_end - s->k;
    back_room       b = back_room_of(room, d);
    uint32_t        key[KEYS];

    b.key = key;
    for (int64_t k0 = 0; k0 < end; k0 += KEYS) {
        const int64_t keys   = TL_MIN(KEYS, end - k0);
        const int64_t at     = (s->k + k0) * t->h.k_step + t->h.k_at + kv * d;
        const int64_t at_v   = at - t->h.k_at + t->h.v_at;
        int64_t       k_step = t->h.k_step;
        turn_rows(element(t->k, at, t->bf), keys, d, k_step, t->bf, b.kt);
        turn_rows(element(t->v, at_v, t->bf), keys, d, k_step, t->bf, b.vt);
        const float *k = rows_f32(t->k, at, keys, d, t->bf, b.k, &k_step);
        draw_keys(&t->drop, s->k + k0, keys, key);
        memset(b.dk, 0, (size_t)(keys * d) * sizeof *b.dk);
        memset(b.dv, 0, (size_t)(keys * d) * sizeof *b.dv);
        for (int64_t head = kv * group; head < (kv + 1) * group; head++)
            for (int64_t i = 0; i < s->q_end - s->q; i += QROWS)
                back_queries(t, s, head, i, k0, keys, k, k_step, &b);
        give_keys(t, b.dk, t->dk, at, keys);
        give_keys(t, b.dv, t->dv, at_v, keys);
    }
}
#endif
