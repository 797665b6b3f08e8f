/* sentence.h -- a linear head on pooled states as a directory of sentence-transformers: modules
 * Transformer, Pooling and, as the last, Dense, so that its `encode` gives a text's logits.
 * Floor 3, bundle. */
#ifndef TL_BUNDLE_SENTENCE_H
#define TL_BUNDLE_SENTENCE_H
#include "bundle/model.h"

/* Is it written so? */
bool      tl_sentence_fits(const tl_model *m);
/* The config.json of the network within, of Transformers' class without a head; NULL: no memory. */
json_t   *tl_sentence_config(tl_ctx *ctx, const tl_model *m);
/* What lies beside config.json, weights and tokenizer. */
tl_status tl_sentence_save(tl_ctx *ctx, const tl_model *m, const char *folder);
#endif
