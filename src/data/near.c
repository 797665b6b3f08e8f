/* near.c -- see near.h.  Rows become keys, a few for each; rows that share one are looked at.
 * Floor 2, data. */
#include "data/near.h"
#include "core/rand.h"
#include "data/hold.h"
#include "data/workers.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE = 16, THUMB = SIDE * SIDE, BANDS = 10, BITS = 12, /* of a picture */
    HASHES = 4, SHINGLE = 3, LEAST_WORDS = 8,              /* of a text    */
    WINDOW = 64 /* rows of a key that are looked at beside each */
};
static const double NEAR_PICTURES = 0.985, NEAR_TEXTS = 0.75, MOST_PIXELS = 256e6;

typedef struct {
    uint64_t key;
    int64_t  row;
} keyed;

typedef struct {
    const tl_dataset *d;
    float            *thumb;   /* [rows THUMB], of length 1; 0: flat or damaged */
    float            *plane;   /* [BANDS BITS][THUMB]                           */
    uint64_t        **shingle; /* [rows] sorted, distinct                       */
    int64_t          *shingles;
    uint64_t         *key;     /* [rows BANDS]; 0: none                         */
    int64_t          *same;    /* [rows] exact copies                           */
    double           *best;    /* [rows] likeness to near                       */
    int64_t          *near;    /* [rows] the lowest row it is near to; -1       */
} looking;

/* Grey, small, without its own brightness and contrast. */
static tl_status take_thumb(tl_ctx *ctx, void *arg, int64_t i)
{
    looking  *l    = arg;
    float    *out  = l->thumb + i * THUMB;
    tl_image  full = { 0 }, small = { 0 };
    double    mean = 0.0, square = 0.0;
    tl_status rc   = l->d->read(ctx, l->d, i, 1, &full);

    if (rc == TL_EDATA) return TL_OK;
    TL_TRY(rc);
    TL_TRY(tl_image_resize(ctx, &full, NULL, SIDE, SIDE, TL_BILINEAR, &small));
    for (int p = 0; p < THUMB; p++) mean += small.data[p] / (double)THUMB;
    for (int p = 0; p < THUMB; p++) square += pow(small.data[p] - mean, 2.0);
    for (int p = 0; p < THUMB && square > THUMB; p++)
        out[p] = (float)((small.data[p] - mean) / sqrt(square));
done:
    tl_image_free(ctx, &full);
    tl_image_free(ctx, &small);
    return rc;
}

/* What all pictures share says nothing of two of them. */
static void centre(looking *l)
{
    double mean[THUMB] = { 0.0 };

    for (int64_t i = 0; i < l->d->rows; i++)
        for (int p = 0; p < THUMB; p++)
            mean[p] += (double)l->thumb[i * THUMB + p] / (double)l->d->rows;
    for (int64_t i = 0; i < l->d->rows; i++) {
        float *x = l->thumb + i * THUMB;
        double square = 0.0;
        bool   flat   = true;
        for (int p = 0; p < THUMB; p++) flat = flat && x[p] == 0.0f;
        for (int p = 0; p < THUMB && !flat; p++) {
            x[p] -= (float)mean[p];
            square += (double)(x[p] * x[p]);
        }
        for (int p = 0; p < THUMB && square > 1e-6; p++) x[p] /= (float)sqrt(square);
        if (square <= 1e-6) memset(x, 0, THUMB * sizeof *x);
    }
}

static tl_status key_picture(tl_ctx *ctx, void *arg, int64_t i)
{
    looking     *l = arg;
    const float *x = l->thumb + i * THUMB;

    (void)ctx;
    for (int b = 0; b < BANDS; b++) {
        uint64_t key = 0;
        for (int k = 0; k < BITS; k++) {
            const float *w   = l->plane + (b * BITS + k) * THUMB;
            double       sum = 0.0;
            for (int p = 0; p < THUMB; p++) sum += (double)(w[p] * x[p]);
            key = key << 1 | (sum > 0.0);
        }
        l->key[i * BANDS + b] = key + 1;
    }
    for (int p = 0; p < THUMB; p++)
        if (x[p] != 0.0f) return TL_OK;
    memset(l->key + i * BANDS, 0, BANDS * sizeof *l->key);
    return TL_OK;
}

