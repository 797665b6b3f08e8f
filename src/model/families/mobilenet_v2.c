/* mobilenet_v2.c -- MobileNetV2: inverted residuals, torchvision's names; tf_padding pads the
 * stride-2 convolutions as TensorFlow's SAME does (below and right).
 * Sources: Sandler et al. 2018, arXiv:1801.04381; torchvision/models/mobilenetv2.py;
 * Transformers' MobileNetV2Config for the settings' names.  Floor 2, model. */
#include "model/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BLOCKS = 17, LAST = BLOCKS + 1 };

static const float  momentum        = 0.1f;
static const double default_dropout = 0.2;

/* Table 2 of the paper: expansion, channels, repeats, stride. */
static const struct { int expand, channels, repeats, stride; } stages[] = {
    { 1, 16, 1, 1 }, { 6, 24, 2, 2 },  { 6, 32, 3, 2 },  { 6, 64, 4, 2 },
    { 6, 96, 3, 1 }, { 6, 160, 3, 2 }, { 6, 320, 1, 1 },
};

typedef struct { double multiplier, eps, dropout; bool tf_padding; } plan;

/* To a multiple of 8, but not below 90 % of what was asked. */
static int64_t widened(double channels)
{
    const int64_t made = TL_MAX((int64_t)8, (int64_t)(channels + 4.0) / 8 * 8);

    return (double)made < 0.9 * channels ? made + 8 : made;
}

static int64_t last_width(const plan *p)
{
    return widened(1280.0 * fmax(1.0, p->multiplier));
}

static tl_status settle(tl_ctx *ctx, const plan *p, tl_arch *arch)
{
    snprintf(arch->name, sizeof arch->name, "mobilenet_v2");
    if (p->multiplier != 1.0)
        snprintf(arch->name, sizeof arch->name, "mobilenet_v2-%g", p->multiplier);
    return tl_config_take(ctx, arch,
                          json_pack("{s:f, s:b, s:f, s:f, s:s, s:s}", "depth_multiplier",
                                    p->multiplier, "tf_padding", p->tf_padding,
                                    "layer_norm_eps", p->eps, "classifier_dropout_prob",
                                    p->dropout, "hidden_act", "relu6", "prep",
                                    p->tf_padding ? "half" : "imagenet"));
}

/* A config that does not say tf_padding is read as torchvision's network. */
static tl_status read_plan(tl_ctx *ctx, const char *where, const json_t *config, plan *p)
{
    tl_status rc;

    TL_TRY(tl_config_number(ctx, where, config, "depth_multiplier", 0.05, 4.0, 1.0,
                            &p->multiplier));
    TL_TRY(tl_config_number(ctx, where, config, "layer_norm_eps", 1e-12, 0.1, 1e-5,
                            &p->eps));
    TL_TRY(tl_config_number(ctx, where, config, "classifier_dropout_prob", 0.0, 1.0,
                            default_dropout, &p->dropout));
    /* Hugging Face's 0.8 is TensorFlow's probability to keep, under the wrong name. */
    if (p->dropout > 0.5) p->dropout = default_dropout;
    TL_TRY(tl_config_bool(ctx, where, config, "tf_padding", false, &p->tf_padding));
    TL_TRY(tl_config_only_text(ctx, where, config, "hidden_act", "relu6"));
    TL_TRY(tl_config_only_int(ctx, where, config, "depth_divisible_by", 8));
    TL_TRY(tl_config_only_int(ctx, where, config, "min_depth", 8));
    TL_TRY(tl_config_only_int(ctx, where, config, "output_stride", 32));
    TL_TRY(tl_config_only_bool(ctx, where, config, "first_layer_is_expansion", true));
    TL_TRY(tl_config_only_bool(ctx, where, config, "finegrained_output", true));
    if (tl_json_number(config, "expand_ratio", 6.0) != 6.0)
        TL_FAIL(TL_EDATA, where, "\"expand_ratio\": only 6 is supported");
done:
    return rc;
}

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    tl_status rc;
    plan      p = { 1.0, 1e-5, default_dropout, false };

    if (size && strchr(size, ':'))
        TL_FAIL(TL_EUSAGE, where, "\"%.40s\" has no sizes (write mobilenet_v2)", size);
    if (config) TL_TRY(read_plan(ctx, where, config, &p));
    TL_TRY(tl_config_row(ctx, where, config, 224, arch));
    TL_TRY(settle(ctx, &p, arch));
done:
    return rc;
}

/* True where tensor `name` has `out` rows. */
static bool has_rows(const tl_tensors *t, const char *name, int64_t out)
{
    const tl_shape *shape = tl_tensors_find(t, name);

    return shape && shape->ndim == 4 && shape->dim[0] == out;
}

