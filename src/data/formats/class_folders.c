/* class_folders.c -- a folder for each class, pictures in it at any depth; and the same under
 * train/, valid/ and test/.  Classes are numbered by sorted name.
 * Source: torchvision's ImageFolder.  Floor 2, data. */
#include "data/part.h"

#include <string.h>
#include <sys/stat.h>

enum { MOST_DEPTH = 16 };

/* Folders reached by a link could lead in circles. */
static bool is_link(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
}

/* All pictures under `path`, sorted within each folder. */
static tl_status gather(tl_ctx *ctx, tl_part *part, const char *path, int32_t label,
                        int depth)
{
    tl_names  names = { 0 };
    char     *inner = NULL;
    tl_status rc;

    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t i = 0; i < names.count; i++) {
        tl_free(ctx, inner);
        TL_TRY(tl_path_join(ctx, path, names.name[i], &inner));
        if (tl_is_picture_name(names.name[i]))
            TL_TRY(tl_part_file(ctx, part, inner, label));
        else if (tl_is_folder(inner) && !is_link(inner) && depth < MOST_DEPTH)
            TL_TRY(gather(ctx, part, inner, label, depth + 1));
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "", "interrupted");
    }
done:
    tl_free(ctx, inner);
    tl_names_free(ctx, &names);
    return rc;
}

static tl_status open_class(tl_ctx *ctx, const char *path, const char *name,
                            tl_part *part)
{
    const int64_t before = part->rows;
    int32_t       label;
    tl_status     rc;

    TL_TRY(tl_part_class(ctx, part, name, 0, &label));
    TL_TRY(gather(ctx, part, path, label, 0));
    if (part->rows == before)
        tl_log(ctx, TL_LOG_WARN, "%s: no pictures in it, so it is no class", path);
done:
    return rc;
}

/* Is there a picture under any of the inner folders? */
static tl_status has_pictures(tl_ctx *ctx, const char *path, int depth, bool *yes)
{
    tl_names  names = { 0 };
    char     *inner = NULL;
    tl_status rc;

    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t i = 0; i < names.count && !*yes; i++) {
        tl_free(ctx, inner);
        TL_TRY(tl_path_join(ctx, path, names.name[i], &inner));
        *yes = depth > 0 && tl_is_picture_name(names.name[i]);
        if (!*yes && tl_is_folder(inner) && depth < 3)
            TL_TRY(has_pictures(ctx, inner, depth + 1, yes));
    }
done:
    tl_free(ctx, inner);
    tl_names_free(ctx, &names);
    return rc;
}

static tl_status open_class_folders(tl_ctx *ctx, const char *path, tl_split split,
                                    tl_opening *o, bool *mine)
{
    tl_names  names = { 0 };
    char     *inner = NULL;
    tl_part  *part;
    tl_status rc = TL_OK;

    if (!tl_is_folder(path)) return TL_OK;
    TL_TRY(has_pictures(ctx, path, 0, mine));
    if (!*mine) goto done;
    TL_TRY(tl_folder_list(ctx, path, &names));
    TL_TRY(tl_part_add(ctx, o, "image folders", path, split, &part));
    for (size_t i = 0; i < names.count; i++) {
        tl_free(ctx, inner);
        TL_TRY(tl_path_join(ctx, path, names.name[i], &inner));
        if (tl_is_picture_name(names.name[i]))
            TL_TRY(tl_bad_add(ctx, &o->bad, inner, "in no class folder"));
        else if (tl_is_folder(inner))
            TL_TRY(open_class(ctx, inner, names.name[i], part));
    }
    TL_TRY(tl_part_check(ctx, o, part));
done:
    tl_free(ctx, inner);
    tl_names_free(ctx, &names);
    return rc;
}

/* train/, valid/ (val, dev) and test/, each of any format. */
static tl_status open_one(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o)
{
    bool      mine = false;
    tl_status rc   = TL_OK;

    for (size_t i = 0; rc == TL_OK && !mine && tl_data_format_at(i); i++)
        if (tl_data_format_at(i) != &tl_data_format_split_folders)
            rc = tl_data_format_at(i)->open(ctx, path, split, o, &mine);
    if (rc == TL_OK && !mine)
        rc = tl_fail(ctx, TL_EDATA, path,
                     "no labelled pictures in it (class folders are expected)");
    return rc;
}

static bool whole_word(const char *name, tl_split *split)
{
    static const char *const words[] = { "train", "training", "valid", "validation",
                                         "val",   "dev",      "test",  "testing" };

    for (size_t i = 0; i < TL_COUNT(words); i++)
        if (strcmp(name, words[i]) == 0) {
            *split = tl_split_of_name(name);
            return true;
        }
    return false;
}

static tl_status open_split_folders(tl_ctx *ctx, const char *path, tl_split split,
                                    tl_opening *o, bool *mine)
{
    tl_names  names = { 0 };
    char     *inner = NULL;
    tl_split  said;
    bool      train = false;
    tl_status rc    = TL_OK;

    if (split != TL_SPLIT_NONE || !tl_is_folder(path)) return TL_OK;
    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t i = 0; i < names.count; i++)
        train = train || (whole_word(names.name[i], &said) && said == TL_SPLIT_TRAIN);
    for (size_t i = 0; train && i < names.count; i++) {
        tl_free(ctx, inner);
        TL_TRY(tl_path_join(ctx, path, names.name[i], &inner));
        if (!whole_word(names.name[i], &said) || !tl_is_folder(inner)) continue;
        *mine = true;
        TL_TRY(open_one(ctx, inner, said, o));
    }
done:
    tl_free(ctx, inner);
    tl_names_free(ctx, &names);
    return rc;
}

const tl_data_format tl_data_format_split_folders = {
    .name   = "split folders",
    .doc    = "train/, valid/ (val, dev) and test/, each of any other form",
    .source = "Hugging Face datasets, ImageFolder",
    .open   = open_split_folders,
};

const tl_data_format tl_data_format_class_folders = {
    .name   = "image folders",
    .doc    = "a folder of JPEG, PNG or WebP pictures for each class",
    .source = "torchvision.datasets.ImageFolder",
    .open   = open_class_folders,
};
