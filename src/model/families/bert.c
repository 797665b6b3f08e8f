/* bert.c -- BERT, RoBERTa and DistilBERT: encoders whose blocks norm last, learned positions.
 * Names as Transformers saves them.
 * Sources: Devlin et al. 2019, arXiv:1810.04805; Liu et al. 2019, arXiv:1907.11692; Sanh et al.
 * 2019, arXiv:1910.01108.  Floor 2, model. */
#include "model/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    int64_t       vocab, width, layers, heads, inner, places, types, pad;
    tl_activation act;
    double        eps, dropout, attention_dropout, head_dropout;
} plan;

/* Where the three differ: names, and what their heads are made of. */
typedef struct {
    const char *prefix, *layer, *part[3], *out, *attended, *wide, *narrow, *normed, *norm;
    bool        pads;   /* positions count from the padding token's number + 1 */
    bool        pooler; /* a dense layer on the first token belongs to the body */
} dialect;

#define BERT_NAMES                                                                       \
    .layer = "encoder.layer", .norm = "LayerNorm",                                       \
    .part = { "attention.self.query", "attention.self.key", "attention.self.value" },    \
    .out = "attention.output.dense", .attended = "attention.output.LayerNorm",           \
    .wide = "intermediate.dense", .narrow = "output.dense", .normed = "output.LayerNorm"
static const dialect bert = {
    .prefix   = "bert",
    .pooler   = true,
    BERT_NAMES,
};
static const dialect roberta = {
    .prefix   = "roberta",
    .pads     = true,
    BERT_NAMES,
};
static const dialect distilbert = {
    .prefix   = "distilbert",
    .layer    = "transformer.layer",
    .norm     = "LayerNorm",
    .part     = { "attention.q_lin", "attention.k_lin", "attention.v_lin" },
    .out      = "attention.out_lin",
    .attended = "sa_layer_norm",
    .wide     = "ffn.lin1",
    .narrow   = "ffn.lin2",
    .normed   = "output_layer_norm",
};

#define COMMON(vocab_)                                                                   \
    TL_INT_AT(plan, "vocab_size", vocab, vocab_, 1, 1 << 24),                            \
        TL_INT_AT(plan, "hidden_size", width, 768, 1, 65536),                            \
        TL_INT_AT(plan, "num_hidden_layers", layers, 12, 1, 1000),                       \
        TL_INT_AT(plan, "num_attention_heads", heads, 12, 1, 1024),                      \
        TL_INT_AT(plan, "intermediate_size", inner, 3072, 1, 1 << 20),                   \
        TL_ACT_AT(plan, "hidden_act", act, TL_ACT_GELU),                                 \
        TL_NUMBER_AT(plan, "hidden_dropout_prob", dropout, 0.1, 0.0, 0.99),              \
        TL_NUMBER_AT(plan, "attention_probs_dropout_prob", attention_dropout, 0.1, 0.0,  \
                     0.99),                                                              \
        TL_NUMBER_AT(plan, "classifier_dropout", head_dropout, -1.0, 0.0, 0.99),         \
        TL_ONLY("position_embedding_type", "\"absolute\"|null"),                         \
        TL_ONLY("is_decoder", "false|null"),                                             \
        TL_ONLY("add_cross_attention", "false|null"),                                    \
        TL_ONLY("tie_word_embeddings", "true|null")
static const tl_setting bert_settings[] = {
    COMMON(30522),
    TL_INT_AT(plan, "max_position_embeddings", places, 512, 1, 1 << 20),
    TL_INT_AT(plan, "type_vocab_size", types, 2, 1, 1024),
    TL_INT_AT(plan, "pad_token_id", pad, 0, 0, 1 << 20),
    TL_NUMBER_AT(plan, "layer_norm_eps", eps, 1e-12, 0.0, 0.1),
};
static const tl_setting roberta_settings[] = {
    COMMON(50265),
    TL_INT_AT(plan, "max_position_embeddings", places, 514, 3, 1 << 20),
    TL_INT_AT(plan, "type_vocab_size", types, 1, 1, 1024),
    TL_INT_AT(plan, "pad_token_id", pad, 1, 0, 1 << 20),
    TL_NUMBER_AT(plan, "layer_norm_eps", eps, 1e-5, 0.0, 0.1),
};
static const tl_setting distilbert_settings[] = {
    TL_INT_AT(plan, "vocab_size", vocab, 30522, 1, 1 << 24),
    TL_INT_AT(plan, "dim", width, 768, 1, 65536),
    TL_INT_AT(plan, "n_layers", layers, 6, 1, 1000),
    TL_INT_AT(plan, "n_heads", heads, 12, 1, 1024),
    TL_INT_AT(plan, "hidden_dim", inner, 3072, 1, 1 << 20),
    TL_ACT_AT(plan, "activation", act, TL_ACT_GELU),
    TL_INT_AT(plan, "max_position_embeddings", places, 512, 1, 1 << 20),
    TL_INT_AT(plan, "pad_token_id", pad, 0, 0, 1 << 20),
    TL_NUMBER_AT(plan, "dropout", dropout, 0.1, 0.0, 0.99),
    TL_NUMBER_AT(plan, "attention_dropout", attention_dropout, 0.1, 0.0, 0.99),
    TL_NUMBER_AT(plan, "seq_classif_dropout", head_dropout, 0.2, 0.0, 0.99),
    TL_ONLY("tie_word_embeddings", "true|null"),
};