/* The multiplier follows from three widths; padding is not in a file and reads as torchvision's. */
static tl_status recognise(tl_ctx *ctx, const char *scheme, const tl_tensors *t,
                           tl_arch *arch)
{
    static const double multipliers[] = {
        1.0, 0.75, 0.5, 0.35, 0.25, 1.1, 1.2, 1.3, 1.4
    };
    const tl_shape     *stem = tl_tensors_find(t, "features.0.0.weight");
    const tl_shape     *out  = tl_tensors_find(t, "classifier.1.weight");

    (void)scheme;
    if (!stem || stem->ndim != 4) return TL_EUSAGE;
    for (size_t i = 0; i < TL_COUNT(multipliers); i++) {
        const plan p = { multipliers[i], 1e-5, default_dropout, false };
        if (stem->dim[0] != widened(32.0 * p.multiplier) ||
            !has_rows(t, "features.17.conv.2.weight", widened(320.0 * p.multiplier)) ||
            !has_rows(t, "features.14.conv.2.weight", widened(160.0 * p.multiplier)) ||
            !has_rows(t, "features.18.0.weight", last_width(&p)))
            continue;
        arch->outputs = out && out->ndim == 2 ? out->dim[0] : 1000;
        arch->row     = TL_SHAPE(224, 224, stem->dim[1]);
        return settle(ctx, &p, arch);
    }
    return TL_EUSAGE;
}

typedef struct {
    int64_t       out;
    int           kernel, stride;
    bool          depthwise;
    tl_activation act;
} layer;

/* Convolution and norm: names "0.0" and "0.1", or "2" and "3". */
static tl_tensor conv_norm(tl_net *net, const plan *p, const char *conv, const char *norm,
                           tl_tensor x, layer l, tl_tensor residual)
{
    const tl_conv_spec spec = { .out    = l.out,
                                .kernel = { l.kernel, l.kernel },
                                .stride = l.stride,
                                .groups = l.depthwise ? (int)l.out : 1,
                                .pad    = l.kernel / 2,
                                .same   = p->tf_padding,
                                .init   = TL_INIT_HE_NORMAL };

    x = tl_net_conv(net, conv, x, &spec);
    return tl_net_batch_norm(net, norm, x, (float)p->eps, momentum, l.act, residual);
}

static tl_tensor inverted_residual(tl_net *net, const plan *p, tl_tensor x, int expand,
                                   int64_t out, int stride)
{
    const int64_t   in = tl_net_dim(net, x, 3), wide = in * expand;
    const tl_tensor residual = stride == 1 && in == out ? x : 0;
    const layer     spread   = { wide, 1, 1, false, TL_ACT_RELU6 };
    const layer     depth    = { wide, 3, stride, true, TL_ACT_RELU6 };
    const layer     project  = { out, 1, 1, false, TL_ACT_NONE };

    if (expand == 1) {
        x = conv_norm(net, p, "0.0", "0.1", x, depth, 0);
        return conv_norm(net, p, "1", "2", x, project, residual);
    }
    x = conv_norm(net, p, "0.0", "0.1", x, spread, 0);
    x = conv_norm(net, p, "1.0", "1.1", x, depth, 0);
    return conv_norm(net, p, "2", "3", x, project, residual);
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    plan p;
    int  n = 1;

    net->status = read_plan(net->ctx, arch->name, arch->config, &p);
    if (net->status != TL_OK) return 0;
    const layer first = { widened(32.0 * p.multiplier), 3, 2, false, TL_ACT_RELU6 };
    const layer last  = { last_width(&p), 1, 1, false, TL_ACT_RELU6 };
    x = conv_norm(net, &p, "features.0.0", "features.0.1", x, first, 0);
    for (size_t s = 0; s < TL_COUNT(stages); s++)
        for (int b = 0; b < stages[s].repeats; b++, n++) {
            tl_net_push(net, "features.%d.conv", n);
            x = tl_net_block(net, x);
            x = inverted_residual(net, &p, x, stages[s].expand,
                                  widened(stages[s].channels * p.multiplier),
                                  b == 0 ? stages[s].stride : 1);
            tl_net_pop(net);
        }
    x = tl_net_block(net, x);
    x = conv_norm(net, &p, "features.18.0", "features.18.1", x, last, 0);
    tl_net_layer(net, "avgpool");
    return tl_global_avg_pool(net->g, x);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor features)
{
    const double own =
        tl_json_number(arch->config, "classifier_dropout_prob", default_dropout);

    features =
        tl_net_dropout(net, features, (float)(arch->dropout < 0.0 ? own : arch->dropout));
    return tl_net_linear(net, "classifier.1", features, arch->outputs, true, TL_ACT_NONE,
                         TL_INIT_NORMAL);
}

/* timm and Hugging Face count blocks and name layers in their own way; the inner names are
 * changed after the blocks' numbers. */
