/* words_emit.c -- layers in words become layers.  Floor 2, model. */
#include "model/words.h"

#include <stdio.h>

static const float norm_eps = 1e-5f, norm_momentum = 0.1f; /* PyTorch's defaults */

/* The layers of one bracket: numbers their names by kind, as Keras does (conv1, conv2). */
typedef struct {
    tl_net             *net;
    const tl_word_item *items;
    int to, end; /* emitted before `to`, seen before `end`               */
    int                 used[TL_WORD_ACT + 1];
    bool top;  /* not inside a residual: blocks are counted here             */
    bool seen; /* a layer with weights                                       */
} level;

static tl_init init_for(tl_activation act)
{
    switch (act) {
    case TL_ACT_NONE:
    case TL_ACT_TANH:
    case TL_ACT_SIGMOID:
    case TL_ACT_HARDSIGMOID:
    case TL_ACT_SOFTPLUS: return TL_INIT_GLOROT_UNIFORM;
    default: return TL_INIT_HE_UNIFORM;
    }
}

/* The activation that what item i makes will meet, norms and dropout apart. */
static tl_activation meets(const level *l, int i)
{
    if (l->items[i].act != TL_ACT_NONE) return l->items[i].act;
    for (i++; i < l->end; i++) {
        if (l->items[i].word == TL_WORD_ACT) return l->items[i].act;
        if (l->items[i].word != TL_WORD_NORM && l->items[i].word != TL_WORD_DROPOUT)
            break;
    }
    return TL_ACT_NONE;
}

static bool norm_follows(const level *l, int i)
{
    return i + 1 < l->end && l->items[i + 1].word == TL_WORD_NORM &&
           l->items[i].act == TL_ACT_NONE;
}

static bool is_picture(const level *l, tl_tensor x, const char *what)
{
    if (tl_graph_status(l->net->g) != TL_OK) return false;
    if (tl_graph_shape(l->net->g, x)->ndim == 4) return true;
    tl_graph_fail(l->net->g,
                  "%s needs a picture and gets rows of numbers (put it before dense "
                  "and gpool, or start with dense)",
                  what);
    return false;
}

static tl_tensor emit_conv(level *l, int i, const char *name, tl_tensor x)
{
    const tl_word_item *item = &l->items[i];
    const tl_conv_spec  spec = { .out    = item->out,
                                 .kernel = { (int)item->kernel, (int)item->kernel },
                                 .stride = (int)item->stride,
                                 .groups = (int)item->groups,
                                 .same   = !item->valid,
                                 .bias   = !norm_follows(l, i), /* the norm has its own */
                                 .act    = item->act,
                                 .init   = init_for(meets(l, i)) };

    return is_picture(l, x, "conv") ? tl_net_conv(l->net, name, x, &spec) : 0;
}

static tl_tensor emit_pool(level *l, int i, const char *name, tl_tensor x)
{
    const tl_word_item *item = &l->items[i];
    const int           k = (int)item->kernel, s = item->stride ? (int)item->stride : k;
    const tl_pool_attr  attr = { .kernel = { k, k }, .stride = { s, s } };

    if (!is_picture(l, x, "pool")) return 0;
    tl_net_layer(l->net, name);
    return item->average ? tl_avg_pool(l->net->g, x, &attr)
                         : tl_max_pool(l->net->g, x, &attr);
}

static tl_tensor emit_gpool(level *l, const char *name, tl_tensor x)
{
    if (!is_picture(l, x, "gpool")) return 0;
    tl_net_layer(l->net, name);
    return tl_global_avg_pool(l->net->g, x);
}

/* The largest number of groups up to 32 (Wu and He 2018) that divides the channels. */
static int groups_for(int64_t channels)
{
    int groups = 32;

    while (channels % groups) groups--;
    return groups;
}

static tl_tensor emit_norm(level *l, const tl_word_item *item, const char *name,
                           tl_tensor x, tl_activation act, tl_tensor residual)
{
    switch (item->norm) {
    case TL_NORM_BATCH:
        return tl_net_batch_norm(l->net, name, x, norm_eps, norm_momentum, act, residual);
    case TL_NORM_GROUP:
        return tl_net_group_norm(l->net, name, x, groups_for(tl_net_dim(l->net, x, -1)),
                                 norm_eps);
    case TL_NORM_LAYER: break;
    }
    return tl_net_layer_norm(l->net, name, x, norm_eps);
}

/* x as it is where its shape is y's; else through one product without bias, with the stride
 * that leads there. */
