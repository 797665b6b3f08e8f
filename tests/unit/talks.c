/* talks.c -- files of conversations in their four forms, and what of a conversation the assistant
 * said: by the templates of tests/golden/chat_templates.json, with marks and without. */
#include "core/io.h"
#include "data/chat/set.h"
#include "data/part.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_file(const char *folder, const char *name, const char *text, char **path)
{
    TEST_OK(tl_path_join(test_ctx(), folder, name, path));
    TEST_OK(tl_file_write(test_ctx(), *path, text, strlen(text)));
}

static const struct { const char *name, *text, *form, *roles, *first; } forms[] = {
    { "a.jsonl",
      "{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", "
      "\"content\": \"hi\"}, {\"role\": \"assistant\", \"content\": \"yo\"}]}\n\n",
      "messages", "system user assistant", "s" },
    { "b.json",
      "[{\"conversations\": [{\"from\": \"human\", \"value\": \"hi\"}, {\"from\": \"gpt\", "
      "\"value\": \"yo\"}], \"system\": \"be kind\"}]",
      "ShareGPT", "system user assistant", "be kind" },
    { "c.jsonl", "{\"prompt\": \"hi\", \"completion\": \"yo\"}\n", "prompt and completion",
      "user assistant", "hi" },
    { "d.jsonl",
      "{\"prompt\": [{\"role\": \"user\", \"content\": \"hi\"}], \"completion\": [{\"role\": "
      "\"assistant\", \"content\": \"yo\"}]}\n",
      "prompt and completion", "user assistant", "hi" },
    { "e.ndjson", "{\"instruction\": \"Add\", \"input\": \"1 2\", \"output\": \"3\"}\n", "Alpaca",
      "user assistant", "Add\n1 2" },
    { "f.jsonl", "{\"instruction\": \"Add\", \"context\": \"\", \"response\": \"3\"}\n", "Alpaca",
      "user assistant", "Add" },
};

static void all_forms_become_messages(void **state)
{
    tl_ctx *ctx    = test_fresh();
    char   *folder = test_folder();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(forms); i++) {
        char     *path, roles[100] = "";
        tl_talks  t;
        tl_bad    bad = { 0 };
        bool      is;
        write_file(folder, forms[i].name, forms[i].text, &path);
        TEST_OK(tl_talks_in(ctx, path, &is));
        assert_true(is);
        TEST_OK(tl_talks_read(ctx, path, 1 << 20, &bad, &t));
        assert_int_equal(bad.rows, 0);
        assert_int_equal(t.count, 1);
        assert_string_equal(t.form, forms[i].form);
        for (size_t k = 0; k < json_array_size(t.talk[0]); k++) {
            strcat(roles, k ? " " : "");
            strcat(roles, tl_json_text(json_array_get(t.talk[0], k), "role", "?"));
        }
        assert_string_equal(roles, forms[i].roles);
        assert_string_equal(tl_json_text(json_array_get(t.talk[0], 0), "content", ""),
                            forms[i].first);
        tl_talks_free(ctx, &t);
        tl_bad_free(&bad);
        tl_free(ctx, path);
    }
    test_folder_end(folder);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void other_files_are_no_conversations(void **state)
{
    static const struct { const char *name, *text; } others[] = {
        { "a.jsonl", "{\"text\": \"hi\", \"label\": \"good\"}\n" },
        { "b.csv", "prompt,completion\nhi,yo\n" },
        { "c.jsonl", "" },
        { "d.jsonl", "{\"prompt\": \"hi\", \"label\": 1}\n" },
        { "g.jsonl", "{\"prompt\": \"hi\", \"completion\": \"yo\", \"label\": true}\n" },
        { "e.json", "{\"a\": 1}" },
        { "f.jsonl", "nonsense" },
    };
    tl_ctx *ctx    = test_fresh();
    char   *folder = test_folder();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(others); i++) {
        char *path;
        bool  is = true;
        write_file(folder, others[i].name, others[i].text, &path);
        TEST_OK(tl_talks_in(ctx, path, &is));
        if (is) fail_msg("%s is taken for conversations", others[i].name);
        tl_free(ctx, path);
    }
    test_folder_end(folder);
}

