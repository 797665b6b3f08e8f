/* lanes.c -- see lanes.h.  A run in a lane has a context and counters of its own: what one run
 * takes is told from what its neighbour does.  Floor 3, train. */
#include "train/lanes.h"
#include "core/par.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LINES = 8 };

/* QUEUES: it lacked memory beside others, and will be tried again when none runs. */
typedef enum { WAITS, RUNS, QUEUES, ENDED, TAKEN } state;

typedef struct {
    tl_lanes     *lanes;
    tl_run_spec   spec;
    tl_world      world;
    tl_ctx        ctx;
    state         state;
    bool          dropped;
    tl_status     rc;
    tl_run_result result;
    tl_progress   said;
    bool          news; /* `said` was not passed on */
    int           lines; /* of its log that were not passed on */
    int           level[LINES];
    char          line[LINES][512];
} lane_run;

struct tl_lanes {
    tl_ctx            *ctx;
    const tl_run_spec *asked; /* borrowed */
    lane_run          *run;
    int                runs, next, width, threads;
    bool               ends;   /* nothing more begins */
    bool               solo;   /* one is tried again, alone */
    int                cancel; /* as it was passed on */
    size_t             began;  /* world.now_bytes before all */
    pthread_t         *thread;
    pthread_mutex_t    lock; /* of all states and reports */
    pthread_cond_t     news; /* any of them changed */
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

/* What finds no room is not worth keeping. */
static void write_down(void *user, int level, const char *line)
{
    lane_run *r = user;

    pthread_mutex_lock(&r->lanes->lock);
    if (r->lines < LINES) {
        r->level[r->lines] = level;
        snprintf(r->line[r->lines++], sizeof r->line[0], "%s", line);
    }
    pthread_mutex_unlock(&r->lanes->lock);
}

/* Its own world, which holds what the process held before all runs; `room`: beside that. */
static void enter(tl_lanes *l, lane_run *r, size_t room)
{
    tl_world *all = l->ctx->world;

    tl_world_init(&r->world);
    r->world.threads     = TL_MAX(1, all->threads / l->width);
    r->world.small_flops = all->small_flops;
    r->world.log         = all->log ? write_down : NULL;
    r->world.log_user    = r;
    if (all->limit_bytes) r->world.limit_bytes = l->began + room;
    atomic_store(&r->world.now_bytes, l->began);
    atomic_store(&r->world.peak_bytes, l->began);
    atomic_store(&r->world.cancel,
                 TL_MAX(TL_MAX((int)r->dropped, l->cancel), atomic_load(&all->cancel)));
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

    atomic_fetch_add(&all->now_bytes, atomic_load(&r->world.now_bytes) - l->began);
    if (atomic_load(&all->peak_bytes) < peak) atomic_store(&all->peak_bytes, peak);
    spend(&all->fault_alloc, &r->world.fault_alloc);
    spend(&all->fault_read, &r->world.fault_read);
    spend(&all->fault_write, &r->world.fault_write);
}

/* What is left of --memory, as far as the runs that are at work do not hold it. */
static size_t room_left(const tl_lanes *l)
{
    const tl_world *all = l->ctx->world;
    const size_t    now = atomic_load(&all->now_bytes);

    return all->limit_bytes - TL_MIN(all->limit_bytes, now);
}

static void train(tl_lanes *l, lane_run *r)
{
    tl_ctx  *ctx  = &r->ctx;
    tl_slab *slab = NULL;

    r->rc = tl_slab_new(ctx, r->spec.backend, &slab);
    if (r->rc == TL_OK) {
        r->spec.slab = slab;
        r->rc        = tl_run_train(ctx, &r->spec, &r->result);
    }
    tl_slab_free(ctx, slab);
    leave(l, r);
}

static int count_in(const tl_lanes *l, state a, state b)
{
    int n = 0;

    for (int i = 0; i < l->runs; i++)
        n += !l->run[i].dropped && (l->run[i].state == a || l->run[i].state == b);
    return n;
}

static int at_work(const tl_lanes *l)
{
    int n = 0;

    for (int i = 0; i < l->runs; i++) n += l->run[i].state == RUNS;
    return n;
}

/* Results that nobody took yet are held: there are never many of them. */
static bool must_wait(const tl_lanes *l)
{
    return l->solo || count_in(l, QUEUES, QUEUES) > 0 || count_in(l, RUNS, ENDED) >= 2 * l->width;
}

/* The next one, with its part of the memory. */
static lane_run *take(tl_lanes *l)
{
    lane_run *r = NULL;

    pthread_mutex_lock(&l->lock);
    while (!l->ends && l->next < l->runs && must_wait(l))
        pthread_cond_wait(&l->news, &l->lock);
    while (!l->ends && l->next < l->runs && l->run[l->next].dropped) l->next++;
    if (!l->ends && l->next < l->runs) {
        r        = &l->run[l->next++];
        r->state = RUNS;
        enter(l, r, room_left(l) / (size_t)l->width);
    }
    pthread_mutex_unlock(&l->lock);
    return r;
}

static void set_state(tl_lanes *l, lane_run *r, state now)
{
    r->state = now;
    pthread_cond_broadcast(&l->news);
}

/* On as many threads as before: the same bits as if there had been room. */
static void train_again(tl_lanes *l, lane_run *r)
{
    pthread_mutex_lock(&l->lock);
    set_state(l, r, QUEUES);
    while (at_work(l) > 0) pthread_cond_wait(&l->news, &l->lock);
    l->solo  = true;
    r->state = RUNS;
    enter(l, r, room_left(l));
    pthread_mutex_unlock(&l->lock);
    train(l, r);
    pthread_mutex_lock(&l->lock);
    l->solo = false;
    pthread_mutex_unlock(&l->lock);
}

static void *work(void *arg)
{
    tl_lanes *l = arg;
    lane_run *r;

    tl_par_set_threads(TL_MAX(1, l->ctx->world->threads / l->width));
    while ((r = take(l))) {
        train(l, r);
        if (l->width > 1 && (r->rc == TL_ENOMEM || r->rc == TL_ELIMIT)) train_again(l, r);
        pthread_mutex_lock(&l->lock);
        set_state(l, r, ENDED);
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

static int start_threads(tl_lanes *l, int wanted)
{
    int started = 0;

    while (started < wanted && pthread_create(&l->thread[started], NULL, work, l) == 0)
        started++;
    return started;
}

tl_status tl_lanes_start(tl_ctx *ctx, int lanes, const tl_run_spec *spec, int count,
                         tl_lanes **out)
{
    tl_lanes *l = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *l, &l));
    *l = (tl_lanes){ .ctx = ctx, .asked = spec, .width = lanes };
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->news, NULL);
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *l->run, &l->run));
    TL_TRY(tl_alloc_array(ctx, (size_t)lanes, sizeof *l->thread, &l->thread));
    l->runs  = count;
    l->began = atomic_load(&ctx->world->now_bytes);
    for (int i = 0; i < count; i++) {
        lane_run *r   = &l->run[i];
        r->lanes      = l;
        r->spec       = spec[i];
        r->spec.share = 1.0 / lanes;
        if (!r->spec.progress) continue;
        r->spec.progress = hear;
        r->spec.user     = r;
    }
    l->threads = start_threads(l, TL_MIN(lanes, count));
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
    lane_run         *r     = &l->run[i];
    const tl_progress said  = r->said;
    const bool        news  = r->news;
    const int         lines = r->lines;
    tl_world         *all   = l->ctx->world;

    r->news = false;
    pthread_mutex_unlock(&l->lock);
    for (int k = 0; k < lines; k++) all->log(all->log_user, r->level[k], r->line[k]);
    if (news) l->asked[i].progress(l->asked[i].user, &said);
    pthread_mutex_lock(&l->lock);
    memmove(r->line, r->line + lines, sizeof r->line[0] * (size_t)(r->lines - lines));
    memmove(r->level, r->level + lines, sizeof r->level[0] * (size_t)(r->lines - lines));
    r->lines -= lines;
}

