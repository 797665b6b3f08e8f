/* verdict_curve.c -- the learning curve in verdict.json, in words, and for the report's figure.
 * What lies beyond four times the rows at hand is marked, beyond ten times it is not said.
 * Floor 4, study. */
#include "core/text.h"
#include "study/compare_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const tl_entry *entry_of(const tl_study *s, int route)
{
    return &s->entry[s->curve.entry[route]];
}

/* The sizes of a route whose runs did not fail, in the order of fit.point. */
static int64_t size_of(const tl_study *s, int route, int point)
{
    for (int k = 0, seen = 0; k < s->curve.sizes; k++) {
        if (tl_study_part_repeats(s, s->curve.entry[route], s->curve.rows[k]) == 0) continue;
        if (seen++ == point) return s->curve.rows[k];
    }
    return 0;
}

/* Errors' signs are turned back where less is better. */
static tl_interval score_of(const tl_study *s, tl_interval i)
{
    return tl_study_metric_of(s)->higher ? i : (tl_interval){ -i.mean, -i.high, -i.low };
}

static json_t *rounded(double rows)
{
    return isfinite(rows) ? json_integer((json_int_t)llround(rows)) : json_null();
}

static json_t *rows_json(tl_interval i)
{
    if (!isfinite(i.low) || !isfinite(i.high)) return json_null();
    return json_pack("[o, o]", rounded(i.low), rounded(i.high));
}

void tl_study_curve_json(const tl_study *s, const tl_judged *j, json_t *verdict)
{
    const tl_curve_result *c    = &j->curve;
    const bool             some = s->curve.sizes > 0;
    json_t                *list = json_array();

    for (int i = 0; some && i < s->curve.routes; i++)
        for (int k = 0; size_of(s, i, k) > 0; k++) {
            json_t *point = tl_interval_json(score_of(s, c->fit[i].point[k]));
            json_object_set_new(point, "route", json_string(entry_of(s, i)->c.route->name));
            json_object_set_new(point, "examples",
                                json_integer((json_int_t)size_of(s, i, k)));
            json_array_append_new(list, point);
        }
    json_object_set_new(verdict, "curve", list);
    json_object_set_new(verdict, "crossover",
                        some && isfinite(c->crossover.mean)
                            ? json_pack("{s:o, s:o}", "examples", rounded(c->crossover.mean),
                                        "ci95", rows_json(c->crossover))
                            : json_null());
    json_object_set_new(verdict, "pretraining_worth_examples",
                        some ? rounded(c->worth.mean) : json_null());
}

/* "12,000 [9,000 to 20,000]" */
static const char *say_rows(tl_interval i, char text[96])
{
    char rows[3][32];

    tl_say_count((int64_t)llround(i.mean), rows[0]);
    tl_say_count((int64_t)llround(i.low), rows[1]);
    if (!isfinite(i.high)) snprintf(text, 96, "%s (at least %s)", rows[0], rows[1]);
    else
        snprintf(text, 96, "%s [%s to %s]", rows[0], rows[1],
                 tl_say_count((int64_t)llround(i.high), rows[2]));
    return text;
}

static void say_crossover(const tl_study *s, const tl_judged *j, json_t *list)
{
    const tl_interval x     = j->curve.crossover;
    const char       *based = entry_of(s, s->curve.base)->label,
                     *anew  = entry_of(s, s->curve.scratch)->label;
    const double      now   = (double)s->train_rows, times = x.mean / now;
    char              rows[96], low[32];

    if (isinf(x.mean) && isinf(x.low))
        tl_reason(list, "%s would not reach %s within ten times the training rows.", anew, based);
    else if (isinf(x.mean))
        tl_reason(list,
            "%s would hardly reach %s within ten times the training rows; %s rows are the "
            "earliest that the curve allows.",
            anew, based, tl_say_count((int64_t)llround(x.low), low));
    else if (x.mean <= (double)s->curve.rows[0])
        tl_reason(list, "%s is as good as %s on all amounts of data that were tried, from %s rows.",
            anew, based, tl_say_count(s->curve.rows[0], low));
    else
        tl_reason(list, "%s reaches %s at about %s training rows%s.", anew, based,
            say_rows(x, rows), times > 4.0 ? "; that is far beyond what was measured" : "");
}

