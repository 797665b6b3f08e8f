/* workers.c -- a counter, a few threads, the lowest failure.  Floor 2, data. */
#include "data/workers.h"

#include <pthread.h>
#include <string.h>

enum { MOST_THREADS = 16 };

typedef struct {
    tl_each_call    each;
    void           *arg;
    tl_world       *world;
    int64_t         n;
    _Atomic int64_t next, failed; /* failed: the lowest index, n when none */
    pthread_mutex_t lock;         /* of failure                            */
    tl_ctx          failure;
} crew;

static void note_failure(crew *c, const tl_ctx *ctx, tl_status rc, int64_t i)
{
    pthread_mutex_lock(&c->lock);
    if (i < atomic_load(&c->failed)) {
        atomic_store(&c->failed, i);
        c->failure        = *ctx;
        c->failure.status = rc;
    }
    pthread_mutex_unlock(&c->lock);
}

/* Indices are handed out in order, so every one below a failure is run. */
static void *work(void *arg)
{
    crew   *c   = arg;
    tl_ctx  ctx = tl_ctx_make(c->world);
    int64_t i;

    while ((i = atomic_fetch_add(&c->next, 1)) < atomic_load(&c->failed)) {
        tl_status rc = c->each(&ctx, c->arg, i);
        if (rc == TL_OK && tl_cancelled(&ctx))
            rc = tl_fail(&ctx, TL_ECANCEL, "", "interrupted");
        if (rc != TL_OK) note_failure(c, &ctx, rc, i);
    }
    return NULL;
}

tl_status tl_each(tl_ctx *ctx, int64_t n, tl_each_call each, void *arg)
{
    const int64_t threads = TL_MIN(TL_MIN((int64_t)ctx->world->threads, n), MOST_THREADS);
    pthread_t     thread[MOST_THREADS];
    bool          started[MOST_THREADS] = { false };
    crew          c = { .each = each, .arg = arg, .world = ctx->world, .n = n };

    atomic_init(&c.next, 0);
    atomic_init(&c.failed, n);
    pthread_mutex_init(&c.lock, NULL);
    for (int64_t t = 1; t < threads; t++)
        started[t] = pthread_create(&thread[t], NULL, work, &c) == 0;
    work(&c);
    for (int64_t t = 1; t < threads; t++)
        if (started[t]) pthread_join(thread[t], NULL);
    pthread_mutex_destroy(&c.lock);
    if (atomic_load(&c.failed) == n) return TL_OK;
    memcpy(ctx->message, c.failure.message, sizeof ctx->message);
    return ctx->status = c.failure.status;
}
