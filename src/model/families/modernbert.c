/* modernbert.c -- ModernBERT: an encoder with rotary positions, gated units and norms first, most
 * layers of which look through a window.  Names as Transformers saves them.
 * Source: Warner et al. 2024, arXiv:2412.13663.  Floor 2, model. */
#include "model/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    int64_t       vocab, width, inner, layers, heads, places, window, every;
    tl_activation act, head_act;
    double        eps, embed_dropout, attention_dropout, mlp_dropout, head_dropout;
    bool          norm_bias, attention_bias, mlp_bias, decoder_bias, head_bias;
} plan;

static const tl_setting settings[] = {
    TL_INT_AT(plan, "vocab_size", vocab, 50368, 1, 1 << 24),
    TL_INT_AT(plan, "hidden_size", width, 768, 1, 65536),
    TL_INT_AT(plan, "intermediate_size", inner, 1152, 1, 1 << 20),
    TL_INT_AT(plan, "num_hidden_layers", layers, 22, 1, 1000),
    TL_INT_AT(plan, "num_attention_heads", heads, 12, 1, 1024),
    TL_INT_AT(plan, "max_position_embeddings", places, 8192, 1, 1 << 24),
    TL_INT_AT(plan, "local_attention", window, 128, 2, 1 << 24),
    TL_INT_AT(plan, "global_attn_every_n_layers", every, 3, 1, 1000),
    TL_ACT_AT(plan, "hidden_activation", act, TL_ACT_GELU),
    TL_ACT_AT(plan, "classifier_activation", head_act, TL_ACT_GELU),
    TL_NUMBER_AT(plan, "norm_eps", eps, 1e-5, 0.0, 0.1),
    TL_NUMBER_AT(plan, "embedding_dropout", embed_dropout, 0.0, 0.0, 0.99),
    TL_NUMBER_AT(plan, "attention_dropout", attention_dropout, 0.0, 0.0, 0.99),
    TL_NUMBER_AT(plan, "mlp_dropout", mlp_dropout, 0.0, 0.0, 0.99),
    TL_NUMBER_AT(plan, "classifier_dropout", head_dropout, 0.0, 0.0, 0.99),
    TL_BOOL_AT(plan, "norm_bias", norm_bias, false),
    TL_BOOL_AT(plan, "attention_bias", attention_bias, false),
    TL_BOOL_AT(plan, "mlp_bias", mlp_bias, false),
    TL_BOOL_AT(plan, "decoder_bias", decoder_bias, true),
    TL_BOOL_AT(plan, "classifier_bias", head_bias, false),
    TL_ONLY("classifier_pooling", "\"cls\"|\"mean\"|null"),
    TL_ONLY("tie_word_embeddings", "true|null"),
};

static tl_status read_plan(tl_ctx *ctx, const char *where, const json_t *config, plan *p)
{
    tl_status rc;

    TL_TRY(tl_settings_read(ctx, where, config, settings, TL_COUNT(settings), p));
    if (p->width % p->heads)
        TL_FAIL(TL_EDATA, where,
                "\"num_attention_heads\": %" PRId64 " do not divide %" PRId64
                " (mend one of them)",
                p->heads, p->width);
    TL_TRY(tl_text_check_layers(ctx, where, config));
done:
    return rc;
}

/* Angles of the layers that see all (0), and of those with a window (1). */
static tl_status angles_of(tl_ctx *ctx, const char *where, const json_t *config,
                           const plan *p, tl_rope_angles_attr angles[2])
{
    tl_status rc;

    TL_TRY(tl_text_rope(ctx, where, config, "full_attention",
                        tl_json_number(config, "global_rope_theta", 160000.0),
                        p->width / p->heads, &angles[0]));
    TL_TRY(tl_text_rope(ctx, where, config, "sliding_attention",
                        tl_json_number(config, "local_rope_theta", 10000.0),
                        p->width / p->heads, &angles[1]));
done:
    return rc;
}

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    tl_rope_angles_attr angles[2];
    json_t             *made;
    tl_status           rc;
    plan                p;

    TL_TRY(read_plan(ctx, where, config, &p));
    if (size && strchr(size, ':')) {
        if (!tl_text_size(size, &p.layers, &p.width))
            TL_FAIL(TL_EUSAGE, where,
                    "\"%.40s\" is not layers x width (write modernbert:6x384; widths are "
                    "multiples of 64)",
                    size);
        p.heads = p.width / 64;
        p.inner = 3 * p.width / 2;
    }
    TL_TRY(angles_of(ctx, where, config, &p, angles));
    snprintf(arch->name, sizeof arch->name, "modernbert-%" PRId64 "x%" PRId64, p.layers,
             p.width);
    if (p.layers == 22 && p.width == 768)
        snprintf(arch->name, sizeof arch->name, "modernbert-base");
    made = tl_settings_write(settings, TL_COUNT(settings), &p);
    if (made) json_object_set_new(made, "pad_token_id", json_null()); /* not 50283 */
    tl_text_keep(made, config);
    TL_TRY(tl_text_settle(ctx, where, arch, p.places, p.vocab, made));
done:
    return rc;
}

static tl_tensor norm(tl_net *net, const plan *p, const char *name, tl_tensor x)
{
    return p->norm_bias ? tl_net_layer_norm(net, name, x, (float)p->eps)
                        : tl_net_layer_norm_scaled(net, name, x, (float)p->eps);
}

static tl_tensor product(tl_net *net, const char *name, tl_tensor x, int64_t out,
                         bool bias)
{
    return tl_net_linear(net, name, x, out, bias, TL_ACT_NONE, TL_INIT_NORMAL);
}

