/* thrift.c -- see thrift.h.  Floor 2, data. */
#include "data/parquet/thrift.h"

enum { MOST_DEPTH = 32 };

static uint8_t byte_of(tl_thrift *t)
{
    if (t->bad || t->at >= t->bytes) {
        t->bad = true;
        return 0;
    }
    return t->data[t->at++];
}

static uint64_t varint(tl_thrift *t)
{
    uint64_t value = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        const uint8_t b = byte_of(t);
        value |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) return value;
    }
    t->bad = true;
    return 0;
}

static int64_t zigzag(tl_thrift *t)
{
    const uint64_t v = varint(t);

    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

bool tl_thrift_field(tl_thrift *t, int *id, int *type)
{
    const uint8_t head = byte_of(t);
    const int64_t next = head & 0x0f && !(head >> 4) ? zigzag(t) : *id + (head >> 4);

    *type = head & 0x0f;
    if (t->bad || *type == TL_THRIFT_STOP) return false;
    if (*type > TL_THRIFT_STRUCT || next < INT16_MIN || next > INT16_MAX) t->bad = true;
    *id = (int)next;
    return !t->bad;
}

int64_t tl_thrift_int(tl_thrift *t, int type)
{
    if (type == TL_THRIFT_BYTE) return (int8_t)byte_of(t);
    if (type == TL_THRIFT_I16 || type == TL_THRIFT_I32 || type == TL_THRIFT_I64) return zigzag(t);
    t->bad = true;
    return 0;
}

bool tl_thrift_bool(tl_thrift *t, int type)
{
    if (type != TL_THRIFT_TRUE && type != TL_THRIFT_FALSE) t->bad = true;
    return type == TL_THRIFT_TRUE;
}

const uint8_t *tl_thrift_bytes(tl_thrift *t, int type, size_t *bytes)
{
    const uint64_t n = varint(t);

    *bytes = 0;
    if (type != TL_THRIFT_BYTES || t->bad || n > t->bytes - t->at) {
        t->bad = true;
        return NULL;
    }
    *bytes = (size_t)n;
    t->at += *bytes;
    return t->data + t->at - *bytes;
}

static size_t list_head(tl_thrift *t, int *of)
{
    const uint8_t  head = byte_of(t);
    const uint64_t n    = head >> 4 == 15 ? varint(t) : head >> 4;

    *of = head & 0x0f;
    if (t->bad || n > t->bytes - t->at) { /* a member is a byte or more */
        t->bad = true;
        return 0;
    }
    return (size_t)n;
}

size_t tl_thrift_list(tl_thrift *t, int type, int of)
{
    int          said;
    const size_t n = list_head(t, &said);

    if (type != TL_THRIFT_LIST || (n && said != of)) t->bad = true;
    return t->bad ? 0 : n;
}

void tl_thrift_struct(tl_thrift *t, int type)
{
    if (type != TL_THRIFT_STRUCT) t->bad = true;
}

/* A member of a list or map: truth values take a byte there. */
static void skip_member(tl_thrift *t, int type)
{
    if (type == TL_THRIFT_TRUE || type == TL_THRIFT_FALSE) byte_of(t);
    else tl_thrift_skip(t, type);
}

static void skip_map(tl_thrift *t)
{
    const uint64_t n     = varint(t);
    const uint8_t  kinds = n ? byte_of(t) : 0;

    if (n > t->bytes - t->at) t->bad = true;
    for (uint64_t i = 0; i < n && !t->bad; i++) {
        skip_member(t, kinds >> 4);
        skip_member(t, kinds & 0x0f);
    }
}

static void skip_fields(tl_thrift *t)
{
    int id = 0, type;

    while (tl_thrift_field(t, &id, &type)) tl_thrift_skip(t, type);
}

void tl_thrift_skip(tl_thrift *t, int type)
{
    size_t n;
    int    of;

    if (++t->depth > MOST_DEPTH) t->bad = true;
    if (t->bad) goto done;
    switch (type) {
    case TL_THRIFT_TRUE:
    case TL_THRIFT_FALSE: break;
    case TL_THRIFT_BYTE: byte_of(t); break;
    case TL_THRIFT_I16:
    case TL_THRIFT_I32:
    case TL_THRIFT_I64: varint(t); break;
    case TL_THRIFT_DOUBLE:
        for (int i = 0; i < 8; i++) byte_of(t);
        break;
    case TL_THRIFT_BYTES: tl_thrift_bytes(t, type, &n); break;
    case TL_THRIFT_LIST:
    case TL_THRIFT_SET:
        n = list_head(t, &of);
        for (size_t i = 0; i < n && !t->bad; i++) skip_member(t, of);
        break;
    case TL_THRIFT_MAP: skip_map(t); break;
    case TL_THRIFT_STRUCT: skip_fields(t); break;
    default: t->bad = true;
    }
done:
    t->depth--;
}
