/* texts.c -- texts as data: which columns are taken for texts and which tables stay tables, JSON
 * lines, a file a class, pairs, bad rows by place; batches packed without padding; what is cut is
 * counted; vocabularies and weighted words learnt from training rows. */
#include "support/support.h"

#include "core/io.h"
#include "data/texts/pack.h"
#include "data/texts/reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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

/* Rows of a sentence each, by `row`, a format with a number and a word of the class. */
static const char *write_rows(const char *name, const char *head, const char *row, int rows)
{
    static const char *const words[] = { "good", "bad" };
    static char              text[1 << 16];
    size_t                   at = (size_t)snprintf(text, sizeof text, "%s", head);

    for (int i = 0; i < rows; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        at += (size_t)snprintf(text + at, sizeof text - at, row, i, words[i % 2]);
#pragma GCC diagnostic pop
    }
    return write_text(name, text);
}

static tl_status open_with(const char *path, tl_table_ask ask, tl_dataset **out)
{
    const tl_dataset_source source = { .train = path, .ask = ask };

    return tl_dataset_open(test_ctx(), &source, out);
}

static void columns_are_found_by_name_or_by_look(void **state)
{
    static const struct {
        const char *file, *head, *row, *text, *label;
    } cases[] = {
        { "a.csv", "text,category\n", "the row number %d is here,%s\n", "text", "category" },
        { "b.csv", "utterance,intent,start,tags\n", "the row number %d is here,%s,12,ABC\n",
          "utterance", "intent" },
        { "c.tsv", "", "the row number %d is here\t%s\n", "column 1", "column 2" },
        { "d.csv", "id,what,kind\n", "77,the row number %d is here,%s\n", "what", "kind" },
        { "f.jsonl", "", "{\"sentence\": \"the row number %d is here\", \"label\": \"%s\"}\n",
          "sentence", "label" },
    };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(cases); i++) {
        tl_dataset *d = NULL;
        TEST_OK(open_with(write_rows(cases[i].file, cases[i].head, cases[i].row, 40),
                          (tl_table_ask){ 0 }, &d));
        assert_string_equal(d->task->name, "text-classification");
        assert_string_equal(d->text->name[0], cases[i].text);
        assert_string_equal(d->text->label, cases[i].label);
        assert_null(d->text->name[1]);
        assert_int_equal(d->rows, 40);
        assert_int_equal(d->classes, 2);
        tl_string text[2];
        tl_dataset_text(d, 7, text);
        assert_true(text[0].bytes == strlen("the row number 7 is here"));
        assert_memory_equal(text[0].text, "the row number 7 is here", text[0].bytes);
        assert_string_equal(d->class_name[d->label[7]], "bad");
        tl_dataset_close(test_ctx(), d);
    }
}

/* A column of names does not make texts of a table. */
static void a_table_stays_a_table(void **state)
{
    tl_dataset *d = NULL;

    (void)state;
    TEST_OK(open_with(write_rows("t.csv", "Age,Fare,Name,Cabin,Survived\n",
                                 "22,%d.5,Mr. Owen Harris Braund the,C85,%s\n", 40),
                      (tl_table_ask){ 0 }, &d));
    assert_string_equal(d->task->name, "table-classification");
    tl_dataset_close(test_ctx(), d);
    TEST_OK(open_with(write_rows("t.csv", "Age,Fare,Name,Cabin,Survived\n",
                                 "22,7.5,Mr. Owen Harris Braund %d,C85,%s\n", 40),
                      (tl_table_ask){ .text = "Name" }, &d));
    assert_string_equal(d->task->name, "text-classification");
    assert_string_equal(d->text->label, "Survived");
    assert_string_equal(d->text->why, "as asked");
    tl_dataset_close(test_ctx(), d);
}

static void pairs_have_two_texts(void **state)
{
    tl_dataset *d = NULL;
    tl_string   text[2];

    (void)state;
    TEST_OK(open_with(write_rows("p.csv", "premise,hypothesis,label\n",
                                 "the row number %d is here,another one is there,%s\n", 30),
                      (tl_table_ask){ 0 }, &d));
    assert_string_equal(d->text->name[0], "premise");
    assert_string_equal(d->text->name[1], "hypothesis");
    tl_dataset_text(d, 3, text);
    assert_string_equal(text[1].text, "another one is there");
    tl_dataset_close(test_ctx(), d);
}

