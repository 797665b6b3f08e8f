/* audit.c -- see audit.h.  Twice: what confident learning finds at first is not learned from the
 * second time, so that wrong labels do not vouch for each other; then the rows are listed where
 * another class leads the given one by most, a few more than are taken to be wrong.  Floor 4,
 * study. */
#include "study/audit.h"
#include "core/rand.h"
#include "core/text.h"
#include "study/base_distance.h"
#include "study/labels.h"
#include "study/profile.h"
#include "study/transfer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS = 5, ROUNDS = 2, MOST_ROWS = 10000, LEAST_ROWS = 50, LEAST_TESTED = 100 };

typedef struct {
    tl_study s;
    tl_rows  rows;
    int8_t  *fold;
    int32_t *label;
    uint8_t *skip;        /* [rows.count] suspects of the round before */
    float   *probability; /* [rows.count classes] */
    float   *features;    /* of a base, or of a table's columns: [rows.count width]; NULL: the
                             baseline tells */
    int64_t  width;
    char     by[200];
} auditing;

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* All rows, or so many drawn of them. */
static tl_status take_rows(tl_ctx *ctx, auditing *a)
{
    const tl_dataset *d    = a->s.data;
    const uint64_t    seed = a->s.q->seed;
    tl_status         rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *a->rows.row, &a->rows.row));
    for (int64_t i = 0; i < d->rows; i++) a->rows.row[i] = i;
    a->rows.count = TL_MIN(d->rows, (int64_t)MOST_ROWS);
    if (d->rows > MOST_ROWS) {
        tl_rand_shuffle(seed, TL_STREAM(TL_STREAM_SPLIT, 99), a->rows.row, d->rows);
        qsort(a->rows.row, MOST_ROWS, sizeof *a->rows.row, by_number);
    }
    const size_t n = (size_t)a->rows.count;
    TL_TRY(tl_alloc_array(ctx, n, sizeof *a->fold, &a->fold));
    TL_TRY(tl_alloc_array(ctx, n, sizeof *a->label, &a->label));
    TL_TRY(tl_alloc(ctx, n, &a->skip));
    TL_TRY(tl_alloc_array(ctx, n * (size_t)d->classes, sizeof *a->probability,
                          &a->probability));
    TL_TRY(tl_split_folds(ctx, d, &a->rows, FOLDS, seed, a->fold));
    for (size_t i = 0; i < n; i++) a->label[i] = d->label[a->rows.row[i]];
done:
    return rc;
}

static tl_status take_features(tl_ctx *ctx, auditing *a)
{
    tl_entry   *e   = &a->s.entry[0];
    float      *all = NULL;
    tl_run_spec spec;
    tl_status   rc;

    a->width = tl_arch_features(ctx, &e->c.arch);
    if (a->width < 1) return ctx->status;
    TL_TRY(tl_alloc_array(ctx, (size_t)(a->s.data->rows * a->width), sizeof *all, &all));
    TL_TRY(tl_study_spec(ctx, &a->s, e, &spec));
    spec.train = spec.valid = a->rows;
    TL_TRY(tl_run_features(ctx, &spec, a->rows, all));
    for (int64_t i = 0; i < a->rows.count; i++)
        memmove(all + i * a->width, all + a->rows.row[i] * a->width,
                (size_t)a->width * sizeof *all);
    a->features = all;
    all         = NULL;
done:
    tl_free(ctx, all);
    return rc;
}

/* A table's columns as networks see them: scaled, a place for each level. */
static tl_status take_columns(tl_ctx *ctx, auditing *a)
{
    const tl_dataset *d     = a->s.data;
    tl_schema        *s     = NULL;
    int32_t          *map   = NULL;
    const char      **field = NULL;
    tl_status         rc;

    TL_TRY(tl_dataset_fit(ctx, d, d->schema, TL_SCALING_STANDARD, a->rows, &s));
    TL_TRY(tl_dataset_maps(ctx, d, s, &map));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->columns, sizeof *field, &field));
    a->width = s->width;
    TL_TRY(tl_alloc_array(ctx, (size_t)(a->rows.count * s->width), sizeof *a->features,
                          &a->features));
    for (int64_t i = 0; i < a->rows.count; i++) {
        tl_dataset_fields(d, s, map, a->rows.row[i], field);
        tl_schema_code(s, field, a->features + i * s->width);
    }
done:
    tl_schema_drop(ctx, s);
    tl_free(ctx, map);
    tl_free(ctx, field);
    return rc;
}

