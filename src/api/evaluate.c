/* evaluate.c -- tailor_evaluate: scores with intervals, class by class.  Floor 4.5, api. */
#include "api/words.h"
#include "data/corpus/corpus.h"
#include "study/stats.h"

#include <math.h>
#include <string.h>

/* {"value", "ci95": [low, high]} */
static json_t *interval(double mean, double low, double high)
{
    return json_pack("{s:o, s:[o,o]}", "value", tl_json_real(mean), "ci95", tl_json_real(low),
                     tl_json_real(high));
}

static json_t *loss_interval(const tl_answers *a)
{
    const tl_interval i = tl_mean_t(a->loss, (int)TL_MIN(a->rows, INT32_MAX), 0.95);

    return interval(i.mean, i.low, i.high);
}

typedef struct { int64_t rows, named, hits; } class_count;

static json_t *one_class(const char *name, int64_t number, const class_count *n)
{
    const double      precision = n->named ? (double)n->hits / (double)n->named : 0.0;
    const double      recall    = n->rows ? (double)n->hits / (double)n->rows : 0.0;
    const int64_t     both      = TL_MAX(n->rows + n->named, (int64_t)1);
    const double      f1        = 2.0 * (double)n->hits / (double)both;
    const tl_interval ci = tl_wilson((double)n->hits, (double)n->rows, 0.95);

    return json_pack("{s:o, s:I, s:o, s:o, s:o, s:[o,o]}", "class",
                     name ? json_string(name) : json_sprintf("%lld", (long long)number), "rows",
                     (json_int_t)n->rows, "precision", tl_json_real(precision), "recall",
                     tl_json_real(n->rows ? recall : NAN), "f1", tl_json_real(f1),
                     "recall_ci95",
                     tl_json_real(ci.low), tl_json_real(ci.high));
}

/* Classes that occur, as label or as answer. */
static tl_status per_class(tl_ctx *ctx, const tl_model *m, const tl_answers *a, json_t **out)
{
    json_t      *list  = json_array();
    class_count *count = NULL;
    tl_status    rc;

    *out = NULL;
    TL_TRY(tl_alloc_array(ctx, (size_t)a->classes, sizeof *count, &count));
    for (int64_t i = 0; i < a->rows; i++) {
        count[a->label[i]].rows++;
        count[a->predicted[i]].named++;
        count[a->label[i]].hits += a->label[i] == a->predicted[i];
    }
    for (int64_t c = 0; c < a->classes; c++)
        if (count[c].rows || count[c].named)
            json_array_append_new(list, one_class(m->class_name ? m->class_name[c] : NULL,
                                                  c, &count[c]));
    *out = list;
    list = NULL;
done:
    json_decref(list);
    tl_free(ctx, count);
    return rc;
}

/* counts[true][predicted], for at most so many classes that people can look at. */
static json_t *confusion(const tl_answers *a)
{
    enum { CLASSES = 100 };
    json_t *table;

    if (a->classes > CLASSES) return json_null();
    table = json_array();
    for (int64_t y = 0; y < a->classes; y++) {
        int64_t count[CLASSES] = { 0 };
        json_t *row            = json_array();
        for (int64_t i = 0; i < a->rows; i++)
            if (a->label[i] == y) count[a->predicted[i]]++;
        for (int64_t c = 0; c < a->classes; c++)
            json_array_append_new(row, json_integer(count[c]));
        json_array_append_new(table, row);
    }
    return table;
}

static tl_status result_of_numbers(tl_ctx *ctx, const tl_answers *a, const tailor_metrics *s,
                                   const char *split, char **out)
{
    return tl_api_text(
        ctx,
        json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "split", split, "rows",
                  (json_int_t)s->rows, "rmse", interval(s->rmse, s->rmse_low, s->rmse_high),
                  "mae", interval(s->mae, s->mae_low, s->mae_high), "r2",
                  interval(s->r2, s->r2_low, s->r2_high), "loss", loss_interval(a)),
        out);
}

static json_t *one_label(const tl_model *m, const tl_answers *a, int64_t c, double ap)
{
    class_count n = { 0 };

    for (int64_t i = c; i < a->rows * a->classes; i += a->classes) {
        n.rows += a->has[i];
        n.named += a->says[i];
        n.hits += a->has[i] && a->says[i];
    }
    json_t *one = one_class(m->class_name ? m->class_name[c] : NULL, c, &n);
    json_object_set_new(one, "average_precision", tl_json_real(ap));
    json_object_set_new(one, "threshold", tl_json_real((double)tl_model_threshold(m, c)));
    return one;
}

