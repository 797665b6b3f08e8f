/* trie.h -- byte strings to numbers, walked byte by byte: longest and common prefixes.
 * Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_TRIE_H
#define TL_DATA_TOKENIZER_TRIE_H
#include "core/core.h"

typedef struct {
    const char *text;
    uint32_t    bytes;
    int32_t     value;
} tl_trie_entry;
typedef struct {
    uint32_t child; /* the first of `children` nodes that lie together, by rising byte */
    int32_t  value; /* -1: no string ends here                                       */
    uint16_t children; /* the root has 256, or 0 when the trie is empty                 */
    uint8_t  byte;
} tl_trie_node;
typedef struct {
    tl_trie_node *node;
    size_t        count;
} tl_trie; /* all zero: empty */

/* Sorts `entry`; empty strings are left out, of equal strings the least value stays. */
tl_status tl_trie_build(tl_ctx *ctx, tl_trie_entry *entry, size_t count, tl_trie *out);
void      tl_trie_free(tl_ctx *ctx, tl_trie *trie);

/* The node after `byte` from node `at`, or 0 (no node leads back to the root). */
static inline uint32_t tl_trie_step(const tl_trie *t, uint32_t at, uint8_t byte)
{
    const tl_trie_node *n   = &t->node[at];
    uint32_t            low = n->child, count = n->children;

    if (count == 256) return low + byte;
    while (count > 4) {
        const uint32_t half = count / 2;
        if (t->node[low + half].byte <= byte)
            low += half, count -= half;
        else
            count = half;
    }
    for (; count; low++, count--)
        if (t->node[low].byte == byte) return low;
    return 0;
}
/* The longest string that text[0, bytes) begins with: its bytes (0: none) and value. */
size_t tl_trie_longest(const tl_trie *t, const char *text, size_t bytes, int32_t *value);
#endif
