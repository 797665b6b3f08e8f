/* save.c -- a model to disk as a Hugging Face style directory.  Tensor names are the
 * family's own, which for ResNet, MobileNetV2 and SqueezeNet are torchvision's.  Every
 * file is written beside and renamed; tailor.json comes last and holds the weights'
 * SHA-256, so that a save that was cut off is told from a whole one.  Floor 3, bundle. */
#include "bundle/adapter.h"
#include "bundle/sentence.h"
#include "core/io.h"

#include <stdio.h>
#include <string.h>

/* {"0": name, ...} and {name: 0, ...}; classes without a name are LABEL_i, as
 * elsewhere.  Of ranks output i asks whether it is above i, and the last one nothing. */
static void add_labels(json_t *config, const tl_model *m)
{
    json_t *names = json_object(), *numbers = json_object();

    for (int64_t i = 0; i < m->arch.outputs; i++) {
        char        key[24], plain[32], rank[240];
        const char *name = plain;
        snprintf(key, sizeof key, "%" PRId64, i);
        snprintf(plain, sizeof plain, "LABEL_%" PRId64, i);
        if (m->class_name) name = m->class_name[i];
        if (m->task->ordered) {
            snprintf(rank, sizeof rank, i + 1 < m->arch.outputs ? "above %.200s" : "(not asked)",
                     name);
            name = rank;
        }
        json_object_set_new(names, key, tl_json_name(name));
        json_object_set_new(numbers, json_string_value(json_object_get(names, key)),
                            json_integer(i));
    }
    json_object_set_new(config, "id2label", names);
    json_object_set_new(config, "label2id", numbers);
}

static json_t *plain_config(const tl_model *m)
{
    const bool theirs = m->arch.family->class_of && !m->arch.adapt.kind;
    json_t    *config = tl_arch_to_config(&m->arch);

    json_object_set_new(config, "architectures",
                        json_pack("[s]", theirs ? m->arch.family->class_of(&m->arch)
                                                : m->arch.name));
    return config;
}

static tl_status save_config(tl_ctx *ctx, const tl_model *m, const char *folder)
{
    json_t *config = tl_sentence_fits(m) ? tl_sentence_config(ctx, m) : plain_config(m);

    if (!config) return ctx->status;
    json_object_set_new(config, "dtype", json_string("float32"));
    if (m->task->words) {
        json_object_del(config, "num_labels");
        return tl_json_save(ctx, folder, "config.json", config);
    }
    if (m->task->problem_type)
        json_object_set_new(config, "problem_type", json_string(m->task->problem_type));
    add_labels(config, m);
    return tl_json_save(ctx, folder, "config.json", config);
}

static json_t *thresholds_json(const tl_model *m)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < m->arch.outputs; i++)
        json_array_append_new(list, json_real((double)m->threshold[i]));
    return list;
}

/* Tailor's own keys win over those of the same name in provenance or extra. */
static tl_status save_tailor(tl_ctx *ctx, const tl_model *m, const json_t *extra,
                             const char *hex, const char *folder)
{
    json_t *all = json_object(), *labels = m->class_name ? json_array() : json_null();

    for (int64_t i = 0; m->class_name && i < m->arch.outputs; i++)
        json_array_append_new(labels, tl_json_name(m->class_name[i]));
    json_object_update(all, m->provenance);
    json_object_update(all, (json_t *)(uintptr_t)extra);
    json_object_set_new(all, "tailor", json_string(TAILOR_VERSION));
    json_object_set_new(all, "task", json_string(m->task->name));
    json_object_set_new(all, "arch", tl_arch_to_json(&m->arch));
    json_object_set_new(all, "prep", tl_prep_to_json(&m->prep));
    json_object_set_new(all, "labels", labels);
    if (m->threshold) json_object_set_new(all, "thresholds", thresholds_json(m));
    json_object_set_new(all, "sha256", json_string(hex));
    return tl_json_save(ctx, folder, "tailor.json", all);
}

tl_status tl_model_save(tl_ctx *ctx, const tl_model *m, const json_t *extra,
                        const char *folder)
{
    char     *path = NULL, *apart = NULL;
    char      hex[65];
    tl_status rc;

    if (m->arch.adapt.nf4)
        TL_FAIL(TL_EUSAGE, folder, "its model lies in four bits, which no file holds (merge it)");
    TL_TRY(tl_make_folders(ctx, folder));
    TL_TRY(tl_path_join(ctx, folder, "model.safetensors", &path));
    TL_TRY(save_config(ctx, m, folder));
    if (m->prep.text) TL_TRY(tl_texter_save(ctx, m->prep.text, folder));
    else TL_TRY(tl_json_save(ctx, folder, "preprocessor_config.json", tl_prep_to_json(&m->prep)));
    TL_TRY(tl_weights_save(ctx, m->params, NULL, path));
    if (tl_sentence_fits(m)) TL_TRY(tl_sentence_save(ctx, m, folder));
    TL_TRY(tl_path_join(ctx, folder, "adapter", &apart));
    TL_TRY(tl_adapter_save(ctx, m->adapter, apart));
    TL_TRY(tl_hash_file(ctx, path, hex));
    TL_TRY(save_tailor(ctx, m, extra, hex, folder));
done:
    tl_free(ctx, apart);
    tl_free(ctx, path);
    return rc;
}
