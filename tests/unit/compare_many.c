/* compare_many.c -- many candidates: memory that does not grow with them, and the same ranking
 * when the comparison was interrupted twice (tools/accept-many does it with 200 and kill -9). */
#include "support/support.h"
#include "bundle/model.h"
#include "core/io.h"
#include "data/strokes.h"
#include "study/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BASES = 5, WIDTH = 200, ROWS = 150, TEST_ROWS = 60 };

typedef struct {
    int64_t lines, stop_at, runs; /* runs of `full` from any base */
    size_t  first, last; /* bytes held where the first and the last of them begin */
} listener;

static void on_progress(void *user, const tl_progress *p)
{
    listener *l = user;

    if (strcmp(p->route, "full") == 0 && p->epoch == 1 && p->step == 1) {
        l->last = test_ctx()->world->now_bytes;
        if (l->runs++ == 0) l->first = l->last;
    }
    if (++l->lines == l->stop_at) test_ctx()->world->cancel = 1;
}

/* A network that has learnt nothing, as anyone would save it. */
static void write_base(const char *path, const char *words, uint64_t seed)
{
    tl_ctx     *ctx = test_ctx();
    tl_arch     arch;
    tl_model   *model = NULL;
    tl_prep     prep;
    const char *name[10] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" };

    TEST_OK(tl_arch_parse(ctx, words, TL_SHAPE(28, 28, 1), 10, &arch));
    assert_true(tl_prep_named("unit", &prep));
    prep.height = prep.width = 28;
    prep.channels            = 1;
    TEST_OK(tl_model_new(ctx, &arch, &prep, (char *const *)(uintptr_t)name, seed, &model));
    TEST_OK(tl_model_save(ctx, model, NULL, path));
    tl_model_free(ctx, model);
    tl_arch_free(ctx, &arch);
}

/* The candidates by their score on test, and every foretelling. */
static char *ranking_of(const json_t *verdict)
{
    json_t *list = json_array(), *c;
    size_t  i;

    json_array_foreach(json_object_get(verdict, "candidates"), i, c)
        json_array_append_new(
            list, json_pack("[O, O, O, O, O]", json_object_get(c, "route"),
                            json_object_get(c, "base"), json_object_get(c, "status"),
                            json_object_get(c, "test"), json_object_get(c, "race")));
    char *text = json_dumps(list, JSON_SORT_KEYS);
    json_decref(list);
    return text;
}

