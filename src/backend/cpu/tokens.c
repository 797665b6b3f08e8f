/* tokens.c -- kernels of networks over tokens: RMS norm, gated units, rotary positions, and the
 * gradient that adds rows into an embedding table in the order the rows come.
 * Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"

#include <math.h>
#include <string.h>

typedef struct {
    const tl_call *call;
    const tl_simd *loops;
    int64_t        rows, c;
    float         *part;
} job;

static job job_of(const tl_call *call, const tl_view *rows)
{
    return (job){ call, tl_loops(call), tl_rows(rows), tl_columns(rows), call->work };
}

static int64_t row_grain(int64_t c)
{
    return TL_MAX(1, 4 * TL_PIECE / c);
}

/* ---- RMS norm --------------------------------------------------------------------------- */
static void rms_rows(void *arg, int64_t low, int64_t high)
{
    const job              *k   = arg;
    const tl_call          *c   = k->call;
    const tl_rms_norm_attr *a   = c->node->attr;
    float                  *inv = c->out[1].data;

    k->loops->rms_norm(high - low, k->c, tl_place(&c->in[0], low * k->c),
                       tl_place(&c->out[0], low * k->c), tl_is_bf(&c->in[0]),
                       c->in[1].data, a->plus, a->eps, inv ? inv + low : NULL);
}

static tl_status rms_run(tl_ctx *ctx, const tl_call *call)
{
    job k = job_of(call, &call->in[0]);

    (void)ctx;
    tl_par_for(call->threads, k.rows, row_grain(k.c), rms_rows, &k);
    return TL_OK;
}

static tl_status rms_grad_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                  size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);

    *work_bytes = tl_column_work(tl_rows(&call->in[0]), tl_columns(&call->in[0]));
    return rc;
}

static void rms_grad_pieces(void *arg, int64_t low, int64_t high)
{
    const job              *k     = arg;
    const tl_call          *c     = k->call;
    const tl_rms_norm_attr *a     = c->node->attr;
    const int64_t           piece = tl_piece_rows(k->c);
    const float            *inv   = c->in[3].data;

    for (int64_t p = low; p < high; p++) {
        const int64_t row = p * piece, at = row * k->c;
        k->loops->rms_norm_grad(TL_MIN(piece, k->rows - row), k->c,
                                tl_place(&c->in[0], at), tl_place(&c->in[1], at),
                                tl_is_bf(&c->in[0]), c->in[2].data, a->plus, inv + row,
                                tl_place(&c->out[0], at),
                                c->out[1].data ? k->part + p * k->c : NULL);
    }
}

static tl_status rms_grad_run(tl_ctx *ctx, const tl_call *call)
{
    job           k      = job_of(call, &call->in[0]);
    const int64_t pieces = tl_pieces(k.rows, k.c);

    (void)ctx;
    tl_par_for(call->threads, pieces, 1, rms_grad_pieces, &k);
    if (call->out[1].data)
        tl_add_pieces(call->threads, pieces, k.c, k.c, k.part, call->out[1].data);
    return TL_OK;
}

/* ---- gated units: a row's gate and up, apart or side by side ------------------------------ */
static void glu_rows(void *arg, int64_t low, int64_t high)
{
    const job         *k    = arg;
    const tl_call     *c    = k->call;
    const tl_act_attr *a    = c->node->attr;
    const bool         both = !c->in[1].data;
    const int64_t      step = both ? 2 * k->c : k->c;

    for (int64_t r = low; r < high; r++)
        k->loops->glu(a->act, k->c, tl_place(&c->in[0], r * step),
                      both ? tl_place(&c->in[0], r * step + k->c)
                           : tl_place(&c->in[1], r * step),
                      tl_place(&c->out[0], r * k->c), tl_is_bf(&c->in[0]));
}

static tl_status glu_run(tl_ctx *ctx, const tl_call *call)
{
    job k = job_of(call, &call->out[0]);

    (void)ctx;
    if (call->out[0].data)
        tl_par_for(call->threads, k.rows, row_grain(k.c), glu_rows, &k);
    return TL_OK;
}

