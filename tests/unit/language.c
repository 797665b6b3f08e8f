/* language.c -- text to learn a language from: its parts, its blocks, what is asked of them, and
 * that the packed loss in row blocks is the plain one of each text alone. */
#include "support/lesson.h"

#include "bundle/packed.h"
#include "bundle/score.h"
#include "core/io.h"
#include "data/cache.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

extern const tl_backend tl_backend_cpu, tl_backend_ref;

static char *folder;

static int begin(void **state)
{
    (void)state;
    test_fresh();
    folder = test_folder();
    return 0;
}

static int end(void **state)
{
    (void)state;
    test_folder_end(folder);
    return 0;
}

static const char *write_text(const char *name, const char *text)
{
    static char path[600];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    TEST_OK(tl_file_write(test_ctx(), path, text, strlen(text)));
    return path;
}

/* JSON lines, a document each; every third is the same as the one before it. */
static const char *write_documents(int count)
{
    static char text[1 << 16];
    size_t      at = 0;

    for (int i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "{\"text\": \"the story of number %d, told by day and by night\"}\n",
                               i % 3 == 2 ? i - 1 : i);
    return write_text("stories.jsonl", text);
}

static const char *write_lines(const char *name, int count)
{
    static char text[1 << 16];
    size_t      at = 0;

    for (int i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "line %d of a tale about %s\n", i,
                               i % 2 ? "foxes" : "geese");
    return write_text(name, text);
}

static tl_dataset *open_corpus(tl_corpus_source source)
{
    tl_dataset *d = NULL;

    TEST_OK(tl_corpus_open(test_ctx(), &source, &d));
    return d;
}

/* A short text is cut by place: the parts together are the text, in its order. */
static void one_text_is_cut_at_its_end(void **state)
{
    tl_dataset *d = open_corpus((tl_corpus_source){ .train = write_lines("one.txt", 200) });
    uint8_t    *whole;
    size_t      bytes, at = 0;
    int         last = 0;

    (void)state;
    assert_string_equal(d->task->name, "language-modelling");
    TEST_OK(tl_file_read(test_ctx(), d->path, 1 << 20, &whole, &bytes));
    for (int64_t i = 0; i < d->rows; i++) {
        const tl_string t = tl_corpus_text(d, i);
        assert_true(at + t.bytes <= bytes && d->split[i] >= last);
        assert_memory_equal(t.text, whole + at, t.bytes);
        assert_int_equal(t.text[t.bytes - 1], '\n');
        at += t.bytes;
        last = d->split[i];
    }
    assert_true(at == bytes && last == TL_SPLIT_TEST);
    assert_true(fabs((double)tl_corpus_bytes(d, TL_SPLIT_TEST) / (double)bytes - 0.05) < 0.01);
    assert_true(fabs((double)tl_corpus_bytes(d, TL_SPLIT_VALID) / (double)bytes - 0.05) < 0.01);
    tl_free(test_ctx(), whole);
    tl_dataset_close(test_ctx(), d);
}

static void equal_documents_stay_on_one_side(void **state)
{
    tl_dataset *d = open_corpus((tl_corpus_source){ .train = write_documents(90), .seed = 3 });

    (void)state;
    assert_int_equal(tl_corpus_documents(d), 90);
    assert_int_equal(d->rows, 90);
    for (int k = 0; k < 3; k++) assert_true(tl_corpus_bytes(d, (tl_split)k) > 0);
    for (int64_t i = 2; i < d->rows; i += 3) assert_int_equal(d->split[i], d->split[i - 1]);
    tl_dataset_close(test_ctx(), d);
}

