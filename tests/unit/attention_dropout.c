/* attention_dropout.c -- what dropout takes from attention: read off a call whose values are unit
 * vectors, so that its outputs are the probabilities themselves.  Forward and backward have one
 * mask, of one rate, in rows, columns, heads and steps that do not follow each other; it is off
 * where nothing trains. */
#include "support/support.h"
#include "backend/cpu/cpu.h"
#include "model/family.h"
#include "tensor/ops.h"
#include "tensor/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 96, HEADS = 4, CELLS = KEYS * KEYS * HEADS };
static const float   p    = 0.1f;
static const tl_tick tick = { 7, 3 };

/* y[i][h][j] and dv[j][h][i]: what is left of a probability of 1 / KEYS, forward and backward. */
typedef struct {
    tl_graph *g;
    tl_plan  *plan;
    float    *q, *v, *dv, *y;
} probe;

/* Backward through sum(y * x), x[i][h] the unit vector i: dy is that. */
static void probe_new(probe *b, const tl_backend *backend, bool bf, float dropout)
{
    tl_ctx                 *ctx  = test_ctx();
    const int64_t           wide = HEADS * KEYS;
    const tl_attention_attr attr = { .heads    = HEADS,
                                     .kv_heads = HEADS,
                                     .before   = -1,
                                     .after    = -1,
                                     .scale    = 1.0f,
                                     .dropout  = dropout,
                                     .stream   = 2 };

    *b = (probe){ 0 };
    TEST_OK(tl_graph_new(ctx, &b->g));
    tl_tensor q = tl_graph_input(b->g, "q", TL_F32, TL_SHAPE(KEYS, wide));
    const tl_tensor unit = tl_graph_input(b->g, "unit", TL_F32, TL_SHAPE(KEYS, wide));
    const tl_tensor v    = tl_graph_param(b->g, "v", TL_SHAPE(KEYS, wide), true);
    tl_tensor       in = v, from = q;
    if (bf) in = tl_cast(b->g, v, TL_BF16), from = tl_cast(b->g, q, TL_BF16);
    tl_tensor y = tl_attention(b->g, from, from, in, 0, 0, &attr);
    if (bf) y = tl_cast(b->g, y, TL_F32);
    tl_graph_keep(b->g, y, "y");
    y = tl_reshape(b->g, tl_mul(b->g, y, unit), TL_SHAPE(KEYS * wide));
    tl_graph_backward(b->g, tl_reduce_sum(b->g, y, 0));
    TEST_OK(tl_graph_status(b->g));
    TEST_OK(tl_plan_new(ctx, b->g, backend, NULL, &b->plan));
    b->q  = calloc((size_t)CELLS, sizeof(float));
    b->v  = calloc((size_t)CELLS, sizeof(float));
    b->dv = calloc((size_t)CELLS, sizeof(float));
    for (int64_t j = 0; j < KEYS; j++)
        for (int64_t h = 0; h < HEADS; h++) b->v[(j * HEADS + h) * KEYS + j] = 1.0f;
    TEST_OK(tl_plan_bind(ctx, b->plan, q, b->q));
    TEST_OK(tl_plan_bind(ctx, b->plan, unit, b->v));
    TEST_OK(tl_plan_bind(ctx, b->plan, v, b->v));
    TEST_OK(tl_plan_bind(ctx, b->plan, tl_graph_gradient(b->g, v), b->dv));
    b->y = calloc((size_t)CELLS, sizeof(float));
    TEST_OK(tl_plan_bind(ctx, b->plan, tl_graph_find(b->g, "y"), b->y));
}

static void probe_run(probe *b, tl_tick at)
{
    TEST_OK(tl_plan_run(test_ctx(), b->plan, at));
}

static void probe_end(probe *b)
{
    tl_plan_free(test_ctx(), b->plan);
    tl_graph_free(test_ctx(), b->g);
    free(b->q);
    free(b->v);
    free(b->dv);
    free(b->y);
}

static float cell(const float *x, int64_t row, int64_t head, int64_t column)
{
    return x[(row * HEADS + head) * KEYS + column];
}

