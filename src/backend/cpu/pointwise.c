/* pointwise.c -- kernels that go element by element.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"
#include "core/rand.h"

/* Elements [low * TL_PIECE, high * TL_PIECE) of a flat array of n. */
typedef struct {
    const tl_call *call;
    int64_t        n;
} flat;

static int64_t flat_pieces(int64_t n)
{
    return (n + TL_PIECE - 1) / TL_PIECE;
}

static void run_flat(const tl_call *call, void (*body)(void *, int64_t, int64_t))
{
    flat f = { call, tl_count(&call->out[0]) };

    if (call->out[0].data) tl_par_for(call->threads, flat_pieces(f.n), 4, body, &f);
}

static int64_t flat_at(const flat *f, int64_t low, int64_t high, int64_t *count)
{
    *count = TL_MIN(high * TL_PIECE, f->n) - low * TL_PIECE;
    return low * TL_PIECE;
}

static void act_piece(void *arg, int64_t low, int64_t high)
{
    const flat        *f = arg;
    const tl_call     *c = f->call;
    const tl_act_attr *a = c->node->attr;
    int64_t            n;
    const int64_t      at = flat_at(f, low, high, &n);

    tl_loops(c)->act(a->act, n, tl_place(&c->in[0], at), tl_place(&c->out[0], at),
                     tl_is_bf(&c->in[0]));
}

static tl_status act_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    run_flat(call, act_piece);
    return TL_OK;
}

static void act_grad_piece(void *arg, int64_t low, int64_t high)
{
    const flat             *f = arg;
    const tl_call          *c = f->call;
    const tl_act_grad_attr *a = c->node->attr;
    int64_t                 n;
    const int64_t           at = flat_at(f, low, high, &n);

    tl_loops(c)->act_grad(a->act, a->from_output, n, tl_place(&c->in[0], at),
                          tl_place(&c->in[1], at), tl_place(&c->out[0], at),
                          tl_is_bf(&c->in[0]));
}

static tl_status act_grad_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    run_flat(call, act_grad_piece);
    return TL_OK;
}

static void scale_piece(void *arg, int64_t low, int64_t high)
{
    const flat          *f = arg;
    const tl_call       *c = f->call;
    const tl_scale_attr *a = c->node->attr;
    int64_t              n;
    const int64_t        at = flat_at(f, low, high, &n);

    tl_loops(c)->scale(a->factor, n, tl_place(&c->in[0], at), tl_place(&c->out[0], at),
                       tl_is_bf(&c->in[0]));
}

static tl_status scale_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    run_flat(call, scale_piece);
    return TL_OK;
}

static void cast_piece(void *arg, int64_t low, int64_t high)
{
    const flat    *f = arg;
    const tl_call *c = f->call;
    int64_t        n;
    const int64_t  at = flat_at(f, low, high, &n);

    tl_loops(c)->cast(n, tl_place(&c->in[0], at), tl_is_bf(&c->in[0]),
                      tl_place(&c->out[0], at), tl_is_bf(&c->out[0]));
}

static tl_status cast_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    run_flat(call, cast_piece);
    return TL_OK;
}

/* add and mul: b has a's shape, or its tail's; then each row of b's size is one piece of work. */
static bool is_add(const tl_call *c)
{
    return c->node->op->name[0] == 'a';
}

static void pair_range(const tl_call *c, int64_t n, int64_t at, int64_t b_at)
{
    const void *a = tl_place(&c->in[0], at), *b = tl_place(&c->in[1], b_at);
    void       *y = tl_place(&c->out[0], at);

    if (is_add(c))
        tl_loops(c)->add(((const tl_act_attr *)c->node->attr)->act, n, a, b, y,
                         tl_is_bf(&c->in[0]), tl_is_bf(&c->in[1]));
    else
        tl_loops(c)->mul(n, a, b, y, tl_is_bf(&c->in[0]), tl_is_bf(&c->in[1]));
}

static void pair_piece(void *arg, int64_t low, int64_t high)
{
    const flat   *f = arg;
    int64_t       n;
    const int64_t at = flat_at(f, low, high, &n);

    pair_range(f->call, n, at, at);
}

static void pair_rows(void *arg, int64_t low, int64_t high)
{
    const flat   *f = arg;
    const int64_t c = tl_count(&f->call->in[1]);

    for (int64_t r = low; r < high; r++) pair_range(f->call, c, r * c, 0);
}

