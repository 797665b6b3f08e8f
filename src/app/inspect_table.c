/* inspect_table.c -- what `tailor inspect` says of a table: its target and its columns.
 * Floor 5, app. */
#include "app/app.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void print_target(const json_t *target)
{
    const double low = tl_json_number(target, "min", NAN);

    printf("  target      %s (%s)", tl_json_text(target, "name", "?"),
           tl_json_text(target, "found", "as asked"));
    if (isfinite(low))
        printf(": %.6g to %.6g, mean %.6g, sd %.6g", low, tl_json_number(target, "max", NAN),
               tl_json_number(target, "mean", NAN), tl_json_number(target, "sd", NAN));
    putchar('\n');
}

static void column_row(tl_grid *table, const json_t *c)
{
    const json_t *range = json_object_get(c, "range");
    char          n[2][32], what[200] = "";

    if (range)
        snprintf(what, sizeof what, "%.6g to %.6g, median %.6g",
                 tl_json_number(range, "min", NAN), tl_json_number(range, "max", NAN),
                 tl_json_number(range, "median", NAN));
    else snprintf(what, sizeof what, "%s", tl_json_text(c, "why", ""));
    tl_grid_row(table, tl_json_text(c, "why", NULL) ? TL_DIM : TL_PLAIN,
                (const char *[]){ tl_json_text(c, "name", "?"), tl_json_text(c, "kind", "?"),
                                  tl_say_count(tl_json_int(c, "missing", 0), n[0]),
                                  tl_say_count(tl_json_int(c, "distinct", 0), n[1]), what });
}

tl_status tl_inspect_print_table(tl_app *app, const json_t *r)
{
    enum { SHOWN = 100 };
    tl_grid       table = tl_grid_make(&app->ctx, 5, 1u << 2 | 1u << 3);
    json_t       *c;
    size_t        i;
    tl_status     rc;

    printf("  task        %s (--task says otherwise)\n", tl_json_text(r, "task", "?"));
    print_target(json_object_get(r, "target"));
    tl_grid_row(&table, TL_BOLD,
                (const char *[]){ "column", "kind", "missing", "distinct", "" });
    json_array_foreach(json_object_get(r, "columns"), i, c)
        if (i < SHOWN) column_row(&table, c);
    putchar('\n');
    rc = tl_grid_print(&table, &app->term, "  ");
    if (i > SHOWN) printf("  ... and %zu more (--json has all)\n", i - SHOWN);
    tl_grid_free(&table);
    return rc;
}
