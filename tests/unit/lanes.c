/* lanes.c -- runs side by side: each has the bits that it has alone, reports and failures reach who
 * waits for it, and nothing is left behind, however they end. */
#include "support/drawn.h"
#include "train/lanes.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 5, LANES = 2, FLOATS = 32 };

typedef struct {
    pthread_t waiter;
    int       lines, stop_at;
} listener;

static void on_progress(void *user, const tl_progress *p)
{
    listener *l = user;

    assert_true(pthread_equal(l->waiter, pthread_self()));
    assert_string_equal(p->route, "scratch");
    if (++l->lines == l->stop_at) test_ctx()->world->cancel = 1;
}

typedef struct {
    test_drawn    p;
    tl_run_spec   spec[RUNS];
    tl_run_result r;
    tl_lanes     *lanes;
    listener      l;
} bench;

/* `epochs` of a small network, under RUNS seeds. */
static void open_runs(bench *b, double epochs)
{
    test_drawn  *p    = &b->p;
    tl_run_spec *spec = b->spec;

    test_fresh()->world->threads = LANES;
    test_drawn_open(p, 150, 3, 8, 1, "conv 4 3, norm batch, relu, pool 2, dense 8 relu", "scratch");
    p->spec.candidate.hyper.epochs      = epochs;
    p->spec.candidate.hyper.least_steps = 0;
    p->spec.candidate.hyper.batch       = 32;
    b->l = (listener){ .waiter = pthread_self() };
    for (int i = 0; i < RUNS; i++) {
        spec[i]          = p->spec;
        spec[i].seed     = 1 + (uint64_t)i;
        spec[i].progress = on_progress;
        spec[i].user     = &b->l;
    }
}

static void begin(bench *b, int runs)
{
    TEST_OK(tl_lanes_start(test_ctx(), LANES, b->spec, runs, &b->lanes));
}

static void close_runs(bench *b)
{
    tl_lanes_end(test_ctx(), b->lanes);
    test_drawn_close(&b->p);
}

static void same_bits_as_alone(void **state)
{
    bench b;
    float alone[RUNS][FLOATS];

    (void)state;
    open_runs(&b, 4.0);
    test_ctx()->world->threads = 1;
    for (int i = 0; i < RUNS; i++) {
        TEST_OK(tl_run_train(test_ctx(), &b.spec[i], &b.r));
        memcpy(alone[i], b.r.model->params->value, sizeof alone[i]);
        tl_run_result_free(test_ctx(), &b.r);
    }
    assert_int_not_equal(memcmp(alone[0], alone[1], sizeof alone[0]), 0);
    test_ctx()->world->threads = LANES;
    b.l.lines                  = 0;
    begin(&b, RUNS);
    for (int i = 0; i < RUNS; i++) {
        TEST_OK(tl_lanes_wait(test_ctx(), b.lanes, i, &b.r));
        assert_int_equal(memcmp(alone[i], b.r.model->params->value, sizeof alone[i]), 0);
        assert_string_equal(b.r.stopped, "epochs");
        assert_true(b.r.accounted_bytes > 0 && b.r.seconds > 0.0);
        tl_run_result_free(test_ctx(), &b.r);
    }
    assert_true(b.l.lines > 0);
    close_runs(&b);
}

/* Two that take as long as one on half the machine count half the clock's seconds each. */
static void a_share_of_the_seconds(void **state)
{
    bench         b;
    tl_run_result r[2];

    (void)state;
    open_runs(&b, 4.0);
    for (int i = 0; i < 2; i++) {
        b.spec[0].share = i == 0 ? 0.0 : 1e-6;
        TEST_OK(tl_run_train(test_ctx(), &b.spec[0], &r[i]));
    }
    assert_true(r[1].seconds < 1e-3 * r[0].seconds);
    assert_true(r[1].curve[r[1].points - 1].seconds < 1e-3 * r[0].seconds);
    for (int i = 0; i < 2; i++) tl_run_result_free(test_ctx(), &r[i]);
    test_drawn_close(&b.p);
}

static void an_interruption_reaches_all(void **state)
{
    bench b;

    (void)state;
    open_runs(&b, 1e5);
    b.l.stop_at = 2;
    begin(&b, RUNS);
    for (int i = 0; i < LANES; i++) {
        const tl_status rc = tl_lanes_wait(test_ctx(), b.lanes, i, &b.r);
        if (rc == TL_OK) assert_string_equal(b.r.stopped, "interrupted");
        else assert_int_equal(rc, TL_ECANCEL); /* in the midst of an evaluation */
        tl_run_result_free(test_ctx(), &b.r);
    }
    tl_lanes_end(test_ctx(), b.lanes);
    test_ctx()->world->cancel = 0;
    test_drawn_close(&b.p);
}

/* Whoever waits no more leaves nothing behind, and not for hours. */
static void ended_before_they_end(void **state)
{
    bench b;

    (void)state;
    open_runs(&b, 1e5);
    b.spec[0].candidate.hyper.epochs = 1.0;
    begin(&b, RUNS);
    TEST_OK(tl_lanes_wait(test_ctx(), b.lanes, 0, &b.r));
    tl_run_result_free(test_ctx(), &b.r);
    tl_lanes_end(test_ctx(), b.lanes);
    assert_int_equal(test_ctx()->world->cancel, 0);
    test_drawn_close(&b.p);
}

