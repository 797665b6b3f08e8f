/* sheet.c -- see sheet.h.  Source: RFC 4180.  Floor 2, data. */
#include "data/tables/sheet.h"
#include "core/io.h"
#include "core/text.h"
#include "data/delimited.h"
#include "data/part.h"
#include "data/tables/cell.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HEADER_LOOKS_AT = 200 }; /* rows */

static const tl_sheet_format *const formats[] = {
#define TL_SHEET_FORMAT(id) &tl_sheet_format_##id,
#include "data/tables/sheets.def"
#undef TL_SHEET_FORMAT
};

/* NULL: of none. */
static const tl_sheet_format *format_of(const char *name)
{
    for (size_t i = 0; i < TL_COUNT(formats); i++)
        for (const char *const *end = formats[i]->ends; *end; end++)
            if (tl_ends_with(name, *end)) return formats[i];
    return NULL;
}

bool tl_is_sheet_name(const char *name)
{
    return format_of(name) != NULL;
}

void tl_sheet_free(tl_ctx *ctx, tl_sheet *g)
{
    for (int64_t i = 0; g->name && i < g->columns; i++) tl_free(ctx, g->name[i]);
    tl_free(ctx, g->name);
    tl_free(ctx, g->cell);
    tl_free(ctx, g->line);
    tl_free(ctx, g->text);
    tl_free(ctx, g->path);
    *g = (tl_sheet){ 0 };
}

/* "-1.234,5" -> "-1234.5" in place: where semicolons stand between the fields, a number has a
 * comma before its fraction (RFC 4180 knows none; so do spreadsheets of half of Europe). */
static void take_comma(char *text)
{
    char  *at = text + strspn(text, " \t"), *to = at + (*at == '-' || *at == '+'), *from = to;
    size_t digits = strspn(to, "0123456789");
    char  *end    = to + digits;

    for (; digits && digits <= 3 && *end == '.'; end += 4)
        if (strspn(end + 1, "0123456789") != 3) return;
    if (digits == 0 || *end != ',' || !end[1]) return;
    char *rest = end + 1 + strspn(end + 1, "0123456789");
    if (rest == end + 1 || rest[strspn(rest, " \t")]) return;
    for (; *from; from++)
        if (*from != '.') *to++ = (char)(*from == ',' ? '.' : *from);
    *to = 0;
}

static tl_status add_row(tl_ctx *ctx, const tl_delimited *d, tl_sheet *g)
{
    tl_status rc = TL_OK;

    if (g->rows == g->room) {
        const int64_t room = 2 * g->room + 256;
        TL_TRY(tl_realloc(ctx, (size_t)(room * g->columns) * sizeof *g->cell, &g->cell));
        TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *g->line, &g->line));
        g->room = room;
    }
    for (int64_t c = 0; c < g->columns; c++) {
        const size_t at = (size_t)(d->field[c] - d->text);
        if (d->comma == ';') take_comma(d->text + at);
        g->cell[g->rows * g->columns + c] = (uint32_t)at;
    }
    g->line[g->rows++] = (uint32_t)TL_MIN(d->line, (int64_t)UINT32_MAX);
done:
    return rc;
}

static tl_status read_rows(tl_ctx *ctx, tl_delimited *d, tl_bad *bad, tl_sheet *g)
{
    bool      more;
    char      place[400];
    tl_status rc;

    TL_TRY(tl_delimited_next(ctx, d, &more));
    if (!more)
        TL_FAIL(TL_EDATA, d->path, "is empty (give a table with a header and rows)");
    g->columns = (int64_t)d->fields;
    while (more) {
        snprintf(place, sizeof place, "%.300s:%" PRId64, d->path, d->line);
        if ((int64_t)d->fields == g->columns) TL_TRY(add_row(ctx, d, g));
        else TL_TRY(tl_bad_add(ctx, bad, place, "another number of fields than the first line"));
        TL_TRY(tl_delimited_next(ctx, d, &more));
    }
done:
    return rc;
}

static bool is_value(const char *text)
{
    double part[TL_DATE_PARTS];

    return tl_cell_number(text, part) || tl_cell_date(text, false, part) ||
           tl_cell_date(text, true, part);
}

static bool stands_below(const tl_sheet *g, int64_t column)
{
    const char *first = tl_sheet_cell(g, 0, column);

    for (int64_t r = 1; r < TL_MIN(g->rows, (int64_t)HEADER_LOOKS_AT); r++)
        if (strcmp(tl_sheet_cell(g, r, column), first) == 0) return true;
    return false;
}

/* An empty first field is what pandas writes above its row numbers. */
static bool has_header(const tl_sheet *g, const char *expect)
{
    for (int64_t c = 0; expect && c < g->columns; c++)
        if (strcmp(tl_sheet_cell(g, 0, c), expect) == 0) return true;
    if (expect) return false;
    for (int64_t c = 0; c < g->columns; c++) {
        const char *text = tl_sheet_cell(g, 0, c);
        if (c == 0 && !*text && g->columns > 1) continue;
        if (tl_cell_missing(text) || is_value(text) || stands_below(g, c)) return false;
    }
    return true;
}

