/* window.h -- the steps of preprocessing that the cache, the loader and augmentation share.
 * Inside the data room only.  Floor 2, data. */
#ifndef TL_DATA_WINDOW_H
#define TL_DATA_WINDOW_H
#include "data/prep.h"

/* A byte's value after scale, mean and std, by channel of the network's order. */
typedef struct { float of[3][256]; } tl_levels;
void tl_levels_make(const tl_prep *prep, tl_levels *out);

/* Sizes that prep's resize gives a picture of h x w. */
void      tl_prep_sizes(const tl_prep *prep, int64_t h, int64_t w, int64_t *to_h, int64_t *to_w);
/* `image` as prep resizes it, before the crop.  Where nothing changes, *out shares image's data
 * and *owned is false. */
tl_status tl_prep_resize(tl_ctx *ctx, const tl_prep *prep, const tl_image *image, tl_image *out,
                         bool *owned);
/* Row and column where the centre crop of a resized picture begins (may be negative). */
void      tl_prep_corner(const tl_prep *prep, const tl_image *image, int64_t *top, int64_t *left);
/* prep's input-sized window of `image` at (top, left), bytes 0 beyond its edges, mirrored with
 * `flip`, through `levels` into x [h w c]. */
void      tl_window_levels(const tl_prep *prep, const tl_image *image, int64_t top, int64_t left,
                           bool flip, const tl_levels *levels, float *x);
/* tl_prep_apply and tl_augment_apply with the levels made beforehand. */
tl_status tl_prep_apply_with(tl_ctx *ctx, const tl_prep *prep, const tl_levels *levels,
                             const tl_image *image, float *x);
tl_status tl_augment_apply_with(tl_ctx *ctx, const tl_prep *prep, const tl_levels *levels,
                                const tl_augment *a, uint64_t seed, int64_t epoch, int64_t index,
                                const tl_image *image, float *x);
#endif
