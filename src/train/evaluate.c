/* evaluate.c -- see evaluate.h.  Floor 3, train. */
#include "train/evaluate.h"
#include "train/stepper.h"

#include <math.h>
#include <string.h>

enum { PIECE = 1024 };

int64_t tl_rarest_class(tl_ctx *ctx, const tl_dataset *d)
{
    int64_t *count = NULL, least = d->rows;

    if (tl_alloc_array(ctx, (size_t)d->classes, sizeof *count, &count) != TL_OK) return -1;
    for (int64_t i = 0; i < d->rows && !d->mark; i++) count[d->label[i]]++;
    for (int64_t i = 0; d->mark && i < d->rows * d->classes; i++)
        count[i % d->classes] += d->mark[i];
    for (int64_t c = 0; c < d->classes; c++)
        if (count[c]) least = TL_MIN(least, count[c]); /* a model may know one that has none */
    tl_free(ctx, count);
    return least;
}

tl_status tl_metric_choose(tl_ctx *ctx, const tl_dataset *d, const char *asked,
                           const char **out)
{
    const int64_t rarest = d->task->words ? 0 : tl_rarest_class(ctx, d);

    if (d->task->tags) { /* parts of speech are no entities */
        *out = tl_tags_are_spans(d) ? "entity-f1" : "accuracy";
        return asked ? tl_metric_named(ctx, d->task, asked, out) : TL_OK;
    }
    *out = rarest * 10 < d->rows ? d->task->rare_metric : d->task->metric;
    if (rarest < 0) return ctx->status;
    return asked ? tl_metric_named(ctx, d->task, asked, out) : TL_OK;
}

tl_status tl_tally_of(tl_ctx *ctx, const tl_run_spec *spec, tl_tally *out)
{
    const tl_status rc = tl_tally_new(ctx, spec->dataset->classes, out);
    double          mean;

    if (rc != TL_OK) return rc;
    out->task  = spec->dataset->task;
    out->scale = 1.0;
    if (out->task->numbers) tl_prep_scale(&spec->candidate.prep, &mean, &out->scale);
    return rc;
}

double tl_scaled_target(const tl_run_spec *spec, int64_t row)
{
    double mean, scale;

    if (!spec->dataset->target) return 0.0;
    tl_prep_scale(&spec->candidate.prep, &mean, &scale);
    return (spec->dataset->target[row] - mean) / scale;
}

void tl_tally_add(tl_tally *t, const tl_run_spec *spec, const float *y, int64_t row,
                  float *mark)
{
    const tl_dataset *d = spec->dataset;

    if (!d->mark) {
        tl_tally_at(t, d, row);
        tl_tally_row(t, y, d->label[row], tl_scaled_target(spec, row));
        return;
    }
    tl_dataset_marks(d, row, mark);
    tl_tally_row_marks(t, y, mark);
}

tl_status tl_mark_entropy(tl_ctx *ctx, const tl_dataset *d, tl_rows rows, double *out)
{
    const size_t classes = (size_t)d->classes;
    double      *yes     = NULL;
    float       *mark    = NULL;
    tl_status    rc;

    *out = 0.0;
    TL_TRY(tl_alloc_array(ctx, 2 * classes, sizeof *yes, &yes));
    TL_TRY(tl_alloc_array(ctx, classes, sizeof *mark, &mark));
    for (int64_t i = 0; i < rows.count; i++) {
        tl_dataset_marks(d, rows.row[i], mark);
        for (size_t c = 0; c < classes; c++) {
            yes[c] += mark[c] > 0.5f;
            yes[classes + c] += mark[c] >= 0.0f; /* asked at all */
        }
    }
    for (size_t c = 0; c < classes; c++) {
        const double asked = yes[classes + c], p = asked > 0.0 ? yes[c] / asked : 0.0;
        if (p > 0.0 && p < 1.0)
            *out -= asked * (p * log(p) + (1.0 - p) * log(1.0 - p)) /
                    ((double)rows.count * (double)classes);
    }
done:
    tl_free(ctx, yes);
    tl_free(ctx, mark);
    return rc;
}

const char *tl_fit_word_tokens(double train_loss, double valid_loss)
{
    const double gap = valid_loss - train_loss;

    return gap > 0.5 ? "severe" : gap > 0.1 ? "mild" : "none";
}

const char *tl_fit_word_numbers(double train_loss, double valid_loss)
{
    const double gap = valid_loss > 0.0 ? 1.0 - sqrt(train_loss / valid_loss) : 0.0;

    if (gap > 0.4) return "severe";
    if (!(train_loss < 0.75)) return "underfit";
    return gap > 0.1 ? "mild" : "none";
}

const char *tl_fit_word_marks(double train_loss, double valid_loss, double entropy)
{
    const double gap = valid_loss > 0.0 ? 1.0 - train_loss / valid_loss : 0.0;

    if (gap > 0.6) return "severe";
    if (!(train_loss < 0.75 * entropy)) return "underfit";
    return gap > 0.2 ? "mild" : "none";
}

tl_status tl_evaluator_new(tl_ctx *ctx, const tl_run_spec *spec, const tl_model *model,
                           int64_t rows, tl_evaluator *out)
{
    return tl_evaluator_above(ctx, spec, model, rows, 0, NULL, out);
}

