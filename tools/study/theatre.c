/* theatre.c -- a record laid out as a study before any run: the same candidates with the same
 * forecasts, and of the data what the record has, the truth of the test rows. */
#include "study.h"
#include "core/rand.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t class_of(char letter)
{
    return (int32_t)(strchr(study_letters, letter) - study_letters);
}

const json_t *theatre_run(const theatre *t, int entry, int trial, int recorded)
{
    return record_run(&t->r, entry, trial, recorded, 0);
}

/* Answers on all test rows as tl_study_ask gives them: a 1 at the class, or the number. */
void theatre_answers(const theatre *t, const json_t *line, const tl_rows *rows, float *out)
{
    const json_t *said = json_object_get(line, "said");

    for (int64_t r = 0; r < rows->count; r++) {
        const int64_t at = rows->row[r];
        if (t->data.target)
            out[r] = (float)json_number_value(json_array_get(said, (size_t)at));
        else
            out[r * t->data.classes + class_of(json_string_value(said)[at])] = 1.0f;
    }
}

void theatre_free_study(tl_ctx *ctx, tl_study *s)
{
    for (int i = 0; i < s->runs; i++) tl_study_run_end(ctx, &s->run[i]);
    tl_free(ctx, s->run);
    tl_free(ctx, s->told);
    tl_free(ctx, s->entry);
    tl_free(ctx, s->features);
    tl_free(ctx, s->test.row);
    json_decref(s->warnings);
    json_decref(s->plan);
}

/* Rows in their order, so many of them, which ones by the replay's number. */
static tl_status draw_rows(tl_ctx *ctx, const theatre *t, uint64_t seed, double share,
                           tl_rows *out)
{
    int64_t  *order = NULL;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)t->rows, sizeof *order, &order));
    TL_TRY(tl_alloc_array(ctx, (size_t)t->rows, sizeof *out->row, &out->row));
    for (int64_t r = 0; r < t->rows; r++) order[r] = r;
    if (share < 1.0) tl_rand_shuffle(seed, TL_STREAM(TL_STREAM_TEST, 1), order, t->rows);
    out->count = (int64_t)llround(share * (double)t->rows);
    memset(out->row, 0, (size_t)t->rows * sizeof *out->row);
    for (int64_t r = 0; r < out->count; r++) out->row[order[r]] = 1;
    for (int64_t r = 0, n = 0; r < t->rows; r++)
        if (out->row[r]) out->row[n++] = r;
done:
    tl_free(ctx, order);
    return rc;
}

/* A study as it is before any run. */
tl_status theatre_open_study(tl_ctx *ctx, theatre *t, const tl_study_tape *tape, uint64_t seed,
                            double rows)
{
    const json_t *cell = t->r.cell;
    tl_study     *s    = &t->s;
    tl_status     rc;

    *s = (tl_study){ .q          = &t->q,
                     .tape       = tape,
                     .data       = &t->data,
                     .metric     = tl_metric_find(tl_json_text(cell, "metric", ""))->name,
                     .margin     = tl_json_number(cell, "margin", 0.01),
                     .train_rows = tl_json_int(cell, "train", 0),
                     .valid_rows = tl_json_int(cell, "valid", 0),
                     .bases      = t->bases,
                     .entries    = t->entries,
                     .detectable = NAN,
                     .warnings   = json_array(),
                     .plan       = json_object() };
    TL_TRY(draw_rows(ctx, t, seed, rows, &s->test));
    s->slice[0].test = s->test;
    TL_TRY(tl_alloc_array(ctx, 2 * (size_t)t->bases + 1, sizeof *s->features, &s->features));
    TL_TRY(tl_alloc_array(ctx, (size_t)t->entries, sizeof *s->entry, &s->entry));
    memcpy(s->entry, t->entry, (size_t)t->entries * sizeof *s->entry);
done:
    return rc;
}

static tl_status open_data(tl_ctx *ctx, theatre *t)
{
    const json_t *cell  = t->r.cell, *truth = json_object_get(cell, "truth");
    tl_dataset   *d     = &t->data;
    tl_status     rc;

    d->task    = tl_task_find(tl_json_text(cell, "task", ""));
    d->classes = tl_json_int(cell, "classes", 1);
    d->rows    = tl_json_int(cell, "rows", 0);
    if (!d->task) TL_FAIL(TL_EDATA, t->q.out, "its task is not known (record it anew)");
    t->rows = json_is_array(truth) ? (int64_t)json_array_size(truth)
                                   : (int64_t)json_string_length(truth);
    TL_TRY(tl_alloc_array(ctx, (size_t)t->rows, sizeof *d->label, &d->label));
    if (d->task->numbers)
        TL_TRY(tl_alloc_array(ctx, (size_t)t->rows, sizeof *d->target, &d->target));
    for (int64_t r = 0; r < t->rows; r++)
        if (d->target) d->target[r] = json_number_value(json_array_get(truth, (size_t)r));
        else d->label[r] = class_of(json_string_value(truth)[r]);
done:
    return rc;
}

