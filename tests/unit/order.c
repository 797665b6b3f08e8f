/* order.c -- how a budget is spent and what is named in the end, on runs that are made up: the
 * decision code itself (compare_order.c, compare_race.c, compare_looks.c, stats_decide.c), given a
 * tape instead of trainings, as tools/study gives it recorded ones. */
#include "support/support.h"
#include "core/rand.h"
#include "study/compare_internal.h"

#include <math.h>
#include <string.h>

enum { ROWS = 1000, ENTRIES = 4, LOOKS = 6 };

/* Quality of each candidate at its own rate; threefold rates cost `steep`. */
typedef struct {
    double good[ENTRIES], steep, luck; /* luck: of a seed */
    int    asked, failing; /* runs handed out; a candidate that always fails, -1: none */
    double gain;        /* what threefold rates add to candidate 2 ...                      */
    bool   late;        /* ... after half the schedule                                      */
    double stiff;       /* what tenfold decays cost                                         */
    double early_seeds; /* ... and lose on validation under the first three seeds           */
    int64_t valid_rows; /* 0: 1,000 */
    bool   coarse;      /* validation scores all settings of candidate 2 the same */
    bool   with_loss;   /* ... and says its loss, which tells them apart */
    bool   silent;      /* of the runs that fail nothing is known, not even why */
} world;

static bool is_steep(int trial)
{
    return trial == 1 || trial == 4;
}

static double quality(const world *w, int candidate, int trial)
{
    const double slow = trial == 2 ? 0.05 : 0.0; /* a third of the rate is too low for all */

    return w->good[candidate] - (is_steep(trial) ? w->steep : slow) -
           (trial > 2 ? w->stiff : 0.0) +
           (is_steep(trial) && candidate == 2 ? w->gain : 0.0);
}

static double on_validation(const world *w, const tl_study_run *run)
{
    const bool unlucky = is_steep(run->trial) && run->candidate == 2 && run->repeat < 3;

    if (w->coarse && run->candidate == 2) return w->good[2];
    return quality(w, run->candidate, run->trial) - (unlucky ? w->early_seeds : 0.0);
}

static json_t *loss_of(const world *w, const tl_study_run *run)
{
    const double loss = 1.0 - quality(w, run->candidate, run->trial);

    return tl_json_real(w->with_loss ? loss : NAN);
}

static double luck(const world *w, const tl_study_run *run, int what)
{
    return w->luck * tl_rand_normal((uint64_t)(run->candidate * 100 + run->repeat),
                                 TL_STREAM(TL_STREAM_TEST, what), (uint64_t)run->trial);
}

static tl_status a_run(tl_ctx *ctx, void *user, tl_study_run *run)
{
    world *w = user;

    (void)ctx;
    w->asked++;
    run->id     = run->candidate * 1000 + run->trial * 100 + run->repeat;
    run->result = run->candidate == w->failing
                      ? w->silent ? NULL : json_pack("{s:s}", "failed", "it always does")
                      : json_pack("{s:f, s:o, s:s, s:f}", "valid_metric",
                                  on_validation(w, run) + luck(w, run, 1), "least_loss",
                                  loss_of(w, run), "stopped", "epochs", "flops", 1.0);
    return TL_OK;
}

/* Looks that rise to the end as a power law. */
static tl_status a_rung(tl_ctx *ctx, void *user, const tl_study_run *run, int rung, json_t **out)
{
    const world *w      = user;
    json_t      *points;
    double       share = 0.0, best = 0.0;

    (void)ctx;
    *out = NULL;
    if (run->candidate == w->failing) return TL_OK;
    points = json_array();
    for (int i = 1; share < tl_race_rung[rung] - 1e-9; i++) {
        share = (double)i / LOOKS;
        best  = on_validation(w, run) + luck(w, run, 1) - 0.02 * (1.0 / share - 1.0);
        if (is_steep(run->trial) && run->candidate == 2 && share < 0.5 && w->late)
            best -= w->gain + 0.01;
        json_array_append_new(points, json_pack("[f, f]", share, best));
    }
    *out = json_pack("{s:o, s:f, s:o, s:f, s:f}", "points", points, "valid_metric", best,
                     "least_loss", loss_of(w, run), "share", share, "flops", share);
    return TL_OK;
}

/* Class 1 is right everywhere. */
static tl_status answers(tl_ctx *ctx, void *user, const tl_study_run *run, float **out)
{
    const world *w = user;
    const double p = quality(w, run->candidate, run->trial) + luck(w, run, 2);
    tl_status    rc = tl_alloc_array(ctx, 2 * ROWS, sizeof **out, out);

    for (int64_t r = 0; rc == TL_OK && r < ROWS; r++) {
        const double hard = tl_rand_uniform(7, TL_STREAM(TL_STREAM_TEST, 3), (uint64_t)r);
        const double own  = tl_rand_uniform((uint64_t)run->candidate,
                                            TL_STREAM(TL_STREAM_TEST, 4), (uint64_t)r);
        (*out)[2 * r + (0.8 * hard + 0.2 * own < p)] = 1.0f;
    }
    return rc;
}

