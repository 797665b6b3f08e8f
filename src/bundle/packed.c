/* packed.c -- see packed.h.  Floor 3, bundle. */
#include "bundle/packed.h"

tl_status tl_packed_bind(tl_ctx *ctx, tl_plan *plan, tl_tensor x, const tl_text_inputs *text,
                         const tl_pack *pack)
{
    tl_status rc;

    TL_TRY(tl_plan_bind(ctx, plan, x, pack->stream ? (void *)pack->stream : pack->id));
    TL_TRY(tl_plan_bind(ctx, plan, text->positions, pack->position));
    TL_TRY(tl_plan_bind(ctx, plan, text->offsets, pack->offset));
    if (text->segments) TL_TRY(tl_plan_bind(ctx, plan, text->segments, pack->segment));
    if (text->values) TL_TRY(tl_plan_bind(ctx, plan, text->values, pack->value));
done:
    return rc;
}

tl_status tl_packed_bind_asked(tl_ctx *ctx, tl_plan *plan, const tl_word_loss *words,
                               const tl_pack *pack)
{
    tl_status rc;

    TL_TRY(tl_plan_bind(ctx, plan, words->target, pack->target));
    TL_TRY(tl_plan_bind(ctx, plan, words->weight, pack->weight));
    if (words->picked) TL_TRY(tl_plan_bind(ctx, plan, words->picked, pack->picked));
done:
    return rc;
}
