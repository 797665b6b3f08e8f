/* tokenizers.c -- ids, spans, types and decoded texts against the package `tokenizers`
 * (tokenizers.json, made by tools/golden/tokenizers.py), and the shared data's vectors. */
#include "support/support.h"
#include "core/io.h"
#include "core/json.h"
#include "data/tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tl_encode_options whole = { .most = TL_AS_FILE }, bare = { true, TL_UNCUT };

static tl_string slice(const char *text)
{
    return (tl_string){ text, text ? strlen(text) : 0 };
}

static void encode(const tl_tokenizer *t, tl_string a, tl_string b, tl_encode_options o,
                   tl_tokens *out)
{
    tl_encoder *e;

    *out = (tl_tokens){ 0 };
    TEST_OK(tl_encoder_open(test_ctx(), t, &e));
    for (int again = 0; again < 2; again++) /* the second time from memory */
        TEST_OK(tl_encode(test_ctx(), e, a, b, o, out));
    tl_encoder_close(test_ctx(), e);
}

static void check_decoded(const char *name, const tl_tokenizer *t, const tl_tokens *got,
                          const json_t *c)
{
    tl_text     text   = tl_text_make(test_ctx());
    const char *wanted = tl_json_text(c, "decoded", NULL);

    TEST_OK(tl_decode(test_ctx(), t, got->id, got->count, true, &text));
    if (strcmp(text.bytes ? text.text : "", wanted) != 0)
        fail_msg("%s decodes \"%s\", wanted \"%s\"", name, text.bytes ? text.text : "",
                 wanted);
    tl_text_free(&text);
}

static void check_case(const char *name, const tl_tokenizer *t, const json_t *c)
{
    const char *text = tl_json_text(c, "text", ""), *pair = tl_json_text(c, "pair", NULL);
    const json_t *ids = json_object_get(c, "ids"), *spans = json_object_get(c, "spans");
    const json_t *types = json_object_get(c, "types");
    tl_tokens     got;

    encode(t, slice(text), slice(pair), whole, &got);
    if (got.count != (int64_t)json_array_size(ids))
        fail_msg("%s: %" PRId64 " tokens for \"%s\", wanted %zu", name, got.count, text,
                 json_array_size(ids));
    for (int64_t i = 0; i < got.count; i++) {
        const size_t k = (size_t)i;
        if (got.id[i] != json_integer_value(json_array_get(ids, k)))
            fail_msg("%s: token %zu of \"%s\" is %d", name, k, text, got.id[i]);
        if (got.span[i].from != json_integer_value(json_array_get(spans, 2 * k)) ||
            got.span[i].to != json_integer_value(json_array_get(spans, 2 * k + 1)))
            fail_msg("%s: token %zu of \"%s\" is at %u..%u", name, k, text,
                     got.span[i].from, got.span[i].to);
        assert_int_equal(got.part[i], json_integer_value(json_array_get(types, k)));
    }
    check_decoded(name, t, &got, c);
    tl_tokens_free(test_ctx(), &got);
}

