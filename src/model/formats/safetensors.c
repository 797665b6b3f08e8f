/* safetensors.c -- read and write safetensors: 8 bytes of header length, a JSON header of
 * name -> {dtype, shape, data_offsets}, then the data without holes or overlap. Source:
 * the safetensors README (github.com/huggingface/safetensors), "Format" and its rules; a
 * header is at most 100 MB.  Floor 2, model.  Fuzz target: tests/fuzz/safetensors.c. */
#include "model/formats/formats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MOST = 100000000, DIMS_MOST = 64 };

static bool is_safetensors(const tl_map *map)
{
    return map->bytes >= 9 && tl_le64(map->data) <= HEADER_MOST && map->data[8] == '{';
}

static tl_status bad(tl_ctx *ctx, const char *where, const char *name, const char *what)
{
    tl_place place, who;

    return tl_fail(ctx, TL_EDATA, tl_place_at(&place, where, 8),
                   "tensor \"%s\": %s (fetch the file again)",
                   tl_place_name(&who, name, strlen(name)), what);
}

/* The header's text as an object; unique keys, no zero bytes. */
static tl_status read_header(tl_ctx *ctx, const char *where, const tl_map *map,
                             size_t *bytes, json_t **out)
{
    tl_place     place;
    json_error_t error;
    uint64_t     n;

    *out = NULL;
    if (map->bytes < 8)
        return tl_fail(ctx, TL_EDATA, tl_place_at(&place, where, map->bytes),
                       "cut short inside the header length (fetch the file again)");
    n = tl_le64(map->data);
    if (n > HEADER_MOST)
        return tl_fail(ctx, TL_ELIMIT, tl_place_at(&place, where, 0),
                       "a header of %" PRIu64 " bytes, over 100 MB (is it safetensors?)",
                       n);
    if (n > map->bytes - 8)
        return tl_fail(ctx, TL_EDATA, tl_place_at(&place, where, map->bytes),
                       "cut short inside the header (fetch the file again)");
    *out = json_loadb((const char *)map->data + 8, n, JSON_REJECT_DUPLICATES, &error);
    if (!*out)
        return tl_fail(ctx, TL_EDATA,
                       tl_place_at(&place, where, 8 + (size_t)TL_MAX(error.position, 0)),
                       "the header is not valid JSON: %s (fetch the file again)",
                       error.text);
    if (!json_is_object(*out))
        return tl_fail(ctx, TL_EDATA, tl_place_at(&place, where, 8),
                       "the header is no object (is it safetensors?)");
    *bytes = n;
    return TL_OK;
}

static tl_status check_metadata(tl_ctx *ctx, const char *where, json_t *value)
{
    const char *key;
    json_t     *v;

    if (!json_is_object(value)) return bad(ctx, where, "__metadata__", "is no object");
    json_object_foreach(value, key, v) if (!json_is_string(v)) return bad(
        ctx, where, "__metadata__", "holds more than texts");
    return TL_OK;
}

static tl_status read_shape(tl_ctx *ctx, const char *where, const json_t *list,
                            size_t item, tl_weight *w, int64_t *count)
{
    int64_t      dim[DIMS_MOST];
    const size_t n = json_array_size(list);

    if (!json_is_array(list) || n > DIMS_MOST)
        return bad(ctx, where, w->name, "bad shape");
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return bad(ctx, where, w->name, "a dimension is no whole number >= 0");
        dim[i] = json_integer_value(v);
    }
    if (!tl_weight_count(dim, n, item, count))
        return bad(ctx, where, w->name, "giant shape");
    w->shape.ndim = n > TL_DIMS || *count == 0 ? -1 : (int)n;
    for (int i = 0; i < w->shape.ndim; i++) w->shape.dim[i] = dim[i];
    tl_weight_plain(w);
    return TL_OK;
}

static tl_status read_entry(tl_ctx *ctx, const char *where, const tl_map *body,
                            const char *name, const json_t *entry, tl_weights *out)
{
    const char            *dtype = tl_json_text(entry, "dtype", NULL);
    const json_t          *range = json_object_get(entry, "data_offsets");
    const tl_weight_dtype *type  = dtype ? tl_weight_dtype_find(dtype) : NULL;
    int64_t                from, to, count;
    tl_weight             *w;
    tl_status              rc;

    if (!json_is_object(entry)) return bad(ctx, where, name, "is described by no object");
    if (!type) return bad(ctx, where, name, "dtype is missing or not known");
    if (json_array_size(range) != 2 || !json_is_integer(json_array_get(range, 0)) ||
        !json_is_integer(json_array_get(range, 1)))
        return bad(ctx, where, name, "data_offsets are not two whole numbers");
    from = json_integer_value(json_array_get(range, 0));
    to   = json_integer_value(json_array_get(range, 1));
    if (from < 0 || to < from || (uint64_t)to > body->bytes)
        return bad(ctx, where, name, "data_offsets leave the file");
    rc = tl_weights_add(ctx, out, name, strlen(name), &w);
    if (rc == TL_OK)
        rc = read_shape(ctx, where, json_object_get(entry, "shape"), type->bytes, w,
                        &count);
    if (rc != TL_OK) return rc;
    if (count != (to - from) / (int64_t)type->bytes || (to - from) % (int64_t)type->bytes)
        return bad(ctx, where, name, "shape and data_offsets disagree");
    snprintf(w->dtype, sizeof w->dtype, "%s", type->name);
    w->data  = body->data + from;
    w->bytes = (size_t)(to - from);
    return TL_OK;
}

