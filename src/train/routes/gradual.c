/* gradual.c -- blocks unfrozen one by one from the top, about an epoch apart, each step down at
 * a rate 2.6 times lower; then all of them train on.  Deep networks take several blocks a step.
 * Source: Howard and Ruder 2018 (ULMFiT), arXiv:1801.06146.  Floor 3, train. */
#include "train/routes/fine.h"

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_fine(h, arch, train_rows);
    h->head_rate  = tl_head_rate(arch);
    h->depth_rate = 2.6;
}

const tl_route tl_route_gradual = {
    .name       = "gradual",
    .doc        = "blocks unfrozen one by one from the top, lower ones at lower rates "
                  "(by --routes only)",
    .source     = "Howard and Ruder 2018 (ULMFiT), arXiv:1801.06146",
    .decision   = "fine-tune",
    .action     = "fine-tune @, block by block from the top",
    .plain      = "the upper layers learn first, the lower ones join step by step",
    .needs_base = true,
    .by_request = true,
    .start      = TL_START_BASE,
    .phase      = { { .which        = TL_TRAIN_TOP,
                      .unfolds      = true,
                      .lr_scale     = 1.0,
                      .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = defaults,
};
