/* groups.c -- rows that belong together (--group) stay on one side of every split and count as
 * one; a second test set from elsewhere (--shifted) is trained on by nobody; the verdict tells
 * both. */
#include "support/pictures.h"
#include "support/schema.h"
#include "support/support.h"
#include "core/io.h"
#include "core/rand.h"
#include "core/text.h"
#include "study/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 600, SITES = 30, MOVED = 200 };

/* y follows x and z, the other way round for one site in five where `hard`; every row of a site
 * lies near the others. */
static void write_table(const char *folder, const char *name, int rows, double shift)
{
    tl_text t = tl_text_make(test_ctx());

    tl_text_add(&t, "x,z,site,y\n");
    for (int i = 0; i < rows; i++) {
        const int    site = i % SITES;
        const double own = tl_rand_normal(3, 7, (uint64_t)site);
        const double x = own + tl_rand_normal(3, 8, (uint64_t)i) + shift;
        const double z = tl_rand_normal(3, 9, (uint64_t)i);
        const bool   odd = site < SITES / 5 && i % 3 == 0;
        tl_text_printf(&t, "%.4f,%.4f,s%02d,%s\n", x, z, site,
                       (x + 0.5 * z > shift * 0.5) != odd ? "yes" : "no");
    }
    TEST_OK(t.status);
    test_text_file(folder, name, t.text);
    tl_text_free(&t);
}

static tl_dataset *opened(const char *top, const char *shifted)
{
    char *data, *other = NULL;
    tl_dataset *d;

    TEST_OK(tl_path_join(test_ctx(), top, "rows.csv", &data));
    if (shifted) TEST_OK(tl_path_join(test_ctx(), top, shifted, &other));
    const tl_dataset_source source = { .train = data, .shifted = other,
                                       .ask = { .target = "y", .group = "site" } };
    TEST_OK(tl_dataset_open(test_ctx(), &source, &d));
    tl_free(test_ctx(), data);
    tl_free(test_ctx(), other);
    return d;
}

/* No site of one list is in the other; marks of both are counted. */
static void apart(const tl_dataset *d, const tl_rows *a, const tl_rows *b)
{
    bool in[SITES] = { false };

    for (int64_t i = 0; i < a->count; i++) in[d->group[a->row[i]]] = true;
    for (int64_t i = 0; i < b->count; i++) assert_false(in[d->group[b->row[i]]]);
}

static void groups_stay_on_one_side(void **state)
{
    char       *top = test_folder();
    tl_rows     rest, test, train, valid, all = { 0 };
    int8_t      fold[ROWS], of[SITES];
    int64_t     yes = 0;

    (void)state;
    write_table(top, "rows.csv", ROWS, 0.0);
    write_table(top, "moved.csv", MOVED, 2.0);
    tl_dataset *d = opened(top, "moved.csv");
    assert_int_equal(d->groups, SITES);
    assert_string_equal(d->group_name[3], "s03");
    assert_int_equal(d->rows, ROWS + MOVED);
    assert_int_equal(d->schema->column[2].kind, TL_COLUMN_LEFT_OUT);
    for (uint64_t seed = 1; seed < 6; seed++) {
        TEST_OK(tl_split_test(test_ctx(), d, seed, 0.2, &rest, &test));
        apart(d, &rest, &test);
        assert_int_equal(rest.count + test.count, ROWS); /* none of the shifted */
        assert_in_range(test.count, ROWS / 5 - 20, ROWS / 5 + 20);
        yes = 0;
        for (int64_t i = 0; i < test.count; i++) yes += d->label[test.row[i]];
        assert_in_range(yes, test.count / 4, 3 * test.count / 4);
        TEST_OK(tl_split_repeat(test_ctx(), d, &rest, seed, 0, 0.2, 0, &train, &valid));
        apart(d, &train, &valid);
        assert_true(valid.count > 40);
        tl_free(test_ctx(), train.row);
        tl_free(test_ctx(), valid.row);
        tl_free(test_ctx(), rest.row);
        tl_free(test_ctx(), test.row);
    }
    TEST_OK(tl_alloc_array(test_ctx(), ROWS, sizeof *all.row, &all.row));
    for (int64_t i = 0; i < ROWS; i++) all.row[all.count++] = i;
    TEST_OK(tl_split_folds(test_ctx(), d, &all, 5, 1, fold));
    memset(of, -1, sizeof of);
    for (int64_t i = 0; i < ROWS; i++) {
        if (of[d->group[i]] < 0) of[d->group[i]] = fold[i];
        assert_int_equal(of[d->group[i]], fold[i]);
    }
    tl_free(test_ctx(), all.row);
    tl_dataset_close(test_ctx(), d);
    test_folder_end(top);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void what_cannot_be_a_group_is_refused(void **state)
{
    char       *top = test_folder(), *data;
    tl_dataset *d;

    (void)state;
    write_table(top, "rows.csv", 60, 0.0);
    TEST_OK(tl_path_join(test_ctx(), top, "rows.csv", &data));
    tl_dataset_source source = { .train = data, .ask = { .target = "y", .group = "place" } };
    assert_int_equal(tl_dataset_open(test_ctx(), &source, &d), TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "no column \"place\""));
    tl_free(test_ctx(), data);
    test_class_folders(top, 2, 8, 6);
    source.train     = top;
    source.ask.group = "site";
    TEST_OK(tl_path_join(test_ctx(), top, "rows.csv", &data));
    TEST_OK(tl_remove_tree(test_ctx(), data));
    assert_int_equal(tl_dataset_open(test_ctx(), &source, &d), TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "pictures have no columns"));
    tl_free(test_ctx(), data);
    test_folder_end(top);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static const json_t *first(const json_t *object, const char *key)
{
    return json_array_get(json_object_get(object, key), 0);
}

