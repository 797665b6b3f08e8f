/* words.h -- language models that begin anew, and how they are trained.  Floor 3, train. */
#ifndef TL_TRAIN_WORDS_H
#define TL_TRAIN_WORDS_H
#include "data/corpus/corpus.h"
#include "train/candidate.h"

typedef struct {
    const char *tokenizer; /* "chars", "bpe", "wordpiece"; NULL: as the family usually has it    */
    int64_t     size;      /* of the vocabulary; 0: 8192, fewer for little text                  */
    int64_t     block;     /* tokens that the network sees together; 0: 256                      */
} tl_words_ask;

/* The network that --arch names, asked for the next or for hidden words as its family is, and the
 * texter that its vocabulary was learnt by from the training part; *texter is the caller's to
 * drop. */
tl_status tl_scratch_words(tl_ctx *ctx, const tl_dataset *d, const char *text,
                           const tl_words_ask *ask, tl_arch *arch, tl_prep *prep,
                           tl_texter **texter);
/* What a model of text is asked for: what it is asked already, else what its family can be. */
tl_ask    tl_words_ask_of(const tl_arch *arch);
/* Tokens of a block, where `asked` (0: none) does not say. */
int64_t   tl_words_block(const tl_arch *arch, int64_t asked);
/* Rates of the literature by width, for blocks of so many tokens. */
void          tl_hyper_words(tl_hyper *h, const tl_arch *arch, bool anew, int64_t block);
#endif
