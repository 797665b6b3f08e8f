/* table.c -- the n-th allocation or read fails while a table is read, its columns found out,
 * fitted, coded, written as JSON and read again, and new rows are asked, for n = 1, 2, ... until
 * all succeeds: the failure is said, nothing leaks, nothing crashes. */
#include "support/support.h"
#include "core/io.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "data/tables/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static char *folder;

/* Numbers with a gap, categories, dates, quotes; the last field a class or a number. */
static char *write_table(bool numbers, bool packed)
{
    char  *path = malloc(600);
    gzFile f;

    snprintf(path, 600, "%s/%s.csv%s", folder, numbers ? "numbers" : "classes",
             packed ? ".gz" : "");
    f = gzopen(path, packed ? "wb" : "wbT");
    assert_non_null(f);
    gzprintf(f, "size,\"colour, said\",day,y\n");
    for (int i = 0; i < 60; i++) {
        char size[16] = "NA";
        if (i % 9) snprintf(size, sizeof size, "%d.5", i * 37 % 101);
        gzprintf(f, "%s,\"c \"\"%d\"\"\",2024-01-%02d,%s%d%s\n", size, i % 3, 1 + i % 28,
                 numbers ? "" : "k", numbers ? i * 7 % 50 : i % 2, numbers ? ".25" : "");
    }
    assert_int_equal(gzclose(f), Z_OK);
    return path;
}

/* The columns as they travel: to JSON and back, to new rows. */
static tl_status travel(tl_ctx *ctx, const tl_schema *fitted, const char *path)
{
    static const char text[] =
        "day,size,\"colour, said\"\n2025-02-03,3.5,\"c \"\"1\"\"\"\n,,\n";
    json_t     *json  = tl_schema_to_json(fitted);
    tl_schema  *again = NULL;
    tl_reader   r     = { 0 };
    float       x[64];
    char        place[400];
    const char *fault, *column;
    tl_status   rc;

    TL_TRY(tl_schema_from_json(ctx, "tailor.json", json, &again));
    TL_TRY(tl_reader_open(ctx, path, (size_t)1 << 20, again, &r));
    tl_reader_row(&r, 0, x, place, &fault, &column);
    tl_reader_close(ctx, &r);
    TL_TRY(tl_reader_of_text(ctx, "stdin", text, sizeof text - 1, again, &r));
    for (int64_t i = 0; i < r.rows; i++) tl_reader_row(&r, i, x, place, &fault, &column);
done:
    tl_reader_close(ctx, &r);
    tl_schema_drop(ctx, again);
    json_decref(json);
    return rc;
}

static tl_status all_of_it(tl_ctx *ctx, const char *path)
{
    const tl_dataset_source source = { .train = path };
    tl_dataset             *d      = NULL;
    tl_rows                 rest = { 0 }, test = { 0 };
    tl_schema              *s     = NULL;
    tl_cache               *cache = NULL;
    float                   x[64];
    tl_status               rc;

    TL_TRY(tl_dataset_open(ctx, &source, &d));
    TL_TRY(tl_split_test(ctx, d, 1, 0.2, &rest, &test));
    TL_TRY(tl_dataset_fit(ctx, d, d->schema, TL_SCALING_QUANTILE, rest, &s));
    TL_TRY(tl_cache_new(ctx, d, &(tl_prep){ .table = s }, 1 << 20, &cache));
    TL_TRY(tl_cache_code(ctx, cache, 3, x));
    TL_TRY(travel(ctx, s, path));
done:
    tl_cache_free(ctx, cache);
    tl_schema_drop(ctx, s);
    tl_free(ctx, rest.row);
    tl_free(ctx, test.row);
    tl_dataset_close(ctx, d);
    return rc;
}

static void fails_anywhere(bool numbers, bool packed, bool reads)
{
    char            *path  = write_table(numbers, packed);
    tl_world        *w     = test_ctx()->world;
    _Atomic int64_t *fault = reads ? &w->fault_read : &w->fault_alloc;
    int64_t          n     = 0;
    tl_status        rc    = TL_EFAIL;

    w->threads = 1;
    for (; rc != TL_OK; n++) {
        assert_true(n < 5000);
        atomic_store(fault, n + 1);
        rc                 = all_of_it(test_ctx(), path);
        const int64_t left = atomic_load(fault);
        atomic_store(fault, 0);
        assert_int_equal(rc == TL_OK, left > 0);
        if (rc != TL_OK) assert_true(strlen(test_ctx()->message) > 10);
        assert_int_equal(w->now_bytes, 0);
    }
    assert_true(n > (reads ? 3 : 100));
    free(path);
}

static void allocations(void **state)
{
    (void)state;
    fails_anywhere(false, false, false);
    fails_anywhere(true, true, false);
}

static void readings(void **state)
{
    (void)state;
    fails_anywhere(false, false, true);
    fails_anywhere(true, true, true);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(allocations, begin, end),
        cmocka_unit_test_setup_teardown(readings, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
