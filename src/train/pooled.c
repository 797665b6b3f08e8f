/* pooled.c -- see pooled.h.  Floor 3, train. */
#include "train/pooled.h"
#include "bundle/embed.h"
#include "model/pooled.h"

tl_status tl_pooled_asked(tl_ctx *ctx, const tl_dataset *d, const tl_model *base, bool *out)
{
    tl_embed_how how;
    tl_status    rc = TL_OK;

    *out = false;
    if (!d->task->text || d->task->words || d->task->tags || !base->arch.family->class_of ||
        !base->arch.family->text || !base->prep.text || base->prep.text->weighs)
        return TL_OK;
    rc = tl_embedding_of(ctx, base, NULL, &how);
    if (rc == TL_EDATA) return TL_OK;
    TL_TRY(rc);
    *out = how.told;
done:
    return rc;
}

/* {"network", "pooling"} of what the base's vectors are made by. */
static tl_status describe(tl_ctx *ctx, const tl_dataset *d, const tl_model *base,
                          const char *family, const tl_embed_how *how, json_t **out)
{
    const bool nested = tl_arch_is_pooled(&base->arch);
    json_t    *inner  = nested ? json_incref(json_object_get(base->arch.config, "network"))
                               : tl_arch_to_json(&base->arch);

    if (!nested) json_object_del(inner, "adapt"); /* what joins it joins the whole */
    *out = json_pack("{s:s, s:I, s:s, s:b, s:o}", "model_type", family, "num_labels",
                     (json_int_t)d->classes, "pooling", tl_pooling_name(how->pool),
                     "source_head", 0, "network", inner);
    return *out ? TL_OK : tl_fail(ctx, TL_ENOMEM, family, "no room for its network (free memory)");
}

tl_status tl_pooled_text(tl_ctx *ctx, const tl_dataset *d, const tl_model *base, const char *family,
                         tl_arch *arch, tl_prep *prep, tl_texter **texter)
{
    json_t      *config = NULL;
    tl_embed_how how;
    tl_status    rc;

    *texter = NULL;
    TL_TRY(tl_embedding_of(ctx, base, NULL, &how));
    TL_TRY(describe(ctx, d, base, family, &how, &config));
    TL_TRY(tl_arch_from_config(ctx, base->path ? base->path : family, config, arch));
    arch->adapt = base->arch.adapt;
    arch->ask   = tl_ask_of_task(d->task);
    *prep       = base->prep;
    if (how.most > 0 && how.most < base->prep.text->most) {
        TL_TRY(tl_texter_shorter(ctx, base->prep.text, how.most, texter));
        prep->text = *texter;
    }
done:
    json_decref(config);
    return rc;
}

tl_status tl_pooled_model(tl_ctx *ctx, const tl_run_spec *spec, tl_model **out)
{
    tl_model base = *spec->candidate.base; /* borrowed, but for the network around it */

    base.arch = spec->candidate.arch;
    base.prep = spec->candidate.prep;
    return tl_model_with_head(ctx, &base, spec->dataset->classes, spec->dataset->class_name, -1.0,
                              spec->seed, out);
}
