/* body_dropout.h -- zeroes at random: lane j draws block j of the counter-based generator that
 * core/rand.h describes, so that the numbers are its, whatever the vectors.  Bodies of simd.h's
 * table.  Source: Salmon et al. 2011 (Philox 4x32-10).  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_BODY_DROPOUT_H
#define TL_BACKEND_CPU_BODY_DROPOUT_H
#include "backend/cpu/body_gemm.h"

typedef uint64_t vl __attribute__((vector_size(VL * 4)));

VEC vl vl_product(vl a, vl b) /* of the lower halves */
{
#if defined(__AVX512F__)
    return (vl)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (vl)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
    return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

/* The 64 bits of a times m, lane by lane, in two halves. */
VEC void vu_product(vu a, uint32_t m, vu *low, vu *high)
{
    const vl b = (uint64_t)m - (vl){ 0 }, upper = 0xffffffff00000000u - (vl){ 0 };
    const vl even = vl_product((vl)a, b), odd = vl_product((vl)a >> 32, b);

    *low  = (vu)((even & ~upper) | (odd << 32));
    *high = (vu)((even >> 32) | (odd & upper));
}

/* c[k], lane j: number k of block index + j. */
VEC void draw_blocks(uint64_t seed, uint64_t stream, uint64_t index, vu c[4])
{
    const uint32_t first = (uint32_t)index;
    uint32_t       k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

    c[0] = (vu)vi_lanes() + first;
    c[1] = (uint32_t)(index >> 32) - (vu)(c[0] < first);
    c[2] = (uint32_t)stream - (vu){ 0 };
    c[3] = (uint32_t)(stream >> 32) - (vu){ 0 };
    UNROLL
    for (int round = 0; round < 10; round++) {
        vu low0, high0, low1, high1;
        vu_product(c[0], 0xD2511F53u, &low0, &high0);
        vu_product(c[2], 0xCD9E8D57u, &low1, &high1);
        c[0] = high1 ^ c[1] ^ k0;
        c[2] = high0 ^ c[3] ^ k1;
        c[1] = low1;
        c[3] = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* y = x * scale where a number is at least `bound`, else 0; block `index` is x's first four. */
static void body_dropout(uint64_t seed, uint64_t stream, uint64_t index, uint32_t bound,
                         float scale, int64_t n, const void *x, void *y, bool bf)
{
    for (int64_t i = 0; i < n; i += 4 * VL) {
        vu c[4];
        draw_blocks(seed, stream, index + (uint64_t)i / 4, c);
        const vf even[2] = { zip_low((vf)c[0], (vf)c[2]), zip_high((vf)c[0], (vf)c[2]) };
        const vf odd[2]  = { zip_low((vf)c[1], (vf)c[3]), zip_high((vf)c[1], (vf)c[3]) };
        for (int k = 0; k < 4; k++) {
            const int64_t at = i + k * VL;
            const vf      a = even[k / 2], b = odd[k / 2];
            if (at >= n) break;
            const vu number = (vu)(k % 2 ? zip_high(a, b) : zip_low(a, b));
            const vf kept   = take(x, at, n - at, bf) * scale;
            give(y, at, vf_if((vi)(number >= bound), kept, vf_all(0.0f)), n - at, bf);
        }
    }
}
#endif
