/* read.c -- see parquet.h.  Floor 2, data. */
#include "core/json.h"
#include "data/parquet/inside.h"
#include "data/parquet/parquet.h"
#include "data/tables/sheet.h"

#include <stdio.h>
#include <string.h>

static const char *const ends[] = { ".parquet", ".parq", ".pq", NULL };

bool tl_is_parquet_name(const char *name)
{
    for (size_t i = 0; ends[i]; i++)
        if (tl_ends_with(name, ends[i])) return true;
    return false;
}

/* A reading of the whole file. */
typedef struct {
    tl_ctx     *ctx;
    tl_pq_file  file;
    tl_pq_pages pages;
    size_t      limit;
    tl_pq_leaf *leaf;   /* [leaves] of the column being read */
    tl_text     nested; /* texts of what is in a nested one  */
    tl_text     text;
    tl_sheet    sheet;
} reading;

static bool is_nested(const tl_pq_node *n)
{
    return n->group || n->repetition == TL_PQ_REPEATED;
}

static tl_status take_name(reading *r, int64_t column, const char *name)
{
    char plain[32];

    snprintf(plain, sizeof plain, "column %" PRId64, column + 1);
    if (!*name) name = plain;
    for (int64_t c = 0; c < column; c++)
        if (strcmp(r->sheet.name[c], name) == 0)
            return tl_fail(r->ctx, TL_EDATA, r->file.path,
                           "two columns are called \"%.80s\" (give each its own name)", name);
    return tl_strdup(r->ctx, name, &r->sheet.name[column]);
}

static tl_status take_names(reading *r)
{
    tl_ctx           *ctx = r->ctx;
    const tl_pq_node *n   = r->file.node;
    tl_sheet         *g   = &r->sheet;
    int64_t           c   = 0;
    tl_status         rc;

    g->header = true;
    TL_TRY(tl_strdup(ctx, r->file.path, &g->path));
    for (int64_t i = 1; i < n->end; i = n[i].end) g->columns++;
    TL_TRY(tl_alloc_array(ctx, (size_t)g->columns, sizeof *g->name, &g->name));
    for (int64_t i = 1; i < n->end; i = n[i].end) TL_TRY(take_name(r, c++, n[i].name));
done:
    return rc;
}

/* Room for the rows of a group; their cells are null. */
static tl_status make_room(reading *r, int64_t group)
{
    tl_ctx       *ctx  = r->ctx;
    tl_sheet     *g    = &r->sheet;
    const int64_t more = r->file.rows[group];
    const size_t  row  = (size_t)g->columns * sizeof *g->cell + sizeof *g->line;
    tl_status     rc   = TL_OK;

    if (more > UINT32_MAX - g->rows || (size_t)(g->rows + more) > r->limit / row)
        TL_FAIL(TL_ELIMIT, r->file.path, "row group %" PRId64 " with its %" PRId64 " rows is over "
                "the limit of memory (raise --memory)", group + 1, more);
    g->room = g->rows + more;
    TL_TRY(tl_realloc(ctx, (size_t)(g->room * g->columns) * sizeof *g->cell, &g->cell));
    TL_TRY(tl_realloc(ctx, (size_t)g->room * sizeof *g->line, &g->line));
    memset(g->cell + g->rows * g->columns, 0, (size_t)(more * g->columns) * sizeof *g->cell);
    for (int64_t i = g->rows; i < g->room; i++) g->line[i] = (uint32_t)(i + 1);
done:
    return rc;
}

static tl_status read_flat(reading *r, const tl_pq_node *n, int64_t group, uint32_t *cell)
{
    const tl_pq_chunk *chunk = &r->file.chunk[group * r->file.leaves + n->leaf];
    tl_pq_leaf        *leaf  = &r->leaf[0];
    tl_status          rc;

    if (chunk->values != r->file.rows[group])
        return tl_pq_fail(r->ctx, &r->file, chunk->at, "column \"%.80s\" has %" PRId64
                          " values in a row group of %" PRId64 " rows (write the file again)",
                          n->name, chunk->values, r->file.rows[group]);
    rc = tl_pq_read_chunk(r->ctx, &r->pages, n, chunk, false, &r->text, leaf);
    for (int64_t i = 0; rc == TL_OK && i < leaf->count; i++)
        cell[i * r->sheet.columns] = leaf->cell[i];
    return rc;
}

static tl_status read_nested(reading *r, int64_t node, int64_t group, uint32_t *cell)
{
    const tl_pq_node *n = &r->file.node[node];
    int64_t           k = 0;
    tl_status         rc;

    r->nested.bytes = 0;
    tl_text_add_bytes(&r->nested, "", 1);
    for (int64_t i = node; i < n->end; i++) {
        const tl_pq_node *one = &r->file.node[i];
        if (one->group) continue;
        rc = tl_pq_read_chunk(r->ctx, &r->pages, one,
                              &r->file.chunk[group * r->file.leaves + one->leaf], true, &r->nested,
                              &r->leaf[k++]);
        if (rc != TL_OK) return rc;
    }
    return tl_pq_nest(r->ctx, &r->file, node, r->leaf, r->nested.text, r->file.rows[group],
                      r->limit, &r->text, cell, r->sheet.columns);
}

static tl_status read_group(reading *r, int64_t group)
{
    tl_ctx           *ctx = r->ctx;
    const tl_pq_node *n   = r->file.node;
    int64_t           c   = 0;
    tl_status         rc;

    TL_TRY(make_room(r, group));
    for (int64_t i = 1; i < n->end; i = n[i].end, c++) {
        uint32_t *cell = r->sheet.cell + r->sheet.rows * r->sheet.columns + c;
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, r->file.path, "interrupted");
        if (r->file.rows[group] == 0) continue;
        TL_TRY(is_nested(&n[i]) ? read_nested(r, i, group, cell)
                                : read_flat(r, &n[i], group, cell));
    }
    r->sheet.rows += r->file.rows[group];
