/* table.c -- pictures with a CSV or TSV of file and label: the folder, or the table itself.
 * Columns are found by name (file, file_name, image, path...; label, class, class_index...),
 * else the first two are meant.  Labels that are all whole numbers are ordered as numbers and
 * keep them as names.  Source: Hugging Face ImageFolder's metadata.csv.  Floor 2, data. */
#include "core/text.h"
#include "data/delimited.h"
#include "data/part.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct {
    size_t file, label; /* columns */
    bool   header;
} columns;

static size_t find_column(const tl_delimited *d, const char *const *names)
{
    for (; *names; names++)
        for (size_t i = 0; i < d->fields; i++)
            if (strcasecmp(d->field[i], *names) == 0) return i;
    return SIZE_MAX;
}

/* From the first record: by the names in it, or by the file it names. */
static columns find_columns(const tl_delimited *d)
{
    static const char *const files[]  = { "file",       "file_name", "filename", "image",
                                          "image_path", "filepath",  "path",     "img",
                                          "image_id",   "id",        NULL };
    static const char *const labels[] = { "label",      "class",    "class_index",
                                          "labels",     "category", "target",
                                          "class_name", "y",        NULL };
    columns                  c = { find_column(d, files), find_column(d, labels), true };

    if (c.file == SIZE_MAX && c.label == SIZE_MAX)
        c = (columns){ 0, 1, false };
    else if (c.file == SIZE_MAX)
        c.file = c.label == 0;
    else if (c.label == SIZE_MAX)
        c.label = c.file == 0;
    return c;
}

/* A name that stays within its folder. */
static bool stays_inside(const char *name)
{
    if (*name == '/' || *name == 0) return false;
    for (const char *at = name; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == 0)) return false;
    }
    return true;
}

static tl_status folder_of(tl_ctx *ctx, const char *path, char **out)
{
    char     *slash;
    tl_status rc = tl_strdup(ctx, path, out);

    if (rc != TL_OK) return rc;
    slash = strrchr(*out, '/');
    if (slash)
        slash[slash == *out] = 0;
    else
        strcpy(*out, ".");
    return TL_OK;
}

/* Does one of the first rows name a picture that is there? */
static tl_status is_table(tl_ctx *ctx, const char *folder, const char *path, bool *yes)
{
    tl_delimited d    = { 0 };
    columns      c    = { 0 };
    char        *file = NULL;
    bool         more;
    tl_status    rc;

    *yes = false;
    TL_TRY(tl_delimited_open(ctx, path, (size_t)1 << 28, &d));
    TL_TRY(tl_delimited_next(ctx, &d, &more));
    for (int row = 0; more && !*yes && row < 20; row++) {
        if (row == 0) c = find_columns(&d);
        if ((row || !c.header) && c.file < d.fields &&
            tl_is_picture_name(d.field[c.file])) {
            tl_free(ctx, file);
            TL_TRY(tl_path_join(ctx, folder, d.field[c.file], &file));
            *yes = tl_file_bytes(file) >= 0;
        }
        TL_TRY(tl_delimited_next(ctx, &d, &more));
    }
done:
    tl_free(ctx, file);
    tl_delimited_close(ctx, &d);
    return rc == TL_EDATA ? TL_OK : rc; /* some other text: not ours to judge */
}

static tl_status take_row(tl_ctx *ctx, tl_opening *o, tl_part *part, const char *folder,
                          const tl_delimited *d, const columns *c)
{
    const char *name = c->file < d->fields ? d->field[c->file] : "";
    const char *text = c->label < d->fields ? d->field[c->label] : "";
    char       *path = NULL, place[400];
    int32_t     label;
    tl_status   rc;

    snprintf(place, sizeof place, "%.300s:%" PRId64, d->path, d->line);
    if (!*name) return tl_bad_add(ctx, &o->bad, place, "no file name");
    if (!*text) return tl_bad_add(ctx, &o->bad, place, "no label");
    if (!stays_inside(name))
        return tl_bad_add(ctx, &o->bad, place, "a file outside of the folder");
    TL_TRY(tl_path_join(ctx, folder, name, &path));
    TL_TRY(tl_part_class(ctx, part, text, 0, &label));
    TL_TRY(tl_part_file(ctx, part, path, label));
done:
    tl_free(ctx, path);
    return rc;
}

