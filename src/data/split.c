/* split.c -- test part, folds, and train and valid of a repeat.  Rows are drawn in units: a unit
 * is a group of duplicates and goes to one side whole.  Every draw is a function of (seed,
 * purpose, repeat, class) and of the data.  Shares are met class by class within one row, or
 * within the largest group of duplicates.  Source: scikit-learn's StratifiedGroupKFold for the
 * idea.  Floor 2, data. */
#include "core/rand.h"
#include "core/text.h"
#include "data/hold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOR_TEST = 1, FOR_FOLDS, FOR_VALID, FOR_ORDER };

typedef struct {
    int64_t group, row, position;
} member;
typedef struct {
    int64_t at, rows;
    int32_t label;
} unit; /* members at .. at+rows-1 */

/* Rows in units, the units class by class: class c's are units class_at[c] .. class_at[c+1]-1. */
typedef struct {
    const tl_dataset *d;
    member           *m;
    int64_t           members;
    unit             *u;
    int64_t           units;
    int64_t          *order;      /* [units] class by class; shuffled within a class */
    int64_t          *class_at;   /* [classes + 1]                                   */
    int64_t          *class_rows; /* [classes]                                       */
} units_of;

static void units_free(tl_ctx *ctx, units_of *s)
{
    tl_free(ctx, s->m);
    tl_free(ctx, s->u);
    tl_free(ctx, s->order);
    tl_free(ctx, s->class_at);
    tl_free(ctx, s->class_rows);
}

static int by_group_then_row(const void *a, const void *b)
{
    const member *x = a, *y = b;

    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static uint64_t stream_of(int purpose, int64_t repeat, int64_t class)
{
    return TL_STREAM(TL_STREAM_SPLIT, (uint64_t)purpose << 52 |
                                          ((uint64_t)repeat & 0xffffffff) << 20 |
                                          ((uint64_t) class & 0xfffff));
}

/* Members sorted into units, units sorted by class. */
static void cut_units(units_of *s)
{
    const tl_dataset *d = s->d;

    qsort(s->m, (size_t)s->members, sizeof *s->m, by_group_then_row);
    for (int64_t i = 0; i < s->members; i++) {
        const bool fresh = i == 0 || s->m[i].group != s->m[i - 1].group;
        if (fresh) s->u[s->units++] = (unit){ i, 0, d->label[s->m[i].row] };
        s->u[s->units - 1].rows++;
    }
    for (int64_t k = 0; k < s->units; k++) {
        s->class_at[s->u[k].label + 1]++;
        s->class_rows[s->u[k].label] += s->u[k].rows;
    }
    for (int64_t c = 0; c < d->classes; c++) s->class_at[c + 1] += s->class_at[c];
    for (int64_t k = s->units - 1; k >= 0;
         k--) /* from behind: each class stays in order */
        s->order[--s->class_at[s->u[k].label + 1]] = k;
    for (int64_t c = 0; c < d->classes; c++) s->class_at[c] = s->class_at[c + 1];
    s->class_at[d->classes] = s->units;
}

static tl_status units_new(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rows,
                           units_of *s)
{
    const size_t n = (size_t)rows->count, classes = (size_t)d->classes;
    int64_t     *group = NULL;
    tl_status    rc;

    *s = (units_of){ .d = d, .members = rows->count };
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *group, &group));
    TL_TRY(tl_dataset_units(ctx, d, group));
    TL_TRY(tl_alloc_array(ctx, n, sizeof *s->m, &s->m));
    TL_TRY(tl_alloc_array(ctx, n, sizeof *s->u, &s->u));
    TL_TRY(tl_alloc_array(ctx, n, sizeof *s->order, &s->order));
    TL_TRY(tl_alloc_array(ctx, classes + 1, sizeof *s->class_at, &s->class_at));
    TL_TRY(tl_alloc_array(ctx, classes, sizeof *s->class_rows, &s->class_rows));
    for (int64_t i = 0; i < rows->count; i++)
        s->m[i] = (member){ group[rows->row[i]], rows->row[i], i };
    cut_units(s);
done:
    tl_free(ctx, group);
    return rc;
}

static void shuffle_classes(units_of *s, uint64_t seed, int purpose, int64_t repeat)
{
    for (int64_t c = 0; c < s->d->classes; c++)
        tl_rand_shuffle(seed, stream_of(purpose, repeat, c), s->order + s->class_at[c],
                        s->class_at[c + 1] - s->class_at[c]);
}

