/* compare.c -- the whole comparison on small made-up pictures: what it writes, that
 * best/ scores what the verdict says, that an interrupted one goes on to the same
 * verdict, that a finished one is read back, and what it refuses. */
#include "support/schema.h"
#include "support/support.h"
#include "core/energy.h"
#include "core/io.h"
#include "core/machine.h"
#include "core/text.h"
#include "data/strokes.h"
#include "study/compare.h"
#include "train/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t lines,
        stop_at; /* stop_at > 0: Ctrl-C at that line of progress                  */
    bool quiet;
} listener;

static void on_progress(void *user, const tl_progress *p)
{
    listener *l = user;

    assert_string_equal(p->metric_name, "accuracy");
    if (++l->lines == l->stop_at) test_ctx()->world->cancel = 1;
}

static void on_say(void *user, const char *line)
{
    (void)user;
    if (getenv("TEST_SAY")) fprintf(stderr, "# %s\n", line);
}

static const char *const routes[]   = { "baseline", "scratch", NULL };
static const char *const settings[] = { "epochs=3", "least_steps=20", "batch=32", NULL };

/* One thread: the pictures are so few that a team waits more than it works. */
static tl_ctx *fresh(void)
{
    test_fresh()->world->threads = 1;
    return test_ctx();
}

static tl_question question(const char *data, const char *out, listener *l)
{
    return (tl_question){ .data = { .train = data, .limit_bytes = (size_t)256 << 20 },
                          .base_arch = "dense 24 relu",
                          .routes    = routes,
                          .budget_s  = 600.0,
                          .margin    = NAN,
                          .seed      = 7,
                          .seeds     = 3,
                          .precision = "f32",
                          .overrides = settings,
                          .out       = out,
                          .progress  = on_progress,
                          .say       = on_say,
                          .user      = l };
}

static char *in(const char *folder, const char *name)
{
    char *path;

    TEST_OK(tl_path_join(test_ctx(), folder, name, &path));
    return path;
}

static bool has(const char *folder, const char *name)
{
    char      *path  = in(folder, name);
    const bool found = tl_exists(path);

    tl_free(test_ctx(), path);
    return found;
}

/* What two verdicts of the same question must share. */
static char *comparable(const json_t *verdict)
{
    json_t *copy = json_deep_copy(verdict), *c;
    size_t  i;

    json_object_del(copy, "budget");
    json_array_foreach(json_object_get(copy, "candidates"), i, c)
    {
        json_object_del(c, "cost");
        json_object_del(c, "forecast");
        json_object_del(json_object_get(c, "inference"), "ms_per_row");
    }
    char *text = json_dumps(copy, JSON_INDENT(1) | JSON_SORT_KEYS);
    json_decref(copy);
    return text;
}

static void best_scores_what_the_verdict_says(const char *data, const char *out,
                                              const json_t *verdict)
{
    tl_ctx       *ctx   = test_ctx();
    char         *path  = in(out, "best");
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

static void holds_to_its_schema(const json_t *verdict)
{
    json_t *schema;
    char    why[400];

    TEST_OK(tl_json_read(test_ctx(), TEST_FOLDER "/../schemas/verdict.schema.json",
                         1 << 20, &schema));
    if (!test_schema(schema, verdict, why, sizeof why)) fail_msg("verdict.json%s", why);
    json_t *bad = json_deep_copy(verdict); /* the check itself can fail */
    json_object_set_new(bad, "outcome", json_string("perhaps"));
    assert_false(test_schema(schema, bad, why, sizeof why));
    json_object_set(bad, "outcome", json_object_get(verdict, "outcome"));
    json_object_set_new(json_object_get(bad, "winner"), "extra", json_true());
    assert_false(test_schema(schema, bad, why, sizeof why));
    json_decref(bad);
    json_decref(schema);
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
    tl_ctx     *ctx = fresh();
    char       *top = test_folder(), *data = in(top, "data"), *out = in(top, "out");
    listener    l = { 0 };
    tl_question q = question(data, out, &l);
    json_t     *verdict, *again;
    static const char *const files[] = {
        "verdict.json",           "report.html",      "runs.db", "best/config.json",
        "best/model.safetensors", "best/tailor.json", "events",  "checkpoints"
    };

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 3, 300, 200, data));
    TEST_OK(tl_compare(ctx, &q, &verdict));
    for (size_t i = 0; i < TL_COUNT(files); i++) assert_true(has(out, files[i]));
    holds_to_its_schema(verdict);
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

