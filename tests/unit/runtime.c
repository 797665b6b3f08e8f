/* runtime.c -- one OpenMP runtime in the process, whichever compiler built it: two would each
 * bring a team of threads, and oneDNN's products and our own regions would fight for cores. */
#include "support/support.h"
#include "backend/cpu/cpu.h"
#include "core/par.h"
#include "tensor/ops.h"
#include "tensor/plan.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Which of the runtimes there are is mapped, by a bit each: GNU's, LLVM's, Intel's. */
static unsigned runtimes(const char *maps)
{
    static const char *const names[] = { "/libgomp", "/libomp", "/libiomp" };
    unsigned                 found   = 0;

    for (size_t i = 0; i < TL_COUNT(names); i++)
        if (strstr(maps, names[i])) found |= 1u << i;
    return found;
}

static int count(unsigned bits)
{
    return (int)(bits & 1) + (int)(bits >> 1 & 1) + (int)(bits >> 2 & 1);
}

static void runtimes_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(count(runtimes("")), 0);
    assert_int_equal(count(runtimes("7f r-xp /usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0\n"
                                    "7f r--p /usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0\n")),
                     1);
    assert_int_equal(count(runtimes("7f r-xp /usr/lib/libgomp.so.1.0.0\n"
                                    "7f r-xp /usr/lib/llvm-14/lib/libomp.so.5\n")),
                     2);
}

static void add(void *arg, int64_t low, int64_t high)
{
    atomic_fetch_add((atomic_int *)arg, (int)(high - low));
}

/* A product large enough for the library's own threads. */
static void multiply(tl_ctx *ctx)
{
    enum { N = 256 };
    tl_graph *g;
    tl_plan  *plan;
    float    *ones;

    TEST_OK(tl_graph_new(ctx, &g));
    TEST_OK(tl_alloc_array(ctx, N * N, sizeof *ones, &ones));
    for (int i = 0; i < N * N; i++) ones[i] = 1.0f;
    const tl_tensor x = tl_graph_input(g, "x", TL_F32, TL_SHAPE(N, N));
    const tl_tensor w = tl_graph_input(g, "w", TL_F32, TL_SHAPE(N, N));
    const tl_tensor y = tl_dense(g, x, w, 0, TL_ACT_NONE);
    tl_graph_keep(g, y, "y");
    TEST_OK(tl_graph_status(g));
    TEST_OK(tl_plan_new(ctx, g, &tl_backend_cpu, NULL, &plan));
    TEST_OK(tl_plan_bind(ctx, plan, x, ones));
    TEST_OK(tl_plan_bind(ctx, plan, w, ones));
    TEST_OK(tl_plan_run(ctx, plan, (tl_tick){ 0 }));
    assert_true(((const float *)tl_plan_data(plan, y))[N + 1] == (float)N);
    tl_plan_free(ctx, plan);
    tl_graph_free(ctx, g);
    tl_free(ctx, ones);
}

static void one_runtime_is_mapped(void **state)
{
    static char maps[1 << 20];
    tl_ctx     *ctx  = test_fresh();
    atomic_int  sum  = 0;
    FILE       *file = fopen("/proc/self/maps", "r");

    (void)state;
    assert_non_null(file);
    ctx->world->threads = 2;
    tl_par_for(2, 1000, 1, add, &sum);
    assert_int_equal(sum, 1000);
    multiply(ctx);
    assert_true(fread(maps, 1, sizeof maps - 1, file) > 100);
    fclose(file);
#ifdef TL_PTHREAD_PAR /* regions are pthreads: no runtime is needed, none but GNU's comes */
    assert_true((runtimes(maps) & ~1u) == 0);
#else
    assert_int_equal(runtimes(maps), 1); /* GNU's, which libdnnl uses, and no other */
#endif
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runtimes_are_told_apart),
        cmocka_unit_test(one_runtime_is_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