static void a_file_a_class(void **state)
{
    tl_dataset *d = NULL;
    char       *inner;

    (void)state;
    TEST_OK(tl_path_join(test_ctx(), folder, "classes", &inner));
    TEST_OK(tl_make_folders(test_ctx(), inner));
    write_text("classes/movie.pos", "one fine film\n\nanother fine film \n");
    write_text("classes/movie.neg", "a dull film\n");
    TEST_OK(open_with(inner, (tl_table_ask){ 0 }, &d));
    assert_int_equal(d->rows, 3);
    assert_string_equal(d->class_name[0], "neg");
    assert_string_equal(d->class_name[1], "pos");
    assert_null(d->text->label);
    tl_dataset_close(test_ctx(), d);
    tl_free(test_ctx(), inner);
}

static void wrong_rows_and_columns_are_told(void **state)
{
    static const char bad[] = "text,label\nsome words are here,a\n,b\nmore words are here,\n"
                              "the last words are here,a\nsome other words here,b\n";
    const tl_dataset_source skip = { .train = NULL, .skip_bad = true };
    tl_dataset_source       source = skip;
    tl_dataset             *d      = NULL;

    (void)state;
    assert_int_equal(open_with(write_text("bad.csv", bad), (tl_table_ask){ 0 }, &d), TL_EDATA);
    assert_non_null(strstr(test_ctx()->message, "1 no text, 1 no label"));
    assert_non_null(strstr(test_ctx()->message, "bad.csv:3"));
    source.train = write_text("bad.csv", bad);
    TEST_OK(tl_dataset_open(test_ctx(), &source, &d));
    assert_int_equal(d->rows, 3);
    assert_int_equal(d->bad_rows, 2);
    tl_dataset_close(test_ctx(), d);
    assert_int_equal(open_with(write_text("bad.csv", bad), (tl_table_ask){ .text = "words" }, &d),
                     TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "no column \"words\""));
    assert_int_equal(open_with(write_text("no.jsonl", "[1]\n2\n"), (tl_table_ask){ 0 }, &d),
                     TL_EDATA);
}

static tl_cache *learnt(const tl_dataset *d, bool weighs, int64_t most, tl_prep *prep)
{
    tl_texter *fresh = NULL;
    tl_rows    rows  = { 0 };
    tl_cache  *cache = NULL;

    TEST_OK(tl_alloc_array(test_ctx(), (size_t)d->rows, sizeof *rows.row, &rows.row));
    for (int64_t i = 0; i < d->rows / 2; i++) rows.row[rows.count++] = i;
    TEST_OK(tl_texter_new(test_ctx(), d->text, weighs, TL_TRAIN_WORD_PIECE, 300, most, &fresh));
    *prep = (tl_prep){ 0 };
    TEST_OK(tl_dataset_learn(test_ctx(), d, fresh, rows, &prep->text));
    TEST_OK(tl_cache_new(test_ctx(), d, prep, 0, &cache));
    tl_texter_drop(test_ctx(), fresh);
    tl_free(test_ctx(), rows.row);
    return cache;
}

/* Rows one after another with their own positions, nothing between, zeros behind. */
static void batches_are_packed(void **state)
{
    const int64_t row[] = { 5, 0, 9 };
    tl_dataset   *d     = NULL;
    tl_pack       pack  = { 0 };
    tl_prep       prep;
    int64_t       cut_rows, cut_tokens, at = 0;

    (void)state;
    TEST_OK(open_with(write_rows("a.csv", "text,label\n", "the row number %d is here,%s\n", 40),
                      (tl_table_ask){ 0 }, &d));
    tl_cache *cache = learnt(d, false, 64, &prep);
    TEST_OK(tl_pack_reserve(test_ctx(), 4, 48, &pack));
    tl_pack_rows(cache, row, 3, &pack);
    for (int s = 0; s < 3; s++) {
        const int32_t *id;
        const float   *value;
        const int64_t  n = tl_cache_ids(cache, row[s], &id, &value);
        assert_int_equal(pack.offset[s], at);
        assert_null(value);
        assert_int_equal(id[0], tl_tokenizer_special(prep.text->tokenizer, "cls"));
        assert_int_equal(id[n - 1], tl_tokenizer_special(prep.text->tokenizer, "sep"));
        for (int64_t k = 0; k < n; k++, at++) {
            assert_int_equal(pack.id[at], id[k]);
            assert_int_equal(pack.position[at], k);
        }
    }
    assert_int_equal(pack.tokens, at);
    assert_int_equal(pack.offset[3], at);
    assert_int_equal(pack.offset[4], at);
    for (; at < pack.room; at++) assert_int_equal(pack.id[at] | pack.position[at], 0);
    tl_cache_cut(cache, &cut_rows, &cut_tokens);
    assert_int_equal(cut_rows, 0);
    tl_pack_free(test_ctx(), &pack);
    tl_cache_free(test_ctx(), cache);
    tl_prep_drop(test_ctx(), &prep);

    cache = learnt(d, false, 4, &prep);
    tl_cache_cut(cache, &cut_rows, &cut_tokens);
    assert_int_equal(cut_rows, d->rows);
    assert_true(cut_tokens >= 3 * d->rows);
    for (int64_t i = 0; i < d->rows; i++) assert_int_equal(tl_cache_tokens(cache, i), 4);
    tl_cache_free(test_ctx(), cache);
    tl_prep_drop(test_ctx(), &prep);
    tl_dataset_close(test_ctx(), d);
}

