/* learnt.c -- what of a network a route may change: all that its phases train and nothing else is
 * copied, and comes back to its place; checkpoints hold no more. */
#include "backend/cpu/cpu.h"
#include "support/sentences.h"
#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool holds(const tl_learnt *l, const tl_param *p)
{
    const size_t from = (size_t)p->at * sizeof(float), bytes = (size_t)p->count * sizeof(float);
    bool         all = false, any = false;

    for (size_t i = 0; i < l->pieces; i++) {
        const size_t begin = l->piece[i].at, end = begin + l->piece[i].bytes;
        all |= begin <= from && from + bytes <= end;
        any |= begin < from + bytes && from < end;
    }
    assert_true(all == any);
    return all;
}

/* Copied, written over and given back: what is held is as it was, the rest as written over. */
static void there_and_back(const tl_learnt *l, const tl_params *params)
{
    const size_t n     = (size_t)params->floats;
    float       *block = malloc(n * sizeof *block), *copy = malloc(l->bytes + 1);

    for (size_t i = 0; i < n; i++) block[i] = (float)i;
    tl_learnt_keep(l, block, copy);
    for (size_t i = 0; i < n; i++) block[i] = -1.0f;
    tl_learnt_give(l, copy, block);
    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p = &params->param[i];
        for (int64_t k = 0; k < p->count && !p->packed; k++)
            assert_true(block[p->at + k] == (holds(l, p) ? (float)(p->at + k) : -1.0f));
    }
    free(block);
    free(copy);
}

static void of_route(const char *route, double least, double most)
{
    test_course s;
    tl_run_spec spec;
    tl_model   *model;
    tl_learnt   l;
    double      share;

    test_sentences_open(&s, 24, "bert:4x64", route, 1.0);
    s.spec.backend = &tl_backend_cpu;
    TEST_OK(tl_run_settle(test_ctx(), &s.spec, &spec));
    TEST_OK(tl_trainer_model(test_ctx(), &spec, &model));
    TEST_OK(tl_learnt_of(test_ctx(), &spec, model->params, &l));
    share = (double)l.bytes / (double)sizeof(float) / (double)model->params->floats;
    if (share < least || share > most) fail_msg("%s: holds %g of the weights", route, share);
    for (int32_t i = 0; i < model->params->count; i++) /* as the last phase says */
        if (model->params->param[i].trainable) assert_true(holds(&l, &model->params->param[i]));
    there_and_back(&l, model->params);
    tl_learnt_free(test_ctx(), &l);
    tl_model_free(test_ctx(), model);
    test_course_close(&s);
}

static void what_a_route_may_change(void **state)
{
    (void)state;
    of_route("full", 1.0, 1.0);
    of_route("gradual", 1.0, 1.0);
    of_route("continue", 1.0, 1.0);
    of_route("partial", 0.2, 0.7);
    of_route("lora", 0.01, 0.2);
    of_route("bitfit", 0.001, 0.05);
    of_route("qlora", 0.01, 0.9);
    of_route("probe", 0.0001, 0.02);
}

static int64_t saved_bytes(const char *route)
{
    char       *folder = test_folder(), path[600];
    test_course s;
    tl_run_result r;
    int64_t     bytes;

    test_sentences_open(&s, 24, "bert:4x64", route, 1.0);
    s.spec.backend            = &tl_backend_cpu;
    s.spec.checkpoint         = folder;
    s.spec.checkpoint_every_s = 60.0;
    s.spec.pause_share        = 0.4;
    s.spec.candidate.hyper.epochs = 3.0;
    TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
    assert_string_equal(r.stopped, "paused");
    snprintf(path, sizeof path, "%s/state.0", folder);
    bytes = tl_file_bytes(path);
    assert_true(bytes > 0);
    tl_run_result_free(test_ctx(), &r);
    test_course_close(&s);
    test_folder_end(folder);
    return bytes;
}

static void a_checkpoint_holds_no_frozen_weight(void **state)
{
    (void)state;
    const int64_t full = saved_bytes("full");

    assert_in_range(saved_bytes("lora"), 1, full / 5);
    assert_in_range(saved_bytes("partial"), 1, full * 7 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_route_may_change),
        cmocka_unit_test(a_checkpoint_holds_no_frozen_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
