/* train.c -- the same question gives the same bits: twice, interrupted and resumed, after a
 * torn checkpoint; and cutting a batch into micro-batches changes nothing but rounding. */
#include "core/io.h"
#include "support/counted.h"
#include "support/drawn.h"
#include "train/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *optimizer; /* NULL: the route's */
static bool        pausing;   /* at a third and at two thirds, too */

static const char mlp[]   = "mlp:12x8",
                  norms[] = "conv 4 3, norm batch, relu, pool 2, dense 8 relu";

static void shorten(test_drawn *p)
{
    tl_hyper *h = &p->spec.candidate.hyper;

    h->epochs      = 4.0;
    h->least_steps = 0;
    h->batch       = 32;
    h->optim.lr    = 0.01;
}

static float *bits_of(const tl_run_result *r)
{
    const size_t bytes = (size_t)r->model->params->floats * sizeof(float);
    float       *copy  = malloc(bytes);

    memcpy(copy, r->model->params->value, bytes);
    return copy;
}

static void same(const float *a, const tl_run_result *r)
{
    assert_int_equal(memcmp(a, r->model->params->value,
                            (size_t)r->model->params->floats * sizeof *a), 0);
}

static void same_seed_twice(void **state)
{
    static const char *const arch[] = { mlp, norms };
    tl_run_result r;
    test_drawn p;

    (void)state;
    for (int i = 0; i < 2; i++) {
        float *first = NULL;
        for (int turn = 0; turn < 3; turn++) {
            test_fresh();
            test_drawn_open(&p, 150, 3, 8, 1, arch[i], "scratch");
            shorten(&p);
            p.spec.seed = turn < 2 ? 5 : 6;
            TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
            if (turn == 0) first = bits_of(&r);
            else if (turn == 1) same(first, &r);
            else
                assert_int_not_equal(memcmp(first, r.model->params->value, 64), 0);
            tl_run_result_free(test_ctx(), &r);
            test_drawn_close(&p);
        }
        free(first);
    }
}

/* Weights after three epochs, and their loss, with the batch cut into plans of `micro` rows. */
static float *cut_run(int64_t rows, int64_t shards, int64_t micro, bool weights,
                      double *loss)
{
    tl_run_result r;
    test_drawn p;
    float        *bits;

    test_fresh();
    test_drawn_open(&p, rows, 3, 8, 1, mlp, "scratch");
    shorten(&p);
    p.spec.micro_batch                    = micro;
    p.spec.candidate.hyper.shards         = shards;
    p.spec.candidate.hyper.class_weights  = weights;
    p.spec.candidate.hyper.smoothing      = 0.1;
    p.spec.candidate.hyper.optimizer      = "sgd";
    p.spec.candidate.hyper.optim.momentum = 0.9;
    if (weights) /* unbalanced */
        for (int64_t i = 0; i < rows; i++)
            if (i % 4) p.dataset->label[i] = 0;
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    *loss = r.curve[0].train_loss;
    bits  = bits_of(&r);
    tl_run_result_free(test_ctx(), &r);
    test_drawn_close(&p);
    return bits;
}

/* R1: B x A against (B A) x 1, with a short last batch and with class weights. */
static void micro_batches_change_nothing(void **state)
{
    static const struct {
        int64_t shards, micro;
    } cut[] = { { 1, 16 }, { 1, 4 }, { 2, 0 }, { 4, 2 } };

    (void)state;
    for (int weights = 0; weights < 2; weights++) {
        double loss, other;
        float *whole = cut_run(146, 1, 0, weights, &loss);
        for (size_t i = 0; i < TL_COUNT(cut); i++) {
            float *parts = cut_run(146, cut[i].shards, cut[i].micro, weights, &other);
            assert_true(fabs(loss - other) < 1e-6 * fabs(loss));
            assert_true(test_error(parts, whole, 64 * 12) < 2e-5);
            free(parts);
        }
        free(whole);
    }
}

static bool has_steps(const tl_route *route)
{
    for (int i = 0; i < route->phases; i++)
        if (!route->phase[i].solve) return true;
    return false;
}

/* A straight run; then one interrupted after every `steps` runs of `op`, as often as it takes.
 * Routes from a base take one trained here. */
