/* solve.c -- a phase that trains the head alone: one pass of the frozen body gives features,
 * standardised features give a convex problem, L-BFGS solves it for each of a few penalties
 * from strong to weak, validation chooses, and the standardisation is folded into the layer.
 * Source: Kornblith et al. 2019, arXiv:1805.08974 (logistic probe with a sweep of L2).
 * Floor 3, train. */
#include "train/linear.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The first is as good as infinite: what is left is the majority class. */
static const double penalties[] = { 1e3,  10.0, 3.0,  1.0,  0.3, 0.1,
                                    0.03, 0.01, 3e-3, 1e-3, 1e-4 };
enum { MOST_ITERATIONS = 1000, GIVE_UP_AFTER = 3, PIECE = 256 };

typedef struct {
    tl_trainer *t;
    tl_table    train, valid;
    double     *mean, *scale;  /* [width]                                                    */
    tl_linear  *linear;
    float      *class_weight;
    double     *w, *best_w;    /* [classes (width + 1)]                                      */
    double      best_loss, best_metric, best_l2;
    tl_tally    tally;
    int64_t     iterations;
} solver;

static void say(tl_trainer *t, const char *phase, int64_t step, int64_t steps,
                double loss)
{
    tl_progress p = { .phase       = phase,
                      .epoch       = 1,
                      .epochs      = 1,
                      .step        = step,
                      .steps       = steps,
                      .loss        = loss,
                      .metric      = (double)NAN,
                      .lr          = (double)NAN,
                      .eta_seconds = (double)NAN };

    if (step > 0 && steps > 0)
        p.eta_seconds = tl_trainer_seconds(t) / (double)step * (double)(steps - step);
    tl_trainer_say(t, &p, step <= 1 || step == steps);
}

/* Features of `rows`, in order, into x. */
static tl_status gather(tl_ctx *ctx, tl_trainer *t, tl_predictor *body, tl_rows rows,
                        int64_t width, int64_t before, int64_t all, float *x)
{
    const float *known = t->spec.features;
    tl_status    rc    = TL_OK;

    for (int64_t i = 0; known && i < rows.count; i++)
        memcpy(x + i * width, known + rows.row[i] * width, (size_t)width * sizeof *x);
    for (int64_t at = 0; !known && at < rows.count; at += PIECE) {
        const tl_rows piece = { rows.row + at, TL_MIN((int64_t)PIECE, rows.count - at) };
        say(t, "features", before + at, all, (double)NAN);
        TL_TRY(tl_predictor_rows(ctx, body, t->spec.cache, piece, x + at * width));
    }
done:
    return rc;
}

static tl_status body_of(tl_ctx *ctx, const tl_run_spec *spec, const tl_model *model,
                         tl_predictor **out)
{
    return tl_predictor_new(ctx, model, TL_PART_BODY,
                            TL_MIN(spec->micro_batch, (int64_t)32), spec->backend,
                            spec->slab, spec->dtype, out);
}

static tl_status fill_table(tl_ctx *ctx, solver *s, tl_predictor *body, tl_rows rows,
                            int64_t width, int64_t before, tl_table *table)
{
    const tl_run_spec *spec = &s->t->spec;
    const int64_t      all  = spec->train.count + spec->valid.count;
    tl_status          rc;

    TL_TRY(tl_table_new(ctx, rows.count, width, table));
    for (int64_t i = 0; i < rows.count; i++)
        table->label[i] = spec->dataset->label[rows.row[i]];
    rc = gather(ctx, s->t, body, rows, width, before, all, table->x);
done:
    return rc;
}

static tl_status fill_tables(tl_ctx *ctx, solver *s)
{
    const tl_run_spec *spec  = &s->t->spec;
    const int64_t      width = tl_arch_features(ctx, &s->t->model->arch);
    tl_predictor      *body  = NULL;
    tl_status          rc;

    if (width < 0) return ctx->status;
    if (!spec->features) TL_TRY(body_of(ctx, spec, s->t->model, &body));
    TL_TRY(fill_table(ctx, s, body, spec->train, width, 0, &s->train));
    TL_TRY(fill_table(ctx, s, body, spec->valid, width, spec->train.count, &s->valid));
    TL_TRY(tl_alloc_array(ctx, (size_t)width, sizeof(double), &s->mean));
    TL_TRY(tl_alloc_array(ctx, (size_t)width, sizeof(double), &s->scale));
    tl_table_moments(&s->train, s->mean, s->scale);
    tl_table_standardise(&s->train, s->mean, s->scale, ctx->world->threads);
    tl_table_standardise(&s->valid, s->mean, s->scale, ctx->world->threads);
done:
    tl_predictor_free(ctx, body);
    return rc;
}

