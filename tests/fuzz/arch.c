/* arch.c -- fuzz target: config.json and tailor.json's account of a network, built as far as
 * its parameters' declaration. */
#include "core/core.h"
#include "model/family.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void declare(tl_ctx *ctx, tl_arch *arch)
{
    tl_params *params = NULL;

    tl_arch_params(ctx, arch, &params);
    tl_params_free(ctx, params);
    tl_arch_free(ctx, arch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    tl_world world;
    tl_ctx   ctx;
    tl_arch  arch;
    json_t  *value;

    tl_world_init(&world);
    ctx               = tl_ctx_make(&world);
    world.limit_bytes = (size_t)64 << 20;
    if (tl_json_parse(&ctx, "fuzz", (const char *)data, bytes, &value) == TL_OK) {
        if (tl_arch_from_config(&ctx, "fuzz", value, &arch) == TL_OK) declare(&ctx, &arch);
        if (tl_arch_from_json(&ctx, "fuzz", value, &arch) == TL_OK) declare(&ctx, &arch);
        json_decref(value);
    }
    if (world.now_bytes != 0) abort();
    return 0;
}
