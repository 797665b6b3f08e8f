/* race.c -- foretold ends and the decisions on them, held to simulated curves whose truth is
 * known. */
#include "support/support.h"
#include "core/rand.h"
#include "study/race.h"

#include <math.h>

enum { POINTS = 12, RACES = 400, TRIALS = 5 };
static const double NOISE = 0.01;

/* A route's validation curve: top - rise share^-power, and luck at every look. */
typedef struct {
    double top, rise, power;
} truth;

static double draw(uint64_t race, uint64_t what)
{
    return tl_rand_uniform(21, TL_STREAM_TEST, race * 64 + what);
}

/* Looks of a whole run; their best is what it keeps. */
static double run(const truth *t, double luck, uint64_t number, tl_race_point p[POINTS])
{
    double best = -INFINITY;

    for (int i = 0; i < POINTS; i++) {
        const double share = (i + 1.0) / POINTS;
        const double z =
            tl_rand_normal(22, TL_STREAM_TEST, number * POINTS + (uint64_t)i);
        p[i] = (tl_race_point){ share, t->top - t->rise * pow(share, -t->power) + luck * z };
        best = fmax(best, p[i].merit);
    }
    return best;
}

static truth any_truth(uint64_t race)
{
    return (truth){ .top   = 0.75 + 0.2 * draw(race, 0),
                    .rise  = 0.02 + 0.08 * draw(race, 1),
                    .power = 0.3 + 1.2 * draw(race, 2) };
}

static void a_rising_curve_is_foretold_to_rise(void **state)
{
    const truth   t = { 0.9, 0.05, 1.0 };
    tl_race_point p[POINTS];
    const double  ended = run(&t, 0.0, 0, p);

    (void)state;
    for (int seen = 4; seen < POINTS; seen += 4) {
        const tl_foretold told = tl_race_foretell(p, seen, NOISE, 1.0, NULL);
        assert_true(fabs(told.seen - p[seen - 1].merit) < 1e-12);
        assert_true(told.final > told.seen + 0.3 * (ended - told.seen));
        assert_true(told.final < ended); /* it promises less than the law */
        assert_true(fabs(told.final - ended) < 2.0 * told.error);
    }
    /* what fell back is no worse than its best, and none is better than the top */
    const tl_race_point fallen[] = { { 0.2, 0.6 }, { 0.4, 0.8 }, { 0.6, 0.5 } },
                        steep[]  = { { 0.1, 0.1 }, { 0.2, 0.98 }, { 0.3, 0.999 } };
    assert_true(tl_race_foretell(fallen, 3, NOISE, 1.0, NULL).final >= 0.8);
    assert_true(tl_race_foretell(steep, 3, NOISE, 1.0, NULL).final <= 1.0);
    /* from one look nobody is stopped */
    const tl_foretold one = tl_race_foretell(p, 1, NOISE, 1.0, NULL);
    assert_true(isinf(one.error) && one.final == p[0].merit);
    assert_false(tl_race_lost(&one, 10.0, 0.0, 0.0));
    assert_true(isnan(tl_race_foretell(p, 0, NOISE, 1.0, NULL).final));
}

/* The foretold end is nearer to the true one than the last look is, and within two errors of it
 * nearly always: without the gain in the error it would not be. */
static void the_error_holds(void **state)
{
    double off = 0.0, off_seen = 0.0;
    int    missed[TL_RACE_RUNGS] = { 0 }, narrow = 0;

    (void)state;
    for (uint64_t r = 0; r < RACES; r++) {
        const truth   t = any_truth(r);
        tl_race_point p[POINTS];
        const double  ended = run(&t, 0.5 * NOISE, r, p);
        for (int rung = 0; rung < TL_RACE_RUNGS; rung++) {
            const int         seen = (int)lround(tl_race_rung[rung] * POINTS);
            const tl_foretold told = tl_race_foretell(p, seen, NOISE, 1.0, NULL);
            missed[rung] += tl_race_missed(&told, ended);
            narrow += fabs(told.seen - ended) > 2.0 * NOISE;
            off += fabs(told.final - ended);
            off_seen += fabs(told.seen - ended);
        }
    }
    for (int rung = 0; rung < TL_RACE_RUNGS; rung++) assert_true(missed[rung] < RACES / 10);
    assert_true(narrow > missed[0] + missed[1]);
    assert_true(off < 0.9 * off_seen);
}

static void mistakes_widen_the_error(void **state)
{
    const truth       t = { 0.9, 0.05, 1.0 };
    tl_race_record    record = { 0 };
    tl_race_point     p[POINTS];
    const double      ended = run(&t, 0.0, 0, p);
    const tl_foretold plain = tl_race_foretell(p, 4, NOISE, 1.0, &record);

    (void)state;
    for (int i = 0; i < 6; i++) tl_race_learn(&record, &plain, ended);
    assert_true(record.count == 6 && record.missed == 0);
    /* what fell as foretold does not make it surer than it was */
    assert_true(fabs(tl_race_foretell(p, 4, NOISE, 1.0, &record).error - plain.error) < 1e-12);
    for (int i = 0; i < 6; i++)
        tl_race_learn(&record, &plain, plain.final + 4.0 * plain.error);
    assert_true(record.count == 12 && record.missed == 6);
    const double wider = tl_race_foretell(p, 4, NOISE, 1.0, &record).error / plain.error;
    assert_true(wider > 2.0 && wider < 4.0);
}

