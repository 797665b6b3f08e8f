/* curve.c -- laws over the amount of data, held to known truth: exact points, simulated test
 * rows and seeds with a known crossing, and errors that follow no law. */
#include "support/support.h"
#include "core/normal.h"
#include "core/rand.h"
#include "study/curve.h"

#include <math.h>
#include <string.h>

enum { SIZES = 5, REPEATS = 3, ROWS = 1000, STUDIES = 60 };

static const int64_t      sizes[SIZES] = { 500, 1000, 2000, 4000, 8000 };
static const tl_power_law from_base    = { 0.6, 0.25, 0.05 },
                          anew         = { 16.0, 0.55, 0.02 };

typedef struct {
    float          score[2][SIZES][REPEATS * ROWS];
    tl_curve_route route[2];
    tl_curve_data  data;
} study;

/* A row is right where its difficulty, shared by all sizes and routes, and the run's own luck
 * stay under the law's share; a seed moves that share. */
static void fill(float *score, double error, uint64_t seed, uint64_t cell)
{
    for (uint64_t k = 0; k < REPEATS; k++) {
        const double moved = 0.004 * tl_rand_normal(seed, 3, cell * REPEATS + k);
        const double limit = tl_normal_quantile(1.0 - error + moved);
        for (uint64_t r = 0; r < ROWS; r++) {
            const double hard = tl_rand_normal(seed, 1, r),
                         luck = tl_rand_normal(seed, 2, (cell * REPEATS + k) * ROWS + r);
            score[k * ROWS + r] = sqrt(0.8) * hard + sqrt(0.2) * luck < limit;
        }
    }
}

static void simulate(study *s, const tl_power_law *one, const tl_power_law *two, uint64_t seed)
{
    const tl_power_law *law[2] = { one, two };

    for (int i = 0; i < 2; i++) {
        s->route[i].cells = SIZES;
        for (int j = 0; j < SIZES; j++) {
            fill(s->score[i][j], tl_power_at(law[i], (double)sizes[j]), seed,
                 (uint64_t)(i * SIZES + j));
            s->route[i].cell[j] = (tl_curve_cell){ sizes[j], REPEATS, s->score[i][j] };
        }
    }
    s->data = (tl_curve_data){ .routes = 2, .route = s->route, .test_rows = ROWS,
                               .now = sizes[SIZES - 1], .top = 1.0, .margin = 0.01,
                               .seed_sd = 0.01, .base = 0, .scratch = 1, .seed = seed,
                               .draws = 200 };
}

static tl_ctx *fresh(void)
{
    test_fresh()->world->threads = 1;
    return test_ctx();
}

static void exact_points_give_their_law(void **state)
{
    static const tl_power_law laws[] = { { 0.6, 0.25, 0.05 }, { 12.0, 0.55, 0.02 },
                                         { 3.0, 0.4, 0.0 } };
    double n[SIZES], error[SIZES], weight[SIZES];

    (void)state;
    for (size_t l = 0; l < TL_COUNT(laws); l++) {
        for (int j = 0; j < SIZES; j++) {
            n[j]      = (double)sizes[j];
            error[j]  = tl_power_at(&laws[l], n[j]);
            weight[j] = 1.0 + j;
        }
        const tl_power_law law = tl_power_fit(n, error, weight, SIZES);
        assert_true(fabs(law.b - laws[l].b) < 0.01 && fabs(law.c - laws[l].c) < 0.005);
        for (int j = 0; j < SIZES; j++)
            assert_true(fabs(tl_power_at(&law, n[j]) - error[j]) < 1e-4);
        const double back = tl_power_inverse(&law, tl_power_at(&law, 3000.0));
        assert_true(fabs(back - 3000.0) < 1e-6 * 3000.0);
    }
    assert_true(isinf(tl_power_inverse(&laws[0], 0.05)));
    /* No falling law fits a constant: its floor is all there is. */
    for (int j = 0; j < SIZES; j++) error[j] = 0.3;
    assert_true(fabs(tl_power_at(&(tl_power_law){ 0.0, 1.0, 0.3 }, 9.0) - 0.3) < 1e-12);
    const tl_power_law flat = tl_power_fit(n, error, weight, SIZES);
    assert_true(fabs(tl_power_at(&flat, 16000.0) - 0.3) < 1e-3);
}

