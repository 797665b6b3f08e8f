/* solve.c -- a phase that trains the head alone: one pass of the frozen body gives features,
 * standardised features give a convex problem, L-BFGS solves it for each of a few penalties
 * from strong to weak, validation chooses, and the standardisation is folded into the layer.
 * Source: Kornblith et al. 2019, arXiv:1805.08974 (logistic probe with a sweep of L2).
 * Floor 3, train. */
#include "train/evaluate.h"
#include "train/features.h"
#include "core/machine.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The first is as good as infinite: what is left is the majority class. */
static const double penalties[] = { 1e3,  10.0, 3.0,  1.0,  0.3, 0.1,
                                    0.03, 0.01, 3e-3, 1e-3, 1e-4 };
enum { MOST_ITERATIONS = 1000, GIVE_UP_AFTER = 3 };

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

static tl_status fill_tables(tl_ctx *ctx, solver *s, const tl_checkpoint *from)
{
    tl_status rc;

    TL_TRY(tl_features_fill(ctx, s->t, from, &s->train, &s->valid));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->train.width, sizeof(double), &s->mean));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->train.width, sizeof(double), &s->scale));
    tl_table_moments(&s->train, s->mean, s->scale);
    tl_table_standardise(&s->train, s->mean, s->scale, ctx->world->threads);
    tl_table_standardise(&s->valid, s->mean, s->scale, ctx->world->threads);
done:
    return rc;
}

static tl_status open_solver(tl_ctx *ctx, solver *s)
{
    const int64_t classes = s->t->spec.dataset->classes, width = s->train.width;
    const size_t  n       = (size_t)(classes * (width + 1));
    tl_status     rc;

    TL_TRY(tl_tally_of(ctx, &s->t->spec, &s->tally));
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
    TL_TRY(tl_linear_new(ctx, s->t->spec.backend, s->t->spec.slab,
                         tl_linear_piece(s->train.rows), width, classes,
                         s->t->spec.dataset->task, s->class_weight, &s->linear));
done:
    return rc;
}

static tl_status watch(tl_ctx *ctx, void *user, int64_t iteration, double f)
{
    solver *s = user;

    (void)iteration;
    s->iterations++;
    tl_features_say(s->t, "head", s->iterations, 0, f);
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
    tl_tally_clear(&s->tally);
    TL_TRY(tl_linear_loss(ctx, s->linear, &s->train, s->w, &loss, NULL, &s->tally));
    s->t->train_known  = true;
    s->t->train_loss   = tl_tally_loss(&s->tally);
    s->t->train_metric = tl_tally_metric(&s->tally, s->t->spec.metric);
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
    if (!weight || !bias || bias < weight || weight->count != width * classes ||
        bias->count != classes)
        return tl_fail(ctx, TL_EUSAGE, s->t->model->arch.name,
                       "its head does not end in a linear layer with a bias, which is what is "
                       "solved (take route full)");
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

tl_status tl_solve_run(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *from)
{
    solver    s = { .t = t };
    tl_status rc;

    const tl_phase head = { .which = TL_TRAIN_HEAD };

    tl_train_select(t->model->params, &head, &t->spec.candidate.hyper);
    TL_TRY(fill_tables(ctx, &s, from));
    const double start = tl_time_s();
    TL_TRY(open_solver(ctx, &s));
    TL_TRY(choose_penalty(ctx, &s));
    TL_TRY(fold(ctx, &s));
    t->solving += tl_time_s() - start;
    t->at.step = s.iterations;
    snprintf(t->detail, sizeof t->detail, "l2 %g after %lld iterations in all", s.best_l2,
             (long long)s.iterations);
    TL_TRY(tl_trainer_judge(ctx, t, 0, s.best_metric, s.best_loss, (double)NAN));
    tl_features_say(t, "head", s.iterations, s.iterations, s.best_loss);
done:
    close_solver(ctx, &s);
    return rc;
}
