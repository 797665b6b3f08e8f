/* rates.h -- the learning-rate range test.  Floor 3, train. */
#ifndef TL_TRAIN_RATES_H
#define TL_TRAIN_RATES_H
#include "train/run.h"

enum { TL_RATES = 100 };
typedef struct { double lr, loss; } tl_rate_point; /* loss: smoothed                        */
typedef struct {
    tl_rate_point point[TL_RATES];
    int64_t       points;          /* fewer where the loss exploded before the highest rate */
    double        suggested;
} tl_rate_test;
/* As many steps of spec's run, from its start, at rates from a millionth of the optimiser's
 * usual largest on; nothing is kept of them. */
tl_status tl_run_rates(tl_ctx *ctx, const tl_run_spec *spec, tl_rate_test *out);
#endif
