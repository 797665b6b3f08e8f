/* answers.c -- what a model says of rows, beside their labels: class, loss, and the scores made
 * of them.  Floor 4.5, api.  Sources: Wilson 1927; Efron 1979 (bootstrap over rows). */
#include "api/handles.h"
#include "core/rand.h"
#include "study/stats.h"
#include "tensor/marks.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PREDICT_ROWS = 32, RESAMPLES = 1000 };

/* "red-backed_sandpiper" is the class "red-backed sandpiper, dunlin, Erolia alpina": the case,
 * `_` for a space, and further names behind a comma make no difference. */
static bool same_class(const char *data, const char *model)
{
    for (; *data && *model; data++, model++) {
        const int a = *data == '_' ? ' ' : tolower((unsigned char)*data);
        const int b = *model == '_' ? ' ' : tolower((unsigned char)*model);
        if (a != b) return false;
    }
    return *data == 0 && (*model == 0 || *model == ',');
}

/* The model's number of a class of the data, or -1. */
static int32_t find_class(const tl_model *m, const char *name)
{
    int64_t number;
    char   *end;

    for (int64_t c = 0; m->class_name && c < m->arch.outputs; c++)
        if (strcmp(m->class_name[c], name) == 0) return (int32_t)c;
    for (int64_t c = 0; m->class_name && c < m->arch.outputs; c++)
        if (same_class(name, m->class_name[c])) return (int32_t)c;
    number = strtoll(name, &end, 10);
    return *name && !*end && number >= 0 && number < m->arch.outputs ? (int32_t)number : -1;
}

/* map[class of the data] = class of the model: by name, else one to one by number. */
static tl_status map_classes(tl_ctx *ctx, const tl_model *m, const tl_dataset *d, int32_t *map)
{
    for (int64_t c = 0; c < d->classes; c++) {
        map[c] = d->class_name ? find_class(m, d->class_name[c]) : (int32_t)c;
        if (map[c] < 0 && !m->class_name && d->classes == m->arch.outputs) map[c] = (int32_t)c;
        if (map[c] < 0 || map[c] >= m->arch.outputs)
            return tl_fail(ctx, TL_EDATA, d->path,
                           "its class \"%s\" is none of the model's %" PRId64
                           " classes (was the model trained on this data?)",
                           d->class_name ? d->class_name[c] : "?", m->arch.outputs);
    }
    return TL_OK;
}

static void answer_row(const float *logit, int64_t n, int32_t label, int32_t *best,
                       double *loss)
{
    double sum = 0.0;

    *best = 0;
    for (int64_t c = 1; c < n; c++)
        if (logit[c] > logit[*best]) *best = (int32_t)c;
    for (int64_t c = 0; c < n; c++) sum += exp((double)logit[c] - (double)logit[*best]);
    *loss = log(sum) + (double)logit[*best] - (double)logit[label];
}

/* Rows' outputs against the numbers they should be. */
static tl_status take_numbers(tl_ctx *ctx, const tl_model *m, const tl_dataset *d,
                              tl_rows rows, float *y, tl_answers *out)
{
    double    mean, scale;
    tl_status rc;

    tl_prep_scale(&m->prep, &mean, &scale);
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, sizeof *out->truth, &out->truth));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, sizeof *out->value, &out->value));
    tl_model_answer(m, y, rows.count);
    for (int64_t i = 0; i < rows.count; i++) {
        out->truth[i] = d->target[rows.row[i]];
        out->value[i] = (double)y[i];
        const double e = (out->value[i] - out->truth[i]) / scale;
        out->loss[i]   = e * e;
    }
done:
    return rc;
}

/* Rank by rank, as the outputs ask. */
static void answer_rank(const float *logit, int64_t n, int32_t label, int32_t *best,
                        double *loss)
{
    *best = tl_rank_of_logits(logit, n);
    *loss = tl_rank_loss(logit, label, n);
}

/* Rows' probabilities, what they say, and the labels that hold, in the model's order; a label
 * that the data do not have holds nowhere. */
