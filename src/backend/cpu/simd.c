/* simd.c -- which table of inner loops this machine runs.  Floor 1, backend/cpu. */
#include "backend/cpu/simd.h"

const tl_simd *tl_simd_at(tl_isa isa)
{
    switch (isa) {
#if defined(__x86_64__) && !defined(TAILOR_PORTABLE)
    case TL_ISA_AVX2: return &tl_simd_avx2;
    case TL_ISA_AVX512: return &tl_simd_avx512;
    case TL_ISA_AVX512_BF16:
    case TL_ISA_AMX: /* and tiles.h beside it */ return &tl_simd_avx512bf16;
#elif defined(__aarch64__)
    case TL_ISA_NEON: return &tl_simd_portable; /* its vectors are NEON's there */
#endif
    case TL_ISA_PORTABLE: return &tl_simd_portable;
    default: return NULL;
    }
}

const tl_simd *tl_simd_best(void)
{
    const tl_simd *best = tl_simd_at(tl_machine_isa());

    return best ? best : &tl_simd_portable;
}
