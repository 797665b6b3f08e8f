/* writing.c -- language models that write: scores after each processor against Transformers'
 * (sampling.json, made by tools/golden/sampling.py); a decoder that keeps keys and values against
 * the whole network on every token, for each family of transformers.json; llama2.c's stories260K
 * against the text its own program writes. */
#include "backend/cpu/cpu.h"
#include "bundle/tell.h"
#include "core/io.h"
#include "support/formula.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_WORDS = 512, LENGTH = 16 };

static void processors_equal_transformers(void **state)
{
    tl_ctx *ctx = test_fresh();
    json_t *file, *c;
    size_t  i;

    (void)state;
    TEST_OK(tl_json_read(ctx, TEST_FOLDER "/golden/sampling.json", 1 << 20, &file));
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        const json_t     *s = json_object_get(c, "settings"), *past = json_object_get(c, "past");
        const json_t     *from = json_object_get(c, "scores"), *made = json_object_get(c, "made");
        const int64_t     words = (int64_t)json_array_size(from);
        const tl_sampling how = { .temperature = tl_json_number(s, "temperature", 1.0),
                                  .top_k       = tl_json_int(s, "top_k", 0),
                                  .top_p       = tl_json_number(s, "top_p", 0.0),
                                  .min_p       = tl_json_number(s, "min_p", 0.0),
                                  .repetition  = tl_json_number(s, "repetition", 0.0) };
        float             score[MOST_WORDS];
        int32_t           ids[64];
        tl_ranked         work[MOST_WORDS];
        for (int64_t w = 0; w < words; w++)
            score[w] = (float)json_number_value(json_array_get(from, (size_t)w));
        for (size_t k = 0; k < json_array_size(past); k++)
            ids[k] = (int32_t)json_integer_value(json_array_get(past, k));
        tl_sample_scores(&how, ids, (int64_t)json_array_size(past), score, words, work);
        for (int64_t w = 0; w < words; w++) {
            const json_t *want = json_array_get(made, (size_t)w);
            const double  x    = json_number_value(want);
            if (json_is_null(want) ? isfinite(score[w])
                                   : !(fabs((double)score[w] - x) <= 1e-6 * fmax(1.0, fabs(x))))
                fail_msg("case %zu: word %d scores %g, not %g", i, (int)w, (double)score[w],
                         json_is_null(want) ? -INFINITY : x);
        }
    }
    assert_true(i >= 15);
    json_decref(file);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* Shares of many draws are the softmax's, the same draw gives the same token, what was left out is
 * never drawn. */
static void draws_follow_the_scores(void **state)
{
    const float score[4] = { 1.0f, 0.0f, -INFINITY, 2.0f };
    const double want[4] = { 0.24472847, 0.09003057, 0.0, 0.66524096 };
    const tl_sampling how = { .temperature = 1.0, .seed = 3 };
    int         count[4] = { 0 };

    (void)state;
    for (int i = 0; i < 20000; i++) {
        float     s[4], again[4];
        tl_ranked work[4];
        memcpy(s, score, sizeof s);
        memcpy(again, score, sizeof s);
        const int32_t id = tl_sample_next(&how, NULL, 0, i, s, 4, work);
        assert_int_equal(id, tl_sample_next(&how, NULL, 0, i, again, 4, work));
        count[id]++;
    }
    for (int k = 0; k < 4; k++)
        if (!(fabs(count[k] / 20000.0 - want[k]) < 0.015))
            fail_msg("token %d has a share of %g", k, count[k] / 20000.0);
    assert_int_equal(tl_sample_draw(score, 4, 0.0), 0);
    assert_int_equal(tl_sample_draw(score, 4, 0.9999999), 3);
    assert_int_equal(tl_sample_best((const float[]){ 1.0f, 2.0f, 2.0f }, 3), 1);
}

static void bad_settings_are_told(void **state)
{
    static const struct { tl_sampling s; const char *says; } bad[] = {
        { { .temperature = -1.0 }, "--temperature" }, { { .temperature = NAN }, "--temperature" },
        { { .top_k = -1 }, "--top-k" },               { { .top_p = 1.5 }, "--top-p" },
        { { .min_p = -0.1 }, "--min-p" },             { { .repetition = -2.0 }, "--repetition" },
    };
    tl_ctx *ctx = test_fresh();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(bad); i++) {
        assert_int_equal(tl_sampling_check(ctx, &bad[i].s), TL_EUSAGE);
        assert_non_null(strstr(ctx->message, bad[i].says));
    }
}

