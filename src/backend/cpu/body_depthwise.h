/* body_depthwise.h -- convolution of each channel by itself, NHWC, vectors along the channels;
 * weights are [kh kw c].  Bodies of simd.h's table.  Source: Chollet 2017, arXiv:1610.02357.
 * Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_DEPTHWISE_H
#define TL_BACKEND_CPU_BODY_DEPTHWISE_H
#include "backend/cpu/body_act.h"
#include "backend/cpu/simd.h"

/* The row of the picture that tap `t` of window `o` reads; outside means padding. */
VEC int64_t tap_place(int64_t o, int t, int stride, int dilation, int before)
{
    return o * stride - before + (int64_t)t * dilation;
}
/* The window whose tap `t` reads row `i`; -1 where none does. */
VEC int64_t tap_window(int64_t i, int t, int stride, int dilation, int before,
                       int64_t outs)
{
    const int64_t from = i + before - (int64_t)t * dilation;

    return from < 0 || from % stride != 0 || from / stride >= outs ? -1 : from / stride;
}

VEC void depthwise_pixel(const tl_window *k, tl_activation act, int64_t picture,
                         int64_t oy, int64_t ox, const void *x, const float *w,
                         const float *bias, void *y, int64_t out, bool bf)
{
    for (int64_t j = 0; j < k->c; j += VL) {
        const int64_t rest = k->c - j;
        vf            sum  = bias ? take(bias, j, rest, false) : vf_all(0.0f);
        for (int t = 0; t < k->kh; t++) {
            const int64_t r = tap_place(oy, t, k->sh, k->dh, k->top);
            if (r < 0 || r >= k->h) continue;
            for (int u = 0; u < k->kw; u++) {
                const int64_t s = tap_place(ox, u, k->sw, k->dw, k->left);
                if (s < 0 || s >= k->w) continue;
                sum = vf_fma(take(x, ((picture + r) * k->w + s) * k->c + j, rest, bf),
                             take(w, (int64_t)(t * k->kw + u) * k->c + j, rest, false),
                             sum);
            }
        }
        give(y, out + j, act_value(act, sum), rest, bf);
    }
}
static void body_depthwise(const tl_window *k, tl_activation act, int64_t low,
                           int64_t high, const void *x, const float *w, const float *bias,
                           void *y, bool bf)
{
    for (int64_t i = low; i < high; i++)
        for (int64_t ox = 0; ox < k->ow; ox++) {
            const int64_t out = (i * k->ow + ox) * k->c, oy = i % k->oh,
                          picture = i / k->oh * k->h;
            if (bf)
                depthwise_pixel(k, act, picture, oy, ox, x, w, bias, y, out, true);
            else
                depthwise_pixel(k, act, picture, oy, ox, x, w, bias, y, out, false);
        }
}

VEC void depthwise_dx_pixel(const tl_window *k, int64_t picture, int64_t iy, int64_t ix,
                            const void *dy, const float *w, void *dx, int64_t out,
                            bool bf)
{
    for (int64_t j = 0; j < k->c; j += VL) {
        const int64_t rest = k->c - j;
        vf            sum  = vf_all(0.0f);
        for (int t = 0; t < k->kh; t++) {
            const int64_t oy = tap_window(iy, t, k->sh, k->dh, k->top, k->oh);
            if (oy < 0) continue;
            for (int u = 0; u < k->kw; u++) {
                const int64_t ox = tap_window(ix, u, k->sw, k->dw, k->left, k->ow);
                if (ox < 0) continue;
                sum = vf_fma(take(dy, ((picture + oy) * k->ow + ox) * k->c + j, rest, bf),
                             take(w, (int64_t)(t * k->kw + u) * k->c + j, rest, false),
                             sum);
            }
        }
        give(dx, out + j, sum, rest, bf);
    }
}
static void body_depthwise_dx(const tl_window *k, int64_t low, int64_t high,
                              const void *dy, const float *w, void *dx, bool bf)
{
    for (int64_t i = low; i < high; i++)
        for (int64_t ix = 0; ix < k->w; ix++) {
            const int64_t out = (i * k->w + ix) * k->c, iy = i % k->h,
                          picture = i / k->h * k->oh;
            if (bf)
                depthwise_dx_pixel(k, picture, iy, ix, dy, w, dx, out, true);
            else
                depthwise_dx_pixel(k, picture, iy, ix, dy, w, dx, out, false);
        }
}

/* One tap's weight gradient for one vector of channels: a sum over rows, rows over pixels. */
VEC vf depthwise_tap(const tl_window *k, int64_t pictures, int t, int u, int64_t j,
                     int64_t rest, const void *dy, const void *x, bool bf)
{
    vf total = vf_all(0.0f);

    for (int64_t i = 0; i < pictures * k->oh; i++) {
        const int64_t r       = tap_place(i % k->oh, t, k->sh, k->dh, k->top),
                      picture = i / k->oh * k->h;
        vf sum                = vf_all(0.0f);
        if (r < 0 || r >= k->h) continue;
        for (int64_t ox = 0; ox < k->ow; ox++) {
            const int64_t s = tap_place(ox, u, k->sw, k->dw, k->left);
            if (s < 0 || s >= k->w) continue;
            sum = vf_fma(take(dy, (i * k->ow + ox) * k->c + j, rest, bf),
                         take(x, ((picture + r) * k->w + s) * k->c + j, rest, bf), sum);
        }
        total += sum;
    }
    return total;
}
static void body_depthwise_dw(const tl_window *k, int64_t pictures, int64_t low,
                              int64_t high, const void *dy, const void *x, float *dw,
                              bool bf)
{
    for (int64_t j = low; j < high; j += VL)
        for (int t = 0; t < k->kh; t++)
            for (int u = 0; u < k->kw; u++) {
                const int64_t rest = TL_MIN(high - j, VL);
                const vf      sum =
                    bf ? depthwise_tap(k, pictures, t, u, j, rest, dy, x, true)
                            : depthwise_tap(k, pictures, t, u, j, rest, dy, x, false);
                give(dw, (int64_t)(t * k->kw + u) * k->c + j, sum, rest, false);
            }
}
#endif