static void named_parts_are_kept(void **state)
{
    char        train[600];
    tl_dataset *d;

    (void)state;
    snprintf(train, sizeof train, "%s", write_lines("train.txt", 50));
    write_lines("valid.txt", 20);
    d = open_corpus((tl_corpus_source){ .train = train }); /* beside it */
    assert_int_equal(tl_corpus_bytes(d, TL_SPLIT_TRAIN), tl_file_bytes(train));
    assert_int_equal(tl_corpus_bytes(d, TL_SPLIT_TEST), 0);
    assert_true(tl_corpus_bytes(d, TL_SPLIT_VALID) > 0);
    tl_dataset_close(test_ctx(), d);
    assert_int_equal(tl_corpus_open(test_ctx(), &(tl_corpus_source){ .train = folder }, &d), TL_OK);
    tl_dataset_close(test_ctx(), d);
    assert_int_equal(tl_corpus_open(test_ctx(),
                                    &(tl_corpus_source){ .train = write_text("e.txt", " \n") },
                                    &d), TL_EDATA);
    assert_null(d);
}

/* Weights large enough that what is looked at matters. */
static void stir(tl_params *p)
{
    for (int64_t i = 0; i < p->floats; i++) p->value[i] *= 4.0f;
}

/* Log-probabilities of every word after one text alone, by the plain head. */
static void plain_losses(const test_lesson *l, const int32_t *id, int64_t n, double *loss)
{
    tl_ctx   *ctx = test_ctx();
    tl_net    net = { .ctx = ctx, .params = l->model->params, .sequences = 1 };
    tl_slab  *slab;
    tl_graph *g;
    tl_plan  *plan;
    tl_built  built;
    int32_t   place[64], offset[2] = { 0, (int32_t)n };

    TEST_OK(tl_slab_new(ctx, &tl_backend_ref, &slab));
    TEST_OK(tl_graph_new(ctx, &g));
    net.g = g;
    TEST_OK(tl_arch_build(&net, &l->arch, n, TL_PART_WHOLE, &built));
    TEST_OK(tl_plan_new(ctx, g, &tl_backend_ref, slab, &plan));
    for (int32_t i = 0; i < n; i++) place[i] = i;
    TEST_OK(tl_plan_bind(ctx, plan, built.x, (void *)(uintptr_t)id));
    TEST_OK(tl_plan_bind(ctx, plan, built.text.positions, place));
    TEST_OK(tl_plan_bind(ctx, plan, built.text.offsets, offset));
    for (int32_t i = 0; i < l->model->params->count; i++) {
        const tl_param *p = &l->model->params->param[i];
        TEST_OK(tl_plan_bind(ctx, plan, tl_graph_find(g, p->name),
                             tl_params_value(l->model->params, p)));
    }
    TEST_OK(tl_plan_run(ctx, plan, (tl_tick){ 0 }));
    const float  *y     = tl_plan_data(plan, built.logits);
    const int64_t words = l->texter->size;
    for (int64_t i = 0; i + 1 < n; i++, y += words) {
        double sum = 0.0;
        for (int64_t w = 0; w < words; w++) sum += exp((double)y[w]);
        loss[i] = log(sum) - (double)y[id[i + 1]];
    }
    tl_plan_free(ctx, plan);
    tl_graph_free(ctx, g);
    tl_slab_free(ctx, slab);
}

/* Each text's loss, packed in blocks with others and scored in row blocks, is that of the text
 * alone by scores held whole. */
