/* schema_json.c -- a schema to and from what a model directory keeps of it.  Floor 2, data. */
#include "core/text.h"
#include "data/tables/schema.h"

#include <math.h>
#include <string.h>

enum { MOST_COLUMNS = 1 << 16, MOST_TEXT = 1 << 16 };

static const char *const codings[]  = { "net", "trees" };
static const char *const scalings[] = { "standard", "quantile" };

const char *tl_scaling_name(size_t i)
{
    return i < TL_COUNT(scalings) ? scalings[i] : NULL;
}

static json_t *text_of(const char *text)
{
    json_t *value = text ? json_string(text) : json_null();

    return value ? value : json_string("(not UTF-8)");
}

static json_t *reals(const double *value, int64_t n)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < n; i++) json_array_append_new(list, json_real(value[i]));
    return list;
}

/* A level that no training row had is null: its slot stays empty. */
static json_t *levels_of(const tl_column *c, bool fitted)
{
    json_t *list = json_array();

    for (int64_t k = 0; k < c->levels; k++)
        json_array_append_new(list, !fitted || c->known[k] ? text_of(c->level[k])
                                                           : json_null());
    return list;
}

static json_t *column_json(const tl_schema *s, const tl_column *c)
{
    json_t *one = json_object();

    json_object_set_new(one, "name", text_of(c->name));
    json_object_set_new(one, "kind", json_string(tl_column_kind_name(c->kind)));
    if (c->why) json_object_set_new(one, "why", text_of(c->why));
    if (c->kind == TL_COLUMN_CATEGORY)
        json_object_set_new(one, "levels", levels_of(c, s->fitted));
    if (c->kind != TL_COLUMN_NUMBER && c->kind != TL_COLUMN_DATE) return one;
    const int64_t parts = c->kind == TL_COLUMN_DATE ? TL_DATE_PARTS : 1;
    json_object_set_new(one, "gaps", json_boolean(c->gaps));
    if (c->kind == TL_COLUMN_DATE)
        json_object_set_new(one, "day_first", json_boolean(c->day_first));
    if (!s->fitted) return one;
    json_object_set_new(one, "mean", reals(c->mean, parts));
    json_object_set_new(one, "scale", reals(c->scale, parts));
    if (c->knot) json_object_set_new(one, "quantiles", reals(c->knot, c->knots));
    return one;
}

json_t *tl_schema_to_json(const tl_schema *s)
{
    json_t *all = json_object(), *list = json_array(), *target = json_null();

    for (int64_t i = 0; i < s->columns; i++)
        json_array_append_new(list, column_json(s, &s->column[i]));
    if (s->target)
        target = json_pack("{s:o, s:s, s:f, s:f}", "name", text_of(s->target), "task",
                           s->task->name, "mean", s->target_mean, "scale", s->target_scale);
    json_object_set_new(all, "coding", json_string(codings[s->coding]));
    json_object_set_new(all, "scaling", json_string(scalings[s->scaling]));
    json_object_set_new(all, "fitted", json_boolean(s->fitted));
    json_object_set_new(all, "target", target);
    json_object_set_new(all, "columns", list);
    return all;
}

static tl_status wrong(tl_ctx *ctx, const char *where, const char *what)
{
    return tl_fail(ctx, TL_EDATA, where, "its columns' %s is not right (copy it again)", what);
}

