/* plan.c -- plans: one slab known beforehand, nothing allocated while running, memory shared by
 * plans, frozen parts without backward, kept outputs, profile, NaN finder. */
#include "support/support.h"
#include "backend/cpu/cpu.h"
#include "core/rand.h"
#include "tensor/batch.h"
#include "tensor/layout.h"
#include "tensor/ops.h"
#include "tensor/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 6, IN = 5, HIDDEN = 7, CLASSES = 3, BLOBS = 64 };

/* A small network with every tensor bound to memory of its own. */
typedef struct {
    tl_graph *g;
    tl_plan  *plan;
    tl_tensor x, target, weight, logits, loss;
    void     *blob[BLOBS];
    int       blobs;
} net;

static float *bind_new(net *n, tl_tensor t, uint64_t seed)
{
    const tl_tensor_info *info  = tl_graph_info(n->g, t);
    const int64_t         count = tl_shape_count(&info->shape);
    float                *data  = calloc((size_t)count, sizeof *data);

    assert_true(n->blobs < BLOBS);
    n->blob[n->blobs++] = data;
    for (int64_t i = 0; i < count; i++) {
        const double u = tl_rand_uniform(seed, TL_STREAM(TL_STREAM_TEST, t), (uint64_t)i);
        if (info->dtype == TL_I32) ((int32_t *)(void *)data)[i] = (int32_t)(i % CLASSES);
        else data[i] = (float)(info->kind == TL_PARAM ? u - 0.5 : u + 0.5);
    }
    TEST_OK(tl_plan_bind(test_ctx(), n->plan, t, data));
    return data;
}

static void bind_all(net *n)
{
    for (tl_tensor t = 1; t <= tl_graph_tensors(n->g); t++) {
        if (tl_graph_info(n->g, t)->kind == TL_VALUE) continue;
        bind_new(n, t, 5);
        if (tl_graph_gradient(n->g, t)) bind_new(n, tl_graph_gradient(n->g, t), 5);
    }
}

static void end(net *n)
{
    tl_plan_free(test_ctx(), n->plan);
    tl_graph_free(test_ctx(), n->g);
    for (int i = 0; i < n->blobs; i++) free(n->blob[i]);
    memset(n, 0, sizeof *n);
}

static tl_tensor dense_layer(net *n, tl_tensor x, int64_t in, int64_t out, tl_activation act,
                             bool trainable, int number)
{
    char name[32];

    snprintf(name, sizeof name, "layer%d", number);
    tl_graph_layer(n->g, name);
    snprintf(name, sizeof name, "layer%d.weight", number);
    const tl_tensor w = tl_graph_param(n->g, name, TL_SHAPE(out, in), trainable);
    snprintf(name, sizeof name, "layer%d.bias", number);
    return tl_dense(n->g, x, w, tl_graph_param(n->g, name, TL_SHAPE(out), trainable), act);
}

/* `frozen` of the `layers` layers do not train; backward where `train`. */
static void make_net(net *n, tl_slab *slab, int layers, int frozen, bool train)
{
    *n = (net){ 0 };
    TEST_OK(tl_graph_new(test_ctx(), &n->g));
    n->x      = tl_graph_input(n->g, "x", TL_F32, TL_SHAPE(ROWS, IN));
    n->target = tl_graph_input(n->g, "target", TL_I32, TL_SHAPE(ROWS));
    n->weight = tl_graph_input(n->g, "weight", TL_F32, TL_SHAPE(ROWS));
    tl_tensor h = n->x;
    for (int i = 0; i < layers; i++) {
        h = dense_layer(n, h, i ? HIDDEN : IN, HIDDEN, TL_ACT_RELU, i >= frozen, i);
        h = tl_dropout(n->g, h, train ? 0.25f : 0.0f, (uint64_t)i);
    }
    n->logits = dense_layer(n, h, HIDDEN, CLASSES, TL_ACT_NONE, true, layers);
    n->loss   = tl_cross_entropy(n->g, n->logits, n->target, n->weight, 0, 0.0f);
    tl_graph_keep(n->g, n->loss, "loss");
    if (train) tl_graph_backward(n->g, n->loss);
    else tl_graph_keep(n->g, n->logits, "logits");
    TEST_OK(tl_graph_status(n->g));
    TEST_OK(tl_plan_new(test_ctx(), n->g, &tl_backend_ref, slab, &n->plan));
}

