/* pickle.c -- fuzz target: the unpickler alone, pickle after pickle. */
#include "model/formats/pickle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    tl_world         world;
    tl_ctx           ctx;
    tl_pickle       *p;
    tl_pickle_value *top;
    tl_weights       w  = { 0 };
    size_t           at = 0;

    tl_world_init(&world);
    world.limit_bytes = (size_t)256 << 20;
    ctx               = tl_ctx_make(&world);
    if (tl_pickle_new(&ctx, "fuzz", data, &p) == TL_OK) {
        while (at < bytes && tl_pickle_read(&ctx, p, &at, bytes, &top) == TL_OK) {
            size_t              count;
            tl_pickle_storage **storage = tl_pickle_storages(p, &count);
            for (size_t i = 0; i < count; i++)
                if ((size_t)storage[i]->numel <= bytes / storage[i]->type->bytes)
                    storage[i]->data = data;
            (void)tl_pickle_weights(&ctx, "fuzz", top, &w);
            tl_weights_close(&ctx, &w);
        }
    }
    tl_pickle_free(&ctx, p);
    if (world.now_bytes) abort(); /* a leak */
    return 0;
}
