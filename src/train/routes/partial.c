/* partial.c -- the top blocks of the base trained with a new head, the rest frozen; without
 * augmentation what the frozen blocks put out is computed once.
 * Source: Yosinski et al. 2014, arXiv:1411.1792.  Floor 3, train. */
#include "train/routes/fine.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_fine(h, arch, train_rows);
    h->augment   = "none";
    h->cached    = true;
    h->head_rate = tl_head_rate(arch);
}

const tl_route tl_route_partial = {
    .name     = "partial",
    .doc      = "the top blocks trained, the rest frozen and their output cached",
    .source   = "Yosinski et al. 2014, arXiv:1411.1792",
    .decision = "fine-tune",
    .action   = "fine-tune the top of @ and keep the rest frozen",
    .plain =
        "the lower layers stay as they are, only the upper ones learn from your data",
    .needs_base = true,
    .start      = TL_START_BASE,
    .phase      = { { .which = TL_TRAIN_TOP, .lr_scale = 1.0, .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = defaults,
};
