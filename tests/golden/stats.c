/* stats.c -- distributions, intervals and metrics against scipy and scikit-learn. */
#include "support/support.h"
#include "study/stats.h"

#include "stats_golden.h"

#include <math.h>

static void near(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fmax(fabs(want), 1e-12)))
        fail_msg("%.17g, expected %.17g", got, want);
}

static void quantiles_and_cdf_are_scipys(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_COUNT(golden_normal); i++)
        near(tl_normal_quantile(golden_normal[i][0]), golden_normal[i][1], 1e-12);
    for (size_t i = 0; i < TL_COUNT(golden_student); i++) {
        const double *g = golden_student[i];
        near(tl_student_quantile(g[0], g[1]), g[2], 1e-9);
    }
    for (size_t i = 0; i < TL_COUNT(golden_student_cdf); i++) {
        const double *g = golden_student_cdf[i];
        near(tl_student_cdf(g[0], g[1]), g[2], 1e-9);
    }
    assert_true(isnan(tl_student_quantile(1.5, 3)) && isnan(tl_student_quantile(0.5, 0)));
}

static void intervals_are_scipys(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_COUNT(golden_wilson); i++) {
        const double     *g = golden_wilson[i];
        const tl_interval w = tl_wilson(g[0], g[1], g[2]);
        near(w.low + 1.0, g[3] + 1.0, 1e-12);
        near(w.high, g[4], 1e-12);
    }
    for (size_t i = 0; i < TL_COUNT(golden_mean); i++) {
        const double     *g = golden_mean[i];
        const tl_interval m = tl_mean_t(golden_sample[0], (int)g[0], 0.95);
        near(m.mean, g[1], 1e-12);
        near(m.low, g[2], 1e-9);
        near(m.high, g[3], 1e-9);
    }
    assert_true(isnan(tl_mean_t(golden_sample[0], 1, 0.95).low));
}

static void metrics_are_scikit_learns(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_COUNT(golden_metric); i++) {
        const double *g = golden_metric[i];
        near(tl_accuracy(golden_label[i], golden_predicted[i], 40), g[1], 1e-12);
        near(tl_macro_f1(golden_label[i], golden_predicted[i], 40, (int32_t)g[0]), g[2],
             1e-12);
    }
}

static void calibration_is_by_its_definitions(void **state)
{
    enum { N = (int)TL_COUNT(golden_truth), K = 4 };
    float p[N * K];

    (void)state;
    for (int i = 0; i < N * K; i++) p[i] = (float)golden_chance[i / K][i % K];
    for (size_t i = 0; i < TL_COUNT(golden_calibration); i++) {
        const double        *g = golden_calibration[i];
        const tl_calibration c = tl_calibrate(p, golden_truth, N, K, g[0]);
        near(c.ece, g[1], 1e-6);
        near(c.brier, g[2], 1e-6);
        near(c.log_loss, g[3], 1e-6);
    }
    near(tl_temperature(p, golden_truth, N, K), golden_calibration[1][0], 1e-4);
}

static void areas_under_the_curve_have_bounds_even_where_they_are_full(void **state)
{
    enum { N = 24 };
    float   score[N];
    int32_t label[N];

    (void)state;
    for (size_t i = 0; i < TL_COUNT(golden_areas); i++) {
        tl_interval auc;
        for (int r = 0; r < N; r++) {
            score[r] = (float)golden_scores[4 * i + (size_t)r / 6][r % 6];
            label[r] = r % 3 == 0;
        }
        TEST_OK(tl_roc_auc(test_fresh(), score, label, N, &auc));
        near(auc.mean, golden_areas[i][0], 1e-9);
        near(auc.low, golden_areas[i][1], 1e-6);
        near(auc.high, golden_areas[i][2], 1e-6);
    }
    assert_true(golden_areas[2][0] == 1.0 && golden_areas[2][1] < 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_and_cdf_are_scipys),
        cmocka_unit_test(intervals_are_scipys),
        cmocka_unit_test(metrics_are_scikit_learns),
        cmocka_unit_test(calibration_is_by_its_definitions),
        cmocka_unit_test(areas_under_the_curve_have_bounds_even_where_they_are_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
