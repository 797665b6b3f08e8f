/* compare_order.c -- in which order the budget is spent: every candidate once,
 * cheapest kinds first, with as many trials around its rate raced (compare_race.c) as
 * leave half the budget; then seeds for the finalists, and for the rest where that is
 * affordable and not in vain: those who kept up so are finalists where that leaves enough.
 * All in forecast seconds (forecast.c), so that the same plan gives the same runs on a busy
 * machine. Floor 4, study. */
#include "core/text.h"
#include "study/compare_jobs.h"
#include "study/update.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_better(const tl_study *s, double a, double b)
{
    return tl_study_merit(s, a) > tl_study_merit(s, b);
}

double tl_study_left(const tl_study *s)
{
    return s->budget_s - s->used - s->reserve;
}

static void not_run(tl_entry *e, const char *why)
{
    e->active = false;
    e->status = "not-run";
    snprintf(e->why, sizeof e->why, "%.390s", why);
}

/* Baseline and probes first, whatever the order of the list. */
static int stage_of(const tl_entry *e)
{
    return tl_entry_trained(e) ? 1 : 0;
}

/* Of bases tried by the same trained route, the one whose probe validates best; -1: no
 * probe. */
static int best_probed_base(const tl_study *s)
{
    int    best = -1;
    double top  = -INFINITY;

    for (int i = 0; i < s->entries; i++) {
        const tl_entry *e = &s->entry[i];
        const double    v = tl_study_valid(s, i, 0, 0);
        if (strcmp(e->c.route->name, "probe") != 0 || isnan(v)) continue;
        if (tl_study_merit(s, v) <= top) continue;
        top  = tl_study_merit(s, v);
        best = e->base;
    }
    return best;
}

/* The plan said that trained routes run from one base: now it is known which. */
static void choose_base(tl_study *s)
{
    const int base = best_probed_base(s);
    char      why[300], seconds[32];

    if (!tl_json_bool(s->plan, "one_base", false) || s->bases < 2 || s->update.model) return;
    const int kept = base >= 0 ? base : 0;
    tl_study_say(s, "the budget allows one base for the trained routes: %s%s",
                 s->base[kept]->arch.name,
                 base >= 0 ? ", whose probe validates best" : "");
    snprintf(why, sizeof why,
             "The budget of %s allows the trained routes one base; %s was taken%s.",
             tl_say_seconds(s->budget_s, seconds), s->base[kept]->arch.name,
             base >= 0 ? " because its probe was better on validation" : "");
    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].active && tl_entry_trained(&s->entry[i]) &&
            s->entry[i].base >= 0 && s->entry[i].base != kept)
            not_run(&s->entry[i], why);
}

static tl_status run_untrained(tl_ctx *ctx, tl_study *s)
{
    tl_study_jobs jobs = { 0 };
    tl_status     rc   = TL_OK;

    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].active && stage_of(&s->entry[i]) == 0)
            TL_TRY(tl_study_want(ctx, s, &jobs, i, 0, 0));
    rc = tl_study_run_jobs(ctx, s, &jobs);
done:
    tl_study_jobs_end(ctx, &jobs);
    return rc;
}

/* A rate or decay given by the user is not searched. */
bool tl_study_settled(const tl_study *s)
{
    for (size_t i = 0; s->q->overrides && s->q->overrides[i]; i++)
        if (strstr(s->q->overrides[i], "optim.lr=") ||
            strstr(s->q->overrides[i], "weight_decay="))
            return true;
    return false;
}

/* Of a first run of all, where each searched candidate races so many trials. */
static double cost_of_races(const tl_study *s, int trials, int ends, bool *any)
{
    double sum = 0.0;

    for (int i = 0; i < s->entries; i++) {
        const tl_entry *e = &s->entry[i];
        if (!e->active || stage_of(e) != 1) continue;
        const bool searched = tl_entry_searched(e);
        *any |= searched;
        sum += tl_study_run_seconds(s, e);
        if (searched) sum += tl_study_more_seconds(s, e) * (tl_race_work(trials, ends) - 1.0);
    }
    return sum;
}

/* As many as leave half the budget to seeds, the same number for all. */
static int choose_trials(const tl_study *s)
{
    bool any    = false;
    int  trials = 1;

    if (s->folds || tl_study_settled(s)) return 1;
    while (trials < TL_STUDY_TRIALS &&
           tl_study_left(s) - cost_of_races(s, trials + 1, 1, &any) >= 0.5 * s->budget_s && any)
        trials++;
    return trials;
}

