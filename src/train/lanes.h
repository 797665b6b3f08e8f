/* lanes.h -- several runs side by side, each on its part of the machine's threads: nobody waits for
 * the slowest thread of every op, so that two runs on one thread each end before the same two on two
 * threads one after the other.  Floor 3, train. */
#ifndef TL_TRAIN_LANES_H
#define TL_TRAIN_LANES_H
#include "train/run.h"

typedef struct tl_lanes tl_lanes;

/* Begins the runs of spec[count] (borrowed until tl_lanes_end), `lanes` >= 1 at a time in their
 * order, each on world->threads / lanes threads and under as much of --memory, with a slab of its
 * own and its share of the seconds.  Their caches, stores and datasets may be the same. */
tl_status tl_lanes_start(tl_ctx *ctx, int lanes, const tl_run_spec *spec, int count,
                         tl_lanes **out);
/* What tl_run_train(ctx, &spec[i], r) would have returned; waits for it.  Once for each i.  What the
 * run reports reaches spec[i].progress on this thread; what it holds counts as ctx's from here. */
tl_status tl_lanes_wait(tl_ctx *ctx, tl_lanes *l, int i, tl_run_result *r);
/* Runs that nobody waited for are interrupted, those that did not begin are left out. */
void      tl_lanes_end(tl_ctx *ctx, tl_lanes *l);
#endif
