/* backend.h -- the contract between the engine and whatever runs it.  `ref` is the op's own
 * reference kernel; `cpu` lists faster kernels by op name and falls back to ref; a device
 * backend lists all it needs and allocates its own memory.  Floor 1, tensor. */
#ifndef TL_TENSOR_BACKEND_H
#define TL_TENSOR_BACKEND_H
#include "tensor/op.h"

typedef struct tl_kernel {
    const char *op;
    /* Once per node of a plan, with shapes in call->in/out (data NULL): choose, create what
     * is needed into call->state, and say the scratch bytes.  NULL: nothing to prepare.
     * TL_EUSAGE without message: this kernel cannot; the next of that op, then ref, is asked. */
    tl_status (*prepare)(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes);
    tl_status (*run)(tl_ctx *ctx, const tl_call *call);
    void (*release)(tl_ctx *ctx, tl_call *call); /* NULL: nothing to release */
} tl_kernel;

typedef struct tl_backend {
    const char *name, *doc;
    const tl_kernel *(*kernel_at)(size_t i); /* in order of preference; NULL past the end */
    /* Buffers for slab, parameters and inputs.  On ref and cpu they are host memory. */
    tl_status (*alloc)(tl_ctx *ctx, size_t bytes, void **out);
    void (*free)(tl_ctx *ctx, void *block);
    tl_status (*to_device)(tl_ctx *ctx, void *device, const void *host, size_t bytes);
    tl_status (*to_host)(tl_ctx *ctx, void *host, const void *device, size_t bytes);
    bool host_memory; /* buffers may be read and written in place */
} tl_backend;

extern const tl_backend tl_backend_ref; /* tensor/ref.c      */
#endif
