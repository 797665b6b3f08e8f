/* thresholds.h -- from which probability on a label is said: of each label the one that gives the
 * best F1 on the validation rows.  Source: Lipton, Elkan, Naryanaswamy 2014, arXiv:1402.1892.
 * Floor 3, train. */
#ifndef TL_TRAIN_THRESHOLDS_H
#define TL_TRAIN_THRESHOLDS_H
#include "train/run.h"

/* Into the model, of tasks with several labels; a label that no validation row has keeps a half. */
tl_status tl_choose_thresholds(tl_ctx *ctx, const tl_run_spec *spec, tl_model *model);
/* Of one label: rows' probabilities and whether each has it; they are put in order. */
typedef struct { float probability; bool has; } tl_marked;
float     tl_best_threshold(tl_marked *row, int64_t rows);
#endif
