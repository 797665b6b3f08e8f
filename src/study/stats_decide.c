/* stats_decide.c -- from scores to better, tie or undecided, and why.
 *
 * `better`: the first on test against every other at once (stats_many.c). That the first was
 * chosen by looking costs nothing more: for a wrong name to be called, it must beat
 * every other, the truly best among them, each on its own side of its interval (Hsu
 * 1984; Berger 1982). `tie`: against the first on test, one or more others have a 90 %
 * interval inside the margin (two one-sided tests, Schuirmann 1987), and no other may
 * still be better than it by the margin.  Undecided, the cheapest not shown worse is named:
 * neither by the test, nor by a measured difference beyond half the margin; nor one of which too
 * little is known to say that it costs at most MOST_LOST margins. Floor 4, study. */
#include "core/text.h"
#include "study/stats_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_SEEDS = 12 };
static const double ALPHA = 0.05, TIE_ALPHA = 0.10, HARDLY = 0.1, MOST_LOST = 2.0;

static bool cheaper(const tl_scores *s, int a, int b)
{
    if (s->inference_cost && s->inference_cost[a] != s->inference_cost[b])
        return s->inference_cost[a] < s->inference_cost[b];
    if (s->training_cost && s->training_cost[a] != s->training_cost[b])
        return s->training_cost[a] < s->training_cost[b];
    return a < b;
}

/* The best by mean without `except`; the cheaper of equals.  -1: there is none. */
static int best_mean(const tl_study_values *v, int except)
{
    int    best = -1;
    double top  = -INFINITY;

    for (int c = 0; c < v->s->candidates; c++) {
        const double mean = c == except ? -INFINITY : tl_study_mean(v, c);
        if (c == except) continue;
        if (best < 0 || mean > top || (mean == top && cheaper(v->s, c, best))) {
            best = c;
            top  = mean;
        }
    }
    return best;
}

static int least_seeds(const tl_scores *s)
{
    return s->least_seeds > 0 ? s->least_seeds : 4;
}

/* Validation's favourite of the finalists is another than `top`. */
static bool is_reversed(const tl_scores *s, int top)
{
    if (!s->valid || isnan(s->valid[top])) return false;
    for (int c = 0; c < s->candidates; c++)
        if (!isnan(s->valid[c]) && s->valid[c] > s->valid[top]) return true;
    return false;
}

typedef enum { ALL_WORSE, A_TIE, OPEN } standing;

/* Where `top` stands among its rivals, and the cheapest that may take its place. */
static standing judge(const tl_scores *s, int top, const tl_rival *rival,
                      int *cheapest_tied, int *cheapest_open)
{
    bool all_worse = true, within = true, tied = false;

    *cheapest_tied = *cheapest_open = top;
    for (int c = 0; c < s->candidates; c++) {
        if (c == top) continue;
        const tl_pair *pair  = &rival[c].pair;
        const double   half  = tl_pair_half(pair, TIE_ALPHA);
        const bool     worse = rival[c].p < ALPHA;
        const bool     near  = pair->seeds > 1 && pair->mean + half < s->margin;

        within = within && (worse || (pair->seeds > 1 && half - pair->mean < s->margin));
        all_worse = all_worse && worse;
        if (near && half - pair->mean < s->margin) {
            tied = true;
            if (cheaper(s, c, *cheapest_tied)) *cheapest_tied = c;
        }
        /* Not shown worse for want of rows or seeds is no merit: measured half the margin behind,
         * it is as likely as not to be worse than the first by what the first may lack itself;
         * measured beside it within wide bounds, it may cost any number of points. */
        if (!worse && pair->mean <= 0.5 * s->margin && pair->seeds > 1 &&
            pair->mean + half <= MOST_LOST * s->margin && cheaper(s, c, *cheapest_open))
            *cheapest_open = c;
    }
    if (all_worse && s->candidates > 1) return ALL_WORSE;
    return tied && within ? A_TIE : OPEN;
}

