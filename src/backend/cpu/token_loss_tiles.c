/* token_loss_tiles.c -- the vocabulary's cross-entropy in bf16 on tiles.  A thread makes the scores
 * of a piece of words with all rows that count, and their sums while they are near; no thread waits
 * for another before the last word.  The gradient is two products of the slopes that the loss kept;
 * where it kept none, token_loss_dnnl.c makes them anew.  Floor 1, backend/cpu. */
#include "backend/cpu/tiles.h"
#include "backend/cpu/token_rows.h"
#include "backend/cpu/workers.h"

enum {
    WORDS    = 512,  /* of a piece of scores                                    */
    ROWS     = 256,  /* with so many rows at once                               */
    DW_WORDS = 2048, /* whose gradient is made in one product                   */
    DW_ROWS  = 2048, /* ... summed over so many rows                            */
    DX_WORDS = 1024  /* that a row's gradient is summed over before the next    */
};

typedef struct {
    const tl_tiles *tiles;
    tl_token_rows   k;
    const char     *x;       /* [count d] rows that count                  */
    float          *dx;      /* [count d]                                  */
    tl_units        units;
} job;

static void run_all(job *j, int64_t units, void (*unit)(const void *job, int64_t at, void *room))
{
    j->units.job   = j;
    j->units.unit  = unit;
    j->units.units = units;
    tl_units_run(&j->units);
}

/* ---- the loss: units of WORDS ------------------------------------------------------------- */
typedef struct {
    uint16_t *words;  /* laid out */
    float    *score;  /* [ROWS WORDS] */
    char     *product;
    size_t    bytes;
} loss_room;

static tl_tile_product score_product(const tl_call *call, int64_t rows, int64_t first)
{
    const int64_t words = tl_rows(&call->in[TL_TOKEN_W]);
    const float  *bias  = call->in[TL_TOKEN_B].data;

    return (tl_tile_product){ .m        = rows,
                              .n        = TL_MIN(WORDS, words - first),
                              .k        = tl_columns(&call->in[TL_TOKEN_X]),
                              .b_turned = true,
                              .bias     = bias ? bias + first : NULL };
}

static loss_room loss_room_of(const tl_tiles *tiles, const tl_tile_product *p, char *at)
{
    loss_room r = { .words = (void *)at };

    r.bytes   = tl_padded(tiles->laid_bytes(WORDS, p->k));
    r.score   = (void *)(at + r.bytes);
    r.bytes  += tl_padded(ROWS * WORDS * sizeof(float));
    r.product = at + r.bytes;
    r.bytes  += tl_padded(tiles->product_bytes(p, p->n));
    return r;
}

static void unit_of_scores(const void *arg, int64_t unit, void *at)
{
    const job      *j     = arg;
    const int64_t   first = unit * WORDS, d = j->k.d;
    tl_tile_product p     = score_product(j->k.call, ROWS, first);
    const loss_room r     = loss_room_of(j->tiles, &p, at);

    j->tiles->lay((const float *)j->k.call->in[TL_TOKEN_W].data + first * d, p.n, d, 0,
                  j->tiles->laid_rows(p.n), r.words);
    p.laid = r.words;
    p.c    = r.score;
    for (int64_t row = 0; row < j->k.count; row += ROWS) {
        p.m = TL_MIN(ROWS, j->k.count - row);
        p.a = (const uint16_t *)(const void *)j->x + row * d;
        j->tiles->product(&p, 0, p.n, r.product);
        for (int64_t i = 0; i < p.m; i++)
            tl_token_take(&j->k, row + i, first, p.n, r.score + i * p.n);
    }
}

/* ---- the gradient in words: units of DW_WORDS ------------------------------------------------ */
static tl_tile_product dw_product(const tl_call *call, int64_t rows, int64_t first)
{
    return (tl_tile_product){ .m      = TL_MIN(DW_WORDS, tl_rows(&call->in[TL_TOKEN_W]) - first),
                              .n        = tl_columns(&call->in[TL_TOKEN_X]),
                              .k        = rows,
                              .a_turned = true,
                              .a_line   = tl_slope_columns(tl_rows(&call->in[TL_TOKEN_W])),
                              .b_bf     = true };
}

