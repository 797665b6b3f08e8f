/* prep.c -- preprocessing as JSON; augmentation as a function of (seed, epoch, row). */
#include "support/support.h"
#include "core/json.h"
#include "data/prep.h"

#include <math.h>
#include <string.h>

static tl_prep from_text(const char *text)
{
    tl_prep p;
    json_t *v;

    TEST_OK(tl_json_parse(test_ctx(), "p.json", text, strlen(text), &v));
    TEST_OK(tl_prep_from_json(test_ctx(), "p.json", v, &p));
    json_decref(v);
    return p;
}

static void refuse(const char *text, const char *word)
{
    tl_prep p;
    json_t *v;

    TEST_OK(tl_json_parse(test_ctx(), "p.json", text, strlen(text), &v));
    assert_int_equal(tl_prep_from_json(test_ctx(), "p.json", v, &p), TL_EDATA);
    if (!strstr(test_ctx()->message, word))
        fail_msg("message is: %s", test_ctx()->message);
    json_decref(v);
}

static void named_ones_come_back_from_json(void **state)
{
    static const char *const names[] = { "imagenet", "half", "caffe", "cifar", "unit" };

    (void)state;
    test_fresh();
    for (size_t i = 0; i < TL_COUNT(names); i++) {
        tl_prep p, again;
        assert_true(tl_prep_named(names[i], &p));
        json_t *j = tl_prep_to_json(&p);
        TEST_OK(tl_prep_from_json(test_ctx(), "x", j, &again));
        assert_memory_equal(p.mean, again.mean, sizeof p.mean);
        assert_memory_equal(p.std, again.std, sizeof p.std);
        assert_true(p.height == again.height && p.width == again.width &&
                    p.crop == again.crop);
        assert_true(p.resize_short == again.resize_short && p.channels == again.channels);
        assert_true(p.interpolation == again.interpolation && p.bgr == again.bgr);
        assert_true(p.scale >= again.scale && p.scale <= again.scale);
        json_decref(j);
    }
    tl_prep none;
    assert_false(tl_prep_named("nothing", &none));
}

static void published_forms_are_understood(void **state)
{
    (void)state;
    tl_prep p = from_text(
        "{\"size\": 224, \"crop_pct\": 0.875, \"resample\": 3, \"image_mean\": [0.485, "
        "0.456, 0.406], \"image_std\": [0.229, 0.224, 0.225]}");
    assert_int_equal(p.resize_short, 256);
    assert_int_equal(p.height, 224);
    assert_int_equal(p.interpolation, TL_BICUBIC);
    p = from_text("{\"size\": {\"height\": 64, \"width\": 48}, \"do_normalize\": false}");
    assert_int_equal(p.resize_short, 0);
    assert_int_equal(p.width, 48);
    assert_true(p.mean[0] < 1e-9 && p.std[0] > 0.999);
    p = from_text(
        "{\"size\": {\"shortest_edge\": 256}, \"do_center_crop\": true, \"crop_size\": "
        "{\"height\": 224, \"width\": 224}, \"do_rescale\": false}");
    assert_int_equal(p.resize_short, 256);
    assert_true(p.crop && p.scale > 0.999);
    p = from_text("{\"size\": 224}");
    assert_int_equal(p.resize_short, 0);
}

static void impossible_values_are_refused(void **state)
{
    (void)state;
    refuse("[]", "not a JSON object");
    refuse("{\"size\": {\"height\": 0, \"width\": 3}}", "size 0x3");
    refuse("{\"size\": {\"height\": 99999999999, \"width\": 3}}", "not from 1");
    refuse("{\"image_std\": [1, 0, 1]}", "image_std");
    refuse("{\"image_mean\": [1, 2]}", "image_mean");
    refuse("{\"resample\": 1}", "resample 1");
    refuse("{\"channels\": 4}", "channels 4");
    refuse("{\"size\": {\"height\": 9, \"width\": 9}, \"do_center_crop\": true, "
           "\"crop_size\": 5}",
           "shortest_edge");
}

enum { SIDE = 40, NET = 32, VALUES = NET * NET * 3 };
static uint8_t  pixels[SIDE * SIDE * 3];
static tl_image image = { SIDE, SIDE, 3, pixels };
static tl_prep  prep;

static void make_picture(void)
{
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 31 + i / 120 * 7);
    tl_prep_named("imagenet", &prep);
    prep.height = prep.width = NET;
    prep.resize_short        = 36;
}

