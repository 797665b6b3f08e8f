/* lora_norm.c -- lengths of the rows of W + s B A, some rows a thread; a row goes by in blocks
 * that stay in the first cache.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"

#include <math.h>

enum { BLOCK = 512 };

static double block_square(const float *w, const float *a, const float *b, int64_t r,
                           int64_t in, int64_t n, float scale)
{
    float  sum[BLOCK] = { 0 };
    double square     = 0.0;

    for (int64_t k = 0; k < r; k++)
        for (int64_t i = 0; i < n; i++) sum[i] += b[k] * a[k * in + i];
    for (int64_t i = 0; i < n; i++) {
        const double v = (double)(w[i] + scale * sum[i]);
        square += v * v;
    }
    return square;
}

static void norm_rows(void *arg, int64_t low, int64_t high)
{
    const tl_call       *c  = arg;
    const tl_scale_attr *s  = c->node->attr;
    const int64_t        in = c->in[0].shape.dim[1], r = c->in[1].shape.dim[0];
    const float         *w = c->in[0].data, *a = c->in[1].data, *b = c->in[2].data;

    for (int64_t o = low; o < high; o++) {
        double square = 0.0;
        for (int64_t i = 0; i < in; i += BLOCK)
            square += block_square(w + o * in + i, a + i, b + o * r, r, in,
                                   TL_MIN((int64_t)BLOCK, in - i), s->factor);
        ((float *)c->out[0].data)[o] = square > 0.0 ? (float)(1.0 / sqrt(square)) : 0.0f;
    }
}

static tl_status norm_run(tl_ctx *ctx, const tl_call *call)
{
    tl_call c = *call;

    (void)ctx;
    if (c.out[0].data) tl_par_for(c.threads, c.in[0].shape.dim[0], 16, norm_rows, &c);
    return TL_OK;
}

static const tl_kernel kernels[] = { { "lora_norm", NULL, norm_run, NULL } };
const tl_kernel_list   tl_cpu_lora_norm = { kernels, TL_COUNT(kernels) };
