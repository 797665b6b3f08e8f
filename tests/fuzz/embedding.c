/* embedding.c -- fuzz target: the files of a sentence-transformers directory.  The input's first
 * line is modules.json, its second 1_Pooling/config.json, the rest sentence_bert_config.json; an
 * empty one is not there.  What is accepted is a way to embed, and a pooling that is named takes
 * the place of modules.json. */
#include "bundle/embed.h"
#include "model/pooled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static char folder[64];

static void put(const char *name, const uint8_t *data, size_t bytes)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    remove(path);
    if (bytes == 0) return;
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f) != 0) abort();
}

static void end(void)
{
    char pooling[80];

    put("modules.json", NULL, 0);
    put("1_Pooling/config.json", NULL, 0);
    put("sentence_bert_config.json", NULL, 0);
    snprintf(pooling, sizeof pooling, "%s/1_Pooling", folder);
    remove(pooling);
    remove(folder);
}

static void begin(void)
{
    char pooling[80];

    snprintf(folder, sizeof folder, "/tmp/fuzz-embedding-XXXXXX");
    if (!mkdtemp(folder)) abort();
    snprintf(pooling, sizeof pooling, "%s/1_Pooling", folder);
    if (mkdir(pooling, 0700) != 0) abort();
    atexit(end);
}

/* A line without its end. */
static const uint8_t *cut(const uint8_t **data, size_t *bytes, size_t *line)
{
    const uint8_t *start = *data, *stop = *bytes ? memchr(start, '\n', *bytes) : NULL;

    *line = stop ? (size_t)(stop - start) : *bytes;
    *data += *line + (stop != NULL);
    *bytes -= *line + (stop != NULL);
    return start;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    tl_world       world;
    tl_ctx         ctx;
    tl_model       model = { .path = folder };
    tl_embed_how   how, named;
    size_t         line;
    const uint8_t *text;

    if (!*folder) begin();
    text = cut(&data, &bytes, &line);
    put("modules.json", text, line);
    text = cut(&data, &bytes, &line);
    put("1_Pooling/config.json", text, line);
    put("sentence_bert_config.json", data, bytes);
    tl_world_init(&world);
    ctx = tl_ctx_make(&world);
    const tl_status rc = tl_embedding_of(&ctx, &model, NULL, &how);
    if (rc != TL_OK && rc != TL_EDATA) abort();
    if (rc == TL_OK && (how.most < 0 || !tl_pooling_name(how.pool))) abort();
    const tl_status also = tl_embedding_of(&ctx, &model, "cls", &named);
    if (rc == TL_OK && (also != TL_OK || named.pool != TL_POOL_FIRST || named.normalise ||
                        named.most != how.most))
        abort();
    if (world.now_bytes != 0) abort();
    return 0;
}
