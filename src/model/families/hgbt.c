/* hgbt.c -- gradient-boosted trees as a network: fitted by the baseline, they travel as
 * weights and are asked as any other.  Two classes have one score, the other's is 0; two labels
 * that may hold together have two.
 * Sources: Friedman 2001; Ke et al. 2017 (LightGBM).  Floor 2, model. */
#include "model/config.h"
#include "tensor/forest.h"

#include <stdio.h>

enum { MOST_NODES = 1 << 24, MOST_TREES = 1 << 20 };

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    int64_t   trees, nodes, words, scores;
    tl_status rc;

    if (!config)
        TL_FAIL(TL_EUSAGE, where,
                "\"%.40s\" has no size of its own: trees are made of training rows (try "
                "--route baseline)",
                size ? size : "hgbt");
    TL_TRY(tl_config_row(ctx, where, config, 0, arch));
    TL_TRY(tl_config_int(ctx, where, config, "trees", 1, MOST_TREES, 1, &trees));
    TL_TRY(tl_config_int(ctx, where, config, "nodes", 1, MOST_NODES, 1, &nodes));
    TL_TRY(tl_config_int(ctx, where, config, "words", 1, MOST_NODES, TL_SET_WORDS, &words));
    TL_TRY(tl_config_int(ctx, where, config, "scores", 1, MOST_TREES,
                         arch->outputs == 2 ? 1 : TL_MAX(arch->outputs, (int64_t)1), &scores));
    if (scores != arch->outputs && (scores != 1 || arch->outputs != 2))
        TL_FAIL(TL_EDATA, where, "%" PRId64 " scores are not those of %" PRId64 " outputs (copy "
                "the model again)", scores, arch->outputs);
    if (arch->row.ndim > 1)
        TL_FAIL(TL_EUSAGE, where, "trees take rows of a table (give a CSV, or another --arch)");
    TL_TRY(tl_config_take(ctx, arch,
                          json_pack("{s:I, s:I, s:I, s:I}", "trees", (json_int_t)trees, "nodes",
                                    (json_int_t)nodes, "words", (json_int_t)words, "scores",
                                    (json_int_t)scores)));
    snprintf(arch->name, sizeof arch->name, "hgbt");
done:
    return rc;
}

static int64_t setting(const tl_arch *arch, const char *key)
{
    return tl_json_int(arch->config, key, 1);
}

static tl_tensor part(tl_net *net, const char *name, tl_shape shape)
{
    return tl_net_param(net, name, shape, TL_ROLE_STATE, TL_INIT_ZERO, 0.0f);
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const int64_t scores = setting(arch, "scores");

    x = tl_cast(net->g, x, TL_F32);
    const tl_tensor node =
        part(net, "trees.node", TL_SHAPE(setting(arch, "nodes"), TL_NODE_FIELDS));
    const tl_tensor bits = part(net, "trees.bits", TL_SHAPE(setting(arch, "words")));
    const tl_tensor root = part(net, "trees.root", TL_SHAPE(setting(arch, "trees")));
    const tl_tensor base = part(net, "trees.base", TL_SHAPE(scores));
    tl_net_layer(net, "trees");
    return tl_forest_scores(net->g, x, node, bits, root, base);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor scores)
{
    static const int64_t before[TL_DIMS] = { 0, 1 }, after[TL_DIMS] = { 0 };

    tl_net_layer(net, "scores");
    return setting(arch, "scores") < arch->outputs ? tl_pad(net->g, scores, before, after)
                              : tl_scale(net->g, scores, 1.0f);
}

static const char *const sizes[] = { NULL }; /* made of training rows */
static const tl_names_map maps[] = { { "tailor", NULL, 0 } };

const tl_family tl_family_hgbt = {
    .name         = "hgbt",
    .doc          = "gradient-boosted trees on histograms: what the baseline for tables is",
    .source       = "Friedman 2001; Ke et al. 2017, LightGBM",
    .sizes        = sizes,
    .configure    = configure,
    .body         = body,
    .head         = head,
    .maps         = maps,
    .n_maps       = TL_COUNT(maps),
    .default_prep = "unit",
};
