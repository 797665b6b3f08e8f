/* pages.c -- a column's chunk: its dictionary and data pages, their levels, and its values as
 * texts.  A page is unpacked at a time.  Source: parquet-format's README.md and parquet.thrift.
 * Floor 2, data. */
#include "data/parquet/inside.h"
#include "data/parquet/thrift.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2 };

tl_status tl_pq_need(tl_ctx *ctx, tl_pq_room *room, size_t bytes)
{
    if (bytes <= room->bytes && room->data) return TL_OK;
    tl_free(ctx, room->data);
    *room              = (tl_pq_room){ 0 };
    const tl_status rc = tl_alloc(ctx, TL_MAX(bytes, (size_t)64), &room->data);
    if (rc == TL_OK) room->bytes = TL_MAX(bytes, (size_t)64);
    return rc;
}

void tl_pq_pages_free(tl_ctx *ctx, tl_pq_pages *p)
{
    tl_free(ctx, p->page.data);
    tl_free(ctx, p->dictionary_page.data);
    tl_free(ctx, p->made.data);
    tl_free(ctx, p->values.data);
    tl_free(ctx, p->dictionary.data);
    tl_text_free(&p->word);
    *p = (tl_pq_pages){ 0 };
}

void tl_pq_leaf_free(tl_ctx *ctx, tl_pq_leaf *leaf)
{
    tl_free(ctx, leaf->def);
    tl_free(ctx, leaf->rep);
    tl_free(ctx, leaf->cell);
    *leaf = (tl_pq_leaf){ 0 };
}

/* A page's head. */
typedef struct {
    uint64_t at; /* of the page within the file */
    int64_t  kind, unpacked, packed, crc, values, encoding, def_bytes, rep_bytes;
    int64_t  def_encoding, rep_encoding;
    bool     has_crc, is_packed;
} head;

/* A reading of a chunk. */
typedef struct {
    tl_ctx            *ctx;
    tl_pq_pages       *p;
    const tl_pq_node  *node;
    const tl_pq_chunk *chunk;
    const tl_pq_codec *codec;
    bool               json;
    tl_text           *to;
    tl_pq_leaf        *leaf;
} reading;

static tl_status fail_at(const reading *r, const head *h, const char *what)
{
    return tl_pq_fail(r->ctx, r->p->file, h->at,
                      "column \"%.80s\": %s (write the file again, or without the column)",
                      r->node->name, what);
}

static void read_data_head(tl_thrift *t, head *h)
{
    int id = 0, type;

    while (tl_thrift_field(t, &id, &type)) {
        switch (id) {
        case 1: h->values = tl_thrift_int(t, type); break;
        case 2: h->encoding = tl_thrift_int(t, type); break;
        case 3: h->def_encoding = tl_thrift_int(t, type); break;
        case 4: h->rep_encoding = tl_thrift_int(t, type); break;
        default: tl_thrift_skip(t, type);
        }
    }
}

static void read_data_head_v2(tl_thrift *t, head *h)
{
    int id = 0, type;

    while (tl_thrift_field(t, &id, &type)) {
        switch (id) {
        case 1: h->values = tl_thrift_int(t, type); break;
        case 4: h->encoding = tl_thrift_int(t, type); break;
        case 5: h->def_bytes = tl_thrift_int(t, type); break;
        case 6: h->rep_bytes = tl_thrift_int(t, type); break;
        case 7: h->is_packed = tl_thrift_bool(t, type); break;
        default: tl_thrift_skip(t, type);
        }
    }
}

static void read_dictionary_head(tl_thrift *t, head *h)
{
    int id = 0, type;

    while (tl_thrift_field(t, &id, &type)) {
        switch (id) {
        case 1: h->values = tl_thrift_int(t, type); break;
        case 2: h->encoding = tl_thrift_int(t, type); break;
        default: tl_thrift_skip(t, type);
        }
    }
}

static head read_head(tl_thrift *t)
{
    head h  = { .kind = -1, .unpacked = -1, .packed = -1, .values = -1, .encoding = -1,
                .def_encoding = 3, .rep_encoding = 3, .is_packed = true };
    int  id = 0, type;

    while (tl_thrift_field(t, &id, &type)) {
        switch (id) {
        case 1: h.kind = tl_thrift_int(t, type); break;
        case 2: h.unpacked = tl_thrift_int(t, type); break;
        case 3: h.packed = tl_thrift_int(t, type); break;
        case 4: h.crc = tl_thrift_int(t, type), h.has_crc = true; break;
        case 5: tl_thrift_struct(t, type), read_data_head(t, &h); break;
        case 7: tl_thrift_struct(t, type), read_dictionary_head(t, &h); break;
        case 8: tl_thrift_struct(t, type), read_data_head_v2(t, &h); break;
        default: tl_thrift_skip(t, type);
        }
    }
    return h;
}

