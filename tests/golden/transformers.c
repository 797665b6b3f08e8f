/* transformers.c -- whole transformers against Transformers in double precision: their config is
 * read, every tensor of their file has its place and ours theirs, logits, the gradient of every
 * parameter, the losses of ten AdamW steps (tests/golden/transformers.json, made by
 * tools/golden/transformers_nets.py, which says how weights and inputs follow from names).  The
 * same with adapters against PEFT (peft.json, by peft_nets.py): what is frozen keeps its bits, and
 * merged the network answers as before. */
#include "backend/cpu/cpu.h"
#include "core/io.h"
#include "model/family.h"
#include "support/formula.h"
#include "support/support.h"
#include "tensor/op.h"
#include "tensor/plan.h"
#include "train/stepper.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_ROWS = 256, SPARE = 3 };

typedef struct {
    const json_t *c;
    tl_arch       arch;
    tl_params    *params;
    tl_graph     *g;
    tl_slab      *slab;
    tl_plan      *plan;
    tl_built      built;
    tl_tensor     label, weight, loss;
    int64_t       rows; /* that have a label each; the plan has room for more text */
    float        *x, *moment;
    int32_t       labels[MOST_ROWS];
    float         weights[MOST_ROWS];
    int64_t       tokens, sequences; /* of text */
    int32_t       ids[MOST_ROWS], positions[MOST_ROWS], segments[MOST_ROWS];
    int32_t       offsets[MOST_ROWS];
} rig;

static const char *said(const rig *r)
{
    return tl_json_text(r->c, "kind", "");
}

/* As the script fills them: in the order of the file, which may hold a product turned. */
static void fill_param(const tl_param *p, float *v)
{
    const bool norm = p->shape.ndim == 1 && tl_ends_with(p->name, "weight");

    const bool scale =
        tl_ends_with(p->name, "ia3_l") || tl_ends_with(p->name, "lora_magnitude_vector");

    for (int64_t i = 0; i < p->count; i++) {
        int64_t at = i;
        if (p->turned) at = i % p->shape.dim[1] * p->shape.dim[0] + i / p->shape.dim[1];
        const float u = test_formula(p->name, at);
        v[i] = norm || scale ? 1.0f + 0.5f * u : p->shape.ndim == 1 ? 0.125f * u : 0.25f * u;
    }
}

static void floats(int64_t count, float **out)
{
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)count, sizeof **out, out));
}

/* Every tensor of the file has its parameter, every parameter its tensor. */
static void check_names(const rig *r)
{
    json_t     *shapes = json_object_get(r->c, "shapes"), *dims;
    const char *name;
    int32_t     found = 0;

    json_object_foreach(shapes, name, dims)
    {
        const tl_param *p = tl_params_find(r->params, name);
        if (!p) fail_msg("%s: %s has no place", said(r), name);
        assert_int_equal(json_array_size(dims), p->shape.ndim);
        for (int i = 0; i < p->shape.ndim; i++)
            assert_int_equal(json_integer_value(json_array_get(dims, (size_t)i)),
                             p->shape.dim[p->turned ? p->shape.ndim - 1 - i : i]);
        found++;
    }
    if (found != r->params->count)
        fail_msg("%s: %d parameters, %d tensors", said(r), r->params->count, found);
}

/* Mean over the rows that count. */
static void read_labels(rig *r)
{
    const json_t *list  = json_object_get(r->c, "labels");
    float         count = 0.0f;

    r->rows = (int64_t)json_array_size(list);
    assert_in_range(r->rows, 1, MOST_ROWS);
    for (int64_t i = 0; i < r->rows; i++) {
        r->labels[i]  = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
        r->weights[i] = r->labels[i] >= 0;
        count += r->weights[i];
    }
    for (int64_t i = 0; i < r->rows; i++) r->weights[i] /= count;
}

