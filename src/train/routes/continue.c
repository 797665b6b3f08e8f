/* continue.c -- the base goes on learning without labels on the user's own pictures (masked
 * patches) or texts (hidden words, or the next one), then all of it is trained on the labels.
 * Source: Gururangan et al. 2020, arXiv:2004.10964; Xie et al. 2022 (SimMIM), arXiv:2111.09886.
 * Floor 3, train. */
#include "train/candidate.h"

extern const tl_route tl_route_full;

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_route_full.defaults(h, arch, train_rows);
    h->pretrain_epochs = train_rows < 5000 ? 10.0 : 5.0;
    if (arch->family->text) h->mask = 0.15;
}

const tl_route tl_route_continue = {
    .name       = "continue",
    .doc        = "the base pretrained further on your pictures or texts without labels, then all "
                  "trained (by --routes only)",
    .source     = "Gururangan et al. 2020, arXiv:2004.10964",
    .decision   = "hybrid",
    .action     = "pretrain @ further on these data, then fine-tune it",
    .plain      = "the pretrained network first fills in hidden parts of your pictures or texts, "
                  "then learns the labels",
    .needs_base = true,
    .by_request = true,
    .start      = TL_START_BASE,
    .phase      = { { .which        = TL_TRAIN_ALL,
                      .pretrained   = true,
                      .lr_scale     = 1.0,
                      .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = defaults,
};