static void ids_equal_the_packages(void **state)
{
    char   *folder = test_folder(), *path;
    json_t *all, *row, *c;
    size_t  i, k, cases = 0;

    (void)state;
    test_fresh();
    TEST_OK(
        tl_json_read(test_ctx(), TEST_FOLDER "/golden/tokenizers.json", 1 << 20, &all));
    TEST_OK(tl_path_join(test_ctx(), folder, "tokenizer.json", &path));
    json_array_foreach(json_object_get(all, "tokenizers"), i, row)
    {
        tl_tokenizer *t;
        TEST_OK(tl_json_write_exact(test_ctx(), path, json_object_get(row, "tokenizer")));
        TEST_OK(tl_tokenizer_open(test_ctx(), folder, &t));
        json_array_foreach(json_object_get(row, "cases"), k, c)
            check_case(tl_json_text(row, "name", "?"), t, c),
            cases++;
        tl_tokenizer_close(test_ctx(), t);
    }
    assert_true(i >= 12);
    assert_true(cases >= 100);
    json_decref(all);
    tl_free(test_ctx(), path);
    test_folder_end(folder);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static tl_tokenizer *open_shared(const char *name)
{
    tl_tokenizer *t;
    char          path[1024];
    const char   *at = test_data(name);

    if (!at) TEST_SKIP("the shared data is absent");
    snprintf(path, sizeof path, "%s", at);
    test_fresh();
    TEST_OK(tl_tokenizer_open(test_ctx(), path, &t));
    return t;
}

static void read_shared(const char *name, uint8_t **data)
{
    size_t bytes;

    TEST_OK(tl_file_read(test_ctx(), test_data(name), 1 << 22, data, &bytes));
}

static void check_ids(const tl_tokenizer *t, const char *text, const json_t *ids)
{
    tl_tokens got;

    encode(t, slice(text), slice(NULL), bare, &got);
    if (got.count != (int64_t)json_array_size(ids))
        fail_msg("%" PRId64 " tokens for \"%s\"", got.count, text);
    for (int64_t i = 0; i < got.count; i++)
        if (got.id[i] != json_integer_value(json_array_get(ids, (size_t)i)))
            fail_msg("token %" PRId64 " of \"%s\" is %d", i, text, got.id[i]);
    tl_tokens_free(test_ctx(), &got);
}

static void bert_questions(void **state)
{
    tl_tokenizer *t = open_shared("tokenizers/bert-base-uncased");
    uint8_t      *data;
    int           questions = 0;

    (void)state;
    read_shared("tokenizers/bert-base-uncased/squad_questions_2000.jsonl", &data);
    for (char *line = strtok((char *)data, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *q;
        TEST_OK(tl_json_parse(test_ctx(), "squad", line, strlen(line), &q));
        check_ids(t, tl_json_text(q, "original", ""), json_object_get(q, "ids"));
        json_decref(q);
        questions++;
    }
    assert_int_equal(questions, 2000);
    tl_free(test_ctx(), data);
    tl_tokenizer_close(test_ctx(), t);
}

static void gpt2_french(void **state)
{
    tl_tokenizer *t = open_shared("tokenizers/gpt2/encoder.json");
    uint8_t      *data;
    json_t       *v;

    (void)state;
    read_shared("tokenizers/gpt2/encoded_tokens.json", &data);
    TEST_OK(tl_json_parse(test_ctx(), "gpt2", (char *)data, strlen((char *)data), &v));
    check_ids(t, tl_json_text(v, "text", ""), json_object_get(v, "token_ids"));
    json_decref(v);
    tl_free(test_ctx(), data);
    tl_tokenizer_close(test_ctx(), t);
}

/* llama.cpp's vectors: texts between marker lines, and their ids a line each. */
static void check_vectors(const tl_tokenizer *t, const char *vocab)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    char              name[128], *text, *line;
    uint8_t          *in, *out;
    int               vectors = 0;

    snprintf(name, sizeof name, "tokenizers/llama.cpp-vocab/ggml-vocab-%s.gguf.inp",
             vocab);
    read_shared(name, &in);
    snprintf(name, sizeof name, "tokenizers/llama.cpp-vocab/ggml-vocab-%s.gguf.out",
             vocab);
    read_shared(name, &out);
    text = (char *)in;
    line = (char *)out;
    for (char *end; (end = strstr(text, mark)); text = end + strlen(mark), vectors++) {
        json_t *ids = json_array();
        *end        = 0;
        for (; *line && *line != '\n';) {
            json_array_append_new(ids, json_integer(strtol(line, &line, 10)));
            while (*line == ' ') line++;
        }
        line += *line == '\n';
        while (*line == ' ') line++;
        check_ids(t, text, ids);
        json_decref(ids);
    }
    assert_int_equal(vectors, 46);
    tl_free(test_ctx(), in);
    tl_free(test_ctx(), out);
}

static void gpt2_vectors(void **state)
{
    tl_tokenizer *t = open_shared("tokenizers/gpt2/encoder.json");

    (void)state;
    check_vectors(t, "gpt-2");
    tl_tokenizer_close(test_ctx(), t);
}

static void vectors_of(const char *file, const char *vocab)
{
    tl_tokenizer *t = open_shared(file);

    check_vectors(t, vocab);
    tl_tokenizer_close(test_ctx(), t);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void gguf_vectors(void **state)
{
    static const char *const vocab[] = { "bert-bge", "deepseek-coder", "gpt-2",
                                         "llama-spm", "phi-3" };
    char                     file[128];

    (void)state;
    for (size_t i = 0; i < TL_COUNT(vocab); i++) {
        snprintf(file, sizeof file, "tokenizers/llama.cpp-vocab/ggml-vocab-%s.gguf",
                 vocab[i]);
        vectors_of(file, vocab[i]);
    }
}

static void sentencepiece_vectors(void **state)
{
    (void)state;
    vectors_of("tokenizers/llama2/tokenizer.model", "llama-spm");
    vectors_of("tokenizers/llama2/tokenizer.bin", "llama-spm");
}

static void check_learned(const char *path)
{
    const char *folder = "tokenizers/bpe-training-reference/train-bpe-reference-";
    json_t     *made, *wanted;
    uint8_t    *merges;
    char        name[128], line[256];
    json_t     *m, *vocab;
    size_t      i;
    char       *at;

    TEST_OK(tl_json_read(test_ctx(), path, 1 << 20, &made));
    snprintf(name, sizeof name, "%svocab.json", folder);
    TEST_OK(tl_json_read(test_ctx(), test_data(name), 1 << 20, &wanted));
    vocab = json_object_get(json_object_get(made, "model"), "vocab");
    assert_int_equal(json_object_size(wanted), 500);
    assert_true(json_equal(vocab, wanted));
    snprintf(name, sizeof name, "%smerges.txt", folder);
    read_shared(name, &merges);
    at = (char *)merges;
    json_array_foreach(json_object_get(json_object_get(made, "model"), "merges"), i, m)
    {
        snprintf(line, sizeof line, "%s %s\n", json_string_value(json_array_get(m, 0)),
                 json_string_value(json_array_get(m, 1)));
        if (strncmp(at, line, strlen(line)) != 0) fail_msg("merge %zu is %s", i, line);
        at += strlen(line);
    }
    assert_int_equal(i, 243);
    assert_int_equal(*at, 0);
    json_decref(made);
    json_decref(wanted);
    tl_free(test_ctx(), merges);
}

static void training_gives_the_reference(void **state)
{
    static const char *const special[] = { "<|endoftext|>" };
    const tl_training        how       = { TL_TRAIN_BPE, 500, special, 1, 0 };
    char                    *folder, *path;
    uint8_t                 *corpus;
    tl_string                 text;

    (void)state;
    if (!test_data("tokenizers/bpe-training-reference/corpus.en"))
        TEST_SKIP("the shared data is absent");
    test_fresh();
    folder = test_folder();
    read_shared("tokenizers/bpe-training-reference/corpus.en", &corpus);
    text = slice((char *)corpus);
    TEST_OK(tl_path_join(test_ctx(), folder, "tokenizer.json", &path));
    TEST_OK(tl_tokenizer_train(test_ctx(), &how, &text, 1, path));
    check_learned(path);
    tl_free(test_ctx(), corpus);
    tl_free(test_ctx(), path);
    test_folder_end(folder);
}

/* What is learned comes back from the text it was learned from, for both kinds. */
static void learned_tokenizers_round_trip(void **state)
{
    static const char *const special[] = { "[UNK]", "[PAD]" };
    static const char said[] = "low lower lowest new newer newest wide wider widest";
    tl_string          text   = slice(said);

    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        const tl_training how = { kind ? TL_TRAIN_WORD_PIECE : TL_TRAIN_BPE, 300, special,
                                  2, 2 };
        char             *folder = test_folder(), *path;
        tl_tokenizer     *t;
        tl_tokens         got;
        tl_text           back = tl_text_make(test_fresh());
        TEST_OK(tl_path_join(test_ctx(), folder, "tokenizer.json", &path));
        TEST_OK(tl_tokenizer_train(test_ctx(), &how, &text, 1, path));
        TEST_OK(tl_tokenizer_open(test_ctx(), folder, &t));
        encode(t, text, slice(NULL), bare, &got);
        assert_true(got.count < (int64_t)sizeof said / 2);
        for (int64_t i = 0; i < got.count; i++) assert_true(got.id[i] >= 2);
        TEST_OK(tl_decode(test_ctx(), t, got.id, got.count, false, &back));
        assert_string_equal(back.text, said);
        tl_text_free(&back);
        tl_tokens_free(test_ctx(), &got);
        tl_tokenizer_close(test_ctx(), t);
        tl_free(test_ctx(), path);
        test_folder_end(folder);
        assert_int_equal(test_ctx()->world->now_bytes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_equal_the_packages),
        cmocka_unit_test(bert_questions),
        cmocka_unit_test(gpt2_french),
        cmocka_unit_test(gpt2_vectors),
        cmocka_unit_test(gguf_vectors),
        cmocka_unit_test(sentencepiece_vectors),
        cmocka_unit_test(training_gives_the_reference),
        cmocka_unit_test(learned_tokenizers_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
