/* writing.c -- how language models write: settings of a context, and a writer ready to go.  Floor
 * 4.5, api. */
#include "api/handles.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TOKENS = 256, MOST_PLACES = 4096 };

int tailor_model_writes(const tailor_model *model)
{
    return model->model->arch.family->text && model->model->arch.ask == TL_ASK_NEXT;
}

void tl_api_writing_free(tailor *t)
{
    for (size_t i = 0; t->writing.stop && t->writing.stop[i]; i++)
        tl_free(&t->ctx, t->writing.stop[i]);
    tl_free(&t->ctx, t->writing.stop);
    t->writing = (tl_telling){ 0 };
    t->context = 0;
}

static tl_status copy_stops(tl_ctx *ctx, const char *const *stop, const char *const **out)
{
    size_t    count = 0;
    char    **list  = NULL;
    tl_status rc;

    while (stop[count]) count++;
    TL_TRY(tl_alloc_array(ctx, count + 1, sizeof *list, &list));
    for (size_t i = 0; i < count; i++) TL_TRY(tl_strdup(ctx, stop[i], &list[i]));
    *out = (const char *const *)list;
    list = NULL;
done:
    for (size_t i = 0; list && list[i]; i++) tl_free(ctx, list[i]);
    tl_free(ctx, list);
    return rc;
}

tailor_status tailor_set_writing(tailor *t, const tailor_writing *w)
{
    tl_ctx    *ctx = tl_api_begin(t);
    tl_telling how = { 0 };
    tl_status  rc  = TL_OK;

    tl_api_writing_free(t);
    if (!w) goto done;
    how = (tl_telling){ .sampling = { .temperature = w->temperature,
                                      .top_k       = w->top_k,
                                      .top_p       = w->top_p,
                                      .min_p       = w->min_p,
                                      .repetition  = w->repetition_penalty,
                                      .seed        = w->seed },
                        .most     = w->max_tokens };
    TL_TRY(tl_sampling_check(ctx, &how.sampling));
    if (w->max_tokens < 0 || w->context < 0)
        TL_FAIL(TL_EUSAGE, "tailor_set_writing", "a number of tokens is negative (0: the default)");
    if (w->stop) TL_TRY(copy_stops(ctx, w->stop, &how.stop));
    t->writing = how;
    t->context = w->context;
done:
    return tl_api_status(rc);
}

tl_telling tl_api_telling(const tailor *t)
{
    tl_telling how = t->writing;

    if (how.most == 0) how.most = MOST_TOKENS;
    return how;
}

tl_status tl_api_writer(tailor *t, const tl_model *model, tl_writer **out)
{
    const int64_t  places = t->context ? t->context : MOST_PLACES;
    const tl_dtype dtype  = strcmp(t->precision, "bf16") == 0 ? TL_BF16 : TL_F32;

    return tl_writer_new(&t->ctx, model, places, tl_api_backend(), dtype, out);
}
