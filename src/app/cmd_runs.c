/* cmd_runs.c -- `tailor runs`, `show` and `resume`: what was run, and going on with it.  A study
 * is a folder with runs.db; a run of it is FOLDER/NUMBER.  Floor 5, app. */
#include "app/app.h"
#include "core/io.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_runs(const char *folder)
{
    char path[4200];

    return snprintf(path, sizeof path, "%s/runs.db", folder) < (int)sizeof path &&
        tl_exists(path);
}

/* "flowers-1" means tailor-runs/flowers-1 where no such folder is here; "DIR/3" names run 3
 * (*run; 0 when none is named). */
static tl_status find_folder(tl_app *app, const char *name, char **folder, int64_t *run)
{
    tl_ctx     *ctx = &app->ctx;
    tl_text     t   = tl_text_make(ctx);
    const char *cut = strrchr(name, '/');
    tl_status   rc  = TL_OK;

    *folder = NULL;
    *run    = 0;
    for (int with_run = 0; with_run < 2 && !*folder; with_run++)
        for (int in_runs = 0; in_runs < 2 && !*folder; in_runs++) {
            if (with_run && (!cut || !tl_parse_int(cut + 1, run) || *run < 1)) break;
            t.bytes = 0;
            tl_text_printf(&t, "%s%.*s", in_runs ? "tailor-runs/" : "",
                           with_run ? (int)(cut - name) : (int)strlen(name), name);
            TL_TRY(t.status);
            if (!has_runs(t.text)) continue;
            if (!with_run) *run = 0;
            TL_TRY(tl_strdup(ctx, t.text, folder));
        }
    if (!*folder)
        TL_FAIL(TL_EUSAGE, name, "no run of that name (`tailor runs` lists them)");
done:
    tl_text_free(&t);
    return rc;
}

static tl_status read_study(tl_app *app, const char *folder, json_t **out)
{
    char         *text   = NULL;
    tailor_status status = tailor_runs(app->lib, folder, &text);

    return tl_app_json(app, status, text, out);
}

static const char *say_metric(const json_t *run, const char *name, char buffer[32])
{
    const double value = tl_json_number(json_object_get(run, "result"), name, NAN);

    snprintf(buffer, 32, isfinite(value) ? "%.4f" : "-", value);
    return buffer;
}

/* The runs of one study. */
static tl_status print_runs(tl_app *app, const char *folder, const json_t *study)
{
    tl_grid  table = tl_grid_make(&app->ctx, 6, 1u | 1u << 3 | 1u << 4);
    json_t   *run;
    size_t    i;
    tl_status rc;

    printf("%s%s%s  %s\n", tl_term_out(&app->term, TL_BOLD), folder,
           tl_term_out(&app->term, TL_PLAIN),
           tl_json_bool(study, "finished", false) ? "finished"
           : "not finished: tailor resume goes on");
    tl_grid_row(&table, TL_BOLD,
                (const char *[]){ "run", "candidate", "slice", "seed", "valid", "status" });
    json_array_foreach(json_object_get(study, "runs"), i, run) {
        char id[32], seed[32], valid[32];
        snprintf(id, sizeof id, "%" PRId64, tl_json_int(run, "id", (int64_t)i + 1));
        snprintf(seed, sizeof seed, "%" PRId64, tl_json_int(run, "seed", 0));
        tl_grid_row(&table, TL_PLAIN,
                    (const char *[]){ id, tl_json_text(run, "key", "?"),
                    tl_json_text(run, "slice", ""),
                                      seed, say_metric(run, "valid_metric", valid),
                                      tl_json_text(run, "status", "?") });
    }
    rc = tl_grid_print(&table, &app->term, "  ");
    tl_grid_free(&table);
    return rc;
}

/* One line a study under tailor-runs/. */
static tl_status list_studies(tl_app *app, json_t *all)
{
    tl_ctx   *ctx   = &app->ctx;
    tl_names  names = { 0 };
    char     *path  = NULL;
    json_t   *study = NULL;
    tl_status rc;

    if (!tl_is_folder("tailor-runs")) return TL_OK;
    TL_TRY(tl_folder_list(ctx, "tailor-runs", &names));
    for (size_t i = 0; i < names.count; i++) {
        tl_free(ctx, path);
        path = NULL;
        TL_TRY(tl_path_join(ctx, "tailor-runs", names.name[i], &path));
        if (!has_runs(path)) continue;
        TL_TRY(read_study(app, path, &study));
        json_array_append_new(all, study);
    }
done:
    tl_free(ctx, path);
    tl_names_free(ctx, &names);
    return rc;
}

