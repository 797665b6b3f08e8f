/* body_tile_attend.h -- attention of bf16 by tiles.  Forward: blocks of keys, of each those queries
 * that see them, 32 at a time, under the maximum so far.  Backward: keys are the rows of scores and
 * their gradients, so that both lie as the products for keys and values read them, and only the
 * one for queries wants them turned.  Probabilities and their gradients are rounded to bf16 before
 * products, sums are f32.  Exponentials are powers of two: scores carry the factor log2(e).
 * A body of tiles.h's table.  Sources: as body_attend.h.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_TILE_ATTEND_H
#define TL_BACKEND_CPU_BODY_TILE_ATTEND_H
#include "backend/cpu/body_tiles.h"
#include "backend/cpu/tiles.h"
#include "backend/cpu/vec_math.h"

enum {
    QROWS = 128, /* queries of a block */
    KEYS  = 128, /* keys of a block    */
    PART  = 32   /* rows worked on while they are near */
};
/* Called often: their bodies once. */
static void lay_turned(const uint16_t *x, int64_t step, int64_t rows, int64_t columns,
                       uint16_t *to)
{
    lay_turned_of(x, true, step, rows, columns, to);
}
static void lay_pairs(const uint16_t *x, int64_t step, int64_t rows, int64_t columns,
                      int64_t deep, uint16_t *to)
{
    lay_pairs_of(x, true, step, rows, columns, deep, to);
}

static const float log2_e = 1.44269504f, ln_2 = 0.693147181f;

/* Tiles along a head: as k of a product, as its columns. */
typedef struct {
    int64_t d, deep, wide;
} head_tiles;

static head_tiles head_tiles_of(int64_t d)
{
    return (head_tiles){ d, tiles_of(d, TILE_DEEP), tiles_of(d, TILE_ROWS) };
}

/* The parts of one thread's room; tiles of bf16 in u16, the rest f32. */
typedef struct {
    uint16_t *q, *k, *v, *p;
    float    *y, *s, *top, *sum;
    uint32_t *key; /* words of dropout, as below */
} ahead_room;
typedef struct {
    uint16_t *k, *v, *k_pairs, *q, *dy, *q_pairs, *dy_pairs, *p, *ds, *turned;
    float    *dk, *dv, *dq, *s, *dp, *lse, *dot;
    uint32_t *key, *times, *plus; /* of keys; of rows */
} back_room;

enum { Q_TALL = QROWS / 16, Q_DEEP = QROWS / 32, K_TALL = KEYS / 16, K_DEEP = KEYS / 32 };

static ahead_room ahead_room_of(head_tiles h, cutter *c)
{
    return (ahead_room){ .q   = cut_tiles(c, Q_TALL * h.deep),
                         .k   = cut_tiles(c, K_TALL * h.deep),
                         .v   = cut_tiles(c, K_DEEP * h.wide),
                         .p   = cut_tiles(c, PART / 16 * K_DEEP),
                         .y   = cut_floats(c, QROWS * h.wide * 16),
                         .s   = cut_floats(c, PART * KEYS),
                         .top = cut_floats(c, QROWS),
                         .sum = cut_floats(c, QROWS),
                         .key = cut(c, KEYS, sizeof(uint32_t)) };
}

static back_room back_room_of(head_tiles h, cutter *c)
{
    return (back_room){ .k        = cut_tiles(c, K_TALL * h.deep),
                        .v        = cut_tiles(c, K_TALL * h.deep),
                        .k_pairs  = cut_tiles(c, K_DEEP * h.wide),
                        .q        = cut_tiles(c, Q_TALL * h.deep),
                        .dy       = cut_tiles(c, Q_TALL * h.deep),
                        .q_pairs  = cut_tiles(c, Q_DEEP * h.wide),
                        .dy_pairs = cut_tiles(c, Q_DEEP * h.wide),
                        .p        = cut_tiles(c, PART / 16 * Q_DEEP),
                        .ds       = cut_tiles(c, PART / 16 * Q_DEEP),
                        .turned   = cut_tiles(c, Q_TALL * K_DEEP),
                        .dk       = cut_floats(c, KEYS * h.wide * 16),
                        .dv       = cut_floats(c, KEYS * h.wide * 16),
                        .dq       = cut_floats(c, QROWS * h.wide * 16),
                        .s        = cut_floats(c, PART * QROWS),
                        .dp       = cut_floats(c, PART * QROWS),
                        .lse      = cut_floats(c, QROWS),
                        .dot      = cut_floats(c, QROWS),
                        .key      = cut(c, KEYS, sizeof(uint32_t)),
                        .times    = cut(c, QROWS, sizeof(uint32_t)),
                        .plus     = cut(c, QROWS, sizeof(uint32_t)) };
}

