/* predict.c -- tailor_predict: pictures, rows of tables or texts, a JSON line each.  Floor 4.5,
 * api. */
#include "api/predict.h"
#include "core/io.h"
#include "tensor/marks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 5 };

static tl_status asker_open(tailor *t, const tl_model *m, tl_asker *a)
{
    tl_ctx        *ctx = &t->ctx;
    const tl_shape row = tl_prep_row(&m->prep);
    tl_status      rc;

    *a = (tl_asker){ .row = tl_shape_count(&row), .how = tl_api_telling(t) };
    if (m->arch.ask == TL_ASK_NEXT) return tl_api_writer(t, m, &a->writer);
    TL_TRY(tl_slab_new(ctx, tl_api_backend(), &a->slab));
    TL_TRY(tl_predictor_new(ctx, m, TL_PART_WHOLE, TL_ASK_ROWS, tl_api_backend(), a->slab,
                            tl_api_dtype(t, m), &a->p));
    TL_TRY(tl_alloc_array(ctx, (size_t)TL_ASK_ROWS * (size_t)a->row, sizeof *a->x, &a->x));
    TL_TRY(tl_alloc_array(ctx, TL_ASK_ROWS, (size_t)m->arch.outputs * sizeof *a->y, &a->y));
done:
    return rc;
}

static void asker_close(tl_ctx *ctx, tl_asker *a)
{
    tl_writer_free(ctx, a->writer);
    tl_predictor_free(ctx, a->p);
    tl_slab_free(ctx, a->slab);
    tl_free(ctx, a->x);
    tl_free(ctx, a->y);
}

static tl_status read_picture(tl_ctx *ctx, const tl_model *m, const char *path, float *x)
{
    tl_image  image = { 0 };
    tl_status rc;

    TL_TRY(tl_image_open(ctx, path, (int)m->prep.channels, &image));
    TL_TRY(tl_prep_apply(ctx, &m->prep, &image, x));
done:
    tl_image_free(ctx, &image);
    return rc;
}

static json_t *named_score(const tl_model *m, int64_t c, double score)
{
    json_t *label = m->class_name ? json_string(m->class_name[c]) : json_integer(c);

    return json_pack("{s:o, s:o}", "label", label, "score", tl_json_real(score));
}

/* Every label with its probability, and those that are said. */
static json_t *labels_json(const tl_model *m, const char *path, const float *p)
{
    json_t *said = json_array(), *scores = json_array();

    for (int64_t c = 0; c < m->arch.outputs; c++) {
        json_t *one = named_score(m, c, (double)p[c]);
        if (p[c] >= tl_model_threshold(m, c))
            json_array_append(said, json_object_get(one, "label"));
        json_array_append_new(scores, one);
    }
    return json_pack("{s:o, s:o, s:o}", "input", tl_json_name(path), "labels", said, "scores",
                     scores);
}

/* The median rank, and every rank with its probability, the lowest first. */
static json_t *rank_json(const tl_model *m, const char *path, const float *p)
{
    json_t *line = json_pack("{s:o}", "input", tl_json_name(path)), *scores = json_array();

    for (int64_t c = 0; c < m->arch.outputs; c++)
        json_array_append_new(scores, named_score(m, c, (double)p[c]));
    json_object_update(line, json_array_get(scores, (size_t)tl_rank_said(p, m->arch.outputs)));
    json_object_set_new(line, "scores", scores);
    return line;
}

/* The best classes, best first: picked one by one, as TOP is small. */
json_t *tl_answer_json(const tl_model *m, const char *path, float *logit)
{
    if (m->task->numbers || tl_task_has_marks(m->task)) tl_model_answer(m, logit, 1);
    if (m->task->several) return labels_json(m, path, logit);
    if (m->task->ordered) return rank_json(m, path, logit);
    if (m->task->numbers)
        return json_pack("{s:o, s:o}", "input", tl_json_name(path), "value",
                         tl_json_real((double)*logit));
    const int64_t n      = m->arch.outputs;
    json_t *line = json_pack("{s:o}", "input", tl_json_name(path)), *top = json_array();
    double        sum    = 0.0, most = -INFINITY;
    int64_t       taken[TOP];

    for (int64_t c = 0; c < n; c++) most = fmax(most, (double)logit[c]);
    for (int64_t c = 0; c < n; c++) sum += exp((double)logit[c] - most);
    for (int k = 0; k < TOP && k < n; k++) {
        int64_t best = -1;
        for (int64_t c = 0; c < n; c++) {
            bool used = false;
            for (int i = 0; i < k; i++) used |= taken[i] == c;
            if (!used && (best < 0 || logit[c] > logit[best])) best = c;
        }
        taken[k] = best;
        json_array_append_new(top, named_score(m, best, exp((double)logit[best] - most) / sum));
    }
    json_object_update(line, json_array_get(top, 0));
    json_object_set_new(line, "top5", top);
    return line;
}

/* Where vectors are wanted only errors come as lines. */
static bool give_error(json_t *line, const tl_each_line *each)
{
    const json_t *said = json_object_get(line, "error");
    char         *text = json_is_string(said) ? NULL : json_dumps(said, JSON_ENCODE_ANY);
    const tailor_vector row = { .input = tl_json_text(line, "input", "?"),
                                .error = text ? text : json_string_value(said) };
    const bool    stop      = !row.error || each->vector(each->user, &row) != 0;

    free(text);
    json_decref(line);
    return stop;
}

