/* update.c -- the data of an update: new rows and old ones joined under the model's
 * own classes, what both hold counted once, and the old test part kept as the model's
 * own account has it. Floor 4, study. */
#include "study/update.h"
#include "core/io.h"
#include "core/text.h"
#include "train/nearest.h"
#include "train/tfidf.h"
#include "train/trees/trees.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double TEST_SHARE = 0.2;

/* Trees, counted words and neighbours are not trained by gradient: they cannot go on learning. */
static tl_status check_model(tl_ctx *ctx, const tl_model *m)
{
    const bool learns = strcmp(m->arch.family->name, "knn") != 0 &&
                        !tl_arch_is_trees(&m->arch) && !tl_arch_is_tfidf(&m->arch) &&
                        !tl_arch_is_nearest(&m->arch);

    if (m->task->words)
        return tl_fail(ctx, TL_EUSAGE, m->path,
                       "is a language model, and update is for classes and numbers (tailor "
                       "pretrain goes on with it)");
    if (tl_task_has_marks(m->task) || m->task->tags)
        return tl_fail(ctx, TL_EUSAGE, m->path,
                       "is for several labels, ranks or tags of words, and update is for one "
                       "class of several and numbers (tailor compare makes it anew from all "
                       "data)");
    if (!learns)
        return tl_fail(
            ctx, TL_EUSAGE, m->path,
            "is %s, which cannot go on learning (tailor compare makes it anew from "
            "all data)",
            m->arch.name);
    if (!m->task->numbers && !m->class_name)
        return tl_fail(
            ctx, TL_EDATA, m->path,
            "does not name its classes (give a directory that Tailor wrote, or one "
            "whose config.json has id2label)");
    return TL_OK;
}

tl_status tl_update_open_model(tl_ctx *ctx, tl_study *s, tl_dataset_source *source)
{
    tl_model *m = NULL;
    tl_status rc;

    TL_TRY(tl_model_open(ctx, s->q->model, s->q->base_arch, &m));
    s->update.model = m;
    TL_TRY(check_model(ctx, m));
    source->schema = m->prep.table;
    source->text   = m->prep.text && !source->ask.text ? &m->prep.text->columns : NULL;
    if (m->task->numbers) return TL_OK;
    source->class_name = m->class_name;
    source->classes    = m->arch.outputs;
    s->update.known    = m->arch.outputs;
done:
    return rc;
}

static tl_status check_task(tl_ctx *ctx, const tl_study *s)
{
    const tl_model *m    = s->update.model;
    int64_t         here = 0;

    if (s->data->task != m->task)
        return tl_fail(
            ctx, TL_EDATA, s->data->path,
            "holds %s for %s, and the model does %s (give data of its own task)",
            s->data->task->rows, s->data->task->name, m->task->name);
    for (int64_t i = 0; !m->task->numbers && i < s->data->rows; i++)
        here += s->data->label[i] < s->update.known && !(s->data->old && s->data->old[i]);
    if (!m->task->numbers && here == 0)
        return tl_fail(
            ctx, TL_EDATA, s->data->path,
            "has none of the model's classes, such as \"%.60s\": another task (try "
            "tailor compare DATA --base MODEL)",
            m->class_name[0]);
    return TL_OK;
}

/* Rows of NEW (old 0) or of OLD (old 1). */
static tl_status rows_of(tl_ctx *ctx, const tl_dataset *d, int old, tl_rows *out)
{
    const tl_status rc =
        tl_alloc_array(ctx, (size_t)d->rows, sizeof *out->row, &out->row);

    out->count = 0;
    for (int64_t i = 0; rc == TL_OK && i < d->rows; i++)
        if ((d->old && d->old[i]) == old) out->row[out->count++] = i;
    return rc;
}

static bool same_answer(const tl_dataset *d, int64_t a, int64_t b)
{
    if (d->target) return d->target[a] == d->target[b];
    return d->label[a] == d->label[b];
}

/* A row of NEW that OLD has as well is not new: the model may know it, and it would be
 * learnt on one side and asked on the other.  Told apart by what they hold, not by
 * their names. */
