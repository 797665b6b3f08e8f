/* body_norm.h -- statistics and normalisation over rows of c channels, and their gradients.
 * Sums take eight rows at a time (short sums first: less is
 * rounded away) into arrays that stay in the first cache.  Bodies of simd.h's
 * table.  Sources: Ioffe and Szegedy 2015; Ba et al. 2016; Chan et al. 1983 (the caller
 * combines pieces).  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_NORM_H
#define TL_BACKEND_CPU_BODY_NORM_H
#include "backend/cpu/body_act.h"

enum { STRIP_ROWS = 8 };

VEC void clear(float *sum, int64_t c)
{
    memset(sum, 0, (size_t)c * sizeof *sum);
}

/* One strip of `deep` rows (a constant) from row r on. */
VEC void stats_strip(int deep, int64_t r, int64_t c, const void *x, bool bf,
                     const float *shift, float *sum, float *sq)
{
    for (int64_t j = 0; j < c; j += VL) {
        const int64_t left = c - j;
        const vf      k    = take(shift, j, left, false);
        vf            s = vf_all(0.0f), q = s;
        for (int i = 0; i < deep; i++) {
            const vf d = take(x, (r + i) * c + j, left, bf) - k;
            s += d;
            q = vf_fma(d, d, q);
        }
        give(sum, j, take(sum, j, left, false) + s, left, false);
        give(sq, j, take(sq, j, left, false) + q, left, false);
    }
}
VEC void stats_loop(int64_t rows, int64_t c, const void *x, bool bf, const float *shift,
                    float *sum, float *sq)
{
    int64_t r = 0;

    clear(sum, c);
    clear(sq, c);
    for (; r + STRIP_ROWS <= rows; r += STRIP_ROWS)
        stats_strip(STRIP_ROWS, r, c, x, bf, shift, sum, sq);
    for (; r < rows; r++) stats_strip(1, r, c, x, bf, shift, sum, sq);
}
static void body_stats(int64_t rows, int64_t c, const void *x, bool bf,
                       const float *shift, float *sum, float *sq)
{
    if (bf)
        stats_loop(rows, c, x, true, shift, sum, sq);
    else
        stats_loop(rows, c, x, false, shift, sum, sq);
}

VEC void affine_loop(tl_activation act, int64_t rows, int64_t c, const void *x,
                     const void *residual, void *y, bool bf, const float *mean,
                     const float *scale, const float *shift)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < c; j += VL) {
            const int64_t left = c - j, at = r * c + j;
            vf            v = vf_fma(take(x, at, left, bf) - take(mean, j, left, false),
                                     take(scale, j, left, false), take(shift, j, left, false));
            if (residual) v += take(residual, at, left, bf);
            give(y, at, act_value(act, v), left, bf);
        }
}
static void body_affine(tl_activation act, int64_t rows, int64_t c, const void *x,
                        const void *residual, void *y, bool bf, const float *mean,
                        const float *scale, const float *shift)
{
#define CALL(a)                                                                          \
    (bf ? affine_loop(a, rows, c, x, residual, y, true, mean, scale, shift)              \
        : affine_loop(a, rows, c, x, residual, y, false, mean, scale, shift))
    BY_ACT(act, CALL);
#undef CALL
}

