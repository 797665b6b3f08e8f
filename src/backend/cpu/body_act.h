/* body_act.h -- activations and their slopes on a vector.  `act` is a constant after inlining
 * in the loops that matter.  Sources: ops.h's definitions.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_ACT_H
#define TL_BACKEND_CPU_BODY_ACT_H
#include "backend/cpu/vec_math.h"
#include "tensor/ops.h"
#if defined(__AVX512F__)
#include "backend/cpu/act_tables.h"
#endif

/* Expands CALL(act) with the activations that cost next to nothing as constants. */
#define BY_ACT(act, CALL)                                                                \
    do {                                                                                 \
        switch (act) {                                                                   \
        case TL_ACT_NONE: CALL(TL_ACT_NONE); break;                                      \
        case TL_ACT_RELU: CALL(TL_ACT_RELU); break;                                      \
        case TL_ACT_RELU6: CALL(TL_ACT_RELU6); break;                                    \
        default: CALL(act); break;                                                       \
        }                                                                                \
    } while (0)

VEC vf vf_softplus(vf x)
{
    return vf_max(vf_all(0.0f), x) + vf_log1p(vf_exp(-vf_abs(x)));
}
VEC vf gelu_inner(vf x) /* the argument of gelu's tanh form */
{
    return vf_fma(x * x * x, vf_all(0.044715f), x) * 0.7978845608f;
}

VEC vf rare_value(tl_activation act, vf x)
{
    switch (act) {
    case TL_ACT_LEAKY_RELU: return vf_if(x < 0.0f, x * 0.01f, x);
    case TL_ACT_ELU: {
        const vf small = vf_fma(x * x, vf_fma(x, vf_all(1.0f / 6.0f), vf_all(0.5f)), x);
        const vf e     = vf_if(x > -0.01f, small, vf_exp(x) - 1.0f);
        return vf_if(x < 0.0f, e, x);
    }
    case TL_ACT_GELU: return 0.5f * x * (1.0f + vf_erf(x * 0.7071067812f));
    case TL_ACT_GELU_TANH: return 0.5f * x * (1.0f + vf_tanh(gelu_inner(x)));
    case TL_ACT_SILU: return x * vf_sigmoid(x);
    case TL_ACT_TANH: return vf_tanh(x);
    case TL_ACT_SIGMOID: return vf_sigmoid(x);
    case TL_ACT_SOFTPLUS: return vf_softplus(x);
    case TL_ACT_HARDSWISH:
        return x * vf_min(vf_all(6.0f), vf_max(vf_all(0.0f), x + 3.0f)) * (1.0f / 6.0f);
    case TL_ACT_HARDSIGMOID:
        return vf_min(vf_all(6.0f), vf_max(vf_all(0.0f), x + 3.0f)) * (1.0f / 6.0f);
    case TL_ACT_MISH: return x * vf_tanh(vf_softplus(x));
    default: return x;
    }
}
VEC vf act_value(tl_activation act, vf x)
{
    /* in max and min the second operand wins where one is NaN: a NaN stays one */
    if (act == TL_ACT_NONE) return x;
    if (act == TL_ACT_RELU) return vf_max(vf_all(0.0f), x);
    if (act == TL_ACT_RELU6) return vf_min(vf_all(6.0f), vf_max(vf_all(0.0f), x));
    return rare_value(act, x);
}

