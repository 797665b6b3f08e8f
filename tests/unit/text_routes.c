/* text_routes.c -- routes that learn from texts before or beside their labels: `self` and
 * `continue` fill in hidden words or go on with texts, `distill` asks a teacher, `gradual` unfolds.
 * Each learns, its memory is as forecast, and interrupted at any step it comes to the same bits. */
#include "core/io.h"
#include "support/counted.h"
#include "support/sentences.h"
#include "train/pretrain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 48 };

static void open_run(test_course *s, const char *net, const char *route, double epochs)
{
    tl_candidate *c = &s->spec.candidate;

    test_sentences_open(s, ROWS, net, route, epochs);
    s->spec.backend = &tl_backend_cpu;
    c->hyper.pretrain_epochs = c->hyper.teacher_epochs = 1.0;
    if (c->route->own_net) c->hyper.batch = 8; /* its student here is as small as the base */
}

/* A language model's run on the rows of the labels: its loss falls, on rows it has not seen, too;
 * special tokens are not asked. */
static void words_are_learnt_without_labels(void **state)
{
    static const char *const nets[] = { "bert:2x64", "gpt2:2x64" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(nets); i++)
        for (int anew = 0; anew < 2; anew++) {
            test_course  s;
            tl_words_lesson lesson;
            tl_run_result   r;
            tl_cache       *cache;
            open_run(&s, nets[i], anew ? "self" : "continue", 1.0);
            s.spec.candidate.hyper.pretrain_epochs = 12.0;
            tl_pretrain_words_ask(&s.spec, &lesson);
            TEST_OK(tl_cache_new(test_ctx(), s.dataset, &s.prep, 0, &cache));
            TEST_OK(tl_cache_mark_words(test_ctx(), cache));
            lesson.spec.cache                 = cache;
            lesson.spec.candidate.hyper.batch = 8;
            TEST_OK(tl_run_train(test_ctx(), &lesson.spec, &r));
            const double first = r.curve[0].valid_loss, last = r.curve[r.points - 1].valid_loss;
            if (!(last < 0.75 * first && last < log((double)s.texter->size)))
                fail_msg("%s: from %g to %g", nets[i], first, last);
            tl_run_result_free(test_ctx(), &r);
            tl_cache_free(test_ctx(), cache);
            test_course_close(&s);
        }
}

static void special_tokens_are_not_asked(void **state)
{
    test_course s;
    tl_cache      *cache;
    tl_pack        pack = { 0 };

    (void)state;
    open_run(&s, "bert:1x64", "self", 1.0);
    TEST_OK(tl_cache_new(test_ctx(), s.dataset, &s.prep, 0, &cache));
    TEST_OK(tl_cache_mark_words(test_ctx(), cache));
    const tl_asking how = { .hidden = true, .share = 1.0, .mask = 4, .size = 8 };
    TEST_OK(tl_pack_reserve_asked(test_ctx(), 1, tl_cache_most(cache), &pack));
    for (int64_t i = 0; i < ROWS; i++)
        assert_int_equal(tl_pack_asked(cache, i, &how, &pack), tl_cache_tokens(cache, i) - 2);
    tl_pack_free(test_ctx(), &pack);
    tl_cache_free(test_ctx(), cache);
    test_course_close(&s);
}

/* The body that the labels are learnt by is the one that learnt the words: with one step of no
 * rate all but its head is that of the language model's run. */
