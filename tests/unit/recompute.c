/* recompute.c -- blocks that are made again in the backward pass instead of held: the same bits,
 * dropout and adapters included, in less memory; what --memory demands where smaller pieces do not
 * do; norms with statistics are not made twice. */
#include "backend/cpu/cpu.h"
#include "support/drawn.h"
#include "support/sentences.h"

#include <string.h>

static void same_run(tl_run_spec *spec, tl_slab **slab, double *forecast, double *flops,
                     float **values, int64_t *floats, bool again)
{
    tl_run_result r;
    tl_run_need   need;

    tl_slab_free(test_ctx(), *slab); /* what the run before took does not count */
    TEST_OK(tl_slab_new(test_ctx(), spec->backend, slab));
    spec->slab      = *slab;
    spec->recompute = again;
    TEST_OK(tl_run_forecast(test_ctx(), spec, &need));
    TEST_OK(tl_run_train(test_ctx(), spec, &r));
    *forecast = (double)need.peak_bytes;
    *flops    = need.flops;
    *floats   = r.model->params->floats;
    *values   = calloc((size_t)*floats, sizeof **values);
    memcpy(*values, r.model->params->value, (size_t)*floats * sizeof **values);
    tl_run_result_free(test_ctx(), &r);
}

/* Every family, with its dropout; of some a route of few parameters, and frozen blocks. */
static void same_bits_in_less_memory(void **state)
{
    static const struct { const char *net, *route; tl_dtype dtype; bool cpu; } runs[] = {
        { "bert:3x64", "full", TL_F32, false },   { "bert:4x64", "lora", TL_F32, true },
        { "bert:4x64", "full", TL_BF16, true },   { "roberta:3x64", "full", TL_F32, true },
        { "distilbert:3x64", "full", TL_F32, true }, { "modernbert:4x64", "full", TL_F32, true },
        { "gpt2:4x64", "full", TL_F32, true },    { "llama:4x64", "full", TL_BF16, true },
        { "bert:6x64", "partial", TL_F32, true }, { "bert:3x64", "ia3", TL_F32, true },
    };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(runs); i++) {
        test_course s;
        float         *held, *again;
        double         peak[2], flops[2];
        int64_t        n[2];
        test_sentences_open(&s, 32, runs[i].net, runs[i].route, 1.0);
        s.spec.candidate.hyper.batch = 16;
        s.spec.dtype                 = runs[i].dtype;
        s.spec.candidate.hyper.cached = false;
        if (runs[i].cpu) s.spec.backend = &tl_backend_cpu;
        same_run(&s.spec, &s.slab, &peak[0], &flops[0], &held, &n[0], false);
        same_run(&s.spec, &s.slab, &peak[1], &flops[1], &again, &n[1], true);
        assert_int_equal(n[0], n[1]);
        if (memcmp(held, again, (size_t)n[0] * sizeof *held) != 0)
            fail_msg("%s, %s: other bits", runs[i].net, runs[i].route);
        if (!(peak[1] < peak[0] && flops[1] > flops[0]))
            fail_msg("%s, %s: %g bytes and %g FLOPs are no trade for %g and %g", runs[i].net,
                     runs[i].route, peak[1], flops[1], peak[0], flops[0]);
        free(held);
        free(again);
        test_course_close(&s);
    }
}

/* Taken only where pieces of one row do not fit; then the run keeps to the limit. */
static void where_memory_demands_it(void **state)
{
    test_course s;
    tl_run_need    need[2];
    tl_run_result  r;
    char           said[200];

    (void)state;
    test_sentences_open(&s, 24, "bert:8x64", "full", 1.0);
    for (int k = 0; k < 2; k++) {
        s.spec.micro_batch = 1;
        s.spec.recompute   = k == 1;
        TEST_OK(tl_run_forecast(test_ctx(), &s.spec, &need[k]));
    }
    assert_true(need[1].peak_bytes < need[0].peak_bytes);
    /* the search holds the network's parameters while it looks, so that it begins above */
    size_t limit = need[0].peak_bytes + (size_t)s.base->params->floats * sizeof(float) + (1 << 16);
    for (int tries = 0; !s.spec.recompute || tries == 0; tries++, limit -= 1 << 17) {
        s.spec.micro_batch = 0;
        s.spec.recompute   = false;
        TEST_OK(tl_run_fit_memory(test_ctx(), &s.spec, limit, said));
        assert_true(tries > 0 || !s.spec.recompute);
        assert_true(s.spec.recompute == (strstr(said, "computed again") != NULL));
    }
    limit += 1 << 17; /* of the last try */
    TEST_OK(tl_run_forecast(test_ctx(), &s.spec, &need[0]));
    assert_true(need[0].peak_bytes <= limit);
    TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
    tl_run_result_free(test_ctx(), &r);
    s.spec.micro_batch = 0;
    s.spec.recompute   = false;
    assert_int_equal(tl_run_fit_memory(test_ctx(), &s.spec, need[1].peak_bytes / 2, said),
                     TL_ELIMIT);
    test_course_close(&s);
}

/* Statistics of a batch move once a step: such blocks are held. */
static void norms_move_once(void **state)
{
    float  *held, *again;
    double  peak[2], flops[2];
    int64_t n[2];

    (void)state;
    for (int k = 0; k < 2; k++) {
        test_drawn d;
        test_drawn_open(&d, 64, 3, 8, 1, "conv 4 3, norm batch, relu, conv 8 3, norm batch, relu, "
                                         "gpool", "scratch");
        d.spec.candidate.hyper.epochs = 2.0;
        same_run(&d.spec, &d.slab, &peak[k], &flops[k], k ? &again : &held, &n[k], k == 1);
        test_drawn_close(&d);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(held, again, (size_t)n[0] * sizeof *held);
    assert_true(flops[0] == flops[1]);
    free(held);
    free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_in_less_memory),
        cmocka_unit_test(where_memory_demands_it),
        cmocka_unit_test(norms_move_once),
    };

    return cmocka_run_group_tests_name("recompute", tests, NULL, NULL);
}
