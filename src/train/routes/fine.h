/* fine.h -- the rates that routes from a base share.  Measured on 5 flowers (1,280 rows, 128
 * pixels, 12 epochs; validation accuracy): SqueezeNet 1.0 by AdamW .772 at 1e-4, .731 at 3e-4,
 * by SGD .706 at best and dead at 2e-3 without clipping; MobileNetV2 by SGD .756 at 0.01.
 * Floor 3, train. */
#ifndef TL_TRAIN_ROUTES_FINE_H
#define TL_TRAIN_ROUTES_FINE_H
#include "train/texts.h"

#include <math.h>

/* A new head learns faster than the body under it; of text the literature has one rate. */
static inline double tl_head_rate(const tl_arch *arch)
{
    return arch->family->text ? 1.0 : 10.0;
}

static inline void tl_hyper_fine(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_common(h, arch, train_rows);
    if (arch->family->text) {
        tl_hyper_text(h, arch, train_rows);
        return;
    }
    h->epochs      = train_rows < 5000 ? 15.0 : 8.0;
    h->least_steps = 400;
    h->patience    = ceil(0.5 * h->epochs);
    h->warmup      = 0.1;
    h->clip        = 1.0;
    h->augment     = tl_arch_grey(arch) ? "shift" : "light";
    if (arch->batch_norms) {
        h->optim.lr           = 0.01;
        h->optim.weight_decay = 1e-4;
        return;
    }
    h->optimizer          = "adamw"; /* without norms SGD's one rate fits few layers */
    h->optim.lr           = arch->row.ndim == 3 && !arch->words ? 1e-4 : 5e-4;
    h->optim.weight_decay = 0.01;
}
#endif
