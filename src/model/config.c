/* config.c -- reading settings with their ranges.  Floor 2, model. */
#include "model/config.h"

#include <string.h>

/* NULL where the key is absent or null. */
static const json_t *given(const json_t *config, const char *key)
{
    const json_t *value = json_object_get(config, key);

    return json_is_null(value) ? NULL : value;
}

static tl_status wrong(tl_ctx *ctx, const char *where, const char *key, const char *want)
{
    return tl_fail(ctx, TL_EDATA, where, "\"%s\" must be %s (mend it)", key, want);
}

tl_status tl_config_number(tl_ctx *ctx, const char *where, const json_t *config,
                           const char *key, double least, double most, double fallback,
                           double *out)
{
    const json_t *value = given(config, key);

    *out = fallback;
    if (!value) return TL_OK;
    if (!json_is_number(value)) return wrong(ctx, where, key, "a number");
    const double v = json_number_value(value);
    if (!(v >= least && v <= most))
        return tl_fail(ctx, TL_EDATA, where, "\"%s\" is %g (supported: %g to %g)", key, v,
                       least, most);
    *out = v;
    return TL_OK;
}

static tl_status in_range(tl_ctx *ctx, const char *where, const char *key,
                          const json_t *value, int64_t least, int64_t most, int64_t *out)
{
    if (!json_is_integer(value)) return wrong(ctx, where, key, "an integer");
    const int64_t v = json_integer_value(value);
    if (v < least || v > most)
        return tl_fail(ctx, TL_EDATA, where,
                       "\"%s\" is %" PRId64 " (supported: %" PRId64 " to %" PRId64 ")",
                       key, v, least, most);
    *out = v;
    return TL_OK;
}

tl_status tl_config_int(tl_ctx *ctx, const char *where, const json_t *config,
                        const char *key, int64_t least, int64_t most, int64_t fallback,
                        int64_t *out)
{
    const json_t *value = given(config, key);

    *out = fallback;
    return value ? in_range(ctx, where, key, value, least, most, out) : TL_OK;
}

tl_status tl_config_bool(tl_ctx *ctx, const char *where, const json_t *config,
                         const char *key, bool fallback, bool *out)
{
    const json_t *value = given(config, key);

    *out = fallback;
    if (!value) return TL_OK;
    if (!json_is_boolean(value)) return wrong(ctx, where, key, "true or false");
    *out = json_is_true(value);
    return TL_OK;
}

tl_status tl_config_ints(tl_ctx *ctx, const char *where, const json_t *config,
                         const char *key, int64_t least, int64_t most, int room,
                         int64_t *out, int *count)
{
    tl_status     rc    = TL_OK;
    const json_t *value = given(config, key);

    *count = 0;
    if (!value) return TL_OK;
    if (!json_is_array(value) || json_array_size(value) > (size_t)room)
        return tl_fail(ctx, TL_EDATA, where,
                       "\"%s\" must be a list of at most %d integers (mend it)", key,
                       room);
    for (int i = 0; i < (int)json_array_size(value); i++)
        TL_TRY(in_range(ctx, where, key, json_array_get(value, (size_t)i), least, most,
                        &out[i]));
    *count = (int)json_array_size(value);
done:
    return rc;
}

tl_status tl_config_only_text(tl_ctx *ctx, const char *where, const json_t *config,
                              const char *key, const char *only)
{
    const char *value = tl_json_text(config, key, only);

    if (strcmp(value, only) == 0 &&
        (!given(config, key) || json_is_string(given(config, key))))
        return TL_OK;
    return tl_fail(ctx, TL_EDATA, where,
                   "\"%s\": \"%s\" is not supported (only \"%s\" is)", key, value, only);
}

tl_status tl_config_only_bool(tl_ctx *ctx, const char *where, const json_t *config,
                              const char *key, bool only)
{
    bool            value;
    const tl_status rc = tl_config_bool(ctx, where, config, key, only, &value);

    if (rc != TL_OK || value == only) return rc;
    return tl_fail(ctx, TL_EDATA, where,
                   "\"%s\": %s is not supported (another network is)", key,
                   value ? "true" : "false");
}

tl_status tl_config_only_int(tl_ctx *ctx, const char *where, const json_t *config,
                             const char *key, int64_t only)
{
    int64_t value;

    return tl_config_int(ctx, where, config, key, only, only, only, &value);
}

/* Of any config.json: who wrote it and what its outputs are called, what only training or
 * generation would read, and what Tailor reads whatever the family. */
static const char *const common[] = {
    "model_type", "architectures", "architecture", "_name_or_path", "name_or_path",
    "_commit_hash", "transformers_version", "dtype", "torch_dtype", "use_bfloat16",
    "torchscript", "tf_legacy_loss", "return_dict", "output_attentions",
    "output_hidden_states", "problem_type", "finetuning_task", "task_specific_params",
    "initializer_range", "initializer_factor", "semantic_loss_ignore_index",
    "chunk_size_feed_forward", "out_features", "out_indices", "stage_names", "use_cache",
    "id2label", "label2id", "num_labels", "num_classes", "label_names",
    "label_descriptions", "num_features", "pretrained_cfg", "model_args", "source_head",
    "prep", "image_size", "num_channels", "input_shape", NULL
};

static bool is_among(const char *const *keys, const char *key)
{
    for (; *keys; keys++)
        if (strcmp(*keys, key) == 0) return true;
    return false;
}

tl_status tl_config_known(tl_ctx *ctx, const char *where, const json_t *config,
                          const char *const *keys)
{
    const char *key;
    json_t     *value;

    json_object_foreach((json_t *)(uintptr_t)config, key, value)
        if (!json_is_null(value) && !is_among(common, key) && !is_among(keys, key))
            return tl_fail(ctx, TL_EDATA, where,
                           "\"%.60s\" is not known and may change the numbers (take it "
                           "out if it does not)",
                           key);
    return TL_OK;
}

tl_status tl_config_row(tl_ctx *ctx, const char *where, const json_t *config,
                        int64_t size, tl_arch *arch)
{
    tl_status rc = TL_OK;
    int64_t   side[2], channels;
    int       count = 0;

    if (arch->row.ndim) return TL_OK;
    TL_TRY(tl_config_ints(ctx, where, config, "input_shape", 1, INT32_MAX, TL_DIMS - 1,
                          arch->row.dim, &arch->row.ndim));
    if (arch->row.ndim || (!size && !json_object_get(config, "image_size"))) goto done;
    if (json_is_array(json_object_get(config, "image_size"))) {
        TL_TRY(
            tl_config_ints(ctx, where, config, "image_size", 1, 4096, 2, side, &count));
        if (count != 2)
            TL_FAIL(TL_EDATA, where,
                    "\"image_size\" must be one or two integers (mend it)");
    } else {
        TL_TRY(tl_config_int(ctx, where, config, "image_size", 1, 4096, size, &side[0]));
        side[1] = side[0];
    }
    TL_TRY(tl_config_int(ctx, where, config, "num_channels", 1, 64, 3, &channels));
    arch->row = TL_SHAPE(side[0], side[1], channels);
done:
    return rc;
}

tl_status tl_config_take(tl_ctx *ctx, tl_arch *arch, json_t *value)
{
    json_decref(arch->config);
    arch->config = value;
    return value ? TL_OK : tl_fail(ctx, TL_ENOMEM, "config", "out of memory");
}

json_t *tl_config_from_ints(const int64_t *value, int count)
{
    json_t *list = json_array();

    for (int i = 0; i < count; i++)
        if (json_array_append_new(list, json_integer(value[i]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}
