/* vec.h -- one vector of f32, as wide as the file that includes it is compiled for.  Written in
 * GCC's vector extensions (gcc, clang), with an intrinsic where the extension has no word for
 * it.  Everything is static: each simd_*.c has its own copy.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_VEC_H
#define TL_BACKEND_CPU_VEC_H
#include "tensor/shape.h"

#include <string.h>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define VL 16
#elif defined(__AVX2__)
#define VL 8
#else
#define VL 4
#endif

typedef float    vf __attribute__((vector_size(VL * 4)));
typedef int32_t  vi __attribute__((vector_size(VL * 4)));
typedef uint32_t vu __attribute__((vector_size(VL * 4)));
typedef uint16_t vh __attribute__((vector_size(VL * 2)));
typedef uint8_t  vb __attribute__((vector_size(VL)));

/* Before a loop of a constant count over vectors that must stay in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define VEC static inline __attribute__((always_inline, unused))

VEC vf vf_all(float x)
{
    return x - (vf){ 0 };
}
VEC vi vi_all(int32_t x)
{
    return x - (vi){ 0 };
}
VEC vf vf_fma(vf a, vf b, vf c) /* a * b + c, rounded once where the machine can */
{
#if defined(__AVX512F__)
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__)
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}
VEC vf vf_if(vi mask, vf yes, vf no) /* mask lanes are 0 or -1 */
{
#if defined(__AVX512F__)
    return (vf)_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)mask), (__m512)no,
                                    (__m512)yes);
#elif defined(__AVX2__)
    return (vf)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)mask);
#else
    return (vf)((mask & (vi)yes) | (~mask & (vi)no));
#endif
}
/* yes where x > bound, else no.  A NaN in x gives no. */
VEC vf vf_if_above(vf x, vf bound, vf yes, vf no)
{
#if defined(__AVX512F__)
    return (vf)_mm512_mask_blend_ps(
        _mm512_cmp_ps_mask((__m512)x, (__m512)bound, _CMP_GT_OQ), (__m512)no,
        (__m512)yes);
#else
    return vf_if(x > bound, yes, no);
#endif
}
VEC vf vf_max(vf a, vf b) /* b where either is NaN */
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return vf_if(a > b, a, b);
#endif
}
VEC vf vf_min(vf a, vf b)
{
#if defined(__AVX512F__)
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return vf_if(a < b, a, b);
#endif
}
VEC vf vf_abs(vf x)
{
    return (vf)((vi)x & vi_all(0x7fffffff));
}
/* 0, 1, 2, ... */
VEC vi vi_lanes(void)
{
#if VL == 16
    return (vi){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
#elif VL == 8
    return (vi){ 0, 1, 2, 3, 4, 5, 6, 7 };
#else
    return (vi){ 0, 1, 2, 3 };
#endif
}
/* Lane i becomes lane i + `half`, for the lower half; the others do not matter. */
VEC vf vf_fold16(vf x)
{
#if VL == 16
    return __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
#else
    return x;
#endif
}
VEC vf vf_fold8(vf x)
{
#if VL == 16
    return __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
#elif VL == 8
    return __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3);
#else
    return x;
#endif
}
VEC float vf_sum(vf x) /* halves first: the same order on every machine of one width */
{
    if (VL == 16) x += vf_fold16(x);
    if (VL >= 8) x += vf_fold8(x);
    return (x[0] + x[2]) + (x[1] + x[3]);
}
VEC float vf_top(vf x) /* the largest lane */
{
    if (VL == 16) x = vf_max(x, vf_fold16(x));
    if (VL >= 8) x = vf_max(x, vf_fold8(x));
    const float a = x[0] > x[2] ? x[0] : x[2], b = x[1] > x[3] ? x[1] : x[3];
    return a > b ? a : b;
}

/* A choice for each lane. */
#if defined(__AVX512F__)
typedef __mmask16 vm;
#else
typedef vi vm;
#endif
/* v takes the place of best: it is above, or the first NaN. */
VEC vm vm_wins(vf v, vf best)
{
#if defined(__AVX512F__)
    return (vm)(_mm512_cmp_ps_mask((__m512)v, (__m512)best, _CMP_NLE_UQ) &
                _mm512_cmp_ps_mask((__m512)best, (__m512)best, _CMP_ORD_Q));
#else
    return (v > best) | ((v != v) & (best == best));
#endif
}
VEC vm vm_same(vi a, vi b)
{
#if defined(__AVX512F__)
    return _mm512_cmpeq_epi32_mask((__m512i)a, (__m512i)b);
#else
    return a == b;
#endif
}
VEC vf vf_pick(vm m, vf yes, vf no)
{
#if defined(__AVX512F__)
    return (vf)_mm512_mask_blend_ps(m, (__m512)no, (__m512)yes);
#else
    return vf_if(m, yes, no);
#endif
}
VEC vi vi_pick(vm m, vi yes, vi no)
{
#if defined(__AVX512F__)
    return (vi)_mm512_mask_blend_epi32(m, (__m512i)no, (__m512i)yes);
#else
    return (m & yes) | (~m & no);
#endif
}

