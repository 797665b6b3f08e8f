/* table.c -- tables as data: what columns are taken for, what is fitted on training rows alone,
 * bad rows by place, hostile files in one line, trees that repeat to the bit on any number of
 * threads, and a model that reads its columns from its own directory. */
#include "support/support.h"

#include "api/handles.h"
#include "core/io.h"
#include "train/trees/trees.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *folder;

static int begin(void **state)
{
    (void)state;
    test_fresh();
    folder = test_folder();
    return 0;
}

static int end(void **state)
{
    (void)state;
    test_folder_end(folder);
    return 0;
}

static const char *write_text(const char *name, const char *text)
{
    static char path[600];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    TEST_OK(tl_file_write(test_ctx(), path, text, strlen(text)));
    return path;
}

/* 200 rows: id, day, colour, size (with gaps), note (free text), y = 1 where size > 0.5. */
static const char *write_mixed(const char *name, bool numbers)
{
    static const char *const colours[] = { "red", "green", "blue" };
    static char              path[600];
    FILE                    *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs("id,day,colour,size,note,y\n", f);
    for (int i = 0; i < 200; i++) {
        const double size = (double)(i * 37 % 101) / 100.0;
        fprintf(f, "%d,2024-%02d-%02d,%s,", i + 1, 1 + i % 12, 1 + i % 28, colours[i % 3]);
        if (i % 10 == 9) fputs("NA", f);
        else fprintf(f, "%.2f", size);
        fprintf(f, ",words %d,", i);
        if (numbers) fprintf(f, "%.3f\n", 3.0 * size + (i % 3));
        else fprintf(f, "%s\n", size > 0.5 ? "yes" : "no");
    }
    fclose(f);
    return path;
}

static tl_dataset *open_table(const char *path, const char *target)
{
    const tl_dataset_source source = { .train = path, .ask = { .target = target } };
    tl_dataset             *d      = NULL;

    TEST_OK(tl_dataset_open(test_ctx(), &source, &d));
    return d;
}

