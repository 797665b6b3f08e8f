/* peft.c -- a folder of PEFT is a base: the model it names, with the adapter merged into it, or
 * with its prefix.  adapter_config.json says which kind; which products it joins, the tensors
 * themselves say.  What would change the numbers and is not supported is an error by name.
 * Source: PEFT 0.21, LoraConfig, IA3Config and PrefixTuningConfig.  Floor 3, bundle. */
#include "bundle/adapter.h"
#include "bundle/prefix.h"
#include "core/io.h"
#include "core/text.h"
#include "model/settings.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 512, CONFIG_MOST = 1 << 20 };
/* In front of names; the second where nothing is wrapped. */
static const char wrapped[] = "base_model.model.", bare[] = "base_model.";

typedef struct {
    char               *config_path, *weights_path;
    json_t             *config;
    tl_weights          weights;
    tl_adapt            adapt;
    tl_model           *base;
    const tl_names_map *map; /* PEFT's names, without the prefix, into ours */
} reading;

static const tl_setting lora_settings[] = {
    TL_INT_AT(tl_adapt, "r", r, 8, 1, 4096),
    TL_NUMBER_AT(tl_adapt, "lora_alpha", alpha, 8.0, 1e-6, 1e6),
    TL_NUMBER_AT(tl_adapt, "lora_dropout", dropout, 0.0, 0.0, 0.99),
    TL_BOOL_AT(tl_adapt, "use_rslora", rs, 0.0),
    TL_ONLY("use_dora", "true|false|null"),
    TL_ONLY("bias", "\"none\"|null"),
    TL_ONLY("init_lora_weights", "true|false|null|\"gaussian\"|\"eva\"|\"orthogonal\""),
};

static const tl_setting prefix_settings[] = {
    TL_INT_AT(tl_adapt, "num_virtual_tokens", r, 20, 1, 4096),
    TL_ONLY("num_transformer_submodules", "1|null"),
};

/* What says how it was trained or found, and changes no numbers here; sizes the tensors tell, and
 * of a projected prefix the file holds what was projected. */
static const char *const passed[] = {
    "auto_mapping",   "base_model_name_or_path", "exclude_modules", "fan_in_fan_out",
    "inference_mode", "init_ia3_weights",        "layers_pattern",  "feedforward_modules",
    "megatron_core",  "modules_to_save",         "peft_type",       "peft_version",
    "revision",       "qalora_group_size",       "target_modules",  "task_type",
    "eva_config",     "token_dim",               "num_layers",      "num_attention_heads",
    "init_weights",   "encoder_hidden_size",     "prefix_projection",
};

bool tl_is_peft(const char *path)
{
    char name[1024];

    return snprintf(name, sizeof name, "%s/adapter_config.json", path) <
               (int)sizeof name &&
           tl_exists(name);
}

static bool is_passed(const char *key, const tl_setting *settings, size_t count)
{
    for (size_t i = 0; i < TL_COUNT(passed); i++)
        if (strcmp(passed[i], key) == 0) return true;
    for (size_t i = 0; i < count; i++)
        if (strcmp(settings[i].key, key) == 0) return true;
    return false;
}

static bool is_empty(const json_t *v)
{
    return json_is_null(v) || json_is_false(v) ||
           (json_is_object(v) && json_object_size(v) == 0) ||
           (json_is_array(v) && json_array_size(v) == 0);
}

