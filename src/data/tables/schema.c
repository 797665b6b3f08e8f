/* schema.c -- schemas held, copied, matched with a table.  Floor 2, data. */
#include "data/tables/schema.h"

#include <stdio.h>
#include <string.h>

static const char *const kinds[] = { "left out", "number", "category", "date" };

const char *tl_column_kind_name(tl_column_kind kind)
{
    return kinds[kind];
}

tl_schema *tl_schema_hold(tl_schema *s)
{
    if (s) atomic_fetch_add(&s->holders, 1);
    return s;
}

static void free_column(tl_ctx *ctx, tl_column *c)
{
    for (int64_t k = 0; c->level && k < c->levels; k++) tl_free(ctx, c->level[k]);
    tl_free(ctx, c->level);
    tl_free(ctx, c->known);
    tl_free(ctx, c->knot);
    tl_free(ctx, c->name);
    tl_free(ctx, c->why);
}

void tl_schema_drop(tl_ctx *ctx, tl_schema *s)
{
    if (!s || atomic_fetch_sub(&s->holders, 1) > 1) return;
    for (int64_t i = 0; s->column && i < s->columns; i++) free_column(ctx, &s->column[i]);
    tl_free(ctx, s->column);
    tl_free(ctx, s->target);
    tl_free(ctx, s->target_why);
    tl_free(ctx, s);
}

static tl_status copy_text(tl_ctx *ctx, const char *from, char **out)
{
    *out = NULL;
    return from ? tl_strdup(ctx, from, out) : TL_OK;
}

static tl_status copy_column(tl_ctx *ctx, const tl_column *from, tl_column *to)
{
    tl_status rc;

    *to       = *from;
    to->name  = NULL;
    to->why   = NULL;
    to->level = NULL;
    to->known = NULL;
    to->knot  = NULL;
    TL_TRY(copy_text(ctx, from->name, &to->name));
    TL_TRY(copy_text(ctx, from->why, &to->why));
    if (from->knot) {
        TL_TRY(tl_alloc_array(ctx, (size_t)from->knots, sizeof *to->knot, &to->knot));
        memcpy(to->knot, from->knot, (size_t)from->knots * sizeof *to->knot);
    }
    if (!from->level) goto done;
    TL_TRY(tl_alloc_array(ctx, (size_t)from->levels, sizeof *to->level, &to->level));
    TL_TRY(tl_alloc(ctx, (size_t)from->levels, &to->known));
    memcpy(to->known, from->known, (size_t)from->levels);
    for (int64_t k = 0; k < from->levels; k++)
        TL_TRY(tl_strdup(ctx, from->level[k], &to->level[k]));
done:
    return rc;
}

tl_status tl_schema_copy(tl_ctx *ctx, const tl_schema *from, tl_schema **out)
{
    tl_schema *s = NULL;
    tl_status  rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *s, &s));
    atomic_store(&s->holders, 1);
    s->coding       = from->coding;
    s->scaling      = from->scaling;
    s->fitted       = from->fitted;
    s->width        = from->width;
    s->task         = from->task;
    s->target_mean  = from->target_mean;
    s->target_scale = from->target_scale;
    TL_TRY(copy_text(ctx, from->target, &s->target));
    TL_TRY(copy_text(ctx, from->target_why, &s->target_why));
    TL_TRY(tl_alloc_array(ctx, (size_t)from->columns, sizeof *s->column, &s->column));
    for (; s->columns < from->columns;) {
        const int64_t i = s->columns++;
        TL_TRY(copy_column(ctx, &from->column[i], &s->column[i]));
    }
    *out = s;
    s    = NULL;
done:
    tl_schema_drop(ctx, s);
    return rc;
}

tl_status tl_schema_map(tl_ctx *ctx, const tl_schema *s, const tl_sheet *g, int32_t *map)
{
    for (int64_t i = 0; i < s->columns; i++) {
        const tl_column *c = &s->column[i];
        map[i]             = -1;
        if (c->kind == TL_COLUMN_LEFT_OUT) continue;
        map[i] = (int32_t)tl_sheet_column(g, c->name);
        if (map[i] < 0)
            return tl_fail(ctx, TL_EDATA, g->path,
                           "has no column \"%.100s\", which the model was, or is to be, "
                           "trained with (add it, or name it so in the first line)",
                           c->name);
    }
    return TL_OK;
}

const char *tl_column_fault(const tl_column *c, const char *text)
{
    double part[TL_DATE_PARTS];

    if (tl_cell_missing(text)) return NULL;
    if (c->kind == TL_COLUMN_NUMBER && !tl_cell_number(text, part)) return "not a number";
    if (c->kind == TL_COLUMN_DATE && !tl_cell_date(text, c->day_first, part))
        return "not a date";
    return NULL;
}

static void put_text(json_t *object, const char *key, const char *text)
{
    json_t *value = text ? json_string(text) : json_null();

    json_object_set_new(object, key, value ? value : json_string("(not UTF-8)"));
}

json_t *tl_schema_profile(const tl_schema *s)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < s->columns; i++) {
        const tl_column *c   = &s->column[i];
        json_t          *one = json_object();
        put_text(one, "name", c->name);
        put_text(one, "kind", kinds[c->kind]);
        put_text(one, "why", c->why);
        json_object_set_new(one, "missing", json_integer(c->missing));
        json_object_set_new(one, "distinct", json_integer(c->distinct));
        if (c->kind == TL_COLUMN_NUMBER)
            json_object_set_new(one, "range",
                                json_pack("{s:o, s:o, s:o}", "min", tl_json_real(c->low),
                                          "median", tl_json_real(c->middle), "max",
                                          tl_json_real(c->high)));
        json_array_append_new(list, one);
    }
    return list;
}
