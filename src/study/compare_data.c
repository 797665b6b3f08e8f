/* compare_data.c -- the data of a comparison: what is asked of it, what is measured,
 * and which rows test. Floor 4, study. */
#include "study/update.h"
#include "core/machine.h"
#include "core/text.h"
#include "study/base_distance.h"
#include "study/profile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LEAST_TEST_ROWS = 500, DEFAULT_FOLDS = 5 };
static const double TEST_SHARE = 0.2, DEFAULT_MARGIN = 0.01, SHARE_OF_ERROR = 0.02;

/* Of numbers: 2 % of the error of saying the mean of the rows that are not test to every row:
 * the baseline whose error is known before anything runs. */
static double margin_of_numbers(const tl_study *s)
{
    const tl_rows *rest = &s->slice[0].rest;
    const double  *y    = s->data->target;
    const double   n    = (double)rest->count;
    double         mean = 0.0, square = 0.0, away = 0.0;

    if (tl_study_metric_of(s)->higher) return SHARE_OF_ERROR; /* R2: saying the mean has 0 */
    for (int64_t i = 0; i < rest->count; i++) mean += y[rest->row[i]] / n;
    for (int64_t i = 0; i < rest->count; i++) {
        const double e = y[rest->row[i]] - mean;
        square += e * e / n;
        away += fabs(e) / n;
    }
    return SHARE_OF_ERROR * (strcmp(s->metric, "mae") == 0 ? away : sqrt(square));
}

/* Of ranks' mean absolute error: the same of saying the rank that is best to say to all. */
static double margin_of_ranks(const tl_study *s)
{
    const tl_rows *rest = &s->slice[0].rest;
    double         least = INFINITY;

    for (int32_t said = 0; said < s->data->classes; said++) {
        double away = 0.0;
        for (int64_t i = 0; i < rest->count; i++)
            away += fabs((double)(said - s->data->label[rest->row[i]])) / (double)rest->count;
        least = fmin(least, away);
    }
    return SHARE_OF_ERROR * least;
}

static void choose_margin(tl_study *s)
{
    const tl_task *task = s->data->task;

    s->margin = s->q->margin > 0.0                                   ? s->q->margin
                : task->numbers                                      ? margin_of_numbers(s)
                : task->ordered && !tl_study_metric_of(s)->higher ? margin_of_ranks(s)
                                                                     : DEFAULT_MARGIN;
}

static bool names_test(const tl_dataset *d, const tl_rows *rows)
{
    for (int64_t i = 0; i < rows->count; i++)
        if (d->split[rows->row[i]] == TL_SPLIT_TEST) return true;
    return false;
}

/* All rows; of an update those that are new. */
static tl_status rows_in_question(tl_ctx *ctx, const tl_study *s, tl_rows *out)
{
    const tl_rows  *fresh = s->update.model ? &s->update.fresh : NULL;
    const int64_t   count = fresh ? fresh->count : s->data->rows;
    const tl_status rc = tl_alloc_array(ctx, (size_t)count, sizeof *out->row, &out->row);

    for (int64_t i = 0; rc == TL_OK && i < count; i++)
        if (fresh || s->data->split[i] != TL_SPLIT_SHIFTED)
            out->row[out->count++] = fresh ? fresh->row[i] : i;
    return rc;
}

/* K folds of rest and test together: every row is tested once, by a model that has not
 * seen it. */
static tl_status cut_folds(tl_ctx *ctx, tl_study *s, tl_rows all, int folds)
{
    tl_status rc;
    int8_t   *fold = NULL;

    TL_TRY(tl_alloc_array(ctx, (size_t)all.count, sizeof *fold, &fold));
    TL_TRY(tl_split_folds(ctx, s->data, &all, folds, s->q->seed, fold));
    for (int f = 0; f < folds; f++) {
        tl_study_slice *slice = &s->slice[f];
        TL_TRY(tl_alloc_array(ctx, (size_t)all.count, sizeof *slice->rest.row,
                              &slice->rest.row));
        TL_TRY(tl_alloc_array(ctx, (size_t)all.count, sizeof *slice->test.row,
                              &slice->test.row));
        for (int64_t i = 0; i < all.count; i++) {
            tl_rows *to          = fold[i] == f ? &slice->test : &slice->rest;
            to->row[to->count++] = all.row[i];
        }
    }
    s->folds = folds;
done:
    tl_free(ctx, fold);
    return rc;
}

