/* cmd_machine.c -- `tailor inspect` (the data) and `tailor doctor` (the machine).  Floor 5. */
#include "app/app.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Any JSON object as "name  value" lines; objects inside are indented.  Lists of objects with a
 * "class" become a line each, other lists one line. */
static void print_value(const tl_term *term, const char *name, const json_t *value, int depth);

static void print_scalar(const json_t *value)
{
    char text[64];

    if (json_is_string(value)) fputs(json_string_value(value), stdout);
    else if (json_is_integer(value))
        fputs(tl_say_count(json_integer_value(value), text), stdout);
    else if (json_is_real(value)) printf("%.4g", json_real_value(value));
    else fputs(json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "unknown", stdout);
}

static void print_object(const tl_term *term, const json_t *object, int depth)
{
    const char *key;
    json_t     *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
        print_value(term, key, value, depth);
}

static void print_row(const json_t *object)
{
    const char *key;
    json_t     *value;
    int         n = 0;

    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (json_is_object(value) || json_is_array(value)) continue;
        printf("%s%s ", n++ ? ", " : "", key);
        print_scalar(value);
    }
}

static void print_list(const json_t *list, int depth)
{
    enum { SHOWN = 20 };
    json_t *item;
    size_t  i;
    const bool rows = json_is_object(json_array_get(list, 0));

    json_array_foreach(list, i, item) {
        if (i == SHOWN) {
            printf("%s... %zu more (--json has all)", rows ? "\n    " : ", ",
                   json_array_size(list) - i);
            break;
        }
        if (rows) printf("\n%*s", 2 * depth + 4, "");
        else if (i) fputs(", ", stdout);
        if (json_is_object(item)) print_row(item);
        else print_scalar(item);
    }
    putchar('\n');
}

static void print_value(const tl_term *term, const char *name, const json_t *value, int depth)
{
    enum { DEPTH = 6 };
    char words[64];

    snprintf(words, sizeof words, "%s", name);
    for (char *c = words; *c; c++)
        if (*c == '_') *c = ' ';
    printf("%*s%s%-*s%s ", 2 * depth, "", tl_term_out(term, depth ? TL_PLAIN : TL_BOLD),
           TL_MAX(20 - 2 * depth, 1), words, tl_term_out(term, TL_PLAIN));
    if (json_is_object(value) && depth < DEPTH) {
        putchar('\n');
        print_object(term, value, depth + 1);
    } else if (json_is_array(value)) {
        print_list(value, depth);
    } else {
        print_scalar(value);
        putchar('\n');
    }
}

static tl_status print_result(tl_app *app, const json_t *result)
{
    tl_term_finish(&app->term);
    if (app->term.json) return tl_app_print_json(app, result);
    print_object(&app->term, result, 0);
    return TL_OK;
}

tl_status tl_cmd_inspect(tl_app *app)
{
    tailor_data  *data   = NULL;
    json_t       *result = NULL;
    char         *text   = NULL;
    tailor_status status;
    tl_status     rc;

    tl_term_say(&app->term, "tailor inspect: reading the data");
    TL_TRY(tl_app_open_data(app, app->args.operand[0], &data));
    status = tailor_data_inspect(app->lib, data, &text);
    TL_TRY(tl_app_json(app, status, text, &result));
    TL_TRY(print_result(app, result));
done:
    if (result) json_decref(result);
    tailor_data_free(app->lib, data);
    return rc;
}

tl_status tl_cmd_doctor(tl_app *app)
{
    json_t       *result = NULL;
    char         *text   = NULL;
    tailor_status status;
    tl_status     rc;

    tl_term_say(&app->term, "tailor doctor: measuring this machine");
    status = tailor_doctor(app->lib, &text);
    TL_TRY(tl_app_json(app, status, text, &result));
    TL_TRY(print_result(app, result));
done:
    if (result) json_decref(result);
    return rc;
}
