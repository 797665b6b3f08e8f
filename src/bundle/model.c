/* model.c -- models in memory: new, with another head, copied, freed.  Floor 3,
 * bundle. */
#include "bundle/adapter.h"
#include "core/io.h"
#include "tensor/marks.h"

#include <math.h>
#include <string.h>

tl_status tl_model_default_prep(tl_ctx *ctx, const tl_arch *arch, tl_prep *out)
{
    const char   *name = tl_arch_prep(arch);
    const int64_t high = arch->row.dim[0], wide = arch->row.dim[1];

    *out = (tl_prep){ 0 };
    if (arch->row.ndim != 3)
        return tl_fail(ctx, TL_EDATA, arch->name,
                       "takes no pictures (give another base)");
    if (!name || !tl_prep_named(name, out))
        return tl_fail(ctx, TL_EDATA, arch->name, "has no known preprocessing (give a "
                       "preprocessor_config.json)");
    if (out->height != high || out->width != wide) {
        /* The same share of a picture is cropped away; small inputs are not cropped. */
        const double share =
            high >= 96 ? (double)out->resize_short / (double)out->height : 1.0;
        out->resize_short  = (int64_t)llround((double)TL_MAX(high, wide) * share);
        out->crop          = true;
        out->height        = high;
        out->width         = wide;
    }
    out->channels = arch->row.dim[2];
    return TL_OK;
}

tl_ask tl_ask_of_task(const tl_task *task)
{
    return task->tags ? TL_ASK_TOKENS : TL_ASK_CLASSES;
}

const tl_task *tl_model_task(const tl_arch *arch, const tl_prep *prep)
{
    if (prep->text && tl_arch_words(arch)) return &tl_task_language_modelling;
    if (prep->text && arch->family->text && arch->ask == TL_ASK_TOKENS)
        return &tl_task_token_classification;
    return tl_prep_task(prep);
}

static tl_status copy_names(tl_ctx *ctx, char *const *from, int64_t count, char ***out)
{
    char    **name = NULL;
    tl_status rc   = TL_OK;

    *out = NULL;
    if (!from) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *name, &name));
    for (int64_t i = 0; i < count; i++) TL_TRY(tl_strdup(ctx, from[i], &name[i]));
    *out = name;
    name = NULL;
done:
    for (int64_t i = 0; name && i < count; i++) tl_free(ctx, name[i]);
    tl_free(ctx, name);
    return rc;
}

/* All but the parameters. */
static tl_status make(tl_ctx *ctx, const tl_arch *arch, const tl_prep *prep,
                      char *const *class_name, tl_model **out)
{
    tl_model *m = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *m, &m));
    TL_TRY(tl_arch_copy(ctx, arch, &m->arch));
    m->prep = *prep;
    m->task = tl_model_task(arch, prep);
    tl_prep_hold(prep);
    TL_TRY(copy_names(ctx, class_name, arch->outputs, &m->class_name));
    *out = m;
    m    = NULL;
done:
    tl_model_free(ctx, m);
    return rc;
}

tl_status tl_model_new(tl_ctx *ctx, const tl_arch *arch, const tl_prep *prep,
                       char *const *class_name, uint64_t seed, tl_model **out)
{
    return tl_model_beside(ctx, arch, prep, class_name, seed, NULL, out);
}

tl_status tl_model_beside(tl_ctx *ctx, const tl_arch *arch, const tl_prep *prep,
                          char *const *class_name, uint64_t seed, const tl_params *from,
                          tl_model **out)
{
    tl_model *m = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(make(ctx, arch, prep, class_name, &m));
    TL_TRY(tl_arch_params(ctx, &m->arch, &m->params));
    if (from) tl_params_init_beside(m->params, seed, from, ctx->world->threads);
    else tl_params_init(m->params, seed, false, ctx->world->threads);
    *out = m;
    m    = NULL;
done:
    tl_model_free(ctx, m);
    return rc;
}

