/* augment.c -- random pictures for training, each a function of (seed, epoch, row).
 * Sources: torchvision's RandomResizedCrop and ColorJitter; Zhong et al. 2017 (random erasing);
 * He et al. 2015 (pad and crop).  Floor 2, data. */
#include "core/rand.h"
#include "data/randaug.h"
#include "data/window.h"

#include <math.h>
#include <string.h>

enum {
    FOR_FLIP,
    FOR_TOP,
    FOR_LEFT,
    FOR_BRIGHT,
    FOR_CONTRAST,
    FOR_COLOUR,
    FOR_ERASE,
    FOR_ERASE_TRY = 8,
    FOR_OPS       = 48,
    FOR_CROP_TRY  = 64,
    DRAWS         = 128,
    TRIES         = 10,
    RESIZED_FROM  = 64,
    MOST_OPS      = 8 /* as dice are reserved */
};

static const struct {
    const char *name;
    tl_augment  augment;
} named[] = {
    { "none", { 0 } },
    { "shift", { .pad_crop = 2 } },
    { "light", { .flip = true, .pad_crop = 2 } },
    { "crop", { .flip = true, .pad_crop = 4, .resized_crop = true, .least_area = 0.35 } },
    { "strong",
      { .flip         = true,
        .pad_crop     = 4,
        .resized_crop = true,
        .least_area   = 0.2,
        .jitter       = 0.3,
        .erase        = 0.25 } },
    { "randaugment",
      { .flip         = true,
        .pad_crop     = 4,
        .resized_crop = true,
        .least_area   = 0.35,
        .ops          = 2,
        .strength     = 9 } },
};

const char *tl_augment_name_at(size_t i)
{
    return i < TL_COUNT(named) ? named[i].name : NULL;
}

bool tl_augment_named(const char *name, tl_augment *out)
{
    for (size_t i = 0; i < TL_COUNT(named); i++)
        if (strcmp(named[i].name, name) == 0) {
            *out = named[i].augment;
            return true;
        }
    return false;
}

json_t *tl_augment_to_json(const tl_augment *a)
{
    return json_pack("{s:b, s:i, s:b, s:f, s:f, s:i, s:i, s:f}", "flip", a->flip, "pad_crop",
                     a->pad_crop, "resized_crop", a->resized_crop, "least_area",
                     a->least_area, "jitter", a->jitter, "ops", a->ops,
                     "strength", a->strength, "erase", a->erase);
}

/* The dice of one picture in one epoch. */
typedef struct {
    uint64_t seed, stream, base;
} dice;

static double draw(const dice *d, int which, double low, double high)
{
    return low +
           (high - low) * tl_rand_uniform(d->seed, d->stream, d->base + (uint64_t)which);
}

static int64_t draw_below(const dice *d, int which, int64_t n)
{
    return (int64_t)tl_rand_below(d->seed, d->stream, d->base + (uint64_t)which,
                                  (uint64_t)n);
}

/* A box of random area and aspect; after ten that do not fit, the largest that may be. */
static void random_box(const dice *d, const tl_image *image, double least, double box[4])
{
    const double h = (double)image->height, w = (double)image->width, ratio = w / h;

    for (int t = 0; t < TRIES; t++) {
        const int    at     = FOR_CROP_TRY + 4 * t;
        const double area   = h * w * draw(d, at, least, 1.0);
        const double aspect = exp(draw(d, at + 1, log(3.0 / 4.0), log(4.0 / 3.0)));
        box[3]              = rint(sqrt(area * aspect));
        box[2]              = rint(sqrt(area / aspect));
        if (box[3] < 1.0 || box[2] < 1.0 || box[3] > w || box[2] > h) continue;
        box[0] = (double)draw_below(d, at + 2, (int64_t)(h - box[2]) + 1);
        box[1] = (double)draw_below(d, at + 3, (int64_t)(w - box[3]) + 1);
        return;
    }
    box[2] = ratio < 0.75 ? TL_MAX(rint(w / 0.75), 1.0) : h;
    box[3] = ratio > 4.0 / 3.0 ? TL_MAX(rint(h * 4.0 / 3.0), 1.0) : w;
    box[2] = TL_MIN(box[2], h);
    box[3] = TL_MIN(box[3], w);
    box[0] = floor((h - box[2]) / 2.0);
    box[1] = floor((w - box[3]) / 2.0);
}

static double grey_of(const float *p, int64_t channels)
{
    return channels == 1
               ? (double)p[0]
               : 0.299 * (double)p[0] + 0.587 * (double)p[1] + 0.114 * (double)p[2];
}

