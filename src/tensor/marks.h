/* marks.h -- targets of tasks whose outputs are yes or no, one a class: a row's mark is 1, 0, or
 * below 0 for an output that the row says nothing of; and what such outputs say.
 * Several labels: output k asks whether class k holds (binary relevance).  Ranks: output k asks
 * whether the rank is above k, given that it is k at least, so that the probabilities of the
 * ranks follow and are never out of order; the last output asks nothing.
 * Source: Shi, Cao, Raschka 2021, CORN, arXiv:2111.08851.  Floor 1, tensor. */
#ifndef TL_TENSOR_MARKS_H
#define TL_TENSOR_MARKS_H
#include "core/core.h"

double tl_rank_mark(int32_t rank, int64_t classes, int64_t output);
/* Mean over the n outputs of the binary cross-entropy of logits, natural log; outputs without a
 * mark add nothing. */
double tl_marks_loss(const float *logit, const float *mark, int64_t n);
/* The same of a rank's own marks. */
double tl_rank_loss(const float *logit, int32_t rank, int64_t n);
/* Logits -> probabilities, in place: of each class on its own, or of each rank (they sum to 1). */
void tl_marks_answer(float *y, int64_t n);
void tl_ranks_answer(float *y, int64_t n);
/* The median rank: the first that is reached with half of the probability or more. */
int32_t tl_rank_said(const float *probability, int64_t n);
/* The same of logits. */
int32_t tl_rank_of_logits(const float *logit, int64_t n);
#endif
