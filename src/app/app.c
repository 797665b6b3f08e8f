/* app.c -- a command line becomes a command; what the commands share.  Floor 5, app. */
#include "app/app.h"
#include "core/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tl_command commands[] = {
#define COMMAND(id, operands, least, most, doc, example, function) \
    [TL_CMD_##id] = { #id, operands, least, most, doc, example, function },
#include "app/commands.def"
#undef COMMAND
};

static const char *const later[] = {
#define COMMAND(id, operands, least, most, doc, example, function)
#define LATER(id) #id,
#include "app/commands.def"
#undef LATER
#undef COMMAND
};

const tl_command *tl_command_at(size_t i)
{
    return i < TL_COUNT(commands) ? &commands[i] : NULL;
}

static const char *command_name_at(size_t i)
{
    return i < TL_COUNT(commands) ? commands[i].name : NULL;
}

tl_status tl_command_named(tl_ctx *ctx, const char *name, const tl_command **out)
{
    const char *meant;

    *out = NULL;
    for (size_t i = 0; i < TL_COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0) {
            *out = &commands[i];
            return TL_OK;
        }
    for (size_t i = 0; i < TL_COUNT(later); i++)
        if (strcmp(later[i], name) == 0)
            return tl_fail(ctx, TL_EUSAGE, name,
                           "not part of this version (`tailor help` lists "
                           "what is)");
    meant = tl_did_you_mean(name, command_name_at);
    if (meant)
        return tl_fail(ctx, TL_EUSAGE, name,
                       "unknown command (did you mean `tailor %s`?)", meant);
    return tl_fail(ctx, TL_EUSAGE, name, "unknown command (see `tailor help`)");
}

static tl_status check_operands(tl_app *app)
{
    const tl_command *c = app->command;
    const size_t      n = app->args.operands;

    if (n < (size_t)c->least)
        return tl_fail(&app->ctx, TL_EUSAGE, c->name, "%s is missing (usage: tailor %s %s)",
                       n == 0 ? "its operand" : "an operand", c->name, c->operands);
    if (c->most >= 0 && n > (size_t)c->most)
        return tl_fail(&app->ctx, TL_EUSAGE, c->name, "\"%s\" is one operand too many (usage: "
                       "tailor %s %s)", app->args.operand[c->most], c->name, c->operands);
    return TL_OK;
}

/* Names that the library knows, so that a slip of the keyboard is said before data are read. */
static const char *route_at(size_t i)
{
    return tailor_known("route", i, NULL);
}

static const char *update_at(size_t i)
{
    return tailor_known("update", i, NULL);
}

static const char *optimizer_at(size_t i)
{
    return tailor_known("optimizer", i, NULL);
}

static const char *schedule_at(size_t i)
{
    return tailor_known("schedule", i, NULL);
}

static const struct { tl_option_id id; tl_name_at at; } known[] = {
    { TL_OPT_route, route_at }, { TL_OPT_routes, route_at },
    { TL_OPT_optimizer, optimizer_at }, { TL_OPT_schedule, schedule_at },
};

static bool is_known(const char *name, size_t bytes, tl_name_at at)
{
    const char *known_name;

    for (size_t i = 0; (known_name = at(i)); i++)
        if (strlen(known_name) == bytes && strncmp(known_name, name, bytes) == 0) return true;
    return false;
}

/* Each of "a,b,c" is known. */
static tl_status check_names(tl_ctx *ctx, tl_option_id id, const char *names, tl_name_at at)
{
    while (names && *names) {
        const size_t n = strcspn(names, ",");
        char         where[80], name[80];
        const char  *meant;
        if (n && !is_known(names, n, at)) {
            snprintf(where, sizeof where, "--%s", tl_option_at(id)->name);
            snprintf(name, sizeof name, "%.*s", (int)TL_MIN(n, (size_t)70), names);
            meant = tl_did_you_mean(name, at);
            return tl_fail(ctx, TL_EUSAGE, where, "\"%s\" is not known (%s%s%s)", name,
                           meant ? "did you mean " : "see `tailor help COMMAND`",
                           meant ? meant : "",
                           meant ? "?" : "");
        }
        names += n + (names[n] == ',');
    }
    return TL_OK;
}

static tl_status check_known(tl_app *app)
{
    const bool update = app->command == tl_command_at(TL_CMD_update);

    for (size_t i = 0; i < TL_COUNT(known); i++) {
        const tl_name_at at = update && known[i].at == route_at ? update_at : known[i].at;
        const tl_status  rc = check_names(&app->ctx, known[i].id,
                                          tl_args_text(&app->args, known[i].id), at);
        if (rc != TL_OK) return rc;
    }
    return TL_OK;
}

static tl_status apply_common(tl_app *app)
{
    const tl_args *args = &app->args;
    const char    *precision = tl_args_text(args, TL_OPT_precision);
    tl_status      rc;

    app->term.json  = tl_args_given(args, TL_OPT_json);
    app->term.quiet = tl_args_given(args, TL_OPT_quiet);
    TL_TRY(tl_app_lib(app, tailor_set_threads(app->lib, (int)TL_MIN(tl_args_int(args,
                              TL_OPT_threads, 0), 4096))));
    TL_TRY(tl_app_lib(app, tailor_set_memory(app->lib, tl_args_bytes(args, TL_OPT_memory))));
    if (precision) TL_TRY(tl_app_lib(app, tailor_set_precision(app->lib, precision)));
done:
    return rc;
}

