/* body_rows.h -- softmax and its kin over rows of c.  The row's maximum is taken out first:
 * exp cannot overflow.  Bodies of simd.h's table.  Source: Bridle 1990.
 * Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_ROWS_H
#define TL_BACKEND_CPU_BODY_ROWS_H
#include "backend/cpu/vec_math.h"

#include <math.h>

/* What is left of a row, with `fill` in the lanes past its end. */
VEC vf take_filled(const void *p, int64_t at, int64_t left, bool bf, float fill)
{
    if (left >= VL) return get(p, at, bf);
    return vf_if(vi_lanes() < vi_all((int32_t)left), get_n(p, at, left, bf), vf_all(fill));
}

/* The row's maximum and the sum of exp(x - it). */
VEC float row_top(int64_t at, int64_t c, const void *x, bool bf)
{
    vf top = vf_all(-INFINITY);

    for (int64_t j = 0; j < c; j += VL)
        top = vf_max(take_filled(x, at + j, c - j, bf, -INFINITY), top);
    return vf_top(top);
}
VEC float row_exp_sum(int64_t at, int64_t c, const void *x, bool bf, float top)
{
    vf sum = vf_all(0.0f);

    for (int64_t j = 0; j < c; j += VL)
        sum += vf_exp(take_filled(x, at + j, c - j, bf, -INFINITY) - top);
    return vf_sum(sum);
}

VEC void softmax_loop(int64_t rows, int64_t c, const void *x, void *y, bool bf, bool log)
{
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at  = r * c;
        const float   top = row_top(at, c, x, bf), sum = row_exp_sum(at, c, x, bf, top);
        const float   less = top + logf(sum), factor = 1.0f / sum;
        for (int64_t j = 0; j < c; j += VL) {
            const vf v = take(x, at + j, c - j, bf);
            give(y, at + j, log ? v - less : vf_exp(v - top) * factor, c - j, bf);
        }
    }
}
static void body_softmax(int64_t rows, int64_t c, const void *x, void *y, bool bf,
                         bool log)
{
    if (bf)
        softmax_loop(rows, c, x, y, true, log);
    else
        softmax_loop(rows, c, x, y, false, log);
}

VEC void softmax_grad_loop(int64_t rows, int64_t c, const void *dy, const void *y,
                           void *dx, bool bf, bool log)
{
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at  = r * c;
        vf            sum = vf_all(0.0f);
        for (int64_t j = 0; j < c; j += VL) {
            const vf d = take(dy, at + j, c - j, bf);
            sum        = log ? sum + d : vf_fma(d, take(y, at + j, c - j, bf), sum);
        }
        const float total = vf_sum(sum);
        for (int64_t j = 0; j < c; j += VL) {
            const vf d = take(dy, at + j, c - j, bf), v = take(y, at + j, c - j, bf);
            give(dx, at + j, log ? d - vf_exp(v) * total : v * (d - total), c - j, bf);
        }
    }
}
static void body_softmax_grad(int64_t rows, int64_t c, const void *dy, const void *y,
                              void *dx, bool bf, bool log)
{
    if (bf)
        softmax_grad_loop(rows, c, dy, y, dx, true, log);
    else
        softmax_grad_loop(rows, c, dy, y, dx, false, log);
}
#endif
