/* marks.c -- several labels and ranks against scikit-learn and PyTorch (tests/golden/marks.json,
 * made by tools/golden/marks.py). */
#include "core/json.h"
#include "study/stats.h"
#include "support/support.h"
#include "tensor/marks.h"
#include "tensor/ops.h"
#include "tensor/plan.h"
#include "train/metric.h"
#include "train/thresholds.h"

#include <math.h>
#include <string.h>

enum { ROWS = 40, MOST = 5 };

typedef struct {
    json_t *file, *part;
    int64_t n; /* outputs */
    float   logit[ROWS * MOST], mark[ROWS * MOST];
    int32_t rank[ROWS];
} world;

static double at(const json_t *list, int64_t r, int64_t c)
{
    return json_number_value(json_array_get(json_array_get(list, (size_t)r), (size_t)c));
}

static void open_world(world *w, const char *part)
{
    TEST_OK(tl_json_read(test_fresh(), TEST_FOLDER "/golden/marks.json", 1 << 20, &w->file));
    w->part             = json_object_get(w->file, part);
    const json_t *logit = json_object_get(w->part, "logit");
    const json_t *mark  = json_object_get(w->part, "mark");
    w->n                = (int64_t)json_array_size(json_array_get(logit, 0));
    for (int64_t r = 0; r < ROWS; r++) {
        w->rank[r] = (int32_t)json_integer_value(
            json_array_get(json_object_get(w->part, "rank"), (size_t)r));
        for (int64_t c = 0; c < w->n; c++) {
            w->logit[r * w->n + c] = (float)at(logit, r, c);
            w->mark[r * w->n + c] =
                (float)(mark ? at(mark, r, c) : tl_rank_mark(w->rank[r], w->n, c));
        }
    }
}

/* The op's loss and gradient, by `ref`, with each row weighing 1 / ROWS. */
static void the_op_agrees(const world *w)
{
    tl_ctx   *ctx = test_ctx();
    tl_slab  *slab;
    tl_graph *g;
    tl_plan  *plan;
    float     grad[ROWS * MOST] = { 0 }, weight[ROWS];

    for (int r = 0; r < ROWS; r++) weight[r] = 1.0f / ROWS;
    TEST_OK(tl_slab_new(ctx, &tl_backend_ref, &slab));
    TEST_OK(tl_graph_new(ctx, &g));
    const tl_tensor x    = tl_graph_param(g, "x", TL_SHAPE(ROWS, w->n), true);
    const tl_tensor t    = tl_graph_input(g, "t", TL_F32, TL_SHAPE(ROWS, w->n));
    const tl_tensor q    = tl_graph_input(g, "q", TL_F32, TL_SHAPE(ROWS));
    const tl_tensor loss = tl_bce(g, x, t, q);
    tl_graph_keep(g, loss, "loss");
    tl_graph_backward(g, loss);
    TEST_OK(tl_graph_status(g));
    TEST_OK(tl_plan_new(ctx, g, &tl_backend_ref, slab, &plan));
    TEST_OK(tl_plan_bind(ctx, plan, x, (void *)(uintptr_t)w->logit));
    TEST_OK(tl_plan_bind(ctx, plan, t, (void *)(uintptr_t)w->mark));
    TEST_OK(tl_plan_bind(ctx, plan, q, weight));
    TEST_OK(tl_plan_bind(ctx, plan, tl_graph_gradient(g, x), grad));
    TEST_OK(tl_plan_run(ctx, plan, (tl_tick){ 0 }));
    assert_true(fabs((double)*(const float *)tl_plan_data(plan, loss) -
                     tl_json_number(w->part, "loss", NAN)) < 1e-6);
    for (int64_t i = 0; i < ROWS * w->n; i++)
        assert_true(fabs((double)grad[i] - at(json_object_get(w->part, "gradient"), i / w->n,
                                               i % w->n)) < 1e-6);
    tl_plan_free(ctx, plan);
    tl_graph_free(ctx, g);
    tl_slab_free(ctx, slab);
}

static void metric_is(const world *w, const tl_tally *t, const char *name, const char *key)
{
    const double want = tl_json_number(w->part, key, NAN);

    if (!(fabs(tl_tally_metric(t, name) - want) < 1e-9))
        fail_msg("%s is %.9f, not %.9f", name, tl_tally_metric(t, name), want);
}

