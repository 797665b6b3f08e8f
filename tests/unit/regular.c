/* regular.c -- what training adds to a plain run: mixing, weight means, balanced epochs, a second
 * attempt after a NaN; a teacher's answers and pretraining without labels. */
#include "data/mix.h"
#include "support/drawn.h"
#include "tensor/op.h"
#include "train/pretrain.h"
#include "train/rates.h"
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char net[] = "conv 4 3, norm batch, relu, pool 2, dense 8 relu";

/* Weights after `steps` steps of a run with these settings, NULL-terminated names and values. */
static float *after(int64_t steps, const char *const *set, int64_t micro, tl_run_result *out)
{
    test_drawn p;
    float     *copy;

    test_fresh();
    test_drawn_open(&p, 146, 3, 8, 1, "mlp:12x8", "scratch");
    for (; set && *set; set += 2)
        TEST_OK(tl_hyper_set(test_ctx(), &p.spec.candidate.hyper, set[0], set[1]));
    p.spec.most_steps  = steps;
    p.spec.micro_batch = micro;
    TEST_OK(tl_run_train(test_ctx(), &p.spec, out));
    const size_t bytes = (size_t)out->model->params->floats * sizeof(float);
    copy               = malloc(bytes);
    memcpy(copy, out->model->params->value, bytes);
    tl_run_result_free(test_ctx(), out);
    test_drawn_close(&p);
    return copy;
}

/* R1 for shares of classes: cutting a mixed batch into plans changes nothing but rounding. */
static void mixing_is_of_the_whole_batch(void **state)
{
    static const char *const mixup[]  = { "mixup", "0.4", NULL },
                      *const cutmix[] = { "cutmix", "1", "smoothing", "0.1", NULL };
    tl_run_result r;

    (void)state;
    for (int i = 0; i < 2; i++) {
        float *whole = after(6, i ? cutmix : mixup, 0, &r);
        float *parts = after(6, i ? cutmix : mixup, 8, &r);
        float *plain = after(6, NULL, 0, &r);
        assert_true(test_error(parts, whole, 64 * 12) < 2e-5);
        assert_true(test_error(plain, whole, 64 * 12) > 1e-3);
        free(whole);
        free(parts);
        free(plain);
    }
}

static void a_mixed_run_learns(void **state)
{
    tl_run_result r;
    test_drawn    p;

    (void)state;
    test_fresh();
    test_drawn_open(&p, 240, 3, 8, 1, net, "scratch");
    p.spec.candidate.hyper.least_steps = 150;
    p.spec.candidate.hyper.epochs      = 6.0;
    p.spec.candidate.hyper.mixup       = 0.2;
    p.spec.candidate.hyper.cutmix      = 1.0;
    TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
    assert_true(r.valid_metric >= 0.6 && isfinite(r.train_loss));
    tl_run_result_free(test_ctx(), &r);
    test_drawn_close(&p);
}

/* After one step the mean is 2/11 of what was and 9/11 of what is. */
static void the_mean_of_weights_is_kept(void **state)
{
    static const char *const plain[] = { "augment", "none", NULL },
                      *const mean[]  = { "augment", "none", "ema", "0.5", NULL };
    tl_run_result r;
    tl_model     *start;
    test_drawn    p;
    float        *now = after(1, plain, 0, &r), *kept = after(1, mean, 0, &r), want[64 * 12];

    (void)state;
    test_fresh();
    test_drawn_open(&p, 146, 3, 8, 1, "mlp:12x8", "scratch");
    TEST_OK(tl_trainer_model(test_ctx(), &p.spec, &start));
    for (int i = 0; i < 64 * 12; i++)
        want[i] = (float)(2.0 / 11.0 * (double)start->params->value[i] +
                          9.0 / 11.0 * (double)now[i]);
    assert_true(test_error(kept, want, 64 * 12) < 1e-6);
    assert_true(test_error(kept, now, 64 * 12) > 1e-5);
    tl_model_free(test_ctx(), start);
    test_drawn_close(&p);
    free(now);
    free(kept);
}

