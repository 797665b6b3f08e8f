/* conv_dw_dnnl.c -- weight gradients of convolutions through oneDNN's door, in the way that is
 * fastest for the shape.  Measured with 2.6 on two cores with AVX-512 and bf16 products:
 * few pixels   bf16 loses to f32 (512 to 512 channels on 1x1: three times): operands are made
 *              f32 first;
 * big weights  threads that share one primitive each sum into weights of their own and meet at
 *              the end (512 to 512, 3x3, on 4x4: 23 ms); each thread with output channels of
 *              its own and a primitive of its own does not (13 ms).
 * The choice is a function of shape and thread count alone.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/onednn.h"

#include <string.h>

enum { DY, X, MOST_PARTS = 4, PART_CHANNELS = 32, FEW_ROWS = 512, BIG_WEIGHTS = 1 << 19 };

typedef struct {
    const tl_simd *loops;
    tl_dnn        *dnn[MOST_PARTS];
    int            parts;   /* of the output channels, each on one thread; 1: not cut   */
    bool           widen;   /* bf16 operands are made f32 in scratch first              */
    size_t         wide_at; /* ... there                                                */
    size_t part_bytes; /* scratch of a part: its columns of dy, the primitive's own */
} held;

static void dw_release(tl_ctx *ctx, tl_call *call)
{
    held *h = call->state;

    if (!h) return;
    for (int p = 0; p < MOST_PARTS; p++) tl_dnn_free(ctx, h->dnn[p]);
    tl_free(ctx, h);
    call->state = NULL;
}

static bool better_wide(const tl_call *call, const tl_conv_grad_attr *a)
{
    return tl_is_bf(&call->in[DY]) && a->conv.groups == 1 &&
           tl_rows(&call->in[DY]) <= FEW_ROWS;
}

static int better_parts(const tl_call *call, const tl_conv_grad_attr *a)
{
    const int parts = call->threads;

    if (parts > MOST_PARTS || a->conv.groups > 1 ||
        tl_shape_count(&a->shape) < BIG_WEIGHTS)
        return 1;
    return a->shape.dim[0] % (PART_CHANNELS * parts) == 0 ? parts : 1;
}

static size_t wide_bytes(const tl_view *v)
{
    return tl_padded((size_t)tl_count(v) * sizeof(float));
}

static size_t slice_bytes(const tl_call *call, int parts)
{
    const tl_view *dy = &call->in[DY];

    return tl_padded((size_t)tl_count(dy) * tl_dtype_bytes(dy->dtype) / (size_t)parts);
}

/* The primitives: of all channels on all threads, or of a part's on one. */
static tl_status make_primitives(tl_ctx *ctx, const tl_call *call, held *h,
                                 size_t *work_bytes)
{
    tl_status                rc      = TL_OK;
    const tl_conv_grad_attr *a       = call->node->attr;
    const int                threads = h->parts > 1 ? 1 : call->threads;
    tl_dnn_conv              c       = { .way   = TL_DNN_DW,
                                         .x     = call->in[X].shape,
                                         .w     = a->shape,
                                         .y     = call->in[DY].shape,
                                         .conv  = a->conv,
                                         .dtype = h->widen ? TL_F32 : call->in[DY].dtype };

    c.w.dim[0] /= h->parts;
    c.y.dim[3] /= h->parts;
    for (int p = 0; p < h->parts; p++)
        TL_TRY(tl_dnn_conv_new(ctx, &c, threads, &h->dnn[p], work_bytes));
    if (h->parts > 1) {
        h->part_bytes = slice_bytes(call, h->parts) + tl_padded(*work_bytes);
        *work_bytes   = h->part_bytes * (size_t)h->parts;
    }
done:
    tl_par_set_threads(call->threads);
    return rc;
}

static tl_status dw_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                            size_t *work_bytes)
{
    tl_status                rc;
    const tl_conv_grad_attr *a  = call->node->attr;
    const tl_view           *dy = &call->in[DY];
    const bool               dw = call->wanted & 1, db = call->wanted >> 1 & 1;
    held                    *h;

    (void)g;
    TL_TRY(tl_alloc(ctx, sizeof *h, &h));
    call->state = h;
    h->loops    = tl_simd_best();
    h->widen    = dw && better_wide(call, a);
    h->parts    = dw && !h->widen ? better_parts(call, a) : 1;
    if (dw) TL_TRY(make_primitives(ctx, call, h, work_bytes));
    if (db)
        *work_bytes = TL_MAX(*work_bytes, tl_column_work(tl_rows(dy), tl_columns(dy)));
    if (!h->widen) goto done;
    h->wide_at  = tl_padded(*work_bytes);
    *work_bytes = h->wide_at + wide_bytes(&call->in[X]) + wide_bytes(dy);
done:
    if (rc != TL_OK) dw_release(ctx, call);
    return rc;
}

