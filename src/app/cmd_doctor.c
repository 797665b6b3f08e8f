/* cmd_doctor.c -- `tailor doctor`: this machine, and how fast it is at most.  Floor 5, app. */
#include "app/app.h"

#include <math.h>
#include <stdio.h>

static void print_rate(const char *name, const json_t *peak, const char *key, const char *unit)
{
    const double value = tl_json_number(peak, key, NAN);

    if (isfinite(value) && value > 0.0) printf("%-16s %.0f %s\n", name, value, unit);
    else printf("%-16s not on this CPU\n", name);
}

static void print_libraries(const json_t *libraries)
{
    const char *name;
    json_t     *version;
    int         n = 0;

    printf("%-16s ", "libraries");
    json_object_foreach((json_t *)(uintptr_t)libraries, name, version)
        printf("%s%s %s", n++ ? ", " : "", name, json_string_value(version));
    putchar('\n');
}

static void print_machine(const json_t *r)
{
    const json_t *peak = json_object_get(r, "peak");
    char          bytes[32];

    printf("%-16s %s\n", "tailor", tl_json_text(r, "version", "?"));
    printf("%-16s %s\n", "cpu", tl_json_text(r, "cpu", "?"));
    printf("%-16s %s%s\n", "instruction set", tl_json_text(r, "instruction_set", "?"),
           tl_json_bool(r, "bf16", false) ? " (bf16 products)" : "");
    printf("%-16s %" PRId64 " (%" PRId64 " used)\n", "cores", tl_json_int(r, "cores", 0),
           tl_json_int(r, "threads", 0));
    printf("%-16s %s\n", "memory",
           tl_say_bytes((double)tl_json_int(r, "memory_bytes", 0), bytes));
    print_rate("peak f32", peak, "f32_gflops", "GFLOP/s");
    print_rate("peak bf16", peak, "bf16_gflops", "GFLOP/s");
    print_rate("memory speed", peak, "memory_gb_s", "GB/s");
    printf("%-16s %s\n", "backend", tl_json_text(r, "backend", "?"));
    print_libraries(json_object_get(r, "libraries"));
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
    tl_term_finish(&app->term);
    if (app->term.json) TL_TRY(tl_app_print_json(app, result));
    else print_machine(result);
done:
    if (result) json_decref(result);
    return rc;
}
