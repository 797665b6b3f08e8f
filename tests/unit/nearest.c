/* nearest.c -- texts told by a base's vectors of the training rows: pooled as the base's folder
 * says, of length 1, k by validation; kept as weights beside the base's own, opened again with the
 * same answers, as the base of another run, and interrupted to the same bits. */
#include "train/nearest.h"
#include "train/network.h"
#include "train/pooled.h"
#include "bundle/embed.h"
#include "core/io.h"
#include "support/counted.h"
#include "support/sentences.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 64, WIDTH = 64 };

typedef struct {
    test_course s;
    tl_arch        arch;
    tl_texter     *texter;
} nearest;

static void open_nearest(nearest *n, const char *net)
{
    tl_candidate *c = &n->s.spec.candidate;

    *n = (nearest){ 0 };
    test_sentences_open(&n->s, ROWS, net, "baseline", 1.0);
    n->s.spec.backend = &tl_backend_cpu;
    assert_true(tl_nearest_fits(n->s.dataset, n->s.base));
    TEST_OK(tl_pooled_text(test_ctx(), n->s.dataset, n->s.base, "text-knn", &n->arch, &c->prep,
                           &n->texter));
    c->arch = n->arch;
    c->base = n->s.base;
}

static void close_nearest(nearest *n)
{
    tl_arch_free(test_ctx(), &n->arch);
    tl_texter_drop(test_ctx(), n->texter);
    test_course_close(&n->s);
}

static const float *value(const tl_model *m, const char *name)
{
    return tl_params_value(m->params, tl_params_find(m->params, name));
}

static void same_answers(nearest *n, const tl_model *a, const tl_model *b)
{
    const tl_model *model[] = { a, b };
    float           y[2][ROWS * 2];

    for (int i = 0; i < 2; i++) {
        tl_predictor *p;
        TEST_OK(tl_predictor_new(test_ctx(), model[i], TL_PART_WHOLE, 8, &tl_backend_cpu, NULL,
                                 TL_F32, &p));
        assert_int_equal(tl_predictor_width(p), 2);
        TEST_OK(tl_predictor_rows(test_ctx(), p, n->s.cache, n->s.valid, y[i]));
        tl_predictor_free(test_ctx(), p);
    }
    assert_memory_equal(y[0], y[1], (size_t)n->s.valid.count * 2 * sizeof(float));
}

/* Its weights are the base's, its neighbours the vectors that `predict --embed` gives. */
static void check_weights(nearest *n, const tl_model *m)
{
    tl_embedder e;
    float       want[ROWS * WIDTH];
    int         same = 0;

    TEST_OK(tl_embedder_new(test_ctx(), n->s.base,
                            &(tl_embed_how){ .pool = TL_POOL_MEAN, .normalise = true },
                            &tl_backend_cpu, TL_F32, &e));
    TEST_OK(tl_embedder_rows(test_ctx(), &e, n->s.cache, n->s.train, want));
    tl_embedder_free(test_ctx(), &e);
    const float *got = value(m, "neighbours.weight"), *class = value(m, "neighbours.class");
    assert_true(test_error(got, want, n->s.train.count * WIDTH) < 1e-5);
    for (int64_t i = 0; i < n->s.train.count; i++)
        assert_true(class[i] == (float)n->s.dataset->label[n->s.train.row[i]]);
    for (int32_t i = 0; i < m->params->count; i++) {
        const tl_param *p = &m->params->param[i], *q = tl_params_find(n->s.base->params, p->name);
        if (p->head) continue;
        assert_non_null(q);
        assert_memory_equal(tl_params_value(m->params, p), tl_params_value(n->s.base->params, q),
                            (size_t)p->count * sizeof(float));
        same++;
    }
    assert_true(same > 10);
}