static float within(double v)
{
    return (float)(v < 0.0 ? 0.0 : v > 255.0 ? 255.0 : v);
}

/* Brightness, then contrast about the mean grey, then saturation about each pixel's grey; on
 * levels of 0..255 in RGB order. */
static void jitter(const dice *d, double by, int64_t pixels, int64_t channels, float *x)
{
    const double bright   = draw(d, FOR_BRIGHT, TL_MAX(1.0 - by, 0.0), 1.0 + by);
    const double contrast = draw(d, FOR_CONTRAST, TL_MAX(1.0 - by, 0.0), 1.0 + by);
    const double colour   = draw(d, FOR_COLOUR, TL_MAX(1.0 - by, 0.0), 1.0 + by);
    double       mean     = 0.0;

    for (int64_t i = 0; i < pixels * channels; i++) x[i] = within(bright * (double)x[i]);
    for (int64_t i = 0; i < pixels; i++) mean += grey_of(x + i * channels, channels);
    mean /= (double)pixels;
    for (int64_t i = 0; i < pixels * channels; i++)
        x[i] = within(mean + contrast * ((double)x[i] - mean));
    for (int64_t i = 0; i < pixels && channels == 3; i++) {
        const double grey = grey_of(x + 3 * i, 3);
        for (int c = 0; c < 3; c++)
            x[3 * i + c] = within(grey + colour * ((double)x[3 * i + c] - grey));
    }
}

/* Levels of 0..255 to the network's: order, scale, mean, std. */
static void normalise(const tl_prep *prep, int64_t pixels, float *x)
{
    const int64_t n = prep->channels;

    for (int64_t i = 0; i < pixels; i++, x += n) {
        float kept[3] = { x[0], n == 3 ? x[1] : 0.0f, n == 3 ? x[2] : 0.0f };
        for (int64_t c = 0; c < n; c++)
            x[c] = (float)(((double)kept[prep->bgr && n == 3 ? 2 - c : c] * prep->scale -
                            prep->mean[c]) /
                           prep->std[c]);
    }
}

/* A rectangle of 2 to 33 % of the area becomes 0, which is the mean colour. */
static void erase(const dice *d, const tl_prep *prep, float *x)
{
    const int64_t h = prep->height, w = prep->width, c = prep->channels;

    for (int t = 0; t < TRIES; t++) {
        const int     at      = FOR_ERASE_TRY + 4 * t;
        const double  area    = (double)(h * w) * draw(d, at, 0.02, 0.33);
        const double  aspect  = exp(draw(d, at + 1, log(0.3), log(10.0 / 3.0)));
        const int64_t rows    = llround(sqrt(area * aspect)),
                      columns = llround(sqrt(area / aspect));
        if (rows < 1 || columns < 1 || rows >= h || columns >= w) continue;
        const int64_t top  = draw_below(d, at + 2, h - rows + 1);
        const int64_t left = draw_below(d, at + 3, w - columns + 1);
        for (int64_t y = top; y < top + rows; y++)
            memset(x + (y * w + left) * c, 0, (size_t)(columns * c) * sizeof *x);
        return;
    }
}

bool tl_augment_crops(const tl_augment *a, const tl_prep *prep)
{
    return a->resized_crop && TL_MIN(prep->height, prep->width) >= RESIZED_FROM;
}

/* The picture the window is taken from, and where the window begins. */
static tl_status place(tl_ctx *ctx, const tl_prep *prep, const tl_augment *a,
                       const dice *d, const tl_image *image, tl_image *sized, bool *owned,
                       int64_t *top, int64_t *left)
{
    const int64_t h = prep->height, w = prep->width;
    double        box[4];
    tl_status     rc;

    *top = *left = 0;
    if (tl_augment_crops(a, prep)) {
        random_box(d, image, a->least_area, box);
        *owned = true;
        return tl_image_resize(ctx, image, box, h, w, prep->interpolation, sized);
    }
    rc = tl_prep_resize(ctx, prep, image, sized, owned);
    if (rc != TL_OK) return rc;
    tl_prep_corner(prep, sized, top, left);
    if (a->pad_crop > 0) {
        const int64_t by = TL_MAX(a->pad_crop * TL_MIN(h, w) / 32, 1);
        *top += draw_below(d, FOR_TOP, 2 * by + 1) - by;
        *left += draw_below(d, FOR_LEFT, 2 * by + 1) - by;
    }
    return TL_OK;
}

