/* backends.c -- every kernel of the cpu backend against the op's reference kernel, node by node
 * over graphs made of the ops' samples (and of larger, odd shapes), gradients included; for
 * every instruction set this machine has; own kernels must give the same bits on 1 and 3
 * threads; nothing may be written outside the outputs. */
#include "support/support.h"

#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"
#include "core/machine.h"
#include "core/rand.h"
#include "tensor/attrs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64, MOST_TENSORS = 256 };
static const tl_tick tick = { .seed = 7, .step = 3 };

typedef struct {
    uint8_t *block;
    size_t   bytes;
} buffer; /* GUARD bytes before and behind */

typedef struct {
    tl_graph *g;
    buffer    value[MOST_TENSORS]; /* as the reference made them */
    int       compared;
} bench;

static buffer buffer_new(size_t bytes)
{
    buffer b = { malloc(bytes + 2 * GUARD + 64), bytes };

    assert_non_null(b.block);
    memset(b.block, 0xa5, bytes + 2 * GUARD + 64);
    return b;
}

static void *data_of(const buffer *b) /* 64-byte aligned, guarded */
{
    return (void *)(((uintptr_t)b->block + GUARD + 63) / 64 * 64);
}

static bool guards_hold(const buffer *b)
{
    const uint8_t *data = data_of(b);

    for (int i = 1; i <= GUARD / 2; i++)
        if (data[-i] != 0xa5 || data[b->bytes + (size_t)i - 1] != 0xa5) return false;
    return true;
}

static size_t bytes_of(const tl_graph *g, tl_tensor t)
{
    return (size_t)tl_shape_count(tl_graph_shape(g, t)) *
           tl_dtype_bytes(tl_graph_info(g, t)->dtype);
}

static void draw(const tl_view *v, uint64_t stream, const tl_sample *s, const char *name)
{
    const int64_t n    = tl_shape_count(&v->shape);
    const int     slot = name && strncmp(name, "in", 2) == 0 ? name[2] - '0' : -1;

    if (slot >= 0 && slot < TL_MOST_IN && s->number[slot]) {
        memcpy(v->data, s->number[slot], (size_t)n * sizeof(int32_t));
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const double u =
            tl_rand_uniform(11, TL_STREAM(TL_STREAM_TEST, stream), (uint64_t)i);
        if (v->dtype == TL_I32)
            ((int32_t *)v->data)[i] = (int32_t)(u * s->high);
        else
            tl_view_set(v, i, s->low + (s->high - s->low) * u);
    }
}

/* The op on tensors that carry gradients where the sample says so, and a scalar of random
 * weights times its output, so that every gradient op runs too.  Twice: on the same tensors, so
 * that the second gradient meets the first. */
static void build(bench *b, const tl_op *op, const tl_sample *s, bool twice)
{
    tl_graph *g              = b->g;
    tl_tensor in[TL_MOST_IN] = { 0 };
    char      name[16];
    int       n = 0;

    for (int i = 0; i < op->most_in && i < TL_MOST_IN; i++) {
        const tl_dtype dtype = s->dtype[i];
        const bool grad = !(s->no_grad >> i & 1) && (dtype == TL_F32 || dtype == TL_BF16);
        if (s->in[i].ndim < 0 || (i >= op->least_in && s->in[i].ndim == 0)) continue;
        n = i + 1;
        snprintf(name, sizeof name, "in%d", i);
        if (op->writes >> i & 1)
            in[i] = tl_graph_state(g, name, s->in[i]);
        else if (!grad)
            in[i] = tl_graph_input(g, name, dtype, s->in[i]);
        else
            in[i] = tl_graph_param(g, name, s->in[i], true);
        if (grad && dtype == TL_BF16) in[i] = tl_cast(g, in[i], TL_BF16);
    }
    tl_tensor y = tl_graph_apply(g, op, n, in, s->attr, s->attr_bytes);
    if (twice) {
        const tl_tensor more = tl_graph_apply(g, op, n, in, s->attr, s->attr_bytes);
        y                    = tl_add(g, y, tl_scale(g, more, 0.5f), TL_ACT_NONE);
    }
    if (!op->grad || tl_graph_status(g) != TL_OK) return;
    if (tl_graph_shape(g, y)->ndim > 0) {
        const tl_tensor w = tl_graph_input(g, "weights", TL_F32, *tl_graph_shape(g, y));
        y                 = tl_cast(g, tl_mul(g, y, w), TL_F32);
        y                 = tl_reduce_sum(
                            g, tl_reshape(g, y, TL_SHAPE(tl_shape_count(tl_graph_shape(g, y)))), 0);
    }
    if (tl_graph_info(g, y)->needs_grad) tl_graph_backward(g, y);
}

static tl_view view_of(const bench *b, tl_tensor t)
{
    return t ? (tl_view){ data_of(&b->value[t]), tl_graph_info(b->g, t)->dtype,
                          *tl_graph_shape(b->g, t) }
             : (tl_view){ 0 };
}

