/* shortcuts.c -- see shortcuts.h.  Floor 4, study. */
#include "study/shortcuts.h"
#include "core/rand.h"
#include "study/profile.h"
#include "study/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double CLEARLY = 0.10, ALMOST_ALL = 0.95, THE_LABEL_ITSELF = 0.99;

enum { FOLDS = 5, LEAST_ROWS = 50, LEAST_OF_CLASS = 10, MOST_BINS = 256, ROWS_A_BIN = 10,
       QUARTERS = 4, MOST_SAID = 5 };

typedef struct {
    double  value;
    int64_t at;
} placed;

static int by_value(const void *a, const void *b)
{
    const placed *x = a, *y = b;

    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Where the bin that begins at `from` ends: by the widest gap between half and one and a half times
 * as many rows as are due, so that values that lie together stay together. */
static int64_t end_of_bin(const placed *order, int64_t n, int64_t from, int64_t each)
{
    const int64_t last = TL_MIN(from + each + each / 2, n - 1);
    double        gap  = 0.0;
    int64_t       end  = n;

    if (n - from <= each + each / 2) return n;
    for (int64_t k = from + TL_MAX(each / 2, 1); k <= last; k++)
        if (order[k].value - order[k - 1].value > gap) {
            gap = order[k].value - order[k - 1].value;
            end = k;
        }
    if (gap > 0.0) return end;
    for (end = last; end < n && order[end].value == order[end - 1].value;) end++;
    return end;
}

/* Numbers to bins of about as many rows each, equal ones in one bin; *bins of them.  What is
 * missing has the last bin. */
static tl_status cut(tl_ctx *ctx, const double *value, int64_t rows, int64_t most, int32_t *bin,
                     int64_t *bins)
{
    placed   *order = NULL;
    int64_t   n = 0, b = 0;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *order, &order));
    for (int64_t i = 0; i < rows; i++)
        if (!isnan(value[i])) order[n++] = (placed){ value[i], i };
    qsort(order, (size_t)n, sizeof *order, by_value);
    const int64_t each = (n + most - 1) / most;
    for (int64_t from = 0, end; from < n; from = end, b++) {
        end = end_of_bin(order, n, from, each);
        for (int64_t k = from; k < end; k++) bin[order[k].at] = (int32_t)b;
    }
    *bins = b + 1;
    for (int64_t i = 0; i < rows; i++)
        if (isnan(value[i])) bin[i] = (int32_t)b;
done:
    tl_free(ctx, order);
    return rc;
}

typedef struct {
    const int32_t *bin, *label;
    const int8_t  *fold;
    int64_t        rows, bins;
    int32_t        classes;
    int64_t       *of_class; /* [classes] rows; 0: too few, left out */
    int64_t       *count;    /* [bins classes] */
    int64_t       *right;    /* [classes] */
} telling;

/* One fold's rows are told by the others: the class of which the bin has the largest share. */
static void tell_fold(telling *t, int fold)
{
    memset(t->count, 0, (size_t)(t->bins * t->classes) * sizeof *t->count);
    for (int64_t i = 0; i < t->rows; i++)
        if (t->fold[i] != fold) t->count[t->bin[i] * t->classes + t->label[i]]++;
    for (int64_t i = 0; i < t->rows; i++) {
        const int64_t *in   = t->count + t->bin[i] * t->classes;
        double         best = 0.0;
        int32_t        said = -1;
        if (t->fold[i] != fold || !t->of_class[t->label[i]]) continue;
        for (int32_t c = 0; c < t->classes; c++) {
            const double share =
                t->of_class[c] ? (double)in[c] / (double)t->of_class[c] : 0.0;
            if (share > best) best = share, said = c;
        }
        t->right[t->label[i]] += said == t->label[i];
    }
}

