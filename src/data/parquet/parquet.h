/* parquet.h -- an Apache Parquet file as a sheet of texts (sheets.def): numbers, dates and texts
 * as a CSV would hold them, lists, maps and structs as their JSON; nulls are empty.  Snappy, gzip,
 * zstd and LZ4_RAW; all encodings of the format but BIT_PACKED.  A row group is read at a time and
 * a page unpacked at a time; texts and cells take at most the sheet's limit.  A row's line is its
 * number from 1.  A null's cell is the text's first byte; equal values may share their text.
 * Source: github.com/apache/parquet-format.  Floor 2, data.  Fuzz target: tests/fuzz/parquet.c. */
#ifndef TL_DATA_PARQUET_H
#define TL_DATA_PARQUET_H
#include "data/tables/sheet.h"

#include <jansson.h>

bool tl_is_parquet_name(const char *name); /* .parquet, .parq, .pq */
/* A file's bytes as a sheet; `name` stands for its path. */
tl_status tl_parquet_of_bytes(tl_ctx *ctx, const char *name, const uint8_t *data, size_t bytes,
                              size_t limit, tl_sheet *out);
/* Each row as an object, nested values as what they are, numbers as texts; `each` borrows it. */
tl_status tl_parquet_objects(tl_ctx *ctx, const char *path, size_t limit,
                             tl_status (*each)(void *user, int64_t row, const json_t *object),
                             void *user);
/* An object of the names of its columns, with null under each; only the footer is read. */
tl_status tl_parquet_names(tl_ctx *ctx, const char *path, json_t **out);
#endif
