/* compare_plan.c -- the plan: what will run, how long, in how much memory, and what it
 * can find out; made once, said before anything runs, kept in runs.db and read back by
 * a resumed comparison. Floor 4, study. */
#include "core/json.h"
#include "core/text.h"
#include "study/update.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLANNED_FINALISTS = 2, LEAST_SEEDS = 4 }; /* three never make a win */
/* Before anything ran: how often two good routes disagree, and how much a seed moves
 * one. */
static const double DISCORDANCE = TL_STUDY_DISCORDANCE, SEED_SD = 0.01;
static const double FOR_THE_REST =
    0.04; /* of the budget: test scoring, report            */
/* A budget that may grow does so in such steps, until so much of every schedule fits. */
static const double GROWTH = 1.25, ENOUGH = 0.6;

/* Everything that would make another plan: a resumed comparison must have asked the
 * same. */
static json_t *asked(const tl_study *s)
{
    json_t *a =
        json_pack("{s:s, s:s, s:f, s:f, s:I, s:i, s:i, s:I, s:I, s:s}", "data", s->sha256,
                  "metric", s->metric, "margin", s->margin, "budget", s->budget_s, "seed",
                  (json_int_t)s->q->seed, "seeds", s->q->seeds, "folds", s->folds,
                  "train_limit", (json_int_t)s->q->train_limit, "memory",
                  (json_int_t)s->q->memory_bytes, "dtype", tl_dtype_name(s->dtype));
    json_t *candidates = json_array();

    for (int i = 0; i < s->entries; i++)
        json_array_append_new(candidates, tl_candidate_to_json(&s->entry[i].c));
    json_object_set_new(a, "candidates", candidates);
    if (s->update.model) {
        json_object_set_new(a, "old", json_string(s->update.sha256[1]));
        json_object_set_new(a, "forget", tl_json_real(s->update.forget));
    }
    if (s->data->group_column)
        json_object_set_new(a, "group", tl_json_name(s->data->group_column));
    return a;
}

static json_t *entry_json(const tl_study *s, const tl_entry *e)
{
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:{s:o, s:o}}", "label", e->label, "route",
        e->c.route->name, "base", e->c.base ? json_string(e->c.base->path) : json_null(),
        "status", e->status ? json_string(e->status) : json_null(), "why",
        e->why[0] ? json_string(e->why) : json_null(), "forecast", "seconds",
        e->active ? tl_json_real(e->first_s * tl_study_slices(s)) : json_null(),
        "peak_bytes",
        e->active ? json_integer((json_int_t)e->need.peak_bytes) : json_null());
}

static json_t *plan_json(const tl_study *s, const tl_budget_plan *plan)
{
    json_t *candidates = json_array();

    for (int i = 0; i < s->entries; i++)
        json_array_append_new(candidates, entry_json(s, &s->entry[i]));
    return json_pack("{s:o, s:f, s:b, s:f, s:o, s:o}", "asked", asked(s), "share",
                     plan->share, "one_base", (int)plan->one_base, "budget", s->budget_s,
                     "minimum_detectable_difference", tl_json_real(s->detectable),
                     "candidates", candidates);
}

void tl_study_shorten(tl_hyper *h, double share)
{
    if (share >= 1.0) return;
    h->epochs *= share;
    h->pretrain_epochs *= share;
    h->teacher_epochs *= share;
    h->least_steps = (int64_t)ceil((double)h->least_steps * share);
    if (h->patience > 0.0) h->patience = fmax(2.0, ceil(h->patience * share));
}

/* The same share of the epochs for every trained candidate, said beforehand. */
static void shorten(tl_study *s, double share)
{
    if (share >= 1.0) return;
    for (int i = 0; i < s->entries; i++) {
        if (!tl_entry_trained(&s->entry[i])) continue;
        tl_study_shorten(&s->entry[i].trial[0], share);
        s->entry[i].c.hyper = s->entry[i].trial[0];
    }
    tl_study_warn(
        s,
        "The budget is short: every trained route gets %.0f %% of its usual epochs, "
        "the same share for all.  A larger --budget may change the verdict.",
        100.0 * share);
}

