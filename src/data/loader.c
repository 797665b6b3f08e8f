/* loader.c -- batches made ahead by reader threads.  Batches are numbered through all epochs;
 * number, seed and epoch say what is in one, so the threads need to agree on nothing but who
 * fills which rows.  A ring of a few batches bounds how far they run ahead; what the trainer
 * holds is never written to.  Floor 2, data. */
#include "data/loader.h"
#include "core/rand.h"
#include "data/cache.h"

#include <pthread.h>
#include <string.h>

enum {
    MOST_READERS    = 16,
    MOST_SLOTS      = 4,
    BIG_BATCH_BYTES = 16 << 20,
    CHUNK_VALUES    = 1 << 16
};

typedef struct {
    int64_t   number; /* of the batch in it; -1: none                            */
    tl_batch  batch;
    int64_t  *epoch;        /* [batch] of each row                                     */
    int64_t  *place;        /* [batch] of each row in spec.rows                        */
    int64_t   handed, done; /* rows given to a reader, rows finished                   */
    tl_status rc;           /* of the lowest failed row                                */
    int64_t   failed_row;
    char      message[sizeof((tl_ctx *)0)->message];
} slot;

struct tl_loader {
    tl_loader_spec spec;
    tl_augment     augment;
    tl_world      *world;
    slot           slot[MOST_SLOTS];
    int64_t        slots, chunk, row_values;
    int64_t       *by_class, *class_at, *turn, occur; /* of balanced loaders */
    int64_t       *windows; /* of rows that are words: one row of each window; else NULL */
    struct {
        int64_t epoch, *order;
    } shuffled[2];        /* two, as a batch may span two epochs */
    tl_batch        end;  /* rows = 0                            */
    pthread_mutex_t lock; /* of everything below                 */
    pthread_cond_t  work, ready;
    int64_t         next, epoch, position; /* of the batch handed out next        */
    int64_t         busy;                  /* chunks being filled                 */
    bool            borrowed;              /* batch next-1 is the caller's        */
    bool            stop, pause;
    pthread_t       thread[MOST_READERS];
    int             threads;
};

/* The number of epoch `e`'s first batch.  With drop_short rows run on from epoch to epoch. */
static int64_t first_number(const tl_loader *l, int64_t e)
{
    const int64_t n = l->spec.rows.count, b = l->spec.batch;

    return l->spec.drop_short ? e * n / b : e * ((n + b - 1) / b);
}

int64_t tl_loader_batches(const tl_loader *l, int64_t epoch)
{
    return first_number(l, epoch + 1) - first_number(l, epoch);
}

/* Places sorted by class, and where each class that occurs begins. */
static tl_status sort_by_class(tl_ctx *ctx, tl_loader *l)
{
    const int32_t *label   = l->spec.cache->d->label;
    const int64_t  classes = l->spec.cache->d->classes, n = l->spec.rows.count;
    tl_status      rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *l->by_class, &l->by_class));
    TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *l->turn, &l->turn));
    TL_TRY(tl_alloc_array(ctx, (size_t)classes + 1, sizeof *l->class_at, &l->class_at));
    for (int64_t c = 0, at = 0; c < classes; c++) {
        const int64_t first = at;
        for (int64_t i = 0; i < n; i++)
            if (label[l->spec.rows.row[i]] == c) l->by_class[at++] = i;
        if (at == first) continue;
        l->class_at[l->occur++] = first;
        l->class_at[l->occur]   = at;
    }
done:
    return rc;
}

/* Every class in turn, each time its next row of an order drawn for this epoch; the first of
 * the turn moves on from epoch to epoch, so that a remainder is nobody's gain. */
static void fill_balanced(tl_loader *l, int64_t e, int64_t *into)
{
    for (int64_t c = 0; c < l->occur; c++) {
        const int64_t low = l->class_at[c], n = l->class_at[c + 1] - low;
        memcpy(l->turn, l->by_class + low, (size_t)n * sizeof *into);
        tl_rand_shuffle(l->spec.seed,
                        TL_STREAM(TL_STREAM_BALANCE, (uint64_t)(e * l->occur + c)),
                        l->turn, n);
        for (int64_t k = 0, i = (c + e) % l->occur; i < l->spec.rows.count;
             i += l->occur, k++)
            into[i] = l->turn[k % n];
    }
}

