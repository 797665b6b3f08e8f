/* graph.h -- a computation written down once: tensors and the ops between them.
 *
 * Define once, plan, run many times.  A graph is built for one family and one batch shape;
 * tl_graph_backward appends gradient ops only where a trainable parameter is reached; a plan
 * (plan.h) lays activations into one slab and runs the ops on a backend.  Building has a
 * sticky error: every call after a failed one does nothing and returns tensor 0, and
 * tl_graph_status tells at the end.  Floor 1, tensor. */
#ifndef TL_TENSOR_GRAPH_H
#define TL_TENSOR_GRAPH_H
#include "tensor/shape.h"

typedef struct tl_graph tl_graph;
typedef struct tl_op    tl_op;
typedef int32_t         tl_tensor; /* a tensor of one graph; 0 is none */

typedef enum {
    TL_INPUT, /* bound before each run: pictures, labels, row weights                       */
    TL_PARAM, /* bound to the parameter store; `trainable` ones get gradients               */
    TL_STATE, /* bound to the parameter store; ops may write it (running statistics)        */
    TL_VALUE  /* made by an op; lives in the slab                                           */
} tl_kind;

typedef struct {
    tl_kind  kind;
    tl_dtype dtype;
    tl_shape shape;
    bool     trainable; /* TL_PARAM: wants a gradient                                       */
    bool     needs_grad;/* a trainable parameter lies upstream                              */
    bool     keep;      /* an output: lives to the end of the run, or is bound outside      */
    int32_t  node;      /* the op that makes it; -1 for the others                          */
    int32_t  out;       /* ... as its out-th output                                         */
    const char *name;   /* of inputs, parameters, states and named outputs; else NULL       */
} tl_tensor_info;

enum { TL_MOST_IN = 8, TL_MOST_OUT = 4 };

typedef struct tl_node {
    const tl_op *op;
    int          n_in, n_out;
    tl_tensor    in[TL_MOST_IN];   /* 0 where an optional input is absent                   */
    tl_tensor    out[TL_MOST_OUT];
    const void  *attr;             /* the op's own attribute struct, in the graph's arena   */
    size_t       attr_bytes;
    bool         again;            /* a segment's, made for the backward pass               */
    const char  *layer;            /* the layer it belongs to, for NaN reports and profiles */
} tl_node;

tl_status tl_graph_new(tl_ctx *ctx, tl_graph **out);
void      tl_graph_free(tl_ctx *ctx, tl_graph *g);
tl_status tl_graph_status(const tl_graph *g); /* ctx->message holds the first error */
tl_status tl_graph_fail(tl_graph *g, const char *format, ...)
    __attribute__((format(printf, 2, 3)));    /* for shape rules: TL_EUSAGE, sticky   */

tl_tensor tl_graph_input(tl_graph *g, const char *name, tl_dtype dtype, tl_shape shape);
tl_tensor tl_graph_param(tl_graph *g, const char *name, tl_shape shape, bool trainable); /* f32 */
/* A frozen parameter that is no f32 as it lies: so many bytes for an op that knows them. */
tl_tensor tl_graph_packed(tl_graph *g, const char *name, size_t bytes);
tl_tensor tl_graph_state(tl_graph *g, const char *name, tl_shape shape);                 /* f32 */
void      tl_graph_layer(tl_graph *g, const char *name); /* following nodes belong to it */
void      tl_graph_keep(tl_graph *g, tl_tensor t, const char *name);

/* Append op(in...) with a copy of its attributes; returns its first output. */
tl_tensor tl_graph_apply(tl_graph *g, const tl_op *op, int n_in, const tl_tensor *in,
                         const void *attr, size_t attr_bytes);
tl_tensor tl_graph_out(const tl_graph *g, tl_tensor first, int k); /* sibling output k */

/* The nodes that follow, up to the next call, are a segment: what they make is not held for the
 * backward pass but made again there, from what came in (Chen et al. 2016, arXiv:1604.06174), to
 * the same bits.  The last segment, and one that writes states, is held as ever. */
void      tl_graph_segment(tl_graph *g);
/* Appends the gradients of scalar `loss`.  Afterwards tl_graph_gradient(param) is a kept
 * tensor of the parameter's shape (f32), or 0 where the loss does not depend on it. */
void      tl_graph_backward(tl_graph *g, tl_tensor loss);
tl_tensor tl_graph_gradient(const tl_graph *g, tl_tensor t);

const tl_tensor_info *tl_graph_info(const tl_graph *g, tl_tensor t);
const tl_shape       *tl_graph_shape(const tl_graph *g, tl_tensor t);
const tl_node        *tl_graph_node(const tl_graph *g, int32_t i); /* NULL past the end */
int32_t               tl_graph_tensors(const tl_graph *g);         /* ids are 1..count  */
tl_tensor             tl_graph_find(const tl_graph *g, const char *name); /* 0: none    */
/* Of products and convolutions in one run; what no kept tensor needs does not count. */
double                tl_graph_flops(const tl_graph *g);
/* How many; what is made again has a library's plan already. */
int32_t               tl_graph_products(const tl_graph *g);
tl_ctx               *tl_graph_ctx(const tl_graph *g);
#endif
