/* hog.c -- histograms of oriented gradients under a linear layer: made by the baseline; as a base
 * its body is the histograms.  Source: Dalal and Triggs 2005.  Floor 2, model. */
#include "model/config.h"
#include "tensor/hog.h"

#include <stdio.h>

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    tl_status rc;
    int64_t   cell, cells[2];

    if (!config)
        TL_FAIL(TL_EUSAGE, where,
                "\"%.40s\" is solved, not trained (try --route baseline)",
                size ? size : "hog");
    TL_TRY(tl_config_row(ctx, where, config, 0, arch));
    TL_TRY(tl_config_int(ctx, where, config, "cell", 2, 4096, 8, &cell));
    for (int i = 0; i < 2; i++) {
        cells[i] = arch->row.ndim == 3 ? arch->row.dim[i] / cell : 0;
        if (cells[i] < TL_HOG_BLOCK || cells[i] > TL_HOG_MOST_CELLS)
            TL_FAIL(TL_EDATA, where,
                    "cells of %" PRId64
                    " pixels do not fit the picture (supported: %d to %d of "
                    "them a side)",
                    cell, TL_HOG_BLOCK, TL_HOG_MOST_CELLS);
    }
    TL_TRY(tl_config_take(ctx, arch, json_pack("{s:I}", "cell", (json_int_t)cell)));
    snprintf(arch->name, sizeof arch->name, "hog");
done:
    return rc;
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const tl_hog_attr attr = { .cell = tl_json_int(arch->config, "cell", 8) };

    x = tl_cast(net->g, x, TL_F32);
    tl_net_layer(net, "gradients");
    return tl_hog_features(net->g, x, &attr);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor features)
{
    return tl_net_linear(net, "head", features, arch->outputs, true, TL_ACT_NONE,
                         TL_INIT_GLOROT_UNIFORM);
}

static const char *const  keys[]  = { "cell", NULL };
static const char *const  sizes[] = { NULL };
static const tl_names_map maps[]  = { { "tailor", NULL, 0 } };

const tl_family tl_family_hog = {
    .name = "hog",
    .doc =
        "histograms of oriented gradients and a linear layer: what the baseline may be",
    .source       = "Dalal and Triggs 2005",
    .sizes        = sizes,
    .keys         = keys,
    .pictures     = true,
    .configure    = configure,
    .body         = body,
    .head         = head,
    .maps         = maps,
    .n_maps       = TL_COUNT(maps),
    .default_prep = "unit",
};
