/* save.c -- a run to and from its checkpoint.  Floor 3, train. */
#include "train/trainer.h"
#include "core/machine.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What must be the same for a checkpoint to be gone on from: all that changes the numbers. */
tl_status tl_trainer_fingerprint(tl_ctx *ctx, tl_trainer *t)
{
    const tl_run_spec *spec = &t->spec;
    json_t   *value = tl_candidate_to_json(&spec->candidate);
    char     *text  = NULL;
    tl_hash  *hash  = NULL;
    const int64_t      number[] = {
             (int64_t)spec->seed,  spec->micro_batch, spec->most_steps,
             (int64_t)spec->dtype, spec->train.count, spec->valid.count
    };
    tl_status rc;

    text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (!text) TL_FAIL(TL_ENOMEM, "checkpoint", "no room for its fingerprint");
    TL_TRY(tl_hash_new(ctx, &hash));
    tl_hash_add(hash, text, strlen(text));
    tl_hash_add(hash, spec->metric, strlen(spec->metric));
    tl_hash_add(hash, number, sizeof number);
    tl_hash_add(hash, spec->train.row,
                (size_t)spec->train.count * sizeof *spec->train.row);
    tl_hash_add(hash, spec->valid.row,
                (size_t)spec->valid.count * sizeof *spec->valid.row);
    tl_hash_end(ctx, hash, t->fingerprint);
done:
    free(text);
    json_decref(value);
    return rc;
}

/* Seconds between checkpoints: as asked, longer where one takes over 2 % of that, but never so
 * long that over a minute of work could be lost. */
bool tl_trainer_save_due(const tl_trainer *t)
{
    const double every = fmax(t->spec.checkpoint_every_s, 50.0 * t->save_cost);

    return t->spec.checkpoint && tl_time_s() - t->saved >= fmin(every, 60.0);
}

static json_t *point_to_json(const tl_curve_point *p)
{
    return json_pack("[I, I, o, o, o, o, o, o, o]", (json_int_t)p->epoch,
                     (json_int_t)p->step, tl_json_real(p->train_loss),
                     tl_json_real(p->train_metric), tl_json_real(p->valid_loss),
                     tl_json_real(p->valid_metric), tl_json_real(p->lr),
                     tl_json_real(p->seconds), tl_json_real(p->share));
}

