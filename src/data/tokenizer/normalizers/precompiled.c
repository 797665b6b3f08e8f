/* precompiled.c -- SentencePiece's character map: a double-array trie from text to text.
 * Source: google/sentencepiece, normalizer.cc; darts-clone's unit layout; the crate
 * spm_precompiled for whole graphemes first.  Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/normalizers/charsmap.h"
#include "data/tokenizer/unicode.h"

#include <openssl/evp.h>
#include <string.h>
#include <utf8proc.h>

static tl_status load(tl_ctx *ctx, const char *where, const json_t *spec, void *self)
{
    const json_t *v    = json_object_get(spec, "precompiled_charsmap");
    uint8_t      *data = NULL;
    tl_status     rc   = TL_OK;

    if (!json_is_string(v) || json_string_length(v) % 4 ||
        json_string_length(v) > INT32_MAX)
        TL_FAIL(TL_EDATA, where, "precompiled_charsmap is no base64 (mend the file)");
    const size_t chars = json_string_length(v);
    if (!chars) return TL_OK;
    TL_TRY(tl_alloc(ctx, chars / 4 * 3 + 1, &data));
    int bytes = EVP_DecodeBlock(data, (const uint8_t *)json_string_value(v), (int)chars);
    if (bytes < 0)
        TL_FAIL(TL_EDATA, where, "precompiled_charsmap is no base64 (mend the file)");
    for (size_t i = chars; i > 0 && json_string_value(v)[i - 1] == '='; i--) bytes--;
    TL_TRY(tl_charsmap_load(ctx, where, data, (size_t)bytes, self));
done:
    tl_free(ctx, data);
    return rc;
}

static void unload(tl_ctx *ctx, void *self)
{
    tl_charsmap_free(ctx, self);
}

static size_t count_chars(const char *text, size_t bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < bytes; i++) n += !tl_utf8_inside(text[i]);
    return n;
}

/* `from` characters become those of `text`: the last ones are put in or take the rest away. */
static tl_status put(tl_ctx *ctx, tl_encoder *e, size_t from, tl_string text)
{
    const size_t to = count_chars(text.text, text.bytes);
    tl_status    rc = TL_OK;
    uint32_t     c;
    size_t       i = 0;

    for (size_t at = 0; at < text.bytes; i++) {
        at += tl_utf8_next(text.text + at, &c);
        TL_TRY(tl_change_add(ctx, e, c, i >= from && to > from));
    }
    if (to < from && e->changes)
        e->change[e->changes - 1].change += (int32_t)to - (int32_t)from;
done:
    return rc;
}

static size_t grapheme(const char *text, size_t bytes)
{
    utf8proc_int32_t state = 0;
    uint32_t         a, b;
    size_t           at = tl_utf8_next(text, &a);

    while (at < bytes) {
        const size_t step = tl_utf8_next(text + at, &b);
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)a, (utf8proc_int32_t)b,
                                             &state))
            break;
        at += step;
        a = b;
    }
    return at;
}

static tl_status rewrite(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                         size_t end)
{
    enum { WHOLE_MOST = 6 }; /* graphemes of fewer bytes are looked up whole */
    const char *text = e->text.text;
    tl_status   rc   = TL_OK;
    tl_string    to;
    uint32_t    c;

    e->changes = 0;
    for (size_t at = start, next; at < end; at = next) {
        next = at + grapheme(text + at, end - at);
        if (next - at < WHOLE_MOST && tl_charsmap_find(self, text + at, next - at, &to)) {
            TL_TRY(put(ctx, e, count_chars(text + at, next - at), to));
            continue;
        }
        for (size_t step; at < next; at += step) {
            step = tl_utf8_next(text + at, &c);
            if (tl_charsmap_find(self, text + at, step, &to))
                TL_TRY(put(ctx, e, 1, to));
            else
                TL_TRY(tl_change_add(ctx, e, c, 0));
        }
    }
    TL_TRY(tl_lined_change(ctx, &e->next, &e->text, start, end, e->change, e->changes));
done:
    return rc;
}

/* Printable ASCII that the map leaves alone, as published maps do. */
static bool in_place(const void *self, char *text, size_t bytes)
{
    const tl_charsmap *m = self;

    if (!m->ascii_stays || !tl_is_ascii(text, bytes)) return false;
    for (size_t i = 0; i < bytes; i++)
        if ((uint8_t)text[i] < ' ' || text[i] == 0x7f) return false;
    return true;
}

const tl_component tl_normalizer_precompiled = { .name = "Precompiled",
                                                 .doc  = "SentencePiece's character map",
                                                 .self_bytes = sizeof(tl_charsmap),
                                                 .load       = load,
                                                 .free       = unload,
                                                 .in_place   = in_place,
                                                 .rewrite    = rewrite };