static const int64_t *order_of(tl_loader *l, int64_t e)
{
    const int64_t n    = l->spec.rows.count;
    int64_t      *into = l->shuffled[e & 1].order;

    if (l->shuffled[e & 1].epoch == e) return into;
    for (int64_t i = 0; i < n; i++) into[i] = i;
    if (l->spec.balanced) fill_balanced(l, e + l->spec.first_epoch, into);
    if (l->spec.shuffle)
        tl_rand_shuffle(l->spec.seed,
                        TL_STREAM(TL_STREAM_ORDER, (uint64_t)(e + l->spec.first_epoch)),
                        into, n);
    l->shuffled[e & 1].epoch = e;
    return into;
}

/* A number to be learnt, as the network sees it, or the marks of a row. */
static void fill_target(const tl_loader *l, int64_t row, float *target)
{
    const tl_dataset *d = l->spec.cache->d;

    if (!d->target) tl_dataset_marks(d, row, target);
    else *target = (float)((d->target[row] - l->spec.target_mean) / l->spec.target_scale);
}

/* Floats of a row's target that the loader makes of the data. */
static int64_t own_targets(const tl_loader *l)
{
    const tl_dataset *d = l->spec.cache->d;

    if (l->spec.target || !d) return 0;
    return d->target ? 1 : tl_task_has_marks(d->task) ? d->classes : 0;
}

/* Decides which rows batch `number` holds. */
static void set_up(tl_loader *l, slot *s, int64_t number)
{
    const int64_t n = l->spec.rows.count, b = l->spec.batch, per = (n + b - 1) / b;
    const int64_t short_rows = TL_MIN(b, n - number % per * b);
    const int64_t own        = own_targets(l);
    tl_batch     *batch      = &s->batch;

    s->number = number;
    s->handed = s->done = 0;
    s->rc               = TL_OK;
    batch->rows         = l->spec.drop_short ? b : short_rows;
    for (int64_t r = 0; r < batch->rows; r++) {
        const int64_t at =
            l->spec.drop_short ? number * b + r : number / per * n + number % per * b + r;
        s->epoch[r]      = at / n + l->spec.first_epoch;
        s->place[r]      = order_of(l, at / n)[at % n];
        batch->index[r]  = l->spec.rows.row[s->place[r]];
        batch->label[r]  = l->spec.cache->d ? l->spec.cache->d->label[batch->index[r]] : 0;
        batch->weight[r] = 1.0f;
        if (own) fill_target(l, batch->index[r], batch->target + r * own);
    }
    for (int64_t r = batch->rows; r < b; r++) {
        batch->index[r]  = -1;
        batch->label[r]  = -1;
        batch->weight[r] = 0.0f;
        if (own) memset(batch->target + r * own, 0, (size_t)own * sizeof *batch->target);
    }
    memset(batch->x + batch->rows * l->row_values, 0,
           (size_t)((b - batch->rows) * l->row_values) * sizeof *batch->x);
}

/* Rows for a reader to fill; false: none for now.  Called with the lock held.  Loaders that do
 * not shuffle are read once mostly: they stop ahead of the next epoch. */
static bool claim(tl_loader *l, slot **of, int64_t *low, int64_t *high)
{
    const int64_t oldest = l->next - l->borrowed;
    const int64_t most   = l->spec.shuffle ? INT64_MAX : first_number(l, l->epoch + 1);

    for (int64_t g = l->next; !l->pause && g < TL_MIN(oldest + l->slots, most); g++) {
        slot *s = &l->slot[g % l->slots];
        if (s->number != g) set_up(l, s, g);
        if (s->handed == s->batch.rows) continue;
        *of       = s;
        *low      = s->handed;
        s->handed = *high = TL_MIN(s->handed + l->chunk, s->batch.rows);
        l->busy++;
        return true;
    }
    return false;
}

