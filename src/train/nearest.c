/* nearest.c -- see nearest.h.  At most MOST_BYTES of vectors are kept, of rows spread evenly over
 * the training rows; what it scores on its own rows is said with each row left out.
 * Sources: Cover and Hart 1967; Dudani 1976; scikit-learn's KNeighborsClassifier(metric="cosine",
 * weights="distance").  Floor 3, train. */
#include "train/nearest.h"
#include "model/pooled.h"
#include "train/features.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const int64_t tried[]    = { 1, 3, 5, 9, 15, 25, 50 };
static const size_t  MOST_BYTES = (size_t)128 << 20;
enum { ROWS = 32 /* of a plan that votes */ };

typedef struct {
    tl_trainer *t;
    tl_table    train, valid;
    tl_rows     kept; /* places in the training table */
    tl_model   *model;
    tl_tally    tally;
    float      *x, *answer; /* [ROWS width], [ROWS classes]: rows that are asked */
    int64_t     best_k;
    double      metric, loss;
} finder;

bool tl_arch_is_nearest(const tl_arch *arch)
{
    return arch->family && strcmp(arch->family->name, "text-knn") == 0;
}

bool tl_nearest_route(const tl_candidate *c)
{
    return tl_arch_is_nearest(&c->arch) && !c->route->needs_base;
}

bool tl_nearest_fits(const tl_dataset *d, const tl_model *base)
{
    return d->task->text && tl_task_of_one_class(d->task) && base->arch.family->text &&
           base->prep.text && !base->prep.text->weighs &&
           (base->arch.family->class_of || tl_arch_is_pooled(&base->arch));
}

static int64_t rows_kept(const tl_run_spec *spec, int64_t width)
{
    const int64_t most = (int64_t)(MOST_BYTES / sizeof(float)) / TL_MAX(width, (int64_t)1);

    return TL_MIN(spec->train.count, TL_MAX(most, (int64_t)1));
}

/* Features of all rows, the vectors four times (weights, packed ones, best, those before it), a
 * second model beside the first, and the scores. */
size_t tl_nearest_bytes(const tl_run_spec *spec, int64_t width, int64_t floats)
{
    const int64_t kept = rows_kept(spec, width), all = spec->train.count + spec->valid.count;

    return (size_t)((all + 3 * kept) * width + ROWS * (kept + width) + 2 * floats) * sizeof(float);
}

double tl_nearest_flops(const tl_run_spec *spec, int64_t width)
{
    const double votes = (double)rows_kept(spec, width) * (double)spec->valid.count;

    return ((double)TL_COUNT(tried) + 1.0) * 2.0 * votes * (double)width;
}

static tl_status choose_rows(tl_ctx *ctx, finder *f)
{
    tl_rows   all = { NULL, f->train.rows };
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)all.count, sizeof *all.row, &all.row));
    for (int64_t i = 0; i < all.count; i++) all.row[i] = i;
    TL_TRY(tl_rows_spread(ctx, all, rows_kept(&f->t->spec, f->train.width), &f->kept));
done:
    tl_free(ctx, all.row);
    return rc;
}

/* The run's network with room for the neighbours, its weights those of the base. */
static tl_status new_model(tl_ctx *ctx, finder *f)
{
    const tl_model *from = f->t->model;
    tl_arch         arch = { 0 };
    tl_status       rc;

    TL_TRY(tl_arch_copy(ctx, &from->arch, &arch));
    arch.source_head = true;
    json_object_set_new(arch.config, "rows", json_integer(f->kept.count));
    TL_TRY(tl_model_new(ctx, &arch, &from->prep, from->class_name, 0, &f->model));
    for (int32_t i = 0; i < f->model->params->count; i++) {
        const tl_param *p = &f->model->params->param[i];
        const tl_param *q = tl_params_find(from->params, p->name);
        if (!p->head && q) TL_TRY(tl_params_take(ctx, f->model->params, p, from->params, q));
    }
done:
    tl_arch_free(ctx, &arch);
    return rc;
}

static float *values(const tl_model *model, const char *name)
{
    return tl_params_value(model->params, tl_params_find(model->params, name));
}

/* Of length 1, and the class of each. */
static void take_vectors(finder *f)
{
    const int64_t width  = f->train.width;
    float        *vector = values(f->model, "neighbours.weight");
    float        *class  = values(f->model, "neighbours.class");

    for (int64_t i = 0; i < f->kept.count; i++) {
        const float *x   = f->train.x + f->kept.row[i] * width;
        double       sum = 0.0;
        for (int64_t k = 0; k < width; k++) sum += (double)x[k] * (double)x[k];
        const double length = fmax(sqrt(sum), 1e-12);
        for (int64_t k = 0; k < width; k++)
            vector[i * width + k] = (float)((double)x[k] / length);
        class[i] = (float)f->train.label[f->kept.row[i]];
    }
}

