/* tiles.c -- see tiles.h.  Floor 1, backend/cpu. */
#include "backend/cpu/tiles.h"

#if defined(__x86_64__) && !defined(TAILOR_PORTABLE)
extern const tl_tiles tl_tiles_amx;
#endif

const tl_tiles *tl_tiles_built(void)
{
#if defined(__x86_64__) && !defined(TAILOR_PORTABLE)
    return &tl_tiles_amx;
#else
    return NULL;
#endif
}

const tl_tiles *tl_tiles_best(void)
{
    return tl_machine_isa() == TL_ISA_AMX ? tl_tiles_built() : NULL;
}
