/* conv.c -- two-dimensional convolution (cross-correlation, as everywhere in deep learning):
 * grouped, strided, dilated, padded on each side, with bias and activation; and its gradients.
 * Source: LeCun et al. 1989; Dumoulin and Visin 2016, arXiv:1603.07285, for the arithmetic.
 * Floor 1, tensor. */
#include "tensor/ops/inside.h"

/* Everything a loop needs to know. */
typedef struct {
    int64_t      n, h, w, c, oh, ow, o, kh, kw, cg, og; /* cg, og: channels of a group */
    tl_conv_attr a;
} geometry;

static geometry geometry_of(const tl_conv_attr *a, const tl_shape *x, const tl_shape *w,
                            const tl_shape *y)
{
    return (geometry){ .n = x->dim[0], .h = x->dim[1], .w = x->dim[2], .c = x->dim[3],
                       .oh = y->dim[1], .ow = y->dim[2], .o = w->dim[0], .kh = w->dim[2],
                       .kw = w->dim[3], .cg = w->dim[1], .og = w->dim[0] / a->groups, .a = *a };
}

static int64_t out_size(int64_t in, int64_t k, int pad, int stride, int dilation)
{
    const int64_t room = in + pad - ((k - 1) * dilation + 1);

    return room < 0 ? 0 : room / stride + 1;
}

static bool sound_attr(tl_graph *g, const tl_conv_attr *a, const tl_shape *w)
{
    enum { MOST = 1 << 16 };
    bool good = a->groups >= 1 && w->dim[2] < MOST && w->dim[3] < MOST;

    for (int i = 0; i < 2; i++)
        good &= a->stride[i] >= 1 && a->stride[i] < MOST && a->dilation[i] >= 1 &&
                a->dilation[i] < MOST;
    for (int i = 0; i < 4; i++) good &= a->pad[i] >= 0 && a->pad[i] < MOST;
    if (!good)
        tl_graph_fail(g, "conv: kernel, stride, dilation, groups or padding is out of range");
    return good;
}

static tl_status conv_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_conv_attr *a = n->attr;
    const tl_shape     *x = tl_in_shape(g, n, 0), *w = tl_in_shape(g, n, 1);

    if (tl_need_float(g, n, 0) != TL_OK || tl_need_axes(g, n, 0, 4) != TL_OK ||
        tl_need_axes(g, n, 1, 4) != TL_OK || !sound_attr(g, a, w))
        return TL_EUSAGE;
    if (x->dim[3] % a->groups || w->dim[0] % a->groups || x->dim[3] / a->groups != w->dim[1])
        return tl_graph_fail(g, "conv: %" PRId64 " channels in %d groups do not fit a weight of %"
                             PRId64 " outputs by %" PRId64 " channels (are the picture's channels "
                             "those of the weights?)", x->dim[3], a->groups, w->dim[0], w->dim[1]);
    tl_set_out(out, tl_in(g, n, 0)->dtype,
               TL_SHAPE(x->dim[0],
                        out_size(x->dim[1], w->dim[2], a->pad[0] + a->pad[2], a->stride[0],
                                 a->dilation[0]),
                        out_size(x->dim[2], w->dim[3], a->pad[1] + a->pad[3], a->stride[1],
                                 a->dilation[1]),
                        w->dim[0]));
    return tl_need_vector(g, n, 2, w->dim[0]);
}

static void conv_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    tl_conv_grad_attr a = { .conv = *(const tl_conv_attr *)n->attr };
    tl_tensor         d = dy[0];

    if (a.conv.act != TL_ACT_NONE)
        d = TL_APPLY(g, act_grad, (&(tl_act_grad_attr){ a.conv.act, true }), d, n->out[0]);
    a.conv.act = TL_ACT_NONE;
    /* the weight's first: afterwards x may give its place to dx */
    if (tl_wants(g, n, 1) || (n->in[2] && tl_wants(g, n, 2))) {
        a.shape = *tl_in_shape(g, n, 1);
        dx[1]   = TL_APPLY(g, conv_dw, &a, d, tl_wants(g, n, 1) ? n->in[0] : 0);
        dx[2]   = tl_graph_out(g, dx[1], 1);
    }
    if (tl_wants(g, n, 0)) {
        a.shape = *tl_in_shape(g, n, 0);
        dx[0]   = TL_APPLY(g, conv_dx, &a, d, n->in[1]);
    }
}

