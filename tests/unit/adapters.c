/* adapters.c -- routes that train few parameters beside a frozen base, on a tiny ViT: what is
 * frozen keeps its bits, what is merged answers as before, what is kept beside is PEFT's. */
#include "bundle/adapter.h"
#include "core/io.h"
#include "support/drawn.h"
#include "tensor/op.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char net[] = "vit:2x64x4";

typedef struct { test_drawn p; tl_model *base; } fixture;

static void ask(fixture *f, const char *route)
{
    tl_candidate *c = &f->p.spec.candidate;

    c->route = tl_route_find(route);
    c->base  = f->base;
    c->route->defaults(&c->hyper, &c->arch, f->p.train.count);
    c->hyper.least_steps = 0;
    c->hyper.epochs      = 2.0;
    c->hyper.augment     = "none";
    c->hyper.adapt.r     = 3;
}

/* A base of weights drawn here, and a short run of `route` from it. */
static void open_fixture(fixture *f, const char *route)
{
    test_fresh();
    test_drawn_open(&f->p, 80, 3, 8, 3, net, "scratch");
    TEST_OK(tl_model_new(test_ctx(), &f->p.spec.candidate.arch, &f->p.prep,
                         f->p.dataset->class_name, 3, &f->base));
    ask(f, route);
}

static void close_fixture(fixture *f)
{
    tl_model_free(test_ctx(), f->base);
    test_drawn_close(&f->p);
}

static bool is_bias(const tl_param *p)
{
    return p->role == TL_ROLE_BIAS ||
           (p->role == TL_ROLE_NORM && tl_ends_with(p->name, ".bias"));
}

/* R16, before anything is merged: what the base brought stays but for what the route trains. */
static void what_is_frozen_keeps_its_bits(void **state)
{
    static const char *const names[] = { "lora", "rslora", "dora", "ia3", "adapter", "bitfit" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(names); i++) {
        tl_run_result r;
        fixture       f;
        open_fixture(&f, names[i]);
        tl_route apart                = *f.p.spec.candidate.route;
        apart.finish                  = NULL;
        f.p.spec.candidate.route      = &apart;
        f.p.spec.candidate.hyper.optim.weight_decay = 0.1;
        TEST_OK(tl_run_train(test_ctx(), &f.p.spec, &r));
        const tl_params *now = r.model->params;
        int              adapted = 0;
        int64_t          learned = 0;
        for (int32_t k = 0; k < now->count; k++) {
            const tl_param *p = &now->param[k], *q = tl_params_find(f.base->params, p->name);
            adapted += p->adapter;
            if (p->adapter || p->head || (is_bias(p) && strcmp(names[i], "bitfit") == 0))
                learned += p->count;
            if (p->head || p->adapter) continue;
            const bool same = memcmp(tl_params_value(now, p),
                                     tl_params_value(f.base->params, q),
                                     (size_t)p->count * sizeof(float)) == 0;
            if (same == (strcmp(names[i], "bitfit") == 0 && is_bias(p)))
                fail_msg("%s: %s %s", names[i], p->name, same ? "stayed" : "moved");
        }
        assert_true((adapted > 0) == (strcmp(names[i], "bitfit") != 0));
        assert_int_equal(r.trainable, learned);
        tl_run_result_free(test_ctx(), &r);
        close_fixture(&f);
    }
}

static void logits(fixture *f, const tl_model *m, float *y)
{
    tl_predictor *p;

    TEST_OK(tl_predictor_new(test_ctx(), m, TL_PART_WHOLE, 20, &tl_backend_ref, f->p.slab,
                             TL_F32, &p));
    TEST_OK(tl_predictor_rows(test_ctx(), p, f->p.cache, f->p.valid, y));
    tl_predictor_free(test_ctx(), p);
}

static void same_adapter(const tl_adapter *a, const tl_adapter *b)
{
    assert_true(json_equal(a->config, b->config));
    assert_int_equal(a->params->count, b->params->count);
    for (int32_t i = 0; i < a->params->count; i++) {
        const tl_param *p = &a->params->param[i], *q = tl_params_find(b->params, p->name);
        assert_non_null(q);
        assert_true(tl_shape_equal(&p->shape, &q->shape));
        assert_memory_equal(tl_params_value(a->params, p), tl_params_value(b->params, q),
                            (size_t)p->count * sizeof(float));
    }
}

/* A merged run is the unmerged one in the base's form; saved and opened it still has its
 * adapter. */
