/* dense.c -- dense layers on our own loops.  For small products they beat a library call;
 * for the others they are what is left where there is no oneDNN.  Floor 1, backend/cpu. */
#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels.h"

enum { DOT_ROWS = 4 }; /* rows of a strip, whatever the vectors      */
static const int64_t work_per_thread =
    1 << 17; /* below it a second thread costs more than it gives */

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

static tl_status dense_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                               size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);

    if (call->node->op->name[5] == '_' && call->node->op->name[7] == 'w')
        *work_bytes = tl_column_work(tl_rows(&call->in[0]), tl_columns(&call->in[0]));
    return rc;
}

#ifndef TAILOR_PORTABLE
static const double small_products = 20e6; /* multiply-adds up to which ours are faster */

static tl_status small_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                               size_t *work_bytes)
{
    const double rows    = (double)tl_rows(&call->in[0]),
                 a       = (double)tl_columns(&call->in[0]);
    const bool     dw    = call->node->n_out > 1;
    const tl_view *other = dw ? &call->out[0] : &call->in[1];

    if (rows * a * (double)(tl_count(other)) / a > small_products) return TL_EUSAGE;
    return dense_prepare(ctx, g, call, work_bytes);
}
#endif

static tl_status dense_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_act_attr *a = call->node->attr;
    const tl_view     *x = &call->in[0], *y = &call->out[0];
    const tl_gemm      g = { .m    = tl_rows(x),
                             .n    = tl_columns(y),
                             .k    = tl_columns(x),
                             .a    = x->data,
                             .b    = call->in[1].data,
                             .c    = y->data,
                             .ai   = tl_columns(x),
                             .ak   = 1,
                             .ldb  = tl_columns(x),
                             .ldc  = tl_columns(y),
                             .a_bf = tl_is_bf(x),
                             .c_bf = tl_is_bf(y),
                             .bias = call->in[2].data,
                             .act  = a->act };

    (void)ctx;
    if (y->data) tl_gemm_dot(tl_loops(call), &g, call->threads);
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
    { "dense_dx", small_prepare, dense_dx_run, NULL },
    { "dense_dw", small_prepare, dense_dw_run, NULL },
};
const tl_kernel_list tl_cpu_small = { small, TL_COUNT(small) };
#endif

static const tl_kernel any[] = {
    { "dense", dense_prepare, dense_run, NULL },
    { "dense_dx", dense_prepare, dense_dx_run, NULL },
    { "dense_dw", dense_prepare, dense_dw_run, NULL },
};
const tl_kernel_list tl_cpu_dense = { any, TL_COUNT(any) };
