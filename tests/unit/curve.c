/* curve.c -- laws over the amount of data, held to known truth: exact points, simulated test
 * rows and seeds with a known crossing, and errors that follow no law.
 * TAILOR_SIMULATE=N repeats each world's studies N times instead of the quick count:
 * tools/study-promises does. */
#include "support/support.h"
#include "core/normal.h"
#include "core/rand.h"
#include "study/curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 5, MOST_REPEATS = 5, MOST_ROWS = 2000, STUDIES = 60 };

static const int64_t sizes[SIZES] = { 500, 1000, 2000, 4000, 8000 };

/* Two laws of error, what is measured of them, and how far a seed moves them. */
typedef struct {
    tl_power_law base, scratch;
    int          repeats, rows;
    double       moved;
} world;

/* The crossing lies beyond the data at hand, within them, farther than the double; few rows. */
static const world worlds[] = {
    { { 0.6, 0.25, 0.05 }, { 16.0, 0.55, 0.02 }, 3, 1000, 0.004 },
    { { 0.6, 0.25, 0.05 }, { 16.0, 0.65, 0.04 }, 3, 1000, 0.004 },
    { { 0.6, 0.25, 0.05 }, { 16.0, 0.52, 0.02 }, 5, 2000, 0.004 },
    { { 0.6, 0.25, 0.05 }, { 16.0, 0.55, 0.02 }, 3, 400, 0.004 },
    { { 0.6, 0.25, 0.05 }, { 16.0, 0.55, 0.02 }, 3, 1000, 0.012 },
};

typedef struct {
    float          score[2][SIZES][MOST_REPEATS * MOST_ROWS];
    tl_curve_route route[2];
    tl_curve_data  data;
} study;

/* A row is right where its difficulty, shared by all sizes and routes, and the run's own luck
 * stay under the law's share; a seed moves that share. */
static void fill(const world *w, float *score, double error, uint64_t seed, uint64_t cell)
{
    const uint64_t repeats = (uint64_t)w->repeats, rows = (uint64_t)w->rows;

    for (uint64_t k = 0; k < repeats; k++) {
        const double moved = w->moved * tl_rand_normal(seed, 3, cell * repeats + k);
        const double limit = tl_normal_quantile(1.0 - error + moved);
        for (uint64_t r = 0; r < rows; r++) {
            const double hard = tl_rand_normal(seed, 1, r),
                         luck = tl_rand_normal(seed, 2, (cell * repeats + k) * rows + r);
            score[k * rows + r] = sqrt(0.8) * hard + sqrt(0.2) * luck < limit;
        }
    }
}

static void simulate(study *s, const world *w, uint64_t seed)
{
    const tl_power_law *law[2] = { &w->base, &w->scratch };

    for (int i = 0; i < 2; i++) {
        s->route[i].cells = SIZES;
        for (int j = 0; j < SIZES; j++) {
            fill(w, s->score[i][j], tl_power_at(law[i], (double)sizes[j]), seed,
                 (uint64_t)(i * SIZES + j));
            s->route[i].cell[j] = (tl_curve_cell){ sizes[j], w->repeats, s->score[i][j] };
        }
    }
    s->data = (tl_curve_data){ .routes    = 2,
                               .route     = s->route,
                               .test_rows = w->rows,
                               .now       = sizes[SIZES - 1],
                               .top       = 1.0,
                               .margin    = 0.01,
                               .seed_sd   = 0.01,
                               .base      = 0,
                               .scratch   = 1,
                               .seed      = seed,
                               .draws     = 200 };
}

static tl_ctx *fresh(void)
{
    test_fresh()->world->threads = 1;
    return test_ctx();
}

static void exact_points_give_their_law(void **state)
{
    static const tl_power_law laws[] = { { 0.6, 0.25, 0.05 },
                                         { 12.0, 0.55, 0.02 },
                                         { 3.0, 0.4, 0.0 } };
    double                    n[SIZES], error[SIZES], weight[SIZES];

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

typedef struct { double truth; int found, crossing, worth, means, ahead; } held;

static held studies_held(const world *w, int studies)
{
    static study s;
    const double truth = true_crossing(&w->base, &w->scratch);
    const double same =
        tl_power_inverse(&w->scratch, tl_power_at(&w->base, (double)sizes[SIZES - 1])) -
        (double)sizes[SIZES - 1];
    held h = { .truth = truth };

    for (int i = 1; i <= studies; i++) {
        tl_curve_result r;
        simulate(&s, w, (uint64_t)i);
        TEST_OK(tl_curve_read(fresh(), &s.data, &r));
        if (!r.fit[0].found || !r.fit[1].found) continue;
        h.found++;
        h.crossing += r.crossover.low <= truth && truth <= r.crossover.high;
        h.worth += r.worth.low <= same && same <= r.worth.high;
        h.ahead += r.ahead[0] > 0.5;
        for (int j = 0; j < SIZES; j++) {
            const double score = 1.0 - tl_power_at(&w->scratch, (double)sizes[j]);
            h.means += r.fit[1].point[j].low <= score && score <= r.fit[1].point[j].high;
        }
    }
    print_message(
        "# crossing %.0f rows %d repeats %d luck %.3f studies %d found %d held %d "
        "worth %d means %d\n",
        truth, w->rows, w->repeats, w->moved, studies, h.found, h.crossing, h.worth,
        h.means);
    return h;
}

/* 95 % intervals of the crossing, of the examples pretraining is worth, and of every mean
 * hold the truth about as often as they say. */
static void intervals_hold_the_truth(void **state)
{
    const char *many    = getenv("TAILOR_SIMULATE");
    const int   studies = many ? atoi(many) : STUDIES;

    (void)state;
    for (size_t i = 0; i < TL_COUNT(worlds); i++) {
        const held h = studies_held(&worlds[i], studies);
        assert_true(h.found >= 0.9 * studies);
        assert_true(h.crossing >= 0.9 * h.found);
        assert_true(h.means >= 0.91 * h.found * SIZES);
        /* Where scratch is ahead nothing is saved. */
        if (!(h.truth > (double)sizes[SIZES - 1])) continue;
        assert_true(h.worth >= 0.9 * h.found);
        assert_true(h.ahead >= 0.9 * h.found);
    }
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* A base that stays ahead at every size is never reached: infinity, not a number. */
static void what_is_beyond_reach_is_infinite(void **state)
{
    static study    s;
    const world     never = { { 0.5, 0.3, 0.02 }, { 3.0, 0.3, 0.1 }, 3, 1000, 0.004 };
    tl_curve_result r;

    (void)state;
    simulate(&s, &never, 7);
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
    simulate(&s, &worlds[0], 3);
    fill(&worlds[0], s.score[1][SIZES - 1], 0.6, 3, 99);
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
