/* update_words.c -- the answer to "what becomes of the model in use": what to do in
 * one sentence, what counts, whether the data have drifted, what is forgotten.  Floor
 * 4, study. */
#include "study/update.h"
#include "core/io.h"
#include "core/text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* "fine-tune the model on old and new data together" */
static void say_action(const tl_study *s, const tl_entry *e, char text[200])
{
    const tl_route *route = e->c.route;
    const bool      both  = e->learn == TL_LEARN_ALL && s->update.rest.count > 0;
    const char     *at    = strchr(route->update, '@');
    const char     *rows  = both ? "old and new data together" : "the new data";

    if (e->base > 0)
        snprintf(text, 200, "retrain the model from %.100s on %s",
                 tl_path_name(s->base[e->base]->path), rows);
    else if (at)
        snprintf(text, 200, "%.*s%s%s", (int)(at - route->update), route->update, rows,
                 at + 1);
    else
        snprintf(text, 200, "%s", route->update);
    text[0] = (char)toupper((unsigned char)text[0]);
}

/* "91.3 % right", "RMSE 0.81" */
static const char *say_result(const tl_study *s, double mean, char text[96])
{
    const tl_metric *m = tl_study_metric_of(s);
    char             score[32];

    tl_study_score(s, mean, score);
    if (m->percent)
        snprintf(text, 96, "%s %s", score, m->words);
    else
        snprintf(text, 96, "%s %s", m->words, score);
    return text;
}

/* "+12.4 points (95 % interval 9.1 to 15.2)" */
static const char *say_change(const tl_study *s, tl_interval i, char text[96])
{
    const bool   percent = tl_study_metric_of(s)->percent;
    const double times   = percent ? 100.0 : 1.0;

    if (!isfinite(i.mean))
        snprintf(text, 96, "a change that is not known");
    else if (percent)
        snprintf(text, 96, "%+.1f points (95 %% interval %+.1f to %+.1f)", times * i.mean,
                 times * i.low, times * i.high);
    else
        snprintf(text, 96, "%+.3g (95 %% interval %+.3g to %+.3g)", i.mean, i.low,
                 i.high);
    return text;
}

static int count_forgetting(const tl_study *s)
{
    int count = 0;

    for (int i = 0; i < s->entries; i++) count += s->update.result[i].forgets;
    return count;
}

static void sentence_of_kept(const tl_study *s, const tl_judged *j, char *text,
                             size_t room)
{
    const tl_decision *d = &j->decision;
    char               result[96], gap[32];

    say_result(s, d->test[d->winner].mean, result);
    if (j->count == 1 && count_forgetting(s) == 0)
        snprintf(text, room,
                 "Keep the model as it is: nothing else could be tried (the model is "
                 "%s on new data).",
                 result);
    else if (j->count == 1)
        snprintf(text, room,
                 "Keep the model as it is: every retraining that was tried forgets "
                 "too much of the old data (the model is %s on the new).",
                 result);
    else if (d->outcome == TL_BETTER)
        snprintf(text, room,
                 "Keep the model as it is: retraining was shown to be worse on the new "
                 "data, where the model is %s.",
                 result);
    else if (d->outcome == TL_TIE)
        snprintf(text, room,
                 "Keep the model as it is: retraining brings less than %s on the new "
                 "data, where the model is %s.",
                 tl_study_gap(s, s->margin, gap), result);
    else
        snprintf(text, room,
                 "Keep the model as it is, for now: no retraining was shown to be "
                 "better on the new data, where the model is %s.",
                 result);
}

/* Few seeds may leave open what a single pair seems to say. */
static bool is_sure(const tl_study *s, const tl_judged *j)
{
    const bool pair = tl_judged_place(j, tl_update_kept(s)) >= 0;

    return tl_update_beats(s, j->entry[j->decision.winner]) &&
           (!pair || j->decision.outcome == TL_BETTER);
}

