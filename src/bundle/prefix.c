/* prefix.c -- see prefix.h.  Floor 3, bundle. */
#include "bundle/prefix.h"
#include "core/io.h"

#include <string.h>

const char tl_prefix_tensor[] = "prompt_embeddings";

bool tl_prefix_in_peft(const tl_arch *arch)
{
    static const char *const without[] = { "distilbert", "modernbert" };

    for (size_t i = 0; i < TL_COUNT(without); i++)
        if (strcmp(arch->family->name, without[i]) == 0) return false;
    return arch->family->text;
}

static bool is_prefix(const tl_param *p)
{
    return p->adapter &&
           (tl_ends_with(p->name, ".prefix_keys") || tl_ends_with(p->name, ".prefix_values"));
}

tl_shape tl_prefix_shape(const tl_params *params)
{
    tl_shape all = TL_SHAPE(0, 0);

    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p = &params->param[i];
        if (!is_prefix(p)) continue;
        all.dim[0] = p->shape.dim[0];
        all.dim[1] += p->shape.dim[1];
    }
    return all;
}

/* The tables stand side by side in the order they are declared in: keys, values, layer by layer. */
static void copy(const tl_params *params, float *all, bool gather)
{
    const int64_t row = tl_prefix_shape(params).dim[1];
    int64_t       at  = 0;

    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p = &params->param[i];
        if (!is_prefix(p)) continue;
        const int64_t wide = p->shape.dim[1];
        float        *own  = tl_params_value(params, p);
        for (int64_t r = 0; r < p->shape.dim[0]; r++) {
            float *there = all + r * row + at, *here = own + r * wide;
            memcpy(gather ? there : here, gather ? here : there, (size_t)wide * sizeof *own);
        }
        at += wide;
    }
}

void tl_prefix_gather(const tl_params *params, float *to)
{
    copy(params, to, true);
}

void tl_prefix_scatter(const tl_params *params, const float *from)
{
    copy(params, (float *)(uintptr_t)from, false);
}

static int64_t setting(const json_t *config, const char *const *keys, int64_t fallback)
{
    for (; *keys; keys++)
        if (json_is_integer(json_object_get(config, *keys)))
            return json_integer_value(json_object_get(config, *keys));
    return fallback;
}

void tl_prefix_settings(const tl_model *m, json_t *config)
{
    static const char *const heads_keys[] = { "num_key_value_heads", "num_attention_heads",
                                              "n_head", NULL };
    const int64_t heads  = setting(m->arch.config, heads_keys, 1);
    int64_t       tables = 0, width = 1;

    for (int32_t i = 0; i < m->params->count; i++)
        if (is_prefix(&m->params->param[i]))
            tables++, width = m->params->param[i].shape.dim[1];
    json_object_set_new(config, "num_virtual_tokens", json_integer(m->arch.adapt.r));
    json_object_set_new(config, "num_layers", json_integer(tables / 2));
    json_object_set_new(config, "num_attention_heads", json_integer(heads));
    json_object_set_new(config, "token_dim", json_integer(width));
    json_object_set_new(config, "encoder_hidden_size", json_integer(width));
    json_object_set_new(config, "num_transformer_submodules", json_integer(1));
    json_object_set_new(config, "prefix_projection", json_false());
}
