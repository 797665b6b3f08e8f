/* demo.c -- the demo's files: pictures and base, all made by the project.  Floor 4.5, api. */
#include "api/handles.h"
#include "core/io.h"
#include "data/strokes.h"

tailor_status tailor_demo_files(tailor *t, const char *folder, uint64_t seed)
{
    enum { TRAIN = 6000, TEST = 1000 };
    tl_ctx   *ctx    = tl_api_begin(t);
    char     *digits = NULL;
    tl_status rc;

    TL_TRY(tl_make_folders(ctx, folder));
    TL_TRY(tl_path_join(ctx, folder, "digits", &digits));
    TL_TRY(tl_strokes_write(ctx, TL_DIGITS, seed, TRAIN, TEST, digits));
done:
    tl_free(ctx, digits);
    return tl_api_status(rc);
}
