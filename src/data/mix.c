/* mix.c -- mixup and CutMix: a batch is mixed with itself moved on by one row, the labels in the
 * same proportion.
 * Sources: Zhang et al. 2018, arXiv:1710.09412; Yun et al. 2019, arXiv:1905.04899;
 * torchvision.transforms.v2.MixUp and CutMix.  Floor 2, data. */
#include "data/mix.h"
#include "core/rand.h"

#include <math.h>
#include <string.h>

enum { FOR_KIND, FOR_TOP, FOR_LEFT, FOR_GAMMA = 16, GAMMA_DRAWS = 512 };

/* Gamma(alpha, 1) for alpha >= 1.  Source: Marsaglia and Tsang 2000. */
static double gamma_above_one(double alpha, uint64_t seed, uint64_t stream, uint64_t at)
{
    const double d = alpha - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);

    for (uint64_t i = 0; i < GAMMA_DRAWS; i += 2) {
        const double z = tl_rand_normal(seed, stream, at + i);
        const double u = tl_rand_uniform(seed, stream, at + i + 1);
        const double v = (1.0 + c * z) * (1.0 + c * z) * (1.0 + c * z);
        if (v > 0.0 && log(u) < 0.5 * z * z + d - d * v + d * log(v)) return d * v;
    }
    return d;
}

static double gamma_of(double alpha, uint64_t seed, uint64_t stream, uint64_t at)
{
    if (alpha >= 1.0) return gamma_above_one(alpha, seed, stream, at);
    return gamma_above_one(alpha + 1.0, seed, stream, at + 1) *
           pow(1.0 - tl_rand_uniform(seed, stream, at), 1.0 / alpha);
}

double tl_mix_share(double alpha, uint64_t seed, uint64_t number)
{
    const uint64_t stream = TL_STREAM(TL_STREAM_MIX, number);
    const double   a      = gamma_of(alpha, seed, stream, FOR_GAMMA);
    const double   b = gamma_of(alpha, seed, stream, FOR_GAMMA + 2 * GAMMA_DRAWS);

    return a + b > 0.0 ? a / (a + b) : 0.5;
}

tl_mix_box tl_mix_box_of(double share, int64_t height, int64_t width, int64_t row,
                         int64_t column)
{
    const double  r = 0.5 * sqrt(1.0 - share);
    const int64_t h = (int64_t)(r * (double)height), w = (int64_t)(r * (double)width);

    return (tl_mix_box){ .top    = TL_MAX(row - h, (int64_t)0),
                         .left   = TL_MAX(column - w, (int64_t)0),
                         .bottom = TL_MIN(row + h, height),
                         .right  = TL_MIN(column + w, width) };
}

static void mix_whole(const tl_batch *in, int64_t width, double share, float *x)
{
    const float keep = (float)share, take = (float)(1.0 - share);

    for (int64_t r = 0; r < in->rows; r++) {
        const float *a = in->x + r * width,
                    *b = in->x + (r + in->rows - 1) % in->rows * width;
        for (int64_t i = 0; i < width; i++) x[r * width + i] = keep * a[i] + take * b[i];
    }
}

static void mix_box(const tl_batch *in, const tl_mix_box *box, float *x)
{
    const int64_t *d = in->x_shape.dim, c = d[3], line = d[2] * c, width = d[1] * line;

    memcpy(x, in->x, (size_t)(in->rows * width) * sizeof *x);
    for (int64_t r = 0; r < in->rows && box->right > box->left; r++)
        for (int64_t y = box->top; y < box->bottom; y++) {
            const int64_t at = y * line + box->left * c;
            memcpy(x + r * width + at,
                   in->x + (r + in->rows - 1) % in->rows * width + at,
                   (size_t)((box->right - box->left) * c) * sizeof *x);
        }
}

static void mix_labels(const tl_batch *in, int64_t classes, double share, float *target)
{
    memset(target, 0, (size_t)(in->capacity * classes) * sizeof *target);
    for (int64_t r = 0; r < in->rows; r++) {
        const int32_t a = in->label[r], b = in->label[(r + in->rows - 1) % in->rows];
        target[r * classes + a] += (float)share;
        target[r * classes + b] += (float)(1.0 - share);
    }
}

void tl_mix(const tl_batch *in, const tl_mix_settings *how, uint64_t seed, uint64_t number,
            int64_t classes, float *x, float *target)
{
    const uint64_t stream = TL_STREAM(TL_STREAM_MIX, number);
    const int64_t  h = in->x_shape.dim[1], w = in->x_shape.dim[2];
    const bool     box =
        how->cutmix > 0.0 && in->x_shape.ndim == 4 &&
        (how->mixup <= 0.0 || tl_rand_uniform(seed, stream, FOR_KIND) < 0.5);
    double share = tl_mix_share(box ? how->cutmix : how->mixup, seed, number);

    if (box) {
        const tl_mix_box b = tl_mix_box_of(
            share, h, w, (int64_t)tl_rand_below(seed, stream, FOR_TOP, (uint64_t)h),
            (int64_t)tl_rand_below(seed, stream, FOR_LEFT, (uint64_t)w));
        share = 1.0 - (double)((b.bottom - b.top) * (b.right - b.left)) / (double)(h * w);
        mix_box(in, &b, x);
    } else {
        mix_whole(in, tl_shape_count(&in->x_shape) / in->capacity, share, x);
    }
    mix_labels(in, classes, share, target);
}
