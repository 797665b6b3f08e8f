/* tokenizer.c -- what the goldens do not show: threads, roles, errors by name, patterns and
 * texts that would take for ever. */
#include "support/support.h"
#include "core/io.h"
#include "data/tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tl_encode_options whole = { .most = TL_AS_FILE };

static tl_status open_text(const char *name, const char *text, tl_tokenizer **t)
{
    char     *folder = test_folder(), *path;
    tl_status rc;

    TEST_OK(tl_path_join(test_ctx(), folder, name, &path));
    TEST_OK(tl_file_write(test_ctx(), path, text, strlen(text)));
    rc = tl_tokenizer_open(test_ctx(), path, t);
    tl_free(test_ctx(), path);
    test_folder_end(folder);
    return rc;
}

static const char bert[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nto\n##ken\n##s\nand\n,\n";

static void threads_change_nothing(void **state)
{
    enum { TEXTS = 2000 };
    static const char *const said[] = { "tokens and, to", "",
                                        "\xc3\xa9 to\xff, token",
                                        "and and [MASK] tokens" };
    static tl_string          text[TEXTS];
    tl_token_batch           one, many;
    tl_tokenizer            *t;

    (void)state;
    test_fresh();
    TEST_OK(open_text("vocab.txt", bert, &t));
    for (size_t i = 0; i < TEXTS; i++)
        text[i] = (tl_string){ said[i * i % 4], strlen(said[i * i % 4]) };
    test_ctx()->world->threads = 1;
    TEST_OK(tl_encode_batch(test_ctx(), t, text, text, TEXTS, whole, &one));
    test_ctx()->world->threads = 5;
    TEST_OK(tl_encode_batch(test_ctx(), t, text, text, TEXTS, whole, &many));
    assert_int_equal(one.all.count, many.all.count);
    assert_memory_equal(one.start, many.start, (TEXTS + 1) * sizeof *one.start);
    assert_memory_equal(one.all.id, many.all.id,
                        (size_t)one.all.count * sizeof *one.all.id);
    assert_memory_equal(one.all.span, many.all.span,
                        (size_t)one.all.count * sizeof *one.all.span);
    tl_token_batch_free(test_ctx(), &one);
    tl_token_batch_free(test_ctx(), &many);
    tl_tokenizer_close(test_ctx(), t);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void roles_and_names(void **state)
{
    tl_tokenizer *t;
    size_t        bytes;

    (void)state;
    test_fresh();
    TEST_OK(open_text("vocab.txt", bert, &t));
    assert_int_equal(tl_tokenizer_size(t), 10);
    assert_int_equal(tl_tokenizer_special(t, "cls"), 2);
    assert_int_equal(tl_tokenizer_special(t, "pad"), 0);
    assert_int_equal(tl_tokenizer_special(t, "bos"), -1);
    assert_true(tl_tokenizer_is_special(t, 4));
    assert_false(tl_tokenizer_is_special(t, 5));
    assert_int_equal(tl_tokenizer_id(t, "##ken", 5), 6);
    assert_memory_equal(tl_tokenizer_token(t, 6, &bytes), "##ken", 5);
    assert_int_equal(bytes, 5);
    assert_null(tl_tokenizer_token(t, 10, &bytes));
    assert_string_equal(tl_tokenizer_kind(t), "WordPiece");
    assert_int_equal(strlen(tl_tokenizer_hash(t)), 64);
    tl_tokenizer_close(test_ctx(), t);
}

#define MODEL "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"u\":0}}"

static void errors_name_what_is_wrong(void **state)
{
    static const struct {
        const char *json, *word;
    } wrong[] = {
        { "{\"normalizer\":{\"type\":\"Nowhere\"}," MODEL "}", "\"Nowhere\"" },
        { "{\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}," MODEL "}",
          "\"UnicodeScripts\"" },
        { "{\"decoder\":{\"type\":\"D\"}," MODEL "}", "decoder \"D\"" },
        { "{\"post_processor\":{\"type\":\"P\"}," MODEL "}", "post-processor \"P\"" },
        { "{\"model\":{\"type\":\"M\"}}", "model \"M\"" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[],\"dropout\":0.1}}",
          "dropout" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}",
          "merge 1" },
        { "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":99999999}}}", "99999999" },
        { "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a\"}}," MODEL
          "}",
          "pattern" },
        { "{", "JSON" },
    };
    tl_tokenizer *t;

    (void)state;
    for (size_t i = 0; i < TL_COUNT(wrong); i++) {
        test_fresh();
        assert_int_equal(open_text("tokenizer.json", wrong[i].json, &t), TL_EDATA);
        if (!strstr(test_ctx()->message, wrong[i].word))
            fail_msg("%s", test_ctx()->message);
        assert_int_equal(test_ctx()->world->now_bytes, 0);
    }
}

/* A pattern of exponential work ends in an error; a long run of blanks under a usual one, a
 * long word and a text of marks do not. */
static void nothing_takes_for_ever(void **state)
{
    static const char evil[] =
        "{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\","
        "\"pattern\":{\"Regex\":\"(a|a|b?a)+$\"}}," MODEL "}";
    static const char usual[] =
        "{\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Split\","
        "\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"\\\\s*[\\\\r\\\\n]+|"
        "\\\\s+(?!\\\\S)|\\\\s+|\\\\p{L}+\"}},\"model\":{\"type\":\"BPE\",\"vocab\":"
        "{\"a\":0,\"aa\":1,\"aaaa\":2},\"merges\":[\"a a\",\"aa aa\"]}}";
    enum { LONG = 300000 };
    char          *text = malloc(2 * LONG);
    tl_tokenizer  *t;
    tl_token_batch b;
    tl_string       s = { text, 40 };

    (void)state;
    test_fresh();
    assert_non_null(text);
    memset(text, 'a', LONG);
    text[39] = 'c';
    TEST_OK(open_text("tokenizer.json", evil, &t));
    assert_int_equal(tl_encode_batch(test_ctx(), t, &s, NULL, 1, whole, &b), TL_EDATA);
    tl_tokenizer_close(test_ctx(), t);
    TEST_OK(open_text("tokenizer.json", usual, &t));
    text[39] = 'a';
    s.bytes  = LONG;
    TEST_OK(tl_encode_batch(test_ctx(), t, &s, NULL, 1, whole, &b));
    assert_int_equal(b.all.count, LONG / 4);
    tl_token_batch_free(test_ctx(), &b);
    memset(text, ' ', LONG);
    TEST_OK(tl_encode_batch(test_ctx(), t, &s, NULL, 1, whole, &b));
    tl_token_batch_free(test_ctx(), &b);
    for (size_t i = 0; i < LONG; i++)
        memcpy(text + 2 * i, i < LONG / 2 ? "\xcc\x81" : "\xcc\x96", 2);
    s.bytes = 2 * LONG;
    TEST_OK(tl_encode_batch(test_ctx(), t, &s, NULL, 1, whole, &b));
    tl_token_batch_free(test_ctx(), &b);
    tl_tokenizer_close(test_ctx(), t);
    free(text);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(roles_and_names),
        cmocka_unit_test(errors_name_what_is_wrong),
        cmocka_unit_test(nothing_takes_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
