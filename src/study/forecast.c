/* forecast.c -- what a run will take, before it is run: memory and FLOPs from its
 * plans, seconds from a calibration that is measured once and kept in runs.db. After
 * that every decision is taken in these seconds, never by the clock. Floor 4, study. */
#include "backend/cpu/cpu.h"
#include "core/machine.h"
#include "core/text.h"
#include "study/compare_jobs.h"
#include "train/lanes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FEATURE_ROWS = 32, FEW_ROWS = 100, GROWTH = 4, LEAST_STEPS = 4, MOST_STEPS = 256 };
static const double LONG_ENOUGH_S = 0.2, LOOK_S = 0.02;

const tl_backend *tl_study_backend(void)
{
    return &tl_backend_cpu;
}

bool tl_entry_trained(const tl_entry *e)
{
    for (int i = 0; i < e->c.route->phases; i++)
        if (!e->c.route->phase[i].solve) return true;
    return false;
}

/* What is measured of a way of training; kept in runs.db. */
typedef struct {
    double setup_s, s_per_flop, head_s_per_row;
    double look_s; /* an evaluation of a run in training, on all validation rows */
} pace;

/* Does it solve a head before it trains? */
static bool solves_first(const tl_entry *e)
{
    return tl_entry_trained(e) && e->c.route->phase[0].solve;
}

/* FLOPs of one row (of text: of an average one) through an evaluation graph. */
static tl_status flops_of_row(tl_ctx *ctx, const tl_study *s, const tl_entry *e, tl_part part,
                              double *out)
{
    const tl_arch *arch = &e->c.arch;
    int64_t        rows = 1;
    tl_status  rc;
    tl_graph  *g      = NULL;
    tl_params *params = NULL;
    tl_built   built;

    *out = 0.0;
    TL_TRY(tl_arch_params(ctx, arch, &params));
    TL_TRY(tl_graph_new(ctx, &g));
    tl_net net = { .ctx = ctx, .g = g, .params = params, .dtype = TL_F32 };
    if (arch->family->text) {
        const double tokens = tl_cache_average(s->view[e->view].cache, s->slice[0].rest);
        net.sequences = 1;
        rows          = TL_MAX((int64_t)1, llround(tokens));
    }
    TL_TRY(tl_arch_build(&net, arch, rows, part, &built));
    *out = tl_graph_flops(g);
done:
    tl_graph_free(ctx, g);
    tl_params_free(ctx, params);
    return rc;
}

/* Same network, input and way of training: same seconds per FLOP (an adapter's small products take
 * longer for theirs).  Networks in words share a name
 * ("words"), so a row's FLOPs are part of the key. */
static void calibration_key(const tl_study *s, const tl_entry *e, const char *way, char *out,
                            size_t room)
{
    char shape[96];

    snprintf(out, room, "%s %s %s %s %.9g", e->c.arch.name,
             tl_say_shape(&e->c.arch.row, shape), way, tl_dtype_name(s->dtype), e->row_flops);
}

static const char *way_of(const tl_entry *e)
{
    if (!tl_entry_trained(e)) return tl_entry_uses_features(e) ? "features" : "solved";
    if (e->trial[0].adapt.kind != TL_ADAPT_NONE) return "adapted";
    return e->trial[0].cached ? "trained above" : "trained";
}

/* Seconds per FLOP of a body asked for features, after a first run that makes its
 * plan. */
static tl_status time_features(tl_ctx *ctx, tl_study *s, const tl_entry *e, pace *out)
{
    tl_status     rc;
    tl_predictor *p       = NULL;
    tl_model     *asked   = NULL; /* of text: a base may be made for something else */
    float        *y       = NULL;
    double        seconds = INFINITY, start = tl_time_s();
    const tl_rows rows = { s->slice[0].rest.row,
                           TL_MIN(FEATURE_ROWS, s->slice[0].rest.count) };

    if (e->c.prep.text)
        TL_TRY(tl_model_with_head(ctx, s->base[e->base], s->data->classes, s->data->class_name,
                                  -1.0, 0, &asked));
    TL_TRY(tl_predictor_new(ctx, asked ? asked : s->base[e->base], TL_PART_BODY,
                            FEATURE_ROWS, s->backend, s->slab, s->dtype, &p));
    TL_TRY(
        tl_alloc_array(ctx, (size_t)(rows.count * tl_predictor_width(p)), sizeof *y, &y));
    for (int i = 0; i < 3; i++) {
        const double before = tl_time_s();
        if (i == 1) out->setup_s = before - start;
        TL_TRY(tl_predictor_rows(ctx, p, s->view[e->view].cache, rows, y));
        if (i > 0) seconds = fmin(seconds, tl_time_s() - before);
    }
    out->s_per_flop = seconds / fmax(1.0, e->body_flops * (double)rows.count);
done:
    tl_predictor_free(ctx, p);
    tl_model_free(ctx, asked);
    tl_free(ctx, y);
    return rc;
}