typedef struct {
    double rest;
    int64_t class;
} remainder_of;

static int by_rest(const void *a, const void *b)
{
    const remainder_of *x = a, *y = b;

    if (x->rest > y->rest || x->rest < y->rest) return x->rest > y->rest ? -1 : 1;
    return x->class < y->class ? -1 : 1;
}

/* How many rows of each class to take: share of each, by largest remainders; a class of three
 * or more units gives at least one, and none gives all. */
static tl_status class_targets(tl_ctx *ctx, const units_of *s, double share,
                               int64_t *target)
{
    const int64_t classes = s->d->classes;
    int64_t       total   = llround(share * (double)s->members);
    remainder_of *left    = NULL;
    tl_status     rc      = tl_alloc_array(ctx, (size_t)classes, sizeof *left, &left);

    if (rc != TL_OK) return rc;
    for (int64_t c = 0; c < classes; c++) {
        const double quota = share * (double)s->class_rows[c];
        target[c]          = (int64_t)quota;
        left[c]            = (remainder_of){ quota - (double)target[c], c };
        total -= target[c];
    }
    qsort(left, (size_t)classes, sizeof *left, by_rest);
    for (int64_t k = 0; k < classes && k < total; k++) target[left[k].class]++;
    for (int64_t c = 0; c < classes; c++) {
        const int64_t units = s->class_at[c + 1] - s->class_at[c];
        if (units >= 3 && target[c] == 0) target[c] = 1;
        target[c] = units < 2 ? 0 : TL_MIN(target[c], s->class_rows[c] - 1);
    }
    tl_free(ctx, left);
    return TL_OK;
}

/* Marks members: taken[position] = 1.  Units that would pass the target are skipped. */
static tl_status take_share(tl_ctx *ctx, const units_of *s, double share, uint8_t *taken)
{
    int64_t  *target = NULL;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)s->d->classes, sizeof *target, &target));
    TL_TRY(class_targets(ctx, s, share, target));
    for (int64_t c = 0; c < s->d->classes; c++)
        for (int64_t k = s->class_at[c], got = 0; k < s->class_at[c + 1]; k++) {
            const unit *u = &s->u[s->order[k]];
            if (got + u->rows > target[c]) continue;
            for (int64_t i = 0; i < u->rows; i++) taken[s->m[u->at + i].position] = 1;
            got += u->rows;
        }
done:
    tl_free(ctx, target);
    return rc;
}

/* rows with taken = 0 to *no, with 1 to *yes; order kept. */
static tl_status part_rows(tl_ctx *ctx, const tl_rows *rows, const uint8_t *taken,
                           tl_rows *no, tl_rows *yes)
{
    int64_t   count = 0;
    tl_status rc;

    for (int64_t i = 0; i < rows->count; i++) count += taken[i];
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *yes->row, &yes->row));
    TL_TRY(tl_alloc_array(ctx, (size_t)(rows->count - count), sizeof *no->row, &no->row));
    for (int64_t i = 0; i < rows->count; i++) {
        tl_rows *to          = taken[i] ? yes : no;
        to->row[to->count++] = rows->row[i];
    }
done:
    return rc;
}

static tl_status all_rows(tl_ctx *ctx, const tl_dataset *d, tl_rows *out)
{
    tl_status rc = tl_alloc_array(ctx, (size_t)d->rows, sizeof *out->row, &out->row);

    if (rc != TL_OK) return rc;
    for (int64_t i = 0; i < d->rows; i++)
        if (d->split[i] != TL_SPLIT_SHIFTED) out->row[out->count++] = i;
    return TL_OK;
}

static void free_rows(tl_ctx *ctx, tl_rows *rows)
{
    tl_free(ctx, rows->row);
    *rows = (tl_rows){ 0 };
}

static tl_status need_two_classes(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rows)
{
    for (int64_t i = 1; i < rows->count; i++) {
        if (d->target && d->target[rows->row[i]] != d->target[rows->row[0]]) return TL_OK;
        if (d->label[rows->row[i]] != d->label[rows->row[0]]) return TL_OK;
    }
    if (rows->count == 0)
        return tl_fail(ctx, TL_EDATA, d->path,
                       "no rows to train on (all are in the test part)");
    if (d->target)
        return tl_fail(ctx, TL_EDATA, d->path,
                       "all %" PRId64 " training rows have the same target (name another "
                       "--target)",
                       rows->count);
    return tl_fail(ctx, TL_EDATA, d->path,
                   "all %" PRId64 " training rows are of one class, \"%.100s\" (give "
                   "at least two classes)",
                   rows->count, d->class_name[d->label[rows->row[0]]]);
}

