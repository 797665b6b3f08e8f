/* cmd_use.c -- `tailor evaluate` and `tailor predict`: a model asked.  Floor 5, app. */
#include "app/vectors.h"
#include "core/io.h"
#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static void print_interval(const char *name, const json_t *score)
{
    const json_t *ci = json_object_get(score, "ci95");

    printf("%-10s %.4f  95 %% interval [%.4f, %.4f]\n", name,
           tl_json_number(score, "value", NAN), json_number_value(json_array_get(ci, 0)),
           json_number_value(json_array_get(ci, 1)));
}

static tl_status print_classes(tl_app *app, const json_t *classes)
{
    tl_grid  table = tl_grid_make(&app->ctx, 6, 0x3e);
    json_t   *c;
    size_t    i;
    tl_status rc;

    tl_grid_row(&table, TL_BOLD, (const char *[]){ "class", "rows", "precision", "recall",
                                                   "recall 95 %", "f1" });
    json_array_foreach(classes, i, c) {
        const json_t *ci = json_object_get(c, "recall_ci95");
        char          cell[5][48];
        snprintf(cell[0], 48, "%" PRId64, tl_json_int(c, "rows", 0));
        snprintf(cell[1], 48, "%.3f", tl_json_number(c, "precision", NAN));
        snprintf(cell[2], 48, "%.3f", tl_json_number(c, "recall", NAN));
        snprintf(cell[3], 48, "[%.3f, %.3f]", json_number_value(json_array_get(ci, 0)),
                 json_number_value(json_array_get(ci, 1)));
        snprintf(cell[4], 48, "%.3f", tl_json_number(c, "f1", NAN));
        tl_grid_row(&table, TL_PLAIN, (const char *[]){ tl_json_text(c, "class", "?"), cell[0],
                                                        cell[1], cell[2], cell[3], cell[4] });
    }
    rc = tl_grid_print(&table, &app->term, "  ");
    tl_grid_free(&table);
    return rc;
}

static tl_status print_evaluation(tl_app *app, const json_t *r)
{
    static const struct { const char *key, *name; } scores[] = {
        { "entity_f1", "entity F1" }, { "accuracy", "accuracy" },
        { "macro_f1", "macro-F1" }, { "roc_auc", "ROC AUC" },
        { "micro_f1", "micro-F1" }, { "map", "mean AP" }, { "qwk", "kappa" },
        { "rmse", "RMSE" }, { "mae", "MAE" }, { "r2", "R2" }, { "perplexity", "perplexity" },
        { "loss", "loss" },
    };
    const bool   tokens = json_object_get(r, "perplexity") != NULL;
    const double bits   = tl_json_number(r, "bits_per_byte", NAN);

    const int64_t rows = tl_json_int(r, "rows", 0);

    printf("%" PRId64 " %s (%s)\n", rows,
           tokens ? tl_plural(rows, "token", "tokens") : tl_plural(rows, "row", "rows"),
           tl_json_text(r, "split", "all"));
    for (size_t i = 0; i < TL_COUNT(scores); i++)
        if (json_object_get(r, scores[i].key))
            print_interval(scores[i].name, json_object_get(r, scores[i].key));
    if (isfinite(bits)) printf("%-10s %.4f\n", "bits/byte", bits);
    if (!json_object_get(r, "per_class")) return TL_OK;
    putchar('\n');
    return print_classes(app, json_object_get(r, "per_class"));
}

