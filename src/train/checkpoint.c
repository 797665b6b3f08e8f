/* checkpoint.c -- see checkpoint.h.  Floor 3, train. */
#include "train/checkpoint.h"
#include "core/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char magic[8] = "TLCKPT2\n";
enum { HASH = 64, HEAD = 16, GENERATIONS = 2 };

static tl_status file_of(tl_ctx *ctx, const char *folder, int64_t generation, char **path)
{
    char name[16];

    snprintf(name, sizeof name, "state.%d", (int)(generation % GENERATIONS));
    return tl_path_join(ctx, folder, name, path);
}

static json_t *header_of(const char *fingerprint, int64_t generation, const json_t *state,
                         const tl_section *section, size_t sections)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sections; i++)
        json_array_append_new(list, json_pack("{s:s, s:I}", "name", section[i].name,
                                              "bytes", (json_int_t)section[i].bytes));
    return json_pack("{s:s, s:I, s:O, s:o}", "fingerprint", fingerprint, "generation",
                     (json_int_t)generation, "state", (json_t *)(uintptr_t)state,
                     "sections", list);
}

static tl_status put(tl_ctx *ctx, tl_output *out, tl_hash *hash, const void *data,
                     size_t bytes)
{
    if (hash) tl_hash_add(hash, data, bytes);
    return bytes ? tl_write(ctx, out, data, bytes) : TL_OK;
}

static tl_status put_section(tl_ctx *ctx, tl_output *out, tl_hash *hash, const tl_section *s)
{
    const uint8_t *from = s->data;
    tl_status      rc   = TL_OK;

    if (!s->piece) return put(ctx, out, hash, from, s->bytes);
    for (size_t i = 0; i < s->pieces; i++)
        TL_TRY(put(ctx, out, hash, from + s->piece[i].at, s->piece[i].bytes));
done:
    return rc;
}

static tl_status write_all(tl_ctx *ctx, tl_output *out, const char *header,
                           const tl_section *section, size_t sections)
{
    tl_hash  *hash = NULL;
    char      hex[HASH + 1];
    uint8_t   head[HEAD];
    uint64_t  bytes = strlen(header);
    tl_status rc;

    memcpy(head, magic, sizeof magic);
    for (int i = 0; i < 8; i++) head[8 + i] = (uint8_t)(bytes >> (8 * i));
    TL_TRY(tl_hash_new(ctx, &hash));
    TL_TRY(put(ctx, out, hash, head, sizeof head));
    TL_TRY(put(ctx, out, hash, header, bytes));
    for (size_t i = 0; i < sections; i++) TL_TRY(put_section(ctx, out, hash, &section[i]));
    tl_hash_end(ctx, hash, hex);
    hash = NULL;
    TL_TRY(put(ctx, out, NULL, hex, HASH));
done:
    if (hash) tl_hash_end(ctx, hash, hex);
    return rc;
}

tl_status tl_checkpoint_save(tl_ctx *ctx, const char *folder, const char *fingerprint,
                             int64_t generation, const json_t *state,
                             const tl_section *section, size_t sections)
{
    json_t    *header = header_of(fingerprint, generation, state, section, sections);
    char      *text   = header ? json_dumps(header, JSON_COMPACT) : NULL;
    char      *path   = NULL;
    tl_output *out    = NULL;
    tl_status  rc;

    if (!text) TL_FAIL(TL_ENOMEM, "checkpoint", "no room for its header");
    TL_TRY(tl_make_folders(ctx, folder));
    TL_TRY(file_of(ctx, folder, generation, &path));
    TL_TRY(tl_output_open(ctx, path, &out));
    TL_TRY(write_all(ctx, out, text, section, sections));
    TL_TRY(tl_output_commit(ctx, out));
done:
    tl_output_close(ctx, out);
    tl_free(ctx, path);
    free(text);
    json_decref(header);
    return rc;
}

/* The header of a whole file, its sections at *data; TL_EDATA where it is not whole. */
static tl_status open_whole(tl_ctx *ctx, const char *path, const tl_map *map,
                            json_t **header, const uint8_t **data)
{
    const size_t bytes = map->bytes;
    char         hex[HASH + 1];
    uint64_t     head;
    tl_status    rc;

    if (bytes < HEAD + HASH || memcmp(map->data, magic, sizeof magic) != 0)
        TL_FAIL(TL_EDATA, path, "is not a whole checkpoint");
    head = tl_le64(map->data + 8);
    if (head > bytes - HEAD - HASH) TL_FAIL(TL_EDATA, path, "is cut short");
    tl_hash_bytes(map->data, bytes - HASH, hex);
    if (memcmp(hex, map->data + bytes - HASH, HASH) != 0)
        TL_FAIL(TL_EDATA, path, "does not match its checksum");
    TL_TRY(tl_json_parse(ctx, path, (const char *)map->data + HEAD, head, header));
    *data = map->data + HEAD + head;
done:
    return rc;
}

