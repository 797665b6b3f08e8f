/* squeezenet.c -- SqueezeNet 1.0 and 1.1 under torchvision's names, and the original Caffe
 * network, whose last 1x1 convolution pads by 1.
 *
 * The source head is a convolution, a rectifier and the mean over the picture.  A new head
 * (arch.source_head false) is one linear layer on the 512 means of the last fire module.
 * Sources: Iandola et al. 2016, arXiv:1602.07360; torchvision/models/squeezenet.py;
 * github.com/songhan/SqueezeNet-Deep-Compression for the Caffe form.  Floor 2, model. */
#include "model/config.h"

#include <stdio.h>
#include <string.h>

static const double default_dropout = 0.5;

/* features.N in order; `squeeze` 0 is a max pool, else a fire module that puts out
 * 2 x expand channels. */
typedef struct { int at, squeeze, expand; } module;
static const module v1_0[] = { { 2, 0, 0 },    { 3, 16, 64 },  { 4, 16, 64 },
                               { 5, 32, 128 }, { 6, 0, 0 },    { 7, 32, 128 },
                               { 8, 48, 192 }, { 9, 48, 192 }, { 10, 64, 256 },
                               { 11, 0, 0 },   { 12, 64, 256 } };
static const module v1_1[] = { { 2, 0, 0 },     { 3, 16, 64 },  { 4, 16, 64 },
                               { 5, 0, 0 },     { 6, 32, 128 }, { 7, 32, 128 },
                               { 8, 0, 0 },     { 9, 48, 192 }, { 10, 48, 192 },
                               { 11, 64, 256 }, { 12, 64, 256 } };

static tl_status settle(tl_ctx *ctx, bool first, bool caffe, tl_arch *arch)
{
    snprintf(arch->name, sizeof arch->name, "squeezenet1_%d", first ? 0 : 1);
    return tl_config_take(ctx, arch,
                          json_pack("{s:s, s:b, s:s}", "version", first ? "1_0" : "1_1",
                                    "caffe", caffe, "prep",
                                    caffe ? "caffe" : "imagenet"));
}

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    tl_status   rc;
    bool        caffe = false;
    const char *version = size ? size : tl_json_text(config, "version", "1_0");

    if (size && strncmp(size, "squeezenet", 10) == 0) version += 10;
    if (strcmp(version, "1_0") != 0 && strcmp(version, "1_1") != 0)
        TL_FAIL(size ? TL_EUSAGE : TL_EDATA, where,
                "\"%.40s\" is not a version of SqueezeNet (1_0, 1_1)", version);
    TL_TRY(tl_config_bool(ctx, where, config, "caffe", false, &caffe));
    TL_TRY(tl_config_row(ctx, where, config, caffe ? 227 : 224, arch));
    TL_TRY(settle(ctx, strcmp(version, "1_0") == 0, caffe, arch));
done:
    return rc;
}

static tl_status recognise(tl_ctx *ctx, const char *scheme, const tl_tensors *t,
                           tl_arch *arch)
{
    const tl_shape *stem = tl_tensors_find(t, "features.0.weight");
    const tl_shape *out  = tl_tensors_find(t, "classifier.1.weight");
    const bool      caffe = strcmp(scheme, "caffe") == 0;

    if (!stem || stem->ndim != 4 || !tl_tensors_find(t, "features.3.squeeze.weight"))
        return TL_EUSAGE;
    const bool first = stem->dim[0] == 96 && stem->dim[2] == 7;
    if (!first && (stem->dim[0] != 64 || stem->dim[2] != 3)) return TL_EUSAGE;
    if (!out) {
        out = tl_tensors_find(t, "linear.weight");
        arch->source_head = false;
    }
    arch->outputs = out && out->ndim >= 2 ? out->dim[0] : 1000;
    arch->row =
        caffe ? TL_SHAPE(227, 227, stem->dim[1]) : TL_SHAPE(224, 224, stem->dim[1]);
    return settle(ctx, first, caffe, arch);
}

