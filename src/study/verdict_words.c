/* verdict_words.c -- the verdict in sentences: what to take, how sure, and why. Floor
 * 4, study. */
#include "core/io.h"
#include "core/text.h"
#include "study/update.h"
#include "train/network.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* "91.3 % right on the test part", "RMSE 0.81" */
static const char *say_result(const tl_study *s, double mean, char text[96])
{
    const tl_metric *m = tl_study_metric_of(s);
    char             score[32];

    tl_study_score(s, mean, score);
    if (!m->percent) snprintf(text, 96, "%s %s on the test part", m->words, score);
    else snprintf(text, 96, "%s %s", score,
                  strcmp(m->name, "accuracy") == 0 ? "right on the test part" : m->words);
    return text;
}

void tl_study_sentence(const tl_study *s, const tl_judged *j, char *text, size_t room)
{
    const tl_decision *d      = &j->decision;
    const tl_entry    *winner = &s->entry[j->entry[d->winner]];
    const tl_route    *route  = winner->c.route;
    char               result[96], take[200];

    if (s->update.model) {
        tl_update_sentence(s, j, text, room);
        return;
    }
    say_result(s, d->test[d->winner].mean, result);
    tl_route_say(route, winner->base >= 0 ? tl_path_name(s->base[winner->base]->path) : NULL,
                 take, sizeof take);

    if (d->outcome == TL_UNDECIDED && d->runner_up < 0)
        snprintf(text, room, "Only %s was run: %s.", winner->label, result);
    else if (d->outcome == TL_UNDECIDED)
        snprintf(text, room,
                 "Undecided, for now: %s (route %s), %s: %s.", take, route->name,
                 d->first ? "which scored best, though not shown to be better"
                          : "the cheapest within the margin that was not shown to be worse",
                 result);
    else
        snprintf(text, room, "%c%s (route %s): %s, %s.", toupper((unsigned char)take[0]),
                 take + 1, route->name, result,
                 d->outcome != TL_BETTER
                     ? "as good as the best within the margin, and the cheapest of them"
                 : tl_study_not_run(s) ? "better than every other route that was run"
                                       : "better than every other route");
}

tl_way tl_entry_way(const tl_entry *e)
{
    return e->c.route->needs_base                          ? TL_FROM_BASE
           : tl_route_is_baseline(e->c.route) ? TL_BASELINE
                                                           : TL_ANEW;
}

int tl_study_best_of(const tl_study *s, const tl_judged *j, tl_way way)
{
    int best = -1;

    for (int i = 0; i < j->count; i++) {
        if (tl_entry_way(&s->entry[j->entry[i]]) != way) continue;
        if (best < 0 || tl_study_merit(s, j->decision.test[i].mean) >
                            tl_study_merit(s, j->decision.test[best].mean))
            best = i;
    }
    return best;
}

static void say_gap(const tl_study *s, const tl_judged *j, json_t *list, int a, int b,
                    const char *what)
{
    if (a < 0 || b < 0) return;
    const tl_interval *x = &j->decision.test[a], *y = &j->decision.test[b];
    const bool         apart = x->low > y->high || y->low > x->high;

    char               score[2][32], gap[32];

    if (tl_study_metric_of(s)->percent)
        snprintf(gap, sizeof gap, "%+.1f points", 100.0 * (x->mean - y->mean));
    else
        snprintf(gap, sizeof gap, "%s%.30s", x->mean < y->mean ? "" : "+",
                 tl_say_number(x->mean - y->mean, 3, score[0]));
    tl_reason(list, "%s: %s reaches %s, %s %s on test (%s%s).", what, s->entry[j->entry[a]].label,
        tl_study_score(s, x->mean, score[0]), s->entry[j->entry[b]].label,
        tl_study_score(s, y->mean, score[1]), gap,
        apart ? "" : "; their intervals overlap");
}

