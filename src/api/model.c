/* model.c -- model handles: opened, made for data, saved, described.  Floor 4.5, api. */
#include "api/handles.h"
#include "train/texts.h"
#include "train/words.h"

#include <stdio.h>
#include <string.h>

static tl_status wrap(tl_ctx *ctx, tl_model *model, bool fresh, tailor_model **out)
{
    tl_status rc = tl_alloc(ctx, sizeof **out, out);

    if (rc == TL_OK) **out = (tailor_model){ model, fresh };
    else tl_model_free(ctx, model);
    return rc;
}

tailor_status tailor_model_open(tailor *t, const char *path, const char *arch,
                                tailor_model **out)
{
    tl_ctx   *ctx   = tl_api_begin(t);
    tl_model *model = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(tl_model_open(ctx, path, arch, &model));
    TL_TRY(wrap(ctx, model, false, out));
done:
    return tl_api_status(rc);
}

/* Small pictures of one size go in as they are; others are brought to one size. */
static tl_shape row_for_data(const tl_dataset *d)
{
    enum { SIDE = 96 };
    if (d->schema) return TL_SHAPE(d->schema->width);
    const bool as_is = d->one_size && d->height <= SIDE && d->width <= SIDE;

    return as_is ? TL_SHAPE(d->height, d->width, d->channels)
                 : TL_SHAPE(SIDE, SIDE, d->channels);
}

static tl_prep prep_for_data(const tl_arch *arch, const tl_dataset *d)
{
    tl_prep prep = { .table = d->schema };

    if (d->schema) return prep;
    if (!tl_prep_named(tl_arch_prep(arch), &prep)) tl_prep_named("unit", &prep);
    prep.height       = arch->row.dim[0];
    prep.width        = arch->row.dim[1];
    prep.channels     = arch->row.dim[2];
    prep.resize_short = 0;
    prep.crop         = false;
    return prep;
}

tailor_status tailor_model_new(tailor *t, const char *arch, const tailor_data *data,
                               uint64_t seed,
                               tailor_model **out)
{
    tl_ctx           *ctx      = tl_api_begin(t);
    const tl_dataset *d        = data->set;
    tl_arch           resolved = { 0 };
    tl_model         *model    = NULL;
    tl_texter        *texter   = NULL;
    tl_prep           prep;
    tl_status         rc;

    *out = NULL;
    if (d->task->words)
        TL_FAIL(TL_EUSAGE, d->path, "is learnt by language models (give a base; of plain text "
                "tailor_language_model_new makes one)");
    if (!arch && !d->text)
        TL_FAIL(TL_EUSAGE, "tailor_model_new", "no network is named (try resnet20, or mlp)");
    if (d->text) {
        TL_TRY(tl_scratch_text(ctx, d, arch, &resolved, &prep, &texter));
    } else {
        TL_TRY(d->schema ? tl_table_network(ctx, d->schema, arch, d->classes, &resolved)
                         : tl_arch_parse(ctx, arch, row_for_data(d), d->classes, &resolved));
        prep = prep_for_data(&resolved, d);
    }
    TL_TRY(tl_model_new(ctx, &resolved, &prep, d->class_name, seed, &model));
    TL_TRY(wrap(ctx, model, true, out));
done:
    tl_texter_drop(ctx, texter);
    tl_arch_free(ctx, &resolved);
    return tl_api_status(rc);
}

tailor_status tailor_language_model_new(tailor *t, const char *arch, const tailor_data *corpus,
                                        const tailor_language_options *options, uint64_t seed,
                                        tailor_model **out)
{
    const tailor_language_options o   = options ? *options : (tailor_language_options){ 0 };
    const tl_words_ask            ask = { o.tokenizer, o.vocab, o.block };
    tl_ctx                       *ctx = tl_api_begin(t);
    tl_arch                       resolved = { 0 };
    tl_model                     *model    = NULL;
    tl_texter                    *texter   = NULL;
    tl_prep                       prep;
    tl_status                     rc;

    *out = NULL;
    if (!tl_corpus_is(corpus->set))
        TL_FAIL(TL_EUSAGE, corpus->set->path, "is no corpus (open it by tailor_corpus_open)");
    TL_TRY(tl_scratch_words(ctx, corpus->set, arch, &ask, &resolved, &prep, &texter));
    TL_TRY(tl_model_new(ctx, &resolved, &prep, NULL, seed, &model));
    TL_TRY(wrap(ctx, model, true, out));
done:
    tl_texter_drop(ctx, texter);
    tl_arch_free(ctx, &resolved);
    return tl_api_status(rc);
}

tailor_status tailor_model_save(tailor *t, const tailor_model *model, const char *folder)
{
    return tl_api_status(tl_model_save(tl_api_begin(t), model->model, NULL, folder));
}

tailor_status tailor_model_summary(tailor *t, const tailor_model *model, char **text)
{
    *text = NULL;
    return tl_api_status(tl_arch_summary(tl_api_begin(t), &model->model->arch, text));
}

int64_t tailor_model_parameters(const tailor_model *model)
{
    return tl_params_numel(model->model->params, false);
}

int64_t tailor_model_outputs(const tailor_model *model)
{
    return model->model->arch.outputs;
}

const char *tailor_model_task(const tailor_model *model)
{
    return model->model->task->name;
}

const char *tailor_model_class_name(const tailor_model *model, int64_t label)
{
    const tl_model *m = model->model;

    return m->class_name && label >= 0 && label < m->arch.outputs ? m->class_name[label] : NULL;
}

void tailor_model_free(tailor *t, tailor_model *model)
{
    if (!model) return;
    tl_model_free(&t->ctx, model->model);
    tl_free(&t->ctx, model);
}
