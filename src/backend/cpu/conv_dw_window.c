/* conv_dw_window.c -- weight gradients of convolutions of many channels, in bf16 on machines whose
 * vectors multiply it: rows of pixels of dy, and of x as a column of the window meets them, are
 * woven into pairs once for all taps, some pictures or some rows of one at a time.  A thread makes
 * all taps of thirty-two input channels; rows that a tap meets in padding only are left out.  (At
 * 64 to 64 channels, 3x3, on 128 pictures of 32x32, oneDNN 2.6 takes a sixth longer.)
 * Floor 1, backend/cpu. */
#include "backend/cpu/taps.h"
#include "backend/cpu/tiles.h"
#include "backend/cpu/workers.h"

#include <string.h>

enum { DY, X };
enum {
    LEAST_CHANNEL = 32,
    TILE          = 16,       /* channels of a line */
    LINE          = 2 * TILE, /* values of a line   */
    CHANNELS      = 2 * TILE, /* of x at once       */
    PAIRS         = 256        /* of pixels at once   */
};

typedef struct {
    const tl_tiles          *tiles;
    const tl_call           *call;
    const tl_conv_grad_attr *a;
    int64_t outs, ins, window[2]; /* channels; height and width of the window       */
    int64_t pictures, size[2];    /* of dy                                          */
    int64_t pairs;                /* of a row of dy                                 */
    int64_t at_once, rows;        /* pictures and rows of each that are near        */
    int64_t lines, met_lines;     /* of both: of sixteen channels of dy, of x       */
    int64_t met_rows;             /* of x that so many rows of dy meet              */
} job;

static int64_t rows_met(const job *j, int64_t rows)
{
    const tl_conv_attr *c = &j->a->conv;

    return (rows - 1) * c->stride[0] + (j->window[0] - 1) * c->dilation[0] + 1;
}

static job job_of(const tl_call *call, const tl_tiles *tiles)
{
    const tl_conv_grad_attr *a  = call->node->attr;
    const tl_view           *dy = &call->in[DY];
    job                      j  = { .tiles    = tiles,
                                    .call     = call,
                                    .a        = a,
                                    .outs     = a->shape.dim[0],
                                    .ins      = a->shape.dim[1],
                                    .window   = { a->shape.dim[2], a->shape.dim[3] },
                                    .pictures = dy->shape.dim[0],
                                    .size     = { dy->shape.dim[1], dy->shape.dim[2] },
                                    .pairs    = tl_units_of(dy->shape.dim[2], 2) };
    const int64_t most = PAIRS / j.pairs; /* rows */

    j.at_once   = TL_MIN(TL_MAX(1, most / j.size[0]), j.pictures);
    j.rows      = TL_MIN(TL_MAX(1, most), j.size[0]);
    j.lines     = j.at_once * j.rows * j.pairs;
    j.met_rows  = rows_met(&j, j.rows);
    j.met_lines = j.at_once * j.met_rows * j.pairs;
    return j;
}

/* A thread's room: rows of dy [outs / 16][lines]; of x [2][met_lines]; gradients
 * [taps][outs][32]. */
typedef struct {
    uint16_t *dy, *x;
    float    *made;
    size_t    bytes;
} room;

static int64_t outs_made(const job *j)
{
    return tl_units_of(j->outs, TILE) * TILE;
}

static room room_of(const job *j, char *at)
{
    const int64_t taps = j->window[0] * j->window[1];
    room          r    = { .dy = (void *)at };

    r.bytes  = tl_padded((size_t)(tl_units_of(outs_made(j), CHANNELS) * 2 * j->lines * LINE) *
                         sizeof *r.dy);
    r.x      = (void *)(at + r.bytes);
    r.bytes += tl_padded((size_t)(2 * j->met_lines * LINE) * sizeof *r.x);
    r.made   = (void *)(at + r.bytes);
    r.bytes += tl_padded((size_t)(taps * outs_made(j) * CHANNELS) * sizeof *r.made);
    return r;
}