static tl_tensor conv(tl_net *net, const char *name, tl_tensor x, int64_t out, int kernel,
                      int stride, int pad)
{
    const tl_conv_spec spec = { .out    = out,
                                .kernel = { kernel, kernel },
                                .stride = stride,
                                .pad    = pad,
                                .bias   = true,
                                .act    = TL_ACT_RELU,
                                .init = net->head ? TL_INIT_NORMAL : TL_INIT_HE_UNIFORM };

    return tl_net_conv(net, name, x, &spec);
}

static tl_tensor fire(tl_net *net, const module *m, tl_tensor x)
{
    tl_tensor both[2];

    x       = tl_net_block(net, x);
    x       = conv(net, "squeeze", x, m->squeeze, 1, 1, 0);
    both[0] = conv(net, "expand1x1", x, m->expand, 1, 1, 0);
    both[1] = conv(net, "expand3x3", x, m->expand, 3, 1, 1);
    tl_net_layer(net, "concat");
    return tl_concat(net->g, both, 2, 3);
}

static tl_tensor features(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const tl_pool_attr pool  = { .kernel = { 3, 3 }, .stride = { 2, 2 }, .ceil = true };
    const bool first = strcmp(tl_json_text(arch->config, "version", "1_0"), "1_0") == 0;
    const module      *m     = first ? v1_0 : v1_1;
    const size_t       count = first ? TL_COUNT(v1_0) : TL_COUNT(v1_1);

    x = conv(net, "features.0", x, first ? 96 : 64, first ? 7 : 3, 2, 0);
    for (size_t i = 0; i < count; i++) {
        tl_net_push(net, "features.%d", m[i].at);
        if (m[i].squeeze) {
            x = fire(net, &m[i], x);
        } else {
            tl_net_layer(net, "maxpool");
            x = tl_max_pool(net->g, x, &pool);
        }
        tl_net_pop(net);
    }
    return x;
}

static tl_tensor drop(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    return tl_net_dropout(net, x,
                          (float)(arch->dropout < 0.0 ? default_dropout : arch->dropout));
}

static tl_tensor whole(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const int pad = tl_json_bool(arch->config, "caffe", false) ? 1 : 0;

    x = features(net, arch, x);
    net->head = true;
    net->block++;
    x = drop(net, arch, x);
    x = conv(net, "classifier.1", x, arch->outputs, 1, 1, pad);
    net->head = false;
    tl_net_layer(net, "avgpool");
    return tl_global_avg_pool(net->g, x);
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    x = features(net, arch, x);
    tl_net_layer(net, "avgpool");
    return tl_global_avg_pool(net->g, x);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    return tl_net_linear(net, "linear", drop(net, arch, x), arch->outputs, true,
                         TL_ACT_NONE, TL_INIT_NORMAL);
}

static const tl_rename caffe[] = {
    { "^conv1.", "features.0." },
    { "^fire2/", "features.3." },
    { "^fire3/", "features.4." },
    { "^fire4/", "features.5." },
    { "^fire5/", "features.7." },
    { "^fire6/", "features.8." },
    { "^fire7/", "features.9." },
    { "^fire8/", "features.10." },
    { "^fire9/", "features.12." },
    { "^conv_final.", "classifier.1." },
    { ".conv1x1_1.", ".squeeze." },
    { ".conv1x1_2.", ".expand1x1." },
    { ".conv3x3_2.", ".expand3x3." },
};
static const tl_names_map maps[] = {
    { "torchvision", NULL, 0 },
    { "caffe", caffe, TL_COUNT(caffe) },
};
static const char *const keys[] = { "version", "caffe", NULL };
static const char *const sizes[] = { "squeezenet1_0", "squeezenet1_1", NULL };

const tl_family tl_family_squeezenet = {
    .name         = "squeezenet",
    .doc          = "fire modules, 1.2 million parameters",
    .source       = "Iandola et al. 2016, arXiv:1602.07360",
    .sizes        = sizes,
    .keys         = keys,
    .pictures     = true,
    .configure    = configure,
    .recognise    = recognise,
    .body         = body,
    .head         = head,
    .whole        = whole,
    .maps         = maps,
    .n_maps       = TL_COUNT(maps),
    .default_prep = "imagenet",
};
