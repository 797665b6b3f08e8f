/* sheet.h -- a CSV, TSV, JSONL or Parquet file as rows of texts under names: nothing is read into
 * them yet.  Floor 2, data.  Fuzz target: tests/fuzz/table.c. */
#ifndef TL_DATA_TABLES_SHEET_H
#define TL_DATA_TABLES_SHEET_H
#include "core/core.h"

typedef struct tl_bad tl_bad;

typedef struct {
    char     *text;    /* of the whole file; cells point into it; owned, as all below       */
    char     *path;
    char    **name;    /* [columns] of the header, else "column 1"...                       */
    int64_t   columns, rows, room;
    uint32_t *cell;    /* [rows columns] offsets into text                                  */
    uint32_t *line;    /* [rows] where each began                                           */
    bool      header;
} tl_sheet;

/* A kind of file that is read as a sheet, told by the ends of its names.  A new one: its file, a
 * line in sheets.def. */
typedef struct {
    const char        *name, *source;
    const char *const *ends; /* NULL behind the last */
    tl_status (*read)(tl_ctx *ctx, const char *path, size_t limit, const char *expect,
                      tl_bad *bad, tl_sheet *out);
} tl_sheet_format;
#define TL_SHEET_FORMAT(id) extern const tl_sheet_format tl_sheet_format_##id;
#include "data/tables/sheets.def"
#undef TL_SHEET_FORMAT

/* Reads the file as its name says; of at most `limit` bytes.  A CSV's first record is a header
 * unless one of its fields is a number, a date or missing, or stands again in its column below;
 * with `expect` (may be NULL): when one of its fields is that name.  Rows of another number of
 * fields go to `bad`.  TL_EDATA, TL_ELIMIT "file:line: ...". */
tl_status tl_sheet_read(tl_ctx *ctx, const char *path, size_t limit, const char *expect,
                       tl_bad *bad, tl_sheet *out);
/* The same of text in memory; `name` stands for the path. */
tl_status tl_sheet_of_text(tl_ctx *ctx, const char *name, const char *text, size_t bytes,
                           const char *expect, tl_bad *bad, tl_sheet *out);
void      tl_sheet_free(tl_ctx *ctx, tl_sheet *g); /* safe to repeat */
/* The column of this name, else (a whole number, and no column is called so) of this place
 * from 1; -1: none. */
int64_t   tl_sheet_column(const tl_sheet *g, const char *name);
static inline const char *tl_sheet_cell(const tl_sheet *g, int64_t row, int64_t column)
{
    return g->text + g->cell[row * g->columns + column];
}
/* Keeps the rows of keep[row] != 0. */
void      tl_sheet_keep(tl_sheet *g, const uint8_t *keep);
bool      tl_is_sheet_name(const char *name); /* of a kind that sheets.def lists */
#endif
