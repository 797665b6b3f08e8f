/* fuzz_weights.h -- what the fuzz targets of weight files share: parse, read every
 * tensor, leave nothing behind. */
#ifndef TESTS_FUZZ_WEIGHTS_H
#define TESTS_FUZZ_WEIGHTS_H
#include "model/formats/formats.h"

#include <stdlib.h>

/* Recognise a network by the file's tensors, and load it: what a bare file goes
 * through. */
static inline void fuzz_load(tl_ctx *ctx, const tl_weights *w)
{
    const char   **name   = calloc(w->count, sizeof *name);
    tl_shape      *shape  = calloc(w->count, sizeof *shape);
    tl_params     *params = NULL;
    tl_arch        arch   = { 0 };
    tl_load_report report = { 0 };
    size_t         count  = 0;

    for (size_t i = 0; name && shape && i < w->count; i++) {
        if (w->weight[i].shape.ndim < 0) continue;
        name[count]    = w->weight[i].name;
        shape[count++] = w->weight[i].shape;
    }
    if (tl_arch_recognise(ctx, "fuzz", &(tl_tensors){ name, shape, count }, NULL,
                          &arch) == TL_OK &&
        tl_arch_params(ctx, &arch, &params) == TL_OK)
        (void)tl_weights_load(ctx, w, "fuzz", &arch, params, &report);
    tl_load_report_free(ctx, &report);
    tl_params_free(ctx, params);
    tl_arch_free(ctx, &arch);
    free(name);
    free(shape);
}

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
            const int64_t n =
                w.weight[i].shape.ndim < 0 ? 1 : tl_shape_count(&w.weight[i].shape);
            float        *out;
            if (n > 1 << 20 || !(out = malloc((size_t)n * sizeof *out))) continue;
            (void)tl_weight_read(&ctx, &w.weight[i], out);
            free(out);
        }
        fuzz_load(&ctx, &w);
    }
    tl_weights_close(&ctx, &w);
    if (world.now_bytes) abort(); /* a leak */
    return 0;
}
#endif
