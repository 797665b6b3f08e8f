/* distance.c -- distances of two lots of features against scikit-learn and scipy. */
#include "support/support.h"
#include "core/rand.h"
#include "study/distance.h"

#include "distance_golden.h"

#include <math.h>

static void near(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fmax(fabs(want), 1e-3)))
        fail_msg("%.17g, expected %.17g", got, want);
}

static void distances_are_the_formulas(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_COUNT(golden_mmd2); i++) {
        const float *a = golden_first + i * GOLDEN_N * GOLDEN_WIDTH;
        const float *b = golden_second + i * GOLDEN_M * GOLDEN_WIDTH;
        double       frechet;
        tl_mmd       mmd;
        TEST_OK(tl_distance_mmd(test_ctx(), a, GOLDEN_N, b, GOLDEN_M, GOLDEN_WIDTH, 0, 1, &mmd));
        near(mmd.mmd2, golden_mmd2[i], 1e-9);
        TEST_OK(tl_distance_frechet(test_ctx(), a, GOLDEN_N, b, GOLDEN_M, GOLDEN_WIDTH, &frechet));
        near(frechet, golden_frechet[i], 1e-6);
    }
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* Equal sources: p is under 0.1 in about one of ten; a moved one is found each time. */
static void the_permutation_test_keeps_its_level(void **state)
{
    enum { ROWS = 24, WIDTH = 4, REPEATS = 200 };
    static float a[ROWS * WIDTH], b[ROWS * WIDTH];
    int          low = 0, found = 0;
    tl_mmd       mmd;

    (void)state;
    for (uint64_t k = 0; k < REPEATS; k++) {
        const double moved = k % 4 == 3 ? 1.5 : 0.0;
        for (uint64_t i = 0; i < ROWS * WIDTH; i++) {
            a[i] = (float)tl_rand_normal(k, 1, i);
            b[i] = (float)(tl_rand_normal(k, 2, i) + moved);
        }
        TEST_OK(tl_distance_mmd(test_ctx(), a, ROWS, b, ROWS, WIDTH, 99, k, &mmd));
        if (k % 4 == 3) found += mmd.p < 0.02;
        else low += mmd.p < 0.1 + 1e-9;
    }
    print_message("# p under 0.1 in %d of 150 equal pairs, moved ones found %d of 50\n", low,
                  found);
    assert_true(low >= 4 && low <= 28); /* 15 are due: within 3.5 standard errors */
    assert_int_equal(found, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_the_formulas),
        cmocka_unit_test(the_permutation_test_keeps_its_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
