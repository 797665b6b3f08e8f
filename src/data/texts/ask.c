/* ask.c -- what a language model is asked of packed rows: next tokens, or hidden ones.  See
 * pack.h.  Source: Devlin et al. 2019, arXiv:1810.04805; whole words: the note of May 2019 in its
 * repository.  Floor 2, data. */
#include "core/rand.h"
#include "data/cache.h"

#include <math.h>
#include <string.h>

enum { DRAW_BITS = 24, ROW_BITS = 32 };

static bool goes_on(const tl_tokenizer *t, int32_t id)
{
    size_t      bytes;
    const char *token = tl_tokenizer_token(t, id, &bytes);

    return token && bytes > 2 && memcmp(token, "##", 2) == 0;
}

tl_status tl_cache_mark_words(tl_ctx *ctx, tl_cache *c)
{
    const tl_tokenizer *tokens = c->prep.text->tokenizer;
    tl_text_rows       *t      = &c->text;
    const int64_t       count  = tl_cache_total(c);
    tl_status           rc;

    TL_TRY(tl_alloc(ctx, (size_t)TL_MAX(count, (int64_t)1), &t->mark));
    for (int64_t i = 0; i < count; i++)
        if (tl_tokenizer_is_special(tokens, t->id[i])) t->mark[i] = TL_NOT_ASKED | TL_WORD_BEGINS;
        else t->mark[i] = goes_on(tokens, t->id[i]) ? 0 : TL_WORD_BEGINS;
done:
    return rc;
}

int64_t tl_asked_room(const tl_asking *how, int64_t rows, int64_t tokens)
{
    return how->hidden ? (int64_t)ceil(how->share * (double)tokens) + rows : tokens;
}

tl_status tl_pack_reserve_asked(tl_ctx *ctx, int64_t asked, int64_t longest, tl_pack *p)
{
    const size_t ids = (size_t)asked * sizeof *p->target;
    tl_status    rc  = TL_OK;

    if (asked > p->asked_room) {
        TL_TRY(tl_realloc(ctx, ids, &p->target));
        TL_TRY(tl_realloc(ctx, ids, &p->picked));
        TL_TRY(tl_realloc(ctx, (size_t)asked * sizeof *p->weight, &p->weight));
        p->asked_room = asked;
    }
    if (2 * longest > p->order_room) {
        TL_TRY(tl_realloc(ctx, (size_t)(2 * longest) * sizeof *p->order, &p->order));
        p->order_room = 2 * longest;
    }
done:
    return rc;
}

static uint8_t mark_of(const tl_text_rows *t, int64_t at)
{
    return t->mark ? t->mark[at] : 0;
}

/* Is the token behind the one at `at`, of row `row`, what a reader of that row is asked? */
static bool asks_next(const tl_text_rows *t, int64_t row, int64_t at, int64_t tokens)
{
    if (at + 1 >= tokens || (at + 1 == t->start[row + 1] && !t->runs_on)) return false;
    return !(mark_of(t, at + 1) & (TL_TEXT_BEGINS | TL_NOT_ASKED));
}

static int64_t end_of(const tl_cache *c, int64_t row)
{
    return c->text.runs_on ? c->text.tokens : c->text.start[row + 1];
}

static uint64_t stream(uint64_t kind, const tl_asking *how, int64_t row)
{
    const uint64_t draw = how->draw & ((1u << DRAW_BITS) - 1);

    return TL_STREAM(kind, draw << ROW_BITS | ((uint64_t)row & UINT32_MAX));
}

/* Does a word, or without `whole` any token that may be hidden, begin here? */
static bool begins(const tl_text_rows *t, const tl_asking *how, int64_t low, int64_t at)
{
    const uint8_t mark = mark_of(t, at);

    if (mark & TL_NOT_ASKED) return false;
    return !how->whole || !t->mark || at == low || mark & (TL_WORD_BEGINS | TL_TEXT_BEGINS) ||
           mark_of(t, at - 1) & TL_NOT_ASKED;
}

static int64_t word_end(const tl_text_rows *t, const tl_asking *how, int64_t low, int64_t at,
                        int64_t end)
{
    do at++;
    while (at < end && how->whole && !(mark_of(t, at) & TL_NOT_ASKED) &&
           !begins(t, how, low, at));
    return at;
}

