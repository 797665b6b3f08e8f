/* tfidf.h -- logistic regression on weighted words, solved to convergence for each of a few
 * penalties, validation choosing: the baseline of text.  Floor 3, train. */
#ifndef TL_TRAIN_TFIDF_H
#define TL_TRAIN_TFIDF_H
#include "train/trainer.h"

bool      tl_arch_is_tfidf(const tl_arch *arch);
/* Words are learnt (run.c); a model of them takes the place of the run's. */
tl_status tl_tfidf_run(tl_ctx *ctx, tl_trainer *t);
size_t    tl_tfidf_bytes(const tl_run_spec *spec);
double    tl_tfidf_flops(const tl_run_spec *spec);
#endif
