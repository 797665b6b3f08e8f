/* trie.c -- built breadth first from sorted strings, so that a node's children lie together.
 * Floor 2, data. */
#include "data/tokenizer/trie.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t low, high, depth;
} range; /* the entries below a node */
typedef struct {
    tl_ctx *ctx;
    tl_trie trie;
    range  *range;
    size_t  room, range_room;
} builder;

static int by_text(const void *a, const void *b)
{
    const tl_trie_entry *x = a, *y = b;
    const int            c = memcmp(x->text, y->text, TL_MIN(x->bytes, y->bytes));

    if (c || x->bytes != y->bytes) return c ? c : x->bytes < y->bytes ? -1 : 1;
    return (x->value < y->value) - (x->value > y->value);
}

static tl_status add_node(builder *b, uint8_t byte, uint32_t low, uint32_t high,
                          uint32_t depth)
{
    tl_trie *t = &b->trie;

    if (t->count == b->room) {
        const size_t room = TL_MAX((size_t)1024, 2 * b->room);
        tl_status    rc   = tl_realloc(b->ctx, room * sizeof *t->node, &t->node);
        if (rc == TL_OK) rc = tl_realloc(b->ctx, room * sizeof *b->range, &b->range);
        if (rc != TL_OK) return rc;
        b->room = room;
    }
    t->node[t->count]  = (tl_trie_node){ .value = -1, .byte = byte };
    b->range[t->count] = (range){ low, high, depth };
    t->count++;
    return TL_OK;
}

/* The root gets all 256 children, used or not: one look-up instead of a search. */
static tl_status add_root(builder *b, const tl_trie_entry *e, uint32_t low,
                          uint32_t count)
{
    tl_status rc = TL_OK;

    TL_TRY(add_node(b, 0, 0, 0, 0));
    b->trie.node[0].child    = 1;
    b->trie.node[0].children = 256;
    for (uint32_t byte = 0, high = low; byte < 256; byte++, low = high) {
        while (high < count && (uint8_t)e[high].text[0] == byte) high++;
        TL_TRY(add_node(b, (uint8_t)byte, low, high, 1));
    }
done:
    return rc;
}

static tl_status add_children(builder *b, const tl_trie_entry *e, size_t at)
{
    tl_status      rc    = TL_OK;
    const range    r     = b->range[at];
    const uint32_t child = (uint32_t)b->trie.count;
    uint32_t       low   = r.low, high;

    while (low < r.high && e[low].bytes == r.depth)
        b->trie.node[at].value = e[low++].value;
    for (; low < r.high; low = high) {
        const uint8_t byte = (uint8_t)e[low].text[r.depth];
        for (high = low; high < r.high && (uint8_t)e[high].text[r.depth] == byte;) high++;
        TL_TRY(add_node(b, byte, low, high, r.depth + 1));
    }
    b->trie.node[at].child    = child;
    b->trie.node[at].children = (uint16_t)(b->trie.count - child);
done:
    return rc;
}

tl_status tl_trie_build(tl_ctx *ctx, tl_trie_entry *entry, size_t count, tl_trie *out)
{
    tl_status rc    = TL_OK;
    builder   b     = { .ctx = ctx };
    uint32_t  first = 0;

    *out = (tl_trie){ 0 };
    if (count > UINT32_MAX / 2)
        TL_FAIL(TL_ELIMIT, "vocabulary", "%zu strings (too many)", count);
    qsort(entry, count, sizeof *entry, by_text);
    while (first < count && entry[first].bytes == 0) first++;
    if (first == count) return TL_OK;
    TL_TRY(add_root(&b, entry, first, (uint32_t)count));
    for (size_t at = 1; at < b.trie.count; at++) TL_TRY(add_children(&b, entry, at));
    *out        = b.trie;
    b.trie.node = NULL;
done:
    tl_free(ctx, b.trie.node);
    tl_free(ctx, b.range);
    return rc;
}

void tl_trie_free(tl_ctx *ctx, tl_trie *trie)
{
    tl_free(ctx, trie->node);
    *trie = (tl_trie){ 0 };
}

size_t tl_trie_longest(const tl_trie *t, const char *text, size_t bytes, int32_t *value)
{
    size_t   best = 0;
    uint32_t at   = 0;

    if (!t->count) return 0;
    for (size_t i = 0; i < bytes; i++) {
        at = tl_trie_step(t, at, (uint8_t)text[i]);
        if (!at) break;
        if (t->node[at].value >= 0) best = i + 1, *value = t->node[at].value;
    }
    return best;
}
