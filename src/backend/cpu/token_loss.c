/* token_loss.c -- the vocabulary's cross-entropy, a block of rows or of words at a time.
 * Floor 1, backend/cpu. */
#include "backend/cpu/workers.h"

#include <string.h>

enum { X, W, B, TARGET, WEIGHT, DLOSS, LSE, SLOPES };

typedef struct {
    const tl_simd *loops;
    tl_token_job   t;
    void (*body)(const tl_token_job *t, int64_t first, float *room);
    int64_t  step; /* rows or words of a unit */
    tl_units units;
} job;

static size_t room_bytes(int64_t d)
{
    return tl_padded((size_t)(d * (TL_ATTEND_KEYS + 2 * TL_ATTEND_ROWS) +
                              TL_ATTEND_ROWS * TL_ATTEND_KEYS) *
                     sizeof(float));
}

static tl_status loss_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                              size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);

    *work_bytes = room_bytes(tl_columns(&call->in[X])) *
                      (size_t)tl_workers(call->threads) +
                  3 * tl_padded((size_t)tl_rows(&call->in[X]) * sizeof(float));
    return rc;
}

/* Rows that count have slopes, one behind the other. */
static void place_rows(const tl_token_job *t, int32_t *place)
{
    int32_t count = 0;

    for (int64_t r = 0; r < t->rows; r++) {
        place[r] = count;
        count += tl_token_counts(t->target, t->weight, t->words, r);
    }
}

static job job_of(const tl_call *call)
{
    const tl_token_loss_attr *a = call->node->attr;
    job                       j = { .loops            = tl_loops(call),
                                    .units.threads    = call->threads,
                                    .units.room       = call->work,
                                    .units.room_bytes = room_bytes(tl_columns(&call->in[X])) };

    j.t = (tl_token_job){ .rows   = tl_rows(&call->in[X]),
                          .words  = tl_rows(&call->in[W]),
                          .d      = tl_columns(&call->in[X]),
                          .x      = call->in[X].data,
                          .bf     = tl_is_bf(&call->in[X]),
                          .w      = call->in[W].data,
                          .b      = call->in[B].data,
                          .target = call->in[TARGET].data,
                          .weight = call->in[WEIGHT].data,
                          .cap    = a->cap };
    j.t.columns = tl_slope_columns(j.t.words);
    return j;
}

static void unit_of(const void *arg, int64_t at, void *room)
{
    const job *j = arg;

    j->body(&j->t, at * j->step, room);
}

static void run_all(job *j, int64_t count, int64_t step,
                    void (*body)(const tl_token_job *t, int64_t first, float *room))
{
    j->step        = step;
    j->body        = body;
    j->units.job   = j;
    j->units.unit  = unit_of;
    j->units.units = tl_units_of(count, step);
    tl_units_run(&j->units);
}

/* Behind the threads' rooms: `which` of three lines, a value for each row. */
static void *line(const job *j, int which)
{
    return j->units.room + (size_t)tl_workers(j->units.threads) * j->units.room_bytes +
           (size_t)which * tl_padded((size_t)j->t.rows * sizeof(float));
}

static tl_status loss_run(tl_ctx *ctx, const tl_call *call)
{
    job    j     = job_of(call);
    double total = 0.0;

    (void)ctx;
    j.t.loss       = call->out[1].data ? call->out[1].data : line(&j, 0);
    j.t.lse        = call->out[2].data ? call->out[2].data : line(&j, 1);
    j.t.slopes_out = call->out[3].data;
    j.t.place      = line(&j, 2);
    if (j.t.slopes_out) {
        place_rows(&j.t, line(&j, 2));
        memset(j.t.slopes_out, 0,
               (size_t)tl_count(&call->out[3]) * tl_dtype_bytes(call->out[3].dtype));
    }
    run_all(&j, j.t.rows, TL_ATTEND_ROWS, j.loops->token_loss);
    for (int64_t r = 0; r < j.t.rows; r++)
        if (j.t.weight[r] != 0.0f) total += (double)j.t.weight[r] * (double)j.t.loss[r];
    if (call->out[0].data) *(float *)call->out[0].data = (float)total;
    return TL_OK;
}

static tl_status loss_grad_run(tl_ctx *ctx, const tl_call *call)
{
    job j = job_of(call);

    (void)ctx;
    j.t.lse    = call->in[LSE].data;
    j.t.slopes = call->in[SLOPES].data;
    j.t.place  = line(&j, 2);
    j.t.dloss  = *(const float *)call->in[DLOSS].data;
    j.t.dx     = call->out[0].data;
    j.t.dw     = call->out[1].data;
    j.t.db     = call->out[2].data;
    place_rows(&j.t, line(&j, 2));
    if (j.t.dw || j.t.db) run_all(&j, j.t.words, TL_ATTEND_KEYS, j.loops->token_loss_dw);
    if (j.t.dx) run_all(&j, j.t.rows, TL_ATTEND_ROWS, j.loops->token_loss_dx);
    return TL_OK;
}

#ifndef TAILOR_PORTABLE
static const double small_products = 20e6; /* multiply-adds up to which ours are faster */

static tl_status small_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                               size_t *work_bytes)
{
    if ((double)tl_rows(&call->in[X]) * (double)tl_count(&call->in[W]) > small_products)
        return TL_EUSAGE;
    return loss_prepare(ctx, g, call, work_bytes);
}

static const tl_kernel small[] = {
    { "token_loss", small_prepare, loss_run, NULL },
    { "token_loss_grad", small_prepare, loss_grad_run, NULL },
};
const tl_kernel_list tl_cpu_small_token_loss = { small, TL_COUNT(small) };
#endif

static const tl_kernel kernels[] = {
    { "token_loss", loss_prepare, loss_run, NULL },
    { "token_loss_grad", loss_prepare, loss_grad_run, NULL },
};
const tl_kernel_list tl_cpu_token_loss = { kernels, TL_COUNT(kernels) };
