/* qlora.c -- a base in four bits learns as the base it unpacks to: the same bits of A, B and head,
 * at any depth; what is merged is that base with the correction; its weights take a quarter of what
 * they would in bf16, and nothing else of them is kept. */
#include "support/sentences.h"
#include "backend/cpu/cpu.h"
#include "bundle/adapter.h"
#include "core/text.h"
#include "tensor/nf4.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char net[] = "bert:2x64";

/* The base as its four bits say it, in full. */
static void unpack_base(tl_model *m)
{
    tl_model *packed;

    TEST_OK(tl_model_copy(test_ctx(), m, &packed));
    TEST_OK(tl_model_pack(test_ctx(), packed));
    for (int32_t i = 0; i < m->params->count; i++) {
        const tl_param *p = &m->params->param[i];
        tl_params_read(packed->params, tl_params_find(packed->params, p->name),
                       tl_params_value(m->params, p));
    }
    tl_model_free(test_ctx(), packed);
}

/* Noise where a new network has zeros and ones, so that no gradient is 0 by chance. */
static void roughen(tl_model *m)
{
    float *v = m->params->value;

    for (int64_t i = 0; i < m->params->floats; i++) v[i] += 0.02f * sinf((float)(i % 9973));
}

static void run(const char *route, bool unpacked, const tl_backend *backend, tl_dtype dtype,
                test_course *s, tl_run_result *r)
{
    test_sentences_open(s, 40, net, route, 2.0);
    roughen(s->base);
    if (unpacked) unpack_base(s->base);
    s->spec.backend = backend;
    s->spec.dtype   = dtype;
    TEST_OK(tl_run_train(test_ctx(), &s->spec, r));
}

/* Gradients reach A and B of every layer through the frozen products above and below, so that
 * equal bits after ten steps say that forward and backward both read the unpacked weights. */
static void learns_as_lora_of_the_unpacked_base(void **state)
{
    const tl_backend *const backends[] = { &tl_backend_ref, &tl_backend_cpu };

    (void)state;
    for (size_t k = 0; k < TL_COUNT(backends); k++) {
        test_course a, b;
        tl_run_result  x, y;
        run("lora", true, backends[k], TL_F32, &a, &x);
        float *values = malloc((size_t)x.model->params->floats * sizeof *values);
        memcpy(values, x.model->params->value, (size_t)x.model->params->floats * sizeof *values);
        const int64_t floats = x.model->params->floats, points = x.points;
        const double  loss   = x.curve[points - 1].valid_loss;
        tl_run_result_free(test_ctx(), &x);
        test_course_close(&a);
        run("qlora", false, backends[k], TL_F32, &b, &y);
        assert_int_equal(y.model->params->floats, floats);
        assert_memory_equal(y.model->params->value, values, (size_t)floats * sizeof *values);
        assert_int_equal(y.points, points);
        assert_true(y.curve[points - 1].valid_loss == loss);
        assert_false(y.model->arch.adapt.nf4);
        tl_run_result_free(test_ctx(), &y);
        test_course_close(&b);
        free(values);
    }
}

/* What is delivered: the unpacked base + s B A of the adapter that is kept beside it. */
static void merged_into_the_unpacked_base(void **state)
{
    static const char layer[] = "bert.encoder.layer.1.intermediate.dense";
    test_course    s;
    tl_run_result     r;
    const tl_param   *a = NULL, *b = NULL;
    char              name[200];
    double            worst = 0.0, moved = 0.0;

    (void)state;
    run("qlora", false, &tl_backend_ref, TL_F32, &s, &r);
    unpack_base(s.base);
    snprintf(name, sizeof name, "%s.weight", layer);
    const tl_params *kept = r.model->adapter->params;
    const tl_param  *w    = tl_params_find(r.model->params, name);
    for (int32_t i = 0; i < kept->count; i++) {
        if (!strstr(kept->param[i].name, "layer.1.intermediate.dense")) continue;
        if (tl_ends_with(kept->param[i].name, "lora_A.weight")) a = &kept->param[i];
        if (tl_ends_with(kept->param[i].name, "lora_B.weight")) b = &kept->param[i];
    }
    assert_true(w && a && b);
    const tl_adapt *how  = &s.spec.candidate.hyper.adapt;
    const int64_t   out  = w->shape.dim[0], in = w->shape.dim[1];
    const float    *have = tl_params_value(r.model->params, w), *va = tl_params_value(kept, a),
                   *vb   = tl_params_value(kept, b),
                   *base = tl_params_value(s.base->params, tl_params_find(s.base->params, name));
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++) {
            double sum = 0.0;
            for (int64_t k = 0; k < how->r; k++)
                sum += (double)vb[o * how->r + k] * (double)va[k * in + i];
            sum *= tl_adapt_scale(how);
            moved = fmax(moved, fabs(sum));
            worst = fmax(worst, fabs((double)have[o * in + i] - (double)base[o * in + i] - sum));
        }
    assert_true(moved > 1e-4 && worst < 1e-6);
    tl_run_result_free(test_ctx(), &r);
    test_course_close(&s);
}

