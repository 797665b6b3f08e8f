/* inspect.c -- planted duplicates, leaks, damage and imbalance are found and named. */
#include "support/pictures.h"
#include "support/schema.h"
#include "support/support.h"
#include "core/io.h"
#include "data/inspect.h"

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

static int64_t number(const json_t *v, const char *object, const char *key)
{
    return tl_json_int(json_object_get(v, object), key, -1);
}

/* Is there a finding of this level with this word? */
static bool found(const json_t *v, const char *level, const char *word)
{
    json_t *item;
    size_t  i;

    json_array_foreach(json_object_get(v, "findings"), i, item)
    {
        assert_true(strlen(tl_json_text(item, "todo", "")) > 10);
        if (strcmp(tl_json_text(item, "level", ""), level) == 0 &&
            strstr(tl_json_text(item, "text", ""), word))
            return true;
    }
    return false;
}

static json_t *inspect(bool skip_bad)
{
    const tl_dataset_source source = { .train = top, .skip_bad = skip_bad };
    tl_dataset             *d;
    json_t                 *v;

    TEST_OK(tl_dataset_open(test_ctx(), &source, &d));
    TEST_OK(tl_inspect(test_ctx(), d, &v));
    tl_dataset_close(test_ctx(), d);
    return v;
}

/* As the schema says; and without one of its members it would not be. */
static void holds_to_its_schema(const json_t *v)
{
    static const char *const members[] = { "parts", "unreadable", "duplicates", "leaks" };
    json_t                  *schema, *bad;
    char                     why[400];

    TEST_OK(tl_json_read(test_ctx(), TEST_FOLDER "/../schemas/inspect.schema.json",
                         1 << 20, &schema));
    if (!test_schema(schema, v, why, sizeof why)) fail_msg("inspect --json%s", why);
    for (size_t i = 0; i < TL_COUNT(members); i++) {
        bad = json_copy((json_t *)(uintptr_t)v);
        json_object_del(bad, members[i]);
        assert_false(test_schema(schema, bad, why, sizeof why));
        json_object_set_new(bad, members[i], json_string("many"));
        assert_false(test_schema(schema, bad, why, sizeof why));
        json_decref(bad);
    }
    json_decref(schema);
}

static void copies_and_leaks_are_counted_and_named(void **state)
{
    (void)state;
    for (int i = 0; i < 24; i++) {
        char name[64];
        snprintf(name, sizeof name, "train/%s/%02d.png", i % 2 ? "b" : "a", i);
        test_picture(top, name, 6, i);
        snprintf(name, sizeof name, "test/%s/%02d.png", i % 2 ? "b" : "a", i);
        test_picture(top, name, 6, 100 + i);
    }
    test_picture(top, "train/a/copy.png", 6, 0);  /* of train/a/00, same label  */
    test_picture(top, "train/b/other.png", 6, 2); /* of train/a/02, other label */
    test_picture(top, "test/a/leak.png", 6, 4);   /* of train/a/04              */
    json_t *v = inspect(false);
    assert_int_equal(number(v, "duplicates", "rows"), 3);
    assert_int_equal(number(v, "duplicates", "groups"), 3);
    assert_int_equal(number(v, "duplicates", "conflicting"), 1);
    assert_int_equal(number(v, "leaks", "train_test"), 1);
    assert_int_equal(number(v, "parts", "train"), 26);
    const json_t *pair =
        json_array_get(json_object_get(json_object_get(v, "leaks"), "first"), 0);
    assert_non_null(strstr(json_string_value(json_array_get(pair, 0)), "train/a/04.png"));
    assert_non_null(
        strstr(json_string_value(json_array_get(pair, 1)), "test/a/leak.png"));
    assert_true(found(v, "problem", "1 test row is an exact copy of training rows"));
    assert_true(found(v, "problem", "more than one label"));
    assert_true(found(v, "note", "the test part has 25 rows"));
    assert_false(found(v, "warning", "fewer than"));
    holds_to_its_schema(v);
    json_decref(v);
}

static void imbalance_sizes_and_damage_are_said(void **state)
{
    (void)state;
    test_class_folders(top, 2, 30, 6);
    test_picture(top, "rare/only.png", 60, 999);
    test_text_file(top, "class0/broken.png", "no picture");
    json_t       *v      = inspect(true);
    const json_t *height = json_object_get(json_object_get(v, "sizes"), "height");
    assert_int_equal(tl_json_int(height, "min", 0), 6);
    assert_int_equal(tl_json_int(height, "median", 0), 6);
    assert_int_equal(tl_json_int(height, "max", 0), 60);
    assert_int_equal(number(v, "unreadable", "rows"), 1);
    assert_int_equal(number(v, "balance", "smallest_rows"), 1);
    assert_true(found(v, "problem", "1 file cannot be used"));
    assert_true(found(v, "warning", "\"rare\" has 1"));
    assert_true(found(v, "warning", "\"rare\" only 1"));
    assert_true(found(v, "note", "no test part"));
    assert_int_equal(json_array_size(json_object_get(v, "classes")), 3);
    holds_to_its_schema(v);
    json_decref(v);
}

static void damage_that_only_decoding_finds_is_a_finding(void **state)
{
    char     path[600];
    uint8_t *data;
    size_t   bytes;

    (void)state;
    test_class_folders(top, 2, 12, 40);
    snprintf(path, sizeof path, "%s/class1/p003.png", top);
    TEST_OK(tl_file_read(test_ctx(), path, 1 << 20, &data, &bytes));
    data[bytes / 2] ^= 0x55;
    TEST_OK(tl_file_write(test_ctx(), path, data, bytes));
    tl_free(test_ctx(), data);
    json_t *v = inspect(false);
    assert_true(json_is_null(json_object_get(v, "duplicates")));
    assert_true(found(v, "problem", "p003.png: damaged"));
    holds_to_its_schema(v);
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copies_and_leaks_are_counted_and_named, fresh,
                                        end),
        cmocka_unit_test_setup_teardown(imbalance_sizes_and_damage_are_said, fresh, end),
        cmocka_unit_test_setup_teardown(damage_that_only_decoding_finds_is_a_finding,
                                        fresh, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
