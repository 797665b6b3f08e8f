/* onednn.h -- the one door to oneDNN: products and convolutions whose activations lie in plain
 * row-major or NHWC order and whose weights lie in PyTorch's plain order.  The layout that a
 * primitive prefers for its weights stays behind the door.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_ONEDNN_H
#define TL_BACKEND_CPU_ONEDNN_H
#include "tensor/ops.h"

/* One primitive made ready: its memories, its scratch sizes, its packed weights. */
typedef struct tl_dnn tl_dnn;

/* c [m n] = act(a [m k] b [k n] + bias [n]).  Transposed: lies as [k m] or [n k]. */
typedef struct {
    int64_t  m, n, k;
    bool     a_transposed, b_transposed;
    int64_t  a_line; /* from one of a's lines to the next; 0: they are dense         */
    tl_dtype a, b, c; /* b f32 beside a bf16: b is rounded while it is packed        */
    bool     paired;  /* b lies as simd.h's `pair` makes it                          */
    bool     pack;    /* b is a weight that may take the layout the product likes    */
    bool     trained; /* it changes with each run: packed in scratch, each time      */
    bool     lent;    /* else packed where each run says                             */
    bool     bias;
    bool     accumulate; /* c += ; without bias and act                                      */
    tl_activation act;
} tl_dnn_product;

typedef enum { TL_DNN_FORWARD, TL_DNN_DX, TL_DNN_DW } tl_dnn_way;
typedef struct {
    tl_dnn_way way;
    tl_shape   x, w, y; /* [n h w c], [o c/groups kh kw], [n oh ow o]                  */
    tl_conv_attr conv;  /* act counts in TL_DNN_FORWARD only                           */
    tl_dtype     dtype; /* of activations; weights and their gradients are f32         */
    bool         bias;  /* f32 [o], TL_DNN_FORWARD only                                */
    bool         trained;
} tl_dnn_conv;

/* TL_EUSAGE without a message: oneDNN has nothing but its reference code for this.
 * *work_bytes: scratch that every run needs. */
size_t    tl_dnn_paired_bytes(int64_t k, int64_t n);
tl_status tl_dnn_product_new(tl_ctx *ctx, const tl_dnn_product *p, int threads,
                             tl_dnn **out, size_t *work_bytes);
tl_status tl_dnn_conv_new(tl_ctx *ctx, const tl_dnn_conv *c, int threads, tl_dnn **out,
                          size_t *work_bytes);
void      tl_dnn_free(tl_ctx *ctx, tl_dnn *d);
size_t    tl_dnn_held_bytes(const tl_dnn *d); /* packed weights that it keeps */
size_t    tl_dnn_lent_bytes(const tl_dnn *d); /* that each run lends it; 0: none */
uint64_t  tl_dnn_lent_form(const tl_dnn *d);  /* alike: packed alike; 0: none    */

/* The operands of a run.  Product: a, w = b, bias, out = c.  Forward: a = x, w, bias, out = y.
 * DX: a = dy, w, out = dx.  DW: a = x, dy, out = dw. */
typedef struct {
    const void *a, *dy, *w, *bias;
    void       *out, *work;
    void       *lent; /* tl_dnn_lent_bytes, as the run before left them           */
    bool        weights_changed;
    int         threads;
} tl_dnn_run_args;
tl_status tl_dnn_run(tl_ctx *ctx, tl_dnn *d, const tl_dnn_run_args *args);
/* c [m n] = a b, or += it, of f32 in plain order.  Turns: lies as [k m], as [n k]. */
typedef struct {
    int64_t      m, n, k;
    bool         a_turns, b_turns, adds;
    int64_t      a_line; /* from one of a's lines to the next; 0: they are dense */
    const float *a, *b;
    float       *c;
    int          threads;
} tl_dnn_sgemm;
tl_status tl_dnn_sgemm_run(tl_ctx *ctx, const tl_dnn_sgemm *g);

/* "2.6.3": of the library that is loaded. */
char     *tl_dnn_version(char buffer[32]);
#endif
