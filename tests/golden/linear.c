/* linear.c -- the solved head against scikit-learn (tests/golden/linear.json, made by
 * tools/golden/linear.py). */
#include "core/json.h"
#include "support/support.h"
#include "train/linear.h"

#include <math.h>
#include <string.h>

typedef struct {
    json_t  *file;
    int64_t  rows, width, classes;
    tl_table table;
    float    weight[16]; /* of classes, balanced */
    tl_slab *slab;
} world;

static void open_world(world *w)
{
    const json_t *x, *label;

    TEST_OK(
        tl_json_read(test_fresh(), TEST_FOLDER "/golden/linear.json", 1 << 20, &w->file));
    w->rows    = tl_json_int(w->file, "rows", 0);
    w->width   = tl_json_int(w->file, "width", 0);
    w->classes = tl_json_int(w->file, "classes", 0);
    x          = json_object_get(w->file, "x");
    label      = json_object_get(w->file, "label");
    memset(w->weight, 0, sizeof w->weight);
    TEST_OK(
        tl_table_new(test_ctx(), w->rows, w->width, tl_linear_piece(w->rows), &w->table));
    for (int64_t i = 0; i < w->rows * w->width; i++)
        w->table.x[i] = (float)json_number_value(json_array_get(x, (size_t)i));
    for (int64_t r = 0; r < w->rows; r++) {
        w->table.label[r] = (int32_t)json_integer_value(json_array_get(label, (size_t)r));
        w->weight[w->table.label[r]] += 1.0f;
    }
    for (int64_t c = 0; c < w->classes; c++)
        w->weight[c] = (float)w->rows / ((float)w->classes * w->weight[c]);
    TEST_OK(tl_slab_new(test_ctx(), &tl_backend_ref, &w->slab));
}

static void close_world(world *w)
{
    tl_slab_free(test_ctx(), w->slab);
    tl_table_free(test_ctx(), &w->table);
    json_decref(w->file);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static double worst(const json_t *want, const double *got)
{
    double error = 0.0;

    for (size_t i = 0; i < json_array_size(want); i++)
        error = fmax(error, fabs(json_number_value(json_array_get(want, i)) - got[i]));
    return error;
}

static void one_case(world *w, const json_t *c)
{
    const tl_linear_settings settings = { .l2              = tl_json_number(c, "l2", NAN),
                                          .tolerance       = 1e-6,
                                          .most_iterations = 2000 };
    const int64_t   n = w->classes * w->width;
    double          x[256] = { 0 }, loss;
    tl_linear      *l;
    tl_lbfgs_result r;
    tl_tally        tally;

    TEST_OK(tl_linear_new(test_ctx(), &tl_backend_ref, w->slab, tl_linear_piece(w->rows),
                          w->width, w->classes, NULL,
                          tl_json_bool(c, "balanced", false) ? w->weight : NULL, &l));
    TEST_OK(tl_tally_new(test_ctx(), w->classes, &tally));
    TEST_OK(tl_linear_fit(test_ctx(), l, &w->table, &settings, x, &r));
    assert_true(r.converged);
    TEST_OK(tl_linear_loss(test_ctx(), l, &w->table, x, &loss, NULL, &tally));
    assert_true(fabs(loss - tl_json_number(c, "loss", NAN)) < 1e-5);
    assert_true(fabs(tl_tally_loss(&tally) - tl_json_number(c, "plain_loss", NAN)) <
                1e-5);
    assert_true(fabs(tl_tally_metric(&tally, "accuracy") -
                     tl_json_number(c, "accuracy", NAN)) < 1e-9);
    assert_true(fabs(tl_tally_metric(&tally, "macro-f1") -
                     tl_json_number(c, "macro_f1", NAN)) < 1e-9);
    assert_true(worst(json_object_get(c, "w"), x) < 5e-4);
    double mean = 0.0;
    for (int64_t k = 0; k < w->classes; k++) mean += x[n + k] / (double)w->classes;
    for (int64_t k = 0; k < w->classes; k++) x[n + k] -= mean;
    assert_true(worst(json_object_get(c, "b"), x + n) < 5e-4);
    tl_tally_free(test_ctx(), &tally);
    tl_linear_free(test_ctx(), l);
}

static void as_scikit_learn(void **state)
{
    double  mean[16], scale[16];
    size_t  i;
    json_t *c;
    world   w;

    (void)state;
    open_world(&w);
    tl_table_moments(&w.table, mean, scale);
    assert_true(scale[4] == 0.0 && fabs(mean[4] - 2.5) < 1e-12);
    tl_table_standardise(&w.table, mean, scale, 2);
    json_array_foreach(json_object_get(w.file, "case"), i, c) one_case(&w, c);
    assert_int_equal(i, 6);
    close_world(&w);
}

/* More rows than a plan takes: the same minimum, whatever the pieces. */
static void pieces_change_nothing(void **state)
{
    enum { ROWS = 5000, WIDTH = 3 };
    const tl_linear_settings settings = { .l2              = 0.01,
                                          .tolerance       = 1e-6,
                                          .most_iterations = 500 };
    double          a[8] = { 0 }, loss, g[8], small = 1e-3;
    tl_table        t;
    tl_slab        *slab;
    tl_linear      *l;
    tl_lbfgs_result r;

    (void)state;
    TEST_OK(tl_slab_new(test_fresh(), &tl_backend_ref, &slab));
    TEST_OK(tl_table_new(test_ctx(), ROWS, WIDTH, tl_linear_piece(ROWS), &t));
    assert_true(t.room >= ROWS && t.label[t.room - 1] == -1);
    for (int i = 0; i < ROWS * WIDTH; i++)
        t.x[i] = (float)((i * 7919) % 2003) / 1000.0f - 1.0f;
    for (int i = 0; i < ROWS; i++)
        t.label[i] = t.x[i * WIDTH] + 0.5f * t.x[i * WIDTH + 1] > 0.1f;
    TEST_OK(tl_linear_new(test_ctx(), &tl_backend_ref, slab, tl_linear_piece(ROWS), WIDTH,
                          2, NULL, NULL, &l));
    TEST_OK(tl_linear_fit(test_ctx(), l, &t, &settings, a, &r));
    assert_true(r.converged && a[0] < 0.0 && a[WIDTH] > 0.0);
    for (int i = 0; i < 8; i++) { /* the gradient is that of the loss */
        double up, down;
        TEST_OK(tl_linear_loss(test_ctx(), l, &t, a, &loss, g, NULL));
        a[i] += small;
        TEST_OK(tl_linear_loss(test_ctx(), l, &t, a, &up, NULL, NULL));
        a[i] -= 2.0 * small;
        TEST_OK(tl_linear_loss(test_ctx(), l, &t, a, &down, NULL, NULL));
        a[i] += small;
        assert_true(fabs((up - down) / (2.0 * small) - g[i]) < 1e-5);
    }
    tl_linear_free(test_ctx(), l);
    tl_table_free(test_ctx(), &t);
    tl_slab_free(test_ctx(), slab);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_scikit_learn),
        cmocka_unit_test(pieces_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
