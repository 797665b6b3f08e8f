/* dense.c -- dense layers on our own loops.  For small products they beat a library call;
 * for the others they are what is left where there is no oneDNN.  Floor 1, backend/cpu. */
#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/tiles.h"

enum { DOT_ROWS = 4 }; /* rows of a strip, whatever the vectors      */
static const int64_t work_per_thread =
    1 << 21; /* below it a second thread costs more than it gives */

typedef struct {
    const tl_simd *loops;
    const tl_gemm *g;
} product;

static void dot_strips(void *arg, int64_t low, int64_t high)
{
    const product *p = arg;

    p->loops->dot(p->g, low * DOT_ROWS, TL_MIN(high * DOT_ROWS, p->g->m));
}

static void outer_tiles(void *arg, int64_t low, int64_t high)
{
    const product *p = arg;

    p->loops->outer(p->g, low, high);
}

/* Units of work that make it worth waking a thread. */
static int64_t worth(const tl_gemm *g, int64_t units)
{
    return TL_MAX(1, work_per_thread * units / TL_MAX(1, g->m * g->n * g->k));
}

void tl_gemm_dot(const tl_simd *loops, const tl_gemm *g, int threads)
{
    product       p      = { loops, g };
    const int64_t strips = (g->m + DOT_ROWS - 1) / DOT_ROWS;

    tl_par_for(threads, strips, worth(g, strips), dot_strips, &p);
}

void tl_gemm_outer(const tl_simd *loops, const tl_gemm *g, int threads)
{
    tl_gemm       part  = *g;
    product       p     = { loops, &part };
    const int64_t tiles = loops->outer_tiles(g), step = g->c_bf ? g->k : TL_SUM_ROWS;
    const size_t  a_size = g->a_bf ? 2 : 4, b_size = g->b_bf ? 2 : 4;

    for (int64_t k = 0; k < g->k; k += step) {
        part.a          = (const char *)g->a + (size_t)(k * g->ak) * a_size;
        part.b          = (const char *)g->b + (size_t)(k * g->ldb) * b_size;
        part.k          = TL_MIN(step, g->k - k);
        part.accumulate = g->accumulate || k > 0;
        tl_par_for(threads, tiles, worth(&part, tiles), outer_tiles, &p);
    }
}

/* Where enough rows share them, turned weights [in out] beat reading them as they lie. */
static bool worth_turning(const tl_view *x, const tl_view *w)
{
    return tl_rows(x) >= 128 && tl_columns(w) <= TL_SUM_ROWS && tl_rows(w) >= 16;
}

static tl_status dense_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                               size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);

    if (worth_turning(&call->in[0], &call->in[1]))
        *work_bytes = (size_t)tl_count(&call->in[1]) * sizeof(float);
    return rc;
}

static tl_status dense_dw_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                  size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);

    *work_bytes = tl_column_work(tl_rows(&call->in[0]), tl_columns(&call->in[0]));
    return rc;
}

#ifndef TAILOR_PORTABLE
/* Multiply-adds up to which ours are faster than a library's products, than tiles. */
static const double small_products = 20e6, small_for_tiles = 1e5;

static bool is_small(const tl_call *call, const tl_view *w)
{
    const int64_t rows   = tl_rows(&call->in[0]);
    const bool    frozen = w != &call->out[0] && (call->constant >> 1 & 1);
    const bool    tiles  = tl_is_bf(&call->in[0]) && tl_tiles_best() &&
                           (!frozen || rows >= TL_FROZEN_ROWS);

    return (double)rows * (double)tl_count(w) <= (tiles ? small_for_tiles : small_products);
}

static tl_status small_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                               size_t *work_bytes)
{
    return is_small(call, &call->in[1]) ? dense_prepare(ctx, g, call, work_bytes)
                                        : TL_EUSAGE;
}

static tl_status small_dx_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                  size_t *work_bytes)
{
    return is_small(call, &call->in[1]) ? tl_cpu_ready(ctx, g, call, work_bytes)
                                        : TL_EUSAGE;
}

static tl_status small_dw_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                  size_t *work_bytes)
{
    return is_small(call, &call->out[0]) ? dense_dw_prepare(ctx, g, call, work_bytes)
                                         : TL_EUSAGE;
}
#endif

