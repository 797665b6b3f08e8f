/* histograms.h -- a linear layer on histograms of oriented gradients as the solved baseline's
 * rival.  Floor 3, train. */
#ifndef TL_TRAIN_HISTOGRAMS_H
#define TL_TRAIN_HISTOGRAMS_H
#include "train/trainer.h"

/* The rival's own run, on at most 64 MiB of histograms of training rows. */
typedef struct {
    tl_run_spec
        spec; /* .candidate.route NULL: no pictures, or under 32 pixels a side        */
    tl_rows
        kept; /* owned, as spec.candidate.arch                                       */
} tl_histograms;
tl_status tl_histograms_new(tl_ctx *ctx, const tl_run_spec *spec, tl_shape row,
                            tl_histograms *out);
void      tl_histograms_free(tl_ctx *ctx, tl_histograms *h);
/* For a route's `finish`: where it scores better on validation than what t->model is, it takes
 * its place. */
tl_status tl_histograms_finish(tl_ctx *ctx, tl_trainer *t);
#endif
