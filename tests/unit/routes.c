/* routes.c -- what each route from a base does to the base: frozen blocks keep their bits, the
 * cache of their output changes nothing, blocks unfreeze from the top, penalties pull. */
#include "support/drawn.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

static const char net[] = "conv 4 3, norm batch, relu, conv 6 3, norm batch, relu, pool 2, "
                          "dense 8 relu"; /* three blocks and the head */

typedef struct { test_drawn p; tl_run_result base; } fixture;

/* A base trained here, and a short run of `route` from it. */
static void open_fixture(fixture *f, const char *route)
{
    tl_candidate *c = &f->p.spec.candidate;

    test_fresh();
    test_drawn_open(&f->p, 160, 3, 8, 1, net, "scratch");
    c->hyper.least_steps = 60;
    c->hyper.epochs      = 4.0;
    TEST_OK(tl_run_train(test_ctx(), &f->p.spec, &f->base));
    c->route = tl_route_find(route);
    c->base  = f->base.model;
    c->route->defaults(&c->hyper, &c->arch, f->p.train.count);
    c->hyper.least_steps = 0;
    c->hyper.epochs      = 4.0;
    f->p.spec.seed++;
}

static void close_fixture(fixture *f)
{
    tl_run_result_free(test_ctx(), &f->base);
    test_drawn_close(&f->p);
}

static bool same_bits(const tl_params *a, const tl_params *b, const tl_param *p)
{
    const tl_param *q = tl_params_find(b, p->name);

    return memcmp(tl_params_value(a, p), tl_params_value(b, q),
                  (size_t)p->count * sizeof(float)) == 0;
}

/* R16: below the top nothing moves, running statistics included; above it all does. */
static void the_frozen_part_keeps_its_bits(void **state)
{
    (void)state;
    for (int top = 1; top <= 3; top++)
        for (int cached = 0; cached < 2; cached++) {
            tl_run_result r;
            fixture       f;
            open_fixture(&f, "partial");
            f.p.spec.candidate.hyper.top_blocks = top;
            f.p.spec.candidate.hyper.cached     = cached;
            TEST_OK(tl_run_train(test_ctx(), &f.p.spec, &r));
            const tl_params *was = f.base.model->params;
            for (int32_t k = 0; k < was->count; k++) {
                const tl_param *p      = &was->param[k];
                const bool      frozen = !p->head && p->block < 3 - top;
                if (same_bits(was, r.model->params, p) != frozen)
                    fail_msg("top %d: %s %s", top, p->name, frozen ? "moved" : "stayed");
            }
            tl_run_result_free(test_ctx(), &r);
            close_fixture(&f);
        }
}

/* The cache saves work and changes nothing else; where something is augmented it is not used. */
static void cached_as_computed_anew(void **state)
{
    double  flops[3], loss[3];
    float   bits[3][64];
    fixture f;

    (void)state;
    for (int i = 0; i < 3; i++) {
        tl_run_result r;
        open_fixture(&f, "partial");
        f.p.spec.candidate.hyper.top_blocks = 1;
        f.p.spec.candidate.hyper.cached     = i > 0;
        if (i == 2) f.p.spec.candidate.hyper.augment = "shift";
        TEST_OK(tl_run_train(test_ctx(), &f.p.spec, &r));
        flops[i] = r.flops;
        loss[i]  = r.valid_loss;
        memcpy(bits[i], tl_params_value(r.model->params,
                                        tl_params_find(r.model->params, "dense1.weight")),
               sizeof bits[i]);
        tl_run_result_free(test_ctx(), &r);
        close_fixture(&f);
    }
    assert_true(test_error(bits[0], bits[1], 64) < 1e-4);
    assert_true(fabs(loss[0] - loss[1]) < 1e-4);
    assert_true(flops[1] < 0.6 * flops[0]);
    assert_true(flops[2] == flops[0] && loss[2] != loss[1]);
}

/* Too little memory for the cache: the frozen blocks run every step. */
static void memory_decides_about_the_cache(void **state)
{
    const size_t slack = 16 << 10; /* the parameters that fitting declares */
    tl_run_need  with, without;
    char         said[200];
    fixture      f;

    (void)state;
    open_fixture(&f, "partial");
    f.p.spec.candidate.hyper.top_blocks = 2; /* what enters is larger than the picture */
    TEST_OK(tl_run_forecast(test_ctx(), &f.p.spec, &with));
    f.p.spec.candidate.hyper.cached = false;
    TEST_OK(tl_run_forecast(test_ctx(), &f.p.spec, &without));
    assert_true(with.peak_bytes > without.peak_bytes + slack &&
                with.flops < without.flops);
    f.p.spec.candidate.hyper.cached = true;
    TEST_OK(tl_run_fit_memory(test_ctx(), &f.p.spec, with.peak_bytes + slack, said));
    assert_true(f.p.spec.candidate.hyper.cached);
    TEST_OK(tl_run_fit_memory(test_ctx(), &f.p.spec, without.peak_bytes + slack,
                              said));
    assert_false(f.p.spec.candidate.hyper.cached);
    close_fixture(&f);
}

