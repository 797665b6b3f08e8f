/* hog.c -- histograms of oriented gradients, some pictures a thread.  Floor 1, backend/cpu. */
#include "tensor/hog.h"
#include "backend/cpu/kernels.h"

static void hog_rows(void *arg, int64_t low, int64_t high)
{
    const tl_call     *c   = arg;
    const tl_hog_attr *a   = c->node->attr;
    const tl_shape    *s   = &c->in[0].shape;
    const tl_hog       h   = { s->dim[1], s->dim[2], s->dim[3], a->cell };
    const int64_t      row = s->dim[1] * s->dim[2] * s->dim[3];

    for (int64_t r = low; r < high; r++)
        tl_hog_row(&h, (const float *)c->in[0].data + r * row,
                   (float *)c->out[0].data + r * tl_hog_width(&h));
}

static tl_status hog_run(tl_ctx *ctx, const tl_call *call)
{
    tl_call c = *call;

    (void)ctx;
    if (c.out[0].data) tl_par_for(c.threads, c.in[0].shape.dim[0], 1, hog_rows, &c);
    return TL_OK;
}

static const tl_kernel kernels[]  = { { "hog", NULL, hog_run, NULL } };
const tl_kernel_list   tl_cpu_hog = { kernels, TL_COUNT(kernels) };
