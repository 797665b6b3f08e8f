/* frame_load.c -- post-processors of tokenizer.json, all as templates.
 * Source: huggingface/tokenizers, processors/.  Floor 2, data. */
#include "data/tokenizer/inside.h"

#include <string.h>

enum { SLOTS_MOST = 64 };

static tl_status add_slot(tl_ctx *ctx, const char *where, tl_template *t, tl_slot slot)
{
    tl_status rc = TL_OK;

    if (t->count >= SLOTS_MOST)
        TL_FAIL(TL_ELIMIT, where, "a template of over %d parts (the file is damaged)",
                SLOTS_MOST);
    TL_TRY(tl_realloc(ctx, (t->count + 1) * sizeof *t->at, &t->at));
    t->at[t->count++] = slot;
done:
    return rc;
}

static tl_status only_once(tl_ctx *ctx, const char *where, const tl_tokenizer *t)
{
    if (!t->frame.single.count && !t->frame.pair.count) return TL_OK;
    return tl_fail(ctx, TL_EDATA, where,
                   "two templates in one post-processor (mend the file)");
}

/* {"SpecialToken": {"id": "[CLS]", "type_id": 0}} or {"Sequence": {"id": "A", ...}} */
static tl_status template_part(tl_ctx *ctx, const char *where, const json_t *spec,
                               const json_t *part, tl_template *t)
{
    const json_t *text  = json_object_get(part, "Sequence");
    const json_t *token = json_object_get(part, "SpecialToken");
    const char   *name  = tl_json_text(text ? text : token, "id", NULL);
    const uint8_t type  = (uint8_t)tl_json_int(text ? text : token, "type_id", 0);
    json_t       *id;
    size_t        i;
    tl_status     rc = TL_OK;

    if (!name) TL_FAIL(TL_EDATA, where, "a template's part without id (mend the file)");
    if (text)
        return add_slot(ctx, where, t, (tl_slot){ 0, type, name[0] == 'B' ? 'B' : 'A' });
    token = json_object_get(
        json_object_get(json_object_get(spec, "special_tokens"), name), "ids");
    if (!json_is_array(token))
        TL_FAIL(
            TL_EDATA, where,
            "the template's token \"%.60s\" is not among special_tokens (mend the file)",
            name);
    json_array_foreach(token, i, id)
    {
        const json_int_t n = json_integer_value(id);
        if (!json_is_integer(id) || n < 0 || n > INT32_MAX)
            TL_FAIL(TL_EDATA, where, "a special token's id is no id (mend the file)");
        TL_TRY(add_slot(ctx, where, t, (tl_slot){ (int32_t)n, type, 0 }));
    }
done:
    return rc;
}

static tl_status template_load(tl_ctx *ctx, const char *where, const json_t *spec,
                               tl_tokenizer *t)
{
    json_t   *part;
    size_t    i;
    tl_status rc;

    TL_TRY(only_once(ctx, where, t));
    json_array_foreach(json_object_get(spec, "single"), i, part)
        TL_TRY(template_part(ctx, where, spec, part, &t->frame.single));
    json_array_foreach(json_object_get(spec, "pair"), i, part)
        TL_TRY(template_part(ctx, where, spec, part, &t->frame.pair));
done:
    return rc;
}

/* ["[SEP]", 102] */
static tl_status read_token(tl_ctx *ctx, const char *where, const json_t *spec,
                            const char *key, tl_slot *out)
{
    const json_t    *id = json_array_get(json_object_get(spec, key), 1);
    const json_int_t n  = json_integer_value(id);

    if (!json_is_integer(id) || n < 0 || n > INT32_MAX)
        return tl_fail(ctx, TL_EDATA, where, "\"%s\" is no token and id (mend the file)",
                       key);
    *out = (tl_slot){ (int32_t)n, 0, 0 };
    return TL_OK;
}

