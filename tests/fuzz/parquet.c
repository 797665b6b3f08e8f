/* parquet.c -- fuzz target: a Parquet file's bytes as a sheet. */
#include "data/parquet/parquet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Every cell ends within the sheet's text. */
static void use(const tl_sheet *g)
{
    size_t all = 0;

    for (int64_t r = 0; r < g->rows; r++)
        for (int64_t c = 0; c < g->columns; c++) all += strlen(tl_sheet_cell(g, r, c));
    if (*g->text || (all && g->rows < 1)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    tl_world world;
    tl_ctx   ctx;
    tl_sheet g;

    tl_world_init(&world);
    world.limit_bytes = (size_t)64 << 20;
    world.threads     = 1;
    ctx               = tl_ctx_make(&world);
    if (tl_parquet_of_bytes(&ctx, "in.parquet", data, bytes, (size_t)1 << 20, &g) == TL_OK) use(&g);
    else if (!strchr(ctx.message, '(') || strchr(ctx.message, '\n')) abort(); /* no remedy */
    tl_sheet_free(&ctx, &g);
    if (world.now_bytes) abort();
    return 0;
}
