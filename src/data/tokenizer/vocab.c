/* vocab.c -- token strings and ids: an arena, arrays by id, open addressing by string.
 * Floor 2, data. */
#include "data/tokenizer/vocab.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

enum { IDS_FREE = 1 << 20, IDS_MOST = 1 << 24, TOKEN_MOST = 1 << 20 };

uint64_t tl_bytes_hash(const char *text, size_t bytes)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ bytes, eight;

    for (; bytes >= 8; bytes -= 8, text += 8) {
        memcpy(&eight, text, 8);
        h = (h ^ eight) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    if (bytes) {
        eight = 0;
        memcpy(&eight, text, bytes);
        h = (h ^ eight) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 29;
}

static size_t probe(const tl_vocab *v, const char *text, size_t bytes)
{
    size_t at = tl_bytes_hash(text, bytes) & (v->slots - 1);

    for (; v->slot[2 * at] >= 0; at = (at + 1) & (v->slots - 1)) {
        const tl_string s = { v->bytes + v->at[v->slot[2 * at]],
                             v->length[v->slot[2 * at]] };
        if (s.bytes == bytes && memcmp(s.text, text, bytes) == 0) break;
    }
    return at;
}

/* A slot holds the row of a string and the id it leads to: the two differ for twins. */
static tl_status grow_slots(tl_ctx *ctx, tl_vocab *v)
{
    tl_status    rc    = TL_OK;
    const size_t slots = v->slots ? 2 * v->slots : 1024;
    int32_t     *old   = v->slot, *new;
    const size_t had   = v->slots;

    TL_TRY(tl_alloc_array(ctx, slots, 2 * sizeof *new, &new));
    for (size_t i = 0; i < 2 * slots; i++) new[i] = -1;
    v->slot  = new;
    v->slots = slots;
    for (size_t i = 0; i < had; i++) {
        if (old[2 * i] < 0) continue;
        const size_t at = probe(v, v->bytes + v->at[old[2 * i]], v->length[old[2 * i]]);
        v->slot[2 * at] = old[2 * i];
        v->slot[2 * at + 1] = old[2 * i + 1];
    }
    tl_free(ctx, old);
done:
    return rc;
}

static tl_status grow_ids(tl_ctx *ctx, tl_vocab *v, int32_t id)
{
    tl_status    rc   = TL_OK;
    const size_t room = TL_MAX((size_t)id + 1, 2 * (size_t)v->size_room);

    TL_TRY(tl_realloc(ctx, room * sizeof *v->at, &v->at));
    TL_TRY(tl_realloc(ctx, room * sizeof *v->length, &v->length));
    TL_TRY(tl_realloc(ctx, room, &v->known));
    v->size_room = (int32_t)room;
done:
    return rc;
}

static tl_status keep_bytes(tl_ctx *ctx, tl_vocab *v, const char *text, size_t bytes)
{
    tl_status rc = TL_OK;

    if (v->used + bytes > v->room || !v->bytes) {
        const size_t room = TL_MAX(v->used + bytes, 2 * v->room + 4096);
        TL_TRY(tl_realloc(ctx, room, &v->bytes));
        v->room = room;
    }
    if (bytes) memcpy(v->bytes + v->used, text, bytes);
    v->used += bytes;
done:
    return rc;
}

tl_status tl_vocab_add(tl_ctx *ctx, const char *where, tl_vocab *v, const char *text,
                       size_t bytes, int64_t id)
{
    tl_status rc = TL_OK;
    size_t    bad;

    if (id < 0 || id >= IDS_MOST || (id >= IDS_FREE && (size_t)id > 16 * (v->count + 1)))
        TL_FAIL(TL_EDATA, where,
                "token id %" PRId64 " (ids go from 0 to the vocabulary's size)", id);
    if (bytes > TOKEN_MOST || v->used + bytes > UINT32_MAX)
        TL_FAIL(TL_ELIMIT, where, "a token of %zu bytes (too long)", bytes);
    if (tl_utf8_valid(text, bytes, &bad) < bytes)
        TL_FAIL(TL_EDATA, where, "token %" PRId64 " is no UTF-8 (fetch the file again)",
                id);
    if (2 * (v->count + 1) > v->slots) TL_TRY(grow_slots(ctx, v));
    const size_t at = probe(v, text, bytes);
    if (id >= v->size_room) TL_TRY(grow_ids(ctx, v, (int32_t)id));
    if (v->slot[2 * at] < 0 || !v->known[id]) {
        const uint32_t from = (uint32_t)v->used;
        if (v->known[id])
            TL_FAIL(TL_EDATA, where,
                    "token id %" PRId64 " is given twice (ids are unique)", id);
        TL_TRY(keep_bytes(ctx, v, text, bytes));
        v->at[id]     = from;
        v->length[id] = (uint32_t)bytes;
        v->known[id]  = 1;
        v->size       = TL_MAX(v->size, (int32_t)id + 1);
        v->count++;
        v->slot[2 * at] = (int32_t)id;
    }
    v->slot[2 * at + 1] = (int32_t)id;
done:
    return rc;
}

void tl_vocab_free(tl_ctx *ctx, tl_vocab *v)
{
    tl_free(ctx, v->bytes);
    tl_free(ctx, v->at);
    tl_free(ctx, v->length);
    tl_free(ctx, v->known);
    tl_free(ctx, v->slot);
    *v = (tl_vocab){ 0 };
}

int32_t tl_vocab_find(const tl_vocab *v, const char *text, size_t bytes)
{
    if (!v->slots) return -1;
    const size_t at = probe(v, text, bytes);
    return v->slot[2 * at] < 0 ? -1 : v->slot[2 * at + 1];
}

tl_string tl_vocab_text(const tl_vocab *v, int32_t id)
{
    if (id < 0 || id >= v->size || !v->known[id]) return (tl_string){ 0 };
    return (tl_string){ v->bytes + v->at[id], v->length[id] };
}

int tl_byte_token(tl_string token)
{
    static const char digits[] = "0123456789ABCDEF";
    const char       *high, *low;

    if (token.bytes != 6 || memcmp(token.text, "<0x", 3) != 0 || token.text[5] != '>' ||
        !token.text[3] || !token.text[4])
        return -1;
    high = strchr(digits, token.text[3]);
    low  = strchr(digits, token.text[4]);
    return high && low ? (int)((high - digits) * 16 + (low - digits)) : -1;
}