static tl_status dw_prepare(tl_ctx *ctx, const tl_graph *g, tl_call *call, size_t *work_bytes)
{
    const tl_tiles          *tiles = tl_tiles_best();
    const tl_conv_grad_attr *a     = call->node->attr;

    (void)ctx;
    (void)g;
    if (!tiles || !tiles->tap_sums || !tl_is_bf(&call->in[DY]) || !(call->wanted & 1) ||
        a->conv.groups != 1)
        return TL_EUSAGE;
    const job j = job_of(call, tiles);
    if (TL_MIN(j.ins, j.outs) < LEAST_CHANNEL || j.window[0] * j.window[1] == 1) return TL_EUSAGE;
    if (j.size[1] % 2 && tl_rows(&call->in[DY]) <= tiles->conv_dw_rows) return TL_EUSAGE;
    call->state = (void *)(uintptr_t)tiles;
    *work_bytes = room_of(&j, NULL).bytes * (size_t)tl_workers(call->threads);
    *work_bytes = TL_MAX(*work_bytes, tl_column_work(tl_rows(&call->in[DY]), j.outs));
    return TL_OK;
}

/* Pictures and rows of dy that are worked on. */
typedef struct {
    int64_t picture, pictures, row, rows;
} band;

static void weave_dy(const job *j, const band *b, uint16_t *to)
{
    tl_pixel_row row = { .line = j->outs, .pixels = j->size[1], .step = 1, .pairs = j->pairs };

    for (int64_t p = 0; p < b->pictures; p++)
        for (int64_t y = 0; y < b->rows; y++) {
            const int64_t at = ((b->picture + p) * j->size[0] + b->row + y) * j->size[1];
            row.x            = tl_place(&j->call->in[DY], at * j->outs);
            j->tiles->weave_row(&row, j->outs, to + (p * b->rows + y) * j->pairs * LINE,
                                j->lines * LINE);
        }
}

/* Channels [first, + n) of x, as column `column` of the window meets them. */
static void weave_x(const job *j, const band *b, int64_t column, int64_t first, int64_t n,
                    uint16_t *to)
{
    const tl_conv_attr *c    = &j->a->conv;
    const tl_shape     *x    = &j->call->in[X].shape;
    const int64_t       met  = rows_met(j, b->rows), top = b->row * c->stride[0] - c->pad[0];
    tl_pixel_row        row  = { .line  = j->ins,
                                 .first = column * c->dilation[1] - c->pad[1],
                                 .step  = c->stride[1],
                                 .pairs = j->pairs };

    for (int64_t p = 0; p < b->pictures; p++)
        for (int64_t y = 0; y < met; y++, to += j->pairs * LINE) {
            const bool    there = top + y >= 0 && top + y < x->dim[1];
            const int64_t at    = ((b->picture + p) * x->dim[1] + top + y) * x->dim[2];
            row.pixels          = there ? x->dim[2] : 0;
            row.x = tl_place(&j->call->in[X], there ? at * j->ins + first : 0);
            j->tiles->weave_row(&row, n, to, j->met_lines * LINE);
        }
}

/* Rows of the band that a row of the window meets in the picture: [*low, *high). */
static void rows_that_meet(const job *j, const band *b, int64_t line, int64_t *low, int64_t *high)
{
    const tl_conv_attr *c     = &j->a->conv;
    const int64_t       shift = line * c->dilation[0] - c->pad[0], h = j->call->in[X].shape.dim[1];

    *low = b->row, *high = b->row + b->rows;
    while (*low < *high && *low * c->stride[0] + shift < 0) ++*low;
    while (*high > *low && (*high - 1) * c->stride[0] + shift >= h) --*high;
}

/* Of dy and of x what the next band reads, to ask for. */
static void look_ahead(const job *j, band b, int64_t first, tl_ahead *dy, tl_ahead *x)
{
    const tl_conv_attr *c  = &j->a->conv;
    const tl_shape     *xs = &j->call->in[X].shape;

    b.row += b.rows;
    if (b.row >= j->size[0]) b.row = 0, b.picture += b.pictures;
    if (b.picture >= j->pictures) return;
    b.pictures = TL_MIN(b.pictures, j->pictures - b.picture);
    b.rows     = TL_MIN(b.rows, j->size[0] - b.row);
    const int64_t top = TL_MAX(0, b.row * c->stride[0] - c->pad[0]);
    const int64_t at  = (b.picture * j->size[0] + b.row) * j->size[1];
    const int64_t met = (b.picture * xs->dim[1] + top) * xs->dim[2];

    *dy = (tl_ahead){ .at   = tl_place(&j->call->in[DY], at * j->outs),
                      .rows = b.pictures * b.rows * j->size[1],
                      .row  = j->outs,
                      .line = j->outs };
    *x  = (tl_ahead){ .at   = tl_place(&j->call->in[X], met * j->ins + first),
                      .rows = (b.pictures - 1) * xs->dim[1] * xs->dim[2] +
                              TL_MIN(xs->dim[1] - top, rows_met(j, b.rows)) * xs->dim[2],
                      .row  = TL_MIN(CHANNELS, j->ins - first),
                      .line = j->ins };
}

