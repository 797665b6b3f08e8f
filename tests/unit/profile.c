/* profile.c -- what the audit of data finds by statistics: planted shortcuts, drift and languages
 * are found, and nothing where nothing was planted. */
#include "support/pictures.h"
#include "support/schema.h"
#include "support/support.h"
#include "core/io.h"
#include "core/rand.h"
#include "core/text.h"
#include "data/texts/languages.h"
#include "study/profile.h"
#include "study/shortcuts.h"

#include <math.h>
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

/* The profile of what lies in the folder, held to its schema. */
static json_t *profile_of(const char *name)
{
    json_t     *v, *schema;
    tl_dataset *d;
    char        path[600], why[400];

    snprintf(path, sizeof path, "%s/%s", top, name);
    d = test_open(path);
    TEST_OK(tl_profile(test_ctx(), d, &v));
    tl_dataset_close(test_ctx(), d);
    TEST_OK(tl_json_read(test_ctx(), TEST_FOLDER "/../schemas/inspect.schema.json", 1 << 20,
                         &schema));
    if (!test_schema(schema, v, why, sizeof why)) fail_msg("inspect --json%s", why);
    json_decref(schema);
    return v;
}

static const json_t *fact_of(const json_t *list, const char *fact)
{
    json_t *f;
    size_t  i;

    json_array_foreach(list, i, f)
        if (strcmp(tl_json_text(f, "fact", ""), fact) == 0) return f;
    return NULL;
}

static bool is_said(const json_t *list, const char *fact)
{
    const json_t *f = fact_of(list, fact);

    if (!f) fail_msg("%s was not looked at", fact);
    return tl_json_bool(f, "said", false);
}

static int said_of(const json_t *list)
{
    json_t *f;
    size_t  i;
    int     said = 0;

    json_array_foreach(list, i, f) said += tl_json_bool(f, "said", false);
    return said;
}

static const char *finding_with(const json_t *v, const char *words)
{
    json_t *f;
    size_t  i;

    json_array_foreach(json_object_get(v, "findings"), i, f)
        if (strstr(tl_json_text(f, "text", ""), words)) return tl_json_text(f, "level", "");
    return "";
}

/* A value that follows its label in a known share of the rows, and one that is alone chance. */
static void what_one_value_foretells_is_measured(void **state)
{
    enum { ROWS = 3000, CLASSES = 3 };
    static double  value[ROWS], noise[ROWS], number[ROWS];
    static int32_t label[ROWS];
    tl_foretold    told;
    int            follow = 0;

    (void)state;
    for (uint64_t i = 0; i < ROWS; i++) {
        const bool follows = tl_rand_uniform(1, 2, i) < 0.7;
        label[i]  = (int32_t)tl_rand_below(1, 1, i, CLASSES);
        value[i]  = follows ? label[i] : (double)tl_rand_below(1, 3, i, CLASSES);
        number[i] = 10.0 * value[i] + tl_rand_uniform(1, 4, i);
        noise[i]  = tl_rand_normal(1, 5, i);
        follow += (int32_t)value[i] == label[i];
    }
    const double truth = (double)follow / ROWS; /* 0.7 + 0.3 / 3 */
    TEST_OK(tl_foretell(test_ctx(), value, CLASSES, label, ROWS, CLASSES, NULL, 0.95, &told));
    assert_true(fabs(told.score - truth) < 0.01 && told.low < 0.8 && told.high > 0.8);
    assert_true(fabs(told.chance - 1.0 / 3.0) < 1e-12 && told.rows == ROWS);
    TEST_OK(tl_foretell(test_ctx(), number, 0, label, ROWS, CLASSES, NULL, 0.95, &told));
    assert_true(fabs(told.score - truth) < 0.01); /* bins end at gaps */
    TEST_OK(tl_foretell(test_ctx(), noise, 0, label, ROWS, CLASSES, NULL, 0.95, &told));
    assert_true(told.low < told.chance && told.high > told.chance - 0.02);
    TEST_OK(tl_foretell(test_ctx(), noise, 0, label, 40, CLASSES, NULL, 0.95, &told));
    assert_true(isnan(told.score));
}

/* Always the larger of two classes is right in nine of ten rows, and foretells nothing. */
static void a_large_class_is_no_shortcut(void **state)
{
    enum { ROWS = 1000 };
    static double  value[ROWS];
    static int32_t label[ROWS];
    tl_foretold    told;

    (void)state;
    for (uint64_t i = 0; i < ROWS; i++) {
        label[i] = tl_rand_uniform(1, 1, i) < 0.1;
        value[i] = (double)tl_rand_below(1, 3, i, 4);
    }
    TEST_OK(tl_foretell(test_ctx(), value, 4, label, ROWS, 2, NULL, 0.95, &told));
    assert_true(told.score < 0.62 && told.low < 0.5);
}

