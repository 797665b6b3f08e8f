/* build.c -- from an architecture to a graph, and what a graph says about it: parameters,
 * width of the features, summary.  Floor 2, model. */
#include "core/text.h"
#include "model/family.h"
#include "tensor/op.h"

#include <stdio.h>
#include <string.h>

enum { MOST_LINES = 48 }; /* a longer summary is told by blocks */

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor features)
{
    net->head = true;
    net->block++;
    const tl_tensor logits = arch->family->head(net, arch, features);
    net->head = false;
    return logits;
}

static tl_tensor head_in_f32(tl_net *net, const tl_arch *arch, tl_tensor features)
{
    const tl_dtype dtype = net->dtype;

    net->dtype = TL_F32;
    const tl_tensor logits = head(net, arch, features);
    net->dtype = dtype;
    return logits;
}

static tl_tensor in_f32(tl_net *net, tl_tensor x)
{
    if (tl_graph_status(net->g) != TL_OK || tl_graph_info(net->g, x)->dtype == TL_F32)
        return x;
    return tl_cast(net->g, x, TL_F32);
}

/* A vocabulary's products are most of a small network's work: they are made in the body's
 * precision, their sums in f32. */
static tl_tensor loss_of_words(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    if (net->words.picked) {
        x = tl_embedding(net->g, in_f32(net, x), net->words.picked);
        if (net->dtype != TL_F32) x = tl_cast(net->g, x, net->dtype);
    }
    return head(net, arch, x);
}

/* Features are f32 and the head runs in f32, so that features from a cache and features from
 * the body just before give the same logits. */
static void build(tl_net *net, const tl_arch *arch, tl_part part, tl_built *built)
{
    const tl_family *f = arch->family;
    tl_tensor        x = built->x;

    if (part == TL_PART_HEAD) {
        built->features = x;
        built->logits   = head_in_f32(net, arch, x);
        return;
    }
    if (net->dtype != TL_F32 && !f->text) x = tl_cast(net->g, x, net->dtype);
    if (part == TL_PART_WHOLE && arch->source_head && f->whole) {
        built->logits = in_f32(net, f->whole(net, arch, x));
        return;
    }
    if (part == TL_PART_LOSS) {
        built->logits = loss_of_words(net, arch, f->body(net, arch, x));
        return;
    }
    built->features = in_f32(net, f->body(net, arch, x));
    if (part == TL_PART_EMBED)
        built->features =
            tl_sequence_pool(net->g, built->features, net->text.offsets, net->pool);
    if (net->past > 0) /* only one row's logits are wanted */
        built->features = tl_embedding(net->g, built->features, net->text.last);
    if (part == TL_PART_NECK) {
        head_in_f32(net, arch, built->features);
        built->features = in_f32(net, net->neck);
    }
    if (part == TL_PART_BELOW && net->at_cut)
        built->features = in_f32(net, net->at_cut);
    if (part == TL_PART_ABOVE) built->x = net->at_cut;
    if (part == TL_PART_WHOLE || part == TL_PART_ABOVE)
        built->logits = head_in_f32(net, arch, built->features);
}

static tl_status input_shape(tl_net *net, const tl_arch *arch, int64_t rows, tl_part part,
                             tl_shape *shape)
{
    if (part == TL_PART_HEAD) {
        const int64_t width = tl_arch_features(net->ctx, arch);
        *shape = TL_SHAPE(rows, width);
        return width < 0 ? net->ctx->status : TL_OK;
    }
    if (arch->family->text) {
        *shape = TL_SHAPE(rows);
        return TL_OK;
    }
    shape->ndim   = arch->row.ndim + 1;
    shape->dim[0] = rows;
    for (int i = 0; i < arch->row.ndim; i++) shape->dim[i + 1] = arch->row.dim[i];
    return TL_OK;
}

/* Packed text: ids, and what lies beside them. */
static void text_inputs(tl_net *net, int64_t rows)
{
    const int64_t sequences = net->sequences ? net->sequences : rows;

    net->text.positions = tl_graph_input(net->g, "positions", TL_I32, TL_SHAPE(rows));
    net->text.offsets   = tl_graph_input(net->g, "offsets", TL_I32, TL_SHAPE(sequences + 1));
    if (net->past == 0) return;
    net->text.at   = tl_graph_input(net->g, "at", TL_I32, TL_SHAPE(1));
    net->text.seen = tl_graph_input(net->g, "seen", TL_I32, TL_SHAPE(sequences + 1));
    net->text.last = tl_graph_input(net->g, "last", TL_I32, TL_SHAPE(1));
}

/* What the loss is asked: the words, what each counts, and which tokens where not all are. */
static void word_inputs(tl_net *net, int64_t rows)
{
    const int64_t n = net->asked ? net->asked : rows;

    net->words.target = tl_graph_input(net->g, "target", TL_I32, TL_SHAPE(n));
    net->words.weight = tl_graph_input(net->g, "weight", TL_F32, TL_SHAPE(n));
    if (net->asked)
        net->words.picked = tl_graph_input(net->g, "picked", TL_I32, TL_SHAPE(n));
}

