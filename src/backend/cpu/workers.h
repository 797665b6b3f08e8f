/* workers.h -- what the kernels share that give each thread a room of its own.  What a unit makes
 * does not depend on whose room it is made in.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_WORKERS_H
#define TL_BACKEND_CPU_WORKERS_H
#include "backend/cpu/kernels.h"
#include "core/par.h"

typedef struct {
    void      (*unit)(const void *job, int64_t at, void *room);
    const void *job;
    int64_t     units;
    int         threads;
    char       *room;       /* [tl_workers(threads) room_bytes] */
    size_t      room_bytes;
} tl_units;

static inline void tl_unit_in_room(void *arg, int64_t at, int64_t worker)
{
    const tl_units *u = arg;

    u->unit(u->job, at, u->room + (size_t)worker * u->room_bytes);
}

static inline void tl_units_run(const tl_units *u)
{
    tl_par_units(u->threads, u->units, tl_unit_in_room, (void *)(uintptr_t)u);
}

/* How many pieces of `size` n falls into, the last one smaller. */
static inline int64_t tl_units_of(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}
#endif
