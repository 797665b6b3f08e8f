/* randaug.c -- RandAugment: a few of fourteen operations, drawn anew for each picture, all at
 * one strength.
 * Sources: Cubuk et al. 2020, arXiv:1909.13719; torchvision/transforms/autoaugment.py and
 * _functional_tensor.py, whose operations on byte tensors these are.  Floor 2, data. */
#include "data/randaug.h"

#include <math.h>
#include <string.h>

enum { BINS = 31 };

static const struct {
    const char *name;
    double      low, high; /* of the magnitude, from the first bin to the last           */
    bool        is_signed, of_width, of_height;
} ops[TL_RAND_OPS] = {
    [TL_RAND_IDENTITY]      = { "Identity", 0, 0, false, false, false },
    [TL_RAND_SHEAR_X]       = { "ShearX", 0, 0.3, true, false, false },
    [TL_RAND_SHEAR_Y]       = { "ShearY", 0, 0.3, true, false, false },
    [TL_RAND_TRANSLATE_X]   = { "TranslateX", 0, 150.0 / 331.0, true, true, false },
    [TL_RAND_TRANSLATE_Y]   = { "TranslateY", 0, 150.0 / 331.0, true, false, true },
    [TL_RAND_ROTATE]        = { "Rotate", 0, 30, true, false, false },
    [TL_RAND_BRIGHTNESS]    = { "Brightness", 0, 0.9, true, false, false },
    [TL_RAND_COLOR]         = { "Color", 0, 0.9, true, false, false },
    [TL_RAND_CONTRAST]      = { "Contrast", 0, 0.9, true, false, false },
    [TL_RAND_SHARPNESS]     = { "Sharpness", 0, 0.9, true, false, false },
    [TL_RAND_POSTERIZE]     = { "Posterize", 8, 4, false, false, false },
    [TL_RAND_SOLARIZE]      = { "Solarize", 255, 0, false, false, false },
    [TL_RAND_AUTO_CONTRAST] = { "AutoContrast", 0, 0, false, false, false },
    [TL_RAND_EQUALIZE]      = { "Equalize", 0, 0, false, false, false },
};

const char *tl_rand_op_name(tl_rand_op op)
{
    return op < TL_RAND_OPS ? ops[op].name : NULL;
}

double tl_rand_magnitude(tl_rand_op op, int bin, bool negative, const tl_image *image)
{
    const double side = ops[op].of_width    ? (double)image->width
                        : ops[op].of_height ? (double)image->height
                                            : 1.0;
    const float  low = (float)ops[op].low, high = (float)(ops[op].high * side);
    const float  step = (high - low) / (BINS - 1); /* torch.linspace, from both ends */
    double       m    = (double)(bin < BINS / 2 ? low + step * (float)bin
                                                : high - step * (float)(BINS - 1 - bin));

    if (op == TL_RAND_POSTERIZE) m = 8.0 - nearbyint((double)bin / ((BINS - 1) / 4.0));
    return negative && ops[op].is_signed ? -m : m;
}

/* From an output pixel to the input it is taken from, both counted from the centre. */
typedef struct { double xx, xy, x1, yx, yy, y1; } affine;

/* torchvision's inverse matrix, for shears about the corner, shifts and rotations. */
static affine matrix_of(tl_rand_op op, double m, const tl_image *in)
{
    const double cx = -0.5 * (double)in->width, cy = -0.5 * (double)in->height;
    const double turn = m * 3.14159265358979323846 / 180.0;
    affine       a    = { 1, 0, 0, 0, 1, 0 };

    if (op == TL_RAND_SHEAR_X) a.xy = m, a.x1 = -m * cy;
    if (op == TL_RAND_SHEAR_Y) a.yx = m, a.y1 = -m * cx;
    if (op == TL_RAND_TRANSLATE_X) a.x1 = -trunc(m);
    if (op == TL_RAND_TRANSLATE_Y) a.y1 = -trunc(m);
    if (op == TL_RAND_ROTATE)
        a = (affine){ cos(turn), -sin(turn), 0, sin(turn), cos(turn), 0 };
    return a;
}

/* The nearest pixel, 0 beyond the edges. */
static void warp(const affine *a, const tl_image *in, uint8_t *out)
{
    const int64_t h = in->height, w = in->width, c = in->channels;

    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++, out += c) {
            const double u = (double)x + 0.5 - 0.5 * (double)w;
            const double v = (double)y + 0.5 - 0.5 * (double)h;
            const double sx = nearbyint(a->xx * u + a->xy * v + a->x1 + 0.5 * (double)w - 0.5);
            const double sy = nearbyint(a->yx * u + a->yy * v + a->y1 + 0.5 * (double)h - 0.5);
            if (sx < 0 || sy < 0 || sx >= (double)w || sy >= (double)h)
                memset(out, 0, (size_t)c);
            else
                memcpy(out, in->data + ((int64_t)sy * w + (int64_t)sx) * c, (size_t)c);
        }
}

/* ratio * a + (1 - ratio) * b, cut to a byte, in f32 as torchvision. */
static uint8_t blend(uint8_t a, float b, double ratio)
{
    const float v = (float)ratio * (float)a + (float)(1.0 - ratio) * b;

    return (uint8_t)(v < 0.0f ? 0.0f : v > 255.0f ? 255.0f : v);
}

static uint8_t grey_of(const uint8_t *p, int64_t channels)
{
    if (channels == 1) return p[0];
    return (uint8_t)(0.2989f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2]);
}

