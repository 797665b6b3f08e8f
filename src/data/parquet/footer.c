/* footer.c -- the end of a Parquet file: its schema and where its columns' chunks lie.
 * Source: parquet-format's parquet.thrift.  Floor 2, data. */
#include "data/parquet/inside.h"
#include "data/tokenizer/unicode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Some writers leave the dictionary's head out of a chunk's size (PARQUET-816). */
enum { FORGOTTEN = 100 };
enum { TAIL = 8, MOST_LEAVES = 1 << 16, MOST_LEVELS = 64, MOST_NAME = 1 << 16, MOST_SCALE = 76 };

tl_status tl_pq_fail(tl_ctx *ctx, const tl_pq_file *f, uint64_t at, const char *format, ...)
{
    char    where[512], what[600];
    va_list args;

    snprintf(where, sizeof where, "%.480s@%" PRIu64, f->path, at);
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return tl_fail(ctx, TL_EDATA, where, "%s", what);
}

/* A schema's element as it is written. */
typedef struct {
    int64_t    physical, width, repetition, children, scale;
    tl_pq_said said;
    const char *name;
    size_t     name_bytes;
} element;

/* MILLIS, MICROS, NANOS: a union of empty structs. */
static int read_unit(tl_thrift *t)
{
    int id = 0, type, unit = -1;

    while (tl_thrift_field(t, &id, &type)) {
        unit = id;
        tl_thrift_skip(t, type);
    }
    return unit;
}

/* The one member of the union LogicalType that is set. */
static void read_logical(tl_thrift *t, tl_pq_said *said)
{
    int id = 0, type, inner = 0;

    while (tl_thrift_field(t, &id, &type)) {
        said->logical = id;
        tl_thrift_struct(t, type);
        inner = 0;
        while (tl_thrift_field(t, &inner, &type)) {
            const bool time = id == 7 || id == 8;
            if (id == 5 && inner == 1) said->scale = (int)tl_thrift_int(t, type);
            else if (time && inner == 1) said->utc = tl_thrift_bool(t, type);
            else if (time && inner == 2) tl_thrift_struct(t, type), said->unit = read_unit(t);
            else if (id == 10 && inner == 1) said->bits = (int)tl_thrift_int(t, type);
            else if (id == 10 && inner == 2) said->is_signed = tl_thrift_bool(t, type);
            else tl_thrift_skip(t, type);
        }
    }
}

static element read_element(tl_thrift *t)
{
    element e  = { .physical = -1, .said = { -1, -1, 0, -1, 0, false, true }, .name = "" };
    int     id = 0, type;

    while (tl_thrift_field(t, &id, &type)) {
        switch (id) {
        case 1: e.physical = tl_thrift_int(t, type); break;
        case 2: e.width = tl_thrift_int(t, type); break;
        case 3: e.repetition = tl_thrift_int(t, type); break;
        case 4: e.name = (const char *)tl_thrift_bytes(t, type, &e.name_bytes); break;
        case 5: e.children = tl_thrift_int(t, type); break;
        case 6: e.said.converted = (int)tl_thrift_int(t, type); break;
        case 7: e.scale = tl_thrift_int(t, type); break;
        case 10: tl_thrift_struct(t, type), read_logical(t, &e.said); break;
        default: tl_thrift_skip(t, type);
        }
    }
    if (e.said.logical != 5) e.said.scale = (int)e.scale;
    return e;
}

/* Reading the schema: nodes as they come, each with how many are still to come within it. */
typedef struct {
    tl_ctx     *ctx;
    tl_thrift  *t;
    tl_pq_file *f;
    uint64_t    base; /* of the footer within the file */
    size_t      left; /* elements                      */
    int64_t     room;
} reading;

