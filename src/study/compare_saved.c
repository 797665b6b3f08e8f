/* compare_saved.c -- what a comparison saved against training every setting of every route alone,
 * with as many seeds as the first look takes, each with its own loading and its own features;
 * and what a small budget left out.  What was spent is measured; what was not spent is estimated
 * from what like work took, and says so.  Floor 4, study. */
#include "core/text.h"
#include "study/update.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ALONE_SEEDS = 3 };

/* Of one candidate's runs. */
typedef struct {
    double seconds, flops; /* of all of them */
    double whole_s;        /* of one from front to back; 0: not known */
    int    runs, whole, whole_chosen;
} spent;

static spent spent_of(const tl_study *s, int candidate)
{
    spent  t    = { 0 };
    double done = 0.0, in = 0.0; /* whole runs' worth that ran, and their seconds */

    for (int i = 0; i < s->runs; i++) {
        const tl_study_run *r = &s->run[i];
        if (r->candidate != candidate || r->facts.failed) continue;
        const bool whole = tl_run_whole(r);
        t.seconds += r->facts.seconds;
        t.flops += r->facts.flops;
        t.runs++;
        t.whole += whole;
        t.whole_chosen += whole && r->trial == s->entry[candidate].chosen;
        done += whole ? 1.0 : r->facts.share;
        in += r->facts.seconds;
    }
    if (done > 0.0) t.whole_s = in / done;
    return t;
}

/* What its settings' runs that did not take place, or not to their end, would have taken.  Seeds
 * that only the budget forbade were not saved. */
static double stopping_of(const tl_study *s, int candidate, int seeds)
{
    const tl_entry *e     = &s->entry[candidate];
    const spent     t     = spent_of(s, candidate);
    const int       k     = tl_study_slices(s);
    double          sum   = 0.0;

    if (t.runs == 0) return 0.0;
    for (int i = 0; i < s->runs; i++)
        if (s->run[i].candidate == candidate && tl_run_halted(&s->run[i]))
            sum += (1.0 - s->run[i].facts.share) * t.whole_s;
    sum += (e->trials - 1) * TL_MAX(0, seeds - tl_study_draws(s)) * k * t.whole_s;
    if (e->stopped && t.whole_chosen < seeds * k)
        sum += (seeds * k - TL_MAX(k, t.whole_chosen)) * t.whole_s;
    return sum;
}

/* What a pass over all rows took, by whichever entry it was noted. */
static double pass_seconds(const tl_study *s, int pass)
{
    double sum = 0.0;

    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].base >= 0 && tl_entry_pass(&s->entry[i]) == pass)
            sum += tl_json_number(json_object_get(s->shared, s->entry[i].label), "seconds", 0.0);
    return sum;
}

/* Features of a base that were not made again: for a candidate's other runs, and for others. */
static void add_features(const tl_study *s, int which, double *caching, double *sharing)
{
    const double pass = pass_seconds(s, which);
    const double one  = pass * (double)(s->train_rows + s->valid_rows) / (double)s->data->rows;
    double       uses = 0.0, users = 0.0;

    if (!(pass > 0.0) || s->features[which].bytes == 0) return;
    for (int i = 0; i < s->entries; i++) {
        if (!tl_entry_uses_features(&s->entry[i]) || tl_entry_pass(&s->entry[i]) != which)
            continue;
        const spent t = spent_of(s, i);
        uses += t.runs;
        users += t.runs > 0;
    }
    const double among = fmax(0.0, users - 1.0) * one;
    *sharing += among;
    *caching += fmax(0.0, uses * one - pass - among);
}

/* So much of the key says all but the rows; with the comma, as "bf16" is not "bf16 of nf4". */
static size_t like(const tl_entry *e)
{
    const char *rows = strrchr(e->kept, ',');

    return rows ? (size_t)(rows - e->kept) + 1 : 0;
}

/* What frozen blocks put out and was not made again: for this candidate's other runs, and for those
 * of candidates behind it that ask for the same. */
static void add_kept(const tl_study *s, int first, double *caching, double *sharing)
{
    const tl_entry *e    = &s->entry[first];
    const size_t    n    = like(e);
    double          pass = 0.0, made = 0.0, uses = 0.0, users = 0.0;
    const char     *key;
    json_t         *cost;

    for (int i = 0; i < first; i++)
        if (n > 0 && strncmp(s->entry[i].kept, e->kept, n) == 0) return;
    json_object_foreach(s->passes, key, cost) if (n > 0 && strncmp(key, e->kept, n) == 0)
    {
        pass += tl_json_number(cost, "seconds", 0.0);
        made += 1.0;
    }
    if (!(made > 0.0)) return;
    for (int i = first; i < s->entries; i++) {
        if (strncmp(s->entry[i].kept, e->kept, n) != 0) continue;
        const spent t = spent_of(s, i);
        uses += t.runs;
        users += t.runs > 0;
    }
    const double among = fmax(0.0, users - 1.0) * pass;
    *sharing += among;
    *caching += fmax(0.0, uses * pass / made - pass - among);
}