/* Texts one behind the other; the second half of a BERT's text is its second part. */
static void read_texts(rig *r)
{
    const json_t *lengths = json_object_get(r->c, "lengths");
    const int64_t vocab   = tl_json_int(json_object_get(r->c, "config"), "vocab_size", 0);

    r->sequences = (int64_t)json_array_size(lengths);
    for (int64_t s = 0; s < r->sequences; s++) {
        const int64_t n = json_integer_value(json_array_get(lengths, (size_t)s));
        for (int64_t i = 0; i < n; i++, r->tokens++) {
            const double u = (double)test_formula("ids", r->tokens);
            assert_true(r->tokens < MOST_ROWS - SPARE);
            r->ids[r->tokens] = 3 + (int32_t)((u + 1.0) / 2.0 * (double)(vocab - 3));
            r->positions[r->tokens] = (int32_t)i;
            r->segments[r->tokens]  = i >= n / 2;
        }
        r->offsets[s + 1] = (int32_t)r->tokens;
    }
    r->offsets[r->sequences + 1] = (int32_t)r->tokens; /* one place is left empty */
}

static void bind_if(rig *r, tl_tensor t, void *data)
{
    if (t) TEST_OK(tl_plan_bind(test_ctx(), r->plan, t, data));
}

static void make_inputs(rig *r)
{
    const int64_t n = r->rows * tl_shape_count(&r->arch.row);

    if (r->arch.family->text) {
        bind_if(r, r->built.x, r->ids);
        bind_if(r, r->built.text.positions, r->positions);
        bind_if(r, r->built.text.offsets, r->offsets);
        bind_if(r, r->built.text.segments, r->segments);
        return;
    }
    floats(n, &r->x);
    for (int64_t i = 0; i < n; i++) r->x[i] = test_formula("picture", i);
    bind_if(r, r->built.x, r->x);
}

static const tl_phase beside = { .which = TL_TRAIN_ADAPTERS };

static void rig_start(rig *r, const json_t *c, const tl_backend *backend, tl_dtype dtype)
{
    tl_ctx *ctx = test_ctx();

    *r = (rig){ .c = c };
    read_labels(r);
    TEST_OK(
        tl_arch_from_config(ctx, "config.json", json_object_get(c, "config"), &r->arch));
    r->arch.dropout = 0.0;
    TEST_OK(tl_adapt_from_json(ctx, "adapt", json_object_get(c, "adapt"), &r->arch.adapt));
    if (r->arch.family->text) read_texts(r);
    TEST_OK(tl_arch_params(ctx, &r->arch, &r->params));
    check_names(r);
    if (r->arch.adapt.kind) tl_train_select(r->params, &beside, &(tl_hyper){ .head_rate = 1.0 });
    TEST_OK(tl_graph_new(ctx, &r->g));
    tl_net net = { .ctx       = ctx,
                   .g         = r->g,
                   .params    = r->params,
                   .training  = true,
                   .dtype     = dtype,
                   .sequences = r->sequences + 1 };
    TEST_OK(tl_arch_build(&net, &r->arch,
                          r->arch.family->text ? r->tokens + SPARE : r->rows,
                          TL_PART_WHOLE, &r->built));
    const int64_t rows = tl_graph_shape(r->g, r->built.logits)->dim[0];
    assert_in_range(rows, r->rows, MOST_ROWS);
    r->label  = tl_graph_input(r->g, "label", TL_I32, TL_SHAPE(rows));
    r->weight = tl_graph_input(r->g, "weight", TL_F32, TL_SHAPE(rows));
    r->loss   = tl_cross_entropy(r->g, r->built.logits, r->label, r->weight, 0, 0.0f);
    tl_graph_keep(r->g, r->loss, NULL);
    tl_graph_backward(r->g, r->loss);
    TEST_OK(tl_graph_status(r->g));
    TEST_OK(tl_slab_new(ctx, backend, &r->slab));
    TEST_OK(tl_plan_new(ctx, r->g, backend, r->slab, &r->plan));
    make_inputs(r);
    TEST_OK(tl_plan_bind(ctx, r->plan, r->label, r->labels));
    TEST_OK(tl_plan_bind(ctx, r->plan, r->weight, r->weights));
    for (int32_t i = 0; i < r->params->count; i++) {
        tl_param *p = &r->params->param[i];
        fill_param(p, tl_params_value(r->params, p));
        TEST_OK(tl_plan_bind(ctx, r->plan, tl_graph_find(r->g, p->name),
                             tl_params_value(r->params, p)));
    }
    floats(2 * r->params->floats, &r->moment);
}

static void rig_end(rig *r)
{
    tl_ctx *ctx = test_ctx();

    tl_plan_free(ctx, r->plan);
    tl_slab_free(ctx, r->slab);
    tl_graph_free(ctx, r->g);
    tl_params_free(ctx, r->params);
    tl_arch_free(ctx, &r->arch);
    tl_free(ctx, r->x);
    tl_free(ctx, r->moment);
}

