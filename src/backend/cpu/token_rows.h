/* token_rows.h -- what the kernels of the vocabulary's cross-entropy by products share: the rows
 * that count, each block of their scores as it is made, and the losses when all are.  A row's sum
 * runs over blocks in order, whatever thread made them.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_TOKEN_ROWS_H
#define TL_BACKEND_CPU_TOKEN_ROWS_H
#include "backend/cpu/kernels.h"

enum { TL_TOKEN_X, TL_TOKEN_W, TL_TOKEN_B, TL_TOKEN_TARGET, TL_TOKEN_WEIGHT, TL_TOKEN_DLOSS,
       TL_TOKEN_LSE, TL_TOKEN_SLOPES };

typedef struct {
    const tl_call *call;
    const tl_simd *loops;
    int64_t        rows, words, d, columns; /* columns: of a row of slopes           */
    bool           bf;
    int64_t        count;      /* rows that count                                      */
    int64_t       *row;        /* [rows] their numbers                                 */
    float         *share;      /* [rows] gradient: weight times dloss of those         */
    int64_t        block, blocks; /* words of one; how many                            */
    float         *at;         /* [rows] the target's score                            */
    float         *top, *sum;  /* [rows blocks] of a block, once it is made            */
} tl_token_rows;

/* Scratch that they need; blocks 0: of the gradient. */
size_t        tl_token_rows_bytes(int64_t rows, int64_t blocks);
/* The rows of a run.  work: tl_token_rows_bytes, where the struct points to. */
tl_token_rows tl_token_rows_of(const tl_call *call, const tl_simd *loops, int64_t block,
                               int64_t blocks, void *work);
/* to [rows_to d] = rows of x that count, each times its share where `shared`; zeros behind. */
void          tl_token_gather(const tl_token_rows *k, bool shared, int64_t rows_to, void *to);
/* Scores of row i (of those that count) for words [first, first + n), n at most a block. */
void          tl_token_take(const tl_token_rows *k, int64_t i, int64_t first, int64_t n,
                            const float *scores);
/* All blocks are taken: writes the outputs of the loss that are wanted. */
void          tl_token_losses(const tl_token_rows *k);
/* Gradient in the biases from the slopes that the loss kept. */
void          tl_token_bias(const tl_token_rows *k, float *db);
/* Rows of dx [count d] to their places in the output; rows that do not count become 0. */
void          tl_token_place(const tl_token_rows *k, bool shared, float *dx);

static inline void *tl_token_slope(const tl_token_rows *k, const tl_view *slopes, int64_t i,
                                   int64_t word)
{
    return tl_place(slopes, i * k->columns + word);
}
#endif
