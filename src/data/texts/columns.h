/* columns.h -- which columns of a sheet are texts and which one is their label; by which it is
 * told from an ordinary table.  Floor 2, data. */
#ifndef TL_DATA_TEXTS_COLUMNS_H
#define TL_DATA_TEXTS_COLUMNS_H
#include "data/tables/schema.h"
#include "data/tokenizer/tokenizer.h"

typedef struct {
    char *name[2]; /* the text, and the second of pairs or NULL; owned                    */
    char *label;   /* NULL: one file a class                                              */
    char *why;     /* how they were found, for people                                     */
    const tl_task *task; /* what is asked; NULL: classes                                   */
} tl_text_columns;

/* Texts where --text names a column, or a column that holds sentences has a name that says so
 * or stands beside little else, and a column of labels is there (by name also one of numbers with
 * fractions).  *found false: no table of
 * texts.  TL_EDATA, TL_EUSAGE where a column that was asked for is missing. */
tl_status tl_text_columns_find(tl_ctx *ctx, const tl_sheet *g, const tl_table_ask *ask,
                               tl_text_columns *out, bool *found);
tl_status tl_text_columns_copy(tl_ctx *ctx, const tl_text_columns *from, tl_text_columns *out);
void      tl_text_columns_free(tl_ctx *ctx, tl_text_columns *c); /* safe to repeat */
/* The sheet's columns of these names: text[2] (-1: no pair).  TL_EDATA where one is missing. */
tl_status tl_text_columns_map(tl_ctx *ctx, const tl_text_columns *c, const tl_sheet *g,
                              int32_t text[2]);
#endif