static int rival_of(const tl_study *s, int i)
{
    for (int j = 0; j < i && !s->update.model; j++) /* there one is no other's understudy */
        if (s->entry[j].c.route == s->entry[i].c.route) return j + 1;
    return i + 1;
}

/* True for the items whose whole route the plan leaves out. */
static void find_left_out(const tl_study *s, const tl_plan_item *item,
                          const tl_budget_plan *plan, bool out[TL_PLAN_ITEMS])
{
    bool skipped[TL_PLAN_ITEMS] = { false };

    tl_plan_skipped(item, s->entries, plan, skipped);
    for (int i = 0; i < s->entries; i++) {
        out[i] = skipped[i] && plan->left_out > 0;
        for (int k = 0; k < s->entries; k++)
            if (item[k].rival == item[i].rival && !skipped[k]) out[i] = false;
    }
}

static double for_runs(const tl_study *s, double budget_s)
{
    return budget_s * (1.0 - FOR_THE_REST) - s->used;
}

/* The least budget of those people name that leaves item i in; 0: none. */
static double budget_for(const tl_study *s, const tl_plan_item *item, int finalists, int i)
{
    static const double minutes[] = { 1,  2,  3,   5,   10,  15,  20,  30,  45,  60,
                                      90, 120, 180, 240, 360, 480, 720, 1440, 2880, 5760 };

    for (size_t k = 0; k < TL_COUNT(minutes); k++) {
        bool         out[TL_PLAN_ITEMS];
        const double budget_s = 60.0 * minutes[k];
        if (budget_s <= s->budget_s) continue;
        const tl_budget_plan plan =
            tl_plan_fit(item, s->entries, for_runs(s, budget_s), finalists);
        find_left_out(s, item, &plan, out);
        if (!out[i]) return budget_s;
    }
    return 0.0;
}

static void leave_out(tl_study *s, const tl_plan_item *item, const tl_budget_plan *plan,
                      int finalists)
{
    bool out[TL_PLAN_ITEMS];
    char seconds[2][32], enough[64];

    find_left_out(s, item, plan, out);
    for (int i = 0; i < s->entries; i++) {
        tl_entry *e = &s->entry[i];
        if (!out[i] || !e->active) continue;
        const int64_t minutes = (int64_t)(budget_for(s, item, finalists, i) / 60.0);
        e->active = false;
        e->status = "not-run";
        if (!minutes) snprintf(enough, sizeof enough, "give a larger --budget");
        else
            snprintf(enough, sizeof enough, "--budget %" PRId64 "%c runs it, if for fewer epochs",
                     minutes % 60 ? minutes : minutes / 60, minutes % 60 ? 'm' : 'h');
        snprintf(e->why, sizeof e->why,
                 "one run would take about %s, too long for the budget of %s (%s).",
                 tl_say_seconds(tl_study_run_seconds(s, e), seconds[0]),
                 tl_say_seconds(s->budget_s, seconds[1]), enough);
    }
}

/* Mixtures and parts are left out before what they are made of. */
static bool is_basic(const tl_route *route)
{
    return strcmp(route->decision, "hybrid") != 0 && route->phase[0].which != TL_TRAIN_TOP;
}

static void note_first_runs(tl_study *s)
{
    for (int i = 0; i < s->entries; i++)
        if (s->entry[i].active)
            s->entry[i].first_s = tl_study_first_seconds(s, &s->entry[i]);
}

