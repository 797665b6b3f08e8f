/* reader.c -- see reader.h.  Floor 2, data. */
#include "data/tables/reader.h"
#include "data/part.h"

#include <stdio.h>

static const char *first_name(const tl_schema *s)
{
    int64_t i = 0;

    while (i < s->columns - 1 && s->column[i].kind == TL_COLUMN_LEFT_OUT) i++;
    return s->column[i].name;
}

/* Takes the sheet and the bad rows. */
static tl_status begin(tl_ctx *ctx, const tl_schema *schema, tl_sheet *sheet, tl_bad *bad,
                       tl_reader *out)
{
    tl_reader r = {
        .schema = schema, .sheet = *sheet, .rows = sheet->rows, .bad = bad->first
    };
    tl_status rc;

    *sheet     = (tl_sheet){ 0 };
    bad->first = NULL;
    TL_TRY(tl_alloc_array(ctx, (size_t)schema->columns, sizeof *r.map, &r.map));
    TL_TRY(tl_alloc_array(ctx, (size_t)schema->columns, sizeof *r.field, &r.field));
    TL_TRY(tl_schema_map(ctx, schema, &r.sheet, r.map));
    *out = r;
    r    = (tl_reader){ 0 };
done:
    tl_reader_close(ctx, &r);
    return rc;
}

tl_status tl_reader_open(tl_ctx *ctx, const char *path, size_t limit,
                         const tl_schema *schema, tl_reader *out)
{
    tl_sheet  sheet;
    tl_bad    bad = { 0 };
    tl_status rc;

    *out = (tl_reader){ 0 };
    TL_TRY(tl_sheet_read(ctx, path, limit, first_name(schema), &bad, &sheet));
    TL_TRY(begin(ctx, schema, &sheet, &bad, out));
done:
    tl_bad_free(&bad);
    return rc;
}

tl_status tl_reader_of_text(tl_ctx *ctx, const char *name, const char *text, size_t bytes,
                            const tl_schema *schema, tl_reader *out)
{
    tl_sheet  sheet;
    tl_bad    bad = { 0 };
    tl_status rc;

    *out = (tl_reader){ 0 };
    TL_TRY(tl_sheet_of_text(ctx, name, text, bytes, first_name(schema), &bad, &sheet));
    TL_TRY(begin(ctx, schema, &sheet, &bad, out));
done:
    tl_bad_free(&bad);
    return rc;
}

void tl_reader_close(tl_ctx *ctx, tl_reader *r)
{
    tl_sheet_free(ctx, &r->sheet);
    tl_free(ctx, r->map);
    tl_free(ctx, r->field);
    json_decref(r->bad);
    *r = (tl_reader){ 0 };
}

void tl_reader_row(tl_reader *r, int64_t i, float *x, char place[400], const char **fault,
                   const char **column)
{
    *fault = *column = NULL;
    for (int64_t c = 0; c < r->schema->columns; c++) {
        const tl_column *one = &r->schema->column[c];
        r->field[c] = r->map[c] < 0 ? NULL : tl_sheet_cell(&r->sheet, i, r->map[c]);
        if (*fault || !r->field[c]) continue;
        *fault  = tl_column_fault(one, r->field[c]);
        *column = one->name;
    }
    snprintf(place, 400, "%.380s:%u", r->sheet.path, (unsigned)r->sheet.line[i]);
    if (!*fault) tl_schema_code(r->schema, r->field, x);
}