/* Classes of 100, 15 and 5 rows: an epoch has 40 of each, every rare row as often as another. */
static void balanced_epochs(void **state)
{
    int64_t         seen[3], row[120], repeats[120];
    tl_loader_spec  ask = { .batch = 16, .shuffle = true, .balanced = true, .seed = 9 };
    tl_loader      *loader;
    const tl_batch *b;
    test_drawn      p;

    (void)state;
    test_fresh();
    test_drawn_open(&p, 160, 3, 4, 1, "mlp:4", "scratch");
    for (int64_t i = 0; i < 160; i++)
        p.dataset->label[i] = i < 100 ? 0 : i < 115 ? 1 : 2;
    for (int64_t i = 0; i < 120; i++) row[i] = i;
    ask.cache = p.cache;
    ask.rows  = (tl_rows){ row, 120 };
    TEST_OK(tl_loader_new(test_ctx(), &ask, &loader));
    for (int epoch = 0; epoch < 3; epoch++) {
        memset(seen, 0, sizeof seen);
        memset(repeats, 0, sizeof repeats);
        for (;;) {
            TEST_OK(tl_loader_next(test_ctx(), loader, &b));
            if (b->rows == 0) break;
            for (int64_t r = 0; r < b->rows; r++) {
                assert_int_equal(b->label[r], p.dataset->label[b->index[r]]);
                seen[b->label[r]]++;
                repeats[b->index[r]]++;
            }
        }
        for (int c = 0; c < 3; c++) assert_int_equal(seen[c], 40);
        for (int i = 100; i < 115; i++) assert_true(repeats[i] == 2 || repeats[i] == 3);
        for (int i = 115; i < 120; i++) assert_int_equal(repeats[i], 8);
        for (int i = 0; i < 100; i++) assert_true(repeats[i] <= 1);
    }
    tl_loader_free(test_ctx(), loader);
    test_drawn_close(&p);
}

/* The ref backend; gradient number `bad` is not a number, later ones are. */
static int count, bad;

static tl_status poison_once(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    call->node->op->ref(call);
    if (count++ == bad) ((float *)call->out[0].data)[0] = NAN;
    return TL_OK;
}

static const tl_kernel *poison_at(size_t i)
{
    static const tl_kernel kernel = { .op = "cross_entropy_grad", .run = poison_once };

    return i == 0 ? &kernel : NULL;
}

static void once_more_at_a_tenth_of_the_rate(void **state)
{
    tl_backend backend = tl_backend_ref;

    (void)state;
    backend.kernel_at = poison_at;
    for (int retry = 0; retry < 2; retry++) {
        tl_run_result r;
        test_drawn    p;
        test_fresh();
        test_drawn_open(&p, 150, 3, 8, 1, net, "scratch");
        p.spec.backend                     = &backend;
        p.spec.candidate.hyper.least_steps = 0;
        p.spec.candidate.hyper.epochs      = 4.0;
        p.spec.candidate.hyper.schedule    = "constant";
        p.spec.candidate.hyper.warmup      = 0.0;
        p.spec.candidate.hyper.retry       = retry;
        count                              = 0;
        bad                                = 7;
        TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
        assert_string_equal(r.stopped, retry ? "epochs" : "nan");
        const double lr = p.spec.candidate.hyper.optim.lr;
        for (int64_t i = 0; i < r.points; i++)
            assert_true(fabs(r.curve[i].lr - (retry ? 0.1 * lr : lr)) < 1e-9 * lr);
        if (retry) assert_int_equal(r.epochs_run, 4);
        tl_run_result_free(test_ctx(), &r);
        test_drawn_close(&p);
    }
}

