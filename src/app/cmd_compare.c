/* cmd_compare.c -- `tailor compare`: the question from the options, the verdict for people or as
 * JSON.  Floor 5, app. */
#include "app/app.h"
#include "core/io.h"

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

static tailor_question question(const tl_app *app, const char *out)
{
    const tl_args *a = &app->args;

    return (tailor_question){
        .data           = a->operand[0],
        .valid          = tl_args_text(a, TL_OPT_valid),
        .test           = tl_args_text(a, TL_OPT_test),
        .arch           = tl_args_text(a, TL_OPT_arch),
        .metric         = tl_args_text(a, TL_OPT_metric),
        .margin         = tl_args_real(a, TL_OPT_margin, 0.0),
        .budget_s       = tl_args_seconds(a, TL_OPT_budget),
        .max_latency_ms = tl_args_real(a, TL_OPT_max_latency, 0.0),
        .cost_per_hour  = tl_args_real(a, TL_OPT_cost_per_hour, 0.0),
        .retrain_s      = tl_args_seconds(a, TL_OPT_retrain),
        .max_size_mb    = tl_args_real(a, TL_OPT_max_size, 0.0),
        .seeds          = (int)TL_MIN(tl_args_int(a, TL_OPT_seeds, 0), 1000),
        .folds          = (int)TL_MIN(tl_args_int(a, TL_OPT_folds, 0), 1000),
        .train_rows     = tl_args_int(a, TL_OPT_train_rows, 0),
        .seed           = tl_app_seed(app),
        .target         = tl_args_text(a, TL_OPT_target),
        .task           = tl_args_text(a, TL_OPT_task),
        .text           = tl_args_text(a, TL_OPT_text),
        .label          = tl_args_text(a, TL_OPT_label),
        .settings       = (const char *const *)a->setting,
        .skip_bad       = tl_args_given(a, TL_OPT_skip_bad),
        .dry_run        = tl_args_given(a, TL_OPT_dry_run),
        .out            = out,
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

tl_status tl_cmd_compare(tl_app *app)
{
    tl_ctx         *ctx    = &app->ctx;
    char          **routes = NULL, **command = NULL, *out = NULL, *text = NULL;
    const char    **bases    = NULL;
    size_t          n_routes = 0, n_command = 0;
    json_t         *verdict = NULL;
    tailor_question q;
    tailor_status   status;
    tl_status       rc;

    TL_TRY(tl_app_out(app, app->args.operand[0], &out));
    TL_TRY(tl_app_list(app, TL_OPT_base, &bases));
    TL_TRY(split_list(ctx, tl_args_text(&app->args, TL_OPT_routes), &routes, &n_routes));
    TL_TRY(tl_app_stored_command(app, out, &command, &n_command));
    q         = question(app, out);
    q.base    = bases;
    q.routes  = n_routes ? (const char *const *)routes : NULL;
    q.command = (const char *const *)command;
    tl_term_say(&app->term, "tailor compare: reading the data");
    status = tailor_compare(app->lib, &q, &text);
    TL_TRY(tl_app_json(app, status, text, &verdict));
    tl_term_finish(&app->term);
    if (app->term.json) TL_TRY(tl_app_print_json(app, verdict));
    else if (q.dry_run) TL_TRY(print_plan(app, verdict));
    else TL_TRY(tl_verdict_print(app, verdict, out));
done:
    if (verdict) json_decref(verdict);
    tl_list_free(ctx, &routes, &n_routes);
    tl_list_free(ctx, &command, &n_command);
    tl_free(ctx, bases);
    tl_free(ctx, out);
    return rc;
}