typedef struct {
    int    winner, outcome, looks, runs, least; /* least: fewest seeds of a candidate */
    double used;
    int    draws, settings; /* seeds of the race, and settings that ran to their end */
    int    chosen[ENTRIES];
    const char *ends;
    bool   failed[ENTRIES], stopped[ENTRIES];
} ending;

static void end(tl_ctx *ctx, tl_study *s)
{
    for (int i = 0; i < s->runs; i++) tl_study_run_end(ctx, &s->run[i]);
    tl_free(ctx, s->run);
    tl_free(ctx, s->told);
    json_decref(s->warnings);
    json_decref(s->plan);
}

static ending go_through(world *w, double budget_s)
{
    static const char *const names[ENTRIES] = { "baseline", "probe", "full", "scratch" };
    tl_ctx             *ctx                 = test_ctx();
    const tl_question   q                   = { .seed = 1, .seeds = 10, .margin = NAN };
    const tl_study_tape tape                = { a_run, a_rung, answers, w };
    int32_t             label[ROWS];
    int64_t             row[ROWS];
    tl_model            base       = { 0 };
    tl_study_frozen     features[1] = { { .bytes = 0 } };
    tl_entry            entry[ENTRIES];
    tl_judged           j    = { 0 };
    tl_dataset          data = { .task = &tl_task_image_classification, .classes = 2,
                                 .rows = ROWS, .label = label };

    for (int i = 0; i < ROWS; i++) label[i] = 1, row[i] = i;
    for (int i = 0; i < ENTRIES; i++) {
        entry[i] = (tl_entry){ .c = { .route = tl_route_find(names[i]) }, .base = -1,
                               .active = true, .trials = 1, .row_flops = 1.0 + i,
                               .need = { .flops = 1.0 }, .s_per_flop = 1.0 };
        entry[i].trial[0].optim = (tl_optim_settings){ .lr = 0.01, .weight_decay = 1e-4 };
        entry[i].c.hyper = entry[i].trial[0];
        strcpy(entry[i].label, names[i]);
        if (entry[i].c.route->needs_base) entry[i].base = 0, entry[i].c.base = &base;
    }
    tl_study s = { .q = &q, .tape = &tape, .data = &data, .metric = "accuracy", .margin = 0.01,
                   .budget_s = budget_s, .train_rows = 1000,
                   .valid_rows = w->valid_rows ? w->valid_rows : 1000, .bases = 1,
                   .features = features, .entry = entry, .entries = ENTRIES, .detectable = NAN,
                   .test = { row, ROWS }, .slice = { { .test = { row, ROWS } } },
                   .warnings = json_array(), .plan = json_object() };
    TEST_OK(tl_study_run_all(ctx, &s));
    TEST_OK(tl_study_weigh(ctx, &s, &j));
    ending e = { .winner = j.entry[j.decision.winner], .outcome = (int)j.decision.outcome,
                 .looks = s.looks, .runs = s.runs, .used = s.used, .least = TL_STUDY_SEEDS,
                 .draws = s.draws, .settings = s.ends,
                 .ends = s.looks ? s.look[s.looks - 1].ends : NULL };
    for (int i = 0; i < ENTRIES; i++) {
        e.least = TL_MIN(e.least, tl_study_repeats(&s, i, entry[i].chosen));
        e.chosen[i]  = entry[i].chosen;
        e.stopped[i] = entry[i].stopped;
        assert_memory_equal(&entry[i].c.hyper.optim, &entry[i].trial[entry[i].chosen].optim,
                            sizeof entry[i].c.hyper.optim);
        e.failed[i] = entry[i].status && strcmp(entry[i].status, "failed") == 0;
    }
    tl_judged_free(ctx, &j);
    end(ctx, &s);
    return e;
}

static void the_better_is_named_within_the_budget(void **state)
{
    world        w = { .good = { 0.60, 0.70, 0.80, 0.65 },
                       .steep = 0.05, .luck = 0.01, .failing = -1 };
    const ending e = go_through(&w, 40.0);

    (void)state;
    assert_int_equal(e.outcome, TL_BETTER);
    assert_int_equal(e.winner, 2);
    assert_true(e.looks >= 1);
    assert_true(e.used <= 40.0);
    assert_true(w.asked >= e.runs); /* some were asked for a rung first */
}

static void equal_routes_are_no_win(void **state)
{
    world        w = { .good = { 0.70, 0.70, 0.70, 0.70 },
                       .steep = 0.0, .luck = 0.01, .failing = -1 };
    const ending e = go_through(&w, 60.0);

    (void)state;
    assert_int_not_equal(e.outcome, TL_BETTER);
}

/* Not the three that one seed's luck on validation put first alone. */
static void who_keeps_up_goes_on_with_the_finalists(void **state)
{
    world        w = { .good = { 0.700, 0.705, 0.710, 0.700 },
                       .luck = 0.02, .failing = -1 };
    const ending rich = go_through(&w, 100.0), poor = go_through(&w, 22.0);

    (void)state;
    assert_true(rich.least >= 5);
    assert_true(poor.least <= 3);
    assert_true(poor.used <= 22.0);
}

