/* tags.c -- fuzz target: words with tags, as a CoNLL file and as JSONL; what is read has its texts
 * in order. */
#include "core/io.h"
#include "data/dataset.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static char path[2][300];

static void remove_files(void)
{
    for (int i = 0; i < 2; i++) unlink(path[i]);
}

static void name_files(void)
{
    static const char *const ends[] = { "conll", "jsonl" };
    const char              *top    = getenv("TMPDIR");

    for (int i = 0; i < 2; i++)
        snprintf(path[i], sizeof path[i], "%.200s/fuzz-tags-%ld.%s", top ? top : "/tmp",
                 (long)getpid(), ends[i]);
    atexit(remove_files);
}

static void check(const tl_dataset *d)
{
    if (!d->tags) return; /* another format took it */
    for (int64_t i = 0; i < d->rows; i++) {
        const int64_t t = d->tags->text[i];
        if (t < 0 || t >= d->tags->texts || i < d->tags->first[t] ||
            i >= d->tags->first[t + 1] || d->label[i] < 0 || d->label[i] >= d->classes)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!path[0][0]) name_files();
    for (int i = 0; i < 2; i++) {
        tl_dataset_source source = { .train = path[i], .limit_bytes = 1 << 20, .skip_bad = true };
        tl_dataset       *d;
        tl_world          world;
        tl_ctx            ctx;
        const int fd = open(path[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes) abort();
        close(fd);
        tl_world_init(&world);
        world.limit_bytes = (size_t)64 << 20;
        world.threads     = 1;
        ctx               = tl_ctx_make(&world);
        if (tl_dataset_open(&ctx, &source, &d) == TL_OK) {
            check(d);
            tl_dataset_close(&ctx, d);
        }
        if (world.now_bytes != 0) abort();
    }
    return 0;
}
