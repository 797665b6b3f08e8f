/* token_loss_dnnl.c -- the vocabulary's cross-entropy by oneDNN's products: a block of words
 * against all rows that count, so that scores of one block are all there ever are.  The gradient
 * makes them again.  Rows that do not count (other than masked tokens, most of them) are left out
 * first.  Floor 1, backend/cpu. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/onednn.h"

#include <math.h>
#include <string.h>

enum { X, W, B, TARGET, WEIGHT, DLOSS, LSE };
enum { BLOCK_WORDS = 2048, TIERS = 2, SIZES = 2, SPARSE = 4 };
enum { SCORE, DW, DX, PRODUCTS };

/* Products of one number of rows: of a full block of words, and of the last. */
typedef struct {
    int64_t rows;
    tl_dnn *product[SIZES][PRODUCTS];
} tier;

typedef struct {
    const tl_simd *loops;
    tier           tier[TIERS]; /* of all rows, and of a quarter of them */
    int            tiers;
    int64_t        block, blocks; /* words of one; how many               */
    size_t         product_bytes; /* scratch of the hungriest             */
} held;

static int64_t round_to(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

static int64_t block_words(const held *h, int64_t words, int64_t at)
{
    return TL_MIN(h->block, words - at * h->block);
}

static void release(tl_ctx *ctx, tl_call *call)
{
    held *h = call->state;

    for (int i = 0; h && i < h->tiers; i++)
        for (int s = 0; s < SIZES; s++)
            for (int p = 0; p < PRODUCTS; p++)
                tl_dnn_free(ctx, h->tier[i].product[s][p]);
    tl_free(ctx, h);
    call->state = NULL;
}

static tl_status add_product(tl_ctx *ctx, const tl_call *call, held *h, tl_dnn **slot,
                             const tl_dnn_product *p)
{
    size_t          bytes;
    const tl_status rc = tl_dnn_product_new(ctx, p, call->threads, slot, &bytes);

    if (rc == TL_OK) h->product_bytes = TL_MAX(h->product_bytes, bytes);
    return rc;
}

/* rows against `words` words; the gradient's where outputs are wanted. */
static tl_status add_products(tl_ctx *ctx, const tl_call *call, held *h, int64_t rows,
                              int64_t words, bool grad, tl_dnn *out[PRODUCTS])
{
    const tl_dtype       t = call->in[X].dtype;
    const int64_t        d = tl_columns(&call->in[X]);
    const tl_dnn_product score = { .m = rows, .n = words, .k = d, .b_transposed = true, .a = t,
                                   .b = t, .c = TL_F32, .bias = call->node->in[B] != 0 };
    const tl_dnn_product dw = { .m = words, .n = d, .k = rows, .a_transposed = true, .a = t,
                                .b = t, .c = TL_F32 };
    const tl_dnn_product dx = { .m = rows, .n = d, .k = words, .a = t, .b = t, .c = TL_F32,
                                .accumulate = true };
    tl_status            rc;

    TL_TRY(add_product(ctx, call, h, &out[SCORE], &score));
    if (grad && call->wanted & 2) TL_TRY(add_product(ctx, call, h, &out[DW], &dw));
    if (grad && call->wanted & 1) TL_TRY(add_product(ctx, call, h, &out[DX], &dx));
done:
    return rc;
}

/* A run's parts of the scratch, in this order. */
typedef struct {
    float   *top, *sum, *at, *share; /* [rows]                                     */
    int64_t *row;                    /* [rows] of those that count                 */
    char    *x;                      /* [rows d] of those, where some do not       */
    char    *w;                      /* [block d] in bf16                          */
    float   *score;                  /* [rows block]                               */
    char    *pull;                   /* the same in bf16; of f32 `score` itself    */
    float   *dx;                     /* [rows d]                                   */
    char    *part, *product;         /* column sums; the products' own             */
    size_t   bytes;
} room;

static char *take(char **at, size_t bytes)
{
    char *here = *at;

    *at += tl_padded(bytes);
    return here;
}

static room room_of(const tl_call *call, const held *h, bool grad)
{
    const int64_t rows = tl_rows(&call->in[X]), d = tl_columns(&call->in[X]);
    const bool    bf   = tl_is_bf(&call->in[X]);
    const size_t  n = (size_t)rows, cell = tl_dtype_bytes(call->in[X].dtype);
    const size_t  scores = n * (size_t)h->block;
    char         *start  = call->work, *p = start;
    room          r      = { 0 };

    r.top     = (void *)take(&p, n * sizeof(float));
    r.sum     = (void *)take(&p, n * sizeof(float));
    r.at      = (void *)take(&p, n * sizeof(float));
    r.share   = (void *)take(&p, n * sizeof(float));
    r.row     = (void *)take(&p, n * sizeof(int64_t));
    r.x       = take(&p, n * (size_t)d * cell);
    r.w       = take(&p, bf ? (size_t)(h->block * d) * cell : 0);
    r.score   = (void *)take(&p, scores * sizeof(float));
    r.pull    = bf ? take(&p, grad ? scores * cell : 0) : (char *)r.score;
    r.dx      = (void *)take(&p, grad ? n * (size_t)d * sizeof(float) : 0);
    r.part    = take(&p, grad ? tl_column_work(rows, h->block) : 0);
    r.product = take(&p, h->product_bytes);
    r.bytes   = (size_t)(p - start);
    return r;
}

static tl_status prepare(tl_ctx *ctx, tl_call *call, bool grad, size_t *work_bytes)
{
    tl_status     rc;
    const int64_t rows = tl_rows(&call->in[X]), words = tl_rows(&call->in[W]);
    held         *h    = NULL;

    if (!tl_is_real(&call->in[X])) return TL_EUSAGE;
    TL_TRY(tl_alloc(ctx, sizeof *h, &h));
    call->state = h;
    h->loops    = tl_simd_best();
    h->blocks   = (words + BLOCK_WORDS - 1) / BLOCK_WORDS;
    h->block    = round_to((words + h->blocks - 1) / h->blocks, 16);
    h->blocks   = (words + h->block - 1) / h->block;
    const int64_t last = block_words(h, words, h->blocks - 1);
    const int64_t few  = round_to((rows + SPARSE - 1) / SPARSE, 16);
    for (int i = 0; i < TIERS && (i == 0 || few < rows); i++) {
        tier *t = &h->tier[h->tiers++];
        t->rows = i == 0 ? rows : few;
        if (last < h->block)
            TL_TRY(add_products(ctx, call, h, t->rows, last, grad, t->product[1]));
        if (h->blocks > 1 || last == h->block)
            TL_TRY(add_products(ctx, call, h, t->rows, h->block, grad, t->product[0]));
    }
    *work_bytes = room_of(call, h, grad).bytes;
done:
    if (rc != TL_OK) release(ctx, call);
    return rc;
}

static tl_status loss_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                              size_t *work_bytes)
{
    (void)g;
    return prepare(ctx, call, false, work_bytes);
}

