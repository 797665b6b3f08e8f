/* dataset.c -- a format recognised, its parts joined into one dataset.  Floor 2, data. */
#include "data/dataset.h"
#include "data/chat/talks.h"
#include "core/machine.h"
#include "data/hold.h"
#include "data/workers.h"
#include "tensor/marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tl_data_format *const formats[] = {
#define TL_DATA_FORMAT(id) &tl_data_format_##id,
#include "data/formats/formats.def"
#undef TL_DATA_FORMAT
};

const tl_data_format *tl_data_format_at(size_t i)
{
    return i < TL_COUNT(formats) ? formats[i] : NULL;
}

/* What lies under names that are often given by mistake, and what to do about it. */
static const struct { const char *end, *advice; } mistaken[] = {
#define WEIGHTS "holds weights, no data (say DATA first, and the weights by --base)"
    { ".safetensors", WEIGHTS }, { ".pt", WEIGHTS },   { ".pth", WEIGHTS },
    { ".th", WEIGHTS },          { ".bin", WEIGHTS },  { ".gguf", WEIGHTS },
#define SAVED "is no text (save it as CSV)"
    { ".xlsx", SAVED },          { ".xls", SAVED },    { ".ods", SAVED },
    { ".parquet.gz", "is packed, and Parquet packs its own pages (unpack it)" },
#define PACKED "is packed (unpack it, and name the folder)"
    { ".zip", PACKED },          { ".tar", PACKED },   { ".tar.gz", PACKED },
    { ".tgz", PACKED },
    { ".txt", "is one text file, and holds no labels (give a folder with a text file for each "
              "class, or a CSV with a column of texts and one of labels)" },
};

/* A folder's fault that can be said more plainly; NULL: there is none. */
static tl_status folder_fault(tl_ctx *ctx, const char *path, const char **fault)
{
    tl_names  names    = { 0 };
    size_t    pictures = 0, weights = 0;
    tl_status rc;

    *fault = NULL;
    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t i = 0; i < names.count; i++) {
        pictures += tl_is_picture_name(names.name[i]);
        weights += tl_ends_with(names.name[i], ".safetensors") ||
                   tl_ends_with(names.name[i], ".pth");
    }
    if (names.count == 0) *fault = "is empty (check the path)";
    else if (weights) *fault = WEIGHTS;
    else if (pictures)
        *fault = "holds pictures, but nothing says their classes (put those of each class "
                 "into a folder of its own, or a CSV of file,label beside them)";
done:
    tl_names_free(ctx, &names);
    return rc;
}

static tl_status not_recognised(tl_ctx *ctx, const char *path)
{
    const char *fault = NULL;
    tl_status   rc;

    if (!tl_exists(path))
        return tl_fail(ctx, TL_EDATA, path, "no such file or folder (check the path)");
    if (tl_is_folder(path)) TL_TRY(folder_fault(ctx, path, &fault));
    else
        for (size_t i = 0; i < TL_COUNT(mistaken) && !fault; i++)
            if (tl_ends_with(path, mistaken[i].end)) fault = mistaken[i].advice;
    if (fault) return tl_fail(ctx, TL_EDATA, path, "%s", fault);
    return tl_fail(ctx, TL_EDATA, path,
                   "no data that is known here (give a folder of class folders with "
                   "JPEG, PNG or WebP pictures, pictures with a CSV of file,label, IDX "
                   "or CIFAR files, a CSV, TSV, JSONL or Parquet table, texts with labels in "
                   "one, or a text file for each class)");
done:
    return rc;
}

/* All parts at `path`; `split` NONE: names decide. */
static tl_status open_place(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o)
{
    bool      mine = false;
    tl_status rc   = TL_OK;

    o->root = path;
    for (size_t i = 0; i < TL_COUNT(formats) && !mine && rc == TL_OK; i++)
        rc = formats[i]->open(ctx, path, split, o, &mine);
    if (rc == TL_OK && !mine) rc = not_recognised(ctx, path);
    return rc;
}

