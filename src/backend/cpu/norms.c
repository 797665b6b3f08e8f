/* norms.c -- batch and layer normalisation.  Statistics are taken in pieces of fixed size,
 * shifted by the piece's first row, and combined in order in double.
 * Sources: Ioffe and Szegedy 2015; Chan et al. 1983.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"

#include <math.h>

enum { X, GAMMA, BETA, MEAN, VAR, RESIDUAL };

/* Of batch_norm and its gradient alike; part: [pieces][parts][c], row: [rows of c floats]. */
typedef struct {
    const tl_call            *call;
    const tl_simd            *loops;
    const tl_batch_norm_attr *attr;
    int64_t                   rows, c, pieces;
    float                    *part, *mean, *scale, *shift, *extra;
    bool                      sums_x; /* gradient: the sum of g * (x - mean) is wanted */
} norm;

enum { PARTS = 3, SHIFT = 0, SUM = 1, SQUARES = 2 };

static tl_status norm_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                              size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);
    const int64_t   c  = tl_columns(&call->in[0]);

    *work_bytes =
        (size_t)(c * (PARTS * tl_pieces(tl_rows(&call->in[0]), c) + 4)) * sizeof(float);
    return rc;
}

static norm norm_of(const tl_call *call)
{
    norm k = { .call  = call,
               .loops = tl_loops(call),
               .attr  = call->node->attr,
               .rows  = tl_rows(&call->in[0]),
               .c     = tl_columns(&call->in[0]) };

    k.pieces = tl_pieces(k.rows, k.c);
    k.part   = call->work;
    k.mean   = k.part + k.pieces * PARTS * k.c;
    k.scale  = k.mean + k.c;
    k.shift  = k.scale + k.c;
    k.extra  = k.shift + k.c;
    return k;
}

static int64_t piece_rows(const norm *k, int64_t p)
{
    return TL_MIN(tl_piece_rows(k->c), k->rows - p * tl_piece_rows(k->c));
}

static float value_at(const tl_view *v, int64_t i)
{
    return tl_is_bf(v) ? tl_bf16_to_f32(((const uint16_t *)v->data)[i])
                       : ((const float *)v->data)[i];
}

static void stats_pieces(void *arg, int64_t low, int64_t high)
{
    const norm    *k = arg;
    const tl_view *x = &k->call->in[X];

    for (int64_t p = low; p < high; p++) {
        float        *part  = k->part + p * PARTS * k->c;
        const int64_t first = p * tl_piece_rows(k->c) * k->c;
        for (int64_t j = 0; j < k->c; j++) part[j] = value_at(x, first + j);
        k->loops->stats(piece_rows(k, p), k->c, tl_place(x, first), tl_is_bf(x), part,
                        part + SUM * k->c, part + SQUARES * k->c);
    }
}

/* Mean and biased variance of channel j, from all pieces in order. */
static void combine(const norm *k, int64_t j, double *mean, double *var)
{
    double n = 0.0, m = 0.0, squares = 0.0;

    for (int64_t p = 0; p < k->pieces; p++) {
        const float *part = k->part + p * PARTS * k->c + j;
        const double here = (double)piece_rows(k, p), sum = (double)part[SUM * k->c];
        const double inner = sum / here, delta = (double)part[SHIFT] + inner - m,
                     all = n + here;
        squares +=
            (double)part[SQUARES * k->c] - sum * inner + delta * delta * n * here / all;
        m += delta * here / all;
        n = all;
    }
    *mean = m;
    *var  = fmax(squares, 0.0) / n;
}

static void move_running(const norm *k, int64_t j, double mean, double var)
{
    const double m = (double)k->attr->momentum, n = (double)k->rows;
    float       *run_mean = k->call->in[MEAN].data, *run_var = k->call->in[VAR].data;

    run_mean[j] = (float)((1.0 - m) * (double)run_mean[j] + m * mean);
    run_var[j] =
        (float)((1.0 - m) * (double)run_var[j] + m * var * n / fmax(n - 1.0, 1.0));
}

