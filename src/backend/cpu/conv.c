/* conv.c -- convolution on our own loops, for what oneDNN is not there or not fit for.  Windows
 * are written out as rows (im2col) of one picture and one group at a time and multiplied by
 * weights in [o kh kw c] order; a convolution of each channel by itself has its own loops.
 * Source: Chellapilla et al. 2006 for im2col.  Floor 1, backend/cpu. */
#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels.h"

#include <string.h>

typedef struct {
    const tl_call *call;
    const tl_simd *loops;
    tl_window      win;
    int64_t n, groups, c, o, ci, co, depth; /* ci, co of a group; depth = kh kw ci */
    tl_activation act;
    bool          bf, direct, depthwise;
    float        *w, *made; /* weights as we like them, their gradient */
    void         *col;      /* [oh ow][depth] */
    const void   *picture;  /* of the im2col at hand */
    void         *to;
    int64_t       group;
} conv;

static size_t col_bytes(const conv *k, bool f32)
{
    return k->direct || k->depthwise
               ? 0
               : tl_padded((size_t)(k->win.oh * k->win.ow * k->depth) *
                           (f32 || !k->bf ? 4 : 2));
}

/* `x`, `y`: shapes of input and output; `w`: of the weights. */
static conv conv_of(const tl_call *call, const tl_conv_attr *a, const tl_shape *x,
                    const tl_shape *w, const tl_shape *y)
{
    conv k = { .call   = call,
               .loops  = tl_loops(call),
               .n      = x->dim[0],
               .groups = a->groups,
               .c      = x->dim[3],
               .o      = y->dim[3],
               .ci     = w->dim[1],
               .co     = w->dim[0] / a->groups,
               .act    = a->act,
               .bf     = tl_is_bf(&call->in[0]),
               .win    = { .h      = x->dim[1],
                           .w      = x->dim[2],
                           .c      = x->dim[3],
                           .oh     = y->dim[1],
                           .ow     = y->dim[2],
                           .kh     = (int)w->dim[2],
                           .kw     = (int)w->dim[3],
                           .sh     = a->stride[0],
                           .sw     = a->stride[1],
                           .dh     = a->dilation[0],
                           .dw     = a->dilation[1],
                           .top    = a->pad[0],
                           .left   = a->pad[1],
                           .bottom = a->pad[2],
                           .right  = a->pad[3] } };

    k.depth     = k.ci * k.win.kh * k.win.kw;
    k.depthwise = k.ci == 1 && k.co == 1 && k.groups == k.c && k.groups > 1;
    k.direct    = k.win.kh == 1 && k.win.kw == 1 && k.win.sh == 1 && k.win.sw == 1 &&
               k.win.oh == k.win.h && k.win.ow == k.win.w && a->pad[0] == 0 &&
               a->pad[1] == 0;
    k.w    = call->work;
    k.made = call->work;
    if (call->work)
        k.col = (char *)call->work + tl_padded((size_t)(k.o * k.depth) * sizeof(float));
    return k;
}

static conv forward_of(const tl_call *call)
{
    return conv_of(call, call->node->attr, &call->in[0].shape, &call->in[1].shape,
                   &call->out[0].shape);
}
static conv dx_of(const tl_call *call)
{
    const tl_conv_grad_attr *a = call->node->attr;

    return conv_of(call, &a->conv, &a->shape, &call->in[1].shape, &call->in[0].shape);
}
static conv dw_of(const tl_call *call)
{
    const tl_conv_grad_attr *a = call->node->attr;

    return conv_of(call, &a->conv, &call->in[1].shape, &a->shape, &call->in[0].shape);
}

/* [o ci kh kw] <-> [o kh kw ci], or <-> [kh kw c] where each channel is by itself. */
static void reorder_weights(const conv *k, const float *from, float *to, bool back)
{
    const int64_t area = (int64_t)k->win.kh * k->win.kw;

    for (int64_t o = 0; o < k->o; o++)
        for (int64_t i = 0; i < k->ci; i++)
            for (int64_t t = 0; t < area; t++) {
                const int64_t plain = (o * k->ci + i) * area + t;
                const int64_t ours =
                    k->depthwise ? t * k->c + o : (o * area + t) * k->ci + i;
                if (back)
                    to[plain] = from[ours];
                else
                    to[ours] = from[plain];
            }
}

static size_t element(const conv *k)
{
    return k->bf ? 2 : 4;
}