/* A model of a case's config with weights by formula; without a tokenizer.  The places that a
 * prefix takes are added to it. */
static tl_model *made_model(const json_t *c, int64_t prefix)
{
    tl_ctx   *ctx = test_ctx();
    tl_model *m;

    TEST_OK(tl_alloc(ctx, sizeof *m, &m));
    TEST_OK(tl_arch_from_config(ctx, "config.json", json_object_get(c, "config"), &m->arch));
    if (prefix) m->arch.adapt = (tl_adapt){ .kind = TL_ADAPT_PREFIX, .r = prefix };
    m->arch.row.dim[0] += prefix;
    TEST_OK(tl_arch_params(ctx, &m->arch, &m->params));
    for (int32_t i = 0; i < m->params->count; i++) {
        const tl_param *p = &m->params->param[i];
        for (int64_t k = 0; k < p->count; k++) {
            const float u = test_formula(p->name, k);
            tl_params_value(m->params, p)[k] =
                p->shape.ndim == 1 && tl_ends_with(p->name, "weight") ? 1.0f + 0.5f * u : 0.25f * u;
        }
    }
    return m;
}

/* Logits [count words] of all tokens in one run of the whole network. */
static void all_logits(const tl_model *m, const tl_backend *backend, int32_t *id, float *out)
{
    tl_ctx  *ctx = test_ctx();
    tl_net   net = { .ctx = ctx, .params = m->params, .sequences = 1 };
    int32_t  position[LENGTH], offsets[2] = { 0, LENGTH };
    tl_graph *g;
    tl_slab  *slab;
    tl_plan  *plan;
    tl_built  built;

    for (int i = 0; i < LENGTH; i++) position[i] = i;
    TEST_OK(tl_graph_new(ctx, &g));
    net.g = g;
    TEST_OK(tl_arch_build(&net, &m->arch, LENGTH, TL_PART_WHOLE, &built));
    TEST_OK(tl_slab_new(ctx, backend, &slab));
    TEST_OK(tl_plan_new(ctx, g, backend, slab, &plan));
    for (int32_t i = 0; i < m->params->count; i++)
        TEST_OK(tl_plan_bind(ctx, plan, tl_graph_find(g, m->params->param[i].name),
                             tl_params_value(m->params, &m->params->param[i])));
    TEST_OK(tl_plan_bind(ctx, plan, built.x, id));
    TEST_OK(tl_plan_bind(ctx, plan, built.text.positions, position));
    TEST_OK(tl_plan_bind(ctx, plan, built.text.offsets, offsets));
    TEST_OK(tl_plan_run(ctx, plan, (tl_tick){ 0 }));
    memcpy(out, tl_plan_data(plan, built.logits),
           (size_t)(LENGTH * m->arch.outputs) * sizeof *out);
    tl_plan_free(ctx, plan);
    tl_slab_free(ctx, slab);
    tl_graph_free(ctx, g);
}

static void expect(const char *what, const float *got, const float *want, int64_t words, int at)
{
    const double error = test_error(got, want + at * words, words);

    if (!(error < 1e-5)) fail_msg("%s: logits of token %d differ by %g", what, at, error);
}

/* In pieces of several sizes, token by token, and again from a place before. */
static void check_writer(const json_t *c, const tl_backend *backend, int64_t prefix)
{
    static const int pieces[] = { 5, 1, 1, 4, 1, 3, 1 };
    const char      *kind     = tl_json_text(c, "kind", "");
    tl_ctx          *ctx      = test_ctx();
    tl_model        *m        = made_model(c, prefix);
    const int64_t    words    = m->arch.outputs;
    const float     *logits;
    tl_writer       *w;
    int32_t          id[LENGTH];
    float           *want;
    int              at = 0;

    for (int i = 0; i < LENGTH; i++) id[i] = (i * 7 + 3) % (int32_t)words;
    TEST_OK(tl_alloc_array(ctx, LENGTH, (size_t)words * sizeof *want, &want));
    all_logits(m, backend, id, want);
    TEST_OK(tl_writer_new(ctx, m, LENGTH, backend, TL_F32, &w));
    for (size_t i = 0; i < TL_COUNT(pieces); i++) {
        TEST_OK(tl_writer_read(ctx, w, id + at, pieces[i], &logits));
        at += pieces[i];
        expect(kind, logits, want, words, at - 1);
    }
    assert_int_equal(at, LENGTH);
    assert_int_equal(tl_writer_read(ctx, w, id, 1, &logits), TL_ELIMIT);
    TEST_OK(tl_writer_turn(ctx, w, id, 13, &logits)); /* all but the last were there */
    expect(kind, logits, want, words, 12);
    id[4] = (id[4] + 1) % (int32_t)words; /* another text from here on */
    all_logits(m, backend, id, want);
    TEST_OK(tl_writer_turn(ctx, w, id, LENGTH, &logits));
    expect(kind, logits, want, words, LENGTH - 1);
    tl_writer_free(ctx, w);
    tl_free(ctx, want);
    tl_model_free(ctx, m);
}

