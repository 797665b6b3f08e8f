/* lp_ft.c -- probe first, then full from that head: the body is not torn by a random head.
 * Source: Kumar et al. 2022, arXiv:2202.10054.  Floor 3, train. */
#include "train/routes/fine.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_fine(h, arch, train_rows);
    h->frozen_norm = true; /* the head was solved on what the base's statistics give: those of a
                              batch begin with a loss of 25 where it left 0.3 (neu-steel) */
}

const tl_route tl_route_lp_ft = {
    .name     = "lp-ft",
    .doc      = "probe first, then full from that head",
    .source   = "Kumar et al. 2022, arXiv:2202.10054",
    .decision = "hybrid",
    .action   = "train a new head on @ first, then everything",
    .plain =
        "first only the last layer is learnt, then the whole network goes on from there",
    .needs_base = true,
    .start      = TL_START_BASE,
    .phase      = { { .which = TL_TRAIN_HEAD, .solve = true },
                    { .which = TL_TRAIN_ALL, .lr_scale = 1.0, .budget_share = 1.0 } },
    .phases     = 2,
    .defaults   = defaults,
};