bool tl_give_line(json_t *line, const tl_each_line *each)
{
    if (each->vector) return give_error(line, each);
    char *text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(7));
    bool  stop = !text || each->call(each->user, text) != 0;

    free(text);
    json_decref(line);
    return stop;
}

/* A batch: what can be read is asked at once; lines keep the order of the paths. */
static tl_status ask_batch(tl_ctx *ctx, tl_asker *a, const tl_model *m, const char *const *path,
                           size_t n, const tl_each_line *each, bool *stop)
{
    json_t   *unread[TL_ASK_ROWS] = { 0 };
    int64_t   rows = 0;
    tl_status rc   = TL_OK;

    for (size_t i = 0; i < n; i++) {
        rc = read_picture(ctx, m, path[i], a->x + rows * a->row);
        if (rc == TL_ENOMEM || rc == TL_ECANCEL) goto done;
        if (rc == TL_OK) rows++;
        else
            unread[i] = json_pack("{s:o, s:s}", "input", tl_json_name(path[i]), "error",
                                  ctx->message);
        a->bad |= rc != TL_OK;
    }
    rc = TL_OK;
    if (rows) TL_TRY(tl_predictor_run(ctx, a->p, a->x, rows, a->y));
    rows = 0;
    for (size_t i = 0; i < n && !*stop; i++) {
        json_t *line = unread[i] ? unread[i]
                                 : tl_answer_json(m, path[i], a->y + m->arch.outputs * rows++);
        unread[i]    = NULL;
        *stop        = tl_give_line(line, each);
    }
done:
    for (size_t i = 0; i < n; i++) json_decref(unread[i]);
    return rc;
}

static tl_status end_well(tl_ctx *ctx, const tl_asker *a, const tl_model *m)
{
    if (!a->bad) return TL_OK;
    return tl_fail(ctx, TL_EDATA, "predict",
                   "some %s could not be read (see their \"error\")", m->task->rows);
}

tailor_status tailor_predict(tailor *t, const tailor_model *model, const char *const *path,
                             size_t paths, int (*each)(void *user, const char *json),
                             void *user)
{
    tl_ctx   *ctx  = tl_api_begin(t);
    tl_asker  a    = { 0 };
    bool      stop = false;
    tl_status rc;
    const tl_each_line lines = { .call = each, .user = user };

    TL_TRY(asker_open(t, model->model, &a));
    if (model->model->task->tags)
        TL_TRY(tl_predict_tags(ctx, &a, model->model, tl_api_cache_bytes(t), path, paths, &lines));
    else if (model->model->prep.text)
        TL_TRY(tl_predict_texts(ctx, &a, model->model, tl_api_cache_bytes(t), path, paths,
                                &lines));
    else if (model->model->prep.table)
        TL_TRY(tl_predict_tables(ctx, &a, model->model, tl_api_cache_bytes(t), path, paths,
                                 &lines));
    else for (size_t i = 0; i < paths && !stop; i += TL_ASK_ROWS) {
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "predict", "interrupted");
        TL_TRY(ask_batch(ctx, &a, model->model, path + i,
                         TL_MIN((size_t)TL_ASK_ROWS, paths - i), &lines, &stop));
    }
    TL_TRY(end_well(ctx, &a, model->model));
done:
    asker_close(ctx, &a);
    return tl_api_status(rc);
}

tailor_status tailor_predict_table(tailor *t, const tailor_model *model, const char *name,
                                   const char *text, size_t                         bytes,
                                   int (*each)(void *user, const char *json), void *user)
{
    tl_ctx            *ctx   = tl_api_begin(t);
    const tl_model    *m     = model->model;
    const tl_each_line lines = { .call = each, .user = user };
    tl_asker           a     = { 0 };
    tl_status          rc;

    if (!m->prep.table)
        TL_FAIL(TL_EUSAGE, name,
                "the model takes pictures, not rows of tables (give paths)");
    TL_TRY(asker_open(t, m, &a));
    TL_TRY(tl_predict_table_text(ctx, &a, m, name, text, bytes, &lines));
    TL_TRY(end_well(ctx, &a, m));
done:
    asker_close(ctx, &a);
    return tl_api_status(rc);
}

tailor_status tailor_predict_text(tailor *t, const tailor_model *model, const char *const *text,
                                  size_t count, int (*each)(void *user, const char *json),
                                  void *user)
{
    tl_ctx            *ctx   = tl_api_begin(t);
    const tl_each_line lines = { .call = each, .user = user };
    tl_asker           a     = { 0 };
    tl_status          rc;

    if (!model->model->prep.text)
        TL_FAIL(TL_EUSAGE, "tailor_predict_text", "the model takes %s (give their paths)",
                model->model->task->rows);
    TL_TRY(asker_open(t, model->model, &a));
    TL_TRY((model->model->task->tags ? tl_predict_given_tags : tl_predict_given)(
        ctx, &a, model->model, text, count, &lines));
    if (a.bad) TL_FAIL(TL_EDATA, "predict", "some texts are empty (see their \"error\")");
done:
    asker_close(ctx, &a);
    return tl_api_status(rc);
}