static void kept_keys_give_the_whole_networks_logits(void **state)
{
    tl_ctx *ctx = test_fresh();
    json_t *file, *c;
    size_t  i, causal = 0;

    (void)state;
    TEST_OK(tl_json_read(ctx, TEST_FOLDER "/golden/transformers.json", 1 << 20, &file));
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        const char *kind = tl_json_text(c, "kind", "");
        if (!strstr(kind, "CausalLM") && !strstr(kind, "LMHead")) continue;
        check_writer(c, &tl_backend_ref, 0);
        check_writer(c, &tl_backend_cpu, 0);
        check_writer(c, &tl_backend_cpu, 3);
        causal++;
    }
    if (causal < 8) fail_msg("only %zu causal models were looked at", causal);
    json_decref(file);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* Pieces as they come. */
typedef struct { tl_text text; int pieces; size_t most; } heard;

static int hear(void *user, const char *piece)
{
    heard *h = user;

    tl_text_add(&h->text, piece);
    h->pieces++;
    json_t *whole = json_string(piece); /* NULL where it is no UTF-8 */
    assert_non_null(whole);
    json_decref(whole);
    return h->most && h->text.bytes >= h->most;
}

static void copy_to(const char *folder, const char *name, const char *from)
{
    char    *path;
    uint8_t *data;
    size_t   bytes;

    TEST_OK(tl_file_read(test_ctx(), from, 1 << 20, &data, &bytes));
    TEST_OK(tl_path_join(test_ctx(), folder, name, &path));
    TEST_OK(tl_file_write(test_ctx(), path, data, bytes));
    tl_free(test_ctx(), path);
    tl_free(test_ctx(), data);
}

/* Nine tokens, one of them half a character, drawn nearly at random: what is given out is whole
 * characters, and all of the text. */
