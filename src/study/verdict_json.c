/* verdict_json.c -- verdict.json as the contract has it (schemas/verdict.schema.json);
 * what is not known is null. Floor 4, study. */
#include "core/machine.h"
#include "study/update.h"

#include <math.h>
#include <string.h>

static json_t *pair_json(double low, double high)
{
    if (!isfinite(low) || !isfinite(high)) return json_null();
    return json_pack("[f, f]", low, high);
}

json_t *tl_interval_json(tl_interval i)
{
    if (!isfinite(i.mean)) return json_null();
    return json_pack("{s:f, s:o}", "mean", i.mean, "ci95", pair_json(i.low, i.high));
}

/* With the network's name, which tells two `scratch` of different bases apart. */
static json_t *hyper_json(const tl_entry *e)
{
    json_t *h = tl_hyper_to_json(&e->c.hyper);

    json_object_set_new(h, "arch", json_string(e->c.arch.name));
    return h;
}

static json_t *base_json(const tl_entry *e)
{
    return e->c.base ? json_string(e->c.base->path) : json_null();
}

static json_t *valid_json(const tl_study *s, int entry)
{
    const int trial = s->entry[entry].chosen, k = tl_study_repeats(s, entry, trial);
    double    x[TL_STUDY_SEEDS];

    for (int i = 0; i < k; i++) x[i] = tl_study_valid(s, entry, trial, i);
    tl_interval i = tl_mean_t(x, k, 0.95);
    if (isfinite(i.low) && tl_study_metric_of(s)->percent) {
        i.low  = fmax(0.0, i.low);
        i.high = fmin(1.0, i.high);
    }
    return tl_interval_json(i);
}

/* Sums and means over the runs of the chosen trial; trials of the search add to the
 * cost. */
typedef struct {
    double  seconds, flops, joules, peak_bytes, gap, chosen_seconds;
    double  begun; /* of all its runs, whole ones 1, halted ones as far as they came */
    int     runs, whole, severe, mild, underfit, stopped; /* whole: of all settings */
    int64_t trainable, parameters;
} totals;

static void add_cost(totals *t, const tl_run_facts *cost)
{
    t->seconds += cost->seconds;
    t->joules += cost->joules; /* one unknown: all is */
    t->flops += cost->flops;
    t->peak_bytes = fmax(t->peak_bytes, cost->peak_bytes);
}

static void add_cost_of(totals *t, const json_t *cost)
{
    add_cost(t, &(tl_run_facts){ .seconds    = tl_json_number(cost, "seconds", 0.0),
                                 .joules     = tl_json_number(cost, "joules", NAN),
                                 .flops      = tl_json_number(cost, "flops", 0.0),
                                 .peak_bytes = tl_json_number(cost, "peak_bytes", 0.0) });
}

/* What it made for others, too, was made for it. */
static void add_shared(totals *t, const tl_study *s, const char *label)
{
    const json_t *features = json_object_get(s->shared, label);
    const char   *key;
    json_t       *pass;

    if (features) add_cost_of(t, features);
    json_object_foreach(s->passes, key, pass)
    {
        if (strcmp(tl_json_text(pass, "entry", ""), label) == 0) add_cost_of(t, pass);
    }
}

static totals add_up(const tl_study *s, int entry)
{
    totals t = { 0 };

    add_shared(&t, s, s->entry[entry].label);
    for (int i = 0; i < s->runs; i++) {
        const tl_study_run *r = &s->run[i];
        if (r->candidate != entry || r->facts.failed) continue;
        add_cost(&t, &r->facts);
        t.whole += !tl_run_halted(r);
        t.begun += tl_run_halted(r) ? r->facts.share : 1.0;
        if (r->trial != s->entry[entry].chosen || !tl_run_whole(r)) continue;
        t.chosen_seconds += r->facts.seconds;
        const char *fit = r->facts.fit;
        t.severe += strcmp(fit, "severe") == 0;
        t.mild += strcmp(fit, "mild") == 0;
        t.underfit += strcmp(fit, "underfit") == 0;
        t.stopped += strcmp(r->facts.stopped, "patience") == 0;
        t.gap += r->facts.train_metric - r->facts.valid_metric;
        t.trainable  = r->facts.trainable;
        t.parameters = r->facts.parameters;
        t.runs++;
    }
    return t;
}

/* What most of its runs say, the graver word where they are even. */
static const char *fit_word(const totals *t)
{
    if (2 * t->severe >= t->runs && t->severe) return "severe";
    if (2 * t->underfit >= t->runs && t->underfit) return "underfit";
    if (2 * (t->mild + t->severe) >= t->runs && t->mild + t->severe) return "mild";
    return "none";
}

static json_t *money_json(const tl_study *s, double seconds)
{
    return s->q->cost_per_hour > 0.0 ? json_real(seconds / 3600.0 * s->q->cost_per_hour)
                                     : json_null();
}

