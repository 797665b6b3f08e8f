/* steps.c -- the lists of components, and reading them from tokenizer.json.  Floor 2, data. */
#include "data/tokenizer/inside.h"

#include <string.h>

#define TL_ROW(name) extern const tl_component tl_normalizer_##name;
#include "data/tokenizer/normalizers.def"
#undef TL_ROW
#define TL_ROW(name) extern const tl_component tl_pre_tokenizer_##name;
#include "data/tokenizer/pre_tokenizers.def"
#undef TL_ROW
#define TL_ROW(name) extern const tl_component tl_decoder_##name;
#include "data/tokenizer/decoders.def"
#undef TL_ROW

#define TL_ROW(name) &tl_normalizer_##name,
static const tl_component *const normalizers[] = {
#include "data/tokenizer/normalizers.def"
};
#undef TL_ROW
#define TL_ROW(name) &tl_pre_tokenizer_##name,
static const tl_component *const pre_tokenizers[] = {
#include "data/tokenizer/pre_tokenizers.def"
};
#undef TL_ROW
#define TL_ROW(name) &tl_decoder_##name,
static const tl_component *const decoders[] = {
#include "data/tokenizer/decoders.def"
};
#undef TL_ROW

static const struct {
    const char                *word, *children;
    const tl_component *const *row;
    size_t                     rows;
} lists[] = {
    [TL_NORMALIZER] = { "normalizer", "normalizers", normalizers, TL_COUNT(normalizers) },
    [TL_PRE_TOKENIZER] = { "pre-tokenizer", "pretokenizers", pre_tokenizers,
                           TL_COUNT(pre_tokenizers) },
    [TL_DECODER]       = { "decoder", "decoders", decoders, TL_COUNT(decoders) },
};

enum { NESTED_MOST = 8, STEPS_MOST = 256 };

const tl_component *tl_component_at(tl_step_list list, size_t i)
{
    return i < lists[list].rows ? lists[list].row[i] : NULL;
}

tl_status tl_steps_add(tl_ctx *ctx, const char *where, const tl_component *kind,
                       const json_t *spec, tl_steps *steps)
{
    tl_status rc   = TL_OK;
    void     *self = NULL;

    if (kind->expand) return kind->expand(ctx, where, spec, steps);
    if (steps->count >= STEPS_MOST)
        TL_FAIL(TL_ELIMIT, where, "over %d components (the file is damaged)", STEPS_MOST);
    TL_TRY(tl_realloc(ctx, (steps->count + 1) * sizeof *steps->at, &steps->at));
    if (kind->self_bytes) TL_TRY(tl_alloc(ctx, kind->self_bytes, &self));
    steps->at[steps->count++] = (tl_step){ kind, self };
    if (kind->load) TL_TRY(kind->load(ctx, where, spec, self));
done:
    return rc;
}

static tl_status load(tl_ctx *ctx, const char *where, tl_step_list list,
                      const json_t *spec, tl_steps *steps, int nested)
{
    tl_status   rc   = TL_OK;
    const char *type = tl_json_text(spec, "type", NULL);
    json_t     *child;
    size_t      i;

    if (!type)
        TL_FAIL(TL_EDATA, where, "a %s without a type (the file is damaged)",
                lists[list].word);
    if (strcmp(type, "Sequence") == 0) {
        if (nested >= NESTED_MOST)
            TL_FAIL(TL_ELIMIT, where, "%ss nested over %d deep", lists[list].word,
                    NESTED_MOST);
        json_array_foreach(json_object_get(spec, lists[list].children), i, child)
            TL_TRY(load(ctx, where, list, child, steps, nested + 1));
        return TL_OK;
    }
    for (i = 0; i < lists[list].rows; i++)
        if (strcmp(lists[list].row[i]->name, type) == 0)
            return tl_steps_add(ctx, where, lists[list].row[i], spec, steps);
    TL_FAIL(TL_EDATA, where, "the %s \"%.60s\" is not known (use a tokenizer without it)",
            lists[list].word, type);
done:
    return rc;
}

tl_status tl_steps_load(tl_ctx *ctx, const char *where, tl_step_list list,
                        const json_t *spec, tl_steps *steps)
{
    return !spec || json_is_null(spec) ? TL_OK : load(ctx, where, list, spec, steps, 0);
}

tl_status tl_steps_parse(tl_ctx *ctx, const char *where, tl_step_list list,
                         const char *json, tl_steps *steps)
{
    json_t   *spec = NULL;
    tl_status rc   = tl_json_parse(ctx, where, json, strlen(json), &spec);

    if (rc == TL_OK) rc = tl_steps_load(ctx, where, list, spec, steps);
    json_decref(spec);
    return rc;
}

void tl_steps_free(tl_ctx *ctx, tl_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        const tl_step *s = &steps->at[i];
        if (s->kind->free && s->self) s->kind->free(ctx, s->self);
        tl_free(ctx, s->self);
    }
    tl_free(ctx, steps->at);
    *steps = (tl_steps){ 0 };
}

tl_status tl_json_copy(tl_ctx *ctx, const json_t *object, const char *key, char **out,
                       size_t *bytes)
{
    const json_t *v = json_object_get(object, key);
    tl_status     rc;

    *out   = NULL;
    *bytes = 0;
    if (!json_is_string(v)) return TL_OK;
    rc = tl_alloc(ctx, json_string_length(v) + 1, out);
    if (rc != TL_OK) return rc;
    *bytes = json_string_length(v);
    memcpy(*out, json_string_value(v), *bytes);
    return TL_OK;
}
