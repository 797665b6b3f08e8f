/* dataset.c -- formats recognised and joined, splits by name, bad rows, names, hashes. */
#include "support/pictures.h"
#include "support/support.h"
#include "core/io.h"

#include <stdio.h>
#include <string.h>

static char *top;

static int fresh(void **state)
{
    (void)state;
    test_fresh();
    top = test_folder();
    return 0;
}

static int end(void **state)
{
    (void)state;
    test_folder_end(top);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
    return 0;
}

static int64_t rows_in(const tl_dataset *d, tl_split split)
{
    int64_t n = 0;

    for (int64_t i = 0; i < d->rows; i++) n += d->split[i] == split;
    return n;
}

static const char *under(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", top, name);
    return path;
}

static void assert_refused(const tl_dataset_source *source, tl_status status,
                           const char *word)
{
    tl_dataset *d;

    assert_int_equal(tl_dataset_open(test_ctx(), source, &d), status);
    assert_null(d);
    if (!strstr(test_ctx()->message, word))
        fail_msg("message is: %s", test_ctx()->message);
}

static void class_folders_are_sorted_and_may_nest(void **state)
{
    tl_image image;

    (void)state;
    test_picture(top, "b/x.png", 5, 1);
    test_picture(top, "a/deep/er/y.png", 5, 2);
    test_picture(top, "a/z.PNG", 5, 3);
    test_text_file(top, "a/notes.txt", "not a picture, not counted");
    tl_dataset *d = test_open(top);
    assert_string_equal(d->format, "image folders");
    assert_int_equal(d->rows, 3);
    assert_int_equal(d->classes, 2);
    assert_string_equal(d->class_name[0], "a");
    assert_string_equal(d->class_name[1], "b");
    assert_int_equal(d->label[2], 1);
    assert_true(d->one_size);
    assert_int_equal(d->channels, 3);
    TEST_OK(d->read(test_ctx(), d, 2, 1, &image));
    assert_int_equal(image.channels, 1);
    tl_image_free(test_ctx(), &image);
    tl_dataset_close(test_ctx(), d);
}

static void parts_are_found_by_folder_name(void **state)
{
    (void)state;
    test_class_folders(under("train"), 2, 4, 5);
    test_class_folders(under("val"), 2, 2, 5);
    test_class_folders(under("test"), 2, 3, 5);
    tl_dataset *d = test_open(top);
    assert_int_equal(rows_in(d, TL_SPLIT_TRAIN), 8);
    assert_int_equal(rows_in(d, TL_SPLIT_VALID), 4);
    assert_int_equal(rows_in(d, TL_SPLIT_TEST), 6);
    assert_int_equal(d->split[0], TL_SPLIT_TRAIN);
    tl_dataset_close(test_ctx(), d);
    d = test_open(under("train"));
    assert_int_equal(rows_in(d, TL_SPLIT_TRAIN), 8);
    assert_int_equal(rows_in(d, TL_SPLIT_TEST), 6);
    tl_dataset_close(test_ctx(), d);
    d = test_open(under("test")); /* alone, it is simply data */
    assert_int_equal(rows_in(d, TL_SPLIT_NONE), 6);
    tl_dataset_close(test_ctx(), d);
}

static void a_given_test_part_replaces_the_one_beside(void **state)
{
    char        other[512];
    tl_dataset *d;

    (void)state;
    snprintf(other, sizeof other, "%s", under("elsewhere"));
    test_class_folders(under("data/train"), 2, 4, 5);
    test_class_folders(under("data/test"), 2, 3, 5);
    test_class_folders(other, 2, 1, 5);
    const tl_dataset_source source = { .train = under("data"), .test = other };
    TEST_OK(tl_dataset_open(test_ctx(), &source, &d));
    assert_int_equal(rows_in(d, TL_SPLIT_TEST), 2);
    tl_dataset_close(test_ctx(), d);
}

static void a_class_only_in_the_test_part_is_named(void **state)
{
    (void)state;
    test_class_folders(under("train"), 2, 2, 5);
    test_class_folders(under("test"), 3, 2, 5);
    assert_refused(&(tl_dataset_source){ .train = top }, TL_EDATA,
                   "\"class2\" is in no training row");
}