/* Places of the row that are hidden, word by word in the order drawn, into pack->order's
 * beginning; how many.  A word that would be too much is left out. */
static int64_t draw(const tl_cache *c, int64_t row, const tl_asking *how, tl_pack *p)
{
    const tl_text_rows *t   = &c->text;
    const int64_t       low = t->start[row], high = t->start[row + 1];
    int64_t             words = 0, tokens = 0, most, hidden = 0;

    for (int64_t at = low; at < high; at++) {
        tokens += !(mark_of(t, at) & TL_NOT_ASKED);
        if (begins(t, how, low, at)) p->order[words++] = at;
    }
    if (!tokens) return 0;
    most = TL_MAX((int64_t)1, llround(how->share * (double)tokens));
    tl_rand_shuffle(how->seed, stream(TL_STREAM_MASK, how, row), p->order, words);
    for (int64_t w = 0; w < words && hidden < most; w++) {
        const int64_t at = p->order[w], n = word_end(t, how, low, at, high) - at;
        if (hidden + n > most && hidden > 0) continue;
        for (int64_t k = 0; k < n && hidden < most; k++)
            p->order[p->order_room / 2 + hidden++] = at + k;
    }
    memcpy(p->order, p->order + p->order_room / 2, (size_t)hidden * sizeof *p->order);
    return hidden;
}

int64_t tl_pack_asked(const tl_cache *c, int64_t row, const tl_asking *how, tl_pack *p)
{
    const tl_text_rows *t = &c->text;
    int64_t             n = 0;

    if (row < 0) return 0;
    if (how->hidden) return draw(c, row, how, p);
    for (int64_t at = t->start[row]; at < t->start[row + 1]; at++)
        n += asks_next(t, row, at, end_of(c, row));
    return n;
}

static void ask_next(const tl_cache *c, int64_t row, float weight, int64_t from, tl_pack *p)
{
    const tl_text_rows *t   = &c->text;
    const int64_t       low = t->start[row], end = end_of(c, row);

    for (int64_t k = 0; k < t->start[row + 1] - low; k++) {
        const bool yes       = asks_next(t, row, low + k, end);
        p->picked[from + k]  = (int32_t)(from + k);
        p->target[from + k]  = yes ? t->id[low + k + 1] : -1;
        p->weight[from + k]  = yes ? weight : 0.0f;
        p->asked            += yes;
    }
}

/* What stands in for the token at place `at` of the row. */
static int32_t stand_in(const tl_asking *how, int64_t row, int64_t at, int32_t id)
{
    const uint64_t s = stream(TL_STREAM_HIDE, how, row);
    const double   u = tl_rand_uniform(how->seed, s, (uint64_t)(2 * at));

    if (u < 0.8) return how->mask;
    if (u >= 0.9) return id;
    return (int32_t)tl_rand_below(how->seed, s, (uint64_t)(2 * at + 1), (uint64_t)how->size);
}

static void ask_hidden(const tl_cache *c, int64_t row, const tl_asking *how, float weight,
                       int64_t from, tl_pack *p)
{
    const tl_text_rows *t = &c->text;
    const int64_t       n = draw(c, row, how, p), low = t->start[row];

    for (int64_t i = 0; i < n; i++) {
        const int64_t k      = p->order[i] - low;
        p->picked[p->asked]  = (int32_t)(from + k);
        p->target[p->asked]  = t->id[low + k];
        p->weight[p->asked]  = weight;
        p->id[from + k]      = stand_in(how, row, k, t->id[low + k]);
        p->asked++;
    }
}

void tl_pack_ask(const tl_cache *c, const int64_t *row, int64_t count, const tl_asking *how,
                 float weight, tl_pack *p)
{
    int64_t at = 0, filled;

    p->asked = 0;
    for (int64_t r = 0; r < count; r++) {
        if (row[r] < 0) continue;
        if (how->hidden) ask_hidden(c, row[r], how, weight, at, p);
        else ask_next(c, row[r], weight, at, p);
        at += tl_cache_tokens(c, row[r]);
    }
    filled = how->hidden ? p->asked : at;
    for (int64_t i = filled; i < p->asked_room; i++) {
        p->picked[i] = p->target[i] = -1;
        p->weight[i]                = 0.0f;
    }
}
