/* vit.c -- ViT and DeiT: a picture as a row of patches, a class token (and DeiT's distillation
 * token) in front, learned positions, blocks that norm first.  Names as Transformers saves them;
 * files of timm and vit-pytorch hold query, key and value in one tensor.
 * Sources: Dosovitskiy et al. 2021, arXiv:2010.11929; Touvron et al. 2021, arXiv:2012.12877.
 * Floor 2, model. */
#include "core/text.h"
#include "model/settings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    int64_t       width, layers, heads, head, inner, patch;
    tl_activation act;
    double        eps, dropout, attention_dropout;
    bool qkv_bias, teacher; /* teacher: DeiT's two heads, of which the mean counts */
} plan;

static const tl_setting settings[] = {
    TL_INT_AT(plan, "hidden_size", width, 768, 1, 65536),
    TL_INT_AT(plan, "num_hidden_layers", layers, 12, 1, 1000),
    TL_INT_AT(plan, "num_attention_heads", heads, 12, 1, 1024),
    TL_INT_AT(plan, "head_dim", head, 0, 0, 512),
    TL_INT_AT(plan, "intermediate_size", inner, 3072, 1, 1 << 20),
    TL_INT_AT(plan, "patch_size", patch, 16, 1, 512),
    TL_ACT_AT(plan, "hidden_act", act, TL_ACT_GELU),
    TL_NUMBER_AT(plan, "layer_norm_eps", eps, 1e-12, 0.0, 0.1),
    TL_NUMBER_AT(plan, "hidden_dropout_prob", dropout, 0.0, 0.0, 0.99),
    TL_NUMBER_AT(plan, "attention_probs_dropout_prob", attention_dropout, 0.0, 0.0, 0.99),
    TL_BOOL_AT(plan, "qkv_bias", qkv_bias, true),
    TL_BOOL_AT(plan, "teacher_head", teacher, false),
};

/* Widths in heads of 64. */
static const struct {
    const char *name;
    int64_t     width, patch;
    bool        deit, teacher;
} known[] = {
    { "vit-tiny", 192, 16, false, false },
    { "vit-small", 384, 16, false, false },
    { "vit-base", 768, 16, false, false },
    { "vit_tiny_patch16_224", 192, 16, false, false },
    { "vit_small_patch16_224", 384, 16, false, false },
    { "vit_base_patch16_224", 768, 16, false, false },
    { "vit_base_patch32_224", 768, 32, false, false },
    { "deit-tiny", 192, 16, true, false },
    { "deit-small", 384, 16, true, false },
    { "deit-base", 768, 16, true, false },
    { "deit_tiny_distilled_patch16_224", 192, 16, true, true },
    { "deit_small_distilled_patch16_224", 384, 16, true, true },
    { "deit_base_distilled_patch16_224", 768, 16, true, true },
};
enum { HEAD = 64, LAYERS = 12 };
static const double timm_eps = 1e-6;

static bool is_deit(const tl_arch *arch)
{
    return strcmp(arch->family->name, "deit") == 0;
}

/* The first size that is this network, or its numbers. */
static void name_it(const plan *p, tl_arch *arch)
{
    for (size_t i = 0; i < TL_COUNT(known); i++)
        if (known[i].deit == is_deit(arch) && known[i].width == p->width &&
            known[i].patch == p->patch && known[i].teacher == p->teacher &&
            p->layers == LAYERS && p->inner == 4 * p->width) {
            snprintf(arch->name, sizeof arch->name, "%s", known[i].name);
            return;
        }
    snprintf(arch->name, sizeof arch->name, "%s-%" PRId64 "x%" PRId64 "x%" PRId64,
             arch->family->name, p->layers, p->width, p->patch);
}

