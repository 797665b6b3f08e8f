/* verdict_detail.c -- what the report shows beside the verdict: curves, confusion,
 * classes, the worst mistakes as small pictures, how to go on. The members are
 * described in compare.h. Floor 4, study. */
#include "core/io.h"
#include "core/machine.h"
#include "core/text.h"
#include "study/compare_internal.h"
#include "tensor/marks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MISTAKES = 12, THUMB = 96 };

static json_t *points_json(const tl_curve_point *p, int64_t count)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < count; i++)
        json_array_append_new(
            list, json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "epoch",
                            (json_int_t)p[i].epoch, "step", (json_int_t)p[i].step,
                            "train_loss", tl_json_real(p[i].train_loss), "train_metric",
                            tl_json_real(p[i].train_metric), "valid_loss",
                            tl_json_real(p[i].valid_loss), "valid_metric",
                            tl_json_real(p[i].valid_metric)));
    return list;
}

static tl_status runs_json(tl_ctx *ctx, const tl_study *s, json_t *out)
{
    tl_status rc   = TL_OK;
    json_t   *list = json_array();

    json_object_set_new(out, "runs", list);
    for (int i = 0; i < s->runs; i++) {
        const tl_study_run *r      = &s->run[i];
        tl_curve_point     *points = NULL;
        int64_t             count  = 0;
        if (r->trial != s->entry[r->candidate].chosen || r->fold > 0) continue;
        TL_TRY(tl_store_points(ctx, s->store, r->id, &points, &count));
        json_array_append_new(
            list,
            json_pack("{s:i, s:I, s:i, s:I, s:s, s:o}", "candidate", r->candidate, "seed",
                      (json_int_t)r->seed, "repeat", r->repeat, "best_epoch",
                      (json_int_t)r->facts.best_epoch, "stopped", r->facts.stopped, "points",
                      points_json(points, count)));
        tl_free(ctx, points);
    }
done:
    return rc;
}

json_t *tl_study_class_json(const tl_study *s, int64_t c)
{
    char number[24];

    if (s->data->class_name && s->data->class_name[c])
        return json_string(s->data->class_name[c]);
    snprintf(number, sizeof number, "%" PRId64, c);
    return json_string(number);
}

static int32_t said(const tl_study *s, const tl_judged *j, int64_t row)
{
    const float *p = j->best_answer + row * s->data->classes;

    return s->data->task->ordered ? tl_rank_said(p, s->data->classes)
                                  : tl_study_top(p, s->data->classes);
}

/* count[true * classes + predicted] of best/ on its test rows. */
static tl_status count_confusion(tl_ctx *ctx, const tl_study *s, const tl_judged *j,
                                 int64_t **out)
{
    const int64_t   n  = s->data->classes;
    const tl_status rc = tl_alloc_array(ctx, (size_t)(n * n), sizeof **out, out);

    for (int64_t r = 0; rc == TL_OK && r < j->best_rows.count; r++)
        (*out)[s->data->label[j->best_rows.row[r]] * n + said(s, j, r)]++;
    return rc;
}

static void confusion_json(const tl_study *s, const int64_t *count, json_t *out)
{
    json_t *names = json_array(), *rows = json_array();

    for (int64_t c = 0; c < s->data->classes; c++) {
        json_t *row = json_array();
        json_array_append_new(names, tl_study_class_json(s, c));
        for (int64_t k = 0; k < s->data->classes; k++)
            json_array_append_new(row, json_integer(count[c * s->data->classes + k]));
        json_array_append_new(rows, row);
    }
    json_object_set_new(out, "confusion",
                        json_pack("{s:o, s:o}", "classes", names, "counts", rows));
}

/* "data:image/png;base64,..." */
static tl_status add_data_uri(tl_text *t, const uint8_t *data, size_t bytes)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    tl_text_add(t, "data:image/png;base64,");
    for (size_t i = 0; i < bytes; i += 3) {
        const uint32_t second = i + 1 < bytes ? data[i + 1] : 0;
        const uint32_t third  = i + 2 < bytes ? data[i + 2] : 0;
        const uint32_t v      = (uint32_t)data[i] << 16 | second << 8 | third;
        const char     out[4] = { digits[v >> 18], digits[v >> 12 & 63],
                              i + 1 < bytes ? digits[v >> 6 & 63] : '=',
                              i + 2 < bytes ? digits[v & 63] : '=' };
        tl_text_add_bytes(t, out, sizeof out);
    }
    return t->status;
}

