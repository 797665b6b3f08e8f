/* scratch.c -- all weights anew.
 * Sources: He et al. 2016 (SGD, decay 5e-4, crop and flip); Goyal et al. 2017 (the rate follows
 * the batch, warmup).  Floor 3, train. */
#include "train/texts.h"

#include <math.h>

static void defaults(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_common(h, arch, train_rows);
    if (arch->family->text) {
        tl_hyper_text(h, arch, train_rows);
        h->optim.lr = 5e-4;
        h->epochs   = train_rows < 5000 ? 20.0 : 8.0;
        h->patience = ceil(0.3 * h->epochs);
        return;
    }
    h->epochs   = train_rows < 20000 ? 40.0 : 20.0;
    h->patience = ceil(0.4 * h->epochs);
    h->augment  = arch->row.ndim != 3 ? "none" : tl_arch_grey(arch) ? "shift" : "crop";
    if (arch->batch_norms) {
        h->optim.lr = 0.1 * (double)h->batch / 256.0;
        return;
    }
    h->batch              = TL_MIN(h->batch, 32); /* 32, 64, 128 validate at 0.898, 0.894 and
                                                    0.888 (dense 128 on Fashion-MNIST) */
    h->optimizer          = "adamw";
    h->optim.lr           = 1e-3;
    h->optim.weight_decay = 0.01;
    h->clip               = 1.0;
}

const tl_route tl_route_scratch = {
    .name     = "scratch",
    .doc      = "all weights initialised anew and trained",
    .source   = "He et al. 2016, arXiv:1512.03385",
    .decision = "from-scratch",
    .action   = "train from scratch",
    .plain    = "the network starts knowing nothing and learns from your data alone",
    .start    = TL_START_NEW,
    .update   = "retrain the model from scratch on @",
    .phase    = { { .which = TL_TRAIN_ALL, .lr_scale = 1.0, .budget_share = 1.0 } },
    .phases   = 1,
    .defaults = defaults,
};
