/* transfer.c -- scores of features against scikit-learn and a general optimiser
 * (tests/golden/transfer.json, made by tools/golden/transfer.py). */
#include "core/json.h"
#include "study/transfer.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

enum { MOST = 60, WIDTH = 55 };

typedef struct {
    float       x[MOST * WIDTH];
    int32_t     label[MOST];
    int8_t      fold[MOST];
    tl_features f;
} sample;

static int64_t number(const json_t *list, int64_t i)
{
    return (int64_t)json_integer_value(json_array_get(list, (size_t)i));
}

static void read_sample(const json_t *c, sample *s)
{
    const json_t *x = json_object_get(c, "x");

    s->f = (tl_features){ s->x, s->label, tl_json_int(c, "rows", 0), tl_json_int(c, "width", 0),
                          tl_json_int(c, "classes", 0) };
    assert_true(s->f.rows <= MOST && s->f.width <= WIDTH);
    for (int64_t i = 0; i < s->f.rows * s->f.width; i++)
        s->x[i] = (float)json_number_value(json_array_get(x, (size_t)i));
    for (int64_t r = 0; r < s->f.rows; r++) {
        s->label[r] = (int32_t)number(json_object_get(c, "label"), r);
        s->fold[r]  = (int8_t)number(json_object_get(c, "fold"), r);
    }
}

static void near(double got, const json_t *c, const char *name, double most)
{
    const double want = tl_json_number(c, name, NAN);

    if (!(fabs(got - want) <= most * fabs(want)))
        fail_msg("%s: %.12g, not %.12g", name, got, want);
}

static void same(const uint8_t *right, const json_t *c, const char *name, int64_t rows)
{
    for (int64_t r = 0; r < rows; r++)
        assert_int_equal(right[r], number(json_object_get(c, name), r));
}

static void own_head_scores_as_the_papers_write(const json_t *c, const sample *s)
{
    static float    p[MOST * 6];
    const json_t   *source = json_object_get(c, "source");
    const tl_sourced f = { p, s->label, s->f.rows, tl_json_int(c, "sources", 0), s->f.classes };
    double          leep, nce;

    assert_true(f.sources <= 6);
    for (int64_t i = 0; i < f.rows * f.sources; i++)
        p[i] = (float)json_number_value(json_array_get(source, (size_t)i));
    TEST_OK(tl_transfer_source(test_ctx(), &f, &leep, &nce));
    near(leep, c, "leep", 1e-9);
    near(nce, c, "nce", 1e-9);
}

static void scores_are_those_of_the_judges(void **state)
{
    static sample s;
    json_t       *file, *c;
    size_t        i;
    tl_slab      *slab;

    (void)state;
    TEST_OK(tl_json_read(test_fresh(), TEST_FOLDER "/golden/transfer.json", 1 << 20, &file));
    TEST_OK(tl_slab_new(test_ctx(), &tl_backend_ref, &slab));
    json_array_foreach(json_object_get(file, "case"), i, c)
    {
        uint8_t right[MOST];
        double  value;
        read_sample(c, &s);
        TEST_OK(tl_transfer_hscore(test_ctx(), &s.f, &value));
        near(value, c, "hscore", 1e-8);
        TEST_OK(tl_transfer_logme(test_ctx(), &s.f, &value));
        near(value, c, "logme", 1e-6);
        TEST_OK(tl_transfer_knn(test_ctx(), &s.f, 5, right));
        same(right, c, "knn", s.f.rows);
        TEST_OK(tl_transfer_probe(test_ctx(), &s.f, s.fold, 5, &tl_backend_ref, slab, right));
        same(right, c, "probe", s.f.rows);
        own_head_scores_as_the_papers_write(c, &s);
    }
    assert_int_equal(i, 2);
    tl_slab_free(test_ctx(), slab);
    json_decref(file);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* Features that are all alike tell nothing: an H-score cannot be had, neighbours are even. */
static void features_that_are_all_alike_are_no_crash(void **state)
{
    static sample s;
    double        value;
    uint8_t       right[MOST];

    (void)state;
    test_fresh();
    memset(&s, 0, sizeof s);
    s.f = (tl_features){ s.x, s.label, 20, 8, 2 };
    for (int r = 0; r < 20; r++) s.label[r] = r % 2;
    assert_int_equal(tl_transfer_hscore(test_ctx(), &s.f, &value), TL_ENAN);
    TEST_OK(tl_transfer_knn(test_ctx(), &s.f, 5, right));
    TEST_OK(tl_transfer_logme(test_ctx(), &s.f, &value));
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_the_judges),
        cmocka_unit_test(features_that_are_all_alike_are_no_crash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
