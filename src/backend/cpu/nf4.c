/* nf4.c -- weights in four bits unpacked for the product that comes next, some blocks a thread;
 * rows of a table each on its own.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"
#include "tensor/nf4.h"

#include <string.h>

enum { BLOCKS = TL_PIECE / TL_NF4_BLOCK }; /* of a piece */

static int64_t count_of(const tl_call *c)
{
    const tl_shape_attr *a = c->node->attr;

    return tl_shape_count(&a->shape);
}

static void unpack_pieces(void *arg, int64_t low, int64_t high)
{
    const tl_call *c     = arg;
    const int64_t  count = count_of(c), piece = (int64_t)BLOCKS * TL_NF4_BLOCK;
    const int64_t  from  = low * piece;

    tl_nf4_unpack(c->in[0].data, count, from, TL_MIN(high * piece, count),
                  (float *)c->out[0].data + from);
}

static tl_status nf4_run(tl_ctx *ctx, const tl_call *call)
{
    tl_call       c      = *call;
    const int64_t pieces = (count_of(call) + TL_PIECE - 1) / TL_PIECE;

    (void)ctx;
    if (c.out[0].data) tl_par_for(c.threads, pieces, 4, unpack_pieces, &c);
    return TL_OK;
}

static void unpack_rows(void *arg, int64_t low, int64_t high)
{
    const tl_call       *c = arg;
    const tl_shape_attr *a = c->node->attr;
    const int64_t        rows = a->shape.dim[0], d = a->shape.dim[1];
    const int32_t       *id   = c->in[1].data;

    for (int64_t i = low; i < high; i++) {
        float        *out = (float *)c->out[0].data + i * d;
        const int64_t row = id[i];
        if (row >= 0 && row < rows)
            tl_nf4_unpack(c->in[0].data, rows * d, row * d, (row + 1) * d, out);
        else memset(out, 0, (size_t)d * sizeof *out);
    }
}

static tl_status rows_run(tl_ctx *ctx, const tl_call *call)
{
    tl_call c = *call;

    (void)ctx;
    if (c.out[0].data) tl_par_for(c.threads, tl_count(&c.in[1]), 64, unpack_rows, &c);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "nf4", NULL, nf4_run, NULL },
    { "nf4_rows", NULL, rows_run, NULL },
};
const tl_kernel_list tl_cpu_nf4 = { kernels, TL_COUNT(kernels) };
