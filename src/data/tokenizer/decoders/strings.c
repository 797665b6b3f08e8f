/* strings.c -- decoders on strings: Fuse, Strip, Replace.
 * Source: huggingface/tokenizers, decoders/{fuse,strip}.rs, normalizers/replace.rs.
 * Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

static tl_status fuse(tl_ctx *ctx, const void *self, tl_strings *s)
{
    tl_text   all = tl_text_make(ctx);
    tl_status rc;

    (void)self;
    for (size_t i = 0; i < s->count; i++) {
        const tl_string text = tl_strings_at(s, i);
        tl_text_add_bytes(&all, text.text, text.bytes);
    }
    TL_TRY(all.status);
    TL_TRY(tl_strings_add(ctx, s, all.bytes ? all.text : "", all.bytes));
done:
    tl_text_free(&all);
    return rc;
}

typedef struct {
    char    sign[5];
    size_t  bytes;
    int64_t start, stop;
} strip;

static tl_status strip_load(tl_ctx *ctx, const char *where, const json_t *spec,
                            void *self)
{
    strip      *p    = self;
    const char *sign = tl_json_text(spec, "content", " ");

    p->bytes = strlen(sign);
    if (p->bytes < 1 || p->bytes != tl_utf8_bytes(*sign))
        return tl_fail(ctx, TL_EDATA, where,
                       "Strip's content is not one character (mend the file)");
    memcpy(p->sign, sign, p->bytes);
    p->start = tl_json_int(spec, "start", 0);
    p->stop  = tl_json_int(spec, "stop", 0);
    return TL_OK;
}
static tl_status strip_decode(tl_ctx *ctx, const void *self, tl_strings *s)
{
    const strip *p  = self;
    tl_status    rc = TL_OK;

    for (size_t i = 0; i < s->count; i++) {
        tl_string t = tl_strings_at(s, i);
        for (int64_t n = 0;
             n < p->start && t.bytes >= p->bytes && !memcmp(t.text, p->sign, p->bytes);
             n++)
            t.text += p->bytes, t.bytes -= p->bytes;
        for (int64_t n = 0; n < p->stop && t.bytes >= p->bytes &&
                            !memcmp(t.text + t.bytes - p->bytes, p->sign, p->bytes);
             n++)
            t.bytes -= p->bytes;
        TL_TRY(tl_strings_add(ctx, s, t.text, t.bytes));
    }
done:
    return rc;
}

typedef struct {
    tl_pattern pattern;
    char      *content;
    size_t     bytes;
} replace;

static tl_status replace_load(tl_ctx *ctx, const char *where, const json_t *spec,
                              void *self)
{
    replace  *r = self;
    tl_status rc;

    TL_TRY(tl_pattern_load(ctx, where, json_object_get(spec, "pattern"), &r->pattern));
    TL_TRY(tl_json_copy(ctx, spec, "content", &r->content, &r->bytes));
done:
    return rc;
}
static void replace_free(tl_ctx *ctx, void *self)
{
    tl_pattern_free(ctx, &((replace *)self)->pattern);
    tl_free(ctx, ((replace *)self)->content);
}
static tl_status replace_decode(tl_ctx *ctx, const void *self, tl_strings *s)
{
    const replace *r    = self;
    const tl_string by   = { r->content ? r->content : "", r->bytes };
    tl_text        text = tl_text_make(ctx);
    tl_status      rc   = TL_OK;

    for (size_t i = 0; i < s->count; i++) {
        TL_TRY(tl_replace_all(ctx, s, &r->pattern, by, tl_strings_at(s, i), &text));
        TL_TRY(tl_strings_add(ctx, s, text.bytes ? text.text : "", text.bytes));
    }
done:
    tl_text_free(&text);
    return rc;
}

const tl_component tl_decoder_fuse    = { .name   = "Fuse",
                                          .doc    = "all strings as one",
                                          .decode = fuse };
const tl_component tl_decoder_strip   = { .name       = "Strip",
                                          .doc        = "a character off the ends",
                                          .self_bytes = sizeof(strip),
                                          .load       = strip_load,
                                          .decode     = strip_decode };
const tl_component tl_decoder_replace = { .name       = "Replace",
                                          .doc        = "a pattern by a text",
                                          .self_bytes = sizeof(replace),
                                          .load       = replace_load,
                                          .free       = replace_free,
                                          .decode     = replace_decode };