static void sum_up(const telling *t, double confidence, tl_foretold *out)
{
    double inverse = 0.0, score = 0.0;

    for (int32_t c = 0; c < t->classes; c++) {
        if (!t->of_class[c]) continue;
        out->classes++;
        out->rows += t->of_class[c];
        inverse += 1.0 / (double)t->of_class[c];
        score += (double)t->right[c] / (double)t->of_class[c];
    }
    if (out->rows < LEAST_ROWS || out->classes < 2) return;
    const double      k = (double)out->classes, worth = k * k / inverse;
    const tl_interval w = tl_wilson(score / k * worth, worth, confidence);
    out->chance = 1.0 / k;
    out->score  = score / k;
    out->low    = w.low;
    out->high   = w.high;
}

tl_status tl_foretell(tl_ctx *ctx, const double *value, int64_t levels, const int32_t *label,
                      int64_t rows, int32_t classes, const int64_t *unit, double confidence,
                      tl_foretold *out)
{
    const double nan  = (double)NAN;
    telling      t    = { .label = label, .rows = rows, .classes = classes };
    int32_t     *bin  = NULL;
    int8_t      *fold = NULL;
    tl_status    rc;

    *out = (tl_foretold){ .score = nan, .low = nan, .high = nan, .chance = nan };
    if (rows < LEAST_ROWS) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *bin, &bin));
    TL_TRY(tl_alloc(ctx, (size_t)rows, &fold));
    if (levels > 0) {
        for (int64_t i = 0; i < rows; i++)
            bin[i] = (int32_t)(isnan(value[i]) ? levels : (int64_t)value[i]);
        t.bins = levels + 1;
    } else {
        const int64_t most = TL_MIN(TL_MIN(TL_MAX(4 * (int64_t)classes, 16), MOST_BINS),
                                    rows / ROWS_A_BIN);
        TL_TRY(cut(ctx, value, rows, most, bin, &t.bins));
    }
    for (int64_t i = 0; i < rows; i++)
        fold[i] = (int8_t)tl_rand_below(1, TL_STREAM(TL_STREAM_SPLIT, 97),
                                        (uint64_t)(unit ? unit[i] : i), FOLDS);
    TL_TRY(tl_alloc_array(ctx, (size_t)classes, sizeof *t.of_class, &t.of_class));
    TL_TRY(tl_alloc_array(ctx, (size_t)classes, sizeof *t.right, &t.right));
    TL_TRY(tl_alloc_array(ctx, (size_t)(t.bins * classes), sizeof *t.count, &t.count));
    for (int64_t i = 0; i < rows; i++) t.of_class[label[i]]++;
    for (int32_t c = 0; c < classes; c++)
        if (t.of_class[c] < LEAST_OF_CLASS) t.of_class[c] = 0;
    t.bin  = bin;
    t.fold = fold;
    for (int k = 0; k < FOLDS; k++) tell_fold(&t, k);
    sum_up(&t, confidence, out);
done:
    tl_free(ctx, bin);
    tl_free(ctx, fold);
    tl_free(ctx, t.of_class);
    tl_free(ctx, t.right);
    tl_free(ctx, t.count);
    return rc;
}

typedef struct {
    const tl_fact *fact;
    tl_foretold    told;
    bool           said;
} held;

static int worst_first(const void *a, const void *b)
{
    const held *x = a, *y = b;

    if (x->told.low != y->told.low) return x->told.low > y->told.low ? -1 : 1;
    return strcmp(x->fact->name, y->fact->name);
}

/* The label of each row that is looked at; of numbers, the quarter of the target. */
static tl_status take_labels(tl_ctx *ctx, const tl_dataset *d, const tl_facts *f, int32_t *label,
                             int32_t *classes)
{
    double   *target = NULL;
    int64_t   bins;
    tl_status rc = TL_OK;

    *classes = (int32_t)d->classes;
    for (int64_t i = 0; i < f->rows.count && !d->target; i++) label[i] = d->label[f->rows.row[i]];
    if (!d->target) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)f->rows.count, sizeof *target, &target));
    for (int64_t i = 0; i < f->rows.count; i++) target[i] = d->target[f->rows.row[i]];
    TL_TRY(cut(ctx, target, f->rows.count, QUARTERS, label, &bins));
    *classes = (int32_t)bins;