static void say_fit(const tl_study *s, const tl_judged *j, json_t *list)
{
    const tl_study_run *run = j->best_run;
    const char         *fit = run->facts.fit;
    const double        gap = tl_study_merit(s, run->facts.train_metric) -
                       tl_study_merit(s, run->facts.valid_metric);
    const tl_entry *e     = &s->entry[run->candidate];
    const char     *label = e->label;
    char            points[32];

    if (strcmp(fit, "severe") == 0 || strcmp(fit, "mild") == 0)
        tl_reason(list,
            "%s overfits (%s): %s better on rows it was trained on than on "
            "validation; more data%s would help.",
            label, fit, tl_study_gap(s, gap, points),
            !tl_entry_trained(e)                ? ""
            : s->data->schema || s->data->text ? " or a smaller network"
                                               : " or stronger augmentation");
    if (strcmp(fit, "underfit") == 0)
        tl_reason(list, "%s underfits: it does not even learn its training rows well; %s.",
            label, tl_entry_trained(e) ? "more epochs or a larger network would help"
                                       : "a network that is trained may learn more");
}

static void say_search(const tl_study *s, json_t *list)
{
    tl_study_race_words(s, list);
    if (s->trials > 1) return;
    if (s->folds)
        tl_reason(list, "Settings are each route's own: with so few rows, none are to spare for "
                  "choosing others.");
    else
        tl_reason(list,
            "Settings are each route's own; the budget left no room to search others.");
}

static void say_baseline(const tl_study *s, const tl_judged *j, json_t *list)
{
    const int           place = tl_study_best_of(s, j, TL_BASELINE);
    const tl_study_run *run = place >= 0 ? tl_study_best_run(s, j->entry[place]) : NULL;
    const char         *detail = run ? run->facts.text : NULL;

    if (detail) tl_reason(list, "The classical baseline is %s.", detail);
}

/* How often the first two really disagreed, over the seeds they share. */
static double disagreement(const tl_study *s, const tl_judged *j, int a, int b)
{
    const int64_t rows  = s->test.count;
    const int     seeds = TL_MIN(j->seeds[a], j->seeds[b]);
    double        sum   = 0.0;

    for (int k = 0; k < seeds; k++)
        sum += tl_discordance(j->label, j->predicted + (a * j->most + k) * rows,
                              j->predicted + (b * j->most + k) * rows, rows);
    return seeds > 0 ? sum / seeds : NAN;
}

static void say_detectable(const tl_study *s, const tl_judged *j, json_t *list)
{
    const tl_decision *d = &j->decision;

    if (isfinite(s->detectable))
        tl_reason(list,
            "Said before anything ran: differences below about %.1f points cannot be "
            "told apart with %" PRId64 " test rows.",
            100.0 * s->detectable, s->test.count);
    if (isfinite(s->detectable) && isfinite(d->detectable) && d->runner_up >= 0)
        tl_reason(list,
            "As measured, it was about %.1f points: the first two disagreed on %.0f %% of "
            "the test rows (%.0f %% was assumed).",
            100.0 * d->detectable,
            100.0 * disagreement(s, j, d->winner, d->runner_up),
            100.0 * TL_STUDY_DISCORDANCE);
}

static void say_ways(const tl_study *s, const tl_judged *j, json_t *list)
{
    const int own = tl_study_best_of(s, j, TL_ANEW), based = tl_study_best_of(s, j, TL_FROM_BASE);
    const int plain = tl_study_best_of(s, j, TL_BASELINE), net = based >= 0 ? based : own;

    say_gap(s, j, list, based, own, "What the pretrained network brings");
    say_gap(s, j, list, net, plain, "What a network brings over the classical baseline");
    tl_study_curve_words(s, j, list);
    tl_study_shifted_words(s, j, list);
    tl_study_groups_words(s, j, list);
    tl_study_labels_words(s, j, list);
    tl_study_calibration_words(s, j, list);
    say_baseline(s, j, list);
}

json_t *tl_study_reasons(tl_study *s, const tl_judged *j)
{
    json_t *list = json_array();

    if (s->update.model) tl_update_reasons(s, j, list);
    tl_reason(list, "%s", j->decision.why);
    if (!s->update.model) say_ways(s, j, list);
    say_fit(s, j, list);
    say_search(s, list);
    if (s->folds)
        tl_reason(list,
            "With %" PRId64
            " rows, each was tested once in %d folds by models that had not "
            "seen it; best/ is the model of one fold, scored on that fold alone (winner.test).",
            s->test.count, s->folds);
    say_detectable(s, j, list);
    tl_study_looks_words(s, list);
    tl_study_left_out_words(s, list);
    return list;
}
