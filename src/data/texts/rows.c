/* rows.c -- texts of a dataset, its cache, and what a texter learns from some of its rows.
 * Floor 2, data. */
#include "data/cache.h"
#include "data/hold.h"
#include "data/texts/tagged.h"

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

/* Texts whose words are the rows. */
static tl_status cache_of_tags(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep,
                               tl_cache **out)
{
    const int64_t texts = d->tags->texts;
    tl_joined     j     = { 0 };
    size_t       *at    = NULL;
    tl_string    *text  = NULL;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)texts + 1, sizeof *at, &at));
    TL_TRY(tl_alloc_array(ctx, (size_t)texts, sizeof *text, &text));
    TL_TRY(tl_tags_join(ctx, d, 0, texts, at, &j));
    for (int64_t t = 0; t < texts; t++)
        text[t] = (tl_string){ j.text.text + at[t], at[t + 1] - at[t] - 1 };
    TL_TRY(tl_cache_of_words(ctx, prep, text, j.word, d->tags->first, texts, out));
    (*out)->d = d;
done:
    tl_joined_free(ctx, &j);
    tl_free(ctx, at);
    tl_free(ctx, text);
    return rc;
}

tl_status tl_cache_of_text(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep, tl_cache **out)
{
    tl_string *text = NULL, *pair = NULL;
    tl_status rc;

    *out = NULL;
    if (d->tags && !prep->text->weighs) return cache_of_tags(ctx, d, prep, out);
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

/* Each text of these words once. */
static tl_status learn_tags(tl_ctx *ctx, const tl_dataset *d, const tl_texter *like, tl_rows rows,
                            tl_texter **out)
{
    const int64_t texts = d->tags->texts;
    tl_joined     j     = { 0 };
    size_t       *at    = NULL;
    tl_string    *text  = NULL;
    uint8_t      *used  = NULL;
    int64_t       n     = 0;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)texts + 1, sizeof *at, &at));
    TL_TRY(tl_alloc_array(ctx, (size_t)texts, sizeof *text, &text));
    TL_TRY(tl_alloc(ctx, (size_t)texts, &used));
    TL_TRY(tl_tags_join(ctx, d, 0, texts, at, &j));
    for (int64_t i = 0; i < rows.count; i++) used[d->tags->text[rows.row[i]]] = 1;
    for (int64_t t = 0; t < texts; t++)
        if (used[t]) text[n++] = (tl_string){ j.text.text + at[t], at[t + 1] - at[t] - 1 };
    rc = tl_texter_learn(ctx, like, text, NULL, n, out);
done:
    tl_joined_free(ctx, &j);
    tl_free(ctx, at);
    tl_free(ctx, text);
    tl_free(ctx, used);
    return rc;
}

tl_status tl_dataset_learn(tl_ctx *ctx, const tl_dataset *d, const tl_texter *like, tl_rows rows,
                           tl_texter **out)
{
    tl_string *text = NULL, *pair = NULL;
    tl_status rc;

    *out = NULL;
    if (d->tags && !like->weighs) return learn_tags(ctx, d, like, rows, out);
    TL_TRY(gather(ctx, d, &rows, &text, &pair));
    TL_TRY(tl_texter_learn(ctx, like, text, pair, rows.count, out));
done:
    tl_free(ctx, text);
    tl_free(ctx, pair);
    return rc;
}
