/* plan.h -- a graph made ready to run: kernels chosen, lifetimes laid into one slab whose
 * size is known before the first run.  Running allocates nothing but, in a
 * plan's first run, copies of frozen weights that no other plan of its slab has (shelf.h).
 * Floor 1, tensor. */
#ifndef TL_TENSOR_PLAN_H
#define TL_TENSOR_PLAN_H
#include "tensor/backend.h"

/* Memory that several plans take in turn (training, evaluation); as big as the largest. */
typedef struct tl_slab tl_slab;
tl_status tl_slab_new(tl_ctx *ctx, const tl_backend *backend, tl_slab **out);
void      tl_slab_free(tl_ctx *ctx, tl_slab *slab);
size_t    tl_slab_bytes(const tl_slab *slab);

typedef struct tl_plan tl_plan;
/* `g` must outlive the plan.  Nothing of the slab's size is allocated before the first bind
 * or run, so that tl_plan_bytes can be asked and refused first. */
tl_status tl_plan_new(tl_ctx *ctx, const tl_graph *g, const tl_backend *backend, tl_slab *slab,
                      tl_plan **out);
void      tl_plan_free(tl_ctx *ctx, tl_plan *plan);
size_t    tl_plan_bytes(const tl_plan *plan); /* slab and what kernels hold (packed weights) */

/* Where an input, parameter, state or kept output lies; stays until bound anew.  Kept outputs
 * that are not bound lie in the slab. */
tl_status tl_plan_bind(tl_ctx *ctx, tl_plan *plan, tl_tensor t, void *data);
void     *tl_plan_data(tl_plan *plan, tl_tensor t); /* valid after a run, for kept ones */
/* Call after parameters changed other than by training on this very plan. */
void      tl_plan_weights_changed(tl_plan *plan);
/* All ops once.  TL_EUSAGE: something is not bound.  Kernel and device errors. */
tl_status tl_plan_run(tl_ctx *ctx, tl_plan *plan, tl_tick tick);

/* After a NaN: the first node, in order, with a value that is not finite in what it made, by
 * running again and looking; NULL: none.  */
tl_status tl_plan_find_nan(tl_ctx *ctx, tl_plan *plan, tl_tick tick, const tl_node **out);

/* Seconds, FLOPs and bytes by op, for --profile; off by default. */
typedef struct { const char *op, *layer; int64_t calls; double seconds, flops, bytes; } tl_op_time;
void   tl_plan_profile(tl_plan *plan, bool on);
size_t tl_plan_profile_rows(const tl_plan *plan, tl_op_time *rows, size_t most);
#endif
