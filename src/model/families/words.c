/* words.c -- a network described by its layers in words.  Floor 2, model. */
#include "model/words.h"

#include "model/config.h"

#include <stdio.h>

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    tl_status     rc;
    tl_word_item *items = NULL;
    int           count;
    const char   *text = size ? size : tl_json_text(config, "layers", "");

    rc = tl_words_parse(ctx, where, text, &items, &count);
    if (rc == TL_EUSAGE && !size) rc = TL_EDATA; /* a file's words are not the user's */
    TL_TRY(rc);
    if (config) TL_TRY(tl_config_row(ctx, where, config, 0, arch));
    TL_TRY(tl_config_take(ctx, arch, json_pack("{s:s}", "layers", text)));
    TL_TRY(tl_strdup(ctx, text, &arch->words));
    snprintf(arch->name, sizeof arch->name, "words");
done:
    tl_free(ctx, items);
    return rc;
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    tl_word_item *items;
    int           count;

    net->status = tl_words_parse(net->ctx, arch->name, arch->words, &items, &count);
    if (net->status != TL_OK) {
        tl_graph_fail(net->g, "%s", net->ctx->message);
        return 0;
    }
    x = tl_words_emit(net, items, 0, count, x);
    tl_free(net->ctx, items);
    return tl_net_flatten(net, x);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor features)
{
    if (arch->dropout > 0.0)
        features = tl_net_dropout(net, features, (float)arch->dropout);
    return tl_net_linear(net, "output", features, arch->outputs, true, TL_ACT_NONE,
                         TL_INIT_GLOROT_UNIFORM);
}

static const char *const keys[] = { "layers", NULL };
static const char *const sizes[] = { NULL };
static const tl_names_map maps[] = { { "tailor", NULL, 0 } };

const tl_family tl_family_words = {
    .name      = "words",
    .doc       = "layers in words, as in \"conv 32 3 relu, pool 2, dense 64 relu\"",
    .source    = "weights start as He et al. 2015 (rectifiers) or Glorot and Bengio 2010",
    .sizes     = sizes,
    .keys      = keys,
    .configure = configure,
    .body      = body,
    .head      = head,
    .maps      = maps,
    .n_maps    = TL_COUNT(maps),
    .default_prep = "unit",
};
