/* lanes.h -- several runs side by side, each on its part of the machine's threads: nobody waits
 * for the slowest thread of every op, so that two runs on one thread each end before the same two
 * on two threads one after the other.  Floor 3, train. */
#ifndef TL_TRAIN_LANES_H
#define TL_TRAIN_LANES_H
#include "train/run.h"

typedef struct tl_lanes tl_lanes;

/* Begins the runs of spec[count] (borrowed until tl_lanes_end), `lanes` >= 1 at a time in their
 * order, each on world->threads / lanes threads and under as much of --memory, with a slab of its
 * own and its share of the seconds.  Their caches, stores and datasets may be the same.  One that
 * lacks memory is tried again when no other is at work. */
tl_status tl_lanes_start(tl_ctx *ctx, int lanes, const tl_run_spec *spec, int count,
                         tl_lanes **out);
/* What tl_run_train(ctx, &spec[i], r) would have returned; waits for it.  Once for each i, in
 * order.  What the run reports and logs reaches spec[i].progress and world->log on this thread. */
tl_status tl_lanes_wait(tl_ctx *ctx, tl_lanes *l, int i, tl_run_result *r);
/* Nobody will wait for this one: it is interrupted, or does not begin. */
void      tl_lanes_drop(tl_lanes *l, int i);
/* Runs that nobody waited for are interrupted, those that did not begin are left out. */
void      tl_lanes_end(tl_ctx *ctx, tl_lanes *l);
#endif
