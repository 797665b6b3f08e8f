/* pool.c -- maximum and average over windows, with ceil mode, and their gradients.
 * Source: Boureau et al. 2010; the ceil mode is Caffe's and PyTorch's: a window must start
 * inside the picture or its padding before it.  Floor 1, tensor. */
#include "tensor/ops/inside.h"

#include <math.h>

typedef struct {
    int64_t      n, h, w, c, oh, ow;
    tl_pool_attr a;
} geometry;

static geometry geometry_of(const tl_pool_attr *a, const tl_shape *x, const tl_shape *y)
{
    return (geometry){ .n = x->dim[0], .h = x->dim[1], .w = x->dim[2], .c = x->dim[3],
                       .oh = y->dim[1], .ow = y->dim[2], .a = *a };
}

static int64_t out_size(int64_t in, int kernel, int stride, int before, int after, bool ceil)
{
    const int64_t room = in + before + after - kernel;
    int64_t       outs;

    if (room < 0) return 0;
    outs = (room + (ceil ? stride - 1 : 0)) / stride + 1;
    if (ceil && (outs - 1) * stride >= in + before) outs--;
    return outs;
}

static bool sound_attr(tl_graph *g, const tl_pool_attr *a)
{
    enum { MOST = 1 << 15 };
    bool good = true;

    for (int i = 0; i < 2; i++)
        good &= a->kernel[i] >= 1 && a->kernel[i] < MOST && a->stride[i] >= 1 &&
                a->stride[i] < MOST;
    for (int i = 0; i < 4; i++) good &= a->pad[i] >= 0 && a->pad[i] < a->kernel[i % 2];
    if (!good)
        tl_graph_fail(g, "pool: kernel, stride or padding is out of range (padding must be less "
                      "than the kernel)");
    return good;
}

static tl_status pool_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_pool_attr *a = n->attr;
    const tl_shape     *x = tl_in_shape(g, n, 0);

    if (tl_need_float(g, n, 0) != TL_OK || tl_need_axes(g, n, 0, 4) != TL_OK || !sound_attr(g, a))
        return TL_EUSAGE;
    tl_set_out(out, tl_in(g, n, 0)->dtype,
               TL_SHAPE(x->dim[0],
                        out_size(x->dim[1], a->kernel[0], a->stride[0], a->pad[0], a->pad[2],
                                 a->ceil),
                        out_size(x->dim[2], a->kernel[1], a->stride[1], a->pad[1], a->pad[3],
                                 a->ceil),
                        x->dim[3]));
    return TL_OK;
}

static tl_status max_pool_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_pool_attr *a  = n->attr;
    const tl_status     rc = pool_shape(g, n, out);

    tl_set_out(&out[1], (int64_t)a->kernel[0] * a->kernel[1] > 256 ? TL_I32 : TL_U8, out[0].shape);
    return rc;
}

static tl_status pool_grad_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_pool_grad_attr *a = n->attr;

    tl_set_out(out, tl_in(g, n, 0)->dtype, a->shape);
    return TL_OK;
}

static void max_pool_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_pool_grad_attr a = { *(const tl_pool_attr *)n->attr, *tl_in_shape(g, n, 0) };

    dx[0] = TL_APPLY(g, max_pool_grad, &a, dy[0], n->out[1]);
}

static void avg_pool_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    const tl_pool_grad_attr a = { *(const tl_pool_attr *)n->attr, *tl_in_shape(g, n, 0) };

    dx[0] = TL_APPLY(g, avg_pool_grad, &a, dy[0]);
}

/* Calls one(m, c, n, oy, ox) for every window. */
static void each_window(const geometry *m, const tl_call *c,
                        void (*one)(const geometry *, const tl_call *, int64_t, int64_t, int64_t))
{
    for (int64_t n = 0; n < m->n; n++)
        for (int64_t oy = 0; oy < m->oh; oy++)
            for (int64_t ox = 0; ox < m->ow; ox++) one(m, c, n, oy, ox);
}

static int64_t top_of(const geometry *m, int64_t oy) { return oy * m->a.stride[0] - m->a.pad[0]; }
static int64_t left_of(const geometry *m, int64_t ox) { return ox * m->a.stride[1] - m->a.pad[1]; }

static bool inside(const geometry *m, int64_t y, int64_t x)
{
    return y >= 0 && y < m->h && x >= 0 && x < m->w;
}

