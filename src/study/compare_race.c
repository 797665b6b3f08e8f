/* compare_race.c -- the first runs as a race.  Within a route so many settings of rate and decay
 * are trained on the route's own schedule as far as a rung, halted or gone on with from there;
 * as many trials and rungs for every route.  Where validation has few rows every setting runs
 * under more than one seed, which draws other validation rows, and is judged by their mean.
 * Settings are told apart by validation's loss, which sees how sure each answer is; a score of
 * few rows is a coin.  Of numbers the score is as fine itself.
 * Across routes nobody is stopped before two thirds of its schedule, and only where its foretold
 * end lies so far behind the best that it cannot be within the margin; never the best so far of
 * its way (from a base, anew, baseline), whose score is asked for.  Decided by validation, in the
 * order of the candidates: gone through again, the same runs give the same decisions.
 * Floor 4, study. */
#include "core/text.h"
#include "study/compare_jobs.h"
#include "study/update.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of one run: how far a seed moves a route, where no seeds are there to say it. */
static const double SEED_SD = 0.01;

/* One run of a setting. */
typedef struct {
    bool        ended;
    json_t     *at;      /* what the rung shows; owned; NULL: it ended before */
    tl_foretold told;    /* of one that ended: what it scored */
    double      loss;    /* the lowest on validation so far; NaN: not known */
    double      counted; /* of s->used */
} heat;

/* One setting: a run under each of so many seeds. */
typedef struct {
    bool        out;
    heat        heat[TL_STUDY_DRAWS];
    tl_foretold told; /* of all of them */
    double      loss;
} setting;

typedef struct {
    int  candidate, trials, draws;
    setting setting[TL_STUDY_TRIALS];
} race;

/* One standard error of a metric on the validation rows. */
static double noise_of(const tl_study *s, double value)
{
    const double n = (double)TL_MAX((int64_t)1, s->valid_rows);

    if (!tl_study_metric_of(s)->percent) return fabs(value) / sqrt(2.0 * n);
    const double p = fmin(0.98, fmax(0.02, value));
    return sqrt(p * (1.0 - p) / n);
}

static double seed_sd(const tl_study *s)
{
    return tl_study_metric_of(s)->percent ? SEED_SD : s->margin;
}

static double top_of(const tl_study *s)
{
    return tl_study_metric_of(s)->higher ? 1.0 : 0.0;
}

static double merit_of(const tl_study *s, int candidate, int trial)
{
    return tl_study_merit(s, tl_study_valid_first(s, candidate, trial));
}

/* One standard error of such a merit: of its validation rows, and of its seeds. */
static double error_of(const tl_study *s, double merit)
{
    const double noise = noise_of(s, fabs(merit)), sd = seed_sd(s);

    return sqrt((noise * noise + sd * sd) / tl_study_draws(s));
}

tl_study_lead tl_study_second_lead(const tl_study *s, int candidate, int seeds)
{
    static const double errors = 1.5;
    const tl_entry     *e      = &s->entry[candidate];
    double              score = 0.0, gain = 0.0, fall = 0.0, square = 0.0;

    for (int k = 0; k < seeds; k++) {
        const double a = tl_study_merit(s, tl_study_valid(s, candidate, e->chosen, k));
        const double b = tl_study_merit(s, tl_study_valid(s, candidate, e->second, k));
        const double d = tl_study_loss(s, candidate, e->chosen, k) -
                         tl_study_loss(s, candidate, e->second, k);
        score += a / seeds;
        gain += (b - a) / seeds;
        fall += d / seeds;
        square += d * d / seeds;
    }
    if (isnan(fall) || seeds < 2)
        return (tl_study_lead){ gain, errors * noise_of(s, fabs(score)) / sqrt(seeds) };
    const double error = sqrt(fmax(0.0, square - fall * fall) / (seeds - 1));
    return (tl_study_lead){ fall, errors * error };
}

int tl_study_draws(const tl_study *s)
{
    return TL_MAX(1, s->draws);
}

int tl_study_ends(const tl_study *s)
{
    return TL_MAX(1, s->ends);
}

int tl_study_draws_wanted(const tl_study *s)
{
    double best = NAN;

    for (int i = 0; i < s->entries; i++) {
        const double v = merit_of(s, i, 0);
        if (!isnan(v)) best = isnan(best) ? v : fmax(best, v);
    }
    if (isnan(best)) return TL_STUDY_DRAWS;
    const double times = noise_of(s, fabs(best)) / s->margin;
    return (int)fmin(TL_STUDY_DRAWS, fmax(1.0, ceil(times * times)));
}