typedef struct {
    double  seconds, flops; /* of the run                                        */
    double  s_per_flop;     /* of steps                                          */
    double  look_s;         /* the same of evaluations, and on how many rows     */
    int64_t looked;
    double  solve_s;        /* its head's, features aside                        */
    bool    decoded;        /* pictures, which runs to come find decoded         */
} timing;

/* On all threads, or so many side by side, of which it is the mean. */
static tl_status time_lanes(tl_ctx *ctx, const tl_run_spec *spec, int lanes, timing *out)
{
    tl_run_spec  *copy = NULL;
    tl_lanes     *l    = NULL;
    tl_run_result r    = { 0 };
    tl_status     rc;

    *out = (timing){ 0 };
    TL_TRY(tl_alloc_array(ctx, (size_t)lanes, sizeof *copy, &copy));
    for (int i = 0; i < lanes; i++) copy[i] = *spec;
    if (lanes > 1) TL_TRY(tl_lanes_start(ctx, lanes, copy, lanes, &l));
    for (int i = 0; i < lanes; i++) {
        tl_run_result_free(ctx, &r);
        TL_TRY((l ? tl_lanes_wait(ctx, l, i, &r) : tl_run_train(ctx, spec, &r)));
        if (r.stopped && strcmp(r.stopped, "interrupted") == 0)
            TL_FAIL(TL_ECANCEL, "compare", "interrupted while calibrating; nothing is lost");
        out->seconds += r.seconds / lanes;
        out->flops += r.flops / lanes;
        out->s_per_flop += r.step_s_per_flop / lanes;
        out->look_s += isnan(r.look_s) ? 0.0 : r.look_s / lanes;
        out->solve_s += r.solve_s / lanes;
    }
done:
    tl_run_result_free(ctx, &r);
    tl_lanes_end(ctx, l);
    tl_free(ctx, copy);
    return rc;
}

/* As runs of it will be made. */
static tl_status time_run(tl_ctx *ctx, const tl_run_spec *spec, int lanes, timing *out)
{
    const tl_status rc = time_lanes(ctx, spec, lanes, out);

    if (lanes > 1 && (rc == TL_ENOMEM || rc == TL_ELIMIT))
        return time_lanes(ctx, spec, 1, out);
    return rc;
}

/* A run on few rows: `steps` optimiser steps, evaluated on `looked` others, or a head solved. */
static tl_status short_run(tl_ctx *ctx, tl_study *s, const tl_entry *e, int64_t rows,
                           int64_t steps, int64_t looked, timing *out)
{
    tl_status    rc;
    tl_run_spec  spec;
    tl_rows      train = { 0 }, valid = { 0 };
    const size_t held  = tl_cache_bytes(s->view[e->view].cache);
    const int    lanes = tl_entry_trained(e) ? tl_study_lanes(ctx, s, ctx->world->threads,
                                                              e->need.peak_bytes)
                                             : 1;

    TL_TRY(tl_study_spec(ctx, s, e, &spec));
    TL_TRY(tl_study_split(ctx, s, e, 0, 0, 0, &train, &valid));
    spec.train       = train;
    spec.valid       = valid;
    spec.train.count = TL_MIN(train.count, rows);
    spec.valid.count = TL_MIN(valid.count, looked);
    spec.most_steps  = steps;
    spec.candidate.hyper.least_steps = steps; /* however few epochs were asked for */
    spec.features    = NULL;
    spec.store       = NULL;
    spec.progress    = NULL;
    TL_TRY(time_run(ctx, &spec, lanes, out));
    out->looked  = spec.valid.count;
    out->decoded = tl_cache_bytes(spec.cache) > held;
done:
    tl_free(ctx, train.row);
    tl_free(ctx, valid.row);
    return rc;
}

/* The shortest of three, where it is so short that the machine's other work shows; of pictures that
 * are decoded already. */