static size_t attend_room(int64_t d, bool backward)
{
    cutter c = { 0 };

    if (backward) (void)back_room_of(head_tiles_of(d), &c);
    else (void)ahead_room_of(head_tiles_of(d), &c);
    return c.used;
}

/* rows of d f32, times share[row] where it is there, as bf16. */
static void give_halves(const float *x, int64_t wide, const float *share, int64_t rows,
                        int64_t d, uint16_t *to, int64_t step)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < d; i += VL)
            give(to, r * step + i, vf_load(x + r * wide + i) * (share ? share[r] : 1.0f), d - i,
                 true);
}

static void draw_keys(const tl_drop *d, int64_t first, int64_t keys, uint32_t *key)
{
    for (int64_t j = 0; j < tiles_of(keys, PART) * PART && d->bound > 0; j++)
        key[j] = tl_drop_key(d, first + j);
}

/* Which of sixteen numbers key times + plus dropout keeps. */
VEC __mmask16 keeps(const tl_drop *d, __m512i key, __m512i times, __m512i plus)
{
    return _mm512_cmpge_epu32_mask(_mm512_add_epi32(_mm512_mullo_epi32(key, times), plus),
                                   _mm512_set1_epi32((int32_t)d->bound));
}

/* Dropout of a row's probabilities, not scaled yet. */
static void drop_row(const tl_drop *d, int64_t row, const uint32_t *key, int64_t columns,
                     uint16_t *p)
{
    const tl_drop_row r     = tl_drop_row_of(d, row);
    const __m512i     times = _mm512_set1_epi32((int32_t)r.times);
    const __m512i     plus  = _mm512_set1_epi32((int32_t)r.plus);

    for (int64_t j = 0; j < columns; j += 2 * VL) {
        const __mmask32 low  = keeps(d, _mm512_loadu_si512(key + j), times, plus);
        const __mmask32 high = keeps(d, _mm512_loadu_si512(key + j + VL), times, plus);
        uint16_t       *line = p + j / 32 * TILE;
        _mm512_storeu_si512(line, _mm512_maskz_loadu_epi16(high << VL | low, line));
    }
}

/* The factor that makes of a score a power of two; capped ones have taken theirs already. */
static float power_factor(const tl_attention_attr *a)
{
    return a->softcap == 0.0f ? a->scale * log2_e : log2_e;
}

static vf capped(const tl_attention_attr *a, vf s)
{
    return a->softcap * vf_tanh(s * (a->scale / a->softcap));
}

/* The higher of two, in the lanes of m; else the first. */
VEC vf higher(__mmask16 m, vf most, vf x)
{
    return (vf)_mm512_mask_max_ps((__m512)most, m, (__m512)most, (__m512)x);
}

/* A row's scores, columns [0, columns) of which [low, high) are seen, as probabilities in bf16
 * under the new maximum; what was summed before is scaled to it. */
static void soften(const tl_attention_attr *a, float *s, int64_t columns, int64_t low,
                   int64_t high, uint16_t *p, float *top, float *sum, float *y, int64_t wide)
{
    const vf factor = vf_all(power_factor(a));
    vf       most[2] = { vf_all(-__builtin_inff()), vf_all(-__builtin_inff()) };
    vf       total   = vf_all(0.0f);

    for (int64_t j = 0; j < columns && a->softcap != 0.0f; j += VL)
        vf_store(s + j, capped(a, vf_load(s + j)));
    for (int64_t j = 0; j < columns; j += 2 * VL) {
        const __mmask32 m = lanes_between(j, low, high);
        most[0] = higher((__mmask16)m, most[0], vf_load(s + j) * factor);
        most[1] = higher((__mmask16)(m >> VL), most[1], vf_load(s + j + VL) * factor);
    }
    const float highest = vf_top(vf_max(most[0], most[1]));
    const float new     = highest > *top ? highest : *top;
    const float before  = *sum > 0.0f ? power_of_two(0xffff, vf_all(*top - new))[0] : 1.0f;
    const vf    down    = vf_all(-new);
    for (int64_t j = 0; j < columns; j += 2 * VL) {
        const __mmask32 m = lanes_between(j, low, high);
        const vf one = power_of_two((__mmask16)m, vf_fma(vf_load(s + j), factor, down));
        const vf two =
            power_of_two((__mmask16)(m >> VL), vf_fma(vf_load(s + j + VL), factor, down));
        total += one + two;
        vf_store((float *)(p + j / 32 * TILE), narrow_two(one, two));
    }
    for (int64_t i = 0; i < wide && before != 1.0f; i += VL)
        vf_store(y + i, vf_load(y + i) * before);
    *sum = *sum * before + vf_sum(total);
    *top = new;
}