static tl_status leave_copies(tl_ctx *ctx, tl_study *s, const tl_rows *old)
{
    tl_study_update *u     = &s->update;
    int64_t         *group = NULL, *first = NULL, other = 0, copies;
    tl_status        rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)s->data->rows, sizeof *group, &group));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->data->rows, sizeof *first, &first));
    TL_TRY(tl_dataset_duplicates(ctx, s->data, group));
    for (int64_t i = 0; i < s->data->rows; i++) first[i] = -1;
    for (int64_t k = 0; k < old->count; k++) first[group[old->row[k]]] = old->row[k];
    for (int64_t k = 0; k < u->mine.count; k++) {
        const int64_t row = u->mine.row[k], twin = first[group[row]];
        if (twin >= 0 && same_answer(s->data, row, twin)) continue;
        other += twin >= 0;
        u->fresh.row[u->fresh.count++] = row;
    }
    copies = u->mine.count - u->fresh.count;
    if (u->fresh.count == 0)
        TL_FAIL(TL_EDATA, s->data->path,
                "holds no row that %s does not hold (give new rows)", s->q->data.old);
    if (copies > 0)
        tl_study_warn(
            s,
            "%" PRId64 " of the %" PRId64 " new rows stand in the old data, too: they "
            "count as old, and none of them tests what was learnt from its twin.",
            copies, u->mine.count);
    if (other > 0)
        tl_study_warn(s,
                      "%" PRId64
                      " new rows stand in the old data with another answer: look at "
                      "them, one of the two is wrong.",
                      other);
done:
    tl_free(ctx, group);
    tl_free(ctx, first);
    return rc;
}

/* The account a model gives of data that hash to `sha256`: rows it was tested on.
 * NULL: none. */
static const json_t *account_of(const json_t *about, const char *sha256)
{
    const json_t *old = json_object_get(json_object_get(about, "update"), "old");

    if (strcmp(tl_json_text(json_object_get(about, "data"), "sha256", ""), sha256) == 0)
        return json_object_get(about, "split");
    if (strcmp(tl_json_text(old, "sha256", ""), sha256) == 0) return old;
    return NULL;
}

/* The rows of OLD that the account numbers test, the others are learnt again. */
static tl_status take_account(tl_ctx *ctx, tl_study *s, const tl_rows *old,
                              const json_t *rows)
{
    tl_study_update *u     = &s->update;
    uint8_t         *taken = NULL;
    tl_status        rc;

    TL_TRY(tl_alloc(ctx, (size_t)old->count, &taken));
    TL_TRY(tl_alloc_array(ctx, (size_t)old->count, sizeof *u->rest.row, &u->rest.row));
    TL_TRY(tl_alloc_array(ctx, (size_t)old->count, sizeof *u->test.row, &u->test.row));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const int64_t place = json_integer_value(json_array_get(rows, i));
        if (place < 0 || place >= old->count)
            TL_FAIL(TL_EDATA, u->model->path,
                    "its tailor.json names a row that %s has not (copy the model again)",
                    s->q->data.old);
        taken[place] = 1;
    }
    for (int64_t i = 0; i < old->count; i++) {
        tl_rows *to          = taken[i] ? &u->test : &u->rest;
        to->row[to->count++] = old->row[i];
    }
done:
    tl_free(ctx, taken);
    return rc;
}

static tl_status part_old(tl_ctx *ctx, tl_study *s, const tl_rows *old)
{
    tl_study_update *u = &s->update;
    const json_t    *account, *rows;
    tl_status        rc;

    TL_TRY(tl_dataset_hash_rows(ctx, s->data, *old, u->sha256[1]));
    account = account_of(u->model->provenance, u->sha256[1]);
    rows    = json_object_get(account, "test_rows");
    if (json_array_size(rows))
        TL_TRY(take_account(ctx, s, old, rows));
    else
        TL_TRY(tl_split_test_of(ctx, s->data, old, s->q->seed, TEST_SHARE, &u->rest,
                                &u->test));
    u->unsure = !account;
    if (u->unsure)
        tl_study_warn(
            s,
            "The model does not say that %s is what it was made from: rows of it that "
            "test here may be known to the model, which then looks better on old data "
            "than it is.",
            s->q->data.old);
done:
    return rc;
}

tl_status tl_update_part(tl_ctx *ctx, tl_study *s)
{
    tl_study_update *u   = &s->update;
    tl_rows          old = { 0 };
    tl_status        rc;

    TL_TRY(check_task(ctx, s));
    TL_TRY(rows_of(ctx, s->data, 0, &u->mine));
    TL_TRY(rows_of(ctx, s->data, 1, &old));
    TL_TRY(tl_dataset_hash_rows(ctx, s->data, u->mine, u->sha256[0]));
    if (strcmp(u->sha256[0], tl_json_text(json_object_get(u->model->provenance, "data"),
                                          "sha256", "")) == 0)
        TL_FAIL(TL_EDATA, s->data->path,
                "is the data this model was made from (give new rows; to choose a route "
                "anew: "
                "tailor compare)");
    TL_TRY(tl_alloc_array(ctx, (size_t)s->data->rows, sizeof(int64_t), &u->fresh.row));
    if (s->q->data.old) {
        TL_TRY(leave_copies(ctx, s, &old));
        TL_TRY(part_old(ctx, s, &old));
    } else {
        memcpy(u->fresh.row, u->mine.row, (size_t)u->mine.count * sizeof(int64_t));
        u->fresh.count = u->mine.count;
    }
done:
    tl_free(ctx, old.row);
    return rc;
}