tl_status tl_lanes_wait(tl_ctx *ctx, tl_lanes *l, int i, tl_run_result *r)
{
    lane_run *run = &l->run[i];

    pthread_mutex_lock(&l->lock);
    while (run->state != ENDED || run->news || run->lines) {
        pass_cancel(l, atomic_load(&ctx->world->cancel));
        if (run->news || run->lines) pass_on(l, i);
        else doze(l);
    }
    set_state(l, run, TAKEN);
    pthread_mutex_unlock(&l->lock);
    *r = run->result;
    if (run->rc == TL_OK) return TL_OK;
    memcpy(ctx->message, run->ctx.message, sizeof ctx->message);
    return ctx->status = run->rc;
}

void tl_lanes_drop(tl_lanes *l, int i)
{
    lane_run *r = &l->run[i];

    pthread_mutex_lock(&l->lock);
    r->dropped = true;
    if (r->state == RUNS) atomic_store(&r->world.cancel, 1);
    pthread_cond_broadcast(&l->news);
    pthread_mutex_unlock(&l->lock);
}

/* An impatient second wish reaches them, too. */
static void wait_for_all(tl_lanes *l)
{
    pthread_mutex_lock(&l->lock);
    l->ends = true;
    pthread_cond_broadcast(&l->news);
    while (at_work(l) + count_in(l, QUEUES, QUEUES) > 0) {
        pass_cancel(l, TL_MAX(1, atomic_load(&l->ctx->world->cancel)));
        doze(l);
    }
    pthread_mutex_unlock(&l->lock);
}

void tl_lanes_end(tl_ctx *ctx, tl_lanes *l)
{
    if (!l) return;
    wait_for_all(l);
    for (int i = 0; i < l->threads; i++) pthread_join(l->thread[i], NULL);
    for (int i = 0; i < l->runs; i++)
        if (l->run[i].state == ENDED) tl_run_result_free(ctx, &l->run[i].result);
    pthread_cond_destroy(&l->news);
    pthread_mutex_destroy(&l->lock);
    tl_free(ctx, l->thread);
    tl_free(ctx, l->run);
    tl_free(ctx, l);
}