/* The values of every parameter by name; of the head where it `keeps` what the base has of it. */
static tl_status copy_values(tl_ctx *ctx, const tl_params *from, bool keeps, tl_params *to)
{
    tl_status rc = TL_OK;

    for (int32_t i = 0; i < to->count && rc == TL_OK; i++) {
        const tl_param *p = &to->param[i], *q = tl_params_find(from, p->name);
        if (p->head && !(keeps && q)) continue;
        if ((!q && (p->adapter || p->optional))) continue; /* they begin anew */
        if (!q || !tl_shape_equal(&p->shape, &q->shape))
            return tl_fail(ctx, TL_EDATA, p->name,
                           "is not in the base (give another base)");
        rc = tl_params_take(ctx, to, p, from, q);
    }
    return rc;
}

tl_status tl_model_with_head(tl_ctx *ctx, const tl_model *base, int64_t outputs,
                             char *const *class_name, double dropout, uint64_t seed,
                             tl_model **out)
{
    tl_arch   arch = base->arch; /* borrowed parts: never freed here */
    tl_model *m    = NULL;
    tl_status rc;

    *out             = NULL;
    arch.outputs     = outputs;
    arch.dropout     = dropout;
    arch.source_head = false;
    arch.ask         = tl_ask_of_task(tl_prep_task(&base->prep));
    TL_TRY(tl_model_beside(ctx, &arch, &base->prep, class_name, seed, base->params, &m));
    TL_TRY(copy_values(ctx, base->params, false, m->params));
    tl_adapt_start(&arch.adapt, m->params);
    if (base->path) TL_TRY(tl_strdup(ctx, base->path, &m->path));
    *out = m;
    m    = NULL;
done:
    tl_model_free(ctx, m);
    return rc;
}

tl_status tl_model_with_words(tl_ctx *ctx, const tl_model *base, tl_ask ask, uint64_t seed,
                              tl_model **out)
{
    tl_arch   arch = base->arch; /* borrowed parts: never freed here */
    tl_model *m    = NULL;
    tl_status rc;

    *out     = NULL;
    arch.ask = ask;
    arch.outputs = tl_json_int(arch.config, "vocab_size", arch.outputs);
    if (!arch.family->text || !arch.family->class_of || !arch.family->class_of(&arch))
        TL_FAIL(TL_EUSAGE, arch.name, "cannot be asked for %s words (take %s)",
                ask == TL_ASK_NEXT ? "the next" : "hidden",
                ask == TL_ASK_NEXT ? "gpt2 or llama" : "bert, roberta or modernbert");
    TL_TRY(tl_model_beside(ctx, &arch, &base->prep, NULL, seed, base->params, &m));
    TL_TRY(copy_values(ctx, base->params, true, m->params));
    tl_adapt_start(&arch.adapt, m->params);
    if (base->path) TL_TRY(tl_strdup(ctx, base->path, &m->path));
    *out = m;
    m    = NULL;
done:
    tl_model_free(ctx, m);
    return rc;
}

/* Heads answer in rows: those that the base has come first. */
static tl_status copy_head(tl_ctx *ctx, const tl_params *from, tl_params *to)
{
    for (int32_t i = 0; i < to->count; i++) {
        const tl_param *p = &to->param[i], *q = tl_params_find(from, p->name);
        tl_shape        shape = p->shape;
        if (!p->head) continue;
        if (q && q->shape.ndim > 0 && q->shape.dim[0] <= shape.dim[0])
            shape.dim[0] = q->shape.dim[0];
        if (!q || !tl_shape_equal(&shape, &q->shape))
            return tl_fail(ctx, TL_EDATA, p->name,
                           "of the model's head does not fit the data's classes (give the model "
                           "that was trained on this task)");
        memcpy(tl_params_value(to, p), tl_params_value(from, q),
               (size_t)q->count * sizeof(float));
    }
    return TL_OK;
}