/* As many at once whatever number of rows counts, so that the room suffices. */
static int64_t dw_columns(const tl_tiles *tiles, const tl_call *call)
{
    const int64_t         rows = tl_rows(&call->in[TL_TOKEN_X]);
    const tl_tile_product p    = dw_product(call, TL_MIN(DW_ROWS, rows), 0);

    return tiles->product_columns(&p, 1);
}

static void unit_of_words(const void *arg, int64_t unit, void *room)
{
    const job     *j       = arg;
    const int64_t  first   = unit * DW_WORDS, d = j->k.d;
    const int64_t  columns = dw_columns(j->tiles, j->k.call);
    const tl_view *slopes  = &j->k.call->in[TL_TOKEN_SLOPES];

    for (int64_t row = 0; row < j->k.count; row += DW_ROWS) {
        tl_tile_product p = dw_product(j->k.call, TL_MIN(DW_ROWS, j->k.count - row), first);
        p.a               = tl_token_slope(&j->k, slopes, row, first);
        p.b               = (const uint16_t *)(const void *)j->x + row * d;
        p.c               = (float *)j->k.call->out[1].data + first * d;
        p.adds            = row > 0;
        for (int64_t c = 0; c < d; c += columns)
            j->tiles->product(&p, c, TL_MIN(columns, d - c), room);
    }
}

/* ---- the gradient in rows: units of columns, DX_WORDS after DX_WORDS --------------------- */
static tl_tile_product dx_product(const tl_call *call, int64_t rows, int64_t first)
{
    const int64_t words = tl_rows(&call->in[TL_TOKEN_W]);

    return (tl_tile_product){ .m      = rows,
                              .n      = tl_columns(&call->in[TL_TOKEN_X]),
                              .k      = TL_MIN(DX_WORDS, words - first),
                              .a_line = tl_slope_columns(words),
                              .adds   = first > 0 };
}

static int64_t dx_columns(const tl_tiles *tiles, const tl_call *call)
{
    const tl_tile_product p = dx_product(call, 1, 0);

    return tiles->product_columns(&p, call->threads);
}

static void unit_of_rows(const void *arg, int64_t unit, void *room)
{
    const job    *j       = arg;
    const int64_t columns = dx_columns(j->tiles, j->k.call), c = unit * columns;
    const float  *words   = j->k.call->in[TL_TOKEN_W].data;

    for (int64_t first = 0; first < j->k.words; first += DX_WORDS) {
        tl_tile_product p = dx_product(j->k.call, j->k.count, first);
        p.a = tl_token_slope(&j->k, &j->k.call->in[TL_TOKEN_SLOPES], 0, first);
        p.b = words + first * j->k.d;
        p.c = j->dx;
        j->tiles->product(&p, c, TL_MIN(columns, j->k.d - c), room);
    }
}

/* ---- the kernels ----------------------------------------------------------------------------- */
/* Of the shared scratch: the rows' own, [rows d] of bf16, and of the gradient [rows d] of f32. */
static size_t rows_bytes(const tl_call *call, int64_t blocks)
{
    return tl_token_rows_bytes(tl_rows(&call->in[TL_TOKEN_X]), blocks);
}

static size_t x_bytes(const tl_call *call)
{
    return tl_padded((size_t)tl_count(&call->in[TL_TOKEN_X]) * sizeof(uint16_t));
}

static size_t dx_bytes(const tl_call *call)
{
    return tl_padded((size_t)tl_count(&call->in[TL_TOKEN_X]) * sizeof(float));
}

static int64_t blocks_of(const tl_call *call)
{
    return tl_units_of(tl_rows(&call->in[TL_TOKEN_W]), WORDS);
}