static tl_status name_column(tl_ctx *ctx, tl_sheet *g, int64_t column)
{
    const char *text = g->header ? tl_sheet_cell(g, 0, column) : "";
    char        plain[32], place[400];

    snprintf(plain, sizeof plain, "column %" PRId64, column + 1);
    for (int64_t c = 0; c < column && *text; c++) {
        if (strcmp(g->name[c], text) != 0) continue;
        snprintf(place, sizeof place, "%.300s:%u", g->path, (unsigned)g->line[0]);
        return tl_fail(ctx, TL_EDATA, place,
                       "two columns are called \"%.80s\" (give each its own name)", text);
    }
    return tl_strdup(ctx, *text ? text : plain, &g->name[column]);
}

static tl_status take_header(tl_ctx *ctx, const char *expect, tl_sheet *g)
{
    tl_status rc;

    g->header = has_header(g, expect);
    TL_TRY(tl_alloc_array(ctx, (size_t)g->columns, sizeof *g->name, &g->name));
    for (int64_t c = 0; c < g->columns; c++) TL_TRY(name_column(ctx, g, c));
    if (!g->header) goto done;
    g->rows--;
    memmove(g->cell, g->cell + g->columns,
            (size_t)(g->rows * g->columns) * sizeof *g->cell);
    memmove(g->line, g->line + 1, (size_t)g->rows * sizeof *g->line);
done:
    return rc;
}

/* Takes d's text. */
static tl_status take_sheet(tl_ctx *ctx, tl_delimited *d, const char *expect, tl_bad *bad,
                            tl_sheet *out)
{
    tl_sheet  g = { 0 };
    tl_status rc;

    TL_TRY(tl_strdup(ctx, d->path, &g.path));
    TL_TRY(read_rows(ctx, d, bad, &g));
    g.text  = d->text; /* the cells lie in it */
    d->text = NULL;
    TL_TRY(take_header(ctx, expect, &g));
    if (g.rows == 0) TL_FAIL(TL_EDATA, g.path, "holds a header and no rows (add rows)");
    *out = g;
    g    = (tl_sheet){ 0 };
done:
    tl_sheet_free(ctx, &g);
    return rc;
}

static tl_status read_delimited(tl_ctx *ctx, const char *path, size_t limit,
                                const char *expect, tl_bad *bad, tl_sheet *out)
{
    tl_delimited d;
    tl_status    rc;

    *out = (tl_sheet){ 0 };
    TL_TRY(tl_delimited_open(ctx, path, TL_MIN(limit, (size_t)UINT32_MAX), &d));
    rc = take_sheet(ctx, &d, expect, bad, out);
    tl_delimited_close(ctx, &d);
done:
    return rc;
}

const tl_sheet_format tl_sheet_format_delimited = {
    .name   = "CSV or TSV",
    .source = "RFC 4180",
    .ends   = (const char *const[]){ ".csv", ".tsv", ".tab", ".csv.gz", ".tsv.gz", ".tab.gz",
                                     NULL },
    .read   = read_delimited,
};

/* A file that is called otherwise is taken for a CSV. */
tl_status tl_sheet_read(tl_ctx *ctx, const char *path, size_t limit, const char *expect,
                        tl_bad *bad, tl_sheet *out)
{
    const tl_sheet_format *f = format_of(path);

    *out = (tl_sheet){ 0 };
    return (f ? f : &tl_sheet_format_delimited)->read(ctx, path, limit, expect, bad, out);
}

tl_status tl_sheet_of_text(tl_ctx *ctx, const char *name, const char *text, size_t bytes,
                           const char *expect, tl_bad *bad, tl_sheet *out)
{
    tl_delimited d;
    tl_status    rc;

    *out = (tl_sheet){ 0 };
    if (bytes > UINT32_MAX) TL_FAIL(TL_ELIMIT, name, "over 4 GiB (give it in pieces)");
    TL_TRY(tl_delimited_of_text(ctx, name, text, bytes, &d));
    rc = take_sheet(ctx, &d, expect, bad, out);
    tl_delimited_close(ctx, &d);
done:
    return rc;
}

int64_t tl_sheet_column(const tl_sheet *g, const char *name)
{
    int64_t place;

    for (int64_t c = 0; c < g->columns; c++)
        if (strcmp(g->name[c], name) == 0) return c;
    for (int64_t c = 0; c < g->columns; c++)
        if (strcasecmp(g->name[c], name) == 0) return c;
    if (tl_parse_int(name, &place) && place >= 1 && place <= g->columns) return place - 1;
    return -1;
}

void tl_sheet_keep(tl_sheet *g, const uint8_t *keep)
{
    int64_t kept = 0;

    for (int64_t r = 0; r < g->rows; r++) {
        if (!keep[r]) continue;
        memmove(g->cell + kept * g->columns, g->cell + r * g->columns,
                (size_t)g->columns * sizeof *g->cell);
        g->line[kept++] = g->line[r];
    }
    g->rows = kept;
}
