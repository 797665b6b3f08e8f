/* part.c -- parts grow row by row, their files are looked at, bad rows are counted.
 * Floor 2, data. */
#include "data/part.h"
#include "core/text.h"
#include "data/workers.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MOST_CLASSES = 1 << 20 };

/* The kind's place; the last takes what finds no other. */
static size_t kind_slot(const tl_bad *bad, const char *kind)
{
    size_t k = 0;

    while (k < TL_BAD_KINDS - 1 && bad->kind[k] && strcmp(bad->kind[k], kind) != 0) k++;
    return k;
}

tl_status tl_bad_add(tl_ctx *ctx, tl_bad *bad, const char *name, const char *kind)
{
    const size_t k = kind_slot(bad, kind);
    char         line[500];

    bad->kind[k] = kind;
    bad->count[k]++;
    bad->rows++;
    if (!bad->first) bad->first = json_array();
    if (bad->first && json_array_size(bad->first) >= TL_BAD_LISTED) return TL_OK;
    snprintf(line, sizeof line, "%.300s: %s", name, kind);
    tl_one_line(line);
    if (json_array_append_new(bad->first, json_string(line)) != 0)
        return tl_fail(ctx, TL_ENOMEM, "memory",
                       "no room to list bad rows (free some memory)");
    return TL_OK;
}

void tl_bad_join(tl_bad *to, const tl_bad *from)
{
    size_t  i;
    json_t *text;

    for (size_t k = 0; k < TL_BAD_KINDS && from->kind[k]; k++) {
        const size_t slot = kind_slot(to, from->kind[k]);
        to->kind[slot]    = from->kind[k];
        to->count[slot] += from->count[k];
    }
    to->rows += from->rows;
    if (from->first && !to->first) to->first = json_array();
    json_array_foreach(from->first, i, text)
        if (json_array_size(to->first) < TL_BAD_LISTED) json_array_append(to->first, text);
}

void tl_bad_say(const tl_bad *bad, char *out, size_t bytes)
{
    size_t at = 0;

    *out = 0;
    for (size_t k = 0; k < TL_BAD_KINDS && bad->kind[k] && at < bytes; k++)
        at += (size_t)snprintf(out + at, bytes - at, "%s%" PRId64 " %s", k ? ", " : "",
                               bad->count[k], bad->kind[k]);
}

tl_status tl_bad_fail(tl_ctx *ctx, const tl_bad *bad, const char *where, int64_t rows)
{
    char    counts[300], list[220] = "";
    size_t  at = 0, i;
    json_t *text;

    if (!bad->rows) return TL_OK;
    tl_bad_say(bad, counts, sizeof counts);
    json_array_foreach(bad->first, i, text)
    {
        tl_log(ctx, TL_LOG_WARN, "%s", json_string_value(text));
        if (at < sizeof list)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? "; " : "",
                                   tl_path_name(json_string_value(text)));
    }
    return tl_fail(ctx, TL_EDATA, where,
                   "%" PRId64 " of %" PRId64 " rows cannot be used (%s): %s%s"
                   " (mend them, or leave them out with --skip-bad)",
                   bad->rows, rows, counts, list, at >= sizeof list ? "..." : "");
}

void tl_bad_free(tl_bad *bad)
{
    json_decref(bad->first);
    *bad = (tl_bad){ 0 };
}

tl_status tl_part_add(tl_ctx *ctx, tl_opening *o, const char *format, const char *path,
                      tl_split split, tl_part **out)
{
    tl_part  *p;
    tl_status rc;

    *out = NULL;
    if (o->parts == o->room) {
        rc = tl_realloc(ctx, (o->room + 8) * sizeof *o->part, &o->part);
        if (rc != TL_OK) return rc;
        o->room += 8;
    }
    p  = &o->part[o->parts];
    *p = (tl_part){ .format = format, .split = split, .root_bytes = strlen(o->root) };
    rc = tl_strdup(ctx, path, &p->path);
    if (rc != TL_OK) return rc;
    o->parts++;
    *out = p;
    return TL_OK;
}