/* Kept ones are 1 / KEYS times 1 / (1 - p), the others 0; the gradient's are the same ones. */
static void check_mask(const probe *b, double near)
{
    const double left = 1.0 / KEYS / (1.0 - (double)p);
    int64_t      gone = 0;

    for (int64_t i = 0; i < KEYS; i++)
        for (int64_t h = 0; h < HEADS; h++)
            for (int64_t j = 0; j < KEYS; j++) {
                const double y = (double)cell(b->y, i, h, j), dv = (double)cell(b->dv, j, h, i);
                gone += y == 0.0;
                assert_true(y == 0.0 || fabs(y / left - 1.0) < near);
                assert_true((y == 0.0) == (dv == 0.0));
                assert_true(dv == 0.0 || fabs(dv / left - 1.0) < near);
            }
    const double sd = sqrt(CELLS * (double)p * (1.0 - (double)p));
    assert_true(fabs((double)gone - CELLS * (double)p) < 4.6 * sd);
}

static void one_mask_forward_and_backward(void **state)
{
    static const tl_backend *const backends[] = { &tl_backend_ref, &tl_backend_cpu };

    (void)state;
    for (int k = 0; k < 4; k++) {
        probe b;
        probe_new(&b, backends[k % 2], k / 2 == 1, p);
        probe_run(&b, tick);
        check_mask(&b, k / 2 == 1 ? 1.0 / 128.0 : 1e-5);
        probe_end(&b);
    }
}

/* A rate of 0 keeps all, and draws nothing: as without it to the bit. */
static void no_rate_keeps_all(void **state)
{
    probe b;

    (void)state;
    probe_new(&b, &tl_backend_cpu, false, 0.0f);
    probe_run(&b, tick);
    for (int64_t i = 0; i < CELLS; i++) assert_true(b.y[i] > 0.0f && b.dv[i] > 0.0f);
    probe_end(&b);
}

/* How often both of two masks drop a cell that is `rows`, `heads`, `columns` further in the
 * second, less what chance gives, in standard deviations. */
static double follows(const float *a, const float *b, int64_t rows, int64_t heads,
                      int64_t columns)
{
    int64_t both = 0, n = 0;

    for (int64_t i = 0; i + rows < KEYS; i++)
        for (int64_t h = 0; h + heads < HEADS; h++)
            for (int64_t j = 0; j + columns < KEYS; j++, n++)
                both += cell(a, i, h, j) == 0.0f &&
                        cell(b, i + rows, h + heads, j + columns) == 0.0f;
    const double chance = (double)p * (double)p;
    return fabs((double)both - (double)n * chance) / sqrt((double)n * chance * (1.0 - chance));
}

/* Neighbours in every direction drop together as often as chance has it, and so do steps; a row's
 * and a column's numbers of zeros scatter as independent draws do; the mean over steps of what a
 * row puts out is what it is without dropout. */
static void cells_do_not_follow_each_other(void **state)
{
    enum { STEPS = 40 };
    probe   b;
    float  *was = calloc((size_t)CELLS, sizeof *was);
    double  rows = 0.0, columns = 0.0, total = 0.0;

    (void)state;
    probe_new(&b, &tl_backend_cpu, false, p);
    for (uint64_t step = 0; step < STEPS; step++) {
        memcpy(was, b.y, (size_t)CELLS * sizeof *was);
        probe_run(&b, (tl_tick){ tick.seed, tick.step + step });
        if (step > 0) assert_true(follows(was, b.y, 0, 0, 0) < 5.0);
        for (int64_t d = 1; d < 3; d++) {
            assert_true(follows(b.y, b.y, d, 0, 0) < 5.0);
            assert_true(follows(b.y, b.y, 0, d, 0) < 5.0);
            assert_true(follows(b.y, b.y, 0, 0, d) < 5.0);
            assert_true(follows(b.y, b.y, d, 0, d) < 5.0);
        }
        for (int64_t i = 0; i < KEYS; i++)
            for (int64_t h = 0; h < HEADS; h++) {
                double row = 0.0, column = 0.0;
                for (int64_t j = 0; j < KEYS; j++) {
                    row += cell(b.y, i, h, j) == 0.0f;
                    column += cell(b.y, j, h, i) == 0.0f;
                    total += (double)cell(b.y, i, h, j);
                }
                rows += pow(row - KEYS * (double)p, 2.0);
                columns += pow(column - KEYS * (double)p, 2.0);
            }
    }
    const double n = (double)STEPS * KEYS * HEADS, variance = KEYS * (double)p * (1.0 - (double)p);
    assert_true(fabs(rows / n / variance - 1.0) < 5.0 * sqrt(2.0 / n));
    assert_true(fabs(columns / n / variance - 1.0) < 5.0 * sqrt(2.0 / n));
    assert_true(fabs(total / n - 1.0) < 5.0 * sqrt((double)p / (1.0 - (double)p) / KEYS / n));
    free(was);
    probe_end(&b);
}