VEC void norm_strip(int deep, tl_activation act, int64_t r, int64_t c, const void *dy,
                    const void *x, const void *y, bool bf, const float *mean,
                    float *sum_g, float *sum_gx)
{
    for (int64_t j = 0; j < c; j += VL) {
        const int64_t left = c - j;
        const vf      m    = x ? take(mean, j, left, false) : vf_all(0.0f);
        vf            s = vf_all(0.0f), t = s;
        for (int i = 0; i < deep; i++) {
            const int64_t at = (r + i) * c + j;
            const vf      v  = act == TL_ACT_NONE ? m : take(y, at, left, bf);
            const vf      g  = through_y(act, take(dy, at, left, bf), v);
            s += g;
            if (x) t = vf_fma(g, take(x, at, left, bf) - m, t);
        }
        give(sum_g, j, take(sum_g, j, left, false) + s, left, false);
        if (x) give(sum_gx, j, take(sum_gx, j, left, false) + t, left, false);
    }
}
VEC void norm_sums_loop(tl_activation act, int64_t rows, int64_t c, const void *dy,
                        const void *x, const void *y, bool bf, const float *mean,
                        float *sum_g, float *sum_gx)
{
    int64_t r = 0;

    clear(sum_g, c);
    if (x) clear(sum_gx, c);
    for (; r + STRIP_ROWS <= rows; r += STRIP_ROWS)
        norm_strip(STRIP_ROWS, act, r, c, dy, x, y, bf, mean, sum_g, sum_gx);
    for (; r < rows; r++) norm_strip(1, act, r, c, dy, x, y, bf, mean, sum_g, sum_gx);
}
static void body_norm_sums(tl_activation act, int64_t rows, int64_t c, const void *dy,
                           const void *x, const void *y, bool bf, const float *mean,
                           float *sum_g, float *sum_gx)
{
#define CALL(a)                                                                          \
    (bf ? norm_sums_loop(a, rows, c, dy, x, y, true, mean, sum_g, sum_gx)                \
        : norm_sums_loop(a, rows, c, dy, x, y, false, mean, sum_g, sum_gx))
    BY_ACT(act, CALL);
#undef CALL
}

VEC void norm_apply_loop(tl_activation act, int64_t rows, int64_t c, const void *dy,
                         const void *x, const void *y, void *dx, void *dresidual, bool bf,
                         const float *mean, const float *a, const float *b,
                         const float *d)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < c; j += VL) {
            const int64_t left = c - j, at = r * c + j;
            const vf      dv = take(dy, at, left, bf);
            const vf      g =
                through_y(act, dv, act == TL_ACT_NONE ? dv : take(y, at, left, bf));
            vf v = g * take(a, j, left, false);
            if (x) {
                const vf xm = take(x, at, left, bf) - take(mean, j, left, false);
                v = vf_fma(xm, take(b, j, left, false), v + take(d, j, left, false));
            }
            if (dresidual) give(dresidual, at, g, left, bf);
            if (dx) give(dx, at, v, left, bf);
        }
}
static void body_norm_apply(tl_activation act, int64_t rows, int64_t c, const void *dy,
                            const void *x, const void *y, void *dx, void *dresidual,
                            bool bf, const float *mean, const float *a, const float *b,
                            const float *d)
{
#define CALL(t)                                                                          \
    (bf ? norm_apply_loop(t, rows, c, dy, x, y, dx, dresidual, true, mean, a, b, d)      \
        : norm_apply_loop(t, rows, c, dy, x, y, dx, dresidual, false, mean, a, b, d))
    BY_ACT(act, CALL);
#undef CALL
}

VEC void column_strip(int deep, int64_t r, int64_t c, const void *x, const void *z,
                      bool bf, float *sum)
{
    for (int64_t j = 0; j < c; j += VL) {
        const int64_t left = c - j;
        vf            s    = vf_all(0.0f);
        for (int i = 0; i < deep; i++) {
            const int64_t at = (r + i) * c + j;
            const vf      v  = take(x, at, left, bf);
            s                = z ? vf_fma(v, take(z, at, left, bf), s) : s + v;
        }
        give(sum, j, take(sum, j, left, false) + s, left, false);
    }
}
VEC void column_loop(int64_t rows, int64_t c, const void *x, const void *z, bool bf,
                     float *sum)
{
    int64_t r = 0;

    clear(sum, c);
    for (; r + STRIP_ROWS <= rows; r += STRIP_ROWS)
        column_strip(STRIP_ROWS, r, c, x, z, bf, sum);
    for (; r < rows; r++) column_strip(1, r, c, x, z, bf, sum);
}
static void body_column_sums(int64_t rows, int64_t c, const void *x, const void *z,
                             bool bf, float *sum)
{
    if (bf)
        column_loop(rows, c, x, z, true, sum);
    else
        column_loop(rows, c, x, z, false, sum);
}

