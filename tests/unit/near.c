/* near.c -- nearly equal rows: pictures stored again smaller, brighter or noisier and texts with
 * other case, signs or a word are found beside their first; different ones of one kind are not. */
#include "support/pictures.h"
#include "support/support.h"
#include "core/io.h"
#include "core/rand.h"
#include "core/text.h"
#include "data/inspect.h"
#include "data/near.h"
#include "data/strokes.h"

#include <stdio.h>
#include <string.h>

enum { SIDE = 28, DRAWN = 300, PLANTED = 30 };

static char *top;

/* A digit as drawn, or what became of it: brighter with less contrast, noisy, or moved by half a
 * pixel as resizing does. */
static void write_digit(const char *name, int which, int change)
{
    uint8_t  grey[SIDE * SIDE];
    tl_image image = { .height = SIDE, .width = SIDE, .channels = 1, .data = grey };
    char     path[600];
    uint8_t *png;
    size_t   bytes;

    tl_strokes_draw(TL_DIGITS, which % 10, 5, which, grey);
    for (int i = SIDE * SIDE - 1; i >= 0 && change; i--) {
        int v = grey[i];
        if (change == 1) v = 40 + v * 3 / 4;
        if (change == 2) v += (int)(tl_rand_normal(2, 3, (uint64_t)(which * 1000 + i)) * 4.0);
        if (change == 3 && i % SIDE) v = (3 * v + grey[i - 1]) / 4;
        grey[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
    snprintf(path, sizeof path, "%s/%s", top, name);
    TEST_OK(tl_image_write_png(test_ctx(), &image, &png, &bytes));
    TEST_OK(tl_file_write(test_ctx(), path, png, bytes));
    tl_free(test_ctx(), png);
}

static int64_t number(const json_t *v, const char *object, const char *key)
{
    return tl_json_int(json_object_get(v, object), key, -1);
}

static void changed_pictures_are_found(void **state)
{
    tl_near_pair *pair;
    int64_t       count, hits = 0;
    bool          known;
    char          name[64], *a, *b;
    tl_dataset   *d;
    json_t       *v;

    (void)state;
    top = test_folder();
    test_picture(top, "train/x/first.png", SIDE, 3); /* makes the folders */
    test_picture(top, "test/x/first.png", SIDE, 4);
    for (int i = 0; i < DRAWN; i++) {
        snprintf(name, sizeof name, "train/x/%03d.png", i);
        write_digit(name, i, 0);
    }
    for (int i = 0; i < PLANTED; i++) {
        snprintf(name, sizeof name, "test/x/%03d-again.png", i);
        write_digit(name, i, 1 + i % 3);
    }
    d = test_open(top);
    TEST_OK(tl_dataset_near(test_ctx(), d, &known, &pair, &count));
    assert_true(known);
    for (int64_t k = 0; k < count; k++) {
        TEST_OK(tl_dataset_row_name(test_ctx(), d, pair[k].a, &a));
        TEST_OK(tl_dataset_row_name(test_ctx(), d, pair[k].b, &b));
        const char *one = strrchr(a, '/') + 1, *two = strrchr(b, '/') + 1;
        hits += strstr(two, "again") && strncmp(one, two, 3) == 0;
        assert_true(pair[k].likeness <= 1.0 && pair[k].a < pair[k].b);
        tl_free(test_ctx(), a);
        tl_free(test_ctx(), b);
    }
    print_message("# %d of %d planted pictures found, %d pairs in all\n", (int)hits, PLANTED,
                  (int)count);
    assert_true(hits >= PLANTED * 9 / 10 && count <= PLANTED + 5);
    tl_free(test_ctx(), pair);
    TEST_OK(tl_inspect(test_ctx(), d, &v));
    assert_int_equal(number(v, "near_duplicates", "rows"), count);
    assert_true(number(v, "near_leaks", "train_test") >= PLANTED * 9 / 10);
    json_decref(v);
    tl_dataset_close(test_ctx(), d);
    test_folder_end(top);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void changed_texts_are_found(void **state)
{
    static const char *const subject[] = { "the delivery", "my account", "this laptop",
                                           "the last update", "our order" };
    static const char *const verb[]    = { "came far too late for the birthday of my son",
                                           "cannot be opened since I changed the old password",
                                           "gets so hot that nobody can work with it",
                                           "has deleted all the pictures of our holiday" };
    tl_text       t = tl_text_make(test_ctx());
    tl_near_pair *pair;
    int64_t       count;
    bool          known;
    tl_dataset   *d;

    (void)state;
    top = test_folder();
    tl_text_add(&t, "text,label\n");
    for (int i = 0; i < 20; i++)
        tl_text_printf(&t, "%s number %d %s,%s\n", subject[i % 5], 100 + i * 7, verb[i / 5],
                       i % 2 ? "bad" : "worse");
    tl_text_printf(&t, "My ACCOUNT number 107 came far too late for the birthday of my son!,bad\n");
    tl_text_printf(&t, "this laptop number 114 came far too late for the birthday of my "
                       "son again,worse\n");
    TEST_OK(t.status);
    test_text_file(top, "rows.csv", t.text);
    tl_text_free(&t);
    d = test_open(top);
    assert_non_null(d->text);
    TEST_OK(tl_dataset_near(test_ctx(), d, &known, &pair, &count));
    assert_true(known);
    assert_int_equal(count, 2);
    assert_true(pair[0].a == 1 && pair[0].b == 20 && pair[0].likeness == 1.0);
    assert_true(pair[1].a == 2 && pair[1].b == 21 && pair[1].likeness < 1.0);
    tl_free(test_ctx(), pair);
    tl_dataset_close(test_ctx(), d);
    test_folder_end(top);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void of_tables_it_is_not_known(void **state)
{
    tl_near_pair *pair;
    int64_t       count;
    bool          known;
    tl_dataset   *d;

    (void)state;
    top = test_folder();
    test_text_file(top, "rows.csv", "x,z,y\n1,2,a\n1,3,b\n2,2,a\n3,1,b\n");
    d = test_open(top);
    TEST_OK(tl_dataset_near(test_ctx(), d, &known, &pair, &count));
    assert_true(!known && !pair && count == 0);
    tl_dataset_close(test_ctx(), d);
    test_folder_end(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changed_pictures_are_found),
        cmocka_unit_test(changed_texts_are_found),
        cmocka_unit_test(of_tables_it_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