/* Thirty-two queries or fewer with a block of keys.  Scores are made 32 columns at a time; what
 * lies beyond the keys may be anything: no query sees it. */
static void ahead_part(const tl_attend *t, const tl_sequence *s, int64_t first, int64_t head,
                       int64_t at, int64_t rows, int64_t k0, int64_t keys, head_tiles h,
                       const ahead_room *o)
{
    const int64_t wide = h.wide * 16, tall = tiles_of(rows, 16);
    int64_t       low, high, skip;

    tl_keys_seen(t->a, s, first + at, &low, &skip);
    tl_keys_seen(t->a, s, first + at + rows - 1, &skip, &high);
    low                   = TL_MAX(low - k0, 0) / PART * PART;
    high                  = TL_MIN(high - k0, keys);
    const int64_t columns = tiles_of(high - low, PART) * PART;
    if (low >= high) return;
    tiles_multiply(&(tile_product){ .tall   = tall,
                                    .wide   = columns / 16,
                                    .deep   = h.deep,
                                    LAID(o->q + at / 16 * h.deep * TILE, h.deep),
                                    .b      = o->k + low / 16 * h.deep * TILE,
                                    .b_step = h.deep,
                                    .c      = o->s,
                                    .step   = KEYS });
    for (int64_t r = 0; r < rows; r++) {
        uint16_t *p = o->p + r / 16 * K_DEEP * TILE + r % 16 * 32;
        int64_t   from, to;
        tl_keys_seen(t->a, s, first + at + r, &from, &to);
        from = TL_MAX(from - k0 - low, 0);
        to   = TL_MIN(to - k0, keys) - low;
        if (from < to)
            soften(t->a, o->s + r * KEYS, columns, from, to, p, o->top + at + r,
                   o->sum + at + r, o->y + (at + r) * wide, wide);
        else
            for (int64_t j = 0; j < columns; j += 32) memset(p + j / 32 * TILE, 0, 64);
        if (t->drop.bound > 0 && from < to)
            drop_row(&t->drop, (s->q + first + at + r) * t->h.heads + head, o->key + low,
                     columns, p);
    }
    tiles_multiply(&(tile_product){ .tall   = tall,
                                    .wide   = h.wide,
                                    .deep   = columns / 32,
                                    LAID(o->p, K_DEEP),
                                    .b      = o->v + low / 32 * TILE,
                                    .b_step = K_DEEP,
                                    .c      = o->y + at * wide,
                                    .step   = wide,
                                    .add    = true });
}

static void give_queries(const tl_attend *t, int64_t row, int64_t head, int64_t rows,
                         head_tiles h, const ahead_room *o)
{
    const int64_t step = t->h.heads * h.d;

    for (int64_t r = 0; r < rows && t->lse; r++)
        t->lse[(row + r) * t->h.heads + head] =
            o->sum[r] > 0.0f ? o->top[r] * ln_2 + vf_log(vf_all(o->sum[r]))[0] : 0.0f;
    for (int64_t r = 0; r < rows; r++)
        o->sum[r] = o->sum[r] > 0.0f ? t->drop.scale / o->sum[r] : 0.0f;
    if (t->y)
        give_halves(o->y, h.wide * 16, o->sum, rows, h.d,
                    (uint16_t *)t->y + row * step + head * h.d, step);
}

