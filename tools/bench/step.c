/* step.c -- one training step of a case: gather the batch, run the plan, move the weights. */
#include "bench.h"

#include "backend/cpu/cpu.h"
#include "core/par.h"
#include "core/rand.h"
#include "model/family.h"
#include "tensor/plan.h"
#include "train/optim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench_step {
    const bench_case   *c;
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
    float              *rows, *x, *w; /* the data set, a batch of it, row weights      */
    int32_t            *labels, *y;
    int64_t *order, row, items; /* floats of a row, rows of the data set         */
    uint64_t step;
    double   forward_flops;
};

static void fill(float *x, int64_t n, uint64_t stream)
{
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t lane[4];
        tl_rand_block(1, TL_STREAM(TL_STREAM_TEST, stream), (uint64_t)i, lane);
        for (int64_t k = i; k < TL_MIN(i + 4, n); k++)
            x[k] = (float)(lane[k - i] >> 8) * 0x1p-24f;
    }
}

/* Pictures come as one batch made beforehand, as the peer's do; samples are gathered. */
static tl_status make_data(tl_ctx *ctx, bench_step *s)
{
    tl_status     rc;
    const int64_t batch = s->c->batch;

    s->row   = tl_shape_count(&s->c->row);
    s->items = TL_MAX(s->c->items, batch);
    TL_TRY(tl_alloc_array(ctx, (size_t)(s->items * s->row), sizeof *s->rows, &s->rows));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->items, sizeof *s->labels, &s->labels));
    TL_TRY(tl_alloc_array(ctx, (size_t)s->items, sizeof *s->order, &s->order));
    TL_TRY(tl_alloc_array(ctx, (size_t)batch, sizeof *s->w, &s->w));
    fill(s->rows, s->items * s->row, 1);
    for (int64_t i = 0; i < s->items; i++) {
        s->labels[i] =
            (int32_t)tl_rand_below(1, TL_STREAM(TL_STREAM_TEST, 2), (uint64_t)i, 10);
        s->order[i] = i;
    }
    tl_rand_shuffle(1, TL_STREAM(TL_STREAM_ORDER, 0), s->order, s->items);
    for (int64_t i = 0; i < batch; i++) s->w[i] = 1.0f / (float)batch;
    s->x = s->rows;
    s->y = s->labels;
    if (!s->c->items) goto done;
    TL_TRY(tl_alloc_array(ctx, (size_t)(batch * s->row), sizeof *s->x, &s->x));
    TL_TRY(tl_alloc_array(ctx, (size_t)batch, sizeof *s->y, &s->y));
done:
    return rc;
}

static tl_status make_graph(tl_ctx *ctx, bench_step *s, tl_dtype dtype)
{
    tl_status rc;
    tl_net    net = { .ctx = ctx, .training = true, .dtype = dtype };

    TL_TRY(tl_arch_parse(ctx, s->c->arch, s->c->row, 10, &s->arch));
    TL_TRY(tl_arch_params(ctx, &s->arch, &s->params));
    tl_params_init(s->params, 1, false);
    TL_TRY(tl_graph_new(ctx, &s->g));
    net.g      = s->g;
    net.params = s->params;
    TL_TRY(tl_arch_build(&net, &s->arch, s->c->batch, TL_PART_WHOLE, &s->built));
    s->target = tl_graph_input(s->g, "target", TL_I32, TL_SHAPE(s->c->batch));
    s->weight = tl_graph_input(s->g, "weight", TL_F32, TL_SHAPE(s->c->batch));
    s->loss   = tl_cross_entropy(s->g, s->built.logits, s->target, s->weight, 0, 0.0f);
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

tl_status bench_step_new(tl_ctx *ctx, const bench_case *c, tl_dtype dtype,
                         bench_step **out)
{
    tl_status   rc;
    bench_step *s = NULL;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *s, &s));
    s->c = c;
    TL_TRY(make_graph(ctx, s, dtype));
    TL_TRY(make_data(ctx, s));
    TL_TRY(make_optimizer(ctx, s));
    TL_TRY(tl_plan_new(ctx, s->g, &tl_backend_cpu, NULL, &s->plan));
    TL_TRY(bind_params(ctx, s));
    TL_TRY(tl_plan_bind(ctx, s->plan, s->built.x, s->x));
    TL_TRY(tl_plan_bind(ctx, s->plan, s->target, s->y));
    TL_TRY(tl_plan_bind(ctx, s->plan, s->weight, s->w));
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
    if (s->x != s->rows) tl_free(ctx, s->x);
    if (s->y != s->labels) tl_free(ctx, s->y);
    tl_free(ctx, s->rows);
    tl_free(ctx, s->labels);
    tl_free(ctx, s->order);
    tl_free(ctx, s->w);
    tl_free(ctx, s->span);
    tl_free(ctx, s->grad);
    tl_free(ctx, s->m);
    tl_free(ctx, s->v);
    tl_free(ctx, s);
}

static void gather_rows(void *arg, int64_t low, int64_t high)
{
    bench_step    *s     = arg;
    const int64_t  steps = s->items / s->c->batch;
    const int64_t *at    = s->order + (int64_t)(s->step % (uint64_t)steps) * s->c->batch;

    for (int64_t i = low; i < high; i++) {
        memcpy(s->x + i * s->row, s->rows + at[i] * s->row,
               (size_t)s->row * sizeof *s->x);
        s->y[i] = s->labels[at[i]];
    }
}

tl_status bench_step_run(tl_ctx *ctx, bench_step *s, float *loss)
{
    tl_status rc;

    if (s->c->items) tl_par_for(ctx->world->threads, s->c->batch, 64, gather_rows, s);
    TL_TRY(tl_plan_run(ctx, s->plan, (tl_tick){ .seed = 1, .step = s->step }));
    s->step++;
    for (int32_t i = 0; i < s->spans; i++) {
        const tl_span *p = &s->span[i];
        s->optimizer->step(&s->settings, s->c->lr, s->c->weight_decay, (int64_t)s->step,
                           p->count, s->params->value + p->at, s->grad + p->grad_at,
                           s->m + p->grad_at, s->v ? s->v + p->grad_at : NULL,
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

int64_t bench_step_params(const bench_step *s)
{
    return tl_params_numel(s->params, false);
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
