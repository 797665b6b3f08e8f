/* train.c -- what a run does with its rows: learns, keeps the best, stops, names a NaN, leaves
 * frozen parts alone, says how it fits; and what it forecasts. */
#include "core/io.h"
#include "data/strokes.h"
#include "support/drawn.h"
#include "tensor/op.h"
#include "train/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char mlp[]   = "mlp:16x8",
                  norms[] = "conv 4 3, norm batch, relu, pool 2, dense 8 relu";

static void routes_keep_their_contract(void **state)
{
    const tl_route *r;
    tl_hyper        h;
    tl_arch         arch;
    char            action[120];

    (void)state;
    TEST_OK(tl_arch_parse(test_fresh(), mlp, TL_SHAPE(8, 8, 3), 4, &arch));
    for (size_t i = 0; (r = tl_route_at(i)); i++) {
        double share = 0.0;
        assert_ptr_equal(tl_route_find(r->name), r);
        assert_true(strlen(r->doc) > 10 && strlen(r->source) > 10 &&
                    strlen(r->plain) > 10);
        tl_route_say(r, "letters", action, sizeof action);
        assert_true(strlen(action) > 10 && !strchr(action, '@'));
        assert_true(!(r->needs_base || r->action_with) || strstr(action, "letters"));
        tl_route_say(r, NULL, action, sizeof action);
        assert_true(r->needs_base == (strstr(action, "the base") != NULL));
        assert_true(r->by_request == (strstr(r->doc, "(by --routes only)") != NULL));
        assert_true(r->phases >= 1 && r->phases <= 3 && r->defaults);
        for (int k = 0; k < r->phases; k++) {
            share += r->phase[k].budget_share;
            assert_true(r->phase[k].solve || r->phase[k].lr_scale > 0.0);
        }
        assert_true(share == 1.0 || (share == 0.0 && r->phases == 1));
        if (r->of_texts) {
            assert_int_equal(tl_route_defaults(test_ctx(), r, &arch, 1000, &h), TL_EUSAGE);
            continue;
        }
        TEST_OK(tl_route_defaults(test_ctx(), r, &arch, 1000, &h));
        assert_non_null(tl_optimizer_find(h.optimizer));
        assert_non_null(tl_schedule_find(h.schedule));
        assert_true(h.batch % h.shards == 0 && h.epochs > 0.0 && h.optim.lr > 0.0);
    }
    assert_null(tl_route_find("magic"));
    tl_arch_free(test_ctx(), &arch);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* Whether a network has batch norms is asked of its parameters, not of its name. */
static void batch_norms_are_seen_whatever_they_are_called(void **state)
{
    static const struct {
        const char *arch;
        bool        norms;
    } known[] = {
        { "conv 8 3, norm batch, relu, gpool", true },
        { "conv 8 3, norm  batch, relu, gpool", true },
        { "conv 8 3, residual(conv 8 3, norm\tbatch), gpool", true },
        { "conv 8 3, norm group, relu, gpool", false },
        { "resnet20", true },
        { "mobilenet_v2", true },
        { "squeezenet1_1", false },
    };
    tl_hyper h;
    tl_arch  arch;

    (void)state;
    test_fresh();
    for (size_t i = 0; i < TL_COUNT(known); i++) {
        TEST_OK(tl_arch_parse(test_ctx(), known[i].arch, TL_SHAPE(64, 64, 3), 4, &arch));
        TEST_OK(tl_route_defaults(test_ctx(), tl_route_find("scratch"), &arch, 10000, &h));
        assert_string_equal(h.optimizer, known[i].norms ? "sgd" : "adamw");
        assert_int_equal(h.shards, known[i].norms ? 2 : 1);
        tl_arch_free(test_ctx(), &arch);
    }
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

/* Few rows make more epochs of the same steps: patience is the same share of them. */
static void patience_is_a_share_of_the_run(void **state)
{
    tl_hyper few, many;
    tl_arch  arch;

    (void)state;
    test_fresh();
    TEST_OK(tl_arch_parse(test_ctx(), "resnet20", TL_SHAPE(32, 32, 3), 4, &arch));
    TEST_OK(tl_route_defaults(test_ctx(), tl_route_find("scratch"), &arch, 350, &few));
    TEST_OK(tl_route_defaults(test_ctx(), tl_route_find("scratch"), &arch, 7000, &many));
    const double epochs = (double)(few.least_steps * few.batch) / 350.0;
    assert_true(fabs(few.patience / epochs - many.patience / many.epochs) < 0.02);
    tl_arch_free(test_ctx(), &arch);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
}

static void settings_by_name(void **state)
{
    tl_hyper h = { .shards = 1 };
    json_t  *json;

    (void)state;
    TEST_OK(tl_hyper_set(test_fresh(), &h, "optim.lr", "0.25"));
    TEST_OK(tl_hyper_set(test_ctx(), &h, "optimizer", "adamw"));
    TEST_OK(tl_hyper_set(test_ctx(), &h, "schedule", "one-cycle"));
    TEST_OK(tl_hyper_set(test_ctx(), &h, "augment", "crop"));
    TEST_OK(tl_hyper_set(test_ctx(), &h, "batch", "64"));
    TEST_OK(tl_hyper_set(test_ctx(), &h, "frozen_norm", "true"));
    assert_true(h.optim.lr == 0.25 && h.batch == 64 && h.frozen_norm);
    assert_string_equal(h.optimizer, "adamw");
    assert_int_equal(tl_hyper_set(test_ctx(), &h, "optim.lrr", "1"), TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "optim.lr"));
    assert_int_equal(tl_hyper_set(test_ctx(), &h, "batch", "1.5"), TL_EUSAGE);
    assert_int_equal(tl_hyper_set(test_ctx(), &h, "batch", "0"), TL_EUSAGE);
    assert_int_equal(tl_hyper_set(test_ctx(), &h, "optim.lr", "nan"), TL_EUSAGE);
    assert_int_equal(tl_hyper_set(test_ctx(), &h, "optimizer", "adamm"), TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "did you mean adam"));
    assert_int_equal(tl_hyper_set(test_ctx(), &h, "frozen_norm", "maybe"), TL_EUSAGE);
    json = tl_hyper_to_json(&h);
    assert_true(tl_json_number(json_object_get(json, "optim"), "lr", 0.0) == 0.25);
    for (size_t i = 0; tl_hyper_field_at(i); i++)
        assert_true(strchr(tl_hyper_field_at(i), '.') ||
                    json_object_get(json, tl_hyper_field_at(i)));
    json_decref(json);
}

