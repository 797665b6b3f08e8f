/* llama.c -- decoders with rotary positions, RMS norm and gated units: Llama, Mistral, Qwen 2 and
 * 3, Gemma 1 to 3.  One build; where they differ is a row of `ways`.  Names as Transformers'.
 * Sources: Touvron et al. 2023, arXiv:2302.13971; Jiang et al. 2023, arXiv:2310.06825; Yang et
 * al. 2024, arXiv:2407.10671; Qwen team 2025, arXiv:2505.09388; Gemma team 2024 and 2025,
 * arXiv:2403.08295, arXiv:2408.00118, arXiv:2503.19786.  Floor 2, model. */
#include "model/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    int64_t vocab, width, inner, layers, heads, kv, head, places, window, pattern,
        query_scalar;
    tl_activation act;
    double        eps, attention_dropout, attention_cap, logit_cap, local_theta;
    bool          tie, attention_bias, mlp_bias, use_window;
} plan;

typedef struct {
    const char *family, *class;
    double      theta;
    bool qkv_bias;  /* whatever the config says                                    */
    bool head_norm; /* queries and keys normed, head by head                       */
    bool plus_one;  /* norms count from 1, embeddings are scaled (Gemma)           */
    bool sandwich;  /* branches normed behind, too (Gemma 2 and 3)                 */
    int  pattern;   /* every so-manieth layer sees all, the others a window; 0:
                               all layers alike                                            */
    const tl_setting *settings;
    size_t            count;
} dialect;

#define COMMON(vocab_, width_, inner_, layers_, heads_, kv_, places_, tie_)              \
    TL_INT_AT(plan, "vocab_size", vocab, vocab_, 1, 1 << 24),                            \
        TL_INT_AT(plan, "hidden_size", width, width_, 1, 65536),                         \
        TL_INT_AT(plan, "intermediate_size", inner, inner_, 1, 1 << 20),                 \
        TL_INT_AT(plan, "num_hidden_layers", layers, layers_, 1, 1000),                  \
        TL_INT_AT(plan, "num_attention_heads", heads, heads_, 1, 1024),                  \
        TL_INT_AT(plan, "num_key_value_heads", kv, kv_, 0, 1024),                        \
        TL_INT_AT(plan, "max_position_embeddings", places, places_, 1, 1 << 24),         \
        TL_NUMBER_AT(plan, "rms_norm_eps", eps, 1e-6, 0.0, 0.1),                         \
        TL_NUMBER_AT(plan, "attention_dropout", attention_dropout, 0.0, 0.0, 0.99),      \
        TL_BOOL_AT(plan, "tie_word_embeddings", tie, tie_),                              \
        TL_ONLY("pretraining_tp", "1|null"),                                             \
        TL_ONLY("use_bidirectional_attention", "false|null")
#define SILU(head_)                                                                      \
    TL_INT_AT(plan, "head_dim", head, head_, 0, 512),                                    \
        TL_ACT_AT(plan, "hidden_act", act, TL_ACT_SILU)
#define BIAS TL_BOOL_AT(plan, "attention_bias", attention_bias, false)
#define GEMMA(act_)                                                                      \
    TL_INT_AT(plan, "head_dim", head, 256, 1, 512),                                      \
        TL_ACT_AT(plan, act_, act, TL_ACT_GELU_TANH), BIAS
#define WINDOW(least) TL_INT_AT(plan, "sliding_window", window, least, 0, 1 << 24)
#define CAPS(attention_, logit_)                                                         \
    TL_INT_AT(plan, "query_pre_attn_scalar", query_scalar, 256, 1, 1 << 20),             \
        TL_NUMBER_AT(plan, "attn_logit_softcapping", attention_cap, attention_, 0, 1e6), \
        TL_NUMBER_AT(plan, "final_logit_softcapping", logit_cap, logit_, 0, 1e6)
#define QWEN                                                                             \
    WINDOW(4096), TL_BOOL_AT(plan, "use_sliding_window", use_window, false),             \
        TL_ONLY("use_sliding_window", "false|null")
