/* optim_kernels.h -- the loops over flat buffers, compiled once per instruction set from
 * optim_body.h and chosen at run time.  Every set gives the same bits: element by element,
 * no contraction, sums in one fixed order.  Floor 3, train. */
#ifndef TL_TRAIN_OPTIM_KERNELS_H
#define TL_TRAIN_OPTIM_KERNELS_H
#include <stdint.h>

/* One span and the numbers of one step, already in f32 as PyTorch's kernels take them. */
typedef struct {
    float       *w, *m, *v; /* m NULL: SGD without momentum                                  */
    const float *g;
    float share;            /* g counts so many times: less than 1 where gradients are clipped */
    float lr;               /* Adam: lr / (1 - beta1^step)                                   */
    float decay, shrink;    /* share * g + decay * w, after w *= shrink                      */
    float momentum, of_gradient, of_momentum; /* SGD: step = of_gradient g + of_momentum m   */
    float beta1, beta2, eps, root;            /* Adam: root = sqrt(1 - beta2^step)           */
} tl_update;

enum { TL_SUM_BLOCK = 1024 }; /* floats summed in f32 before the sum goes on in double */

typedef struct {
    void (*sgd)(const tl_update *u, int64_t low, int64_t high);
    void (*adam)(const tl_update *u, int64_t low, int64_t high);
    void (*lion)(const tl_update *u, int64_t low, int64_t high);
    /* Sum of squares of at most TL_SUM_BLOCK floats. */
    double (*squares)(const float *x, int64_t n);
    void (*multiply)(float *x, float factor, int64_t n);
    void (*add)(float *to, const float *from, int64_t n);
    /* mean += share (w - mean): a mean that is reached stays. */
    void (*follow)(float *mean, const float *w, float share, int64_t n);
    /* g += factor (w - w0); w0 NULL: factor w. */
    void (*pull)(float *g, const float *w, const float *w0, float factor, int64_t n);
} tl_optim_kernels;

extern const tl_optim_kernels tl_optim_portable, tl_optim_avx2, tl_optim_avx512;
const tl_optim_kernels *tl_optim_chosen(void);
#endif
