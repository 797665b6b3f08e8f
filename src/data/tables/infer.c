/* infer.c -- what the columns of a table are: which is the target, which are numbers, dates and
 * categories, and which are left out (all values different, one value only, free text) and why.
 * Floor 2, data. */
#include "core/text.h"
#include "data/several.h"
#include "data/tables/schema.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* So much of what is there must be numbers (dates) for the rest to count as mistakes. */
static const double MOSTLY = 0.95;
enum { FEW_CLASSES = 20, MOST_CATEGORIES = 1000, LEAST_FOR_ID = 20 };

/* What a column holds, counted. */
typedef struct {
    const tl_sheet *g;
    const char   **text;  /* [there] sorted */
    double        *value; /* [numbers] sorted */
    int64_t        there, missing, distinct, numbers, dates, day_dates, whole;
    bool           rising; /* each number above the one before */
} tally;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void count_cell(tally *t, const char *text)
{
    double part[TL_DATE_PARTS], value;

    if (tl_cell_missing(text)) {
        t->missing++;
        return;
    }
    t->text[t->there++] = text;
    if (tl_cell_number(text, &value)) {
        if (t->numbers && !(value > t->value[t->numbers - 1])) t->rising = false;
        t->value[t->numbers++] = value;
        t->whole += value == floor(value);
        return;
    }
    t->dates += tl_cell_date(text, false, part);
    t->day_dates += tl_cell_date(text, true, part);
}

static void count_column(const tl_sheet *g, int64_t column, tally *t)
{
    const char **text  = t->text;
    double      *value = t->value;

    *t = (tally){ .g = g, .text = text, .value = value, .rising = true };
    for (int64_t r = 0; r < g->rows; r++) count_cell(t, tl_sheet_cell(g, r, column));
    qsort(t->text, (size_t)t->there, sizeof *t->text, by_text);
    qsort(t->value, (size_t)t->numbers, sizeof *t->value, by_value);
    for (int64_t i = 0; i < t->there; i++)
        t->distinct += i == 0 || strcmp(t->text[i], t->text[i - 1]) != 0;
}

static bool mostly(int64_t count, const tally *t)
{
    return (double)count >= MOSTLY * (double)t->there;
}

/* "id", "customer_id", "CustomerId", "UDI", "row number": a name that says it names. */
static bool names_an_id(const char *name)
{
    static const char *const words[] = { "id",       "udi",    "uid",       "uuid", "guid",
                                         "index",    "num",    "rownumber", "row_number",
                                         "rownames", "row_id", "key",       "no" };
    const size_t bytes = strlen(name);

    for (size_t i = 0; i < TL_COUNT(words); i++)
        if (strcasecmp(name, words[i]) == 0) return true;
    if (bytes < 3) return false;
    const char *end = name + bytes - 2;
    if (strcmp(end, "Id") == 0 || strcmp(end, "ID") == 0) return true;
    return strcasecmp(end, "id") == 0 && !isalnum((unsigned char)end[-1]);
}

static tl_status leave_out(tl_ctx *ctx, tl_column *c, const char *why)
{
    c->kind = TL_COLUMN_LEFT_OUT;
    return tl_strdup(ctx, why, &c->why);
}

typedef struct {
    const char *text;
    int64_t     count;
} level_count;

static int by_count(const void *a, const void *b)
{
    const level_count *x = a, *y = b;

    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return strcmp(x->text, y->text);
}

static int by_level(const void *a, const void *b)
{
    return strcmp(((const level_count *)a)->text, ((const level_count *)b)->text);
}

/* The most frequent levels, in order of their texts. */
static tl_status take_levels(tl_ctx *ctx, const tally *t, tl_column *c)
{
    level_count *all  = NULL;
    int64_t      n    = 0;
    const int64_t most = TL_MIN(t->distinct, (int64_t)TL_MOST_LEVELS);
    tl_status    rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)t->distinct, sizeof *all, &all));
    for (int64_t i = 0; i < t->there; i++) {
        if (i == 0 || strcmp(t->text[i], t->text[i - 1]) != 0)
            all[n++] = (level_count){ t->text[i], 0 };
        all[n - 1].count++;
    }
    qsort(all, (size_t)n, sizeof *all, by_count);
    qsort(all, (size_t)most, sizeof *all, by_level);
    TL_TRY(tl_alloc_array(ctx, (size_t)most, sizeof *c->level, &c->level));
    TL_TRY(tl_alloc(ctx, (size_t)most, &c->known));
    while (c->levels < most) {
        const int64_t k = c->levels++;
        TL_TRY(tl_strdup(ctx, all[k].text, &c->level[k]));
    }
