/* split.c -- what dataset.h promises of splits: disjoint, whole, stratified within one, nested,
 * the same for the same seed, duplicates on one side, clear errors. */
#include "support/pictures.h"
#include "support/support.h"
#include "core/io.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 7 classes of 5, 10, ... 35 rows by way of a table over as many pictures. */
static char       *folder;
static tl_dataset *d;

static int open_uneven(void **state)
{
    char name[64];
    int  look = 0;

    (void)state;
    test_fresh();
    folder = test_folder();
    for (int c = 0; c < 7; c++)
        for (int i = 0; i < 5 * (c + 1); i++) {
            snprintf(name, sizeof name, "k%d/p%03d.png", c, i);
            test_picture(folder, name, 4, look++);
        }
    d = test_open(folder);
    return 0;
}

static int close_uneven(void **state)
{
    (void)state;
    tl_dataset_close(test_ctx(), d);
    test_folder_end(folder);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
    return 0;
}

static void end(tl_rows *rows)
{
    tl_free(test_ctx(), rows->row);
}

static void count_classes(const tl_dataset *set, const tl_rows *rows, int64_t *count)
{
    memset(count, 0, (size_t)set->classes * sizeof *count);
    for (int64_t i = 0; i < rows->count; i++) count[set->label[rows->row[i]]]++;
}

/* Each row of 0..rows-1 in exactly one of the two. */
static void assert_partition(int64_t rows, const tl_rows *a, const tl_rows *b)
{
    char *seen = calloc((size_t)rows, 1);

    assert_int_equal(a->count + b->count, rows);
    for (int64_t i = 0; i < a->count; i++) assert_int_equal(seen[a->row[i]]++, 0);
    for (int64_t i = 0; i < b->count; i++) assert_int_equal(seen[b->row[i]]++, 0);
    free(seen);
}

static void a_test_part_is_disjoint_and_stratified_within_one(void **state)
{
    tl_rows rest, test;
    int64_t count[7];

    (void)state;
    assert_int_equal(d->rows, 140);
    TEST_OK(tl_split_test(test_ctx(), d, 1, 0.2, &rest, &test));
    assert_partition(140, &rest, &test);
    assert_int_equal(test.count, 28);
    count_classes(d, &test, count);
    for (int c = 0; c < 7; c++)
        assert_true(fabs((double)count[c] - 0.2 * 5 * (c + 1)) < 1.0);
    end(&rest);
    end(&test);
}

static bool same(const tl_rows *a, const tl_rows *b)
{
    return a->count == b->count &&
           memcmp(a->row, b->row, (size_t)a->count * sizeof *a->row) == 0;
}

static void splits_follow_the_seed_alone(void **state)
{
    tl_rows r[3], t[3], train[3], valid[3];

    (void)state;
    for (int k = 0; k < 3; k++) {
        TEST_OK(tl_split_test(test_ctx(), d, k == 2 ? 9 : 1, 0.2, &r[k], &t[k]));
        TEST_OK(tl_split_repeat(test_ctx(), d, &r[0], 1, k == 2 ? 1 : 0, 0.2, 0,
                                &train[k], &valid[k]));
    }
    assert_true(same(&t[0], &t[1]));
    assert_false(same(&t[0], &t[2]));
    assert_true(same(&valid[0], &valid[1]));
    assert_false(same(&valid[0], &valid[2]));
    for (int k = 0; k < 3; k++) end(&r[k]), end(&t[k]), end(&train[k]), end(&valid[k]);
}

static void limits_are_nested_and_stratified(void **state)
{
    static const int64_t limits[] = { 7, 14, 28, 56, 0 };
    tl_rows              rest, test, train[5], valid[5];
    int64_t              count[7];

    (void)state;
    TEST_OK(tl_split_test(test_ctx(), d, 1, 0.2, &rest, &test));
    for (int k = 0; k < 5; k++) {
        TEST_OK(tl_split_repeat(test_ctx(), d, &rest, 1, 3, 0.2, limits[k], &train[k],
                                &valid[k]));
        assert_true(same(&valid[0], &valid[k]));
        if (limits[k]) assert_int_equal(train[k].count, limits[k]);
    }
    for (int k = 0; k < 4; k++) {
        const double share = (double)train[k].count / (double)train[4].count;
        int64_t      at    = 0, all[7];
        for (int64_t i = 0; i < train[k].count; i++) { /* both ascending */
            while (at < train[k + 1].count && train[k + 1].row[at] < train[k].row[i])
                at++;
            assert_true(at < train[k + 1].count &&
                        train[k + 1].row[at] == train[k].row[i]);
        }
        count_classes(d, &train[k], count);
        count_classes(d, &train[4], all);
        for (int c = 0; c < 7; c++)
            assert_true(fabs((double)count[c] - share * (double)all[c]) <= 1.0);
    }
    for (int k = 0; k < 5; k++) end(&train[k]), end(&valid[k]);
    end(&rest);
    end(&test);
}

