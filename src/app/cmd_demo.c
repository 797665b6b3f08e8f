/* cmd_demo.c -- `tailor demo`: the main job on generated pictures, twice, with few labels and
 * with many, to show that the answer depends on the amount of data.  Floor 5, app. */
#include "app/app.h"
#include "core/io.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct { const char *name; int64_t rows; double budget_s, most_s; } rounds[] = {
    { "few", 50, 9.0, 45.0 },
    { "many", 6000, 26.0, 130.0 },
};

/* The plain ways, whose answers lie far apart: mixtures of them would come close to each. */
static const char *const routes[] = { "baseline", "probe", "partial", "scratch", "full", NULL };
/* Short schedules for small pictures; said in the plan as any setting is. */
static const char *const settings[] = { "epochs=6", "least_steps=400", "patience=0", NULL };

static tl_status ask(tl_app *app, const char *folder, size_t i, json_t **verdict)
{
    tl_ctx   *ctx  = &app->ctx;
    tl_text   data = tl_text_make(ctx), base = tl_text_make(ctx), out = tl_text_make(ctx);
    char     *text = NULL, line[80];
    tl_status rc;

    tl_text_printf(&data, "%s/digits", folder);
    tl_text_printf(&base, "%s/letters", folder);
    tl_text_printf(&out, "%s/%s", folder, rounds[i].name);
    TL_TRY(data.status);
    TL_TRY(base.status);
    TL_TRY(out.status);
    snprintf(line, sizeof line, "%zu. %" PRId64 " labelled digits", i + 1, rounds[i].rows);
    tl_term_say(&app->term, line);
    const char *const     bases[] = { base.text, NULL };
    const tailor_question q       = { .data = data.text, .base = bases,
                                      .routes = routes, .seed = tl_app_seed(app),
                                      .train_rows = rounds[i].rows,
                                      .budget_s = rounds[i].budget_s,
                                      .budget_most_s = rounds[i].most_s,
                                      .seeds = 4, .settings = settings,
                                      .out = out.text };
    const tailor_status   status  = tailor_compare(app->lib, &q, &text);
    TL_TRY(tl_app_json(app, status, text, verdict));
done:
    tl_text_free(&data);
    tl_text_free(&base);
    tl_text_free(&out);
    return rc;
}

static const char *winner_of(const json_t *verdict)
{
    return tl_json_text(json_object_get(verdict, "winner"), "route", "?");
}

/* A row a route, a column a round; the answers are starred. */
static tl_status print_scores(tl_app *app, json_t *const *verdict)
{
    tl_grid   table = tl_grid_make(&app->ctx, 1 + TL_COUNT(rounds), 0u);
    char      cell[TL_COUNT(rounds)][96], score[64];
    json_t   *like;
    size_t    row;
    tl_status rc;

    for (size_t i = 0; i < TL_COUNT(rounds); i++)
        snprintf(cell[i], sizeof cell[i], "with %s labels", tl_say_count(rounds[i].rows, score));
    tl_grid_row(&table, TL_BOLD, (const char *[]){ "route", cell[0], cell[1] });
    json_array_foreach(json_object_get(verdict[0], "candidates"), row, like) {
        const char *route = tl_json_text(like, "route", "?");
        for (size_t i = 0; i < TL_COUNT(rounds); i++)
            snprintf(cell[i], sizeof cell[i], "%s%s", tl_verdict_score(verdict[i], like, score),
                     strcmp(route, winner_of(verdict[i])) == 0 ? " *" : "");
        tl_grid_row(&table, TL_PLAIN, (const char *[]){ route, cell[0], cell[1] });
    }
    rc = tl_grid_print(&table, &app->term, "  ");
    tl_grid_free(&table);
    return rc;
}

static void print_answers(json_t *const *verdict)
{
    static const struct { const char *outcome, *meaning; } meanings[] = {
        { "better", "better than every other, by more than chance explains" },
        { "tie", "others do as well; this is the cheapest of them" },
        { "undecided", "no proof yet; it is the best guess so far" },
    };

    for (size_t i = 0; i < TL_COUNT(rounds); i++) {
        const char *outcome = tl_json_text(verdict[i], "outcome", "undecided"), *why = outcome;
        char        labels[32];
        for (size_t k = 0; k < TL_COUNT(meanings); k++)
            if (strcmp(outcome, meanings[k].outcome) == 0) why = meanings[k].meaning;
        printf("%s with %s labels take %s (%s)\n", i ? "   " : "\n  *",
               tl_say_count(rounds[i].rows, labels), winner_of(verdict[i]), why);
    }
}

static tl_status print_demo(tl_app *app, json_t *const *verdict, const char *folder)
{
    const char *few = winner_of(verdict[0]), *many = winner_of(verdict[1]);
    char        rows[32];
    tl_status   rc;

    printf("Should I start from a pretrained network, and how much of it should I train?\n"
           "What each route gets right of %s test pictures, with its 95 %% interval:\n\n",
           tl_say_count(tl_json_int(json_object_get(verdict[0], "data"), "test", 0), rows));
    TL_TRY(print_scores(app, verdict));
    print_answers(verdict);
    if (strcmp(few, many) != 0)
        printf("\nThe answer changes with the amount of data: %s with few labels, %s with "
               "many.\n", few, many);
    else printf("\nThis time %s is the answer for both amounts of data.\n", few);
    puts("The pictures are generated: digits drawn by this program with a random pen, slant and\n"
         "noise; the base is a network that Tailor trained on letters drawn the same way.\n");
    printf("reports  %s/few/report.html\n         %s/many/report.html\n", folder, folder);
    puts("yours    tailor compare YOUR-PICTURES/ --base WEIGHTS");
done:
    return rc;
}

tl_status tl_cmd_demo(tl_app *app)
{
    tl_ctx   *ctx                        = &app->ctx;
    json_t   *verdict[TL_COUNT(rounds)] = { 0 };
    char     *folder                     = NULL;
    tl_status rc;

    TL_TRY(tl_app_out(app, "demo", &folder));
    tl_term_say(&app->term,
                "tailor demo: drawing digits (a minute in all; longer on a busy machine)");
    TL_TRY(tl_app_lib(app, tailor_demo_files(app->lib, folder, tl_app_seed(app))));
    for (size_t i = 0; i < TL_COUNT(rounds); i++) TL_TRY(ask(app, folder, i, &verdict[i]));
    *app->term.held = 0; /* the table says more than the last run's last line */
    tl_term_finish(&app->term);
    if (app->term.json) {
        json_t *both = json_pack("{s:b, s:O, s:O}", "generated", 1, rounds[0].name, verdict[0],
                                 rounds[1].name, verdict[1]);
        rc = tl_app_print_json(app, both);
        json_decref(both);
    } else {
        TL_TRY(print_demo(app, verdict, folder));
    }
done:
    for (size_t i = 0; i < TL_COUNT(rounds); i++) json_decref(verdict[i]);
    tl_free(ctx, folder);
    return rc;
}
