/* sample.h -- a sample of an op as a small graph with a loss and gradients, bound to buffers
 * with canaries: for the contract tests of ops and of backends. */
#ifndef TESTS_SAMPLE_H
#define TESTS_SAMPLE_H
#include "support/support.h"
#include "tensor/ops.h"
#include "tensor/plan.h"

typedef struct {
    const tl_op     *op;
    const tl_sample *sample;
    tl_graph        *g;
    tl_plan         *plan;
    int              n_in;
    tl_tensor        in[TL_MOST_IN];     /* inputs, parameters or states (before any cast)  */
    tl_tensor        grad[TL_MOST_IN];   /* of each parameter; 0: none                      */
    tl_tensor        out[TL_MOST_OUT];   /* the op's outputs, kept                          */
    tl_tensor        mix;                /* signed random weights of output 0 in the loss   */
    void            *buffer[TL_MOST_IN + TL_MOST_IN + TL_MOST_OUT + 1]; /* with canaries     */
} test_net;

/* Builds, plans and binds; inputs are drawn by `seed`.  `f32` takes every bf16 as f32.
 * L = sum(mix * y), y = output 0. */
void   test_net_make(test_net *n, const tl_op *op, const tl_sample *sample,
                     const tl_backend *backend, uint64_t seed, bool f32);
void   test_net_run(test_net *n);            /* fails the test when a canary died             */
void   test_net_free(test_net *n);
int64_t test_net_count(const test_net *n, tl_tensor t);
float  *test_net_data(const test_net *n, tl_tensor t); /* a bound f32 tensor                  */
double  test_net_loss(const test_net *n);    /* after a run, in double from output 0          */
/* The name of op and sample, for messages. */
const char *test_net_name(const test_net *n);
#endif