/* The best first run of the others; of all ways, or (`like`) of this one's. NaN: there is none. */
static double leader_of(const tl_study *s, int candidate, bool like)
{
    const tl_way way  = tl_entry_way(&s->entry[candidate]);
    double       best = NAN;

    for (int i = 0; i < s->entries; i++) {
        const tl_entry *e = &s->entry[i];
        const double    v = merit_of(s, i, e->chosen);
        if (i == candidate || isnan(v) || (like && tl_entry_way(e) != way)) continue;
        best = isnan(best) ? v : fmax(best, v);
    }
    return best;
}

/* An update is judged by the old rows, too; a limit may take the leader out; folds have no rows
 * to spare for guesses. */
static bool may_be_stopped(const tl_study *s, int candidate)
{
    return !s->update.model && !s->folds && s->q->max_latency_ms <= 0.0 &&
           s->q->max_size_mb <= 0.0 && !isnan(leader_of(s, candidate, true));
}

/* Foretold to lose to the best, and to one of its own way. */
static bool loses(const tl_study *s, int candidate, const tl_foretold *told, double *leader)
{
    const double like = leader_of(s, candidate, true);
    tl_foretold  mine = *told;

    *leader = leader_of(s, candidate, false);
    if (!may_be_stopped(s, candidate) || !(like > told->final)) return false;
    const double luck = seed_sd(s) / sqrt(tl_study_draws(s));
    mine.error        = sqrt(told->error * told->error + luck * luck);
    return tl_race_lost(&mine, *leader, error_of(s, *leader), s->margin);
}

static tl_status note(tl_ctx *ctx, tl_study *s, const tl_study_told *told)
{
    const tl_status rc =
        tl_grow(ctx, &s->told, &s->told_room, (size_t)s->tolds + 1, sizeof *s->told);

    if (rc == TL_OK) s->told[s->tolds++] = *told;
    return rc;
}

static tl_status foretell(tl_ctx *ctx, const tl_study *s, int rung, const json_t *at,
                          tl_foretold *out)
{
    const json_t  *points = json_object_get(at, "points");
    const size_t   count  = json_array_size(points);
    tl_race_point *p      = NULL;
    tl_status      rc;

    TL_TRY(tl_alloc_array(ctx, count + 1, sizeof *p, &p));
    int64_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *point = json_array_get(points, i);
        const json_t *value = json_array_get(point, 1);
        if (!json_is_number(value)) continue;
        p[n++] = (tl_race_point){ json_number_value(json_array_get(point, 0)),
                                  tl_study_merit(s, json_number_value(value)) };
    }
    const double seen = tl_json_number(at, "valid_metric", NAN);
    *out = tl_race_foretell(p, n, noise_of(s, seen), top_of(s), &s->record[rung]);
done:
    tl_free(ctx, p);
    return rc;
}

/* It ran to its end: what was foretold of it is held against that. */
static void learn(tl_study *s, int candidate, int trial, int repeat)
{
    const double ended = tl_study_merit(s, tl_study_valid(s, candidate, trial, repeat));

    for (int i = 0; i < s->tolds && !isnan(ended); i++) {
        tl_study_told *t = &s->told[i];
        if (t->candidate != candidate || t->trial != trial || t->repeat != repeat ||
            t->rung == TL_RACE_RUNGS)
            continue;
        t->ended = ended;
        tl_race_learn(&s->record[t->rung], &t->told, ended);
    }
}

/* A setting that fails under one of its seeds is out. */
static void end_heat(tl_study *s, race *r, int trial, int draw)
{
    setting        *l     = &r->setting[trial];
    heat        *h     = &l->heat[draw];
    const double merit = tl_study_merit(s, tl_study_valid(s, r->candidate, trial, draw));

    h->ended = true;
    l->out   = l->out || isnan(merit);
    h->told  = (tl_foretold){ .seen = merit, .final = merit };
    h->loss  = tl_study_loss(s, r->candidate, trial, draw);
    s->used -= h->counted; /* the whole run has just been counted */
    h->counted = 0.0;
    json_decref(h->at);
    h->at = NULL;
    learn(s, r->candidate, trial, draw);
}

