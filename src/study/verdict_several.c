/* verdict_several.c -- of several labels: the figures of each on the test rows of best/, and the
 * rows whose labels it gets most wrong, for the report.  Floor 4, study. */
#include "study/compare_internal.h"
#include "core/text.h"

#include <math.h>
#include <string.h>

enum { LISTED = 12 };

static bool is_said(const tl_study *s, const tl_judged *j, int64_t r, int64_t c)
{
    const float threshold = j->best_threshold ? j->best_threshold[c] : 0.5f;

    return j->best_answer[r * s->data->classes + c] >= threshold;
}

static bool is_there(const tl_study *s, const tl_judged *j, int64_t r, int64_t c)
{
    return s->data->mark[j->best_rows.row[r] * s->data->classes + c] != 0;
}

static json_t *label_json(const tl_study *s, const tl_judged *j, int64_t c, double precision_mean)
{
    int64_t there = 0, named = 0, hits = 0;

    for (int64_t r = 0; r < j->best_rows.count; r++) {
        const bool has = is_there(s, j, r, c), says = is_said(s, j, r, c);
        there += has;
        named += says;
        hits += has && says;
    }
    const tl_interval recall = tl_wilson((double)hits, (double)there, 0.95);
    json_t *ci = isfinite(recall.low) ? json_pack("[f, f]", recall.low, recall.high)
                                      : json_null();
    return json_pack(
        "{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "class", tl_study_class_json(s, c), "rows",
        (json_int_t)there, "precision",
        tl_json_real(named > 0 ? (double)hits / (double)named : NAN), "recall",
        tl_json_real(recall.mean), "f1",
        tl_json_real(there + named > 0 ? 2.0 * (double)hits / (double)(there + named) : NAN),
        "average_precision", tl_json_real(precision_mean), "threshold",
        tl_json_real(j->best_threshold ? (double)j->best_threshold[c] : 0.5), "recall_ci95", ci);
}

/* "joy | relief"; "(none)". */
static json_t *names_json(tl_ctx *ctx, const tl_study *s, const tl_judged *j, int64_t r,
                          bool (*has)(const tl_study *, const tl_judged *, int64_t, int64_t))
{
    tl_text t = tl_text_make(ctx);
    json_t *value;

    for (int64_t c = 0; c < s->data->classes; c++) {
        if (!has(s, j, r, c)) continue;
        json_t *name = tl_study_class_json(s, c);
        tl_text_printf(&t, "%s%s", t.bytes ? " | " : "", json_string_value(name));
        json_decref(name);
    }
    value = json_string(t.bytes && t.status == TL_OK ? t.text : "(none)");
    tl_text_free(&t);
    return value;
}

/* How much the row's labels surprise: mean of -log of what each was given. */
static double surprise(const tl_study *s, const tl_judged *j, int64_t r)
{
    double sum = 0.0;

    for (int64_t c = 0; c < s->data->classes; c++) {
        const double p = (double)j->best_answer[r * s->data->classes + c];
        sum -= log(fmax(is_there(s, j, r, c) ? p : 1.0 - p, 1e-30));
    }
    return sum;
}

static tl_status mistakes_json(tl_ctx *ctx, const tl_study *s, const tl_judged *j, json_t *list)
{
    double    bound = INFINITY;
    char     *name  = NULL;
    tl_status rc    = TL_OK;

    for (int m = 0; m < LISTED; m++) {
        int64_t worst = -1;
        double  most  = 0.0;
        for (int64_t r = 0; r < j->best_rows.count; r++) {
            const double mine = surprise(s, j, r);
            if (mine < bound && mine > most) worst = r, most = mine;
        }
        if (worst < 0) break;
        bound             = most;
        const int64_t row = j->best_rows.row[worst];
        TL_TRY(tl_dataset_row_name(ctx, s->data, row, &name));
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:o, s:n, s:n, s:o}", "row", name, "true",
                            names_json(ctx, s, j, worst, is_there), "predicted",
                            names_json(ctx, s, j, worst, is_said), "probability", "image", "text",
                            s->data->text ? tl_study_text_json(s, row) : json_null()));
        tl_free(ctx, name);
        name = NULL;
    }
done:
    tl_free(ctx, name);
    return rc;
}

tl_status tl_study_several_json(tl_ctx *ctx, const tl_study *s, const tl_judged *j, json_t *out)
{
    const int64_t n = s->data->classes, rows = j->best_rows.count;
    json_t       *list = json_array(), *mistakes = json_array();
    uint8_t      *has  = NULL;
    tl_status     rc;

    json_object_set_new(out, "per_class", list);
    json_object_set_new(out, "mistakes", mistakes);
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, (size_t)n, &has));
    for (int64_t i = 0; i < rows * n; i++) has[i] = is_there(s, j, i / n, i % n);
    for (int64_t c = 0; c < n; c++) {
        double mean;
        TL_TRY(tl_average_precision(ctx, j->best_answer + c, has + c, n, rows, &mean));
        json_array_append_new(list, label_json(s, j, c, mean));
    }
    rc = mistakes_json(ctx, s, j, mistakes);
done:
    tl_free(ctx, has);
    return rc;
}