static void tables_name_files_and_labels(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "pics/%d.png", i);
        test_picture(top, name, 5, i);
    }
    test_text_file(top, "labels.tsv",
                   "\xef\xbb\xbfwnid\tclass_index\tfile\r\nx\t10\tpics/0.png\r\n"
                   "y\t9\tpics/1.png\r\n\r\n\"z\"\t\"10\"\t\"pics/2.png\"\r\n");
    tl_dataset *d = test_open(top);
    assert_string_equal(d->format, "labelled pictures");
    assert_int_equal(d->rows, 3);
    assert_string_equal(d->class_name[0], "9"); /* numbers in their order */
    assert_string_equal(d->class_name[1], "10");
    assert_int_equal(d->label[0], 1);
    tl_dataset_close(test_ctx(), d);
    test_text_file(top, "labels.tsv", "pics/0.png\tcat\npics/3.png\tdog\n");
    d = test_open(under("labels.tsv"));
    assert_int_equal(d->rows, 2);
    assert_string_equal(d->class_name[1], "dog");
    tl_dataset_close(test_ctx(), d);
}

static void bad_table_rows_are_counted_by_kind(void **state)
{
    tl_dataset *d;

    (void)state;
    test_picture(top, "a.png", 5, 1);
    test_picture(top, "b.png", 5, 2);
    test_text_file(top, "labels.csv",
                   "file,label\na.png,x\nb.png,y\nnone.png,x\n../../etc/passwd,x\n"
                   "a.png,\n/etc/passwd,y\n");
    assert_refused(&(tl_dataset_source){ .train = top }, TL_EDATA,
                   "2 a file outside of the folder");
    assert_non_null(strstr(test_ctx()->message, "4 of 6 rows"));
    assert_non_null(strstr(test_ctx()->message, "labels.csv:5"));
    assert_non_null(strstr(test_ctx()->message, "--skip-bad"));
    const tl_dataset_source source = { .train = top, .skip_bad = true };
    TEST_OK(tl_dataset_open(test_ctx(), &source, &d));
    assert_int_equal(d->rows, 2);
    assert_int_equal(d->bad_rows, 4);
    assert_int_equal(json_array_size(d->bad), 4 + 3);
    tl_dataset_close(test_ctx(), d);
    test_text_file(top, "labels.csv", "file,label\na.png,x\nb.png,\"open\n");
    assert_refused(&(tl_dataset_source){ .train = top }, TL_EDATA,
                   "labels.csv:3: a quote");
}

static void cut_pictures_are_found_before_training(void **state)
{
    uint8_t    *data;
    size_t      bytes;
    char        path[600];
    tl_dataset *d;

    (void)state;
    test_class_folders(top, 2, 6, 40);
    snprintf(path, sizeof path, "%s/class1/p003.png", top);
    TEST_OK(tl_file_read(test_ctx(), path, 1 << 20, &data, &bytes));
    TEST_OK(tl_file_write(test_ctx(), path, data, bytes / 2));
    assert_refused(&(tl_dataset_source){ .train = top }, TL_EDATA, "1 of 12 rows");
    assert_non_null(strstr(test_ctx()->message, "p003.png: cut short"));
    data[bytes / 2] ^= 0x55; /* whole, but damaged inside: only decoding can tell */
    TEST_OK(tl_file_write(test_ctx(), path, data, bytes));
    d = test_open(top);
    int64_t group[12];
    assert_int_equal(tl_dataset_duplicates(test_ctx(), d, group), TL_EDATA);
    assert_non_null(strstr(test_ctx()->message, "p003.png: damaged"));
    tl_dataset_close(test_ctx(), d);
    const tl_dataset_source source = { .train = top, .skip_bad = true };
    TEST_OK(tl_dataset_open(test_ctx(), &source, &d));
    assert_int_equal(d->rows, 11);
    tl_dataset_close(test_ctx(), d);
    tl_free(test_ctx(), data);
}

