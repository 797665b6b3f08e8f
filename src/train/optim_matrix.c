/* optim_matrix.c -- optimisers that see a weight as a matrix: Adafactor, whose second moments are
 * one row and one column, and Muon, which turns momentum into the nearest orthogonal matrix.
 * A convolution's weight is [out, in * height * width] to both.
 * Sources: Shazeer and Stern 2018, arXiv:1804.04235, as torch.optim.Adafactor; Jordan et al.
 * 2024, kellerjordan.github.io/posts/muon, as torch.optim.Muon with the rates of AdamW
 * (adjust_lr_fn "match_rms_adamw", Liu et al. 2025, arXiv:2502.16982).  Floor 3, train. */
#include "tensor/ops.h"
#include "train/optim.h"

#include <float.h>
#include <math.h>

static const double SMALLEST = 1e-3; /* size of a parameter that Adafactor's rate goes by */
static const double MUON_EPS = 1e-7;
static const float  NEWTON[] = { 3.4445f, -4.7750f, 2.0315f };
enum { NEWTON_STEPS = 5 };

/* X [rows cols] with rows <= cols to the nearest orthogonal matrix, about. */
typedef struct product {
    struct product *next;
    int64_t         rows, cols;
    tl_graph       *g;
    tl_plan        *plan;
    tl_tensor       x, y;
    float          *in;    /* [rows cols] */
} product;

struct tl_optim_work {
    const tl_backend *backend;
    tl_slab          *slab;
    product          *first;
};

tl_status tl_optim_work_new(tl_ctx *ctx, const tl_backend *backend, tl_slab *slab,
                            tl_optim_work **out)
{
    const tl_status rc = tl_alloc(ctx, sizeof **out, out);

    if (rc == TL_OK) **out = (tl_optim_work){ .backend = backend, .slab = slab };
    return rc;
}

static void product_free(tl_ctx *ctx, product *p)
{
    if (!p) return;
    tl_plan_free(ctx, p->plan);
    tl_graph_free(ctx, p->g);
    tl_free(ctx, p->in);
    tl_free(ctx, p);
}

void tl_optim_work_free(tl_ctx *ctx, tl_optim_work *work)
{
    product *next;

    if (!work) return;
    for (product *p = work->first; p; p = next) {
        next = p->next;
        product_free(ctx, p);
    }
    tl_free(ctx, work);
}

size_t tl_optim_work_bytes(const tl_optim_work *work)
{
    size_t most = 0;

    for (const product *p = work ? work->first : NULL; p; p = p->next)
        most = TL_MAX(most, tl_plan_bytes(p->plan));
    return most;
}

/* Five steps of X <- a X + (b A + c A A) X with A = X X'. */
static tl_tensor newton_schulz(tl_graph *g, tl_tensor x)
{
    static const int turned[] = { 1, 0 };

    for (int i = 0; i < NEWTON_STEPS; i++) {
        const tl_tensor a = tl_dense(g, x, x, 0, TL_ACT_NONE);
        const tl_tensor b = tl_add(g, tl_scale(g, a, NEWTON[1]),
                                   tl_scale(g, tl_dense(g, a, a, 0, TL_ACT_NONE), NEWTON[2]),
                                   TL_ACT_NONE);
        const tl_tensor y = tl_dense(g, b, tl_transpose(g, x, turned), 0, TL_ACT_NONE);
        x                 = tl_add(g, tl_scale(g, x, NEWTON[0]), y, TL_ACT_NONE);
    }
    return x;
}

static tl_status product_new(tl_ctx *ctx, tl_optim_work *work, int64_t rows, int64_t cols,
                             product **out)
{
    product  *p = NULL;
    tl_status rc;

    TL_TRY(tl_alloc(ctx, sizeof *p, &p));
    *p = (product){ .rows = rows, .cols = cols };
    TL_TRY(tl_graph_new(ctx, &p->g));
    p->x = tl_graph_input(p->g, "x", TL_F32, TL_SHAPE(rows, cols));
    p->y = newton_schulz(p->g, p->x);
    tl_graph_keep(p->g, p->y, "y");
    TL_TRY(tl_graph_status(p->g));
    TL_TRY(tl_plan_new(ctx, p->g, work->backend, work->slab, &p->plan));
    TL_TRY(tl_alloc_array(ctx, (size_t)(rows * cols), sizeof *p->in, &p->in));
    TL_TRY(tl_plan_bind(ctx, p->plan, p->x, p->in));
    *out = p;
    p    = NULL;
done:
    product_free(ctx, p);
    return rc;
}

static tl_status product_of(tl_ctx *ctx, tl_optim_work *work, int64_t rows, int64_t cols,
                            product **out)
{
    tl_status rc;

    for (product *p = work->first; p; p = p->next)
        if (p->rows == rows && p->cols == cols) {
            *out = p;
            return TL_OK;
        }
    rc = product_new(ctx, work, rows, cols, out);
    if (rc != TL_OK) return rc;
    (*out)->next = work->first;
    work->first  = *out;
    return TL_OK;
}

static tl_status muon_prepare(tl_ctx *ctx, tl_optim_work *work, int64_t rows, int64_t cols)
{
    product *p;

    return product_of(ctx, work, TL_MIN(rows, cols), TL_MAX(rows, cols), &p);
}

static double squares_of(const float *x, int64_t n)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}

