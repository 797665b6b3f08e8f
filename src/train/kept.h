/* kept.h -- what the frozen blocks below a cut make of a run's rows, computed once: row by row, of
 * texts token by token.  It goes by the rows' numbers, training and validation together, so that
 * runs that cut the same rows differently find the same bits.  Floor 3, train. */
#ifndef TL_TRAIN_KEPT_H
#define TL_TRAIN_KEPT_H
#include "data/texts/stream.h"
#include "train/run.h"

struct tl_trainer; /* train/trainer.h */

typedef struct {
    tl_rows      rows;   /* of the run, each once, by number; owned                            */
    int64_t      width;  /* values of a row, of text of a token                                */
    void        *own;    /* what the run made itself; NULL: the spec has it                    */
    tl_stream    stream; /* of texts; its x is NULL where there is none                        */
    const float *x;      /* of other rows [rows.count width]; borrowed                         */
    int64_t     *at;     /* where in x: of training's rows, then of validation's; owned        */
} tl_kept;

/* From spec->kept, or computed; of rows that are no texts saved apart from the run's checkpoints
 * on the way, and gone on with.  TL_ECANCEL: interrupted. */
tl_status tl_kept_open(tl_ctx *ctx, struct tl_trainer *t, int cut, tl_kept *out);
void      tl_kept_free(tl_ctx *ctx, tl_kept *k); /* safe to repeat */
#endif
