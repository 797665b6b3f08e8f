/* weights.c -- opening files and folders of named tensors, whatever their format; sharded
 * ones through their index.  Floor 2, model. */
#include "model/weights.h"
#include "core/text.h"
#include "model/formats/formats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What tl_weights.hold points to. */
typedef struct {
    tl_map *map;
    size_t  maps, room; /* room: of tl_weights.weight */
} holding;

enum { INDEX_MOST = 64 << 20, SHARDS_MOST = 10000 };

static const tl_weight_format *const formats[] = {
#define FORMAT(name) &tl_weight_format_##name,
#include "model/formats/formats.def"
#undef FORMAT
};

const tl_weight_format *tl_weight_format_at(size_t i)
{
    return i < TL_COUNT(formats) ? formats[i] : NULL;
}

const char *tl_place_at(tl_place *place, const char *where, size_t offset)
{
    snprintf(place->text, sizeof place->text, "%.480s@%zu", where, offset);
    return place->text;
}

const char *tl_place_name(tl_place *place, const void *name, size_t bytes)
{
    const unsigned char *from = name;
    const size_t         n    = TL_MIN(bytes, (size_t)120);

    for (size_t i = 0; i < n; i++)
        place->text[i] = from[i] < 32 || from[i] == 127 ? '?' : (char)from[i];
    snprintf(place->text + n, sizeof place->text - n, "%s", n < bytes ? "..." : "");
    return place->text;
}

static tl_status hold_of(tl_ctx *ctx, tl_weights *w, holding **out)
{
    tl_status rc = TL_OK;

    if (!w->hold) rc = tl_alloc(ctx, sizeof **out, &w->hold);
    *out = w->hold;
    return rc;
}

tl_status tl_weights_add(tl_ctx *ctx, tl_weights *w, const char *name, size_t bytes,
                         tl_weight **out)
{
    holding  *hold;
    char     *copy = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(hold_of(ctx, w, &hold));
    if (w->count == hold->room) {
        const size_t room = hold->room ? 2 * hold->room : 64;
        TL_TRY(tl_realloc(ctx, room * sizeof *w->weight, &w->weight));
        hold->room = room;
    }
    TL_TRY(tl_alloc(ctx, bytes + 1, &copy));
    memcpy(copy, name, bytes);
    *out         = &w->weight[w->count++];
    **out        = (tl_weight){ .name = copy };
done:
    return rc;
}

void tl_weights_close(tl_ctx *ctx, tl_weights *w)
{
    holding *hold = w->hold;

    for (size_t i = 0; i < w->count; i++) tl_free(ctx, w->weight[i].name);
    tl_free(ctx, w->weight);
    json_decref(w->metadata);
    json_decref(w->config);
    for (size_t i = 0; hold && i < hold->maps; i++) tl_map_close(ctx, &hold->map[i]);
    if (hold) tl_free(ctx, hold->map);
    tl_free(ctx, hold);
    *w = (tl_weights){ 0 };
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const tl_weight *const *)a)->name,
                  (*(const tl_weight *const *)b)->name);
}

/* No name twice; every key of `map` (an index's weight_map, or NULL) there. */
static tl_status check_names(tl_ctx *ctx, const char *where, const tl_weights *w,
                             json_t *map)
{
    tl_weight         sought;
    const tl_weight **order = NULL, *at = &sought;
    const char       *key;
    json_t           *shard;
    tl_place          who;
    tl_status         rc;

    TL_TRY(tl_alloc_array(ctx, w->count, sizeof *order, &order));
    for (size_t i = 0; i < w->count; i++) order[i] = &w->weight[i];
    if (w->count) qsort(order, w->count, sizeof *order, by_name);
    for (size_t i = 1; i < w->count; i++)
        if (strcmp(order[i - 1]->name, order[i]->name) == 0)
            TL_FAIL(TL_EDATA, where, "holds tensor \"%s\" twice (fetch the file again)",
                    tl_place_name(&who, order[i]->name, strlen(order[i]->name)));
    json_object_foreach(map, key, shard) {
        sought = (tl_weight){ .name = (char *)(uintptr_t)key };
        if (!bsearch(&at, order, w->count, sizeof *order, by_name))
            TL_FAIL(TL_EDATA, where,
                    "names tensor \"%s\", which no shard holds (fetch the "
                    "files again)",
                    tl_place_name(&who, key, strlen(key)));
    }
done:
    tl_free(ctx, order);
    return rc;
}

