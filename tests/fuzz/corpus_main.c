/* corpus_main.c -- runs a fuzz target over its kept corpus where libFuzzer is absent:
 * every file whole, every small file cut at every byte and with every byte changed in
 * turn. fuzz-NAME FOLDER... */
#include "core/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { SMALL = 4096, FILE_MOST = 64 << 20 };

/* A copy of exactly `bytes`, so that the address sanitizer sees a read behind them. */
static void run_copy(const uint8_t *data, size_t bytes, size_t at, uint8_t change)
{
    uint8_t *copy = malloc(bytes ? bytes : 1);

    if (!copy) exit(1);
    memcpy(copy, data, bytes);
    if (change) copy[at] ^= change;
    LLVMFuzzerTestOneInput(copy, bytes);
    free(copy);
}

static void run_file(const uint8_t *data, size_t bytes)
{
    static const uint8_t changes[] = { 0x01, 0x80, 0xff };

    run_copy(data, bytes, 0, 0);
    if (bytes > SMALL) return;
    for (size_t cut = 0; cut < bytes; cut++) {
        run_copy(data, cut, 0, 0);
        for (size_t i = 0; i < sizeof changes; i++)
            run_copy(data, bytes, cut, changes[i]);
    }
}

static bool run_one(tl_ctx *ctx, const char *folder, const char *name, int number)
{
    char     *path = NULL;
    uint8_t  *data = NULL;
    size_t    bytes;
    tl_status rc;

    TL_TRY(tl_path_join(ctx, folder, name, &path));
    TL_TRY(tl_file_read(ctx, path, FILE_MOST, &data, &bytes));
    run_file(data, bytes);
done:
    printf("%s %d - %s %s\n", rc == TL_OK ? "ok" : "not ok", number, name,
           rc == TL_OK ? "" : ctx->message);
    fflush(stdout);
    tl_free(ctx, path);
    tl_free(ctx, data);
    return rc == TL_OK;
}

int main(int count, char **folder)
{
    tl_world world;
    tl_ctx   ctx;
    int      ran = 0, failed = 0;

    tl_world_init(&world);
    ctx = tl_ctx_make(&world);
    for (int i = 1; i < count; i++) {
        tl_names names;
        if (tl_folder_list(&ctx, folder[i], &names) != TL_OK) {
            printf("not ok %d - %s\n", ++ran, ctx.message);
            failed++;
        }
        for (size_t k = 0; k < names.count; k++)
            failed += !run_one(&ctx, folder[i], names.name[k], ++ran);
        tl_names_free(&ctx, &names);
    }
    return ran > 0 && failed == 0 ? 0 : 1;
}