/* Labels that are all numbers are put in their order. */
static void order_numbers(tl_part *part)
{
    int64_t n;

    for (int64_t k = 0; k < part->classes; k++)
        if (!tl_parse_int(part->class_name[k], &n)) return;
    for (int64_t k = 0; k < part->classes; k++) {
        tl_parse_int(part->class_name[k], &n);
        part->class_key[k] = n;
    }
}

static tl_status open_file(tl_ctx *ctx, const char *folder, const char *path,
                           tl_split split, tl_opening *o)
{
    tl_delimited d = { 0 };
    columns      c;
    tl_part     *part;
    bool         more;
    tl_status    rc;

    TL_TRY(tl_delimited_open(ctx, path, (size_t)1 << 28, &d));
    if (split == TL_SPLIT_NONE) split = tl_split_of_name(tl_path_name(path));
    TL_TRY(tl_part_add(ctx, o, "labelled pictures", path, split, &part));
    part->root_bytes = strlen(tl_is_folder(o->root) ? o->root : folder);
    TL_TRY(tl_delimited_next(ctx, &d, &more));
    c = find_columns(&d);
    if (more && c.header) TL_TRY(tl_delimited_next(ctx, &d, &more));
    while (more) {
        TL_TRY(take_row(ctx, o, part, folder, &d, &c));
        TL_TRY(tl_delimited_next(ctx, &d, &more));
    }
    order_numbers(part);
    TL_TRY(tl_part_check(ctx, o, part));
done:
    tl_delimited_close(ctx, &d);
    return rc;
}

static bool is_table_name(const char *name)
{
    return tl_ends_with(name, ".csv") || tl_ends_with(name, ".tsv");
}

static tl_status open_folder(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                             bool *mine)
{
    const size_t before = o->parts;
    tl_names     names  = { 0 };
    char        *file   = NULL;
    bool         yes;
    tl_status    rc;

    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t i = 0; i < names.count; i++) {
        if (!is_table_name(names.name[i])) continue;
        tl_free(ctx, file);
        TL_TRY(tl_path_join(ctx, path, names.name[i], &file));
        TL_TRY(is_table(ctx, path, file, &yes));
        if (!yes) continue;
        *mine = true;
        TL_TRY(open_file(ctx, path, file, split, o));
        for (size_t p = before; p + 1 < o->parts; p++)
            if (o->part[p].split == o->part[o->parts - 1].split && split == TL_SPLIT_NONE)
                TL_FAIL(TL_EDATA, path,
                        "%.120s and %.120s both name pictures and labels (give one of "
                        "them as DATA)",
                        tl_path_name(o->part[p].path), names.name[i]);
    }
done:
    tl_free(ctx, file);
    tl_names_free(ctx, &names);
    return rc;
}

static tl_status open_table(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                            bool *mine)
{
    char     *folder = NULL;
    tl_status rc;

    if (tl_is_folder(path)) return open_folder(ctx, path, split, o, mine);
    if (!is_table_name(path)) return TL_OK;
    TL_TRY(folder_of(ctx, path, &folder));
    TL_TRY(is_table(ctx, folder, path, mine));
    if (*mine) TL_TRY(open_file(ctx, folder, path, split, o));
done:
    tl_free(ctx, folder);
    return rc;
}

const tl_data_format tl_data_format_table = {
    .name   = "labelled pictures",
    .doc    = "a folder of pictures with a CSV or TSV of file and label",
    .source = "huggingface.co/docs/datasets/image_dataset",
    .open   = open_table,
};
