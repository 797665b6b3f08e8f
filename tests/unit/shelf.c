/* shelf.c -- frozen weights laid out once for all plans of a slab, in bf16 for both directions at
 * once: the same numbers as the reference, one copy in memory, made anew when weights change, and
 * gone with the last plan, whichever that is. */
#include "backend/cpu/cpu.h"
#include "backend/cpu/tiles.h"
#include "core/rand.h"
#include "support/support.h"
#include "tensor/ops.h"
#include "tensor/plan.h"

#include <math.h>
#include <string.h>

enum { MOST = 512, FEWER = 64, IN = 384, OUT = 384, COPY = IN * OUT * 2 };

typedef struct {
    float   x[MOST * IN], w0[IN * IN], w1[OUT * IN], weight[MOST], grad[IN * IN];
    int32_t target[MOST];
    int     drawn; /* how often w1 was */
} memory;

typedef struct {
    tl_graph *g;
    tl_plan  *plan;
    tl_tensor w0;
} net;

static void fill(float *x, int64_t n, uint64_t seed)
{
    const uint64_t stream = TL_STREAM(TL_STREAM_TEST, 0);

    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(tl_rand_uniform(seed, stream, (uint64_t)i) - 0.5) / 4.0f;
}

static void draw_frozen(memory *m)
{
    fill(m->w1, OUT * IN, (uint64_t)(3 + m->drawn++));
}

static void open_memory(memory *m)
{
    fill(m->x, MOST * IN, 1);
    fill(m->w0, IN * IN, 2);
    m->drawn = 0;
    draw_frozen(m);
    for (int i = 0; i < MOST; i++) {
        m->weight[i] = 1.0f / MOST;
        m->target[i] = i * 7 % OUT;
    }
}

/* Trained weights below frozen ones, so that these run both ways. */
static net open_net(memory *m, const tl_backend *backend, tl_slab *slab, tl_dtype dtype,
                    int64_t rows)
{
    net             n;
    const tl_tensor zero = 0;

    TEST_OK(tl_graph_new(test_ctx(), &n.g));
    const tl_tensor x      = tl_graph_input(n.g, "x", TL_F32, TL_SHAPE(rows, IN));
    const tl_tensor target = tl_graph_input(n.g, "target", TL_I32, TL_SHAPE(rows));
    const tl_tensor weight = tl_graph_input(n.g, "weight", TL_F32, TL_SHAPE(rows));
    const tl_tensor w1     = tl_graph_param(n.g, "w1", TL_SHAPE(OUT, IN), false);
    n.w0                   = tl_graph_param(n.g, "w0", TL_SHAPE(IN, IN), true);
    tl_tensor h = dtype == TL_BF16 ? tl_cast(n.g, x, dtype) : x;
    h           = tl_dense(n.g, h, n.w0, zero, TL_ACT_NONE);
    h           = tl_dense(n.g, h, w1, zero, TL_ACT_NONE);
    if (dtype == TL_BF16) h = tl_cast(n.g, h, TL_F32);
    const tl_tensor loss = tl_cross_entropy(n.g, h, target, weight, 0, 0.0f);
    tl_graph_keep(n.g, loss, "loss");
    TEST_OK(tl_graph_status(n.g));
    tl_graph_backward(n.g, loss);
    TEST_OK(tl_graph_status(n.g));
    TEST_OK(tl_plan_new(test_ctx(), n.g, backend, slab, &n.plan));
    TEST_OK(tl_plan_bind(test_ctx(), n.plan, x, m->x));
    TEST_OK(tl_plan_bind(test_ctx(), n.plan, target, m->target));
    TEST_OK(tl_plan_bind(test_ctx(), n.plan, weight, m->weight));
    TEST_OK(tl_plan_bind(test_ctx(), n.plan, n.w0, m->w0));
    TEST_OK(tl_plan_bind(test_ctx(), n.plan, w1, m->w1));
    TEST_OK(tl_plan_bind(test_ctx(), n.plan, tl_graph_gradient(n.g, n.w0), m->grad));
    return n;
}

