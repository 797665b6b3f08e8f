/* thrift.h -- Thrift's compact protocol, read from memory: what Parquet's footers and page headers
 * are written in.  A fault is kept: after it every reading gives nothing, and the caller asks once.
 * Source: github.com/apache/thrift, doc/specs/thrift-compact-protocol.md.  Floor 2, data. */
#ifndef TL_DATA_PARQUET_THRIFT_H
#define TL_DATA_PARQUET_THRIFT_H
#include "core/core.h"

typedef struct {
    const uint8_t *data; /* borrowed */
    size_t         bytes, at;
    int            depth; /* of structs within structs that are passed over */
    bool           bad;
} tl_thrift;

typedef enum {
    TL_THRIFT_STOP, TL_THRIFT_TRUE, TL_THRIFT_FALSE, TL_THRIFT_BYTE, TL_THRIFT_I16,
    TL_THRIFT_I32, TL_THRIFT_I64, TL_THRIFT_DOUBLE, TL_THRIFT_BYTES, TL_THRIFT_LIST,
    TL_THRIFT_SET, TL_THRIFT_MAP, TL_THRIFT_STRUCT
} tl_thrift_type;

/* The next field of a struct; *id: the one before (0 at the start).  false at its end, or where the
 * bytes are bad.  The field's value is then read by one of those below, which want its type. */
bool    tl_thrift_field(tl_thrift *t, int *id, int *type);
int64_t tl_thrift_int(tl_thrift *t, int type);
bool    tl_thrift_bool(tl_thrift *t, int type);
/* *bytes of them from the place returned; borrowed. */
const uint8_t *tl_thrift_bytes(tl_thrift *t, int type, size_t *bytes);
/* The members of a list of `of`; no more than there are bytes left. */
size_t tl_thrift_list(tl_thrift *t, int type, int of);
/* What is to be a struct: its fields follow. */
void tl_thrift_struct(tl_thrift *t, int type);
void tl_thrift_skip(tl_thrift *t, int type);
#endif