static void folds_are_stratified_within_one(void **state)
{
    int64_t row[140], count[5][7] = { { 0 } }, total[5] = { 0 };
    int8_t  fold[140];
    tl_rows all = { row, 140 };

    (void)state;
    for (int i = 0; i < 140; i++) row[i] = i;
    TEST_OK(tl_split_folds(test_ctx(), d, &all, 5, 1, fold));
    for (int i = 0; i < 140; i++) {
        assert_in_range(fold[i], 0, 4);
        count[fold[i]][d->label[i]]++;
        total[fold[i]]++;
    }
    for (int f = 0; f < 5; f++) {
        assert_int_equal(total[f], 28);
        for (int c = 0; c < 7; c++) assert_int_equal(count[f][c], c + 1);
    }
    assert_int_equal(tl_split_folds(test_ctx(), d, &all, 1, 1, fold), TL_EUSAGE);
}

/* Copies of a picture, within a class and across two, stay on one side in every cut. */
static void duplicates_stay_on_one_side(void **state)
{
    char   *top = test_folder(), name[64];
    int64_t group[60], row[60];
    int8_t  fold[60];
    tl_rows all = { row, 60 };

    (void)state;
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "%s/p%02d.png", i % 2 ? "odd" : "even", i);
        test_picture(top, name, 4, i % 20); /* three of each, all in one class */
        row[i] = i;
    }
    test_picture(top, "odd/p01.png", 4, 0); /* and one with another label */
    tl_dataset *set = test_open(top);
    TEST_OK(tl_dataset_duplicates(test_ctx(), set, group));
    for (uint64_t seed = 0; seed < 20; seed++) {
        tl_rows rest, test, train, valid;
        char    side[60] = { 0 };
        TEST_OK(tl_split_test(test_ctx(), set, seed, 0.3, &rest, &test));
        TEST_OK(tl_split_repeat(test_ctx(), set, &rest, seed, 0, 0.3, 0, &train, &valid));
        for (int64_t i = 0; i < test.count; i++) side[test.row[i]] = 1;
        for (int64_t i = 0; i < valid.count; i++) side[valid.row[i]] = 2;
        TEST_OK(tl_split_folds(test_ctx(), set, &all, 4, seed, fold));
        for (int i = 0; i < 60; i++) {
            assert_int_equal(side[i], side[group[i]]);
            assert_int_equal(fold[i], fold[group[i]]);
        }
        end(&rest), end(&test), end(&train), end(&valid);
    }
    tl_dataset_close(test_ctx(), set);
    test_folder_end(top);
}

/* Opens, cuts, and wants TL_EDATA whose message holds `word`. */
static void assert_refused(const char *top, const char *word)
{
    tl_dataset *set = test_open(top);
    tl_rows     rest, test;

    assert_int_equal(tl_split_test(test_ctx(), set, 1, 0.2, &rest, &test), TL_EDATA);
    assert_null(rest.row);
    assert_null(test.row);
    if (!strstr(test_ctx()->message, word))
        fail_msg("message is: %s", test_ctx()->message);
    tl_dataset_close(test_ctx(), set);
}

static void one_class_and_single_rows_are_refused_in_words(void **state)
{
    char *one = test_folder(), *single = test_folder();

    (void)state;
    test_class_folders(one, 1, 10, 4);
    assert_refused(one, "one class, \"class0\"");
    test_class_folders(single, 5, 1, 4);
    assert_refused(single, "too few");
    test_folder_end(one);
    test_folder_end(single);
}

static void a_lone_picture_of_a_class_is_trained_on(void **state)
{
    char   *top = test_folder();
    tl_rows rest, test, train, valid;
    int64_t count[3];

    (void)state;
    test_class_folders(top, 2, 10, 4);
    test_picture(top, "rare/x.png", 4, 77);
    tl_dataset *set = test_open(top);
    TEST_OK(tl_split_test(test_ctx(), set, 5, 0.2, &rest, &test));
    TEST_OK(tl_split_repeat(test_ctx(), set, &rest, 5, 0, 0.2, 0, &train, &valid));
    count_classes(set, &train, count);
    assert_string_equal(set->class_name[2], "rare");
    assert_int_equal(count[2], 1);
    end(&rest), end(&test), end(&train), end(&valid);
    tl_dataset_close(test_ctx(), set);
    test_folder_end(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_test_part_is_disjoint_and_stratified_within_one),
        cmocka_unit_test(splits_follow_the_seed_alone),
        cmocka_unit_test(limits_are_nested_and_stratified),
        cmocka_unit_test(folds_are_stratified_within_one),
        cmocka_unit_test(duplicates_stay_on_one_side),
        cmocka_unit_test(one_class_and_single_rows_are_refused_in_words),
        cmocka_unit_test(a_lone_picture_of_a_class_is_trained_on),
    };
    return cmocka_run_group_tests(tests, open_uneven, close_uneven);
}