static tl_status take_labels(tl_ctx *ctx, const tl_model *m, const tl_dataset *d, tl_rows rows,
                             float *y, tl_answers *out)
{
    const int64_t wide = m->arch.outputs;
    const size_t  all  = (size_t)(rows.count * wide);
    int32_t      *map  = NULL;
    float        *mark = NULL;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)d->classes, sizeof *map, &map));
    TL_TRY(map_classes(ctx, m, d, map));
    TL_TRY(tl_alloc(ctx, all, &out->has));
    TL_TRY(tl_alloc(ctx, all, &out->says));
    TL_TRY(tl_alloc_array(ctx, all, sizeof(float), &out->probability));
    TL_TRY(tl_alloc_array(ctx, (size_t)wide, sizeof *mark, &mark));
    for (int64_t i = 0; i < rows.count; i++) {
        for (int64_t c = 0; c < d->classes; c++)
            out->has[i * wide + map[c]] = d->mark[rows.row[i] * d->classes + c];
        for (int64_t c = 0; c < wide; c++) mark[c] = (float)out->has[i * wide + c];
        out->loss[i] = tl_marks_loss(y + i * wide, mark, wide);
    }
    tl_model_answer(m, y, rows.count);
    memcpy(out->probability, y, all * sizeof *y);
    for (size_t i = 0; i < all; i++)
        out->says[i] = y[i] >= tl_model_threshold(m, (int64_t)i % wide);
done:
    tl_free(ctx, map);
    tl_free(ctx, mark);
    return rc;
}

static tl_status take_classes(tl_ctx *ctx, const tl_model *m, const tl_dataset *d,
                              tl_rows rows, float *y, tl_answers *out)
{
    const int64_t wide = m->arch.outputs;
    int32_t      *map  = NULL;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)d->classes, sizeof *map, &map));
    TL_TRY(map_classes(ctx, m, d, map));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, sizeof *out->label, &out->label));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, sizeof *out->predicted, &out->predicted));
    for (int64_t i = 0; i < rows.count; i++) {
        out->label[i] = map[d->label[rows.row[i]]];
        (out->ranks ? answer_rank : answer_row)(y + i * wide, wide, out->label[i],
                                                &out->predicted[i], &out->loss[i]);
    }
    if (wide != 2 || out->ranks) goto done;
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, sizeof *out->score, &out->score));
    for (int64_t i = 0; i < rows.count; i++) out->score[i] = y[2 * i + 1] - y[2 * i];
done:
    tl_free(ctx, map);
    return rc;
}

static tl_status same_task(tl_ctx *ctx, const tl_model *m, const tl_dataset *d)
{
    if (m->task == d->task) return TL_OK;
    return tl_fail(ctx, TL_EDATA, d->path, "is for %s, and the model was trained for %s "
                   "(give data like its own)", d->task->name, m->task->name);
}

tl_status tl_api_ask(tailor *t, const tl_model *model, const tl_dataset *set, tl_rows rows,
                     tl_answers *out)
{
    tl_ctx       *ctx   = &t->ctx;
    const int64_t wide  = model->arch.outputs;
    tl_cache     *cache = NULL;
    tl_slab      *slab  = NULL;
    tl_predictor *p     = NULL;
    float        *logit = NULL;
    tl_status     rc;

    *out = (tl_answers){ .rows = rows.count, .classes = wide, .ranks = set->task->ordered };
    TL_TRY(same_task(ctx, model, set));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, sizeof *out->loss, &out->loss));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, (size_t)wide * sizeof *logit, &logit));
    TL_TRY(tl_cache_new(ctx, set, &model->prep, tl_api_cache_bytes(t), &cache));
    TL_TRY(tl_slab_new(ctx, tl_api_backend(), &slab));
    TL_TRY(tl_predictor_new(ctx, model, TL_PART_WHOLE, PREDICT_ROWS, tl_api_backend(), slab,
                            tl_api_dtype(t, model), &p));
    TL_TRY(tl_predictor_rows(ctx, p, cache, rows, logit));
    TL_TRY((set->task->numbers   ? take_numbers
            : set->task->several ? take_labels
                                 : take_classes)(ctx, model, set, rows, logit, out));
    if (set->task->tags) TL_TRY(tl_count_texts(ctx, model, set, rows, out));
