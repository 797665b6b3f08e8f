/* replay.c -- a model in use goes on learning from the new rows and from a sample of
 * the old ones, so that it does not forget them. Source: Robins 1995, Connection
 * Science 7(2); Chaudhry et al. 2019, arXiv:1902.10486. Floor 3, train. */
#include "train/routes/fine.h"

const tl_route tl_route_replay = {
    .name       = "replay",
    .doc        = "all weights trained further on new rows and as many old ones",
    .source     = "Chaudhry et al. 2019, arXiv:1902.10486",
    .decision   = "fine-tune",
    .action     = "fine-tune @",
    .plain      = "the model goes on learning from the new data and repeats some of the old, so as "
                  "not to forget them",
    .update     = "fine-tune the model on old and new data together",
    .needs_base = true,
    .start      = TL_START_BASE,
    .learn      = TL_LEARN_SAMPLE,
    .phase      = { { .which = TL_TRAIN_ALL, .lr_scale = 1.0, .budget_share = 1.0 } },
    .phases     = 1,
    .defaults   = tl_hyper_fine,
};