static tl_status open_entry(tl_ctx *ctx, theatre *t, const json_t *from, tl_entry *e)
{
    *e = (tl_entry){ .c         = { .route = tl_route_find(tl_json_text(from, "route", "")) },
                     .base      = (int)tl_json_int(from, "base", -1),
                     .trials    = 1,
                     .active    = tl_json_bool(from, "active", false),
                     .row_flops = tl_json_number(from, "row_flops", 0.0),
                     .body_flops     = tl_json_number(from, "body_flops", 0.0),
                     .need = { .flops        = tl_json_number(from, "flops", 0.0),
                               .spared_flops = tl_json_number(from, "spared_flops", 0.0) },
                     .setup_s        = tl_json_number(from, "setup_s", 0.0),
                     .s_per_flop     = tl_json_number(from, "s_per_flop", 0.0),
                     .head_s_per_row = tl_json_number(from, "head_s_per_row", 0.0) };
    if (!e->c.route || e->base >= t->bases)
        return tl_fail(ctx, TL_EDATA, t->q.out, "a route of it is not known (record it anew)");
    snprintf(e->label, sizeof e->label, "%.150s", tl_json_text(from, "label", ""));
    e->trial[0].optim.lr           = tl_json_number(from, "lr", 0.0);
    e->trial[0].optim.weight_decay = tl_json_number(from, "decay", 0.0);
    if (e->base >= 0) e->c.base = &t->base[e->base];
    if (!e->active) e->status = "not-run";
    return TL_OK;
}

static tl_status open_entries(tl_ctx *ctx, theatre *t)
{
    const json_t *list = json_object_get(t->r.cell, "entries");
    tl_status     rc;

    t->entries = (int)json_array_size(list);
    t->bases   = (int)tl_json_int(t->r.cell, "bases", 0);
    TL_TRY(tl_alloc_array(ctx, (size_t)t->entries, sizeof *t->entry, &t->entry));
    TL_TRY(tl_alloc_array(ctx, (size_t)t->bases + 1, sizeof *t->base, &t->base));
    for (int i = 0; i < t->entries; i++)
        TL_TRY(open_entry(ctx, t, json_array_get(list, (size_t)i), &t->entry[i]));
done:
    return rc;
}

/* What a trial scores on all rows over all seeds, more is better, and on validation. */
static tl_status score_trial(tl_ctx *ctx, theatre *t, int entry, int trial, double *test,
                             double *valid)
{
    const size_t n   = (size_t)(t->rows * t->data.classes);
    float       *y   = NULL;
    int32_t     *top = NULL;
    tl_status    rc;

    *test = *valid = 0.0;
    TL_TRY(tl_alloc_array(ctx, n, sizeof *y, &y));
    TL_TRY(tl_alloc_array(ctx, (size_t)t->rows, sizeof *top, &top));
    for (int k = 0; k < t->seeds; k++) {
        const json_t *line = theatre_run(t, entry, trial, k);
        if (!line || json_object_get(line, "failed")) {
            *test = *valid = NAN;
            goto done;
        }
        memset(y, 0, n * sizeof *y);
        theatre_answers(t, line, &t->s.test, y);
        for (int64_t r = 0; r < t->rows; r++)
            top[r] = tl_study_top(y + r * t->data.classes, t->data.classes);
        const double m = t->data.target
                             ? tl_study_metric_of_numbers(ctx, &t->s, t->data.target, y, t->rows)
                             : tl_study_metric(&t->s, t->data.label, top, t->rows);
        *test += tl_study_merit(&t->s, m) / t->seeds;
        *valid += tl_study_merit(&t->s, tl_json_number(line, "valid", NAN)) / t->seeds;
    }
done:
    tl_free(ctx, y);
    tl_free(ctx, top);
    return rc;
}

int theatre_trials(const theatre *t, int entry)
{
    const json_t *list = json_object_get(t->r.cell, "entries");

    return (int)tl_json_int(json_array_get(list, (size_t)entry), "trials", 1);
}

static tl_status score_all(tl_ctx *ctx, theatre *t)
{
    tl_status rc;

    const size_t cells = (size_t)(t->entries * TL_STUDY_TRIALS);
    TL_TRY(tl_alloc_array(ctx, cells, sizeof *t->score, &t->score));
    TL_TRY(tl_alloc_array(ctx, (size_t)t->entries, sizeof *t->best, &t->best));
    for (int i = 0; i < t->entries; i++) {
        double top = -INFINITY, valid;
        for (int k = 0; k < TL_STUDY_TRIALS; k++) t->score[i * TL_STUDY_TRIALS + k] = NAN;
        for (int k = 0; t->entry[i].active && k < theatre_trials(t, i); k++) {
            TL_TRY(score_trial(ctx, t, i, k, &t->score[i * TL_STUDY_TRIALS + k], &valid));
            if (!(valid > top)) continue;
            top        = valid;
            t->best[i] = k;
        }
    }
done:
    return rc;
}

double theatre_score(const theatre *t, int entry, int trial)
{
    return t->score[entry * TL_STUDY_TRIALS + trial];
}

double theatre_best(const theatre *t)
{
    double best = -INFINITY;

    for (int i = 0; i < t->entries; i++) {
        const double score = theatre_score(t, i, t->best[i]);
        if (!isnan(score)) best = fmax(best, score);
    }
    return best;
}

tl_status theatre_open(tl_ctx *ctx, const options *o, theatre *t)
{
    tl_status rc;

    *t = (theatre){ .seeds = (int)o->seeds,
                    .q = { .out = o->out, .seeds = (int)o->most, .margin = NAN, .seed = 1 } };
    TL_TRY(record_read(ctx, o->out, &t->r));
    if (!t->r.cell) TL_FAIL(TL_EDATA, o->out, "holds no record (tailor-study record makes one)");
    TL_TRY(open_data(ctx, t));
    TL_TRY(open_entries(ctx, t));
    TL_TRY(theatre_open_study(ctx, t, NULL, 0, 1.0));
    rc = score_all(ctx, t);
    theatre_free_study(ctx, &t->s);
done:
    return rc;
}

void theatre_close(tl_ctx *ctx, theatre *t)
{
    tl_free(ctx, t->data.label);
    tl_free(ctx, t->data.target);
    tl_free(ctx, t->entry);
    tl_free(ctx, t->base);
    tl_free(ctx, t->score);
    tl_free(ctx, t->best);
    record_free(&t->r);
}