static tl_status frame_pair(tl_ctx *ctx, const char *where, const json_t *spec,
                            tl_tokenizer *t, uint8_t second, int between)
{
    const tl_slot a = { 0, 0, 'A' }, b = { 0, second, 'B' };
    tl_slot       cls, sep;
    tl_status     rc;

    TL_TRY(only_once(ctx, where, t));
    TL_TRY(read_token(ctx, where, spec, "cls", &cls));
    TL_TRY(read_token(ctx, where, spec, "sep", &sep));
    for (int pair = 0; pair < 2; pair++) {
        tl_template *to = pair ? &t->frame.pair : &t->frame.single;
        TL_TRY(add_slot(ctx, where, to, cls));
        TL_TRY(add_slot(ctx, where, to, a));
        TL_TRY(add_slot(ctx, where, to, sep));
        if (!pair) continue;
        if (between == 2) TL_TRY(add_slot(ctx, where, to, sep));
        TL_TRY(add_slot(ctx, where, to, b));
        sep.part = second;
        TL_TRY(add_slot(ctx, where, to, sep));
    }
done:
    return rc;
}

static tl_status bert_load(tl_ctx *ctx, const char *where, const json_t *spec,
                           tl_tokenizer *t)
{
    return frame_pair(ctx, where, spec, t, 1, 1);
}

static tl_status byte_level_load(tl_ctx *ctx, const char *where, const json_t *spec,
                                 tl_tokenizer *t)
{
    (void)ctx;
    (void)where;
    t->frame.trim        = tl_json_bool(spec, "trim_offsets", true);
    t->frame.trim_prefix = tl_json_bool(spec, "add_prefix_space", true);
    return TL_OK;
}

static tl_status roberta_load(tl_ctx *ctx, const char *where, const json_t *spec,
                              tl_tokenizer *t)
{
    byte_level_load(ctx, where, spec, t);
    return frame_pair(ctx, where, spec, t, 0, 2);
}

static const tl_framer tl_framer_template = { "TemplateProcessing",
                                              "special tokens by template",
                                              template_load };
static const tl_framer tl_framer_bert     = { "BertProcessing", "[CLS] A [SEP] B [SEP]",
                                              bert_load };
static const tl_framer tl_framer_roberta = { "RobertaProcessing", "<s> A </s></s> B </s>",
                                             roberta_load };
static const tl_framer tl_framer_byte_level = { "ByteLevel",
                                                "spans without the blanks around",
                                                byte_level_load };
#define TL_ROW(name) &tl_framer_##name,
static const tl_framer *const framers[] = {
#include "data/tokenizer/framers.def"
};
#undef TL_ROW

static tl_status load(tl_ctx *ctx, const char *where, const json_t *spec, tl_tokenizer *t,
                      int nested)
{
    enum { NESTED_MOST = 8 };
    const char *type = tl_json_text(spec, "type", NULL);
    json_t     *child;
    size_t      i;
    tl_status   rc = TL_OK;

    if (!type)
        TL_FAIL(TL_EDATA, where, "a post-processor without a type (the file is damaged)");
    if (strcmp(type, "Sequence") == 0) {
        if (nested >= NESTED_MOST)
            TL_FAIL(TL_ELIMIT, where, "post-processors nested over %d deep", NESTED_MOST);
        json_array_foreach(json_object_get(spec, "processors"), i, child)
            TL_TRY(load(ctx, where, child, t, nested + 1));
        return TL_OK;
    }
    for (i = 0; i < TL_COUNT(framers); i++)
        if (strcmp(framers[i]->name, type) == 0)
            return framers[i]->load(ctx, where, spec, t);
    TL_FAIL(TL_EDATA, where,
            "the post-processor \"%.60s\" is not known (use a tokenizer without it)",
            type);
done:
    return rc;
}

tl_status tl_frame_load(tl_ctx *ctx, const char *where, const json_t *spec,
                        tl_tokenizer *t)
{
    return !spec || json_is_null(spec) ? TL_OK : load(ctx, where, spec, t, 0);
}
