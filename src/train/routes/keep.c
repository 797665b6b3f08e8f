/* keep.c -- a model in use stays as it is: what every other way of updating it is held
 * against. Nothing is trained, so there is no phase; the study asks the model itself.
 * Floor 3, train. */
#include "train/routes/fine.h"

const tl_route tl_route_keep = {
    .name       = "keep",
    .doc        = "the model as it is",
    .source     = "(sanity)",
    .decision   = "keep",
    .action     = "keep @",
    .plain      = "the model stays as it is; nothing is trained",
    .update     = "keep the model as it is",
    .needs_base = true,
    .start      = TL_START_BASE,
    .learn      = TL_LEARN_NEW,
    .defaults   = tl_hyper_fine,
};
