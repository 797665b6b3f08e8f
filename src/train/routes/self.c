/* self.c -- no base: the network first learns to fill in masked patches of the user's own
 * pictures, or hidden words of the texts (the next one where its family is asked so), labels
 * unused, then all of it is trained on the labels.
 * Source: El-Nouby et al. 2021, arXiv:2112.10740 (pretraining on the target data alone); Xie et
 * al. 2022 (SimMIM), arXiv:2111.09886.  Floor 3, train. */
#include "train/candidate.h"

extern const tl_route tl_route_full;

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_route_full.defaults(h, arch, train_rows);
    h->pretrain_epochs = train_rows < 20000 ? 40.0 : 20.0;
    if (arch->family->text) h->mask = 0.15;
}

const tl_route tl_route_self = {
    .name       = "self",
    .doc        = "pretraining on your own pictures or texts without labels, then all trained "
                  "(by --routes only)",
    .source     = "El-Nouby et al. 2021, arXiv:2112.10740",
    .decision   = "from-scratch",
    .action     = "pretrain on these data without labels, then train everything",
    .plain      = "the network first learns to fill in hidden parts of your pictures or texts, "
                  "then the labels",
    .by_request = true,
    .start      = TL_START_NEW,
    .phase      = { { .which        = TL_TRAIN_ALL,
                      .pretrained   = true,
                      .lr_scale     = 1.0,
                      .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = defaults,
};