static void interrupt_and_compare(const char *arch, const char *route, const char *op,
                                  int64_t steps)
{
    tl_run_result base   = { 0 };
    char         *folder = test_folder(), path[512];
    tl_run_result r;
    test_drawn p;
    tl_store     *store;
    float        *straight;
    double        points;
    int           stops = 0, pauses = 0;
    bool          paused;
    tl_status     rc;

    snprintf(path, sizeof path, "%s/checkpoint", folder);
    test_fresh();
    test_drawn_open(&p, 150, 3, 8, 1, arch, "scratch");
    shorten(&p);
    p.spec.backend = test_counted(&tl_backend_ref, op);
    if (tl_route_find(route)->needs_base) {
        TEST_OK(tl_run_train(test_ctx(), &p.spec, &base));
        p.spec.candidate.base = base.model;
        p.spec.seed++;
    }
    p.spec.candidate.route         = tl_route_find(route);
    tl_hyper own;
    p.spec.candidate.route->defaults(&own, &p.spec.candidate.arch, p.train.count);
    p.spec.candidate.hyper.adapt   = own.adapt;
    TEST_OK(tl_hyper_set(test_ctx(), &p.spec.candidate.hyper, "lora.targets", "dense1"));
    p.spec.candidate.hyper.anchor  = strcmp(route, "l2sp") == 0 ? 0.1 : 0.0;
    p.spec.candidate.hyper.cached  = strcmp(route, "partial") == 0;
    p.spec.candidate.hyper.augment = p.spec.candidate.hyper.cached ? "none" : "shift";
    p.spec.candidate.hyper.stages  = 2;
    p.spec.candidate.hyper.ema     = strcmp(route, "full") == 0 ? 0.9 : 0.0;
    p.spec.candidate.hyper.mixup   = strcmp(route, "shrink") == 0 ? 0.4 : 0.0;
    p.spec.candidate.hyper.pretrain_epochs = p.spec.candidate.hyper.teacher_epochs = 2.0;
    if (optimizer) p.spec.candidate.hyper.optimizer = optimizer;
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    straight = bits_of(&r);
    points   = (double)r.points;
    const int64_t best = r.best_step, taken = r.steps_run;
    const double  loss = r.curve[r.points - 1].train_loss;
    tl_run_result_free(test_ctx(), &r);
    TEST_OK(tl_store_open(test_ctx(), folder, &store));
    bool    done;
    json_t *none;
    TEST_OK(tl_store_run(test_ctx(), store, "k", 5, "all", NULL, &p.spec.store_run, &done,
                         &none));
    p.spec.store              = store;
    p.spec.checkpoint         = path;
    p.spec.checkpoint_every_s = 60.0;
    do {
        atomic_store(&test_ctx()->world->cancel, 0);
        /* the last score and a teacher's answers are made in one go */
        test_stop_at = test_runs + steps + stops / 8;
        p.spec.pause_share = pausing && pauses < 2 ? (pauses + 1) / 3.0 : 0.0;
        rc = tl_run_train(test_ctx(), &p.spec, &r);
        if (rc == TL_ECANCEL) assert_null(r.model);
        stops += rc == TL_ECANCEL;
        paused = rc == TL_OK && strcmp(r.stopped, "paused") == 0;
        if (!paused) continue;
        pauses++;
        assert_null(r.model); /* its weights lie in the checkpoint */
        assert_true(r.curve[r.points - 1].share >= p.spec.pause_share - 1e-9);
        assert_true(r.curve[r.points - 1].share < 1.0);
        tl_run_result_free(test_ctx(), &r);
    } while ((rc == TL_ECANCEL || paused) && stops < 100);
    assert_int_equal(pauses, pausing && has_steps(tl_route_find(route)) ? 2 : 0);
    if (rc == TL_ECANCEL) fail_msg("%s: no end after %d stops", route, stops);
    TEST_OK(rc);
    assert_true(stops > 0);
    same(straight, &r);
    if (r.points != (int64_t)points || r.best_step != best || r.steps_run != taken)
        fail_msg("%s: %d points, best %d, %d steps, not %d, %d, %d", route, (int)r.points,
                 (int)r.best_step, (int)r.steps_run, (int)points, (int)best, (int)taken);
    if (!isnan(loss)) assert_true(r.curve[r.points - 1].train_loss == loss);
    tl_curve_point *stored;
    int64_t         count;
    TEST_OK(tl_store_points(test_ctx(), store, p.spec.store_run, &stored, &count));
    assert_int_equal(count, r.points);
    for (int64_t i = 0; i < count; i++) assert_int_equal(stored[i].step, r.curve[i].step);
    tl_free(test_ctx(), stored);
    tl_store_close(test_ctx(), store);
    tl_run_result_free(test_ctx(), &r);
    tl_run_result_free(test_ctx(), &base);
    test_drawn_close(&p);
    free(straight);
    test_folder_end(folder);
}