static bool has_split(const tl_opening *o, tl_split split)
{
    for (size_t i = o->first; i < o->parts; i++)
        if (o->part[i].split == split) return true;
    return false;
}

/* DATA is one file of a pair, or a folder called train: what lies beside it under the name of a
 * test or validation set belongs to it. */
static tl_status open_beside(tl_ctx *ctx, const char *path, tl_opening *o)
{
    const tl_split own    = tl_split_of_name(tl_path_name(path));
    tl_names       names  = { 0 };
    char          *folder = NULL, *file = NULL, *slash;
    tl_status      rc = TL_OK;

    if (own != TL_SPLIT_TRAIN) return TL_OK;
    for (size_t i = o->first; i < o->parts; i++)
        if (o->part[i].split == TL_SPLIT_NONE) o->part[i].split = own;
    TL_TRY(tl_strdup(ctx, path, &folder));
    slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = 0;
    TL_TRY(tl_folder_list(ctx, slash ? folder : ".", &names));
    for (size_t i = 0; i < names.count; i++) {
        const tl_split split = tl_split_of_name(names.name[i]);
        bool           mine  = false;
        if ((split != TL_SPLIT_TEST && split != TL_SPLIT_VALID) || has_split(o, split))
            continue;
        tl_free(ctx, file);
        TL_TRY(tl_path_join(ctx, slash ? folder : ".", names.name[i], &file));
        if (tl_is_folder(file) != tl_is_folder(path) ||
            strstr(names.name[i], "labels-idx"))
            continue;
        o->root = file;
        for (size_t f = 0; f < TL_COUNT(formats) && !mine; f++)
            TL_TRY(formats[f]->open(ctx, file, split, o, &mine));
    }
done:
    tl_free(ctx, file);
    tl_free(ctx, folder);
    tl_names_free(ctx, &names);
    return rc;
}

/* Parts of `split` that DATA brought along give way to the one that was asked for. */
static void drop_split(tl_ctx *ctx, tl_opening *o, tl_split split)
{
    size_t kept = 0;

    for (size_t i = 0; i < o->parts; i++) {
        if (o->part[i].split == split)
            tl_part_free(ctx, &o->part[i]);
        else
            o->part[kept++] = o->part[i];
    }
    o->parts = kept;
}

/* Where nothing is named for training, names mean nothing. */
static void forget_names(tl_opening *o)
{
    if (has_split(o, TL_SPLIT_TRAIN) || has_split(o, TL_SPLIT_NONE)) return;
    for (size_t i = o->first; i < o->parts; i++) o->part[i].split = TL_SPLIT_NONE;
}

/* The older data stand behind, with test and validation parts of their own. */
static tl_status open_old(tl_ctx *ctx, const char *path, tl_opening *o)
{
    tl_status rc;

    o->first = o->parts;
    TL_TRY(open_place(ctx, path, TL_SPLIT_NONE, o));
    TL_TRY(open_beside(ctx, path, o));
    forget_names(o);
    for (size_t i = o->first; i < o->parts; i++) o->part[i].old = true;
done:
    return rc;
}

static tl_status open_parts(tl_ctx *ctx, const tl_dataset_source *s, tl_opening *o)
{
    tl_status rc;

    TL_TRY(open_place(ctx, s->train, TL_SPLIT_NONE, o));
    TL_TRY(open_beside(ctx, s->train, o));
    if (s->valid) {
        drop_split(ctx, o, TL_SPLIT_VALID);
        TL_TRY(open_place(ctx, s->valid, TL_SPLIT_VALID, o));
    }
    if (s->test) {
        drop_split(ctx, o, TL_SPLIT_TEST);
        TL_TRY(open_place(ctx, s->test, TL_SPLIT_TEST, o));
    }
    forget_names(o);
    if (s->shifted) TL_TRY(open_place(ctx, s->shifted, TL_SPLIT_SHIFTED, o));
    if (s->old) TL_TRY(open_old(ctx, s->old, o));
done:
    return rc;
}

typedef struct {
    const char *name;
    int64_t     key, uses;
    bool        trained;
} class_entry;