/* Frozen blocks below a cut that were not gone through in every epoch. */
static tl_status add_prefix(tl_ctx *ctx, tl_study *s, int candidate, double *caching)
{
    tl_entry   *e = &s->entry[candidate];
    const spent t = spent_of(s, candidate);
    double      more;
    tl_status   rc = TL_OK;

    if (t.runs == 0 || !e->trial[0].cached || !tl_entry_trained(e) || !(e->need.flops > 0.0))
        return TL_OK;
    TL_TRY(tl_study_uncached_flops(ctx, s, e, &more));
    const double kept = tl_study_has_kept(s, e) ? e->need.kept_flops : 0.0; /* by none of them */
    *caching += fmax(0.0, more - e->need.flops) * e->s_per_flop * t.flops /
                fmax(1.0, e->need.flops - kept);
done:
    return rc;
}

/* Of one run alone: its data, its base, and the texts that are its own. */
static double loading_of(const tl_study *s, const tl_entry *e)
{
    return s->data_s + (e->c.base ? s->bases_s / TL_MAX(1, s->bases) : 0.0) +
           s->views_s / TL_MAX(1, s->views);
}

tl_status tl_study_count_saved(tl_ctx *ctx, tl_study *s)
{
    const int    seeds  = TL_MIN(s->q->seeds > 0 ? s->q->seeds : ALONE_SEEDS, ALONE_SEEDS);
    const double loaded = s->data_s + s->bases_s + s->views_s;
    double    caching = 0.0, sharing = 0.0, stopping = 0.0, taken = 0.0, loading = 0.0;
    int       runs = 0, alone = 0;
    tl_status rc = TL_OK;

    for (int i = 0; i < s->entries; i++) {
        const tl_entry *e = &s->entry[i];
        const spent     t = spent_of(s, i);
        if (t.runs == 0) continue;
        taken += t.seconds +
                 tl_json_number(json_object_get(s->shared, e->label), "seconds", 0.0) +
                 tl_study_passes_seconds(s, e->label);
        runs += t.runs;
        loading += t.runs * loading_of(s, e);
        alone += TL_MAX(e->trials * seeds * tl_study_slices(s), t.runs);
        stopping += stopping_of(s, i, seeds);
        TL_TRY(add_prefix(ctx, s, i, &caching));
        add_kept(s, i, &caching, &sharing);
    }
    for (int i = 0; i < 2 * s->bases; i++) add_features(s, i, &caching, &sharing);
    sharing += fmax(0.0, loading - loaded);
    json_decref(s->saved);
    s->saved = json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:f}", "runs", runs, "alone_runs", alone,
                         "runs_seconds", taken, "alone_seconds",
                         taken + loaded + caching + sharing + stopping, "caching", caching,
                         "sharing", sharing, "stopping", stopping);
    if (!s->saved) TL_FAIL(TL_ENOMEM, "compare", "no memory for an account");
done:
    return rc;
}

static bool was_searched(const tl_study *s)
{
    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].trials > 1) return true;
    return false;
}

static bool could_be_searched(const tl_study *s)
{
    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].active && tl_entry_searched(&s->entry[i])) return !s->folds;
    return false;
}

int tl_study_not_run(const tl_study *s)
{
    int out = 0;

    for (int i = 0; i < s->entries; i++)
        out += s->entry[i].status && strcmp(s->entry[i].status, "not-run") == 0;
    return out;
}

json_t *tl_study_left_out_json(const tl_study *s)
{
    const double share = tl_json_number(s->plan, "share", 1.0);
    const int    asked = s->q->seeds > 0 ? s->q->seeds : TL_STUDY_SEEDS;
    json_t      *list  = json_array();
    const int    out   = tl_study_not_run(s);
    int          seeds = 0;

    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].finalist && !(s->update.model && tl_entry_is_kept(&s->entry[i])))
            seeds = TL_MAX(seeds, tl_study_repeats(s, i, s->entry[i].chosen));
    if (out)
        tl_reason(list, "%d of %d candidates were not run (the table says why)", out, s->entries);
    if (share < 1.0)
        tl_reason(list, "trained routes had %.0f %% of their usual epochs", 100.0 * share);
    if (!was_searched(s) && could_be_searched(s) && !tl_study_settled(s))
        tl_reason(list, "no rates and decays were tried beside each route's own");
    if (s->curve.too_dear)
        tl_reason(list, "no learning curve, so that nothing is said of more or less data");
    if (seeds > 0 && seeds < TL_MIN(3, asked))
        tl_reason(list, "the best had %d %s; a win needs four of them", seeds,
                  tl_plural(seeds, "seed", "seeds"));
    return list;
}

void tl_study_left_out_words(const tl_study *s, json_t *reasons)
{
    json_t *list = tl_study_left_out_json(s), *text;
    char    all[600] = "";
    size_t  i, n = 0;

    json_array_foreach(list, i, text) if (n < sizeof all - 1)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? "; " : "",
                              json_string_value(text));
    if (*all)
        tl_reason(reasons, "The budget was spent on what tells most.  Left out: %.500s.", all);
    json_decref(list);
}
