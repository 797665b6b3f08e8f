/* op.c -- the list of all ops, and element access for reference kernels.  Floor 1, tensor. */
#include "tensor/op.h"

#include <string.h>

#define X(op) extern const tl_op tl_op_##op;
#include "tensor/ops.def"
#undef X

static const tl_op *const ops[] = {
#define X(op) &tl_op_##op,
#include "tensor/ops.def"
#undef X
};

const tl_op *tl_op_at(size_t i)
{
    return i < TL_COUNT(ops) ? ops[i] : NULL;
}

const tl_op *tl_op_find(const char *name)
{
    for (size_t i = 0; i < TL_COUNT(ops); i++)
        if (strcmp(ops[i]->name, name) == 0) return ops[i];
    return NULL;
}

double tl_view_get(const tl_view *v, int64_t i)
{
    switch (v->dtype) {
    case TL_F32: return (double)((const float *)v->data)[i];
    case TL_BF16: return (double)tl_bf16_to_f32(((const uint16_t *)v->data)[i]);
    case TL_I32: return (double)((const int32_t *)v->data)[i];
    case TL_U8: return (double)((const uint8_t *)v->data)[i];
    }
    return 0.0;
}

void tl_view_set(const tl_view *v, int64_t i, double x)
{
    switch (v->dtype) {
    case TL_F32: ((float *)v->data)[i] = (float)x; break;
    case TL_BF16: ((uint16_t *)v->data)[i] = tl_f32_to_bf16((float)x); break;
    case TL_I32: ((int32_t *)v->data)[i] = (int32_t)x; break;
    case TL_U8: ((uint8_t *)v->data)[i] = (uint8_t)x; break;
    }
}