/* DataParallel puts "module." in front of every name, some trainers "model.". */
static void strip_prefix(tl_weights *w, const char *prefix)
{
    const size_t bytes = strlen(prefix);

    for (size_t i = 0; i < w->count; i++)
        if (strncmp(w->weight[i].name, prefix, bytes) != 0) return;
    for (size_t i = 0; i < w->count; i++)
        memmove(w->weight[i].name, w->weight[i].name + bytes,
                strlen(w->weight[i].name) + 1 - bytes);
}

tl_status tl_weights_parse(tl_ctx *ctx, const char *where, const tl_map *map,
                           tl_weights *out)
{
    const tl_weight_format *format = NULL;
    tl_weights              w      = { 0 };
    tl_status               rc;

    *out = (tl_weights){ 0 };
    for (size_t i = 0; !format && i < TL_COUNT(formats); i++)
        if (formats[i]->mine(map)) format = formats[i];
    if (!format)
        TL_FAIL(
            TL_EDATA, where,
            "is no weight file Tailor reads (give safetensors or a PyTorch state_dict)");
    TL_TRY(format->read(ctx, where, map, &w));
    if (w.count == 0)
        TL_FAIL(TL_EDATA, where, "holds no named tensors (save model.state_dict())");
    strip_prefix(&w, "module.");
    strip_prefix(&w, "model.");
    TL_TRY(check_names(ctx, where, &w, NULL));
    w.format = format->name;
    *out     = w;
    w        = (tl_weights){ 0 };
done:
    tl_weights_close(ctx, &w);
    return rc;
}

static tl_status open_file(tl_ctx *ctx, const char *path, tl_weights *out)
{
    tl_map     map = { 0 };
    tl_weights w   = { 0 };
    holding   *hold;
    tl_status  rc;

    TL_TRY(tl_map_open(ctx, path, &map));
    TL_TRY(tl_weights_parse(ctx, path, &map, &w));
    TL_TRY(hold_of(ctx, &w, &hold));
    TL_TRY(tl_alloc(ctx, sizeof *hold->map, &hold->map));
    hold->map[hold->maps++] = map;
    map                     = (tl_map){ 0 };
    *out                    = w;
    w                       = (tl_weights){ 0 };
done:
    tl_weights_close(ctx, &w);
    tl_map_close(ctx, &map);
    return rc;
}

/* Everything of `from` moves to the end of `to`. */
static tl_status take_shard(tl_ctx *ctx, tl_weights *to, tl_weights *from)
{
    holding      *all, *one = from->hold;
    const size_t  count = to->count + from->count;
    tl_status     rc;

    TL_TRY(hold_of(ctx, to, &all));
    TL_TRY(tl_realloc(ctx, count * sizeof *to->weight, &to->weight));
    all->room = count;
    TL_TRY(tl_realloc(ctx, (all->maps + one->maps) * sizeof *all->map, &all->map));
    memcpy(to->weight + to->count, from->weight, from->count * sizeof *to->weight);
    memcpy(all->map + all->maps, one->map, one->maps * sizeof *all->map);
    to->count  = count;
    to->format = from->format;
    all->maps += one->maps;
    from->count = one->maps = 0;
done:
    tl_weights_close(ctx, from);
    return rc;
}

/* A shard lies beside its index: no slash, no "..". */
static tl_status check_shard(tl_ctx *ctx, const char *where, const json_t *value)
{
    const char *name = json_string_value(value);
    tl_place    who;

    if (!name || !*name || name[0] == '.' || strchr(name, '/') || strchr(name, '\\') ||
        json_string_length(value) != strlen(name))
        return tl_fail(
            ctx, TL_EDATA, where,
            "names the shard \"%s\" outside its folder (refused: fetch it again)",
            name ? tl_place_name(&who, name, strlen(name)) : "");
    return TL_OK;
}

/* Opens each shard once; `seen` holds the names of those opened. */
static tl_status open_shards(tl_ctx *ctx, const char *folder, const char *index,
                             json_t *map, tl_weights *out)
{
    json_t     *seen = json_object(), *shard;
    const char *key;
    char       *path = NULL;
    tl_weights  one  = { 0 };
    tl_status   rc   = TL_OK;

    json_object_foreach(map, key, shard) {
        TL_TRY(check_shard(ctx, index, shard));
        if (json_object_get(seen, json_string_value(shard))) continue;
        if (json_object_size(seen) >= SHARDS_MOST)
            TL_FAIL(TL_ELIMIT, index, "names over %d shards (is it an index?)",
                    SHARDS_MOST);
        json_object_set_new(seen, json_string_value(shard), json_true());
        TL_TRY(tl_path_join(ctx, folder, json_string_value(shard), &path));
        TL_TRY(open_file(ctx, path, &one));
        TL_TRY(take_shard(ctx, out, &one));
        tl_free(ctx, path);
        path = NULL;
    }
done:
    tl_free(ctx, path);
    json_decref(seen);
    return rc;
}

