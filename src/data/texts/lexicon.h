/* lexicon.h -- texts as weighted words: what the classical model for text looks at.
 * Source: Salton and Buckley 1988; scikit-learn's TfidfVectorizer, whose words (two or more
 * letters, digits or underscores, in lower case), weights (tf times ln((1 + n) / (1 + df)) + 1)
 * and norm (Euclidean, 1) these are.  Floor 2, data. */
#ifndef TL_DATA_TEXTS_LEXICON_H
#define TL_DATA_TEXTS_LEXICON_H
#include "core/json.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/vocab.h"

typedef struct {
    tl_vocab vocab;  /* ids in the order of their first sight                              */
    float   *weight; /* [vocab.size] of each word: the inverse of how many texts have it  */
} tl_lexicon;

/* Words of these texts (pair may be NULL: else each text's second follows its first); where there
 * are over `most`, those that more texts have. */
tl_status tl_lexicon_learn(tl_ctx *ctx, const tl_string *text, const tl_string *pair,
                         int64_t count, int64_t most, tl_lexicon *out);
void      tl_lexicon_free(tl_ctx *ctx, tl_lexicon *w); /* safe to repeat */
/* A text's known words, each once, by rising id, and their weights; squares sum to 1.  `id` and
 * `value` grow to *room from *count on, which moves. */
typedef struct {
    int32_t *id;
    float   *value;
    int64_t  count, room;
} tl_weighed;
tl_status tl_lexicon_weigh(tl_ctx *ctx, const tl_lexicon *w, tl_string text, tl_string pair,
                         tl_weighed *to);
void      tl_weighed_free(tl_ctx *ctx, tl_weighed *w);
json_t   *tl_lexicon_to_json(const tl_lexicon *w);
tl_status tl_lexicon_from_json(tl_ctx *ctx, const char *where, const json_t *value,
                             tl_lexicon *out);
#endif