static void call_for(const bench *b, const tl_node *n, tl_call *call)
{
    *call = (tl_call){ .node = n, .tick = &tick, .threads = 1, .weights_changed = true };
    for (int k = 0; k < n->n_in; k++) call->in[k] = view_of(b, n->in[k]);
    for (int k = 0; k < n->n_out; k++) {
        call->out[k] = view_of(b, n->out[k]);
        call->wanted |= 1u << k;
    }
}

/* Largest difference, relative to the largest value; infinite where only one is NaN. */
static double difference(const tl_view *a, const tl_view *b)
{
    double        worst = 0.0, top = 1e-30;
    const int64_t n = tl_shape_count(&a->shape);

    if (a->dtype == TL_I32 || a->dtype == TL_U8)
        return memcmp(a->data, b->data, (size_t)n * tl_dtype_bytes(a->dtype)) ? INFINITY
                                                                              : 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double x = tl_view_get(a, i), y = tl_view_get(b, i);
        if (isnan(x) != isnan(y)) return INFINITY;
        if (isnan(y) || x == y) continue;
        worst = fmax(worst, fabs(x - y));
        top   = fmax(top, fabs(y));
    }
    for (int64_t i = 0; i < n; i++)
        if (isfinite(tl_view_get(b, i))) top = fmax(top, fabs(tl_view_get(b, i)));
    return worst / top;
}

/* Products of bf16 round the weights: oneDNN's, which hold a primitive, and those on tiles. */
static bool rounds_weights(const tl_kernel *k)
{
#ifndef TAILOR_PORTABLE
    for (size_t i = 0; i < tl_cpu_token_loss_tiles.count; i++)
        if (k == &tl_cpu_token_loss_tiles.kernel[i]) return true;
#endif
    return k->release != NULL;
}

/* Sums of f32 in another order; one rounding to bf16; with bf16 weights, several. */
static double allowed(const tl_call *c, int k, bool rounds)
{
    const bool product = strncmp(c->node->op->name, "dense", 5) == 0 ||
                         strncmp(c->node->op->name, "conv", 4) == 0 ||
                         (rounds && strncmp(c->node->op->name, "token_loss", 10) == 0);
    bool bf = c->out[k].dtype == TL_BF16;

    for (int i = 0; i < c->node->n_in; i++)
        bf |= c->in[i].data && c->in[i].dtype == TL_BF16;
    if (bf && product) return 1.0 / 64.0;
    return c->out[k].dtype == TL_BF16 ? 1.0 / 128.0 : 1e-5;
}

/* The states an op writes are copied before each run, so that every kernel sees the same. */
typedef struct {
    tl_call call;
    buffer  out[TL_MOST_OUT], state[TL_MOST_IN];
    void   *work;
} trial;

static void trial_new(const bench *b, const tl_node *n, int threads, unsigned wanted, trial *t)
{
    memset(t, 0, sizeof *t);
    call_for(b, n, &t->call);
    t->call.threads = threads;
    t->call.wanted &= wanted;
    for (int k = 0; k < n->n_out; k++) {
        t->out[k]           = buffer_new(bytes_of(b->g, n->out[k]));
        t->call.out[k].data = data_of(&t->out[k]);
    }
    for (int k = 0; k < n->n_in; k++) {
        if (!(n->op->writes >> k & 1)) continue;
        t->state[k] = buffer_new(bytes_of(b->g, n->in[k]));
        memcpy(data_of(&t->state[k]), t->call.in[k].data, t->state[k].bytes);
        t->call.in[k].data = data_of(&t->state[k]);
    }
}

static void trial_end(trial *t)
{
    for (int k = 0; k < TL_MOST_OUT; k++) free(t->out[k].block);
    for (int k = 0; k < TL_MOST_IN; k++) free(t->state[k].block);
    tl_free(test_ctx(), t->work);
}

/* TL_EUSAGE: the kernel passes on this node. */
static tl_status try_kernel(const bench *b, const tl_kernel *k, trial *t)
{
    tl_ctx   *ctx  = test_ctx();
    size_t    work = 0;
    tl_status rc   = TL_OK;

    ctx->message[0] = '\0';
    for (int i = 0; i < t->call.node->n_out; i++) t->call.out[i].data = NULL;
    if (k->prepare) rc = k->prepare(ctx, b->g, &t->call, &work);
    for (int i = 0; i < t->call.node->n_out; i++)
        t->call.out[i].data = t->call.wanted >> i & 1 ? data_of(&t->out[i]) : NULL;
    if (rc == TL_EUSAGE && !ctx->message[0]) return rc;
    TEST_OK(rc);
    if (work) TEST_OK(tl_alloc(ctx, work, &t->work));
    if (work) memset(t->work, 0x7f, work);
    t->call.work = t->work;
    TEST_OK(k->run(ctx, &t->call));
    if (k->release) k->release(ctx, &t->call);
    return TL_OK;
}

