/* card.c -- the licence and training data that a base states in its README.md; a base without one,
 * or with one that is no card, states nothing. */
#include "support/pictures.h"
#include "support/support.h"
#include "study/compare_internal.h"

#include <string.h>

static void states(const char *readme, const char *license, const char *datasets)
{
    char   *top = test_folder();
    json_t *card;

    if (readme) test_text_file(top, "README.md", readme);
    else test_text_file(top, "config.json", "{}");
    TEST_OK(tl_study_card(test_ctx(), top, &card));
    assert_string_equal(tl_json_text(card, "license", "-"), license);
    assert_string_equal(tl_json_text(card, "datasets", "-"), datasets);
    json_decref(card);
    test_folder_end(top);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void what_a_card_says_is_read(void **state)
{
    (void)state;
    states("---\nlanguage: en\nlicense: apache-2.0\ndatasets:\n- s2orc\n- \"ms_marco\"\n"
           "pipeline_tag: x\n---\n# A model\nlicense: not this\n",
           "apache-2.0", "s2orc, ms_marco");
    states("---\r\ndatasets: [wikitext, c4]\r\n---\r\n", "-", "wikitext, c4");
    states("# no head\nlicense: mit\n", "-", "-");
    states("---\nlicense: mit\n", "-", "-"); /* the head does not end */
    states(NULL, "-", "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_a_card_says_is_read) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
