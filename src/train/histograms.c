/* histograms.c -- see histograms.h.  Source: Dalal and Triggs 2005.  Floor 3, train. */
#include "train/histograms.h"
#include "tensor/hog.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const size_t MOST_BYTES = (size_t)64 << 20;
enum { CELL = 8 /* pixels, as published */, LEAST_CELLS = 4, MOST_CELLS = 12 /* a side */ };

/* Solved as the linear baseline is; no route of its own, so in no list. */
static const tl_route solved = {
    .name     = "baseline",
    .doc      = "logistic regression on histograms of oriented gradients",
    .source   = "Dalal and Triggs 2005",
    .decision = "baseline",
    .start    = TL_START_NEW,
    .phase    = { { .which = TL_TRAIN_HEAD, .solve = true } },
    .phases   = 1,
};

/* 0: the picture is too small, or too long. */
static int64_t cell_of(tl_shape row)
{
    int64_t cell = CELL;

    if (row.ndim != 3) return 0;
    const int64_t more = TL_MAX(row.dim[0], row.dim[1]),
                  less = TL_MIN(row.dim[0], row.dim[1]);
    while (more / cell > MOST_CELLS) cell *= 2;
    return less / cell >= LEAST_CELLS ? cell : 0;
}

static tl_status arch_of(tl_ctx *ctx, tl_shape row, int64_t cell, int64_t classes,
                         tl_arch *out)
{
    json_t *config =
        json_pack("{s:s, s:I, s:I, s:[I, I], s:I}", "model_type", "hog", "num_labels",
                  (json_int_t)classes, "cell", (json_int_t)cell, "image_size",
                  (json_int_t)row.dim[0], (json_int_t)row.dim[1], "num_channels",
                  (json_int_t)row.dim[2]);
    tl_status rc;

    if (!config) return tl_fail(ctx, TL_ENOMEM, "memory", "no room (free some memory)");
    rc               = tl_arch_from_config(ctx, "hog", config, out);
    out->source_head = false;
    json_decref(config);
    return rc;
}

tl_status tl_histograms_new(tl_ctx *ctx, const tl_run_spec *spec, tl_shape row,
                            tl_histograms *out)
{
    const int64_t cell = cell_of(row);
    tl_histograms h    = { .spec = *spec };
    tl_status     rc   = TL_OK;

    *out                   = (tl_histograms){ 0 };
    h.spec.candidate.arch  = (tl_arch){ 0 };
    h.spec.candidate.route = NULL;
    if (cell == 0 || spec->dataset->task->numbers) return TL_OK;
    const tl_hog  size = { row.dim[0], row.dim[1], row.dim[2], cell };
    const int64_t most = (int64_t)(MOST_BYTES / sizeof(float)) / tl_hog_width(&size);
    TL_TRY(tl_rows_spread(ctx, spec->train, TL_MIN(most, spec->train.count), &h.kept));
    TL_TRY(arch_of(ctx, row, cell, spec->dataset->classes, &h.spec.candidate.arch));
    h.spec.candidate.route = &solved;
    h.spec.train           = h.kept;
    h.spec.dtype           = TL_F32;
    h.spec.micro_batch     = 0;
    h.spec.checkpoint      = NULL;
    h.spec.store           = NULL;
    h.spec.features        = NULL;
    *out                   = h;
    h                      = (tl_histograms){ 0 };
done:
    tl_histograms_free(ctx, &h);
    return rc;
}

void tl_histograms_free(tl_ctx *ctx, tl_histograms *h)
{
    tl_arch_free(ctx, &h->spec.candidate.arch);
    tl_free(ctx, h->kept.row);
    *h = (tl_histograms){ 0 };
}

/* Behind what is said already of the others. */
static void say_lost(tl_trainer *t, double metric)
{
    static const char end[] = "; no intervals)";
    char             *at    = strstr(t->detail, end);
    const size_t      n     = at ? (size_t)(at - t->detail) : strlen(t->detail);

    snprintf(t->detail + n, sizeof t->detail - n,
             "; on histograms of oriented gradients: %.1f %%%s", 100.0 * metric, end);
}

static tl_status take_its_place(tl_ctx *ctx, tl_trainer *t, tl_run_result *r)
{
    const double others = t->at.best_metric;

    t->train_known  = true;
    t->train_metric = r->train_metric;
    t->train_loss   = r->train_loss;
    snprintf(
        t->detail, sizeof t->detail,
        "logistic regression on histograms of oriented gradients (%.1f %% on validation; "
        "without them, on small pictures: %.1f %%; no intervals)",
        100.0 * r->valid_metric, 100.0 * others);
    return tl_trainer_replace(ctx, t, &r->model, r->valid_metric, r->valid_loss);
}

tl_status tl_histograms_finish(tl_ctx *ctx, tl_trainer *t)
{
    tl_histograms h;
    tl_run_result r = { 0 };
    tl_status     rc;

    TL_TRY(tl_histograms_new(ctx, &t->spec, t->model->arch.row, &h));
    if (!h.spec.candidate.route) return TL_OK;
    rc = tl_run_train(ctx, &h.spec, &r);
    tl_histograms_free(ctx, &h);
    TL_TRY(rc);
    t->at.flops += r.flops;
    if (strcmp(r.stopped, "interrupted") == 0)
        TL_FAIL(TL_ECANCEL, "baseline", "interrupted (`tailor resume` goes on)");
    if (r.valid_metric > t->at.best_metric)
        TL_TRY(take_its_place(ctx, t, &r));
    else
        say_lost(t, r.valid_metric);
done:
    tl_run_result_free(ctx, &r);
    return rc;
}