static void max_window(const geometry *m, const tl_call *c, int64_t n, int64_t oy, int64_t ox)
{
    const int64_t to = ((n * m->oh + oy) * m->ow + ox) * m->c;

    for (int64_t ch = 0; ch < m->c; ch++) {
        double best  = -INFINITY;
        int    place = -1;
        for (int k = 0; k < m->a.kernel[0] * m->a.kernel[1]; k++) {
            const int64_t y = top_of(m, oy) + k / m->a.kernel[1];
            const int64_t x = left_of(m, ox) + k % m->a.kernel[1];
            if (!inside(m, y, x)) continue;
            const double v = tl_get(&c->in[0], ((n * m->h + y) * m->w + x) * m->c + ch);
            if (place >= 0 && !(v > best) && !(isnan(v) && !isnan(best))) continue;
            best  = v;
            place = k;
        }
        if (c->out[0].data) tl_set(&c->out[0], to + ch, best);
        if (c->out[1].data) tl_set(&c->out[1], to + ch, place);
    }
}

static void max_pool_ref(const tl_call *c)
{
    const geometry m = geometry_of(c->node->attr, &c->in[0].shape, &c->out[0].shape);

    each_window(&m, c, max_window);
}

static void clear(const tl_view *v)
{
    const int64_t n = tl_shape_count(&v->shape);

    for (int64_t i = 0; i < n; i++) tl_set(v, i, 0.0);
}

/* Windows that may overlap add up; gathering per pixel keeps the sum in double. */
typedef double (*share_of)(const geometry *m, const tl_call *c, int64_t to, int64_t oy, int64_t ox,
                           int k);

static double gathered(const geometry *m, const tl_call *c, int64_t n, int64_t y, int64_t x,
                       int64_t ch, share_of share)
{
    double sum = 0.0;

    for (int k = 0; k < m->a.kernel[0] * m->a.kernel[1]; k++) {
        const int64_t py = y + m->a.pad[0] - k / m->a.kernel[1];
        const int64_t px = x + m->a.pad[1] - k % m->a.kernel[1];
        if (py < 0 || px < 0 || py % m->a.stride[0] || px % m->a.stride[1]) continue;
        const int64_t oy = py / m->a.stride[0], ox = px / m->a.stride[1];
        if (oy >= m->oh || ox >= m->ow) continue;
        sum += share(m, c, ((n * m->oh + oy) * m->ow + ox) * m->c + ch, oy, ox, k);
    }
    return sum;
}

static void gather_all(const tl_call *c, share_of share)
{
    const tl_pool_grad_attr *a = c->node->attr;
    const geometry           m = geometry_of(&a->pool, &a->shape, &c->in[0].shape);
    int64_t                  i = 0;

    for (int64_t n = 0; n < m.n; n++)
        for (int64_t y = 0; y < m.h; y++)
            for (int64_t x = 0; x < m.w; x++)
                for (int64_t ch = 0; ch < m.c; ch++, i++)
                    tl_set(&c->out[0], i, gathered(&m, c, n, y, x, ch, share));
}

static double max_share(const geometry *m, const tl_call *c, int64_t to, int64_t oy, int64_t ox,
                        int k)
{
    (void)m, (void)oy, (void)ox;
    return (int)tl_get(&c->in[1], to) == k ? tl_get(&c->in[0], to) : 0.0;
}

static void max_pool_grad_ref(const tl_call *c)
{
    gather_all(c, max_share);
}

/* Pixels that an average divides by. */
static double divisor(const geometry *m, int64_t oy, int64_t ox)
{
    int64_t top = top_of(m, oy), left = left_of(m, ox), bottom = top + m->a.kernel[0];
    int64_t right = left + m->a.kernel[1];

    if (m->a.count_padding) {
        bottom = TL_MIN(bottom, m->h + m->a.pad[2]);
        right  = TL_MIN(right, m->w + m->a.pad[3]);
    } else {
        top    = TL_MAX(top, 0);
        left   = TL_MAX(left, 0);
        bottom = TL_MIN(bottom, m->h);
        right  = TL_MIN(right, m->w);
    }
    return (double)((bottom - top) * (right - left));
}

static void avg_window(const geometry *m, const tl_call *c, int64_t n, int64_t oy, int64_t ox)
{
    const int64_t to = ((n * m->oh + oy) * m->ow + ox) * m->c;

    for (int64_t ch = 0; ch < m->c; ch++) {
        double sum = 0.0;
        for (int k = 0; k < m->a.kernel[0] * m->a.kernel[1]; k++) {
            const int64_t y = top_of(m, oy) + k / m->a.kernel[1];
            const int64_t x = left_of(m, ox) + k % m->a.kernel[1];
            if (inside(m, y, x))
                sum += tl_get(&c->in[0], ((n * m->h + y) * m->w + x) * m->c + ch);
        }
        tl_set(&c->out[0], to + ch, sum / divisor(m, oy, ox));
    }
}

static void avg_pool_ref(const tl_call *c)
{
    const geometry m = geometry_of(c->node->attr, &c->in[0].shape, &c->out[0].shape);

    each_window(&m, c, avg_window);
}

