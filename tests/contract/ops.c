/* ops.c -- every op of the list, on every sample: what its record must say, gradients against
 * central differences of L = sum(mix * y) with mix random and signed, and two mutants (a zero
 * gradient, a flipped one) that must be caught, input by input. */
#include "support/sample.h"
#include "tensor/backend.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double TOLERANCE = 5e-3, KINK = 8e-3, BF16_TOLERANCE = 3e-2;
static const float  H = 1.0f / 512.0f; /* exact in binary */

/* A record whose gradient for one input is scaled: by 0 or -1. */
static struct { const tl_op *op; int input; float factor; } mutation;

static void mutated_grad(tl_graph *g, const tl_node *n, const tl_tensor *dy, tl_tensor *dx)
{
    mutation.op->grad(g, n, dy, dx);
    if (dx[mutation.input]) dx[mutation.input] = tl_scale(g, dx[mutation.input], mutation.factor);
}

static tl_op mutant_of(const tl_op *op, int input, float factor)
{
    tl_op m = *op;

    mutation.op     = op;
    mutation.input  = input;
    mutation.factor = factor;
    m.grad          = mutated_grad;
    return m;
}

/* Loss with element i of input k moved by `step`. */
static double moved(test_net *n, int k, int64_t i, float step)
{
    float      *x   = test_net_data(n, n->in[k]);
    const float old = x[i];

    x[i] = old + step;
    test_net_run(n);
    x[i] = old;
    return test_net_loss(n);
}

/* Largest |gradient - central difference| over the largest difference.  Where the loss bends
 * within the step (a relu's corner), the difference says nothing and is left out; most must
 * remain. */
static double error_by_differences(test_net *n, int k)
{
    const int64_t count = test_net_count(n, n->in[k]);
    double        worst = 0.0, top = 0.0, slope[1024], g[1024];
    int64_t       kinks = 0;

    assert_in_range(count, 1, 1024);
    test_net_run(n);
    for (int64_t i = 0; i < count; i++) g[i] = (double)test_net_data(n, n->grad[k])[i];
    const double mid = test_net_loss(n);
    for (int64_t i = 0; i < count; i++) {
        const double up = moved(n, k, i, H), down = moved(n, k, i, -H);
        const double bend = fabs(up - 2.0 * mid + down) / (double)H;
        slope[i]          = (up - down) / (2.0 * (double)H);
        if (bend > KINK * fmax(1.0, fabs(slope[i]))) slope[i] = NAN, kinks++;
        else top = fmax(top, fabs(slope[i]));
    }
    for (int64_t i = 0; i < count; i++)
        if (!isnan(slope[i])) worst = fmax(worst, fabs(slope[i] - g[i]));
    if (kinks * 4 > count && kinks > 1)
        fail_msg("%s: %d of %d differences left out", test_net_name(n), (int)kinks, (int)count);
    return top > 0.0 ? worst / top : worst;
}

/* bf16 rounds too much for differences: its gradient is held to that of the same op in f32. */
static double error_to_f32(test_net *n, int k, const tl_op *truth)
{
    test_net exact;
    double   error;

    test_net_make(&exact, truth, n->sample, &tl_backend_ref, 1, true);
    test_net_run(n);
    test_net_run(&exact);
    error = test_error(test_net_data(n, n->grad[k]), test_net_data(&exact, exact.grad[k]),
                       test_net_count(n, n->in[k]));
    test_net_free(&exact);
    return error;
}

/* A cast to bf16 rounds its output whatever its input is. */
static bool is_rough(const test_net *n)
{
    for (int i = 0; i < TL_MOST_IN; i++)
        if (n->sample->dtype[i] == TL_BF16) return true;
    return tl_graph_info(n->g, n->out[0])->dtype == TL_BF16;
}

static double error_of(const tl_op *op, const tl_sample *s, int k, const tl_op *truth,
                       double *allowed)
{
    test_net n;
    double   error;

    test_net_make(&n, op, s, &tl_backend_ref, 1, false);
    if (!n.grad[k]) fail_msg("%s has no gradient for input %d", test_net_name(&n), k);
    *allowed = is_rough(&n) ? BF16_TOLERANCE : TOLERANCE;
    error    = is_rough(&n) ? error_to_f32(&n, k, truth) : error_by_differences(&n, k);
    test_net_free(&n);
    return error;
}

static void check_input(const tl_op *op, const tl_sample *s, int k)
{
    static const float factors[] = { 0.0f, -1.0f };
    double             allowed;
    const double       error = error_of(op, s, k, op, &allowed);

    if (!(error < allowed))
        fail_msg("%s (%s): gradient of input %d is off by %g", op->name, s->label, k, error);
    for (size_t i = 0; i < TL_COUNT(factors); i++) {
        const tl_op  m     = mutant_of(op, k, factors[i]);
        const double wrong = error_of(&m, s, k, op, &allowed);
        if (!(wrong > 10.0 * allowed))
            fail_msg("%s (%s): gradient of input %d times %g passes (%g)", op->name, s->label, k,
                     (double)factors[i], wrong);
    }
}

