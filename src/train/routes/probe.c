/* probe.c -- the base frozen, a linear head solved on its features.
 * Source: Alain and Bengio 2016; Kornblith et al. 2019, arXiv:1805.08974.  Floor 3, train. */
#include "train/candidate.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_common(h, arch, train_rows);
}

const tl_route tl_route_probe = {
    .name     = "probe",
    .doc      = "base frozen, features computed once, new head trained on them",
    .source   = "Kornblith et al. 2019, arXiv:1805.08974",
    .decision = "feature-extraction",
    .action   = "keep @ frozen and train a new head",
    .plain    = "the pretrained network is used as it is; only the last layer is learnt",
    .needs_base = true,
    .vectors    = true,
    .start      = TL_START_BASE,
    .phase      = { { .which = TL_TRAIN_HEAD, .solve = true } },
    .phases     = 1,
    .defaults   = defaults,
};
