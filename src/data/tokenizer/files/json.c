/* json.c -- tokenizer.json.  Source: huggingface/tokenizers, tokenizer/serialization.rs.
 * Floor 2, data. */
#include "data/tokenizer/files.h"

#include <stdio.h>
#include <string.h>

/* "FILE: part" names the place of an error. */
static const char *place(char *buffer, size_t room, const char *where, const char *part)
{
    snprintf(buffer, room, "%.400s: %s", where, part);
    return buffer;
}

static tl_status load_truncation(tl_ctx *ctx, const char *where, const json_t *spec,
                                 tl_tokenizer *t)
{
    static const char *const rule[] = { "LongestFirst", "OnlyFirst", "OnlySecond" };
    const char              *said   = tl_json_text(spec, "strategy", rule[0]);
    const char              *way    = tl_json_text(spec, "direction", "Right");
    tl_status                rc     = TL_OK;

    if (!json_is_object(spec)) return TL_OK;
    for (size_t i = 0; i < TL_COUNT(rule); i++)
        if (strcmp(rule[i], said) == 0) t->cut_rule = (tl_cut_rule)i;
    t->most     = tl_json_int(spec, "max_length", 0);
    t->cut_left = strcmp(way, "Left") == 0;
    if (t->most < 0) TL_FAIL(TL_EDATA, where, "max_length is negative (mend the file)");
    if (strcmp(rule[t->cut_rule], said) != 0)
        TL_FAIL(
            TL_EDATA, where,
            "the strategy \"%.40s\" is not known (LongestFirst, OnlyFirst or OnlySecond)",
            said);
done:
    return rc;
}

static tl_status load_added(tl_ctx *ctx, const char *where, const json_t *list,
                            tl_tokenizer *t)
{
    json_t   *a;
    size_t    i;
    tl_status rc = TL_OK;

    json_array_foreach(list, i, a)
    {
        const json_t    *content = json_object_get(a, "content");
        const json_int_t id      = json_integer_value(json_object_get(a, "id"));
        const bool       special = tl_json_bool(a, "special", false);
        if (!json_is_string(content) || id < 0 || id > INT32_MAX)
            TL_FAIL(TL_EDATA, where,
                    "added token %zu has no content or no id (mend the file)", i);
        const tl_added as = { .id          = (int32_t)id,
                              .special     = special,
                              .single_word = tl_json_bool(a, "single_word", false),
                              .lstrip      = tl_json_bool(a, "lstrip", false),
                              .rstrip      = tl_json_bool(a, "rstrip", false),
                              .normalized  = tl_json_bool(a, "normalized", !special) };
        TL_TRY(tl_added_put(
            ctx, where, t,
            (tl_string){ json_string_value(content), json_string_length(content) }, as));
    }
done:
    return rc;
}

static tl_status load_around(tl_ctx *ctx, const char *where, const json_t *v,
                             tl_tokenizer *t)
{
    char      at[480];
    tl_status rc;

    TL_TRY(tl_steps_load(ctx, place(at, sizeof at, where, "normalizer"), TL_NORMALIZER,
                         json_object_get(v, "normalizer"), &t->normalizer));
    TL_TRY(tl_steps_load(ctx, place(at, sizeof at, where, "pre_tokenizer"),
                         TL_PRE_TOKENIZER, json_object_get(v, "pre_tokenizer"),
                         &t->pre_tokenizer));
    TL_TRY(tl_steps_load(ctx, place(at, sizeof at, where, "decoder"), TL_DECODER,
                         json_object_get(v, "decoder"), &t->decoder));
    TL_TRY(tl_frame_load(ctx, place(at, sizeof at, where, "post_processor"),
                         json_object_get(v, "post_processor"), t));
    TL_TRY(load_truncation(ctx, place(at, sizeof at, where, "truncation"),
                           json_object_get(v, "truncation"), t));
    TL_TRY(load_added(ctx, place(at, sizeof at, where, "added_tokens"),
                      json_object_get(v, "added_tokens"), t));
done:
    return rc;
}

tl_status tl_tokenizer_from_json(tl_ctx *ctx, const char *where, const json_t *value,
                                 tl_tokenizer *t)
{
    char      at[480];
    tl_status rc;

    TL_TRY(tl_model_load(ctx, place(at, sizeof at, where, "model"),
                         json_object_get(value, "model"), t));
    TL_TRY(load_around(ctx, where, value, t));
done:
    return rc;
}

tl_status tl_tokenizer_around(tl_ctx *ctx, const char *where, const char *json,
                              tl_tokenizer *t)
{
    json_t   *value = NULL;
    tl_status rc    = tl_json_parse(ctx, where, json, strlen(json), &value);

    if (rc == TL_OK) rc = load_around(ctx, where, value, t);
    json_decref(value);
    return rc;
}

static tl_status load(tl_ctx *ctx, const char *path, tl_tokenizer *t)
{
    uint8_t  *data  = NULL;
    json_t   *value = NULL;
    size_t    bytes;
    tl_status rc;

    TL_TRY(tl_tokenizer_read(ctx, t, path, &data, &bytes));
    TL_TRY(tl_json_parse(ctx, path, (const char *)data, bytes, &value));
    TL_TRY(tl_tokenizer_from_json(ctx, path, value, t));
    TL_TRY(tl_roles_load(ctx, path, t));
done:
    json_decref(value);
    tl_free(ctx, data);
    return rc;
}

const tl_tokenizer_file tl_tokenizer_file_json = { .name = "tokenizer.json",
                                                   .doc  = "the package tokenizers' own",
                                                   .file = { "tokenizer.json" },
                                                   .ending = { ".json" },
                                                   .load   = load };