static int by_key_then_name(const void *a, const void *b)
{
    const class_entry *x = a, *y = b;

    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_name_alone(const void *a, const void *b)
{
    return strcmp(((const class_entry *)a)->name, ((const class_entry *)b)->name);
}

static bool is_for_training(const tl_part *p)
{
    return p->split == TL_SPLIT_TRAIN || p->split == TL_SPLIT_NONE;
}

/* One entry for each class name in use, or given; *count of them. */
static tl_status gather_classes(tl_ctx *ctx, const tl_opening *o, const tl_dataset_source *s,
                                class_entry **out, size_t *count)
{
    class_entry *all  = NULL;
    size_t       most = (size_t)s->classes, n = 0, kept = 0;
    tl_status    rc;

    for (size_t i = 0; i < o->parts; i++) most += (size_t)o->part[i].classes;
    TL_TRY(tl_alloc_array(ctx, most, sizeof *all, &all));
    for (; n < (size_t)s->classes; n++)
        all[n] = (class_entry){ s->class_name[n], INT64_MIN + (int64_t)n, 1, true };
    for (size_t i = 0; i < o->parts; i++) {
        const tl_part *p = &o->part[i];
        for (int64_t c = 0; c < p->classes; c++)
            all[n + (size_t)c] =
                (class_entry){ p->class_name[c], p->class_key[c], 0, is_for_training(p) };
        for (int64_t r = 0; r < p->rows && !p->many; r++) all[n + (size_t)p->label[r]].uses++;
        for (int64_t k = 0; p->many && k < p->many_at[p->rows]; k++)
            all[n + (size_t)p->many[k]].uses++;
        n += (size_t)p->classes;
    }
    qsort(all, n, sizeof *all, by_name_alone);
    for (size_t i = 0; i < n; i++) {
        if (!all[i].uses) continue;
        if (kept && strcmp(all[kept - 1].name, all[i].name) == 0) {
            all[kept - 1].trained |= all[i].trained;
            all[kept - 1].key = TL_MIN(all[kept - 1].key, all[i].key);
        } else
            all[kept++] = all[i];
    }
    *out   = all;
    *count = kept;
    all    = NULL;
done:
    tl_free(ctx, all);
    return rc;
}

static tl_status name_classes(tl_ctx *ctx, tl_dataset *d, const tl_opening *o,
                              class_entry *entry, size_t count)
{
    tl_status rc;

    qsort(entry, count, sizeof *entry, by_key_then_name);
    TL_TRY(tl_alloc_array(ctx, count, sizeof *d->class_name, &d->class_name));
    for (size_t c = 0; c < count; c++) {
        if (!entry[c].trained)
            TL_FAIL(TL_EDATA, o->part[o->parts - 1].path,
                    "class \"%.100s\" is in no training row (add some, "
                    "or take its rows out of the other parts)",
                    entry[c].name);
        TL_TRY(tl_strdup(ctx, entry[c].name, &d->class_name[c]));
        d->classes++;
        entry[c].key = (int64_t)c; /* its number from here on */
    }
    qsort(entry, count, sizeof *entry, by_name_alone);
done:
    return rc;
}

/* Rows of part p from `at` on: labels, splits, names. */
static tl_status fill_rows(tl_ctx *ctx, tl_dataset *d, const tl_part *p, int64_t at,
                           const class_entry *entry, size_t count)
{
    int32_t  *number = NULL;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)p->classes, sizeof *number, &number));
    for (int64_t c = 0; c < p->classes; c++) {
        const class_entry  key   = { .name = p->class_name[c] };
        const class_entry *found = bsearch(&key, entry, count, sizeof key, by_name_alone);
        number[c]                = found ? (int32_t)found->key : -1;
    }
    for (int64_t k = 0, r = 0; p->many && k < p->many_at[p->rows]; k++) {
        while (k >= p->many_at[r + 1]) r++;
        d->mark[(at + r) * d->classes + number[p->many[k]]] = 1;
    }
    for (int64_t r = 0; r < p->rows; r++) {
        d->label[at + r] = p->many ? 0 : number[p->label[r]];
        d->split[at + r] = (uint8_t)p->split;
        if (p->names) d->row_name[at + r] = p->names + p->name_at[r];
        if (d->target) d->target[at + r] = p->target[r];
        if (d->old) d->old[at + r] = p->old;
    }
