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
/* The network within, the caller's to free; TL_EDATA: it is none of text, or pooled itself, or
 * the pooling is none. */
tl_status   tl_pooled_network(tl_ctx *ctx, const char *where, const json_t *config, tl_arch *out);
/* A family's `body`. */
tl_tensor   tl_pooled_body(tl_net *net, const tl_arch *arch, tl_tensor ids);
#endif
