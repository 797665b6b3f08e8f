/* data.c -- data handles: files, arrays, generated pictures; which rows are train, valid, test.
 * Floor 4.5, api. */
#include "api/handles.h"
#include "core/par.h"
#include "data/chat/set.h"
#include "data/corpus/corpus.h"
#include "data/strokes.h"

#include <stdio.h>
#include <string.h>

const double tl_api_test_share = 0.2;

double tl_api_valid_share(int64_t rest)
{
    return rest >= 5000 ? 0.1 : 0.15;
}

size_t tl_api_cache_bytes(const tailor *t)
{
    return (t->world.limit_bytes ? t->world.limit_bytes : (size_t)2 << 30) / 4;
}

static tl_status wrap(tl_ctx *ctx, tl_dataset *set, uint64_t seed, tailor_data **out)
{
    tl_status rc = tl_alloc(ctx, sizeof **out, out);

    if (rc == TL_OK) **out = (tailor_data){ set, seed };
    else tl_dataset_close(ctx, set);
    return rc;
}

tailor_status tailor_data_open(tailor *t, const char *path, const tailor_data_options *options,
                               tailor_data **out)
{
    tl_ctx                   *ctx = tl_api_begin(t);
    const tailor_data_options o   = options ? *options : (tailor_data_options){ 0 };
    const tl_dataset_source   source = { .train = path, .valid = o.valid, .test = o.test,
                                         .skip_bad    = o.skip_bad != 0,
                                         .ask = { o.target, o.task, o.text, o.label, o.group,
                                                  o.order },
                                         .schema = o.like ? o.like->model->prep.table : NULL,
                                         .text = o.like && o.like->model->prep.text && !o.text
                                                     ? &o.like->model->prep.text->columns
                                                     : NULL,
                                         .limit_bytes = t->world.limit_bytes };
    tl_dataset               *set   = NULL;
    bool                      talks = false;
    tl_status                 rc;

    *out = NULL;
    if (!o.text && !o.label && !o.target && !o.like)
        TL_TRY(tl_talks_in(ctx, path, &talks));
    if (talks) {
        const tl_talks_source of = { .train = path, .valid = o.valid, .test = o.test,
                                     .skip_bad = o.skip_bad != 0, .seed = o.seed,
                                     .limit_bytes = t->world.limit_bytes };
        TL_TRY(tl_talks_open(ctx, &of, &set));
    } else TL_TRY(tl_dataset_open(ctx, &source, &set));
    TL_TRY(wrap(ctx, set, o.seed, out));
done:
    return tl_api_status(rc);
}

/* The corpus with the parts that the model was made from, if it is this one; else *out NULL. */
static tl_status open_learnt(tl_ctx *ctx, const tl_model *m, const tl_corpus_source *source,
                             tl_dataset **out)
{
    tl_corpus_source same = *source;
    char             hex[65];
    const char      *was = tl_json_text(json_object_get(m->provenance, "data"), "sha256", "");
    tl_status        rc;

    *out      = NULL;
    same.seed = (uint64_t)tl_json_int(json_object_get(m->provenance, "split"), "seed", 0);
    if (!*was || tl_corpus_open(ctx, &same, out) != TL_OK) return TL_OK;
    TL_TRY(tl_corpus_hash(ctx, *out, hex));
    if (strcmp(hex, was) != 0) {
        tl_dataset_close(ctx, *out);
        *out = NULL;
    }
done:
    return rc;
}

tailor_status tailor_corpus_open(tailor *t, const char *path, const tailor_data_options *options,
                                 tailor_data **out)
{
    tl_ctx                   *ctx = tl_api_begin(t);
    const tailor_data_options o   = options ? *options : (tailor_data_options){ 0 };
    const tl_corpus_source    source = { .train = path, .valid = o.valid, .test = o.test,
                                         .text = o.text, .seed = o.seed,
                                         .limit_bytes = t->world.limit_bytes };
    tl_corpus_source          whole = source;
    tl_dataset               *set = NULL;
    tl_status                 rc;

    *out = NULL;
    whole.whole = true;
    if (o.like) TL_TRY(open_learnt(ctx, o.like->model, &source, &set));
    if (!set) TL_TRY(tl_corpus_open(ctx, o.like ? &whole : &source, &set));
    TL_TRY(wrap(ctx, set, o.seed, out));
done:
    return tl_api_status(rc);
}

