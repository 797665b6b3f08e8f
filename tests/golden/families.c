/* families.c -- whole networks against torchvision in double precision: logits, the gradient
 * of every parameter with frozen and with batch statistics, and the statistics left behind
 * (tests/golden/families.json, made by tools/golden/families.py, which says how weights and
 * pictures follow from their names). */
#include "backend/cpu/cpu.h"
#include "model/family.h"
#include "support/formula.h"
#include "support/support.h"
#include "tensor/op.h"
#include "tensor/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 4, CLASSES = 7 };

static void fill_param(const tl_param *p, float *v)
{
    const bool around_one =
        p->role == TL_ROLE_NORM && tl_shape_count(&p->shape) && p->init == TL_INIT_ONE;
    const bool var        = p->role == TL_ROLE_STATE && p->init == TL_INIT_ONE;
    double     fan_in     = 1.0;

    for (int i = 1; i < p->shape.ndim; i++) fan_in *= (double)p->shape.dim[i];
    const float bound = (float)sqrt(6.0 / fan_in);
    for (int64_t i = 0; i < p->count; i++) {
        const float u = test_formula(p->name, i);
        if (around_one || var) v[i] = 1.0f + 0.5f * u;
        else if (p->shape.ndim == 1) v[i] = 0.125f * u;
        else v[i] = bound * u;
    }
}

/* A plan of one network in training form with its loss, bound and ready. */
typedef struct {
    tl_arch    arch;
    tl_params *params;
    tl_graph  *g;
    tl_slab   *slab;
    tl_plan   *plan;
    tl_built   built;
    tl_tensor  weights;
    float     *x, *loss_weights;
} rig;

static void floats(int64_t count, float **out)
{
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)count, sizeof **out, out));
}

/* Sum of logits times a formula: no softmax between the network and what is compared. */
static tl_tensor add_loss(rig *r)
{
    tl_tensor y;

    r->weights = tl_graph_input(r->g, "loss", TL_F32, TL_SHAPE(ROWS, CLASSES));
    y = tl_mul(r->g, r->built.logits, r->weights);
    return tl_reduce_sum(r->g, tl_reduce_sum(r->g, y, 1), 0);
}

static void bind_all(rig *r)
{
    tl_ctx *ctx = test_ctx();

    for (int32_t i = 0; i < r->params->count; i++) {
        tl_param       *p = &r->params->param[i];
        const tl_tensor t = tl_graph_find(r->g, p->name);
        fill_param(p, tl_params_value(r->params, p));
        TEST_OK(tl_plan_bind(ctx, r->plan, t, tl_params_value(r->params, p)));
    }
    TEST_OK(tl_plan_bind(ctx, r->plan, r->built.x, r->x));
    TEST_OK(tl_plan_bind(ctx, r->plan, r->weights, r->loss_weights));
}

static void rig_start(rig *r, const json_t *c, const char *picture,
                      const tl_backend *backend, bool frozen)
{
    tl_ctx       *ctx  = test_ctx();
    const int64_t size = tl_json_int(c, "size", 0), pixels = ROWS * size * size * 3;
    json_t       *config;

    *r = (rig){ 0 };
    TEST_OK(tl_arch_parse(ctx, tl_json_text(c, "arch", ""), TL_SHAPE(size, size, 3),
                          CLASSES, &r->arch));
    config = json_deep_copy(r->arch.config);
    json_object_update(config, json_object_get(c, "config"));
    tl_arch made = { .family = r->arch.family, .row = r->arch.row, .outputs = CLASSES };
    TEST_OK(made.family->configure(ctx, "test", NULL, config, &made));
    json_decref(config);
    tl_arch_free(ctx, &r->arch);
    r->arch             = made;
    r->arch.source_head = true;
    r->arch.dropout     = 0.0;
    TEST_OK(tl_arch_params(ctx, &r->arch, &r->params));
    TEST_OK(tl_graph_new(ctx, &r->g));
    tl_net net = { .ctx         = ctx,
                   .g           = r->g,
                   .params      = r->params,
                   .training    = true,
                   .frozen_norm = frozen };
    TEST_OK(tl_arch_build(&net, &r->arch, ROWS, TL_PART_WHOLE, &r->built));
    tl_graph_backward(r->g, add_loss(r));
    TEST_OK(tl_graph_status(r->g));
    TEST_OK(tl_slab_new(ctx, backend, &r->slab));
    TEST_OK(tl_plan_new(ctx, r->g, backend, r->slab, &r->plan));
    floats(pixels, &r->x);
    floats(ROWS * CLASSES, &r->loss_weights);
    for (int64_t i = 0; i < pixels; i++) r->x[i] = test_formula(picture, i);
    for (int64_t i = 0; i < ROWS * CLASSES; i++) r->loss_weights[i] = test_formula("loss", i);
    bind_all(r);
}