/* Rates rise, the loss falls and then explodes; what is suggested lies before the bottom. */
static void a_range_of_rates(void **state)
{
    tl_rate_test a, b;
    test_drawn   p;
    double       lowest = INFINITY, at = 0.0;

    (void)state;
    for (int i = 0; i < 2; i++) {
        test_fresh();
        test_drawn_open(&p, 160, 3, 8, 1, net, "scratch");
        TEST_OK(tl_hyper_set(test_ctx(), &p.spec.candidate.hyper, "optimizer",
                             i ? "sgd" : "adamw"));
        TEST_OK(tl_run_rates(test_ctx(), &p.spec, &a));
        TEST_OK(tl_run_rates(test_ctx(), &p.spec, &b));
        assert_memory_equal(&a, &b, sizeof a);
        assert_true(a.points > 20);
        lowest = INFINITY;
        for (int64_t k = 0; k < a.points; k++) {
            if (k) assert_true(a.point[k].lr > a.point[k - 1].lr);
            if (a.point[k].loss < lowest) lowest = a.point[k].loss, at = a.point[k].lr;
        }
        assert_true(fabs(a.suggested - at / 10.0) < 1e-12);
        assert_true(lowest < 0.9 * a.point[0].loss);
        assert_true(a.suggested > (i ? 1e-4 : 1e-5) && a.suggested < (i ? 3.0 : 0.1));
        test_drawn_close(&p);
    }
    test_fresh();
    test_drawn_open(&p, 60, 3, 8, 1, NULL, "baseline");
    assert_int_equal(tl_run_rates(test_ctx(), &p.spec, &a), TL_EUSAGE);
    test_drawn_close(&p);
}

/* Where it is hidden the input is 0 and counts; the target is the picture, pixel by pixel. */
static void masked_patches(void **state)
{
    enum { ROWS = 3, H = 10, W = 12, C = 2, ROW = H * W * C };
    const tl_decoder  d = { .units = 3 * 4 * 4 * 3, .map = { 3, 4 }, .cell = { 4, 3 } };
    static float      x[2][ROWS * ROW], target[ROWS * 144 * C], weight[ROWS * 144];
    tl_batch          b;
    int               hidden = 0;

    (void)state;
    test_fresh();
    TEST_OK(tl_batch_new(test_ctx(), ROWS, TL_SHAPE(H, W, C), true, 0, &b));
    b.rows = ROWS - 1;
    for (int i = 0; i < (ROWS - 1) * ROW; i++) b.x[i] = (float)(i + 1);
    for (int r = 0; r < ROWS; r++) b.index[r] = r * 5;
    tl_mask_batch(&d, &b, 0.5, 3, 1, x[1], target, weight);
    tl_mask_batch(&d, &b, 0.5, 3, 0, x[0], target, weight);
    assert_true(memcmp(x[0], x[1], sizeof x[0]) != 0); /* another epoch, another mask */
    for (int r = 0; r < ROWS - 1; r++)
        for (int y = 0; y < H; y++)
            for (int i = 0; i < W; i++) {
                const int cell = y / 4 * 4 + i / 3, unit = (cell * 4 + y % 4) * 3 + i % 3;
                const int pixel = r * ROW + (y * W + i) * C, at = r * 144 + unit;
                const bool gone = weight[at] == 1.0f;
                hidden += gone;
                for (int c = 0; c < C; c++) {
                    assert_true(target[at * C + c] == b.x[pixel + c]);
                    assert_true(x[0][pixel + c] == (gone ? 0.0f : b.x[pixel + c]));
                }
            }
    assert_true(hidden == 2 * H * W / 2); /* 5 x 6 patches of 2 x 2, 15 of them hidden */
    for (int i = (ROWS - 1) * 144; i < ROWS * 144; i++) assert_true(weight[i] == 0.0f);
    tl_batch_free(test_ctx(), &b);
}

typedef struct { int said; double first, last; } heard;

static void hear(void *user, const tl_progress *p)
{
    heard *h = user;

    if (strcmp(p->phase, "pretrain") != 0) return;
    if (h->said++ == 0) h->first = p->loss;
    h->last = p->loss;
}

