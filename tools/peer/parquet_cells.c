/* parquet_cells.c -- a Parquet file as Tailor reads it, as JSON: for parquet_cells.py. */
#include "data/parquet/parquet.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *cells_of(const tl_sheet *g)
{
    json_t *names = json_array(), *rows = json_array();

    for (int64_t c = 0; c < g->columns; c++) json_array_append_new(names, json_string(g->name[c]));
    for (int64_t r = 0; r < g->rows; r++) {
        json_t *row = json_array();
        for (int64_t c = 0; c < g->columns; c++) {
            const char *cell = tl_sheet_cell(g, r, c);
            json_array_append_new(row, cell == g->text ? json_null() : json_string(cell));
        }
        json_array_append_new(rows, row);
    }
    return json_pack("{s:o, s:o}", "columns", names, "rows", rows);
}

int main(int argc, char **argv)
{
    tl_world world;
    tl_ctx   ctx;
    tl_sheet g;
    json_t  *cells;

    if (argc != 2) return 2;
    tl_world_init(&world);
    ctx = tl_ctx_make(&world);
    if (tl_sheet_read(&ctx, argv[1], (size_t)1 << 32, NULL, NULL, &g) != TL_OK) {
        fprintf(stderr, "%s\n", ctx.message);
        return 3;
    }
    cells = cells_of(&g);
    json_dumpf(cells, stdout, JSON_COMPACT);
    json_decref(cells);
    tl_sheet_free(&ctx, &g);
    return 0;
}
