/* conv_dw_tiles.c -- weight gradients of convolutions of many channels and few pixels, in bf16 on
 * tiles: for each tap of the window a product of dy, laid out once for all of them, with the
 * pixels that the tap meets.  (oneDNN 2.6 takes 88 ms for 512 to 512 channels, 3x3, on 128 pictures
 * of 4x4, where these products take a quarter.)  A thread makes all taps of some input channels, so
 * that none waits and rows of dw are written whole; a tap that meets only padding is left out.
 * Floor 1, backend/cpu. */
#include "backend/cpu/taps.h"
#include "backend/cpu/tiles.h"
#include "backend/cpu/workers.h"

#include <string.h>

enum { DY, X };
enum {
    LEAST_CHANNEL = 32,
    CHANNELS      = 128, /* of x that a thread works on at once         */
    ROWS          = 2048 /* pixels that are summed over before the next */
};

typedef struct {
    const tl_tiles          *tiles;
    const tl_call           *call;
    const tl_conv_grad_attr *a;
    int64_t                  rows, outs, ins, taps, channels; /* channels: at once */
    uint16_t                *left; /* dy, ROWS after ROWS */
} job;

static job job_of(const tl_call *call, const tl_tiles *tiles)
{
    const tl_conv_grad_attr *a = call->node->attr;
    job                      j = { .tiles   = tiles,
                                   .call    = call,
                                   .a       = a,
                                   .rows    = tl_rows(&call->in[DY]),
                                   .outs    = a->shape.dim[0],
                                   .ins     = a->shape.dim[1],
                                   .taps    = a->shape.dim[2] * a->shape.dim[3] };

    const int64_t each = tl_units_of(j.ins, tl_workers(call->threads)); /* of a thread */
    j.channels         = TL_MIN(CHANNELS, tl_units_of(each, 32) * 32);
    return j;
}

static tl_tile_product product_of(const job *j, int64_t rows)
{
    return (tl_tile_product){ .m      = j->outs,
                              .n      = j->channels,
                              .k      = rows,
                              .a_laid = true,
                              .b_bf   = true };
}

/* Bytes of `left` up to pixel `row`, a multiple of ROWS or the last. */
static size_t left_to(const job *j, int64_t row)
{
    const size_t whole = (size_t)(row / ROWS) * j->tiles->left_bytes(j->outs, ROWS);

    return whole + (row % ROWS ? j->tiles->left_bytes(j->outs, row % ROWS) : 0);
}

/* A thread's room: what a tap meets [ROWS channels], gradients [taps outs channels], the
 * product's. */
typedef struct {
    uint16_t *met;
    float    *made;
    char     *product;
    size_t    bytes;
} room;

static room room_of(const job *j, char *at)
{
    const int64_t         rows = TL_MIN(ROWS, j->rows);
    const tl_tile_product p    = product_of(j, rows);
    room                  r    = { .met = (void *)at };

    r.bytes   = tl_padded((size_t)(rows * j->channels) * sizeof(uint16_t));
    r.made    = (void *)(at + r.bytes);
    r.bytes  += tl_padded((size_t)(j->taps * j->outs * j->channels) * sizeof(float));
    r.product = at + r.bytes;
    r.bytes  += tl_padded(j->tiles->product_bytes(&p, j->channels));
    return r;
}

static tl_status dw_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes)
{
    const tl_tiles          *tiles = tl_tiles_best();
    const tl_conv_grad_attr *a     = call->node->attr;
    const tl_view           *dy    = &call->in[DY];

    (void)ctx;
    (void)g;
    if (!tiles || !tl_is_bf(dy) || !(call->wanted & 1) || a->conv.groups != 1) return TL_EUSAGE;
    const job j = job_of(call, tiles);
    if (j.rows > tiles->conv_dw_rows || TL_MIN(j.ins, j.outs) < LEAST_CHANNEL) return TL_EUSAGE;
    call->state = (void *)(uintptr_t)tiles;
    *work_bytes = tl_padded(left_to(&j, j.rows)) +
                  room_of(&j, NULL).bytes * (size_t)tl_workers(call->threads);
    *work_bytes = TL_MAX(*work_bytes, tl_column_work(j.rows, j.outs));
    return TL_OK;
}

static void lay_strips(void *arg, int64_t low, int64_t high)
{
    const job *j = arg;

    for (int64_t row = 0; row < j->rows; row += ROWS)
        j->tiles->lay_left(tl_place(&j->call->in[DY], row * j->outs), j->outs, j->outs,
                           TL_MIN(ROWS, j->rows - row), low, high,
                           j->left + left_to(j, row) / sizeof *j->left);
}