/* These places of a table, asked. */
static tl_status count_rows(tl_ctx *ctx, finder *f, tl_predictor *votes, const tl_table *table,
                            tl_rows places)
{
    const int64_t width = table->width, classes = f->tally.classes;
    tl_status     rc    = TL_OK;

    tl_tally_clear(&f->tally);
    for (int64_t at = 0, n; at < places.count; at += n) {
        n = TL_MIN((int64_t)ROWS, places.count - at);
        for (int64_t i = 0; i < n; i++)
            memcpy(f->x + i * width, table->x + places.row[at + i] * width,
                   (size_t)width * sizeof *f->x);
        TL_TRY(tl_predictor_run(ctx, votes, f->x, n, f->answer));
        for (int64_t i = 0; i < n; i++)
            tl_tally_row(&f->tally, f->answer + i * classes, table->label[places.row[at + i]], 0.0);
    }
done:
    return rc;
}

static tl_status score(tl_ctx *ctx, finder *f, int64_t k, bool leave_out, const tl_table *table,
                       tl_rows places, double *metric, double *loss)
{
    const tl_run_spec *spec  = &f->t->spec;
    tl_predictor      *votes = NULL;
    tl_status          rc;

    json_object_set_new(f->model->arch.config, "neighbours", json_integer(k));
    json_object_set_new(f->model->arch.config, "leave_out", json_integer(leave_out));
    TL_TRY(tl_predictor_new(ctx, f->model, TL_PART_HEAD, ROWS, spec->backend, spec->slab,
                            spec->dtype, &votes));
    TL_TRY(count_rows(ctx, f, votes, table, places));
    *metric = tl_tally_metric(&f->tally, spec->metric);
    *loss   = tl_tally_loss(&f->tally);
    f->t->at.flops += 2.0 * (double)(places.count * f->kept.count * table->width);
done:
    json_object_set_new(f->model->arch.config, "leave_out", json_integer(0));
    tl_predictor_free(ctx, votes);
    return rc;
}

/* By the metric, between equals by the loss, then the fewest. */
static tl_status choose_k(tl_ctx *ctx, finder *f)
{
    tl_rows   all = { NULL, f->valid.rows };
    double    metric, loss;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)all.count, sizeof *all.row, &all.row));
    for (int64_t i = 0; i < all.count; i++) all.row[i] = i;
    f->metric = -INFINITY;
    for (size_t i = 0; i < TL_COUNT(tried) && tried[i] < TL_MAX(f->kept.count, 2); i++) {
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "kNN", "interrupted");
        TL_TRY(score(ctx, f, tried[i], false, &f->valid, all, &metric, &loss));
        tl_features_say(f->t, "neighbours", (int64_t)i + 1, (int64_t)TL_COUNT(tried), loss);
        if (metric < f->metric || (metric == f->metric && loss >= f->loss)) continue;
        f->best_k = tried[i];
        f->metric = metric;
        f->loss   = loss;
    }
done:
    tl_free(ctx, all.row);
    return rc;
}

/* On as many of the rows that are kept as validation has, each without itself. */
static tl_status score_own(tl_ctx *ctx, finder *f)
{
    tl_trainer *t    = f->t;
    tl_rows     rows = { 0 };
    tl_status   rc   = TL_OK;

    if (f->kept.count <= f->best_k) return TL_OK;
    TL_TRY(tl_rows_spread(ctx, f->kept, f->valid.rows, &rows));
    TL_TRY(score(ctx, f, f->best_k, true, &f->train, rows, &t->train_metric, &t->train_loss));
    t->train_known = true;
done:
    tl_free(ctx, rows.row);
    return rc;
}

static void finder_free(tl_ctx *ctx, finder *f)
{
    tl_model_free(ctx, f->model);
    tl_table_free(ctx, &f->train);
    tl_table_free(ctx, &f->valid);
    tl_tally_free(ctx, &f->tally);
    tl_free(ctx, f->kept.row);
    tl_free(ctx, f->x);
    tl_free(ctx, f->answer);
}

tl_status tl_nearest_run(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *from)
{
    const int64_t classes = t->spec.dataset->classes;
    finder        f       = { .t = t };
    tl_status     rc;

    TL_TRY(tl_features_fill(ctx, t, from, &f.train, &f.valid));
    TL_TRY(tl_tally_of(ctx, &t->spec, &f.tally));
    TL_TRY(tl_alloc_array(ctx, ROWS * sizeof(float), (size_t)f.train.width, &f.x));
    TL_TRY(tl_alloc_array(ctx, ROWS * sizeof(float), (size_t)classes, &f.answer));
    TL_TRY(choose_rows(ctx, &f));
    TL_TRY(new_model(ctx, &f));
    take_vectors(&f);
    TL_TRY(choose_k(ctx, &f));
    TL_TRY(score_own(ctx, &f));
    json_object_set_new(f.model->arch.config, "neighbours", json_integer(f.best_k));
    snprintf(t->detail, sizeof t->detail,
             "the nearest neighbours, a vote of %" PRId64 " of %" PRId64
             " training texts by their vectors (%s of their tokens)",
             f.best_k, f.kept.count, tl_json_text(f.model->arch.config, "pooling", "mean"));
    TL_TRY(tl_trainer_replace(ctx, t, &f.model, f.metric, f.loss));
done:
    finder_free(ctx, &f);
    return rc;
}
