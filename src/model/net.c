/* net.c -- layers: parameters from the store, ops into the graph.
 *
 * What a route may do to a network happens where tl_net_linear and tl_net_attention ask
 * adapt_net.c, and nowhere else: families do not know how they are trained.  Floor 2, model. */
#include "model/net.h"

#include "core/rand.h"
#include "tensor/nf4.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 256 };

static bool broken(const tl_net *net)
{
    return tl_graph_status(net->g) != TL_OK;
}

int64_t tl_net_dim(const tl_net *net, tl_tensor x, int axis)
{
    const tl_shape *shape = broken(net) ? NULL : tl_graph_shape(net->g, x);

    if (!shape) return 1;
    if (axis < 0) axis += shape->ndim;
    return axis >= 0 && axis < shape->ndim ? shape->dim[axis] : 1;
}

void tl_net_push(tl_net *net, const char *format, ...)
{
    const size_t used = strlen(net->prefix), room = sizeof net->prefix - used;
    va_list      args;

    assert(net->depth < (int)TL_COUNT(net->mark));
    net->mark[net->depth++] = (uint8_t)used;
    va_start(args, format);
    const int bytes = vsnprintf(net->prefix + used, room, format, args);
    va_end(args);
    if (bytes < 0 || (size_t)bytes + 2 > room) {
        net->prefix[used] = 0;
        tl_graph_fail(net->g, "layer names nest too deep at \"%s\"", net->prefix);
        return;
    }
    memcpy(net->prefix + used + bytes, ".", 2);
}

void tl_net_pop(tl_net *net)
{
    assert(net->depth > 0);
    net->prefix[net->mark[--net->depth]] = 0;
}

static bool full_name(tl_net *net, const char *name, char full[NAME_BYTES])
{
    const int bytes = snprintf(full, NAME_BYTES, "%s%s", net->prefix, name);

    if (bytes >= 0 && bytes < NAME_BYTES) return true;
    tl_graph_fail(net->g, "a layer's name is too long: \"%.60s...\"", full);
    return false;
}

tl_tensor tl_net_block(tl_net *net, tl_tensor x)
{
    net->block++;
    if (net->recompute && !broken(net)) tl_graph_segment(net->g);
    if (!net->cut || net->block != net->cut || broken(net)) return x;
    if (net->above) {
        const tl_dtype kind = net->sequences ? net->dtype : TL_F32; /* texts keep it as it is */
        x = tl_graph_input(net->g, "cut", kind, *tl_graph_shape(net->g, x));
        net->at_cut = x;
        return net->dtype == kind ? x : tl_cast(net->g, x, net->dtype);
    }
    net->at_cut = x;
    return x;
}

/* Does what is declared now learn, or is it frozen as in evaluation? */
static bool live(const tl_net *net)
{
    return net->training && net->block >= net->live_from;
}

void tl_net_layer(tl_net *net, const char *name)
{
    char full[NAME_BYTES];

    if (full_name(net, name, full)) tl_graph_layer(net->g, full);
}

tl_tensor tl_net_param(tl_net *net, const char *name, tl_shape shape, tl_role role,
                       tl_init init, float init_scale)
{
    char      full[NAME_BYTES];
    tl_param *p;
    tl_tensor known;

    if (broken(net) || !full_name(net, name, full)) return 0;
    const tl_param like = { .name       = full,
                            .shape      = shape,
                            .role       = role,
                            .init       = init,
                            .init_scale = init_scale,
                            .turned     = net->turned && role == TL_ROLE_WEIGHT,
                            .optional   = net->optional,
                            .block      = net->block,
                            .head       = net->head,
                            .adapter    = net->adapter };
    net->status = tl_params_declare(net->ctx, net->params, &like, &p);
    if (net->status != TL_OK) {
        tl_graph_fail(net->g, "%s", net->ctx->message);
        return 0;
    }
    known = tl_graph_find(net->g, full);
    if (known) return known; /* one weight in two places */
    if (role == TL_ROLE_STATE) return tl_graph_state(net->g, full, shape);
    return tl_graph_param(net->g, full, shape, net->training && p->trainable);
}

/* An activation whose slope needs its input cannot be fused: a node of its own follows. */
static tl_activation fused(tl_activation act)
{
    return tl_act_from_output(act) ? act : TL_ACT_NONE;
}

static tl_tensor activated(tl_net *net, tl_tensor x, tl_activation act)
{
    return fused(act) == act ? x : tl_act(net->g, x, act);
}

/* x W^T + b */
static tl_tensor linear(tl_net *net, tl_tensor x, tl_tensor w, tl_tensor b,
                        tl_activation act)
{
    return activated(net, tl_dense(net->g, x, w, b, fused(act)), act);
}

