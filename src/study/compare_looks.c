/* compare_looks.c -- looks at the test part on the way to more seeds: how many there may be and
 * at which numbers of seeds is fixed by budget and --seeds alone, before the first; each has its
 * share of alpha (stats_looks.c). The first spends nothing: there only a tie, or that more seeds
 * would hardly decide, ends the study. Floor 4, study. */
#include "core/text.h"
#include "study/compare_internal.h"

#include <stdio.h>
#include <string.h>

static const double ALPHA = 0.05;

/* The level of the look that comes now, `last` of them or not. */
static double level_now(const tl_study *s, int seeds, int most, bool last)
{
    double time[TL_MOST_LOOKS + 1], level[TL_MOST_LOOKS + 1];

    for (int i = 0; i < s->looks; i++) time[i] = (double)s->look[i].seeds / most;
    time[s->looks] = last ? 1.0 : (double)seeds / most;
    /* The last of `count` times is 1 for tl_look_levels: one more stands for what may follow. */
    time[s->looks + 1] = 1.0;
    tl_look_levels(time, s->looks + (last ? 1 : 2), s->looks > 0 || !last, ALPHA, level);
    return level[s->looks];
}

static const char *why_it_ends(const tl_decision *d, bool last)
{
    if (d->outcome == TL_TIE) return "tie";
    if (d->outcome == TL_BETTER) return "better";
    return last ? "last" : d->futile ? "futile" : NULL;
}

static void say_look(tl_study *s, const tl_study_look *look)
{
    const char *end = look->ends ? look->ends : "";

    tl_study_say(s, "test part, look %d, after %d %s: %s", s->looks, look->seeds,
                 tl_plural(look->seeds, "seed", "seeds"),
                 strcmp(end, "tie") == 0      ? "the best are equal within the margin"
                 : strcmp(end, "better") == 0 ? "one is better than all others"
                 : strcmp(end, "futile") == 0 ? "open, and more seeds would hardly decide it"
                 : strcmp(end, "last") == 0   ? "open, and no more seeds are to come"
                                              : "open, more seeds follow");
}

tl_status tl_study_take_look(tl_ctx *ctx, tl_study *s, int seeds, int most, bool last,
                             bool *ends)
{
    tl_status rc;
    tl_judged j = { 0 };

    *ends = last;
    /* An update holds old rows against a candidate as well, and is judged once, at the end. */
    if (s->looks == TL_MOST_LOOKS || s->update.model) return TL_OK;
    s->level = level_now(s, seeds, most, last);
    TL_TRY(tl_study_weigh(ctx, s, &j));
    tl_study_look *look = &s->look[s->looks++];
    *look = (tl_study_look){ seeds, s->level, (int)j.decision.outcome,
                             why_it_ends(&j.decision, last) };
    *ends = look->ends != NULL;
    say_look(s, look);
done:
    tl_judged_free(ctx, &j);
    return rc;
}

json_t *tl_study_looks_json(const tl_study *s)
{
    json_t *list = json_array();

    for (int i = 0; i < s->looks; i++)
        json_array_append_new(
            list, json_pack("{s:i, s:f, s:s, s:o}", "seeds", s->look[i].seeds, "level",
                            s->look[i].level, "outcome", tl_outcome_name(s->look[i].outcome),
                            "ends", s->look[i].ends ? json_string(s->look[i].ends)
                                                    : json_null()));
    return list;
}

void tl_study_looks_words(const tl_study *s, json_t *reasons)
{
    char   at[80] = "";
    size_t n      = 0;

    for (int i = 0; i < s->looks; i++)
        n += (size_t)snprintf(at + n, sizeof at - n, "%s%d",
                              i == 0              ? ""
                              : i == s->looks - 1 ? " and "
                                                  : ", ",
                              s->look[i].seeds);
    if (s->looks > 1)
        tl_reason(reasons,
                  "The test part was looked at %d times, after %s seeds, as fixed beforehand; "
                  "that chance had more than one turn is counted in (Lan and DeMets).",
                  s->looks, at);
    if (s->looks > 0 && s->look[s->looks - 1].ends &&
        strcmp(s->look[s->looks - 1].ends, "futile") == 0)
        tl_reason(reasons,
                  "After %d seeds it was plain that more of them would hardly decide it, so "
                  "none were spent.",
                  s->look[s->looks - 1].seeds);
}