static tl_status thumbnail(tl_ctx *ctx, const tl_study *s, int64_t row, json_t **out)
{
    tl_status rc;
    tl_image  full = { 0 }, small = { 0 };
    uint8_t  *png = NULL;
    size_t    bytes;
    tl_text   uri = tl_text_make(ctx);

    TL_TRY(s->data->read(ctx, s->data, row, 0, &full));
    const int64_t longer = TL_MAX(full.height, full.width), side = TL_MIN(THUMB, longer);
    TL_TRY(tl_image_resize(ctx, &full, NULL, TL_MAX(1, full.height * side / longer),
                           TL_MAX(1, full.width * side / longer), TL_BILINEAR, &small));
    TL_TRY(tl_image_write_png(ctx, &small, &png, &bytes));
    TL_TRY(add_data_uri(&uri, png, bytes));
    *out = json_string(uri.text);
done:
    tl_image_free(ctx, &full);
    tl_image_free(ctx, &small);
    tl_free(ctx, png);
    tl_text_free(&uri);
    return rc;
}

/* The text, or as much of it as people look at; the second of a pair after a bar. */
json_t *tl_study_text_json(const tl_study *s, int64_t row)
{
    enum { SHOWN_BYTES = 300 };
    tl_string text[2];
    char      shown[2 * SHOWN_BYTES + 16];
    size_t    at = 0;
    json_t   *value;

    tl_dataset_text(s->data, row, text);
    for (int k = 0; k < 2 && text[k].text; k++) {
        size_t bytes = TL_MIN(text[k].bytes, (size_t)SHOWN_BYTES);
        while (bytes > 0 && bytes < text[k].bytes && ((uint8_t)text[k].text[bytes] & 0xc0) == 0x80)
            bytes--;
        at += (size_t)snprintf(shown + at, sizeof shown - at, "%s%.*s%s", k ? " | " : "",
                               (int)bytes, text[k].text, bytes < text[k].bytes ? "..." : "");
    }
    value = json_string(shown);
    return value ? value : json_string("(not UTF-8)");
}

tl_status tl_study_row_json(tl_ctx *ctx, const tl_study *s, int64_t row, int32_t said,
                            double probability, json_t **out)
{
    tl_status rc;
    char     *name  = NULL;
    json_t   *image = NULL, *text = NULL;

    *out = NULL;
    TL_TRY(tl_dataset_row_name(ctx, s->data, row, &name));
    if (s->data->text) text = tl_study_text_json(s, row);
    else if (!s->data->schema) TL_TRY(thumbnail(ctx, s, row, &image));
    *out = json_pack("{s:o, s:o, s:o, s:f, s:o, s:o}", "row", tl_json_name(name), "true",
                     tl_study_class_json(s, s->data->label[row]), "predicted",
                     tl_study_class_json(s, said), "probability", probability, "image",
                     image ? image : json_null(), "text", text ? text : json_null());
done:
    tl_free(ctx, name);
    return rc;
}

static tl_status mistake_json(tl_ctx *ctx, const tl_study *s, const tl_judged *j,
                              int64_t at, json_t **out)
{
    const int64_t n = s->data->classes;
    const int32_t k = said(s, j, at);

    return tl_study_row_json(ctx, s, j->best_rows.row[at], k,
                             (double)j->best_answer[at * n + k], out);
}

/* Wrong with the most confidence first; picked one by one, there are few. */
static tl_status mistakes_json(tl_ctx *ctx, const tl_study *s, const tl_judged *j,
                               json_t *out)
{
    tl_status     rc   = TL_OK;
    const int64_t n    = s->data->classes;
    json_t       *list = json_array();
    int64_t       taken[MISTAKES];

    json_object_set_new(out, "mistakes", list);
    for (int m = 0; m < MISTAKES; m++) {
        int64_t worst = -1;
        json_t *one;
        for (int64_t r = 0; r < j->best_rows.count; r++) {
            const int32_t k    = said(s, j, r);
            bool          used = k == s->data->label[j->best_rows.row[r]];
            for (int i = 0; i < m; i++) used = used || taken[i] == r;
            if (used) continue;
            if (worst < 0 ||
                j->best_answer[r * n + k] > j->best_answer[worst * n + said(s, j, worst)])
                worst = r;
        }
        if (worst < 0) break;
        taken[m] = worst;
        TL_TRY(mistake_json(ctx, s, j, worst, &one));
        json_array_append_new(list, one);
    }
done:
    return rc;
}

static double error_at(const tl_study *s, const tl_judged *j, int64_t r)
{
    return fabs((double)j->best_answer[r] - s->data->target[j->best_rows.row[r]]);
}

