/* text_pooled.c -- a linear head on a network's vectors of texts: its last hidden states pooled, as
 * a directory of sentence-transformers says.  Made by the probe; saved, it is such a directory
 * whose last module is the head.
 * Source: Reimers and Gurevych 2019, arXiv:1908.10084.  Floor 2, model. */
#include "model/pooled.h"

#include <stdio.h>

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    tl_arch   network = { 0 };
    tl_status rc;

    if (!config)
        TL_FAIL(TL_EUSAGE, where,
                "\"%.40s\" has no size of its own: it is made from a base (try --route probe "
                "--base MODEL)",
                size ? size : "text-pooled");
    TL_TRY(tl_pooled_network(ctx, where, config, &network));
    arch->row = network.row;
    snprintf(arch->name, sizeof arch->name, "text-pooled of %.40s", network.name);
    TL_TRY(tl_config_take(
        ctx, arch,
        json_pack("{s:s, s:O, s:O*}", "pooling", tl_json_text(config, "pooling", "mean"),
                  "network", json_object_get(config, "network"), "vocab_size",
                  json_object_get(network.config, "vocab_size"))));
done:
    tl_arch_free(ctx, &network);
    return rc;
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    net->init_sd = 0.02f;
    return tl_net_linear(net, "classifier", x, arch->outputs, true, TL_ACT_NONE,
                         TL_INIT_NORMAL);
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
    .head         = head,
    .maps         = maps,
    .n_maps       = TL_COUNT(maps),
    .default_prep = "text",
};
