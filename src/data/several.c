/* several.c -- see several.h.  Floor 2, data. */
#include "data/several.h"
#include "core/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LOOKS_AT = 2000, MOST_NAME = 256 };

int64_t tl_target_columns(const tl_sheet *g, const char *names, int64_t *column)
{
    int64_t count = 0;

    column[0] = tl_sheet_column(g, names);
    if (column[0] >= 0) return 1;
    while (*names) {
        const size_t bytes = strcspn(names, ",");
        char         name[MOST_NAME];
        if (count == g->columns || bytes >= sizeof name) return 0;
        snprintf(name, sizeof name, "%.*s", (int)bytes, names);
        column[count] = tl_sheet_column(g, name);
        if (column[count++] < 0) return 0;
        names += bytes + (names[bytes] == ',');
    }
    return count;
}

static const char *past_blanks(const char *text)
{
    return text + strspn(text, " \t\r\n");
}

static bool is_list(const char *cell)
{
    const char *at = past_blanks(cell);
    size_t      n  = strlen(at);

    while (n && strchr(" \t\r\n", at[n - 1])) n--;
    return n >= 2 && at[0] == '[' && at[n - 1] == ']';
}

bool tl_column_names_several(const tl_sheet *g, int64_t column)
{
    int64_t there = 0, lists = 0, bars = 0;

    for (int64_t r = 0; r < TL_MIN(g->rows, (int64_t)LOOKS_AT); r++) {
        const char *cell = tl_sheet_cell(g, r, column);
        if (!*past_blanks(cell)) continue;
        there++;
        lists += is_list(cell);
        bars += strchr(cell, '|') != NULL;
    }
    return there > 0 && (lists == there || (bars > 0 && 10 * bars >= there));
}

/* 1, 0, or -1 where it is neither yes nor no. */
static int yes_or_no(const char *cell)
{
    static const char *const words[][4] = { { "0", "false", "no", "n" },
                                            { "1", "true", "yes", "y" } };
    char   text[8];
    double number;

    cell = past_blanks(cell);
    snprintf(text, sizeof text, "%s", cell);
    text[strcspn(text, " \t\r\n")] = 0;
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < TL_COUNT(words[k]); i++)
            if (strcasecmp(text, words[k][i]) == 0) return k;
    if (!tl_cell_number(cell, &number)) return -1;
    return number == 1.0 ? 1 : number == 0.0 ? 0 : -1;
}

/* One name after the other, with what takes it. */
typedef tl_status (*take)(tl_ctx *ctx, void *user, const char *name);

static tl_status each_of_list(tl_ctx *ctx, const json_t *list, take call, void *user)
{
    const json_t *one;
    size_t        i;
    char          number[40];
    tl_status     rc = TL_OK;

    json_array_foreach(list, i, one)
    {
        if (json_is_integer(one))
            snprintf(number, sizeof number, "%" PRId64, (int64_t)json_integer_value(one));
        const char *name = json_is_integer(one) ? number : json_string_value(one);
        if (rc == TL_OK && *past_blanks(name)) rc = call(ctx, user, name);
    }
    return rc;
}

static tl_status each_between_bars(tl_ctx *ctx, const char *cell, take call, void *user)
{
    tl_status rc = TL_OK;

    while (*cell && rc == TL_OK) {
        const size_t bytes = strcspn(cell, "|");
        char         name[MOST_NAME];
        const char  *from = past_blanks(cell);
        snprintf(name, sizeof name, "%.*s",
                 (int)TL_MAX((ptrdiff_t)0, cell + bytes - from), from);
        for (size_t n = strlen(name); n && strchr(" \t\r\n", name[n - 1]);) name[--n] = 0;
        if (*name) rc = call(ctx, user, name);
        cell += bytes + (cell[bytes] == '|');
    }
    return rc;
}

/* NULL: no list of texts or whole numbers. */
static json_t *list_of(const char *cell)
{
    json_t *list = json_loads(cell, JSON_REJECT_DUPLICATES, NULL), *one;
    size_t  i;
    bool    fine = json_is_array(list);

    json_array_foreach(list, i, one) fine = fine && (json_is_string(one) || json_is_integer(one));
    if (fine) return list;
    json_decref(list);
    return NULL;
}

const char *tl_several_fault(const tl_sheet *g, int64_t row, const int64_t *column,
                             int64_t count, int64_t *where)
{
    for (int64_t k = 0; k < count; k++) {
        const char *cell = tl_sheet_cell(g, row, column[k]);
        *where           = column[k];
        if (count > 1 && yes_or_no(cell) < 0) return "neither 0 nor 1 in a label's column";
        if (count > 1 || !is_list(cell)) continue;
        json_t *list = list_of(cell);
        json_decref(list);
        if (!list) return "no JSON list of labels";
    }
    return NULL;
}

/* What is gathered for a part. */
typedef struct {
    tl_part *part;
    size_t   room, used;
    int64_t  from; /* of the row under way */
} gathering;

