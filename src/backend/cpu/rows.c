/* rows.c -- kernels that take a row at a time: softmax, cross-entropy, the
 * votes of the best.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"

#include <math.h>
#include <string.h>

typedef struct {
    const tl_call *call;
    const tl_simd *loops;
    int64_t        c;
    bool           log;
    tl_loss        loss;
    float         *loss_r;
} rows;

static rows rows_of(const tl_call *call)
{
    return (rows){ .call  = call,
                   .loops = tl_loops(call),
                   .c     = tl_columns(&call->in[0]),
                   .log   = call->node->op->name[0] == 'l' };
}

static int64_t grain(int64_t c)
{
    return TL_MAX(1, 8192 / c);
}

static void softmax_rows(void *arg, int64_t low, int64_t high)
{
    const rows    *k = arg;
    const tl_call *c = k->call;

    k->loops->softmax(high - low, k->c, tl_place(&c->in[0], low * k->c),
                      tl_place(&c->out[0], low * k->c), tl_is_bf(&c->in[0]), k->log);
}

static tl_status softmax_run(tl_ctx *ctx, const tl_call *call)
{
    rows k = rows_of(call);

    (void)ctx;
    if (call->out[0].data)
        tl_par_for(call->threads, tl_rows(&call->in[0]), grain(k.c), softmax_rows, &k);
    return TL_OK;
}

static void softmax_grad_rows(void *arg, int64_t low, int64_t high)
{
    const rows    *k = arg;
    const tl_call *c = k->call;

    k->loops->softmax_grad(high - low, k->c, tl_place(&c->in[0], low * k->c),
                           tl_place(&c->in[1], low * k->c),
                           tl_place(&c->out[0], low * k->c), tl_is_bf(&c->in[0]), k->log);
}

static tl_status softmax_grad_run(tl_ctx *ctx, const tl_call *call)
{
    rows k = rows_of(call);

    (void)ctx;
    if (call->out[0].data)
        tl_par_for(call->threads, tl_rows(&call->in[0]), grain(k.c), softmax_grad_rows,
                   &k);
    return TL_OK;
}

enum { LOGITS, TARGET, WEIGHT, CLASS_WEIGHT, DLOSS };

static tl_status loss_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                              size_t *work_bytes)
{
    const tl_dtype  target = call->in[TARGET].dtype;
    const tl_status rc     = tl_cpu_ready(ctx, g, call, work_bytes);

    if (rc == TL_OK && target != TL_I32 && target != TL_F32) return TL_EUSAGE;
    *work_bytes = (size_t)tl_rows(&call->in[LOGITS]) * sizeof(float);
    return rc;
}

static rows loss_of(const tl_call *call)
{
    const tl_cross_entropy_attr *a    = call->node->attr;
    rows                         k    = rows_of(call);
    const bool                   soft = call->in[TARGET].dtype == TL_F32;

    k.loss = (tl_loss){ .c            = k.c,
                        .logits       = call->in[LOGITS].data,
                        .label        = soft ? NULL : call->in[TARGET].data,
                        .soft         = soft ? call->in[TARGET].data : NULL,
                        .weight       = call->in[WEIGHT].data,
                        .class_weight = call->in[CLASS_WEIGHT].data,
                        .smoothing    = a->smoothing };
    return k;
}

static void loss_rows(void *arg, int64_t low, int64_t high)
{
    const rows *k = arg;

    k->loops->loss(&k->loss, low, high, k->loss_r, tl_is_bf(&k->call->in[LOGITS]));
}

static tl_status loss_run(tl_ctx *ctx, const tl_call *call)
{
    rows          k   = loss_of(call);
    const int64_t n   = tl_rows(&call->in[LOGITS]);
    double        sum = 0.0;

    (void)ctx;
    k.loss_r = call->out[1].data ? call->out[1].data : call->work;
    tl_par_for(call->threads, n, grain(k.c), loss_rows, &k);
    for (int64_t r = 0; r < n; r++)
        if (k.loss.weight[r] != 0.0f)
            sum += (double)k.loss.weight[r] * (double)k.loss_r[r];
    if (call->out[0].data) *(float *)call->out[0].data = (float)sum;
    return TL_OK;
}

static void loss_grad_rows(void *arg, int64_t low, int64_t high)
{
    const rows *k = arg;

    k->loops->loss_grad(&k->loss, low, high, *(const float *)k->call->in[DLOSS].data,
                        k->call->out[0].data, tl_is_bf(&k->call->in[LOGITS]));
}

static tl_status loss_grad_run(tl_ctx *ctx, const tl_call *call)
{
    rows k = loss_of(call);

    (void)ctx;
    if (call->out[0].data)
        tl_par_for(call->threads, tl_rows(&call->in[LOGITS]), grain(k.c), loss_grad_rows,
                   &k);
    return TL_OK;
}

static int64_t entries_of(const tl_call *call)
{
    return tl_columns(&call->in[0]);
}

/* The `most` best of a row, best first; between equals the first. */
static void best_of(const float *x, int64_t entries, int64_t most, int64_t *best)
{
    int64_t count = 0;

    for (int64_t i = 0; i < entries; i++) {
        int64_t k = count;
        if (count == most) {
            if (!(x[i] > x[best[most - 1]])) continue;
            k--;
        } else {
            count++;
        }
        for (; k > 0 && x[i] > x[best[k - 1]]; k--) best[k] = best[k - 1];
        best[k] = i;
    }
}

