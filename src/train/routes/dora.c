/* dora.c -- LoRA of the direction of each weight row, its length learnt apart.
 * Source: Liu et al. 2024, arXiv:2402.09353.  Floor 3, train. */
#include "train/routes/adapters.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_adapters(h, arch, train_rows, TL_ADAPT_DORA, 1e-3);
}

const tl_route tl_route_dora = {
    .name       = "dora",
    .doc        = "LoRA, and the length of each output's weights learnt apart (by --routes "
                  "only)",
    .source     = "Liu et al. 2024, arXiv:2402.09353",
    .decision   = "fine-tune",
    .action     = "train small corrections of @ and the length of its weights, and merge "
                  "them",
    .plain      = "as lora; how strong each output is, is learnt apart",
    TL_ROUTE_OF_ADAPTERS,
    .defaults   = defaults,
    .finish     = tl_adapters_finish,
};
