/* lesson.h -- a corpus with a language model that begins anew, and its blocks. */
#ifndef TESTS_LESSON_H
#define TESTS_LESSON_H
#include "support/support.h"

#include "train/words.h"

typedef struct {
    tl_dataset *d;
    tl_arch     arch;
    tl_prep     prep;
    tl_texter  *texter;
    tl_model   *model;
    tl_cache   *cache;
    tl_rows     part[3];
} test_lesson;
/* Of the file at `path`; 300 tokens, 32 places; `tokenizer` as in tl_words_ask, `tokens`: the
 * folder of tl_corpus_blocks, both may be NULL. */
void test_lesson_open(test_lesson *l, const char *path, const char *arch, const char *tokenizer,
                      int64_t block, const char *tokens);
void test_lesson_close(test_lesson *l);
#endif