tl_status tl_cmd_evaluate(tl_app *app)
{
    tailor_data   *data  = NULL;
    tailor_model  *model = NULL;
    json_t        *result = NULL;
    char          *text   = NULL;
    tailor_metrics metrics;
    tailor_status  status;
    tl_status      rc;

    TL_TRY(tl_app_lib(app, tailor_model_open(app->lib, app->args.operand[0],
                                             tl_args_text(&app->args, TL_OPT_arch), &model)));
    if (strcmp(tailor_model_task(model), "language-modelling") == 0)
        TL_TRY(tl_app_open_corpus(app, app->args.operand[1], model, &data));
    else TL_TRY(tl_app_open_data(app, app->args.operand[1], false, model, &data));
    status = tailor_evaluate(app->lib, model, data, tl_args_text(&app->args, TL_OPT_split),
                             &metrics, &text);
    TL_TRY(tl_app_json(app, status, text, &result));
    tl_term_finish(&app->term);
    if (app->term.json) TL_TRY(tl_app_print_json(app, result));
    else TL_TRY(print_evaluation(app, result));
done:
    if (result) json_decref(result);
    tailor_data_free(app->lib, data);
    tailor_model_free(app->lib, model);
    return rc;
}

static bool looks_like_picture(const char *name)
{
    static const char *const ends[] = { ".jpg", ".jpeg", ".png", ".webp" };
    const char              *end    = strrchr(name, '.');

    for (size_t i = 0; end && i < TL_COUNT(ends); i++)
        if (strcasecmp(end, ends[i]) == 0) return true;
    return false;
}

enum { FOLDER_DEPTH = 32 };

typedef struct { char **path; size_t count; } path_list;

/* Folders reached by a link could lead in circles. */
static bool is_link(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
}

/* A file, or all pictures under a folder, in the order of their names. */
static tl_status add_inputs(tl_app *app, path_list *list, const char *path, int depth)
{
    tl_ctx   *ctx   = &app->ctx;
    tl_names  names = { 0 };
    char     *inner = NULL;
    tl_status rc;

    if (!tl_is_folder(path)) return tl_list_add(ctx, &list->path, &list->count, path);
    if (depth > FOLDER_DEPTH)
        return tl_fail(ctx, TL_EUSAGE, path, "folders nest too deep (name the inner folder)");
    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t i = 0; i < names.count; i++) {
        tl_free(ctx, inner);
        inner = NULL;
        TL_TRY(tl_path_join(ctx, path, names.name[i], &inner));
        if (tl_is_folder(inner) ? !is_link(inner) : looks_like_picture(names.name[i]))
            TL_TRY(add_inputs(app, list, inner, depth + 1));
    }
done:
    tl_free(ctx, inner);
    tl_names_free(ctx, &names);
    return rc;
}

/* Writes each line at once: a pipe's reader need not wait for the end. */
static int print_line(void *user, const char *json)
{
    (void)user;
    return printf("%s\n", json) < 0 || fflush(stdout) != 0;
}

/* What is asked, and how. */
typedef struct {
    tl_app       *app;
    tailor_model *model;
    tl_vectors    vectors; /* instead of answers, where wanted */
} asking;

static tl_status predict_list(asking *a, const path_list *list)
{
    tl_app             *app   = a->app;
    const tailor_model *model = a->model;

    if (a->vectors.wanted)
        return tl_vectors_ask(&a->vectors, model, list->path, list->count, true);
    return tl_app_lib(app, tailor_predict(app->lib, model, (const char *const *)list->path,
                                          list->count, print_line, NULL));
}

/* The next line of stdin without its end (of either kind); false: there is none. */
static bool next_line(char **line, size_t *room)
{
    const ssize_t got = getline(line, room, stdin);
    ssize_t       end = got;

    if (end > 0 && (*line)[end - 1] == '\n') end--;
    if (end < got && end > 0 && (*line)[end - 1] == '\r') end--;
    if (end >= 0) (*line)[end] = 0;
    return got >= 0;
}

/* The same of lines that are texts themselves. */
static tl_status predict_given(asking *a, const path_list *list)
{
    tl_app             *app   = a->app;
    const tailor_model *model = a->model;

    if (a->vectors.wanted)
        return tl_vectors_ask(&a->vectors, model, list->path, list->count, false);
    return tl_app_lib(app, tailor_predict_text(app->lib, model, (const char *const *)list->path,
                                               list->count, print_line, NULL));
}

