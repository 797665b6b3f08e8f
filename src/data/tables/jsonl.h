/* jsonl.h -- JSON lines, an object each, as a sheet: the keys are its columns.
 * Floor 2, data.  Fuzz target: tests/fuzz/jsonl.c. */
#ifndef TL_DATA_TABLES_JSONL_H
#define TL_DATA_TABLES_JSONL_H
#include "data/tables/sheet.h"

bool tl_is_jsonl_name(const char *name); /* .jsonl, .ndjson, each also .gz */
/* Reads the file of at most `limit` bytes.  Keys of all lines, in the order of their first sight;
 * what a line lacks, or null, is empty; numbers, true and false stand as they are written, lists
 * and objects as their JSON.  Lines that are no object go to `bad`.  TL_EDATA, TL_ELIMIT. */
tl_status tl_jsonl_read(tl_ctx *ctx, const char *path, size_t limit, tl_bad *bad,
                        tl_sheet *out);
#endif
