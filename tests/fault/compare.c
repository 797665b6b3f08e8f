/* compare.c -- a comparison whose n-th allocation or write fails: a clear error,
 * nothing kept in memory, and the folder is good to go on with. */
#include "support/support.h"
#include "core/io.h"
#include "data/strokes.h"
#include "study/compare.h"

#include <math.h>
#include <string.h>

static const char *const routes[]   = { "scratch", "baseline", NULL };
static const char *const settings[] = { "epochs=1", "batch=16", NULL };

static tl_status compare(const char *data, const char *out, json_t **verdict)
{
    const tl_question q = { .data      = { .train = data },
                            .base_arch = "dense 8 relu",
                            .routes    = routes,
                            .budget_s  = 5.0,
                            .margin    = NAN,
                            .seed      = 1,
                            .seeds     = 1,
                            .precision = "f32",
                            .overrides = settings,
                            .out       = out };

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
        rc         = compare(data, out, &verdict);
        if (*countdown > 0) break;
        if (rc == TL_OK) break; /* what failed was not needed */
        failures++;
        assert_true(ctx->message[0] != 0);
        assert_null(verdict);
        assert_int_equal(ctx->world->now_bytes, before);
    }
    *countdown = 0;
    if (rc != TL_OK) TEST_OK(compare(data, out, &verdict));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_may_fail),
        cmocka_unit_test(writes_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
