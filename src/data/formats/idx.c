/* idx.c -- IDX pictures with their labels beside: MNIST and its kin.  Floor 2, data. */
#include "data/idx.h"
#include "data/part.h"

#include <stdio.h>
#include <string.h>

void tl_idx_free(tl_ctx *ctx, tl_idx *idx)
{
    tl_free(ctx, idx->data);
    *idx = (tl_idx){ 0 };
}

tl_status tl_idx_ndim(tl_ctx *ctx, const char *path, int *ndim)
{
    tl_input *in   = NULL;
    uint8_t   b[4] = { 0 };
    size_t    got  = 0;
    tl_status rc   = TL_OK;

    *ndim = 0;
    if (tl_file_bytes(path) <= 0) return TL_OK;
    TL_TRY(tl_input_open(ctx, path, &in));
    TL_TRY(tl_read_some(ctx, in, b, 4, &got));
    if (got == 4 && !b[0] && !b[1] && b[2] == 0x08 && b[3] >= 1 && b[3] <= 4)
        *ndim = b[3];
done:
    tl_input_close(ctx, in);
    return rc == TL_EDATA ? TL_OK : rc; /* broken gzip is no IDX file either */
}

/* A header may ask for much; a file of n bytes cannot unpack to more than deflate's 1,032 n. */
static bool file_can_hold(const char *path, size_t bytes)
{
    const int64_t packed = tl_file_bytes(path);

    return packed >= 0 && bytes / 1040 <= (size_t)packed;
}

tl_status tl_idx_read(tl_ctx *ctx, const char *path, size_t limit, tl_idx *out)
{
    tl_idx    idx  = { 0 };
    tl_input *in   = NULL;
    size_t    size = 1;
    uint8_t   b[4];
    tl_status rc;

    *out = (tl_idx){ 0 };
    TL_TRY(tl_input_open(ctx, path, &in));
    TL_TRY(tl_read_full(ctx, in, b, 4));
    if (b[0] || b[1] || b[2] != 0x08 || b[3] < 1 || b[3] > 4)
        TL_FAIL(TL_EDATA, tl_input_where(in),
                "IDX magic is %02x%02x%02x%02x, not bytes in 1 to 4 "
                "dimensions (is it an IDX file?)",
                b[0], b[1], b[2], b[3]);
    idx.ndim = b[3];
    for (int i = 0; i < idx.ndim; i++) {
        TL_TRY(tl_read_full(ctx, in, b, 4));
        idx.dim[i] = tl_be32(b);
        if (idx.dim[i] == 0)
            TL_FAIL(TL_EDATA, tl_input_where(in),
                    "dimension %d is 0 (the file holds no items)", i);
        size =
            (size_t)idx.dim[i] > SIZE_MAX / size ? SIZE_MAX : size * (size_t)idx.dim[i];
    }
    if (!file_can_hold(path, size))
        TL_FAIL(TL_EDATA, tl_input_where(in),
                "cut short: %zu bytes expected (fetch it again)", size);
    if (size > limit)
        TL_FAIL(TL_ELIMIT, tl_input_where(in), "over %zu bytes (raise --memory)", limit);
    TL_TRY(tl_alloc(ctx, size, &idx.data));
    TL_TRY(tl_read_full(ctx, in, idx.data, size));
    *out     = idx;
    idx.data = NULL;
done:
    tl_input_close(ctx, in);
    tl_free(ctx, idx.data);
    return rc;
}

/* `path` with its last "images" made "labels" and "idx3" (or idx4) made "idx1"; NULL in *out
 * where the name has no "images". */
static tl_status labels_name(tl_ctx *ctx, const char *path, char **out)
{
    char     *name, *at = NULL;
    tl_status rc = tl_strdup(ctx, path, &name);

    *out = NULL;
    if (rc != TL_OK) return rc;
    for (char *next = strstr(name, "images"); next; next = strstr(next + 1, "images"))
        at = next;
    if (!at || strchr(at, '/')) {
        tl_free(ctx, name);
        return TL_OK;
    }
    memcpy(at, "labels", 6);
    if ((at = strstr(at, "idx3")) || (at = strstr(name, "idx4"))) at[3] = '1';
    *out = name;
    return TL_OK;
}

/* The labels beside `path`, also where only one of the two is gzipped. */
static tl_status find_labels(tl_ctx *ctx, const char *path, char **out)
{
    char     *name = NULL, *other = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(labels_name(ctx, path, &name));
    if (!name)
        TL_FAIL(TL_EDATA, path,
                "no labels beside it (name the files like MNIST's: "
                "...-images-idx3-ubyte and ...-labels-idx1-ubyte)");
    if (tl_file_bytes(name) < 0) {
        TL_TRY(tl_alloc(ctx, strlen(name) + 4, &other));
        snprintf(other, strlen(name) + 4, "%s.gz", name);
        if (tl_ends_with(name, ".gz")) other[strlen(name) - 3] = 0;
        if (tl_file_bytes(other) < 0)
            TL_FAIL(TL_EDATA, name, "missing: the labels of %.200s (put them beside it)",
                    tl_path_name(path));
        tl_free(ctx, name);
        name  = other;
        other = NULL;
    }
    *out = name;
    name = NULL;
done:
    tl_free(ctx, name);
    tl_free(ctx, other);
    return rc;
}

