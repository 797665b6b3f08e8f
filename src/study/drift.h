/* drift.h -- do the parts of the data look as if they came from one source?  Every plain fact of
 * the rows (data/attributes.h), and the labels, of the training part held against another part by
 * a two-sample test (two_samples.h).  Floor 4, study.
 * Source: Rabanser, Guennemann and Lipton 2019, "Failing loudly", arXiv:1810.11953: univariate
 * tests with Bonferroni's correction. */
#ifndef TL_STUDY_DRIFT_H
#define TL_STUDY_DRIFT_H
#include "data/attributes.h"

/* Sets profile's `drift` (profile.h) and adds a finding for every part that differs: where p,
 * corrected for the number of tests, is under 0.01 and the difference is no trifle (0.1 of what it
 * can be).  Where the files name no parts nothing is done: then chance cuts them. */
tl_status tl_drift_find(tl_ctx *ctx, const tl_dataset *d, const tl_facts *f, json_t *profile);
#endif
