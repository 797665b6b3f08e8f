/* jsonl.c -- fuzz target: JSON lines opened as data, texts or a table, and texts read again. */
#include "data/loader.h"
#include "data/texts/reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static char path[300];

static void remove_file(void)
{
    unlink(path);
}

static void write_file(const void *data, size_t bytes)
{
    const char *top = getenv("TMPDIR");
    int         fd;

    if (!*path) {
        snprintf(path, sizeof path, "%.200s/tailor-fuzz-%ld.jsonl", top ? top : "/tmp",
                 (long)getpid());
        atexit(remove_file);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes) abort();
    close(fd);
}

/* Every text is one, and a reader that knows the columns reads the same rows. */
static void use(tl_ctx *ctx, const tl_dataset *d)
{
    tl_text_reader r = { 0 };
    tl_string      text[2];

    for (int64_t i = 0; d->text && i < d->rows; i++) {
        tl_dataset_text(d, i, text);
        if (!text[0].text || text[0].bytes == 0 || strlen(text[0].text) != text[0].bytes) abort();
        if (d->label[i] < 0 || d->label[i] >= d->classes) abort();
    }
    if (d->text && tl_text_reader_open(ctx, path, (size_t)1 << 20, d->text, &r) == TL_OK) {
        if (r.sheet.rows < d->rows) abort();
        for (int64_t i = 0; i < r.sheet.rows; i++) tl_text_reader_row(&r, i, text);
    }
    tl_text_reader_close(ctx, &r);
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
    write_file(data, bytes);
    for (int k = 0; k < 4; k++) {
        const tl_dataset_source source = { .train    = path,
                                           .skip_bad = k & 1,
                                           .ask      = { .text = k & 2 ? "text" : NULL } };
        if (tl_dataset_open(&ctx, &source, &d) == TL_OK) use(&ctx, d);
        tl_dataset_close(&ctx, d);
    }
    if (world.now_bytes) abort();
    return 0;
}
