/* stepper.c -- see stepper.h.  Floor 3, train. */
#include "train/stepper.h"
#include "data/mix.h"
#include "train/pretrain.h"
#include "train/optim_kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static tl_status close_graph(tl_graph *g, tl_stepper *out)
{
    tl_graph_keep(g, out->loss, "loss");
    tl_graph_backward(g, out->loss);
    return tl_graph_status(g);
}

/* (1 - a) of the loss on labels, a T^2 of the cross-entropy with what the teacher says, both
 * softened by T.  Source: Hinton et al. 2015. */
static void add_teacher(tl_graph *g, const tl_hyper *h, int64_t rows, int64_t classes,
                        tl_stepper *out)
{
    const double t = h->temperature;
    tl_tensor    soft;

    out->taught = tl_graph_input(g, "taught", TL_F32, TL_SHAPE(rows, classes));
    soft = tl_cross_entropy(g, tl_scale(g, out->logits, (float)(1.0 / t)), out->taught,
                            out->weight, 0, 0.0f);
    out->loss = tl_add(g, tl_scale(g, out->loss, (float)(1.0 - h->distill)),
                       tl_scale(g, soft, (float)(h->distill * t * t)), TL_ACT_NONE);
}

/* Cross-entropy of classes, or of each output's yes and no; squared error of numbers. */
static tl_tensor loss_of(tl_graph *g, const tl_run_spec *spec, const tl_arch *arch,
                         tl_tensor logits, tl_stepper *s)
{
    const tl_hyper *h     = &spec->candidate.hyper;
    const int64_t   rows  = tl_graph_shape(g, logits)->dim[0];
    tl_tensor class_weight = 0;

    if (spec->dataset->task->numbers || tl_task_has_marks(spec->dataset->task)) {
        s->target = tl_graph_input(g, "target", TL_F32, TL_SHAPE(rows, arch->outputs));
        tl_graph_layer(g, "loss");
        return (spec->dataset->task->numbers ? tl_mse : tl_bce)(g, logits, s->target, s->weight);
    }
    if (tl_hyper_mixes(h))
        s->target = tl_graph_input(g, "target", TL_F32, TL_SHAPE(rows, arch->outputs));
    else s->label = tl_graph_input(g, "label", TL_I32, TL_SHAPE(rows));
    if (h->class_weights)
        class_weight = tl_graph_input(g, "class_weight", TL_F32, TL_SHAPE(arch->outputs));
    tl_graph_layer(g, "loss");
    return tl_cross_entropy(g, logits, s->label ? s->label : s->target, s->weight,
                            class_weight, (float)h->smoothing);
}

tl_status tl_train_graph(tl_ctx *ctx, const tl_run_spec *spec, const tl_arch *arch,
                         tl_params *params, const tl_phase *phase, int64_t rows, tl_graph *g,
                         tl_stepper *out)
{
    const tl_hyper *h = &spec->candidate.hyper;
    tl_built  built;
    tl_net    net = { .ctx = ctx, .g = g, .params = params, .training = true,
                      .frozen_norm = h->frozen_norm || phase->which < TL_TRAIN_TOP,
                      .live_from = phase->from, .cut = phase->cached ? phase->from : 0,
                      .dtype = spec->dtype, .recompute = spec->recompute };
    tl_status rc;

    out->units    = 1;
    net.sequences = out->tokens ? rows * tl_cache_texts(spec->cache) : 0;
    if (spec->dataset->task->words) {
        const tl_asking how = tl_run_asking(spec, 0);
        net.asked = how.hidden ? tl_asked_room(&how, rows, out->tokens) : 0;
        TL_TRY(tl_arch_build(&net, arch, out->tokens, TL_PART_LOSS, &built));
        out->x     = built.x;
        out->text  = built.text;
        out->words = built.words;
        out->loss  = built.words.loss;
        return close_graph(g, out);
    }
    if (phase->masked) {
        TL_TRY(tl_decoder_build(&net, arch, rows, out, &out->decoder));
        return close_graph(g, out);
    }
    TL_TRY(tl_arch_build(&net, arch, out->tokens ? out->tokens : rows,
                         phase->cached ? TL_PART_ABOVE : TL_PART_WHOLE, &built));
    out->x      = built.x;
    out->text   = built.text;
    out->logits = built.logits;
    rows        = tl_graph_shape(g, built.logits)->dim[0]; /* tokens where each is asked */
    out->weight = tl_graph_input(g, "weight", TL_F32, TL_SHAPE(rows));
    out->loss   = loss_of(g, spec, arch, built.logits, out);
    if (phase->taught) add_teacher(g, h, rows, arch->outputs, out);
    rc = close_graph(g, out);
done:
    return rc;
}

