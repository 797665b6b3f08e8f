/* unigram.h -- the unigram language model: the likeliest cut of a piece.  Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_UNIGRAM_H
#define TL_DATA_TOKENIZER_UNIGRAM_H
#include "data/tokenizer/inside.h"

typedef struct {
    tl_trie trie;  /* to ids                                                       */
    double *score; /* [vocabulary] log probability                                 */
    double
        unknown_score; /* the least score less 10                                      */
    int32_t unknown;   /* -1: a character without token is an error                    */
    bool    fallback;  /* unknown characters as their bytes                            */
    int32_t byte_token[256];
} tl_unigram;

extern const tl_model_kind tl_model_unigram;
/* Once the tokenizer's vocabulary and the scores are there; ids where `skip` is set are no
 * candidates (skip may be NULL). */
tl_status tl_unigram_ready(tl_ctx *ctx, tl_tokenizer *t, tl_unigram *u,
                           const uint8_t *skip);
#endif