/* The sizes that it names, held against what there is. */
static tl_status check_head(const reading *r, const tl_thrift *t, const head *h)
{
    const int64_t left = (int64_t)(t->bytes - t->at);

    if (t->bad || h->kind < 0 || h->packed < 0 || h->packed > left || h->unpacked < 0 ||
        h->unpacked > INT32_MAX || h->packed > INT32_MAX)
        return fail_at(r, h, "the head of a page is damaged");
    if (h->kind == INDEX_PAGE) return TL_OK;
    if (h->kind > DATA_PAGE_V2 || h->values < 0 || h->values > INT32_MAX || h->def_bytes < 0 ||
        h->rep_bytes < 0 || h->def_bytes > h->packed || h->rep_bytes > h->packed - h->def_bytes ||
        h->def_bytes + h->rep_bytes > h->unpacked)
        return fail_at(r, h, "the head of a page is damaged");
    if (h->has_crc && crc32(0, t->data + t->at, (uInt)h->packed) != (uint32_t)h->crc)
        return fail_at(r, h, "the checksum of a page is wrong");
    if ((size_t)h->unpacked > r->p->limit || (size_t)h->values > r->p->limit / 16)
        return tl_fail(r->ctx, TL_ELIMIT, r->p->file->path,
                       "a page of column \"%.80s\" is over the limit of memory (raise --memory)",
                       r->node->name);
    return TL_OK;
}

/* What is packed in the page behind its first `bare` bytes. */
static tl_status unpack(const reading *r, const head *h, const uint8_t *data, int64_t bare,
                        tl_pq_room *room, tl_pq_bytes *out)
{
    const tl_pq_bytes from  = { data + bare, (size_t)(h->packed - bare) };
    const size_t      bytes = (size_t)(h->unpacked - bare);
    const char       *fault;
    tl_status         rc;

    *out = from;
    if (r->codec->id == 0 || !h->is_packed)
        return from.bytes == bytes ? TL_OK : fail_at(r, h, "a page is not of the size it names");
    rc = tl_pq_need(r->ctx, room, bytes);
    if (rc != TL_OK) return rc;
    *out = (tl_pq_bytes){ room->data, bytes };
    if (bytes == 0) return TL_OK; /* packed to nothing, or to a head alone */
    fault = r->codec->unpack(from, room->data, bytes);
    return fault ? fail_at(r, h, fault) : TL_OK;
}

/* JSON knows no such number. */
static bool is_infinite(const tl_text *to, size_t at)
{
    return to->status == TL_OK && to->bytes > at && to->text[at + (to->text[at] == '-')] == 'i';
}

/* A value's text and its zero byte; *cell 0: there is none. */
static tl_status put_value(const reading *r, const head *h, tl_pq_bytes value, uint32_t *cell)
{
    const tl_pq_meaning *m      = r->node->meaning;
    const bool           quoted = r->json && m->quoted;
    const size_t         at     = r->to->bytes;
    tl_text             *word   = &r->p->word;

    *cell       = (uint32_t)at;
    word->bytes = 0;
    const tl_pq_wrote wrote = m->write(r->node, value, quoted ? word : r->to);
    if (wrote == TL_PQ_WRONG) return fail_at(r, h, m->wrong);
    if (wrote == TL_PQ_NOTHING || (r->json && is_infinite(r->to, at))) *cell = 0;
    if (quoted && *cell && word->status == TL_OK)
        tl_pq_quote(r->to, word->bytes ? word->text : "", word->bytes);
    tl_text_add_bytes(r->to, "", 1);
    if (r->to->status != TL_OK || word->status != TL_OK)
        return r->to->status != TL_OK ? r->to->status : word->status;
    if (r->to->bytes <= TL_MIN(r->p->limit, (size_t)UINT32_MAX)) return TL_OK;
    return tl_fail(r->ctx, TL_ELIMIT, r->p->file->path,
                   "its texts are over %zu bytes (raise --memory, or give a part of it)",
                   TL_MIN(r->p->limit, (size_t)UINT32_MAX));
}

/* The page's `count` values as slices. */
static tl_status decode(reading *r, const head *h, const tl_pq_encoding *e, tl_pq_bytes from,
                        int64_t count, tl_pq_bytes **out)
{
    tl_ctx        *ctx = r->ctx;
    tl_pq_decoding d   = { .node = r->node, .from = from, .count = count, .limit = r->p->limit,
                           .made = &r->p->made };
    tl_status      rc;

    TL_TRY(tl_pq_need(ctx, &r->p->values, (size_t)count * sizeof *d.value));
    *out = d.value = r->p->values.data;
    if (count) TL_TRY(e->decode(ctx, &d));
    if (d.fault) rc = fail_at(r, h, d.fault);
done:
    return rc;
}

