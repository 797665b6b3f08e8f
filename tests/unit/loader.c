/* loader.c -- what loader.h promises: the same batches on any number of threads and after a
 * seek, rows carried over, epochs ended, errors handed on, nothing left behind. */
#include "support/pictures.h"
#include "support/support.h"
#include "core/io.h"
#include "data/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 12, NET = 8, ROWS = 23, VALUES = NET * NET * 3 };
static char       *folder;
static tl_dataset *d;
static tl_prep     prep;
static tl_augment  augment;

static int open_rows(void **state)
{
    (void)state;
    test_fresh();
    folder = test_folder();
    for (int i = 0; i < ROWS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/p%02d.png", i % 3 ? "b" : "a", i);
        test_picture(folder, name, i % 2 ? SIDE : 2 * SIDE, i); /* sizes differ */
    }
    d = test_open(folder);
    tl_prep_named("imagenet", &prep);
    prep.height = prep.width = NET;
    prep.resize_short        = 10;
    tl_augment_named("light", &augment);
    return 0;
}

static int close_rows(void **state)
{
    (void)state;
    tl_dataset_close(test_ctx(), d);
    test_folder_end(folder);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
    return 0;
}

static int64_t       all[ROWS];
static const tl_rows all_rows = { all, ROWS };

static tl_loader *start(tl_cache **cache, size_t budget, int readers, bool drop,
                        bool shuffle)
{
    tl_loader     *l;
    tl_loader_spec spec = { .rows       = all_rows,
                            .batch      = 5,
                            .shuffle    = shuffle,
                            .drop_short = drop,
                            .augment    = shuffle ? &augment : NULL,
                            .seed       = 3,
                            .readers    = readers };

    for (int i = 0; i < ROWS; i++) all[i] = i;
    if (!*cache) TEST_OK(tl_cache_new(test_ctx(), d, &prep, budget, cache));
    spec.cache = *cache;
    TEST_OK(tl_loader_new(test_ctx(), &spec, &l));
    return l;
}

static void stop(tl_loader *l, tl_cache *cache)
{
    tl_loader_free(test_ctx(), l);
    tl_cache_free(test_ctx(), cache);
}

/* The hash of the next `batches` batches, epoch ends left out. */
static void digest(tl_loader *l, int batches, char hex[65])
{
    tl_hash        *hash;
    const tl_batch *b;

    TEST_OK(tl_hash_new(test_ctx(), &hash));
    while (batches > 0) {
        TEST_OK(tl_loader_next(test_ctx(), l, &b));
        if (b->rows == 0) continue;
        tl_hash_add(hash, b->x, (size_t)(b->capacity * VALUES) * sizeof *b->x);
        tl_hash_add(hash, b->label, (size_t)b->capacity * sizeof *b->label);
        tl_hash_add(hash, b->weight, (size_t)b->capacity * sizeof *b->weight);
        tl_hash_add(hash, b->index, (size_t)b->capacity * sizeof *b->index);
        batches--;
    }
    tl_hash_end(test_ctx(), hash, hex);
}

static void batches_are_the_same_on_any_number_of_threads(void **state)
{
    static const size_t budgets[] = { 1 << 20, 5000, 0 };
    char                first[65], hex[65];

    (void)state;
    for (int drop = 0; drop < 2; drop++)
        for (int k = 0; k < 9; k++) {
            tl_cache  *cache = NULL;
            tl_loader *l     = start(&cache, budgets[k % 3], 1 + k / 3 * 3, drop, true);
            digest(l, 31, hex);
            if (k == 0) strcpy(first, hex);
            assert_string_equal(first, hex);
            stop(l, cache);
        }
}