static tl_interval interval_of(const tl_study_values *v, int candidate)
{
    const tl_pair pair = tl_study_pair(v, candidate, -1);
    tl_interval   out;
    const double  n = (double)v->units;

    if (v->s->plain) {
        const double half = tl_pair_half(&pair, ALPHA);
        return (tl_interval){ pair.mean, pair.mean - half, pair.mean + half };
    }
    if (pair.variance <= 0.0) return tl_wilson(pair.mean * n, n, 1.0 - ALPHA);
    const double half = tl_pair_half(&pair, ALPHA);
    out               = (tl_interval){ pair.mean, fmax(0.0, pair.mean - half),
                                       fmin(1.0, pair.mean + half) };
    return out;
}

static double detectable_of(const tl_rival *r)
{
    if (r->pair.seeds < 2 || r->pair.variance <= 0.0) return NAN;
    return tl_pair_half(&r->pair, r->level) +
           tl_student_quantile(0.8, r->pair.df) * sqrt(r->pair.variance);
}

/* How many times the rows, or the seeds, would make this difference stand out. */
static void say_what_would_decide(const tl_scores *s, const tl_rival *r, char *text,
                                  size_t room)
{
    const double need =
        isnan(detectable_of(r)) ? NAN : detectable_of(r) / fabs(r->pair.mean);
    const double times = need * need;

    if (r->pair.seeds < 2)
        snprintf(text, room,
                 "More seeds (a larger --budget) would show how much is luck.");
    else if (!(times > 0.0) || times > 20.0)
        snprintf(text, room,
                 "Over 20 times the test data and seeds would be needed to tell them "
                 "apart: treat them as equal, or give a larger --margin.");
    else if (r->pair.seeds_part > 2.0 * r->pair.rows_part && s->seeds < 8)
        snprintf(text, room,
                 "About %.0f seeds instead of %d (a larger --budget) would decide.",
                 ceil(r->pair.seeds * fmax(times, 1.2)), r->pair.seeds);
    else
        snprintf(text, room,
                 "About %.0f test rows instead of %" PRId64 ", with as many seeds, "
                 "would decide.",
                 ceil((double)s->rows * fmax(times, 1.1)), s->rows);
}

static const char *say_signed(const tl_scores *s, double value, char text[32])
{
    char number[32];

    if (s->plain)
        snprintf(text, 32, "%s%.30s", value < 0.0 ? "" : "+", tl_say_number(value, 3, number));
    else snprintf(text, 32, "%+.1f points", 100.0 * value);
    return text;
}

static void say_undecided(const tl_scores *s, const tl_decision *d, const tl_rival *r,
                          bool all_worse, char *text, size_t room)
{
    const tl_interval gap = d->difference; /* winner minus runner-up, more is better */
    char              more[200], low[32], high[32];

    if (all_worse && d->reversed) {
        snprintf(text, room,
                 "Test puts another candidate first than validation did, so neither "
                 "is trusted alone; more data or seeds would settle it.");
        return;
    }
    if (all_worse) {
        snprintf(text, room,
                 "The winner stands out, but with fewer than %d seeds of it and of the "
                 "next it may be luck; a larger --budget (or --seeds) gives more.",
                 least_seeds(s));
        return;
    }
    say_what_would_decide(s, r, more, sizeof more);
    snprintf(text, room,
             "The test part cannot tell the first from the others: the difference to "
             "the next may lie between %s and %s%s. %s%s",
             say_signed(s, s->lower ? -gap.high : gap.low, low),
             say_signed(s, s->lower ? -gap.low : gap.high, high),
             s->lower ? " (below 0: less error)" : "", more,
             d->reversed ? " Test and validation put different candidates first." : "");
}