/* The mean of its runs; a law's mistake is theirs in common, so its error is no smaller. */
static void sum_up(const race *r, setting *l)
{
    tl_foretold sum  = { 0 };
    double      loss = 0.0;

    for (int d = 0; d < r->draws; d++) {
        const tl_foretold *t = &l->heat[d].told;
        loss += l->heat[d].loss / r->draws;
        sum.seen += t->seen / r->draws;
        sum.final += t->final / r->draws;
        sum.error += t->error * t->error / r->draws;
    }
    sum.error = sqrt(sum.error);
    l->told   = sum;
    l->loss   = loss;
}

static bool still_runs(const race *r, const setting *l)
{
    for (int d = 0; d < r->draws && !l->out; d++)
        if (!l->heat[d].ended) return true;
    return false;
}

static void say_rung(tl_study *s, const race *r, int trial, int draw)
{
    const heat     *l = &r->setting[trial].heat[draw];
    const tl_hyper *h = &s->entry[r->candidate].trial[trial];
    char            score[2][32], seed[32] = "";

    if (r->draws > 1)
        snprintf(seed, sizeof seed, ", seed %" PRIu64, s->q->seed + (uint64_t)draw);
    tl_study_say(s, "%s (rate %.2g, decay %.2g)%s, %.0f %% of its schedule: %s on validation, "
                    "foretold %s",
                 s->entry[r->candidate].label, h->optim.lr, h->optim.weight_decay, seed,
                 100.0 * tl_json_number(l->at, "share", 0.0),
                 tl_study_score(s, tl_study_merit(s, l->told.seen), score[0]),
                 tl_study_score(s, tl_study_merit(s, l->told.final), score[1]));
}

/* One of its runs went as far as the rung, or to its end. */
static tl_status see_heat(tl_ctx *ctx, tl_study *s, race *r, const tl_study_job *job)
{
    heat     *h  = &r->setting[job->trial].heat[job->repeat];
    json_t   *at = job->at;
    tl_status rc = TL_OK;

    if (!at) {
        if (job->place >= 0 && !h->ended) end_heat(s, r, job->trial, job->repeat);
        return TL_OK;
    }
    json_decref(h->at);
    h->at = json_incref(at);
    const double took =
        tl_study_spent(s, &s->entry[r->candidate], tl_json_number(at, "flops", 0.0));
    s->used += took - h->counted;
    h->counted = took;
    TL_TRY(foretell(ctx, s, job->rung, at, &h->told));
    h->loss = tl_study_by_loss(s) ? tl_json_number(at, "least_loss", NAN) : NAN;
    say_rung(s, r, job->trial, job->repeat);
done:
    return rc;
}

/* Those of its runs that wait are halted. */
static tl_status put_out(tl_ctx *ctx, tl_study *s, race *r, int trial)
{
    setting     *l  = &r->setting[trial];
    tl_status rc = TL_OK;

    l->out = true;
    for (int d = 0; d < r->draws; d++) {
        heat *h = &l->heat[d];
        if (!h->at) continue;
        TL_TRY(tl_study_halt(ctx, s, r->candidate, trial, d, h->at));
        json_decref(h->at);
        h->at    = NULL;
        h->ended = true;
    }
    tl_study_show(ctx, s);
done:
    return rc;
}

/* Runs them and looks at each; who fails meanwhile is out. */
static tl_status run_heats(tl_ctx *ctx, tl_study *s, race *r, tl_study_jobs *jobs)
{
    tl_status rc;

    TL_TRY(tl_study_run_jobs(ctx, s, jobs));
    for (int i = 0; i < jobs->count; i++) TL_TRY(see_heat(ctx, s, r, &jobs->job[i]));
    for (int t = 0; t < r->trials; t++) {
        if (r->setting[t].out) TL_TRY(put_out(ctx, s, r, t));
        else sum_up(r, &r->setting[t]);
    }
done:
    return rc;
}

/* Every setting that still runs, as far as the rung. */
static tl_status run_to(tl_ctx *ctx, tl_study *s, race *r, int rung)
{
    tl_study_jobs jobs = { 0 };
    tl_status     rc   = TL_OK;

    for (int t = 0; t < r->trials; t++)
        for (int d = 0; d < r->draws && !r->setting[t].out; d++)
            if (!r->setting[t].heat[d].ended)
                TL_TRY(tl_study_want_rung(ctx, &jobs, r->candidate, t, d, rung));
    rc = run_heats(ctx, s, r, &jobs);
done:
    tl_study_jobs_end(ctx, &jobs);
    return rc;
}

