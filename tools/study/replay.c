/* replay.c -- the decisions of a comparison taken again on a record: order of the runs, races,
 * finalists, seeds, looks and outcome are the program's own code (src/study), which asks for a
 * run and is given the recorded one.  A replay sees the recorded seeds in an order of its own, so
 * few of them come first, and a share of the test rows; what it names is held against all
 * seeds on all rows. */
#include "study.h"
#include "core/rand.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS_OF_TRIAL = 100, IDS_OF_ENTRY = 1000 };

/* Of the first so many looks; null: not known. */
static json_t *least_loss(const json_t *points, size_t count)
{
    double least = NAN;

    for (size_t i = 0; i < count; i++) {
        const json_t *loss = json_array_get(json_array_get(points, i), 2);
        if (json_is_number(loss)) least = fmin(json_number_value(loss), least);
    }
    return tl_json_real(least);
}

/* tape: a recorded run as runs.db would have its result. */
static tl_status take_run(tl_ctx *ctx, void *user, tl_study_run *run)
{
    const theatre *t        = user;
    const int      recorded = (int)t->order[run->repeat];
    const json_t  *line     = theatre_run(t, run->candidate, run->trial, recorded);
    const json_t  *points   = json_object_get(line, "points");

    if (!line)
        return tl_fail(ctx, TL_EDATA, t->q.out, "run %d %d %d is not there (record it)",
                       run->candidate, run->trial, recorded);
    run->id = run->candidate * IDS_OF_ENTRY + run->trial * IDS_OF_TRIAL + recorded;
    if (json_object_get(line, "failed"))
        run->result = json_pack("{s:s}", "failed", tl_json_text(line, "failed", ""));
    else
        run->result = json_pack("{s:f, s:o, s:s, s:f, s:f, s:f}", "valid_metric",
                                tl_json_number(line, "valid", NAN), "least_loss",
                                least_loss(points, json_array_size(points)), "stopped",
                                tl_json_text(line, "stopped", ""), "seconds",
                                tl_json_number(line, "cpu", 0.0), "flops",
                                tl_json_number(line, "flops", 0.0), "peak_bytes",
                                tl_json_number(line, "bytes", 0.0));
    return run->result ? TL_OK : tl_fail(ctx, TL_ENOMEM, "replay", "no memory for a run");
}

static double share_at(const json_t *points, size_t i)
{
    return json_number_value(json_array_get(json_array_get(points, i), 0));
}

/* The first look at or after the rung; a run that ended by then was not paused. */
static tl_status take_rung(tl_ctx *ctx, void *user, const tl_study_run *run, int rung,
                           json_t **out)
{
    const theatre *t      = user;
    const json_t  *line   = theatre_run(t, run->candidate, run->trial, (int)t->order[run->repeat]);
    const json_t  *points = json_object_get(line, "points");
    const size_t   count  = json_array_size(points);
    double         best   = NAN;

    *out = NULL;
    if (json_object_get(line, "failed")) return TL_OK;
    for (size_t i = 0; i + 1 < count; i++) {
        const json_t *value = json_array_get(json_array_get(points, i), 1);
        const double  v     = json_is_number(value) ? json_number_value(value) : NAN;
        if (!isnan(v) && (isnan(best) || tl_study_merit(&t->s, v) > tl_study_merit(&t->s, best)))
            best = v;
        const double share = share_at(points, i);
        if (share < tl_race_rung[rung] - 1e-3 || isnan(best)) continue; /* four decimals */
        json_t *seen = json_array();
        for (size_t k = 0; k <= i; k++) json_array_append(seen, json_array_get(points, k));
        const double flops =
            tl_json_number(line, "flops", 0.0) * share / share_at(points, count - 1);
        *out = json_pack("{s:o, s:f, s:o, s:f, s:f}", "points", seen, "valid_metric", best,
                         "least_loss", least_loss(points, i + 1), "share", share, "flops", flops);
        return *out ? TL_OK : tl_fail(ctx, TL_ENOMEM, "replay", "no memory for a rung");
    }
    return TL_OK;
}

