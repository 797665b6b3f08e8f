/* peak.c -- this machine's most: every figure is the best of several short runs, so that other
 * processes disturb it little.  Floor 1, backend/cpu. */
#include "backend/cpu/peak.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"
#include "tensor/plan.h"

enum { ROUNDS = 12, SIDE = 1024, STREAM = 1 << 24 };
static const int64_t fma_rounds = 2000000;

static void fma_pieces(void *arg, int64_t low, int64_t high)
{
    double *flops = arg;

    for (int64_t i = low; i < high; i++) flops[i] = tl_simd_best()->fma_loop(fma_rounds);
}

static double fma_gflops(int threads)
{
    double flops[64] = { 0 }, best = 0.0;

    threads = TL_MIN(threads, 64);
    for (int round = 0; round < ROUNDS / 3; round++) {
        const double start = tl_time_s();
        double       sum   = 0.0;
        tl_par_for(threads, threads, 1, fma_pieces, flops);
        for (int i = 0; i < threads; i++) sum += flops[i];
        best = TL_MAX(best, sum / (tl_time_s() - start) * 1e-9);
    }
    return best;
}

/* x [n n] times frozen weights [n n], as a network would run it. */
static tl_status product_gflops(tl_ctx *ctx, tl_dtype dtype, double *gflops)
{
    tl_status rc;
    tl_graph *g    = NULL;
    tl_plan  *plan = NULL;
    char     *x    = NULL;
    float    *w    = NULL;

    TL_TRY(tl_graph_new(ctx, &g));
    const tl_tensor tx = tl_graph_input(g, "x", dtype, TL_SHAPE(SIDE, SIDE));
    const tl_tensor tw = tl_graph_param(g, "w", TL_SHAPE(SIDE, SIDE), false);
    tl_graph_keep(g, tl_dense(g, tx, tw, 0, TL_ACT_NONE), "y");
    TL_TRY(tl_alloc(ctx, SIDE * SIDE * tl_dtype_bytes(dtype), &x));
    TL_TRY(tl_alloc(ctx, SIDE * SIDE * sizeof *w, &w));
    TL_TRY(tl_plan_new(ctx, g, &tl_backend_cpu, NULL, &plan));
    TL_TRY(tl_plan_bind(ctx, plan, tx, x));
    TL_TRY(tl_plan_bind(ctx, plan, tw, w));
    for (int round = 0; round < ROUNDS; round++) {
        const double start = tl_time_s();
        TL_TRY(tl_plan_run(ctx, plan, (tl_tick){ 0 }));
        *gflops = TL_MAX(*gflops, tl_graph_flops(g) / (tl_time_s() - start) * 1e-9);
    }
done:
    tl_plan_free(ctx, plan);
    tl_graph_free(ctx, g);
    tl_free(ctx, x);
    tl_free(ctx, w);
    return rc;
}

static void stream_pieces(void *arg, int64_t low, int64_t high)
{
    float *a = arg;

    tl_simd_best()->add(TL_ACT_NONE, high - low, a + low, a + STREAM + low,
                        a + 2 * STREAM + low, false, false);
}

static tl_status stream_gb_s(tl_ctx *ctx, double *gb_s)
{
    tl_status rc;
    float    *a = NULL;

    TL_TRY(tl_alloc(ctx, 3 * STREAM * sizeof *a, &a));
    for (int round = 0; round < ROUNDS / 2; round++) {
        const double start = tl_time_s();
        tl_par_for(ctx->world->threads, STREAM, 4096, stream_pieces, a);
        *gb_s = TL_MAX(*gb_s, 3.0 * STREAM * sizeof *a / (tl_time_s() - start) * 1e-9);
    }
done:
    tl_free(ctx, a);
    return rc;
}

tl_status tl_cpu_peak(tl_ctx *ctx, tl_peak *out)
{
    tl_status rc;
    tl_peak   p = { 0 };

    *out = p;
    TL_TRY(product_gflops(ctx, TL_F32, &p.f32_gflops));
    p.f32_gflops = TL_MAX(p.f32_gflops, fma_gflops(ctx->world->threads));
    if (tl_machine_bf16()) TL_TRY(product_gflops(ctx, TL_BF16, &p.bf16_gflops));
    TL_TRY(stream_gb_s(ctx, &p.memory_gb_s));
    *out = p;
done:
    return rc;
}