static tl_status result_of_labels(tl_ctx *ctx, const tl_model *m, const tl_answers *a,
                                  const tailor_metrics *s, const char *split, char **out)
{
    json_t   *list = json_array();
    tl_status rc   = TL_OK;

    for (int64_t c = 0; c < a->classes; c++) {
        double ap;
        TL_TRY(tl_average_precision(ctx, a->probability + c, a->has + c, a->classes, a->rows,
                                    &ap));
        json_array_append_new(list, one_label(m, a, c, ap));
    }
    rc = tl_api_text(
        ctx,
        json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:O}", "split", split, "rows",
                  (json_int_t)s->rows, "micro_f1",
                  interval(s->micro_f1, s->micro_f1_low, s->micro_f1_high), "macro_f1",
                  interval(s->macro_f1, s->macro_f1_low, s->macro_f1_high), "map",
                  interval(s->map, s->map_low, s->map_high), "loss", loss_interval(a),
                  "per_class", list),
        out);
done:
    json_decref(list);
    return rc;
}

static tl_status result(tl_ctx *ctx, const tl_model *m, const tl_answers *a,
                        const tailor_metrics *s, const char *split, char **out)
{
    json_t   *classes = NULL, *auc, *mae = NULL, *qwk = NULL, *entities = NULL;
    tl_status rc;

    if (a->has) return result_of_labels(ctx, m, a, s, split, out);
    if (a->truth) return result_of_numbers(ctx, a, s, split, out);
    if (a->ranks) mae = interval(s->mae, s->mae_low, s->mae_high);
    if (a->ranks) qwk = interval(s->qwk, s->qwk_low, s->qwk_high);
    if (a->of_text) entities = interval(s->entity_f1, s->entity_f1_low, s->entity_f1_high);
    auc = a->score ? interval(s->roc_auc, s->roc_auc_low, s->roc_auc_high) : NULL;
    TL_TRY(per_class(ctx, m, a, &classes));
    TL_TRY(tl_api_text(
        ctx,
        json_pack("{s:s, s:I, s:o*, s:o, s:o, s:o*, s:o*, s:o*, s:o, s:o, s:o}", "split", split,
                  "rows", (json_int_t)s->rows, "entity_f1", entities, "accuracy",
                  interval(s->accuracy, s->accuracy_low, s->accuracy_high), "macro_f1",
                  interval(s->macro_f1, s->macro_f1_low, s->macro_f1_high), "roc_auc", auc,
                  "mae", mae, "qwk", qwk, "loss", loss_interval(a), "per_class", classes,
                  "confusion", confusion(a)),
        out));
done:
    return rc;
}

tailor_status tailor_evaluate(tailor *t, const tailor_model *model, const tailor_data *data,
                              const char *part, tailor_metrics *out, char **json)
{
    tl_ctx     *ctx     = tl_api_begin(t);
    tl_rows     rows    = { 0 };
    tl_answers  answers = { 0 };
    const char *said    = "";
    tl_status   rc;

    *out = (tailor_metrics){ 0 };
    if (json) *json = NULL;
    if (tl_corpus_is(data->set)) {
        if (!tl_arch_words(&model->model->arch))
            TL_FAIL(TL_EDATA, data->set->path, "is plain text, and the model is no language model "
                    "(give rows with labels)");
        return tl_api_status(tl_words_evaluate(t, model->model, data->set, part, out, json));
    }
    if (data->set->task->words)
        TL_FAIL(TL_EUSAGE, data->set->path, "holds conversations (train says what its "
                "validation and test parts cost)");
    TL_TRY(tl_api_part(ctx, data, model->model, part, &rows, &said));
    TL_TRY(tl_api_ask(t, model->model, data->set, rows, &answers));
    TL_TRY(tl_api_measure(ctx, &answers, out));
    if (json) TL_TRY(result(ctx, model->model, &answers, out, said, json));
done:
    tl_answers_free(ctx, &answers);
    tl_free(ctx, rows.row);
    return tl_api_status(rc);
}
