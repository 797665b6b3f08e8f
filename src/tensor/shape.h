/* shape.h -- element types and shapes.  Floor 1, tensor. */
#ifndef TL_TENSOR_SHAPE_H
#define TL_TENSOR_SHAPE_H
#include "core/core.h"

typedef enum { TL_F32, TL_BF16, TL_I32, TL_U8 } tl_dtype;
size_t      tl_dtype_bytes(tl_dtype dtype);
const char *tl_dtype_name(tl_dtype dtype);

enum { TL_DIMS = 5 };
typedef struct {
    int     ndim;         /* 0 (a scalar) .. TL_DIMS */
    int64_t dim[TL_DIMS]; /* each >= 1; row-major, pictures are N, H, W, C */
} tl_shape;

#define TL_SHAPE(...) \
    ((tl_shape){ (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ } })
static const tl_shape TL_SCALAR = { 0 };

int64_t tl_shape_count(const tl_shape *s); /* product; 1 for a scalar */
bool    tl_shape_equal(const tl_shape *a, const tl_shape *b);
char   *tl_say_shape(const tl_shape *s, char buffer[96]); /* "32x3x3x16" */

/* bf16 is the upper half of an f32; rounding is to nearest, ties to even, NaN kept. */
static inline float tl_bf16_to_f32(uint16_t b)
{
    union { uint32_t u; float f; } v = { .u = (uint32_t)b << 16 };
    return v.f;
}
static inline uint16_t tl_f32_to_bf16(float f)
{
    union { float f; uint32_t u; } v = { .f = f };
    if ((v.u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(v.u >> 16 | 0x40u);
    return (uint16_t)((v.u + 0x7fffu + (v.u >> 16 & 1u)) >> 16);
}
#endif
