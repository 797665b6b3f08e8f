/* qlora.c -- lora over a base whose products and tables lie in four bits: each is unpacked for the
 * product that reads it, forward and again backward, and never kept.  The result is the unpacked
 * base with the correction merged.  The paper's tables stay in 16 bits, of small networks half of
 * all weights; here they are packed, too, unless they are the head of a language model.
 * Source: Dettmers et al. 2023, arXiv:2305.14314.  Floor 3, train. */
#include "train/routes/adapters.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_adapters(h, arch, train_rows, TL_ADAPT_LORA, 1e-3);
    h->adapt.dropout = 0.05;
    h->adapt.nf4     = true;
}

const tl_route tl_route_qlora = {
    .name       = "qlora",
    .doc        = "lora over a base kept in four bits: a quarter of the memory for its weights "
                  "(by --routes only)",
    .source     = "Dettmers et al. 2023, arXiv:2305.14314",
    .decision   = "fine-tune",
    .action     = "train small corrections of @ kept in four bits and merge them",
    .plain      = "the pretrained network is kept in four bits a weight; small corrections to its "
                  "products are learnt",
    TL_ROUTE_OF_ADAPTERS,
    .defaults   = defaults,
    .finish     = tl_adapters_finish,
};