static void channel_factors(void *arg, int64_t low, int64_t high)
{
    const norm    *k     = arg;
    const tl_call *c     = k->call;
    const float   *gamma = c->in[GAMMA].data, *beta = c->in[BETA].data;

    for (int64_t j = low; j < high; j++) {
        double mean = (double)((const float *)c->in[MEAN].data)[j];
        double var  = (double)((const float *)c->in[VAR].data)[j];
        if (k->attr->batch) {
            combine(k, j, &mean, &var);
            move_running(k, j, mean, var);
        }
        const double invstd = 1.0 / sqrt(var + (double)k->attr->eps);
        k->mean[j]          = (float)mean;
        k->scale[j]         = (float)((double)gamma[j] * invstd);
        k->shift[j]         = beta[j];
        if (c->out[1].data) ((float *)c->out[1].data)[j] = (float)mean;
        if (c->out[2].data) ((float *)c->out[2].data)[j] = (float)invstd;
    }
}

static void affine_rows(void *arg, int64_t low, int64_t high)
{
    const norm    *k = arg;
    const tl_call *c = k->call;

    k->loops->affine(k->attr->act, high - low, k->c, tl_place(&c->in[X], low * k->c),
                     tl_place(&c->in[RESIDUAL], low * k->c),
                     tl_place(&c->out[0], low * k->c), tl_is_bf(&c->in[X]), k->mean,
                     k->scale, k->shift);
}

static int64_t row_grain(int64_t c)
{
    return TL_MAX(1, 4 * TL_PIECE / c);
}

static tl_status batch_norm_run(tl_ctx *ctx, const tl_call *call)
{
    norm k = norm_of(call);

    (void)ctx;
    if (k.attr->batch) tl_par_for(call->threads, k.pieces, 1, stats_pieces, &k);
    tl_par_for(call->threads, k.c, k.attr->batch ? TL_MAX(1, 2048 / k.pieces) : 1024,
               channel_factors, &k);
    if (call->out[0].data)
        tl_par_for(call->threads, k.rows, row_grain(k.c), affine_rows, &k);
    return TL_OK;
}

enum { DY, XG, GAMMAG, Y, MEANG, SCALE };

static void grad_pieces(void *arg, int64_t low, int64_t high)
{
    const norm    *k = arg;
    const tl_call *c = k->call;

    for (int64_t p = low; p < high; p++) {
        const int64_t at   = p * tl_piece_rows(k->c) * k->c;
        float        *part = k->part + p * PARTS * k->c;
        k->loops->norm_sums(
            k->attr->act, piece_rows(k, p), k->c, tl_place(&c->in[DY], at),
            k->sums_x ? tl_place(&c->in[XG], at) : NULL, tl_place(&c->in[Y], at),
            tl_is_bf(&c->in[DY]), c->in[MEANG].data, part, part + k->c);
    }
}

/* dx = a g + b (x - mean) + d; without batch statistics b and d are not used. */
static void grad_factors(void *arg, int64_t low, int64_t high)
{
    const norm    *k     = arg;
    const tl_call *c     = k->call;
    const float   *gamma = c->in[GAMMAG].data, *given = c->in[SCALE].data;
    float         *dgamma = c->out[1].data, *dbeta = c->out[2].data;
    const double   n = (double)k->rows;

    for (int64_t j = low; j < high; j++) {
        const double invstd = k->attr->batch
                                  ? (double)given[j]
                                  : 1.0 / sqrt((double)given[j] + (double)k->attr->eps);
        const double gain   = (double)gamma[j] * invstd;
        double       sum = 0.0, dot = 0.0;
        for (int64_t p = 0; p < k->pieces && k->part; p++) {
            sum += (double)k->part[p * PARTS * k->c + j];
            if (k->sums_x) dot += (double)k->part[(p * PARTS + 1) * k->c + j];
        }
        dot *= invstd;
        k->scale[j] = (float)gain;
        k->shift[j] = (float)(-gain * invstd * dot / n);
        k->extra[j] = (float)(-gain * sum / n);
        if (dgamma) dgamma[j] = (float)dot;
        if (dbeta) dbeta[j] = (float)sum;
    }
}