/* Copies of a row know its label: in one fold they do not. */
static void copies_do_not_vouch_for_each_other(void **state)
{
    enum { ROWS = 400, COPIES = 10 };
    static double  value[ROWS];
    static int32_t label[ROWS];
    static int64_t unit[ROWS];
    tl_foretold    apart, together;

    (void)state;
    for (uint64_t i = 0; i < ROWS; i++) {
        unit[i]  = (int64_t)(i / COPIES);
        value[i] = (double)unit[i];
        label[i] = (int32_t)tl_rand_below(1, 1, (uint64_t)unit[i], 2);
    }
    TEST_OK(tl_foretell(test_ctx(), value, ROWS / COPIES, label, ROWS, 2, NULL, 0.95, &apart));
    TEST_OK(tl_foretell(test_ctx(), value, ROWS / COPIES, label, ROWS, 2, unit, 0.95, &together));
    assert_true(apart.score > 0.9 && together.score < 0.1);
}

/* Noise inside; the border is light where class b is, but in one of ten. */
static void draw(const char *name, int look, bool light, int64_t width)
{
    tl_image image = { .height = 12, .width = width, .channels = 1 };
    uint8_t *data;
    size_t   bytes;
    char     path[600];

    TEST_OK(tl_alloc(test_ctx(), (size_t)(12 * width), &image.data));
    for (int64_t y = 0; y < 12; y++)
        for (int64_t x = 0; x < width; x++) {
            const bool border = y == 0 || x == 0 || y == 11 || x == width - 1;
            const uint64_t at = (uint64_t)(y * width + x);
            const double   v  = 100.0 * tl_rand_uniform(7, (uint64_t)look, at);
            image.data[at]    = (uint8_t)(border && light ? 150.0 + v : v);
        }
    snprintf(path, sizeof path, "%s/%s", top, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    TEST_OK(tl_make_folders(test_ctx(), path));
    *slash = '/';
    TEST_OK(tl_image_write_png(test_ctx(), &image, &data, &bytes));
    FILE *out = fopen(path, "wb"); /* hundreds of files need not be flushed to the disk */
    assert_true(out && fwrite(data, 1, bytes, out) == bytes && fclose(out) == 0);
    tl_free(test_ctx(), data);
    tl_image_free(test_ctx(), &image);
}

static void a_border_that_knows_the_class_is_found(void **state)
{
    char name[64];

    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "planted/%s/%03d.png", i % 2 ? "b" : "a", i * 7919 % 1000);
        draw(name, i, (i % 2 == 1) != (i / 2 % 10 == 3), 12);
        snprintf(name, sizeof name, "plain/%s/%03d.png", i % 2 ? "b" : "a", i * 7919 % 1000);
        draw(name, 1000 + i, tl_rand_uniform(1, 9, (uint64_t)i) < 0.5, 12);
    }
    json_t       *v    = profile_of("planted");
    const json_t *list = json_object_get(json_object_get(v, "shortcuts"), "facts");
    assert_true(is_said(list, "the border's brightness"));
    assert_false(is_said(list, "the picture's width"));
    assert_string_equal(tl_json_text(json_array_get(list, 0), "fact", ""),
                        "the border's brightness"); /* worst first */
    const double score = tl_json_number(json_array_get(list, 0), "score", 0.0);
    assert_true(score > 0.85 && score < 0.95);
    assert_string_equal(finding_with(v, "the border's brightness alone tells the class"),
                        "warning");
    assert_true(json_is_null(json_object_get(v, "drift")));
    json_decref(v);
    v = profile_of("plain");
    assert_int_equal(said_of(json_object_get(json_object_get(v, "shortcuts"), "facts")), 0);
    assert_string_equal(finding_with(v, "alone tells"), "");
    json_decref(v);
}

