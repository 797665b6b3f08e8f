/* jsonl.c -- JSON lines, an object each, as a sheet (sheets.def): the keys of all lines are its
 * columns, in the order of their first sight; what a line lacks, or null, is empty; numbers, true
 * and false stand as they are written, lists and objects as their JSON.  Lines that are no object
 * are bad rows.  Source: jsonlines.org.  Floor 2, data.  Fuzz target: tests/fuzz/jsonl.c. */
#include "core/io.h"
#include "core/json.h"
#include "core/text.h"
#include "data/delimited.h"
#include "data/part.h"
#include "data/tables/sheet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_KEYS = 1 << 16 };

/* A walk over the lines of a text. */
typedef struct {
    const char *path, *at, *end;
    int64_t     line; /* of the object last read */
} walk;

/* The next line that is not blank, as an object; NULL: it is none.  false at the end. */
static bool next_object(walk *w, json_t **out)
{
    *out = NULL;
    while (w->at < w->end) {
        const char  *line  = w->at, *stop = memchr(line, '\n', (size_t)(w->end - line));
        const size_t bytes = (size_t)((stop ? stop : w->end) - line);

        w->at = stop ? stop + 1 : w->end;
        w->line++;
        if (strspn(line, " \t\r") >= bytes) continue;
        *out = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(*out)) {
            json_decref(*out);
            *out = NULL;
        }
        return true;
    }
    return false;
}

/* Every key once, with its place as value. */
static tl_status gather_keys(tl_ctx *ctx, walk w, tl_bad *bad, json_t *keys)
{
    json_t     *object, *value;
    const char *key;
    char        place[400];
    tl_status   rc = TL_OK;

    while (next_object(&w, &object)) {
        snprintf(place, sizeof place, "%.300s:%" PRId64, w.path, w.line);
        if (!object) TL_TRY(tl_bad_add(ctx, bad, place, "no JSON object"));
        json_object_foreach(object, key, value)
            if (!json_object_get(keys, key))
                json_object_set_new(keys, key,
                                    json_integer((json_int_t)json_object_size(keys)));
        json_decref(object);
        if (json_object_size(keys) > MOST_KEYS)
            TL_FAIL(TL_EDATA, place, "over 65,536 keys so far (is it one object a line?)");
    }
done:
    return rc;
}

/* Appends the value's text and its zero byte. */
static void put_value(tl_text *to, const json_t *value)
{
    char *dump = NULL;

    if (json_is_string(value))
        tl_text_add_bytes(to, json_string_value(value), json_string_length(value));
    else if (value && !json_is_null(value))
        dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    if (dump) tl_text_add(to, dump);
    free(dump);
    tl_text_add_bytes(to, "", 1);
}

static tl_status add_row(tl_ctx *ctx, tl_text *cells, const json_t *keys, const json_t *object,
                         int64_t line, tl_sheet *g)
{
    const char *key;
    json_t     *place;
    int64_t     c  = 0;
    tl_status   rc = TL_OK;

    if (g->rows == g->room) {
        const int64_t room = 2 * g->room + 256;
        TL_TRY(tl_realloc(ctx, (size_t)(room * g->columns) * sizeof *g->cell, &g->cell));
        TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *g->line, &g->line));
        g->room = room;
    }
    json_object_foreach((json_t *)(uintptr_t)keys, key, place)
    {
        g->cell[g->rows * g->columns + c++] = (uint32_t)cells->bytes;
        put_value(cells, json_object_get(object, key));
    }
    g->line[g->rows++] = (uint32_t)TL_MIN(line, (int64_t)UINT32_MAX);
    rc                 = cells->status;
done:
    return rc;
}

static tl_status fill(tl_ctx *ctx, walk w, const json_t *keys, tl_sheet *g)
{
    tl_text     cells = tl_text_make(ctx);
    json_t     *object, *value;
    const char *key;
    int64_t     c  = 0;
    tl_status   rc = TL_OK;

    g->header  = true;
    g->columns = (int64_t)json_object_size(keys);
    TL_TRY(tl_alloc_array(ctx, (size_t)g->columns, sizeof *g->name, &g->name));
    json_object_foreach((json_t *)(uintptr_t)keys, key, value)
        TL_TRY(tl_strdup(ctx, key, &g->name[c++]));
    while (next_object(&w, &object)) {
        if (object) rc = add_row(ctx, &cells, keys, object, w.line, g);
        json_decref(object);
        TL_TRY(rc);
        if (cells.bytes > UINT32_MAX)
            TL_FAIL(TL_ELIMIT, w.path, "its texts are over 4 GiB (give a part of it)");
    }
    g->text    = cells.text;
    cells.text = NULL;
done:
    tl_text_free(&cells);
    return rc;
}

static tl_status read_sheet(tl_ctx *ctx, const char *path, size_t limit, const char *expect,
                            tl_bad *bad, tl_sheet *out)
{
    char     *text = NULL;
    size_t    bytes;
    tl_sheet  g    = { 0 };
    json_t   *keys = json_object();
    tl_status rc;

    (void)expect; /* its columns have names */
    *out = g;
    TL_TRY(tl_whole_text(ctx, path, TL_MIN(limit, (size_t)UINT32_MAX), &text, &bytes));
    const walk w = { path, text, text + bytes, 0 };
    if (!keys) TL_FAIL(TL_ENOMEM, path, "no room for its keys (free memory)");
    TL_TRY(tl_strdup(ctx, path, &g.path));
    TL_TRY(gather_keys(ctx, w, bad, keys));
    if (json_object_size(keys) == 0)
        TL_FAIL(TL_EDATA, path, "holds no JSON objects, one a line (is it a JSONL file?)");
    TL_TRY(fill(ctx, w, keys, &g));
    *out = g;
    g    = (tl_sheet){ 0 };
done:
    json_decref(keys);
    tl_free(ctx, text);
    tl_sheet_free(ctx, &g);
    return rc;
}

const tl_sheet_format tl_sheet_format_jsonl = {
    .name   = "JSONL",
    .source = "jsonlines.org",
    .ends   = (const char *const[]){ ".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", NULL },
    .read   = read_sheet,
};
