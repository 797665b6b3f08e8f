/* lesson.c -- see lesson.h. */
#include "support/lesson.h"

void test_lesson_open(test_lesson *l, const char *path, const char *arch, const char *tokenizer,
                      int64_t block, const char *tokens)
{
    const tl_corpus_source source = { .train = path };
    const tl_words_ask     ask    = { tokenizer, 300, 32 };
    tl_ctx                *ctx    = test_ctx();

    *l = (test_lesson){ 0 };
    TEST_OK(tl_corpus_open(ctx, &source, &l->d));
    TEST_OK(tl_scratch_words(ctx, l->d, arch, &ask, &l->arch, &l->prep, &l->texter));
    TEST_OK(tl_model_new(ctx, &l->arch, &l->prep, NULL, 7, &l->model));
    TEST_OK(tl_corpus_blocks(ctx, l->d, &l->prep, block, l->arch.ask == TL_ASK_MASKED, tokens,
                             &l->cache, l->part));
}

void test_lesson_close(test_lesson *l)
{
    tl_ctx *ctx = test_ctx();

    for (int k = 0; k < 3; k++) tl_free(ctx, l->part[k].row);
    tl_cache_free(ctx, l->cache);
    tl_model_free(ctx, l->model);
    tl_texter_drop(ctx, l->texter);
    tl_arch_free(ctx, &l->arch);
    tl_dataset_close(ctx, l->d);
}
