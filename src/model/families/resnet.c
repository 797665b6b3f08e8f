/* resnet.c -- ResNet-18/34/50: torchvision's names, the bottleneck's stride on its 3x3
 * convolution (v1.5), and a stem for small pictures (3x3, stride 1, no pooling).
 * Sources: He et al. 2016, arXiv:1512.03385; torchvision/models/resnet.py; the CIFAR stem as
 * in github.com/kuangliu/pytorch-cifar.  Floor 2, model. */
#include "model/config.h"

#include <stdio.h>
#include <string.h>

enum { STAGES = 4, MOST_BLOCKS = 200, REDUCTION = 4 };

static const float eps = 1e-5f, momentum = 0.1f;

typedef struct {
    int64_t blocks[STAGES],
        width[STAGES]; /* width: channels that a stage puts out         */
    int64_t stem_width;
    bool    bottleneck, small;
} plan;

static const struct { const char *name; plan plan; } known[] = {
    { "resnet18", { { 2, 2, 2, 2 }, { 64, 128, 256, 512 }, 64, false, false } },
    { "resnet34", { { 3, 4, 6, 3 }, { 64, 128, 256, 512 }, 64, false, false } },
    { "resnet50", { { 3, 4, 6, 3 }, { 256, 512, 1024, 2048 }, 64, true, false } },
    { "resnet18-cifar", { { 2, 2, 2, 2 }, { 64, 128, 256, 512 }, 64, false, true } },
    { "resnet34-cifar", { { 3, 4, 6, 3 }, { 64, 128, 256, 512 }, 64, false, true } },
};
static const char *const keys[] = {
    "depths", "hidden_sizes", "embedding_size", "layer_type", "stem", "hidden_act",
    "downsample_in_first_stage", "downsample_in_bottleneck", NULL
};
static const char *const sizes[] = { "resnet18",       "resnet34",       "resnet50",
                                     "resnet18-cifar", "resnet34-cifar", NULL };

static bool same_plan(const plan *a, const plan *b)
{
    for (int s = 0; s < STAGES; s++)
        if (a->blocks[s] != b->blocks[s] || a->width[s] != b->width[s]) return false;
    return a->stem_width == b->stem_width && a->bottleneck == b->bottleneck &&
           a->small == b->small;
}

/* The settings under Hugging Face's keys, and one of ours: "stem". */
static tl_status settle(tl_ctx *ctx, const plan *p, tl_arch *arch)
{
    const char *name = "resnet";

    for (size_t i = 0; i < TL_COUNT(known); i++)
        if (same_plan(&known[i].plan, p)) name = known[i].name;
    snprintf(arch->name, sizeof arch->name, "%s", name);
    return tl_config_take(ctx, arch,
                          json_pack("{s:o, s:o, s:I, s:s, s:s, s:s}", "depths",
                                    tl_config_from_ints(p->blocks, STAGES),
                                    "hidden_sizes", tl_config_from_ints(p->width, STAGES),
                                    "embedding_size", (json_int_t)p->stem_width,
                                    "layer_type", p->bottleneck ? "bottleneck" : "basic",
                                    "hidden_act", "relu", "stem",
                                    p->small ? "cifar" : "imagenet"));
}

static tl_status read_text(tl_ctx *ctx, const char *where, const json_t *config,
                           const char *key, const char *no, const char *yes,
                           bool fallback, bool *out)
{
    const char *text = tl_json_text(config, key, fallback ? yes : no);

    *out = strcmp(text, yes) == 0;
    if (*out || strcmp(text, no) == 0) return TL_OK;
    return tl_fail(ctx, TL_EDATA, where, "\"%s\" is \"%.40s\" (supported: %s, %s)", key,
                   text, no, yes);
}

