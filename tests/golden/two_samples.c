/* two_samples.c -- the two-sample tests against scipy. */
#include "support/support.h"
#include "study/two_samples.h"

#include "two_samples_golden.h"

#include <math.h>
#include <string.h>

enum { FIRST = 60, SECOND = 90, LEVELS = 3 };

static void near(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fmax(fabs(want), 1e-12)))
        fail_msg("%.17g, expected %.17g", got, want);
}

static void tails_are_scipys(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_COUNT(golden_kolmogorov); i++)
        near(tl_kolmogorov_tail(golden_kolmogorov[i][0]), golden_kolmogorov[i][1], 1e-12);
    for (size_t i = 0; i < TL_COUNT(golden_chi_squared); i++) {
        const double *g = golden_chi_squared[i];
        near(tl_chi_squared_tail(g[0], g[1]), g[2], 1e-10);
    }
    assert_true(isnan(tl_chi_squared_tail(1.0, 0.0)));
}

/* The statistic to the bit; p to what an approximation is good for at 60 and 90 rows, and where
 * values are tied it is to err on the careful side. */
static void numbers_are_scipys(void **state)
{
    double a[FIRST + 1], b[SECOND];

    (void)state;
    for (size_t i = 0; i < TL_COUNT(golden_distance); i++) {
        memcpy(a, golden_first + i * FIRST, FIRST * sizeof *a);
        memcpy(b, golden_second + i * SECOND, sizeof b);
        a[FIRST] = (double)NAN; /* is left out */
        const tl_two_samples t = tl_two_numbers(a, FIRST + 1, b, SECOND);
        near(t.statistic, golden_distance[i], 1e-12);
        near(t.effect, golden_distance[i], 1e-12);
        const double p = golden_distance_p[i];
        if (!(t.p > 0.5 * p && t.p < 2.0 * p + 0.01)) fail_msg("p %g, exact is %g", t.p, p);
    }
    assert_true(tl_two_numbers(a, 0, b, SECOND).p == 1.0);
}

static void counts_are_scipys(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_COUNT(golden_counts_test); i++) {
        const int64_t       *a = golden_counts + i * 2 * LEVELS;
        const tl_two_samples t = tl_two_counts(a, a + LEVELS, LEVELS);
        near(t.statistic + 1.0, golden_counts_test[i][0] + 1.0, 1e-12);
        near(t.effect + 1.0, golden_counts_test[i][1] + 1.0, 1e-12);
        near(t.p, golden_counts_test[i][2], 1e-9);
    }
}

/* Ten levels of one row each are one level of ten: alone they would say nothing. */
static void rare_levels_are_taken_together(void **state)
{
    int64_t a[12] = { 100, 0 }, b[12] = { 80, 0 };
    for (int k = 2; k < 12; k++) b[k] = 2;
    (void)state;
    const int64_t        joined_a[2] = { 100, 0 }, joined_b[2] = { 80, 20 };
    const tl_two_samples t = tl_two_counts(a, b, 12), want = tl_two_counts(joined_a, joined_b, 2);
    near(t.statistic, want.statistic, 1e-12);
    near(t.p, want.p, 1e-12);
    assert_true(t.p < 1e-4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tails_are_scipys),
        cmocka_unit_test(numbers_are_scipys),
        cmocka_unit_test(counts_are_scipys),
        cmocka_unit_test(rare_levels_are_taken_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
