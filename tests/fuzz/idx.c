/* idx.c -- fuzz target: IDX files, plain and gzip. */
#include "data/idx.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static int fd = -1;
    char       path[64];
    tl_world   world;
    tl_ctx     ctx;
    tl_idx     idx;
    int        ndim;

    if (fd < 0) fd = memfd_create("idx", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, bytes, 0) != (ssize_t)bytes)
        return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    tl_world_init(&world);
    world.limit_bytes = (size_t)64 << 20;
    ctx               = tl_ctx_make(&world);
    tl_idx_ndim(&ctx, path, &ndim);
    if (tl_idx_read(&ctx, path, 1 << 20, &idx) == TL_OK && idx.ndim != ndim) abort();
    tl_idx_free(&ctx, &idx);
    if (world.now_bytes) abort();
    return 0;
}