void tl_part_free(tl_ctx *ctx, tl_part *p)
{
    for (int64_t c = 0; c < p->classes; c++) tl_free(ctx, p->class_name[c]);
    tl_free(ctx, p->class_name);
    tl_free(ctx, p->class_key);
    tl_free(ctx, p->class_slot);
    tl_free(ctx, p->label);
    tl_free(ctx, p->many);
    tl_free(ctx, p->many_at);
    tl_free(ctx, p->pixels);
    tl_free(ctx, p->names);
    tl_free(ctx, p->name_at);
    tl_free(ctx, p->path);
    tl_free(ctx, p->map);
    tl_free(ctx, p->target);
    tl_free(ctx, p->targets);
    tl_free(ctx, p->begins);
    tl_sheet_free(ctx, &p->sheet);
    *p = (tl_part){ 0 };
}

/* The slot of `name`: its own, or the empty one where it belongs (FNV-1a, open addressing). */
static size_t slot_of(const tl_part *p, const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    size_t   at;

    for (const char *c = name; *c; c++) h = (h ^ (uint8_t)*c) * 0x100000001b3u;
    for (at = h & (p->class_slots - 1); p->class_slot[at];
         at = (at + 1) & (p->class_slots - 1))
        if (strcmp(p->class_name[p->class_slot[at] - 1], name) == 0) break;
    return at;
}

/* Twice the room for classes, when the slots are half full. */
static tl_status more_classes(tl_ctx *ctx, tl_part *p)
{
    const size_t slots = TL_MAX(2 * p->class_slots, 32);
    int32_t     *slot;
    tl_status    rc;

    TL_TRY(tl_realloc(ctx, slots / 2 * sizeof *p->class_name, &p->class_name));
    TL_TRY(tl_realloc(ctx, slots / 2 * sizeof *p->class_key, &p->class_key));
    TL_TRY(tl_alloc_array(ctx, slots, sizeof *slot, &slot));
    tl_free(ctx, p->class_slot);
    p->class_slot  = slot;
    p->class_slots = slots;
    for (int64_t c = 0; c < p->classes; c++)
        p->class_slot[slot_of(p, p->class_name[c])] = (int32_t)c + 1;
done:
    return rc;
}

tl_status tl_part_class(tl_ctx *ctx, tl_part *p, const char *name, int64_t key,
                        int32_t *out)
{
    size_t    at;
    tl_status rc = TL_OK;

    *out = 0;
    if ((size_t)p->classes * 2 == p->class_slots) TL_TRY(more_classes(ctx, p));
    at = slot_of(p, name);
    if (!p->class_slot[at]) {
        if (p->classes == MOST_CLASSES)
            TL_FAIL(TL_EDATA, p->path,
                    "over a million classes (is this the label column?)");
        TL_TRY(tl_strdup(ctx, name, &p->class_name[p->classes]));
        p->class_key[p->classes] = key;
        p->class_slot[at]        = (int32_t)++p->classes;
    }
    *out = p->class_slot[at] - 1;
done:
    return rc;
}

tl_status tl_part_file(tl_ctx *ctx, tl_part *p, const char *path, int32_t label)
{
    const size_t bytes = strlen(path) + 1;
    tl_status    rc    = TL_OK;

    if (p->rows == p->room) {
        const int64_t room = 2 * p->room + 256;
        TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *p->label, &p->label));
        TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *p->name_at, &p->name_at));
        p->room = room;
    }
    if (bytes > p->names_room - p->names_bytes) {
        const size_t room = 2 * p->names_room + bytes + 16384;
        TL_TRY(tl_realloc(ctx, room, &p->names));
        p->names_room = room;
    }
    memcpy(p->names + p->names_bytes, path, bytes);
    p->name_at[p->rows] = p->names_bytes;
    p->label[p->rows]   = label;
    p->names_bytes += bytes;
    p->rows++;
done:
    return rc;
}

typedef struct {
    const tl_part *part;
    bool           deep;
    uint8_t       *fault; /* [rows] tl_picture_fault */
    struct {
        int32_t height, width;
        uint8_t channels;
    } * size;
} looking;

