/* tags.c -- words with a tag each: files of them, windows of long texts, entities as seqeval
 * counts them (tests/golden/spans.json), the loss of the words alone, routes that learn them, and
 * runs that are interrupted and come to the same bits. */
#include "core/io.h"
#include "data/texts/pack.h"
#include "data/texts/tagged.h"
#include "support/counted.h"
#include "support/tagged.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static tl_dataset *opened(const char *name, const char *text, const tl_table_ask *ask,
                          tl_status expect)
{
    char             *folder = test_folder(), path[600];
    tl_dataset_source source = { .train = path };
    tl_dataset       *d;

    if (ask) source.ask = *ask;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    TEST_OK(tl_file_write(test_ctx(), path, text, strlen(text)));
    const tl_status rc = tl_dataset_open(test_ctx(), &source, &d);
    if (rc != expect) fail_msg("%s: %d, %s", name, (int)rc, test_ctx()->message);
    test_folder_end(folder);
    return d;
}

static void expect_words(const tl_dataset *d, const char *words, const char *tags)
{
    char      said[2][400] = { "", "" };
    tl_string w[2];

    assert_ptr_equal(d->task, &tl_task_token_classification);
    for (int64_t i = 0; i < d->rows; i++) {
        const bool   begins = i == d->tags->first[d->tags->text[i]];
        const size_t a = strlen(said[0]), b = strlen(said[1]);
        tl_dataset_text(d, i, w);
        snprintf(said[0] + a, sizeof said[0] - a, "%s%.*s", i && begins ? " | " : i ? " " : "",
                 (int)w[0].bytes, w[0].text);
        snprintf(said[1] + b, sizeof said[1] - b, "%s%s", i ? " " : "",
                 d->class_name[d->label[i]]);
    }
    assert_string_equal(said[0], words);
    assert_string_equal(said[1], tags);
}

static void files_of_words(void **state)
{
    const tl_table_ask second = { .label = "2" };
    tl_dataset        *d;

    (void)state;
    test_fresh();
    d = opened("a.txt", "-DOCSTART- -X- O\n\nEU NNP B-ORG\nleft VB O\n\n\nit PRP O\n# SYM O\n\n",
               NULL, TL_OK);
    expect_words(d, "EU left | it #", "B-ORG O O O");
    assert_string_equal(d->format, "tags");
    assert_int_equal(d->tags->texts, 2);
    assert_int_equal(d->group[2], 1);
    tl_dataset_close(test_ctx(), d);
    d = opened("b.conll", "# text = x\nEU NNP B-ORG\r\nleft VB O\r\n\r\nit PRP O\r\n", &second,
               TL_OK);
    expect_words(d, "EU left | it", "NNP VB PRP");
    tl_dataset_close(test_ctx(), d);
    d = opened("c.jsonl", "{\"id\":1,\"tokens\":[\"New\",\"York\"],\"ner_tags\":[\"B-LOC\","
               "\"I-LOC\"]}\n{\"tokens\":[\"no\"],\"ner_tags\":[\"O\"]}\n", NULL, TL_OK);
    expect_words(d, "New York | no", "B-LOC I-LOC O");
    tl_dataset_close(test_ctx(), d);
    d = opened("d.jsonl", "{\"tokens\":[\"a\",\"b\"],\"tags\":[0,2]}\n", NULL, TL_OK);
    expect_words(d, "a b", "0 2");
    tl_dataset_close(test_ctx(), d);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void odd_files_are_told(void **state)
{
    static const struct { const char *name, *text, *says; } odd[] = {
        { "a.conll", "EU B-ORG\nleft VB O\nit O\n", "another number of columns" },
        { "a.jsonl", "{\"tokens\":[\"a\",\"b\"],\"tags\":[\"O\"]}\n{\"tokens\":[\"a\"],"
                     "\"tags\":[\"O\"]}\n", "not as many" },
        { "b.jsonl", "{\"tokens\":[\"a\",\"\"],\"tags\":[\"O\",\"O\"]}\n", "no text" },
        { "b.conll", "EU\n", "columns" },
        { "c.conll", "\xff\xfe O\n", "UTF-8" },
        { "d.conll", "\n\n", "holds no words" },
    };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(odd); i++) {
        test_fresh();
        opened(odd[i].name, odd[i].text, NULL, TL_EDATA);
        if (!strstr(test_ctx()->message, odd[i].says))
            fail_msg("%s: %s", odd[i].name, test_ctx()->message);
        assert_int_equal(test_ctx()->world->now_bytes, 0);
    }
    test_fresh();
    opened("a.conll", "EU B-ORG\nit O\n", &(tl_table_ask){ .label = "3" }, TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "none of the file's 2 columns"));
}