static tl_status pair_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                              size_t *work_bytes)
{
    /* loops know f32 + f32, bf16 + bf16 and bf16 + f32 */
    if (call->in[0].dtype == TL_F32 && call->in[1].dtype != TL_F32) return TL_EUSAGE;
    return tl_cpu_ready(ctx, g, call, work_bytes);
}

static tl_status pair_run(tl_ctx *ctx, const tl_call *call)
{
    const int64_t n = tl_count(&call->in[0]), c = tl_count(&call->in[1]);
    flat          f = { call, n };

    (void)ctx;
    if (!call->out[0].data) return TL_OK;
    if (n == c)
        tl_par_for(call->threads, flat_pieces(n), 4, pair_piece, &f);
    else
        tl_par_for(call->threads, n / c, TL_MAX(1, 4 * TL_PIECE / c), pair_rows, &f);
    return TL_OK;
}

/* Four neighbours share one block of random numbers. */
static void dropout_piece(void *arg, int64_t low, int64_t high)
{
    const flat            *f      = arg;
    const tl_call         *c      = f->call;
    const tl_dropout_attr *a      = c->node->attr;
    const float            keep   = (float)(1.0 / (1.0 - (double)a->p));
    int64_t                n;
    const int64_t          at = flat_at(f, low, high, &n);

    tl_loops(c)->dropout(c->tick->seed, TL_STREAM(TL_STREAM_DROPOUT, a->stream),
                         tl_dropout_index(c->tick->step, at), tl_dropout_bound(a->p), keep, n,
                         tl_place(&c->in[0], at), tl_place(&c->out[0], at), tl_is_bf(&c->in[0]));
}

static tl_status dropout_run(tl_ctx *ctx, const tl_call *call)
{
    (void)ctx;
    run_flat(call, dropout_piece);
    return TL_OK;
}

static tl_status fill_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                              size_t *work_bytes)
{
    (void)ctx;
    (void)g;
    (void)call;
    *work_bytes = 0;
    return tl_is_real(&call->out[0]) ? TL_OK : TL_EUSAGE;
}

static tl_status fill_run(tl_ctx *ctx, const tl_call *call)
{
    const tl_fill_attr *a = call->node->attr;
    const int64_t       n = tl_count(&call->out[0]);
    const uint16_t      b = tl_f32_to_bf16(a->value);

    (void)ctx;
    for (int64_t i = 0; call->out[0].data && i < n; i++) {
        if (tl_is_bf(&call->out[0]))
            ((uint16_t *)call->out[0].data)[i] = b;
        else
            ((float *)call->out[0].data)[i] = a->value;
    }
    return TL_OK;
}

/* Sums over leading axes: rows of the tail's size. */
static tl_status sum_tail_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                  size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);
    const int64_t   c  = tl_count(&call->out[0]);

    if (rc != TL_OK) return rc;
    if (call->out[0].dtype != TL_F32) return TL_EUSAGE;
    if (call->node->n_in > 1 && call->node->in[1] &&
        call->in[1].dtype != call->in[0].dtype)
        return TL_EUSAGE;
    *work_bytes = tl_column_work(tl_count(&call->in[0]) / c, c);
    return TL_OK;
}

static tl_status sum_tail_run(tl_ctx *ctx, const tl_call *call)
{
    const int64_t c = tl_count(&call->out[0]), rows = tl_count(&call->in[0]) / c;

    (void)ctx;
    if (call->out[0].data)
        tl_column_sums(tl_loops(call), call->threads, rows, c, &call->in[0],
                       call->in[1].data ? &call->in[1] : NULL, call->work,
                       call->out[0].data);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "act", tl_cpu_ready, act_run, NULL },
    { "act_grad", tl_cpu_ready, act_grad_run, NULL },
    { "add", pair_prepare, pair_run, NULL },
    { "mul", pair_prepare, pair_run, NULL },
    { "scale", tl_cpu_ready, scale_run, NULL },
    { "cast", tl_cpu_ready, cast_run, NULL },
    { "dropout", tl_cpu_ready, dropout_run, NULL },
    { "fill", fill_prepare, fill_run, NULL },
    { "sum_tail", sum_tail_prepare, sum_tail_run, NULL },
};
const tl_kernel_list tl_cpu_pointwise = { kernels, TL_COUNT(kernels) };