/* Of one file: generation -1 where there is none or it is damaged. */
static tl_status look(tl_ctx *ctx, const char *folder, int64_t slot,
                      const char *fingerprint, tl_checkpoint *c)
{
    tl_status rc;

    *c = (tl_checkpoint){ .generation = -1 };
    TL_TRY(file_of(ctx, folder, slot, &c->path));
    if (tl_file_bytes(c->path) < 0) goto done;
    if (tl_file_bytes(c->path) > 0) {
        TL_TRY(tl_map_open(ctx, c->path, &c->map));
        rc = open_whole(ctx, c->path, &c->map, &c->header, &c->data);
    } else {
        rc = tl_fail(ctx, TL_EDATA, c->path, "is empty");
    }
    if (rc == TL_EDATA) {
        tl_log(ctx, TL_LOG_WARN, "%s; the checkpoint before it is used", ctx->message);
        rc = TL_OK;
        goto done;
    }
    if (rc != TL_OK) goto done;
    if (strcmp(tl_json_text(c->header, "fingerprint", ""), fingerprint) != 0)
        TL_FAIL(TL_EUSAGE, c->path,
                "belongs to a run with other settings (choose another --out)");
    c->generation = tl_json_int(c->header, "generation", -1);
    c->state      = json_object_get(c->header, "state");
done:
    return rc;
}

tl_status tl_checkpoint_open(tl_ctx *ctx, const char *folder, const char *fingerprint,
                             tl_checkpoint *out)
{
    tl_checkpoint c[GENERATIONS] = { { .generation = -1 }, { .generation = -1 } };
    int           best           = 0;
    tl_status     rc             = TL_OK;

    *out = (tl_checkpoint){ .generation = -1 };
    for (int i = 0; i < GENERATIONS; i++) {
        TL_TRY(look(ctx, folder, i, fingerprint, &c[i]));
        if (c[i].generation > c[best].generation) best = i;
    }
    if (c[best].generation < 0) goto done;
    *out    = c[best];
    c[best] = (tl_checkpoint){ 0 };
done:
    for (int i = 0; i < GENERATIONS; i++) tl_checkpoint_close(ctx, &c[i]);
    return rc;
}

void tl_checkpoint_close(tl_ctx *ctx, tl_checkpoint *c)
{
    tl_map_close(ctx, &c->map);
    tl_free(ctx, c->path);
    json_decref(c->header);
    *c = (tl_checkpoint){ .generation = -1 };
}

/* Where a section lies; NULL: it is not there, or not whole. */
static const uint8_t *find_section(const tl_checkpoint *c, const char *name,
                                   int64_t *bytes)
{
    const uint8_t *at = c->data, *end = c->map.data + c->map.bytes - HASH;
    const json_t  *row;
    size_t         i;

    json_array_foreach(json_object_get(c->header, "sections"), i, row) {
        *bytes = tl_json_int(row, "bytes", -1);
        if (*bytes < 0 || *bytes > end - at) return NULL;
        if (strcmp(tl_json_text(row, "name", ""), name) == 0) return at;
        at += *bytes;
    }
    return NULL;
}

int64_t tl_checkpoint_bytes(const tl_checkpoint *c, const char *name)
{
    int64_t bytes = -1;

    return find_section(c, name, &bytes) ? bytes : -1;
}

tl_status tl_checkpoint_take(tl_ctx *ctx, const tl_checkpoint *c,
                             const tl_section *section)
{
    int64_t        bytes;
    const uint8_t *at = find_section(c, section->name, &bytes);

    if (!at || (size_t)bytes != section->bytes)
        return tl_fail(ctx, TL_EDATA, c->path,
                       "does not hold %s as this run needs it (delete it)",
                       section->name);
    if (bytes && !section->piece) memcpy(section->data, at, (size_t)bytes);
    for (size_t i = 0; i < section->pieces; at += section->piece[i++].bytes)
        memcpy((uint8_t *)section->data + section->piece[i].at, at, section->piece[i].bytes);
    return TL_OK;
}