/* Interrupted and gone on with, after so many more lines each time, until it ends. */
static int stops_until_done(tl_ctx *ctx, const tl_question *q, listener *l, int lines, json_t **out)
{
    tl_status rc    = TL_ECANCEL;
    int       stops = 0;

    while (rc == TL_ECANCEL && stops < 100) {
        ctx->world->cancel = 0;
        l->lines           = 0;
        l->stop_at += lines;
        rc = tl_compare(ctx, q, out);
        stops += rc == TL_ECANCEL;
    }
    ctx->world->cancel = 0;
    if (rc != TL_OK) fail_msg("%s", ctx->message);
    return stops;
}

static void an_interrupted_one_goes_on_to_the_same_verdict(void **state)
{
    tl_ctx     *ctx = fresh();
    char       *top = test_folder(), *data = in(top, "data");
    char       *straight = in(top, "straight"), *broken = in(top, "broken");
    listener    l = { 0 }, stopping = { .stop_at = 5 };
    tl_question q = question(data, straight, &l), r = question(data, broken, &stopping);
    json_t     *one, *two = NULL;

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 4, 200, 100, data));
    TEST_OK(tl_compare(ctx, &q, &one));
    assert_true(stops_until_done(ctx, &r, &stopping, 3, &two) >= 2);
    char *a = comparable(one), *b = comparable(two);
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
    tl_ctx *ctx = fresh();
    char   *top = test_folder(), *data = in(top, "data"), *small = in(top, "small");
    char   *out = in(top, "out"), *folded = in(top, "folded"), *best = in(out, "best");
    const char *const only[] = { "scratch", NULL }, *const bases[] = { best, NULL };
    static const char *const gone[] = { "t10k-images-idx3-ubyte",
                                        "t10k-labels-idx1-ubyte" };
    listener                 l      = { 0 };
    tl_question              q = question(data, out, &l), r = question(small, folded, &l);
    json_t                  *verdict;

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 200, 100, data));
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 6, 60, 10, small));
    for (size_t i = 0; i < TL_COUNT(gone); i++) {
        char *path = in(small, gone[i]);
        TEST_OK(tl_remove_tree(ctx, path));
        tl_free(ctx, path);
    }
    q.routes = only;
    TEST_OK(tl_compare(ctx, &q, &verdict));
    assert_string_equal(tl_json_text(verdict, "outcome", ""), "undecided");
    assert_true(json_is_null(json_object_get(verdict, "runner_up")));
    holds_to_its_schema(verdict);
    json_decref(verdict);
    r.base   = bases;
    r.routes = NULL;
    r.folds  = 3;
    r.seeds  = 5;
    TEST_OK(tl_compare(ctx, &r, &verdict));
    holds_to_its_schema(verdict);
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

static const json_t *candidate_of(const json_t *verdict, const char *route)
{
    json_t *c;
    size_t  i;

    json_array_foreach(json_object_get(verdict, "candidates"), i, c)
        if (strcmp(tl_json_text(c, "route", ""), route) == 0) return c;
    fail_msg("no candidate %s", route);
    return NULL;
}

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
    tl_ctx     *ctx = fresh();
    char       *top = test_folder(), *data = in(top, "data"), *out = in(top, "out");
    char       *more = in(top, "more"), *best = in(out, "best");
    const char *const only[] = { "scratch", NULL }, *const bases[] = { best, NULL };
    static const char *const trained[] = { "scratch", "full", "partial", NULL };
    static const char *const longer[]  = { "epochs=9", "least_steps=0", "patience=0",
                                           "batch=32", NULL };
    listener                 l = { 0 };
    tl_question              q = question(data, out, &l), r = question(data, more, &l);
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
    holds_to_its_schema(verdict);
    race = json_object_get(verdict, "race");
    assert_int_equal(tl_json_int(race, "trials", 0), 5);
    assert_int_equal(tl_json_int(race, "draws", 0), 3); /* validation has few rows */
    for (size_t i = 0; trained[i]; i++) {
        const json_t *c = candidate_of(verdict, trained[i]);
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
    tl_ctx     *ctx = fresh();
    char       *top = test_folder(), *data = in(top, "data"), *out = in(top, "out");
    char       *more = in(top, "more"), *broken = in(top, "broken"), *best = in(out, "best");
    const char *const only[] = { "scratch", NULL }, *const bases[] = { best, NULL };
    static const char *const two[]  = { "probe", "full", NULL };
    static const char *const slow[] = { "epochs=9", "least_steps=0", "patience=0", "batch=32",
                                        "full.optim.lr=1e-7", NULL };
    static const char *const well[] = { "epochs=12", "batch=16", "optim.lr=0.01", NULL };
    listener                 l = { 0 }, stopping = { .stop_at = 3 };
    tl_question q = question(data, out, &l), r = question(data, more, &l),
                b = question(data, broken, &stopping);
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
    holds_to_its_schema(verdict);
    const json_t *full = candidate_of(verdict, "full");
    assert_string_equal(tl_json_text(full, "status", ""), "stopped-early");
    assert_non_null(strstr(tl_json_text(full, "why", ""), "foretold"));
    assert_int_equal(tl_json_int(full, "seeds", -1), 0);
    assert_true(json_is_null(json_object_get(full, "test"))); /* nobody asked it */
    assert_int_equal(told_at(full, 0.6, 0.99, &stopped), 1);
    assert_int_equal(stopped, 1);
    assert_true(json_is_null(json_object_get(candidate_of(verdict, "probe"), "why")));
    assert_int_equal(tl_json_int(json_object_get(verdict, "race"), "regretted", -1), 0);
    /* interrupted again and again, the same decisions on the same curves */
    b.base      = bases;
    b.routes    = two;
    b.overrides = slow;
    stops_until_done(ctx, &b, &stopping, 2, &again);
    char *x = comparable(verdict), *y = comparable(again);
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
    return tl_json_number(json_object_get(candidate_of(verdict, route), "cost"), "flops", NAN);
}