/* What the plan goes by; *finalists: those it keeps seeds for. */
static void list_items(const tl_study *s, tl_plan_item *item, int *finalists)
{
    const double k     = tl_study_slices(s);
    int          count = 0;

    for (int i = 0; i < s->entries; i++) {
        const tl_entry *e = &s->entry[i];
        item[i]           = (tl_plan_item){ .rival   = rival_of(s, i),
                                            .trained = tl_entry_trained(e),
                                            .anew    = e->c.route->start == TL_START_NEW,
                                            .extra = !is_basic(e->c.route) };
        if (!e->active) continue;
        item[i].setup_s = k * e->setup_s;
        item[i].work_s  = k * (tl_study_first_seconds(s, e) - e->setup_s);
        count++;
    }
    *finalists = TL_MIN(PLANNED_FINALISTS, count);
}

tl_budget_plan tl_study_fit(const tl_study *s)
{
    tl_plan_item item[TL_PLAN_ITEMS];
    int          finalists;

    list_items(s, item, &finalists);
    return tl_plan_fit(item, s->entries, for_runs(s, s->budget_s), finalists);
}

/* Where the question lets it: until every route is run for enough of its epochs. */
static void grow_budget(tl_study *s)
{
    const double asked_s = s->budget_s;
    char         seconds[2][32];

    while (GROWTH * s->budget_s <= s->q->budget_most_s) {
        const tl_budget_plan plan = tl_study_fit(s);
        if (plan.left_out == 0 && plan.share >= ENOUGH) break;
        s->budget_s *= GROWTH;
    }
    if (s->budget_s > asked_s)
        tl_study_say(s, "this machine is slow, or busy: the budget grows from %s to %s",
                     tl_say_seconds(asked_s, seconds[0]),
                     tl_say_seconds(s->budget_s, seconds[1]));
}

static tl_status fit_budget(tl_ctx *ctx, tl_study *s, tl_budget_plan *plan)
{
    tl_status     rc;
    tl_plan_item *item = NULL;
    int           finalists, count = 0;

    TL_TRY(tl_alloc_array(ctx, (size_t)s->entries, sizeof *item, &item));
    list_items(s, item, &finalists);
    *plan = tl_study_fit(s);
    leave_out(s, item, plan, finalists);
    for (int i = 0; i < s->entries; i++) count += s->entry[i].active && item[i].trained;
    if (count == 0) plan->share = 1.0;
    shorten(s, plan->share);
    if (plan->share < 1.0) TL_TRY(tl_study_forecast(ctx, s));
    note_first_runs(s);
done:
    tl_free(ctx, item);
    return rc;
}

/* So many rows that know nothing of each other say as much as these: rows of a cluster are taken to
 * share a twentieth of their luck before anything ran (the design effect, Kish 1965). */
static int64_t rows_alone(const tl_study *s)
{
    const double  shared = 0.05;
    const int64_t n      = s->test.count;
    double        mates  = 0.0; /* of a row, itself among them, summed over a sample */
    int64_t       asked  = 0;

    if (!s->cluster) return n;
    for (int64_t r = 0; r < n; r += TL_MAX(1, n / 200), asked++)
        for (int64_t k = 0; k < n; k++) mates += s->cluster[k] == s->cluster[r];
    return TL_MAX(2, (int64_t)((double)n / (1.0 + (mates / (double)asked - 1.0) * shared)));
}

static void say_plan(tl_study *s)
{
    char seconds[32], bytes[32];

    for (int i = 0; i < s->entries; i++) {
        const tl_entry *e = &s->entry[i];
        if (e->active && s->update.model && tl_entry_is_kept(e))
            tl_study_say(s, "plan: %s, which trains nothing", e->label);
        else if (e->active)
            tl_study_say(s, "plan: %s, about %s a seed, %s", e->label,
                         tl_say_seconds(e->first_s * tl_study_slices(s), seconds),
                         tl_say_bytes((double)e->need.peak_bytes, bytes));
        else
            tl_study_say(s, "plan: %s is not run: %s", e->label, e->why);
    }
    if (isfinite(s->detectable))
        tl_study_say(s,
                     "with %" PRId64
                     " test rows, differences below about %.1f points cannot be "
                     "told apart",
                     s->test.count, 100.0 * s->detectable);
}