static void glu_grad_rows(void *arg, int64_t low, int64_t high)
{
    const job         *k    = arg;
    const tl_call     *c    = k->call;
    const tl_act_attr *a    = c->node->attr;
    const bool         both = !c->in[2].data;
    const int64_t      step = both ? 2 * k->c : k->c, up = both ? k->c : 0;
    const tl_view     *x = &c->in[both ? 1 : 2], *dup = &c->out[both ? 0 : 1];

    for (int64_t r = low; r < high; r++)
        k->loops->glu_grad(a->act, k->c, tl_place(&c->in[0], r * k->c),
                           tl_place(&c->in[1], r * step), tl_place(x, r * step + up),
                           tl_place(&c->out[0], r * step), tl_place(dup, r * step + up),
                           tl_is_bf(&c->in[1]));
}

static tl_status glu_grad_run(tl_ctx *ctx, const tl_call *call)
{
    job k = job_of(call, &call->in[0]);

    (void)ctx;
    tl_par_for(call->threads, k.rows, row_grain(k.c), glu_grad_rows, &k);
    return TL_OK;
}

/* ---- rotary positions ---------------------------------------------------------------------- */
static tl_status angles_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                size_t *work_bytes)
{
    (void)ctx;
    (void)g;
    (void)call;
    *work_bytes = 0;
    return TL_OK;
}

static void angle_rows(void *arg, int64_t low, int64_t high)
{
    const tl_call             *c      = arg;
    const tl_rope_angles_attr *a      = c->node->attr;
    const int32_t             *place  = c->in[0].data;
    float                     *cosine = c->out[0].data, *sine = c->out[1].data;

    for (int64_t r = low; r < high; r++)
        for (int i = 0; i < a->half; i++) {
            const double angle = (double)((float)place[r] * a->inverse[i]);
            if (cosine) cosine[r * a->half + i] = (float)(cos(angle) * (double)a->factor);
            if (sine) sine[r * a->half + i] = (float)(sin(angle) * (double)a->factor);
        }
}

static tl_status angles_run(tl_ctx *ctx, const tl_call *call)
{
    tl_call c = *call;

    (void)ctx;
    tl_par_for(c.threads, c.in[0].shape.dim[0], 64, angle_rows, &c);
    return TL_OK;
}

static void rope_rows(void *arg, int64_t low, int64_t high)
{
    const job     *k    = arg;
    const tl_call *c    = k->call;
    const int64_t  half = tl_columns(&c->in[1]);

    k->loops->rope(c->node->attr, high - low, k->c, half, tl_place(&c->in[0], low * k->c),
                   tl_place(&c->in[1], low * half), tl_place(&c->in[2], low * half),
                   tl_place(&c->out[0], low * k->c), tl_is_bf(&c->in[0]));
}

static tl_status rope_run(tl_ctx *ctx, const tl_call *call)
{
    job k = job_of(call, &call->in[0]);

    (void)ctx;
    if (call->out[0].data)
        tl_par_for(call->threads, k.rows, row_grain(k.c), rope_rows, &k);
    return TL_OK;
}

/* ---- gradient of embedding: the rows of each number, listed by a counting sort -------------- */
typedef struct {
    const tl_call *call;
    const tl_simd *loops;
    int64_t        d;
    int32_t       *first, *row; /* [v + 1]; [n] rows in order, number after number */
} listing;

static tl_status embedding_grad_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                                        size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);

    if (tl_count(&call->in[1]) > INT32_MAX || tl_rows(&call->out[0]) >= INT32_MAX - 1)
        return TL_EUSAGE;
    *work_bytes = tl_padded((size_t)(tl_rows(&call->out[0]) + 2) * sizeof(int32_t)) +
                  tl_padded((size_t)tl_count(&call->in[1]) * sizeof(int32_t));
    return rc;
}

static void list_rows(const listing *k, const int32_t *id, int64_t n, int64_t v)
{
    memset(k->first, 0, (size_t)(v + 2) * sizeof *k->first);
    for (int64_t i = 0; i < n; i++)
        if (id[i] >= 0 && id[i] < v) k->first[id[i] + 2]++;
    for (int64_t t = 2; t < v + 2; t++) k->first[t] += k->first[t - 1];
    for (int64_t i = 0; i < n; i++)
        if (id[i] >= 0 && id[i] < v) k->row[k->first[id[i] + 1]++] = (int32_t)i;
}

