/* forest.c -- rows through trees, some rows a thread.  Floor 1, backend/cpu. */
#include "tensor/forest.h"
#include "backend/cpu/kernels.h"

static void forest_rows(void *arg, int64_t low, int64_t high)
{
    const tl_call  *c = arg;
    const tl_forest f = { .node    = c->in[1].data,
                          .bits    = c->in[2].data,
                          .nodes   = c->in[1].shape.dim[0],
                          .words   = c->in[2].shape.dim[0],
                          .columns = c->in[0].shape.dim[1] };
    const int64_t   scores = c->in[4].shape.dim[0];

    for (int64_t r = low; r < high; r++)
        tl_forest_row(&f, c->in[3].data, c->in[3].shape.dim[0], c->in[4].data, scores,
                      (const float *)c->in[0].data + r * f.columns,
                      (float *)c->out[0].data + r * scores);
}

static tl_status forest_run(tl_ctx *ctx, const tl_call *call)
{
    tl_call c = *call;

    (void)ctx;
    if (c.out[0].data)
        tl_par_for(c.threads, c.in[0].shape.dim[0], 64, forest_rows, &c);
    return TL_OK;
}

static const tl_kernel kernels[] = { { "forest", NULL, forest_run, NULL } };
const tl_kernel_list   tl_cpu_forest = { kernels, TL_COUNT(kernels) };
