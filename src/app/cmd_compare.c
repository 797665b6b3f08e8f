/* cmd_compare.c -- `tailor compare` and `tailor update`: the question from the options, the verdict
 * for people or as JSON.  Floor 5, app. */
#include "app/app.h"
#include "app/live.h"
#include "core/io.h"
#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "a,b,c" cut at the commas. */
static tl_status split_list(tl_ctx *ctx, const char *text, char ***list, size_t *count)
{
    tl_text   item = tl_text_make(ctx);
    tl_status rc   = TL_OK;

    while (text && *text) {
        const size_t n = strcspn(text, ",");
        item.bytes     = 0;
        tl_text_add_bytes(&item, text, n);
        TL_TRY(item.status);
        if (n) TL_TRY(tl_list_add(ctx, list, count, item.text));
        text += n + (text[n] == ',');
    }
    TL_TRY(tl_realloc(ctx, (*count + 1) * sizeof **list, list)); /* NULL behind the last */
done:
    tl_text_free(&item);
    return rc;
}

static tailor_question question(const tl_app *app, const char *data, const char *out)
{
    const tl_args *a = &app->args;

    return (tailor_question){
        .data           = data,
        .valid          = tl_args_text(a, TL_OPT_valid),
        .test           = tl_args_text(a, TL_OPT_test),
        .arch           = tl_args_text(a, TL_OPT_arch),
        .metric         = tl_args_text(a, TL_OPT_metric),
        .margin         = tl_args_real(a, TL_OPT_margin, 0.0),
        .budget_s       = tl_args_seconds(a, TL_OPT_budget),
        .max_latency_ms = tl_args_real(a, TL_OPT_max_latency, 0.0),
        .cost_per_hour  = tl_args_real(a, TL_OPT_cost_per_hour, 0.0),
        .retrain_s      = tl_args_seconds(a, TL_OPT_retrain),
        .predictions    = tl_args_real(a, TL_OPT_predictions, 0.0),
        .max_size_mb    = tl_args_real(a, TL_OPT_max_size, 0.0),
        .seeds          = (int)TL_MIN(tl_args_int(a, TL_OPT_seeds, 0), 1000),
        .folds          = (int)TL_MIN(tl_args_int(a, TL_OPT_folds, 0), 1000),
        .train_rows     = tl_args_int(a, TL_OPT_train_rows, 0),
        .seed           = tl_app_seed(app),
        .target         = tl_args_text(a, TL_OPT_target),
        .task           = tl_args_text(a, TL_OPT_task),
        .text           = tl_args_text(a, TL_OPT_text),
        .label          = tl_args_text(a, TL_OPT_label),
        .shifted        = tl_args_text(a, TL_OPT_shifted),
        .group          = tl_args_text(a, TL_OPT_group),
        .order          = tl_args_text(a, TL_OPT_order),
        .settings       = (const char *const *)a->setting,
        .skip_bad       = tl_args_given(a, TL_OPT_skip_bad),
        .dry_run        = tl_args_given(a, TL_OPT_dry_run),
        .out            = out,
        .old            = tl_args_text(a, TL_OPT_old),
        .forget         = tl_args_real(a, TL_OPT_forget, 0.0),
    };
}

/* The plan: one line a candidate, with what it is expected to take. */
static tl_status print_plan(tl_app *app, const json_t *plan)
{
    tl_grid  table = tl_grid_make(&app->ctx, 4, 1u << 2 | 1u << 3);
    json_t   *c;
    size_t    i;
    tl_status rc;

    tl_grid_row(&table, TL_BOLD, (const char *[]){ "route", "base", "time", "memory" });
    json_array_foreach(json_object_get(plan, "candidates"), i, c) {
        const json_t *f = json_object_get(c, "forecast");
        const double  s = tl_json_number(f, "seconds", NAN);
        const double  b = tl_json_number(f, "peak_bytes", NAN);
        char          seconds[32], bytes[32];
        tl_grid_row(&table, TL_PLAIN,
                    (const char *[]){ tl_json_text(c, "route", "?"),
                                      tl_path_name(tl_json_text(c, "base", "-")),
                                      isfinite(s) ? tl_say_seconds(s, seconds) : "-",
                                      isfinite(b) ? tl_say_bytes(b, bytes) : "-" });
    }
    puts("Planned, nothing run:");
    rc = tl_grid_print(&table, &app->term, "  ");
    tl_verdict_whys(app, plan);
    tl_grid_free(&table);
    return rc;
}

/* ---- --serve: what is said and shown goes to the page, too ---- */
typedef struct {
    tl_app  *app;
    tl_live *live;
} watched;

