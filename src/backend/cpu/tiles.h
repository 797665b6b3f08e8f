/* tiles.h -- bodies for machines that multiply bf16, by tiles of their own (AMX) or by vectors that
 * make the same tiles (AVX-512 BF16), beside the table of simd.h: each takes the place of one that
 * the table has, or of a library's product.  As there, a sum's order depends on shapes alone.
 * Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_TILES_H
#define TL_BACKEND_CPU_TILES_H
#include "backend/cpu/simd.h"

/* c [m n] = act(a b + bias), of bf16; sums in f32. */
typedef struct {
    int64_t         m, n, k;
    const uint16_t *a;
    bool            a_turned; /* it lies as [k m]                                          */
    int64_t         a_line;   /* from one of its lines to the next; 0: they are dense      */
    bool            a_laid;   /* it lies as lay_left made it                               */
    const void     *b;        /* bf16 as [k n] where b_bf; else f32, rounded               */
    bool            b_bf, b_turned; /* turned: f32 that lie as [n k]                       */
    const uint16_t *laid;     /* in the place of b: as lay made it of [n k], of [k n] where b is
                                 not turned; NULL: b                                       */
    void           *c;
    bool            c_bf, adds; /* adds: c f32, +=; without bias and act */
    const float    *bias; /* NULL or [n] */
    tl_activation   act;
} tl_tile_product;

/* Pixels of a row that lie `line` values apart, two side by side: `first`, + step, ...; those
 * outside [0, pixels) are zeros. */
typedef struct {
    const uint16_t *x;
    int64_t         line, pixels, first, step, pairs;
} tl_pixel_row;

/* Rows of bf16 that come next, which may be asked for along the way. */
typedef struct {
    const uint16_t *at;
    int64_t         rows, row, line; /* rows left, values of each, from one to the next */
    int64_t         asked;           /* values of the row that is at `at`               */
} tl_ahead;

/* What sixteen output channels of woven rows gain from thirty-two input channels through one tap:
 * c [16 32] +=, along `runs` of so many pairs in each picture. */
typedef struct {
    int64_t         pictures, runs, pairs;
    const uint16_t *a, *b; /* lines of sixteen channels' pairs */
    int64_t         a_picture, a_run, b_picture, b_run, b_tile;
    float          *c;
    tl_ahead       *next; /* NULL: nothing */
} tl_tap;

enum {
    TL_FROZEN_ROWS = 64, /* with fewer a copy of frozen weights is not worth laying out */
    TL_TILE_ENDS   = 1 << TL_ACT_GELU | 1 << TL_ACT_GELU_TANH | 1 << TL_ACT_SILU
};

typedef struct {
    /* pixels of a convolution's dy, and, without strides, of dx: with more a library is as fast */
    int64_t conv_dw_rows, conv_dx_rows;

    /* as in simd.h, activations in bf16 only; the gradient writes t->dq_out itself; room: of one
     * thread, attend_room(values of a head, backward) bytes */
    int64_t attend_rows;
    size_t (*attend_room)(int64_t d, bool backward);
    void (*attend)(const tl_attend *t, const tl_sequence *s, int64_t first, int64_t head,
                   void *room);
    void (*attend_grad)(const tl_attend *t, const tl_sequence *s, int64_t kv, void *room);

    /* how many columns are best made at once; room for that many; columns [first, + columns) */
    int64_t (*product_columns)(const tl_tile_product *p, int threads);
    size_t (*product_bytes)(const tl_tile_product *p, int64_t columns);
    /* weights [n k] rounded and laid out once: rows [low, high) of laid_rows(n) */
    int64_t (*laid_rows)(int64_t n);
    size_t (*laid_bytes)(int64_t n, int64_t k);
    void (*lay)(const float *w, int64_t n, int64_t k, int64_t low, int64_t high, uint16_t *to);
    /* a left operand [k m] (lines of `line` values) laid out once: strips [low, high) of
     * left_strips(m), left_bytes in all */
    int64_t (*left_strips)(int64_t m);
    size_t (*left_bytes)(int64_t m, int64_t k);
    void (*lay_left)(const uint16_t *a, int64_t line, int64_t m, int64_t k, int64_t low,
                     int64_t high, uint16_t *to);
    void (*product)(const tl_tile_product *p, int64_t first, int64_t columns, void *room);

    /* NULL where tiles are the machine's own; channels: a multiple of 32 of them is written, in
     * tiles of sixteen, `tile` values apart */
    void (*weave_row)(const tl_pixel_row *row, int64_t channels, uint16_t *to, int64_t tile);
    void (*tap_sums)(const tl_tap *w);
} tl_tiles;

const tl_tiles *tl_tiles_best(void);               /* NULL: this machine, or build, has none    */
const tl_tiles *tl_tiles_of(const void *state);    /* a call's state, if it is one of them      */
#endif
