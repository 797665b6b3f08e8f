/* mix.h -- mixup and CutMix of a whole batch.  Floor 2, data. */
#ifndef TL_DATA_MIX_H
#define TL_DATA_MIX_H
#include "tensor/batch.h"

/* Of Beta(alpha, alpha), which the shares are drawn from; 0: not used.  Both: one or the other,
 * half of the time each. */
typedef struct { double mixup, cutmix; } tl_mix_settings;

/* Row r is mixed with row r - 1 (the first with the last).  A function of (seed, number) and
 * the batch.  x: as in->x; target: [in->capacity classes]; rows beyond in->rows are zero. */
void tl_mix(const tl_batch *in, const tl_mix_settings *how, uint64_t seed, uint64_t number,
            int64_t classes, float *x, float *target);

/* What tl_mix draws and cuts. */
double     tl_mix_share(double alpha, uint64_t seed, uint64_t number);
typedef struct { int64_t top, left, bottom, right; } tl_mix_box;
tl_mix_box tl_mix_box_of(double share, int64_t height, int64_t width, int64_t row,
                         int64_t column);
#endif