static void say_why(const tl_scores *s, tl_decision *d, const tl_rival *rival,
                    bool all_worse)
{
    char        *text = d->why, margin[32];
    const size_t room = sizeof d->why;

    if (s->candidates < 2)
        snprintf(text, room,
                 "Only one candidate ran, so nothing was compared (a larger --budget, a "
                 "--base or another --arch would give it rivals).");
    else if (d->outcome == TL_BETTER)
        snprintf(text, room,
                 "It beats every other candidate on the test part by more than chance "
                 "explains (p = %.2g against the next, corrected for %d %s).",
                 d->p, s->candidates - 1,
                 tl_plural(s->candidates - 1, "comparison", "comparisons"));
    else if (d->outcome == TL_TIE)
        snprintf(text, room,
                 "The best candidates differ by less than the margin of %s (90 %% "
                 "interval), so the cheapest of them to run wins.",
                 s->plain ? tl_say_number(s->margin, 3, margin)
                          : tl_say_points(s->margin, margin));
    else
        say_undecided(s, d, &rival[d->runner_up], all_worse, text, room);
}

static bool enough_seeds(const tl_scores *s, int a, int b)
{
    return tl_study_seeds(s, a) >= least_seeds(s) &&
           (b < 0 || tl_study_seeds(s, b) >= least_seeds(s));
}

/* The variance of a difference were there MOST_SEEDS of each. */
static double variance_to_come(const tl_pair *p)
{
    return p->rows_part + p->seeds_part * p->seeds / MOST_SEEDS;
}

/* How far the seeds to come may yet move a difference: by what they would take off its variance. */
static double move_to_come(const tl_pair *p)
{
    return sqrt(fmax(1e-30, p->variance - variance_to_come(p)));
}

/* Would MOST_SEEDS of each, were the difference to stay what it is, hardly ever end in `better`
 * or `tie`? */
static bool stays_open(const tl_scores *s, const tl_rival *r)
{
    const tl_pair *p = &r->pair;

    if (p->seeds < 2 || p->seeds >= MOST_SEEDS) return false;
    const double then = sqrt(variance_to_come(p));
    const double move = move_to_come(p), gap = fabs(p->mean);
    const double win  = -tl_normal_quantile(0.5 * r->level) * then;
    const double tie  = s->margin + tl_normal_quantile(0.5 * TIE_ALPHA) * then;
    const double wins = tl_normal_cdf((gap - win) / move);
    const double ties =
        tie > 0.0 ? tl_normal_cdf((tie - gap) / move) - tl_normal_cdf((-tie - gap) / move) : 0.0;

    return wins + ties < HARDLY;
}

/* Every other that gets seeds lies so clearly within half the margin of the first, or behind it,
 * that those to come would hardly change who may be named. */
static bool name_stands(const tl_scores *s, int top, const tl_rival *rival)
{
    for (int c = 0; c < s->candidates; c++) {
        const tl_pair *p = &rival[c].pair;
        if (c == top || (s->valid && isnan(s->valid[c]))) continue;
        if (p->seeds < 2 ||
            fabs(p->mean - 0.5 * s->margin) < -tl_normal_quantile(HARDLY) * move_to_come(p))
            return false;
    }
    return true;
}

/* The winner's difference to the next best, and what could have been seen. */
static tl_status measure(tl_ctx *ctx, const tl_study_values *v, int top, tl_rival *rival,
                         tl_decision *d)
{
    tl_status rc = TL_OK;

    d->runner_up = best_mean(v, d->winner);
    if (d->runner_up < 0) {
        d->difference = (tl_interval){ NAN, NAN, NAN };
        d->p = d->detectable = NAN;
        return TL_OK;
    }
    if (d->winner != top) TL_TRY(tl_study_rivals(ctx, v, d->winner, rival));
    const tl_rival *r    = &rival[d->runner_up];
    const double    half = tl_pair_half(&r->pair, r->level);
    d->difference =
        (tl_interval){ r->pair.mean, r->pair.mean - half, r->pair.mean + half };
    d->p          = r->p;
    d->detectable = detectable_of(r);
done:
    return rc;
}

