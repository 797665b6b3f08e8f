/* optim.c -- optimisers and schedules against PyTorch's numbers (tests/golden/optim.json, made
 * by tools/golden/optim.py); the same bits on any thread count and instruction set. */
#include "core/json.h"
#include "support/support.h"
#include "train/optim.h"
#include "train/optim_kernels.h"

#include <math.h>
#include <string.h>

enum { MOST = 64 };

static json_t *golden(void)
{
    json_t *value = NULL;

    TEST_OK(tl_json_read(test_ctx(), TEST_FOLDER "/golden/optim.json", 1 << 20, &value));
    return value;
}

static int64_t floats(const json_t *list, float *out)
{
    const size_t n = json_array_size(list);

    assert_true(n > 0 && n <= MOST);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)json_number_value(json_array_get(list, i));
    return (int64_t)n;
}

static tl_optim_settings settings_of(const json_t *c)
{
    return (tl_optim_settings){ .lr           = tl_json_number(c, "lr", NAN),
                                .momentum     = tl_json_number(c, "momentum", NAN),
                                .beta1        = tl_json_number(c, "beta1", NAN),
                                .beta2        = tl_json_number(c, "beta2", NAN),
                                .eps          = tl_json_number(c, "eps", NAN),
                                .weight_decay = tl_json_number(c, "weight_decay", NAN),
                                .nesterov     = tl_json_bool(c, "nesterov", false) };
}

/* Largest relative error over the shown steps; `lie` scales the rate, to see a wrong one fail. */
static double trajectory_error(const json_t *file, const json_t *c, double lie)
{
    const tl_optimizer     *o = tl_optimizer_find(tl_json_text(c, "optimizer", ""));
    const tl_optim_settings s = settings_of(c);
    const json_t *grads = json_object_get(file, "gradient");
    const json_t *at    = json_object_get(file, "shown_steps");
    float         w[MOST], g[MOST], m[MOST] = { 0 }, v[MOST] = { 0 }, want[MOST];
    const tl_flat x     = { floats(json_object_get(file, "w"), w), w, g, 1.0f, m, v };
    size_t        shown = 0;
    double        worst = 0.0;

    assert_non_null(o);
    for (size_t step = 1; step <= json_array_size(grads); step++) {
        floats(json_array_get(grads, step - 1), g);
        o->step(&s, s.lr * lie, s.weight_decay, (int64_t)step, &x, 1);
        if (json_integer_value(json_array_get(at, shown)) != (json_int_t)step) continue;
        floats(json_array_get(json_object_get(c, "shown"), shown++), want);
        worst = fmax(worst, test_error(w, want, x.n));
    }
    assert_int_equal(shown, json_array_size(at));
    return worst;
}

static void trajectories(void **state)
{
    json_t *file = golden(), *c;
    size_t  i;

    (void)state;
    json_array_foreach(json_object_get(file, "trajectory"), i, c) {
        assert_true(trajectory_error(file, c, 1.0) < 2e-6);
        assert_true(trajectory_error(file, c, 1.01) > 1e-5);
    }
    assert_int_equal(i, 10);
    json_decref(file);
}

/* The same of optimisers that see a matrix; on the reference backend's products. */
static double matrix_error(const json_t *c, double lie)
{
    const tl_optimizer     *o = tl_optimizer_find(tl_json_text(c, "optimizer", ""));
    const tl_optim_settings s = settings_of(c);
    const json_t  *grads = json_object_get(c, "gradient");
    const json_t  *at    = json_object_get(c, "shown_steps");
    float          w[MOST], g[MOST], m[MOST] = { 0 }, want[MOST];
    const int64_t  n    = floats(json_object_get(c, "w"), w);
    tl_matrix      x    = { tl_json_int(c, "rows", 0), tl_json_int(c, "cols", 0), w, g, m };
    tl_optim_work *work = NULL;
    size_t         shown = 0;
    double         worst = 0.0;

    assert_true(o && o->matrix && x.rows * x.cols == n);
    TEST_OK(tl_optim_work_new(test_ctx(), &tl_backend_ref, NULL, &work));
    for (size_t step = 1; step <= json_array_size(grads); step++) {
        floats(json_array_get(grads, step - 1), g);
        TEST_OK(o->matrix(test_ctx(), work, &s, s.lr * lie, s.weight_decay, (int64_t)step,
                          &x));
        if (json_integer_value(json_array_get(at, shown)) != (json_int_t)step) continue;
        floats(json_array_get(json_object_get(c, "shown"), shown++), want);
        worst = fmax(worst, test_error(w, want, n));
    }
    assert_int_equal(shown, 3);
    tl_optim_work_free(test_ctx(), work);
    return worst;
}

