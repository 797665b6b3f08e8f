/* frame.c -- truncation and the special tokens around one or two texts.
 * Source: huggingface/tokenizers, utils/truncation.rs, processors/template.rs,
 * pre_tokenizers/byte_level.rs (process_offsets).  Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

static size_t char_ahead(tl_string text, size_t at)
{
    size_t       bad;
    const size_t most = TL_MIN((size_t)4, text.bytes - at);

    if (tl_utf8_valid(text.text + at, most, &bad) == 0) return bad; /* one U+FFFD */
    return TL_MIN(tl_utf8_bytes(text.text[at]), most);
}

static size_t char_back(tl_string text, size_t at)
{
    do at--;
    while (at > 0 && tl_utf8_inside(text.text[at]));
    return at;
}

/* Blanks at the ends of a span: an added token may have taken some of its neighbours'. */
static void count_blanks(tl_string text, tl_extent s, uint32_t *before, uint32_t *after)
{
    uint32_t c;
    size_t   bad;

    *before = *after = 0;
    if (tl_utf8_valid(text.text + s.from, s.to - s.from, &bad) < s.to - s.from) return;
    for (size_t at = s.from; at < s.to; ++*before) {
        at += tl_utf8_next(text.text + at, &c);
        if (!tl_is_space(c)) break;
    }
    for (size_t at = s.to; at > s.from; ++*after) {
        at = char_back(text, at);
        tl_utf8_next(text.text + at, &c);
        if (!tl_is_space(c)) break;
    }
}

/* Blanks at a token's ends leave its span, a character of the text each. */
static void trim(const tl_tokenizer *t, tl_string text, tl_tokens *p)
{
    for (int64_t i = 0; i < p->count; i++) {
        const uint8_t *blank  = t->blanks + 2 * (size_t)p->id[i];
        tl_extent       *s      = &p->span[i];
        uint32_t       before = blank[0], after = blank[1];
        size_t         end = s->to;
        if (t->added_of[p->id[i]] >= 0) count_blanks(text, *s, &before, &after);
        const bool ends_blank = after > 0;
        if (before == 1 && t->frame.trim_prefix && (i == 0 || s->from == 0)) before = 0;
        for (; before && s->from < s->to; before--)
            s->from += (uint32_t)char_ahead(text, s->from);
        for (; after && end > 0; after--) end = char_back(text, end);
        if (!after && ends_blank) s->to = TL_MAX((uint32_t)end, s->from);
        s->from = TL_MIN(s->from, s->to);
    }
}

static void keep(const tl_tokenizer *t, tl_tokens *p, int64_t count, int64_t *cut)
{
    if (p->count <= count) return;
    const int64_t less = p->count - count;
    *cut += less;
    if (t->cut_left) {
        memmove(p->id, p->id + less, (size_t)count * sizeof *p->id);
        memmove(p->span, p->span + less, (size_t)count * sizeof *p->span);
    }
    p->count = count;
}

/* How many tokens of each text stay when only `most` fit. */
static tl_status shares(tl_ctx *ctx, const tl_tokenizer *t, int64_t most, int64_t n[2],
                        bool pair)
{
    const int64_t over = n[0] + n[1] - most;

    if (t->cut_rule == TL_LONGEST_FIRST) {
        if (!pair) return n[0] = most, TL_OK;
        const int more = n[0] > n[1] ? 0 : 1, less = 1 - more;
        n[more] = n[less] > most ? n[less] : TL_MAX(n[less], most - n[less]);
        if (n[0] + n[1] > most) n[less] = most / 2, n[more] = most / 2 + most % 2;
        return TL_OK;
    }
    const int which = t->cut_rule == TL_ONLY_FIRST ? 0 : 1;
    if (n[which] <= over)
        return tl_fail(ctx, TL_EDATA, "truncation",
                       "the text that may be cut is shorter than what is too much (raise "
                       "the length)");
    n[which] -= over;
    return TL_OK;
}

static tl_status truncate(tl_ctx *ctx, tl_encoder *e, bool pair, int64_t most,
                          int64_t *cut)
{
    int64_t   n[2] = { e->part[0].count, pair ? e->part[1].count : 0 };
    tl_status rc   = TL_OK;

    if (n[0] + n[1] <= most) return TL_OK;
    TL_TRY(shares(ctx, e->t, most, n, pair));
    keep(e->t, &e->part[0], n[0], cut);
    if (pair) keep(e->t, &e->part[1], n[1], cut);
done:
    return rc;
}

static tl_status add_text(tl_ctx *ctx, const tl_tokens *from, uint8_t part,
                          tl_tokens *out)
{
    tl_status rc = TL_OK;

    for (int64_t i = 0; i < from->count; i++)
        TL_TRY(tl_tokens_add(ctx, out, from->id[i], from->span[i], false, part));
done:
    return rc;
}

tl_status tl_frame_tokens(tl_ctx *ctx, tl_encoder *e, tl_string a, tl_string b,
                          tl_encode_options options, tl_tokens *out)
{
    const bool           pair  = b.text != NULL;
    static const tl_slot one[] = { { 0, 0, 'A' } },
                         two[] = { { 0, 0, 'A' }, { 0, 1, 'B' } };
    const tl_tokenizer *t      = e->t;
    const tl_template  *framed = pair ? &t->frame.pair : &t->frame.single;
    const bool          bare   = options.plain || !framed->count;
    const tl_slot      *slot   = bare ? pair ? two : one : framed->at;
    const size_t        slots  = bare ? pair ? 2 : 1 : framed->count;
    const int64_t       most   = options.most == TL_AS_FILE ? t->most : options.most;
    int64_t             own    = 0;
    tl_status           rc     = TL_OK;

    for (size_t i = 0; i < slots; i++) own += !slot[i].text;
    if (most > 0)
        TL_TRY(truncate(ctx, e, pair, TL_MAX((int64_t)0, most - own), &out->cut));
    if (t->blanks)
        for (int i = 0; i <= pair; i++) trim(t, i ? b : a, &e->part[i]);
    for (size_t i = 0; i < slots; i++) {
        if (slot[i].text)
            TL_TRY(add_text(ctx, &e->part[slot[i].text == 'B'], slot[i].part, out));
        else
            TL_TRY(tl_tokens_add(ctx, out, slot[i].token, (tl_extent){ 0, 0 }, true,
                                 slot[i].part));
    }
done:
    return rc;
}