/* Of the k votes what each of the best has: one, or as near as it is. */
static void share_votes(const tl_vote_attr *a, const float *x, const int64_t *best, double *share)
{
    double all = 0.0;

    for (int64_t k = a->skip; k < a->k + a->skip; k++)
        all += share[k] = a->near ? 1.0 / fmax(1e-6, 1.0 - (double)x[best[k]]) : 1.0;
    for (int64_t k = a->skip; k < a->k + a->skip; k++) share[k] *= (double)a->k / all;
}

static void vote_rows(void *arg, int64_t low, int64_t high)
{
    const tl_call      *c     = arg;
    const tl_vote_attr *a     = c->node->attr;
    const float        *class = c->in[1].data;
    int64_t             best[TL_MOST_VOTES + 1];
    double              share[TL_MOST_VOTES + 1];

    for (int64_t r = low; r < high; r++) {
        float       *y = (float *)c->out[0].data + r * a->classes;
        const float *x = (const float *)c->in[0].data + r * entries_of(c);
        best_of(x, entries_of(c), a->k + a->skip, best);
        share_votes(a, x, best, share);
        for (int64_t m = 0; m < a->classes; m++) {
            double votes = 1.0 / (double)a->classes;
            for (int64_t k = a->skip; k < a->k + a->skip; k++)
                if (class[best[k]] == (float)m) votes += share[k];
            y[m] = (float)log(votes / (double)(a->k + 1));
        }
    }
}

static tl_status vote_run(tl_ctx *ctx, const tl_call *call)
{
    tl_call c = *call;

    (void)ctx;
    if (c.out[0].data)
        tl_par_for(c.threads, tl_rows(&c.in[0]), grain(entries_of(call)), vote_rows, &c);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "softmax", tl_cpu_ready, softmax_run, NULL },
    { "log_softmax", tl_cpu_ready, softmax_run, NULL },
    { "softmax_grad", tl_cpu_ready, softmax_grad_run, NULL },
    { "log_softmax_grad", tl_cpu_ready, softmax_grad_run, NULL },
    { "cross_entropy", loss_prepare, loss_run, NULL },
    { "cross_entropy_grad", loss_prepare, loss_grad_run, NULL },
    { "vote", NULL, vote_run, NULL },
};
const tl_kernel_list tl_cpu_rows = { kernels, TL_COUNT(kernels) };
