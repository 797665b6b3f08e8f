/* image.c -- fuzz target: picture headers and decoders.  What decodes has the size its header
 * says, and goes through resizing and preprocessing. */
#include "data/picture.h"
#include "data/prep.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void use(tl_ctx *ctx, const tl_image *image)
{
    static float x[9 * 7 * 3];
    tl_prep      p;

    tl_prep_named("imagenet", &p);
    p.height       = 9;
    p.width        = 7;
    p.resize_short = 11;
    p.channels     = image->channels;
    tl_prep_apply(ctx, &p, image, x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    tl_world   world;
    tl_ctx     ctx;
    tl_picture p = { .where = "fuzz", .data = data, .bytes = bytes, .limit = 1 << 18 };
    tl_image   size, image;
    bool       whole;

    tl_world_init(&world);
    world.limit_bytes = (size_t)64 << 20;
    ctx               = tl_ctx_make(&world);
    p.turn            = 1;
    tl_picture_header(&ctx, &p, &size, &whole);
    if (tl_picture_decode(&ctx, &p, &image) == TL_OK) {
        if (size.height && size.height * size.width != image.height * image.width)
            abort();
        use(&ctx, &image);
    }
    tl_image_free(&ctx, &image);
    if (world.now_bytes) abort();
    return 0;
}