static const tl_setting llama[] = {
    COMMON(32000, 4096, 11008, 32, 32, 0, 2048, 0),
    SILU(0),
    BIAS,
    TL_BOOL_AT(plan, "mlp_bias", mlp_bias, false),
};
static const tl_setting mistral[] = {
    COMMON(32000, 4096, 14336, 32, 32, 8, 131072, 0),
    SILU(0),
    WINDOW(0),
};
static const tl_setting qwen2[] = { COMMON(151936, 4096, 22016, 32, 32, 32, 32768, 0),
                                    SILU(0), QWEN };
static const tl_setting qwen3[] = {
    COMMON(151936, 4096, 22016, 32, 32, 32, 32768, 0),
    SILU(128),
    BIAS,
    QWEN,
};
static const tl_setting gemma[] = {
    COMMON(256000, 3072, 24576, 28, 16, 16, 8192, 1),
    GEMMA("hidden_act"),
    TL_ONLY("hidden_activation", "\"gelu_pytorch_tanh\"|null"),
};
static const tl_setting gemma2[] = {
    COMMON(256000, 2304, 9216, 26, 8, 4, 8192, 1),
    GEMMA("hidden_activation"),
    WINDOW(4096),
    CAPS(50.0, 30.0),
};
static const tl_setting gemma3[] = {
    COMMON(262208, 2304, 9216, 26, 8, 4, 131072, 1),
    GEMMA("hidden_activation"),
    WINDOW(4096),
    CAPS(0.0, 0.0),
    TL_INT_AT(plan, "sliding_window_pattern", pattern, 6, 1, 1000),
    TL_NUMBER_AT(plan, "rope_local_base_freq", local_theta, 10000.0, 1.001, 1e12),
};

static const dialect ways[] = {
    { .family   = "llama",
      .class    = "Llama",
      .theta    = 1e4,
      .settings = llama,
      .count    = TL_COUNT(llama) },
    { .family   = "mistral",
      .class    = "Mistral",
      .theta    = 1e4,
      .settings = mistral,
      .count    = TL_COUNT(mistral) },
    { .family   = "qwen2",
      .class    = "Qwen2",
      .theta    = 1e4,
      .qkv_bias = true,
      .settings = qwen2,
      .count    = TL_COUNT(qwen2) },
    { .family    = "qwen3",
      .class     = "Qwen3",
      .theta     = 1e4,
      .head_norm = true,
      .settings  = qwen3,
      .count     = TL_COUNT(qwen3) },
    { .family   = "gemma",
      .class    = "Gemma",
      .theta    = 1e4,
      .plus_one = true,
      .settings = gemma,
      .count    = TL_COUNT(gemma) },
    { .family   = "gemma2",
      .class    = "Gemma2",
      .theta    = 1e4,
      .plus_one = true,
      .sandwich = true,
      .pattern  = 2,
      .settings = gemma2,
      .count    = TL_COUNT(gemma2) },
    { .family    = "gemma3-text",
      .class     = "Gemma3",
      .theta     = 1e6,
      .plus_one  = true,
      .sandwich  = true,
      .head_norm = true,
      .pattern   = 6,
      .settings  = gemma3,
      .count     = TL_COUNT(gemma3) },
};

static const dialect *way_of(const tl_arch *arch)
{
    const dialect *way = ways;

    while (strcmp(way->family, arch->family->name) != 0) way++;
    return way;
}

/* Sizes to train from nothing; their vocabulary is the tokenizer's. */
static const struct {
    const char *name;
    int64_t     layers, width, inner, heads, kv;
} known[] = {
    { "llama-tiny", 4, 128, 344, 2, 2 },
    { "llama-15m", 6, 288, 768, 6, 6 },
    { "llama-42m", 8, 512, 1376, 8, 8 },
};

static tl_status read_plan(tl_ctx *ctx, const char *where, const json_t *config,
                           const tl_arch *arch, plan *p)
{
    const dialect *way = way_of(arch);
    tl_status      rc;

    *p = (plan){ 0 };
    TL_TRY(tl_settings_read(ctx, where, config, way->settings, way->count, p));
    if (p->kv == 0) p->kv = p->heads;
    if (p->head == 0 && p->width % p->heads == 0) p->head = p->width / p->heads;
    if (p->head == 0 || p->heads % p->kv)
        TL_FAIL(TL_EDATA, where,
                "%" PRId64 " heads, %" PRId64 " of keys, do not fit a width of %" PRId64
                " (mend one of them)",
                p->heads, p->kv, p->width);
    if (strncmp(way->family, "qwen", 4) == 0) p->window = 0;
    if (p->pattern == 0) p->pattern = way->pattern;
done:
    return rc;
}