static tl_status look_at_pictures(tl_ctx *ctx, looking *l)
{
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)l->d->rows, THUMB * sizeof *l->thumb, &l->thumb));
    TL_TRY(tl_alloc_array(ctx, BANDS * BITS, THUMB * sizeof *l->plane, &l->plane));
    for (int p = 0; p < BANDS * BITS * THUMB; p++)
        l->plane[p] = (float)tl_rand_normal(1, TL_STREAM(TL_STREAM_DATA, 77), (uint64_t)p);
    TL_TRY(tl_each(ctx, l->d->rows, take_thumb, l));
    centre(l);
    TL_TRY(tl_each(ctx, l->d->rows, key_picture, l));
done:
    return rc;
}

static uint64_t mix(uint64_t h, uint64_t with)
{
    h = (h ^ with) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Hashes of the words in small letters, without what stands between them. */
static int64_t words_of(const char *text, size_t bytes, uint64_t *out)
{
    int64_t  words = 0;
    uint64_t h     = 0;

    for (size_t i = 0; i <= bytes; i++) {
        const unsigned char c = i < bytes ? (unsigned char)text[i] : ' ';
        if (isalnum(c) || c >= 0x80) h = mix(h ? h : 1, (uint64_t)tolower(c) + 1);
        else if (h) out[words++] = h, h = 0;
    }
    return words;
}

/* Runs of three words; a short text is one piece, so that only case and signs may differ. */
static tl_status take_shingles(tl_ctx *ctx, void *arg, int64_t i)
{
    looking  *l = arg;
    tl_string text[2];
    uint64_t *word = NULL;
    int64_t   words = 0, n = 0;
    tl_status rc;

    tl_dataset_text(l->d, i, text);
    TL_TRY(tl_alloc_array(ctx, text[0].bytes + text[1].bytes + 2, sizeof *word, &word));
    for (int k = 0; k < 2; k++)
        if (text[k].text) words += words_of(text[k].text, text[k].bytes, word + words);
    const int64_t run = words < LEAST_WORDS ? words : SHINGLE;
    if (words == 0) goto done;
    for (int64_t w = 0; w + run <= words; w++) { /* in place: behind what is still read */
        uint64_t h = 7;
        for (int64_t k = 0; k < run; k++) h = mix(h, word[w + k]);
        word[n++] = h;
    }
    qsort(word, (size_t)n, sizeof *word, by_number);
    for (int64_t w = 0, kept = 0; w < n; w++) {
        if (w && word[w] == word[w - 1]) continue;
        word[kept++]   = word[w];
        l->shingles[i] = kept;
    }
    for (int b = 0; b < BANDS; b++) {
        uint64_t key = (uint64_t)b;
        for (int k = 0; k < HASHES; k++) {
            uint64_t least = UINT64_MAX;
            for (int64_t w = 0; w < l->shingles[i]; w++)
                least = TL_MIN(least, mix(word[w], (uint64_t)(b * HASHES + k + 1)));
            key = mix(key, least);
        }
        l->key[i * BANDS + b] = key | 1;
    }
    l->shingle[i] = word;
    word          = NULL;
done:
    tl_free(ctx, word);
    return rc;
}

static double shared(const looking *l, int64_t a, int64_t b)
{
    const uint64_t *x = l->shingle[a], *y = l->shingle[b];
    int64_t         i = 0, k = 0, both = 0;

    while (i < l->shingles[a] && k < l->shingles[b]) {
        both += x[i] == y[k];
        const bool next_x = x[i] <= y[k], next_y = y[k] <= x[i];
        i += next_x;
        k += next_y;
    }
    return (double)both / (double)(l->shingles[a] + l->shingles[b] - both);
}

static double likeness(const looking *l, int64_t a, int64_t b)
{
    double sum = 0.0;

    if (l->d->text) return shared(l, a, b);
    for (int p = 0; p < THUMB; p++)
        sum += (double)(l->thumb[a * THUMB + p] * l->thumb[b * THUMB + p]);
    return sum;
}

static int by_key_then_row(const void *a, const void *b)
{
    const keyed *x = a, *y = b;

    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void compare(looking *l, int64_t a, int64_t b)
{
    const double least = l->d->text ? NEAR_TEXTS : NEAR_PICTURES;

    if (l->same[a] == l->same[b] || (l->near[b] >= 0 && l->near[b] <= a)) return;
    const double like = likeness(l, a, b);
    if (like < least) return;
    l->near[b] = a;
    l->best[b] = TL_MIN(like, 1.0);
}

static tl_status look_through(tl_ctx *ctx, looking *l)
{
    const int64_t rows = l->d->rows;
    keyed        *all  = NULL;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *all, &all));
    for (int band = 0; band < BANDS; band++) {
        int64_t n = 0;
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, l->d->path, "interrupted");
        for (int64_t i = 0; i < rows; i++)
            if (l->key[i * BANDS + band]) all[n++] = (keyed){ l->key[i * BANDS + band], i };
        qsort(all, (size_t)n, sizeof *all, by_key_then_row);
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = i + 1; k < n && k <= i + WINDOW && all[k].key == all[i].key; k++)
                compare(l, all[i].row, all[k].row);
    }
