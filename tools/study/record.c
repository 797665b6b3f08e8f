/* record.c -- every run of a cell: each route with each of its settings and each seed, to the
 * end of its schedule, and what it says of the test rows.  A line is written when a run has
 * ended, so a recording may be killed at any moment and begun again. */
#include "study.h"
#include "core/io.h"
#include "core/machine.h"
#include "train/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    const options *o;
    tl_study       s;
    record         known;
    double         began_s;
    char          *store;
} recording;

static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* Four decimals tell scores and seconds apart and keep a record small; null where unknown. */
static json_t *short_real(double value)
{
    return tl_json_real(round(1e4 * value) / 1e4);
}

static tl_status append(tl_ctx *ctx, const char *path, json_t *line)
{
    char     *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    tl_status rc   = TL_OK;

    json_decref(line);
    if (!text) TL_FAIL(TL_ENOMEM, path, "no memory for a line");
    const size_t n = strlen(text);
    text[n]        = '\n'; /* in the place of the zero byte */
    rc             = tl_file_append(ctx, path, text, n + 1);
done:
    free(text);
    return rc;
}

/* Labels or classes, a letter each. */
static json_t *classes_json(const int32_t *class, int64_t rows)
{
    char   *text = malloc((size_t)rows + 1);
    json_t *out;

    if (!text) return NULL;
    for (int64_t r = 0; r < rows; r++) text[r] = study_letters[class[r]];
    text[rows] = '\0';
    out        = json_string(text);
    free(text);
    return out;
}

static json_t *numbers_json(const float *said, int64_t rows)
{
    json_t *list = json_array();

    for (int64_t r = 0; r < rows; r++)
        json_array_append_new(list, json_real(round(1e2 * (double)said[r]) / 1e2));
    return list;
}

static json_t *truth_json(const tl_study *s)
{
    const int64_t n    = s->test.count;
    int32_t      *mine = malloc((size_t)n * sizeof *mine);
    float        *said = malloc((size_t)n * sizeof *said);
    json_t       *out  = NULL;

    for (int64_t r = 0; mine && said && r < n; r++) {
        mine[r] = s->data->label[s->test.row[r]];
        said[r] = s->data->target ? (float)s->data->target[s->test.row[r]] : 0.0f;
    }
    if (mine && said) out = s->data->target ? numbers_json(said, n) : classes_json(mine, n);
    free(mine);
    free(said);
    return out;
}

static json_t *entry_json(const tl_study *s, const tl_entry *e)
{
    const tl_model *base = e->c.base;

    return json_pack(
        "{s:s, s:s, s:i, s:I, s:b, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I}",
        "label", e->label, "route", e->c.route->name, "base", base ? e->base : -1, "base_weights",
        (json_int_t)(base ? tl_params_numel(base->params, false) : 0), "active", (int)e->active,
        "trials", e->trials, "lr", e->trial[0].optim.lr, "decay", e->trial[0].optim.weight_decay,
        "row_flops", e->row_flops, "body_flops", e->body_flops, "flops", e->need.flops,
        "setup_s", e->setup_s, "s_per_flop", e->s_per_flop, "head_s_per_row", e->head_s_per_row,
        "forecast_s", tl_study_run_seconds(s, e), "spared_flops", e->need.spared_flops,
        "forecast_bytes", (json_int_t)e->need.peak_bytes);
}

static json_t *cell_json(const tl_study *s)
{
    json_t *entries = json_array();

    for (int i = 0; i < s->entries; i++)
        json_array_append_new(entries, entry_json(s, &s->entry[i]));
    return json_pack("{s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:i, s:f, s:b, s:o, s:o}", "task",
                     s->data->task->name, "metric", s->metric, "margin", s->margin, "classes",
                     (json_int_t)s->data->classes, "rows", (json_int_t)s->data->rows, "train",
                     (json_int_t)s->train_rows, "valid", (json_int_t)s->valid_rows, "bases",
                     s->bases, "calibration_s", s->used, "numbers", s->data->target != NULL,
                     "truth", truth_json(s), "entries", entries);
}

static json_t *points_json(const tl_run_result *r)
{
    json_t *points = json_array();

    for (int64_t i = 0; i < r->points; i++)
        json_array_append_new(points, json_pack("[o, o, o]", short_real(r->curve[i].share),
                                                short_real(r->curve[i].valid_metric),
                                                short_real(r->curve[i].valid_loss)));
    return points;
}