static bool slides(const json_t *config, const plan *p, int64_t i)
{
    return p->window > 0 &&
           tl_text_slides(config, i, p->pattern == 0 || (i + 1) % p->pattern != 0);
}

/* The fields, and what is read as it stands. */
static json_t *written(const dialect *way, const plan *p, const json_t *config)
{
    json_t *made = tl_settings_write(way->settings, way->count, p);

    tl_text_keep(made, config);
    if (made && p->query_scalar) { /* a cap of 0 is no cap here and a division there */
        if (p->attention_cap == 0.0)
            json_object_set_new(made, "attn_logit_softcapping", json_null());
        if (p->logit_cap == 0.0)
            json_object_set_new(made, "final_logit_softcapping", json_null());
    }
    if (made && p->window == 0) json_object_set_new(made, "sliding_window", json_null());
    return made;
}

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    const dialect      *way = way_of(arch);
    tl_rope_angles_attr angles;
    tl_status           rc;
    plan                p;

    TL_TRY(read_plan(ctx, where, config, arch, &p));
    for (size_t i = 0; size && i < TL_COUNT(known); i++)
        if (strcmp(known[i].name, size) == 0) {
            p.layers = known[i].layers;
            p.width  = known[i].width;
            p.inner  = known[i].inner;
            p.heads  = known[i].heads;
            p.kv     = known[i].kv;
        }
    if (size && strchr(size, ':')) {
        if (!tl_text_size(size, &p.layers, &p.width))
            TL_FAIL(TL_EUSAGE, where,
                    "\"%.40s\" is not layers x width (write %s:6x384; widths "
                    "are multiples of 64)",
                    size, way->family);
        p.heads = p.kv = p.width / 64;
        p.inner        = (8 * p.width / 3 + 31) / 32 * 32;
    }
    if (size) p.head = p.width / p.heads;
    TL_TRY(tl_text_check_layers(ctx, where, config));
    TL_TRY(
        tl_text_rope(ctx, where, config, "full_attention", way->theta, p.head, &angles));
    snprintf(arch->name, sizeof arch->name, "%s-%" PRId64 "x%" PRId64, way->family,
             p.layers, p.width);
    for (size_t i = 0; i < TL_COUNT(known); i++)
        if (strcmp(way->family, "llama") == 0 && known[i].layers == p.layers &&
            known[i].width == p.width)
            snprintf(arch->name, sizeof arch->name, "%s", known[i].name);
    TL_TRY(tl_text_settle(ctx, where, arch, p.places, p.vocab, written(way, &p, config)));
done:
    return rc;
}

/* What all layers share. */
typedef struct {
    const dialect *way;
    plan           p;
    const json_t  *config;
    tl_tensor cosine[2], sine[2]; /* of layers that see all, and of those with a window */
} decoder;

static tl_status angles_of(tl_net *net, const tl_arch *arch, decoder *d)
{
    static const char *const keys[]     = { "full_attention", "sliding_attention" };
    const json_t            *parameters = json_object_get(d->config, "rope_parameters");
    const bool               apart      = d->p.local_theta > 0.0;
    tl_status                rc         = TL_OK;

    for (int i = 0; i < 2; i++) {
        tl_rope_angles_attr attr;
        /* Gemma 3's layers with a window have plain angles of their own */
        const bool    plain = i == 1 && apart && !json_object_get(parameters, keys[1]);
        const double  theta = i == 1 && apart ? d->p.local_theta : d->way->theta;
        const json_t *from  = plain ? NULL : d->config;
        TL_TRY(
            tl_text_rope(net->ctx, arch->name, from, keys[i], theta, d->p.head, &attr));
        if (i == 1 && !apart) {
            d->cosine[1] = d->cosine[0];
            d->sine[1]   = d->sine[0];
            break;
        }
        d->cosine[i] = tl_rope_angles(net->g, net->text.positions, &attr);
        d->sine[i]   = tl_graph_out(net->g, d->cosine[i], 1);
    }
done:
    return rc;
}

