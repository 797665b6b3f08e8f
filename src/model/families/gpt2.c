/* gpt2.c -- GPT-2: a decoder with learned positions whose blocks norm first.  Its files hold the
 * products [in out], query, key and value in one.
 * Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; names and
 * settings are Transformers'.  Floor 2, model. */
#include "model/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    int64_t       vocab, width, layers, heads, inner, places;
    tl_activation act;
    double        eps, dropout, embed_dropout, attention_dropout;
} plan;

static const tl_setting settings[] = {
    TL_INT_AT(plan, "vocab_size", vocab, 50257, 1, 1 << 24),
    TL_INT_AT(plan, "n_embd", width, 768, 1, 65536),
    TL_INT_AT(plan, "n_layer", layers, 12, 1, 1000),
    TL_INT_AT(plan, "n_head", heads, 12, 1, 1024),
    TL_INT_AT(plan, "n_inner", inner, 0, 0, 1 << 20),
    TL_INT_AT(plan, "n_positions", places, 1024, 1, 1 << 20),
    TL_ACT_AT(plan, "activation_function", act, TL_ACT_GELU_TANH),
    TL_NUMBER_AT(plan, "layer_norm_epsilon", eps, 1e-5, 0.0, 0.1),
    TL_NUMBER_AT(plan, "resid_pdrop", dropout, 0.1, 0.0, 0.99),
    TL_NUMBER_AT(plan, "embd_pdrop", embed_dropout, 0.1, 0.0, 0.99),
    TL_NUMBER_AT(plan, "attn_pdrop", attention_dropout, 0.1, 0.0, 0.99),
    TL_ONLY("scale_attn_weights", "true|null"),
    TL_ONLY("scale_attn_by_inverse_layer_idx", "false|null"),
    TL_ONLY("reorder_and_upcast_attn", "false|null"),
    TL_ONLY("add_cross_attention", "false|null"),
    TL_ONLY("tie_word_embeddings", "true|null"),
};

static const struct {
    const char *name;
    int64_t     layers, width;
} known[] = {
    { "gpt2-tiny", 4, 128 },
    { "gpt2-small", 12, 768 },
    { "gpt2-medium", 24, 1024 },
};

static tl_status read_plan(tl_ctx *ctx, const char *where, const json_t *config, plan *p)
{
    tl_status rc;

    TL_TRY(tl_settings_read(ctx, where, config, settings, TL_COUNT(settings), p));
    if (p->width % p->heads)
        TL_FAIL(TL_EDATA, where,
                "\"n_head\": %" PRId64 " do not divide %" PRId64 " (mend one of them)",
                p->heads, p->width);
    if (p->inner == 0) p->inner = 4 * p->width;
done:
    return rc;
}

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    json_t   *made;
    tl_status rc;
    plan      p;

    TL_TRY(read_plan(ctx, where, config, &p));
    for (size_t i = 0; size && i < TL_COUNT(known); i++)
        if (strcmp(known[i].name, size) == 0)
            p.layers = known[i].layers, p.width = known[i].width;
    if (size && strchr(size, ':') && !tl_text_size(size, &p.layers, &p.width))
        TL_FAIL(TL_EUSAGE, where,
                "\"%.40s\" is not layers x width (write gpt2:6x384; widths are multiples "
                "of 64)",
                size);
    if (size) p.heads = p.width / 64, p.inner = 4 * p.width;
    snprintf(arch->name, sizeof arch->name, "gpt2-%" PRId64 "x%" PRId64, p.layers,
             p.width);
    for (size_t i = 0; i < TL_COUNT(known); i++)
        if (known[i].layers == p.layers && known[i].width == p.width)
            snprintf(arch->name, sizeof arch->name, "%s", known[i].name);
    made = tl_settings_write(settings, TL_COUNT(settings), &p);
    tl_text_keep(made, config);
    TL_TRY(tl_text_settle(ctx, where, arch, p.places, p.vocab, made));
done:
    return rc;
}

/* A product as GPT-2's files hold it; those that end a branch start smaller by the depth. */
static tl_tensor product(tl_net *net, const plan *p, const char *name, tl_tensor x,
                         int64_t out, tl_activation act, bool ends)
{
    net->turned  = true;
    net->init_sd = ends ? 0.02f / sqrtf(2.0f * (float)p->layers) : 0.02f;
    x            = tl_net_linear(net, name, x, out, true, act, TL_INIT_NORMAL);
    net->turned  = false;
    net->init_sd = 0.02f;
    return x;
}

