/* cache.c -- decoded pictures, each once, within a budget.  A picture enters whole and never
 * changes, so readers need no lock.  Floor 2, data. */
#include "data/cache.h"
#include "data/hold.h"

#include <math.h>
#include <string.h>

/* In a size: the picture is as decoded.  No side has so many pixels. */
#define WHOLE (UINT64_C(1) << 63)

static tl_prep rich(const tl_prep *prep)
{
    tl_prep more = *prep;

    more.height       = llround(TL_RICH * (double)prep->height);
    more.width        = llround(TL_RICH * (double)prep->width);
    more.resize_short = llround(TL_RICH * (double)prep->resize_short);
    return more;
}

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
    c->richly = rich(prep);
    for (int f = 0; f < TL_FORMS; f++) {
        TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *c->held[f].data, &c->held[f].data));
        TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *c->held[f].size, &c->held[f].size));
    }
    *out = c;
    c    = NULL;
done:
    tl_cache_free(ctx, c);
    return rc;
}

void tl_cache_free(tl_ctx *ctx, tl_cache *c)
{
    if (!c) return;
    for (int f = 0; f < TL_FORMS; f++) {
        for (int64_t i = 0; c->held[f].data && i < c->d->rows; i++)
            tl_free(ctx, atomic_load(&c->held[f].data[i]));
        tl_free(ctx, c->held[f].data);
        tl_free(ctx, c->held[f].size);
    }
    tl_text_rows_free(ctx, &c->text);
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

/* Is a picture of h x w as large as the form wants it, or smaller?  Then it stays as decoded, from
 * which resizing again and again is cheaper than holding the larger result. */
static bool stays(const tl_prep *form, int64_t h, int64_t w)
{
    int64_t to_h, to_w;

    tl_prep_sizes(form, h, w, &to_h, &to_w);
    return to_h >= h || to_w >= w;
}

static const tl_prep *form_of(const tl_cache *c, tl_form form)
{
    return form == TL_FORM_RICH ? &c->richly : &c->prep;
}

static tl_status shrink(tl_ctx *ctx, const tl_prep *form, tl_image *image)
{
    tl_image  sized;
    bool      owned;
    tl_status rc;

    if (stays(form, image->height, image->width)) return TL_OK;
    rc = tl_prep_resize(ctx, form, image, &sized, &owned);
    if (rc != TL_OK || !owned) return rc;
    tl_image_free(ctx, image);
    *image = sized;
    return TL_OK;
}

/* Puts the picture in if the budget allows: then it is borrowed from here on. */
static void keep(tl_ctx *ctx, tl_cache *c, tl_form form, int64_t row, tl_image *image,
                 bool whole, bool *owned)
{
    const size_t    bytes = (size_t)(image->height * image->width * image->channels);
    tl_cache_store *in    = &c->held[form];
    uint8_t        *none  = NULL;

    if (atomic_fetch_add(&c->used_bytes, bytes) + bytes > c->budget_bytes) {
        atomic_fetch_sub(&c->used_bytes, bytes);
        return;
    }
    atomic_store_explicit(&in->size[row],
                          (whole ? WHOLE : 0) | (uint64_t)image->height << 32 |
                              (uint64_t)image->width,
                          memory_order_relaxed);
    if (!atomic_compare_exchange_strong(&in->data[row], &none, image->data)) {
        atomic_fetch_sub(&c->used_bytes, bytes); /* another reader was first */
        tl_free(ctx, image->data);
        image->data = none;
    }
    *owned = false;
}

static bool is_held(const tl_cache *c, tl_form form, int64_t row, tl_image *out, bool *whole)
{
    uint8_t *data = atomic_load(&c->held[form].data[row]);

    if (!data) return false;
    const uint64_t size = atomic_load_explicit(&c->held[form].size[row], memory_order_relaxed);
    *whole = (size & WHOLE) != 0;
    *out   = (tl_image){ (int64_t)((size & ~WHOLE) >> 32), (int64_t)(size & 0xffffffff),
                         c->prep.channels, data };
    return true;
}

/* A picture as decoded serves either form. */
static bool find(const tl_cache *c, tl_form form, int64_t row, tl_image *out)
{
    bool whole;

    for (int f = 0; f < TL_FORMS; f++)
        if (is_held(c, (tl_form)f, row, out, &whole) &&
            (f == (int)form || (whole && stays(form_of(c, form), out->height, out->width))))
            return true;
    *out = (tl_image){ 0 };
    return false;
}

tl_status tl_cache_get(tl_ctx *ctx, tl_cache *c, int64_t row, tl_form form, tl_image *out,
                       bool *owned)
{
    const tl_prep *wanted = form_of(c, form);
    uint8_t       *bytes;
    tl_image       size;
    tl_status      rc;

    *owned = false;
    if (find(c, form, row, out)) return TL_OK;
    bytes = (uint8_t *)(uintptr_t)tl_hold_pixels(c->d, row, &size);
    if (bytes && size.channels == c->prep.channels && stays(wanted, size.height, size.width)) {
        *out      = size;
        out->data = bytes;
        return TL_OK;
    }
    *owned = true;
    TL_TRY(c->d->read(ctx, c->d, row, (int)c->prep.channels, out));
    const bool whole = stays(wanted, out->height, out->width);
    TL_TRY(shrink(ctx, wanted, out));
    if (!bytes || out->height != size.height) keep(ctx, c, form, row, out, whole, owned);
done:
    if (rc != TL_OK) tl_image_free(ctx, out);
    return rc;
}

/* Of a picture as large as the dataset's first. */
static size_t row_bytes(const tl_dataset *d, const tl_prep *form)
{
    int64_t h, w;

    tl_prep_sizes(form, d->height, d->width, &h, &w);
    return (size_t)(TL_MIN(h, d->height) * TL_MIN(w, d->width) * form->channels);
}

size_t tl_cache_full_bytes(const tl_dataset *d, const tl_prep *prep, int64_t rows,
                           int64_t cropped)
{
    static const tl_augment crop = { .resized_crop = true };
    const tl_prep           more = rich(prep);

    if (!tl_augment_crops(&crop, prep) || stays(prep, d->height, d->width)) cropped = 0;
    return (size_t)rows * row_bytes(d, prep) + (size_t)cropped * row_bytes(d, &more);
}

size_t tl_cache_bytes(const tl_cache *c)
{
    return atomic_load(&c->used_bytes);
}

static bool will_keep(const tl_cache *c, tl_form form, int64_t row)
{
    tl_image held;

    if (find(c, form, row, &held)) return false;
    if (!tl_hold_pixels(c->d, row, &held)) return true;
    return held.channels != c->prep.channels ||
           !stays(form_of(c, form), held.height, held.width);
}

size_t tl_cache_will_take(const tl_cache *c, const tl_rows *lists, int count,
                          const char *augment)
{
    const size_t left = c->budget_bytes - TL_MIN(atomic_load(&c->used_bytes), c->budget_bytes);
    size_t       bytes = 0;

    if (c->prep.table || c->prep.text) return 0; /* taken already */
    for (int k = 0; k < count; k++) {
        tl_augment    a;
        const bool    crops = k == 0 && tl_augment_named(augment, &a) &&
                           tl_augment_crops(&a, &c->prep);
        const tl_form form  = crops ? TL_FORM_RICH : TL_FORM_SIZED;
        const size_t  each  = row_bytes(c->d, form_of(c, form));
        for (int64_t i = 0; i < lists[k].count; i++)
            bytes += will_keep(c, form, lists[k].row[i]) ? each : 0;
    }
    return TL_MIN(bytes, left);
}
