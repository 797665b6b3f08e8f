/* drift.c -- see drift.h.  Floor 4, study. */
#include "study/drift.h"
#include "study/profile.h"
#include "study/two_samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double LEVEL = 0.01, NO_TRIFLE = 0.1;

enum { LEAST_ROWS = 20, MOST_SAID = 4 };

/* What is held against each other: a fact, the classes or the target. */
typedef struct {
    const char    *name;
    tl_two_samples r;
    double         mean[2];     /* of numbers                                          */
    int64_t        level;       /* of categories the one whose share differs most      */
    double         share[2];    /* ... and its shares                                  */
    bool           category, classes, said;
} test;

typedef struct {
    const tl_dataset *d;
    const tl_facts   *f;
    int64_t           rows[2]; /* of training and of the other part                    */
    int8_t           *side;    /* [f->rows.count] 0, 1, or -1: of neither              */
    double           *number[2];
    test             *all;
    int64_t           tests;
} comparison;

static void hold_numbers(comparison *c, const double *value, test *t)
{
    int64_t n[2] = { 0, 0 };

    for (int64_t i = 0; i < c->f->rows.count; i++) {
        const int side = c->side[i];
        if (side < 0 || isnan(value[i])) continue;
        c->number[side][n[side]++] = value[i];
        t->mean[side] += value[i];
    }
    for (int side = 0; side < 2; side++)
        t->mean[side] = n[side] ? t->mean[side] / (double)n[side] : (double)NAN;
    t->r = tl_two_numbers(c->number[0], n[0], c->number[1], n[1]);
}

static tl_status hold_counts(tl_ctx *ctx, comparison *c, const double *value, int64_t levels,
                             test *t)
{
    int64_t  *count[2] = { NULL, NULL }, n[2] = { 0, 0 };
    double    most = -1.0;
    tl_status rc = TL_OK;

    t->category = true;
    for (int side = 0; side < 2; side++)
        TL_TRY(tl_alloc_array(ctx, (size_t)levels, sizeof **count, &count[side]));
    for (int64_t i = 0; i < c->f->rows.count; i++) {
        if (c->side[i] < 0 || isnan(value[i])) continue;
        count[c->side[i]][(int64_t)value[i]]++;
        n[c->side[i]]++;
    }
    t->r = tl_two_counts(count[0], count[1], levels);
    for (int64_t k = 0; k < levels && n[0] && n[1]; k++) {
        const double a = (double)count[0][k] / (double)n[0], b = (double)count[1][k] / (double)n[1];
        if (fabs(a - b) <= most) continue;
        most        = fabs(a - b);
        t->level    = k;
        t->share[0] = a;
        t->share[1] = b;
    }
done:
    tl_free(ctx, count[0]);
    tl_free(ctx, count[1]);
    return rc;
}

/* Labels as if they were a fact. */
static tl_status hold_labels(tl_ctx *ctx, comparison *c)
{
    const tl_dataset *d     = c->d;
    double           *value = NULL;
    test             *t     = &c->all[c->tests++];
    tl_status         rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)c->f->rows.count, sizeof *value, &value));
    for (int64_t i = 0; i < c->f->rows.count; i++) {
        const int64_t row = c->f->rows.row[i];
        value[i]          = d->target ? d->target[row] : (double)d->label[row];
    }
    *t = (test){ .name = d->target ? "the target" : "the shares of the classes",
                 .classes = !d->target };
    if (d->target) hold_numbers(c, value, t);
    else TL_TRY(hold_counts(ctx, c, value, d->classes, t));
done:
    tl_free(ctx, value);
    return rc;
}

static tl_status hold_all(tl_ctx *ctx, comparison *c)
{
    tl_status rc;

    TL_TRY(hold_labels(ctx, c));
    for (int64_t k = 0; k < c->f->facts; k++) {
        const tl_fact *fact = &c->f->fact[k];
        test          *t    = &c->all[c->tests];
        if (fact->role == TL_FACT_UNSEEN) continue; /* names of files differ, and columns unread */
        c->tests++;
        *t = (test){ .name = fact->name };
        if (fact->category) TL_TRY(hold_counts(ctx, c, fact->value, fact->levels, t));
        else hold_numbers(c, fact->value, t);
    }
done:
    return rc;
}