/* Output rows [low, high) of the picture at hand as rows of col. */
static void unfold_rows(void *arg, int64_t low, int64_t high)
{
    const conv      *k   = arg;
    const tl_window *w   = &k->win;
    const size_t     run = (size_t)k->ci * element(k), pixel = (size_t)k->c * element(k);
    const char *from = (const char *)k->picture + (size_t)(k->group * k->ci) * element(k);
    char *to = (char *)k->col + (size_t)(low * w->ow) * (size_t)k->depth * element(k);

    for (int64_t oy = low; oy < high; oy++)
        for (int64_t ox = 0; ox < w->ow; ox++)
            for (int t = 0; t < w->kh; t++)
                for (int u = 0; u < w->kw; u++, to += run) {
                    const int64_t r = oy * w->sh - w->top + (int64_t)t * w->dh;
                    const int64_t s = ox * w->sw - w->left + (int64_t)u * w->dw;
                    if (r < 0 || r >= w->h || s < 0 || s >= w->w)
                        memset(to, 0, run);
                    else
                        memcpy(to, from + (size_t)(r * w->w + s) * pixel, run);
                }
}

/* Rows of windows of picture n, group g, and how far apart they lie. */
static const void *windows(conv *k, const tl_view *x, int64_t n, int64_t g,
                           int64_t *apart)
{
    const int64_t at = n * k->win.h * k->win.w * k->c;

    *apart = k->direct ? k->c : k->depth;
    if (k->direct) return tl_place(x, at + g * k->ci);
    k->picture = tl_place(x, at);
    k->group   = g;
    tl_par_for(k->call->threads, k->win.oh, TL_MAX(1, 8192 / (k->win.ow * k->depth)),
               unfold_rows, k);
    return k->col;
}

static void depthwise_rows(void *arg, int64_t low, int64_t high)
{
    const conv    *k = arg;
    const tl_call *c = k->call;

    k->loops->depthwise(&k->win, k->act, low, high, c->in[0].data, k->w, c->in[2].data,
                        c->out[0].data, k->bf);
}

static tl_status conv_run(tl_ctx *ctx, const tl_call *call)
{
    conv          k    = forward_of(call);
    const int64_t area = k.win.oh * k.win.ow;
    const float  *bias = call->in[2].data;

    (void)ctx;
    if (!call->out[0].data) return TL_OK;
    reorder_weights(&k, call->in[1].data, k.w, false);
    if (k.depthwise) {
        tl_par_for(call->threads, k.n * k.win.oh, 1, depthwise_rows, &k);
        return TL_OK;
    }
    for (int64_t n = 0; n < k.n; n++)
        for (int64_t g = 0; g < k.groups; g++) {
            tl_gemm m = { .m    = area,
                          .n    = k.co,
                          .k    = k.depth,
                          .b    = k.w + g * k.co * k.depth,
                          .c    = tl_place(&call->out[0], n * area * k.o + g * k.co),
                          .ak   = 1,
                          .ldb  = k.depth,
                          .ldc  = k.o,
                          .a_bf = k.bf,
                          .c_bf = k.bf,
                          .bias = bias ? bias + g * k.co : NULL,
                          .act  = k.act };
            m.a       = windows(&k, &call->in[0], n, g, &m.ai);
            tl_gemm_dot(k.loops, &m, call->threads);
        }
    return TL_OK;
}

/* Input rows [low, high) of the picture at hand: each pixel sums what its windows hold of it. */
static void fold_rows(void *arg, int64_t low, int64_t high)
{
    const conv      *k   = arg;
    const tl_window *w   = &k->win;
    const float     *col = k->col;

    for (int64_t y = low; y < high; y++)
        for (int64_t x = 0; x < w->w; x++)
            for (int64_t i = 0; i < k->ci; i++) {
                const int64_t at  = (y * w->w + x) * k->c + k->group * k->ci + i;
                float         sum = 0.0f;
                for (int t = 0; t < w->kh; t++)
                    for (int u = 0; u < w->kw; u++) {
                        const int64_t r = y + w->top - (int64_t)t * w->dh;
                        const int64_t s = x + w->left - (int64_t)u * w->dw;
                        if (r < 0 || s < 0 || r % w->sh || s % w->sw) continue;
                        if (r / w->sh >= w->oh || s / w->sw >= w->ow) continue;
                        sum += col[(r / w->sh * w->ow + s / w->sw) * k->depth +
                                   (int64_t)(t * w->kw + u) * k->ci + i];
                    }
                if (k->bf)
                    ((uint16_t *)k->to)[at] = tl_f32_to_bf16(sum);
                else
                    ((float *)k->to)[at] = sum;
            }
}

static void depthwise_dx_rows(void *arg, int64_t low, int64_t high)
{
    const conv *k = arg;

    k->loops->depthwise_dx(&k->win, low, high, k->call->in[0].data, k->w,
                           k->call->out[0].data, k->bf);
}