/* Paths (of a text model: texts), one a line, answered in groups so that a pipe flows; `line` is
 * the first. */
static tl_status predict_paths(asking *a, char **line, size_t *room)
{
    enum { GROUP = 64 };
    tl_ctx   *ctx  = &a->app->ctx;
    path_list list = { 0 };
    const bool text = strncmp(tailor_model_task(a->model), "text", 4) == 0 ||
                      tailor_model_writes(a->model) || a->vectors.wanted;
    bool      more = true;
    tl_status rc = TL_OK, bad = TL_OK;

    while (more) {
        if (**line)
            TL_TRY(text ? tl_list_add(ctx, &list.path, &list.count, *line)
                        : add_inputs(a->app, &list, *line, 0));
        more = next_line(line, room);
        if (list.count && (!more || list.count >= GROUP)) {
            rc = (text ? predict_given : predict_list)(a, &list);
            if (rc == TL_EDATA) bad = rc, rc = TL_OK;
            TL_TRY(rc);
            tl_list_free(ctx, &list.path, &list.count);
        }
    }
    rc = bad;
done:
    tl_list_free(ctx, &list.path, &list.count);
    return rc;
}

/* Rows of a table under their header, which is the line already read. */
static tl_status predict_rows(tl_app *app, const tailor_model *model, const char *header)
{
    tl_text   t = tl_text_make(&app->ctx);
    char      block[1 << 14];
    size_t    got;
    tl_status rc;

    tl_text_add(&t, header);
    tl_text_add(&t, "\n");
    while ((got = fread(block, 1, sizeof block, stdin)) > 0)
        tl_text_add_bytes(&t, block, got);
    TL_TRY(t.status);
    TL_TRY(tl_app_lib(app, tailor_predict_table(app->lib, model, "stdin", t.text, t.bytes,
                                                print_line, NULL)));
done:
    tl_text_free(&t);
    return rc;
}

/* Of a model of tables: rows, unless the first line names a file. */
static tl_status predict_stdin(asking *a)
{
    const bool table = strncmp(tailor_model_task(a->model), "table", 5) == 0;
    char      *line  = NULL;
    size_t     room  = 0;
    tl_status  rc    = TL_OK;

    if (isatty(STDIN_FILENO))
        tl_term_say(&a->app->term, "tailor predict: reading from the keyboard, a line each (name "
                                "files or a folder instead; Ctrl-D ends)");
    if (next_line(&line, &room))
        rc = table && !tl_exists(line) ? predict_rows(a->app, a->model, line)
                                       : predict_paths(a, &line, &room);
    free(line);
    return rc;
}

tl_status tl_cmd_predict(tl_app *app)
{
    tl_ctx    *ctx  = &app->ctx;
    asking     a    = { .app = app };
    path_list  list = { 0 };
    const bool from_stdin = app->args.operands == 1 ||
                               strcmp(app->args.operand[1], "-") == 0;
    tl_status  rc;

    TL_TRY(tl_vectors_open(app, &a.vectors));
    for (size_t i = 1; i < app->args.operands && !from_stdin; i++)
        TL_TRY(add_inputs(app, &list, app->args.operand[i], 0));
    if (!from_stdin && !list.count)
        TL_FAIL(TL_EDATA, app->args.operand[1],
                "no picture in it (JPEG, PNG or WebP; of tables and texts name the files)");
    TL_TRY(tl_app_lib(app, tailor_model_open(app->lib, app->args.operand[0],
                                             tl_args_text(&app->args, TL_OPT_arch), &a.model)));
    TL_TRY(tl_app_writing(app, false));
    TL_TRY(from_stdin ? predict_stdin(&a) : predict_list(&a, &list));
    TL_TRY(tl_vectors_end(&a.vectors));
done:
    tl_list_free(ctx, &list.path, &list.count);
    tl_vectors_free(&a.vectors);
    tailor_model_free(app->lib, a.model);
    return rc;
}
