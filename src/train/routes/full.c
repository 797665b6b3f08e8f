/* full.c -- all weights of the base trained further, with a new head.
 * Source: Kornblith et al. 2019, arXiv:1805.08974.  Floor 3, train. */
#include "train/routes/fine.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_fine(h, arch, train_rows);
    h->head_rate = tl_head_rate(arch);
}

const tl_route tl_route_full = {
    .name       = "full",
    .doc        = "all weights of the base trained further",
    .source     = "Kornblith et al. 2019, arXiv:1805.08974",
    .decision   = "fine-tune",
    .action     = "fine-tune @",
    .plain      = "the pretrained network goes on learning, from your data",
    .needs_base = true,
    .start      = TL_START_BASE,
    .learn      = TL_LEARN_NEW,
    .update     = "fine-tune the model on @",
    .phase      = { { .which = TL_TRAIN_ALL, .lr_scale = 1.0, .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = defaults,
};
