/* rank.h -- orders bases for a data set without training any of them.  Floor 4, study. */
#ifndef TL_STUDY_RANK_H
#define TL_STUDY_RANK_H
#include "study/compare.h"

/* Of a question: data, base, base_arch, seed, train_limit, overrides, precision; rows of the
 * test part are not looked at.  *out (owned):
 *   data   {path, rows, classes}
 *   bases  best first: [{base, family, parameters, rank, rank_ci95: [low, high], blind_rank,
 *          probe: {mean, ci95}, knn, hscore, logme, leep, nce, ms_per_row, distance}], null where
 *          unknown; distance: base_distance.h, without drift
 *   agreement  Kendall's tau of each other score's order with the probe's: {knn, ...} */
tl_status tl_rank(tl_ctx *ctx, const tl_question *q, json_t **out);
#endif