VEC float row_sum(int64_t at, int64_t c, const void *x, bool bf)
{
    vf s = vf_all(0.0f);

    for (int64_t j = 0; j < c; j += VL) s += take(x, at + j, c - j, bf);
    return vf_sum(s);
}
/* Sum of (x - mean)^2; the lanes past the end are taken out again. */
VEC float row_spread(int64_t at, int64_t c, const void *x, bool bf, float mean)
{
    vf        q    = vf_all(0.0f);
    const int past = (int)((VL - c % VL) % VL);

    for (int64_t j = 0; j < c; j += VL) {
        const vf d = take(x, at + j, c - j, bf) - mean;
        if (c - j >= VL) {
            q = vf_fma(d, d, q);
        } else {
            float lane[VL];
            vf_store(lane, d);
            memset(lane + (VL - past), 0, (size_t)past * sizeof *lane);
            q = vf_fma(vf_load(lane), vf_load(lane), q);
        }
    }
    return vf_sum(q);
}
VEC void layer_norm_loop(int64_t rows, int64_t c, const void *x, void *y, bool bf,
                         const float *gamma, const float *beta, float eps, float *mean,
                         float *invstd)
{
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at     = r * c;
        const float   m      = row_sum(at, c, x, bf) / (float)c;
        const float   spread = row_spread(at, c, x, bf, m) / (float)c;
        const float   s      = 1.0f / __builtin_sqrtf(spread + eps);
        if (mean) mean[r] = m;
        if (invstd) invstd[r] = s;
        for (int64_t j = 0; j < c && y; j += VL) {
            const int64_t left = c - j;
            const vf      n    = (take(x, at + j, left, bf) - m) * s;
            give(y, at + j,
                 vf_fma(n, take(gamma, j, left, false), take(beta, j, left, false)), left,
                 bf);
        }
    }
}
static void body_layer_norm(int64_t rows, int64_t c, const void *x, void *y, bool bf,
                            const float *gamma, const float *beta, float eps, float *mean,
                            float *invstd)
{
    if (bf)
        layer_norm_loop(rows, c, x, y, true, gamma, beta, eps, mean, invstd);
    else
        layer_norm_loop(rows, c, x, y, false, gamma, beta, eps, mean, invstd);
}

/* dx = invstd * (g - mean(g) - xhat * mean(g * xhat)), g = dy * gamma. */
VEC void layer_norm_grad_loop(int64_t rows, int64_t c, const void *dy, const void *x,
                              bool bf, const float *gamma, const float *mean,
                              const float *invstd, void *dx, float *dgamma, float *dbeta)
{
    if (dgamma) clear(dgamma, c);
    if (dbeta) clear(dbeta, c);
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at = r * c;
        const float   m = mean[r], s = invstd[r];
        vf            a = vf_all(0.0f), b = a;
        for (int64_t j = 0; j < c; j += VL) {
            const int64_t left = c - j;
            const vf      d    = take(dy, at + j, left, bf),
                     h         = (take(x, at + j, left, bf) - m) * s;
            const vf g = d * take(gamma, j, left, false); /* 0 in lanes past the end */
            a += g;
            b = vf_fma(g, h, b);
            if (dgamma)
                give(dgamma, j, vf_fma(d, h, take(dgamma, j, left, false)), left, false);
            if (dbeta) give(dbeta, j, d + take(dbeta, j, left, false), left, false);
        }
        if (!dx) continue;
        const float ga = vf_sum(a) / (float)c, gb = vf_sum(b) / (float)c;
        for (int64_t j = 0; j < c; j += VL) {
            const int64_t left = c - j;
            const vf      h    = (take(x, at + j, left, bf) - m) * s;
            const vf      g    = take(dy, at + j, left, bf) * take(gamma, j, left, false);
            give(dx, at + j, (g - ga - h * gb) * s, left, bf);
        }
    }
}
static void body_layer_norm_grad(int64_t rows, int64_t c, const void *dy, const void *x,
                                 bool bf, const float *gamma, const float *mean,
                                 const float *invstd, void *dx, float *dgamma,
                                 float *dbeta)
{
    if (bf)
        layer_norm_grad_loop(rows, c, dy, x, true, gamma, mean, invstd, dx, dgamma,
                             dbeta);
    else
        layer_norm_grad_loop(rows, c, dy, x, false, gamma, mean, invstd, dx, dgamma,
                             dbeta);
}
#endif
