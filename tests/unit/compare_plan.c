/* compare_plan.c -- what a comparison says before it runs: what it refuses, the plan, a budget that
 * grows, warnings. */
#include "support/comparison.h"
#include "support/support.h"
#include "core/io.h"
#include "data/strokes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void wrong_questions_are_refused(void **state)
{
    tl_ctx *ctx = test_one_thread();
    char   *top = test_folder(), *data = test_in(top, "data"), *out = test_in(top, "out");
    static const char *const unknown[] = { "scrach", NULL }, *const probe[] = { "probe",
                                                                                NULL };
    static const char *const set[] = { "optim.lt=1", NULL };
    test_listener                 l     = { 0 };
    tl_question              q     = test_question(data, out, &l);
    json_t                  *verdict;

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 60, 40, data));
    q.routes = unknown;
    assert_int_equal(tl_compare(ctx, &q, &verdict), TL_EUSAGE);
    assert_non_null(strstr(ctx->message, "did you mean scratch"));
    q.routes = probe;
    assert_int_equal(tl_compare(ctx, &q, &verdict), TL_EUSAGE);
    assert_non_null(strstr(ctx->message, "--base"));
    q.routes    = test_routes;
    q.overrides = set;
    assert_int_equal(tl_compare(ctx, &q, &verdict), TL_EUSAGE);
    q.overrides = NULL;
    q.metric    = "beauty";
    assert_int_equal(tl_compare(ctx, &q, &verdict), TL_EUSAGE);
    q.metric    = NULL;
    q.precision = "f8";
    assert_int_equal(tl_compare(ctx, &q, &verdict), TL_EUSAGE);
    q.precision  = "f32";
    q.data.train = top;
    assert_int_not_equal(tl_compare(ctx, &q, &verdict), TL_OK);
    assert_null(verdict);
    tl_free(ctx, data);
    tl_free(ctx, out);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* Nothing but the plan: no folder is made. */
static void a_dry_run_writes_nothing(void **state)
{
    tl_ctx     *ctx = test_one_thread();
    char       *top = test_folder(), *data = test_in(top, "data"), *out = test_in(top, "out");
    test_listener    l = { 0 };
    tl_question q = test_question(data, out, &l);
    json_t     *plan;

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 100, 50, data));
    q.dry_run = true;
    TEST_OK(tl_compare(ctx, &q, &plan));
    assert_false(tl_exists(out));
    const json_t *first = json_array_get(json_object_get(plan, "candidates"), 0);
    assert_string_equal(tl_json_text(first, "route", ""), "baseline");
    assert_true(tl_json_number(json_object_get(first, "forecast"), "seconds", 0.0) > 0.0);
    json_decref(plan);
    tl_free(ctx, data);
    tl_free(ctx, out);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static double planned_budget(const tl_question *q, const char **status)
{
    json_t *plan;

    TEST_OK(tl_compare(test_ctx(), q, &plan));
    const double  seconds   = tl_json_number(plan, "budget", NAN);
    const json_t *last      = json_array_get(json_object_get(plan, "candidates"), 1);
    const json_t *last_said = json_object_get(last, "status");
    *status = json_is_string(last_said) ? "not-run" : "run";
    json_decref(plan);
    return seconds;
}

/* Too little for the network: it grows where it may, as far as it may, and no farther. */
static void a_budget_grows_where_it_may(void **state)
{
    tl_ctx     *ctx = test_one_thread();
    char       *top = test_folder(), *data = test_in(top, "data"), *out = test_in(top, "out");
    test_listener    l = { 0 };
    tl_question q = test_question(data, out, &l);
    const char *status;

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 100, 50, data));
    q.dry_run  = true;
    q.budget_s = 1e-4;
    assert_true(planned_budget(&q, &status) <= 1e-4);
    assert_string_equal(status, "not-run");
    q.budget_most_s = 600.0;
    const double grown = planned_budget(&q, &status);
    assert_true(grown > 1e-4 && grown <= 600.0);
    assert_string_equal(status, "run");
    tl_free(ctx, data);
    tl_free(ctx, out);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* --memory took rows from a batch norm's statistics: a warning of the verdict says so. */
static void smaller_batch_statistics_are_a_warning(void **state)
{
    tl_ctx     *ctx = test_one_thread();
    char       *top = test_folder(), *data = test_in(top, "data"), *out = test_in(top, "out");
    test_listener    l = { 0 };
    tl_question q = test_question(data, out, &l);
    json_t     *plan;
    static const char *const scratch[] = { "scratch", NULL };

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 100, 50, data));
    q.base_arch = "conv 32 3, norm batch, relu, conv 32 3, norm batch, relu, gpool";
    q.routes    = scratch;
    q.dry_run   = true;
    double peak = 0.0, share = 1.0;
    bool   said = false;
    for (; share > 0.2 && !said; share -= 0.1) { /* until rows must go */
        q.memory_bytes = (size_t)(share * peak);
        TEST_OK(tl_compare(ctx, &q, &plan));
        char         *text  = json_dumps(json_object_get(plan, "warnings"), 0);
        const json_t *first = json_array_get(json_object_get(plan, "candidates"), 0);
        said = strstr(text, "scratch: --memory leaves room") != NULL;
        assert_false(said && peak == 0.0); /* without a limit nothing is taken */
        if (peak == 0.0)
            peak = tl_json_number(json_object_get(first, "forecast"), "peak_bytes", 0.0);
        free(text);
        json_decref(plan);
    }
    assert_true(said);
    tl_free(ctx, data);
    tl_free(ctx, out);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_questions_are_refused),
        cmocka_unit_test(a_dry_run_writes_nothing),
        cmocka_unit_test(a_budget_grows_where_it_may),
        cmocka_unit_test(smaller_batch_statistics_are_a_warning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
