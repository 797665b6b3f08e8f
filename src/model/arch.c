/* arch.c -- one network, resolved: from what a user wrote, from a config.json, from a file's
 * tensors, and to and from tailor.json.  Floor 2, model. */
#include "core/io.h"
#include "core/text.h"
#include "model/config.h"
#include "model/words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define TL_FAMILY(name) extern const tl_family tl_family_##name;
#include "model/families.def"
#undef TL_FAMILY

enum { MOST_OUTPUTS = 1 << 24, NAME_BYTES = 512 };

const tl_family *tl_family_at(size_t i)
{
    static const tl_family *const families[] = {
#define TL_FAMILY(name) &tl_family_##name,
#include "model/families.def"
#undef TL_FAMILY
    };

    return i < TL_COUNT(families) ? families[i] : NULL;
}

/* resnet_cifar, ResNet-CIFAR and resnet-cifar are one name. */
static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        const int x = *a == '_' ? '-' : tolower((unsigned char)*a);
        const int y = *b == '_' ? '-' : tolower((unsigned char)*b);
        if (x != y) return false;
    }
    return *a == *b;
}

const tl_family *tl_family_find(const char *name)
{
    const tl_family *f;

    for (size_t i = 0; (f = tl_family_at(i)); i++)
        if (same_name(f->name, name)) return f;
    return NULL;
}

static const char *const asks[TL_ASKS] = { "classes", "tokens", "masked", "next" };

const char *tl_ask_name(tl_ask ask)
{
    return asks[ask];
}

bool tl_ask_parse(const char *name, tl_ask *out)
{
    for (int i = 0; i < TL_ASKS; i++)
        if (strcmp(asks[i], name) == 0) {
            *out = (tl_ask)i;
            return true;
        }
    return false;
}

bool tl_arch_words(const tl_arch *arch)
{
    return arch->family->text && (arch->ask == TL_ASK_MASKED || arch->ask == TL_ASK_NEXT);
}

tl_status tl_arch_copy(tl_ctx *ctx, const tl_arch *from, tl_arch *out)
{
    tl_status rc   = TL_OK;
    tl_arch   made = *from;

    made.words  = NULL;
    made.config = NULL;
    if (from->words) TL_TRY(tl_strdup(ctx, from->words, &made.words));
    if (from->config) TL_TRY(tl_config_take(ctx, &made, json_deep_copy(from->config)));
    *out = made;
    made = (tl_arch){ 0 };
done:
    tl_arch_free(ctx, &made);
    return rc;
}

void tl_arch_free(tl_ctx *ctx, tl_arch *arch)
{
    tl_free(ctx, arch->words);
    json_decref(arch->config);
    *arch = (tl_arch){ 0 };
}

const char *tl_arch_prep(const tl_arch *arch)
{
    return tl_json_text(arch->config, "prep", arch->family->default_prep);
}

/* The family that has a size of this name; *size is the list's own spelling. */
static const tl_family *family_of_size(const char *text, const char **size)
{
    const tl_family *f;

    for (size_t i = 0; (f = tl_family_at(i)); i++)
        for (size_t k = 0; f->sizes[k]; k++)
            if (same_name(f->sizes[k], text)) {
                *size = f->sizes[k];
                return f;
            }
    return NULL;
}

/* Sizes of all families, family after family; NULL past the end. */
static const char *size_at(size_t i)
{
    const tl_family *f;

    for (size_t k = 0; (f = tl_family_at(k)); k++)
        for (size_t s = 0; f->sizes[s]; s++)
            if (i-- == 0) return f->sizes[s];
    return NULL;
}

static tl_status unknown(tl_ctx *ctx, const char *text)
{
    const char *meant = tl_did_you_mean(text, size_at), *name;
    tl_text     list  = tl_text_make(ctx);
    tl_status   rc;

    for (size_t i = 0; (name = size_at(i)); i++)
        tl_text_printf(&list, "%s%s", i ? ", " : "", name);
    if (meant)
        rc = tl_fail(ctx, TL_EUSAGE, "--arch",
                     "no network is called \"%.40s\" (did you mean %s?)", text, meant);
    else
        rc = tl_fail(
            ctx, TL_EUSAGE, "--arch",
            "no network is called \"%.40s\" (known: %s; a config.json; or layers in "
            "words, as in \"conv 32 3 relu, pool 2, dense 64 relu\")",
            text, list.text ? list.text : "");
    tl_text_free(&list);
    return rc;
}

