/* lined.c -- see lined.h.  Source of the alignment's rules: huggingface/tokenizers,
 * normalizer.rs.  Floor 2, data. */
#include "data/tokenizer/lined.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

static tl_status reserve(tl_ctx *ctx, tl_lined *l, size_t more)
{
    tl_status rc = TL_OK;

    if (l->bytes + more > TL_LINED_MOST)
        TL_FAIL(TL_ELIMIT, "text", "over %d bytes in one piece (cut it into lines)",
                TL_LINED_MOST);
    TL_TRY(tl_grow(ctx, &l->text, &l->room, l->bytes + more, 1));
    if (!l->same)
        TL_TRY(tl_grow(ctx, &l->span, &l->span_room, l->bytes + more, sizeof *l->span));
done:
    return rc;
}

tl_status tl_lined_add(tl_ctx *ctx, tl_lined *l, const char *text, size_t bytes,
                       tl_extent span)
{
    tl_status rc = reserve(ctx, l, bytes);

    if (rc != TL_OK) return rc;
    memcpy(l->text + l->bytes, text, bytes);
    for (size_t i = 0; i < bytes; i++) l->span[l->bytes + i] = span;
    l->bytes += bytes;
    return TL_OK;
}

static tl_status set_mended(tl_ctx *ctx, tl_lined *l, tl_string text)
{
    tl_status rc = TL_OK;
    size_t    at = 0, bad;

    l->same = false;
    while (at < text.bytes) {
        const size_t good = tl_utf8_valid(text.text + at, text.bytes - at, &bad),
                     end  = at + good;
        while (at < end) {
            const size_t  step = tl_utf8_bytes(text.text[at]);
            const tl_extent span = { (uint32_t)at, (uint32_t)(at + step) };
            TL_TRY(tl_lined_add(ctx, l, text.text + at, step, span));
            at += step;
        }
        if (bad) {
            const tl_extent span = { (uint32_t)at, (uint32_t)(at + bad) };
            TL_TRY(tl_lined_add(ctx, l, "\xef\xbf\xbd", 3, span));
            at += bad;
        }
    }
done:
    return rc;
}

tl_status tl_lined_set(tl_ctx *ctx, tl_lined *l, tl_string text)
{
    tl_status rc = TL_OK;
    size_t    bad;

    l->bytes = 0;
    l->same  = true;
    if (tl_utf8_valid(text.text, text.bytes, &bad) < text.bytes)
        return set_mended(ctx, l, text);
    TL_TRY(reserve(ctx, l, text.bytes));
    if (text.bytes) memcpy(l->text, text.text, text.bytes);
    l->bytes = text.bytes;
done:
    return rc;
}

tl_status tl_lined_spell(tl_ctx *ctx, tl_lined *l)
{
    tl_status rc = TL_OK;

    if (!l->same) return TL_OK;
    TL_TRY(tl_grow(ctx, &l->span, &l->span_room, l->bytes, sizeof *l->span));
    for (size_t at = 0; at < l->bytes;) {
        const size_t end = at + tl_utf8_bytes(l->text[at]);
        for (size_t i = at; i < end; i++)
            l->span[i] = (tl_extent){ (uint32_t)at, (uint32_t)end };
        at = end;
    }
    l->same = false;
done:
    return rc;
}

tl_status tl_lined_copy(tl_ctx *ctx, tl_lined *l, const tl_lined *from, size_t start,
                        size_t end)
{
    const size_t bytes = end - start;
    tl_status    rc    = reserve(ctx, l, bytes);

    if (rc != TL_OK || !bytes) return rc;
    memcpy(l->text + l->bytes, from->text + start, bytes);
    memcpy(l->span + l->bytes, from->span + start, bytes * sizeof *l->span);
    l->bytes += bytes;
    return TL_OK;
}

tl_status tl_lined_change(tl_ctx *ctx, tl_lined *l, const tl_lined *from, size_t start,
                          size_t end, const tl_change *change, size_t count)
{
    tl_status rc = TL_OK;
    size_t    at = start; /* behind the last character taken from the old text */

    for (size_t i = 0; i < count; i++) {
        char          utf8[4];
        const size_t  bytes = tl_utf8_put(change[i].c, utf8);
        const size_t  seat  = change[i].change > 0 ? (at > start ? at - 1 : at) : at;
        const tl_extent none  = { 0, 0 };
        TL_TRY(tl_lined_add(ctx, l, utf8, bytes, seat < end ? from->span[seat] : none));
        for (int32_t k = change[i].change; k <= 0 && at < end; k++)
            at += tl_utf8_bytes(from->text[at]);
    }
done:
    return rc;
}

void tl_lined_free(tl_ctx *ctx, tl_lined *l)
{
    tl_free(ctx, l->text);
    tl_free(ctx, l->span);
    *l = (tl_lined){ 0 };
}

tl_extent tl_lined_span(const tl_lined *l, size_t start, size_t end)
{
    if (start >= end) {
        const uint32_t at = l->same            ? (uint32_t)start
                            : start < l->bytes ? l->span[start].from
                            : l->bytes         ? l->span[l->bytes - 1].to
                                               : 0;
        return (tl_extent){ at, at };
    }
    if (!l->same) return (tl_extent){ l->span[start].from, l->span[end - 1].to };
    while (tl_utf8_inside(l->text[start])) start--;
    while (end < l->bytes && tl_utf8_inside(l->text[end])) end++;
    return (tl_extent){ (uint32_t)start, (uint32_t)end };
}