static void on_live(void *user, const char *json)
{
    tl_live_publish(((watched *)user)->live, json);
}

static void on_message(void *user, const char *line)
{
    watched *w = user;

    tl_term_say(&w->app->term, line);
    tl_live_now(w->live, line);
}

static int on_progress(void *user, const tailor_progress *p)
{
    watched *w = user;
    char     line[300], left[32], eta[64] = "", loss[48] = "";

    tl_term_progress(&w->app->term, p);
    if (isfinite(p->loss)) snprintf(loss, sizeof loss, ", loss %.4f", p->loss);
    if (isfinite(p->eta_seconds))
        snprintf(eta, sizeof eta, ", %s left of this run",
                 tl_say_seconds(p->eta_seconds, left));
    snprintf(line, sizeof line,
             "now: %.60s, %.40s, epoch %" PRId64 " of %" PRId64 ", step %" PRId64
             " of %" PRId64 "%s%s",
             p->route, p->phase, p->epoch, p->epochs, p->step, p->steps, loss, eta);
    tl_live_now(w->live, line);
    return 0;
}

static tl_status begin_serving(tl_app *app, watched *w, tailor_question *q)
{
    char     *page = NULL, line[120];
    tl_status rc   = TL_OK;

    *w = (watched){ .app = app };
    if (!tl_args_given(&app->args, TL_OPT_serve) || q->dry_run) return TL_OK;
    TL_TRY(tl_app_lib(app, tailor_live_page(app->lib, &page)));
    TL_TRY(tl_live_start(&app->ctx, tl_args_int(&app->args, TL_OPT_serve, 0), page,
                         &w->live));
    snprintf(line, sizeof line, "watch it at http://127.0.0.1:%d/",
             tl_live_port(w->live));
    tl_term_say(&app->term, line);
    tailor_on_message(app->lib, on_message, w);
    tailor_on_progress(app->lib, on_progress, w);
    q->live      = on_live;
    q->live_user = w;
done:
    tailor_text_free(app->lib, page);
    return rc;
}

/* `model`: in use; NULL: the data are what is asked about. */
static tl_status ask(tl_app *app, const char *data, const char *model)
{
    tl_ctx         *ctx    = &app->ctx;
    char          **routes = NULL, **command = NULL, *out = NULL, *text = NULL;
    const char    **bases    = NULL;
    size_t          n_routes = 0, n_command = 0;
    json_t         *verdict = NULL;
    watched         w       = { 0 };
    tailor_question q;
    tailor_status   status;
    tl_status       rc;

    TL_TRY(tl_app_out(app, data, &out));
    TL_TRY(tl_app_list(app, TL_OPT_base, &bases));
    TL_TRY(split_list(ctx, tl_args_text(&app->args, TL_OPT_routes), &routes, &n_routes));
    TL_TRY(tl_app_stored_command(app, out, &command, &n_command));
    q         = question(app, data, out);
    q.base    = bases;
    q.model   = model;
    q.routes  = n_routes ? (const char *const *)routes : NULL;
    q.command = (const char *const *)command;
    TL_TRY(begin_serving(app, &w, &q));
    tl_term_say(&app->term, model ? "tailor update: reading the model and the data"
                                  : "tailor compare: reading the data");
    status = model ? tailor_update(app->lib, &q, &text) : tailor_compare(app->lib, &q, &text);
    TL_TRY(tl_app_json(app, status, text, &verdict));
    *app->term.held = 0; /* the verdict says more than the last run's last line */
    tl_term_finish(&app->term);
    if (app->term.json) TL_TRY(tl_app_print_json(app, verdict));
    else if (q.dry_run) TL_TRY(print_plan(app, verdict));
    else TL_TRY(tl_verdict_print(app, verdict, out));
done:
    rc = tl_app_ended(app, rc, out);
    tl_live_stop(ctx, w.live);
    if (verdict) json_decref(verdict);
    tl_list_free(ctx, &routes, &n_routes);
    tl_list_free(ctx, &command, &n_command);
    tl_free(ctx, bases);
    tl_free(ctx, out);
    return rc;
}

tl_status tl_cmd_compare(tl_app *app)
{
    return ask(app, app->args.operand[0], NULL);
}

tl_status tl_cmd_update(tl_app *app)
{
    const char *data = tl_args_text(&app->args, TL_OPT_data);

    if (!data)
        return tl_fail(&app->ctx, TL_EUSAGE, "--data",
                       "is missing (give the new data: tailor update MODEL --data NEW)");
    return ask(app, data, app->args.operand[0]);
}
