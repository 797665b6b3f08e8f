/* drawn.c -- see drawn.h. */
#include "support/drawn.h"
#include "core/rand.h"

#include <math.h>

static const double noise = 15.0; /* sd in levels of 255 */

static void draw(uint8_t *pixel, int64_t i, int64_t side, int64_t channels, double angle)
{
    for (int64_t k = 0; k < side * side * channels; k++) {
        const double y = (double)(k / channels / side), x = (double)(k / channels % side);
        const double wave  = sin((x * cos(angle) + y * sin(angle)) * 1.3 + (double)i);
        const double grain = tl_rand_normal(7, TL_STREAM(TL_STREAM_TEST, i), (uint64_t)k);
        pixel[k] = (uint8_t)fmin(fmax(128.0 + 80.0 * wave + noise * grain, 0.0), 255.0);
    }
}

static void make_dataset(test_drawn *p, int64_t rows, int64_t classes, int64_t side,
                         int64_t channels)
{
    const int64_t bytes = side * side * channels;
    uint8_t      *pixels;
    int32_t      *label;

    TEST_OK(tl_alloc_array(test_ctx(), (size_t)rows, (size_t)bytes, &pixels));
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)rows, sizeof *label, &label));
    for (int64_t i = 0; i < rows; i++) {
        label[i] = (int32_t)(i % classes);
        draw(pixels + i * bytes, i, side, channels,
             3.14159265 * (double)label[i] / (double)classes);
    }
    const tl_arrays arrays = { pixels, label, rows, side, side, channels, classes };
    TEST_OK(tl_dataset_of_arrays(test_ctx(), &arrays, &p->dataset));
    tl_free(test_ctx(), pixels);
    tl_free(test_ctx(), label);
}

void test_drawn_open(test_drawn *p, int64_t rows, int64_t classes, int64_t side,
                        int64_t channels, const char *arch, const char *route)
{
    const int64_t train = rows - rows / 4;
    tl_candidate *c     = &p->spec.candidate;

    *p = (test_drawn){ 0 };
    make_dataset(p, rows, classes, side, channels);
    p->prep = (tl_prep){ .height = side, .width = side, .channels = channels,
                         .interpolation = TL_BILINEAR, .scale = 1.0 / 255.0,
                         .mean = { 0.5, 0.5, 0.5 }, .std = { 0.25, 0.25, 0.25 } };
    TEST_OK(tl_cache_new(test_ctx(), p->dataset, &p->prep, 16 << 20, &p->cache));
    TEST_OK(tl_slab_new(test_ctx(), &tl_backend_ref, &p->slab));
    TEST_OK(tl_alloc_array(test_ctx(), (size_t)rows, sizeof(int64_t), &p->train.row));
    for (int64_t i = 0; i < rows; i++) p->train.row[i] = i;
    p->train.count = train;
    p->valid       = (tl_rows){ p->train.row + train, rows - train };
    p->spec        = (tl_run_spec){ .cache   = p->cache,
                                    .dataset = p->dataset,
                                    .train   = p->train,
                                    .valid   = p->valid,
                                    .seed    = 5,
                                    .metric  = "accuracy",
                                    .backend = &tl_backend_ref,
                                    .slab    = p->slab,
                                    .dtype   = TL_F32 };
    c->route = tl_route_find(route);
    assert_non_null(c->route);
    c->prep = p->prep;
    if (arch)
        TEST_OK(tl_arch_parse(test_ctx(), arch, TL_SHAPE(side, side, channels), classes,
                              &c->arch));
    else
        TEST_OK(tl_baseline_arch(test_ctx(), TL_SHAPE(side, side, channels), classes,
                                 &c->arch));
    TEST_OK(tl_route_defaults(test_ctx(), c->route, &c->arch, train, &c->hyper));
}

void test_drawn_close(test_drawn *p)
{
    tl_ctx *ctx = test_ctx();

    tl_arch_free(ctx, &p->spec.candidate.arch);
    tl_cache_free(ctx, p->cache);
    tl_slab_free(ctx, p->slab);
    tl_free(ctx, p->train.row);
    tl_dataset_close(ctx, p->dataset);
    assert_int_equal(ctx->world->now_bytes, 0);
}