static tl_status print_studies(tl_app *app, const json_t *all)
{
    tl_grid  table = tl_grid_make(&app->ctx, 4, 1u << 1);
    json_t   *study;
    size_t    i;
    tl_status rc;

    tl_grid_row(&table, TL_BOLD, (const char *[]){ "folder", "runs", "", "command" });
    json_array_foreach(all, i, study) {
        char n[32];
        snprintf(n, sizeof n, "%zu", json_array_size(json_object_get(study, "runs")));
        tl_grid_row(&table, TL_PLAIN,
                    (const char *[]){ tl_json_text(study, "folder", "?"), n,
                                      tl_json_bool(study, "finished", false) ? "finished"
                                      : "unfinished",
                                      tl_json_text(study, "command_line", "") });
    }
    rc = json_array_size(all) ? tl_grid_print(&table, &app->term, "") : TL_OK;
    if (!json_array_size(all)) puts("no runs in tailor-runs/ yet (start with: tailor demo)");
    tl_grid_free(&table);
    return rc;
}

tl_status tl_cmd_runs(tl_app *app)
{
    tl_ctx   *ctx    = &app->ctx;
    json_t   *result = NULL;
    char     *folder = NULL;
    int64_t   run;
    tl_status rc;

    if (app->args.operands) {
        TL_TRY(find_folder(app, app->args.operand[0], &folder, &run));
        TL_TRY(read_study(app, folder, &result));
    } else {
        result = json_array();
        TL_TRY(list_studies(app, result));
    }
    if (app->term.json) TL_TRY(tl_app_print_json(app, result));
    else if (folder) TL_TRY(print_runs(app, folder, result));
    else TL_TRY(print_studies(app, result));
done:
    if (result) json_decref(result);
    tl_free(ctx, folder);
    return rc;
}

static tl_status print_curve(tl_app *app, const json_t *points)
{
    tl_grid  table = tl_grid_make(&app->ctx, 5, 0x1f);
    json_t   *p;
    size_t    i;
    tl_status rc;

    if (!json_array_size(points)) return TL_OK;
    tl_grid_row(&table, TL_BOLD, (const char *[]){ "epoch", "loss", "accuracy", "val_loss",
                                                   "val_accuracy" });
    json_array_foreach(points, i, p) {
        static const char *const names[] = { "train_loss", "train_metric", "valid_loss",
            "valid_metric" };
        char cell[5][32];
        snprintf(cell[0], 32, "%" PRId64, tl_json_int(p, "epoch", 0));
        for (size_t k = 0; k < TL_COUNT(names); k++) {
            const double v = tl_json_number(p, names[k], NAN);
            snprintf(cell[k + 1], 32, isfinite(v) ? "%.4f" : "-", v);
        }
        tl_grid_row(&table, TL_PLAIN,
                    (const char *[]){ cell[0], cell[1], cell[2], cell[3], cell[4] });
    }
    rc = tl_grid_print(&table, &app->term, "  ");
    tl_grid_free(&table);
    return rc;
}

/* "optim.lr=0.01 batch=32 ...": the names that --set takes.  What has lines of its own, or is
 * long, is left out. */
static void flatten(tl_text *t, const char *prefix, json_t *object)
{
    const char *key;
    json_t     *value;

    json_object_foreach(object, key, value) {
        char name[160], *text;
        if (strcmp(key, "hyperparameters") == 0 || json_array_size(value) > 2) continue;
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (json_is_object(value)) {
            flatten(t, name, value);
            continue;
        }
        text = json_is_string(value) ? NULL
                                     : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT |
                                                             JSON_REAL_PRECISION(6));
        tl_text_printf(t, "%s%s=%s", t->bytes ? " " : "", name,
                       text ? text : json_is_string(value) ? json_string_value(value) : "?");
        free(text);
    }
}

static tl_status print_flat(tl_app *app, const char *title, json_t *object)
{
    tl_text   t = tl_text_make(&app->ctx);
    tl_status rc;

    flatten(&t, "", object);
    TL_TRY(t.status);
    if (!t.bytes) goto done;
    printf("  %-9s ", title);
    tl_term_wrap(&app->term, "            ", true, t.text);
done:
    tl_text_free(&t);
    return rc;
}

static tl_status print_settings(tl_app *app, json_t *settings)
{
    json_t     *hyper = json_object_get(settings, "hyper");
    const char *base  = tl_json_text(settings, "base", NULL);

    if (base) printf("  base      %s\n", base);
    if (hyper)
        printf("  network   %s (all of it: --json)\n",
               tl_json_text(json_object_get(settings, "arch"), "name", "?"));
    return print_flat(app, "settings", hyper ? hyper : settings);
}