static tl_status check_scores(tl_ctx *ctx, const tl_scores *s)
{
    if (s->candidates < 1 || s->seeds < 1 || s->rows < 1)
        return tl_fail(ctx, TL_EUSAGE, "verdict", "nothing was scored on the test part");
    if (!s->predicted) return TL_OK;
    for (int c = 0; c < s->candidates; c++) {
        const int32_t *p = s->predicted + (int64_t)c * s->seeds * s->rows;
        for (int64_t i = 0; i < tl_study_seeds(s, c) * s->rows; i++)
            if (p[i] < 0 || p[i] >= s->classes)
                return tl_fail(ctx, TL_EUSAGE, "verdict", "a prediction is not a class");
    }
    return TL_OK;
}

tl_status tl_decide(tl_ctx *ctx, const tl_scores *s, tl_decision *out)
{
    tl_status       rc;
    tl_study_values v     = { 0 };
    tl_rival       *rival = NULL;
    int             tied, open, top;

    *out = (tl_decision){ .outcome = TL_UNDECIDED, .runner_up = -1 };
    TL_TRY(check_scores(ctx, s));
    TL_TRY(tl_study_values_make(ctx, s, &v));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->candidates, sizeof *rival, &rival));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->candidates, sizeof *out->test, &out->test));
    for (int c = 0; c < s->candidates; c++) out->test[c] = interval_of(&v, c);
    top = best_mean(&v, -1);
    TL_TRY(tl_study_rivals(ctx, &v, top, rival));
    const standing found = judge(s, top, rival, &tied, &open);
    out->reversed        = is_reversed(s, top);
    out->winner          = found == A_TIE ? tied : found == OPEN ? open : top;
    out->first           = out->winner == top;
    out->futile          = found == OPEN && s->candidates > 1 && name_stands(s, top, rival);
    if (found == A_TIE) out->outcome = TL_TIE;
    if (found == ALL_WORSE && !out->reversed && enough_seeds(s, top, best_mean(&v, top)))
        out->outcome = TL_BETTER;
    TL_TRY(measure(ctx, &v, top, rival, out));
    out->futile = out->futile && stays_open(s, &rival[out->runner_up]);
    TL_TRY(tl_study_confidence(ctx, &v, out->winner, &out->confidence));
    say_why(s, out, rival, found == ALL_WORSE);
done:
    tl_free(ctx, rival);
    tl_study_values_free(ctx, &v);
    if (rc != TL_OK) tl_decision_free(ctx, out);
    return rc;
}

void tl_decision_free(tl_ctx *ctx, tl_decision *d)
{
    tl_free(ctx, d->test);
    d->test = NULL;
}

static tl_interval negative(tl_interval i)
{
    return (tl_interval){ -i.mean, -i.high, -i.low };
}

void tl_decision_turn(tl_decision *d, int candidates)
{
    for (int i = 0; i < candidates; i++) d->test[i] = negative(d->test[i]);
    d->difference = negative(d->difference);
}

double tl_detectable(int64_t rows, int seeds, double discordance, double seed_sd,
                     int comparisons)
{
    if (rows < 1 || seeds < 2) return NAN;
    const double n = (double)rows, k = seeds;
    const double rows_part = discordance / n, seeds_part = 2.0 * seed_sd * seed_sd / k;
    const double variance = rows_part + seeds_part;
    const double doubt =
        rows_part * rows_part / fmax(1.0, n - 1.0) + seeds_part * seeds_part / (k - 1.0);
    const double df    = doubt > 0.0 ? variance * variance / doubt : INFINITY;
    const double alpha = ALPHA / TL_MAX(1, comparisons);

    return (tl_student_quantile(1.0 - 0.5 * alpha, df) + tl_student_quantile(0.8, df)) *
           sqrt(variance);
}
