/* windows.c -- see windows.h.  Source: Devlin et al. 2019's code (doc_stride); the mean over
 * windows: Pappagari et al. 2019, arXiv:1910.10781.  Floor 2, data. */
#include "data/texts/windows.h"

#include <string.h>

/* Of a window's own tokens the next one begins behind so many quarters. */
enum { QUARTERS = 3 };

typedef struct {
    tl_cache     *c;
    tl_encoder   *e;
    tl_tokens     whole, part;
    tl_text_more *more;
    int64_t       room, ids_room;
} adding;

static int64_t room_for(int64_t have, int64_t need)
{
    return have >= need ? have : TL_MAX(2 * have, need);
}

static tl_status add_ids(tl_ctx *ctx, adding *a)
{
    tl_text_more *m    = a->more;
    const int64_t at   = m->windows ? m->start[m->windows] : 0, n = a->part.count;
    const int64_t room = room_for(a->room, m->windows + 2), ids = room_for(a->ids_room, at + n);
    tl_status     rc;

    if (room != a->room) TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *m->start, &m->start));
    if (ids != a->ids_room) {
        TL_TRY(tl_realloc(ctx, (size_t)ids * sizeof *m->id, &m->id));
        TL_TRY(tl_realloc(ctx, (size_t)ids, &m->part));
    }
    a->room     = room;
    a->ids_room = ids;
    m->start[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        m->id[at + i]   = a->part.id[i];
        m->part[at + i] = a->part.part ? a->part.part[i] : 0;
    }
    m->start[++m->windows] = at + n;
done:
    return rc;
}

/* The text's own tokens, those that are no frame, at [low, high) of them. */
static tl_string stretch(const tl_tokens *t, tl_string text, int64_t low, int64_t high)
{
    uint32_t from = 0, to = 0;
    int64_t  k    = 0;

    for (int64_t i = 0; i < t->count; i++) {
        if (t->special[i]) continue;
        if (k == low) from = t->span[i].from;
        if (k < high) to = TL_MAX(to, t->span[i].to);
        k++;
    }
    return (tl_string){ text.text + from, to > from ? to - from : 0 };
}

/* The windows behind the first. */
static tl_status add_row(tl_ctx *ctx, adding *a, tl_string text)
{
    const tl_encode_options how  = { .most = a->c->prep.text->most };
    const tl_string         none = { NULL, 0 };
    const tl_tokens        *t    = &a->whole;
    int64_t                 own  = 0;
    tl_status               rc   = TL_OK;

    for (int64_t i = 0; i < t->count; i++) own += !t->special[i];
    const int64_t wide = TL_MAX(how.most - (t->count - own), (int64_t)1);
    const int64_t step = TL_MAX(wide * QUARTERS / 4, (int64_t)1);
    for (int64_t low = step, seen = wide; seen < own; low += step) {
        const int64_t high = TL_MIN(low + wide, own);
        TL_TRY(tl_encode(ctx, a->e, stretch(t, text, low, high), none, how, &a->part));
        TL_TRY(add_ids(ctx, a));
        seen = high;
    }
done:
    return rc;
}

tl_status tl_cache_add_windows(tl_ctx *ctx, tl_cache *c, const tl_string *text,
                               const tl_string *pair, int64_t count)
{
    const tl_encode_options whole = { .most = TL_UNCUT };
    const tl_string         none  = { NULL, 0 };
    tl_text_rows           *t     = &c->text;
    adding                  a     = { .c = c, .more = &t->more };
    tl_status               rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)count + 1, sizeof *t->more.first, &t->more.first));
    TL_TRY(tl_encoder_open(ctx, c->prep.text->tokenizer, &a.e));
    for (int64_t i = 0; i < count; i++) {
        const int64_t had  = t->start[i + 1] - t->start[i];
        t->more.first[i]   = t->more.windows;
        if (had < c->prep.text->most) continue;
        TL_TRY(tl_encode(ctx, a.e, text[i], pair ? pair[i] : none, whole, &a.whole));
        t->cut_rows += a.whole.count > had;
        t->cut_tokens += a.whole.count - had;
        if (a.whole.count > had && !(pair && pair[i].text)) TL_TRY(add_row(ctx, &a, text[i]));
    }
    t->more.first[count] = t->more.windows;
done:
    tl_tokens_free(ctx, &a.whole);
    tl_tokens_free(ctx, &a.part);
    tl_encoder_close(ctx, a.e);
    return rc;
}
