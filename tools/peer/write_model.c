/* write_model.c -- writes a model whose every value was drawn at random, an input and the
 * logits Tailor gives it, for tools/peer/torchvision_loads.py.
 *   peer-write-model ARCH FOLDER */
#include "bundle/model.h"
#include "core/io.h"
#include "core/rand.h"

#include <stdio.h>

enum { ROWS = 2, CLASSES = 7, SIDE = 96, SEED = 5 };

/* Norms get statistics of their own too, so that each tensor matters. */
static void draw_norms(tl_params *params)
{
    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p     = &params->param[i];
        float          *value = tl_params_value(params, p);
        if (p->role == TL_ROLE_WEIGHT) continue;
        for (int64_t k = 0; k < p->count; k++)
            value[k] += 0.4f * (float)tl_rand_uniform(SEED, (uint64_t)i, (uint64_t)k);
    }
}

static tl_status write_all(tl_ctx *ctx, const char *arch_text, const char *folder)
{
    const int64_t floats = ROWS * SIDE * SIDE * 3;
    tl_arch       arch   = { 0 };
    tl_prep       prep;
    tl_model     *m      = NULL;
    tl_predictor *p      = NULL;
    float        *x      = NULL, y[ROWS * CLASSES];
    char         *x_path = NULL, *y_path = NULL;
    tl_status     rc;

    TL_TRY(tl_arch_parse(ctx, arch_text, TL_SHAPE(SIDE, SIDE, 3), CLASSES, &arch));
    TL_TRY(tl_model_default_prep(ctx, &arch, &prep));
    TL_TRY(tl_model_new(ctx, &arch, &prep, NULL, SEED, &m));
    draw_norms(m->params);
    TL_TRY(tl_model_save(ctx, m, NULL, folder));
    TL_TRY(tl_alloc_array(ctx, (size_t)floats, sizeof *x, &x));
    for (int64_t i = 0; i < floats; i++)
        x[i] = 2.0f * (float)tl_rand_uniform(SEED, 1000, (uint64_t)i) - 1.0f;
    TL_TRY(
        tl_predictor_new(ctx, m, TL_PART_WHOLE, ROWS, &tl_backend_ref, NULL, TL_F32, &p));
    TL_TRY(tl_predictor_run(ctx, p, x, ROWS, y));
    TL_TRY(tl_path_join(ctx, folder, "x.f32", &x_path));
    TL_TRY(tl_path_join(ctx, folder, "logits.f32", &y_path));
    TL_TRY(tl_file_write(ctx, x_path, x, (size_t)floats * sizeof *x));
    TL_TRY(tl_file_write(ctx, y_path, y, sizeof y));
done:
    tl_free(ctx, x_path);
    tl_free(ctx, y_path);
    tl_free(ctx, x);
    tl_predictor_free(ctx, p);
    tl_model_free(ctx, m);
    tl_arch_free(ctx, &arch);
    return rc;
}

int main(int count, char **word)
{
    tl_world world;
    tl_ctx   ctx;

    tl_world_init(&world);
    ctx = tl_ctx_make(&world);
    if (count != 3) {
        fprintf(stderr, "usage: peer-write-model ARCH FOLDER\n");
        return 2;
    }
    if (write_all(&ctx, word[1], word[2]) == TL_OK) return 0;
    fprintf(stderr, "peer-write-model: %s\n", ctx.message);
    return tl_status_exit(ctx.status);
}