void tl_update_sentence(const tl_study *s, const tl_judged *j, char *text, size_t room)
{
    const int entry = j->entry[j->decision.winner], kept = tl_update_kept(s);
    const tl_update_result *r = &s->update.result[entry], *was = &s->update.result[kept];
    char                    action[200], result[96], score[3][32];
    size_t                  told;

    if (entry == kept) {
        sentence_of_kept(s, j, text, room);
        return;
    }
    say_action(s, &s->entry[entry], action);
    snprintf(text, room,
             "%s (route %s)%s: %s on new test rows, where the model as it is gets %s.",
             action, s->entry[entry].c.route->name, is_sure(s, j) ? "" : ", for now",
             say_result(s, r->test.mean, result),
             tl_study_score(s, was->test.mean, score[0]));
    told = strlen(text);
    if (isfinite(r->old.mean))
        snprintf(text + told, room - told, " On old ones it gets %s, as it is %s.",
                 tl_study_score(s, r->old.mean, score[1]),
                 tl_study_score(s, was->old.mean, score[2]));
}

/* Of two, one of them the model as it is, the comparison's own words say too little. */
static void why_of_pair(const tl_study *s, tl_judged *j, const char *chosen)
{
    tl_decision *d    = &j->decision;
    const bool   kept = j->entry[d->winner] == tl_update_kept(s);
    char         gap[32];

    if (d->outcome == TL_BETTER)
        snprintf(
            d->why, sizeof d->why,
            "Validation chose %s, and on the new test rows it is %s than the model as "
            "it is by more than chance explains (p = %.2g).",
            chosen, kept ? "worse" : "better", d->p);
    if (d->outcome == TL_TIE)
        snprintf(
            d->why, sizeof d->why,
            "Validation chose %s, and on the new test rows it differs from the model as "
            "it is by less than the margin of %s (90 %% interval).",
            chosen, tl_study_gap(s, s->margin, gap));
}

void tl_update_why(const tl_study *s, tl_judged *j)
{
    const int kept = tl_update_kept(s), place = tl_judged_place(j, kept);
    char      why[sizeof j->decision.why];

    if (place >= 0 && j->count == 2) {
        why_of_pair(s, j, s->entry[j->entry[1 - place]].label);
        return;
    }
    if (place >= 0) return;
    snprintf(why, sizeof why, "Of the ways that beat the model as it is: %.450s",
             j->decision.why);
    memcpy(j->decision.why, why, sizeof why);
}

static void rule_of(const tl_study *s, char *text, size_t room)
{
    char gap[32];

    if (s->update.test.count)
        snprintf(
            text, room,
            "What counts: what is shown to lose more than %s on the old data's "
            "test rows against the model as it is cannot win; of the rest validation "
            "chooses "
            "one, and the new data's test rows say whether it beats the model as it is.",
            tl_study_gap(s, s->update.forget, gap));
    else
        snprintf(text, room,
                 "What counts: validation chooses one way of training again, and the "
                 "new data's test rows say whether it beats the model as it is; no old "
                 "data were "
                 "given (--old), so what is forgotten is not known.");
}

/* Is the new data harder than the old?  Without old rows: than when the model was
 * made. */
static void say_drift(const tl_study *s, json_t *list)
{
    const tl_update_result *r    = &s->update.result[tl_update_kept(s)];
    const double            made = tl_json_number(
                   json_object_get(s->update.model->provenance, "metrics"), "test", NAN);
    char score[3][32];

    if (isfinite(r->old.mean)) {
        const bool apart = r->test.low > r->old.high || r->old.low > r->test.high;
        const bool worse =
            tl_study_merit(s, r->test.mean) < tl_study_merit(s, r->old.mean);
        tl_reason(
            list,
            "As it is, the model reaches %s on new test rows and %s on old ones: %s.",
            tl_study_score(s, r->test.mean, score[0]),
            tl_study_score(s, r->old.mean, score[1]),
            !apart  ? "their intervals overlap, so no drift is shown"
            : worse ? "the new data are harder for it (drift)"
                    : "the new data are easier for it");
        return;
    }
    if (strcmp(tl_json_text(s->update.model->provenance, "metric", ""), s->metric) != 0)
        return;
    tl_reason(
        list,
        "As it is, the model reaches %s [%s, %s] on new test rows; %s when it was made.",
        tl_study_score(s, r->test.mean, score[0]),
        tl_study_score(s, r->test.low, score[1]),
        tl_study_score(s, r->test.high, score[2]),
        tl_study_score(s, made, (char[32]){ 0 }));
}

