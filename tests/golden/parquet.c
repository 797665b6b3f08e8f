/* parquet.c -- every type, encoding, codec and kind of page as pyarrow writes them: each cell is
 * what the golden texts say; too little memory is an error. */
#include "core/json.h"
#include "data/parquet/parquet.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *golden;

static const char *path_of(const char *name)
{
    static char path[600];

    snprintf(path, sizeof path, TEST_FOLDER "/golden/parquet/%s", name);
    return path;
}

static void same_cells(const json_t *want, const tl_sheet *g, const char *file)
{
    const json_t *rows = json_object_get(want, "rows"), *names = json_object_get(want, "columns");

    assert_int_equal(g->rows, json_array_size(rows));
    assert_int_equal(g->columns, json_array_size(names));
    for (int64_t c = 0; c < g->columns; c++)
        assert_string_equal(g->name[c], json_string_value(json_array_get(names, (size_t)c)));
    for (int64_t r = 0; r < g->rows; r++)
        for (int64_t c = 0; c < g->columns; c++) {
            const json_t *row  = json_array_get(rows, (size_t)r), *cell;
            const char   *have = tl_sheet_cell(g, r, c);
            cell = json_array_get(row, (size_t)c);
            assert_int_equal(g->line[r], r + 1);
            if (json_is_null(cell) ? have != g->text || *have
                                   : have == g->text || strcmp(have, json_string_value(cell)) != 0)
                fail_msg("%s: row %d, column \"%s\": \"%s\", and not \"%s\"", file, (int)r + 1,
                         g->name[c], have,
                         json_is_null(cell) ? "(null)" : json_string_value(cell));
        }
}

static void each_cell_is_as_written(void **state)
{
    const json_t *cases = json_object_get(golden, "case");

    (void)state;
    assert_in_range(json_array_size(cases), 20, 100);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one  = json_array_get(cases, i);
        const char   *name = json_string_value(json_object_get(one, "file"));
        tl_sheet      g;
        TEST_OK(tl_sheet_read(test_fresh(), path_of(name), (size_t)1 << 26, NULL, NULL, &g));
        same_cells(one, &g, name);
        tl_sheet_free(test_ctx(), &g);
        assert_int_equal(test_ctx()->world->now_bytes, 0);
    }
}

typedef struct {
    const json_t *rows; /* of the golden cells */
    int64_t       seen;
} asked;

/* A message's text is what the golden cell's JSON holds. */
static tl_status same_object(void *user, int64_t row, const json_t *object)
{
    asked        *a    = user;
    const json_t *cell = json_array_get(json_array_get(a->rows, (size_t)row), 0);
    json_t       *want = json_loads(json_string_value(cell), 0, NULL);

    assert_non_null(want);
    assert_true(json_equal(want, json_object_get(object, "messages")));
    json_decref(want);
    a->seen++;
    return TL_OK;
}

static void rows_are_objects(void **state)
{
    const json_t *cases = json_object_get(golden, "case");
    asked         a     = { 0 };
    json_t       *names;

    (void)state;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        if (strcmp(json_string_value(json_object_get(one, "file")), "chat.parquet") == 0)
            a.rows = json_object_get(one, "rows");
    }
    TEST_OK(tl_parquet_objects(test_fresh(), path_of("chat.parquet"), 1 << 20, same_object, &a));
    assert_int_equal(a.seen, 12);
    TEST_OK(tl_parquet_names(test_ctx(), path_of("chat.parquet"), &names));
    assert_int_equal(json_object_size(names), 1);
    assert_true(json_is_null(json_object_get(names, "messages")));
    json_decref(names);
}

static void little_memory_is_an_error(void **state)
{
    tl_sheet g;

    (void)state;
    for (size_t limit = 0; limit <= 2400; limit += 300) {
        const tl_status rc =
            tl_sheet_read(test_fresh(), path_of("plain-v1.parquet"), limit, NULL, NULL, &g);
        assert_int_equal(rc, TL_ELIMIT);
        assert_non_null(strstr(test_ctx()->message, "--memory"));
        assert_int_equal(test_ctx()->world->now_bytes, 0);
    }
}

static void allocations_may_fail(void **state)
{
    tl_sheet  g;
    tl_status rc = TL_ENOMEM;
    int64_t   n  = 0;

    (void)state;
    for (; rc != TL_OK; n++) {
        tl_ctx *ctx = test_fresh();
        ctx->world->fault_alloc = n + 1;
        rc = tl_sheet_read(ctx, path_of("nested-v1.parquet"), 1 << 20, NULL, NULL, &g);
        ctx->world->fault_alloc = 0;
        if (rc == TL_OK) tl_sheet_free(ctx, &g);
        else assert_int_equal(rc, TL_ENOMEM);
        assert_int_equal(ctx->world->now_bytes, 0);
    }
    assert_in_range(n, 20, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cell_is_as_written),
        cmocka_unit_test(rows_are_objects),
        cmocka_unit_test(little_memory_is_an_error),
        cmocka_unit_test(allocations_may_fail),
    };
    int rc;

    if (tl_json_read(test_ctx(), path_of("cells.json"), 1 << 24, &golden) != TL_OK) return 1;
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(golden);
    return rc;
}