static void the_body_is_taken(void **state)
{
    test_course  s;
    tl_words_lesson lesson;
    tl_run_result   alone, r;
    tl_cache       *cache;
    int             same = 0;

    (void)state;
    open_run(&s, "bert:2x64", "continue", 1.0);
    tl_pretrain_words_ask(&s.spec, &lesson);
    TEST_OK(tl_cache_new(test_ctx(), s.dataset, &s.prep, 0, &cache));
    TEST_OK(tl_cache_mark_words(test_ctx(), cache));
    lesson.spec.cache = cache;
    TEST_OK(tl_run_train(test_ctx(), &lesson.spec, &alone));
    s.spec.candidate.hyper.optim.lr = 1e-30;
    TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
    for (int32_t i = 0; i < r.model->params->count; i++) {
        const tl_param *p = &r.model->params->param[i],
                       *q = tl_params_find(alone.model->params, p->name),
                       *b = tl_params_find(s.base->params, p->name);
        if (p->head || !q) continue;
        const size_t bytes = (size_t)p->count * sizeof(float);
        assert_memory_equal(tl_params_value(r.model->params, p),
                            tl_params_value(alone.model->params, q), bytes);
        same += memcmp(tl_params_value(r.model->params, p), tl_params_value(s.base->params, b),
                       bytes) != 0;
    }
    assert_true(same > 20);
    tl_run_result_free(test_ctx(), &alone);
    tl_run_result_free(test_ctx(), &r);
    tl_cache_free(test_ctx(), cache);
    test_course_close(&s);
}

/* On sentences whose words say the class, with the forecast of its memory. */
static void each_learns(void **state)
{
    static const struct {
        const char *route, *net;
    } all[] = { { "self", "bert:2x64" },    { "continue", "bert:2x64" }, { "distill", "bert:2x64" },
                { "gradual", "bert:2x64" }, { "self", "gpt2:2x64" },     { "qlora", "gpt2:2x64" } };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(all); i++) {
        test_course s;
        tl_run_result  r;
        tl_run_need    need;
        open_run(&s, all[i].net, all[i].route, 12.0);
        s.spec.candidate.hyper.optim.lr       = 2e-3;
        s.spec.candidate.hyper.teacher_epochs = 6.0;
        tl_world *world = test_ctx()->world;
        TEST_OK(tl_run_forecast(test_ctx(), &s.spec, &need));
        atomic_store(&world->peak_bytes, atomic_load(&world->now_bytes));
        TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
        const double was  = (double)atomic_load(&world->peak_bytes);
        const double said = (double)(need.peak_bytes - need.process_bytes);
        if (!(r.valid_metric > 0.8))
            fail_msg("%s of %s: %g", all[i].route, all[i].net, r.valid_metric);
        if (said < 0.5 * was || said > 2.0 * was)
            fail_msg("%s: forecast %.0f, was %.0f", all[i].route, said, was);
        tl_run_result_free(test_ctx(), &r);
        test_course_close(&s);
    }
}

/* The student is small, of the teacher's family, on the teacher's tokens. */
static void the_student_is_of_the_family(void **state)
{
    static const char *const nets[] = { "bert:6x128", "roberta:6x128", "distilbert:6x128",
                                        "modernbert:6x128", "gpt2:6x128", "llama:6x128" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(nets); i++) {
        tl_arch     teacher, student;
        tl_prep     prep;
        tl_texter   words = { .size = 777 };
        tl_prep     base  = { .text = &words };
        tl_params  *params;
        test_fresh();
        TEST_OK(tl_arch_parse(test_ctx(), nets[i], TL_SHAPE(64), 3, &teacher));
        TEST_OK(tl_student(test_ctx(), &teacher, &base, 3, &student, &prep));
        assert_string_equal(student.family->name, teacher.family->name);
        TEST_OK(tl_arch_params(test_ctx(), &student, &params));
        assert_int_equal(tl_json_int(student.config, "vocab_size", 0), 777);
        tl_params_free(test_ctx(), params);
        tl_arch_free(test_ctx(), &teacher);
        tl_arch_free(test_ctx(), &student);
        assert_int_equal(test_ctx()->world->now_bytes, 0);
    }
}

static void until_done(test_course *s, int64_t steps, tl_run_result *r, int *stops)
{
    tl_status rc;

    *stops = 0;
    do {
        atomic_store(&test_ctx()->world->cancel, 0);
        test_stop_at = test_runs + steps;
        rc      = tl_run_train(test_ctx(), &s->spec, r);
        *stops += rc == TL_ECANCEL;
    } while (rc == TL_ECANCEL && *stops < 60);
    TEST_OK(rc);
}