static void merged_as_it_was_apart(void **state)
{
    static const char *const names[] = { "lora", "rslora", "dora", "ia3", "qlora" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(names); i++) {
        float         apart[60], merged[60], opened[60];
        tl_run_result r[2];
        tl_model     *m;
        fixture       f;
        char         *folder = test_folder();
        open_fixture(&f, names[i]);
        tl_route unmerged = *f.p.spec.candidate.route;
        unmerged.finish   = NULL;
        assert_int_equal(f.p.valid.count * 3, TL_COUNT(apart));
        TEST_OK(tl_run_train(test_ctx(), &f.p.spec, &r[0]));
        f.p.spec.candidate.route = &unmerged;
        TEST_OK(tl_run_train(test_ctx(), &f.p.spec, &r[1]));
        assert_int_equal(r[0].model->params->count, f.base->params->count);
        assert_int_equal(r[0].model->arch.adapt.kind, TL_ADAPT_NONE);
        assert_int_equal(r[1].model->arch.adapt.kind, f.p.spec.candidate.hyper.adapt.kind);
        assert_int_equal(r[0].trainable, r[1].trainable);
        logits(&f, r[0].model, merged);
        logits(&f, r[1].model, apart);
        assert_true(test_error(merged, apart, 60) < 1e-5);
        assert_non_null(r[0].model->adapter);
        TEST_OK(tl_model_save(test_ctx(), r[0].model, NULL, folder));
        TEST_OK(tl_model_open(test_ctx(), folder, NULL, &m));
        logits(&f, m, opened);
        assert_memory_equal(opened, merged, sizeof opened);
        same_adapter(r[0].model->adapter, m->adapter);
        tl_adapter_free(test_ctx(), m->adapter);
        m->adapter = NULL;
        TEST_OK(tl_model_save(test_ctx(), m, NULL, folder)); /* takes the old one away */
        tl_model_free(test_ctx(), m);
        TEST_OK(tl_model_open(test_ctx(), folder, NULL, &m));
        assert_null(m->adapter);
        tl_model_free(test_ctx(), m);
        tl_run_result_free(test_ctx(), &r[0]);
        tl_run_result_free(test_ctx(), &r[1]);
        close_fixture(&f);
        test_folder_end(folder);
    }
}

/* Lengths twice as large, in the graph alone: what is merged is another network. */
static tl_status wrong_lengths(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    call->node->op->ref(call);
    for (int64_t i = 0; i < tl_shape_count(&call->out[0].shape); i++)
        ((float *)call->out[0].data)[i] *= 0.5f;
    return TL_OK;
}

static const tl_kernel *wrong_kernel(size_t i)
{
    static const tl_kernel kernel = { .op = "lora_norm", .run = wrong_lengths };

    return i == 0 ? &kernel : NULL;
}

static void a_merge_that_differs_is_an_error(void **state)
{
    tl_backend    backend = tl_backend_ref;
    tl_run_result r;
    fixture       f;

    (void)state;
    backend.kernel_at = wrong_kernel;
    open_fixture(&f, "dora");
    f.p.spec.backend = &backend;
    assert_int_equal(tl_run_train(test_ctx(), &f.p.spec, &r), TL_EFAIL);
    assert_non_null(strstr(test_ctx()->message, "merged and unmerged outputs differ"));
    close_fixture(&f);
}

/* The run's base and its best/ on disk, best/adapter/ naming the base. */
static void save_both(fixture *f, const char *folder, const char *route, float merged[60])
{
    char          path[512];
    tl_run_result r;

    open_fixture(f, route);
    snprintf(path, sizeof path, "%s/base", folder);
    TEST_OK(tl_model_save(test_ctx(), f->base, NULL, path));
    tl_model_free(test_ctx(), f->base);
    TEST_OK(tl_model_open(test_ctx(), path, NULL, &f->base));
    f->p.spec.candidate.base = f->base;
    TEST_OK(tl_run_train(test_ctx(), &f->p.spec, &r));
    logits(f, r.model, merged);
    snprintf(path, sizeof path, "%s/best", folder);
    TEST_OK(tl_model_save(test_ctx(), r.model, NULL, path));
    tl_run_result_free(test_ctx(), &r);
}

/* The adapter's folder is a base: the one it names, with the adapter in it. */
static void a_peft_folder_is_a_base(void **state)
{
    static const char *const names[] = { "lora", "rslora", "dora", "ia3" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(names); i++) {
        float     merged[60], opened[60];
        char     *folder = test_folder(), path[512];
        tl_model *m;
        fixture   f;
        save_both(&f, folder, names[i], merged);
        snprintf(path, sizeof path, "%s/best/adapter", folder);
        TEST_OK(tl_model_open(test_ctx(), path, NULL, &m));
        logits(&f, m, opened);
        assert_memory_equal(opened, merged, sizeof opened);
        assert_int_equal(m->arch.adapt.kind, TL_ADAPT_NONE);
        assert_non_null(m->adapter);
        tl_model_free(test_ctx(), m);
        close_fixture(&f);
        test_folder_end(folder);
    }
}