done:
    tl_predictor_free(ctx, p);
    tl_slab_free(ctx, slab);
    tl_cache_free(ctx, cache);
    tl_free(ctx, logit);
    if (rc != TL_OK) tl_answers_free(ctx, out);
    return rc;
}

void tl_answers_free(tl_ctx *ctx, tl_answers *a)
{
    tl_free(ctx, a->label);
    tl_free(ctx, a->predicted);
    tl_free(ctx, a->loss);
    tl_free(ctx, a->score);
    tl_free(ctx, a->truth);
    tl_free(ctx, a->value);
    tl_free(ctx, a->has);
    tl_free(ctx, a->says);
    tl_free(ctx, a->probability);
    tl_free(ctx, a->of_text);
    *a = (tl_answers){ 0 };
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Macro-F1 of rows drawn with replacement; hits and named are room for the classes. */
static double resampled_f1(const tl_answers *a, uint64_t draw, int64_t *hits, int64_t *named)
{
    double  sum     = 0.0;
    int64_t present = 0;

    memset(hits, 0, (size_t)a->classes * sizeof *hits);
    memset(named, 0, (size_t)a->classes * sizeof *named);
    for (int64_t i = 0; i < a->rows; i++) {
        const uint64_t k = tl_rand_below(1, TL_STREAM(TL_STREAM_BOOTSTRAP, draw), (uint64_t)i,
                                         (uint64_t)a->rows);
        hits[a->label[k]] += a->label[k] == a->predicted[k];
        named[a->label[k]]++;
        named[a->predicted[k]]++;
    }
    for (int64_t c = 0; c < a->classes; c++) {
        if (!named[c]) continue;
        sum += 2.0 * (double)hits[c] / (double)named[c];
        present++;
    }
    return present ? sum / (double)present : NAN;
}

static tl_status f1_interval(tl_ctx *ctx, const tl_answers *a, tailor_metrics *out)
{
    int64_t  *count = NULL;
    double   *f1    = NULL;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, 2 * (size_t)a->classes, sizeof *count, &count));
    TL_TRY(tl_alloc_array(ctx, RESAMPLES, sizeof *f1, &f1));
    for (int b = 0; b < RESAMPLES; b++)
        f1[b] = resampled_f1(a, (uint64_t)b, count, count + a->classes);
    qsort(f1, RESAMPLES, sizeof *f1, compare_doubles);
    out->macro_f1_low  = f1[RESAMPLES / 40];
    out->macro_f1_high = f1[RESAMPLES - 1 - RESAMPLES / 40];
done:
    tl_free(ctx, count);
    tl_free(ctx, f1);
    return rc;
}

static void no_numbers(tailor_metrics *out)
{
    out->rmse = out->rmse_low = out->rmse_high = NAN;
    out->mae = out->mae_low = out->mae_high = NAN;
    out->r2 = out->r2_low = out->r2_high = NAN;
}

static void no_marks(tailor_metrics *out)
{
    out->micro_f1 = out->micro_f1_low = out->micro_f1_high = NAN;
    out->map = out->map_low = out->map_high = NAN;
    out->qwk = out->qwk_low = out->qwk_high = NAN;
    out->entity_f1 = out->entity_f1_low = out->entity_f1_high = NAN;
}

static void no_classes(tailor_metrics *out)
{
    out->accuracy = out->accuracy_low = out->accuracy_high = NAN;
    out->macro_f1 = out->macro_f1_low = out->macro_f1_high = NAN;
    out->roc_auc = out->roc_auc_low = out->roc_auc_high = NAN;
}

/* Intervals of the mean squared and absolute error by Student's t over rows; RMSE and R2 follow
 * from the first, the target's spread taken as it is. */
