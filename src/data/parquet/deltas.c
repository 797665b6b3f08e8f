/* deltas.c -- whole numbers as packed differences, and texts by the lengths and beginnings that
 * they share.  Source: parquet-format's Encodings.md; Lemire and Boytsov 2015.  Floor 2, data. */
#include "data/parquet/inside.h"

#include <string.h>

enum { MOST_BLOCK = 1 << 20 };
static const char *const DAMAGED = "its differences are damaged";

/* A walk over the bytes; a fault is kept. */
typedef struct {
    const uint8_t *at, *end;
    bool           bad;
} walk;

static uint64_t varint(walk *w)
{
    uint64_t value = 0;

    for (int shift = 0; shift < 64 && w->at < w->end; shift += 7) {
        value |= (uint64_t)(*w->at & 0x7f) << shift;
        if (!(*w->at++ & 0x80)) return value;
    }
    w->bad = true;
    return 0;
}

static uint64_t zigzag(walk *w)
{
    const uint64_t v = varint(w);

    return v >> 1 ^ (0 - (v & 1));
}

/* Value i of those packed with `width` bits, the lowest first. */
static uint64_t unpack(const uint8_t *from, uint64_t i, int width)
{
    uint64_t value = 0, bit = i * (uint64_t)width;

    for (int have = 0; have < width;) {
        const int      skip = (int)(bit % 8), take = TL_MIN(8 - skip, width - have);
        const uint64_t part = (uint64_t)(from[bit / 8] >> skip) & ((UINT64_C(1) << take) - 1);
        value |= part << have;
        have += take;
        bit += (uint64_t)take;
    }
    return value;
}

/* A block of at most `left` numbers behind *last. */
static int64_t read_block(walk *w, uint64_t block, uint64_t minis, int64_t left, uint64_t *last,
                          uint64_t *out)
{
    const uint64_t least = zigzag(w), each = block / minis;
    const uint8_t *width = w->at;
    int64_t        n     = 0;

    if (w->bad || (uint64_t)(w->end - w->at) < minis) w->bad = true;
    else w->at += minis;
    for (uint64_t m = 0; m < minis && n < left && !w->bad; m++) {
        const uint64_t bytes = each * width[m] / 8;
        if (width[m] > 64 || (uint64_t)(w->end - w->at) < bytes) w->bad = true;
        for (uint64_t i = 0; i < each && n < left && !w->bad; i++)
            out[n++] = *last += least + unpack(w->at, i, width[m]);
        if (!w->bad) w->at += bytes;
    }
    return n;
}

/* Exactly `count` numbers; w->bad where they are not there. */
static void read_numbers(walk *w, int64_t count, uint64_t *out)
{
    const uint64_t block = varint(w), minis = varint(w), said = varint(w);
    uint64_t       last = zigzag(w);
    int64_t        n    = 0;

    if (w->bad || block == 0 || block > MOST_BLOCK || minis == 0 || block % minis ||
        block / minis % 8 || said != (uint64_t)count) {
        w->bad = true;
        return;
    }
    if (count) out[n++] = last;
    while (n < count && !w->bad) n += read_block(w, block, minis, count - n, &last, out + n);
}

static walk walk_of(const tl_pq_decoding *d)
{
    return (walk){ d->from.at, d->from.at + d->from.bytes, false };
}

tl_status tl_pq_decode_delta(tl_ctx *ctx, tl_pq_decoding *d)
{
    const size_t width = d->node->width;
    walk         w     = walk_of(d);
    uint64_t    *number;
    uint8_t     *byte;
    tl_status    rc = TL_OK;

    if (d->node->physical != TL_PQ_INT32 && d->node->physical != TL_PQ_INT64) {
        d->fault = "its values are differences and no whole numbers";
        return TL_OK;
    }
    TL_TRY(tl_pq_need(ctx, d->made, (size_t)d->count * (sizeof *number + width)));
    number = d->made->data;
    byte   = (uint8_t *)(number + d->count);
    read_numbers(&w, d->count, number);
    if (w.bad) d->fault = DAMAGED;
    for (int64_t i = 0; i < d->count && !w.bad; i++) {
        uint8_t *to = byte + (size_t)i * width;
        for (size_t k = 0; k < width; k++) to[k] = (uint8_t)(number[i] >> 8 * k);
        d->value[i] = (tl_pq_bytes){ to, width };
    }
done:
    return rc;
}

/* Lengths, then the bytes of all. */
static const char *slice(walk *w, int64_t count, uint64_t *length, tl_pq_bytes *value)
{
    read_numbers(w, count, length);
    for (int64_t i = 0; i < count && !w->bad; i++) {
        if (length[i] > (uint64_t)(w->end - w->at)) return DAMAGED;
        value[i] = (tl_pq_bytes){ w->at, (size_t)length[i] };
        w->at += length[i];
    }
    return w->bad ? DAMAGED : NULL;
}

tl_status tl_pq_decode_delta_lengths(tl_ctx *ctx, tl_pq_decoding *d)
{
    walk      w = walk_of(d);
    tl_status rc;

    if (d->node->physical != TL_PQ_BYTE_ARRAY) {
        d->fault = "its values are lengths and no texts";
        return TL_OK;
    }
    TL_TRY(tl_pq_need(ctx, d->made, (size_t)d->count * sizeof(uint64_t)));
    d->fault = slice(&w, d->count, d->made->data, d->value);
done:
    return rc;
}

/* The bytes of all values when each begins as the one before; false: they do not fit together. */
static bool add_up(const tl_pq_decoding *d, const uint64_t *shared, size_t *bytes)
{
    size_t before = 0;

    for (int64_t i = 0; i < d->count; i++) {
        if (shared[i] > before) return false;
        before = (size_t)shared[i] + d->value[i].bytes;
        if (before > d->limit - *bytes) return false;
        *bytes += before;
    }
    return true;
}

/* Each value's first bytes are those of the one before. */
tl_status tl_pq_decode_delta_texts(tl_ctx *ctx, tl_pq_decoding *d)
{
    walk        w      = walk_of(d);
    tl_pq_room  shared = { 0 };
    size_t      bytes  = 0;
    tl_pq_bytes before = { NULL, 0 };
    uint8_t    *to;
    tl_status   rc = TL_OK;

    if (d->node->physical != TL_PQ_BYTE_ARRAY && d->node->physical != TL_PQ_FIXED) {
        d->fault = "its values share beginnings and are no texts";
        return TL_OK;
    }
    TL_TRY(tl_pq_need(ctx, &shared, 2 * (size_t)d->count * sizeof(uint64_t)));
    uint64_t *from = shared.data;
    read_numbers(&w, d->count, from);
    d->fault = w.bad ? DAMAGED : slice(&w, d->count, from + d->count, d->value);
    if (!d->fault && !add_up(d, from, &bytes)) d->fault = DAMAGED;
    if (d->fault) goto done;
    TL_TRY(tl_pq_need(ctx, d->made, bytes));
    to = d->made->data;
    for (int64_t i = 0; i < d->count; i++) {
        const tl_pq_bytes rest = d->value[i];
        if (from[i]) memcpy(to, before.at, (size_t)from[i]);
        if (rest.bytes) memcpy(to + from[i], rest.at, rest.bytes);
        before = d->value[i] = (tl_pq_bytes){ to, (size_t)from[i] + rest.bytes };
        to += before.bytes;
        if (d->node->width && before.bytes != d->node->width) d->fault = DAMAGED;
    }
done:
    tl_free(ctx, shared.data);
    return rc;
}
