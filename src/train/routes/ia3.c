/* ia3.c -- (IA)3: learned vectors rescale keys, values and what enters the second product
 * of feed-forward parts; 3e-3 as in the paper.
 * Source: Liu et al. 2022, arXiv:2205.05638.  Floor 3, train. */
#include "train/routes/adapters.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_adapters(h, arch, train_rows, TL_ADAPT_IA3, 3e-3);
}

const tl_route tl_route_ia3 = {
    .name       = "ia3",
    .doc        = "keys, values and feed-forward parts rescaled by learned vectors (by --routes "
                  "only)",
    .source     = "Liu et al. 2022, arXiv:2205.05638",
    .decision   = "fine-tune",
    .action     = "rescale @ by a few learned vectors",
    .plain      = "the pretrained network stays as it is; only how loud some of its parts are is "
                  "learnt",
    TL_ROUTE_OF_ADAPTERS,
    .defaults   = defaults,
    .finish     = tl_adapters_finish,
};
