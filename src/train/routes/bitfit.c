/* bitfit.c -- only the biases of the base, those of norms with them, and the head train.
 * Source: Ben Zaken et al. 2022, arXiv:2106.10199.  Floor 3, train. */
#include "train/routes/adapters.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_adapters(h, arch, train_rows, TL_ADAPT_NONE, 1e-3);
}

const tl_route tl_route_bitfit = {
    .name       = "bitfit",
    .doc        = "only biases and the head trained (by --routes only)",
    .source     = "Ben Zaken et al. 2022, arXiv:2106.10199",
    .decision   = "fine-tune",
    .action     = "train the biases of @ and keep the rest frozen",
    .plain      = "the pretrained network stays as it is but for the offsets of its layers",
    .needs_base = true,
    .by_request = true,
    .start      = TL_START_BASE,
    .phase      = { { .which = TL_TRAIN_BIASES, .lr_scale = 1.0, .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = defaults,
};