static void packed_loss_is_that_of_each_text_alone(void **state)
{
    static const char *const archs[] = { "gpt2:2x64", "llama:2x64" };

    (void)state;
    for (size_t a = 0; a < TL_COUNT(archs); a++) {
        test_lesson     l;
        tl_scorer      *s;
        double          sum, plain = 0.0, loss[64];
        int64_t         tokens, asked = 0;
        const tl_asking next = { 0 };

        test_fresh();
        test_lesson_open(&l, write_documents(40), archs[a], "bpe", 64, NULL);
        assert_true(tl_cache_texts(l.cache) > 1);
        stir(l.model->params);
        TEST_OK(tl_scorer_new(test_ctx(), l.model, l.cache, &next, &tl_backend_cpu, NULL, TL_F32,
                              &s));
        TEST_OK(tl_scorer_rows(test_ctx(), s, l.part[TL_SPLIT_TEST], &sum, &tokens, NULL, NULL));
        for (int64_t r = 0; r < l.part[TL_SPLIT_TEST].count; r++) {
            const int64_t  row = l.part[TL_SPLIT_TEST].row[r], low = l.cache->text.start[row];
            const uint8_t *mark = l.cache->text.mark;
            for (int64_t at = low, end; at < l.cache->text.start[row + 1]; at = end) {
                end = at + 1;
                while (end < l.cache->text.start[row + 1] && !(mark[end] & TL_TEXT_BEGINS)) end++;
                /* the token behind a block's last is asked of it, too */
                const bool more = end < l.cache->text.tokens && !(mark[end] & TL_TEXT_BEGINS);
                plain_losses(&l, l.cache->text.id + at, end - at + more, loss);
                for (int64_t i = 0; i + 1 < end - at + more; i++) plain += loss[i], asked++;
            }
        }
        assert_int_equal(tokens, asked);
        assert_true(fabs(sum - plain) < 1e-4 * plain);
        tl_scorer_free(test_ctx(), s);
        test_lesson_close(&l);
        assert_int_equal(test_ctx()->world->now_bytes, 0);
    }
}

/* Tokens from files are those from memory, and a second call takes the files as they are. */
static void tokens_are_kept_in_files(void **state)
{
    test_lesson a, b;
    const char *path = write_lines("kept.txt", 300);
    char        ids[600];
    static char was[600];

    (void)state;
    snprintf(was, sizeof was, "%s", path);
    test_lesson_open(&a, was, "gpt2:2x64", "chars", 32, NULL);
    for (int turn = 0; turn < 2; turn++) {
        test_lesson_open(&b, was, "gpt2:2x64", "chars", 32, folder);
        assert_int_equal(a.cache->text.tokens, b.cache->text.tokens);
        assert_memory_equal(a.cache->text.id, b.cache->text.id,
                            (size_t)a.cache->text.tokens * sizeof(int32_t));
        assert_memory_equal(a.cache->text.mark, b.cache->text.mark,
                            (size_t)a.cache->text.tokens);
        test_lesson_close(&b);
        snprintf(ids, sizeof ids, "%s/tokens.ids", folder);
        assert_true(tl_exists(ids));
    }
    TEST_OK(tl_file_cut(test_ctx(), ids, 100)); /* cut short: made again */
    test_lesson_open(&b, was, "gpt2:2x64", "chars", 32, folder);
    assert_memory_equal(a.cache->text.id, b.cache->text.id,
                        (size_t)a.cache->text.tokens * sizeof(int32_t));
    test_lesson_close(&b);
    test_lesson_close(&a);
}

/* Characters: one token each, and their text comes back. */
static void characters_are_tokens(void **state)
{
    test_lesson l;
    tl_text back = tl_text_make(test_ctx());

    (void)state;
    test_lesson_open(&l, write_text("c.txt", "ab\xc3\xa4 c\nba\n\xe2\x82\xac x\ncab\nabc\nbca\n"),
                "gpt2:2x64", "chars", 8, NULL);
    assert_int_equal(l.cache->text.tokens, 25 + 3); /* an end for each part */
    TEST_OK(tl_decode(test_ctx(), l.texter->tokenizer, l.cache->text.id, 8, true, &back));
    assert_memory_equal(back.text, "ab\xc3\xa4 c\nba", 10);
    tl_text_free(&back);
    test_lesson_close(&l);
}

