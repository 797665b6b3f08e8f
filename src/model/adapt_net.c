/* adapt_net.c -- an adapted product in the graph.  The adapter's parameters are called as PEFT
 * calls them, behind the product's own name.  Floor 2, model. */
#include "model/net.h"

#include <string.h>

/* What the family said of the weight does not hold for what joins it. */
static tl_tensor param(tl_net *net, const char *name, tl_shape shape, tl_role role,
                       tl_init init, float init_scale)
{
    const bool turned = net->turned, optional = net->optional;
    tl_tensor  made;

    net->turned   = false;
    net->optional = false;
    net->adapter  = true;
    made          = tl_net_param(net, name, shape, role, init, init_scale);
    net->adapter  = false;
    net->optional = optional;
    net->turned   = turned;
    return made;
}

static tl_tensor weight(tl_net *net, const char *name, int64_t out, int64_t in,
                        tl_init init, float init_scale)
{
    return param(net, name, TL_SHAPE(out, in), TL_ROLE_WEIGHT, init, init_scale);
}

static tl_tensor acted(tl_net *net, tl_tensor x, tl_activation act)
{
    return act == TL_ACT_NONE ? x : tl_act(net->g, x, act);
}

/* m / ||W + s B A|| of each row, the length being constant in backward as in PEFT; then W x + b
 * + (ratio - 1) W d + ratio s B A d with d = drop(x), which is written here with W (x - d). */
static tl_tensor lengthened(tl_net *net, tl_tensor x, tl_tensor dropped, tl_tensor w,
                            tl_tensor b, tl_tensor up, tl_tensor ratio, tl_activation act)
{
    tl_graph *g = net->g;
    tl_tensor y = tl_dense(g, dropped, w, 0, TL_ACT_NONE);

    y = tl_mul(g, tl_add(g, y, up, TL_ACT_NONE), ratio);
    if (dropped != x) {
        const tl_tensor rest = tl_add(g, x, tl_scale(g, dropped, -1.0f), TL_ACT_NONE);
        return tl_add(g, y, tl_dense(g, rest, w, b, TL_ACT_NONE), act);
    }
    return b ? tl_add(g, y, b, act) : acted(net, y, act);
}

static tl_tensor lora(tl_net *net, tl_tensor x, tl_tensor w, tl_tensor b, int64_t out,
                      tl_activation act)
{
    const tl_adapt *a     = net->adapt;
    const int64_t   in    = tl_net_dim(net, x, -1);
    const float     scale = (float)tl_adapt_scale(a);
    tl_graph       *g     = net->g;
    tl_tensor down = weight(net, "lora_A.weight", a->r, in, TL_INIT_FAN_IN_UNIFORM, 0.0f),
              up   = weight(net, "lora_B.weight", out, a->r, TL_INIT_ZERO, 0.0f), made,
              length;
    const tl_tensor dropped = tl_net_dropout(net, x, (float)a->dropout);

    tl_net_layer(net, "lora");
    made = tl_scale(g, tl_dense(g, dropped, down, 0, TL_ACT_NONE), scale);
    made = tl_dense(g, made, up, 0, TL_ACT_NONE);
    if (a->kind == TL_ADAPT_LORA)
        return tl_add(g, tl_dense(g, x, w, b, TL_ACT_NONE), made, act);
    length = param(net, "lora_magnitude_vector", TL_SHAPE(out), TL_ROLE_NORM, TL_INIT_ONE,
                   0.0f);
    length = tl_mul(g, length, tl_lora_norm(g, w, down, up, scale));
    return lengthened(net, x, dropped, w, b, made, length, act);
}

static tl_tensor scaled(tl_net *net, const char *layer, tl_tensor x, tl_tensor w,
                        tl_tensor b, int64_t out, tl_activation act)
{
    const bool      before = tl_adapt_scales_input(layer);
    const int64_t   size   = before ? tl_net_dim(net, x, -1) : out;
    const tl_tensor l =
        param(net, "ia3_l", TL_SHAPE(size), TL_ROLE_NORM, TL_INIT_ONE, 0.0f);

    tl_net_layer(net, "ia3");
    if (before) return tl_dense(net->g, tl_mul(net->g, x, l), w, b, act);
    x = tl_mul(net->g, tl_dense(net->g, x, w, b, TL_ACT_NONE), l);
    return acted(net, x, act);
}

/* Starts as nothing: up is zero, down nearly so. */
static tl_tensor bottleneck(tl_net *net, tl_tensor y, int64_t out)
{
    const int64_t r  = net->adapt->r;
    tl_tensor down   = weight(net, "adapter_down.weight", r, out, TL_INIT_NORMAL, 0.01f),
              down_b = param(net, "adapter_down.bias", TL_SHAPE(r), TL_ROLE_BIAS,
                             TL_INIT_ZERO, 0.0f),
              up     = weight(net, "adapter_up.weight", out, r, TL_INIT_ZERO, 0.0f),
              up_b   = param(net, "adapter_up.bias", TL_SHAPE(out), TL_ROLE_BIAS,
                             TL_INIT_ZERO, 0.0f);

    tl_net_layer(net, "adapter");
    down = tl_dense(net->g, y, down, down_b, TL_ACT_RELU);
    return tl_add(net->g, y, tl_dense(net->g, down, up, up_b, TL_ACT_NONE), TL_ACT_NONE);
}

/* As large as a family's own embeddings are drawn: from N(0, 1), as PEFT begins, attention looks
 * at noise. */
static const float prefix_sd = 0.02f;

bool tl_net_prefixed(tl_net *net, tl_tensor offsets, tl_tensor *k, tl_tensor *v,
                     tl_tensor *key_offsets)
{
    const int64_t r = net->adapt ? tl_adapt_places(net->adapt) : 0;
    tl_tensor     front[2];

    if (!r || !offsets || tl_graph_status(net->g) != TL_OK) return false;
    for (int i = 0; i < 2; i++)
        front[i] = param(net, i ? "prefix_values" : "prefix_keys",
                         TL_SHAPE(r, tl_net_dim(net, i ? *v : *k, 1)), TL_ROLE_EMBED,
                         TL_INIT_NORMAL, prefix_sd);
    tl_net_layer(net, "prefix");
    *k           = tl_front_rows(net->g, *k, front[0], offsets);
    *v           = tl_front_rows(net->g, *v, front[1], offsets);
    *key_offsets = tl_count_on(net->g, offsets, 0, r);
    net->adapted++;
    return true;
}

bool tl_net_adapted(tl_net *net, tl_tensor x, tl_tensor w, tl_tensor b, int64_t out,
                    tl_activation act, tl_tensor *y)
{
    char         layer[sizeof net->prefix];
    const size_t bytes = strlen(net->prefix);

    if (!net->adapt || net->head || bytes < 2 || tl_graph_status(net->g) != TL_OK)
        return false;
    if (net->block < net->adapt->from) return false;
    memcpy(layer, net->prefix, bytes);
    layer[bytes - 1] = 0;
    if (!tl_adapt_targets(net->adapt, layer)) return false;
    net->adapted++;
    switch (net->adapt->kind) {
    case TL_ADAPT_IA3: *y = scaled(net, layer, x, w, b, out, act); break;
    case TL_ADAPT_BOTTLENECK:
        *y = bottleneck(net, tl_dense(net->g, x, w, b, act), out);
        break;
    default: *y = lora(net, x, w, b, out, act); break;
    }
    return true;
}
