/* groups.c -- rows that belong together by a column that the user names, and the units of
 * splits: rows that are copies of each other or of one group go to one side. Floor 2, data. */
#include "data/hold.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *text;
    int64_t     row;
} cell;

static int by_text_then_row(const void *a, const void *b)
{
    const cell *x = a, *y = b;
    const int   c = strcmp(x->text, y->text);

    if (c) return c;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* The group column's cells of all parts; those without a value are left out. */
static tl_status gather(tl_ctx *ctx, const tl_hold *h, const char *column, cell *all,
                        int64_t *count)
{
    *count = 0;
    for (size_t p = 0; p < h->parts; p++) {
        const tl_part *part = &h->part[p];
        int64_t        at;
        if (!part->map && !part->texts)
            return tl_fail(ctx, TL_EUSAGE, "--group",
                           "pictures have no columns (groups are for tables and texts)");
        at = tl_sheet_column(&part->sheet, column);
        if (at < 0)
            return tl_fail(ctx, TL_EUSAGE, "--group",
                           "%.200s has no column \"%.80s\" (name one of its columns)",
                           part->path, column);
        for (int64_t r = 0; r < part->rows; r++) {
            const char *text = tl_sheet_cell(&part->sheet, r, at);
            if (tl_cell_missing(text)) continue;
            all[(*count)++] = (cell){ text, h->start[p] + r };
        }
    }
    return TL_OK;
}

tl_status tl_dataset_take_groups(tl_ctx *ctx, tl_dataset *d, const char *column)
{
    cell     *all = NULL;
    int64_t   count;
    tl_status rc;

    if (d->tags)
        return tl_fail(ctx, TL_EUSAGE, "--group",
                       "words are grouped by their texts already (leave it out)");
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *all, &all));
    TL_TRY(gather(ctx, d->hold, column, all, &count));
    qsort(all, (size_t)count, sizeof *all, by_text_then_row);
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *d->group, &d->group));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *d->group_name, &d->group_name));
    for (int64_t i = 0; i < d->rows; i++) d->group[i] = -1;
    for (int64_t k = 0; k < count; k++) {
        if (k == 0 || strcmp(all[k].text, all[k - 1].text) != 0)
            TL_TRY(tl_strdup(ctx, all[k].text, &d->group_name[d->groups++]));
        d->group[all[k].row] = (int32_t)d->groups - 1;
    }
    TL_TRY(tl_strdup(ctx, column, &d->group_column));
    if (d->groups < 2)
        TL_FAIL(TL_EUSAGE, "--group",
                "the column \"%.80s\" has one value only (name one that tells rows apart)",
                column);
done:
    tl_free(ctx, all);
    return rc;
}

static int64_t top_of(int64_t *parent, int64_t i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

tl_status tl_dataset_units(tl_ctx *ctx, const tl_dataset *d, int64_t *unit)
{
    int64_t  *first = NULL;
    tl_status rc;

    TL_TRY(tl_dataset_duplicates(ctx, d, unit));
    if (!d->group) goto done;
    TL_TRY(tl_alloc_array(ctx, (size_t)d->groups, sizeof *first, &first));
    for (int64_t g = 0; g < d->groups; g++) first[g] = -1;
    for (int64_t i = 0; i < d->rows; i++) { /* the lower row is the top of both */
        if (d->group[i] < 0) continue;
        int64_t *f = &first[d->group[i]];
        if (*f < 0) *f = i;
        const int64_t a = top_of(unit, *f), b = top_of(unit, i);
        if (a < b) unit[b] = a;
        else unit[a] = b;
    }
    for (int64_t i = 0; i < d->rows; i++) unit[i] = top_of(unit, i);
done:
    tl_free(ctx, first);
    return rc;
}
