/* table.c -- fuzz target: a CSV opened as a table, its rows coded, and read again as new rows. */
#include "core/io.h"
#include "data/loader.h"
#include "data/tables/reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
        snprintf(path, sizeof path, "%.200s/tailor-fuzz-%ld.csv", top ? top : "/tmp",
                 (long)getpid());
        atexit(remove_file);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes) abort();
    close(fd);
}

/* Everything that is learnt from the rows, and each of them coded by it. */
static void use(tl_ctx *ctx, const tl_dataset *d)
{
    tl_rows    rows  = { 0 };
    tl_schema *s     = NULL;
    tl_cache  *cache = NULL;
    float     *x     = NULL;
    tl_reader  r     = { 0 };

    if (tl_alloc_array(ctx, (size_t)d->rows, sizeof *rows.row, &rows.row) != TL_OK) return;
    for (int64_t i = 0; i < d->rows; i++) rows.row[rows.count++] = i;
    if (tl_dataset_fit(ctx, d, d->schema, TL_SCALING_QUANTILE, rows, &s) == TL_OK &&
        tl_cache_new(ctx, d, &(tl_prep){ .table = s }, 0, &cache) == TL_OK &&
        tl_alloc_array(ctx, (size_t)s->width, sizeof *x, &x) == TL_OK) {
        for (int64_t i = 0; i < d->rows; i++) {
            if (tl_cache_code(ctx, cache, i, x) != TL_OK) abort();
            for (int64_t k = 0; k < s->width; k++)
                if (!(x[k] > -1e7f && x[k] < 1e7f)) abort();
        }
        if (tl_reader_open(ctx, path, (size_t)1 << 20, s, &r) == TL_OK)
            for (int64_t i = 0; i < r.rows; i++) {
                char        place[400];
                const char *fault, *column;
                tl_reader_row(&r, i, x, place, &fault, &column);
            }
    }
    tl_reader_close(ctx, &r);
    tl_cache_free(ctx, cache);
    tl_schema_drop(ctx, s);
    tl_free(ctx, x);
    tl_free(ctx, rows.row);
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
    for (int skip = 0; skip < 2; skip++) {
        const tl_dataset_source source = { .train = path, .skip_bad = skip };
        if (tl_dataset_open(&ctx, &source, &d) == TL_OK) use(&ctx, d);
        tl_dataset_close(&ctx, d);
    }
    if (world.now_bytes) abort();
    return 0;
}
