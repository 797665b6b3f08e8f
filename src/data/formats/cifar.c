/* cifar.c -- the CIFAR-10 binary form: records of a label byte and 32x32 red, green and blue
 * planes; plain or gzip; class names in classes.txt or batches.meta.txt beside.
 * Source: Krizhevsky, cs.toronto.edu/~kriz/cifar.html.  Floor 2, data. */
#include "data/part.h"

#include <stdio.h>
#include <string.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, RECORD = 1 + 3 * PLANE, BLOCK = 256 };

/* Whole records by the file's size; gzip tells the unpacked one (modulo 2^32) at its end. */
static tl_status is_cifar(tl_ctx *ctx, const char *path, bool *yes)
{
    tl_map    map;
    tl_status rc;

    *yes = false;
    if (!tl_ends_with(path, ".bin") && !tl_ends_with(path, ".bin.gz")) return TL_OK;
    if (tl_file_bytes(path) < 24) return TL_OK;
    rc = tl_map_open(ctx, path, &map);
    if (rc != TL_OK) return rc;
    *yes = map.bytes % RECORD == 0 && map.data[0] < 10;
    if (map.bytes >= 24 && map.data[0] == 0x1f && map.data[1] == 0x8b) {
        const uint8_t *e = map.data + map.bytes - 4;
        const uint32_t n =
            (uint32_t)e[3] << 24 | (uint32_t)e[2] << 16 | (uint32_t)e[1] << 8 | e[0];
        *yes = n >= RECORD && n % RECORD == 0;
    }
    tl_map_close(ctx, &map);
    return TL_OK;
}

static void interleave(const uint8_t *planes, uint8_t *out)
{
    for (int i = 0; i < PLANE; i++) {
        out[3 * i]     = planes[i];
        out[3 * i + 1] = planes[PLANE + i];
        out[3 * i + 2] = planes[2 * PLANE + i];
    }
}

static tl_status take_record(tl_ctx *ctx, tl_part *part, const tl_names *list,
                             const uint8_t *record, const char *where)
{
    const uint8_t v = record[0];
    char          number[16];
    tl_status     rc = TL_OK;

    if (v >= (list->count ? list->count : 10))
        TL_FAIL(TL_EDATA, where,
                "label %d of record %" PRId64 " is no class (is it CIFAR-10's binary "
                "form?)",
                v, part->rows);
    snprintf(number, sizeof number, "%d", v);
    TL_TRY(tl_part_class(ctx, part, list->count ? list->name[v] : number, v,
                         &part->label[part->rows]));
    interleave(record + 1, part->pixels + part->rows * 3 * PLANE);
    part->rows++;
done:
    return rc;
}

static tl_status make_room(tl_ctx *ctx, tl_part *part, int64_t more, tl_input *in,
                           size_t limit)
{
    tl_status rc = TL_OK;

    if (part->rows + more <= part->room) goto done;
    if ((size_t)(part->rows + more) > limit / (3 * PLANE))
        TL_FAIL(TL_ELIMIT, tl_input_where(in), "over %zu bytes (raise --memory)", limit);
    part->room = TL_MIN(2 * part->room + 1024, (int64_t)(limit / (3 * PLANE)));
    TL_TRY(tl_realloc(ctx, (size_t)part->room * 3 * PLANE, &part->pixels));
    TL_TRY(tl_realloc(ctx, (size_t)part->room * sizeof *part->label, &part->label));
done:
    return rc;
}

static tl_status read_records(tl_ctx *ctx, tl_part *part, const tl_names *list,
                              size_t limit)
{
    tl_input *in    = NULL;
    uint8_t  *block = NULL;
    size_t    got   = BLOCK * RECORD;
    tl_status rc;

    TL_TRY(tl_alloc(ctx, BLOCK * RECORD, &block));
    TL_TRY(tl_input_open(ctx, part->path, &in));
    while (got == BLOCK * RECORD) {
        TL_TRY(tl_read_some(ctx, in, block, BLOCK * RECORD, &got));
        if (got % RECORD)
            TL_FAIL(TL_EDATA, tl_input_where(in),
                    "cut short within a record of %d bytes (fetch it "
                    "again)",
                    RECORD);
        TL_TRY(make_room(ctx, part, (int64_t)(got / RECORD), in, limit));
        for (size_t i = 0; i < got; i += RECORD)
            TL_TRY(take_record(ctx, part, list, block + i, part->path));
    }
    TL_TRY(tl_realloc(ctx, (size_t)part->rows * 3 * PLANE, &part->pixels));
done:
    tl_input_close(ctx, in);
    tl_free(ctx, block);
    return rc;
}

static tl_status open_file(tl_ctx *ctx, const char *folder, const char *path,
                           tl_split split, tl_opening *o)
{
    tl_names  list = { 0 };
    tl_part  *part;
    tl_status rc;

    if (split == TL_SPLIT_NONE) split = tl_split_of_name(tl_path_name(path));
    TL_TRY(tl_class_list(ctx, folder, &list));
    TL_TRY(tl_part_add(ctx, o, "cifar", path, split, &part));
    TL_TRY(read_records(ctx, part, &list, o->limit_bytes));
    part->height = part->width = SIDE;
    part->channels             = 3;
    part->one_size             = true;
    part->pixels_total         = (double)(part->rows * PLANE);
    o->limit_bytes -= (size_t)part->rows * 3 * PLANE;
done:
    tl_names_free(ctx, &list);
    return rc;
}

static tl_status open_folder(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                             bool *mine)
{
    tl_names  names = { 0 };
    char     *file  = NULL;
    bool      yes;
    tl_status rc;

    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t i = 0; i < names.count; i++) {
        tl_free(ctx, file);
        TL_TRY(tl_path_join(ctx, path, names.name[i], &file));
        TL_TRY(is_cifar(ctx, file, &yes));
        if (!yes) continue;
        *mine = true;
        TL_TRY(open_file(ctx, path, file, split, o));
    }
done:
    tl_free(ctx, file);
    tl_names_free(ctx, &names);
    return rc;
}

static tl_status open_cifar(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                            bool *mine)
{
    char     *folder = NULL, *slash;
    tl_status rc;

    if (tl_is_folder(path)) return open_folder(ctx, path, split, o, mine);
    TL_TRY(is_cifar(ctx, path, mine));
    if (!*mine) goto done;
    TL_TRY(tl_strdup(ctx, path, &folder));
    slash = strrchr(folder, '/');
    if (slash) *slash = 0;
    TL_TRY(open_file(ctx, slash ? folder : ".", path, split, o));
done:
    tl_free(ctx, folder);
    return rc;
}

const tl_data_format tl_data_format_cifar = {
    .name   = "cifar",
    .doc    = "CIFAR-10's binary form (also .gz), one file or a folder of them",
    .source = "cs.toronto.edu/~kriz/cifar.html",
    .open   = open_cifar,
};