static int worst_first(const void *a, const void *b)
{
    const test *x = a, *y = b;

    if (x->said != y->said) return x->said ? -1 : 1;
    if (x->r.effect != y->r.effect) return x->r.effect > y->r.effect ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* "the picture's width (on average 24 against 31)" */
static void add_words(const comparison *c, const test *t, char *text, size_t room)
{
    const size_t at = strlen(text);

    if (t->classes)
        snprintf(text + at, room - at, "%s%s (\"%.60s\" has %.0f %% of the rows there, %.0f %% in "
                 "training)", at ? "; " : "", t->name, c->d->class_name[t->level],
                 100.0 * t->share[1], 100.0 * t->share[0]);
    else if (t->category)
        snprintf(text + at, room - at, "%s%s (a value has %.0f %% of the rows there, %.0f %% in "
                 "training)", at ? "; " : "", t->name, 100.0 * t->share[1], 100.0 * t->share[0]);
    else
        snprintf(text + at, room - at, "%s%s (on average %.4g there, %.4g in training)",
                 at ? "; " : "", t->name, t->mean[1], t->mean[0]);
}

static void say(const comparison *c, const char *part, json_t *profile)
{
    char    text[1200] = "";
    int64_t said       = 0;

    for (int64_t k = 0; k < c->tests; k++)
        if (c->all[k].said && said++ < MOST_SAID) add_words(c, &c->all[k], text, sizeof text);
    if (said == 0) return;
    tl_profile_say(profile, "warning",
                   "if it is meant to be so (later, elsewhere), the scores say how the model does "
                   "there; if rows should be alike, join the parts and let Tailor cut them by "
                   "chance",
                   "the %s part differs from the training part more than chance allows: %s%s", part,
                   text, said > MOST_SAID ? "; and more" : "");
}

static json_t *tests_json(const comparison *c, const char *part, int64_t all)
{
    json_t *list = json_array();

    for (int64_t k = 0; k < c->tests; k++) {
        const test *t = &c->all[k];
        json_array_append_new(
            list, json_pack("{s:o, s:s, s:f, s:f, s:f, s:o, s:o, s:b}", "fact",
                            tl_json_name(t->name), "kind", t->category ? "category" : "number",
                            "statistic", t->r.statistic, "effect", t->r.effect, "p",
                            fmin(1.0, t->r.p * (double)all), "training",
                            tl_json_real(t->category ? t->share[0] : t->mean[0]), "there",
                            tl_json_real(t->category ? t->share[1] : t->mean[1]), "said", t->said));
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:o}", "part", part, "rows", (json_int_t)c->rows[1],
                     "training_rows", (json_int_t)c->rows[0], "tests", (json_int_t)all, "facts",
                     list);
}

static tl_status hold_part(tl_ctx *ctx, const tl_dataset *d, const tl_facts *f, int split,
                           int parts, const char *name, json_t *profile)
{
    const size_t rows = (size_t)f->rows.count;
    comparison   c    = { .d = d, .f = f };
    tl_status    rc;

    TL_TRY(tl_alloc(ctx, rows, &c.side));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *c.number[0], &c.number[0]));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *c.number[1], &c.number[1]));
    TL_TRY(tl_alloc_array(ctx, (size_t)f->facts + 1, sizeof *c.all, &c.all));
    for (size_t i = 0; i < rows; i++) {
        const int of = d->split[f->rows.row[i]];
        c.side[i]    = of == split ? 1 : of == TL_SPLIT_TRAIN || of == TL_SPLIT_NONE ? 0 : -1;
        if (c.side[i] >= 0) c.rows[c.side[i]]++;
    }
    if (c.rows[0] < LEAST_ROWS || c.rows[1] < LEAST_ROWS) goto done;
    TL_TRY(hold_all(ctx, &c));
    const int64_t all = c.tests * parts;
    for (int64_t k = 0; k < c.tests; k++) {
        test *t = &c.all[k];
        t->said = t->r.p * (double)all < LEVEL && t->r.effect >= NO_TRIFLE;
    }
    qsort(c.all, (size_t)c.tests, sizeof *c.all, worst_first);
    say(&c, name, profile);
    json_array_append_new(json_object_get(profile, "drift"), tests_json(&c, name, all));
done:
    tl_free(ctx, c.side);
    tl_free(ctx, c.number[0]);
    tl_free(ctx, c.number[1]);
    tl_free(ctx, c.all);
    return rc;
}

tl_status tl_drift_find(tl_ctx *ctx, const tl_dataset *d, const tl_facts *f, json_t *profile)
{
    static const struct { int split; const char *name; } part[] = {
        { TL_SPLIT_TEST, "test" },
        { TL_SPLIT_VALID, "validation" },
        { TL_SPLIT_SHIFTED, "shifted" },
    };
    int64_t   rows[TL_SPLITS] = { 0 };
    int       parts = 0;
    tl_status rc = TL_OK;

    for (int64_t i = 0; i < f->rows.count; i++) rows[d->split[f->rows.row[i]]]++;
    for (size_t k = 0; k < TL_COUNT(part); k++) parts += rows[part[k].split] >= LEAST_ROWS;
    if (parts == 0 || d->mark) goto done;
    json_object_set_new(profile, "drift", json_array());
    for (size_t k = 0; k < TL_COUNT(part); k++)
        if (rows[part[k].split] >= LEAST_ROWS)
            TL_TRY(hold_part(ctx, d, f, part[k].split, parts, part[k].name, profile));
done:
    return rc;
}
