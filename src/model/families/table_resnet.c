/* table_resnet.c -- the residual network for rows of tables: a linear layer to a stream of d_block
 * numbers, blocks of batch norm, linear, ReLU, linear added to it, and a head of batch norm, ReLU
 * and a linear layer.  Source: Gorishniy et al. 2021, "Revisiting Deep Learning Models for Tabular
 * Data", arXiv:2106.11959, section 3.3; names and defaults of the package
 * rtdl_revisiting_models.  Floor 2, model. */
#include "model/levels.h"

#include <stdio.h>
#include <string.h>

enum { MOST_BLOCKS = 64, MOST_UNITS = 1 << 14 };

static const float eps = 1e-5f, momentum = 0.1f;

typedef struct {
    int64_t blocks, width;
    double  wider, drop_inside, drop_behind; /* hidden units over width; dropout            */
} plan;

/* "table-resnet", "table-resnet:4x256" */
static tl_status parse_size(tl_ctx *ctx, const char *where, const char *size, plan *p)
{
    const char *colon = strchr(size, ':');
    int         read  = 0;

    if (!colon) return TL_OK;
    if (sscanf(colon + 1, "%" SCNd64 "x%" SCNd64 "%n", &p->blocks, &p->width, &read) == 2 &&
        colon[1 + read] == 0 && p->blocks >= 1 && p->blocks <= MOST_BLOCKS && p->width >= 1 &&
        p->width <= MOST_UNITS)
        return TL_OK;
    return tl_fail(ctx, TL_EUSAGE, where,
                   "\"%.60s\" is not blocks x width (write table_resnet:2x192)", size);
}

static tl_status read_config(tl_ctx *ctx, const char *where, const json_t *config, plan *p)
{
    tl_status rc;

    TL_TRY(tl_config_int(ctx, where, config, "n_blocks", 1, MOST_BLOCKS, 2, &p->blocks));
    TL_TRY(tl_config_int(ctx, where, config, "d_block", 1, MOST_UNITS, 192, &p->width));
    TL_TRY(tl_config_number(ctx, where, config, "d_hidden_multiplier", 0.01, 16.0, 2.0,
                            &p->wider));
    TL_TRY(tl_config_number(ctx, where, config, "dropout1", 0.0, 0.99, 0.15, &p->drop_inside));
    TL_TRY(tl_config_number(ctx, where, config, "dropout2", 0.0, 0.99, 0.0, &p->drop_behind));
done:
    return rc;
}

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    plan      p      = { 2, 192, 2.0, 0.15, 0.0 };
    json_t   *levels = NULL;
    tl_status rc;

    TL_TRY(size ? parse_size(ctx, where, size, &p) : read_config(ctx, where, config, &p));
    if (config) TL_TRY(tl_config_row(ctx, where, config, 0, arch));
    TL_TRY(tl_levels_config(ctx, where, config, arch, &levels));
    TL_TRY(tl_config_take(ctx, arch,
                          json_pack("{s:I, s:I, s:f, s:f, s:f, s:o}", "n_blocks",
                                    (json_int_t)p.blocks, "d_block", (json_int_t)p.width,
                                    "d_hidden_multiplier", p.wider, "dropout1", p.drop_inside,
                                    "dropout2", p.drop_behind, "levels", levels)));
    snprintf(arch->name, sizeof arch->name, "table-resnet");
done:
    return rc;
}