static tl_tensor norm(tl_net *net, const decoder *d, const char *name, tl_tensor x)
{
    return tl_net_rms_norm(net, name, x, (float)d->p.eps, d->way->plus_one ? 1.0f : 0.0f);
}

static tl_tensor product(tl_net *net, const char *name, tl_tensor x, int64_t out,
                         bool bias)
{
    return tl_net_linear(net, name, x, out, bias, TL_ACT_NONE, TL_INIT_NORMAL);
}

/* Queries or keys: normed head by head where the family does, and turned by their places. */
static tl_tensor placed(tl_net *net, const decoder *d, const char *name, tl_tensor x,
                        int64_t heads, int slide)
{
    const tl_rope_spec spec = { .heads = (int)heads, .dim = (int)d->p.head };

    if (d->way->head_norm) {
        const int64_t rows = tl_net_dim(net, x, 0);
        x                  = tl_reshape(net->g, x, TL_SHAPE(rows, heads, d->p.head));
        x = tl_reshape(net->g, norm(net, d, name, x), TL_SHAPE(rows, heads * d->p.head));
    }
    return tl_rope(net->g, x, d->cosine[slide], d->sine[slide], &spec);
}

static tl_tensor attend(tl_net *net, const decoder *d, tl_tensor x, int slide)
{
    const plan             *p    = &d->p;
    const double            over = (double)(p->query_scalar ? p->query_scalar : p->head);
    const tl_attention_attr attr = { .heads    = (int)p->heads,
                                     .kv_heads = (int)p->kv,
                                     .before   = slide ? p->window - 1 : -1,
                                     .after    = 0,
                                     .scale    = (float)(1.0 / sqrt(over)),
                                     .softcap  = (float)p->attention_cap,
                                     .dropout  = (float)p->attention_dropout };
    const bool              bias = d->way->qkv_bias || p->attention_bias;
    tl_tensor               q, k, v;

    tl_net_push(net, "self_attn");
    q = product(net, "q_proj", x, p->heads * p->head, bias);
    k = product(net, "k_proj", x, p->kv * p->head, bias);
    v = product(net, "v_proj", x, p->kv * p->head, bias);
    q = placed(net, d, "q_norm", q, p->heads, slide);
    k = placed(net, d, "k_norm", k, p->kv, slide);
    x = tl_net_attention(net, q, k, v, net->text.offsets, &attr);
    x = product(net, "o_proj", x, p->width, p->attention_bias);
    tl_net_pop(net);
    return x;
}

static tl_tensor layer(tl_net *net, const decoder *d, tl_tensor x, int slide)
{
    const plan *p = &d->p;
    tl_tensor   h = attend(net, d, norm(net, d, "input_layernorm", x), slide);

    if (d->way->sandwich) h = norm(net, d, "post_attention_layernorm", h);
    x = tl_add(net->g, x, h, TL_ACT_NONE);
    h = norm(net, d,
             d->way->sandwich ? "pre_feedforward_layernorm" : "post_attention_layernorm",
             x);
    tl_net_push(net, "mlp");
    const tl_tensor gate = product(net, "gate_proj", h, p->inner, p->mlp_bias);
    h = tl_glu(net->g, gate, product(net, "up_proj", h, p->inner, p->mlp_bias), p->act);
    h = product(net, "down_proj", h, p->width, p->mlp_bias);
    tl_net_pop(net);
    if (d->way->sandwich) h = norm(net, d, "post_feedforward_layernorm", h);
    return tl_add(net->g, x, h, TL_ACT_NONE);
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor ids)
{
    decoder   d = { .way = way_of(arch), .config = arch->config };
    tl_tensor x;

    net->status = read_plan(net->ctx, arch->name, arch->config, arch, &d.p);
    if (net->status == TL_OK) net->status = angles_of(net, arch, &d);
    if (net->status != TL_OK) return 0;
    net->init_sd = 0.02f;
    tl_net_push(net, "model");
    x = tl_net_embedding(net, "embed_tokens", ids, d.p.vocab, d.p.width);
    if (d.way->plus_one) x = tl_scale(net->g, x, sqrtf((float)d.p.width));
    for (int64_t i = 0; i < d.p.layers; i++) {
        x = tl_net_block(net, x);
        tl_net_push(net, "layers.%" PRId64, i);
        x = layer(net, &d, x, slides(arch->config, &d.p, i));
        tl_net_pop(net);
    }
    x = norm(net, &d, "norm", x);
    tl_net_pop(net);
    if (arch->ask == TL_ASK_CLASSES)
        x = tl_sequence_pool(net->g, x, net->text.offsets, TL_POOL_LAST);
    return x;
}

