/* neighbours.c -- see neighbours.h.  At most MOST_BYTES of training rows are kept, spread
 * evenly over them; what it scores on its own rows is said with each row left out.
 * Source: Cover and Hart 1967.  Floor 3, train. */
#include "train/neighbours.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const int64_t tried[]    = { 1, 3, 5, 9, 15, 25 };
static const size_t  MOST_BYTES = (size_t)16 << 20;
enum { ROWS = 32 /* of an evaluation's plan */ };

typedef struct {
    tl_trainer *t;
    tl_model   *model;
    tl_rows     kept;
    int64_t     best_k;
    double      metric, loss;
} rival;

static int64_t rows_kept(const tl_run_spec *spec, int64_t width)
{
    const int64_t most = (int64_t)(MOST_BYTES / sizeof(float)) / TL_MAX(width, (int64_t)1);

    return TL_MIN(spec->train.count, TL_MAX(most, (int64_t)1));
}

size_t tl_neighbours_bytes(const tl_run_spec *spec, int64_t width)
{
    const int64_t rows = rows_kept(spec, width);

    return (size_t)(3 * rows * width + ROWS * rows) * sizeof(float);
}

double tl_neighbours_flops(const tl_run_spec *spec, int64_t width)
{
    const double rows = (double)rows_kept(spec, width), valid = (double)spec->valid.count;

    return ((double)TL_COUNT(tried) + 1.0) * valid * 2.0 * rows * (double)width;
}

/* The picture's side is averaged down as the linear baseline's is. */
static tl_status new_model(tl_ctx *ctx, rival *r)
{
    const tl_model *from = r->t->model;
    const int64_t   rows = r->kept.count;
    tl_arch         arch = { 0 };
    tl_status       rc;
    json_t         *config;

    config = json_pack("{s:s, s:I, s:I, s:I, s:I}", "model_type", "knn", "num_labels",
                       (json_int_t)from->arch.outputs, "neighbours", (json_int_t)1, "rows",
                       (json_int_t)rows, "pool",
                       (json_int_t)tl_baseline_pool(from->arch.row));
    json_object_set_new(config, "image_size",
                        json_pack("[I, I]", (json_int_t)from->arch.row.dim[0],
                                  (json_int_t)from->arch.row.dim[1]));
    json_object_set_new(config, "num_channels", json_integer(from->arch.row.dim[2]));
    TL_TRY(tl_arch_from_config(ctx, "knn", config, &arch));
    TL_TRY(tl_model_new(ctx, &arch, &from->prep, from->class_name, 0, &r->model));
done:
    tl_arch_free(ctx, &arch);
    json_decref(config);
    return rc;
}

static float *values(const tl_model *model, const char *name)
{
    return tl_params_value(model->params, tl_params_find(model->params, name));
}

static tl_status take_rows(tl_ctx *ctx, rival *r)
{
    const tl_run_spec *spec   = &r->t->spec;
    float             *vector = values(r->model, "neighbours.weight");
    float             *half   = values(r->model, "neighbours.bias");
    float             *class  = values(r->model, "neighbours.class");
    tl_predictor      *small  = NULL;
    tl_status          rc;

    TL_TRY(tl_predictor_new(ctx, r->t->model, TL_PART_BODY, ROWS, spec->backend, spec->slab,
                            TL_F32, &small));
    TL_TRY(tl_predictor_rows(ctx, small, spec->cache, r->kept, vector));
    const int64_t width = tl_predictor_width(small);
    for (int64_t i = 0; i < r->kept.count; i++) {
        double sum = 0.0;
        for (int64_t k = 0; k < width; k++)
            sum += (double)vector[i * width + k] * (double)vector[i * width + k];
        half[i]  = (float)(-0.5 * sum);
        class[i] = (float)spec->dataset->label[r->kept.row[i]];
    }
done:
    tl_predictor_free(ctx, small);
    return rc;
}

static tl_status score(tl_ctx *ctx, rival *r, int64_t k, bool leave_out, tl_rows rows,
                       double *metric, double *loss)
{
    const tl_run_spec *spec = &r->t->spec;
    tl_evaluator       e    = { 0 };
    tl_status          rc;

    json_object_set_new(r->model->arch.config, "neighbours", json_integer(k));
    json_object_set_new(r->model->arch.config, "leave_out", json_integer(leave_out));
    TL_TRY(tl_evaluator_new(ctx, spec, r->model, ROWS, &e));
    TL_TRY(tl_evaluate(ctx, &e, rows));
    *metric = tl_tally_metric(&e.tally, spec->metric);
    *loss   = tl_tally_loss(&e.tally);
    r->t->at.flops += 2.0 * (double)rows.count * (double)r->model->params->floats;
done:
    json_object_set_new(r->model->arch.config, "leave_out", json_integer(0));
    tl_evaluator_free(ctx, &e);
    return rc;
}

static tl_status choose_k(tl_ctx *ctx, rival *r)
{
    double    metric, loss;
    tl_status rc = TL_OK;

    r->metric = -INFINITY;
    for (size_t i = 0; i < TL_COUNT(tried) && tried[i] < TL_MAX(r->kept.count, 2); i++) {
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "kNN", "interrupted");
        TL_TRY(score(ctx, r, tried[i], false, r->t->spec.valid, &metric, &loss));
        if (metric < r->metric || (metric == r->metric && loss >= r->loss)) continue;
        r->best_k = tried[i];
        r->metric = metric;
        r->loss   = loss;
    }
done:
    return rc;
}

static tl_status take_its_place(tl_ctx *ctx, rival *r)
{
    tl_trainer *t    = r->t;
    tl_rows     rows = { 0 };
    tl_status   rc;

    TL_TRY(tl_rows_spread(ctx, r->kept, t->spec.valid.count, &rows));
    if (r->kept.count > r->best_k)
        TL_TRY(score(ctx, r, r->best_k, true, rows, &t->train_metric, &t->train_loss));
    t->train_known = true;
    json_object_set_new(r->model->arch.config, "neighbours", json_integer(r->best_k));
    TL_TRY(tl_trainer_replace(ctx, t, &r->model, r->metric, r->loss));
done:
    tl_free(ctx, rows.row);
    return rc;
}

tl_status tl_neighbours_finish(tl_ctx *ctx, tl_trainer *t)
{
    const double linear = t->at.best_metric;
    rival        r      = { .t = t };
    tl_status    rc;

    if (t->model->arch.row.ndim != 3) return TL_OK;
    const int64_t width = tl_arch_features(ctx, &t->model->arch);
    TL_TRY(tl_rows_spread(ctx, t->spec.train, rows_kept(&t->spec, width), &r.kept));
    TL_TRY(new_model(ctx, &r));
    TL_TRY(take_rows(ctx, &r));
    TL_TRY(choose_k(ctx, &r));
    if (!(r.metric > linear)) {
        snprintf(t->detail, sizeof t->detail,
                 "logistic regression on small pictures (%.1f %% on validation; the nearest "
                 "neighbours, %" PRId64 " of them: %.1f %%; no intervals)",
                 100.0 * linear, r.best_k, 100.0 * r.metric);
        goto done;
    }
    TL_TRY(take_its_place(ctx, &r));
    snprintf(t->detail, sizeof t->detail,
             "the nearest neighbours, a vote of %" PRId64 " of %" PRId64
             " training pictures made small (%.1f %% on validation; logistic regression: "
             "%.1f %%; no intervals)",
             r.best_k, r.kept.count, 100.0 * r.metric, 100.0 * linear);
done:
    tl_model_free(ctx, r.model);
    tl_free(ctx, r.kept.row);
    return rc;
}
