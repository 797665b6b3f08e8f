/* body_tile_amx.h -- the product of body_tiles.h by the machine's own tiles (AMX).
 * Source: Intel SDM, volume 1, chapter 18.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_TILE_AMX_H
#define TL_BACKEND_CPU_BODY_TILE_AMX_H
#include "backend/cpu/body_tiles.h"

enum {
    NEAR_DEEP    = 16,         /* tiles along k that are worked on at once                */
    NEAR_BYTES   = 1024 << 10, /* of the right operand in one call                        */
    AT_ONCE      = 1 << 20,    /* tiles of columns whose sums are made before any goes on */
    CONV_DW_ROWS = 32768,      /* see tiles.h */
    CONV_DX_ROWS = 8192
};

typedef struct {
    uint8_t  palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t  rows[16];
} tile_shapes;

/* All eight tiles of full size.  Between begin and end no library may be called. */
static inline void tiles_begin(void)
{
    tile_shapes s = { .palette = 1 };

    for (int i = 0; i < 8; i++) s.row_bytes[i] = 64, s.rows[i] = TILE_ROWS;
    __asm__ volatile("" ::"m"(s) : "memory");
    _tile_loadconfig(&s);
}
static inline void tiles_end(void)
{
    _tile_release();
}

/* Do lines of so many values fall into the same places of the first cache? */
static inline bool tiles_crowd(int64_t line)
{
    return line % 512 == 0;
}

/* Tiles wait for many lines at once as it is. */
static inline void tiles_expect(const uint16_t *line)
{
    (void)line;
}

/* Pairs of k lie along a row of a tile. */
#define TURNED(at, deep_) LAID(at, deep_)
static inline void put_turned(vf *pairs, uint16_t *to)
{
    turn_lanes(pairs);
    for (int i = 0; i < VL; i++) vf_store((float *)(to + i * TILE_DEEP), pairs[i]);
}

/* Up to two by two tiles of the result. */
VEC void tile_square(const tile_product *p, const uint16_t *a, const uint16_t *b, float *c,
                     bool tall, bool wide)
{
    const uint16_t *a2 = a + p->a_step, *b2 = b + p->b_step * TILE;
    float          *c2   = c + TILE_ROWS * p->step;
    const int64_t   line = p->step * (int64_t)sizeof *c, a_line = 2 * p->a_line;

    if (p->add) {
        _tile_loadd(0, c, line);
        if (wide) _tile_loadd(1, c + TILE_ROWS, line);
        if (tall) _tile_loadd(2, c2, line);
        if (tall && wide) _tile_loadd(3, c2 + TILE_ROWS, line);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t k = 0; k < p->deep; k++, a += p->a_next, a2 += p->a_next) {
        _tile_loadd(6, b + k * TILE, 64);
        _tile_loadd(4, a, a_line);
        _tile_dpbf16ps(0, 4, 6);
        if (wide) _tile_loadd(7, b2 + k * TILE, 64);
        if (wide) _tile_dpbf16ps(1, 4, 7);
        if (tall) _tile_loadd(5, a2, a_line);
        if (tall) _tile_dpbf16ps(2, 5, 6);
        if (tall && wide) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, line);
    if (wide) _tile_stored(1, c + TILE_ROWS, line);
    if (tall) _tile_stored(2, c2, line);
    if (tall && wide) _tile_stored(3, c2 + TILE_ROWS, line);
}

static void tiles_multiply(const tile_product *p)
{
    __asm__ volatile("" ::: "memory"); /* gcc does not know that tiles are read from memory */
    for (int64_t i = 0; i < p->tall; i += 2)
        for (int64_t j = 0; j < p->wide; j += 2) {
            const uint16_t *a = p->a + i * p->a_step, *b = p->b + j * p->b_step * TILE;
            float          *c = p->c + i * TILE_ROWS * p->step + j * TILE_ROWS;
            const bool      tall = i + 1 < p->tall, wide = j + 1 < p->wide;
            if (tall && wide) tile_square(p, a, b, c, true, true);
            else if (tall) tile_square(p, a, b, c, true, false);
            else if (wide) tile_square(p, a, b, c, false, true);
            else tile_square(p, a, b, c, false, false);
        }
}
#endif
