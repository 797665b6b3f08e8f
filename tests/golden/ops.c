/* ops.c -- every op against PyTorch's numbers (tests/golden/ops.txt, made by
 * tools/golden/ops.py): values, gradients of sum(mix * y), statistics that a norm moves. */
#include "support/support.h"
#include "backend/cpu/cpu.h"
#include "core/io.h"
#include "tensor/ops.h"
#include "tensor/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 96 };

typedef struct {
    char      role[16], name[32];
    tl_shape  shape;
    float    *value; /* what the file says; int32_t where the role is int */
    float    *bound; /* what the plan works on                            */
    tl_tensor t;
} array;

typedef struct {
    char      name[64];
    tl_graph *g;
    tl_plan  *plan;
    array     a[MOST];
    int       n;
} golden;

static tl_tensor in(const golden *c, const char *name)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->a[i].name, name) == 0 && c->a[i].t) return c->a[i].t;
    return 0;
}

/* A case is one expression of ops.h over the file's arrays. */
#define CASE(case_, expression)                       \
    static tl_tensor case_(tl_graph *g, const golden *c) \
    {                                                 \
        return expression;                            \
    }
#define IN(name) in(c, #name)
#define CONV(...) tl_conv(g, IN(x), IN(w), IN(b), &(tl_conv_attr){ __VA_ARGS__ })
#define POOL(kind, ...) tl_##kind##_pool(g, IN(x), &(tl_pool_attr){ __VA_ARGS__ })
#define NORM(batch, act)                                                                    \
    tl_batch_norm(g, IN(x), IN(gamma), IN(beta), IN(mean), IN(var), IN(residual),            \
                  &(tl_batch_norm_attr){ 1e-5f, 0.1f, batch, act })
CASE(dense_relu, tl_dense(g, IN(x), IN(w), IN(b), TL_ACT_RELU))
CASE(dense_plain, tl_dense(g, IN(x), IN(w), 0, TL_ACT_NONE))
CASE(conv_3x3_relu, CONV(.pad = { 1, 1, 1, 1 }, .act = TL_ACT_RELU))
CASE(conv_depthwise_relu6, CONV(.stride = { 2, 1 }, .groups = 4, .pad = { 1, 1, 1, 1 },
                                .act = TL_ACT_RELU6))
CASE(conv_groups_dilated, CONV(.dilation = { 2, 3 }, .groups = 2, .pad = { 1, 2, 3, 0 }))
CASE(max_pool_padded, POOL(max, .kernel = { 3, 3 }, .stride = { 2, 2 }, .pad = { 1, 1, 1, 1 }))
CASE(max_pool_ceil, POOL(max, .kernel = { 3, 3 }, .stride = { 2, 2 }, .ceil = true))
CASE(avg_pool_inside, POOL(avg, .kernel = { 3, 3 }, .stride = { 2, 2 }, .pad = { 1, 1, 1, 1 }))
CASE(avg_pool_ceil_counted, POOL(avg, .kernel = { 3, 2 }, .stride = { 2, 3 },
                                 .pad = { 1, 1, 1, 1 }, .ceil = true, .count_padding = true))
CASE(global_avg_pool, tl_global_avg_pool(g, IN(x)))
CASE(global_max_pool, tl_global_max_pool(g, IN(x)))
CASE(batch_norm_batch, NORM(true, TL_ACT_NONE))
CASE(batch_norm_running, NORM(false, TL_ACT_NONE))
CASE(batch_norm_residual_relu, NORM(true, TL_ACT_RELU))
CASE(batch_norm_running_residual_relu, NORM(false, TL_ACT_RELU))
CASE(layer_norm, tl_layer_norm(g, IN(x), IN(gamma), IN(beta), 1e-5f))
CASE(group_norm, tl_group_norm(g, IN(x), IN(gamma), IN(beta), 3, 1e-5f))
CASE(softmax, tl_softmax(g, IN(x)))
CASE(log_softmax, tl_log_softmax(g, IN(x)))
CASE(cross_entropy, tl_cross_entropy(g, IN(x), IN(target), IN(weight), 0, 0.0f))
CASE(cross_entropy_smooth_weighted, tl_cross_entropy(g, IN(x), IN(target), IN(weight),
                                                     IN(class_weight), 0.1f))
CASE(cross_entropy_soft_weighted, tl_cross_entropy(g, IN(x), IN(target), IN(weight),
                                                   IN(class_weight), 0.2f))
