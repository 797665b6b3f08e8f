/* text.c -- see text.h.  Sources: Transformers' modeling_rope_utils.py; Peng et al. 2023,
 * arXiv:2309.00071 (yarn).  Floor 2, model. */
#include "model/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

tl_status tl_text_settle(tl_ctx *ctx, const char *where, tl_arch *arch, int64_t most,
                         int64_t vocab, json_t *config)
{
    if (!arch->family->class_of(arch)) {
        json_decref(config);
        return tl_fail(ctx, TL_EDATA, where,
                       "%s is not a network for \"%s\" (see its architectures)",
                       arch->family->name, tl_ask_name(arch->ask));
    }
    arch->row = TL_SHAPE(most);
    if (arch->ask == TL_ASK_MASKED || arch->ask == TL_ASK_NEXT) arch->outputs = vocab;
    return tl_config_take(ctx, arch, config);
}

bool tl_text_size(const char *size, int64_t *layers, int64_t *width)
{
    const char *colon = strchr(size, ':');
    long long   l, w;
    char        end;

    if (!colon || sscanf(colon + 1, "%lldx%lld%c", &l, &w, &end) != 2) return false;
    *layers = l;
    *width  = w;
    return l >= 1 && l <= 1000 && w >= 64 && w <= 65536 && w % 64 == 0;
}

tl_status tl_text_check_layers(tl_ctx *ctx, const char *where, const json_t *config)
{
    const json_t *types = json_object_get(config, "layer_types");

    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *name = json_string_value(json_array_get(types, i));
        if (!name || (strcmp(name, "sliding_attention") != 0 &&
                      strcmp(name, "full_attention") != 0))
            return tl_fail(ctx, TL_EDATA, where,
                           "\"layer_types\": \"%.40s\" is not supported (take another "
                           "model)",
                           name ? name : "(no text)");
    }
    return TL_OK;
}

bool tl_text_slides(const json_t *config, int64_t i, bool fallback)
{
    const char *type = json_string_value(
        json_array_get(json_object_get(config, "layer_types"), (size_t)i));

    return type ? strcmp(type, "sliding_attention") == 0 : fallback;
}

void tl_text_keep(json_t *to, const json_t *config)
{
    static const char *const kept[] = { "rope_parameters",  "rope_scaling",
                                        "rope_theta",       "partial_rotary_factor",
                                        "layer_types",      "global_rope_theta",
                                        "local_rope_theta", "classifier_pooling",
                                        "pad_token_id",     "bos_token_id",
                                        "eos_token_id",     "cls_token_id",
                                        "sep_token_id",     "mask_token_id" };

    for (size_t i = 0; to && i < TL_COUNT(kept); i++) {
        const json_t *value = json_object_get(config, kept[i]);
        if (value) json_object_set_new(to, kept[i], json_deep_copy(value));
    }
}

/* Long waves are stretched, short ones stay, those between are mixed. */
static void llama3(const json_t *s, double *inverse, int half)
{
    const double pi = 3.14159265358979323846, factor = tl_json_number(s, "factor", 8.0);
    const double low  = tl_json_number(s, "low_freq_factor", 1.0);
    const double high = tl_json_number(s, "high_freq_factor", 4.0);
    const double old  = tl_json_number(s, "original_max_position_embeddings", 8192.0);

    for (int i = 0; i < half; i++) {
        const double wave = 2.0 * pi / inverse[i];
        const double mix  = (old / wave - low) / (high - low);
        if (wave > old / low)
            inverse[i] /= factor;
        else if (wave >= old / high)
            inverse[i] *= (1.0 - mix) / factor + mix;
    }
}

static double yarn_dim(double turns, double dim, double theta, double old)
{
    return dim * log(old / (turns * 2.0 * 3.14159265358979323846)) / (2.0 * log(theta));
}

static double yarn_share(double factor, double scale)
{
    return factor <= 1.0 ? 1.0 : 0.1 * scale * log(factor) + 1.0;
}

