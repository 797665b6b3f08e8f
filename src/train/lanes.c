/* lanes.c -- see lanes.h.  A run in a lane has a context and counters of its own, which its waiter
 * adds to those of the process: what one run takes is told from what its neighbour does.
 * Floor 3, train. */
#include "train/lanes.h"
#include "core/par.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

typedef enum { WAITS, RUNS, ENDED, TAKEN } state;

typedef struct {
    tl_lanes     *lanes;
    tl_run_spec   spec;
    tl_world      world;
    tl_ctx        ctx;
    size_t        began; /* world.now_bytes before it */
    state         state;
    tl_status     rc;
    tl_run_result result;
    tl_progress   said;
    bool          news; /* `said` was not passed on */
} lane_run;

struct tl_lanes {
    tl_ctx            *ctx;
    const tl_run_spec *asked; /* borrowed */
    lane_run       *run;
    int             runs, next, width, threads;
    bool            ends; /* nothing more begins */
    int             cancel; /* as it was passed on */
    size_t          limit; /* of each run, beside what was there before; 0: none */
    pthread_t      *thread;
    pthread_mutex_t lock; /* of all states and reports */
    pthread_cond_t  news;
};

static void hear(void *user, const tl_progress *p)
{
    lane_run *r = user;

    pthread_mutex_lock(&r->lanes->lock);
    r->said = *p;
    r->news = true;
    pthread_cond_broadcast(&r->lanes->news);
    pthread_mutex_unlock(&r->lanes->lock);
}

/* Its own world: as much memory as the process holds now, and its part of the rest. */
static void enter(tl_lanes *l, lane_run *r)
{
    tl_world *all = l->ctx->world;

    tl_world_init(&r->world);
    r->began             = atomic_load(&all->now_bytes);
    r->world.threads     = TL_MAX(1, all->threads / l->width);
    r->world.small_flops = all->small_flops;
    r->world.log         = all->log;
    r->world.log_user    = all->log_user;
    if (all->limit_bytes) r->world.limit_bytes = r->began + l->limit;
    atomic_store(&r->world.now_bytes, r->began);
    atomic_store(&r->world.peak_bytes, r->began);
    atomic_store(&r->world.cancel, atomic_load(&all->cancel));
    atomic_store(&r->world.fault_alloc, atomic_load(&all->fault_alloc));
    atomic_store(&r->world.fault_read, atomic_load(&all->fault_read));
    atomic_store(&r->world.fault_write, atomic_load(&all->fault_write));
    r->ctx = tl_ctx_make(&r->world);
}

static void spend(_Atomic int64_t *all, _Atomic int64_t *mine)
{
    const int64_t left = atomic_load(mine);

    if (left < atomic_load(all)) atomic_store(all, left);
}

/* What the run has left behind is the process's from here. */
static void leave(tl_lanes *l, lane_run *r)
{
    tl_world    *all  = l->ctx->world;
    const size_t peak = atomic_load(&r->world.peak_bytes);

    atomic_fetch_add(&all->now_bytes, atomic_load(&r->world.now_bytes) - r->began);
    if (atomic_load(&all->peak_bytes) < peak) atomic_store(&all->peak_bytes, peak);
    spend(&all->fault_alloc, &r->world.fault_alloc);
    spend(&all->fault_read, &r->world.fault_read);
    spend(&all->fault_write, &r->world.fault_write);
}

static void train(lane_run *r)
{
    tl_ctx  *ctx  = &r->ctx;
    tl_slab *slab = NULL;

    r->rc = tl_slab_new(ctx, r->spec.backend, &slab);
    if (r->rc == TL_OK) {
        r->spec.slab = slab;
        r->rc        = tl_run_train(ctx, &r->spec, &r->result);
    }
    tl_slab_free(ctx, slab);
}

static lane_run *take(tl_lanes *l)
{
    lane_run *r = NULL;

    pthread_mutex_lock(&l->lock);
    if (!l->ends && l->next < l->runs) {
        r        = &l->run[l->next++];
        r->state = RUNS;
        enter(l, r);
    }
    pthread_mutex_unlock(&l->lock);
    return r;
}