static void columns_are_told_apart(void **state)
{
    tl_dataset *d = open_table(write_mixed("mixed.csv", false), NULL);
    static const tl_column_kind kinds[] = { TL_COLUMN_LEFT_OUT, TL_COLUMN_DATE,
                                            TL_COLUMN_CATEGORY, TL_COLUMN_NUMBER,
                                            TL_COLUMN_LEFT_OUT };

    (void)state;
    assert_string_equal(d->task->name, "table-classification");
    assert_string_equal(d->schema->target, "y");
    assert_int_equal(d->schema->columns, 5);
    for (int64_t i = 0; i < 5; i++) assert_int_equal(d->schema->column[i].kind, kinds[i]);
    assert_int_equal(d->schema->column[2].levels, 3);
    assert_int_equal(d->schema->column[3].missing, 20);
    assert_true(d->schema->column[3].gaps);
    assert_non_null(strstr(d->schema->column[0].why, "counts the rows"));
    assert_int_equal(d->classes, 2);
    assert_string_equal(d->class_name[0], "no");
    tl_dataset_close(test_ctx(), d);
    d = open_table(write_mixed("numbers.csv", true), NULL);
    assert_string_equal(d->task->name, "table-regression");
    assert_int_equal(d->classes, 1);
    assert_true(fabs(d->target[1] - (3.0 * 0.37 + 1.0)) < 1e-9);
    tl_dataset_close(test_ctx(), d);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* Means, levels and the target's scale are those of the rows that were given. */
static void fitted_on_training_rows_alone(void **state)
{
    tl_dataset *d = open_table(
        write_text("fit.csv", "n,c,y\n1,a,10.5\n3,b,20.5\n5,a,30.5\n1000,z,9000.5\n"), "y");
    int64_t    rows[3] = { 0, 1, 2 };
    tl_schema *s       = NULL;
    tl_cache  *cache   = NULL;
    float      x[8];

    (void)state;
    TEST_OK(tl_dataset_fit(test_ctx(), d, d->schema, TL_SCALING_STANDARD,
                           (tl_rows){ rows, 3 }, &s));
    assert_true(fabs(s->column[0].mean[0] - 3.0) < 1e-12);
    assert_true(fabs(s->column[0].scale[0] - 1.0 / sqrt(8.0 / 3.0)) < 1e-12);
    assert_true(fabs(s->target_mean - 20.5) < 1e-12);
    assert_true(s->column[1].known[0] && s->column[1].known[1] && !s->column[1].known[2]);
    assert_int_equal(s->width, 1 + 4);
    TEST_OK(tl_cache_new(test_ctx(), d, &(tl_prep){ .table = s }, 1 << 20, &cache));
    TEST_OK(tl_cache_code(test_ctx(), cache, 3, x)); /* its level is unknown */
    assert_true(x[1] == 1.0f && x[2] == 0.0f && x[3] == 0.0f && x[4] == 0.0f);
    TEST_OK(tl_cache_code(test_ctx(), cache, 1, x));
    assert_true(x[0] == 0.0f && x[1] == 0.0f && x[3] == 1.0f);
    tl_cache_free(test_ctx(), cache);
    tl_schema_drop(test_ctx(), s);
    tl_dataset_close(test_ctx(), d);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void cells(void **state)
{
    double v, part[TL_DATE_PARTS];

    (void)state;
    assert_true(tl_cell_number("12.5", &v) && v == 12.5);
    assert_true(tl_cell_number(" -3e2 ", &v) && v == -300.0);
    assert_true(tl_cell_number("0.1", &v) && v == 0.1);
    assert_false(tl_cell_number("0x10", &v) || tl_cell_number("1,5", &v));
    assert_false(tl_cell_number("inf", &v) || tl_cell_number("1e999", &v));
    assert_true(tl_cell_missing("") && tl_cell_missing("NaN") && tl_cell_missing(" n/a "));
    assert_false(tl_cell_missing("0") || tl_cell_missing("nancy"));
    assert_true(tl_cell_date("2000-01-01", false, part) && part[TL_DATE_DAYS] == 0.0);
    assert_true(part[TL_DATE_WEEKDAY] == 5.0); /* a Saturday */
    assert_true(tl_cell_date("29.02.2024 12:30", false, part) && part[TL_DATE_HOUR] == 12.5);
    assert_true(tl_cell_date("02/03/2024", true, part) && part[TL_DATE_MONTH] == 3.0);
    assert_false(tl_cell_date("2023-02-29", false, part));
    assert_false(tl_cell_date("13/13/2024", false, part));
}

/* Each ends in one line with place and remedy, and leaves nothing behind. */
static void hostile_tables(void **state)
{
    static const struct { const char *text, *says; } bad[] = {
        { "", "empty" },
        { "a,b\n", "no rows" },
        { "a,b\n\"never,1\n2,3\n", ":2: a quote that never ends" },
        { "a,a\n1,2\n", "two columns" },
        { "a,y\nNaN,1\nNA,0\n,1\n", "no column to learn from" },
        { "a,y\n1,NA\n2,\n", "no value in any row" },
        { "a,b,y\n1,2,0\n3,4\n5,6,1\n", ":3: another number of fields" },
        { "t\n1\n2\n", "no column to learn from" },
    };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(bad); i++) {
        const tl_dataset_source source = { .train = write_text("bad.csv", bad[i].text) };
        tl_dataset             *d      = NULL;
        assert_int_equal(tl_dataset_open(test_ctx(), &source, &d), TL_EDATA);
        if (!strstr(test_ctx()->message, bad[i].says))
            fail_msg("case %zu says: %s", i, test_ctx()->message);
        assert_null(strchr(test_ctx()->message, '\n'));
        assert_int_equal(test_ctx()->world->now_bytes, 0);
    }
}

static void zero_bytes_are_placed(void **state)
{
    static const char       text[] = "a,y\n1,0\n2,\0,1\n";
    const char             *path   = write_text("zero.csv", "");
    const tl_dataset_source source = { .train = path };
    tl_dataset             *d;

    (void)state;
    TEST_OK(tl_file_write(test_ctx(), path, text, sizeof text - 1));
    assert_int_equal(tl_dataset_open(test_ctx(), &source, &d), TL_EDATA);
    assert_non_null(strstr(test_ctx()->message, "zero.csv:3: holds zero bytes"));
}

static void bad_rows_by_line(void **state)
{
    char              text[2000] = "n,y\n";
    tl_dataset       *d          = NULL;
    tl_dataset_source source;

    (void)state;
    for (int i = 0; i < 60; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), i == 7 ? "oops,a\n" : "%d,%s\n",
                 i * 3 % 17, i % 2 ? "a" : "b");
    source = (tl_dataset_source){ .train = write_text("rows.csv", text) };
    assert_int_equal(tl_dataset_open(test_ctx(), &source, &d), TL_EDATA);
    assert_non_null(strstr(test_ctx()->message, "rows.csv:9, field 1: not a number"));
    assert_non_null(strstr(test_ctx()->message, "--skip-bad"));
    source.skip_bad = true;
    TEST_OK(tl_dataset_open(test_ctx(), &source, &d));
    assert_int_equal(d->rows, 59);
    assert_int_equal(d->bad_rows, 1);
    tl_dataset_close(test_ctx(), d);
}

static tailor *library(int threads)
{
    tailor *t = tailor_new();

    assert_non_null(t);
    assert_int_equal(tailor_set_threads(t, threads), TAILOR_OK);
    return t;
}

