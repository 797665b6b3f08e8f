/* body_tiles.h -- products of tiles: how operands in bf16 are laid out for them, and the product
 * itself.  A tile of the left operand is 16 rows of 32 values of k; of the right one 16 pairs of k
 * by 16 columns, a column's pair side by side; of the result 16 rows of 16 f32.  Everything laid
 * out here is filled up with zeros, so that no edge is left to the products.
 * Source: Intel SDM, volume 1, chapter 18.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_TILES_H
#define TL_BACKEND_CPU_BODY_TILES_H
#include "backend/cpu/tiles.h"
#include "backend/cpu/vec_turn.h"

enum { TILE = 512 /* values of bf16 in a tile */, TILE_ROWS = 16, TILE_DEEP = 32 };

VEC int64_t tiles_of(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

/* Thirty-two f32 as bf16. */
VEC vf narrow_two(vf low, vf high)
{
    const __m512bh h = _mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    vf             v;

    memcpy(&v, &h, sizeof v);
    return v;
}

/* One 64-byte line: 32 values of bf16 from element `at` on, `left` of them there, zeros behind;
 * f32 are rounded. */
VEC vf line_of(const void *x, int64_t at, int64_t left, bool bf)
{
    if (left <= 0) return vf_all(0.0f);
    if (!bf)
        return narrow_two(take(x, at, left, false),
                          left > VL ? take(x, at + VL, left - VL, false) : vf_all(0.0f));
    if (left >= TILE_DEEP) return (vf)_mm512_loadu_ps((const uint16_t *)x + at);
    return (vf)_mm512_maskz_loadu_epi16((__mmask32)((1u << left) - 1u),
                                        (const uint16_t *)x + at);
}

/* x[rows][columns] as a left operand, k along the columns: tiles [rows][columns].  Memory is read
 * row by row here and below: that is what it is quick at. */
static void lay_rows(const uint16_t *x, int64_t step, int64_t rows, int64_t columns,
                            uint16_t *to)
{
    const int64_t deep = tiles_of(columns, TILE_DEEP);

    for (int64_t r = 0; r < tiles_of(rows, TILE_ROWS) * TILE_ROWS; r++) {
        uint16_t *out = to + r / TILE_ROWS * deep * TILE + r % TILE_ROWS * TILE_DEEP;
        for (int64_t c = 0; c < columns; c += TILE_DEEP, out += TILE)
            vf_store((float *)out,
                     line_of(x, r * step + c, r < rows ? columns - c : 0, true));
    }
}

/* x [rows][columns], f32 or bf16, as a right operand, turned, k along the columns: tiles
 * [rows][columns]. */
VEC void lay_turned_of(const void *x, bool bf, int64_t step, int64_t rows, int64_t columns,
                       uint16_t *to)
{
    for (int64_t r = 0; r < rows; r += TILE_ROWS)
        for (int64_t c = 0; c < columns; c += TILE_DEEP, to += TILE) {
            vf v[VL];
            UNROLL
            for (int i = 0; i < TILE_ROWS; i++)
                v[i] = r + i < rows ? line_of(x, (r + i) * step + c, columns - c, bf)
                                    : vf_all(0.0f);
            turn_lanes(v);
            UNROLL
            for (int i = 0; i < TILE_ROWS; i++)
                vf_store((float *)(to + i * TILE_DEEP), v[i]);
        }
}

/* Sixteen columns of two rows, side by side. */
VEC vf woven_from(int16_t column, vf a, vf b)
{
    const __m512i pair = _mm512_set1_epi32(32 << 16); /* b's behind a's */
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i both = _mm512_mullo_epi32(lane, _mm512_set1_epi32(0x10001));

    return (vf)_mm512_permutex2var_epi16(
        (__m512i)a, _mm512_add_epi16(_mm512_or_si512(both, pair), _mm512_set1_epi16(column)),
        (__m512i)b);
}
VEC vf woven_low(vf a, vf b)
{
    return woven_from(0, a, b);
}
VEC vf woven_high(vf a, vf b)
{
    return woven_from(TILE_ROWS, a, b);
}

/* x [rows][columns] as a right operand, k along the rows: tiles [columns][`deep` of k]. */
VEC void lay_pairs_of(const void *x, bool bf, int64_t step, int64_t rows, int64_t columns,
                      int64_t deep, uint16_t *to)
{
    for (int64_t r = 0; r < tiles_of(rows, TILE_DEEP) * TILE_DEEP; r += 2)
        for (int64_t c = 0; c < columns; c += 2 * TILE_ROWS) {
            const int64_t at = c / TILE_ROWS * deep * TILE + r * TILE_ROWS, left = columns - c;
            const vf      a  = line_of(x, r * step + c, r < rows ? left : 0, bf);
            const vf      b  = line_of(x, (r + 1) * step + c, r + 1 < rows ? left : 0, bf);
            vf_store((float *)(to + at), woven_low(a, b));
            if (left > TILE_ROWS) vf_store((float *)(to + at + deep * TILE), woven_high(a, b));
        }
}

/* Weights [rows][all columns] that lie as lay_turned_of lays them, `columns` of theirs from `first`
 * on as a right operand, k along the rows. */
static void lay_pairs_of_laid(const uint16_t *laid, int64_t all, int64_t rows, int64_t first,
                              int64_t columns, uint16_t *to)
{
    const int64_t across = tiles_of(all, TILE_DEEP), deep = tiles_of(rows, TILE_DEEP);

    for (int64_t r = 0; r < 2 * deep; r++)
        for (int64_t c = 0; c < columns; c += TILE_DEEP) {
            const uint16_t *from = laid + (r * across + (first + c) / TILE_DEEP) * TILE;
            uint16_t       *out  = to + (c / TILE_ROWS * deep + r / 2) * TILE + r % 2 * TILE / 2;
            vf              v[VL];
            UNROLL
            for (int i = 0; i < TILE_ROWS; i++)
                v[i] = r * TILE_ROWS < rows ? vf_load((const float *)(from + i * TILE_DEEP))
                                            : vf_all(0.0f);
            turn_lanes(v);
            UNROLL
            for (int i = 0; i < TILE_ROWS; i += 2, out += TILE_DEEP) {
                vf_store((float *)out, woven_low(v[i], v[i + 1]));
                if (columns - c > TILE_ROWS)
                    vf_store((float *)(out + deep * TILE), woven_high(v[i], v[i + 1]));
            }
        }
}

/* Sixteen columns of thirty-two rows, woven, as a tile of a left operand. */
static inline void put_turned(vf *pairs, uint16_t *to);

/* x [rows][columns] as a left operand, turned, k along the rows: tiles [columns][rows]. */
static void lay_columns(const uint16_t *x, int64_t step, int64_t rows, int64_t columns,
                        uint16_t *to)
{
    const int64_t deep = tiles_of(rows, TILE_DEEP);

    for (int64_t r = 0; r < rows; r += TILE_DEEP)
        for (int64_t c = 0; c < columns; c += 2 * TILE_ROWS) {
            vf v[2][VL];
            UNROLL
            for (int i = 0; i < VL; i++) {
                const int64_t at = r + 2 * i;
                const vf a = at < rows ? line_of(x, at * step + c, columns - c, true)
                                       : vf_all(0.0f);
                const vf b = at + 1 < rows ? line_of(x, (at + 1) * step + c, columns - c, true)
                                           : vf_all(0.0f);
                v[0][i] = woven_low(a, b);
                v[1][i] = woven_high(a, b);
            }
            for (int64_t half = 0; half < 2 && c + half * TILE_ROWS < columns; half++)
                put_turned(v[half], to + ((c / TILE_ROWS + half) * deep + r / TILE_DEEP) * TILE);
        }
}

/* A product of tiles: c [16 tall, 16 wide] (rows of `step` f32) = a b, or += it.  A row of a tile
 * of a is a_line values from the next, a pair of k a_pair, tiles a_next along k, a_step down; tile
 * (k, j) of b lies at (j * b_step + k) * TILE. */
typedef struct {
    int64_t         tall, wide, deep;
    const uint16_t *a, *b;
    int64_t         a_line, a_pair, a_next, a_step, b_step;
    float          *c;
    int64_t         step;
    bool            add;
    tl_ahead       *next; /* NULL: nothing */
} tile_product;

/* The operand a of tiles laid out here, `deep` of them a row; TURNED: by put_turned. */
#define LAID(at, deep_)                                                                          \
    .a = (at), .a_line = TILE_DEEP, .a_pair = 2, .a_next = TILE, .a_step = (deep_) * TILE

#if defined(__AMX_BF16__)
#include "backend/cpu/body_tile_amx.h"
#else
#include "backend/cpu/body_tile_vectors.h"
#endif

/* Hands out pieces of a thread's room; where there is none it only counts them. */
typedef struct {
    char  *at;
    size_t used;
} cutter;

static inline void *cut(cutter *c, int64_t count, size_t size)
{
    void *piece = c->at ? c->at + c->used : NULL;

    c->used += ((size_t)count * size + 63) / 64 * 64;
    return piece;
}
static inline uint16_t *cut_tiles(cutter *c, int64_t tiles)
{
    return cut(c, tiles * TILE, sizeof(uint16_t));
}
static inline float *cut_floats(cutter *c, int64_t count)
{
    return cut(c, count, sizeof(float));
}

/* 2^x of x <= 0, to three parts in a million, of which bf16 shows nothing; the lanes of `m`, 0
 * elsewhere.  Coefficients: least relative error of degree 4 on [-1/2, 1/2] (Remez). */
VEC vf power_of_two(__mmask16 m, vf x)
{
    x          = vf_max(vf_all(-126.0f), x); /* no subnormal numbers; a NaN stays one */
    const vf n = (vf)_mm512_roundscale_ps((__m512)x, 8); /* nearest */
    const vf r = x - n;
    vf       p = vf_all(9.570101911e-3f);

    p = vf_fma(p, r, vf_all(5.591786032e-2f));
    p = vf_fma(p, r, vf_all(2.402474483e-1f));
    p = vf_fma(p, r, vf_all(6.931218147e-1f));
    p = vf_fma(p, r, vf_all(9.999992614e-1f));
    return (vf)_mm512_maskz_scalef_ps(m, (__m512)p, (__m512)n);
}

/* Lanes [low, high) of the thirty-two from `at` on: mostly all of them. */
VEC __mmask32 lanes_between(int64_t at, int64_t low, int64_t high)
{
    const int64_t first = TL_MIN(TL_MAX(low - at, 0), 32), end = TL_MIN(TL_MAX(high - at, 0), 32);

    if (low <= at && high >= at + 32) return 0xffffffffu;
    return (__mmask32)((((uint64_t)1 << end) - 1u) & ~(((uint64_t)1 << first) - 1u));
}
#endif