static tl_status best_run(tl_ctx *ctx, tl_study *s, const tl_entry *e, int64_t rows,
                          int64_t steps, int64_t looked, timing *out)
{
    timing    again;
    tl_status rc;

    TL_TRY(short_run(ctx, s, e, rows, steps, looked, out));
    if (out->decoded) TL_TRY(short_run(ctx, s, e, rows, steps, looked, out));
    for (int i = 0; i < 2 && out->seconds < LONG_ENOUGH_S; i++) {
        TL_TRY(short_run(ctx, s, e, rows, steps, looked, &again));
        out->seconds    = fmin(out->seconds, again.seconds);
        out->s_per_flop = fmin(out->s_per_flop, again.s_per_flop);
        out->look_s     = fmin(out->look_s, again.look_s);
        out->solve_s    = fmin(out->solve_s, again.solve_s);
    }
done:
    return rc;
}

/* What a step takes once the pictures are decoded and the plans made, and what comes
 * before.  Small networks take more steps, until their time can be told from noise.  The
 * pace is that of the step in the middle: a burst of other work while it is measured must not
 * shorten every route. */
static tl_status time_training(tl_ctx *ctx, tl_study *s, const tl_entry *e, pace *out)
{
    const int64_t rows = 2 * e->trial[0].batch;
    timing        few, more = { 0 };
    int64_t       steps = LEAST_STEPS, looked = FEATURE_ROWS;
    tl_status     rc;

    TL_TRY(short_run(ctx, s, e, rows, 1, looked, &few)); /* decodes, warms up */
    if (few.look_s < LOOK_S) { /* on as many rows as are quickly asked, at best on all */
        looked = (int64_t)fmin((double)s->valid_rows,
                               (double)looked * LOOK_S / fmax(few.look_s, 1e-6));
        looked = TL_MAX(looked, FEATURE_ROWS);
        TL_TRY(short_run(ctx, s, e, rows, 1, looked, &few));
    }
    TL_TRY(best_run(ctx, s, e, rows, 1, looked, &few));
    for (;; steps *= 4) {
        TL_TRY(best_run(ctx, s, e, rows, steps, looked, &more));
        if (more.seconds - few.seconds > LONG_ENOUGH_S || steps >= MOST_STEPS) break;
    }
    const double look_flops = e->need.look_flops * (double)few.looked /
                              fmax(1.0, e->need.looks * (double)s->valid_rows);
    out->s_per_flop = more.s_per_flop;
    out->look_s     = more.look_s * (double)s->valid_rows / (double)TL_MAX(few.looked, 1);
    out->setup_s    = fmax(0.0, few.seconds - few.solve_s - more.look_s -
                                    out->s_per_flop * fmax(0.0, few.flops - look_flops));
done:
    return rc;
}

/* Seconds to solve a head on `rows` of the training rows and as large a share of the others, and to
 * ask it, without what the body took for its features; *all: with the body. */
static tl_status time_head(tl_ctx *ctx, tl_study *s, const tl_entry *e, int64_t rows,
                           const pace *body, double *out, double *all)
{
    const int64_t   share  = rows * s->valid_rows / TL_MAX(s->train_rows, (int64_t)1);
    const int64_t   looked = TL_MIN(s->valid_rows, TL_MAX(share, (int64_t)FEATURE_ROWS));
    timing          t      = { 0 };
    const tl_status rc     = best_run(ctx, s, e, rows, 0, looked, &t);

    *all = t.seconds;
    *out = fmax(0.0, t.seconds - body->setup_s -
                         body->s_per_flop * e->body_flops * (double)(rows + looked));
    return rc;
}

/* On more and more rows until it takes long or all are in: what comes with every solve and with
 * every row, by the last two.  How many iterations a solve takes, or rounds a forest, changes with
 * the rows: a line through few of them says little of many. */
static tl_status time_solving(tl_ctx *ctx, tl_study *s, const tl_entry *e, pace *out)
{
    int64_t   rows = TL_MIN((int64_t)FEW_ROWS, s->train_rows), before = 0;
    double    took = 0.0, took_before = 0.0, all;
    tl_status rc = TL_OK;

    if (tl_entry_uses_features(e)) TL_TRY(time_features(ctx, s, e, out));
    for (;; rows = TL_MIN(GROWTH * rows, s->train_rows)) {
        TL_TRY(time_head(ctx, s, e, rows, out, &took, &all));
        if (rows == s->train_rows || all > LONG_ENOUGH_S) break;
        before      = rows;
        took_before = took;
    }
    out->head_s_per_row = fmax(0.0, took - took_before) / (double)(rows - before);
    if (out->head_s_per_row * (double)rows > took) out->head_s_per_row = took / (double)rows;
    out->setup_s += took - out->head_s_per_row * (double)rows;
done:
    return rc;
}