CASE(mse, tl_mse(g, IN(x), IN(target), IN(weight)))
CASE(mae, tl_mae(g, IN(x), IN(target), IN(weight)))
CASE(huber, tl_huber(g, IN(x), IN(target), IN(weight), 0.7f))
CASE(concat, tl_concat(g, (tl_tensor[]){ IN(x), IN(z) }, 2, 1))
CASE(slice, tl_slice(g, IN(x), 1, 1, 3, 2))
CASE(transpose, tl_transpose(g, IN(x), (int[]){ 2, 0, 3, 1 }))
CASE(pad, tl_pad(g, IN(x), (int64_t[]){ 1, 2 }, (int64_t[]){ 3, 0 }))
CASE(embedding, tl_embedding(g, IN(x), IN(ids)))
CASE(reduce_sum, tl_reduce_sum(g, IN(x), 1))
CASE(reduce_mean, tl_reduce_mean(g, IN(x), 0))
CASE(reduce_max, tl_reduce_max(g, IN(x), 2))
CASE(add_tail_relu, tl_add(g, IN(x), IN(z), TL_ACT_RELU))
CASE(mul_tail, tl_mul(g, IN(x), IN(z)))
CASE(scale, tl_scale(g, IN(x), -1.75f))

#define ATTEND(heads, kv, d, before, after)                                              \
    tl_attention(g, IN(q), IN(k), IN(v), IN(offsets), 0,                                 \
                 &(tl_attention_attr){ heads, kv, before, after, 0, 1.0f / sqrtf(d), 0.0f,    \
                                       0.0f, 0 })
CASE(attention_whole, ATTEND(2, 2, 5, -1, -1))
CASE(attention_packed_causal, ATTEND(4, 2, 4, -1, 0))
CASE(attention_long, ATTEND(1, 1, 3, -1, 0))
CASE(attention_window, ATTEND(2, 1, 3, 2, 2))
CASE(rms_norm, tl_rms_norm(g, IN(x), IN(gamma), 1e-5f, 0.0f))
CASE(glu_silu, tl_glu(g, IN(x), IN(z), TL_ACT_SILU))
CASE(glu_gelu_beside, tl_glu(g, IN(x), 0, TL_ACT_GELU))
CASE(token_loss, tl_token_loss(g, IN(x), IN(w), IN(b), IN(target), IN(weight), 0.0f))
CASE(pool_first, tl_sequence_pool(g, IN(x), IN(offsets), TL_POOL_FIRST))
CASE(pool_last, tl_sequence_pool(g, IN(x), IN(offsets), TL_POOL_LAST))
CASE(pool_mean, tl_sequence_pool(g, IN(x), IN(offsets), TL_POOL_MEAN))

static tl_tensor turned(tl_graph *g, const golden *c, bool interleaved)
{
    const tl_rope_angles_attr angles = { 3, { 1.0f, 0.1f, 0.01f }, 1.0f };
    const tl_tensor           cosine = tl_rope_angles(g, IN(positions), &angles);

    return tl_rope(g, IN(x), cosine, tl_graph_out(g, cosine, 1),
                   &(tl_rope_spec){ 1, 8, interleaved });
}
CASE(rope_halves, turned(g, c, false))
CASE(rope_neighbours, turned(g, c, true))

static tl_tensor conv_tf_same(tl_graph *g, const golden *c)
{
    tl_conv_attr a = { .stride = { 2, 2 } };

    tl_pad_same(6, 3, 2, 1, &a.pad[0], &a.pad[2]);
    tl_pad_same(7, 3, 2, 1, &a.pad[1], &a.pad[3]);
    return tl_conv(g, IN(x), IN(w), IN(b), &a);
}

static tl_tensor any_act(tl_graph *g, const golden *c)
{
    tl_activation act = TL_ACT_NONE;

    assert_true(tl_act_parse(c->name + strlen("act_"), &act));
    return tl_act(g, IN(x), act);
}

/* A convolution and its norm, by the names the file gives them. */
static tl_tensor unit(tl_graph *g, const golden *c, tl_tensor x, const char *name, int stride,
                      tl_activation act, tl_tensor residual)
{
    static const char *const parts[] = { "w", "g", "b", "m", "v" };
    tl_tensor                t[5];
    char                     full[32];

    for (size_t i = 0; i < TL_COUNT(parts); i++) {
        snprintf(full, sizeof full, "%s.%s", name, parts[i]);
        t[i] = in(c, full);
    }
    const int pad = (int)tl_graph_shape(g, t[0])->dim[2] / 2;
    x = tl_conv(g, x, t[0], 0, &(tl_conv_attr){ .stride = { stride, stride },
                                                .pad = { pad, pad, pad, pad } });
    return tl_batch_norm(g, x, t[1], t[2], t[3], t[4], residual,
                         &(tl_batch_norm_attr){ 1e-5f, 0.1f, true, act });
}

