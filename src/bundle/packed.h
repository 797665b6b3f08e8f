/* packed.h -- the inputs of a plan for packed text.  Floor 3, bundle. */
#ifndef TL_BUNDLE_PACKED_H
#define TL_BUNDLE_PACKED_H
#include "data/texts/pack.h"
#include "model/family.h"
#include "tensor/plan.h"

/* Each input that the network asked for to its place in the pack. */
tl_status tl_packed_bind(tl_ctx *ctx, tl_plan *plan, tl_tensor x, const tl_text_inputs *text,
                         const tl_pack *pack);
#endif
