/* lora.c -- low-rank corrections of every product outside the head, the base frozen; merged at
 * the end.  All products are targets (Schulman 2025).  The rate: 5e-4 (the paper's on GLUE), 1e-3
 * and 2e-3 scored .797, .810 and .823 on 300 rows after 6 epochs of 500 rows of SST-2 (MiniLM, one
 * seed: not told apart).
 * Source: Hu et al. 2021, arXiv:2106.09685.  Floor 3, train. */
#include "train/routes/adapters.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_adapters(h, arch, train_rows, TL_ADAPT_LORA, 1e-3);
    h->adapt.dropout = 0.05;
}

const tl_route tl_route_lora = {
    .name       = "lora",
    .doc        = "thin products trained beside the frozen ones, then merged (by --routes "
                  "only)",
    .source     = "Hu et al. 2021, arXiv:2106.09685",
    .decision   = "fine-tune",
    .action     = "train small corrections of @ and merge them",
    .plain      = "the pretrained network stays as it is; small corrections to its products are "
                  "learnt",
    TL_ROUTE_OF_ADAPTERS,
    .defaults   = defaults,
    .finish     = tl_adapters_finish,
};