/* "resnet20", "squeezenet" (a family stands for its first size), "mlp:128x64". */
static tl_status parse_named(tl_ctx *ctx, const char *text, tl_arch *arch)
{
    char        head[40];
    const char *size = text;

    snprintf(head, sizeof head, "%.*s", (int)TL_MIN(strcspn(text, ":"), sizeof head - 1),
             text);
    if (strchr(text, ':')) {
        arch->family = tl_family_find(head);
    } else {
        arch->family = family_of_size(text, &size);
        if (!arch->family && (arch->family = tl_family_find(text)))
            size = arch->family->sizes[0];
    }
    if (!arch->family || !size) return unknown(ctx, head);
    return arch->family->configure(ctx, "--arch", size, NULL, arch);
}

static tl_status check_row(tl_ctx *ctx, const char *where, const tl_arch *arch)
{
    const tl_shape *row = &arch->row;
    int64_t         count = 1;

    for (int i = 0; i < row->ndim; i++) {
        if (row->dim[i] < 1 || row->dim[i] > ((int64_t)1 << 31) / count)
            return tl_fail(
                ctx, TL_EDATA, where,
                "an input row of such a size is not supported (make it smaller)");
        count *= row->dim[i];
    }
    if (row->ndim < 1 || row->ndim >= TL_DIMS)
        return tl_fail(ctx, TL_EDATA, where,
                       "the shape of an input row is not given (add \"input_shape\")");
    if (arch->family->pictures && row->ndim != 3)
        return tl_fail(ctx, TL_EUSAGE, where,
                       "%s takes pictures, and the data are none"
                       " (try mlp, of text bert-mini or gpt2-tiny)",
                       arch->name);
    if (arch->outputs < 1 || arch->outputs > MOST_OUTPUTS)
        return tl_fail(ctx, TL_EDATA, where,
                       "%" PRId64 " outputs are not supported (name fewer classes)",
                       arch->outputs);
    return TL_OK;
}

tl_status tl_arch_parse(tl_ctx *ctx, const char *text, tl_shape row, int64_t outputs,
                        tl_arch *out)
{
    tl_status rc;
    tl_arch   arch = { .row = row, .outputs = outputs, .dropout = -1.0 };
    json_t   *file = NULL;

    *out = (tl_arch){ 0 };
    while (isspace((unsigned char)*text)) text++;
    if (tl_ends_with(text, ".json")) {
        TL_TRY(tl_json_read(ctx, text, (size_t)16 << 20, &file));
        TL_TRY(tl_arch_from_config(ctx, text, file, &arch));
        arch.row         = row;
        arch.outputs     = outputs;
        arch.source_head = false;
    } else if (tl_words_begin(text)) {
        arch.family = tl_family_find("words");
        TL_TRY(arch.family->configure(ctx, "--arch", text, NULL, &arch));
    } else {
        TL_TRY(parse_named(ctx, text, &arch));
    }
    if (arch.family->text && row.ndim == 3)
        TL_FAIL(TL_EUSAGE, "--arch", "%s takes text, and the data are pictures (try resnet20)",
                arch.name);
    TL_TRY(check_row(ctx, "--arch", &arch));
    *out = arch;
    arch = (tl_arch){ 0 };
done:
    json_decref(file);
    tl_arch_free(ctx, &arch);
    return rc;
}

/* Transformers' classes of pictures that carry no model_type. */
static const struct { const char *name, *family; } classes[] = {
    { "ResNetForImageClassification", "resnet" },
    { "MobileNetV2ForImageClassification", "mobilenet-v2" },
    { "ViTForImageClassification", "vit" },
};

/* config.json says who it is by model_type, by timm's architecture, or by its class's name. */
static const tl_family *family_of_config(const json_t *config, const char **size)
{
    const char *type = tl_json_text(config, "model_type", "");
    const char *timm = tl_json_text(config, "architecture", "");
    const char *name = json_string_value(
        json_array_get(json_object_get(config, "architectures"), 0));

    *size = NULL;
    if (*type && tl_family_find(type)) return tl_family_find(type);
    if (*timm && family_of_size(timm, size)) return family_of_size(timm, size);
    for (size_t i = 0; name && i < TL_COUNT(classes); i++)
        if (strcmp(name, classes[i].name) == 0) return tl_family_find(classes[i].family);
    return NULL;
}

