/* resize_passes.h -- bodies of the resize passes, compiled once per instruction set: the file
 * that includes this names them by PASSES.  Vector types of gcc and clang, no intrinsics.
 * Integer sums: the same bits everywhere.  Floor 2, data. */
#include "data/resize.h"

#include <string.h>

typedef uint8_t  bytes4 __attribute__((vector_size(4)));
typedef uint8_t  bytes8 __attribute__((vector_size(8)));
typedef uint8_t  bytes16 __attribute__((vector_size(16)));
typedef int32_t  words4 __attribute__((vector_size(16)));
typedef int32_t  words8 __attribute__((vector_size(32)));
typedef int32_t  words16 __attribute__((vector_size(64)));

enum { HALF = 1 << (TL_RESIZE_BITS - 1) };

static inline uint8_t to_byte(int32_t sum)
{
    const int32_t v = sum >> TL_RESIZE_BITS;

    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void row_of_colour(const tl_taps *t, const uint8_t *in, uint8_t *out)
{
    for (int64_t x = 0; x < t->outputs; x++) {
        const int32_t *w   = t->weight + x * t->stride;
        const uint8_t *p   = in + 3 * (int64_t)t->first[x];
        words4         sum = { HALF, HALF, HALF, 0 };
        for (int32_t k = 0; k < t->count[x]; k++, p += 3) {
            bytes4 b;
            memcpy(&b, p, sizeof b);
            sum += __builtin_convertvector(b, words4) * w[k];
        }
        out[3 * x]     = to_byte(sum[0]);
        out[3 * x + 1] = to_byte(sum[1]);
        out[3 * x + 2] = to_byte(sum[2]);
    }
}

static void row_of_grey(const tl_taps *t, const uint8_t *in, uint8_t *out)
{
    for (int64_t x = 0; x < t->outputs; x++) {
        const int32_t *w   = t->weight + x * t->stride;
        const uint8_t *p   = in + t->first[x];
        words8         sum = { HALF };
        for (int32_t k = 0; k < t->count[x]; k += 8) {
            bytes8 b;
            words8 v;
            memcpy(&b, p + k, sizeof b);
            memcpy(&v, w + k, sizeof v);
            sum += __builtin_convertvector(b, words8) * v;
        }
        out[x] = to_byte(sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7]);
    }
}

static void pass_row(const tl_taps *t, const uint8_t *in, int64_t channels, uint8_t *out)
{
    if (channels == 3) row_of_colour(t, in, out);
    else row_of_grey(t, in, out);
}

static void pass_column(const int32_t *weight, int64_t count, const uint8_t *in, int64_t pitch,
                        int64_t bytes, uint8_t *out)
{
    int64_t i = 0;

    for (; i + 16 <= bytes; i += 16) {
        words16 sum = (words16){ 0 } + HALF;
        for (int64_t k = 0; k < count; k++) {
            bytes16 b;
            memcpy(&b, in + k * pitch + i, sizeof b);
            sum += __builtin_convertvector(b, words16) * weight[k];
        }
        sum >>= TL_RESIZE_BITS;
        sum  &= ~(sum < 0);
        sum  |= sum > 255;
        const bytes16 done = __builtin_convertvector(sum & 255, bytes16);
        memcpy(out + i, &done, sizeof done);
    }
    for (; i < bytes; i++) {
        int32_t sum = HALF;
        for (int64_t k = 0; k < count; k++) sum += in[k * pitch + i] * weight[k];
        out[i] = to_byte(sum);
    }
}

const tl_resize_passes PASSES = { pass_row, pass_column };
