/* compare_jobs.c -- see compare_jobs.h.  Jobs are made group by group: a group's runs read the same
 * features of a base and few maps of frozen blocks, which stay mapped while it runs.  What a run
 * looked like at a rung is kept in runs.db under "rung RUN RUNG".  Floor 4, study. */
#include "study/compare_jobs.h"
#include "core/machine.h"
#include "study/update.h"
#include "train/lanes.h"

#include <stdio.h>
#include <string.h>

enum { GROUP = 64 };

typedef struct {
    tl_study_job *job;
    tl_study_run  run;
    tl_run_spec   spec;
    tl_rows       train, valid;
    char         *folder;
    char          rung[64]; /* its key in runs.db */
    int           kept;     /* what it may take of others */
    bool          stored;   /* it ended before */
    bool          trains;   /* it does not, or not as far */
    int           lane;     /* its place among those side by side; -1: alone */
    tl_status     failed;   /* before it could begin */
} task;

static tl_status add(tl_ctx *ctx, tl_study_jobs *jobs, const tl_study_job *job)
{
    tl_status rc;

    TL_TRY(tl_grow(ctx, &jobs->job, &jobs->room, (size_t)jobs->count + 1, sizeof *jobs->job));
    jobs->job[jobs->count++] = *job;
done:
    return rc;
}

tl_status tl_study_want_part(tl_ctx *ctx, const tl_study *s, tl_study_jobs *jobs, int candidate,
                             int repeat, int64_t rows)
{
    tl_study_job job = { .candidate = candidate,
                         .trial     = s->entry[candidate].chosen,
                         .repeat    = repeat,
                         .rows      = rows,
                         .rung      = -1 };
    tl_status    rc  = TL_OK;

    for (job.fold = 0; job.fold < tl_study_slices(s); job.fold++) TL_TRY(add(ctx, jobs, &job));
done:
    return rc;
}

tl_status tl_study_want(tl_ctx *ctx, const tl_study *s, tl_study_jobs *jobs, int candidate,
                        int trial, int repeat)
{
    const int       first = jobs->count;
    const tl_status rc    = tl_study_want_part(ctx, s, jobs, candidate, repeat, 0);

    for (int i = first; i < jobs->count; i++) {
        jobs->job[i].trial = trial;
        jobs->job[i].vital = trial == s->entry[candidate].chosen;
    }
    return rc;
}

tl_status tl_study_want_rung(tl_ctx *ctx, tl_study_jobs *jobs, int candidate, int trial, int repeat,
                             int rung)
{
    return add(ctx, jobs, &(tl_study_job){ .candidate = candidate,
                                           .trial     = trial,
                                           .repeat    = repeat,
                                           .rung      = rung });
}

void tl_study_jobs_end(tl_ctx *ctx, tl_study_jobs *jobs)
{
    for (int i = 0; i < jobs->count; i++) json_decref(jobs->job[i].at);
    tl_free(ctx, jobs->job);
    *jobs = (tl_study_jobs){ 0 };
}

int tl_study_lanes(tl_ctx *ctx, const tl_study *s, int runs, size_t bytes)
{
    const int    threads = ctx->world->threads;
    const size_t room =
        s->q->memory_bytes ? s->q->memory_bytes : tl_machine_memory_bytes() / 2;
    int lanes = TL_MIN(threads, runs);

    while (lanes > 1 && (threads % lanes || (size_t)lanes * bytes > room)) lanes--;
    return TL_MAX(1, lanes);
}

/* What the run looked like at the rung, as it was kept; NULL: it was not there yet. */
static tl_status kept_rung(tl_ctx *ctx, tl_study *s, const task *t, json_t **out)
{
    if (s->tape) return s->tape->rung(ctx, s->tape->user, &t->run, t->job->rung, out);
    return tl_store_get(ctx, s->store, t->rung, out);
}

static tl_status open_task(tl_ctx *ctx, tl_study *s, tl_study_job *job, task *t)
{
    const tl_entry *e = &s->entry[job->candidate];
    tl_status       rc;

    *t = (task){ .job = job, .lane = -1, .failed = TL_OK };
    job->place = -1;
    t->run = tl_study_run_named(s, job->candidate, job->trial, job->repeat, job->fold, job->rows);
    TL_TRY(tl_study_features(ctx, s, e));
    TL_TRY(tl_study_open_run(ctx, s, &t->run, &t->spec, &t->stored));
    TL_TRY(tl_study_find_kept(ctx, s, &t->run, &t->spec, &t->kept));
    if (job->rung >= 0) {
        snprintf(t->rung, sizeof t->rung, "rung %" PRId64 " %d", t->run.id, job->rung);
        TL_TRY(kept_rung(ctx, s, t, &job->at));
        t->spec.pause_share = tl_race_rung[job->rung];
    }
    t->trains = !t->stored && !job->at;
    if (!t->trains) goto done;
    TL_TRY(tl_study_split(ctx, s, e, job->repeat, job->fold, job->rows, &t->train, &t->valid));
    TL_TRY(tl_study_checkpoint_path(ctx, s, t->run.id, &t->folder));
    t->spec.train      = t->train;
    t->spec.valid      = t->valid;
    t->spec.checkpoint = t->folder;
done:
    return rc;
}

