/* prefix.c -- the route `prefix` on small transformers: what is frozen keeps its bits, what was
 * learnt is kept as PEFT keeps it and read back to the same answers, long texts leave the prefix
 * its places, packed rows see their own prefix alone. */
#include "backend/cpu/cpu.h"
#include "bundle/adapter.h"
#include "bundle/prefix.h"
#include "core/io.h"
#include "support/sentences.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 48, TOKENS = 5 };

static void open_run(test_course *s, const char *net)
{
    test_sentences_open(s, ROWS, net, "prefix", 2.0);
    s->spec.backend                  = &tl_backend_cpu;
    s->spec.candidate.hyper.adapt.r  = TOKENS;
    s->spec.candidate.hyper.optim.lr = 2e-2;
}

static void answers(const test_course *s, const tl_model *m, int64_t at_once, float *y)
{
    tl_predictor *p;
    tl_cache     *cache;

    TEST_OK(tl_cache_new(test_ctx(), s->dataset, &m->prep, 0, &cache));
    TEST_OK(tl_predictor_new(test_ctx(), m, TL_PART_WHOLE, at_once, &tl_backend_ref, s->slab,
                             TL_F32, &p));
    TEST_OK(tl_predictor_rows(test_ctx(), p, cache, s->valid, y));
    tl_predictor_free(test_ctx(), p);
    tl_cache_free(test_ctx(), cache);
}

/* R16: frozen means frozen. */
static void what_is_frozen_keeps_its_bits(void **state)
{
    static const char *const nets[] = { "bert:2x64", "distilbert:2x64", "modernbert:2x64",
                                        "gpt2:2x64", "llama:2x64" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(nets); i++) {
        test_course s;
        tl_run_result  r;
        int64_t        learned = 0, tables = 0;
        open_run(&s, nets[i]);
        TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
        for (int32_t k = 0; k < r.model->params->count; k++) {
            const tl_param *p = &r.model->params->param[k],
                           *q = tl_params_find(s.base->params, p->name);
            if (p->head || p->adapter) learned += p->count;
            tables += p->adapter;
            if (p->head || p->adapter) continue;
            assert_non_null(q);
            assert_memory_equal(tl_params_value(r.model->params, p),
                                tl_params_value(s.base->params, q),
                                (size_t)p->count * sizeof(float));
        }
        assert_int_equal(tables, 4);
        assert_int_equal(r.trainable, learned);
        assert_true((r.model->adapter != NULL) == tl_prefix_in_peft(&r.model->arch));
        tl_run_result_free(test_ctx(), &r);
        test_course_close(&s);
    }
}

/* best/ and best/adapter/ over the base give the answers of the run, one row at a time as all
 * together; the prefix matters. */
static void kept_as_peft_keeps_it(void **state)
{
    static const char *const nets[] = { "bert:2x64", "gpt2:2x64", "llama:2x64" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(nets); i++) {
        test_course s;
        tl_run_result  r;
        tl_model      *m;
        float          y[ROWS], again[ROWS];
        char           path[600];
        open_run(&s, nets[i]);
        const int64_t n = s.valid.count * 2;
        assert_in_range(n, 1, ROWS);
        snprintf(path, sizeof path, "%s/base", s.folder);
        TEST_OK(tl_model_save(test_ctx(), s.base, NULL, path));
        tl_model_free(test_ctx(), s.base);
        TEST_OK(tl_model_open(test_ctx(), path, NULL, &s.base));
        s.spec.candidate.base = s.base;
        TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
        answers(&s, r.model, 12, y);
        answers(&s, r.model, 1, again);
        assert_true(test_error(again, y, n) < 1e-5);
        snprintf(path, sizeof path, "%s/best", s.folder);
        TEST_OK(tl_model_save(test_ctx(), r.model, NULL, path));
        TEST_OK(tl_model_open(test_ctx(), path, NULL, &m));
        answers(&s, m, 12, again);
        assert_memory_equal(again, y, (size_t)n * sizeof *y);
        tl_model_free(test_ctx(), m);
        snprintf(path, sizeof path, "%s/best/adapter", s.folder);
        TEST_OK(tl_model_open(test_ctx(), path, NULL, &m));
        assert_int_equal(m->arch.adapt.kind, TL_ADAPT_PREFIX);
        assert_int_equal(m->arch.adapt.r, TOKENS);
        assert_true(m->prep.text->most <= m->arch.row.dim[0] - TOKENS);
        answers(&s, m, 12, again);
        assert_memory_equal(again, y, (size_t)n * sizeof *y);
        for (int32_t k = 0; k < m->params->count; k++)
            if (tl_ends_with(m->params->param[k].name, ".prefix_values"))
                tl_params_value(m->params, &m->params->param[k])[0] += 3.0f;
        answers(&s, m, 12, again);
        assert_true(test_error(again, y, n) > 1e-4);
        tl_model_free(test_ctx(), m);
        tl_run_result_free(test_ctx(), &r);
        test_course_close(&s);
    }
}

