/* score.h -- a language model over packed rows: the loss of each token it is asked, in row blocks,
 * so that no table of rows times words is ever held.  Floor 3, bundle. */
#ifndef TL_BUNDLE_SCORE_H
#define TL_BUNDLE_SCORE_H
#include "bundle/model.h"
#include "data/texts/pack.h"

typedef struct tl_scorer tl_scorer;
/* Of the cache's rows, as `how` asks; model and cache (borrowed) outlive it.  `slab` may be NULL:
 * then it has its own. */
tl_status tl_scorer_new(tl_ctx *ctx, const tl_model *model, const tl_cache *cache,
                        const tl_asking *how, const tl_backend *backend, tl_slab *slab,
                        tl_dtype dtype, tl_scorer **out);
void      tl_scorer_free(tl_ctx *ctx, tl_scorer *s);
/* Call after the model's parameters changed. */
void      tl_scorer_weights_changed(tl_scorer *s);
/* Loss (natural log) and number of tokens asked, summed over rows; row_loss and row_tokens
 * [rows.count] of each row; any may be NULL.  TL_ECANCEL. */
tl_status tl_scorer_rows(tl_ctx *ctx, tl_scorer *s, tl_rows rows, double *loss, int64_t *tokens,
                         double *row_loss, int64_t *row_tokens);
#endif