done:
    tl_free(ctx, number);
    return rc;
}

/* The label of a row with several is its rarest; of a row with none the most frequent of all. */
static tl_status label_by_rarest(tl_ctx *ctx, tl_dataset *d)
{
    int64_t  *count = NULL;
    int32_t   most  = 0;
    tl_status rc;

    if (!d->mark) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)d->classes, sizeof *count, &count));
    for (int64_t i = 0; i < d->rows * d->classes; i++) count[i % d->classes] += d->mark[i];
    for (int32_t c = 1; c < d->classes; c++)
        if (count[c] > count[most]) most = c;
    for (int64_t r = 0; r < d->rows; r++) {
        d->label[r] = most;
        for (int32_t c = 0; c < d->classes; c++)
            if (d->mark[r * d->classes + c] && count[c] < count[d->label[r]]) d->label[r] = c;
        if (!d->mark[r * d->classes + d->label[r]]) d->label[r] = most;
    }
done:
    tl_free(ctx, count);
    return rc;
}

static void take_sizes(tl_dataset *d, const tl_hold *h)
{
    d->one_size = true;
    for (size_t i = 0; i < h->parts; i++) {
        const tl_part *p = &h->part[i];
        if (!p->rows) continue;
        if (!d->height) d->height = p->height, d->width = p->width;
        d->one_size =
            d->one_size && p->one_size && p->height == d->height && p->width == d->width;
        d->channels = TL_MAX(d->channels, p->channels);
    }
}

/* Train rows first, then unsaid ones, valid and test. */
static void sort_parts(tl_opening *o)
{
    static const int rank[] = { [TL_SPLIT_TRAIN] = 0,
                                [TL_SPLIT_NONE]  = 1,
                                [TL_SPLIT_VALID] = 2,
                                [TL_SPLIT_TEST]  = 3,
                                [TL_SPLIT_SHIFTED] = 4 };

    for (size_t i = 1; i < o->parts; i++)
        for (size_t j = i; j > 0 && rank[o->part[j].split] < rank[o->part[j - 1].split];
             j--) {
            const tl_part kept = o->part[j];
            o->part[j]         = o->part[j - 1];
            o->part[j - 1]     = kept;
        }
}

static tl_status say_bad(tl_ctx *ctx, tl_dataset *d, const tl_bad *bad)
{
    json_t *list = bad->first ? json_copy(bad->first) : json_array();

    d->bad      = list;
    d->bad_rows = bad->rows;
    for (size_t k = 0; k < TL_BAD_KINDS && bad->kind[k]; k++)
        if (json_array_append_new(
                list, json_sprintf("%" PRId64 " %s", bad->count[k], bad->kind[k])) != 0)
            return tl_fail(ctx, TL_ENOMEM, "memory",
                           "no room to list bad rows (free some memory)");
    return TL_OK;
}

/* Constant texts: compared by address. */
static const char *kind_of(const tl_part *p)
{
    static const char texts[] = "texts", table[] = "rows of a table", pictures[] = "pictures";

    return p->texts ? texts : p->map ? table : pictures;
}

static tl_status take_task(tl_ctx *ctx, tl_opening *o, tl_dataset *d)
{
    tl_status rc = TL_OK;

    d->task = &tl_task_image_classification;
    for (size_t i = 1; i < o->parts; i++)
        if (kind_of(&o->part[i]) != kind_of(&o->part[0]))
            TL_FAIL(TL_EDATA, o->part[i].path, "holds %s, and %.200s %s (give parts of one kind)",
                    kind_of(&o->part[i]), o->part[0].path, kind_of(&o->part[0]));
    if (o->part[0].texts) {
        d->task = o->text.task ? o->text.task : &tl_task_text_classification;
        TL_TRY(tl_alloc(ctx, sizeof *d->text, &d->text));
        *d->text = o->text;
        o->text  = (tl_text_columns){ 0 };
    } else if (o->schema && o->part[0].map) { /* else pictures, whatever was expected */
        d->task   = o->schema->task;
        d->schema = tl_schema_hold(o->schema);
    }
    if (d->task->numbers)
        TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *d->target, &d->target));
    if (d->task->several)
        TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, (size_t)d->classes, &d->mark));
