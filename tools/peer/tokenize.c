/* tokenize.c -- what tools/peer/tokenizers.py holds against the package `tokenizers`:
 *   peer-tokenize TOKENIZER TEXTS ids OUT      ids, spans and texts decoded again
 *   peer-tokenize TOKENIZER TEXTS time REPEATS THREADS   seconds of the fastest repeat
 * TEXTS holds texts ended by zero bytes; OUT per text: i64 count, ids i32, spans u32 pairs, i64
 * bytes and the decoded text. */
#include "core/io.h"
#include "data/tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    uint8_t  *data;
    tl_string *text;
    int64_t   count;
    size_t    bytes;
} texts;

static tl_status read_texts(tl_ctx *ctx, const char *path, texts *t)
{
    size_t    bytes, at = 0;
    tl_status rc;

    TL_TRY(tl_file_read(ctx, path, (size_t)1 << 30, &t->data, &bytes));
    TL_TRY(tl_alloc_array(ctx, bytes + 1, sizeof *t->text, &t->text));
    while (at < bytes) {
        const size_t n      = strlen((char *)t->data + at);
        t->text[t->count++] = (tl_string){ (char *)t->data + at, n };
        t->bytes += n;
        at += n + 1;
    }
done:
    return rc;
}

static tl_status write_ids(tl_ctx *ctx, const tl_tokenizer *t, const texts *in,
                           const char *path)
{
    const tl_encode_options options = { .most = TL_UNCUT };
    tl_token_batch          batch   = { 0 };
    tl_text                 text    = tl_text_make(ctx);
    FILE                   *out     = fopen(path, "wb");
    tl_status               rc;

    if (!out) TL_FAIL(TL_EIO, path, "cannot be written (name another)");
    TL_TRY(tl_encode_batch(ctx, t, in->text, NULL, in->count, options, &batch));
    for (int64_t i = 0; i < in->count; i++) {
        const int64_t at = batch.start[i], n = batch.start[i + 1] - at;
        int64_t       bytes;
        text.bytes = 0;
        TL_TRY(tl_decode(ctx, t, batch.all.id + at, n, false, &text));
        bytes = (int64_t)text.bytes;
        fwrite(&n, sizeof n, 1, out);
        fwrite(batch.all.id + at, sizeof *batch.all.id, (size_t)n, out);
        fwrite(batch.all.span + at, sizeof *batch.all.span, (size_t)n, out);
        fwrite(&bytes, sizeof bytes, 1, out);
        if (bytes) fwrite(text.text, 1, text.bytes, out);
    }
done:
    if (out) fclose(out);
    tl_text_free(&text);
    tl_token_batch_free(ctx, &batch);
    return rc;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static tl_status time_it(tl_ctx *ctx, const tl_tokenizer *t, const texts *in, int repeats)
{
    const tl_encode_options options = { .most = TL_UNCUT };
    double                  best    = 1e30;
    int64_t                 tokens  = 0;
    tl_status               rc      = TL_OK;

    for (int i = 0; i < repeats; i++) {
        tl_token_batch batch;
        const double   start = now();
        TL_TRY(tl_encode_batch(ctx, t, in->text, NULL, in->count, options, &batch));
        best   = TL_MIN(best, now() - start);
        tokens = batch.all.count;
        tl_token_batch_free(ctx, &batch);
    }
    printf("%.6f %zu %" PRId64 "\n", best, in->bytes, tokens);
done:
    return rc;
}

int main(int count, char **arg)
{
    tl_world      world;
    tl_ctx        c;
    tl_ctx *const ctx = &c;
    tl_tokenizer *t   = NULL;
    texts         in  = { 0 };
    tl_status     rc;

    tl_world_init(&world);
    c = tl_ctx_make(&world);
    if (count < 5) return 2;
    if (strcmp(arg[3], "time") == 0 && count > 5) world.threads = atoi(arg[5]);
    TL_TRY(tl_tokenizer_open(ctx, arg[1], &t));
    TL_TRY(read_texts(ctx, arg[2], &in));
    if (strcmp(arg[3], "time") == 0)
        TL_TRY(time_it(ctx, t, &in, atoi(arg[4])));
    else
        TL_TRY(write_ids(ctx, t, &in, arg[4]));
done:
    if (rc != TL_OK) fprintf(stderr, "%s\n", c.message);
    tl_free(ctx, in.data);
    tl_free(ctx, in.text);
    tl_tokenizer_close(ctx, t);
    return rc == TL_OK ? 0 : 1;
}
