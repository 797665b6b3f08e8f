/* reader.h -- new rows of a table for a model that knows its columns: no target is needed.
 * Floor 2, data. */
#ifndef TL_DATA_TABLES_READER_H
#define TL_DATA_TABLES_READER_H
#include "data/tables/schema.h"

typedef struct {
    int64_t      rows;
    json_t      *bad;      /* array of texts: rows that have another number of fields       */
    const tl_schema *schema; /* borrowed */
    tl_sheet      sheet;
    int32_t     *map;
    const char **field;    /* [columns of the schema], of the row last read                 */
} tl_reader;
tl_status tl_reader_open(tl_ctx *ctx, const char *path, size_t limit, const tl_schema *schema,
                         tl_reader *out);
/* Of text in memory; `name` stands for the path. */
tl_status tl_reader_of_text(tl_ctx *ctx, const char *name, const char *text, size_t bytes,
                            const tl_schema *schema, tl_reader *out);
void      tl_reader_close(tl_ctx *ctx, tl_reader *r);
/* Row i coded to x [schema->width]; *fault: what is wrong with it and in which column, else
 * NULL.  place: "file:line". */
void      tl_reader_row(tl_reader *r, int64_t i, float *x, char place[400],
                        const char **fault, const char **column);
#endif