/* Where there is room for one at a time, they take turns. */
static void each_has_its_part_of_the_memory(void **state)
{
    bench b;

    (void)state;
    open_runs(&b, 1.0);
    TEST_OK(tl_run_train(test_ctx(), &b.spec[0], &b.r));
    const size_t now = test_ctx()->world->now_bytes, one = b.r.accounted_bytes - now;
    tl_run_result_free(test_ctx(), &b.r);
    for (int halves = 1; halves <= 6; halves += halves == 1 ? 2 : 3) { /* none, one, all fit */
        float first[FLOATS];
        test_ctx()->world->limit_bytes =
            test_ctx()->world->now_bytes + (size_t)halves * one / 2 + (size_t)65536;
        begin(&b, LANES);
        for (int i = 0; i < LANES; i++) {
            const tl_status rc = tl_lanes_wait(test_ctx(), b.lanes, i, &b.r);
            assert_int_equal(rc, halves > 1 ? TL_OK : TL_ELIMIT);
            if (rc != TL_OK) assert_non_null(strstr(test_ctx()->message, "--memory"));
            else if (i == 0) memcpy(first, b.r.model->params->value, sizeof first);
            else assert_int_not_equal(memcmp(first, b.r.model->params->value, sizeof first), 0);
            tl_run_result_free(test_ctx(), &b.r);
        }
        tl_lanes_end(test_ctx(), b.lanes);
    }
    test_ctx()->world->limit_bytes = 0;
    test_drawn_close(&b.p);
}

/* Of one that nobody waits for any more the others hear nothing. */
static void one_is_dropped(void **state)
{
    bench b;

    (void)state;
    for (int which = 0; which < RUNS; which++) {
        open_runs(&b, 1.0);
        b.spec[which].candidate.hyper.epochs = 1e5;
        begin(&b, RUNS);
        for (int i = 0; i < RUNS; i++) {
            if (i == 0) tl_lanes_drop(b.lanes, which);
            if (i == which) continue;
            TEST_OK(tl_lanes_wait(test_ctx(), b.lanes, i, &b.r));
            assert_string_equal(b.r.stopped, "epochs");
            tl_run_result_free(test_ctx(), &b.r);
        }
        close_runs(&b);
    }
}

static int lines_heard;

static void on_line(void *user, int level, const char *line)
{
    assert_true(pthread_equal(*(const pthread_t *)user, pthread_self()));
    assert_int_equal(level, TL_LOG_INFO);
    assert_non_null(strstr(line, "goes on from step"));
    lines_heard++;
}

/* What a run logs reaches the thread that waits, where the others' lines come from, too. */
static void log_lines_reach_the_waiter(void **state)
{
    bench     b;
    pthread_t self = pthread_self();
    char     *top  = test_folder(), folder[300];

    (void)state;
    open_runs(&b, 1e5);
    snprintf(folder, sizeof folder, "%s/run", top);
    b.spec[0].checkpoint = folder;
    b.l.stop_at          = 2;
    assert_int_equal(tl_run_train(test_ctx(), &b.spec[0], &b.r), TL_ECANCEL); /* it is saved */
    lines_heard                 = 0;
    test_ctx()->world->cancel   = 0;
    test_ctx()->world->log      = on_line;
    test_ctx()->world->log_user = &self;
    b.l.stop_at                 = b.l.lines + 2;
    begin(&b, 1);
    assert_int_equal(tl_lanes_wait(test_ctx(), b.lanes, 0, &b.r), TL_ECANCEL);
    tl_lanes_end(test_ctx(), b.lanes);
    assert_int_equal(lines_heard, 1);
    test_ctx()->world->log    = NULL;
    test_ctx()->world->cancel = 0;
    test_drawn_close(&b.p);
    test_folder_end(top);
}

/* Later and later, in whichever run it hits, which is tried again. */
static void allocations_may_fail(void **state)
{
    bench         b;
    int           failures = 0, saved = 0;

    (void)state;
    open_runs(&b, 1.0);
    const size_t before = test_ctx()->world->now_bytes;
    for (int64_t n = 1;; n += 1 + n / 2) {
        test_ctx()->world->fault_alloc = n;
        tl_status rc = tl_lanes_start(test_ctx(), LANES, b.spec, LANES, &b.lanes);
        for (int i = 0; i < LANES && rc == TL_OK; i++) {
            rc = tl_lanes_wait(test_ctx(), b.lanes, i, &b.r);
            if (rc == TL_OK) tl_run_result_free(test_ctx(), &b.r);
        }
        if (b.lanes) tl_lanes_end(test_ctx(), b.lanes);
        assert_int_equal(test_ctx()->world->now_bytes, before);
        if (test_ctx()->world->fault_alloc > 0) break;
        if (rc != TL_OK) assert_int_equal(rc, TL_ENOMEM);
        failures += rc != TL_OK;
        saved += rc == TL_OK;
    }
    assert_true(failures > 0 && saved > 3);
    test_ctx()->world->fault_alloc = 0;
    test_drawn_close(&b.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_as_alone),
        cmocka_unit_test(a_share_of_the_seconds),
        cmocka_unit_test(an_interruption_reaches_all),
        cmocka_unit_test(ended_before_they_end),
        cmocka_unit_test(each_has_its_part_of_the_memory),
        cmocka_unit_test(one_is_dropped),
        cmocka_unit_test(log_lines_reach_the_waiter),
        cmocka_unit_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
