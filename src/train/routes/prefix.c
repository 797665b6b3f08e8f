/* prefix.c -- learned keys and values in front of every text's own in each layer, the base frozen,
 * without the paper's network that makes them (Liu et al. 2022 do without; PEFT's
 * prefix_projection = false).  They stay in the network: no product can take them up.
 * Source: Li and Liang 2021, arXiv:2101.00190; Liu et al. 2022, arXiv:2110.07602 (20 tokens, rates
 * from 5e-3 on).  On 540 rows of SST-2 (MiniLM, 8 epochs, one seed) validation was right in .70 at
 * 5e-3 and .74 at 2e-2, of `probe` in .61.  Floor 3, train. */
#include "train/routes/adapters.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_adapters(h, arch, train_rows, TL_ADAPT_PREFIX, 1e-2);
    h->adapt.r            = 20;
    h->optim.weight_decay = 0.0;
}

const tl_route tl_route_prefix = {
    .name       = "prefix",
    .doc        = "learned keys and values in front of each text, in every layer of the frozen "
                  "base (by --routes only)",
    .source     = "Li and Liang 2021, arXiv:2101.00190",
    .decision   = "fine-tune",
    .action     = "put learned tokens in front of what @ reads",
    .plain      = "the pretrained network stays as it is; what it reads before each text is learnt",
    .of_texts   = true,
    TL_ROUTE_OF_ADAPTERS,
    .defaults   = defaults,
    .finish     = tl_adapters_keep,
};
