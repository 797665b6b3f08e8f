/* train_pairs.c -- byte-pair encoding learned: counts of pairs kept up to date word by word, the
 * most frequent on top of a heap whose entries are checked when they come up.
 * Source: Sennrich et al. 2016, arXiv:1508.07909.  Floor 2, data. */
#include "data/tokenizer/train.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

typedef struct {
    int32_t left, right; /* left -1: free                                               */
    int64_t seen;
    uint32_t *word; /* words that had it, some no longer                            */
    size_t    words, room;
} pair;
typedef struct {
    int64_t seen;
    int32_t left, right;
} candidate;
typedef struct {
    tl_ctx    *ctx;
    tl_lesson *lesson;
    pair      *pair; /* open addressing                                              */
    size_t     pairs, slots;
    candidate *heap;
    size_t     candidates, heap_room;
} learner;

static size_t seat(const learner *l, int32_t left, int32_t right)
{
    const uint64_t key =
        ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    size_t at = (key ^ key >> 32) & (l->slots - 1);

    while (l->pair[at].left >= 0 &&
           (l->pair[at].left != left || l->pair[at].right != right))
        at = (at + 1) & (l->slots - 1);
    return at;
}

static tl_status grow(learner *l)
{
    const size_t had = l->slots, slots = had ? 2 * had : 1024;
    pair        *old = l->pair, *new;
    tl_status    rc  = tl_alloc_array(l->ctx, slots, sizeof *new, &new);

    if (rc != TL_OK) return rc;
    for (size_t i = 0; i < slots; i++) new[i].left = -1;
    l->pair  = new;
    l->slots = slots;
    for (size_t i = 0; i < had; i++)
        if (old[i].left >= 0) l->pair[seat(l, old[i].left, old[i].right)] = old[i];
    tl_free(l->ctx, old);
    return TL_OK;
}

/* Adds to a pair's count; a word that gains the pair is noted. */
static tl_status count_pair(learner *l, int32_t left, int32_t right, int64_t seen,
                            uint32_t word)
{
    tl_status rc = TL_OK;

    if (2 * (l->pairs + 1) > l->slots) TL_TRY(grow(l));
    pair *p = &l->pair[seat(l, left, right)];
    if (p->left < 0) {
        *p = (pair){ .left = left, .right = right };
        l->pairs++;
    }
    p->seen += seen;
    if (seen > 0 && (!p->words || p->word[p->words - 1] != word)) {
        TL_TRY(tl_grow(l->ctx, &p->word, &p->room, p->words + 1, sizeof *p->word));
        p->word[p->words++] = word;
    }
done:
    return rc;
}

/* In the byte alphabet, characters count as the bytes they stand for. */
static int compare_text(const tl_lesson *l, int32_t a, int32_t b)
{
    const tl_string x = tl_vocab_text(&l->vocab, a), y = tl_vocab_text(&l->vocab, b);
    size_t         i = 0, k = 0;
    uint32_t       c, d;

    while (i < x.bytes && k < y.bytes) {
        i += tl_utf8_next(x.text + i, &c);
        k += tl_utf8_next(y.text + k, &d);
        const int64_t less = l->skip ? (int64_t)c - d : tl_char_byte(c) - tl_char_byte(d);
        if (less) return less < 0 ? -1 : 1;
    }
    return (i < x.bytes) - (k < y.bytes);
}

/* Seen more often; of equals the later in byte order, left token first. */
static bool better(const learner *l, const candidate *a, const candidate *b)
{
    if (a->seen != b->seen) return a->seen > b->seen;
    const int left = compare_text(l->lesson, a->left, b->left);
    return left ? left > 0 : compare_text(l->lesson, a->right, b->right) > 0;
}