typedef struct {
    const tl_call *call;
    int64_t        n, k;
} turning;

enum { TURN_ROWS = 16 };

static void turn_rows(void *arg, int64_t low, int64_t high)
{
    const turning *t = arg;

    tl_loops(t->call)->turn(t->n, t->k, t->call->in[1].data, t->call->work,
                            low * TURN_ROWS, TL_MIN(high * TURN_ROWS, t->k));
}

static tl_status dense_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_act_attr *a = call->node->attr;
    const tl_view     *x = &call->in[0], *y = &call->out[0];
    turning            t = { call, tl_columns(y), tl_columns(x) };
    tl_gemm            g = { .m    = tl_rows(x),
                             .n    = t.n,
                             .k    = t.k,
                             .a    = x->data,
                             .b    = call->in[1].data,
                             .c    = y->data,
                             .ai   = t.k,
                             .ak   = 1,
                             .ldb  = t.k,
                             .ldc  = t.n,
                             .a_bf = tl_is_bf(x),
                             .c_bf = tl_is_bf(y),
                             .bias = call->in[2].data,
                             .act  = a->act };

    (void)ctx;
    if (!y->data) return TL_OK;
    if (!worth_turning(x, &call->in[1])) {
        tl_gemm_dot(tl_loops(call), &g, call->threads);
        return TL_OK;
    }
    tl_par_for(call->threads, (t.k + TURN_ROWS - 1) / TURN_ROWS,
               TL_MAX(1, 4 * TL_PIECE / t.n), turn_rows, &t);
    g.b   = call->work;
    g.ldb = t.n;
    tl_gemm_outer(tl_loops(call), &g, call->threads);
    return TL_OK;
}

static tl_status dense_dx_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_view *dy = &call->in[0], *dx = &call->out[0];
    const tl_gemm  g = { .m    = tl_rows(dy),
                         .n    = tl_columns(dx),
                         .k    = tl_columns(dy),
                         .a    = dy->data,
                         .b    = call->in[1].data,
                         .c    = dx->data,
                         .ai   = tl_columns(dy),
                         .ak   = 1,
                         .ldb  = tl_columns(dx),
                         .ldc  = tl_columns(dx),
                         .a_bf = tl_is_bf(dy),
                         .c_bf = tl_is_bf(dx) };

    (void)ctx;
    if (dx->data) tl_gemm_outer(tl_loops(call), &g, call->threads);
    return TL_OK;
}

static tl_status dense_dw_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_view *dy = &call->in[0], *x = &call->in[1], *dw = &call->out[0];
    const int64_t  out = tl_columns(dy), rows = tl_rows(dy);
    const tl_gemm  g = { .m    = out,
                         .n    = tl_columns(dw),
                         .k    = rows,
                         .a    = dy->data,
                         .b    = x->data,
                         .c    = dw->data,
                         .ai   = 1,
                         .ak   = out,
                         .ldb  = tl_columns(dw),
                         .ldc  = tl_columns(dw),
                         .a_bf = tl_is_bf(dy),
                         .b_bf = tl_is_bf(dy) };

    (void)ctx;
    if (dw->data) tl_gemm_outer(tl_loops(call), &g, call->threads);
    if (call->out[1].data)
        tl_column_sums(tl_loops(call), call->threads, rows, out, dy, NULL, call->work,
                       call->out[1].data);
    return TL_OK;
}

#ifndef TAILOR_PORTABLE
static const tl_kernel small[] = {
    { "dense", small_prepare, dense_run, NULL },
    { "dense_dx", small_dx_prepare, dense_dx_run, NULL },
    { "dense_dw", small_dw_prepare, dense_dw_run, NULL },
};
const tl_kernel_list tl_cpu_small = { small, TL_COUNT(small) };
#endif

static const tl_kernel any[] = {
    { "dense", dense_prepare, dense_run, NULL },
    { "dense_dx", tl_cpu_ready, dense_dx_run, NULL },
    { "dense_dw", dense_dw_prepare, dense_dw_run, NULL },
};
const tl_kernel_list tl_cpu_dense = { any, TL_COUNT(any) };