/* Straight through, and interrupted twice; on two threads runs are made side by side. */
static void broken_equals_straight(int threads)
{
    listener                 free_run = { 0 }, stopping = { 0 };
    static const char *const routes[]   = { "baseline", "scratch", "probe", "full", "lp-ft", NULL };
    static const char *const settings[] = { "epochs=2", "least_steps=0", "batch=32",
                                                "optim.lr=0.01", NULL };
    tl_ctx     *ctx = test_fresh();
    char       *top = test_folder(), base[BASES][300], data[300], out[2][300];
    const char *bases[BASES + 1] = { NULL };
    json_t     *verdict, *again = NULL;
    tl_status   rc = TL_ECANCEL;
    int         stops = 0;

    ctx->world->threads = threads;
    snprintf(data, sizeof data, "%s/data", top);
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, ROWS, TEST_ROWS, data));
    for (int i = 0; i < BASES; i++) {
        snprintf(base[i], sizeof base[i], "%s/base-%d", top, i);
        write_base(base[i], "dense 12 relu, dense 200 relu", (uint64_t)i);
        bases[i] = base[i];
    }
    snprintf(out[0], sizeof out[0], "%s/straight", top);
    snprintf(out[1], sizeof out[1], "%s/broken", top);
    tl_question q = { .data      = { .train = data },
                      .base      = bases,
                      .routes    = routes,
                      .budget_s  = 7200.0,
                      .margin    = NAN,
                      .seed      = 3,
                      .seeds     = 1,
                      .precision = "f32",
                      .overrides = settings,
                      .out       = out[0],
                      .progress  = on_progress,
                      .user      = &free_run };
    TEST_OK(tl_compare(ctx, &q, &verdict));
    assert_int_equal(json_array_size(json_object_get(verdict, "candidates")), 2 + 3 * BASES);
    const int64_t third = free_run.lines / (threads == 1 ? 3 : 6); /* some may not be passed on */
    assert_true(third > 3);
    /* between them lie most of the runs, and features of all bases but one */
    const size_t features = (size_t)(ROWS + TEST_ROWS) * WIDTH * sizeof(float);
    if (threads == 1) assert_true(free_run.runs >= BASES);
    assert_true(free_run.last < free_run.first + features);
    q.out  = out[1];
    q.user = &stopping;
    for (int64_t at = third; rc == TL_ECANCEL && stops < 3; at = stops < 2 ? third : 0) {
        ctx->world->cancel = 0;
        stopping.lines     = 0;
        stopping.stop_at   = at;
        rc                 = tl_compare(ctx, &q, &again);
        stops += rc == TL_ECANCEL;
    }
    ctx->world->cancel = 0;
    TEST_OK(rc);
    assert_true(stops == 2);
    char *a = ranking_of(verdict), *b = ranking_of(again);
    assert_string_equal(a, b);
    free(a);
    free(b);
    json_decref(verdict);
    json_decref(again);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void many_candidates_take_no_more_memory(void **state)
{
    (void)state;
    broken_equals_straight(1);
}

static void side_by_side_it_ends_the_same(void **state)
{
    (void)state;
    broken_equals_straight(2);
}

/* Of three bases one sees next to nothing: what its probe has with one seed says enough. */
static void seeds_in_vain_are_not_run(void **state)
{
    static const char *const routes[] = { "baseline", "probe", NULL };
    tl_ctx     *ctx = test_fresh();
    char       *top = test_folder(), wide[2][300], narrow[300], data[300], out[300];
    const char *bases[] = { wide[0], wide[1], narrow, NULL };
    json_t     *verdict, *c;
    size_t      i;
    int         probes = 0;

    (void)state;
    ctx->world->threads = 1;
    snprintf(data, sizeof data, "%s/data", top);
    snprintf(narrow, sizeof narrow, "%s/narrow", top);
    snprintf(out, sizeof out, "%s/out", top);
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 400, TEST_ROWS, data));
    for (int k = 0; k < 2; k++) {
        snprintf(wide[k], sizeof wide[k], "%s/wide-%d", top, k);
        write_base(wide[k], "dense 200 relu", (uint64_t)k);
    }
    write_base(narrow, "dense 1 relu", 2);
    const tl_question q = { .data      = { .train = data },
                            .base      = bases,
                            .routes    = routes,
                            .budget_s  = 7200.0,
                            .margin    = NAN,
                            .seed      = 3,
                            .seeds     = 3,
                            .precision = "f32",
                            .out       = out };
    TEST_OK(tl_compare(ctx, &q, &verdict));
    json_array_foreach(json_object_get(verdict, "candidates"), i, c)
    {
        const bool few = strstr(tl_json_text(c, "base", ""), "narrow") != NULL;
        if (strcmp(tl_json_text(c, "route", ""), "probe") != 0) continue;
        probes++;
        assert_int_equal(tl_json_int(c, "seeds", 0), few ? 1 : 3);
        assert_string_equal(tl_json_text(c, "status", ""), few ? "stopped-early" : "done");
        if (few) assert_non_null(strstr(tl_json_text(c, "why", ""), "more seeds could not"));
        assert_int_equal(json_array_size(json_object_get(c, "race")), few);
    }
    assert_int_equal(probes, 3);
    json_decref(verdict);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_candidates_take_no_more_memory),
        cmocka_unit_test(side_by_side_it_ends_the_same),
        cmocka_unit_test(seeds_in_vain_are_not_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