/* Pairs that turn often stay, those that turn seldom are stretched, a ramp between. */
static double yarn(const json_t *s, double theta, int64_t dim, double *inverse, int half)
{
    const double factor = tl_json_number(s, "factor", 1.0);
    const double old    = tl_json_number(s, "original_max_position_embeddings", 2048.0);
    const double fast   = tl_json_number(s, "beta_fast", 32.0);
    const double slow   = tl_json_number(s, "beta_slow", 1.0);
    const double one    = tl_json_number(s, "mscale", 0.0),
                 all    = tl_json_number(s, "mscale_all_dim", 0.0);
    double low          = yarn_dim(fast, (double)dim, theta, old),
           high         = yarn_dim(slow, (double)dim, theta, old);

    if (tl_json_bool(s, "truncate", true)) low = floor(low), high = ceil(high);
    low  = fmax(low, 0.0);
    high = fmin(high, (double)dim - 1.0);
    if (low == high) high += 0.001;
    for (int i = 0; i < half; i++) {
        const double ramp = fmin(1.0, fmax(0.0, ((double)i - low) / (high - low)));
        inverse[i]        = inverse[i] / factor * ramp + inverse[i] * (1.0 - ramp);
    }
    if (json_is_number(json_object_get(s, "attention_factor")))
        return tl_json_number(s, "attention_factor", 1.0);
    if (one != 0.0 && all != 0.0)
        return yarn_share(factor, one) / yarn_share(factor, all);
    return yarn_share(factor, 1.0);
}

/* rope_parameters (of one kind of layer), or rope_scaling; NULL: neither. */
static const json_t *rope_settings(const json_t *config, const char *key)
{
    const json_t *s = json_object_get(config, "rope_parameters");

    if (json_is_object(s) && key && json_is_object(json_object_get(s, key)))
        return json_object_get(s, key);
    if (json_is_object(s)) return s;
    s = json_object_get(config, "rope_scaling");
    return json_is_object(s) ? s : NULL;
}

tl_status tl_text_rope(tl_ctx *ctx, const char *where, const json_t *config,
                       const char *key, double theta, int64_t dim,
                       tl_rope_angles_attr *out)
{
    const json_t *s    = rope_settings(config, key);
    const char   *type = tl_json_text(s, "rope_type", tl_json_text(s, "type", "default"));
    const double  part = tl_json_number(
         s, "partial_rotary_factor", tl_json_number(config, "partial_rotary_factor", 1.0));
    double inverse[TL_MOST_ROPE];

    theta = tl_json_number(s, "rope_theta", tl_json_number(config, "rope_theta", theta));
    if (!(part > 0.0 && part <= 1.0))
        return tl_fail(ctx, TL_EDATA, where,
                       "\"partial_rotary_factor\" is not within 0 and 1 (mend it)");
    dim = (int64_t)((double)dim * part);
    if (dim < 2 || dim / 2 > TL_MOST_ROPE || !(theta > 1.0) || !isfinite(theta))
        return tl_fail(ctx, TL_EDATA, where,
                       "\"rope_theta\" or the heads' size is not supported (take another "
                       "model)");
    *out = (tl_rope_angles_attr){ .half = (int)(dim / 2), .factor = 1.0f };
    for (int i = 0; i < out->half; i++)
        inverse[i] = 1.0 / pow(theta, 2.0 * i / (double)dim);
    if (strcmp(type, "linear") == 0) {
        for (int i = 0; i < out->half; i++)
            inverse[i] /= tl_json_number(s, "factor", 1.0);
    } else if (strcmp(type, "llama3") == 0) {
        llama3(s, inverse, out->half);
    } else if (strcmp(type, "yarn") == 0) {
        out->factor = (float)yarn(s, theta, dim, inverse, out->half);
    } else if (strcmp(type, "default") != 0) {
        return tl_fail(
            ctx, TL_EDATA, where,
            "\"rope_type\": \"%.40s\" is not supported (only default, linear, llama3 "
            "and yarn are)",
            type);
    }
    for (int i = 0; i < out->half; i++) {
        out->inverse[i] = (float)inverse[i];
        if (!isfinite(out->inverse[i]))
            return tl_fail(ctx, TL_EDATA, where,
                           "\"rope_scaling\" makes no finite angles (mend it)");
    }
    return TL_OK;
}
