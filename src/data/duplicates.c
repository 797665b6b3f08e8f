/* duplicates.c -- equal rows found by their pixels, and the hash of a whole dataset.
 * Floor 2, data. */
#include "data/hold.h"
#include "data/tokenizer/vocab.h"
#include "data/workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double MOST_PIXELS =
    256e6; /* beyond it decoding all takes too long: bytes decide */

typedef struct {
    char    digest[33];
    int64_t row;
} row_digest;

typedef struct {
    const tl_dataset *d;
    bool              by_bytes;
    row_digest       *digest;
    bool             *bad; /* cannot be decoded */
    char (*whole)[65];     /* tl_dataset_hash */
} digesting;

static void keep_digest(digesting *g, int64_t i, const char hex[65])
{
    memcpy(g->digest[i].digest, hex, 32);
    g->digest[i].row = i;
}

/* Sizes are part of it: 2x3 black is not 3x2 black. */
static tl_status hash_pixels(tl_ctx *ctx, const tl_image *image, char hex[65])
{
    const int64_t size[3] = { image->height, image->width, image->channels };
    tl_hash      *hash;
    tl_status     rc = tl_hash_new(ctx, &hash);

    if (rc != TL_OK) return rc;
    tl_hash_add(hash, size, sizeof size);
    tl_hash_add(hash, image->data, (size_t)(size[0] * size[1] * size[2]));
    tl_hash_end(ctx, hash, hex);
    return TL_OK;
}

/* All fields of a table's row: also those that are left out tell rows apart. */
static void hash_record(const tl_dataset *d, int64_t i, char hex[65])
{
    int64_t        local;
    const tl_sheet *g = &tl_hold_part(d, i, &local)->sheet;
    uint64_t       h[2] = { 0xcbf29ce484222325u, 0x9e3779b97f4a7c15u };

    for (int64_t c = 0; c < g->columns; c++) {
        const char *at = tl_sheet_cell(g, local, c);
        do {
            h[0] = (h[0] ^ (uint8_t)*at) * 0x100000001b3u;
            h[1] = (h[1] ^ (uint8_t)*at) * 0xff51afd7ed558ccdu;
            h[1] ^= h[1] >> 33;
        } while (*at++);
    }
    snprintf(hex, 65, "%016" PRIx64 "%016" PRIx64 "%032d", h[0], h[1], 0);
}

/* A word is the copy of another at the same place of the same text. */
static void hash_word(const tl_dataset *d, int64_t i, char hex[65])
{
    const int64_t text = d->tags->text[i], first = d->tags->first[text];
    uint64_t      h    = 0x9e3779b97f4a7c15u;
    tl_string     word[2];

    for (int64_t r = first; r < d->tags->first[text + 1]; r++) {
        tl_dataset_text(d, r, word);
        h = (h ^ tl_bytes_hash(word[0].text, word[0].bytes)) * 0xff51afd7ed558ccdu;
        h ^= h >> 33;
    }
    snprintf(hex, 65, "%016" PRIx64 "%016" PRIx64 "%032" PRIx64, h, (uint64_t)(i - first),
             (uint64_t)(d->tags->first[text + 1] - first));
}

/* Texts are copies of each other whatever else their rows hold. */
static void hash_texts(const tl_dataset *d, int64_t i, char hex[65])
{
    tl_string text[2];
    uint64_t h[2];

    if (d->tags) {
        hash_word(d, i, hex);
        return;
    }
    tl_dataset_text(d, i, text);
    for (int k = 0; k < 2; k++)
        h[k] = text[k].text ? tl_bytes_hash(text[k].text, text[k].bytes) : 0;
    snprintf(hex, 65, "%016" PRIx64 "%016" PRIx64 "%032zu", h[0], h[1],
             text[0].bytes + (text[1].bytes << 20));
}

static tl_status digest_row(tl_ctx *ctx, void *arg, int64_t i)
{
    digesting *g     = arg;
    tl_image   image = { 0 }, held;
    char       hex[65];
    tl_status  rc = TL_OK;

    if (g->d->schema || g->d->text) {
        (g->d->text ? hash_texts : hash_record)(g->d, i, hex);
        keep_digest(g, i, hex);
        return TL_OK;
    }
    held.data = (uint8_t *)(uintptr_t)tl_hold_pixels(g->d, i, &held);
    if (g->by_bytes && !held.data) {
        TL_TRY(tl_hash_file(ctx, g->d->row_name[i], hex));
    } else if (held.data) {
        TL_TRY(hash_pixels(ctx, &held, hex));
    } else {
        rc        = g->d->read(ctx, g->d, i, 0, &image);
        g->bad[i] = rc == TL_EDATA || (rc == TL_ELIMIT && strstr(ctx->message, "pixels"));
        if (g->bad[i]) return TL_OK;
        TL_TRY(rc);
        TL_TRY(hash_pixels(ctx, &image, hex));
    }
    keep_digest(g, i, hex);
done:
    tl_image_free(ctx, &image);
    return rc;
}

