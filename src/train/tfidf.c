/* tfidf.c -- see tfidf.h.  Of one class of several the objective is scikit-learn's
 * LogisticRegression's,
 *     (1 / sum q) sum_i q_i (-log softmax(W x_i + b)[label_i]) + l2 / 2 |W|^2
 * with l2 = 1 / (C n), of two classes 2 / (C n); of several labels, ranks and numbers the mean of
 * what each output loses.  Classes are summed side by side, rows in order:
 * the same bits on any thread count.  Floor 3, train. */
#include "train/tfidf.h"
#include "core/par.h"
#include "train/evaluate.h"
#include "train/features.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* C of the penalties tried, strong first: of the first the majority class is all that is left. */
static const double strengths[] = { 1e-4, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0 };
enum {
    MOST_ITERATIONS = 300,
    GIVE_UP_AFTER   = 2,
    VECTORS         = 26, /* of the solver */
    SEEN_CALLS      = 250 /* of the loss, over all penalties: what was seen on real data */
};

typedef struct {
    tl_trainer *t;
    int64_t     words, classes, n;   /* n: of w, [classes words] then [classes] */
    double      l2, total;           /* total: of the rows' weights */
    double     *w, *best;
    bool        apart;               /* numbers, or outputs with marks: no softmax */
    double     *score;               /* [rows classes]: scores, then their gradient */
    double     *row_loss;            /* [rows] */
    double     *weight;              /* [classes] */
    const double *at;                /* of the call under way */
    double     *gradient;
    double      best_loss, best_strength;
    int64_t     iterations, calls;
} solver;

bool tl_arch_is_tfidf(const tl_arch *arch)
{
    return arch->family && strcmp(arch->family->name, "tfidf") == 0;
}

/* Of the words at most so many as rows have tokens. */
static double most_words(const tl_run_spec *spec)
{
    const double tokens = tl_cache_average(spec->cache, spec->train) * (double)spec->train.count;

    return fmin((double)spec->candidate.prep.text->size, fmax(1.0, tokens / 4.0));
}

size_t tl_tfidf_bytes(const tl_run_spec *spec)
{
    const double classes = (double)spec->dataset->classes;
    const double rows    = (double)(spec->train.count + 1);

    return (size_t)(sizeof(double) * classes * (most_words(spec) * VECTORS + rows)) +
           (size_t)(tl_cache_average(spec->cache, spec->train) * 8.0 *
                    (double)spec->dataset->rows);
}

double tl_tfidf_flops(const tl_run_spec *spec)
{
    return SEEN_CALLS * 4.0 * (double)spec->dataset->classes * (double)spec->train.count *
           tl_cache_average(spec->cache, spec->train);
}

static void score_classes(void *arg, int64_t low, int64_t high)
{
    const solver      *s    = arg;
    const tl_run_spec *spec = &s->t->spec;
    const int32_t     *id;
    const float       *x;

    for (int64_t c = low; c < high; c++) {
        const double *w = s->at + c * s->words;
        for (int64_t i = 0; i < spec->train.count; i++) {
            const int64_t n   = tl_cache_ids(spec->cache, spec->train.row[i], &id, &x);
            double        sum = s->at[s->classes * s->words + c];
            for (int64_t k = 0; k < n; k++) sum += (double)x[k] * w[id[k]];
            s->score[i * s->classes + c] = sum;
        }
    }
}

/* (1 / n) of a row's loss where each output is asked apart: a squared error, or the mean of what
 * the marks say; the scores become what they pull by. */