static tl_status join_tests(tl_ctx *ctx, tl_study *s)
{
    tl_status rc;
    int64_t   count = 0;

    for (int f = 0; f < tl_study_slices(s); f++) count += s->slice[f].test.count;
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *s->test.row, &s->test.row));
    for (int f = 0; f < tl_study_slices(s); f++) {
        const tl_rows *part = &s->slice[f].test;
        memcpy(s->test.row + s->test.count, part->row,
               (size_t)part->count * sizeof *part->row);
        s->test.count += part->count;
    }
done:
    return rc;
}

static tl_status take_shifted(tl_ctx *ctx, tl_study *s)
{
    int64_t   count = 0;
    tl_status rc;

    for (int64_t i = 0; i < s->data->rows; i++) count += s->data->split[i] == TL_SPLIT_SHIFTED;
    if (count == 0) return TL_OK;
    if (tl_task_has_marks(s->data->task) || s->data->task->tags)
        TL_FAIL(TL_EUSAGE, "--shifted", "is for one class of several and for numbers; of several "
                "labels, ranks and tags it is not there yet (leave it out)");
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *s->shifted.row, &s->shifted.row));
    for (int64_t i = 0; i < s->data->rows; i++)
        if (s->data->split[i] == TL_SPLIT_SHIFTED) s->shifted.row[s->shifted.count++] = i;
done:
    return rc;
}

/* Copies and rows of one group are one unit of the statistics, too. */
static tl_status take_clusters(tl_ctx *ctx, tl_study *s)
{
    int64_t  *unit = NULL;
    int32_t  *number = NULL, units = 0;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)s->data->rows, sizeof *unit, &unit));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->data->rows, sizeof *number, &number));
    TL_TRY(tl_dataset_units(ctx, s->data, unit));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->test.count, sizeof *s->cluster, &s->cluster));
    for (int64_t r = 0; r < s->test.count; r++) {
        int32_t *n = &number[unit[s->test.row[r]]];
        if (*n == 0) *n = ++units;
        s->cluster[r] = *n - 1;
    }
    if (units == s->test.count) {
        tl_free(ctx, s->cluster);
        s->cluster = NULL;
    }
    if (s->data->group_column)
        tl_study_say(s, "groups: %" PRId64 " by %.80s, %d of them tested; none is on two sides",
                     s->data->groups, s->data->group_column, (int)units);
done:
    tl_free(ctx, unit);
    tl_free(ctx, number);
    return rc;
}

static void free_slices(tl_ctx *ctx, tl_study *s)
{
    for (int f = 0; f < TL_STUDY_FOLDS; f++) {
        tl_free(ctx, s->slice[f].rest.row);
        tl_free(ctx, s->slice[f].test.row);
        s->slice[f] = (tl_study_slice){ 0 };
    }
}

/* Rows of the rarest class that has any. */
static tl_status rarest_of(tl_ctx *ctx, const tl_study *s, tl_rows rows, int64_t *out)
{
    int64_t        *count = NULL;
    const tl_status rc =
        tl_alloc_array(ctx, (size_t)s->data->classes, sizeof *count, &count);

    *out = rows.count;
    if (rc != TL_OK) return rc;
    for (int64_t i = 0; i < rows.count; i++) count[s->data->label[rows.row[i]]]++;
    for (int64_t c = 0; c < s->data->classes; c++)
        if (count[c]) *out = TL_MIN(*out, count[c]);
    tl_free(ctx, count);
    return TL_OK;
}

static int wanted_folds(const tl_study *s, int64_t rarest)
{
    int folds = s->q->folds;

    if (folds == 0 && s->slice[0].test.count < LEAST_TEST_ROWS) folds = DEFAULT_FOLDS;
    folds = TL_MIN(folds, TL_STUDY_FOLDS);
    return folds > 1 ? (int)TL_MAX(2, TL_MIN(folds, rarest)) : 0;
}