static void close_world(world *w, tl_tally *t)
{
    tl_tally_free(test_ctx(), t);
    json_decref(w->file);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void labels_are_scikit_learns(void **state)
{
    world    w;
    tl_tally t;
    uint8_t  has[ROWS * MOST];
    float    p[ROWS * MOST];

    (void)state;
    open_world(&w, "several");
    TEST_OK(tl_tally_new(test_ctx(), w.n, &t));
    t.task = &tl_task_text_several;
    for (int64_t r = 0; r < ROWS; r++)
        tl_tally_row_marks(&t, w.logit + r * w.n, w.mark + r * w.n);
    assert_true(fabs(tl_tally_loss(&t) - tl_json_number(w.part, "loss", NAN)) < 1e-6);
    metric_is(&w, &t, "micro-f1", "micro_f1");
    metric_is(&w, &t, "macro-f1", "macro_f1");
    memcpy(p, w.logit, sizeof p);
    for (int64_t r = 0; r < ROWS; r++) tl_marks_answer(p + r * w.n, w.n);
    for (int64_t i = 0; i < ROWS * w.n; i++) has[i] = w.mark[i] > 0.5f;
    for (int64_t c = 0; c < w.n - 1; c++) {
        const json_t *want = json_object_get(w.part, "average_precision");
        double        ap;
        TEST_OK(tl_average_precision(test_ctx(), p + c, has + c, w.n, ROWS, &ap));
        assert_true(fabs(ap - json_number_value(json_array_get(want, (size_t)c))) < 1e-9);
    }
    the_op_agrees(&w);
    close_world(&w, &t);
}

static void ranks_are_corns(void **state)
{
    world    w;
    tl_tally t;
    float    p[MOST];

    (void)state;
    open_world(&w, "ranks");
    TEST_OK(tl_tally_new(test_ctx(), w.n, &t));
    t.task  = &tl_task_table_ordinal;
    t.scale = 1.0;
    for (int64_t r = 0; r < ROWS; r++) {
        const json_t *said = json_array_get(json_object_get(w.part, "said"), (size_t)r);
        tl_tally_row(&t, w.logit + r * w.n, w.rank[r], 0.0);
        memcpy(p, w.logit + r * w.n, (size_t)w.n * sizeof *p);
        tl_ranks_answer(p, w.n);
        for (int64_t c = 0; c < w.n; c++)
            assert_true(fabs((double)p[c] - at(json_object_get(w.part, "probability"), r, c)) <
                        1e-6);
        assert_int_equal(tl_rank_of_logits(w.logit + r * w.n, w.n), json_integer_value(said));
        assert_int_equal(tl_rank_said(p, w.n), json_integer_value(said));
    }
    assert_true(fabs(tl_tally_loss(&t) - tl_json_number(w.part, "loss", NAN)) < 1e-6);
    metric_is(&w, &t, "mae", "mae");
    metric_is(&w, &t, "qwk", "qwk");
    metric_is(&w, &t, "accuracy", "accuracy");
    metric_is(&w, &t, "macro-f1", "macro_f1");
    the_op_agrees(&w);
    close_world(&w, &t);
}

static void a_threshold_gives_the_best_f1(void **state)
{
    /* said from 0.35 on: three of three found with one too many, F1 6/7 */
    tl_marked row[]  = { { 0.1f, false }, { 0.9f, true }, { 0.2f, false }, { 0.4f, true },
                         { 0.6f, false }, { 0.8f, true }, { 0.3f, false } };
    tl_marked none[] = { { 0.9f, false }, { 0.1f, false } };
    tl_marked even[] = { { 0.3f, true }, { 0.3f, false }, { 0.1f, false } };

    (void)state;
    assert_true(fabs((double)tl_best_threshold(row, TL_COUNT(row)) - 0.35) < 1e-6);
    assert_true(fabs((double)tl_best_threshold(none, TL_COUNT(none)) - 0.5) < 1e-6);
    assert_true(fabs((double)tl_best_threshold(even, TL_COUNT(even)) - 0.2) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_scikit_learns),
        cmocka_unit_test(ranks_are_corns),
        cmocka_unit_test(a_threshold_gives_the_best_f1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