/* Of what trains steps, evaluates and may solve a head first: one pace for all its FLOPs. */
static double mean_pace(const tl_study *s, const tl_entry *e, const pace *p)
{
    const tl_run_need *n     = &e->need;
    const double       steps = fmax(0.0, n->flops - n->look_flops - n->solve_flops);

    return (p->s_per_flop * steps + p->look_s * n->looks +
            p->head_s_per_row * (double)s->train_rows) /
           fmax(1.0, n->flops);
}

/* Seconds a row to solve the head that it begins with: those of a probe, where one was measured. */
static tl_status measure_head(tl_ctx *ctx, tl_study *s, const tl_entry *e, json_t *kept,
                              double *out)
{
    const int64_t rows = TL_MIN(2 * e->trial[0].batch, s->train_rows);
    tl_status     rc   = TL_OK;
    char          key[256];
    json_t       *known;
    timing        t;

    calibration_key(s, e, "features", key, sizeof key);
    known = json_object_get(kept, key);
    if (!known) {
        calibration_key(s, e, "head", key, sizeof key);
        known = json_object_get(kept, key);
    }
    if (!known) {
        TL_TRY(best_run(ctx, s, e, rows, 1, FEATURE_ROWS, &t));
        known = json_pack("{s:f}", "head_s_per_row", t.solve_s / (double)rows);
        json_object_set_new(kept, key, known);
    }
    *out = tl_json_number(known, "head_s_per_row", 0.0);
done:
    return rc;
}

static tl_status measure(tl_ctx *ctx, tl_study *s, tl_entry *e, json_t *kept)
{
    tl_status rc = TL_OK;
    char      key[256];
    json_t   *known;

    if (e->c.route->phases == 0) return TL_OK; /* it costs next to nothing */
    calibration_key(s, e, way_of(e), key, sizeof key);
    known = json_object_get(kept, key);
    if (!known) {
        pace p = { 0 };
        if (tl_entry_trained(e))
            TL_TRY(time_training(ctx, s, e, &p));
        else
            TL_TRY(time_solving(ctx, s, e, &p));
        known = json_pack("{s:f, s:f, s:f, s:f}", "setup_s", p.setup_s, "s_per_flop", p.s_per_flop,
                          "head_s_per_row", p.head_s_per_row, "look_s", p.look_s);
        json_object_set_new(kept, key, known);
    }
    pace p = { tl_json_number(known, "setup_s", 0.0), tl_json_number(known, "s_per_flop", 0.0),
               tl_json_number(known, "head_s_per_row", 0.0),
               tl_json_number(known, "look_s", 0.0) };
    if (solves_first(e)) TL_TRY(measure_head(ctx, s, e, kept, &p.head_s_per_row));
    e->setup_s        = p.setup_s;
    e->s_per_flop     = tl_entry_trained(e) ? mean_pace(s, e, &p) : p.s_per_flop;
    e->head_s_per_row = tl_entry_trained(e) ? 0.0 : p.head_s_per_row;
done:
    return rc;
}

tl_status tl_study_calibrate(tl_ctx *ctx, tl_study *s)
{
    tl_status    rc     = TL_OK;
    json_t      *kept   = NULL;
    const double before = tl_time_s();

    if (s->store) TL_TRY(tl_store_get(ctx, s->store, "calibration", &kept));
    const bool fresh = !kept;
    if (fresh) {
        kept = json_object();
        tl_study_say(s, "calibrating this machine for each network (once)");
    }
    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].active) TL_TRY(measure(ctx, s, &s->entry[i], kept));
    if (fresh) json_object_set_new(kept, "seconds", json_real(tl_time_s() - before));
    s->used += tl_json_number(kept, "seconds", 0.0);
    if (fresh && s->store) TL_TRY(tl_store_set(ctx, s->store, "calibration", kept));
done:
    json_decref(kept);
    return rc;
}

size_t tl_study_memory(const tl_study *s)
{
    return s->q->memory_bytes ? s->q->memory_bytes : (size_t)2 << 30;
}

/* What caches and features will hold by the time `e` runs, beside the run itself. */
static size_t held_bytes(tl_ctx *ctx, const tl_study *s, const tl_entry *e)
{
    size_t bytes = 0;

    for (int i = 0; i <= e->view; i++) bytes += s->view[i].fill_bytes;
    if (e->c.base)
        bytes += tl_study_features_bytes(s, TL_MAX(0, tl_arch_features(ctx, &e->c.arch)));
    return bytes;
}

