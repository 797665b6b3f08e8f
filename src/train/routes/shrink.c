/* shrink.c -- shrink and perturb: the base's weights made smaller, noise added, all trained.
 * Source: Ash and Adams 2020, arXiv:1910.08475.  Floor 3, train. */
#include "train/routes/fine.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_fine(h, arch, train_rows);
}

const tl_route tl_route_shrink = {
    .name       = "shrink",
    .doc        = "the base's weights shrunk and perturbed, then all trained (by --routes "
                  "only)",
    .source     = "Ash and Adams 2020, arXiv:1910.08475",
    .decision   = "hybrid",
    .action     = "shrink and perturb @, then train everything",
    .plain      = "the pretrained network is half forgotten before it learns your data",
    .needs_base = true,
    .by_request = true,
    .start      = TL_START_SHRUNK,
    .update     = "retrain the model on @, from weights made smaller and perturbed",
    .phase      = { { .which = TL_TRAIN_ALL, .lr_scale = 1.0, .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = defaults,
};