static void neighbours_tell_texts(void **state)
{
    static const char *const nets[] = { "bert:2x64", "distilbert:1x64", "gpt2:1x64" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(nets); i++) {
        nearest       n;
        tl_run_result r;
        tl_run_need   need;
        tl_model     *again;
        char          path[600];
        open_nearest(&n, nets[i]);
        tl_world *world = test_ctx()->world;
        TEST_OK(tl_run_forecast(test_ctx(), &n.s.spec, &need));
        atomic_store(&world->peak_bytes, atomic_load(&world->now_bytes));
        TEST_OK(tl_run_train(test_ctx(), &n.s.spec, &r));
        const double was  = (double)atomic_load(&world->peak_bytes);
        const double said = (double)(need.peak_bytes - need.process_bytes);
        if (!(r.valid_metric > 0.8)) fail_msg("%s: %g", nets[i], r.valid_metric);
        if (said < 0.5 * was || said > 2.0 * was)
            fail_msg("%s: forecast %.0f, was %.0f", nets[i], said, was);
        assert_int_equal(r.trainable, 0);
        assert_non_null(strstr(r.stop_detail, "mean of their tokens"));
        check_weights(&n, r.model);
        snprintf(path, sizeof path, "%s/best", n.s.folder);
        TEST_OK(tl_model_save(test_ctx(), r.model, NULL, path));
        TEST_OK(tl_model_open(test_ctx(), path, NULL, &again));
        same_answers(&n, r.model, again);
        tl_model_free(test_ctx(), again);
        tl_run_result_free(test_ctx(), &r);
        close_nearest(&n);
    }
}

/* Whose metric on validation is that of its whole network there, and of each k tried the best. */
static void k_is_the_best_on_validation(void **state)
{
    static const int64_t tried[] = { 1, 3, 5, 9, 15, 25 };
    nearest              n;
    tl_run_result        r;
    double               best = 0.0;

    (void)state;
    open_nearest(&n, "bert:1x64");
    for (int64_t i = 0; i < ROWS; i += 3) /* noise: one neighbour alone is often wrong */
        n.s.dataset->label[i] = !n.s.dataset->label[i];
    TEST_OK(tl_run_train(test_ctx(), &n.s.spec, &r));
    const int64_t chosen = tl_json_int(r.model->arch.config, "neighbours", 0);
    for (size_t i = 0; i < TL_COUNT(tried); i++) {
        tl_evaluator e;
        json_object_set_new(r.model->arch.config, "neighbours", json_integer(tried[i]));
        TEST_OK(tl_evaluator_new(test_ctx(), &n.s.spec, r.model, 8, &e));
        TEST_OK(tl_evaluate(test_ctx(), &e, n.s.valid));
        const double metric = tl_tally_metric(&e.tally, "accuracy");
        best                = fmax(best, metric);
        if (tried[i] == chosen) assert_true(fabs(metric - r.valid_metric) < 1e-9);
        tl_evaluator_free(test_ctx(), &e);
    }
    assert_true(chosen > 1 && fabs(best - r.valid_metric) < 1e-9);
    tl_run_result_free(test_ctx(), &r);
    close_nearest(&n);
}

/* Another run begins from what the baseline wrote, by the network within. */
static void its_best_is_a_base(void **state)
{
    nearest       n;
    tl_run_result r, next;
    tl_candidate *c = &n.s.spec.candidate;
    tl_arch       arch;
    tl_texter    *texter;

    (void)state;
    open_nearest(&n, "bert:1x64");
    TEST_OK(tl_run_train(test_ctx(), &n.s.spec, &r));
    TEST_OK(tl_pooled_text(test_ctx(), n.s.dataset, r.model, "text-knn", &arch, &c->prep,
                           &texter));
    assert_null(texter);
    assert_string_equal(arch.name, r.model->arch.name);
    c->arch = arch;
    c->base = r.model;
    TEST_OK(tl_run_train(test_ctx(), &n.s.spec, &next));
    assert_int_equal(next.model->params->floats, r.model->params->floats);
    assert_memory_equal(next.model->params->value, r.model->params->value,
                        (size_t)r.model->params->floats * sizeof(float));
    tl_run_result_free(test_ctx(), &next);
    tl_arch_free(test_ctx(), &arch);
    c->route = tl_route_find("probe");
    TEST_OK(tl_arch_copy(test_ctx(), &r.model->arch, &arch));
    arch.source_head = false;
    c->arch          = arch;
    TEST_OK(tl_route_defaults(test_ctx(), c->route, &arch, n.s.train.count, &c->hyper));
    TEST_OK(tl_run_train(test_ctx(), &n.s.spec, &next));
    assert_true(next.valid_metric > 0.8);
    tl_run_result_free(test_ctx(), &next);
    tl_run_result_free(test_ctx(), &r);
    tl_arch_free(test_ctx(), &arch);
    close_nearest(&n);
}