/* What it took to find the model, one run more as often as --retrain says, and the predictions of
 * --predictions where they were measured (ms_per_row, else NaN). */
static json_t *year_json(const tl_study *s, const totals *t, double ms_per_row)
{
    static const double DAYS = 365.25, DAY_S = 86400.0;

    if (!(s->q->retrain_s > 0.0) || t->runs == 0 || t->trainable == 0) return json_null();
    const double times = DAYS * DAY_S / s->q->retrain_s;
    const double again = times * t->chosen_seconds / t->runs;
    const double asked = s->q->predictions > 0.0
                             ? 1e-3 * ms_per_row * s->q->predictions * DAYS
                             : (double)NAN;
    const double seconds = t->seconds + again + (isnan(asked) ? 0.0 : asked);
    return json_pack("{s:f, s:f, s:f, s:o, s:f, s:o}", "trainings", times, "first_seconds",
                     t->seconds, "again_seconds", again, "predictions_seconds",
                     tl_json_real(asked), "seconds", seconds, "money", money_json(s, seconds));
}

static json_t *cost_json(const tl_study *s, const totals *t, double ms_per_row)
{
    return json_pack("{s:f, s:f, s:f, s:o, s:o, s:o}", "seconds", t->seconds, "flops",
                     t->flops, "peak_bytes", t->peak_bytes, "joules",
                     tl_json_real(t->begun > 0.0 ? t->joules : NAN), "money",
                     money_json(s, t->seconds), "year", year_json(s, t, ms_per_row));
}

/* For as many runs as it had, so that it can be held against the cost; of the whole ones what
 * patience is likely to spare is taken off. */
static json_t *forecast_json(const tl_study *s, const tl_entry *e, const totals *t)
{
    const double slice   = tl_study_slice_seconds(s, e), likely = tl_study_likely_seconds(s, e);
    const double more    = t->begun - 1.0; /* below 0: not even one whole one */
    const double seconds = t->begun > 0.0
                               ? e->first_s + more * slice - t->whole * (slice - likely)
                               : tl_study_slices(s) * likely;

    if (e->need.flops <= 0.0) return json_null();
    return json_pack("{s:f, s:f}", "seconds", seconds, "peak_bytes",
                     (double)e->need.peak_bytes);
}

static json_t *candidate_json(const tl_study *s, const tl_judged *j, int i)
{
    const tl_entry *e      = &s->entry[i];
    const totals    t      = add_up(s, i);
    const int       place  = tl_judged_place(j, i);
    const char     *status = e->status    ? e->status
                             : e->stopped ? "stopped-early"
                                          : "done";
    json_t         *c      = json_object();
    int             all    = 0;

    for (int r = 0; r < s->runs; r++) all += s->run[r].candidate == i;
    json_object_set_new(c, "route", json_string(e->c.route->name));
    json_object_set_new(c, "base", base_json(e));
    json_object_set_new(c, "status", json_string(status));
    json_object_set_new(c, "why", e->why[0] ? json_string(e->why) : json_null());
    json_object_set_new(c, "hyperparameters", hyper_json(e));
    json_object_set_new(c, "seeds", json_integer(tl_study_repeats(s, i, e->chosen)));
    json_object_set_new(c, "valid", valid_json(s, i));
    json_object_set_new(
        c, "test", place >= 0 ? tl_interval_json(j->decision.test[place]) : json_null());
    json_object_set_new(c, "overfit",
                        t.runs
                            ? json_pack("{s:s, s:o}", "verdict", fit_word(&t),
                                        "train_minus_valid", tl_json_real(t.gap / t.runs))
                            : json_null());
    json_object_set_new(c, "trainable_parameters",
                        t.runs ? json_integer(t.trainable) : json_null());
    json_object_set_new(c, "parameters",
                        t.runs ? json_integer(t.parameters) : json_null());
    json_object_set_new(c, "cost",
                        all ? cost_json(s, &t, j->ms_per_row ? j->ms_per_row[i] : (double)NAN)
                            : json_null());
    json_object_set_new(c, "forecast", forecast_json(s, e, &t));
    json_object_set_new(
        c, "inference",
        t.runs && j->ms_per_row
            ? json_pack(
                  "{s:o, s:o}", "ms_per_row", tl_json_real(j->ms_per_row[i]), "bytes",
                  j->model_bytes[i] >= 0 ? json_integer(j->model_bytes[i]) : json_null())
            : json_null());
    json_object_set_new(c, "race", tl_study_race_json(s, i));
    if (s->update.model) tl_update_candidate_json(s, i, c);
    return c;
}

static json_t *winner_json(const tl_study *s, const tl_judged *j)
{
    const tl_entry *e = &s->entry[j->entry[j->decision.winner]];

    return json_pack("{s:s, s:o, s:o, s:s, s:I, s:o, s:I}", "route", e->c.route->name,
                     "base", base_json(e), "hyperparameters", hyper_json(e), "model",
                     "best/", "seed", (json_int_t)j->best_run->seed, "test",
                     tl_json_real(j->best_test), "rows", (json_int_t)j->best_rows.count);
}