/* Sum of the listed rows and of `base` (NULL: none) in f32; a bf16 table is rounded once. */
static void add_rows_f32(const listing *k, int64_t from, int64_t to, const float *base, float *out)
{
    const float *dy = k->call->in[0].data;

    if (!base) base = dy + k->row[from++] * k->d;
    if (base != out) memcpy(out, base, (size_t)k->d * sizeof *out);
    for (int64_t i = from; i < to; i++)
        k->loops->add(TL_ACT_NONE, k->d, out, dy + k->row[i] * k->d, out, false, false);
}
static void add_rows_bf16(const listing *k, int64_t from, int64_t to, const uint16_t *base,
                          uint16_t *out)
{
    const uint16_t *dy = k->call->in[0].data;

    for (int64_t j = 0; j < k->d; j++) {
        float sum = base ? tl_bf16_to_f32(base[j]) : 0.0f;
        for (int64_t i = from; i < to; i++)
            sum += tl_bf16_to_f32(dy[k->row[i] * k->d + j]);
        out[j] = tl_f32_to_bf16(sum);
    }
}

enum { FAR_BYTES = 16 << 20 }; /* a table that no cache holds until it is read again */

/* Rows [low, high), which no number names. */
static void other_rows(const listing *k, int64_t low, int64_t high)
{
    const tl_view *table = &k->call->out[0];
    const void    *base  = tl_place(&k->call->in[2], low * k->d);
    void          *out   = tl_place(table, low * k->d);
    const size_t   cell  = tl_dtype_bytes(table->dtype);
    const size_t   bytes = (size_t)((high - low) * k->d) * cell;

    if (base == out) return;
    if (base) memcpy(out, base, bytes);
    else if ((size_t)tl_count(table) * cell < FAR_BYTES) memset(out, 0, bytes);
    else k->loops->clear_far(bytes, out);
}

static void table_rows(void *arg, int64_t low, int64_t high)
{
    const listing *k     = arg;
    const tl_view *table = &k->call->out[0];
    int64_t        done  = low;

    for (int64_t t = low; t < high; t++) {
        if (k->first[t] == k->first[t + 1]) continue;
        void       *out  = tl_place(table, t * k->d);
        const void *base = tl_place(&k->call->in[2], t * k->d);
        if (done < t) other_rows(k, done, t);
        done = t + 1;
        if (tl_is_bf(table))
            add_rows_bf16(k, k->first[t], k->first[t + 1], base, out);
        else
            add_rows_f32(k, k->first[t], k->first[t + 1], base, out);
    }
    if (done < high) other_rows(k, done, high);
}

static tl_status embedding_grad_run(tl_ctx *ctx, const tl_call *call)
{
    const int64_t v = tl_rows(&call->out[0]), n = tl_count(&call->in[1]);
    listing k = { call, tl_loops(call), tl_columns(&call->out[0]), call->work, NULL };

    (void)ctx;
    if (!call->out[0].data) return TL_OK;
    k.row = (void *)((char *)call->work + tl_padded((size_t)(v + 2) * sizeof(int32_t)));
    list_rows(&k, call->in[1].data, n, v);
    tl_par_for(call->threads, v, row_grain(k.d), table_rows, &k);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "rms_norm", tl_cpu_ready, rms_run, NULL },
    { "rms_norm_grad", rms_grad_prepare, rms_grad_run, NULL },
    { "glu", tl_cpu_ready, glu_run, NULL },
    { "glu_grad", tl_cpu_ready, glu_grad_run, NULL },
    { "rope_angles", angles_prepare, angles_run, NULL },
    { "rope", tl_cpu_ready, rope_run, NULL },
    { "embedding_grad", embedding_grad_prepare, embedding_grad_run, NULL },
};
const tl_kernel_list tl_cpu_tokens = { kernels, TL_COUNT(kernels) };
