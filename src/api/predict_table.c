/* predict_table.c -- rows of tables asked, a JSON line each.  Floor 4.5, api. */
#include "api/predict.h"
#include "data/picture.h"
#include "data/tables/reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static json_t *unread(const char *place, const char *column, const char *fault)
{
    char text[800];

    snprintf(text, sizeof text, "%.399s: column \"%.80s\": %.200s (mend it)", place,
             column, fault);
    return json_pack("{s:o, s:o}", "input", tl_json_name(place), "error",
                     tl_json_name(text));
}

/* Rows [at, at + n) of the table: coded, asked together, answered in order. */
static tl_status ask_rows(tl_ctx *ctx, tl_asker *a, const tl_model *m, tl_reader *r,
                          int64_t at, int64_t n, const tl_each_line *each, bool *stop)
{
    char      place[TL_ASK_ROWS][400];
    json_t   *line[TL_ASK_ROWS] = { 0 };
    int64_t   rows = 0;
    tl_status rc   = TL_OK;

    for (int64_t i = 0; i < n; i++) {
        const char *fault, *column;
        tl_reader_row(r, at + i, a->x + rows * a->row, place[i], &fault, &column);
        if (fault) line[i] = unread(place[i], column, fault);
        else rows++;
        a->bad |= fault != NULL;
    }
    if (rows) TL_TRY(tl_predictor_run(ctx, a->p, a->x, rows, a->y));
    rows = 0;
    for (int64_t i = 0; i < n && !*stop; i++) {
        json_t *one = line[i] ? line[i]
                              : tl_answer_json(m, place[i], a->y + m->arch.outputs * rows++);
        line[i] = NULL;
        *stop   = tl_give_line(one, each);
    }
done:
    for (int64_t i = 0; i < n; i++) json_decref(line[i]);
    return rc;
}

/* All rows of the reader, then those that it could not read; takes the reader. */
static tl_status ask_reader(tl_ctx *ctx, tl_asker *a, const tl_model *m, tl_reader *r,
                            const tl_each_line *each, bool *stop)
{
    json_t   *text;
    size_t    i;
    tl_status rc = TL_OK;

    for (int64_t at = 0; at < r->rows && !*stop; at += TL_ASK_ROWS) {
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "predict", "interrupted");
        TL_TRY(ask_rows(ctx, a, m, r, at, TL_MIN((int64_t)TL_ASK_ROWS, r->rows - at),
                        each, stop));
    }
    json_array_foreach(r->bad, i, text)
    {
        if (*stop) break;
        a->bad = true;
        *stop  = tl_give_line(
             json_pack("{s:o, s:O}", "input", tl_json_name(r->sheet.path), "error", text),
             each);
    }
done:
    tl_reader_close(ctx, r);
    return rc;
}

tl_status tl_predict_tables(tl_ctx *ctx, tl_asker *a, const tl_model *m, size_t limit,
                            const char *const *path, size_t paths, const tl_each_line *each)
{
    tl_reader r;
    bool      stop = false;
    tl_status rc   = TL_OK;

    for (size_t i = 0; i < paths && !stop; i++) {
        if (tl_is_picture_name(path[i]))
            TL_FAIL(TL_EDATA, path[i],
                    "is a picture, and the model takes rows of a table (give a CSV, TSV, "
                    "JSONL or Parquet file)");
        TL_TRY(tl_reader_open(ctx, path[i], limit, m->prep.table, &r));
        TL_TRY(ask_reader(ctx, a, m, &r, each, &stop));
    }
done:
    return rc;
}

tl_status tl_predict_table_text(tl_ctx *ctx, tl_asker *a, const tl_model *m,
                                const char *name, const char *text, size_t bytes,
                                const tl_each_line *each)
{
    tl_reader r;
    bool      stop = false;
    tl_status rc;

    TL_TRY(tl_reader_of_text(ctx, name, text, bytes, m->prep.table, &r));
    TL_TRY(ask_reader(ctx, a, m, &r, each, &stop));
done:
    return rc;
}
