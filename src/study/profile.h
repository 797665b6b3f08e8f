/* profile.h -- what `tailor inspect` says of data but for their labels: what tl_inspect counts, and
 * what statistics make of it.  Floor 4, study. */
#ifndef TL_STUDY_PROFILE_H
#define TL_STUDY_PROFILE_H
#include "data/inspect.h"

/* As tl_inspect, and besides (each null where there is nothing to look at):
 *   shortcuts  {rows, classes, chance, tests, facts: [{fact, role: "aside", "input" or "unseen",
 *              score, low, high, said}]}: how well one plain fact alone tells the label
 *              (shortcuts.h), worst first; said: it is among the findings
 *   drift      [{part, rows, training_rows, tests, facts: [{fact, kind: "number" or "category",
 *              statistic, effect, p, training, there, said}]}]: each part against the training
 *              part (drift.h); p corrected for all tests; training and there: means, or the shares
 *              of the level that differs most
 *   languages  of texts {rows, found: [{name, rows}]} the commonest first */
tl_status tl_profile(tl_ctx *ctx, const tl_dataset *d, json_t **out);

/* A finding more, behind those as bad as it.  `level`: problem, warning or note. */
void tl_profile_say(json_t *profile, const char *level, const char *todo, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#endif
