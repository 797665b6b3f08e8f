/* fuzz_tokenizer.h -- a tokenizer file of any kind under its name, opened, and a few texts
 * through it there and back. */
#ifndef TESTS_FUZZ_TOKENIZER_H
#define TESTS_FUZZ_TOKENIZER_H
#include "core/io.h"
#include "data/tokenizer/tokenizer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char fuzz_folder[256];

static void fuzz_remove_folder(void)
{
    tl_world world;
    tl_ctx   ctx;

    tl_world_init(&world);
    ctx = tl_ctx_make(&world);
    tl_remove_tree(&ctx, fuzz_folder);
}

static void fuzz_write(const char *name, const void *data, size_t bytes, char path[300])
{
    const char *top = getenv("TMPDIR");
    int         fd;

    if (!*fuzz_folder) {
        snprintf(fuzz_folder, sizeof fuzz_folder, "%.200s/tailor-fuzz-XXXXXX",
                 top ? top : "/tmp");
        if (!mkdtemp(fuzz_folder)) abort();
        atexit(fuzz_remove_folder);
    }
    snprintf(path, 300, "%.255s/%s", fuzz_folder, name);
    unlink(path); /* cutting a file to nothing and writing it again waits for the disk */
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes) abort();
    close(fd);
}

/* Spans lie within their text, ids within the vocabulary. */
static void fuzz_check(const tl_tokenizer *t, const tl_tokens *tokens, size_t bytes)
{
    for (int64_t i = 0; i < tokens->count; i++) {
        const tl_extent s = tokens->span[i];
        if (s.from > s.to || s.to > bytes) abort();
        if (tokens->id[i] < 0 || tokens->id[i] >= tl_tokenizer_size(t)) abort();
    }
}

static void fuzz_encode(tl_ctx *ctx, const tl_tokenizer *t)
{
    static const char *const text[] = {
        "Hello World, 12 o'clock! <s>[MASK] abab ", "",
        "\xc3\xa9 \xe4\xb8\xad\xe2\x96\x81\xf0\x9f\x98\x80 e\xcc\x81 \xff\xc3"
    };
    const tl_encode_options options = { 0 };
    tl_encoder             *e       = NULL;
    tl_tokens               tokens  = { 0 };

    if (tl_encoder_open(ctx, t, &e) != TL_OK) return;
    for (size_t i = 0; i < TL_COUNT(text); i++) {
        const tl_string a = { text[i], strlen(text[i]) }, none = { NULL, 0 };
        tl_text        out = tl_text_make(ctx);
        if (tl_encode(ctx, e, a, i == 2 ? a : none, options, &tokens) == TL_OK) {
            fuzz_check(t, &tokens, a.bytes);
            tl_decode(ctx, t, tokens.id, tokens.count, i == 1, &out);
        }
        tl_text_free(&out);
    }
    tl_tokens_free(ctx, &tokens);
    tl_encoder_close(ctx, e);
}

static int fuzz_tokenizer(const char *name, const uint8_t *data, size_t bytes)
{
    tl_world      world;
    tl_ctx        ctx;
    tl_tokenizer *t;
    char          path[300];

    tl_world_init(&world);
    world.limit_bytes = (size_t)256 << 20;
    world.threads     = 1;
    ctx               = tl_ctx_make(&world);
    fuzz_write(name, data, bytes, path);
    if (tl_tokenizer_open(&ctx, path, &t) == TL_OK) {
        fuzz_encode(&ctx, t);
        tl_tokenizer_close(&ctx, t);
    }
    if (world.now_bytes) abort();
    return 0;
}
#endif