done:
    tl_free(ctx, all);
    return rc;
}

static tl_status judge_number(tl_ctx *ctx, const tally *t, tl_column *c)
{
    const bool every = t->distinct == t->there && t->there >= LEAST_FOR_ID;
    const bool whole = t->whole == t->numbers;

    c->kind = TL_COLUMN_NUMBER;
    c->low  = t->value[0];
    c->high = t->value[t->numbers - 1];
    c->middle = t->value[t->numbers / 2];
    if (t->distinct == 1) return leave_out(ctx, c, "it has one value only");
    if (every && whole && t->rising)
        return leave_out(ctx, c, "it counts the rows: every value is one above another");
    if (every && whole && names_an_id(c->name))
        return leave_out(ctx, c, "it names the rows: every value is different");
    return TL_OK;
}

static tl_status judge_text(tl_ctx *ctx, const tally *t, tl_column *c)
{
    const int64_t most = TL_MAX(20, TL_MIN(t->there / 20, (int64_t)MOST_CATEGORIES));

    c->kind = TL_COLUMN_CATEGORY;
    if (t->distinct == 1 && !t->missing)
        return leave_out(ctx, c, "it has one value only");
    if (t->distinct == t->there && t->there >= LEAST_FOR_ID)
        return leave_out(ctx, c, "it names the rows or is free text: every value is different");
    if (t->distinct > most)
        return leave_out(ctx, c, "it is text with too many different values for categories");
    return take_levels(ctx, t, c);
}

static tl_status judge_column(tl_ctx *ctx, const tally *t, tl_column *c)
{
    c->missing  = t->missing;
    c->distinct = t->distinct;
    c->gaps     = t->missing > 0;
    if (t->there == 0) return leave_out(ctx, c, "no value is there");
    if (t->numbers && mostly(t->numbers, t)) return judge_number(ctx, t, c);
    if (t->dates && mostly(TL_MAX(t->dates, t->day_dates), t)) {
        c->kind      = TL_COLUMN_DATE;
        c->day_first = t->day_dates > t->dates;
        return t->distinct == 1 ? leave_out(ctx, c, "it has one value only") : TL_OK;
    }
    return judge_text(ctx, t, c);
}

/* --target (or --label), else a column that is called so, else the last: target[*count]. */
static tl_status find_target(tl_ctx *ctx, const tl_sheet *g, const tl_table_ask *ask,
                             int64_t *target, int64_t *count, const char **why)
{
    const char *asked = ask->target ? ask->target : ask->label;
    static const char *const names[] = { "target", "label", "class", "y", "outcome" };
    char                     known[400] = "";

    *why = "as asked";
    if (asked) {
        *count = tl_target_columns(g, asked, target);
        if (*count > 0) return TL_OK;
        for (int64_t c = 0; c < g->columns && strlen(known) < 300; c++)
            snprintf(known + strlen(known), sizeof known - strlen(known), "%s%.60s",
                     c ? ", " : "", g->name[c]);
        return tl_fail(ctx, TL_EUSAGE, "--target",
                       "%.200s has no column \"%.80s\" (it has: %s)", g->path, asked, known);
    }
    *count = 1;
    *why   = "its name says so";
    for (size_t i = 0; i < TL_COUNT(names); i++)
        for (int64_t c = 0; c < g->columns; c++)
            if (strcasecmp(g->name[c], names[i]) == 0) {
                *target = c;
                return TL_OK;
            }
    *why    = "the last column; --target COLUMN names another";
    *target = g->columns - 1;
    return TL_OK;
}

/* Numbers with fractions, or more of them than classes usually are, are to be predicted as
 * numbers; ranks only where they are asked for. */