static void run(const net *n)
{
    TEST_OK(tl_plan_run(test_ctx(), n->plan, (tl_tick){ 0 }));
}

static void close_net(net *n)
{
    tl_plan_free(test_ctx(), n->plan);
    tl_graph_free(test_ctx(), n->g);
}

/* The reference's gradient, made once for each question: it is slow. */
static const float *reference(memory *m, tl_dtype dtype, int64_t rows)
{
    static float made[2][2][2][IN * IN];
    static bool  known[2][2][2];
    const int    at[] = { dtype == TL_BF16, rows % (2 * FEWER) != 0, m->drawn - 1 };
    float       *to   = made[at[0]][at[1]][at[2]];

    if (!known[at[0]][at[1]][at[2]]) {
        net ref = open_net(m, &tl_backend_ref, NULL, dtype, rows);
        run(&ref);
        memcpy(to, m->grad, sizeof m->grad);
        close_net(&ref);
    }
    known[at[0]][at[1]][at[2]] = true;
    return to;
}

/* The gradient that went through the frozen weights, beside the reference's. */
static void as_the_reference(memory *m, const net *n, tl_dtype dtype, int64_t rows)
{
    const float *want = reference(m, dtype, rows);

    run(n);
    run(n); /* with what the first one left */
    const double error = test_error(m->grad, want, IN * IN);
    if (!(error < (dtype == TL_BF16 ? 2e-2 : 1e-4))) fail_msg("%g apart", error);
}

static size_t now(void)
{
    return atomic_load(&test_ctx()->world->now_bytes);
}

/* What a second plan of a slab adds is less than `most`; `told`: what the first holds besides. */
static void copies_serve_all(tl_dtype dtype, bool slab_first, size_t most, size_t *told)
{
    const int64_t rows = dtype == TL_BF16 ? MOST : MOST / 2; /* so many that they are copied */
    static memory m;
    tl_slab      *slab;

    test_fresh();
    open_memory(&m);
    TEST_OK(tl_slab_new(test_ctx(), &tl_backend_cpu, &slab));
    net large = open_net(&m, &tl_backend_cpu, slab, dtype, rows);
    *told     = tl_plan_bytes(large.plan) - tl_slab_bytes(slab);
    as_the_reference(&m, &large, dtype, rows);
    const size_t before = now();
    net          small  = open_net(&m, &tl_backend_cpu, slab, dtype, rows - FEWER);
    as_the_reference(&m, &small, dtype, rows - FEWER);
    if (most) assert_true(now() - before < most);
    draw_frozen(&m);
    tl_plan_weights_changed(large.plan);
    as_the_reference(&m, &large, dtype, rows);
    close_net(&large);
    tl_plan_weights_changed(small.plan);
    as_the_reference(&m, &small, dtype, rows - FEWER);
    if (slab_first) tl_slab_free(test_ctx(), slab);
    close_net(&small);
    if (!slab_first) tl_slab_free(test_ctx(), slab);
    assert_int_equal(now(), 0);
}

static void one_copy_serves_all(void **state)
{
    size_t told;

    (void)state;
    for (int slab_first = 0; slab_first < 2; slab_first++) {
        copies_serve_all(TL_BF16, slab_first, tl_tiles_best() ? COPY : 0, &told);
        if (tl_tiles_best()) assert_true(told >= COPY && told < COPY + 4096);
    }
}

/* Packed as a library likes them, where it packs them: each direction once. */
static void a_copy_for_each_direction(void **state)
{
    size_t told;

    (void)state;
    for (int slab_first = 0; slab_first < 2; slab_first++) {
        copies_serve_all(TL_F32, slab_first, 2 * COPY, &told);
        /* none, one or both: whether a direction is packed is the library's choice */
        assert_true(told % (2 * COPY) < 4096 && told < 4 * COPY + 4096);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_copy_serves_all),
        cmocka_unit_test(a_copy_for_each_direction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