static tl_status settle(tl_ctx *ctx, const char *where, plan *p, tl_arch *arch)
{
    json_t *made;

    if (p->head == 0 && p->width % p->heads)
        return tl_fail(ctx, TL_EDATA, where,
                       "\"num_attention_heads\": %" PRId64 " do not divide %" PRId64
                       " (mend one of them)",
                       p->heads, p->width);
    if (p->head == 0) p->head = p->width / p->heads;
    if (arch->row.ndim == 3 &&
        (arch->row.dim[0] < p->patch || arch->row.dim[1] < p->patch))
        return tl_fail(ctx, TL_EUSAGE, where,
                       "patches of %" PRId64
                       " pixels do not fit the picture (try vit:6x192x4)",
                       p->patch);
    name_it(p, arch);
    made = tl_settings_write(settings, TL_COUNT(settings), p);
    if (made) json_object_set_new(made, "prep", json_string("half"));
    return tl_config_take(ctx, arch, made);
}

/* "vit-tiny", "vit:6x192", "vit:6x192x4": layers, width, pixels of a patch. */
static tl_status parse_size(tl_ctx *ctx, const char *where, const char *size,
                            const tl_arch *arch, plan *p)
{
    const char *colon  = strchr(size, ':');
    long long   layers = 0, width = 0, patch = 4;
    char        end;

    for (size_t i = 0; i < TL_COUNT(known) && !colon; i++)
        if (known[i].deit == is_deit(arch) && strcmp(known[i].name, size) == 0) {
            p->width   = known[i].width;
            p->patch   = known[i].patch;
            p->teacher = known[i].teacher;
        }
    if (colon) {
        const int n =
            sscanf(colon + 1, "%lldx%lldx%lld%c", &layers, &width, &patch, &end);
        if (n < 2 || n > 3 || layers < 1 || layers > 1000 || width < HEAD ||
            width > 65536 || width % HEAD || patch < 1 || patch > 512)
            return tl_fail(
                ctx, TL_EUSAGE, where,
                "\"%.40s\" is not layers x width x patch (write vit:6x192x4; widths "
                "are multiples of 64)",
                size);
        p->width  = width;
        p->layers = layers;
        p->patch  = patch;
    }
    p->heads = p->width / HEAD;
    p->inner = 4 * p->width;
    return TL_OK;
}

static tl_status configure(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch)
{
    tl_status rc;
    plan      p;
    const char *class =
        json_string_value(json_array_get(json_object_get(config, "architectures"), 0));

    TL_TRY(tl_settings_read(ctx, where, config, settings, TL_COUNT(settings), &p));
    if (class && strstr(class, "WithTeacher")) p.teacher = true;
    if (size) {
        p.eps = timm_eps;
        TL_TRY(parse_size(ctx, where, size, arch, &p));
    }
    TL_TRY(tl_config_row(ctx, where, config, 224, arch));
    TL_TRY(settle(ctx, where, &p, arch));
done:
    return rc;
}

static const tl_shape *find(const tl_tensors *t, const char *family, const char *name)
{
    char full[160];

    snprintf(full, sizeof full, "%s.%s", family, name);
    return tl_tensors_find(t, full);
}

/* A patch of a convolution [d c p p], or of a dense layer [d p*p*c] (of 3 channels or 1). */
static bool patch_of(const tl_shape *w, int64_t *patch, int64_t *channels)
{
    if (!w || (w->ndim != 4 && w->ndim != 2)) return false;
    *channels = w->ndim == 4 ? w->dim[1] : w->dim[1] % 3 ? 1 : 3;
    *patch =
        w->ndim == 4 ? w->dim[2] : (int64_t)lrint(sqrt((double)(w->dim[1] / *channels)));
    return w->ndim == 4 || *patch * *patch * *channels == w->dim[1];
}

static int64_t layers_of(const tl_tensors *t, const char *family)
{
    char    name[80];
    int64_t n = 0;

    do snprintf(name, sizeof name, "encoder.layer.%" PRId64 ".output.dense.weight", n);
    while (find(t, family, name) && n++ < 1000);
    return n;
}