/* By their loss, else by what is foretold or was scored. */
static bool is_ahead(const setting *a, const setting *b)
{
    if (!isnan(a->loss) && !isnan(b->loss) && a->loss != b->loss) return a->loss < b->loss;
    return a->told.final > b->told.final;
}

/* The first of equals. -1: none is left. */
static int best_setting(const race *r, const bool *taken)
{
    int best = -1;

    for (int t = 0; t < r->trials; t++) {
        const setting *l = &r->setting[t];
        if (l->out || taken[t] || isnan(l->told.final)) continue;
        if (best < 0 || is_ahead(l, &r->setting[best])) best = t;
    }
    return best;
}

/* What is foretold of a setting's runs that wait at the rung, and what was decided on it. */
static tl_status note_setting(tl_ctx *ctx, tl_study *s, const race *r, int trial, int rung,
                              bool out, double against)
{
    tl_status rc = TL_OK;

    for (int d = 0; d < r->draws; d++) {
        const heat *h = &r->setting[trial].heat[d];
        if (!h->at) continue;
        TL_TRY(note(ctx, s, &(tl_study_told){ .candidate = r->candidate,
                                              .trial     = trial,
                                              .repeat    = d,
                                              .rung      = rung,
                                              .share = tl_json_number(h->at, "share", 0.0),
                                              .told  = h->told,
                                              .loss  = h->loss,
                                              .out   = out,
                                              .against = against,
                                              .ended   = NAN }));
    }
done:
    return rc;
}

/* The trials that are ahead go on; the others that still run are halted. */
static tl_status choose(tl_ctx *ctx, tl_study *s, race *r, int rung)
{
    bool      kept[TL_STUDY_TRIALS] = { false };
    double    last = NAN; /* foretold of the last who goes on */
    tl_status rc   = TL_OK;

    for (int n = tl_race_kept(r->trials, rung, tl_study_ends(s)); n > 0; n--) {
        const int best = best_setting(r, kept);
        if (best < 0) break;
        kept[best] = true;
        last       = r->setting[best].told.final;
    }
    for (int t = 0; t < r->trials; t++) {
        if (!still_runs(r, &r->setting[t])) continue;
        TL_TRY(note_setting(ctx, s, r, t, rung, !kept[t], kept[t] ? NAN : last));
        if (!kept[t]) TL_TRY(put_out(ctx, s, r, t));
    }
done:
    return rc;
}

static int settings_left(const race *r)
{
    int left = 0;

    for (int t = 0; t < r->trials; t++) left += !r->setting[t].out;
    return left;
}

static void say_lost(tl_study *s, tl_entry *e, const tl_study_told *told)
{
    char score[4][32];

    snprintf(e->why, sizeof e->why,
             "After %.0f %% of its schedule validation had %s and foretold %s in the end (give or "
             "take %s); the best so far had %s, so it could not be within the margin and was "
             "stopped.",
             100.0 * told->share, tl_study_score(s, tl_study_merit(s, told->told.seen), score[0]),
             tl_study_score(s, tl_study_merit(s, told->told.final), score[1]),
             tl_study_gap(s, told->told.error, score[2]),
             tl_study_score(s, tl_study_merit(s, told->against), score[3]));
    tl_study_say(s, "%s is stopped: %s", e->label, e->why);
}

/* At the last rung the one that is left is held against the other routes. */
static tl_status face_others(tl_ctx *ctx, tl_study *s, race *r, bool *lost)
{
    const bool none[TL_STUDY_TRIALS] = { false };
    const int  last = TL_RACE_RUNGS - 1, t = best_setting(r, none);
    double     leader;
    tl_status  rc = TL_OK;

    *lost = false;
    if (t < 0 || !still_runs(r, &r->setting[t])) return TL_OK;
    tl_study_told told = { .told = r->setting[t].told };
    if (!loses(s, r->candidate, &told.told, &leader)) return TL_OK;
    for (int i = 0; i < s->tolds; i++) {
        tl_study_told *of = &s->told[i];
        if (of->candidate != r->candidate || of->trial != t || of->rung != last) continue;
        of->out     = true;
        of->against = leader;
        told.share  = of->share;
    }
    tl_entry *e  = &s->entry[r->candidate];
    told.against = leader;
    *lost = e->stopped = true;
    e->active          = false;
    e->chosen          = t; /* what is told of it */
    e->second          = t;
    e->c.hyper         = e->trial[t];
    say_lost(s, e, &told);
    TL_TRY(put_out(ctx, s, r, t));
done:
    return rc;
}