typedef struct { int said; tl_progress first, last; } heard;

static void hear(void *user, const tl_progress *p)
{
    heard *h = user;

    if (h->said++ == 0) h->first = *p;
    h->last = *p;
}

/* The drawn classes are learnt far beyond chance; every figure of the result is there. */
static void learns(const char *arch, const char *route, double least)
{
    tl_run_result r;
    tl_run_need   need;
    test_drawn    p;
    heard         h = { 0 };

    test_fresh();
    test_drawn_open(&p, 240, 3, 8, 1, arch, route);
    p.spec.candidate.hyper.least_steps  = 150;
    p.spec.candidate.hyper.epochs       = 6.0;
    p.spec.progress                     = hear;
    p.spec.user                         = &h;
    TEST_OK(tl_run_forecast(test_ctx(), &p.spec, &need));
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    assert_true(r.valid_metric >= least);
    assert_true(r.train_metric >= least && isfinite(r.train_loss));
    assert_true(h.said >= 1 && h.first.step <= 1 && strlen(h.first.phase) > 3);
    assert_string_equal(h.first.metric_name, p.spec.metric);
    assert_true(r.points >= 1 && r.curve[r.points - 1].step == r.steps_run);
    assert_true(r.flops > 0.0 && r.peak_bytes > 0 && r.parameters >= r.trainable &&
                r.fit);
    assert_true(need.flops > 0.0 && need.rows > 0.0);
    /* What libraries and sanitizers hold beside is no matter of the run. */
    const double forecast = (double)(need.peak_bytes - need.process_bytes);
    assert_true(forecast > 0.5 * (double)r.accounted_bytes);
    assert_true(forecast < 2.0 * (double)r.accounted_bytes);
    double best = -1.0;
    for (int64_t i = 0; i < r.points; i++) best = fmax(best, r.curve[i].valid_metric);
    assert_true(r.valid_metric == best);
    tl_run_result_free(test_ctx(), &r);
    test_drawn_close(&p);
}

