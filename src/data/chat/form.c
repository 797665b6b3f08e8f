/* form.c -- see form.h.  Source: Transformers' tokenization_utils_base.py (apply_chat_template).
 * Floor 2, data. */
#include "data/chat/form.h"

#include <string.h>

static const tl_text_file *file_named(const tl_texter *t, const char *name)
{
    for (size_t i = 0; i < t->files; i++)
        if (strcmp(t->file[i].name, name) == 0) return &t->file[i];
    return NULL;
}

static tl_status read_json(tl_ctx *ctx, const tl_texter *t, const char *name, json_t **out)
{
    const tl_text_file *file = file_named(t, name);

    *out = NULL;
    return file ? tl_json_parse(ctx, name, (const char *)file->data, file->bytes, out) : TL_OK;
}

/* A token is a text, or an object with its content; what is said first stays. */
static void take_tokens(json_t *to, const json_t *from)
{
    static const char *const keys[] = { "bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token" };

    for (size_t i = 0; i < TL_COUNT(keys); i++) {
        const json_t *v = json_object_get(from, keys[i]);
        if (json_is_object(v)) v = json_object_get(v, "content");
        if (json_is_string(v) && !json_object_get(to, keys[i]))
            json_object_set(to, keys[i], (json_t *)(uintptr_t)v);
    }
}

/* Tokens that no file names are those that the tokenizer begins and ends texts with. */
static void take_roles(json_t *to, const tl_tokenizer *k)
{
    static const struct { const char *key, *role; } roles[] = { { "bos_token", "bos" },
                                                                { "eos_token", "eos" } };

    for (size_t i = 0; i < TL_COUNT(roles); i++) {
        const int32_t id = tl_tokenizer_special(k, roles[i].role);
        size_t        bytes;
        const char   *text = id < 0 ? NULL : tl_tokenizer_token(k, id, &bytes);
        if (text && !json_object_get(to, roles[i].key))
            json_object_set_new(to, roles[i].key, json_stringn(text, bytes));
    }
}

/* One template, or the one called "default" of several. */
static const json_t *template_in(const json_t *config)
{
    const json_t *v = json_object_get(config, "chat_template");

    if (json_is_string(v)) return v;
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *one = json_array_get(v, i);
        if (strcmp(tl_json_text(one, "name", ""), "default") == 0)
            return json_object_get(one, "template");
    }
    return NULL;
}

tl_status tl_chat_form_open(tl_ctx *ctx, const tl_texter *t, tl_chat_form **out)
{
    const tl_text_file *file   = file_named(t, "chat_template.jinja");
    json_t             *config = NULL, *map = NULL;
    const json_t       *said;
    tl_chat_form       *f = NULL;
    tl_status           rc;

    *out = NULL;
    TL_TRY(read_json(ctx, t, "tokenizer_config.json", &config));
    TL_TRY(read_json(ctx, t, "special_tokens_map.json", &map));
    said = template_in(config);
    if (!file && !json_is_string(said)) goto done;
    TL_TRY(tl_alloc(ctx, sizeof *f, &f));
    f->tokens = json_object();
    take_tokens(f->tokens, config);
    take_tokens(f->tokens, map);
    take_roles(f->tokens, t->tokenizer);
    const char  *text  = file ? (const char *)file->data : json_string_value(said);
    const size_t bytes = file ? file->bytes : json_string_length(said);
    TL_TRY(tl_template_parse(ctx, file ? "chat_template.jinja" : "chat_template", text, bytes,
                             &f->tmpl));
    const char *mark = bytes ? memmem(text, bytes, "endgeneration", 13) : NULL;
    f->marks         = mark != NULL;
    *out             = f;
    f                = NULL;
done:
    json_decref(config);
    json_decref(map);
    tl_chat_form_close(ctx, f);
    return rc;
}

void tl_chat_form_close(tl_ctx *ctx, tl_chat_form *f)
{
    if (!f) return;
    tl_template_free(ctx, f->tmpl);
    json_decref(f->tokens);
    tl_free(ctx, f);
}

tl_status tl_chat_form_render(tl_ctx *ctx, const tl_chat_form *f, const json_t *messages,
                              bool prompt, bool clock, tl_rendered *out)
{
    json_t   *all = json_copy(f->tokens);
    tl_status rc;

    *out = (tl_rendered){ 0 };
    json_object_set(all, "messages", (json_t *)(uintptr_t)messages);
    json_object_set_new(all, "tools", json_null());
    json_object_set_new(all, "documents", json_null());
    json_object_set_new(all, "add_generation_prompt", json_boolean(prompt));
    if (json_object_size(all) < 4) TL_FAIL(TL_ENOMEM, "chat", "no room (free memory)");
    TL_TRY(tl_template_render(ctx, f->tmpl, all, clock, out));
done:
    json_decref(all);
    return rc;
}
