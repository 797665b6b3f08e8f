/* codecs.c -- how pages are packed.  Sizes are said beforehand, so that none can grow beyond.
 * Source: parquet-format's Compression.md; LZ4's doc/lz4_Block_format.md.  Floor 2, data. */
#include "data/parquet/inside.h"

#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

static const char *const DAMAGED = "a page does not unpack to the size that it names";

static const char *unpack_none(tl_pq_bytes from, uint8_t *to, size_t bytes)
{
    if (from.bytes != bytes) return DAMAGED;
    if (bytes) memcpy(to, from.at, bytes);
    return NULL;
}

static const char *unpack_snappy(tl_pq_bytes from, uint8_t *to, size_t bytes)
{
    const char *packed = (const char *)from.at;
    size_t      said;

    if (snappy_uncompressed_length(packed, from.bytes, &said) != SNAPPY_OK || said != bytes)
        return DAMAGED;
    return snappy_uncompress(packed, from.bytes, (char *)to, &said) == SNAPPY_OK ? NULL : DAMAGED;
}

/* gzip or zlib, one member after another. */
static const char *unpack_gzip(tl_pq_bytes from, uint8_t *to, size_t bytes)
{
    z_stream z  = { .next_in = (Bytef *)(uintptr_t)from.at, .avail_in = (uInt)from.bytes,
                    .next_out = to, .avail_out = (uInt)bytes };
    int      rc = inflateInit2(&z, 32 + MAX_WBITS);

    if (rc != Z_OK) return "no room to unpack a page";
    while (rc == Z_OK) {
        rc = inflate(&z, Z_FINISH);
        if (rc == Z_STREAM_END && z.avail_in && z.avail_out) rc = inflateReset(&z);
    }
    inflateEnd(&z);
    return rc == Z_STREAM_END && z.avail_out == 0 ? NULL : DAMAGED;
}

static const char *unpack_zstd(tl_pq_bytes from, uint8_t *to, size_t bytes)
{
    return ZSTD_decompress(to, bytes, from.at, from.bytes) == bytes ? NULL : DAMAGED;
}

/* A length that goes on in further bytes while they are 255; false: cut short. */
static bool lz4_length(const uint8_t **at, const uint8_t *end, size_t *length)
{
    uint8_t more = 255;

    if (*length != 15) return true;
    for (; more == 255; *length += more) {
        if (*at == end) return false;
        more = *(*at)++;
    }
    return true;
}

/* A block of LZ4 without a frame: bytes as they are, then some of those before once more. */
static const char *unpack_lz4(tl_pq_bytes from, uint8_t *to, size_t bytes)
{
    const uint8_t *at = from.at, *end = at + from.bytes;
    size_t         n  = 0;

    while (at < end) {
        const uint8_t head   = *at++;
        size_t        plain  = head >> 4, again = head & 15;
        if (!lz4_length(&at, end, &plain) || plain > (size_t)(end - at) || plain > bytes - n)
            return DAMAGED;
        memcpy(to + n, at, plain);
        n += plain;
        at += plain;
        if (at == end) break; /* the last has nothing to repeat */
        if (end - at < 2) return DAMAGED;
        const size_t back = (size_t)at[0] | (size_t)at[1] << 8;
        at += 2;
        if (!lz4_length(&at, end, &again) || back == 0 || back > n || again + 4 > bytes - n)
            return DAMAGED;
        for (again += 4; again > 0; again--, n++) to[n] = to[n - back];
    }
    return n == bytes ? NULL : DAMAGED;
}

static const tl_pq_codec codecs[] = {
    { 0, "none", unpack_none },   { 1, "snappy", unpack_snappy }, { 2, "gzip", unpack_gzip },
    { 3, "LZO", NULL },           { 4, "brotli", NULL },          { 5, "LZ4", NULL },
    { 6, "zstd", unpack_zstd },   { 7, "LZ4_RAW", unpack_lz4 },
};

const tl_pq_codec *tl_pq_codec_of(int id)
{
    for (size_t i = 0; i < TL_COUNT(codecs); i++)
        if (codecs[i].id == id) return &codecs[i];
    return NULL;
}
