/* labels.c -- fuzz target: a CSV of file and label beside two pictures. */
#include "core/io.h"
#include "data/dataset.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static char folder[256];

static void remove_folder(void)
{
    tl_world world;
    tl_ctx   ctx;

    tl_world_init(&world);
    ctx = tl_ctx_make(&world);
    tl_remove_tree(&ctx, folder);
}

static void write_file(const char *name, const void *data, size_t bytes)
{
    char path[300];
    int  fd;

    snprintf(path, sizeof path, "%.255s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes) abort();
    close(fd);
}

static void make_folder(tl_ctx *ctx)
{
    const char *top   = getenv("TMPDIR");
    uint8_t     grey  = 0, *png;
    tl_image    image = { 1, 1, 1, &grey };
    size_t      bytes;

    snprintf(folder, sizeof folder, "%.200s/tailor-fuzz-XXXXXX", top ? top : "/tmp");
    if (!mkdtemp(folder)) abort();
    atexit(remove_folder);
    for (const char *const *name = (const char *const[]){ "a.png", "b.png", NULL }; *name;
         name++) {
        if (tl_image_write_png(ctx, &image, &png, &bytes) != TL_OK) abort();
        write_file(*name, png, bytes);
        tl_free(ctx, png);
        grey = 255;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    tl_world    world;
    tl_ctx      ctx;
    tl_dataset *d;

    tl_world_init(&world);
    world.limit_bytes = (size_t)64 << 20;
    world.threads     = 1;
    ctx               = tl_ctx_make(&world);
    if (!*folder) make_folder(&ctx);
    write_file("labels.csv", data, bytes);
    for (int skip = 0; skip < 2; skip++) {
        const tl_dataset_source source = { .train = folder, .skip_bad = skip };
        if (tl_dataset_open(&ctx, &source, &d) == TL_OK)
            for (int64_t i = 0; i < d->rows; i++)
                if (d->label[i] < 0 || d->label[i] >= d->classes) abort();
        tl_dataset_close(&ctx, d);
    }
    if (world.now_bytes) abort();
    return 0;
}