static tl_status check_arrays(tl_ctx *ctx, const int32_t *label, int64_t rows, int64_t height,
                              int64_t width, int64_t channels, int64_t classes)
{
    if (rows < 1 || height < 1 || width < 1 || classes < 1 || (channels != 1 && channels != 3))
        return tl_fail(ctx, TL_EUSAGE, "tailor_data_from_arrays",
                       "sizes must be at least 1 and "
                       "channels 1 or 3");
    if (height > 65536 || width > 65536 || rows > INT64_MAX / (height * width * channels))
        return tl_fail(ctx, TL_ELIMIT, "tailor_data_from_arrays", "the pictures are too large");
    for (int64_t i = 0; i < rows; i++)
        if (label[i] < 0 || label[i] >= classes)
            return tl_fail(ctx, TL_EDATA, "tailor_data_from_arrays", "label %d of row %" PRId64
                           " is not in 0 .. %" PRId64, (int)label[i], i, classes - 1);
    return TL_OK;
}

tailor_status tailor_data_from_arrays(tailor *t, const uint8_t *pixels, const int32_t *label,
                                      int64_t rows, int64_t height, int64_t width,
                                      int64_t channels, int64_t classes, tailor_data **out)
{
    tl_ctx         *ctx    = tl_api_begin(t);
    const tl_arrays arrays = { .pixels = pixels, .label = label, .rows = rows, .height = height,
                               .width = width, .channels = channels, .classes = classes };
    tl_dataset     *set    = NULL;
    tl_status       rc;

    *out = NULL;
    TL_TRY(check_arrays(ctx, label, rows, height, width, channels, classes));
    TL_TRY(tl_dataset_of_arrays(ctx, &arrays, &set));
    TL_TRY(wrap(ctx, set, 0, out));
done:
    return tl_api_status(rc);
}

typedef struct {
    uint8_t  *pixels;
    int32_t  *label;
    uint64_t  seed;
} drawing;

static void draw_rows(void *arg, int64_t low, int64_t high)
{
    const drawing *d       = arg;
    const int      classes = tl_strokes_classes(TL_DIGITS);

    for (int64_t i = low; i < high; i++) {
        d->label[i] = (int32_t)(i % classes);
        tl_strokes_draw(TL_DIGITS, d->label[i], d->seed, i,
                        d->pixels + i * TL_STROKES_SIZE * TL_STROKES_SIZE);
    }
}

tailor_status tailor_data_demo(tailor *t, int64_t rows, uint64_t seed, tailor_data **out)
{
    enum { SIZE = TL_STROKES_SIZE };
    tl_ctx       *ctx    = tl_api_begin(t);
    drawing       d      = { .seed = seed };
    tailor_status status = TAILOR_OK;
    tl_status     rc;

    *out = NULL;
    if (rows < 1 || rows > 1000000)
        TL_FAIL(TL_EUSAGE, "tailor_data_demo", "rows must be 1 to 1,000,000");
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, SIZE * SIZE, &d.pixels));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *d.label, &d.label));
    tl_par_for(t->world.threads, rows, 16, draw_rows, &d);
    status = tailor_data_from_arrays(t, d.pixels, d.label, rows, SIZE, SIZE, 1,
                                     tl_strokes_classes(TL_DIGITS), out);
done:
    tl_free(ctx, d.pixels);
    tl_free(ctx, d.label);
    return rc == TL_OK ? status : tl_api_status(rc);
}

const char *tailor_data_task(const tailor_data *data)
{
    return data->set->task->name;
}

int64_t tailor_data_rows(const tailor_data *data)
{
    return data->set->rows;
}

int64_t tailor_data_classes(const tailor_data *data)
{
    return data->set->classes;
}

const char *tailor_data_class_name(const tailor_data *data, int64_t label)
{
    if (label < 0 || label >= data->set->classes || !data->set->class_name) return NULL;
    return data->set->class_name[label];
}