static const struct {
    const char       *family;
    const dialect    *way;
    const tl_setting *settings;
    size_t            count;
} ways[] = {
    { "bert", &bert, bert_settings, TL_COUNT(bert_settings) },
    { "roberta", &roberta, roberta_settings, TL_COUNT(roberta_settings) },
    { "distilbert", &distilbert, distilbert_settings, TL_COUNT(distilbert_settings) },
};

static size_t way_of(const tl_arch *arch)
{
    size_t i = 0;

    while (strcmp(ways[i].family, arch->family->name) != 0) i++;
    return i;
}

static const struct {
    const char *name;
    int64_t     layers, width;
} known[] = {
    { "bert-tiny", 2, 128 },  { "bert-mini", 4, 256 },     { "bert-small", 4, 512 },
    { "bert-base", 12, 768 }, { "roberta-base", 12, 768 }, { "distilbert-base", 6, 768 },
};

static tl_status read_plan(tl_ctx *ctx, const char *where, const json_t *config,
                           const tl_arch *arch, plan *p)
{
    const size_t i = way_of(arch);
    tl_status    rc;

    *p = (plan){ .types = 0, .eps = 1e-12 };
    TL_TRY(tl_settings_read(ctx, where, config, ways[i].settings, ways[i].count, p));
    if (p->head_dropout < 0.0) p->head_dropout = p->dropout;
    if (p->width % p->heads)
        TL_FAIL(TL_EDATA, where,
                "%" PRId64 " heads do not divide a width of %" PRId64
                " (mend one of them)",
                p->heads, p->width);
    if (ways[i].way->pads && p->places <= p->pad + 1)
        TL_FAIL(TL_EDATA, where,
                "\"max_position_embeddings\" leaves no place for a text (mend it)");
done:
    return rc;
}

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    const size_t w = way_of(arch);
    json_t      *made;
    tl_status    rc;
    plan         p;

    TL_TRY(read_plan(ctx, where, config, arch, &p));
    for (size_t i = 0; size && i < TL_COUNT(known); i++)
        if (strcmp(known[i].name, size) == 0)
            p.layers = known[i].layers, p.width = known[i].width;
    if (size && strchr(size, ':') && !tl_text_size(size, &p.layers, &p.width))
        TL_FAIL(TL_EUSAGE, where,
                "\"%.40s\" is not layers x width (write %s:4x256; widths are multiples "
                "of 64)",
                size, arch->family->name);
    if (size) p.heads = p.width / 64, p.inner = 4 * p.width;
    snprintf(arch->name, sizeof arch->name, "%s-%" PRId64 "x%" PRId64, arch->family->name,
             p.layers, p.width);
    for (size_t i = TL_COUNT(known); i-- > 0;)
        if (known[i].layers == p.layers && known[i].width == p.width &&
            strncmp(known[i].name, arch->family->name, strlen(arch->family->name)) == 0)
            snprintf(arch->name, sizeof arch->name, "%s", known[i].name);
    made = tl_settings_write(ways[w].settings, ways[w].count, &p);
    tl_text_keep(made, config);
    TL_TRY(tl_text_settle(ctx, where, arch,
                          ways[w].way->pads ? p.places - p.pad - 1 : p.places, p.vocab,
                          made));
done:
    return rc;
}

/* Words, places and, where there are any, kinds of text; normed. */
static tl_tensor embed(tl_net *net, const dialect *way, const plan *p, tl_tensor ids)
{
    tl_tensor x, table;

    tl_net_push(net, "embeddings");
    x = tl_net_embedding(net, "word_embeddings", ids, p->vocab, p->width);
    if (way->pads) { /* the first rows are never used: those of padding */
        table =
            tl_net_param(net, "position_embeddings.weight", TL_SHAPE(p->places, p->width),
                         TL_ROLE_EMBED, TL_INIT_NORMAL, net->init_sd);
        table = tl_slice(net->g, table, 0, p->pad + 1, p->places - p->pad - 1, 1);
        table =
            tl_cast(net->g, tl_embedding(net->g, table, net->text.positions), net->dtype);
    } else {
        table = tl_net_embedding(net, "position_embeddings", net->text.positions,
                                 p->places, p->width);
    }
    x = tl_add(net->g, x, table, TL_ACT_NONE);
    if (p->types == 1) {
        table = tl_net_param(net, "token_type_embeddings.weight", TL_SHAPE(1, p->width),
                             TL_ROLE_EMBED, TL_INIT_NORMAL, net->init_sd);
        x = tl_add(net->g, x, tl_reshape(net->g, table, TL_SHAPE(p->width)), TL_ACT_NONE);
    } else if (p->types > 1) {
        table = tl_net_embedding(net, "token_type_embeddings", tl_net_segments(net),
                                 p->types, p->width);
        x     = tl_add(net->g, x, table, TL_ACT_NONE);
    }
    x = tl_net_layer_norm(net, way->norm, x, (float)p->eps);
    tl_net_pop(net);
    return tl_net_dropout(net, x, (float)p->dropout);
}

