/* crops.c -- random crops are cut from more pixels than evaluation sees: the same as from the
 * picture's file, whatever the cache holds, and what it holds was said beforehand. */
#include "support/pictures.h"
#include "support/support.h"
#include "data/loader.h"

#include <stdio.h>
#include <string.h>

/* Fed 64 of 70: evaluation shrinks pictures of 100, crops take them as decoded (up to 105); of
 * those of 200 either keeps less. */
enum { NET = 64, SHORT = 70, NEAR = 100, FAR = 200, ROWS = 9, VALUES = NET * NET * 3 };
static char         *folder;
static tl_dataset   *d;
static tl_prep       prep;
static tl_augment    crop;
static int64_t       all[ROWS];
static const tl_rows all_rows = { all, ROWS };

static int open_rows(void **state)
{
    (void)state;
    test_fresh();
    folder = test_folder();
    for (int i = 0; i < ROWS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/p%02d.png", i % 3 ? "b" : "a", i);
        test_picture(folder, name, NEAR, i);
        all[i] = i;
    }
    d = test_open(folder);
    tl_prep_named("imagenet", &prep);
    prep.height = prep.width = NET;
    prep.resize_short        = SHORT;
    tl_augment_named("crop", &crop);
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

/* One epoch of all rows in their order; with `augment` as crops, else as evaluation has them:
 * either what the file alone gives. */
static void reads_as_from_files(tl_cache *cache, const tl_augment *augment)
{
    static float         x[VALUES];
    const tl_loader_spec spec = { .cache   = cache,
                                  .rows    = all_rows,
                                  .batch   = 4,
                                  .augment = augment,
                                  .seed    = 3,
                                  .readers = 2 };
    const tl_batch      *b;
    tl_loader           *l;

    TEST_OK(tl_loader_new(test_ctx(), &spec, &l));
    for (int64_t row = 0; row < ROWS;) {
        TEST_OK(tl_loader_next(test_ctx(), l, &b));
        for (int64_t r = 0; r < b->rows; r++, row++) {
            tl_image image;
            TEST_OK(tl_image_open(test_ctx(), d->row_name[row], 3, &image));
            if (augment)
                TEST_OK(tl_augment_apply(test_ctx(), &prep, augment, 3, 0, row, &image, x));
            else
                TEST_OK(tl_prep_apply(test_ctx(), &prep, &image, x));
            assert_memory_equal(x, b->x + r * VALUES, sizeof x);
            tl_image_free(test_ctx(), &image);
        }
    }
    tl_loader_free(test_ctx(), l);
}

static void crops_come_from_the_picture_as_decoded(void **state)
{
    static const size_t budgets[] = { 1 << 20, 70000, 0 };

    (void)state;
    assert_true(tl_augment_crops(&crop, &prep));
    for (size_t k = 0; k < TL_COUNT(budgets); k++)
        for (int first = 0; first < 2; first++) { /* either may be what fills the cache */
            tl_cache *cache;
            TEST_OK(tl_cache_new(test_ctx(), d, &prep, budgets[k], &cache));
            for (int turn = 0; turn < 4; turn++)
                reads_as_from_files(cache, (turn + first) % 2 ? &crop : NULL);
            assert_true(tl_cache_bytes(cache) <= budgets[k]);
            tl_cache_free(test_ctx(), cache);
        }
}

static void what_it_will_take_is_said_before(void **state)
{
    const size_t sized = ROWS * SHORT * SHORT * 3, rich = ROWS * NEAR * NEAR * 3;
    tl_cache    *cache;

    (void)state;
    TEST_OK(tl_cache_new(test_ctx(), d, &prep, 1 << 20, &cache));
    assert_int_equal(tl_cache_will_take(cache, &all_rows, 1, "light"), sized);
    assert_int_equal(tl_cache_will_take(cache, &all_rows, 1, "crop"), rich);
    assert_int_equal(tl_cache_full_bytes(d, &prep, ROWS, ROWS), sized + rich);
    reads_as_from_files(cache, &crop);
    assert_int_equal(tl_cache_bytes(cache), rich);
    assert_int_equal(tl_cache_will_take(cache, &all_rows, 1, "crop"), 0);
    assert_int_equal(tl_cache_will_take(cache, &all_rows, 1, "none"), sized);
    reads_as_from_files(cache, NULL);
    assert_int_equal(tl_cache_bytes(cache), sized + rich);
    assert_int_equal(tl_cache_will_take(cache, &all_rows, 1, "none"), 0);
    tl_cache_free(test_ctx(), cache);
}

/* A picture that evaluation takes as decoded is held once, for both. */
static void a_small_picture_is_held_once(void **state)
{
    tl_prep   large = prep;
    tl_cache *cache;

    (void)state;
    large.height = large.width = large.resize_short = 2 * NEAR;
    TEST_OK(tl_cache_new(test_ctx(), d, &large, 1 << 20, &cache));
    for (int turn = 0; turn < 2; turn++) {
        const tl_loader_spec spec = { .cache   = cache,
                                      .rows    = all_rows,
                                      .batch   = 4,
                                      .augment = turn ? NULL : &crop,
                                      .readers = 2 };
        const tl_batch      *b;
        tl_loader           *l;
        TEST_OK(tl_loader_new(test_ctx(), &spec, &l));
        for (int k = 0; k < 3; k++) TEST_OK(tl_loader_next(test_ctx(), l, &b));
        tl_loader_free(test_ctx(), l);
        assert_int_equal(tl_cache_will_take(cache, &all_rows, 1, turn ? "crop" : "none"), 0);
    }
    assert_int_equal(tl_cache_bytes(cache), ROWS * NEAR * NEAR * 3);
    assert_int_equal(tl_cache_full_bytes(d, &large, ROWS, ROWS), ROWS * NEAR * NEAR * 3);
    tl_cache_free(test_ctx(), cache);
}

/* Of a large picture no more is kept than the smallest crop asks for. */
static void a_large_picture_is_held_smaller(void **state)
{
    char       *far = test_folder();
    tl_dataset *large;
    tl_cache   *cache;

    (void)state;
    test_picture(far, "a/p.png", FAR, 1);
    test_picture(far, "b/p.png", FAR, 2);
    large = test_open(far);
    TEST_OK(tl_cache_new(test_ctx(), large, &prep, 1 << 20, &cache));
    assert_int_equal(tl_cache_will_take(cache, &(tl_rows){ all, 2 }, 1, "crop"),
                     2 * (SHORT * 3 / 2) * (SHORT * 3 / 2) * 3);
    tl_cache_free(test_ctx(), cache);
    tl_dataset_close(test_ctx(), large);
    test_folder_end(far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crops_come_from_the_picture_as_decoded),
        cmocka_unit_test(what_it_will_take_is_said_before),
        cmocka_unit_test(a_small_picture_is_held_once),
        cmocka_unit_test(a_large_picture_is_held_smaller),
    };
    return cmocka_run_group_tests(tests, open_rows, close_rows);
}
