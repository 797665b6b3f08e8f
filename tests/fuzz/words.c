/* words.c -- fuzz target: texts that name a network (--arch), built as far as its parameters'
 * declaration. */
#include "core/core.h"
#include "model/family.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    tl_world   world;
    tl_ctx     ctx;
    tl_arch    arch;
    tl_params *params = NULL;
    char      *text   = malloc(bytes + 1);

    if (!text) return 0;
    memcpy(text, data, bytes);
    text[bytes] = 0;
    tl_world_init(&world);
    ctx               = tl_ctx_make(&world);
    world.limit_bytes = (size_t)64 << 20;
    /* a name that ends so would be read as a file */
    if (bytes < 5 || strcmp(text + bytes - 5, ".json") != 0)
        if (tl_arch_parse(&ctx, text, TL_SHAPE(28, 28, 1), 10, &arch) == TL_OK) {
            tl_arch_params(&ctx, &arch, &params);
            tl_params_free(&ctx, params);
            tl_arch_free(&ctx, &arch);
        }
    free(text);
    if (world.now_bytes != 0) abort();
    return 0;
}