static tl_tensor residual_net(tl_graph *g, const golden *c)
{
    tl_tensor h = unit(g, c, IN(x), "stem", 1, TL_ACT_RELU, 0), down;

    h    = tl_max_pool(g, h, &(tl_pool_attr){ .kernel = { 3, 3 }, .stride = { 2, 2 },
                                              .pad = { 1, 1, 1, 1 } });
    h    = unit(g, c, unit(g, c, h, "a1", 1, TL_ACT_RELU, 0), "a2", 1, TL_ACT_RELU, h);
    down = unit(g, c, h, "bd", 2, TL_ACT_NONE, 0);
    h    = unit(g, c, unit(g, c, h, "b1", 2, TL_ACT_RELU, 0), "b2", 1, TL_ACT_RELU, down);
    h    = tl_dense(g, tl_global_avg_pool(g, h), IN(w), IN(b), TL_ACT_NONE);
    return tl_cross_entropy(g, h, IN(target), IN(weight), 0, 0.1f);
}

#define ROW(case_) { #case_, case_ }
static const struct {
    const char *name;
    tl_tensor (*build)(tl_graph *g, const golden *c);
} rows[] = {
    ROW(dense_relu), ROW(dense_plain), ROW(conv_3x3_relu), ROW(conv_tf_same),
    ROW(conv_depthwise_relu6), ROW(conv_groups_dilated), ROW(max_pool_padded), ROW(max_pool_ceil),
    ROW(avg_pool_inside), ROW(avg_pool_ceil_counted), ROW(global_avg_pool), ROW(global_max_pool),
    ROW(batch_norm_batch), ROW(batch_norm_running), ROW(batch_norm_residual_relu),
    ROW(batch_norm_running_residual_relu), ROW(layer_norm), ROW(group_norm), ROW(softmax),
    ROW(log_softmax), ROW(cross_entropy), ROW(cross_entropy_smooth_weighted),
    ROW(cross_entropy_soft_weighted), ROW(mse), ROW(mae), ROW(huber), ROW(concat), ROW(slice),
    ROW(transpose), ROW(pad), ROW(embedding), ROW(reduce_sum), ROW(reduce_mean), ROW(reduce_max),
    ROW(add_tail_relu), ROW(mul_tail), ROW(scale), ROW(residual_net),
    ROW(attention_whole), ROW(attention_packed_causal), ROW(attention_long),
    ROW(attention_window), ROW(rms_norm), ROW(glu_silu), ROW(glu_gelu_beside),
    ROW(rope_halves), ROW(rope_neighbours), ROW(pool_first), ROW(pool_last), ROW(pool_mean),
    ROW(token_loss),
};

static tl_tensor build(const golden *c)
{
    if (strncmp(c->name, "act_", 4) == 0) return any_act(c->g, c);
    for (size_t i = 0; i < TL_COUNT(rows); i++)
        if (strcmp(rows[i].name, c->name) == 0) return rows[i].build(c->g, c);
    fail_msg("%s: the file has a case that the test has not", c->name);
    return 0;
}

static bool is(const array *a, const char *role)
{
    return strcmp(a->role, role) == 0;
}

/* "role name ndim dims... values..." */
static void read_array(array *a, char *line)
{
    char *at = line;
    int   used = 0;

    *a = (array){ 0 };
    assert_int_equal(sscanf(at, "%15s %31s %d%n", a->role, a->name, &a->shape.ndim, &used), 3);
    at += used;
    assert_in_range(a->shape.ndim, 0, TL_DIMS);
    for (int i = 0; i < a->shape.ndim; i++) a->shape.dim[i] = strtoll(at, &at, 10);
    const int64_t n = tl_shape_count(&a->shape);
    a->value        = malloc((size_t)n * sizeof *a->value);
    a->bound        = malloc((size_t)n * sizeof *a->bound);
    for (int64_t i = 0; i < n; i++) {
        char *end;
        if (is(a, "int")) ((int32_t *)(void *)a->value)[i] = (int32_t)strtol(at, &end, 10);
        else a->value[i] = strtof(at, &end);
        assert_ptr_not_equal(at, end);
        at = end;
    }
    memcpy(a->bound, a->value, (size_t)n * sizeof *a->bound);
}

static void declare(golden *c)
{
    TEST_OK(tl_graph_new(test_ctx(), &c->g));
    for (int i = 0; i < c->n; i++) {
        array *a = &c->a[i];
        if (is(a, "param")) a->t = tl_graph_param(c->g, a->name, a->shape, true);
        if (is(a, "state")) a->t = tl_graph_state(c->g, a->name, a->shape);
        if (is(a, "input") || is(a, "mix")) a->t = tl_graph_input(c->g, a->name, TL_F32, a->shape);
        if (is(a, "int")) a->t = tl_graph_input(c->g, a->name, TL_I32, a->shape);
    }
}

