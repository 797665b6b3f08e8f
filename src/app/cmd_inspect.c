/* cmd_inspect.c -- `tailor inspect`: the data in numbers, and what is wrong with it.  Floor 5. */
#include "app/app.h"
#include "core/io.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *say(const json_t *object, const char *key, char buffer[32])
{
    return tl_say_count(tl_json_int(object, key, 0), buffer);
}

static const char *plural(const json_t *object, const char *key, const char *one,
                          const char *many)
{
    return tl_plural(tl_json_int(object, key, 0), one, many);
}

/* "128", or "120 to 400, median 200" */
static void print_range(const json_t *range)
{
    const int64_t low = tl_json_int(range, "min", 0), high = tl_json_int(range, "max", 0);

    printf("%" PRId64, low);
    if (low != high)
        printf(" to %" PRId64 " (median %" PRId64 ")", high, tl_json_int(range, "median", 0));
}

/* "1,600 train, 400 test" */
static void print_parts(const json_t *parts)
{
    static const struct { const char *key, *words; } part[] = {
        { "train", "train" }, { "valid", "valid" }, { "test", "test" },
        { "not_said", "in no part yet" },
    };
    int shown = 0;

    fputs("  parts       ", stdout);
    for (size_t i = 0; i < TL_COUNT(part); i++) {
        char n[32];
        if (tl_json_int(parts, part[i].key, 0) == 0) continue;
        printf("%s%s %s", shown++ ? ", " : "", say(parts, part[i].key, n), part[i].words);
    }
    putchar('\n');
}

static void print_sizes(const json_t *sizes)
{
    fputs("  pictures    ", stdout);
    print_range(json_object_get(sizes, "width"));
    fputs(" wide, ", stdout);
    print_range(json_object_get(sizes, "height"));
    printf(" high, %s\n", tl_json_text(sizes, "colour", "unknown"));
}

static void print_texts(const json_t *texts)
{
    printf("  text        %s%s%s (%s)\n  label       %s\n  texts       ",
           tl_json_text(texts, "text", "?"), tl_json_text(texts, "text_b", NULL) ? " and " : "",
           tl_json_text(texts, "text_b", ""), tl_json_text(texts, "found", "as asked"),
           tl_json_text(texts, "label", "the file's name"));
    print_range(json_object_get(texts, "words"));
    fputs(" words, ", stdout);
    print_range(json_object_get(texts, "characters"));
    puts(" characters");
}

static void print_counts(const json_t *r)
{
    const json_t *parts = json_object_get(r, "parts"), *sizes = json_object_get(r, "sizes");
    const json_t *balance = json_object_get(r, "balance");
    char          n[2][32];

    print_parts(parts);
    if (json_object_get(json_object_get(r, "target"), "mean")) return;
    if (json_is_object(sizes)) print_sizes(sizes);
    if (tl_json_int(balance, "largest_rows", 0) == tl_json_int(balance, "smallest_rows", 0))
        printf("  balance     every class has %s\n", say(balance, "largest_rows", n[0]));
    else
        printf("  balance     %s has most (%s), %s fewest (%s)\n",
               tl_json_text(balance, "largest", "?"), say(balance, "largest_rows", n[0]),
               tl_json_text(balance, "smallest", "?"), say(balance, "smallest_rows", n[1]));
}

/* Does the data say which rows are for training and which for testing? */
static bool has_parts(const json_t *r)
{
    const json_t *parts = json_object_get(r, "parts");

    return tl_json_int(parts, "not_said", 0) < tl_json_int(r, "rows", 0);
}