void tailor_data_free(tailor *t, tailor_data *data)
{
    if (!data) return;
    tl_dataset_close(&t->ctx, data->set);
    tl_free(&t->ctx, data);
}

bool tl_api_names_test(const tl_dataset *d)
{
    for (int64_t i = 0; i < d->rows; i++)
        if (d->split[i] == TL_SPLIT_TEST) return true;
    return false;
}

static tl_status all_rows(tl_ctx *ctx, const tl_dataset *d, tl_rows *out)
{
    tl_status rc = tl_alloc_array(ctx, (size_t)d->rows, sizeof *out->row, &out->row);

    if (rc != TL_OK) return rc;
    for (int64_t i = 0; i < d->rows; i++) out->row[i] = i;
    out->count = d->rows;
    return TL_OK;
}

/* The rows that the model's own account keeps as test, if it was made from this data; else
 * nothing. */
static tl_status kept_rows(tl_ctx *ctx, const tl_dataset *d, const tl_model *model, tl_rows *out)
{
    const json_t *about = model ? model->provenance : NULL;
    const json_t *rows  = json_object_get(json_object_get(about, "split"), "test_rows");
    const size_t  count = json_array_size(rows);
    char          hex[65];
    tl_status     rc;

    if (!count || count > (size_t)d->rows) return TL_OK;
    TL_TRY(tl_dataset_hash(ctx, d, hex));
    if (strcmp(hex, tl_json_text(json_object_get(about, "data"), "sha256", "")) != 0) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, count, sizeof *out->row, &out->row));
    for (size_t i = 0; i < count; i++) {
        out->row[i] = json_integer_value(json_array_get(rows, i));
        if (out->row[i] < 0 || out->row[i] >= d->rows)
            TL_FAIL(TL_EDATA, model->path,
                    "its tailor.json names a row that the data have not (give the data "
                    "it was trained on)");
    }
    out->count = (int64_t)count;
done:
    return rc;
}

/* All rows that are not in `test`. */
static tl_status rows_beside(tl_ctx *ctx, const tl_dataset *d, const tl_rows *test, tl_rows *out)
{
    uint8_t  *taken = NULL;
    tl_status rc;

    TL_TRY(tl_alloc(ctx, (size_t)d->rows, &taken));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *out->row, &out->row));
    for (int64_t i = 0; i < test->count; i++) taken[test->row[i]] = 1;
    for (int64_t i = 0; i < d->rows; i++)
        if (!taken[i]) out->row[out->count++] = i;
done:
    tl_free(ctx, taken);
    return rc;
}

tl_status tl_api_part(tl_ctx *ctx, const tailor_data *data, const tl_model *model,
                      const char *part, tl_rows *out, const char **said)
{
    const tl_dataset *d    = data->set;
    tl_rows           rest = { 0 }, test = { 0 }, train = { 0 }, valid = { 0 };
    tl_status         rc;

    *out = (tl_rows){ 0 };
    if (!tl_api_names_test(d)) TL_TRY(kept_rows(ctx, d, model, &test));
    if (!part) part = test.count || tl_api_names_test(d) ? "test" : "all";
    if (said) *said = part;
    if (strcmp(part, "all") == 0) {
        TL_TRY(all_rows(ctx, d, out));
        goto done;
    }
    if (test.count) TL_TRY(rows_beside(ctx, d, &test, &rest));
    else TL_TRY(tl_split_test(ctx, d, data->seed, tl_api_test_share, &rest, &test));
    if (strcmp(part, "test") == 0) {
        *out = test, test = (tl_rows){ 0 };
        goto done;
    }
    TL_TRY(tl_split_repeat(ctx, d, &rest, data->seed, 0, tl_api_valid_share(rest.count), 0,
                           &train, &valid));
    if (strcmp(part, "train") == 0) *out = train, train = (tl_rows){ 0 };
    else if (strcmp(part, "valid") == 0) *out = valid, valid = (tl_rows){ 0 };
    else TL_FAIL(TL_EUSAGE, "split", "\"%s\" is not known (train, valid, test or all)", part);
done:
    tl_free(ctx, rest.row);
    tl_free(ctx, test.row);
    tl_free(ctx, train.row);
    tl_free(ctx, valid.row);
    return rc;
}
