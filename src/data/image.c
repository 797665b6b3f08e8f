/* image.c -- pictures as the rest sees them: decode to a wanted number of channels, open, peek.
 * Grey from colour is Pillow's convert("L") (ITU-R 601-2).  Floor 2, data. */
#include "data/picture.h"
#include "core/io.h"

void tl_image_free(tl_ctx *ctx, tl_image *image)
{
    tl_free(ctx, image->data);
    *image = (tl_image){ 0 };
}

tl_status tl_image_channels(tl_ctx *ctx, int64_t channels, tl_image *image)
{
    const int64_t n = image->height * image->width;
    uint8_t      *data;
    tl_status     rc;

    if (channels == 0 || channels == image->channels) return TL_OK;
    rc = tl_alloc(ctx, (size_t)(n * channels), &data);
    if (rc != TL_OK) return rc;
    if (channels == 3) {
        for (int64_t i = 0; i < n; i++)
            data[3 * i] = data[3 * i + 1] = data[3 * i + 2] = image->data[i];
    } else {
        for (int64_t i = 0; i < n; i++) {
            const uint8_t *p = image->data + 3 * i;
            data[i] =
                (uint8_t)((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 0x8000u) >> 16);
        }
    }
    tl_free(ctx, image->data);
    image->data     = data;
    image->channels = channels;
    return TL_OK;
}

tl_status tl_image_decode(tl_ctx *ctx, const char *where, const uint8_t *data,
                          size_t bytes, int channels, int64_t limit_pixels, tl_image *out)
{
    tl_picture p = { .where = where,
                     .data  = data,
                     .bytes = bytes,
                     .turn  = 1,
                     .limit = limit_pixels > 0 ? limit_pixels : TL_PICTURE_PIXELS };
    tl_status  rc;

    TL_TRY(tl_picture_decode(ctx, &p, out));
    TL_TRY(tl_image_channels(ctx, channels, out));
done:
    if (rc != TL_OK) tl_image_free(ctx, out);
    return rc;
}

tl_status tl_image_open(tl_ctx *ctx, const char *path, int channels, tl_image *out)
{
    uint8_t  *data  = NULL;
    size_t    bytes = 0;
    tl_status rc;

    *out = (tl_image){ 0 };
    TL_TRY(tl_file_read(ctx, path, TL_PICTURE_FILE_BYTES, &data, &bytes));
    TL_TRY(tl_image_decode(ctx, path, data, bytes, channels, 0, out));
done:
    tl_free(ctx, data);
    return rc;
}

tl_status tl_image_peek(tl_ctx *ctx, const char *path, tl_image *out)
{
    tl_picture p   = { .where = path, .limit = TL_PICTURE_PIXELS, .turn = 1 };
    tl_map     map = { 0 };
    bool       whole;
    tl_status  rc;

    *out = (tl_image){ 0 };
    TL_TRY(tl_map_open(ctx, path, &map));
    p.data  = map.data;
    p.bytes = map.bytes;
    TL_TRY(tl_picture_header(ctx, &p, out, &whole));
done:
    tl_map_close(ctx, &map);
    return rc;
}