static tl_tensor layer(tl_net *net, const plan *p, tl_tensor x, tl_tensor cosine,
                       bool first, bool slides)
{
    const int64_t dim = p->width / p->heads, reach = slides ? p->window / 2 : -1;
    const tl_attention_attr attr = { .heads    = (int)p->heads,
                                     .kv_heads = (int)p->heads,
                                     .before   = reach,
                                     .after    = reach,
                                     .scale    = 1.0f / sqrtf((float)dim),
                                     .dropout  = (float)p->attention_dropout };
    const tl_rope_spec      both = { .heads = 2 * (int)p->heads,
                                     .dim   = (int)dim }; /* queries, keys */
    tl_tensor               h    = first ? x : norm(net, p, "attn_norm", x);

    h = product(net, "attn.Wqkv", h, 3 * p->width, p->attention_bias);
    h = tl_rope(net->g, h, cosine, tl_graph_out(net->g, cosine, 1), &both);
    h = tl_net_attention(net, h, 0, 0, net->text.offsets, &attr);
    x = tl_add(net->g, x, product(net, "attn.Wo", h, p->width, p->attention_bias),
               TL_ACT_NONE);
    h = product(net, "mlp.Wi", norm(net, p, "mlp_norm", x), 2 * p->inner, p->mlp_bias);
    h = tl_net_dropout(net, tl_glu(net->g, h, 0, p->act), (float)p->mlp_dropout);
    return tl_add(net->g, x, product(net, "mlp.Wo", h, p->width, p->mlp_bias),
                  TL_ACT_NONE);
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor ids)
{
    const bool mean =
        strcmp(tl_json_text(arch->config, "classifier_pooling", "cls"), "mean") == 0;
    tl_rope_angles_attr angles[2];
    tl_tensor           x, cosine[2];
    plan                p;

    net->status = read_plan(net->ctx, arch->name, arch->config, &p);
    if (net->status == TL_OK)
        net->status = angles_of(net->ctx, arch->name, arch->config, &p, angles);
    if (net->status != TL_OK) return 0;
    net->init_sd = 0.02f;
    tl_net_push(net, "model");
    x = tl_net_embedding(net, "embeddings.tok_embeddings", ids, p.vocab, p.width);
    x = norm(net, &p, "embeddings.norm", x);
    x = tl_net_dropout(net, x, (float)p.embed_dropout);
    for (int i = 0; i < 2; i++)
        cosine[i] = tl_rope_angles(net->g, net->text.positions, &angles[i]);
    for (int64_t i = 0; i < p.layers; i++) {
        const bool slides = tl_text_slides(arch->config, i, i % p.every != 0);
        x                 = tl_net_block(net, x);
        tl_net_push(net, "layers.%" PRId64, i);
        x = layer(net, &p, x, cosine[slides], i == 0, slides);
        tl_net_pop(net);
    }
    x = norm(net, &p, "final_norm", x);
    tl_net_pop(net);
    if (arch->ask == TL_ASK_CLASSES)
        x = tl_sequence_pool(net->g, x, net->text.offsets,
                             mean ? TL_POOL_MEAN : TL_POOL_FIRST);
    return x;
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    tl_tensor table, bias = 0;
    plan      p;

    net->status = read_plan(net->ctx, arch->name, arch->config, &p);
    if (net->status != TL_OK) return 0;
    net->init_sd    = 0.02f;
    const float off = (float)(arch->dropout < 0.0 ? p.head_dropout : arch->dropout);
    x = tl_act(net->g, product(net, "head.dense", x, p.width, p.head_bias), p.head_act);
    x = norm(net, &p, "head.norm", x);
    if (arch->ask != TL_ASK_MASKED)
        return product(net, "classifier", tl_net_dropout(net, x, off), arch->outputs,
                       true);
    table = tl_net_param(net, "model.embeddings.tok_embeddings.weight",
                         TL_SHAPE(p.vocab, p.width), TL_ROLE_EMBED, TL_INIT_NORMAL,
                         net->init_sd);
    if (p.decoder_bias)
        bias = tl_net_param(net, "decoder.bias", TL_SHAPE(p.vocab), TL_ROLE_BIAS,
                            TL_INIT_ZERO, 0.0f);
    return tl_net_words(net, x, table, bias, 0.0f);
}

static const char *class_of(const tl_arch *arch)
{
    static const char *const classes[TL_ASKS] = { "ModernBertForSequenceClassification",
                                                  "ModernBertForTokenClassification",
                                                  "ModernBertForMaskedLM", NULL };

    return classes[arch->ask];
}

static const tl_rename bare[] = {
    { "^embeddings.", "model.embeddings." },
    { "^layers.", "model.layers." },
    { "^final_norm.", "model.final_norm." },
};
static const tl_names_map maps[] = {
    { "hugging-face", NULL, 0 },
    { "hugging-face-bare", bare, TL_COUNT(bare) },
};
static const char *const sizes[] = { "modernbert-base", NULL };

const tl_family tl_family_modernbert = {
    .name         = "modernbert",
    .doc          = "a newer BERT: rotary positions, windows; modernbert:6x384",
    .source       = "Warner et al. 2024, arXiv:2412.13663",
    .sizes        = sizes,
    .text         = true,
    .configure    = configure,
    .body         = body,
    .head         = head,
    .maps         = maps,
    .n_maps       = TL_COUNT(maps),
    .default_prep = "text",
    .class_of     = class_of,
};
