/* idx.h -- read IDX files, the MNIST container (big-endian throughout), plain or gzip.
 * Source: the format notes on the MNIST page, yann.lecun.com/exdb/mnist.
 * Floor 2, data.  Fuzz target: tests/fuzz/idx.c. */
#ifndef TL_DATA_IDX_H
#define TL_DATA_IDX_H
#include "core/io.h"

typedef struct {
    int      ndim;     /* 1..4                                           */
    int64_t  dim[4];   /* items, rows, columns, channels; each >= 1      */
    uint8_t *data;     /* product(dim) bytes, row-major, 0..255; owned   */
} tl_idx;

/* Read all of `path` into *out; `limit` is the most data bytes to accept.
 * TL_EDATA   bad magic, element type or dimension, or data cut short
 * TL_ELIMIT  the header asks for more than `limit` bytes
 * On error *out is all zero. */
tl_status tl_idx_read(tl_ctx *ctx, const char *path, size_t limit, tl_idx *out);
void      tl_idx_free(tl_ctx *ctx, tl_idx *idx); /* safe to repeat */
/* Dimensions in the header at `path`; *ndim = 0 when it is not an IDX file of bytes. */
tl_status tl_idx_ndim(tl_ctx *ctx, const char *path, int *ndim);
#endif
