/* token_rows.c -- the rows of the vocabulary's cross-entropy, before and after the products.
 * Floor 1, backend/cpu. */
#include "backend/cpu/token_rows.h"

#include <math.h>
#include <string.h>

static char *take(char **at, size_t bytes)
{
    char *here = *at;

    *at += tl_padded(bytes);
    return here;
}

size_t tl_token_rows_bytes(int64_t rows, int64_t blocks)
{
    const size_t n = (size_t)rows;

    return tl_padded(n * sizeof(int64_t)) + 2 * tl_padded(n * sizeof(float)) +
           2 * tl_padded(n * (size_t)blocks * sizeof(float));
}

tl_token_rows tl_token_rows_of(const tl_call *call, const tl_simd *loops, int64_t block,
                               int64_t blocks, void *work)
{
    const float  *weight = call->in[TL_TOKEN_WEIGHT].data, *dloss = call->in[TL_TOKEN_DLOSS].data;
    const int32_t *target = call->in[TL_TOKEN_TARGET].data;
    char         *p      = work;
    tl_token_rows k      = { .call   = call,
                             .loops  = loops,
                             .rows   = tl_rows(&call->in[TL_TOKEN_X]),
                             .words  = tl_rows(&call->in[TL_TOKEN_W]),
                             .d      = tl_columns(&call->in[TL_TOKEN_X]),
                             .bf     = tl_is_bf(&call->in[TL_TOKEN_X]),
                             .block  = block,
                             .blocks = blocks };
    const size_t  n      = (size_t)k.rows;

    k.columns = tl_slope_columns(k.words);
    k.row     = (void *)take(&p, n * sizeof(int64_t));
    k.share   = (void *)take(&p, n * sizeof(float));
    k.at      = (void *)take(&p, n * sizeof(float));
    k.top     = (void *)take(&p, n * (size_t)blocks * sizeof(float));
    k.sum     = (void *)take(&p, n * (size_t)blocks * sizeof(float));
    for (int64_t r = 0; r < k.rows; r++)
        if (tl_token_counts(target, weight, k.words, r)) k.row[k.count++] = r;
    for (int64_t i = 0; i < k.count && blocks == 0; i++)
        k.share[i] = weight[k.row[i]] * *dloss;
    return k;
}

typedef struct {
    const tl_token_rows *k;
    bool                 shared;
    char                *rows;
} moving;

static void gather(void *arg, int64_t low, int64_t high)
{
    const moving        *m     = arg;
    const tl_token_rows *k     = m->k;
    const size_t         bytes = (size_t)k->d * (k->bf ? 2 : 4);

    for (int64_t i = low; i < high; i++) {
        char *to = m->rows + (size_t)i * bytes;
        if (i >= k->count) {
            memset(to, 0, bytes);
            continue;
        }
        const void *from = tl_place(&k->call->in[TL_TOKEN_X], k->row[i] * k->d);
        if (m->shared) k->loops->scale(k->share[i], k->d, from, to, k->bf);
        else memcpy(to, from, bytes);
    }
}

void tl_token_gather(const tl_token_rows *k, bool shared, int64_t rows_to, void *to)
{
    moving m = { k, shared, to };

    tl_par_for(k->call->threads, rows_to, 16, gather, &m);
}

void tl_token_take(const tl_token_rows *k, int64_t i, int64_t first, int64_t n,
                   const float *scores)
{
    const tl_token_loss_attr *a    = k->call->node->attr;
    const int64_t             mine =
        ((const int32_t *)k->call->in[TL_TOKEN_TARGET].data)[k->row[i]] - first;
    const int64_t             part = i * k->blocks + first / k->block;

    k->top[part] = -INFINITY, k->sum[part] = 0.0f;
    k->loops->token_sum(n, scores, a->cap, &k->top[part], &k->sum[part],
                        tl_token_slope(k, &k->call->out[3], i, first), k->bf);
    if (mine >= 0 && mine < n)
        k->at[i] = a->cap != 0.0f ? a->cap * tanhf(scores[mine] / a->cap) : scores[mine];
}

/* log(sum(exp)) of a row over all blocks. */
static float all_blocks(const tl_token_rows *k, int64_t i)
{
    const float *top = k->top + i * k->blocks, *sum = k->sum + i * k->blocks;
    float        most = top[0], total = 0.0f;

    for (int64_t b = 1; b < k->blocks; b++) most = fmaxf(most, top[b]);
    for (int64_t b = 0; b < k->blocks; b++) total += sum[b] * expf(top[b] - most);
    return most + logf(total);
}

