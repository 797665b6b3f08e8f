/* zip.c -- see zip.h.  Floor 2, model. */
#include "model/formats/zip.h"

#include <stdlib.h>
#include <string.h>

enum {
    END_BYTES     = 22,
    END64_BYTES   = 56,
    LOCATOR_BYTES = 20,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES   = 30,
    COMMENT_MOST  = 65535
};

static uint16_t le16(const uint8_t *b)
{
    return (uint16_t)(b[0] | b[1] << 8);
}

static uint32_t le32(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}

static tl_status broken(tl_ctx *ctx, const tl_zip *zip, uint64_t at, const char *what)
{
    tl_place place;

    return tl_fail(ctx, TL_EDATA, tl_place_at(&place, zip->where, at),
                   "%s (fetch the file again)", what);
}

/* True when [at, at + bytes) lies in the file. */
static bool inside(const tl_zip *zip, uint64_t at, uint64_t bytes)
{
    return at <= zip->map.bytes && bytes <= zip->map.bytes - at;
}

/* Finds the end record, and its zip64 form where that is used. */
static tl_status find_directory(tl_ctx *ctx, const tl_zip *zip, uint64_t *at,
                                uint64_t *bytes)
{
    const uint8_t *data = zip->map.data;
    const size_t   size = zip->map.bytes;
    size_t         end  = size;
    uint64_t       far;

    *at = *bytes = 0;
    if (size < END_BYTES) return broken(ctx, zip, size, "the zip archive is cut short");
    for (size_t i = size - END_BYTES; end == size; i--) {
        if (le32(data + i) == 0x06054b50) end = i;
        if (i == 0 || size - END_BYTES - i >= COMMENT_MOST) break;
    }
    if (end == size)
        return broken(ctx, zip, size, "the zip archive has no end: it is cut short");
    *bytes = le32(data + end + 12);
    *at    = le32(data + end + 16);
    if (*bytes == UINT32_MAX || *at == UINT32_MAX ||
        le16(data + end + 10) == UINT16_MAX) {
        if (end < LOCATOR_BYTES || le32(data + end - LOCATOR_BYTES) != 0x07064b50)
            return broken(ctx, zip, end, "the zip64 locator is missing");
        far = tl_le64(data + end - LOCATOR_BYTES + 8);
        if (!inside(zip, far, END64_BYTES) || le32(data + far) != 0x06064b50)
            return broken(ctx, zip, end, "the zip64 end record is missing");
        *bytes = tl_le64(data + far + 40);
        *at    = tl_le64(data + far + 48);
    }
    if (!inside(zip, *at, *bytes))
        return broken(ctx, zip, end, "the directory leaves the file");
    return TL_OK;
}

/* Sizes and place in the zip64 extra field replace those that are all ones, in this
 * order. */
static bool read_zip64(const uint8_t *extra, size_t bytes, uint64_t *field[3])
{
    while (bytes >= 4) {
        const size_t   part = le16(extra + 2);
        const uint8_t *from = extra + 4;
        size_t         left = part;
        if (part > bytes - 4) return false;
        for (int i = 0; le16(extra) == 1 && i < 3; i++) {
            if (*field[i] != UINT32_MAX) continue;
            if (left < 8) return false;
            *field[i] = tl_le64(from);
            from += 8;
            left -= 8;
        }
        extra += 4 + part;
        bytes -= 4 + part;
    }
    return true;
}

