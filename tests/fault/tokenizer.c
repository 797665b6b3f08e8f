/* tokenizer.c -- the n-th allocation or read fails while a tokenizer is learned, opened and
 * used, for n = 1, 2, ... until all succeeds; nothing leaks, nothing crashes. */
#include "support/support.h"
#include "core/io.h"
#include "data/tokenizer/tokenizer.h"

#include <string.h>

static const char said[] = "some words, some other words and \xc3\xa9\xe4\xb8\xad";

static tl_status use(tl_ctx *ctx, const tl_tokenizer *t)
{
    const tl_string          text    = { said, sizeof said - 1 };
    const tl_encode_options options = { 0 };
    tl_text                 back    = tl_text_make(ctx);
    tl_token_batch          batch;
    tl_status               rc;

    TL_TRY(tl_encode_batch(ctx, t, &text, &text, 1, options, &batch));
    rc = tl_decode(ctx, t, batch.all.id, batch.all.count, true, &back);
    tl_token_batch_free(ctx, &batch);
done:
    tl_text_free(&back);
    return rc;
}

static tl_status all_of_it(tl_ctx *ctx, const char *path, tl_training_kind kind)
{
    static const char *const special[] = { "[UNK]" };
    const tl_training        how       = { kind, 270, special, 1, 0 };
    const tl_string           text      = { said, sizeof said - 1 };
    tl_tokenizer            *t         = NULL;
    tl_status                rc;

    TL_TRY(tl_tokenizer_train(ctx, &how, &text, 1, path));
    TL_TRY(tl_tokenizer_open(ctx, path, &t));
    TL_TRY(use(ctx, t));
done:
    tl_tokenizer_close(ctx, t);
    return rc;
}

static void every_failure_is_survived(void **state)
{
    char *folder = test_folder(), *path;

    (void)state;
    test_fresh();
    TEST_OK(tl_path_join(test_ctx(), folder, "tokenizer.json", &path));
    const size_t before = test_ctx()->world->now_bytes;
    for (int kind = 0; kind < 2; kind++)
        for (int reads = 0; reads < 2; reads++) {
            tl_world        *w     = test_ctx()->world;
            _Atomic int64_t *fault = reads ? &w->fault_read : &w->fault_alloc;
            int64_t          n = 0, left = 0;
            for (; left <= 0; n++) { /* some failures are borne: the cache does without */
                assert_true(n < 20000);
                *fault             = n + 1;
                const tl_status rc = all_of_it(test_ctx(), path, (tl_training_kind)kind);
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
