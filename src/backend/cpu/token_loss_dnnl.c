/* token_loss_dnnl.c -- the vocabulary's cross-entropy by oneDNN's products: a block of words
 * against all rows that count, so that scores of one block are all there ever are.  The gradient
 * makes them again where their slopes were not kept.  In f32 sgemm reads everything as it lies.
 * Rows that do not count (other than masked tokens, most of them) are left out first.
 * Floor 1, backend/cpu. */
#include "backend/cpu/onednn.h"
#include "backend/cpu/token_rows.h"

#include <string.h>

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

/* Of the slopes that a gradient reads; 0: it makes them anew, or there is none to make. */
static int64_t kept_line(const tl_call *call, bool grad)
{
    return grad && call->node->in[TL_TOKEN_SLOPES]
               ? tl_slope_columns(tl_rows(&call->in[TL_TOKEN_W]))
               : 0;
}

/* rows against `words` words; the gradient's where outputs are wanted. */
static tl_status add_products(tl_ctx *ctx, const tl_call *call, held *h, int64_t rows,
                              int64_t words, bool grad, tl_dnn *out[PRODUCTS])
{
    const tl_dtype       t = call->in[TL_TOKEN_X].dtype;
    const int64_t        d = tl_columns(&call->in[TL_TOKEN_X]);
    const int64_t        line  = kept_line(call, grad);
    const tl_dnn_product score = { .m = rows, .n = words, .k = d, .b_transposed = true, .a = t,
                                   .b = t, .c = TL_F32, .bias = call->node->in[TL_TOKEN_B] != 0 };
    const tl_dnn_product dw = { .m = words, .n = d, .k = rows, .a_transposed = true,
                                .a_line = line, .a = t, .b = t, .c = TL_F32 };
    const tl_dnn_product dx = { .m = rows, .n = d, .k = words, .a_line = line, .a = t, .b = t,
                                .c = TL_F32, .accumulate = true };
    tl_status            rc = TL_OK;

    if (t == TL_F32) goto done; /* sgemm reads them as they lie */
    if (!line) TL_TRY(add_product(ctx, call, h, &out[SCORE], &score));
    if (grad && call->wanted & 2) TL_TRY(add_product(ctx, call, h, &out[DW], &dw));
    if (grad && call->wanted & 1) TL_TRY(add_product(ctx, call, h, &out[DX], &dx));
done:
    return rc;
}

/* A run's parts of the scratch, in this order. */
typedef struct {
    void *rows;       /* tl_token_rows_of's                                    */
    char *x;          /* [rows d] of those that count, where they do not lie so */
    char *w;          /* [block d] in bf16                                     */
    float *score;     /* [rows block]                                          */
    char  *pull;      /* the same in bf16; of f32 `score` itself               */
    float *dx;        /* [rows d]                                              */
    char  *part, *product; /* column sums; the products' own                   */
    size_t bytes;
} room;

static char *take(char **at, size_t bytes)
{
    char *here = *at;

    *at += tl_padded(bytes);
    return here;
}

static room room_of(const tl_call *call, const held *h, bool grad)
{
    const tl_view *x    = &call->in[TL_TOKEN_X];
    const int64_t  rows = tl_rows(x), d = tl_columns(x);
    const bool     bf = tl_is_bf(x), made = !kept_line(call, grad);
    const size_t   n = (size_t)rows, cell = tl_dtype_bytes(x->dtype);
    const size_t   scores = made ? n * (size_t)h->block : 0;
    char          *start = call->work, *p = start;
    room           r     = { 0 };

    r.rows    = take(&p, tl_token_rows_bytes(rows, grad ? 0 : h->blocks));
    r.x       = take(&p, n * (size_t)d * cell);
    r.w       = take(&p, bf ? (size_t)(h->block * d) * cell : 0);
    r.score   = (void *)take(&p, scores * sizeof(float));
    r.pull    = bf ? take(&p, grad ? scores * cell : 0) : (char *)r.score;
    r.dx      = (void *)take(&p, grad ? n * (size_t)d * sizeof(float) : 0);
    r.part    = take(&p, grad && made ? tl_column_work(rows, h->block) : 0);
    r.product = take(&p, h->product_bytes);
    r.bytes   = (size_t)(p - start);
    return r;
}