/* Of the logits, over the largest. */
static double logits_error(rig *r)
{
    const json_t *list = json_object_get(r->c, "logits");
    const int64_t n    = r->rows * r->arch.outputs;
    float        *want;

    assert_int_equal(json_array_size(list), n);
    floats(n, &want);
    for (int64_t i = 0; i < n; i++)
        want[i] = (float)json_number_value(json_array_get(list, (size_t)i));
    const double error = test_error(tl_plan_data(r->plan, r->built.logits), want, n);
    tl_free(test_ctx(), want);
    return error;
}

static void check_logits(rig *r)
{
    const double error = logits_error(r);

    if (!(error < 1e-4)) fail_msg("%s: logits differ by %g", said(r), error);
}

/* In the file's order, too; `got` is turned in place of a copy. */
static void file_order(const tl_param *p, const float *from, float *to)
{
    for (int64_t i = 0; i < p->count; i++)
        to[p->turned ? i % p->shape.dim[1] * p->shape.dim[0] + i / p->shape.dim[1] : i] =
            from[i];
}

static void check_gradients(rig *r)
{
    const json_t *want  = json_object_get(r->c, "gradients");
    const double  least = 1e-3 * test_largest_norm(want);

    for (int32_t i = 0; i < r->params->count; i++) {
        const tl_param *p = &r->params->param[i];
        const tl_tensor g = tl_graph_gradient(r->g, tl_graph_find(r->g, p->name));
        float          *got;
        assert_true(!g || p->trainable);
        if (!p->trainable) continue;
        floats(p->count, &got);
        if (g) file_order(p, tl_plan_data(r->plan, g), got);
        const double error = test_probe_error(want, p->name, got, p->count, least);
        if (!(error < 1e-3))
            fail_msg("%s: gradient of %s differs by %g", said(r), p->name, error);
        tl_free(test_ctx(), got);
    }
}

static void adamw(rig *r, const json_t *file, int64_t step)
{
    const tl_optimizer     *o = tl_optimizer_find("adamw");
    const tl_optim_settings s = {
        .lr = tl_json_number(file, "lr", NAN), .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8
    };

    for (int32_t i = 0; i < r->params->count; i++) {
        const tl_param *p = &r->params->param[i];
        const tl_tensor g = tl_graph_gradient(r->g, tl_graph_find(r->g, p->name));
        const double    decay =
            p->shape.ndim >= 2 ? tl_json_number(file, "decay", NAN) : 0.0;
        if (!g) continue;
        const tl_flat x = { .n     = p->count,
                            .w     = tl_params_value(r->params, p),
                            .g     = tl_plan_data(r->plan, g),
                            .share = 1.0f,
                            .m     = r->moment + p->at,
                            .v     = r->moment + r->params->floats + p->at };
        o->step(&s, s.lr, decay, step, &x, 1);
    }
    tl_plan_weights_changed(r->plan);
}

/* What is trained moved, the rest has its bits. */
static void check_frozen(const rig *r)
{
    for (int32_t i = 0; i < r->params->count; i++) {
        const tl_param *p = &r->params->param[i];
        float          *fill;
        floats(p->count, &fill);
        fill_param(p, fill);
        assert_true(p->trainable != !memcmp(tl_params_value(r->params, p), fill,
                                            (size_t)p->count * sizeof *fill));
        tl_free(test_ctx(), fill);
    }
}