static void matrices(void **state)
{
    json_t *file = golden(), *c;
    size_t  i;

    (void)state;
    json_array_foreach(json_object_get(file, "matrix"), i, c) {
        const double error = matrix_error(c, 1.0);
        if (!(error < 5e-6)) fail_msg("matrix case %zu: %g", i, error);
        assert_true(matrix_error(c, 1.05) > 5e-5);
    }
    assert_int_equal(i, 5);
    json_decref(file);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void schedules(void **state)
{
    json_t *file = golden(), *c;
    size_t  i;

    (void)state;
    json_array_foreach(json_object_get(file, "schedule"), i, c) {
        const tl_schedule *s     = tl_schedule_find(tl_json_text(c, "schedule", ""));
        const json_t      *rate  = json_object_get(c, "rate");
        const int64_t      total = tl_json_int(c, "total", 0),
                      warmup     = tl_json_int(c, "warmup", 0);
        assert_non_null(s);
        assert_int_equal(json_array_size(rate), total);
        for (int64_t k = 0; k < total; k++) {
            const double want = json_number_value(json_array_get(rate, (size_t)k));
            const double got  = tl_schedule_factor(s, k, total, warmup, NULL);
            if (fabs(got - want) > 1e-9)
                fail_msg("%s total %d warmup %d step %d: %.12f, not %.12f", s->name,
                         (int)total, (int)warmup, (int)k, got, want);
        }
    }
    assert_true(i >= 10);
    json_decref(file);
}

static void fill(float *x, int64_t n, uint32_t seed)
{
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
}

/* Bits after three steps on `threads` threads, by the kernels chosen. */
static void run_wide(const tl_optimizer *o, int64_t n, int threads, float *w)
{
    const tl_optim_settings s = { .lr       = 0.01,
                                  .momentum = 0.9,
                                  .nesterov = true,
                                  .beta1    = 0.9,
                                  .beta2    = 0.999,
                                  .eps      = 1e-8 };
    float *g, *m, *v;

    TEST_OK(tl_alloc_array(test_ctx(), (size_t)n, sizeof *g, &g));
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)n, sizeof *m, &m));
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)n, sizeof *v, &v));
    const tl_flat x = { n, w, g, 1.0f, m, v };
    fill(w, n, 1);
    for (int step = 1; step <= 3; step++) {
        fill(g, n, (uint32_t)step * 17u);
        o->step(&s, 0.01, 0.01, step, &x, threads);
    }
    tl_free(test_ctx(), g);
    tl_free(test_ctx(), m);
    tl_free(test_ctx(), v);
}

static void same_bits_on_any_threads(void **state)
{
    const int64_t n = 100003;
    float        *a, *b;

    (void)state;
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)n, sizeof *a, &a));
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)n, sizeof *b, &b));
    for (size_t i = 0; tl_optimizer_at(i); i++) {
        if (!tl_optimizer_at(i)->step) continue; /* matrices are one thread's */
        run_wide(tl_optimizer_at(i), n, 1, a);
        for (int threads = 2; threads <= 5; threads++) {
            run_wide(tl_optimizer_at(i), n, threads, b);
            assert_memory_equal(a, b, (size_t)n * sizeof *a);
        }
    }
    tl_free(test_ctx(), a);
    tl_free(test_ctx(), b);
}

/* A clipped gradient, and the whole one of which a share counts. */
static void a_share_is_a_clipped_gradient(void **state)
{
    enum { N = 1003 };
    const tl_optim_settings s = {
        .momentum = 0.9, .nesterov = true, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8
    };
    const float share = 0.37f;

    (void)state;
    for (size_t i = 0; tl_optimizer_at(i); i++) {
        float w[2][N], m[2][N] = { { 0 } }, v[2][N] = { { 0 } }, g[N];
        if (!tl_optimizer_at(i)->step) continue;
        for (int clipped = 0; clipped < 2; clipped++) {
            const tl_flat x = { N, w[clipped], g, clipped ? 1.0f : share, m[clipped], v[clipped] };
            fill(w[clipped], N, 1);
            for (int step = 1; step <= 3; step++) {
                fill(g, N, (uint32_t)step);
                if (clipped) tl_multiply(g, N, share, 1);
                tl_optimizer_at(i)->step(&s, 0.01, 0.01, step, &x, 1);
            }
        }
        assert_memory_equal(w[0], w[1], sizeof w[0]);
    }
}