/* As many as it lacks. */
static tl_status want_seeds(tl_ctx *ctx, const tl_study *s, tl_study_jobs *jobs, int candidate,
                            int seeds)
{
    const int trial = s->entry[candidate].chosen;
    tl_status rc    = TL_OK;

    for (int k = tl_study_repeats(s, candidate, trial); k < seeds; k++)
        TL_TRY(tl_study_want(ctx, s, jobs, candidate, trial, k));
done:
    return rc;
}

static tl_status run_seeds(tl_ctx *ctx, tl_study *s, int candidate, int seeds)
{
    tl_study_jobs jobs = { 0 };
    tl_status     rc;

    TL_TRY(want_seeds(ctx, s, &jobs, candidate, seeds));
    rc = tl_study_run_jobs(ctx, s, &jobs);
done:
    tl_study_jobs_end(ctx, &jobs);
    return rc;
}

/* Is half the budget left to seeds after such a race?  Its runs of the setting that is chosen are
 * seeds themselves. */
static bool leaves_half(const tl_study *s, int draws, int ends)
{
    bool         any  = false;
    const double race = cost_of_races(s, s->trials, ends, &any);
    const double once = cost_of_races(s, 1, 1, &any);

    return tl_study_left(s) - draws * race + (draws - 1) * once >= 0.5 * s->budget_s;
}

/* A race on few validation rows is a lottery: there two settings run to their end, and under as
 * many seeds as make it none, as far as half the budget is left. */
static void choose_draws(tl_study *s)
{
    const int wanted = tl_study_draws_wanted(s);
    const int most   = s->q->seeds > 0 ? TL_MIN(wanted, s->q->seeds) : wanted;

    s->draws = s->ends = 1;
    if (s->trials < 2 || wanted < 2 || s->update.model) return;
    if (leaves_half(s, 1, 2)) s->ends = 2;
    while (s->draws < most && leaves_half(s, s->draws + 1, s->ends)) s->draws++;
}

static tl_status run_trained(tl_ctx *ctx, tl_study *s)
{
    tl_status rc = TL_OK;

    s->trials = choose_trials(s);
    choose_draws(s);
    if (s->trials > 1 && s->draws > 1)
        tl_study_say(s, "%d settings of rate and decay are raced for each trained route, under %d "
                        "seeds each: validation has few rows",
                     s->trials, s->draws);
    else if (s->trials > 1)
        tl_study_say(s, "%d settings of rate and decay are raced for each trained route",
                     s->trials);
    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].active && stage_of(&s->entry[i]) == 0)
            TL_TRY(run_seeds(ctx, s, i, s->draws));
    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].active && stage_of(&s->entry[i]) == 1)
            TL_TRY(tl_study_race(ctx, s, i, tl_entry_searched(&s->entry[i]) ? s->trials : 1));
done:
    return rc;
}

/* The best three on validation; a model in use beside them, which costs nothing. */
static void choose_finalists(tl_study *s, int most)
{
    for (int i = 0; i < s->entries; i++)
        s->entry[i].finalist = s->update.model && tl_entry_is_kept(&s->entry[i]);
    for (int n = 0; n < most; n++) {
        int best = -1;
        for (int i = 0; i < s->entries; i++) {
            if (!s->entry[i].active || s->entry[i].finalist) continue;
            const double v = tl_study_valid_first(s, i, s->entry[i].chosen);
            if (isnan(v)) continue;
            if (best < 0 ||
                is_better(s, v, tl_study_valid_first(s, best, s->entry[best].chosen)))
                best = i;
        }
        if (best >= 0) s->entry[best].finalist = true;
    }
}

/* What it takes to bring the finalists (or the others) to `seeds` repeats each. */
static double cost_of_seeds(const tl_study *s, bool finalists, int seeds)
{
    double sum = 0.0;

    for (int i = 0; i < s->entries; i++) {
        const tl_entry *e = &s->entry[i];
        if (!e->active || e->finalist != finalists) continue;
        const int have = tl_study_repeats(s, i, e->chosen);
        if (have < seeds) sum += (seeds - have) * tl_study_run_seconds(s, e);
    }
    return sum;
}

static tl_status run_seeds_of(tl_ctx *ctx, tl_study *s, bool finalists, int seeds)
{
    tl_study_jobs jobs = { 0 };
    tl_status     rc   = TL_OK;

    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].active && s->entry[i].finalist == finalists)
            TL_TRY(want_seeds(ctx, s, &jobs, i, seeds));
    rc = tl_study_run_jobs(ctx, s, &jobs);
done:
    tl_study_jobs_end(ctx, &jobs);
    return rc;
}

/* Cheapest first: most of the others reach three seeds where not all can, and none whose first
 * says that they would be in vain. */