static tl_status grad_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call,
                              size_t *work_bytes)
{
    (void)g;
    return prepare(ctx, call, true, work_bytes);
}

/* One run: the rows that count, the tier that takes them, and the block at hand. */
typedef struct {
    const tl_call *call;
    const held    *h;
    const tier    *t;
    room           r;
    int64_t        rows, words, d, count;
    bool           bf;
    const char    *x;          /* [t->rows d] rows that count, then zeros */
    int64_t        first, now; /* words of the block at hand              */
} job;

static bool counts(const job *j, int64_t row)
{
    const int32_t t = ((const int32_t *)j->call->in[TARGET].data)[row];

    return t >= 0 && t < j->words && ((const float *)j->call->in[WEIGHT].data)[row] != 0.0f;
}

static void gather(void *arg, int64_t low, int64_t high)
{
    const job   *j     = arg;
    const size_t bytes = (size_t)j->d * (j->bf ? 2 : 4);

    for (int64_t i = low; i < high; i++) {
        char *to = j->r.x + (size_t)i * bytes;
        if (i < j->count)
            memcpy(to, (const char *)j->call->in[X].data + (size_t)j->r.row[i] * bytes, bytes);
        else memset(to, 0, bytes);
    }
}

static job start(const tl_call *call, bool grad)
{
    const held *h = call->state;
    job         j = { .call  = call,
                      .h     = h,
                      .t     = &h->tier[0],
                      .r     = room_of(call, h, grad),
                      .rows  = tl_rows(&call->in[X]),
                      .words = tl_rows(&call->in[W]),
                      .d     = tl_columns(&call->in[X]),
                      .bf    = tl_is_bf(&call->in[X]),
                      .x     = call->in[X].data };

    for (int64_t r = 0; r < j.rows; r++)
        if (counts(&j, r)) j.r.row[j.count++] = r;
    if (h->tiers > 1 && j.count <= h->tier[1].rows) j.t = &h->tier[1];
    if (j.count < j.rows) {
        j.x = j.r.x;
        tl_par_for(call->threads, j.t->rows, 16, gather, &j);
    }
    return j;
}

