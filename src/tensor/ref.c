/* ref.c -- the backend that lists no kernel, so that every op runs its own reference one: plain
 * C, one thread, sums in double.  It judges the others.  Floor 1, tensor. */
#include "tensor/backend.h"

#include <string.h>

static const tl_kernel *no_kernel(size_t i)
{
    (void)i;
    return NULL;
}

static tl_status host_alloc(tl_ctx *ctx, size_t bytes, void **out)
{
    return tl_alloc(ctx, bytes, out);
}

static void host_free(tl_ctx *ctx, void *block)
{
    tl_free(ctx, block);
}

static tl_status host_write(tl_ctx *ctx, void *device, const void *host, size_t bytes)
{
    (void)ctx;
    memcpy(device, host, bytes);
    return TL_OK;
}

static tl_status host_read(tl_ctx *ctx, void *host, const void *device, size_t bytes)
{
    (void)ctx;
    memcpy(host, device, bytes);
    return TL_OK;
}

const tl_backend tl_backend_ref = {
    .name        = "ref",
    .doc         = "the reference kernels: slow, plain, sums in double",
    .kernel_at   = no_kernel,
    .alloc       = host_alloc,
    .free        = host_free,
    .to_device   = host_write,
    .to_host     = host_read,
    .host_memory = true,
};