/* Words of training weigh 1, or as much as their class. */
static tl_status weigh_words(tl_ctx *ctx, tl_stepper *s)
{
    const tl_run_spec *spec = s->spec;
    tl_status          rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)spec->dataset->rows, sizeof *s->counts, &s->counts));
    for (int64_t i = 0; i < spec->train.count; i++) s->counts[spec->train.row[i]] = 1.0f;
done:
    return rc;
}

/* Inverse frequency among the training rows, 1 on average over them. */
static tl_status weigh_classes(tl_ctx *ctx, tl_stepper *s)
{
    const tl_run_spec *spec    = s->spec;
    const int64_t      classes = s->model->arch.outputs;
    tl_status          rc;

    TL_TRY(
        tl_alloc_array(ctx, (size_t)classes, sizeof *s->class_weight, &s->class_weight));
    for (int64_t i = 0; i < spec->train.count; i++)
        s->class_weight[spec->dataset->label[spec->train.row[i]]] += 1.0f;
    for (int64_t c = 0; c < classes; c++)
        s->class_weight[c] = (float)((double)spec->train.count / (double)classes /
                                     fmax(1.0, (double)s->class_weight[c]));
done:
    return rc;
}

tl_status tl_stepper_bind(tl_ctx *ctx, tl_stepper *s)
{
    const tl_params *params = s->model->params;
    tl_status        rc     = TL_OK;

    for (int32_t i = 0; i < params->count; i++) {
        const tl_param *p = &params->param[i];
        const tl_tensor t = tl_graph_find(s->g, p->name);
        const int64_t   at = tl_params_grad_at(params, p);
        if (!t) continue;
        TL_TRY(tl_plan_bind(ctx, s->plan, t, tl_params_place(params, p)));
        if (at >= 0 && tl_graph_gradient(s->g, t))
            TL_TRY(tl_plan_bind(ctx, s->plan, tl_graph_gradient(s->g, t), s->part + at));
    }
    if (s->class_weight && !s->target)
        TL_TRY(tl_plan_bind(ctx, s->plan, tl_graph_find(s->g, "class_weight"),
                            s->class_weight));
done:
    return rc;
}

/* Statistics move while training only; they are the last thing a broken step could spoil. */
static tl_status keep_states(tl_ctx *ctx, tl_stepper *s)
{
    const tl_params *params = s->model->params;

    for (int32_t i = 0; i < params->count; i++)
        if (params->param[i].role == TL_ROLE_STATE)
            s->state_floats += params->param[i].count;
    return tl_alloc_array(ctx, (size_t)s->state_floats, sizeof(float), &s->state_kept);
}

static void copy_states(tl_stepper *s, bool back)
{
    const tl_params *params = s->model->params;
    float           *kept   = s->state_kept;

    for (int32_t i = 0; s->state_floats && i < params->count; i++) {
        const tl_param *p = &params->param[i];
        if (p->role != TL_ROLE_STATE) continue;
        float *value = tl_params_value(params, p);
        memcpy(back ? value : kept, back ? kept : value, (size_t)p->count * sizeof *kept);
        kept += p->count;
    }
}

static tl_status room_to_mix(tl_ctx *ctx, tl_stepper *s)
{
    const size_t  batch = (size_t)s->spec->candidate.hyper.batch;
    const int64_t row   = tl_shape_count(tl_graph_shape(s->g, s->x)) / s->rows;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, batch, (size_t)row * sizeof(float), &s->mixed));
    TL_TRY(tl_alloc_array(ctx, batch, (size_t)s->model->arch.outputs * sizeof(float),
                          &s->shares));
done:
    return rc;
}

