/* embed.h -- a vector for each text: the network's last hidden states, pooled.  What a directory of
 * sentence-transformers says of its pooling is done as it says.  Floor 3, bundle. */
#ifndef TL_BUNDLE_EMBED_H
#define TL_BUNDLE_EMBED_H
#include "bundle/model.h"

typedef struct {
    tl_pooling pool;
    bool       normalise; /* to length 1                                                    */
    int64_t    most;      /* tokens of a text, the rest is cut; 0: what the network takes   */
    bool       told;      /* modules.json says so; else it is our choice                    */
} tl_embed_how;

/* What a pooling's config.json says of vectors of this width; NULL: no memory. */
json_t   *tl_pooling_config(tl_pooling pool, int64_t width);
/* What modules.json, the pooling's config.json and sentence_bert_config.json in the model's folder
 * ask; without them the mean of a text's tokens as it is.  `pooling` ("mean", "cls" or "last"; may
 * be NULL) takes the place of all that modules.json asks.  TL_EUSAGE: another name; TL_EDATA: a
 * module or pooling that Tailor has not. */
tl_status tl_embedding_of(tl_ctx *ctx, const tl_model *model, const char *pooling,
                          tl_embed_how *out);

/* A model ready to be embedded with; it outlives it.  TL_EUSAGE: it is no transformer of text. */
typedef struct {
    tl_embed_how  how;
    tl_prep       prep; /* the model's, its texts cut at how.most; its texter is held */
    tl_slab      *slab;
    tl_predictor *p;
} tl_embedder;
tl_status tl_embedder_new(tl_ctx *ctx, const tl_model *model, const tl_embed_how *how,
                          const tl_backend *backend, tl_dtype dtype, tl_embedder *out);
void      tl_embedder_free(tl_ctx *ctx, tl_embedder *e); /* safe to repeat */
/* Rows of a cache made with e->prep -> y [rows.count, tl_predictor_width(e->p)]. */
tl_status tl_embedder_rows(tl_ctx *ctx, tl_embedder *e, tl_cache *cache, tl_rows rows, float *y);
#endif
