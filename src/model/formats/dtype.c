/* dtype.c -- element types of weight files, read to f32.  Files are little-endian, as are
 * the machines Tailor runs on.  Sources: the safetensors README, IEEE 754.  Floor 2,
 * model. */
#include "model/formats/formats.h"

#include <math.h>
#include <string.h>

#define READER(name, type)                     \
    static float read_##name(const uint8_t *at) \
    {                                          \
        type v;                                \
        memcpy(&v, at, sizeof v);              \
        return (float)v;                       \
    }
READER(f32, float)
READER(f64, double)
READER(i64, int64_t)
READER(i32, int32_t)
READER(i16, int16_t)
READER(i8, int8_t)
READER(u64, uint64_t)
READER(u32, uint32_t)
READER(u16, uint16_t)
READER(u8, uint8_t)

static float read_bf16(const uint8_t *at)
{
    return tl_bf16_to_f32((uint16_t)(at[0] | at[1] << 8));
}

/* 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static float read_f16(const uint8_t *at)
{
    const int bits = at[0] | at[1] << 8, exponent = bits >> 10 & 31,
              fraction = bits & 1023;
    const float sign = bits & 0x8000 ? -1.0f : 1.0f;

    if (exponent == 31) return fraction ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * ldexpf((float)fraction, -24);
    return sign * ldexpf((float)(fraction | 1024), exponent - 25);
}

static float read_bool(const uint8_t *at)
{
    return *at ? 1.0f : 0.0f;
}

static const tl_weight_dtype dtypes[] = {
    { "F32", 4, read_f32 },   { "F16", 2, read_f16 }, { "BF16", 2, read_bf16 },
    { "F64", 8, read_f64 },   { "I64", 8, read_i64 }, { "I32", 4, read_i32 },
    { "I16", 2, read_i16 },   { "I8", 1, read_i8 },   { "U64", 8, read_u64 },
    { "U32", 4, read_u32 },   { "U16", 2, read_u16 }, { "U8", 1, read_u8 },
    { "BOOL", 1, read_bool }, { "F8_E4M3", 1, NULL }, { "F8_E5M2", 1, NULL },
    { "C64", 8, NULL },
};

const tl_weight_dtype *tl_weight_dtype_find(const char *name)
{
    for (size_t i = 0; i < TL_COUNT(dtypes); i++)
        if (strcmp(dtypes[i].name, name) == 0) return &dtypes[i];
    return NULL;
}

bool tl_weight_count(const int64_t *dim, size_t ndim, size_t item_bytes, int64_t *count)
{
    int64_t n = 1;

    *count = 0;
    for (size_t i = 0; i < ndim; i++)
        if (dim[i] == 0) return true;
    for (size_t i = 0; i < ndim; i++) {
        if (dim[i] < 0 || dim[i] > INT64_MAX / (int64_t)item_bytes / n) return false;
        n *= dim[i];
    }
    *count = n;
    return true;
}

void tl_weight_plain(tl_weight *w)
{
    int64_t step = 1;

    for (int d = w->shape.ndim - 1; d >= 0; d--) {
        w->stride[d] = step;
        step *= w->shape.dim[d];
    }
}

/* Row by row of the last axis, counting the other axes up. */
static void read_strided(const tl_weight *w, const tl_weight_dtype *type, float *out)
{
    const int     axes = w->shape.ndim, last = axes - 1;
    const int64_t cols = axes ? w->shape.dim[last] : 1, step = axes ? w->stride[last] : 0;
    const int64_t rows = tl_shape_count(&w->shape) / cols;
    int64_t       index[TL_DIMS] = { 0 }, at = 0;

    for (int64_t r = 0; r < rows; r++) {
        const uint8_t *row = w->data + (size_t)at * type->bytes;
        for (int64_t c = 0; c < cols; c++)
            *out++ = type->read(row + (size_t)(c * step) * type->bytes);
        for (int d = last - 1; d >= 0; d--) {
            at += w->stride[d];
            if (++index[d] < w->shape.dim[d]) break;
            at -= w->stride[d] * w->shape.dim[d];
            index[d] = 0;
        }
    }
}

tl_status tl_weight_read(tl_ctx *ctx, const tl_weight *w, float *out)
{
    const tl_weight_dtype *type = tl_weight_dtype_find(w->dtype);
    tl_weight              plain = *w;

    if (w->shape.ndim < 0)
        return tl_fail(
            ctx, TL_EDATA, w->name,
            "is empty or has more than %d dimensions (save it in another shape)",
            TL_DIMS);
    if (!type || !type->read)
        return tl_fail(ctx, TL_EDATA, w->name, "holds %s values (save it as F32)",
                       w->dtype);
    tl_weight_plain(&plain);
    if (strcmp(type->name, "F32") == 0 &&
        memcmp(plain.stride, w->stride, (size_t)w->shape.ndim * sizeof *w->stride) == 0)
        memcpy(out, w->data, (size_t)tl_shape_count(&w->shape) * sizeof *out);
    else
        read_strided(w, type, out);
    return TL_OK;
}
