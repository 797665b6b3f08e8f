/* language.c -- a language model's run gives the same bits twice, and interrupted at any step and
 * gone on with; cut into micro-batches it learns the same, with texts of unequal lengths. */
#include "core/io.h"
#include "support/counted.h"
#include "support/lesson.h"
#include "train/stepper.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *folder;

/* Rows of unequal lengths, a document each. */
static const char *write_stories(void)
{
    static char path[600], text[1 << 14];
    size_t      at = 0;

    for (int i = 0; i < 24; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "{\"text\": \"tale %d%s\"}\n", i,
                               i % 3 ? " of foxes" : "");
    snprintf(path, sizeof path, "%s/stories.jsonl", folder);
    TEST_OK(tl_file_write(test_ctx(), path, text, at));
    return path;
}

typedef struct {
    test_lesson l;
    tl_slab    *slab;
    tl_run_spec spec;
} lesson_run;

static void open_run(lesson_run *r, const char *arch)
{
    tl_hyper *h = &r->spec.candidate.hyper;

    test_lesson_open(&r->l, write_stories(), arch, NULL, 16, NULL);
    const tl_backend *backend = test_counted(&tl_backend_ref, "token_loss_grad");
    TEST_OK(tl_slab_new(test_ctx(), backend, &r->slab));
    r->spec = (tl_run_spec){ .cache = r->l.cache, .dataset = r->l.d, .seed = 5,
                             .train = r->l.part[0], .valid = r->l.part[1],
                             .metric = "perplexity", .backend = backend, .slab = r->slab,
                             .dtype = TL_F32 };
    r->spec.candidate.route = tl_route_find("scratch");
    r->spec.candidate.arch  = r->l.arch;
    r->spec.candidate.prep  = r->l.prep;
    TEST_OK(tl_route_defaults(test_ctx(), r->spec.candidate.route, &r->l.arch, 1, h));
    tl_hyper_words(h, &r->l.arch, true, 16);
    h->batch = 4;
    h->steps = 5;
}

static void close_run(lesson_run *r)
{
    tl_slab_free(test_ctx(), r->slab);
    test_lesson_close(&r->l);
}

static float *values_of(const tl_run_result *r)
{
    const size_t bytes = (size_t)r->model->params->floats * sizeof(float);
    float       *copy  = malloc(bytes);

    memcpy(copy, r->model->params->value, bytes);
    return copy;
}

static int begin(void **state)
{
    (void)state;
    test_fresh();
    folder = test_folder();
    return 0;
}

static int end(void **state)
{
    (void)state;
    test_folder_end(folder);
    return 0;
}

static void interrupted_at_any_step(void **state)
{
    static const char *const archs[] = { "gpt2:1x64", "bert:1x64" };
    char                     path[600];

    (void)state;
    snprintf(path, sizeof path, "%s/checkpoint", folder);
    for (size_t a = 0; a < TL_COUNT(archs); a++)
        for (int64_t steps = 1; steps < 3; steps++) {
            lesson_run    r;
            tl_run_result straight, parts;
            tl_status     rc;
            int           stops = 0;

            test_fresh();
            open_run(&r, archs[a]);
            TEST_OK(tl_run_train(test_ctx(), &r.spec, &straight));
            assert_int_equal(straight.steps_run, 5);
            r.spec.checkpoint         = path;
            r.spec.checkpoint_every_s = 60.0;
            do {
                atomic_store(&test_ctx()->world->cancel, 0);
                test_stop_at = test_runs + steps;
                rc      = tl_run_train(test_ctx(), &r.spec, &parts);
                stops += rc == TL_ECANCEL;
            } while (rc == TL_ECANCEL && stops < 20);
            TEST_OK(rc);
            assert_true(stops >= 2);
            assert_memory_equal(straight.model->params->value, parts.model->params->value,
                                (size_t)parts.model->params->floats * sizeof(float));
            assert_int_equal(straight.points, parts.points);
            for (int64_t i = 0; i < parts.points; i++) {
                assert_true(straight.curve[i].valid_loss == parts.curve[i].valid_loss);
                assert_true(straight.curve[i].train_metric == parts.curve[i].train_metric);
            }
            tl_run_result_free(test_ctx(), &straight);
            tl_run_result_free(test_ctx(), &parts);
            close_run(&r);
            assert_int_equal(test_ctx()->world->now_bytes, 0);
            TEST_OK(tl_remove_tree(test_ctx(), path));
        }
}

/* R1: the mean is over the tokens of the whole batch, however it is cut. */
static void micro_batches_change_nothing(void **state)
{
    static const char *const archs[] = { "gpt2:1x64", "bert:1x64" };

    (void)state;
    for (size_t a = 0; a < TL_COUNT(archs); a++) {
        float  *whole = NULL;
        int64_t n     = 0;
        for (int64_t micro = 4; micro > 0; micro /= 2) {
            lesson_run    r;
            tl_run_result made;

            test_fresh();
            open_run(&r, archs[a]);
            json_object_set_new(r.spec.candidate.arch.config, "hidden_dropout_prob",
                                json_real(0.0));
            json_object_set_new(r.spec.candidate.arch.config,
                                "attention_probs_dropout_prob", json_real(0.0));
            r.spec.micro_batch                 = micro;
            r.spec.candidate.hyper.optimizer   = "sgd";
            r.spec.candidate.hyper.optim.lr    = 0.1;
            TEST_OK(tl_run_train(test_ctx(), &r.spec, &made));
            n = made.model->params->floats;
            if (!whole) whole = values_of(&made);
            else assert_true(test_error(made.model->params->value, whole, n) < 2e-5);
            tl_run_result_free(test_ctx(), &made);
            close_run(&r);
        }
        free(whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(interrupted_at_any_step, begin, end),
        cmocka_unit_test_setup_teardown(micro_batches_change_nothing, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
