/* decode.c -- ids into text: the tokens' strings, rewritten by the decoders in turn.
 * Source: huggingface/tokenizers, tokenizer/mod.rs and decoders/.  Floor 2, data. */
#include "data/tokenizer/inside.h"

#include <string.h>

tl_string tl_strings_at(const tl_strings *s, size_t i)
{
    const char *text = s->text.text ? s->text.text : "";

    return (tl_string){ text + s->at[i].from, s->at[i].to - s->at[i].from };
}

tl_status tl_strings_add(tl_ctx *ctx, tl_strings *s, const char *text, size_t bytes)
{
    const uint32_t from = (uint32_t)s->next.bytes;
    tl_status      rc;

    TL_TRY(
        tl_grow(ctx, &s->next_at, &s->next_room, s->next_count + 1, sizeof *s->next_at));
    if (s->next.bytes + bytes > TL_LINED_MOST)
        TL_FAIL(TL_ELIMIT, "decode", "over %d bytes of text (decode in parts)",
                TL_LINED_MOST);
    tl_text_add_bytes(&s->next, text, bytes);
    TL_TRY(s->next.status);
    s->next_at[s->next_count++] = (tl_extent){ from, (uint32_t)s->next.bytes };
done:
    return rc;
}

static void swap(tl_strings *s)
{
    const tl_text text = s->text;
    tl_extent      *at   = s->at;
    const size_t  room = s->room;

    s->text = s->next, s->at = s->next_at, s->count = s->next_count,
    s->room = s->next_room;
    s->next = text, s->next_at = at, s->next_count = 0, s->next_room = room;
    s->next.bytes = 0;
}

static tl_status collect(tl_ctx *ctx, const tl_tokenizer *t, const int32_t *id,
                         int64_t count, bool skip_special, tl_strings *s)
{
    tl_status rc = TL_OK;

    for (int64_t i = 0; i < count; i++) {
        size_t      bytes;
        const char *text = tl_tokenizer_token(t, id[i], &bytes);
        if (text && !(skip_special && tl_tokenizer_is_special(t, id[i])))
            TL_TRY(tl_strings_add(ctx, s, text, bytes));
    }
    swap(s);
done:
    return rc;
}

tl_status tl_decode(tl_ctx *ctx, const tl_tokenizer *t, const int32_t *id, int64_t count,
                    bool skip_special, tl_text *out)
{
    tl_strings s = { .text = tl_text_make(ctx), .next = tl_text_make(ctx) };
    tl_status  rc;

    TL_TRY(collect(ctx, t, id, count, skip_special, &s));
    for (size_t i = 0; i < t->decoder.count; i++) {
        TL_TRY(t->decoder.at[i].kind->decode(ctx, t->decoder.at[i].self, &s));
        swap(&s);
    }
    for (size_t i = 0; i < s.count; i++) {
        const tl_string text = tl_strings_at(&s, i);
        if (i && !t->decoder.count) tl_text_add(out, " ");
        tl_text_add_bytes(out, text.text, text.bytes);
    }
    rc = out->status;
done:
    tl_text_free(&s.text);
    tl_text_free(&s.next);
    tl_free(ctx, s.at);
    tl_free(ctx, s.next_at);
    tl_matcher_free(ctx, s.matcher);
    return rc;
}