tl_status tl_arch_build(tl_net *net, const tl_arch *arch, int64_t rows, tl_part part,
                        tl_built *out)
{
    tl_status rc;
    tl_ctx   *ctx = net->ctx;
    tl_shape  shape;
    tl_built  built = { 0 };

    *out = built;
    if (part == TL_PART_HEAD && arch->source_head && arch->family->whole)
        TL_FAIL(TL_EUSAGE, arch->name,
                "its own head does not work on features (give it a new one)");
    if (part == TL_PART_LOSS && !tl_arch_words(arch))
        TL_FAIL(TL_EUSAGE, arch->name, "is asked for classes, not for words");
    TL_TRY(input_shape(net, arch, rows, part, &shape));
    net->words     = (tl_word_loss){ 0 };
    net->prefix[0] = 0;
    net->depth     = 0;
    net->dropouts  = 0;
    net->block     = 0;
    net->at_cut    = 0;
    net->above     = part == TL_PART_ABOVE;
    net->text      = (tl_text_inputs){ 0 };
    net->adapt     = &arch->adapt;
    net->adapted   = 0;
    net->packs_tables = arch->adapt.nf4 && !tl_arch_words(arch); /* whose head may be the table */
    net->pasts     = 0;
    const bool ids = arch->family->text && part != TL_PART_HEAD;
    built.x        = tl_graph_input(net->g, "x", ids ? TL_I32 : TL_F32, shape);
    if (ids) text_inputs(net, rows);
    const tl_tensor positions = net->text.positions;
    if (ids && tl_adapt_places(&arch->adapt) > 0)
        net->text.positions = tl_count_on(net->g, positions, tl_adapt_places(&arch->adapt), 0);
    if (part == TL_PART_LOSS) word_inputs(net, rows);
    build(net, arch, part, &built);
    built.text  = net->text;
    built.text.positions = positions; /* as they are bound */
    built.words = net->words;
    TL_TRY(net->status);
    TL_TRY(tl_graph_status(net->g));
    if (arch->adapt.kind != TL_ADAPT_NONE && part != TL_PART_HEAD && !net->adapted)
        TL_FAIL(TL_EUSAGE, arch->name,
                "has no layer that %s joins, by the targets \"%.60s\" (name ends of its dense "
                "layers in lora.targets, or take a transformer; a prefix is for texts)",
                tl_adapt_name(arch->adapt.kind), arch->adapt.targets);
    if ((part == TL_PART_BELOW || part == TL_PART_ABOVE) && !net->at_cut)
        TL_FAIL(TL_EUSAGE, arch->name, "has no block %d to be cut below", net->cut);
    if (part == TL_PART_BODY || part == TL_PART_BELOW || part == TL_PART_NECK ||
        part == TL_PART_EMBED)
        tl_graph_keep(net->g, built.features, "features");
    else if (part == TL_PART_LOSS) tl_graph_keep(net->g, built.words.losses, "losses");
    else tl_graph_keep(net->g, built.logits, "logits");
    TL_TRY(tl_graph_status(net->g));
    *out = built;
done:
    return rc;
}

/* A graph that is looked at and thrown away. */
typedef struct { tl_graph *g; tl_params *params; tl_built built; } draft;

static void draft_end(tl_ctx *ctx, draft *d)
{
    tl_graph_free(ctx, d->g);
    tl_params_free(ctx, d->params);
    *d = (draft){ 0 };
}

static tl_status draft_make(tl_ctx *ctx, const tl_arch *arch, tl_part part, draft *out)
{
    tl_status rc;
    draft     d   = { 0 };
    tl_net    net = { .ctx = ctx };

    *out = d;
    TL_TRY(tl_graph_new(ctx, &d.g));
    TL_TRY(tl_params_new(ctx, &d.params));
    net.g      = d.g;
    net.params = d.params;
    TL_TRY(tl_arch_build(&net, arch, 1, part, &d.built));
    *out = d;
    d    = (draft){ 0 };
done:
    draft_end(ctx, &d);
    return rc;
}

tl_status tl_arch_params(tl_ctx *ctx, const tl_arch *arch, tl_params **out)
{
    tl_status rc;
    draft     d;

    *out = NULL;
    TL_TRY(draft_make(ctx, arch, TL_PART_WHOLE, &d));
    TL_TRY(tl_params_seal(ctx, d.params));
    *out     = d.params;
    d.params = NULL;
done:
    draft_end(ctx, &d);
    return rc;
}