static void end_task(tl_ctx *ctx, task *t)
{
    tl_study_run_end(ctx, &t->run);
    tl_free(ctx, t->train.row);
    tl_free(ctx, t->valid.row);
    tl_free(ctx, t->folder);
}

/* Nothing is trained of a model that stays as it is. */
static bool is_trained(const tl_study *s, const tl_study_job *job)
{
    return s->entry[job->candidate].c.route->phases > 0;
}

/* Jobs at `from` and behind it that read the same pass over a base. */
static int same_pass(const tl_study *s, const tl_study_jobs *jobs, int from)
{
    int pass = -1, n = 0;

    for (; n < GROUP && from + n < jobs->count; n++) {
        const tl_entry *e = &s->entry[jobs->job[from + n].candidate];
        if (!tl_entry_uses_features(e)) continue;
        if (pass >= 0 && tl_entry_pass(e) != pass) break;
        pass = tl_entry_pass(e);
    }
    return n;
}

/* How many of the tasks take no more than so many different maps. */
static int few_maps(const task *t, int count, int most)
{
    int seen[GROUP], maps = 0, n = 0;

    for (; n < count; n++) {
        bool known = t[n].kept < 0;
        for (int i = 0; i < maps && !known; i++) known = seen[i] == t[n].kept;
        if (known) continue;
        if (maps == most) break;
        seen[maps++] = t[n].kept;
    }
    return n;
}

/* What frozen blocks put out for these and nobody else. */
static tl_status map_all(tl_ctx *ctx, tl_study *s, task *t, int count)
{
    tl_status rc = TL_OK;

    for (int k = 0; k < s->kepts; k++) {
        bool used = false;
        for (int i = 0; i < count; i++) used |= t[i].trains && t[i].kept == k;
        if (!used) tl_map_close(ctx, &s->kept[k].map);
    }
    for (int i = 0; i < count; i++) {
        if (!t[i].trains) continue;
        const tl_entry *e = &s->entry[t[i].job->candidate];
        t[i].spec.slab    = s->slab;
        t[i].failed       = tl_study_map_kept(ctx, s, e, t[i].kept, &t[i].spec);
        if (t[i].failed != TL_OK) TL_TRY(tl_study_note_failure(ctx, s, &t[i].run, t[i].failed));
    }
    rc = tl_study_fresh_slab(ctx, s);
done:
    return rc;
}

/* How many could run at once of these, whether they ended before or not. */
static int lanes_of(tl_ctx *ctx, const tl_study *s, const task *t, int count, int *could)
{
    size_t most = 0;

    *could = 0;
    for (int i = 0; i < count; i++) {
        if (!is_trained(s, t[i].job)) continue;
        most = TL_MAX(most, s->entry[t[i].job->candidate].need.peak_bytes);
        (*could)++;
    }
    return s->tape ? 1 : tl_study_lanes(ctx, s, *could, most);
}

/* The last that do not fill all lanes have all threads, one after the other. */
static int choose_lanes(tl_ctx *ctx, const tl_study *s, task *t, int count)
{
    int       could, placed = 0;
    const int lanes = lanes_of(ctx, s, t, count, &could);

    for (int i = 0; i < count && lanes > 1; i++) {
        if (!is_trained(s, t[i].job) || placed == could - could % lanes) continue;
        t[i].lane = placed++;
    }
    return lanes;
}

/* One that failed before is asked for no more. */
static bool is_in_vain(const tl_study *s, const task *t)
{
    return t->job->vital && !s->entry[t->job->candidate].active;
}

/* Those that have a place and are to be trained begin; their places are now those among them. */
static tl_status start(tl_ctx *ctx, tl_study *s, task *t, int count, tl_run_spec **spec,
                       tl_lanes **out)
{
    const int lanes = choose_lanes(ctx, s, t, count);
    int       n     = 0;
    tl_status rc;

    *spec = NULL;
    *out  = NULL;
    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof **spec, spec));
    for (int i = 0; i < count; i++) {
        if (!t[i].trains || t[i].failed != TL_OK || is_in_vain(s, &t[i])) t[i].lane = -1;
        if (t[i].lane < 0) continue;
        t[i].lane  = n;
        (*spec)[n++] = t[i].spec;
    }
    if (n > 0) TL_TRY(tl_lanes_start(ctx, lanes, *spec, n, out));