static void attend(const tl_attend *t, const tl_sequence *s, int64_t first, int64_t head,
                   void *room)
{
    const head_tiles h    = head_tiles_of(t->h.d);
    const ahead_room o    = ahead_room_of(h, &(cutter){ .at = room });
    const int64_t    rows = TL_MIN(QROWS, s->q_end - s->q - first);
    const int64_t    kv   = head / (t->h.heads / t->h.kv) * h.d, step = t->h.k_step;
    const uint16_t  *q    = t->q, *k = t->k, *v = t->v;
    int64_t          low, high, skip;

    tiles_begin();
    lay_rows(q + (s->q + first) * t->h.q_step + head * h.d, t->h.q_step, rows, h.d, o.q);
    memset(o.y, 0, (size_t)(QROWS * h.wide * 16) * sizeof *o.y);
    for (int64_t r = 0; r < rows; r++) o.top[r] = -__builtin_inff(), o.sum[r] = 0.0f;
    tl_keys_seen(t->a, s, first, &low, &skip);
    tl_keys_seen(t->a, s, first + rows - 1, &skip, &high);
    for (int64_t k0 = low; k0 < high; k0 += KEYS) {
        const int64_t keys = TL_MIN(KEYS, high - k0), at = (s->k + k0) * step + kv;
        lay_turned(k + at + t->h.k_at, step, keys, h.d, o.k);
        lay_pairs(v + at + t->h.v_at, step, keys, h.d, K_DEEP, o.v);
        draw_keys(&t->drop, s->k + k0, keys, o.key);
        for (int64_t r = 0; r < rows; r += PART)
            ahead_part(t, s, first, head, r, TL_MIN(PART, rows - r), k0, keys, h, &o);
    }
    tiles_end();
    give_queries(t, s->q + first, head, rows, h, &o);
}

/* Queries [*low, *high) of the block that begins at `first` that see key j. */
static void queries_seeing(const tl_attention_attr *a, const tl_sequence *s, int64_t j,
                           int64_t first, int64_t rows, int64_t *low, int64_t *high)
{
    const int64_t i = j - (s->k_end - s->k) + (s->q_end - s->q) - first; /* its own place */

    *low  = a->after < 0 ? 0 : TL_MIN(TL_MAX(i - a->after, 0), rows);
    *high = a->before < 0 ? rows : TL_MAX(TL_MIN(i + a->before + 1, rows), *low);
}

/* Sixteen queries of one key: the probability, and the gradient of the score. */
typedef struct {
    vf p, ds;
} cell;

VEC cell cell_of(const tl_attend *t, const back_room *o, int64_t part, int64_t row, int64_t c,
                 __mmask16 m, float factor)
{
    const tl_attention_attr *a = t->a;
    vf s = vf_load(o->s + row * QROWS + c), slope = vf_all(a->scale);
    vf dp = vf_load(o->dp + row * QROWS + c);

    if (a->softcap != 0.0f) {
        const vf share = capped(a, s) / a->softcap;
        s              = share * a->softcap;
        slope          = slope * (1.0f - share * share);
    }
    vf p = power_of_two(m, vf_fma(s, vf_all(factor), -vf_load(o->lse + c))), left = p;
    if (t->drop.bound > 0) {
        const __mmask16 k = keeps(&t->drop, _mm512_set1_epi32((int32_t)o->key[part + row]),
                                 _mm512_loadu_si512(o->times + c),
                                 _mm512_loadu_si512(o->plus + c));
        const __m512    share = _mm512_set1_ps(t->drop.scale);
        dp   = (vf)_mm512_maskz_mul_ps(k, (__m512)dp, share);
        left = (vf)_mm512_maskz_mul_ps(k, (__m512)p, share);
    }
    const vf ds = p * (dp - vf_load(o->dot + c));
    return (cell){ left, (vf)_mm512_maskz_mul_ps(m, (__m512)ds, (__m512)slope) };
}

/* Keys [part, part + 32) of a block, queries [c, c + 32): probabilities and gradients as left
 * operands whose rows are keys, gradients once more as one whose rows are queries. */
static void soften_square(const tl_attend *t, const tl_sequence *s, int64_t first,
                          int64_t rows, int64_t k0, int64_t keys, int64_t part, int64_t c,
                          const back_room *o)
{
    const float factor = power_factor(t->a);
    vf          pairs[2][VL];

    for (int64_t r = 0; r < PART; r += 2) {
        vf ds[2][2];
        for (int64_t i = 0; i < 2; i++) {
            const int64_t row = r + i, at = (row / 16 * Q_DEEP + c / 32) * TILE + row % 16 * 32;
            int64_t       low = 0, high = 0;
            if (part + row < keys)
                queries_seeing(t->a, s, k0 + part + row, first, rows, &low, &high);
            const __mmask32 m   = lanes_between(c, low, high);
            const cell      one = cell_of(t, o, part, row, c, (__mmask16)m, factor);
            const cell two = cell_of(t, o, part, row, c + VL, (__mmask16)(m >> VL), factor);
            ds[i][0] = one.ds, ds[i][1] = two.ds;
            vf_store((float *)(o->p + at), narrow_two(one.p, two.p));
            vf_store((float *)(o->ds + at), narrow_two(one.ds, two.ds));
        }
        for (int64_t i = 0; i < 2; i++) {
            const vf both  = narrow_two(ds[0][i], ds[1][i]);
            pairs[i][r / 2] = woven_low(
                both, (vf)_mm512_castsi256_si512(_mm512_extracti64x4_epi64((__m512i)both, 1)));
        }
    }
    for (int64_t i = 0; i < 2; i++)
        put_turned(pairs[i], o->turned + ((c / 16 + i) * K_DEEP + part / 32) * TILE);
}