/* The rows of a fold, or the others without those that are skipped. */
static tl_status rows_of(tl_ctx *ctx, const auditing *a, int fold, bool inside, tl_rows *out)
{
    tl_status rc;

    *out = (tl_rows){ 0 };
    TL_TRY(tl_alloc_array(ctx, (size_t)a->rows.count, sizeof *out->row, &out->row));
    for (int64_t i = 0; i < a->rows.count; i++)
        if ((a->fold[i] == fold) == inside && (inside || !a->skip[i]))
            out->row[out->count++] = a->rows.row[i];
done:
    return rc;
}

/* The baseline trained on the others tells the fold's rows. */
static tl_status tell_fold(tl_ctx *ctx, auditing *a, int fold)
{
    tl_study     *s       = &a->s;
    const int64_t classes = s->data->classes;
    tl_rows       rest = { 0 }, out = { 0 }, train = { 0 }, valid = { 0 };
    tl_run_result r     = { 0 };
    tl_cache     *coded = NULL;
    float        *said  = NULL;
    tl_run_spec   spec;
    tl_status     rc;

    TL_TRY(rows_of(ctx, a, fold, false, &rest));
    TL_TRY(rows_of(ctx, a, fold, true, &out));
    TL_TRY(tl_split_repeat(ctx, s->data, &rest, s->q->seed, fold, 0.15, 0, &train, &valid));
    TL_TRY(tl_study_spec(ctx, s, &s->entry[0], &spec));
    spec.train = train;
    spec.valid = valid;
    TL_TRY(tl_run_train(ctx, &spec, &r));
    if (!r.model) TL_FAIL(TL_ECANCEL, "inspect", "interrupted");
    if (!tl_cache_fits(spec.cache, &r.model->prep))
        TL_TRY(tl_cache_new(ctx, s->data, &r.model->prep, tl_study_memory(s) / 4, &coded));
    TL_TRY(tl_study_ask(ctx, s, r.model, coded ? coded : spec.cache, out, &said));
    for (int64_t i = 0, k = 0; i < a->rows.count; i++)
        if (a->fold[i] == fold)
            memcpy(a->probability + i * classes, said + k++ * classes,
                   (size_t)classes * sizeof *said);
done:
    tl_run_result_free(ctx, &r);
    tl_cache_free(ctx, coded);
    tl_free(ctx, said);
    tl_free(ctx, rest.row);
    tl_free(ctx, out.row);
    tl_free(ctx, train.row);
    tl_free(ctx, valid.row);
    return rc;
}

static tl_status tell_all(tl_ctx *ctx, auditing *a)
{
    const tl_features f = { a->features, a->label, a->rows.count, a->width, a->s.data->classes };
    tl_status         rc = TL_OK;

    if (a->features)
        return tl_transfer_probabilities(ctx, &f, a->fold, FOLDS, a->skip, a->s.backend,
                                         a->s.slab, a->probability);
    for (int fold = 0; fold < FOLDS; fold++) TL_TRY(tell_fold(ctx, a, fold));
done:
    return rc;
}

static double log_loss(const auditing *a)
{
    return tl_calibrate(a->probability, a->label, a->rows.count, (int32_t)a->s.data->classes, 1.0)
        .log_loss;
}

/* Of a table, whichever of a line through its columns and the baseline foretells the given labels
 * better; of all else there is one way. */
static tl_status choose_teller(tl_ctx *ctx, auditing *a)
{
    float    *columns;
    double    line;
    tl_status rc;

    if (a->features)
        snprintf(a->by, sizeof a->by, "logistic regression on the features of %.100s, out of fold",
                 a->s.base[0]->arch.name);
    else snprintf(a->by, sizeof a->by, "the classical baseline, out of fold");
    if (a->features || !a->s.data->schema) return tell_all(ctx, a);
    TL_TRY(take_columns(ctx, a));
    TL_TRY(tell_all(ctx, a));
    line        = log_loss(a);
    columns     = a->features;
    a->features = NULL;
    rc          = tell_all(ctx, a);
    if (rc == TL_OK && log_loss(a) < line) {
        tl_free(ctx, columns);
        goto done;
    }
    a->features = columns;
    TL_TRY(rc);
    snprintf(a->by, sizeof a->by, "logistic regression on the columns, out of fold");
    TL_TRY(tell_all(ctx, a));
done:
    return rc;
}

static double score(const auditing *a)
{
    return tl_labels_agreement(a->probability, a->label, a->rows.count,
                               (int32_t)a->s.data->classes);
}

static void add_too_weak(json_t *profile, const auditing *a)
{
    char text[400];

    snprintf(text, sizeof text,
             "the labels were not looked at: the model for it (%s) agrees with %.0f %% of them "
             "only, and its mistakes would be taken for theirs", a->by, 100.0 * score(a));
    json_array_append_new(json_object_get(profile, "findings"),
                          json_pack("{s:s, s:s, s:s}", "level", "note", "text", text, "todo",
                                    "a model that knows more does it: --base MODEL"));
}