static tl_status new_buffers(tl_ctx *ctx, tl_stepper *s)
{
    const int64_t batch = s->spec->candidate.hyper.batch;
    size_t        n;
    tl_status     rc;

    TL_TRY(tl_params_spans(ctx, s->model->params, s->optimizer->matrix != NULL, &s->span,
                           &s->spans, &s->grad_floats));
    tl_optim_layout(s->optimizer, s->span, s->spans, &s->m_floats, &s->v_floats);
    n = (size_t)s->grad_floats;
    TL_TRY(tl_alloc_array(ctx, n, sizeof(float), &s->grad));
    s->part = s->grad;
    if (s->parts > 1) TL_TRY(tl_alloc_array(ctx, n, sizeof(float), &s->part));
    if (s->m_floats)
        TL_TRY(tl_alloc_array(ctx, (size_t)s->m_floats, sizeof(float), &s->m));
    if (s->v_floats)
        TL_TRY(tl_alloc_array(ctx, (size_t)s->v_floats, sizeof(float), &s->v));
    if (s->optimizer->matrix)
        TL_TRY(tl_optim_work_new(ctx, s->spec->backend, s->spec->slab, &s->work));
    for (int32_t i = 0; i < s->spans && s->optimizer->prepare; i++)
        if (tl_optim_by_matrix(s->optimizer, &s->span[i]))
            TL_TRY(s->optimizer->prepare(ctx, s->work, s->span[i].rows, s->span[i].cols));
    TL_TRY(tl_alloc_array(ctx, (size_t)tl_squares_parts(s->grad_floats), sizeof(double),
                          &s->square));
    TL_TRY(tl_alloc_array(ctx, (size_t)batch, (size_t)s->units * sizeof(float),
                          &s->row_weight));
    TL_TRY(keep_states(ctx, s));
    if (s->target && s->units == 1 && tl_hyper_mixes(&s->spec->candidate.hyper))
        TL_TRY(room_to_mix(ctx, s));
done:
    return rc;
}

static tl_status open_plan(tl_ctx *ctx, tl_stepper *s)
{
    const tl_run_spec *spec = s->spec;
    tl_status          rc;

    if (s->model->arch.family->text)
        return tl_stepper_use(ctx, s, tl_run_tokens(spec, s->rows));
    TL_TRY(tl_graph_new(ctx, &s->g));
    TL_TRY(tl_train_graph(ctx, spec, &s->model->arch, s->model->params, &s->phase, s->rows,
                          s->g, s));
    TL_TRY(tl_plan_new(ctx, s->g, spec->backend, spec->slab, &s->plan));
    s->flops = tl_graph_flops(s->g);
done:
    return rc;
}

tl_status tl_stepper_new(tl_ctx *ctx, const tl_run_spec *spec, tl_model *model,
                         const tl_phase *phase, tl_stepper *out)
{
    const tl_hyper *h = &spec->candidate.hyper;
    tl_stepper      s = { .spec = spec, .model = model };
    tl_status       rc;

    s.optimizer = tl_optimizer_find(h->optimizer);
    s.rows      = spec->micro_batch > 0 ? spec->micro_batch : h->batch / h->shards;
    s.parts     = h->batch / s.rows;
    s.phase     = *phase;
    tl_train_select(model->params, phase, h);
    TL_TRY(open_plan(ctx, &s));
    TL_TRY(new_buffers(ctx, &s));
    if (h->class_weights && !s.target) TL_TRY(weigh_classes(ctx, &s));
    if (spec->dataset->task->tags) TL_TRY(weigh_words(ctx, &s));
    TL_TRY(tl_stepper_bind(ctx, &s));
done:
    *out = s;
    if (rc != TL_OK) tl_stepper_free(ctx, out);
    return rc;
}

void tl_stepper_free(tl_ctx *ctx, tl_stepper *s)
{
    if (!s->tokens) {
        tl_plan_free(ctx, s->plan);
        tl_graph_free(ctx, s->g);
    }
    for (int i = 0; i < s->shapes; i++) {
        tl_plan_free(ctx, s->shape[i].plan);
        tl_graph_free(ctx, s->shape[i].g);
    }
    tl_free(ctx, s->shape);
    tl_pack_free(ctx, &s->pack);
    tl_free(ctx, s->span);
    if (s->part != s->grad) tl_free(ctx, s->part);
    tl_free(ctx, s->grad);
    tl_free(ctx, s->m);
    tl_free(ctx, s->v);
    tl_optim_work_free(ctx, s->work);
    tl_free(ctx, s->square);
    tl_free(ctx, s->row_weight);
    tl_free(ctx, s->mixed);
    tl_free(ctx, s->shares);
    tl_free(ctx, s->class_weight);
    tl_free(ctx, s->counts);
    tl_free(ctx, s->state_kept);
    *s = (tl_stepper){ 0 };
}

/* As PyTorch's mean: one over the summed class weights of the rows that count; of rows alone
 * where targets are shares. */