static void an_epoch_covers_each_row_once_and_then_ends(void **state)
{
    const tl_batch *b;
    tl_cache       *cache = NULL;
    tl_loader      *l     = start(&cache, 1 << 20, 2, false, true);
    int64_t         orders[2][ROWS];

    (void)state;
    assert_int_equal(tl_loader_batches(l, 0), 5);
    for (int e = 0; e < 2; e++) {
        char seen[ROWS] = { 0 };
        int  n          = 0;
        for (int k = 0; k < 5; k++) {
            TEST_OK(tl_loader_next(test_ctx(), l, &b));
            assert_int_equal(b->rows, k < 4 ? 5 : 3);
            for (int r = 0; r < b->rows; r++) {
                assert_int_equal(seen[b->index[r]]++, 0);
                assert_int_equal(b->label[r], d->label[b->index[r]]);
                assert_true(b->weight[r] > 0.9f);
                orders[e][n++] = b->index[r];
            }
            for (int64_t r = b->rows; r < 5; r++) {
                assert_int_equal(b->index[r], -1);
                assert_int_equal(b->label[r], -1);
                assert_true(b->weight[r] < 0.1f);
                for (int v = 0; v < VALUES; v++)
                    assert_true(b->x[r * VALUES + v] == 0.0f);
            }
        }
        TEST_OK(tl_loader_next(test_ctx(), l, &b));
        assert_int_equal(b->rows, 0);
    }
    assert_memory_not_equal(orders[0], orders[1], sizeof orders[0]);
    stop(l, cache);
}

static void short_rows_lead_the_next_epoch(void **state)
{
    const tl_batch *b;
    tl_cache       *cache       = NULL;
    tl_loader      *l           = start(&cache, 1 << 20, 3, true, true);
    int             count[ROWS] = { 0 }, total = 0;

    (void)state;
    for (int e = 0; e < 5; e++) { /* 5 epochs of 23 rows are 23 whole batches */
        const int64_t batches = tl_loader_batches(l, e);
        assert_in_range(batches, 4, 5);
        for (int64_t k = 0; k < batches; k++) {
            TEST_OK(tl_loader_next(test_ctx(), l, &b));
            assert_int_equal(b->rows, 5);
            for (int r = 0; r < 5; r++, total++) count[b->index[r]]++;
        }
        TEST_OK(tl_loader_next(test_ctx(), l, &b));
        assert_int_equal(b->rows, 0);
    }
    assert_int_equal(total, 5 * ROWS);
    for (int i = 0; i < ROWS; i++) assert_int_equal(count[i], 5);
    stop(l, cache);
}

static void seeking_goes_on_as_if_nothing_had_been(void **state)
{
    char hex[65], again[65];

    (void)state;
    for (int drop = 0; drop < 2; drop++) {
        tl_cache  *cache = NULL;
        tl_loader *l     = start(&cache, 1 << 20, 2, drop, true);
        digest(l, 11, hex); /* 4 or 5 an epoch: epoch 2, position 1 or so */
        const int64_t before = tl_loader_batches(l, 0) + tl_loader_batches(l, 1);
        digest(l, 7, hex);
        TEST_OK(tl_loader_seek(test_ctx(), l, 2, 11 - before));
        digest(l, 7, again);
        assert_string_equal(hex, again);
        TEST_OK(tl_loader_seek(test_ctx(), l, 0, 0));
        digest(l, 11, again);
        digest(l, 7, again);
        assert_string_equal(hex, again);
        assert_int_equal(tl_loader_seek(test_ctx(), l, 0, 6), TL_EUSAGE);
        stop(l, cache);
    }
}

/* R17: what a network sees in evaluation is what predict makes of the file itself. */
static void plain_batches_equal_prep_on_the_decoded_file(void **state)
{
    const tl_batch *b;
    static float    x[VALUES];

    (void)state;
    for (int budget = 0; budget < 2; budget++) {
        tl_cache  *cache = NULL;
        tl_loader *l     = start(&cache, budget ? 1 << 20 : 0, 2, false, false);
        for (int pass = 0; pass < 2; pass++)
            for (int64_t row = 0; row < ROWS;) {
                TEST_OK(tl_loader_next(test_ctx(), l, &b));
                for (int64_t r = 0; r < b->rows; r++, row++) {
                    tl_image image;
                    assert_int_equal(b->index[r], row);
                    TEST_OK(tl_image_open(test_ctx(), d->row_name[row], 3, &image));
                    TEST_OK(tl_prep_apply(test_ctx(), &prep, &image, x));
                    assert_memory_equal(x, b->x + r * VALUES, sizeof x);
                    tl_image_free(test_ctx(), &image);
                }
            }
        stop(l, cache);
    }
}