static tl_tensor shortcut(tl_net *net, tl_tensor x, tl_tensor y)
{
    if (tl_graph_status(net->g) != TL_OK) return 0;
    const tl_shape from = *tl_graph_shape(net->g, x), to = *tl_graph_shape(net->g, y);

    if (tl_shape_equal(&from, &to)) return x;
    if (from.ndim == 2 && to.ndim == 2)
        return tl_net_linear(net, "shortcut", x, to.dim[1], false, TL_ACT_NONE,
                             TL_INIT_GLOROT_UNIFORM);
    if (from.ndim == 4 && to.ndim == 4) {
        const int          stride = (int)((from.dim[1] + to.dim[1] - 1) / to.dim[1]);
        const tl_conv_spec spec   = { .out    = to.dim[3],
                                      .kernel = { 1, 1 },
                                      .stride = stride,
                                      .init   = TL_INIT_GLOROT_UNIFORM };
        return tl_net_conv(net, "shortcut", x, &spec);
    }
    tl_graph_fail(net->g,
                  "a residual cannot turn a picture into numbers (end it before dense "
                  "and gpool)");
    return 0;
}

static tl_tensor emit_levels(level *l, int from, tl_tensor x);

/* Batch norm at the end of a residual takes the sum and the activation into itself. */
static tl_tensor emit_residual(level *outer, int i, const char *name, tl_tensor x,
                               tl_activation act)
{
    const tl_word_item *last = NULL;
    const int           end  = outer->items[i].end;
    level l = { .net = outer->net, .items = outer->items, .to = end, .end = end };
    tl_tensor           y, sum;
    char                norm[24];

    if (l.items[l.to - 1].word == TL_WORD_NORM && l.items[l.to - 1].norm == TL_NORM_BATCH)
        last = &l.items[--l.to];
    tl_net_push(l.net, "%s", name);
    y = emit_levels(&l, i + 1, x);
    sum = shortcut(l.net, x, y);
    if (last) {
        snprintf(norm, sizeof norm, "norm%d", ++l.used[TL_WORD_NORM]);
        y = emit_norm(&l, last, norm, y, act, sum);
    } else if (tl_graph_status(l.net->g) == TL_OK) {
        tl_net_layer(l.net, "add");
        y = tl_add(l.net->g, y, sum, act);
    }
    tl_net_pop(l.net);
    return y;
}

static tl_tensor emit_one(level *l, int i, const char *name, tl_tensor x,
                          tl_activation fuse)
{
    const tl_word_item *item = &l->items[i];

    switch (item->word) {
    case TL_WORD_CONV: return emit_conv(l, i, name, x);
    case TL_WORD_POOL: return emit_pool(l, i, name, x);
    case TL_WORD_GPOOL: return emit_gpool(l, name, x);
    case TL_WORD_DENSE:
        return tl_net_linear(l->net, name, tl_net_flatten(l->net, x), item->out,
                             !norm_follows(l, i), item->act, init_for(meets(l, i)));
    case TL_WORD_NORM: return emit_norm(l, item, name, x, fuse, 0);
    case TL_WORD_DROPOUT: return tl_net_dropout(l->net, x, (float)item->p);
    case TL_WORD_RESIDUAL: return emit_residual(l, i, name, x, fuse);
    case TL_WORD_ACT: break;
    }
    tl_net_layer(l->net, name);
    return tl_act(l->net->g, x, item->act);
}

static bool can_fuse(const tl_word_item *item)
{
    return item->word == TL_WORD_RESIDUAL ||
           (item->word == TL_WORD_NORM && item->norm == TL_NORM_BATCH);
}

static tl_tensor emit_levels(level *l, int from, tl_tensor x)
{
    static const char *const kind[] = { "conv", "pool",    "gpool",    "dense",
                                        "norm", "dropout", "residual", "act" };
    char name[24];

    for (int i = from; i < l->to && tl_graph_status(l->net->g) == TL_OK;) {
        const tl_word_item *item    = &l->items[i];
        const int           next    = item->word == TL_WORD_RESIDUAL ? item->end : i + 1;
        const bool weights = item->word == TL_WORD_CONV || item->word == TL_WORD_DENSE ||
                             item->word == TL_WORD_RESIDUAL;
        const bool fuse = next < l->to && l->items[next].word == TL_WORD_ACT &&
                          can_fuse(item) && tl_act_from_output(l->items[next].act);
        snprintf(name, sizeof name, "%s%d", kind[item->word], ++l->used[item->word]);
        if (l->top && weights && l->seen) x = tl_net_block(l->net, x);
        l->seen = l->seen || weights;
        x = emit_one(l, i, name, x, fuse ? l->items[next].act : TL_ACT_NONE);
        i = next + fuse;
    }
    return x;
}

tl_tensor tl_words_emit(tl_net *net, const tl_word_item *items, int from, int to,
                        tl_tensor x)
{
    level l = { .net = net, .items = items, .to = to, .end = to, .top = true };

    return emit_levels(&l, from, x);
}
