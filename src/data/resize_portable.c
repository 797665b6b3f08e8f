/* resize_portable.c -- the resize passes for any CPU, one sum at a time.  Floor 2, data. */
#include "data/resize.h"

enum { HALF = 1 << (TL_RESIZE_BITS - 1) };

static void pass_row(const tl_taps *t, const uint8_t *in, int64_t channels, uint8_t *out)
{
    for (int64_t x = 0; x < t->outputs; x++) {
        const int32_t *w = t->weight + x * t->stride;
        for (int64_t c = 0; c < channels; c++) {
            const uint8_t *p   = in + t->first[x] * channels + c;
            int32_t        sum = HALF;
            for (int32_t k = 0; k < t->count[x]; k++, p += channels) sum += *p * w[k];
            *out++ = tl_resize_byte(sum);
        }
    }
}

static void pass_column(const int32_t *weight, int64_t count, const uint8_t *in,
                        int64_t pitch, int64_t bytes, uint8_t *out)
{
    for (int64_t i = 0; i < bytes; i++) {
        int32_t sum = HALF;
        for (int64_t k = 0; k < count; k++) sum += in[k * pitch + i] * weight[k];
        out[i] = tl_resize_byte(sum);
    }
}

const tl_resize_passes tl_resize_portable = { pass_row, pass_column };
