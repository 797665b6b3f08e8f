/* features.c -- see features.h.  Floor 3, train. */
#include "train/features.h"
#include "core/machine.h"
#include "train/evaluate.h"

#include <math.h>
#include <string.h>

enum { PIECE = 256 }; /* rows between looks at the clock and the interrupt */
static const double worth_saving_s = 5.0;

void tl_features_say(tl_trainer *t, const char *phase, int64_t step, int64_t steps,
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
    tl_trainer_say(t, &p, step == 0 || step == steps);
}

/* What rows are to be where it is not one of several classes. */
static tl_status add_targets(tl_ctx *ctx, const tl_trainer *t, tl_rows rows, tl_table *table)
{
    const tl_dataset *d = t->spec.dataset;
    tl_status         rc;

    if (!d->task->numbers && !tl_task_has_marks(d->task)) return TL_OK;
    TL_TRY(tl_table_targets(ctx, table, d->classes));
    for (int64_t i = 0; i < rows.count; i++) {
        float *target = table->target + i * d->classes;
        if (d->task->numbers) *target = (float)tl_scaled_target(&t->spec, rows.row[i]);
        else tl_dataset_marks(d, rows.row[i], target);
    }
done:
    return rc;
}

static tl_status new_table(tl_ctx *ctx, const tl_trainer *t, tl_rows rows, int64_t width,
                           tl_table *out)
{
    const int64_t   piece = tl_linear_piece(t->spec.train.count); /* one plan takes both */
    const tl_status rc    = tl_table_new(ctx, rows.count, width, piece, out);

    if (rc == TL_OK && t->spec.dataset->tags) {
        out->tagged = t->spec.dataset;
        out->row    = rows.row;
    }
    for (int64_t i = 0; rc == TL_OK && i < rows.count; i++)
        out->label[i] = t->spec.dataset->label[rows.row[i]];
    return rc == TL_OK ? add_targets(ctx, t, rows, out) : rc;
}

static void gather(const float *features, tl_rows rows, tl_table *table)
{
    const size_t bytes = (size_t)table->width * sizeof(float);

    for (int64_t i = 0; i < rows.count; i++)
        memcpy(table->x + i * table->width, features + rows.row[i] * table->width, bytes);
}

/* Features so far as sections: of the training rows, then of validation's. */
static void sections_of(const tl_table *train, const tl_table *valid, int64_t done,
                        tl_section out[2])
{
    const size_t  row   = (size_t)train->width * sizeof(float);
    const int64_t first = TL_MIN(done, train->rows);

    out[0] = tl_section_of("features.train", train->x, (size_t)first * row);
    out[1] = tl_section_of("features.valid", valid->x, (size_t)(done - first) * row);
}

static tl_status save(tl_ctx *ctx, tl_trainer *t, const tl_table *train,
                      const tl_table *valid, int64_t done)
{
    tl_section section[2];

    sections_of(train, valid, done, section);
    return tl_trainer_save(ctx, t, NULL, section, 2);
}

/* Rows that a checkpoint holds already, copied into the tables. */
static tl_status restore(tl_ctx *ctx, const tl_checkpoint *from, const tl_table *train,
                         const tl_table *valid, int64_t *done)
{
    const int64_t row = train->width * (int64_t)sizeof(float);
    tl_section    section[2];
    int64_t       a = 0, b = 0;
    tl_status     rc = TL_OK;

    *done = 0;
    if (from) a = tl_checkpoint_bytes(from, "features.train") / row;
    if (from) b = tl_checkpoint_bytes(from, "features.valid") / row;
    if (a <= 0 || a > train->rows || b < 0 || b > valid->rows) return TL_OK;
    sections_of(train, valid, a + b, section);
    TL_TRY(tl_checkpoint_take(ctx, from, &section[0]));
    TL_TRY(tl_checkpoint_take(ctx, from, &section[1]));
    *done = a + b;
done:
    return rc;
}

tl_status tl_body_predictor(tl_ctx *ctx, const tl_run_spec *spec, const tl_model *model,
                            int cut, tl_predictor **out)
{
    const tl_part whole = model->arch.family->text ? TL_PART_NECK : TL_PART_BODY;

    return tl_predictor_cut(ctx, model, cut ? TL_PART_BELOW : whole, cut,
                            TL_MIN(spec->micro_batch, (int64_t)32), spec->backend,
                            spec->slab, spec->dtype, out);
}