static tl_status fill_row(tl_ctx *ctx, tl_loader *l, slot *s, int64_t r)
{
    tl_cache *c = l->spec.cache;
    float    *x = s->batch.x + r * l->row_values;
    const int64_t outputs = l->spec.target ? l->spec.outputs : 0;
    tl_image  image;
    bool      owned;
    tl_status rc;

    if (outputs)
        memcpy(s->batch.target + r * outputs, l->spec.target + s->place[r] * outputs,
               (size_t)outputs * sizeof *x);
    if (l->spec.table) {
        memcpy(x, l->spec.table + l->spec.place[s->place[r]] * l->row_values,
               (size_t)l->row_values * sizeof *x);
        return TL_OK;
    }

    if (c->prep.text) return TL_OK; /* packed by their numbers, when they are needed */
    if (c->prep.table) return tl_cache_code(ctx, c, s->batch.index[r], x);
    const bool crops = l->spec.augment && tl_augment_crops(&l->augment, &c->prep);
    rc = tl_cache_get(ctx, c, s->batch.index[r], crops ? TL_FORM_RICH : TL_FORM_SIZED, &image,
                      &owned);
    if (rc != TL_OK) return rc;
    if (l->spec.augment)
        rc = tl_augment_apply_with(ctx, &c->prep, &c->levels, &l->augment, l->spec.seed,
                                   s->epoch[r], s->batch.index[r], &image, x);
    else
        rc = tl_prep_apply_with(ctx, &c->prep, &c->levels, &image, x);
    if (owned) tl_image_free(ctx, &image);
    return rc;
}

/* Fills rows low..high-1 without the lock, then reports with it. */
static void fill(tl_ctx *ctx, tl_loader *l, slot *s, int64_t low, int64_t high)
{
    tl_status rc = TL_OK;
    int64_t   r  = low;

    pthread_mutex_unlock(&l->lock);
    while (r < high && (rc = fill_row(ctx, l, s, r)) == TL_OK) r++;
    pthread_mutex_lock(&l->lock);
    if (rc != TL_OK && (s->rc == TL_OK || r < s->failed_row)) {
        s->rc         = rc;
        s->failed_row = r;
        memcpy(s->message, ctx->message, sizeof s->message);
    }
    s->done += high - low;
    l->busy--;
    if (s->done == s->batch.rows || l->pause) pthread_cond_broadcast(&l->ready);
}

static void *read_ahead(void *arg)
{
    tl_loader *l   = arg;
    tl_ctx     ctx = tl_ctx_make(l->world);
    slot      *s;
    int64_t    low, high;

    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        if (claim(l, &s, &low, &high))
            fill(&ctx, l, s, low, high);
        else
            pthread_cond_wait(&l->work, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

int64_t tl_loader_slots(int64_t batch, int64_t row_values)
{
    return batch > BIG_BATCH_BYTES / 4 / row_values ? 2 : MOST_SLOTS;
}

static tl_status make_slots(tl_ctx *ctx, tl_loader *l)
{
    const tl_shape row     = l->spec.table               ? TL_SHAPE(l->spec.width)
                             : l->spec.cache->prep.text ? TL_SHAPE(1)
                                                        : tl_prep_row(&l->spec.cache->prep);
    const int64_t  targets = l->spec.target ? l->spec.outputs : own_targets(l);
    tl_status      rc;

    l->row_values = tl_shape_count(&row);
    l->chunk      = TL_MIN(TL_MAX(CHUNK_VALUES / l->row_values, 1), 64);
    l->slots      = tl_loader_slots(l->spec.batch, l->row_values);
    for (int64_t i = 0; i < l->slots; i++) {
        slot *s   = &l->slot[i];
        s->number = -1;
        TL_TRY(tl_batch_new(ctx, l->spec.batch, row, true, targets, &s->batch));
        TL_TRY(tl_alloc_array(ctx, (size_t)l->spec.batch, sizeof *s->epoch, &s->epoch));
        TL_TRY(tl_alloc_array(ctx, (size_t)l->spec.batch, sizeof *s->place, &s->place));
    }
    for (int i = 0; i < 2; i++) {
        l->shuffled[i].epoch = -1;
        TL_TRY(tl_alloc_array(ctx, (size_t)l->spec.rows.count, sizeof(int64_t),
                              &l->shuffled[i].order));
    }
    l->end.capacity = l->spec.batch;
    l->end.x_shape  = l->slot[0].batch.x_shape;
done:
    return rc;
}

static int choose_readers(const tl_ctx *ctx, const tl_loader_spec *spec)
{
    if (spec->readers > 0) return TL_MIN(spec->readers, MOST_READERS);
    return spec->table || tl_cache_is_quick(spec->cache) ? 1 : TL_MIN(ctx->world->threads, 8);
}

/* Rows that are words come by the windows they are asked in, each once: by its first row. */
static tl_status take_windows(tl_ctx *ctx, tl_loader *l)
{
    const tl_cache *c    = l->spec.cache;
    const tl_rows   rows = l->spec.rows;
    int64_t         n    = 0;
    tl_status       rc   = TL_OK;

    if (!c || l->spec.table || !tl_cache_asks_words(c)) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, sizeof *l->windows, &l->windows));
    for (int64_t i = 0; i < rows.count; i++)
        if (n == 0 || tl_cache_window(c, l->windows[n - 1]) != tl_cache_window(c, rows.row[i]))
            l->windows[n++] = rows.row[i];
    l->spec.rows = (tl_rows){ l->windows, n };
done:
    return rc;
}

