/* body_attend.h -- attention in blocks of queries and keys: a block's scores are made, turned into
 * probabilities under the maximum so far, and used, before the next; the gradient makes them again
 * from the kept logarithms.  A result's sums run over keys (or queries) in their order, block by
 * block, whatever thread does it.  Bodies of simd.h's table.
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

/* Scores scaled and capped; what lies outside [low, high) becomes `hidden`, up to whole vectors. */
VEC void finish_scores(const tl_attention_attr *a, float *p, int64_t keys, int64_t low,
                       int64_t high, float hidden)
{
    for (int64_t j = 0; j < keys; j += VL) {
        vf s = vf_load(p + j) * a->scale;
        if (a->softcap != 0.0f) s = a->softcap * vf_tanh(s / a->softcap);
        vf_store(p + j, s);
    }
    for (int64_t j = 0; j < low; j++) p[j] = hidden;
    for (int64_t j = high; j < (keys + VL - 1) / VL * VL; j++) p[j] = hidden;
}

VEC void clip_keys(const tl_attention_attr *a, const tl_sequence *s, int64_t i,
                   int64_t first, int64_t keys, int64_t *low, int64_t *high)
{
    tl_keys_seen(a, s, i, low, high);
    *low  = TL_MIN(TL_MAX(*low - first, 0), keys);
    *high = TL_MIN(TL_MAX(*high - first, *low), keys);
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
    for (int64_t j = 0; j < (keys + VL - 1) / VL * VL && d->bound > 0; j++)
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
static void attend_block(const tl_attend *t, const tl_sequence *s, int64_t first,
                         int64_t rows, int64_t k0, int64_t keys, float *p, float *top,
                         float *sum, float *y)
{
    for (int64_t r = 0; r < rows; r++) {
        int64_t low, high;
        clip_keys(t->a, s, first + r, k0, keys, &low, &high);
        if (low < high) {
            finish_scores(t->a, p + r * KEYS, keys, low, high, -__builtin_inff());
            soften_row(p + r * KEYS, keys, &top[r], &sum[r], y + r * t->h.d, t->h.d);
        } else {
            memset(p + r * KEYS, 0, (size_t)keys * sizeof *p);
        }
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

    const int64_t at_q = (s->q + first) * q_step + head * d;
    ask_rows(element(t->q, at_q, t->bf), rows, d, q_step, t->bf);
    const float *q = rows_f32(t->q, at_q, rows, d, t->bf, q_room, &q_step);
    memset(y, 0, (size_t)(rows * d) * sizeof *y);
    for (int64_t r = 0; r < rows; r++) top[r] = -__builtin_inff(), sum[r] = 0.0f;
    tl_keys_seen(t->a, s, first, &low, &skip);
    tl_keys_seen(t->a, s, first + rows - 1, &skip, &high);
    for (int64_t k0 = low; k0 < high; k0 += KEYS) {
        const int64_t keys = TL_MIN(KEYS, high - k0), at = (s->k + k0) * t->h.k_step + kv;
        int64_t       v_step = t->h.k_step;
        ask_rows(element(t->v, at + t->h.v_at, t->bf), keys, d, v_step, t->bf);
        turn_rows(element(t->k, at + t->h.k_at, t->bf), keys, d, t->h.k_step, t->bf, kt);
        multiply(rows, keys, d, q, q_step, 1, kt, KEYS, p, KEYS, false);
        attend_block(t, s, first, rows, k0, keys, p, top, sum, y);
        if (t->drop.bound > 0) drop_block(t, s, first, head, rows, k0, keys, p);
        const float *v = rows_f32(t->v, at + t->h.v_at, keys, d, t->bf, wide, &v_step);
        multiply(rows, d, keys, p, KEYS, 1, v, v_step, y, d, true);
    }
    give_rows(t, s->q + first, head, rows, y, top, sum);
}

/* p from scores: exp(s - lse); ds = p (dp - sum(dy y)) slope scale, into dp.  Of dp and then of p
 * only what dropout kept counts. */
static void back_block(const tl_attend *t, const tl_sequence *s, int64_t head,
                       int64_t first, int64_t rows, int64_t k0, int64_t keys,
                       const uint32_t *key, float *p, float *dp)
{
    const tl_attention_attr *a = t->a;
    const int64_t            d = t->h.d;

    for (int64_t r = 0; r < rows; r++, p += KEYS, dp += KEYS) {
        const int64_t at  = (s->q + first + r) * t->h.heads + head;
        vf            dot = vf_all(0.0f);
        int64_t       low, high;
        clip_keys(a, s, first + r, k0, keys, &low, &high);
        finish_scores(a, p, keys, low, high, -__builtin_inff());
        for (int64_t i = 0; i < d; i += VL)
            dot = vf_fma(take(t->dy, at * d + i, d - i, t->bf),
                         take(t->y, at * d + i, d - i, t->bf), dot);
        const float       sum = vf_sum(dot);
        const tl_drop_row row = tl_drop_row_of(&t->drop, at);
        for (int64_t j = 0; j < keys; j += VL) {
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
    const int64_t at_q = row * q_step + head * d, at_y = row * dy_step + head * d;
    ask_rows(element(t->q, at_q, t->bf), rows, d, q_step, t->bf);
    ask_rows(element(t->dy, at_y, t->bf), rows, d, dy_step, t->bf);
    ask_rows(element(t->y, at_y, t->bf), rows, d, dy_step, t->bf);
    const float *q  = rows_f32(t->q, at_q, rows, d, t->bf, b->q, &q_step);
    const float *dy = rows_f32(t->dy, at_y, rows, d, t->bf, b->dy, &dy_step);
    multiply(rows, keys, d, q, q_step, 1, b->kt, KEYS, b->p, KEYS, false);
    multiply(rows, keys, d, dy, dy_step, 1, b->vt, KEYS, b->dp, KEYS, false);
    back_block(t, s, head, first, rows, k0, keys, b->key, b->p, b->dp);
    multiply(keys, d, rows, b->p, 1, KEYS, dy, dy_step, b->dv, d, true);
    multiply(keys, d, rows, b->dp, 1, KEYS, q, q_step, b->dk, d, true);
    if (t->dq)
        multiply(rows, d, keys, b->dp, KEYS, 1, k, k_step,
                 t->dq + row * t->dq_step + head * d, t->dq_step, true);
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
    if (t->dq) tl_clear_dq(t, s, kv * group * d, group * d);
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