static const tl_rename timm[] = {
    { "^conv_stem.", "features.0.0." },
    { "^bn1.", "features.0.1." },
    { "^conv_head.", "features.18.0." },
    { "^bn2.", "features.18.1." },
    { "^classifier.", "classifier.1." },
    { "^blocks.0.0.conv_dw.", "features.1.conv.0.0." },
    { "^blocks.0.0.bn1.", "features.1.conv.0.1." },
    { "^blocks.0.0.conv_pw.", "features.1.conv.1." },
    { "^blocks.0.0.bn2.", "features.1.conv.2." },
    { "^blocks.1.0.", "features.2." },
    { "^blocks.1.1.", "features.3." },
    { "^blocks.2.0.", "features.4." },
    { "^blocks.2.1.", "features.5." },
    { "^blocks.2.2.", "features.6." },
    { "^blocks.3.0.", "features.7." },
    { "^blocks.3.1.", "features.8." },
    { "^blocks.3.2.", "features.9." },
    { "^blocks.3.3.", "features.10." },
    { "^blocks.4.0.", "features.11." },
    { "^blocks.4.1.", "features.12." },
    { "^blocks.4.2.", "features.13." },
    { "^blocks.5.0.", "features.14." },
    { "^blocks.5.1.", "features.15." },
    { "^blocks.5.2.", "features.16." },
    { "^blocks.6.0.", "features.17." },
    { ".conv_pw.", ".conv.0.0." },
    { ".bn1.", ".conv.0.1." },
    { ".conv_dw.", ".conv.1.0." },
    { ".bn2.", ".conv.1.1." },
    { ".conv_pwl.", ".conv.2." },
    { ".bn3.", ".conv.3." },
};
static const tl_rename hugging_face[] = {
    { "^mobilenet_v2.conv_stem.first_conv.convolution.", "features.0.0." },
    { "^mobilenet_v2.conv_stem.first_conv.normalization.", "features.0.1." },
    { "^mobilenet_v2.conv_stem.conv_3x3.convolution.", "features.1.conv.0.0." },
    { "^mobilenet_v2.conv_stem.conv_3x3.normalization.", "features.1.conv.0.1." },
    { "^mobilenet_v2.conv_stem.reduce_1x1.convolution.", "features.1.conv.1." },
    { "^mobilenet_v2.conv_stem.reduce_1x1.normalization.", "features.1.conv.2." },
    { "^mobilenet_v2.conv_1x1.convolution.", "features.18.0." },
    { "^mobilenet_v2.conv_1x1.normalization.", "features.18.1." },
    { "^classifier.", "classifier.1." },
    { "^mobilenet_v2.layer.0.", "features.2." },
    { "^mobilenet_v2.layer.1.", "features.3." },
    { "^mobilenet_v2.layer.2.", "features.4." },
    { "^mobilenet_v2.layer.3.", "features.5." },
    { "^mobilenet_v2.layer.4.", "features.6." },
    { "^mobilenet_v2.layer.5.", "features.7." },
    { "^mobilenet_v2.layer.6.", "features.8." },
    { "^mobilenet_v2.layer.7.", "features.9." },
    { "^mobilenet_v2.layer.8.", "features.10." },
    { "^mobilenet_v2.layer.9.", "features.11." },
    { "^mobilenet_v2.layer.10.", "features.12." },
    { "^mobilenet_v2.layer.11.", "features.13." },
    { "^mobilenet_v2.layer.12.", "features.14." },
    { "^mobilenet_v2.layer.13.", "features.15." },
    { "^mobilenet_v2.layer.14.", "features.16." },
    { "^mobilenet_v2.layer.15.", "features.17." },
    { ".expand_1x1.convolution.", ".conv.0.0." },
    { ".expand_1x1.normalization.", ".conv.0.1." },
    { ".conv_3x3.convolution.", ".conv.1.0." },
    { ".conv_3x3.normalization.", ".conv.1.1." },
    { ".reduce_1x1.convolution.", ".conv.2." },
    { ".reduce_1x1.normalization.", ".conv.3." },
};
static const tl_names_map maps[] = {
    { "torchvision", NULL, 0 },
    { "timm", timm, TL_COUNT(timm) },
    { "hugging-face", hugging_face, TL_COUNT(hugging_face) },
};
static const char *const keys[] = {
    "depth_multiplier", "layer_norm_eps", "classifier_dropout_prob", "tf_padding",
    "hidden_act", "depth_divisible_by", "min_depth", "output_stride",
    "first_layer_is_expansion", "finegrained_output", "expand_ratio", NULL
};
static const char *const sizes[] = { "mobilenet_v2", "mobilenetv2_100", NULL };

const tl_family tl_family_mobilenet_v2 = {
    .name         = "mobilenet-v2",
    .doc          = "inverted residuals, small and fast",
    .source       = "Sandler et al. 2018, arXiv:1801.04381",
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
