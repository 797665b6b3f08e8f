/* resize.c -- antialiased resizing that gives Pillow's bytes: the same weights in fixed point,
 * rows first, then columns, rounding in between; nearest as its affine scaling.
 * Source: Pillow's Resample.c and Geometry.c.  Floor 2, data. */
#include "data/resize.h"
#include "core/machine.h"
#include "data/image.h"

#include <math.h>
#include <string.h>

enum { MOST_SIDE = 1 << 16 };

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double bicubic(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static void taps_free(tl_ctx *ctx, tl_taps *t)
{
    tl_free(ctx, t->first);
    tl_free(ctx, t->count);
    tl_free(ctx, t->weight);
}

/* Weights of one output: `w` of double, `count` of them, into fixed point. */
static void fix_weights(const double *w, int32_t count, int32_t *out)
{
    double sum = 0.0;

    for (int32_t k = 0; k < count; k++) sum += w[k];
    for (int32_t k = 0; k < count; k++) {
        const double v = (sum != 0.0 ? w[k] / sum : w[k]) * (1 << TL_RESIZE_BITS);
        out[k]         = (int32_t)(v < 0.0 ? v - 0.5 : v + 0.5);
    }
}

/* [from, to) of `inputs` pixels stretched over `outputs`. */
static tl_status taps_new(tl_ctx *ctx, int64_t inputs, double from, double to,
                          int64_t outputs, tl_interpolation how, tl_taps *t)
{
    double (*const filter)(double) = how == TL_BICUBIC ? bicubic : bilinear;
    const double  scale = (to - from) / (double)outputs, stretch = fmax(scale, 1.0);
    const double  support = (how == TL_BICUBIC ? 2.0 : 1.0) * stretch;
    const int64_t most    = (int64_t)ceil(support) * 2 + 1;
    double       *w       = NULL;
    tl_status     rc;

    *t = (tl_taps){ .outputs = outputs, .stride = (most + 7) / 8 * 8 };
    TL_TRY(tl_alloc_array(ctx, (size_t)outputs, sizeof *t->first, &t->first));
    TL_TRY(tl_alloc_array(ctx, (size_t)outputs, sizeof *t->count, &t->count));
    TL_TRY(tl_alloc_array(ctx, (size_t)(outputs * t->stride), sizeof *t->weight,
                          &t->weight));
    TL_TRY(tl_alloc_array(ctx, (size_t)most, sizeof *w, &w));
    for (int64_t i = 0; i < outputs; i++) {
        const double  centre = from + ((double)i + 0.5) * scale;
        const int64_t low    = TL_MAX((int64_t)(centre - support + 0.5), 0);
        const int64_t high   = TL_MIN((int64_t)(centre + support + 0.5), inputs);
        t->first[i]          = (int32_t)low;
        t->count[i]          = (int32_t)(high - low);
        for (int64_t k = 0; k < high - low; k++)
            w[k] = filter(((double)(k + low) - centre + 0.5) * (1.0 / stretch));
        fix_weights(w, t->count[i], t->weight + i * t->stride);
    }
done:
    tl_free(ctx, w);
    if (rc != TL_OK) {
        taps_free(ctx, t);
        *t = (tl_taps){ 0 };
    }
    return rc;
}

static const tl_resize_passes *passes(void)
{
#if defined(__x86_64__) && !defined(TAILOR_PORTABLE)
    const tl_isa isa = tl_machine_isa();
    if (isa >= TL_ISA_AVX2 && isa <= TL_ISA_AMX)
        return &tl_resize_avx2;
#endif
    return &tl_resize_portable;
}

/* Rows low..high-1 of `in` to t->outputs columns; a row is copied first, so that reading a few
 * bytes beyond its end stays within our memory. */
static tl_status squeeze_rows(tl_ctx *ctx, const tl_image *in, const tl_taps *t,
                              int64_t low, int64_t high, tl_image *out)
{
    const int64_t pitch = in->width * in->channels, c = in->channels;
    uint8_t      *row = NULL;
    tl_status     rc;

    *out = (tl_image){ .height = high - low, .width = t->outputs, .channels = c };
    TL_TRY(tl_alloc(ctx, (size_t)(out->height * out->width * c), &out->data));
    TL_TRY(tl_alloc(ctx, (size_t)pitch + TL_RESIZE_LANES, &row));
    for (int64_t y = low; y < high; y++) {
        memcpy(row, in->data + y * pitch, (size_t)pitch);
        passes()->row(t, row, c, out->data + (y - low) * out->width * c);
    }
done:
    tl_free(ctx, row);
    if (rc != TL_OK) tl_image_free(ctx, out);
    return rc;
}

/* `top`: the source row that in's first row is. */
static tl_status squeeze_columns(tl_ctx *ctx, const tl_image *in, const tl_taps *t,
                                 int64_t top, tl_image *out)
{
    const int64_t pitch = in->width * in->channels;
    tl_status     rc;

    *out =
        (tl_image){ .height = t->outputs, .width = in->width, .channels = in->channels };
    rc = tl_alloc(ctx, (size_t)(out->height * pitch), &out->data);
    if (rc != TL_OK) return rc;
    for (int64_t y = 0; y < t->outputs; y++)
        passes()->column(t->weight + y * t->stride, t->count[y],
                         in->data + (t->first[y] - top) * pitch, pitch, pitch,
                         out->data + y * pitch);
    return TL_OK;
}

/* Both passes.  Pillow 13 takes the columns first where the height shrinks by more
 * than twice what the width does; rounding in between makes the order visible. */
static tl_status both_passes(tl_ctx *ctx, const tl_image *in, const tl_taps *y,
                             const tl_taps *x, tl_image *out)
{
    const int64_t less = in->height - y->outputs, last = y->outputs - 1;
    tl_image      half = { 0 };
    tl_status     rc;

    if (less > 0 && less > 2 * (in->width - x->outputs)) {
        TL_TRY(squeeze_columns(ctx, in, y, 0, &half));
        TL_TRY(squeeze_rows(ctx, &half, x, 0, half.height, out));
    } else {
        TL_TRY(squeeze_rows(ctx, in, x, y->first[0], y->first[last] + y->count[last],
                            &half));
        TL_TRY(squeeze_columns(ctx, &half, y, y->first[0], out));
    }
done:
    tl_image_free(ctx, &half);
    return rc;
}

static tl_status smooth(tl_ctx *ctx, const tl_image *in, const double box[4],
                        int64_t height, int64_t width, tl_interpolation how,
                        tl_image *out)
{
    const bool across = width != in->width || box[1] > 0.0 || box[3] < (double)in->width;
    const bool down = height != in->height || box[0] > 0.0 || box[2] < (double)in->height;
    const size_t bytes = (size_t)(in->height * in->width * in->channels);
    tl_taps      x = { 0 }, y = { 0 };
    tl_status    rc = TL_OK;

    if (down) TL_TRY(taps_new(ctx, in->height, box[0], box[0] + box[2], height, how, &y));
    if (across) TL_TRY(taps_new(ctx, in->width, box[1], box[1] + box[3], width, how, &x));
    if (across && down) {
        TL_TRY(both_passes(ctx, in, &y, &x, out));
    } else if (across) {
        TL_TRY(squeeze_rows(ctx, in, &x, 0, in->height, out));
    } else if (down) {
        TL_TRY(squeeze_columns(ctx, in, &y, 0, out));
    } else {
        *out = *in;
        TL_TRY(tl_alloc(ctx, bytes, &out->data));
        memcpy(out->data, in->data, bytes);
    }
done:
    taps_free(ctx, &x);
    taps_free(ctx, &y);
    return rc;
}

/* Positions step by step as Pillow adds them, so that rounding agrees. */
static tl_status nearest(tl_ctx *ctx, const tl_image *in, const double box[4],
                         int64_t height, int64_t width, tl_image *out)
{
    const double  dy = box[2] / (double)height, dx = box[3] / (double)width;
    const int64_t c = in->channels;
    double        y = box[0] + dy * 0.5;
    tl_status     rc;

    *out = (tl_image){ .height = height, .width = width, .channels = c };
    rc   = tl_alloc(ctx, (size_t)(height * width * c), &out->data);
    if (rc != TL_OK) return rc;
    for (int64_t i = 0; i < height; i++, y += dy) {
        const int64_t row = TL_MIN((int64_t)y, in->height - 1);
        double        x   = box[1] + dx * 0.5;
        for (int64_t j = 0; j < width; j++, x += dx) {
            const int64_t column = TL_MIN((int64_t)x, in->width - 1);
            memcpy(out->data + (i * width + j) * c,
                   in->data + (row * in->width + column) * c, (size_t)c);
        }
    }
    return TL_OK;
}

tl_status tl_image_resize(tl_ctx *ctx, const tl_image *in, const double box[4],
                          int64_t height, int64_t width, tl_interpolation how,
                          tl_image *out)
{
    const double all[4] = { 0.0, 0.0, (double)in->height, (double)in->width };
    tl_status    rc;

    *out = (tl_image){ 0 };
    if (!box) box = all;
    if (height < 1 || width < 1 || height > MOST_SIDE || width > MOST_SIDE)
        TL_FAIL(TL_EUSAGE, "resize", "to %" PRId64 "x%" PRId64 " (sides are 1 to %d)",
                height, width, MOST_SIDE);
    if (!(box[0] >= 0.0 && box[1] >= 0.0 && box[2] > 0.0 && box[3] > 0.0 &&
          box[0] + box[2] <= all[2] + 1e-6 && box[1] + box[3] <= all[3] + 1e-6))
        TL_FAIL(TL_EUSAGE, "resize", "a box outside of the picture (keep it within)");
    rc = how == TL_NEAREST ? nearest(ctx, in, box, height, width, out)
                           : smooth(ctx, in, box, height, width, how, out);
done:
    if (rc != TL_OK) tl_image_free(ctx, out);
    return rc;
}