typedef struct {
    const tl_simd *loops;
    const tl_view *from;
    float         *to;
} widening;

static void widen_pieces(void *arg, int64_t low, int64_t high)
{
    const widening *k  = arg;
    const int64_t   at = low * TL_PIECE, end = TL_MIN(high * TL_PIECE, tl_count(k->from));

    k->loops->cast(end - at, tl_place(k->from, at), true, k->to + at, false);
}

static const void *widened(const tl_call *call, const tl_view *from, char *to)
{
    widening k = { ((const held *)call->state)->loops, from, (float *)(void *)to };

    tl_par_for(call->threads, (tl_count(from) + TL_PIECE - 1) / TL_PIECE, 4, widen_pieces,
               &k);
    return to;
}

static tl_status run_whole(tl_ctx *ctx, const tl_call *call)
{
    const held     *h    = call->state;
    char           *wide = (char *)call->work + h->wide_at;
    tl_dnn_run_args args = { .a       = call->in[X].data,
                             .dy      = call->in[DY].data,
                             .out     = call->out[0].data,
                             .work    = call->work,
                             .threads = call->threads };

    if (h->widen) {
        args.a  = widened(call, &call->in[X], wide);
        args.dy = widened(call, &call->in[DY], wide + wide_bytes(&call->in[X]));
    }
    return tl_dnn_run(ctx, h->dnn[0], &args);
}

typedef struct {
    const tl_call *call;
    tl_ctx         ctx[MOST_PARTS]; /* messages are not shared between threads */
    tl_status      rc[MOST_PARTS];
} team;

/* A part: its columns of dy side by side, then its rows of dw, which lie together. */
static void run_part(team *t, int p)
{
    const tl_call *call = t->call;
    const held    *h    = call->state;
    const tl_view *dy = &call->in[DY], *dw = &call->out[0];
    const int64_t columns = tl_columns(dy), mine = columns / h->parts, rows = tl_rows(dy);
    const size_t  run          = (size_t)mine * tl_dtype_bytes(dy->dtype);
    char         *work         = (char *)call->work + (size_t)p * h->part_bytes;
    const tl_dnn_run_args args = { .a       = call->in[X].data,
                                   .dy      = work,
                                   .out     = tl_place(dw, p * (tl_count(dw) / h->parts)),
                                   .work    = work + slice_bytes(call, h->parts),
                                   .threads = 1 };

    for (int64_t r = 0; r < rows; r++)
        memcpy(work + (size_t)r * run, tl_place(dy, r * columns + p * mine), run);
    t->rc[p] = tl_dnn_run(&t->ctx[p], h->dnn[p], &args);
}

static void run_parts(void *arg, int64_t low, int64_t high)
{
    for (int64_t p = low; p < high; p++) run_part(arg, (int)p);
}

static tl_status run_team(tl_ctx *ctx, const tl_call *call)
{
    const held *h = call->state;
    team        t = { .call = call };

    for (int p = 0; p < h->parts; p++) t.ctx[p] = tl_ctx_make(ctx->world);
    tl_par_for(call->threads, h->parts, 1, run_parts, &t);
    for (int p = 0; p < h->parts; p++)
        if (t.rc[p] != TL_OK)
            return tl_fail(ctx, t.rc[p], "conv_dw", "%s", t.ctx[p].message);
    return TL_OK;
}

static tl_status dw_run(tl_ctx *ctx, const tl_call *call)
{
    tl_status      rc = TL_OK;
    const held    *h  = call->state;
    const tl_view *dy = &call->in[DY];

    if (call->out[0].data)
        TL_TRY(h->parts > 1 ? run_team(ctx, call) : run_whole(ctx, call));
    if (call->out[1].data)
        tl_column_sums(h->loops, call->threads, tl_rows(dy), tl_columns(dy), dy, NULL,
                       call->work, call->out[1].data);
done:
    return rc;
}

static const tl_kernel kernels[]      = { { "conv_dw", dw_prepare, dw_run, dw_release } };
const tl_kernel_list   tl_cpu_conv_dw = { kernels, TL_COUNT(kernels) };
