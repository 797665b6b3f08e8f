/* picture.c -- headers of picture files read by hand, EXIF orientation, and what is wrong.
 * Sources: JPEG (ITU T.81 annex B), PNG (ISO 15948), WebP container (RFC 9649), EXIF 2.3.
 * Floor 2, data. */
#include "data/picture.h"
#include "core/io.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name, *remedy;
    tl_status   status;
} faults[] = {
    [TL_PICTURE_FINE]    = { "fine", "", TL_OK },
    [TL_PICTURE_EMPTY]   = { "empty file", "fetch it again or remove it", TL_EDATA },
    [TL_PICTURE_UNKNOWN] = { "not a JPEG, PNG or WebP picture", "convert it or remove it",
                             TL_EDATA },
    [TL_PICTURE_SHORT]   = { "cut short", "fetch it again or remove it", TL_EDATA },
    [TL_PICTURE_DAMAGED] = { "damaged", "fetch it again or remove it", TL_EDATA },
    [TL_PICTURE_UNSUPPORTED] = { "unusual variant", "save it as an ordinary PNG",
                                 TL_EDATA },
    [TL_PICTURE_BIG]         = { "too many pixels", "make it smaller", TL_ELIMIT },
    [TL_PICTURE_MISSING]     = { "cannot be read", "check the name and permissions",
                                 TL_EDATA },
};

const char *tl_picture_fault_name(tl_picture_fault fault)
{
    return faults[fault].name;
}

tl_status tl_picture_fail(tl_ctx *ctx, tl_picture *p, tl_picture_fault fault,
                          const char *detail)
{
    p->fault = fault;
    return tl_fail(ctx, faults[fault].status, p->where, "%s%s%.200s (%s)",
                   faults[fault].name, *detail ? ": " : "", detail, faults[fault].remedy);
}

tl_status tl_picture_room(tl_ctx *ctx, tl_picture *p, int64_t height, int64_t width,
                          int64_t channels, tl_image *out)
{
    if (height < 1 || width < 1)
        return tl_picture_fail(ctx, p, TL_PICTURE_DAMAGED, "a side of 0 pixels");
    if (height > p->limit / width)
        return tl_picture_fail(ctx, p, TL_PICTURE_BIG, "more than 89 million");
    *out = (tl_image){ .height = height, .width = width, .channels = channels };
    return tl_alloc(ctx, (size_t)(height * width * channels), &out->data);
}

static uint32_t u16(const uint8_t *b, bool little)
{
    return little ? (uint32_t)b[1] << 8 | b[0] : (uint32_t)b[0] << 8 | b[1];
}

static uint32_t u32(const uint8_t *b, bool little)
{
    return little ? u16(b + 2, true) << 16 | u16(b, true)
                  : u16(b, false) << 16 | u16(b + 2, false);
}

