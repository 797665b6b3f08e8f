/* verdict_race.c -- what was foretold of the runs, what was decided on it and what became of it:
 * in verdict.json and in words.  Floor 4, study. */
#include "core/text.h"
#include "study/compare_internal.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    int    foretold, ended, missed, stopped, regretted;
    double typical; /* the middle distance of end and foretelling; NaN */
} balance;

/* A merit as the metric says it. */
static json_t *score_json(const tl_study *s, double merit)
{
    return tl_json_real(tl_study_merit(s, merit));
}

json_t *tl_study_race_json(const tl_study *s, int candidate)
{
    json_t *list = json_array();

    for (int i = 0; i < s->tolds; i++) {
        const tl_study_told *t = &s->told[i];
        const tl_hyper      *h = &s->entry[t->candidate].trial[t->trial];
        if (t->candidate != candidate) continue;
        json_array_append_new(
            list,
            json_pack("{s:i, s:i, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "trial",
                      t->trial, "draw", t->repeat, "lr", h->optim.lr, "weight_decay",
                      h->optim.weight_decay, "share", t->share, "seen",
                      score_json(s, t->told.seen), "foretold", score_json(s, t->told.final),
                      "error", tl_json_real(t->told.error), "loss", tl_json_real(t->loss),
                      "stopped", (int)t->out, "against", score_json(s, t->against), "ended",
                      score_json(s, t->ended)));
    }
    return list;
}

/* In hindsight: what went on in its place ended below what it was foretold; of a route, the best
 * ended so low that it would have been within the margin. */
static bool is_regretted(const tl_study *s, const tl_study_told *t, double best)
{
    const tl_entry *e = &s->entry[t->candidate];

    if (!t->out) return false;
    if (e->stopped && t->trial == e->chosen) return t->told.final > best - s->margin;
    return t->told.final > tl_study_merit(s, tl_study_valid(s, t->candidate, e->chosen, t->repeat));
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Without memory the middle distance is not known. */
static double middle(const tl_study *s, int ended)
{
    double *off = ended ? malloc((size_t)ended * sizeof *off) : NULL, typical = NAN;
    int     n   = 0;

    for (int i = 0; off && i < s->tolds; i++)
        if (!isnan(s->told[i].ended))
            off[n++] = fabs(s->told[i].ended - s->told[i].told.final);
    if (off) {
        qsort(off, (size_t)n, sizeof *off, by_size);
        typical = off[n / 2];
    }
    free(off);
    return typical;
}

static balance balance_of(const tl_study *s)
{
    balance b    = { .foretold = s->tolds };
    double  best = -INFINITY;

    for (int i = 0; i < s->entries; i++) {
        const double mean = tl_study_merit(s, tl_study_valid_mean(s, i));
        if (!isnan(mean)) best = fmax(best, mean);
    }
    for (int i = 0; i < s->tolds; i++) {
        const tl_study_told *t = &s->told[i];
        b.ended += !isnan(t->ended);
        b.missed += !isnan(t->ended) && tl_race_missed(&t->told, t->ended);
        b.stopped += t->out;
        b.regretted += is_regretted(s, t, best);
    }
    b.typical = middle(s, b.ended);
    return b;
}

json_t *tl_study_races_json(const tl_study *s)
{
    const balance b     = balance_of(s);
    json_t       *rungs = json_array();

    for (int i = 0; i < TL_RACE_RUNGS; i++)
        json_array_append_new(rungs, json_real(tl_race_rung[i]));
    return json_pack("{s:o, s:i, s:i, s:i, s:i, s:i, s:o, s:i, s:i}", "rungs", rungs, "trials",
                     TL_MAX(1, s->trials), "draws", tl_study_draws(s), "foretold",
                     b.foretold, "ended", b.ended, "missed",
                     b.missed, "typical_error", tl_json_real(b.typical), "stopped", b.stopped,
                     "regretted", b.regretted);
}

void tl_study_race_words(const tl_study *s, json_t *reasons)
{
    const balance b = balance_of(s);
    char          off[32], under[80] = "";

    if (tl_study_draws(s) > 1)
        snprintf(under, sizeof under,
                 " (the mean of %d seeds, each with validation rows of its own)",
                 tl_study_draws(s));
    if (s->trials > 1)
        tl_reason(reasons,
                  "%d settings of rate and decay were raced for each trained route, by their "
                  "%s on validation%s: after a third of its schedule %d of them went on, after two "
                  "thirds %s.",
                  s->trials, tl_study_by_loss(s) ? "loss" : "score", under,
                  tl_race_kept(s->trials, 0, tl_study_ends(s)),
                  tl_study_ends(s) > 1 ? "two" : "one");
    if (b.stopped == 0) return;
    tl_reason(reasons,
              "%d %s stopped early because of what validation had shown.  Of %d foretellings that "
              "could be checked %d %s off by more than two errors%s%s; %d of the stopped had been "
              "foretold more than what went on in their place reached.",
              b.stopped, tl_plural(b.stopped, "run was", "runs were"), b.ended, b.missed,
              tl_plural(b.missed, "was", "were"), b.ended ? ", the middle one by " : "",
              b.ended ? tl_study_gap(s, b.typical, off) : "", b.regretted);
}