/* Heads are of 64 values, as in all published files; the activation is not in a file. */
static tl_status recognise(tl_ctx *ctx, const char *scheme, const tl_tensors *t,
                           tl_arch *arch)
{
    static const char *const fused =
        "encoder.layer.0.attention.attention.{query,key,value}.weight";
    static const char *const biases[] = {
        "encoder.layer.0.attention.attention.{query,key,value}.bias",
        "encoder.layer.0.attention.attention.query.bias"
    };
    const char     *f     = arch->family->name;
    const tl_shape *place = find(t, f, "embeddings.position_embeddings");
    const tl_shape *inner = find(t, f, "encoder.layer.0.intermediate.dense.weight");
    const tl_shape *query =
        find(t, f, "encoder.layer.0.attention.attention.query.weight");
    const tl_shape *all   = find(t, f, fused);
    const tl_shape *head  = tl_tensors_find(t, "classifier.weight");
    const bool      token = find(t, f, "embeddings.distillation_token") != NULL;
    int64_t         channels, side, values;
    plan            p = { .act = TL_ACT_GELU, .eps = 1e-12 };

    if (!place || place->ndim != 3 || !inner || inner->ndim != 2 || (!query && !all) ||
        token != is_deit(arch) ||
        !patch_of(find(t, f, "embeddings.patch_embeddings.projection.weight"), &p.patch,
                  &channels))
        return TL_EUSAGE;
    p.width    = place->dim[2];
    p.layers   = layers_of(t, f);
    p.inner    = inner->dim[0];
    p.qkv_bias = find(t, f, biases[0]) || find(t, f, biases[1]);
    p.teacher  = tl_tensors_find(t, "distillation_classifier.weight") != NULL;
    if (p.teacher) head = tl_tensors_find(t, "cls_classifier.weight");
    values  = query ? query->dim[0] : all->dim[0] / 3;
    p.heads = values / HEAD;
    p.head  = HEAD;
    side    = (int64_t)lrint(sqrt((double)(place->dim[1] - 1 - token)));
    if (values % HEAD || !p.heads || side * side != place->dim[1] - 1 - token ||
        !p.layers)
        return TL_EUSAGE;
    if (strcmp(scheme, "timm") == 0) p.eps = timm_eps;
    if (strcmp(scheme, "vit-pytorch") == 0) p.eps = 1e-5;
    arch->outputs = head && head->ndim == 2 ? head->dim[0] : 1000;
    arch->row     = TL_SHAPE(side * p.patch, side * p.patch, channels);
    return settle(ctx, arch->family->name, &p, arch);
}

/* A learned token as the first of each picture's rows: [n 1 d]. */
static tl_tensor token_rows(tl_net *net, const char *name, int64_t rows, int64_t width)
{
    const tl_tensor token = tl_net_param(net, name, TL_SHAPE(1, 1, width), TL_ROLE_EMBED,
                                         TL_INIT_NORMAL, net->init_sd);
    const tl_tensor zero  = tl_fill(net->g, TL_SHAPE(rows, 1, width), net->dtype, 0.0f);

    return tl_add(net->g, zero, tl_reshape(net->g, token, TL_SHAPE(width)), TL_ACT_NONE);
}

/* [n h w c] -> [n tokens d] */
static tl_tensor embed(tl_net *net, const plan *p, bool deit, tl_tensor x)
{
    const tl_conv_spec spec = { .out    = p->width,
                                .kernel = { (int)p->patch, (int)p->patch },
                                .stride = (int)p->patch,
                                .bias   = true,
                                .init   = TL_INIT_NORMAL };
    tl_tensor          part[3], place;
    int                parts = 0;

    tl_net_push(net, "embeddings");
    part[parts++] = token_rows(net, "cls_token", tl_net_dim(net, x, 0), p->width);
    if (deit)
        part[parts++] =
            token_rows(net, "distillation_token", tl_net_dim(net, x, 0), p->width);
    x                     = tl_net_conv(net, "patch_embeddings.projection", x, &spec);
    const int64_t n       = tl_net_dim(net, x, 0),
                  patches = tl_net_dim(net, x, 1) * tl_net_dim(net, x, 2);
    const int64_t tokens  = patches + parts;
    part[parts++]         = tl_reshape(net->g, x, TL_SHAPE(n, patches, p->width));
    place = tl_net_param(net, "position_embeddings", TL_SHAPE(1, tokens, p->width),
                         TL_ROLE_EMBED, TL_INIT_NORMAL, net->init_sd);
    x     = tl_concat(net->g, part, parts, 1);
    x     = tl_add(net->g, x, tl_reshape(net->g, place, TL_SHAPE(tokens, p->width)),
                   TL_ACT_NONE);
    tl_net_pop(net);
    return tl_net_dropout(net, x, (float)p->dropout);
}

