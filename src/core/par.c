/* par.c -- parallel regions on libgomp's team through its stable entry GOMP_parallel, so that
 * gcc and clang builds share the pool with oneDNN.  Source: the libgomp ABI (libgomp.map,
 * GOMP_4.0).  Floor 0. */
#include "core/par.h"
#include "core/core.h"
#include "core/machine.h"

typedef struct {
    void (*body)(void *, int64_t, int64_t);
    void   *arg;
    int64_t n;
    int     pieces;
} region;

/* The team's threads keep flushing subnormals; the caller's mode is put back by tl_par_for. */
static void run_piece(const region *r, int piece)
{
    tl_float_flush();
    const int64_t low = r->n * piece / r->pieces, high = r->n * (piece + 1) / r->pieces;

    if (low < high) r->body(r->arg, low, high);
}

#ifdef TL_PTHREAD_PAR
#include <pthread.h>

typedef struct { const region *r; int piece; } task;

static void *run_task(void *arg)
{
    const task *t = arg;

    run_piece(t->r, t->piece);
    return NULL;
}

static void run_region(region *r)
{
    enum { MOST = 64 };
    pthread_t thread[MOST];
    task      t[MOST];
    bool      started[MOST] = { false };

    if (r->pieces > MOST) r->pieces = MOST;
    for (int i = 1; i < r->pieces; i++) {
        t[i]       = (task){ r, i };
        started[i] = pthread_create(&thread[i], NULL, run_task, &t[i]) == 0;
        if (!started[i]) run_piece(r, i);
    }
    run_piece(r, 0);
    for (int i = 1; i < r->pieces; i++)
        if (started[i]) pthread_join(thread[i], NULL);
}

void tl_par_set_threads(int threads)
{
    (void)threads;
}
#else
void GOMP_parallel(void (*fn)(void *), void *data, unsigned threads, unsigned flags);
int  omp_get_thread_num(void);
int  omp_get_num_threads(void);
void omp_set_num_threads(int threads);

/* The runtime may give fewer threads than asked: every piece is still run. */
static void run_team(void *arg)
{
    const region *r    = arg;
    const int     team = omp_get_num_threads();

    for (int piece = omp_get_thread_num(); piece < r->pieces; piece += team)
        run_piece(r, piece);
}

static void run_region(region *r)
{
    GOMP_parallel(run_team, r, (unsigned)r->pieces, 0);
}

void tl_par_set_threads(int threads)
{
    omp_set_num_threads(threads);
}
#endif

enum { MOST_WORKERS = 256 };

typedef struct {
    void (*unit)(void *, int64_t, int64_t);
    void   *arg;
    int64_t units, workers;
} spread;

int64_t tl_workers(int threads)
{
    return TL_MIN(threads, MOST_WORKERS);
}

static void run_workers(void *arg, int64_t low, int64_t high)
{
    const spread *s = arg;

    for (int64_t w = low; w < high; w++)
        for (int64_t at = w; at < s->units; at += s->workers) s->unit(s->arg, at, w);
}

void tl_par_units(int threads, int64_t units, void (*unit)(void *arg, int64_t at, int64_t worker),
                  void *arg)
{
    spread s = { unit, arg, units, tl_workers(threads) };

    if (units > 0) tl_par_for((int)s.workers, s.workers, 1, run_workers, &s);
}

void tl_par_for(int threads, int64_t n, int64_t grain,
                void (*body)(void *arg, int64_t low, int64_t high), void *arg)
{
    const int64_t most = grain > 0 ? (n + grain - 1) / grain : n;
    region        r    = { body, arg, n, (int)TL_MIN((int64_t)threads, most) };

    if (n <= 0) return;
    const unsigned long mode = tl_float_flush();
    if (r.pieces <= 1) body(arg, 0, n);
    else run_region(&r);
    tl_float_mode(mode);
}
