/* group_norm.c -- group normalisation, a picture at a time: sums per channel, joined by group in
 * double, then one factor and one shift per channel.
 * Source: Wu and He 2018, arXiv:1803.08494.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"

#include <math.h>
#include <string.h>

typedef struct {
    const tl_call *call;
    const tl_simd *loops;
    int64_t        pictures, pixels, c, groups, width;
    double         eps;
} job;

/* What one picture needs, in floats per channel: two sums (of the last piece; in the end the
 * picture's dgamma and dbeta), four factors, two sums in double. */
enum { ROOM = 10 };
typedef struct {
    float  *sum, *square, *mean, *a, *b, *d;
    double *total, *squares;
} room;

static tl_status group_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                               size_t *work_bytes)
{
    const tl_status rc = tl_cpu_ready(ctx, g, call, work_bytes);

    *work_bytes = (size_t)(call->in[0].shape.dim[0] * ROOM * tl_columns(&call->in[0])) *
                  sizeof(float);
    return rc;
}

static job job_of(const tl_call *call)
{
    const tl_norm_attr *a = call->node->attr;
    job                 k = { .call     = call,
                              .loops    = tl_loops(call),
                              .pictures = call->in[0].shape.dim[0],
                              .c        = tl_columns(&call->in[0]),
                              .groups   = a->groups,
                              .eps      = (double)a->eps };

    k.pixels = tl_rows(&call->in[0]) / k.pictures;
    k.width  = k.c / k.groups;
    return k;
}

static room room_of(const job *k, int64_t picture)
{
    float *at = (float *)k->call->work + picture * ROOM * k->c;
    room   r  = { .sum    = at,
                  .square = at + k->c,
                  .mean   = at + 2 * k->c,
                  .a      = at + 3 * k->c,
                  .b      = at + 4 * k->c,
                  .d      = at + 5 * k->c };

    r.total   = (void *)(at + 6 * k->c);
    r.squares = r.total + k->c;
    memset(r.total, 0, (size_t)(2 * k->c) * sizeof *r.total);
    return r;
}

static void add_sums(const job *k, const room *r)
{
    for (int64_t j = 0; j < k->c; j++) {
        r->total[j] += (double)r->sum[j];
        r->squares[j] += (double)r->square[j];
    }
}

/* Mean and 1 / sqrt(var + eps) of a group, from its channels' sums about their own shifts. */
static void group_stats(const job *k, const room *r, int64_t low, double *mean,
                        double *invstd)
{
    const double p = (double)k->pixels, n = p * (double)k->width;
    double       sum = 0.0, spread = 0.0;

    for (int64_t j = low; j < low + k->width; j++)
        sum += r->total[j] + (double)r->d[j] * p;
    *mean = sum / n;
    for (int64_t j = low; j < low + k->width; j++) {
        const double off = (double)r->d[j] - *mean;
        spread += r->squares[j] + 2.0 * off * r->total[j] + off * off * p;
    }
    *invstd = 1.0 / sqrt(fmax(spread, 0.0) / n + k->eps);
}

/* y = (x - mean) a + b */
static void group_factors(const job *k, const room *r, int64_t picture)
{
    const tl_call *c     = k->call;
    const float   *gamma = c->in[1].data, *beta = c->in[2].data;
    float         *means = c->out[1].data, *invstds = c->out[2].data;
    double         mean, invstd;

    for (int64_t g = 0; g < k->groups; g++) {
        group_stats(k, r, g * k->width, &mean, &invstd);
        if (means) means[picture * k->groups + g] = (float)mean;
        if (invstds) invstds[picture * k->groups + g] = (float)invstd;
        for (int64_t j = g * k->width; j < (g + 1) * k->width; j++) {
            r->mean[j] = (float)mean;
            r->a[j]    = (float)((double)gamma[j] * invstd);
            r->b[j]    = beta[j];
        }
    }
}