done:
    return rc;
}

static void close(reading *r)
{
    for (int64_t i = 0; r->leaf && i < r->file.leaves; i++) tl_pq_leaf_free(r->ctx, &r->leaf[i]);
    tl_free(r->ctx, r->leaf);
    tl_pq_pages_free(r->ctx, &r->pages);
    tl_text_free(&r->nested);
    tl_text_free(&r->text);
    tl_sheet_free(r->ctx, &r->sheet);
    tl_pq_close(r->ctx, &r->file);
}

/* The sheet, and which of its columns hold JSON. */
static tl_status read_bytes(tl_ctx *ctx, const char *path, const uint8_t *data, size_t bytes,
                            size_t limit, tl_sheet *out, uint8_t **nested)
{
    reading   r = { .ctx = ctx, .limit = limit, .nested = tl_text_make(ctx),
                    .text = tl_text_make(ctx) };
    int64_t   c = 0;
    tl_status rc;

    TL_TRY(tl_pq_open(ctx, path, data, bytes, &r.file));
    r.pages.file  = &r.file;
    r.pages.limit = limit;
    r.pages.word  = tl_text_make(ctx);
    tl_text_add_bytes(&r.text, "", 1); /* where the nulls point to */
    TL_TRY(take_names(&r));
    TL_TRY(tl_alloc_array(ctx, (size_t)r.file.leaves, sizeof *r.leaf, &r.leaf));
    for (int64_t g = 0; g < r.file.groups; g++) TL_TRY(read_group(&r, g));
    TL_TRY(r.text.status);
    if (r.sheet.rows == 0) TL_FAIL(TL_EDATA, path, "holds no rows (add some)");
    if (nested) TL_TRY(tl_alloc(ctx, (size_t)r.sheet.columns, nested));
    for (int64_t i = 1; nested && i < r.file.node->end; i = r.file.node[i].end)
        (*nested)[c++] = is_nested(&r.file.node[i]);
    r.sheet.text = r.text.text;
    r.text.text  = NULL;
    *out         = r.sheet;
    r.sheet      = (tl_sheet){ 0 };
done:
    close(&r);
    return rc;
}

static tl_status read_all(tl_ctx *ctx, const char *path, size_t limit, tl_sheet *out,
                          uint8_t **nested)
{
    tl_map          map;
    const tl_status rc = tl_map_open(ctx, path, &map);

    if (rc != TL_OK) return rc;
    const tl_status read = read_bytes(ctx, path, map.data, map.bytes, limit, out, nested);
    tl_map_close(ctx, &map);
    return read;
}

tl_status tl_parquet_of_bytes(tl_ctx *ctx, const char *name, const uint8_t *data, size_t bytes,
                              size_t limit, tl_sheet *out)
{
    *out = (tl_sheet){ 0 };
    return read_bytes(ctx, name, data, bytes, limit, out, NULL);
}

static tl_status read_sheet(tl_ctx *ctx, const char *path, size_t limit, const char *expect,
                            tl_bad *bad, tl_sheet *out)
{
    (void)expect; /* its columns have names */
    (void)bad;
    return read_all(ctx, path, limit, out, NULL);
}

const tl_sheet_format tl_sheet_format_parquet = {
    .name   = "Parquet",
    .source = "github.com/apache/parquet-format",
    .ends   = ends,
    .read   = read_sheet,
};

/* Whole numbers beyond 64 bits become reals. */
static json_t *value_of(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    return value ? value : json_loads(text, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
}

/* The row's object; NULL: no room for it. */
static json_t *object_of(const tl_sheet *g, const uint8_t *nested, int64_t row)
{
    json_t *object = json_object();

    for (int64_t c = 0; object && c < g->columns; c++) {
        const char *text  = tl_sheet_cell(g, row, c);
        json_t     *value = text == g->text ? json_null()
                            : nested[c]     ? value_of(text)
                                            : json_string(text);
        if (json_object_set_new(object, g->name[c], value) == 0) continue;
        json_decref(object);
        object = NULL;
    }
    return object;
}

tl_status tl_parquet_objects(tl_ctx *ctx, const char *path, size_t limit,
                             tl_status (*each)(void *user, int64_t row, const json_t *object),
                             void *user)
{
    tl_sheet  g      = { 0 };
    uint8_t  *nested = NULL;
    tl_status rc;

    TL_TRY(read_all(ctx, path, limit, &g, &nested));
    for (int64_t row = 0; row < g.rows; row++) {
        json_t *object = object_of(&g, nested, row);
        if (!object) TL_FAIL(TL_ENOMEM, path, "no room for a row (free memory)");
        rc = each(user, row, object);
        json_decref(object);
        TL_TRY(rc);
    }
done:
    tl_free(ctx, nested);
    tl_sheet_free(ctx, &g);
    return rc;
}

tl_status tl_parquet_names(tl_ctx *ctx, const char *path, json_t **out)
{
    tl_pq_file f   = { 0 };
    tl_map     map = { 0 };
    tl_status  rc;

    *out = NULL;
    TL_TRY(tl_map_open(ctx, path, &map));
    TL_TRY(tl_pq_open(ctx, path, map.data, map.bytes, &f));
    *out = json_object();
    for (int64_t i = 1; *out && i < f.node->end; i = f.node[i].end)
        json_object_set_new(*out, f.node[i].name, json_null());
    if (!*out) TL_FAIL(TL_ENOMEM, path, "no room for its names (free memory)");
done:
    tl_pq_close(ctx, &f);
    tl_map_close(ctx, &map);
    return rc;
}