static int find(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

static tl_status read_reals(tl_ctx *ctx, const char *where, const json_t *list,
                            int64_t count, double *out)
{
    if ((int64_t)json_array_size(list) != count) return wrong(ctx, where, "numbers");
    for (int64_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(list, (size_t)i);
        out[i]            = json_number_value(one);
        if (!json_is_number(one) || !isfinite(out[i])) return wrong(ctx, where, "numbers");
    }
    return TL_OK;
}

/* Levels stand in the order of their texts, or they could not be looked up. */
static tl_status read_levels(tl_ctx *ctx, const char *where, const json_t *list,
                             tl_column *c)
{
    const size_t count = json_array_size(list);
    const char  *last  = "";
    tl_text      empty = tl_text_make(ctx);
    tl_status    rc;

    if (!json_is_array(list) || count > TL_MOST_LEVELS) return wrong(ctx, where, "levels");
    TL_TRY(tl_alloc_array(ctx, count, sizeof *c->level, &c->level));
    TL_TRY(tl_alloc(ctx, count, &c->known));
    for (size_t k = 0; k < count; k++) {
        const char *text = json_string_value(json_array_get(list, k));
        if (text && (strlen(text) > MOST_TEXT || strcmp(text, last) < 0))
            return wrong(ctx, where, "levels");
        c->known[k] = text != NULL;
        if (text) last = text;
        empty.bytes = 0; /* an unknown one stands right behind the one before it */
        tl_text_printf(&empty, "%s\x01", last);
        TL_TRY(empty.status);
        TL_TRY(tl_strdup(ctx, text ? text : empty.text, &c->level[k]));
        c->levels = (int64_t)k + 1;
    }
done:
    tl_text_free(&empty);
    return rc;
}

static tl_status read_numbers(tl_ctx *ctx, const char *where, const json_t *one, bool fitted,
                              tl_column *c)
{
    const int64_t parts = c->kind == TL_COLUMN_DATE ? TL_DATE_PARTS : 1;
    const json_t *knots = json_object_get(one, "quantiles");
    const size_t  count = json_array_size(knots);
    tl_status     rc    = TL_OK;

    c->gaps      = tl_json_bool(one, "gaps", false);
    c->day_first = tl_json_bool(one, "day_first", false);
    if (!fitted) return TL_OK;
    TL_TRY(read_reals(ctx, where, json_object_get(one, "mean"), parts, c->mean));
    TL_TRY(read_reals(ctx, where, json_object_get(one, "scale"), parts, c->scale));
    if (!knots) return TL_OK;
    if (count < 2 || count > TL_MOST_KNOTS) return wrong(ctx, where, "quantiles");
    TL_TRY(tl_alloc_array(ctx, count, sizeof *c->knot, &c->knot));
    c->knots = (int64_t)count;
    TL_TRY(read_reals(ctx, where, knots, c->knots, c->knot));
    for (size_t k = 1; k < count; k++)
        if (c->knot[k] < c->knot[k - 1]) return wrong(ctx, where, "quantiles");
done:
    return rc;
}

static tl_status read_column(tl_ctx *ctx, const char *where, const json_t *one, bool fitted,
                             tl_column *c)
{
    const char *name = tl_json_text(one, "name", NULL), *why = tl_json_text(one, "why", "");
    const char *kind = tl_json_text(one, "kind", "");
    tl_status   rc;

    if (!name || strlen(name) > MOST_TEXT) return wrong(ctx, where, "names");
    TL_TRY(tl_strdup(ctx, name, &c->name));
    for (c->kind = TL_COLUMN_LEFT_OUT; strcmp(tl_column_kind_name(c->kind), kind) != 0;)
        if (c->kind++ == TL_COLUMN_DATE) return wrong(ctx, where, "kinds");
    if (c->kind == TL_COLUMN_LEFT_OUT) return tl_strdup(ctx, why, &c->why);
    if (c->kind == TL_COLUMN_CATEGORY)
        return read_levels(ctx, where, json_object_get(one, "levels"), c);
    return read_numbers(ctx, where, one, fitted, c);
done:
    return rc;
}

static tl_status read_target(tl_ctx *ctx, const char *where, const json_t *target,
                             tl_schema *s)
{
    const char *name = tl_json_text(target, "name", NULL);

    s->target_scale = 1.0;
    s->task         = &tl_task_table_classification;
    if (!target || json_is_null(target)) return TL_OK;
    s->task = tl_task_find(tl_json_text(target, "task",
                                        tl_json_bool(target, "regression", false)
                                            ? tl_task_table_regression.name /* as first written */
                                            : tl_task_table_classification.name));
    if (!s->task || !s->task->table) return wrong(ctx, where, "task");
    s->target_mean  = tl_json_number(target, "mean", 0.0);
    s->target_scale = tl_json_number(target, "scale", 1.0);
    if (!name || strlen(name) > MOST_TEXT || !isfinite(s->target_mean) ||
        !isfinite(s->target_scale) || !(s->target_scale > 0.0))
        return wrong(ctx, where, "target");
    return tl_strdup(ctx, name, &s->target);
}

tl_status tl_schema_from_json(tl_ctx *ctx, const char *where, const json_t *value,
                              tl_schema **out)
{
    const json_t *list   = json_object_get(value, "columns");
    const size_t  count  = json_array_size(list);
    const int     coding = find(codings, 2, tl_json_text(value, "coding", "")),
              scaling    = find(scalings, 2, tl_json_text(value, "scaling", ""));
    const bool fitted    = tl_json_bool(value, "fitted", false);
    tl_schema *s         = NULL;
    tl_status  rc;

    *out = NULL;
    if (coding < 0 || scaling < 0 || count < 1 || count > MOST_COLUMNS)
        return wrong(ctx, where, "description");
    TL_TRY(tl_alloc(ctx, sizeof *s, &s));
    atomic_store(&s->holders, 1);
    TL_TRY(tl_alloc_array(ctx, count, sizeof *s->column, &s->column));
    for (size_t i = 0; i < count; i++) {
        s->columns++;
        TL_TRY(read_column(ctx, where, json_array_get(list, i), fitted, &s->column[i]));
    }
    TL_TRY(read_target(ctx, where, json_object_get(value, "target"), s));
    tl_schema_layout(s, (tl_coding)coding, (tl_scaling)scaling);
    s->fitted = fitted;
    if (s->width < 1) TL_TRY(wrong(ctx, where, "description"));
    *out = s;
    s    = NULL;
done:
    tl_schema_drop(ctx, s);
    return rc;
}