/* What a row kept, each block under its own maximum, becomes its slopes. */
static void settle_row(const tl_token_rows *k, int64_t i, float lse)
{
    const tl_view *out    = &k->call->out[3];
    const float    cap    = ((const tl_token_loss_attr *)k->call->node->attr)->cap;
    const float    u      = cap != 0.0f ? k->at[i] / cap : 0.0f;
    const int64_t  target = ((const int32_t *)k->call->in[TL_TOKEN_TARGET].data)[k->row[i]];
    const float    pull   = expm1f(k->at[i] - lse) * (1.0f - u * u);
    const size_t   cell   = k->bf ? 2 : 4;

    for (int64_t b = 0; b < k->blocks; b++) {
        void *at = tl_token_slope(k, out, i, b * k->block);
        k->loops->scale(expf(k->top[i * k->blocks + b] - lse),
                        TL_MIN(k->block, k->words - b * k->block), at, at, k->bf);
    }
    memset(tl_token_slope(k, out, i, k->words), 0, (size_t)(k->columns - k->words) * cell);
    k->loops->cast(1, &pull, false, tl_token_slope(k, out, i, target), k->bf);
}

static void settle_rows(void *arg, int64_t low, int64_t high)
{
    const tl_token_rows *k    = arg;
    float               *loss = k->call->out[1].data, *lse = k->call->out[2].data;

    for (int64_t i = low; i < high; i++) {
        if (i >= k->count) {
            memset(tl_token_slope(k, &k->call->out[3], i, 0), 0,
                   (size_t)k->columns * (k->bf ? 2 : 4));
            continue;
        }
        const float all = all_blocks(k, i);
        if (k->call->out[3].data) settle_row(k, i, all);
        k->at[i] = all - k->at[i];
        if (loss) loss[k->row[i]] = k->at[i];
        if (lse) lse[k->row[i]] = all;
    }
}

void tl_token_losses(const tl_token_rows *k)
{
    float       *loss = k->call->out[1].data, *lse = k->call->out[2].data;
    const float *weight = k->call->in[TL_TOKEN_WEIGHT].data;
    double       total  = 0.0;

    if (loss) memset(loss, 0, (size_t)k->rows * sizeof *loss);
    if (lse) memset(lse, 0, (size_t)k->rows * sizeof *lse);
    tl_par_for(k->call->threads, k->call->out[3].data ? k->rows : k->count, 8, settle_rows,
               (void *)(uintptr_t)k);
    for (int64_t i = 0; i < k->count; i++)
        total += (double)weight[k->row[i]] * (double)k->at[i];
    if (k->call->out[0].data) *(float *)k->call->out[0].data = (float)total;
}

typedef struct {
    const tl_simd *loops;
    tl_gemm        sums;
} bias_sums;

static void bias_tiles(void *arg, int64_t low, int64_t high)
{
    const bias_sums *b = arg;

    b->loops->outer(&b->sums, low, high);
}

void tl_token_bias(const tl_token_rows *k, float *db)
{
    bias_sums b = { k->loops,
                    { .m    = 1,
                      .n    = k->words,
                      .k    = k->count,
                      .a    = k->share,
                      .ak   = 1,
                      .b    = k->call->in[TL_TOKEN_SLOPES].data,
                      .b_bf = k->bf,
                      .ldb  = k->columns,
                      .c    = db,
                      .ldc  = k->words } };

    tl_par_for(k->call->threads, k->loops->outer_tiles(&b.sums), 1, bias_tiles, &b);
}

static void place(void *arg, int64_t low, int64_t high)
{
    const moving        *m = arg;
    const tl_token_rows *k = m->k;

    for (int64_t i = low; i < high; i++) {
        float *dx = (float *)(void *)m->rows + i * k->d;
        if (m->shared) k->loops->scale(k->share[i], k->d, dx, dx, false);
        k->loops->cast(k->d, dx, false, tl_place(&k->call->out[0], k->row[i] * k->d), k->bf);
    }
}

void tl_token_place(const tl_token_rows *k, bool shared, float *dx)
{
    const tl_view *out = &k->call->out[0];
    moving         m   = { k, shared, (char *)dx };

    if (k->count < k->rows) tl_clear(out);
    tl_par_for(k->call->threads, k->count, 16, place, &m);
}