/* A run that is stopped every so many runs of an op comes to the bits of one that was not. */
static void stop_and_compare(const char *route, const char *net, const char *op, int64_t steps,
                             double epochs)
{
    test_course s;
    tl_run_result  straight, parts;
    char           path[600];
    int            stops;

    open_run(&s, net, route, epochs);
    s.spec.candidate.hyper.pretrain_epochs = 10.0; /* of one step each */
    s.spec.backend = test_counted(&tl_backend_cpu, op);
    TEST_OK(tl_run_train(test_ctx(), &s.spec, &straight));
    assert_true(test_runs > 0);
    snprintf(path, sizeof path, "%s/checkpoint", s.folder);
    s.spec.checkpoint         = path;
    s.spec.checkpoint_every_s = 60.0;
    until_done(&s, steps, &parts, &stops);
    if (stops < 1) fail_msg("%s: no stop", route);
    assert_memory_equal(straight.model->params->value, parts.model->params->value,
                        (size_t)parts.model->params->floats * sizeof(float));
    assert_int_equal(straight.points, parts.points);
    tl_run_result_free(test_ctx(), &straight);
    tl_run_result_free(test_ctx(), &parts);
    test_course_close(&s);
}

/* Before the labels (token_loss_grad, or the teacher's) and while they are learnt. */
static void interrupted_at_any_step(void **state)
{
    static const struct {
        const char *route, *net, *op;
        int64_t     steps; /* between two interruptions */
    } all[] = { { "self", "bert:1x64", "token_loss_grad", 4 },
                { "continue", "bert:1x64", "token_loss_grad", 4 },
                { "continue", "gpt2:1x64", "token_loss_grad", 3 },
                { "continue", "bert:1x64", "cross_entropy_grad", 4 },
                { "distill", "bert:1x64", "cross_entropy_grad", 10 },
                { "gradual", "bert:2x64", "cross_entropy_grad", 5 },
                { "qlora", "bert:1x64", "cross_entropy_grad", 7 },
                { "prefix", "gpt2:1x64", "cross_entropy_grad", 7 } };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(all); i++)
        stop_and_compare(all[i].route, all[i].net, all[i].op, all[i].steps, 2.0);
}

/* R3: all the others that take steps; a head that is solved first is not saved halfway. */
static void R3_every_route_of_texts_resumes(void **state)
{
    static const char *const above[] = { "self", "continue", "distill", "gradual", "qlora",
                                         "prefix" };
    const tl_route *route;

    (void)state;
    for (size_t i = 0; (route = tl_route_at(i)); i++) {
        bool done = route->phase[0].solve && route->phases == 1; /* repro/train.c: solved heads */
        for (size_t k = 0; k < TL_COUNT(above); k++) done |= strcmp(above[k], route->name) == 0;
        if (!done) stop_and_compare(route->name, "bert:2x64", "attention_grad", 7, 1.0);
    }
}

/* A language model's data have no labels to come to afterwards. */
static void not_of_a_language_model(void **state)
{
    (void)state;
    test_fresh();
    assert_int_equal(tl_route_takes_words(test_ctx(), tl_route_find("self")), TL_EUSAGE);
    assert_int_equal(tl_route_takes_words(test_ctx(), tl_route_find("continue")), TL_EUSAGE);
    TEST_OK(tl_route_takes_words(test_ctx(), tl_route_find("qlora")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_learnt_without_labels),
        cmocka_unit_test(special_tokens_are_not_asked),
        cmocka_unit_test(the_body_is_taken),
        cmocka_unit_test(each_learns),
        cmocka_unit_test(the_student_is_of_the_family),
        cmocka_unit_test(interrupted_at_any_step),
        cmocka_unit_test(R3_every_route_of_texts_resumes),
        cmocka_unit_test(not_of_a_language_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