static tl_status open_solver(tl_ctx *ctx, solver *s)
{
    const int64_t classes = s->t->spec.dataset->classes, width = s->train.width;
    const size_t  n       = (size_t)(classes * (width + 1));
    tl_status     rc;

    TL_TRY(tl_tally_new(ctx, classes, &s->tally));
    TL_TRY(tl_alloc_array(ctx, n, sizeof(double), &s->w));
    TL_TRY(tl_alloc_array(ctx, n, sizeof(double), &s->best_w));
    if (s->t->spec.candidate.hyper.class_weights) {
        TL_TRY(tl_alloc_array(ctx, (size_t)classes, sizeof(float), &s->class_weight));
        for (int64_t i = 0; i < s->train.rows; i++)
            s->class_weight[s->train.label[i]] += 1.0f;
        for (int64_t c = 0; c < classes; c++)
            s->class_weight[c] = (float)s->train.rows /
                                 ((float)classes * fmaxf(s->class_weight[c], 1.0f));
    }
    TL_TRY(tl_linear_new(ctx, s->t->spec.backend, s->t->spec.slab, s->train.room, width,
                         classes, s->class_weight, &s->linear));
done:
    return rc;
}

static tl_status watch(tl_ctx *ctx, void *user, int64_t iteration, double f)
{
    solver *s = user;

    (void)iteration;
    s->iterations++;
    say(s->t, "head", s->iterations, 0, f);
    if (tl_cancelled(ctx)) return tl_fail(ctx, TL_ECANCEL, "head", "interrupted");
    return TL_OK;
}

/* Solves from s->w on and scores on validation. */
static tl_status solve_one(tl_ctx *ctx, solver *s, double l2, double tolerance,
                           double *loss, double *metric)
{
    const tl_linear_settings settings = { .l2              = l2,
                                          .tolerance       = tolerance,
                                          .after           = watch,
                                          .most_iterations = MOST_ITERATIONS,
                                          .user            = s };
    tl_lbfgs_result r;
    tl_status       rc;

    TL_TRY(tl_linear_fit(ctx, s->linear, &s->train, &settings, s->w, &r));
    s->t->at.flops += (double)r.calls * tl_linear_flops(s->linear, &s->train);
    tl_tally_clear(&s->tally);
    TL_TRY(tl_linear_loss(ctx, s->linear, &s->valid, s->w, loss, NULL, &s->tally));
    *loss   = tl_tally_loss(&s->tally);
    *metric = tl_tally_metric(&s->tally, s->t->spec.metric);
done:
    return rc;
}

static tl_status choose_penalty(tl_ctx *ctx, solver *s)
{
    const size_t bytes = (size_t)(s->tally.classes * (s->train.width + 1)) * sizeof *s->w;
    const double asked = s->t->spec.candidate.hyper.l2_head;
    double       loss, metric;
    int          worse = 0;
    tl_status    rc    = TL_OK;

    s->best_loss = INFINITY;
    s->best_l2   = asked >= 0.0 ? asked : penalties[0];
    for (size_t i = 0; asked < 0.0 && i < TL_COUNT(penalties) && worse < GIVE_UP_AFTER;
         i++) {
        TL_TRY(solve_one(ctx, s, penalties[i], 1e-4, &loss, &metric));
        worse = loss < s->best_loss ? 0 : worse + 1;
        if (worse) continue;
        s->best_loss = loss;
        s->best_l2   = penalties[i];
        memcpy(s->best_w, s->w, bytes);
    }
    memcpy(s->w, s->best_w, bytes);
    TL_TRY(solve_one(ctx, s, s->best_l2, 1e-5, &s->best_loss, &s->best_metric));
done:
    return rc;
}

/* W x' + b with x' = (x - mean) scale is (W scale) x + (b - W scale mean). */
static tl_status fold(tl_ctx *ctx, solver *s)
{
    tl_params    *params = s->t->model->params;
    const int64_t width = s->train.width, classes = s->tally.classes;
    tl_param     *weight = NULL, *bias = NULL;

    for (int32_t i = 0; i < params->count; i++) {
        tl_param *p = &params->param[i];
        if (p->head && p->role == TL_ROLE_WEIGHT) weight = p;
        if (p->head && p->role == TL_ROLE_BIAS) bias = p;
    }
    if (!weight || !bias || weight->count != width * classes || bias->count != classes)
        return tl_fail(ctx, TL_EUSAGE, s->t->model->arch.name,
                       "its head is not one linear layer");
    for (int64_t c = 0; c < classes; c++) {
        double b = s->w[classes * width + c];
        for (int64_t k = 0; k < width; k++) {
            const double w = s->w[c * width + k] * s->scale[k];
            tl_params_value(params, weight)[c * width + k] = (float)w;
            b -= w * s->mean[k];
        }
        tl_params_value(params, bias)[c] = (float)b;
    }
    return TL_OK;
}