/* Of numbers: what was said of up to SHOWN test rows, and the rows it is most wrong about. */
static tl_status errors_json(tl_ctx *ctx, const tl_study *s, const tl_judged *j, json_t *out)
{
    enum { SHOWN = 1000 };
    const int64_t rows = j->best_rows.count, step = (rows + SHOWN - 1) / SHOWN;
    json_t       *pairs = json_array(), *list = json_array();
    char         *name = NULL;
    double        bound = INFINITY;
    tl_status     rc = TL_OK;

    json_object_set_new(out, "numbers", pairs);
    json_object_set_new(out, "mistakes", list);
    for (int64_t r = 0; r < rows; r += step) {
        const double truth = s->data->target[j->best_rows.row[r]];
        json_array_append_new(pairs, json_pack("[o, o]", tl_json_real(truth),
                                               tl_json_real((double)j->best_answer[r])));
    }
    for (int m = 0; m < MISTAKES; m++) {
        int64_t worst = -1;
        for (int64_t r = 0; r < rows; r++)
            if (error_at(s, j, r) < bound &&
                (worst < 0 || error_at(s, j, r) > error_at(s, j, worst)))
                worst = r;
        if (worst < 0) break;
        bound = error_at(s, j, worst);
        const double truth = s->data->target[j->best_rows.row[worst]];
        const double said  = (double)j->best_answer[worst];
        TL_TRY(tl_dataset_row_name(ctx, s->data, j->best_rows.row[worst], &name));
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:n, s:n}", "row", name, "true",
                                              tl_json_real(truth), "predicted",
                                              tl_json_real(said), "probability", "image"));
        tl_free(ctx, name);
        name = NULL;
    }
done:
    tl_free(ctx, name);
    return rc;
}

static json_t *texts_json(char *const *text, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) json_array_append_new(list, json_string(text[i]));
    return list;
}

static tl_status loads_json(tl_ctx *ctx, const tl_study *s, json_t *out)
{
    json_t   *list = json_array(), *card;
    tl_status rc   = TL_OK;

    json_object_set_new(out, "loads", list);
    for (int i = 0; i < s->bases; i++) {
        const tl_load_report *r = &s->base[i]->loaded;
        TL_TRY(tl_study_card(ctx, s->base[i]->path, &card));
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "base",
                                              s->base[i]->path, "scheme",
                                              r->scheme ? r->scheme : "", "loaded",
                                              (json_int_t)r->n_loaded, "fresh",
                                              texts_json(r->fresh, r->n_fresh), "unused",
                                              texts_json(r->unused, r->n_unused), "card",
                                              card));
    }
done:
    return rc;
}

static void routes_json(const tl_study *s, json_t *out)
{
    json_t *list = json_array();

    for (int i = 0; i < s->entries; i++) {
        const tl_route *route = s->entry[i].c.route;
        bool            told  = false; /* another entry of the same route did */
        for (int k = 0; k < i; k++) told = told || s->entry[k].c.route == route;
        if (!told)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name",
                                                  route->name, "doc", route->doc, "plain",
                                                  route->plain, "source", route->source));
    }
    json_object_set_new(out, "routes", list);
}

static void add_word(tl_text *t, const char *word)
{
    if (t->bytes) tl_text_add(t, " ");
    tl_text_add_word(t, word);
}

static tl_status add_use(tl_ctx *ctx, json_t *list, const char *title, const char *verb,
                         const char *model, const char *input)
{
    tl_text         t  = tl_text_make(ctx);
    const tl_status rc = (add_word(&t, "tailor"), add_word(&t, verb), add_word(&t, model),
                          add_word(&t, input), t.status);

    if (rc == TL_OK)
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "title", title, "command", t.text));
    tl_text_free(&t);
    return rc;
}

static tl_status use_json(tl_ctx *ctx, const tl_study *s, json_t *out)
{
    tl_status rc;
    json_t   *list    = json_array();
    char     *best    = NULL;
    tl_text   command = tl_text_make(ctx);

    json_object_set_new(out, "use", list);
    TL_TRY(tl_path_join(ctx, s->q->out, "best", &best));
    TL_TRY(s->data->task->text
               ? add_use(ctx, list, "Ask it of new texts", "predict", best, "NEW-TEXTS.csv")
           : s->data->task->table
               ? add_use(ctx, list, "Ask it of new rows", "predict", best, "NEW-ROWS.csv")
               : add_use(ctx, list, "Name new pictures", "predict", best, "NEW-PICTURES/"));
    TL_TRY(add_use(ctx, list,
                   s->data->task->text    ? "Score it on labelled texts"
                   : s->data->task->table ? "Score it on rows with a target"
                                          : "Score it on labelled pictures",
                   "evaluate", best, s->q->data.train));
    for (size_t i = 0; s->q->argv && s->q->argv[i]; i++)
        add_word(&command, s->q->argv[i]);
    TL_TRY(command.status);
    if (command.text) json_object_set_new(out, "command", json_string(command.text));
done:
    tl_free(ctx, best);
    tl_text_free(&command);
    return rc;
}

