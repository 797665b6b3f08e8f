/* demo.c -- the demo's files: pictures and base, all made by the project.  The base was trained
 * on letters by tools/demo-base/make and is carried in the program.  Floor 4.5, api. */
#include "api/handles.h"
#include "core/io.h"
#include "data/strokes.h"

#define ASSET(id)                                  \
    extern const unsigned char tl_asset_##id[];    \
    extern const size_t        tl_asset_##id##_bytes;
ASSET(demo_base_config_json)
ASSET(demo_base_preprocessor_config_json)
ASSET(demo_base_tailor_json)
ASSET(demo_base_model_safetensors)

static tl_status write_base(tl_ctx *ctx, const char *folder)
{
#define FILE_OF(id, name) { name, tl_asset_##id, &tl_asset_##id##_bytes }
    static const struct { const char *name; const unsigned char *data; const size_t *bytes; }
    files[] = {
        FILE_OF(demo_base_config_json, "config.json"),
        FILE_OF(demo_base_model_safetensors, "model.safetensors"),
        FILE_OF(demo_base_preprocessor_config_json, "preprocessor_config.json"),
        FILE_OF(demo_base_tailor_json, "tailor.json"),
    };
    char     *path = NULL;
    tl_status rc;

    TL_TRY(tl_make_folders(ctx, folder));
    for (size_t i = 0; i < TL_COUNT(files); i++) {
        TL_TRY(tl_path_join(ctx, folder, files[i].name, &path));
        TL_TRY(tl_file_write(ctx, path, files[i].data, *files[i].bytes));
        tl_free(ctx, path);
        path = NULL;
    }
done:
    tl_free(ctx, path);
    return rc;
}

tailor_status tailor_demo_files(tailor *t, const char *folder, uint64_t seed)
{
    enum { TRAIN = 6000, TEST = 2000 };
    tl_ctx   *ctx    = tl_api_begin(t);
    char     *digits = NULL, *letters = NULL;
    tl_status rc;

    TL_TRY(tl_make_folders(ctx, folder));
    TL_TRY(tl_path_join(ctx, folder, "digits", &digits));
    TL_TRY(tl_path_join(ctx, folder, "letters", &letters));
    TL_TRY(tl_strokes_write(ctx, TL_DIGITS, seed, TRAIN, TEST, digits));
    TL_TRY(write_base(ctx, letters));
done:
    tl_free(ctx, digits);
    tl_free(ctx, letters);
    return tl_api_status(rc);
}