static tl_status open_index(tl_ctx *ctx, const char *folder, const char *index,
                            tl_weights *out)
{
    json_t    *value = NULL, *map;
    tl_weights w     = { 0 };
    tl_status  rc;

    TL_TRY(tl_json_read(ctx, index, INDEX_MOST, &value));
    map = json_object_get(value, "weight_map");
    if (json_object_size(map) == 0)
        TL_FAIL(TL_EDATA, index, "has no weight_map (fetch the file again)");
    TL_TRY(open_shards(ctx, folder, index, map, &w));
    TL_TRY(check_names(ctx, index, &w, map));
    w.metadata = json_incref(json_object_get(value, "metadata"));
    *out       = w;
    w          = (tl_weights){ 0 };
done:
    tl_weights_close(ctx, &w);
    json_decref(value);
    return rc;
}

/* llama2.c's tokenizers end in .bin, too: tokenizer.bin, tok512.bin. */
static bool looks_like_weights(const char *name)
{
    static const char *const ends[] = { ".safetensors", ".bin", ".pt",
                                        ".pth",         ".th",  ".ckpt" };

    if (strncmp(name, "tok", 3) == 0 && tl_ends_with(name, ".bin")) return false;
    for (size_t i = 0; i < TL_COUNT(ends); i++)
        if (tl_ends_with(name, ends[i])) return true;
    return false;
}

/* The one weight file of a folder that follows no convention. */
static tl_status open_only(tl_ctx *ctx, const char *folder, tl_weights *out)
{
    tl_names    names = { 0 };
    tl_text     found = tl_text_make(ctx);
    const char *only  = NULL;
    char       *path  = NULL;
    size_t      count = 0;
    tl_status   rc;

    TL_TRY(tl_folder_list(ctx, folder, &names));
    for (size_t i = 0; i < names.count; i++) {
        if (!looks_like_weights(names.name[i])) continue;
        if (count++ < 10)
            tl_text_printf(&found, "%s%s", count > 1 ? ", " : "", names.name[i]);
        only = names.name[i];
    }
    TL_TRY(found.status);
    if (count == 0) {
        TL_TRY(tl_path_join(ctx, folder, "best", &path));
        TL_FAIL(TL_EDATA, folder, tl_is_folder(path)
                ? "is the folder of a run, no model (its model: %s)"
                : "holds no weight file%.0s (.safetensors, .bin, .pt, .pth or .th)", path);
    }
    if (count > 1)
        TL_FAIL(TL_EDATA, folder, "holds %zu weight files: %s (name one of them)", count,
                found.text);
    TL_TRY(tl_path_join(ctx, folder, only, &path));
    TL_TRY(open_file(ctx, path, out));
done:
    tl_free(ctx, path);
    tl_text_free(&found);
    tl_names_free(ctx, &names);
    return rc;
}

static const struct { const char *name; bool index; } customs[] = {
    { "model.safetensors", false }, { "model.safetensors.index.json", true },
    { "pytorch_model.bin", false }, { "pytorch_model.bin.index.json", true },
};

bool tl_weights_custom(const char *name)
{
    for (size_t i = 0; i < TL_COUNT(customs); i++)
        if (strcmp(customs[i].name, name) == 0) return true;
    return false;
}

tl_status tl_weights_open(tl_ctx *ctx, const char *path, tl_weights *out)
{
    char     *file = NULL;
    tl_status rc   = TL_OK;

    *out = (tl_weights){ 0 };
    if (!tl_is_folder(path)) return open_file(ctx, path, out);
    for (size_t i = 0; i < TL_COUNT(customs); i++) {
        TL_TRY(tl_path_join(ctx, path, customs[i].name, &file));
        if (tl_exists(file)) {
            rc = customs[i].index ? open_index(ctx, path, file, out)
                                  : open_file(ctx, file, out);
            goto done;
        }
        tl_free(ctx, file);
        file = NULL;
    }
    rc = open_only(ctx, path, out);
done:
    tl_free(ctx, file);
    return rc;
}

tl_status tl_weights_hash(tl_ctx *ctx, const tl_weights *w, char hex[65])
{
    const holding  *hold = w->hold;
    tl_hash        *hash;
    const tl_status rc   = tl_hash_new(ctx, &hash);

    hex[0] = 0;
    if (rc != TL_OK) return rc;
    for (size_t i = 0; i < hold->maps; i++)
        tl_hash_add(hash, hold->map[i].data, hold->map[i].bytes);
    tl_hash_end(ctx, hash, hex);
    return TL_OK;
}