static void compare(const tl_kernel *kernel, const trial *mine, const trial *judge,
                    const tl_sample *s)
{
    const tl_node *n = mine->call.node;

    for (int k = 0; k < n->n_out; k++) {
        if (!mine->call.out[k].data) continue;
        const double e = difference(&mine->call.out[k], &judge->call.out[k]);
        if (!guards_hold(&mine->out[k]))
            fail_msg("%s wrote beyond output %d", n->op->name, k);
        if (!(e <= allowed(&mine->call, k, rounds_weights(kernel))))
            fail_msg("%s, sample '%s' (%s): output %d is off by %g", n->op->name,
                     s->label, tl_isa_name(tl_machine_isa()), k, e);
    }
    for (int k = 0; k < n->n_in; k++)
        if (n->op->writes >> k & 1)
            assert_true(difference(&mine->call.in[k], &judge->call.in[k]) <= 1e-5);
}

static void same_bits(const trial *a, const trial *b, const tl_sample *s)
{
    for (int k = 0; k < a->call.node->n_out; k++)
        if (memcmp(a->call.out[k].data, b->call.out[k].data, a->out[k].bytes) != 0)
            fail_msg("%s, sample '%s': other bits on 3 threads", a->call.node->op->name,
                     s->label);
}

enum { ALL = ~0 };

/* Any output may be the only one that is wanted. */
static void judge_alone(const bench *b, const tl_kernel *kernel, const tl_node *n,
                        const trial *judge, const tl_sample *s)
{
    for (int k = 0; k < n->n_out && n->n_out > 1; k++) {
        trial alone;
        trial_new(b, n, 1, 1u << k, &alone);
        if (try_kernel(b, kernel, &alone) == TL_OK) compare(kernel, &alone, judge, s);
        trial_end(&alone);
    }
}

static void judge_node(bench *b, const tl_node *n, const tl_sample *s)
{
    const tl_kernel *k;
    trial            judge;

    trial_new(b, n, 1, (unsigned)ALL, &judge);
    n->op->ref(&judge.call);
    for (int o = 0; o < n->n_out; o++)
        memcpy(data_of(&b->value[n->out[o]]), judge.call.out[o].data, judge.out[o].bytes);
    for (size_t i = 0; (k = tl_backend_cpu.kernel_at(i)) != NULL; i++) {
        trial one, three;
        if (strcmp(k->op, n->op->name) != 0) continue;
        trial_new(b, n, 1, (unsigned)ALL, &one);
        trial_new(b, n, 3, (unsigned)ALL, &three);
        if (try_kernel(b, k, &one) == TL_OK && try_kernel(b, k, &three) == TL_OK) {
            compare(k, &one, &judge, s);
            compare(k, &three, &judge, s);
            if (!k->release) same_bits(&one, &three, s); /* oneDNN's hold a primitive */
            judge_alone(b, k, n, &judge, s);
            b->compared++;
        }
        trial_end(&one);
        trial_end(&three);
    }
    trial_end(&judge);
}

static int judge_sample(const tl_op *op, const tl_sample *s, bool twice)
{
    bench b = { 0 };

    TEST_OK(tl_graph_new(test_ctx(), &b.g));
    build(&b, op, s, twice);
    if (tl_graph_status(b.g) != TL_OK)
        fail_msg("%s '%s': %s", op->name, s->label, test_ctx()->message);
    assert_true(tl_graph_tensors(b.g) < MOST_TENSORS);
    for (tl_tensor t = 1; t <= tl_graph_tensors(b.g); t++) {
        b.value[t]      = buffer_new(bytes_of(b.g, t));
        const tl_view v = view_of(&b, t);
        if (tl_graph_info(b.g, t)->kind != TL_VALUE)
            draw(&v, (uint64_t)t, s, tl_graph_info(b.g, t)->name);
        else
            memset(v.data, 0, b.value[t].bytes);
    }
    for (int32_t i = 0; tl_graph_node(b.g, i); i++)
        judge_node(&b, tl_graph_node(b.g, i), s);
    for (tl_tensor t = 1; t <= tl_graph_tensors(b.g); t++) free(b.value[t].block);
    tl_graph_free(test_ctx(), b.g);
    return b.compared;
}

/* clang-format off */
/* ---- larger and odder than the ops' own samples ------------------------------------------ */
#define S(...) { (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ } }
#define NONE   { -1, { 0 } }
#define ATTR(type, ...) .attr = &(const type){ __VA_ARGS__ }, .attr_bytes = sizeof(type)
#define BOTH(text, ...)                                                    \
    { .label = text ", f32", .low = -1.0, .high = 1.0, __VA_ARGS__ },      \
    { .label = text ", bf16", .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0, __VA_ARGS__ }