static tl_status measure_numbers(tl_ctx *ctx, const tl_answers *a, double loss,
                                 tailor_metrics *out)
{
    const int    n    = (int)TL_MIN(a->rows, (int64_t)INT32_MAX);
    double      *e    = NULL, mean = 0.0, spread = 0.0;
    tl_interval  square, away;
    tl_status    rc   = tl_alloc_array(ctx, (size_t)a->rows, 2 * sizeof *e, &e);

    if (rc != TL_OK) return rc;
    for (int64_t i = 0; i < a->rows; i++) mean += a->truth[i] / (double)a->rows;
    for (int64_t i = 0; i < a->rows; i++) {
        e[a->rows + i] = fabs(a->value[i] - a->truth[i]);
        e[i]           = e[a->rows + i] * e[a->rows + i];
        spread += (a->truth[i] - mean) * (a->truth[i] - mean) / (double)a->rows;
    }
    square = tl_mean_t(e, n, 0.95);
    away   = tl_mean_t(e + a->rows, n, 0.95);
    no_classes(out);
    out->loss      = loss;
    out->rmse      = sqrt(square.mean);
    out->rmse_low  = sqrt(fmax(0.0, square.low));
    out->rmse_high = sqrt(square.high);
    out->mae       = away.mean;
    out->mae_low   = fmax(0.0, away.low);
    out->mae_high  = away.high;
    out->r2        = spread > 0.0 ? 1.0 - square.mean / spread : NAN;
    out->r2_low    = spread > 0.0 ? 1.0 - square.high / spread : NAN;
    out->r2_high   = spread > 0.0 ? fmin(1.0, 1.0 - square.low / spread) : NAN;
    tl_free(ctx, e);
    return TL_OK;
}

tl_status tl_api_measure(tl_ctx *ctx, const tl_answers *a, tailor_metrics *out)
{
    double      right = 0.0, loss = 0.0;
    tl_interval accuracy, auc = { NAN, NAN, NAN };
    tl_status   rc = TL_OK;

    *out = (tailor_metrics){ .rows = a->rows };
    if (a->rows == 0)
        return tl_fail(ctx, TL_EDATA, "data",
                       "this part has no rows (choose another --split)");
    for (int64_t i = 0; i < a->rows; i++) loss += a->loss[i];
    no_marks(out);
    if (a->has) {
        no_classes(out);
        no_numbers(out);
        out->loss = loss / (double)a->rows;
        return tl_measure_labels(ctx, a, out);
    }
    if (a->truth) return measure_numbers(ctx, a, loss / (double)a->rows, out);
    no_numbers(out);
    for (int64_t i = 0; i < a->rows; i++) right += a->label[i] == a->predicted[i];
    if (a->score) rc = tl_roc_auc(ctx, a->score, a->label, a->rows, &auc);
    if (rc != TL_OK) return rc;
    out->roc_auc       = auc.mean;
    out->roc_auc_low   = auc.low;
    out->roc_auc_high  = auc.high;
    accuracy           = tl_wilson(right, (double)a->rows, 0.95);
    out->loss          = loss / (double)a->rows;
    out->accuracy      = right / (double)a->rows;
    out->accuracy_low  = accuracy.low;
    out->accuracy_high = accuracy.high;
    out->macro_f1      = tl_macro_f1(a->label, a->predicted, a->rows, (int32_t)a->classes);
    TL_TRY(f1_interval(ctx, a, out));
    /* All right, or all wrong: drawing rows again shows no more of it; rows at large do. */
    if (!(out->macro_f1_low < out->macro_f1_high)) {
        out->macro_f1_low  = fmin(out->macro_f1, accuracy.low);
        out->macro_f1_high = fmax(out->macro_f1, accuracy.high);
    }
    if (a->ranks) rc = tl_measure_ranks(ctx, a, out);
    if (a->of_text) rc = tl_measure_tags(ctx, a, out);
done:
    return rc;
}