static tl_status take_leaf(reading *r, tl_pq_node *n, const element *e)
{
    static const size_t width[] = { 0, 4, 8, 12, 4, 8, 0, 0 };
    const char         *what;

    if (e->physical < 0 || e->physical >= TL_PQ_PHYSICALS || e->said.scale < 0 ||
        e->said.scale > MOST_SCALE || e->width < 0 || e->width > INT32_MAX ||
        (e->physical == TL_PQ_FIXED && e->width == 0))
        return tl_pq_fail(r->ctx, r->f, r->base + r->t->at,
                          "column \"%.80s\" is of no type that there is (is the file damaged?)",
                          n->name);
    n->physical = (tl_pq_physical)e->physical;
    n->width    = n->physical == TL_PQ_FIXED ? (size_t)e->width : width[e->physical];
    what        = tl_pq_take_meaning(n, &e->said);
    if (!what) return TL_OK;
    return tl_pq_fail(r->ctx, r->f, r->base + r->t->at,
                      "column \"%.80s\" holds %s, which are not read (write the file without it)",
                      n->name, what);
}

static tl_status take_name(reading *r, const element *e, char **out)
{
    tl_ctx   *ctx = r->ctx;
    size_t    bad;
    tl_status rc;

    if (e->name_bytes > MOST_NAME || (e->name_bytes && memchr(e->name, 0, e->name_bytes)) ||
        tl_utf8_valid(e->name, e->name_bytes, &bad) != e->name_bytes)
        return tl_pq_fail(ctx, r->f, r->base + r->t->at,
                          "a column's name is no text (is the file damaged?)");
    TL_TRY(tl_alloc(ctx, e->name_bytes + 1, out));
    if (e->name_bytes) memcpy(*out, e->name, e->name_bytes);
done:
    return rc;
}

/* The node at the place that follows, and all in it; `above`: its group, -1: it is the root. */
static tl_status read_node(reading *r, int64_t above, int depth)
{
    tl_ctx       *ctx = r->ctx;
    tl_pq_file   *f   = r->f;
    const int64_t i   = f->nodes;
    tl_pq_node   *n;
    tl_status     rc  = TL_OK;

    const element e = read_element(r->t);
    if (r->left == 0 || r->t->bad || depth > MOST_LEVELS || e.children < 0 ||
        (uint64_t)e.children >= r->left || e.repetition < 0 || e.repetition > TL_PQ_REPEATED)
        return tl_pq_fail(ctx, f, r->base + r->t->at, "its schema is damaged (fetch it again)");
    r->left--;
    if (i == r->room) {
        r->room = 2 * r->room + 64;
        TL_TRY(tl_realloc(ctx, (size_t)r->room * sizeof *f->node, &f->node));
        TL_TRY(tl_realloc(ctx, (size_t)r->room * sizeof *f->stored, &f->stored));
    }
    n  = &f->node[f->nodes++];
    *n = (tl_pq_node){ .leaf = f->leaves, .group = e.physical < 0 || e.children > 0 };
    if (above >= 0) {
        n->repetition = (tl_pq_repetition)e.repetition;
        n->max_def    = f->node[above].max_def + (n->repetition != TL_PQ_REQUIRED);
        n->max_rep    = f->node[above].max_rep + (n->repetition == TL_PQ_REPEATED);
    }
    TL_TRY(take_name(r, &e, &n->name));
    if (e.said.logical == 3 || e.said.converted == 3) n->grouping = TL_PQ_LIST;
    if (e.said.logical == 2 || e.said.converted == 1 || e.said.converted == 2)
        n->grouping = TL_PQ_MAP;
    if (above >= 0 && !n->group) {
        TL_TRY(take_leaf(r, n, &e));
        f->stored[f->leaves] = i;
        if (++f->leaves > MOST_LEAVES)
            return tl_pq_fail(ctx, f, r->base, "over 65,536 columns (write fewer)");
    } else if (e.children == 0 && above >= 0) {
        return tl_pq_fail(ctx, f, r->base + r->t->at,
                          "column \"%.80s\" is a group of nothing (write the file without it)",
                          n->name);
    }
    for (int64_t k = 0; k < e.children; k++) TL_TRY(read_node(r, i, depth + 1));
    f->node[i].end = f->nodes;
done:
    return rc;
}

/* What a chunk's metadata say that matters. */
typedef struct {
    tl_pq_chunk chunk;
    int64_t     physical, data, dictionary, bytes;
    bool        elsewhere, hidden;
} chunk_said;