static void close_solver(tl_ctx *ctx, solver *s)
{
    tl_linear_free(ctx, s->linear);
    tl_table_free(ctx, &s->train);
    tl_table_free(ctx, &s->valid);
    tl_tally_free(ctx, &s->tally);
    tl_free(ctx, s->mean);
    tl_free(ctx, s->scale);
    tl_free(ctx, s->class_weight);
    tl_free(ctx, s->w);
    tl_free(ctx, s->best_w);
}

/* The forward pass over what was not given, in FLOPs of products. */
static tl_status body_flops(tl_ctx *ctx, const tl_run_spec *spec, const tl_arch *arch,
                            double *out)
{
    tl_graph *g   = NULL;
    tl_params *p  = NULL;
    tl_net    net = { .ctx = ctx, .dtype = spec->dtype };
    tl_built  built;
    tl_status rc;

    *out = 0.0;
    TL_TRY(tl_graph_new(ctx, &g));
    TL_TRY(tl_params_new(ctx, &p));
    net.g      = g;
    net.params = p;
    TL_TRY(tl_arch_build(&net, arch, 1, TL_PART_BODY, &built));
    *out = tl_graph_flops(g);
done:
    tl_graph_free(ctx, g);
    tl_params_free(ctx, p);
    return rc;
}

tl_status tl_solve_run(tl_ctx *ctx, tl_trainer *t)
{
    solver    s = { .t = t };
    double    flops;
    tl_status rc;

    tl_train_select(t->model->params, TL_TRAIN_HEAD, 1.0);
    say(t, t->spec.features ? "head" : "features", 0, t->spec.train.count, (double)NAN);
    TL_TRY(body_flops(ctx, &t->spec, &t->model->arch, &flops));
    TL_TRY(fill_tables(ctx, &s));
    if (!t->spec.features)
        t->at.flops += flops * (double)(t->spec.train.count + t->spec.valid.count);
    TL_TRY(open_solver(ctx, &s));
    TL_TRY(choose_penalty(ctx, &s));
    TL_TRY(fold(ctx, &s));
    t->at.step = s.iterations;
    snprintf(t->detail, sizeof t->detail, "l2 %g after %lld iterations in all", s.best_l2,
             (long long)s.iterations);
    TL_TRY(tl_trainer_judge(ctx, t, 0, s.best_metric, s.best_loss, (double)NAN));
    say(t, "head", s.iterations, s.iterations, s.best_loss);
done:
    close_solver(ctx, &s);
    return rc;
}

tl_status tl_run_features(tl_ctx *ctx, const tl_run_spec *spec, tl_rows rows,
                          float *features)
{
    tl_run_spec   one   = *spec;
    tl_trainer    t     = { 0 };
    tl_predictor *body  = NULL;
    float        *x     = NULL;
    int64_t       width;
    tl_status     rc;

    one.features    = NULL;
    one.micro_batch = spec->micro_batch > 0 ? spec->micro_batch : 32;
    t.spec          = one;
    TL_TRY(tl_trainer_model(ctx, &one, &t.model));
    TL_TRY(body_of(ctx, &one, t.model, &body));
    width = tl_predictor_width(body);
    TL_TRY(tl_alloc_array(ctx, PIECE * sizeof *x, (size_t)width, &x));
    for (int64_t at = 0; at < rows.count; at += PIECE) {
        const tl_rows piece = { rows.row + at, TL_MIN((int64_t)PIECE, rows.count - at) };
        say(&t, "features", at, rows.count, (double)NAN);
        TL_TRY(tl_predictor_rows(ctx, body, spec->cache, piece, x));
        for (int64_t i = 0; i < piece.count; i++)
            memcpy(features + piece.row[i] * width, x + i * width,
                   (size_t)width * sizeof *x);
    }
done:
    tl_predictor_free(ctx, body);
    tl_model_free(ctx, t.model);
    tl_free(ctx, x);
    return rc;
}