static tl_status take_answers(tl_ctx *ctx, void *user, const tl_study_run *run, float **out)
{
    const theatre *t  = user;
    const size_t   n  = (size_t)(t->s.test.count * t->data.classes);
    const int      id = (int)run->id;
    tl_status      rc = tl_alloc_array(ctx, n, sizeof **out, out);

    if (rc != TL_OK) return rc;
    theatre_answers(t, theatre_run(t, id / IDS_OF_ENTRY, id % IDS_OF_ENTRY / IDS_OF_TRIAL,
                         id % IDS_OF_TRIAL), &t->s.test, *out);
    return TL_OK;
}

/* A point is one of a share, and of an error half the margin, which is 2 % of the error of
 * saying the mean. */
static double points_of(const theatre *t, double difference)
{
    return t->data.target ? 2.0 * difference / t->s.margin : 100.0 * difference;
}

static double cost_of_all(const theatre *t, const tl_study *s)
{
    double sum = 0.0;

    for (int i = 0; i < t->entries; i++)
        if (t->entry[i].active)
            sum += theatre_trials(t, i) * t->seeds * tl_study_run_seconds(s, &s->entry[i]);
    return sum;
}

static const char *why_ended(const tl_study *s)
{
    return s->looks && s->look[s->looks - 1].ends ? s->look[s->looks - 1].ends : "budget";
}

/* What lost more than the margin, first cause first: the named route's, or every route's, setting
 * that its race chose; that nobody within the margin had a second look; a name for being cheap;
 * else the luck of test rows and seeds. */
static const char *why_lost(const theatre *t, const tl_judged *j)
{
    const tl_study *s     = &t->s;
    const double    least = theatre_best(t) - s->margin - 1e-9;
    const int       named = j->entry[j->decision.winner];
    double          top   = -INFINITY;
    bool            there = false, first = false;

    if (theatre_score(t, named, s->entry[named].chosen) >= least) return "";
    for (int k = 0; k < j->count; k++) {
        const int    i    = j->entry[k];
        const double mean = tl_study_merit(s, j->decision.test[k].mean);
        const bool   good = theatre_score(t, i, s->entry[i].chosen) >= least;
        there             = there || (good && s->entry[i].finalist);
        if (!(mean > top)) continue;
        top   = mean;
        first = good;
    }
    for (int i = 0; i < t->entries && !there; i++)
        if (theatre_score(t, i, s->entry[i].chosen) >= least) return "stopped";
    return !there ? "setting" : first ? "cheap" : "luck";
}

static void print_replay(const theatre *t, uint64_t number, double cost, const tl_judged *j)
{
    const tl_study *s      = &t->s;
    const int       winner = j->entry[j->decision.winner];
    const int       top    = t->best[winner];
    const double    best   = theatre_best(t);
    const double    as_set = best - theatre_score(t, winner, s->entry[winner].chosen);

    printf("{\"replay\": %d, \"winner\": \"%s\", \"route\": \"%s\", \"trial\": %d, "
           "\"outcome\": \"%s\", \"ends\": \"%s\", \"lost\": \"%s\", \"looks\": %d, "
           "\"runs\": %d, \"spent\": %.4f, "
           "\"regret\": %.4f, \"route_regret\": %.4f, \"margin\": %.4f}\n",
           (int)number, s->entry[winner].label, s->entry[winner].c.route->name,
           s->entry[winner].chosen, tl_outcome_name((int)j->decision.outcome), why_ended(s),
           why_lost(t, j), s->looks, s->runs, s->used / cost, points_of(t, fmax(0.0, as_set)),
           points_of(t, best - theatre_score(t, winner, top)), points_of(t, s->margin));
}

