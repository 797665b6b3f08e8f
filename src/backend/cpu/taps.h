/* taps.h -- which pixels of two maps meet through a tap of a convolution's window.
 * Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_TAPS_H
#define TL_BACKEND_CPU_TAPS_H
#include <stdint.h>

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
#endif