static void put(const char *folder, const char *name, const char *text)
{
    char *path;

    TEST_OK(tl_path_join(test_ctx(), folder, name, &path));
    TEST_OK(tl_file_write(test_ctx(), path, text, strlen(text)));
    tl_free(test_ctx(), path);
}

/* What the base's folder says of pooling and length is done; what Tailor has not is an error. */
static void as_the_bases_folder_says(void **state)
{
    nearest    n;
    tl_arch    arch;
    tl_prep    prep;
    tl_texter *texter;
    char       inner[600];

    (void)state;
    open_nearest(&n, "bert:1x64");
    TEST_OK(tl_strdup(test_ctx(), n.s.folder, &n.s.base->path));
    snprintf(inner, sizeof inner, "%s/1_Pooling", n.s.folder);
    TEST_OK(tl_make_folders(test_ctx(), inner));
    put(n.s.folder, "modules.json",
        "[{\"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"}]");
    put(n.s.folder, "sentence_bert_config.json", "{\"max_seq_length\": 16}");
    put(inner, "config.json", "{\"pooling_mode_cls_token\": true}");
    bool asked = false;
    TEST_OK(tl_pooled_asked(test_ctx(), n.s.dataset, n.s.base, &asked));
    assert_true(asked);
    TEST_OK(tl_pooled_text(test_ctx(), n.s.dataset, n.s.base, "text-knn", &arch, &prep, &texter));
    assert_string_equal(tl_json_text(arch.config, "pooling", ""), "cls");
    assert_non_null(texter);
    assert_int_equal(prep.text->most, 16);
    tl_arch_free(test_ctx(), &arch);
    tl_texter_drop(test_ctx(), texter);
    put(inner, "config.json", "{\"pooling_mode_max_tokens\": true}");
    assert_int_equal(tl_pooled_text(test_ctx(), n.s.dataset, n.s.base, "text-knn", &arch, &prep,
                                    &texter), TL_EDATA);
    assert_null(texter);
    close_nearest(&n);
}

/* A probe of such a base learns on its vectors, and is saved as a directory of that kind whose last
 * module is the head: opened again it answers alike, and is a base like the first. */