/* In the activations' precision too it is the base that the four bits say. */
static void in_bf16_as_well(void **state)
{
    test_course a, b;
    tl_run_result  x, y;
    double         loss;

    (void)state;
    run("lora", true, &tl_backend_cpu, TL_BF16, &a, &x);
    loss = x.valid_loss;
    tl_run_result_free(test_ctx(), &x);
    test_course_close(&a);
    run("qlora", false, &tl_backend_cpu, TL_BF16, &b, &y);
    assert_true(fabs(y.valid_loss - loss) < 0.02 * loss);
    tl_run_result_free(test_ctx(), &y);
    test_course_close(&b);
}

/* Counted: all of the base's body, with what stays in f32 (biases, norms, and the pooler, which a
 * file may lack), against two bytes a number. */
static void a_quarter_of_bf16(void **state)
{
    test_course s;
    tl_world      *world;
    size_t         before, held, bytes = 0;
    int64_t        body = 0;

    (void)state;
    test_sentences_open(&s, 40, "bert-mini", "qlora", 1.0);
    world = test_ctx()->world;
    for (int32_t i = 0; i < s.base->params->count; i++)
        if (!s.base->params->param[i].head) body += s.base->params->param[i].count;
    before = atomic_load(&world->now_bytes);
    TEST_OK(tl_model_pack(test_ctx(), s.base));
    held = before - atomic_load(&world->now_bytes); /* that were given back */
    for (int32_t i = 0; i < s.base->params->count; i++) {
        const tl_param *p = &s.base->params->param[i];
        if (p->head) continue;
        bytes += p->packed ? tl_nf4_bytes(p->count) : (size_t)p->count * sizeof(float);
    }
    assert_true((double)bytes < 0.35 * 2.0 * (double)body);
    assert_true((double)held > 4.0 * (double)body - 0.36 * 2.0 * (double)body);
    test_course_close(&s);
}

static size_t most_bytes;

static void watch(void *user, const tl_progress *p)
{
    const tl_world *world = user;

    if (strcmp(p->phase, "train") == 0)
        most_bytes = TL_MAX(most_bytes, atomic_load(&world->now_bytes));
}

/* While it trains, the process holds no full copy of a frozen weight: base, run and all that
 * training takes are together far below the base's weights in f32; lora holds two of them, and
 * what its kernels pack. */
static void nothing_else_of_them_is_kept(void **state)
{
    (void)state;
    for (int q = 0; q < 2; q++) {
        test_course s;
        tl_run_result  r;
        test_sentences_open(&s, 24, "bert:4x512", q ? "qlora" : "lora", 1.0);
        const size_t full = (size_t)tl_params_numel(s.base->params, false) * sizeof(float);
        if (q) TEST_OK(tl_model_pack(test_ctx(), s.base));
        s.spec.backend  = &tl_backend_cpu;
        s.spec.progress = watch;
        s.spec.user     = test_ctx()->world;
        most_bytes      = 0;
        TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
        if (q ? most_bytes >= full * 3 / 4 : most_bytes <= 2 * full)
            fail_msg("%zu bytes, and the weights are %zu in f32", most_bytes, full);
        tl_run_result_free(test_ctx(), &r);
        test_course_close(&s);
    }
}

/* A packed base is for such routes alone, and for no file. */
static void a_packed_base_is_no_full_one(void **state)
{
    test_course s;
    tl_run_result  r;

    (void)state;
    test_sentences_open(&s, 24, net, "full", 1.0);
    TEST_OK(tl_model_pack(test_ctx(), s.base));
    assert_int_equal(tl_run_train(test_ctx(), &s.spec, &r), TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "open it again"));
    assert_int_equal(tl_model_save(test_ctx(), s.base, NULL, s.folder), TL_EUSAGE);
    test_course_close(&s);
}

/* Wide layers: nothing but their weights counts, of the steps and of merging.  Never less than the
 * run takes; kernels that pack nothing (portable ones) take less. */
static void its_forecast_covers_merging(void **state)
{
    static const char *const routes[] = { "qlora", "lora" };

    (void)state;
    for (size_t k = 0; k < 2 * TL_COUNT(routes); k++) {
        test_course   s;
        tl_run_need   need;
        tl_run_result r;
        test_sentences_open(&s, 24, "bert:2x512", routes[k / 2], 1.0);
        s.spec.backend = &tl_backend_cpu;
        s.spec.dtype   = k % 2 ? TL_BF16 : TL_F32;
        TEST_OK(tl_run_forecast(test_ctx(), &s.spec, &need));
        TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
        const double said = (double)(need.peak_bytes - need.process_bytes);
        const double was  = (double)r.accounted_bytes;
        if (was > 1.02 * said || was < 0.6 * said)
            fail_msg("%s: foretold %.1f MiB, took %.1f", routes[k / 2], said / 1048576.0,
                     was / 1048576.0);
        tl_run_result_free(test_ctx(), &r);
        test_course_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_as_lora_of_the_unpacked_base),
        cmocka_unit_test(merged_into_the_unpacked_base),
        cmocka_unit_test(in_bf16_as_well),
        cmocka_unit_test(a_quarter_of_bf16),
        cmocka_unit_test(nothing_else_of_them_is_kept),
        cmocka_unit_test(a_packed_base_is_no_full_one),
        cmocka_unit_test(its_forecast_covers_merging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