tl_status tl_arch_batch_norms(tl_ctx *ctx, const tl_arch *arch, bool *out)
{
    draft           d;
    const tl_status rc = draft_make(ctx, arch, TL_PART_WHOLE, &d);

    *out = rc == TL_OK && tl_params_have_state(d.params);
    draft_end(ctx, &d);
    return rc;
}

tl_status tl_arch_head(tl_ctx *ctx, const tl_arch *arch, bool *deep, bool *solvable)
{
    draft     d;
    int64_t   weights = 0, biased = 0;
    tl_status rc      = draft_make(ctx, arch, TL_PART_WHOLE, &d);

    for (int32_t i = 0; rc == TL_OK && i < d.params->count; i++) {
        const tl_param *p = &d.params->param[i];
        if (p->head && p->role == TL_ROLE_WEIGHT) weights++, biased = 0;
        if (p->head && p->role == TL_ROLE_BIAS) biased = p->count;
    }
    *deep     = weights > 1;
    *solvable = weights > 0 && biased == arch->outputs;
    draft_end(ctx, &d);
    return rc;
}

int64_t tl_arch_features(tl_ctx *ctx, const tl_arch *arch)
{
    draft   d;
    int64_t width;

    if (draft_make(ctx, arch, TL_PART_BODY, &d) != TL_OK) return -1;
    width = tl_graph_shape(d.g, d.built.features)->dim[1];
    draft_end(ctx, &d);
    return width;
}

int tl_arch_blocks(const tl_params *params)
{
    int deepest = 0;

    for (int32_t i = 0; i < params->count; i++)
        deepest = TL_MAX(deepest, params->param[i].block);
    return deepest + 1;
}

/* One line of a summary: what a layer, or a block of layers, makes. */
typedef struct { const char *name; int name_bytes; tl_shape out; int64_t params; } line;

/* "layer1.0.conv1" and "layer1.0.bn1" tell as "layer1.0"; shorter names as they are. */
static int block_bytes(const char *layer)
{
    const char *dot = strchr(layer, '.');

    if (dot) dot = strchr(dot + 1, '.');
    return dot ? (int)(dot - layer) : (int)strlen(layer);
}

static int64_t node_params(const draft *d, const tl_node *node)
{
    int64_t sum = 0;

    for (int i = 0; i < node->n_in; i++) {
        const tl_tensor_info *info =
            node->in[i] ? tl_graph_info(d->g, node->in[i]) : NULL;
        if (info && info->kind == TL_PARAM) sum += tl_shape_count(&info->shape);
    }
    return sum;
}

static int lines_of(const draft *d, bool blocks, line *lines)
{
    const tl_node *node;
    int            n = 0;

    for (int32_t i = 0; (node = tl_graph_node(d->g, i)); i++) {
        const char *name  = node->layer ? node->layer : node->op->name;
        const int   bytes = blocks ? block_bytes(name) : (int)strlen(name);
        line       *last  = n ? &lines[n - 1] : NULL;
        if (!last || last->name_bytes != bytes ||
            strncmp(last->name, name, (size_t)bytes) != 0) {
            last  = &lines[n++];
            *last = (line){ .name = name, .name_bytes = bytes };
        }
        last->out     = *tl_graph_shape(d->g, node->out[0]);
        last->params += node_params(d, node);
    }
    return n;
}

static void add_line(tl_text *text, const line *l)
{
    char count[32], shape[96] = "";
    int  used = 0;

    for (int i = 1; i < l->out.ndim; i++)
        used += snprintf(shape + used, sizeof shape - (size_t)used, "%s%" PRId64,
                         i > 1 ? " x " : "", l->out.dim[i]);
    tl_text_printf(text, "%-28.*s %-20s %14s\n", l->name_bytes, l->name, shape,
                   tl_say_count(l->params, count));
}

tl_status tl_arch_summary(tl_ctx *ctx, const tl_arch *arch, char **text)
{
    tl_status rc;
    draft     d     = { 0 };
    line     *lines = NULL;
    tl_text   made  = tl_text_make(ctx);
    char      count[32];
    int       nodes = 0, n;

    *text = NULL;
    TL_TRY(draft_make(ctx, arch, TL_PART_WHOLE, &d));
    while (tl_graph_node(d.g, nodes)) nodes++;
    TL_TRY(tl_alloc_array(ctx, (size_t)nodes + 1, sizeof *lines, &lines));
    n = lines_of(&d, false, lines);
    if (n > MOST_LINES) n = lines_of(&d, true, lines);
    tl_text_printf(&made, "%-28s %-20s %14s\n", "layer", "output", "parameters");
    for (int i = 0; i < n; i++) add_line(&made, &lines[i]);
    tl_text_printf(&made, "%-49s %14s\n", arch->name,
                   tl_say_count(tl_params_numel(d.params, false), count));
    TL_TRY(made.status);
    *text     = made.text;
    made.text = NULL;
done:
    tl_text_free(&made);
    tl_free(ctx, lines);
    draft_end(ctx, &d);
    return rc;
}
