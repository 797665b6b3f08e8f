/* optim.c -- L-BFGS on functions with known minima. */
#include "support/support.h"
#include "train/lbfgs.h"

#include <math.h>

/* Rosenbrock's valley in n dimensions: minimum 0 at all ones. */
static tl_status valley(tl_ctx *ctx, void *user, const double *x, double *f, double *g)
{
    const int64_t n = *(const int64_t *)user;

    (void)ctx;
    *f = 0.0;
    for (int64_t i = 0; i < n; i++) g[i] = 0.0;
    for (int64_t i = 0; i + 1 < n; i++) {
        const double a = 1.0 - x[i], b = x[i + 1] - x[i] * x[i];
        *f += a * a + 100.0 * b * b;
        g[i] += -2.0 * a - 400.0 * x[i] * b;
        g[i + 1] += 200.0 * b;
    }
    return TL_OK;
}

/* sum_i scale_i (x_i - i)^2 with scales from 1 to 1e4. */
static tl_status bowl(tl_ctx *ctx, void *user, const double *x, double *f, double *g)
{
    const int64_t n = *(const int64_t *)user;

    (void)ctx;
    *f = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double scale = pow(10.0, 4.0 * (double)i / (double)n),
                     away  = x[i] - (double)i;
        *f += scale * away * away;
        g[i] = 2.0 * scale * away;
    }
    return TL_OK;
}

static tl_status broken(tl_ctx *ctx, void *user, const double *x, double *f, double *g)
{
    (void)ctx, (void)user, (void)x;
    *f   = NAN;
    g[0] = 0.0;
    return TL_OK;
}

static tl_status stop_at_three(tl_ctx *ctx, void *user, int64_t iteration, double f)
{
    (void)user, (void)f;
    return iteration == 3 ? tl_fail(ctx, TL_ECANCEL, "test", "stopped") : TL_OK;
}

static void finds_minima(void **state)
{
    int64_t         n = 40;
    double          x[40];
    tl_lbfgs_spec   spec = {
          .n = n, .user = &n, .tolerance = 1e-8, .most_iterations = 2000
    };
    tl_lbfgs_result r;

    (void)state;
    for (int i = 0; i < n; i++) x[i] = i % 2 ? 1.0 : -1.2;
    spec.value = valley;
    TEST_OK(tl_lbfgs(test_fresh(), &spec, x, &r));
    assert_true(r.converged && r.value < 1e-10);
    for (int i = 0; i < n; i++) assert_true(fabs(x[i] - 1.0) < 1e-5);
    for (int i = 0; i < n; i++) x[i] = 100.0;
    spec.value = bowl;
    TEST_OK(tl_lbfgs(test_ctx(), &spec, x, &r));
    assert_true(r.converged && r.iterations < 1500); /* scipy's takes 1034 */
    for (int i = 0; i < n; i++) assert_true(fabs(x[i] - i) < 1e-6);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void says_when_it_cannot(void **state)
{
    int64_t         n    = 1;
    double          x[1] = { 0.0 };
    tl_lbfgs_result r;
    tl_lbfgs_spec spec = { .n = 1, .user = &n, .tolerance = 1e-8, .most_iterations = 9 };

    (void)state;
    spec.value = broken;
    assert_int_equal(tl_lbfgs(test_fresh(), &spec, x, &r), TL_ENAN);
    n = 8;
    double y[8]          = { 0.0 };
    spec.n               = 8;
    spec.value           = valley;
    spec.most_iterations = 2;
    TEST_OK(tl_lbfgs(test_ctx(), &spec, y, &r));
    assert_false(r.converged);
    assert_int_equal(r.iterations, 2);
    spec.most_iterations = 100;
    spec.after           = stop_at_three;
    for (int i = 0; i < 8; i++) y[i] = 0.0;
    assert_int_equal(tl_lbfgs(test_ctx(), &spec, y, &r), TL_ECANCEL);
    assert_int_equal(r.iterations, 3);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_minima),
        cmocka_unit_test(says_when_it_cannot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