static tl_status prepare(tl_ctx *ctx, tl_call *call, bool grad, size_t *work_bytes)
{
    tl_status     rc;
    const int64_t rows  = tl_rows(&call->in[TL_TOKEN_X]);
    const int64_t words = tl_rows(&call->in[TL_TOKEN_W]);
    const bool    whole = kept_line(call, grad) && !tl_is_bf(&call->in[TL_TOKEN_X]); /* no room */
    held         *h     = NULL;

    if (!tl_is_real(&call->in[TL_TOKEN_X])) return TL_EUSAGE;
    TL_TRY(tl_alloc(ctx, sizeof *h, &h));
    call->state = h;
    h->loops    = tl_simd_best();
    h->blocks   = whole ? 1 : (words + BLOCK_WORDS - 1) / BLOCK_WORDS;
    h->block    = round_to((words + h->blocks - 1) / h->blocks, 32); /* lines of slopes whole */
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
    tl_token_rows  k;
    bool           kept;       /* the slopes are there                    */
    const char    *x;          /* [t->rows d] rows that count, then zeros */
    int64_t        first, now; /* words of the block at hand              */
} job;

static job start(const tl_call *call, bool grad)
{
    const held *h = call->state;
    job         j = { .call = call,
                      .h    = h,
                      .t    = &h->tier[0],
                      .r    = room_of(call, h, grad),
                      .kept = kept_line(call, grad) > 0,
                      .x    = call->in[TL_TOKEN_X].data };

    j.k = tl_token_rows_of(call, h->loops, h->block, grad ? 0 : h->blocks, j.r.rows);
    if (h->tiers > 1 && j.k.count <= h->tier[1].rows) j.t = &h->tier[1];
    if (j.kept || j.k.count < j.k.rows) {
        j.x = j.r.x;
        tl_token_gather(&j.k, j.kept, j.t->rows, j.r.x);
    }
    return j;
}

static void narrow_words(void *arg, int64_t low, int64_t high)
{
    const job *j = arg;

    j->h->loops->cast((high - low) * j->k.d,
                      (const float *)j->call->in[TL_TOKEN_W].data + (j->first + low) * j->k.d,
                      false, j->r.w + (size_t)(low * j->k.d) * 2, true);
}

/* Block `at` is at hand, its words in the rows' own type. */
static const void *block_of_words(job *j, int64_t at)
{
    j->first = at * j->h->block;
    j->now   = block_words(j->h, j->k.words, at);
    if (!j->k.bf) return (const float *)j->call->in[TL_TOKEN_W].data + j->first * j->k.d;
    tl_par_for(j->call->threads, j->now, TL_MAX(1, TL_PIECE / j->k.d), narrow_words, j);
    return j->r.w;
}

static void bias_rows(void *arg, int64_t low, int64_t high)
{
    const job *j = arg;

    for (int64_t i = low; i < high; i++)
        memcpy(j->r.score + i * j->now, (const float *)j->call->in[TL_TOKEN_B].data + j->first,
               (size_t)j->now * sizeof(float));
}

static tl_status run_sgemm(tl_ctx *ctx, const job *j, int which, const void *a, const void *b,
                           void *out)
{
    const bool    biased  = which == SCORE && j->call->in[TL_TOKEN_B].data;
    const int64_t rows    = j->t->rows;
    tl_dnn_sgemm  g       = { .m       = which == DW ? j->now : rows,
                              .n       = which == SCORE ? j->now : j->k.d,
                              .k       = which == SCORE ? j->k.d : which == DW ? rows : j->now,
                              .a_turns = which == DW,
                              .a_line  = which != SCORE && j->kept ? j->k.columns : 0,
                              .b_turns = which == SCORE,
                              .adds    = which == DX || biased,
                              .a       = a,
                              .b       = b,
                              .c       = out,
                              .threads = j->call->threads };

    if (biased)
        tl_par_for(g.threads, rows, TL_MAX(1, TL_PIECE / j->now), bias_rows, (void *)(uintptr_t)j);
    return tl_dnn_sgemm_run(ctx, &g);
}

static tl_status run_product(tl_ctx *ctx, const job *j, int which, const void *a,
                             const void *b, void *out)
{
    tl_dnn *const        *p    = j->t->product[j->now == j->h->block ? 0 : 1];
    const float          *bias = j->call->in[TL_TOKEN_B].data;
    const tl_dnn_run_args args = { .a       = a,
                                   .w       = b,
                                   .bias    = which == SCORE && bias ? bias + j->first : NULL,
                                   .out     = out,
                                   .work    = j->r.product,
                                   .threads = j->call->threads };

    return j->k.bf ? tl_dnn_run(ctx, p[which], &args) : run_sgemm(ctx, j, which, a, b, out);
}