tl_status tl_peft_config(tl_ctx *ctx, const char *where, json_t *config, tl_adapt *out)
{
    const char *type = tl_json_text(config, "peft_type", "(none)");
    const bool  dora = json_is_true(json_object_get(config, "use_dora"));
    const bool  prefix = strcmp(type, "PREFIX_TUNING") == 0, ia3 = strcmp(type, "IA3") == 0;
    const tl_setting *settings = prefix ? prefix_settings : lora_settings;
    const size_t count = prefix ? TL_COUNT(prefix_settings) : TL_COUNT(lora_settings);
    const char *key;
    json_t     *value;
    tl_adapt    a = { 0 };
    tl_status   rc;

    *out = a;
    if (!json_is_object(config))
        TL_FAIL(TL_EDATA, where, "is no JSON object (fetch it again)");
    if (strcmp(type, "LORA") != 0 && !ia3 && !prefix)
        TL_FAIL(TL_EDATA, where,
                "peft_type \"%.40s\" is not supported (LORA, IA3 and PREFIX_TUNING are: merge "
                "it with PEFT)",
                type);
    json_object_foreach(config, key, value)
    {
        if (!is_passed(key, settings, count) && !is_empty(value))
            TL_FAIL(
                TL_EDATA, where,
                "\"%.60s\" is not supported (merge the adapter with PEFT and give the "
                "merged model)",
                key);
    }
    TL_TRY(tl_settings_read(ctx, where, config, settings, count, &a));
    a.kind = prefix ? TL_ADAPT_PREFIX
             : ia3  ? TL_ADAPT_IA3
             : dora ? TL_ADAPT_DORA
                    : TL_ADAPT_LORA;
    *out   = a;
done:
    return rc;
}

/* As it is written, or beside the adapter; never an adapter itself, which could go on for ever. */
static tl_status open_base(tl_ctx *ctx, const char *folder, reading *r)
{
    const char *said   = tl_json_text(r->config, "base_model_name_or_path", "");
    char       *beside = NULL;
    tl_status   rc;

    if (!*said)
        TL_FAIL(TL_EDATA, r->config_path,
                "names no base_model_name_or_path (write the base's folder there)");
    TL_TRY(tl_path_join(ctx, folder, said, &beside));
    const char *path = tl_exists(said) ? said : beside;
    if (!tl_exists(path))
        TL_FAIL(
            TL_EDATA, r->config_path,
            "its base \"%.160s\" is not here (put its folder there, or write where it is "
            "into base_model_name_or_path)",
            said);
    if (tl_is_peft(path))
        TL_FAIL(TL_EDATA, r->config_path,
                "its base is an adapter, too (merge that one with PEFT first)");
    TL_TRY(tl_model_open(ctx, path, NULL, &r->base));
    if (r->base->arch.adapt.kind != TL_ADAPT_NONE)
        TL_FAIL(TL_EDATA, r->config_path,
                "its base holds adapters already (give another)");
done:
    tl_free(ctx, beside);
    return rc;
}

static tl_status open_weights(tl_ctx *ctx, reading *r)
{
    const bool   in_front = r->adapt.kind == TL_ADAPT_PREFIX;
    const char  *prefix   = in_front ? bare : wrapped;
    const size_t bytes    = strlen(prefix);
    tl_status    rc;

    TL_TRY(tl_weights_open(ctx, r->weights_path, &r->weights));
    for (size_t i = 0; i < r->weights.count; i++) {
        char *name = r->weights.weight[i].name;
        if (in_front && strcmp(name, tl_prefix_tensor) == 0) continue;
        if (strncmp(name, prefix, bytes) != 0)
            TL_FAIL(TL_EDATA, r->weights_path,
                    "holds \"%.120s\", which is no tensor of its kind of adapter (save the "
                    "adapter with PEFT)",
                    name);
        memmove(name, name + bytes, strlen(name) + 1 - bytes);
    }
done:
    return rc;
}

/* The adapted layer's name in `layer`; false: the tensor is no adapter's first part. */
static bool layer_of(const tl_names_map *map, const char *name, char layer[NAME_BYTES])
{
    static const char *const ends[] = { ".lora_A.weight", ".ia3_l" };

    if (!tl_names_apply(map, name, layer, NAME_BYTES)) return false;
    for (size_t i = 0; i < TL_COUNT(ends); i++)
        if (tl_ends_with(layer, ends[i])) {
            layer[strlen(layer) - strlen(ends[i])] = 0;
            return true;
        }
    return false;
}

/* Beside a prefix only heads have names. */
static void choose_head_names(reading *r)
{
    const tl_family *family = r->base->arch.family;
    char             ours[NAME_BYTES];

    r->map = &family->maps[0];
    for (size_t k = 0; k < family->n_maps; k++)
        for (size_t i = 0; i < r->weights.count; i++)
            if (tl_names_apply(&family->maps[k], r->weights.weight[i].name, ours, sizeof ours) &&
                tl_params_find(r->base->params, ours)) {
                r->map = &family->maps[k];
                return;
            }
}

