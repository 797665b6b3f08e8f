/* linear.c -- see linear.h.  Products run as a plan of the engine, over pieces of the table;
 * sums over pieces and the search itself are in double.  Floor 3, train. */
#include "train/linear.h"
#include "core/par.h"
#include "tensor/ops.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { PIECE = 2048 }; /* rows of a plan: bounds its memory whatever the table's size */

struct tl_linear {
    int64_t   rows, width, classes; /* rows of the plan */
    tl_graph *g;
    tl_plan  *plan;
    tl_tensor x, label, target, loss_rows, logits; /* label or target */
    const tl_task *task;
    const float *class_weight;
    float    *block;                /* all below, one allocation                             */
    float    *w, *b, *dw, *db, *row_weight, *row_loss;
    double    l2;
    const tl_table           *table;
    const tl_linear_settings *settings;
};

int64_t tl_linear_piece(int64_t rows)
{
    return TL_MAX((int64_t)1, TL_MIN(rows, (int64_t)PIECE));
}

tl_status tl_table_new(tl_ctx *ctx, int64_t rows, int64_t width, int64_t piece,
                       tl_table *out)
{
    const int64_t room = (rows + piece - 1) / piece * piece;
    tl_table      t     = { .rows = rows, .room = room, .width = width };
    tl_status     rc;

    *out = (tl_table){ 0 };
    TL_TRY(tl_alloc_array(ctx, (size_t)room, (size_t)width * sizeof *t.x, &t.x));
    TL_TRY(tl_alloc_array(ctx, (size_t)room, sizeof *t.label, &t.label));
    for (int64_t r = 0; r < room; r++) t.label[r] = -1;
    *out = t;
    t    = (tl_table){ 0 };
done:
    tl_table_free(ctx, &t);
    return rc;
}

void tl_table_free(tl_ctx *ctx, tl_table *t)
{
    tl_free(ctx, t->x);
    tl_free(ctx, t->label);
    tl_free(ctx, t->target);
    *t = (tl_table){ 0 };
}

tl_status tl_table_targets(tl_ctx *ctx, tl_table *t, int64_t targets)
{
    const tl_status rc = tl_alloc_array(ctx, (size_t)t->room, (size_t)targets * sizeof(float),
                                        &t->target);

    t->targets = rc == TL_OK ? targets : 0;
    return rc;
}

void tl_table_moments(const tl_table *t, double *mean, double *scale)
{
    const double n = (double)t->rows;

    memset(mean, 0, (size_t)t->width * sizeof *mean);
    memset(scale, 0, (size_t)t->width * sizeof *scale);
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->width; c++) mean[c] += (double)t->x[r * t->width + c];
    for (int64_t c = 0; c < t->width; c++) mean[c] /= n;
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->width; c++) {
            const double away = (double)t->x[r * t->width + c] - mean[c];
            scale[c] += away * away;
        }
    for (int64_t c = 0; c < t->width; c++) {
        const double sd = sqrt(scale[c] / n);
        scale[c]        = sd > 1e-6 * (fabs(mean[c]) + 1e-6) ? 1.0 / sd : 0.0;
    }
}

typedef struct { tl_table *t; const double *mean, *scale; } standardise_job;

static void standardise_piece(void *arg, int64_t low, int64_t high)
{
    const standardise_job *job   = arg;
    const int64_t          width = job->t->width;

    for (int64_t r = low; r < high; r++)
        for (int64_t c = 0; c < width; c++) {
            float *x = &job->t->x[r * width + c];
            *x       = (float)(((double)*x - job->mean[c]) * job->scale[c]);
        }
}

void tl_table_standardise(tl_table *t, const double *mean, const double *scale,
                          int threads)
{
    standardise_job job = { t, mean, scale };

    tl_par_for(threads, t->rows, 64, standardise_piece, &job);
}

static bool has_classes(const tl_linear *l)
{
    return !l->task || (!l->task->numbers && !tl_task_has_marks(l->task));
}

static tl_tensor loss_of(tl_linear *l, tl_tensor weight)
{
    tl_tensor class_weight = 0;

    if (!has_classes(l)) {
        l->target = tl_graph_input(l->g, "target", TL_F32, TL_SHAPE(l->rows, l->classes));
        return (l->task->numbers ? tl_mse : tl_bce)(l->g, l->logits, l->target, weight);
    }
    l->label = tl_graph_input(l->g, "label", TL_I32, TL_SHAPE(l->rows));
    if (l->class_weight)
        class_weight = tl_graph_input(l->g, "class_weight", TL_F32, TL_SHAPE(l->classes));
    return tl_cross_entropy(l->g, l->logits, l->label, weight, class_weight, 0.0f);
}

