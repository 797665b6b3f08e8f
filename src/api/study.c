/* study.c -- tailor_compare: the question handed to the study.  Floor 4.5, api. */
#include "api/handles.h"
#include "core/io.h"
#include "study/audit.h"
#include "study/compare.h"
#include "study/profile.h"
#include "study/rank.h"
#include "train/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void show(void *user, const json_t *verdict, const json_t *detail)
{
    tailor *t    = user;
    json_t *page = json_pack("{s:O, s:O?}", "verdict", verdict, "detail", detail);
    char   *text = page ? json_dumps(page, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;

    if (text) t->live(t->live_user, text);
    free(text);
    json_decref(page);
}

static tl_question internal(tailor *t, const tailor_question *q)
{
    static const char *const none[] = { NULL };

    return (tl_question){
        .data = { .train = q->data, .valid = q->valid, .test = q->test,
                  .shifted = q->shifted,
                  .skip_bad = q->skip_bad != 0, .limit_bytes = t->world.limit_bytes,
                  .ask = { q->target, q->task, q->text, q->label, q->group, q->order } },
        .base = q->base ? q->base : none, .base_arch = q->arch, .routes = q->routes,
        .metric = q->metric, .margin = q->margin > 0.0 ? q->margin : NAN,
        .budget_s = q->budget_s, .budget_most_s = q->budget_most_s,
        .memory_bytes = t->world.limit_bytes, .seed = q->seed, .seeds = q->seeds,
        .folds = q->folds, .precision = t->precision,
        .overrides = q->settings ? q->settings : none, .train_limit = q->train_rows,
        .out = q->out, .dry_run = q->dry_run != 0, .argv = q->command ? q->command : none,
        .max_latency_ms = q->max_latency_ms, .max_size_mb = q->max_size_mb,
        .cost_per_hour = q->cost_per_hour, .retrain_s = q->retrain_s,
        .predictions = q->predictions,
        .forget = q->forget > 0.0 ? q->forget : NAN,
        .progress = tl_api_progress, .say = tl_api_say,
        .live = q->live ? show : NULL, .user = t,
    };
}

/* Where the question was wrong from the start, the folder that was made for it goes again: nothing
 * ran, and `tailor runs` need not list it.  The message stays the first failure's. */
static void take_back(tl_ctx *ctx, const char *folder, tl_status rc)
{
    tl_store *store = NULL;
    json_t   *runs  = NULL;
    char      said[sizeof ctx->message];

    if (rc != TL_EUSAGE && rc != TL_EDATA) return;
    memcpy(said, ctx->message, sizeof said);
    if (tl_store_open(ctx, folder, &store) == TL_OK &&
        tl_store_list(ctx, store, &runs) == TL_OK && json_array_size(runs) == 0) {
        tl_store_close(ctx, store);
        store = NULL;
        (void)tl_remove_tree(ctx, folder);
    }
    tl_store_close(ctx, store);
    json_decref(runs);
    memcpy(ctx->message, said, sizeof said);
}

/* `update`: of the model in use; else it and the old data are not asked. */
static tailor_status ask(tailor *t, const tailor_question *question, bool update, char **json)
{
    tl_ctx     *ctx     = tl_api_begin(t);
    tl_question q       = internal(t, question);
    json_t     *verdict = NULL;
    tl_lock     lock    = { -1 };
    bool        made    = false;
    tl_status   rc;

    if (json) *json = NULL;
    t->live      = question->live;
    t->live_user = question->live_user;
    if (!q.data.train || (!q.out && !q.dry_run) || (update && !question->model))
        TL_FAIL(TL_EUSAGE, update ? "tailor_update" : "tailor_compare", "data%s and out must be "
                "given", update ? ", model" : "");
    if (update) {
        q.model    = question->model;
        q.data.old = question->old;
    }
    if (!q.dry_run) {
        made = !tl_exists(q.out);
        TL_TRY(tl_make_folders(ctx, q.out));
        TL_TRY(tl_lock_take(ctx, q.out, &lock));
        TL_TRY(tl_api_keep_command(ctx, q.out, q.argv));
    }
    TL_TRY(tl_compare(ctx, &q, &verdict));
    if (!q.dry_run) TL_TRY(tl_api_keep_finished(ctx, q.out));
    if (json) TL_TRY(tl_api_text(ctx, json_incref(verdict), json));
done:
    json_decref(verdict);
    if (made) take_back(ctx, q.out, rc);
    tl_lock_drop(&lock);
    return tl_api_status(rc);
}

tailor_status tailor_compare(tailor *t, const tailor_question *question, char **json)
{
    return ask(t, question, false, json);
}

tailor_status tailor_update(tailor *t, const tailor_question *question, char **json)
{
    return ask(t, question, true, json);
}

tailor_status tailor_rank(tailor *t, const tailor_question *question, char **json)
{
    tl_ctx           *ctx    = tl_api_begin(t);
    const tl_question q      = internal(t, question);
    json_t           *result = NULL;
    tl_status         rc;

    if (json) *json = NULL;
    if (!q.data.train || !json)
        TL_FAIL(TL_EUSAGE, "tailor_rank", "data and json must be given");
    TL_TRY(tl_rank(ctx, &q, &result));
    TL_TRY(tl_api_text(ctx, json_incref(result), json));
done:
    json_decref(result);
    return tl_api_status(rc);
}

tailor_status tailor_inspect(tailor *t, const tailor_question *question, char **json)
{
    tl_ctx     *ctx    = tl_api_begin(t);
    tl_question q      = internal(t, question);
    tl_dataset *d      = NULL;
    json_t     *result = NULL;
    tl_status   rc;

    if (json) *json = NULL;
    if (!q.data.train || !json)
        TL_FAIL(TL_EUSAGE, "tailor_inspect", "data and json must be given");
    q.data.skip_bad = true;
    TL_TRY(tl_dataset_open(ctx, &q.data, &d));
    TL_TRY(tl_profile(ctx, d, &result));
    tl_dataset_close(ctx, d);
    d = NULL;
    /* Damaged pictures are found by now; nothing can be trained on them. */
    if (!json_is_null(json_object_get(result, "duplicates")))
        TL_TRY(tl_audit_labels(ctx, &q, result));
    TL_TRY(tl_api_text(ctx, json_incref(result), json));
done:
    if (d) tl_dataset_close(ctx, d);
    json_decref(result);
    return tl_api_status(rc);
}

tailor_status tailor_live_page(tailor *t, char **html)
{
    tl_ctx   *ctx  = tl_api_begin(t);
    tl_text   page = tl_text_make(ctx);
    tl_status rc;

    *html = NULL;
    TL_TRY(tl_report_live(ctx, &page));
    *html     = page.text;
    page.text = NULL;
done:
    tl_text_free(&page);
    return tl_api_status(rc);
}