static double products(const tl_shape *y, const tl_shape *w)
{
    return 2.0 * (double)tl_shape_count(y) * (double)(w->dim[1] * w->dim[2] * w->dim[3]);
}

static double conv_flops(const tl_graph *g, const tl_node *n)
{
    return products(tl_graph_shape(g, n->out[0]), tl_in_shape(g, n, 1));
}

/* Row of x under row k of the window at output row o; -1 when it is padding. */
static int64_t in_row(const geometry *m, int64_t o, int64_t k)
{
    const int64_t i = o * m->a.stride[0] - m->a.pad[0] + k * m->a.dilation[0];

    return i >= 0 && i < m->h ? i : -1;
}

static int64_t in_col(const geometry *m, int64_t o, int64_t k)
{
    const int64_t i = o * m->a.stride[1] - m->a.pad[1] + k * m->a.dilation[1];

    return i >= 0 && i < m->w ? i : -1;
}

static double one_output(const geometry *m, const tl_call *c, int64_t n, int64_t oy, int64_t ox,
                         int64_t o)
{
    const float *w   = (const float *)c->in[1].data + o * m->cg * m->kh * m->kw;
    double       sum = 0.0;

    for (int64_t ky = 0; ky < m->kh; ky++)
        for (int64_t kx = 0; kx < m->kw; kx++) {
            const int64_t y = in_row(m, oy, ky), x = in_col(m, ox, kx);
            if (y < 0 || x < 0) continue;
            sum += tl_dot(&c->in[0], ((n * m->h + y) * m->w + x) * m->c + o / m->og * m->cg, 1,
                          w + ky * m->kw + kx, m->kh * m->kw, m->cg);
        }
    return sum;
}

static void conv_ref(const tl_call *c)
{
    const tl_conv_attr *a = c->node->attr;
    const geometry      m = geometry_of(a, &c->in[0].shape, &c->in[1].shape, &c->out[0].shape);
    const float        *b = c->in[2].data;
    int64_t             i = 0;

    for (int64_t n = 0; n < m.n; n++)
        for (int64_t oy = 0; oy < m.oh; oy++)
            for (int64_t ox = 0; ox < m.ow; ox++)
                for (int64_t o = 0; o < m.o; o++, i++) {
                    const double sum = one_output(&m, c, n, oy, ox, o) + (b ? (double)b[o] : 0.0);
                    tl_set(&c->out[0], i, tl_act_value(a->act, sum));
                }
}

static tl_status conv_dx_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_conv_grad_attr *a = n->attr;

    tl_set_out(out, tl_in(g, n, 0)->dtype, a->shape);
    return TL_OK;
}

static double conv_dx_flops(const tl_graph *g, const tl_node *n)
{
    return products(tl_in_shape(g, n, 0), tl_in_shape(g, n, 1));
}

/* Output row whose window has row i of x under its row k; -1 when there is none. */
static int64_t out_place(int64_t i, int64_t k, int pad, int stride, int dilation, int64_t size)
{
    const int64_t at = i + pad - k * dilation;

    return at >= 0 && at % stride == 0 && at / stride < size ? at / stride : -1;
}

