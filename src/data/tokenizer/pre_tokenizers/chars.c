/* chars.c -- pre-tokenizers that look at one character at a time: BertPreTokenizer,
 * WhitespaceSplit, Whitespace, Punctuation, Digits, CharDelimiterSplit, FixedLength.
 * Source: huggingface/tokenizers, pre_tokenizers/.  Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

static tl_status bert_split(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                            size_t end)
{
    const char *text = e->text.text;
    size_t      word = start;
    tl_status   rc   = TL_OK;
    uint32_t    c;

    (void)self;
    for (size_t at = start, next; at < end; at = next) {
        next             = at + tl_utf8_next(text + at, &c);
        const bool blank = tl_is_space(c);
        if (!blank && !tl_is_punctuation(c)) continue;
        TL_TRY(tl_cut_add(ctx, e, word, at, -1));
        if (!blank) TL_TRY(tl_cut_add(ctx, e, at, next, -1));
        word = next;
    }
    TL_TRY(tl_cut_add(ctx, e, word, end, -1));
done:
    return rc;
}

static tl_status blank_split(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                             size_t end)
{
    tl_status rc;

    (void)self;
    TL_TRY(tl_char_segments(ctx, e, tl_is_space, e->text.text + start, end - start));
    TL_TRY(tl_segments_cut(ctx, e, start, TL_REMOVED, false));
done:
    return rc;
}

/* \w+ | [^\w\s]+ */
static tl_status word_split(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                            size_t end)
{
    enum { BLANK, WORD, OTHER } before = BLANK, here;
    size_t    from                     = start;
    tl_status rc                       = TL_OK;
    uint32_t  c;

    (void)self;
    for (size_t at = start, next; at < end; at = next) {
        next = at + tl_utf8_next(e->text.text + at, &c);
        here = tl_is_word(c) ? WORD : tl_is_space(c) ? BLANK : OTHER;
        if (here == before) continue;
        if (before != BLANK) TL_TRY(tl_cut_add(ctx, e, from, at, -1));
        from   = at;
        before = here;
    }
    if (before != BLANK) TL_TRY(tl_cut_add(ctx, e, from, end, -1));
done:
    return rc;
}

static tl_status punctuation_load(tl_ctx *ctx, const char *where, const json_t *spec,
                                  void *self)
{
    return tl_behaviour_load(ctx, where, spec, "behavior", TL_ISOLATED, self);
}
static tl_status punctuation_split(tl_ctx *ctx, tl_encoder *e, const void *self,
                                   size_t start, size_t end)
{
    tl_status rc;

    TL_TRY(
        tl_char_segments(ctx, e, tl_is_punctuation, e->text.text + start, end - start));
    TL_TRY(tl_segments_cut(ctx, e, start, *(const tl_behaviour *)self, false));
done:
    return rc;
}

static tl_status digits_load(tl_ctx *ctx, const char *where, const json_t *spec,
                             void *self)
{
    (void)ctx;
    (void)where;
    *(tl_behaviour *)self =
        tl_json_bool(spec, "individual_digits", false) ? TL_ISOLATED : TL_CONTIGUOUS;
    return TL_OK;
}
static tl_status digits_split(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                              size_t end)
{
    tl_status rc;

    TL_TRY(tl_char_segments(ctx, e, tl_is_number, e->text.text + start, end - start));
    TL_TRY(tl_segments_cut(ctx, e, start, *(const tl_behaviour *)self, false));
done:
    return rc;
}

static tl_status delimiter_load(tl_ctx *ctx, const char *where, const json_t *spec,
                                void *self)
{
    tl_pattern *p = self;
    tl_status   rc;

    TL_TRY(tl_json_copy(ctx, spec, "delimiter", &p->literal, &p->bytes));
    if (!p->bytes)
        TL_FAIL(TL_EDATA, where, "CharDelimiterSplit without delimiter (mend the file)");
done:
    return rc;
}
static void delimiter_free(tl_ctx *ctx, void *self)
{
    tl_pattern_free(ctx, self);
}
static tl_status delimiter_split(tl_ctx *ctx, tl_encoder *e, const void *self,
                                 size_t start, size_t end)
{
    tl_status rc;

    TL_TRY(tl_pattern_segments(ctx, e, self, e->text.text + start, end - start));
    TL_TRY(tl_segments_cut(ctx, e, start, TL_REMOVED, false));
done:
    return rc;
}

static tl_status length_load(tl_ctx *ctx, const char *where, const json_t *spec,
                             void *self)
{
    const int64_t n = tl_json_int(spec, "length", 5);

    *(int64_t *)self = n;
    if (n > 0) return TL_OK;
    return tl_fail(ctx, TL_EDATA, where, "FixedLength of %" PRId64 " (at least 1)", n);
}
static tl_status length_split(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                              size_t end)
{
    int64_t   left = *(const int64_t *)self;
    size_t    from = start;
    tl_status rc   = TL_OK;

    for (size_t at = start; at < end;) {
        at += tl_utf8_bytes(e->text.text[at]);
        if (--left > 0 && at < end) continue;
        TL_TRY(tl_cut_add(ctx, e, from, at, -1));
        from = at;
        left = *(const int64_t *)self;
    }
done:
    return rc;
}

const tl_component tl_pre_tokenizer_bert = {
    .name  = "BertPreTokenizer",
    .doc   = "words between blanks, punctuation apart",
    .split = bert_split
};
const tl_component tl_pre_tokenizer_whitespace_split = { .name  = "WhitespaceSplit",
                                                         .doc   = "words between blanks",
                                                         .split = blank_split };
const tl_component tl_pre_tokenizer_whitespace       = {
          .name  = "Whitespace",
          .doc   = "runs of word characters, runs of others",
          .split = word_split
};
const tl_component tl_pre_tokenizer_punctuation    = { .name       = "Punctuation",
                                                       .doc        = "punctuation apart",
                                                       .self_bytes = sizeof(tl_behaviour),
                                                       .load       = punctuation_load,
                                                       .split      = punctuation_split };
const tl_component tl_pre_tokenizer_digits         = { .name       = "Digits",
                                                       .doc        = "numbers apart",
                                                       .self_bytes = sizeof(tl_behaviour),
                                                       .load       = digits_load,
                                                       .split      = digits_split };
const tl_component tl_pre_tokenizer_char_delimiter = { .name = "CharDelimiterSplit",
                                                       .doc  = "between one character",
                                                       .self_bytes = sizeof(tl_pattern),
                                                       .load       = delimiter_load,
                                                       .free       = delimiter_free,
                                                       .split      = delimiter_split };
const tl_component tl_pre_tokenizer_fixed_length   = { .name = "FixedLength",
                                                       .doc =
                                                           "pieces of so many characters",
                                                       .self_bytes = sizeof(int64_t),
                                                       .load       = length_load,
                                                       .split      = length_split };
