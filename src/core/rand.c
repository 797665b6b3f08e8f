/* rand.c -- Philox4x32-10.  Floor 0. */
#include "core/rand.h"

#include <math.h>

void tl_rand_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);

    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0  = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2  = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1  = (uint32_t)p1;
        c3  = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

uint64_t tl_rand_u64(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t b[4];

    tl_rand_block(seed, stream, index, b);
    return (uint64_t)b[1] << 32 | b[0];
}

double tl_rand_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    return (double)(tl_rand_u64(seed, stream, index) >> 11) * 0x1p-53;
}

/* Box and Muller; the first uniform is moved off zero so that its logarithm is finite. */
double tl_rand_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t b[4];

    tl_rand_block(seed, stream, index, b);
    const double u = ((double)b[0] + 0.5) * 0x1p-32, v = (double)b[1] * 0x1p-32;
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

uint64_t tl_rand_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n)
{
    const uint64_t     x    = tl_rand_u64(seed, stream, index);
    const uint64_t     high = x >> 32, low = x & 0xffffffffu;
    const uint64_t     nh = n >> 32, nl = n & 0xffffffffu;
    const uint64_t     mid = high * nl + (low * nl >> 32);

    /* the high 64 bits of x * n, in plain C17 */
    return high * nh + (mid >> 32) + ((low * nh + (mid & 0xffffffffu)) >> 32);
}

void tl_rand_shuffle(uint64_t seed, uint64_t stream, int64_t *order, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = (int64_t)tl_rand_below(seed, stream, (uint64_t)i, (uint64_t)i + 1);
        const int64_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
