/* layout.h -- places for blocks with lifetimes in one slab.  Floor 1, tensor. */
#ifndef TL_TENSOR_LAYOUT_H
#define TL_TENSOR_LAYOUT_H
#include "core/core.h"

enum { TL_SLAB_ALIGN = 64 };

typedef struct {
    int32_t first, last; /* steps it is alive at, both ends counted */
    size_t  bytes;       /* 0: takes no room                        */
    size_t  at;          /* set by tl_layout; a multiple of 64      */
} tl_block;

/* Sets every block's place so that blocks alive at the same step do not overlap; *total is the
 * slab's size and *least what no layout can go below (the most bytes alive at one step). */
tl_status tl_layout(tl_ctx *ctx, tl_block *block, int32_t count, size_t *total, size_t *least);
#endif
