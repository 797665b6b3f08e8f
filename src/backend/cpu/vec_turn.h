/* vec_turn.h -- a square of lanes turned.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_VEC_TURN_H
#define TL_BACKEND_CPU_VEC_TURN_H
#include "backend/cpu/vec.h"

/* Lanes of a and b in turn: the lower halves, the upper halves. */
VEC vf zip_low(vf a, vf b)
{
#if VL == 16
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22,
                                   7, 23);
#elif VL == 8
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
    return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}
VEC vf zip_high(vf a, vf b)
{
#if VL == 16
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14,
                                   30, 15, 31);
#elif VL == 8
    return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
    return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

/* A square of VL x VL: lane j of vector i becomes lane i of vector j. */
VEC void turn_lanes(vf *v)
{
    vf z[VL];

    UNROLL
    for (int stage = VL / 2; stage > 0; stage /= 2) {
        UNROLL
        for (int i = 0; i < VL / 2; i++) {
            z[2 * i]     = zip_low(v[i], v[i + VL / 2]);
            z[2 * i + 1] = zip_high(v[i], v[i + VL / 2]);
        }
        UNROLL
        for (int i = 0; i < VL; i++) v[i] = z[i];
    }
}
#endif