static void hidden_words_are_berts(void **state)
{
    test_lesson l;
    tl_pack   pack = { 0 };
    tl_asking how;
    int64_t   asked = 0, masked = 0, kept = 0, other = 0, tokens = 0;
    tl_ctx   *ctx = test_ctx();

    (void)state;
    test_lesson_open(&l, write_lines("m.txt", 1500), "bert:2x64", NULL, 32, NULL);
    how = (tl_asking){ .hidden = true, .share = 0.15, .size = (int32_t)l.texter->size,
                       .mask = tl_tokenizer_special(l.texter->tokenizer, "mask"), .seed = 5 };
    TEST_OK(tl_pack_reserve(ctx, 1, 32, &pack));
    TEST_OK(tl_pack_reserve_asked(ctx, tl_asked_room(&how, 1, 32), 32, &pack));
    for (int64_t r = 0; r < l.part[0].count; r++) {
        const int64_t  row = l.part[0].row[r], low = l.cache->text.start[row];
        const int32_t *id  = l.cache->text.id + low;
        tl_pack_rows(l.cache, &row, 1, &pack);
        tl_pack_ask(l.cache, &row, 1, &how, 0.5f, &pack);
        assert_int_equal(tl_pack_asked(l.cache, row, &how, &pack), pack.asked);
        for (int64_t i = 0; i < pack.asked; i++) {
            const int32_t at = pack.picked[i];
            assert_int_equal(pack.target[i], id[at]);
            assert_true(pack.weight[i] == 0.5f);
            assert_false(l.cache->text.mark[low + at] & TL_NOT_ASKED);
            masked += pack.id[at] == how.mask;
            kept += pack.id[at] == id[at];
            other += pack.id[at] != how.mask && pack.id[at] != id[at];
        }
        asked += pack.asked;
        tokens += tl_cache_tokens(l.cache, row);
    }
    assert_true(fabs((double)asked / (double)tokens - 0.15) < 0.01);
    assert_true(fabs((double)masked / (double)asked - 0.8) < 0.03);
    assert_true(fabs((double)other / (double)asked - 0.1) < 0.03);
    assert_true(fabs((double)kept / (double)asked - 0.1) < 0.03);
    tl_pack_free(ctx, &pack);
    test_lesson_close(&l);
}

/* Hidden whole: of each word all tokens or none. */
static void words_are_hidden_whole(void **state)
{
    test_lesson l;
    tl_pack   pack = { 0 };
    tl_asking how;
    tl_ctx   *ctx   = test_ctx();
    int64_t   longer = 0;

    (void)state;
    test_lesson_open(&l, write_lines("w.txt", 400), "bert:2x64", NULL, 64, NULL);
    how = (tl_asking){ .hidden = true, .whole = true, .share = 0.3, .mask = 4,
                       .size = (int32_t)l.texter->size, .seed = 5 };
    TEST_OK(tl_pack_reserve(ctx, 1, 64, &pack));
    TEST_OK(tl_pack_reserve_asked(ctx, tl_asked_room(&how, 1, 64), 64, &pack));
    for (int64_t r = 0; r < l.part[0].count; r++) {
        const int64_t  row = l.part[0].row[r], low = l.cache->text.start[row];
        const int64_t  n   = tl_cache_tokens(l.cache, row);
        const uint8_t *mark = l.cache->text.mark + low;
        uint8_t        hidden[64] = { 0 };
        tl_pack_rows(l.cache, &row, 1, &pack);
        tl_pack_ask(l.cache, &row, 1, &how, 1.0f, &pack);
        for (int64_t i = 0; i < pack.asked; i++) hidden[pack.picked[i]] = 1;
        for (int64_t k = 1; k < n; k++) {
            if (mark[k] & TL_WORD_BEGINS) continue;
            assert_int_equal(hidden[k], hidden[k - 1]);
            longer += hidden[k];
        }
    }
    assert_true(longer > 10);
    tl_pack_free(ctx, &pack);
    test_lesson_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_text_is_cut_at_its_end, begin, end),
        cmocka_unit_test_setup_teardown(equal_documents_stay_on_one_side, begin, end),
        cmocka_unit_test_setup_teardown(named_parts_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(packed_loss_is_that_of_each_text_alone, begin, end),
        cmocka_unit_test_setup_teardown(tokens_are_kept_in_files, begin, end),
        cmocka_unit_test_setup_teardown(characters_are_tokens, begin, end),
        cmocka_unit_test_setup_teardown(hidden_words_are_berts, begin, end),
        cmocka_unit_test_setup_teardown(words_are_hidden_whole, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