static void a_probe_takes_the_vectors_that_the_folder_tells(void **state)
{
    nearest       n;
    tl_run_result r;
    tl_model     *again;
    tl_embed_how  how;
    char          path[700], inner[800];
    bool          made, asked = true;
    tl_schema    *columns;
    tl_candidate *c = &n.s.spec.candidate;

    (void)state;
    open_nearest(&n, "bert:1x64");
    TEST_OK(tl_pooled_asked(test_ctx(), n.s.dataset, n.s.base, &asked));
    assert_false(asked); /* nobody said how its vectors are made */
    TEST_OK(tl_strdup(test_ctx(), n.s.folder, &n.s.base->path));
    snprintf(inner, sizeof inner, "%s/1_Pooling", n.s.folder);
    TEST_OK(tl_make_folders(test_ctx(), inner));
    put(n.s.folder, "modules.json",
        "[{\"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"}]");
    put(inner, "config.json", "{\"pooling_mode_max_tokens\": true}");
    TEST_OK(tl_pooled_asked(test_ctx(), n.s.dataset, n.s.base, &asked));
    assert_false(asked); /* nor how we can */
    put(inner, "config.json", "{\"pooling_mode_mean_tokens\": true}");
    tl_arch_free(test_ctx(), &n.arch);
    tl_texter_drop(test_ctx(), n.texter);
    *c = (tl_candidate){ .route = tl_route_find("probe") };
    TEST_OK(tl_route_network(test_ctx(), n.s.dataset, n.s.base, c, &columns, &n.texter, &made));
    assert_true(made && !columns && c->base == n.s.base);
    n.arch = c->arch;
    TEST_OK(tl_route_defaults(test_ctx(), c->route, &c->arch, n.s.train.count, &c->hyper));
    TEST_OK(tl_run_train(test_ctx(), &n.s.spec, &r));
    assert_string_equal(r.model->arch.family->name, "text-pooled");
    assert_true(r.valid_metric > 0.8);
    snprintf(path, sizeof path, "%s/best", n.s.folder);
    TEST_OK(tl_model_save(test_ctx(), r.model, NULL, path));
    snprintf(inner, sizeof inner, "%s/2_Dense/model.safetensors", path);
    assert_true(tl_exists(inner));
    TEST_OK(tl_model_open(test_ctx(), path, NULL, &again));
    same_answers(&n, r.model, again);
    TEST_OK(tl_embedding_of(test_ctx(), again, NULL, &how));
    assert_int_equal(how.pool, TL_POOL_MEAN);
    tl_model_free(test_ctx(), again);
    tl_run_result_free(test_ctx(), &r);
    close_nearest(&n);
}

/* Only one class of several, by a network of text. */
static void elsewhere_it_has_no_place(void **state)
{
    nearest    n;
    tl_dataset d;

    (void)state;
    open_nearest(&n, "bert:1x64");
    d = *n.s.dataset;
    static const tl_task *const others[] = { &tl_task_text_several, &tl_task_text_ordinal,
                                             &tl_task_text_regression,
                                             &tl_task_token_classification,
                                             &tl_task_image_classification };
    for (size_t i = 0; i < TL_COUNT(others); i++) {
        d.task = others[i];
        assert_false(tl_nearest_fits(&d, n.s.base));
    }
    close_nearest(&n);
}

/* A config.json that does not fit is an error, and so is one within another. */
static void hostile_configs_are_told(void **state)
{
    static const struct {
        const char *key, *value, *says;
    } bad[] = { { "neighbours", "7", "of 3 rows" },
                { "neighbours", "65", "neighbours" },
                { "rows", "0", "rows" },
                { "leave_out", "2", "leave_out" },
                { "pooling", "\"max\"", "pooling" },
                { "pooling_mode", "1", "pooling_mode" },
                { "network", "null", "no network of text" },
                { "network", "{\"family\": \"text-knn\"}", "no network of text" },
                { "network", "{\"family\": \"tfidf\"}", "no network of text" },
                { "network", "{\"family\": \"bert\"}", "is missing" } };
    enum { OF_NEIGHBOURS = 4, CASES = TL_COUNT(bad), ALL = 2 * CASES - OF_NEIGHBOURS };
    nearest    n;
    tl_arch    pooled;
    tl_prep    prep;
    tl_texter *texter;

    (void)state;
    open_nearest(&n, "bert:1x64");
    json_object_set_new(n.arch.config, "rows", json_integer(3));
    TEST_OK(tl_pooled_text(test_ctx(), n.s.dataset, n.s.base, "text-pooled", &pooled, &prep,
                           &texter));
    for (int k = 0; k < ALL; k++) { /* of neighbours all, of a linear head those behind theirs */
        const int i      = k < CASES ? k : k - CASES + OF_NEIGHBOURS;
        json_t   *config = tl_arch_to_config(k < CASES ? &n.arch : &pooled);
        tl_arch   arch;
        json_object_set_new(config, bad[i].key, json_loads(bad[i].value, JSON_DECODE_ANY, NULL));
        assert_int_equal(tl_arch_from_config(test_ctx(), "config.json", config, &arch), TL_EDATA);
        if (!strstr(test_ctx()->message, bad[i].says))
            fail_msg("%s: %s", bad[i].value, test_ctx()->message);
        json_decref(config);
    }
    tl_arch_free(test_ctx(), &pooled);
    tl_texter_drop(test_ctx(), texter);
    close_nearest(&n);
}

