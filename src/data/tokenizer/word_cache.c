/* word_cache.c -- words an encoder has met and their tokens: most text is the same few thousand
 * words.  Bounded: grows a few times, then is emptied when full.  Floor 2, data. */
#include "data/tokenizer/inside.h"

#include <string.h>

enum {
    SLOTS_FIRST    = 1 << 10,
    SLOTS_MOST     = 1 << 15,
    BYTES_PER_SLOT = 32,
    PARTS_PER_SLOT = 8,
    WORD_MOST      = 64,
    PARTS_MOST     = 64
};

typedef struct {
    uint64_t hash;
    uint32_t text, part;
    uint16_t bytes, parts;
} entry; /* bytes 0: free */
struct tl_words {
    tl_ctx      own;
    entry      *slot;
    char       *text;
    tl_part_of *part;
    size_t      slots, count, bytes, parts;
};

static void release(tl_words *c)
{
    tl_free(&c->own, c->slot);
    tl_free(&c->own, c->text);
    tl_free(&c->own, c->part);
    c->slot  = NULL;
    c->text  = NULL;
    c->part  = NULL;
    c->slots = c->count = c->bytes = c->parts = 0;
}

/* Empty, of so many slots; without memory it stays without any. */
static void make(tl_words *c, size_t slots)
{
    release(c);
    if (tl_alloc_array(&c->own, slots, sizeof *c->slot, &c->slot) == TL_OK &&
        tl_alloc_array(&c->own, slots, BYTES_PER_SLOT, &c->text) == TL_OK &&
        tl_alloc_array(&c->own, slots, PARTS_PER_SLOT * sizeof *c->part, &c->part) ==
            TL_OK)
        c->slots = slots;
    else
        release(c);
}

tl_status tl_words_new(tl_ctx *ctx, tl_words **out)
{
    const tl_status rc = tl_alloc(ctx, sizeof **out, out);

    if (rc == TL_OK) (*out)->own = tl_ctx_make(ctx->world);
    return rc;
}

void tl_words_free(tl_ctx *ctx, tl_words *c)
{
    if (c) release(c);
    tl_free(ctx, c);
}

static size_t seat(const tl_words *c, uint64_t hash, const char *text, size_t bytes)
{
    size_t at = hash & (c->slots - 1);

    for (; c->slot[at].bytes; at = (at + 1) & (c->slots - 1)) {
        const entry *s = &c->slot[at];
        if (s->hash == hash && s->bytes == bytes &&
            !memcmp(c->text + s->text, text, bytes))
            break;
    }
    return at;
}

bool tl_words_get(const tl_words *c, const char *text, size_t bytes,
                  const tl_part_of **parts, size_t *count)
{
    if (bytes > WORD_MOST || !c->slots) return false;
    const entry *s = &c->slot[seat(c, tl_bytes_hash(text, bytes), text, bytes)];
    *parts         = c->part + s->part;
    *count         = s->parts;
    return s->bytes != 0;
}

static bool has_room(const tl_words *c, size_t bytes, size_t count)
{
    return 2 * (c->count + 1) <= c->slots &&
           c->bytes + bytes <= c->slots * BYTES_PER_SLOT &&
           c->parts + count <= c->slots * PARTS_PER_SLOT;
}

void tl_words_put(tl_words *c, const char *text, size_t bytes, const tl_part_of *parts,
                  size_t count)
{
    if (bytes > WORD_MOST || !bytes || count > PARTS_MOST) return;
    if (!c->slots)
        make(c, SLOTS_FIRST);
    else if (!has_room(c, bytes, count))
        make(c, TL_MIN(2 * c->slots, (size_t)SLOTS_MOST));
    if (!c->slots) return;
    const uint64_t hash = tl_bytes_hash(text, bytes);
    entry         *s    = &c->slot[seat(c, hash, text, bytes)];
    *s = (entry){ hash, (uint32_t)c->bytes, (uint32_t)c->parts, (uint16_t)bytes,
                  (uint16_t)count };
    memcpy(c->text + c->bytes, text, bytes);
    if (count) memcpy(c->part + c->parts, parts, count * sizeof *parts);
    c->bytes += bytes;
    c->parts += count;
    c->count++;
}