/* Memory first: a candidate that cannot fit is not run, and says so. */
static tl_status fit_memory(tl_ctx *ctx, tl_study *s, tl_entry *e, tl_run_spec *spec)
{
    tl_status    rc;
    const size_t held = held_bytes(ctx, s, e);
    char         said[200];

    if (s->q->memory_bytes == 0) {
        TL_TRY(tl_run_keep_what_fits(ctx, spec));
        e->trial[0].cached = e->c.hyper.cached = spec->candidate.hyper.cached;
        return TL_OK;
    }
    rc = tl_run_fit_memory(ctx, spec,
                           s->q->memory_bytes - TL_MIN(held, s->q->memory_bytes / 2),
                           said);
    if (rc == TL_ELIMIT) {
        e->active = false;
        e->status = "not-run";
        snprintf(e->why, sizeof e->why, "%.380s", ctx->message);
        return TL_OK;
    }
    if (rc == TL_OK && *said) tl_study_warn(s, "%s: %s.", e->label, said);
    e->micro_batch     = spec->micro_batch;
    e->recompute       = spec->recompute;
    e->trial[0].batch  = spec->candidate.hyper.batch;
    e->trial[0].shards = spec->candidate.hyper.shards;
    e->trial[0].cached = spec->candidate.hyper.cached;
    e->c.hyper         = e->trial[0];
done:
    return rc;
}

size_t tl_study_held(const tl_study *s, const tl_entry *e)
{
    size_t bytes = 0;

    for (int i = 0; i < s->views; i++)
        if (!e || i == e->view) bytes += tl_cache_bytes(s->view[i].cache);
    return bytes;
}

size_t tl_study_own_bytes(const tl_study *s, const tl_entry *e, size_t accounted)
{
    const size_t others = tl_study_held(s, NULL) - tl_study_held(s, e);
    const size_t mapped = tl_entry_uses_features(e) && tl_study_mapped(s, e)
                              ? s->features[tl_entry_pass(e)].bytes
                              : 0; /* no allocation shows these */

    return accounted - TL_MIN(accounted, others) + mapped + e->need.process_bytes;
}

/* What the candidate would take alone: its own rows and features, all of them, and nobody
 * else's. */
static void count_own(tl_ctx *ctx, const tl_study *s, tl_entry *e, const tl_run_spec *spec)
{
    const tl_prepared *view    = &s->view[e->view];
    const tl_rows      lists[] = { spec->train, spec->valid };
    const size_t       will = tl_cache_will_take(view->cache, lists, 2,
                                                 spec->candidate.hyper.augment);
    const size_t       rows = TL_MAX(view->fill_bytes, tl_cache_bytes(view->cache) + will);
    const int64_t      width = tl_entry_uses_features(e) ? tl_arch_features(ctx, &e->c.arch) : 0;
    const size_t       features = tl_study_features_bytes(s, TL_MAX((int64_t)0, width));

    e->need.peak_bytes -= TL_MIN(e->need.peak_bytes, tl_study_held(s, NULL) + will);
    e->need.peak_bytes += rows + features;
}

static tl_status forecast_entry(tl_ctx *ctx, tl_study *s, tl_entry *e)
{
    tl_status   rc;
    tl_run_spec spec;
    tl_rows     train = { 0 }, valid = { 0 };

    TL_TRY(flops_of_row(ctx, s, e, TL_PART_WHOLE, &e->row_flops));
    TL_TRY(flops_of_row(ctx, s, e, TL_PART_BODY, &e->body_flops));
    if (e->c.route->phases == 0) goto done; /* nothing is trained: there is nothing to foretell */
    TL_TRY(tl_study_spec(ctx, s, e, &spec));
    TL_TRY(tl_study_split(ctx, s, e, 0, 0, 0, &train, &valid));
    spec.train    = train;
    spec.valid    = valid;
    spec.features = NULL;
    TL_TRY(fit_memory(ctx, s, e, &spec));
    if (e->active) TL_TRY(tl_run_forecast(ctx, &spec, &e->need));
    if (e->active) count_own(ctx, s, e, &spec);
    /* under a limit every seed draws rows of its own */
    if (e->active && tl_hyper_keeps(&e->trial[0]) && s->q->train_limit == 0)
        TL_TRY(tl_study_note_kept(ctx, e, &spec));
done:
    tl_free(ctx, train.row);
    tl_free(ctx, valid.row);
    return rc;
}

