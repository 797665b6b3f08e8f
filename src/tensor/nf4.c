/* nf4.c -- see nf4.h.  Floor 1, tensor. */
#include "tensor/nf4.h"
#include "core/core.h"

#include <math.h>

enum { CODES = 16, SCALES = 256, ZERO = 127, ONE = 255 };

/* Quantiles of N(0, 1) brought to -1..1, with a 0 of its own (appendix E). */
static const float level[CODES] = {
    -1.0f,           -0.69619280099868774f, -0.52507305145263672f, -0.39491748809814453f,
    -0.28444138169288635f, -0.18477343022823334f, -0.091050036251544952f, 0.0f,
    0.079580299556255341f, 0.16093020141124725f,  0.24611230194568634f, 0.33791524171829224f,
    0.44070982933044434f,  0.56261700391769409f,  0.72295683622360229f, 1.0f
};

typedef struct {
    int64_t blocks, groups;
    size_t  scales_at, groups_at;
} layout;

static size_t to_fours(size_t bytes)
{
    return (bytes + 3) / 4 * 4;
}

static layout layout_of(int64_t count)
{
    layout l = { .blocks = (count + TL_NF4_BLOCK - 1) / TL_NF4_BLOCK };

    l.groups    = (l.blocks + TL_NF4_GROUP - 1) / TL_NF4_GROUP;
    l.scales_at = to_fours((size_t)(count + 1) / 2);
    l.groups_at = l.scales_at + to_fours((size_t)l.blocks);
    return l;
}

size_t tl_nf4_bytes(int64_t count)
{
    const layout l = layout_of(count);

    return l.groups_at + (size_t)(l.groups + 1) * sizeof(float);
}

/* The dynamic type, in order: seven powers of ten, the i-th with 2^i numbers evenly in 0.1..1 of
 * it; their negatives; 0; and 1. */
static double dynamic(int code)
{
    static const double power[] = { 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0 };
    int                 k, i = 0;

    if (code == ZERO) return 0.0;
    if (code == ONE) return 1.0;
    k = code > ZERO ? code - ZERO : ZERO - code; /* 1..127 */
    while (k >> (i + 1)) i++;
    const double part  = ((double)(k - (1 << i)) + 0.5) / (double)(1 << i);
    const double value = power[i] * (0.1 + 0.9 * part);
    return code > ZERO ? value : -value;
}

/* The nearest of them. */
static uint8_t nearest_dynamic(double x)
{
    int low = 0, high = SCALES - 1;

    while (high - low > 1) {
        const int mid = (low + high) / 2;
        if (dynamic(mid) > x) high = mid;
        else low = mid;
    }
    return (uint8_t)(x - dynamic(low) <= dynamic(high) - x ? low : high);
}

static unsigned nearest_level(float x)
{
    unsigned code = 0;

    while (code < CODES - 1 && x > 0.5f * (level[code] + level[code + 1])) code++;
    return code;
}

static float top_of(const float *x, int64_t from, int64_t end)
{
    float top = 0.0f;

    for (int64_t i = from; i < end; i++) top = fmaxf(top, fabsf(x[i]));
    return top;
}

static float block_top(const float *x, int64_t count, int64_t block)
{
    return top_of(x, block * TL_NF4_BLOCK, TL_MIN((block + 1) * TL_NF4_BLOCK, count));
}

static void pack_scales(const float *x, int64_t count, const layout *l, void *to)
{
    uint8_t *scale = (uint8_t *)to + l->scales_at;
    float   *group = (float *)(void *)((uint8_t *)to + l->groups_at);
    double   mean  = 0.0;

    for (int64_t b = 0; b < l->blocks; b++) mean += (double)block_top(x, count, b);
    mean /= (double)l->blocks;
    group[l->groups] = (float)mean;
    for (int64_t g = 0; g < l->groups; g++) {
        const int64_t first = g * TL_NF4_GROUP,
                      end   = TL_MIN(first + TL_NF4_GROUP, l->blocks);
        double        top   = 0.0;
        for (int64_t b = first; b < end; b++)
            top = fmax(top, fabs((double)block_top(x, count, b) - mean));
        group[g] = (float)top;
        for (int64_t b = first; b < end; b++)
            scale[b] = nearest_dynamic(
                top > 0.0 ? ((double)block_top(x, count, b) - mean) / top : 0.0);
    }
}

void tl_nf4_pack(const float *x, int64_t count, void *to)
{
    const layout l    = layout_of(count);
    uint8_t     *code = to;

    for (int64_t i = 0; i < (count + 1) / 2; i++) code[i] = 0;
    for (int64_t b = 0; b < l.blocks; b++) {
        const float   top = block_top(x, count, b), share = top > 0.0f ? 1.0f / top : 0.0f;
        const int64_t end = TL_MIN((b + 1) * TL_NF4_BLOCK, count);
        for (int64_t i = b * TL_NF4_BLOCK; i < end; i++)
            code[i / 2] |= (uint8_t)(nearest_level(x[i] * share) << (i % 2 ? 0 : 4));
    }
    pack_scales(x, count, &l, to);
}

static float scale_of(const uint8_t *packed, const layout *l, int64_t block)
{
    const float *group = (const float *)(const void *)(packed + l->groups_at);
    const double value = dynamic(packed[l->scales_at + (size_t)block]);

    return (float)(value * (double)group[block / TL_NF4_GROUP] + (double)group[l->groups]);
}

float tl_nf4_get(const void *packed, int64_t count, int64_t i)
{
    const layout   l    = layout_of(count);
    const uint8_t *code = packed;
    const int      four = i % 2 ? code[i / 2] & 15 : code[i / 2] >> 4;

    return level[four] * scale_of(packed, &l, i / TL_NF4_BLOCK);
}

void tl_nf4_unpack(const void *packed, int64_t count, int64_t from, int64_t end, float *out)
{
    const layout   l    = layout_of(count);
    const uint8_t *code = packed;

    for (int64_t i = from; i < end;) {
        const int64_t block = i / TL_NF4_BLOCK, stop = TL_MIN((block + 1) * TL_NF4_BLOCK, end);
        const float   scale = scale_of(packed, &l, block);
        float         value[CODES];
        for (int k = 0; k < CODES; k++) value[k] = level[k] * scale;
        if (i % 2) out[i - from] = value[code[i / 2] & 15], i++;
        for (; i + 1 < stop; i += 2) {
            out[i - from]     = value[code[i / 2] >> 4];
            out[i - from + 1] = value[code[i / 2] & 15];
        }
        if (i < stop) out[i - from] = value[code[i / 2] >> 4], i++;
    }
}
