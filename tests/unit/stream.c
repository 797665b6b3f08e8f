/* stream.c -- `partial` of texts, and adapters of the top blocks alone: what the frozen blocks make
 * of each text is made once, token by token, and only what lies above runs; nothing but the work is
 * less. */
#include "backend/cpu/cpu.h"
#include "bundle/adapter.h"
#include "data/texts/pack.h"
#include "support/sentences.h"

#include <math.h>
#include <string.h>

enum { ROWS = 32, MOST = 8 };

typedef struct {
    double flops, loss, metric;
    float *value; /* of all weights */
    size_t floats;
} outcome;

static outcome run_of(test_course *s, bool cached)
{
    tl_run_result r;
    outcome       o;

    s->spec.candidate.hyper.cached = cached;
    TEST_OK(tl_run_train(test_ctx(), &s->spec, &r));
    o = (outcome){ .flops  = r.flops,
                   .loss   = r.valid_loss,
                   .metric = r.valid_metric,
                   .floats = (size_t)r.model->params->floats };
    TEST_OK(tl_alloc_array(test_ctx(), o.floats, sizeof *o.value, &o.value));
    memcpy(o.value, r.model->params->value, o.floats * sizeof *o.value);
    tl_run_result_free(test_ctx(), &r);
    return o;
}

static void open_top(test_course *s, const char *net, const char *route, tl_dtype dtype)
{
    test_sentences_open(s, ROWS, net, route, 3.0);
    s->spec.backend                    = &tl_backend_cpu;
    s->spec.dtype                      = dtype;
    s->spec.candidate.hyper.top_blocks = 1;
    s->spec.candidate.hyper.optim.lr   = 1e-3;
}

/* Both ways, with the weights that they end in this far apart at most (of the largest). */
static void same_both_ways(test_course *s, double apart)
{
    outcome anew = run_of(s, false), kept = run_of(s, true);

    assert_int_equal(anew.floats, kept.floats);
    const double error = test_error(kept.value, anew.value, (int64_t)anew.floats);
    if (!(error < apart && fabs(anew.loss - kept.loss) < apart * 10.0))
        fail_msg("%s: weights %g apart, losses %g and %g", s->arch.name, error, anew.loss,
                 kept.loss);
    if (!(kept.flops < 0.8 * anew.flops))
        fail_msg("%s: %g of %g FLOPs", s->arch.name, kept.flops, anew.flops);
    tl_free(test_ctx(), anew.value);
    tl_free(test_ctx(), kept.value);
}

static void nothing_but_the_work_changes(void **state)
{
    static const char *const nets[] = { "bert:4x64",  "distilbert:4x64", "roberta:4x64",
                                        "modernbert:4x64", "gpt2:4x64", "llama:4x64" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(nets); i++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            test_course s;
            open_top(&s, nets[i], "partial", bf16 ? TL_BF16 : TL_F32);
            same_both_ways(&s, bf16 ? 1e-2 : 1e-4);
            test_course_close(&s);
        }
}

/* Where rows are longer than the network takes, each window is kept: training takes the first,
 * validation asks all. */
static void windows_are_kept_each(void **state)
{
    test_course s;
    tl_prep        prep = { 0 };
    tl_cache      *cache;
    int64_t        windows = 0;

    (void)state;
    open_top(&s, "bert:3x64", "partial", TL_F32);
    TEST_OK(tl_texter_shorter(test_ctx(), s.texter, MOST, &prep.text));
    TEST_OK(tl_cache_new(test_ctx(), s.dataset, &prep, 0, &cache));
    for (int64_t i = 0; i < ROWS; i++) windows += tl_cache_parts(cache, i);
    assert_true(windows > ROWS);
    s.spec.cache          = cache;
    s.spec.candidate.prep = prep;
    same_both_ways(&s, 1e-4);
    tl_cache_free(test_ctx(), cache);
    tl_texter_drop(test_ctx(), prep.text);
    test_course_close(&s);
}

