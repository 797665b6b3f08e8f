/* prep.c -- fuzz target: preprocessor_config.json; what is accepted comes back from JSON. */
#include "data/prep.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    tl_world world;
    tl_ctx   ctx;
    tl_prep  prep, again;
    json_t  *value, *back;

    tl_world_init(&world);
    ctx = tl_ctx_make(&world);
    if (tl_json_parse(&ctx, "fuzz", (const char *)data, bytes, &value) != TL_OK) return 0;
    if (tl_prep_from_json(&ctx, "fuzz", value, &prep) == TL_OK) {
        back = tl_prep_to_json(&prep);
        if (tl_prep_from_json(&ctx, "back", back, &again) != TL_OK) abort();
        if (prep.height != again.height || prep.resize_short != again.resize_short)
            abort();
        json_decref(back);
    }
    json_decref(value);
    return 0;
}