static void bad_rows_are_counted(void **state)
{
    static const char text[] =
        "{\"prompt\": \"hi\", \"completion\": \"yo\"}\n"
        "{\"prompt\": \"hi\"}\n"
        "not json\n"
        "{\"messages\": [{\"role\": \"user\", \"content\": \"only a question\"}]}\n"
        "{\"messages\": [{\"role\": \"wizard\", \"content\": \"x\"}]}\n"
        "{\"messages\": [{\"role\": \"user\"}, {\"role\": \"assistant\", \"content\": \"x\"}]}\n"
        "{\"instruction\": 7, \"output\": \"x\"}\n"
        "{\"prompt\": 3, \"completion\": \"yo\"}\n";
    tl_ctx   *ctx    = test_fresh();
    char     *folder = test_folder(), *path;
    tl_bad    bad    = { 0 };
    tl_talks  t;

    (void)state;
    write_file(folder, "x.jsonl", text, &path);
    TEST_OK(tl_talks_read(ctx, path, 1 << 20, &bad, &t));
    assert_int_equal(t.count, 1);
    assert_int_equal(bad.rows, 7);
    assert_int_equal(tl_bad_fail(ctx, &bad, path, 8), TL_EDATA);
    assert_non_null(strstr(ctx->message, "x.jsonl:2"));
    tl_talks_free(ctx, &t);
    tl_bad_free(&bad);
    tl_free(ctx, path);
    test_folder_end(folder);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* ---- what the assistant said ---- */
static tl_chat_form *form_of(const json_t *file, const char *name)
{
    tl_chat_form *f;
    json_t       *c;
    size_t        i;

    TEST_OK(tl_alloc(test_ctx(), sizeof *f, &f));
    f->tokens = json_pack("{s:s, s:s}", "bos_token", "<s>", "eos_token", "</s>");
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        const char *said = tl_json_text(c, "name", "");
        if (strncmp(said, name, strlen(name)) || said[strlen(name)] != ' ') continue;
        const json_t *text = json_array_get(json_object_get(file, "templates"),
                                            (size_t)tl_json_int(c, "template", 0));
        f->marks = strstr(json_string_value(text), "endgeneration") != NULL;
        TEST_OK(tl_template_parse(test_ctx(), name, json_string_value(text),
                                  json_string_length(text), &f->tmpl));
        return f;
    }
    fail_msg("no template %s", name);
    return NULL;
}

static const struct { const char *name, *first, *second; } said[] = {
    { "chatml", "Fine.<|im_end|>\n", "So so<|im_end|>\n" },
    { "chatml-generation", "Fine.<|im_end|>", "So so<|im_end|>" },
    { "llama-2", " Fine. </s>", " So so </s>" },
    { "llama-3", "Fine.<|eot_id|>", "So so<|eot_id|>" },
    { "llama-3.2", "Fine.<|eot_id|>", "So so<|eot_id|>" },
    { "mistral", "Fine.</s>", "So so</s>" },
    { "mistral-nemo", "Fine.</s>", "So so</s>" },
    { "gemma", "Fine.<end_of_turn>\n", "So so<end_of_turn>\n" },
    { "gemma-3", "Fine.<end_of_turn>\n", "So so<end_of_turn>\n" },
    { "qwen-2.5", "Fine.<|im_end|>\n", "So so<|im_end|>\n" },
    { "qwen-3", "Fine.<|im_end|>\n", "<think>\n\n</think>\n\nSo so<|im_end|>\n" },
    { "smollm-2", "Fine.<|im_end|>\n", "So so<|im_end|>\n" },
    { "phi-3.5", "Fine.<|end|>\n", "So so<|end|>\n</s>" },
    { "phi-4", "Fine.<|im_end|>", "So so<|im_end|>" },
    { "zephyr", "Fine.</s>\n", "So so</s>\n" },
    { "openchat", " Fine.<|end_of_turn|>", " So so<|end_of_turn|>" },
};

static json_t *talk_of_two(void)
{
    return json_pack("[{s:s,s:s},{s:s,s:s},{s:s,s:s},{s:s,s:s}]", "role", "user", "content",
                     "How are you?", "role", "assistant", "content", "Fine.", "role", "user",
                     "content", "Fine.", "role", "assistant", "content", "So so");
}

static void expect_span(const char *name, const tl_rendered *whole, tl_text_span span,
                        const char *want)
{
    const size_t n = strlen(want);

    if (span.to - span.from != n || memcmp(whole->text + span.from, want, n))
        fail_msg("%s: the assistant said \"%.*s\", not \"%s\"", name, (int)(span.to - span.from),
                 whole->text + span.from, want);
}