static tl_status build(tl_ctx *ctx, tl_linear *l)
{
    tl_graph *g;
    tl_tensor w, b, weight, loss;
    tl_status rc;

    TL_TRY(tl_graph_new(ctx, &l->g));
    g         = l->g;
    l->x      = tl_graph_input(g, "x", TL_F32, TL_SHAPE(l->rows, l->width));
    weight    = tl_graph_input(g, "weight", TL_F32, TL_SHAPE(l->rows));
    w         = tl_graph_param(g, "w", TL_SHAPE(l->classes, l->width), true);
    b         = tl_graph_param(g, "b", TL_SHAPE(l->classes), true);
    l->logits = tl_dense(g, l->x, w, b, TL_ACT_NONE);
    loss      = loss_of(l, weight);
    l->loss_rows = tl_graph_out(g, loss, 1);
    tl_graph_keep(g, l->logits, "logits");
    tl_graph_keep(g, l->loss_rows, "loss_rows");
    tl_graph_backward(g, loss);
    TL_TRY(tl_graph_status(g));
    return TL_OK;
done:
    return rc;
}

static tl_status bind(tl_ctx *ctx, tl_linear *l, tl_slab *slab, const tl_backend *backend)
{
    const tl_tensor w = tl_graph_find(l->g, "w"), b = tl_graph_find(l->g, "b");
    tl_status       rc;

    TL_TRY(tl_plan_new(ctx, l->g, backend, slab, &l->plan));
    TL_TRY(tl_plan_bind(ctx, l->plan, w, l->w));
    TL_TRY(tl_plan_bind(ctx, l->plan, b, l->b));
    TL_TRY(tl_plan_bind(ctx, l->plan, tl_graph_gradient(l->g, w), l->dw));
    TL_TRY(tl_plan_bind(ctx, l->plan, tl_graph_gradient(l->g, b), l->db));
    TL_TRY(tl_plan_bind(ctx, l->plan, l->loss_rows, l->row_loss));
    TL_TRY(tl_plan_bind(ctx, l->plan, tl_graph_find(l->g, "weight"), l->row_weight));
    if (l->class_weight)
        TL_TRY(tl_plan_bind(ctx, l->plan, tl_graph_find(l->g, "class_weight"),
                            (void *)(uintptr_t)l->class_weight));
done:
    return rc;
}

tl_status tl_linear_new(tl_ctx *ctx, const tl_backend *backend, tl_slab *slab,
                        int64_t piece, int64_t width, int64_t classes, const tl_task *task,
                        const float *class_weight, tl_linear **out)
{
    /* each part at a multiple of 16 floats, as plans ask of what is bound */
    const int64_t n = (classes * width + 15) / 16 * 16, c = (classes + 15) / 16 * 16;
    tl_linear    *l = NULL;
    tl_status     rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *l, &l));
    l->rows         = piece;
    l->width        = width;
    l->classes      = classes;
    l->task         = task;
    l->class_weight = class_weight;
    TL_TRY(tl_alloc_array(ctx, (size_t)(2 * n + 2 * c + 2 * (l->rows + 15)),
                          sizeof(float), &l->block));
    l->w          = l->block;
    l->dw         = l->w + n;
    l->b          = l->dw + n;
    l->db         = l->b + c;
    l->row_weight = l->db + c;
    l->row_loss   = l->row_weight + (l->rows + 15) / 16 * 16;
    TL_TRY(build(ctx, l));
    TL_TRY(bind(ctx, l, slab, backend));
    *out = l;
    l    = NULL;
done:
    tl_linear_free(ctx, l);
    return rc;
}

void tl_linear_free(tl_ctx *ctx, tl_linear *l)
{
    if (!l) return;
    tl_plan_free(ctx, l->plan);
    tl_graph_free(ctx, l->g);
    tl_free(ctx, l->block);
    tl_free(ctx, l);
}

double tl_linear_flops(const tl_linear *l, const tl_table *t)
{
    return tl_graph_flops(l->g) * (double)(t->room / l->rows);
}

size_t tl_linear_bytes(const tl_linear *l)
{
    return tl_plan_bytes(l->plan);
}

static double weight_of(const tl_linear *l, int32_t label)
{
    return l->class_weight ? (double)l->class_weight[label] : 1.0;
}