/* One change of adapter_config.json each: an error that names file and key. */
static void odd_adapters_are_errors(void **state)
{
    static const struct {
        const char *key, *value, *says;
    } odd[] = {
        { "peft_type", "\"PROMPT_TUNING\"", "PROMPT_TUNING" },
        { "r", "0", "\"r\"" },
        { "r", "4", "lora_A" },
        { "lora_alpha", "\"much\"", "lora_alpha" },
        { "bias", "\"all\"", "bias" },
        { "rank_pattern", "{\"query\": 3}", "rank_pattern" },
        { "layers_to_transform", "[0]", "layers_to_transform" },
        { "init_lora_weights", "\"pissa\"", "init_lora_weights" },
        { "no_such_key", "7", "no_such_key" },
        { "use_dora", "true", "lora_magnitude_vector" },
        { "base_model_name_or_path", "null", "base_model_name_or_path" },
        { "base_model_name_or_path", "\"nowhere\"", "nowhere" },
        { "base_model_name_or_path", "\"../adapter\"", "an adapter, too" },
    };
    float    merged[60];
    char    *folder = test_folder(), path[512], config[540];
    tl_model *m;
    json_t  *whole, *one;
    fixture  f;

    (void)state;
    save_both(&f, folder, "lora", merged);
    snprintf(path, sizeof path, "%s/best/adapter", folder);
    snprintf(config, sizeof config, "%s/adapter_config.json", path);
    TEST_OK(tl_json_read(test_ctx(), config, 1 << 20, &whole));
    for (size_t i = 0; i < TL_COUNT(odd); i++) {
        one = json_deep_copy(whole);
        json_object_set_new(one, odd[i].key,
                            json_loads(odd[i].value, JSON_DECODE_ANY, NULL));
        TEST_OK(tl_json_write_exact(test_ctx(), config, one));
        json_decref(one);
        assert_int_equal(tl_model_open(test_ctx(), path, NULL, &m), TL_EDATA);
        if (!strstr(test_ctx()->message, odd[i].says) ||
            !strstr(test_ctx()->message, "adapter_"))
            fail_msg("%s: %s", odd[i].says, test_ctx()->message);
    }
    json_decref(whole);
    close_fixture(&f);
    test_folder_end(folder);
}

/* Bottlenecks are saved with the network, and are no base for other adapters. */
static void bottlenecks_stay(void **state)
{
    float         y[60], again[60];
    tl_run_result r;
    tl_model     *m, *merged;
    fixture       f;
    char         *folder = test_folder();

    (void)state;
    open_fixture(&f, "adapter");
    TEST_OK(tl_run_train(test_ctx(), &f.p.spec, &r));
    assert_int_equal(r.model->arch.adapt.kind, TL_ADAPT_BOTTLENECK);
    assert_int_equal(tl_model_merged(test_ctx(), r.model, &merged), TL_EUSAGE);
    logits(&f, r.model, y);
    TEST_OK(tl_model_save(test_ctx(), r.model, NULL, folder));
    TEST_OK(tl_model_open(test_ctx(), folder, NULL, &m));
    assert_null(m->adapter);
    logits(&f, m, again);
    assert_memory_equal(y, again, sizeof y);
    tl_run_result_free(test_ctx(), &r);
    f.p.spec.candidate.base = m;
    ask(&f, "lora");
    f.p.spec.candidate.base = m;
    assert_int_equal(tl_run_train(test_ctx(), &f.p.spec, &r), TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "adapters already"));
    tl_model_free(test_ctx(), m);
    close_fixture(&f);
    test_folder_end(folder);
}

/* An adapter changes nothing until it learns. */
static void starts_as_the_base(void **state)
{
    static const char *const names[] = { "lora", "rslora", "dora", "ia3", "adapter" };
    float                    base[60], y[60];

    (void)state;
    for (size_t i = 0; i < TL_COUNT(names); i++) {
        tl_run_spec spec;
        tl_model   *m[2];
        fixture     f;
        open_fixture(&f, names[i]);
        TEST_OK(tl_run_settle(test_ctx(), &f.p.spec, &spec));
        TEST_OK(tl_trainer_model(test_ctx(), &spec, &m[1]));
        spec.candidate.arch.adapt = (tl_adapt){ 0 };
        TEST_OK(tl_trainer_model(test_ctx(), &spec, &m[0]));
        logits(&f, m[0], base);
        logits(&f, m[1], y);
        if (!(test_error(y, base, 60) < 1e-6)) fail_msg("%s starts elsewhere", names[i]);
        tl_model_free(test_ctx(), m[0]);
        tl_model_free(test_ctx(), m[1]);
        close_fixture(&f);
    }
}

