/* kept.c -- what frozen blocks put out, made by one and found by others: a run that finds it
 * ends in the bits of one that makes it, whatever the seed, the cut of the rows or the route; and
 * only what changes nothing is found. */
#include "backend/cpu/cpu.h"
#include "support/drawn.h"
#include "support/sentences.h"

#include <math.h>
#include <string.h>

enum { ROWS = 32 };

typedef struct {
    float *value; /* of all weights */
    size_t bytes;
    double flops;
} outcome;

static outcome train(const tl_run_spec *spec)
{
    tl_run_result r;
    outcome       o;

    TEST_OK(tl_run_train(test_ctx(), spec, &r));
    o = (outcome){ .bytes = (size_t)r.model->params->floats * sizeof(float), .flops = r.flops };
    TEST_OK(tl_alloc(test_ctx(), o.bytes, &o.value));
    memcpy(o.value, r.model->params->value, o.bytes);
    tl_run_result_free(test_ctx(), &r);
    return o;
}

static void *make(const tl_run_spec *spec, tl_frozen *f)
{
    void *x = NULL;

    TEST_OK(tl_run_frozen(test_ctx(), spec, f));
    assert_true(f->cut > 0 && f->bytes > 0 && f->flops > 0.0);
    TEST_OK(tl_alloc(test_ctx(), f->bytes, &x));
    TEST_OK(tl_run_frozen_make(test_ctx(), spec, f, x));
    return x;
}

/* The run as it is against the run that finds `x`. */
static void same_bits(const tl_run_spec *spec, const void *x, double flops)
{
    tl_run_spec   finds = *spec;
    const outcome alone = train(spec);

    finds.kept          = x;
    const outcome found = train(&finds);
    assert_int_equal(alone.bytes, found.bytes);
    assert_memory_equal(alone.value, found.value, alone.bytes);
    assert_true(fabs(alone.flops - found.flops - flops) < 1e-6 * alone.flops);
    tl_free(test_ctx(), alone.value);
    tl_free(test_ctx(), found.value);
}

/* Another seed draws other rows to validate, in another order. */
static void cut_anew(tl_rows train, tl_rows valid)
{
    for (int64_t i = 0; i < valid.count; i += 2) {
        const int64_t held           = valid.row[i];
        valid.row[i]                 = train.row[3 * i % train.count];
        train.row[3 * i % train.count] = held;
    }
}

static void found_by_every_seed_and_route(const tl_run_spec *spec, const char *other)
{
    tl_run_spec next = *spec;
    tl_frozen   f, again;
    void       *x = make(spec, &f), *y;

    same_bits(spec, x, f.flops);
    cut_anew(next.train, next.valid);
    next.seed++;
    next.candidate.route = tl_route_find(other);
    TEST_OK(tl_route_defaults(test_ctx(), next.candidate.route, &next.candidate.arch,
                              next.train.count, &next.candidate.hyper));
    next.candidate.hyper.epochs      = 2.0;
    next.candidate.hyper.least_steps = 0;
    next.candidate.hyper.batch       = spec->candidate.hyper.batch;
    next.candidate.hyper.augment     = "none";
    next.candidate.hyper.top_blocks  = spec->candidate.hyper.top_blocks;
    y                                = make(&next, &again);
    assert_string_equal(f.key, again.key);
    assert_memory_equal(x, y, f.bytes);
    same_bits(&next, x, f.flops);
    tl_free(test_ctx(), x);
    tl_free(test_ctx(), y);
}

static void of_texts(void **state)
{
    static const char *const nets[]   = { "bert:4x64", "gpt2:4x64", "llama:3x64" };
    static const char *const routes[] = { "lora", "ia3", "adapter" };

    (void)state;
    for (size_t i = 0; i < TL_COUNT(nets); i++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            test_course s;
            test_sentences_open(&s, ROWS, nets[i], "partial", 2.0);
            s.spec.backend                    = &tl_backend_cpu;
            s.spec.dtype                      = bf16 ? TL_BF16 : TL_F32;
            s.spec.candidate.hyper.top_blocks = 1;
            found_by_every_seed_and_route(&s.spec, routes[i]);
            test_course_close(&s);
        }
}

static void of_pictures(void **state)
{
    static const char net[] = "conv 4 3, norm batch, relu, conv 6 3, norm batch, relu, pool 2, "
                              "dense 8 relu";
    tl_candidate *c;
    test_drawn    p;
    tl_run_result base;
    tl_frozen     f;

    (void)state;
    test_fresh();
    test_drawn_open(&p, 96, 3, 8, 1, net, "scratch");
    c                    = &p.spec.candidate;
    c->hyper.epochs      = 2.0;
    c->hyper.least_steps = 0;
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &base));
    c->route = tl_route_find("partial");
    c->base  = base.model;
    c->route->defaults(&c->hyper, &c->arch, p.train.count);
    c->hyper.epochs      = 2.0;
    c->hyper.least_steps = 0;
    c->hyper.top_blocks  = 1;
    p.spec.backend       = &tl_backend_cpu;
    found_by_every_seed_and_route(&p.spec, "lora");
    c->hyper.augment = "shift"; /* no two epochs alike */
    TEST_OK(tl_run_frozen(test_ctx(), &p.spec, &f));
    assert_int_equal(f.cut, 0);
    tl_run_result_free(test_ctx(), &base);
    test_drawn_close(&p);
}

static void expect_other(const tl_run_spec *spec, const char *key, bool none)
{
    tl_frozen f;

    TEST_OK(tl_run_frozen(test_ctx(), spec, &f));
    assert_true(none ? f.cut == 0 : f.cut > 0);
    assert_string_not_equal(f.key, key);
}

static void what_changes_bits_is_not_shared(void **state)
{
    test_course s;
    tl_run_spec    other;
    tl_frozen      f;

    (void)state;
    test_sentences_open(&s, ROWS, "bert:4x64", "partial", 2.0);
    s.spec.candidate.hyper.top_blocks = 2;
    TEST_OK(tl_run_frozen(test_ctx(), &s.spec, &f));
    other                            = s.spec;
    other.candidate.hyper.top_blocks = 1;
    expect_other(&other, f.key, false);
    other       = s.spec;
    other.dtype = TL_BF16;
    expect_other(&other, f.key, false);
    other = s.spec;
    other.train.count--;
    expect_other(&other, f.key, false);
    other             = s.spec;
    other.micro_batch = 2; /* other batches below the cut */
    expect_other(&other, f.key, false);
    other                                = s.spec;
    other.candidate.hyper.adapt.kind     = TL_ADAPT_LORA;
    other.candidate.hyper.adapt.nf4      = true; /* other weights */
    other.candidate.route                = tl_route_find("qlora");
    expect_other(&other, f.key, false);
    other                        = s.spec;
    other.candidate.hyper.cached = false;
    expect_other(&other, f.key, true);
    other                 = s.spec;
    other.candidate.route = tl_route_find("full");
    expect_other(&other, f.key, true);
    other                 = s.spec;
    other.candidate.route = tl_route_find("gradual");
    expect_other(&other, f.key, true);
    test_course_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_texts),
        cmocka_unit_test(of_pictures),
        cmocka_unit_test(what_changes_bits_is_not_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
