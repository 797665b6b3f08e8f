/* optim.c -- SGD, Adam, AdamW and Lion over spans of the parameter block, and the passes over the
 * gradient block (sum, clip).
 * Sources: torch.optim; Kingma and Ba 2015; Loshchilov and Hutter 2019.  Floor 3, train. */
#include "train/optim.h"
#include "core/par.h"
#include "train/optim_kernels.h"

#include <math.h>
#include <string.h>

enum { GRAIN = 131072 };/* floats worth a thread of their own */

typedef struct {
    tl_update u;
    void (*run)(const tl_update *u, int64_t low, int64_t high);
} update_job;

static void update_piece(void *arg, int64_t low, int64_t high)
{
    const update_job *job = arg;

    job->run(&job->u, low, high);
}

static void update(update_job *job, const tl_flat *x, int threads)
{
    job->u.w     = x->w;
    job->u.g     = x->g;
    job->u.share = x->share;
    tl_par_for(threads, x->n, GRAIN, update_piece, job);
}

static void sgd_step(const tl_optim_settings *s, double lr, double decay, int64_t step,
                     const tl_flat *x, int threads)
{
    const float momentum = (float)s->momentum;
    update_job  job      = { .run           = tl_optim_chosen()->sgd,
                             .u.m           = s->momentum > 0.0 ? x->m : NULL,
                             .u.lr          = (float)lr,
                             .u.decay       = (float)decay,
                             .u.momentum    = momentum,
                             .u.of_gradient = s->nesterov ? 1.0f : 0.0f,
                             .u.of_momentum = s->nesterov ? momentum : 1.0f };

    (void)step;
    update(&job, x, threads);
}

static update_job adam_job(const tl_optim_settings *s, double lr, int64_t step,
                           const tl_flat *x)
{
    return (update_job){ .run      = tl_optim_chosen()->adam,
                         .u.m      = x->m,
                         .u.v      = x->v,
                         .u.lr     = (float)(lr / (1.0 - pow(s->beta1, (double)step))),
                         .u.shrink = 1.0f,
                         .u.beta1  = (float)s->beta1,
                         .u.beta2  = (float)s->beta2,
                         .u.eps    = (float)s->eps,
                         .u.root   = (float)sqrt(1.0 - pow(s->beta2, (double)step)) };
}

static void adam_step(const tl_optim_settings *s, double lr, double decay, int64_t step,
                      const tl_flat *x, int threads)
{
    update_job job = adam_job(s, lr, step, x);

    job.u.decay = (float)decay;
    update(&job, x, threads);
}

void tl_adamw_step(const tl_optim_settings *s, double lr, double decay, int64_t step,
                   const tl_flat *x, int threads)
{
    update_job job = adam_job(s, lr, step, x);

    job.u.shrink = (float)(1.0 - lr * decay);
    update(&job, x, threads);
}

static void lion_step(const tl_optim_settings *s, double lr, double decay, int64_t step,
                      const tl_flat *x, int threads)
{
    update_job job = { .run      = tl_optim_chosen()->lion,
                       .u.m      = x->m,
                       .u.lr     = (float)lr,
                       .u.shrink = (float)(1.0 - lr * decay),
                       .u.beta1  = (float)s->beta1,
                       .u.beta2  = (float)s->beta2 };

    (void)step;
    update(&job, x, threads);
}

static const tl_optimizer sgd = {
    .name    = "sgd",
    .doc     = "stochastic gradient descent with momentum",
    .source  = "Robbins and Monro 1951; torch.optim.SGD",
    .moments = 1,
    .rate    = 30.0,
    .step    = sgd_step,
};
static const tl_optimizer adam = {
    .name    = "adam",
    .doc     = "adaptive moments",
    .source  = "Kingma and Ba 2015, arXiv:1412.6980",
    .moments = 2,
    .rate    = 1.0,
    .step    = adam_step,
};
static const tl_optimizer adamw = {
    .name      = "adamw",
    .doc       = "Adam with decay apart from the gradient",
    .source    = "Loshchilov and Hutter 2019, arXiv:1711.05101",
    .moments   = 2,
    .decoupled = true,
    .rate      = 1.0,
    .step      = tl_adamw_step,
};
static const tl_optimizer lion = {
    .name      = "lion",
    .doc       = "the sign of momentum",
    .source    = "Chen et al. 2023, arXiv:2302.06675",
    .moments   = 1,
    .decoupled = true,
    .rate      = 0.2,
    .beta2     = 0.99,
    .step      = lion_step,
};