#define STEP(s, d, g) .stride = { s, s }, .dilation = { d, d }, .groups = g
#define AROUND(n)     .pad = { n, n, n, n }

static const tl_sample dense[] = {
    BOTH("37 x 65 to 50", .in = { S(37, 65), S(50, 65), S(50) }, ATTR(tl_act_attr, TL_ACT_RELU)),
    BOTH("300 x 130 to 70", .in = { S(300, 130), S(70, 130), NONE },
         ATTR(tl_act_attr, TL_ACT_NONE)),
    { .label = "2,100 x 40 to 50, bf16", .in = { S(2100, 40), S(50, 40), S(50) },
      .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0, ATTR(tl_act_attr, TL_ACT_NONE) },
    { .label = "5 x 4,100 to 40, bf16", .in = { S(5, 4100), S(40, 4100), NONE },
      .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0, ATTR(tl_act_attr, TL_ACT_NONE) },
};
static const tl_sample conv[] = {
    BOTH("3x3 of 16", .in = { S(2, 9, 7, 16), S(24, 16, 3, 3), S(24) },
         ATTR(tl_conv_attr, STEP(1, 1, 1), AROUND(1), .act = TL_ACT_RELU)),
    BOTH("7x7 stride 2 of 3", .in = { S(1, 21, 23, 3), S(32, 3, 7, 7), NONE },
         ATTR(tl_conv_attr, STEP(2, 1, 1), AROUND(3))),
    BOTH("3x3 stride 2, uneven padding", .in = { S(2, 10, 12, 32), S(16, 32, 3, 3), NONE },
         ATTR(tl_conv_attr, STEP(2, 1, 1), .pad = { 0, 0, 1, 1 })),
    BOTH("1x1 stride 2", .in = { S(2, 8, 8, 32), S(48, 32, 1, 1), NONE },
         ATTR(tl_conv_attr, STEP(2, 1, 1))),
    BOTH("1x1 of 40", .in = { S(2, 5, 5, 40), S(20, 40, 1, 1), S(20) },
         ATTR(tl_conv_attr, STEP(1, 1, 1), .act = TL_ACT_RELU6)),
    BOTH("3x3 on one pixel", .in = { S(4, 1, 1, 16), S(16, 16, 3, 3), NONE },
         ATTR(tl_conv_attr, STEP(1, 1, 1), AROUND(1))),
    BOTH("3x3 stride 2 to one pixel", .in = { S(4, 2, 2, 16), S(32, 16, 3, 3), S(32) },
         ATTR(tl_conv_attr, STEP(2, 1, 1), AROUND(1))),
    BOTH("5x3 dilated beyond the picture", .in = { S(2, 3, 2, 16), S(16, 16, 5, 3), NONE },
         ATTR(tl_conv_attr, STEP(1, 2, 1), .pad = { 4, 2, 4, 2 })),
    BOTH("3x3 stride 2, more channels than at once", .in = { S(2, 7, 6, 140), S(36, 140, 3, 3),
         S(36) }, ATTR(tl_conv_attr, STEP(2, 1, 1), AROUND(1))),
    BOTH("3x3 of 32 on one pixel", .in = { S(3, 1, 1, 32), S(40, 32, 3, 3), NONE },
         ATTR(tl_conv_attr, STEP(1, 1, 1), AROUND(1))),
    { .label = "a million weights, pixels in parts, bf16", .in = { S(2, 7, 7, 64),
      S(1032, 64, 4, 4), NONE }, .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(1, 1, 1), .pad = { 1, 1, 2, 2 }) },
    { .label = "many weights, stride 2, bf16", .in = { S(2, 7, 6, 72), S(408, 72, 3, 3), NONE },
      .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(2, 1, 1), AROUND(1)) },
    { .label = "many weights, stride 3 past some pixels, bf16", .in = { S(2, 8, 5, 256),
      S(260, 256, 2, 2), NONE }, .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(3, 2, 1), .pad = { 1, 0, 0, 2 }) },
    { .label = "many weights, stride 2 on one pixel, bf16", .in = { S(3, 1, 1, 176),
      S(176, 176, 3, 3), NONE }, .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(2, 1, 1), AROUND(1)) },
    { .label = "many weights that meet padding alone, bf16", .in = { S(2, 1, 1, 272),
      S(272, 272, 2, 2), NONE }, .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(2, 2, 1), AROUND(1)) },
    { .label = "a million weights, dilated, bf16", .in = { S(2, 3, 2, 128), S(552, 128, 5, 3),
      S(552) }, .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(1, 2, 1), .pad = { 4, 2, 4, 2 }) },
    { .label = "more pixels than are summed at once, bf16", .in = { S(2, 33, 33, 32),
      S(32, 32, 1, 1), S(32) }, .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(1, 1, 1), AROUND(0)) },
    { .label = "rows of a picture in two bands, bf16", .in = { S(2, 40, 22, 40), S(56, 40, 3, 3),
      NONE }, .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(1, 1, 1), AROUND(1)) },
    { .label = "pictures in two bands, stride 2, bf16", .in = { S(30, 12, 8, 36), S(48, 36, 3, 3),
      S(48) }, .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(2, 1, 1), AROUND(1)) },
    { .label = "bands dilated, stride 2, bf16", .in = { S(2, 90, 24, 32), S(40, 32, 5, 3), NONE },
      .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(2, 2, 1), .pad = { 4, 2, 4, 2 }) },
    { .label = "a row wider than a band, bf16", .in = { S(1, 5, 615, 32), S(32, 32, 3, 3), NONE },
      .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(1, 1, 1), AROUND(1)) },
    { .label = "more padding than picture, bf16", .in = { S(5, 2, 2, 32), S(36, 32, 3, 3), NONE },
      .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTR(tl_conv_attr, STEP(1, 2, 1), AROUND(3)) },
    { .label = "big weights, channels in parts", .in = { S(2, 3, 3, 96), S(672, 96, 3, 3), NONE },
      .low = -1.0, .high = 1.0, ATTR(tl_conv_attr, STEP(1, 1, 1), AROUND(1)) },
    BOTH("dilated", .in = { S(1, 12, 11, 16), S(16, 16, 3, 3), NONE },
         ATTR(tl_conv_attr, STEP(1, 2, 1), AROUND(2))),
    BOTH("two groups", .in = { S(2, 6, 6, 32), S(32, 16, 3, 3), NONE },
         ATTR(tl_conv_attr, STEP(1, 1, 2), AROUND(1))),
    BOTH("depthwise 40", .in = { S(2, 9, 8, 40), S(40, 1, 3, 3), S(40) },
         ATTR(tl_conv_attr, STEP(1, 1, 40), AROUND(1),
              .act = TL_ACT_RELU6)),
    BOTH("depthwise stride 2", .in = { S(2, 9, 8, 24), S(24, 1, 3, 3), NONE },
         ATTR(tl_conv_attr, STEP(2, 1, 24), AROUND(1))),
};
#define SAME(r, c) { 2, { r, c } }
#define BN(text, r, c, type, residual, ...)                                                    \
    { .label = text, .in = { S(r, c), S(c), S(c), S(c), S(c), residual },                      \
      .dtype = { type, 0, 0, 0, 0, type }, .low = 0.5, .high = 2.0, .no_grad = 0x18,           \
      ATTR(tl_batch_norm_attr, .eps = 1e-5f, .momentum = 0.1f, __VA_ARGS__) }
