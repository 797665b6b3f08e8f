/* params.c -- the parameter store: layout, first values, spans, copies. */
#include "model/params.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

static tl_param like(const char *name, tl_shape shape, tl_role role, tl_init init)
{
    return (tl_param){
        .name = (char *)(uintptr_t)name, .shape = shape, .role = role, .init = init
    };
}

static tl_param *add(tl_params *p, const char *name, tl_shape shape, tl_role role,
                     tl_init init)
{
    const tl_param l = like(name, shape, role, init);
    tl_param      *made;

    TEST_OK(tl_params_declare(test_ctx(), p, &l, &made));
    return made;
}

/* Two layers with a norm between: 5x3, norm of 5 with its statistics, 7x5. */
static tl_params *small_store(void)
{
    tl_params *p;

    TEST_OK(tl_params_new(test_ctx(), &p));
    add(p, "a.weight", TL_SHAPE(5, 3), TL_ROLE_WEIGHT, TL_INIT_HE_UNIFORM);
    add(p, "n.weight", TL_SHAPE(5), TL_ROLE_NORM, TL_INIT_ONE);
    add(p, "n.bias", TL_SHAPE(5), TL_ROLE_NORM, TL_INIT_ZERO);
    add(p, "n.running_mean", TL_SHAPE(5), TL_ROLE_STATE, TL_INIT_ZERO);
    add(p, "b.weight", TL_SHAPE(7, 5), TL_ROLE_WEIGHT, TL_INIT_GLOROT_UNIFORM)->head =
        true;
    add(p, "b.bias", TL_SHAPE(7), TL_ROLE_BIAS, TL_INIT_ZERO)->head = true;
    TEST_OK(tl_params_seal(test_ctx(), p));
    return p;
}