static void the_verdict_tells_groups_and_the_shifted_set(void **state)
{
    static const char *const routes[] = { "baseline", "scratch", NULL }, *const none[] = { NULL };
    static const char *const set[]    = { "epochs=4", NULL };
    char   *top = test_folder(), *data, *moved, *out, why[400];
    json_t *v, *schema;

    (void)state;
    test_ctx()->world->threads = 1;
    write_table(top, "rows.csv", ROWS, 0.0);
    write_table(top, "moved.csv", MOVED, 2.0);
    TEST_OK(tl_path_join(test_ctx(), top, "rows.csv", &data));
    TEST_OK(tl_path_join(test_ctx(), top, "moved.csv", &moved));
    TEST_OK(tl_path_join(test_ctx(), top, "out", &out));
    const tl_question q = { .data = { .train = data, .shifted = moved,
                                      .ask = { .target = "y", .group = "site" } },
                            .base = none, .base_arch = "mlp:8", .routes = routes,
                            .budget_s = 60.0, .margin = NAN, .seed = 3, .seeds = 4, .folds = 3,
                            .precision = "f32", .overrides = set, .out = out };
    TEST_OK(tl_compare(test_ctx(), &q, &v));
    TEST_OK(tl_json_read(test_ctx(), TEST_FOLDER "/../schemas/verdict.schema.json", 1 << 20,
                         &schema));
    if (!test_schema(schema, v, why, sizeof why)) fail_msg("verdict.json%s", why);
    const json_t *shifted = json_object_get(v, "shifted"), *groups = json_object_get(v, "groups");
    assert_int_equal(tl_json_int(shifted, "rows", 0), MOVED);
    assert_int_equal(json_array_size(json_object_get(shifted, "candidates")), 2);
    const double here  = tl_json_number(json_object_get(first(v, "candidates"), "test"), "mean", 0);
    const double there = tl_json_number(first(shifted, "candidates"), "mean", 1);
    assert_true(there < here - 0.03 && there > 0.3); /* the rule has moved by half a unit */
    assert_string_equal(tl_json_text(groups, "column", ""), "site");
    const json_t *one = first(groups, "candidates"), *worst = json_object_get(one, "worst");
    assert_int_equal(json_array_size(json_object_get(one, "all")), SITES);
    assert_true(strcmp(tl_json_text(worst, "group", "s99"), "s06") < 0); /* one of the odd */
    assert_true(json_is_null(json_object_get(groups, "gap"))); /* there is no base */
    assert_true(tl_json_number(json_object_get(json_object_get(v, "calibration"), "as_it_is"),
                               "ece", -1.0) >= 0.0);
    char *reasons = json_dumps(json_object_get(v, "reasons"), 0);
    assert_non_null(strstr(reasons, "On the shifted set (200 rows)"));
    assert_non_null(strstr(reasons, "It is worst for site"));
    free(reasons);
    json_decref(v);
    json_decref(schema);
    tl_free(test_ctx(), data);
    tl_free(test_ctx(), moved);
    tl_free(test_ctx(), out);
    test_folder_end(top);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_stay_on_one_side),
        cmocka_unit_test(what_cannot_be_a_group_is_refused),
        cmocka_unit_test(the_verdict_tells_groups_and_the_shifted_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