static tl_status suspect_json(tl_ctx *ctx, const auditing *a, const tl_suspect *x, json_t *list)
{
    char     *name = NULL;
    tl_status rc;

    TL_TRY(tl_dataset_row_name(ctx, a->s.data, a->rows.row[x->row], &name));
    json_array_append_new(
        list, json_pack("{s:o, s:o, s:o, s:f, s:f}", "row", tl_json_name(name), "given",
                        tl_study_class_json(&a->s, x->given), "likely",
                        tl_study_class_json(&a->s, x->likely), "probability", x->other,
                        "of_given", x->own));
done:
    tl_free(ctx, name);
    return rc;
}

/* The test part's own rows where the files name one, else all: chance cuts it then. */
static tl_status count_noise(tl_ctx *ctx, const auditing *a, const tl_label_audit *found,
                             int64_t *rows, double *noise, bool *tested)
{
    const tl_dataset *d       = a->s.data;
    const int64_t     classes = d->classes;
    tl_label_audit    test    = { 0 };
    float            *said    = NULL;
    int32_t          *label   = NULL;
    int64_t           n       = 0;
    tl_status         rc      = TL_OK;

    for (int64_t i = 0; i < a->rows.count; i++)
        n += d->split[a->rows.row[i]] == TL_SPLIT_TEST;
    *tested = n >= LEAST_TESTED;
    *rows   = *tested ? n : a->rows.count;
    *noise  = found->noise;
    if (!*tested) goto done;
    TL_TRY(tl_alloc_array(ctx, (size_t)(n * classes), sizeof *said, &said));
    TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *label, &label));
    for (int64_t i = 0, k = 0; i < a->rows.count; i++) {
        if (d->split[a->rows.row[i]] != TL_SPLIT_TEST) continue;
        memcpy(said + k * classes, a->probability + i * classes, (size_t)classes * sizeof *said);
        label[k++] = a->label[i];
    }
    TL_TRY(tl_labels_audit(ctx, said, label, n, (int32_t)classes, false, &test));
    *noise = test.noise;
done:
    tl_label_audit_free(ctx, &test);
    tl_free(ctx, said);
    tl_free(ctx, label);
    return rc;
}

/* What wrong labels of the test part leave to be shown by any score. */
static tl_status add_ceiling(tl_ctx *ctx, const auditing *a, const tl_label_audit *found,
                             json_t *profile)
{
    int64_t   rows;
    double    noise;
    bool      tested;
    tl_status rc;

    TL_TRY(count_noise(ctx, a, found, &rows, &noise, &tested));
    const tl_interval w = tl_wilson(noise * (double)rows, (double)rows, 0.95);
    json_object_set_new(json_object_get(profile, "labels"), "ceiling",
                        json_pack("{s:s, s:I, s:f, s:f, s:f, s:f}", "part",
                                  tested ? "test" : "all", "rows", (json_int_t)rows, "noise",
                                  noise, "low", w.low, "high", w.high, "score", 1.0 - noise));
    if (noise > 0.0)
        tl_profile_say(profile, "note",
                       "mend the labels of the test part first: believe no score above that, and "
                       "no difference smaller than what it leaves out",
                       "a ceiling by the labels: a model without any mistake would score about "
                       "%.1f %% (%.1f to %.1f %%), for about %.1f %% of the labels of %s are "
                       "probably wrong",
                       100.0 * (1.0 - noise), 100.0 * (1.0 - w.high), 100.0 * (1.0 - w.low),
                       100.0 * noise, tested ? "the test part" : "the data");
done:
    return rc;
}

static void add_finding(json_t *profile, const char *by, const tl_label_audit *found,
                        int64_t rows)
{
    if (found->count == 0) return;
    tl_profile_say(profile, "warning",
                   "look at the first of them; correct those that are wrong, in the test part "
                   "first",
                   "about %.0f of %" PRId64 " labels (%.1f %%) are probably wrong, by %s; %" PRId64
                   " are listed for a look, and a difference between routes below that share is "
                   "below the labels' own noise",
                   found->noise * (double)rows, rows, 100.0 * found->noise, by, found->count);
}

static tl_status write_down(tl_ctx *ctx, const auditing *a, const tl_label_audit *found,
                            json_t *profile)
{
    json_t   *list = json_array();
    tl_status rc   = TL_OK;

    for (int64_t i = 0; i < found->count; i++)
        TL_TRY(suspect_json(ctx, a, &found->suspect[i], list));
    json_object_set_new(profile, "labels",
                        json_pack("{s:s, s:I, s:f, s:I, s:f, s:O}", "by", a->by, "rows",
                                  (json_int_t)a->rows.count, "score", score(a), "suspects",
                                  (json_int_t)found->count, "noise", found->noise, "found",
                                  list));
    add_finding(profile, a->by, found, a->rows.count);
    TL_TRY(add_ceiling(ctx, a, found, profile));
done:
    json_decref(list);
    return rc;
}

