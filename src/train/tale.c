/* tale.c -- what a model of next words writes as it learns: the beginning of a validation row,
 * continued.  Drawn by the run's seed, so that a run gone on with writes the same.  Floor 3,
 * train. */
#include "bundle/tell.h"
#include "core/text.h"
#include "train/trainer.h"

enum { GIVEN = 16, WRITTEN = 48, LEAST_PLACES = 24 }; /* tokens */

static tl_status begin(tl_ctx *ctx, const tl_trainer *t, tl_text *out)
{
    const int32_t *id;
    const float   *value;
    const int64_t  n = tl_cache_ids(t->spec.cache, t->spec.valid.row[0], &id, &value);

    return tl_decode(ctx, t->model->prep.text->tokenizer, id, TL_MIN(n, (int64_t)GIVEN), true,
                     out);
}

static tl_status add(tl_ctx *ctx, tl_trainer *t, const char *prompt, const char *told)
{
    json_t *one = json_pack("{s:I, s:o, s:o}", "step", (json_int_t)(t->at.earlier_steps +
                                                                    t->at.step),
                            "prompt", tl_json_name(prompt), "text", tl_json_name(told));

    if (!t->tales) t->tales = json_array();
    if (one && json_array_append_new(t->tales, one) == 0) return TL_OK;
    return tl_fail(ctx, TL_ENOMEM, "train", "no room for what the model writes (free memory)");
}

tl_status tl_trainer_tale(tl_ctx *ctx, tl_trainer *t)
{
    const tl_telling how    = { .sampling = { .temperature = 0.8, .seed = t->spec.seed },
                                .most     = WRITTEN };
    tl_text          prompt = tl_text_make(ctx);
    tl_writer       *w      = NULL;
    tl_told          told   = { 0 };
    tl_status        rc     = TL_OK;

    if (!t->spec.dataset->task->words || t->spec.aside || t->model->arch.ask != TL_ASK_NEXT ||
        t->model->arch.row.dim[0] < LEAST_PLACES)
        goto done;
    TL_TRY(begin(ctx, t, &prompt));
    if (!prompt.text || !*prompt.text) goto done;
    TL_TRY(tl_writer_new(ctx, t->model, TL_MIN(t->model->arch.row.dim[0],
                                               (int64_t)(4 * GIVEN + WRITTEN)),
                         t->spec.backend, t->spec.dtype, &w));
    TL_TRY(tl_tell(ctx, w, t->model, (tl_string){ prompt.text, prompt.bytes }, &how, NULL, &told));
    rc = add(ctx, t, prompt.text, told.text ? told.text : "");
done:
    tl_free(ctx, told.text);
    tl_writer_free(ctx, w);
    tl_text_free(&prompt);
    return rc;
}
