/* taps.h -- which pixels of two maps meet through a tap of a convolution's window.
 * Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_TAPS_H
#define TL_BACKEND_CPU_TAPS_H
#include "core/core.h"

#include <stdint.h>
#include <string.h>

/* Height and width of the map whose pixels are asked about and of the one that they meet; a place
 * in the other is the own one times step plus shift. */
typedef struct { int64_t own[2], other[2], step[2], shift[2]; } tl_meeting;

/* The pixel, counted over all pictures, that pixel `at` meets; -1: padding. */
static inline int64_t tl_meets(const tl_meeting *m, int64_t at)
{
    const int64_t row = at / m->own[1], y = row % m->own[0] * m->step[0] + m->shift[0],
                  x = at % m->own[1] * m->step[1] + m->shift[1];

    if (y < 0 || y >= m->other[0] || x < 0 || x >= m->other[1]) return -1;
    return (row / m->own[0] * m->other[0] + y) * m->other[1] + x;
}

/* dw as it was made, [taps][outs][n], `tap` from one tap to the next and `line` from an output to
 * the next, to its places [outs][n][taps], `to_line` from an output to the next.  Taps lie so far
 * apart, and by such round numbers, that a cache would hold few of them: they come by whole lines.
 */
static inline void tl_put_taps(const float *made, int64_t tap, int64_t line, int64_t taps,
                               int64_t outs, int64_t n, float *to, int64_t to_line)
{
    enum { AT_ONCE = 16 };
    float near[AT_ONCE][16];

    for (int64_t o = 0; o < outs; o++, made += line, to += to_line)
        for (int64_t t = 0; t < taps; t += AT_ONCE)
            for (int64_t i = 0; i < n; i += 16) {
                const int64_t here = TL_MIN(AT_ONCE, taps - t), wide = TL_MIN(16, n - i);
                for (int64_t k = 0; k < here; k++)
                    memcpy(near[k], made + (t + k) * tap + i, (size_t)wide * sizeof **near);
                for (int64_t w = 0; w < wide; w++)
                    for (int64_t k = 0; k < here; k++) to[(i + w) * taps + t + k] = near[k][w];
            }
}
#endif