static bool takes_gradient(const tl_op *op, const tl_sample *s, int k)
{
    return s->in[k].ndim > 0 && !(s->no_grad >> k & 1) && !(op->writes >> k & 1) &&
           s->dtype[k] != TL_I32;
}

static void gradients_agree_and_mutants_do_not(void **state)
{
    const tl_op *op;
    int          checked = 0;

    (void)state;
    test_fresh();
    for (size_t i = 0; (op = tl_op_at(i)) != NULL; i++)
        for (size_t j = 0; j < op->n_samples; j++)
            for (int k = 0; k < TL_MOST_IN && op->samples[j].in[k].ndim != 0; k++)
                if (takes_gradient(op, &op->samples[j], k))
                    check_input(op, &op->samples[j], k), checked++;
    assert_true(checked > 100);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void records_are_complete(void **state)
{
    const tl_op *op;

    (void)state;
    for (size_t i = 0; (op = tl_op_at(i)) != NULL; i++) {
        if (!op->doc || !op->source || !op->shape || !op->ref)
            fail_msg("%s: its record is not complete", op->name);
        if (op->grad && op->n_samples == 0) fail_msg("%s: no samples", op->name);
        if (op->most_in > TL_MOST_IN || op->n_out < 1 || op->n_out > TL_MOST_OUT)
            fail_msg("%s: too many inputs or outputs", op->name);
        assert_ptr_equal(tl_op_find(op->name), op);
        for (size_t j = 0; j < i; j++) assert_string_not_equal(tl_op_at(j)->name, op->name);
    }
    assert_null(tl_op_find("no such op"));
}

static void same_bits(const test_net *a, const test_net *b, const tl_tensor *t, int count)
{
    for (int i = 0; i < count; i++) {
        if (!t[i]) continue;
        const size_t bytes = (size_t)test_net_count(a, t[i]) *
                             tl_dtype_bytes(tl_graph_info(a->g, t[i])->dtype);
        if (memcmp(tl_plan_data(a->plan, t[i]), tl_plan_data(b->plan, t[i]), bytes) != 0)
            fail_msg("%s: tensor %d has not the same bits", test_net_name(a), t[i]);
    }
}

/* The same plan again, and a second plan, give the same bits; inputs keep theirs. */
static void runs_repeat_to_the_bit(void **state)
{
    const tl_op *op;

    (void)state;
    test_fresh();
    for (size_t i = 0; (op = tl_op_at(i)) != NULL; i++)
        for (size_t j = 0; j < op->n_samples; j++) {
            test_net a, b, fresh;
            test_net_make(&a, op, &op->samples[j], &tl_backend_ref, 3, false);
            test_net_make(&b, op, &op->samples[j], &tl_backend_ref, 3, false);
            test_net_make(&fresh, op, &op->samples[j], &tl_backend_ref, 3, false);
            test_net_run(&a);
            test_net_run(&b);
            same_bits(&a, &b, a.in, TL_MOST_IN);
            if (!op->writes) test_net_run(&a), same_bits(&a, &fresh, a.in, TL_MOST_IN);
            same_bits(&a, &b, a.grad, TL_MOST_IN);
            same_bits(&a, &b, a.out, TL_MOST_OUT);
            test_net_free(&a);
            test_net_free(&b);
            test_net_free(&fresh);
        }
}

static void check_slopes(tl_activation a)
{
    const double h = 1e-6;

    for (double x = -7.03; x < 7.1; x += 0.11) {
        const double d = (tl_act_value(a, x + h) - tl_act_value(a, x - h)) / (2.0 * h);
        if (fabs(d - tl_act_slope(a, x)) > 1e-6)
            fail_msg("%s at %g: slope %g", tl_act_name(a), x, d);
        if (tl_act_from_output(a) &&
            fabs(d - tl_act_slope_from_output(a, tl_act_value(a, x))) > 1e-6)
            fail_msg("%s at %g: slope from output", tl_act_name(a), x);
    }
}

static void activations_have_names_and_slopes(void **state)
{
    tl_activation back = TL_ACT_NONE;

    (void)state;
    for (int a = 0; a < TL_ACTS; a++) {
        assert_true(tl_act_parse(tl_act_name((tl_activation)a), &back));
        assert_int_equal(back, a);
        check_slopes((tl_activation)a);
    }
    assert_false(tl_act_parse("reluu", &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_complete),
        cmocka_unit_test(activations_have_names_and_slopes),
        cmocka_unit_test(gradients_agree_and_mutants_do_not),
        cmocka_unit_test(runs_repeat_to_the_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