static tl_status conv_dx_run(tl_ctx *ctx, const tl_call *call)
{
    conv          k    = dx_of(call);
    const int64_t area = k.win.oh * k.win.ow, inner = k.win.h * k.win.w;

    (void)ctx;
    if (!call->out[0].data) return TL_OK;
    reorder_weights(&k, call->in[1].data, k.w, false);
    if (k.depthwise) {
        tl_par_for(call->threads, k.n * k.win.h, 1, depthwise_dx_rows, &k);
        return TL_OK;
    }
    for (int64_t n = 0; n < k.n; n++)
        for (int64_t g = 0; g < k.groups; g++) {
            tl_gemm m = { .m    = area,
                          .n    = k.depth,
                          .k    = k.co,
                          .ai   = k.o,
                          .ak   = 1,
                          .ldb  = k.depth,
                          .a    = tl_place(&call->in[0], n * area * k.o + g * k.co),
                          .b    = k.w + g * k.co * k.depth,
                          .a_bf = k.bf };
            k.group   = g;
            k.to      = tl_place(&call->out[0], n * inner * k.c);
            m.c = k.direct ? tl_place(&call->out[0], n * inner * k.c + g * k.ci) : k.col;
            m.ldc  = k.direct ? k.c : k.depth;
            m.c_bf = k.direct && k.bf;
            tl_gemm_outer(k.loops, &m, call->threads);
            if (!k.direct) tl_par_for(call->threads, k.win.h, 1, fold_rows, &k);
        }
    return TL_OK;
}

enum {
    CHANNELS = 16
}; /* of a piece of depthwise weight gradients: a vector or several */

static void depthwise_dw_channels(void *arg, int64_t low, int64_t high)
{
    const conv *k = arg;

    k->loops->depthwise_dw(&k->win, k->n, low * CHANNELS, TL_MIN(high * CHANNELS, k->c),
                           k->call->in[0].data, k->call->in[1].data, k->made, k->bf);
}

static void weight_gradient(conv *k)
{
    const tl_call *call = k->call;
    const int64_t  area = k->win.oh * k->win.ow;

    if (k->depthwise) {
        tl_par_for(call->threads, (k->c + CHANNELS - 1) / CHANNELS, 1,
                   depthwise_dw_channels, k);
    } else {
        for (int64_t n = 0; n < k->n; n++)
            for (int64_t g = 0; g < k->groups; g++) {
                tl_gemm m = { .m    = k->co,
                              .n    = k->depth,
                              .k    = area,
                              .ai   = 1,
                              .ak   = k->o,
                              .a    = tl_place(&call->in[0], n * area * k->o + g * k->co),
                              .c    = k->made + g * k->co * k->depth,
                              .ldc  = k->depth,
                              .a_bf = k->bf,
                              .b_bf = k->bf,
                              .accumulate = n > 0 };
                m.b       = windows(k, &call->in[1], n, g, &m.ldb);
                tl_gemm_outer(k->loops, &m, call->threads);
            }
    }
    reorder_weights(k, k->made, call->out[0].data, true);
}

static tl_status conv_dw_run(tl_ctx *ctx, const tl_call *call)
{
    const int64_t o = tl_columns(&call->in[0]), rows = tl_rows(&call->in[0]);

    (void)ctx;
    if (call->out[0].data) {
        conv k = dw_of(call);
        weight_gradient(&k);
    }
    if (call->out[1].data)
        tl_column_sums(tl_loops(call), call->threads, rows, o, &call->in[0], NULL,
                       call->work, call->out[1].data);
    return TL_OK;
}

static tl_status conv_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                              size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);
    const conv      k  = forward_of(call);

    *work_bytes =
        tl_padded((size_t)(k.o * k.depth) * sizeof(float)) + col_bytes(&k, false);
    return rc;
}

static tl_status conv_dx_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                 size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);
    const conv      k  = dx_of(call);

    *work_bytes =
        tl_padded((size_t)(k.o * k.depth) * sizeof(float)) + col_bytes(&k, true);
    return rc;
}

static tl_status conv_dw_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                 size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);
    size_t need        = tl_column_work(tl_rows(&call->in[0]), tl_columns(&call->in[0]));

    if (call->node->in[1]) {
        const conv   k = dw_of(call);
        const size_t own =
            tl_padded((size_t)(k.o * k.depth) * sizeof(float)) + col_bytes(&k, false);
        need = TL_MAX(need, own);
    }
    *work_bytes = need;
    return rc;
}

static const tl_kernel kernels[] = {
    { "conv", conv_prepare, conv_run, NULL },
    { "conv_dx", conv_dx_prepare, conv_dx_run, NULL },
    { "conv_dw", conv_dw_prepare, conv_dw_run, NULL },
};
const tl_kernel_list tl_cpu_conv = { kernels, TL_COUNT(kernels) };