static tl_status push(learner *l, candidate c)
{
    tl_status rc = TL_OK;
    size_t    i  = l->candidates;

    TL_TRY(tl_grow(l->ctx, &l->heap, &l->heap_room, l->candidates + 1, sizeof *l->heap));
    l->candidates++;
    for (; i > 0 && better(l, &c, &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        l->heap[i] = l->heap[(i - 1) / 2];
    l->heap[i] = c;
done:
    return rc;
}

static candidate pop(learner *l)
{
    const candidate top = l->heap[0], last = l->heap[--l->candidates];
    size_t          i = 0;

    for (size_t child; (child = 2 * i + 1) < l->candidates; i = child) {
        if (child + 1 < l->candidates && better(l, &l->heap[child + 1], &l->heap[child]))
            child++;
        if (!better(l, &l->heap[child], &last)) break;
        l->heap[i] = l->heap[child];
    }
    l->heap[i] = last;
    return top;
}

/* The pair that is really seen most often now; false when none is seen `least` times. */
static tl_status best(learner *l, int64_t least, candidate *out, bool *found)
{
    tl_status rc = TL_OK;

    for (*found = false; l->candidates && !*found;) {
        *out             = pop(l);
        const int64_t is = l->pair[seat(l, out->left, out->right)].seen;
        if (is == out->seen)
            *found = is >= least;
        else if (is > 0)
            TL_TRY(push(l, (candidate){ is, out->left, out->right }));
        if (is == out->seen && is < least) break;
    }
done:
    return rc;
}

static tl_status count_word(learner *l, uint32_t index, int64_t sign)
{
    const tl_counted *w  = &l->lesson->word[index];
    const int32_t    *s  = l->lesson->symbol + w->start;
    tl_status         rc = TL_OK;

    for (uint32_t i = 0; i + 1 < w->length; i++)
        TL_TRY(count_pair(l, s[i], s[i + 1], sign * w->seen, index));
done:
    return rc;
}

/* Joins a pair within one word; true when it was there. */
static bool join_word(tl_lesson *lesson, uint32_t index, const candidate *c, int32_t made)
{
    tl_counted *w    = &lesson->word[index];
    int32_t    *s    = lesson->symbol + w->start;
    uint32_t    kept = 0;

    for (uint32_t i = 0; i < w->length; i++) {
        const bool here = i + 1 < w->length && s[i] == c->left && s[i + 1] == c->right;
        s[kept++]       = here ? made : s[i];
        i += here;
    }
    const bool any = kept < w->length;
    w->length      = kept;
    return any;
}

static bool has_pair(const tl_lesson *lesson, uint32_t index, const candidate *c)
{
    const tl_counted *w = &lesson->word[index];
    const int32_t    *s = lesson->symbol + w->start;

    for (uint32_t i = 0; i + 1 < w->length; i++)
        if (s[i] == c->left && s[i + 1] == c->right) return true;
    return false;
}

/* New pairs have the new token in them: they alone become candidates. */
static tl_status offer_new(learner *l, uint32_t index, int32_t made)
{
    const tl_counted *w  = &l->lesson->word[index];
    const int32_t    *s  = l->lesson->symbol + w->start;
    tl_status         rc = TL_OK;

    for (uint32_t i = 0; i + 1 < w->length; i++) {
        if (s[i] != made && s[i + 1] != made) continue;
        const pair *p = &l->pair[seat(l, s[i], s[i + 1])];
        TL_TRY(push(l, (candidate){ p->seen, s[i], s[i + 1] }));
    }
done:
    return rc;
}

static tl_status join_everywhere(learner *l, const candidate *c, int32_t made)
{
    const size_t at    = seat(l, c->left, c->right);
    const size_t words = l->pair[at].words;
    uint32_t *word = l->pair[at].word; /* taken: the table may move while it is walked */
    tl_status rc   = TL_OK;

    l->pair[at].word  = NULL;
    l->pair[at].words = l->pair[at].room = 0;
    for (size_t i = 0; i < words; i++) {
        if (!has_pair(l->lesson, word[i], c)) continue;
        TL_TRY(count_word(l, word[i], -1));
        join_word(l->lesson, word[i], c, made);
        TL_TRY(count_word(l, word[i], 1));
    }
    for (size_t i = 0; i < words; i++) TL_TRY(offer_new(l, word[i], made));
done:
    tl_free(l->ctx, word);
    return rc;
}

/* The token that a pair makes, known already or new. */
static tl_status make_token(learner *l, const candidate *c, int32_t *made)
{
    tl_lesson     *lesson = l->lesson;
    const tl_string a      = tl_vocab_text(&lesson->vocab, c->left);
    const tl_string b      = tl_vocab_text(&lesson->vocab, c->right);
    tl_text        text   = tl_text_make(l->ctx);
    tl_status      rc;

    tl_text_add_bytes(&text, a.text, a.bytes);
    tl_text_add_bytes(&text, b.text + lesson->skip, b.bytes - lesson->skip);
    TL_TRY(text.status);
    *made = tl_vocab_find(&lesson->vocab, text.text, text.bytes);
    if (*made < 0) {
        *made = lesson->vocab.size;
        TL_TRY(tl_vocab_add(l->ctx, "training", &lesson->vocab, text.text, text.bytes,
                            *made));
    }
    TL_TRY(tl_grow(l->ctx, &lesson->joined, &lesson->join_room, lesson->joins + 1,
                   sizeof *lesson->joined));
    lesson->joined[lesson->joins++] = (tl_joined){ c->left, c->right };
done:
    tl_text_free(&text);
    return rc;
}

tl_status tl_lesson_join(tl_ctx *ctx, tl_lesson *lesson, int32_t size, int64_t least)
{
    learner   l = { .ctx = ctx, .lesson = lesson };
    candidate c;
    int32_t   made;
    bool      found = true;
    tl_status rc    = TL_OK;

    for (size_t i = 0; i < lesson->words; i++) TL_TRY(count_word(&l, (uint32_t)i, 1));
    for (size_t i = 0; i < l.slots; i++)
        if (l.pair[i].left >= 0)
            TL_TRY(
                push(&l, (candidate){ l.pair[i].seen, l.pair[i].left, l.pair[i].right }));
    while (lesson->vocab.size < size) {
        if (tl_cancelled(ctx))
            TL_FAIL(TL_ECANCEL, "training", "interrupted (run it again)");
        TL_TRY(best(&l, TL_MAX(least, (int64_t)1), &c, &found));
        if (!found) break;
        TL_TRY(make_token(&l, &c, &made));
        TL_TRY(join_everywhere(&l, &c, made));
    }
done:
    for (size_t i = 0; i < l.slots; i++) tl_free(ctx, l.pair[i].word);
    tl_free(ctx, l.pair);
    tl_free(ctx, l.heap);
    return rc;
}

void tl_lesson_free(tl_ctx *ctx, tl_lesson *l)
{
    tl_vocab_free(ctx, &l->vocab);
    tl_free(ctx, l->symbol);
    tl_free(ctx, l->word);
    tl_free(ctx, l->joined);
}