/* Absent settings have the defaults of Transformers' ResNetConfig, which is ResNet-50. */
static tl_status read_plan(tl_ctx *ctx, const char *where, const json_t *config, plan *p)
{
    tl_status rc;
    int       blocks, widths;

    *p = known[2].plan;
    TL_TRY(tl_config_ints(ctx, where, config, "depths", 1, MOST_BLOCKS, STAGES, p->blocks,
                          &blocks));
    TL_TRY(tl_config_ints(ctx, where, config, "hidden_sizes", 4, 1 << 16, STAGES,
                          p->width, &widths));
    if ((blocks && blocks != STAGES) || (widths && widths != STAGES))
        TL_FAIL(TL_EDATA, where,
                "\"depths\" and \"hidden_sizes\" must have %d entries (mend them)",
                STAGES);
    TL_TRY(tl_config_int(ctx, where, config, "embedding_size", 1, 1 << 16, 64,
                         &p->stem_width));
    TL_TRY(read_text(ctx, where, config, "layer_type", "basic", "bottleneck", true,
                     &p->bottleneck));
    TL_TRY(read_text(ctx, where, config, "stem", "imagenet", "cifar", false, &p->small));
    for (int s = 0; s < STAGES; s++)
        if (p->bottleneck && p->width[s] % REDUCTION)
            TL_FAIL(TL_EDATA, where, "\"hidden_sizes\" must divide by %d (mend it)",
                    REDUCTION);
    TL_TRY(tl_config_only_text(ctx, where, config, "hidden_act", "relu"));
    TL_TRY(tl_config_only_bool(ctx, where, config, "downsample_in_first_stage", false));
    TL_TRY(tl_config_only_bool(ctx, where, config, "downsample_in_bottleneck", false));
done:
    return rc;
}

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    tl_status rc;
    plan      p;
    size_t    i = 0;

    if (size) {
        while (i < TL_COUNT(known) && strcmp(known[i].name, size) != 0) i++;
        if (i == TL_COUNT(known))
            TL_FAIL(TL_EUSAGE, where,
                    "\"%.40s\" has no sizes of its own (write resnet18)", size);
        p = known[i].plan;
    } else {
        TL_TRY(read_plan(ctx, where, config, &p));
    }
    TL_TRY(tl_config_row(ctx, where, config, p.small ? 32 : 224, arch));
    TL_TRY(settle(ctx, &p, arch));
done:
    return rc;
}

/* Blocks of stage s (from 1), counted by their second convolution. */
static int64_t count_blocks(const tl_tensors *t, int s)
{
    char    name[48];
    int64_t n = 0;

    do snprintf(name, sizeof name, "layer%d.%" PRId64 ".conv2.weight", s, n);
    while (tl_tensors_find(t, name) && ++n < MOST_BLOCKS);
    return n;
}

static tl_status recognise(tl_ctx *ctx, const char *scheme, const tl_tensors *t,
                           tl_arch *arch)
{
    const tl_shape *stem = tl_tensors_find(t, "conv1.weight"), *last, *out;
    char            name[48];
    plan            p = { 0 };

    (void)scheme;
    if (!stem || stem->ndim != 4 || (stem->dim[2] != 7 && stem->dim[2] != 3))
        return TL_EUSAGE;
    p.stem_width = stem->dim[0];
    p.small      = stem->dim[2] == 3;
    p.bottleneck = tl_tensors_find(t, "layer1.0.conv3.weight");
    for (int s = 0; s < STAGES; s++) {
        p.blocks[s] = count_blocks(t, s + 1);
        snprintf(name, sizeof name, "layer%d.0.conv%d.weight", s + 1,
                 p.bottleneck ? 3 : 2);
        last = tl_tensors_find(t, name);
        if (!p.blocks[s] || !last || last->ndim != 4) return TL_EUSAGE;
        p.width[s] = last->dim[0];
    }
    out = tl_tensors_find(t, "fc.weight");
    arch->outputs = out && out->ndim == 2 ? out->dim[0] : 1000;
    arch->row =
        p.small ? TL_SHAPE(32, 32, stem->dim[1]) : TL_SHAPE(224, 224, stem->dim[1]);
    return settle(ctx, &p, arch);
}

static tl_tensor conv(tl_net *net, const char *name, tl_tensor x, int64_t out, int kernel,
                      int stride)
{
    const tl_conv_spec spec = { .out    = out,
                                .kernel = { kernel, kernel },
                                .stride = stride,
                                .pad    = kernel / 2,
                                .init   = TL_INIT_HE_NORMAL };

    return tl_net_conv(net, name, x, &spec);
}

static tl_tensor norm(tl_net *net, const char *name, tl_tensor x, tl_activation act,
                      tl_tensor residual)
{
    return tl_net_batch_norm(net, name, x, eps, momentum, act, residual);
}

static tl_tensor shortcut(tl_net *net, tl_tensor x, int64_t width, int stride)
{
    if (stride == 1 && tl_net_dim(net, x, 3) == width) return x;
    x = conv(net, "downsample.0", x, width, 1, stride);
    return norm(net, "downsample.1", x, TL_ACT_NONE, 0);
}