/* The body moves without a label being read, the head does not, and the loss falls. */
static void pretraining_learns_without_labels(void **state)
{
    tl_model  *before;
    tl_trainer t = { 0 };
    test_drawn p;
    heard      h = { 0 };
    bool       moved = false;

    (void)state;
    test_fresh();
    test_drawn_open(&p, 160, 3, 8, 1, net, "self");
    p.spec.candidate.hyper.pretrain_epochs = 150.0;
    for (int64_t i = 0; i < 160; i++) p.dataset->label[i] = -7; /* none must be looked at */
    p.spec.progress = hear;
    p.spec.user     = &h;
    TEST_OK(tl_run_settle(test_ctx(), &p.spec, &t.spec));
    TEST_OK(tl_trainer_model(test_ctx(), &t.spec, &t.model));
    TEST_OK(tl_model_copy(test_ctx(), t.model, &before));
    t.started = t.saved = 0.0;
    TEST_OK(tl_pretrain_run(test_ctx(), &t));
    if (h.said < 2 || !(h.last < 0.8 * h.first))
        fail_msg("%d: %g to %g", h.said, h.first, h.last);
    assert_true(t.at.flops > 0.0);
    for (int32_t k = 0; k < before->params->count; k++) {
        const tl_param *q    = &before->params->param[k];
        const bool      same = memcmp(tl_params_value(before->params, q),
                                      tl_params_value(t.model->params, q),
                                      (size_t)q->count * sizeof(float)) == 0;
        if (q->head) assert_true(same);
        else moved |= !same;
    }
    assert_true(moved);
    tl_model_free(test_ctx(), before);
    tl_model_free(test_ctx(), t.model);
    test_drawn_close(&p);
}

/* Smoothing is of the labels' loss: it does not matter where all of the loss is the teacher's. */
static void a_teacher_is_followed(void **state)
{
    float *bits[4];
    size_t bytes = 0;

    (void)state;
    for (int i = 0; i < 4; i++) {
        tl_run_result base, r;
        test_drawn    p;
        tl_trainer    t = { 0 };
        test_fresh();
        test_drawn_open(&p, 120, 3, 8, 1, net, "scratch");
        p.spec.candidate.hyper.least_steps = 40;
        TEST_OK(tl_run_train(test_ctx(), &p.spec, &base));
        p.spec.candidate.route = tl_route_find("distill");
        p.spec.candidate.base  = base.model;
        p.spec.candidate.route->defaults(&p.spec.candidate.hyper, &base.model->arch, 90);
        tl_hyper *h       = &p.spec.candidate.hyper;
        h->least_steps    = 0;
        h->epochs         = 2.0;
        h->teacher_epochs = 1.0;
        h->distill        = i < 2 ? 1.0 : 0.5;
        h->smoothing      = i & 1 ? 0.3 : 0.0;
        TEST_OK(tl_run_settle(test_ctx(), &p.spec, &t.spec));
        TEST_OK(tl_teach_run(test_ctx(), &t));
        for (int64_t k = 0; k < p.train.count; k++) {
            double sum = 0.0;
            for (int c = 0; c < 3; c++) sum += (double)t.taught[k * 3 + c];
            assert_true(fabs(sum - 1.0) < 1e-5);
        }
        tl_free(test_ctx(), t.taught);
        TEST_OK(tl_run_train(test_ctx(), &p.spec, &r));
        bytes   = (size_t)r.model->params->floats * sizeof(float);
        bits[i] = malloc(bytes);
        memcpy(bits[i], r.model->params->value, bytes);
        tl_run_result_free(test_ctx(), &r);
        tl_run_result_free(test_ctx(), &base);
        test_drawn_close(&p);
    }
    assert_memory_equal(bits[0], bits[1], bytes);
    assert_true(memcmp(bits[2], bits[3], bytes) != 0);
    assert_true(memcmp(bits[0], bits[2], bytes) != 0);
    for (int i = 0; i < 4; i++) free(bits[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixing_is_of_the_whole_batch),
        cmocka_unit_test(a_mixed_run_learns),
        cmocka_unit_test(the_mean_of_weights_is_kept),
        cmocka_unit_test(balanced_epochs),
        cmocka_unit_test(once_more_at_a_tenth_of_the_rate),
        cmocka_unit_test(a_range_of_rates),
        cmocka_unit_test(masked_patches),
        cmocka_unit_test(pretraining_learns_without_labels),
        cmocka_unit_test(a_teacher_is_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
