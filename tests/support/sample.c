/* sample.c -- see sample.h. */
#include "support/sample.h"
#include "core/rand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64 };
static const unsigned char CANARY = 0xa7;

int64_t test_net_count(const test_net *n, tl_tensor t)
{
    return tl_shape_count(tl_graph_shape(n->g, t));
}

static size_t bytes_of(const test_net *n, tl_tensor t)
{
    return (size_t)test_net_count(n, t) * tl_dtype_bytes(tl_graph_info(n->g, t)->dtype);
}

/* A buffer of the tensor's size, bound, between two guards. */
static void *give(test_net *n, tl_tensor t, int slot)
{
    const size_t   bytes = bytes_of(n, t);
    unsigned char *p     = aligned_alloc(64, (2 * GUARD + bytes + 63) / 64 * 64);

    assert_non_null(p);
    memset(p, CANARY, 2 * GUARD + bytes);
    n->buffer[slot] = p;
    TEST_OK(tl_plan_bind(test_ctx(), n->plan, t, p + GUARD));
    return p + GUARD;
}

static void check_guards(const test_net *n, tl_tensor t, int slot)
{
    const unsigned char *p     = n->buffer[slot];
    const size_t         bytes = bytes_of(n, t);

    for (size_t i = 0; p && i < GUARD; i++)
        if (p[i] != CANARY || p[GUARD + bytes + i] != CANARY)
            fail_msg("%s writes outside a tensor (slot %d)", test_net_name(n), slot);
}

static tl_dtype dtype_of(const tl_sample *s, int i, bool f32)
{
    return s->dtype[i] == TL_BF16 && f32 ? TL_F32 : s->dtype[i];
}

static tl_tensor make_input(test_net *n, int i, bool f32)
{
    const tl_sample *s = n->sample;
    char             name[16];

    snprintf(name, sizeof name, "in%d", i);
    if (s->in[i].ndim < 0) return 0;
    if (n->op->writes >> i & 1) return tl_graph_state(n->g, name, s->in[i]);
    if (s->no_grad >> i & 1) return tl_graph_input(n->g, name, dtype_of(s, i, f32), s->in[i]);
    return tl_graph_param(n->g, name, s->in[i], true);
}

static void build(test_net *n, bool f32)
{
    tl_tensor in[TL_MOST_IN], y, flat;

    TEST_OK(tl_graph_new(test_ctx(), &n->g));
    tl_graph_layer(n->g, n->op->name);
    for (; n->n_in < TL_MOST_IN && n->sample->in[n->n_in].ndim != 0; n->n_in++) {
        const int i = n->n_in;
        n->in[i] = in[i] = make_input(n, i, f32);
        if (in[i] && tl_graph_info(n->g, in[i])->kind == TL_PARAM)
            in[i] = tl_cast(n->g, in[i], dtype_of(n->sample, i, f32));
    }
    y = tl_graph_apply(n->g, n->op, n->n_in, in, n->sample->attr, n->sample->attr_bytes);
    for (int k = 0; k < n->op->n_out; k++) {
        n->out[k] = tl_graph_out(n->g, y, k);
        tl_graph_keep(n->g, n->out[k], NULL);
    }
    TEST_OK(tl_graph_status(n->g));
    flat   = tl_reshape(n->g, tl_cast(n->g, y, TL_F32), TL_SHAPE(test_net_count(n, y)));
    n->mix = tl_graph_input(n->g, "mix", TL_F32, TL_SHAPE(test_net_count(n, y)));
    tl_graph_backward(n->g, tl_reduce_sum(n->g, tl_mul(n->g, flat, n->mix), 0));
    TEST_OK(tl_graph_status(n->g));
    for (int i = 0; i < n->n_in; i++) n->grad[i] = tl_graph_gradient(n->g, n->in[i]);
}

/* What will be cast to bf16 is representable there, so that an f32 twin sees the same values. */
static void fill(const test_net *n, tl_tensor t, void *data, uint64_t seed, int slot, double low,
                 double high)
{
    const bool rounds = slot < TL_MOST_IN && n->sample->dtype[slot] == TL_BF16;
    const tl_view v = { data, tl_graph_info(n->g, t)->dtype, *tl_graph_shape(n->g, t) };

    if (slot < TL_MOST_IN && n->sample->number[slot]) {
        memcpy(data, n->sample->number[slot], bytes_of(n, t));
        return;
    }
    for (int64_t i = 0; i < test_net_count(n, t); i++) {
        const double u = tl_rand_uniform(seed, TL_STREAM(TL_STREAM_TEST, slot), (uint64_t)i);
        double       x = low + u * (high - low);
        if (v.dtype == TL_I32) x = x < 0 ? -1.0 : (double)(int)x;
        if (rounds) x = (double)tl_bf16_to_f32(tl_f32_to_bf16((float)x));
        tl_view_set(&v, i, x);
    }
}

void test_net_make(test_net *n, const tl_op *op, const tl_sample *sample,
                   const tl_backend *backend, uint64_t seed, bool f32)
{
    int slot = 0;

    *n = (test_net){ .op = op, .sample = sample };
    build(n, f32);
    TEST_OK(tl_plan_new(test_ctx(), n->g, backend, NULL, &n->plan));
    for (int i = 0; i < TL_MOST_IN; i++, slot++)
        if (n->in[i])
            fill(n, n->in[i], give(n, n->in[i], slot), seed, slot, sample->low, sample->high);
    for (int i = 0; i < TL_MOST_IN; i++, slot++)
        if (n->grad[i]) give(n, n->grad[i], slot);
    for (int k = 0; k < TL_MOST_OUT; k++, slot++)
        if (n->out[k]) give(n, n->out[k], slot);
    fill(n, n->mix, give(n, n->mix, slot), seed, slot, -1.0, 1.0);
}

void test_net_run(test_net *n)
{
    int slot = 0;

    TEST_OK(tl_plan_run(test_ctx(), n->plan, (tl_tick){ .seed = 7, .step = 11 }));
    for (int i = 0; i < TL_MOST_IN; i++, slot++)
        if (n->in[i]) check_guards(n, n->in[i], slot);
    for (int i = 0; i < TL_MOST_IN; i++, slot++)
        if (n->grad[i]) check_guards(n, n->grad[i], slot);
    for (int k = 0; k < TL_MOST_OUT; k++, slot++)
        if (n->out[k]) check_guards(n, n->out[k], slot);
    check_guards(n, n->mix, slot);
}

void test_net_free(test_net *n)
{
    tl_plan_free(test_ctx(), n->plan);
    tl_graph_free(test_ctx(), n->g);
    for (size_t i = 0; i < TL_COUNT(n->buffer); i++) free(n->buffer[i]);
}

float *test_net_data(const test_net *n, tl_tensor t)
{
    return tl_plan_data(n->plan, t);
}

double test_net_loss(const test_net *n)
{
    const tl_view y   = { tl_plan_data(n->plan, n->out[0]), tl_graph_info(n->g, n->out[0])->dtype,
                          *tl_graph_shape(n->g, n->out[0]) };
    const float  *mix = test_net_data(n, n->mix);
    double        sum = 0.0;

    for (int64_t i = 0; i < test_net_count(n, n->out[0]); i++)
        sum += (double)mix[i] * tl_view_get(&y, i);
    return sum;
}

const char *test_net_name(const test_net *n)
{
    static char name[128];

    snprintf(name, sizeof name, "%s (%s)", n->op->name, n->sample->label);
    return name;
}