static void every_network_learns(void **state)
{
    (void)state;
    learns(mlp, "scratch", 0.5);
    learns(norms, "scratch", 0.8);
    learns(NULL, "baseline", 0.33);
}

/* Stripes of any phase: neighbours tell them apart, a weight per pixel does not.  The baseline
 * is kNN then: kept, opened and asked like any model. */
static void the_baseline_may_be_its_neighbours(void **state)
{
    tl_run_result r;
    tl_model     *again;
    tl_evaluator  e;
    test_drawn    p;
    char         *top = test_folder();

    (void)state;
    test_fresh();
    test_drawn_open(&p, 400, 3, 8, 1, NULL, "baseline");
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    assert_string_equal(r.model->arch.family->name, "knn");
    assert_true(r.valid_metric > 0.9 && r.train_metric > 0.9);
    assert_non_null(strstr(r.stop_detail, " of 300 training pictures"));
    assert_true(r.trainable == 0 && r.parameters == 300 * (8 * 8 + 2));
    TEST_OK(tl_model_save(test_ctx(), r.model, NULL, top));
    TEST_OK(tl_model_open(test_ctx(), top, NULL, &again));
    TEST_OK(tl_evaluator_new(test_ctx(), &p.spec, again, 16, &e));
    TEST_OK(tl_evaluate(test_ctx(), &e, p.valid));
    assert_true(tl_tally_metric(&e.tally, "accuracy") == r.valid_metric);
    tl_evaluator_free(test_ctx(), &e);
    tl_model_free(test_ctx(), again);
    tl_run_result_free(test_ctx(), &r);
    test_folder_end(top);
    test_drawn_close(&p);
}

/* The fixture's pictures become drawn digits, whose place and slant vary, with a margin. */
static void take_digits(test_drawn *p, int64_t rows)
{
    enum { SIDE = 32, DRAWN = TL_STROKES_SIZE, MARGIN = (SIDE - DRAWN) / 2 };
    uint8_t *pixels = calloc((size_t)rows, SIDE * SIDE), drawn[DRAWN * DRAWN];
    int32_t *label  = malloc((size_t)rows * sizeof *label);

    assert_true(pixels && label);
    for (int64_t i = 0; i < rows; i++) {
        label[i] = (int32_t)(i % 10);
        tl_strokes_draw(TL_DIGITS, label[i], 3, i, drawn);
        for (int64_t y = 0; y < DRAWN; y++)
            memcpy(pixels + (i * SIDE + y + MARGIN) * SIDE + MARGIN, drawn + y * DRAWN, DRAWN);
    }
    const tl_arrays arrays = { pixels, label, rows, SIDE, SIDE, 1, 10 };
    tl_cache_free(test_ctx(), p->cache);
    tl_dataset_close(test_ctx(), p->dataset);
    TEST_OK(tl_dataset_of_arrays(test_ctx(), &arrays, &p->dataset));
    TEST_OK(tl_cache_new(test_ctx(), p->dataset, &p->prep, 16 << 20, &p->cache));
    p->spec.dataset = p->dataset;
    p->spec.cache   = p->cache;
    free(pixels);
    free(label);
}