static double true_crossing(const tl_power_law *base, const tl_power_law *scratch)
{
    double low = 500.0, high = 80000.0;

    for (int i = 0; i < 100; i++) {
        const double mid = sqrt(low * high);
        if (tl_power_at(scratch, mid) > tl_power_at(base, mid)) low = mid;
        else high = mid;
    }
    return high;
}

/* 95 % intervals of the crossing, of the examples pretraining is worth, and of every mean
 * hold the truth about as often as they say. */
static void intervals_hold_the_truth(void **state)
{
    static study s;
    const double truth = true_crossing(&from_base, &anew);
    const double same  = tl_power_inverse(&anew, tl_power_at(&from_base, 8000.0)) - 8000.0;
    int          crossing = 0, worth = 0, means = 0, found = 0, ahead = 0;

    (void)state;
    assert_true(truth > 8000.0 && truth < 40000.0 && same > 0.0);
    for (uint64_t i = 1; i <= STUDIES; i++) {
        tl_curve_result r;
        simulate(&s, &from_base, &anew, i);
        TEST_OK(tl_curve_read(fresh(), &s.data, &r));
        if (!r.fit[0].found || !r.fit[1].found) continue;
        found++;
        crossing += r.crossover.low <= truth && truth <= r.crossover.high;
        worth += r.worth.low <= same && same <= r.worth.high;
        ahead += r.ahead[0] > 0.5;
        for (int j = 0; j < SIZES; j++) {
            const double score = 1.0 - tl_power_at(&anew, (double)sizes[j]);
            means += r.fit[1].point[j].low <= score && score <= r.fit[1].point[j].high;
        }
    }
    print_message("          crossing held in %d, worth in %d of %d (of %d), means %d of %d\n",
                  crossing, worth, found, STUDIES, means, found * SIZES);
    assert_true(found >= 0.9 * STUDIES);
    assert_true(crossing >= 0.9 * found);
    assert_true(worth >= 0.9 * found);
    assert_true(means >= 0.91 * found * SIZES);
    assert_true(ahead >= 0.9 * found);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* A base that stays ahead at every size is never reached: infinity, not a number. */
static void what_is_beyond_reach_is_infinite(void **state)
{
    static study       s;
    const tl_power_law low = { 0.5, 0.3, 0.02 }, high = { 3.0, 0.3, 0.1 };
    tl_curve_result    r;

    (void)state;
    simulate(&s, &low, &high, 7);
    TEST_OK(tl_curve_read(fresh(), &s.data, &r));
    assert_true(isinf(r.crossover.mean) && isinf(r.crossover.high));
    assert_true(isinf(r.worth.mean) && r.ahead[0] > 0.99 && r.ahead[3] > 0.9);
    /* Nor does scratch alone have a crossing. */
    s.data.base = -1;
    TEST_OK(tl_curve_read(fresh(), &s.data, &r));
    assert_true(isnan(r.crossover.mean) && isnan(r.worth.mean) && isnan(r.ahead[0]));
}

/* Where the largest size contradicts the others, no law is claimed. */
static void a_law_that_fails_its_test_is_not_used(void **state)
{
    static study    s;
    tl_curve_result r;

    (void)state;
    simulate(&s, &from_base, &anew, 3);
    fill(s.score[1][SIZES - 1], 0.6, 3, 99);
    TEST_OK(tl_curve_read(fresh(), &s.data, &r));
    assert_true(r.fit[0].found && !r.fit[1].found);
    assert_true(fabs(r.fit[1].missed.mean) > 0.1);
    assert_true(isnan(r.crossover.mean) && isnan(r.fit[1].gain.mean));
    assert_true(r.fit[0].gain.mean > 0.0 && r.fit[0].gain.mean < 0.02);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_points_give_their_law),
        cmocka_unit_test(intervals_hold_the_truth),
        cmocka_unit_test(what_is_beyond_reach_is_infinite),
        cmocka_unit_test(a_law_that_fails_its_test_is_not_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
