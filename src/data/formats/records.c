/* records.c -- a table: rows of numbers, categories and dates, one column of them the target.
 * Source: RFC 4180.  Floor 2, data. */
#include "core/text.h"
#include "data/part.h"
#include "data/several.h"

#include <stdio.h>
#include <string.h>

enum { LEAST_LIMIT = 1 << 20 };

/* A name in the first line by which a header is told from a row; NULL: not known. */
static const char *expected_name(const tl_schema *s)
{
    for (int64_t i = 0; s && i < s->columns; i++)
        if (s->column[i].kind != TL_COLUMN_LEFT_OUT) return s->column[i].name;
    return NULL;
}

/* Looks at every field: what does not fit its column. */
static const char *fault_of(const tl_opening *o, const tl_part *p, int64_t row,
                            int64_t *column)
{
    const tl_sheet *g     = &p->sheet;
    const tl_task  *task  = o->schema->task;
    const char     *y     = tl_sheet_cell(g, row, *column), *fault = NULL;
    double          number;

    if (task->several)
        fault = tl_several_fault(g, row, p->targets, p->n_targets, column);
    else if (tl_cell_missing(y)) fault = "no value in the target column";
    else if (task->numbers && !tl_cell_number(y, &number))
        fault = "no number in the target column";
    for (int64_t i = 0; i < o->schema->columns && !fault; i++) {
        if (p->map[i] < 0) continue;
        *column = p->map[i];
        fault   = tl_column_fault(&o->schema->column[i], tl_sheet_cell(g, row, *column));
    }
    return fault;
}

static tl_status find_columns(tl_ctx *ctx, tl_opening *o, tl_part *p)
{
    const char *asked = o->ask.target ? o->ask.target : o->ask.label;
    tl_status   rc    = TL_OK;

    if (!o->schema) TL_TRY(tl_schema_infer(ctx, &p->sheet, &o->ask, &o->schema));
    TL_TRY(tl_alloc_array(ctx, (size_t)o->schema->columns, sizeof *p->map, &p->map));
    TL_TRY(tl_schema_map(ctx, o->schema, &p->sheet, p->map));
    if (!asked) asked = o->schema->target;
    TL_TRY(tl_alloc_array(ctx, (size_t)p->sheet.columns, sizeof *p->targets, &p->targets));
    p->n_targets = tl_target_columns(&p->sheet, asked, p->targets);
    if (p->n_targets == 0)
        TL_FAIL(TL_EDATA, p->path,
                "has no target column \"%.80s\" (add it, or name another --target)", asked);
done:
    return rc;
}

static tl_status open_file(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o)
{
    const size_t limit = TL_MAX(o->limit_bytes, (size_t)LEAST_LIMIT);
    tl_part     *p;
    tl_status    rc;

    if (split == TL_SPLIT_NONE) split = tl_split_of_name(tl_path_name(path));
    TL_TRY(tl_part_add(ctx, o, "table", path, split, &p));
    TL_TRY(tl_sheet_read(ctx, path, limit, expected_name(o->schema), &o->bad, &p->sheet));
    TL_TRY(find_columns(ctx, o, p));
    TL_TRY(tl_part_keep_good(ctx, o, p, p->targets[0], fault_of));
    p->rows     = p->sheet.rows;
    p->one_size = true;
    TL_TRY(tl_part_take_targets(ctx, o->schema->task, o->ask.order, p));
done:
    return rc;
}

/* Pictures or folders make it a folder of something else. */
static tl_status holds_others(tl_ctx *ctx, const char *path, const tl_names *names, bool *yes)
{
    char     *file = NULL;
    tl_status rc   = TL_OK;

    *yes = false;
    for (size_t i = 0; i < names->count && !*yes; i++) {
        tl_free(ctx, file);
        TL_TRY(tl_path_join(ctx, path, names->name[i], &file));
        *yes = tl_is_picture_name(names->name[i]) || tl_is_folder(file);
    }
done:
    tl_free(ctx, file);
    return rc;
}

/* A folder with tables called train, valid, test; or with one table. */
static tl_status open_folder(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                             bool *mine)
{
    static const tl_split order[] = { TL_SPLIT_TRAIN, TL_SPLIT_NONE, TL_SPLIT_VALID,
                                      TL_SPLIT_TEST };
    tl_names  names  = { 0 };
    char     *file   = NULL;
    size_t    tables = 0, named = 0;
    bool      others;
    tl_status rc;

    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t i = 0; i < names.count; i++) {
        tables += tl_is_sheet_name(names.name[i]);
        named += tl_is_sheet_name(names.name[i]) &&
                 tl_split_of_name(names.name[i]) != TL_SPLIT_NONE;
    }
    if (named == 0 && tables != 1) goto done;
    TL_TRY(holds_others(ctx, path, &names, &others));
    if (others) goto done;
    for (size_t k = 0; k < TL_COUNT(order); k++)
        for (size_t i = 0; i < names.count; i++) {
            const tl_split own = tl_split_of_name(names.name[i]);
            if (!tl_is_sheet_name(names.name[i]) || own != order[k]) continue;
            if (named && own == TL_SPLIT_NONE) continue;
            tl_free(ctx, file);
            TL_TRY(tl_path_join(ctx, path, names.name[i], &file));
            TL_TRY(open_file(ctx, file, split == TL_SPLIT_NONE ? own : split, o));
            *mine = true;
        }
done:
    tl_free(ctx, file);
    tl_names_free(ctx, &names);
    return rc;
}

static tl_status open_records(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                              bool *mine)
{
    if (tl_is_folder(path)) return open_folder(ctx, path, split, o, mine);
    if (!tl_is_sheet_name(path) || !tl_exists(path)) return TL_OK;
    *mine = true;
    return open_file(ctx, path, split, o);
}

const tl_data_format tl_data_format_records = {
    .name   = "table",
    .doc    = "a CSV, TSV, JSONL or Parquet of numbers, categories and dates, with a target "
              "column",
    .source = "RFC 4180",
    .open   = open_records,
};