/* Digits: the histograms of gradients say them best; they are kept, opened and asked, too. */
static void the_baseline_may_be_histograms(void **state)
{
    tl_run_result r;
    tl_run_need   need;
    tl_model     *again;
    tl_evaluator  e;
    test_drawn    p;
    char         *top = test_folder();

    (void)state;
    test_fresh();
    test_drawn_open(&p, 240, 10, 32, 1, NULL, "baseline");
    take_digits(&p, 240);
    TEST_OK(tl_run_forecast(test_ctx(), &p.spec, &need));
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    assert_string_equal(r.model->arch.family->name, "hog");
    assert_true(r.valid_metric > 0.7 && r.train_metric > 0.9);
    assert_non_null(strstr(r.stop_detail, "histograms of oriented gradients"));
    assert_int_equal(r.parameters, 10 * (3 * 3 * 36 + 1));
    assert_true(need.peak_bytes - need.process_bytes > r.accounted_bytes / 2);
    TEST_OK(tl_model_save(test_ctx(), r.model, NULL, top));
    TEST_OK(tl_model_open(test_ctx(), top, NULL, &again));
    TEST_OK(tl_evaluator_new(test_ctx(), &p.spec, again, 16, &e));
    TEST_OK(tl_evaluate(test_ctx(), &e, p.valid));
    assert_true(tl_tally_metric(&e.tally, "accuracy") == r.valid_metric);
    tl_evaluator_free(test_ctx(), &e);
    tl_model_free(test_ctx(), again);
    tl_run_result_free(test_ctx(), &r);
    test_folder_end(top);
    test_drawn_close(&p);
}

/* The memory of an evaluation does not grow with rows times classes: what it keeps of a row is
 * its number. */
static void evaluation_takes_no_more_for_more_rows(void **state)
{
    size_t       took[2] = { 0, 0 };
    tl_world    *w;
    test_drawn   p;
    tl_model    *m;
    tl_evaluator e;

    (void)state;
    test_fresh();
    test_drawn_open(&p, 800, 40, 8, 1, mlp, "scratch");
    w = test_ctx()->world;
    TEST_OK(tl_model_new(test_ctx(), &p.spec.candidate.arch, &p.prep, NULL, 1, &m));
    for (int k = 0; k < 2; k++) {
        const size_t before = atomic_load(&w->now_bytes);
        atomic_store(&w->peak_bytes, before);
        TEST_OK(tl_evaluator_new(test_ctx(), &p.spec, m, 32, &e));
        TEST_OK(tl_evaluate(test_ctx(), &e, (tl_rows){ p.train.row, k ? 800 : 64 }));
        tl_evaluator_free(test_ctx(), &e);
        took[k] = atomic_load(&w->peak_bytes) - before;
    }
    if (took[0] < 1000 || took[1] > took[0] + 16 * (800 - 64))
        fail_msg("%zu bytes of 64 rows, %zu of 800", took[0], took[1]);
    tl_model_free(test_ctx(), m);
    test_drawn_close(&p);
}

/* What comes back scores on validation what the result says, not what the last step left. */
static void the_best_is_kept(void **state)
{
    tl_run_result r;
    tl_evaluator  e;
    test_drawn    p;

    (void)state;
    test_fresh();
    test_drawn_open(&p, 150, 3, 8, 1, mlp, "scratch");
    p.spec.candidate.hyper.optim.lr    = 0.1; /* wild */
    p.spec.candidate.hyper.schedule    = "constant";
    p.spec.candidate.hyper.least_steps = 0;
    p.spec.candidate.hyper.epochs      = 25.0;
    p.spec.candidate.hyper.patience    = 4.0;
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    assert_string_equal(r.stopped, "patience");
    assert_true(r.epochs_run == r.best_epoch + 4);
    TEST_OK(tl_evaluator_new(test_ctx(), &p.spec, r.model, 8, &e));
    TEST_OK(tl_evaluate(test_ctx(), &e, p.valid));
    assert_true(tl_tally_metric(&e.tally, "accuracy") == r.valid_metric);
    assert_true(fabs(tl_tally_loss(&e.tally) - r.valid_loss) < 1e-6);
    tl_evaluator_free(test_ctx(), &e);
    tl_run_result_free(test_ctx(), &r);
    test_drawn_close(&p);
}

/* The ref backend; after `left` gradients the next one is not a number. */
static int left;

static tl_status poison(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    call->node->op->ref(call);
    if (left-- <= 0) ((float *)call->out[0].data)[0] = NAN;
    return TL_OK;
}

static const tl_kernel *poison_at(size_t i)
{
    static const tl_kernel kernel = { .op = "cross_entropy_grad", .run = poison };

    return i == 0 ? &kernel : NULL;
}

