/* reader.h -- new texts of a sheet for a model that knows their columns: no label is needed.
 * Floor 2, data. */
#ifndef TL_DATA_TEXTS_READER_H
#define TL_DATA_TEXTS_READER_H
#include "core/json.h"
#include "data/texts/columns.h"

typedef struct {
    tl_sheet sheet;
    int32_t  text[2]; /* its columns; -1: there is no second                              */
    json_t  *bad;     /* array of texts: rows that could not be read; NULL: none           */
} tl_text_reader;
/* Without names in `columns`: those called "text", else the first. */
tl_status tl_text_reader_open(tl_ctx *ctx, const char *path, size_t limit,
                              const tl_text_columns *columns, tl_text_reader *out);
void      tl_text_reader_close(tl_ctx *ctx, tl_text_reader *r);
/* Row i's text and the second of a pair, text NULL: none; borrowed. */
void      tl_text_reader_row(const tl_text_reader *r, int64_t i, tl_string text[2]);
#endif