static double avg_share(const geometry *m, const tl_call *c, int64_t to, int64_t oy, int64_t ox,
                        int k)
{
    (void)k;
    return tl_get(&c->in[0], to) / divisor(m, oy, ox);
}

static void avg_pool_grad_ref(const tl_call *c)
{
    gather_all(c, avg_share);
}

static tl_status global_shape(tl_graph *g, const tl_node *n, tl_tensor_info *out)
{
    const tl_shape *x = tl_in_shape(g, n, 0);

    if (tl_need_float(g, n, 0) != TL_OK || tl_need_axes(g, n, 0, 4) != TL_OK) return TL_EUSAGE;
    tl_set_out(&out[0], tl_in(g, n, 0)->dtype, TL_SHAPE(x->dim[0], x->dim[3]));
    tl_set_out(&out[1], TL_I32, out[0].shape);
    return TL_OK;
}

static void global_avg_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    dx[0] = TL_APPLY(g, global_avg_pool_grad, (&(tl_shape_attr){ *tl_in_shape(g, n, 0) }), dy[0]);
}

static void global_max_backward(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    dx[0] = TL_APPLY(g, global_max_pool_grad, (&(tl_shape_attr){ *tl_in_shape(g, n, 0) }), dy[0],
                     n->out[1]);
}

static void global_avg_ref(const tl_call *c)
{
    const tl_shape *s = &c->in[0].shape;
    const int64_t   pixels = s->dim[1] * s->dim[2], chans = s->dim[3];

    for (int64_t i = 0; i < s->dim[0] * chans; i++) {
        double sum = 0.0;
        for (int64_t p = 0; p < pixels; p++)
            sum += tl_get(&c->in[0], (i / chans * pixels + p) * chans + i % chans);
        tl_set(&c->out[0], i, sum / (double)pixels);
    }
}

static void global_avg_grad_ref(const tl_call *c)
{
    const tl_shape *s = &c->out[0].shape;
    const int64_t   pixels = s->dim[1] * s->dim[2], chans = s->dim[3];

    for (int64_t i = 0; i < s->dim[0] * pixels * chans; i++)
        tl_set(&c->out[0], i, tl_get(&c->in[0], i / (pixels * chans) * chans + i % chans) /
                                  (double)pixels);
}

static void global_max_ref(const tl_call *c)
{
    const tl_shape *s = &c->in[0].shape;
    const int64_t   pixels = s->dim[1] * s->dim[2], chans = s->dim[3];

    for (int64_t i = 0; i < s->dim[0] * chans; i++) {
        const int64_t from = i / chans * pixels * chans + i % chans;
        double        best = tl_get(&c->in[0], from);
        int64_t       at   = 0;
        for (int64_t p = 1; p < pixels; p++) {
            const double v = tl_get(&c->in[0], from + p * chans);
            if (!(v > best) && !(isnan(v) && !isnan(best))) continue;
            best = v;
            at   = p;
        }
        if (c->out[0].data) tl_set(&c->out[0], i, best);
        if (c->out[1].data) ((int32_t *)c->out[1].data)[i] = (int32_t)at;
    }
}

static void global_max_grad_ref(const tl_call *c)
{
    const tl_shape *s = &c->out[0].shape;
    const int64_t   pixels = s->dim[1] * s->dim[2], chans = s->dim[3];
    const int32_t  *at = c->in[1].data;

    clear(&c->out[0]);
    for (int64_t i = 0; i < s->dim[0] * chans; i++)
        tl_set(&c->out[0], (i / chans * pixels + at[i]) * chans + i % chans, tl_get(&c->in[0], i));
}

#define SAMPLE(text, type, n, h, w, c, ...)                                                   \
    { .label = text, .in = { { 4, { n, h, w, c } } }, .dtype = { type }, .low = -2.0,        \
      .high = 2.0, .attr = &(const tl_pool_attr){ __VA_ARGS__ },                              \
      .attr_bytes = sizeof(tl_pool_attr) }