void tl_update_free(tl_ctx *ctx, tl_study *s)
{
    tl_study_update *u = &s->update;

    if (s->bases == 0) tl_model_free(ctx, u->model); /* else it is among the bases */
    tl_free(ctx, u->mine.row);
    tl_free(ctx, u->fresh.row);
    tl_free(ctx, u->rest.row);
    tl_free(ctx, u->test.row);
    tl_free(ctx, u->result);
    s->update = (tl_study_update){ 0 };
}

void tl_update_say_rows(tl_study *s)
{
    const tl_study_update *u = &s->update;
    char                   rows[2][32], gap[32];

    if (u->model->task->numbers || s->data->classes == u->known) {
        if (!s->data->task->numbers)
            tl_study_say(s, "classes: the model's own %" PRId64, u->known);
    } else
        tl_study_say(s,
                     "classes: the model's own %" PRId64 ", and %" PRId64 " new: %.60s%s",
                     u->known, s->data->classes - u->known, s->data->class_name[u->known],
                     s->data->classes - u->known > 1 ? ", ..." : "");
    if (u->test.count)
        tl_study_say(
            s,
            "old rows: %s to learn from again, %s to see what is forgotten; a loss of "
            "more than %s there is too much",
            tl_say_count(u->rest.count, rows[0]), tl_say_count(u->test.count, rows[1]),
            tl_study_gap(s, s->update.forget, gap));
    else
        tl_study_say(
            s, "old rows: none were given (--old), so what is forgotten is not known");
}

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

tl_status tl_update_rows(tl_ctx *ctx, const tl_study *s, const tl_entry *e, int repeat,
                         tl_rows *train)
{
    const tl_learn learn = e->learn;
    const tl_rows *rest  = &s->update.rest;
    const double   wish  = learn == TL_LEARN_SAMPLE
                               ? e->trial[0].replay * (double)train->count
                               : (double)rest->count;
    tl_rows        old   = { NULL, rest->count };
    tl_status      rc;

    if (learn == TL_LEARN_NEW || rest->count == 0 || wish < 1.0) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)rest->count, sizeof *old.row, &old.row));
    memcpy(old.row, rest->row, (size_t)rest->count * sizeof *old.row);
    TL_TRY(tl_split_first(ctx, s->data, s->q->seed, repeat,
                          (int64_t)fmin(wish, (double)rest->count), &old));
    TL_TRY(tl_realloc(ctx, (size_t)(train->count + old.count) * sizeof *train->row,
                      &train->row));
    memcpy(train->row + train->count, old.row, (size_t)old.count * sizeof *old.row);
    train->count += old.count;
    qsort(train->row, (size_t)train->count, sizeof *train->row, by_number);
done:
    tl_free(ctx, old.row);
    return rc;
}

int64_t tl_update_place(const tl_study *s, int64_t row)
{
    const tl_rows *mine = &s->update.mine;

    if (!s->update.model) return row;
    const int64_t *at =
        bsearch(&row, mine->row, (size_t)mine->count, sizeof *mine->row, by_number);
    return at ? at - mine->row : -1;
}

const char *tl_update_sha256(const tl_study *s)
{
    return s->update.model ? s->update.sha256[0] : s->sha256;
}

/* Places of the old test rows in OLD as it was given. */
static json_t *old_places(const tl_study *s)
{
    json_t *list  = json_array();
    int64_t place = 0, next = 0;

    for (int64_t i = 0; i < s->data->rows; i++) {
        if (!s->data->old[i]) continue;
        if (next < s->update.test.count && s->update.test.row[next] == i) {
            json_array_append_new(list, json_integer(place));
            next++;
        }
        place++;
    }
    return list;
}

json_t *tl_update_provenance(const tl_study *s)
{
    const tl_study_update *u = &s->update;
    json_t                *v =
        json_pack("{s:s, s:s}", "model", u->model->path, "sha256", u->model->sha256);

    if (u->test.count)
        json_object_set_new(v, "old",
                            json_pack("{s:s, s:s, s:o}", "path", s->q->data.old, "sha256",
                                      u->sha256[1], "test_rows", old_places(s)));
    return v;
}