static tl_status start(tl_call *call)
{
    const tl_tiles *tiles = tl_tiles_best();

    if (!tiles || !tl_is_bf(&call->in[TL_TOKEN_X])) return TL_EUSAGE;
    call->state = (void *)(uintptr_t)tiles;
    return TL_OK;
}

static size_t loss_room_bytes(const tl_call *call)
{
    const tl_tile_product p = score_product(call, ROWS, 0);

    return loss_room_of(call->state, &p, NULL).bytes;
}

static size_t grad_room_bytes(const tl_call *call)
{
    const tl_tiles       *tiles = call->state;
    const int64_t         rows  = tl_rows(&call->in[TL_TOKEN_X]);
    const tl_tile_product dx    = dx_product(call, rows, 0);
    const tl_tile_product dw    = dw_product(call, TL_MIN(DW_ROWS, rows), 0);

    return tl_padded(TL_MAX(tiles->product_bytes(&dx, dx_columns(tiles, call)),
                            tiles->product_bytes(&dw, dw_columns(tiles, call))));
}

static tl_status loss_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes)
{
    tl_status rc;

    (void)ctx;
    (void)g;
    TL_TRY(start(call));
    *work_bytes = rows_bytes(call, blocks_of(call)) + x_bytes(call) +
                  loss_room_bytes(call) * (size_t)tl_workers(call->threads);
done:
    return rc;
}

static tl_status grad_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes)
{
    tl_status rc;

    (void)ctx;
    (void)g;
    if (!call->node->in[TL_TOKEN_SLOPES]) return TL_EUSAGE;
    TL_TRY(start(call));
    *work_bytes = rows_bytes(call, 0) + x_bytes(call) + dx_bytes(call) +
                  grad_room_bytes(call) * (size_t)tl_workers(call->threads);
done:
    return rc;
}

static job job_of(const tl_call *call, int64_t blocks)
{
    char *at = call->work;
    job   j  = { .tiles         = call->state,
                 .k             = tl_token_rows_of(call, tl_simd_at(TL_ISA_AMX), WORDS, blocks, at),
                 .units.threads = call->threads };

    at += rows_bytes(call, blocks);
    j.x = at;
    at += x_bytes(call);
    j.units.room = at;
    return j;
}

static tl_status loss_run(tl_ctx *ctx, const tl_call *call)
{
    job j = job_of(call, blocks_of(call));

    (void)ctx;
    j.units.room_bytes = loss_room_bytes(call);
    if (j.k.count < j.k.rows)
        tl_token_gather(&j.k, false, j.k.count, (void *)(uintptr_t)j.x);
    else
        j.x = call->in[TL_TOKEN_X].data;
    if (j.k.count) run_all(&j, j.k.blocks, unit_of_scores);
    tl_token_losses(&j.k);
    return TL_OK;
}

static tl_status grad_run(tl_ctx *ctx, const tl_call *call)
{
    job j = job_of(call, 0);

    (void)ctx;
    j.dx = (void *)j.units.room;
    j.units.room += dx_bytes(call);
    j.units.room_bytes = grad_room_bytes(call);
    for (int k = 1; k < 3 && !j.k.count; k++) tl_clear(&call->out[k]);
    if (j.k.count) {
        tl_token_gather(&j.k, true, j.k.count, (void *)(uintptr_t)j.x);
        if (call->out[1].data) run_all(&j, tl_units_of(j.k.words, DW_WORDS), unit_of_words);
        if (call->out[2].data) tl_token_bias(&j.k, call->out[2].data);
        if (call->out[0].data)
            run_all(&j, tl_units_of(j.k.d, dx_columns(j.tiles, call)), unit_of_rows);
    }
    if (call->out[0].data) tl_token_place(&j.k, true, j.dx);
    return TL_OK;
}

static const tl_kernel kernels[] = {
    { "token_loss", loss_prepare, loss_run, NULL },
    { "token_loss_grad", grad_prepare, grad_run, NULL },
};
const tl_kernel_list tl_cpu_token_loss_tiles = { kernels, TL_COUNT(kernels) };