static tl_status seeds_for_others(tl_ctx *ctx, tl_study *s, int seeds)
{
    tl_status rc = TL_OK;

    for (;;) {
        bool vain;
        int    next = -1;
        double cost = INFINITY;
        for (int i = 0; i < s->entries; i++) {
            const tl_entry *e = &s->entry[i];
            if (!e->active || e->finalist || e->gave_up || e->stopped) continue;
            const int    have = tl_study_repeats(s, i, e->chosen);
            const double mine = (seeds - have) * tl_study_run_seconds(s, e);
            if (have > 0 && have < seeds && mine < cost) next = i, cost = mine;
        }
        if (next < 0 || cost > tl_study_left(s)) break;
        TL_TRY(tl_study_needs_no_seeds(ctx, s, next, &vain));
        if (vain) continue;
        TL_TRY(run_seeds(ctx, s, next, seeds));
        if (tl_study_repeats(s, next, s->entry[next].chosen) < seeds)
            s->entry[next].gave_up = true;
    }
done:
    return rc;
}

/* Not even three seeds for two finalists: one at a time, while it lasts. */
static tl_status seeds_in_turn(tl_ctx *ctx, tl_study *s, int seeds)
{
    tl_status rc = TL_OK;

    for (int k = 2; k <= seeds; k++)
        for (int i = 0; i < s->entries; i++) {
            if (!s->entry[i].active || !s->entry[i].finalist) continue;
            if (tl_study_run_seconds(s, &s->entry[i]) > tl_study_left(s)) continue;
            TL_TRY(run_seeds(ctx, s, i, k));
        }
done:
    return rc;
}

/* The finalists' next number of seeds: the next step, or what of it is affordable; 0: none. */
static int next_seeds(const tl_study *s, int have, int most)
{
    static const int steps[] = { 3, 5, 8, TL_STUDY_SEEDS };

    for (size_t i = 0; i < TL_COUNT(steps); i++) {
        if (steps[i] <= have) continue;
        for (int k = TL_MIN(steps[i], most); k > have; k--)
            if (cost_of_seeds(s, true, k) <= tl_study_left(s)) return k;
        return 0;
    }
    return 0;
}

/* Before others and the curve: the seeds of the next look, or at least the one more without which
 * nothing could be `better`; a little over, for a machine that slows down meanwhile. */
static void keep_for_a_win(tl_study *s, int most)
{
    static const double spare = 1.1;

    s->reserve = 0.0;
    for (int seeds = TL_MIN(5, most); seeds >= 4; seeds--) {
        const double cost = spare * cost_of_seeds(s, true, seeds);
        if (cost > tl_study_left(s)) continue;
        s->reserve = cost;
        return;
    }
}

/* Who has kept up goes on with the finalists, cheapest first, while the next look leaves half of
 * what is left: one seed on few validation rows is a poor reason to stop at three. */
static void promote(tl_study *s, int seeds)
{
    for (;;) {
        int    next = -1;
        double cost = INFINITY;
        for (int i = 0; i < s->entries; i++) {
            const tl_entry *e = &s->entry[i];
            if (!e->active || e->finalist || e->gave_up || e->stopped) continue;
            if (tl_study_repeats(s, i, e->chosen) < seeds) continue;
            if (tl_study_run_seconds(s, e) < cost) next = i, cost = tl_study_run_seconds(s, e);
        }
        if (next < 0) return;
        s->entry[next].finalist = true;
        if (cost_of_seeds(s, true, seeds + 2) <= 0.5 * tl_study_left(s)) continue;
        s->entry[next].finalist = false;
        return;
    }
}

/* Of those who may be named and have a second setting the best on validation; -1: none. */
static int best_unsettled(const tl_study *s, const bool *seen)
{
    int best = -1;

    for (int i = 0; i < s->entries; i++) {
        const tl_entry *e = &s->entry[i];
        if (!e->active || !e->finalist || e->gave_up || seen[i]) continue;
        if (best < 0 || is_better(s, tl_study_valid_mean(s, i), tl_study_valid_mean(s, best)))
            best = i;
    }
    return best;
}

static tl_status try_second(tl_ctx *ctx, tl_study *s, int candidate, int seeds)
{
    tl_entry     *e    = &s->entry[candidate];
    const int     have = tl_study_repeats(s, candidate, e->second);
    const double  cost = (seeds - have + s->curve.draws) * tl_study_run_seconds(s, e);
    tl_study_jobs jobs = { 0 };
    tl_status     rc   = TL_OK;

    if (cost > 0.5 * tl_study_left(s)) return TL_OK;
    for (int k = have; k < seeds; k++)
        TL_TRY(tl_study_want(ctx, s, &jobs, candidate, e->second, k));
    TL_TRY(tl_study_run_jobs(ctx, s, &jobs));
    const tl_study_lead lead = tl_study_second_lead(s, candidate, seeds);
    const int           last = e->chosen;
    if (lead.mean > 0.0) {
        e->chosen  = e->second;
        e->c.hyper = e->trial[e->chosen];
        tl_study_say(s,
                     "%s goes on with its second setting (rate %.2g, decay %.2g), which "
                     "validation puts ahead after %d seeds",
                     e->label, e->c.hyper.optim.lr, e->c.hyper.optim.weight_decay, seeds);
        tl_study_curve_anew(s, candidate);
        e->second = last;
    }
    if (!(fabs(lead.mean) <= lead.doubt)) e->second = e->chosen;
done:
    tl_study_jobs_end(ctx, &jobs);
    return rc;
}