static void take_rows(void *arg, int64_t low, int64_t high)
{
    const job *j = arg;

    for (int64_t i = low; i < high; i++)
        tl_token_take(&j->k, i, j->first, j->now, j->r.score + i * j->now);
}

static tl_status loss_run(tl_ctx *ctx, const tl_call *call)
{
    job       j  = start(call, false);
    tl_status rc = TL_OK;

    for (int64_t at = 0; at < j.h->blocks && j.k.count; at++) {
        const void *words = block_of_words(&j, at);
        TL_TRY(run_product(ctx, &j, SCORE, j.x, words, j.r.score));
        tl_par_for(call->threads, j.k.count, 8, take_rows, &j);
    }
    tl_token_losses(&j.k);
done:
    return rc;
}

/* Scores of a block into what each pulls; rows behind those that count pull nothing. */
static void pull_rows(void *arg, int64_t low, int64_t high)
{
    const job                *j      = arg;
    const tl_token_loss_attr *a      = j->call->node->attr;
    const int32_t            *target = j->call->in[TL_TOKEN_TARGET].data;
    const float              *lse    = j->call->in[TL_TOKEN_LSE].data;

    for (int64_t i = low; i < high; i++) {
        const bool    yes = i < j->k.count;
        const int64_t row = yes ? j->k.row[i] : 0;
        j->h->loops->token_pull(j->now, j->r.score + i * j->now, a->cap, lse[row],
                                target[row] - j->first, yes ? j->k.share[i] : 0.0f,
                                j->r.pull + (size_t)(i * j->now) * (j->k.bf ? 2 : 4), j->k.bf);
    }
}

static void bias_gradient(const job *j)
{
    const tl_view pulls = { .data  = j->r.pull,
                            .dtype = j->k.bf ? TL_BF16 : TL_F32,
                            .shape = TL_SHAPE(j->t->rows, j->now) };

    tl_column_sums(j->h->loops, j->call->threads, j->t->rows, j->now, &pulls, NULL, j->r.part,
                   (float *)j->call->out[2].data + j->first);
}

/* What a block pulls: the slopes that are there, or made from its scores. */
static tl_status block_gradient(tl_ctx *ctx, job *j, int64_t at)
{
    tl_status   rc;
    float      *dw    = j->call->out[1].data;
    const void *words = j->kept && !j->call->out[0].data ? NULL : block_of_words(j, at);
    const void *pull  = j->r.pull;

    j->first = at * j->h->block;
    j->now   = block_words(j->h, j->k.words, at);
    if (j->kept) {
        pull = tl_token_slope(&j->k, &j->call->in[TL_TOKEN_SLOPES], 0, j->first);
    } else {
        TL_TRY(run_product(ctx, j, SCORE, j->x, words, j->r.score));
        tl_par_for(j->call->threads, j->t->rows, 8, pull_rows, j);
        if (j->call->out[2].data) bias_gradient(j);
    }
    if (dw) TL_TRY(run_product(ctx, j, DW, pull, j->x, dw + j->first * j->k.d));
    if (j->call->out[0].data) TL_TRY(run_product(ctx, j, DX, pull, words, j->r.dx));
done:
    return rc;
}

static tl_status grad_run(tl_ctx *ctx, const tl_call *call)
{
    job       j  = start(call, true);
    tl_status rc = TL_OK;

    for (int k = 1; k < 3 && !j.k.count; k++) tl_clear(&call->out[k]);
    memset(j.r.dx, 0, (size_t)(j.t->rows * j.k.d) * sizeof(float));
    for (int64_t at = 0; at < j.h->blocks && j.k.count; at++)
        TL_TRY(block_gradient(ctx, &j, at));
    if (j.kept && call->out[2].data && j.k.count) tl_token_bias(&j.k, call->out[2].data);
    if (call->out[0].data) tl_token_place(&j.k, j.kept, j.r.dx);
done:
    return rc;
}

static const tl_kernel kernels[] = {
    { "token_loss", loss_prepare, loss_run, release },
    { "token_loss_grad", grad_prepare, grad_run, release },
};
const tl_kernel_list tl_cpu_token_loss_onednn = { kernels, TL_COUNT(kernels) };