/* x [rows d]: pictures of `tokens` rows each, one behind the other. */
static tl_tensor attend(tl_net *net, const plan *p, tl_tensor x, int64_t tokens)
{
    const tl_attention_attr  attr    = { .heads    = (int)p->heads,
                                         .kv_heads = (int)p->heads,
                                         .before   = -1,
                                         .after    = -1,
                                         .length   = tokens,
                                         .scale    = 1.0f / sqrtf((float)p->head),
                                         .dropout  = (float)p->attention_dropout };
    static const char *const names[] = { "attention.query", "attention.key",
                                         "attention.value" };
    tl_tensor                qkv[3];

    tl_net_push(net, "attention");
    for (int i = 0; i < 3; i++)
        qkv[i] = tl_net_linear(net, names[i], x, p->heads * p->head, p->qkv_bias,
                               TL_ACT_NONE, TL_INIT_NORMAL);
    tl_net_layer(net, "attention");
    x = tl_net_attention(net, qkv[0], qkv[1], qkv[2], 0, &attr);
    x = tl_net_linear(net, "output.dense", x, p->width, true, TL_ACT_NONE,
                      TL_INIT_NORMAL);
    tl_net_pop(net);
    return tl_net_dropout(net, x, (float)p->dropout);
}

static tl_tensor layer(tl_net *net, const plan *p, tl_tensor x, int64_t tokens)
{
    tl_tensor h = tl_net_layer_norm(net, "layernorm_before", x, (float)p->eps);

    x = tl_add(net->g, x, attend(net, p, h, tokens), TL_ACT_NONE);
    h = tl_net_layer_norm(net, "layernorm_after", x, (float)p->eps);
    h = tl_net_linear(net, "intermediate.dense", h, p->inner, true, p->act,
                      TL_INIT_NORMAL);
    h = tl_net_linear(net, "output.dense", h, p->width, true, TL_ACT_NONE,
                      TL_INIT_NORMAL);
    return tl_add(net->g, x, tl_net_dropout(net, h, (float)p->dropout), TL_ACT_NONE);
}

/* The first `count` tokens of each picture, normed: [n count d]. */
static tl_tensor tokens_of(tl_net *net, const tl_arch *arch, const plan *p, int64_t count,
                           tl_tensor x)
{
    const int64_t n = tl_net_dim(net, x, 0);

    net->init_sd = 0.02f;
    tl_net_push(net, "%s", arch->family->name);
    x                    = embed(net, p, is_deit(arch), x);
    const int64_t tokens = tl_net_dim(net, x, 1);
    x                    = tl_reshape(net->g, x, TL_SHAPE(n * tokens, p->width));
    for (int64_t i = 0; i < p->layers; i++) {
        x = tl_net_block(net, x);
        tl_net_push(net, "encoder.layer.%" PRId64, i);
        x = layer(net, p, x, tokens);
        tl_net_pop(net);
    }
    x = tl_slice(net->g, tl_reshape(net->g, x, TL_SHAPE(n, tokens, p->width)), 1, 0,
                 count, 1);
    x = tl_net_layer_norm(net, "layernorm", x, (float)p->eps);
    tl_net_pop(net);
    return x;
}