static void a_nan_stops_and_is_named(void **state)
{
    tl_backend    backend = tl_backend_ref;
    tl_run_result r;
    test_drawn    p;

    (void)state;
    backend.kernel_at = poison_at;
    for (int first = 0; first < 2; first++) {
        test_fresh();
        test_drawn_open(&p, 150, 3, 8, 1, norms, "scratch");
        p.spec.backend                     = &backend;
        p.spec.candidate.hyper.least_steps = 0;
        p.spec.candidate.hyper.epochs      = 5.0;
        p.spec.candidate.hyper.retry       = false;
        left                               = first ? 0 : 7;
        TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
        assert_string_equal(r.stopped, "nan");
        assert_int_equal(r.steps_run, first ? 0 : 7);
        assert_non_null(strstr(r.stop_detail, "loss: "));
        assert_non_null(strstr(r.stop_detail, "rate "));
        for (int64_t i = 0; i < r.model->params->floats; i++)
            assert_true((bool)isfinite(r.model->params->value[i]));
        tl_run_result_free(test_ctx(), &r);
        test_drawn_close(&p);
    }
}

static void interrupted_without_a_folder_keeps_the_best(void **state)
{
    tl_run_result r;
    test_drawn    p;

    (void)state;
    test_fresh();
    test_drawn_open(&p, 150, 3, 8, 1, mlp, "scratch");
    p.spec.most_steps = 7;
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    assert_string_equal(r.stopped, "budget");
    assert_true(r.steps_run == 7 && r.model && r.points >= 1);
    tl_run_result_free(test_ctx(), &r);
    test_drawn_close(&p);
}

/* The ref backend, looking at every tl_alloc between two steps of an epoch that is not the
 * first (pictures are in the cache by then): the countdown of a fault far away counts them. */
static int64_t steps_seen, allocs_at_first, allocs_at_last;

static tl_status look_at_allocs(tl_ctx *ctx, const tl_call *call)
{
    const int64_t countdown = atomic_load(&ctx->world->fault_alloc);

    call->node->op->ref(call);
    steps_seen++;
    if (steps_seen == 12) allocs_at_first = countdown;
    if (steps_seen == 18) allocs_at_last = countdown;
    return TL_OK;
}

static const tl_kernel *looking_kernel(size_t i)
{
    static const tl_kernel kernel = { .op = "cross_entropy_grad", .run = look_at_allocs };

    return i == 0 ? &kernel : NULL;
}

static void the_loop_allocates_nothing(void **state)
{
    tl_backend    backend = tl_backend_ref;
    tl_run_result r;
    test_drawn    p;

    (void)state;
    backend.kernel_at = looking_kernel;
    test_fresh();
    test_drawn_open(&p, 400, 3, 8, 1, norms, "scratch"); /* 300 rows: 9 steps an epoch */
    p.spec.backend                     = &backend;
    p.spec.candidate.hyper.epochs      = 3.0;
    p.spec.candidate.hyper.least_steps = 0;
    p.spec.candidate.hyper.augment     = "none";
    steps_seen                         = 0;
    atomic_store(&test_ctx()->world->fault_alloc, (int64_t)1 << 40);
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    atomic_store(&test_ctx()->world->fault_alloc, 0);
    assert_true(steps_seen > 18 && allocs_at_first > 0);
    assert_int_equal(allocs_at_first, allocs_at_last);
    tl_run_result_free(test_ctx(), &r);
    test_drawn_close(&p);
}

static void fit_in_words(void **state)
{
    (void)state;
    assert_string_equal(tl_fit_word(0.90, 0.895, 0.2, 1.6, 1000), "none");
    assert_string_equal(tl_fit_word(0.95, 0.90, 0.2, 1.6, 1000), "mild");
    assert_string_equal(tl_fit_word(1.00, 0.70, 0.0, 1.6, 1000), "severe");
    assert_string_equal(tl_fit_word(0.30, 0.29, 1.5, 1.6, 1000), "underfit");
    assert_string_equal(tl_fit_word(0.95, 0.90, 0.2, 1.6, 20), "none"); /* within the noise */
    assert_string_equal(tl_fit_word(0.95, 0.90, NAN, 1.6, 1000), "underfit");
}

