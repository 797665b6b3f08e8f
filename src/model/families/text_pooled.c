/* text_pooled.c -- a linear head on a network's vectors of texts: its last hidden states pooled, as
 * a directory of sentence-transformers says.  Made by the probe; saved, it is such a directory
 * whose last module is the head.
 * Source: Reimers and Gurevych 2019, arXiv:1908.10084.  Floor 2, model. */
#include "model/pooled.h"

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    return tl_pooled_configure(ctx, where, size, "from a base (try --route probe --base MODEL)",
                               config, json_object(), arch);
}

static const char *const keys[]  = { "pooling", "network", "vocab_size", NULL };
static const char *const sizes[] = { NULL };
static const tl_names_map maps[] = { { "tailor", NULL, 0 } };

const tl_family tl_family_text_pooled = {
    .name         = "text-pooled",
    .doc          = "a linear head on a base's vectors of texts: what a probe of one is",
    .source       = "Reimers and Gurevych 2019, arXiv:1908.10084",
    .sizes        = sizes,
    .keys         = keys,
    .text         = true,
    .configure    = configure,
    .body         = tl_pooled_body,
    .head         = tl_pooled_head,
    .maps         = maps,
    .n_maps       = TL_COUNT(maps),
    .default_prep = "text",
};
