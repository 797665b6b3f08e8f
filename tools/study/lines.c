/* lines.c -- a record read back.  What a kill cut off is cut off the file, too. */
#include "study.h"
#include "core/io.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_MIB = 512 };

const char study_letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                             "!#$%&()*+,-/:;<=>?@[]^_`{|}~";

void record_key(char *out, size_t room, int entry, int trial, int repeat, int64_t rows)
{
    snprintf(out, room, "%d %d %d %" PRId64, entry, trial, repeat, rows);
}

const json_t *record_run(const record *r, int entry, int trial, int repeat, int64_t rows)
{
    char key[80];

    record_key(key, sizeof key, entry, trial, repeat, rows);
    return json_object_get(r->runs, key);
}

static tl_status take_line(tl_ctx *ctx, const char *path, const char *text, size_t bytes,
                           record *out)
{
    json_t   *line;
    char      key[80];
    tl_status rc;

    TL_TRY(tl_json_parse(ctx, path, text, bytes, &line));
    if (!out->cell) {
        out->cell = line;
        return TL_OK;
    }
    record_key(key, sizeof key, (int)tl_json_int(line, "entry", -1),
               (int)tl_json_int(line, "trial", -1), (int)tl_json_int(line, "repeat", -1),
               tl_json_int(line, "rows", 0));
    json_object_set_new(out->runs, key, line);
done:
    return rc;
}

tl_status record_read(tl_ctx *ctx, const char *path, record *out)
{
    uint8_t  *data  = NULL;
    size_t    bytes = 0, at = 0;
    tl_status rc    = TL_OK;

    *out = (record){ .runs = json_object() };
    if (!tl_exists(path)) return TL_OK;
    TL_TRY(tl_file_read(ctx, path, (size_t)MOST_MIB << 20, &data, &bytes));
    while (at < bytes) {
        const char *line = (const char *)data + at, *end = memchr(line, '\n', bytes - at);
        if (!end) break;
        TL_TRY(take_line(ctx, path, line, (size_t)(end - line), out));
        at += (size_t)(end - line) + 1;
    }
    if (at < bytes) TL_TRY(tl_file_cut(ctx, path, at));
done:
    tl_free(ctx, data);
    if (rc != TL_OK) record_free(out);
    return rc;
}

void record_free(record *r)
{
    json_decref(r->cell);
    json_decref(r->runs);
    *r = (record){ 0 };
}
