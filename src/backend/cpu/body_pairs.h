/* body_pairs.h -- what products in bf16 read: two rows woven into pairs, as the machine's bf16
 * products take them, and rows of bf16 turned.  Bodies of simd.h's table.
 * Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_PAIRS_H
#define TL_BACKEND_CPU_BODY_PAIRS_H
#include "backend/cpu/body_gemm.h"

/* Lane by lane a, and above it b, as bf16; of what was read from bf16 nothing is rounded. */
VEC vf woven(vf a, vf b, bool bf)
{
    const vu low  = (vu)(bf ? a : vf_widen(vf_narrow(a)));
    const vu high = (vu)(bf ? b : vf_widen(vf_narrow(b)));

    return (vf)(low >> 16 | high);
}

/* Elements [at, at + VL) of a row of n that begins at x; beyond k rows, or the row's end, 0. */
VEC vf row_or_zero(const void *x, int64_t row, int64_t k, int64_t n, int64_t at, bool bf)
{
    return row < k && at < n ? take(x, row * n + at, n - at, bf) : vf_all(0.0f);
}

static void body_pair(int64_t k, int64_t n, const void *x, bool bf, void *to, int64_t low,
                      int64_t high)
{
    const int64_t pairs = (k + 31) / 32 * 16;

    for (int64_t block = low; block < high; block++)
        for (int64_t p = 0; p < pairs; p++) {
            float *out = (float *)to + (block * pairs + p) * 64;
            for (int64_t c = 0; c < 64; c += VL) {
                const int64_t at = block * 64 + c;
                vf_store(out + c, bf ? woven(row_or_zero(x, 2 * p, k, n, at, true),
                                             row_or_zero(x, 2 * p + 1, k, n, at, true), true)
                                     : woven(row_or_zero(x, 2 * p, k, n, at, false),
                                             row_or_zero(x, 2 * p + 1, k, n, at, false),
                                             false));
            }
        }
}

/* Columns [c, c + VL) of rows [r, r + 2 VL). */
VEC void turn_halves(int64_t rows, int64_t columns, const uint16_t *x, uint16_t *to, int64_t r,
                     int64_t c)
{
    const int64_t left = TL_MIN(rows - r, 2 * VL);
    vf            v[VL];

    UNROLL
    for (int i = 0; i < VL; i++)
        v[i] = woven(row_or_zero(x, r + 2 * i, rows, columns, c, true),
                     row_or_zero(x, r + 2 * i + 1, rows, columns, c, true), true);
    turn_lanes(v);
    UNROLL
    for (int i = 0; i < VL; i++)
        if (c + i < columns) memcpy(to + (c + i) * rows + r, &v[i], (size_t)left * sizeof *to);
}

static void body_turn_halves(int64_t rows, int64_t columns, const uint16_t *x, uint16_t *to,
                             int64_t low, int64_t high)
{
    for (int64_t c = low; c < high; c += VL)
        for (int64_t r = 0; r < rows; r += 2 * VL) turn_halves(rows, columns, x, to, r, c);
}
#endif