/* Nesterov's momentum into the product's input, on its side where it is tall, of norm 1. */
static void take_momentum(const tl_optim_settings *s, const tl_matrix *x, product *p)
{
    const float   keep = (float)s->momentum;
    const bool    tall = x->rows > x->cols;
    const int64_t n    = x->rows * x->cols;

    for (int64_t r = 0; r < x->rows; r++)
        for (int64_t c = 0; c < x->cols; c++) {
            const int64_t i = r * x->cols + c;
            const float   g = x->g[i];
            x->m[i] += (1.0f - keep) * (g - x->m[i]);
            p->in[tall ? c * x->rows + r : i] =
                s->nesterov ? g + keep * (x->m[i] - g) : x->m[i];
        }
    const float by = (float)(1.0 / fmax(sqrt(squares_of(p->in, n)), MUON_EPS));
    for (int64_t i = 0; i < n; i++) p->in[i] *= by;
}

static tl_status muon_matrix(tl_ctx *ctx, tl_optim_work *work, const tl_optim_settings *s,
                             double lr, double decay, int64_t step, const tl_matrix *x)
{
    const bool   tall   = x->rows > x->cols;
    const float  shrink = (float)(1.0 - lr * decay);
    const double most   = (double)TL_MAX(x->rows, x->cols);
    const float  rate   = (float)(lr * 0.2 * sqrt(most));
    product     *p;
    tl_status    rc;

    (void)step;
    TL_TRY(product_of(ctx, work, TL_MIN(x->rows, x->cols), TL_MAX(x->rows, x->cols), &p));
    take_momentum(s, x, p);
    tl_plan_weights_changed(p->plan);
    TL_TRY(tl_plan_run(ctx, p->plan, (tl_tick){ 0 }));
    const float *y = tl_plan_data(p->plan, p->y);
    for (int64_t r = 0; r < x->rows; r++)
        for (int64_t c = 0; c < x->cols; c++) {
            const int64_t i = r * x->cols + c;
            x->w[i] = x->w[i] * shrink - rate * y[tall ? c * x->rows + r : i];
        }
done:
    return rc;
}

const tl_optimizer tl_optimizer_muon = {
    .name      = "muon",
    .doc       = "momentum made orthogonal for matrices, AdamW for the rest",
    .source    = "Jordan et al. 2024, kellerjordan.github.io/posts/muon; torch.optim.Muon",
    .moments   = 2,
    .decoupled = true,
    .rate      = 1.0,
    .momentum  = 0.95,
    .step      = tl_adamw_step,
    .matrix    = muon_matrix,
    .prepare   = muon_prepare,
};

static bool factored(int64_t rows, int64_t cols)
{
    return rows > 1 && cols > 1;
}

static int64_t adafactor_state(int64_t rows, int64_t cols)
{
    return ((factored(rows, cols) ? rows + cols : rows * cols) + 15) / 16 * 16;
}

static void move_to(float *value, double target, double share)
{
    *value += (float)share * ((float)target - *value);
}

/* m: a mean square a row, then a mean square a column.  Returns the mean of the rows'. */
static double note_squares(const tl_matrix *x, double share)
{
    double mean = 0.0;

    for (int64_t r = 0; r < x->rows; r++) {
        move_to(&x->m[r], squares_of(x->g + r * x->cols, x->cols) / (double)x->cols, share);
        mean += (double)x->m[r];
    }
    for (int64_t c = 0; c < x->cols; c++) {
        double sum = 0.0;
        for (int64_t r = 0; r < x->rows; r++) {
            const double g = (double)x->g[r * x->cols + c];
            sum += g * g;
        }
        move_to(&x->m[x->rows + c], sum / (double)x->rows, share);
    }
    return mean / (double)x->rows;
}

/* The variance of element i, as the state has it. */
static double variance_at(const tl_matrix *x, int64_t i, double mean)
{
    if (!factored(x->rows, x->cols)) return (double)x->m[i];
    return (double)x->m[i / x->cols] * (double)x->m[x->rows + i % x->cols] /
           fmax(mean, (double)FLT_EPSILON);
}

static double adafactor_update(const tl_matrix *x, int64_t i, double mean)
{
    const double least = (double)FLT_EPSILON * (double)FLT_EPSILON;

    return (double)x->g[i] / sqrt(fmax(variance_at(x, i, mean), least));
}

static tl_status adafactor_matrix(tl_ctx *ctx, tl_optim_work *work,
                                  const tl_optim_settings *s, double lr, double decay,
                                  int64_t step, const tl_matrix *x)
{
    const int64_t n     = x->rows * x->cols;
    const double  share = pow((double)step, -0.8);
    const double  rate  = fmax(SMALLEST, sqrt(squares_of(x->w, n) / (double)n)) *
                        fmin(lr, 1.0 / sqrt((double)step));
    double mean = 0.0, size = 0.0;

    (void)ctx, (void)work, (void)s;
    for (int64_t i = 0; i < n && decay != 0.0; i++) x->w[i] *= (float)(1.0 - lr * decay);
    if (factored(x->rows, x->cols)) mean = note_squares(x, share);
    else
        for (int64_t i = 0; i < n; i++)
            move_to(&x->m[i], (double)x->g[i] * (double)x->g[i], share);
    for (int64_t i = 0; i < n; i++) {
        const double u = adafactor_update(x, i, mean);
        size += u * u;
    }
    size = fmax(1.0, sqrt(size / (double)n));
    for (int64_t i = 0; i < n; i++)
        x->w[i] -= (float)(rate / size * adafactor_update(x, i, mean));
    return TL_OK;
}

const tl_optimizer tl_optimizer_adafactor = {
    .name      = "adafactor",
    .doc       = "second moments kept as rows and columns; rates go by the weights' size",
    .source    = "Shazeer and Stern 2018, arXiv:1804.04235; torch.optim.Adafactor",
    .moments   = 1,
    .decoupled = true,
    .rate      = 20.0,
    .matrix    = adafactor_matrix,
    .vectors   = true,
    .state     = adafactor_state,
};
