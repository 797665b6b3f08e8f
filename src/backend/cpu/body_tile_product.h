/* body_tile_product.h -- products of matrices of bf16 by tiles.  The right operand's columns of one
 * call are laid out first, rounded where they are f32; then 32 rows of the left one at a time, read
 * as they lie where their lines do not crowd the first cache, meet all of them, along pieces of k
 * that stay near.  A sum runs over k in order.  A body of tiles.h's table.
 * Source: Goto and van de Geijn 2008 for the blocking.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_TILE_PRODUCT_H
#define TL_BACKEND_CPU_BODY_TILE_PRODUCT_H
#include "backend/cpu/body_act.h"
#include "backend/cpu/body_tiles.h"
#include "backend/cpu/tiles.h"

enum {
    STRIP_ROWS = 32,
    NEAR_DEEP  = 16,     /* tiles along k that are worked on at once */
    NEAR_BYTES = 1024 << 10 /* of the right operand in one call         */
};

/* The parts of one thread's room. */
typedef struct {
    uint16_t *a, *b;
    float    *c;
} product_room;

static product_room product_room_of(const tl_tile_product *p, int64_t columns, cutter *c)
{
    const int64_t deep = tiles_of(p->k, TILE_DEEP), wide = tiles_of(columns, TILE_ROWS);

    return (product_room){ .a = cut_tiles(c, 2 * deep),
                           .b = cut_tiles(c, wide * deep),
                           .c = cut_floats(c, STRIP_ROWS * wide * TILE_ROWS) };
}

/* Even pieces of at most what stays near, as many for each thread, in whole tiles. */
static int64_t product_columns(const tl_tile_product *p, int threads)
{
    const int64_t tiles = tiles_of(p->n, 2 * TILE_ROWS);
    const int64_t line  = tiles_of(p->k, TILE_DEEP) * TILE * 2 * (int64_t)sizeof(uint16_t);
    const int64_t most  = TL_MAX(1, NEAR_BYTES / line);
    const int64_t parts = tiles_of(tiles_of(tiles, most), threads) * threads;

    return tiles_of(tiles, parts) * 2 * TILE_ROWS;
}

static size_t product_bytes(const tl_tile_product *p, int64_t columns)
{
    cutter c = { 0 };

    (void)product_room_of(p, columns, &c);
    return c.used;
}

static void lay_right(const tl_tile_product *p, int64_t first, int64_t columns, uint16_t *to)
{
    const int64_t deep = tiles_of(p->k, TILE_DEEP);
    const float  *wide = p->b;

    if (p->laid)
        lay_pairs_of_laid(p->laid, p->n, p->k, first, columns, to);
    else if (p->b_turned)
        lay_turned_of(wide + first * p->k, false, p->k, columns, p->k, to);
    else if (p->b_bf)
        lay_pairs_of((const uint16_t *)p->b + first, true, p->n, p->k, columns, deep, to);
    else
        lay_pairs_of(wide + first, false, p->n, p->k, columns, deep, to);
}

/* Weights [n k] as the right operand of a product along k, some of their rows of tiles. */
static void lay_weights(const float *w, int64_t n, int64_t k, int64_t low, int64_t high,
                        uint16_t *to)
{
    const int64_t first = low * TILE_ROWS;

    lay_turned_of(w + first * k, false, k, TL_MIN(high * TILE_ROWS, n) - first, k,
                  to + low * tiles_of(k, TILE_DEEP) * TILE);
}

static int64_t laid_rows(int64_t n)
{
    return tiles_of(n, TILE_ROWS);
}

static size_t laid_bytes(int64_t n, int64_t k)
{
    return (size_t)(laid_rows(n) * tiles_of(k, TILE_DEEP) * TILE) * sizeof(uint16_t);
}

static int64_t left_strips(int64_t m)
{
    return tiles_of(m, STRIP_ROWS);
}

static size_t left_bytes(int64_t m, int64_t k)
{
    return (size_t)(left_strips(m) * 2 * tiles_of(k, TILE_DEEP) * TILE) * sizeof(uint16_t);
}

static void lay_left(const uint16_t *a, int64_t line, int64_t m, int64_t k, int64_t low,
                     int64_t high, uint16_t *to)
{
    for (int64_t s = low; s < high; s++)
        lay_columns(a + s * STRIP_ROWS, line, k, TL_MIN(STRIP_ROWS, m - s * STRIP_ROWS),
                    to + s * 2 * tiles_of(k, TILE_DEEP) * TILE);
}