static double pull_apart(const solver *s, int64_t row, double *z)
{
    const tl_dataset *d = s->t->spec.dataset;
    const double      q = 1.0 / (s->total * (double)s->classes);
    double            loss = 0.0;

    if (d->task->numbers) {
        const double e = z[0] - tl_scaled_target(&s->t->spec, row);
        z[0]           = 2.0 * q * e;
        return q * e * e;
    }
    for (int64_t c = 0; c < s->classes; c++) {
        const double mark = tl_dataset_mark(d, row, c), x = z[c];
        z[c] = 0.0;
        if (mark < 0.0) continue;
        loss += q * (fmax(x, 0.0) - x * mark + log1p(exp(-fabs(x))));
        z[c] = q * (1.0 / (1.0 + exp(-x)) - mark);
    }
    return loss;
}

/* Loss of each row, its scores becoming what they pull by. */
static void softmax_rows(void *arg, int64_t low, int64_t high)
{
    const solver      *s    = arg;
    const tl_run_spec *spec = &s->t->spec;

    for (int64_t i = low; i < high && s->apart; i++)
        s->row_loss[i] = pull_apart(s, spec->train.row[i], s->score + i * s->classes);
    for (int64_t i = low; i < high && !s->apart; i++) {
        const int32_t label = spec->dataset->label[spec->train.row[i]];
        const double  q     = s->weight[label] / s->total;
        double       *z     = s->score + i * s->classes, top = z[0], sum = 0.0;
        for (int64_t c = 1; c < s->classes; c++) top = fmax(top, z[c]);
        const double own = z[label];
        for (int64_t c = 0; c < s->classes; c++) sum += z[c] = exp(z[c] - top);
        for (int64_t c = 0; c < s->classes; c++) z[c] *= q / sum;
        z[label] -= q;
        s->row_loss[i] = q * (log(sum) + top - own);
    }
}

static void pull_classes(void *arg, int64_t low, int64_t high)
{
    const solver      *s    = arg;
    const tl_run_spec *spec = &s->t->spec;
    const int32_t     *id;
    const float       *x;

    for (int64_t c = low; c < high; c++) {
        const double *w    = s->at + c * s->words;
        double       *g    = s->gradient + c * s->words;
        double        bias = 0.0;
        for (int64_t k = 0; k < s->words; k++) g[k] = s->l2 * w[k];
        for (int64_t i = 0; i < spec->train.count; i++) {
            const int64_t n = tl_cache_ids(spec->cache, spec->train.row[i], &id, &x);
            const double  r = s->score[i * s->classes + c];
            for (int64_t k = 0; k < n; k++) g[id[k]] += r * (double)x[k];
            bias += r;
        }
        s->gradient[s->classes * s->words + c] = bias;
    }
}

static tl_status value(tl_ctx *ctx, void *user, const double *x, double *f, double *g)
{
    solver       *s       = user;
    const int     threads = ctx->world->threads;
    const int64_t rows    = s->t->spec.train.count;
    double        square  = 0.0;

    s->at       = x;
    s->gradient = g;
    s->calls++;
    tl_par_for(threads, s->classes, 1, score_classes, s);
    tl_par_for(threads, rows, 256, softmax_rows, s);
    tl_par_for(threads, s->classes, 1, pull_classes, s);
    *f = 0.0;
    for (int64_t i = 0; i < rows; i++) *f += s->row_loss[i];
    for (int64_t k = 0; k < s->classes * s->words; k++) square += x[k] * x[k];
    *f += 0.5 * s->l2 * square;
    return TL_OK;
}

static tl_status watch(tl_ctx *ctx, void *user, int64_t iteration, double f)
{
    solver *s = user;

    (void)iteration;
    s->iterations++;
    tl_features_say(s->t, "words", s->iterations, 0, f);
    if (tl_cancelled(ctx)) return tl_fail(ctx, TL_ECANCEL, "words", "interrupted");
    return TL_OK;
}

static double score_of(const solver *s, const double *w, int64_t row, int64_t c)
{
    const int32_t *id;
    const float   *x;
    const int64_t  n   = tl_cache_ids(s->t->spec.cache, row, &id, &x);
    double         sum = w[s->classes * s->words + c];

    for (int64_t k = 0; k < n; k++) sum += (double)x[k] * w[c * s->words + id[k]];
    return sum;
}

