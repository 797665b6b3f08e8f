/* dense_tiles.c -- dense layers in bf16 on tiles.  Weights in training are read as the f32 that
 * they are, and rounded and laid out where they are needed.  Frozen ones are rounded and laid out
 * once, into a copy that both directions of all plans read; those of few rows, and those that are
 * no parameters themselves, are packed by library_dnnl.c.  Floor 1, backend/cpu. */
#include "backend/cpu/tiles.h"
#include "backend/cpu/workers.h"

enum {
    MOST_DEEP = 4096, /* deeper, too few columns of weights stay near: a library's product */
    FROZEN_DX = 384,  /* TL_FROZEN_ROWS of gradients, that lay the copy out for their side */
    DW_ROWS   = 2048  /* a weight's gradient sums over so many rows at once                */
};

typedef struct {
    const tl_tiles        *tiles;
    const tl_tile_product *p;
    int64_t                columns; /* at once */
} job;

static tl_tile_product forward_product(const tl_call *call)
{
    const tl_act_attr *a = call->node->attr;
    const tl_view     *x = &call->in[0], *y = &call->out[0];

    return (tl_tile_product){ .m        = tl_rows(x),
                              .n        = tl_columns(y),
                              .k        = tl_columns(x),
                              .a        = x->data,
                              .b        = call->in[1].data,
                              .b_turned = true,
                              .c        = y->data,
                              .c_bf     = tl_is_bf(y),
                              .bias     = call->in[2].data,
                              .act      = a->act };
}

static tl_tile_product dx_product(const tl_call *call)
{
    const tl_view *dy = &call->in[0], *dx = &call->out[0];

    return (tl_tile_product){ .m    = tl_rows(dy),
                              .n    = tl_columns(dx),
                              .k    = tl_columns(dy),
                              .a    = dy->data,
                              .b    = call->in[1].data,
                              .c    = dx->data,
                              .c_bf = tl_is_bf(dx) };
}

static tl_tile_product dw_product(const tl_call *call)
{
    const tl_view *dy = &call->in[0], *dw = &call->out[0];

    return (tl_tile_product){ .m        = tl_columns(dy),
                              .n        = tl_columns(dw),
                              .k        = tl_rows(dy),
                              .a        = dy->data,
                              .a_turned = true,
                              .b        = call->in[1].data,
                              .b_bf     = true,
                              .c        = dw->data };
}

static bool is_frozen(const tl_call *call)
{
    return call->constant >> 1 & 1;
}

/* Of a product over so many rows of k. */
static size_t room_for(const tl_tiles *tiles, tl_tile_product p, int64_t k, int threads)
{
    p.k = k;
    return tl_padded(tiles->product_bytes(&p, tiles->product_columns(&p, threads)));
}

/* Of all pieces of a product whose left operand is turned; others are one. */
static size_t room_of(const tl_tiles *tiles, const tl_tile_product *p, int threads)
{
    if (!p->a_turned || p->k <= DW_ROWS) return room_for(tiles, *p, p->k, threads);
    return TL_MAX(room_for(tiles, *p, DW_ROWS, threads),
                  room_for(tiles, *p, (p->k - 1) % DW_ROWS + 1, threads));
}

static tl_status ready(tl_call *call, const tl_tile_product *p, size_t *work_bytes)
{
    const tl_tiles *tiles = tl_tiles_best();

    *work_bytes = 0;
    if (!tiles || !tl_is_bf(&call->in[0])) return TL_EUSAGE;
    if (!p->a_turned && p->k > MOST_DEEP) return TL_EUSAGE;
    call->state = (void *)(uintptr_t)tiles;
    *work_bytes = room_of(tiles, p, call->threads) *
                  (size_t)tl_workers(call->threads);
    return TL_OK;
}

static tl_status dense_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                               size_t *work_bytes)
{
    const tl_tile_product p = forward_product(call);

    (void)ctx;
    (void)g;
    call->ends = TL_TILE_ENDS;
    return is_frozen(call) ? TL_EUSAGE : ready(call, &p, work_bytes);
}

static tl_status dx_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes)
{
    const tl_tile_product p = dx_product(call);

    (void)ctx;
    (void)g;
    return is_frozen(call) ? TL_EUSAGE : ready(call, &p, work_bytes);
}

typedef struct {
    const tl_tiles *tiles;
    tl_copy        *copy; /* of the weights, laid out; NULL before the first run */
} frozen;

static void frozen_release(tl_ctx *ctx, tl_call *call)
{
    frozen *f = call->state;

    if (!f) return;
    tl_copy_drop(ctx, f->copy);
    tl_free(ctx, f);
    call->state = NULL;
}

static tl_status frozen_ready(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                              const tl_tile_product *p, int64_t least, size_t *work_bytes)
{
    frozen   *f = NULL;
    tl_status rc;

    if (!tl_is_frozen_weight(g, call) || p->m < least) return TL_EUSAGE;
    TL_TRY(ready(call, p, work_bytes));
    const tl_tiles *tiles = call->state;
    call->state           = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *f, &f));
    f->tiles         = tiles;
    call->state      = f;
    call->copy_bytes = tiles->laid_bytes(tl_rows(&call->in[1]), tl_columns(&call->in[1]));
