/* resize.h -- the two passes of resizing, for each instruction set.  Floor 2, data. */
#ifndef TL_DATA_RESIZE_H
#define TL_DATA_RESIZE_H
#include <stdint.h>

/* Which source pixels an output pixel sees, and with what weights: fixed point with
 * TL_RESIZE_BITS, `stride` weights a pixel, zero beyond `count`. */
typedef struct {
    int64_t  outputs, stride;
    int32_t *first, *count;
    int32_t *weight;
} tl_taps;

enum { TL_RESIZE_BITS = 22, TL_RESIZE_LANES = 16 };

typedef struct {
    /* One row of `channels` (1 or 3); `in` may be read 16 bytes beyond its end. */
    void (*row)(const tl_taps *taps, const uint8_t *in, int64_t channels, uint8_t *out);
    /* One output row from rows `pitch` bytes apart: out[i] = sum_k weight[k] in[k pitch + i]. */
    void (*column)(const int32_t *weight, int64_t count, const uint8_t *in, int64_t pitch,
                   int64_t bytes, uint8_t *out);
} tl_resize_passes;
static inline uint8_t tl_resize_byte(int32_t sum)
{
    const int32_t v = sum >> TL_RESIZE_BITS;

    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}
extern const tl_resize_passes tl_resize_portable, tl_resize_avx2;
#endif
