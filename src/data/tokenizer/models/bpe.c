/* bpe.c -- the words of byte-pair encoding.  Short words by scanning, long ones with a heap:
 * the result is the same, the lowest rank first and of equal ranks the leftmost.
 * Source: Sennrich et al. 2016, arXiv:1508.07909; huggingface/tokenizers, models/bpe/.
 * Floor 2, data. */
#include "data/tokenizer/models/bpe.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

enum { SCAN_MOST = 48 };

typedef struct {
    int32_t  id;
    uint32_t from, to;
    int32_t  before, after;
} symbol;
typedef struct {
    uint32_t rank, at;
    int32_t  made;
    uint32_t to;
} join;
typedef struct {
    symbol *symbol;
    size_t  symbols, symbol_room;
    join   *heap;
    size_t  joins, heap_room;
    char   *affixed;
    size_t  affixed_room;
} scratch;

static size_t seat(const tl_bpe *b, uint64_t pair)
{
    uint64_t h  = pair * 0x9e3779b97f4a7c15u;
    size_t   at = (h ^ h >> 32) & (b->slots - 1);

    while (b->merge[at].pair != pair && b->merge[at].pair != UINT64_MAX)
        at = (at + 1) & (b->slots - 1);
    return at;
}

static uint64_t key(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static const tl_merge *find(const tl_bpe *b, int32_t left, int32_t right)
{
    if (!b->slots) return NULL;
    const tl_merge *m = &b->merge[seat(b, key(left, right))];
    return m->pair == UINT64_MAX ? NULL : m;
}

static tl_status grow(tl_ctx *ctx, tl_bpe *b)
{
    const size_t had = b->slots, slots = had ? 2 * had : 1024;
    tl_merge    *old = b->merge, *new;
    tl_status    rc;

    TL_TRY(tl_alloc_array(ctx, slots, sizeof *new, &new));
    for (size_t i = 0; i < slots; i++) new[i].pair = UINT64_MAX;
    b->merge = new;
    b->slots = slots;
    for (size_t i = 0; i < had; i++)
        if (old[i].pair != UINT64_MAX) b->merge[seat(b, old[i].pair)] = old[i];
    tl_free(ctx, old);
done:
    return rc;
}

tl_status tl_bpe_merge(tl_ctx *ctx, tl_bpe *b, int32_t left, int32_t right, uint32_t rank,
                       int32_t made)
{
    tl_status rc = TL_OK;

    if (2 * (b->merges + 1) > b->slots) TL_TRY(grow(ctx, b));
    tl_merge *m = &b->merge[seat(b, key(left, right))];
    b->merges += m->pair == UINT64_MAX;
    *m = (tl_merge){ key(left, right), rank, made };
done:
    return rc;
}

void tl_bpe_ready(tl_bpe *b, bool fallback)
{
    static const char digits[] = "0123456789ABCDEF";

    for (int i = 0; i < 256; i++) {
        const char name[] = { '<', '0', 'x', digits[i >> 4], digits[i & 15], '>' };
        b->byte_token[i]  = fallback ? tl_vocab_find(b->vocab, name, sizeof name) : -1;
    }
    for (int i = 0; i < 128; i++) {
        const char c = (char)i;
        b->ascii[i]  = tl_vocab_find(b->vocab, &c, 1);
    }
}

static tl_status add_symbol(tl_ctx *ctx, scratch *s, int32_t id, size_t from, size_t to)
{
    tl_status rc =
        tl_grow(ctx, &s->symbol, &s->symbol_room, s->symbols + 1, sizeof *s->symbol);

    if (rc != TL_OK) return rc;
    s->symbol[s->symbols] =
        (symbol){ id, (uint32_t)from, (uint32_t)to, (int32_t)s->symbols - 1, -1 };
    if (s->symbols) s->symbol[s->symbols - 1].after = (int32_t)s->symbols;
    s->symbols++;
    return TL_OK;
}

/* The character at text[from, to) with the affixes its place asks for. */
static tl_status character(tl_ctx *ctx, const tl_bpe *b, scratch *s, const char *text,
                           size_t from, size_t to, size_t bytes, tl_string *out)
{
    const size_t prefix = from > 0 ? b->prefix_bytes : 0;
    const size_t suffix = to == bytes ? b->suffix_bytes : 0, n = to - from;
    tl_status    rc = TL_OK;

    *out = (tl_string){ text + from, n };
    if (!prefix && !suffix) return TL_OK;
    TL_TRY(tl_grow(ctx, &s->affixed, &s->affixed_room, prefix + n + suffix, 1));
    if (prefix) memcpy(s->affixed, b->prefix, prefix);
    memcpy(s->affixed + prefix, text + from, n);
    if (suffix) memcpy(s->affixed + prefix + n, b->suffix, suffix);
    *out = (tl_string){ s->affixed, prefix + n + suffix };
done:
    return rc;
}

static bool all_bytes_known(const tl_bpe *b, tl_string c)
{
    for (size_t i = 0; i < c.bytes; i++)
        if (b->byte_token[(uint8_t)c.text[i]] < 0) return false;
    return true;
}

/* Characters to symbols.  An unknown one becomes its bytes, or the unknown token. */
static tl_status start(tl_ctx *ctx, const tl_bpe *b, scratch *s, const char *text,
                       size_t bytes)
{
    const bool bare    = !b->prefix_bytes && !b->suffix_bytes;
    bool       pending = false; /* the last symbol is an unknown one that may grow */
    tl_status  rc      = TL_OK;
    tl_string   c;

    s->symbols = 0;
    for (size_t at = 0, to; at < bytes; at = to) {
        int32_t id;
        to = at + tl_utf8_bytes(text[at]);
        if (bare && (uint8_t)text[at] < 0x80) {
            id = b->ascii[(uint8_t)text[at]];
            c  = (tl_string){ text + at, 1 };
        } else {
            TL_TRY(character(ctx, b, s, text, at, to, bytes, &c));
            id = tl_vocab_find(b->vocab, c.text, c.bytes);
        }
        if (id >= 0) {
            pending = false;
            TL_TRY(add_symbol(ctx, s, id, at, to));
        } else if (all_bytes_known(b, c)) {
            pending = false;
            for (size_t i = 0; i < c.bytes; i++) {
                const size_t from = TL_MIN(at + i, to), end = TL_MIN(at + i + 1, to);
                TL_TRY(add_symbol(ctx, s, b->byte_token[(uint8_t)c.text[i]], from, end));
            }
        } else if (b->unknown >= 0) {
            if (pending && b->fuse_unknown)
                s->symbol[s->symbols - 1].to = (uint32_t)to;
            else
                TL_TRY(add_symbol(ctx, s, b->unknown, at, to));
            pending = true;
        }
    }
done:
    return rc;
}

/* Joins the symbol at `i` with the one after it. */
static void merge_after(scratch *s, size_t i, int32_t made)
{
    symbol       *a = &s->symbol[i];
    const symbol *b = &s->symbol[a->after];

    a->id                  = made;
    a->to                  = b->to;
    s->symbol[a->after].id = -1;
    a->after               = b->after;
    if (a->after >= 0) s->symbol[a->after].before = (int32_t)i;
}

static void merge_by_scan(const tl_bpe *b, scratch *s)
{
    const tl_merge *next[SCAN_MOST]; /* with the symbol behind, by symbol */
    symbol         *at = s->symbol;
    size_t          n  = s->symbols;

    for (size_t i = 0; i + 1 < n; i++) next[i] = find(b, at[i].id, at[i + 1].id);
    while (n > 1) {
        size_t best = n;
        for (size_t i = 0; i + 1 < n; i++)
            if (next[i] && (best == n || next[i]->rank < next[best]->rank)) best = i;
        if (best == n) break;
        at[best].id = next[best]->made;
        at[best].to = at[best + 1].to;
        n--;
        memmove(&at[best + 1], &at[best + 2], (n - best - 1) * sizeof *at);
        if (best + 1 < n)
            memmove(&next[best + 1], &next[best + 2], (n - best - 1) * sizeof *next);
        if (best + 1 < n) next[best] = find(b, at[best].id, at[best + 1].id);
        if (best > 0) next[best - 1] = find(b, at[best - 1].id, at[best].id);
    }
    s->symbols = n;
}

static bool sooner(const join *a, const join *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static tl_status push(tl_ctx *ctx, const tl_bpe *b, scratch *s, int32_t at)
{
    const symbol   *a = &s->symbol[at];
    const tl_merge *m;
    tl_status       rc = TL_OK;

    if (at < 0 || a->after < 0 || !(m = find(b, a->id, s->symbol[a->after].id)))
        return TL_OK;
    TL_TRY(tl_grow(ctx, &s->heap, &s->heap_room, s->joins + 1, sizeof *s->heap));
    const join j = { m->rank, (uint32_t)at, m->made, s->symbol[a->after].to };
    size_t     i = s->joins++;
    for (; i > 0 && sooner(&j, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = j;
done:
    return rc;
}

static join pop(scratch *s)
{
    const join top = s->heap[0], last = s->heap[--s->joins];
    size_t     i = 0;

    for (size_t child; (child = 2 * i + 1) < s->joins; i = child) {
        if (child + 1 < s->joins && sooner(&s->heap[child + 1], &s->heap[child])) child++;
        if (!sooner(&s->heap[child], &last)) break;
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = last;
    return top;
}

static tl_status merge_by_heap(tl_ctx *ctx, const tl_bpe *b, scratch *s)
{
    tl_status rc = TL_OK;

    s->joins = 0;
    for (size_t i = 0; i + 1 < s->symbols; i++) TL_TRY(push(ctx, b, s, (int32_t)i));
    while (s->joins) {
        const join      j = pop(s);
        const symbol   *a = &s->symbol[j.at];
        const tl_merge *m;
        if (a->id < 0 || a->after < 0 || s->symbol[a->after].to != j.to)
            continue; /* gone since */
        m = find(b, a->id, s->symbol[a->after].id);
        if (!m || m->made != j.made) continue;
        merge_after(s, j.at, j.made);
        TL_TRY(push(ctx, b, s, a->before));
        TL_TRY(push(ctx, b, s, (int32_t)j.at));
    }
    size_t kept = 0;
    for (size_t i = 0; i < s->symbols; i++)
        if (s->symbol[i].id >= 0) s->symbol[kept++] = s->symbol[i];
    s->symbols = kept;
done:
    return rc;
}

static tl_status word(tl_ctx *ctx, tl_encoder *e, const void *self, const char *text,
                      size_t bytes)
{
    const tl_bpe *b = self;
    scratch      *s = e->scratch;
    int32_t       id;
    tl_status     rc;

    if (b->whole_first && (id = tl_vocab_find(b->vocab, text, bytes)) >= 0)
        return tl_answer_add(ctx, e, id, 0, bytes);
    TL_TRY(start(ctx, b, s, text, bytes));
    if (s->symbols <= SCAN_MOST)
        merge_by_scan(b, s);
    else
        TL_TRY(merge_by_heap(ctx, b, s));
    for (size_t i = 0; i < s->symbols; i++)
        TL_TRY(
            tl_answer_add(ctx, e, s->symbol[i].id, s->symbol[i].from, s->symbol[i].to));
done:
    return rc;
}

static void scratch_free(tl_ctx *ctx, void *it)
{
    scratch *s = it;

    tl_free(ctx, s->symbol);
    tl_free(ctx, s->heap);
    tl_free(ctx, s->affixed);
}

static void bpe_free(tl_ctx *ctx, void *self)
{
    tl_bpe *b = self;

    tl_free(ctx, b->merge);
    tl_free(ctx, b->prefix);
    tl_free(ctx, b->suffix);
}

const tl_model_kind tl_model_bpe = { .name          = "BPE",
                                     .doc           = "byte-pair encoding",
                                     .self_bytes    = sizeof(tl_bpe),
                                     .load          = tl_bpe_load,
                                     .free          = bpe_free,
                                     .word          = word,
                                     .scratch_bytes = sizeof(scratch),
                                     .scratch_free  = scratch_free };