/* The same for convolutions. */
static tl_tensor conv(tl_net *net, tl_tensor x, tl_tensor w, tl_tensor b,
                      tl_conv_attr attr)
{
    const tl_activation act = attr.act;

    attr.act = fused(act);
    return activated(net, tl_conv(net->g, x, w, b, &attr), act);
}

/* PyTorch draws a bias from its layer's fan in; every other rule starts it at zero. */
static tl_tensor bias_param(tl_net *net, int64_t out, tl_init init, int64_t fan_in)
{
    const bool drawn = init == TL_INIT_FAN_IN_UNIFORM;

    return tl_net_param(net, "bias", TL_SHAPE(out), TL_ROLE_BIAS,
                        drawn ? init : TL_INIT_ZERO, drawn ? (float)fan_in : 0.0f);
}

/* `init_scale` of a weight: the standard deviation of TL_INIT_NORMAL.  0.01 is the one value
 * the papers of our families of convolutions use. */
static float weight_scale(const tl_net *net, tl_init init)
{
    if (init != TL_INIT_NORMAL) return 0.0f;
    return net->init_sd > 0.0f ? net->init_sd : 0.01f;
}

/* "weight" frozen in four bits, as it lies. */
static tl_tensor packed_param(tl_net *net, tl_shape shape, tl_role role)
{
    char      full[NAME_BYTES];
    tl_param *p;
    tl_tensor known;

    if (broken(net) || !full_name(net, "weight", full)) return 0;
    const tl_param like = { .name     = full,
                            .shape    = shape,
                            .role     = role,
                            .packed   = true,
                            .turned   = net->turned && role == TL_ROLE_WEIGHT,
                            .block    = net->block };
    net->status = tl_params_declare(net->ctx, net->params, &like, &p);
    if (net->status != TL_OK) {
        tl_graph_fail(net->g, "%s", net->ctx->message);
        return 0;
    }
    known = tl_graph_find(net->g, full);
    return known ? known : tl_graph_packed(net->g, full, tl_nf4_bytes(p->count));
}

/* The weight of a product [out in].  What a file may lack begins anew, and stays as it is. */
static tl_tensor product_weight(tl_net *net, int64_t out, int64_t in, tl_init init)
{
    const tl_shape shape = TL_SHAPE(out, in);

    if (net->adapt && net->adapt->nf4 && !net->head && !net->optional)
        return tl_nf4(net->g, packed_param(net, shape, TL_ROLE_WEIGHT), shape);
    return tl_net_param(net, "weight", shape, TL_ROLE_WEIGHT, init, weight_scale(net, init));
}

tl_tensor tl_net_linear(tl_net *net, const char *name, tl_tensor x, int64_t out,
                        bool bias, tl_activation act, tl_init init)
{
    const int64_t in = tl_net_dim(net, x, -1);
    tl_tensor     w, b = 0, y;

    if (broken(net)) return 0;
    if (net->head) net->neck = x;
    tl_net_layer(net, name);
    tl_net_push(net, "%s", name);
    w = product_weight(net, out, in, init);
    if (bias) b = bias_param(net, out, init, in);
    if (!tl_net_adapted(net, x, w, b, out, act, &y)) y = linear(net, x, w, b, act);
    tl_net_pop(net);
    return y;
}

static int or_one(int n)
{
    return n ? n : 1;
}

static tl_conv_attr conv_attr(const tl_net *net, tl_tensor x, const tl_conv_spec *s,
                              int kh, int kw)
{
    tl_conv_attr attr = { .stride   = { or_one(s->stride), or_one(s->stride) },
                          .dilation = { or_one(s->dilation), or_one(s->dilation) },
                          .groups   = or_one(s->groups),
                          .pad      = { s->pad, s->pad, s->pad, s->pad },
                          .act      = s->act };

    if (s->same) {
        tl_pad_same(tl_net_dim(net, x, 1), kh, attr.stride[0], attr.dilation[0],
                    &attr.pad[0], &attr.pad[2]);
        tl_pad_same(tl_net_dim(net, x, 2), kw, attr.stride[1], attr.dilation[1],
                    &attr.pad[1], &attr.pad[3]);
    }
    return attr;
}

