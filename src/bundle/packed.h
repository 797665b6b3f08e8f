/* packed.h -- the inputs of a plan for packed text.  Floor 3, bundle. */
#ifndef TL_BUNDLE_PACKED_H
#define TL_BUNDLE_PACKED_H
#include "data/texts/pack.h"
#include "model/family.h"
#include "tensor/plan.h"

/* Each input that the network asked for to its place in the pack; x: ids, or above a cut what the
 * pack has in their place. */
tl_status tl_packed_bind(tl_ctx *ctx, tl_plan *plan, tl_tensor x, const tl_text_inputs *text,
                         const tl_pack *pack);
/* The same of what its loss is asked. */
tl_status tl_packed_bind_asked(tl_ctx *ctx, tl_plan *plan, const tl_word_loss *words,
                               const tl_pack *pack);
#endif