/* Without the adapter, what it learned in the weights. */
static void check_merged(rig *r)
{
    const int64_t n = r->rows * r->arch.outputs;
    tl_ctx       *ctx = test_ctx();
    tl_params    *merged;
    float        *was;

    floats(n, &was);
    TEST_OK(tl_plan_run(ctx, r->plan, (tl_tick){ 0 }));
    memcpy(was, tl_plan_data(r->plan, r->built.logits), (size_t)n * sizeof *was);
    TEST_OK(tl_params_copy(ctx, r->params, &merged));
    TEST_OK(tl_adapt_merge(ctx, &r->arch.adapt, r->params, merged));
    for (int32_t i = 0; i < r->params->count; i++) {
        const tl_param *p = &r->params->param[i];
        float          *v = tl_params_value(r->params, p);
        memcpy(v, tl_params_value(merged, p), (size_t)p->count * sizeof *v);
        for (int64_t k = 0; k < p->count && p->adapter; k++)
            v[k] = tl_ends_with(p->name, "ia3_l") ? 1.0f : 0.0f;
    }
    tl_adapt_start(&r->arch.adapt, r->params); /* B is 0: the adapter does nothing */
    tl_plan_weights_changed(r->plan);
    TEST_OK(tl_plan_run(ctx, r->plan, (tl_tick){ 0 }));
    const double error = test_error(tl_plan_data(r->plan, r->built.logits), was, n);
    if (!(error < 1e-5)) fail_msg("%s: merged logits differ by %g", said(r), error);
    tl_params_free(ctx, merged);
    tl_free(ctx, was);
}

static void check_case(const json_t *file, const json_t *c, const tl_backend *backend)
{
    const json_t *losses = json_object_get(c, "losses");
    rig           r;

    rig_start(&r, c, backend, TL_F32);
    for (size_t step = 0; step < json_array_size(losses); step++) {
        TEST_OK(tl_plan_run(test_ctx(), r.plan, (tl_tick){ 0 }));
        const double want = json_number_value(json_array_get(losses, step));
        const double loss = (double)*(const float *)tl_plan_data(r.plan, r.loss);
        if (step == 0) check_logits(&r);
        if (step == 0) check_gradients(&r);
        if (!(fabs(loss - want) <= 1e-4 * fabs(want)))
            fail_msg("%s: loss of step %d is %.9g, not %.9g", said(&r), (int)step, loss,
                     want);
        adamw(&r, file, (int64_t)step + 1);
    }
    if (r.arch.adapt.kind) check_frozen(&r);
    if (r.arch.adapt.kind && !tl_adapt_stays(r.arch.adapt.kind)) check_merged(&r);
    rig_end(&r);
}

static void check_all(const char *name, size_t least, const tl_backend *backend)
{
    tl_ctx *ctx = test_fresh();
    json_t *file, *c;
    size_t  i;

    TEST_OK(tl_json_read(ctx, name, 1 << 20, &file));
    json_array_foreach(json_object_get(file, "cases"), i, c) check_case(file, c, backend);
    assert_true(i >= least);
    json_decref(file);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* In bf16 they are, all in all, no further from the truth than PyTorch is; how two roundings fall
 * in one network is chance. */
static void bf16_is_as_near_as_pytorchs(void **state)
{
    tl_ctx *ctx = test_fresh();
    json_t *file, *c;
    size_t  i;
    double  ours = 0.0, theirs = 0.0;

    (void)state;
    TEST_OK(tl_json_read(ctx, TEST_FOLDER "/golden/transformers.json", 1 << 20, &file));
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        const double allowed = tl_json_number(c, "bf16", 0.0);
        rig          r;
        rig_start(&r, c, &tl_backend_cpu, TL_BF16);
        TEST_OK(tl_plan_run(ctx, r.plan, (tl_tick){ 0 }));
        const double error = logits_error(&r);
        ours += error;
        theirs += allowed;
        if (!(error < 4.0 * allowed))
            fail_msg("%s: bf16 logits differ by %g, PyTorch's by %g", said(&r), error,
                     allowed);
        rig_end(&r);
    }
    if (!(ours <= theirs))
        fail_msg("bf16 logits differ by %g in all, PyTorch's by %g", ours, theirs);
    json_decref(file);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void networks_equal_transformers(void **state)
{
    (void)state;
    check_all(TEST_FOLDER "/golden/transformers.json", 20, &tl_backend_cpu);
}

static void so_does_the_reference_backend(void **state)
{
    (void)state;
    check_all(TEST_FOLDER "/golden/transformers.json", 20, &tl_backend_ref);
}

static void adapted_networks_equal_peft(void **state)
{
    (void)state;
    check_all(TEST_FOLDER "/golden/peft.json", 17, &tl_backend_cpu);
    check_all(TEST_FOLDER "/golden/peft.json", 17, &tl_backend_ref);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_equal_transformers),
        cmocka_unit_test(so_does_the_reference_backend),
        cmocka_unit_test(adapted_networks_equal_peft),
        cmocka_unit_test(bf16_is_as_near_as_pytorchs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