static double real_at(const json_t *list, size_t i)
{
    const json_t *value = json_array_get(list, i);

    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static tl_curve_point point_from_json(const json_t *list)
{
    return (tl_curve_point){ json_integer_value(json_array_get(list, 0)),
                             json_integer_value(json_array_get(list, 1)),
                             real_at(list, 2),
                             real_at(list, 3),
                             real_at(list, 4),
                             real_at(list, 5),
                             real_at(list, 6),
                             real_at(list, 7),
                             real_at(list, 8) };
}

/* Numbers of a place, by name; doubles are exact in JSON's 17 digits. */
typedef struct { const char *name; int64_t *whole; double *real; } member;
enum { MEMBERS = 14 };

static void members_of(tl_place *at, member out[MEMBERS])
{
    const member all[MEMBERS] = {
        { "step", &at->step, NULL },
        { "epoch", &at->epoch, NULL },
        { "position", &at->position, NULL },
        { "evaluated", &at->evaluated, NULL },
        { "best_epoch", &at->best_epoch, NULL },
        { "best_step", &at->best_step, NULL },
        { "loss_rows", &at->loss_rows, NULL },
        { "earlier_steps", &at->earlier_steps, NULL },
        { "earlier_epochs", &at->earlier_epochs, NULL },
        { "best_metric", NULL, &at->best_metric },
        { "best_loss", NULL, &at->best_loss },
        { "loss_sum", NULL, &at->loss_sum },
        { "flops", NULL, &at->flops },
        { "rate", NULL, &at->rate },
    };

    memcpy(out, all, sizeof all);
}

static json_t *place_to_json(tl_trainer *t)
{
    member  number[MEMBERS];
    json_t *value = json_object(), *curve = json_array();

    json_object_set_new(value, "phase", json_integer(t->at.phase));
    json_object_set_new(value, "has_best", json_boolean(t->at.has_best));
    json_object_set_new(value, "paused",
                        json_boolean(t->stopped && strcmp(t->stopped, "paused") == 0));
    json_object_set_new(value, "seconds", json_real(tl_trainer_seconds(t)));
    json_object_set_new(value, "joules", tl_json_real(tl_trainer_joules(t)));
    json_object_set_new(value, "tally_rows", json_integer(t->tally.rows));
    json_object_set_new(value, "tally_loss", tl_json_real(t->tally.loss));
    json_object_set_new(value, "detail", json_string(t->detail));
    members_of(&t->at, number);
    for (size_t i = 0; i < MEMBERS; i++)
        json_object_set_new(value, number[i].name,
                            number[i].real ? json_real(*number[i].real)
                                           : json_integer(*number[i].whole));
    for (int64_t i = 0; i < t->points; i++)
        json_array_append_new(curve, point_to_json(&t->curve[i]));
    json_object_set_new(value, "curve", curve);
    if (t->tales) json_object_set_new(value, "tales", json_deep_copy(t->tales));
    return value;
}

static tl_status place_from_json(tl_ctx *ctx, tl_trainer *t, const json_t *value)
{
    const json_t *curve = json_object_get(value, "curve");
    member        number[MEMBERS];
    tl_status     rc;

    t->at.phase    = (int)tl_json_int(value, "phase", 0);
    t->at.has_best = tl_json_bool(value, "has_best", false);
    t->at.seconds  = tl_json_number(value, "seconds", 0.0);
    t->at.joules   = tl_json_number(value, "joules", NAN);
    t->tally.rows  = tl_json_int(value, "tally_rows", 0);
    t->tally.loss  = tl_json_number(value, "tally_loss", 0.0);
    snprintf(t->detail, sizeof t->detail, "%s", tl_json_text(value, "detail", ""));
    members_of(&t->at, number);
    for (size_t i = 0; i < MEMBERS; i++) {
        if (number[i].real) *number[i].real = tl_json_number(value, number[i].name, 0.0);
        else *number[i].whole = tl_json_int(value, number[i].name, 0);
    }
    t->tales = json_deep_copy(json_object_get(value, "tales"));
    t->room  = (int64_t)json_array_size(curve) + 32;
    TL_TRY(tl_realloc(ctx, (size_t)t->room * sizeof *t->curve, &t->curve));
    for (size_t i = 0; i < json_array_size(curve); i++)
        t->curve[t->points++] = point_from_json(json_array_get(curve, i));
done:
    return rc;
}

static tl_section values_section(const tl_trainer *t)
{
    return (tl_section){ .name   = "values",
                         .data   = t->model->params->value,
                         .bytes  = t->learnt.bytes,
                         .piece  = t->learnt.piece,
                         .pieces = t->learnt.pieces };
}

static tl_section best_section(const tl_trainer *t)
{
    return tl_section_of("best", t->best, t->learnt.bytes);
}

static tl_section tally_section(const tl_trainer *t)
{
    return tl_section_of("tally", t->tally.right, tl_tally_bytes(&t->tally));
}

static tl_section ema_section(const tl_trainer *t)
{
    tl_section ema = values_section(t);

    if (!t->ema) return tl_section_of("ema", NULL, 0);
    ema.name = "ema";
    ema.data = t->ema;
    return ema;
}

tl_status tl_trainer_save(tl_ctx *ctx, tl_trainer *t, tl_stepper *s,
                          const tl_section *more, size_t count)
{
    enum { OWN = 6, MOST = 8 };
    const double start   = tl_time_s();
    const size_t m       = s ? (size_t)s->m_floats * sizeof(float) : 0,
                 v       = s ? (size_t)s->v_floats * sizeof(float) : 0;
    tl_section all[MOST] = {
        values_section(t),
        best_section(t),
        tally_section(t),
        tl_section_of("m", s ? s->m : NULL, m),
        tl_section_of("v", s ? s->v : NULL, v),
        ema_section(t),
    };
    json_t   *state;
    tl_status rc;

    if (!t->spec.checkpoint) return TL_OK;
    assert(OWN + count <= MOST);
    for (size_t i = 0; i < count; i++) all[OWN + i] = more[i];
    state = place_to_json(t);
    rc = tl_checkpoint_save(ctx, t->spec.checkpoint, t->fingerprint, t->generation, state,
                            all, OWN + count);
    json_decref(state);
    if (rc != TL_OK) return rc;
    t->generation++;
    t->saved     = tl_time_s();
    t->save_cost = t->saved - start;
    return TL_OK;
}

tl_status tl_trainer_restore(tl_ctx *ctx, tl_trainer *t, const tl_checkpoint *c)
{
    const tl_section values = values_section(t), best = best_section(t), tally = tally_section(t),
                     ema = ema_section(t);
    const size_t     whole  = (size_t)t->model->params->floats * sizeof(float);
    tl_status        rc;

    t->generation = c->generation + 1;
    TL_TRY(tl_checkpoint_take(ctx, c, &values));
    TL_TRY(tl_checkpoint_take(ctx, c, &best));
    TL_TRY(tl_checkpoint_take(ctx, c, &tally));
    if (t->ema) memcpy(t->ema, t->model->params->value, whole); /* of what is frozen the values */
    if (t->ema) TL_TRY(tl_checkpoint_take(ctx, c, &ema));
    TL_TRY(place_from_json(ctx, t, c->state));
    if (t->at.phase >= tl_run_phases(&t->spec, t->model->params))
        TL_FAIL(TL_EDATA, c->path, "names a phase this route has not (delete it)");
    if (!tl_json_bool(c->state, "paused", false)) /* a pause is part of the plan */
        tl_log(ctx, TL_LOG_INFO, "goes on from step %lld (%s)", (long long)t->at.step,
               c->path);
done:
    return rc;
}

tl_status tl_stepper_restore(tl_ctx *ctx, tl_stepper *s, const tl_checkpoint *c)
{
    const tl_section m = tl_section_of("m", s->m, (size_t)s->m_floats * sizeof *s->m),
                     v = tl_section_of("v", s->v, (size_t)s->v_floats * sizeof *s->v);
    tl_status        rc = TL_OK;

    if (s->m) TL_TRY(tl_checkpoint_take(ctx, c, &m));
    if (s->v) TL_TRY(tl_checkpoint_take(ctx, c, &v));
done:
    return rc;
}
