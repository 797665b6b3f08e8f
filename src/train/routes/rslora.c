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
    .needs_base = true,
    .by_request = true,
    .start      = TL_START_BASE,
    .phase      = { { .which        = TL_TRAIN_ADAPTERS,
                      .lr_scale     = 1.0,
                      .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = defaults,
    .finish     = tl_adapters_finish,
};
