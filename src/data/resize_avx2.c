/* resize_avx2.c -- the resize passes for AVX2: eight integer sums at a time, the same bits as
 * resize_portable.c.  Floor 2, data. */
#include "data/resize.h"

#include <immintrin.h>
#include <string.h>

enum { HALF = 1 << (TL_RESIZE_BITS - 1) };

typedef int32_t words8 __attribute__((vector_size(32)));

/* 8 bytes to 8 numbers. */
static inline words8 widen(const uint8_t *p)
{
    return (words8)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

/* Two pixels of 3 bytes, each with a 4th number unused. */
static inline words8 widen_pixels(const uint8_t *p)
{
    const __m128i apart =
        _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)p);

    return (words8)_mm256_cvtepu8_epi32(_mm_shuffle_epi8(bytes, apart));
}

/* w[0] four times, w[1] four times: weights beyond an odd count are zero. */
static inline words8 spread(const int32_t *w)
{
    const __m256i which = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    const __m256i two   = _mm256_castsi128_si256(_mm_loadl_epi64((const __m128i *)w));

    return (words8)_mm256_permutevar8x32_epi32(two, which);
}

/* Packing saturates, which is the cut to 0..255; lanes come out crossed and are put right. */
static inline void narrow(words8 a, words8 b, uint8_t *out)
{
    const __m256i x     = _mm256_srai_epi32((__m256i)a, TL_RESIZE_BITS);
    const __m256i y     = _mm256_srai_epi32((__m256i)b, TL_RESIZE_BITS);
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x, y), 0xd8);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words),
                                           _mm256_extracti128_si256(words, 1));

    _mm_storeu_si128((__m128i *)out, bytes);
}

static void row_of_colour(const tl_taps *t, const uint8_t *in, uint8_t *out)
{
    for (int64_t x = 0; x < t->outputs; x++) {
        const int32_t *w   = t->weight + x * t->stride;
        const uint8_t *p   = in + 3 * (int64_t)t->first[x];
        words8         sum = { HALF, HALF, HALF };
        for (int32_t k = 0; k < t->count[x]; k += 2)
            sum += widen_pixels(p + 3 * k) * spread(w + k);
        out[3 * x]     = tl_resize_byte(sum[0] + sum[4]);
        out[3 * x + 1] = tl_resize_byte(sum[1] + sum[5]);
        out[3 * x + 2] = tl_resize_byte(sum[2] + sum[6]);
    }
}

static void row_of_grey(const tl_taps *t, const uint8_t *in, uint8_t *out)
{
    for (int64_t x = 0; x < t->outputs; x++) {
        const int32_t *w   = t->weight + x * t->stride;
        const uint8_t *p   = in + t->first[x];
        words8         sum = { HALF };
        for (int32_t k = 0; k < t->count[x]; k += 8) {
            words8 v;
            memcpy(&v, w + k, sizeof v);
            sum += widen(p + k) * v;
        }
        out[x] = tl_resize_byte(sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] +
                                sum[6] + sum[7]);
    }
}

static void pass_row(const tl_taps *t, const uint8_t *in, int64_t channels, uint8_t *out)
{
    if (channels == 3)
        row_of_colour(t, in, out);
    else
        row_of_grey(t, in, out);
}

static void pass_column(const int32_t *weight, int64_t count, const uint8_t *in,
                        int64_t pitch, int64_t bytes, uint8_t *out)
{
    int64_t i = 0;

    for (; i + 16 <= bytes; i += 16) {
        words8         a = (words8){ 0 } + HALF, b = a;
        const uint8_t *p = in + i;
        for (int64_t k = 0; k < count; k++, p += pitch) {
            a += widen(p) * weight[k];
            b += widen(p + 8) * weight[k];
        }
        narrow(a, b, out + i);
    }
    for (; i < bytes; i++) {
        int32_t sum = HALF;
        for (int64_t k = 0; k < count; k++) sum += in[k * pitch + i] * weight[k];
        out[i] = tl_resize_byte(sum);
    }
}

const tl_resize_passes tl_resize_avx2 = { pass_row, pass_column };