static void blocks_unfold_from_the_top(void **state)
{
    static const double rate[] = { 1.0 / (2.6 * 2.6), 1.0 / 2.6, 1.0 };
    fixture             f;
    double              share = 0.0;

    (void)state;
    open_fixture(&f, "gradual");
    tl_params *params                = f.base.model->params;
    f.p.spec.candidate.hyper.epochs  = 12.0;
    f.p.spec.candidate.hyper.augment = "none";
    assert_int_equal(tl_run_phases(&f.p.spec, params), 3);
    for (int i = 0; i < 3; i++) {
        const tl_phase phase = tl_run_phase(&f.p.spec, params, i);
        share += phase.budget_share;
        assert_int_equal(phase.from, 2 - i);
        assert_false(phase.cached);
        tl_train_select(params, &phase, &f.p.spec.candidate.hyper);
        for (int32_t k = 0; k < params->count; k++) {
            const tl_param *p = &params->param[k];
            assert_true(p->trainable == (p->role != TL_ROLE_STATE &&
                                         (p->head || p->block >= 2 - i)));
            assert_true(fabs((double)p->lr_scale - (p->head ? 10.0 : rate[p->block])) <
                        1e-6);
        }
    }
    assert_true(fabs(share - 1.0) < 1e-12);
    f.p.spec.candidate.hyper.stages = 2; /* two blocks join at once */
    assert_int_equal(tl_run_phases(&f.p.spec, params), 2);
    assert_int_equal(tl_run_phase(&f.p.spec, params, 0).from, 1);
    assert_int_equal(tl_run_phase(&f.p.spec, params, 1).from, 0);
    close_fixture(&f);
}

/* While a block is frozen neither its weights nor its statistics move. */
static void stages_freeze_what_lies_below(void **state)
{
    tl_run_result r;
    fixture       f;

    (void)state;
    open_fixture(&f, "gradual");
    f.p.spec.candidate.hyper.stages = 3;
    f.p.spec.most_steps             = 1; /* ends in the first stage */
    TEST_OK(tl_run_train(test_ctx(), &f.p.spec, &r));
    assert_string_equal(r.stopped, "budget");
    const tl_params *was = f.base.model->params;
    for (int32_t k = 0; k < was->count; k++)
        if (was->param[k].block < 2)
            assert_true(same_bits(was, r.model->params, &was->param[k]));
    tl_run_result_free(test_ctx(), &r);
    close_fixture(&f);
}

/* Plain gradient descent, `steps` steps from the base; the distance to it in *away. */
static tl_model *descend(fixture *f, int64_t steps, double anchor, double head,
                         double *away)
{
    tl_hyper     *h = &f->p.spec.candidate.hyper;
    tl_run_result r;

    open_fixture(f, "l2sp");
    h->optimizer          = "sgd";
    h->optim.lr           = 0.05;
    h->optim.momentum     = 0.0;
    h->optim.nesterov     = false;
    h->optim.weight_decay = 0.0;
    h->warmup             = 0.0;
    h->schedule           = "constant";
    h->clip               = 0.0;
    h->head_rate          = 1.0;
    h->augment            = "none";
    h->anchor             = anchor;
    h->anchor_head        = head;
    f->p.spec.most_steps  = steps;
    TEST_OK(tl_run_train(test_ctx(), &f->p.spec, &r));
    *away                = 0.0;
    const tl_params *was = f->base.model->params;
    for (int32_t k = 0; k < was->count; k++) {
        const tl_param *p = &was->param[k];
        if (p->head || p->role == TL_ROLE_STATE) continue;
        const float *a = tl_params_value(was, p),
                    *b = tl_params_value(r.model->params,
                                         tl_params_find(r.model->params, p->name));
        for (int64_t i = 0; i < p->count; i++)
            *away += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    }
    tl_model *model = r.model;
    r.model         = NULL;
    tl_run_result_free(test_ctx(), &r);
    return model;
}

/* At w0 the penalty has no slope but for the head: w - lr (g + b w).  Later it holds w near. */
static void the_anchor_pulls(void **state)
{
    fixture   f[2];
    tl_model *free_m, *held_m, *fresh;
    double    free_away, held_away;

    (void)state;
    free_m = descend(&f[0], 1, 0.0, 0.0, &free_away);
    TEST_OK(tl_trainer_model(test_ctx(), &f[0].p.spec, &fresh));
    const tl_params *start = fresh->params, *a = free_m->params;
    float            without[24], began[24];
    bool             seen = false;
    for (int32_t k = 0; k < a->count; k++)
        if (a->param[k].head && a->param[k].role == TL_ROLE_WEIGHT) {
            assert_int_equal(a->param[k].count, 24);
            memcpy(without, tl_params_value(a, &a->param[k]), sizeof without);
            memcpy(began, tl_params_value(start, &a->param[k]), sizeof began);
        }
    tl_model_free(test_ctx(), fresh);
    tl_model_free(test_ctx(), free_m);
    close_fixture(&f[0]);
    held_m = descend(&f[1], 1, 0.7, 0.3, &held_away);
    assert_true(free_away == held_away && free_away > 0.0);
    for (int32_t k = 0; k < held_m->params->count; k++) {
        const tl_param *p = &held_m->params->param[k];
        if (!p->head || p->role != TL_ROLE_WEIGHT) continue;
        for (int i = 0; i < 24; i++)
            assert_true(fabs((double)tl_params_value(held_m->params, p)[i] -
                             ((double)without[i] - 0.05 * 0.3 * (double)began[i])) < 1e-6);
        seen = true;
    }
    assert_true(seen);
    tl_model_free(test_ctx(), held_m);
    close_fixture(&f[1]);
    tl_model_free(test_ctx(), descend(&f[0], 8, 0.0, 0.0, &free_away));
    close_fixture(&f[0]);
    tl_model_free(test_ctx(), descend(&f[0], 8, 5.0, 0.0, &held_away));
    close_fixture(&f[0]);
    assert_true(held_away < 0.8 * free_away);
}