static void machine_json(tl_ctx *ctx, const tl_study *s, json_t *out)
{
    json_object_set_new(out, "machine",
                        json_pack("{s:s, s:i, s:s, s:I, s:s}", "cpu", tl_machine_cpu(),
                                  "threads", ctx->world->threads, "isa",
                                  tl_isa_name(tl_machine_isa()), "memory_bytes",
                                  (json_int_t)tl_machine_memory_bytes(), "precision",
                                  tl_dtype_name(s->dtype)));
    json_object_set_new(out, "started", json_integer(s->started));
    json_object_set_new(out, "finished", json_integer(tl_time_unix()));
}

/* For someone who knows no statistics; what it rests on stands among the reasons. */
static const char *say_standing(const tl_decision *d)
{
    if (d->outcome == TL_BETTER)
        return "Its lead over each of the others is more than chance explains.";
    if (d->outcome == TL_TIE) return "Others do as well; it is the cheapest of them to run.";
    return "The test rows cannot tell the best routes apart yet: what would is said below.";
}

static void how_sure_json(const tl_study *s, const tl_judged *j, json_t *out)
{
    const tl_decision *d = &j->decision;
    char               text[700], margin[32];

    tl_study_sentence(s, j, text, sizeof text);
    json_object_set_new(out, "sentence", json_string(text));
    if (isfinite(d->confidence) && d->runner_up >= 0)
        snprintf(text, sizeof text,
                 "How sure: %.0f of 100 that %sit is the best, or within %s of the best. %s",
                 100.0 * d->confidence, tl_study_not_run(s) ? "of what was run " : "",
                 tl_study_gap(s, s->margin, margin), say_standing(d));
    else
        snprintf(text, sizeof text, "%s", d->why);
    json_object_set_new(out, "how_sure", json_string(text));
}

tl_status tl_study_detail(tl_ctx *ctx, tl_study *s, const tl_judged *j, json_t **out)
{
    tl_status rc;
    json_t   *d     = json_object(), *labels;
    int64_t  *count = NULL;

    *out = NULL;
    how_sure_json(s, j, d);
    TL_TRY(use_json(ctx, s, d));
    machine_json(ctx, s, d);
    TL_TRY(runs_json(ctx, s, d));
    if (s->data->task->numbers) {
        TL_TRY(errors_json(ctx, s, j, d));
    } else if (s->data->task->several) {
        TL_TRY(tl_study_several_json(ctx, s, j, d));
    } else {
        TL_TRY(count_confusion(ctx, s, j, &count));
        confusion_json(s, count, d);
        json_object_set_new(d, "per_class", tl_study_per_class_json(s, count));
        TL_TRY(mistakes_json(ctx, s, j, d));
        TL_TRY(tl_study_labels_detail(ctx, s, j, &labels));
        json_object_set_new(d, "labels", labels);
    }
    json_object_set_new(d, "curve", tl_study_curve_detail(s, j));
    json_object_set(d, "profile", s->profile);
    TL_TRY(loads_json(ctx, s, d));
    routes_json(s, d);
    json_object_set_new(d, "detectable_as_measured",
                        tl_json_real(j->decision.detectable));
    *out = d;
    d    = NULL;
done:
    json_decref(d);
    tl_free(ctx, count);
    return rc;
}

tl_status tl_study_detail_so_far(tl_ctx *ctx, tl_study *s, json_t **out)
{
    int       waiting = 0, runs = 0;
    char      text[200];
    json_t   *d = json_object();
    tl_status rc;

    *out = NULL;
    for (int i = 0; i < s->entries; i++) {
        const int repeats = tl_study_repeats(s, i, s->entry[i].chosen);
        runs += repeats;
        waiting += repeats == 0 && !s->entry[i].status;
    }
    snprintf(text, sizeof text, "%d %s done, %d of %d routes not begun", runs,
             tl_plural(runs, "run is", "runs are"), waiting, s->entries);
    json_object_set_new(d, "sentence", json_string(text));
    json_object_set_new(
        d, "how_sure",
        json_string("So far by validation alone: the test part is read only at a few looks "
                    "fixed beforehand, and what it says is told at the end."));
    machine_json(ctx, s, d);
    json_object_del(d, "finished");
    TL_TRY(runs_json(ctx, s, d));
    json_object_set(d, "profile", s->profile);
    TL_TRY(loads_json(ctx, s, d));
    routes_json(s, d);
    *out = d;
    d    = NULL;
done:
    json_decref(d);
    return rc;
}
