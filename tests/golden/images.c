/* images.c -- decoding and resizing against what Pillow gave (tests/golden/images/index.txt,
 * made by tools/golden/images.py): the same bytes. */
#include "support/support.h"
#include "core/io.h"
#include "core/json.h"
#include "data/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char    *text;
static uint8_t *data;

static void path_of(const char *name, char path[512])
{
    snprintf(path, 512, TEST_FOLDER "/golden/images/%s", name);
}

static int read_index(void **state)
{
    char   path[512];
    size_t bytes;

    (void)state;
    path_of("index.txt", path);
    TEST_OK(tl_file_read(test_fresh(), path, 1 << 20, &data, &bytes));
    text = (char *)data;
    return 0;
}

static int free_index(void **state)
{
    (void)state;
    tl_free(test_ctx(), data);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
    return 0;
}

/* Calls `each` with the rest of every line that starts with `word`; returns how many. */
static int for_lines(const char *word, void (*each)(const char *rest))
{
    int  n = 0;
    char line[512];

    for (const char *at = text; *at; at = strchr(at, '\n') + 1) {
        const size_t k = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)k, at);
        if (strncmp(line, word, strlen(word)) == 0 && line[strlen(word)] == ' ') {
            each(line + strlen(word) + 1);
            n++;
        }
    }
    return n;
}

static void assert_bytes(const tl_image *image, const char *wanted, const char *line)
{
    char hex[65];

    tl_hash_bytes(image->data, (size_t)(image->height * image->width * image->channels),
                  hex);
    if (strcmp(hex, wanted) != 0) fail_msg("other bytes than Pillow's: %s", line);
}

static void check_decode(const char *line)
{
    char     name[64], hex[80], path[512];
    int      channels, h, w, c;
    tl_image image, size;

    assert_int_equal(
        sscanf(line, "%63s %d %d %d %d %79s", name, &h, &w, &channels, &c, hex), 6);
    path_of(name, path);
    TEST_OK(tl_image_open(test_ctx(), path, c, &image));
    assert_int_equal(image.height, h);
    assert_int_equal(image.width, w);
    assert_int_equal(image.channels, channels);
    assert_bytes(&image, hex, line);
    TEST_OK(tl_image_peek(test_ctx(), path, &size));
    assert_int_equal(size.height, h);
    assert_int_equal(size.width, w);
    if (c == 0) assert_int_equal(size.channels, channels);
    tl_image_free(test_ctx(), &image);
}

static void every_kind_decodes_to_pillows_bytes(void **state)
{
    (void)state;
    assert_int_equal(for_lines("decode", check_decode), 65);
}

static void check_resize(const char *line)
{
    char             name[64], how[16], hex[80], path[512];
    double           box[4];
    int              h, w;
    tl_image         in, out;
    tl_interpolation method;

    assert_int_equal(sscanf(line, "%63s %15s %lf %lf %lf %lf %d %d %79s", name, how, box,
                            box + 1, box + 2, box + 3, &h, &w, hex),
                     9);
    method = *how == 'n' ? TL_NEAREST : how[2] == 'l' ? TL_BILINEAR : TL_BICUBIC;
    path_of(name, path);
    TEST_OK(tl_image_open(test_ctx(), path, 0, &in));
    TEST_OK(tl_image_resize(test_ctx(), &in, box, h, w, method, &out));
    assert_bytes(&out, hex, line);
    tl_image_free(test_ctx(), &in);
    tl_image_free(test_ctx(), &out);
}

static void resizing_gives_pillows_bytes(void **state)
{
    (void)state;
    assert_int_equal(for_lines("resize", check_resize), 60);
}

static void check_bad(const char *line)
{
    char     name[64], path[512];
    int      at;
    tl_image image;

    assert_int_equal(sscanf(line, "%63s %n", name, &at), 1);
    path_of(name, path);
    if (tl_image_open(test_ctx(), path, 0, &image) == TL_OK)
        fail_msg("accepted: %s", line);
    assert_null(image.data);
    if (!strstr(test_ctx()->message, line + at) || !strstr(test_ctx()->message, name))
        fail_msg("%s: message is: %s", line, test_ctx()->message);
}

static void bad_files_are_refused_with_place_and_reason(void **state)
{
    (void)state;
    assert_int_equal(for_lines("bad", check_bad), 8);
}

/* Every file cut at every byte: an error or a picture, never a crash. */
static void cut_files_never_crash(void **state)
{
    static const char *const names[] = { "rgb.jpg",           "progressive.jpg",
                                         "palette-clear.png", "interlaced.png",
                                         "turn6.webp",        "turn6.png" };
    tl_ctx                  *ctx     = test_ctx();

    (void)state;
    for (size_t i = 0; i < TL_COUNT(names); i++) {
        char     path[512];
        uint8_t *bytes;
        size_t   n;
        path_of(names[i], path);
        TEST_OK(tl_file_read(ctx, path, 1 << 20, &bytes, &n));
        for (size_t cut = 0; cut < n; cut++) {
            tl_image image;
            tl_image_decode(ctx, "cut", bytes, cut, 0, 0, &image);
            if (cut + 40 < n) assert_null(image.data);
            tl_image_free(ctx, &image);
        }
        tl_free(ctx, bytes);
    }
}

static void a_png_comes_back_as_it_was(void **state)
{
    tl_ctx  *ctx = test_ctx();
    char     path[512];
    tl_image image, again;
    uint8_t *png;
    size_t   bytes;

    (void)state;
    path_of("rgb.png", path);
    TEST_OK(tl_image_open(ctx, path, 0, &image));
    TEST_OK(tl_image_write_png(ctx, &image, &png, &bytes));
    TEST_OK(tl_image_decode(ctx, "again", png, bytes, 0, 0, &again));
    assert_memory_equal(image.data, again.data, 37 * 53 * 3);
    tl_free(ctx, png);
    tl_image_free(ctx, &image);
    tl_image_free(ctx, &again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_decodes_to_pillows_bytes),
        cmocka_unit_test(resizing_gives_pillows_bytes),
        cmocka_unit_test(bad_files_are_refused_with_place_and_reason),
        cmocka_unit_test(cut_files_never_crash),
        cmocka_unit_test(a_png_comes_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, read_index, free_index);
}