static void pictures_from_elsewhere_are_found(void **state)
{
    char name[64];

    (void)state;
    for (int i = 0; i < 160; i++) {
        const char *class = i % 2 ? "b" : "a";
        snprintf(name, sizeof name, "apart/train/%s/%03d.png", class, i);
        draw(name, i, false, 12);
        snprintf(name, sizeof name, "apart/test/%s/%03d.png", class, i);
        draw(name, 1000 + i, true, i % 3 ? 12 : 20);
        snprintf(name, sizeof name, "alike/train/%s/%03d.png", class, i);
        draw(name, 2000 + i, i / 2 % 2 == 0, 12);
        snprintf(name, sizeof name, "alike/test/%s/%03d.png", class, i);
        draw(name, 3000 + i, i / 2 % 2 == 0, 12);
    }
    json_t       *v    = profile_of("apart");
    const json_t *part = json_array_get(json_object_get(v, "drift"), 0);
    const json_t *list = json_object_get(part, "facts");
    assert_string_equal(tl_json_text(part, "part", ""), "test");
    assert_true(is_said(list, "the border's brightness") && is_said(list, "the picture's width"));
    assert_false(is_said(list, "the shares of the classes") ||
                 is_said(list, "the picture's height"));
    assert_string_equal(finding_with(v, "the test part differs from the training part"),
                        "warning");
    json_decref(v);
    v = profile_of("alike");
    assert_int_equal(
        said_of(json_object_get(json_array_get(json_object_get(v, "drift"), 0), "facts")), 0);
    json_decref(v);
}

/* `day`: rows of the test part are of other words; source: who wrote a text knows its label. */
static void write_texts(const char *name, int from, bool other, bool sourced)
{
    static const char *const start[] = { "the weather of", "a letter from", "news that is" };
    tl_text t = tl_text_make(test_ctx());
    char    path[600];

    tl_text_add(&t, "text,label,source\n");
    for (int i = from; i < from + 240; i++) {
        const uint64_t k    = (uint64_t)i;
        const bool     good = tl_rand_uniform(1, 1, k) < 0.5;
        const int      by   = sourced && tl_rand_uniform(1, 2, k) < 0.8
                                  ? good
                                  : (int)tl_rand_below(1, 3, k, 2);
        tl_text_printf(&t, "%s the %s%d and the %s%d,%s,%s\n", start[tl_rand_below(1, 4, k, 3)],
                       other ? "moon" : "town", (int)tl_rand_below(1, 5, k, 20),
                       other ? "star" : "road", (int)tl_rand_below(1, 6, k, 20),
                       good ? "good" : "bad", by ? "times" : "post");
    }
    TEST_OK(t.status);
    snprintf(path, sizeof path, "%s/%s", top, name);
    *strrchr(path, '/') = 0;
    TEST_OK(tl_make_folders(test_ctx(), path));
    test_text_file(top, name, t.text);
    tl_text_free(&t);
}

static void a_source_of_texts_and_new_words_are_found(void **state)
{
    (void)state;
    write_texts("set/train.csv", 0, false, true);
    write_texts("set/test.csv", 1000, true, true);
    write_texts("plain/train.csv", 0, false, false);
    write_texts("plain/test.csv", 1000, false, false);
    json_t       *v    = profile_of("set/train.csv");
    const json_t *list = json_object_get(json_object_get(v, "shortcuts"), "facts");
    assert_true(is_said(list, "the column \"source\""));
    assert_false(is_said(list, "the first word"));
    assert_string_equal(finding_with(v, "the column \"source\" alone tells"), "warning");
    list = json_object_get(json_array_get(json_object_get(v, "drift"), 0), "facts");
    assert_true(is_said(list, "the share of words that no other training text has"));
    assert_int_equal(said_of(list), 1);
    const json_t *language =
        json_array_get(json_object_get(json_object_get(v, "languages"), "found"), 0);
    assert_string_equal(tl_json_text(language, "name", ""), "English");
    assert_int_equal(tl_json_int(language, "rows", 0), 480);
    json_decref(v);
    v = profile_of("plain/train.csv");
    assert_int_equal(said_of(json_object_get(json_object_get(v, "shortcuts"), "facts")), 0);
    assert_int_equal(
        said_of(json_object_get(json_array_get(json_object_get(v, "drift"), 0), "facts")), 0);
    json_decref(v);
}

