/* optim.h -- optimisers and learning-rate schedules as rows of small records, and the passes
 * over gradients.  Floor 3, train. */
#ifndef TL_TRAIN_OPTIM_H
#define TL_TRAIN_OPTIM_H
#include "model/params.h"
#include "tensor/plan.h"

typedef struct {
    double lr, momentum, beta1, beta2, eps, weight_decay;
    bool   nesterov;
} tl_optim_settings;

/* What optimisers of whole matrices share in a run: plans of products, by shape. */
typedef struct tl_optim_work tl_optim_work;
tl_status tl_optim_work_new(tl_ctx *ctx, const tl_backend *backend, tl_slab *slab,
                            tl_optim_work **out);
void      tl_optim_work_free(tl_ctx *ctx, tl_optim_work *work);
size_t    tl_optim_work_bytes(const tl_optim_work *work); /* the largest of its plans */

/* One parameter: a matrix of rows and columns, or a vector (one row). */
typedef struct {
    int64_t      rows, cols;
    float       *w;
    const float *g;
    float       *m; /* its state, as long as tl_optim_layout laid out                        */
} tl_matrix;

/* Parameters that lie side by side, and their moments. */
typedef struct {
    int64_t      n;
    float       *w;
    const float *g;
    float        share;  /* of g that counts: less than 1 where gradients are clipped         */
    float       *m, *v;  /* NULL where the optimiser has none                                */
} tl_flat;

typedef struct {
    const char *name, *doc, *source;
    int         moments;      /* state floats per trained float: 0..2                        */
    bool        decoupled;    /* weight decay apart from the gradient (AdamW)                */
    double      rate;         /* a usual rate of it, as a multiple of AdamW's                */
    double      momentum, beta2; /* usual ones; 0: those of AdamW and SGD                    */
    /* One span at `lr`; step counts from 1.  Multi-threaded, same bits on any thread count. */
    void (*step)(const tl_optim_settings *s, double lr, double decay, int64_t step,
                 const tl_flat *x, int threads);
    /* A matrix of the body by itself; NULL: `step` takes all.  `vectors`: also takes vectors
     * and the head, and `step` nothing. */
    tl_status (*matrix)(tl_ctx *ctx, tl_optim_work *work, const tl_optim_settings *s,
                        double lr, double decay, int64_t step, const tl_matrix *x);
    bool        vectors;
    int64_t   (*state)(int64_t rows, int64_t cols); /* floats of `matrix`; NULL: as many      */
    tl_status (*prepare)(tl_ctx *ctx, tl_optim_work *work, int64_t rows, int64_t cols);
} tl_optimizer;
const tl_optimizer *tl_optimizer_at(size_t i);
const tl_optimizer *tl_optimizer_find(const char *name);
bool      tl_optim_by_matrix(const tl_optimizer *o, const tl_span *span);
/* Places of every span's state, and how much there is in all. */
void      tl_optim_layout(const tl_optimizer *o, tl_span *span, int32_t spans,
                          int64_t *m_floats, int64_t *v_floats);
extern const tl_optimizer tl_optimizer_adafactor, tl_optimizer_muon; /* optim_matrix.c */
/* AdamW's step, which Muon takes for what is no matrix. */
void      tl_adamw_step(const tl_optim_settings *s, double lr, double decay, int64_t step,
                        const tl_flat *x, int threads);

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
const tl_schedule *tl_schedule_at(size_t i);
const tl_schedule *tl_schedule_find(const char *name);
/* With linear warmup over the first `warmup` steps: (step + 1) / (warmup + 1) of the rate; the
 * schedule covers the rest.  settings NULL: the schedule's own. */
double tl_schedule_factor(const tl_schedule *s, int64_t step, int64_t total,
                          int64_t warmup, const double settings[2]);
#endif
