/* peft.c -- fuzz target: adapter_config.json; what is accepted is an adapter that can be kept. */
#include "bundle/adapter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    tl_world world;
    tl_ctx   ctx;
    tl_adapt a, again;
    json_t  *value, *back;

    tl_world_init(&world);
    ctx = tl_ctx_make(&world);
    if (tl_json_parse(&ctx, "fuzz", (const char *)data, bytes, &value) != TL_OK) return 0;
    if (tl_peft_config(&ctx, "fuzz", value, &a) == TL_OK) {
        back = tl_adapt_to_json(&a);
        if (a.kind == TL_ADAPT_NONE) abort();
        if (tl_adapt_from_json(&ctx, "back", back, &again) != TL_OK) abort();
        if (a.kind != again.kind || a.r != again.r || a.rs != again.rs) abort();
        json_decref(back);
    }
    json_decref(value);
    if (world.now_bytes != 0) abort();
    return 0;
}
