/* body_window.h -- weight gradients of convolutions by vectors that multiply pairs of bf16: pairs
 * are neighbours along a row of pixels, so that a tap of the window only moves where reading
 * begins.  A body of tiles.h's table.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_WINDOW_H
#define TL_BACKEND_CPU_BODY_WINDOW_H
#include "backend/cpu/body_tiles.h"

static void weave_row(const tl_pixel_row *row, int64_t channels, uint16_t *to, int64_t tile)
{
    for (int64_t j = 0; j < row->pairs; j++, to += TILE_DEEP) {
        const int64_t   at[2]   = { row->first + 2 * j * row->step,
                                    row->first + (2 * j + 1) * row->step };
        const bool      there[] = { at[0] >= 0 && at[0] < row->pixels,
                                    at[1] >= 0 && at[1] < row->pixels };
        const uint16_t *x       = row->x;
        for (int64_t c = 0; c < channels; c += 2 * TILE_ROWS) {
            const int64_t left = channels - c;
            const vf a = line_of(x, at[0] * row->line + c, there[0] ? left : 0, true);
            const vf b = line_of(x, at[1] * row->line + c, there[1] ? left : 0, true);
            vf_store((float *)(to + c / TILE_ROWS * tile), woven_low(a, b));
            vf_store((float *)(to + (c / TILE_ROWS + 1) * tile), woven_high(a, b));
        }
    }
}

/* Eight output channels, thirty-two input channels, one tap. */
VEC void tap_rows(const tl_tap *w, const uint16_t *a, float *c)
{
    __m512 sum[ROWS][2];

    UNROLL
    for (int r = 0; r < ROWS; r++) {
        sum[r][0] = _mm512_loadu_ps(c + r * 2 * VL);
        sum[r][1] = _mm512_loadu_ps(c + r * 2 * VL + VL);
    }
    for (int64_t p = 0; p < w->pictures; p++)
        for (int64_t run = 0; run < w->runs; run++) {
            const uint16_t *x = a + p * w->a_picture + run * w->a_run;
            const uint16_t *y = w->b + p * w->b_picture + run * w->b_run;
            for (int64_t j = 0; j < w->pairs; j++, x += TILE_DEEP, y += TILE_DEEP) {
                ask_ahead(w->next);
                add_pair(sum, x, 2, pairs_of(y), pairs_of(y + w->b_tile), 2);
            }
        }
    UNROLL
    for (int r = 0; r < ROWS; r++) {
        _mm512_storeu_ps(c + r * 2 * VL, sum[r][0]);
        _mm512_storeu_ps(c + r * 2 * VL + VL, sum[r][1]);
    }
}

static void tap_sums(const tl_tap *w)
{
    for (int64_t o = 0; o < TILE_ROWS; o += ROWS)
        tap_rows(w, w->a + 2 * o, w->c + o * 2 * VL);
}
#endif
