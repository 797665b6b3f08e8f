/* adapter.c -- Houlsby's bottlenecks behind both sublayers of each block, the base frozen.
 * They stay in the network: no product can take them up.  Its norms stay frozen here.
 * Source: Houlsby et al. 2019, arXiv:1902.00751 (size 64, rates from 3e-5 to 3e-3).
 * Floor 3, train. */
#include "train/routes/adapters.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_adapters(h, arch, train_rows, TL_ADAPT_BOTTLENECK, 1e-3);
    h->adapt.r = 64;
}

const tl_route tl_route_adapter = {
    .name       = "adapter",
    .doc        = "a small bottleneck trained at the end of each sublayer of the frozen base "
                  "(by --routes only)",
    .source     = "Houlsby et al. 2019, arXiv:1902.00751",
    .decision   = "fine-tune",
    .action     = "train small layers inside @, itself frozen",
    .plain      = "small layers are put into the frozen network, and they learn",
    TL_ROUTE_OF_ADAPTERS,
    .defaults   = defaults,
};