static tl_status fill_labels(tl_ctx *ctx, tl_part *part, const tl_idx *labels,
                             const char *where)
{
    tl_names  list   = { 0 };
    char     *folder = NULL, *slash, number[16];
    int32_t   known[256];
    tl_status rc;

    memset(known, -1, sizeof known);
    TL_TRY(tl_strdup(ctx, part->path, &folder));
    slash = strrchr(folder, '/');
    if (slash) *slash = 0;
    TL_TRY(tl_class_list(ctx, slash ? folder : ".", &list));
    TL_TRY(tl_alloc_array(ctx, (size_t)part->rows, sizeof *part->label, &part->label));
    for (int64_t i = 0; i < part->rows; i++) {
        const uint8_t v = labels->data[i];
        if (list.count && v >= list.count)
            TL_FAIL(TL_EDATA, where,
                    "label %d of item %" PRId64 ", but the class list beside has "
                    "%zu names (mend one of them)",
                    v, i, list.count);
        snprintf(number, sizeof number, "%d", v);
        if (known[v] < 0)
            TL_TRY(tl_part_class(ctx, part, list.count ? list.name[v] : number, v,
                                 &known[v]));
        part->label[i] = known[v];
    }
done:
    tl_names_free(ctx, &list);
    tl_free(ctx, folder);
    return rc;
}

static tl_status open_images(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o)
{
    tl_idx    images = { 0 }, labels = { 0 };
    char     *beside = NULL;
    tl_part  *part;
    tl_status rc;

    TL_TRY(find_labels(ctx, path, &beside));
    TL_TRY(tl_idx_read(ctx, path, o->limit_bytes, &images));
    TL_TRY(tl_idx_read(ctx, beside, o->limit_bytes, &labels));
    if (images.ndim == 3) images.dim[3] = 1;
    if (images.ndim < 3 || (images.dim[3] != 1 && images.dim[3] != 3))
        TL_FAIL(TL_EDATA, path,
                "%d dimensions (pictures have 3, or 4 with 1 or 3 channels)",
                images.ndim);
    if (labels.ndim != 1 || labels.dim[0] != images.dim[0])
        TL_FAIL(TL_EDATA, beside,
                "%" PRId64 " labels for %" PRId64 " pictures (they do not belong "
                "together)",
                labels.dim[0], images.dim[0]);
    if (split == TL_SPLIT_NONE) split = tl_split_of_name(tl_path_name(path));
    TL_TRY(tl_part_add(ctx, o, "idx", path, split, &part));
    part->rows         = images.dim[0];
    part->height       = images.dim[1];
    part->width        = images.dim[2];
    part->channels     = images.dim[3];
    part->one_size     = true;
    part->pixels       = images.data;
    images.data        = NULL;
    part->pixels_total = (double)(part->rows * part->height * part->width);
    o->limit_bytes -= (size_t)(part->rows * part->height * part->width * part->channels);
    TL_TRY(fill_labels(ctx, part, &labels, beside));
done:
    tl_idx_free(ctx, &images);
    tl_idx_free(ctx, &labels);
    tl_free(ctx, beside);
    return rc;
}

static tl_status open_folder(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                             bool *mine)
{
    tl_names  names = { 0 };
    char     *file  = NULL;
    int       ndim;
    tl_status rc;

    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t i = 0; i < names.count; i++) {
        if (!strstr(names.name[i], "images") || !strstr(names.name[i], "idx")) continue;
        tl_free(ctx, file);
        TL_TRY(tl_path_join(ctx, path, names.name[i], &file));
        TL_TRY(tl_idx_ndim(ctx, file, &ndim));
        if (ndim < 3) continue;
        *mine = true;
        TL_TRY(open_images(ctx, file, split, o));
    }
done:
    tl_free(ctx, file);
    tl_names_free(ctx, &names);
    return rc;
}

static tl_status open_idx(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                          bool *mine)
{
    int       ndim;
    tl_status rc;

    if (tl_is_folder(path)) return open_folder(ctx, path, split, o, mine);
    TL_TRY(tl_idx_ndim(ctx, path, &ndim));
    *mine = ndim > 0;
    if (*mine) TL_TRY(open_images(ctx, path, split, o));
done:
    return rc;
}

const tl_data_format tl_data_format_idx = {
    .name = "idx",
    .doc  = "IDX pictures (MNIST's form, also .gz) with their labels beside, or a folder "
            "of them",
    .source = "yann.lecun.com/exdb/mnist",
    .open   = open_idx,
};
