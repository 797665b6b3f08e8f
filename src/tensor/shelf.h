/* shelf.h -- copies of constant inputs (weights as a kernel likes to read them), held once for all
 * nodes and plans of one slab that read the same weights so, and gone with the last of them.  Each
 * plan fills them anew in its first run and whenever its weights changed: by that a copy is never
 * older than what its reader was told.
 * Floor 1, tensor. */
#ifndef TL_TENSOR_SHELF_H
#define TL_TENSOR_SHELF_H
#include "core/core.h"

typedef struct tl_shelf tl_shelf;
tl_status tl_shelf_new(tl_ctx *ctx, tl_shelf **out);
/* What is still in hand stays until it is dropped. */
void      tl_shelf_free(tl_ctx *ctx, tl_shelf *shelf);

typedef struct tl_copy {
    const void *of;    /* what it is a copy of */
    uint64_t    form;  /* how it lies, by a number of the kernel's own */
    size_t      bytes;
    void       *data;
    bool        fresh; /* nobody filled it yet */
    int         hands;
    tl_shelf   *shelf; /* NULL: it is gone     */
    struct tl_copy *next;
} tl_copy;
/* A hand on the copy of what lies at `of`, with room for it; the first one is to fill it. */
tl_status tl_copy_take(tl_ctx *ctx, tl_shelf *shelf, const void *of, uint64_t form, size_t bytes,
                       tl_copy **out);
void      tl_copy_drop(tl_ctx *ctx, tl_copy *copy); /* NULL: nothing */
#endif