/* One record of the central directory at `at`; *next is behind it. */
static tl_status read_record(tl_ctx *ctx, const tl_zip *zip, uint64_t at, uint64_t end,
                             tl_zip_entry *e, uint64_t *next)
{
    const uint8_t *b = zip->map.data + at;
    uint64_t       packed, *field[3] = { &e->bytes, &packed, &e->at };
    size_t         name, extra, comment;

    if (end - at < CENTRAL_BYTES || le32(b) != 0x02014b50)
        return broken(ctx, zip, at, "the zip directory is malformed");
    name    = le16(b + 28);
    extra   = le16(b + 30);
    comment = le16(b + 32);
    if (end - at - CENTRAL_BYTES < name + extra + comment)
        return broken(ctx, zip, at, "the zip directory is malformed");
    e->name       = b + CENTRAL_BYTES;
    e->name_bytes = name;
    packed        = le32(b + 20);
    e->bytes      = le32(b + 24);
    e->at         = le32(b + 42);
    if (!read_zip64(b + CENTRAL_BYTES + name, extra, field))
        return broken(ctx, zip, at, "a zip64 field is malformed");
    e->plain = le16(b + 10) == 0 && (le16(b + 8) & 1) == 0 && packed == e->bytes;
    *next    = at + CENTRAL_BYTES + name + extra + comment;
    return TL_OK;
}

static int compare_names(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    const int order = memcmp(a, b, TL_MIN(a_bytes, b_bytes));

    return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int by_name(const void *a, const void *b)
{
    const tl_zip_entry *x = a, *y = b;

    return compare_names(x->name, x->name_bytes, y->name, y->name_bytes);
}

tl_status tl_zip_open(tl_ctx *ctx, const char *where, const tl_map *map, tl_zip *out)
{
    tl_zip    zip  = { .where = where, .map = *map };
    size_t    room = 0;
    uint64_t  at, bytes, end;
    tl_status rc;

    *out = (tl_zip){ 0 };
    TL_TRY(find_directory(ctx, &zip, &at, &bytes));
    for (end = at + bytes; at < end; zip.count++) {
        if (zip.count == room) {
            room = room ? 2 * room : 64;
            TL_TRY(tl_realloc(ctx, room * sizeof *zip.entry, &zip.entry));
        }
        TL_TRY(read_record(ctx, &zip, at, end, &zip.entry[zip.count], &at));
    }
    if (zip.count) qsort(zip.entry, zip.count, sizeof *zip.entry, by_name);
    for (size_t i = 1; i < zip.count; i++)
        if (by_name(&zip.entry[i - 1], &zip.entry[i]) == 0) {
            rc = broken(ctx, &zip, end, "the zip archive names an entry twice");
            goto done;
        }
    *out = zip;
    zip  = (tl_zip){ 0 };
done:
    tl_zip_close(ctx, &zip);
    return rc;
}

void tl_zip_close(tl_ctx *ctx, tl_zip *zip)
{
    tl_free(ctx, zip->entry);
    *zip = (tl_zip){ 0 };
}

const tl_zip_entry *tl_zip_find(const tl_zip *zip, const char *name)
{
    const tl_zip_entry sought = { .name       = (const uint8_t *)name,
                                  .name_bytes = strlen(name) };

    return zip->count ? bsearch(&sought, zip->entry, zip->count, sizeof sought, by_name)
                      : NULL;
}

tl_status tl_zip_data(tl_ctx *ctx, const tl_zip *zip, const tl_zip_entry *entry,
                      tl_map *out)
{
    const uint8_t *local;
    uint64_t       at;

    *out = (tl_map){ 0 };
    if (!entry->plain)
        return broken(ctx, zip, entry->at,
                      "an entry is packed or encrypted, which PyTorch "
                      "never writes");
    local = inside(zip, entry->at, LOCAL_BYTES) ? zip->map.data + entry->at : NULL;
    if (!local || le32(local) != 0x04034b50)
        return broken(ctx, zip, TL_MIN(entry->at, zip->map.bytes),
                      "an entry's header is missing");
    at = entry->at + LOCAL_BYTES + le16(local + 26) + le16(local + 28);
    if (!inside(zip, at, entry->bytes))
        return broken(ctx, zip, entry->at, "an entry leaves the file");
    *out = (tl_map){ zip->map.data + at, entry->bytes };
    return TL_OK;
}
