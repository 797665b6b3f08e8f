/* pooled.c -- see pooled.h.  Floor 2, model. */
#include "model/pooled.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    tl_pooling  pool;
} poolings[] = { { "mean", TL_POOL_MEAN }, { "cls", TL_POOL_FIRST }, { "last", TL_POOL_LAST } };

const char *tl_pooling_name(tl_pooling pool)
{
    size_t i = 0;

    while (poolings[i].pool != pool) i++;
    return poolings[i].name;
}

bool tl_pooling_find(const char *name, tl_pooling *out)
{
    for (size_t i = 0; i < TL_COUNT(poolings); i++)
        if (strcmp(poolings[i].name, name) == 0) {
            *out = poolings[i].pool;
            return true;
        }
    return false;
}

static bool pooling_of(const json_t *config, tl_pooling *out)
{
    return tl_pooling_find(tl_json_text(config, "pooling", "mean"), out);
}

tl_pooling tl_pooling_of(const json_t *config)
{
    tl_pooling pool = TL_POOL_MEAN;

    pooling_of(config, &pool); /* configure has refused others */
    return pool;
}

bool tl_arch_is_pooled(const tl_arch *arch)
{
    return arch->family && arch->family->body == tl_pooled_body;
}

tl_status tl_pooled_network(tl_ctx *ctx, const char *where, const json_t *config, tl_arch *out)
{
    const json_t    *value  = json_object_get(config, "network");
    const tl_family *family = tl_family_find(tl_json_text(value, "family", ""));
    tl_pooling       pool;
    tl_status        rc;

    *out = (tl_arch){ 0 };
    if (!family || !family->text || !family->class_of)
        TL_FAIL(TL_EDATA, where, "\"network\" is no network of text (copy the model again)");
    if (!pooling_of(config, &pool))
        TL_FAIL(TL_EDATA, where, "\"pooling\" is none of mean, cls and last (mend it)");
    TL_TRY(tl_arch_from_json(ctx, where, value, out));
    out->ask = TL_ASK_TOKENS;
done:
    return rc;
}

tl_status tl_pooled_configure(tl_ctx *ctx, const char *where, const char *size, const char *of,
                              const json_t *config, json_t *more, tl_arch *arch)
{
    tl_arch   network = { 0 };
    json_t   *vocabulary;
    tl_status rc;

    if (!config)
        TL_FAIL(TL_EUSAGE, where, "\"%.40s\" has no size of its own: it is made %s",
                size ? size : arch->family->name, of);
    TL_TRY(tl_pooled_network(ctx, where, config, &network));
    arch->row = network.row;
    snprintf(arch->name, sizeof arch->name, "%s of %.40s", arch->family->name, network.name);
    json_object_set_new(more, "pooling", json_string(tl_pooling_name(tl_pooling_of(config))));
    json_object_set(more, "network", json_object_get(config, "network"));
    vocabulary = json_object_get(network.config, "vocab_size");
    if (vocabulary) json_object_set(more, "vocab_size", vocabulary);
    TL_TRY(tl_config_take(ctx, arch, json_incref(more)));
done:
    json_decref(more);
    tl_arch_free(ctx, &network);
    return rc;
}

tl_tensor tl_pooled_body(tl_net *net, const tl_arch *arch, tl_tensor ids)
{
    tl_arch   network;
    tl_tensor x;

    net->status = tl_pooled_network(net->ctx, arch->name, arch->config, &network);
    if (net->status != TL_OK) return 0;
    x = network.family->body(net, &network, ids);
    tl_arch_free(net->ctx, &network);
    if (net->status != TL_OK || arch->ask == TL_ASK_TOKENS) return x;
    tl_net_layer(net, "pooled");
    return tl_sequence_pool(net->g, x, net->text.offsets, tl_pooling_of(arch->config));
}

tl_tensor tl_pooled_head(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    net->init_sd = 0.02f;
    return tl_net_linear(net, "classifier", x, arch->outputs, true, TL_ACT_NONE, TL_INIT_NORMAL);
}
