/* runs.c -- past runs as JSON, and the command that `tailor resume` replays.  Floor 4.5, api. */
#include "api/handles.h"
#include "core/io.h"
#include "core/text.h"
#include "train/store.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static const char command_key[] = "invocation", finished_key[] = "finished";

static tl_status open_store(tl_ctx *ctx, const char *folder, tl_store **out)
{
    char     *path = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(tl_path_join(ctx, folder, "runs.db", &path));
    if (!tl_exists(path))
        TL_FAIL(TL_EUSAGE, folder,
                "holds no runs.db (`tailor runs` lists what is there)");
    TL_TRY(tl_store_open(ctx, folder, out));
done:
    tl_free(ctx, path);
    return rc;
}

static json_t *command_json(const char *const *command)
{
    char    directory[4096];
    json_t *words = json_array();

    for (size_t i = 0; command && command[i]; i++)
        json_array_append_new(words, json_string(command[i]));
    if (!getcwd(directory, sizeof directory)) directory[0] = 0;
    return json_pack("{s:o, s:s}", "argv", words, "directory", directory);
}

/* A folder belongs to one command: another one's runs are not mixed in. */
static tl_status check_same(tl_ctx *ctx, const char *folder, const json_t *before,
                            const json_t *now)
{
    if (!before || json_equal(json_object_get(before, "argv"), json_object_get(now, "argv")))
        return TL_OK;
    return tl_fail(ctx, TL_EUSAGE, folder, "holds the runs of another command (choose another "
                   "--out, or `tailor resume %s`)", folder);
}

tl_status tl_api_keep_command(tl_ctx *ctx, const char *folder, const char *const *command)
{
    json_t   *value = command_json(command), *before = NULL;
    tl_store *store = NULL;
    tl_status rc;

    TL_TRY(tl_store_open(ctx, folder, &store));
    TL_TRY(tl_store_get(ctx, store, command_key, &before));
    TL_TRY(check_same(ctx, folder, before, value));
    if (!before) TL_TRY(tl_store_set(ctx, store, command_key, value));
done:
    json_decref(before);
    json_decref(value);
    tl_store_close(ctx, store);
    return rc;
}

tl_status tl_api_keep_finished(tl_ctx *ctx, const char *folder)
{
    json_t   *yes   = json_true();
    tl_store *store = NULL;
    tl_status rc;

    TL_TRY(tl_store_open(ctx, folder, &store));
    TL_TRY(tl_store_set(ctx, store, finished_key, yes));
done:
    json_decref(yes);
    tl_store_close(ctx, store);
    return rc;
}

/* Words in one line, as a shell takes them. */
static json_t *command_line(tl_ctx *ctx, const json_t *words)
{
    tl_text t = tl_text_make(ctx);
    json_t *word, *line;
    size_t  i;

    json_array_foreach(words, i, word)
        if (json_is_string(word)) {
            if (i) tl_text_add(&t, " ");
            tl_text_add_word(&t, json_string_value(word));
        }
    line = json_string(t.text ? t.text : "");
    tl_text_free(&t);
    return line;
}

tailor_status tailor_runs(tailor *t, const char *folder, char **json)
{
    tl_ctx   *ctx     = tl_api_begin(t);
    tl_store *store   = NULL;
    json_t   *command = NULL, *finished = NULL, *runs = NULL, *study;
    tl_status rc;

    *json = NULL;
    TL_TRY(open_store(ctx, folder, &store));
    TL_TRY(tl_store_get(ctx, store, command_key, &command));
    TL_TRY(tl_store_get(ctx, store, finished_key, &finished));
    TL_TRY(tl_store_list(ctx, store, &runs));
    study = json_pack("{s:s, s:b, s:o, s:O?, s:s, s:O}", "folder", folder, "finished",
                      json_is_true(finished), "command_line",
                      command_line(ctx, json_object_get(command, "argv")), "command",
                      json_object_get(command, "argv"), "directory",
                      tl_json_text(command, "directory", "."), "runs", runs);
    TL_TRY(tl_api_text(ctx, study, json));
done:
    json_decref(command);
    json_decref(finished);
    json_decref(runs);
    tl_store_close(ctx, store);
    return tl_api_status(rc);
}

static json_t *point(const tl_curve_point *p)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "epoch",
                     (json_int_t)p->epoch, "step",
                     (json_int_t)p->step, "train_loss", tl_json_real(p->train_loss),
                     "train_metric",
                     tl_json_real(p->train_metric), "valid_loss", tl_json_real(p->valid_loss),
                     "valid_metric", tl_json_real(p->valid_metric), "lr", tl_json_real(p->lr),
                     "seconds", tl_json_real(p->seconds));
}

tailor_status tailor_run_show(tailor *t, const char *folder, int64_t run, char **json)
{
    tl_ctx         *ctx   = tl_api_begin(t);
    tl_store       *store = NULL;
    json_t         *runs = NULL, *found = NULL, *points, *r;
    tl_curve_point *curve = NULL;
    int64_t         count = 0;
    size_t          i;
    tl_status       rc;

    *json = NULL;
    TL_TRY(open_store(ctx, folder, &store));
    TL_TRY(tl_store_list(ctx, store, &runs));
    json_array_foreach(runs, i, r) if (tl_json_int(r, "id", -1) == run) found = r;
    if (!found)
        TL_FAIL(TL_EUSAGE, folder, "has no run %" PRId64 " (`tailor runs %s`)", run,
                folder);
    TL_TRY(tl_store_points(ctx, store, run, &curve, &count));
    points = json_array();
    for (int64_t k = 0; k < count; k++) json_array_append_new(points, point(&curve[k]));
    json_object_set_new(found, "points", points);
    TL_TRY(tl_api_text(ctx, json_incref(found), json));
done:
    tl_free(ctx, curve);
    json_decref(runs);
    tl_store_close(ctx, store);
    return tl_api_status(rc);
}