static void read_chunk_metadata(tl_thrift *t, chunk_said *c)
{
    int id = 0, type;

    while (tl_thrift_field(t, &id, &type)) {
        switch (id) {
        case 1: c->physical = tl_thrift_int(t, type); break;
        case 4: c->chunk.codec = (int)tl_thrift_int(t, type); break;
        case 5: c->chunk.values = tl_thrift_int(t, type); break;
        case 7: c->bytes = tl_thrift_int(t, type); break;
        case 9: c->data = tl_thrift_int(t, type); break;
        case 11: c->dictionary = tl_thrift_int(t, type); break;
        default: tl_thrift_skip(t, type);
        }
    }
}

static chunk_said read_chunk_said(tl_thrift *t)
{
    chunk_said c  = { .physical = -1 };
    int        id = 0, type;
    size_t     bytes;

    while (tl_thrift_field(t, &id, &type)) {
        switch (id) {
        case 1:
            tl_thrift_bytes(t, type, &bytes);
            c.elsewhere = bytes > 0;
            break;
        case 3: tl_thrift_struct(t, type), read_chunk_metadata(t, &c); break;
        case 8:
        case 9: c.hidden = true, tl_thrift_skip(t, type); break;
        default: tl_thrift_skip(t, type);
        }
    }
    return c;
}

/* A chunk lies between the magic and the footer. */
static tl_status take_chunk(reading *r, const tl_pq_node *n, chunk_said *c)
{
    const uint64_t end  = r->base, here = r->base + r->t->at;
    const int64_t  from = c->dictionary > 0 && c->dictionary < c->data ? c->dictionary : c->data;

    if (c->hidden)
        return tl_pq_fail(r->ctx, r->f, here,
                          "column \"%.80s\" is encrypted (write the file without encryption)",
                          n->name);
    if (c->elsewhere)
        return tl_pq_fail(r->ctx, r->f, here, "column \"%.80s\" lies in another file (write it as "
                          "one file)", n->name);
    if (c->chunk.values == 0) return TL_OK; /* then it need not lie anywhere */
    if (c->physical != (int64_t)n->physical || c->chunk.values < 0 || from < 4 || c->bytes < 0 ||
        (uint64_t)from > end || (uint64_t)c->bytes > end - (uint64_t)from)
        return tl_pq_fail(r->ctx, r->f, here, "where column \"%.80s\" lies is damaged (fetch the "
                          "file again)", n->name);
    c->chunk.at    = (uint64_t)from;
    c->chunk.bytes = TL_MIN((uint64_t)c->bytes + FORGOTTEN, end - (uint64_t)from);
    return TL_OK;
}

static tl_status read_group(reading *r, int64_t g)
{
    tl_pq_file *f    = r->f;
    int64_t     rows = -1, chunks = 0;
    int         id = 0, type;
    size_t      n;
    tl_status   rc;

    while (tl_thrift_field(r->t, &id, &type)) {
        if (id == 3) rows = tl_thrift_int(r->t, type);
        else if (id != 1) tl_thrift_skip(r->t, type);
        if (id != 1) continue;
        n = tl_thrift_list(r->t, type, TL_THRIFT_STRUCT);
        for (size_t i = 0; i < n && chunks < f->leaves && !r->t->bad; i++) {
            chunk_said c = read_chunk_said(r->t);
            if (r->t->bad) break;
            rc = take_chunk(r, &f->node[f->stored[chunks]], &c);
            if (rc != TL_OK) return rc;
            f->chunk[g * f->leaves + chunks++] = c.chunk;
        }
        if ((int64_t)n != f->leaves) r->t->bad = true;
    }
    if (r->t->bad || chunks != f->leaves || rows < 0)
        return tl_pq_fail(r->ctx, f, r->base + r->t->at,
                          "row group %" PRId64 " is damaged (fetch the file again)", g + 1);
    f->rows[g] = rows;
    return TL_OK;
}