/* The rows from `done` on, through the body. */
static tl_status compute(tl_ctx *ctx, tl_trainer *t, tl_predictor *body, tl_table *train,
                         tl_table *valid, int64_t *done)
{
    const tl_run_spec *spec = &t->spec;
    const int64_t      all  = train->rows + valid->rows;
    tl_status          rc   = TL_OK;

    while (*done < all) {
        const bool      first = *done < train->rows;
        const tl_table *table = first ? train : valid;
        const tl_rows   rows  = first ? spec->train : spec->valid;
        const int64_t   at    = first ? *done : *done - train->rows;
        const tl_rows piece = { rows.row + at, TL_MIN((int64_t)PIECE, rows.count - at) };
        tl_features_say(t, "features", *done, all, (double)NAN);
        TL_TRY(tl_predictor_rows(ctx, body, spec->cache, piece,
                                 table->x + at * table->width));
        *done += piece.count;
        if (tl_trainer_save_due(t)) TL_TRY(save(ctx, t, train, valid, *done));
    }
    tl_features_say(t, "features", all, all, (double)NAN);
done:
    return rc;
}

tl_status tl_body_of_row(tl_ctx *ctx, const tl_run_spec *spec, const tl_arch *arch, int cut,
                         double *flops, int64_t *width)
{
    const bool    text  = arch->family->text;
    const int64_t units = text ? TL_MAX((int64_t)1, tl_run_tokens(spec, 1)) : 1;
    tl_graph  *g   = NULL;
    tl_params *p   = NULL;
    tl_net     net = { .ctx = ctx, .dtype = spec->dtype, .cut = cut };
    tl_built   built;
    tl_status  rc;

    *flops = 0.0;
    *width = 0;
    TL_TRY(tl_graph_new(ctx, &g));
    TL_TRY(tl_params_new(ctx, &p));
    net.g         = g;
    net.params    = p;
    net.sequences = text;
    TL_TRY(tl_arch_build(&net, arch, units, cut ? TL_PART_BELOW : TL_PART_BODY, &built));
    *flops = tl_graph_flops(g);
    *width = tl_shape_count(tl_graph_shape(g, built.features)) / units;
done:
    tl_graph_free(ctx, g);
    tl_params_free(ctx, p);
    return rc;
}

static tl_status fill_from_body(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *from,
                                tl_table *train, tl_table *valid)
{
    tl_predictor *body = NULL;
    double        flops;
    int64_t       done, before, width;
    tl_status     rc;

    TL_TRY(restore(ctx, from, train, valid, &done));
    TL_TRY(tl_body_of_row(ctx, &t->spec, &t->model->arch, 0, &flops, &width));
    TL_TRY(tl_body_predictor(ctx, &t->spec, t->model, 0, &body));
    before = done;
    rc     = compute(ctx, t, body, train, valid, &done);
    t->at.flops += flops * (double)(done - before);
    if (rc == TL_OK && tl_time_s() - t->saved > worth_saving_s)
        TL_TRY(save(ctx, t, train, valid, done));
    if (rc == TL_ECANCEL && t->spec.checkpoint) {
        TL_TRY(save(ctx, t, train, valid, done));
        TL_FAIL(TL_ECANCEL, t->spec.checkpoint,
                "interrupted, saved (tailor resume goes on)");
    }
done:
    tl_predictor_free(ctx, body);
    return rc;
}

tl_status tl_features_fill(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *from,
                           tl_table *train, tl_table *valid)
{
    const int64_t width = tl_arch_features(ctx, &t->model->arch);
    tl_status     rc;

    if (width < 0) return ctx->status;
    TL_TRY(new_table(ctx, t, t->spec.train, width, train));
    TL_TRY(new_table(ctx, t, t->spec.valid, width, valid));
    if (!t->spec.features) return fill_from_body(ctx, t, from, train, valid);
    gather(t->spec.features, t->spec.train, train);
    gather(t->spec.features, t->spec.valid, valid);
done:
    return rc;
}

tl_status tl_run_features(tl_ctx *ctx, const tl_run_spec *spec, tl_rows rows,
                          float *features)
{
    tl_trainer    t    = { .spec = *spec };
    tl_predictor *body = NULL;
    float        *x    = NULL;
    int64_t       width;
    tl_status     rc;

    t.started       = tl_time_s();
    t.spec.features = NULL;
    if (t.spec.micro_batch <= 0) t.spec.micro_batch = 32;
    TL_TRY(tl_trainer_model(ctx, &t.spec, &t.model));
    TL_TRY(tl_body_predictor(ctx, &t.spec, t.model, 0, &body));
    width = tl_predictor_width(body);
    TL_TRY(tl_alloc_array(ctx, PIECE * sizeof *x, (size_t)width, &x));
    for (int64_t at = 0; at < rows.count; at += PIECE) {
        const tl_rows piece = { rows.row + at, TL_MIN((int64_t)PIECE, rows.count - at) };
        tl_features_say(&t, "features", at, rows.count, (double)NAN);
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