static tl_status too_few(tl_ctx *ctx, const tl_dataset *d, int64_t rows, const char *part)
{
    return tl_fail(ctx, TL_EDATA, d->path,
                   "%" PRId64 " %s in %" PRId64 " %s are too few to cut off "
                   "a %s part (add rows: three different ones in some class at least)",
                   rows, tl_plural(rows, "row", "rows"), d->classes,
                   tl_plural(d->classes, "class", "classes"), part);
}

/* Marks what the files put into `split`; false when that is nothing. */
static bool take_said(const tl_dataset *d, const tl_rows *rows, tl_split split,
                      uint8_t *taken)
{
    bool any = false;

    for (int64_t i = 0; i < rows->count; i++) {
        taken[i] = d->split[rows->row[i]] == split;
        any      = any || taken[i];
    }
    return any;
}

static tl_status draw_groups(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rows,
                             double share, uint64_t seed, uint64_t stream, uint8_t *taken)
{
    const double shares[] = { 1.0 - share, share };
    int8_t      *part     = NULL;
    tl_status    rc;

    TL_TRY(tl_alloc(ctx, (size_t)rows->count, &part));
    TL_TRY(tl_split_groups(ctx, d, rows, shares, 2, seed, stream, part));
    for (int64_t i = 0; i < rows->count; i++) taken[i] = part[i] == 1;
done:
    tl_free(ctx, part);
    return rc;
}

/* Cuts `share` off `rows`: what the files call `split`, else a draw. */
static tl_status cut(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rows,
                     tl_split split, double share, uint64_t seed, int purpose,
                     int64_t repeat, tl_rows *rest, tl_rows *off)
{
    units_of  s     = { 0 };
    uint8_t  *taken = NULL;
    bool      said;
    tl_status rc;

    TL_TRY(tl_alloc(ctx, (size_t)rows->count, &taken));
    said = take_said(d, rows, split, taken);
    if (!said && d->group) {
        TL_TRY(draw_groups(ctx, d, rows, share, seed, stream_of(purpose, repeat, 0), taken));
    } else if (!said) {
        TL_TRY(units_new(ctx, d, rows, &s));
        shuffle_classes(&s, seed, purpose, repeat);
        TL_TRY(take_share(ctx, &s, share, taken));
    }
    TL_TRY(part_rows(ctx, rows, taken, rest, off));
    if (off->count == 0 || (rest->count == 0 && !said))
        TL_TRY(
            too_few(ctx, d, rows->count, split == TL_SPLIT_TEST ? "test" : "validation"));
done:
    units_free(ctx, &s);
    tl_free(ctx, taken);
    if (rc != TL_OK) {
        free_rows(ctx, rest);
        free_rows(ctx, off);
    }
    return rc;
}

tl_status tl_split_test_of(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rows, uint64_t seed,
                           double share, tl_rows *rest, tl_rows *test)
{
    tl_status rc;

    *rest = *test = (tl_rows){ 0 };
    TL_TRY(need_two_classes(ctx, d, rows));
    TL_TRY(cut(ctx, d, rows, TL_SPLIT_TEST, share, seed, FOR_TEST, 0, rest, test));
    TL_TRY(need_two_classes(ctx, d, rest));
done:
    if (rc != TL_OK) {
        free_rows(ctx, rest);
        free_rows(ctx, test);
    }
    return rc;
}

tl_status tl_split_test(tl_ctx *ctx, const tl_dataset *d, uint64_t seed, double share,
                        tl_rows *rest, tl_rows *test)
{
    tl_rows   all = { 0 };
    tl_status rc;

    *rest = *test = (tl_rows){ 0 };
    TL_TRY(all_rows(ctx, d, &all));
    TL_TRY(tl_split_test_of(ctx, d, &all, seed, share, rest, test));
done:
    free_rows(ctx, &all);
    return rc;
}