/* Other files are not taken for words. */
static void tables_and_texts_stay(void **state)
{
    tl_dataset *d;

    (void)state;
    test_fresh();
    d = opened("a.tsv", "text\tlabel\nthis is a good one\tyes\nthat is a bad one\tno\nthis too is "
               "good\tyes\nthat too is bad\tno\n", NULL, TL_OK);
    assert_null(d->tags);
    tl_dataset_close(test_ctx(), d);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* Of each text its windows: no longer than asked, every word in one of them, at its own token. */
static void long_texts_go_by_windows(void **state)
{
    (void)state;
    for (int64_t most = 4; most < 12; most++) {
        test_course s;
        int64_t     windows = 0;
        test_tagged_open(&s, 40, most, "bert:1x64", "full", 1.0);
        assert_true(tl_cache_asks_words(s.cache));
        assert_true(tl_cache_most(s.cache) <= most);
        for (int64_t r = 0; r < s.dataset->rows; r++) {
            const int32_t *id;
            const float   *value;
            tl_string      word[2];
            size_t         bytes;
            bool           own;
            const int64_t  n  = tl_cache_ids(s.cache, r, &id, &value);
            const int32_t  at = tl_cache_token(s.cache, r, &own);
            tl_dataset_text(s.dataset, r, word);
            const char *token = tl_tokenizer_token(s.texter->tokenizer, id[at], &bytes);
            assert_in_range(at, 0, n - 1);
            if (own && strncmp(word[0].text, token, bytes) != 0)
                fail_msg("%.*s at %.*s", (int)word[0].bytes, word[0].text, (int)bytes, token);
            assert_true(own || n == most); /* only what does not fit has none */
            windows += r == 0 ||
                       tl_cache_window(s.cache, r) != tl_cache_window(s.cache, r - 1);
        }
        assert_int_equal(windows,
                         tl_cache_windows(s.cache, s.train) + tl_cache_windows(s.cache, s.valid));
        assert_true((windows > 40) == (most < 9)); /* the longest has seven words */
        test_course_close(&s);
    }
}

/* The same texts parted and whole: words are those of the file. */
static void texts_are_parted(void **state)
{
    const char *text = "\"U.N. (new) forces,\xc2\xa0said Ann-Marie...  !?";
    tl_extent  *word;
    int64_t     n;
    char        said[200] = "";

    (void)state;
    test_fresh();
    TEST_OK(tl_words_part(test_ctx(), (tl_string){ text, strlen(text) }, &word, &n));
    for (int64_t i = 0; i < n; i++)
        snprintf(said + strlen(said), sizeof said - strlen(said), "%s%.*s", i ? "|" : "",
                 (int)(word[i].to - word[i].from), text + word[i].from);
    assert_string_equal(said, "\"|U.N|.|(|new|)|forces|,|said|Ann-Marie|.|.|.|!|?");
    tl_free(test_ctx(), word);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void write_golden(const json_t *cases, char *text, size_t room)
{
    const json_t *c;
    size_t        i, k, at = 0;
    json_t       *tag;

    json_array_foreach((json_t *)(uintptr_t)cases, i, c) {
        json_array_foreach(json_object_get(c, "true"), k, tag)
            at += (size_t)snprintf(text + at, room - at, "w%zu %s\n", k, json_string_value(tag));
        at += (size_t)snprintf(text + at, room - at, "\n");
        assert_true(at + 400 < room);
    }
}

static void entities_equal_seqeval(void **state)
{
    static char   text[1 << 16];
    json_t       *file, *c;
    tl_dataset   *d;
    tl_spans      spans = { 0 };
    size_t        i;
    int64_t       row = 0;
    double        right = 0, said = 0, there = 0;

    (void)state;
    TEST_OK(tl_json_read(test_fresh(), TEST_FOLDER "/golden/spans.json", 1 << 20, &file));
    write_golden(json_object_get(file, "cases"), text, sizeof text);
    d = opened("golden.conll", text, NULL, TL_OK);
    json_array_foreach(json_object_get(file, "cases"), i, c) {
        int     n[3] = { 0 };
        size_t  k;
        json_t *tag;
        json_array_foreach(json_object_get(c, "said"), k, tag) {
            const tl_span_count one = tl_spans_next(&spans, d, row++, json_string_value(tag));
            n[0] += k ? one.right : 0; /* the first ends what came before */
            n[1] += one.said;
            n[2] += one.there;
        }
        n[0] += tl_spans_next(&spans, d, -1, NULL).right;
        for (int k3 = 0; k3 < 3; k3++)
            if (n[k3] != json_integer_value(json_array_get(json_object_get(c, "counts"),
                                                           (size_t)k3)))
                fail_msg("sentence %zu: count %d is %d", i, k3, n[k3]);
        right += n[0];
        said += n[1];
        there += n[2];
    }
    assert_int_equal(row, d->rows);
    assert_true(fabs(2.0 * right / (said + there) - tl_json_number(file, "f1", NAN)) < 1e-12);
    tl_dataset_close(test_ctx(), d);
    json_decref(file);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* R1, R15: the loss of a batch is the mean over its words, however it is parted and packed. */
static void parts_of_a_batch_change_nothing(void **state)
{
    double loss[3];

    (void)state;
    for (int64_t k = 0; k < 3; k++) {
        test_course   s;
        tl_run_result r;
        test_tagged_open(&s, 30, 0, "bert:1x64", "full", 1.0);
        s.spec.candidate.hyper.dropout = 0.0;
        for (int i = 0; i < 2; i++) {
            const char *key = i == 0 ? "hidden_dropout_prob" : "attention_probs_dropout_prob";
            json_object_set_new(s.base->arch.config, key, json_real(0.0));
            json_object_set_new(s.spec.candidate.arch.config, key, json_real(0.0));
        }
        s.spec.candidate.hyper.batch = 8;
        s.spec.micro_batch           = k == 0 ? 8 : k == 1 ? 2 : 1;
        TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
        loss[k] = r.curve[r.points - 1].valid_loss;
        tl_run_result_free(test_ctx(), &r);
        test_course_close(&s);
    }
    if (!(fabs(loss[1] - loss[0]) < 1e-5 * loss[0] && fabs(loss[2] - loss[0]) < 1e-5 * loss[0]))
        fail_msg("%.9g, %.9g, %.9g", loss[0], loss[1], loss[2]);
}

static void routes_learn_tags(void **state)
{
    static const struct { const char *route, *net; double lr, epochs; } all[] = {
        { "full", "bert:2x64", 3e-3, 8.0 },    { "lora", "bert:2x64", 1e-2, 10.0 },
        { "partial", "bert:2x64", 5e-3, 12.0 }, { "scratch", "distilbert:2x64", 3e-3, 10.0 },
        { "full", "gpt2:2x64", 3e-3, 10.0 },   { "full", "llama:2x64", 3e-3, 10.0 },
        { "probe", "bert:2x64", 1e-3, 1.0 },
    };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(all); i++) {
        test_course   s;
        tl_run_result r;
        tl_run_need   need;
        test_tagged_open(&s, 60, 0, all[i].net, all[i].route, all[i].epochs);
        s.spec.backend                     = &tl_backend_cpu;
        s.spec.candidate.hyper.optim.lr    = all[i].lr;
        tl_world *world                    = test_ctx()->world;
        TEST_OK(tl_run_forecast(test_ctx(), &s.spec, &need));
        atomic_store(&world->peak_bytes, atomic_load(&world->now_bytes));
        TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
        const double was  = (double)atomic_load(&world->peak_bytes);
        const double said = (double)(need.peak_bytes - need.process_bytes);
        if (!(r.valid_metric > 0.8))
            fail_msg("%s of %s: %g", all[i].route, all[i].net, r.valid_metric);
        if (said < 0.4 * was || said > 2.5 * was)
            fail_msg("%s: forecast %.0f, was %.0f", all[i].route, said, was);
        assert_string_equal(r.model->arch.family->class_of(&r.model->arch) +
                                strlen(r.model->arch.family->class_of(&r.model->arch)) -
                                strlen("TokenClassification"),
                            "TokenClassification");
        tl_run_result_free(test_ctx(), &r);
        test_course_close(&s);
    }
}

/* What is kept answers as it did (R9), knows its tags by name (R12), and is PyTorch's by class. */
static void saved_and_opened(void **state)
{
    test_course   s;
    tl_run_result r;
    tl_model     *m;
    tl_predictor *p;
    float        *y[2];
    char          path[600];

    (void)state;
    test_tagged_open(&s, 30, 0, "bert:1x64", "full", 2.0);
    TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
    snprintf(path, sizeof path, "%s/best", s.folder);
    TEST_OK(tl_model_save(test_ctx(), r.model, NULL, path));
    TEST_OK(tl_model_open(test_ctx(), path, NULL, &m));
    assert_ptr_equal(m->task, &tl_task_token_classification);
    for (int64_t c = 0; c < s.dataset->classes; c++)
        assert_string_equal(m->class_name[c], s.dataset->class_name[c]);
    const size_t n = (size_t)(s.valid.count * s.dataset->classes);
    for (int i = 0; i < 2; i++) {
        TEST_OK(tl_alloc_array(test_ctx(), n, sizeof **y, &y[i]));
        TEST_OK(tl_predictor_new(test_ctx(), i ? m : r.model, TL_PART_WHOLE, i ? 3 : 8,
                                 &tl_backend_ref, s.slab, TL_F32, &p));
        TEST_OK(tl_predictor_rows(test_ctx(), p, s.cache, s.valid, y[i]));
        tl_predictor_free(test_ctx(), p);
    }
    assert_true(test_error(y[1], y[0], (int64_t)n) < 1e-6); /* packed by 8 and by 3 */
    tl_free(test_ctx(), y[0]);
    tl_free(test_ctx(), y[1]);
    tl_model_free(test_ctx(), m);
    tl_run_result_free(test_ctx(), &r);
    test_course_close(&s);
}

/* R3: every route, interrupted at any step. */
static void interrupted_at_any_step(void **state)
{
    static const char *const routes[] = { "full", "lora", "partial", "scratch", "prefix" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(routes); i++) {
        test_course   s;
        tl_run_result straight, parts;
        char          path[600];
        int           stops = 0;
        tl_status     rc;
        test_tagged_open(&s, 24, 0, "bert:2x64", routes[i], 3.0);
        s.spec.backend = test_counted(&tl_backend_cpu, "cross_entropy_grad");
        TEST_OK(tl_run_train(test_ctx(), &s.spec, &straight));
        snprintf(path, sizeof path, "%s/checkpoint", s.folder);
        s.spec.checkpoint         = path;
        s.spec.checkpoint_every_s = 60.0;
        do {
            atomic_store(&test_ctx()->world->cancel, 0);
            test_stop_at = test_runs + 4;
            rc      = tl_run_train(test_ctx(), &s.spec, &parts);
            stops += rc == TL_ECANCEL;
        } while (rc == TL_ECANCEL && stops < 60);
        TEST_OK(rc);
        assert_true(stops > 1);
        assert_memory_equal(straight.model->params->value, parts.model->params->value,
                            (size_t)parts.model->params->floats * sizeof(float));
        assert_true(straight.valid_metric == parts.valid_metric);
        tl_run_result_free(test_ctx(), &straight);
        tl_run_result_free(test_ctx(), &parts);
        test_course_close(&s);
    }
}

static void what_does_not_fit_is_told(void **state)
{
    static const char *const routes[] = { "self", "continue", "distill" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(routes); i++) {
        test_course   s;
        tl_run_result r;
        test_tagged_open(&s, 20, 0, "bert:1x64", routes[i], 1.0);
        assert_int_equal(tl_run_train(test_ctx(), &s.spec, &r), TL_EUSAGE);
        assert_non_null(strstr(test_ctx()->message, "a tag a word"));
        test_course_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_words),
        cmocka_unit_test(odd_files_are_told),
        cmocka_unit_test(tables_and_texts_stay),
        cmocka_unit_test(long_texts_go_by_windows),
        cmocka_unit_test(texts_are_parted),
        cmocka_unit_test(entities_equal_seqeval),
        cmocka_unit_test(parts_of_a_batch_change_nothing),
        cmocka_unit_test(routes_learn_tags),
        cmocka_unit_test(saved_and_opened),
        cmocka_unit_test(interrupted_at_any_step),
        cmocka_unit_test(what_does_not_fit_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
