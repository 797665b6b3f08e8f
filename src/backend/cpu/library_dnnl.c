/* library_dnnl.c -- dense layers and convolutions through oneDNN's door.  Weights that this
 * very graph trains are packed anew each run, frozen ones once.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/onednn.h"

/* What a prepared node holds: the primitive, and our loops for bias gradients. */
typedef struct {
    tl_dnn        *dnn;
    const tl_simd *loops;
} held;

static void held_release(tl_ctx *ctx, tl_call *call)
{
    held *h = call->state;

    if (!h) return;
    tl_dnn_free(ctx, h->dnn);
    tl_free(ctx, h);
    call->state = NULL;
}

static tl_status held_new(tl_ctx *ctx, tl_call *call, held **out)
{
    const tl_status rc = tl_alloc(ctx, sizeof **out, out);

    if (rc != TL_OK) return rc;
    (*out)->loops = tl_simd_best();
    call->state   = *out;
    return TL_OK;
}

/* Keeps what was made, or gives all back when it could not be. */
static tl_status hold(tl_ctx *ctx, tl_call *call, tl_status rc)
{
    held *h = call->state;

    if (rc != TL_OK) {
        held_release(ctx, call);
        return rc;
    }
    call->held_bytes = h->dnn ? tl_dnn_held_bytes(h->dnn) : 0;
    call->holds      = call->held_bytes ? 1u << 1 : 0; /* packed weights */
    return TL_OK;
}

/* Of the weights, input 1: they may differ in every run. */
static bool is_trained(const tl_call *call)
{
    return !(call->constant >> 1 & 1);
}

static bool wants(const tl_call *call, int out)
{
    return call->wanted >> out & 1;
}

static tl_status dense_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                               size_t *work_bytes)
{
    tl_status            rc;
    held                *h;
    const tl_act_attr   *a = call->node->attr;
    const tl_view       *x = &call->in[0], *y = &call->out[0];
    const tl_dnn_product p = { .m            = tl_rows(x),
                               .n            = tl_columns(y),
                               .k            = tl_columns(x),
                               .b_transposed = true,
                               .a            = x->dtype,
                               .b            = TL_F32,
                               .c            = y->dtype,
                               .pack         = true,
                               .trained      = is_trained(call),
                               .bias         = call->node->n_in > 2 && call->node->in[2],
                               .act          = a->act };

    (void)g;
    if (!tl_is_real(x)) return TL_EUSAGE;
    TL_TRY(held_new(ctx, call, &h));
    TL_TRY(tl_dnn_product_new(ctx, &p, call->threads, &h->dnn, work_bytes));
done:
    return hold(ctx, call, rc);
}

static tl_status dense_run(tl_ctx *ctx, const tl_call *call)
{
    const held           *h    = call->state;
    const tl_dnn_run_args args = { .a               = call->in[0].data,
                                   .w               = call->in[1].data,
                                   .bias            = call->in[2].data,
                                   .out             = call->out[0].data,
                                   .work            = call->work,
                                   .weights_changed = call->weights_changed,
                                   .threads         = call->threads };

    return call->out[0].data ? tl_dnn_run(ctx, h->dnn, &args) : TL_OK;
}

static tl_status dense_dx_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                  size_t *work_bytes)
{
    tl_status            rc;
    held                *h;
    const tl_view       *dy = &call->in[0], *dx = &call->out[0];
    const tl_dnn_product p = { .m       = tl_rows(dy),
                               .n       = tl_columns(dx),
                               .k       = tl_columns(dy),
                               .a       = dy->dtype,
                               .b       = TL_F32,
                               .c       = dx->dtype,
                               .pack    = true,
                               .trained = is_trained(call) };

    (void)g;
    if (!tl_is_real(dy)) return TL_EUSAGE;
    TL_TRY(held_new(ctx, call, &h));
    TL_TRY(tl_dnn_product_new(ctx, &p, call->threads, &h->dnn, work_bytes));
done:
    return hold(ctx, call, rc);
}