/* Micro-batches shrink to the limit; networks with batch statistics get smaller groups. */
static void fits_the_memory(void **state)
{
    static const char *const arch[] = {
        "conv 16 3 relu, pool 2, dense 32 relu",
        "conv 16 3, norm batch, relu, pool 2, dense 32 relu"
    };
    tl_run_need whole, less;
    test_drawn  p;
    char        said[200];

    (void)state;
    for (int i = 0; i < 2; i++) {
        test_fresh();
        test_drawn_open(&p, 200, 3, 16, 1, arch[i], "scratch");
        TEST_OK(tl_run_forecast(test_ctx(), &p.spec, &whole));
        const size_t fixed = test_ctx()->world->now_bytes + whole.process_bytes;
        const size_t limit = fixed + (whole.peak_bytes - fixed) * 6 / 10;
        TEST_OK(tl_run_fit_memory(test_ctx(), &p.spec, SIZE_MAX, said));
        assert_string_equal(said, ""); /* nothing was in the way */
        TEST_OK(tl_run_fit_memory(test_ctx(), &p.spec, limit, said));
        assert_true(i == 0 ? !*said : !!strstr(said, "rows instead of 32"));
        TEST_OK(tl_run_forecast(test_ctx(), &p.spec, &less));
        assert_true(less.peak_bytes <= limit);
        assert_int_equal(p.spec.candidate.hyper.batch, 32);
        assert_true(i == 0 ? p.spec.micro_batch < 32 && p.spec.candidate.hyper.shards == 1
                           : p.spec.candidate.hyper.shards > 1);
        assert_int_equal(tl_run_fit_memory(test_ctx(), &p.spec, 1000, said),
                         TL_ELIMIT);
        assert_non_null(strstr(test_ctx()->message, "MiB"));
        test_drawn_close(&p);
    }
}

/* A base made here; its probe, lp-ft and full runs. */
static void routes_from_a_base(void **state)
{
    static const char *const route[] = { "probe", "lp-ft", "full" };
    tl_run_result r, base;
    test_drawn    p;
    float        *features;

    (void)state;
    test_fresh();
    test_drawn_open(&p, 240, 3, 8, 1, norms, "scratch");
    p.spec.candidate.hyper.least_steps = 60;
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &base));
    const tl_params *was = base.model->params;
    for (int i = 0; i < 3; i++) {
        double direct = 0.0;
        p.spec.candidate.route = tl_route_find(route[i]);
        p.spec.candidate.base  = base.model;
        TEST_OK(tl_route_defaults(test_ctx(), p.spec.candidate.route, &base.model->arch,
                                  180, &p.spec.candidate.hyper));
        p.spec.candidate.hyper.least_steps = 20;
        p.spec.candidate.hyper.epochs      = 4.0;
        p.spec.features                    = NULL;
        TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
        assert_true(r.valid_metric >= 0.8);
        direct = r.valid_loss;
        for (int32_t k = 0; k < was->count; k++) {
            const tl_param *a = &was->param[k],
                           *b = tl_params_find(r.model->params, a->name);
            const bool equal =
                memcmp(tl_params_value(was, a), tl_params_value(r.model->params, b),
                       (size_t)a->count * sizeof(float)) == 0;
            if (i == 0) assert_true(equal || a->head); /* R16: frozen means frozen */
        }
        tl_run_result_free(test_ctx(), &r);
        if (i == 2) break;
        /* features computed beforehand give the same */
        const int64_t width = tl_arch_features(test_ctx(), &base.model->arch);
        const tl_rows all   = { p.train.row, p.dataset->rows };
        TEST_OK(tl_alloc_array(test_ctx(), (size_t)(p.dataset->rows * width),
                               sizeof *features, &features));
        TEST_OK(tl_run_features(test_ctx(), &p.spec, all, features));
        p.spec.features = features;
        TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
        assert_true(fabs(r.valid_loss - direct) < 1e-4);
        tl_run_result_free(test_ctx(), &r);
        tl_free(test_ctx(), features);
    }
    tl_run_result_free(test_ctx(), &base);
    test_drawn_close(&p);
}

