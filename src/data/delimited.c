/* delimited.c -- CSV and TSV records, parsed in place.
 * Source: RFC 4180.  Floor 2, data. */
#include "data/delimited.h"
#include "core/io.h"
#include "data/tokenizer/unicode.h"

#include <stdio.h>
#include <string.h>

enum { MOST_FIELDS = 1 << 16 };

static char guess_comma(const char *path, const char *text)
{
    size_t commas = 0, semicolons = 0, tabs = 0;

    if (tl_ends_with(path, ".tsv") || tl_ends_with(path, ".tsv.gz")) return '\t';
    for (const char *c = text; *c && *c != '\n' && *c != '\r'; c++) {
        commas += *c == ',';
        semicolons += *c == ';';
        tabs += *c == '\t';
    }
    if (tabs > commas && tabs >= semicolons) return '\t';
    return semicolons > commas ? ';' : ',';
}

/* The whole of a gzip file, unpacked, with a zero byte behind it. */
static tl_status read_packed(tl_ctx *ctx, const char *path, size_t limit, uint8_t **data,
                             size_t *bytes)
{
    tl_input *in   = NULL;
    size_t    room = 0, got;
    tl_status rc;

    *data  = NULL;
    *bytes = 0;
    TL_TRY(tl_input_open(ctx, path, &in));
    do {
        if (room - *bytes < 2) {
            room = 2 * room + (1 << 16);
            TL_TRY(tl_realloc(ctx, room, data));
        }
        TL_TRY(tl_read_some(ctx, in, *data + *bytes, room - *bytes - 1, &got));
        *bytes += got;
        if (*bytes > limit)
            TL_FAIL(TL_ELIMIT, path, "over %zu bytes when unpacked (raise --memory)", limit);
    } while (got);
    (*data)[*bytes] = 0;
done:
    tl_input_close(ctx, in);
    if (rc != TL_OK) {
        tl_free(ctx, *data);
        *data = NULL;
    }
    return rc;
}

/* Zero bytes and what is no UTF-8: other encodings, and files that are no text. */
static tl_status check_text(tl_ctx *ctx, const char *path, const uint8_t *data,
                            size_t bytes)
{
    const uint8_t *zero = memchr(data, 0, bytes);
    int64_t        line = 1;
    size_t         bad, good = zero ? (size_t)(zero - data)
                                    : tl_utf8_valid((const char *)data, bytes, &bad);
    char           where[512];

    if (good == bytes) return TL_OK;
    for (size_t i = 0; i < good; i++) line += data[i] == '\n';
    snprintf(where, sizeof where, "%.480s:%" PRId64, path, line);
    if (zero)
        return tl_fail(ctx, TL_EDATA, where, "holds zero bytes (save it as UTF-8 text)");
    return tl_fail(
        ctx, TL_EDATA, where,
        "byte 0x%02x is no UTF-8 text (save it as UTF-8: iconv -f latin1 -t utf8)",
        data[good]);
}

/* Checked, and without UTF-8's mark; a zero byte stands behind. */
static tl_status settle(tl_ctx *ctx, const char *path, uint8_t *data, size_t *bytes)
{
    const tl_status rc = check_text(ctx, path, data, *bytes);

    if (rc != TL_OK || *bytes < 3 || memcmp(data, "\xef\xbb\xbf", 3) != 0) return rc;
    *bytes -= 3;
    memmove(data, data + 3, *bytes + 1);
    return TL_OK;
}

static tl_delimited begin(const char *path, char *text, size_t bytes)
{
    return (tl_delimited){ .text      = text,
                           .path      = path,
                           .at        = text,
                           .end       = text + bytes,
                           .comma     = guess_comma(path, text),
                           .line      = 1,
                           .next_line = 1 };
}

tl_status tl_whole_text(tl_ctx *ctx, const char *path, size_t limit, char **text,
                        size_t *bytes)
{
    uint8_t  *data = NULL;
    tl_status rc;

    *text = NULL;
    TL_TRY(tl_ends_with(path, ".gz") ? read_packed(ctx, path, limit, &data, bytes)
                                     : tl_file_read(ctx, path, limit, &data, bytes));
    TL_TRY(settle(ctx, path, data, bytes));
    *text = (char *)data;
    data  = NULL;
done:
    tl_free(ctx, data);
    return rc;
}