static const tl_sample batch_norm[] = {
    BN("3001 x 20, residual, relu", 3001, 20, TL_F32, SAME(3001, 20), .batch = true,
       .act = TL_ACT_RELU),
    BN("3001 x 20, bf16, relu6", 3001, 20, TL_BF16, NONE, .batch = true, .act = TL_ACT_RELU6),
    BN("1030 x 64, bf16, residual", 1030, 64, TL_BF16, SAME(1030, 64), .batch = true),
    BN("200 x 33, frozen, relu", 200, 33, TL_F32, SAME(200, 33), .act = TL_ACT_RELU),
    BN("200 x 33, frozen, bf16", 200, 33, TL_BF16, NONE, .batch = false),
};

#define POOL(text, type, ...)                                                       \
    { .label = text, .in = { S(2, 11, 9, 20) }, .dtype = { type }, .low = -1.0,      \
      .high = 1.0, ATTR(tl_pool_attr, __VA_ARGS__) }
static const tl_sample pools[] = {
    POOL("3x3 stride 2", TL_F32, .kernel = { 3, 3 }, .stride = { 2, 2 }, AROUND(1)),
    POOL("3x2, bf16, ceil", TL_BF16, .kernel = { 3, 2 }, .stride = { 2, 2 }, .ceil = true),
    POOL("overlapping", TL_BF16, .kernel = { 3, 3 }, .stride = { 1, 1 }, AROUND(1),
         .count_padding = true),
};
static const tl_sample rows[] = {
    BOTH("65 x 37", .in = { S(65, 37) }),
    BOTH("3 x 1000", .in = { S(3, 1000) }),
};
static const tl_sample global[] = {
    BOTH("7 pictures", .in = { S(7, 5, 6, 70) }),
};
static const tl_sample losses[] = {
    { .label = "130 x 37", .in = { S(130, 37), S(130), S(130), S(37) }, .dtype = { TL_F32, TL_I32 },
      .low = 0.0, .high = 40.0, .no_grad = 0xe, ATTR(tl_cross_entropy_attr, 0.1f) },
    { .label = "5 x 10, bf16", .in = { S(5, 10), S(5), S(5), NONE }, .dtype = { TL_BF16, TL_I32 },
      .low = 0.0, .high = 10.0, .no_grad = 0xe, ATTR(tl_cross_entropy_attr, 0.0f) },
};
static const tl_sample moves[] = {
    BOTH("67 x 5 x 4, turned", .in = { S(67, 5, 4) }, ATTR(tl_transpose_attr, { 2, 0, 1 })),
};