/* Takes from a kept plan what would otherwise be decided anew. */
static tl_status take_plan(tl_ctx *ctx, tl_study *s)
{
    json_t    *now  = asked(s);
    const bool same = json_equal(now, json_object_get(s->plan, "asked"));
    size_t     i;
    json_t    *c;

    json_decref(now);
    if (!same)
        return tl_fail(ctx, TL_EUSAGE, "--out",
                       "%s holds another comparison: other data, models "
                       "or options (choose another --out, or tailor resume it)",
                       s->q->out);
    s->budget_s = tl_json_number(s->plan, "budget", s->budget_s);
    shorten(s, tl_json_number(s->plan, "share", 1.0));
    s->detectable = tl_json_number(s->plan, "minimum_detectable_difference", NAN);
    json_array_foreach(json_object_get(s->plan, "candidates"), i, c)
    {
        tl_entry   *e      = &s->entry[i];
        const char *status = tl_json_text(c, "status", NULL);
        if (!status || strcmp(status, "not-run") != 0) continue;
        e->active = false;
        e->status = "not-run";
        snprintf(e->why, sizeof e->why, "%.390s", tl_json_text(c, "why", ""));
    }
    tl_study_say(s, "going on with the comparison in %s", s->q->out);
    const tl_status rc = tl_study_forecast(ctx, s);
    note_first_runs(s);
    return rc;
}

tl_status tl_study_make_plan(tl_ctx *ctx, tl_study *s)
{
    tl_status      rc;
    tl_budget_plan plan = { .share = 1.0 };

    if (s->store) TL_TRY(tl_store_get(ctx, s->store, "plan", &s->plan));
    TL_TRY(tl_study_forecast(ctx, s));
    TL_TRY(tl_study_calibrate(ctx, s));
    if (s->plan) return take_plan(ctx, s);
    /* Of numbers nothing is known of how routes' errors go together before they ran. */
    if (!s->data->task->numbers && tl_study_metric_of(s)->percent)
        s->detectable = tl_detectable(rows_alone(s), LEAST_SEEDS, DISCORDANCE, SEED_SD,
                                      TL_MAX(1, s->entries - 1));
    json_t *question = asked(s);
    grow_budget(s);
    rc = fit_budget(ctx, s, &plan);
    if (rc == TL_OK) s->plan = plan_json(s, &plan);
    if (s->plan) json_object_set(s->plan, "asked", question);
    json_decref(question);
    if (rc != TL_OK) return rc;
    say_plan(s);
    if (s->store) TL_TRY(tl_store_set(ctx, s->store, "plan", s->plan));
done:
    return rc;
}

/* For people only, never for a decision: the plan's figure with a disagreement that the
 * first results make likely. */
void tl_study_say_detectable(tl_study *s)
{
    double best = 0.0;

    for (int i = 0; i < s->entries; i++)
        best = fmax(best, tl_study_valid_mean(s, i));
    const double apart = 2.0 * best * (1.0 - best);
    if (!isfinite(s->detectable) || !(best > 0.0)) return;
    tl_study_say(s,
                 "the best so far has %.1f %% on validation: between routes as good as that, "
                 "differences below about %.1f points could not be told apart",
                 100.0 * best,
                 100.0 * tl_detectable(rows_alone(s), LEAST_SEEDS, apart, SEED_SD,
                                       TL_MAX(1, s->entries - 1)));
}

json_t *tl_study_dry_run(const tl_study *s)
{
    json_t *plan = json_deep_copy(s->plan);

    json_object_del(plan, "asked");
    json_object_set_new(plan, "task",
                        json_string(s->data->task->name));
    json_object_set_new(plan, "metric", json_string(s->metric));
    json_object_set_new(plan, "margin", json_real(s->margin));
    json_object_set(plan, "warnings", s->warnings);
    return plan;
}