static double one_input(const geometry *m, const tl_call *c, int64_t n, int64_t y, int64_t x,
                        int64_t ch)
{
    const int64_t first = ch / m->cg * m->og, area = m->kh * m->kw;
    const float  *w     = (const float *)c->in[1].data + (first * m->cg + ch % m->cg) * area;
    double        sum   = 0.0;

    for (int64_t ky = 0; ky < m->kh; ky++) {
        const int64_t oy = out_place(y, ky, m->a.pad[0], m->a.stride[0], m->a.dilation[0], m->oh);
        for (int64_t kx = 0; kx < m->kw && oy >= 0; kx++) {
            const int64_t ox = out_place(x, kx, m->a.pad[1], m->a.stride[1], m->a.dilation[1],
                                         m->ow);
            if (ox < 0) continue;
            sum += tl_dot(&c->in[0], ((n * m->oh + oy) * m->ow + ox) * m->o + first, 1,
                          w + ky * m->kw + kx, m->cg * area, m->og);
        }
    }
    return sum;
}

static void conv_dx_ref(const tl_call *c)
{
    const tl_conv_grad_attr *a = c->node->attr;
    const geometry m = geometry_of(&a->conv, &a->shape, &c->in[1].shape, &c->in[0].shape);
    int64_t        i = 0;

    for (int64_t n = 0; n < m.n; n++)
        for (int64_t y = 0; y < m.h; y++)
            for (int64_t x = 0; x < m.w; x++)
                for (int64_t ch = 0; ch < m.c; ch++, i++)
                    tl_set(&c->out[0], i, one_input(&m, c, n, y, x, ch));
}

static tl_status conv_dw_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_conv_grad_attr *a = n->attr;

    (void)g;
    tl_set_out(&out[0], TL_F32, a->shape);
    tl_set_out(&out[1], TL_F32, TL_SHAPE(a->shape.dim[0]));
    return TL_OK;
}

static double conv_dw_flops(const tl_graph *g, const tl_node *n)
{
    const tl_conv_grad_attr *a = n->attr;

    return n->in[1] ? products(tl_in_shape(g, n, 0), &a->shape) : 0.0;
}

static double one_weight(const geometry *m, const tl_call *c, int64_t o, int64_t ch, int64_t ky,
                         int64_t kx)
{
    double sum = 0.0;

    for (int64_t n = 0; n < m->n; n++)
        for (int64_t oy = 0; oy < m->oh; oy++) {
            const int64_t y = in_row(m, oy, ky);
            for (int64_t ox = 0; ox < m->ow && y >= 0; ox++) {
                const int64_t x = in_col(m, ox, kx);
                if (x < 0) continue;
                sum += tl_get(&c->in[0], ((n * m->oh + oy) * m->ow + ox) * m->o + o) *
                       tl_get(&c->in[1], ((n * m->h + y) * m->w + x) * m->c +
                                             o / m->og * m->cg + ch);
            }
        }
    return sum;
}

static void conv_dw_ref(const tl_call *c)
{
    const tl_conv_grad_attr *a    = c->node->attr;
    const int64_t            outs = a->shape.dim[0];
    const int64_t            rows = tl_shape_count(&c->in[0].shape) / outs;
    int64_t                  i    = 0;

    if (c->out[0].data) {
        const geometry m = geometry_of(&a->conv, &c->in[1].shape, &a->shape, &c->in[0].shape);
        for (int64_t o = 0; o < m.o; o++)
            for (int64_t ch = 0; ch < m.cg; ch++)
                for (int64_t ky = 0; ky < m.kh; ky++)
                    for (int64_t kx = 0; kx < m.kw; kx++, i++)
                        tl_set(&c->out[0], i, one_weight(&m, c, o, ch, ky, kx));
    }
    for (int64_t o = 0; o < outs && c->out[1].data; o++) {
        double sum = 0.0;
        for (int64_t r = 0; r < rows; r++) sum += tl_get(&c->in[0], r * outs + o);
        tl_set(&c->out[1], o, sum);
    }
}

