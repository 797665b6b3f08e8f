/* compare.c -- the whole comparison on small made-up pictures: what it writes, that best/ scores
 * what the verdict says, that an interrupted one goes on to the same verdict, that a finished one
 * is read back, and that few rows are folded. */
#include "support/comparison.h"
#include "support/support.h"
#include "core/energy.h"
#include "core/io.h"
#include "data/strokes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void best_scores_what_the_verdict_says(const char *data, const char *out,
                                              const json_t *verdict)
{
    tl_ctx       *ctx   = test_ctx();
    char         *path  = test_in(out, "best");
    tl_model     *model = NULL;
    tl_dataset   *set   = NULL;
    tl_cache     *cache = NULL;
    tl_rows       rest = { 0 }, test = { 0 };
    tl_predictor *p = NULL;
    float        *y;
    int64_t       right = 0;

    TEST_OK(tl_dataset_open(ctx, &(tl_dataset_source){ .train = data }, &set));
    TEST_OK(tl_split_test(ctx, set, 7, 0.2, &rest, &test));
    TEST_OK(tl_model_open(ctx, path, NULL, &model));
    TEST_OK(tl_cache_new(ctx, set, &model->prep, 1 << 24, &cache));
    TEST_OK(tl_predictor_new(ctx, model, TL_PART_WHOLE, 32, &tl_backend_ref, NULL, TL_F32,
                             &p));
    TEST_OK(tl_alloc_array(ctx, (size_t)(test.count * 10), sizeof *y, &y));
    TEST_OK(tl_predictor_rows(ctx, p, cache, test, y));
    for (int64_t r = 0; r < test.count; r++) {
        int best = 0;
        for (int c = 1; c < 10; c++)
            if (y[r * 10 + c] > y[r * 10 + best]) best = c;
        right += best == set->label[test.row[r]];
    }
    const json_t *winner = json_object_get(verdict, "winner");
    assert_int_equal(tl_json_int(winner, "rows", 0), test.count);
    assert_true(fabs(tl_json_number(winner, "test", -1.0) -
                     (double)right / (double)test.count) < 1e-9);
    tl_free(ctx, y);
    tl_predictor_free(ctx, p);
    tl_cache_free(ctx, cache);
    tl_model_free(ctx, model);
    tl_free(ctx, rest.row);
    tl_free(ctx, test.row);
    tl_dataset_close(ctx, set);
    tl_free(ctx, path);
}

static bool has_counters(void)
{
    tl_energy e;

    tl_energy_open(&e, NULL);
    return !isnan(tl_energy_joules(&e));
}

static void check_candidates(const json_t *verdict, size_t count)
{
    const json_t *list = json_object_get(verdict, "candidates");
    size_t        i;
    json_t       *c;

    assert_int_equal(json_array_size(list), count);
    json_array_foreach(list, i, c)
    {
        assert_string_equal(tl_json_text(c, "status", ""), "done");
        assert_int_equal(tl_json_int(c, "seeds", 0), 3);
        assert_true(tl_json_number(json_object_get(c, "test"), "mean", -1.0) > 0.1);
        assert_true(tl_json_number(json_object_get(c, "cost"), "flops", 0.0) > 0.0);
        assert_int_equal(isnan(tl_json_number(json_object_get(c, "cost"), "joules", NAN)),
                         !has_counters());
        assert_true(tl_json_number(json_object_get(c, "inference"), "bytes", 0.0) > 0.0);
    }
}

/* Each route on halves of the rows and on all of them, where it scores as in the verdict. */
static void check_curve(const json_t *verdict)
{
    const json_t *curve = json_object_get(verdict, "curve"), *c, *point;
    const int64_t rows  = tl_json_int(json_object_get(verdict, "data"), "train", 0);
    size_t        i, k;

    assert_true(json_is_null(json_object_get(verdict, "crossover"))); /* there is no base */
    json_array_foreach(json_object_get(verdict, "candidates"), i, c)
    {
        const char *route = tl_json_text(c, "route", "");
        int64_t     last = 0, points = 0;
        double      mean = NAN;
        json_array_foreach(curve, k, point)
        {
            if (strcmp(tl_json_text(point, "route", ""), route) != 0) continue;
            assert_true(tl_json_int(point, "examples", 0) > last);
            last = tl_json_int(point, "examples", 0);
            mean = tl_json_number(point, "mean", NAN);
            points++;
        }
        assert_true(points >= 3 && last == rows);
        assert_true(fabs(mean - tl_json_number(json_object_get(c, "test"), "mean", NAN)) <
                    1e-9);
    }
}

