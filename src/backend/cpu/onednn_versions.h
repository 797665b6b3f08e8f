/* onednn_versions.h -- what differs between oneDNN's C API 2.6 (Debian 12) and 3.x (Debian 13):
 * memory descriptors (a struct, an owned handle) and the making of primitive descriptors (in
 * two steps, in one).  Included by onednn_dnnl.c alone.  Source: oneDNN's developer guide,
 * "Transition from v2.x to v3.x".  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_ONEDNN_VERSIONS_H
#define TL_BACKEND_CPU_ONEDNN_VERSIONS_H
#include "core/rand.h"

#include <oneapi/dnnl/dnnl.h>

typedef struct {
    dnnl_dims_t stride, dilation, before, after;
} door_window;

/* Of a blocked layout: what says where each number lies. */
typedef struct {
    int                type, n, inner;
    const dnnl_dim_t  *padded, *stride, *block, *index;
} door_layout;
static inline uint64_t door_number(const door_layout *l)
{
    const size_t axes = (size_t)l->n * sizeof(dnnl_dim_t),
                 in   = (size_t)l->inner * sizeof(dnnl_dim_t);
    uint64_t     hash = TL_FNV;

    hash = tl_fnv(hash, &l->type, sizeof l->type);
    hash = tl_fnv(hash, &l->n, sizeof l->n);
    hash = tl_fnv(hash, &l->inner, sizeof l->inner);
    hash = tl_fnv(hash, l->padded, axes);
    hash = tl_fnv(hash, l->stride, axes);
    hash = tl_fnv(hash, l->block, in);
    hash = tl_fnv(hash, l->index, in);
    return hash | 1;
}

#if DNNL_VERSION_MAJOR < 3
typedef const dnnl_memory_desc_t *door_ref; /* a descriptor to look at */

static inline door_ref door_see(const dnnl_memory_desc_t *d)
{
    return d;
}
static inline dnnl_status_t door_tagged(dnnl_memory_desc_t *d, int n,
                                        const dnnl_dims_t dim, dnnl_data_type_t type,
                                        dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(d, n, dim, type, tag);
}
static inline dnnl_status_t door_strided(dnnl_memory_desc_t *d, int n,
                                         const dnnl_dims_t dim, dnnl_data_type_t type,
                                         const dnnl_dims_t stride)
{
    return dnnl_memory_desc_init_by_strides(d, n, dim, type, stride);
}
/* A number for a layout, alike for layouts that are alike; 0: it is none of blocks. */
static inline uint64_t door_form(door_ref d)
{
    const dnnl_blocking_desc_t *b = &d->format_desc.blocking;
    const door_layout           l = { (int)d->data_type, d->ndims, b->inner_nblks, d->padded_dims,
                                      b->strides, b->inner_blks, b->inner_idxs };

    return d->format_kind == dnnl_blocked ? door_number(&l) : 0;
}
static inline void door_end(dnnl_memory_desc_t *d)
{
    (void)d;
}
static inline dnnl_status_t door_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind,
                                         float a, float b)
{
    return dnnl_post_ops_append_eltwise(ops, 1.0f, kind, a, b);
}
static inline dnnl_status_t door_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f);
}
static inline dnnl_status_t door_product(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                         door_ref a, door_ref b, door_ref bias,
                                         door_ref c, dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t  d;
    const dnnl_status_t s = dnnl_matmul_desc_init(&d, a, b, bias, c);

    return s != dnnl_success ? s : dnnl_primitive_desc_create(pd, &d, attr, engine, NULL);
}
static inline dnnl_status_t door_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                         door_ref x, door_ref w, door_ref bias,
                                         door_ref y, const door_window *k,
                                         dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t d;
    const dnnl_status_t     s = dnnl_dilated_convolution_forward_desc_init(
            &d, dnnl_forward_training, dnnl_convolution_direct, x, w, bias, y, k->stride,
            k->dilation, k->before, k->after);

    return s != dnnl_success ? s : dnnl_primitive_desc_create(pd, &d, attr, engine, NULL);
}
static inline dnnl_status_t door_dx(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                    door_ref dx, door_ref w, door_ref dy,
                                    const door_window *k, dnnl_primitive_desc_t hint,
                                    dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t d;
    const dnnl_status_t     s = dnnl_dilated_convolution_backward_data_desc_init(
            &d, dnnl_convolution_direct, dx, w, dy, k->stride, k->dilation, k->before,
            k->after);

    return s != dnnl_success ? s : dnnl_primitive_desc_create(pd, &d, attr, engine, hint);
}
static inline dnnl_status_t door_dw(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                    door_ref x, door_ref dw, door_ref dy,
                                    const door_window *k, dnnl_primitive_desc_t hint,
                                    dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t d;
    const dnnl_status_t     s = dnnl_dilated_convolution_backward_weights_desc_init(
            &d, dnnl_convolution_direct, x, dw, NULL, dy, k->stride, k->dilation, k->before,
            k->after);

    return s != dnnl_success ? s : dnnl_primitive_desc_create(pd, &d, attr, engine, hint);
}
#else
typedef const_dnnl_memory_desc_t door_ref;

