/* talks.c -- fuzz target: files of conversations, as lines and as a list; and what of each the
 * assistant said. */
#include "data/chat/talks.h"
#include "data/part.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static char path[2][300];

static void remove_files(void)
{
    for (int k = 0; k < 2; k++) unlink(path[k]);
}

static void write_file(const char *to, const void *data, size_t bytes)
{
    const int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes) abort();
    close(fd);
}

static void name_files(void)
{
    const char *top = getenv("TMPDIR");

    if (*path[0]) return;
    for (int k = 0; k < 2; k++)
        snprintf(path[k], sizeof path[k], "%.200s/tailor-fuzz-talks-%ld.json%s",
                 top ? top : "/tmp", (long)getpid(), k ? "l" : "");
    atexit(remove_files);
}

static const char form[] = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
                           "{% if add_generation_prompt %}<assistant>{% endif %}";

static void use(tl_ctx *ctx, const tl_talks *t)
{
    tl_chat_form f = { .tokens = json_object() };

    if (tl_template_parse(ctx, "fuzz", form, sizeof form - 1, &f.tmpl) != TL_OK) abort();
    for (int64_t i = 0; i < t->count; i++) {
        tl_rendered   whole;
        tl_text_span *span;
        size_t        count;
        if (!json_is_array(t->talk[i]) || json_array_size(t->talk[i]) < 2) abort();
        if (tl_chat_form_render(ctx, &f, t->talk[i], false, false, &whole) != TL_OK) continue;
        if (tl_talk_spans(ctx, &f, t->talk[i], &whole, &span, &count) == TL_OK)
            for (size_t k = 0; k < count; k++)
                if (span[k].from > span[k].to || span[k].to > whole.bytes) abort();
        tl_free(ctx, span);
        tl_rendered_free(ctx, &whole);
    }
    tl_template_free(ctx, f.tmpl);
    json_decref(f.tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    tl_world world;
    tl_ctx   ctx;
    tl_talks t;
    bool     is;

    tl_world_init(&world);
    world.limit_bytes = (size_t)64 << 20;
    ctx               = tl_ctx_make(&world);
    name_files();
    for (int k = 0; k < 2; k++) {
        tl_bad bad = { 0 };
        write_file(path[k], data, bytes);
        (void)tl_talks_in(&ctx, path[k], &is);
        if (tl_talks_read(&ctx, path[k], (size_t)1 << 20, &bad, &t) == TL_OK) use(&ctx, &t);
        tl_talks_free(&ctx, &t);
        tl_bad_free(&bad);
    }
    if (world.now_bytes) abort();
    return 0;
}
