/* adapter.c -- see adapter.h.  Floor 3, bundle. */
#include "bundle/adapter.h"
#include "bundle/prefix.h"
#include "core/io.h"
#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 512, CONFIG_MOST = 1 << 20 };
static const char weights_file[] = "adapter_model.safetensors",
                  config_file[]  = "adapter_config.json";

void tl_adapter_free(tl_ctx *ctx, tl_adapter *a)
{
    if (!a) return;
    json_decref(a->config);
    tl_params_free(ctx, a->params);
    tl_free(ctx, a);
}

/* "base_model.model." and the name Transformers gives it in memory; beside a prefix, which wraps
 * no module, "base_model.". */
static bool peft_name(const tl_arch *arch, const char *name, char out[NAME_BYTES])
{
    const bool prefix = arch->adapt.kind == TL_ADAPT_PREFIX;
    const int  bytes  = snprintf(out, NAME_BYTES, prefix ? "base_model." : "base_model.model.");

    return tl_names_outside(arch->family, name, out + bytes, (size_t)(NAME_BYTES - bytes));
}

/* PEFT keeps the vectors of (IA)3 as matrices, lying as they multiply. */
static tl_shape peft_shape(const tl_param *p)
{
    char layer[NAME_BYTES];

    if (!tl_ends_with(p->name, ".ia3_l")) return p->shape;
    snprintf(layer, sizeof layer, "%.*s", (int)(strlen(p->name) - strlen(".ia3_l")),
             p->name);
    return tl_adapt_scales_input(layer) ? TL_SHAPE(1, p->count) : TL_SHAPE(p->count, 1);
}

static tl_status declare(tl_ctx *ctx, const tl_arch *arch, const tl_param *p, tl_params *to)
{
    char      name[NAME_BYTES];
    tl_param *made;

    if (!peft_name(arch, p->name, name))
        return tl_fail(ctx, TL_EDATA, p->name, "its name is too long (rename the layer)");
    const tl_param like = {
        .name = name, .shape = peft_shape(p), .role = TL_ROLE_WEIGHT, .turned = p->turned
    };
    return tl_params_declare(ctx, to, &like, &made);
}

/* As it is; a prefix is kept in one tensor. */
static bool kept(const tl_arch *arch, const tl_param *p)
{
    return p->head || (p->adapter && arch->adapt.kind != TL_ADAPT_PREFIX);
}

static tl_status declare_prefix(tl_ctx *ctx, const tl_model *m, tl_params *to)
{
    const tl_param like = { .name  = (char *)(uintptr_t)tl_prefix_tensor,
                            .shape = tl_prefix_shape(m->params),
                            .role  = TL_ROLE_WEIGHT };
    tl_param      *made;

    return tl_params_declare(ctx, to, &like, &made);
}

static tl_status copy_kept(tl_ctx *ctx, const tl_model *m, tl_params **out)
{
    const tl_params *from = m->params;
    tl_params       *to   = NULL;
    const bool       prefix = m->arch.adapt.kind == TL_ADAPT_PREFIX;
    int32_t          k      = prefix;
    tl_status        rc;

    TL_TRY(tl_params_new(ctx, &to));
    if (prefix) TL_TRY(declare_prefix(ctx, m, to));
    for (int32_t i = 0; i < from->count; i++)
        if (kept(&m->arch, &from->param[i]))
            TL_TRY(declare(ctx, &m->arch, &from->param[i], to));
    TL_TRY(tl_params_seal(ctx, to));
    if (prefix) tl_prefix_gather(from, tl_params_value(to, &to->param[0]));
    for (int32_t i = 0; i < from->count; i++)
        if (kept(&m->arch, &from->param[i]))
            TL_TRY(tl_params_take(ctx, to, &to->param[k++], from, &from->param[i]));
    *out = to;
    to   = NULL;
done:
    tl_params_free(ctx, to);
    return rc;
}

static void append_once(json_t *list, const char *text)
{
    const json_t *have;
    size_t        i;

    json_array_foreach(list, i,
                       have) if (strcmp(json_string_value(have), text) == 0) return;
    json_array_append_new(list, json_string(text));
}

