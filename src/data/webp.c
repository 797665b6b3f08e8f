/* webp.c -- WebP by libwebp.  Alpha is dropped.  Source: libwebp's decode.h.  Floor 2, data. */
#include "data/picture.h"

#include <string.h>

#include <webp/decode.h>

static tl_status failed(tl_ctx *ctx, tl_picture *p, VP8StatusCode code)
{
    if (code == VP8_STATUS_OUT_OF_MEMORY)
        return tl_fail(ctx, TL_ENOMEM, p->where, "no room to decode (free some memory)");
    if (code == VP8_STATUS_NOT_ENOUGH_DATA || code == VP8_STATUS_SUSPENDED)
        return tl_picture_fail(ctx, p, TL_PICTURE_SHORT, "");
    if (code == VP8_STATUS_UNSUPPORTED_FEATURE)
        return tl_picture_fail(ctx, p, TL_PICTURE_UNSUPPORTED, "a WebP feature");
    return tl_picture_fail(ctx, p, TL_PICTURE_DAMAGED, "");
}

tl_status tl_webp_decode(tl_ctx *ctx, tl_picture *p, tl_image *out)
{
    WebPDecoderConfig config;
    VP8StatusCode     code;
    tl_image          size;
    bool              whole;
    tl_status         rc;

    *out = (tl_image){ 0 };
    if (!WebPInitDecoderConfig(&config))
        return tl_fail(ctx, TL_EFAIL, p->where,
                       "libwebp is of another version (reinstall it)");
    code = WebPGetFeatures(p->data, p->bytes, &config.input);
    if (code != VP8_STATUS_OK) return failed(ctx, p, code);
    if (config.input.has_animation)
        return tl_picture_fail(ctx, p, TL_PICTURE_UNSUPPORTED, "animated WebP");
    rc = tl_picture_header(ctx, p, &size, &whole); /* for EXIF */
    if (rc != TL_OK) return rc;
    rc = tl_picture_room(ctx, p, config.input.height, config.input.width, 3, out);
    if (rc != TL_OK) return rc;
    config.output.colorspace         = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba        = out->data;
    config.output.u.RGBA.stride      = (int)(out->width * 3);
    config.output.u.RGBA.size        = (size_t)(out->width * out->height * 3);
    code                             = WebPDecode(p->data, p->bytes, &config);
    WebPFreeDecBuffer(&config.output);
    if (code == VP8_STATUS_OK) return TL_OK;
    tl_image_free(ctx, out);
    return failed(ctx, p, code);
}