/* Thirty-two keys with a block of queries: scores, gradients, what they give keys and values. */
static void back_part(const tl_attend *t, const tl_sequence *s, int64_t first, int64_t rows,
                      int64_t k0, int64_t keys, int64_t part, head_tiles h, const back_room *o)
{
    const int64_t wide = h.wide * 16, last = TL_MIN(part + PART, keys) - 1;
    int64_t       low, high, skip;

    queries_seeing(t->a, s, k0 + part, first, rows, &low, &skip);
    queries_seeing(t->a, s, k0 + last, first, rows, &skip, &high);
    low  = low / 32 * 32;
    high = tiles_of(TL_MAX(high, low), 32) * 32;
    for (int64_t c = 0; c < QROWS; c += 16)
        if (c < low || c >= high)
            memset(o->turned + (c / 16 * K_DEEP + part / 32) * TILE, 0,
                   TILE * sizeof *o->turned);
    if (low >= high) return;
    tile_product p = { .tall   = tiles_of(last + 1 - part, 16),
                       .wide   = (high - low) / 16,
                       .deep   = h.deep,
                       LAID(o->k + part / 16 * h.deep * TILE, h.deep),
                       .b      = o->q + low / 16 * h.deep * TILE,
                       .b_step = h.deep,
                       .c      = o->s + low,
                       .step   = QROWS };
    tiles_multiply(&p);
    p.a = o->v + part / 16 * h.deep * TILE;
    p.b = o->dy + low / 16 * h.deep * TILE;
    p.c = o->dp + low;
    tiles_multiply(&p);
    for (int64_t c = low; c < high; c += 32)
        soften_square(t, s, first, rows, k0, keys, part, c, o);
    p = (tile_product){ .tall   = p.tall,
                        .wide   = h.wide,
                        .deep   = (high - low) / 32,
                        LAID(o->p + low / 32 * TILE, Q_DEEP),
                        .b      = o->dy_pairs + low / 32 * TILE,
                        .b_step = Q_DEEP,
                        .c      = o->dv + part * wide,
                        .step   = wide,
                        .add    = true };
    tiles_multiply(&p);
    p.a = o->ds + low / 32 * TILE;
    p.b = o->q_pairs + low / 32 * TILE;
    p.c = o->dk + part * wide;
    tiles_multiply(&p);
}

/* Of each query the logarithm of its sum, to base 2, sum(dy y), and its words of dropout. */
static void lay_sums(const tl_attend *t, int64_t row, int64_t head, int64_t rows, int64_t d,
                     const back_room *o)
{
    for (int64_t r = 0; r < QROWS; r++) {
        const int64_t at  = (row + r) * t->h.heads + head;
        vf            dot = vf_all(0.0f);
        for (int64_t i = 0; i < d && r < rows; i += VL)
            dot = vf_fma(take(t->dy, at * d + i, d - i, true),
                         take(t->y, at * d + i, d - i, true), dot);
        o->lse[r] = r < rows ? t->lse[at] * log2_e : 0.0f;
        o->dot[r] = vf_sum(dot);
        if (t->drop.bound == 0) continue;
        const tl_drop_row drop = tl_drop_row_of(&t->drop, at);
        o->times[r]            = drop.times;
        o->plus[r]             = drop.plus;
    }
}

/* dq of a block of queries from one of keys: the only one gives it, several add. */
static void give_dq(const tl_attend *t, int64_t row, int64_t head, int64_t rows, int64_t keys,
                    bool only, head_tiles h, const back_room *o)
{
    const int64_t wide = h.wide * 16;

    tiles_multiply(&(tile_product){ .tall   = tiles_of(rows, 16),
                                    .wide   = h.wide,
                                    .deep   = tiles_of(keys, 32),
                                    TURNED(o->turned, K_DEEP),
                                    .b      = o->k_pairs,
                                    .b_step = K_DEEP,
                                    .c      = o->dq,
                                    .step   = wide });
    if (only) {
        give_halves(o->dq, wide, NULL, rows, h.d,
                    (uint16_t *)t->dq_out + row * t->h.q_step + head * h.d, t->h.q_step);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < h.d; i += VL) {
            float *to = t->dq + (row + r) * t->dq_step + head * h.d;
            give(to, i, take(to, i, h.d - i, false) + vf_load(o->dq + r * wide + i), h.d - i,
                 false);
        }
}

