/* forecast.c -- what a run will take: two networks that share a name share no calibration, nor do
 * adapters with what trains all weights; what patience is likely to spare. */
#include "support/support.h"
#include "core/io.h"
#include "data/strokes.h"
#include "study/compare_internal.h"

#include <math.h>
#include <string.h>

/* An untrained network in words, as a base. */
static void write_base(const char *text, const char *folder)
{
    tl_ctx   *ctx = test_ctx();
    tl_arch   arch;
    tl_prep   prep;
    tl_model *model;

    TEST_OK(tl_arch_parse(ctx, text, TL_SHAPE(TL_STROKES_SIZE, TL_STROKES_SIZE, 1), 10, &arch));
    assert_true(tl_prep_named("unit", &prep));
    prep.height = prep.width = TL_STROKES_SIZE;
    prep.channels            = 1;
    TEST_OK(tl_model_new(ctx, &arch, &prep, NULL, 1, &model));
    TEST_OK(tl_model_save(ctx, model, NULL, folder));
    tl_model_free(ctx, model);
    tl_arch_free(ctx, &arch);
}

static char *in(const char *folder, const char *name)
{
    char *path;

    TEST_OK(tl_path_join(test_ctx(), folder, name, &path));
    return path;
}

/* As compare.c prepares it, as far as the calibration. */
static void prepare(tl_study *s)
{
    tl_ctx *ctx = test_ctx();

    TEST_OK(tl_make_folders(ctx, s->q->out));
    s->checkpoints = in(s->q->out, "checkpoints");
    TEST_OK(tl_make_folders(ctx, s->checkpoints));
    TEST_OK(tl_store_open(ctx, s->q->out, &s->store));
    TEST_OK(tl_slab_new(ctx, s->backend, &s->slab));
    TEST_OK(tl_study_open_data(ctx, s));
    TEST_OK(tl_study_precision(ctx, s));
    TEST_OK(tl_study_open_bases(ctx, s));
    TEST_OK(tl_study_list(ctx, s));
    TEST_OK(tl_study_forecast(ctx, s));
    TEST_OK(tl_study_calibrate(ctx, s));
}

static void end(tl_study *s)
{
    tl_ctx *ctx = test_ctx();

    tl_study_close_candidates(ctx, s);
    tl_study_close_data(ctx, s);
    tl_slab_free(ctx, s->slab);
    tl_store_close(ctx, s->store);
    tl_free(ctx, s->checkpoints);
    json_decref(s->warnings);
}

static void networks_in_words_have_calibrations_of_their_own(void **state)
{
    static const char *const routes[] = { "full", "lp-ft", "lora", NULL };
    tl_ctx                  *ctx      = test_fresh();
    char *top = test_folder(), *data = in(top, "data"), *out = in(top, "out");
    char *base[2] = { in(top, "small"), in(top, "large") };
    const char *const bases[] = { base[0], base[1], NULL };
    const tl_question q = { .data = { .train = data }, .base = bases, .routes = routes,
                            .margin = NAN, .forget = NAN, .seed = 1, .precision = "f32",
                            .out = out };
    tl_study s = { .q = &q, .backend = tl_study_backend(), .detectable = NAN };
    json_t  *kept;

    (void)state;
    ctx->world->threads = 1;
    s.warnings          = json_array();
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 200, 600, data));
    write_base("dense 8 relu", base[0]);
    write_base("dense 64 relu", base[1]);
    prepare(&s);
    TEST_OK(tl_store_get(ctx, s.store, "calibration", &kept));
    assert_int_equal(s.entries, 6); /* three routes from each, of which two train alike */
    assert_string_equal(s.entry[0].c.arch.name, s.entry[1].c.arch.name);
    /* and the head that each lp-ft begins with, and how long it took */
    assert_int_equal(json_object_size(kept), 4 + 2 + 1);
    for (int i = 0; i < 6; i += 2)
        assert_true(s.entry[i].s_per_flop != s.entry[i + 1].s_per_flop);
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < i; k++)
            if (s.entry[i].base == s.entry[k].base) {
                const bool alike = strcmp(s.entry[i].c.route->name, "lora") != 0 &&
                                   strcmp(s.entry[k].c.route->name, "lora") != 0;
                if (alike) assert_true(s.entry[i].setup_s == s.entry[k].setup_s);
                else assert_true(s.entry[i].s_per_flop != s.entry[k].s_per_flop);
            }
    json_decref(kept);
    end(&s);
    for (int i = 0; i < 2; i++) tl_free(ctx, base[i]);
    tl_free(ctx, data);
    tl_free(ctx, out);
    test_folder_end(top);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* The share of its forecast that patience is likely to spare. */
static double spared(const char *patience)
{
    static const char *const routes[] = { "full", NULL };
    const char *const given[] = { "epochs=10", "least_steps=0", patience, NULL };
    tl_ctx           *ctx     = test_fresh();
    char *top = test_folder(), *data = in(top, "data"), *out = in(top, "out");
    char *base = in(top, "base");
    const char *const bases[] = { base, NULL };
    const tl_question q = { .data = { .train = data }, .base = bases, .routes = routes,
                            .margin = NAN, .forget = NAN, .seed = 1, .precision = "f32",
                            .overrides = given, .out = out };
    tl_study s = { .q = &q, .backend = tl_study_backend(), .detectable = NAN };

    ctx->world->threads = 1;
    s.warnings          = json_array();
    TEST_OK(tl_strokes_write(ctx, TL_DIGITS, 5, 200, 600, data));
    write_base("dense 8 relu", base);
    prepare(&s);
    const tl_entry *e     = &s.entry[0];
    const double    share = e->need.spared_flops / e->need.flops;
    const double    less  = tl_study_slice_seconds(&s, e) - tl_study_likely_seconds(&s, e);
    assert_true(fabs(less - e->s_per_flop * e->need.spared_flops) <= 1e-9 + 1e-6 * less);
    end(&s);
    tl_free(ctx, base);
    tl_free(ctx, data);
    tl_free(ctx, out);
    test_folder_end(top);
    return share;
}

/* Any epoch is as likely as another to be the best: of ten epochs with two of patience half of the
 * runs see more than five and two. */
static void patience_is_counted_in(void **state)
{
    (void)state;
    assert_true(fabs(spared("patience=2") - 0.3) < 1e-9);
    assert_true(spared("patience=0") == 0.0);
    assert_true(spared("patience=6") == 0.0);
    assert_true(spared("patience=20") == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_in_words_have_calibrations_of_their_own),
        cmocka_unit_test(patience_is_counted_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
