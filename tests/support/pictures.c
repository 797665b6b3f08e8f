/* pictures.c -- small picture datasets for tests. */
#include "support/pictures.h"
#include "core/io.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

static void make_folder_of(const char *path)
{
    char folder[512];

    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    TEST_OK(tl_make_folders(test_ctx(), folder));
}

void test_picture(const char *folder, const char *name, int64_t side, int look)
{
    tl_image image = { .height = side, .width = side, .channels = 3 };
    char     path[512];
    uint8_t *png;
    size_t   bytes;

    snprintf(path, sizeof path, "%.300s/%.200s", folder, name);
    make_folder_of(path);
    TEST_OK(tl_alloc(test_ctx(), (size_t)(side * side * 3), &image.data));
    for (int64_t i = 0; i < side * side * 3; i++)
        image.data[i] = (uint8_t)((look * 37 + i * (look % 7 + 1) + (look >> 3)) & 255);
    TEST_OK(tl_image_write_png(test_ctx(), &image, &png, &bytes));
    TEST_OK(tl_file_write(test_ctx(), path, png, bytes));
    tl_free(test_ctx(), png);
    tl_image_free(test_ctx(), &image);
}

void test_class_folders(const char *folder, int classes, int each, int64_t side)
{
    char name[64];

    for (int c = 0; c < classes; c++)
        for (int i = 0; i < each; i++) {
            snprintf(name, sizeof name, "class%d/p%03d.png", c, i);
            test_picture(folder, name, side, c * each + i);
        }
}

void test_text_file(const char *folder, const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof path, "%.300s/%.200s", folder, name);
    make_folder_of(path);
    TEST_OK(tl_file_write(test_ctx(), path, text, strlen(text)));
}

void test_idx(const char *folder, const char *name, int64_t n, int64_t side, int classes)
{
    const size_t row = side ? (size_t)(side * side) : 1, head = side ? 16 : 8;
    uint8_t     *data;
    char         path[512];

    snprintf(path, sizeof path, "%.300s/%.200s", folder, name);
    make_folder_of(path);
    TEST_OK(tl_alloc(test_ctx(), head + (size_t)n * row, &data));
    data[2] = 8;
    data[3] = side ? 3 : 1;
    data[6] = (uint8_t)(n >> 8);
    data[7] = (uint8_t)n;
    if (side) data[11] = data[15] = (uint8_t)side;
    for (size_t i = 0; i < (size_t)n * row; i++)
        data[head + i] = (uint8_t)((side ? i * 7 + i / row * 31 : i % (size_t)classes) & 255);
    TEST_OK(tl_file_write(test_ctx(), path, data, head + (size_t)n * row));
    tl_free(test_ctx(), data);
}

tl_dataset *test_open(const char *path)
{
    const tl_dataset_source source = { .train = path };
    tl_dataset             *d;

    TEST_OK(tl_dataset_open(test_ctx(), &source, &d));
    return d;
}
