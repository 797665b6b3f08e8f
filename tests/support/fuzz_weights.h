/* fuzz_weights.h -- what the fuzz targets of weight files share: parse, read every tensor,
 * leave nothing behind. */
#ifndef TESTS_FUZZ_WEIGHTS_H
#define TESTS_FUZZ_WEIGHTS_H
#include "model/formats/formats.h"

#include <stdlib.h>

static inline int fuzz_weights(const uint8_t *data, size_t bytes)
{
    const tl_map map = { data, bytes };
    tl_world     world;
    tl_ctx       ctx;
    tl_weights   w;

    tl_world_init(&world);
    world.limit_bytes = (size_t)256 << 20;
    ctx               = tl_ctx_make(&world);
    if (tl_weights_parse(&ctx, "fuzz", &map, &w) == TL_OK) {
        for (size_t i = 0; i < w.count; i++) {
            const int64_t n = w.weight[i].shape.ndim < 0 ? 1 : tl_shape_count(&w.weight[i].shape);
            float        *out;
            if (n > 1 << 20 || !(out = malloc((size_t)n * sizeof *out))) continue;
            (void)tl_weight_read(&ctx, &w.weight[i], out);
            free(out);
        }
    }
    tl_weights_close(&ctx, &w);
    if (world.now_bytes) abort(); /* a leak */
    return 0;
}
#endif