static tl_status look(tl_ctx *ctx, void *arg, int64_t i)
{
    looking         *l = arg;
    tl_image         size;
    tl_picture_fault fault;
    const tl_status  rc = tl_picture_check(ctx, l->part->names + l->part->name_at[i],
                                           l->deep, &size, &fault);

    l->fault[i]         = (uint8_t)fault;
    l->size[i].height   = (int32_t)size.height;
    l->size[i].width    = (int32_t)size.width;
    l->size[i].channels = (uint8_t)size.channels;
    return rc;
}

/* Row i is fine: it stays, as row `to`. */
static void keep_row(tl_part *p, const looking *l, int64_t i, int64_t to)
{
    const int64_t h = l->size[i].height, w = l->size[i].width;

    p->label[to]   = p->label[i];
    p->name_at[to] = p->name_at[i];
    if (to == 0) p->height = h, p->width = w, p->one_size = true;
    p->one_size = p->one_size && h == p->height && w == p->width;
    p->channels = TL_MAX(p->channels, (int64_t)l->size[i].channels);
    p->pixels_total += (double)h * (double)w;
}

tl_status tl_part_check(tl_ctx *ctx, tl_opening *o, tl_part *p)
{
    looking   l    = { .part = p, .deep = o->skip_bad };
    int64_t   kept = 0;
    tl_status rc;

    TL_TRY(tl_alloc(ctx, (size_t)p->rows, &l.fault));
    TL_TRY(tl_alloc_array(ctx, (size_t)p->rows, sizeof *l.size, &l.size));
    TL_TRY(tl_each(ctx, p->rows, look, &l));
    for (int64_t i = 0; i < p->rows; i++) {
        if (l.fault[i] == TL_PICTURE_FINE)
            keep_row(p, &l, i, kept++);
        else
            TL_TRY(tl_bad_add(ctx, &o->bad, p->names + p->name_at[i],
                              tl_picture_fault_name((tl_picture_fault)l.fault[i])));
    }
    p->rows = kept;
done:
    tl_free(ctx, l.fault);
    tl_free(ctx, l.size);
    return rc;
}

tl_split tl_split_of_name(const char *name)
{
    static const struct {
        const char *word;
        tl_split    split;
    } words[] = {
        { "training", TL_SPLIT_TRAIN },   { "train", TL_SPLIT_TRAIN },
        { "data_batch", TL_SPLIT_TRAIN }, { "validation", TL_SPLIT_VALID },
        { "valid", TL_SPLIT_VALID },      { "val", TL_SPLIT_VALID },
        { "dev", TL_SPLIT_VALID },        { "testing", TL_SPLIT_TEST },
        { "test", TL_SPLIT_TEST },        { "t10k", TL_SPLIT_TEST },
    };

    for (size_t i = 0; i < TL_COUNT(words); i++) {
        const size_t n = strlen(words[i].word);
        if (strncasecmp(name, words[i].word, n) == 0 && !isalpha((unsigned char)name[n]))
            return words[i].split;
    }
    return TL_SPLIT_NONE;
}

tl_status tl_class_list(tl_ctx *ctx, const char *folder, tl_names *out)
{
    static const char *const files[] = { "classes.txt", "batches.meta.txt",
                                         "labels.txt" };
    char                    *path    = NULL;
    uint8_t                 *data    = NULL;
    size_t                   bytes, lines = 0;
    tl_status                rc = TL_OK;

    *out = (tl_names){ 0 };
    for (size_t i = 0; i < TL_COUNT(files) && !data; i++) {
        tl_free(ctx, path);
        TL_TRY(tl_path_join(ctx, folder, files[i], &path));
        if (tl_file_bytes(path) > 0)
            TL_TRY(tl_file_read(ctx, path, 1 << 20, &data, &bytes));
    }
    if (!data) goto done;
    for (const char *at = (char *)data; *at; at++) lines += *at == '\n';
    TL_TRY(tl_alloc_array(ctx, lines + 1, sizeof *out->name, &out->name));
    for (char *rest = NULL, *at = strtok_r((char *)data, "\r\n", &rest); at;
         at = strtok_r(NULL, "\r\n", &rest)) {
        TL_TRY(tl_strdup(ctx, at, &out->name[out->count]));
        out->count++;
    }
done:
    tl_free(ctx, data);
    tl_free(ctx, path);
    if (rc != TL_OK) tl_names_free(ctx, out);
    return rc;
}
