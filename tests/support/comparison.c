/* comparison.c -- see comparison.h. */
#include "support/comparison.h"
#include "core/io.h"
#include "core/text.h"
#include "support/schema.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const test_routes[] = { "baseline", "scratch", NULL };
static const char *const settings[] = { "epochs=3", "least_steps=20", "batch=32", NULL };

static void on_progress(void *user, const tl_progress *p)
{
    test_listener *l = user;

    assert_string_equal(p->metric_name, "accuracy");
    if (++l->lines == l->stop_at) test_ctx()->world->cancel = 1;
}

static void on_say(void *user, const char *line)
{
    (void)user;
    if (getenv("TEST_SAY")) fprintf(stderr, "# %s\n", line);
}

tl_ctx *test_one_thread(void)
{
    test_fresh()->world->threads = 1;
    return test_ctx();
}

tl_question test_question(const char *data, const char *out, test_listener *l)
{
    return (tl_question){ .data = { .train = data, .limit_bytes = (size_t)256 << 20 },
                          .base_arch = "dense 24 relu",
                          .routes    = test_routes,
                          .budget_s  = 600.0,
                          .margin    = NAN,
                          .seed      = 7,
                          .seeds     = 3,
                          .precision = "f32",
                          .overrides = settings,
                          .out       = out,
                          .progress  = on_progress,
                          .say       = on_say,
                          .user      = l };
}

char *test_in(const char *folder, const char *name)
{
    char *path;

    TEST_OK(tl_path_join(test_ctx(), folder, name, &path));
    return path;
}

bool test_has(const char *folder, const char *name)
{
    char      *path  = test_in(folder, name);
    const bool found = tl_exists(path);

    tl_free(test_ctx(), path);
    return found;
}

char *test_comparable(const json_t *verdict)
{
    json_t *copy = json_deep_copy(verdict), *c;
    size_t  i;

    json_object_del(copy, "budget");
    json_array_foreach(json_object_get(copy, "candidates"), i, c)
    {
        json_object_del(c, "cost");
        json_object_del(c, "forecast");
        json_object_del(json_object_get(c, "inference"), "ms_per_row");
    }
    char *text = json_dumps(copy, JSON_INDENT(1) | JSON_SORT_KEYS);
    json_decref(copy);
    return text;
}

void test_verdict_holds(const json_t *verdict)
{
    json_t *schema;
    char    why[400];

    TEST_OK(tl_json_read(test_ctx(), TEST_FOLDER "/../schemas/verdict.schema.json",
                         1 << 20, &schema));
    if (!test_schema(schema, verdict, why, sizeof why)) fail_msg("verdict.json%s", why);
    json_t *bad = json_deep_copy(verdict); /* the check itself can fail */
    json_object_set_new(bad, "outcome", json_string("perhaps"));
    assert_false(test_schema(schema, bad, why, sizeof why));
    json_object_set(bad, "outcome", json_object_get(verdict, "outcome"));
    json_object_set_new(json_object_get(bad, "winner"), "extra", json_true());
    assert_false(test_schema(schema, bad, why, sizeof why));
    json_decref(bad);
    json_decref(schema);
}

int test_stops_until_done(tl_ctx *ctx, const tl_question *q, test_listener *l, int lines,
                          json_t **out)
{
    tl_status rc    = TL_ECANCEL;
    int       stops = 0;

    while (rc == TL_ECANCEL && stops < 100) {
        ctx->world->cancel = 0;
        l->lines           = 0;
        l->stop_at += lines;
        rc = tl_compare(ctx, q, out);
        stops += rc == TL_ECANCEL;
    }
    ctx->world->cancel = 0;
    if (rc != TL_OK) fail_msg("%s", ctx->message);
    return stops;
}

const json_t *test_candidate(const json_t *verdict, const char *route)
{
    json_t *c;
    size_t  i;

    json_array_foreach(json_object_get(verdict, "candidates"), i, c)
        if (strcmp(tl_json_text(c, "route", ""), route) == 0) return c;
    fail_msg("no candidate %s", route);
    return NULL;
}
