/* vec_math.h -- exp, log, tanh and erf of a vector, to about one part in ten million.  Sources:
 * Cephes (Moshier 1992) for exp and log; W. Cody's splitting of tanh; erf through exp by
 * Abramowitz and Stegun 7.1.26 away from zero and its series near zero.
 * Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_VEC_MATH_H
#define TL_BACKEND_CPU_VEC_MATH_H
#include "backend/cpu/vec.h"

VEC vf vf_floor(vf x)
{
#if defined(__AVX512F__)
    return (vf)_mm512_roundscale_ps((__m512)x, 9); /* down, no exception */
#elif defined(__AVX2__)
    return (vf)_mm256_floor_ps((__m256)x);
#else
    const vf t = __builtin_convertvector(__builtin_convertvector(x, vi), vf);
    return vf_if(t > x, t - 1.0f, t);
#endif
}

/* exp: 0 below -87.3, infinity above 88.7; a NaN stays one. */
VEC vf vf_exp(vf x)
{
    const vf low = vf_all(-87.33654f), high = vf_all(88.72283f);
    const vf in =
        vf_min(vf_max(low, x), high); /* NaN in x ends as `high`: mended below */
    const vf n = vf_floor(vf_fma(in, vf_all(1.44269504f), vf_all(0.5f)));
    vf       r = vf_fma(n, vf_all(-0.693359375f), in);
    vf       p = vf_all(1.9875691500e-4f);

    r = vf_fma(n, vf_all(2.12194440e-4f), r);
    p = vf_fma(p, r, vf_all(1.3981999507e-3f));
    p = vf_fma(p, r, vf_all(8.3334519073e-3f));
    p = vf_fma(p, r, vf_all(4.1665795894e-2f));
    p = vf_fma(p, r, vf_all(1.6666665459e-1f));
    p = vf_fma(p, r, vf_all(5.0000001201e-1f));
    p = vf_fma(p * r, r, r + 1.0f);
    /* 2^n in two halves, so that n = 128 and the lowest results do not wrap */
    const vi k    = __builtin_convertvector(n, vi);
    const vi half = k >> 1;
    p             = p * (vf)((half + 127) << 23) * (vf)((k - half + 127) << 23);
    p             = vf_if(x < low, vf_all(0.0f), p);
    p             = vf_if(x > high, vf_all(__builtin_inff()), p);
    return vf_if(x != x, x, p);
}

/* Natural logarithm of a positive, finite, normal x. */
VEC vf vf_log(vf x)
{
    const vi bits = (vi)x - 0x3f3504f3; /* sqrt(1/2): the mantissa lands in [0.7, 1.4) */
    const vf e    = __builtin_convertvector(bits >> 23, vf);
    const vf m    = (vf)((bits & 0x007fffff) + 0x3f3504f3) - 1.0f;
    const vf z    = m * m;
    vf       p    = vf_all(7.0376836292e-2f);

    p = vf_fma(p, m, vf_all(-1.1514610310e-1f));
    p = vf_fma(p, m, vf_all(1.1676998740e-1f));
    p = vf_fma(p, m, vf_all(-1.2420140846e-1f));
    p = vf_fma(p, m, vf_all(1.4249322787e-1f));
    p = vf_fma(p, m, vf_all(-1.6668057665e-1f));
    p = vf_fma(p, m, vf_all(2.0000714765e-1f));
    p = vf_fma(p, m, vf_all(-2.4999993993e-1f));
    p = vf_fma(p, m, vf_all(3.3333331174e-1f));
    p = vf_fma(p * m, z, e * -2.12194440e-4f);
    p = vf_fma(z, vf_all(-0.5f), p);
    return vf_fma(e, vf_all(0.693359375f), m + p);
}

/* log(1 + t) for t >= 0: the rounding of 1 + t is given back to first order. */
VEC vf vf_log1p(vf t)
{
    const vf u = t + 1.0f;

    return vf_log(u) + (t - (u - 1.0f)) / u;
}

VEC vf vf_tanh(vf x)
{
    const vf a = vf_abs(x), z = x * x;
    const vf big = 1.0f - 2.0f / (vf_exp(a + a) + 1.0f);
    vf       p   = vf_all(-5.70498872745e-3f);

    p = vf_fma(p, z, vf_all(2.06390887954e-2f));
    p = vf_fma(p, z, vf_all(-5.37397155531e-2f));
    p = vf_fma(p, z, vf_all(1.33314422036e-1f));
    p = vf_fma(p, z, vf_all(-3.33332819422e-1f));
    p = vf_fma(p * z, x, x);
    return vf_if(a < 0.625f, p, vf_if(x < 0.0f, -big, big));
}

VEC vf vf_erf(vf x)
{
    const vf a = vf_abs(x), z = x * x;
    const vf t = 1.0f / vf_fma(a, vf_all(0.3275911f), vf_all(1.0f));
    vf       q = vf_all(1.061405429f), s = vf_all(-1.0f / 1320.0f);

    q = vf_fma(q, t, vf_all(-1.453152027f));
    q = vf_fma(q, t, vf_all(1.421413741f));
    q = vf_fma(q, t, vf_all(-0.284496736f));
    q = vf_fma(q, t, vf_all(0.254829592f));
    q = 1.0f - q * t * vf_exp(-z);
    s = vf_fma(s, z, vf_all(1.0f / 216.0f));
    s = vf_fma(s, z, vf_all(-1.0f / 42.0f));
    s = vf_fma(s, z, vf_all(0.1f));
    s = vf_fma(s, z, vf_all(-1.0f / 3.0f));
    s = vf_fma(s * z, x, x) * 1.12837917f;
    return vf_if(a < 0.5f, s, vf_if(x < 0.0f, -q, q));
}
VEC vf vf_sigmoid(vf x)
{
    return 1.0f / (1.0f + vf_exp(-x));
}
#endif