/* All taps of a column of the window for sixteen output channels. */
static void add_taps(const job *j, const band *b, int64_t column, int64_t out, const room *r,
                     tl_ahead *next)
{
    const tl_conv_attr *c    = &j->a->conv;
    const int64_t       line = j->pairs * LINE; /* of a row */
    tl_tap           w    = { .pictures  = b->pictures,
                                 .a_picture = b->rows * line,
                                 .b_picture = rows_met(j, b->rows) * line,
                                 .b_tile    = j->met_lines * LINE,
                             .next      = next[0].rows > 0 ? next : next + 1 };

    for (int64_t down = 0; down < j->window[0]; down++) {
        int64_t low, high;
        rows_that_meet(j, b, down, &low, &high);
        low -= b->row, high -= b->row;
        w.runs  = c->stride[0] == 1 ? 1 : high - low;
        w.pairs = c->stride[0] == 1 ? (high - low) * j->pairs : j->pairs;
        w.a_run = line, w.b_run = c->stride[0] * line;
        w.a = r->dy + out / TILE * j->lines * LINE + low * line;
        w.b = r->x + (low * c->stride[0] + down * c->dilation[0]) * line;
        w.c = r->made + ((down * j->window[1] + column) * outs_made(j) + out) * CHANNELS;
        if (low < high) j->tiles->tap_sums(&w);
    }
}

static bool column_lives(const job *j, int64_t column)
{
    const tl_conv_attr *c = &j->a->conv;

    return tl_tap_lives(column, j->call->in[X].shape.dim[2], j->size[1], c->stride[1],
                        c->dilation[1], c->pad[1]);
}

static void make_channels(const void *arg, int64_t at, void *of_thread)
{
    const job    *j     = arg;
    const room    r     = room_of(j, of_thread);
    const int64_t first = at * CHANNELS, n = TL_MIN(CHANNELS, j->ins - first);
    const int64_t taps  = j->window[0] * j->window[1];
    band          b;

    memset(r.made, 0, (size_t)(taps * outs_made(j) * CHANNELS) * sizeof *r.made);
    for (b.picture = 0; b.picture < j->pictures; b.picture += j->at_once)
        for (b.row = 0; b.row < j->size[0]; b.row += j->rows) {
            b.pictures = TL_MIN(j->at_once, j->pictures - b.picture);
            b.rows     = TL_MIN(j->rows, j->size[0] - b.row);
            tl_ahead next[2] = { 0 };
            look_ahead(j, b, first, &next[0], &next[1]);
            weave_dy(j, &b, r.dy);
            for (int64_t column = 0; column < j->window[1]; column++) {
                if (!column_lives(j, column)) continue;
                weave_x(j, &b, column, first, n, r.x);
                for (int64_t out = 0; out < j->outs; out += TILE)
                    add_taps(j, &b, column, out, &r, next);
            }
        }
    tl_put_taps(r.made, outs_made(j) * CHANNELS, CHANNELS, taps, j->outs, n,
                (float *)j->call->out[0].data + first * taps, j->ins * taps);
}

static tl_status dw_run(tl_ctx *ctx, const tl_call *call)
{
    const job      j  = job_of(call, call->state);
    const tl_view *dy = &call->in[DY];

    (void)ctx;
    if (call->out[0].data)
        tl_units_run(&(tl_units){ .unit       = make_channels,
                                  .job        = &j,
                                  .units      = tl_units_of(j.ins, CHANNELS),
                                  .threads    = call->threads,
                                  .room       = call->work,
                                  .room_bytes = room_of(&j, NULL).bytes });
    if (call->out[1].data)
        tl_column_sums(tl_simd_best(), call->threads, tl_rows(dy), j.outs, dy, NULL, call->work,
                       call->out[1].data);
    return TL_OK;
}

static const tl_kernel kernels[] = { { "conv_dw", dw_prepare, dw_run, NULL } };
const tl_kernel_list   tl_cpu_conv_dw_window = { kernels, TL_COUNT(kernels) };
