/* library_dnnl.c -- dense layers and convolutions through oneDNN's door.  Weights that this
 * very graph trains are packed anew each run, frozen ones once.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/onednn.h"

/* How operands in bf16 are made ready for a product: by oneDNN itself; weights narrowed as they
 * lie; weights narrowed and paired; both operands of a weight's gradient as they are read best. */
typedef enum { BY_LIBRARY, NARROWED, PAIRED, TURNED } making;

/* What a prepared node holds: the primitive, and our loops. */
typedef struct {
    tl_dnn        *dnn;
    const tl_simd *loops;
    making         how;
    size_t         own_bytes; /* of the scratch, in front of the product's */
    tl_copy       *copy;      /* of frozen weights; NULL before the first run, or kept by dnn */
} held;

static void held_release(tl_ctx *ctx, tl_call *call)
{
    held *h = call->state;

    if (!h) return;
    tl_dnn_free(ctx, h->dnn);
    tl_copy_drop(ctx, h->copy);
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
    call->copy_bytes = h->dnn ? tl_dnn_lent_bytes(h->dnn) : 0;
    call->copy_form  = h->dnn ? tl_dnn_lent_form(h->dnn) : 0;
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

/* A product whose operands our own loops make ready in `own` bytes of scratch. */
static tl_status own_product(tl_ctx *ctx, const tl_call *call, const tl_dnn_product *p,
                             making how, size_t own, size_t *work_bytes)
{
    held           *h  = call->state;
    const tl_status rc = tl_dnn_product_new(ctx, p, call->threads, &h->dnn, work_bytes);

    if (rc != TL_OK) return rc;
    h->how       = how;
    h->own_bytes = tl_padded(own);
    *work_bytes += h->own_bytes;
    return TL_OK;
}

/* Weights in training are read as bf16 where activations are; oneDNN would turn them around. */
static bool narrows(const tl_call *call)
{
    return tl_is_bf(&call->in[0]) && is_trained(call);
}

static tl_status dense_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                               size_t *work_bytes)
{
    tl_status          rc;
    held              *h;
    const tl_act_attr *a = call->node->attr;
    const tl_view     *x = &call->in[0], *y = &call->out[0];
    tl_dnn_product     p = { .m            = tl_rows(x),
                             .n            = tl_columns(y),
                             .k            = tl_columns(x),
                             .b_transposed = true,
                             .a            = x->dtype,
                             .b            = TL_F32,
                             .c            = y->dtype,
                             .pack         = true,
                             .trained      = is_trained(call),
                             .lent         = tl_is_frozen_weight(g, call),
                             .bias         = call->node->n_in > 2 && call->node->in[2],
                             .act          = a->act };

    if (!tl_is_real(x)) return TL_EUSAGE;
    TL_TRY(held_new(ctx, call, &h));
    if (narrows(call)) {
        p.b    = TL_BF16;
        p.pack = false;
        rc     = own_product(ctx, call, &p, NARROWED, (size_t)(p.n * p.k) * 2, work_bytes);
        if (rc != TL_EUSAGE) goto done;
        p.b    = TL_F32;
        p.pack = true;
    }
    TL_TRY(tl_dnn_product_new(ctx, &p, call->threads, &h->dnn, work_bytes));
done:
    return hold(ctx, call, rc);
}

/* x, [k n], narrowed and paired, or narrowed, or turned; a piece of the work each. */
typedef struct {
    const held *h;
    int64_t     k, n;
    const void *x;
    bool        bf;
    void       *to;
} readying;

enum { TURN_COLUMNS = 64, PAIR_COLUMNS = 64 };

static void narrow_piece(void *arg, int64_t low, int64_t high)
{
    const readying *r = arg;

    r->h->loops->cast((high - low) * r->n, (const float *)r->x + low * r->n, false,
                      (uint16_t *)r->to + low * r->n, true);
}

static void pair_piece(void *arg, int64_t low, int64_t high)
{
    const readying *r = arg;

    r->h->loops->pair(r->k, r->n, r->x, r->bf, r->to, low, high);
}

static void turn_piece(void *arg, int64_t low, int64_t high)
{
    const readying *r = arg;

    r->h->loops->turn_halves(r->k, r->n, r->x, r->to, low * TURN_COLUMNS,
                             TL_MIN(high * TURN_COLUMNS, r->n));
}

static void make_pairs(const held *h, int threads, const tl_view *x, void *to)
{
    readying r = { h, tl_rows(x), tl_columns(x), x->data, tl_is_bf(x), to };

    tl_par_for(threads, (r.n + PAIR_COLUMNS - 1) / PAIR_COLUMNS,
               TL_MAX(1, 4 * TL_PIECE / (PAIR_COLUMNS * r.k)), pair_piece, &r);
}

/* The weights as the product reads them. */
static const void *ready_weights(const tl_call *call)
{
    const held    *h = call->state;
    const tl_view *w = &call->in[1];
    readying       r = { h, tl_rows(w), tl_columns(w), w->data, false, call->work };

    if (h->how == BY_LIBRARY) return w->data;
    if (h->how == PAIRED) make_pairs(h, call->threads, w, call->work);
    else tl_par_for(call->threads, r.k, TL_MAX(1, 4 * TL_PIECE / r.n), narrow_piece, &r);
    return call->work;
}