static void shrunk_and_perturbed(void **state)
{
    tl_model *model, *again;
    fixture   f;
    double    sum = 0.0, square = 0.0;
    int64_t   n = 0;

    (void)state;
    open_fixture(&f, "shrink");
    f.p.spec.candidate.hyper.shrink  = 0.4;
    f.p.spec.candidate.hyper.perturb = 0.02;
    TEST_OK(tl_trainer_model(test_ctx(), &f.p.spec, &model));
    TEST_OK(tl_trainer_model(test_ctx(), &f.p.spec, &again));
    const tl_params *was = f.base.model->params;
    for (int32_t k = 0; k < was->count; k++) {
        const tl_param *p = &was->param[k];
        const float    *a = tl_params_value(was, p), *b = tl_params_value(model->params, p);
        assert_true(same_bits(model->params, again->params, p));
        if (p->role == TL_ROLE_STATE) assert_true(same_bits(was, model->params, p));
        if (p->head || p->role == TL_ROLE_STATE) continue;
        for (int64_t i = 0; i < p->count; i++, n++) {
            const double noise = (double)b[i] - 0.4 * (double)a[i];
            sum += noise;
            square += noise * noise;
        }
    }
    assert_true(n > 500);
    assert_true(fabs(sum / (double)n) < 4.0 * 0.02 / sqrt((double)n));
    assert_true(fabs(sqrt(square / (double)n) / 0.02 - 1.0) < 0.15);
    tl_model_free(test_ctx(), model);
    tl_model_free(test_ctx(), again);
    close_fixture(&f);
}

/* Every route of the list that starts from a base keeps what the base knew, with every
 * optimiser of the list at its own rate for some route; and its memory is as forecast. */
static void every_route_from_a_base_learns(void **state)
{
    const tl_route *route;
    size_t          o = 0;

    (void)state;
    for (size_t i = 0; (route = tl_route_at(i)); i++) {
        tl_run_result r;
        tl_run_need   need;
        fixture       f;
        if (!route->needs_base || route->of_texts) continue;
        open_fixture(&f, route->name);
        tl_world *world = test_ctx()->world;
        tl_hyper *h    = &f.p.spec.candidate.hyper;
        h->epochs      = 10.0;
        const bool slow = route->start == TL_START_NEW || route->phase[0].which < TL_TRAIN_TOP;
        h->least_steps  = slow ? 200 : 60;
        if (!tl_optimizer_at(o)) o = 0;
        h->optimizer = "adamw";
        h->optim.lr  = 3e-3;
        if (route->phase[0].which < TL_TRAIN_TOP) h->head_rate = 10.0; /* a new head */
        const char *optimizer = route->own_net ? "adamw" /* its network is another, and new */
                                               : tl_optimizer_at(o++)->name;
        TEST_OK(tl_hyper_set(test_ctx(), h, "optimizer", optimizer));
        TEST_OK(tl_hyper_set(test_ctx(), h, "lora.targets", "dense1"));
        TEST_OK(tl_run_forecast(test_ctx(), &f.p.spec, &need));
        atomic_store(&world->peak_bytes, atomic_load(&world->now_bytes));
        TEST_OK(tl_run_train(test_ctx(), &f.p.spec, &r));
        const double was = (double)atomic_load(&world->peak_bytes); /* of our allocations */
        const double said = (double)(need.peak_bytes - need.process_bytes);
        if (r.valid_metric < 0.7)
            fail_msg("%s with %s: %g", route->name, h->optimizer, r.valid_metric);
        if (said < 0.5 * was || said > 2.0 * was)
            fail_msg("%s: forecast %.0f, was %.0f", route->name, said, was);
        tl_run_result_free(test_ctx(), &r);
        close_fixture(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_frozen_part_keeps_its_bits),
        cmocka_unit_test(cached_as_computed_anew),
        cmocka_unit_test(memory_decides_about_the_cache),
        cmocka_unit_test(blocks_unfold_from_the_top),
        cmocka_unit_test(stages_freeze_what_lies_below),
        cmocka_unit_test(the_anchor_pulls),
        cmocka_unit_test(shrunk_and_perturbed),
        cmocka_unit_test(every_route_from_a_base_learns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
