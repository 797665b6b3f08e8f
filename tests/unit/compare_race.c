/* compare_race.c -- what a comparison does not do twice or to the end: settings are raced, routes
 * foretold to lose are stopped, frozen blocks are gone through once. */
#include "support/comparison.h"
#include "support/support.h"
#include "data/strokes.h"
#include "train/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Foretellings of a candidate at a rung, and how many of them were stopped there. */
static int told_at(const json_t *candidate, double least, double most, int *stopped)
{
    json_t *t;
    size_t  i;
    int     told = 0;

    *stopped = 0;
    json_array_foreach(json_object_get(candidate, "race"), i, t)
    {
        const double share = tl_json_number(t, "share", -1.0);
        if (share < least || share >= most) continue;
        told++;
        *stopped += tl_json_bool(t, "stopped", false);
        assert_true(tl_json_number(t, "foretold", -1.0) >= tl_json_number(t, "seen", 2.0));
        if (tl_json_bool(t, "stopped", false))
            assert_true(json_is_null(json_object_get(t, "ended")));
    }
    return told;
}

static void check_saved(const json_t *verdict)
{
    const json_t *saved = json_object_get(json_object_get(verdict, "budget"), "saved");
    double        sum   = tl_json_number(saved, "runs_seconds", NAN);

    /* on few rows every setting begins under as many seeds as it would get alone */
    assert_true(tl_json_int(saved, "alone_runs", 0) >= tl_json_int(saved, "runs", 1000));
    assert_true(tl_json_number(saved, "stopping", 0.0) > 0.0);
    sum += tl_json_number(saved, "caching", NAN) + tl_json_number(saved, "sharing", NAN) +
           tl_json_number(saved, "stopping", NAN);
    assert_true(tl_json_number(saved, "alone_seconds", 0.0) >= sum - 1e-9);
}

/* Every trained route has the same trials and rungs; what was stopped is written down. */
static void settings_are_raced_fairly(void **state)
{
    tl_ctx     *ctx = test_one_thread();
    char       *top = test_folder(), *data = test_in(top, "data"), *out = test_in(top, "out");
    char       *more = test_in(top, "more"), *best = test_in(out, "best");
    const char *const only[] = { "scratch", NULL }, *const bases[] = { best, NULL };
    static const char *const trained[] = { "scratch", "full", "partial", NULL };
    static const char *const longer[]  = { "epochs=9", "least_steps=0", "patience=0",
                                           "batch=32", NULL };
    test_listener                 l = { 0 };
    tl_question              q = test_question(data, out, &l), r = test_question(data, more, &l);
    json_t                  *verdict, *race;
    int                      stopped, ended = 0;

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 200, 600, data));
    q.routes = only;
    TEST_OK(tl_compare(ctx, &q, &verdict));
    json_decref(verdict);
    r.base      = bases;
    r.routes    = trained;
    r.overrides = longer;
    TEST_OK(tl_compare(ctx, &r, &verdict));
    test_verdict_holds(verdict);
    race = json_object_get(verdict, "race");
    assert_int_equal(tl_json_int(race, "trials", 0), 5);
    assert_int_equal(tl_json_int(race, "draws", 0), 3); /* validation has few rows */
    for (size_t i = 0; trained[i]; i++) {
        const json_t *c = test_candidate(verdict, trained[i]);
        assert_int_equal(told_at(c, 0.3, 0.6, &stopped), 3 * 5);
        assert_int_equal(stopped, 3 * 2);
        assert_int_equal(told_at(c, 0.6, 0.99, &stopped), 3 * 3);
        assert_int_equal(stopped, 3 * 1);
        ended += 3 * 4; /* of the two that ran on, at both rungs */
    }
    assert_int_equal(tl_json_int(race, "ended", 0), ended);
    assert_true(tl_json_int(race, "missed", 100) <= ended);
    assert_true(tl_json_int(race, "stopped", 0) >= 27);
    check_saved(verdict);
    json_decref(verdict);
    tl_free(ctx, best);
    tl_free(ctx, data);
    tl_free(ctx, out);
    tl_free(ctx, more);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* A route that hardly learns, beside the probe of a base that knows the digits. */