/* Three seeds that may yet move the difference by more than matters are no reason to stop. */
static void it_is_not_futile_where_seeds_may_change_the_name(void **state)
{
    world        w = { .good = { 0.60, 0.68, 0.72, 0.66 },
                       .luck = 0.06, .failing = -1 };
    const ending e = go_through(&w, 100.0);

    (void)state;
    assert_true(e.looks > 1);
    assert_true(e.least >= 5);
}

static void few_rows_are_raced_under_more_seeds(void **state)
{
    world        w = { .good = { 0.60, 0.68, 0.72, 0.66 }, .luck = 0.01, .failing = -1 };
    w.valid_rows      = 100;
    const ending few  = go_through(&w, 100.0), poor = go_through(&w, 24.0);
    w.valid_rows      = 100000;
    const ending many = go_through(&w, 100.0);

    (void)state;
    assert_int_equal(few.draws, 3);
    assert_int_equal(few.settings, 2);
    assert_int_equal(poor.draws, 1);
    assert_true(poor.used <= 24.0);
    assert_int_equal(many.draws, 1);
    assert_int_equal(many.settings, 1);
}

/* Behind at the first rung, where its own rate stands with two decays. */
static void a_rate_that_shows_late_goes_on(void **state)
{
    world w = { .good = { 0.60, 0.68, 0.72, 0.66 }, .gain = 0.05, .late = true,
                .failing = -1, .valid_rows = 100 };
    const ending e = go_through(&w, 100.0);

    (void)state;
    assert_true(e.chosen[2] == 1 || e.chosen[2] == 4);
    assert_int_equal(e.winner, 2);
}

/* Where few rows score all rates alike, the loss knows the better one. */
static void settings_are_told_apart_by_loss(void **state)
{
    world w = { .good = { 0.60, 0.68, 0.72, 0.66 }, .gain = 0.05, .stiff = 0.01,
                .failing = -1, .valid_rows = 100, .coarse = true };
    const ending by_score = go_through(&w, 100.0);
    w.with_loss           = true;
    const ending by_loss  = go_through(&w, 100.0);

    (void)state;
    assert_int_equal(by_score.chosen[2], 0);
    assert_int_equal(by_loss.chosen[2], 1);
    assert_int_equal(by_loss.winner, 2);
}

/* A route that is stopped is told with its setting that went furthest, not with its own rate. */
static void who_is_stopped_is_told_with_its_best(void **state)
{
    world w = { .good = { 0.60, 0.80, 0.60, 0.55 }, .gain = 0.05, .stiff = 0.01, .failing = -1 };
    const ending e = go_through(&w, 100.0);

    (void)state;
    assert_int_equal(e.winner, 1);
    assert_true(e.stopped[2]);
    assert_int_equal(e.chosen[2], 1);
}

/* Three seeds put its own rate before the better one; the seeds to come set that right. */
static void a_second_setting_may_overtake(void **state)
{
    world w = { .good = { 0.60, 0.64, 0.72, 0.62 }, .gain = 0.05, .early_seeds = 0.07,
                .stiff = 0.05, .failing = -1, .valid_rows = 100 };
    const ending e = go_through(&w, 100.0);

    (void)state;
    assert_true(e.looks > 1);
    assert_int_equal(e.chosen[2], 1);
}

static void a_small_budget_is_kept_too(void **state)
{
    world        w    = { .good = { 0.60, 0.70, 0.80, 0.65 },
                          .steep = 0.05, .luck = 0.01, .failing = -1 };
    const ending many = go_through(&w, 60.0), few = go_through(&w, 6.0);

    (void)state;
    assert_true(few.used <= 6.0);
    assert_true(few.runs < many.runs);
    assert_int_equal(few.winner, 2);
    assert_int_not_equal(few.outcome, TL_BETTER); /* fewer than four seeds */
}

static void who_fails_is_left_and_said(void **state)
{
    world        w = { .good = { 0.60, 0.70, 0.80, 0.65 },
                       .steep = 0.05, .luck = 0.01, .failing = 2 };

    (void)state;
    for (int silent = 0; silent < 2; silent++) {
        w.silent       = silent;
        const ending e = go_through(&w, 40.0);
        assert_true(e.failed[2]);
        assert_false(e.failed[3]);
        assert_int_equal(e.winner, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_better_is_named_within_the_budget),
        cmocka_unit_test(equal_routes_are_no_win),
        cmocka_unit_test(who_keeps_up_goes_on_with_the_finalists),
        cmocka_unit_test(it_is_not_futile_where_seeds_may_change_the_name),
        cmocka_unit_test(few_rows_are_raced_under_more_seeds),
        cmocka_unit_test(a_rate_that_shows_late_goes_on),
        cmocka_unit_test(settings_are_told_apart_by_loss),
        cmocka_unit_test(who_is_stopped_is_told_with_its_best),
        cmocka_unit_test(a_second_setting_may_overtake),
        cmocka_unit_test(a_small_budget_is_kept_too),
        cmocka_unit_test(who_fails_is_left_and_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
