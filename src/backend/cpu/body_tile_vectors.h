/* body_tile_vectors.h -- the product of body_tiles.h by vectors that multiply pairs of bf16 and add
 * them to f32 (AVX-512 BF16): a pair of a row of a, in all lanes, meets a line of b, the pairs of
 * sixteen columns.  Eight rows by two tiles of columns stay in registers along all of k.
 * Source: Intel SDM, volume 2, VDPBF16PS.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_TILE_VECTORS_H
#define TL_BACKEND_CPU_BODY_TILE_VECTORS_H
#include "backend/cpu/body_tiles.h"

enum {
    NEAR_DEEP    = 1 << 20,   /* tiles along k that are worked on at once: all           */
    NEAR_BYTES   = 768 << 10, /* of the right operand in one call                        */
    AT_ONCE      = 2,         /* tiles of columns whose sums are made before any goes on */
    CONV_DW_ROWS = 2048,      /* see tiles.h */
    CONV_DX_ROWS = 0,
    ROWS         = 8, /* of the result in registers */
    PAIRS        = TILE_DEEP / 2
};

static inline void tiles_begin(void)
{
}
static inline void tiles_end(void)
{
}

/* Rows are few at a time. */
static inline bool tiles_crowd(int64_t line)
{
    (void)line;
    return false;
}

/* It is written soon. */
static inline void tiles_expect(const uint16_t *line)
{
    __builtin_prefetch(line, 1);
}

VEC void ask_ahead(tl_ahead *next)
{
    if (!next || next->rows <= 0) return;
    __builtin_prefetch(next->at + next->asked);
    next->asked += TILE_DEEP;
    if (next->asked < next->row) return;
    next->asked = 0;
    next->at += next->line;
    next->rows--;
}

/* Any step will do from a pair of k to the next. */
#define TURNED(at, deep_)                                                                        \
    .a = (at), .a_line = 2, .a_pair = TILE_DEEP, .a_next = TILE, .a_step = (deep_) * TILE
static inline void put_turned(vf *pairs, uint16_t *to)
{
    for (int i = 0; i < VL; i++) vf_store((float *)(to + i * TILE_DEEP), pairs[i]);
}

/* Two values of a row, in all lanes. */
VEC __m512bh pair_of(const uint16_t *a)
{
    int32_t pair;

    memcpy(&pair, a, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
}
VEC __m512bh pairs_of(const uint16_t *b)
{
    return (__m512bh)_mm512_loadu_si512(b);
}

/* A pair of k of eight rows, `line` values from one to the next, with columns of a tile or two. */
VEC void add_pair(__m512 (*sum)[2], const uint16_t *a, int64_t line, __m512bh one, __m512bh two,
                  const int wide)
{
    UNROLL
    for (int r = 0; r < ROWS; r++) {
        const __m512bh x = pair_of(a + r * line);
        sum[r][0]        = _mm512_dpbf16_ps(sum[r][0], x, one);
        if (wide > 1) sum[r][1] = _mm512_dpbf16_ps(sum[r][1], x, two);
    }
}

/* Eight rows of the result, of one tile or of two. */
VEC void tile_rows(const tile_product *p, const uint16_t *a, const uint16_t *b, float *c,
                   const int wide)
{
    __m512 sum[ROWS][2];

    UNROLL
    for (int r = 0; r < ROWS; r++)
        for (int w = 0; w < wide; w++)
            sum[r][w] = p->add ? _mm512_loadu_ps(c + r * p->step + w * TILE_ROWS)
                               : _mm512_setzero_ps();
    for (int64_t k = 0; k < p->deep; k++, a += p->a_next, b += TILE) {
        ask_ahead(p->next);
        for (int i = 0; i < PAIRS; i++) {
            const __m512bh one = pairs_of(b + i * TILE_DEEP);
            const __m512bh two = wide > 1 ? pairs_of(b + p->b_step * TILE + i * TILE_DEEP) : one;
            add_pair(sum, a + i * p->a_pair, p->a_line, one, two, wide);
        }
    }
    UNROLL
    for (int r = 0; r < ROWS; r++)
        for (int w = 0; w < wide; w++)
            _mm512_storeu_ps(c + r * p->step + w * TILE_ROWS, sum[r][w]);
}

static void tiles_multiply(const tile_product *p)
{
    for (int64_t j = 0; j < p->wide; j += 2)
        for (int64_t i = 0; i < 2 * p->tall; i++) {
            const uint16_t *a = p->a + i / 2 * p->a_step + i % 2 * ROWS * p->a_line;
            const uint16_t *b = p->b + j * p->b_step * TILE;
            float          *c = p->c + i * ROWS * p->step + j * TILE_ROWS;
            if (j + 1 < p->wide) tile_rows(p, a, b, c, 2);
            else tile_rows(p, a, b, c, 1);
        }
}
#endif