static json_t *runner_up_json(const tl_study *s, const tl_judged *j)
{
    const tl_decision *d = &j->decision;
    if (d->runner_up < 0) return json_null();
    const tl_entry *e = &s->entry[j->entry[d->runner_up]];

    return json_pack("{s:s, s:o, s:{s:o, s:o, s:o}, s:o}", "route", e->c.route->name, "base",
                     base_json(e), "difference", "mean", tl_json_real(d->difference.mean),
                     "ci95", pair_json(d->difference.low, d->difference.high), "p",
                     tl_json_real(d->p), "delivered", tl_study_mcnemar_json(j));
}

static json_t *data_json(const tl_study *s)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "path", s->data->path, "train",
                     (json_int_t)s->train_rows, "valid", (json_int_t)s->valid_rows,
                     "test", (json_int_t)s->test.count, "classes",
                     (json_int_t)s->data->classes, "sha256", tl_update_sha256(s));
}

static json_t *budget_json(const tl_study *s)
{
    return json_pack("{s:f, s:f, s:O, s:o}", "seconds", s->budget_s, "used",
                     s->before_s + tl_time_s() - s->began_s, "saved",
                     s->saved ? s->saved : json_null(), "left_out",
                     s->saved ? tl_study_left_out_json(s) : json_array());
}

json_t *tl_study_verdict_json(tl_study *s, const tl_judged *j)
{
    const tl_entry *winner = &s->entry[j->entry[j->decision.winner]];
    json_t         *v = json_object(), *candidates = json_array();

    for (int i = 0; i < s->entries; i++)
        json_array_append_new(candidates, candidate_json(s, j, i));
    json_object_set_new(v, "version", json_string(TAILOR_VERSION));
    json_object_set_new(v, "task",
                        json_string(s->data->task->name));
    json_object_set_new(v, "metric", json_string(s->metric));
    json_object_set_new(v, "higher_is_better",
                        json_boolean(tl_study_metric_of(s)->higher));
    json_object_set_new(v, "data", data_json(s));
    json_object_set_new(v, "decision", json_string(winner->c.route->decision));
    json_object_set_new(v, "outcome", json_string(tl_outcome_name((int)j->decision.outcome)));
    json_object_set_new(v, "winner", winner_json(s, j));
    json_object_set_new(v, "runner_up", runner_up_json(s, j));
    json_object_set_new(v, "confidence",
                        j->count > 1 ? tl_json_real(j->decision.confidence) : json_null());
    json_object_set_new(v, "minimum_detectable_difference", tl_json_real(s->detectable));
    json_object_set_new(v, "looks", tl_study_looks_json(s));
    json_object_set_new(v, "calibration", tl_study_calibration_json(s, j));
    json_object_set_new(v, "labels", tl_study_labels_json(s, j));
    json_object_set_new(v, "shifted", tl_study_shifted_json(s, j));
    json_object_set_new(v, "groups", j->groups ? json_incref(j->groups) : json_null());
    json_object_set_new(v, "race", tl_study_races_json(s));
    tl_study_curve_json(s, j, v);
    json_object_set_new(v, "candidates", candidates);
    json_object_set_new(v, "reasons", tl_study_reasons(s, j));
    json_object_set(v, "warnings", s->warnings);
    json_object_set_new(v, "budget", budget_json(s));
    if (s->update.model) tl_update_json(s, j, v);
    return v;
}

/* A candidate that has no verdict yet says how far it is. */
static json_t *running_candidate(const tl_study *s, int i)
{
    const tl_judged none = { 0 };
    const tl_entry *e    = &s->entry[i];
    json_t         *c    = candidate_json(s, &none, i);

    if (!e->status && !e->stopped)
        json_object_set_new(
            c, "status",
            json_string(tl_study_repeats(s, i, e->chosen) ? "running" : "waiting"));
    return c;
}

json_t *tl_study_running_json(tl_study *s)
{
    json_t *v = json_object(), *candidates = json_array();

    for (int i = 0; i < s->entries; i++)
        json_array_append_new(candidates, running_candidate(s, i));
    json_object_set_new(v, "version", json_string(TAILOR_VERSION));
    json_object_set_new(v, "task", json_string(s->data->task->name));
    json_object_set_new(v, "metric", json_string(s->metric));
    json_object_set_new(v, "higher_is_better",
                        json_boolean(tl_study_metric_of(s)->higher));
    json_object_set_new(v, "data", data_json(s));
    json_object_set_new(v, "outcome", json_string("running"));
    json_object_set_new(v, "candidates", candidates);
    json_object_set(v, "warnings", s->warnings);
    json_object_set_new(v, "minimum_detectable_difference", tl_json_real(s->detectable));
    json_object_set_new(v, "budget", budget_json(s));
    return v;
}