static void weigh_rows(tl_stepper *s, const tl_batch *batch)
{
    double sum = 0.0;

    for (int64_t i = 0; i < batch->rows * s->units; i++)
        sum += (double)batch->weight[i] *
               (s->class_weight && s->label ? (double)s->class_weight[batch->label[i]]
                                            : 1.0);
    for (int64_t i = 0; i < s->rows * s->parts * s->units; i++)
        s->row_weight[i] = i < batch->rows * s->units
                               ? (float)((double)batch->weight[i] / sum)
                               : 0.0f;
}

static tl_tick tick_of(const tl_stepper *s, int64_t step, int64_t part)
{
    return (tl_tick){ s->spec->seed, (uint64_t)((s->earlier + step) * s->parts + part) };
}

/* Targets of the rows from `at` on, as many floats a row as the plan takes. */
static tl_status bind_shares(tl_ctx *ctx, tl_stepper *s, tl_tensor t, float *all, int64_t at)
{
    const int64_t width = tl_shape_count(tl_graph_shape(s->g, t)) / s->rows;

    return tl_plan_bind(ctx, s->plan, t, all + at * width);
}

static tl_status run_part(tl_ctx *ctx, tl_stepper *s, const tl_batch *batch, int64_t part,
                          int64_t step)
{
    const int64_t at    = part * s->rows;
    const int64_t width = tl_shape_count(&batch->x_shape) / batch->capacity;
    const tl_tick tick  = tick_of(s, step, part);
    tl_status     rc;

    if (s->tokens) TL_TRY(tl_stepper_pack(ctx, s, batch, at));
    else TL_TRY(tl_plan_bind(ctx, s->plan, s->x,
                             (s->mixed ? s->mixed : batch->x) + at * width));
    if (s->counts) goto ready; /* labels and weights are packed with the words */
    if (s->label) TL_TRY(tl_plan_bind(ctx, s->plan, s->label, batch->label + at));
    if (s->target)
        TL_TRY(bind_shares(ctx, s, s->target, s->shares ? s->shares : batch->target, at));
    if (s->taught) TL_TRY(bind_shares(ctx, s, s->taught, batch->target, at));
    if (s->weight)
        TL_TRY(tl_plan_bind(ctx, s->plan, s->weight, s->row_weight + at * s->units));
ready:
    rc = tl_plan_run(ctx, s->plan, tick);
done:
    return rc;
}

static void count_part(tl_stepper *s, const tl_batch *batch, int64_t part,
                       tl_tally *tally)
{
    const int64_t at     = part * s->rows;
    const float  *logits;

    if (tally && s->words.loss)
        tl_tally_words(tally, *(const float *)tl_plan_data(s->plan, s->loss) / s->word_weight,
                       s->pack.asked);
    if (tally && s->counts) tl_stepper_count_tags(s, batch, at, tally);
    if (!tally || s->words.loss || s->counts) return;
    logits = tl_plan_data(s->plan, s->logits);
    for (int64_t r = 0; r < s->rows && at + r < batch->rows; r++) {
        const float *y = logits + r * tally->classes;
        if (tally->task->several)
            tl_tally_count_marks(tally, y, batch->target + (at + r) * tally->classes);
        else
            tl_tally_count(tally, y, batch->label[at + r],
                           tally->task->numbers ? (double)batch->target[at + r] : 0.0);
    }
}

/* The step again, part by part, to the first node that makes what is not finite. */
static tl_status name_nan(tl_ctx *ctx, tl_stepper *s, const tl_batch *batch, int64_t step,
                          double lr)
{
    const tl_node *node = NULL;
    tl_status      rc   = TL_OK;

    for (int64_t part = 0; part < s->parts && part * s->rows < batch->rows && !node;
         part++) {
        const tl_tick tick = tick_of(s, step, part);
        copy_states(s, true);
        TL_TRY(run_part(ctx, s, batch, part, step));
        TL_TRY(tl_plan_find_nan(ctx, s->plan, tick, &node));
    }
    rc = tl_fail(
        ctx, TL_ENAN, node && node->layer ? node->layer : "gradient",
        "not finite after %s at step %lld with rate %.3g (lower optim.lr, or set clip)",
        node ? node->op->name : "the sum of all parts", (long long)step + 1, lr);
done:
    copy_states(s, true);
    return rc;
}

