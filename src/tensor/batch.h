/* batch.h -- where data and model meet: one batch in host memory.  Data fills it, the trainer
 * binds it.  Floor 1, tensor. */
#ifndef TL_TENSOR_BATCH_H
#define TL_TENSOR_BATCH_H
#include "tensor/shape.h"

typedef struct {
    int64_t  capacity;   /* rows there is room for: the shape of the plan                  */
    int64_t  rows;       /* rows really there; the rest is zero with weight 0              */
    tl_shape x_shape;    /* [capacity ...]: pictures [n h w c], features and tables [n d]  */
    float   *x;          /* owned                                                          */
    int32_t *label;      /* [capacity] class numbers, -1 beyond rows; NULL for regression  */
    float   *target;     /* [capacity outputs] for regression and soft targets; else NULL  */
    int64_t  outputs;
    float   *weight;     /* [capacity] 1 for a row that counts, 0 beyond rows; the trainer
                            divides by the effective batch                                 */
    int64_t *index;      /* [capacity] row of the dataset each came from, -1 beyond rows   */
} tl_batch;

tl_status tl_batch_new(tl_ctx *ctx, int64_t capacity, tl_shape row_shape, bool labels,
                       int64_t outputs, tl_batch *out);
void      tl_batch_free(tl_ctx *ctx, tl_batch *batch);
#endif