/* The window of `from`, mirrored with `flip`; 0 beyond the edges. */
static void cut_window(const tl_image *from, int64_t top, int64_t left, bool flip,
                       tl_image *to)
{
    const int64_t c = to->channels;

    for (int64_t y = 0; y < to->height; y++)
        for (int64_t x = 0; x < to->width; x++) {
            const int64_t sy = top + y, sx = left + (flip ? to->width - 1 - x : x);
            uint8_t      *pixel = to->data + (y * to->width + x) * c;
            const bool    there = sy >= 0 && sx >= 0 && sy < from->height && sx < from->width;
            if (there) memcpy(pixel, from->data + (sy * from->width + sx) * c, (size_t)c);
            else memset(pixel, 0, (size_t)c);
        }
}

/* The window becomes the picture, and a->ops operations change it. */
static tl_status rand_augment(tl_ctx *ctx, const tl_prep *prep, const tl_augment *a,
                              const dice *d, tl_image *sized, bool *owned, int64_t top,
                              int64_t left, bool flip)
{
    const size_t bytes = (size_t)(prep->height * prep->width * prep->channels);
    tl_image     made  = { prep->height, prep->width, prep->channels, NULL };
    uint8_t     *spare = NULL;
    tl_status    rc;

    TL_TRY(tl_alloc(ctx, bytes, &made.data));
    TL_TRY(tl_alloc(ctx, bytes, &spare));
    cut_window(sized, top, left, flip, &made);
    for (int i = 0; i < a->ops && i < MOST_OPS; i++) {
        const tl_rand_op op  = (tl_rand_op)draw_below(d, FOR_OPS + 2 * i, TL_RAND_OPS);
        const bool       neg = draw_below(d, FOR_OPS + 2 * i + 1, 2) == 1;
        uint8_t         *was = made.data;
        tl_rand_op_apply(op, tl_rand_magnitude(op, a->strength, neg, &made), &made, spare);
        made.data = spare;
        spare     = was;
    }
    if (*owned) tl_image_free(ctx, sized);
    *sized    = made;
    *owned    = true;
    made.data = NULL;
done:
    tl_free(ctx, made.data);
    tl_free(ctx, spare);
    return rc;
}

tl_status tl_augment_apply_with(tl_ctx *ctx, const tl_prep *prep, const tl_levels *levels,
                                const tl_augment *a, uint64_t seed, int64_t epoch,
                                int64_t index, const tl_image *image, float *x)
{
    const dice    d      = { seed, TL_STREAM(TL_STREAM_AUGMENT, (uint64_t)epoch),
                             (uint64_t)index * DRAWS };
    const int64_t pixels = prep->height * prep->width;
    tl_image      sized  = { 0 };
    bool          owned  = false;
    int64_t       top, left;
    tl_status     rc;

    TL_TRY(place(ctx, prep, a, &d, image, &sized, &owned, &top, &left));
    bool flip = a->flip && draw(&d, FOR_FLIP, 0.0, 1.0) < 0.5;
    if (a->ops > 0) {
        TL_TRY(rand_augment(ctx, prep, a, &d, &sized, &owned, top, left, flip));
        top = left = 0;
        flip       = false;
    }
    if (a->jitter > 0.0) {
        const tl_prep raw = { .height = prep->height,
                              .width  = prep->width,
                              .scale  = 1.0,
                              .std    = { 1.0, 1.0, 1.0 } };
        tl_levels     bytes;
        tl_levels_make(&raw, &bytes);
        tl_window_levels(&raw, &sized, top, left, flip, &bytes, x);
        jitter(&d, a->jitter, pixels, prep->channels, x);
        normalise(prep, pixels, x);
    } else {
        tl_window_levels(prep, &sized, top, left, flip, levels, x);
    }
    if (a->erase > 0.0 && draw(&d, FOR_ERASE, 0.0, 1.0) < a->erase) erase(&d, prep, x);
done:
    if (owned) tl_image_free(ctx, &sized);
    return rc;
}

tl_status tl_augment_apply(tl_ctx *ctx, const tl_prep *prep, const tl_augment *a,
                           uint64_t seed, int64_t epoch, int64_t index,
                           const tl_image *image, float *x)
{
    tl_levels levels;

    if (image->channels != prep->channels)
        return tl_fail(ctx, TL_EUSAGE, "augment",
                       "a picture of %" PRId64 " channels for a network of %" PRId64
                       " (decode it with that many)",
                       image->channels, prep->channels);
    tl_levels_make(prep, &levels);
    return tl_augment_apply_with(ctx, prep, &levels, a, seed, epoch, index, image, x);
}
