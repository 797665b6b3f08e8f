/* main.c -- writes the project's own pictures: stroke-drawn digits or letters, as IDX files or as
 * class folders of PNG.  For tests, and for the command that made the demo's base.
 *     tailor-strokes digits|letters SEED TRAIN TEST FOLDER [png] */
#include "core/io.h"
#include "core/text.h"
#include "data/image.h"
#include "data/strokes.h"

#include <stdio.h>
#include <string.h>

static tl_status write_png(tl_ctx *ctx, tl_glyphs glyphs, uint64_t seed, int64_t index,
                           const char *folder)
{
    const int label   = (int)(index % tl_strokes_classes(glyphs));
    uint8_t   cells[TL_STROKES_SIZE * TL_STROKES_SIZE], *png = NULL;
    tl_image  image = { TL_STROKES_SIZE, TL_STROKES_SIZE, 1, cells };
    tl_text   path  = tl_text_make(ctx);
    size_t    bytes;
    tl_status rc;

    tl_strokes_draw(glyphs, label, seed, index, cells);
    tl_text_printf(&path, "%s/%c", folder, (glyphs == TL_DIGITS ? '0' : 'a') + label);
    TL_TRY(path.status);
    TL_TRY(tl_make_folders(ctx, path.text));
    tl_text_printf(&path, "/%06" PRId64 ".png", index);
    TL_TRY(path.status);
    TL_TRY(tl_image_write_png(ctx, &image, &png, &bytes));
    TL_TRY(tl_file_write(ctx, path.text, png, bytes));
done:
    tl_free(ctx, png);
    tl_text_free(&path);
    return rc;
}

static tl_status write_part(tl_ctx *ctx, tl_glyphs glyphs, uint64_t seed, int64_t first,
                            int64_t count, const char *folder, const char *part)
{
    char     *path = NULL;
    tl_status rc;

    TL_TRY(tl_path_join(ctx, folder, part, &path));
    for (int64_t i = first; i < first + count; i++)
        TL_TRY(write_png(ctx, glyphs, seed, i, path));
done:
    tl_free(ctx, path);
    return rc;
}

static tl_status run(tl_ctx *ctx, int argc, char **argv)
{
    int64_t   seed, train, test;
    tl_glyphs glyphs;
    tl_status rc;

    if (argc < 6 || !tl_parse_int(argv[2], &seed) || !tl_parse_int(argv[3], &train) ||
        !tl_parse_int(argv[4], &test))
        return tl_fail(ctx, TL_EUSAGE, "usage", "digits|letters SEED TRAIN TEST FOLDER [png]");
    glyphs = strcmp(argv[1], "letters") == 0 ? TL_LETTERS : TL_DIGITS;
    if (argc < 7) return tl_strokes_write(ctx, glyphs, (uint64_t)seed, train, test, argv[5]);
    TL_TRY(write_part(ctx, glyphs, (uint64_t)seed, 0, train, argv[5], "train"));
    TL_TRY(write_part(ctx, glyphs, (uint64_t)seed, train, test, argv[5], "test"));
done:
    return rc;
}

int main(int argc, char **argv)
{
    tl_world  world;
    tl_ctx    ctx;
    tl_status rc;

    tl_world_init(&world);
    ctx = tl_ctx_make(&world);
    rc  = run(&ctx, argc, argv);
    if (rc != TL_OK) fprintf(stderr, "tailor-strokes: %s\n", ctx.message);
    return tl_status_exit(rc);
}