/* What the class that wrote a config is asked: ours says so, Transformers' by its name. */
static tl_ask ask_of_config(const json_t *config)
{
    static const struct { const char *part; tl_ask ask; } parts[] = {
        { "ForMaskedLM", TL_ASK_MASKED },
        { "ForCausalLM", TL_ASK_NEXT },
        { "LMHeadModel", TL_ASK_NEXT },
        { "ForTokenClassification", TL_ASK_TOKENS },
    };
    const char *name = json_string_value(
        json_array_get(json_object_get(config, "architectures"), 0));

    for (size_t i = 0; name && i < TL_COUNT(parts); i++)
        if (strstr(name, parts[i].part)) return parts[i].ask;
    return TL_ASK_CLASSES;
}

/* num_labels is left out of a config where id2label says it. */
static int64_t outputs_of_config(const json_t *config)
{
    const json_t *labels = json_object_get(config, "id2label");

    if (json_is_integer(json_object_get(config, "num_labels")))
        return tl_json_int(config, "num_labels", 0);
    if (json_is_object(labels) && json_object_size(labels))
        return (int64_t)json_object_size(labels);
    return tl_json_int(config, "num_classes", 0);
}

static const char *const timm_keys[] = { "global_pool", NULL };

tl_status tl_arch_from_config(tl_ctx *ctx, const char *where, const json_t *config,
                              tl_arch *out)
{
    tl_status   rc;
    tl_arch     arch = { .dropout = -1.0 };
    const char *size;

    *out = (tl_arch){ 0 };
    TL_TRY(tl_config_bool(ctx, where, config, "source_head", true, &arch.source_head));
    arch.family = family_of_config(config, &size);
    if (!arch.family)
        TL_FAIL(
            TL_EDATA, where,
            "model_type \"%.60s\" is not supported (take a model of a family that is)",
            tl_json_text(config, "model_type", "(none)"));
    if (size && json_object_size(json_object_get(config, "model_args")))
        TL_FAIL(TL_EDATA, where,
                "\"model_args\" change the network, and are not supported (take "
                "another)");
    if (size) TL_TRY(tl_config_only_text(ctx, where, config, "global_pool", "avg"));
    if (size || arch.family->keys)
        TL_TRY(tl_config_known(ctx, where, config, size ? timm_keys : arch.family->keys));
    arch.outputs = outputs_of_config(config);
    if (arch.outputs == 0) arch.outputs = 2; /* Transformers' default */
    if (arch.family->text) arch.ask = ask_of_config(config);
    TL_TRY(arch.family->configure(ctx, where, size, size ? NULL : config, &arch));
    TL_TRY(check_row(ctx, where, &arch));
    *out = arch;
    arch = (tl_arch){ 0 };
done:
    tl_arch_free(ctx, &arch);
    return rc;
}

tl_status tl_arch_resize(tl_ctx *ctx, tl_arch *arch, int64_t size, bool base)
{
    if (base && arch->family->fixed_row &&
        (arch->row.dim[0] != size || arch->row.dim[1] != size))
        return tl_fail(ctx, TL_EUSAGE, "--image-size",
                       "%s knows places in pictures of %" PRId64 " pixels only (leave it out)",
                       arch->name, arch->row.dim[0]);
    arch->row.dim[0] = arch->row.dim[1] = size;
    return TL_OK;
}

json_t *tl_arch_to_config(const tl_arch *arch)
{
    json_t *made = arch->config ? json_deep_copy(arch->config) : json_object();
    char    type[64];

    if (!made) return NULL;
    snprintf(type, sizeof type, "%s", arch->family->name);
    for (char *c = type; *c; c++)
        if (*c == '-') *c = '_';
    json_object_set_new(made, "model_type", json_string(type));
    json_object_set_new(made, "num_labels", json_integer(arch->outputs));
    json_object_set_new(made, "source_head", json_boolean(arch->source_head));
    if (arch->family->pictures) {
        json_object_set_new(made, "image_size", tl_config_from_ints(arch->row.dim, 2));
        json_object_set_new(made, "num_channels", json_integer(arch->row.dim[2]));
    } else if (!arch->family->text) {
        json_object_set_new(made, "input_shape",
                            tl_config_from_ints(arch->row.dim, arch->row.ndim));
    }
    return made;
}

json_t *tl_arch_to_json(const tl_arch *arch)
{
    return json_pack("{s:s, s:s, s:s*, s:O*, s:I, s:o, s:f, s:b, s:s, s:o*}", "family",
                     arch->family->name, "name", arch->name, "words", arch->words,
                     "config", arch->config, "outputs", (json_int_t)arch->outputs, "row",
                     tl_config_from_ints(arch->row.dim, arch->row.ndim), "dropout",
                     arch->dropout, "source_head", arch->source_head, "ask",
                     tl_ask_name(arch->ask), "adapt",
                     arch->adapt.kind ? tl_adapt_to_json(&arch->adapt) : NULL);
}