tl_tensor tl_net_conv(tl_net *net, const char *name, tl_tensor x,
                      const tl_conv_spec *spec)
{
    const int          kh = spec->kernel[0], kw = spec->kernel[1] ? spec->kernel[1] : kh;
    const int64_t      in = tl_net_dim(net, x, -1);
    const tl_conv_attr attr = conv_attr(net, x, spec, kh, kw);
    tl_tensor          w, b = 0;

    if (broken(net)) return 0;
    tl_net_layer(net, name);
    if (in % attr.groups || spec->out % attr.groups) {
        tl_graph_fail(
            net->g, "%s%s: %d groups do not divide %" PRId64 " and %" PRId64 " channels",
            net->prefix, name, attr.groups, in, spec->out);
        return 0;
    }
    tl_net_push(net, "%s", name);
    w = tl_net_param(net, "weight", TL_SHAPE(spec->out, in / attr.groups, kh, kw),
                     TL_ROLE_WEIGHT, spec->init, weight_scale(net, spec->init));
    if (spec->bias)
        b = bias_param(net, spec->out, spec->init, in / attr.groups * kh * kw);
    tl_net_pop(net);
    return conv(net, x, w, b, attr);
}

typedef struct { tl_tensor gamma, beta; } scale_shift;

/* Scale and shift per channel under `name`, and the label of what follows. */
static scale_shift norm_params(tl_net *net, const char *name, tl_tensor x)
{
    const tl_shape shape = TL_SHAPE(tl_net_dim(net, x, -1));
    scale_shift    made;

    tl_net_layer(net, name);
    tl_net_push(net, "%s", name);
    made.gamma = tl_net_param(net, "weight", shape, TL_ROLE_NORM, TL_INIT_ONE, 0.0f);
    made.beta  = tl_net_param(net, "bias", shape, TL_ROLE_NORM, TL_INIT_ZERO, 0.0f);
    tl_net_pop(net);
    return made;
}

tl_tensor tl_net_batch_norm(tl_net *net, const char *name, tl_tensor x, float eps,
                            float momentum, tl_activation act, tl_tensor residual)
{
    const tl_shape           shape = TL_SHAPE(tl_net_dim(net, x, -1));
    const scale_shift        p     = norm_params(net, name, x);
    const tl_batch_norm_attr attr  = { .eps      = eps,
                                       .momentum = momentum,
                                       .batch    = live(net) && !net->frozen_norm,
                                       .act      = fused(act) };
    tl_tensor                mean, var;

    tl_net_push(net, "%s", name);
    mean = tl_net_param(net, "running_mean", shape, TL_ROLE_STATE, TL_INIT_ZERO, 0.0f);
    var  = tl_net_param(net, "running_var", shape, TL_ROLE_STATE, TL_INIT_ONE, 0.0f);
    tl_net_pop(net);
    return activated(
        net, tl_batch_norm(net->g, x, p.gamma, p.beta, mean, var, residual, &attr), act);
}

tl_tensor tl_net_layer_norm(tl_net *net, const char *name, tl_tensor x, float eps)
{
    const scale_shift p = norm_params(net, name, x);

    return tl_layer_norm(net->g, x, p.gamma, p.beta, eps);
}

tl_tensor tl_net_layer_norm_scaled(tl_net *net, const char *name, tl_tensor x, float eps)
{
    const tl_shape shape = TL_SHAPE(tl_net_dim(net, x, -1));
    tl_tensor      gamma;

    tl_net_layer(net, name);
    tl_net_push(net, "%s", name);
    gamma = tl_net_param(net, "weight", shape, TL_ROLE_NORM, TL_INIT_ONE, 0.0f);
    tl_net_pop(net);
    return tl_layer_norm(net->g, x, gamma, tl_fill(net->g, shape, TL_F32, 0.0f), eps);
}

tl_tensor tl_net_group_norm(tl_net *net, const char *name, tl_tensor x, int groups,
                            float eps)
{
    const scale_shift p = norm_params(net, name, x);

    return tl_group_norm(net->g, x, p.gamma, p.beta, groups, eps);
}

tl_tensor tl_net_rms_norm(tl_net *net, const char *name, tl_tensor x, float eps, float plus)
{
    tl_tensor gamma;

    tl_net_layer(net, name);
    tl_net_push(net, "%s", name);
    gamma = tl_net_param(net, "weight", TL_SHAPE(tl_net_dim(net, x, -1)), TL_ROLE_NORM,
                         plus == 0.0f ? TL_INIT_ONE : TL_INIT_ZERO, 0.0f);
    tl_net_pop(net);
    return tl_rms_norm(net->g, x, gamma, eps, plus);
}

tl_tensor tl_net_embedding(tl_net *net, const char *name, tl_tensor ids, int64_t rows,
                           int64_t width)
{
    const tl_shape shape = TL_SHAPE(rows, width);
    tl_tensor      table, made;

    tl_net_layer(net, name);
    tl_net_push(net, "%s", name);
    if (net->packs_tables) {
        made = tl_nf4_rows(net->g, packed_param(net, shape, TL_ROLE_EMBED), shape, ids);
        tl_net_pop(net);
        return tl_cast(net->g, made, net->dtype);
    }
    table = tl_net_param(net, "weight", shape, TL_ROLE_EMBED, TL_INIT_NORMAL,
                         weight_scale(net, TL_INIT_NORMAL));
    tl_net_pop(net);
    return tl_cast(net->g, tl_embedding(net->g, table, ids), net->dtype);
}