#define ATTR(...) .attr = &(const tl_conv_attr){ __VA_ARGS__ }, .attr_bytes = sizeof(tl_conv_attr)
#define RANGE .low = -1.0, .high = 1.0
#define ONES .stride = { 1, 1 }, .dilation = { 1, 1 }
static const tl_sample samples[] = {
    { .label = "3x3 same, bias, relu",
      .in = { { 4, { 2, 5, 4, 3 } }, { 4, { 4, 3, 3, 3 } }, { 1, { 4 } } }, RANGE,
      ATTR(ONES, .groups = 1, .pad = { 1, 1, 1, 1 }, .act = TL_ACT_RELU) },
    { .label = "1x1, no bias",
      .in = { { 4, { 2, 3, 3, 5 } }, { 4, { 4, 5, 1, 1 } }, { -1, { 0 } } },
      RANGE, ATTR(ONES, .groups = 1) },
    { .label = "stride 2, TensorFlow padding",
      .in = { { 4, { 2, 6, 7, 2 } }, { 4, { 3, 2, 3, 3 } }, { 1, { 3 } } }, RANGE,
      ATTR(.stride = { 2, 2 }, .dilation = { 1, 1 }, .groups = 1, .pad = { 0, 1, 1, 1 }) },
    { .label = "depthwise, relu6",
      .in = { { 4, { 2, 5, 5, 4 } }, { 4, { 4, 1, 3, 3 } }, { 1, { 4 } } }, RANGE,
      ATTR(ONES, .groups = 4, .pad = { 1, 1, 1, 1 }, .act = TL_ACT_RELU6) },
    { .label = "two groups, dilated, odd strides",
      .in = { { 4, { 1, 7, 8, 4 } }, { 4, { 6, 2, 3, 2 } }, { -1, { 0 } } }, RANGE,
      ATTR(.stride = { 1, 3 }, .dilation = { 2, 1 }, .groups = 2, .pad = { 2, 0, 1, 1 }) },
    { .label = "bf16", .in = { { 4, { 2, 6, 6, 8 } }, { 4, { 16, 8, 3, 3 } }, { 1, { 16 } } },
      .dtype = { TL_BF16 }, RANGE,
      ATTR(ONES, .groups = 1, .pad = { 1, 1, 1, 1 }, .act = TL_ACT_RELU) },
};

const tl_op tl_op_conv = {
    .name = "conv", .doc = "two-dimensional convolution, plus bias, through an activation",
    .source = "LeCun et al. 1989; Dumoulin and Visin 2016, arXiv:1603.07285",
    .least_in = 2, .most_in = 3, .n_out = 1, .optional = 4,
    .shape = conv_shape, .grad = conv_backward, .ref = conv_ref, .flops = conv_flops,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_conv_dx = {
    .name = "conv_dx", .doc = "gradient of conv in its input", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 1,
    .shape = conv_dx_shape, .ref = conv_dx_ref, .flops = conv_dx_flops,
};
const tl_op tl_op_conv_dw = {
    .name = "conv_dw", .doc = "gradient of conv in weight and bias", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 2, .optional = 2,
    .shape = conv_dw_shape, .ref = conv_dw_ref, .flops = conv_dw_flops,
};

void tl_pad_same(int64_t size, int kernel, int stride, int dilation, int *before, int *after)
{
    const int64_t outs = (size + stride - 1) / stride;
    const int64_t need = (outs - 1) * stride + (int64_t)(kernel - 1) * dilation + 1 - size;

    *before = (int)(TL_MAX(need, 0) / 2);
    *after  = (int)(TL_MAX(need, 0) - *before);
}

tl_tensor tl_conv(tl_graph *g, tl_tensor x, tl_tensor w, tl_tensor b, const tl_conv_attr *attr)
{
    tl_conv_attr a     = *attr;
    const bool   fused = tl_act_from_output(a.act);
    tl_tensor    y;

    for (int i = 0; i < 2; i++) {
        if (a.stride[i] == 0) a.stride[i] = 1;
        if (a.dilation[i] == 0) a.dilation[i] = 1;
    }
    if (a.groups == 0) a.groups = 1;
    if (!fused) a.act = TL_ACT_NONE;
    y = TL_APPLY(g, conv, &a, x, w, b);
    return fused ? y : tl_act(g, y, attr->act);
}