static tl_status add_label(tl_ctx *ctx, void *user, const char *name)
{
    gathering *g = user;
    int32_t    label;
    tl_status  rc;

    TL_TRY(tl_part_class(ctx, g->part, name, 0, &label));
    for (size_t i = (size_t)g->from; i < g->used; i++)
        if (g->part->many[i] == label) return TL_OK;
    if (g->used == g->room) {
        g->room = 2 * g->room + 256;
        TL_TRY(tl_realloc(ctx, g->room * sizeof *g->part->many, &g->part->many));
    }
    g->part->many[g->used++] = label;
done:
    return rc;
}

static tl_status take_cell(tl_ctx *ctx, gathering *g, const char *cell)
{
    json_t   *list = is_list(cell) ? list_of(cell) : NULL;
    tl_status rc   = list ? each_of_list(ctx, list, add_label, g)
                          : each_between_bars(ctx, cell, add_label, g);

    json_decref(list);
    return rc;
}

/* A column for each label: their order is the asked one. */
static tl_status name_columns(tl_ctx *ctx, tl_part *p, const int64_t *column, int64_t count)
{
    int32_t   label;
    tl_status rc = TL_OK;

    for (int64_t k = 0; k < count && rc == TL_OK; k++)
        rc = tl_part_class(ctx, p, p->sheet.name[column[k]], k, &label);
    return rc;
}

static tl_status take_several(tl_ctx *ctx, tl_part *p)
{
    const int64_t *column = p->targets, count = p->n_targets;
    gathering      g = { .part = p };
    tl_status      rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)p->rows + 1, sizeof *p->many_at, &p->many_at));
    TL_TRY(tl_alloc_array(ctx, 1, sizeof *p->many, &p->many));
    g.room = 1;
    if (count > 1) TL_TRY(name_columns(ctx, p, column, count));
    for (int64_t r = 0; r < p->rows; r++) {
        g.from = (int64_t)g.used;
        if (count == 1) TL_TRY(take_cell(ctx, &g, tl_sheet_cell(&p->sheet, r, column[0])));
        for (int64_t k = 0; count > 1 && k < count; k++)
            if (yes_or_no(tl_sheet_cell(&p->sheet, r, column[k])) == 1)
                TL_TRY(add_label(ctx, &g, p->sheet.name[column[k]]));
        p->many_at[r + 1] = (int64_t)g.used;
    }
    if (count == 1) tl_part_order_numbers(p);
    if (g.used == 0 && p->rows > 0)
        TL_FAIL(TL_EDATA, p->path, "no row has a label in \"%.80s\" (name another column)",
                p->sheet.name[column[0]]);
done:
    return rc;
}

/* The place of `name` between the commas; -1: it is not there. */
static int64_t place_in(const char *order, const char *name)
{
    for (int64_t k = 0; *order; k++) {
        const size_t bytes = strcspn(order, ",");
        if (strlen(name) == bytes && strncmp(order, name, bytes) == 0) return k;
        order += bytes + (order[bytes] == ',');
    }
    return -1;
}

/* In the order given, else by their numbers. */
static tl_status order_ranks(tl_ctx *ctx, tl_part *p, const char *order)
{
    double number;

    for (int64_t c = 0; c < p->classes && (!order || *order); c++) {
        const int64_t at = order ? place_in(order, p->class_name[c]) : 0;
        if (order && at < 0)
            return tl_fail(ctx, TL_EUSAGE, "--order", "does not name the rank \"%.80s\" (name "
                           "all of them, the lowest first)", p->class_name[c]);
        if (!order && !tl_cell_number(p->class_name[c], &number))
            return tl_fail(ctx, TL_EUSAGE, "--task", "the rank \"%.80s\" is no number (say their "
                           "order: --order LOWEST,...,HIGHEST)", p->class_name[c]);
        if (order) p->class_key[c] = at;
    }
    return TL_OK;
}

/* The one class is called as the column. */
static tl_status take_numbers(tl_ctx *ctx, tl_part *p)
{
    const int64_t column = p->targets[0];
    int32_t       one;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)p->rows, sizeof *p->target, &p->target));
    for (int64_t r = 0; r < p->rows; r++)
        tl_cell_number(tl_sheet_cell(&p->sheet, r, column), &p->target[r]);
    TL_TRY(tl_part_class(ctx, p, p->sheet.name[column], 0, &one));
done:
    return rc;
}

tl_status tl_part_take_targets(tl_ctx *ctx, const tl_task *task, const char *order, tl_part *p)
{
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)p->rows, sizeof *p->label, &p->label));
    if (task->numbers) return take_numbers(ctx, p);
    if (task->several) return take_several(ctx, p);
    TL_TRY(tl_part_take_classes(ctx, p, p->targets[0]));
    if (task->ordered) rc = order_ranks(ctx, p, order);
done:
    return rc;
}