static void a_comparison_writes_what_it_promises(void **state)
{
    tl_ctx     *ctx = test_one_thread();
    char       *top = test_folder(), *data = test_in(top, "data"), *out = test_in(top, "out");
    test_listener    l = { 0 };
    tl_question q = test_question(data, out, &l);
    json_t     *verdict, *again;
    static const char *const files[] = {
        "verdict.json",           "report.html",      "runs.db", "best/config.json",
        "best/model.safetensors", "best/tailor.json", "events",  "checkpoints"
    };

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 3, 300, 200, data));
    TEST_OK(tl_compare(ctx, &q, &verdict));
    for (size_t i = 0; i < TL_COUNT(files); i++) assert_true(test_has(out, files[i]));
    test_verdict_holds(verdict);
    check_candidates(verdict, 2);
    check_curve(verdict);
    assert_int_equal(tl_json_int(json_object_get(verdict, "data"), "test", 0), 200);
    assert_true(json_array_size(json_object_get(verdict, "reasons")) > 1);
    char *reasons = json_dumps(json_object_get(verdict, "reasons"), 0);
    assert_non_null(strstr(reasons, "As measured, it was about "));
    free(reasons);
    best_scores_what_the_verdict_says(data, out, verdict);
    assert_true(l.lines > 0);
    TEST_OK(tl_compare(ctx, &q, &again)); /* finished: read back, nothing is run */
    assert_true(json_equal(verdict, again));
    json_decref(verdict);
    json_decref(again);
    q.seed = 8;
    assert_int_equal(tl_compare(ctx, &q, &again), TL_EUSAGE);
    assert_non_null(strstr(ctx->message, "another comparison"));
    assert_null(again);
    tl_free(ctx, data);
    tl_free(ctx, out);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void an_interrupted_one_goes_on_to_the_same_verdict(void **state)
{
    tl_ctx     *ctx = test_one_thread();
    char       *top = test_folder(), *data = test_in(top, "data");
    char       *straight = test_in(top, "straight"), *broken = test_in(top, "broken");
    test_listener    l = { 0 }, stopping = { .stop_at = 5 };
    tl_question q = test_question(data, straight, &l), r = test_question(data, broken, &stopping);
    json_t     *one, *two = NULL;

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 4, 200, 100, data));
    TEST_OK(tl_compare(ctx, &q, &one));
    assert_true(test_stops_until_done(ctx, &r, &stopping, 3, &two) >= 2);
    char *a = test_comparable(one), *b = test_comparable(two);
    assert_string_equal(a, b);
    free(a);
    free(b);
    json_decref(one);
    json_decref(two);
    tl_free(ctx, data);
    tl_free(ctx, straight);
    tl_free(ctx, broken);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* The finalists have every seed, three of them and who kept up with them; who validation put out
 * says so. */
static void check_who_was_stopped(const json_t *candidates)
{
    int     done = 0, stopped = 0;
    json_t *c;
    size_t  i;

    json_array_foreach(candidates, i, c)
    {
        const bool    early = strcmp(tl_json_text(c, "status", ""), "stopped-early") == 0;
        const int64_t seeds = tl_json_int(c, "seeds", 0);
        stopped += early;
        done += strcmp(tl_json_text(c, "status", ""), "done") == 0;
        assert_int_equal(seeds, early ? 3 : 5);
        assert_true(tl_json_number(json_object_get(c, "test"), "mean", -1.0) >= 0.0);
        if (early)
            assert_non_null(strstr(tl_json_text(c, "why", ""), "it got 3 seeds where"));
        else
            assert_true(json_is_null(json_object_get(c, "why")));
    }
    assert_true(done >= 3);
    assert_int_equal(done + stopped, 6);
}

/* Few rows and no test part of their own: K folds. The base is what another comparison
 * made. */
static void few_rows_are_folded_and_a_base_brings_its_routes(void **state)
{
    tl_ctx *ctx = test_one_thread();
    char   *top = test_folder(), *data = test_in(top, "data"), *small = test_in(top, "small");
    char   *out = test_in(top, "out"), *folded = test_in(top, "folded");
    char   *best = test_in(out, "best");
    const char *const only[] = { "scratch", NULL }, *const bases[] = { best, NULL };
    static const char *const gone[] = { "t10k-images-idx3-ubyte",
                                        "t10k-labels-idx1-ubyte" };
    test_listener                 l      = { 0 };
    tl_question              q = test_question(data, out, &l), r = test_question(small, folded, &l);
    json_t                  *verdict;

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 200, 100, data));
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 6, 60, 10, small));
    for (size_t i = 0; i < TL_COUNT(gone); i++) {
        char *path = test_in(small, gone[i]);
        TEST_OK(tl_remove_tree(ctx, path));
        tl_free(ctx, path);
    }
    q.routes = only;
    TEST_OK(tl_compare(ctx, &q, &verdict));
    assert_string_equal(tl_json_text(verdict, "outcome", ""), "undecided");
    assert_true(json_is_null(json_object_get(verdict, "runner_up")));
    test_verdict_holds(verdict);
    json_decref(verdict);
    r.base   = bases;
    r.routes = NULL;
    r.folds  = 3;
    r.seeds  = 5;
    TEST_OK(tl_compare(ctx, &r, &verdict));
    test_verdict_holds(verdict);
    assert_int_equal(json_array_size(json_object_get(verdict, "candidates")), 6);
    assert_int_equal(tl_json_int(json_object_get(verdict, "data"), "test", 0), 60);
    assert_int_equal(tl_json_int(json_object_get(verdict, "winner"), "rows", 0), 20);
    check_who_was_stopped(json_object_get(verdict, "candidates"));
    json_decref(verdict);
    tl_free(ctx, best);
    tl_free(ctx, data);
    tl_free(ctx, small);
    tl_free(ctx, out);
    tl_free(ctx, folded);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_comparison_writes_what_it_promises),
        cmocka_unit_test(an_interrupted_one_goes_on_to_the_same_verdict),
        cmocka_unit_test(few_rows_are_folded_and_a_base_brings_its_routes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