static void resumed_at_any_step(void **state)
{
    (void)state;
    interrupt_and_compare(mlp, "scratch", "cross_entropy_grad", 1);
    interrupt_and_compare(mlp, "scratch", "cross_entropy_grad", 3);
    interrupt_and_compare(norms, "scratch", "cross_entropy_grad", 2);
    for (int64_t steps = 9; steps < 16; steps += 2) {
        interrupt_and_compare(norms, "scratch", "conv", steps);
        interrupt_and_compare(norms, "lp-ft", "conv", steps);
        interrupt_and_compare(norms, "full", "conv", steps);
    }
}

/* Routes with phases, caches and penalties of their own; every optimiser's state comes back. */
static void every_route_resumes(void **state)
{
    const tl_route *route;
    size_t          o = 0;

    (void)state;
    for (size_t i = 0; (route = tl_route_at(i)); i++) {
        if (route->of_texts || (!route->needs_base && !route->by_request)) continue;
        if (!tl_optimizer_at(o)) o = 0;
        optimizer = tl_optimizer_at(o++)->name;
        interrupt_and_compare(norms, route->name, "conv", 5);
        pausing = true;
        if (!route->phase[0].solve) /* a solution is not saved halfway */
            interrupt_and_compare(norms, route->name, "cross_entropy_grad", 5);
        pausing = false;
    }
    optimizer = NULL;
    pausing   = true;
    interrupt_and_compare(norms, "lp-ft", "conv", 9);
    pausing = false;
}

static void hear(void *user, int level, const char *line)
{
    if (level == TL_LOG_WARN) snprintf(user, 1024, "%s", line);
}

/* The newest checkpoint is torn: the one before it is used, said, and the bits are the same. */
static void torn_checkpoint(void **state)
{
    char         *folder = test_folder(), said[1024] = "", path[512];
    tl_run_result r;
    test_drawn p;
    float        *straight;

    (void)state;
    test_fresh();
    test_drawn_open(&p, 150, 3, 8, 1, norms, "scratch");
    shorten(&p);
    p.spec.backend = test_counted(&tl_backend_ref, "cross_entropy_grad");
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    straight = bits_of(&r);
    tl_run_result_free(test_ctx(), &r);
    p.spec.checkpoint = folder;
    for (int turn = 0; turn < 2; turn++) {
        atomic_store(&test_ctx()->world->cancel, 0);
        test_stop_at = test_runs + 4;
        assert_int_equal(tl_run_train(test_ctx(), &p.spec, &r), TL_ECANCEL);
    }
    snprintf(path, sizeof path, "%s/state.1", folder);
    assert_int_equal(truncate(path, tl_file_bytes(path) / 2), 0);
    atomic_store(&test_ctx()->world->cancel, 0);
    test_ctx()->world->log      = hear;
    test_ctx()->world->log_user = said;
    test_stop_at                = 0;
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    test_ctx()->world->log = NULL;
    assert_non_null(strstr(said, "state.1"));
    same(straight, &r);
    p.spec.seed = 99;
    tl_run_result_free(test_ctx(), &r);
    assert_int_equal(tl_run_train(test_ctx(), &p.spec, &r), TL_EUSAGE);
    test_drawn_close(&p);
    free(straight);
    test_folder_end(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_twice),
        cmocka_unit_test(micro_batches_change_nothing),
        cmocka_unit_test(resumed_at_any_step),
        cmocka_unit_test(every_route_resumes),
        cmocka_unit_test(torn_checkpoint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