static tl_tensor dense(tl_net *net, const char *name, tl_tensor x, int64_t out,
                       tl_activation act)
{
    return tl_net_linear(net, name, x, out, true, act, TL_INIT_NORMAL);
}

static tl_tensor layer(tl_net *net, const dialect *way, const plan *p, tl_tensor x)
{
    const tl_attention_attr attr = { .heads    = (int)p->heads,
                                     .kv_heads = (int)p->heads,
                                     .before   = -1,
                                     .after    = -1,
                                     .scale =
                                         1.0f / sqrtf((float)(p->width / p->heads)),
                                     .dropout  = (float)p->attention_dropout };
    tl_tensor               qkv[3], h;

    for (int i = 0; i < 3; i++)
        qkv[i] = dense(net, way->part[i], x, p->width, TL_ACT_NONE);
    tl_net_layer(net, "attention");
    h = tl_net_attention(net, qkv[0], qkv[1], qkv[2], net->text.offsets, &attr);
    h = tl_net_dropout(net, dense(net, way->out, h, p->width, TL_ACT_NONE),
                       (float)p->dropout);
    x = tl_net_layer_norm(net, way->attended, tl_add(net->g, x, h, TL_ACT_NONE),
                          (float)p->eps);
    h = dense(net, way->narrow, dense(net, way->wide, x, p->inner, p->act), p->width,
              TL_ACT_NONE);
    h = tl_net_dropout(net, h, (float)p->dropout);
    return tl_net_layer_norm(net, way->normed, tl_add(net->g, x, h, TL_ACT_NONE),
                             (float)p->eps);
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor ids)
{
    const dialect *way = ways[way_of(arch)].way;
    plan           p;
    tl_tensor      x;

    net->status = read_plan(net->ctx, arch->name, arch->config, arch, &p);
    if (net->status != TL_OK) return 0;
    net->init_sd = 0.02f;
    tl_net_push(net, "%s", way->prefix);
    x = embed(net, way, &p, ids);
    for (int64_t i = 0; i < p.layers; i++) {
        x = tl_net_block(net, x);
        tl_net_push(net, "%s.%" PRId64, way->layer, i);
        x = layer(net, way, &p, x);
        tl_net_pop(net);
    }
    if (arch->ask == TL_ASK_CLASSES) {
        x             = tl_sequence_pool(net->g, x, net->text.offsets, TL_POOL_FIRST);
        net->optional = true;
        if (way->pooler) x = dense(net, "pooler.dense", x, p.width, TL_ACT_TANH);
        net->optional = false;
    }
    tl_net_pop(net);
    return x;
}

/* Scores of every word: the word's own embedding against a turned row. */
static tl_tensor words(tl_net *net, const tl_arch *arch, const plan *p, tl_tensor x)
{
    static const struct {
        const char *dense, *norm, *bias;
    } names[] = {
        { "cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
          "cls.predictions.bias" },
        { "lm_head.dense", "lm_head.layer_norm", "lm_head.bias" },
        { "vocab_transform", "vocab_layer_norm", "vocab_projector.bias" },
    };
    const size_t w   = way_of(arch);
    const double eps = ways[w].way == &distilbert ? 1e-12 : p->eps;
    tl_tensor    table, bias;
    char         name[80];

    x = dense(net, names[w].dense, x, p->width,
              ways[w].way == &roberta ? TL_ACT_GELU : p->act);
    x = tl_net_layer_norm(net, names[w].norm, x, (float)eps);
    snprintf(name, sizeof name, "%s.embeddings.word_embeddings.weight",
             ways[w].way->prefix);
    table = tl_net_param(net, name, TL_SHAPE(p->vocab, p->width), TL_ROLE_EMBED,
                         TL_INIT_NORMAL, net->init_sd);
    bias  = tl_net_param(net, names[w].bias, TL_SHAPE(p->vocab), TL_ROLE_BIAS,
                         TL_INIT_ZERO, 0.0f);
    return tl_net_words(net, x, table, bias, 0.0f);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const dialect *way = ways[way_of(arch)].way;
    plan           p;

    net->status = read_plan(net->ctx, arch->name, arch->config, arch, &p);
    if (net->status != TL_OK) return 0;
    net->init_sd    = 0.02f;
    const float off = (float)(arch->dropout < 0.0 ? p.head_dropout : arch->dropout);
    if (arch->ask == TL_ASK_MASKED) return words(net, arch, &p, x);
    if (arch->ask == TL_ASK_CLASSES && way == &distilbert)
        x = dense(net, "pre_classifier", x, p.width, TL_ACT_RELU);
    x = tl_net_dropout(net, x, off);
    if (arch->ask == TL_ASK_CLASSES && way == &roberta) {
        x = tl_net_dropout(net, dense(net, "classifier.dense", x, p.width, TL_ACT_TANH),
                           off);
        return dense(net, "classifier.out_proj", x, arch->outputs, TL_ACT_NONE);
    }
    return dense(net, "classifier", x, arch->outputs, TL_ACT_NONE);
}