/* Fits by `route` and saves; the weights' hash. */
static void fit(int threads, const char *path, const char *route, const char *name, char hex[65])
{
    tailor       *t = library(threads);
    tailor_data  *d = NULL;
    tailor_model *m = NULL;
    char          out[700];
    static const char *const settings[] = { "trees.least_rows=5", "trees.most=40", NULL };

    snprintf(out, sizeof out, "%s/%s", folder, name);
    assert_int_equal(tailor_data_open(t, path, NULL, &d), TAILOR_OK);
    assert_int_equal(tailor_model_new(t, "mlp:16", d, 1, &m), TAILOR_OK);
    const tailor_fit_options o = { .route = route, .epochs = 80, .seed = 1, .settings = settings };
    if (tailor_fit(t, m, d, &o, NULL) != TAILOR_OK) fail_msg("%s", tailor_error(t));
    assert_int_equal(tailor_model_save(t, m, out), TAILOR_OK);
    strncat(out, "/model.safetensors", sizeof out - strlen(out) - 1);
    TEST_OK(tl_hash_file(test_ctx(), out, hex));
    tailor_model_free(t, m);
    tailor_data_free(t, d);
    tailor_free(t);
}

static void trees_repeat_on_any_threads(void **state)
{
    char        one[65], two[65], again[65];
    const char *path = write_mixed("trees.csv", false);

    (void)state;
    fit(1, path, "baseline", "one", one);
    fit(2, path, "baseline", "two", two);
    fit(2, path, "baseline", "again", again);
    assert_string_equal(one, two);
    assert_string_equal(two, again);
}

static int keep_value(void *user, const char *json)
{
    double     *value = user;
    const char *at    = strstr(json, "\"value\":");

    assert_non_null(at);
    *value++ = strtod(at + 8, NULL);
    return 1;
}

/* Another process knows the columns from the directory alone; the target's scale comes back. */
static void models_carry_their_columns(void **state)
{
    static const char *const routes[] = { "baseline", "scratch" };
    char                     hex[65], model_path[700];
    const char              *path  = write_mixed("carry.csv", true);
    char                    *table = strdup(path);

    (void)state;
    for (size_t i = 0; i < TL_COUNT(routes); i++) {
        tailor        *t = library(1);
        tailor_data   *d = NULL;
        tailor_model  *m = NULL;
        tailor_metrics score;
        double         value = NAN;
        fit(1, table, routes[i], routes[i], hex);
        snprintf(model_path, sizeof model_path, "%s/%s", folder, routes[i]);
        if (tailor_model_open(t, model_path, NULL, &m) != TAILOR_OK)
            fail_msg("%s", tailor_error(t));
        const tailor_data_options like = { .like = m };
        assert_int_equal(tailor_data_open(t, table, &like, &d), TAILOR_OK);
        assert_int_equal(tailor_evaluate(t, m, d, "all", &score, NULL), TAILOR_OK);
        assert_true(score.rmse < 1.2 && score.rmse_low <= score.rmse && isnan(score.accuracy));
        assert_true(fabs(score.r2 - 1.0) < 1.0);
        const char *fresh =
            write_text("fresh.csv", "size,colour,day\n0.5,red,2024-05-05\n0.7,blue,2024-01-01\n");
        assert_int_equal(tailor_predict(t, m, &fresh, 1, keep_value, &value), TAILOR_OK);
        assert_true(value > -2.0 && value < 8.0);
        const char *lacks = write_text("lacks.csv", "size,colour\n0.5,red\n");
        assert_int_equal(tailor_predict(t, m, &lacks, 1, keep_value, &value), TAILOR_BAD_DATA);
        assert_non_null(strstr(tailor_error(t), "\"day\""));
        tailor_data_free(t, d);
        tailor_model_free(t, m);
        tailor_free(t);
    }
    free(table);
}

/* A forest of hostile numbers ends: children must come after their parent. */
static void forests_end(void **state)
{
    const float     node[] = { 0, 0.5f, 0, 0, 0, 0, 1e30f, NAN, -5, 7e9f, 1, 1 };
    const float     bits[] = { NAN, 1e9f }, x[] = { 0.1f };
    const tl_forest f      = { node, bits, 2, 2, 1 };

    (void)state;
    assert_true(tl_forest_leaf(&f, 0, x) == 0.0f);
    assert_true(isnan(tl_forest_leaf(&f, 1, x)));
    const float     half[] = { 0, 0.5f, 0.5f, 0.5f, 0, 0, -1, 7, 0, 0, 0, 0 };
    const tl_forest g      = { half, bits, 2, 2, 1 };
    assert_true(tl_forest_leaf(&g, 0, x) == 0.0f); /* half a place is no place */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells),
        cmocka_unit_test_setup_teardown(columns_are_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(fitted_on_training_rows_alone, begin, end),
        cmocka_unit_test_setup_teardown(hostile_tables, begin, end),
        cmocka_unit_test_setup_teardown(zero_bytes_are_placed, begin, end),
        cmocka_unit_test_setup_teardown(bad_rows_by_line, begin, end),
        cmocka_unit_test_setup_teardown(trees_repeat_on_any_threads, begin, end),
        cmocka_unit_test_setup_teardown(models_carry_their_columns, begin, end),
        cmocka_unit_test(forests_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
