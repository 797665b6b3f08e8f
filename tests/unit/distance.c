/* distance.c -- how far data lies from a base: what its norms kept, and what its tokenizer cuts. */
#include "support/support.h"
#include "core/io.h"
#include "core/rand.h"
#include "study/distance.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 32, ROWS = 64, PIXELS = 3 * SIDE * SIDE };

static int64_t all_rows[ROWS];

/* Grey noise about a middle. */
static tl_dataset *noise(uint64_t seed, double middle, double spread)
{
    static uint8_t pixels[ROWS * PIXELS];
    static int32_t label[ROWS];
    tl_arrays      arrays = { pixels, label, ROWS, SIDE, SIDE, 3, 2 };
    tl_dataset    *d;

    for (uint64_t i = 0; i < ROWS * PIXELS; i++)
        pixels[i] = (uint8_t)fmin(
            fmax(middle + spread * tl_rand_normal(seed, 1, i), 0.0), 255.0);
    for (int i = 0; i < ROWS; i++) label[i] = i % 2, all_rows[i] = i;
    TEST_OK(tl_dataset_of_arrays(test_ctx(), &arrays, &d));
    return d;
}

static tl_norm_distance distance(const tl_model *m, const tl_dataset *d)
{
    const tl_rows    rows  = { all_rows, ROWS };
    tl_cache        *cache = NULL;
    tl_norm_distance out;

    TEST_OK(tl_cache_new(test_ctx(), d, &m->prep, 1 << 24, &cache));
    TEST_OK(tl_distance_norms(test_ctx(), m, cache, rows, &tl_backend_ref, NULL, &out));
    tl_cache_free(test_ctx(), cache);
    return out;
}

/* The net's norms get the statistics of these rows, as training would leave them. */
static void teach_norms(tl_model *m, const tl_dataset *d)
{
    const tl_rows rows = { all_rows, ROWS };
    tl_cache     *cache;
    tl_predictor *p;
    float        *y;

    TEST_OK(tl_cache_new(test_ctx(), d, &m->prep, 1 << 24, &cache));
    TEST_OK(tl_predictor_norms(test_ctx(), m, 32, &tl_backend_ref, NULL, &p));
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)(ROWS * tl_predictor_width(p)), sizeof *y, &y));
    for (int pass = 0; pass < 50; pass++)
        TEST_OK(tl_predictor_rows(test_ctx(), p, cache, rows, y));
    tl_free(test_ctx(), y);
    tl_predictor_free(test_ctx(), p);
    tl_cache_free(test_ctx(), cache);
}

static void norms_tell_their_own_data_from_other(void **state)
{
    tl_dataset *own = noise(1, 100.0, 20.0), *bright = noise(2, 190.0, 20.0),
               *loud = noise(3, 100.0, 60.0), *again = noise(4, 100.0, 20.0);
    tl_model   *m;
    tl_arch     arch;
    tl_prep     prep;

    (void)state;
    TEST_OK(tl_arch_parse(test_ctx(), "conv 4 3, norm batch, conv 4 3 relu, norm batch, gpool",
                          TL_SHAPE(SIDE, SIDE, 3), 2, &arch));
    TEST_OK(tl_model_default_prep(test_ctx(), &arch, &prep));
    TEST_OK(tl_model_new(test_ctx(), &arch, &prep, NULL, 5, &m));
    teach_norms(m, own);
    const float before = tl_params_value(m->params, &m->params->param[0])[0];
    float      *kept;
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)m->params->floats, sizeof *kept, &kept));
    memcpy(kept, m->params->value, (size_t)m->params->floats * sizeof *kept);
    const tl_norm_distance near = distance(m, own), like = distance(m, again),
                           far = distance(m, bright), wide = distance(m, loud);
    print_message("# first layer: own %.5f, again %.5f, brighter %.3f, louder %.3f\n", near.first,
                  like.first, far.first, wide.first);
    assert_int_equal(near.layers, 2);
    assert_int_equal(near.rows, ROWS);
    assert_true(near.first < 0.01 && like.first < 0.02 && near.kl < 0.01);
    assert_true(far.first > 0.3 && wide.first > 0.3 && far.shift > 10.0 * near.shift);
    /* what the base keeps is not touched by looking */
    assert_memory_equal(kept, m->params->value, (size_t)m->params->floats * sizeof *kept);
    assert_true(tl_params_value(m->params, &m->params->param[0])[0] == before);
    tl_free(test_ctx(), kept);
    tl_model_free(test_ctx(), m);
    tl_arch_free(test_ctx(), &arch);
    tl_dataset_close(test_ctx(), own);
    tl_dataset_close(test_ctx(), bright);
    tl_dataset_close(test_ctx(), loud);
    tl_dataset_close(test_ctx(), again);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* A vocabulary learnt from plain English: other languages fall to pieces in it. */
static void a_tokenizer_tells_its_own_language_from_others(void **state)
{
    static const char german[] =
        "Bundesverkehrswegeplan, Donaudampfschifffahrt und Rindfleischetikettierung werden gezählt";
    static const char chinese[] = "猫坐在屋顶上看着月亮";
    static const char *const special[] = { "<unk>" };
    const tl_training how  = { TL_TRAIN_BPE, 600, special, 1, 0 };
    const tl_string   text = { tl_plain_english, strlen(tl_plain_english) };
    const tl_string   two[] = { { german, sizeof german - 1 }, { NULL, 0 } },
                      one[] = { { chinese, sizeof chinese - 1 } };
    char         *folder = test_folder(), path[600];
    tl_tokenizer *t;
    tl_fragments  own, other, east;

    (void)state;
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    TEST_OK(tl_tokenizer_train(test_ctx(), &how, &text, 1, path));
    TEST_OK(tl_tokenizer_open(test_ctx(), path, &t));
    TEST_OK(tl_distance_fragments(test_ctx(), t, &text, 1, &own));
    TEST_OK(tl_distance_fragments(test_ctx(), t, two, 2, &other));
    TEST_OK(tl_distance_fragments(test_ctx(), t, one, 1, &east));
    print_message("# broken: English %.3f, German %.3f, Chinese %.3f\n", own.broken, other.broken,
                  east.broken);
    assert_true(own.broken < 0.05 && own.tokens_per_word >= 1.0 && own.tokens_per_word < 1.6);
    assert_int_equal(other.words, 6);
    assert_true(other.broken > 0.45 && other.tokens_per_word > 3.0);
    assert_int_equal(east.words, 10);
    assert_int_equal(east.characters, 10);
    assert_true(east.broken > 0.99);
    tl_tokenizer_close(test_ctx(), t);
    test_folder_end(folder);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_tell_their_own_data_from_other),
        cmocka_unit_test(a_tokenizer_tells_its_own_language_from_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
