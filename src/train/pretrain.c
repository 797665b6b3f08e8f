/* pretrain.c -- the body learns from the user's own pictures, labels unused: masked patches are
 * filled in (decoder.c), by AdamW on a cosine; then its weights are the run's.  Saved beside the
 * run's own checkpoints.  Floor 3, train. */
#include "train/pretrain.h"
#include "core/machine.h"
#include "train/features.h"

#include <math.h>
#include <string.h>

typedef struct {
    tl_trainer     *t;
    tl_run_spec     spec;   /* with the settings of pretraining                              */
    tl_model        model;  /* arch and prep borrowed; params: body and decoder, owned       */
    tl_decoder      decoder;
    tl_stepper      stepper;
    tl_loader      *loader;
    tl_augment      augment;
    tl_batch        batch;  /* masked; x, target and weight owned                            */
    char           *folder;
    int64_t         step, steps, epoch, position, generation;
    double          loss;
} pretraining;

double tl_pretrain_steps(const tl_run_spec *spec)
{
    const tl_hyper *h = &spec->candidate.hyper;
    const double    a = fmax(1.0, floor((double)spec->train.count / (double)h->batch));
    const double steps = fmax(1.0, floor(h->pretrain_epochs * a));

    return spec->most_steps > 0 ? fmin(steps, (double)spec->most_steps) : steps;
}

/* Anew at AdamW's usual rate; a base that goes on, at a third of it. */
static void settings(tl_run_spec *spec)
{
    tl_hyper *h = &spec->candidate.hyper;

    h->optimizer     = "adamw";
    h->optim.lr      = spec->candidate.route->start == TL_START_NEW ? 1e-3 : 3e-4;
    h->optim.beta1   = 0.9;
    h->optim.beta2   = 0.95;
    h->optim.eps     = 1e-8;
    h->optim.weight_decay = 0.05;
    h->clip          = 1.0;
    h->class_weights = h->balanced = false;
    h->mixup = h->cutmix = h->anchor = h->anchor_head = 0.0;
    h->depth_rate = h->head_rate = 1.0;
}

void tl_take_body(const tl_params *from, tl_params *to)
{
    for (int32_t i = 0; i < from->count; i++) {
        const tl_param *p = &from->param[i], *q = tl_params_find(to, p->name);
        if (q && q->count == p->count && !p->head)
            memcpy(tl_params_value(to, q), tl_params_value(from, p),
                   (size_t)p->count * sizeof(float));
    }
}

static tl_status open_model(tl_ctx *ctx, pretraining *p)
{
    tl_status rc;

    p->model = *p->t->model; /* borrowed, but for the parameters */
    p->model.params = NULL;
    TL_TRY(tl_decoder_params(ctx, &p->t->model->arch, &p->model.params));
    tl_params_init_beside(p->model.params, p->spec.seed, p->t->model->params,
                          ctx->world->threads);
    tl_take_body(p->t->model->params, p->model.params);
done:
    return rc;
}

static tl_status open_batch(tl_ctx *ctx, pretraining *p)
{
    const tl_shape *row   = &p->model.arch.row;
    const size_t    batch = (size_t)p->spec.candidate.hyper.batch,
                 units    = (size_t)p->decoder.units;
    tl_status       rc;

    p->batch.capacity = (int64_t)batch;
    p->batch.x_shape  = TL_SHAPE((int64_t)batch, row->dim[0], row->dim[1], row->dim[2]);
    TL_TRY(tl_alloc_array(ctx, batch, (size_t)tl_shape_count(row) * sizeof(float),
                          &p->batch.x));
    TL_TRY(tl_alloc_array(ctx, batch * units, (size_t)row->dim[2] * sizeof(float),
                          &p->batch.target));
    TL_TRY(tl_alloc_array(ctx, batch, units * sizeof(float), &p->batch.weight));
done:
    return rc;
}

static tl_status open_all(tl_ctx *ctx, pretraining *p)
{
    const tl_hyper *h     = &p->spec.candidate.hyper;
    const tl_phase  phase = { .which = TL_TRAIN_ALL, .masked = true, .lr_scale = 1.0 };
    tl_loader_spec  ask   = { .cache      = p->spec.cache,
                              .rows       = p->spec.train,
                              .batch      = h->batch,
                              .shuffle    = true,
                              .drop_short = p->spec.train.count >= h->batch,
                              .seed       = p->spec.seed,
                              .first_epoch = 1 << 20 }; /* draws of its own */
    tl_status       rc;

    TL_TRY(open_model(ctx, p));
    if (tl_augment_named(h->augment, &p->augment) && strcmp(h->augment, "none") != 0)
        ask.augment = &p->augment;
    TL_TRY(tl_loader_new(ctx, &ask, &p->loader));
    TL_TRY(tl_stepper_new(ctx, &p->spec, &p->model, &phase, &p->stepper));
    p->decoder = p->stepper.decoder;
    TL_TRY(open_batch(ctx, p));
    p->steps = (int64_t)tl_pretrain_steps(&p->spec);
done:
    return rc;
}

static size_t sections_of(pretraining *p, tl_section out[3])
{
    const tl_params *params = p->model.params;

    out[0] = tl_section_of("values", params->value, (size_t)params->floats * sizeof(float));
    out[1] = tl_section_of("m", p->stepper.m, (size_t)p->stepper.m_floats * sizeof(float));
    out[2] = tl_section_of("v", p->stepper.v, (size_t)p->stepper.v_floats * sizeof(float));
    return 3;
}

