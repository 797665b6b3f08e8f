/* bytes.c -- decoders that turn tokens back into bytes: ByteLevel, ByteFallback.
 * Source: huggingface/tokenizers, pre_tokenizers/byte_level.rs, decoders/byte_fallback.rs.
 * Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

/* A token of the byte alphabet as bytes; one with any other character as it is. */
static void add_token(tl_text *bytes, tl_string token)
{
    const size_t start = bytes->bytes;
    uint32_t     c;

    for (size_t at = 0; at < token.bytes;) {
        at += tl_utf8_next(token.text + at, &c);
        const int  byte = tl_char_byte(c);
        const char raw  = (char)byte;
        if (byte < 0) {
            bytes->bytes = start;
            tl_text_add_bytes(bytes, token.text, token.bytes);
            return;
        }
        tl_text_add_bytes(bytes, &raw, 1);
    }
}

/* What is no UTF-8 becomes U+FFFD. */
static tl_status add_mended(tl_ctx *ctx, tl_strings *s, const tl_text *bytes)
{
    tl_text   whole = tl_text_make(ctx);
    size_t    at    = 0, bad;
    tl_status rc;

    while (at < bytes->bytes) {
        const size_t good = tl_utf8_valid(bytes->text + at, bytes->bytes - at, &bad);
        tl_text_add_bytes(&whole, bytes->text + at, good);
        if (bad) tl_text_add(&whole, "\xef\xbf\xbd");
        at += good + bad;
    }
    TL_TRY(whole.status);
    TL_TRY(tl_strings_add(ctx, s, whole.bytes ? whole.text : "", whole.bytes));
done:
    tl_text_free(&whole);
    return rc;
}

static tl_status byte_level(tl_ctx *ctx, const void *self, tl_strings *s)
{
    tl_text   bytes = tl_text_make(ctx);
    tl_status rc;

    (void)self;
    for (size_t i = 0; i < s->count; i++) add_token(&bytes, tl_strings_at(s, i));
    TL_TRY(bytes.status);
    TL_TRY(add_mended(ctx, s, &bytes));
done:
    tl_text_free(&bytes);
    return rc;
}

/* A run of byte tokens: its text, or one U+FFFD a byte where it is none. */
static tl_status flush(tl_ctx *ctx, tl_strings *s, tl_text *run)
{
    size_t    bad;
    tl_status rc = run->status;

    if (rc != TL_OK || !run->bytes) return rc;
    if (tl_utf8_valid(run->text, run->bytes, &bad) == run->bytes)
        rc = tl_strings_add(ctx, s, run->text, run->bytes);
    else
        for (size_t i = 0; rc == TL_OK && i < run->bytes; i++)
            rc = tl_strings_add(ctx, s, "\xef\xbf\xbd", 3);
    run->bytes = 0;
    return rc;
}

static tl_status byte_fallback(tl_ctx *ctx, const void *self, tl_strings *s)
{
    tl_text   run = tl_text_make(ctx);
    tl_status rc  = TL_OK;

    (void)self;
    for (size_t i = 0; i < s->count; i++) {
        const tl_string token = tl_strings_at(s, i);
        const int      byte  = tl_byte_token(token);
        const char     raw   = (char)byte;
        if (byte >= 0) {
            tl_text_add_bytes(&run, &raw, 1);
            continue;
        }
        TL_TRY(flush(ctx, s, &run));
        TL_TRY(tl_strings_add(ctx, s, token.text, token.bytes));
    }
    TL_TRY(flush(ctx, s, &run));
done:
    tl_text_free(&run);
    return rc;
}

const tl_component tl_decoder_byte_level = {
    .name   = "ByteLevel",
    .doc    = "characters of GPT-2's alphabet back to bytes",
    .decode = byte_level
};
const tl_component tl_decoder_byte_fallback = { .name   = "ByteFallback",
                                                .doc    = "<0xHH> back to bytes",
                                                .decode = byte_fallback };
