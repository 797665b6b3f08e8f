/* optim.h -- optimisers and learning-rate schedules as rows of small records, and the passes
 * over gradients.  Floor 3, train. */
#ifndef TL_TRAIN_OPTIM_H
#define TL_TRAIN_OPTIM_H
#include "model/params.h"

typedef struct {
    double lr, momentum, beta1, beta2, eps, weight_decay;
    bool   nesterov;
} tl_optim_settings;

typedef struct {
    const char *name, *doc, *source;
    int         moments;      /* state floats per trained float: 0..2                        */
    bool        decoupled;    /* weight decay apart from the gradient (AdamW)                */
    /* One span at `lr`; step counts from 1; m, v as the gradient.  Multi-threaded, same bits on
     * any thread count. */
    void (*step)(const tl_optim_settings *s, double lr, double decay, int64_t step,
                 int64_t n, float *w, const float *g, float *m, float *v, int threads);
} tl_optimizer;
const tl_optimizer *tl_optimizer_at(size_t i); /* sgd, adam, adamw */
const tl_optimizer *tl_optimizer_find(const char *name);

/* Sum of squares of n floats in one fixed order; not finite where one of them is not, or is
 * beyond 1e19.  `part` has room for tl_squares_parts(n) doubles. */
int64_t tl_squares_parts(int64_t n);
double  tl_squares(const float *x, int64_t n, double *part, int threads);
void    tl_add_into(float *to, const float *from, int64_t n, int threads); /* to += from */
void    tl_multiply(float *x, int64_t n, float factor, int threads);

typedef struct {
    const char *name, *doc, *source;
    double (*factor)(double at, double total, const double settings[2]); /* of lr; at in
                                            [0, total) steps after warmup                    */
} tl_schedule;
const tl_schedule *tl_schedule_at(size_t i);   /* constant, step, cosine, one-cycle, linear */
const tl_schedule *tl_schedule_find(const char *name);
/* With linear warmup over the first `warmup` steps: (step + 1) / (warmup + 1) of the rate; the
 * schedule covers the rest.  settings NULL: the schedule's own. */
double tl_schedule_factor(const tl_schedule *s, int64_t step, int64_t total,
                          int64_t warmup, const double settings[2]);
#endif