static void narrow_words(void *arg, int64_t low, int64_t high)
{
    const job *j = arg;

    j->h->loops->cast((high - low) * j->d,
                      (const float *)j->call->in[W].data + (j->first + low) * j->d, false,
                      j->r.w + (size_t)(low * j->d) * 2, true);
}

static const void *block_of_words(const job *j)
{
    if (j->bf) return j->r.w;
    return (const float *)j->call->in[W].data + j->first * j->d;
}

static tl_status run_product(tl_ctx *ctx, const job *j, int which, const void *a,
                             const void *b, void *out)
{
    tl_dnn *const        *p    = j->t->product[j->now == j->h->block ? 0 : 1];
    const tl_dnn_run_args args = { .a       = a,
                                   .w       = b,
                                   .bias    = which == SCORE && j->call->in[B].data
                                                  ? (const float *)j->call->in[B].data + j->first
                                                  : NULL,
                                   .out     = out,
                                   .work    = j->r.product,
                                   .threads = j->call->threads };

    return tl_dnn_run(ctx, p[which], &args);
}

/* The scores of block `at` into the room. */
static tl_status make_scores(tl_ctx *ctx, job *j, int64_t at)
{
    j->first = at * j->h->block;
    j->now   = block_words(j->h, j->words, at);
    if (j->bf)
        tl_par_for(j->call->threads, j->now, TL_MAX(1, TL_PIECE / j->d), narrow_words, j);
    return run_product(ctx, j, SCORE, j->x, block_of_words(j), j->r.score);
}

static void sum_rows(void *arg, int64_t low, int64_t high)
{
    const job               *j      = arg;
    const tl_token_loss_attr *a     = j->call->node->attr;
    const int32_t           *target = j->call->in[TARGET].data;

    for (int64_t i = low; i < high; i++) {
        float        *s    = j->r.score + i * j->now;
        const int64_t mine = target[j->r.row[i]] - j->first;
        j->h->loops->token_sum(j->now, s, a->cap, &j->r.top[i], &j->r.sum[i]);
        if (mine >= 0 && mine < j->now)
            j->r.at[i] = a->cap != 0.0f ? a->cap * tanhf(s[mine] / a->cap) : s[mine];
    }
}

static void place_losses(const job *j)
{
    float       *loss = j->call->out[1].data, *lse = j->call->out[2].data;
    const float *weight = j->call->in[WEIGHT].data;
    double       total  = 0.0;

    if (loss) memset(loss, 0, (size_t)j->rows * sizeof *loss);
    if (lse) memset(lse, 0, (size_t)j->rows * sizeof *lse);
    for (int64_t i = 0; i < j->count; i++) {
        const int64_t row = j->r.row[i];
        const float   all = j->r.top[i] + logf(j->r.sum[i]);
        if (loss) loss[row] = all - j->r.at[i];
        if (lse) lse[row] = all;
        total += (double)weight[row] * (double)(all - j->r.at[i]);
    }
    if (j->call->out[0].data) *(float *)j->call->out[0].data = (float)total;
}

