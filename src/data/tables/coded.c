/* coded.c -- the rows of a table as numbers, coded once within a budget.  Floor 2, data. */
#include "data/cache.h"
#include "data/workers.h"

#include <string.h>

enum { PIECE = 1024 };

/* Row by row through the maps. */
static tl_status code_row(tl_ctx *ctx, const tl_cache *c, int64_t row, const char **field,
                          float *x)
{
    (void)ctx;
    tl_dataset_fields(c->d, c->prep.table, c->map, row, field);
    tl_schema_code(c->prep.table, field, x);
    return TL_OK;
}

static tl_status code_piece(tl_ctx *ctx, void *arg, int64_t i)
{
    tl_cache    *c     = arg;
    const char **field = NULL;
    tl_status    rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)c->prep.table->columns, sizeof *field, &field));
    for (int64_t r = i * PIECE; r < TL_MIN((i + 1) * PIECE, c->d->rows); r++)
        TL_TRY(code_row(ctx, c, r, field, c->coded + r * c->prep.table->width));
done:
    tl_free(ctx, field);
    return rc;
}

tl_status tl_cache_code(tl_ctx *ctx, tl_cache *c, int64_t row, float *x)
{
    const int64_t width = c->prep.table->width;
    const char  **field = NULL;
    tl_status     rc;

    if (c->coded) {
        memcpy(x, c->coded + row * width, (size_t)width * sizeof *x);
        return TL_OK;
    }
    TL_TRY(tl_alloc_array(ctx, (size_t)c->prep.table->columns, sizeof *field, &field));
    TL_TRY(code_row(ctx, c, row, field, x));
done:
    tl_free(ctx, field);
    return rc;
}

tl_status tl_cache_of_table(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep,
                            size_t budget_bytes, tl_cache **out)
{
    const size_t bytes = (size_t)d->rows * (size_t)prep->table->width * sizeof(float);
    tl_cache    *c     = NULL;
    tl_status    rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *c, &c));
    c->d            = d;
    c->prep         = *prep;
    c->budget_bytes = budget_bytes;
    tl_prep_hold(prep);
    TL_TRY(tl_dataset_maps(ctx, d, prep->table, &c->map));
    if (prep->table->fitted && bytes <= budget_bytes) {
        TL_TRY(tl_alloc(ctx, bytes, &c->coded));
        TL_TRY(tl_each(ctx, (d->rows + PIECE - 1) / PIECE, code_piece, c));
    }
    *out = c;
    c    = NULL;
done:
    tl_cache_free(ctx, c);
    return rc;
}
