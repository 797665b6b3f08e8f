/* lbfgs.h -- limited-memory BFGS for smooth functions of some thousand to some million numbers:
 * what solves a linear head to convergence.
 * Sources: Nocedal and Wright 2006, algorithms 7.4 and 7.5; Lewis and Overton 2013 (the
 * bisecting line search).  Floor 3, train. */
#ifndef TL_TRAIN_LBFGS_H
#define TL_TRAIN_LBFGS_H
#include "core/core.h"

typedef struct {
    int64_t n;
    /* Value at x, gradient into g. */
    tl_status (*value)(tl_ctx *ctx, void *user, const double *x, double *f, double *g);
    /* May be NULL.  Called after each step; an error ends the search and is returned. */
    tl_status (*after)(tl_ctx *ctx, void *user, int64_t iteration, double f);
    void   *user;
    double  tolerance;       /* of the largest gradient component                            */
    int64_t most_iterations;
} tl_lbfgs_spec;

typedef struct {
    double  value, gradient;
    int64_t iterations, calls;
    bool    converged;
} tl_lbfgs_result;

/* Moves x [n] to a minimum.  TL_ENAN where the function is not finite at the start.  Not
 * converged: out of iterations, or of f64 resolution on the line; x is the best point seen. */
tl_status tl_lbfgs(tl_ctx *ctx, const tl_lbfgs_spec *spec, double *x,
                   tl_lbfgs_result *out);
#endif