/* Trials of one route by halving: the best truth, or one as good within the noise, is kept. */
static void the_right_trial_goes_on(void **state)
{
    int wrong = 0, wrong_by_last = 0;

    (void)state;
    for (uint64_t r = 0; r < RACES; r++) {
        tl_race_point p[TRIALS][POINTS];
        double        told[TRIALS], last[TRIALS], ended[TRIALS], best = -INFINITY;
        bool          out[TRIALS] = { false };
        for (int k = 0; k < TRIALS; k++) { /* what rises later ends higher: they cross */
            const double slow = draw(r, 8 + (uint64_t)k);
            const truth  t    = { 0.80 + 0.08 * slow, 0.03 + 0.02 * slow, 1.0 };
            ended[k] = run(&t, 0.2 * NOISE, r * TRIALS + (uint64_t)k + 1000, p[k]);
            best     = fmax(best, ended[k]);
        }
        for (int rung = 0, left = TRIALS; rung < TL_RACE_RUNGS; rung++) {
            const int seen = (int)lround(tl_race_rung[rung] * POINTS);
            for (int k = 0; k < TRIALS; k++) {
                told[k] = tl_race_foretell(p[k], seen, NOISE, 1.0, NULL).final;
                if (rung == 0) last[k] = p[k][seen - 1].merit;
            }
            for (; left > tl_race_kept(TRIALS, rung, 1); left--) {
                int worst = -1;
                for (int k = 0; k < TRIALS; k++)
                    if (!out[k] && (worst < 0 || told[k] < told[worst])) worst = k;
                out[worst] = true;
            }
        }
        int kept = 0, by_last = 0;
        for (int k = 0; k < TRIALS; k++) {
            if (!out[k]) kept = k;
            if (last[k] > last[by_last]) by_last = k;
        }
        wrong += ended[kept] < best - NOISE;
        wrong_by_last += ended[by_last] < best - NOISE;
    }
    assert_true(wrong < RACES / 20);
    assert_true(wrong < wrong_by_last);
}

/* At two thirds of its schedule a route that ends within the margin is hardly ever stopped, one
 * that ends far behind nearly always. */
static void routes_are_stopped_rightly(void **state)
{
    const double margin = 0.01;
    int          wrongly = 0, near = 0, rightly = 0, far = 0;

    (void)state;
    for (uint64_t r = 0; r < RACES; r++) {
        const truth   t = any_truth(r + 5000);
        tl_race_point p[POINTS];
        const double  ended  = run(&t, 0.5 * NOISE, r + 9000, p);
        const double  behind = r % 2 ? 0.15 : margin * draw(r, 3);
        const double  leader = ended + behind;
        const tl_foretold told =
            tl_race_foretell(p, POINTS * 2 / 3, NOISE, 1.0, NULL);
        const bool lost = tl_race_lost(&told, leader, NOISE, margin);
        near += r % 2 == 0;
        far += r % 2 == 1;
        wrongly += r % 2 == 0 && lost;
        rightly += r % 2 == 1 && lost;
    }
    assert_true(wrongly <= near / 100);
    assert_true(rightly >= far * 9 / 10);
}

static void races_cost_what_they_say(void **state)
{
    (void)state;
    assert_true(fabs(tl_race_work(1, 1) - 1.0) < 1e-12);
    assert_true(fabs(tl_race_work(3, 1) - 5.0 / 3.0) < 1e-12);
    assert_true(fabs(tl_race_work(5, 1) - 8.0 / 3.0) < 1e-12);
    assert_int_equal(tl_race_kept(1, 0, 1), 1);
    assert_int_equal(tl_race_kept(3, 0, 1), 1);
    assert_int_equal(tl_race_kept(4, 0, 1), 2);
    assert_int_equal(tl_race_kept(5, 1, 1), 1);
    /* two to the end: three after the first third, as many as there are */
    assert_true(fabs(tl_race_work(5, 2) - 10.0 / 3.0) < 1e-12);
    assert_true(fabs(tl_race_work(2, 2) - 2.0) < 1e-12);
    assert_int_equal(tl_race_kept(5, 0, 2), 3);
    assert_int_equal(tl_race_kept(5, 1, 2), 2);
    assert_int_equal(tl_race_kept(2, 0, 2), 2);
    assert_int_equal(tl_race_kept(1, 1, 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rising_curve_is_foretold_to_rise),
        cmocka_unit_test(the_error_holds),
        cmocka_unit_test(mistakes_widen_the_error),
        cmocka_unit_test(the_right_trial_goes_on),
        cmocka_unit_test(routes_are_stopped_rightly),
        cmocka_unit_test(races_cost_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