static tl_status cut_test(tl_ctx *ctx, tl_study *s)
{
    tl_status rc;
    tl_rows   all = { 0 };
    int64_t   rarest;

    TL_TRY(rows_in_question(ctx, s, &all));
    TL_TRY(rarest_of(ctx, s, all, &rarest));
    const bool named = names_test(s->data, &all);
    if (s->q->folds > 1 && named)
        tl_study_warn(s, "--folds is not used: the data names its own test part.");
    TL_TRY(tl_split_test_of(ctx, s->data, &all, s->q->seed, TEST_SHARE, &s->slice[0].rest,
                            &s->slice[0].test));
    s->cut          = !named;
    const int folds = named ? 0 : wanted_folds(s, rarest);
    if (folds > 0) {
        free_slices(ctx, s);
        TL_TRY(cut_folds(ctx, s, all, folds));
    }
    TL_TRY(join_tests(ctx, s));
    TL_TRY(take_shifted(ctx, s));
    s->valid_share = s->slice[0].rest.count >= 5000 ? 0.1 : 0.15;
    if (s->slice[0].rest.count < 4 || s->test.count < 2)
        TL_FAIL(TL_EDATA, s->data->path,
                "%" PRId64 " rows are too few to train, choose and test "
                "(bring at least a dozen)",
                all.count);
done:
    tl_free(ctx, all.row);
    return rc;
}

/* "target: Exited (as asked); 8 numbers, 2 categories; left out: RowNumber, ..." */
static void say_columns(tl_study *s)
{
    const tl_schema *schema = s->data->schema;
    int64_t          of[4] = { 0 };
    char             out[300] = "";

    for (int64_t i = 0; i < schema->columns; i++) {
        const tl_column *c = &schema->column[i];
        of[c->kind]++;
        if (c->kind == TL_COLUMN_LEFT_OUT && strlen(out) < 220)
            snprintf(out + strlen(out), sizeof out - strlen(out), "%s%.60s",
                     *out ? ", " : "; left out: ", c->name);
    }
    tl_study_say(s, "target: %.80s (%s); columns: %" PRId64 " numbers, %" PRId64
                 " categories, %" PRId64 " dates%s", schema->target,
                 schema->target_why ? schema->target_why : "as the model has it",
                 of[TL_COLUMN_NUMBER], of[TL_COLUMN_CATEGORY], of[TL_COLUMN_DATE], out);
}

static void say_texts(tl_study *s)
{
    const tl_text_columns *t = s->data->text;

    if (t->label)
        tl_study_say(s, "text: %.80s%s%.80s; label: %.80s (%s)", t->name[0],
                     t->name[1] ? " and " : "", t->name[1] ? t->name[1] : "", t->label,
                     t->why ? t->why : "as the model has it");
    else tl_study_say(s, "text: a line each, %s", t->why);
}

static tl_status count_rows(tl_ctx *ctx, tl_study *s)
{
    tl_rows   train = { 0 }, valid = { 0 };
    char      rows[3][32];
    tl_status rc;

    TL_TRY(tl_study_split(ctx, s, NULL, 0, 0, 0, &train, &valid));
    s->train_rows = train.count;
    s->valid_rows = valid.count;
    if (s->data->schema) say_columns(s);
    if (s->data->text) say_texts(s);
    if (s->data->tags)
        tl_study_say(s, "texts: %s, whose words are the rows; those of one text stay together",
                     tl_say_count(s->data->tags->texts, rows[0]));
    if (s->data->task->numbers)
        tl_study_say(s, "task: %s; metric: %s", s->data->task->name, s->metric);
    else
        tl_study_say(s, "task: %s, %" PRId64 " classes, %s; metric: %s", s->data->task->name,
                     s->data->classes, s->data->format, s->metric);
    if (s->folds)
        tl_study_say(
            s,
            "rows: %s, each tested once, in %d folds, by models trained on %s others "
            "(%s more choose the best epoch)",
            tl_say_count(s->test.count, rows[0]), s->folds,
            tl_say_count(train.count, rows[1]), tl_say_count(valid.count, rows[2]));
    else
        tl_study_say(
            s, "rows: %s train, %s valid, %s test", tl_say_count(train.count, rows[0]),
            tl_say_count(valid.count, rows[1]), tl_say_count(s->test.count, rows[2]));
done:
    tl_free(ctx, train.row);
    tl_free(ctx, valid.row);
    return rc;
}

/* What is wrong with the data goes among the warnings; the rest is for the report.  Looked
 * at once: a resumed comparison reads it back. */