tl_status tl_model_with_classes(tl_ctx *ctx, const tl_model *base, int64_t outputs,
                                char *const *class_name, double dropout, uint64_t seed,
                                tl_model **out)
{
    tl_arch   arch = base->arch; /* borrowed parts: never freed here */
    tl_model *m    = NULL;
    tl_status rc;

    *out         = NULL;
    arch.outputs = outputs;
    if (dropout >= 0.0) arch.dropout = dropout;
    TL_TRY(tl_model_beside(ctx, &arch, &base->prep, class_name, seed, base->params, &m));
    TL_TRY(copy_values(ctx, base->params, false, m->params));
    TL_TRY(copy_head(ctx, base->params, m->params));
    if (base->path) TL_TRY(tl_strdup(ctx, base->path, &m->path));
    *out = m;
    m    = NULL;
done:
    tl_model_free(ctx, m);
    return rc;
}

tl_status tl_model_pack(tl_ctx *ctx, tl_model *m)
{
    tl_params *packed = NULL;
    tl_arch    arch   = m->arch; /* borrowed parts: never freed here */
    tl_status  rc;

    if (arch.adapt.nf4) return TL_OK;
    arch.adapt.nf4 = true;
    TL_TRY(tl_arch_params(ctx, &arch, &packed));
    TL_TRY(copy_values(ctx, m->params, true, packed));
    m->arch.adapt.nf4 = true;
    tl_params_free(ctx, m->params);
    m->params = packed;
    packed    = NULL;
done:
    tl_params_free(ctx, packed);
    return rc;
}

tl_status tl_model_copy(tl_ctx *ctx, const tl_model *from, tl_model **out)
{
    tl_model *m = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(make(ctx, &from->arch, &from->prep, from->class_name, &m));
    TL_TRY(tl_params_copy(ctx, from->params, &m->params));
    if (from->threshold) {
        TL_TRY(tl_alloc_array(ctx, (size_t)from->arch.outputs, sizeof(float), &m->threshold));
        memcpy(m->threshold, from->threshold, (size_t)from->arch.outputs * sizeof(float));
    }
    if (from->path) TL_TRY(tl_strdup(ctx, from->path, &m->path));
    memcpy(m->sha256, from->sha256, sizeof m->sha256);
    if (from->provenance && !(m->provenance = json_deep_copy(from->provenance)))
        TL_FAIL(TL_ENOMEM, "model", "no room for its provenance (free memory)");
    *out = m;
    m    = NULL;
done:
    tl_model_free(ctx, m);
    return rc;
}

void tl_model_free(tl_ctx *ctx, tl_model *model)
{
    if (!model) return;
    for (int64_t i = 0; model->class_name && i < model->arch.outputs; i++)
        tl_free(ctx, model->class_name[i]);
    tl_free(ctx, model->class_name);
    tl_free(ctx, model->threshold);
    tl_load_report_free(ctx, &model->loaded);
    tl_params_free(ctx, model->params);
    tl_arch_free(ctx, &model->arch);
    tl_prep_drop(ctx, &model->prep);
    json_decref(model->provenance);
    tl_adapter_free(ctx, model->adapter);
    tl_free(ctx, model->path);
    tl_free(ctx, model);
}

static void answer_classes(float *row, int64_t classes)
{
    float  top = row[0];
    double sum = 0.0;

    for (int64_t c = 1; c < classes; c++) top = fmaxf(top, row[c]);
    for (int64_t c = 0; c < classes; c++) sum += (double)(row[c] = expf(row[c] - top));
    for (int64_t c = 0; c < classes; c++) row[c] = (float)((double)row[c] / sum);
}

void tl_model_answer(const tl_model *m, float *y, int64_t rows)
{
    const int64_t n = m->arch.outputs;
    double        mean, scale;

    tl_prep_scale(&m->prep, &mean, &scale);
    for (int64_t r = 0; r < rows; r++) {
        if (m->task->numbers) y[r] = (float)((double)y[r] * scale + mean);
        else if (m->task->several) tl_marks_answer(y + r * n, n);
        else if (m->task->ordered) tl_ranks_answer(y + r * n, n);
        else answer_classes(y + r * n, n);
    }
}

float tl_model_threshold(const tl_model *m, int64_t label)
{
    return m->threshold ? m->threshold[label] : 0.5f;
}
