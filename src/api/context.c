/* context.c -- contexts, errors, settings, callbacks of the public library.  Floor 4.5, api. */
#include "api/handles.h"
#include "core/machine.h"
#include "core/par.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *tailor_version(void)
{
    return TAILOR_VERSION;
}

static void on_log(void *user, int level, const char *line)
{
    tailor *t = user;

    if (level >= TL_LOG_INFO && t->message) t->message(t->message_user, line);
}

tailor *tailor_new(void)
{
    tailor *t = calloc(1, sizeof *t); /* the world that counts memory is inside it */

    if (!t) return NULL;
    tl_world_init(&t->world);
    t->world.log      = on_log;
    t->world.log_user = t;
    t->ctx            = tl_ctx_make(&t->world);
    snprintf(t->precision, sizeof t->precision, "auto");
    return t;
}

void tailor_free(tailor *t)
{
    if (t) tl_api_writing_free(t);
    free(t);
}

const char *tailor_error(const tailor *t)
{
    return t->ctx.message;
}

tl_ctx *tl_api_begin(tailor *t)
{
    t->ctx.status     = TL_OK;
    t->ctx.message[0] = 0;
    return &t->ctx;
}

tailor_status tl_api_status(tl_status rc)
{
    return (tailor_status)tl_status_exit(rc);
}

tailor_status tailor_set_threads(tailor *t, int threads)
{
    tl_ctx *ctx = tl_api_begin(t);

    if (threads < 0)
        return tl_api_status(tl_fail(ctx, TL_EUSAGE, "threads", "%d is negative (0: all cores)",
                                     threads));
    t->world.threads = threads ? TL_MIN(threads, 1024) : tl_machine_threads();
    tl_par_set_threads(t->world.threads);
    return TAILOR_OK;
}

tailor_status tailor_set_memory(tailor *t, size_t bytes)
{
    tl_api_begin(t);
    t->world.limit_bytes = bytes;
    return TAILOR_OK;
}

tailor_status tailor_set_precision(tailor *t, const char *precision)
{
    tl_ctx *ctx = tl_api_begin(t);

    if (strcmp(precision, "auto") != 0 && strcmp(precision, "f32") != 0 &&
        strcmp(precision, "bf16") != 0)
        return tl_api_status(tl_fail(ctx, TL_EUSAGE, "precision",
                                     "\"%s\" is not known (auto, f32 or bf16)", precision));
    snprintf(t->precision, sizeof t->precision, "%s", precision);
    return TAILOR_OK;
}

tl_dtype tl_api_dtype(const tailor *t, const tl_model *model)
{
    const char *asked = t->precision;

    if (strcmp(asked, "auto") == 0 && model && model->provenance)
        asked = tl_json_text(model->provenance, "precision", "auto");
    if (strcmp(asked, "auto") == 0 && model && model->task->table) return TL_F32;
    if (strcmp(asked, "f32") == 0) return TL_F32;
    return strcmp(asked, "bf16") == 0 || tl_machine_bf16() ? TL_BF16 : TL_F32;
}

void tailor_interrupt(tailor *t)
{
    atomic_fetch_add(&t->world.cancel, 1);
}

void tailor_text_free(tailor *t, char *text)
{
    tl_free(&t->ctx, text);
}

void tailor_on_progress(tailor *t, int (*call)(void *user, const tailor_progress *p),
                        void *user)
{
    t->progress      = call;
    t->progress_user = user;
}

void tailor_on_message(tailor *t, void (*call)(void *user, const char *line), void *user)
{
    t->message      = call;
    t->message_user = user;
}

void tl_api_progress(void *user, const tl_progress *p)
{
    tailor               *t    = user;
    const tailor_progress said = {
        .route = p->route, .phase = p->phase, .epoch = p->epoch, .epochs = p->epochs,
        .step = p->step, .steps = p->steps, .loss = p->loss, .metric = p->metric,
        .valid_loss = p->valid_loss, .valid_metric = p->valid_metric, .lr = p->lr,
        .seconds = p->seconds, .eta_seconds = p->eta_seconds, .epoch_end = p->epoch_end,
        .metric_name = p->metric_name,
    };

    if (t->progress && t->progress(t->progress_user, &said) != 0) tailor_interrupt(t);
}

void tl_api_say(void *user, const char *line)
{
    tailor *t = user;

    if (t->message) t->message(t->message_user, line);
}

tl_status tl_api_text(tl_ctx *ctx, json_t *value, char **out)
{
    char     *dump = value ? json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    tl_status rc   = dump ? tl_strdup(ctx, dump, out)
                          : tl_fail(ctx, TL_ENOMEM, "memory", "no room for a result");

    free(dump);
    if (value) json_decref(value);
    return rc;
}

static const char *route_at(size_t i, const char **doc)
{
    const tl_route *r = tl_route_at(i);

    if (r) *doc = r->doc;
    return r ? r->name : NULL;
}

static const char *update_at(size_t i, const char **doc)
{
    const tl_route *r = tl_update_at(i);

    if (r) *doc = r->plain; /* what else it is said to be, compare says */
    return r ? r->name : NULL;
}

static const char *action_at(size_t i, const char **doc)
{
    const tl_route *r = tl_route_at(i);

    if (r) *doc = r->action;
    return r ? r->name : NULL;
}

static const char *action_with_at(size_t i, const char **doc)
{
    const tl_route *r = tl_route_at(i);

    if (r) *doc = r->action_with ? r->action_with : r->action;
    return r ? r->name : NULL;
}

static const char *optimizer_at(size_t i, const char **doc)
{
    const tl_optimizer *o = tl_optimizer_at(i);

    if (o) *doc = o->doc;
    return o ? o->name : NULL;
}

static const char *schedule_at(size_t i, const char **doc)
{
    const tl_schedule *s = tl_schedule_at(i);

    if (s) *doc = s->doc;
    return s ? s->name : NULL;
}

static const char *family_at(size_t i, const char **doc)
{
    const tl_family *f = tl_family_at(i);

    if (f) *doc = f->doc;
    return f ? f->name : NULL;
}

static const char *setting_at(size_t i, const char **doc)
{
    *doc = "";
    return tl_hyper_field_at(i);
}

const char *tailor_known(const char *kind, size_t i, const char **doc)
{
    static const struct {
        const char *kind;
        const char *(*at)(size_t i, const char **doc);
    } lists[] = { { "route", route_at },         { "update", update_at },
                  { "action", action_at },
                  { "action-with-base", action_with_at },
                  { "optimizer", optimizer_at }, { "schedule", schedule_at },
                  { "family", family_at },       { "setting", setting_at } };
    const char *unused = NULL;

    for (size_t k = 0; k < TL_COUNT(lists); k++)
        if (strcmp(lists[k].kind, kind) == 0) return lists[k].at(i, doc ? doc : &unused);
    return NULL;
}