static void say_winner(const tl_study *s, const tl_judged *j, json_t *list)
{
    const int               entry = j->entry[j->decision.winner];
    const tl_update_result *r     = &s->update.result[entry];
    char                    change[2][96];

    if (entry == tl_update_kept(s)) return;
    tl_reason(list, "%s against the model as it is: %s on new test rows%s%s.",
              s->entry[entry].label, say_change(s, r->gain, change[0]),
              isfinite(r->change.mean) ? "; on old ones " : "",
              isfinite(r->change.mean) ? say_change(s, r->change, change[1]) : "");
}

/* The best of what was tried, whatever it forgets; -1: nothing but the model as it is. */
static int best_change(const tl_study *s)
{
    int best = -1;

    for (int i = 0; i < s->entries; i++) {
        const double v = tl_study_merit(s, s->update.result[i].test.mean);
        if (i == tl_update_kept(s) || !isfinite(v)) continue;
        if (best < 0 || v > tl_study_merit(s, s->update.result[best].test.mean)) best = i;
    }
    return best;
}

static void say_best_change(const tl_study *s, const tl_judged *j, json_t *list)
{
    const int best = best_change(s);
    char      score[32], change[2][96];

    if (best < 0 || best == j->entry[j->decision.winner]) return;
    const tl_update_result *r = &s->update.result[best];
    tl_reason(list, "The highest score on new test rows is that of %s: %s, %s%s%s%s.",
              s->entry[best].label, tl_study_score(s, r->test.mean, score),
              say_change(s, r->gain, change[0]),
              isfinite(r->change.mean) ? "; on old ones " : "",
              isfinite(r->change.mean) ? say_change(s, r->change, change[1]) : "",
              r->forgets ? ", which is too much to lose" : "");
}

void tl_update_reasons(const tl_study *s, const tl_judged *j, json_t *list)
{
    char rule[400];

    rule_of(s, rule, sizeof rule);
    tl_reason(list, "%s", rule);
    say_drift(s, list);
    say_winner(s, j, list);
    say_best_change(s, j, list);
}

static json_t *change_json(tl_interval i, double p)
{
    json_t *v = tl_interval_json(i);

    if (json_is_object(v)) json_object_set_new(v, "p", tl_json_real(p));
    return v;
}

void tl_update_candidate_json(const tl_study *s, int entry, json_t *c)
{
    static const tl_interval none    = { NAN, NAN, NAN };
    const tl_update_result   nothing = { none, none, none, none, NAN, NAN, false };
    const tl_update_result  *r = s->update.result ? &s->update.result[entry] : &nothing;

    if (json_is_null(json_object_get(c, "test")))
        json_object_set_new(c, "test", tl_interval_json(r->test));
    json_object_set_new(c, "gain", change_json(r->gain, r->gain_p));
    json_object_set_new(c, "old", tl_interval_json(r->old));
    json_object_set_new(c, "change", change_json(r->change, r->change_p));
    json_object_set_new(
        c, "forgets", isfinite(r->change.mean) ? json_boolean(r->forgets) : json_null());
}

void tl_update_json(const tl_study *s, const tl_judged *j, json_t *v)
{
    const tl_study_update *u = &s->update;
    char                   text[900];

    tl_update_sentence(s, j, text, sizeof text);
    json_object_set_new(v, "sentence", json_string(text));
    rule_of(s, text, sizeof text);
    json_object_set_new(v, "rule", json_string(text));
    json_object_set_new(
        v, "model",
        json_pack("{s:s, s:s}", "path", u->model->path, "sha256", u->model->sha256));
    json_object_set_new(v, "old",
                        u->test.count == 0
                            ? json_null()
                            : json_pack("{s:s, s:I, s:I, s:s, s:b, s:f}", "path",
                                        s->q->data.old, "train",
                                        (json_int_t)u->rest.count, "test",
                                        (json_int_t)u->test.count, "sha256", u->sha256[1],
                                        "unsure", (int)u->unsure, "forget", u->forget));
}