static tl_status show_run(tl_app *app, const char *folder, int64_t run)
{
    char         *text   = NULL;
    json_t       *result = NULL;
    tailor_status status = tailor_run_show(app->lib, folder, run, &text);
    tl_status     rc     = tl_app_json(app, status, text, &result);

    if (rc != TL_OK) return rc;
    if (app->term.json) rc = tl_app_print_json(app, result);
    else {
        printf("%s/%" PRId64 "  %s  seed %" PRId64 "  %s\n", folder, run,
               tl_json_text(result, "key", "?"),
               tl_json_int(result, "seed", 0), tl_json_text(result, "status", "?"));
        TL_TRY(print_settings(app, json_object_get(result, "settings")));
        TL_TRY(print_flat(app, "result", json_object_get(result, "result")));
        TL_TRY(print_curve(app, json_object_get(result, "points")));
    }
done:
    json_decref(result);
    return rc;
}

/* A study's verdict again, where there is one; else its runs. */
static tl_status show_study(tl_app *app, const char *folder)
{
    tl_ctx   *ctx   = &app->ctx;
    json_t   *value = NULL;
    char     *path  = NULL;
    bool      judged;
    tl_status rc;

    TL_TRY(tl_path_join(ctx, folder, "verdict.json", &path));
    judged = tl_exists(path);
    if (judged) TL_TRY(tl_json_read(ctx, path, (size_t)64 << 20, &value));
    else TL_TRY(read_study(app, folder, &value));
    if (app->term.json) TL_TRY(tl_app_print_json(app, value));
    else if (judged) TL_TRY(tl_verdict_print(app, value, folder));
    else TL_TRY(print_runs(app, folder, value));
done:
    if (value) json_decref(value);
    tl_free(ctx, path);
    return rc;
}

tl_status tl_cmd_show(tl_app *app)
{
    char     *folder = NULL;
    int64_t   run    = 0;
    tl_status rc     = find_folder(app, app->args.operand[0], &folder, &run);

    if (rc == TL_OK) rc = run ? show_run(app, folder, run) : show_study(app, folder);
    tl_free(&app->ctx, folder);
    return rc;
}

/* argv of the stored command, with the flags of this one that change nothing in the result. */
static tl_status replay_arguments(tl_app *app, const json_t *command, char ***argv,
                                  size_t *count)
{
    static const tl_option_id kept[] = { TL_OPT_json, TL_OPT_quiet, TL_OPT_dry_run };
    tl_ctx                   *ctx    = &app->ctx;
    json_t                   *word;
    size_t                    i;
    tl_status                 rc = TL_OK;

    json_array_foreach(command, i, word) {
        TL_TRY(tl_list_add(ctx, argv, count, json_is_string(word)
                           ? json_string_value(word) : ""));
        for (size_t k = 0; i == 0 && k < TL_COUNT(kept); k++) {
            char flag[32];
            snprintf(flag, sizeof flag, "--%s", tl_option_at(kept[k])->name);
            if (tl_args_given(&app->args, kept[k])) TL_TRY(tl_list_add(ctx, argv, count, flag));
        }
    }
done:
    return rc;
}

tl_status tl_cmd_resume(tl_app *app)
{
    tl_ctx     *ctx    = &app->ctx;
    char       *folder = NULL, **argv = NULL;
    size_t      argc   = 0;
    json_t     *study  = NULL;
    const char *where;
    int64_t     run;
    tl_status   rc;

    TL_TRY(find_folder(app, app->args.operand[0], &folder, &run));
    TL_TRY(read_study(app, folder, &study));
    if (tl_json_bool(study, "finished", false)) {
        fprintf(stderr, "tailor resume: %s is finished (tailor show %s)\n", folder, folder);
        if (app->term.json) TL_TRY(show_study(app, folder));
        goto done;
    }
    if (!json_array_size(json_object_get(study, "command")))
        TL_FAIL(TL_EDATA, folder, "no command is stored in its runs.db (start it anew)");
    TL_TRY(replay_arguments(app, json_object_get(study, "command"), &argv, &argc));
    where = tl_json_text(study, "directory", ".");
    if (chdir(where) != 0)
        TL_FAIL(TL_EDATA, where,
                "the folder it was started in is gone (start the command anew)");
    TL_TRY(tl_app_run(app, (int)argc, argv));
done:
    if (study) json_decref(study);
    tl_list_free(ctx, &argv, &argc);
    tl_free(ctx, folder);
    return rc;
}
