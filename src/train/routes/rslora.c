/* rslora.c -- LoRA scaled by alpha / sqrt(r), which lets larger ranks learn.
 * Source: Kalajdzievski 2023, arXiv:2312.03732.  Floor 3, train. */
#include "train/routes/adapters.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_adapters(h, arch, train_rows, TL_ADAPT_LORA, 1e-3);
    h->adapt.r       = 32;
    h->adapt.rs      = true;
    h->adapt.dropout = 0.05;
}

const tl_route tl_route_rslora = {
    .name       = "rslora",
    .doc        = "LoRA whose scale falls with the root of the rank, for larger ranks "
                  "(by --routes only)",
    .source     = "Kalajdzievski 2023, arXiv:2312.03732",
    .decision   = "fine-tune",
    .action     = "train corrections of @ of a larger rank and merge them",
    .plain      = "as lora, with larger corrections",
    TL_ROUTE_OF_ADAPTERS,
    .defaults   = defaults,
    .finish     = tl_adapters_finish,
};
