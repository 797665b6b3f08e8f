/* reader.c -- see reader.h.  Floor 2, data. */
#include "data/texts/reader.h"
#include "data/part.h"

#include <string.h>

tl_status tl_text_reader_open(tl_ctx *ctx, const char *path, size_t limit,
                              const tl_text_columns *columns, tl_text_reader *out)
{
    tl_text_reader r   = { .text = { 0, -1 } };
    tl_bad         bad = { 0 };
    tl_status      rc;

    *out = (tl_text_reader){ 0 };
    TL_TRY(tl_sheet_read(ctx, path, limit, columns->name[0], &bad, &r.sheet));
    if (columns->name[0]) TL_TRY(tl_text_columns_map(ctx, columns, &r.sheet, r.text));
    else r.text[0] = (int32_t)TL_MAX((int64_t)0, tl_sheet_column(&r.sheet, "text"));
    r.bad     = bad.first;
    bad.first = NULL;
    *out      = r;
    r         = (tl_text_reader){ 0 };
done:
    tl_bad_free(&bad);
    tl_text_reader_close(ctx, &r);
    return rc;
}

void tl_text_reader_close(tl_ctx *ctx, tl_text_reader *r)
{
    tl_sheet_free(ctx, &r->sheet);
    json_decref(r->bad);
    *r = (tl_text_reader){ 0 };
}

void tl_text_reader_row(const tl_text_reader *r, int64_t i, tl_string text[2])
{
    for (int k = 0; k < 2; k++) {
        const char *cell = r->text[k] < 0 ? NULL : tl_sheet_cell(&r->sheet, i, r->text[k]);
        text[k]          = (tl_string){ cell, cell ? strlen(cell) : 0 };
    }
}
