/* body_pointwise.h -- element by element: activations, sums, products, casts.  Bodies of
 * simd.h's table.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_POINTWISE_H
#define TL_BACKEND_CPU_BODY_POINTWISE_H
#include "backend/cpu/body_act.h"

/* Gates are nearly always these. */
#define BY_GATE(act, CALL)                                                               \
    do {                                                                                 \
        switch (act) {                                                                   \
        case TL_ACT_SILU: CALL(TL_ACT_SILU); break;                                      \
        case TL_ACT_GELU_TANH: CALL(TL_ACT_GELU_TANH); break;                            \
        default: CALL(act); break;                                                       \
        }                                                                                \
    } while (0)

/* What stands between a network's layers, and costs most. */
#define BY_CURVE(act, CALL)                                                              \
    do {                                                                                 \
        switch (act) {                                                                   \
        case TL_ACT_GELU: CALL(TL_ACT_GELU); break;                                      \
        case TL_ACT_GELU_TANH: CALL(TL_ACT_GELU_TANH); break;                            \
        case TL_ACT_SILU: CALL(TL_ACT_SILU); break;                                      \
        default: BY_ACT(act, CALL); break;                                               \
        }                                                                                \
    } while (0)

VEC void act_loop(tl_activation act, int64_t n, const void *x, void *y, bool bf)
{
    for (int64_t i = 0; i < n; i += VL)
        give(y, i, value_for(act, take(x, i, n - i, bf), bf), n - i, bf);
}
static void body_act(tl_activation act, int64_t n, const void *x, void *y, bool bf)
{
#define CALL(a) (bf ? act_loop(a, n, x, y, true) : act_loop(a, n, x, y, false))
    BY_CURVE(act, CALL);
#undef CALL
}

VEC void act_grad_loop(tl_activation act, bool from_output, int64_t n, const void *dy,
                       const void *s, void *dx, bool bf)
{
    for (int64_t i = 0; i < n; i += VL) {
        const vf g = take(dy, i, n - i, bf), v = take(s, i, n - i, bf);
        give(dx, i, from_output ? through_y(act, g, v) : g * slope_for(act, v, bf), n - i, bf);
    }
}
static void body_act_grad(tl_activation act, bool from_output, int64_t n, const void *dy,
                          const void *s, void *dx, bool bf)
{
#define CALL(a)                                                                          \
    (bf ? act_grad_loop(a, from_output, n, dy, s, dx, true)                              \
        : act_grad_loop(a, from_output, n, dy, s, dx, false))
    BY_CURVE(act, CALL);
#undef CALL
}

VEC void glu_loop(tl_activation act, int64_t n, const void *gate, const void *up, void *y,
                  bool bf)
{
    for (int64_t i = 0; i < n; i += VL)
        give(y, i, value_for(act, take(gate, i, n - i, bf), bf) * take(up, i, n - i, bf), n - i,
             bf);
}
static void body_glu(tl_activation act, int64_t n, const void *gate, const void *up,
                     void *y, bool bf)
{
#define CALL(a) (bf ? glu_loop(a, n, gate, up, y, true) : glu_loop(a, n, gate, up, y, false))
    BY_GATE(act, CALL);
#undef CALL
}

VEC void glu_grad_loop(tl_activation act, int64_t n, const void *dy, const void *gate,
                       const void *up, void *dgate, void *dup, bool bf)
{
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t left = n - i;
        const vf      g = take(dy, i, left, bf), x = take(gate, i, left, bf);
        if (dgate)
            give(dgate, i, g * take(up, i, left, bf) * slope_for(act, x, bf), left, bf);
        if (dup) give(dup, i, g * value_for(act, x, bf), left, bf);
    }
}
static void body_glu_grad(tl_activation act, int64_t n, const void *dy, const void *gate,
                          const void *up, void *dgate, void *dup, bool bf)
{
#define CALL(a)                                                                          \
    (bf ? glu_grad_loop(a, n, dy, gate, up, dgate, dup, true)                            \
        : glu_grad_loop(a, n, dy, gate, up, dgate, dup, false))
    BY_GATE(act, CALL);
#undef CALL
}

VEC void add_loop(tl_activation act, int64_t n, const void *a, const void *b, void *y,
                  bool bf, bool b_bf)
{
    for (int64_t i = 0; i < n; i += VL)
        give(y, i, act_value(act, take(a, i, n - i, bf) + take(b, i, n - i, b_bf)), n - i,
             bf);
}
static void body_add(tl_activation act, int64_t n, const void *a, const void *b, void *y,
                     bool bf, bool b_bf)
{
#define CALL(t)                                                                          \
    (!bf    ? add_loop(t, n, a, b, y, false, false)                                      \
     : b_bf ? add_loop(t, n, a, b, y, true, true)                                        \
            : add_loop(t, n, a, b, y, true, false))
    BY_ACT(act, CALL);
#undef CALL
}

VEC void mul_loop(int64_t n, const void *a, const void *b, void *y, bool bf, bool b_bf)
{
    for (int64_t i = 0; i < n; i += VL)
        give(y, i, take(a, i, n - i, bf) * take(b, i, n - i, b_bf), n - i, bf);
}
static void body_mul(int64_t n, const void *a, const void *b, void *y, bool bf, bool b_bf)
{
    if (!bf)
        mul_loop(n, a, b, y, false, false);
    else if (b_bf)
        mul_loop(n, a, b, y, true, true);
    else
        mul_loop(n, a, b, y, true, false);
}

VEC void scale_loop(float factor, int64_t n, const void *x, void *y, bool bf)
{
    for (int64_t i = 0; i < n; i += VL)
        give(y, i, take(x, i, n - i, bf) * factor, n - i, bf);
}
static void body_scale(float factor, int64_t n, const void *x, void *y, bool bf)
{
    if (bf)
        scale_loop(factor, n, x, y, true);
    else
        scale_loop(factor, n, x, y, false);
}

VEC void cast_loop(int64_t n, const void *x, bool x_bf, void *y, bool y_bf)
{
    for (int64_t i = 0; i < n; i += VL) give(y, i, take(x, i, n - i, x_bf), n - i, y_bf);
}
static void body_cast(int64_t n, const void *x, bool x_bf, void *y, bool y_bf)
{
    if (x_bf == y_bf)
        memmove(y, x, (size_t)n * (x_bf ? 2 : 4));
    else if (x_bf)
        cast_loop(n, x, true, y, false);
    else
        cast_loop(n, x, false, y, true);
}

static void body_clear_far(size_t bytes, void *to)
{
#if defined(__AVX512F__) || defined(__AVX2__)
    if (((uintptr_t)to | bytes) % 64 == 0) {
        for (float *p = to, *end = p + bytes / sizeof *p; p < end; p += VL)
#if defined(__AVX512F__)
            _mm512_stream_ps(p, _mm512_setzero_ps());
#else
            _mm256_stream_ps(p, _mm256_setzero_ps());
#endif
        _mm_sfence();
        return;
    }
#endif
    memset(to, 0, bytes);
}
#endif
