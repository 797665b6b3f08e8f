/* config.c -- fuzz target: a config.json, or the arch of a tailor.json, to a network. */
#include "model/family.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    tl_world   world;
    tl_ctx     ctx;
    tl_arch    arch   = { 0 };
    tl_params *params = NULL;
    json_t    *value  = NULL;

    tl_world_init(&world);
    world.limit_bytes = (size_t)64 << 20;
    ctx               = tl_ctx_make(&world);
    if (tl_json_parse(&ctx, "config.json", (const char *)data, bytes, &value) == TL_OK) {
        for (int kind = 0; kind < 2; kind++) {
            if ((kind ? tl_arch_from_config(&ctx, "config.json", value, &arch)
                      : tl_arch_from_json(&ctx, "tailor.json", value, &arch)) != TL_OK)
                continue;
            (void)tl_arch_params(&ctx, &arch, &params);
            tl_params_free(&ctx, params);
            tl_arch_free(&ctx, &arch);
        }
    }
    json_decref(value);
    if (world.now_bytes) abort(); /* a leak */
    return 0;
}
