/* body_rms.h -- rows brought to a mean square of 1, and the gradient.  Bodies of simd.h's table.
 * Source: Zhang and Sennrich 2019, arXiv:1910.07467.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_RMS_H
#define TL_BACKEND_CPU_BODY_RMS_H
#include "backend/cpu/vec.h"

VEC void rms_norm_loop(int64_t rows, int64_t c, const void *x, void *y, bool bf,
                       const float *gamma, float plus, float eps, float *invrms)
{
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at      = r * c;
        vf            squares = vf_all(0.0f);
        for (int64_t j = 0; j < c; j += VL) {
            const vf v = take(x, at + j, c - j, bf);
            squares    = vf_fma(v, v, squares);
        }
        const float inv = 1.0f / __builtin_sqrtf(vf_sum(squares) / (float)c + eps);
        if (invrms) invrms[r] = inv;
        for (int64_t j = 0; j < c && y; j += VL) {
            const int64_t left = c - j;
            const vf      v    = take(x, at + j, left, bf) * inv;
            give(y, at + j, v * (take(gamma, j, left, false) + plus), left, bf);
        }
    }
}
static void body_rms_norm(int64_t rows, int64_t c, const void *x, void *y, bool bf,
                          const float *gamma, float plus, float eps, float *invrms)
{
    if (bf)
        rms_norm_loop(rows, c, x, y, true, gamma, plus, eps, invrms);
    else
        rms_norm_loop(rows, c, x, y, false, gamma, plus, eps, invrms);
}

/* dx = inv (g - xhat mean(g xhat)), g = dy (gamma + plus), xhat = x inv. */
VEC void rms_norm_grad_loop(int64_t rows, int64_t c, const void *dy, const void *x,
                            bool bf, const float *gamma, float plus, const float *invrms,
                            void *dx, float *dgamma)
{
    for (int64_t j = 0; j < c && dgamma; j++) dgamma[j] = 0.0f;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at  = r * c;
        const float   inv = invrms[r];
        vf            dot = vf_all(0.0f);
        for (int64_t j = 0; j < c; j += VL) {
            const int64_t left = c - j;
            const vf      d    = take(dy, at + j, left, bf);
            const vf      h    = take(x, at + j, left, bf) * inv;
            dot                = vf_fma(d * (take(gamma, j, left, false) + plus), h, dot);
            if (dgamma)
                give(dgamma, j, vf_fma(d, h, take(dgamma, j, left, false)), left, false);
        }
        const float mean = vf_sum(dot) / (float)c;
        for (int64_t j = 0; j < c && dx; j += VL) {
            const int64_t left = c - j;
            const vf      h    = take(x, at + j, left, bf) * inv;
            const vf      g =
                take(dy, at + j, left, bf) * (take(gamma, j, left, false) + plus);
            give(dx, at + j, (g - h * mean) * inv, left, bf);
        }
    }
}
static void body_rms_norm_grad(int64_t rows, int64_t c, const void *dy, const void *x,
                               bool bf, const float *gamma, float plus,
                               const float *invrms, void *dx, float *dgamma)
{
    if (bf)
        rms_norm_grad_loop(rows, c, dy, x, true, gamma, plus, invrms, dx, dgamma);
    else
        rms_norm_grad_loop(rows, c, dy, x, false, gamma, plus, invrms, dx, dgamma);
}
#endif
