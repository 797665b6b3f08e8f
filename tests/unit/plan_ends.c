/* plan_ends.c -- an activation becomes the end of the layer before it where nobody reads the sums,
 * and the result keeps its bits. */
#include "support/support.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/tiles.h"
#include "core/rand.h"
#include "tensor/ops.h"
#include "tensor/plan.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 200, IN = 64, OUT = 88 };
static const tl_tick tick = { .seed = 1, .step = 2 };

/* Who else reads the sums. */
typedef enum { NOBODY, CALLER, ANOTHER, GRADIENT } reader;

typedef struct {
    tl_graph *g;
    tl_plan  *plan;
    tl_tensor y;
    void     *data[4];
} net;

static void *numbers(tl_tensor t, int64_t count, bool bf)
{
    float *x = calloc((size_t)count, sizeof *x);

    assert_non_null(x);
    for (int64_t i = 0; i < count; i++) {
        const double u = tl_rand_uniform(7, TL_STREAM(TL_STREAM_TEST, t), (uint64_t)i) - 0.5;
        if (bf) ((uint16_t *)(void *)x)[i] = tl_f32_to_bf16((float)(4.0 * u));
        else x[i] = (float)u;
    }
    return x;
}

static void make(net *n, tl_activation act, reader who)
{
    *n = (net){ 0 };
    TEST_OK(tl_graph_new(test_ctx(), &n->g));
    const bool      train = who == GRADIENT;
    const tl_tensor x     = tl_graph_input(n->g, "x", TL_BF16, TL_SHAPE(ROWS, IN));
    const tl_tensor w     = tl_graph_param(n->g, "w", TL_SHAPE(OUT, IN), train);
    const tl_tensor b     = tl_graph_param(n->g, "b", TL_SHAPE(OUT), train);
    const tl_tensor sum   = tl_dense(n->g, x, w, b, TL_ACT_NONE);
    tl_tensor       other = 0;
    if (who == ANOTHER) other = tl_scale(n->g, sum, 2.0f);
    n->y = tl_act(n->g, sum, act);
    tl_graph_keep(n->g, n->y, "y");
    if (who == CALLER) tl_graph_keep(n->g, sum, "sum");
    if (other) tl_graph_keep(n->g, other, "other");
    if (train) {
        const tl_tensor target = tl_graph_input(n->g, "target", TL_I32, TL_SHAPE(ROWS));
        const tl_tensor weight = tl_graph_input(n->g, "weight", TL_F32, TL_SHAPE(ROWS));
        const tl_tensor loss   = tl_cross_entropy(n->g, n->y, target, weight, 0, 0.0f);
        tl_graph_keep(n->g, loss, "loss");
        tl_graph_backward(n->g, loss);
    }
    TEST_OK(tl_graph_status(n->g));
    TEST_OK(tl_plan_new(test_ctx(), n->g, &tl_backend_cpu, NULL, &n->plan));
    for (tl_tensor t = 1, k = 0; t <= tl_graph_tensors(n->g); t++) {
        const tl_tensor_info *info  = tl_graph_info(n->g, t);
        const int64_t         count = tl_shape_count(&info->shape);
        if (info->kind == TL_VALUE) continue;
        if (train && k >= 3) { /* target and weight: all 0 and 1 */
            static int32_t targets[ROWS];
            static float   ones[ROWS];
            for (int i = 0; i < ROWS; i++) ones[i] = 1.0f;
            TEST_OK(tl_plan_bind(test_ctx(), n->plan, t,
                                 info->dtype == TL_I32 ? (void *)targets : (void *)ones));
            continue;
        }
        n->data[k] = numbers(t, count, info->dtype == TL_BF16);
        TEST_OK(tl_plan_bind(test_ctx(), n->plan, t, n->data[k++]));
    }
    tl_plan_profile(n->plan, true);
    TEST_OK(tl_plan_run(test_ctx(), n->plan, tick));
    TEST_OK(tl_plan_run(test_ctx(), n->plan, tick));
}

static void end(net *n)
{
    tl_plan_free(test_ctx(), n->plan);
    tl_graph_free(test_ctx(), n->g);
    for (size_t i = 0; i < TL_COUNT(n->data); i++) free(n->data[i]);
}

static bool has_act(const net *n)
{
    tl_op_time   rows[32];
    const size_t count = tl_plan_profile_rows(n->plan, rows, 32);

    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].op, "act") == 0) return true;
    return false;
}

static void the_bits_are_those_of_two_steps(void **state)
{
    static const tl_activation act[] = { TL_ACT_GELU, TL_ACT_GELU_TANH, TL_ACT_SILU };

    (void)state;
    test_fresh();
    for (size_t i = 0; i < TL_COUNT(act); i++) {
        net joined;
        make(&joined, act[i], NOBODY);
        assert_int_equal(has_act(&joined), !tl_tiles_best());
        for (reader who = CALLER; who <= GRADIENT; who++) {
            net apart;
            make(&apart, act[i], who);
            assert_true(has_act(&apart));
            assert_memory_equal(tl_plan_data(joined.plan, joined.y),
                                tl_plan_data(apart.plan, apart.y),
                                (size_t)ROWS * OUT * sizeof(uint16_t));
            end(&apart);
        }
        end(&joined);
    }
}

/* No kernel ends with these: they stay what they are. */
static void other_activations_stay_steps(void **state)
{
    net n;

    (void)state;
    test_fresh();
    make(&n, TL_ACT_MISH, NOBODY);
    assert_true(has_act(&n));
    end(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bits_are_those_of_two_steps),
        cmocka_unit_test(other_activations_stay_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