static tl_status save(tl_ctx *ctx, pretraining *p)
{
    const double start = tl_time_s();
    tl_section   section[3];
    json_t      *state;
    tl_status    rc;

    if (!p->folder) return TL_OK;
    state = json_pack("{s:I, s:I, s:I, s:f}", "step", (json_int_t)p->step, "epoch",
                      (json_int_t)p->epoch, "position", (json_int_t)p->position, "flops",
                      p->t->at.flops);
    rc = tl_checkpoint_save(ctx, p->folder, p->t->fingerprint, p->generation++, state, section,
                            sections_of(p, section));
    json_decref(state);
    p->t->saved     = tl_time_s();
    p->t->save_cost = p->t->saved - start;
    return rc;
}

static tl_status restore(tl_ctx *ctx, pretraining *p)
{
    tl_checkpoint from = { .generation = -1 };
    tl_section    section[3];
    tl_status     rc;

    if (!p->t->spec.checkpoint) return TL_OK;
    TL_TRY(tl_path_join(ctx, p->t->spec.checkpoint, "pretrain", &p->folder));
    TL_TRY(tl_checkpoint_open(ctx, p->folder, p->t->fingerprint, &from));
    if (from.generation < 0) goto done;
    sections_of(p, section);
    for (int i = 0; i < 3; i++) TL_TRY(tl_checkpoint_take(ctx, &from, &section[i]));
    p->generation  = from.generation + 1;
    p->step        = tl_json_int(from.state, "step", 0);
    p->epoch       = tl_json_int(from.state, "epoch", 0);
    p->position    = tl_json_int(from.state, "position", 0);
    p->t->at.flops = tl_json_number(from.state, "flops", 0.0);
    TL_TRY(tl_loader_seek(ctx, p->loader, p->epoch, p->position));
done:
    tl_checkpoint_close(ctx, &from);
    return rc;
}

static double rate(const pretraining *p)
{
    return p->spec.candidate.hyper.optim.lr *
           tl_schedule_factor(tl_schedule_find("cosine"), p->step, p->steps, p->steps / 10,
                              NULL);
}

static tl_status next_batch(tl_ctx *ctx, pretraining *p, const tl_batch **out)
{
    tl_status rc;

    TL_TRY(tl_loader_next(ctx, p->loader, out));
    if ((*out)->rows == 0) { /* the end of an epoch */
        p->epoch++;
        p->position = 0;
        TL_TRY(tl_loader_next(ctx, p->loader, out));
    }
    p->position++;
done:
    return rc;
}

static tl_status step_once(tl_ctx *ctx, pretraining *p, bool *over)
{
    const tl_batch *pictures;
    tl_step_result  r;
    tl_status       rc;

    TL_TRY(next_batch(ctx, p, &pictures));
    p->batch.rows = pictures->rows;
    tl_mask_batch(&p->decoder, pictures, p->spec.candidate.hyper.mask, p->spec.seed, p->epoch,
                  p->batch.x, p->batch.target, p->batch.weight);
    rc = tl_stepper_step(ctx, &p->stepper, &p->batch, p->step, rate(p), NULL, &r);
    if (rc == TL_ENAN) { /* what was learnt before is kept */
        tl_log(ctx, TL_LOG_WARN, "pretraining ends at step %lld: %.200s",
               (long long)p->step + 1, ctx->message);
        *over = true;
        return TL_OK;
    }
    TL_TRY(rc);
    p->step++;
    p->loss = r.loss;
    p->t->at.flops += p->stepper.flops * (double)p->stepper.parts;
    tl_features_say(p->t, "pretrain", p->step, p->steps, r.loss);
done:
    return rc;
}

static tl_status run_steps(tl_ctx *ctx, pretraining *p)
{
    bool      over = false;
    tl_status rc   = TL_OK;

    while (p->step < p->steps && !over) {
        if (tl_cancelled(ctx)) {
            TL_TRY(save(ctx, p));
            TL_FAIL(TL_ECANCEL, p->folder ? p->folder : "pretrain",
                    "interrupted%s", p->folder ? ", saved (tailor resume goes on)" : "");
        }
        TL_TRY(step_once(ctx, p, &over));
        if (tl_trainer_save_due(p->t)) TL_TRY(save(ctx, p));
    }
done:
    return rc;
}

static void close_all(tl_ctx *ctx, pretraining *p)
{
    tl_stepper_free(ctx, &p->stepper);
    tl_loader_free(ctx, p->loader);
    tl_params_free(ctx, p->model.params);
    tl_free(ctx, p->batch.x);
    tl_free(ctx, p->batch.target);
    tl_free(ctx, p->batch.weight);
    tl_free(ctx, p->folder);
}

tl_status tl_pretrain_run(tl_ctx *ctx, tl_trainer *t)
{
    pretraining p = { .t = t, .spec = t->spec };
    tl_status   rc;

    settings(&p.spec);
    TL_TRY(open_all(ctx, &p));
    TL_TRY(restore(ctx, &p));
    TL_TRY(run_steps(ctx, &p));
    tl_take_body(p.model.params, t->model->params);
    tl_log(ctx, TL_LOG_INFO, "pretrained for %lld steps without labels, loss %.4g",
           (long long)p.step, p.loss);
done:
    close_all(ctx, &p);
    return rc;
}