static void draws_follow_seed_epoch_and_row_alone(void **state)
{
    static float x[5][VALUES];
    tl_augment   a;

    (void)state;
    make_picture();
    assert_true(tl_augment_named("strong", &a));
    a.erase = 1.0;
    for (int k = 0; k < 5; k++)
        TEST_OK(tl_augment_apply(test_ctx(), &prep, &a, k == 2 ? 8 : 7, k == 3 ? 4 : 3,
                                 k == 4 ? 1 : 0, &image, x[k]));
    assert_memory_equal(x[0], x[1], sizeof x[0]);
    for (int k = 2; k < 5; k++) assert_memory_not_equal(x[0], x[k], sizeof x[0]);
}

static void nothing_asked_is_plain_preprocessing(void **state)
{
    static float x[VALUES], y[VALUES];
    tl_augment   a;

    (void)state;
    assert_true(tl_augment_named("none", &a));
    TEST_OK(tl_prep_apply(test_ctx(), &prep, &image, x));
    TEST_OK(tl_augment_apply(test_ctx(), &prep, &a, 1, 2, 3, &image, y));
    assert_memory_equal(x, y, sizeof x);
}

/* A window moved by at most two, mirrored or not: 5 x 5 x 2 pictures, all of which appear. */
static void the_light_one_moves_and_mirrors(void **state)
{
    static float x[VALUES], plain[50][VALUES];
    bool         seen[50] = { false };
    tl_augment   a;

    (void)state;
    assert_true(tl_augment_named("light", &a));
    prep.resize_short = 40; /* no resizing: what appears can be computed here */
    for (int k = 0; k < 50; k++) {
        const int top = 4 + k / 2 / 5 - 2, left = 4 + k / 2 % 5 - 2;
        for (int y = 0; y < NET; y++)
            for (int c = 0; c < NET * 3; c++) {
                const int column = k % 2 ? NET - 1 - c / 3 : c / 3;
                const int b      = pixels[((top + y) * SIDE + left + column) * 3 + c % 3];
                plain[k][y * NET * 3 + c] =
                    (float)((b * prep.scale - prep.mean[c % 3]) / prep.std[c % 3]);
            }
    }
    for (int64_t row = 0; row < 600; row++) {
        int found = -1;
        TEST_OK(tl_augment_apply(test_ctx(), &prep, &a, 5, 0, row, &image, x));
        for (int k = 0; k < 50 && found < 0; k++)
            if (memcmp(x, plain[k], sizeof x) == 0) found = k;
        assert_true(found >= 0);
        seen[found] = true;
    }
    for (int k = 0; k < 50; k++) assert_true(seen[k]);
}

static void beyond_the_edge_lies_black(void **state)
{
    static float x[VALUES];
    tl_augment   a     = { .pad_crop = 8 };
    int          black = 0;

    (void)state;
    prep.resize_short = NET;
    memset(pixels, 255, sizeof pixels);
    for (int64_t row = 0; row < 20; row++) {
        TEST_OK(tl_augment_apply(test_ctx(), &prep, &a, 5, 0, row, &image, x));
        for (int i = 0; i < VALUES; i += 3)
            if (x[i] < 0.0f) {
                assert_true(fabsf(x[i] + (float)(prep.mean[0] / prep.std[0])) < 1e-6f);
                black++;
            }
    }
    assert_in_range(black, 20 * NET * NET / 8, 20 * NET * NET / 2);
}

static void caffe_swaps_channels_before_the_mean(void **state)
{
    uint8_t  one[3] = { 10, 20, 30 };
    tl_image tiny   = { 1, 1, 3, one };
    tl_prep  p;
    float    x[3];

    (void)state;
    assert_true(tl_prep_named("caffe", &p));
    p.height = p.width = p.resize_short = 1;
    TEST_OK(tl_prep_apply(test_ctx(), &p, &tiny, x));
    assert_true(fabsf(x[0] - (30.0f - 104.0f)) < 1e-4f);
    assert_true(fabsf(x[2] - (10.0f - 123.0f)) < 1e-4f);
    tl_augment a = { .jitter = 1e-9 }; /* the other way to the same numbers */
    TEST_OK(tl_augment_apply(test_ctx(), &p, &a, 1, 1, 1, &tiny, x));
    assert_true(fabsf(x[0] - (30.0f - 104.0f)) < 1e-3f);
    assert_true(fabsf(x[2] - (10.0f - 123.0f)) < 1e-3f);
    tiny.channels = 1;
    assert_int_equal(tl_prep_apply(test_ctx(), &p, &tiny, x), TL_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_ones_come_back_from_json),
        cmocka_unit_test(published_forms_are_understood),
        cmocka_unit_test(impossible_values_are_refused),
        cmocka_unit_test(draws_follow_seed_epoch_and_row_alone),
        cmocka_unit_test(nothing_asked_is_plain_preprocessing),
        cmocka_unit_test(the_light_one_moves_and_mirrors),
        cmocka_unit_test(beyond_the_edge_lies_black),
        cmocka_unit_test(caffe_swaps_channels_before_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
