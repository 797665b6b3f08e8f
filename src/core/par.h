/* par.h -- the one door to parallel regions.  Work is cut into contiguous pieces, one per
 * thread; the team is libgomp's, the one oneDNN uses, so that a process has a single pool.
 * TL_PTHREAD_PAR builds (TSan) use plain pthreads instead.  Floor 0. */
#ifndef TL_CORE_PAR_H
#define TL_CORE_PAR_H
#include <stdint.h>

/* Calls body(arg, low, high) so that [0, n) is covered once.  Runs on at most `threads`
 * threads, and on the caller alone when n <= grain.  Body must not fail or allocate.  A
 * kernel's sums must not depend on where the pieces end: same bits on any thread count. */
void tl_par_for(int threads, int64_t n, int64_t grain,
                void (*body)(void *arg, int64_t low, int64_t high), void *arg);
/* Calls unit(arg, at, worker) for each `at` in [0, units) once, a worker every n-th, so that long
 * and short ones spread evenly; of one worker one after the other, worker < tl_workers(threads). */
void tl_par_units(int threads, int64_t units, void (*unit)(void *arg, int64_t at, int64_t worker),
                  void *arg);
int64_t tl_workers(int threads);
void tl_par_set_threads(int threads); /* the team's size for libraries that ask OpenMP */
#endif
