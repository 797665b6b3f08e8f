/* op.h -- the record of an op, and the list of all of them.
 *
 * An op is a name, a shape rule, a gradient rule that appends graph nodes, and a reference
 * kernel.  Gradients are ops themselves (named NAME_dx, NAME_dw...) without a gradient rule.
 * A new op: its record in a file of tensor/ops/, its line in ops.def, its samples; the
 * contract tests (gradients against central differences, two mutants, backends against ref)
 * walk the list.  Floor 1, tensor. */
#ifndef TL_TENSOR_OP_H
#define TL_TENSOR_OP_H
#include "tensor/graph.h"
#include "tensor/shelf.h"

/* One tensor at run time: where it lies and what it is. */
typedef struct {
    void    *data;  /* NULL where an optional input is absent or an output is not wanted */
    tl_dtype dtype;
    tl_shape shape;
} tl_view;

/* What changes from run to run. */
typedef struct {
    uint64_t seed; /* of the run: dropout draws from (seed, attr's stream, step, element) */
    uint64_t step; /* counts runs of a training plan */
} tl_tick;

typedef struct {
    const tl_node *node;
    tl_view        in[TL_MOST_IN], out[TL_MOST_OUT];
    void          *work;       /* scratch in the slab, of the bytes that prepare asked for  */
    void          *state;      /* the kernel's own, from prepare; ended by release          */
    const tl_tick *tick;
    int            threads;
    unsigned       wanted;     /* bit k: output k is wanted; known in prepare too            */
    unsigned       constant;   /* bit i: input i changes only in runs with weights_changed   */
    unsigned       holds;      /* set by prepare: bit i: of constant input i the kernel keeps
                                  what it needs from one such run to the next (packed), so
                                  that what makes that input need not run in between        */
    unsigned       ends;       /* set by prepare: bit a: a node without activation may be given
                                  activation a afterwards, with the bits of an act behind it */
    size_t         held_bytes; /* set by prepare: what `state` holds (packed weights)        */
    size_t         copy_bytes; /* set by prepare: of a copy of input 1 that it takes from the
                                  shelf, which all plans of a slab share                     */
    uint64_t       copy_form;  /* ... and how it lies there                                  */
    tl_shelf      *shelf;
    bool           weights_changed; /* parameters differ from the previous run: packed
                                       copies of frozen ones must be made again            */
} tl_call;

/* A small instance of the op for the contract tests and for backends against ref. */
typedef struct {
    const char *label;                 /* "stride 2, TF padding"                            */
    tl_shape    in[TL_MOST_IN];        /* ndim < 0: absent                                  */
    tl_dtype    dtype[TL_MOST_IN];
    double      low, high;             /* inputs are drawn uniformly from here; for TL_I32
                                          integers below high                               */
    const void *attr;
    size_t      attr_bytes;
    unsigned    no_grad;               /* bit i: input i takes no gradient (labels...)      */
    const int32_t *number[TL_MOST_IN]; /* the values of a TL_I32 input; NULL: drawn         */
} tl_sample;

struct tl_op {
    const char *name, *doc, *source;
    int         least_in, most_in, n_out;
    unsigned    optional;   /* bit i: input i may be absent (0)                            */
    unsigned    inplace;    /* bit i: output 0 may take the place of input i               */
    int         adds_to;    /* an optional input, as output 0, that is added to it; 0: none */
    bool        alias;      /* output 0 is input 0 seen as another shape: a plan shares the
                               memory and runs nothing where it can                        */
    bool        again;      /* made for each reader and not kept: whoever reads it may not hold a
                               copy from run to run, though its inputs be constant         */
    unsigned    writes;     /* bit i: input i (a TL_STATE) is written                      */
    bool        reads_tick; /* draws random numbers                                         */
    tl_status (*shape)(tl_graph *g, const tl_node *node, tl_tensor_info out[TL_MOST_OUT]);
                            /* set dtype and shape of each output; tl_graph_fail on misuse  */
    void (*grad)(tl_graph *g, const tl_node *node, const tl_tensor dy[TL_MOST_OUT],
                 tl_tensor dx[TL_MOST_IN]); /* set dx[i] only where in[i] needs_grad; NULL:
                               the op is itself a gradient, or has none                     */
    void (*ref)(const tl_call *call); /* plain C, one thread, sums in double                */
    double (*flops)(const tl_graph *g, const tl_node *node); /* NULL: not counted            */
    const tl_sample *samples;
    size_t           n_samples;
};

const tl_op *tl_op_at(size_t i);           /* NULL past the end */
const tl_op *tl_op_find(const char *name); /* NULL: none        */

/* Element access that hides f32 and bf16, for reference kernels. */
double tl_view_get(const tl_view *v, int64_t i);
void   tl_view_set(const tl_view *v, int64_t i, double x);
#endif
