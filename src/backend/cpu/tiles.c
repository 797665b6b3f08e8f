/* tiles.c -- see tiles.h.  Floor 1, backend/cpu. */
#include "backend/cpu/tiles.h"

#if defined(__x86_64__) && !defined(TAILOR_PORTABLE)
extern const tl_tiles tl_tiles_amx, tl_tiles_avx512bf16;

static const tl_tiles *const built[] = { &tl_tiles_amx, &tl_tiles_avx512bf16 };

const tl_tiles *tl_tiles_best(void)
{
    switch (tl_machine_isa()) {
    case TL_ISA_AMX: return &tl_tiles_amx;
    case TL_ISA_AVX512_BF16: return &tl_tiles_avx512bf16;
    default: return NULL;
    }
}

const tl_tiles *tl_tiles_of(const void *state)
{
    for (size_t i = 0; i < TL_COUNT(built); i++)
        if (state == built[i]) return built[i];
    return NULL;
}
#else
const tl_tiles *tl_tiles_best(void)
{
    return NULL;
}

const tl_tiles *tl_tiles_of(const void *state)
{
    (void)state;
    return NULL;
}
#endif
