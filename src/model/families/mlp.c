/* mlp.c -- the multilayer perceptron: mlp, mlp:128x64, mlp:128x64:tanh.
 * Source: Rumelhart et al. 1986; weights start as He et al. 2015 (rectifiers) or Glorot and
 * Bengio 2010.  Floor 2, model. */
#include "core/text.h"
#include "model/levels.h"

#include <stdio.h>
#include <string.h>

enum { MOST_LAYERS = 64, MOST_UNITS = 1 << 16 };

static const int64_t default_units[] = { 256, 128 };

/* "128x64" into units; false when it is not that. */
static bool parse_units(const char *text, int64_t units[MOST_LAYERS], int *count)
{
    char part[24];

    for (*count = 0; *count < MOST_LAYERS; text++) {
        const size_t bytes = strcspn(text, "x");
        snprintf(part, sizeof part, "%.*s", (int)TL_MIN(bytes, sizeof part - 1), text);
        if (!tl_parse_int(part, &units[*count]) || units[*count] < 1 ||
            units[*count] > MOST_UNITS)
            return false;
        ++*count;
        text += bytes;
        if (!*text) return true;
    }
    return false;
}

/* "mlp", "mlp:128x64", "mlp:128x64:tanh" */
static tl_status parse_size(tl_ctx *ctx, const char *where, const char *size,
                            int64_t units[MOST_LAYERS], int *count, char act[24])
{
    const char *colon  = strchr(size, ':'),
               *second = colon ? strchr(colon + 1, ':') : NULL;
    char        text[512];

    snprintf(act, 24, "%s", second ? second + 1 : "relu");
    if (!colon) {
        memcpy(units, default_units, sizeof default_units);
        *count = TL_COUNT(default_units);
        return TL_OK;
    }
    snprintf(text, sizeof text, "%.*s",
             second ? (int)(second - colon - 1) : (int)sizeof text - 1, colon + 1);
    if (parse_units(text, units, count)) return TL_OK;
    return tl_fail(ctx, TL_EUSAGE, where,
                   "\"%.60s\" is not sizes of layers (write mlp:128x64)", size);
}

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    tl_status     rc;
    int64_t       units[MOST_LAYERS];
    int           count;
    char          act[24];
    tl_activation known;
    json_t       *levels = NULL;

    if (size) {
        TL_TRY(parse_size(ctx, where, size, units, &count, act));
    } else {
        TL_TRY(tl_config_ints(ctx, where, config, "hidden_sizes", 1, MOST_UNITS,
                              MOST_LAYERS, units, &count));
        TL_TRY(tl_config_row(ctx, where, config, 0, arch));
        snprintf(act, sizeof act, "%s", tl_json_text(config, "hidden_act", "relu"));
    }
    if (!tl_act_parse(act, &known))
        TL_FAIL(size ? TL_EUSAGE : TL_EDATA, where,
                "\"%s\" is not an activation (write relu or "
                "gelu)",
                act);
    TL_TRY(tl_levels_config(ctx, where, config, arch, &levels));
    TL_TRY(
        tl_config_take(ctx, arch,
                       json_pack("{s:o, s:s, s:o}", "hidden_sizes",
                                 tl_config_from_ints(units, count), "hidden_act", act,
                                 "levels", levels)));
    snprintf(arch->name, sizeof arch->name, "mlp");
done:
    return rc;
}

/* layers.0.weight, layers.1.weight... and head.weight; the activation is not in a file, relu
 * is taken. */
static tl_status recognise(tl_ctx *ctx, const char *scheme, const tl_tensors *tensors,
                           tl_arch *arch)
{
    tl_status       rc;
    int64_t         units[MOST_LAYERS];
    int             count = 0;
    char            name[40];
    const tl_shape *shape, *head = tl_tensors_find(tensors, "head.weight");
    json_t         *config = NULL;

    (void)scheme;
    if (!head || head->ndim != 2 || tl_tensors_find(tensors, "embeddings.0.weight"))
        return TL_EUSAGE;
    for (; count < MOST_LAYERS; count++) {
        snprintf(name, sizeof name, "layers.%d.weight", count);
        if (!(shape = tl_tensors_find(tensors, name))) break;
        if (shape->ndim != 2 || shape->dim[0] > MOST_UNITS) return TL_EUSAGE;
        if (count == 0) arch->row = TL_SHAPE(shape->dim[1]);
        units[count] = shape->dim[0];
    }
    if (!count) return TL_EUSAGE;
    arch->outputs = head->dim[0];
    config = json_pack("{s:o}", "hidden_sizes", tl_config_from_ints(units, count));
    if (!config) TL_FAIL(TL_ENOMEM, "mlp", "out of memory");
    TL_TRY(configure(ctx, "mlp", NULL, config, arch));
done:
    json_decref(config);
    return rc;
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const json_t *units = json_object_get(arch->config, "hidden_sizes");
    tl_activation act   = TL_ACT_RELU;
    char          name[24];

    tl_act_parse(tl_json_text(arch->config, "hidden_act", "relu"), &act);
    const bool rectifier =
        act != TL_ACT_TANH && act != TL_ACT_SIGMOID && act != TL_ACT_NONE;
    x = tl_net_levels(net, arch, tl_net_flatten(net, x));
    tl_net_push(net, "layers");
    for (size_t i = 0; i < json_array_size(units); i++) {
        snprintf(name, sizeof name, "%zu", i);
        if (i > 0) x = tl_net_block(net, x);
        x = tl_net_linear(net, name, x, json_integer_value(json_array_get(units, i)),
                          true, act,
                          rectifier ? TL_INIT_HE_UNIFORM : TL_INIT_GLOROT_UNIFORM);
    }
    tl_net_pop(net);
    return x;
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor features)
{
    if (arch->dropout > 0.0)
        features = tl_net_dropout(net, features, (float)arch->dropout);
    return tl_net_linear(net, "head", features, arch->outputs, true, TL_ACT_NONE,
                         TL_INIT_GLOROT_UNIFORM);
}

static const char *const keys[] = { "hidden_sizes", "hidden_act", "levels", NULL };
static const char *const sizes[] = { "mlp", NULL };
static const tl_names_map maps[] = { { "tailor", NULL, 0 } };

const tl_family tl_family_mlp = {
    .name         = "mlp",
    .doc          = "multilayer perceptron: mlp, mlp:128x64, mlp:128x64:tanh",
    .source       = "Rumelhart et al. 1986; He et al. 2015, arXiv:1502.01852",
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