static double loss_apart(const solver *s, const double *w, int64_t row)
{
    const tl_dataset *d   = s->t->spec.dataset;
    double            sum = 0.0;

    for (int64_t c = 0; c < s->classes; c++) {
        const double x = score_of(s, w, row, c);
        const double e = d->task->numbers ? x - tl_scaled_target(&s->t->spec, row) : 0.0;
        const double mark = d->task->numbers ? -1.0 : tl_dataset_mark(d, row, c);
        sum += e * e;
        if (mark >= 0.0) sum += fmax(x, 0.0) - x * mark + log1p(exp(-fabs(x)));
    }
    return sum / (double)s->classes;
}

static double loss_of_row(const solver *s, const double *w, int64_t row)
{
    const int32_t label = s->t->spec.dataset->label[row];
    double        sum = 0.0, top = -INFINITY, own = 0.0;
    const int32_t *id;
    const float   *x;

    if (s->apart) return loss_apart(s, w, row);
    for (int64_t c = 0; c < s->classes; c++) {
        const int64_t n = tl_cache_ids(s->t->spec.cache, row, &id, &x);
        double        z = w[s->classes * s->words + c];
        for (int64_t k = 0; k < n; k++) z += (double)x[k] * w[c * s->words + id[k]];
        if (c == label) own = z;
        sum = z > top ? sum * exp(top - z) + 1.0 : sum + exp(z - top);
        top = fmax(top, z);
    }
    return log(sum) + top - own;
}

static double valid_loss(const solver *s)
{
    const tl_rows *rows = &s->t->spec.valid;
    double         sum  = 0.0;

    for (int64_t i = 0; i < rows->count; i++) sum += loss_of_row(s, s->w, rows->row[i]);
    return sum / (double)rows->count;
}

static tl_status solve(tl_ctx *ctx, solver *s, double l2, double tolerance)
{
    const tl_lbfgs_spec spec = { .n               = s->n,
                                 .value           = value,
                                 .after           = watch,
                                 .user            = s,
                                 .tolerance       = tolerance,
                                 .most_iterations = MOST_ITERATIONS };
    tl_lbfgs_result     r;

    s->l2 = l2;
    return tl_lbfgs(ctx, &spec, s->w, &r);
}

/* The penalty that scikit-learn's C stands for: of two classes it has the weights of one, and the
 * two here, each half of it, are together half as far from 0. */
static double penalty_of(const solver *s, double strength)
{
    const double rows = (double)s->t->spec.train.count;

    return (s->classes == 2 && !s->apart ? 2.0 : 1.0) / (strength * rows);
}

/* From strong to weak, each from the one before; what was asked for is solved alone. */
static tl_status choose(tl_ctx *ctx, solver *s)
{
    const double asked = s->t->spec.candidate.hyper.l2_head;
    int          worse = 0;
    tl_status    rc    = TL_OK;

    s->best_loss = INFINITY;
    for (size_t i = 0; asked < 0.0 && i < TL_COUNT(strengths) && worse < GIVE_UP_AFTER; i++) {
        TL_TRY(solve(ctx, s, penalty_of(s, strengths[i]), 1e-5));
        const double loss = valid_loss(s);
        worse             = loss < s->best_loss ? 0 : worse + 1;
        if (worse) continue;
        s->best_loss     = loss;
        s->best_strength = strengths[i];
        memcpy(s->best, s->w, (size_t)s->n * sizeof *s->w);
    }
    if (asked >= 0.0) {
        TL_TRY(solve(ctx, s, asked, 1e-6));
        s->best_strength = penalty_of(s, fmax(1e-30, asked)); /* its own inverse */
        memcpy(s->best, s->w, (size_t)s->n * sizeof *s->w);
    }
done:
    return rc;
}