/* A race on few rows may have taken the wrong setting: those who lead get seeds for their second,
 * too, until validation tells the two apart. */
static tl_status settle(tl_ctx *ctx, tl_study *s, int seeds)
{
    enum { LEADERS = 2 };
    bool      seen[TL_PLAN_ITEMS] = { false };
    tl_status rc                  = TL_OK;

    for (int n = 0; n < LEADERS; n++) {
        const int best = best_unsettled(s, seen);
        if (best < 0) break;
        seen[best] = true;
        if (s->entry[best].second != s->entry[best].chosen)
            TL_TRY(try_second(ctx, s, best, seeds));
    }
done:
    return rc;
}

static tl_status spend_on_seeds(tl_ctx *ctx, tl_study *s)
{
    tl_status rc        = TL_OK;
    const int asked     = s->q->seeds > 0 ? s->q->seeds : TL_STUDY_SEEDS;
    const int most      = TL_MIN(asked, TL_STUDY_SEEDS);
    int       finalists = TL_STUDY_FINALISTS, seeds = TL_MIN(3, most);
    bool      ends = false;

    choose_finalists(s, finalists);
    while (finalists > 2 && cost_of_seeds(s, true, seeds) > tl_study_left(s))
        choose_finalists(s, --finalists);
    if (cost_of_seeds(s, true, seeds) > tl_study_left(s)) {
        TL_TRY(seeds_in_turn(ctx, s, seeds));
        return tl_study_curve(ctx, s, seeds);
    }
    for (int next; !ends; seeds = next) {
        TL_TRY(run_seeds_of(ctx, s, true, seeds));
        if (s->looks == 0) {
            keep_for_a_win(s, most);
            TL_TRY(seeds_for_others(ctx, s, seeds));
            if (seeds < most) promote(s, seeds);
        }
        TL_TRY(settle(ctx, s, seeds));
        TL_TRY(tl_study_curve(ctx, s, 1));
        s->reserve = 0.0;
        next       = next_seeds(s, seeds, most);
        TL_TRY(tl_study_take_look(ctx, s, seeds, most, next == 0, &ends));
    }
    TL_TRY(tl_study_curve(ctx, s, TL_MIN(3, most)));
done:
    return rc;
}

/* Who has fewer seeds than a finalist, because validation put it behind: its figures
 * count, and the verdict says that it was stopped. */
static void note_stopped(tl_study *s)
{
    double worst = NAN;
    int    most  = 0;
    char   score[2][32];

    for (int i = 0; i < s->entries; i++) {
        if (!s->entry[i].active || !s->entry[i].finalist || tl_entry_is_kept(&s->entry[i]))
            continue;
        most  = TL_MAX(most, tl_study_repeats(s, i, s->entry[i].chosen));
        const double valid = tl_study_valid_first(s, i, s->entry[i].chosen);
        if (isnan(worst) || is_better(s, worst, valid)) worst = valid;
    }
    for (int i = 0; i < s->entries; i++) {
        tl_entry    *e     = &s->entry[i];
        const int    seeds = tl_study_repeats(s, i, e->chosen);
        const double valid = tl_study_valid_first(s, i, e->chosen);
        if (!e->active || e->finalist || e->gave_up || e->stopped || seeds >= most) continue;
        e->stopped = true;
        snprintf(e->why, sizeof e->why,
                 "Validation put it behind the finalists (%s; the last of them %s), so "
                 "it got %d %s where they got up to %d.",
                 tl_study_score(s, valid, score[0]), tl_study_score(s, worst, score[1]), seeds,
                 tl_plural(seeds, "seed", "seeds"), most);
    }
}

tl_status tl_study_run_all(tl_ctx *ctx, tl_study *s)
{
    tl_status rc;

    TL_TRY(run_untrained(ctx, s));
    tl_study_say_detectable(s);
    choose_base(s);
    TL_TRY(run_trained(ctx, s));
    TL_TRY(spend_on_seeds(ctx, s));
    note_stopped(s);
done:
    return rc;
}
