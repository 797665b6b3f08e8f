/* step.c -- one training step of a case: take a batch, run the plan, move the weights. */
#include "bench.h"

#include "backend/cpu/cpu.h"
#include "model/family.h"
#include "tensor/plan.h"
#include "train/optim.h"
#include "train/stepper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench_step {
    const bench_case   *c;
    bench_rows          rows;
    tl_arch             arch;
    tl_params          *params;
    tl_graph           *g;
    tl_plan            *plan;
    tl_built            built;
    tl_tensor           target, weight, loss;
    const tl_optimizer *optimizer;
    tl_optim_settings   settings;
    tl_span            *span;
    int32_t             spans;
    float              *grad, *m, *v;
    uint64_t            step;
    double              forward_flops;
};

static tl_status make_arch(tl_ctx *ctx, bench_step *s)
{
    tl_status         rc;
    const bench_case *c    = s->c;
    const tl_phase    what = { .which = c->trains ? c->trains : TL_TRAIN_ALL };
    json_t           *config = NULL;

    if (c->config) {
        TL_TRY(tl_json_parse(ctx, c->name, c->config, strlen(c->config), &config));
        TL_TRY(tl_arch_from_config(ctx, c->name, config, &s->arch));
        s->arch.dropout = 0.0;
    } else
        TL_TRY(tl_arch_parse(ctx, c->arch, c->row, c->classes, &s->arch));
    s->arch.adapt = c->adapt;
    TL_TRY(tl_arch_params(ctx, &s->arch, &s->params));
    tl_params_init(s->params, 1, false, ctx->world->threads);
    tl_adapt_start(&s->arch.adapt, s->params);
    tl_train_select(s->params, &what, &(tl_hyper){ .head_rate = 1.0, .depth_rate = 1.0 });
done:
    json_decref(config);
    return rc;
}

static tl_status make_graph(tl_ctx *ctx, bench_step *s, tl_dtype dtype)
{
    tl_status     rc;
    const int64_t batch = s->c->batch, rows = s->c->length ? batch * s->c->length : batch;
    tl_net        net   = { .ctx       = ctx,
                            .params    = s->params,
                            .training  = true,
                            .dtype     = dtype,
                            .sequences = batch };

    TL_TRY(tl_graph_new(ctx, &s->g));
    net.g = s->g;
    TL_TRY(tl_arch_build(&net, &s->arch, rows, s->c->words ? TL_PART_LOSS : TL_PART_WHOLE,
                         &s->built));
    s->target = s->built.words.target;
    s->weight = s->built.words.weight;
    s->loss   = s->built.words.loss;
    if (!s->c->words) {
        s->target = tl_graph_input(s->g, "target", TL_I32, TL_SHAPE(batch));
        s->weight = tl_graph_input(s->g, "weight", TL_F32, TL_SHAPE(batch));
        s->loss   = tl_cross_entropy(s->g, s->built.logits, s->target, s->weight, 0, 0.0f);
    }
    tl_graph_keep(s->g, s->loss, "loss");
    TL_TRY(tl_graph_status(s->g));
    s->forward_flops = tl_graph_flops(s->g);
    tl_graph_backward(s->g, s->loss);
    TL_TRY(tl_graph_status(s->g));
done:
    return rc;
}

static tl_status bind_params(tl_ctx *ctx, bench_step *s)
{
    tl_status rc = TL_OK;

    for (int32_t i = 0; i < s->params->count; i++) {
        const tl_param *p = &s->params->param[i];
        const tl_tensor t = tl_graph_find(s->g, p->name);
        const tl_tensor d = t ? tl_graph_gradient(s->g, t) : 0;
        if (t) TL_TRY(tl_plan_bind(ctx, s->plan, t, tl_params_value(s->params, p)));
        if (d)
            TL_TRY(
                tl_plan_bind(ctx, s->plan, d, s->grad + tl_params_grad_at(s->params, p)));
    }
done:
    return rc;
}

/* Without decay neighbours that differ only in it are one span. */
static void merge_spans(bench_step *s)
{
    int32_t n = 0;

    for (int32_t i = 1; i < s->spans; i++) {
        tl_span *a = &s->span[n], *b = &s->span[i];
        if (b->at - a->at == b->grad_at - a->grad_at && b->at - (a->at + a->count) < 16)
            a->count = b->at + b->count - a->at;
        else
            s->span[++n] = *b;
    }
    s->spans = n + 1;
}

static tl_status make_optimizer(tl_ctx *ctx, bench_step *s)
{
    tl_status rc;
    int64_t   floats = 0;

    s->optimizer = tl_optimizer_find(s->c->optimizer);
    s->settings  = (tl_optim_settings){ .momentum     = s->c->momentum,
                                        .beta1        = 0.9,
                                        .beta2        = 0.999,
                                        .eps          = 1e-8,
                                        .weight_decay = s->c->weight_decay };
    TL_TRY(tl_params_spans(ctx, s->params, false, &s->span, &s->spans, &floats));
    if (s->c->weight_decay == 0.0) merge_spans(s);
    TL_TRY(tl_alloc_array(ctx, (size_t)floats, sizeof *s->grad, &s->grad));
    TL_TRY(tl_alloc_array(ctx, (size_t)floats, sizeof *s->m, &s->m));
    if (s->optimizer->moments > 1)
        TL_TRY(tl_alloc_array(ctx, (size_t)floats, sizeof *s->v, &s->v));
done:
    return rc;
}