/* Inverse frequency where asked for, else 1. */
static void weigh_classes(solver *s)
{
    const tl_run_spec *spec = &s->t->spec;
    const tl_rows     *rows = &spec->train;

    for (int64_t i = 0; i < rows->count; i++) s->weight[spec->dataset->label[rows->row[i]]] += 1.0;
    for (int64_t c = 0; c < s->classes; c++)
        s->weight[c] = spec->candidate.hyper.class_weights
                           ? (double)rows->count / (double)s->classes / fmax(1.0, s->weight[c])
                           : 1.0;
    for (int64_t i = 0; i < rows->count; i++)
        s->total += s->weight[spec->dataset->label[rows->row[i]]];
}

static tl_status open_solver(tl_ctx *ctx, solver *s)
{
    const tl_run_spec *spec = &s->t->spec;
    const size_t       rows = (size_t)spec->train.count;
    tl_status          rc;

    s->classes = spec->dataset->classes;
    s->apart   = spec->dataset->task->numbers || tl_task_has_marks(spec->dataset->task);
    s->words   = spec->candidate.prep.text->size;
    s->n       = s->classes * (s->words + 1);
    TL_TRY(tl_alloc_array(ctx, (size_t)s->n, sizeof(double), &s->w));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->n, sizeof(double), &s->best));
    TL_TRY(tl_alloc_array(ctx, rows, (size_t)s->classes * sizeof(double), &s->score));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof(double), &s->row_loss));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->classes, sizeof(double), &s->weight));
    weigh_classes(s);
done:
    return rc;
}

static void close_solver(tl_ctx *ctx, solver *s)
{
    tl_free(ctx, s->w);
    tl_free(ctx, s->best);
    tl_free(ctx, s->score);
    tl_free(ctx, s->row_loss);
    tl_free(ctx, s->weight);
}

/* A model with a row for each word. */
static tl_status take_model(tl_ctx *ctx, solver *s)
{
    tl_trainer *t     = s->t;
    tl_arch     arch  = { 0 };
    tl_model   *model = NULL;
    tl_status   rc;

    TL_TRY(tl_arch_copy(ctx, &t->model->arch, &arch));
    json_object_set_new(arch.config, "words", json_integer(s->words));
    TL_TRY(tl_model_new(ctx, &arch, &t->model->prep, t->model->class_name, 0, &model));
    float *table = tl_params_value(model->params, tl_params_find(model->params, "words.weight"));
    float *bias  = tl_params_value(model->params, tl_params_find(model->params, "words.bias"));
    for (int64_t c = 0; c < s->classes; c++) {
        for (int64_t k = 0; k < s->words; k++)
            table[k * s->classes + c] = (float)s->best[c * s->words + k];
        bias[c] = (float)s->best[s->classes * s->words + c];
    }
    rc    = tl_trainer_take(ctx, t, model);
    model = NULL;
done:
    tl_arch_free(ctx, &arch);
    tl_model_free(ctx, model);
    return rc;
}

tl_status tl_tfidf_run(tl_ctx *ctx, tl_trainer *t)
{
    solver    s = { .t = t };
    tl_status rc;

    TL_TRY(open_solver(ctx, &s));
    TL_TRY(choose(ctx, &s));
    t->at.flops += tl_tfidf_flops(&t->spec) * (double)s.calls / SEEN_CALLS;
    TL_TRY(take_model(ctx, &s));
    t->at.step = s.iterations;
    snprintf(t->detail, sizeof t->detail,
             "%s regression%s on %" PRId64 " weighted words, C %g, after %" PRId64
             " iterations in all",
             t->spec.dataset->task->numbers ? "ridge" : "logistic",
             !s.apart || t->spec.dataset->task->numbers ? ""
             : t->spec.dataset->task->several           ? " of each label"
                                                        : " of each rank being passed",
             s.words, s.best_strength, s.iterations);
    TL_TRY(tl_trainer_score(ctx, t));
done:
    close_solver(ctx, &s);
    return rc;
}