/* The next best that ran to its end; the best itself: there is none. */
static int second_setting(const race *r, int best)
{
    bool taken[TL_STUDY_TRIALS] = { false };

    taken[best]      = true;
    const int second = best_setting(r, taken);
    return second >= 0 ? second : best;
}

static tl_status run_out(tl_ctx *ctx, tl_study *s, race *r)
{
    const bool none[TL_STUDY_TRIALS] = { false };
    tl_entry     *e = &s->entry[r->candidate];
    tl_study_jobs jobs = { 0 };
    tl_status     rc   = TL_OK;

    for (int t = 0; t < r->trials; t++)
        for (int d = 0; d < r->draws && !r->setting[t].out; d++) {
            if (r->setting[t].heat[d].ended) continue;
            e->chosen = t; /* whose failure is the candidate's */
            TL_TRY(tl_study_want(ctx, s, &jobs, r->candidate, t, d));
        }
    TL_TRY(run_heats(ctx, s, r, &jobs));
    const int best = best_setting(r, none);
    if (best >= 0) e->chosen = best;
    e->second  = second_setting(r, e->chosen);
    e->c.hyper = e->trial[e->chosen];
done:
    tl_study_jobs_end(ctx, &jobs);
    return rc;
}

/* None of the trials came to anything: the default's failure is the candidate's. */
static void fail_if_none(tl_study *s, const race *r)
{
    if (settings_left(r) > 0 || !s->entry[r->candidate].active) return;
    for (int i = 0; i < s->runs; i++)
        if (s->run[i].candidate == r->candidate && s->run[i].facts.failed) {
            tl_study_fail(s, r->candidate, &s->run[i]);
            return;
        }
}

tl_status tl_study_race(tl_ctx *ctx, tl_study *s, int candidate, int trials)
{
    race      r    = { .candidate = candidate, .trials = trials, .draws = tl_study_draws(s) };
    bool      lost = false;
    tl_status rc   = TL_OK;

    tl_entry_add_trials(&s->entry[candidate], trials);
    for (int rung = 0; rung < TL_RACE_RUNGS && !s->folds; rung++) {
        const bool last = rung + 1 == TL_RACE_RUNGS;
        if (settings_left(&r) < 2 && !(last && may_be_stopped(s, candidate))) continue;
        TL_TRY(run_to(ctx, s, &r, rung));
        TL_TRY(choose(ctx, s, &r, rung));
        if (last) TL_TRY(face_others(ctx, s, &r, &lost));
    }
    if (!lost) TL_TRY(run_out(ctx, s, &r));
    if (!lost) fail_if_none(s, &r);
done:
    for (int t = 0; t < trials; t++)
        for (int d = 0; d < r.draws; d++) json_decref(r.setting[t].heat[d].at);
    return rc;
}

tl_status tl_study_needs_no_seeds(tl_ctx *ctx, tl_study *s, int candidate, bool *out)
{
    tl_entry     *e    = &s->entry[candidate];
    tl_study_told told = { .candidate = candidate,
                           .trial     = e->chosen,
                           .rung      = TL_RACE_RUNGS,
                           .share     = 1.0,
                           .loss      = NAN,
                           .ended     = NAN };
    char          score[2][32];
    tl_status     rc = TL_OK;

    *out            = false;
    told.told.seen  = merit_of(s, candidate, e->chosen);
    told.told.final = told.told.seen;
    told.told.error =
        noise_of(s, fabs(told.told.seen)) / sqrt(tl_study_draws(s));
    if (isnan(told.told.seen)) return TL_OK;
    if (!loses(s, candidate, &told.told, &told.against)) return TL_OK;
    *out = told.out = e->stopped = true;
    TL_TRY(note(ctx, s, &told));
    snprintf(e->why, sizeof e->why,
             "Its first seed had %s on validation, the best route's %s: more seeds could not bring "
             "it within the margin, so it got no more.",
             tl_study_score(s, tl_study_merit(s, told.told.seen), score[0]),
             tl_study_score(s, tl_study_merit(s, told.against), score[1]));
    tl_study_say(s, "%s gets no more seeds: %s", e->label, e->why);
done:
    return rc;
}