tl_status tl_app_run(tl_app *app, int argc, char **argv)
{
    tl_ctx   *ctx = &app->ctx;
    tl_status rc;

    tl_args_free(ctx, &app->args);
    TL_TRY(tl_args_parse(ctx, argc, argv, &app->args));
    if (tl_args_given(&app->args, TL_OPT_version)) {
        printf("tailor %s\n", tailor_version());
        return TL_OK;
    }
    if (!app->args.command) {
        tl_help_overview(app);
        if (tl_args_given(&app->args, TL_OPT_help)) return TL_OK;
        TL_FAIL(TL_EUSAGE, "command", "none is given (try `tailor demo`)");
    }
    TL_TRY(tl_command_named(ctx, app->args.command, &app->command));
    if (tl_args_given(&app->args, TL_OPT_help)) {
        tl_help_command(app, (tl_command_id)(app->command - commands));
        return TL_OK;
    }
    TL_TRY(check_operands(app));
    TL_TRY(tl_args_complete(ctx, &app->args, (tl_command_id)(app->command - commands)));
    TL_TRY(check_known(app));
    TL_TRY(apply_common(app));
    TL_TRY(app->command->run(app));
done:
    return rc;
}

tl_status tl_app_lib(tl_app *app, tailor_status status)
{
    static const struct { tailor_status theirs; tl_status ours; } map[] = {
        { TAILOR_OK, TL_OK },          { TAILOR_FAILED, TL_EFAIL }, { TAILOR_USAGE, TL_EUSAGE },
        { TAILOR_BAD_DATA, TL_EDATA }, { TAILOR_LIMIT, TL_ELIMIT },
        { TAILOR_INTERRUPTED, TL_ECANCEL },
    };

    if (status == TAILOR_OK) return TL_OK;
    for (size_t i = 0; i < TL_COUNT(map); i++)
        if (map[i].theirs == status)
            return tl_fail(&app->ctx, map[i].ours, NULL, "%s", tailor_error(app->lib));
    return tl_fail(&app->ctx, TL_EFAIL, NULL, "%s", tailor_error(app->lib));
}

tl_status tl_app_json(tl_app *app, tailor_status status, char *text, json_t **out)
{
    tl_status rc;

    *out = NULL;
    rc   = tl_app_lib(app, status);
    if (rc == TL_OK) rc = tl_json_parse(&app->ctx, "result", text, strlen(text), out);
    tailor_text_free(app->lib, text);
    return rc;
}

tl_status tl_app_print_json(tl_app *app, const json_t *value)
{
    if (json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) == 0 &&
        putchar('\n') >= 0)
        return TL_OK;
    return tl_fail(&app->ctx, TL_EIO, "stdout", "could not be written (write elsewhere)");
}

/* "train10k-images-idx3-ubyte.gz" -> "train10k-images-idx3-ubyte": no slashes, no endings. */
static void run_name(const char *data, char *name, size_t room)
{
    size_t n = strlen(data), start;

    while (n > 1 && data[n - 1] == '/') n--;
    for (start = n; start && data[start - 1] != '/'; start--) {}
    snprintf(name, room, "%.*s", (int)TL_MIN(n - start, (size_t)100), data + start);
    if (strchr(name + 1, '.') && name[0]) *strchr(name + 1, '.') = 0;
    for (char *c = name; *c; c++)
        if (*c <= ' ' || *c == '/' || *c == '.') *c = '_';
    if (!*name || strcmp(name, "_") == 0 || strcmp(name, "__") == 0)
        snprintf(name, room, "run");
}

tl_status tl_app_out(tl_app *app, const char *data, char **out)
{
    tl_ctx     *ctx   = &app->ctx;
    const char *given = tl_args_text(&app->args, TL_OPT_out);
    tl_text     path  = tl_text_make(ctx);
    char        name[128];
    tl_status   rc;

    *out = NULL;
    if (given) return tl_strdup(ctx, given, out);
    run_name(data, name, sizeof name);
    for (int64_t n = 1; n < 1000000; n++) {
        path.bytes = 0;
        tl_text_printf(&path, "tailor-runs/%s-%" PRId64, name, n);
        TL_TRY(path.status);
        if (tl_exists(path.text)) continue;
        *out      = path.text;
        path.text = NULL;
        break;
    }
    rc = *out ? TL_OK : tl_fail(ctx, TL_EUSAGE, "tailor-runs",
                                "too many runs (give --out DIR)");
done:
    tl_text_free(&path);
    return rc;
}