/* The gradient of (anchor / 2) |w - w0|^2, and of the head's (anchor_head / 2) |w|^2. */
static void pull(tl_stepper *s)
{
    const tl_hyper  *h      = &s->spec->candidate.hyper;
    const tl_params *params = s->model->params;

    for (int32_t i = 0; s->origin && i < params->count; i++) {
        const tl_param *p  = &params->param[i];
        const int64_t   at = tl_params_grad_at(params, p);
        if (at < 0) continue;
        tl_optim_chosen()->pull(s->grad + at, tl_params_value(params, p),
                                p->head ? NULL : s->origin + p->at,
                                (float)(p->head ? h->anchor_head : h->anchor), p->count);
    }
}

/* Gradient of the whole batch into s->grad, its loss and squared norm. */
static tl_status gradient(tl_ctx *ctx, tl_stepper *s, const tl_batch *batch, int64_t step,
                          tl_tally *tally, double *loss, double *square)
{
    const int     threads = ctx->world->threads;
    const int64_t n       = s->grad_floats;
    tl_status     rc      = TL_OK;

    *loss = 0.0;
    for (int64_t part = 0; part < s->parts && part * s->rows < batch->rows; part++) {
        TL_TRY(run_part(ctx, s, batch, part, step));
        *loss += (double)*(const float *)tl_plan_data(s->plan, s->loss);
        if (!isfinite(*loss)) break;
        count_part(s, batch, part, tally);
        if (s->part == s->grad) continue;
        if (part == 0) memcpy(s->grad, s->part, (size_t)n * sizeof *s->grad);
        else tl_add_into(s->grad, s->part, n, threads);
    }
    pull(s);
    *square = isfinite(*loss) ? tl_squares(s->grad, n, s->square, threads) : *loss;
done:
    return rc;
}

static tl_flat flat_of(const tl_stepper *s, const tl_span *p)
{
    return (tl_flat){ .n     = p->count,
                      .w     = s->model->params->value + p->at,
                      .g     = s->grad + p->grad_at,
                      .share = s->share,
                      .m     = s->m ? s->m + p->m_at : NULL,
                      .v     = s->v ? s->v + p->v_at : NULL };
}

static tl_status move(tl_ctx *ctx, tl_stepper *s, const tl_span *p, double lr,
                      int64_t step)
{
    const tl_optimizer      *o     = s->optimizer;
    const tl_optim_settings *how   = &s->spec->candidate.hyper.optim;
    const double             decay = p->decay ? how->weight_decay : 0.0;
    const tl_flat            x     = flat_of(s, p);

    if (tl_optim_by_matrix(o, p)) {
        const tl_matrix matrix = { p->rows, p->cols, x.w, x.g, x.m };
        return o->matrix(ctx, s->work, how, lr, decay, step, &matrix);
    }
    o->step(how, lr, decay, step, &x, ctx->world->threads);
    return TL_OK;
}

/* Loops of flat memory take the gradient clipped; what sees matrices finds it so. */
static void clip(tl_stepper *s, double norm, int threads)
{
    const double most = s->spec->candidate.hyper.clip;

    s->share = most > 0.0 && norm > most ? (float)(most / (norm + 1e-6)) : 1.0f;
    if (!s->optimizer->matrix || s->share == 1.0f) return;
    tl_multiply(s->grad, s->grad_floats, s->share, threads);
    s->share = 1.0f;
}

tl_status tl_stepper_step(tl_ctx *ctx, tl_stepper *s, const tl_batch *batch, int64_t step,
                          double lr, tl_tally *tally, tl_step_result *out)
{
    const tl_hyper *h = &s->spec->candidate.hyper;
    double          square;
    tl_status       rc;

    *out = (tl_step_result){ .lr = lr, .rows = batch->rows, .counted = batch->rows };
    if (s->words.loss) TL_TRY(tl_stepper_ask(ctx, s, batch, step, &out->counted));
    else if (s->counts) out->counted = tl_stepper_weigh_tags(s, batch);
    else weigh_rows(s, batch);
    copy_states(s, false);
    if (s->mixed)
        tl_mix(batch, &(tl_mix_settings){ h->mixup, h->cutmix }, s->spec->seed,
               (uint64_t)(s->earlier + step), s->model->arch.outputs, s->mixed, s->shares);
    TL_TRY(gradient(ctx, s, batch, step, tally, &out->loss, &square));
    if (!isfinite(square)) return name_nan(ctx, s, batch, step, lr);
    clip(s, sqrt(square), ctx->world->threads);
    for (int32_t i = 0; i < s->spans; i++)
        TL_TRY(move(ctx, s, &s->span[i], lr * (double)s->span[i].lr_scale, step + 1));
done:
    return rc;
}