static tl_status read_dictionary(reading *r, const head *h, const uint8_t *data)
{
    tl_ctx      *ctx = r->ctx;
    tl_pq_bytes  from, *value;
    uint32_t    *cell;
    tl_status    rc;

    if (r->p->dictionary_count >= 0) return fail_at(r, h, "it has a second dictionary");
    TL_TRY(unpack(r, h, data, 0, &r->p->dictionary_page, &from));
    TL_TRY(decode(r, h, tl_pq_encoding_of(0), from, h->values, &value));
    TL_TRY(tl_pq_need(ctx, &r->p->dictionary, (size_t)h->values * sizeof *cell));
    cell = r->p->dictionary.data;
    for (int64_t i = 0; i < h->values; i++) TL_TRY(put_value(r, h, value[i], &cell[i]));
    r->p->dictionary_count = h->values;
done:
    return rc;
}

/* Bits for levels of 0..most. */
static int bits_for(int most)
{
    int bits = 0;

    while (most >> bits) bits++;
    return bits;
}

static tl_status read_levels(reading *r, const head *h, const uint8_t *at, size_t bytes, int most,
                             int64_t count, uint8_t *out)
{
    tl_pq_runs runs = tl_pq_runs_of(at, at + bytes, bits_for(most));

    for (int64_t i = 0; most > 0 && i < count; i++) {
        const uint32_t level = tl_pq_runs_next(&runs);
        if (runs.bad || level > (uint32_t)most)
            return fail_at(r, h, "the levels of its nulls and lists are damaged");
        out[i] = (uint8_t)level;
    }
    return TL_OK;
}

/* Levels of the first form of pages: runs behind their length.  *from moves behind them. */
static tl_status read_sized(reading *r, const head *h, tl_pq_bytes *from, int64_t encoding,
                            int most, uint8_t *out)
{
    size_t    bytes;
    tl_status rc;

    if (most == 0) return TL_OK;
    if (encoding != 3)
        return fail_at(r, h, "its levels are in the old encoding BIT_PACKED, which is not read");
    bytes = from->bytes < 4 ? SIZE_MAX
                            : (size_t)from->at[0] | (size_t)from->at[1] << 8 |
                                  (size_t)from->at[2] << 16 | (size_t)from->at[3] << 24;
    if (from->bytes < 4 || bytes > from->bytes - 4) return fail_at(r, h, "a page is cut short");
    rc    = read_levels(r, h, from->at + 4, bytes, most, h->values, out);
    *from = (tl_pq_bytes){ from->at + 4 + bytes, from->bytes - 4 - bytes };
    return rc;
}

/* Room for the page's values behind those there are, all zero. */
static tl_status make_room(reading *r, const head *h)
{
    tl_ctx       *ctx  = r->ctx;
    tl_pq_leaf   *leaf = r->leaf;
    const int64_t need = leaf->count + h->values;
    tl_status     rc   = TL_OK;

    if (need > r->chunk->values) return fail_at(r, h, "its pages hold more values than it names");
    if (need > leaf->room) {
        const int64_t room = TL_MAX(need, TL_MIN(2 * leaf->room, r->chunk->values));
        if ((size_t)room > r->p->limit / 6)
            return tl_fail(ctx, TL_ELIMIT, r->p->file->path, "column \"%.80s\" is over the limit "
                           "of memory (raise --memory)", r->node->name);
        TL_TRY(tl_realloc(ctx, (size_t)room, &leaf->def));
        TL_TRY(tl_realloc(ctx, (size_t)room, &leaf->rep));
        TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *leaf->cell, &leaf->cell));
        leaf->room = room;
    }
    memset(leaf->def + leaf->count, 0, (size_t)h->values);
    memset(leaf->rep + leaf->count, 0, (size_t)h->values);
    memset(leaf->cell + leaf->count, 0, (size_t)h->values * sizeof *leaf->cell);
done:
    return rc;
}

