/* rows.c -- texts of a dataset, its cache, and what a texter learns from some of its rows.
 * Floor 2, data. */
#include "data/cache.h"
#include "data/hold.h"

#include <string.h>

void tl_dataset_text(const tl_dataset *d, int64_t i, tl_string text[2])
{
    int64_t        local;
    const tl_part *p = tl_hold_part(d, i, &local);

    for (int k = 0; k < 2; k++) {
        const char *cell = p->text[k] < 0 ? NULL : tl_sheet_cell(&p->sheet, local, p->text[k]);
        text[k]          = (tl_string){ cell, cell ? strlen(cell) : 0 };
    }
}

/* The rows' texts, and their seconds where there are pairs; both to be freed. */
static tl_status gather(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rows, tl_string **text,
                        tl_string **pair)
{
    const int64_t count = rows ? rows->count : d->rows;
    tl_string      both[2];
    tl_status     rc;

    *text = *pair = NULL;
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof **text, text));
    if (d->text->name[1]) TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof **pair, pair));
    for (int64_t i = 0; i < count; i++) {
        tl_dataset_text(d, rows ? rows->row[i] : i, both);
        (*text)[i] = both[0];
        if (*pair) (*pair)[i] = both[1];
    }
done:
    return rc;
}

tl_status tl_cache_of_text(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep, tl_cache **out)
{
    tl_string *text = NULL, *pair = NULL;
    tl_status rc;

    *out = NULL;
    if (!d->text)
        TL_FAIL(TL_EDATA, d->path, "holds no texts, and the model takes text (give a CSV, TSV, "
                "JSONL or Parquet with a text and a label column)");
    TL_TRY(gather(ctx, d, NULL, &text, &pair));
    TL_TRY(tl_cache_of_texts(ctx, prep, text, pair, d->rows, out));
    (*out)->d = d;
done:
    tl_free(ctx, text);
    tl_free(ctx, pair);
    return rc;
}

tl_status tl_dataset_learn(tl_ctx *ctx, const tl_dataset *d, const tl_texter *like, tl_rows rows,
                           tl_texter **out)
{
    tl_string *text = NULL, *pair = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(gather(ctx, d, &rows, &text, &pair));
    TL_TRY(tl_texter_learn(ctx, like, text, pair, rows.count, out));
done:
    tl_free(ctx, text);
    tl_free(ctx, pair);
    return rc;
}