done:
    return rc;
}

/* Words of one text are a group: splits keep them together, statistics take them as one. */
static tl_status take_tags(tl_ctx *ctx, const tl_opening *o, tl_dataset *d)
{
    int64_t   row = 0;
    tl_tags  *t;
    tl_status rc;

    if (d->rows > INT32_MAX)
        TL_FAIL(TL_ELIMIT, d->path, "over two billion words (part the data)");
    TL_TRY(tl_alloc(ctx, sizeof *t, &t));
    d->tags = t;
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *t->text, &t->text));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows + 1, sizeof *t->first, &t->first));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *d->group, &d->group));
    for (size_t p = 0; p < o->parts; p++)
        for (int64_t r = 0; r < o->part[p].rows; r++, row++) {
            if (r == 0 || o->part[p].begins[r]) t->first[t->texts++] = row;
            t->text[row] = d->group[row] = (int32_t)t->texts - 1;
        }
    t->first[t->texts] = row;
    d->groups          = t->texts;
done:
    return rc;
}

static tl_status join(tl_ctx *ctx, tl_opening *o, const tl_dataset_source *source, tl_dataset *d)
{
    const char  *path  = source->train;
    tl_hold     *h     = NULL;
    class_entry *entry = NULL;
    size_t       count;
    tl_status    rc;

    sort_parts(o);
    TL_TRY(tl_strdup(ctx, path, &d->path));
    TL_TRY(gather_classes(ctx, o, source, &entry, &count));
    TL_TRY(name_classes(ctx, d, o, entry, count));
    TL_TRY(tl_alloc(ctx, sizeof *h, &h));
    TL_TRY(tl_alloc_array(ctx, o->parts + 1, sizeof *h->start, &h->start));
    for (size_t i = 0; i < o->parts; i++) h->start[i + 1] = h->start[i] + o->part[i].rows;
    d->rows = h->start[o->parts];
    if (!d->rows) TL_FAIL(TL_EDATA, path, "no rows (is the folder empty?)");
    d->format = o->part[0].format;
    TL_TRY(take_task(ctx, o, d));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *d->label, &d->label));
    TL_TRY(tl_alloc(ctx, (size_t)d->rows, &d->split));
    if (source->old) TL_TRY(tl_alloc(ctx, (size_t)d->rows, &d->old));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *d->row_name, &d->row_name));
    for (size_t i = 0; i < o->parts; i++)
        TL_TRY(fill_rows(ctx, d, &o->part[i], h->start[i], entry, count));
    TL_TRY(label_by_rarest(ctx, d));
    if (d->task->tags) TL_TRY(take_tags(ctx, o, d));
    pthread_mutex_init(&h->lock, NULL);
    h->part  = o->part;
    h->parts = o->parts;
    o->part  = NULL;
    o->parts = 0;
    d->hold  = h;
    h        = NULL;
    take_sizes(d, d->hold);
done:
    if (h) tl_free(ctx, h->start);
    tl_free(ctx, h);
    tl_free(ctx, entry);
    return rc;
}

double tl_dataset_mark(const tl_dataset *d, int64_t i, int64_t output)
{
    if (d->mark) return (double)d->mark[i * d->classes + output];
    return tl_rank_mark(d->label[i], d->classes, output);
}

void tl_dataset_marks(const tl_dataset *d, int64_t i, float *mark)
{
    for (int64_t c = 0; c < d->classes; c++) mark[c] = (float)tl_dataset_mark(d, i, c);
}

const tl_part *tl_hold_part(const tl_dataset *d, int64_t i, int64_t *local)
{
    const tl_hold *h    = d->hold;
    size_t         part = 0;

    while (i >= h->start[part + 1]) part++;
    *local = i - h->start[part];
    return &h->part[part];
}