done:
    tl_free(ctx, target);
    return rc;
}

/* Is that much from this fact suspicious? */
static bool is_suspicious(const held *h)
{
    const double least = h->told.chance + CLEARLY;

    if (!(h->told.low >= least)) return false;
    if (h->fact->role == TL_FACT_ASIDE) return true;
    if (h->fact->role == TL_FACT_INPUT) return h->told.low >= ALMOST_ALL;
    return !h->fact->category || h->told.score < THE_LABEL_ITSELF; /* under another name */
}

static void say(const tl_dataset *d, const held *h, json_t *profile)
{
    const bool note = h->fact->role == TL_FACT_UNSEEN && !d->text;

    tl_profile_say(profile, note ? "note" : "warning", h->fact->todo,
                   "%s alone tells %s in %.0f %% of rows that were held out, every %s counted "
                   "alike (at least %.0f %%; chance: %.0f %%)",
                   h->fact->name, d->target ? "the quarter of the target" : "the class",
                   100.0 * h->told.score, d->target ? "quarter" : "class", 100.0 * h->told.low,
                   100.0 * h->told.chance);
}

static const char *role_name(tl_fact_role role)
{
    return role == TL_FACT_INPUT ? "input" : role == TL_FACT_UNSEEN ? "unseen" : "aside";
}

static json_t *held_json(const held *all, int64_t tests)
{
    json_t *list = json_array();

    for (int64_t k = 0; k < tests; k++) {
        const tl_foretold *t = &all[k].told;
        json_array_append_new(
            list, json_pack("{s:o, s:s, s:f, s:f, s:f, s:b}", "fact",
                            tl_json_name(all[k].fact->name), "role",
                            role_name(all[k].fact->role), "score", t->score, "low", t->low, "high",
                            t->high, "said", all[k].said));
    }
    return json_pack("{s:I, s:I, s:f, s:I, s:o}", "rows", (json_int_t)all[0].told.rows, "classes",
                     (json_int_t)all[0].told.classes, "chance", all[0].told.chance, "tests",
                     (json_int_t)tests, "facts", list);
}

tl_status tl_shortcuts_find(tl_ctx *ctx, const tl_dataset *d, const tl_facts *f,
                            const int64_t *unit, json_t *profile)
{
    const size_t rows  = (size_t)f->rows.count;
    held        *all   = NULL;
    int32_t     *label = NULL, classes;
    int64_t     *units = NULL, tests = 0, asked = 0, said = 0;
    tl_status    rc = TL_OK;

    if (d->mark || f->rows.count < LEAST_ROWS) goto done;
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *label, &label));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *units, &units));
    TL_TRY(tl_alloc_array(ctx, (size_t)f->facts + 1, sizeof *all, &all));
    for (size_t i = 0; i < rows; i++) units[i] = unit ? unit[f->rows.row[i]] : f->rows.row[i];
    TL_TRY(take_labels(ctx, d, f, label, &classes));
    for (int64_t k = 0; k < f->facts; k++) asked += f->fact[k].role != TL_FACT_DRIFTS;
    for (int64_t k = 0; k < f->facts; k++) {
        held *h = &all[tests];
        if (f->fact[k].role == TL_FACT_DRIFTS) continue;
        *h = (held){ .fact = &f->fact[k] };
        TL_TRY(tl_foretell(ctx, h->fact->value, h->fact->category ? h->fact->levels : 0, label,
                           f->rows.count, classes, units, 1.0 - 0.05 / (double)asked, &h->told));
        tests += !isnan(h->told.score);
    }
    if (tests == 0) goto done;
    qsort(all, (size_t)tests, sizeof *all, worst_first);
    for (int64_t k = 0; k < tests; k++) {
        all[k].said = is_suspicious(&all[k]);
        if (all[k].said && said++ < MOST_SAID) say(d, &all[k], profile);
    }
    json_object_set_new(profile, "shortcuts", held_json(all, tests));
done:
    tl_free(ctx, all);
    tl_free(ctx, label);
    tl_free(ctx, units);
    return rc;
}