/* What was adapted, which of it is scaled before the product, and which modules the head is. */
static void list_modules(const tl_model *m, json_t *targets, json_t *scaled,
                         json_t *heads, bool *turned)
{
    for (int32_t i = 0; i < m->params->count; i++) {
        const tl_param *p   = &m->params->param[i];
        const size_t    all = strlen(p->name);
        const char     *end = tl_ends_with(p->name, ".ia3_l")           ? ".ia3_l"
                              : tl_ends_with(p->name, ".lora_A.weight") ? ".lora_A.weight"
                                                                        : NULL;
        char            name[NAME_BYTES], out[NAME_BYTES];
        if (p->head && !p->adapter) {
            snprintf(name, sizeof name, "%.*s", (int)strcspn(p->name, "."), p->name);
            append_once(heads, name);
        }
        if (!p->adapter || !end) continue;
        snprintf(name, sizeof name, "%.*s.weight", (int)(all - strlen(end)), p->name);
        const tl_param *w = tl_params_find(m->params, name);
        *turned |= w && w->turned;
        if (!tl_names_outside(m->arch.family, name, out, sizeof out)) continue;
        out[strlen(out) - strlen(".weight")] = 0;
        name[all - strlen(end)]              = 0;
        append_once(targets, out);
        if (tl_adapt_scales_input(name)) append_once(scaled, out);
    }
}

static json_t *number(double v)
{
    return v == floor(v) ? json_integer((json_int_t)v) : json_real(v);
}

/* PEFT's word for what a network of text is asked; of pictures it has none. */
static json_t *task_of(const tl_arch *arch)
{
    static const char *const tasks[TL_ASKS] = { "SEQ_CLS", "TOKEN_CLS", NULL,
                                                "CAUSAL_LM" };

    return arch->family->text && tasks[arch->ask] ? json_string(tasks[arch->ask])
                                                  : json_null();
}

static json_t *config_of(const tl_model *m)
{
    const tl_adapt *a   = &m->arch.adapt;
    const bool      ia3 = a->kind == TL_ADAPT_IA3, prefix = a->kind == TL_ADAPT_PREFIX;
    json_t         *all = json_object(), *targets = json_array(), *heads = json_array(),
           *scaled = json_array();
    bool turned    = false;

    list_modules(m, targets, scaled, heads, &turned);
    json_object_set_new(all, "peft_type",
                        json_string(prefix ? "PREFIX_TUNING" : ia3 ? "IA3" : "LORA"));
    json_object_set_new(all, "base_model_name_or_path",
                        m->path ? json_string(m->path) : json_null());
    json_object_set_new(all, "task_type", task_of(&m->arch));
    json_object_set_new(all, "inference_mode", json_true());
    json_object_set_new(all, "modules_to_save", heads);
    if (prefix) {
        tl_prefix_settings(m, all);
        json_decref(targets);
        json_decref(scaled);
        return all;
    }
    json_object_set_new(all, "fan_in_fan_out", json_boolean(turned));
    json_object_set_new(all, "target_modules", targets);
    if (ia3) {
        json_object_set_new(all, "feedforward_modules", scaled);
        return all;
    }
    json_decref(scaled);
    json_object_set_new(all, "r", json_integer(a->r));
    json_object_set_new(all, "lora_alpha", number(a->alpha));
    json_object_set_new(all, "lora_dropout", json_real(a->dropout));
    json_object_set_new(all, "bias", json_string("none"));
    json_object_set_new(all, "use_rslora", json_boolean(a->rs));
    json_object_set_new(all, "use_dora", json_boolean(a->kind == TL_ADAPT_DORA));
    return all;
}

tl_status tl_adapter_of(tl_ctx *ctx, const tl_model *m, tl_adapter **out)
{
    tl_adapter *a  = NULL;
    tl_status   rc = TL_OK;

    *out = NULL;
    if (m->arch.adapt.kind == TL_ADAPT_NONE ||
        m->arch.adapt.kind == TL_ADAPT_BOTTLENECK || !m->arch.family->class_of ||
        (m->arch.adapt.kind == TL_ADAPT_PREFIX && !tl_prefix_in_peft(&m->arch)))
        return TL_OK;
    TL_TRY(tl_alloc(ctx, sizeof *a, &a));
    TL_TRY(copy_kept(ctx, m, &a->params));
    a->config = config_of(m);
    if (!a->config) TL_FAIL(TL_ENOMEM, config_file, "no room (free memory)");
    *out = a;
    a    = NULL;
done:
    tl_adapter_free(ctx, a);
    return rc;
}