#define ATTEND(...) ATTR(tl_attention_attr, __VA_ARGS__)
static const tl_sample attention[] = {
    { .label = "130 rows, four sequences and rows of none",
      .in = { S(130, 80), S(130, 40), S(130, 40), S(5) },
      .dtype = { 0, 0, 0, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 8,
      .number = { [3] = (const int32_t[]){ 2, 3, 100, 100, 128 } },
      ATTEND(4, 2, -1, 0, 0, 0.3f, 0.0f, 0.0f, 0) },
    { .label = "3 of 70 rows beside each other, windows", .in = { S(210, 192) }, .low = -1.0,
      .high = 1.0, ATTEND(4, 4, 20, 30, 70, 0.3f, 0.0f, 0.0f, 0) },
    { .label = "1 of 150 rows, causal, one key head",
      .in = { S(150, 99), S(150, 33), S(150, 33) },
      .low = -1.0, .high = 1.0, ATTEND(3, 1, -1, 0, 0, 0.2f, 0.0f, 0.0f, 0) },
    { .label = "capped, 5 queries of 100 keys", .in = { S(10, 17), S(200, 17), S(200, 17) },
      .low = -1.0, .high = 1.0, ATTEND(1, 1, -1, 0, 5, 0.5f, 2.0f, 0.0f, 0) },
    { .label = "bf16, 2 of 100", .in = { S(200, 128), S(200, 64), S(200, 64) },
      .dtype = { TL_BF16, TL_BF16, TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTEND(2, 1, -1, -1, 100, 0.2f, 0.0f, 0.0f, 0) },
    { .label = "bf16, beside each other", .in = { S(66, 120) }, .dtype = { TL_BF16 },
      .low = -1.0, .high = 1.0, ATTEND(2, 1, -1, 0, 0, 0.2f, 0.0f, 0.0f, 0) },
    { .label = "bf16, 300 causal rows of two heads for one", .in = { S(300, 256) },
      .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTEND(2, 1, -1, 0, 0, 0.125f, 0.0f, 0.0f, 0) },
    { .label = "bf16, 290 rows, sequences and rows of none",
      .in = { S(290, 64), S(290, 32), S(290, 32), S(6) },
      .dtype = { TL_BF16, TL_BF16, TL_BF16, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 8,
      .number = { [3] = (const int32_t[]){ 2, 3, 100, 100, 257, 288 } },
      ATTEND(2, 1, -1, 0, 0, 0.3f, 0.0f, 0.0f, 0) },
    { .label = "bf16, windows, capped", .in = { S(420, 120) }, .dtype = { TL_BF16 }, .low = -1.0,
      .high = 1.0, ATTEND(1, 1, 20, 50, 140, 0.3f, 1.5f, 0.0f, 0) },
    { .label = "bf16, 3 queries of 260 keys",
      .in = { S(6, 80), S(520, 80), S(520, 80) }, .dtype = { TL_BF16, TL_BF16, TL_BF16 },
      .low = -1.0, .high = 1.0, ATTEND(2, 2, -1, 0, 3, 0.3f, 0.0f, 0.0f, 0) },
    { .label = "bf16, offsets of both, sequences of no keys",
      .in = { S(60, 32), S(90, 32), S(90, 32), S(4), S(4) },
      .dtype = { TL_BF16, TL_BF16, TL_BF16, TL_I32, TL_I32 }, .low = -1.0, .high = 1.0,
      .no_grad = 24, .number = { [3] = (const int32_t[]){ 0, 20, 40, 60 },
                                 [4] = (const int32_t[]){ 0, 50, 50, 90 } },
      ATTEND(2, 2, -1, -1, 0, 0.4f, 0.0f, 0.0f, 0) },
    { .label = "dropout, 130 rows, four sequences and rows of none",
      .in = { S(130, 80), S(130, 40), S(130, 40), S(5) },
      .dtype = { 0, 0, 0, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 8,
      .number = { [3] = (const int32_t[]){ 2, 3, 100, 100, 128 } },
      ATTEND(4, 2, -1, -1, 0, 0.3f, 0.0f, 0.1f, 4) },
    { .label = "dropout, capped, 5 queries of 100 keys",
      .in = { S(10, 17), S(200, 17), S(200, 17) }, .low = -1.0, .high = 1.0,
      ATTEND(1, 1, -1, 0, 5, 0.5f, 2.0f, 0.5f, 1) },
    { .label = "dropout, bf16, 300 causal rows of two heads for one", .in = { S(300, 256) },
      .dtype = { TL_BF16 }, .low = -1.0, .high = 1.0,
      ATTEND(2, 1, -1, 0, 0, 0.125f, 0.0f, 0.1f, 2) },
    { .label = "dropout, bf16, 290 rows, sequences and rows of none",
      .in = { S(290, 64), S(290, 32), S(290, 32), S(6) },
      .dtype = { TL_BF16, TL_BF16, TL_BF16, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 8,
      .number = { [3] = (const int32_t[]){ 2, 3, 100, 100, 257, 288 } },
      ATTEND(2, 1, -1, -1, 0, 0.3f, 0.0f, 0.3f, 7) },
    { .label = "dropout, bf16, windows, capped", .in = { S(420, 120) }, .dtype = { TL_BF16 },
      .low = -1.0, .high = 1.0, ATTEND(1, 1, 20, 50, 140, 0.3f, 1.5f, 0.2f, 0) },
};
/* Of 80 rows six count, among them the ends of blocks of words; one is beyond the last. */
static const int32_t few_targets[80] = {
    -1, 0, -1, -1, -1, 2047, 2048, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 4499, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2256, 4512, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1500
};
static const tl_sample token_loss[] = {
    { .label = "4,500 words, few rows count",
      .in = { S(80, 12), S(4500, 12), S(4500), S(80), S(80) }, .dtype = { 0, 0, 0, TL_I32 },
      .low = -1.0, .high = 1.0, .no_grad = 0x18, .number = { [3] = few_targets },
      ATTR(tl_token_loss_attr, 0.0f) },
    { .label = "40 rows, 2,100 words, bf16", .in = { S(40, 16), S(2100, 16), NONE, S(40), S(40) },
      .dtype = { TL_BF16, 0, 0, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 0x18,
      ATTR(tl_token_loss_attr, 0.0f) },
    { .label = "100 rows, 150 words", .in = { S(100, 37), S(150, 37), S(150), S(100), S(100) },
      .dtype = { 0, 0, 0, TL_I32 }, .low = -1.0, .high = 2.0, .no_grad = 0x18,
      ATTR(tl_token_loss_attr, 0.0f) },
    { .label = "slopes kept, few rows count",
      .in = { S(80, 96), S(300, 96), S(300), S(80), S(80) }, .dtype = { 0, 0, 0, TL_I32 },
      .low = -1.0, .high = 1.0, .no_grad = 0x18, .number = { [3] = few_targets },
      ATTR(tl_token_loss_attr, 0.0f) },
    { .label = "slopes kept, 2,100 words, bf16",
      .in = { S(40, 24), S(2100, 24), S(2100), S(40), S(40) }, .dtype = { TL_BF16, 0, 0, TL_I32 },
      .low = -1.0, .high = 1.0, .no_grad = 0x18, ATTR(tl_token_loss_attr, 0.0f) },
    { .label = "slopes kept, 260 rows, bf16, capped",
      .in = { S(260, 130), S(10, 130), NONE, S(260), S(260) }, .dtype = { TL_BF16, 0, 0, TL_I32 },
      .low = -1.0, .high = 1.0, .no_grad = 0x18, ATTR(tl_token_loss_attr, 4.0f) },
    { .label = "60 rows, bf16, capped", .in = { S(60, 48), S(70, 48), NONE, S(60), S(60) },
      .dtype = { TL_BF16, 0, 0, TL_I32 }, .low = -1.0, .high = 1.0, .no_grad = 0x18,
      ATTR(tl_token_loss_attr, 3.0f) },
};
static const tl_sample dropout[] = {
    BOTH("30,011 values", .in = { S(30011) }, ATTR(tl_dropout_attr, 0.3f, 5)),
};
static const tl_sample rms_norm[] = {
    BOTH("300 x 130", .in = { S(300, 130), S(130) }, ATTR(tl_rms_norm_attr, 1e-6f, 1.0f)),
};
static const tl_sample group_norm[] = {
    BOTH("3 pictures of 17 x 19 x 48", .in = { S(3, 17, 19, 48), S(48), S(48) },
         ATTR(tl_norm_attr, 1e-5f, 6)),
};
static const tl_sample glu[] = {
    { .label = "130 x 77", .in = { S(130, 77), S(130, 77) }, .low = -3.0, .high = 3.0,
      ATTR(tl_act_attr, TL_ACT_SILU) },
    BOTH("33 x 100 beside", .in = { S(33, 100) }, ATTR(tl_act_attr, TL_ACT_GELU_TANH)),
};
/* The sample's own five offsets, of longer sequences. */
static const int32_t four_texts[] = { 3, 40, 40, 41, 99 };
#define POOLED(text, kind)                                                          \
    { .label = text, .in = { S(100, 70), S(5) }, .dtype = { TL_BF16, TL_I32 }, .low = -1.0, \
      .high = 1.0, .no_grad = 2, .number = { [1] = four_texts }, ATTR(tl_pool_rows_attr, kind) }
static const tl_sample sequence_pool[] = {
    POOLED("four texts, first", TL_POOL_FIRST), POOLED("four texts, last", TL_POOL_LAST),
    POOLED("four texts, mean", TL_POOL_MEAN),
};
static const tl_sample rope[] = {
    { .label = "100 rows", .in = { S(100, 200), S(100, 20), S(100, 20) }, .low = -1.0,
      .high = 1.0, .no_grad = 6, ATTR(tl_rope_attr, false, { 3, 50, false }) },
};
static const tl_sample embedding[] = {
    { .label = "a table beyond the caches", .in = { S(66000, 64), S(50) }, .dtype = { 0, TL_I32 },
      .low = -1.0, .high = 66000.0, .no_grad = 2 },
    { .label = "often the same", .in = { S(40, 36), S(300) }, .dtype = { 0, TL_I32 },
      .low = -1.0, .high = 45.0, .no_grad = 2 },
};

static const struct { const char *op; const tl_sample *sample; size_t count; } more[] = {
    { "dense", dense, TL_COUNT(dense) },
    { "conv", conv, TL_COUNT(conv) },
    { "batch_norm", batch_norm, TL_COUNT(batch_norm) },
    { "max_pool", pools, TL_COUNT(pools) },
    { "avg_pool", pools, TL_COUNT(pools) },
    { "softmax", rows, TL_COUNT(rows) },
    { "log_softmax", rows, TL_COUNT(rows) },
    { "global_avg_pool", global, TL_COUNT(global) },
    { "cross_entropy", losses, TL_COUNT(losses) },
    { "transpose", moves, TL_COUNT(moves) },
    { "attention", attention, TL_COUNT(attention) },
    { "token_loss", token_loss, TL_COUNT(token_loss) },
    { "dropout", dropout, TL_COUNT(dropout) },
    { "rms_norm", rms_norm, TL_COUNT(rms_norm) },
    { "group_norm", group_norm, TL_COUNT(group_norm) },
    { "glu", glu, TL_COUNT(glu) },
    { "rope", rope, TL_COUNT(rope) },
    { "embedding", embedding, TL_COUNT(embedding) },
    { "sequence_pool", sequence_pool, TL_COUNT(sequence_pool) },
};

/* clang-format on */

static void test_all(const char *isa)
{
    const tl_op *op;
    int          compared = 0;

    test_fresh();
    if (isa)
        setenv("TAILOR_ISA", isa, 1);
    else
        unsetenv("TAILOR_ISA");
    for (size_t i = 0; (op = tl_op_at(i)) != NULL; i++)
        for (size_t k = 0; k < op->n_samples; k++)
            compared += judge_sample(op, &op->samples[k], false);
    for (size_t i = 0; i < TL_COUNT(more); i++)
        for (size_t k = 0; k < more[i].count; k++)
            compared += judge_sample(tl_op_find(more[i].op), &more[i].sample[k], false);
    for (size_t k = 0; (op = tl_op_find("embedding")) != NULL && k < op->n_samples; k++)
        compared += judge_sample(op, &op->samples[k], true);
    unsetenv("TAILOR_ISA");
    assert_true(compared > 300); /* else kernels are not found and nothing was shown */
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void test_best(void **state)
{
    (void)state;
    test_all(NULL);
}

/* On a machine without one of these the best that it has runs again. */
static void test_portable(void **state)
{
    (void)state;
    test_all("portable");
}
static void test_avx2(void **state)
{
    (void)state;
    test_all("avx2");
}
static void test_avx512(void **state)
{
    (void)state;
    test_all("avx512");
}
static void test_avx512_bf16(void **state)
{
    (void)state;
    test_all("avx512-bf16");
}

/* Every name in the backend's list is an op, so that no kernel is dead. */
static void test_names(void **state)
{
    const tl_kernel *k;

    (void)state;
    for (size_t i = 0; (k = tl_backend_cpu.kernel_at(i)) != NULL; i++)
        if (!tl_op_find(k->op)) fail_msg("no op is called %s", k->op);
}

/* The judge must be able to say no: an output off by a thousandth is told. */
static void test_judge(void **state)
{
    float         a[3] = { 1.0f, -2.0f, 0.5f }, b[3] = { 1.0f, -2.002f, 0.5f };
    const tl_view x = { a, TL_F32, TL_SHAPE(3) }, y = { b, TL_F32, TL_SHAPE(3) };

    (void)state;
    assert_true(difference(&x, &y) > 5e-4);
    assert_true(difference(&x, &x) == 0.0);
    b[0] = NAN;
    assert_true(isinf(difference(&x, &y)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_judge),
        cmocka_unit_test(test_best),  cmocka_unit_test(test_portable),
        cmocka_unit_test(test_avx2),  cmocka_unit_test(test_avx512),
        cmocka_unit_test(test_avx512_bf16),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