static tl_status open_all(tl_ctx *ctx, auditing *a)
{
    tl_study *s = &a->s;
    tl_status rc;

    TL_TRY(tl_slab_new(ctx, s->backend, &s->slab));
    TL_TRY(tl_study_open_data(ctx, s));
    if (!tl_task_of_one_class(s->data->task) || s->data->rows < LEAST_ROWS) goto done;
    TL_TRY(tl_study_precision(ctx, s));
    TL_TRY(tl_study_open_bases(ctx, s));
    TL_TRY(tl_study_list(ctx, s));
    TL_TRY(take_rows(ctx, a));
    if (s->bases > 0) TL_TRY(take_features(ctx, a));
done:
    return rc;
}

/* How far the data lies from each base. */
static tl_status hold_bases(tl_ctx *ctx, auditing *a, json_t *profile)
{
    tl_rows   train = { 0 };
    json_t   *list = json_array(), *one;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)a->rows.count, sizeof *train.row, &train.row));
    for (int64_t i = 0; i < a->rows.count; i++) {
        const int split = a->s.data->split[a->rows.row[i]];
        if (split == TL_SPLIT_TRAIN || split == TL_SPLIT_NONE)
            train.row[train.count++] = a->rows.row[i];
    }
    for (int i = 0; i < a->s.entries; i++) {
        if (!a->s.entry[i].c.base) continue;
        TL_TRY(tl_base_distance(ctx, &a->s, &a->s.entry[i], train, true, &one));
        json_array_append_new(list, one);
        tl_base_distance_say(one, profile);
    }
    if (json_array_size(list) > 0) json_object_set(profile, "bases", list);
done:
    json_decref(list);
    tl_free(ctx, train.row);
    return rc;
}

static tl_status look(tl_ctx *ctx, const tl_question *q, json_t *profile)
{
    static const char *const probe[] = { "probe", NULL }, *const baseline[] = { "baseline", NULL };
    tl_question    asked = *q;
    auditing       a     = { .s = { .q = &asked, .detectable = NAN } };
    tl_label_audit found = { 0 };
    tl_status      rc;

    asked.routes = q->base && q->base[0] ? probe : baseline;
    asked.metric = NULL;
    asked.say    = NULL; /* the profile says what the data are */
    a.s.warnings = json_array();
    a.s.backend  = tl_study_backend();
    TL_TRY(open_all(ctx, &a));
    if (!a.probability) goto done;
    TL_TRY(hold_bases(ctx, &a, profile));
    if (q->say)
        q->say(q->user, "looking at the labels: each row is told by a model that has not seen it");
    for (int round = 0; round < ROUNDS; round++) {
        tl_label_audit_free(ctx, &found);
        TL_TRY(round ? tell_all(ctx, &a) : choose_teller(ctx, &a));
        if (round == 0 && score(&a) < TL_LABELS_LEAST) {
            add_too_weak(profile, &a);
            goto done;
        }
        TL_TRY(tl_labels_audit(ctx, a.probability, a.label, a.rows.count,
                               (int32_t)a.s.data->classes, round == ROUNDS - 1, &found));
        for (int64_t i = 0; i < a.rows.count; i++) a.skip[i] = 0;
        for (int64_t i = 0; i < found.count; i++) a.skip[found.suspect[i].row] = 1;
        if (found.count == 0) break;
    }
    TL_TRY(write_down(ctx, &a, &found, profile));
done:
    tl_label_audit_free(ctx, &found);
    tl_free(ctx, a.rows.row);
    tl_free(ctx, a.fold);
    tl_free(ctx, a.label);
    tl_free(ctx, a.skip);
    tl_free(ctx, a.probability);
    tl_free(ctx, a.features);
    tl_study_close_candidates(ctx, &a.s);
    tl_study_close_data(ctx, &a.s);
    tl_slab_free(ctx, a.s.slab);
    json_decref(a.s.warnings);
    return rc;
}

/* What cannot be looked at (too few rows of a class, say) is a note, no failure. */
tl_status tl_audit_labels(tl_ctx *ctx, const tl_question *q, json_t *profile)
{
    const tl_status rc = look(ctx, q, profile);
    char            text[500];

    if (rc != TL_EDATA && rc != TL_ENAN) return rc;
    snprintf(text, sizeof text, "the labels were not looked at: %.400s", ctx->message);
    json_array_append_new(json_object_get(profile, "findings"),
                          json_pack("{s:s, s:o, s:s}", "level", "note", "text",
                                    tl_json_name(text), "todo", ""));
    return TL_OK;
}
