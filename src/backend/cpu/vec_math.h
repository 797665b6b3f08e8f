/* vec_math.h -- exp, log, tanh and erf of a vector, to about one part in ten million.  Sources:
 * Cephes (Moshier 1992) for exp and log; Eigen's rational functions (generic_fast_tanh_float,
 * generic_fast_erf_float) for tanh and erf.
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

/* p 2^n, n whole; 0 where x < low, infinity where x > high. */
VEC vf vf_powered(vf p, vf n, vf x, vf low, vf high)
{
#if defined(__AVX512F__)
    (void)high; /* n is beyond what scalef takes, then */
    return (vf)_mm512_maskz_scalef_ps(_mm512_cmp_ps_mask((__m512)x, (__m512)low, _CMP_NLT_UQ),
                                      (__m512)p, (__m512)n);
#else
    /* 2^n in two halves, so that n = 128 and the lowest results do not wrap */
    const vi k    = __builtin_convertvector(n, vi);
    const vi half = k >> 1;
    p             = p * (vf)((half + 127) << 23) * (vf)((k - half + 127) << 23);
    p             = vf_if(x < low, vf_all(0.0f), p);
    p             = vf_if(x > high, vf_all(__builtin_inff()), p);
    return vf_if(x != x, x, p);
#endif
}

/* exp: 0 below -87.3, infinity above 88.7; a NaN stays one. */
VEC vf vf_exp(vf x)
{
    const vf low = vf_all(-87.33654f), high = vf_all(88.72283f);
    const vf in = vf_min(vf_all(88.8f), vf_max(low, x)); /* keeps what is above `high` above */
    const vf n  = vf_floor(vf_fma(in, vf_all(1.44269504f), vf_all(0.5f)));
    vf       r  = vf_fma(n, vf_all(-0.693359375f), in);
    vf       p  = vf_all(1.9875691500e-4f);

    r = vf_fma(n, vf_all(2.12194440e-4f), r);
    p = vf_fma(p, r, vf_all(1.3981999507e-3f));
    p = vf_fma(p, r, vf_all(8.3334519073e-3f));
    p = vf_fma(p, r, vf_all(4.1665795894e-2f));
    p = vf_fma(p, r, vf_all(1.6666665459e-1f));
    p = vf_fma(p, r, vf_all(5.0000001201e-1f));
    p = vf_fma(p * r, r, r + 1.0f);
    return vf_powered(p, n, x, low, high);
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

/* One over x, x not 0 and of middling size. */
VEC vf vf_inverse(vf x)
{
#if defined(__AVX512F__)
    const vf r = (vf)_mm512_rcp14_ps((__m512)x);
    return vf_fma(r, vf_fma(-x, r, vf_all(1.0f)), r); /* one step of Newton's */
#else
    return 1.0f / x;
#endif
}
/* y, or x's sign where x lies beyond `end`; a NaN in x is one in y. */
VEC vf vf_one_beyond(vf x, vf y, float end)
{
    const vi sign = (vi)x & vi_all((int32_t)0x80000000u);

    return vf_if_above(vf_abs(x), vf_all(end), (vf)(sign | (vi)vf_all(1.0f)), y);
}
VEC vf vf_within(vf x, float end)
{
    return vf_min(vf_all(end), vf_max(vf_all(-end), x));
}

VEC vf vf_tanh(vf x)
{
    const vf c = vf_within(x, 9.0f), z = c * c;
    vf       p = vf_all(-2.76076847742355e-16f), q = vf_all(1.19825839466702e-06f);

    p = vf_fma(p, z, vf_all(2.00018790482477e-13f));
    p = vf_fma(p, z, vf_all(-8.60467152213735e-11f));
    p = vf_fma(p, z, vf_all(5.12229709037114e-08f));
    p = vf_fma(p, z, vf_all(1.48572235717979e-05f));
    p = vf_fma(p, z, vf_all(6.37261928875436e-04f));
    p = vf_fma(p, z, vf_all(4.89352455891786e-03f));
    q = vf_fma(q, z, vf_all(1.18534705686654e-04f));
    q = vf_fma(q, z, vf_all(2.26843463243900e-03f));
    q = vf_fma(q, z, vf_all(4.89352518554385e-03f));
    return vf_one_beyond(x, c * p * vf_inverse(q), 9.0f);
}

VEC vf vf_erf(vf x)
{
    const vf c = vf_within(x, 4.0f), z = c * c;
    vf       p = vf_all(-2.72614225801306e-10f), q = vf_all(-1.45660718464996e-05f);

    p = vf_fma(p, z, vf_all(2.77068142495902e-08f));
    p = vf_fma(p, z, vf_all(-2.10102402082508e-06f));
    p = vf_fma(p, z, vf_all(-5.69250639462346e-05f));
    p = vf_fma(p, z, vf_all(-7.34990630326855e-04f));
    p = vf_fma(p, z, vf_all(-2.95459980854025e-03f));
    p = vf_fma(p, z, vf_all(-1.60960333262415e-02f));
    q = vf_fma(q, z, vf_all(-2.13374055278905e-04f));
    q = vf_fma(q, z, vf_all(-1.68282697438203e-03f));
    q = vf_fma(q, z, vf_all(-7.37332916720468e-03f));
    q = vf_fma(q, z, vf_all(-1.42647390514189e-02f));
    return vf_one_beyond(x, c * p * vf_inverse(q), 3.9f);
}
VEC vf vf_sigmoid(vf x)
{
    return 1.0f / (1.0f + vf_exp(-x));
}
#endif