static void back_queries(const tl_attend *t, const tl_sequence *s, int64_t head,
                         int64_t first, int64_t k0, int64_t keys, bool only, head_tiles h,
                         const back_room *o)
{
    const int64_t   rows = TL_MIN(QROWS, s->q_end - s->q - first), row = s->q + first;
    const int64_t   dy_step = t->h.heads * h.d;
    const uint16_t *q       = (const uint16_t *)t->q + row * t->h.q_step + head * h.d;
    const uint16_t *dy      = (const uint16_t *)t->dy + (row * t->h.heads + head) * h.d;
    int64_t         low, high, skip;

    tl_keys_seen(t->a, s, first, &low, &skip);
    tl_keys_seen(t->a, s, first + rows - 1, &skip, &high);
    if (!only && (low >= k0 + keys || high <= k0)) return;
    lay_turned(q, t->h.q_step, rows, h.d, o->q);
    lay_turned(dy, dy_step, rows, h.d, o->dy);
    lay_pairs(q, t->h.q_step, rows, h.d, Q_DEEP, o->q_pairs);
    lay_pairs(dy, dy_step, rows, h.d, Q_DEEP, o->dy_pairs);
    lay_sums(t, row, head, rows, h.d, o);
    for (int64_t part = 0; part < keys; part += PART)
        back_part(t, s, first, rows, k0, keys, part, h, o);
    if (t->dq_out) give_dq(t, row, head, rows, keys, only, h, o);
}

/* dq of one sequence, columns [at, at + width), as bf16. */
static void tell_dq(const tl_attend *t, const tl_sequence *s, int64_t at, int64_t width)
{
    give_halves(t->dq + s->q * t->dq_step + at, t->dq_step, NULL, s->q_end - s->q, width,
                (uint16_t *)t->dq_out + s->q * t->h.q_step + at, t->h.q_step);
}

static void attend_grad(const tl_attend *t, const tl_sequence *s, int64_t kv, void *room)
{
    const head_tiles h     = head_tiles_of(t->h.d);
    const back_room  o     = back_room_of(h, &(cutter){ .at = room });
    const int64_t    group = t->h.heads / t->h.kv, end = s->k_end - s->k, step = t->h.k_step;
    const int64_t    wide  = h.wide * 16;
    const bool       only  = end > 0 && end <= KEYS;
    const uint16_t  *k = t->k, *v = t->v;

    if (!only && t->dq_out) tl_clear_dq(t, s, kv * group * h.d, group * h.d);
    tiles_begin();
    for (int64_t k0 = 0; k0 < end; k0 += KEYS) {
        const int64_t keys = TL_MIN(KEYS, end - k0);
        const int64_t at   = (s->k + k0) * step + t->h.k_at + kv * h.d;
        const int64_t at_v = at - t->h.k_at + t->h.v_at;
        lay_rows(k + at, step, keys, h.d, o.k);
        lay_rows(v + at_v, step, keys, h.d, o.v);
        lay_pairs(k + at, step, keys, h.d, K_DEEP, o.k_pairs);
        draw_keys(&t->drop, s->k + k0, keys, o.key);
        memset(o.dk, 0, (size_t)(KEYS * wide) * sizeof *o.dk);
        memset(o.dv, 0, (size_t)(KEYS * wide) * sizeof *o.dv);
        for (int64_t head = kv * group; head < (kv + 1) * group; head++)
            for (int64_t i = 0; i < s->q_end - s->q; i += QROWS)
                back_queries(t, s, head, i, k0, keys, only, h, &o);
        if (t->dk) give_halves(o.dk, wide, NULL, keys, h.d, (uint16_t *)t->dk + at, step);
        if (t->dv) give_halves(o.dv, wide, NULL, keys, h.d, (uint16_t *)t->dv + at_v, step);
    }
    tiles_end();
    if (!only && t->dq_out) tell_dq(t, s, kv * group * h.d, group * h.d);
}
#endif