tl_status tl_adapter_save(tl_ctx *ctx, const tl_adapter *a, const char *folder)
{
    char     *path = NULL, *weights = NULL;
    tl_status rc;

    TL_TRY(tl_path_join(ctx, folder, config_file, &path));
    TL_TRY(tl_path_join(ctx, folder, weights_file, &weights));
    if (!a) {
        if (tl_exists(path)) TL_TRY(tl_remove_tree(ctx, path));
        goto done;
    }
    TL_TRY(tl_make_folders(ctx, folder));
    TL_TRY(tl_weights_save(ctx, a->params, NULL, weights));
    TL_TRY(tl_json_write_exact(ctx, path, a->config));
done:
    tl_free(ctx, path);
    tl_free(ctx, weights);
    return rc;
}

static tl_status read_params(tl_ctx *ctx, const char *path, tl_params **out)
{
    tl_weights w  = { 0 };
    tl_params *to = NULL;
    tl_param  *made;
    tl_status  rc;

    TL_TRY(tl_weights_open(ctx, path, &w));
    TL_TRY(tl_params_new(ctx, &to));
    for (size_t i = 0; i < w.count; i++) {
        const tl_param like = { .name = w.weight[i].name, .shape = w.weight[i].shape };
        if (like.shape.ndim < 0)
            TL_FAIL(TL_EDATA, path, "%.120s holds nothing (fetch it again)", like.name);
        TL_TRY(tl_params_declare(ctx, to, &like, &made));
    }
    TL_TRY(tl_params_seal(ctx, to));
    for (size_t i = 0; i < w.count; i++)
        TL_TRY(tl_weight_read(ctx, &w.weight[i], tl_params_value(to, &to->param[i])));
    *out = to;
    to   = NULL;
done:
    tl_params_free(ctx, to);
    tl_weights_close(ctx, &w);
    return rc;
}

tl_status tl_adapter_load(tl_ctx *ctx, const char *folder, tl_adapter **out)
{
    tl_adapter *a    = NULL;
    char       *path = NULL, *weights = NULL;
    tl_status   rc;

    *out = NULL;
    TL_TRY(tl_path_join(ctx, folder, config_file, &path));
    if (!tl_exists(path)) goto done;
    TL_TRY(tl_path_join(ctx, folder, weights_file, &weights));
    TL_TRY(tl_alloc(ctx, sizeof *a, &a));
    TL_TRY(tl_json_read(ctx, path, CONFIG_MOST, &a->config));
    TL_TRY(read_params(ctx, weights, &a->params));
    *out = a;
    a    = NULL;
done:
    tl_adapter_free(ctx, a);
    tl_free(ctx, path);
    tl_free(ctx, weights);
    return rc;
}

tl_status tl_model_merged(tl_ctx *ctx, const tl_model *m, tl_model **out)
{
    tl_arch   arch = m->arch; /* borrowed parts: never freed here */
    tl_model *made = NULL;
    tl_status rc;

    *out       = NULL;
    arch.adapt = (tl_adapt){ 0 };
    TL_TRY(tl_model_beside(ctx, &arch, &m->prep, m->class_name, 0, m->params, &made));
    for (int32_t i = 0; i < made->params->count; i++) {
        const tl_param *p = &made->params->param[i];
        tl_params_read(m->params, tl_params_find(m->params, p->name),
                       tl_params_value(made->params, p));
    }
    TL_TRY(tl_adapt_merge(ctx, &m->arch.adapt, m->params, made->params));
    TL_TRY(tl_adapter_of(ctx, m, &made->adapter));
    if (m->path) TL_TRY(tl_strdup(ctx, m->path, &made->path));
    *out = made;
    made = NULL;
done:
    tl_model_free(ctx, made);
    return rc;
}