static int64_t line_of_left(const tl_tile_product *p)
{
    return p->a_line ? p->a_line : p->a_turned ? p->m : p->k;
}

/* Rows of whole tiles whose lines fall into different places of the first cache are read as they
 * lie; others are laid out. */
static bool lies_well(const tl_tile_product *p, int64_t rows)
{
    return !p->a_turned && rows == STRIP_ROWS && p->k % TILE_DEEP == 0 &&
           line_of_left(p) % 512 != 0;
}

/* A strip of rows with all columns of the call; sums into c. */
static void strip_sums(const tl_tile_product *p, int64_t row, int64_t rows, int64_t wide,
                       const product_room *o)
{
    const int64_t deep = tiles_of(p->k, TILE_DEEP);
    const int64_t near = tiles_of(deep, tiles_of(deep, NEAR_DEEP)), line = line_of_left(p);
    tile_product  t    = { LAID(o->a, deep),
                           .tall   = tiles_of(rows, TILE_ROWS),
                           .wide   = wide,
                           .b_step = deep,
                           .c      = o->c,
                           .step   = wide * TILE_ROWS };

    if (p->a_laid) {
        t.a = p->a + row / STRIP_ROWS * 2 * deep * TILE;
    } else if (lies_well(p, rows)) {
        t.a      = p->a + row * line;
        t.a_line = line;
        t.a_next = TILE_DEEP;
        t.a_step = TILE_ROWS * line;
    } else if (p->a_turned) {
        lay_columns(p->a + row, line, p->k, rows, o->a);
    } else {
        lay_rows(p->a + row * line, line, rows, p->k, o->a);
    }
    const uint16_t *a = t.a;
    for (int64_t k = 0; k < deep; k += near) {
        t.a    = a + k * t.a_next;
        t.b    = o->b + k * TILE;
        t.deep = TL_MIN(near, deep - k);
        t.add  = k > 0;
        tiles_multiply(&t);
    }
}

/* n f32 that will not be read soon, past the caches where they lie in whole lines. */
static void put_far(float *to, const float *x, int64_t n)
{
    int64_t i = 0;

    if ((uintptr_t)to % 64 == 0)
        for (; i + VL <= n; i += VL) _mm512_stream_ps(to + i, (__m512)vf_load(x + i));
    for (; i < n; i += VL) give(to, i, take(x, i, n - i, false), n - i, false);
}

/* A curve has the bits that it has as an op of its own, which reads the sum as bf16. */
VEC vf ended(const tl_tile_product *p, vf v)
{
    if (p->c_bf && TL_TILE_ENDS >> p->act & 1)
        return value_for(p->act, vf_widen(vf_narrow(v)), true);
    return act_value(p->act, v);
}

static void put_strip(const tl_tile_product *p, int64_t row, int64_t rows, int64_t first,
                      int64_t columns, int64_t wide, const float *c)
{
    for (int64_t r = 0; r < rows; r++, c += wide * TILE_ROWS) {
        const int64_t at = (row + r) * p->n + first;
        if (!p->c_bf && !p->adds && !p->bias && p->act == TL_ACT_NONE) {
            put_far((float *)p->c + at, c, columns);
            continue;
        }
        for (int64_t j = 0; j < columns; j += VL) {
            vf v = vf_load(c + j);
            if (p->bias) v += take(p->bias, first + j, columns - j, false);
            if (p->adds) v += take(p->c, at + j, columns - j, false);
            give(p->c, at + j, ended(p, v), columns - j, p->c_bf);
        }
    }
}

static void tile_product_columns(const tl_tile_product *p, int64_t first, int64_t columns,
                                 void *room)
{
    product_room  o    = product_room_of(p, columns, &(cutter){ .at = room });
    const int64_t wide = tiles_of(columns, TILE_ROWS);

    if (p->laid && p->b_turned) /* only read */
        o.b = (uint16_t *)(uintptr_t)p->laid + first / TILE_ROWS * tiles_of(p->k, TILE_DEEP) * TILE;
    else lay_right(p, first, columns, o.b);
    tiles_begin();
    for (int64_t row = 0; row < p->m; row += STRIP_ROWS) {
        const int64_t rows = TL_MIN(STRIP_ROWS, p->m - row);
        strip_sums(p, row, rows, wide, &o);
        put_strip(p, row, rows, first, columns, wide, o.c);
    }
    tiles_end();
    _mm_sfence();
}
#endif
