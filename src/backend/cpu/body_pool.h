/* body_pool.h -- pooling over NHWC pictures, vectors along the channels.  Gradients gather: each
 * input pixel looks at the windows it lies in, so that rows are independent of each other.
 * Bodies of simd.h's table.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_POOL_H
#define TL_BACKEND_CPU_BODY_POOL_H
#include "backend/cpu/simd.h"
#include "backend/cpu/vec.h"

typedef struct {
    int64_t low, high;
} span;

/* Rows (or columns) of the picture that window `o` covers. */
VEC span window_span(int64_t o, int stride, int before, int kernel, int64_t size)
{
    const int64_t first = o * stride - before;

    return (span){ TL_MAX(first, 0), TL_MIN(first + kernel, size) };
}
/* Windows that cover row (or column) `i`. */
VEC span covering(int64_t i, int stride, int before, int kernel, int64_t outs)
{
    const int64_t past = i + before - kernel + 1;

    return (span){ past <= 0 ? 0 : (past + stride - 1) / stride,
                   TL_MIN((i + before) / stride + 1, outs) };
}

VEC void put_at(uint8_t *at, int64_t i, vi v, int64_t left)
{
    const vb b = vb_from(v);

    memcpy(at + i, &b, (size_t)TL_MIN(left, VL));
}
VEC vi get_at(const uint8_t *at, int64_t i, int64_t left)
{
    vb b = { 0 };

    if (left >= VL)
        memcpy(&b, at + i, VL);
    else
        memcpy(&b, at + i, (size_t)left);
    return vi_from_bytes(b);
}

/* Channels from j on of one output pixel, `rest` of them or a whole vector. */
VEC void max_channels(const tl_window *k, const void *x, int64_t picture, span rows, span cols,
                      int64_t top, int64_t left, void *y, uint8_t *at, int64_t out, int64_t j,
                      const int64_t rest, bool bf)
{
    vf best  = vf_all(-__builtin_inff());
    vi where = vi_all((int32_t)((rows.low - top) * k->kw + cols.low - left));

    for (int64_t r = rows.low; r < rows.high; r++)
        for (int64_t s = cols.low; s < cols.high; s++) {
            const vf v    = take(x, ((picture + r) * k->w + s) * k->c + j, rest, bf);
            const vm wins = vm_wins(v, best);
            const vi here = vi_all((int32_t)((r - top) * k->kw + s - left));
            best          = vf_pick(wins, v, best);
            where         = vi_pick(wins, here, where);
        }
    if (y) give(y, out + j, best, rest, bf);
    if (at) put_at(at, out + j, where, rest);
}
VEC void max_pixel(const tl_window *k, const void *x, int64_t picture, span rows,
                   span cols, int64_t top, int64_t left, void *y, uint8_t *at,
                   int64_t out, bool bf)
{
    int64_t j = 0;

    for (; j + VL <= k->c; j += VL)
        max_channels(k, x, picture, rows, cols, top, left, y, at, out, j, VL, bf);
    if (j < k->c)
        max_channels(k, x, picture, rows, cols, top, left, y, at, out, j, k->c - j, bf);
}
VEC void max_pool_loop(const tl_window *k, int64_t low, int64_t high, const void *x,
                       void *y, uint8_t *at, bool bf)
{
    for (int64_t i = low; i < high; i++) {
        const int64_t oy = i % k->oh, picture = i / k->oh * k->h;
        const span    rows = window_span(oy, k->sh, k->top, k->kh, k->h);
        for (int64_t ox = 0; ox < k->ow; ox++) {
            const span cols = window_span(ox, k->sw, k->left, k->kw, k->w);
            max_pixel(k, x, picture, rows, cols, oy * k->sh - k->top,
                      ox * k->sw - k->left, y, at, (i * k->ow + ox) * k->c, bf);
        }
    }
}
static void body_max_pool(const tl_window *k, int64_t low, int64_t high, const void *x,
                          void *y, uint8_t *at, bool bf)
{
    if (bf)
        max_pool_loop(k, low, high, x, y, at, true);
    else
        max_pool_loop(k, low, high, x, y, at, false);
}