static tl_tensor layer(tl_net *net, const plan *p, tl_tensor x)
{
    const tl_attention_attr attr = { .heads    = (int)p->heads,
                                     .kv_heads = (int)p->heads,
                                     .before   = -1,
                                     .after    = 0,
                                     .scale =
                                         1.0f / sqrtf((float)(p->width / p->heads)),
                                     .dropout  = (float)p->attention_dropout };
    tl_tensor               h    = tl_net_layer_norm(net, "ln_1", x, (float)p->eps);

    h = product(net, p, "attn.c_attn", h, 3 * p->width, TL_ACT_NONE, false);
    tl_net_layer(net, "attn");
    h = tl_net_attention(net, h, 0, 0, net->text.offsets, &attr);
    h = product(net, p, "attn.c_proj", h, p->width, TL_ACT_NONE, true);
    x = tl_add(net->g, x, tl_net_dropout(net, h, (float)p->dropout), TL_ACT_NONE);
    h = tl_net_layer_norm(net, "ln_2", x, (float)p->eps);
    h = product(net, p, "mlp.c_fc", h, p->inner, p->act, false);
    h = product(net, p, "mlp.c_proj", h, p->width, TL_ACT_NONE, true);
    return tl_add(net->g, x, tl_net_dropout(net, h, (float)p->dropout), TL_ACT_NONE);
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor ids)
{
    plan      p;
    tl_tensor x;

    net->status = read_plan(net->ctx, arch->name, arch->config, &p);
    if (net->status != TL_OK) return 0;
    net->init_sd = 0.02f;
    tl_net_push(net, "transformer");
    x = tl_net_embedding(net, "wte", ids, p.vocab, p.width);
    x = tl_add(net->g, x,
               tl_net_embedding(net, "wpe", net->text.positions, p.places, p.width),
               TL_ACT_NONE);
    x = tl_net_dropout(net, x, (float)p.embed_dropout);
    for (int64_t i = 0; i < p.layers; i++) {
        x = tl_net_block(net, x);
        tl_net_push(net, "h.%" PRId64, i);
        x = layer(net, &p, x);
        tl_net_pop(net);
    }
    x = tl_net_layer_norm(net, "ln_f", x, (float)p.eps);
    tl_net_pop(net);
    if (arch->ask == TL_ASK_CLASSES)
        x = tl_sequence_pool(net->g, x, net->text.offsets, TL_POOL_LAST);
    return x;
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    plan p;

    net->status = read_plan(net->ctx, arch->name, arch->config, &p);
    if (net->status != TL_OK) return 0;
    net->init_sd = 0.02f;
    if (arch->ask == TL_ASK_NEXT)
        return tl_net_words(net, x,
                            tl_net_param(net, "transformer.wte.weight",
                                         TL_SHAPE(p.vocab, p.width), TL_ROLE_EMBED,
                                         TL_INIT_NORMAL, net->init_sd),
                            0, 0.0f);
    if (arch->dropout > 0.0) x = tl_net_dropout(net, x, (float)arch->dropout);
    return tl_net_linear(net, arch->ask == TL_ASK_TOKENS ? "classifier" : "score", x,
                         arch->outputs, arch->ask == TL_ASK_TOKENS, TL_ACT_NONE,
                         TL_INIT_NORMAL);
}

static const char *class_of(const tl_arch *arch)
{
    static const char *const classes[TL_ASKS] = { "GPT2ForSequenceClassification",
                                                  "GPT2ForTokenClassification", NULL,
                                                  "GPT2LMHeadModel" };

    return classes[arch->ask];
}

/* Without the head's prefix, as OpenAI's own files were converted. */
static const tl_rename bare[] = {
    { "^wte.", "transformer.wte." },
    { "^wpe.", "transformer.wpe." },
    { "^h.", "transformer.h." },
    { "^ln_f.", "transformer.ln_f." },
};
static const tl_names_map maps[] = {
    { "hugging-face", NULL, 0 },
    { "hugging-face-bare", bare, TL_COUNT(bare) },
};
static const char *const sizes[] = { "gpt2-tiny", "gpt2-small", "gpt2-medium", NULL };

const tl_family tl_family_gpt2 = {
    .name         = "gpt2",
    .doc          = "a decoder of text: gpt2-tiny, gpt2:6x384",
    .source       = "Radford et al. 2019",
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