static void answers_are_found_in_every_template(void **state)
{
    tl_ctx *ctx  = test_fresh();
    json_t *talk = talk_of_two(), *file;

    (void)state;
    TEST_OK(tl_json_read(ctx, TEST_FOLDER "/golden/chat_templates.json", 1 << 22, &file));
    for (size_t i = 0; i < TL_COUNT(said); i++) {
        tl_chat_form *f = form_of(file, said[i].name);
        tl_rendered   whole;
        tl_text_span *span;
        size_t        count;
        TEST_OK(tl_chat_form_render(ctx, f, talk, false, false, &whole));
        TEST_OK(tl_talk_spans(ctx, f, talk, &whole, &span, &count));
        assert_int_equal(count, 2);
        expect_span(said[i].name, &whole, span[0], said[i].first);
        expect_span(said[i].name, &whole, span[1], said[i].second);
        tl_free(ctx, span);
        tl_rendered_free(ctx, &whole);
        tl_chat_form_close(ctx, f);
    }
    json_decref(file);
    json_decref(talk);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* Where the words cannot be told apart it is said, not guessed. */
static void a_template_that_hides_answers_is_told(void **state)
{
    static const char text[] = "{% for m in messages %}{{ m.content | upper }}{% endfor %}";
    tl_ctx      *ctx  = test_fresh();
    json_t      *talk = talk_of_two();
    tl_chat_form f    = { .tokens = json_object() };
    tl_rendered  whole;
    tl_text_span *span;
    size_t        count;

    (void)state;
    TEST_OK(tl_template_parse(ctx, "t", text, strlen(text), &f.tmpl));
    TEST_OK(tl_chat_form_render(ctx, &f, talk, false, false, &whole));
    assert_int_equal(tl_talk_spans(ctx, &f, talk, &whole, &span, &count), TL_EDATA);
    assert_non_null(strstr(ctx->message, "does not say which words are the assistant's"));
    tl_rendered_free(ctx, &whole);
    tl_template_free(ctx, f.tmpl);
    json_decref(f.tokens);
    json_decref(talk);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void learn_tokenizer(const char *folder)
{
    static const char *const special[] = { "<s>", "</s>", "<|im_start|>", "<|im_end|>" };
    const tl_string   texts[] = { { "How are you? Fine. So so user assistant", 39 } };
    const tl_training how     = { TL_TRAIN_BPE, 300, special, TL_COUNT(special), 1 };
    char             *path;

    TEST_OK(tl_path_join(test_ctx(), folder, "tokenizer.json", &path));
    TEST_OK(tl_tokenizer_train(test_ctx(), &how, texts, 1, path));
    tl_free(test_ctx(), path);
}

/* The tokens marked decode to what the assistant said, and to nothing else; what is cut off is
 * counted. */
static void only_the_answers_tokens_are_marked(void **state)
{
    tl_ctx         *ctx    = test_fresh();
    char           *folder = test_folder();
    json_t         *talk   = talk_of_two(), *file;
    tl_tokenizer   *k;
    tl_encoder     *e;
    tl_talk_tokens  t;
    tl_text         out = tl_text_make(ctx);
    int32_t         id[200];
    int64_t         n = 0;

    (void)state;
    learn_tokenizer(folder);
    TEST_OK(tl_tokenizer_open(ctx, folder, &k));
    TEST_OK(tl_encoder_open(ctx, k, &e));
    TEST_OK(tl_json_read(ctx, TEST_FOLDER "/golden/chat_templates.json", 1 << 22, &file));
    tl_chat_form *f = form_of(file, "chatml");
    TEST_OK(tl_talk_encode(ctx, f, e, talk, 1000, &t));
    for (int64_t i = 0; i < t.count; i++)
        if (t.answer[i]) id[n++] = t.id[i];
    assert_int_equal(n, t.answers);
    TEST_OK(tl_decode(ctx, k, id, n, false, &out));
    assert_string_equal(out.text, "Fine.<|im_end|>\nSo so<|im_end|>\n");
    const int64_t all = t.count, answers = t.answers;
    tl_talk_tokens_free(ctx, &t);
    TEST_OK(tl_talk_encode(ctx, f, e, talk, 10, &t));
    assert_int_equal(t.count, 10);
    assert_int_equal(t.cut, all - 10);
    assert_true(t.answers < answers);
    tl_talk_tokens_free(ctx, &t);
    tl_text_free(&out);
    tl_chat_form_close(ctx, f);
    tl_encoder_close(ctx, e);
    tl_tokenizer_close(ctx, k);
    json_decref(file);
    json_decref(talk);
    test_folder_end(folder);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* ---- as rows of a language model ---- */
/* Only the assistant's tokens are asked, each by the one before it; equal conversations are on one
 * side; those that have no answer within the limit are counted and left out. */
static void rows_ask_for_answers_alone(void **state)
{
    tl_ctx          *ctx    = test_fresh();
    char            *folder = test_folder(), *path;
    tl_text          lines  = tl_text_make(ctx);
    tl_chat_form     f      = { .tokens = json_object() };
    const tl_asking  next   = { 0 };
    const char       form[] = "{% for m in messages %}{{ m.content + '<|im_end|>' }}{% endfor %}";
    tl_dataset      *d;
    tl_texter       *texter;
    tl_cache        *cache;
    tl_rows          part[3];
    tl_talks_count   n;
    tl_pack          pack = { 0 };

    (void)state;
    for (int i = 0; i < 60; i++)
        tl_text_printf(&lines, "{\"prompt\": \"%s%d\", \"completion\": \"answer %d\"}\n",
                       i == 59 ? "a question that is much too long to leave any room " : "q",
                       i / 2, i / 2); /* pairs of equal ones */
    write_file(folder, "x.jsonl", lines.text, &path);
    learn_tokenizer(folder);
    TEST_OK(tl_texter_open(ctx, folder, 100, &texter));
    TEST_OK(tl_talks_open(ctx, &(tl_talks_source){ .train = path, .seed = 1 }, &d));
    assert_true(tl_talks_is(d));
    TEST_OK(tl_template_parse(ctx, "form", form, sizeof form - 1, &f.tmpl));
    const tl_prep prep = { .text = texter };
    TEST_OK(tl_talks_rows(ctx, d, &prep, &f, 24, &cache, part, &n));
    assert_int_equal(n.left, 1);
    assert_int_equal(n.rows, 59);
    assert_int_equal(part[0].count + part[1].count + part[2].count, 59);
    assert_in_range(part[1].count, 5, 8);
    for (int64_t i = 0; i < 58; i += 2) assert_int_equal(d->split[i], d->split[i + 1]);
    int64_t asked = 0;
    for (int p = 0; p < 3; p++)
        for (int64_t i = 0; i < part[p].count; i++) {
            const int64_t row = part[p].row[i];
            const int32_t *id;
            const float   *value;
            const int64_t  tokens = tl_cache_ids(cache, row, &id, &value);
            tl_text       got = tl_text_make(ctx), want = tl_text_make(ctx);
            int32_t       target[64];
            int64_t       k = 0;
            TEST_OK(tl_pack_reserve(ctx, 1, tokens, &pack));
            TEST_OK(tl_pack_reserve_asked(ctx, tl_asked_room(&next, 1, tokens), tokens, &pack));
            tl_pack_rows(cache, &row, 1, &pack);
            tl_pack_ask(cache, &row, 1, &next, 1.0f, &pack);
            assert_int_equal(pack.asked, tl_pack_asked(cache, row, &next, &pack));
            asked += pack.asked;
            for (int64_t at = 0; at < tokens; at++)
                if (pack.weight[at] > 0.0f) {
                    assert_int_equal(pack.target[at], id[at + 1]);
                    target[k++] = pack.target[at];
                }
            TEST_OK(tl_decode(ctx, texter->tokenizer, target, k, false, &got));
            tl_text_printf(&want, "answer %d<|im_end|>", (int)row / 2);
            if (strncmp(got.text, want.text, got.bytes)) fail_msg("%s is asked", got.text);
            tl_text_free(&got);
            tl_text_free(&want);
        }
    assert_int_equal(asked, n.answers);
    for (int p = 0; p < 3; p++) tl_free(ctx, part[p].row);
    tl_pack_free(ctx, &pack);
    tl_cache_free(ctx, cache);
    tl_dataset_close(ctx, d);
    tl_texter_drop(ctx, texter);
    tl_template_free(ctx, f.tmpl);
    json_decref(f.tokens);
    tl_text_free(&lines);
    tl_free(ctx, path);
    test_folder_end(folder);
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_become_messages),
        cmocka_unit_test(other_files_are_no_conversations),
        cmocka_unit_test(bad_rows_are_counted),
        cmocka_unit_test(answers_are_found_in_every_template),
        cmocka_unit_test(a_template_that_hides_answers_is_told),
        cmocka_unit_test(only_the_answers_tokens_are_marked),
        cmocka_unit_test(rows_ask_for_answers_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