const uint8_t *tl_hold_pixels(const tl_dataset *d, int64_t i, tl_image *size)
{
    int64_t        local;
    const tl_part *p = tl_hold_part(d, i, &local);

    *size = (tl_image){ .height = p->height, .width = p->width, .channels = p->channels };
    return p->pixels ? p->pixels + local * p->height * p->width * p->channels : NULL;
}

static tl_status read_row(tl_ctx *ctx, const tl_dataset *d, int64_t i, int channels,
                          tl_image *out)
{
    tl_image       size;
    const uint8_t *held  = tl_hold_pixels(d, i, &size);
    const size_t   bytes = (size_t)(size.height * size.width * size.channels);
    tl_status      rc;

    *out = (tl_image){ 0 };
    if (!held) return tl_image_open(ctx, d->row_name[i], channels, out);
    TL_TRY(tl_alloc(ctx, bytes, &size.data));
    memcpy(size.data, held, bytes);
    *out = size;
    TL_TRY(tl_image_channels(ctx, channels, out));
done:
    if (rc != TL_OK) tl_image_free(ctx, out);
    return rc;
}

static void close_rows(tl_ctx *ctx, tl_dataset *d)
{
    tl_hold *h = d->hold;

    for (size_t i = 0; h && i < h->parts; i++) tl_part_free(ctx, &h->part[i]);
    if (h) {
        pthread_mutex_destroy(&h->lock);
        tl_free(ctx, h->part);
        tl_free(ctx, h->start);
        tl_free(ctx, h->group);
    }
    tl_free(ctx, h);
    for (int64_t c = 0; c < d->classes; c++) tl_free(ctx, d->class_name[c]);
    tl_free(ctx, d->class_name);
    tl_free(ctx, d->label);
    tl_free(ctx, d->split);
    tl_free(ctx, d->old);
    tl_free(ctx, d->row_name);
    tl_free(ctx, d->path);
    tl_free(ctx, d->target);
    tl_free(ctx, d->group);
    for (int64_t g = 0; d->group_name && g < d->groups; g++) tl_free(ctx, d->group_name[g]);
    tl_free(ctx, d->group_name);
    tl_free(ctx, d->group_column);
    tl_free(ctx, d->mark);
    if (d->tags) tl_free(ctx, d->tags->first);
    if (d->tags) tl_free(ctx, d->tags->text);
    tl_free(ctx, d->tags);
    tl_schema_drop(ctx, d->schema);
    if (d->text) tl_text_columns_free(ctx, d->text);
    tl_free(ctx, d->text);
    json_decref(d->bad);
    tl_free(ctx, d);
}

/* Conversations have no classes, unless a column is named. */
static tl_status check_talks(tl_ctx *ctx, const tl_dataset_source *s)
{
    bool      talks = false;
    tl_status rc    = TL_OK;

    if (s->ask.text || s->ask.label || s->ask.target || s->schema || s->text) return TL_OK;
    TL_TRY(tl_talks_in(ctx, s->train, &talks));
    if (talks)
        TL_FAIL(TL_EUSAGE, s->train,
                "holds conversations (`tailor train` teaches them to a --base; with --text and "
                "--label they are texts to be told apart)");
done:
    return rc;
}