static tl_status bind_texts(tl_ctx *ctx, bench_step *s)
{
    const tl_text_inputs *t = &s->built.text;
    tl_status             rc;

    TL_TRY(tl_plan_bind(ctx, s->plan, t->positions, s->rows.position));
    TL_TRY(tl_plan_bind(ctx, s->plan, t->offsets, s->rows.offset));
    if (t->segments) TL_TRY(tl_plan_bind(ctx, s->plan, t->segments, s->rows.segment));
done:
    return rc;
}

tl_status bench_step_new(tl_ctx *ctx, const bench_case *c, tl_dtype dtype,
                         bench_step **out)
{
    tl_status   rc;
    bench_step *s = NULL;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *s, &s));
    s->c = c;
    TL_TRY(make_arch(ctx, s));
    TL_TRY(make_graph(ctx, s, dtype));
    TL_TRY(bench_rows_new(ctx, c, tl_json_int(s->arch.config, "vocab_size", 0), &s->rows));
    TL_TRY(make_optimizer(ctx, s));
    TL_TRY(tl_plan_new(ctx, s->g, &tl_backend_cpu, NULL, &s->plan));
    TL_TRY(bind_params(ctx, s));
    if (c->length) TL_TRY(bind_texts(ctx, s));
    TL_TRY(tl_plan_bind(ctx, s->plan, s->weight, s->rows.weight));
    *out = s;
    s    = NULL;
done:
    bench_step_free(ctx, s);
    return rc;
}

void bench_step_free(tl_ctx *ctx, bench_step *s)
{
    if (!s) return;
    tl_plan_free(ctx, s->plan);
    tl_graph_free(ctx, s->g);
    tl_params_free(ctx, s->params);
    tl_arch_free(ctx, &s->arch);
    bench_rows_free(ctx, &s->rows);
    tl_free(ctx, s->span);
    tl_free(ctx, s->grad);
    tl_free(ctx, s->m);
    tl_free(ctx, s->v);
    tl_free(ctx, s);
}

tl_status bench_step_run(tl_ctx *ctx, bench_step *s, float *loss)
{
    tl_status      rc;
    const void    *x;
    const int32_t *y;

    bench_rows_batch(&s->rows, s->step, ctx->world->threads, &x, &y);
    TL_TRY(tl_plan_bind(ctx, s->plan, s->built.x, (void *)(uintptr_t)x));
    TL_TRY(tl_plan_bind(ctx, s->plan, s->target, (void *)(uintptr_t)y));
    TL_TRY(tl_plan_run(ctx, s->plan, (tl_tick){ .seed = 1, .step = s->step }));
    s->step++;
    for (int32_t i = 0; i < s->spans; i++) {
        const tl_span *p   = &s->span[i];
        const tl_flat  all = { .n     = p->count,
                               .w     = s->params->value + p->at,
                               .g     = s->grad + p->grad_at,
                               .share = 1.0f,
                               .m     = s->m + p->grad_at,
                               .v     = s->v ? s->v + p->grad_at : NULL };
        s->optimizer->step(&s->settings, s->c->lr, s->c->weight_decay, (int64_t)s->step, &all,
                           ctx->world->threads);
    }
    *loss = *(const float *)tl_plan_data(s->plan, s->loss);
done:
    return rc;
}

double bench_step_flops(const bench_step *s)
{
    return strcmp(s->c->unit, "images") == 0 ? 3.0 * s->forward_flops
                                             : tl_graph_flops(s->g);
}

int64_t bench_step_params(const bench_step *s, bool trained)
{
    return tl_params_numel(s->params, trained);
}

size_t bench_step_plan_bytes(const bench_step *s)
{
    return tl_plan_bytes(s->plan);
}

void bench_step_profile(bench_step *s, bool on)
{
    tl_plan_profile(s->plan, on);
}

static int slower(const void *a, const void *b)
{
    const double x = ((const tl_op_time *)a)->seconds,
                 y = ((const tl_op_time *)b)->seconds;

    return (x < y) - (x > y);
}

static void print_row(const tl_op_time *r, int64_t steps)
{
    fprintf(stderr, "%-22s %-34s %9.3f ms %8.1f GFLOP/s %7.1f GB/s\n", r->op,
            r->layer ? r->layer : "", r->seconds * 1e3 / (double)steps,
            r->flops / r->seconds * 1e-9, r->bytes / r->seconds * 1e-9);
}

/* Sums by op, then the slowest layers. */
void bench_step_print(tl_ctx *ctx, const bench_step *s, int64_t steps)
{
    enum { MOST = 2048, LAYERS = 40 };
    tl_op_time *row = NULL;
    tl_op_time  sum[64];
    size_t      n, ops = 0;

    if (tl_alloc_array(ctx, MOST, sizeof *row, &row) != TL_OK) return;
    n = tl_plan_profile_rows(s->plan, row, MOST);
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        while (at < ops && strcmp(sum[at].op, row[i].op) != 0) at++;
        if (at == TL_COUNT(sum)) continue;
        if (at == ops) sum[ops++] = (tl_op_time){ .op = row[i].op };
        sum[at].seconds += row[i].seconds;
        sum[at].flops += row[i].flops;
        sum[at].bytes += row[i].bytes;
    }
    qsort(sum, ops, sizeof *sum, slower);
    qsort(row, n, sizeof *row, slower);
    for (size_t i = 0; i < ops; i++) print_row(&sum[i], steps);
    fprintf(stderr, "slowest layers\n");
    for (size_t i = 0; i < TL_MIN(n, LAYERS); i++) print_row(&row[i], steps);
    tl_free(ctx, row);
}