static void norm_pictures(void *arg, int64_t low, int64_t high)
{
    const job     *k = arg;
    const tl_view *x = &k->call->in[0], *y = &k->call->out[0];
    const int64_t  piece = tl_piece_rows(k->c);

    for (int64_t p = low; p < high; p++) {
        const room    r  = room_of(k, p);
        const int64_t at = p * k->pixels * k->c;
        k->loops->cast(k->c, tl_place(x, at), tl_is_bf(x), r.d, false);
        for (int64_t row = 0; row < k->pixels; row += piece) {
            k->loops->stats(TL_MIN(piece, k->pixels - row), k->c,
                            tl_place(x, at + row * k->c), tl_is_bf(x), r.d, r.sum,
                            r.square);
            add_sums(k, &r);
        }
        group_factors(k, &r, p);
        if (y->data)
            k->loops->affine(TL_ACT_NONE, k->pixels, k->c, tl_place(x, at), NULL,
                             tl_place(y, at), tl_is_bf(x), r.mean, r.a, r.b);
    }
}

static tl_status group_norm_run(tl_ctx *ctx, const tl_call *call)
{
    job k = job_of(call);

    (void)ctx;
    tl_par_for(call->threads, k.pictures, TL_MAX(1, 4 * TL_PIECE / (k.pixels * k.c)),
               norm_pictures, &k);
    return TL_OK;
}

enum { DY, X, GAMMA, MEANS, INVSTDS };

static void spread_means(const job *k, const room *r, int64_t picture)
{
    const float *means = k->call->in[MEANS].data;

    for (int64_t j = 0; j < k->c; j++)
        r->mean[j] = means[picture * k->groups + j / k->width];
}

/* dx = a dy + b (x - mean) + d; the picture's part of dgamma and dbeta takes the sums' place. */
static void back_factors(const job *k, const room *r, int64_t picture)
{
    const float *gamma = k->call->in[GAMMA].data, *invstds = k->call->in[INVSTDS].data;
    const double n = (double)(k->pixels * k->width);

    for (int64_t g = 0; g < k->groups; g++) {
        const double inv = (double)invstds[picture * k->groups + g];
        double       sum = 0.0, dot = 0.0;
        for (int64_t j = g * k->width; j < (g + 1) * k->width; j++) {
            sum += (double)gamma[j] * r->total[j];
            dot += (double)gamma[j] * r->squares[j] * inv;
            r->sum[j]    = (float)(r->squares[j] * inv);
            r->square[j] = (float)r->total[j];
        }
        for (int64_t j = g * k->width; j < (g + 1) * k->width; j++) {
            r->a[j] = (float)((double)gamma[j] * inv);
            r->b[j] = (float)(-inv * inv * dot / n);
            r->d[j] = (float)(-inv * sum / n);
        }
    }
}

static void back_pictures(void *arg, int64_t low, int64_t high)
{
    const job     *k     = arg;
    const tl_call *c     = k->call;
    const bool     bf    = tl_is_bf(&c->in[DY]);
    const int64_t  piece = tl_piece_rows(k->c);

    for (int64_t p = low; p < high; p++) {
        const room    r  = room_of(k, p);
        const int64_t at = p * k->pixels * k->c;
        spread_means(k, &r, p);
        for (int64_t row = 0; row < k->pixels; row += piece) {
            const int64_t from = at + row * k->c;
            k->loops->norm_sums(TL_ACT_NONE, TL_MIN(piece, k->pixels - row), k->c,
                                tl_place(&c->in[DY], from), tl_place(&c->in[X], from),
                                NULL, bf, r.mean, r.sum, r.square);
            add_sums(k, &r);
        }
        back_factors(k, &r, p);
        if (c->out[0].data)
            k->loops->norm_apply(TL_ACT_NONE, k->pixels, k->c, tl_place(&c->in[DY], at),
                                 tl_place(&c->in[X], at), NULL, tl_place(&c->out[0], at),
                                 NULL, bf, r.mean, r.a, r.b, r.d);
    }
}

static tl_status group_norm_grad_run(tl_ctx *ctx, const tl_call *call)
{
    job k = job_of(call);

    (void)ctx;
    tl_par_for(call->threads, k.pictures, TL_MAX(1, 4 * TL_PIECE / (k.pixels * k.c)),
               back_pictures, &k);
    for (int i = 0; i < 2; i++)
        if (call->out[1 + i].data)
            tl_add_pieces(call->threads, k.pictures, ROOM * k.c, k.c,
                          (const float *)call->work + i * k.c, call->out[1 + i].data);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "group_norm", group_prepare, group_norm_run, NULL },
    { "group_norm_grad", group_prepare, group_norm_grad_run, NULL },
};
const tl_kernel_list tl_cpu_group_norm = { kernels, TL_COUNT(kernels) };