static tl_status read_groups(reading *r, int type)
{
    tl_ctx      *ctx = r->ctx;
    tl_pq_file  *f   = r->f;
    const size_t n   = tl_thrift_list(r->t, type, TL_THRIFT_STRUCT);
    tl_status    rc  = TL_OK;

    if (f->nodes == 0) r->t->bad = true; /* the schema stands before them */
    if (r->t->bad || n == 0) return TL_OK;
    if (f->chunk || (r->t->bytes - r->t->at) / (size_t)TL_MAX(f->leaves, (int64_t)1) < n)
        return tl_pq_fail(ctx, f, r->base + r->t->at,
                          "its row groups are damaged (fetch the file again)");
    TL_TRY(tl_alloc_array(ctx, n * (size_t)f->leaves, sizeof *f->chunk, &f->chunk));
    TL_TRY(tl_alloc_array(ctx, n, sizeof *f->rows, &f->rows));
    for (size_t i = 0; i < n; i++) {
        TL_TRY(read_group(r, f->groups));
        f->groups++;
    }
done:
    return rc;
}

static void read_note(tl_thrift *t, tl_pq_file *f)
{
    tl_pq_bytes key = { 0 }, text = { 0 };
    int         id = 0, type;

    while (tl_thrift_field(t, &id, &type)) {
        if (id == 1) key.at = tl_thrift_bytes(t, type, &key.bytes);
        else if (id == 2) text.at = tl_thrift_bytes(t, type, &text.bytes);
        else tl_thrift_skip(t, type);
    }
    if (!t->bad) tl_pq_take_note(f, key, text);
}

static tl_status read_footer(tl_ctx *ctx, tl_thrift *t, uint64_t base, tl_pq_file *f)
{
    reading   r  = { .ctx = ctx, .t = t, .f = f, .base = base };
    int       id = 0, type;
    tl_status rc = TL_OK;

    while (tl_thrift_field(t, &id, &type)) {
        if (id == 2 && f->nodes == 0) {
            r.left = tl_thrift_list(t, type, TL_THRIFT_STRUCT);
            TL_TRY(read_node(&r, -1, 0));
            if (r.left) t->bad = true;
        } else if (id == 4) {
            TL_TRY(read_groups(&r, type));
        } else if (id == 5) {
            const size_t n = tl_thrift_list(t, type, TL_THRIFT_STRUCT);
            for (size_t i = 0; i < n && !t->bad; i++) read_note(t, f);
        } else {
            tl_thrift_skip(t, type);
        }
    }
    if (t->bad || f->nodes == 0)
        return tl_pq_fail(ctx, f, base + t->at, "its footer is damaged (fetch the file again)");
    if (f->leaves == 0) return tl_pq_fail(ctx, f, base, "holds no columns (add some)");
    tl_pq_name_classes(f);
done:
    return rc;
}

tl_status tl_pq_open(tl_ctx *ctx, const char *path, const uint8_t *data, size_t bytes,
                     tl_pq_file *out)
{
    tl_pq_file     f   = { .path = path, .data = data, .bytes = bytes };
    const uint8_t *end = data + bytes;
    tl_status      rc;

    *out = (tl_pq_file){ 0 };
    if (bytes >= 4 && memcmp(end - 4, "PARE", 4) == 0)
        return tl_pq_fail(ctx, &f, bytes - 4, "its footer is encrypted (write it without)");
    if (bytes < 4 + TAIL || memcmp(data, "PAR1", 4) != 0 || memcmp(end - 4, "PAR1", 4) != 0)
        return tl_pq_fail(ctx, &f, bytes < 4 ? 0 : bytes - 4,
                          "does not begin and end as Parquet files do (is it cut short?)");
    const uint64_t footer = tl_le64(end - TAIL) & UINT32_MAX;
    if (footer > bytes - TAIL - 4)
        return tl_pq_fail(ctx, &f, bytes - TAIL, "a footer of %" PRIu64 " bytes does not fit in it "
                          "(is it cut short?)", footer);
    tl_thrift t = { .data = end - TAIL - footer, .bytes = (size_t)footer };
    TL_TRY(read_footer(ctx, &t, bytes - TAIL - footer, &f));
    *out = f;
    f    = (tl_pq_file){ 0 };
done:
    tl_pq_close(ctx, &f);
    return rc;
}

void tl_pq_close(tl_ctx *ctx, tl_pq_file *f)
{
    for (int64_t i = 0; i < f->nodes; i++) tl_free(ctx, f->node[i].name);
    tl_free(ctx, f->node);
    tl_free(ctx, f->stored);
    json_decref(f->features);
    tl_free(ctx, f->chunk);
    tl_free(ctx, f->rows);
    *f = (tl_pq_file){ 0 };
}
