/* resnet_cifar.c -- the residual networks of the CIFAR experiments: 6n+2 layers, shortcuts
 * without parameters (option A: every second pixel, zero channels added on both sides).
 * Sources: He et al. 2016, arXiv:1512.03385, section 4.2; names and rules of
 * github.com/akamaster/pytorch_resnet_cifar10.  Floor 2, model. */
#include "model/config.h"

#include <stdio.h>

enum { STAGES = 3, MOST_DEPTH = 1202 };

static const float eps = 1e-5f, momentum = 0.1f;

static tl_status settle(tl_ctx *ctx, int64_t depth, int64_t width, tl_arch *arch)
{
    snprintf(arch->name, sizeof arch->name, "resnet%" PRId64, depth);
    return tl_config_take(
        ctx, arch,
        json_pack("{s:I, s:I}", "depth", (json_int_t)depth, "width", (json_int_t)width));
}

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    tl_status rc;
    int64_t   depth = 20, width = 16;
    int       read = 0;

    if (size) {
        if (sscanf(size, "resnet%" SCNd64 "%n", &depth, &read) != 1 || size[read])
            TL_FAIL(TL_EUSAGE, where,
                    "\"%.40s\" has no sizes of its own (write resnet20)", size);
    } else {
        TL_TRY(tl_config_int(ctx, where, config, "depth", 8, MOST_DEPTH, 20, &depth));
        TL_TRY(tl_config_int(ctx, where, config, "width", 1, 4096, 16, &width));
    }
    if (depth % 6 != 2)
        TL_FAIL(TL_EDATA, where, "depth %" PRId64 " is not 6n+2 (20, 32, 44, 56, 110)",
                depth);
    TL_TRY(tl_config_row(ctx, where, config, 32, arch));
    TL_TRY(settle(ctx, depth, width, arch));
done:
    return rc;
}

static tl_status recognise(tl_ctx *ctx, const char *scheme, const tl_tensors *t,
                           tl_arch *arch)
{
    const tl_shape *stem = tl_tensors_find(t, "conv1.weight");
    const tl_shape *last = tl_tensors_find(t, "linear.weight");
    char            name[40];
    int64_t         blocks = 0;

    (void)scheme;
    if (!stem || !last || stem->ndim != 4 || stem->dim[2] != 3 || last->ndim != 2 ||
        tl_tensors_find(t, "layer4.0.conv1.weight") ||
        tl_tensors_find(t, "layer2.0.shortcut.0.weight") ||
        last->dim[1] != 4 * stem->dim[0])
        return TL_EUSAGE;
    do snprintf(name, sizeof name, "layer1.%" PRId64 ".conv2.weight", blocks);
    while (tl_tensors_find(t, name) && ++blocks < MOST_DEPTH);
    if (!blocks) return TL_EUSAGE;
    arch->outputs = last->dim[0];
    arch->row     = TL_SHAPE(32, 32, stem->dim[1]);
    return settle(ctx, 6 * blocks + 2, stem->dim[0], arch);
}

/* A shortcut to half the size and more channels: F.pad(x[:, :, ::2, ::2], ...) of PyTorch. */
static tl_tensor shortcut(tl_net *net, tl_tensor x, int64_t planes, int stride)
{
    const int64_t channels = tl_net_dim(net, x, 3), before = (planes - channels) / 2;

    if (stride == 1 && channels == planes) return x;
    tl_net_layer(net, "shortcut");
    for (int axis = 1; stride > 1 && axis <= 2; axis++)
        x = tl_slice(net->g, x, axis, 0, (tl_net_dim(net, x, axis) + stride - 1) / stride,
                     stride);
    return tl_pad(net->g, x, (const int64_t[]){ 0, 0, 0, before },
                  (const int64_t[]){ 0, 0, 0, planes - channels - before });
}

static tl_tensor block(tl_net *net, tl_tensor x, int64_t planes, int stride)
{
    const tl_conv_spec first  = { .out    = planes,
                                  .kernel = { 3, 3 },
                                  .stride = stride,
                                  .pad    = 1,
                                  .init   = TL_INIT_HE_NORMAL_IN };
    const tl_conv_spec second = { .out = planes, .kernel = { 3, 3 }, .pad = 1,
                                  .init = TL_INIT_HE_NORMAL_IN };
    tl_tensor          y;

    x = tl_net_block(net, x);
    y = tl_net_conv(net, "conv1", x, &first);
    y = tl_net_batch_norm(net, "bn1", y, eps, momentum, TL_ACT_RELU, 0);
    y = tl_net_conv(net, "conv2", y, &second);
    x = shortcut(net, x, planes, stride);
    return tl_net_batch_norm(net, "bn2", y, eps, momentum, TL_ACT_RELU, x);
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const int64_t      blocks = (tl_json_int(arch->config, "depth", 20) - 2) / 6;
    const int64_t      width  = tl_json_int(arch->config, "width", 16);
    const tl_conv_spec stem   = { .out = width, .kernel = { 3, 3 }, .pad = 1,
                                  .init = TL_INIT_HE_NORMAL_IN };

    x = tl_net_conv(net, "conv1", x, &stem);
    x = tl_net_batch_norm(net, "bn1", x, eps, momentum, TL_ACT_RELU, 0);
    for (int s = 0; s < STAGES; s++)
        for (int64_t b = 0; b < blocks; b++) {
            tl_net_push(net, "layer%d.%" PRId64, s + 1, b);
            x = block(net, x, width << s, s > 0 && b == 0 ? 2 : 1);
            tl_net_pop(net);
        }
    tl_net_layer(net, "avgpool");
    return tl_global_avg_pool(net->g, x);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor features)
{
    if (arch->dropout > 0.0)
        features = tl_net_dropout(net, features, (float)arch->dropout);
    return tl_net_linear(net, "linear", features, arch->outputs, true, TL_ACT_NONE,
                         TL_INIT_HE_NORMAL_IN);
}

static const char *const keys[] = { "depth", "width", NULL };
static const char *const  sizes[] = { "resnet20", "resnet32",  "resnet44",
                                      "resnet56", "resnet110", NULL };
static const tl_names_map maps[] = { { "akamaster", NULL, 0 } };

const tl_family tl_family_resnet_cifar = {
    .name         = "resnet-cifar",
    .doc          = "residual networks for small pictures, 20 to 110 layers",
    .source       = "He et al. 2016, arXiv:1512.03385, section 4.2",
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
