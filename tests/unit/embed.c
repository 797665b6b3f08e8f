/* embed.c -- texts as vectors: pooled as asked, as a directory of sentence-transformers asks, cut
 * where it says; what Tailor has not is an error by name. */
#include "bundle/embed.h"
#include "backend/cpu/cpu.h"
#include "core/io.h"
#include "data/texts/pack.h"
#include "support/sentences.h"

#include <math.h>
#include <string.h>

enum { ROWS = 12, MOST_WIDE = 64 };

static void vectors(test_course *s, const tl_embed_how *how, tl_cache *cache, float *y)
{
    tl_embedder e;

    TEST_OK(tl_embedder_new(test_ctx(), s->base, how, &tl_backend_cpu, TL_F32, &e));
    assert_int_equal(tl_predictor_width(e.p), MOST_WIDE);
    TEST_OK(tl_embedder_rows(test_ctx(), &e, cache, s->train, y));
    tl_embedder_free(test_ctx(), &e);
}

/* What networks pool by themselves for their heads is what pooling gives. */
static void pooled_as_networks_do(void **state)
{
    static const struct { const char *net, *pooling; tl_pooling pool; } nets[] = {
        { "distilbert:2x64", NULL, TL_POOL_FIRST },
        { "gpt2:1x64", NULL, TL_POOL_LAST },
        { "modernbert:1x64", "mean", TL_POOL_MEAN },
    };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(nets); i++) {
        test_course s;
        tl_predictor  *p;
        float          want[ROWS * MOST_WIDE], got[ROWS * MOST_WIDE];
        test_sentences_open(&s, ROWS, nets[i].net, "full", 1.0);
        if (nets[i].pooling)
            json_object_set_new(s.base->arch.config, "classifier_pooling",
                                json_string(nets[i].pooling));
        TEST_OK(tl_predictor_new(test_ctx(), s.base, TL_PART_BODY, 4, &tl_backend_cpu, s.slab,
                                 TL_F32, &p));
        TEST_OK(tl_predictor_rows(test_ctx(), p, s.cache, s.train, want));
        tl_predictor_free(test_ctx(), p);
        vectors(&s, &(tl_embed_how){ .pool = nets[i].pool }, s.cache, got);
        assert_true(test_error(got, want, s.train.count * MOST_WIDE) < 1e-6);
        for (int k = 0; k < 3; k++) { /* the others are others */
            if ((tl_pooling)k == nets[i].pool) continue;
            vectors(&s, &(tl_embed_how){ .pool = (tl_pooling)k }, s.cache, got);
            assert_true(test_error(got, want, s.train.count * MOST_WIDE) > 1e-2);
        }
        test_course_close(&s);
    }
}

static void of_length_one_where_asked(void **state)
{
    test_course s;
    float          plain[ROWS * MOST_WIDE], unit[ROWS * MOST_WIDE];

    (void)state;
    test_sentences_open(&s, ROWS, "bert:1x64", "full", 1.0);
    vectors(&s, &(tl_embed_how){ .pool = TL_POOL_MEAN }, s.cache, plain);
    vectors(&s, &(tl_embed_how){ .pool = TL_POOL_MEAN, .normalise = true }, s.cache, unit);
    for (int64_t i = 0; i < s.train.count; i++) {
        double square = 0.0, dot = 0.0, own = 0.0;
        for (int64_t k = 0; k < MOST_WIDE; k++) {
            const double a = (double)unit[i * MOST_WIDE + k], b = (double)plain[i * MOST_WIDE + k];
            square += b * b, dot += a * b, own += a * a;
        }
        assert_true(fabs(own - 1.0) < 1e-5 && fabs(dot - sqrt(square)) < 1e-5 * sqrt(square));
        assert_true(fabs(square - 1.0) > 1e-3);
    }
    test_course_close(&s);
}

/* Of a text that is too long the beginning counts alone. */
static void cut_where_it_says(void **state)
{
    enum { MOST = 4 };
    test_course s;
    tl_texter     *shorter;
    tl_prep        prep = { 0 };
    tl_cache      *cache;
    float          want[ROWS * MOST_WIDE], got[ROWS * MOST_WIDE], whole[ROWS * MOST_WIDE];
    tl_string      text[ROWS];
    tl_pack        pack = { 0 };
    char           said[ROWS][64];

    (void)state;
    test_sentences_open(&s, ROWS, "bert:1x64", "full", 1.0);
    TEST_OK(tl_texter_shorter(test_ctx(), s.texter, MOST, &shorter));
    prep.text = shorter;
    TEST_OK(tl_cache_new(test_ctx(), s.dataset, &prep, 0, &cache));
    for (int64_t i = 0; i < s.train.count; i++) { /* the first window, as a text */
        const int64_t part = 0;
        tl_text       t    = tl_text_make(test_ctx());
        assert_true(tl_cache_parts(cache, s.train.row[i]) > 1);
        TEST_OK(tl_pack_reserve(test_ctx(), 1, MOST, &pack));
        tl_pack_parts(cache, &s.train.row[i], &part, 1, &pack);
        TEST_OK(tl_decode(test_ctx(), shorter->tokenizer, pack.id, pack.tokens, true, &t));
        snprintf(said[i], sizeof said[i], "%s", t.text);
        text[i] = (tl_string){ said[i], strlen(said[i]) };
        tl_text_free(&t);
    }
    tl_pack_free(test_ctx(), &pack);
    vectors(&s, &(tl_embed_how){ .pool = TL_POOL_MEAN, .most = MOST }, cache, got);
    vectors(&s, &(tl_embed_how){ .pool = TL_POOL_MEAN }, s.cache, whole);
    tl_cache_free(test_ctx(), cache);
    TEST_OK(tl_cache_of_texts(test_ctx(), &s.prep, text, NULL, s.train.count, &cache));
    int64_t       row[ROWS];
    const tl_rows all = { row, s.train.count };
    for (int64_t i = 0; i < all.count; i++) row[i] = i;
    tl_embedder e;
    TEST_OK(tl_embedder_new(test_ctx(), s.base, &(tl_embed_how){ .pool = TL_POOL_MEAN },
                            &tl_backend_cpu, TL_F32, &e));
    TEST_OK(tl_embedder_rows(test_ctx(), &e, cache, all, want));
    tl_embedder_free(test_ctx(), &e);
    assert_true(test_error(got, want, all.count * MOST_WIDE) < 1e-6);
    assert_true(test_error(whole, want, all.count * MOST_WIDE) > 1e-2);
    tl_cache_free(test_ctx(), cache);
    tl_texter_drop(test_ctx(), shorter);
    test_course_close(&s);
}