done:
    return rc;
}

static tl_status frozen_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                size_t *work_bytes)
{
    const tl_tile_product p = forward_product(call);

    call->ends = TL_TILE_ENDS;
    return frozen_ready(ctx, g, call, &p, TL_FROZEN_ROWS, work_bytes);
}

static tl_status frozen_dx_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                   size_t *work_bytes)
{
    const tl_tile_product p = dx_product(call);

    return frozen_ready(ctx, g, call, &p, FROZEN_DX, work_bytes);
}

static tl_status dw_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes)
{
    const tl_tile_product p  = dw_product(call);
    const tl_status       rc = ready(call, &p, work_bytes);

    (void)ctx;
    (void)g;
    *work_bytes = TL_MAX(*work_bytes, tl_column_work(p.k, p.m));
    return rc;
}

static void some_columns(const void *arg, int64_t at, void *room)
{
    const job    *j = arg;
    const int64_t c = at * j->columns;

    j->tiles->product(j->p, c, TL_MIN(j->columns, j->p->n - c), room);
}

static void multiply(const tl_call *call, const tl_tiles *tiles, const tl_tile_product *p,
                     size_t room_bytes)
{
    const job j = { tiles, p, tiles->product_columns(p, call->threads) };

    tl_units_run(&(tl_units){ .unit       = some_columns,
                              .job        = &j,
                              .units      = tl_units_of(p->n, j.columns),
                              .threads    = call->threads,
                              .room       = call->work,
                              .room_bytes = room_bytes });
}

static tl_status dense_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_tile_product p = forward_product(call);

    (void)ctx;
    if (p.c) multiply(call, call->state, &p, room_of(call->state, &p, call->threads));
    return TL_OK;
}

static tl_status dx_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_tile_product p = dx_product(call);

    (void)ctx;
    if (p.c) multiply(call, call->state, &p, room_of(call->state, &p, call->threads));
    return TL_OK;
}

typedef struct {
    const tl_tiles *tiles;
    const tl_view  *w;
    uint16_t       *to;
} laying;

static void lay_rows_of_tiles(void *arg, int64_t low, int64_t high)
{
    const laying *l = arg;

    l->tiles->lay(l->w->data, tl_rows(l->w), tl_columns(l->w), low, high, l->to);
}

/* The copy as the weights are now. */
static tl_status copy_weights(tl_ctx *ctx, const tl_call *call)
{
    frozen        *f = call->state;
    const tl_view *w = &call->in[1];
    laying         l = { .tiles = f->tiles, .w = w };
    bool           stale;
    tl_status      rc;

    TL_TRY(tl_weights_copy(ctx, call, &f->copy, &stale));
    if (!stale) goto done;
    l.to = f->copy->data;
    tl_par_for(call->threads, f->tiles->laid_rows(tl_rows(w)),
               TL_MAX(1, TL_PIECE / tl_columns(w)), lay_rows_of_tiles, &l);
    f->copy->fresh = false;
done:
    return rc;
}

static tl_status frozen_multiply(tl_ctx *ctx, const tl_call *call, tl_tile_product p)
{
    const frozen *f  = call->state;
    tl_status     rc = TL_OK;

    if (!p.c) return TL_OK;
    TL_TRY(copy_weights(ctx, call));
    p.laid = f->copy->data;
    multiply(call, f->tiles, &p, room_of(f->tiles, &p, call->threads));
done:
    return rc;
}

static tl_status frozen_run(tl_ctx *ctx, const tl_call *call)
{
    return frozen_multiply(ctx, call, forward_product(call));
}

static tl_status frozen_dx_run(tl_ctx *ctx, const tl_call *call)
{
    return frozen_multiply(ctx, call, dx_product(call));
}

static tl_status dw_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_tile_product p  = dw_product(call);
    const tl_view        *dy = &call->in[0];

    (void)ctx;
    for (int64_t k = 0; k < p.k && p.c; k += DW_ROWS) {
        tl_tile_product piece = p;
        piece.k               = TL_MIN(DW_ROWS, p.k - k);
        piece.a               = p.a + k * p.m;
        piece.b               = (const uint16_t *)p.b + k * p.n;
        piece.adds            = k > 0;
        multiply(call, call->state, &piece, room_of(call->state, &p, call->threads));
    }
    if (call->out[1].data)
        tl_column_sums(tl_simd_best(), call->threads, p.k, p.m, dy, NULL, call->work,
                       call->out[1].data);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "dense", dense_prepare, dense_run, NULL },
    { "dense", frozen_prepare, frozen_run, frozen_release },
    { "dense_dx", dx_prepare, dx_run, NULL },
    { "dense_dx", frozen_dx_prepare, frozen_dx_run, frozen_release },
    { "dense_dw", dw_prepare, dw_run, NULL },
};
const tl_kernel_list tl_cpu_tiles = { kernels, TL_COUNT(kernels) };
