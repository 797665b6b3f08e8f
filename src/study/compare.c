/* compare.c -- the main job from front to back: data, bases, candidates, plan, runs,
 * verdict, files. The caller holds the folder's lock. Floor 4, study. */
#include "study/compare.h"
#include "core/io.h"
#include "core/machine.h"
#include "core/text.h"
#include "study/update.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double DEFAULT_BUDGET_S = 600.0;

tl_status tl_study_precision(tl_ctx *ctx, tl_study *s)
{
    const char *p = s->q->precision ? s->q->precision : "auto";

    s->dtype = TL_F32;
    if (strcmp(p, "auto") == 0 && s->data->task->table) return TL_OK; /* its numbers need it */
    if (strcmp(p, "bf16") == 0 || (strcmp(p, "auto") == 0 && tl_machine_bf16()))
        s->dtype = TL_BF16;
    else if (strcmp(p, "f32") != 0 && strcmp(p, "auto") != 0)
        return tl_fail(ctx, TL_EUSAGE, "--precision",
                       "\"%.20s\" is not known (auto, f32, bf16)", p);
    return TL_OK;
}

static tl_status open_store(tl_ctx *ctx, tl_study *s)
{
    tl_status rc;
    json_t   *clock = NULL, *started = NULL;

    TL_TRY(tl_make_folders(ctx, s->q->out));
    TL_TRY(tl_path_join(ctx, s->q->out, "checkpoints", &s->checkpoints));
    TL_TRY(tl_make_folders(ctx, s->checkpoints));
    TL_TRY(tl_store_open(ctx, s->q->out, &s->store));
    TL_TRY(tl_store_get(ctx, s->store, "clock", &clock));
    TL_TRY(tl_store_get(ctx, s->store, "started", &started));
    s->before_s = clock ? json_number_value(clock) : 0.0;
    s->started  = started ? (int64_t)json_integer_value(started) : tl_time_unix();
    if (!started) {
        started = json_integer(s->started);
        TL_TRY(tl_store_set(ctx, s->store, "started", started));
    }
done:
    json_decref(clock);
    json_decref(started);
    return rc;
}

static tl_status write_files(tl_ctx *ctx, tl_study *s, const json_t *verdict,
                             const json_t *detail)
{
    tl_status rc;
    char     *path = NULL, *report = NULL;

    TL_TRY(tl_store_set(ctx, s->store, "detail", detail));
    TL_TRY(tl_path_join(ctx, s->q->out, "report.html", &report));
    TL_TRY(tl_report_write(ctx, verdict, detail, report));
    TL_TRY(tl_path_join(ctx, s->q->out, "verdict.json", &path));
    TL_TRY(tl_json_write(ctx, path, verdict));
    TL_TRY(tl_store_set(ctx, s->store, "verdict", verdict));
done:
    tl_free(ctx, path);
    tl_free(ctx, report);
    return rc;
}

static tl_status judge(tl_ctx *ctx, tl_study *s, json_t **verdict)
{
    tl_status rc;
    tl_judged j      = { 0 };
    json_t   *detail = NULL, *v = NULL;

    tl_study_say(s, "scoring the test part");
    TL_TRY(tl_study_judge(ctx, s, &j));
    TL_TRY(tl_study_read_curve(ctx, s, &j));
    TL_TRY(tl_study_write_best(ctx, s, &j));
    TL_TRY(tl_study_count_saved(ctx, s));
    v = tl_study_verdict_json(s, &j);
    if (!v) TL_FAIL(TL_ENOMEM, "verdict.json", "no memory");
    TL_TRY(tl_study_detail(ctx, s, &j, &detail));
    TL_TRY(write_files(ctx, s, v, detail));
    if (s->q->live) s->q->live(s->q->user, v, detail);
    *verdict = v;
    v        = NULL;
done:
    tl_judged_free(ctx, &j);
    json_decref(detail);
    json_decref(v);
    return rc;
}

static tl_status prepare(tl_ctx *ctx, tl_study *s)
{
    tl_status rc;
    char      seconds[32], margin[32];

    s->budget_s = s->q->budget_s > 0.0 ? s->q->budget_s : DEFAULT_BUDGET_S;
    TL_TRY(tl_slab_new(ctx, s->backend, &s->slab));
    if (!s->q->dry_run) TL_TRY(open_store(ctx, s));
    TL_TRY(tl_study_open_data(ctx, s));
    TL_TRY(tl_study_precision(ctx, s));
    tl_study_say(s, "budget: %s%s; margin: %s; precision: %s",
                 tl_say_seconds(s->budget_s, seconds),
                 s->q->budget_s > 0.0 ? "" : " (none was given: --budget)",
                 tl_study_gap(s, s->margin, margin), tl_dtype_name(s->dtype));
    if (s->store) TL_TRY(tl_study_inspect(ctx, s));
    const double before = tl_time_s();
    TL_TRY(tl_study_open_bases(ctx, s));
    s->bases_s = tl_time_s() - before;
    TL_TRY(tl_study_list(ctx, s));
    if (s->store) TL_TRY(tl_study_hold_bases(ctx, s));
    TL_TRY(tl_study_make_plan(ctx, s));
done:
    return rc;
}

static tl_status show_kept(tl_ctx *ctx, tl_study *s, const json_t *verdict)
{
    json_t   *detail = NULL;
    tl_status rc     = TL_OK;

    if (!s->q->live) return TL_OK;
    TL_TRY(tl_store_get(ctx, s->store, "detail", &detail));
    s->q->live(s->q->user, verdict, detail);
done:
    json_decref(detail);
    return rc;
}

static void end(tl_ctx *ctx, tl_study *s)
{
    tl_update_free(ctx, s); /* before the bases: one of them is the model */
    tl_study_close_candidates(ctx, s);
    tl_study_close_data(ctx, s);
    tl_slab_free(ctx, s->slab);
    tl_store_close(ctx, s->store);
    tl_free(ctx, s->checkpoints);
    json_decref(s->plan);
    json_decref(s->profile);
    json_decref(s->shared);
    json_decref(s->saved);
    json_decref(s->warnings);
}

tl_status tl_compare(tl_ctx *ctx, const tl_question *q, json_t **verdict)
{
    tl_status rc;
    tl_study  s = { .q = q, .began_s = tl_time_s(), .detectable = NAN };

    *verdict   = NULL;
    s.warnings = json_array();
    s.backend  = tl_study_backend();
    TL_TRY(prepare(ctx, &s));
    if (q->dry_run) {
        *verdict = tl_study_dry_run(&s);
        goto done;
    }
    TL_TRY(tl_store_get(ctx, s.store, "verdict", verdict));
    if (*verdict) {
        tl_study_say(&s, "this comparison is finished; its verdict is kept in %s",
                     q->out);
        TL_TRY(show_kept(ctx, &s, *verdict));
        goto done;
    }
    tl_study_show(ctx, &s);
    TL_TRY(tl_study_run_all(ctx, &s));
    TL_TRY(judge(ctx, &s, verdict));
    TL_TRY(tl_remove_tree(ctx, s.checkpoints));
    TL_TRY(tl_make_folders(ctx, s.checkpoints));
done:
    if (rc != TL_OK) {
        json_decref(*verdict);
        *verdict = NULL;
    }
    end(ctx, &s);
    return rc;
}
