/* pytorch.c -- what torch.save writes: a zip of data.pkl and data/KEY, or the older form
 * of five pickles followed by the storages.  Source: torch/serialization.py (_save,
 * _legacy_save, _legacy_load).  Floor 2, model.  Fuzz target: tests/fuzz/pytorch.c. */
#include "model/formats/pickle.h"
#include "model/formats/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_zip(const tl_map *map)
{
    return map->bytes >= 4 && memcmp(map->data, "PK\3\4", 4) == 0;
}

/* "archive/data.pkl" -> "archive"; the archive is named after the file it was saved
 * as. */
static const tl_zip_entry *find_pickle(const tl_zip *zip, size_t *top_bytes)
{
    static const char end[] = "/data.pkl";
    const size_t      bytes = sizeof end - 1;

    for (size_t i = 0; i < zip->count; i++) {
        const tl_zip_entry *e = &zip->entry[i];
        if (e->name_bytes < bytes || memcmp(e->name + e->name_bytes - bytes, end, bytes))
            continue;
        *top_bytes = e->name_bytes - bytes;
        return e;
    }
    return NULL;
}

/* Data of "TOP/NAME"; *out all zero when there is none. */
static tl_status find_part(tl_ctx *ctx, const tl_zip *zip, const tl_zip_entry *pickle,
                           size_t top_bytes, const char *name, tl_map *out)
{
    const tl_zip_entry *e;
    char               *path = NULL;
    const size_t        room = top_bytes + strlen(name) + 2;
    tl_status           rc;

    *out = (tl_map){ 0 };
    TL_TRY(tl_alloc(ctx, room, &path));
    snprintf(path, room, "%.*s/%s", (int)top_bytes, (const char *)pickle->name, name);
    e = tl_zip_find(zip, path);
    if (e) TL_TRY(tl_zip_data(ctx, zip, e, out));
done:
    tl_free(ctx, path);
    return rc;
}

static tl_status lacks_storage(tl_ctx *ctx, const char *where, const tl_pickle_storage *s)
{
    tl_place place, who;

    return tl_fail(ctx, TL_EDATA, tl_place_at(&place, where, s->at),
                   "storage \"%s\" is missing or cut short (fetch the file again)",
                   tl_place_name(&who, s->key, s->key_bytes));
}

/* Finds each storage's entry and checks that it is as long as its elements say. */
static tl_status fill_from_zip(tl_ctx *ctx, const tl_zip *zip, const tl_zip_entry *pickle,
                               size_t top_bytes, tl_pickle *p)
{
    size_t              count;
    tl_pickle_storage **storage = tl_pickle_storages(p, &count);

    for (size_t i = 0; i < count; i++) {
        tl_pickle_storage *s = storage[i];
        char               name[160];
        tl_map             part;
        tl_status          rc;
        if (s->key_bytes > 128) return lacks_storage(ctx, zip->where, s);
        snprintf(name, sizeof name, "data/%.*s", (int)s->key_bytes, (const char *)s->key);
        rc = find_part(ctx, zip, pickle, top_bytes, name, &part);
        if (rc != TL_OK) return rc;
        if (part.bytes / s->type->bytes < (size_t)s->numel || (s->numel && !part.data))
            return lacks_storage(ctx, zip->where, s);
        s->data = part.data;
    }
    return TL_OK;
}

/* Only little-endian data is read; files from before that entry existed are. */
static tl_status check_byteorder(tl_ctx *ctx, const tl_zip *zip,
                                 const tl_zip_entry *pickle, size_t top_bytes)
{
    tl_map          order;
    const tl_status rc = find_part(ctx, zip, pickle, top_bytes, "byteorder", &order);

    if (rc != TL_OK) return rc;
    if (order.data && (order.bytes != 6 || memcmp(order.data, "little", 6) != 0))
        return tl_fail(ctx, TL_EDATA, zip->where,
                       "holds big-endian data (save it as safetensors)");
    return TL_OK;
}

static tl_status read_zip(tl_ctx *ctx, const char *where, const tl_map *map,
                          tl_weights *out)
{
    tl_zip              zip = { 0 };
    const tl_zip_entry *pickle;
    tl_pickle          *p   = NULL;
    tl_pickle_value    *top;
    size_t              top_bytes, at;
    tl_map              part;
    tl_status           rc;

    TL_TRY(tl_zip_open(ctx, where, map, &zip));
    pickle = find_pickle(&zip, &top_bytes);
    if (!pickle)
        TL_FAIL(TL_EDATA, where,
                "a zip archive without data.pkl (is it a PyTorch checkpoint?)");
    TL_TRY(find_part(ctx, &zip, pickle, top_bytes, "constants.pkl", &part));
    if (part.data)
        TL_FAIL(TL_EDATA, where,
                "a TorchScript program (refused: Tailor never runs code in a "
                "weight file; save its state_dict as safetensors)");
    TL_TRY(check_byteorder(ctx, &zip, pickle, top_bytes));
    TL_TRY(tl_zip_data(ctx, &zip, pickle, &part));
    TL_TRY(tl_pickle_new(ctx, where, map->data, &p));
    at = (size_t)(part.data - map->data);
    TL_TRY(tl_pickle_read(ctx, p, &at, at + part.bytes, &top));
    TL_TRY(fill_from_zip(ctx, &zip, pickle, top_bytes, p));
    TL_TRY(tl_pickle_weights(ctx, where, top, out));
done:
    tl_pickle_free(ctx, p);
    tl_zip_close(ctx, &zip);
    return rc;
}

const tl_weight_format tl_weight_format_pytorch_zip = {
    .name   = "pytorch zip",
    .doc    = "torch.save since 1.6; its pickle is read without running anything",
    .source = "torch/serialization.py, _save",
    .mine   = is_zip,
    .read   = read_zip,
};