/* By place, empty ones first. */
static int by_place(const void *a, const void *b)
{
    const tl_weight *x = a, *y = b;

    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static tl_status check_cover(tl_ctx *ctx, const char *where, const tl_map *body,
                             tl_weights *w)
{
    const uint8_t *at = body->data;
    tl_place       place;

    if (w->count) qsort(w->weight, w->count, sizeof *w->weight, by_place);
    for (size_t i = 0; i < w->count; i++) {
        if (w->weight[i].data != at)
            return bad(ctx, where, w->weight[i].name,
                       w->weight[i].data < at ? "overlaps the one before"
                                              : "follows a hole");
        at += w->weight[i].bytes;
    }
    if (at != body->data + body->bytes)
        return tl_fail(ctx, TL_EDATA, tl_place_at(&place, where, 8),
                       "%zu bytes belong to no tensor (fetch the file again)",
                       (size_t)(body->data + body->bytes - at));
    return TL_OK;
}

static tl_status read_safetensors(tl_ctx *ctx, const char *where, const tl_map *map,
                                  tl_weights *out)
{
    json_t     *header = NULL, *entry;
    const char *name;
    size_t      bytes = 0;
    tl_map      body;
    tl_status   rc;

    TL_TRY(read_header(ctx, where, map, &bytes, &header));
    body = (tl_map){ map->data + 8 + bytes, map->bytes - 8 - bytes };
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) {
            TL_TRY(check_metadata(ctx, where, entry));
            out->metadata = json_incref(entry);
        } else {
            TL_TRY(read_entry(ctx, where, &body, name, entry, out));
        }
    }
    TL_TRY(check_cover(ctx, where, &body, out));
done:
    json_decref(header);
    return rc;
}

const tl_weight_format tl_weight_format_safetensors = {
    .name   = "safetensors",
    .doc    = "a JSON header and plain data; nothing in it can run",
    .source = "github.com/huggingface/safetensors, README",
    .mine   = is_safetensors,
    .read   = read_safetensors,
};

/* One tensor of the header; offsets grow in the order of the parameters. */
static json_t *header_entry(const tl_param *p, size_t *at)
{
    json_t      *shape = json_array();
    const size_t from = *at, to = from + (size_t)p->count * sizeof(float);

    for (int i = 0; i < p->shape.ndim; i++)
        json_array_append_new(
            shape, json_integer(p->shape.dim[p->turned ? p->shape.ndim - 1 - i : i]));
    *at = to;
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape,
                     "data_offsets", (json_int_t)from, (json_int_t)to);
}

/* The header's JSON text, padded with spaces so that the data starts at a multiple of
 * 8. */
static tl_status make_header(tl_ctx *ctx, const char *path, const tl_params *params,
                             const json_t *metadata, char **text, size_t *bytes)
{
    json_t    *header = json_object(), *about = json_object();
    size_t     at     = 0, used;
    char      *dump   = NULL;
    tl_status  rc;

    *text  = NULL;
    *bytes = 0;
    json_object_update(about, (json_t *)(uintptr_t)metadata);
    json_object_set_new(about, "format", json_string("pt"));
    json_object_set_new(header, "__metadata__", about);
    for (int32_t i = 0; i < params->count; i++)
        json_object_set_new(header, params->param[i].name,
                            header_entry(&params->param[i], &at));
    dump = json_dumps(header, JSON_COMPACT);
    if (!dump || json_object_size(header) != (size_t)params->count + 1)
        TL_FAIL(TL_ENOMEM, path, "no room for the header (free memory)");
    used   = strlen(dump);
    *bytes = (used + 7) / 8 * 8;
    TL_TRY(tl_alloc(ctx, *bytes, text));
    memset(*text, ' ', *bytes);
    memcpy(*text, dump, used);
done:
    free(dump);
    json_decref(header);
    return rc;
}

static tl_status write_value(tl_ctx *ctx, tl_output *out, const tl_params *params,
                             const tl_param *p)
{
    const float  *value = tl_params_value(params, p);
    const size_t  bytes = (size_t)p->count * sizeof *value;
    float        *turned = NULL;
    tl_status     rc;

    if (!p->turned) return tl_write(ctx, out, value, bytes);
    TL_TRY(tl_alloc(ctx, bytes, &turned));
    for (int64_t i = 0; i < p->count; i++)
        turned[i % p->shape.dim[1] * p->shape.dim[0] + i / p->shape.dim[1]] = value[i];
    TL_TRY(tl_write(ctx, out, turned, bytes));
done:
    tl_free(ctx, turned);
    return rc;
}

tl_status tl_weights_save(tl_ctx *ctx, const tl_params *params, const json_t *metadata,
                          const char *path)
{
    tl_output *out  = NULL;
    char      *text = NULL;
    size_t     bytes;
    uint8_t    length[8];
    tl_status  rc;

    TL_TRY(make_header(ctx, path, params, metadata, &text, &bytes));
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)bytes >> 8 * i);
    TL_TRY(tl_output_open(ctx, path, &out));
    TL_TRY(tl_write(ctx, out, length, sizeof length));
    TL_TRY(tl_write(ctx, out, text, bytes));
    for (int32_t i = 0; i < params->count; i++)
        TL_TRY(write_value(ctx, out, params, &params->param[i]));
    TL_TRY(tl_output_commit(ctx, out));
done:
    tl_output_close(ctx, out);
    tl_free(ctx, text);
    return rc;
}