static void grad_rows(void *arg, int64_t low, int64_t high)
{
    const norm    *k  = arg;
    const tl_call *c  = k->call;
    const int64_t  at = low * k->c;

    k->loops->norm_apply(k->attr->act, high - low, k->c, tl_place(&c->in[DY], at),
                         k->attr->batch ? tl_place(&c->in[XG], at) : NULL,
                         tl_place(&c->in[Y], at), tl_place(&c->out[0], at),
                         tl_place(&c->out[3], at), tl_is_bf(&c->in[DY]),
                         c->in[MEANG].data, k->scale, k->shift, k->extra);
}

static tl_status batch_norm_grad_run(tl_ctx *ctx, const tl_call *call)
{
    norm       k    = norm_of(call);
    const bool sums = k.attr->batch || call->out[1].data || call->out[2].data;

    (void)ctx;
    k.sums_x = call->in[XG].data && (k.attr->batch || call->out[1].data);
    if (sums)
        tl_par_for(call->threads, k.pieces, 1, grad_pieces, &k);
    else
        k.part = NULL;
    tl_par_for(call->threads, k.c, TL_MAX(1, 8192 / k.pieces), grad_factors, &k);
    if (call->out[0].data || call->out[3].data)
        tl_par_for(call->threads, k.rows, row_grain(k.c), grad_rows, &k);
    return TL_OK;
}

static void layer_norm_rows(void *arg, int64_t low, int64_t high)
{
    const norm         *k    = arg;
    const tl_call      *c    = k->call;
    const tl_norm_attr *a    = c->node->attr;
    float              *mean = c->out[1].data, *invstd = c->out[2].data;

    k->loops->layer_norm(high - low, k->c, tl_place(&c->in[0], low * k->c),
                         tl_place(&c->out[0], low * k->c), tl_is_bf(&c->in[0]),
                         c->in[1].data, c->in[2].data, a->eps, mean ? mean + low : NULL,
                         invstd ? invstd + low : NULL);
}

static tl_status layer_norm_run(tl_ctx *ctx, const tl_call *call)
{
    norm k = { .call = call, .loops = tl_loops(call), .c = tl_columns(&call->in[0]) };

    (void)ctx;
    k.rows = tl_rows(&call->in[0]);
    tl_par_for(call->threads, k.rows, row_grain(k.c), layer_norm_rows, &k);
    return TL_OK;
}

static void layer_grad_pieces(void *arg, int64_t low, int64_t high)
{
    const norm    *k    = arg;
    const tl_call *c    = k->call;
    const float   *mean = c->in[3].data, *invstd = c->in[4].data;

    for (int64_t p = low; p < high; p++) {
        const int64_t row  = p * tl_piece_rows(k->c);
        float        *part = k->part + p * PARTS * k->c;
        k->loops->layer_norm_grad(piece_rows(k, p), k->c, tl_place(&c->in[0], row * k->c),
                                  tl_place(&c->in[1], row * k->c), tl_is_bf(&c->in[0]),
                                  c->in[2].data, mean + row, invstd + row,
                                  tl_place(&c->out[0], row * k->c), part, part + k->c);
    }
}

static tl_status layer_norm_grad_run(tl_ctx *ctx, const tl_call *call)
{
    norm k = norm_of(call);

    (void)ctx;
    tl_par_for(call->threads, k.pieces, 1, layer_grad_pieces, &k);
    for (int i = 0; i < 2; i++)
        if (call->out[1 + i].data)
            tl_add_pieces(call->threads, k.pieces, PARTS * k.c, k.c, k.part + i * k.c,
                          call->out[1 + i].data);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "batch_norm", norm_prepare, batch_norm_run, NULL },
    { "batch_norm_grad", norm_prepare, batch_norm_grad_run, NULL },
    { "layer_norm", tl_cpu_ready, layer_norm_run, NULL },
    { "layer_norm_grad", norm_prepare, layer_norm_grad_run, NULL },
};
const tl_kernel_list tl_cpu_norms = { kernels, TL_COUNT(kernels) };