static int by_digest(const void *a, const void *b)
{
    const row_digest *x = a, *y = b;
    const int         c = memcmp(x->digest, y->digest, sizeof x->digest);

    return c ? c : x->row < y->row ? -1 : x->row > y->row;
}

static tl_status fail_bad(tl_ctx *ctx, const digesting *g)
{
    tl_bad    bad = { 0 };
    tl_status rc  = TL_OK;

    for (int64_t i = 0; i < g->d->rows; i++)
        if (g->bad[i]) TL_TRY(tl_bad_add(ctx, &bad, g->d->row_name[i], "damaged"));
    TL_TRY(tl_bad_fail(ctx, &bad, g->d->path, g->d->rows));
done:
    tl_bad_free(&bad);
    return rc;
}

static tl_status find_groups(tl_ctx *ctx, const tl_dataset *d, int64_t **out)
{
    digesting      g     = { .d = d };
    const tl_hold *h     = d->hold;
    double         total = 0.0;
    int64_t       *group = NULL, copies = 0;
    tl_status      rc;

    *out = NULL;
    for (size_t p = 0; p < h->parts; p++)
        total += h->part[p].names ? h->part[p].pixels_total : 0.0;
    g.by_bytes = total > MOST_PIXELS;
    if (g.by_bytes)
        tl_log(ctx, TL_LOG_INFO, "%s: many pixels, duplicates are found by file bytes",
               d->path);
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *g.digest, &g.digest));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *g.bad, &g.bad));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *group, &group));
    TL_TRY(tl_each(ctx, d->rows, digest_row, &g));
    TL_TRY(fail_bad(ctx, &g));
    qsort(g.digest, (size_t)d->rows, sizeof *g.digest, by_digest);
    for (int64_t i = 0; i < d->rows; i++) {
        const bool same =
            i && memcmp(g.digest[i].digest, g.digest[i - 1].digest, 33) == 0;
        group[g.digest[i].row] = same ? group[g.digest[i - 1].row] : g.digest[i].row;
        copies += same;
    }
    /* A table of few values repeats itself: its equal rows are no copies. */
    for (int64_t i = 0; d->schema && 2 * copies > d->rows && i < d->rows; i++) group[i] = i;
    *out  = group;
    group = NULL;
done:
    tl_free(ctx, g.digest);
    tl_free(ctx, g.bad);
    tl_free(ctx, group);
    return rc;
}

tl_status tl_dataset_duplicates(tl_ctx *ctx, const tl_dataset *d, int64_t *group)
{
    tl_hold  *h  = d->hold;
    tl_status rc = TL_OK;

    pthread_mutex_lock(&h->lock);
    if (!h->group) rc = find_groups(ctx, d, &h->group);
    if (rc == TL_OK) memcpy(group, h->group, (size_t)d->rows * sizeof *group);
    pthread_mutex_unlock(&h->lock);
    return rc;
}

static tl_status hash_row(tl_ctx *ctx, void *arg, int64_t i)
{
    digesting     *g = arg;
    tl_image       size;
    const uint8_t *held = tl_hold_pixels(g->d, i, &size);

    if (g->d->schema || g->d->text) {
        hash_record(g->d, i, g->whole[i]);
        return TL_OK;
    }
    if (!held) return tl_hash_file(ctx, g->d->row_name[i], g->whole[i]);
    tl_hash_bytes(held, (size_t)(size.height * size.width * size.channels), g->whole[i]);
    return TL_OK;
}

/* A row's name without the place it lies in. */
static const char *own_name(const tl_dataset *d, int64_t i)
{
    int64_t        local;
    const tl_part *p    = tl_hold_part(d, i, &local);
    const char    *name = d->row_name[i];

    if (!name) return tl_path_name(p->path);
    name += TL_MIN(p->root_bytes, strlen(name));
    while (*name == '/') name++;
    return name;
}

tl_status tl_dataset_hash_rows(tl_ctx *ctx, const tl_dataset *d, tl_rows rows, char hex[65])
{
    digesting g    = { .d = d };
    tl_hash  *hash = NULL;
    tl_status rc;

    hex[0] = 0;
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *g.whole, &g.whole));
    TL_TRY(tl_each(ctx, d->rows, hash_row, &g));
    TL_TRY(tl_hash_new(ctx, &hash));
    for (int64_t k = 0; k < rows.count; k++) {
        const int64_t i    = rows.row ? rows.row[k] : k;
        const char   *name = own_name(d, i), *label = d->class_name[d->label[i]];
        tl_hash_add(hash, name, strlen(name) + 1);
        tl_hash_add(hash, label, strlen(label) + 1);
        if (d->mark) tl_hash_add(hash, d->mark + i * d->classes, (size_t)d->classes);
        tl_hash_add(hash, &d->split[i], 1);
        tl_hash_add(hash, g.whole[i], 64);
    }
    tl_hash_end(ctx, hash, hex);
done:
    tl_free(ctx, g.whole);
    return rc;
}

tl_status tl_dataset_hash(tl_ctx *ctx, const tl_dataset *d, char hex[65])
{
    return tl_dataset_hash_rows(ctx, d, (tl_rows){ NULL, d->rows }, hex);
}
