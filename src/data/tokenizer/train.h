/* train.h -- between the counting of words and the joining of pairs.  Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_TRAIN_H
#define TL_DATA_TOKENIZER_TRAIN_H
#include "data/tokenizer/inside.h"

typedef struct {
    uint32_t start,
        length; /* its symbols                                                */
    int64_t seen;
} tl_counted;
typedef struct {
    int32_t left, right;
} tl_joined;
typedef struct {
    tl_vocab vocab;  /* special tokens, alphabet, then what pairs make                 */
    size_t   skip;   /* bytes of the prefix of tokens that go on within a word; 0: the
                            byte alphabet                                                  */
    int32_t *symbol; /* of all words, one after the other                              */
    size_t   symbols, symbol_room;
    tl_counted *word;
    size_t      words, word_room;
    tl_joined
          *joined; /* in the order learned                                           */
    size_t joins, join_room;
} tl_lesson;

/* Joins the pair seen most often, again and again, until the vocabulary has `size` tokens or
 * no pair is seen `least` times. */
tl_status tl_lesson_join(tl_ctx *ctx, tl_lesson *l, int32_t size, int64_t least);
void      tl_lesson_free(tl_ctx *ctx, tl_lesson *l);
#endif