VEC void max_grad_channels(const tl_window *k, int64_t picture, int64_t iy, int64_t ix, span rows,
                           span cols, const void *dy, const uint8_t *at, void *dx, int64_t out,
                           int64_t j, const int64_t rest, bool bf)
{
    vf sum = vf_all(0.0f);

    for (int64_t oy = rows.low; oy < rows.high; oy++)
        for (int64_t ox = cols.low; ox < cols.high; ox++) {
            const int64_t from = ((picture + oy) * k->ow + ox) * k->c + j;
            const int64_t me   = (iy + k->top - oy * k->sh) * k->kw + ix + k->left - ox * k->sw;
            const vm      mine = vm_same(get_at(at, from, rest), vi_all((int32_t)me));
            sum += vf_pick(mine, take(dy, from, rest, bf), vf_all(0.0f));
        }
    give(dx, out + j, sum, rest, bf);
}
VEC void max_grad_pixel(const tl_window *k, int64_t picture, int64_t iy, int64_t ix,
                        span rows, span cols, const void *dy, const uint8_t *at, void *dx,
                        int64_t out, bool bf)
{
    int64_t j = 0;

    for (; j + VL <= k->c; j += VL)
        max_grad_channels(k, picture, iy, ix, rows, cols, dy, at, dx, out, j, VL, bf);
    if (j < k->c)
        max_grad_channels(k, picture, iy, ix, rows, cols, dy, at, dx, out, j, k->c - j, bf);
}
VEC void max_grad_loop(const tl_window *k, int64_t low, int64_t high, const void *dy,
                       const uint8_t *at, void *dx, bool bf)
{
    for (int64_t i = low; i < high; i++) {
        const int64_t iy = i % k->h, picture = i / k->h * k->oh;
        const span    rows = covering(iy, k->sh, k->top, k->kh, k->oh);
        for (int64_t ix = 0; ix < k->w; ix++)
            max_grad_pixel(k, picture, iy, ix, rows,
                           covering(ix, k->sw, k->left, k->kw, k->ow), dy, at, dx,
                           (i * k->w + ix) * k->c, bf);
    }
}
static void body_max_pool_grad(const tl_window *k, int64_t low, int64_t high,
                               const void *dy, const uint8_t *at, void *dx, bool bf)
{
    if (bf)
        max_grad_loop(k, low, high, dy, at, dx, true);
    else
        max_grad_loop(k, low, high, dy, at, dx, false);
}

/* One over the pixels that window (oy, ox) averages over. */
VEC float average_factor(const tl_window *k, int64_t oy, int64_t ox)
{
    const int64_t top = oy * k->sh - k->top, left = ox * k->sw - k->left;
    int64_t       rows, cols;

    if (k->count_padding) {
        rows = TL_MIN(top + k->kh, k->h + k->bottom) - top;
        cols = TL_MIN(left + k->kw, k->w + k->right) - left;
    } else {
        rows = TL_MIN(top + k->kh, k->h) - TL_MAX(top, 0);
        cols = TL_MIN(left + k->kw, k->w) - TL_MAX(left, 0);
    }
    return 1.0f / (float)(rows * cols);
}

VEC void avg_pool_loop(const tl_window *k, int64_t low, int64_t high, const void *x,
                       void *y, bool bf)
{
    for (int64_t i = low; i < high; i++) {
        const int64_t oy = i % k->oh, picture = i / k->oh * k->h;
        const span    rows = window_span(oy, k->sh, k->top, k->kh, k->h);
        for (int64_t ox = 0; ox < k->ow; ox++) {
            const span  cols   = window_span(ox, k->sw, k->left, k->kw, k->w);
            const float factor = average_factor(k, oy, ox);
            for (int64_t j = 0; j < k->c; j += VL) {
                const int64_t rest = k->c - j;
                vf            sum  = vf_all(0.0f);
                for (int64_t r = rows.low; r < rows.high; r++)
                    for (int64_t s = cols.low; s < cols.high; s++)
                        sum += take(x, ((picture + r) * k->w + s) * k->c + j, rest, bf);
                give(y, (i * k->ow + ox) * k->c + j, sum * factor, rest, bf);
            }
        }
    }
}
static void body_avg_pool(const tl_window *k, int64_t low, int64_t high, const void *x,
                          void *y, bool bf)
{
    if (bf)
        avg_pool_loop(k, low, high, x, y, true);
    else
        avg_pool_loop(k, low, high, x, y, false);
}

VEC void avg_grad_loop(const tl_window *k, int64_t low, int64_t high, const void *dy,
                       void *dx, bool bf)
{
    for (int64_t i = low; i < high; i++) {
        const int64_t picture = i / k->h * k->oh;
        const span    rows    = covering(i % k->h, k->sh, k->top, k->kh, k->oh);
        for (int64_t ix = 0; ix < k->w; ix++) {
            const span cols = covering(ix, k->sw, k->left, k->kw, k->ow);
            for (int64_t j = 0; j < k->c; j += VL) {
                const int64_t rest = k->c - j;
                vf            sum  = vf_all(0.0f);
                for (int64_t oy = rows.low; oy < rows.high; oy++)
                    for (int64_t ox = cols.low; ox < cols.high; ox++)
                        sum = vf_fma(
                            take(dy, ((picture + oy) * k->ow + ox) * k->c + j, rest, bf),
                            vf_all(average_factor(k, oy, ox)), sum);
                give(dx, (i * k->w + ix) * k->c + j, sum, rest, bf);
            }
        }
    }
}
static void body_avg_pool_grad(const tl_window *k, int64_t low, int64_t high,
                               const void *dy, void *dx, bool bf)
{
    if (bf)
        avg_grad_loop(k, low, high, dy, dx, true);
    else
        avg_grad_loop(k, low, high, dy, dx, false);
}
#endif