/* A strong column is what a table is for; one that knows all, and ids that go by class, are not. */
static void columns_that_know_too_much_are_found(void **state)
{
    tl_text t = tl_text_make(test_ctx());

    (void)state;
    tl_text_add(&t, "number,strong,after,weak,y\n");
    for (int i = 0; i < 400; i++) {
        const uint64_t k   = (uint64_t)i;
        const bool     yes = tl_rand_uniform(1, 1, k) < 0.5;
        tl_text_printf(&t, "%d,%.3f,%.3f,%.3f,%s\n", yes ? 5000 + i : i,
                       tl_rand_normal(1, 2, k) + (yes ? 2.2 : 0.0), (yes ? 3.0 : 1.0) +
                       tl_rand_uniform(1, 3, k), tl_rand_normal(1, 4, k), yes ? "yes" : "no");
    }
    TEST_OK(t.status);
    test_text_file(top, "rows.csv", t.text);
    tl_text_free(&t);
    json_t       *v    = profile_of("rows.csv");
    const json_t *list = json_object_get(json_object_get(v, "shortcuts"), "facts");
    assert_true(is_said(list, "the column \"number\"") && is_said(list, "the column \"after\""));
    assert_false(is_said(list, "the column \"strong\"") || is_said(list, "the column \"weak\""));
    assert_true(tl_json_number(fact_of(list, "the column \"strong\""), "low", 0.0) > 0.6);
    assert_string_equal(finding_with(v, "\"after\" alone tells"), "warning");
    assert_string_equal(finding_with(v, "\"number\" alone tells"), "warning");
    json_decref(v);
}

static void languages_are_told_or_unknown(void **state)
{
    static const struct { const char *text, *name; } sample[] = {
        { "I am still waiting on my card, when will it arrive?", "English" },
        { "Die Katze sitzt auf dem Dach und wartet nicht auf den Hund", "German" },
        { "Le chat est sur le toit et il ne veut pas descendre avec nous", "French" },
        { "El gato está en la casa y no quiere salir con los perros", "Spanish" },
        { "Il gatto è sul tetto e non vuole scendere con gli altri della casa", "Italian" },
        { "O gato está em cima do telhado e não quer descer com os outros", "Portuguese" },
        { "De kat zit op het dak en wil niet naar beneden komen met de hond", "Dutch" },
        { "Kot siedzi na dachu i nie chce się ruszyć, bo jest zimno", "Polish" },
        { "Katten sitter på taket och vill inte komma ner till oss", "Swedish" },
        { "Bu kedi çok güzel ama ne kadar büyük olduğu bir soru", "Turkish" },
        { "Кошка сидит на крыше", "in Cyrillic letters" },
        { "猫は屋根の上に座っています", "Japanese" },
        { "猫坐在屋顶上", "Chinese" },
        { "고양이가 지붕 위에 있다", "Korean" },
        { "η γάτα είναι στη στέγη", "Greek" },
        { "القطة على السطح", "in Arabic letters" },
        { "SKU 4711-B", "unknown" },
        { "12 34 56", "unknown" },
        { "", "unknown" },
        { "lorem ipsum dolor sit amet consectetur adipiscing elit", "unknown" },
        { "\xff\xfe\xc3 \xe2\x82", "unknown" },
    };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(sample); i++)
        assert_string_equal(
            tl_language_name(tl_language_of(sample[i].text, strlen(sample[i].text))),
            sample[i].name);
}

/* Out of memory anywhere in it: an error, no leak. */
static void memory_may_fail(void **state)
{
    char        path[600];
    tl_dataset *d;
    json_t     *v;
    tl_status   rc = TL_ENOMEM;

    (void)state;
    write_texts("set/train.csv", 0, false, true);
    write_texts("set/test.csv", 1000, true, true);
    snprintf(path, sizeof path, "%s/set/train.csv", top);
    d = test_open(path);
    TEST_OK(tl_profile(test_ctx(), d, &v)); /* what the data keep of it is there by now */
    json_decref(v);
    const int64_t before = (int64_t)test_ctx()->world->now_bytes;
    for (int64_t n = 1; rc != TL_OK && n < 5000; n += n < 40 ? 1 : 37) {
        test_ctx()->world->fault_alloc = n;
        rc = tl_profile(test_ctx(), d, &v);
        test_ctx()->world->fault_alloc = 0;
        assert_true(rc == TL_OK || rc == TL_ENOMEM);
        assert_int_equal(test_ctx()->world->now_bytes, before);
    }
    assert_int_equal(rc, TL_OK);
    json_decref(v);
    tl_dataset_close(test_ctx(), d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_value_foretells_is_measured),
        cmocka_unit_test(a_large_class_is_no_shortcut),
        cmocka_unit_test(copies_do_not_vouch_for_each_other),
        cmocka_unit_test_setup_teardown(a_border_that_knows_the_class_is_found, fresh, end),
        cmocka_unit_test_setup_teardown(pictures_from_elsewhere_are_found, fresh, end),
        cmocka_unit_test_setup_teardown(a_source_of_texts_and_new_words_are_found, fresh, end),
        cmocka_unit_test_setup_teardown(columns_that_know_too_much_are_found, fresh, end),
        cmocka_unit_test(languages_are_told_or_unknown),
        cmocka_unit_test_setup_teardown(memory_may_fail, fresh, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
