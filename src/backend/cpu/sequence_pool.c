/* sequence_pool.c -- one row for each packed sequence, and its gradient, sequence by sequence.
 * Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"
#include "tensor/attend.h"

#include <string.h>

typedef struct {
    const tl_call *call;
    const tl_simd *loops;
    tl_pooling     kind;
    int64_t        d, rows;
    bool           bf;
    float         *sum; /* [sequences d], forward */
} job;

/* Room for the sums that become means; they are f32 whatever the rows are. */
static tl_status pool_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);

    *work_bytes = (size_t)tl_count(&call->out[0]) * sizeof(float);
    return rc;
}

/* The rows of sequence s that count. */
static int64_t counting(tl_pooling kind, const tl_sequence *s, int64_t *low)
{
    *low = kind == TL_POOL_LAST ? s->q_end - 1 : s->q;
    return s->q >= s->q_end ? 0 : kind == TL_POOL_MEAN ? s->q_end - s->q : 1;
}

static void pool_one(const job *j, int64_t at, const tl_sequence *s)
{
    int64_t       low;
    const int64_t n   = counting(j->kind, s, &low);
    float        *sum = j->sum + at * j->d;
    void         *out = tl_place(&j->call->out[0], at * j->d);
    const size_t  row = (size_t)j->d * (j->bf ? 2 : 4);

    if (n == 0) {
        memset(out, 0, row);
    } else if (n == 1) {
        memcpy(out, tl_place(&j->call->in[0], low * j->d), row);
    } else {
        j->loops->column_sums(n, j->d, tl_place(&j->call->in[0], low * j->d), NULL, j->bf, sum);
        j->loops->scale(1.0f / (float)n, j->d, sum, sum, false);
        j->loops->cast(j->d, sum, false, out, j->bf);
    }
}

static void pool_grad_one(const job *j, int64_t at, const tl_sequence *s)
{
    int64_t        low;
    const int64_t  n  = counting(j->kind, s, &low);
    const tl_view *dx = &j->call->out[0];
    const size_t   row = (size_t)j->d * (j->bf ? 2 : 4);

    if (n == 0) return;
    memset(tl_place(dx, s->q * j->d), 0, (size_t)(s->q_end - s->q) * row);
    j->loops->scale(1.0f / (float)n, j->d, tl_place(&j->call->in[0], at * j->d),
                    tl_place(dx, low * j->d), j->bf);
    for (int64_t r = low + 1; r < low + n; r++)
        memcpy(tl_place(dx, r * j->d), tl_place(dx, low * j->d), row);
}

/* Each thread walks past the others' sequences. */
static void sequences(const job *j, int64_t first, int64_t end,
                      void (*one)(const job *j, int64_t at, const tl_sequence *s))
{
    tl_sequences walk = tl_sequences_of(&j->call->in[1], &(tl_view){ 0 }, 0, j->rows, 0);
    tl_sequence  s;

    for (int64_t at = 0; at < end && tl_sequences_next(&walk, &s); at++)
        if (at >= first) one(j, at, &s);
}

static void pool_some(void *arg, int64_t low, int64_t high)
{
    sequences(arg, low, high, pool_one);
}

static void pool_grad_some(void *arg, int64_t low, int64_t high)
{
    sequences(arg, low, high, pool_grad_one);
}

static tl_status pool_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_pool_rows_attr *a = call->node->attr;
    job                      j = { .call  = call,
                                   .loops = tl_loops(call),
                                   .kind  = a->kind,
                                   .d     = tl_columns(&call->in[0]),
                                   .rows  = tl_rows(&call->in[0]),
                                   .bf    = tl_is_bf(&call->in[0]),
                                   .sum   = call->work };

    (void)ctx;
    tl_par_for(call->threads, tl_rows(&call->out[0]), 1, pool_some, &j);
    return TL_OK;
}

static tl_status pool_grad_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_pool_rows_grad_attr *a = call->node->attr;
    const tl_view                *dx = &call->out[0];
    job                           j  = { .call  = call,
                                         .loops = tl_loops(call),
                                         .kind  = a->kind,
                                         .d     = tl_columns(dx),
                                         .rows  = tl_rows(dx),
                                         .bf    = tl_is_bf(dx) };
    const int32_t                *offset = call->in[1].data;
    const size_t                  row    = (size_t)j.d * tl_dtype_bytes(dx->dtype);
    const int64_t                 n      = tl_rows(&call->in[0]);
    const int64_t                 first  = TL_MIN(TL_MAX(offset[0], 0), j.rows);
    int64_t                       end    = first;

    (void)ctx;
    for (int64_t s = 1; s <= n; s++) end = TL_MIN(TL_MAX(end, offset[s]), j.rows);
    memset(dx->data, 0, (size_t)first * row);
    memset(tl_place(dx, end * j.d), 0, (size_t)(j.rows - end) * row);
    tl_par_for(call->threads, n, 1, pool_grad_some, &j);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "sequence_pool", pool_prepare, pool_run, NULL },
    { "sequence_pool_grad", tl_cpu_ready, pool_grad_run, NULL },
};
const tl_kernel_list tl_cpu_sequence_pool = { kernels, TL_COUNT(kernels) };