/* The naming under which the first adapted layer is one of the base's. */
static tl_status choose_names(tl_ctx *ctx, reading *r)
{
    const tl_family *family = r->base->arch.family;
    char             layer[NAME_BYTES], weight[NAME_BYTES + 8];
    const char      *first = NULL;

    if (r->adapt.kind == TL_ADAPT_PREFIX) {
        choose_head_names(r);
        return TL_OK;
    }

    for (size_t k = 0; k < family->n_maps; k++)
        for (size_t i = 0; i < r->weights.count; i++) {
            const char *name = r->weights.weight[i].name;
            if (!layer_of(&family->maps[k], name, layer)) continue;
            first = first ? first : name;
            snprintf(weight, sizeof weight, "%s.weight", layer);
            if (tl_params_find(r->base->params, weight)) {
                r->map = &family->maps[k];
                return TL_OK;
            }
            break;
        }
    if (!first)
        return tl_fail(ctx, TL_EDATA, r->weights_path,
                       "holds no tensor of LoRA or (IA)3 (save the adapter with PEFT)");
    return tl_fail(ctx, TL_EDATA, r->weights_path,
                   "adapts \"%.120s\", which the base %s has not (is it another base's?)",
                   first, r->base->arch.name);
}

/* The name from behind the block's number on, a star for the number: "*.attention.query". */
static void end_of(const char *layer, char end[NAME_BYTES + 1])
{
    const char *from = NULL;

    for (const char *at = layer; (at = strchr(at, '.')); at++)
        if (at > layer && isdigit((unsigned char)at[-1])) from = at;
    snprintf(end, NAME_BYTES + 1, "%s%s", from ? "*" : "", from ? from : layer);
}

/* The ends of all adapted layers' names, with commas between. */
static tl_status find_targets(tl_ctx *ctx, reading *r)
{
    char     *list = r->adapt.targets;
    char      layer[NAME_BYTES], end[NAME_BYTES + 1];
    tl_adapt  so_far = { .kind = TL_ADAPT_LORA };
    tl_status rc     = TL_OK;

    if (r->adapt.kind == TL_ADAPT_PREFIX) snprintf(list, TL_TARGETS_BYTES, "all");
    for (size_t i = 0; i < r->weights.count && r->adapt.kind != TL_ADAPT_PREFIX; i++) {
        if (!layer_of(r->map, r->weights.weight[i].name, layer)) continue;
        const size_t used = strlen(list);
        memcpy(so_far.targets, list, sizeof so_far.targets);
        if (used && tl_adapt_targets(&so_far, layer)) continue;
        end_of(layer, end);
        if (used + strlen(end) + 2 > TL_TARGETS_BYTES)
            TL_FAIL(TL_EDATA, r->weights_path,
                    "adapts too many different layers (merge it with PEFT)");
        snprintf(list + used, TL_TARGETS_BYTES - used, "%s%s", used ? "," : "", end);
    }
done:
    return rc;
}

/* The outputs of a head that was saved with the adapter; else the base's. */
static int64_t outputs_of(const reading *r)
{
    int64_t outputs = r->base->arch.outputs;
    char    ours[NAME_BYTES];

    for (size_t i = 0; i < r->weights.count; i++) {
        const tl_weight *w = &r->weights.weight[i];
        if (!tl_names_apply(r->map, w->name, ours, sizeof ours)) continue;
        const tl_param *p = tl_params_find(r->base->params, ours);
        if (p && p->head && w->shape.ndim == 2 &&
            p->shape.dim[0] == r->base->arch.outputs)
            outputs = w->shape.dim[0];
    }
    return outputs;
}

/* Vectors of (IA)3 lie as they multiply: a row scales what enters. */
static bool fits(const tl_param *p, const tl_shape *shape)
{
    char layer[NAME_BYTES];

    if (!tl_ends_with(p->name, ".ia3_l")) return tl_shape_equal(&p->shape, shape);
    snprintf(layer, sizeof layer, "%.*s", (int)(strlen(p->name) - strlen(".ia3_l")),
             p->name);
    const bool scaled = tl_adapt_scales_input(layer);
    return shape->ndim == 2 && shape->dim[scaled] == p->count && shape->dim[!scaled] == 1;
}

