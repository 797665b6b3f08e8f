/* workers.h -- one call for each of n things on several threads that may fail, allocate and
 * read files (which tl_par_for's bodies may not).  Floor 2, data. */
#ifndef TL_DATA_WORKERS_H
#define TL_DATA_WORKERS_H
#include "core/core.h"

/* `ctx` is the thread's own.  Results go where only call i writes. */
typedef tl_status (*tl_each_call)(tl_ctx *ctx, void *arg, int64_t i);
/* Calls each(ctx, arg, i) for i = 0..n-1.  On failure the rest is left out and the failure of
 * the lowest i is returned, whatever the threads did.  TL_ECANCEL when the user interrupts. */
tl_status tl_each(tl_ctx *ctx, int64_t n, tl_each_call each, void *arg);
#endif