/* The forecast knows what is kept; where memory has no room for it, the blocks run every step. */
static void memory_decides(void **state)
{
    test_course s;
    tl_run_need    with, without;
    char           said[200];

    (void)state;
    open_top(&s, "bert:4x64", "partial", TL_F32);
    s.spec.candidate.hyper.cached = false;
    TEST_OK(tl_run_forecast(test_ctx(), &s.spec, &without));
    s.spec.candidate.hyper.cached = true;
    TEST_OK(tl_run_forecast(test_ctx(), &s.spec, &with));
    assert_true(with.flops < without.flops);
    const tl_rows lists[] = { s.train, s.valid };
    const size_t  kept    = tl_stream_bytes(s.cache, lists, 2, TL_F32, 64);
    int64_t       tokens  = 0;
    for (int64_t i = 0; i < ROWS; i++) tokens += tl_cache_tokens(s.cache, i);
    assert_int_equal(kept, (size_t)tokens * 64 * sizeof(float));
    tl_world *world = test_ctx()->world;
    atomic_store(&world->peak_bytes, atomic_load(&world->now_bytes));
    const outcome o    = run_of(&s, true);
    const double  was  = (double)atomic_load(&world->peak_bytes) - (double)o.floats * 4.0;
    const double  say  = (double)(with.peak_bytes - with.process_bytes);
    if (say < 0.6 * was || say > 1.6 * was) fail_msg("forecast %.0f, was %.0f", say, was);
    tl_free(test_ctx(), o.value);
    if (with.peak_bytes > without.peak_bytes) {
        TEST_OK(tl_run_fit_memory(test_ctx(), &s.spec, with.peak_bytes - 1, said));
        assert_false(s.spec.candidate.hyper.cached);
    }
    test_course_close(&s);
}

/* Dropout is drawn by its place in the network, which is the same both ways. */
static void adapters_of_the_top_blocks(void **state)
{
    static const char *const routes[] = { "lora", "dora", "ia3", "adapter", "qlora" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(routes); i++) {
        test_course s;
        open_top(&s, "bert:4x64", routes[i], TL_F32);
        assert_true(s.spec.candidate.hyper.cached);
        same_both_ways(&s, 1e-4);
        test_course_close(&s);
    }
}

/* PEFT names each product that an adapter joins: those of the last of four layers alone. */
static void lower_layers_have_no_adapters(void **state)
{
    test_course s;
    tl_run_result  r;

    (void)state;
    open_top(&s, "bert:4x64", "lora", TL_F32);
    TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
    const json_t *targets = json_object_get(r.model->adapter->config, "target_modules");
    assert_int_equal(json_array_size(targets), 7); /* six, and the pooler's */
    for (size_t i = 0; i < 7; i++) {
        const char *target = json_string_value(json_array_get(targets, i));
        assert_true(strstr(target, "layer.3.") || strstr(target, "pooler.dense"));
    }
    tl_run_result_free(test_ctx(), &r);
    s.spec.candidate.hyper.top_blocks = 9; /* more than there are: all */
    TEST_OK(tl_run_train(test_ctx(), &s.spec, &r));
    assert_int_equal(
        json_array_size(json_object_get(r.model->adapter->config, "target_modules")), 25);
    tl_run_result_free(test_ctx(), &r);
    s.spec.candidate.route            = tl_route_find("prefix");
    s.spec.candidate.hyper.adapt.kind = TL_ADAPT_PREFIX;
    assert_int_equal(tl_run_train(test_ctx(), &s.spec, &r), TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "stands in every layer"));
    test_course_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_but_the_work_changes),
        cmocka_unit_test(windows_are_kept_each),
        cmocka_unit_test(memory_decides),
        cmocka_unit_test(adapters_of_the_top_blocks),
        cmocka_unit_test(lower_layers_have_no_adapters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
