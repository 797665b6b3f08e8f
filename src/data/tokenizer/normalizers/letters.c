/* letters.c -- normalizers that go character by character: Lowercase, StripAccents,
 * BertNormalizer, Nmt.  Source: huggingface/tokenizers, normalizers/{bert,utils,strip}.rs;
 * Devlin et al. 2018, tokenization.py.  Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <utf8proc.h>

/* Sends the characters of [start, end) through `put`. */
static tl_status each(tl_ctx *ctx, tl_encoder *e, size_t start, size_t end,
                      tl_status (*put)(tl_ctx *, tl_encoder *, uint32_t, tl_extent))
{
    tl_status rc = TL_OK;
    uint32_t  c;

    for (size_t at = start; at < end;) {
        const size_t from = at;
        at += tl_utf8_next(e->text.text + at, &c);
        TL_TRY(put(ctx, e, c, e->text.span[from]));
    }
done:
    return rc;
}

static tl_status put_char(tl_ctx *ctx, tl_encoder *e, uint32_t c, tl_extent span)
{
    char utf8[4];

    return tl_lined_add(ctx, &e->next, utf8, tl_utf8_put(c, utf8), span);
}

static tl_status put_lower(tl_ctx *ctx, tl_encoder *e, uint32_t c, tl_extent span)
{
    tl_status rc;

    if (c != 0x130)
        return put_char(ctx, e, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c), span);
    TL_TRY(put_char(ctx, e, 'i', span)); /* the one whose lower case is two characters */
    TL_TRY(put_char(ctx, e, 0x307, span));
done:
    return rc;
}

static bool lower_ascii(char *text, size_t bytes)
{
    if (!tl_is_ascii(text, bytes)) return false;
    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)(text[i] + ((uint8_t)(text[i] - 'A') < 26 ? 32 : 0));
    return true;
}

static bool lower_in_place(const void *self, char *text, size_t bytes)
{
    (void)self;
    return lower_ascii(text, bytes);
}
static tl_status lowercase(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                           size_t end)
{
    (void)self;
    return each(ctx, e, start, end, put_lower);
}

static tl_status put_unmarked(tl_ctx *ctx, tl_encoder *e, uint32_t c, tl_extent span)
{
    return tl_is_mark(c) ? TL_OK : put_char(ctx, e, c, span);
}
static bool ascii_stays(const void *self, char *text, size_t bytes)
{
    (void)self;
    return tl_is_ascii(text, bytes);
}
static tl_status strip_accents(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                               size_t end)
{
    (void)self;
    return each(ctx, e, start, end, put_unmarked);
}