tl_status tl_evaluator_above(tl_ctx *ctx, const tl_run_spec *spec, const tl_model *model,
                             int64_t rows, int cut, const tl_kept *kept, tl_evaluator *out)
{
    tl_evaluator e = { .spec = spec, .rows = rows };
    tl_status    rc;

    TL_TRY(tl_tally_of(ctx, spec, &e.tally));
    if (spec->dataset->task->words) {
        const tl_asking how = tl_run_asking(spec, 0);
        TL_TRY(tl_scorer_new(ctx, model, spec->cache, &how, spec->backend, spec->slab,
                             spec->dtype, &e.scorer));
        goto done;
    }
    TL_TRY(tl_alloc_array(ctx, PIECE * sizeof(float), (size_t)model->arch.outputs,
                          &e.logits));
    TL_TRY(tl_alloc_array(ctx, (size_t)model->arch.outputs, sizeof *e.mark, &e.mark));
    TL_TRY(tl_predictor_cut(ctx, model, cut ? TL_PART_ABOVE : TL_PART_WHOLE, cut, rows,
                            spec->backend, spec->slab, spec->dtype, &e.predictor));
    if (kept && kept->stream.x) tl_predictor_feed(e.predictor, &kept->stream);
    if (kept && kept->x) {
        e.kept = kept;
        TL_TRY(tl_alloc_array(ctx, (size_t)(rows * kept->width), sizeof *e.x, &e.x));
    }
done:
    *out = e;
    if (rc != TL_OK) tl_evaluator_free(ctx, out);
    return rc;
}

void tl_evaluator_free(tl_ctx *ctx, tl_evaluator *e)
{
    tl_predictor_free(ctx, e->predictor);
    tl_scorer_free(ctx, e->scorer);
    tl_free(ctx, e->logits);
    tl_free(ctx, e->mark);
    tl_free(ctx, e->x);
    tl_tally_free(ctx, &e->tally);
    *e = (tl_evaluator){ 0 };
}

/* `count` of validation's rows from `at` on, as they enter the part above the cut. */
static tl_status ask_kept(tl_ctx *ctx, tl_evaluator *e, int64_t at, int64_t count)
{
    const int64_t *place   = e->kept->at + e->spec->train.count + at, width = e->kept->width;
    const int64_t  outputs = tl_predictor_width(e->predictor);
    tl_status      rc      = TL_OK;

    for (int64_t i = 0, n; i < count && rc == TL_OK; i += n) {
        n = TL_MIN(e->rows, count - i);
        for (int64_t r = 0; r < n; r++)
            memcpy(e->x + r * width, e->kept->x + place[i + r] * width,
                   (size_t)width * sizeof *e->x);
        rc = tl_predictor_run(ctx, e->predictor, e->x, n, e->logits + i * outputs);
    }
    return rc;
}

tl_status tl_evaluate(tl_ctx *ctx, tl_evaluator *e, tl_rows rows)
{
    const int64_t  classes = e->tally.classes;
    tl_status      rc      = TL_OK;

    tl_tally_clear(&e->tally);
    if (e->scorer) {
        tl_scorer_weights_changed(e->scorer);
        return tl_scorer_rows(ctx, e->scorer, rows, &e->tally.loss, &e->tally.rows, NULL, NULL);
    }
    TL_TRY(tl_predictor_weights_changed(ctx, e->predictor));
    for (int64_t at = 0; at < rows.count; at += PIECE) {
        const tl_rows piece = { rows.row + at, TL_MIN((int64_t)PIECE, rows.count - at) };
        if (e->kept) TL_TRY(ask_kept(ctx, e, at, piece.count));
        else TL_TRY(tl_predictor_rows(ctx, e->predictor, e->spec->cache, piece, e->logits));
        for (int64_t i = 0; i < piece.count; i++)
            tl_tally_add(&e->tally, e->spec, e->logits + i * classes, piece.row[i], e->mark);
    }
    tl_tally_at(&e->tally, e->spec->dataset, -1);
done:
    return rc;
}

tl_status tl_rows_spread(tl_ctx *ctx, tl_rows rows, int64_t most, tl_rows *out)
{
    const int64_t n = TL_MIN(rows.count, most);
    tl_status     rc;

    *out = (tl_rows){ 0 };
    rc   = tl_alloc_array(ctx, (size_t)n, sizeof *out->row, &out->row);
    if (rc != TL_OK) return rc;
    for (int64_t i = 0; i < n; i++) out->row[i] = rows.row[i * rows.count / n];
    out->count = n;
    return TL_OK;
}

double tl_label_entropy(const int32_t *label, tl_rows rows, int64_t *count,
                        int64_t classes)
{
    double entropy = 0.0;

    memset(count, 0, (size_t)classes * sizeof *count);
    for (int64_t i = 0; i < rows.count; i++) count[label[rows.row[i]]]++;
    for (int64_t c = 0; c < classes; c++) {
        const double p = (double)count[c] / (double)rows.count;
        if (count[c]) entropy -= p * log(p);
    }
    return entropy;
}

const char *tl_fit_word(double train_metric, double valid_metric, double train_loss,
                        double entropy, int64_t rows)
{
    const double gap   = train_metric - valid_metric;
    const double p     = fmin(fmax(valid_metric, 0.0), 1.0);
    const double error = sqrt(fmax(p * (1.0 - p), 0.01) / (double)TL_MAX(rows, 1));

    if (gap > fmax(0.10, 3.0 * error)) return "severe";
    if (!(train_loss < 0.75 * entropy)) return "underfit";
    return gap > fmax(0.02, 2.0 * error) ? "mild" : "none";
}