tl_status tl_app_ended(tl_app *app, tl_status rc, const char *out)
{
    tl_ctx *ctx   = &app->ctx;
    tl_text again = tl_text_make(ctx);

    if (rc != TL_ECANCEL || !out || !tl_is_folder(out)) return rc;
    tl_text_add_word(&again, out);
    if (again.status == TL_OK)
        (void)tl_fail(ctx, rc, out, "interrupted, saved (tailor resume %s goes on)", again.text);
    tl_text_free(&again);
    return rc;
}

tl_status tl_app_list(tl_app *app, tl_option_id id, const char ***out)
{
    tl_ctx         *ctx = &app->ctx;
    const tl_value *v   = &app->args.value[id];
    tl_status       rc;

    TL_TRY(tl_alloc_array(ctx, v->count + 1, sizeof **out, out));
    for (size_t i = 0; i < v->count; i++) (*out)[i] = v->text[i];
done:
    return rc;
}

/* Not what says nothing about the result, or was taken up in other values, or (from the environment
 * or a file) is another command's. */
static bool is_stored(const tl_app *app, tl_option_id id)
{
    return tl_option_applies(tl_option_at(id), (tl_command_id)(app->command - commands)) &&
           id != TL_OPT_out && id != TL_OPT_config && id != TL_OPT_set &&
           id != TL_OPT_json && id != TL_OPT_quiet && id != TL_OPT_serve &&
           id != TL_OPT_yes && id != TL_OPT_dry_run;
}

tl_status tl_app_stored_command(tl_app *app, const char *out, char ***argv, size_t *count)
{
    tl_ctx        *ctx  = &app->ctx;
    const tl_args *args = &app->args;
    tl_text        t    = tl_text_make(ctx);
    tl_status      rc;

    TL_TRY(tl_list_add(ctx, argv, count, "tailor"));
    TL_TRY(tl_list_add(ctx, argv, count, args->command));
    for (size_t i = 0; i < TL_OPTIONS; i++)
        for (size_t k = 0; k < args->value[i].count && is_stored(app, (tl_option_id)i); k++) {
            const bool flag = tl_option_at(i)->kind == TL_KIND_FLAG;
            t.bytes         = 0;
            tl_text_printf(&t, "--%s%s%s", tl_option_at(i)->name, flag ? "" : "=",
                           flag ? "" : args->value[i].text[k]);
            TL_TRY(t.status);
            TL_TRY(tl_list_add(ctx, argv, count, t.text));
        }
    for (size_t i = 0; i < args->dotteds; i++) {
        t.bytes = 0;
        tl_text_printf(&t, "--%s", args->dotted[i].pair);
        TL_TRY(t.status);
        TL_TRY(tl_list_add(ctx, argv, count, t.text));
    }
    t.bytes = 0;
    tl_text_printf(&t, "--out=%s", out);
    TL_TRY(t.status);
    TL_TRY(tl_list_add(ctx, argv, count, t.text));
    TL_TRY(tl_list_add(ctx, argv, count, "--"));
    for (size_t i = 0; i < args->operands; i++)
        TL_TRY(tl_list_add(ctx, argv, count, args->operand[i]));
    TL_TRY(tl_realloc(ctx, (*count + 1) * sizeof **argv, argv)); /* NULL behind the last */
done:
    tl_text_free(&t);
    return rc;
}

uint64_t tl_app_seed(const tl_app *app)
{
    return (uint64_t)tl_args_int(&app->args, TL_OPT_seed, 1);
}

const char *tl_app_new_inputs(const char *task)
{
    return strncmp(task, "text", 4) == 0    ? "NEW-TEXTS.csv"
           : strncmp(task, "table", 5) == 0 ? "NEW-ROWS.csv"
                                            : "NEW-PICTURES/";
}

tl_status tl_app_open_corpus(tl_app *app, const char *path, const tailor_model *like,
                             tailor_data **out)
{
    const tailor_data_options options = {
        .valid = tl_args_text(&app->args, TL_OPT_valid),
        .test  = tl_args_text(&app->args, TL_OPT_test),
        .text  = tl_args_text(&app->args, TL_OPT_text),
        .seed  = tl_app_seed(app),
        .like  = like,
    };

    return tl_app_lib(app, tailor_corpus_open(app->lib, path, &options, out));
}

tl_status tl_app_open_data(tl_app *app, const char *path, bool skip_bad,
                           const tailor_model *like,
                           tailor_data **out)
{
    const tailor_data_options options = {
        .valid    = tl_args_text(&app->args, TL_OPT_valid),
        .test     = tl_args_text(&app->args, TL_OPT_test),
        .skip_bad = skip_bad || tl_args_given(&app->args, TL_OPT_skip_bad),
        .seed     = tl_app_seed(app),
        .target   = tl_args_text(&app->args, TL_OPT_target),
        .task     = tl_args_text(&app->args, TL_OPT_task),
        .text     = tl_args_text(&app->args, TL_OPT_text),
        .label    = tl_args_text(&app->args, TL_OPT_label),
        .group    = tl_args_text(&app->args, TL_OPT_group),
        .order    = tl_args_text(&app->args, TL_OPT_order),
        .like     = like,
    };

    return tl_app_lib(app, tailor_data_open(app->lib, path, &options, out));
}
