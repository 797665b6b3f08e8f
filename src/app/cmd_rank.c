/* cmd_rank.c -- `tailor rank`: the bases in the order of how well their features tell the classes
 * apart.  Floor 5, app. */
#include "app/app.h"
#include "core/io.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *say_number(const char *format, double value, char buffer[32])
{
    if (!isfinite(value)) return "-";
    snprintf(buffer, 32, format, value);
    return buffer;
}

/* The last name of a path, with the one before it for a model that Tailor wrote. */
static const char *name_of(const char *path)
{
    const char *name = tl_path_name(path);

    if (strcmp(name, "best") != 0) return name;
    for (int slashes = 0; name > path; name--)
        if (name[-1] == '/' && slashes++) break;
    return name;
}

static void add_row(tl_grid *table, const json_t *b)
{
    const json_t *probe = json_object_get(b, "probe"), *ci = json_object_get(probe, "ci95");
    const json_t *place = json_object_get(b, "rank_ci95");
    char          cell[8][48], number[32];

    snprintf(cell[0], sizeof cell[0], "%g [%g, %g]", tl_json_number(b, "rank", NAN),
             json_number_value(json_array_get(place, 0)),
             json_number_value(json_array_get(place, 1)));
    snprintf(cell[1], sizeof cell[1], "%.1f %% [%.1f, %.1f]",
             100.0 * tl_json_number(probe, "mean", NAN),
             100.0 * json_number_value(json_array_get(ci, 0)),
             100.0 * json_number_value(json_array_get(ci, 1)));
    snprintf(cell[2], sizeof cell[2], "%.1f %%", 100.0 * tl_json_number(b, "knn", NAN));
    snprintf(cell[3], sizeof cell[3], "%s",
             say_number("%.2f", tl_json_number(b, "hscore", NAN), number));
    snprintf(cell[4], sizeof cell[4], "%s",
             say_number("%.3f", tl_json_number(b, "logme", NAN), number));
    snprintf(cell[5], sizeof cell[5], "%s",
             say_number("%.3f", tl_json_number(b, "leep", NAN), number));
    snprintf(cell[6], sizeof cell[6], "%s",
             tl_say_count(tl_json_int(b, "parameters", 0), number));
    snprintf(cell[7], sizeof cell[7], "%.2g ms", tl_json_number(b, "ms_per_row", NAN));
    tl_grid_row(table, TL_PLAIN,
                (const char *[]){ cell[0], name_of(tl_json_text(b, "base", "?")), cell[1],
                                  cell[2], cell[3], cell[4], cell[5], cell[6], cell[7] });
}

static tl_status print_ranking(tl_app *app, const json_t *result)
{
    const json_t *bases = json_object_get(result, "bases");
    const json_t *data  = json_object_get(result, "data");
    const json_t *first = json_array_get(bases, 0);
    tl_grid       table = tl_grid_make(&app->ctx, 9, 0x1f8u);
    char          rows[32];
    json_t       *b;
    size_t        i;
    tl_status     rc;

    tl_grid_row(&table, TL_BOLD,
                (const char *[]){ "rank [95 %]", "base", "new head [95 %]", "kNN", "H-score",
                                  "LogME", "LEEP", "parameters", "a row" });
    json_array_foreach(bases, i, b) add_row(&table, b);
    printf("Bases by a new head on frozen features, cross-validated on %s training rows:\n\n",
           tl_say_count(tl_json_int(data, "rows", 0), rows));
    rc = tl_grid_print(&table, &app->term, "  ");
    tl_grid_free(&table);
    if (rc != TL_OK) return rc;
    json_array_foreach(bases, i, b) {
        const json_t *distance = json_object_get(b, "distance");
        char          line[700];
        if (!tl_json_bool(distance, "far", false)) continue;
        snprintf(line, sizeof line, "\nThe data lies far from %.200s: %s.",
                 name_of(tl_json_text(b, "base", "?")), tl_json_text(distance, "why", ""));
        tl_term_wrap(&app->term, "", false, line);
    }
    tl_term_wrap(&app->term, "", false,
                 "\nThis orders bases for a head on their features, and is a prior for "
                 "fine-tuning, no more: only training tells.  The largest base is not always the "
                 "best, nor the first here after fine-tuning.");
    if (first)
        printf("\nnext  tailor compare %s --base %s\n", tl_json_text(data, "path", "DATA"),
               tl_json_text(first, "base", "?"));
    return TL_OK;
}

tl_status tl_cmd_rank(tl_app *app)
{
    const tl_args *a      = &app->args;
    const char   **bases  = NULL;
    char          *text   = NULL;
    json_t        *result = NULL;
    tailor_status  status;
    tl_status      rc;

    TL_TRY(tl_app_list(app, TL_OPT_base, &bases));
    const tailor_question q = { .data       = a->operand[0],
                                .valid      = tl_args_text(a, TL_OPT_valid),
                                .test       = tl_args_text(a, TL_OPT_test),
                                .base       = bases,
                                .arch       = tl_args_text(a, TL_OPT_arch),
                                .train_rows = tl_args_int(a, TL_OPT_train_rows, 0),
                                .seed       = tl_app_seed(app),
                                .settings   = (const char *const *)a->setting,
                                .target     = tl_args_text(a, TL_OPT_target),
                                .task       = tl_args_text(a, TL_OPT_task),
                                .text       = tl_args_text(a, TL_OPT_text),
                                .label      = tl_args_text(a, TL_OPT_label),
                                .order      = tl_args_text(a, TL_OPT_order),
                                .skip_bad   = tl_args_given(a, TL_OPT_skip_bad) };
    tl_term_say(&app->term, "tailor rank: reading the data");
    status = tailor_rank(app->lib, &q, &text);
    TL_TRY(tl_app_json(app, status, text, &result));
    tl_term_finish(&app->term);
    if (app->term.json) TL_TRY(tl_app_print_json(app, result));
    else TL_TRY(print_ranking(app, result));
done:
    if (result) json_decref(result);
    tl_free(&app->ctx, bases);
    return rc;
}