static void idx_files_pair_by_name(void **state)
{
    tl_image image;
    char    *name;

    (void)state;
    test_idx(top, "train10k-images-idx3-ubyte", 60, 6, 3);
    test_idx(top, "train10k-labels-idx1-ubyte", 60, 0, 3);
    test_idx(top, "t10k-images-idx3-ubyte", 12, 6, 3);
    test_idx(top, "t10k-labels-idx1-ubyte", 12, 0, 3);
    tl_dataset *d = test_open(top);
    assert_string_equal(d->format, "idx");
    assert_int_equal(rows_in(d, TL_SPLIT_TRAIN), 60);
    assert_int_equal(rows_in(d, TL_SPLIT_TEST), 12);
    assert_int_equal(d->classes, 3);
    assert_string_equal(d->class_name[2], "2");
    assert_int_equal(d->label[61], 1);
    TEST_OK(d->read(test_ctx(), d, 1, 3, &image));
    assert_int_equal(image.data[0], (36 * 7 + 31) & 255);
    assert_int_equal(image.data[2], image.data[0]);
    tl_image_free(test_ctx(), &image);
    TEST_OK(tl_dataset_row_name(test_ctx(), d, 61, &name));
    assert_non_null(strstr(name, "t10k-images-idx3-ubyte[1]"));
    tl_free(test_ctx(), name);
    tl_dataset_close(test_ctx(), d);
    d = test_open(under("train10k-images-idx3-ubyte")); /* the test part lies beside */
    assert_int_equal(rows_in(d, TL_SPLIT_TEST), 12);
    tl_dataset_close(test_ctx(), d);
}

static void idx_files_that_lie_are_refused(void **state)
{
    const uint8_t huge[16] = { 0, 0, 8,    3, 0x7f, 0xff, 0xff, 0xff,
                               0, 0, 0x10, 0, 0,    0,    0x10, 0 };
    const uint8_t big[16]  = { 0, 0, 8, 3, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0 };
    char          path[512];

    (void)state;
    test_idx(top, "train-images-idx3-ubyte", 20, 6, 3);
    test_idx(top, "train-labels-idx1-ubyte", 19, 0, 3);
    snprintf(path, sizeof path, "%s", under("train-images-idx3-ubyte"));
    assert_refused(&(tl_dataset_source){ .train = path }, TL_EDATA,
                   "19 labels for 20 pictures");
    assert_refused(&(tl_dataset_source){ .train = path, .limit_bytes = 700 }, TL_ELIMIT,
                   "raise --memory");
    TEST_OK(tl_file_write(test_ctx(), path, huge, sizeof huge));
    assert_refused(&(tl_dataset_source){ .train = path }, TL_EDATA, "cut short");
    TEST_OK(tl_file_write(test_ctx(), path, big, sizeof big));
    assert_refused(&(tl_dataset_source){ .train = path }, TL_EDATA, "cut short");
}

static void cifar_planes_become_pixels(void **state)
{
    uint8_t  record[3073 * 2] = { 0 };
    tl_image image;

    (void)state;
    record[0]        = 1;
    record[1]        = 10;
    record[1 + 1024] = 20;
    record[1 + 2048] = 30;
    test_text_file(top, "classes.txt", "cat\ndog\n");
    TEST_OK(tl_file_write(test_ctx(), under("data_batch_1.bin"), record, sizeof record));
    TEST_OK(tl_file_write(test_ctx(), under("test_batch.bin"), record, 3073));
    tl_dataset *d = test_open(top);
    assert_int_equal(d->rows, 3);
    assert_int_equal(rows_in(d, TL_SPLIT_TEST), 1);
    assert_string_equal(d->class_name[d->label[0]], "dog");
    TEST_OK(d->read(test_ctx(), d, 0, 0, &image));
    assert_int_equal(image.data[0], 10);
    assert_int_equal(image.data[1], 20);
    assert_int_equal(image.data[2], 30);
    tl_image_free(test_ctx(), &image);
    tl_dataset_close(test_ctx(), d);
    record[3073] = 2;
    TEST_OK(tl_file_write(test_ctx(), under("data_batch_1.bin"), record, sizeof record));
    assert_refused(&(tl_dataset_source){ .train = top }, TL_EDATA, "label 2 of record 1");
}