tl_status tl_study_forecast(tl_ctx *ctx, tl_study *s)
{
    tl_status rc = TL_OK;

    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].active) TL_TRY(forecast_entry(ctx, s, &s->entry[i]));
done:
    return rc;
}

/* A solved head's iterations are not known beforehand: its cost goes by rows. */
static double seconds_of(const tl_study *s, const tl_entry *e, double flops, int64_t rows)
{
    if (tl_entry_uses_features(e) && s->features[tl_entry_pass(e)].bytes)
        flops -= e->body_flops * (double)(rows + s->valid_rows);
    return e->setup_s + e->s_per_flop * fmax(0.0, flops) + e->head_s_per_row * (double)rows;
}

/* Of one run, which may find what frozen blocks put out. */
static double run_flops(const tl_study *s, const tl_entry *e)
{
    return e->need.flops - (tl_study_has_kept(s, e) ? e->need.kept_flops : 0.0);
}

double tl_study_likely_seconds(const tl_study *s, const tl_entry *e)
{
    return seconds_of(s, e, run_flops(s, e) - e->need.spared_flops, s->train_rows);
}

double tl_study_slice_seconds(const tl_study *s, const tl_entry *e)
{
    return seconds_of(s, e, run_flops(s, e), s->train_rows);
}

tl_status tl_study_uncached_flops(tl_ctx *ctx, tl_study *s, const tl_entry *e, double *out)
{
    tl_status   rc;
    tl_run_spec spec;
    tl_run_need need;
    tl_rows     train = { 0 }, valid = { 0 };

    TL_TRY(tl_study_spec(ctx, s, e, &spec));
    TL_TRY(tl_study_split(ctx, s, e, 0, 0, 0, &train, &valid));
    spec.candidate.hyper.cached = false;
    spec.train                  = train;
    spec.valid                  = valid;
    TL_TRY(tl_run_forecast(ctx, &spec, &need));
    *out = need.flops;
done:
    tl_free(ctx, train.row);
    tl_free(ctx, valid.row);
    return rc;
}

tl_status tl_study_part_seconds(tl_ctx *ctx, tl_study *s, const tl_entry *e, int64_t rows,
                                double *out)
{
    tl_status   rc;
    tl_run_spec spec;
    tl_run_need need;
    tl_rows     train = { 0 }, valid = { 0 };

    TL_TRY(tl_study_spec(ctx, s, e, &spec));
    TL_TRY(tl_study_part_hyper(ctx, s, e, rows, &spec.candidate.hyper));
    TL_TRY(tl_study_split(ctx, s, e, 0, 0, 0, &train, &valid));
    train.count   = TL_MIN(train.count, rows); /* how many is all that counts here */
    spec.train    = train;
    spec.valid    = valid;
    spec.features = NULL;
    TL_TRY(tl_run_forecast(ctx, &spec, &need));
    *out = tl_study_slices(s) * seconds_of(s, e, need.flops, rows);
done:
    tl_free(ctx, train.row);
    tl_free(ctx, valid.row);
    return rc;
}

double tl_study_more_seconds(const tl_study *s, const tl_entry *e)
{
    const double kept = *e->kept ? e->need.kept_flops : 0.0;

    return tl_study_slices(s) * seconds_of(s, e, e->need.flops - kept, s->train_rows);
}

/* Does one before it in the plan make what it keeps? */
static bool finds_kept(const tl_study *s, const tl_entry *e)
{
    for (const tl_entry *o = s->entry; *e->kept && o < e; o++)
        if (o->active && strcmp(o->kept, e->kept) == 0) return true;
    return false;
}

/* The first run of a base's head pays for the features of all rows. */
double tl_study_first_seconds(const tl_study *s, const tl_entry *e)
{
    const double rest = (double)(s->data->rows - s->train_rows - s->valid_rows);

    if (finds_kept(s, e)) return tl_study_more_seconds(s, e) / tl_study_slices(s);
    if (!tl_entry_uses_features(e) || tl_entry_trained(e)) return tl_study_slice_seconds(s, e);
    return tl_study_slice_seconds(s, e) + e->s_per_flop * e->body_flops * rest;
}

double tl_study_run_seconds(const tl_study *s, const tl_entry *e)
{
    return tl_study_slices(s) * tl_study_slice_seconds(s, e);
}

double tl_study_spent(const tl_study *s, const tl_entry *e, double flops)
{
    if (!tl_entry_trained(e)) return tl_study_slice_seconds(s, e);
    return e->setup_s + e->s_per_flop * flops;
}
