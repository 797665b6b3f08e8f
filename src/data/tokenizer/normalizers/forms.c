/* forms.c -- NFC, NFD, NFKC, NFKD.  Decomposed character by character, put in canonical order
 * and composed, each character with the change that the alignment follows.
 * Source: Unicode annex 15; the changes as in the crate unicode-normalization-alignments.
 * Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <utf8proc.h>

enum { PIECES_MOST = 32 }; /* no character decomposes into more than 18 */

static uint8_t combining(uint32_t c)
{
    return (uint8_t)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
}

/* Appends a character's decomposition. */
static tl_status decompose(tl_ctx *ctx, tl_encoder *e, uint32_t c, bool compatible)
{
    utf8proc_int32_t piece[PIECES_MOST];
    int              boundary = 0;
    const int options   = UTF8PROC_DECOMPOSE | (compatible ? (int)UTF8PROC_COMPAT : 0);
    utf8proc_ssize_t n  = utf8proc_decompose_char((utf8proc_int32_t)c, piece, PIECES_MOST,
                                                  (utf8proc_option_t)options, &boundary);
    tl_status        rc = TL_OK;

    if (n < 1 || n > PIECES_MOST) piece[0] = (utf8proc_int32_t)c, n = 1;
    for (utf8proc_ssize_t i = 0; i < n; i++)
        TL_TRY(tl_change_add(ctx, e, (uint32_t)piece[i], i > 0));
done:
    return rc;
}

/* Puts a run of combining marks in the order of their classes; equal ones stay as they are.
 * Class by class, so that a text of nothing but marks costs no square. */
static tl_status order_run(tl_ctx *ctx, tl_encoder *e, size_t start, size_t end)
{
    const size_t n      = end - start;
    bool         sorted = true;
    tl_status    rc     = TL_OK;

    for (size_t i = start + 1; i < end; i++)
        sorted = sorted && combining(e->change[i - 1].c) <= combining(e->change[i].c);
    if (sorted) return TL_OK;
    TL_TRY(tl_grow(ctx, &e->change, &e->change_room, e->changes + n, sizeof *e->change));
    tl_change *spare = e->change + e->changes;
    size_t     kept  = 0;
    for (int class = 1; class < 256 && kept < n; class ++)
        for (size_t i = start; i < end; i++)
            if (combining(e->change[i].c) == class) spare[kept++] = e->change[i];
    for (size_t i = 0; i < n; i++) e->change[start + i] = spare[i];
done:
    return rc;
}

static tl_status order(tl_ctx *ctx, tl_encoder *e)
{
    tl_status rc = TL_OK;

    for (size_t start = 0, end; start < e->changes; start = end) {
        for (end = start; end < e->changes && combining(e->change[end].c);) end++;
        if (end > start + 1) TL_TRY(order_run(ctx, e, start, end));
        if (end == start) end++;
    }
done:
    return rc;
}

/* The character that two make together, or 0. */
static uint32_t pair(uint32_t a, uint32_t b)
{
    utf8proc_int32_t two[2] = { (utf8proc_int32_t)a, (utf8proc_int32_t)b };

    if (a < 0x80 && b < 0x80) return 0;
    return utf8proc_normalize_utf32(two, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) == 1
               ? (uint32_t)two[0]
               : 0;
}

static void compose(tl_encoder *e)
{
    tl_change *s    = e->change;
    size_t     kept = 0, starter = SIZE_MAX;
    uint8_t    last = 0; /* class of what stands between the starter and here */

    for (size_t i = 0; i < e->changes; i++) {
        const uint8_t class     = combining(s[i].c);
        const bool     seen     = starter != SIZE_MAX;
        const bool     free_way = seen && (kept == starter + 1 || last < class);
        const uint32_t both     = free_way ? pair(s[starter].c, s[i].c) : 0;
        if (both) {
            s[starter].c = both;
            s[starter].change += s[i].change - 1;
            continue;
        }
        if (!class) starter = kept;
        last      = class;
        s[kept++] = s[i];
    }
    e->changes = kept;
}

static tl_status rewrite(tl_ctx *ctx, tl_encoder *e, size_t start, size_t end,
                         bool compatible, bool composed)
{
    tl_status rc = TL_OK;
    uint32_t  c;

    e->changes = 0;
    for (size_t at = start; at < end;) {
        at += tl_utf8_next(e->text.text + at, &c);
        TL_TRY(decompose(ctx, e, c, compatible));
    }
    TL_TRY(order(ctx, e));
    if (composed) compose(e);
    TL_TRY(tl_lined_change(ctx, &e->next, &e->text, start, end, e->change, e->changes));
done:
    return rc;
}

/* ASCII never changes; below U+0300 and among Han ideographs nothing composes or, without
 * compatibility, decomposes that was composed. */
static bool is_plain(char *text, size_t bytes, bool latin)
{
    uint32_t c;

    if (tl_is_ascii(text, bytes)) return true;
    for (size_t at = 0; at < bytes;) {
        at += tl_utf8_next(text + at, &c);
        if (c >= 0x80 && !(c >= 0x4e00 && c <= 0x9fff) && !(latin && c < 0x300))
            return false;
    }
    return true;
}
static bool plain_nfc(const void *self, char *text, size_t bytes)
{
    (void)self;
    return is_plain(text, bytes, true);
}
static bool plain_other(const void *self, char *text, size_t bytes)
{
    (void)self;
    return is_plain(text, bytes, false);
}

static tl_status nfc(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                     size_t end)
{
    (void)self;
    return rewrite(ctx, e, start, end, false, true);
}
static tl_status nfd(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                     size_t end)
{
    (void)self;
    return rewrite(ctx, e, start, end, false, false);
}
static tl_status nfkc(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                      size_t end)
{
    (void)self;
    return rewrite(ctx, e, start, end, true, true);
}
static tl_status nfkd(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                      size_t end)
{
    (void)self;
    return rewrite(ctx, e, start, end, true, false);
}

const tl_component tl_normalizer_nfc = {
    .name = "NFC", .doc = "canonical composition", .in_place = plain_nfc, .rewrite = nfc
};
const tl_component tl_normalizer_nfd  = { .name     = "NFD",
                                          .doc      = "canonical decomposition",
                                          .in_place = plain_other,
                                          .rewrite  = nfd };
const tl_component tl_normalizer_nfkc = { .name     = "NFKC",
                                          .doc      = "compatibility composition",
                                          .in_place = plain_other,
                                          .rewrite  = nfkc };
const tl_component tl_normalizer_nfkd = { .name     = "NFKD",
                                          .doc      = "compatibility decomposition",
                                          .in_place = plain_other,
                                          .rewrite  = nfkd };