static void *work(void *arg)
{
    tl_lanes *l = arg;
    lane_run *r;

    tl_par_set_threads(TL_MAX(1, l->ctx->world->threads / l->width));
    while ((r = take(l))) {
        train(r);
        pthread_mutex_lock(&l->lock);
        r->state = ENDED;
        pthread_cond_broadcast(&l->news);
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

static int start_threads(tl_lanes *l)
{
    int started = 0;

    while (started < l->threads && pthread_create(&l->thread[started], NULL, work, l) == 0)
        started++;
    return started;
}

tl_status tl_lanes_start(tl_ctx *ctx, int lanes, const tl_run_spec *spec, int count,
                         tl_lanes **out)
{
    const tl_world *all = ctx->world;
    tl_lanes       *l   = NULL;
    tl_status       rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *l, &l));
    *l = (tl_lanes){ .ctx = ctx, .asked = spec, .width = lanes };
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->news, NULL);
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *l->run, &l->run));
    TL_TRY(tl_alloc_array(ctx, (size_t)lanes, sizeof *l->thread, &l->thread));
    if (all->limit_bytes)
        l->limit = (all->limit_bytes - TL_MIN(all->limit_bytes, atomic_load(&all->now_bytes))) /
                   (size_t)lanes;
    l->runs = count;
    for (int i = 0; i < count; i++) {
        lane_run *r   = &l->run[i];
        r->lanes      = l;
        r->spec       = spec[i];
        r->spec.share = 1.0 / lanes;
        if (!r->spec.progress) continue;
        r->spec.progress = hear;
        r->spec.user     = r;
    }
    l->threads = TL_MIN(lanes, count);
    l->threads = start_threads(l);
    if (l->threads == 0)
        TL_FAIL(TL_EFAIL, "threads", "none could be started (raise the limit: ulimit -u)");
    *out = l;
    l    = NULL;
done:
    tl_lanes_end(ctx, l);
    return rc;
}

/* The caller's world is the one that is interrupted; each wish is passed on once, as a run may take
 * it back for its last look. */
static void pass_cancel(tl_lanes *l, int cancel)
{
    if (cancel <= l->cancel) return;
    l->cancel = cancel;
    for (int i = 0; i < l->runs; i++)
        if (l->run[i].state == RUNS) atomic_store(&l->run[i].world.cancel, cancel);
}

/* Until there is news, or a tenth of a second has gone by. */
static void doze(tl_lanes *l)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&l->news, &l->lock, &until);
}

/* Called without the lock: whoever listens may take its time. */
static void pass_on(tl_lanes *l, int i)
{
    const tl_progress said = l->run[i].said;

    l->run[i].news = false;
    pthread_mutex_unlock(&l->lock);
    l->asked[i].progress(l->asked[i].user, &said);
    pthread_mutex_lock(&l->lock);
}

tl_status tl_lanes_wait(tl_ctx *ctx, tl_lanes *l, int i, tl_run_result *r)
{
    lane_run *run = &l->run[i];

    pthread_mutex_lock(&l->lock);
    while (run->state != ENDED) {
        pass_cancel(l, atomic_load(&ctx->world->cancel));
        if (run->news) pass_on(l, i);
        else doze(l);
    }
    run->state = TAKEN;
    pthread_mutex_unlock(&l->lock);
    leave(l, run);
    *r = run->result;
    if (run->rc == TL_OK) return TL_OK;
    memcpy(ctx->message, run->ctx.message, sizeof ctx->message);
    return ctx->status = run->rc;
}

void tl_lanes_end(tl_ctx *ctx, tl_lanes *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->ends = true;
    pass_cancel(l, 1);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->threads; i++) pthread_join(l->thread[i], NULL);
    for (int i = 0; i < l->runs; i++) {
        if (l->run[i].state != ENDED) continue;
        leave(l, &l->run[i]);
        tl_run_result_free(ctx, &l->run[i].result);
    }
    pthread_cond_destroy(&l->news);
    pthread_mutex_destroy(&l->lock);
    tl_free(ctx, l->thread);
    tl_free(ctx, l->run);
    tl_free(ctx, l);
}