static tl_status one_replay(tl_ctx *ctx, theatre *t, const options *o, uint64_t number)
{
    const tl_study_tape tape = { take_run, take_rung, take_answers, t };
    tl_judged           j    = { 0 };
    tl_status           rc;

    for (int k = 0; k < SEEDS; k++) t->order[k] = k;
    tl_rand_shuffle(number, TL_STREAM(TL_STREAM_TEST, 0), t->order, t->seeds);
    t->q.seed = number;
    TL_TRY(theatre_open_study(ctx, t, &tape, number, o->rows));
    const double cost   = cost_of_all(t, &t->s);
    t->s.budget_s       = o->share * cost;
    const tl_budget_plan plan = tl_study_fit(&t->s);
    if (plan.share < 1.0 || plan.one_base || plan.left_out)
        TL_FAIL(TL_EDATA, o->out, "%.0f s would shorten the schedules or leave routes out, which "
                "is not recorded (a larger --share)", t->s.budget_s);
    TL_TRY(tl_study_run_all(ctx, &t->s));
    TL_TRY(tl_study_weigh(ctx, &t->s, &j));
    print_replay(t, number, cost, &j);
done:
    tl_judged_free(ctx, &j);
    theatre_free_study(ctx, &t->s);
    return rc;
}

/* Of a route's own setting, over its seeds. */
static double mean_of(const theatre *t, int entry, const char *key)
{
    double sum = 0.0;

    for (int k = 0; k < t->seeds; k++)
        sum += tl_json_number(theatre_run(t, entry, 0, k), key, NAN) / t->seeds;
    return sum;
}

/* None of its seeds was stopped before the schedule's end. */
static bool ran_whole(const theatre *t, int entry)
{
    for (int k = 0; k < t->seeds; k++)
        if (strcmp(tl_json_text(theatre_run(t, entry, 0, k), "stopped", ""), "patience") == 0)
            return false;
    return true;
}

/* What the record says of each route, once: its score over all seeds with the setting that
 * validates best, its distance to the best; what was forecast of a run of its own setting, and
 * what that took (the features of a base are there by then). */
static void print_truth(theatre *t)
{
    const double best = theatre_best(t);

    for (int b = 0; b < t->bases; b++) t->s.features[b].bytes = 1;
    for (int i = 0; i < t->entries; i++) {
        const double score = theatre_score(t, i, t->best[i]);
        const json_t *from = json_array_get(json_object_get(t->r.cell, "entries"), (size_t)i);
        if (isnan(score)) continue;
        printf("{\"truth\": \"%s\", \"route\": \"%s\", \"base_weights\": %d, \"trial\": %d, "
               "\"score\": %.5f, \"regret\": %.4f, \"forecast_s\": %.5f, \"cpu\": %.5f, "
               "\"seconds\": %.5f, \"forecast_bytes\": %.0f, \"bytes\": %.0f, "
               "\"whole\": %s}\n",
               t->entry[i].label, t->entry[i].c.route->name,
               (int)tl_json_int(from, "base_weights", 0), t->best[i],
               tl_study_merit(&t->s, score), points_of(t, best - score),
               tl_study_slices(&t->s) * tl_study_likely_seconds(&t->s, &t->s.entry[i]),
               mean_of(t, i, "cpu"),
               mean_of(t, i, "seconds"), tl_json_number(from, "forecast_bytes", NAN),
               mean_of(t, i, "bytes"), ran_whole(t, i) ? "true" : "false");
    }
}

tl_status study_replay(tl_ctx *ctx, const options *o)
{
    theatre   t;
    tl_status rc;

    TL_TRY(theatre_open(ctx, o, &t));
    TL_TRY(theatre_open_study(ctx, &t, NULL, 0, 1.0));
    print_truth(&t);
    theatre_free_study(ctx, &t.s);
    for (int64_t n = 1; n <= o->replays; n++) TL_TRY(one_replay(ctx, &t, o, (uint64_t)n));
done:
    theatre_close(ctx, &t);
    return rc;
}