static tl_status find_task(tl_ctx *ctx, const tally *t, int64_t column, int64_t columns,
                           const char *asked, tl_schema *s)
{
    const bool numbers = t->numbers > 0 && mostly(t->numbers, t);

    s->task = numbers && t->distinct > 2 &&
                      (t->whole < t->numbers || t->distinct > FEW_CLASSES)
                  ? &tl_task_table_regression
                  : &tl_task_table_classification;
    if (columns > 1 || tl_column_names_several(t->g, column)) s->task = &tl_task_table_several;
    if (asked && !tl_task_asked(s->task, asked))
        return tl_fail(ctx, TL_EUSAGE, "--task", "\"%.40s\" is not known (classification, "
                       "multi-label, ordinal or regression)", asked);
    if (asked) s->task = tl_task_asked(s->task, asked);
    if (columns > 1 && !s->task->several)
        return tl_fail(ctx, TL_EUSAGE, "--task", "several columns are several labels (leave "
                       "--task out, or name one --target)");
    if (s->task->numbers && !numbers)
        return tl_fail(ctx, TL_EDATA, "--task",
                       "the target \"%.80s\" is no column of numbers (leave out --task, or "
                       "name another --target)",
                       s->target);
    return TL_OK;
}

static tl_status need_columns(tl_ctx *ctx, const tl_sheet *g, const tl_schema *s)
{
    for (int64_t i = 0; i < s->columns; i++)
        if (s->column[i].kind != TL_COLUMN_LEFT_OUT) return TL_OK;
    return tl_fail(ctx, TL_EDATA, g->path,
                   "no column to learn from: %s%.60s%s%s (add numbers, categories or dates; "
                   "texts are learnt from by --text COLUMN --label COLUMN)",
                   s->columns ? "of column \"" : "", s->columns ? s->column[0].name : "",
                   s->columns ? "\", " : "",
                   s->columns ? s->column[0].why : "there is one column only");
}

static bool is_among(const int64_t *target, int64_t count, int64_t column)
{
    for (int64_t k = 0; k < count; k++)
        if (target[k] == column) return true;
    return false;
}

static tl_status infer_columns(tl_ctx *ctx, const tl_sheet *g, const int64_t *target,
                               int64_t targets, const tl_table_ask *ask, tally *t,
                               tl_schema *s)
{
    tl_status rc = TL_OK;

    for (int64_t c = 0; c < g->columns; c++) {
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, g->path, "interrupted");
        count_column(g, c, t);
        if (is_among(target, targets, c)) {
            if (t->there == 0)
                TL_FAIL(TL_EDATA, g->path,
                        "the target column \"%.80s\" has no value in any row (name "
                        "another --target)",
                        g->name[c]);
            TL_TRY(find_task(ctx, t, c, targets, ask->task, s));
            continue;
        }
        tl_column *column = &s->column[s->columns++];
        TL_TRY(tl_strdup(ctx, g->name[c], &column->name));
        if (ask->group && strcmp(ask->group, g->name[c]) == 0)
            TL_TRY(leave_out(ctx, column, "it names the groups (--group)"));
        else TL_TRY(judge_column(ctx, t, column));
    }
done:
    return rc;
}

tl_status tl_schema_infer(tl_ctx *ctx, const tl_sheet *g, const tl_table_ask *ask,
                          tl_schema **out)
{
    tl_schema  *s = NULL;
    tally       t = { 0 };
    int64_t    *target = NULL, targets;
    const char *why, *asked = ask->target ? ask->target : ask->label;
    tl_status   rc;

    *out = NULL;
    TL_TRY(tl_alloc_array(ctx, (size_t)g->columns, sizeof *target, &target));
    TL_TRY(find_target(ctx, g, ask, target, &targets, &why));
    TL_TRY(tl_alloc(ctx, sizeof *s, &s));
    atomic_store(&s->holders, 1);
    s->target_scale = 1.0;
    TL_TRY(tl_strdup(ctx, targets > 1 ? asked : g->name[*target], &s->target));
    TL_TRY(tl_strdup(ctx, why, &s->target_why));
    TL_TRY(tl_alloc_array(ctx, (size_t)g->columns, sizeof *s->column, &s->column));
    TL_TRY(tl_alloc_array(ctx, (size_t)g->rows, sizeof *t.text, &t.text));
    TL_TRY(tl_alloc_array(ctx, (size_t)g->rows, sizeof *t.value, &t.value));
    TL_TRY(infer_columns(ctx, g, target, targets, ask, &t, s));
    TL_TRY(need_columns(ctx, g, s));
    tl_schema_layout(s, TL_CODING_NET, TL_SCALING_STANDARD);
    *out = s;
    s    = NULL;
done:
    tl_free(ctx, target);
    tl_free(ctx, t.text);
    tl_free(ctx, t.value);
    tl_schema_drop(ctx, s);
    return rc;
}
