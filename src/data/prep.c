/* prep.c -- the preprocessing that travels with a model: resize, crop, levels.
 * Sources: torchvision's Resize and CenterCrop for sizes and rounding.  Floor 2, data. */
#include "data/window.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    tl_prep     prep;
} named[] = {
    { "imagenet",
      { 224,
        224,
        3,
        256,
        true,
        TL_BILINEAR,
        1.0 / 255.0,
        { 0.485, 0.456, 0.406 },
        { 0.229, 0.224, 0.225 },
        false,
        NULL,
        NULL,
        0.0,
        0.0 } },
    { "half",
      { 224,
        224,
        3,
        256,
        true,
        TL_BILINEAR,
        1.0 / 255.0,
        { 0.5, 0.5, 0.5 },
        { 0.5, 0.5, 0.5 },
        false,
        NULL,
        NULL,
        0.0,
        0.0 } },
    { "caffe",
      { 227,
        227,
        3,
        256,
        true,
        TL_BILINEAR,
        1.0,
        { 104.0, 117.0, 123.0 },
        { 1.0, 1.0, 1.0 },
        true,
        NULL,
        NULL,
        0.0,
        0.0 } },
    { "cifar",
      { 32,
        32,
        3,
        32,
        true,
        TL_BILINEAR,
        1.0 / 255.0,
        { 0.485, 0.456, 0.406 },
        { 0.229, 0.224, 0.225 },
        false,
        NULL,
        NULL,
        0.0,
        0.0 } },
    { "unit",
      { 224,
        224,
        3,
        224,
        true,
        TL_BILINEAR,
        1.0 / 255.0,
        { 0.0, 0.0, 0.0 },
        { 1.0, 1.0, 1.0 },
        false,
        NULL,
        NULL,
        0.0,
        0.0 } },
};

bool tl_prep_named(const char *name, tl_prep *out)
{
    for (size_t i = 0; i < TL_COUNT(named); i++)
        if (strcmp(named[i].name, name) == 0) {
            *out = named[i].prep;
            return true;
        }
    return false;
}

void tl_prep_hold(const tl_prep *prep)
{
    tl_schema_hold(prep->table);
    tl_texter_hold(prep->text);
}

void tl_prep_drop(tl_ctx *ctx, tl_prep *prep)
{
    tl_schema_drop(ctx, prep->table);
    tl_texter_drop(ctx, prep->text);
    prep->table = NULL;
    prep->text  = NULL;
}

const tl_task *tl_prep_task(const tl_prep *prep)
{
    if (prep->text)
        return prep->text->columns.task ? prep->text->columns.task
                                        : &tl_task_text_classification;
    return prep->table ? prep->table->task : &tl_task_image_classification;
}

void tl_prep_scale(const tl_prep *prep, double *mean, double *scale)
{
    *mean  = prep->table ? prep->table->target_mean : prep->target_mean;
    *scale = prep->table ? prep->table->target_scale
             : prep->target_scale > 0.0 ? prep->target_scale
                                        : 1.0;
}

tl_shape tl_prep_row(const tl_prep *prep)
{
    if (prep->text) return TL_SHAPE(prep->text->most);
    return prep->table ? TL_SHAPE(prep->table->width)
                       : TL_SHAPE(prep->height, prep->width, prep->channels);
}

void tl_levels_make(const tl_prep *prep, tl_levels *out)
{
    for (int c = 0; c < 3; c++)
        for (int b = 0; b < 256; b++)
            out->of[c][b] = (float)((b * prep->scale - prep->mean[c]) / prep->std[c]);
}

void tl_prep_sizes(const tl_prep *prep, int64_t h, int64_t w, int64_t *to_h,
                   int64_t *to_w)
{
    const double s = (double)prep->resize_short;

    *to_h = prep->height;
    *to_w = prep->width;
    if (prep->resize_short <= 0) return;
    *to_h = h <= w ? prep->resize_short : (int64_t)(s * (double)h / (double)w);
    *to_w = w <= h ? prep->resize_short : (int64_t)(s * (double)w / (double)h);
}

