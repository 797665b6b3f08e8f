/* encodings.c -- the values of a page as slices of bytes: as they are, or as indices, bits or
 * split bytes.  Source: parquet-format's Encodings.md.  Floor 2, data. */
#include "data/parquet/inside.h"

#include <string.h>

static const char *const SHORT = "its values end early";

tl_pq_runs tl_pq_runs_of(const uint8_t *at, const uint8_t *end, int width)
{
    return (tl_pq_runs){ .at = at, .end = end, .width = width, .bad = width < 0 || width > 32 };
}

/* A run's head: how many values, packed or all the same. */
static void next_run(tl_pq_runs *r)
{
    uint64_t head = 0;
    int      shift = 0;
    uint8_t  b;

    do {
        if (r->at == r->end || shift > 28) {
            r->bad = true;
            return;
        }
        b = *r->at++;
        head |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
    } while (b & 0x80);
    r->packed = head & 1;
    r->left   = head & 1 ? (head >> 1) * 8 : head >> 1;
    r->bits   = 0;
    r->have   = 0;
    if (r->packed) return;
    r->value = 0;
    for (int i = 0; i < (r->width + 7) / 8; i++) {
        if (r->at == r->end) {
            r->bad = true;
            return;
        }
        r->value |= (uint32_t)*r->at++ << 8 * i;
    }
}

uint32_t tl_pq_runs_next(tl_pq_runs *r)
{
    while (r->left == 0 && !r->bad) next_run(r);
    if (r->bad) return 0;
    r->left--;
    if (!r->packed) return r->value;
    for (; r->have < r->width; r->have += 8) {
        if (r->at == r->end) {
            r->bad = true;
            return 0;
        }
        r->bits |= (uint64_t)*r->at++ << r->have;
    }
    r->value = (uint32_t)(r->bits & ((UINT64_C(1) << r->width) - 1));
    r->bits >>= r->width;
    r->have -= r->width;
    return r->value;
}

static uint32_t le32(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Values of one width, one after another, from `at`. */
static void slice_fixed(tl_pq_decoding *d, const uint8_t *at)
{
    for (int64_t i = 0; i < d->count; i++, at += d->node->width)
        d->value[i] = (tl_pq_bytes){ at, d->node->width };
}

static bool holds_fixed(const tl_pq_decoding *d)
{
    return d->from.bytes / d->node->width >= (size_t)d->count;
}

/* Truth values as a byte each. */
static tl_status make_truths(tl_ctx *ctx, tl_pq_decoding *d, uint8_t **out)
{
    const tl_status rc = tl_pq_need(ctx, d->made, (size_t)d->count);

    *out = d->made->data;
    for (int64_t i = 0; rc == TL_OK && i < d->count; i++)
        d->value[i] = (tl_pq_bytes){ *out + i, 1 };
    return rc;
}

static tl_status decode_bits(tl_ctx *ctx, tl_pq_decoding *d)
{
    uint8_t  *truth;
    tl_status rc = TL_OK;

    if (d->from.bytes < ((size_t)d->count + 7) / 8) d->fault = SHORT;
    if (d->fault) return TL_OK;
    TL_TRY(make_truths(ctx, d, &truth));
    for (int64_t i = 0; i < d->count; i++) truth[i] = d->from.at[i / 8] >> i % 8 & 1;
done:
    return rc;
}

/* Four bytes of length before each. */
static void slice_lengths(tl_pq_decoding *d)
{
    const uint8_t *at = d->from.at, *end = at + d->from.bytes;

    for (int64_t i = 0; i < d->count; i++) {
        const size_t bytes = end - at < 4 ? SIZE_MAX : le32(at);
        if (bytes == SIZE_MAX || bytes > (size_t)(end - at - 4)) {
            d->fault = SHORT;
            return;
        }
        d->value[i] = (tl_pq_bytes){ at + 4, bytes };
        at += 4 + bytes;
    }
}

static tl_status decode_plain(tl_ctx *ctx, tl_pq_decoding *d)
{
    if (d->node->physical == TL_PQ_BOOLEAN) return decode_bits(ctx, d);
    if (d->node->physical == TL_PQ_BYTE_ARRAY) slice_lengths(d);
    else if (holds_fixed(d)) slice_fixed(d, d->from.at);
    else d->fault = SHORT;
    return TL_OK;
}

/* Truth values as runs, behind their length. */
static tl_status decode_runs(tl_ctx *ctx, tl_pq_decoding *d)
{
    tl_pq_runs runs;
    uint8_t   *truth;
    tl_status  rc = TL_OK;

    if (d->node->physical != TL_PQ_BOOLEAN) d->fault = "its values are runs and no truth values";
    else if (d->from.bytes < 4 || le32(d->from.at) > d->from.bytes - 4) d->fault = SHORT;
    if (d->fault) return TL_OK;
    runs = tl_pq_runs_of(d->from.at + 4, d->from.at + 4 + le32(d->from.at), 1);
    TL_TRY(make_truths(ctx, d, &truth));
    for (int64_t i = 0; i < d->count; i++) truth[i] = (uint8_t)tl_pq_runs_next(&runs);
    if (runs.bad) d->fault = SHORT;
done:
    return rc;
}

/* The first bytes of all values, then the second ones, and so on. */
static tl_status decode_split(tl_ctx *ctx, tl_pq_decoding *d)
{
    const size_t width = d->node->width, n = (size_t)d->count;
    uint8_t     *made;
    tl_status    rc = TL_OK;

    if (width == 0) d->fault = "its values have no width to be split by";
    else if (!holds_fixed(d)) d->fault = SHORT;
    if (d->fault) return TL_OK;
    TL_TRY(tl_pq_need(ctx, d->made, width * n));
    made = d->made->data;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < width; k++) made[i * width + k] = d->from.at[k * n + i];
    slice_fixed(d, made);
done:
    return rc;
}

static const tl_pq_encoding encodings[] = {
    { 0, "PLAIN", decode_plain, false },
    { 2, "PLAIN_DICTIONARY", NULL, true },
    { 3, "RLE", decode_runs, false },
    { 4, "BIT_PACKED", NULL, false },
    { 5, "DELTA_BINARY_PACKED", tl_pq_decode_delta, false },
    { 6, "DELTA_LENGTH_BYTE_ARRAY", tl_pq_decode_delta_lengths, false },
    { 7, "DELTA_BYTE_ARRAY", tl_pq_decode_delta_texts, false },
    { 8, "RLE_DICTIONARY", NULL, true },
    { 9, "BYTE_STREAM_SPLIT", decode_split, false },
};

const tl_pq_encoding *tl_pq_encoding_of(int id)
{
    for (size_t i = 0; i < TL_COUNT(encodings); i++)
        if (encodings[i].id == id) return &encodings[i];
    return NULL;
}
