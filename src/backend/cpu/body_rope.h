/* body_rope.h -- pairs of a head's values turned by their row's angles.  Body of simd.h's table.
 * Source: Su et al. 2021, arXiv:2104.09864.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_ROPE_H
#define TL_BACKEND_CPU_BODY_ROPE_H
#include "backend/cpu/vec.h"

VEC void rope_halves(int64_t at, int64_t half, float way, const void *x,
                     const float *cosine, const float *sine, void *y, bool bf)
{
    for (int64_t i = 0; i < half; i += VL) {
        const int64_t left = half - i;
        const vf      u = take(x, at + i, left, bf), v = take(x, at + half + i, left, bf);
        const vf c = take(cosine, i, left, false), s = take(sine, i, left, false) * way;
        give(y, at + i, u * c - v * s, left, bf);
        give(y, at + half + i, v * c + u * s, left, bf);
    }
}

static void set_one(void *p, int64_t i, float v, bool bf)
{
    if (bf)
        ((uint16_t *)p)[i] = tl_f32_to_bf16(v);
    else
        ((float *)p)[i] = v;
}
static void rope_neighbours(int64_t at, int64_t half, float way, const void *x,
                            const float *cosine, const float *sine, void *y, bool bf)
{
    for (int64_t i = 0; i < half; i++) {
        const float u = get_one(x, at + 2 * i, bf), v = get_one(x, at + 2 * i + 1, bf);
        const float s = sine[i] * way;
        set_one(y, at + 2 * i, u * cosine[i] - v * s, bf);
        set_one(y, at + 2 * i + 1, v * cosine[i] + u * s, bf);
    }
}

static void body_rope(const tl_rope_attr *a, int64_t rows, int64_t width, int64_t half,
                      const void *x, const float *cosine, const float *sine, void *y,
                      bool bf)
{
    const float  way  = a->back ? -1.0f : 1.0f;
    const size_t size = bf ? 2 : 4;

    if (x != y) memcpy(y, x, (size_t)(rows * width) * size);
    for (int64_t r = 0; r < rows; r++, cosine += half, sine += half)
        for (int64_t head = 0; head < a->spec.heads; head++) {
            const int64_t at = r * width + head * a->spec.dim;
            if (a->spec.interleaved)
                rope_neighbours(at, half, way, x, cosine, sine, y, bf);
            else if (bf)
                rope_halves(at, half, way, x, cosine, sine, y, true);
            else
                rope_halves(at, half, way, x, cosine, sine, y, false);
        }
}
#endif
