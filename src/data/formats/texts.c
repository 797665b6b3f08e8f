/* texts.c -- texts with labels: a CSV, TSV, JSONL or Parquet with a column of each, or a folder
 * with such files called train, valid and test.  Told from an ordinary table by texts/columns.h.
 * Source: Hugging Face datasets' csv, json and parquet.  Floor 2, data. */
#include "core/text.h"
#include "data/part.h"
#include "data/several.h"

#include <stdio.h>
#include <string.h>

enum { LEAST_LIMIT = 1 << 20 };

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == 0;
}

static const tl_task *task_of(const tl_opening *o)
{
    return o->text.task ? o->text.task : &tl_task_text_classification;
}

static const char *label_fault(const tl_opening *o, const tl_part *p, int64_t row,
                               int64_t *column)
{
    const char *cell = tl_sheet_cell(&p->sheet, row, *column);
    double      number;

    if (task_of(o)->several)
        return tl_several_fault(&p->sheet, row, p->targets, p->n_targets, column);
    if (is_blank(cell)) return "no label";
    return task_of(o)->numbers && !tl_cell_number(cell, &number)
               ? "no number in the label's column"
               : NULL;
}

static const char *fault_of(const tl_opening *o, const tl_part *p, int64_t row,
                            int64_t *column)
{
    const char *fault = label_fault(o, p, row, column);

    if (fault) return fault;
    for (int i = 0; i < 2; i++) {
        if (p->text[i] < 0) continue;
        *column = p->text[i];
        if (is_blank(tl_sheet_cell(&p->sheet, row, *column))) return "no text";
    }
    return NULL;
}

/* The label's columns of this file; they may be called otherwise than the first's. */
static tl_status find_label(tl_ctx *ctx, const tl_opening *o, tl_part *p)
{
    const tl_sheet *g = &p->sheet;
    const char *name = o->ask.label ? o->ask.label : o->ask.target ? o->ask.target : o->text.label;
    tl_status   rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)g->columns, sizeof *p->targets, &p->targets));
    p->n_targets = name ? tl_target_columns(g, name, p->targets) : 0;
    if (p->n_targets > 0) return TL_OK;
    return tl_fail(ctx, TL_EDATA, g->path, "has no label column \"%.80s\" (add it, or name "
                   "another with --label)", name ? name : "label");
done:
    return rc;
}

/* A sheet that is read becomes a part; *sheet is its own then. */
static tl_status take_sheet(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                            tl_sheet *sheet)
{
    tl_part  *p;
    tl_status rc;

    if (split == TL_SPLIT_NONE) split = tl_split_of_name(tl_path_name(path));
    TL_TRY(tl_part_add(ctx, o, "text", path, split, &p));
    p->sheet = *sheet;
    *sheet   = (tl_sheet){ 0 };
    p->texts = true;
    TL_TRY(tl_text_columns_map(ctx, &o->text, &p->sheet, p->text));
    TL_TRY(find_label(ctx, o, p));
    TL_TRY(tl_part_keep_good(ctx, o, p, p->targets[0], fault_of));
    p->rows     = p->sheet.rows;
    p->one_size = true;
    TL_TRY(tl_part_take_targets(ctx, task_of(o), o->ask.order, p));
done:
    return rc;
}

/* The file's own lines go to the bad ones only where it is of texts. */
static tl_status open_file(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                           bool *mine)
{
    const size_t limit = TL_MAX(o->limit_bytes, (size_t)LEAST_LIMIT);
    const char  *name  = o->text.name[0];
    tl_bad       bad   = { 0 };
    tl_sheet     sheet = { 0 };
    bool         found = name != NULL;
    tl_status    rc;

    if (o->schema) return TL_OK;
    rc = tl_sheet_read(ctx, path, limit, name, &bad, &sheet);
    if (rc == TL_OK && !found)
        rc = tl_text_columns_find(ctx, &sheet, &o->ask, &o->text, &found);
    if (rc == TL_EDATA && !o->ask.text) { /* the reader of tables says what is wrong */
        rc = TL_OK;
        goto done;
    }
    TL_TRY(rc);
    if (!found) goto done;
    *mine = true;
    tl_bad_join(&o->bad, &bad);
    TL_TRY(take_sheet(ctx, path, split, o, &sheet));
done:
    tl_bad_free(&bad);
    tl_sheet_free(ctx, &sheet);
    return rc;
}

static tl_status open_folder(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                             bool *mine)
{
    static const tl_split order[] = { TL_SPLIT_TRAIN, TL_SPLIT_NONE, TL_SPLIT_VALID,
                                      TL_SPLIT_TEST };
    tl_names  names = { 0 };
    char     *file  = NULL;
    size_t    named = 0, sheets = 0;
    tl_status rc;

    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t i = 0; i < names.count; i++) {
        const bool sheet = tl_is_sheet_name(names.name[i]);
        sheets += sheet;
        named += sheet && tl_split_of_name(names.name[i]) != TL_SPLIT_NONE;
    }
    if (named == 0 && sheets != 1) goto done;
    for (size_t k = 0; k < TL_COUNT(order); k++)
        for (size_t i = 0; i < names.count; i++) {
            const tl_split own  = tl_split_of_name(names.name[i]);
            bool           text = false;
            if (!tl_is_sheet_name(names.name[i]) || own != order[k]) continue;
            if (named && own == TL_SPLIT_NONE) continue;
            tl_free(ctx, file);
            TL_TRY(tl_path_join(ctx, path, names.name[i], &file));
            TL_TRY(open_file(ctx, file, split == TL_SPLIT_NONE ? own : split, o, &text));
            if (!text && !*mine) goto done; /* the first file says what they are */
            *mine = true;
        }
done:
    tl_free(ctx, file);
    tl_names_free(ctx, &names);
    return rc;
}

static tl_status open_texts(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                            bool *mine)
{
    if (tl_is_folder(path)) return open_folder(ctx, path, split, o, mine);
    if (!tl_is_sheet_name(path) || !tl_exists(path)) return TL_OK;
    return open_file(ctx, path, split, o, mine);
}

const tl_data_format tl_data_format_texts = {
    .name   = "text",
    .doc    = "a CSV, TSV, JSONL or Parquet with a text column (or two) and a label column",
    .source = "RFC 4180; jsonlines.org; github.com/apache/parquet-format",
    .open   = open_texts,
};