#define CLASSES(name)                                                                    \
    {                                                                                    \
        name "ForSequenceClassification", name "ForTokenClassification",                 \
            name "ForMaskedLM", NULL                                                     \
    }
static const char *class_of(const tl_arch *arch)
{
    static const char *const classes[][TL_ASKS] = { CLASSES("Bert"), CLASSES("Roberta"),
                                                    CLASSES("DistilBert") };

    return classes[way_of(arch)][arch->ask];
}

/* A model saved without its head, as sentence-transformers does; old files' names of norms; a
 * tied output layer that the file repeats goes nowhere. */
#define BARE(f)                                                                          \
    { "^embeddings.", f ".embeddings." }, { "^encoder.", f ".encoder." },                \
    {                                                                                    \
        "^pooler.", f ".pooler."                                                         \
    }
static const tl_rename bert_bare[]       = { BARE("bert") };
static const tl_rename roberta_bare[]    = { BARE("roberta") };
static const tl_rename distilbert_bare[] = { { "^embeddings.", "distilbert.embeddings." },
                                             { "^transformer.",
                                               "distilbert.transformer." } };
static const tl_rename bert_old[]        = { { ".LayerNorm.gamma", ".LayerNorm.weight" },
                                             { ".LayerNorm.beta", ".LayerNorm.bias" } };
static const tl_names_map bert_maps[]    = {
       { "hugging-face", NULL, 0 },
       { "hugging-face-bare", bert_bare, TL_COUNT(bert_bare) },
       { "hugging-face-old", bert_old, TL_COUNT(bert_old) },
};
static const tl_names_map roberta_maps[] = {
    { "hugging-face", NULL, 0 },
    { "hugging-face-bare", roberta_bare, TL_COUNT(roberta_bare) },
};
static const tl_names_map distilbert_maps[] = {
    { "hugging-face", NULL, 0 },
    { "hugging-face-bare", distilbert_bare, TL_COUNT(distilbert_bare) },
};
static const char *const bert_sizes[]       = { "bert-tiny", "bert-mini", "bert-small",
                                                "bert-base", NULL };
static const char *const roberta_sizes[]    = { "roberta-base", NULL };
static const char *const distilbert_sizes[] = { "distilbert-base", NULL };

const tl_family tl_family_bert = {
    .name         = "bert",
    .doc          = "an encoder of text: bert-tiny, bert:4x256",
    .source       = "Devlin et al. 2019, arXiv:1810.04805",
    .sizes        = bert_sizes,
    .text         = true,
    .configure    = configure,
    .body         = body,
    .head         = head,
    .maps         = bert_maps,
    .n_maps       = TL_COUNT(bert_maps),
    .default_prep = "text",
    .class_of     = class_of,
};
const tl_family tl_family_roberta = {
    .name         = "roberta",
    .doc          = "a BERT trained longer, without kinds of text",
    .source       = "Liu et al. 2019, arXiv:1907.11692",
    .sizes        = roberta_sizes,
    .text         = true,
    .configure    = configure,
    .body         = body,
    .head         = head,
    .maps         = roberta_maps,
    .n_maps       = TL_COUNT(roberta_maps),
    .default_prep = "text",
    .class_of     = class_of,
};
const tl_family tl_family_distilbert = {
    .name         = "distilbert",
    .doc          = "a BERT of half the depth, taught by a whole one",
    .source       = "Sanh et al. 2019, arXiv:1910.01108",
    .sizes        = distilbert_sizes,
    .text         = true,
    .configure    = configure,
    .body         = body,
    .head         = head,
    .maps         = distilbert_maps,
    .n_maps       = TL_COUNT(distilbert_maps),
    .default_prep = "text",
    .class_of     = class_of,
};
