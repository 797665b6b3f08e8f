/* image.h -- pictures: decoding, resizing, colour.  JPEG, PNG and WebP by the usual libraries;
 * grey, palette, alpha, CMYK, 16-bit and EXIF rotation end up as upright 8-bit grey or RGB.
 * Floor 2, data.  Sources: libjpeg, libpng, libwebp, EXIF 2.3; Pillow's Resample.c. */
#ifndef TL_DATA_IMAGE_H
#define TL_DATA_IMAGE_H
#include "core/core.h"

typedef struct {
    int64_t  height, width, channels; /* channels 1 or 3 */
    uint8_t *data;                    /* [h w c]; owned  */
} tl_image;

/* `channels`: 0 as stored (1 for grey), 1, or 3.  Over `limit` pixels: TL_ELIMIT (bombs). */
tl_status tl_image_decode(tl_ctx *ctx, const char *where, const uint8_t *data, size_t bytes,
                          int channels, int64_t limit_pixels, tl_image *out);
tl_status tl_image_open(tl_ctx *ctx, const char *path, int channels, tl_image *out);
/* Height, width, channels without decoding. */
tl_status tl_image_peek(tl_ctx *ctx, const char *path, tl_image *out);
void      tl_image_free(tl_ctx *ctx, tl_image *image);
tl_status tl_image_write_png(tl_ctx *ctx, const tl_image *image, uint8_t **data, size_t *bytes);

typedef enum { TL_NEAREST, TL_BILINEAR, TL_BICUBIC } tl_interpolation;
/* Antialiased as Pillow (support grows with the scale); box [top left height width] of the
 * source in pixels, or NULL for all. */
tl_status tl_image_resize(tl_ctx *ctx, const tl_image *in, const double box[4], int64_t height,
                          int64_t width, tl_interpolation how, tl_image *out);
#endif