tl_status tl_split_folds(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rows, int folds,
                         uint64_t seed, int8_t *fold)
{
    int64_t   total[128] = { 0 };
    units_of  s          = { 0 };
    tl_status rc;

    if (folds < 2 || folds > 127)
        TL_FAIL(TL_EUSAGE, "--folds", "%d is not from 2 to 127 (5 or 10 are usual)",
                folds);
    TL_TRY(need_two_classes(ctx, d, rows));
    if (d->group) {
        double share[128];
        for (int f = 0; f < folds; f++) share[f] = 1.0 / folds;
        rc = tl_split_groups(ctx, d, rows, share, folds, seed, stream_of(FOR_FOLDS, 0, 0), fold);
        goto done;
    }
    TL_TRY(units_new(ctx, d, rows, &s));
    if (s.units < folds) TL_TRY(too_few(ctx, d, rows->count, "fold"));
    shuffle_classes(&s, seed, FOR_FOLDS, 0);
    for (int64_t c = 0; c < d->classes; c++) {
        int64_t mine[128] = { 0 };
        for (int64_t k = s.class_at[c]; k < s.class_at[c + 1]; k++) {
            const unit *u    = &s.u[s.order[k]];
            int         best = 0; /* least rows of this class, then least rows */
            for (int f = 1; f < folds; f++)
                if (mine[f] < mine[best] ||
                    (mine[f] == mine[best] && total[f] < total[best]))
                    best = f;
            for (int64_t i = 0; i < u->rows; i++)
                fold[s.m[u->at + i].position] = (int8_t)best;
            mine[best] += u->rows;
            total[best] += u->rows;
        }
    }
done:
    units_free(ctx, &s);
    return rc;
}

typedef struct {
    double  key;
    int32_t label;
    int64_t row;
} ranked;

static int by_key(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    if (x->key > y->key || x->key < y->key) return x->key < y->key ? -1 : 1;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return x->row < y->row ? -1 : 1;
}

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* The first `limit` of an order in which every beginning is stratified: the j-th row of a class
 * of n stands at (j + 1/2) / n.  A larger limit only adds to it. */
tl_status tl_split_first(tl_ctx *ctx, const tl_dataset *d, uint64_t seed, int repeat,
                         int64_t limit, tl_rows *rows)
{
    const size_t classes = (size_t)d->classes;
    int64_t     *row = NULL, *count = NULL, n = 0;
    ranked      *all = NULL;
    tl_status    rc;

    if (limit >= rows->count) return TL_OK;

    TL_TRY(tl_alloc_array(ctx, (size_t)rows->count, sizeof *all, &all));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows->count, sizeof *row, &row));
    TL_TRY(tl_alloc_array(ctx, classes + 1, sizeof *count, &count));
    for (int64_t i = 0; i < rows->count; i++) count[d->label[rows->row[i]] + 1]++;
    for (size_t c = 0; c < classes; c++) count[c + 1] += count[c];
    for (int64_t i = 0; i < rows->count; i++)
        row[count[d->label[rows->row[i]]]++] = rows->row[i];
    for (int32_t c = 0; c < d->classes; c++) {
        const int64_t low  = n,
                      here = count[c] - low; /* count[c] is class c's end by now */
        tl_rand_shuffle(seed, stream_of(FOR_ORDER, repeat, c), row + low, here);
        for (int64_t j = 0; j < here; j++, n++)
            all[n] = (ranked){ ((double)j + 0.5) / (double)here, c, row[low + j] };
    }
    qsort(all, (size_t)rows->count, sizeof *all, by_key);
    rows->count = limit;
    for (int64_t i = 0; i < limit; i++) rows->row[i] = all[i].row;
    qsort(rows->row, (size_t)limit, sizeof *rows->row, by_number);
done:
    tl_free(ctx, all);
    tl_free(ctx, row);
    tl_free(ctx, count);
    return rc;
}

tl_status tl_split_repeat(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rest,
                          uint64_t seed, int repeat, double share, int64_t limit,
                          tl_rows *train, tl_rows *valid)
{
    tl_status rc;

    *train = *valid = (tl_rows){ 0 };
    TL_TRY(need_two_classes(ctx, d, rest));
    TL_TRY(
        cut(ctx, d, rest, TL_SPLIT_VALID, share, seed, FOR_VALID, repeat, train, valid));
    if (limit > 0) TL_TRY(tl_split_first(ctx, d, seed, repeat, limit, train));
    TL_TRY(need_two_classes(ctx, d, train));
done:
    if (rc != TL_OK) {
        free_rows(ctx, train);
        free_rows(ctx, valid);
    }
    return rc;
}