static inline door_ref door_see(const dnnl_memory_desc_t *d)
{
    return *d;
}
static inline dnnl_status_t door_tagged(dnnl_memory_desc_t *d, int n,
                                        const dnnl_dims_t dim, dnnl_data_type_t type,
                                        dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(d, n, dim, type, tag);
}
static inline dnnl_status_t door_strided(dnnl_memory_desc_t *d, int n,
                                         const dnnl_dims_t dim, dnnl_data_type_t type,
                                         const dnnl_dims_t stride)
{
    return dnnl_memory_desc_create_with_strides(d, n, dim, type, stride);
}
static inline uint64_t door_form(door_ref d)
{
    dnnl_format_kind_t kind;
    dnnl_data_type_t   type;
    int                n, inner;
    const dnnl_dims_t *padded, *stride, *block, *index;

    if (dnnl_memory_desc_query(d, dnnl_query_format_kind, &kind) || kind != dnnl_blocked ||
        dnnl_memory_desc_query(d, dnnl_query_data_type, &type) ||
        dnnl_memory_desc_query(d, dnnl_query_ndims_s32, &n) ||
        dnnl_memory_desc_query(d, dnnl_query_inner_nblks_s32, &inner) ||
        dnnl_memory_desc_query(d, dnnl_query_padded_dims, &padded) ||
        dnnl_memory_desc_query(d, dnnl_query_strides, &stride) ||
        dnnl_memory_desc_query(d, dnnl_query_inner_blks, &block) ||
        dnnl_memory_desc_query(d, dnnl_query_inner_idxs, &index))
        return 0;
    const door_layout l = { (int)type, n, inner, *padded, *stride, *block, *index };

    return door_number(&l);
}
static inline void door_end(dnnl_memory_desc_t *d)
{
    if (*d) dnnl_memory_desc_destroy(*d);
    *d = NULL;
}
static inline dnnl_status_t door_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind,
                                         float a, float b)
{
    return dnnl_post_ops_append_eltwise(ops, kind, a, b);
}
static inline dnnl_status_t door_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
}
static inline dnnl_status_t door_product(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                         door_ref a, door_ref b, door_ref bias,
                                         door_ref c, dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(pd, engine, a, b, bias, c, attr);
}
static inline dnnl_status_t door_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                         door_ref x, door_ref w, door_ref bias,
                                         door_ref y, const door_window *k,
                                         dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_forward_primitive_desc_create(
        pd, engine, dnnl_forward_training, dnnl_convolution_direct, x, w, bias, y,
        k->stride, k->dilation, k->before, k->after, attr);
}
static inline dnnl_status_t door_dx(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                    door_ref dx, door_ref w, door_ref dy,
                                    const door_window *k, dnnl_primitive_desc_t hint,
                                    dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_backward_data_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, dx, w, dy, k->stride, k->dilation, k->before,
        k->after, hint, attr);
}
static inline dnnl_status_t door_dw(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                    door_ref x, door_ref dw, door_ref dy,
                                    const door_window *k, dnnl_primitive_desc_t hint,
                                    dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_backward_weights_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, x, dw, NULL, dy, k->stride, k->dilation,
        k->before, k->after, hint, attr);
}
#endif
#endif