tl_tensor tl_net_words(tl_net *net, tl_tensor x, tl_tensor w, tl_tensor b, float cap)
{
    tl_word_loss *l = &net->words;

    if (broken(net)) return 0;
    if (l->target) {
        tl_graph_layer(net->g, "loss");
        l->loss   = tl_token_loss(net->g, x, w, b, l->target, l->weight, cap);
        l->losses = tl_graph_out(net->g, l->loss, 1);
        return l->loss;
    }
    x = linear(net, x, w, b, TL_ACT_NONE);
    if (cap == 0.0f) return x;
    x = tl_act(net->g, tl_scale(net->g, x, 1.0f / cap), TL_ACT_TANH);
    return tl_scale(net->g, x, cap);
}

tl_tensor tl_net_segments(tl_net *net)
{
    if (!net->text.segments && !broken(net))
        net->text.segments = tl_graph_input(net->g, "segments", TL_I32,
                                            *tl_graph_shape(net->g, net->text.positions));
    return net->text.segments;
}

tl_tensor tl_net_values(tl_net *net)
{
    if (!net->text.values && !broken(net))
        net->text.values = tl_graph_input(net->g, "values", TL_F32,
                                          *tl_graph_shape(net->g, net->text.positions));
    return net->text.values;
}

/* A decoder's keys or values with those of the runs before. */
static tl_tensor with_past(tl_net *net, tl_tensor x)
{
    const tl_dtype dtype = broken(net) ? TL_F32 : tl_graph_info(net->g, x)->dtype;
    const int64_t  width = tl_net_dim(net, x, 1);
    char           name[24];
    tl_tensor      all;

    snprintf(name, sizeof name, "past.%d", net->pasts);
    all = tl_graph_input(net->g, name, dtype, TL_SHAPE(net->past, width));
    all = tl_put_rows(net->g, all, x, net->text.at);
    snprintf(name, sizeof name, "kept.%d", net->pasts++);
    tl_graph_keep(net->g, all, name);
    return all;
}

static tl_tensor columns(tl_net *net, tl_tensor x, int64_t start, int64_t count)
{
    return tl_slice(net->g, x, 1, start, count, 1);
}

tl_tensor tl_net_attention(tl_net *net, tl_tensor q, tl_tensor k, tl_tensor v,
                           tl_tensor offsets, const tl_attention_attr *attr)
{
    const bool        front = net->adapt && tl_adapt_places(net->adapt) > 0;
    tl_attention_attr own   = *attr;
    tl_tensor         keys  = 0; /* where they begin, if not where the queries do */

    if (own.dropout > 0.0f) own.stream = (uint32_t)net->dropouts++; /* as in tl_net_dropout */
    if (!live(net)) own.dropout = 0.0f;
    if (net->past == 0 && !front) return tl_attention(net->g, q, k, v, offsets, 0, &own);
    if (!k) { /* all three side by side */
        const int64_t part = tl_net_dim(net, q, 1) / (attr->heads + 2 * attr->kv_heads);
        const int64_t wide = part * attr->heads, less = part * attr->kv_heads;
        k = columns(net, q, wide, less);
        v = columns(net, q, wide + less, less);
        q = columns(net, q, 0, wide);
    }
    if (net->past > 0) {
        k    = with_past(net, k);
        v    = with_past(net, v);
        keys = net->text.seen;
    }
    tl_net_prefixed(net, keys ? keys : offsets, &k, &v, &keys);
    return tl_attention(net->g, q, k, v, offsets, keys, &own);
}

tl_tensor tl_net_dropout(tl_net *net, tl_tensor x, float p)
{
    const uint64_t stream = TL_STREAM(TL_STREAM_DROPOUT, net->dropouts);

    if (broken(net) || !(p > 0.0f)) return x;
    net->dropouts++; /* counted in evaluation too: a stream belongs to its place */
    if (!live(net)) return x;
    tl_net_layer(net, "dropout");
    return tl_dropout(net->g, x, p, stream);
}

tl_tensor tl_net_flatten(tl_net *net, tl_tensor x)
{
    const tl_shape *shape = broken(net) ? NULL : tl_graph_shape(net->g, x);

    if (!shape || shape->ndim == 2) return x;
    tl_net_layer(net, "flatten");
    const int64_t rows = shape->dim[0];
    return tl_reshape(net->g, x, TL_SHAPE(rows, tl_shape_count(shape) / rows));
}
