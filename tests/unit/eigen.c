/* eigen.c -- eigenvectors against their definition. */
#include "support/support.h"
#include "core/rand.h"
#include "study/eigen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tl_ctx *fresh(void)
{
    test_fresh()->world->threads = 1;
    return test_ctx();
}

static void eigenvectors_hold_their_equation(void **state)
{
    static const int64_t sizes[] = { 1, 2, 3, 8, 40, 40 }; /* the last of rank 2 */
    static double        a[40 * 40], v[40 * 40], value[40];

    (void)state;
    fresh();
    for (size_t t = 0; t < TL_COUNT(sizes); t++) {
        const int64_t n = sizes[t];
        double        trace = 0.0, sum = 0.0;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j <= i; j++)
                a[i * n + j] = a[j * n + i] =
                    tl_rand_normal(t, 1, (uint64_t)(i * n + j)); /* rank is full */
        for (int64_t i = 0; t == 5 && i < n; i++)
            for (int64_t j = 0; j < n; j++)
                a[i * n + j] = sin((double)i) * sin((double)j) + cos((double)i) * cos((double)j);
        memcpy(v, a, sizeof v);
        TEST_OK(tl_eigen(test_ctx(), n, v, value));
        for (int64_t k = 0; k < n; k++) {
            double length = 0.0;
            for (int64_t i = 0; i < n; i++) {
                double x = 0.0;
                for (int64_t j = 0; j < n; j++) x += a[i * n + j] * v[j * n + k];
                assert_true(fabs(x - value[k] * v[i * n + k]) < 1e-10 * (double)n);
                length += v[i * n + k] * v[i * n + k];
            }
            assert_true(fabs(length - 1.0) < 1e-10);
            trace += a[k * n + k];
            sum += value[k];
        }
        assert_true(fabs(trace - sum) < 1e-9);
    }
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenvectors_hold_their_equation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
