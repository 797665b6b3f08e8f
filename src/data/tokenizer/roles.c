/* roles.c -- which token begins, ends, pads...: tokenizer_config.json, special_tokens_map.json,
 * or the usual names.  Floor 2, data. */
#include "data/tokenizer/files.h"

#include <stdio.h>
#include <string.h>

const char *const tl_role_name[8] = { "bos", "eos", "unk",  "sep",
                                      "pad", "cls", "mask", NULL };

void tl_role_set(tl_tokenizer *t, const char *role, int32_t id)
{
    for (size_t i = 0; tl_role_name[i]; i++)
        if (strcmp(tl_role_name[i], role) == 0) t->role[i] = id;
}

static int32_t id_of(const tl_tokenizer *t, const char *text, size_t bytes)
{
    const int32_t id = tl_vocab_find(&t->added_text, text, bytes);

    return id >= 0 ? id : tl_vocab_find(&t->vocab, text, bytes);
}

/* A token is a text, or an object with its content. */
static void take_roles(const json_t *from, tl_tokenizer *t)
{
    char key[16];

    for (size_t i = 0; tl_role_name[i]; i++) {
        snprintf(key, sizeof key, "%s_token", tl_role_name[i]);
        const json_t *v = json_object_get(from, key);
        if (json_is_object(v)) v = json_object_get(v, "content");
        if (t->role[i] >= 0 || !json_is_string(v)) continue;
        t->role[i] = id_of(t, json_string_value(v), json_string_length(v));
    }
}

static void take_usual(tl_tokenizer *t)
{
    static const struct {
        const char *role, *token;
    } usual[] = {
        { "bos", "<s>" },
        { "bos", "<|begin_of_text|>" },
        { "bos", "<|endoftext|>" },
        { "eos", "</s>" },
        { "eos", "<|end_of_text|>" },
        { "eos", "<|endoftext|>" },
        { "unk", "[UNK]" },
        { "unk", "<unk>" },
        { "sep", "[SEP]" },
        { "pad", "[PAD]" },
        { "pad", "<pad>" },
        { "cls", "[CLS]" },
        { "mask", "[MASK]" },
        { "mask", "<mask>" },
    };
    for (size_t k = 0; k < TL_COUNT(usual); k++)
        for (size_t i = 0; tl_role_name[i]; i++)
            if (t->role[i] < 0 && strcmp(tl_role_name[i], usual[k].role) == 0)
                t->role[i] = id_of(t, usual[k].token, strlen(usual[k].token));
}

tl_status tl_roles_load(tl_ctx *ctx, const char *path, tl_tokenizer *t)
{
    static const char *const file[] = { "tokenizer_config.json",
                                        "special_tokens_map.json" };
    bool                     said   = false;
    tl_status                rc     = TL_OK;

    for (size_t i = 0; i < TL_COUNT(file); i++) {
        json_t *value = NULL;
        TL_TRY(tl_tokenizer_beside(ctx, t, path, file[i], &value));
        said |= value != NULL;
        take_roles(value, t);
        json_decref(value);
    }
    if (!said) take_usual(t);
done:
    return rc;
}