static void the_hash_knows_labels_and_bytes_but_not_the_place(void **state)
{
    char hex[4][65], path[512];

    (void)state;
    test_class_folders(under("one"), 2, 3, 5);
    test_class_folders(under("two"), 2, 3, 5);
    for (int k = 0; k < 4; k++) {
        if (k == 2) test_picture(top, "two/class0/p000.png", 5, 99);
        if (k == 3) test_picture(top, "one/class2/new.png", 5, 98);
        snprintf(path, sizeof path, "%s", under(k == 1 || k == 2 ? "two" : "one"));
        tl_dataset *d = test_open(path);
        TEST_OK(tl_dataset_hash(test_ctx(), d, hex[k]));
        tl_dataset_close(test_ctx(), d);
    }
    assert_string_equal(hex[0], hex[1]);
    assert_string_not_equal(hex[1], hex[2]);
    assert_string_not_equal(hex[0], hex[3]);
}

static void unknown_data_says_what_is_known(void **state)
{
    (void)state;
    assert_refused(&(tl_dataset_source){ .train = under("nothing") }, TL_EDATA,
                   "no such file");
    test_text_file(top, "x.txt", "hello");
    assert_refused(&(tl_dataset_source){ .train = top }, TL_EDATA, "class folders");
}

/* Opening and cutting with the n-th allocation or read failing: an error, nothing lost. */
static void every_failure_is_reported_and_leaves_nothing(void **state)
{
    tl_ctx *ctx = test_ctx();

    (void)state;
    ctx->world->threads = 1;
    test_class_folders(under("train"), 2, 6, 5);
    test_text_file(top, "train/class0/bad.png", "x");
    const tl_dataset_source source = { .train = top, .skip_bad = true };
    for (int kind = 0; kind < 2; kind++)
        for (int64_t n = 1;; n++) {
            _Atomic int64_t *fault =
                kind ? &ctx->world->fault_read : &ctx->world->fault_alloc;
            tl_dataset  *d;
            tl_rows      rest = { 0 }, test = { 0 };
            const size_t before = ctx->world->now_bytes;
            char         hex[65];
            *fault       = n;
            tl_status rc = tl_dataset_open(ctx, &source, &d);
            if (rc == TL_OK) rc = tl_split_test(ctx, d, 1, 0.2, &rest, &test);
            if (rc == TL_OK) rc = tl_dataset_hash(ctx, d, hex);
            const bool fired = *fault <= 0;
            *fault           = 0;
            tl_free(ctx, rest.row);
            tl_free(ctx, test.row);
            tl_dataset_close(ctx, d);
            assert_int_equal(ctx->world->now_bytes, before);
            if (kind == 0) assert_true(fired == (rc != TL_OK));
            if (!fired) break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(class_folders_are_sorted_and_may_nest, fresh,
                                        end),
        cmocka_unit_test_setup_teardown(parts_are_found_by_folder_name, fresh, end),
        cmocka_unit_test_setup_teardown(a_given_test_part_replaces_the_one_beside, fresh,
                                        end),
        cmocka_unit_test_setup_teardown(a_class_only_in_the_test_part_is_named, fresh,
                                        end),
        cmocka_unit_test_setup_teardown(tables_name_files_and_labels, fresh, end),
        cmocka_unit_test_setup_teardown(bad_table_rows_are_counted_by_kind, fresh, end),
        cmocka_unit_test_setup_teardown(cut_pictures_are_found_before_training, fresh,
                                        end),
        cmocka_unit_test_setup_teardown(idx_files_pair_by_name, fresh, end),
        cmocka_unit_test_setup_teardown(idx_files_that_lie_are_refused, fresh, end),
        cmocka_unit_test_setup_teardown(cifar_planes_become_pixels, fresh, end),
        cmocka_unit_test_setup_teardown(the_hash_knows_labels_and_bytes_but_not_the_place,
                                        fresh, end),
        cmocka_unit_test_setup_teardown(unknown_data_says_what_is_known, fresh, end),
        cmocka_unit_test_setup_teardown(every_failure_is_reported_and_leaves_nothing,
                                        fresh, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