/* A strip of 60,000 x 2 would become one of 256 x 7,680,000: the long side has an end. */
enum { LONGEST = 1 << 16 };

tl_status tl_prep_resize(tl_ctx *ctx, const tl_prep *prep, const tl_image *image,
                         tl_image *out, bool *owned)
{
    int64_t h, w;

    tl_prep_sizes(prep, image->height, image->width, &h, &w);
    h      = TL_MIN(h, LONGEST);
    w      = TL_MIN(w, LONGEST);
    *owned = h != image->height || w != image->width;
    *out   = *image;
    if (!*owned) return TL_OK;
    return tl_image_resize(ctx, image, NULL, h, w, prep->interpolation, out);
}

/* Half of what is too much, halves to even, as Python rounds. */
static int64_t half_even(int64_t n)
{
    return (int64_t)rint((double)n / 2.0);
}

void tl_prep_corner(const tl_prep *prep, const tl_image *image, int64_t *top,
                    int64_t *left)
{
    *top  = half_even(image->height - prep->height);
    *left = half_even(image->width - prep->width);
}

/* One row of n pixels. */
static void row_levels(const uint8_t *in, int64_t n, int64_t channels, bool flip,
                       bool bgr, const tl_levels *l, float *x)
{
    const int64_t step = flip ? -channels : channels;

    if (flip) in += (n - 1) * channels;
    if (channels == 1) {
        for (int64_t i = 0; i < n; i++, in += step) x[i] = l->of[0][*in];
        return;
    }
    const int first = bgr ? 2 : 0, last = 2 - first;
    for (int64_t i = 0; i < n; i++, in += step, x += 3) {
        x[0] = l->of[0][in[first]];
        x[1] = l->of[1][in[1]];
        x[2] = l->of[2][in[last]];
    }
}

static void zero_levels(int64_t n, int64_t channels, const tl_levels *l, float *x)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < channels; c++) *x++ = l->of[c][0];
}

void tl_window_levels(const tl_prep *prep, const tl_image *image, int64_t top,
                      int64_t left, bool flip, const tl_levels *levels, float *x)
{
    const int64_t h = prep->height, w = prep->width, c = image->channels;
    const int64_t low = TL_MIN(TL_MAX(-left, 0), w); /* first column inside */
    const int64_t high =
        TL_MAX(TL_MIN(image->width - left, w), low); /* behind the last     */

    for (int64_t y = 0; y < h; y++, x += w * c) {
        const int64_t row = top + y, before = flip ? w - high : low, n = high - low;
        if (row < 0 || row >= image->height || n == 0) {
            zero_levels(w, c, levels, x);
            continue;
        }
        zero_levels(before, c, levels, x);
        row_levels(image->data + (row * image->width + left + low) * c, n, c, flip,
                   prep->bgr, levels, x + before * c);
        zero_levels(w - before - n, c, levels, x + (before + n) * c);
    }
}

tl_status tl_prep_apply_with(tl_ctx *ctx, const tl_prep *prep, const tl_levels *levels,
                             const tl_image *image, float *x)
{
    tl_image  sized;
    bool      owned;
    int64_t   top, left;
    tl_status rc = tl_prep_resize(ctx, prep, image, &sized, &owned);

    if (rc != TL_OK) return rc;
    tl_prep_corner(prep, &sized, &top, &left);
    tl_window_levels(prep, &sized, top, left, false, levels, x);
    if (owned) tl_image_free(ctx, &sized);
    return TL_OK;
}

tl_status tl_prep_apply(tl_ctx *ctx, const tl_prep *prep, const tl_image *image, float *x)
{
    tl_levels levels;

    if (image->channels != prep->channels)
        return tl_fail(ctx, TL_EUSAGE, "prep",
                       "a picture of %" PRId64 " channels for a network of %" PRId64
                       " (decode it with that many)",
                       image->channels, prep->channels);
    tl_levels_make(prep, &levels);
    return tl_prep_apply_with(ctx, prep, &levels, image, x);
}