/* A base takes pictures of the candidate's size, not of its own: what is trained, forecast and
 * written is that. */
static void a_base_at_another_size(void **state)
{
    static const char net[] = "conv 6 3 relu, gpool";
    tl_arch       arch;
    tl_model     *base;
    test_drawn    p;
    tl_run_result r;
    tl_run_need   small, native;

    (void)state;
    test_fresh();
    test_drawn_open(&p, 40, 3, 8, 1, net, "full");
    TEST_OK(tl_arch_parse(test_ctx(), net, TL_SHAPE(24, 24, 1), 3, &arch));
    TEST_OK(tl_model_new(test_ctx(), &arch, &p.prep, NULL, 1, &base));
    base->prep.height = base->prep.width = 24;
    p.spec.candidate.base              = base;
    p.spec.candidate.hyper.least_steps = 4;
    p.spec.candidate.hyper.epochs      = 1.0;
    TEST_OK(tl_run_forecast(test_ctx(), &p.spec, &small));
    p.spec.candidate.arch.row = arch.row;
    TEST_OK(tl_run_forecast(test_ctx(), &p.spec, &native));
    assert_true(small.flops < 0.2 * native.flops);
    p.spec.candidate.arch.row = TL_SHAPE(8, 8, 1);
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    assert_true(tl_shape_equal(&r.model->arch.row, &p.spec.candidate.arch.row));
    assert_int_equal(r.model->prep.height, 8);
    assert_int_equal(base->arch.row.dim[0], 24);
    tl_run_result_free(test_ctx(), &r);
    tl_model_free(test_ctx(), base);
    tl_arch_free(test_ctx(), &arch);
    test_drawn_close(&p);
}

/* Unusable questions get a message, not a crash (R26). */
static void small_and_odd_data(void **state)
{
    tl_run_result r;
    test_drawn    p;

    (void)state;
    for (int64_t rows = 1; rows < 9; rows++) { /* rows to train on */
        test_fresh();
        test_drawn_open(&p, 40, 2, 8, 1, rows % 2 ? norms : mlp, "scratch");
        p.spec.train.count                 = rows;
        p.spec.candidate.hyper.least_steps = 3;
        p.spec.candidate.hyper.epochs      = 2.0;
        const tl_status rc = tl_run_train(test_ctx(), &p.spec, &r);
        assert_int_equal(rc, rows == 1 ? TL_EDATA : TL_OK);
        if (rc == TL_OK) assert_true(r.steps_run >= 3);
        tl_run_result_free(test_ctx(), &r);
        p.spec.train.count = 0;
        assert_int_equal(tl_run_train(test_ctx(), &p.spec, &r), TL_EDATA);
        p.spec.train.count = rows;
        p.spec.valid.count = 0;
        assert_int_equal(tl_run_train(test_ctx(), &p.spec, &r), TL_EDATA);
        test_drawn_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_keep_their_contract),
        cmocka_unit_test(batch_norms_are_seen_whatever_they_are_called),
        cmocka_unit_test(patience_is_a_share_of_the_run),
        cmocka_unit_test(settings_by_name),
        cmocka_unit_test(every_network_learns),
        cmocka_unit_test(the_baseline_may_be_its_neighbours),
        cmocka_unit_test(the_baseline_may_be_histograms),
        cmocka_unit_test(evaluation_takes_no_more_for_more_rows),
        cmocka_unit_test(the_best_is_kept),
        cmocka_unit_test(a_nan_stops_and_is_named),
        cmocka_unit_test(interrupted_without_a_folder_keeps_the_best),
        cmocka_unit_test(the_loop_allocates_nothing),
        cmocka_unit_test(fit_in_words),
        cmocka_unit_test(fits_the_memory),
        cmocka_unit_test(routes_from_a_base),
        cmocka_unit_test(a_base_at_another_size),
        cmocka_unit_test(small_and_odd_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