static tl_tensor words(tl_net *net, const plan *p, tl_tensor x)
{
    const tl_tensor w =
        tl_net_param(net, p->tie ? "model.embed_tokens.weight" : "lm_head.weight",
                     TL_SHAPE(p->vocab, p->width), p->tie ? TL_ROLE_EMBED : TL_ROLE_WEIGHT,
                     TL_INIT_NORMAL, net->init_sd);

    return tl_net_words(net, x, w, 0, (float)p->logit_cap);
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const bool tokens = arch->ask == TL_ASK_TOKENS;
    plan       p;

    net->status = read_plan(net->ctx, arch->name, arch->config, arch, &p);
    if (net->status != TL_OK) return 0;
    net->init_sd = 0.02f;
    if (arch->ask == TL_ASK_NEXT) return words(net, &p, x);
    if (arch->dropout > 0.0) x = tl_net_dropout(net, x, (float)arch->dropout);
    return product(net, "score", x, arch->outputs, tokens);
}

#define CLASSES(name)                                                                    \
    {                                                                                    \
        name "ForSequenceClassification", name "ForTokenClassification", NULL,           \
            name "ForCausalLM"                                                           \
    }
static const char *class_of(const tl_arch *arch)
{
    static const char *const classes[][TL_ASKS] = {
        CLASSES("Llama"),
        CLASSES("Mistral"),
        CLASSES("Qwen2"),
        CLASSES("Qwen3"),
        CLASSES("Gemma"),
        CLASSES("Gemma2"),
        { "Gemma3TextForSequenceClassification", NULL, NULL, "Gemma3ForCausalLM" },
    };

    return classes[way_of(arch) - ways][arch->ask];
}

static const tl_rename bare[] = {
    { "^embed_tokens.", "model.embed_tokens." },
    { "^layers.", "model.layers." },
    { "^norm.", "model.norm." },
};
static const tl_names_map maps[] = {
    { "hugging-face", NULL, 0 },
    { "hugging-face-bare", bare, TL_COUNT(bare) },
};
static const char *const sizes[] = { "llama-tiny", "llama-15m", "llama-42m", NULL };
static const char *const none[]  = { NULL };

#define DECODER(id, name_, doc_, source_, sizes_)                                        \
    const tl_family tl_family_##id = {                                                   \
        .name         = name_,                                                           \
        .doc          = doc_,                                                            \
        .source       = source_,                                                         \
        .sizes        = sizes_,                                                          \
        .text         = true,                                                            \
        .configure    = configure,                                                       \
        .body         = body,                                                            \
        .head         = head,                                                            \
        .maps         = maps,                                                            \
        .n_maps       = TL_COUNT(maps),                                                  \
        .default_prep = "text",                                                          \
        .class_of     = class_of,                                                        \
    }
DECODER(llama, "llama", "a decoder with rotary positions: llama-15m, llama:6x384",
        "Touvron et al. 2023, arXiv:2302.13971", sizes);
DECODER(mistral, "mistral",
        "a Llama with shared key heads and, in its first form, a window",
        "Jiang et al. 2023, arXiv:2310.06825", none);
DECODER(qwen2, "qwen2", "a Llama with biases on queries, keys and values",
        "Yang et al. 2024, arXiv:2407.10671", none);
DECODER(qwen3, "qwen3", "a Llama with normed queries and keys",
        "Qwen team 2025, arXiv:2505.09388", none);
DECODER(gemma, "gemma", "a Llama with wide heads, scaled embeddings and GeGLU",
        "Gemma team 2024, arXiv:2403.08295", none);
DECODER(gemma2, "gemma2", "a Gemma with every other layer in a window, capped scores",
        "Gemma team 2024, arXiv:2408.00118", none);
DECODER(gemma3_text, "gemma3-text",
        "a Gemma with five layers in a window to one that sees all",
        "Gemma team 2025, arXiv:2503.19786", none);