static void parameters_lie_in_order_on_cache_lines(void **state)
{
    tl_ctx    *ctx = test_fresh();
    tl_params *p   = small_store();
    int64_t    end = 0;

    (void)state;
    for (int32_t i = 0; i < p->count; i++) {
        assert_int_equal(p->param[i].at % 16, 0);
        assert_true(p->param[i].at >= end);
        end = p->param[i].at + p->param[i].count;
        assert_ptr_equal(tl_params_value(p, &p->param[i]), p->value + p->param[i].at);
    }
    assert_true(p->floats >= end && p->floats - end < 16);
    assert_int_equal(tl_params_numel(p, false), 15 + 5 + 5 + 35 + 7);
    p->param[0].trainable = false;
    assert_int_equal(tl_params_numel(p, true), 5 + 5 + 35 + 7);
    assert_false(tl_params_find(p, "n.running_mean")->trainable);
    tl_params_free(ctx, p);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void a_sealed_store_refuses_what_it_does_not_hold(void **state)
{
    tl_ctx        *ctx   = test_fresh();
    tl_params     *p     = small_store();
    tl_param      *out;
    const tl_param other = like("c.weight", TL_SHAPE(2), TL_ROLE_WEIGHT, TL_INIT_ZERO);
    const tl_param wrong = like("a.weight", TL_SHAPE(3, 5), TL_ROLE_WEIGHT, TL_INIT_ZERO);
    const tl_param right = like("a.weight", TL_SHAPE(5, 3), TL_ROLE_WEIGHT, TL_INIT_ZERO);

    (void)state;
    assert_int_equal(tl_params_declare(ctx, p, &other, &out), TL_EUSAGE);
    assert_non_null(strstr(ctx->message, "c.weight"));
    assert_int_equal(tl_params_declare(ctx, p, &wrong, &out), TL_EUSAGE);
    assert_null(out);
    TEST_OK(tl_params_declare(ctx, p, &right, &out));
    assert_ptr_equal(out, &p->param[0]);
    tl_params_free(ctx, p);
}

static void far_too_large_is_an_error_not_an_overflow(void **state)
{
    tl_ctx        *ctx  = test_fresh();
    const int64_t  big  = (int64_t)1 << 39;
    const tl_param huge = like("w", TL_SHAPE(big, big), TL_ROLE_WEIGHT, TL_INIT_ZERO);
    const tl_param half = like("v", TL_SHAPE(big), TL_ROLE_WEIGHT, TL_INIT_ZERO);
    const tl_param rest = like("u", TL_SHAPE(big + 1), TL_ROLE_WEIGHT, TL_INIT_ZERO);
    tl_params     *p;
    tl_param      *out;

    (void)state;
    TEST_OK(tl_params_new(ctx, &p));
    assert_int_equal(tl_params_declare(ctx, p, &huge, &out), TL_ELIMIT);
    TEST_OK(tl_params_declare(ctx, p, &half, &out));
    assert_int_equal(tl_params_declare(ctx, p, &rest, &out), TL_ELIMIT);
    tl_params_free(ctx, p);
}

/* Mean and standard deviation of a large parameter under a rule. */
static void moments(tl_init init, float scale, double *mean, double *sd, double *top)
{
    tl_ctx    *ctx = test_ctx();
    tl_params *p;
    double     sum = 0.0, square = 0.0;

    TEST_OK(tl_params_new(ctx, &p));
    add(p, "w", TL_SHAPE(96, 40, 3, 3), TL_ROLE_WEIGHT, init)->init_scale = scale;
    TEST_OK(tl_params_seal(ctx, p));
    tl_params_init(p, 5, false, 1);
    *top = 0.0;
    for (int64_t i = 0; i < p->param[0].count; i++) {
        const double v = (double)p->value[i];
        sum += v, square += v * v, *top = fmax(*top, fabs(v));
    }
    *mean = sum / (double)p->param[0].count;
    *sd   = sqrt(square / (double)p->param[0].count);
    tl_params_free(ctx, p);
}

static void first_values_follow_their_papers(void **state)
{
    const double fan_in = 40.0 * 9.0, fan_out = 96.0 * 9.0;
    const struct { tl_init init; float scale; double sd; bool uniform; } rule[] = {
        { TL_INIT_HE_NORMAL, 0.0f, sqrt(2.0 / fan_out), false },
        { TL_INIT_HE_NORMAL_IN, 0.0f, sqrt(2.0 / fan_in), false },
        { TL_INIT_HE_UNIFORM, 0.0f, sqrt(2.0 / fan_in), true },
        { TL_INIT_GLOROT_UNIFORM, 0.0f, sqrt(2.0 / (fan_in + fan_out)), true },
        { TL_INIT_NORMAL, 0.01f, 0.01, false },
        { TL_INIT_FAN_IN_UNIFORM, 0.0f, sqrt(1.0 / (3.0 * fan_in)), true },
        { TL_INIT_FAN_IN_UNIFORM, 12.0f, sqrt(1.0 / (3.0 * 12.0)), true },
    };
    double mean, sd, top;

    (void)state;
    test_fresh();
    for (size_t i = 0; i < TL_COUNT(rule); i++) {
        moments(rule[i].init, rule[i].scale, &mean, &sd, &top);
        assert_true(fabs(sd / rule[i].sd - 1.0) < 0.02);
        assert_true(fabs(mean) < 0.02 * rule[i].sd);
        assert_true(rule[i].uniform == (top < 1.75 * rule[i].sd));
    }
}

static void a_value_depends_on_seed_and_name_alone(void **state)
{
    tl_ctx    *ctx = test_fresh();
    tl_params *a   = small_store(), *b, *by_one;

    (void)state;
    TEST_OK(tl_params_new(ctx, &b));
    add(b, "other", TL_SHAPE(9), TL_ROLE_WEIGHT, TL_INIT_NORMAL)->init_scale = 1.0f;
    add(b, "b.weight", TL_SHAPE(7, 5), TL_ROLE_WEIGHT, TL_INIT_GLOROT_UNIFORM);
    add(b, "c.weight", TL_SHAPE(7, 5), TL_ROLE_WEIGHT, TL_INIT_GLOROT_UNIFORM);
    add(b, "wide.weight", TL_SHAPE(130, 199), TL_ROLE_WEIGHT, TL_INIT_HE_NORMAL);
    add(b, "flat.weight", TL_SHAPE(130, 199), TL_ROLE_WEIGHT, TL_INIT_HE_UNIFORM);
    TEST_OK(tl_params_seal(ctx, b));
    tl_params_init(a, 1, false, 1);
    tl_params_init(b, 1, false, 1);
    const float *x = tl_params_value(a, tl_params_find(a, "b.weight"));
    const float *y = tl_params_value(b, tl_params_find(b, "b.weight"));
    assert_memory_equal(x, y, 35 * sizeof *x);
    assert_memory_not_equal(x, tl_params_value(b, tl_params_find(b, "c.weight")),
                            35 * sizeof *x);
    TEST_OK(tl_params_copy(ctx, b, &by_one));
    tl_params_init(b, 2, false, 1);
    assert_memory_not_equal(x, y, 35 * sizeof *x);
    tl_params_init(b, 1, false, 3);
    assert_memory_equal(b->value, by_one->value, (size_t)b->floats * sizeof *b->value);
    tl_params_free(ctx, by_one);
    tl_params_free(ctx, a);
    tl_params_free(ctx, b);
}

static void a_new_head_leaves_the_body(void **state)
{
    tl_ctx    *ctx = test_fresh();
    tl_params *p   = small_store(), *old;

    (void)state;
    tl_params_init(p, 1, false, 1);
    TEST_OK(tl_params_copy(ctx, p, &old));
    tl_params_init(p, 2, true, 1);
    for (int32_t i = 0; i < p->count; i++) {
        const tl_param *q    = &p->param[i];
        const bool      same = memcmp(p->value + q->at, old->value + q->at,
                                      (size_t)q->count * sizeof(float)) == 0;
        assert_int_equal(same, strcmp(q->name, "b.weight") != 0);
    }
    assert_string_equal(old->param[4].name, "b.weight");
    assert_ptr_not_equal(old->param[4].name, p->param[4].name);
    tl_params_free(ctx, p);
    tl_params_free(ctx, old);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* Every trained float is in one span, at its place in the gradient block; nothing else is
 * but the gaps. */
static void check_spans(tl_params *p, int32_t want)
{
    tl_ctx  *ctx = test_ctx();
    tl_span *span;
    int32_t  count;
    int64_t  grads, covered = 0;

    TEST_OK(tl_params_spans(ctx, p, false, &span, &count, &grads));
    assert_int_equal(count, want);
    for (int32_t i = 0; i < p->count; i++) {
        const tl_param *q = &p->param[i];
        int             found = 0;
        for (int32_t s = 0; s < count; s++) {
            if (q->at < span[s].at || q->at + q->count > span[s].at + span[s].count)
                continue;
            found++;
            assert_int_equal(tl_params_grad_at(p, q),
                             span[s].grad_at + q->at - span[s].at);
            assert_int_equal(span[s].decay, q->role == TL_ROLE_WEIGHT);
            assert_true(span[s].lr_scale == q->lr_scale);
        }
        assert_int_equal(found, q->trainable);
        if (!q->trainable) assert_int_equal(tl_params_grad_at(p, q), -1);
        else covered += q->count;
    }
    assert_true(grads >= covered &&
                (!count || span[count - 1].grad_at + span[count - 1].count <= grads));
    tl_free(ctx, span);
}

static void spans_cover_what_is_trained(void **state)
{
    tl_ctx    *ctx = test_fresh();
    tl_params *p   = small_store();

    (void)state;
    check_spans(p, 4); /* weight | norm | weight | bias */
    p->param[2].lr_scale = 0.5f;
    check_spans(p, 5);
    p->param[0].trainable = p->param[1].trainable = false;
    check_spans(p, 3);
    for (int32_t i = 0; i < p->count; i++) p->param[i].trainable = false;
    check_spans(p, 0);
    tl_params_free(ctx, p);
    assert_int_equal(ctx->world->now_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_lie_in_order_on_cache_lines),
        cmocka_unit_test(a_sealed_store_refuses_what_it_does_not_hold),
        cmocka_unit_test(far_too_large_is_an_error_not_an_overflow),
        cmocka_unit_test(first_values_follow_their_papers),
        cmocka_unit_test(a_value_depends_on_seed_and_name_alone),
        cmocka_unit_test(a_new_head_leaves_the_body),
        cmocka_unit_test(spans_cover_what_is_trained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