/* Indices into the dictionary's texts. */
static tl_status take_indices(reading *r, const head *h, tl_pq_bytes from, int64_t present,
                              uint32_t *cell)
{
    const uint32_t *text = r->p->dictionary.data;
    const uint8_t  *def  = r->leaf->def + r->leaf->count;
    tl_pq_runs      runs;

    if (r->p->dictionary_count < 0) return fail_at(r, h, "its dictionary is missing");
    if (present == 0) return TL_OK;
    if (from.bytes == 0) return fail_at(r, h, "a page is cut short");
    runs = tl_pq_runs_of(from.at + 1, from.at + from.bytes, from.at[0]);
    for (int64_t i = 0; i < h->values; i++) {
        if (def[i] < r->node->max_def) continue;
        const uint32_t k = tl_pq_runs_next(&runs);
        if (runs.bad || k >= (uint64_t)r->p->dictionary_count)
            return fail_at(r, h, "its values point beyond its dictionary");
        cell[i] = text[k];
    }
    return TL_OK;
}

static tl_status take_values(reading *r, const head *h, tl_pq_bytes from)
{
    tl_ctx               *ctx  = r->ctx;
    const tl_pq_encoding *e    = tl_pq_encoding_of((int)TL_MIN(h->encoding, (int64_t)INT32_MAX));
    const uint8_t        *def  = r->leaf->def + r->leaf->count;
    uint32_t             *cell = r->leaf->cell + r->leaf->count;
    int64_t               present = 0;
    tl_pq_bytes          *value;
    tl_status             rc;

    if (!e || (!e->decode && !e->indices))
        return tl_pq_fail(ctx, r->p->file, h->at,
                          "column \"%.80s\" is in the encoding %s, which is not read (write the "
                          "file again with another)", r->node->name, e ? e->name : "(unknown)");
    for (int64_t i = 0; i < h->values; i++) present += def[i] == r->node->max_def;
    if (e->indices) return take_indices(r, h, from, present, cell);
    TL_TRY(decode(r, h, e, from, present, &value));
    for (int64_t i = 0; i < h->values; i++)
        if (def[i] == r->node->max_def) TL_TRY(put_value(r, h, *value++, &cell[i]));
done:
    return rc;
}

static tl_status read_page(reading *r, const head *h, const uint8_t *data)
{
    uint8_t    *def, *rep;
    tl_pq_bytes from;
    tl_status   rc;

    if (h->values == 0) return TL_OK;
    TL_TRY(make_room(r, h));
    def = r->leaf->def + r->leaf->count;
    rep = r->leaf->rep + r->leaf->count;
    if (h->kind == DATA_PAGE) {
        TL_TRY(unpack(r, h, data, 0, &r->p->page, &from));
        TL_TRY(read_sized(r, h, &from, h->rep_encoding, r->node->max_rep, rep));
        TL_TRY(read_sized(r, h, &from, h->def_encoding, r->node->max_def, def));
    } else {
        const size_t reps = (size_t)h->rep_bytes, defs = (size_t)h->def_bytes;
        TL_TRY(unpack(r, h, data, h->rep_bytes + h->def_bytes, &r->p->page, &from));
        TL_TRY(read_levels(r, h, data, reps, r->node->max_rep, h->values, rep));
        TL_TRY(read_levels(r, h, data + reps, defs, r->node->max_def, h->values, def));
    }
    TL_TRY(take_values(r, h, from));
    r->leaf->count += h->values;
done:
    return rc;
}

static tl_status read_pages(reading *r)
{
    tl_thrift t  = { .data = r->p->file->data + r->chunk->at, .bytes = (size_t)r->chunk->bytes };
    tl_status rc = TL_OK;

    while (r->leaf->count < r->chunk->values && rc == TL_OK) {
        const uint64_t at = r->chunk->at + t.at;
        head           h  = { .at = at };
        if (t.at >= t.bytes) return fail_at(r, &h, "it ends early");
        h    = read_head(&t);
        h.at = at;
        rc   = check_head(r, &t, &h);
        if (rc != TL_OK) break;
        const uint8_t *data = t.data + t.at;
        t.at += (size_t)h.packed;
        if (h.kind == DICTIONARY_PAGE) rc = read_dictionary(r, &h, data);
        else if (h.kind != INDEX_PAGE) rc = read_page(r, &h, data);
    }
    return rc;
}

tl_status tl_pq_read_chunk(tl_ctx *ctx, tl_pq_pages *p, const tl_pq_node *node,
                           const tl_pq_chunk *chunk, bool json, tl_text *to, tl_pq_leaf *out)
{
    reading r = { ctx, p, node, chunk, tl_pq_codec_of(chunk->codec), json, to, out };

    out->count          = 0;
    p->dictionary_count = -1;
    if (!r.codec || !r.codec->unpack)
        return tl_pq_fail(ctx, p->file, chunk->at,
                          "column \"%.80s\" is packed by %s, which is not read (write the file "
                          "with snappy, gzip, zstd or none)", node->name,
                          r.codec ? r.codec->name : "an unknown codec");
    return read_pages(&r);
}
