/* sgemm_dnnl.c -- dense layers in f32 whose weights are in training, by oneDNN's sgemm: it reads
 * both operands as they lie, where a primitive would first turn weights around that live for one
 * step.  (Frozen ones are packed once, by library_dnnl.c.)  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/onednn.h"

#include <string.h>

static tl_status ready(tl_call *call)
{
    if (call->in[0].dtype != TL_F32 || call->out[0].dtype != TL_F32) return TL_EUSAGE;
    call->state = (void *)(uintptr_t)tl_simd_best();
    return TL_OK;
}

static tl_status weights_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                 size_t *work_bytes)
{
    (void)ctx;
    (void)g;
    *work_bytes = 0;
    return call->constant >> 1 & 1 ? TL_EUSAGE : ready(call);
}

static tl_status dw_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes)
{
    (void)ctx;
    (void)g;
    *work_bytes = tl_column_work(tl_rows(&call->in[0]), tl_columns(&call->in[0]));
    return ready(call);
}

/* The loops are not owned; that a kernel has a release says that a library made its bits, which are
 * the same for the same number of threads alone. */
static void forget(tl_ctx *ctx, tl_call *call)
{
    (void)ctx;
    call->state = NULL;
}

static void bias_rows(void *arg, int64_t low, int64_t high)
{
    const tl_call *call = arg;
    const size_t   row  = (size_t)tl_columns(&call->out[0]) * sizeof(float);

    for (int64_t r = low; r < high; r++)
        memcpy((char *)call->out[0].data + (size_t)r * row, call->in[2].data, row);
}

static void act_rows(void *arg, int64_t low, int64_t high)
{
    const tl_call     *call = arg;
    const tl_act_attr *a    = call->node->attr;
    const int64_t      n    = tl_columns(&call->out[0]);
    float             *y    = tl_place(&call->out[0], low * n);

    tl_loops(call)->act(a->act, (high - low) * n, y, y, false);
}

static tl_status dense_run(tl_ctx *ctx, const tl_call *call)
{
    tl_status          rc = TL_OK;
    const tl_act_attr *a  = call->node->attr;
    const tl_view     *x = &call->in[0], *y = &call->out[0];
    const int64_t      rows = tl_rows(x), n = tl_columns(y), grain = TL_MAX(1, 4 * TL_PIECE / n);
    const tl_dnn_sgemm g = { .m       = rows,
                             .n       = n,
                             .k       = tl_columns(x),
                             .b_turns = true,
                             .a       = x->data,
                             .b       = call->in[1].data,
                             .c       = y->data,
                             .adds    = call->in[2].data != NULL,
                             .threads = call->threads };

    if (!y->data) goto done;
    if (g.adds) tl_par_for(call->threads, rows, grain, bias_rows, (void *)(uintptr_t)call);
    TL_TRY(tl_dnn_sgemm_run(ctx, &g));
    if (a->act != TL_ACT_NONE)
        tl_par_for(call->threads, rows, grain, act_rows, (void *)(uintptr_t)call);
done:
    return rc;
}

static tl_status dx_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_view     *dy = &call->in[0], *dx = &call->out[0];
    const tl_dnn_sgemm g = { .m       = tl_rows(dy),
                             .n       = tl_columns(dx),
                             .k       = tl_columns(dy),
                             .a       = dy->data,
                             .b       = call->in[1].data,
                             .c       = dx->data,
                             .threads = call->threads };

    return dx->data ? tl_dnn_sgemm_run(ctx, &g) : TL_OK;
}

static tl_status dw_run(tl_ctx *ctx, const tl_call *call)
{
    tl_status          rc = TL_OK;
    const tl_view     *dy = &call->in[0], *dw = &call->out[0];
    const tl_dnn_sgemm g  = { .m       = tl_columns(dy),
                              .n       = tl_columns(dw),
                              .k       = tl_rows(dy),
                              .a_turns = true,
                              .a       = dy->data,
                              .b       = call->in[1].data,
                              .c       = dw->data,
                              .threads = call->threads };

    if (dw->data) TL_TRY(tl_dnn_sgemm_run(ctx, &g));
    if (call->out[1].data)
        tl_column_sums(tl_loops(call), call->threads, g.k, g.m, dy, NULL, call->work,
                       call->out[1].data);
done:
    return rc;
}

static const tl_kernel kernels[] = {
    { "dense", weights_prepare, dense_run, forget },
    { "dense_dx", weights_prepare, dx_run, forget },
    { "dense_dw", dw_prepare, dw_run, forget },
};
const tl_kernel_list tl_cpu_sgemm = { kernels, TL_COUNT(kernels) };