static void rig_end(rig *r)
{
    tl_ctx *ctx = test_ctx();

    tl_plan_free(ctx, r->plan);
    tl_slab_free(ctx, r->slab);
    tl_graph_free(ctx, r->g);
    tl_params_free(ctx, r->params);
    tl_arch_free(ctx, &r->arch);
    tl_free(ctx, r->x);
    tl_free(ctx, r->loss_weights);
}

static void check_logits(rig *r, const json_t *sample, const char *key)
{
    const json_t *list = json_object_get(sample, key);
    float         want[ROWS * CLASSES];

    for (size_t i = 0; i < ROWS * CLASSES; i++)
        want[i] = (float)json_number_value(json_array_get(list, i));
    const double error =
        test_error(tl_plan_data(r->plan, r->built.logits), want, ROWS * CLASSES);
    if (!(error < 1e-4)) fail_msg("%s: %s differ by %g", r->arch.name, key, error);
}

/* The worst of all gradients (or statistics), and whose it is. */
static double worst_probe(rig *r, const json_t *want, bool states, char who[128])
{
    const double least = 1e-3 * test_largest_norm(want);
    double       worst = 0.0;

    for (int32_t i = 0; i < r->params->count; i++) {
        const tl_param *p = &r->params->param[i];
        const tl_tensor g = tl_graph_gradient(r->g, tl_graph_find(r->g, p->name));
        if ((p->role == TL_ROLE_STATE) != states) continue;
        const float *got =
            states ? tl_params_value(r->params, p) : tl_plan_data(r->plan, g);
        const double error = test_probe_error(want, p->name, got, p->count, least);
        if (error <= worst) continue;
        worst = error;
        snprintf(who, 128, "%s", p->name);
    }
    return worst;
}

/* Runs one picture, checks logits and statistics, and gives the worst gradient's error: 0
 * where the file holds no gradients. */
static double run_sample(const json_t *c, const json_t *sample, const tl_backend *backend,
                         bool frozen, char who[128])
{
    const json_t *grads = json_object_get(sample, frozen ? "frozen" : "batch");
    rig           r;
    double        worst = 0.0;

    rig_start(&r, c, tl_json_text(sample, "picture", ""), backend, frozen);
    TEST_OK(tl_plan_run(test_ctx(), r.plan, (tl_tick){ 0 }));
    check_logits(&r, sample, frozen ? "logits" : "batch_logits");
    if (!frozen && worst_probe(&r, json_object_get(sample, "states"), true, who) > 1e-4)
        fail_msg("%s: %s differs", r.arch.name, who);
    if (grads) worst = worst_probe(&r, grads, false, who);
    rig_end(&r);
    return worst;
}

/* A rectifier that rounding tips over shows on one of the two pictures; a wrong gradient on
 * both. */
static void check_case(const json_t *c, const tl_backend *backend, bool frozen)
{
    const json_t *samples = json_object_get(c, "samples");
    char          who[128] = "";
    double        least = INFINITY;

    assert_int_equal(json_array_size(samples), 2);
    /* PyTorch's own f32 is too far from its double there: see the script */
    assert_true(frozen || strcmp(tl_json_text(c, "arch", ""), "resnet50") == 0 ||
                strcmp(tl_json_text(c, "arch", ""), "mobilenet_v2") == 0 ||
                json_object_get(json_array_get(samples, 0), "batch"));
    for (size_t i = 0; i < 2 && !(least < 1e-3); i++)
        least =
            fmin(least, run_sample(c, json_array_get(samples, i), backend, frozen, who));
    if (!(least < 1e-3))
        fail_msg("%s: %s differs by %g", tl_json_text(c, "arch", ""), who, least);
}

static json_t *golden(void)
{
    json_t *value;

    TEST_OK(
        tl_json_read(test_ctx(), TEST_FOLDER "/golden/families.json", 1 << 20, &value));
    return value;
}

static void networks_equal_torchvision(void **state)
{
    tl_ctx       *ctx   = test_fresh();
    json_t       *file  = golden();
    const json_t *cases = json_object_get(file, "cases");

    (void)state;
    for (size_t i = 0; i < json_array_size(cases); i++)
        for (int frozen = 0; frozen < 2; frozen++)
            check_case(json_array_get(cases, i), &tl_backend_cpu, frozen);
    json_decref(file);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* The reference kernels are slow: the smallest network will do. */
static void so_does_the_reference_backend(void **state)
{
    tl_ctx *ctx  = test_fresh();
    json_t *file = golden();

    (void)state;
    for (int frozen = 0; frozen < 2; frozen++)
        check_case(json_array_get(json_object_get(file, "cases"), 0), &tl_backend_ref,
                   frozen);
    json_decref(file);
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_equal_torchvision),
        cmocka_unit_test(so_does_the_reference_backend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
