/* compare.c -- a comparison whose n-th allocation or write fails: a clear error,
 * nothing kept in memory, and the folder is good to go on with. */
#include "support/support.h"
#include "core/io.h"
#include "core/text.h"
#include "data/strokes.h"
#include "study/compare.h"

#include <math.h>
#include <string.h>

static const char *const routes[]   = { "baseline", "scratch", NULL };
static const char *const settings[] = { "epochs=1", "batch=16", NULL };

/* The allocation after a line of progress fails, in the midst of a run. */
static void starve(void *user, const tl_progress *p)
{
    const bool *starving = user;

    (void)p;
    if (*starving) test_ctx()->world->fault_alloc = 1;
}

/* `starving`: NULL, or of the scratch route alone: whether each of its runs lacks memory. */
static tl_status compare(const char *data, const char *out, bool *starving, json_t **verdict)
{
    const tl_question q = { .data      = { .train = data },
                            .base_arch = "dense 8 relu",
                            .routes    = starving ? routes + 1 : routes,
                            .budget_s  = 600.0,
                            .margin    = NAN,
                            .seed      = 1,
                            .seeds     = 1,
                            .precision = "f32",
                            .overrides = settings,
                            .out       = out,
                            .progress  = starving ? starve : NULL,
                            .user      = starving };

    return tl_compare(test_ctx(), &q, verdict);
}

/* Fails later and later, until nothing fails; then the folder must end in a verdict. */
static void fail_later_and_later(_Atomic int64_t *countdown)
{
    tl_ctx   *ctx      = test_ctx();
    char     *top      = test_folder(), *data, *out;
    json_t   *verdict  = NULL;
    int       failures = 0;
    tl_status rc;

    ctx->world->threads = 1;
    TEST_OK(tl_path_join(ctx, top, "data", &data));
    TEST_OK(tl_path_join(ctx, top, "out", &out));
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 9, 60, 40, data));
    const size_t before = ctx->world->now_bytes;
    for (int64_t n = 1;; n += 1 + n / 2) {
        *countdown = n;
        rc         = compare(data, out, NULL, &verdict);
        if (*countdown > 0) break;
        if (rc == TL_OK) break; /* what failed was not needed */
        failures++;
        assert_true(ctx->message[0] != 0);
        assert_null(verdict);
        assert_int_equal(ctx->world->now_bytes, before);
    }
    *countdown = 0;
    if (rc != TL_OK) TEST_OK(compare(data, out, NULL, &verdict));
    assert_true(failures > 3);
    assert_non_null(json_object_get(verdict, "winner"));
    json_decref(verdict);
    tl_free(ctx, data);
    tl_free(ctx, out);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void allocations_may_fail(void **state)
{
    (void)state;
    fail_later_and_later(&test_fresh()->world->fault_alloc);
}

static void writes_may_fail(void **state)
{
    (void)state;
    fail_later_and_later(&test_fresh()->world->fault_write);
}

/* Memory may be free another time: whoever goes on tries the run again. */
static void a_run_that_lacked_memory_is_tried_again(void **state)
{
    tl_ctx *ctx      = test_fresh();
    char   *top      = test_folder(), *data, *out;
    bool    starving = true;
    json_t *verdict  = NULL;

    (void)state;
    ctx->world->threads = 1;
    TEST_OK(tl_path_join(ctx, top, "data", &data));
    TEST_OK(tl_path_join(ctx, top, "out", &out));
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 9, 60, 40, data));
    assert_int_equal(compare(data, out, &starving, &verdict), TL_EFAIL); /* none is left */
    assert_null(verdict);
    starving = false;
    TEST_OK(compare(data, out, &starving, &verdict));
    assert_string_equal(tl_json_text(json_object_get(verdict, "winner"), "route", ""), "scratch");
    json_decref(verdict);
    tl_free(ctx, data);
    tl_free(ctx, out);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_may_fail),
        cmocka_unit_test(writes_may_fail),
        cmocka_unit_test(a_run_that_lacked_memory_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
