/* moves.c -- kernels that only move elements: concat, slice, transpose, pad, crop, embedding.
 * Every element type.  Each is a walk over an output seen as [outer, axis, inner], moving
 * runs of `inner` elements.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"

#include <string.h>

static tl_status move_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                              size_t *work_bytes)
{
    (void)ctx;
    (void)g;
    (void)call;
    *work_bytes = 0;
    return TL_OK;
}

/* Elements behind axis `axis`. */
static int64_t inner_of(const tl_shape *s, int axis)
{
    int64_t n = 1;

    for (int i = axis + 1; i < s->ndim; i++) n *= s->dim[i];
    return n;
}

static int64_t outer_of(const tl_shape *s, int axis)
{
    int64_t n = 1;

    for (int i = 0; i < axis; i++) n *= s->dim[i];
    return n;
}

static int64_t run_grain(size_t bytes)
{
    return TL_MAX(1, (int64_t)(32768 / TL_MAX(bytes, 1)));
}

/* Outer pieces [low, high) of one input go to their place in the output's rows. */
static void concat_rows(void *arg, int64_t low, int64_t high)
{
    const tl_call      *c    = arg;
    const tl_axis_attr *a    = c->node->attr;
    const size_t        size = tl_dtype_bytes(c->out[0].dtype);
    const size_t        row =
        (size_t)(c->out[0].shape.dim[a->axis] * inner_of(&c->out[0].shape, a->axis)) *
        size;

    for (int64_t r = low; r < high; r++) {
        char *to = (char *)c->out[0].data + (size_t)r * row;
        for (int i = 0; i < c->node->n_in; i++) {
            const size_t run = (size_t)(c->in[i].shape.dim[a->axis] *
                                        inner_of(&c->in[i].shape, a->axis)) *
                               size;
            memcpy(to, (const char *)c->in[i].data + (size_t)r * run, run);
            to += run;
        }
    }
}

static tl_status concat_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_axis_attr *a     = call->node->attr;
    tl_call             c     = *call;
    const int64_t       outer = outer_of(&c.out[0].shape, a->axis);

    (void)ctx;
    if (c.out[0].data)
        tl_par_for(c.threads, outer,
                   run_grain((size_t)(tl_count(&c.out[0]) / outer) *
                             tl_dtype_bytes(c.out[0].dtype)),
                   concat_rows, &c);
    return TL_OK;
}

/* slice and its gradient: `few` has count places on the axis, `many` the whole of it. */
typedef struct {
    const tl_slice_attr *attr;
    const tl_view       *few, *many;
    bool                 gradient;
} slicing;

static void slice_rows(void *arg, int64_t low, int64_t high)
{
    const slicing *k    = arg;
    const int      axis = k->attr->axis;
    const size_t   run =
        (size_t)inner_of(&k->few->shape, axis) * tl_dtype_bytes(k->few->dtype);
    const int64_t count = k->few->shape.dim[axis], all = k->many->shape.dim[axis];

    for (int64_t r = low; r < high; r++) {
        char *few  = (char *)k->few->data + (size_t)(r * count) * run;
        char *many = (char *)k->many->data + (size_t)(r * all) * run;
        if (k->gradient) memset(many, 0, (size_t)all * run);
        for (int64_t i = 0; i < count; i++) {
            char *there = many + (size_t)(k->attr->start + i * k->attr->step) * run;
            if (k->gradient)
                memcpy(there, few + (size_t)i * run, run);
            else
                memcpy(few + (size_t)i * run, there, run);
        }
    }
}

static tl_status run_slice(const tl_call *call, slicing k)
{
    const int64_t outer = outer_of(&k.many->shape, k.attr->axis);

    if (call->out[0].data)
        tl_par_for(
            call->threads, outer,
            run_grain((size_t)(tl_count(k.many) / outer) * tl_dtype_bytes(k.many->dtype)),
            slice_rows, &k);
    return TL_OK;
}

static tl_status slice_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    return run_slice(call,
                     (slicing){ call->node->attr, &call->out[0], &call->in[0], false });
}

static tl_status slice_grad_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_slice_grad_attr *a = call->node->attr;

    (void)ctx;
    return run_slice(call, (slicing){ &a->slice, &call->in[0], &call->out[0], true });
}

static void copy_one(void *to, const void *from, size_t size)
{
    if (size == 4)
        memcpy(to, from, 4);
    else if (size == 2)
        memcpy(to, from, 2);
    else
        memcpy(to, from, size);
}