tl_status tl_arch_from_json(tl_ctx *ctx, const char *where, const json_t *value,
                            tl_arch *out)
{
    tl_status     rc;
    tl_arch       arch   = { 0 };
    const char   *words  = tl_json_text(value, "words", NULL);
    const json_t *config = json_object_get(value, "config");

    *out = (tl_arch){ 0 };
    arch.family = tl_family_find(tl_json_text(value, "family", ""));
    if (!arch.family)
        TL_FAIL(TL_EDATA, where,
                "family \"%.60s\" is not supported (copy the model again)",
                tl_json_text(value, "family", "(none)"));
    TL_TRY(
        tl_config_int(ctx, where, value, "outputs", 1, MOST_OUTPUTS, 0, &arch.outputs));
    TL_TRY(tl_config_ints(ctx, where, value, "row", 1, INT32_MAX, TL_DIMS - 1,
                          arch.row.dim, &arch.row.ndim));
    TL_TRY(
        tl_config_number(ctx, where, value, "dropout", -1.0, 0.99, -1.0, &arch.dropout));
    TL_TRY(tl_config_bool(ctx, where, value, "source_head", false, &arch.source_head));
    if (!tl_ask_parse(tl_json_text(value, "ask", asks[0]), &arch.ask))
        TL_FAIL(TL_EDATA, where, "\"ask\" is not known (copy the model again)");
    TL_TRY(tl_adapt_from_json(ctx, where, json_object_get(value, "adapt"), &arch.adapt));
    if (!words && !json_is_object(config))
        TL_FAIL(TL_EDATA, where, "\"config\" is missing (copy the model again)");
    if (!words && arch.family->keys)
        TL_TRY(tl_config_known(ctx, where, config, arch.family->keys));
    TL_TRY(arch.family->configure(ctx, where, words, words ? NULL : config, &arch));
    TL_TRY(check_row(ctx, where, &arch));
    *out = arch;
    arch = (tl_arch){ 0 };
done:
    tl_arch_free(ctx, &arch);
    return rc;
}

/* All names under one map; the texts follow the pointers in one block. */
static tl_status renamed(tl_ctx *ctx, const tl_names_map *map, const tl_tensors *from,
                         char **texts, const char ***names)
{
    tl_status rc;

    *texts = NULL;
    *names = NULL;
    TL_TRY(tl_alloc_array(ctx, from->count + 1, NAME_BYTES, texts));
    TL_TRY(tl_alloc_array(ctx, from->count + 1, sizeof **names, names));
    for (size_t i = 0; i < from->count; i++) {
        char *text = *texts + i * NAME_BYTES;
        (*names)[i] = tl_names_apply(map, from->name[i], text, NAME_BYTES) ? text : "";
    }
done:
    return rc;
}

static tl_status recognise_as(tl_ctx *ctx, const tl_family *family,
                              const tl_names_map *map, const tl_tensors *tensors,
                              tl_arch *arch)
{
    tl_status    rc;
    char        *texts = NULL;
    const char **names = NULL;

    *arch = (tl_arch){ .family = family, .dropout = -1.0, .source_head = true };
    TL_TRY(renamed(ctx, map, tensors, &texts, &names));
    const tl_tensors ours = { names, tensors->shape, tensors->count };
    TL_TRY(family->recognise(ctx, map->scheme, &ours, arch));
    TL_TRY(check_row(ctx, family->name, arch));
done:
    tl_free(ctx, texts);
    tl_free(ctx, names);
    if (rc != TL_OK) tl_arch_free(ctx, arch);
    return rc;
}

tl_status tl_arch_recognise(tl_ctx *ctx, const char *where, const tl_tensors *tensors,
                            const char **scheme, tl_arch *out)
{
    const tl_family *f;

    *out = (tl_arch){ 0 };
    for (size_t i = 0; (f = tl_family_at(i)); i++)
        for (size_t k = 0; f->recognise && k < f->n_maps; k++) {
            const tl_status rc = recognise_as(ctx, f, &f->maps[k], tensors, out);
            if (rc == TL_OK && scheme) *scheme = f->maps[k].scheme;
            if (rc != TL_EUSAGE) return rc;
        }
    return tl_fail(
        ctx, TL_EDATA, where,
        "its %zu tensors belong to no network Tailor knows (say which with --arch)",
        tensors->count);
}