static const tl_optimizer *const optimizers[] = { &sgd,  &adam, &adamw,
                                                  &lion, &tl_optimizer_adafactor,
                                                  &tl_optimizer_muon };

const tl_optimizer *tl_optimizer_at(size_t i)
{
    return i < TL_COUNT(optimizers) ? optimizers[i] : NULL;
}

const tl_optimizer *tl_optimizer_find(const char *name)
{
    for (size_t i = 0; i < TL_COUNT(optimizers); i++)
        if (strcmp(optimizers[i]->name, name) == 0) return optimizers[i];
    return NULL;
}

bool tl_optim_by_matrix(const tl_optimizer *o, const tl_span *span)
{
    return o->matrix && (o->vectors || (span->rows > 1 && !span->head));
}

void tl_optim_layout(const tl_optimizer *o, tl_span *span, int32_t spans,
                     int64_t *m_floats, int64_t *v_floats)
{
    *m_floats = *v_floats = 0;
    for (int32_t i = 0; i < spans; i++) {
        const bool    matrix = tl_optim_by_matrix(o, &span[i]);
        const int64_t all    = (span[i].count + 15) / 16 * 16;
        span[i].m_at         = *m_floats;
        span[i].v_at         = *v_floats;
        if (matrix && o->state) *m_floats += o->state(span[i].rows, span[i].cols);
        else if (o->moments > 0) *m_floats += all;
        if (!matrix && o->moments > 1) *v_floats += all;
    }
}

typedef struct {
    const tl_optim_kernels *k;
    const float *x;
    float       *to, factor;
    double      *part;
    int64_t      n;
} pass_job;

static void squares_piece(void *arg, int64_t low, int64_t high)
{
    const pass_job *job = arg;

    for (int64_t b = low; b < high; b++) {
        const int64_t at = b * TL_SUM_BLOCK;
        job->part[b] = job->k->squares(job->x + at, TL_MIN(TL_SUM_BLOCK, job->n - at));
    }
}

int64_t tl_squares_parts(int64_t n)
{
    return (n + TL_SUM_BLOCK - 1) / TL_SUM_BLOCK;
}

double tl_squares(const float *x, int64_t n, double *part, int threads)
{
    pass_job job = { .k = tl_optim_chosen(), .x = x, .part = part, .n = n };
    double   sum = 0.0;

    tl_par_for(threads, tl_squares_parts(n), 2 * GRAIN / TL_SUM_BLOCK, squares_piece,
               &job);
    for (int64_t b = 0; b < tl_squares_parts(n); b++) sum += part[b];
    return sum;
}

static void add_piece(void *arg, int64_t low, int64_t high)
{
    const pass_job *job = arg;

    job->k->add(job->to + low, job->x + low, high - low);
}

void tl_add_into(float *to, const float *from, int64_t n, int threads)
{
    pass_job job = { .k = tl_optim_chosen(), .x = from, .to = to };

    tl_par_for(threads, n, 2 * GRAIN, add_piece, &job);
}

static void multiply_piece(void *arg, int64_t low, int64_t high)
{
    const pass_job *job = arg;

    job->k->multiply(job->to + low, job->factor, high - low);
}

void tl_multiply(float *x, int64_t n, float factor, int threads)
{
    pass_job job = { .k = tl_optim_chosen(), .to = x, .factor = factor };

    tl_par_for(threads, n, 2 * GRAIN, multiply_piece, &job);
}
