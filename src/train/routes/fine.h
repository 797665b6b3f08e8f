/* fine.h -- the rates that routes from a base share.  Floor 3, train. */
#ifndef TL_TRAIN_ROUTES_FINE_H
#define TL_TRAIN_ROUTES_FINE_H
#include "train/candidate.h"

#include <math.h>

static inline void tl_hyper_fine(tl_hyper *h, const tl_arch *arch, int64_t train_rows)
{
    tl_hyper_common(h, arch, train_rows);
    h->epochs             = train_rows < 5000 ? 20.0 : 10.0;
    h->least_steps        = 600;
    h->patience           = ceil(0.5 * h->epochs);
    h->optim.lr           = tl_arch_batch_norms(arch) ? 0.005 : 0.001;
    h->optim.weight_decay = 1e-4;
    h->warmup             = 0.1;
    h->clip               = 1.0;
    h->augment            = tl_arch_grey(arch) ? "shift" : "light";
}
#endif