VEC vf slope_from_x(tl_activation act, vf x)
{
    const vf zero = vf_all(0.0f), one = vf_all(1.0f);

    switch (act) {
    case TL_ACT_LEAKY_RELU: return vf_if(x > 0.0f, one, vf_all(0.01f));
    case TL_ACT_ELU: return vf_if(x > 0.0f, one, vf_exp(x));
    case TL_ACT_GELU:
        return 0.5f * (1.0f + vf_erf(x * 0.7071067812f)) +
               x * vf_exp(-0.5f * x * x) * 0.3989422804f;
    case TL_ACT_GELU_TANH: {
        const vf t = vf_tanh(gelu_inner(x)),
                 d = (1.0f + 3.0f * 0.044715f * x * x) * 0.7978845608f;
        return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * d;
    }
    case TL_ACT_SILU: {
        const vf s = vf_sigmoid(x);
        return s * (1.0f + x * (1.0f - s));
    }
    case TL_ACT_TANH: {
        const vf t = vf_tanh(x);
        return 1.0f - t * t;
    }
    case TL_ACT_SIGMOID: {
        const vf s = vf_sigmoid(x);
        return s * (1.0f - s);
    }
    case TL_ACT_SOFTPLUS: return vf_sigmoid(x);
    case TL_ACT_HARDSWISH: {
        const vf middle = (2.0f * x + 3.0f) * (1.0f / 6.0f);
        return vf_if(x <= -3.0f, zero, vf_if(x >= 3.0f, one, middle));
    }
    case TL_ACT_HARDSIGMOID:
        return vf_if((x > -3.0f) & (x < 3.0f), vf_all(1.0f / 6.0f), zero);
    case TL_ACT_MISH: {
        const vf t = vf_tanh(vf_softplus(x));
        return t + x * (1.0f - t * t) * vf_sigmoid(x);
    }
    case TL_ACT_RELU: return vf_if(x > 0.0f, one, zero);
    case TL_ACT_RELU6: return vf_if((x > 0.0f) & (x < 6.0f), one, zero);
    default: return one;
    }
}
VEC vf slope_from_y(tl_activation act, vf y)
{
    switch (act) {
    case TL_ACT_ELU: return vf_if(y > 0.0f, vf_all(1.0f), y + 1.0f);
    case TL_ACT_TANH: return 1.0f - y * y;
    case TL_ACT_SIGMOID: return y * (1.0f - y);
    case TL_ACT_SOFTPLUS: return 1.0f - vf_exp(-y);
    case TL_ACT_HARDSIGMOID:
        return vf_if((y > 0.0f) & (y < 1.0f), vf_all(1.0f / 6.0f), vf_all(0.0f));
    default:
        return slope_from_x(act, y); /* relu, relu6, leaky relu: the same test on y */
    }
}
#if defined(__AVX512F__)
/* c(x) of act_tables.h: coefficients are looked up within registers. */
VEC vf odd_part(const act_table *t, vf x)
{
    const vf      at    = vf_min(vf_all(31.0f), vf_abs(x) * t->scale); /* a NaN stays one */
    const __m512i piece = _mm512_cvttps_epi32((__m512)at);
    const vf      u     = (vf)_mm512_reduce_ps((__m512)at, 0x0b); /* what truncation drops */
    vf            c[4];

    UNROLL
    for (int k = 0; k < 4; k++)
        c[k] = (vf)_mm512_permutex2var_ps((__m512)vf_load(t->c[k]), piece,
                                          (__m512)vf_load(t->c[k] + VL));
    const vf p = vf_fma(vf_fma(vf_fma(c[3], u, c[2]), u, c[1]), u, c[0]);
    return (vf)_mm512_ternarylogic_epi32((__m512i)p, (__m512i)x, /* p ^ (x & sign) */
                                         _mm512_set1_epi32((int32_t)0x80000000u), 0x78);
}
#endif
/* As act_value and slope_from_x; where `bf`, to what a result in bf16 shows. */
VEC vf value_for(tl_activation act, vf x, bool bf)
{
#if defined(__AVX512F__)
    if (bf && act == TL_ACT_GELU) return x * (0.5f + odd_part(&gelu_value, x));
    if (bf && act == TL_ACT_GELU_TANH) return x * (0.5f + odd_part(&gelu_tanh_value, x));
    if (bf && act == TL_ACT_SILU) return x * (0.5f + odd_part(&silu_value, x));
#endif
    (void)bf;
    return act_value(act, x);
}
VEC vf slope_for(tl_activation act, vf x, bool bf)
{
#if defined(__AVX512F__)
    if (bf && act == TL_ACT_GELU) return 0.5f + odd_part(&gelu_slope, x);
    if (bf && act == TL_ACT_GELU_TANH) return 0.5f + odd_part(&gelu_tanh_slope, x);
    if (bf && act == TL_ACT_SILU) return 0.5f + odd_part(&silu_slope, x);
#endif
    (void)bf;
    return slope_from_x(act, x);
}

/* dy * slope, from y. */
VEC vf through_y(tl_activation act, vf dy, vf y)
{
    const vf zero = vf_all(0.0f);

    if (act == TL_ACT_NONE) return dy;
    if (act == TL_ACT_RELU) return vf_if_above(y, zero, dy, zero);
    if (act == TL_ACT_RELU6)
        return vf_if_above(y, zero, vf_if_above(vf_all(6.0f), y, dy, zero), zero);
    return dy * slope_from_y(act, y);
}
#endif