static json_t *answers_json(const tl_study *s, const float *answer)
{
    const int64_t n    = s->test.count, classes = s->data->classes;
    int32_t      *said = malloc((size_t)n * sizeof *said);
    json_t       *out;

    if (s->data->target) {
        free(said);
        return numbers_json(answer, n);
    }
    for (int64_t r = 0; said && r < n; r++) said[r] = tl_study_top(answer + r * classes, classes);
    out = said ? classes_json(said, n) : NULL;
    free(said);
    return out;
}

typedef struct {
    int     entry, trial, repeat;
    int64_t rows;
} what;

static json_t *line_of(const what *w)
{
    return json_pack("{s:i, s:i, s:i, s:I}", "entry", w->entry, "trial", w->trial, "repeat",
                     w->repeat, "rows", (json_int_t)w->rows);
}

static tl_status ask(tl_ctx *ctx, tl_study *s, const tl_run_spec *spec, const tl_model *model,
                     float **out)
{
    tl_cache *coded = NULL;
    tl_status rc;

    if (!tl_cache_fits(spec->cache, &model->prep))
        TL_TRY(tl_cache_new(ctx, s->data, &model->prep, tl_study_memory(s) / 4, &coded));
    TL_TRY(tl_study_ask(ctx, s, model, coded ? coded : spec->cache, s->test, out));
done:
    tl_cache_free(ctx, coded);
    return rc;
}

/* The run as `compare` would make it: compare_run.c's settings, split and question. */
static tl_status train(tl_ctx *ctx, recording *c, const what *w, json_t *line)
{
    tl_study     *s = &c->s;
    tl_entry     *e = &s->entry[w->entry];
    tl_run_spec   spec;
    tl_run_result r      = { 0 };
    tl_rows       rows[2] = { { 0 }, { 0 } };
    float        *answer = NULL;
    tl_status     rc;

    TL_TRY(tl_study_features(ctx, s, e));
    TL_TRY(tl_study_spec(ctx, s, e, &spec));
    spec.candidate.hyper = e->trial[w->trial];
    if (w->rows) TL_TRY(tl_study_part_hyper(ctx, s, e, w->rows, &spec.candidate.hyper));
    spec.seed  = s->q->seed + (uint64_t)w->repeat;
    spec.store = NULL;
    TL_TRY(tl_study_split(ctx, s, e, w->repeat, 0, w->rows, &rows[0], &rows[1]));
    spec.train       = rows[0];
    spec.valid       = rows[1];
    const double cpu = cpu_seconds();
    TL_TRY(tl_run_train(ctx, &spec, &r));
    const double took = cpu_seconds() - cpu;
    TL_TRY(ask(ctx, s, &spec, r.model, &answer));
    json_object_set_new(line, "valid", short_real(r.valid_metric));
    json_object_set_new(line, "points", points_json(&r));
    json_object_set_new(line, "stopped", json_string(r.stopped ? r.stopped : ""));
    json_object_set_new(line, "seconds", short_real(r.seconds));
    json_object_set_new(line, "cpu", short_real(took));
    json_object_set_new(line, "flops", json_real(r.flops));
    json_object_set_new(line, "bytes", json_integer((json_int_t)tl_study_own_bytes(
                                           s, e, r.accounted_bytes)));
    json_object_set_new(line, "said", answers_json(s, answer));
done:
    tl_run_result_free(ctx, &r);
    tl_free(ctx, rows[0].row);
    tl_free(ctx, rows[1].row);
    tl_free(ctx, answer);
    return rc;
}

static bool time_is_up(const recording *c)
{
    return c->o->for_s > 0 && tl_time_s() - c->began_s > (double)c->o->for_s;
}

static tl_status one_run(tl_ctx *ctx, recording *c, what w)
{
    json_t   *line = NULL;
    tl_status rc   = TL_OK;

    if (!c->s.entry[w.entry].active || time_is_up(c)) return TL_OK;
    if (record_run(&c->known, w.entry, w.trial, w.repeat, w.rows)) return TL_OK;
    line = line_of(&w);
    rc   = train(ctx, c, &w, line);
    if (rc == TL_ENAN) { /* the candidate's own failure */
        json_object_set_new(line, "failed", json_string(ctx->message));
        rc = TL_OK;
    }
    if (rc == TL_OK) rc = append(ctx, c->o->out, json_incref(line));
    json_decref(line);
    return rc;
}

