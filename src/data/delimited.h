/* delimited.h -- CSV and TSV: records of fields, quotes as in RFC 4180, UTF-8 with or without
 * its mark, any line end.  Floor 2, data.  Fuzz target: tests/fuzz/labels.c. */
#ifndef TL_DATA_DELIMITED_H
#define TL_DATA_DELIMITED_H
#include "core/core.h"

typedef struct {
    char        *text;  /* owned; fields point into it, unquoted in place   */
    const char  *path;  /* borrowed, for messages                           */
    char        *at, *end;
    char         comma; /* ',', ';' or a tab                                */
    const char **field; /* of the record last read; owned                   */
    size_t       fields, room;
    int64_t      line;  /* where that record began, from 1                  */
    int64_t      next_line;
} tl_delimited;

/* The whole of a text file, without UTF-8's mark; .gz is unpacked.  A zero byte follows it;
 * TL_EDATA where one stands in it.  Ended with tl_free. */
tl_status tl_whole_text(tl_ctx *ctx, const char *path, size_t limit, char **text,
                        size_t *bytes);

/* Reads the file (.gz is unpacked); the delimiter is a tab for .tsv, else what
 * stands most often in the first line. */
tl_status tl_delimited_open(tl_ctx *ctx, const char *path, size_t limit, tl_delimited *out);
/* The same of a copy of `text`; `name` stands for its path in messages. */
tl_status tl_delimited_of_text(tl_ctx *ctx, const char *name, const char *text,
                               size_t bytes, tl_delimited *out);
/* *more = false at the end.  Empty lines are passed over.  TL_EDATA "file:line: ...". */
tl_status tl_delimited_next(tl_ctx *ctx, tl_delimited *d, bool *more);
void      tl_delimited_close(tl_ctx *ctx, tl_delimited *d);
#endif
