/* texts.h -- networks of text that begin anew, and what makes ids for them.  Floor 3, train. */
#ifndef TL_TRAIN_TEXTS_H
#define TL_TRAIN_TEXTS_H
#include "train/candidate.h"

/* The network that --arch names (NULL: a small one for so many rows) for this data, and a texter
 * that learns its vocabulary from the training rows; *texter is the caller's to drop. */
tl_status tl_scratch_text(tl_ctx *ctx, const tl_dataset *d, const char *text, tl_arch *arch,
                          tl_prep *prep, tl_texter **texter);
/* The baseline: weighted words. */
tl_status tl_baseline_text(tl_ctx *ctx, const tl_dataset *d, tl_arch *arch, tl_prep *prep,
                           tl_texter **texter);
/* A small network of the teacher's family on its own tokens. */
tl_status tl_student_text(tl_ctx *ctx, const tl_arch *teacher, const tl_prep *base,
                          int64_t outputs, tl_arch *arch);
/* Rates of the literature, by the network's width: AdamW, a tenth of warmup, a straight fall. */
void      tl_hyper_text(tl_hyper *h, const tl_arch *arch, int64_t train_rows);
#endif
