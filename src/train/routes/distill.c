/* distill.c -- a small network learns from the labels and from what the base, trained further on
 * the same rows, says about them.
 * Source: Hinton et al. 2015, arXiv:1503.02531.  Floor 3, train. */
#include "train/candidate.h"

extern const tl_route tl_route_full, tl_route_scratch;

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper teacher;

    tl_route_full.defaults(&teacher, arch, train_rows);
    tl_route_scratch.defaults(h, arch, train_rows);
    h->teacher_epochs = teacher.epochs;
    h->temperature    = 4.0;
    h->distill        = 0.9;
}

const tl_route tl_route_distill = {
    .name       = "distill",
    .doc        = "a fine-tuned teacher into a small student trained from scratch (by --routes "
                  "only)",
    .source     = "Hinton et al. 2015, arXiv:1503.02531",
    .decision   = "hybrid",
    .action     = "fine-tune @ and teach a small network from it",
    .plain      = "a small network learns from the answers of the large one that was fine-tuned",
    .needs_base = true,
    .by_request = true,
    .own_net    = true,
    .teacher    = &tl_route_full,
    .start      = TL_START_NEW,
    .phase      = { { .which        = TL_TRAIN_ALL,
                      .taught       = true,
                      .lr_scale     = 1.0,
                      .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = defaults,
};