static const tl_tick tick = { .seed = 1, .step = 2 };

static void running_allocates_nothing(void **state)
{
    tl_ctx *ctx = test_fresh();
    net     n;

    (void)state;
    make_net(&n, NULL, 3, 0, true);
    bind_all(&n);
    const size_t before = ctx->world->now_bytes;
    TEST_OK(tl_plan_run(ctx, n.plan, tick));
    const size_t after = ctx->world->now_bytes;
    assert_int_equal(after - before, tl_plan_bytes(n.plan));
    ctx->world->peak_bytes  = after;
    ctx->world->fault_alloc = 1;
    for (int i = 0; i < 3; i++) TEST_OK(tl_plan_run(ctx, n.plan, tick));
    assert_int_equal(ctx->world->fault_alloc, 1);
    ctx->world->fault_alloc = 0;
    assert_int_equal(ctx->world->now_bytes, after);
    assert_int_equal(ctx->world->peak_bytes, after);
    end(&n);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static int32_t count_ops(const tl_graph *g)
{
    int32_t n = 0;

    while (tl_graph_node(g, n)) n++;
    return n;
}

static void a_frozen_lower_part_costs_no_backward(void **state)
{
    net forward, full, part;

    (void)state;
    test_fresh();
    make_net(&forward, NULL, 6, 6, false);
    make_net(&full, NULL, 6, 0, true);
    make_net(&part, NULL, 6, 6, true);
    /* of the head only: seed, loss, and weight with bias (plus six dropouts forward) */
    assert_int_equal(count_ops(part.g), count_ops(forward.g) + 6 + 3);
    assert_true(count_ops(full.g) > count_ops(part.g) + 6 * 3);
    assert_true(tl_plan_bytes(part.plan) * 2 < tl_plan_bytes(full.plan));
    for (int32_t i = 0; i < count_ops(part.g); i++)
        assert_string_not_equal(tl_graph_node(part.g, i)->op->name, "dense_dx");
    assert_int_equal(tl_graph_gradient(part.g, tl_graph_find(part.g, "layer0.weight")), 0);
    assert_true(tl_graph_gradient(part.g, tl_graph_find(part.g, "layer6.weight")) > 0);
    end(&forward), end(&full), end(&part);
}

static void plans_share_a_slab(void **state)
{
    tl_ctx  *ctx = test_fresh();
    tl_slab *slab;
    net      small, big, alone;
    float    loss[3];

    (void)state;
    TEST_OK(tl_slab_new(ctx, &tl_backend_ref, &slab));
    make_net(&small, slab, 1, 0, false);
    bind_all(&small);
    TEST_OK(tl_plan_run(ctx, small.plan, tick));
    loss[0] = *(float *)tl_plan_data(small.plan, small.loss);
    make_net(&big, slab, 6, 0, true);
    bind_all(&big);
    TEST_OK(tl_plan_run(ctx, big.plan, tick)); /* the slab grows and moves */
    loss[1] = *(float *)tl_plan_data(big.plan, big.loss);
    TEST_OK(tl_plan_run(ctx, small.plan, tick));
    assert_true(*(float *)tl_plan_data(small.plan, small.loss) == loss[0]);
    assert_int_equal(tl_slab_bytes(slab), tl_plan_bytes(big.plan));
    make_net(&alone, NULL, 6, 0, true);
    bind_all(&alone);
    TEST_OK(tl_plan_run(ctx, alone.plan, tick));
    loss[2] = *(float *)tl_plan_data(alone.plan, alone.loss);
    assert_true(loss[1] == loss[2] && isfinite(loss[1]) && loss[0] != loss[1]);
    end(&small), end(&big), end(&alone);
    tl_slab_free(ctx, slab);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* A plan that is only asked for its size leaves no trace. */
static void bytes_are_known_before_memory_is_taken(void **state)
{
    tl_ctx  *ctx = test_fresh();
    tl_slab *slab;
    net      n;

    (void)state;
    TEST_OK(tl_slab_new(ctx, &tl_backend_ref, &slab));
    make_net(&n, slab, 6, 0, true);
    assert_true(tl_plan_bytes(n.plan) > 0);
    assert_true(tl_slab_bytes(slab) > 0);
    end(&n);
    assert_int_equal(tl_slab_bytes(slab), 0);
    tl_slab_free(ctx, slab);
}

static void what_is_not_bound_is_named(void **state)
{
    tl_ctx *ctx = test_fresh();
    net     n;

    (void)state;
    make_net(&n, NULL, 1, 0, true);
    assert_int_equal(tl_plan_run(ctx, n.plan, tick), TL_EUSAGE);
    assert_non_null(strstr(ctx->message, "'x'"));
    assert_int_equal(tl_plan_bind(ctx, n.plan, n.logits, &n), TL_EUSAGE);
    assert_int_equal(tl_plan_bind(ctx, n.plan, 10000, &n), TL_EUSAGE);
    end(&n);
}

/* Gradients and outputs that nobody bound lie in the slab; bound or not, the same bits. */
static void kept_outputs_lie_in_the_slab_or_where_bound(void **state)
{
    tl_ctx *ctx = test_fresh();
    net     a, b;

    (void)state;
    make_net(&a, NULL, 2, 0, true);
    make_net(&b, NULL, 2, 0, true);
    bind_all(&a);
    bind_all(&b);
    for (tl_tensor t = 1; t <= tl_graph_tensors(b.g); t++)
        if (tl_graph_info(b.g, t)->kind == TL_VALUE && tl_graph_info(b.g, t)->keep)
            TEST_OK(tl_plan_bind(ctx, b.plan, t, NULL));
    TEST_OK(tl_plan_run(ctx, a.plan, tick));
    TEST_OK(tl_plan_run(ctx, b.plan, tick));
    for (tl_tensor t = 1; t <= tl_graph_tensors(a.g); t++) {
        const tl_tensor d = tl_graph_gradient(a.g, t);
        if (tl_graph_info(a.g, t)->kind != TL_PARAM) continue;
        assert_true(d > 0);
        assert_memory_equal(tl_plan_data(a.plan, d), tl_plan_data(b.plan, d),
                            (size_t)tl_shape_count(tl_graph_shape(a.g, d)) * sizeof(float));
    }
    end(&a), end(&b);
}

/* As many bytes are not as many elements: b must not be overwritten while it repeats. */
static void what_repeats_is_not_overwritten(void **state)
{
    tl_ctx   *ctx = test_fresh();
    tl_graph *g;
    tl_plan  *plan;
    uint16_t  p[8];
    float     q[4] = { 1, 2, 3, 4 };

    (void)state;
    TEST_OK(tl_graph_new(ctx, &g));
    const tl_tensor a = tl_graph_input(g, "a", TL_BF16, TL_SHAPE(2, 4));
    const tl_tensor b = tl_graph_input(g, "b", TL_F32, TL_SHAPE(4));
    const tl_tensor y = tl_add(g, a, tl_scale(g, b, 2.0f), TL_ACT_NONE);
    const tl_tensor z = tl_cast(g, y, TL_F32);
    tl_graph_keep(g, z, "z");
    TEST_OK(tl_plan_new(ctx, g, &tl_backend_ref, NULL, &plan));
    TEST_OK(tl_plan_bind(ctx, plan, a, p));
    TEST_OK(tl_plan_bind(ctx, plan, b, q));
    for (int i = 0; i < 8; i++) p[i] = tl_f32_to_bf16((float)i);
    TEST_OK(tl_plan_run(ctx, plan, tick));
    for (int i = 0; i < 8; i++)
        assert_true(((float *)tl_plan_data(plan, z))[i] == (float)i + 2.0f * q[i % 4]);
    tl_plan_free(ctx, plan);
    tl_graph_free(ctx, g);
}

static void one_gradient_for_two_parameters_is_two_tensors(void **state)
{
    tl_ctx  *ctx = test_fresh();
    tl_graph *g;
    tl_plan  *plan;
    float     p[2] = { 1, 2 }, q[2] = { 3, 4 };

    (void)state;
    TEST_OK(tl_graph_new(ctx, &g));
    const tl_tensor a = tl_graph_param(g, "a", TL_SHAPE(2), true);
    const tl_tensor b = tl_graph_param(g, "b", TL_SHAPE(2), true);
    const tl_tensor y = tl_add(g, tl_add(g, a, b, TL_ACT_NONE), a, TL_ACT_NONE);
    tl_graph_backward(g, tl_reduce_sum(g, tl_mul(g, y, y), 0));
    const tl_tensor da = tl_graph_gradient(g, a), db = tl_graph_gradient(g, b);
    assert_true(da != db && da && db);
    TEST_OK(tl_plan_new(ctx, g, &tl_backend_ref, NULL, &plan));
    TEST_OK(tl_plan_bind(ctx, plan, a, p));
    TEST_OK(tl_plan_bind(ctx, plan, b, q));
    TEST_OK(tl_plan_run(ctx, plan, tick));
    for (int i = 0; i < 2; i++) {
        const float s = 2.0f * p[i] + q[i];
        assert_true(((float *)tl_plan_data(plan, da))[i] == 4.0f * s);
        assert_true(((float *)tl_plan_data(plan, db))[i] == 2.0f * s);
    }
    tl_plan_free(ctx, plan);
    tl_graph_free(ctx, g);
}

static void errors_stick_and_name_the_layer(void **state)
{
    tl_ctx   *ctx = test_fresh();
    tl_graph *g;

    (void)state;
    TEST_OK(tl_graph_new(ctx, &g));
    tl_graph_layer(g, "features.3");
    const tl_tensor x = tl_graph_input(g, "x", TL_F32, TL_SHAPE(2, 4, 4, 3));
    const tl_tensor w = tl_graph_param(g, "w", TL_SHAPE(8, 3, 9, 9), true);
    assert_int_equal(tl_conv(g, x, w, 0, &(tl_conv_attr){ 0 }), 0);
    assert_int_equal(tl_graph_status(g), TL_EUSAGE);
    assert_non_null(strstr(ctx->message, "features.3: "));
    assert_int_equal(tl_act(g, x, TL_ACT_RELU), 0);
    tl_graph_free(ctx, g);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void every_allocation_may_fail(void **state)
{
    tl_ctx *ctx = test_fresh();
    bool    done = false;

    (void)state;
    for (int64_t at = 1; !done; at++) {
        tl_graph *g    = NULL;
        tl_plan  *plan = NULL;
        tl_status rc;
        ctx->world->fault_alloc = at;
        rc = tl_graph_new(ctx, &g);
        if (rc == TL_OK) {
            tl_tensor x = tl_graph_param(g, "x", TL_SHAPE(3, 4), true);
            for (int i = 0; i < 200; i++) x = tl_act(g, x, TL_ACT_TANH);
            tl_graph_backward(g, tl_reduce_sum(g, tl_reduce_sum(g, x, 0), 0));
            rc = tl_plan_new(ctx, g, &tl_backend_ref, NULL, &plan);
        }
        done = ctx->world->fault_alloc > 0;
        assert_int_equal(rc, done ? TL_OK : TL_ENOMEM);
        ctx->world->fault_alloc = 0;
        tl_plan_free(ctx, plan);
        tl_graph_free(ctx, g);
        assert_int_equal(ctx->world->now_bytes, 0);
    }
}

static void nan_is_traced_to_its_layer(void **state)
{
    tl_ctx        *ctx = test_fresh();
    net            n;
    const tl_node *bad;

    (void)state;
    make_net(&n, NULL, 3, 0, true);
    bind_all(&n);
    TEST_OK(tl_plan_find_nan(ctx, n.plan, tick, &bad));
    assert_null(bad);
    ((float *)tl_plan_data(n.plan, tl_graph_find(n.g, "layer1.weight")))[3] = INFINITY;
    TEST_OK(tl_plan_find_nan(ctx, n.plan, tick, &bad));
    assert_non_null(bad);
    assert_string_equal(bad->layer, "layer1");
    end(&n);
}

static void profile_counts_calls_and_flops(void **state)
{
    tl_ctx    *ctx = test_fresh();
    net        n;
    tl_op_time rows[64];
    double     flops = 0.0;

    (void)state;
    make_net(&n, NULL, 2, 0, true);
    bind_all(&n);
    assert_int_equal(tl_plan_profile_rows(n.plan, rows, 64), 0);
    tl_plan_profile(n.plan, true);
    for (int i = 0; i < 3; i++) TEST_OK(tl_plan_run(ctx, n.plan, tick));
    const size_t count = tl_plan_profile_rows(n.plan, rows, 64);
    assert_true(count > 5);
    for (size_t i = 0; i < count; i++) {
        assert_true(rows[i].calls >= 3 && rows[i].seconds >= 0.0 && rows[i].bytes > 0.0);
        flops += rows[i].flops;
    }
    assert_true(fabs(flops - 3.0 * tl_graph_flops(n.g)) < 1e-6);
    /* forward, weight and input gradients; the first layer needs none of its input */
    assert_true(tl_graph_flops(n.g) == 2.0 * ROWS * (3.0 * HIDDEN * HIDDEN +
                                                     3.0 * HIDDEN * CLASSES + 2.0 * HIDDEN * IN));
    end(&n);
}

static void cancelling_at_once_stops_within_a_node(void **state)
{
    tl_ctx *ctx = test_fresh();
    net     n;

    (void)state;
    make_net(&n, NULL, 1, 0, true);
    bind_all(&n);
    ctx->world->cancel = 2;
    assert_int_equal(tl_plan_run(ctx, n.plan, tick), TL_ECANCEL);
    ctx->world->cancel = 1;
    TEST_OK(tl_plan_run(ctx, n.plan, tick));
    end(&n);
}

/* Frozen batch norm leaves its statistics alone to the bit; training ones move. */
static void frozen_statistics_keep_their_bits(void **state)
{
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (int batch = 0; batch < 2; batch++) {
        net n = { 0 };
        TEST_OK(tl_graph_new(ctx, &n.g));
        n.x = tl_graph_input(n.g, "x", TL_F32, TL_SHAPE(2, 3, 3, 4));
        const tl_tensor gamma = tl_graph_param(n.g, "gamma", TL_SHAPE(4), true);
        const tl_tensor beta  = tl_graph_param(n.g, "beta", TL_SHAPE(4), true);
        const tl_tensor mean  = tl_graph_state(n.g, "mean", TL_SHAPE(4));
        const tl_tensor var   = tl_graph_state(n.g, "var", TL_SHAPE(4));
        const tl_batch_norm_attr a = { 1e-5f, 0.1f, batch == 1, TL_ACT_RELU };
        tl_tensor y = tl_batch_norm(n.g, n.x, gamma, beta, mean, var, 0, &a);
        y = tl_reduce_sum(n.g, tl_reshape(n.g, y, TL_SHAPE(72)), 0);
        tl_graph_keep(n.g, y, "y");
        tl_graph_backward(n.g, y);
        TEST_OK(tl_plan_new(ctx, n.g, &tl_backend_ref, NULL, &n.plan));
        bind_all(&n);
        float was[8];
        memcpy(was, tl_plan_data(n.plan, mean), 16);
        memcpy(was + 4, tl_plan_data(n.plan, var), 16);
        TEST_OK(tl_plan_run(ctx, n.plan, tick));
        const bool same = !memcmp(was, tl_plan_data(n.plan, mean), 16) &&
                          !memcmp(was + 4, tl_plan_data(n.plan, var), 16);
        assert_int_equal(same, batch == 0);
        end(&n);
    }
}

/* A quarter goes, the rest is scaled up; another step draws another mask, the same one the same;
 * the gradient has the mask of the forward pass. */
static void dropout_keeps_its_promise(void **state)
{
    enum { N = 40000 };
    tl_ctx *ctx = test_fresh();
    net     n   = { 0 };
    int64_t gone = 0, moved = 0;

    (void)state;
    TEST_OK(tl_graph_new(ctx, &n.g));
    const tl_tensor x = tl_graph_param(n.g, "x", TL_SHAPE(N), true);
    const tl_tensor y = tl_dropout(n.g, x, 0.25f, 9);
    tl_graph_keep(n.g, y, "y");
    tl_graph_backward(n.g, tl_reduce_sum(n.g, y, 0));
    TEST_OK(tl_plan_new(ctx, n.g, &tl_backend_ref, NULL, &n.plan));
    float *in = bind_new(&n, x, 1), *d = bind_new(&n, tl_graph_gradient(n.g, x), 1);
    float *out = bind_new(&n, y, 1), *was = calloc(N, sizeof *was);
    TEST_OK(tl_plan_run(ctx, n.plan, tick));
    memcpy(was, out, N * sizeof *was);
    for (int i = 0; i < N; i++) {
        gone += d[i] == 0.0f;
        assert_true(out[i] == (float)((double)in[i] * (double)d[i]));
        assert_true(d[i] == 0.0f || d[i] == (float)(1.0 / 0.75));
    }
    assert_in_range(gone, N / 4 - 400, N / 4 + 400); /* 4.6 standard deviations */
    TEST_OK(tl_plan_run(ctx, n.plan, tick));
    assert_memory_equal(was, out, N * sizeof *was);
    TEST_OK(tl_plan_run(ctx, n.plan, (tl_tick){ tick.seed, tick.step + 1 }));
    for (int i = 0; i < N; i++) moved += (was[i] == 0.0f) != (out[i] == 0.0f);
    assert_in_range(moved, N * 3 / 8 - 600, N * 3 / 8 + 600);
    free(was);
    end(&n);
}

/* conv, norm with running statistics, residual, relu; `trainable` keeps the norm a norm. */
static tl_tensor make_frozen(net *n, const tl_backend *backend, bool trainable, bool residual)
{
    static const char *const  names[] = { "gamma", "beta", "bias" };
    const tl_batch_norm_attr  a = { .eps = 1e-3f, .act = TL_ACT_RELU };
    tl_tensor                 t[3];

    *n = (net){ 0 };
    TEST_OK(tl_graph_new(test_ctx(), &n->g));
    n->x = tl_graph_input(n->g, "x", TL_F32, TL_SHAPE(2, 6, 6, 16));
    const tl_tensor w = tl_graph_param(n->g, "w", TL_SHAPE(16, 16, 3, 3), trainable);
    for (int i = 0; i < 3; i++) t[i] = tl_graph_param(n->g, names[i], TL_SHAPE(16), trainable);
    const tl_tensor mean = tl_graph_state(n->g, "mean", TL_SHAPE(16));
    const tl_tensor var  = tl_graph_state(n->g, "var", TL_SHAPE(16));
    tl_tensor y = tl_conv(n->g, n->x, w, t[2], &(tl_conv_attr){ .pad = { 1, 1, 1, 1 } });
    y = tl_batch_norm(n->g, y, t[0], t[1], mean, var, residual ? n->x : 0, &a);
    tl_graph_keep(n->g, y, "y");
    TEST_OK(tl_graph_status(n->g));
    TEST_OK(tl_plan_new(test_ctx(), n->g, backend, NULL, &n->plan));
    bind_all(n);
    return y;
}

static double difference(net *a, tl_tensor ya, net *b, tl_tensor yb)
{
    TEST_OK(tl_plan_run(test_ctx(), a->plan, tick));
    TEST_OK(tl_plan_run(test_ctx(), b->plan, tick));
    return test_error(tl_plan_data(a->plan, ya), tl_plan_data(b->plan, yb), 2 * 6 * 6 * 16);
}

static void a_frozen_norm_folds_into_its_convolution(void **state)
{
    static const tl_backend *const backends[] = { &tl_backend_ref, &tl_backend_cpu };

    (void)state;
    test_fresh();
    for (size_t i = 0; i < TL_COUNT(backends) * 2; i++) {
        net             folded, plain;
        const tl_tensor yf = make_frozen(&folded, backends[i / 2], false, i % 2 == 1);
        const tl_tensor yp = make_frozen(&plain, &tl_backend_ref, true, i % 2 == 1);
        assert_true(tl_graph_flops(folded.g) == tl_graph_flops(plain.g));
        for (int run = 0; run < 2; run++) assert_true(difference(&folded, yf, &plain, yp) < 1e-5);
        /* other weights are taken up when told */
        for (tl_tensor t = 1; t <= tl_graph_tensors(plain.g); t++)
            if (tl_graph_info(plain.g, t)->kind == TL_PARAM) {
                ((float *)tl_plan_data(plain.plan, t))[5] += 0.75f;
                ((float *)tl_plan_data(folded.plan, t))[5] += 0.75f;
            }
        tl_plan_weights_changed(folded.plan);
        for (int run = 0; run < 2; run++) assert_true(difference(&folded, yf, &plain, yp) < 1e-5);
        end(&folded);
        end(&plain);
    }
}

static void blocks_alive_together_never_overlap(void **state)
{
    enum { N = 300 };
    tl_ctx  *ctx = test_fresh();
    tl_block b[N];
    size_t   total, least;

    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        for (int i = 0; i < N; i++) {
            const uint64_t k = (uint64_t)i * 3;
            b[i].first = (int32_t)tl_rand_below(seed, 1, k, 100);
            b[i].last  = b[i].first + (int32_t)tl_rand_below(seed, 1, k + 1, 20);
            b[i].bytes = tl_rand_below(seed, 1, k + 2, 5000);
        }
        TEST_OK(tl_layout(ctx, b, N, &total, &least));
        assert_true(least <= total && (double)total < 1.2 * (double)least);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < i; j++)
                assert_true(b[i].last < b[j].first || b[j].last < b[i].first ||
                            b[i].at + b[i].bytes <= b[j].at || b[j].at + b[j].bytes <= b[i].at);
    }
    TEST_OK(tl_layout(ctx, b, 0, &total, &least));
    assert_int_equal(total, 0);
}

static void a_batch_has_room_and_ends(void **state)
{
    tl_ctx  *ctx = test_fresh();
    tl_batch b;

    (void)state;
    TEST_OK(tl_batch_new(ctx, 4, TL_SHAPE(3, 2, 1), true, 0, &b));
    assert_int_equal(tl_shape_count(&b.x_shape), 24);
    assert_null(b.target);
    tl_batch_free(ctx, &b);
    assert_int_equal(tl_batch_new(ctx, INT64_MAX, TL_SHAPE(3), false, 2, &b), TL_ENOMEM);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void same_padding_is_tensorflows(void **state)
{
    int before, after;

    (void)state;
    tl_pad_same(224, 3, 2, 1, &before, &after);
    assert_int_equal(before, 0);
    assert_int_equal(after, 1);
    tl_pad_same(7, 3, 1, 2, &before, &after);
    assert_int_equal(before, 2);
    assert_int_equal(after, 2);
    tl_pad_same(4, 1, 2, 1, &before, &after);
    assert_int_equal(before + after, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_allocates_nothing),
        cmocka_unit_test(a_frozen_lower_part_costs_no_backward),
        cmocka_unit_test(plans_share_a_slab),
        cmocka_unit_test(bytes_are_known_before_memory_is_taken),
        cmocka_unit_test(what_is_not_bound_is_named),
        cmocka_unit_test(kept_outputs_lie_in_the_slab_or_where_bound),
        cmocka_unit_test(what_repeats_is_not_overwritten),
        cmocka_unit_test(one_gradient_for_two_parameters_is_two_tensors),
        cmocka_unit_test(errors_stick_and_name_the_layer),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(nan_is_traced_to_its_layer),
        cmocka_unit_test(profile_counts_calls_and_flops),
        cmocka_unit_test(cancelling_at_once_stops_within_a_node),
        cmocka_unit_test(frozen_statistics_keep_their_bits),
        cmocka_unit_test(dropout_keeps_its_promise),
        cmocka_unit_test(a_frozen_norm_folds_into_its_convolution),
        cmocka_unit_test(blocks_alive_together_never_overlap),
        cmocka_unit_test(a_batch_has_room_and_ends),
        cmocka_unit_test(same_padding_is_tensorflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