static tl_status check_finite(tl_ctx *ctx, const reading *r, const tl_weight *w,
                              const float *value, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(value[i]))
            return tl_fail(ctx, TL_EDATA, r->weights_path,
                           "%.120s holds a value that is not a number (train it again)",
                           w->name);
    return TL_OK;
}

/* All keys and values of a prefix. */
static tl_status take_prefix(tl_ctx *ctx, const reading *r, const tl_weight *w, tl_model *m,
                             bool *got)
{
    const tl_shape needs = tl_prefix_shape(m->params);
    float         *value = NULL;
    char           had[96], need[96];
    tl_status      rc;

    if (!tl_shape_equal(&w->shape, &needs))
        TL_FAIL(TL_EDATA, r->weights_path, "%s is %s, the base needs %s (is it another base's?)",
                w->name, tl_say_shape(&w->shape, had), tl_say_shape(&needs, need));
    TL_TRY(tl_alloc_array(ctx, (size_t)tl_shape_count(&needs), sizeof *value, &value));
    TL_TRY(tl_weight_read(ctx, w, value));
    TL_TRY(check_finite(ctx, r, w, value, tl_shape_count(&needs)));
    tl_prefix_scatter(m->params, value);
    for (int32_t i = 0; i < m->params->count; i++) got[i] |= m->params->param[i].adapter;
done:
    tl_free(ctx, value);
    return rc;
}

static tl_status take_tensor(tl_ctx *ctx, const reading *r, const tl_weight *w,
                             tl_model *m, bool *got)
{
    char      ours[NAME_BYTES], had[96], needs[96];
    tl_param *p = NULL;
    float    *value;
    tl_status rc;

    if (r->adapt.kind == TL_ADAPT_PREFIX && strcmp(w->name, tl_prefix_tensor) == 0)
        return take_prefix(ctx, r, w, m, got);
    if (tl_names_apply(r->map, w->name, ours, sizeof ours))
        p = tl_params_find(m->params, ours);
    if (!p || p->turned)
        TL_FAIL(TL_EDATA, r->weights_path,
                "%.120s has no place in %s (is it another base's?)", w->name,
                m->arch.name);
    if (!fits(p, &w->shape))
        TL_FAIL(TL_EDATA, r->weights_path,
                "%.120s is %s, the base needs %s (is it another base's?)", w->name,
                tl_say_shape(&w->shape, had), tl_say_shape(&p->shape, needs));
    value = tl_params_value(m->params, p);
    TL_TRY(tl_weight_read(ctx, w, value));
    TL_TRY(check_finite(ctx, r, w, value, p->count));
    got[p - m->params->param] = true;
done:
    return rc;
}

static tl_status take_tensors(tl_ctx *ctx, const reading *r, tl_model *m)
{
    bool     *got = NULL;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)m->params->count, sizeof *got, &got));
    for (size_t i = 0; i < r->weights.count; i++)
        TL_TRY(take_tensor(ctx, r, &r->weights.weight[i], m, got));
    for (int32_t i = 0; i < m->params->count; i++) {
        const tl_param *p = &m->params->param[i];
        if (p->adapter && !got[i])
            TL_FAIL(
                TL_EDATA, r->weights_path,
                "has no tensor for %.120s (an adapter of some layers only: merge it with "
                "PEFT)",
                p->name);
    }
done:
    tl_free(ctx, got);
    return rc;
}