done:
    tl_free(ctx, all);
    return rc;
}

static int likest_first(const void *a, const void *b)
{
    const tl_near_pair *x = a, *y = b;

    if (x->likeness != y->likeness) return x->likeness > y->likeness ? -1 : 1;
    return x->b < y->b ? -1 : x->b > y->b;
}

static tl_status gather(tl_ctx *ctx, const looking *l, tl_near_pair **pair, int64_t *count)
{
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)l->d->rows, sizeof **pair, pair));
    for (int64_t i = 0; i < l->d->rows; i++)
        if (l->near[i] >= 0) (*pair)[(*count)++] = (tl_near_pair){ l->near[i], i, l->best[i] };
    qsort(*pair, (size_t)*count, sizeof **pair, likest_first);
done:
    return rc;
}

static bool can_look(const tl_dataset *d)
{
    if (d->schema || d->tags) return false;
    return d->text || (double)d->rows * (double)d->height * (double)d->width < MOST_PIXELS;
}

tl_status tl_dataset_near(tl_ctx *ctx, const tl_dataset *d, bool *known, tl_near_pair **pair,
                          int64_t *count)
{
    const size_t rows = (size_t)d->rows;
    looking      l    = { .d = d };
    tl_status    rc;

    *pair  = NULL;
    *count = 0;
    *known = can_look(d);
    if (!*known) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, rows, BANDS * sizeof *l.key, &l.key));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *l.same, &l.same));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *l.best, &l.best));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *l.near, &l.near));
    TL_TRY(tl_dataset_duplicates(ctx, d, l.same));
    for (size_t i = 0; i < rows; i++) l.near[i] = -1;
    if (d->text) {
        TL_TRY(tl_alloc_array(ctx, rows, sizeof *l.shingle, &l.shingle));
        TL_TRY(tl_alloc_array(ctx, rows, sizeof *l.shingles, &l.shingles));
        TL_TRY(tl_each(ctx, d->rows, take_shingles, &l));
    } else {
        TL_TRY(look_at_pictures(ctx, &l));
    }
    TL_TRY(look_through(ctx, &l));
    TL_TRY(gather(ctx, &l, pair, count));
done:
    for (size_t i = 0; l.shingle && i < rows; i++) tl_free(ctx, l.shingle[i]);
    tl_free(ctx, l.shingle);
    tl_free(ctx, l.shingles);
    tl_free(ctx, l.thumb);
    tl_free(ctx, l.plane);
    tl_free(ctx, l.key);
    tl_free(ctx, l.same);
    tl_free(ctx, l.best);
    tl_free(ctx, l.near);
    if (rc != TL_OK) tl_free(ctx, *pair), *pair = NULL, *count = 0;
    return rc;
}