static bool read_plan(tl_net *net, const tl_arch *arch, plan *p)
{
    net->status = tl_settings_read(net->ctx, arch->name, arch->config, settings,
                                   TL_COUNT(settings), p);
    return net->status == TL_OK;
}

static tl_tensor body(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const int64_t n = tl_net_dim(net, x, 0);
    plan          p;

    if (!read_plan(net, arch, &p)) return 0;
    return tl_reshape(net->g, tokens_of(net, arch, &p, 1, x), TL_SHAPE(n, p.width));
}

static tl_tensor head(tl_net *net, const tl_arch *arch, tl_tensor features)
{
    net->init_sd = 0.02f;
    if (arch->dropout > 0.0)
        features = tl_net_dropout(net, features, (float)arch->dropout);
    return tl_net_linear(net, "classifier", features, arch->outputs, true, TL_ACT_NONE,
                         TL_INIT_NORMAL);
}

/* DeiT as its teacher left it: the mean of what both tokens say. */
static tl_tensor whole(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    static const char *const names[] = { "cls_classifier", "distillation_classifier" };
    const int64_t            n       = tl_net_dim(net, x, 0);
    tl_tensor                said[2];
    plan                     p;

    if (!read_plan(net, arch, &p)) return 0;
    x         = tokens_of(net, arch, &p, p.teacher ? 2 : 1, x);
    net->head = true;
    net->block++;
    for (int64_t i = 0; i < 2 && p.teacher; i++) {
        const tl_tensor one =
            tl_reshape(net->g, tl_slice(net->g, x, 1, i, 1, 1), TL_SHAPE(n, p.width));
        said[i] = tl_net_linear(net, names[i], one, arch->outputs, true, TL_ACT_NONE,
                                TL_INIT_NORMAL);
    }
    if (p.teacher)
        x = tl_scale(net->g, tl_add(net->g, said[0], said[1], TL_ACT_NONE), 0.5f);
    else
        x = head(net, arch, tl_reshape(net->g, x, TL_SHAPE(n, p.width)));
    net->head = false;
    return x;
}

static const char *class_of(const tl_arch *arch)
{
    if (!is_deit(arch)) return "ViTForImageClassification";
    return arch->source_head &&
                   json_is_true(json_object_get(arch->config, "teacher_head"))
               ? "DeiTForImageClassificationWithTeacher"
               : "DeiTForImageClassification";
}

/* Transformers 5 in memory; a model without its head; timm. */
#define IN_MEMORY(f)                                                                     \
    { "^" f "layers.", f "encoder.layer." },                                             \
        { ".attention.q_proj.", ".attention.attention.query." },                         \
        { ".attention.k_proj.", ".attention.attention.key." },                           \
        { ".attention.v_proj.", ".attention.attention.value." },                         \
        { ".attention.o_proj.", ".attention.output.dense." },                            \
        { ".mlp.fc1.", ".intermediate.dense." },                                         \
    {                                                                                    \
        ".mlp.fc2.", ".output.dense."                                                    \
    }
#define BARE(f)                                                                          \
    { "^embeddings.", f "embeddings." }, { "^encoder.", f "encoder." },                  \
    {                                                                                    \
        "^layernorm.", f "layernorm."                                                    \
    }
#define TIMM(f)                                                                          \
    { "^cls_token", f "embeddings.cls_token" },                                          \
        { "^dist_token", f "embeddings.distillation_token" },                            \
        { "^pos_embed", f "embeddings.position_embeddings" },                            \
        { "^patch_embed.proj.", f "embeddings.patch_embeddings.projection." },           \
        { "^blocks.", f "encoder.layer." }, { ".norm1.", ".layernorm_before." },         \
        { ".norm2.", ".layernorm_after." },                                              \
        { ".attn.qkv.", ".attention.attention.{query,key,value}." },                     \
        { ".attn.proj.", ".attention.output.dense." },                                   \
        { ".mlp.fc1.", ".intermediate.dense." }, { ".mlp.fc2.", ".output.dense." },      \
    {                                                                                    \
        "^norm.", f "layernorm."                                                         \
    }