/* The settings that are no shapes (dropout) are the defaults then. */
static tl_status recognise(tl_ctx *ctx, const char *scheme, const tl_tensors *t, tl_arch *arch)
{
    const tl_shape *first = tl_tensors_find(t, "input_projection.weight");
    const tl_shape *wide  = tl_tensors_find(t, "blocks.0.linear1.weight");
    const tl_shape *last  = tl_tensors_find(t, "output.linear.weight");
    char            name[48];
    json_t         *config;
    int64_t         blocks = 0;
    tl_status       rc;

    (void)scheme;
    if (tl_tensors_find(t, "embeddings.0.weight")) return TL_EUSAGE;
    if (!first || !wide || !last || first->ndim != 2 || wide->ndim != 2 || last->ndim != 2 ||
        !tl_tensors_find(t, "output.normalization.running_mean"))
        return TL_EUSAGE;
    do snprintf(name, sizeof name, "blocks.%" PRId64 ".linear2.weight", blocks);
    while (tl_tensors_find(t, name) && ++blocks < MOST_BLOCKS);
    if (!blocks || first->dim[0] > MOST_UNITS) return TL_EUSAGE;
    arch->row     = TL_SHAPE(first->dim[1]);
    arch->outputs = last->dim[0];
    config        = json_pack("{s:I, s:I, s:f}", "n_blocks", (json_int_t)blocks, "d_block",
                              (json_int_t)first->dim[0], "d_hidden_multiplier",
                              (double)wide->dim[0] / (double)wide->dim[1]);
    if (!config) return tl_fail(ctx, TL_ENOMEM, "memory", "no room (free some memory)");
    rc = configure(ctx, "table-resnet", NULL, config, arch);
    json_decref(config);
    return rc;
}

static tl_tensor block(tl_net *net, const plan *p, tl_tensor x)
{
    const int64_t hidden = TL_MAX((int64_t)((double)p->width * p->wider), (int64_t)1);
    tl_tensor     y;

    y = tl_net_batch_norm(net, "normalization", x, eps, momentum, TL_ACT_NONE, 0);
    y = tl_net_linear(net, "linear1", y, hidden, true, TL_ACT_RELU, TL_INIT_HE_UNIFORM);
    y = tl_net_dropout(net, y, (float)p->drop_inside);
    y = tl_net_linear(net, "linear2", y, p->width, true, TL_ACT_NONE, TL_INIT_HE_UNIFORM);
    y = tl_net_dropout(net, y, (float)p->drop_behind);
    return tl_add(net->g, x, y, TL_ACT_NONE);
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    plan p;

    net->status = read_config(net->ctx, arch->name, arch->config, &p);
    if (net->status != TL_OK) {
        tl_graph_fail(net->g, "%s", net->ctx->message);
        return 0;
    }
    x = tl_net_levels(net, arch, tl_net_flatten(net, x));
    x = tl_net_linear(net, "input_projection", x, p.width, true, TL_ACT_NONE,
                      TL_INIT_GLOROT_UNIFORM);
    for (int64_t i = 0; i < p.blocks; i++) {
        x = tl_net_block(net, x);
        tl_net_push(net, "blocks.%" PRId64, i);
        x = block(net, &p, x);
        tl_net_pop(net);
    }
    tl_net_push(net, "output");
    x = tl_net_batch_norm(net, "normalization", x, eps, momentum, TL_ACT_RELU, 0);
    tl_net_pop(net);
    return x;
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor features)
{
    tl_tensor y;

    if (arch->dropout > 0.0) features = tl_net_dropout(net, features, (float)arch->dropout);
    tl_net_push(net, "output");
    y = tl_net_linear(net, "linear", features, arch->outputs, true, TL_ACT_NONE,
                      TL_INIT_GLOROT_UNIFORM);
    tl_net_pop(net);
    return y;
}

static const char *const keys[] = { "n_blocks", "d_block",  "d_hidden_multiplier",
                                    "dropout1", "dropout2", "levels", NULL };
static const char *const  sizes[] = { "table-resnet", NULL };
static const tl_names_map maps[]  = { { "rtdl", NULL, 0 } };

const tl_family tl_family_table_resnet = {
    .name         = "table_resnet",
    .doc          = "residual network for tables: table-resnet, table_resnet:2x192",
    .source       = "Gorishniy et al. 2021, arXiv:2106.11959",
    .sizes        = sizes,
    .keys         = keys,
    .configure    = configure,
    .recognise    = recognise,
    .body         = body,
    .head         = head,
    .maps         = maps,
    .n_maps       = TL_COUNT(maps),
    .default_prep = "unit",
};