/* The base's network with the adapter beside its products, the base's weights in it. */
static tl_status widen(tl_ctx *ctx, const reading *r, tl_model **out)
{
    tl_arch   arch = r->base->arch; /* borrowed parts: never freed here */
    tl_model *m    = NULL;
    tl_status rc;

    arch.adapt   = r->adapt;
    arch.outputs = outputs_of(r);
    TL_TRY(tl_model_beside(
        ctx, &arch, &r->base->prep,
        arch.outputs == r->base->arch.outputs ? r->base->class_name : NULL, 0,
        r->base->params, &m));
    for (int32_t i = 0; i < m->params->count; i++) {
        const tl_param *p = &m->params->param[i],
                       *q = tl_params_find(r->base->params, p->name);
        if (q && tl_shape_equal(&p->shape, &q->shape))
            TL_TRY(tl_params_take(ctx, m->params, p, r->base->params, q));
    }
    if (r->base->path) TL_TRY(tl_strdup(ctx, r->base->path, &m->path));
    *out = m;
    m    = NULL;
done:
    tl_model_free(ctx, m);
    return rc;
}

/* The first places are the prefix's. */
static tl_status leave_places(tl_ctx *ctx, tl_model *m)
{
    const int64_t left = m->arch.row.dim[0] - tl_adapt_places(&m->arch.adapt);
    tl_texter    *shorter;
    tl_status     rc;

    if (!m->prep.text || m->prep.text->most <= left) return TL_OK;
    if (left < 1)
        TL_FAIL(TL_EDATA, m->arch.name, "its prefix leaves no room for a text (train it again)");
    TL_TRY(tl_texter_shorter(ctx, m->prep.text, left, &shorter));
    tl_texter_drop(ctx, m->prep.text);
    m->prep.text = shorter;
done:
    return rc;
}

static void end_reading(tl_ctx *ctx, reading *r)
{
    tl_model_free(ctx, r->base);
    tl_weights_close(ctx, &r->weights);
    json_decref(r->config);
    tl_free(ctx, r->config_path);
    tl_free(ctx, r->weights_path);
}

/* What is read hangs on the base as much as on the adapter. */
static tl_status hash_both(tl_ctx *ctx, const reading *r, char hex[65])
{
    char            both[2 * 64 + 1], adapter[65];
    const tl_status rc = tl_weights_hash(ctx, &r->weights, adapter);

    if (rc != TL_OK) return rc;
    snprintf(both, sizeof both, "%.64s%.64s", adapter, r->base->sha256);
    tl_hash_bytes(both, strlen(both), hex);
    return TL_OK;
}

tl_status tl_peft_open(tl_ctx *ctx, const char *folder, tl_model **out)
{
    static const char *const files[] = { "adapter_model.safetensors",
                                         "adapter_model.bin" };
    reading                  r       = { 0 };
    tl_model                *wide = NULL, *m = NULL;
    tl_status                rc;

    *out = NULL;
    TL_TRY(tl_path_join(ctx, folder, "adapter_config.json", &r.config_path));
    for (size_t i = 0; i < TL_COUNT(files); i++) {
        tl_free(ctx, r.weights_path);
        TL_TRY(tl_path_join(ctx, folder, files[i], &r.weights_path));
        if (tl_exists(r.weights_path)) break;
    }
    TL_TRY(tl_json_read(ctx, r.config_path, CONFIG_MOST, &r.config));
    TL_TRY(tl_peft_config(ctx, r.config_path, r.config, &r.adapt));
    TL_TRY(open_weights(ctx, &r));
    TL_TRY(open_base(ctx, folder, &r));
    TL_TRY(choose_names(ctx, &r));
    TL_TRY(find_targets(ctx, &r));
    TL_TRY(widen(ctx, &r, &wide));
    TL_TRY(take_tensors(ctx, &r, wide));
    if (tl_adapt_stays(wide->arch.adapt.kind)) {
        TL_TRY(tl_adapter_of(ctx, wide, &wide->adapter));
        TL_TRY(leave_places(ctx, wide));
        m    = wide;
        wide = NULL;
    } else {
        TL_TRY(tl_model_merged(ctx, wide, &m));
    }
    tl_free(ctx, m->path);
    m->path = NULL;
    TL_TRY(tl_strdup(ctx, folder, &m->path));
    TL_TRY(hash_both(ctx, &r, m->sha256));
    *out = m;
    m    = NULL;
done:
    tl_model_free(ctx, wide);
    tl_model_free(ctx, m);
    end_reading(ctx, &r);
    return rc;
}