tl_status tl_delimited_open(tl_ctx *ctx, const char *path, size_t limit,
                            tl_delimited *out)
{
    char     *text;
    size_t    bytes;
    tl_status rc;

    *out = (tl_delimited){ 0 };
    TL_TRY(tl_whole_text(ctx, path, limit, &text, &bytes));
    *out = begin(path, text, bytes);
done:
    return rc;
}

tl_status tl_delimited_of_text(tl_ctx *ctx, const char *name, const char *text,
                               size_t bytes, tl_delimited *out)
{
    uint8_t  *data = NULL;
    tl_status rc;

    *out = (tl_delimited){ 0 };
    TL_TRY(tl_alloc(ctx, bytes + 1, &data));
    if (bytes) memcpy(data, text, bytes);
    TL_TRY(settle(ctx, name, data, &bytes));
    *out = begin(name, (char *)data, bytes);
    data = NULL;
done:
    tl_free(ctx, data);
    return rc;
}

void tl_delimited_close(tl_ctx *ctx, tl_delimited *d)
{
    tl_free(ctx, d->text);
    tl_free(ctx, d->field);
    *d = (tl_delimited){ 0 };
}

static tl_status fail_at(tl_ctx *ctx, const tl_delimited *d, const char *what)
{
    char where[512];

    snprintf(where, sizeof where, "%.480s:%" PRId64, d->path, d->line);
    return tl_fail(ctx, TL_EDATA, where, "%s", what);
}

/* A quoted field from d->at (after the quote): its text is moved together over doubled quotes,
 * d->at ends behind the closing one. */
static bool unquote(tl_delimited *d, char **end)
{
    char *to = d->at;

    for (; d->at < d->end; d->at++) {
        if (*d->at == '"') {
            if (d->at[1] != '"') {
                d->at++;
                *end = to;
                return true;
            }
            d->at++;
        }
        d->next_line += *d->at == '\n';
        *to++ = *d->at;
    }
    return false;
}

static bool at_line_end(const tl_delimited *d)
{
    return d->at >= d->end || *d->at == '\n' || *d->at == '\r';
}

static void pass_line_end(tl_delimited *d)
{
    if (d->at < d->end && *d->at == '\r') d->at++;
    if (d->at < d->end && *d->at == '\n') d->at++;
    d->next_line++;
}

static tl_status next_field(tl_ctx *ctx, tl_delimited *d, char **end)
{
    tl_status rc = TL_OK;

    if (d->fields == MOST_FIELDS)
        return fail_at(ctx, d, "over 65,536 fields (is it a CSV file?)");
    if (d->fields == d->room) {
        TL_TRY(tl_realloc(ctx, (2 * d->room + 16) * sizeof *d->field, &d->field));
        d->room = 2 * d->room + 16;
    }
    if (d->at < d->end && *d->at == '"') {
        d->field[d->fields++] = ++d->at;
        if (!unquote(d, end))
            return fail_at(ctx, d, "a quote that never ends (close it)");
        if (!at_line_end(d) && *d->at != d->comma)
            return fail_at(ctx, d,
                           "text after a closing quote (double the quotes within)");
    } else {
        d->field[d->fields++] = d->at;
        while (!at_line_end(d) && *d->at != d->comma) d->at++;
        *end = d->at;
    }
done:
    return rc;
}

tl_status tl_delimited_next(tl_ctx *ctx, tl_delimited *d, bool *more)
{
    tl_status rc = TL_OK;

    *more     = false;
    d->fields = 0;
    while (d->at < d->end && at_line_end(d)) pass_line_end(d);
    d->line = d->next_line;
    if (d->at >= d->end) return TL_OK;
    for (bool last = false; !last;) {
        char *end = NULL;
        TL_TRY(next_field(ctx, d, &end));
        last = at_line_end(d);
        if (last)
            pass_line_end(d);
        else
            d->at++;
        *end = 0; /* only now: it may stand on the delimiter or the line end */
    }
    *more = true;
done:
    return rc;
}
