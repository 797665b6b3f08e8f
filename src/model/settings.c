/* settings.c -- see settings.h.  Source: Transformers' configurations and activations.py.
 * Floor 2, model. */
#include "model/settings.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char   *name;
    tl_activation act;
} acts[] = {
    { "gelu_pytorch_tanh", TL_ACT_GELU_TANH }, /* the first is the one that is written */
    { "gelu_new", TL_ACT_GELU_TANH },
    { "gelu_fast", TL_ACT_GELU_TANH },
    { "swish", TL_ACT_SILU },
};

bool tl_act_of_config(const char *name, tl_activation *out)
{
    for (size_t i = 0; i < TL_COUNT(acts); i++)
        if (strcmp(acts[i].name, name) == 0) {
            *out = acts[i].act;
            return true;
        }
    return tl_act_parse(name, out);
}

static tl_status read_act(tl_ctx *ctx, const char *where, const json_t *config,
                          const tl_setting *s, tl_activation *out)
{
    const json_t *value = json_object_get(config, s->key);
    const char   *name  = json_string_value(value);

    *out = (tl_activation)(int)s->fallback;
    if (!value || json_is_null(value)) return TL_OK;
    if (name && tl_act_of_config(name, out)) return TL_OK;
    return tl_fail(ctx, TL_EDATA, where, "\"%s\": \"%.40s\" is not supported", s->key,
                   name ? name : "(no text)");
}

/* "texts" holds alternatives with | between. */
static bool is_one_of(const char *texts, const char *text)
{
    const size_t bytes = strlen(text);

    for (const char *at = texts; at; at = strchr(at, '|')) {
        if (*at == '|') at++;
        if (strncmp(at, text, bytes) == 0 && (at[bytes] == '|' || !at[bytes]))
            return true;
    }
    return false;
}

static tl_status check_only(tl_ctx *ctx, const char *where, const json_t *config,
                            const tl_setting *s)
{
    const json_t *value = json_object_get(config, s->key);
    char         *text;
    tl_status     rc = TL_OK;

    if (!value) return TL_OK;
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text) return tl_fail(ctx, TL_ENOMEM, where, "out of memory");
    if (!is_one_of(s->only, text))
        rc = tl_fail(ctx, TL_EDATA, where, "\"%s\": %.60s is not supported (only %s is)",
                     s->key, text, s->only);
    free(text);
    return rc;
}

tl_status tl_settings_read(tl_ctx *ctx, const char *where, const json_t *config,
                           const tl_setting *table, size_t count, void *out)
{
    tl_status rc = TL_OK;

    for (size_t i = 0; i < count && rc == TL_OK; i++) {
        const tl_setting *s  = &table[i];
        void             *to = (char *)out + s->at;
        switch (s->kind) {
        case TL_SETTING_INT:
            rc = tl_config_int(ctx, where, config, s->key, (int64_t)s->least,
                               (int64_t)s->most, (int64_t)s->fallback, to);
            break;
        case TL_SETTING_NUMBER:
            rc = tl_config_number(ctx, where, config, s->key, s->least, s->most,
                                  s->fallback, to);
            break;
        case TL_SETTING_BOOL:
            rc = tl_config_bool(ctx, where, config, s->key, s->fallback != 0.0, to);
            break;
        case TL_SETTING_ACT: rc = read_act(ctx, where, config, s, to); break;
        case TL_SETTING_ONLY: rc = check_only(ctx, where, config, s); break;
        }
    }
    return rc;
}

static json_t *written(const tl_setting *s, const void *from)
{
    const void *at = (const char *)from + s->at;

    switch (s->kind) {
    case TL_SETTING_INT: return json_integer(*(const int64_t *)at);
    case TL_SETTING_NUMBER: return json_real(*(const double *)at);
    case TL_SETTING_BOOL: return json_boolean(*(const bool *)at);
    case TL_SETTING_ACT: {
        const tl_activation act = *(const tl_activation *)at;
        for (size_t i = 0; i < TL_COUNT(acts); i++)
            if (acts[i].act == act && act != TL_ACT_SILU)
                return json_string(acts[i].name);
        return json_string(tl_act_name(act));
    }
    default: return NULL;
    }
}

json_t *tl_settings_write(const tl_setting *table, size_t count, const void *from)
{
    json_t *made = json_object();

    for (size_t i = 0; made && i < count; i++) {
        if (table[i].kind == TL_SETTING_ONLY) continue;
        if (json_object_set_new(made, table[i].key, written(&table[i], from))) {
            json_decref(made);
            return NULL;
        }
    }
    return made;
}