/* Output rows (all axes but the last) [low, high): the last axis walks with its own stride. */
static void transpose_rows(void *arg, int64_t low, int64_t high)
{
    const tl_call           *c    = arg;
    const tl_transpose_attr *a    = c->node->attr;
    const tl_shape          *y    = &c->out[0].shape;
    const size_t             size = tl_dtype_bytes(c->out[0].dtype);
    const int                last = y->ndim - 1;
    int64_t                  stride[TL_DIMS];

    for (int i = 0; i <= last; i++) stride[i] = inner_of(&c->in[0].shape, a->order[i]);
    for (int64_t r = low; r < high; r++) {
        int64_t from = 0, rest = r;
        for (int i = last - 1; i >= 0; i--) {
            from += rest % y->dim[i] * stride[i];
            rest /= y->dim[i];
        }
        const char *x  = (const char *)c->in[0].data + (size_t)from * size;
        char       *to = (char *)c->out[0].data + (size_t)(r * y->dim[last]) * size;
        if (stride[last] == 1) {
            memcpy(to, x, (size_t)y->dim[last] * size);
            continue;
        }
        for (int64_t j = 0; j < y->dim[last]; j++)
            copy_one(to + (size_t)j * size, x + (size_t)(j * stride[last]) * size, size);
    }
}

static tl_status transpose_run(tl_ctx *ctx, const tl_call *call)
{
    tl_call c = *call;

    (void)ctx;
    if (c.out[0].data && c.out[0].shape.ndim > 0)
        tl_par_for(c.threads, tl_rows(&c.out[0]),
                   run_grain((size_t)tl_columns(&c.out[0])), transpose_rows, &c);
    return TL_OK;
}

/* pad and crop: rows of `small` lie inside those of `big`, moved by `before`. */
typedef struct {
    const tl_pad_attr *attr;
    const tl_view     *small, *big;
    bool               crop;
} padding;

static void pad_rows(void *arg, int64_t low, int64_t high)
{
    const padding  *k    = arg;
    const tl_shape *s    = &k->small->shape;
    const int       last = s->ndim - 1;
    const size_t    size = tl_dtype_bytes(k->small->dtype),
                 run     = (size_t)s->dim[last] * size;

    for (int64_t r = low; r < high; r++) {
        int64_t at = 0, rest = r, stride = k->big->shape.dim[last];
        for (int i = last - 1; i >= 0; i--) {
            at += (rest % s->dim[i] + k->attr->before[i]) * stride;
            stride *= k->big->shape.dim[i];
            rest /= s->dim[i];
        }
        char *small = (char *)k->small->data + (size_t)r * run;
        char *big   = (char *)k->big->data + (size_t)(at + k->attr->before[last]) * size;
        if (k->crop)
            memcpy(small, big, run);
        else
            memcpy(big, small, run);
    }
}

static tl_status run_padding(const tl_call *call, padding k)
{
    if (!call->out[0].data || k.small->shape.ndim == 0) return TL_OK;
    if (!k.crop)
        memset(k.big->data, 0, (size_t)tl_count(k.big) * tl_dtype_bytes(k.big->dtype));
    tl_par_for(call->threads, tl_rows(k.small), run_grain((size_t)tl_columns(k.small)),
               pad_rows, &k);
    return TL_OK;
}

static tl_status pad_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    return run_padding(call,
                       (padding){ call->node->attr, &call->in[0], &call->out[0], false });
}

static tl_status crop_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    return run_padding(call,
                       (padding){ call->node->attr, &call->out[0], &call->in[0], true });
}

static void embedding_rows(void *arg, int64_t low, int64_t high)
{
    const tl_call *c    = arg;
    const int64_t  v    = tl_rows(&c->in[0]);
    const size_t   row  = (size_t)tl_columns(&c->in[0]) * tl_dtype_bytes(c->in[0].dtype);
    const int32_t *ids  = c->in[1].data;
    const char    *from = c->in[0].data;
    char          *y    = c->out[0].data;

    for (int64_t r = low; r < high; r++) {
        if (ids[r] >= 0 && ids[r] < v)
            memcpy(y + (size_t)r * row, from + (size_t)ids[r] * row, row);
        else
            memset(y + (size_t)r * row, 0, row);
    }
}

static tl_status embedding_run(tl_ctx *ctx, const tl_call *call)
{
    tl_call c = *call;

    (void)ctx;
    if (c.out[0].data)
        tl_par_for(c.threads, tl_count(&c.in[1]),
                   run_grain((size_t)tl_columns(&c.in[0]) * 4), embedding_rows, &c);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "concat", move_prepare, concat_run, NULL },
    { "slice", move_prepare, slice_run, NULL },
    { "slice_grad", move_prepare, slice_grad_run, NULL },
    { "transpose", move_prepare, transpose_run, NULL },
    { "pad", move_prepare, pad_run, NULL },
    { "crop", move_prepare, crop_run, NULL },
    { "embedding", move_prepare, embedding_run, NULL },
};
const tl_kernel_list tl_cpu_moves = { kernels, TL_COUNT(kernels) };