static void R3_interrupted_to_the_same_bits(void **state)
{
    static const struct { const char *op; int64_t at; } all[] = { { "attention", 1 },
                                                                 { "attention", 2 },
                                                                 { "vote", 1 }, { "vote", 4 } };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(all); i++) {
        nearest       n;
        tl_run_result straight, parts;
        char          path[600];
        open_nearest(&n, "bert:1x64");
        n.s.spec.backend = test_counted(&tl_backend_cpu, all[i].op);
        TEST_OK(tl_run_train(test_ctx(), &n.s.spec, &straight));
        assert_true(test_runs >= all[i].at);
        snprintf(path, sizeof path, "%s/checkpoint", n.s.folder);
        n.s.spec.checkpoint         = path;
        n.s.spec.checkpoint_every_s = 60.0;
        test_stop_at                = test_runs + all[i].at;
        assert_int_equal(tl_run_train(test_ctx(), &n.s.spec, &parts), TL_ECANCEL);
        atomic_store(&test_ctx()->world->cancel, 0);
        TEST_OK(tl_run_train(test_ctx(), &n.s.spec, &parts));
        assert_memory_equal(straight.model->params->value, parts.model->params->value,
                            (size_t)parts.model->params->floats * sizeof(float));
        assert_true(straight.valid_loss == parts.valid_loss);
        tl_run_result_free(test_ctx(), &straight);
        tl_run_result_free(test_ctx(), &parts);
        close_nearest(&n);
    }
}

static tl_status from_the_start(nearest *n, tl_run_result *r)
{
    tl_candidate *c = &n->s.spec.candidate;
    tl_status     rc;

    tl_arch_free(test_ctx(), &n->arch);
    TL_TRY(tl_pooled_text(test_ctx(), n->s.dataset, n->s.base, "text-knn", &n->arch, &c->prep,
                          &n->texter));
    c->arch = n->arch;
    TL_TRY(tl_run_train(test_ctx(), &n->s.spec, r));
done:
    return rc;
}

/* Of its allocations every one of the first, then one in eight; nothing leaks. */
static void failed_allocations_are_survived(void **state)
{
    nearest       n;
    tl_run_result r;
    int           failed = 0;

    (void)state;
    open_nearest(&n, "bert:1x64");
    TEST_OK(from_the_start(&n, &r));
    tl_run_result_free(test_ctx(), &r);
    tl_world *w = test_ctx()->world;
    tl_arch_free(test_ctx(), &n.arch);
    const size_t before = w->now_bytes;
    for (int64_t at = 1, left = 0; left <= 0; at += 1 + at / 8) {
        w->fault_alloc     = at;
        const tl_status rc = from_the_start(&n, &r);
        left               = w->fault_alloc;
        w->fault_alloc     = 0;
        if (left > 0) TEST_OK(rc);
        failed += rc == TL_ENOMEM;
        if (rc == TL_OK) tl_run_result_free(test_ctx(), &r);
        tl_arch_free(test_ctx(), &n.arch);
        assert_int_equal(w->now_bytes, before);
    }
    assert_true(failed > 20);
    close_nearest(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_tell_texts),
        cmocka_unit_test(k_is_the_best_on_validation),
        cmocka_unit_test(its_best_is_a_base),
        cmocka_unit_test(as_the_bases_folder_says),
        cmocka_unit_test(a_probe_takes_the_vectors_that_the_folder_tells),
        cmocka_unit_test(elsewhere_it_has_no_place),
        cmocka_unit_test(hostile_configs_are_told),
        cmocka_unit_test(R3_interrupted_to_the_same_bits),
        cmocka_unit_test(failed_allocations_are_survived),
    };

    return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