int tl_exif_turn(const uint8_t *tiff, size_t bytes)
{
    bool   little;
    size_t at, entries;

    if (bytes >= 6 && memcmp(tiff, "Exif\0\0", 6) == 0) tiff += 6, bytes -= 6;
    if (bytes < 8 || (memcmp(tiff, "II", 2) != 0 && memcmp(tiff, "MM", 2) != 0)) return 1;
    little = tiff[0] == 'I';
    at     = u32(tiff + 4, little);
    if (u16(tiff + 2, little) != 42 || at > bytes - 2) return 1;
    entries = u16(tiff + at, little);
    at += 2;
    for (size_t i = 0; i < entries && bytes - at >= 12; i++, at += 12) {
        const uint8_t *e = tiff + at;
        if (u16(e, little) != 0x0112) continue;
        const uint32_t kind  = u16(e + 2, little);
        const uint32_t value = kind == 3   ? u16(e + 8, little)
                               : kind == 4 ? u32(e + 8, little)
                                           : 1;
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* JPEG: markers up to the frame header; an end marker within the last bytes. */
static tl_picture_fault jpeg_header(tl_picture *p, tl_image *out, bool *whole)
{
    const uint8_t *d  = p->data;
    size_t         at = 2;

    *whole = false;
    for (size_t i = p->bytes, n = 0; i >= 2 && n < 4096 && !*whole; i--, n++)
        *whole = d[i - 2] == 0xff && d[i - 1] == 0xd9;
    while (at + 4 <= p->bytes) {
        const uint8_t kind = d[at + 1];
        if (d[at] != 0xff) return TL_PICTURE_DAMAGED;
        if (kind == 0xff || kind == 0x01 || (kind >= 0xd0 && kind <= 0xd7)) {
            at += kind == 0xff ? 1 : 2;
            continue;
        }
        const size_t size = (size_t)d[at + 2] << 8 | d[at + 3];
        if (kind == 0xd9 || kind == 0xda || size < 2) return TL_PICTURE_DAMAGED;
        if (size + 2 > p->bytes - at) return TL_PICTURE_SHORT;
        if (kind == 0xe1 && size > 8 && memcmp(d + at + 4, "Exif", 4) == 0)
            p->turn = tl_exif_turn(d + at + 4, size - 2);
        if (kind >= 0xc0 && kind <= 0xcf && kind != 0xc4 && kind != 0xc8 &&
            kind != 0xcc) {
            if (size < 8) return TL_PICTURE_DAMAGED;
            out->height   = d[at + 5] << 8 | d[at + 6];
            out->width    = d[at + 7] << 8 | d[at + 8];
            out->channels = d[at + 9] == 1 ? 1 : 3;
            return TL_PICTURE_FINE;
        }
        at += size + 2;
    }
    return TL_PICTURE_SHORT;
}

/* PNG: the header chunk, then a walk over all chunks to the end one. */
static tl_picture_fault png_header(tl_picture *p, tl_image *out, bool *whole)
{
    const uint8_t *d  = p->data;
    size_t         at = 8;

    *whole = false;
    if (p->bytes < 33) return TL_PICTURE_SHORT;
    if (memcmp(d + 12, "IHDR", 4) != 0) return TL_PICTURE_DAMAGED;
    out->width    = (int64_t)u32(d + 16, false);
    out->height   = (int64_t)u32(d + 20, false);
    out->channels = d[25] == 0 || d[25] == 4 ? 1 : 3;
    while (p->bytes - at >= 12) {
        const size_t size = u32(d + at, false);
        if (size > p->bytes - at - 12) return TL_PICTURE_FINE;
        if (memcmp(d + at + 4, "eXIf", 4) == 0) p->turn = tl_exif_turn(d + at + 8, size);
        if (memcmp(d + at + 4, "IEND", 4) == 0) *whole = true;
        if (*whole) return TL_PICTURE_FINE;
        at += size + 12;
    }
    return TL_PICTURE_FINE;
}

/* WebP: the first chunk has the size; VP8X says that more follow, EXIF among them. */
static tl_picture_fault webp_header(tl_picture *p, tl_image *out, bool *whole)
{
    const uint8_t *d = p->data, *c = d + 12;

    if (p->bytes < 30) return TL_PICTURE_SHORT;
    *whole        = u32(d + 4, true) <= p->bytes - 8;
    out->channels = 3;
    if (memcmp(c, "VP8X", 4) == 0) {
        out->width  = 1 + (int64_t)(c[12] | c[13] << 8 | c[14] << 16);
        out->height = 1 + (int64_t)(c[15] | c[16] << 8 | c[17] << 16);
    } else if (memcmp(c, "VP8L", 4) == 0 && c[8] == 0x2f) {
        const uint32_t bits = u32(c + 9, true);
        out->width          = 1 + (int64_t)(bits & 0x3fff);
        out->height         = 1 + (int64_t)(bits >> 14 & 0x3fff);
    } else if (memcmp(c, "VP8 ", 4) == 0 && memcmp(c + 11, "\x9d\x01\x2a", 3) == 0) {
        out->width  = u16(c + 14, true) & 0x3fff;
        out->height = u16(c + 16, true) & 0x3fff;
    } else {
        return TL_PICTURE_DAMAGED;
    }
    for (size_t at = 12; p->bytes - at >= 8;) {
        const size_t size = u32(d + at + 4, true);
        if (size > p->bytes - at - 8) break;
        if (memcmp(d + at, "EXIF", 4) == 0) p->turn = tl_exif_turn(d + at + 8, size);
        at += 8 + size + (size & 1 && size < p->bytes - at - 8);
    }
    return TL_PICTURE_FINE;
}

typedef enum { NEITHER, JPEG, PNG, WEBP } container;

static container container_of(const tl_picture *p)
{
    if (p->bytes >= 3 && memcmp(p->data, "\xff\xd8\xff", 3) == 0) return JPEG;
    if (p->bytes >= 8 && memcmp(p->data, "\x89PNG\r\n\x1a\n", 8) == 0) return PNG;
    if (p->bytes >= 12 && memcmp(p->data, "RIFF", 4) == 0 &&
        memcmp(p->data + 8, "WEBP", 4) == 0)
        return WEBP;
    return NEITHER;
}

tl_status tl_picture_header(tl_ctx *ctx, tl_picture *p, tl_image *out, bool *whole)
{
    static tl_picture_fault (*const by_kind[])(tl_picture *, tl_image *, bool *) = {
        [JPEG] = jpeg_header,
        [PNG]  = png_header,
        [WEBP] = webp_header,
    };
    const container  kind = container_of(p);
    tl_picture_fault fault;
    int64_t          kept;

    *out   = (tl_image){ 0 };
    *whole = false;
    if (p->bytes == 0) return tl_picture_fail(ctx, p, TL_PICTURE_EMPTY, "");
    if (kind == NEITHER) return tl_picture_fail(ctx, p, TL_PICTURE_UNKNOWN, "");
    fault = by_kind[kind](p, out, whole);
    if (fault == TL_PICTURE_FINE && (out->height < 1 || out->width < 1))
        fault = TL_PICTURE_DAMAGED;
    if (fault == TL_PICTURE_FINE && out->height > p->limit / out->width)
        fault = TL_PICTURE_BIG;
    if (fault != TL_PICTURE_FINE) {
        *out = (tl_image){ 0 };
        return tl_picture_fail(ctx, p, fault, "");
    }
    kept = out->height;
    if (p->turn >= 5) out->height = out->width, out->width = kept;
    return TL_OK;
}

/* The picture as it is held: out(y, x) = in(row, column), by EXIF's table of orientations. */
static tl_status upright(tl_ctx *ctx, int turn, tl_image *image)
{
    const bool    swap         = turn >= 5;
    const bool    flip_rows    = turn == 3 || turn == 4 || turn == 6 || turn == 7;
    const bool    flip_columns = turn == 2 || turn == 3 || turn == 7 || turn == 8;
    const int64_t h = image->height, w = image->width, c = image->channels;
    tl_image      out = { .height = swap ? w : h, .width = swap ? h : w, .channels = c };
    tl_status     rc;

    if (turn <= 1) return TL_OK;
    rc = tl_alloc(ctx, (size_t)(h * w * c), &out.data);
    if (rc != TL_OK) return rc;
    for (int64_t y = 0; y < out.height; y++)
        for (int64_t x = 0; x < out.width; x++) {
            const int64_t r = swap ? x : y, k = swap ? y : x;
            const int64_t row    = flip_rows ? h - 1 - r : r,
                          column = flip_columns ? w - 1 - k : k;
            memcpy(out.data + (y * out.width + x) * c,
                   image->data + (row * w + column) * c, (size_t)c);
        }
    tl_image_free(ctx, image);
    *image = out;
    return TL_OK;
}

tl_status tl_picture_decode(tl_ctx *ctx, tl_picture *p, tl_image *out)
{
    tl_status rc;

    *out    = (tl_image){ 0 };
    p->turn = 1;
    if (p->bytes == 0) return tl_picture_fail(ctx, p, TL_PICTURE_EMPTY, "");
    switch (container_of(p)) {
    case JPEG: TL_TRY(tl_jpeg_decode(ctx, p, out)); break;
    case PNG: TL_TRY(tl_png_decode(ctx, p, out)); break;
    case WEBP: TL_TRY(tl_webp_decode(ctx, p, out)); break;
    default: return tl_picture_fail(ctx, p, TL_PICTURE_UNKNOWN, "");
    }
    TL_TRY(upright(ctx, p->turn, out));
done:
    if (rc != TL_OK) tl_image_free(ctx, out);
    return rc;
}

/* A failure of memory or of the user's patience is not the file's fault. */
static bool is_files_fault(tl_status rc, const tl_picture *p)
{
    return p->fault != TL_PICTURE_FINE && (rc == TL_EDATA || rc == TL_ELIMIT);
}

tl_status tl_picture_check(tl_ctx *ctx, const char *path, bool deep, tl_image *size,
                           tl_picture_fault *fault)
{
    tl_picture p     = { .where = path, .limit = TL_PICTURE_PIXELS, .turn = 1 };
    tl_map     map   = { 0 };
    tl_image   image = { 0 };
    bool       whole = false;
    tl_status  rc;

    *size  = (tl_image){ 0 };
    *fault = TL_PICTURE_FINE;
    if (tl_file_bytes(path) <= 0) {
        *fault = tl_file_bytes(path) < 0 ? TL_PICTURE_MISSING : TL_PICTURE_EMPTY;
        return TL_OK;
    }
    if (tl_map_open(ctx, path, &map) != TL_OK) {
        *fault = TL_PICTURE_MISSING;
        return TL_OK;
    }
    p.data  = map.data;
    p.bytes = map.bytes;
    rc      = tl_picture_header(ctx, &p, size, &whole);
    if (rc == TL_OK && (deep || !whole)) {
        rc = tl_picture_decode(ctx, &p, &image);
        if (rc == TL_OK) *size = image, size->data = NULL;
    }
    if (is_files_fault(rc, &p)) {
        *fault = p.fault;
        rc     = TL_OK;
    }
    tl_image_free(ctx, &image);
    tl_map_close(ctx, &map);
    return rc;
}

bool tl_is_picture_name(const char *name)
{
    static const char *const ends[] = { ".jpg", ".jpeg", ".jpe",  ".jfif",
                                        ".png", ".webp", ".gif",  ".bmp",
                                        ".tif", ".tiff", ".heic", ".avif" };
    const char              *dot    = strrchr(name, '.');

    for (size_t i = 0; dot && i < TL_COUNT(ends); i++)
        if (strcasecmp(dot, ends[i]) == 0) return true;
    return false;
}