static tl_status dense_dw_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                  size_t *work_bytes)
{
    tl_status            rc;
    held                *h;
    const tl_view       *dy   = &call->in[0];
    const int64_t        rows = tl_rows(dy), out = tl_columns(dy);
    const size_t         bias = wants(call, 1) ? tl_column_work(rows, out) : 0;
    const tl_dnn_product p    = { .m            = out,
                                  .n            = tl_columns(&call->out[0]),
                                  .k            = rows,
                                  .a_transposed = true,
                                  .a            = dy->dtype,
                                  .b            = dy->dtype,
                                  .c            = TL_F32 };

    (void)g;
    if (!tl_is_real(dy)) return TL_EUSAGE;
    TL_TRY(held_new(ctx, call, &h));
    if (wants(call, 0))
        TL_TRY(tl_dnn_product_new(ctx, &p, call->threads, &h->dnn, work_bytes));
    *work_bytes = TL_MAX(*work_bytes, bias);
done:
    return hold(ctx, call, rc);
}

/* The bias gradient is ours: in the same order on any number of threads. */
static void bias_gradient(const tl_call *call)
{
    const held    *h  = call->state;
    const tl_view *dy = &call->in[0];

    if (call->out[1].data)
        tl_column_sums(h->loops, call->threads, tl_rows(dy), tl_columns(dy), dy, NULL,
                       call->work, call->out[1].data);
}

static tl_status dense_dw_run(tl_ctx *ctx, const tl_call *call)
{
    tl_status             rc   = TL_OK;
    const held           *h    = call->state;
    const tl_dnn_run_args args = { .a       = call->in[0].data,
                                   .w       = call->in[1].data,
                                   .out     = call->out[0].data,
                                   .work    = call->work,
                                   .threads = call->threads };

    if (call->out[0].data) TL_TRY(tl_dnn_run(ctx, h->dnn, &args));
    bias_gradient(call);
done:
    return rc;
}

static tl_status conv_new(tl_ctx *ctx, tl_call *call, const tl_dnn_conv *c,
                          size_t *work_bytes)
{
    tl_status rc;
    held     *h;

    TL_TRY(held_new(ctx, call, &h));
    TL_TRY(tl_dnn_conv_new(ctx, c, call->threads, &h->dnn, work_bytes));
done:
    return hold(ctx, call, rc);
}

static tl_status conv_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                              size_t *work_bytes)
{
    const tl_conv_attr *a = call->node->attr;
    const tl_dnn_conv   c = { .way     = TL_DNN_FORWARD,
                              .x       = call->in[0].shape,
                              .w       = call->in[1].shape,
                              .y       = call->out[0].shape,
                              .conv    = *a,
                              .dtype   = call->in[0].dtype,
                              .bias    = call->node->n_in > 2 && call->node->in[2],
                              .trained = is_trained(call) };

    (void)g;
    return conv_new(ctx, call, &c, work_bytes);
}

static tl_status conv_dx_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                 size_t *work_bytes)
{
    const tl_conv_grad_attr *a = call->node->attr;
    const tl_dnn_conv        c = { .way     = TL_DNN_DX,
                                   .x       = a->shape,
                                   .w       = call->in[1].shape,
                                   .y       = call->in[0].shape,
                                   .conv    = a->conv,
                                   .dtype   = call->in[0].dtype,
                                   .trained = is_trained(call) };

    (void)g;
    return conv_new(ctx, call, &c, work_bytes);
}

static const tl_kernel kernels[] = {
    { "dense", dense_prepare, dense_run, held_release },
    { "dense_dx", dense_dx_prepare, dense_run, held_release },
    { "dense_dw", dense_dw_prepare, dense_dw_run, held_release },
    { "conv", conv_prepare, dense_run, held_release },
    { "conv_dx", conv_dx_prepare, dense_run, held_release },
};
const tl_kernel_list tl_cpu_onednn = { kernels, TL_COUNT(kernels) };
