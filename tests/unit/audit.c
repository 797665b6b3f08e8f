/* audit.c -- the look at labels of tailor inspect: some rows of a table are given another
 * label, and most of them are named, by the classical baseline. */
#include "support/pictures.h"
#include "support/schema.h"
#include "support/support.h"
#include "core/rand.h"
#include "core/text.h"
#include "data/inspect.h"
#include "study/audit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 400 };

/* Two clouds; every 12th row says the other's name.  `mixed`: the labels say nothing. */
static void write_table(const char *folder, bool mixed)
{
    tl_text t = tl_text_make(test_ctx());

    tl_text_add(&t, "x,z,y\n");
    for (int i = 0; i < ROWS; i++) {
        const bool left = i % 2 == 0, flipped = i % 12 == 5;
        tl_text_printf(&t, "%.4f,%.4f,%s\n",
                       (mixed ? 0.0 : left ? -3.0 : 3.0) + tl_rand_normal(1, 2, (uint64_t)i),
                       tl_rand_normal(1, 3, (uint64_t)i), left != flipped ? "left" : "right");
    }
    TEST_OK(t.status);
    test_text_file(folder, "rows.csv", t.text);
    tl_text_free(&t);
}

static void wrong_labels_of_a_table_are_named(void **state)
{
    static const char *const none[] = { NULL };
    char       *top = test_folder(), path[600], why[400];
    tl_dataset *d;
    json_t     *v, *x, *schema;
    size_t      i;
    int         hits = 0;

    (void)state;
    test_ctx()->world->threads = 1;
    write_table(top, false);
    snprintf(path, sizeof path, "%s/rows.csv", top);
    d = test_open(path);
    TEST_OK(tl_inspect(test_ctx(), d, &v));
    assert_true(json_is_null(json_object_get(v, "labels")));
    tl_dataset_close(test_ctx(), d);
    const tl_question q = { .data = { .train = path, .skip_bad = true }, .base = none, .seed = 1,
                            .margin = NAN, .overrides = none };
    TEST_OK(tl_audit_labels(test_ctx(), &q, v));
    const json_t *labels = json_object_get(v, "labels");
    assert_int_equal(tl_json_int(labels, "rows", 0), ROWS);
    json_array_foreach(json_object_get(labels, "found"), i, x)
    {
        int line;
        assert_int_equal(sscanf(strrchr(tl_json_text(x, "row", ":0"), ':'), ":%d", &line), 1);
        hits += (line - 2) % 12 == 5; /* the header is line 1 */
        assert_string_not_equal(tl_json_text(x, "given", ""), tl_json_text(x, "likely", ""));
    }
    const int planted = ROWS / 12, found = (int)tl_json_int(labels, "suspects", 0);
    print_message("# planted %d, found %d, of them planted %d, noise %.3f by %s\n", planted,
                  found, hits,
                  tl_json_number(labels, "noise", 0.0), tl_json_text(labels, "by", "?"));
    assert_true(hits >= planted * 8 / 10 && found <= hits + 3);
    const double noise = tl_json_number(labels, "noise", 0.0), truth = (double)planted / ROWS;
    assert_true(noise > 0.5 * truth && noise < 1.5 * truth); /* a sure model counts few */
    TEST_OK(tl_json_read(test_ctx(), TEST_FOLDER "/../schemas/inspect.schema.json", 1 << 20,
                         &schema));
    if (!test_schema(schema, v, why, sizeof why)) fail_msg("inspect --json%s", why);
    json_decref(schema);
    json_decref(v);
    test_folder_end(top);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* Who is right on half of the labels alone says nothing of them. */
static void a_weak_model_blames_no_labels(void **state)
{
    static const char *const none[] = { NULL };
    char       *top = test_folder(), path[600];
    json_t     *v   = json_pack("{s:n, s:[]}", "labels", "findings"), *x;
    size_t      i;
    bool        said = false;

    (void)state;
    test_ctx()->world->threads = 1;
    write_table(top, true);
    snprintf(path, sizeof path, "%s/rows.csv", top);
    const tl_question q = { .data = { .train = path, .skip_bad = true }, .base = none, .seed = 1,
                            .margin = NAN, .overrides = none };
    TEST_OK(tl_audit_labels(test_ctx(), &q, v));
    assert_true(json_is_null(json_object_get(v, "labels")));
    json_array_foreach(json_object_get(v, "findings"), i, x)
        said = said || strstr(tl_json_text(x, "text", ""), "were not looked at") != NULL;
    assert_true(said);
    json_decref(v);
    test_folder_end(top);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_labels_of_a_table_are_named),
        cmocka_unit_test(a_weak_model_blames_no_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