static void rooms_are_few_and_near(void **state)
{
    int64_t rooms = 0, last = 0;

    (void)state;
    for (int64_t n = 1; n <= 8192; n++) {
        const int64_t room = tl_tokens_room(n);
        assert_true(room >= n);
        assert_true(n < 64 || 8 * (room - n) < n);
        assert_true(room >= last);
        rooms += room != last;
        last = room;
    }
    assert_true(rooms < 70);
}

/* By hand: of two texts "bb cc" and "bb dd dd", bb is in both (weight 1), dd in one. */
static void words_weigh_as_scikit_learns(void **state)
{
    const tl_string text[] = { { "BB, cc!", 7 }, { "bb dd DD x", 10 } };
    const double    rare = log(3.0 / 2.0) + 1.0, norm = sqrt(1.0 + 4.0 * rare * rare);
    tl_lexicon        w;
    tl_weighed      out  = { 0 };
    json_t         *json;

    (void)state;
    TEST_OK(tl_lexicon_learn(test_ctx(), text, NULL, 2, 100, &w));
    assert_int_equal(w.vocab.size, 3); /* x is one letter */
    TEST_OK(tl_lexicon_weigh(test_ctx(), &w, text[1], (tl_string){ 0 }, &out));
    assert_int_equal(out.count, 2);
    assert_true(fabs((double)out.value[0] - 1.0 / norm) < 1e-6);
    assert_true(fabs((double)out.value[1] - 2.0 * rare / norm) < 1e-6);
    json = tl_lexicon_to_json(&w);
    tl_lexicon_free(test_ctx(), &w);
    TEST_OK(tl_lexicon_from_json(test_ctx(), "words", json, &w));
    assert_int_equal(tl_vocab_find(&w.vocab, "dd", 2), out.id[1]);
    tl_lexicon_free(test_ctx(), &w);
    json_array_append_new(json_object_get(json, "words"), json_string("bb"));
    assert_int_equal(tl_lexicon_from_json(test_ctx(), "words", json, &w), TL_EDATA);
    json_decref(json);
    tl_weighed_free(test_ctx(), &out);
    TEST_OK(tl_lexicon_learn(test_ctx(), text, NULL, 2, 1, &w)); /* the word of both texts */
    assert_int_equal(w.vocab.size, 1);
    assert_int_equal(tl_vocab_find(&w.vocab, "bb", 2), 0);
    tl_lexicon_free(test_ctx(), &w);
}

static void equal_texts_stay_on_one_side(void **state)
{
    tl_dataset *d = NULL;
    int64_t     group[4];

    (void)state;
    TEST_OK(open_with(write_text("twice.csv", "text,id,label\nsome words are here,1,a\n"
                                              "other words are here,2,b\nsome words are here,3,b\n"
                                              "third words are there,4,a\n"),
                      (tl_table_ask){ .text = "text", .label = "label" }, &d));
    TEST_OK(tl_dataset_duplicates(test_ctx(), d, group));
    assert_int_equal(group[2], 0);
    assert_int_equal(group[3], 3);
    tl_dataset_close(test_ctx(), d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(columns_are_found_by_name_or_by_look, begin, end),
        cmocka_unit_test_setup_teardown(a_table_stays_a_table, begin, end),
        cmocka_unit_test_setup_teardown(pairs_have_two_texts, begin, end),
        cmocka_unit_test_setup_teardown(a_file_a_class, begin, end),
        cmocka_unit_test_setup_teardown(wrong_rows_and_columns_are_told, begin, end),
        cmocka_unit_test_setup_teardown(batches_are_packed, begin, end),
        cmocka_unit_test(rooms_are_few_and_near),
        cmocka_unit_test_setup_teardown(words_weigh_as_scikit_learns, begin, end),
        cmocka_unit_test_setup_teardown(equal_texts_stay_on_one_side, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
