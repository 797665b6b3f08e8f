/* audit.h -- which labels are probably wrong: every row is told its class by a model that has not
 * seen it, then labels.h counts.  Floor 4, study. */
#ifndef TL_STUDY_AUDIT_H
#define TL_STUDY_AUDIT_H
#include "study/compare.h"

/* Of the question's data, base (the first; none: the classical baseline) and seed.  Sets
 * profile's `labels`:
 *   by        "logistic regression on the features of NAME", or "... on the columns" of a table,
 *             or "the classical baseline", out of fold
 *   rows      looked at: all, or 10,000 drawn of more
 *   score     share of them whose given label is the likeliest, out of fold
 *   suspects  labels that are to be looked at;  noise  share of wrong labels, estimated
 *   found     [{row, given, likely, probability, of_given}] all of them, the worst first
 *   ceiling   {part: "test" or (none is named) "all", rows, noise, low, high, score}: what a model
 *             without any mistake would score there, 1 - noise; low and high are the noise's
 * and adds a finding; sets profile's `bases` to the distance of the data from each of them
 * (base_distance.h), with a finding for what is far.  Of numbers, and of under 50 rows, nothing is
 * done; with a model that agrees with too few of the labels (labels.h) only that is said. */
tl_status tl_audit_labels(tl_ctx *ctx, const tl_question *q, json_t *profile);
#endif
