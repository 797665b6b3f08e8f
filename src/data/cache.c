/* cache.c -- decoded pictures, each once, within a budget.  A picture enters whole and never
 * changes, so readers need no lock.  Floor 2, data. */
#include "data/cache.h"
#include "data/hold.h"

#include <string.h>

tl_status tl_cache_new(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep,
                       size_t budget_bytes, tl_cache **out)
{
    tl_cache *c = NULL;
    tl_status rc;

    *out = NULL;
    if (prep->text) return tl_cache_of_text(ctx, d, prep, out);
    if (prep->table) return tl_cache_of_table(ctx, d, prep, budget_bytes, out);
    if (d->schema || d->text)
        TL_FAIL(TL_EDATA, d->path,
                "holds %s, and the model takes pictures (%s)",
                d->text ? "texts" : "rows of a table",
                d->text ? "give pictures, or a --base for texts: a folder from Hugging Face"
                        : "give pictures, or leave --base out");
    if (prep->channels != 1 && prep->channels != 3)
        TL_FAIL(TL_EUSAGE, "prep", "%" PRId64 " channels (1 or 3 are possible)",
                prep->channels);
    TL_TRY(tl_alloc(ctx, sizeof *c, &c));
    c->d            = d;
    c->prep         = *prep;
    c->budget_bytes = budget_bytes;
    tl_levels_make(prep, &c->levels);
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *c->data, &c->data));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *c->size, &c->size));
    *out = c;
    c    = NULL;
done:
    tl_cache_free(ctx, c);
    return rc;
}

void tl_cache_free(tl_ctx *ctx, tl_cache *c)
{
    if (!c) return;
    for (int64_t i = 0; c->data && i < c->d->rows; i++)
        tl_free(ctx, atomic_load(&c->data[i]));
    tl_text_rows_free(ctx, &c->text);
    tl_free(ctx, c->data);
    tl_free(ctx, c->size);
    tl_free(ctx, c->map);
    tl_free(ctx, c->coded);
    tl_prep_drop(ctx, &c->prep);
    tl_free(ctx, c);
}

bool tl_cache_is_quick(const tl_cache *c)
{
    tl_image first;
    int64_t  h, w;

    if (c->prep.table || c->prep.text) return true;
    for (int64_t i = 0; i < c->d->rows; i++)
        if (c->d->row_name[i]) return false;
    tl_hold_pixels(c->d, 0, &first);
    tl_prep_sizes(&c->prep, first.height, first.width, &h, &w);
    return h * w <= 64 * 64;
}

/* Makes the picture smaller where prep's resize does; otherwise it stays as decoded, from
 * which resizing again and again is cheaper than holding the larger result. */
static tl_status shrink(tl_ctx *ctx, const tl_prep *prep, tl_image *image)
{
    tl_image  sized;
    bool      owned;
    int64_t   h, w;
    tl_status rc;

    tl_prep_sizes(prep, image->height, image->width, &h, &w);
    if (h >= image->height || w >= image->width) return TL_OK;
    rc = tl_prep_resize(ctx, prep, image, &sized, &owned);
    if (rc != TL_OK || !owned) return rc;
    tl_image_free(ctx, image);
    *image = sized;
    return TL_OK;
}

/* Puts the picture in if the budget allows: then it is borrowed from here on. */
static void keep(tl_ctx *ctx, tl_cache *c, int64_t row, tl_image *image, bool *owned)
{
    const size_t bytes = (size_t)(image->height * image->width * image->channels);
    uint8_t     *none  = NULL;

    if (atomic_fetch_add(&c->used_bytes, bytes) + bytes > c->budget_bytes) {
        atomic_fetch_sub(&c->used_bytes, bytes);
        return;
    }
    atomic_store_explicit(&c->size[row],
                          (uint64_t)image->height << 32 | (uint64_t)image->width,
                          memory_order_relaxed);
    if (!atomic_compare_exchange_strong(&c->data[row], &none, image->data)) {
        atomic_fetch_sub(&c->used_bytes, bytes); /* another reader was first */
        tl_free(ctx, image->data);
        image->data = none;
    }
    *owned = false;
}

tl_status tl_cache_get(tl_ctx *ctx, tl_cache *c, int64_t row, tl_image *out, bool *owned)
{
    uint8_t  *held = atomic_load(&c->data[row]);
    tl_image  size;
    int64_t   h, w;
    tl_status rc;

    *owned = false;
    *out   = (tl_image){ 0 };
    if (held) {
        const uint64_t packed = atomic_load_explicit(&c->size[row], memory_order_relaxed);
        *out = (tl_image){ (int64_t)(packed >> 32), (int64_t)(packed & 0xffffffff),
                           c->prep.channels, held };
        return TL_OK;
    }
    held = (uint8_t *)(uintptr_t)tl_hold_pixels(c->d, row, &size);
    tl_prep_sizes(&c->prep, size.height, size.width, &h, &w);
    if (held && size.channels == c->prep.channels &&
        (h >= size.height || w >= size.width)) {
        *out      = size;
        out->data = held;
        return TL_OK;
    }
    *owned = true;
    TL_TRY(c->d->read(ctx, c->d, row, (int)c->prep.channels, out));
    TL_TRY(shrink(ctx, &c->prep, out));
    if (!held || out->height != size.height) keep(ctx, c, row, out, owned);
done:
    if (rc != TL_OK) tl_image_free(ctx, out);
    return rc;
}

static bool is_kept(const tl_cache *c, int64_t row, int64_t h, int64_t w)
{
    tl_image held;

    if (!tl_hold_pixels(c->d, row, &held)) return true;
    return held.channels != c->prep.channels || (h < held.height && w < held.width);
}

size_t tl_cache_bytes(const tl_cache *c)
{
    return atomic_load(&c->used_bytes);
}

size_t tl_cache_will_take(const tl_cache *c, const tl_rows *lists, int count)
{
    const size_t left = c->budget_bytes - TL_MIN(atomic_load(&c->used_bytes), c->budget_bytes);
    size_t       rows = 0, bytes;
    int64_t      h, w;

    if (c->prep.table || c->prep.text) return 0; /* taken already */
    tl_prep_sizes(&c->prep, c->d->height, c->d->width, &h, &w);
    for (int k = 0; k < count; k++)
        for (int64_t i = 0; i < lists[k].count; i++) {
            const int64_t row = lists[k].row[i];
            rows += !atomic_load(&c->data[row]) && is_kept(c, row, h, w);
        }
    bytes = (size_t)(TL_MIN(h, c->d->height) * TL_MIN(w, c->d->width) * c->prep.channels);
    return bytes && rows > left / bytes ? left : rows * bytes;
}
