/* pools.c -- pooling kernels over NHWC pictures.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"

#include <string.h>

typedef struct {
    const tl_call *call;
    const tl_simd *loops;
    tl_window      window;
    int64_t        rows; /* pixel rows of what is made */
} pool;

/* `big` is the side before pooling, `small` after. */
static pool pool_of(const tl_call *call, const tl_pool_attr *a, const tl_shape *big,
                    const tl_shape *small, const tl_shape *made)
{
    return (pool){ .call   = call,
                   .loops  = tl_loops(call),
                   .rows   = made->dim[0] * made->dim[1],
                   .window = { .h             = big->dim[1],
                               .w             = big->dim[2],
                               .c             = big->dim[3],
                               .oh            = small->dim[1],
                               .ow            = small->dim[2],
                               .kh            = a->kernel[0],
                               .kw            = a->kernel[1],
                               .sh            = a->stride[0],
                               .sw            = a->stride[1],
                               .dh            = 1,
                               .dw            = 1,
                               .top           = a->pad[0],
                               .left          = a->pad[1],
                               .bottom        = a->pad[2],
                               .right         = a->pad[3],
                               .count_padding = a->count_padding } };
}

static pool forward_of(const tl_call *call)
{
    return pool_of(call, call->node->attr, &call->in[0].shape, &call->out[0].shape,
                   &call->out[0].shape);
}

static pool gradient_of(const tl_call *call)
{
    const tl_pool_grad_attr *a = call->node->attr;

    return pool_of(call, &a->pool, &a->shape, &call->in[0].shape, &a->shape);
}

/* Places in a window beyond 256 do not fit the byte that our loops write. */
static tl_status max_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                             size_t *work_bytes)
{
    const bool grad = call->node->n_in > 1;

    if ((grad ? call->in[1].dtype : call->out[1].dtype) != TL_U8) return TL_EUSAGE;
    return tl_cpu_ready(ctx, g, call, work_bytes);
}

static void max_rows(void *arg, int64_t low, int64_t high)
{
    const pool *k = arg;

    k->loops->max_pool(&k->window, low, high, k->call->in[0].data, k->call->out[0].data,
                       k->call->out[1].data, tl_is_bf(&k->call->in[0]));
}
static void max_grad_rows(void *arg, int64_t low, int64_t high)
{
    const pool *k = arg;

    k->loops->max_pool_grad(&k->window, low, high, k->call->in[0].data,
                            k->call->in[1].data, k->call->out[0].data,
                            tl_is_bf(&k->call->in[0]));
}
static void avg_rows(void *arg, int64_t low, int64_t high)
{
    const pool *k = arg;

    k->loops->avg_pool(&k->window, low, high, k->call->in[0].data, k->call->out[0].data,
                       tl_is_bf(&k->call->in[0]));
}
static void avg_grad_rows(void *arg, int64_t low, int64_t high)
{
    const pool *k = arg;

    k->loops->avg_pool_grad(&k->window, low, high, k->call->in[0].data,
                            k->call->out[0].data, tl_is_bf(&k->call->in[0]));
}

static tl_status run_pool(pool k, void (*body)(void *, int64_t, int64_t))
{
    const int64_t row = k.window.c * TL_MAX(k.window.w, k.window.ow);

    if (k.call->out[0].data || (k.call->node->n_out > 1 && k.call->out[1].data))
        tl_par_for(k.call->threads, k.rows, TL_MAX(1, 8192 / row), body, &k);
    return TL_OK;
}

static tl_status max_pool_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    return run_pool(forward_of(call), max_rows);
}
static tl_status max_pool_grad_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    return run_pool(gradient_of(call), max_grad_rows);
}
static tl_status avg_pool_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    return run_pool(forward_of(call), avg_rows);
}
static tl_status avg_pool_grad_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    return run_pool(gradient_of(call), avg_grad_rows);
}

/* Global average: the columns' sums of each picture, in f32 scratch, then scaled. */
static tl_status global_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);

    *work_bytes = (size_t)tl_count(&call->out[0]) * sizeof(float);
    return rc;
}

static void global_pictures(void *arg, int64_t low, int64_t high)
{
    const tl_call *c  = arg;
    const tl_view *x  = &c->in[0];
    const int64_t  ch = x->shape.dim[3], area = x->shape.dim[1] * x->shape.dim[2];
    const bool     bf = tl_is_bf(x);

    for (int64_t n = low; n < high; n++) {
        float *sum = (float *)c->work + n * ch;
        tl_loops(c)->column_sums(area, ch, tl_place(x, n * area * ch), NULL, bf, sum);
        tl_loops(c)->scale(1.0f / (float)area, ch, sum, sum, false);
        tl_loops(c)->cast(ch, sum, false, tl_place(&c->out[0], n * ch), bf);
    }
}

static tl_status global_avg_run(tl_ctx *ctx, const tl_call *call)
{
    tl_call c = *call;

    (void)ctx;
    if (c.out[0].data)
        tl_par_for(c.threads, c.in[0].shape.dim[0],
                   TL_MAX(1, 8192 * c.in[0].shape.dim[0] / tl_count(&c.in[0])),
                   global_pictures, &c);
    return TL_OK;
}

static void global_grad_pictures(void *arg, int64_t low, int64_t high)
{
    const tl_call *c  = arg;
    const tl_view *dx = &c->out[0];
    const int64_t  ch = dx->shape.dim[3], area = dx->shape.dim[1] * dx->shape.dim[2];
    const size_t   bytes = (size_t)ch * tl_dtype_bytes(dx->dtype);

    for (int64_t n = low; n < high; n++) {
        char *to = tl_place(dx, n * area * ch);
        tl_loops(c)->scale(1.0f / (float)area, ch, tl_place(&c->in[0], n * ch), to,
                           tl_is_bf(dx));
        for (int64_t i = 1; i < area; i++) memcpy(to + (size_t)i * bytes, to, bytes);
    }
}

static tl_status global_avg_grad_run(tl_ctx *ctx, const tl_call *call)
{
    tl_call c = *call;

    (void)ctx;
    if (c.out[0].data)
        tl_par_for(c.threads, c.out[0].shape.dim[0],
                   TL_MAX(1, 8192 * c.out[0].shape.dim[0] / tl_count(&c.out[0])),
                   global_grad_pictures, &c);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "max_pool", max_prepare, max_pool_run, NULL },
    { "max_pool_grad", max_prepare, max_pool_grad_run, NULL },
    { "avg_pool", tl_cpu_ready, avg_pool_run, NULL },
    { "avg_pool_grad", tl_cpu_ready, avg_pool_grad_run, NULL },
    { "global_avg_pool", global_prepare, global_avg_run, NULL },
    { "global_avg_pool_grad", tl_cpu_ready, global_avg_grad_run, NULL },
};
const tl_kernel_list tl_cpu_pools = { kernels, TL_COUNT(kernels) };
