/* rows.c -- rows of a table dataset as a schema wants them, and schemas fitted on some of them.
 * Floor 2, data. */
#include "data/hold.h"

tl_status tl_dataset_maps(tl_ctx *ctx, const tl_dataset *d, const tl_schema *s, int32_t **map)
{
    const tl_hold *h = d->hold;
    tl_status      rc;

    *map = NULL;
    if (!d->schema)
        return tl_fail(ctx, TL_EDATA, d->path,
                       "holds pictures, and the model takes rows of a table (give a CSV or "
                       "TSV file)");
    TL_TRY(tl_alloc_array(ctx, h->parts * (size_t)s->columns, sizeof **map, map));
    for (size_t p = 0; p < h->parts; p++)
        TL_TRY(tl_schema_map(ctx, s, &h->part[p].sheet, *map + (int64_t)p * s->columns));
done:
    if (rc != TL_OK) {
        tl_free(ctx, *map);
        *map = NULL;
    }
    return rc;
}

void tl_dataset_fields(const tl_dataset *d, const tl_schema *s, const int32_t *map, int64_t i,
                       const char **field)
{
    const tl_hold *h = d->hold;
    int64_t        local;
    const tl_part *p = tl_hold_part(d, i, &local);

    map += (p - h->part) * s->columns;
    for (int64_t c = 0; c < s->columns; c++)
        field[c] = map[c] < 0 ? NULL : tl_sheet_cell(&p->sheet, local, map[c]);
}

typedef struct {
    const tl_dataset *d;
    const tl_schema  *s;
    const int32_t    *map;
    tl_rows           rows;
} fitting;

static const char *field_of(const void *user, int64_t i, int64_t column)
{
    const fitting *f = user;
    const tl_hold *h = f->d->hold;
    int64_t        local;
    const tl_part *p  = tl_hold_part(f->d, f->rows.row[i], &local);
    const int32_t  at = f->map[(p - h->part) * f->s->columns + column];

    return at < 0 ? NULL : tl_sheet_cell(&p->sheet, local, at);
}

static double target_of(const void *user, int64_t i)
{
    const fitting *f = user;

    return f->d->target[f->rows.row[i]];
}

tl_status tl_dataset_fit(tl_ctx *ctx, const tl_dataset *d, const tl_schema *like,
                         tl_scaling scaling, tl_rows rows, tl_schema **out)
{
    tl_schema *s   = NULL;
    int32_t   *map = NULL;
    tl_status  rc;

    *out = NULL;
    TL_TRY(tl_dataset_maps(ctx, d, like, &map));
    TL_TRY(tl_schema_copy(ctx, like, &s));
    if (!s->fitted) tl_schema_layout(s, s->coding, scaling);
    const fitting        f     = { d, s, map, rows };
    const tl_schema_rows given = { rows.count, field_of, target_of, &f };
    s->task                    = d->task;
    TL_TRY(tl_schema_fit(ctx, s, &given));
    *out = s;
    s    = NULL;
done:
    tl_schema_drop(ctx, s);
    tl_free(ctx, map);
    return rc;
}