static void a_route_foretold_to_lose_is_stopped(void **state)
{
    tl_ctx     *ctx = test_one_thread();
    char       *top = test_folder(), *data = test_in(top, "data"), *out = test_in(top, "out");
    char       *more = test_in(top, "more"), *broken = test_in(top, "broken");
    char       *best = test_in(out, "best");
    const char *const only[] = { "scratch", NULL }, *const bases[] = { best, NULL };
    static const char *const two[]  = { "probe", "full", NULL };
    static const char *const slow[] = { "epochs=9", "least_steps=0", "patience=0", "batch=32",
                                        "full.optim.lr=1e-7", NULL };
    static const char *const well[] = { "epochs=12", "batch=16", "optim.lr=0.01", NULL };
    test_listener                 l = { 0 }, stopping = { .stop_at = 3 };
    tl_question q = test_question(data, out, &l), r = test_question(data, more, &l),
                b = test_question(data, broken, &stopping);
    json_t     *verdict, *again = NULL;
    int         stopped;

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 600, 600, data));
    q.routes    = only;
    q.overrides = well;
    TEST_OK(tl_compare(ctx, &q, &verdict));
    json_decref(verdict);
    r.base      = bases;
    r.routes    = two;
    r.overrides = slow;
    TEST_OK(tl_compare(ctx, &r, &verdict));
    test_verdict_holds(verdict);
    const json_t *full = test_candidate(verdict, "full");
    assert_string_equal(tl_json_text(full, "status", ""), "stopped-early");
    assert_non_null(strstr(tl_json_text(full, "why", ""), "foretold"));
    assert_int_equal(tl_json_int(full, "seeds", -1), 0);
    assert_true(json_is_null(json_object_get(full, "test"))); /* nobody asked it */
    assert_int_equal(told_at(full, 0.6, 0.99, &stopped), 1);
    assert_int_equal(stopped, 1);
    assert_true(json_is_null(json_object_get(test_candidate(verdict, "probe"), "why")));
    assert_int_equal(tl_json_int(json_object_get(verdict, "race"), "regretted", -1), 0);
    /* interrupted again and again, the same decisions on the same curves */
    b.base      = bases;
    b.routes    = two;
    b.overrides = slow;
    test_stops_until_done(ctx, &b, &stopping, 2, &again);
    char *x = test_comparable(verdict), *y = test_comparable(again);
    assert_string_equal(x, y);
    free(x);
    free(y);
    json_decref(verdict);
    json_decref(again);
    tl_free(ctx, best);
    tl_free(ctx, data);
    tl_free(ctx, out);
    tl_free(ctx, more);
    tl_free(ctx, broken);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* What making the frozen blocks' outputs took, as runs.db has it: once, for the first in need. */
static void check_passes(const char *out)
{
    tl_store   *store;
    json_t     *passes, *pass;
    const char *key;

    TEST_OK(tl_store_open(test_ctx(), out, &store));
    TEST_OK(tl_store_get(test_ctx(), store, "kept", &passes));
    assert_int_equal(json_object_size(passes), 1);
    json_object_foreach(passes, key, pass)
    {
        assert_non_null(strstr(tl_json_text(pass, "entry", ""), "partial"));
        assert_true(tl_json_number(pass, "flops", 0.0) > 0.0);
    }
    json_decref(passes);
    tl_store_close(test_ctx(), store);
}

static double flops_of(const json_t *verdict, const char *route)
{
    return tl_json_number(json_object_get(test_candidate(verdict, route), "cost"), "flops", NAN);
}

/* Two routes over the same frozen block, five settings and three seeds each: one pass serves all,
 * killed or not, and it is charged once. */
static void frozen_blocks_are_gone_through_once(void **state)
{
    tl_ctx     *ctx = test_one_thread();
    char       *top = test_folder(), *data = test_in(top, "data"), *out = test_in(top, "out");
    char       *more = test_in(top, "more"), *broken = test_in(top, "broken");
    char       *best = test_in(out, "best");
    const char *const only[] = { "scratch", NULL }, *const bases[] = { best, NULL };
    static const char *const above[] = { "partial", "lora", NULL };
    static const char *const one[]   = { "epochs=3", "least_steps=0", "patience=0", "batch=32",
                                         "top_blocks=1", NULL };
    test_listener    l = { 0 }, stopping = { .stop_at = 3 };
    tl_question q = test_question(data, out, &l), r = test_question(data, more, &l),
                b = test_question(data, broken, &stopping);
    json_t     *verdict, *again = NULL;

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 200, 200, data));
    q.base_arch = "dense 24 relu, dense 16 relu";
    q.routes    = only;
    TEST_OK(tl_compare(ctx, &q, &verdict));
    json_decref(verdict);
    r.base = b.base = bases;
    r.routes = b.routes = above;
    r.overrides = b.overrides = one;
    TEST_OK(tl_compare(ctx, &r, &verdict));
    check_passes(more);
    const json_t *saved = json_object_get(json_object_get(verdict, "budget"), "saved");
    assert_true(tl_json_number(saved, "caching", 0.0) > 0.0);
    assert_true(tl_json_number(saved, "sharing", 0.0) > 0.0);
    test_stops_until_done(ctx, &b, &stopping, 25, &again);
    check_passes(broken);
    char *x = test_comparable(verdict), *y = test_comparable(again);
    assert_string_equal(x, y);
    for (size_t i = 0; above[i]; i++)
        assert_true(fabs(flops_of(verdict, above[i]) - flops_of(again, above[i])) < 1.0);
    free(x);
    free(y);
    json_decref(verdict);
    json_decref(again);
    tl_free(ctx, best);
    tl_free(ctx, data);
    tl_free(ctx, out);
    tl_free(ctx, more);
    tl_free(ctx, broken);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_raced_fairly),
        cmocka_unit_test(a_route_foretold_to_lose_is_stopped),
        cmocka_unit_test(frozen_blocks_are_gone_through_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