/* One change of what PEFT wrote each: an error that names file and key. */
static void odd_prefixes_are_errors(void **state)
{
    static const struct {
        const char *key, *value, *says;
    } odd[] = {
        { "num_virtual_tokens", "6", "prompt_embeddings" },
        { "num_virtual_tokens", "0", "num_virtual_tokens" },
        { "num_transformer_submodules", "2", "num_transformer_submodules" },
        { "r", "8", "\"r\"" },
        { "peft_type", "\"IA3\"", "num_virtual_tokens" },
    };
    test_course s;
    tl_run_result  r;
    tl_model      *m;
    json_t        *whole;
    char           path[600], config[640];

    (void)state;
    open_run(&s, "bert:1x64");
    snprintf(path, sizeof path, "%s/base", s.folder);
    TEST_OK(tl_model_save(test_ctx(), s.base, NULL, path));
    tl_model_free(test_ctx(), s.base);
    TEST_OK(tl_model_open(test_ctx(), path, NULL, &s.base));
    s.spec.candidate.base = s.base;
    TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
    snprintf(path, sizeof path, "%s/adapter", s.folder);
    TEST_OK(tl_adapter_save(test_ctx(), r.model->adapter, path));
    snprintf(config, sizeof config, "%s/adapter_config.json", path);
    TEST_OK(tl_json_read(test_ctx(), config, 1 << 20, &whole));
    for (size_t i = 0; i < TL_COUNT(odd); i++) {
        json_t *one = json_deep_copy(whole);
        json_object_set_new(one, odd[i].key, json_loads(odd[i].value, JSON_DECODE_ANY, NULL));
        TEST_OK(tl_json_write_exact(test_ctx(), config, one));
        json_decref(one);
        assert_int_equal(tl_model_open(test_ctx(), path, NULL, &m), TL_EDATA);
        if (!strstr(test_ctx()->message, odd[i].says) ||
            !strstr(test_ctx()->message, "adapter_"))
            fail_msg("%s: %s", odd[i].says, test_ctx()->message);
    }
    json_decref(whole);
    tl_run_result_free(test_ctx(), &r);
    test_course_close(&s);
}

/* The network knows 16 places; texts have about as many tokens. */
static void long_texts_leave_its_places(void **state)
{
    test_course s;
    tl_run_result  r;

    (void)state;
    open_run(&s, "bert:1x64");
    s.spec.candidate.arch.row = TL_SHAPE(12);
    assert_true(tl_cache_most(s.cache) > 12 - TOKENS);
    TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
    assert_int_equal(r.model->prep.text->most, 12 - TOKENS);
    tl_run_result_free(test_ctx(), &r);
    s.spec.candidate.hyper.adapt.r = 12;
    assert_int_equal(tl_run_train(test_ctx(), &s.spec, &r), TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "leave no room"));
    test_course_close(&s);
}

/* Beside a base that has learnt these sentences a new head and a prefix do, too; as much memory is
 * taken as was forecast. */
static void learns_beside_a_base(void **state)
{
    static const char *const nets[] = { "bert:2x64", "llama:2x64" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(nets); i++) {
        test_course s;
        tl_run_result  first, r;
        tl_run_need    need;
        test_sentences_open(&s, ROWS, nets[i], "full", 12.0);
        s.spec.backend                  = &tl_backend_cpu;
        s.spec.candidate.hyper.optim.lr = 2e-3;
        TEST_OK(tl_run_train(test_ctx(), &s.spec, &first));
        tl_candidate *c = &s.spec.candidate;
        c->route        = tl_route_find("prefix");
        c->base         = first.model;
        TEST_OK(tl_route_defaults(test_ctx(), c->route, &s.arch, s.train.count, &c->hyper));
        c->hyper.epochs      = 8.0;
        c->hyper.least_steps = 0;
        c->hyper.batch       = 4;
        tl_world *world      = test_ctx()->world;
        TEST_OK(tl_run_forecast(test_ctx(), &s.spec, &need));
        atomic_store(&world->peak_bytes, atomic_load(&world->now_bytes));
        TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
        const double was  = (double)atomic_load(&world->peak_bytes);
        const double said = (double)(need.peak_bytes - need.process_bytes);
        if (!(r.valid_metric > 0.8)) fail_msg("%s: %g", nets[i], r.valid_metric);
        if (said < 0.5 * was || said > 2.0 * was)
            fail_msg("%s: forecast %.0f, was %.0f", nets[i], said, was);
        tl_run_result_free(test_ctx(), &r);
        tl_run_result_free(test_ctx(), &first);
        test_course_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_frozen_keeps_its_bits),
        cmocka_unit_test(learns_beside_a_base),
        cmocka_unit_test(kept_as_peft_keeps_it),
        cmocka_unit_test(odd_prefixes_are_errors),
        cmocka_unit_test(long_texts_leave_its_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
