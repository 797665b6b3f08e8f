/* l2sp.c -- all weights trained further, with a penalty on their distance from the base instead
 * of on their size.
 * Source: Li et al. 2018, arXiv:1802.01483 (0.1 and, for the head, 0.01).  Floor 3, train. */
#include "train/routes/fine.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_fine(h, arch, train_rows);
    h->head_rate          = tl_head_rate(arch);
    h->optim.weight_decay = 0.0;
    h->anchor             = 0.1;
    h->anchor_head        = 0.01;
}

const tl_route tl_route_l2sp = {
    .name       = "l2sp",
    .doc        = "all weights trained further, pulled toward the base (by --routes only)",
    .source     = "Li et al. 2018, arXiv:1802.01483",
    .decision   = "hybrid",
    .action     = "fine-tune @, held near where it began",
    .plain      = "the pretrained network goes on learning, held near what it was",
    .needs_base = true,
    .by_request = true,
    .start      = TL_START_BASE,
    .phase      = { { .which = TL_TRAIN_ALL, .lr_scale = 1.0, .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = defaults,
};