/* Asks for parts of rows before they are read: they lie too far apart for the hardware to look
 * ahead, and who meets them one by one waits for each. */
VEC void ask_rows(const void *x, int64_t rows, int64_t columns, int64_t step, bool bf)
{
    const int64_t size = bf ? 2 : 4, line = 64;
    const char   *row = x;

    for (int64_t r = 0; r < rows; r++, row += step * size)
        for (int64_t at = 0; at < columns * size; at += line) __builtin_prefetch(row + at);
}

/* ---- memory: element i of an array of f32 or bf16 (bf constant after inlining) ---------- */
VEC vf vf_load(const float *p)
{
    vf v;

    memcpy(&v, p, sizeof v);
    return v;
}
VEC void vf_store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}
/* Changes of lane width: gcc 12 takes __builtin_convertvector to pieces. */
VEC vf vf_widen(vh h)
{
#if defined(__AVX512F__)
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)h), 16);
#elif defined(__AVX2__)
    return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)h), 16);
#else
    return (vf)(__builtin_convertvector(h, vu) << 16);
#endif
}
VEC vh vh_from(vu u) /* the lower halves */
{
#if defined(__AVX512F__)
    return (vh)_mm512_cvtepi32_epi16((__m512i)u);
#else
    return __builtin_convertvector(u, vh);
#endif
}
VEC vi vi_from_bytes(vb b)
{
#if defined(__AVX512F__)
    return (vi)_mm512_cvtepu8_epi32((__m128i)b);
#else
    return __builtin_convertvector(b, vi);
#endif
}
VEC vb vb_from(vi v)
{
#if defined(__AVX512F__)
    return (vb)_mm512_cvtepi32_epi8((__m512i)v);
#else
    return __builtin_convertvector(v, vb);
#endif
}
VEC vh vf_narrow(vf v) /* to bf16: nearest, ties to even, NaN kept */
{
#if defined(__AVX512BF16__)
    const __m256bh r = _mm512_cvtneps_pbh((__m512)v);
    vh             h;
    memcpy(&h, &r, sizeof h);
    return h;
#else
    const vu u     = (vu)v;
    const vu round = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const vu nan   = (vu)((u & 0x7fffffffu) > 0x7f800000u);
    return vh_from((nan & (u >> 16 | 0x40u)) | (~nan & round));
#endif
}
VEC vf get(const void *p, int64_t i, bool bf)
{
    vh h;

    if (!bf) return vf_load((const float *)p + i);
    memcpy(&h, (const uint16_t *)p + i, sizeof h);
    return vf_widen(h);
}
VEC void put(void *p, int64_t i, vf v, bool bf)
{
    vh h;

    if (!bf) {
        vf_store((float *)p + i, v);
        return;
    }
    h = vf_narrow(v);
    memcpy((uint16_t *)p + i, &h, sizeof h);
}
/* The first n lanes, 1 <= n <= VL; the others read as zero and are not written. */
VEC vf get_n(const void *p, int64_t i, int64_t n, bool bf)
{
#if defined(__AVX512F__)
    const __mmask16 m = (__mmask16)((1u << n) - 1u);
    vh              h;
    if (!bf) return (vf)_mm512_maskz_loadu_ps(m, (const float *)p + i);
    const __m256i r = _mm256_maskz_loadu_epi16(m, (const uint16_t *)p + i);
    memcpy(&h, &r, sizeof h);
    return vf_widen(h);
#else
    float lane[VL] = { 0 };
    for (int64_t k = 0; k < n; k++)
        lane[k] =
            bf ? tl_bf16_to_f32(((const uint16_t *)p)[i + k]) : ((const float *)p)[i + k];
    return vf_load(lane);
#endif
}
VEC void put_n(void *p, int64_t i, vf v, int64_t n, bool bf)
{
#if defined(__AVX512F__)
    const __mmask16 m = (__mmask16)((1u << n) - 1u);
    if (!bf) {
        _mm512_mask_storeu_ps((float *)p + i, m, (__m512)v);
        return;
    }
    const vh h = vf_narrow(v);
    __m256i  r;
    memcpy(&r, &h, sizeof r);
    _mm256_mask_storeu_epi16((uint16_t *)p + i, m, r);
#else
    float lane[VL];
    vf_store(lane, v);
    for (int64_t k = 0; k < n; k++) {
        if (bf)
            ((uint16_t *)p)[i + k] = tl_f32_to_bf16(lane[k]);
        else
            ((float *)p)[i + k] = lane[k];
    }
#endif
}
/* A vector or, at the end of a row, what is left of it. */
VEC vf take(const void *p, int64_t i, int64_t left, bool bf)
{
    return left >= VL ? get(p, i, bf) : get_n(p, i, left, bf);
}
VEC void give(void *p, int64_t i, vf v, int64_t left, bool bf)
{
    if (left >= VL)
        put(p, i, v, bf);
    else
        put_n(p, i, v, left, bf);
}
VEC float get_one(const void *p, int64_t i, bool bf)
{
    return bf ? tl_bf16_to_f32(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}
#endif