/* Output and gradient tensors of the file's names; y and loss_r are outputs 0 and 1. */
static void differentiate(golden *c)
{
    const tl_tensor y    = build(c), mix = in(c, "mix");
    const tl_shape  flat = TL_SHAPE(tl_shape_count(tl_graph_shape(c->g, y)));
    const tl_tensor sum  = tl_reduce_sum(c->g, tl_mul(c->g, tl_reshape(c->g, y, flat),
                                                      tl_reshape(c->g, mix, flat)), 0);

    tl_graph_keep(c->g, y, NULL);
    for (int i = 0; i < c->n; i++)
        if (is(&c->a[i], "out") && strcmp(c->a[i].name, "rows") == 0)
            tl_graph_keep(c->g, tl_graph_out(c->g, y, 1), NULL);
    tl_graph_backward(c->g, sum);
    if (tl_graph_status(c->g) != TL_OK) fail_msg("%s: %s", c->name, test_ctx()->message);
    for (int i = 0; i < c->n; i++) {
        array *a = &c->a[i];
        if (is(a, "out")) a->t = strcmp(a->name, "y") == 0 ? y : tl_graph_out(c->g, y, 1);
        if (is(a, "grad")) a->t = tl_graph_gradient(c->g, tl_graph_find(c->g, a->name));
        if (is(a, "after")) a->t = tl_graph_find(c->g, a->name);
    }
}

static void compare(golden *c, double tolerance)
{
    for (int i = 0; i < c->n; i++) {
        const array *a = &c->a[i];
        if (!is(a, "out") && !is(a, "grad") && !is(a, "after")) continue;
        if (!tl_shape_equal(&a->shape, tl_graph_shape(c->g, a->t)))
            fail_msg("%s: %s %s has another shape", c->name, a->role, a->name);
        const double error = test_error(tl_plan_data(c->plan, a->t), a->value,
                                        tl_shape_count(&a->shape));
        if (!(error < tolerance))
            fail_msg("%s: %s %s is off by %g", c->name, a->role, a->name, error);
    }
}

static void check_case(golden *c, const tl_backend *backend, double tolerance)
{
    declare(c);
    differentiate(c);
    TEST_OK(tl_plan_new(test_ctx(), c->g, backend, NULL, &c->plan));
    for (int i = 0; i < c->n; i++)
        if (c->a[i].t && !is(&c->a[i], "after"))
            TEST_OK(tl_plan_bind(test_ctx(), c->plan, c->a[i].t, c->a[i].bound));
    TEST_OK(tl_plan_run(test_ctx(), c->plan, (tl_tick){ 0 }));
    compare(c, tolerance);
    tl_plan_free(test_ctx(), c->plan);
    tl_graph_free(test_ctx(), c->g);
    for (int i = 0; i < c->n; i++) {
        free(c->a[i].value);
        free(c->a[i].bound);
    }
}

/* Every case of the file; returns how many. */
static int check_all(const tl_backend *backend, double tolerance)
{
    uint8_t *text;
    size_t   bytes;
    int      cases = 0;
    golden   c     = { .n = 0 };

    test_fresh();
    TEST_OK(tl_file_read(test_ctx(), TEST_FOLDER "/golden/ops.txt", 1 << 20, &text, &bytes));
    for (char *line = (char *)text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        if (*line == '#') continue;
        if (strncmp(line, "case ", 5) != 0) {
            assert_true(c.n < MOST);
            read_array(&c.a[c.n++], line);
            continue;
        }
        if (c.n > 0) check_case(&c, backend, tolerance), cases++;
        c = (golden){ .n = 0 };
        snprintf(c.name, sizeof c.name, "%s", line + 5);
    }
    check_case(&c, backend, tolerance);
    tl_free(test_ctx(), text);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
    return cases + 1;
}

/* The rows, and the activations but "none". */
enum { CASES = (int)TL_COUNT(rows) + TL_ACTS - 1 };

/* f32 storage, sums in double */
static void ref_agrees_with_pytorch(void **state)
{
    (void)state;
    assert_int_equal(check_all(&tl_backend_ref, 1e-6), CASES);
}

/* f32 sums of up to some hundred products */
static void cpu_agrees_with_pytorch(void **state)
{
    (void)state;
    assert_int_equal(check_all(&tl_backend_cpu, 1e-5), CASES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ref_agrees_with_pytorch),
        cmocka_unit_test(cpu_agrees_with_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