static const tl_sample samples[] = {
    SAMPLE("2x2", TL_F32, 2, 4, 6, 3, .kernel = { 2, 2 }, .stride = { 2, 2 }),
    SAMPLE("3x3 overlapping, padded", TL_F32, 2, 5, 7, 2, .kernel = { 3, 3 }, .stride = { 2, 2 },
           .pad = { 1, 1, 1, 1 }),
    SAMPLE("ceil mode", TL_F32, 1, 6, 8, 3, .kernel = { 3, 3 }, .stride = { 2, 2 }, .ceil = true),
    SAMPLE("ceil mode, padded and counted", TL_F32, 1, 6, 7, 2, .kernel = { 3, 2 },
           .stride = { 2, 3 }, .pad = { 1, 1, 1, 1 }, .ceil = true, .count_padding = true),
    SAMPLE("wide window", TL_F32, 1, 17, 18, 1, .kernel = { 17, 17 }, .stride = { 1, 1 }),
    SAMPLE("bf16", TL_BF16, 2, 6, 6, 16, .kernel = { 3, 3 }, .stride = { 2, 2 },
           .pad = { 1, 1, 1, 1 }),
};
static const tl_sample global_samples[] = {
    { .label = "odd sizes", .in = { { 4, { 2, 3, 5, 7 } } }, .low = -2.0, .high = 2.0 },
    { .label = "one pixel", .in = { { 4, { 2, 1, 1, 3 } } }, .low = -2.0, .high = 2.0 },
    { .label = "bf16", .in = { { 4, { 2, 4, 4, 16 } } }, .dtype = { TL_BF16 }, .low = -2.0,
      .high = 2.0 },
};

const tl_op tl_op_max_pool = {
    .name = "max_pool", .doc = "the largest value of each window",
    .source = "Boureau et al. 2010; Caffe's ceil mode",
    .least_in = 1, .most_in = 1, .n_out = 2,
    .shape = max_pool_shape, .grad = max_pool_backward, .ref = max_pool_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_max_pool_grad = {
    .name = "max_pool_grad", .doc = "gradient of max_pool", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 1, .shape = pool_grad_shape, .ref = max_pool_grad_ref,
};
const tl_op tl_op_avg_pool = {
    .name = "avg_pool", .doc = "the average of each window",
    .source = "LeCun et al. 1989; divisors as PyTorch's",
    .least_in = 1, .most_in = 1, .n_out = 1,
    .shape = pool_shape, .grad = avg_pool_backward, .ref = avg_pool_ref,
    .samples = samples, .n_samples = TL_COUNT(samples),
};
const tl_op tl_op_avg_pool_grad = {
    .name = "avg_pool_grad", .doc = "gradient of avg_pool", .source = "chain rule",
    .least_in = 1, .most_in = 1, .n_out = 1, .shape = pool_grad_shape, .ref = avg_pool_grad_ref,
};
const tl_op tl_op_global_avg_pool = {
    .name = "global_avg_pool", .doc = "each channel's average over the picture",
    .source = "Lin et al. 2014, arXiv:1312.4400",
    .least_in = 1, .most_in = 1, .n_out = 1,
    .shape = global_shape, .grad = global_avg_backward, .ref = global_avg_ref,
    .samples = global_samples, .n_samples = TL_COUNT(global_samples),
};
const tl_op tl_op_global_avg_pool_grad = {
    .name = "global_avg_pool_grad", .doc = "gradient of global_avg_pool", .source = "chain rule",
    .least_in = 1, .most_in = 1, .n_out = 1, .shape = tl_shape_from_attr,
    .ref = global_avg_grad_ref,
};
const tl_op tl_op_global_max_pool = {
    .name = "global_max_pool", .doc = "each channel's largest value over the picture",
    .source = "Oquab et al. 2015",
    .least_in = 1, .most_in = 1, .n_out = 2,
    .shape = global_shape, .grad = global_max_backward, .ref = global_max_ref,
    .samples = global_samples, .n_samples = TL_COUNT(global_samples),
};
const tl_op tl_op_global_max_pool_grad = {
    .name = "global_max_pool_grad", .doc = "gradient of global_max_pool", .source = "chain rule",
    .least_in = 2, .most_in = 2, .n_out = 1, .shape = tl_shape_from_attr,
    .ref = global_max_grad_ref,
};

static tl_pool_attr with_stride(const tl_pool_attr *attr)
{
    tl_pool_attr a = *attr;

    for (int i = 0; i < 2; i++)
        if (a.stride[i] == 0) a.stride[i] = a.kernel[i];
    return a;
}

tl_tensor tl_max_pool(tl_graph *g, tl_tensor x, const tl_pool_attr *attr)
{
    const tl_pool_attr a = with_stride(attr);

    return TL_APPLY(g, max_pool, &a, x);
}

tl_tensor tl_avg_pool(tl_graph *g, tl_tensor x, const tl_pool_attr *attr)
{
    const tl_pool_attr a = with_stride(attr);

    return TL_APPLY(g, avg_pool, &a, x);
}

tl_tensor tl_global_avg_pool(tl_graph *g, tl_tensor x)
{
    return TL_APPLY_BARE(g, global_avg_pool, x);
}

tl_tensor tl_global_max_pool(tl_graph *g, tl_tensor x)
{
    return TL_APPLY_BARE(g, global_max_pool, x);
}