static bool is_pickle(const tl_map *map)
{
    return map->bytes >= 2 && map->data[0] == 0x80 && map->data[1] >= 2 &&
           map->data[1] <= 5;
}

/* The magic number 0x1950a86a20f9469cfc6c, the protocol 1001, and the machine's
 * habits. */
static tl_status read_preamble(tl_ctx *ctx, tl_pickle *p, const char *where, size_t *at,
                               size_t end)
{
    static const uint8_t magic[] = { 0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                     0x20, 0x6a, 0xa8, 0x50, 0x19 };
    tl_pickle_value     *v, *little;
    tl_status            rc;

    TL_TRY(tl_pickle_read(ctx, p, at, end, &v));
    if (v->kind != TL_PK_LONG || v->text.bytes != sizeof magic ||
        memcmp(v->text.at, magic, sizeof magic) != 0)
        TL_FAIL(TL_EDATA, where,
                "a pickle that is no PyTorch checkpoint (save it as safetensors)");
    TL_TRY(tl_pickle_read(ctx, p, at, end, &v));
    if (v->kind != TL_PK_INT || v->i != 1001)
        TL_FAIL(TL_EDATA, where,
                "a PyTorch protocol that is not 1001 (save it as safetensors)");
    TL_TRY(tl_pickle_read(ctx, p, at, end, &v));
    little = tl_pickle_get(v, "little_endian");
    if (!little || little->kind != TL_PK_BOOL || !little->i)
        TL_FAIL(TL_EDATA, where, "holds big-endian data (save it as safetensors)");
done:
    return rc;
}

static int compare_keys(const tl_pickle_storage *x, const tl_pickle_storage *y)
{
    const int order = memcmp(x->key, y->key, TL_MIN(x->key_bytes, y->key_bytes));

    return order ? order : (x->key_bytes > y->key_bytes) - (x->key_bytes < y->key_bytes);
}

static int by_key(const void *a, const void *b)
{
    return compare_keys(*(tl_pickle_storage *const *)a, *(tl_pickle_storage *const *)b);
}

/* The first of the sorted storages with that key; NULL: none. */
static tl_pickle_storage **find_storages(tl_pickle_storage **storage, size_t count,
                                         const tl_pickle_value *key)
{
    const tl_pickle_storage sought = { .key       = key->text.at,
                                       .key_bytes = key->text.bytes };
    size_t                  low = 0, high = count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare_keys(storage[middle], &sought) < 0) low = middle + 1;
        else high = middle;
    }
    return low < count && compare_keys(storage[low], &sought) == 0 ? storage + low : NULL;
}

/* The storages follow in the order of `keys`: 8 bytes of count, then the elements.  A
 * storage may have been named many times; all must agree on what it is. */
static tl_status fill_from_file(tl_ctx *ctx, const char *where, const tl_map *map,
                                size_t at, const tl_pickle_value *keys, tl_pickle *p)
{
    size_t              count;
    tl_pickle_storage **storage = tl_pickle_storages(p, &count), **s;
    tl_place            place, who;

    if (keys->kind != TL_PK_LIST)
        return tl_fail(ctx, TL_EDATA, where,
                       "has no list of storages (fetch the file again)");
    if (count) qsort(storage, count, sizeof *storage, by_key);
    for (uint32_t i = 0; i < keys->count; i++) {
        const tl_pickle_value *key = keys->item[i];
        uint64_t               numel;
        if (key->kind != TL_PK_TEXT || !(s = find_storages(storage, count, key)) ||
            (*s)->data)
            return tl_fail(ctx, TL_EDATA, tl_place_at(&place, where, at),
                           "storage %u has no use, or two (fetch the file again)", i);
        if (map->bytes - at < 8) return lacks_storage(ctx, where, *s);
        numel = tl_le64(map->data + at);
        at += 8;
        if (numel != (uint64_t)(*s)->numel ||
            numel > (map->bytes - at) / (*s)->type->bytes)
            return lacks_storage(ctx, where, *s);
        for (tl_pickle_storage *first = *s;
             s < storage + count && !compare_keys(*s, first); s++) {
            if ((*s)->type != first->type || (*s)->numel != first->numel)
                return tl_fail(
                    ctx, TL_EDATA, tl_place_at(&place, where, (*s)->at),
                    "storage \"%s\" is described in two ways (fetch the file again)",
                    tl_place_name(&who, (*s)->key, (*s)->key_bytes));
            (*s)->data = map->data + at;
        }
        at += numel * s[-1]->type->bytes;
    }
    return TL_OK;
}

static tl_status read_legacy(tl_ctx *ctx, const char *where, const tl_map *map,
                             tl_weights *out)
{
    tl_pickle       *p  = NULL;
    tl_pickle_value *top, *keys;
    size_t           at = 0;
    tl_status        rc;

    TL_TRY(tl_pickle_new(ctx, where, map->data, &p));
    TL_TRY(read_preamble(ctx, p, where, &at, map->bytes));
    TL_TRY(tl_pickle_read(ctx, p, &at, map->bytes, &top));
    TL_TRY(tl_pickle_read(ctx, p, &at, map->bytes, &keys));
    TL_TRY(fill_from_file(ctx, where, map, at, keys, p));
    TL_TRY(tl_pickle_weights(ctx, where, top, out));
done:
    tl_pickle_free(ctx, p);
    return rc;
}

const tl_weight_format tl_weight_format_pytorch_legacy = {
    .name   = "pytorch legacy",
    .doc    = "torch.save before 1.6 (.th, .pt, .bin); read without running anything",
    .source = "torch/serialization.py, _legacy_load",
    .mine   = is_pickle,
    .read   = read_legacy,
};