static const tl_rename vit_memory[]  = { IN_MEMORY("vit.") },
                       vit_bare[]    = { BARE("vit.") };
static const tl_rename vit_timm[]    = { TIMM("vit."), { "^head.", "classifier." } };
static const tl_rename vit_pytorch[] = {
    { "^cls_token", "vit.embeddings.cls_token" },
    { "^pos_embedding", "vit.embeddings.position_embeddings" },
    { "^to_patch_embedding.1.", "vit.embeddings.patch_embeddings.projection." },
    { "^transformer.layers.", "vit.encoder.layer." },
    { ".0.norm.", ".layernorm_before." },
    { ".1.norm.", ".layernorm_after." },
    { ".0.fn.to_qkv.", ".attention.attention.{query,key,value}." },
    { ".0.fn.to_out.0.", ".attention.output.dense." },
    { ".1.fn.net.0.", ".intermediate.dense." },
    { ".1.fn.net.3.", ".output.dense." },
    { "^mlp_head.0.", "vit.layernorm." },
    { "^mlp_head.1.", "classifier." },
};
static const tl_rename deit_memory[] = { IN_MEMORY("deit.") },
                       deit_bare[]   = { BARE("deit.") };
static const tl_rename deit_timm[]   = {
      TIMM("deit."),
      { "^head.", "cls_classifier." },
      { "^head_dist.", "distillation_classifier." },
};
static const tl_names_map vit_maps[] = {
    { "hugging-face", NULL, 0 },
    { "hugging-face-5", vit_memory, TL_COUNT(vit_memory) },
    { "hugging-face-bare", vit_bare, TL_COUNT(vit_bare) },
    { "timm", vit_timm, TL_COUNT(vit_timm) },
    { "vit-pytorch", vit_pytorch, TL_COUNT(vit_pytorch) },
};
static const tl_names_map deit_maps[] = {
    { "hugging-face", NULL, 0 },
    { "hugging-face-5", deit_memory, TL_COUNT(deit_memory) },
    { "hugging-face-bare", deit_bare, TL_COUNT(deit_bare) },
    { "timm", deit_timm, TL_COUNT(deit_timm) },
};
static const char *const vit_sizes[]  = { "vit-tiny",
                                          "vit-small",
                                          "vit-base",
                                          "vit_tiny_patch16_224",
                                          "vit_small_patch16_224",
                                          "vit_base_patch16_224",
                                          "vit_base_patch32_224",
                                          NULL };
static const char *const deit_sizes[] = { "deit-tiny",
                                          "deit-small",
                                          "deit-base",
                                          "deit_tiny_distilled_patch16_224",
                                          "deit_small_distilled_patch16_224",
                                          "deit_base_distilled_patch16_224",
                                          NULL };

const tl_family tl_family_vit = {
    .name         = "vit",
    .doc          = "a transformer over patches: vit-tiny, vit:6x192x4",
    .source       = "Dosovitskiy et al. 2021, arXiv:2010.11929",
    .sizes        = vit_sizes,
    .pictures     = true,
    .fixed_row    = true,
    .configure    = configure,
    .recognise    = recognise,
    .body         = body,
    .head         = head,
    .maps         = vit_maps,
    .n_maps       = TL_COUNT(vit_maps),
    .default_prep = "half",
    .class_of     = class_of,
};
const tl_family tl_family_deit = {
    .name         = "deit",
    .doc          = "a ViT taught with a distillation token",
    .source       = "Touvron et al. 2021, arXiv:2012.12877",
    .sizes        = deit_sizes,
    .pictures     = true,
    .fixed_row    = true,
    .configure    = configure,
    .recognise    = recognise,
    .body         = body,
    .head         = head,
    .whole        = whole,
    .maps         = deit_maps,
    .n_maps       = TL_COUNT(deit_maps),
    .default_prep = "imagenet",
    .class_of     = class_of,
};