static void pieces_are_whole_characters(void **state)
{
    static const char *const stop[] = { "ab ab", NULL };
    tl_ctx    *ctx    = test_fresh();
    char      *folder = test_folder();
    tl_model  *m;
    tl_writer *w;
    int        halves = 0, stopped = 0;

    (void)state;
    copy_to(folder, "tiny.bin", TEST_FOLDER "/fuzz/corpus/llama2c_weights/shared.bin");
    copy_to(folder, "tok9.bin", TEST_FOLDER "/fuzz/corpus/llama2c/small.bin");
    TEST_OK(tl_model_open(ctx, folder, NULL, &m));
    TEST_OK(tl_writer_new(ctx, m, 0, &tl_backend_cpu, TL_F32, &w));
    for (uint64_t seed = 0; seed < 60; seed++) {
        const tl_telling how = { .sampling = { .temperature = 5.0, .seed = seed },
                                 .most = 20, .stop = seed % 2 ? stop : NULL };
        heard       h  = { .text = tl_text_make(ctx) };
        tl_listener to = { hear, &h };
        tl_told     told;
        tl_text_add(&h.text, "");
        TEST_OK(tl_tell(ctx, w, m, (tl_string){ "ab", 2 }, &how, &to, &told));
        assert_string_equal(h.text.text, told.text);
        halves += strstr(told.text, "\xef\xbf\xbd") != NULL;
        if (seed % 2) assert_null(strstr(told.text, "ab ab"));
        stopped += seed % 2 && strcmp(told.finish, "stop") == 0;
        tl_free(ctx, told.text);
        tl_text_free(&h.text);
    }
    assert_true(halves > 3 && stopped > 3);
    tl_writer_free(ctx, w);
    tl_model_free(ctx, m);
    test_folder_end(folder);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static tl_model *stories(tl_writer **w)
{
    const char *path = test_data("weights/tinyllamas/stories260K.bin");
    tl_model   *m    = NULL;

    if (!path) return NULL;
    TEST_OK(tl_model_open(test_ctx(), path, NULL, &m));
    TEST_OK(tl_writer_new(test_ctx(), m, 0, &tl_backend_cpu, TL_F32, w));
    return m;
}

static char *expected(const char *name)
{
    uint8_t *data;
    size_t   bytes;

    TEST_OK(tl_file_read(test_ctx(), test_data(name), 1 << 16, &data, &bytes));
    return (char *)data;
}

static void stories260k_writes_the_expected_tokens(void **state)
{
    tl_ctx     *ctx = test_fresh();
    heard       h   = { .text = tl_text_make(ctx) };
    tl_listener to  = { hear, &h };
    tl_writer  *w;
    tl_model   *m = stories(&w);
    tl_told     told;

    (void)state;
    if (!m) TEST_SKIP("the shared data is absent");
    assert_string_equal(m->arch.name, "llama-5x64");
    TEST_OK(tl_tell(ctx, w, m, (tl_string){ "", 0 }, &(tl_telling){ .most = 200 }, &to, &told));
    assert_int_equal(told.written, 200);
    assert_string_equal(told.finish, "length");
    char *text = expected("weights/tinyllamas/expected_greedy_200.txt");
    while (*text && text[strlen(text) - 1] == '\n') text[strlen(text) - 1] = 0;
    assert_string_equal(told.text, text);
    assert_string_equal(h.text.text, text);
    assert_true(h.pieces > 150);
    char *ids = expected("weights/tinyllamas/expected_greedy_200_ids.txt"), *at = ids;
    const int32_t *had = tl_writer_tokens(w);
    int64_t        n   = 0;
    for (long id; n < tl_writer_length(w); n++) {
        int used;
        if (sscanf(at, "%ld%n", &id, &used) != 1) break;
        assert_int_equal(had[n], id);
        at += used;
    }
    assert_true(n >= 200);
    tl_free(ctx, ids);
    tl_free(ctx, text);
    tl_free(ctx, told.text);
    tl_text_free(&h.text);
    tl_writer_free(ctx, w);
    tl_model_free(ctx, m);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void stop_strings_and_listeners_end_it(void **state)
{
    static const char *const stop[] = { "nowhere", "time, there", NULL };
    tl_ctx     *ctx = test_fresh();
    heard       h   = { .text = tl_text_make(ctx) };
    tl_listener to  = { hear, &h };
    tl_writer  *w;
    tl_model   *m = stories(&w);
    tl_told     told;

    (void)state;
    if (!m) TEST_SKIP("the shared data is absent");
    TEST_OK(tl_tell(ctx, w, m, (tl_string){ "", 0 },
                    &(tl_telling){ .most = 200, .stop = stop }, &to, &told));
    assert_string_equal(told.text, "Once upon a ");
    assert_string_equal(h.text.text, "Once upon a ");
    assert_string_equal(told.finish, "stop");
    tl_free(ctx, told.text);
    h.text.bytes = 0;
    h.most       = 20;
    TEST_OK(tl_tell(ctx, w, m, (tl_string){ "Once upon", 9 }, &(tl_telling){ .most = 200 }, &to,
                    &told));
    assert_true(told.written < 20 && h.text.bytes < 40);
    assert_int_equal(strncmp(told.text, " a time, there", 14), 0);
    tl_free(ctx, told.text);
    char long_text[4000];
    memset(long_text, 'a', sizeof long_text);
    assert_int_equal(tl_tell(ctx, w, m, (tl_string){ long_text, sizeof long_text },
                             &(tl_telling){ .most = 5 }, NULL, &told), TL_ELIMIT);
    tl_text_free(&h.text);
    tl_writer_free(ctx, w);
    tl_model_free(ctx, m);
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processors_equal_transformers),
        cmocka_unit_test(draws_follow_the_scores),
        cmocka_unit_test(bad_settings_are_told),
        cmocka_unit_test(kept_keys_give_the_whole_networks_logits),
        cmocka_unit_test(pieces_are_whole_characters),
        cmocka_unit_test(stories260k_writes_the_expected_tokens),
        cmocka_unit_test(stop_strings_and_listeners_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