/* Its own settings on halves of halves, for the learning curve. */
static tl_status curve_runs(tl_ctx *ctx, recording *c, int repeat)
{
    tl_status rc = TL_OK;

    for (int k = 1; k <= 5 && repeat < c->o->curve; k++)
        for (int i = 0; i < c->s.entries; i++)
            if (c->s.train_rows >> k >= TL_MAX(16, 2 * c->s.data->classes))
                TL_TRY(one_run(ctx, c, (what){ i, 0, repeat, c->s.train_rows >> k }));
done:
    return rc;
}

static tl_status all_runs(tl_ctx *ctx, recording *c)
{
    tl_status rc = TL_OK;

    for (int repeat = 0; repeat < c->o->seeds; repeat++) {
        for (int i = 0; i < c->s.entries; i++)
            for (int t = 0; t < c->s.entry[i].trials; t++)
                TL_TRY(one_run(ctx, c, (what){ i, t, repeat, 0 }));
        TL_TRY(curve_runs(ctx, c, repeat));
    }
done:
    return rc;
}

static tl_status open_study(tl_ctx *ctx, recording *c)
{
    tl_study     *s    = &c->s;
    const size_t  room = strlen(c->o->out) + 8;
    tl_status     rc;

    TL_TRY(tl_alloc(ctx, room, &c->store));
    snprintf(c->store, room, "%s.work", c->o->out);
    TL_TRY(tl_path_join(ctx, c->store, "checkpoints", &s->checkpoints));
    TL_TRY(tl_make_folders(ctx, s->checkpoints));
    TL_TRY(tl_store_open(ctx, c->store, &s->store));
    TL_TRY(tl_slab_new(ctx, s->backend, &s->slab));
    TL_TRY(tl_study_open_data(ctx, s));
    TL_TRY(tl_study_precision(ctx, s));
    TL_TRY(tl_study_open_bases(ctx, s));
    TL_TRY(tl_study_list(ctx, s));
    TL_TRY(tl_study_forecast(ctx, s));
    TL_TRY(tl_study_calibrate(ctx, s)); /* kept in the store: measured once */
    for (int i = 0; i < s->entries; i++)
        if (tl_entry_searched(&s->entry[i]) && !tl_study_settled(s))
            tl_entry_add_trials(&s->entry[i], (int)c->o->trials);
    if (s->data->classes > (int64_t)strlen(study_letters))
        TL_FAIL(TL_EUSAGE, c->o->data, "has too many classes for a record");
done:
    return rc;
}

static void close_study(tl_ctx *ctx, recording *c)
{
    tl_study_close_candidates(ctx, &c->s);
    tl_study_close_data(ctx, &c->s);
    tl_slab_free(ctx, c->s.slab);
    tl_store_close(ctx, c->s.store);
    tl_free(ctx, c->s.checkpoints);
    tl_free(ctx, c->store);
    json_decref(c->s.shared);
    json_decref(c->s.warnings);
    record_free(&c->known);
}

tl_status study_record(tl_ctx *ctx, const options *o)
{
    const tl_question q = { .data = { .train = o->data, .test = o->test,
                                      .ask = { .target = o->target } },
                            .base = o->base, .base_arch = o->arch, .routes = o->route,
                            .metric = o->metric, .margin = NAN, .seed = 1, .forget = NAN,
                            .precision = o->precision, .overrides = o->setting, .out = o->out };
    recording c = { .o = o, .began_s = tl_time_s(),
                    .s = { .q = &q, .began_s = tl_time_s(), .detectable = NAN } };
    tl_status rc;

    c.s.warnings = json_array();
    c.s.backend  = tl_study_backend();
    TL_TRY(record_read(ctx, o->out, &c.known));
    TL_TRY(open_study(ctx, &c));
    if (!c.known.cell) TL_TRY(append(ctx, o->out, cell_json(&c.s)));
    TL_TRY(all_runs(ctx, &c));
    if (!time_is_up(&c)) TL_TRY(tl_remove_tree(ctx, c.store));
done:
    close_study(ctx, &c);
    return rc;
}