tl_status tl_dataset_open(tl_ctx *ctx, const tl_dataset_source *source, tl_dataset **out)
{
    tl_opening  o = { .skip_bad    = source->skip_bad,
                      .limit_bytes = source->limit_bytes,
                      .ask         = source->ask };
    tl_dataset *d = NULL;
    int64_t     rows = 0;
    tl_status   rc;

    *out = NULL;
    TL_TRY(check_talks(ctx, source));
    if (!o.limit_bytes) o.limit_bytes = tl_machine_memory_bytes() / 2;
    if ((source->schema || source->text) && !o.ask.order)
        o.ask.order = ""; /* the model has its own: classes find each other by name */
    if (source->schema) TL_TRY(tl_schema_copy(ctx, source->schema, &o.schema));
    if (source->text && source->text->name[0])
        TL_TRY(tl_text_columns_copy(ctx, source->text, &o.text));
    TL_TRY(open_parts(ctx, source, &o));
    for (size_t i = 0; i < o.parts; i++) rows += o.part[i].rows;
    if (!source->skip_bad || rows == 0)
        TL_TRY(tl_bad_fail(ctx, &o.bad, source->train, rows + o.bad.rows));
    TL_TRY(tl_alloc(ctx, sizeof *d, &d));
    d->read  = read_row;
    d->close = close_rows;
    TL_TRY(join(ctx, &o, source, d));
    if (source->ask.group) TL_TRY(tl_dataset_take_groups(ctx, d, source->ask.group));
    TL_TRY(say_bad(ctx, d, &o.bad));
    *out = d;
    d    = NULL;
done:
    for (size_t i = 0; i < o.parts; i++) tl_part_free(ctx, &o.part[i]);
    tl_free(ctx, o.part);
    tl_schema_drop(ctx, o.schema);
    tl_text_columns_free(ctx, &o.text);
    tl_bad_free(&o.bad);
    tl_dataset_close(ctx, d);
    return rc;
}

static tl_status fill_part(tl_ctx *ctx, const tl_arrays *a, tl_part *p)
{
    const size_t bytes = (size_t)(a->rows * a->height * a->width * a->channels);
    char         name[24];
    int32_t      number;
    tl_status    rc;

    p->rows     = a->rows;
    p->height   = a->height;
    p->width    = a->width;
    p->channels = a->channels;
    p->one_size = true;
    for (int64_t c = 0; c < a->classes; c++) {
        snprintf(name, sizeof name, "%" PRId64, c);
        TL_TRY(tl_part_class(ctx, p, name, c, &number));
    }
    TL_TRY(tl_alloc(ctx, bytes, &p->pixels));
    memcpy(p->pixels, a->pixels, bytes);
    TL_TRY(tl_alloc_array(ctx, (size_t)a->rows, sizeof *p->label, &p->label));
    memcpy(p->label, a->label, (size_t)a->rows * sizeof *p->label);
done:
    return rc;
}

tl_status tl_dataset_of_arrays(tl_ctx *ctx, const tl_arrays *arrays, tl_dataset **out)
{
    tl_opening  o = { .root = "" };
    tl_dataset *d = NULL;
    tl_part    *part;
    tl_status   rc;

    *out = NULL;
    TL_TRY(tl_part_add(ctx, &o, "arrays", "arrays", TL_SPLIT_NONE, &part));
    TL_TRY(fill_part(ctx, arrays, part));
    TL_TRY(tl_alloc(ctx, sizeof *d, &d));
    d->read  = read_row;
    d->close = close_rows;
    TL_TRY(join(ctx, &o, &(tl_dataset_source){ .train = "arrays" }, d));
    TL_TRY(say_bad(ctx, d, &o.bad));
    *out = d;
    d    = NULL;
done:
    for (size_t i = 0; i < o.parts; i++) tl_part_free(ctx, &o.part[i]);
    tl_free(ctx, o.part);
    tl_dataset_close(ctx, d);
    return rc;
}

void tl_dataset_close(tl_ctx *ctx, tl_dataset *d)
{
    if (d) d->close(ctx, d);
}

tl_status tl_dataset_row_name(tl_ctx *ctx, const tl_dataset *d, int64_t i, char **out)
{
    int64_t        local;
    const tl_part *p = tl_hold_part(d, i, &local);
    const size_t   n = strlen(p->path) + 32;
    tl_status      rc;

    if (d->row_name[i]) return tl_strdup(ctx, d->row_name[i], out);
    rc = tl_alloc(ctx, n, out);
    if (rc == TL_OK && (p->map || p->texts))
        snprintf(*out, n, "%s:%u", p->path, (unsigned)p->sheet.line[local]);
    else if (rc == TL_OK) snprintf(*out, n, "%s[%" PRId64 "]", p->path, local);
    return rc;
}
