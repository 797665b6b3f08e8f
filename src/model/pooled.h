/* pooled.h -- what families have in common whose body is a network of text, its last hidden states
 * pooled to one vector a text.  Their configs say {"network": an arch, "pooling": "mean", "cls" or
 * "last"}.  Source: Reimers and Gurevych 2019, arXiv:1908.10084.  Floor 2, model. */
#ifndef TL_MODEL_POOLED_H
#define TL_MODEL_POOLED_H
#include "model/config.h"
#include "tensor/ops.h"

/* Is it of one of these families? */
bool        tl_arch_is_pooled(const tl_arch *arch);
const char *tl_pooling_name(tl_pooling pool); /* "mean", "cls", "last" */
bool        tl_pooling_find(const char *name, tl_pooling *out);
tl_pooling  tl_pooling_of(const json_t *config); /* of such a family, configured */
/* The network within, the caller's to free; TL_EDATA: it is none of text, or pooled itself, or
 * the pooling is none. */
tl_status   tl_pooled_network(tl_ctx *ctx, const char *where, const json_t *config, tl_arch *out);
/* A family's `configure`: `more` (taken) of its own beside network and pooling.  Without a config
 * TL_EUSAGE, as `size` is made `of` other things. */
tl_status   tl_pooled_configure(tl_ctx *ctx, const char *where, const char *size, const char *of,
                                const json_t *config, json_t *more, tl_arch *arch);
tl_tensor   tl_pooled_body(tl_net *net, const tl_arch *arch, tl_tensor ids); /* its `body` */
/* A linear `head` that begins anew: it says little at first, as BERT's. */
tl_tensor   tl_pooled_head(tl_net *net, const tl_arch *arch, tl_tensor x);
#endif