static void contrast(const tl_image *in, double ratio, uint8_t *out)
{
    const int64_t pixels = in->height * in->width, c = in->channels;
    double        sum    = 0.0;

    for (int64_t i = 0; i < pixels; i++) sum += (double)grey_of(in->data + i * c, c);
    for (int64_t i = 0; i < pixels * c; i++)
        out[i] = blend(in->data[i], (float)(sum / (double)pixels), ratio);
}

static void colour(const tl_image *in, double ratio, uint8_t *out)
{
    const int64_t c = in->channels;

    for (int64_t i = 0; i < in->height * in->width * c; i++)
        out[i] = c == 1 ? in->data[i]
                        : blend(in->data[i], (float)grey_of(in->data + i / c * c, c), ratio);
}

/* Blended with a 3x3 mean whose middle counts five times; at the edge, with itself. */
static void sharpness(const tl_image *in, double ratio, uint8_t *out)
{
    const int64_t h = in->height, w = in->width, c = in->channels;

    for (int64_t i = 0; i < h * w * c; i++)
        out[i] = h <= 2 || w <= 2 ? in->data[i]
                                  : blend(in->data[i], (float)in->data[i], ratio);
    if (h <= 2 || w <= 2) return;
    for (int64_t y = 1; y < h - 1; y++)
        for (int64_t i = c; i < (w - 1) * c; i++) {
            const uint8_t *p   = in->data + y * w * c + i;
            float          sum = 4.0f * (float)p[0];
            for (int64_t dy = -1; dy <= 1; dy++)
                for (int64_t dx = -1; dx <= 1; dx++) sum += (float)p[dy * w * c + dx * c];
            out[y * w * c + i] = blend(p[0], nearbyintf(sum / 13.0f), ratio);
        }
}

/* A byte's new value per channel: stretched to 0..255, or made equally frequent. */
static void stretch_table(const int64_t count[256], uint8_t table[256])
{
    int low = 0, high = 255;

    while (low < 255 && !count[low]) low++;
    while (high > 0 && !count[high]) high--;
    for (int v = 0; v < 256; v++) {
        const float by = high > low ? 255.0f / (float)(high - low) : 1.0f;
        const float x  = (float)(v - (high > low ? low : 0)) * by;
        table[v]       = (uint8_t)(x < 0.0f ? 0.0f : x > 255.0f ? 255.0f : x);
    }
}

static void equal_table(const int64_t count[256], int64_t pixels, uint8_t table[256])
{
    int     last = 255;
    int64_t sum  = 0;

    while (last > 0 && !count[last]) last--;
    const int64_t step = (pixels - count[last]) / 255;
    for (int v = 0; v < 256; v++) {
        table[v] = (uint8_t)(step ? TL_MIN((sum + step / 2) / step, (int64_t)255) : v);
        if (step && v == 0) table[v] = 0;
        sum += count[v];
    }
}

static void by_table(const tl_image *in, bool equal, uint8_t *out)
{
    const int64_t pixels = in->height * in->width, c = in->channels;
    int64_t       count[256];
    uint8_t       table[256];

    for (int64_t k = 0; k < c; k++) {
        memset(count, 0, sizeof count);
        for (int64_t i = 0; i < pixels; i++) count[in->data[i * c + k]]++;
        if (equal) equal_table(count, pixels, table);
        else stretch_table(count, table);
        for (int64_t i = 0; i < pixels; i++) out[i * c + k] = table[in->data[i * c + k]];
    }
}

void tl_rand_op_apply(tl_rand_op op, double magnitude, const tl_image *in, uint8_t *out)
{
    const int64_t bytes = in->height * in->width * in->channels;
    const int     bits  = TL_MIN(TL_MAX((int)magnitude, 0), 8);  /* that posterize leaves */
    const int     mask  = ~((1 << (8 - bits)) - 1);

    switch (op) {
    case TL_RAND_SHEAR_X:
    case TL_RAND_SHEAR_Y:
    case TL_RAND_TRANSLATE_X:
    case TL_RAND_TRANSLATE_Y:
    case TL_RAND_ROTATE: {
        const affine a = matrix_of(op, magnitude, in);
        warp(&a, in, out);
        return;
    }
    case TL_RAND_BRIGHTNESS:
        for (int64_t i = 0; i < bytes; i++)
            out[i] = blend(in->data[i], 0.0f, 1.0 + magnitude);
        return;
    case TL_RAND_COLOR: colour(in, 1.0 + magnitude, out); return;
    case TL_RAND_CONTRAST: contrast(in, 1.0 + magnitude, out); return;
    case TL_RAND_SHARPNESS: sharpness(in, 1.0 + magnitude, out); return;
    case TL_RAND_POSTERIZE:
        for (int64_t i = 0; i < bytes; i++) out[i] = (uint8_t)(in->data[i] & mask);
        return;
    case TL_RAND_SOLARIZE:
        for (int64_t i = 0; i < bytes; i++)
            out[i] = (uint8_t)((double)in->data[i] >= magnitude ? 255 - in->data[i]
                                                                 : in->data[i]);
        return;
    case TL_RAND_AUTO_CONTRAST: by_table(in, false, out); return;
    case TL_RAND_EQUALIZE: by_table(in, true, out); return;
    case TL_RAND_IDENTITY:
    case TL_RAND_OPS: break;
    }
    memcpy(out, in->data, (size_t)bytes);
}