static tl_status loss_run(tl_ctx *ctx, const tl_call *call)
{
    job       j  = start(call, false);
    tl_status rc = TL_OK;

    for (int64_t i = 0; i < j.count; i++) j.r.top[i] = -INFINITY, j.r.sum[i] = 0.0f;
    for (int64_t at = 0; at < j.h->blocks && j.count; at++) {
        TL_TRY(make_scores(ctx, &j, at));
        tl_par_for(call->threads, j.count, 8, sum_rows, &j);
    }
    place_losses(&j);
done:
    return rc;
}

/* Scores of a block into what each pulls; rows behind those that count pull nothing. */
static void pull_rows(void *arg, int64_t low, int64_t high)
{
    const job                *j      = arg;
    const tl_token_loss_attr *a      = j->call->node->attr;
    const int32_t            *target = j->call->in[TARGET].data;
    const float              *lse    = j->call->in[LSE].data;

    for (int64_t i = low; i < high; i++) {
        const int64_t row = i < j->count ? j->r.row[i] : 0;
        j->h->loops->token_pull(j->now, j->r.score + i * j->now, a->cap, lse[row],
                                target[row] - j->first, i < j->count ? j->r.share[i] : 0.0f,
                                j->r.pull + (size_t)(i * j->now) * (j->bf ? 2 : 4), j->bf);
    }
}

static void bias_gradient(const job *j)
{
    const tl_view pulls = { .data  = j->r.pull,
                            .dtype = j->bf ? TL_BF16 : TL_F32,
                            .shape = TL_SHAPE(j->t->rows, j->now) };

    tl_column_sums(j->h->loops, j->call->threads, j->t->rows, j->now, &pulls, NULL, j->r.part,
                   (float *)j->call->out[2].data + j->first);
}

static tl_status block_gradient(tl_ctx *ctx, job *j, int64_t at)
{
    tl_status rc;
    float    *dw = j->call->out[1].data;

    TL_TRY(make_scores(ctx, j, at));
    tl_par_for(j->call->threads, j->t->rows, 8, pull_rows, j);
    if (dw) TL_TRY(run_product(ctx, j, DW, j->r.pull, j->x, dw + j->first * j->d));
    if (j->call->out[2].data) bias_gradient(j);
    if (j->call->out[0].data)
        TL_TRY(run_product(ctx, j, DX, j->r.pull, block_of_words(j), j->r.dx));
done:
    return rc;
}

static void place_rows(void *arg, int64_t low, int64_t high)
{
    const job *j = arg;

    for (int64_t i = low; i < high; i++)
        j->h->loops->cast(j->d, j->r.dx + i * j->d, false,
                          tl_place(&j->call->out[0], j->r.row[i] * j->d), j->bf);
}

static void clear(const tl_view *v)
{
    if (v->data) memset(v->data, 0, (size_t)tl_count(v) * tl_dtype_bytes(v->dtype));
}

static tl_status grad_run(tl_ctx *ctx, const tl_call *call)
{
    job          j     = start(call, true);
    const float  dloss = *(const float *)call->in[DLOSS].data;
    const float *weight = call->in[WEIGHT].data;
    tl_status    rc     = TL_OK;

    for (int64_t i = 0; i < j.count; i++) j.r.share[i] = weight[j.r.row[i]] * dloss;
    if (j.count < j.rows) clear(&call->out[0]);
    for (int k = 1; k < 3 && !j.count; k++) clear(&call->out[k]);
    memset(j.r.dx, 0, (size_t)(j.t->rows * j.d) * sizeof(float));
    for (int64_t at = 0; at < j.h->blocks && j.count; at++)
        TL_TRY(block_gradient(ctx, &j, at));
    if (call->out[0].data) tl_par_for(call->threads, j.count, 16, place_rows, &j);
done:
    return rc;
}

static const tl_kernel kernels[] = {
    { "token_loss", loss_prepare, loss_run, release },
    { "token_loss_grad", grad_prepare, grad_run, release },
};
const tl_kernel_list tl_cpu_token_loss_onednn = { kernels, TL_COUNT(kernels) };