static void say_worth(const tl_study *s, const tl_judged *j, json_t *list)
{
    const tl_interval w = j->curve.worth;
    char              rows[96];

    if (isinf(w.mean))
        tl_reason(list, "The base is worth more than nine times your training rows: so many "
                  "would not bring %s as far.",
            entry_of(s, s->curve.scratch)->label);
    else if (w.mean >= 1.0)
        tl_reason(list, "The base is worth about %s more training rows.", say_rows(w, rows));
}

/* "0.8 points" as "0.8", where the unit was said. */
static const char *without_unit(char *text)
{
    text[strcspn(text, " ")] = '\0';
    return text;
}

static void say_gain(const tl_study *s, const tl_judged *j, json_t *list)
{
    const tl_decision *d = &j->decision;

    for (int i = 0; i < s->curve.routes; i++) {
        const tl_interval g = j->curve.fit[i].gain;
        char              text[3][32];
        if (s->curve.entry[i] != j->entry[d->winner] || !isfinite(g.mean)) continue;
        tl_reason(list, "1,000 more labels would bring %s about %s (%s to %s).",
            entry_of(s, i)->label, tl_study_gap(s, g.mean, text[0]),
            without_unit(tl_study_gap(s, g.low, text[1])),
            without_unit(tl_study_gap(s, g.high, text[2])));
    }
}

void tl_study_curve_words(const tl_study *s, const tl_judged *j, json_t *list)
{
    if (s->curve.sizes == 0) {
        tl_reason(list, "How the answer changes with the amount of data was not measured: %s.",
            s->train_rows < 100 ? "the training rows are too few to be halved"
                                : "the budget left no room");
        return;
    }
    if (s->curve.base >= 0 && s->curve.scratch >= 0 &&
        s->curve.base < s->curve.routes && s->curve.scratch < s->curve.routes) {
        if (isnan(j->curve.crossover.mean))
            tl_reason(list, "No law was found that foretells the largest amount of data from the "
                      "smaller ones: where scratch would catch up is not known.");
        else {
            say_crossover(s, j, list);
            say_worth(s, j, list);
        }
    }
    say_gain(s, j, list);
}

json_t *tl_study_curve_detail(const tl_study *s, const tl_judged *j)
{
    json_t *routes = json_array(), *ahead = json_array();

    if (s->curve.sizes == 0) {
        json_decref(routes);
        json_decref(ahead);
        return json_null();
    }
    for (int i = 0; i < s->curve.routes; i++) {
        const tl_curve_fit *f      = &j->curve.fit[i];
        json_t             *points = json_array();
        for (int k = 0; size_of(s, i, k) > 0; k++) {
            json_t *point = tl_interval_json(score_of(s, f->point[k]));
            json_object_set_new(point, "rows", json_integer((json_int_t)size_of(s, i, k)));
            json_object_set_new(point, "repeats",
                                json_integer(tl_study_part_repeats(s, s->curve.entry[i],
                                                                   size_of(s, i, k))));
            json_array_append_new(points, point);
        }
        json_array_append_new(
            routes, json_pack("{s:i, s:b, s:{s:f, s:f, s:f}, s:o, s:o, s:o}", "candidate",
                              s->curve.entry[i], "found", (int)f->found, "law", "a", f->law.a,
                              "b", f->law.b, "c", f->law.c, "missed",
                              tl_interval_json(f->missed), "gain", tl_interval_json(f->gain),
                              "points", points));
    }
    for (int t = 0; t < TL_CURVE_TIMES; t++)
        json_array_append_new(ahead, json_pack("{s:f, s:o}", "times", tl_curve_times[t],
                                               "p", tl_json_real(j->curve.ahead[t])));
    return json_pack("{s:I, s:o, s:o, s:i, s:i}", "now", (json_int_t)s->train_rows, "routes",
                     routes, "ahead", ahead, "base",
                     s->curve.base < s->curve.routes ? s->curve.base : -1, "scratch",
                     s->curve.scratch < s->curve.routes ? s->curve.scratch : -1);
}
