/* list.c -- the list of models, and what they share.  Floor 2, data. */
#include "data/tokenizer/inside.h"

#include <string.h>

#define TL_ROW(name) extern const tl_model_kind tl_model_##name;
#include "data/tokenizer/models.def"
#undef TL_ROW
#define TL_ROW(name) &tl_model_##name,
static const tl_model_kind *const models[] = {
#include "data/tokenizer/models.def"
};
#undef TL_ROW

tl_status tl_vocab_load(tl_ctx *ctx, const char *where, const json_t *spec, tl_vocab *v)
{
    const char *text;
    json_t     *id;
    tl_status   rc = TL_OK;

    if (!json_is_object(spec))
        TL_FAIL(TL_EDATA, where, "a model without vocab (mend the file)");
    json_object_foreach((json_t *)(uintptr_t)spec, text, id)
    {
        if (!json_is_integer(id))
            TL_FAIL(TL_EDATA, where, "the id of \"%.60s\" is no number (mend the file)",
                    text);
        TL_TRY(tl_vocab_add(ctx, where, v, text, strlen(text), json_integer_value(id)));
    }
done:
    return rc;
}

tl_status tl_model_take(tl_ctx *ctx, tl_tokenizer *t, const tl_model_kind *kind,
                        void *self)
{
    const tl_status rc = tl_alloc(ctx, kind->self_bytes, self);

    if (rc != TL_OK) return rc;
    t->model = kind;
    memcpy(&t->model_self, self, sizeof t->model_self);
    return TL_OK;
}

/* Older files leave the type out: the fields tell. */
static const char *guess(const json_t *spec)
{
    if (json_is_array(json_object_get(spec, "vocab"))) return "Unigram";
    if (json_object_get(spec, "merges")) return "BPE";
    return json_object_get(spec, "continuing_subword_prefix") ? "WordPiece" : "WordLevel";
}

tl_status tl_model_load(tl_ctx *ctx, const char *where, const json_t *spec,
                        tl_tokenizer *t)
{
    const char *type = tl_json_text(spec, "type", NULL);
    void       *self;
    tl_status   rc = TL_OK;

    if (!json_is_object(spec))
        TL_FAIL(TL_EDATA, where, "no \"model\" (is it a tokenizer.json?)");
    if (!type) type = guess(spec);
    for (size_t i = 0; i < TL_COUNT(models); i++) {
        if (strcmp(models[i]->name, type) != 0) continue;
        TL_TRY(tl_model_take(ctx, t, models[i], &self));
        return models[i]->load(ctx, where, spec, t);
    }
    TL_FAIL(TL_EDATA, where,
            "the model \"%.60s\" is not known (BPE, WordPiece, Unigram or WordLevel)",
            type);
done:
    return rc;
}