/* Control characters that Nmt removes, and what it makes a blank. */
static bool nmt_removes(uint32_t c)
{
    return (c >= 0x1 && c <= 0x8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f ||
           c == 0x8f || c == 0x9f;
}
static bool nmt_blanks(uint32_t c)
{
    return c == 0x9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 ||
           (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
           c == 0xfeff || c == 0xfffd;
}
static tl_status put_nmt(tl_ctx *ctx, tl_encoder *e, uint32_t c, tl_extent span)
{
    return nmt_removes(c) ? TL_OK : put_char(ctx, e, nmt_blanks(c) ? ' ' : c, span);
}
static tl_status nmt(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                     size_t end)
{
    (void)self;
    return each(ctx, e, start, end, put_nmt);
}

static tl_status put_bare(tl_ctx *ctx, tl_encoder *e, uint32_t c, tl_extent span)
{
    return tl_is_nonspacing(c) ? TL_OK : put_char(ctx, e, c, span);
}
static tl_status strip_nonspacing(tl_ctx *ctx, tl_encoder *e, const void *self,
                                  size_t start, size_t end)
{
    (void)self;
    return each(ctx, e, start, end, put_bare);
}

static bool bert_drops(uint32_t c)
{
    if (c == '\t' || c == '\n' || c == '\r') return false;
    return c == 0 || c == 0xfffd || tl_is_other(c);
}
static tl_status put_clean(tl_ctx *ctx, tl_encoder *e, uint32_t c, tl_extent span)
{
    return bert_drops(c) ? TL_OK : put_char(ctx, e, tl_is_space(c) ? ' ' : c, span);
}
/* ASCII without control characters to drop. */
static bool clean_in_place(const void *self, char *text, size_t bytes)
{
    (void)self;
    if (!tl_is_ascii(text, bytes)) return false;
    for (size_t i = 0; i < bytes; i++) {
        if ((uint8_t)text[i] >= ' ' && text[i] != 0x7f) continue;
        if (bert_drops((uint8_t)text[i])) return false;
        text[i] = ' ';
    }
    return true;
}
static tl_status clean(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                       size_t end)
{
    (void)self;
    return each(ctx, e, start, end, put_clean);
}

static tl_status put_apart(tl_ctx *ctx, tl_encoder *e, uint32_t c, tl_extent span)
{
    tl_status rc;

    if (!tl_is_chinese(c)) return put_char(ctx, e, c, span);
    TL_TRY(tl_lined_add(ctx, &e->next, " ", 1, span));
    TL_TRY(put_char(ctx, e, c, span));
    TL_TRY(tl_lined_add(ctx, &e->next, " ", 1, span));
done:
    return rc;
}
static tl_status chinese_apart(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                               size_t end)
{
    (void)self;
    return each(ctx, e, start, end, put_apart);
}

const tl_component tl_normalizer_lowercase     = { .name     = "Lowercase",
                                                   .doc      = "lower case",
                                                   .in_place = lower_in_place,
                                                   .rewrite  = lowercase };
const tl_component tl_normalizer_strip_accents = { .name     = "StripAccents",
                                                   .doc      = "combining marks left out",
                                                   .in_place = ascii_stays,
                                                   .rewrite  = strip_accents };
const tl_component tl_normalizer_nmt           = {
              .name    = "Nmt",
              .doc     = "control characters left out, other blanks to the blank",
              .rewrite = nmt
};

/* What BertNormalizer is made of; a step runs over the whole text before the next one. */
static const tl_component bert_clean   = { .name     = "clean text",
                                           .in_place = clean_in_place,
                                           .rewrite  = clean };
static const tl_component bert_chinese = { .name     = "Chinese characters apart",
                                           .in_place = ascii_stays,
                                           .rewrite  = chinese_apart };
static const tl_component bert_strip   = { .name     = "accents off",
                                           .in_place = ascii_stays,
                                           .rewrite  = strip_nonspacing };
extern const tl_component tl_normalizer_nfd;

static tl_status bert_expand(tl_ctx *ctx, const char *where, const json_t *spec,
                             tl_steps *steps)
{
    const bool lower = tl_json_bool(spec, "lowercase", true);
    tl_status  rc    = TL_OK;

    if (tl_json_bool(spec, "clean_text", true))
        TL_TRY(tl_steps_add(ctx, where, &bert_clean, spec, steps));
    if (tl_json_bool(spec, "handle_chinese_chars", true))
        TL_TRY(tl_steps_add(ctx, where, &bert_chinese, spec, steps));
    if (tl_json_bool(spec, "strip_accents", lower)) { /* null follows lowercase */
        TL_TRY(tl_steps_add(ctx, where, &tl_normalizer_nfd, spec, steps));
        TL_TRY(tl_steps_add(ctx, where, &bert_strip, spec, steps));
    }
    if (lower) TL_TRY(tl_steps_add(ctx, where, &tl_normalizer_lowercase, spec, steps));
done:
    return rc;
}

const tl_component tl_normalizer_bert = {
    .name   = "BertNormalizer",
    .doc    = "BERT's cleaning: control characters, Chinese, accents, case",
    .expand = bert_expand
};