tl_status tl_loader_new(tl_ctx *ctx, const tl_loader_spec *spec, tl_loader **out)
{
    tl_loader *l = NULL;
    tl_status  rc;

    *out = NULL;
    if (spec->rows.count < 1) TL_FAIL(TL_EDATA, "data", "no rows to load (add data)");
    if (spec->batch < 1)
        TL_FAIL(TL_EUSAGE, "--batch-size", "%" PRId64 " (give 1 or more)", spec->batch);
    TL_TRY(tl_alloc(ctx, sizeof *l, &l));
    l->spec  = *spec;
    if (!(l->spec.target_scale > 0.0)) l->spec.target_scale = 1.0;
    l->world = ctx->world;
    if (spec->augment) l->augment = *spec->augment;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    TL_TRY(take_windows(ctx, l));
    TL_TRY(make_slots(ctx, l));
    if (spec->balanced) TL_TRY(sort_by_class(ctx, l));
    for (int want = choose_readers(ctx, spec); l->threads < want; l->threads++)
        if (pthread_create(&l->thread[l->threads], NULL, read_ahead, l) != 0) break;
    *out = l;
    l    = NULL;
done:
    tl_loader_free(ctx, l);
    return rc;
}

void tl_loader_free(tl_ctx *ctx, tl_loader *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->threads; i++) pthread_join(l->thread[i], NULL);
    for (int i = 0; i < MOST_SLOTS; i++) {
        tl_batch_free(ctx, &l->slot[i].batch);
        tl_free(ctx, l->slot[i].epoch);
        tl_free(ctx, l->slot[i].place);
    }
    for (int i = 0; i < 2; i++) tl_free(ctx, l->shuffled[i].order);
    tl_free(ctx, l->by_class);
    tl_free(ctx, l->class_at);
    tl_free(ctx, l->windows);
    tl_free(ctx, l->turn);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->ready);
    tl_free(ctx, l);
}

tl_status tl_loader_seek(tl_ctx *ctx, tl_loader *l, int64_t epoch, int64_t position)
{
    if (epoch < 0 || position < 0 || position > tl_loader_batches(l, epoch))
        return tl_fail(ctx, TL_EUSAGE, "loader",
                       "no batch %" PRId64 " in epoch %" PRId64
                       " (is the checkpoint of other data?)",
                       position, epoch);
    pthread_mutex_lock(&l->lock);
    l->pause = true;
    while (l->busy) pthread_cond_wait(&l->ready, &l->lock);
    for (int64_t i = 0; i < l->slots; i++) l->slot[i].number = -1;
    l->epoch    = epoch;
    l->position = position;
    l->next     = first_number(l, epoch) + position;
    l->borrowed = l->pause = false;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return TL_OK;
}

/* Batch l->next, when it is whole.  The caller fills rows of it too rather than wait for others
 * to take them; so it also works where no thread could be started. */
static slot *wait_for_next(tl_ctx *ctx, tl_loader *l)
{
    slot   *s = &l->slot[l->next % l->slots], *of;
    int64_t low, high;

    while (s->number != l->next || s->done < s->batch.rows) {
        const bool untaken = s->number != l->next || s->handed < s->batch.rows;
        if (untaken && claim(l, &of, &low, &high)) fill(ctx, l, of, low, high);
        else pthread_cond_wait(&l->ready, &l->lock);
    }
    return s;
}

tl_status tl_loader_next(tl_ctx *ctx, tl_loader *l, const tl_batch **out)
{
    slot     *s;
    tl_status rc = TL_OK;

    *out = &l->end;
    pthread_mutex_lock(&l->lock);
    l->borrowed = false;
    if (l->position == tl_loader_batches(l, l->epoch)) {
        l->epoch++;
        l->position = 0;
    } else {
        pthread_cond_broadcast(&l->work);
        s  = wait_for_next(ctx, l);
        rc = s->rc;
        if (rc != TL_OK) {
            memcpy(ctx->message, s->message, sizeof ctx->message);
            ctx->status = rc;
        } else {
            *out        = &s->batch;
            l->borrowed = true;
            l->next++;
            l->position++;
        }
    }
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return rc;
}