static void what_is_borrowed_is_not_written(void **state)
{
    const tl_batch *b;
    tl_cache       *cache = NULL;
    tl_loader      *l     = start(&cache, 1 << 20, 4, true, true);
    char            before[65], after[65];

    (void)state;
    for (int k = 0; k < 20; k++) {
        TEST_OK(tl_loader_next(test_ctx(), l, &b));
        if (b->rows == 0) continue;
        tl_hash_bytes(b->x, (size_t)(b->capacity * VALUES) * sizeof *b->x, before);
        for (volatile int i = 0; i < 100000; i++) {}
        tl_hash_bytes(b->x, (size_t)(b->capacity * VALUES) * sizeof *b->x, after);
        assert_string_equal(before, after);
    }
    stop(l, cache);
}

static void a_damaged_picture_is_named_and_the_end_is_clean(void **state)
{
    const tl_batch *b;
    tl_cache       *cache = NULL;
    tl_status       rc    = TL_OK;
    uint8_t        *data;
    size_t          bytes;

    (void)state;
    TEST_OK(tl_file_read(test_ctx(), d->row_name[7], 1 << 20, &data, &bytes));
    data[bytes / 2] ^= 0x55;
    TEST_OK(tl_file_write(test_ctx(), d->row_name[7], data, bytes));
    tl_loader *l = start(&cache, 1 << 20, 3, false, true);
    for (int k = 0; k < 6 && rc == TL_OK; k++) rc = tl_loader_next(test_ctx(), l, &b);
    assert_int_equal(rc, TL_EDATA);
    assert_non_null(strstr(test_ctx()->message, d->row_name[7]));
    assert_int_equal(tl_loader_next(test_ctx(), l, &b), TL_EDATA);
    stop(l, cache);
    data[bytes / 2] ^= 0x55;
    TEST_OK(tl_file_write(test_ctx(), d->row_name[7], data, bytes));
    tl_free(test_ctx(), data);
}

static void loaders_end_at_any_moment(void **state)
{
    const tl_batch *b;

    (void)state;
    for (int k = 0; k < 40; k++) {
        tl_cache  *cache = NULL;
        tl_loader *l     = start(&cache, 1 << 20, 1 + k % 4, k & 1, true);
        for (int i = 0; i < k % 7; i++) TEST_OK(tl_loader_next(test_ctx(), l, &b));
        stop(l, cache);
    }
}

static void every_failing_allocation_is_reported(void **state)
{
    tl_ctx *ctx    = test_ctx();
    size_t  before = ctx->world->now_bytes;

    (void)state;
    for (int64_t n = 1;; n++) {
        tl_cache       *cache = NULL;
        tl_loader      *l     = NULL;
        const tl_batch *b;
        tl_loader_spec  spec = {
             .rows = all_rows, .batch = 5, .shuffle = true, .seed = 3, .readers = 2
        };
        ctx->world->fault_alloc = n;
        tl_status rc            = tl_cache_new(ctx, d, &prep, 1 << 20, &cache);
        spec.cache              = cache;
        if (rc == TL_OK) rc = tl_loader_new(ctx, &spec, &l);
        for (int k = 0; k < 5 && rc == TL_OK; k++) rc = tl_loader_next(ctx, l, &b);
        stop(l, cache);
        const bool fired        = ctx->world->fault_alloc <= 0;
        ctx->world->fault_alloc = 0;
        assert_int_equal(ctx->world->now_bytes, before);
        if (rc != TL_OK) assert_int_equal(rc, TL_ENOMEM);
        if (!fired) {
            assert_int_equal(rc, TL_OK);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_the_same_on_any_number_of_threads),
        cmocka_unit_test(an_epoch_covers_each_row_once_and_then_ends),
        cmocka_unit_test(short_rows_lead_the_next_epoch),
        cmocka_unit_test(seeking_goes_on_as_if_nothing_had_been),
        cmocka_unit_test(plain_batches_equal_prep_on_the_decoded_file),
        cmocka_unit_test(what_is_borrowed_is_not_written),
        cmocka_unit_test(a_damaged_picture_is_named_and_the_end_is_clean),
        cmocka_unit_test(loaders_end_at_any_moment),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, open_rows, close_rows);
}