/* Two routes over the same frozen block, five settings and three seeds each: one pass serves all,
 * killed or not, and it is charged once. */
static void frozen_blocks_are_gone_through_once(void **state)
{
    tl_ctx     *ctx = fresh();
    char       *top = test_folder(), *data = in(top, "data"), *out = in(top, "out");
    char       *more = in(top, "more"), *broken = in(top, "broken"), *best = in(out, "best");
    const char *const only[] = { "scratch", NULL }, *const bases[] = { best, NULL };
    static const char *const above[] = { "partial", "lora", NULL };
    static const char *const one[]   = { "epochs=3", "least_steps=0", "patience=0", "batch=32",
                                         "top_blocks=1", NULL };
    listener    l = { 0 }, stopping = { .stop_at = 3 };
    tl_question q = question(data, out, &l), r = question(data, more, &l),
                b = question(data, broken, &stopping);
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
    stops_until_done(ctx, &b, &stopping, 25, &again);
    check_passes(broken);
    char *x = comparable(verdict), *y = comparable(again);
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

static void wrong_questions_are_refused(void **state)
{
    tl_ctx *ctx = fresh();
    char   *top = test_folder(), *data = in(top, "data"), *out = in(top, "out");
    static const char *const unknown[] = { "scrach", NULL }, *const probe[] = { "probe",
                                                                                NULL };
    static const char *const set[] = { "optim.lt=1", NULL };
    listener                 l     = { 0 };
    tl_question              q     = question(data, out, &l);
    json_t                  *verdict;

    (void)state;
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 60, 40, data));
    q.routes = unknown;
    assert_int_equal(tl_compare(ctx, &q, &verdict), TL_EUSAGE);
    assert_non_null(strstr(ctx->message, "did you mean scratch"));
    q.routes = probe;
    assert_int_equal(tl_compare(ctx, &q, &verdict), TL_EUSAGE);
    assert_non_null(strstr(ctx->message, "--base"));
    q.routes    = routes;
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
    tl_ctx     *ctx = fresh();
    char       *top = test_folder(), *data = in(top, "data"), *out = in(top, "out");
    listener    l = { 0 };
    tl_question q = question(data, out, &l);
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
    tl_ctx     *ctx = fresh();
    char       *top = test_folder(), *data = in(top, "data"), *out = in(top, "out");
    listener    l = { 0 };
    tl_question q = question(data, out, &l);
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
    tl_ctx     *ctx = fresh();
    char       *top = test_folder(), *data = in(top, "data"), *out = in(top, "out");
    listener    l = { 0 };
    tl_question q = question(data, out, &l);
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
        cmocka_unit_test(a_comparison_writes_what_it_promises),
        cmocka_unit_test(an_interrupted_one_goes_on_to_the_same_verdict),
        cmocka_unit_test(few_rows_are_folded_and_a_base_brings_its_routes),
        cmocka_unit_test(settings_are_raced_fairly),
        cmocka_unit_test(a_route_foretold_to_lose_is_stopped),
        cmocka_unit_test(frozen_blocks_are_gone_through_once),
        cmocka_unit_test(wrong_questions_are_refused),
        cmocka_unit_test(a_dry_run_writes_nothing),
        cmocka_unit_test(a_budget_grows_where_it_may),
        cmocka_unit_test(smaller_batch_statistics_are_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
