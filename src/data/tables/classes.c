/* classes.c -- a sheet's rows as a part: the good ones, and a column as classes.  Floor 2, data. */
#include "data/part.h"

#include <stdio.h>
#include <string.h>

/* 1, 1.0 and " 1" are one class where all labels are numbers. */
static void class_text(const char *cell, char out[256])
{
    while (*cell == ' ' || *cell == '\t') cell++;
    snprintf(out, 256, "%s", cell);
    for (size_t n = strlen(out); n && (out[n - 1] == ' ' || out[n - 1] == '\t');)
        out[--n] = 0;
}

void tl_part_order_numbers(tl_part *p)
{
    double value;

    for (int64_t k = 0; k < p->classes; k++)
        if (!tl_cell_number(p->class_name[k], &value) || value > 1e15 || value < -1e15) return;
    for (int64_t k = 0; k < p->classes; k++) {
        tl_cell_number(p->class_name[k], &value);
        p->class_key[k] = (int64_t)(value * 1000.0);
    }
}

tl_status tl_part_take_classes(tl_ctx *ctx, tl_part *p, int64_t target)
{
    char      name[256];
    tl_status rc = TL_OK;

    for (int64_t r = 0; r < p->rows; r++) {
        class_text(tl_sheet_cell(&p->sheet, r, target), name);
        TL_TRY(tl_part_class(ctx, p, name, 0, &p->label[r]));
    }
    tl_part_order_numbers(p);
    if (p->classes == p->rows && p->rows > 20)
        TL_FAIL(TL_EDATA, p->path,
                "every row has a class of its own in column \"%.80s\" (name another "
                "--target, or --label of texts)",
                p->sheet.name[target]);
done:
    return rc;
}

tl_status tl_part_keep_good(tl_ctx *ctx, tl_opening *o, tl_part *p, int64_t column,
                            const char *(*fault)(const tl_opening *o, const tl_part *part,
                                                 int64_t row, int64_t *column))
{
    const tl_sheet *g    = &p->sheet;
    uint8_t        *keep = NULL;
    tl_status       rc;

    TL_TRY(tl_alloc(ctx, (size_t)g->rows, &keep));
    for (int64_t r = 0; r < g->rows; r++) {
        int64_t     at   = column;
        const char *what = fault(o, p, r, &at);
        char        place[400];
        keep[r] = !what;
        if (!what) continue;
        snprintf(place, sizeof place, "%.300s:%u, field %" PRId64, g->path,
                 (unsigned)g->line[r], at + 1);
        TL_TRY(tl_bad_add(ctx, &o->bad, place, what));
    }
    tl_sheet_keep(&p->sheet, keep);
done:
    tl_free(ctx, keep);
    return rc;
}
