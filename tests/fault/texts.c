/* texts.c -- the n-th allocation or read fails while texts are opened, their vocabulary learnt and
 * their rows made ids, for n = 1, 2, ... until all succeeds; nothing leaks, nothing crashes. */
#include "support/support.h"

#include "core/io.h"
#include "data/texts/pack.h"

#include <stdio.h>
#include <string.h>

static const char lines[] = "{\"text\": \"some words are here\", \"label\": \"a\"}\n"
                            "{\"text\": \"other words stand there\", \"label\": \"b\"}\n"
                            "{\"text\": \"and a third of them\", \"label\": \"a\"}\n"
                            "{\"text\": \"the last one of all\", \"label\": \"b\"}\n";

static tl_status use(tl_ctx *ctx, const tl_dataset *d, bool weighs)
{
    int64_t       row[] = { 0, 2 };
    tl_texter    *fresh = NULL;
    tl_prep       prep  = { 0 };
    tl_cache     *cache = NULL;
    tl_pack       pack  = { 0 };
    tl_status     rc;

    TL_TRY(tl_texter_new(ctx, d->text, weighs, TL_TRAIN_WORD_PIECE, 200, 16, &fresh));
    TL_TRY(tl_dataset_learn(ctx, d, fresh, (tl_rows){ row, 2 }, &prep.text));
    TL_TRY(tl_cache_new(ctx, d, &prep, 0, &cache));
    TL_TRY(tl_pack_reserve(ctx, 2, 64, &pack));
    tl_pack_rows(cache, row, 2, &pack);
done:
    tl_pack_free(ctx, &pack);
    tl_cache_free(ctx, cache);
    tl_texter_drop(ctx, fresh);
    tl_prep_drop(ctx, &prep);
    return rc;
}

static tl_status all_of_it(tl_ctx *ctx, const char *path, bool weighs)
{
    const tl_dataset_source source = { .train = path };
    tl_dataset             *d      = NULL;
    tl_status               rc;

    TL_TRY(tl_dataset_open(ctx, &source, &d));
    if (!d->text) TL_FAIL(TL_EFAIL, path, "was not taken for texts");
    TL_TRY(use(ctx, d, weighs));
done:
    tl_dataset_close(ctx, d);
    return rc;
}

static void every_failure_is_survived(void **state)
{
    char *folder = test_folder(), *path;

    (void)state;
    test_fresh();
    TEST_OK(tl_path_join(test_ctx(), folder, "texts.jsonl", &path));
    TEST_OK(tl_file_write(test_ctx(), path, lines, sizeof lines - 1));
    const size_t before = test_ctx()->world->now_bytes;
    for (int weighs = 0; weighs < 2; weighs++)
        for (int reads = 0; reads < 2; reads++) {
            tl_world        *w     = test_ctx()->world;
            _Atomic int64_t *fault = reads ? &w->fault_read : &w->fault_alloc;
            int64_t          n = 0, left = 0;
            for (; left <= 0; n++) { /* some failures are borne: the encoder's cache */
                assert_true(n < 20000);
                *fault             = n + 1;
                const tl_status rc = all_of_it(test_ctx(), path, weighs != 0);
                left               = *fault;
                *fault             = 0;
                if (left > 0) assert_int_equal(rc, TL_OK);
                assert_int_equal(w->now_bytes, before);
            }
            assert_true(n > (reads ? 1 : 50));
        }
    tl_free(test_ctx(), path);
    test_folder_end(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_failure_is_survived) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