done:
    return rc;
}

static tl_status train_here(tl_ctx *ctx, tl_study *s, task *t, tl_run_result *r)
{
    tl_status rc;

    TL_TRY(tl_study_fresh_slab(ctx, s));
    t->spec.slab = s->slab;
    if (is_trained(s, t->job)) rc = tl_run_train(ctx, &t->spec, r);
    else rc = tl_update_keep(ctx, s, &t->spec, r);
done:
    return rc;
}

static tl_status keep_clock(tl_ctx *ctx, tl_study *s)
{
    json_t   *clock;
    tl_status rc;

    if (s->tape) return TL_OK; /* its seconds are long gone */
    clock = json_real(s->before_s + tl_time_s() - s->began_s);
    rc    = tl_store_set(ctx, s->store, "clock", clock);
    json_decref(clock);
    return rc;
}

/* An ended run joins the others; whose failure is the candidate's ends the candidate. */
static tl_status take(tl_ctx *ctx, tl_study *s, task *t)
{
    const tl_study_job *job = t->job;
    tl_status           rc;

    TL_TRY(tl_study_take_run(ctx, s, &t->run, t->stored));
    t->job->place = (job->rows ? s->parts : s->runs) - 1;
    if (job->vital && s->run[job->place].facts.failed)
        tl_study_fail(s, job->candidate, &s->run[job->place]);
done:
    return rc;
}

static tl_status finish(tl_ctx *ctx, tl_study *s, task *t, tl_lanes *lanes)
{
    tl_run_result r  = { 0 };
    tl_status     rc = TL_OK;

    if (is_in_vain(s, t)) {
        if (t->lane >= 0) tl_lanes_drop(lanes, t->lane);
        return TL_OK;
    }
    if (t->trains && t->failed == TL_OK) {
        rc = t->lane >= 0 ? tl_lanes_wait(ctx, lanes, t->lane, &r) : train_here(ctx, s, t, &r);
        if (rc == TL_OK)
            rc = tl_study_conclude(ctx, s, t->kept, &t->spec, &t->run, &r, &t->job->at);
        if (rc != TL_OK) TL_TRY(tl_study_note_failure(ctx, s, &t->run, rc));
        if (t->job->at) TL_TRY(tl_store_set(ctx, s->store, t->rung, t->job->at));
    }
    if (!t->job->at) TL_TRY(take(ctx, s, t));
    TL_TRY(keep_clock(ctx, s));
done:
    tl_run_result_free(ctx, &r);
    return rc;
}

static tl_status run_group(tl_ctx *ctx, tl_study *s, task *t, int count)
{
    tl_run_spec *spec  = NULL;
    tl_lanes    *lanes = NULL;
    tl_status    rc;

    if (!s->tape) TL_TRY(map_all(ctx, s, t, count));
    TL_TRY(start(ctx, s, t, count, &spec, &lanes));
    for (int i = 0; i < count; i++) TL_TRY(finish(ctx, s, &t[i], lanes));
done:
    tl_lanes_end(ctx, lanes);
    tl_free(ctx, spec);
    return rc;
}

static tl_status run_some(tl_ctx *ctx, tl_study *s, tl_study_job *job, int count, task *t)
{
    int       could;
    tl_status rc = TL_OK;

    for (int i = 0; i < count; i++) TL_TRY(open_task(ctx, s, &job[i], &t[i]));
    const int maps = lanes_of(ctx, s, t, count, &could);
    for (int n, i = 0; i < count; i += n) {
        n = few_maps(&t[i], count - i, maps);
        TL_TRY(run_group(ctx, s, &t[i], n));
    }
done:
    for (int i = 0; i < count; i++) end_task(ctx, &t[i]);
    return rc;
}

tl_status tl_study_run_jobs(tl_ctx *ctx, tl_study *s, tl_study_jobs *jobs)
{
    tl_status rc = TL_OK;
    task     *t  = NULL;

    for (int n, i = 0; i < jobs->count; i += n) {
        n = same_pass(s, jobs, i);
        TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *t, &t));
        rc = run_some(ctx, s, jobs->job + i, n, t);
        tl_free(ctx, t);
        TL_TRY(rc);
    }
done:
    return rc;
}