static void print_faults(const json_t *r)
{
    const json_t *same = json_object_get(r, "duplicates"), *leaks = json_object_get(r, "leaks");
    char          n[3][32];

    printf("  unreadable  %s\n", say(json_object_get(r, "unreadable"), "rows", n[0]));
    if (json_is_object(same))
        printf("  duplicates  %s %s in %s %s, %s of them with more than one label\n",
               say(same, "rows", n[0]), plural(same, "rows", "copy", "copies"),
               say(same, "groups", n[1]), plural(same, "groups", "group", "groups"),
               say(same, "conflicting", n[2]));
    else puts("  duplicates  unknown: some pictures are damaged");
    if (!has_parts(r)) return;
    if (json_is_object(leaks))
        printf("  leaks       %s train to test, %s train to valid, %s valid to test\n",
               say(leaks, "train_test", n[0]), say(leaks, "train_valid", n[1]),
               say(leaks, "valid_test", n[2]));
    else puts("  leaks       unknown");
}

/* Each pair of equal pictures, or the first of many. */
static void print_pairs(const char *title, const json_t *found)
{
    json_t *pair;
    size_t  i;

    json_array_foreach(json_object_get(found, "first"), i, pair) {
        if (i == 0) printf("\n  %s\n", title);
        printf("    %s\n    = %s\n", json_string_value(json_array_get(pair, 0)),
               json_string_value(json_array_get(pair, 1)));
    }
}

/* The same of rows that are nearly equal, where that was looked at. */
static void print_near(const json_t *r)
{
    const json_t *near  = json_object_get(r, "near_duplicates");
    const json_t *leaks = json_object_get(r, "near_leaks");
    char          n[3][32];

    if (!json_is_object(near)) return;
    printf("  nearly same %s %s in %s %s; %s train to test\n", say(near, "rows", n[0]),
           plural(near, "rows", "row", "rows"), say(near, "groups", n[1]),
           plural(near, "groups", "group", "groups"), say(leaks, "train_test", n[2]));
}

/* Labels that are probably wrong, or the first of many. */
static tl_status print_labels(tl_app *app, const json_t *labels)
{
    enum { SHOWN = 10 };
    tl_grid   table = tl_grid_make(&app->ctx, 4, 0x8);
    json_t   *x;
    size_t    i;
    tl_status rc;

    if (!json_is_object(labels)) {
        tl_grid_free(&table);
        return TL_OK;
    }
    const int64_t rows  = tl_json_int(labels, "rows", 0);
    const double  noise = tl_json_number(labels, "noise", 0.0);
    printf("  labels      about %.0f of %" PRId64 " probably wrong (%.1f %%), %" PRId64
           " to look at, by %s\n",
           noise * (double)rows, rows, 100.0 * noise, tl_json_int(labels, "suspects", 0),
           tl_json_text(labels, "by", "?"));
    tl_grid_row(&table, TL_BOLD, (const char *[]){ "row", "labelled", "looks like", "sure" });
    json_array_foreach(json_object_get(labels, "found"), i, x) {
        char sure[32];
        snprintf(sure, sizeof sure, "%.0f %%", 100.0 * tl_json_number(x, "probability", 0.0));
        if (i < SHOWN)
            tl_grid_row(&table, TL_PLAIN,
                        (const char *[]){ tl_json_text(x, "row", "?"),
                                          tl_json_text(x, "given", "?"),
                                          tl_json_text(x, "likely", "?"), sure });
    }
    if (i > 0) putchar('\n');
    rc = i > 0 ? tl_grid_print(&table, &app->term, "  ") : TL_OK;
    if (i > SHOWN) printf("  ... and %zu more (--json has all)\n", i - SHOWN);
    tl_grid_free(&table);
    return rc;
}

/* The plain facts that foretell the label, the worst first. */
static void print_shortcuts(const json_t *shortcuts)
{
    json_t *f;
    size_t  i;
    int     shown = 0;

    json_array_foreach(json_object_get(shortcuts, "facts"), i, f)
        if (tl_json_bool(f, "said", false))
            printf("  %-11s %s alone is right in %.0f %% (chance %.0f %%)\n",
                   shown++ ? "" : "shortcuts", tl_json_text(f, "fact", "?"),
                   100.0 * tl_json_number(f, "score", 0.0),
                   100.0 * tl_json_number(shortcuts, "chance", 0.0));
    if (i > 0 && shown == 0)
        printf("  shortcuts   none of %zu plain facts foretells the label\n", i);
}