/* Of x what a pixel of dy was made from through this tap. */
static tl_meeting meeting_of(const job *j, int64_t tap)
{
    const tl_conv_attr *c    = &j->a->conv;
    const tl_shape     *x    = &j->call->in[X].shape, *dy = &j->call->in[DY].shape;
    const int64_t       wide = j->a->shape.dim[3];

    return (tl_meeting){
        .own   = { dy->dim[1], dy->dim[2] },
        .other = { x->dim[1], x->dim[2] },
        .step  = { c->stride[0], c->stride[1] },
        .shift = { tap / wide * c->dilation[0] - c->pad[0],
                   tap % wide * c->dilation[1] - c->pad[1] },
    };
}

/* Channels [first, + n) of the pixels that `tap` meets from pixel `row` of dy on; false: none. */
static bool meet(const job *j, int64_t tap, int64_t row, int64_t rows, int64_t first, int64_t n,
                 uint16_t *to)
{
    const tl_meeting m   = meeting_of(j, tap);
    bool             any = false;

    for (int64_t r = row; r < row + rows; r++, to += n) {
        const int64_t at = tl_meets(&m, r);
        if (at < 0) memset(to, 0, (size_t)n * sizeof *to);
        else memcpy(to, tl_place(&j->call->in[X], at * j->ins + first), (size_t)n * sizeof *to);
        any |= at >= 0;
    }
    return any;
}

static bool tap_lives(const job *j, int64_t tap)
{
    const tl_conv_attr *c     = &j->a->conv;
    const int64_t       at[2] = { tap / j->a->shape.dim[3], tap % j->a->shape.dim[3] };
    bool                lives = true;

    for (int k = 0; k < 2; k++)
        lives &= tl_tap_lives(at[k], j->call->in[X].shape.dim[1 + k],
                              j->call->in[DY].shape.dim[1 + k], c->stride[k], c->dilation[k],
                              c->pad[k]);
    return lives;
}

static void make_tap(const job *j, int64_t tap, int64_t first, int64_t n, const room *r)
{
    float *made = r->made + tap * j->outs * n;

    if (!tap_lives(j, tap)) {
        memset(made, 0, (size_t)(j->outs * n) * sizeof *made);
        return;
    }
    for (int64_t row = 0; row < j->rows; row += ROWS) {
        tl_tile_product p = product_of(j, TL_MIN(ROWS, j->rows - row));
        if (!meet(j, tap, row, p.k, first, n, r->met) && row > 0) continue;
        p.n    = n;
        p.a    = j->left + left_to(j, row) / sizeof *j->left;
        p.b    = r->met;
        p.c    = made;
        p.adds = row > 0;
        j->tiles->product(&p, 0, n, r->product);
    }
}

static void make_channels(const void *arg, int64_t at, void *of_thread)
{
    const job    *j     = arg;
    const room    r     = room_of(j, of_thread);
    const int64_t first = at * j->channels, n = TL_MIN(j->channels, j->ins - first);

    for (int64_t tap = 0; tap < j->taps; tap++) make_tap(j, tap, first, n, &r);
    tl_put_taps(r.made, j->outs * n, n, j->taps, j->outs, n,
                (float *)j->call->out[0].data + first * j->taps, j->ins * j->taps);
}

static tl_status dw_run(tl_ctx *ctx, const tl_call *call)
{
    job            j  = job_of(call, call->state);
    const tl_view *dy = &call->in[DY];

    (void)ctx;
    j.left = call->work;
    if (call->out[0].data) {
        tl_par_for(call->threads, j.tiles->left_strips(j.outs), 1, lay_strips, &j);
        tl_units_run(&(tl_units){
            .unit       = make_channels,
            .job        = &j,
            .units      = tl_units_of(j.ins, j.channels),
            .threads    = call->threads,
            .room       = (char *)call->work + tl_padded(left_to(&j, j.rows)),
            .room_bytes = room_of(&j, NULL).bytes,
        });
    }
    if (call->out[1].data)
        tl_column_sums(tl_simd_at(TL_ISA_AMX), call->threads, j.rows, j.outs, dy, NULL, call->work,
                       call->out[1].data);
    return TL_OK;
}

static const tl_kernel kernels[] = { { "conv_dw", dw_prepare, dw_run, NULL } };
const tl_kernel_list   tl_cpu_conv_dw_tiles = { kernels, TL_COUNT(kernels) };