static void same_bits_on_any_set(void **state)
{
    enum { N = 1000 };
    static float    w[2][N], g[N], m[2][N], v[2][N];
    const tl_optim_kernels *k[2] = { &tl_optim_portable, tl_optim_chosen() };

    (void)state;
    fill(g, N, 3);
    for (size_t j = 0; j < 2; j++) {
        fill(w[j], N, 1), fill(m[j], N, 2);
        tl_update u = { .w           = w[j],
                        .g           = g,
                        .share       = 0.7f,
                        .m           = m[j],
                        .v           = v[j],
                        .lr          = 0.1f,
                        .decay       = 0.01f,
                        .shrink      = 0.99f,
                        .momentum    = 0.9f,
                        .of_gradient = 1.0f,
                        .of_momentum = 0.9f,
                        .beta1       = 0.9f,
                        .beta2       = 0.99f,
                        .eps         = 1e-8f,
                        .root        = 0.1f };
        k[j]->sgd(&u, 3, N);
        k[j]->adam(&u, 0, N - 5);
        k[j]->lion(&u, 2, N - 1);
        u.m = NULL;
        k[j]->sgd(&u, 1, N - 1);
        k[j]->add(w[j], g, N);
        k[j]->pull(w[j], g, m[j], 0.3f, N - 3);
        k[j]->multiply(w[j], 0.3f, N - 7);
        k[j]->follow(m[j], w[j], 0.01f, N - 2);
        k[j]->pull(w[j], g, NULL, 0.3f, N);
    }
    assert_int_equal(memcmp(w[0], w[1], sizeof w[0]), 0);
    assert_int_equal(memcmp(v[0], v[1], sizeof v[0]), 0);
    assert_int_equal(memcmp(m[0], m[1], sizeof m[0]), 0);
    assert_true(k[0]->squares(g, N) == k[1]->squares(g, N));
}

static void squares_see_everything(void **state)
{
    enum { N = 5000 };
    static float  x[N];
    static double part[N];
    double        want = 0.0;

    (void)state;
    fill(x, N, 5);
    for (int i = 0; i < N; i++) want += (double)x[i] * (double)x[i];
    assert_true(fabs(tl_squares(x, N, part, 1) - want) < 1e-6 * want);
    assert_true(tl_squares(x, N, part, 1) == tl_squares(x, N, part, 3));
    x[N - 1] = INFINITY;
    assert_false((bool)isfinite(tl_squares(x, N, part, 2)));
    x[N - 1] = NAN;
    assert_false((bool)isfinite(tl_squares(x, N, part, 2)));
}

static void every_row_is_documented(void **state)
{
    (void)state;
    for (size_t i = 0; tl_optimizer_at(i); i++) {
        assert_true(strlen(tl_optimizer_at(i)->doc) > 5 &&
                    strlen(tl_optimizer_at(i)->source) > 5);
        assert_ptr_equal(tl_optimizer_find(tl_optimizer_at(i)->name), tl_optimizer_at(i));
    }
    for (size_t i = 0; tl_schedule_at(i); i++) {
        assert_true(strlen(tl_schedule_at(i)->doc) > 5 &&
                    strlen(tl_schedule_at(i)->source) > 5);
        assert_ptr_equal(tl_schedule_find(tl_schedule_at(i)->name), tl_schedule_at(i));
    }
    assert_null(tl_optimizer_find("magic"));
    assert_null(tl_schedule_find("none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trajectories),
        cmocka_unit_test(matrices),
        cmocka_unit_test(schedules),
        cmocka_unit_test(same_bits_on_any_threads),
        cmocka_unit_test(a_share_is_a_clipped_gradient),
        cmocka_unit_test(same_bits_on_any_set),
        cmocka_unit_test(squares_see_everything),
        cmocka_unit_test(every_row_is_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