static tl_tensor block(tl_net *net, const plan *p, tl_tensor x, int64_t width, int stride)
{
    const int64_t inner = p->bottleneck ? width / REDUCTION : width;
    const char   *last  = p->bottleneck ? "bn3" : "bn2";
    tl_tensor     y;

    x = tl_net_block(net, x);
    y = conv(net, "conv1", x, inner, p->bottleneck ? 1 : 3, p->bottleneck ? 1 : stride);
    y = norm(net, "bn1", y, TL_ACT_RELU, 0);
    y = conv(net, "conv2", y, inner, 3, p->bottleneck ? stride : 1);
    if (p->bottleneck) {
        y = norm(net, "bn2", y, TL_ACT_RELU, 0);
        y = conv(net, "conv3", y, width, 1, 1);
    }
    x = shortcut(net, x, width, stride);
    return norm(net, last, y, TL_ACT_RELU, x);
}

static tl_tensor stem(tl_net *net, const plan *p, tl_tensor x)
{
    const tl_pool_attr pool = { .kernel = { 3, 3 },
                                .stride = { 2, 2 },
                                .pad    = { 1, 1, 1, 1 } };

    x = conv(net, "conv1", x, p->stem_width, p->small ? 3 : 7, p->small ? 1 : 2);
    x = norm(net, "bn1", x, TL_ACT_RELU, 0);
    if (p->small) return x;
    tl_net_layer(net, "maxpool");
    return tl_max_pool(net->g, x, &pool);
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    plan p;

    net->status = read_plan(net->ctx, arch->name, arch->config, &p);
    if (net->status != TL_OK) return 0;
    x = stem(net, &p, x);
    for (int s = 0; s < STAGES; s++)
        for (int64_t b = 0; b < p.blocks[s]; b++) {
            tl_net_push(net, "layer%d.%" PRId64, s + 1, b);
            x = block(net, &p, x, p.width[s], s > 0 && b == 0 ? 2 : 1);
            tl_net_pop(net);
        }
    tl_net_layer(net, "avgpool");
    return tl_global_avg_pool(net->g, x);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor features)
{
    if (arch->dropout > 0.0)
        features = tl_net_dropout(net, features, (float)arch->dropout);
    return tl_net_linear(net, "fc", features, arch->outputs, true, TL_ACT_NONE,
                         TL_INIT_FAN_IN_UNIFORM);
}

static const tl_rename hugging_face[] = {
    { "^resnet.embedder.embedder.convolution.", "conv1." },
    { "^resnet.embedder.embedder.normalization.", "bn1." },
    { "^resnet.encoder.stages.0.layers.", "layer1." },
    { "^resnet.encoder.stages.1.layers.", "layer2." },
    { "^resnet.encoder.stages.2.layers.", "layer3." },
    { "^resnet.encoder.stages.3.layers.", "layer4." },
    { ".layer.0.convolution.", ".conv1." },
    { ".layer.1.convolution.", ".conv2." },
    { ".layer.2.convolution.", ".conv3." },
    { ".layer.0.normalization.", ".bn1." },
    { ".layer.1.normalization.", ".bn2." },
    { ".layer.2.normalization.", ".bn3." },
    { ".shortcut.convolution.", ".downsample.0." },
    { ".shortcut.normalization.", ".downsample.1." },
    { "^classifier.1.", "fc." },
};
static const tl_rename kuangliu[] = {
    { ".shortcut.", ".downsample." },
    { "^linear.", "fc." },
};
static const tl_names_map maps[] = {
    { "torchvision", NULL, 0 }, /* timm has the same names */
    { "hugging-face", hugging_face, TL_COUNT(hugging_face) },
    { "kuangliu", kuangliu, TL_COUNT(kuangliu) },
};

const tl_family tl_family_resnet = {
    .name         = "resnet",
    .doc          = "residual networks, 18, 34 and 50 layers",
    .source       = "He et al. 2016, arXiv:1512.03385; torchvision/models/resnet.py",
    .sizes        = sizes,
    .keys         = keys,
    .pictures     = true,
    .configure    = configure,
    .recognise    = recognise,
    .body         = body,
    .head         = head,
    .maps         = maps,
    .n_maps       = TL_COUNT(maps),
    .default_prep = "imagenet",
};
