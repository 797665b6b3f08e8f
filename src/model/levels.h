/* levels.h -- categories of many levels as embeddings: where a row of a table has a place for each
 * level, one of them 1, a network of tables reads a learnt vector of the level instead.
 * Sources: Guo and Berkhahn 2016, arXiv:1604.06737; Gorishniy et al. 2021, arXiv:2106.11959,
 * section 3.1.  Floor 2, model. */
#ifndef TL_MODEL_LEVELS_H
#define TL_MODEL_LEVELS_H
#include "model/config.h"

/* Fewer places than this stay as they are. */
enum { TL_MANY_LEVELS = 16 };

/* Adds an embedding for the places [at, at + width) of the row to the arch's config, where its
 * network reads them and they are many.  To be called in the order of the places. */
tl_status tl_arch_embed(tl_ctx *ctx, tl_arch *arch, int64_t at, int64_t width);
/* "levels" of a config as it is kept: [at, width, size, ...]; *out is null where there are none.
 * TL_EDATA where they overlap or pass the row's end. */
tl_status tl_levels_config(tl_ctx *ctx, const char *where, const json_t *config,
                           const tl_arch *arch, json_t **out);
/* x [rows, places] with each of them replaced by its embedding. */
tl_tensor tl_net_levels(tl_net *net, const tl_arch *arch, tl_tensor x);
#endif