static void drawn_again_alike(void **state)
{
    probe  b;
    float *was = calloc((size_t)CELLS, sizeof *was);

    (void)state;
    for (int bf = 0; bf < 2; bf++) {
        probe_new(&b, &tl_backend_cpu, bf == 1, p);
        probe_run(&b, tick);
        memcpy(was, b.y, (size_t)CELLS * sizeof *was);
        probe_run(&b, (tl_tick){ tick.seed, tick.step + 1 });
        assert_memory_not_equal(was, b.y, (size_t)CELLS * sizeof *was);
        probe_run(&b, (tl_tick){ tick.seed + 1, tick.step });
        assert_memory_not_equal(was, b.y, (size_t)CELLS * sizeof *was);
        probe_run(&b, tick);
        assert_memory_equal(was, b.y, (size_t)CELLS * sizeof *was);
        probe_end(&b);
    }
    free(was);
}

/* The dropout of each attention of a network, and whether no two have one stream. */
static void check_net(const char *name, const char *key, bool training, int live_from, int want)
{
    tl_ctx    *ctx    = test_ctx();
    tl_params *params = NULL;
    tl_graph  *g      = NULL;
    tl_arch    arch   = { 0 };
    tl_built   made;
    int        found = 0, attentions = 0;
    uint64_t   seen = 0;

    TEST_OK(tl_arch_parse(ctx, name, TL_SHAPE(16), 3, &arch));
    json_object_set_new(arch.config, key, json_real(0.25));
    TEST_OK(tl_arch_params(ctx, &arch, &params));
    TEST_OK(tl_graph_new(ctx, &g));
    tl_net net = { .ctx = ctx, .g = g, .params = params, .training = training,
                   .live_from = live_from };
    TEST_OK(tl_arch_build(&net, &arch, 32, TL_PART_WHOLE, &made));
    for (int32_t i = 0; tl_graph_node(g, i); i++) {
        const tl_node *n = tl_graph_node(g, i);
        if (strcmp(n->op->name, "attention") != 0) continue;
        const tl_attention_attr *a = n->attr;
        attentions++;
        if (a->dropout == 0.0f) continue;
        assert_true(a->dropout == 0.25f && a->stream < 64 && !(seen >> a->stream & 1));
        seen |= (uint64_t)1 << a->stream;
        found++;
    }
    assert_true(attentions > 0);
    assert_int_equal(found, want);
    tl_graph_free(ctx, g);
    tl_params_free(ctx, params);
    tl_arch_free(ctx, &arch);
}

/* Every family applies its own setting, in training, in blocks that train. */
static void families_apply_theirs(void **state)
{
    static const struct { const char *arch, *key; } nets[] = {
        { "bert:2x64", "attention_probs_dropout_prob" },
        { "roberta:2x64", "attention_probs_dropout_prob" },
        { "distilbert:2x64", "attention_dropout" },
        { "modernbert:2x64", "attention_dropout" },
        { "gpt2:2x64", "attn_pdrop" },
        { "llama:2x64", "attention_dropout" },
    };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(nets); i++) {
        check_net(nets[i].arch, nets[i].key, true, 0, 2);
        check_net(nets[i].arch, nets[i].key, true, 2, 1);
        check_net(nets[i].arch, nets[i].key, false, 0, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_mask_forward_and_backward),
        cmocka_unit_test(no_rate_keeps_all),
        cmocka_unit_test(cells_do_not_follow_each_other),
        cmocka_unit_test(drawn_again_alike),
        cmocka_unit_test(families_apply_theirs),
    };

    return cmocka_run_group_tests_name("attention_dropout", tests, NULL, NULL);
}