static void print_drift(const json_t *drift)
{
    json_t *part, *f;
    size_t  i, k;

    json_array_foreach(drift, i, part) {
        int     differ = 0;
        size_t  all    = json_array_size(json_object_get(part, "facts"));
        json_array_foreach(json_object_get(part, "facts"), k, f)
            differ += tl_json_bool(f, "said", false);
        printf("  %-11s %s against training: %d of %zu facts differ\n", i ? "" : "drift",
               tl_json_text(part, "part", "?"), differ, all);
    }
}

static void print_languages(const json_t *languages)
{
    json_t *one;
    size_t  i;

    json_array_foreach(json_object_get(languages, "found"), i, one) {
        char n[32];
        printf("%s%s %s", i ? ", " : "  languages   ", tl_json_text(one, "name", "?"),
               say(one, "rows", n));
    }
    if (i > 0) putchar('\n');
}

/* How far the data lies from each base. */
static void print_bases(const json_t *bases)
{
    json_t *b;
    size_t  i;

    json_array_foreach(bases, i, b)
        printf("  %-11s %s: %s\n", i ? "" : "bases", tl_json_text(b, "base", "?"),
               tl_json_bool(b, "far", false) ? tl_json_text(b, "why", "far") : "not far");
}

static void print_unreadable(const json_t *found)
{
    json_t *text;
    size_t  i;

    json_array_foreach(json_object_get(found, "first"), i, text) {
        if (i == 0) puts("\n  unreadable (the first of them)");
        printf("    %s\n", json_string_value(text));
    }
}

/* The classes, or the first of many. */
static tl_status print_classes(tl_app *app, const json_t *classes, bool parts)
{
    enum { SHOWN = 40 };
    tl_grid   table = tl_grid_make(&app->ctx, parts ? 5 : 2, 0x1e);
    json_t   *c;
    size_t    i;
    tl_status rc;

    tl_grid_row(&table, TL_BOLD, (const char *[]){ "class", "rows", "train", "valid", "test" });
    json_array_foreach(classes, i, c) {
        char n[4][32];
        if (i < SHOWN)
            tl_grid_row(&table, TL_PLAIN,
                        (const char *[]){ tl_json_text(c, "name", "?"), say(c, "rows", n[0]),
                                          say(c, "train", n[1]), say(c, "valid", n[2]),
                                          say(c, "test", n[3]) });
    }
    putchar('\n');
    rc = tl_grid_print(&table, &app->term, "  ");
    if (i > SHOWN) printf("  ... and %zu more (--json has all)\n", i - SHOWN);
    tl_grid_free(&table);
    return rc;
}

static void print_findings(const tl_app *app, const json_t *findings)
{
    json_t *f;
    size_t  i;

    json_array_foreach(findings, i, f) {
        const char    *level = tl_json_text(f, "level", "note");
        const char    *todo  = tl_json_text(f, "todo", "");
        const tl_paint paint = strcmp(level, "problem") == 0   ? TL_RED
                               : strcmp(level, "warning") == 0 ? TL_YELLOW
                                                               : TL_DIM;
        char           line[2400];
        printf("%s  %s%-9s%s ", i ? "" : "\n", tl_term_out(&app->term, paint), level,
               tl_term_out(&app->term, TL_PLAIN));
        snprintf(line, sizeof line, *todo ? "%s (%s)" : "%s%s", tl_json_text(f, "text", ""), todo);
        tl_term_wrap(&app->term, "            ", true, line);
    }
}

static tl_status print_next(tl_app *app, const json_t *r)
{
    const bool bad = tl_json_int(json_object_get(r, "unreadable"), "rows", 0) > 0;
    tl_text    t   = tl_text_make(&app->ctx);
    tl_status  rc;

    tl_text_add_word(&t, app->args.operand[0]);
    TL_TRY(t.status);
    printf("\n  next      tailor compare %s%s%s\n", t.text, bad ? " --skip-bad" : "",
           json_is_array(json_object_get(r, "columns")) ? ""
                                                        : " --base MODEL    (or without --base)");
done:
    tl_text_free(&t);
    return rc;
}

