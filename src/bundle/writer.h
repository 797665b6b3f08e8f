/* writer.h -- a causal language model read and continued token by token: keys and values of what
 * was read are kept, so that a token costs one row of the network.  Floor 3, bundle. */
#ifndef TL_BUNDLE_WRITER_H
#define TL_BUNDLE_WRITER_H
#include "bundle/model.h"

typedef struct tl_writer tl_writer;
/* TL_EDATA where the model predicts no next token.  `places`: tokens it can keep, at most those the
 * model knows; 0: all of them.  The model outlives it. */
tl_status tl_writer_new(tl_ctx *ctx, const tl_model *model, int64_t places,
                        const tl_backend *backend, tl_dtype dtype, tl_writer **out);
void      tl_writer_free(tl_ctx *ctx, tl_writer *w); /* NULL is fine */
/* Reads `count` >= 1 more tokens, many at a time.  *logits: [vocabulary] of what follows the last
 * of them; borrowed until the next call.  TL_ELIMIT when they do not fit. */
tl_status tl_writer_read(tl_ctx *ctx, tl_writer *w, const int32_t *id, int64_t count,
                         const float **logits);
/* The same of a whole text from its first token on: what it shares with the tokens read before is
 * not read again. */
tl_status tl_writer_turn(tl_ctx *ctx, tl_writer *w, const int32_t *id, int64_t count,
                         const float **logits);
int64_t        tl_writer_length(const tl_writer *w); /* tokens read */
const int32_t *tl_writer_tokens(const tl_writer *w); /* [length] them; borrowed */
int64_t   tl_writer_places(const tl_writer *w);
int64_t   tl_writer_words(const tl_writer *w);  /* of logits */
#endif
