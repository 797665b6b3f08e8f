/* windows.c -- texts of more tokens than a network takes: training sees their beginning, what is
 * cut is counted (R13); asked, they go by windows, whose mean is the answer. */
#include "backend/cpu/cpu.h"
#include "data/texts/pack.h"
#include "support/sentences.h"

#include <math.h>
#include <string.h>

enum { ROWS = 24, MOST = 8 };

static void open_short(test_course *s, tl_prep *prep, tl_cache **cache)
{
    test_sentences_open(s, ROWS, "bert:1x64", "full", 1.0);
    *prep = (tl_prep){ 0 };
    TEST_OK(tl_texter_shorter(test_ctx(), s->texter, MOST, &prep->text));
    TEST_OK(tl_cache_new(test_ctx(), s->dataset, prep, 0, cache));
}

static void close_short(test_course *s, tl_prep *prep, tl_cache *cache)
{
    tl_cache_free(test_ctx(), cache);
    tl_texter_drop(test_ctx(), prep->text);
    test_course_close(s);
}

static void answers(test_course *s, tl_cache *cache, int64_t at_once, tl_rows rows, float *y)
{
    tl_predictor *p;

    TEST_OK(tl_predictor_new(test_ctx(), s->base, TL_PART_WHOLE, at_once, &tl_backend_cpu,
                             s->slab, TL_F32, &p));
    TEST_OK(tl_predictor_rows(test_ctx(), p, cache, rows, y));
    tl_predictor_free(test_ctx(), p);
}

/* The windows of a row as texts of their own. */
static int64_t windows_of(const test_course *s, const tl_cache *cache, int64_t row,
                          tl_text *text)
{
    tl_pack       pack  = { 0 };
    const int64_t parts = tl_cache_parts(cache, row);

    for (int64_t k = 0; k < parts; k++) {
        const int64_t n = tl_cache_part_tokens(cache, row, k);
        assert_in_range(n, 1, MOST);
        TEST_OK(tl_pack_reserve(test_ctx(), 1, n, &pack));
        tl_pack_parts(cache, &row, &k, 1, &pack);
        assert_int_equal(pack.tokens, n);
        text[k] = tl_text_make(test_ctx());
        TEST_OK(tl_decode(test_ctx(), s->texter->tokenizer, pack.id, n, true, &text[k]));
    }
    tl_pack_free(test_ctx(), &pack);
    return parts;
}

static void the_answer_is_the_mean_of_windows(void **state)
{
    test_course s;
    tl_prep        prep;
    tl_cache      *cache, *apart;
    float          all[2 * ROWS], again[2 * ROWS], own[2 * ROWS];
    int64_t        row[ROWS], long_rows = 0;

    (void)state;
    open_short(&s, &prep, &cache);
    for (int64_t i = 0; i < ROWS; i++) row[i] = i;
    answers(&s, cache, 5, (tl_rows){ row, ROWS }, all);
    answers(&s, cache, 1, (tl_rows){ row, ROWS }, again); /* a row's windows in several runs */
    assert_true(test_error(again, all, 2 * ROWS) < 1e-5);
    for (int64_t i = 0; i < ROWS; i++) {
        tl_text       text[ROWS];
        tl_string     one[ROWS];
        double        mean[2] = { 0 };
        const int64_t n       = windows_of(&s, cache, i, text);
        long_rows += n > 1;
        for (int64_t k = 0; k < n; k++) one[k] = (tl_string){ text[k].text, text[k].bytes };
        TEST_OK(tl_cache_of_texts(test_ctx(), &prep, one, NULL, n, &apart));
        answers(&s, apart, 4, (tl_rows){ row, n }, own);
        for (int64_t k = 0; k < 2 * n; k++) mean[k % 2] += (double)own[k] / (double)n;
        for (int c = 0; c < 2; c++)
            if (!(fabs(mean[c] - (double)all[2 * i + c]) < 1e-5))
                fail_msg("row %d: %g, not %g", (int)i, (double)all[2 * i + c], mean[c]);
        tl_cache_free(test_ctx(), apart);
        for (int64_t k = 0; k < n; k++) tl_text_free(&text[k]);
    }
    assert_int_equal(long_rows, ROWS);
    close_short(&s, &prep, cache);
}

/* Every word stands in a window; nothing is asked that is not there. */
static void windows_cover_the_text(void **state)
{
    test_course s;
    tl_prep        prep;
    tl_cache      *cache;

    (void)state;
    open_short(&s, &prep, &cache);
    for (int64_t i = 0; i < ROWS; i++) {
        tl_text       text[ROWS];
        tl_string     whole[2];
        char          last[64];
        const int64_t n = windows_of(&s, cache, i, text);
        tl_dataset_text(s.dataset, i, whole);
        for (int64_t k = 0; k < n; k++)
            if (!strstr(whole[0].text, text[k].text))
                fail_msg("\"%s\" is not in \"%s\"", text[k].text, whole[0].text);
        assert_memory_equal(whole[0].text, text[0].text, text[0].bytes);
        strcpy(last, text[n - 1].text);
        assert_string_equal(whole[0].text + whole[0].bytes - strlen(last), last);
        for (int64_t k = 0; k < n; k++) tl_text_free(&text[k]);
    }
    close_short(&s, &prep, cache);
}

/* R13: training sees the beginning, and what it does not see is counted. */
static void R13_what_is_cut_is_counted(void **state)
{
    test_course s;
    tl_prep        prep;
    tl_cache      *cache;
    int64_t        rows, tokens, own = 0;

    (void)state;
    open_short(&s, &prep, &cache);
    for (int64_t i = 0; i < ROWS; i++) {
        assert_int_equal(tl_cache_tokens(cache, i), MOST);
        own += tl_cache_tokens(s.cache, i) - MOST;
    }
    tl_cache_cut(cache, &rows, &tokens);
    assert_int_equal(rows, ROWS);
    assert_int_equal(tokens, own);
    tl_cache_cut(s.cache, &rows, &tokens);
    assert_int_equal(rows + tokens, 0);
    assert_int_equal(tl_cache_parts(s.cache, 0), 1);
    close_short(&s, &prep, cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_is_the_mean_of_windows),
        cmocka_unit_test(windows_cover_the_text),
        cmocka_unit_test(R13_what_is_cut_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
