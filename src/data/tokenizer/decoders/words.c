/* words.c -- decoders that join words: WordPiece, Metaspace, BPEDecoder, CTC.
 * Source: huggingface/tokenizers, decoders/.  Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

tl_status tl_replace_all(tl_ctx *ctx, tl_strings *s, const tl_pattern *p, tl_string by,
                         tl_string text, tl_text *out)
{
    size_t    done_to = 0, from = 0, start, end;
    bool      found;
    tl_status rc = TL_OK;

    if (p->regex && !s->matcher) TL_TRY(tl_matcher_new(ctx, &s->matcher));
    for (out->bytes = 0; from <= text.bytes;) {
        if (p->regex) {
            TL_TRY(tl_regex_find(ctx, p->regex, s->matcher, text.text, text.bytes, from,
                                 &start, &end, &found));
        } else {
            const char *hit = !p->bytes ? NULL
                                        : memmem(text.text + from, text.bytes - from,
                                                 p->literal, p->bytes);
            found           = hit != NULL;
            start           = hit ? (size_t)(hit - text.text) : 0;
            end             = start + p->bytes;
        }
        if (!found) break;
        if (out->bytes + by.bytes + text.bytes > TL_LINED_MOST)
            TL_FAIL(TL_ELIMIT, "decode", "over %d bytes of text (decode in parts)",
                    TL_LINED_MOST);
        tl_text_add_bytes(out, text.text + done_to, start - done_to);
        tl_text_add_bytes(out, by.text, by.bytes);
        done_to = from = end;
        if (start == end) from += end < text.bytes ? tl_utf8_bytes(text.text[end]) : 1;
    }
    tl_text_add_bytes(out, text.text + done_to, text.bytes - done_to);
    rc = out->status;
done:
    return rc;
}

static tl_string slice(const char *text)
{
    return (tl_string){ text, strlen(text) };
}

/* The marks and contractions that stood without a blank; `text` is replaced. */
static tl_status clean_up(tl_ctx *ctx, tl_strings *s, tl_text *text, tl_text *other)
{
    static const struct {
        char from[8], to[8];
    } rule[] = {
        { " .", "." },   { " ?", "?" },     { " !", "!" },     { " ,", "," },
        { " ' ", "'" },  { " n't", "n't" }, { " 'm", "'m" },   { " do not", " don't" },
        { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
    };
    tl_status rc = TL_OK;

    for (size_t i = 0; i < TL_COUNT(rule); i++) {
        const tl_pattern p = { .literal = (char *)(uintptr_t)rule[i].from,
                               .bytes   = strlen(rule[i].from) };
        if (!text->bytes || !memmem(text->text, text->bytes, p.literal, p.bytes))
            continue;
        TL_TRY(tl_replace_all(ctx, s, &p, slice(rule[i].to),
                              (tl_string){ text->text, text->bytes }, other));
        const tl_text held = *text;
        *text              = *other;
        *other             = held;
    }
done:
    return rc;
}

typedef struct {
    char  *prefix;
    size_t bytes;
    bool   cleanup;
} word_piece;

static tl_status word_piece_load(tl_ctx *ctx, const char *where, const json_t *spec,
                                 void *self)
{
    word_piece *w = self;

    (void)where;
    w->cleanup = tl_json_bool(spec, "cleanup", true);
    return tl_json_copy(ctx, spec, "prefix", &w->prefix, &w->bytes);
}
static void word_piece_free(tl_ctx *ctx, void *self)
{
    tl_free(ctx, ((word_piece *)self)->prefix);
}
static tl_status word_piece_decode(tl_ctx *ctx, const void *self, tl_strings *s)
{
    const word_piece *w    = self;
    tl_text           text = tl_text_make(ctx), other = tl_text_make(ctx);
    tl_status         rc = TL_OK;

    for (size_t i = 0; i < s->count; i++) {
        tl_string   token   = tl_strings_at(s, i);
        const bool goes_on = w->bytes && token.bytes >= w->bytes &&
                             !memcmp(token.text, w->prefix, w->bytes);
        text.bytes = 0;
        if (i && goes_on)
            token.text += w->bytes, token.bytes -= w->bytes;
        else if (i)
            tl_text_add(&text, " ");
        tl_text_add_bytes(&text, token.text, token.bytes);
        if (w->cleanup) TL_TRY(clean_up(ctx, s, &text, &other));
        TL_TRY(text.status);
        TL_TRY(tl_strings_add(ctx, s, text.bytes ? text.text : "", text.bytes));
    }
done:
    tl_text_free(&text);
    tl_text_free(&other);
    return rc;
}

typedef struct {
    char   sign[5];
    size_t bytes;
    bool   drop_first;
} metaspace;

static tl_status metaspace_load(tl_ctx *ctx, const char *where, const json_t *spec,
                                void *self)
{
    metaspace  *m    = self;
    const char *sign = tl_json_text(spec, "replacement", "\xe2\x96\x81");

    m->bytes = strlen(sign);
    if (m->bytes < 1 || m->bytes != tl_utf8_bytes(*sign))
        return tl_fail(ctx, TL_EDATA, where,
                       "Metaspace's replacement is not one character (mend the file)");
    memcpy(m->sign, sign, m->bytes);
    m->drop_first =
        strcmp(tl_json_text(spec, "prepend_scheme", "always"), "never") != 0 &&
        tl_json_bool(spec, "add_prefix_space", true);
    return TL_OK;
}
static tl_status metaspace_decode(tl_ctx *ctx, const void *self, tl_strings *s)
{
    const metaspace *m    = self;
    const tl_pattern sign = { .literal = (char *)(uintptr_t)m->sign, .bytes = m->bytes };
    tl_text          text = tl_text_make(ctx);
    tl_status        rc   = TL_OK;

    for (size_t i = 0; i < s->count; i++) {
        const tl_string by = slice(i == 0 && m->drop_first ? "" : " ");
        TL_TRY(tl_replace_all(ctx, s, &sign, by, tl_strings_at(s, i), &text));
        TL_TRY(tl_strings_add(ctx, s, text.bytes ? text.text : "", text.bytes));
    }
done:
    tl_text_free(&text);
    return rc;
}

static tl_status bpe_load(tl_ctx *ctx, const char *where, const json_t *spec, void *self)
{
    tl_pattern *p = self;

    (void)where;
    return tl_json_copy(ctx, spec, "suffix", &p->literal, &p->bytes);
}
static void bpe_free(tl_ctx *ctx, void *self)
{
    tl_pattern_free(ctx, self);
}
static tl_status bpe_decode(tl_ctx *ctx, const void *self, tl_strings *s)
{
    tl_text   text = tl_text_make(ctx);
    tl_status rc   = TL_OK;

    for (size_t i = 0; i < s->count; i++) {
        const tl_string by = slice(i + 1 < s->count ? " " : "");
        TL_TRY(tl_replace_all(ctx, s, self, by, tl_strings_at(s, i), &text));
        TL_TRY(tl_strings_add(ctx, s, text.bytes ? text.text : "", text.bytes));
    }
done:
    tl_text_free(&text);
    return rc;
}

typedef struct {
    tl_pattern pad, delimiter;
    bool       cleanup;
} ctc;

static tl_status ctc_load(tl_ctx *ctx, const char *where, const json_t *spec, void *self)
{
    ctc      *c = self;
    tl_status rc;

    (void)where;
    c->cleanup = tl_json_bool(spec, "cleanup", true);
    TL_TRY(tl_json_copy(ctx, spec, "pad_token", &c->pad.literal, &c->pad.bytes));
    TL_TRY(tl_json_copy(ctx, spec, "word_delimiter_token", &c->delimiter.literal,
                        &c->delimiter.bytes));
done:
    return rc;
}
static void ctc_free(tl_ctx *ctx, void *self)
{
    tl_pattern_free(ctx, &((ctc *)self)->pad);
    tl_pattern_free(ctx, &((ctc *)self)->delimiter);
}
static tl_status ctc_decode(tl_ctx *ctx, const void *self, tl_strings *s)
{
    const ctc *c    = self;
    tl_text    text = tl_text_make(ctx), other = tl_text_make(ctx);
    tl_string   last = { NULL, 0 };
    tl_status  rc   = TL_OK;

    for (size_t i = 0; i < s->count; i++) {
        const tl_string token = tl_strings_at(s, i);
        const bool     again =
            i && last.bytes == token.bytes && !memcmp(last.text, token.text, token.bytes);
        last = token;
        if (again) continue;
        TL_TRY(tl_replace_all(ctx, s, &c->pad, slice(""), token, &text));
        if (c->cleanup && text.bytes) {
            TL_TRY(clean_up(ctx, s, &text, &other));
            TL_TRY(tl_replace_all(ctx, s, &c->delimiter, slice(" "),
                                  (tl_string){ text.text, text.bytes }, &other));
            const tl_text held = text;
            text               = other;
            other              = held;
        }
        if (text.bytes) TL_TRY(tl_strings_add(ctx, s, text.text, text.bytes));
    }
done:
    tl_text_free(&text);
    tl_text_free(&other);
    return rc;
}

const tl_component tl_decoder_word_piece = { .name       = "WordPiece",
                                             .doc        = "pieces joined to words",
                                             .self_bytes = sizeof(word_piece),
                                             .load       = word_piece_load,
                                             .free       = word_piece_free,
                                             .decode     = word_piece_decode };
const tl_component tl_decoder_metaspace  = { .name       = "Metaspace",
                                             .doc        = "the visible blank back",
                                             .self_bytes = sizeof(metaspace),
                                             .load       = metaspace_load,
                                             .decode     = metaspace_decode };
const tl_component tl_decoder_bpe        = { .name       = "BPEDecoder",
                                             .doc        = "a word's suffix to a blank",
                                             .self_bytes = sizeof(tl_pattern),
                                             .load       = bpe_load,
                                             .free       = bpe_free,
                                             .decode     = bpe_decode };
const tl_component tl_decoder_ctc        = { .name       = "CTC",
                                             .doc        = "repeated tokens once",
                                             .self_bytes = sizeof(ctc),
                                             .load       = ctc_load,
                                             .free       = ctc_free,
                                             .decode     = ctc_decode };