static tl_status dense_run(tl_ctx *ctx, const tl_call *call)
{
    held     *h  = call->state;
    tl_status rc = TL_OK;

    if (!call->out[0].data) return TL_OK;
    tl_dnn_run_args args = { .a               = call->in[0].data,
                             .w               = ready_weights(call),
                             .bias            = call->in[2].data,
                             .out             = call->out[0].data,
                             .work            = (char *)call->work + h->own_bytes,
                             .weights_changed = call->weights_changed,
                             .threads         = call->threads };
    if (call->copy_bytes) {
        TL_TRY(tl_weights_copy(ctx, call, &h->copy, &args.weights_changed));
        args.lent = h->copy->data;
    }
    TL_TRY(tl_dnn_run(ctx, h->dnn, &args));
    if (h->copy) h->copy->fresh = false;
done:
    return rc;
}

static tl_status dense_dx_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                  size_t *work_bytes)
{
    tl_status      rc;
    held          *h;
    const tl_view *dy = &call->in[0], *dx = &call->out[0];
    tl_dnn_product p  = { .m       = tl_rows(dy),
                          .n       = tl_columns(dx),
                          .k       = tl_columns(dy),
                          .a       = dy->dtype,
                          .b       = TL_F32,
                          .c       = dx->dtype,
                          .pack    = true,
                          .trained = is_trained(call),
                          .lent    = tl_is_frozen_weight(g, call) };

    if (!tl_is_real(dy)) return TL_EUSAGE;
    TL_TRY(held_new(ctx, call, &h));
    if (narrows(call)) {
        p.b      = TL_BF16;
        p.pack   = false;
        p.paired = true;
        rc = own_product(ctx, call, &p, PAIRED, tl_dnn_paired_bytes(p.k, p.n), work_bytes);
        if (rc != TL_EUSAGE) goto done;
        p.b      = TL_F32;
        p.pack   = true;
        p.paired = false;
    }
    TL_TRY(tl_dnn_product_new(ctx, &p, call->threads, &h->dnn, work_bytes));
done:
    return hold(ctx, call, rc);
}

/* Bytes of dy turned; behind them x in pairs. */
static size_t turned_bytes(const tl_view *dy)
{
    return tl_padded((size_t)tl_count(dy) * sizeof(uint16_t));
}

static tl_status dense_dw_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                  size_t *work_bytes)
{
    tl_status      rc;
    held          *h;
    const tl_view *dy   = &call->in[0];
    const int64_t  rows = tl_rows(dy), out = tl_columns(dy);
    const size_t   bias = wants(call, 1) ? tl_column_work(rows, out) : 0;
    tl_dnn_product p    = { .m            = out,
                            .n            = tl_columns(&call->out[0]),
                            .k            = rows,
                            .a_transposed = true,
                            .a            = dy->dtype,
                            .b            = dy->dtype,
                            .c            = TL_F32 };

    (void)g;
    if (!tl_is_real(dy)) return TL_EUSAGE;
    TL_TRY(held_new(ctx, call, &h));
    if (!wants(call, 0)) goto done;
    if (tl_is_bf(dy)) {
        p.a_transposed = false;
        p.paired       = true;
        rc = own_product(ctx, call, &p, TURNED,
                         turned_bytes(dy) + tl_dnn_paired_bytes(p.k, p.n), work_bytes);
        if (rc != TL_EUSAGE) goto done;
        p.a_transposed = true;
        p.paired       = false;
    }
    TL_TRY(tl_dnn_product_new(ctx, &p, call->threads, &h->dnn, work_bytes));
done:
    *work_bytes = TL_MAX(*work_bytes, bias);
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

/* dy turned, and behind it x in pairs. */
static void ready_gradient(const tl_call *call)
{
    const held    *h  = call->state;
    const tl_view *dy = &call->in[0];
    readying       r  = { h, tl_rows(dy), tl_columns(dy), dy->data, true, call->work };

    tl_par_for(call->threads, (r.n + TURN_COLUMNS - 1) / TURN_COLUMNS,
               TL_MAX(1, 4 * TL_PIECE / (TURN_COLUMNS * r.k)), turn_piece, &r);
    make_pairs(h, call->threads, &call->in[1], (char *)call->work + turned_bytes(dy));
}

static tl_status dense_dw_run(tl_ctx *ctx, const tl_call *call)
{
    tl_status       rc    = TL_OK;
    const held     *h     = call->state;
    const bool      ready = h->how == TURNED;
    const char     *work  = call->work;
    tl_dnn_run_args args  = { .a       = call->in[0].data,
                              .w       = call->in[1].data,
                              .out     = call->out[0].data,
                              .work    = (char *)call->work + h->own_bytes,
                              .threads = call->threads };

    if (call->out[0].data) {
        if (ready) {
            ready_gradient(call);
            args.a = work;
            args.w = work + turned_bytes(&call->in[0]);
        }
        TL_TRY(tl_dnn_run(ctx, h->dnn, &args));
    }
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
