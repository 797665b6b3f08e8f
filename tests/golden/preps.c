/* preps.c -- resize, centre crop and normalisation against torchvision's (preps.txt). */
#include "support/support.h"
#include "core/io.h"
#include "data/prep.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static tl_image picture;
static float    level[16 * 16 * 3];

static int open_picture(void **state)
{
    tl_prep p;

    (void)state;
    TEST_OK(
        tl_image_open(test_fresh(), TEST_FOLDER "/golden/images/rgb.png", 3, &picture));
    assert_true(tl_prep_named("imagenet", &p));
    p.resize_short = 20;
    p.height = p.width = 16;
    TEST_OK(tl_prep_apply(test_ctx(), &p, &picture, level));
    return 0;
}

static int free_picture(void **state)
{
    (void)state;
    tl_image_free(test_ctx(), &picture);
    return 0;
}

static void check_crop(const char *line)
{
    tl_prep p = { .channels = 3, .crop = true, .scale = 1.0, .std = { 1.0, 1.0, 1.0 } };
    float   x[64 * 64 * 3];
    uint8_t bytes[64 * 64 * 3];
    char    how[16], wanted[80], hex[65];
    int     short_side, h, w;

    assert_int_equal(
        sscanf(line, "crop %d %d %d %15s %79s", &short_side, &h, &w, how, wanted), 5);
    p.resize_short  = short_side;
    p.height        = h;
    p.width         = w;
    p.interpolation = strcmp(how, "bicubic") == 0 ? TL_BICUBIC : TL_BILINEAR;
    TEST_OK(tl_prep_apply(test_ctx(), &p, &picture, x));
    for (int i = 0; i < h * w * 3; i++) bytes[i] = (uint8_t)x[i];
    tl_hash_bytes(bytes, (size_t)(h * w * 3), hex);
    if (strcmp(hex, wanted) != 0) fail_msg("other bytes than torchvision's: %s", line);
}

static void check_level(const char *line)
{
    int   i;
    float wanted;

    assert_int_equal(sscanf(line, "level %d %f", &i, &wanted), 2);
    assert_true(fabsf(level[i] - wanted) < 1e-6f);
}

static void preprocessing_equals_torchvisions(void **state)
{
    char     line[256];
    uint8_t *data;
    size_t   bytes;
    int      crops = 0, levels = 0;

    (void)state;
    TEST_OK(tl_file_read(test_ctx(), TEST_FOLDER "/golden/preps.txt", 1 << 20, &data,
                         &bytes));
    for (const char *at = (char *)data; *at; at = strchr(at, '\n') + 1) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
        if (*line == 'c') check_crop(line), crops++;
        if (*line == 'l') check_level(line), levels++;
    }
    tl_free(test_ctx(), data);
    assert_int_equal(crops, 6);
    assert_int_equal(levels, 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(
        preprocessing_equals_torchvisions) };

    return cmocka_run_group_tests(tests, open_picture, free_picture);
}
