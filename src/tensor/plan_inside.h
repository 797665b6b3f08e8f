/* plan_inside.h -- what slab.c, plan_build.c and plan.c share.  Floor 1, tensor. */
#ifndef TL_TENSOR_PLAN_INSIDE_H
#define TL_TENSOR_PLAN_INSIDE_H
#include "tensor/plan.h"

struct tl_slab {
    tl_ctx           *ctx;
    const tl_backend *backend;
    void             *base;  /* NULL before the first run */
    size_t            room;
    tl_shelf         *shelf;
    tl_plan          *plans; /* that share it */
};
/* As big as its plans need; moves `base` when it has to grow. */
tl_status tl_slab_ready(tl_ctx *ctx, tl_slab *slab);

/* One piece of memory, shared by tensors that are never needed at the same time in it: a value,
 * its reshapes, and what ops made of it in place. */
typedef struct {
    int32_t   into;        /* the store it was merged into; itself where none             */
    int32_t   first, last; /* nodes it is alive at                                        */
    size_t    bytes;
    size_t    at;          /* in the slab; of values                                      */
    tl_tensor fixed;       /* the input, parameter or state it is; else 0                 */
    tl_tensor kept;        /* the kept tensor in it; else 0                               */
    bool      gradient;    /* that one is a parameter's gradient                          */
    void     *bound;       /* where the caller wants it                                   */
} tl_store_of;

typedef struct {
    tl_call          call;
    const tl_kernel *kernel; /* NULL: the op's ref */
    bool             ready;  /* prepared, to be released */
    bool             once;   /* runs only after weights changed: its readers keep what it made */
    size_t           work_bytes, work_at;
    double           seconds;
    int64_t          calls;
} tl_step;

struct tl_plan {
    tl_ctx           *ctx;
    const tl_graph   *g;
    const tl_backend *backend;
    tl_slab          *slab;
    bool              own_slab;
    tl_plan          *next;      /* of the slab's plans */
    int32_t           nodes, tensors, stores, steps;
    bool             *wanted;    /* [tensors + 1] */
    bool             *constant;  /* [tensors + 1]: changes only when weights do */
    int32_t          *store_at;  /* [tensors + 1]; -1: none */
    tl_store_of      *store;
    tl_step          *step;
    struct tl_plan_ended *ended; /* layers that took the activation behind them */
    size_t            value_bytes; /* of the slab: what lifetimes were laid out for       */
    size_t            least_bytes; /* no layout could take less                           */
    size_t            kept_bytes;  /* behind it: kept outputs that are not bound          */
    size_t            held_bytes;  /* by kernels                                          */
    void             *seen_base;   /* the slab's base that the views point into           */
    bool              dirty;       /* something was bound since                           */
    bool              weights_changed, told_changed, profile;
    tl_tick           tick;
};

/* plan_constant.c.  Constants are known before kernels are chosen; what runs once, after. */
void    tl_plan_mark_constant(tl_plan *plan);
tl_status tl_plan_mark_once(tl_ctx *ctx, tl_plan *plan);

/* plan_ends.c.  After the above: steps of activations may go. */
tl_status tl_plan_join_ends(tl_ctx *ctx, tl_plan *plan);

int32_t tl_plan_store(const tl_plan *plan, tl_tensor t); /* -1: none; merges followed */
#endif