static void add_piece(const tl_linear *l, double *gradient)
{
    for (int64_t i = 0; i < l->classes * l->width; i++) gradient[i] += (double)l->dw[i];
    gradient += l->classes * l->width;
    for (int64_t c = 0; c < l->classes; c++) gradient[c] += (double)l->db[c];
}

static void tally_piece(tl_linear *l, const tl_table *t, int64_t at, tl_tally *tally)
{
    const float *logits = tl_plan_data(l->plan, l->logits);

    for (int64_t r = 0; r < l->rows && at + r < t->rows; r++) {
        const float *y = logits + r * l->classes;
        const float *target = t->target ? t->target + (at + r) * t->targets : NULL;
        if (t->tagged) tl_tally_at(tally, t->tagged, t->row[at + r]);
        if (l->task && l->task->several) tl_tally_row_marks(tally, y, target);
        else tl_tally_row(tally, y, t->label[at + r],
                          l->task && l->task->numbers ? (double)*target : 0.0);
    }
}

tl_status tl_linear_loss(tl_ctx *ctx, tl_linear *l, const tl_table *t, const double *w,
                         double *loss, double *gradient, tl_tally *tally)
{
    const int64_t n     = l->classes * l->width;
    double        total = 0.0;
    tl_status     rc    = TL_OK;

    assert(t->room % l->rows == 0 && t->width == l->width);
    assert(has_classes(l) || t->targets == l->classes);
    *loss = 0.0;
    for (int64_t r = 0; r < t->rows; r++) total += weight_of(l, t->label[r]);
    for (int64_t i = 0; i < n; i++) l->w[i] = (float)w[i];
    for (int64_t c = 0; c < l->classes; c++) l->b[c] = (float)w[n + c];
    if (gradient) memset(gradient, 0, (size_t)(n + l->classes) * sizeof *gradient);
    tl_plan_weights_changed(l->plan);
    for (int64_t at = 0; at < t->rows; at += l->rows) {
        TL_TRY(tl_plan_bind(ctx, l->plan, l->x, t->x + at * t->width));
        /* a row beyond the table has no class; where targets are bound, no weight */
        for (int64_t r = 0; r < l->rows; r++)
            l->row_weight[r] = has_classes(l) || at + r < t->rows ? (float)(1.0 / total) : 0.0f;
        TL_TRY(has_classes(l)
                   ? tl_plan_bind(ctx, l->plan, l->label, t->label + at)
                   : tl_plan_bind(ctx, l->plan, l->target, t->target + at * t->targets));
        TL_TRY(tl_plan_run(ctx, l->plan, (tl_tick){ 0 }));
        for (int64_t r = 0; r < l->rows && at + r < t->rows; r++)
            *loss += (double)l->row_loss[r] / total;
        if (gradient) add_piece(l, gradient);
        if (tally) tally_piece(l, t, at, tally);
        if (tally && t->tagged && at + l->rows >= t->rows) tl_tally_at(tally, t->tagged, -1);
    }
done:
    return rc;
}

static tl_status penalised(tl_ctx *ctx, void *user, const double *w, double *f, double *g)
{
    tl_linear    *l = user;
    const int64_t n = l->classes * l->width;
    double        sum = 0.0;
    tl_status     rc;

    rc = tl_linear_loss(ctx, l, l->table, w, f, g, NULL);
    if (rc != TL_OK) return rc;
    for (int64_t i = 0; i < n; i++) {
        sum += w[i] * w[i];
        g[i] += l->l2 * w[i];
    }
    *f += 0.5 * l->l2 * sum;
    return TL_OK;
}

static tl_status after_step(tl_ctx *ctx, void *user, int64_t iteration, double f)
{
    const tl_linear_settings *settings = ((const tl_linear *)user)->settings;

    return settings->after ? settings->after(ctx, settings->user, iteration, f) : TL_OK;
}

tl_status tl_linear_fit(tl_ctx *ctx, tl_linear *l, const tl_table *t,
                        const tl_linear_settings *settings, double *w,
                        tl_lbfgs_result *out)
{
    const tl_lbfgs_spec spec = { .n               = l->classes * (l->width + 1),
                                 .value           = penalised,
                                 .after           = after_step,
                                 .user            = l,
                                 .tolerance       = settings->tolerance,
                                 .most_iterations = settings->most_iterations };

    l->table    = t;
    l->l2       = settings->l2;
    l->settings = settings;
    return tl_lbfgs(ctx, &spec, w, out);
}