static void targets_are_ends_of_names(void **state)
{
    tl_adapt a = { .kind = TL_ADAPT_LORA, .targets = "query,output.dense" };

    (void)state;
    assert_true(tl_adapt_targets(&a, "encoder.layer.0.attention.query"));
    assert_true(tl_adapt_targets(&a, "query"));
    assert_true(tl_adapt_targets(&a, "layer.1.output.dense"));
    assert_false(tl_adapt_targets(&a, "layer.0.subquery"));
    assert_false(tl_adapt_targets(&a, "layer.0.intermediate.dense"));
    assert_true(tl_adapt_targets(&a, "layer.0.attention.output.dense"));
    memcpy(a.targets, "*.output.dense,pooler", sizeof "*.output.dense,pooler");
    assert_true(tl_adapt_targets(&a, "layer.11.output.dense"));
    assert_true(tl_adapt_targets(&a, "bert.pooler"));
    assert_false(tl_adapt_targets(&a, "layer.0.attention.output.dense"));
    assert_false(tl_adapt_targets(&a, "output.dense"));
    memcpy(a.targets, "all", sizeof "all");
    assert_true(tl_adapt_targets(&a, "anything"));
    a.kind = TL_ADAPT_IA3;
    assert_true(tl_adapt_targets(&a, "h.0.attn.c_attn"));
    assert_false(tl_adapt_targets(&a, "h.0.attn.c_proj"));
    assert_true(tl_adapt_scales_input("h.0.mlp.c_proj"));
    assert_false(tl_adapt_scales_input("layer.0.attention.key"));
    a.kind = TL_ADAPT_NONE;
    assert_false(tl_adapt_targets(&a, "h.0.attn.c_attn"));
    assert_true(fabs(tl_adapt_scale(&(tl_adapt){ .r = 4, .alpha = 8.0 }) - 2.0) < 1e-12);
    assert_true(
        fabs(tl_adapt_scale(&(tl_adapt){ .r = 4, .alpha = 8.0, .rs = true }) - 4.0) < 1e-12);
}

/* A network of convolutions, or targets that are no layer's: said before anything is trained. */
static void nothing_to_join_is_an_error(void **state)
{
    tl_run_result r;
    tl_hyper      h;
    tl_arch       arch;
    fixture       f;

    (void)state;
    open_fixture(&f, "lora");
    TEST_OK(tl_hyper_set(test_ctx(), &f.p.spec.candidate.hyper, "lora.targets", "q_proj"));
    assert_int_equal(tl_run_train(test_ctx(), &f.p.spec, &r), TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "no layer that"));
    assert_int_equal(
        tl_hyper_set(test_ctx(), &f.p.spec.candidate.hyper, "lora.targets", ""), TL_EUSAGE);
    TEST_OK(tl_arch_parse(test_ctx(), "resnet20", TL_SHAPE(32, 32, 3), 3, &arch));
    assert_int_equal(tl_route_defaults(test_ctx(), tl_route_find("dora"), &arch, 100, &h),
                     TL_EUSAGE);
    TEST_OK(tl_route_defaults(test_ctx(), tl_route_find("bitfit"), &arch, 100, &h));
    tl_arch_free(test_ctx(), &arch);
    close_fixture(&f);
}

/* Only A and B take gradients: memory and work below those of training everything. */
static void costs_less_than_full(void **state)
{
    tl_run_need few, all;
    fixture     f;

    (void)state;
    open_fixture(&f, "lora");
    f.p.spec.candidate.hyper.adapt.dropout = 0.0;
    TEST_OK(tl_run_forecast(test_ctx(), &f.p.spec, &few));
    ask(&f, "full");
    TEST_OK(tl_run_forecast(test_ctx(), &f.p.spec, &all));
    assert_true(few.flops < 0.85 * all.flops);
    assert_true(few.peak_bytes - few.process_bytes < all.peak_bytes - all.process_bytes);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_frozen_keeps_its_bits),
        cmocka_unit_test(merged_as_it_was_apart),
        cmocka_unit_test(a_merge_that_differs_is_an_error),
        cmocka_unit_test(a_peft_folder_is_a_base),
        cmocka_unit_test(odd_adapters_are_errors),
        cmocka_unit_test(bottlenecks_stay),
        cmocka_unit_test(starts_as_the_base),
        cmocka_unit_test(targets_are_ends_of_names),
        cmocka_unit_test(nothing_to_join_is_an_error),
        cmocka_unit_test(costs_less_than_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
