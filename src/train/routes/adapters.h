/* adapters.h -- what routes that train few parameters beside a frozen base share: AdamW, at rates
 * well above those of `full` (Schulman 2025, "LoRA Without Regret": about ten times).
 * Floor 3, train. */
#ifndef TL_TRAIN_ROUTES_ADAPTERS_H
#define TL_TRAIN_ROUTES_ADAPTERS_H
#include "train/routes/fine.h"

/* Merges the best adapter into the base's weights, compares what both answer to rows of
 * validation, and keeps the adapter beside; TL_EFAIL where they do not agree (adapters.c). */
tl_status tl_adapters_finish(tl_ctx *ctx, struct tl_trainer *t);

/* What cannot be merged: kept beside, where PEFT has a form for it. */
tl_status tl_adapters_keep(tl_ctx *ctx, struct tl_trainer *t);

/* Of a route's record: the base stays, its adapters learn in one phase. */
#define TL_ROUTE_OF_ADAPTERS                                                                   \
    .needs_base = true, .by_request = true, .start = TL_START_BASE,                            \
    .phase  = { { .which = TL_TRAIN_ADAPTERS, .lr_scale = 1.0, .budget_share = 1.0 } },        \
    .phases = 1

static inline void tl_hyper_adapters(tl_hyper *h, const tl_arch *arch, int64_t train_rows,
                                     tl_adapt_kind kind, double lr)
{
    tl_hyper_fine(h, arch, train_rows);
    h->optimizer          = "adamw";
    h->optim.weight_decay = 0.01;
    h->optim.lr           = lr;
    h->adapt.kind         = kind;
    h->cached             = true; /* where top_blocks leaves blocks below without */
}
#endif
