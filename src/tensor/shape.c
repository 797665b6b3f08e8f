/* shape.c -- element types and shapes.  Floor 1, tensor. */
#include "tensor/shape.h"

#include <stdio.h>

static const struct { const char *name; size_t bytes; } dtypes[] = {
    [TL_F32] = { "f32", 4 },
    [TL_BF16] = { "bf16", 2 },
    [TL_I32] = { "i32", 4 },
    [TL_U8] = { "u8", 1 },
};

size_t tl_dtype_bytes(tl_dtype dtype)
{
    return dtypes[dtype].bytes;
}

const char *tl_dtype_name(tl_dtype dtype)
{
    return dtypes[dtype].name;
}

int64_t tl_shape_count(const tl_shape *s)
{
    int64_t count = 1;

    for (int i = 0; i < s->ndim; i++) count *= s->dim[i];
    return count;
}

bool tl_shape_equal(const tl_shape *a, const tl_shape *b)
{
    if (a->ndim != b->ndim) return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

char *tl_say_shape(const tl_shape *s, char buffer[96])
{
    size_t at = 0;

    snprintf(buffer, 96, "scalar");
    for (int i = 0; i < s->ndim && at < 96; i++)
        at += (size_t)snprintf(buffer + at, 96 - at, i ? "x%" PRId64 : "%" PRId64, s->dim[i]);
    return buffer;
}
