/* words.h -- layers in words, the contract's mini language.  Floor 2, model. */
#ifndef TL_MODEL_WORDS_H
#define TL_MODEL_WORDS_H
#include "model/net.h"

/* True where the text's first word is a layer's or an activation's. */
bool tl_words_begin(const char *text);

typedef enum { TL_WORD_CONV, TL_WORD_POOL, TL_WORD_GPOOL, TL_WORD_DENSE, TL_WORD_NORM,
               TL_WORD_DROPOUT, TL_WORD_RESIDUAL, TL_WORD_ACT } tl_word;
typedef enum { TL_NORM_BATCH, TL_NORM_GROUP, TL_NORM_LAYER } tl_norm;

typedef struct {
    tl_word       word;
    int64_t       out, kernel, stride, groups; /* as far as the word has them               */
    bool          valid, average;
    tl_norm       norm;
    double        p;
    tl_activation act;
    int           end; /* of a residual: the item after its last one                        */
} tl_word_item;

/* Items in order, those of a residual right after it; owned by the caller.  Errors are
 * TL_EUSAGE (from a command line) and say the place and the word. */
tl_status tl_words_parse(tl_ctx *ctx, const char *where, const char *text, tl_word_item **items,
                         int *count);
/* Appends items [from, to) to the network. */
tl_tensor tl_words_emit(tl_net *net, const tl_word_item *items, int from, int to, tl_tensor x);
#endif