static void put(const char *folder, const char *name, const char *text)
{
    char *path;

    TEST_OK(tl_path_join(test_ctx(), folder, name, &path));
    TEST_OK(tl_file_write(test_ctx(), path, text, strlen(text)));
    tl_free(test_ctx(), path);
}

#define MODULE(type, path) \
    "{\"path\": \"" path "\", \"type\": \"sentence_transformers.models." type "\"}"
static void a_folder_says_how(void **state)
{
    static const char three[] = "[" MODULE("Transformer", "") ", " MODULE("Pooling", "1_Pooling")
        ", " MODULE("Normalize", "2_Normalize") "]";
    char        *folder = test_folder(), *inner;
    tl_model     model  = { .path = folder };
    tl_embed_how how;

    (void)state;
    TEST_OK(tl_embedding_of(test_ctx(), &model, NULL, &how));
    assert_true(how.pool == TL_POOL_MEAN && !how.normalise && how.most == 0);
    TEST_OK(tl_path_join(test_ctx(), folder, "1_Pooling", &inner));
    TEST_OK(tl_make_folders(test_ctx(), inner));
    put(folder, "modules.json", three);
    put(folder, "sentence_bert_config.json", "{\"max_seq_length\": 128}");
    put(inner, "config.json",
        "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false}");
    TEST_OK(tl_embedding_of(test_ctx(), &model, NULL, &how));
    assert_true(how.pool == TL_POOL_FIRST && how.normalise && how.most == 128);
    TEST_OK(tl_embedding_of(test_ctx(), &model, "last", &how));
    assert_true(how.pool == TL_POOL_LAST && !how.normalise && how.most == 128);
    assert_int_equal(tl_embedding_of(test_ctx(), &model, "sum", &how), TL_EUSAGE);
    put(inner, "config.json", "{\"pooling_mode_max_tokens\": true}");
    assert_int_equal(tl_embedding_of(test_ctx(), &model, NULL, &how), TL_EDATA);
    assert_non_null(strstr(test_ctx()->message, "pooling_mode_max_tokens"));
    put(inner, "config.json",
        "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": true}");
    assert_int_equal(tl_embedding_of(test_ctx(), &model, NULL, &how), TL_EDATA);
    put(inner, "config.json", "[]");
    assert_int_equal(tl_embedding_of(test_ctx(), &model, NULL, &how), TL_EDATA);
    put(folder, "modules.json", "[" MODULE("Dense", "2_Dense") "]");
    assert_int_equal(tl_embedding_of(test_ctx(), &model, NULL, &how), TL_EDATA);
    assert_non_null(strstr(test_ctx()->message, "Dense"));
    put(folder, "modules.json", "[" MODULE("Pooling", "../elsewhere") "]");
    assert_int_equal(tl_embedding_of(test_ctx(), &model, NULL, &how), TL_EDATA);
    TEST_OK(tl_embedding_of(test_ctx(), &model, "mean", &how));
    put(folder, "modules.json", "{}");
    assert_int_equal(tl_embedding_of(test_ctx(), &model, NULL, &how), TL_EDATA);
    put(folder, "modules.json", "[]");
    static const struct { const char *size, *says; } bad[] = {
        { "[]", "no JSON object" },
        { "{\"max_seq_length\": 0}", "max_seq_length" },
        { "{\"max_seq_length\": \"128\"}", "max_seq_length" },
        { "{\"max_seq_length\": 128, \"do_lower_case\": true}", "do_lower_case" },
    };
    for (size_t i = 0; i < TL_COUNT(bad); i++) {
        put(folder, "sentence_bert_config.json", bad[i].size);
        assert_int_equal(tl_embedding_of(test_ctx(), &model, NULL, &how), TL_EDATA);
        assert_non_null(strstr(test_ctx()->message, bad[i].says));
    }
    put(folder, "sentence_bert_config.json",
        "{\"max_seq_length\": null, \"do_lower_case\": false}");
    TEST_OK(tl_embedding_of(test_ctx(), &model, NULL, &how));
    assert_true(how.pool == TL_POOL_MEAN && how.most == 0);
    tl_free(test_ctx(), inner);
    test_folder_end(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pooled_as_networks_do),
        cmocka_unit_test(of_length_one_where_asked),
        cmocka_unit_test(cut_where_it_says),
        cmocka_unit_test(a_folder_says_how),
    };

    return cmocka_run_group_tests_name("embed", tests, NULL, NULL);
}