static tl_status print_profile(tl_app *app, const json_t *r)
{
    const json_t *classes = json_object_get(r, "classes");
    const int64_t many    = (int64_t)json_array_size(classes);
    const bool    table   = json_is_array(json_object_get(r, "columns"));
    const bool    texts   = json_is_object(json_object_get(r, "texts"));
    const bool    words   = strcmp(tl_json_text(r, "task", ""), "token-classification") == 0;
    const bool    numbers = json_object_get(json_object_get(r, "target"), "mean") != NULL;
    char          rows[32], count[32];
    tl_status     rc = TL_OK;

    printf("%s%s%s: %s %s", tl_term_out(&app->term, TL_BOLD), tl_json_text(r, "path", "?"),
           tl_term_out(&app->term, TL_PLAIN), say(r, "rows", rows),
           table   ? plural(r, "rows", "row", "rows")
           : words ? plural(r, "rows", "word", "words")
           : texts ? plural(r, "rows", "text", "texts")
                   : plural(r, "rows", "picture", "pictures"));
    if (!numbers)
        printf(" in %s %s", tl_say_count(many, count), tl_plural(many, "class", "classes"));
    printf(" (%s)\n", tl_json_text(r, "format", "?"));
    print_counts(r);
    print_faults(r);
    print_near(r);
    if (texts) print_texts(json_object_get(r, "texts"));
    print_languages(json_object_get(r, "languages"));
    print_shortcuts(json_object_get(r, "shortcuts"));
    print_drift(json_object_get(r, "drift"));
    if (table) rc = tl_inspect_print_table(app, r);
    if (rc == TL_OK && !numbers) rc = print_classes(app, classes, has_parts(r));
    print_bases(json_object_get(r, "bases"));
    if (rc == TL_OK) rc = print_labels(app, json_object_get(r, "labels"));
    print_unreadable(json_object_get(r, "unreadable"));
    print_pairs("leaks: the same in two parts", json_object_get(r, "leaks"));
    print_pairs("leaks: nearly the same in two parts", json_object_get(r, "near_leaks"));
    print_pairs("duplicates: the same twice", json_object_get(r, "duplicates"));
    print_findings(app, json_object_get(r, "findings"));
    if (rc == TL_OK) rc = print_next(app, r);
    return rc;
}

tl_status tl_cmd_inspect(tl_app *app)
{
    const tl_args *a     = &app->args;
    const char  **bases  = NULL;
    json_t       *result = NULL;
    char         *text   = NULL;
    tailor_data  *data   = NULL;
    tailor_status status;
    tl_status     rc;

    TL_TRY(tl_app_list(app, TL_OPT_base, &bases));
    const tailor_question q = { .data   = a->operand[0],
                                .valid  = tl_args_text(a, TL_OPT_valid),
                                .test   = tl_args_text(a, TL_OPT_test),
                                .base   = bases,
                                .seed   = tl_app_seed(app),
                                .target = tl_args_text(a, TL_OPT_target),
                                .task   = tl_args_text(a, TL_OPT_task),
                                .text   = tl_args_text(a, TL_OPT_text),
                                .label  = tl_args_text(a, TL_OPT_label),
                                .skip_bad = 1 };
    tl_term_say(&app->term, "tailor inspect: reading the data");
    if (tl_args_given(a, TL_OPT_skip_labels)) {
        TL_TRY(tl_app_open_data(app, a->operand[0], true, NULL, &data));
        status = tailor_data_inspect(app->lib, data, &text);
    } else {
        status = tailor_inspect(app->lib, &q, &text);
    }
    TL_TRY(tl_app_json(app, status, text, &result));
    tl_term_finish(&app->term);
    if (app->term.json) TL_TRY(tl_app_print_json(app, result));
    else TL_TRY(print_profile(app, result));
done:
    if (result) json_decref(result);
    tailor_data_free(app->lib, data);
    tl_free(&app->ctx, bases);
    return rc;
}
