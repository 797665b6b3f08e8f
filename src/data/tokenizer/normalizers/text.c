/* text.c -- normalizers that put in, replace or strip: Replace, Prepend, Strip, ByteLevel.
 * Source: huggingface/tokenizers, normalizers/{replace,prepend,strip,byte_level}.rs.
 * Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

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
    if (!r->content) TL_FAIL(TL_EDATA, where, "Replace without content (mend the file)");
done:
    return rc;
}

static void replace_free(tl_ctx *ctx, void *self)
{
    replace *r = self;

    tl_pattern_free(ctx, &r->pattern);
    tl_free(ctx, r->content);
}

static bool replace_in_place(const void *self, char *text, size_t bytes)
{
    const replace *r = self;

    return r->pattern.literal &&
           (!r->pattern.bytes ||
            !memmem(text, bytes, r->pattern.literal, r->pattern.bytes));
}

/* The content stands where the last character of the match stood. */
static tl_status replace_rewrite(tl_ctx *ctx, tl_encoder *e, const void *self,
                                 size_t start, size_t end)
{
    const replace *r = self;
    tl_status      rc;

    TL_TRY(tl_pattern_segments(ctx, e, &r->pattern, e->text.text + start, end - start));
    for (size_t i = 0; i < e->segments; i++) {
        const size_t from = start + e->segment[i].start, to = start + e->segment[i].end;
        if (!e->segment[i].match) {
            TL_TRY(tl_lined_copy(ctx, &e->next, &e->text, from, to));
        } else if (r->bytes) {
            const tl_extent span = to > start ? e->text.span[to - 1] : (tl_extent){ 0, 0 };
            TL_TRY(tl_lined_add(ctx, &e->next, r->content, r->bytes, span));
        }
    }
done:
    return rc;
}

typedef struct {
    char  *text;
    size_t bytes;
} prepend;

static tl_status prepend_load(tl_ctx *ctx, const char *where, const json_t *spec,
                              void *self)
{
    prepend *p = self;

    (void)where;
    return tl_json_copy(ctx, spec, "prepend", &p->text, &p->bytes);
}
static void prepend_free(tl_ctx *ctx, void *self)
{
    tl_free(ctx, ((prepend *)self)->text);
}
static tl_status prepend_rewrite(tl_ctx *ctx, tl_encoder *e, const void *self,
                                 size_t start, size_t end)
{
    const prepend *p  = self;
    tl_status      rc = TL_OK;

    if (end > start && p->bytes)
        TL_TRY(tl_lined_add(ctx, &e->next, p->text, p->bytes, e->text.span[start]));
    TL_TRY(tl_lined_copy(ctx, &e->next, &e->text, start, end));
done:
    return rc;
}

typedef struct {
    bool left, right;
} strip;

static tl_status strip_load(tl_ctx *ctx, const char *where, const json_t *spec,
                            void *self)
{
    (void)ctx;
    (void)where;
    *(strip *)self = (strip){ tl_json_bool(spec, "strip_left", true),
                              tl_json_bool(spec, "strip_right", true) };
    return TL_OK;
}

static void strip_bounds(const strip *s, const char *text, size_t *start, size_t *end)
{
    uint32_t c;

    while (s->left && *start < *end) {
        const size_t step = tl_utf8_next(text + *start, &c);
        if (!tl_is_space(c)) break;
        *start += step;
    }
    while (s->right && *end > *start) {
        size_t at = *end - 1;
        while (tl_utf8_inside(text[at])) at--;
        tl_utf8_next(text + at, &c);
        if (!tl_is_space(c)) break;
        *end = at;
    }
}
static bool strip_in_place(const void *self, char *text, size_t bytes)
{
    size_t start = 0, end = bytes;

    strip_bounds(self, text, &start, &end);
    return start == 0 && end == bytes;
}
static tl_status strip_rewrite(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                               size_t end)
{
    strip_bounds(self, e->text.text, &start, &end);
    return tl_lined_copy(ctx, &e->next, &e->text, start, end);
}

static tl_status bytes_rewrite(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                               size_t end)
{
    tl_status rc = TL_OK;
    char      utf8[4];

    (void)self;
    for (size_t at = start; at < end; at++) {
        const size_t n = tl_utf8_put(tl_byte_char((uint8_t)e->text.text[at]), utf8);
        TL_TRY(tl_lined_add(ctx, &e->next, utf8, n, e->text.span[at]));
    }
done:
    return rc;
}

const tl_component tl_normalizer_replace    = { .name       = "Replace",
                                                .doc        = "a pattern by a text",
                                                .self_bytes = sizeof(replace),
                                                .load       = replace_load,
                                                .free       = replace_free,
                                                .in_place   = replace_in_place,
                                                .rewrite    = replace_rewrite };
const tl_component tl_normalizer_prepend    = { .name       = "Prepend",
                                                .doc        = "a text put in front",
                                                .self_bytes = sizeof(prepend),
                                                .load       = prepend_load,
                                                .free       = prepend_free,
                                                .rewrite    = prepend_rewrite };
const tl_component tl_normalizer_strip      = { .name       = "Strip",
                                                .doc        = "blanks at the ends left out",
                                                .self_bytes = sizeof(strip),
                                                .load       = strip_load,
                                                .in_place   = strip_in_place,
                                                .rewrite    = strip_rewrite };
const tl_component tl_normalizer_byte_level = {
    .name    = "ByteLevel",
    .doc     = "bytes as characters of GPT-2's alphabet",
    .rewrite = bytes_rewrite
};
