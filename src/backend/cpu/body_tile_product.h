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

enum { STRIP_ROWS = 32 };

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

/* Rows of whole tiles whose lines do not crowd the first cache are read as they lie; others are
 * laid out. */
static bool lies_well(const tl_tile_product *p, int64_t rows)
{
    return !p->a_turned && rows == STRIP_ROWS && p->k % TILE_DEEP == 0 &&
           !tiles_crowd(line_of_left(p));
}

/* The left operand of a strip of rows, laid out where it must be. */
static tile_product strip_product(const tl_tile_product *p, int64_t row, int64_t rows,
                                  const product_room *o)
{
    const int64_t deep = tiles_of(p->k, TILE_DEEP), line = line_of_left(p);
    tile_product  t    = { LAID(o->a, deep) };

    if (p->a_laid || p->a_turned) t = (tile_product){ TURNED(o->a, deep) };
    t.tall   = tiles_of(rows, TILE_ROWS);
    t.b_step = deep;
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
    return t;
}

/* What the next strip reads of the left operand. */
static tl_ahead next_strip(const tl_tile_product *p, int64_t row)
{
    const int64_t   deep = tiles_of(p->k, TILE_DEEP), line = line_of_left(p);
    const int64_t   rows = TL_MIN(STRIP_ROWS, p->m - row);
    const uint16_t *a    = p->a;

    if (rows <= 0) return (tl_ahead){ 0 };
    if (p->a_laid)
        return (tl_ahead){ .at   = a + row / STRIP_ROWS * 2 * deep * TILE,
                           .rows = 1,
                           .row  = 2 * deep * TILE };
    return (tl_ahead){ .at   = p->a_turned ? a + row : a + row * line,
                       .rows = p->a_turned ? p->k : rows,
                       .row  = p->a_turned ? rows : p->k,
                       .line = line };
}

/* The strip's sums in some columns of the call, along pieces of k. */
static void strip_sums(const tl_tile_product *p, tile_product t, int64_t first, int64_t wide,
                       const product_room *o)
{
    const int64_t   deep = tiles_of(p->k, TILE_DEEP);
    const int64_t   near = tiles_of(deep, tiles_of(deep, NEAR_DEEP));
    const uint16_t *a    = t.a, *b = o->b + first * deep * TILE;

    t.wide = wide;
    t.c    = o->c;
    t.step = wide * TILE_ROWS;
    for (int64_t k = 0; k < deep; k += near) {
        t.a    = a + k * t.a_next;
        t.b    = b + k * TILE;
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
VEC vf ended(tl_activation act, bool bf, vf v)
{
    if (bf && TL_TILE_ENDS >> act & 1) return value_for(act, vf_widen(vf_narrow(v)), true);
    return act_value(act, v);
}

/* The lines that results go to, where they are not written past the caches. */
static void expect_strip(const tl_tile_product *p, int64_t row, int64_t rows, int64_t first)
{
    if (!p->c_bf) return;
    for (int64_t r = 0; r < rows; r++)
        tiles_expect((const uint16_t *)p->c + (row + r) * p->n + first);
}

/* Two tiles of columns, full, as bf16. */
VEC void put_pairs(const tl_tile_product *p, tl_activation act, int64_t row, int64_t rows,
                   int64_t first, int64_t step, const float *c)
{
    const vf  none = vf_all(0.0f);
    const vf  bias[2] = { p->bias ? vf_load(p->bias + first) : none,
                          p->bias ? vf_load(p->bias + first + VL) : none };
    uint16_t *to = (uint16_t *)p->c + row * p->n + first;

    for (int64_t r = 0; r < rows; r++, c += step, to += p->n)
        vf_store((float *)to, narrow_two(ended(act, true, vf_load(c) + bias[0]),
                                         ended(act, true, vf_load(c + VL) + bias[1])));
}

static void put_strip(const tl_tile_product *p, int64_t row, int64_t rows, int64_t first,
                      int64_t columns, int64_t wide, const float *c)
{
    if (p->c_bf && columns == 2 * VL) {
        if (p->act == TL_ACT_NONE) put_pairs(p, TL_ACT_NONE, row, rows, first, 2 * VL, c);
        else put_pairs(p, p->act, row, rows, first, 2 * VL, c);
        return;
    }
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
            give(p->c, at + j, ended(p->act, p->c_bf, v), columns - j, p->c_bf);
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
        tile_product  t    = strip_product(p, row, rows, &o);
        tl_ahead      next = next_strip(p, row + STRIP_ROWS);
        t.next             = &next;
        for (int64_t j = 0, some; j < wide; j += some) {
            some              = TL_MIN(AT_ONCE, wide - j);
            const int64_t low = j * TILE_ROWS, left = TL_MIN(some * TILE_ROWS, columns - low);
            expect_strip(p, row, rows, first + low);
            strip_sums(p, t, j, some, &o);
            put_strip(p, row, rows, first + low, left, some, o.c);
        }
    }
    tiles_end();
    _mm_sfence();
}
#endif
