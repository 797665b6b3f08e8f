/* embed.c -- tailor_embed: texts as vectors.  Floor 4.5, api. */
#include "api/predict.h"

#include <string.h>

/* `list`: paths, or texts as they are. */
static tl_status embed(tailor *t, const tl_model *m, const tailor_embedding *how, bool paths,
                       const char *const *list, size_t count, const tl_each_line *each)
{
    const bool   bf  = strcmp(t->precision, "bf16") == 0;
    tl_ctx      *ctx = tl_api_begin(t);
    tl_asker     a   = { 0 };
    tl_embed_how asked;
    tl_status    rc;

    TL_TRY(tl_embedding_of(ctx, m, how ? how->pooling : NULL, &asked));
    asked.normalise |= how && how->normalize;
    TL_TRY(tl_embedder_new(ctx, m, &asked, tl_api_backend(), bf ? TL_BF16 : TL_F32,
                           &a.embedder));
    TL_TRY(paths ? tl_predict_texts(ctx, &a, m, tl_api_cache_bytes(t), list, count, each)
                 : tl_predict_given(ctx, &a, m, list, count, each));
    if (a.bad)
        TL_FAIL(TL_EDATA, "predict", "some texts could not be read (see their \"error\")");
done:
    tl_embedder_free(ctx, &a.embedder);
    return rc;
}

tailor_status tailor_embed(tailor *t, const tailor_model *model, const tailor_embedding *how,
                           const char *const *path, size_t paths,
                           int (*each)(void *user, const tailor_vector *row), void *user)
{
    const tl_each_line rows = { .vector = each, .user = user };

    return tl_api_status(embed(t, model->model, how, true, path, paths, &rows));
}

tailor_status tailor_embed_text(tailor *t, const tailor_model *model,
                                const tailor_embedding *how, const char *const *text,
                                size_t count,
                                int (*each)(void *user, const tailor_vector *row), void *user)
{
    const tl_each_line rows = { .vector = each, .user = user };

    return tl_api_status(embed(t, model->model, how, false, text, count, &rows));
}