tl_status tl_study_inspect(tl_ctx *ctx, tl_study *s)
{
    tl_status rc;
    json_t   *finding;
    size_t    i;

    TL_TRY(tl_store_get(ctx, s->store, "profile", &s->profile));
    if (!s->profile) {
        TL_TRY(tl_profile(ctx, s->data, &s->profile));
        TL_TRY(tl_store_set(ctx, s->store, "profile", s->profile));
    }
    json_array_foreach(json_object_get(s->profile, "findings"), i, finding)
        if (strcmp(tl_json_text(finding, "level", "note"), "note") != 0)
            tl_study_warn(s, "The data: %s (%s)", tl_json_text(finding, "text", ""),
                          tl_json_text(finding, "todo", ""));
done:
    return rc;
}

static const tl_entry *entry_of(const tl_study *s, int base)
{
    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].base == base) return &s->entry[i];
    return NULL;
}

tl_status tl_study_hold_bases(tl_ctx *ctx, tl_study *s)
{
    json_t   *list = NULL, *one;
    size_t    i;
    tl_status rc = TL_OK;

    if (s->data->schema || !tl_task_of_one_class(s->data->task)) goto done;
    TL_TRY(tl_store_get(ctx, s->store, "distances", &list));
    if (!json_is_array(list)) {
        list = json_array();
        for (int b = 0; b < s->bases; b++) {
            const tl_entry *e = entry_of(s, b);
            if (!e) continue;
            TL_TRY(tl_base_distance(ctx, s, e, s->slice[0].rest, true, &one));
            json_array_append_new(list, one);
        }
        TL_TRY(tl_store_set(ctx, s->store, "distances", list));
    }
    json_array_foreach(list, i, one)
        if (tl_json_bool(one, "far", false))
            tl_study_warn(s, "The data lies far from the base %s: %s",
                          tl_json_text(one, "base", "?"), tl_json_text(one, "why", ""));
    if (json_is_array(list)) json_object_set(s->profile, "bases", list);
done:
    json_decref(list);
    return rc;
}

tl_status tl_study_open_data(tl_ctx *ctx, tl_study *s)
{
    tl_status         rc;
    tl_dataset_source source = s->q->data;

    if (s->q->model) TL_TRY(tl_update_open_model(ctx, s, &source));
    const double before = tl_time_s();
    TL_TRY(tl_dataset_open(ctx, &source, &s->data));
    s->data_s = tl_time_s() - before;
    if (s->q->model) TL_TRY(tl_update_part(ctx, s));
    if (s->data->classes < 2 && !s->data->target)
        TL_FAIL(TL_EDATA, s->data->path,
                "only %" PRId64 " class (a comparison needs two or more)",
                s->data->classes);
    TL_TRY(tl_dataset_hash(ctx, s->data, s->sha256));
    TL_TRY(tl_metric_choose(ctx, s->data, s->q->metric, &s->metric));
    TL_TRY(cut_test(ctx, s));
    choose_margin(s);
    TL_TRY(count_rows(ctx, s));
    s->update.forget = isnan(s->q->forget) ? s->margin : s->q->forget;
    if (s->q->model) tl_update_say_rows(s);
    TL_TRY(take_clusters(ctx, s));
done:
    return rc;
}

void tl_study_close_data(tl_ctx *ctx, tl_study *s)
{
    free_slices(ctx, s);
    tl_free(ctx, s->test.row);
    tl_free(ctx, s->shifted.row);
    tl_free(ctx, s->cluster);
    if (s->data) tl_dataset_close(ctx, s->data);
    s->test = s->shifted = (tl_rows){ 0 };
    s->cluster           = NULL;
    s->data = NULL;
}

int tl_study_slices(const tl_study *s)
{
    return s->folds > 0 ? s->folds : 1;
}

tl_status tl_study_split(tl_ctx *ctx, const tl_study *s, const tl_entry *e, int repeat,
                         int fold, int64_t rows, tl_rows *train, tl_rows *valid)
{
    tl_status rc;

    TL_TRY(tl_split_repeat(ctx, s->data, &s->slice[fold].rest, s->q->seed, repeat,
                           s->valid_share, rows ? rows : s->q->train_limit, train, valid));
    if (e && s->update.model) TL_TRY(tl_update_rows(ctx, s, e, repeat, train));
done:
    return rc;
}
